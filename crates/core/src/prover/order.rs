//! What is known about the order in which a change is applied.

use serde_json::Value;

use super::World;
use crate::argo_cd::{PRUNE_LAST, SYNC_OPTIONS, SYNC_WAVE};
use crate::manifest::{Manifest, ObjectRef};
pub use crate::model::Order;

impl Order {
    /// Every order.
    pub const ALL: [Self; 2] = [Self::Any, Self::ArgoCd];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ArgoCd => "argocd",
        }
    }

    /// Where each object stands in the order, applied all at once.
    pub(super) fn constraints(self, world: &World<'_>) -> Constraints {
        self.constraints_of(world, |_| Turn::Now)
    }

    /// Where each object stands in the order of one commit of several.
    pub(super) fn constraints_of(self, world: &World<'_>, turn: impl Fn(&ObjectRef) -> Turn) -> Constraints {
        let turns: Vec<Turn> = world.objects().map(turn).collect();
        let ranks = match self {
            Self::Any => Vec::new(),
            Self::ArgoCd => argo_cd(world, &turns),
        };
        Constraints { turns, ranks }
    }
}

/// When an object is applied, seen from one commit of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// By a commit before, which runs everywhere.
    Before,
    /// By this one.
    Now,
    /// By one after.
    After,
}

/// Which conditions the entries of a world may have together.
pub(super) struct Constraints {
    turns: Vec<Turn>,
    /// Where each entry stands; empty where nothing is known.
    ranks: Vec<Rank>,
}

#[derive(Debug)]
struct Rank {
    /// A wave begins when all before it is applied and healthy.
    wave: i64,
    /// Prunes of a wave run before its applies.
    is_applied: bool,
    /// Place among the kinds.
    kind: usize,
    /// Kinds that the order does not name are sorted by name.
    name: String,
    /// Neighbours of one kind are sent together.
    kind_name: String,
}

impl Constraints {
    /// Whether there is a state in which these entries have these conditions; all but the last are known to go
    /// together.
    pub(super) fn allow(&self, world: &World<'_>, chosen: &[(usize, usize)]) -> bool {
        let value = |(entry, choice): &(usize, usize)| world.values(*entry)[*choice];
        let is_its_turn = chosen.last().is_none_or(|last| {
            let is_same = world.values(last.0).len() == 1;
            match self.turns[last.0] {
                Turn::Before => is_same || value(last).is_done,
                Turn::Now => true,
                Turn::After => !value(last).is_applied,
            }
        });
        if !is_its_turn || self.ranks.is_empty() {
            return is_its_turn;
        }
        let now = || chosen.iter().filter(|(entry, _)| self.turns[*entry] == Turn::Now);
        now().filter(|later| value(later).is_applied).all(|later| {
            now().all(|earlier| {
                let (first, second) = (&self.ranks[earlier.0], &self.ranks[later.0]);
                let is_prune = world.manifests(earlier.0).1.is_none();
                // A sync that does not prune leaves the object where it is.
                if is_prune || world.values(earlier.0).len() == 1 {
                    return true;
                }
                match (first.wave < second.wave, first.is_before(second)) {
                    (true, _) => value(earlier).is_done,
                    (false, true) => value(earlier).is_applied,
                    (false, false) => true,
                }
            })
        })
    }
}

impl Rank {
    /// Whether one is sent before the other, in one wave.
    fn is_before(&self, other: &Self) -> bool {
        let place = |rank: &Self| (rank.wave, rank.is_applied, rank.kind);
        let by_name = self.kind_name != other.kind_name && self.name < other.name;
        place(self) < place(other) || (place(self) == place(other) && by_name)
    }
}

/// Source: gitops-engine, `kindOrder`; kinds that are not named come after, by name.
const KINDS: [&str; 26] = [
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
];
/// The rest of the same list.
const MORE_KINDS: [&str; 4] = ["CronJob", "IngressClass", "Ingress", "APIService"];

fn argo_cd(world: &World<'_>, turns: &[Turn]) -> Vec<Rank> {
    let entries: Vec<_> = (0..world.len()).map(|entry| world.manifests(entry)).collect();
    let prune_waves = {
        let now = entries.iter().zip(turns).filter(|(_, turn)| **turn == Turn::Now);
        let pruned = now.filter(|((_, after), _)| after.is_none());
        let mut waves: Vec<i64> = pruned.filter_map(|((before, _), _)| before.map(wave)).collect();
        waves.sort_unstable();
        waves.dedup();
        waves
    };
    let last = entries
        .iter()
        .flat_map(|(before, after)| [*before, *after])
        .flatten()
        .map(wave)
        .max()
        .unwrap_or(0);
    let rank = |(before, after): &(Option<&Manifest>, Option<&Manifest>)| {
        let manifest = after.or(*before).expect("one of both");
        let is_prune = after.is_none();
        let wave = match is_prune {
            true if is_pruned_last(manifest) => last + 1,
            true => mirrored(&prune_waves, wave(manifest)),
            false => wave(manifest),
        };
        let (kind, name) = place(&manifest.object);
        Rank {
            wave,
            is_applied: !is_prune,
            kind,
            name,
            kind_name: manifest.object.kind.clone(),
        }
    };
    entries.iter().map(rank).collect()
}

fn place(object: &ObjectRef) -> (usize, String) {
    let known = KINDS
        .iter()
        .chain(&MORE_KINDS)
        .position(|kind| *kind == object.kind);
    match known {
        Some(place) => (place, String::new()),
        None => (KINDS.len() + MORE_KINDS.len(), object.name.clone()),
    }
}

/// The wave an object is applied in. Source: Argo CD, "Sync Phases and Waves"; what is no integer counts as 0.
pub(super) fn wave(manifest: &Manifest) -> i64 {
    annotation(manifest, SYNC_WAVE)
        .and_then(|wave| wave.parse().ok())
        .unwrap_or(0)
}

/// Prunes run the waves backwards: the highest is pruned first.
fn mirrored(waves: &[i64], wave: i64) -> i64 {
    let place = waves.iter().position(|known| *known == wave);
    let mirrored = place.and_then(|place| waves.iter().rev().nth(place));
    mirrored.copied().unwrap_or(wave)
}

/// Read from the live object, so from the state before.
fn is_pruned_last(before: &Manifest) -> bool {
    let options = annotation(before, SYNC_OPTIONS).unwrap_or_default();
    options.split(',').any(|option| option.trim() == PRUNE_LAST)
}

fn annotation<'a>(manifest: &'a Manifest, name: &str) -> Option<&'a str> {
    manifest
        .value
        .pointer("/metadata/annotations")?
        .get(name)
        .and_then(Value::as_str)
}
