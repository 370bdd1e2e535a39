//! What differs between two sets of manifests, and the states in between.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::order::Constraints;
use super::pods::{self, Pods};
use crate::diagnostic::Location;
use crate::manifest::{Manifest, ManifestSet, ObjectRef, mentions};

/// How an object changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// It is there before and after, and differs.
    Updated,
    /// It goes.
    Deleted,
}

/// An object that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The object, with its namespace.
    pub object: ObjectRef,
    /// How.
    pub kind: ChangeKind,
    /// Where it is written: after the change, or before for one that goes.
    pub origin: Location,
}

/// What is applied of a change in one state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Applied {
    /// The object.
    pub object: ObjectRef,
    /// Whether the new content is applied.
    pub is_applied: bool,
    /// How far the rollout of its pods is, where it has pods: `old and new pods`.
    pub pods: Option<&'static str>,
}

/// One thing that is the same or differs.
struct Entry<'a> {
    before: Option<&'a Manifest>,
    after: Option<&'a Manifest>,
    /// What it can be in a state; one value where it does not differ.
    values: Vec<ValueOf>,
}

/// One condition of a changed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueOf {
    pub(super) is_applied: bool,
    /// Applied, and its pods are all there.
    pub(super) is_done: bool,
    pub(super) pods: Pods,
}

impl ValueOf {
    const BEFORE: Self = Self {
        is_applied: false,
        is_done: false,
        pods: Pods::Old,
    };
    const AFTER: Self = Self {
        is_applied: true,
        is_done: true,
        pods: Pods::New,
    };
}

/// Everything that exists before or after.
pub(crate) struct World<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> World<'a> {
    pub(crate) fn new(before: &'a ManifestSet, after: &'a ManifestSet) -> Self {
        let mut entries: Vec<Entry<'a>> = Vec::new();
        let mut places: BTreeMap<(&str, &str, Option<&str>, &str), usize> = BTreeMap::new();
        for manifest in before.iter() {
            places.insert(key(&manifest.object), entries.len());
            entries.push(Entry {
                before: Some(manifest),
                after: None,
                values: Vec::new(),
            });
        }
        for manifest in after.iter() {
            match places.get(&key(&manifest.object)) {
                Some(place) => entries[*place].after = Some(manifest),
                None => entries.push(Entry {
                    before: None,
                    after: Some(manifest),
                    values: Vec::new(),
                }),
            }
        }
        for entry in &mut entries {
            entry.values = values(entry.before, entry.after);
        }
        Self { entries }
    }

    /// Every object of a kind, before and after, read by the provider once.
    pub(crate) fn read<T>(&self, group: &str, kind: &str, read: impl Fn(&Manifest) -> T) -> Vec<Versions<T>> {
        let of_kind = |manifest: &Manifest| manifest.object.is(group, kind);
        let entries = self.entries.iter().enumerate();
        let found = entries.filter(|(_, entry)| entry.before.or(entry.after).is_some_and(of_kind));
        found
            .map(|(index, entry)| {
                let is_same = is_same(entry.before, entry.after, spec);
                Versions {
                    entry: index,
                    is_same,
                    before: entry.before.map(&read),
                    after: entry.after.filter(|_| !is_same).map(&read),
                }
            })
            .collect()
    }

    /// Every object that differs, with both contents.
    pub(crate) fn changed(
        &self,
    ) -> impl Iterator<Item = (&ObjectRef, Option<&'a Manifest>, Option<&'a Manifest>)> {
        let changed = self.entries.iter().filter(|entry| entry.values.len() > 1);
        changed.filter_map(|entry| Some((&entry.before.or(entry.after)?.object, entry.before, entry.after)))
    }

    /// Every object that does not differ.
    pub(crate) fn unchanged(&self) -> impl Iterator<Item = &'a Manifest> {
        let unchanged = self.entries.iter().filter(|entry| entry.values.len() == 1);
        unchanged.filter_map(|entry| entry.before)
    }

    /// The changed object that names a host and did not before; where none does so in full, the first that changed.
    pub(super) fn names_now(&self, host: &str) -> Option<&ObjectRef> {
        let short = host.split('.').next().unwrap_or(host);
        let wanted = BTreeSet::from([host, short]);
        let names = |end: Option<&Manifest>| end.is_some_and(|end| mentions(&end.value, &wanted));
        let mut changed = self.changed();
        let found = changed.find(|(_, before, after)| names(*after) && !names(*before));
        found.or(self.changed().next()).map(|(object, ..)| object)
    }

    /// What each entry is about.
    pub(super) fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        let manifests = self
            .entries
            .iter()
            .filter_map(|entry| entry.before.or(entry.after));
        manifests.map(|manifest| &manifest.object)
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        self.changed()
            .map(|(object, before, after)| Change {
                object: object.clone(),
                kind: match (before, after) {
                    (None, _) => ChangeKind::Created,
                    (_, None) => ChangeKind::Deleted,
                    _ => ChangeKind::Updated,
                },
                origin: after
                    .or(before)
                    .map(|manifest| manifest.origin.clone())
                    .expect("one of both"),
            })
            .collect()
    }

    /// Whether nothing differs, so that there is one state.
    pub(super) fn is_unchanged(&self) -> bool {
        self.entries.iter().all(|entry| entry.values.len() == 1)
    }

    /// How many states there are between before and after, both included.
    pub(super) fn states(&self) -> u128 {
        let sizes = self.entries.iter().map(|entry| entry.values.len() as u128);
        sizes.fold(1, u128::saturating_mul)
    }

    pub(super) fn manifests(&self, entry: usize) -> (Option<&'a Manifest>, Option<&'a Manifest>) {
        (self.entries[entry].before, self.entries[entry].after)
    }

    pub(super) fn values(&self, entry: usize) -> &[ValueOf] {
        &self.entries[entry].values
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Calls `visit` in every state that what it reads can tell apart; `false` where the bound was reached.
    pub(super) fn explore(&self, constraints: &Constraints, mut visit: impl FnMut(&State<'_>)) -> bool {
        let mut state = State::new(self, constraints);
        for _ in 0..MOST_LEAVES {
            state.restart();
            visit(&state);
            if !state.advance() {
                return true;
            }
        }
        false
    }

    /// The state of a number, counted through all combinations.
    pub(super) fn state<'w>(&'w self, constraints: &'w Constraints, number: u128) -> State<'w> {
        let state = State::new(self, constraints);
        let mut rest = number;
        let choice = |entry: &Entry<'_>| {
            let size = entry.values.len() as u128;
            let choice = rest % size;
            rest /= size;
            usize::try_from(choice).ok()
        };
        state.choices.replace(self.entries.iter().map(choice).collect());
        state
    }

    /// The state before, or after, everything is applied.
    pub(super) fn end<'w>(&'w self, constraints: &'w Constraints, is_after: bool) -> State<'w> {
        let state = State::new(self, constraints);
        state.choices.replace(
            self.entries
                .iter()
                .map(|entry| Some(if is_after { entry.values.len() - 1 } else { 0 }))
                .collect(),
        );
        state
    }
}

