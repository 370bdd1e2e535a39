//! Several commits as one sync of Argo CD: the wave that each object needs.

use serde_json::{Map, Value, json};

use super::order::wave;
use super::{Order, Question, prove};
use crate::argo_cd::SYNC_WAVE;
use crate::manifest::{Manifest, ManifestSet, ObjectRef};
use crate::provider::System;

/// An object, and the wave of one sync of Argo CD that it is to be applied in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// The object.
    pub object: ObjectRef,
    /// What its annotation `argocd.argoproj.io/sync-wave` is to say.
    pub wave: i64,
}

/// The waves with which one sync of Argo CD does safely what these commits do; `None` where it needs none, or where
/// none help.
///
/// Each commit becomes a wave. Argo CD prunes by the annotation of the live object, which this change cannot set, so a
/// commit that deletes keeps its wave, and those around it get lower and higher ones: every commit is tried as the
/// one that stays at 0.
pub(super) fn waves(
    system: System,
    before: &ManifestSet,
    after: &ManifestSet,
    commits: &[Vec<ObjectRef>],
) -> Option<Vec<Wave>> {
    let is_safe = |after: &ManifestSet| {
        let order = Order::ArgoCd;
        prove(system, before, after, Question { order }).is_safe()
    };
    if is_safe(after) {
        return None;
    }
    (0..commits.len()).find_map(|zero| {
        let wanted = |object: &ObjectRef| {
            let commit = commits.iter().position(|objects| objects.contains(object))?;
            Some(i64::try_from(commit).ok()? - i64::try_from(zero).ok()?)
        };
        let mut waves = Vec::new();
        let moved = after.iter().map(|manifest| {
            match wanted(&manifest.object).filter(|wanted| *wanted != wave(manifest)) {
                None => manifest.clone(),
                Some(wave) => {
                    let object = manifest.object.clone();
                    waves.push(Wave { object, wave });
                    annotated(manifest, wave)
                }
            }
        });
        let moved = ManifestSet::new(moved.collect());
        is_safe(&moved).then_some(waves)
    })
}

fn annotated(manifest: &Manifest, wave: i64) -> Manifest {
    let mut manifest = manifest.clone();
    let metadata = manifest.value.get_mut("metadata").and_then(Value::as_object_mut);
    let annotations = metadata.map(|metadata| metadata.entry("annotations").or_insert(Value::Null));
    if let Some(annotations) = annotations {
        if !annotations.is_object() {
            *annotations = Value::Object(Map::new());
        }
        annotations[SYNC_WAVE] = json!(wave.to_string());
    }
    manifest
}
