//! Kubernetes strategic merge patch, as kustomize applies it.
//!
//! Takes an object and a patch, gives the patched object. The rules for lists come from [`list_keys`](crate::list_keys). Choosing
//! the object is the caller's business, or that of [`apply_all`](crate::apply_all); so is keeping its name: a patch that says
//! another `metadata.name` renames.
//!
//! | in the patch | effect |
//! |---|---|
//! | a map | merged key by key; a new map is added without its `null`s |
//! | `key: null` | removes the key |
//! | a list with a rule | merged by key or value: items of the patch first, in the patch's order, then the rest |
//! | any other list | replaces |
//! | `$patch: delete`, `replace`, `merge` in a map | removes the map, replaces it, merges it |
//! | `$patch: delete` in an item of a merging list | removes the item |
//! | `- $patch: replace` or `delete` as an item of a merging list | replaces or removes the list |
//! | `$retainKeys: [a, b]` in a map | removes all other keys first |
//! | `$setElementOrder/list: [...]` | puts the items of a merging list in this order |
//! | `$deleteFromPrimitiveList/list: [...]` | removes scalars from a list |
//! | any other key that begins with `$` | refused |

mod directives;
mod list;
mod order;
mod scalar;
mod scalars;
mod tidy;

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::{PatchError, Reason, Shape};
use crate::limits::{self, TooDeep};
use crate::list_keys::{Place, Rule, Rules};
use crate::trail::Trail;
use directives::{Directives, MapDirective};

/// Applies one patch to one object. `None` means that the patch deletes the object.
///
/// The rules are those of the target's `apiVersion` and `kind`, whatever the patch says; the lists of a kind that
/// Kubernetes does not define are replaced.
///
/// # Errors
/// A [`PatchError`] points into the patch, or into the target where that is at fault. Nothing is returned then: there is
/// no half-patched object.
///
/// # Examples
/// ```
/// use serde_json::json;
///
/// let service = json!({
///     "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
///     "spec": {"ports": [{"port": 80}, {"port": 443}], "selector": {"app": "web", "track": "stable"}},
/// });
/// let patch = json!({"spec": {"ports": [{"port": 443, "name": "https"}], "selector": {"track": null}}});
///
/// let patched = tidegate_patch::strategic::apply(service, &patch)?.expect("the patch deletes nothing");
///
/// assert_eq!(patched["spec"], json!({
///     "ports": [{"port": 443, "name": "https"}, {"port": 80}],
///     "selector": {"app": "web"},
/// }));
/// # Ok::<(), tidegate_patch::PatchError>(())
/// ```
pub fn apply(target: Value, patch: &Value) -> Result<Option<Value>, PatchError> {
    apply_at(object_place(&target), target, patch)
}

/// As [`apply`], with rules of the caller's: `place` is where they say an object like `target` begins.
///
/// # Errors
/// As [`apply`].
pub fn apply_at(place: Place<'_>, target: Value, patch: &Value) -> Result<Option<Value>, PatchError> {
    let too_deep = |place: TooDeep| PatchError::in_target(place.0, TooDeep::REASON);
    limits::size(&target).map_err(too_deep)?;
    check_patch(patch)?;
    let mut patched = merge_unchecked(place, target, patch)?;
    if let Some(patched) = &mut patched {
        tidy::tidy_object(patched, place);
    }
    Ok(patched)
}

pub(crate) use tidy::settle_annotations;

/// The built-in rules for an object like this one.
pub(crate) fn object_place(target: &Value) -> Place<'static> {
    let text = |name: &str| target.get(name).and_then(Value::as_str).unwrap_or_default();
    Rules::builtin().object(text("apiVersion"), text("kind"))
}

/// Returns the size of a patch, once it is known to be a map and not too deep.
pub(crate) fn check_patch(patch: &Value) -> Result<usize, PatchError> {
    if !patch.is_object() {
        return Err(Trail::ROOT.in_patch(Reason::NotAMap {
            found: Shape::of(patch),
        }));
    }
    limits::size(patch).map_err(|place| PatchError::in_patch(place.0, TooDeep::REASON))
}

