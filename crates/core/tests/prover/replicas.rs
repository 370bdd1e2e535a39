//! Numbers of pods as shares: the life of the fixture, and the orders that it forbids.
use std::path::Path;

use tidegate_core::checkout::Checkout;
use tidegate_core::manifest::ManifestSet;
use tidegate_core::model::{Routes, Weight};
use tidegate_core::prover::{Proof, Question, prove};
use tidegate_core::provider::ProviderId;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::standing::Standing;
use tidegate_core::start::{StartRequest, start};
use tidegate_core::transition::{NextRequest, Transition, next, rollback, shift};

use crate::fixtures::directory;
use crate::world::{service, set, told, workload};

fn prove_any(before: &ManifestSet, after: &ManifestSet) -> Proof {
    prove(ProviderId::Replicas, before, after, Question::default())
}

/// The fixture while a release runs.
struct Released {
    repo: MemoryRepo,
    at: RepoPath,
}

impl Released {
    /// The fixture with a release file that has these steps.
    fn new(steps: &[u64]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/replicas/notification/repo");
        let mut released = Self {
            repo: directory(&folder),
            at: RepoPath::new("notification").expect("a path"),
        };
        let request = StartRequest {
            canary_tag: Some("next".to_owned()),
            steps: Some(steps.to_vec()),
            ..StartRequest::default()
        };
        let started =
            released.with(|checkout| start(checkout, &request).unwrap_or_else(|why| panic!("{why:?}")));
        released.write(&started.transition.expect("a release file"));
        released
    }

