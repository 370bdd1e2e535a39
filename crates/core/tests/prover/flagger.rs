//! Releases that are left to Flagger: the life of the fixture, and the orders that it forbids.
use std::path::Path;

use tidegate_core::checkout::Checkout;
use tidegate_core::delegated::{self, Stage};
use tidegate_core::manifest::{Manifest, ManifestSet};
use tidegate_core::prover::{Proof, Question, prove, repair};
use tidegate_core::provider::ControllerId;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::start::{StartRequest, start};
use tidegate_core::transition::{Purpose, Transition};

use crate::fixtures::directory;
use crate::world::told;

fn judged(before: &ManifestSet, after: &ManifestSet) -> Proof {
    prove(ControllerId::Flagger, before, after, Question::default())
}

/// Production of the fixture in every stage of a release, in order, `idle` first.
fn life() -> Vec<(Stage, ManifestSet)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/flagger/podinfo/repo");
    let mut repo = directory(&folder);
    let request = StartRequest {
        provider: Some("flagger".to_owned()),
        canary_tag: Some("2.1.1".to_owned()),
        ..StartRequest::default()
    };
    let started = with(&repo, |checkout| {
        start(checkout, &request).unwrap_or_else(|why| panic!("{why:?}"))
    });
    let mut points = vec![(Stage::Idle, production(&repo))];
    write(&mut repo, &started.transition.expect("a release file"));
    loop {
        let next = with(&repo, |checkout| {
            let delegation = checkout.application.delegations.first()?;
            delegated::next(checkout, delegation, None).unwrap_or_else(|why| panic!("{why:?}"))
        });
        let Some(transition) = next else { break };
        let Purpose::Stage(stage) = transition.purpose else {
            panic!("{:?}", transition.purpose)
        };
        write(&mut repo, &transition);
        points.push((stage, production(&repo)));
    }
    points
}

