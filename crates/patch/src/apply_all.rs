//! Several patches over a set of objects: what the `patches:` of a kustomization do.

mod index;
mod set;

use serde_json::Value;
use thiserror::Error;

use crate::error::PatchError;
use crate::object_id::ObjectId;
use crate::target::Selector;
#[cfg(doc)]
use crate::{json_patch, merge_patch, strategic};
pub use set::ObjectSet;

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

impl PatchBody {
    /// Tells the standard from the shape, as kustomize does: a list is a JSON patch, anything else a strategic merge patch.
    pub fn of(value: Value) -> Self {
        if value.is_array() {
            Self::Json(value)
        } else {
            Self::Strategic(value)
        }
    }
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
        id: Box<ObjectId>,
    },
    /// No object is the one that a patch names.
    #[error("no object is {id}")]
    NoObject {
        /// Which.
        id: Box<ObjectId>,
    },
    /// More than one object is, or was before it was renamed, the one that a patch names.
    #[error("{count} objects are or were {id}")]
    SeveralObjects {
        /// Which.
        id: Box<ObjectId>,
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
