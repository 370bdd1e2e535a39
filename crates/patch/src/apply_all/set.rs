//! The objects that patches are applied to.

use serde_json::{Map, Value};

use super::index::Index;
use super::{ApplyError, ApplyReason, Patch, PatchBody, Unmatched};
use crate::error::{Document, PatchError};
use crate::limits::{self, TooDeep};
use crate::object_id::ObjectId;
use crate::{json_patch, merge_patch, strategic};

/// Objects to which patches are applied one after the other.
///
/// An object that was renamed is still found by its former names, as in kustomize.
#[derive(Debug, Clone)]
pub struct ObjectSet {
    entries: Vec<Entry>,
    index: Index,
    /// Values that the objects and all patches so far have.
    written: usize,
    /// Values that the objects have now.
    size: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    /// `None` once a patch has deleted it.
    value: Option<Value>,
    size: usize,
    /// Former identities in order, then the present one.
    ids: Vec<ObjectId>,
}

/// What a patch makes of an object.
struct Change {
    index: usize,
    value: Option<Value>,
    size: usize,
    id: Option<ObjectId>,
}

impl Entry {
    fn origin(&self) -> &ObjectId {
        &self.ids[0]
    }

    fn current(&self) -> &ObjectId {
        &self.ids[self.ids.len() - 1]
    }
}

impl ObjectSet {
    /// Takes objects, of which no two may be the same.
    ///
    /// # Errors
    /// [`ApplyReason::SameObject`], and [`ApplyReason::Patch`] for a value that is no object or is nested too deep.
    pub fn new(objects: Vec<Value>) -> Result<Self, ApplyError> {
        let mut set = Self {
            entries: Vec::with_capacity(objects.len()),
            index: Index::default(),
            written: 0,
            size: 0,
        };
        for (index, value) in objects.into_iter().enumerate() {
            let refused = |reason| ApplyError {
                patch: None,
                object: Some(index),
                reason,
            };
            let id = ObjectId::of(&value).map_err(|error| {
                refused(
                    PatchError {
                        document: Document::Target,
                        ..error
                    }
                    .into(),
                )
            })?;
            let too_deep = |place: TooDeep| refused(PatchError::in_target(place.0, TooDeep::REASON).into());
            let size = limits::size(&value).map_err(too_deep)?;
            if !set.index.with_id(&id).is_empty() {
                return Err(refused(ApplyReason::SameObject { id: Box::new(id) }));
            }
            set.index.add(index, &id);
            set.size += size;
            set.entries.push(Entry {
                value: Some(value),
                size,
                ids: vec![id],
            });
        }
        set.written = set.size;
        Ok(set)
    }

    /// Adds the objects of another set, which stay known by their former names.
    ///
    /// # Errors
    /// [`ApplyReason::SameObject`], if an object is in both; its index is that in `other`.
    pub fn append(&mut self, other: Self) -> Result<(), ApplyError> {
        let is_here = |entry: &Entry| {
            self.index
                .with_id(entry.current())
                .iter()
                .any(|index| self.entries[*index].current() == entry.current())
        };
        if let Some(index) = other
            .entries
            .iter()
            .position(|entry| entry.value.is_some() && is_here(entry))
        {
            let id = other.entries[index].current().clone();
            return Err(ApplyError {
                patch: None,
                object: Some(index),
                reason: ApplyReason::SameObject { id: Box::new(id) },
            });
        }
        self.written += other.written;
        self.size += other.size;
        for entry in other.entries.into_iter().filter(|entry| entry.value.is_some()) {
            entry
                .ids
                .iter()
                .for_each(|id| self.index.add(self.entries.len(), id));
            self.entries.push(entry);
        }
        Ok(())
    }

    /// Applies one patch to all objects that it is for, or to none.
    ///
    /// # Errors
    /// An [`ApplyError`] with the object but without the number of the patch.
    pub fn apply(&mut self, patch: &Patch) -> Result<(), ApplyError> {
        let body_size = check_body(&patch.body).map_err(ApplyError::from)?;
        let selected = self.select(patch).map_err(ApplyError::from)?;
        let written = self.written.saturating_add(body_size);
        let limit = limits::MAX_RESULT.max(written.saturating_mul(4));
        let mut size = self.size;
        let mut changes = Vec::with_capacity(selected.len());
        for index in selected {
            let entry = &self.entries[index];
            let change = change(patch, index, entry).map_err(|error| ApplyError {
                patch: None,
                object: Some(index),
                reason: error.into(),
            })?;
            size = (size - entry.size).saturating_add(change.size);
            if size > limit {
                return Err(ApplyReason::TooLarge { limit }.into());
            }
            changes.push(change);
        }
        self.written = written;
        self.size = size;
        changes.into_iter().for_each(|change| self.make(change));
        Ok(())
    }