fn with<T>(repo: &MemoryRepo, look: impl FnOnce(&Checkout<'_>) -> T) -> T {
    let config = Config::load(repo, &RepoPath::root()).expect("a configuration");
    let at = RepoPath::new("podinfo").expect("a path");
    look(&Checkout::load(repo, &at, &config).unwrap_or_else(|why| panic!("{why:?}")))
}

fn write(repo: &mut MemoryRepo, transition: &Transition) {
    for change in transition.change.iter() {
        repo.set(change.path.clone(), change.after.clone());
    }
}

fn production(repo: &MemoryRepo) -> ManifestSet {
    with(repo, |checkout| {
        checkout.application.environments["production"].rendered.clone()
    })
}

fn at(stage: Stage) -> ManifestSet {
    let mut life = life().into_iter();
    let found = life.find(|(known, _)| *known == stage);
    found.unwrap_or_else(|| panic!("no {stage}")).1
}

/// A set without the objects of a kind.
fn without(set: &ManifestSet, kind: &str) -> ManifestSet {
    let others = set.iter().filter(|manifest| manifest.object.kind != kind);
    ManifestSet::new(others.cloned().collect())
}

/// A set with one more object of another.
fn with_one(set: &ManifestSet, of: &ManifestSet, kind: &str) -> ManifestSet {
    let others = without(set, kind);
    let more = of.iter().filter(|manifest| manifest.object.kind == kind);
    ManifestSet::new(others.iter().chain(more).cloned().collect())
}

#[track_caller]
fn refused(before: &ManifestSet, after: &ManifestSet, says: &str) -> Proof {
    let proof = judged(before, after);
    assert!(!proof.is_safe());
    assert!(told(&proof).contains(says), "{}", told(&proof));
    proof
}

#[test]
fn every_transition_is_safe_and_none_can_be_left_out() {
    let life = life();
    let stages: Vec<&str> = life.iter().map(|(stage, _)| stage.as_str()).collect();
    assert_eq!(
        stages.join(" "),
        "idle keep hand-over bootstrap trigger suspend give-back tidy"
    );
    for pair in life.windows(2) {
        let proof = judged(&pair[0].1, &pair[1].1);
        assert!(proof.is_safe(), "{}: {}", pair[1].0, told(&proof));
        assert!(
            proof.broken_before.is_empty(),
            "{}: {:?}",
            pair[1].0,
            proof.broken_before
        );
        assert!(proof.requests > 0, "{}", pair[1].0);
    }
    // Two at once: what can be told from the files alone is refused.
    let joined: Vec<String> = life
        .windows(3)
        .filter(|three| !judged(&three[0].1, &three[2].1).is_safe())
        .map(|three| format!("{}+{}", three[1].0, three[2].0))
        .collect();
    assert_eq!(
        joined,
        [
            "keep+hand-over",
            "hand-over+bootstrap",
            "bootstrap+trigger",
            "suspend+give-back",
            "give-back+tidy"
        ]
    );
}

#[test]
fn a_service_that_may_be_pruned_does_not_leave_the_repository() {
    let idle = at(Stage::Idle);
    let _ = refused(&idle, &without(&idle, "Service"), "there is no Service podinfo");
}

#[test]
fn a_canary_beside_the_service_of_the_repository_loses_every_request() {
    let keep = at(Stage::Keep);
    let both = with_one(&keep, &at(Stage::Bootstrap), "Canary");
    let _ = refused(&keep, &both, "which Flagger has scaled to nothing");
}

#[test]
fn the_service_leaves_the_repository_before_flagger_has_the_workload() {
    let (keep, bootstrap) = (at(Stage::Keep), at(Stage::Bootstrap));
    let proof = refused(&keep, &bootstrap, "which Flagger has scaled to nothing");
    let repair = repair(
        ControllerId::Flagger,
        &keep,
        &bootstrap,
        Question::default(),
        &proof,
    );
    let commits = repair.expect("two commits").commits;
    let commits: Vec<String> = commits.concat().iter().map(ToString::to_string).collect();
    assert_eq!(commits, ["Service/podinfo", "Canary/podinfo"]);
}

#[test]
fn a_new_image_in_the_commit_that_gives_the_workload_away_is_seen_by_nobody_first() {
    let (before, after) = (at(Stage::HandOver), at(Stage::Trigger));
    let _ = refused(
        &before,
        &after,
        "100 % of the requests reach `stefanprodan/podinfo:2.1.1`",
    );
}

#[test]
fn a_canary_goes_only_once_the_service_selects_the_workload() {
    for stage in [Stage::Trigger, Stage::Suspend] {
        let now = at(stage);
        let _ = refused(&now, &without(&now, "Canary"), "pods that go with Canary/podinfo");
        let given_back = with_one(&now, &at(Stage::GiveBack), "Service");
        let _ = refused(
            &now,
            &without(&given_back, "Canary"),
            "pods that go with Canary/podinfo",
        );
    }
}

#[test]
fn a_service_given_back_while_flagger_goes_on_selects_nothing() {
    let now = at(Stage::Trigger);
    let back = with_one(&now, &at(Stage::GiveBack), "Service");
    let _ = refused(&now, &back, "which Flagger has scaled to nothing");
    let _ = refused(&now, &at(Stage::GiveBack), "which Flagger has scaled to nothing");
}

#[test]
fn a_service_of_the_repository_that_selects_the_clones_is_as_flagger_writes_it() {
    let now = at(Stage::Trigger);
    let mut services: Vec<Manifest> = with_one(&now, &at(Stage::GiveBack), "Service")
        .iter()
        .cloned()
        .collect();
    for service in services
        .iter_mut()
        .filter(|manifest| manifest.object.kind == "Service")
    {
        service.value["spec"]["selector"]["app"] = "podinfo-primary".into();
    }
    let proof = judged(&now, &ManifestSet::new(services));
    assert!(proof.is_safe(), "{}", told(&proof));
}

#[test]
fn what_no_file_says_is_said_to_be_not_judged() {
    let unsaid = |set: &ManifestSet| {
        let mut all: Vec<Manifest> = set.iter().cloned().collect();
        for deployment in all
            .iter_mut()
            .filter(|manifest| manifest.object.kind == "Deployment")
        {
            let spec = deployment.value["spec"].as_object_mut().expect("a map");
            let _ = spec.shift_remove("replicas");
        }
        ManifestSet::new(all)
    };
    let reasons = |before: &ManifestSet, after: &ManifestSet| -> String {
        let unjudged = judged(before, after).unjudged.into_iter();
        unjudged.map(|unjudged| unjudged.reason).collect()
    };
    let (suspend, back) = (at(Stage::Suspend), at(Stage::GiveBack));
    assert_eq!(reasons(&suspend, &back), "");
    assert!(reasons(&unsaid(&suspend), &unsaid(&back)).contains("no file says a number of pods"));
    assert!(reasons(&back, &without(&back, "Canary")).contains("the routes with it"));
}
