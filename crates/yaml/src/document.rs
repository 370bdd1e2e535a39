//! One document: its value, and where each part of the value is written.

use std::{fmt, ops::Range, sync::Arc};

use jsonptr::{Pointer, PointerBuf};
use serde_json::Value;

use crate::{
    ambiguous::{self, Readings},
    limits::Cost,
    split::Region,
    tree::{Found, NodeId, NodeKind, Tree},
    value::take_value,
};

/// One document of a [`Stream`](crate::Stream).
///
/// Shape: cheap to clone. All offsets it gives are bytes in the whole file.
#[derive(Clone)]
pub struct Document {
    /// Where the document's region starts in the file.
    pub(crate) offset: usize,
    pub(crate) content: Arc<Content>,
}

/// What a document holds, independent of where in the file it stands; offsets count in `text`.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) region: Region,
    pub(crate) tree: Option<Tree>,
    pub(crate) value: Value,
    pub(crate) cost: Cost,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("span", &self.span())
            .field("value", self.value())
            .finish()
    }
}

impl Document {
    /// The document as a value, with aliases expanded and merge keys (`<<`) resolved.
    ///
    /// Shape: maps keep the order of the file; keys that `<<` provides come behind the map's own. Numbers keep their spelling
    /// (`1.10` stays `1.10`, so [`serde_json::Number`] tells it from `1.1`; whether they are equal is the caller's to say), save that exponents are
    /// written out (`1e3` is `1000`) and other notations become decimal (`0x1F` is `31`). An empty document is null.
    /// Source: kustomize's reading, see [`Reader`](crate::Reader).
    ///
    /// ```
    /// let stream = tidegate_yaml::Stream::parse("a: &x {b: 0755}\nc: *x\nd: {<<: *x, e: on}\n").unwrap();
    /// let expected = serde_json::json!({"a": {"b": 493}, "c": {"b": 493}, "d": {"e": "on", "b": 493}});
    /// assert_eq!(*stream.documents()[0].value(), expected);
    /// ```
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.content.value
    }

    /// The value alone, for whoever has no use for the text any more.
    #[must_use]
    pub fn into_value(self) -> Value {
        match Arc::try_unwrap(self.content) {
            Ok(content) => content.value,
            Err(shared) => shared.value.clone(),
        }
    }

    /// Whether there is nothing but comments.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.content.tree.is_none()
    }

    /// The document's part of the file, from its `---` line (with comments and directives before it, for the first
    /// document) to the next one's. The spans of all documents tile the file behind its byte order mark.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.offset..self.offset + self.content.text.len()
    }

    /// The key of a map entry, its anchor, tag and quotes included.
    ///
    /// None: there is no such entry, or the pointer leads to the root or a list item. For an entry reached through an
    /// alias or a merge key, see [`Document::value_span`].
    #[must_use]
    pub fn key_span(&self, at: &Pointer) -> Option<Range<usize>> {
        let tree = self.content.tree.as_ref()?;
        let node = match tree.find(at)? {
            Found::Here { node } => {
                let (parent, token) = at.split_back()?;
                let parent = tree.find(parent)?.node();
                let NodeKind::Map { entries, .. } = &tree.nodes[tree.resolved(parent)].kind else {
                    return None;
                };
                let entry = tree.entry(parent, &token.decoded())?;
                debug_assert_eq!(entries[entry].value, node);
                entries[entry].key
            }
            Found::Alias { alias, .. } => alias,
            Found::Merge { source, .. } => source,
        };
        Some(self.node_span(tree, node))
    }

    /// The value at a place, its anchor and tag included; without the comments around it.
    ///
    /// Shape: `None` where nothing is, as everywhere in an empty document; for an empty value (`key:`) an empty range behind the colon. A place inside an aliased node has no text of
    /// its own: the span is that of the alias, or of the alias or map behind `<<` that provides the key. A pointer to the alias
    /// itself gives the alias too.
    ///
    /// ```
    /// let text = "spec:\n  replicas: 2 # two\nother: *none\n".replace("*none", "[a, b]");
    /// let stream = tidegate_yaml::Stream::parse(text).unwrap();
    /// let span = stream.documents()[0].value_span(&jsonptr::Pointer::from_static("/spec/replicas")).unwrap();
    /// assert_eq!(&stream.text()[span.clone()], "2");
    /// assert_eq!(stream.position(span.start).to_string(), "2:13");
    /// ```
    #[must_use]
    pub fn value_span(&self, at: &Pointer) -> Option<Range<usize>> {
        let tree = self.content.tree.as_ref()?;
        let node = match tree.find(at)? {
            Found::Here { node } => node,
            Found::Alias { alias, .. } => alias,
            Found::Merge { source, .. } => source,
        };
        Some(self.node_span(tree, node))
    }

    fn node_span(&self, tree: &Tree, node: NodeId) -> Range<usize> {
        let node = &tree.nodes[node];
        self.offset + node.start..self.offset + node.end
    }

    /// A scalar as it is written, quotes included, anchor and tag not; also where an alias leads to it.
    ///
    /// None: nothing is there, or no scalar. Empty for `key:`.
    #[must_use]
    pub fn scalar_text(&self, at: &Pointer) -> Option<&str> {
        let tree = self.content.tree.as_ref()?;
        let node = &tree.nodes[tree.resolved(tree.find(at)?.node())];
        matches!(node.kind, NodeKind::Scalar { .. }).then(|| &self.content.text[node.content..node.end])
    }

    /// The plain scalars, keys too, that kubectl, kustomize and readers of YAML 1.2 understand differently, in the order
    /// of the file.
    ///
    /// ```
    /// let stream = tidegate_yaml::Stream::parse("env:\n- value: on\n- value: \"on\"\n").unwrap();
    /// let found = stream.documents()[0].ambiguous_scalars();
    /// assert_eq!(found.len(), 1);
    /// assert_eq!(found[0].0.as_str(), "/env/0/value");
    /// assert_eq!((&found[0].1.kubectl, &found[0].1.kustomize), (&true.into(), &"on".into()));
    /// ```
    #[must_use]
    pub fn ambiguous_scalars(&self) -> Vec<(PointerBuf, Readings)> {
        let tree = self.content.tree.as_ref();
        tree.map_or_else(Vec::new, |tree| {
            ambiguous::ambiguous(tree, &self.content.text, self.offset)
        })
    }
}

impl Content {
    pub(crate) fn new(text: String, region: Region, mut tree: Option<Tree>, cost: Cost) -> Self {
        let value = tree.as_mut().map_or(Value::Null, take_value);
        Self {
            text,
            region,
            tree,
            value,
            cost,
        }
    }
}
