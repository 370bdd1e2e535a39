//! The prover over whole lives: every transition and its inverse is safe, and neighbours may be merged exactly where
//! the design says so.
#![expect(clippy::disallowed_methods, reason = "fixtures are files")]

#[path = "prover/istio.rs"]
mod istio;
#[path = "prover/lives.rs"]
mod lives;
#[path = "prover/order.rs"]
mod order;
#[path = "prover/repair.rs"]
mod repair;
#[path = "prover/search.rs"]
mod search;
#[path = "prover/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use lives::{FIXTURES, Point, life};
use tidegate_core::manifest::ManifestSet;
use tidegate_core::prover::{Proof, Question, prove};
use tidegate_core::provider::ProviderId;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn verdict(before: &ManifestSet, after: &ManifestSet) -> Proof {
    prove(ProviderId::Istio, before, after, Question::default())
}

fn told(proof: &Proof) -> String {
    let example = |example: &tidegate_core::prover::CounterExample| {
        let applied: Vec<String> = example
            .applied
            .iter()
            .map(|applied| format!("{} {:?}", applied.object, applied.pods))
            .collect();
        let rest: Vec<String> = example.not_applied.iter().map(ToString::to_string).collect();
        format!(
            "{:?}: {}\n  applied {applied:?}\n  not {rest:?}\n  {}\n",
            example.invariant, example.what, example.requests[0]
        )
    };
    proof.counter_examples.iter().map(example).collect()
}

/// Each pair of points some commits apart, per environment.
fn each_pair(points: &[Point], distance: usize, mut check: impl FnMut(&str, &ManifestSet, &ManifestSet)) {
    for pair in points.windows(distance + 1) {
        let (one, other) = (&pair[0], &pair[distance]);
        for (environment, before) in &one.environments {
            let name = format!("{environment}: {} to {}", one.name, other.name);
            check(&name, before, &other.environments[environment]);
        }
    }
}

#[test]
fn every_transition_of_every_fixture_and_its_inverse_is_safe() {
    let mut states = 0;
    for (fixture, at, workload) in FIXTURES {
        let points = life(&fixtures(), fixture, at, workload);
        assert!(points.len() >= 12, "{fixture}: {}", points.len());
        each_pair(&points, 1, |name, before, after| {
            for (way, before, after) in [("", before, after), (" taken back", after, before)] {
                let proof = verdict(before, after);
                assert!(proof.is_safe(), "{fixture} {name}{way}:\n{}", told(&proof));
                assert!(
                    proof.broken_before.is_empty(),
                    "{fixture} {name}{way}: {:?}",
                    proof.broken_before
                );
                states += proof.states;
            }
        });
    }
    assert!(states > 1000, "{states}");
}

/// Which neighbours may be one commit; the table of the design.
const MERGES: &[(&str, &str, bool)] = &[
    ("idle", "wire", false),
    ("split", "widen", false),
    ("wire", "park", false),
    ("widen", "ramp", true),
    ("park", "ramp", true),
    ("ramp", "hold", true),
    ("ramp", "retire", false),
    ("hold", "unroute", false),
    ("retire", "unwire", false),
    ("unroute", "idle", true),
];

#[test]
fn neighbours_may_be_merged_exactly_where_no_state_between_fails() {
    for (fixture, at, workload) in FIXTURES {
        each_pair(
            &life(&fixtures(), fixture, at, workload),
            2,
            |name, before, after| {
                let (_, pair) = name.split_once(": ").expect("an environment");
                let (from, to) = pair.split_once(" to ").expect("two points");
                let Some((.., is_safe)) = MERGES.iter().find(|(one, other, _)| (*one, *other) == (from, to))
                else {
                    return;
                };
                let proof = verdict(before, after);
                assert_eq!(proof.is_safe(), *is_safe, "{fixture} {name}:\n{}", told(&proof));
            },
        );
    }
}
