//! JSON Merge Patch, RFC 7396.
//!
//! The crate `json-patch` has this as well, but changes the order of the keys that stay when it removes one.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::PatchError;
use crate::limits::{self, TooDeep};

/// Applies a merge patch: maps are merged, `null` removes, anything else replaces.
///
/// # Errors
/// [`Reason::TooDeep`](crate::Reason::TooDeep) only.
///
/// # Examples
/// ```
/// use serde_json::json;
///
/// let patched = tidegate_patch::merge_patch::apply(json!({"a": "b", "c": {"d": "e", "f": "g"}}), &json!({"a": "z", "c": {"f": null}}))?;
/// assert_eq!(patched, json!({"a": "z", "c": {"d": "e"}}));
/// # Ok::<(), tidegate_patch::PatchError>(())
/// ```
pub fn apply(target: Value, patch: &Value) -> Result<Value, PatchError> {
    limits::size(&target).map_err(|place| PatchError::in_target(place.0, TooDeep::REASON))?;
    limits::size(patch).map_err(|place| PatchError::in_patch(place.0, TooDeep::REASON))?;
    Ok(merge(target, patch))
}

fn merge(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut target = match target {
        Value::Object(target) => target,
        _ => Map::new(),
    };
    let mut removed = HashSet::new();
    for (name, value) in patch {
        if value.is_null() {
            removed.insert(name.as_str());
        } else if let Some(old) = target.get_mut(name) {
            *old = merge(old.take(), value);
        } else {
            target.insert(name.clone(), merge(Value::Null, value));
        }
    }
    if !removed.is_empty() {
        target.retain(|name, _| !removed.contains(name.as_str()));
    }
    Value::Object(target)
}