    /// Changes an object otherwise than by a patch; names and namespaces that it had before are still known.
    ///
    /// # Errors
    /// [`ApplyReason::Patch`], if the object is none any more or is nested too deep, and [`ApplyReason::TooLarge`]; it stays as
    /// it was then.
    pub fn change(&mut self, index: usize, change: impl FnOnce(&mut Value)) -> Result<(), ApplyError> {
        let Some(mut value) = self.entries.get(index).and_then(|entry| entry.value.clone()) else {
            return Ok(());
        };
        change(&mut value);
        let refused = |error: PatchError| ApplyError {
            patch: None,
            object: Some(index),
            reason: PatchError {
                document: Document::Target,
                ..error
            }
            .into(),
        };
        let id = ObjectId::of(&value).map_err(refused)?;
        let size =
            limits::size(&value).map_err(|place| refused(PatchError::in_target(place.0, TooDeep::REASON)))?;
        let whole = (self.size - self.entries[index].size).saturating_add(size);
        let limit = limits::MAX_RESULT.max(self.written.saturating_mul(4));
        if whole > limit {
            return Err(ApplyReason::TooLarge { limit }.into());
        }
        self.size = whole;
        self.make(Change {
            index,
            value: Some(value),
            size,
            id: Some(id),
        });
        Ok(())
    }

    /// Returns an object as it is now, by its place among those given; `None` if there was none, or a patch has deleted it.
    pub fn get(&self, index: usize) -> Option<&Value> {
        self.entries.get(index)?.value.as_ref()
    }

    /// Returns the objects, in the order in which they were given.
    pub fn into_values(self) -> Vec<Value> {
        self.entries.into_iter().filter_map(|entry| entry.value).collect()
    }

    fn select(&self, patch: &Patch) -> Result<Vec<usize>, ApplyReason> {
        let Some(target) = &patch.target else {
            let own = match &patch.body {
                PatchBody::Strategic(body) | PatchBody::Merge(body) => ObjectId::of(body)?,
                PatchBody::Json(_) => return Err(ApplyReason::NoTarget),
            };
            return match self.index.with_id(&own) {
                [] => Err(ApplyReason::NoObject { id: Box::new(own) }),
                [index] => Ok(vec![*index]),
                several => Err(ApplyReason::SeveralObjects {
                    id: Box::new(own),
                    count: several.len(),
                }),
            };
        };
        let is_selected = |index: &usize| {
            let entry = &self.entries[*index];
            entry
                .value
                .as_ref()
                .is_some_and(|value| target.matches_with(entry.origin(), entry.current(), value))
        };
        let selected: Vec<usize> = match self.index.candidates(target) {
            Some(candidates) => candidates.iter().copied().filter(is_selected).collect(),
            None => (0..self.entries.len()).filter(is_selected).collect(),
        };
        if selected.is_empty() && patch.unmatched == Unmatched::Refuse {
            return Err(ApplyReason::NothingSelected);
        }
        Ok(selected)
    }

    fn make(&mut self, change: Change) {
        let entry = &mut self.entries[change.index];
        entry.value = change.value;
        entry.size = change.size;
        match change.id {
            Some(id) if id != *entry.current() => {
                self.index.add(change.index, &id);
                entry.ids.push(id);
            }
            Some(_) => {}
            None => self.index.remove(change.index, &entry.ids),
        }
    }
}

/// What a patch makes of an object, which must still be one.
fn change(patch: &Patch, index: usize, entry: &Entry) -> Result<Change, PatchError> {
    let in_target = |error| PatchError {
        document: Document::Target,
        ..error
    };
    let value = patched(patch, entry)?;
    let Some(object) = &value else {
        return Ok(Change {
            index,
            value,
            size: 0,
            id: None,
        });
    };
    let id = ObjectId::of(object).map_err(in_target)?;
    let size = limits::size(object).map_err(|place| PatchError::in_target(place.0, TooDeep::REASON))?;
    Ok(Change {
        index,
        value,
        size,
        id: Some(id),
    })
}

fn check_body(body: &PatchBody) -> Result<usize, PatchError> {
    match body {
        PatchBody::Strategic(body) => strategic::check_patch(body),
        PatchBody::Json(body) | PatchBody::Merge(body) => {
            limits::size(body).map_err(|place| PatchError::in_patch(place.0, TooDeep::REASON))
        }
    }
}

fn patched(patch: &Patch, entry: &Entry) -> Result<Option<Value>, PatchError> {
    let Some(target) = entry.value.clone() else {
        return Ok(None);
    };
    let mut value = match &patch.body {
        PatchBody::Json(body) => {
            let mut value = json_patch::apply(target, body)?;
            strategic::settle_annotations(&mut value);
            return Ok(Some(value));
        }
        PatchBody::Merge(body) => merge_patch::apply(target, body)?,
        PatchBody::Strategic(body) => match strategic::apply(target, body)? {
            Some(value) => value,
            None => return Ok(None),
        },
    };
    restore_identity(&mut value, entry.current(), patch);
    Ok(Some(value))
}

/// A patch chooses its objects; it does not make others of them, unless that is allowed.
///
/// Source: kustomize `api/resource/resource.go` (`ApplySmPatch`).
fn restore_identity(value: &mut Value, id: &ObjectId, patch: &Patch) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    fields.insert(String::from("apiVersion"), id.api_version.as_str().into());
    if !patch.allow_kind_change {
        fields.insert(String::from("kind"), id.kind.as_str().into());
    }
    let metadata = fields.entry("metadata").or_insert_with(|| Map::new().into());
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    if !patch.allow_name_change {
        metadata.insert(String::from("name"), id.name.as_str().into());
    }
    match &id.namespace {
        Some(namespace) => drop(metadata.insert(String::from("namespace"), namespace.as_str().into())),
        None => drop(metadata.shift_remove("namespace")),
    }
}
