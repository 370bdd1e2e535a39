//! Lists of scalars: those that merge by value, and `$deleteFromPrimitiveList`.

use std::collections::HashSet;

use serde_json::Value;

use super::directives::{MapDirective, list_directive};
use super::list::scalar_text;
use crate::error::{PatchError, Reason, Shape};
use crate::trail::Trail;

/// Merges a list of scalars: those of the patch in the patch's order, then the others of the target; each once.
///
/// Source: kustomize `kyaml/yaml/walk/associative_sequence.go` (`elementPrimitiveValues`).
pub(super) fn merge(
    target: Vec<Value>,
    patch: &[Value],
    trail: Trail<'_>,
) -> Result<Option<Value>, PatchError> {
    let mut keeps_target = true;
    let mut merged = Vec::with_capacity(target.len() + patch.len());
    let mut seen = HashSet::new();
    for (index, item) in patch.iter().enumerate() {
        let trail = trail.item(index, index);
        match list_directive(item, trail)? {
            Some(MapDirective::Delete) if patch.len() > 1 => {
                return Err(trail.in_patch(Reason::DirectiveBesideItems {
                    name: MapDirective::Delete.name(),
                }));
            }
            Some(MapDirective::Delete) => return Ok(None),
            Some(MapDirective::Replace) => keeps_target = false,
            Some(MapDirective::Merge) => {}
            None => {
                let text = text(item).map_err(|reason| trail.in_patch(reason))?;
                if seen.insert(text) {
                    merged.push(item.clone());
                }
            }
        }
    }
    if keeps_target {
        for (index, item) in target.into_iter().enumerate() {
            let text = text(&item).map_err(|reason| trail.item(index, index).in_target(reason))?;
            if seen.insert(text) {
                merged.push(item);
            }
        }
    }
    Ok(Some(Value::Array(merged)))
}

/// Removes scalars from a list. A list that is not there (`null`) stays so.
pub(super) fn delete(list: &mut Value, values: &[Value], trail: Trail<'_>) -> Result<(), PatchError> {
    let items = match list {
        Value::Null => return Ok(()),
        Value::Array(items) => items,
        other => {
            return Err(trail.in_target(Reason::NotAList {
                found: Shape::of(other),
            }));
        }
    };
    let texts = values.iter().map(text).collect::<Result<HashSet<_>, _>>();
    let texts = texts.map_err(|reason| trail.in_patch(reason))?;
    for (index, item) in items.iter().enumerate() {
        text(item).map_err(|reason| trail.item(index, index).in_target(reason))?;
    }
    items.retain(|item| text(item).is_ok_and(|text| !texts.contains(&text)));
    Ok(())
}

/// The text by which scalars of a list are compared.
pub(super) fn text(value: &Value) -> Result<String, Reason> {
    match value {
        Value::String(text) => Ok(text.clone()),
        _ => scalar_text(value).ok_or(Reason::NotAScalar {
            found: Shape::of(value),
        }),
    }
}
