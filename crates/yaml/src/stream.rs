//! The text of one file and its documents.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use jsonptr::PointerBuf;

use crate::{
    document::{Content, Document},
    error::{Kind, ParseError, Related},
    limits::{Budget, Cost, Expanded, Limits},
    load::{LoadError, load},
    position::{LineIndex, Position},
    split::{Region, next_line, split},
};

/// The text of one file and the documents in it.
///
/// Shape: a value; edits give a new stream and leave this one as it is. There is always at least one document: an empty
/// file, or one of comments alone, holds one empty document. A byte order mark at the start is kept and belongs to no document.
pub struct Stream {
    text: String,
    documents: Vec<Document>,
    pub(crate) limits: Limits,
    lines: OnceLock<LineIndex>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("text", &self.text)
            .field("documents", &self.documents.len())
            .finish()
    }
}

impl Clone for Stream {
    fn clone(&self) -> Self {
        Self::assemble(self.text.clone(), self.documents.clone(), self.limits.clone())
    }
}

impl Stream {
    /// Reads a text within the default [`Limits`].
    ///
    /// Errors: the first mistake in the text, see [`Kind`].
    pub fn parse(text: impl Into<String>) -> Result<Self, ParseError> {
        Self::parse_with(text, &Limits::default())
    }

    /// Reads a text within limits; edits of the stream keep to the same limits.
    pub fn parse_with(text: impl Into<String>, limits: &Limits) -> Result<Self, ParseError> {
        let text = text.into();
        let refuse = |offset: usize, message: String| {
            let error = LoadError {
                kind: Kind::Limit,
                message,
                offset,
                related: None,
                path: Vec::new(),
            };
            locate(&text, 0, 0, error)
        };
        if text.len() > limits.bytes {
            return Err(refuse(
                limits.bytes,
                format!("larger than {} bytes", limits.bytes),
            ));
        }
        let regions = split(&text);
        if regions.len() > limits.documents {
            let offset = regions[limits.documents].span.start;
            return Err(refuse(
                offset,
                format!("more than {} documents", limits.documents),
            ));
        }
        let mut documents = Vec::with_capacity(regions.len());
        let mut spent = Cost::default();
        for (number, region) in regions.into_iter().enumerate() {
            let offset = region.span.start;
            let part = text[region.span.clone()].to_owned();
            let content =
                read(part, region, limits, spent).map_err(|error| locate(&text, offset, number, error))?;
            spent = spent.plus(content.cost);
            documents.push(Document {
                offset,
                content: Arc::new(content),
            });
        }
        Ok(Self::assemble(text, documents, limits.clone()))
    }

    pub(crate) fn assemble(text: String, documents: Vec<Document>, limits: Limits) -> Self {
        Self {
            text,
            documents,
            limits,
            lines: OnceLock::new(),
        }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole text, as a string of its own.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// The documents in the order of the file, empty ones included; at least one.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The documents alone, as [`Stream::documents`] gives them.
    #[must_use]
    pub fn into_documents(self) -> Vec<Document> {
        self.documents
    }

    /// Nodes of all documents, and bytes of their keys and scalars, once aliases are expanded.
    ///
    /// Shape: as [`Limits::nodes`] and [`Limits::expanded_bytes`] count them; for whoever bounds several streams together.
    #[must_use]
    pub fn expanded(&self) -> Expanded {
        let spent = self.documents.iter().fold(Cost::default(), |spent, document| {
            spent.plus(document.content.cost)
        });
        Expanded {
            nodes: spent.nodes,
            bytes: spent.bytes,
        }
    }

    /// Line and column of a byte offset; behind the end it is the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        self.lines
            .get_or_init(|| LineIndex::new(&self.text))
            .position(&self.text, offset)
    }

    /// One document with its comments, without its `---` and `...` lines: what to copy to another file.
    ///
    /// Shape: from behind `---` and the white space after it; comments and directives before the `---` are not part of it. Empty for a
    /// number that no document has.
    #[must_use]
    pub fn document_text(&self, document: usize) -> &str {
        let Some(document) = self.documents.get(document) else {
            return "";
        };
        document.content.body()
    }
}

impl Content {
    /// The region without markers and what stands before them.
    pub(crate) fn body(&self) -> &str {
        let end = self.region.end_marker.unwrap_or(self.text.len());
        let start = self.region.marker.map_or(0, |marker| {
            let behind = marker + "---".len();
            let blank = crate::scan::skip_blanks(&self.text, behind);
            if crate::scan::line_end(&self.text, blank) == blank {
                crate::split::next_line(&self.text, blank)
            } else if self.text[blank..].starts_with(['-', '.', '%']) {
                // At the start of a line this could be taken for a marker or directive.
                behind
            } else {
                blank
            }
        });
        self.text.get(start..end.max(start)).unwrap_or("")
    }
}

/// Reads one document's region; `spent` is what the other documents cost.
pub(crate) fn read(text: String, region: Region, limits: &Limits, spent: Cost) -> Result<Content, LoadError> {
    let start = region.span.start;
    let relative = |at: usize| at - start;
    let region = Region {
        span: 0..text.len(),
        marker: region.marker.map(relative),
        end_marker: region.end_marker.map(relative),
        directives: region.directives,
    };
    let mut marks = text.match_indices('\u{feff}').map(|(at, _)| at);
    if let Some(offset) = marks.find(|&at| at == 0 || text[..at].ends_with(['\n', '\r'])) {
        let message = "a byte order mark stands only at the start of a file, once".to_owned();
        return Err(LoadError {
            kind: Kind::Control,
            message,
            offset,
            related: None,
            path: Vec::new(),
        });
    }
    if let (true, Some(marker)) = (region.directives, region.marker) {
        check_directives(&text[..marker])?;
    }
    let mut budget = Budget::new(limits, spent);
    let tree = load(&text, &mut budget)?;
    Ok(Content::new(text, region, tree, budget.document))
}

/// Directives other than `%YAML` and `%TAG` are errors, as they are to Go.
fn check_directives(head: &str) -> Result<(), LoadError> {
    let mut offset = 0;
    while offset < head.len() {
        let next = next_line(head, offset);
        let line = &head[offset..next];
        let known = line.is_ascii() && (line.starts_with("%YAML ") || line.starts_with("%TAG "));
        if line.starts_with('%') && !known {
            let message = "only the directives %YAML and %TAG are known".to_owned();
            return Err(LoadError {
                kind: Kind::Syntax,
                message,
                offset,
                related: None,
                path: Vec::new(),
            });
        }
        offset = next;
    }
    Ok(())
}

/// A mistake in one document as a place in the file.
pub(crate) fn locate(text: &str, base: usize, document: usize, error: LoadError) -> ParseError {
    let lines = LineIndex::new(text);
    let place = |offset: usize| (offset, lines.position(text, offset));
    let (offset, position) = place(base + error.offset);
    let related = error.related.map(|at| place(base + at));
    let message = match &related {
        Some((_, first)) => format!(
            "{} at line {}, column {}",
            error.message, first.line, first.column
        ),
        None => error.message,
    };
    ParseError {
        kind: error.kind,
        message,
        offset,
        position,
        related: related.map(|(offset, position)| Related { offset, position }),
        path: PointerBuf::from_tokens(error.path.iter().map(String::as_str)),
        document,
    }
}
