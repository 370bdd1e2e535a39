//! The `$` keys of a patch.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::{PatchError, Reason, Shape};
use crate::list_keys::{Place, Rule};
use crate::trail::Trail;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_PRIMITIVE_LIST: &str = "$deleteFromPrimitiveList/";

/// What a patch wants of a map or of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MapDirective {
    Merge,
    Replace,
    Delete,
}

impl MapDirective {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }
}

/// The map of a patch, its directives told apart from its fields.
#[derive(Debug)]
pub(super) struct Directives<'p> {
    pub(super) patch: MapDirective,
    pub(super) retain_keys: Option<HashSet<&'p str>>,
    /// Field and order.
    pub(super) orders: Vec<(&'p str, &'p [Value])>,
    /// Field and scalars.
    pub(super) delete_scalars: Vec<(&'p str, &'p [Value])>,
    pub(super) fields: Vec<(&'p str, &'p Value)>,
}

impl<'p> Directives<'p> {
    pub(super) fn read(
        patch: &'p Map<String, Value>,
        place: Place<'_>,
        trail: Trail<'_>,
    ) -> Result<Self, PatchError> {
        let mut directives = Self {
            patch: MapDirective::Merge,
            retain_keys: None,
            orders: Vec::new(),
            delete_scalars: Vec::new(),
            fields: Vec::with_capacity(patch.len()),
        };
        for (name, value) in patch {
            let trail = trail.field(name);
            if !name.starts_with('$') || place.field(name).0 == Some(&Rule::Data) {
                directives.fields.push((name, value));
            } else if name == PATCH {
                directives.patch = map_directive(value, trail)?;
            } else if name == RETAIN_KEYS {
                directives.retain_keys = Some(names(value, trail)?);
            } else if let Some(field) = name.strip_prefix(SET_ELEMENT_ORDER) {
                if !matches!(place.field(field).0, Some(Rule::List(_) | Rule::Set)) {
                    return Err(trail.in_patch(Reason::DirectiveForReplacedList { name: name.clone() }));
                }
                directives.orders.push((field, list(value, trail)?));
            } else if let Some(field) = name.strip_prefix(DELETE_FROM_PRIMITIVE_LIST) {
                directives.delete_scalars.push((field, list(value, trail)?));
            } else {
                return Err(trail.in_patch(Reason::UnknownDirective { name: name.clone() }));
            }
        }
        directives.check_lists(place, trail)?;
        Ok(directives)
    }

    /// What a directive says of a list only makes sense if the patch does not make something else of it.
    fn check_lists(&self, place: Place<'_>, trail: Trail<'_>) -> Result<(), PatchError> {
        if self.orders.is_empty() && self.delete_scalars.is_empty() {
            return Ok(());
        }
        for (name, value) in &self.fields {
            let is_ordered = self.orders.iter().any(|(field, _)| field == name);
            let is_shortened = self.delete_scalars.iter().any(|(field, _)| field == name);
            if (is_ordered || is_shortened) && !value.is_array() {
                return Err(trail.field(name).in_patch(Reason::NotAList {
                    found: Shape::of(value),
                }));
            }
            if is_shortened && place.field(name).0 != Some(&Rule::Set) {
                let directive = format!("{DELETE_FROM_PRIMITIVE_LIST}{name}");
                let reason = Reason::DirectiveForReplacedList {
                    name: directive.clone(),
                };
                return Err(trail.field(&directive).in_patch(reason));
            }
        }
        Ok(())
    }

    /// What a patch sets must be among the keys that it retains.
    pub(super) fn check_retained(
        &self,
        retained: &HashSet<&str>,
        trail: Trail<'_>,
    ) -> Result<(), PatchError> {
        let lost = self
            .fields
            .iter()
            .find(|(name, value)| !value.is_null() && !retained.contains(name));
        match lost {
            Some((name, _)) => Err(trail.field(name).in_patch(Reason::NotRetained {
                field: (*name).to_owned(),
            })),
            None => Ok(()),
        }
    }
}

/// The directive for a whole list, if this item is one: a map with `$patch` and nothing else.
pub(super) fn list_directive(item: &Value, trail: Trail<'_>) -> Result<Option<MapDirective>, PatchError> {
    let Some(fields) = item.as_object().filter(|fields| fields.len() == 1) else {
        return Ok(None);
    };
    fields
        .get(PATCH)
        .map(|value| map_directive(value, trail.field(PATCH)))
        .transpose()
}

/// A list that replaces another is data: a directive within would end up in the object.
pub(super) fn check_replaced(items: &[Value], trail: Trail<'_>) -> Result<(), PatchError> {
    for (index, item) in items.iter().enumerate() {
        check_data(item, trail.item(index, index))?;
    }
    Ok(())
}

fn check_data(value: &Value, trail: Trail<'_>) -> Result<(), PatchError> {
    match value {
        Value::Array(items) => check_replaced(items, trail),
        Value::Object(fields) => {
            for (name, value) in fields {
                let trail = trail.field(name);
                if name.starts_with('$') {
                    return Err(trail.in_patch(Reason::DirectiveInReplacedList { name: name.clone() }));
                }
                check_data(value, trail)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn map_directive(value: &Value, trail: Trail<'_>) -> Result<MapDirective, PatchError> {
    match value.as_str() {
        Some("merge") => Ok(MapDirective::Merge),
        Some("replace") => Ok(MapDirective::Replace),
        Some("delete") => Ok(MapDirective::Delete),
        _ => {
            let found = match value {
                Value::Array(_) | Value::Object(_) => Shape::of(value).to_string(),
                scalar => scalar.to_string(),
            };
            Err(trail.in_patch(Reason::BadPatchDirective { found }))
        }
    }
}

fn list<'p>(value: &'p Value, trail: Trail<'_>) -> Result<&'p [Value], PatchError> {
    let items = value.as_array().map(Vec::as_slice);
    items.ok_or_else(|| {
        trail.in_patch(Reason::NotAList {
            found: Shape::of(value),
        })
    })
}

fn names<'p>(value: &'p Value, trail: Trail<'_>) -> Result<HashSet<&'p str>, PatchError> {
    let name = |(index, item): (usize, &'p Value)| {
        let not_a_name = || {
            trail.item(index, index).in_patch(Reason::NotAString {
                found: Shape::of(item),
            })
        };
        item.as_str().ok_or_else(not_a_name)
    };
    list(value, trail)?.iter().enumerate().map(name).collect()
}

/// The directive of one item of a merging list.
pub(super) fn of_item(item: &Value, trail: Trail<'_>) -> Result<MapDirective, PatchError> {
    item.get(PATCH).map_or(Ok(MapDirective::Merge), |value| {
        map_directive(value, trail.field(PATCH))
    })
}
