//! What can go wrong in reading and in editing, each with the place to show.
//!
//! Messages are one line, lower case, without control characters; the file's name is the caller's to add.

use std::{fmt, ops::Range};

use jsonptr::PointerBuf;

use crate::position::Position;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Not YAML.
    Syntax,
    /// A key that its map already has.
    DuplicateKey,
    /// A bound of [`Limits`](crate::Limits) is passed.
    Limit,
    /// A tag that is not of the core schema, or whose value does not fit it.
    Tag,
    /// A key which is null, a list or a map.
    Key,
    /// An alias of something unknown or of a node it is itself part of, or a merge key of something else than maps.
    Alias,
    /// A control character written raw.
    Control,
    /// A number that JSON does not have: infinity or not-a-number.
    Number,
    /// A template hole, `{{ … }}`, that was never filled in.
    Hole,
}

/// A text that is not readable, with the place where reading stopped.
///
/// Shape: [`Display`](fmt::Display) gives `17:11: spec.ports[0].port: message`, to be put behind a file's name and a colon; the parts are
/// public for those who lay them out themselves. Lines and offsets count in the whole file, not in the document.
///
/// ```
/// let error = tidegate_yaml::Stream::parse("spec:\n  replicas: 1\n  \"replicas\": 2\n").unwrap_err();
/// assert_eq!(error.to_string(), "3:3: spec: key `replicas` is already there at line 2, column 3");
/// assert_eq!(error.related.unwrap().position.line, 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// What sort of mistake it is.
    pub kind: Kind,
    /// What is wrong, on one line.
    pub message: String,
    /// Byte offset in the file.
    pub offset: usize,
    /// The same place as line and column.
    pub position: Position,
    /// Where the other half of the mistake stands: the first of two equal keys.
    pub related: Option<Related>,
    /// The keys around the place, as far as they were read.
    pub path: PointerBuf,
    /// The document, the first is 0.
    pub document: usize,
}

/// A second place that belongs to an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Byte offset in the file.
    pub offset: usize,
    /// The same place as line and column.
    pub position: Position,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.position)?;
        if !self.path.is_root() {
            write!(f, "{}: ", dotted(&self.path))?;
        }
        f.write_str(&self.message)
    }
}

/// An edit that was not made; the text is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// There is no document of this number.
    #[error("there is no document {document}")]
    NoDocument {
        /// The number asked for, the first is 0.
        document: usize,
    },
    /// There is nothing at the place.
    #[error("nothing at `{}`", show(.pointer))]
    NotFound {
        /// The place as asked for.
        pointer: PointerBuf,
    },
    /// The map already has the key.
    #[error("`{}` is already there", show(.pointer))]
    Exists {
        /// The place of the key.
        pointer: PointerBuf,
        /// The entry's key, in bytes of the file.
        span: Range<usize>,
    },
    /// The place belongs to an anchored node, and an alias elsewhere would change with it.
    #[error("`{}` is part of `&{anchor}`, which `{}` uses too", show(.pointer), show(.other))]
    Shared {
        /// The place as asked for.
        pointer: PointerBuf,
        /// The anchor's name, without the ampersand.
        anchor: String,
        /// A place that uses the anchor.
        other: PointerBuf,
        /// The anchored node, in bytes of the file.
        span: Range<usize>,
        /// The alias that uses it, in bytes of the file.
        alias: Range<usize>,
    },
    /// The edit cannot be made in the text at this place.
    #[error("cannot edit `{}`: {reason}", show(.pointer))]
    Unsupported {
        /// The place as asked for.
        pointer: PointerBuf,
        /// Why.
        reason: String,
    },
    /// The text to add is not readable.
    #[error("text to add: {0}")]
    Parse(#[source] ParseError),
}

fn show(pointer: &PointerBuf) -> String {
    if pointer.is_root() {
        "the whole document".to_owned()
    } else {
        visible(pointer.as_str())
    }
}

/// A pointer as people write places: `spec.ports[0].port`.
///
/// Shape: keys that are not plain words are quoted in brackets, `metadata.labels["app.kubernetes.io/name"]`; a token of
/// digits is shown as an index, for the pointer alone does not tell. The root is the empty string. Control characters are
/// escaped.
///
/// ```
/// let place = jsonptr::PointerBuf::parse("/spec/ports/0/app.kubernetes.io~1name").unwrap();
/// assert_eq!(tidegate_yaml::dotted(&place), r#"spec.ports[0]["app.kubernetes.io/name"]"#);
/// ```
#[must_use]
pub fn dotted(pointer: &jsonptr::Pointer) -> String {
    let mut out = String::new();
    for token in pointer.tokens() {
        let token = token.decoded();
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '$';
        if !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{token}]"));
        } else if !token.is_empty() && token.chars().all(word) {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&token);
        } else {
            out.push_str(&format!("[\"{}\"]", visible(&token)));
        }
    }
    out
}

/// Text fit for a terminal: control and direction-changing characters are escaped.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if hidden {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
    }
    out
}