/// More leaves than any change that a person reviews has; a search that needs more says that it was cut.
const MOST_LEAVES: usize = 200_000;

fn key(object: &ObjectRef) -> (&str, &str, Option<&str>, &str) {
    (
        object.group(),
        &object.kind,
        object.namespace.as_deref(),
        &object.name,
    )
}

/// Whether a part of an object is the same at both ends; of what did not change both ends may be one manifest.
fn is_same<'a, T: PartialEq>(
    before: Option<&'a Manifest>,
    after: Option<&'a Manifest>,
    part: impl Fn(&'a Manifest) -> T,
) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => std::ptr::eq(before, after) || part(before) == part(after),
        (before, after) => before.is_none() && after.is_none(),
    }
}

/// What of an object decides about traffic: everything but its metadata's notes.
fn spec(manifest: &Manifest) -> (Option<&Value>, Option<&Value>) {
    (
        manifest.value.get("spec"),
        manifest.value.pointer("/metadata/labels"),
    )
}

/// The conditions that a changed object can be in, the first before and the last after.
fn values(before: Option<&Manifest>, after: Option<&Manifest>) -> Vec<ValueOf> {
    if is_same(before, after, |manifest| &manifest.value) {
        return vec![ValueOf::BEFORE];
    }
    let mut values = vec![ValueOf::BEFORE];
    let applied = |pods| ValueOf {
        is_applied: true,
        is_done: false,
        pods,
    };
    match (before, after) {
        (None, Some(after)) if pods::is_workload(&after.object) => {
            values.push(applied(Pods::Old));
        }
        (Some(before), Some(after)) if pods::is_workload(&after.object) && pods::rolls(before, after) => {
            values.push(applied(Pods::Old));
            values.push(applied(Pods::Both));
            if pods::may_have_none(after) {
                values.push(applied(Pods::None));
            }
        }
        _ => {}
    }
    values.push(ValueOf::AFTER);
    values
}

/// One object, read before and after.
pub(crate) struct Versions<T> {
    entry: usize,
    is_same: bool,
    before: Option<T>,
    /// Read where it is not the same.
    after: Option<T>,
}

impl<T> Versions<T> {
    /// What it says before and after, where it exists.
    pub(crate) fn each(&self) -> impl Iterator<Item = &T> {
        self.before.iter().chain(&self.after)
    }

    /// What it is before and after.
    pub(crate) fn ends(&self) -> [Option<&T>; 2] {
        [self.before.as_ref(), self.after()]
    }

    fn after(&self) -> Option<&T> {
        match self.is_same {
            true => self.before.as_ref(),
            false => self.after.as_ref(),
        }
    }

    /// Whether something holds of this and another object where both exist.
    pub(crate) fn is_together(&self, other: &Self, is: impl Fn(&T, &T) -> bool) -> bool {
        let ends = [
            (self.before.as_ref(), other.before.as_ref()),
            (self.after(), other.after()),
        ];
        ends.into_iter()
            .any(|ends| matches!(ends, (Some(one), Some(other)) if is(one, other)))
    }

