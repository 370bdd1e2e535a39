//! One document's text to its tree: drives the parser, places every node by its bytes, enforces the limits.
//!
//! The parser's events say what is there; a cursor that walks the text beside them says where ([`cursor`]). The events' own ends are
//! used only where they are exact: those of plain scalars, aliases and block text. Everything between two
//! nodes is white space, comments and the indicators `- ? : , [ ] { }`, so the cursor never has to guess.

mod cursor;
mod entries;
mod nodes;

use std::{collections::HashMap, sync::OnceLock};

use saphyr_parser::{Event, Parser, Span};

use crate::{
    error::Kind,
    limits::{Budget, Cost},
    scan::{Chars, control_character, untab},
    tree::{Anchor, Entry, Flow, Item, Node, NodeId, NodeKind, Style, Tree},
};

/// A mistake in one document; offsets count in its region.
#[derive(Debug)]
pub(crate) struct LoadError {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) offset: usize,
    pub(crate) related: Option<usize>,
    pub(crate) path: Vec<String>,
}

type Result<T> = std::result::Result<T, LoadError>;

/// Reads the region of one document; `None` if it holds nothing but comments.
pub(crate) fn load(text: &str, budget: &mut Budget<'_>) -> Result<Option<Tree>> {
    if let Some(offset) = control_character(text) {
        let c = text[offset..].chars().next().map_or(0, u32::from);
        return Err(fail(
            Kind::Control,
            offset,
            format!("control character U+{c:04X} must be escaped"),
        ));
    }
    let untouched = budget.clone();
    let mut patched: Option<String> = None;
    // The parser refuses some tabs which are legal separation and which Go reads. They are replaced in a copy, byte for byte,
    // where it stumbles. Each such place costs a reading, so their number is bounded by the text's size.
    let mut readings = ((64 << 20) / (text.len() + 1)).clamp(8, 10_000);
    loop {
        *budget = untouched.clone();
        let source = patched.as_deref().unwrap_or(text);
        let mut loader = Loader::new(text, budget);
        let Err(failure) = loader.run(source) else {
            loader
                .budget
                .finish()
                .map_err(|(kind, message)| fail(kind, 0, message))?;
            return Ok(loader.into_tree());
        };
        let repaired = failure.tab.and_then(|at| untab(source, at, failure.in_flow));
        match repaired {
            Some(repaired) if readings > 0 => patched = Some(repaired),
            _ => return Err(failure.error),
        }
        readings -= 1;
    }
}

fn fail(kind: Kind, offset: usize, message: impl Into<String>) -> LoadError {
    LoadError {
        kind,
        message: message.into(),
        offset,
        related: None,
        path: Vec::new(),
    }
}

struct Failure {
    error: LoadError,
    /// Where the parser stumbled over a tab, if it did.
    tab: Option<usize>,
    in_flow: bool,
}

/// A collection that is still open.
struct Frame {
    node: NodeId,
    /// The parser's number of the node's anchor, 0 without one.
    anchor: usize,
    /// Whether a collection inside is open.
    busy: bool,
    flow: Flow,
    content: Content,
    /// What the node costs so far, for aliases of it.
    cost: Cost,
    /// Levels of collections inside it, itself included.
    height: usize,
}

enum Content {
    Map {
        entries: Vec<Entry>,
        key: Option<PendingKey>,
    },
    List {
        items: Vec<Item>,
    },
}

struct PendingKey {
    start: usize,
    node: NodeId,
    name: String,
    merge: bool,
}

struct Loader<'t, 'b, 'l> {
    text: &'t str,
    chars: Chars,
    /// Everything before is consumed.
    cursor: usize,
    nodes: Vec<Node>,
    /// For each finished node: what it costs and how deep it is, for aliases of it.
    anchors: Vec<Anchor>,
    anchored: HashMap<usize, Anchored>,
    stack: Vec<Frame>,
    root: Option<NodeId>,
    documents: usize,
    merges: bool,
    budget: &'b mut Budget<'l>,
}

/// What the parser's anchor number stands for.
struct Anchored {
    index: usize,
    node: NodeId,
    /// Unknown while the node is open.
    measure: Option<(Cost, usize)>,
}

