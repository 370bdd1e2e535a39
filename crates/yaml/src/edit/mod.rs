//! Edits of a document's text: what they are, and that they do what they mean.
//!
//! An edit is planned as replacements of a few bytes ([`plan`]), made, and read back; unless the document then reads as the value that
//! the edit means ([`model`]), nothing has happened.

mod batch;
pub(crate) mod block;
pub(crate) mod commit;
mod copy;
mod documents;
pub(crate) mod flow;
pub(crate) mod habits;
pub(crate) mod model;
pub(crate) mod patch;
mod plan;
pub(crate) mod replace;
mod slot;
pub(crate) mod text;

use jsonptr::PointerBuf;
use serde_json::Value;

use crate::{error::EditError, stream::Stream};

/// One change of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Puts a value in the place of another, in the quotes that stand there where they can hold it. A key that the map has not
    /// is added at its end. An equal value changes no byte; numbers are equal if they are spelled alike, exponents aside.
    Set {
        /// The place; the root is the whole document.
        at: PointerBuf,
        /// The new value.
        value: Value,
    },
    /// Adds an entry to a map or an item to a list.
    Insert {
        /// The map or list; an empty value becomes one.
        into: PointerBuf,
        /// Where in it.
        place: Place,
        /// The key in a map; none in a list.
        key: Option<String>,
        /// The value.
        value: Value,
    },
    /// Takes an entry or item away, with the comment lines below it that are indented deeper. A map or list without entries is
    /// left as `{}` or `[]`.
    Remove {
        /// The place.
        at: PointerBuf,
    },
    /// Gives an entry of a map another key, at the same place and in the same quotes.
    Rename {
        /// The place under its old key.
        at: PointerBuf,
        /// The new key.
        key: String,
    },
    /// Copies an entry of a map into the same map, word for word with the comments inside it. Anchors inside are not defined twice.
    Copy {
        /// The entry to copy.
        from: PointerBuf,
        /// The copy's key.
        key: String,
        /// Where in the map the copy goes.
        place: Place,
    },
}

/// Where in a map or list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Before all others: right behind the line of the key that the map or list belongs to.
    First,
    /// Behind all others.
    Last,
    /// Before an entry, by its key, or an item, by its index as text; above the comment lines right over it.
    Before(String),
    /// Right behind an entry or item and the deeper comment lines that belong to it.
    After(String),
}

impl Edit {
    /// The place that a message about the edit shows.
    pub(crate) fn pointer(&self) -> &PointerBuf {
        match self {
            Self::Set { at, .. } | Self::Remove { at } | Self::Rename { at, .. } => at,
            Self::Insert { into, .. } => into,
            Self::Copy { from, .. } => from,
        }
    }
}

impl Stream {
    /// Makes edits in a document, one after the other; all of them or none.
    ///
    /// Shape: pointers of an edit refer to the document as the edits before it leave it. The other documents keep their
    /// bytes, and so does everything in this one outside the edited places.
    /// Errors: the first edit that cannot be made; see [`EditError`].
    ///
    /// ```
    /// use tidegate_yaml::{Edit, Stream};
    /// use jsonptr::PointerBuf;
    ///
    /// let stream = Stream::parse("spec:\n  replicas: 2   # two\n  image: 'a:1'\n").unwrap();
    /// let at = PointerBuf::parse("/spec/image").unwrap();
    /// let edited = stream.edit(0, &[Edit::Set { at, value: "a:2".into() }]).unwrap();
    /// assert_eq!(edited.text(), "spec:\n  replicas: 2   # two\n  image: 'a:2'\n");
    /// ```
    pub fn edit(&self, document: usize, edits: &[Edit]) -> Result<Self, EditError> {
        if self.documents().get(document).is_none() {
            return Err(EditError::NoDocument { document });
        }
        batch::edit_all(self, document, edits)
    }
}
