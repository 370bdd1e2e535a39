//! `order: argocd`: objects of a release say themselves when one sync of Argo CD applies and deletes them.
//!
//! Each transition is safe in any order with it as without it, or it would not have been made. What it adds: where an
//! environment lags and one sync jumps over a commit, the order of that sync is a safe one.

use std::collections::BTreeSet;

use tidegate_core::checkout::Checkout;
use tidegate_core::diagnostic::Failure;
use tidegate_core::manifest::Manifest;
use tidegate_core::model::Release;
use tidegate_core::prover::{Order, Question, prove};
use tidegate_core::provider::ProviderId;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::transition::{NextRequest, Transition, abort, next};

use crate::fixtures::FIXTURES;
use crate::lives::{Point, life, point};
use crate::phases::{phases, phases_of};
use crate::{each_pair, fixtures, told, verdict};

/// The life of a release that asks for the order, with the files at each point.
fn ordered_life(fixture: &str, at: &str, workload: &str) -> Vec<(Point, MemoryRepo)> {
    let at = RepoPath::new(at).expect("a path");
    let release = at.join("gap/tidegate.yaml");
    let ask = |repo: &mut MemoryRepo| {
        let text = repo.files()[&release].clone();
        let asked = text.replacen("provider: istio\n", "provider: istio\n    order: argocd\n", 1);
        assert_ne!(asked, text);
        repo.set(release.clone(), Some(asked));
    };
    let phases = phases_of(&fixtures(), (fixture, at.as_str(), workload), None, ask).into_iter();
    phases
        .map(|(name, repo)| (point(&repo, &at, name), repo))
        .collect()
}

fn ordered(fixture: &str, at: &str, workload: &str) -> Vec<Point> {
    let life = ordered_life(fixture, at, workload).into_iter();
    life.map(|(point, _)| point).collect()
}

/// Each two transitions that are not one commit, and that one sync of Argo CD makes safely at once.
fn jumps(points: &[Point]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut refused = BTreeSet::new();
    each_pair(points, 2, |name, before, after| {
        let (_, jump) = name.split_once(": ").expect("an environment");
        let question = Question { order: Order::ArgoCd };
        let is_safe = prove(ProviderId::Istio, before, after, question).is_safe();
        if !verdict(before, after).is_safe() {
            match is_safe {
                true => found.insert(jump.to_owned()),
                false => refused.insert(jump.to_owned()),
            };
        }
    });
    &found - &refused
}

#[test]
fn one_sync_may_jump_over_commits_that_say_when_they_are_applied() {
    for (fixture, at, workload) in FIXTURES {
        let plain = jumps(&life(&fixtures(), fixture, at, workload));
        assert_eq!(
            Vec::from_iter(&plain),
            ["hold to unroute", "wire to park"],
            "{fixture}"
        );
        let ordered = jumps(&ordered(fixture, at, workload));
        let expected: &[&str] = match *fixture {
            // There a patch of the user's says the routes.
            "istio/orders" => &["retire to unwire"],
            _ => &["idle to wire", "retire to unwire", "split to widen"],
        };
        assert_eq!(
            Vec::from_iter(&ordered - &plain),
            expected,
            "{fixture} {at} {workload}"
        );
        assert!(ordered.is_superset(&plain), "{fixture}: {ordered:?}");
    }
}

#[test]
fn every_transition_is_safe_in_any_order_with_waves_too() {
    for (fixture, at, workload) in FIXTURES {
        let points = ordered(fixture, at, workload);
        each_pair(&points, 1, |name, before, after| {
            for (way, before, after) in [("", before, after), (" taken back", after, before)] {
                let proof = verdict(before, after);
                assert!(proof.is_safe(), "{fixture} {name}{way}:\n{}", told(&proof));
            }
        });
    }
}

/// An option about deletion is read from the live object, so it has to be there a commit before.
#[test]
fn what_serves_is_pruned_last_and_says_so_a_commit_before() {
    let says_last = |manifest: &Manifest| {
        manifest.text("/metadata/annotations/argocd.argoproj.io~1sync-options") == Some("PruneLast=true")
    };
    for (fixture, at, workload) in FIXTURES {
        let points = ordered(fixture, at, workload);
        let mut pruned = BTreeSet::new();
        each_pair(&points, 1, |name, before, after| {
            for manifest in before.iter() {
                let object = &manifest.object;
                let serves = ["Deployment", "DestinationRule"].contains(&object.kind.as_str());
                let is_pruned = !after.iter().any(|other| other.object == *object);
                if serves && is_pruned {
                    assert!(says_last(manifest), "{fixture} {name}: {object}");
                    pruned.insert(object.kind.clone());
                }
            }
        });
        let kinds: Vec<&str> = pruned.iter().map(String::as_str).collect();
        assert_eq!(kinds, ["Deployment", "DestinationRule"], "{fixture}");
    }
}

#[test]
fn nothing_of_the_order_is_left_at_the_end() {
    for (fixture, at, workload) in FIXTURES {
        let mut points = ordered_life(fixture, at, workload);
        let (_, last) = points.pop().expect("a point");
        for (path, text) in last.files() {
            assert!(!text.contains("argocd.argoproj.io"), "{fixture}: {path}");
        }
    }
}

/// The way back from every phase leaves what was there before `init`.
#[test]
fn nothing_of_the_order_is_left_on_the_way_back() {
    let (fixture, at, workload) = FIXTURES[0];
    let points = ordered_life(fixture, at, workload);
    let idle = points[0].1.files();
    for (point, repo) in &points[1..] {
        // From there on nothing is left to go back to.
        if point.name == "retire" {
            break;
        }
        let mut repo = repo.clone();
        let back = |repo: &MemoryRepo| -> Option<Transition> {
            of_release(repo, at, abort)?.unwrap_or_else(|failure| panic!("{}: {failure:?}", point.name))
        };
        while let Some(transition) = back(&repo) {
            for change in transition.change.iter() {
                repo.set(change.path.clone(), change.after.clone());
            }
        }
        assert_eq!(repo.files(), idle, "from {}", point.name);
    }
}

#[test]
fn who_does_not_know_the_order_refuses_it() {
    let release = ("gateway-api/reviews", "deploy/reviews", "reviews");
    let file = RepoPath::new(".tidegate/releases/deploy/reviews.yaml").expect("a path");
    let (_, mut repo) = phases(&fixtures(), release, Some("1.21.0")).remove(1);
    let text = repo.files()[&file].clone();
    let asked = text.replacen("    steps:", "    order: argocd\n    steps:", 1);
    assert_ne!(asked, text);
    repo.set(file, Some(asked));
    let made = of_release(&repo, release.1, |checkout, release| {
        next(checkout, release, &NextRequest::default())
    });
    let Some(Err(Failure::Refused(problems))) = made else {
        panic!("{made:?}")
    };
    assert_eq!(
        problems[0].message,
        "`order: argocd` is known for the provider istio in the layout gap"
    );
}

/// What is made of the first release of a repository; `None` where there is none any more.
fn of_release<R>(repo: &MemoryRepo, at: &str, make: impl Fn(&Checkout<'_>, &Release) -> R) -> Option<R> {
    let config = Config::load(repo, &RepoPath::root()).expect("a configuration");
    let at = RepoPath::new(at).expect("a path");
    let checkout = Checkout::load(repo, &at, &config).unwrap_or_else(|failure| panic!("{failure:?}"));
    let release = checkout.application.releases.first()?;
    Some(make(&checkout, release))
}