/// Merges documents whose depth was checked before, and leaves lists that the patch does not speak of as they are.
pub(crate) fn merge_unchecked(
    place: Place<'_>,
    target: Value,
    patch: &Value,
) -> Result<Option<Value>, PatchError> {
    if !target.is_object() {
        return Err(Trail::ROOT.in_target(Reason::NotAMap {
            found: Shape::of(&target),
        }));
    }
    merge_value(Some(target), patch, None, place, Trail::ROOT)
}

/// Merges what a patch has at one place with what the target has there. `None` is nothing there, before or after.
fn merge_value(
    target: Option<Value>,
    patch: &Value,
    rule: Option<&Rule>,
    place: Place<'_>,
    trail: Trail<'_>,
) -> Result<Option<Value>, PatchError> {
    let target = target.unwrap_or(Value::Null);
    let is_list = matches!(target, Value::Array(_) | Value::Null);
    match patch {
        Value::Null => Ok(None),
        Value::Object(patch) => match target {
            Value::Object(target) => merge_map(target, patch, rule, place, trail),
            Value::Null => merge_map(Map::new(), patch, rule, place, trail),
            _ => Err(other_shape(&target, Shape::Map, trail)),
        },
        Value::Array(patch) if is_list => match rule {
            Some(Rule::List(keys)) => list::merge(into_items(target), patch, keys, place, trail),
            Some(Rule::Set) => scalars::merge(into_items(target), patch, trail),
            _ => {
                directives::check_replaced(patch, trail)?;
                Ok(Some(Value::Array(patch.clone())))
            }
        },
        Value::Bool(_) | Value::Number(_) | Value::String(_) if Shape::of(&target) <= Shape::Scalar => {
            Ok(Some(scalar::replaced(&target, patch)))
        }
        _ => Err(other_shape(&target, Shape::of(patch), trail)),
    }
}

fn merge_map(
    target: Map<String, Value>,
    patch: &Map<String, Value>,
    rule: Option<&Rule>,
    place: Place<'_>,
    trail: Trail<'_>,
) -> Result<Option<Value>, PatchError> {
    let directives = Directives::read(patch, place, trail)?;
    let target = match directives.patch {
        MapDirective::Delete => return Ok(None),
        MapDirective::Replace => Map::new(),
        MapDirective::Merge if rule == Some(&Rule::Replace) => Map::new(),
        MapDirective::Merge => target,
    };
    merge_fields(target, &directives, place, trail).map(|merged| Some(Value::Object(merged)))
}

fn merge_fields(
    mut target: Map<String, Value>,
    directives: &Directives<'_>,
    place: Place<'_>,
    trail: Trail<'_>,
) -> Result<Map<String, Value>, PatchError> {
    if let Some(retained) = &directives.retain_keys {
        directives.check_retained(retained, trail)?;
        target.retain(|name, _| retained.contains(name.as_str()));
    }
    for (name, values) in &directives.delete_scalars {
        if let Some(list) = target.get_mut(*name) {
            scalars::delete(list, values, trail.field(name))?;
        }
    }
    let before = order::remember(&target, directives, place);
    let mut removed = HashSet::new();
    for (name, value) in &directives.fields {
        let (rule, inner) = place.field(name);
        let old = target.get_mut(*name);
        let is_new = old.is_none();
        match merge_value(old.map(Value::take), value, rule, inner, trail.field(name))? {
            Some(merged) if is_new => drop(target.insert((*name).to_owned(), merged)),
            Some(merged) => target[*name] = merged,
            None => drop(removed.insert(*name)),
        }
    }
    if !removed.is_empty() {
        target.retain(|name, _| !removed.contains(name.as_str()));
    }
    order::arrange(&mut target, &before, directives, place, trail)?;
    Ok(target)
}

fn into_items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn other_shape(target: &Value, patch: Shape, trail: Trail<'_>) -> PatchError {
    trail.in_patch(Reason::OtherShape {
        patch,
        target: Shape::of(target),
    })
}
