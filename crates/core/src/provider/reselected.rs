//! Objects beyond the model that select other pods than before, although nobody changed them: the pods' labels did.
//!
//! A request authentication that pods slip out of admits whom it refused, a network policy that they slip into cuts
//! callers off, and no line of either is in the diff.

use serde_json::Value;

use crate::manifest::Manifest;
use crate::prover::{PodGroup, Unjudged, Versions, World};
use crate::selector::{selectors, selects};

/// One for each unknown object and workload whose labels it tells apart.
pub(super) fn find(
    world: &World<'_>,
    workloads: &[Versions<Option<PodGroup>>],
    is_unknown: &dyn Fn(&Manifest) -> bool,
) -> Vec<Unjudged> {
    let relabelled: Vec<[&PodGroup; 2]> = workloads
        .iter()
        .filter_map(|versions| match versions.ends() {
            [Some(Some(before)), Some(Some(after))] => Some([before, after]),
            _ => None,
        })
        .filter(|[before, after]| before.labels != after.labels)
        .collect();
    if relabelled.is_empty() {
        return Vec::new();
    }
    let unknown = world.unchanged().filter(|manifest| is_unknown(manifest));
    let found = unknown.flat_map(|manifest| {
        let near = relabelled.iter().filter(|[before, _]| {
            manifest
                .object
                .namespace
                .as_ref()
                .is_none_or(|namespace| *namespace == before.namespace)
        });
        let told_apart = near.filter(|[before, after]| tells_apart(&manifest.value, before, after));
        told_apart.map(|[before, _]| Unjudged {
            object: manifest.object.clone(),
            reason: format!(
                "did not change and selects by labels that the pods of `{}` get or lose",
                before.workload
            ),
        })
    });
    found.collect()
}

/// Whether a selector fits before and not after, or the other way round.
fn tells_apart(value: &Value, before: &PodGroup, after: &PodGroup) -> bool {
    selectors(value).any(|selector| selects(selector, &before.labels) != selects(selector, &after.labels))
}