    /// Whether it says something in either.
    pub(crate) fn any(&self, is: impl Fn(&T) -> bool) -> bool {
        self.each().any(is)
    }
}

/// One state: reading an object decides which version of it this state has.
pub(crate) struct State<'w> {
    world: &'w World<'w>,
    /// Which conditions go together.
    constraints: &'w Constraints,
    /// The condition of each entry that was read.
    choices: RefCell<Vec<Option<usize>>>,
    /// The entries that were read, in order.
    trail: RefCell<Vec<(usize, usize)>>,
    /// Choices to repeat when starting over.
    fixed: Vec<(usize, usize)>,
}

impl<'w> State<'w> {
    fn new(world: &'w World<'w>, constraints: &'w Constraints) -> Self {
        Self {
            world,
            constraints,
            choices: RefCell::new(vec![None; world.len()]),
            trail: RefCell::default(),
            fixed: Vec::new(),
        }
    }

    /// The version of an object in this state; `None` where it does not exist.
    pub(crate) fn see<'v, T>(&self, versions: &'v Versions<T>) -> Option<&'v T> {
        if versions.is_same {
            return versions.before.as_ref();
        }
        match self.value(versions.entry).is_applied {
            false => versions.before.as_ref(),
            true => versions.after.as_ref(),
        }
    }

    /// Both versions of a workload, and which of its pods are there in this state.
    pub(crate) fn rollout<'v, T>(&self, versions: &'v Versions<T>) -> (Option<&'v T>, Option<&'v T>, Pods) {
        let pods = match versions.is_same {
            true => Pods::Old,
            false => self.value(versions.entry).pods,
        };
        (versions.before.as_ref(), versions.after(), pods)
    }

    fn value(&self, entry: usize) -> ValueOf {
        let mut choices = self.choices.borrow_mut();
        let values = &self.world.entries[entry].values;
        let choice = *choices[entry].get_or_insert_with(|| {
            let mut trail = self.trail.borrow_mut();
            let choice = self.first_allowed(&mut trail, entry, 0).unwrap_or(0);
            trail.push((entry, choice));
            choice
        });
        values[choice]
    }

    /// The first condition of an entry, from one on, that goes with those chosen before.
    fn first_allowed(&self, trail: &mut Vec<(usize, usize)>, entry: usize, from: usize) -> Option<usize> {
        (from..self.world.entries[entry].values.len()).find(|choice| {
            trail.push((entry, *choice));
            let is_allowed = self.constraints.allow(self.world, trail);
            trail.pop();
            is_allowed
        })
    }

    /// Forgets what was read, but for the choices that lead to the next leaf.
    fn restart(&mut self) {
        let choices = self.choices.get_mut();
        choices.iter_mut().for_each(|choice| *choice = None);
        for (entry, choice) in &self.fixed {
            choices[*entry] = Some(*choice);
        }
        self.trail.get_mut().clone_from(&self.fixed);
    }

    /// Moves on to the next leaf; `false` after the last.
    fn advance(&mut self) -> bool {
        let mut trail = std::mem::take(self.trail.get_mut());
        while let Some((entry, choice)) = trail.pop() {
            if let Some(next) = self.first_allowed(&mut trail, entry, choice + 1) {
                trail.push((entry, next));
                self.fixed = trail;
                return true;
            }
        }
        false
    }

    /// The objects that exist in a state whose every choice is made.
    pub(super) fn objects(&self) -> impl Iterator<Item = &'w Manifest> {
        let entries = self.world.entries.iter().enumerate();
        entries.filter_map(
            |(index, entry)| match self.value(index).is_applied || entry.values.len() == 1 {
                true => entry.after,
                false => entry.before,
            },
        )
    }

    /// Whether all that was read is as it is in the end, rollouts included.
    pub(super) fn is_end(&self) -> bool {
        let choices = self.choices.borrow();
        let mut read = choices.iter().zip(&self.world.entries);
        read.all(|(choice, entry)| choice.is_none_or(|choice| choice + 1 == entry.values.len()))
    }

    /// What this state has read of the change, for a person; in rendered order.
    pub(super) fn applied(&self) -> Vec<Applied> {
        let choices = self.choices.borrow();
        let read = choices
            .iter()
            .enumerate()
            .filter_map(|(entry, choice)| Some((entry, (*choice)?)));
        read.filter_map(|(entry, choice)| {
            let Entry {
                before,
                after,
                values,
            } = &self.world.entries[entry];
            let value = values.get(choice).filter(|_| values.len() > 1)?;
            let pods = (values.len() > 2).then(|| value.pods.as_str(before.is_some()));
            let object = before.or(*after)?.object.clone();
            Some(Applied {
                object,
                is_applied: value.is_applied,
                pods: pods.filter(|_| value.is_applied),
            })
        })
        .collect()
    }
}
