//! Finding objects without looking at all of them.

use std::collections::HashMap;

use crate::object_id::ObjectId;
use crate::target::{Pattern, Selector};

/// Numbers of objects by what is known of them, each list in ascending order.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    by_id: HashMap<ObjectId, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
    by_kind: HashMap<String, Vec<usize>>,
}

impl Index {
    /// Adds an object, or another identity of it.
    pub(super) fn add(&mut self, index: usize, id: &ObjectId) {
        insert(self.by_id.entry(effective(id)).or_default(), index);
        insert(self.by_name.entry(id.name.clone()).or_default(), index);
        insert(self.by_kind.entry(id.kind.clone()).or_default(), index);
    }

    /// Forgets an object that is gone.
    pub(super) fn remove(&mut self, index: usize, ids: &[ObjectId]) {
        for id in ids {
            let lists = [
                self.by_id.get_mut(&effective(id)),
                self.by_name.get_mut(&id.name),
                self.by_kind.get_mut(&id.kind),
            ];
            for list in lists.into_iter().flatten() {
                if let Ok(place) = list.binary_search(&index) {
                    list.remove(place);
                }
            }
        }
    }

    /// The objects that have or had an identity.
    pub(super) fn with_id(&self, id: &ObjectId) -> &[usize] {
        self.by_id
            .get(&effective(id))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The objects that a selector can select, if it names something that is indexed.
    pub(super) fn candidates(&self, selector: &Selector) -> Option<&[usize]> {
        let by_name = literal(&selector.name).map(|name| find(&self.by_name, name));
        let by_kind = literal(&selector.kind).map(|kind| find(&self.by_kind, kind));
        match (by_name, by_kind) {
            (Some(by_name), Some(by_kind)) if by_kind.len() < by_name.len() => Some(by_kind),
            (Some(by_name), _) => Some(by_name),
            (None, by_kind) => by_kind,
        }
    }
}

/// The identity by which objects are told apart.
fn effective(id: &ObjectId) -> ObjectId {
    ObjectId {
        namespace: id.effective_namespace().map(str::to_owned),
        ..id.clone()
    }
}

fn literal(pattern: &Option<Pattern>) -> Option<&str> {
    pattern.as_ref()?.literal()
}

fn find<'i>(index: &'i HashMap<String, Vec<usize>>, text: &str) -> &'i [usize] {
    index.get(text).map(Vec::as_slice).unwrap_or_default()
}

fn insert(list: &mut Vec<usize>, index: usize) {
    if let Err(place) = list.binary_search(&index) {
        list.insert(place, index);
    }
}
