//! The fewest commits that are each safe.

use super::waves::{Wave, waves};
use super::{Proof, Question, prove};
use crate::manifest::{Manifest, ManifestSet, ObjectRef};
use crate::provider::ProviderId;

/// A change taken apart: each commit is safe once the one before runs everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// The objects that each commit changes.
    pub commits: Vec<Vec<ObjectRef>>,
    /// The waves with which one sync of Argo CD does the same safely; `None` where it needs none, or where none help.
    pub waves: Option<Vec<Wave>>,
}

/// More objects than this are not tried in every partition.
const MOST_OBJECTS: usize = 8;

/// The fewest ordered commits that are each safe, where a change is not; `proof` is the verdict on the change.
///
/// `None` where the change is safe, where it ends in a state that fails, or where no order of at most four commits
/// helps.
pub fn repair(
    provider: ProviderId,
    before: &ManifestSet,
    after: &ManifestSet,
    question: Question,
    proof: &Proof,
) -> Option<Repair> {
    if proof.counter_examples.is_empty() || proof.counter_examples.iter().any(|example| example.is_end) {
        return None;
    }
    let fighting = fighting(proof);
    if fighting.len() > MOST_OBJECTS {
        return None;
    }
    let mut search = Search {
        provider,
        before,
        after,
        question,
        proof,
        fighting: &fighting,
        known: Vec::new(),
    };
    let all = (1_u32 << fighting.len()) - 1;
    let path = search.shortest(all)?;
    // What takes no part in the failure goes with the commit that needs it least: the first that stays safe with it.
    let others: Vec<ObjectRef> = proof
        .changes
        .iter()
        .map(|change| change.object.clone())
        .filter(|object| !fighting.contains(object))
        .collect();
    let mut commits: Vec<Vec<ObjectRef>> = path
        .windows(2)
        .map(|step| search.objects(step[1] & !step[0]))
        .collect();
    // The others stay in the wave they are in.
    let waves = waves(provider, before, after, &commits);
    if let Some(first) = commits.first_mut() {
        first.extend(others);
    }
    Some(Repair { commits, waves })
}

/// The objects whose order decides: those named by a counter-example.
fn fighting(proof: &Proof) -> Vec<ObjectRef> {
    let mut objects: Vec<ObjectRef> = Vec::new();
    for example in &proof.counter_examples {
        let applied = example.applied.iter().map(|applied| &applied.object);
        for object in applied.chain(&example.not_applied) {
            if !objects.contains(object) {
                objects.push(object.clone());
            }
        }
    }
    objects
}

struct Search<'a> {
    provider: ProviderId,
    before: &'a ManifestSet,
    after: &'a ManifestSet,
    question: Question,
    proof: &'a Proof,
    fighting: &'a [ObjectRef],
    /// Steps tried before: from, to, whether it is safe.
    known: Vec<(u32, u32, bool)>,
}

impl Search<'_> {
    /// The shortest way from nothing applied to `all`, as the sets applied after each commit.
    fn shortest(&mut self, all: u32) -> Option<Vec<u32>> {
        let mut paths = vec![vec![0]];
        let mut reached = vec![0];
        for _ in 0..4 {
            let mut longer = Vec::new();
            for path in &paths {
                let from = *path.last()?;
                // Larger steps first: fewer commits, and the first path found takes the most in each.
                for to in (1..=all).rev().filter(|to| to & from == from && *to != from) {
                    if reached.contains(&to) || !self.is_safe(from, to) {
                        continue;
                    }
                    let mut path = path.clone();
                    path.push(to);
                    if to == all {
                        return Some(path);
                    }
                    reached.push(to);
                    longer.push(path);
                }
            }
            paths = longer;
        }
        None
    }

    fn is_safe(&mut self, from: u32, to: u32) -> bool {
        if let Some((.., is_safe)) = self
            .known
            .iter()
            .find(|(one, other, _)| (*one, *other) == (from, to))
        {
            return *is_safe;
        }
        let is_safe = prove(self.provider, &self.with(from), &self.with(to), self.question).is_safe();
        self.known.push((from, to, is_safe));
        is_safe
    }

    /// The manifests with some of the fighting objects applied, and all others once the first is.
    fn with(&self, applied: u32) -> ManifestSet {
        let is_applied =
            |object: &ObjectRef| match self.fighting.iter().position(|fighting| fighting == object) {
                Some(place) => applied & (1 << place) != 0,
                None => applied != 0,
            };
        let is_changed =
            |object: &ObjectRef| self.proof.changes.iter().any(|change| change.object == *object);
        let kept = self
            .before
            .iter()
            .filter(|old| !is_changed(&old.object) || !is_applied(&old.object));
        let new = self
            .after
            .iter()
            .filter(|new| is_changed(&new.object) && is_applied(&new.object));
        ManifestSet::new(kept.chain(new).cloned().collect::<Vec<Manifest>>())
    }

    fn objects(&self, set: u32) -> Vec<ObjectRef> {
        let objects = self.fighting.iter().enumerate();
        objects
            .filter(|(place, _)| set & (1 << place) != 0)
            .map(|(_, object)| object.clone())
            .collect()
    }
}
