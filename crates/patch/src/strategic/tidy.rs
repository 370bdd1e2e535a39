//! What kustomize does to lists that the patch does not speak of.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::Value;

use super::list::scalar_text;
use crate::list_keys::{MergeKey, Place, Rule};

/// Leaves one of several items with the same key in every merging list: the last, in the place of the first.
///
/// A list that the patch does speak of was refused before if it had such items.
///
/// Source: kustomize walks the whole object when it patches any of it (`kyaml/yaml/walk/associative_sequence.go`); its test
/// `PatchTransformerSimilarArrays` keeps the result.
pub(crate) fn tidy(value: &mut Value, place: Place<'_>) {
    if place.is_unknown() {
        return;
    }
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (name, value) in fields {
        match (place.field(name), value) {
            ((Some(Rule::List(keys)), inner), Value::Array(items)) => {
                if let Some(last) = last_of_each(items, |item| item_key(item, keys)) {
                    *items = last;
                }
                items.iter_mut().for_each(|item| tidy(item, inner));
            }
            ((Some(Rule::Set), _), Value::Array(items)) => {
                if let Some(last) = last_of_each(items, scalar_text) {
                    *items = last;
                }
            }
            ((Some(Rule::Map | Rule::Values), inner), value) => tidy(value, inner),
            _ => {}
        }
    }
}

/// Returns the tidied list, or `None` where there is nothing to do or not every item has a key.
fn last_of_each<K: Eq + std::hash::Hash>(
    items: &mut Vec<Value>,
    key: impl Fn(&Value) -> Option<K>,
) -> Option<Vec<Value>> {
    let mut places = HashMap::with_capacity(items.len());
    let mut order = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match places.entry(key(item)?) {
            Entry::Vacant(entry) => {
                entry.insert(order.len());
                order.push(index);
            }
            Entry::Occupied(entry) => order[*entry.get()] = index,
        }
    }
    if order.len() == items.len() {
        return None;
    }
    Some(order.into_iter().map(|index| items[index].take()).collect())
}

fn item_key(item: &Value, keys: &[MergeKey]) -> Option<Vec<Option<String>>> {
    let part = |key: &MergeKey| match item.get(&key.name) {
        None if key.default.is_some() => Some(None),
        None => None,
        Some(value) => scalar_text(value).map(Some),
    };
    item.as_object()?;
    keys.iter().map(part).collect()
}