impl<'t, 'b, 'l> Loader<'t, 'b, 'l> {
    fn new(text: &'t str, budget: &'b mut Budget<'l>) -> Self {
        // About one node in twelve bytes; larger texts grow into their size.
        let expected = (text.len() / 12).min(512);
        Self {
            text,
            chars: Chars::new(text),
            cursor: 0,
            nodes: Vec::with_capacity(expected),
            anchors: Vec::new(),
            anchored: HashMap::new(),
            stack: Vec::new(),
            root: None,
            documents: 0,
            merges: false,
            budget,
        }
    }

    fn run(&mut self, source: &str) -> std::result::Result<(), Failure> {
        let parser = Parser::new_from_str(source);
        for event in parser {
            let outcome = match event {
                Ok((event, span)) => self.event(event, span),
                Err(error) => {
                    let offset = self.chars.byte(error.marker().index());
                    let in_flow = self.stack.last().is_some_and(|frame| frame.flow != Flow::Block);
                    let tab = error.info().contains("whitespace") || error.info().contains("tabs disallowed");
                    let mut failure = self.syntax_error(offset, error.info());
                    failure.path = self.path();
                    return Err(Failure {
                        error: failure,
                        tab: tab.then_some(offset),
                        in_flow,
                    });
                }
            };
            if let Err(mut error) = outcome {
                error.path.splice(0..0, self.path());
                return Err(Failure {
                    error,
                    tab: None,
                    in_flow: false,
                });
            }
        }
        Ok(())
    }

    fn into_tree(mut self) -> Option<Tree> {
        let root = self.root?;
        self.nodes.shrink_to_fit();
        let is_empty = matches!(
            self.nodes[root].kind,
            NodeKind::Scalar {
                style: Style::Empty,
                ..
            }
        ) && self.nodes[root].properties_end == self.nodes[root].start;
        if is_empty {
            None
        } else {
            Some(Tree {
                nodes: self.nodes,
                root,
                anchors: self.anchors,
                merges: self.merges,
                wide: OnceLock::new(),
            })
        }
    }

    /// The keys around the place where reading is.
    fn path(&self) -> Vec<String> {
        let mut path = Vec::new();
        for frame in &self.stack {
            match &frame.content {
                Content::Map { key: Some(key), .. } => path.push(key.name.clone()),
                Content::Map { key: None, .. } => {}
                Content::List { items } => path.push((items.len() - usize::from(frame.busy)).to_string()),
            }
        }
        path
    }

    /// The parser's words, save where they speak of its inside.
    fn syntax_error(&self, offset: usize, info: &str) -> LoadError {
        if info.contains("recursion limit") {
            return self.too_deep(offset);
        }
        if info.contains("unknown anchor") {
            return fail(
                Kind::Alias,
                offset,
                "alias of an anchor that is not defined before it",
            );
        }
        let message = if info.contains("<document start>") {
            "the document has ended before this text"
        } else {
            info
        };
        fail(Kind::Syntax, offset, crate::error::visible(message))
    }

    fn too_deep(&self, offset: usize) -> LoadError {
        fail(
            Kind::Limit,
            offset,
            format!("nested deeper than {} levels", self.budget.limits.depth),
        )
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(explicit) => self.document(explicit, span),
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(value, style, anchor, tag) => {
                self.scalar(&value, style, anchor, tag.as_deref(), span)
            }
            Event::SequenceStart(anchor, tag) => self.open(false, anchor, tag.as_deref(), span),
            Event::MappingStart(anchor, tag) => self.open(true, anchor, tag.as_deref(), span),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn document(&mut self, explicit: bool, span: Span) -> Result<()> {
        self.documents += 1;
        let offset = self.chars.byte(span.start.index());
        if self.documents > 1 {
            return Err(fail(
                Kind::Syntax,
                offset,
                "a second document starts without `---`",
            ));
        }
        // Without a marker the parser may be past the head of a block scalar already.
        self.cursor = if explicit { offset + "---".len() } else { 0 };
        Ok(())
    }
}

/// The node is not where the events and the text together say it should be: a form of YAML this crate does not know.
fn unplaced(offset: usize) -> LoadError {
    fail(Kind::Syntax, offset, "this form of YAML is not supported")
}
