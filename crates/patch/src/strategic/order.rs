//! `$setElementOrder`: the order of the items of merging lists.
//!
//! Source: apimachinery `pkg/util/strategicpatch/patch.go` (`mergePatchIntoOriginal`, `normalizeElementOrder`,
//! `mergeSortedSlice`); kustomize does not know the directive.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::directives::{Directives, MapDirective, list_directive, of_item};
use super::list::ItemKey;
use super::scalars;
use crate::error::{PatchError, Reason};
use crate::list_keys::{MergeKey, Place, Rule};
use crate::trail::Trail;

/// Where each item of a list was before the merge.
type Places = HashMap<Key, usize>;

/// What tells items of one list apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Item(ItemKey),
    Scalar(String),
}

/// Remembers the order of those lists of the target which the patch wants in another.
pub(super) fn remember<'p>(
    target: &Map<String, Value>,
    directives: &Directives<'p>,
    place: Place<'_>,
) -> HashMap<&'p str, Vec<Key>> {
    let items_of = |name: &'p str| {
        let keys = merge_keys(place, name);
        let items = target
            .get(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        // An item without key is an error only if the merge meets it as well, and then that reports it.
        (
            name,
            items
                .iter()
                .filter_map(|item| Key::read(item, keys).ok())
                .collect(),
        )
    };
    directives.orders.iter().map(|(name, _)| items_of(name)).collect()
}

/// Puts the merged lists of a map in the order that the patch wants.
pub(super) fn arrange(
    target: &mut Map<String, Value>,
    before: &HashMap<&str, Vec<Key>>,
    directives: &Directives<'_>,
    place: Place<'_>,
    trail: Trail<'_>,
) -> Result<(), PatchError> {
    for (name, order) in &directives.orders {
        let trail = trail.field(name);
        let keys = merge_keys(place, name);
        let patch = directives
            .fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| *value);
        let wanted = wanted_places(order, keys, name, trail)?;
        check_order(patch, &wanted, keys, trail)?;
        if let Some(Value::Array(items)) = target.get_mut(*name) {
            let items_before = before.get(name).cloned().unwrap_or_default();
            let before = places_after(items_before, patch, items, keys);
            *items = arranged(std::mem::take(items), &wanted, &before, keys, trail)?;
        }
    }
    Ok(())
}

fn wanted_places(
    order: &[Value],
    keys: Option<&[MergeKey]>,
    name: &str,
    trail: Trail<'_>,
) -> Result<Places, PatchError> {
    let directive = format!("$setElementOrder/{name}");
    let key = |(index, item)| {
        let error = |reason| {
            let mut error = trail.in_patch(reason);
            error.pointer.pop_back();
            error.pointer.push_back(directive.as_str());
            error.pointer.push_back(index);
            error
        };
        Key::read(item, keys).map_err(error)
    };
    let keys = order.iter().enumerate().map(key).collect::<Result<Vec<_>, _>>()?;
    Ok(first_places(keys.into_iter()))
}

/// The items of the patch's list must be named by the order, in the same order.
fn check_order(
    patch: Option<&Value>,
    wanted: &Places,
    keys: Option<&[MergeKey]>,
    trail: Trail<'_>,
) -> Result<(), PatchError> {
    let items = patch
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut last = None;
    for (index, item) in items.iter().enumerate() {
        let trail = trail.item(index, index);
        if list_directive(item, trail)?.is_some() || of_item(item, trail)? == MapDirective::Delete {
            continue;
        }
        let key = Key::read(item, keys).map_err(|reason| trail.in_patch(reason))?;
        let place = wanted.get(&key).copied();
        if place.is_none() || place < last {
            return Err(trail.in_patch(Reason::OrderMismatch));
        }
        last = place;
    }
    Ok(())
}

/// Where the API server takes the items to have been: those that the patch deletes give their places, at the end of the
/// list, to the first of those that it adds.
fn places_after(
    before: Vec<Key>,
    patch: Option<&Value>,
    items: &[Value],
    keys: Option<&[MergeKey]>,
) -> Places {
    let length = before.len();
    let merged: HashSet<Key> = items
        .iter()
        .filter_map(|item| Key::read(item, keys).ok())
        .collect();
    let patch = patch
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let known: HashSet<Key> = before.iter().cloned().collect();
    let added = patch.iter().filter_map(|item| Key::read(item, keys).ok());
    let added = added.filter(|key| !known.contains(key) && merged.contains(key));
    let stayed = before.into_iter().filter(|key| merged.contains(key));
    first_places(stayed.chain(added).take(length))
}

/// Those named by the order take that order; the others keep theirs, each before the first named one that was behind it.
fn arranged(
    items: Vec<Value>,
    wanted: &Places,
    before: &Places,
    keys: Option<&[MergeKey]>,
    trail: Trail<'_>,
) -> Result<Vec<Value>, PatchError> {
    let mut named = Vec::new();
    let mut others = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let key = Key::read(&item, keys).map_err(|reason| trail.item(index, index).in_target(reason))?;
        let place = before.get(&key).copied();
        match wanted.get(&key) {
            Some(wanted) => named.push((*wanted, place, item)),
            None => others.push((place, item)),
        }
    }
    named.sort_by_key(|(wanted, _, _)| *wanted);
    others.sort_by_key(|(place, _)| *place);

    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (_, place, item) in named {
        while let Some((_, other)) = others.next_if(|(other, _)| other.is_some() && other < &place) {
            arranged.push(other);
        }
        arranged.push(item);
    }
    arranged.extend(others.map(|(_, other)| other));
    Ok(arranged)
}

impl Key {
    fn read(item: &Value, keys: Option<&[MergeKey]>) -> Result<Self, Reason> {
        match keys {
            Some(keys) => ItemKey::read(item, keys).map(|key| Self::Item(key.filled(keys))),
            None => scalars::text(item).map(Self::Scalar),
        }
    }
}

fn first_places(keys: impl Iterator<Item = Key>) -> Places {
    let mut places = Places::new();
    for (index, key) in keys.enumerate() {
        places.entry(key).or_insert(index);
    }
    places
}

fn merge_keys<'r>(place: Place<'r>, name: &str) -> Option<&'r [MergeKey]> {
    match place.field(name).0 {
        Some(Rule::List(keys)) => Some(keys),
        _ => None,
    }
}
