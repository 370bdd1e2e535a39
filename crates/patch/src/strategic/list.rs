//! Lists of maps that merge by one or more keys.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::directives::{MapDirective, list_directive, of_item};
use super::merge_value;
use crate::error::{PatchError, Reason, Shape};
use crate::list_keys::{MergeKey, Place};
use crate::trail::Trail;

/// The key of an item: one text for each [`MergeKey`]; `None` where the item leaves the default to the API server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ItemKey(Vec<Option<String>>);

/// Items of a patch, with their index in its list.
type Items<'p> = Vec<(usize, &'p Value)>;

/// Merges a list by its keys: the items of the patch in the patch's order, then the others of the target in theirs.
///
/// Where the key has two parts and any item names the second, items that the target has keep their place there, and only
/// new ones come first.
///
/// Source: kustomize `kyaml/yaml/walk/associative_sequence.go`, with `MergeOptionsListPrepend`; `appendListNode` is what
/// keeps the places.
pub(super) fn merge(
    target: Vec<Value>,
    patch: &[Value],
    keys: &[MergeKey],
    place: Place<'_>,
    trail: Trail<'_>,
) -> Result<Option<Value>, PatchError> {
    let (directive, items) = split_directive(patch, trail)?;
    if directive == MapDirective::Delete {
        return Ok(None);
    }
    let target = if directive == MapDirective::Replace {
        Vec::new()
    } else {
        target
    };
    if items.is_empty() {
        return Ok(Some(Value::Array(target)));
    }
    let mut target = Keyed::read(target, keys, trail)?;
    let mut seen = HashSet::new();
    let mut first = Vec::with_capacity(target.items.len() + items.len());
    let mut keeps_places = target.is_compound;
    for (index, item) in items {
        let in_patch = |reason| trail.item(index, index).in_patch(reason);
        let key = ItemKey::read(item, keys).map_err(in_patch)?;
        if !seen.insert(key.filled(keys)) {
            return Err(in_patch(Reason::SameMergeKey { key: key.show(keys) }));
        }
        keeps_places |= key.is_compound();
        let found = target.find(&key, keys).map_err(in_patch)?;
        let trail = trail.item(index, found.unwrap_or(index));
        let old = found.and_then(|found| target.items[found].take());
        // Such an item replaces nothing: the API server replaces the whole list and drops the item.
        let replaces = of_item(item, trail)? == MapDirective::Replace;
        if replaces && (old.is_some() || directive == MapDirective::Replace) {
            return Err(trail.in_patch(Reason::ReplacedItem));
        }
        first.push((found, merge_value(old, item, None, place, trail)?));
    }
    if keeps_places {
        for (found, merged) in &mut first {
            if let Some(found) = *found {
                target.items[found] = merged.take();
            }
        }
    }
    let merged = first.into_iter().map(|(_, merged)| merged).chain(target.items);
    Ok(Some(Value::Array(merged.flatten().collect())))
}

/// Finds the directive for the whole list, and returns the other items with their index.
fn split_directive<'p>(
    patch: &'p [Value],
    trail: Trail<'_>,
) -> Result<(MapDirective, Items<'p>), PatchError> {
    let mut directive = None;
    let mut items = Vec::with_capacity(patch.len());
    for (index, item) in patch.iter().enumerate() {
        let trail = trail.item(index, index);
        let Some(found) = list_directive(item, trail)? else {
            items.push((index, item));
            continue;
        };
        if directive.is_some_and(|directive| directive != found) {
            return Err(trail.in_patch(Reason::DirectiveBesideItems { name: found.name() }));
        }
        directive = Some(found);
    }
    if let (Some(MapDirective::Delete), Some((index, _))) = (directive, items.first()) {
        let beside = Reason::DirectiveBesideItems {
            name: MapDirective::Delete.name(),
        };
        return Err(trail.item(*index, *index).in_patch(beside));
    }
    Ok((directive.unwrap_or(MapDirective::Merge), items))
}

