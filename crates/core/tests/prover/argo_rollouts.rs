//! Releases that are left to Argo Rollouts: the lives of the fixtures, and the orders that it forbids.
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tidegate_core::check::lint;
use tidegate_core::checkout::Checkout;
use tidegate_core::delegated::{self, Stage};
use tidegate_core::diagnostic::Severity;
use tidegate_core::manifest::{Manifest, ManifestSet, ObjectRef};
use tidegate_core::prover::{Proof, Question, prove};
use tidegate_core::provider::ControllerId;
use tidegate_core::repo::{MemoryRepo, Repo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::start::{StartRequest, start};
use tidegate_core::transition::{Purpose, Transition};

use crate::fixtures::directory;
use crate::world::{set, told};

const OLD: &str = "registry.example.com/shop/reviews:1.16.2";

fn judged(before: &ManifestSet, after: &ManifestSet) -> Proof {
    prove(ControllerId::ArgoRollouts, before, after, Question::default())
}

/// A release of a fixture: folder, application, environment, the new tag.
type Of = [&'static str; 4];

const REVIEWS: Of = ["reviews", "shop/reviews", "production", "1.17.0"];
const STAGING: Of = ["reviews", "shop/reviews", "staging", "1.17.0"];
const DEMO: Of = ["rollouts-demo", "demo", "all", "yellow"];

/// The repository in every stage of a release, in order, `idle` first.
type Stages = Vec<(Stage, MemoryRepo)>;

static LIVES: LazyLock<[(&str, Stages); 2]> = LazyLock::new(|| [REVIEWS, DEMO].map(|of| (of[0], lived(of))));

fn lived(of: Of) -> Stages {
    let [fixture, _, _, tag] = of;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/argo-rollouts");
    let mut repo = directory(&folder.join(fixture).join("repo"));
    let request = StartRequest {
        provider: Some("argo-rollouts".to_owned()),
        canary_tag: Some(tag.to_owned()),
        steps: Some(vec![5, 20, 100]),
        ..StartRequest::default()
    };
    let started = with(&repo, of, |checkout| {
        start(checkout, &request).unwrap_or_else(|why| panic!("{why:?}"))
    });
    let mut stages = vec![(Stage::Idle, repo.clone())];
    write(&mut repo, &started.transition.expect("a release file"));
    loop {
        let next = with(&repo, of, |checkout| {
            let delegation = checkout.application.delegations.first()?;
            delegated::next(checkout, delegation, None).unwrap_or_else(|why| panic!("{why:?}"))
        });
        let Some(transition) = next else {
            return stages;
        };
        let Purpose::Stage(stage) = transition.purpose else {
            panic!("{:?}", transition.purpose)
        };
        write(&mut repo, &transition);
        stages.push((stage, repo.clone()));
    }
}

fn with<T>(repo: &MemoryRepo, [_, at, ..]: Of, look: impl FnOnce(&Checkout<'_>) -> T) -> T {
    let config = Config::load(repo, &RepoPath::root()).expect("a configuration");
    let at = RepoPath::new(at).expect("a path");
    look(&Checkout::load(repo, &at, &config).unwrap_or_else(|why| panic!("{why:?}")))
}

fn write(repo: &mut MemoryRepo, transition: &Transition) {
    for change in transition.change.iter() {
        repo.set(change.path.clone(), change.after.clone());
    }
}

fn stages(of: Of) -> &'static Stages {
    let found = LIVES.iter().find(|(fixture, _)| *fixture == of[0]);
    &found.expect("a fixture").1
}

fn repo_at(of: Of, stage: Stage) -> MemoryRepo {
    let found = stages(of).iter().find(|(known, _)| *known == stage);
    found.unwrap_or_else(|| panic!("no {stage}")).1.clone()
}

fn rendered(repo: &MemoryRepo, of: Of) -> ManifestSet {
    with(repo, of, |checkout| {
        checkout.application.environments[of[2]].rendered.clone()
    })
}

fn points(of: Of) -> Vec<(Stage, ManifestSet)> {
    let points = stages(of).iter();
    points.map(|(stage, repo)| (*stage, rendered(repo, of))).collect()
}

fn at(of: Of, stage: Stage) -> ManifestSet {
    rendered(&repo_at(of, stage), of)
}

fn reviews(stage: Stage) -> ManifestSet {
    at(REVIEWS, stage)
}

/// A set without an object.
fn without(set: &ManifestSet, object: &str) -> ManifestSet {
    let others = set
        .iter()
        .filter(|manifest| manifest.object.to_string() != object);
    let others: Vec<Manifest> = others.cloned().collect();
    assert_eq!(others.len() + 1, set.iter().count(), "{object}");
    ManifestSet::new(others)
}

/// A set with an object of another instead of its own, or besides.
fn taking(set: &ManifestSet, of: &ManifestSet, object: &str) -> ManifestSet {
    let is_meant = |manifest: &&Manifest| manifest.object.to_string() == object;
    let more = of.iter().find(is_meant).expect("the object");
    let others = set.iter().filter(|manifest| !is_meant(manifest));
    ManifestSet::new(others.chain([more]).cloned().collect())
}

/// A set in which an object says something else.
fn saying(set: &ManifestSet, object: &str, pointer: &str, value: Value) -> ManifestSet {
    let mut all: Vec<Manifest> = set.iter().cloned().collect();
    let mut found = all
        .iter_mut()
        .filter(|manifest| manifest.object.to_string() == object);
    let place = found
        .next()
        .and_then(|manifest| manifest.value.pointer_mut(pointer));
    *place.unwrap_or_else(|| panic!("{object} {pointer}")) = value;
    ManifestSet::new(all)
}

#[track_caller]
fn safe(before: &ManifestSet, after: &ManifestSet) -> Proof {
    let proof = judged(before, after);
    assert!(proof.is_safe(), "{}", told(&proof));
    assert!(proof.broken_before.is_empty(), "{:?}", proof.broken_before);
    assert!(proof.withdrawn.is_empty(), "{:?}", proof.withdrawn);
    // How a host of the mesh is called is not judged of a copied rule either.
    let is_rule = |object: &ObjectRef| object.to_string() == "DestinationRule/reviews-canary";
    let unjudged: Vec<_> = proof
        .unjudged
        .iter()
        .filter(|found| !is_rule(&found.object))
        .collect();
    assert!(unjudged.is_empty(), "{unjudged:?}");
    assert!(proof.requests > 0);
    proof
}

#[track_caller]
fn refused(before: &ManifestSet, after: &ManifestSet, says: &str) {
    let proof = judged(before, after);
    assert!(!proof.is_safe());
    assert!(told(&proof).contains(says), "{}", told(&proof));
}

/// What is refused of two transitions at once, and of the way back by reverting one.
fn refusals(of: Of) -> (Vec<String>, Vec<String>) {
    let points = points(of);
    let joined = points
        .windows(3)
        .filter(|three| !judged(&three[0].1, &three[2].1).is_safe());
    let reverted = points
        .windows(2)
        .filter(|pair| !judged(&pair[1].1, &pair[0].1).is_safe());
    (
        joined
            .map(|three| format!("{}+{}", three[1].0, three[2].0))
            .collect(),
        reverted.map(|pair| pair[1].0.to_string()).collect(),
    )
}

#[test]
fn every_transition_is_safe() {
    for (of, stages) in [
        (REVIEWS, "idle hand-over bootstrap vacate trigger suspend tidy"),
        (STAGING, "idle hand-over bootstrap vacate trigger suspend tidy"),
        (DEMO, "idle bootstrap vacate trigger suspend tidy"),
    ] {
        let life = points(of);
        let names: Vec<&str> = life.iter().map(|(stage, _)| stage.as_str()).collect();
        assert_eq!(names.join(" "), stages);
        for pair in life.windows(2) {
            let _ = safe(&pair[0].1, &pair[1].1);
        }
    }
}

/// Without routes nothing is narrowed, so even the Rollout's first commit can be reverted.
#[test]
fn what_can_be_told_from_the_files_is_refused_of_two_at_once_and_of_a_revert() {
    let (joined, reverted) = refusals(REVIEWS);
    assert_eq!(joined, ["bootstrap+vacate", "suspend+tidy"]);
    assert_eq!(reverted, ["bootstrap"]);
    let (joined, reverted) = refusals(DEMO);
    assert_eq!(joined, ["bootstrap+vacate", "suspend+tidy"]);
    assert_eq!(reverted, Vec::<String>::new());
}

#[test]
fn a_deployment_scaled_down_with_the_commit_of_its_rollout_leaves_nobody_to_serve() {
    for of in [REVIEWS, DEMO] {
        let before = match of {
            REVIEWS => at(of, Stage::HandOver),
            _ => at(of, Stage::Idle),
        };
        refused(&before, &at(of, Stage::Vacate), "selects no ready pod");
    }
}

#[test]
fn a_rollout_goes_only_once_the_deployment_has_its_pods() {
    let now = at(DEMO, Stage::Trigger);
    let gone = without(&now, "Rollout/rollouts-demo");
    refused(&now, &gone, "selects no ready pod");
    let back = taking(&gone, &at(DEMO, Stage::Suspend), "Deployment/rollouts-demo");
    refused(&now, &back, "selects no ready pod");
    let suspended = at(DEMO, Stage::Suspend);
    let _ = safe(&now, &suspended);
    let _ = safe(&suspended, &without(&suspended, "Rollout/rollouts-demo"));
}

/// The selector is widened again after the pods have gone, not before.
#[test]
fn a_rollout_goes_only_once_it_names_the_service_no_more() {
    let now = reviews(Stage::Bootstrap);
    refused(&now, &without(&now, "Rollout/reviews"), "selects no ready pod");
    let suspended = reviews(Stage::Suspend);
    let given_back = taking(&reviews(Stage::Trigger), &suspended, "Deployment/reviews");
    refused(
        &given_back,
        &without(&given_back, "Rollout/reviews"),
        "selects no ready pod",
    );
    let _ = safe(&suspended, &without(&suspended, "Rollout/reviews"));
}

#[test]
fn a_service_that_a_rollout_names_has_its_pods_alone_behind_it() {
    let emptied = |of: Of, rollout: &str| {
        let now = at(of, Stage::Bootstrap);
        let emptied = saying(&now, rollout, "/spec/replicas", json!(0));
        (now, emptied)
    };
    let (now, after) = emptied(REVIEWS, "Rollout/reviews");
    refused(&now, &after, "selects no ready pod");
    let (now, after) = emptied(DEMO, "Rollout/rollouts-demo");
    let _ = safe(&now, &after);
}

/// What is wrong with the files once one of them says something else.
fn told_of(stage: Stage, file: &str, from: &str, to: &str) -> String {
    let mut repo = repo_at(REVIEWS, stage);
    let file = RepoPath::new(file).expect("a path");
    let text = repo.read(&file).expect("read").expect("there");
    assert!(text.contains(from), "{from}\n{text}");
    repo.set(file, Some(text.replacen(from, to, 1)));
    let errors = with(&repo, REVIEWS, lint)
        .into_iter()
        .filter(|found| found.severity == Severity::Error);
    errors
        .map(|found| {
            format!(
                "[{}] {}: {}\n",
                found.code.as_str(),
                found.message,
                found.hints.join("; ")
            )
        })
        .collect()
}

const ROLLOUT: &str = "shop/reviews/production/reviews-rollout.yaml";
const MESH: &str = "shop/reviews/production/mesh.yaml";

/// `InvalidSpec`: a Rollout that lacks something makes no pods, so its Deployment keeps the ones it has.
#[test]
fn a_rollout_whose_canary_service_is_absent_never_serves() {
    let now = reviews(Stage::Bootstrap);
    let lacking = without(&now, "Service/reviews-canary");
    let scaled_down = without(&reviews(Stage::Vacate), "Service/reviews-canary");
    refused(&lacking, &scaled_down, "selects no ready pod");
    let _ = safe(&now, &reviews(Stage::Vacate));
    let told = told_of(Stage::Bootstrap, ROLLOUT, "reviews-canary", "reviews-canari");
    assert!(
        told.contains("[unknown-name] there is no Service `reviews-canari`"),
        "{told}"
    );
    assert!(told.contains("did you mean `reviews-canary`?"), "{told}");
}

#[test]
fn a_rollout_whose_route_is_absent_never_serves() {
    for (pointer, value, from, to, says) in [
        (
            "/spec/http/1/name",
            json!("first"),
            "name: primary",
            "name: first",
            "has no route `primary`",
        ),
        (
            "/spec/http/0/route/1/destination/host",
            json!("other"),
            "host: reviews-canary.shop",
            "host: other.shop",
            "does not lead to `reviews-canary` in its route `slow`",
        ),
    ] {
        let lacking = |stage| saying(&reviews(stage), "VirtualService/reviews", pointer, value.clone());
        refused(
            &lacking(Stage::Bootstrap),
            &lacking(Stage::Vacate),
            "selects no ready pod",
        );
        let told = told_of(Stage::Bootstrap, MESH, from, to);
        assert!(
            told.contains("[unsupported-route] VirtualService/reviews") && told.contains(says),
            "{told}"
        );
    }
    let gone = |stage| without(&reviews(stage), "VirtualService/reviews");
    refused(
        &gone(Stage::Bootstrap),
        &gone(Stage::Vacate),
        "selects no ready pod",
    );
}

/// One that becomes invalid stays as it is: its pods serve on.
#[test]
fn a_rollout_that_becomes_invalid_keeps_its_pods() {
    let now = reviews(Stage::Vacate);
    let _ = safe(&now, &without(&now, "Service/reviews-canary"));
}

#[test]
fn a_step_does_one_thing() {
    for (from, to, says) in [
        (
            "- setWeight: 5\n",
            "- setWeight: 5\n        pause: {}\n",
            "step 1 of Rollout/reviews does 2 things: pause, setWeight",
        ),
        (
            "- setWeight: 5\n",
            "- {}\n",
            "step 1 of Rollout/reviews does nothing",
        ),
        (
            "- setWeight: 5\n",
            "- setWeight: 105\n",
            "step 1 of Rollout/reviews sets the weight to 105",
        ),
        (
            "- setWeight: 5\n",
            "- setHeaderRoute: {name: testers}\n",
            "says `setHeaderRoute` of `testers`, which is not among the managed routes",
        ),
    ] {
        let told = told_of(Stage::Bootstrap, ROLLOUT, from, to);
        assert!(told.contains("[invalid-value]") && told.contains(says), "{told}");
    }
    let twice = |stage| {
        let steps = json!([{"setWeight": 5, "pause": {}}]);
        saying(
            &reviews(stage),
            "Rollout/reviews",
            "/spec/strategy/canary/steps",
            steps,
        )
    };
    refused(
        &twice(Stage::Bootstrap),
        &twice(Stage::Vacate),
        "selects no ready pod",
    );
}

#[test]
fn weights_are_the_controllers_while_a_rollout_names_their_route() {
    let told = told_of(Stage::Trigger, MESH, "weight: 0", "weight: 20");
    assert!(
        told.contains("[contested-weight] VirtualService/reviews gives the new pods 20 % itself"),
        "{told}"
    );
    // Nobody else moves them any more.
    let told = told_of(Stage::Suspend, MESH, "weight: 0", "weight: 20");
    assert_eq!(told, "");
}

#[test]
fn the_new_image_reaches_nobody_before_the_rollout_has_the_pods() {
    let (before, after) = (at(DEMO, Stage::Idle), at(DEMO, Stage::Bootstrap));
    let image = "/spec/template/spec/containers/0/image";
    let after = saying(
        &after,
        "Deployment/rollouts-demo",
        image,
        json!("argoproj/rollouts-demo:yellow"),
    );
    refused(
        &before,
        &after,
        "of the requests reach `argoproj/rollouts-demo:yellow`",
    );
}

#[test]
fn pods_of_a_rollout_are_behind_the_services_of_its_deployment() {
    let vacate = reviews(Stage::Vacate);
    let proof = safe(&vacate, &reviews(Stage::Trigger));
    assert!(proof.counter_examples.is_empty());
    // Those of another namespace are not.
    let elsewhere = saying(&vacate, "Rollout/reviews", "/metadata/namespace", json!("other"));
    let mut all: Vec<Manifest> = elsewhere.iter().cloned().collect();
    for rollout in all
        .iter_mut()
        .filter(|manifest| manifest.object.kind == "Rollout")
    {
        rollout.object.namespace = Some("other".to_owned());
    }
    refused(&vacate, &ManifestSet::new(all), "selects no ready pod");
}

/// `scaleDown`: the controller itself takes the Deployment's pods, whatever its file says.
#[test]
fn a_deployment_that_its_rollout_scales_down_has_no_pods() {
    let scaling = |stage: Stage| {
        let set = at(DEMO, stage);
        saying(
            &set,
            "Rollout/rollouts-demo",
            "/spec/workloadRef/scaleDown",
            json!("progressively"),
        )
    };
    let now = scaling(Stage::Bootstrap);
    refused(
        &now,
        &without(&now, "Rollout/rollouts-demo"),
        "selects no ready pod",
    );
    let never = at(DEMO, Stage::Bootstrap);
    let _ = safe(&never, &without(&never, "Rollout/rollouts-demo"));
}

/// A Rollout with a template of its own, as most are written.
#[test]
fn a_rollout_with_its_own_template_serves() {
    let rollout = |replicas: u64, stable: &str| {
        let value = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": OLD}]}},
                "strategy": {"canary": {"stableService": stable, "steps": [{"setWeight": 50}]}},
            },
        });
        value.to_string()
    };
    let service = |name: &str| {
        let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
        let metadata = json!({"name": name, "namespace": "shop"});
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}).to_string()
    };
    let both = |replicas| set(&[&rollout(replicas, "web"), &service("web")]);
    let _ = safe(&both(3), &both(2));
    refused(&both(3), &both(0), "selects no ready pod");
    refused(&both(3), &set(&[&service("web")]), "selects no ready pod");
}
