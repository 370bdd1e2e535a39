//! What kustomize does to lists that the patch does not speak of.

use std::collections::HashMap;

use serde_json::Value;

use super::list::ItemKey;
use crate::list_keys::{MergeKey, Place, Rule};

/// Leaves one of several items with the same key in every merging list, and settles the annotations.
///
/// The last of the items stays, in the place of the first; where the key has two parts and any item names the second, in its
/// own place. A list that the patch does speak of was refused before if it had such items.
///
/// Source: kustomize walks the whole object when it patches any of it (`kyaml/yaml/walk/associative_sequence.go`); its test
/// `PatchTransformerSimilarArrays` keeps the result.
pub(super) fn tidy_object(object: &mut Value, place: Place<'_>) {
    settle_annotations(object);
    tidy(object, place);
}

/// Makes text of the numbers and booleans in `metadata.annotations`, and removes `annotations` when it is empty.
///
/// Source: kustomize keeps notes of its own there, and so rewrites the annotations of every object (`kyaml/yaml/rnode.go`,
/// `SetAnnotations`).
pub(crate) fn settle_annotations(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else {
        return;
    };
    if annotations.is_empty() {
        metadata.shift_remove("annotations");
        return;
    }
    for value in annotations.values_mut() {
        if matches!(value, Value::Number(_) | Value::Bool(_)) {
            *value = Value::String(value.to_string());
        }
    }
}

fn tidy(value: &mut Value, place: Place<'_>) {
    if place.is_unknown() {
        return;
    }
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (name, value) in fields {
        match (place.field(name), value) {
            ((Some(Rule::List(keys)), inner), Value::Array(items)) => {
                leave_last(items, keys);
                items.iter_mut().for_each(|item| tidy(item, inner));
            }
            ((Some(Rule::Map | Rule::Values), inner), value) => tidy(value, inner),
            _ => {}
        }
    }
}

/// Does nothing where an item has no key.
fn leave_last(items: &mut Vec<Value>, keys: &[MergeKey]) {
    let Ok(item_keys) = items
        .iter()
        .map(|item| ItemKey::read(item, keys))
        .collect::<Result<Vec<_>, _>>()
    else {
        return;
    };
    let keeps_place_of_first = !item_keys.iter().any(ItemKey::is_compound);
    let mut last = HashMap::with_capacity(items.len());
    for (index, key) in item_keys.iter().enumerate() {
        if let Some(earlier) = last.insert(key, index) {
            if keeps_place_of_first {
                items[earlier] = items[index].take();
                last.insert(key, earlier);
            } else {
                items[earlier] = Value::Null;
            }
        }
    }
    items.retain(|item| !item.is_null());
}
