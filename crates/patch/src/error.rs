//! What can be wrong with a patch, and where.

use std::fmt;

use jsonptr::PointerBuf;
use thiserror::Error;

/// Why a patch was refused, and where.
///
/// Shape: a place ([`document`](Self::document) and [`pointer`](Self::pointer)) and a [`Reason`]. The message is one line, lower
/// case, and begins with the operation and the pointer where there are some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchError {
    /// The document that [`pointer`](Self::pointer) points into.
    pub document: Document,
    /// Where the trouble is. The root (an empty pointer) means the whole document.
    pub pointer: PointerBuf,
    /// Number of the operation of a JSON patch, from 0.
    pub operation: Option<usize>,
    /// What is wrong.
    pub reason: Reason,
}

/// One of the two documents that come together when a patch is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The patch.
    Patch,
    /// The object that is patched.
    Target,
}

/// What is wrong with a patch or its target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// An object must be a map.
    #[error("{found} where a map is needed")]
    NotAMap {
        /// What is there.
        found: Shape,
    },
    /// A directive, a JSON patch or its target needs a list.
    #[error("{found} where a list is needed")]
    NotAList {
        /// What is there.
        found: Shape,
    },
    /// A directive needs names.
    #[error("{found} where a string is needed")]
    NotAString {
        /// What is there.
        found: Shape,
    },
    /// A list of scalars holds something else.
    #[error("{found} in a list of scalars")]
    NotAScalar {
        /// What is there.
        found: Shape,
    },
    /// A field of an object's identity is missing or is not a string.
    #[error("{field} is missing or is not a string")]
    NoIdentity {
        /// `apiVersion`, `kind` or `metadata.name`.
        field: &'static str,
    },
    /// The patch has another shape than the target.
    #[error("the patch has {patch} where the target has {target}")]
    OtherShape {
        /// What the patch has.
        patch: Shape,
        /// What the target has.
        target: Shape,
    },
    /// A key that begins with `$` but is no directive.
    #[error("{name:?} is not a directive")]
    UnknownDirective {
        /// The key.
        name: String,
    },
    /// A value of `$patch` other than `merge`, `replace` and `delete`.
    #[error("`$patch` is {found}, not merge, replace or delete")]
    BadPatchDirective {
        /// The value.
        found: String,
    },
    /// A directive inside a list that is replaced as a whole, where it would become data.
    #[error("{name:?} inside a list that is replaced as a whole")]
    DirectiveInReplacedList {
        /// The directive.
        name: String,
    },
    /// A directive that speaks of a list which does not merge.
    #[error("{name:?} of a list that is replaced as a whole")]
    DirectiveForReplacedList {
        /// The directive.
        name: String,
    },
    /// `$patch: replace` on one item of a merging list: kustomize ignores it, the API server replaces the whole list.
    #[error("`$patch: replace` in one item of a list")]
    ReplacedItem,
    /// `- $patch: delete` beside other items, or two different `- $patch` of one list.
    #[error("`- $patch: {name}` cannot stand beside other items")]
    DirectiveBesideItems {
        /// The value of the directive.
        name: &'static str,
    },
    /// `$retainKeys` does not name a field that the patch sets.
    #[error("`$retainKeys` does not name {field:?}, which the patch sets")]
    NotRetained {
        /// The field.
        field: String,
    },
    /// `$setElementOrder` puts the items in another order than the patch's list, or does not name one of them.
    #[error("the list is not in the order of its `$setElementOrder`")]
    OrderMismatch,
    /// An item of a merging list has no merge key.
    #[error("item without its merge key {key:?}")]
    NoMergeKey {
        /// The field that is missing or is not a scalar.
        key: String,
    },
    /// Two items of a merging list have the same key.
    #[error("second item with {key}")]
    SameMergeKey {
        /// The key, as `name=value`.
        key: String,
    },
    /// Only one of the two sides names a part of the key, and the default does not tell which item is meant.
    #[error("{key}: name it in the patch and in the target to tell which item is meant")]
    HalfMergeKey {
        /// The key, as `name=value`.
        key: String,
    },
    /// An operation of a JSON patch lacks a member.
    #[error("operation without {member:?}")]
    NoMember {
        /// `op`, `path`, `from` or `value`.
        member: &'static str,
    },
    /// An operation that RFC 6902 does not define.
    #[error("{name:?} is not an operation")]
    UnknownOperation {
        /// The value of `op`.
        name: String,
    },
    /// A pointer that is not of the form of RFC 6901.
    #[error("{pointer:?} is not a JSON pointer")]
    BadPointer {
        /// The text.
        pointer: String,
    },
    /// Nothing is where a JSON patch points.
    #[error("nothing is there")]
    NothingThere,
    /// A list index that is not a number, has leading zeros, or is beyond the list.
    #[error("no such place in a list of {length}")]
    BadIndex {
        /// Length of the list.
        length: usize,
    },
    /// `test` found another value.
    #[error("the value is not the one tested for")]
    TestFailed,
    /// `move` into the moved value itself.
    #[error("a value cannot be moved into itself")]
    MoveIntoItself,
    /// The root cannot be removed.
    #[error("the whole document cannot be removed")]
    RemoveRoot,
    /// The patch would make the target too large.
    #[error("the result would have more than {limit} values")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// More levels of maps and lists than [`MAX_DEPTH`](crate::limits::MAX_DEPTH).
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

/// What a value is, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// `null`, or nothing at all.
    Null,
    /// A string, number or boolean.
    Scalar,
    /// A list.
    List,
    /// A map.
    Map,
}

impl Shape {
    pub(crate) fn of(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Self::Scalar,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Map,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "null",
            Self::Scalar => "a scalar",
            Self::List => "a list",
            Self::Map => "a map",
        })
    }
}

impl PatchError {
    pub(crate) fn in_patch(pointer: PointerBuf, reason: Reason) -> Self {
        Self {
            document: Document::Patch,
            pointer,
            operation: None,
            reason,
        }
    }

    pub(crate) fn in_target(pointer: PointerBuf, reason: Reason) -> Self {
        Self {
            document: Document::Target,
            pointer,
            operation: None,
            reason,
        }
    }
}

impl fmt::Display for PatchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation {
            write!(formatter, "operation {operation}: ")?;
        }
        if !self.pointer.is_root() {
            // A key can hold any character; a message is one line and safe to show.
            write!(formatter, "{}: ", self.pointer.as_str().escape_debug())?;
        }
        write!(formatter, "{}", self.reason)
    }
}

impl std::error::Error for PatchError {}