impl ItemKey {
    /// Reads the key of an item. A key without default must be there: the item could not be told from others, and the API
    /// server refuses it, too (apimachinery `pkg/util/mergepatch/errors.go`, `ErrNoMergeKey`).
    pub(super) fn read(item: &Value, keys: &[MergeKey]) -> Result<Self, Reason> {
        let Some(fields) = item.as_object() else {
            return Err(Reason::NotAMap {
                found: Shape::of(item),
            });
        };
        let part = |key: &MergeKey| match fields.get(&key.name).and_then(scalar_text) {
            Some(text) => Ok(Some(text)),
            None if key.default.is_some() && fields.get(&key.name).is_none_or(Value::is_null) => Ok(None),
            None => Err(Reason::NoMergeKey {
                key: key.name.clone(),
            }),
        };
        keys.iter().map(part).collect::<Result<_, _>>().map(Self)
    }

    /// The key as the API server will see it.
    pub(super) fn filled(&self, keys: &[MergeKey]) -> Self {
        let part = |(part, key): (&Option<String>, &MergeKey)| part.clone().or_else(|| key.default.clone());
        Self(self.0.iter().zip(keys).map(part).collect())
    }

    /// Whether the two could be meant for the same item, if whoever wrote them did not think of the default.
    fn is_half_of(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(&other.0)
            .all(|(one, other)| one == other || one.is_none() || other.is_none())
    }

    /// Whether more than the first part is named.
    pub(super) fn is_compound(&self) -> bool {
        self.0.iter().skip(1).any(Option::is_some)
    }

    fn show(&self, keys: &[MergeKey]) -> String {
        let part = |(part, key): (&Option<String>, &MergeKey)| {
            part.as_ref()
                .map(|part| format!("{}={}", key.name, part.escape_debug()))
        };
        self.0
            .iter()
            .zip(keys)
            .filter_map(part)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The text by which scalars are compared: `80` and `"80"` are one key, as in kustomize. An empty one is no key.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The items of the target, to be found by key.
struct Keyed {
    items: Vec<Option<Value>>,
    by_key: HashMap<ItemKey, usize>,
    is_compound: bool,
    /// Keys as written, by their first part.
    by_first: HashMap<String, Vec<ItemKey>>,
}

impl Keyed {
    fn read(items: Vec<Value>, keys: &[MergeKey], trail: Trail<'_>) -> Result<Self, PatchError> {
        let mut by_key = HashMap::with_capacity(items.len());
        let mut by_first: HashMap<String, Vec<ItemKey>> = HashMap::new();
        let mut is_compound = false;
        for (index, item) in items.iter().enumerate() {
            let trail = trail.item(index, index);
            let key = ItemKey::read(item, keys).map_err(|reason| trail.in_target(reason))?;
            if by_key.insert(key.filled(keys), index).is_some() {
                return Err(trail.in_target(Reason::SameMergeKey { key: key.show(keys) }));
            }
            is_compound |= key.is_compound();
            if keys.len() > 1 {
                let first = key.0[0].clone().unwrap_or_default();
                by_first.entry(first).or_default().push(key);
            }
        }
        Ok(Self {
            items: items.into_iter().map(Some).collect(),
            by_key,
            is_compound,
            by_first,
        })
    }

    /// Finds the item that a key of the patch means. Where only one side names a part of the key, kustomize drops the
    /// patch's item and the API server looks at the first part alone; that is followed where the default agrees.
    fn find(&self, key: &ItemKey, keys: &[MergeKey]) -> Result<Option<usize>, Reason> {
        if let Some(index) = self.by_key.get(&key.filled(keys)) {
            return Ok(Some(*index));
        }
        let first = key.0[0].as_deref().unwrap_or_default();
        let same_first = self.by_first.get(first).map(Vec::as_slice).unwrap_or_default();
        if same_first.iter().any(|other| key.is_half_of(other)) {
            return Err(Reason::HalfMergeKey { key: key.show(keys) });
        }
        Ok(None)
    }
}