    fn with<T>(&self, look: impl FnOnce(&Checkout<'_>) -> T) -> T {
        let config = Config::load(&self.repo, &RepoPath::root()).expect("a configuration");
        look(&Checkout::load(&self.repo, &self.at, &config).unwrap_or_else(|why| panic!("{why:?}")))
    }

    fn write(&mut self, transition: &Transition) {
        for change in transition.change.iter() {
            self.repo.set(change.path.clone(), change.after.clone());
        }
    }

    /// Each environment as it is deployed.
    fn rendered(&self) -> Vec<ManifestSet> {
        self.with(|checkout| {
            let environments = checkout.application.environments.values();
            environments
                .map(|environment| environment.rendered.clone())
                .collect()
        })
    }

    /// The pods of both versions in production.
    fn pods(&self) -> (u64, u64) {
        self.with(|checkout| {
            let count = |workload| {
                let deployment = checkout
                    .application
                    .deployed("production", workload, "apps", "Deployment");
                deployment.map_or(0, |found| {
                    found.value["spec"]["replicas"].as_u64().expect("a number")
                })
            };
            (count("notification"), count("notification-v2"))
        })
    }

    fn production(&self) -> Routes {
        self.with(|checkout| {
            let release = &checkout.application.releases[0];
            Standing::of(&checkout.application, release).routes()["production"]
        })
    }

    /// Writes the next transition; `None` at the end.
    fn next(&mut self) -> Option<Transition> {
        let transition = self.with(|checkout| {
            let release = checkout.application.releases.first()?;
            next(checkout, release, &NextRequest::default()).unwrap_or_else(|why| panic!("{why:?}"))
        })?;
        self.write(&transition);
        Some(transition)
    }
}

/// Source: the seed's table, and the commit between each two rows of it.
#[test]
fn the_growing_version_comes_first_and_every_way_is_safe() {
    let mut released = Released::new(&[25, 50, 75, 100]);
    let mut pods = vec![released.pods()];
    loop {
        let before = released.rendered();
        let Some(transition) = released.next() else { break };
        pods.push(released.pods());
        for (before, after) in before.iter().zip(&released.rendered()) {
            for (before, after) in [(before, after), (after, before)] {
                let proof = prove_any(before, after);
                assert!(proof.is_safe(), "{:?}: {}", transition.purpose, told(&proof));
                assert!(proof.unjudged.is_empty() && proof.requests > 0);
            }
        }
    }
    let expected = [
        (4, 0),
        (4, 0),
        (4, 1),
        (3, 1),
        (3, 2),
        (2, 2),
        (2, 3),
        (1, 3),
        (1, 4),
        (0, 4),
        (0, 4),
        (4, 4),
        (4, 0),
        (4, 0),
    ];
    assert_eq!(pods, expected);
}

/// Two commits of the life made one are refused, in every state where pods go before others came.
#[test]
fn both_versions_at_once_are_refused() {
    let mut released = Released::new(&[25, 50, 75, 100]);
    let mut seen = vec![released.rendered()];
    while released.next().is_some() {
        seen.push(released.rendered());
    }
    let production = |at: usize| &seen[at][1];
    let staging = |at: usize| &seen[at][0];
    // 4/0 to 3/1, 3/1 to 2/2.
    for (from, to) in [(1, 3), (3, 5)] {
        let proof = prove_any(production(from), production(to));
        assert!(
            told(&proof).contains("pods serve all requests"),
            "{from} {to}: {}",
            told(&proof)
        );
    }
    // From one version to the other: nobody serves meanwhile.
    for (before, after) in [(staging(1), staging(3)), (production(10), production(12))] {
        let told = told(&prove_any(before, after));
        assert!(told.contains("selects no ready pod"), "{told}");
    }
}

fn pods(name: &str, labels: &str, replicas: u64) -> String {
    workload("Deployment", name, labels, &format!("replicas: {replicas}, "))
}

#[test]
fn orders_that_numbers_of_pods_forbid() {
    let old = |count| pods("web", "app: web", count);
    let new = |count| pods("web-v2", "app: web, version: v2", count);
    let wide = || service("app: web");
    let rows: [(&str, Vec<String>, Vec<String>, &str); 5] = [
        (
            "a copy that is not selected yet, and the Service that will select it: it takes its share at once",
            vec![
                service("app: web, version: v1"),
                pods("web", "app: web, version: v1", 2),
                new(2),
            ],
            vec![wide(), pods("web", "app: web, version: v1", 2), new(2)],
            "",
        ),
        (
            "a copy that goes with all pods",
            vec![wide(), old(0), new(2)],
            vec![wide(), old(2)],
            "selects no ready pod",
        ),
        (
            "a copy that goes while it serves",
            vec![wide(), old(3), new(1)],
            vec![wide(), old(4)],
            "pods serve all requests",
        ),
        (
            "a copy without a pod goes in any order",
            vec![wide(), old(4), new(0)],
            vec![wide(), old(4)],
            "",
        ),
        (
            "a Service that lets go of the version that serves",
            vec![wide(), old(0), new(4)],
            vec![
                service("app: web, version: v1"),
                pods("web", "app: web, version: v1", 4),
                new(0),
            ],
            "selects no ready pod",
        ),
    ];
    for (name, before, after, says) in rows {
        let objects = |objects: &[String]| set(&objects.iter().map(String::as_str).collect::<Vec<_>>());
        let proof = prove_any(&objects(&before), &objects(&after));
        match says {
            "" => assert!(proof.is_safe(), "{name}: {}", told(&proof)),
            says => assert!(told(&proof).contains(says), "{name}: {}", told(&proof)),
        }
    }
}

fn percent(percent: u64) -> Weight {
    Weight::new(percent).expect("a percentage")
}

/// Shares that cannot be had are rounded and told; at least one pod for a canary that is wanted, and one for the stable
/// version until the end.
#[test]
fn shares_are_rounded_to_pods_and_told() {
    for (wanted, given) in [(1, 25), (30, 25), (45, 50), (90, 75), (99, 75)] {
        let mut released = Released::new(&[100]);
        released.next().expect("park");
        for expected in [
            Routes::Between(Weight::ZERO, percent(given)),
            Routes::Both(percent(given)),
        ] {
            let transition = released
                .with(|checkout| {
                    shift(
                        checkout,
                        &checkout.application.releases[0],
                        "production",
                        percent(wanted),
                    )
                })
                .unwrap_or_else(|why| panic!("{why:?}"))
                .expect("a transition");
            let told = transition.notices.iter().map(|notice| notice.message.as_str());
            let message =
                format!("production can give the canary {given} percent of the requests, not {wanted}");
            assert_eq!(told.collect::<Vec<_>>(), [message.as_str()]);
            released.write(&transition);
            assert_eq!(released.production(), expected);
        }
    }
}

/// Steps that come to the same number of pods are one step.
#[test]
fn steps_that_are_alike_are_one() {
    let mut released = Released::new(&[1, 5, 24, 50, 100]);
    let mut told = Vec::new();
    while let Some(transition) = released.next() {
        told.extend(transition.notices.into_iter().map(|notice| notice.message));
    }
    told.retain(|message| message.starts_with("production"));
    assert_eq!(
        told,
        ["production can give the canary 25 percent of the requests, not 24"]
    );
}

/// A way back that is taken half-way: what grew goes, or grows again first.
#[test]
fn rolling_back_is_safe_from_between() {
    let mut released = Released::new(&[50, 100]);
    for _ in 0..2 {
        released.next().expect("a transition");
    }
    assert_eq!(released.pods(), (4, 2));
    let back = |released: &mut Released| {
        let transition =
            released.with(|checkout| rollback(checkout, &checkout.application.releases[0], None));
        let transition = transition.unwrap_or_else(|why| panic!("{why:?}"));
        transition.map(|transition| released.write(&transition))
    };
    back(&mut released).expect("one commit");
    assert_eq!(released.pods(), (4, 0));
    assert!(back(&mut released).is_none());
    for _ in 0..2 {
        released.next().expect("a transition");
    }
    assert_eq!(released.pods(), (2, 2));
    back(&mut released).expect("the stable version first");
    assert_eq!(released.pods(), (4, 2));
    back(&mut released).expect("then without the canary");
    assert_eq!(released.pods(), (4, 0));
}
