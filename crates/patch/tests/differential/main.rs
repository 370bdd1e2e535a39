//! The same pairs of object and patch through this crate and through the real kustomize.
//!
//! The pairs are the same on every run. `TIDEGATE_SEED` makes others, `TIDEGATE_PAIRS` more or fewer.

#![expect(
    clippy::disallowed_methods,
    reason = "tests run programs and read their environment"
)]
#![expect(clippy::print_stderr, reason = "a test tells its seed")]

mod deviations;
mod engine;
mod json_patches;
mod objects;
mod patches;
mod random;
mod targets;

use serde_json::Value;
use tidegate_patch::{ApplyReason, Patch, PatchBody, Reason, apply_all};

use deviations::Deviation;
use engine::Kustomize;
use random::Random;

/// Pairs that one run of kustomize gets: its time grows faster than their number.
const BATCH: usize = 50;

#[test]
fn generated_pairs_merge_as_in_kustomize() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let pair_count = setting("TIDEGATE_PAIRS").unwrap_or(2_000);
    let (seed, mut random) = seeded();
    let pairs: Vec<(Value, Value)> = (0..pair_count).map(|number| pair(&mut random, number)).collect();
    let (accepted, refused): (Vec<_>, Vec<_>) = pairs
        .iter()
        .partition(|(object, patch)| ours(object, patch).is_ok());
    let mut failures = Vec::new();
    let mut counts = Counts::default();
    for batch in accepted.chunks(BATCH) {
        check_batch(&kustomize, batch, &mut counts, &mut failures);
    }
    for pair in refused {
        check_batch(&kustomize, &[pair], &mut counts, &mut failures);
    }
    eprintln!("{counts:?}");
    assert!(
        failures.is_empty(),
        "seed {seed}\n{}\n{} failures",
        failures.join("\n\n"),
        failures.len()
    );
    assert!(
        counts.same > pair_count as usize / 2,
        "too few pairs say anything: {counts:?}"
    );
}

#[derive(Debug, Default)]
struct Counts {
    same: usize,
    both_refuse: usize,
    deviations: std::collections::BTreeMap<&'static str, usize>,
}

fn check_batch(
    kustomize: &Kustomize,
    batch: &[&(Value, Value)],
    counts: &mut Counts,
    failures: &mut Vec<String>,
) {
    let objects = batch.iter().map(|(object, _)| object);
    let outcome = kustomize.build_pairs(objects, batch.iter().map(|(_, patch)| (patch, None)));
    let outcome = match outcome {
        // One refused pair spoils a batch: each by itself, then.
        Err(_) if batch.len() > 1 => {
            let (first, second) = batch.split_at(batch.len() / 2);
            check_batch(kustomize, first, counts, failures);
            check_batch(kustomize, second, counts, failures);
            return;
        }
        outcome => outcome,
    };
    for (object, patch) in batch {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let theirs = outcome.as_ref().map(|objects| objects.get(&key));
        let ours = ours(object, patch);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) if ours.as_ref() == *theirs => counts.same += 1,
            (Err(_), Err(_)) => counts.both_refuse += 1,
            _ => {
                let theirs = theirs.map(Option::<&Value>::cloned).map_err(String::clone);
                match Deviation::of(object, patch, &ours, &theirs) {
                    Some(deviation) => *counts.deviations.entry(deviation.name()).or_default() += 1,
                    None => failures.push(report(object, patch, &ours, &theirs)),
                }
            }
        }
    }
}

fn ours(object: &Value, patch: &Value) -> Result<Option<Value>, Reason> {
    let patched = apply_all(
        vec![object.clone()],
        &[Patch::new(PatchBody::Strategic(patch.clone()))],
    );
    match patched {
        Ok(objects) => Ok(objects.into_iter().next()),
        Err(error) => match error.reason {
            ApplyReason::Patch(error) => Err(error.reason),
            other => panic!("{other} for {patch}"),
        },
    }
}

pub(crate) fn report(
    object: &Value,
    patch: &Value,
    ours: &Result<Option<Value>, Reason>,
    theirs: &Result<Option<Value>, String>,
) -> String {
    let show = |value: &Option<Value>| value.as_ref().map_or(String::from("deleted"), Value::to_string);
    let ours = ours
        .as_ref()
        .map(show)
        .unwrap_or_else(|error| format!("refused: {error}"));
    let theirs = theirs
        .as_ref()
        .map(show)
        .unwrap_or_else(|error| format!("refused: {error}"));
    format!("object {object}\npatch  {patch}\nours   {ours}\ntheirs {theirs}")
}

fn pair(random: &mut Random, number: u64) -> (Value, Value) {
    let object = objects::object(random, &format!("case-{number}"));
    let patch = patches::patch(random, &object);
    (object, patch)
}

/// The seed of this run, and the choices that it leads to.
pub(crate) fn seeded() -> (u64, Random) {
    let seed = setting("TIDEGATE_SEED").unwrap_or(1);
    eprintln!("seed {seed}");
    (seed, Random::new(seed))
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}
