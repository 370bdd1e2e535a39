//! Several patches over a set of objects: what the `patches:` of a kustomization do.

mod index;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::error::PatchError;
use crate::limits::{self, TooDeep};
use crate::object_id::ObjectId;
use crate::target::Selector;
use crate::{json_patch, merge_patch, strategic};
use index::Index;

/// A patch, and the objects that it is for.
#[derive(Debug, Clone)]
pub struct Patch {
    /// What to change.
    pub body: PatchBody,
    /// Which objects to change. `None`: the one that the patch names itself, by `apiVersion`, `kind`, `metadata.name` and
    /// `metadata.namespace`; a JSON patch names none.
    pub target: Option<Selector>,
    /// What to do if `target` selects nothing. A patch without `target` must find its object in any case.
    pub unmatched: Unmatched,
    /// Whether the patch can give the object another name. A JSON patch always can.
    pub allow_name_change: bool,
    /// Whether the patch can give the object another kind. A JSON patch always can.
    pub allow_kind_change: bool,
}

/// The three standards.
#[derive(Debug, Clone, PartialEq)]
pub enum PatchBody {
    /// See [`strategic`].
    Strategic(Value),
    /// See [`json_patch`].
    Json(Value),
    /// See [`merge_patch`].
    Merge(Value),
}

/// What a patch means whose target selects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmatched {
    /// A mistake.
    #[default]
    Refuse,
    /// Nothing to do, as kustomize has it.
    Accept,
}

/// Why patches were refused: the number of the patch, and the object that it did not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct ApplyError {
    /// Index of the patch; `None` if the objects themselves are at fault.
    pub patch: Option<usize>,
    /// Index of the object in the list that was given.
    pub object: Option<usize>,
    /// What is wrong.
    #[source]
    pub reason: ApplyReason,
}

/// What is wrong with a patch or an object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApplyReason {
    /// The patch itself does not fit, or an object is none.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// Two objects are the same.
    #[error("a second {id}")]
    SameObject {
        /// Which.
        id: ObjectId,
    },
    /// No object is the one that a patch names.
    #[error("no object is {id}")]
    NoObject {
        /// Which.
        id: ObjectId,
    },
    /// More than one object is, or was before it was renamed, the one that a patch names.
    #[error("{count} objects are or were {id}")]
    SeveralObjects {
        /// Which.
        id: ObjectId,
        /// How many.
        count: usize,
    },
    /// The target selects no object.
    #[error("the target selects no object")]
    NothingSelected,
    /// A JSON patch needs a target: it names no object.
    #[error("a JSON patch without target")]
    NoTarget,
    /// Patches that select many objects would make them too large in sum.
    #[error("the objects would have more than {limit} values")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

/// Applies patches in order to a set of objects, as a kustomization's `patches:` do. All or nothing.
///
/// The objects keep their order; those that a patch deletes are gone. Cost grows with objects and patches, not with
/// their product, unless a target holds a regular expression or a label selector without naming a kind.
///
/// # Errors
/// An [`ApplyError`] names the patch and the object.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use tidegate_patch::{Patch, PatchBody, apply_all};
///
/// let objects = vec![json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}})];
/// let patch = Patch::new(PatchBody::Strategic(json!({
///     "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "NodePort"},
/// })));
/// assert_eq!(apply_all(objects, &[patch])?[0]["spec"]["type"], "NodePort");
/// # Ok::<(), tidegate_patch::ApplyError>(())
/// ```
pub fn apply_all(objects: Vec<Value>, patches: &[Patch]) -> Result<Vec<Value>, ApplyError> {
    let mut set = ObjectSet::new(objects)?;
    for (index, patch) in patches.iter().enumerate() {
        set.apply(patch).map_err(|error| ApplyError {
            patch: Some(index),
            ..error
        })?;
    }
    Ok(set.into_values())
}

impl Patch {
    /// A patch for the object that it names itself.
    pub fn new(body: PatchBody) -> Self {
        Self {
            body,
            target: None,
            unmatched: Unmatched::Refuse,
            allow_name_change: false,
            allow_kind_change: false,
        }
    }

    /// A patch for the objects that a target selects.
    pub fn with_target(body: PatchBody, target: Selector) -> Self {
        Self {
            target: Some(target),
            ..Self::new(body)
        }
    }
}

/// Objects to which patches are applied one after the other.
///
/// An object that was renamed is still found by its former names, as in kustomize.
#[derive(Debug, Clone)]
pub struct ObjectSet {
    entries: Vec<Entry>,
    index: Index,
    /// Values that the objects and all patches so far have.
    written: usize,
    /// Values that patches may have brought.
    added: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    /// `None` once a patch has deleted it.
    value: Option<Value>,
    /// Former identities in order, then the present one.
    ids: Vec<ObjectId>,
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
            added: 0,
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
                        document: crate::Document::Target,
                        ..error
                    }
                    .into(),
                )
            })?;
            let too_deep = |place: TooDeep| refused(PatchError::in_target(place.0, TooDeep::REASON).into());
            set.written += limits::size(&value).map_err(too_deep)?;
            if !set.index.with_id(&id).is_empty() {
                return Err(refused(ApplyReason::SameObject { id }));
            }
            set.index.add(index, &id);
            set.entries.push(Entry {
                value: Some(value),
                ids: vec![id],
            });
        }
        Ok(set)
    }

    /// Applies one patch to all objects that it is for, or to none.
    ///
    /// # Errors
    /// An [`ApplyError`] with the object but without the number of the patch.
    pub fn apply(&mut self, patch: &Patch) -> Result<(), ApplyError> {
        let body_size = check_body(&patch.body).map_err(ApplyError::from)?;
        let selected = self.select(patch).map_err(ApplyError::from)?;
        self.written += body_size;
        self.added = self
            .added
            .saturating_add(body_size.saturating_mul(selected.len()));
        let limit = limits::MAX_RESULT.max(self.written.saturating_mul(4));
        if self.added > limit {
            return Err(ApplyReason::TooLarge { limit }.into());
        }
        let mut changed = Vec::with_capacity(selected.len());
        for index in selected {
            let refused = |error: PatchError| ApplyError {
                patch: None,
                object: Some(index),
                reason: error.into(),
            };
            let entry = &self.entries[index];
            let value = patched(patch, entry).map_err(refused)?;
            let id = value.as_ref().map(ObjectId::of).transpose().map_err(|error| {
                refused(PatchError {
                    document: crate::Document::Target,
                    ..error
                })
            })?;
            changed.push((index, value, id));
        }
        for (index, value, id) in changed {
            self.replace(index, value, id);
        }
        Ok(())
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
                [] => Err(ApplyReason::NoObject { id: own }),
                [index] => Ok(vec![*index]),
                several => Err(ApplyReason::SeveralObjects {
                    id: own,
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

    fn replace(&mut self, index: usize, value: Option<Value>, id: Option<ObjectId>) {
        let entry = &mut self.entries[index];
        entry.value = value;
        match id {
            Some(id) if id != *entry.current() => {
                self.index.add(index, &id);
                entry.ids.push(id);
            }
            Some(_) => {}
            None => self.index.remove(index, &entry.ids),
        }
    }
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
        PatchBody::Json(body) => return json_patch::apply(target, body).map(Some),
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

impl From<ApplyReason> for ApplyError {
    fn from(reason: ApplyReason) -> Self {
        Self {
            patch: None,
            object: None,
            reason,
        }
    }
}

impl From<PatchError> for ApplyError {
    fn from(error: PatchError) -> Self {
        ApplyReason::from(error).into()
    }
}
