//! The fewest commits that are each safe.

use super::invariants::Ends;
use super::order::Turn;
use super::waves::{Wave, waves};
use super::{Order, Proof, Question, Request, Traffic, World};
use crate::manifest::{ManifestSet, ObjectRef};
use crate::provider::System;

/// A change taken apart: each commit is safe once the one before runs everywhere, and no state on the way is one that
/// the change as a whole would be refused for.
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
    system: impl Into<System>,
    before: &ManifestSet,
    after: &ManifestSet,
    question: Question,
    proof: &Proof,
) -> Option<Repair> {
    if proof.counter_examples.is_empty() {
        return None;
    }
    let fighting = fighting(proof);
    if fighting.len() > MOST_OBJECTS {
        return None;
    }
    let world = World::new(before, after);
    let system = system.into();
    let traffic = system.traffic(&world);
    let mut search = Search {
        kept: kept(&world, traffic.as_ref(), question.order),
        world: &world,
        traffic: traffic.as_ref(),
        order: question.order,
        fighting: &fighting,
        known: Vec::new(),
    };
    let all = (1_u32 << fighting.len()) - 1;
    // Every way ends in the same state: where that fails, none has to be tried.
    if !search.is_safe(all, all) {
        return None;
    }
    let path = search.shortest(all)?;
    // What takes no part in the failure goes with the first commit.
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
    let waves = waves(system, before, after, &commits);
    if let Some(first) = commits.first_mut() {
        first.extend(others);
    }
    Some(Repair { commits, waves })
}

/// The objects whose order may decide: those named by a counter-example and, unless they are too many, all others that
/// failing requests depend on.
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
    let others = proof.involved.iter().filter(|object| !objects.contains(object));
    let others: Vec<ObjectRef> = others.cloned().collect();
    if objects.len() + others.len() <= MOST_OBJECTS {
        objects.extend(others);
    }
    objects
}

/// The kinds of requests of which nothing may be lost, and what they must keep to from the first commit to the last.
///
/// A commit that is safe between its own ends is not enough: it may end where the whole change never should be, with
/// requests withdrawn or a version exposed.
fn kept(world: &World<'_>, traffic: &dyn Traffic, order: Order) -> Vec<(Request, Ends)> {
    let constraints = order.constraints(world);
    let requests = traffic.requests().into_iter();
    let with_ends = requests.map(|request| {
        let ends = Ends::of(world, traffic, &constraints, &request);
        (request, ends)
    });
    with_ends.filter(|(_, ends)| ends.is_kept()).collect()
}

struct Search<'a> {
    world: &'a World<'a>,
    traffic: &'a dyn Traffic,
    order: Order,
    kept: Vec<(Request, Ends)>,
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
                // Larger steps first: of the shortest ways the one whose first commits do the most.
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
        let constraints = self
            .order
            .constraints_of(self.world, |object| self.turn(object, from, to));
        let is_safe = self.kept.iter().all(|(request, ends)| {
            let mut holds = true;
            let is_complete = self.world.explore(&constraints, |state| {
                holds &= ends.violated_by(&self.traffic.serve(state, request)).is_none();
            });
            holds && is_complete
        });
        self.known.push((from, to, is_safe));
        is_safe
    }

    /// When an object is applied, seen from a step; what takes no part in the failure goes with the first.
    fn turn(&self, object: &ObjectRef, from: u32, to: u32) -> Turn {
        let place = self.fighting.iter().position(|fighting| fighting == object);
        let is_in = |set: u32| place.map_or(set != 0, |place| set & (1 << place) != 0);
        match (is_in(from), is_in(to)) {
            (true, _) => Turn::Before,
            (false, true) => Turn::Now,
            (false, false) => Turn::After,
        }
    }

    fn objects(&self, set: u32) -> Vec<ObjectRef> {
        let objects = self.fighting.iter().enumerate();
        objects
            .filter(|(place, _)| set & (1 << place) != 0)
            .map(|(_, object)| object.clone())
            .collect()
    }
}
