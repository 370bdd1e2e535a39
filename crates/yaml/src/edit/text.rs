//! The text of a document under edit: lines, columns, extents.
//!
//! Works on a copy that always ends with a line end, so that the last line is like any other; a line end that was added is taken away again
//! from the result.

use serde_json::Value;

use crate::{
    document::Content,
    edit::{
        habits::{Habits, line_ending},
        patch::{Patch, apply},
    },
    print::Layout,
    scan::{line_end, line_start, skip_blanks},
    spelling,
    split::next_line,
    tree::{Flow, Node, NodeId, NodeKind, Tree},
};

pub(crate) struct Draft<'a> {
    pub(crate) text: String,
    pub(crate) tree: &'a Tree,
    pub(crate) habits: &'a Habits,
    unended: Option<&'static str>,
    /// Where the document's lines end: at `...` or the end.
    pub(crate) limit: usize,
}

/// One child of a collection, seen as text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pub(crate) start: usize,
    pub(crate) value: NodeId,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(content: &Content, tree: &'a Tree, habits: &'a Habits) -> Self {
        let (text, unended) = ended(&content.text);
        let limit = content.region.end_marker.unwrap_or(text.len());
        Self {
            text,
            tree,
            habits,
            unended,
            limit,
        }
    }

    pub(crate) fn finish(&self, patches: Vec<Patch>) -> Option<String> {
        apply(&self.text, patches).map(|text| unend(text, self.unended))
    }

    pub(crate) fn node(&self, node: NodeId) -> &Node {
        &self.tree.nodes[node]
    }

    pub(crate) fn layout(&self, at: usize) -> Layout {
        self.habits.near(at)
    }

    pub(crate) fn line_ending(&self, at: usize) -> &'static str {
        line_ending(&self.text, at)
    }

    pub(crate) fn column(&self, at: usize) -> usize {
        at - line_start(&self.text, at)
    }

    /// Whether nothing but white space stands before an offset in its line.
    pub(crate) fn first_in_line(&self, at: usize) -> bool {
        skip_blanks(&self.text, line_start(&self.text, at)) >= at
    }

    /// Behind the last line that belongs to an entry of this column whose text ends at `end`: comment lines that
    /// are indented deeper belong to it, with the blank lines before them.
    pub(crate) fn extent_end(&self, end: usize, column: usize) -> usize {
        self.absorb(next_line(&self.text, end), column)
    }

    /// Moves from the start of a line over comment lines that are indented deeper than a column.
    pub(crate) fn absorb(&self, from: usize, column: usize) -> usize {
        let (mut reached, mut at) = (from, from);
        while at < self.limit {
            let content = skip_blanks(&self.text, at);
            let next = next_line(&self.text, at);
            if self.text.as_bytes().get(content) == Some(&b'#') {
                if content - at <= column {
                    break;
                }
                reached = next;
            } else if line_end(&self.text, at) != content {
                break;
            }
            at = next;
        }
        reached
    }

    /// Whether text in block form at the end of a value is read as meant if the line at `at` follows: comments that are indented
    /// deeper than `column` would become part of it, blank lines too if it is of the form `|+`, and at the end of a file without
    /// a line end it would lose its own.
    pub(crate) fn takes_block_text(&self, value: &Value, at: usize, column: usize) -> bool {
        let Some(text) = last_text(value) else { return true };
        let blank_next = at < self.limit && line_end(&self.text, at) == skip_blanks(&self.text, at);
        let kept = text.ends_with("\n\n") && blank_next;
        let unended = self.unended.is_some() && at >= self.text.len() && text.ends_with('\n');
        !kept && !unended && self.absorb(at, column) == at
    }

    pub(crate) fn flow(&self, node: NodeId) -> Flow {
        match self.node(node).kind {
            NodeKind::Map { flow, .. } | NodeKind::List { flow, .. } => flow,
            _ => Flow::Block,
        }
    }

    pub(crate) fn len(&self, container: NodeId) -> usize {
        match &self.node(container).kind {
            NodeKind::Map { entries, .. } => entries.len(),
            NodeKind::List { items, .. } => items.len(),
            _ => 0,
        }
    }

    pub(crate) fn child(&self, container: NodeId, index: usize) -> Option<Child> {
        match &self.node(container).kind {
            NodeKind::Map { entries, .. } => entries.get(index).map(|entry| Child {
                start: entry.start,
                value: entry.value,
            }),
            NodeKind::List { items, .. } => items.get(index).map(|item| Child {
                start: item.start,
                value: item.value,
            }),
            _ => None,
        }
    }

    /// Where a child starts that is known to be there.
    pub(crate) fn start(&self, container: NodeId, index: usize) -> usize {
        self.child(container, index)
            .map_or(self.node(container).content, |child| child.start)
    }

    /// Behind the last character of a child; a key without value ends behind its colon or itself.
    pub(crate) fn child_end(&self, container: NodeId, index: usize) -> usize {
        match &self.node(container).kind {
            NodeKind::Map { entries, .. } => {
                let entry = &entries[index];
                let colon = entry.colon.map_or(0, |colon| colon + 1);
                self.node(entry.value)
                    .end
                    .max(self.node(entry.key).end)
                    .max(colon)
            }
            NodeKind::List { items, .. } => self.node(items[index].value).end,
            _ => 0,
        }
    }

    /// What holds a node: its parent and its index there; `None` for the root.
    pub(crate) fn holder(&self, node: NodeId) -> Option<(NodeId, usize)> {
        let place = self.node(node);
        (node != self.tree.root).then_some((place.parent, place.index))
    }
}

/// The text in block form that a value ends with when it is written out.
fn last_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => spelling::block_indicator(&format!("{text}\n")).map(|_| text.as_str()),
        Value::Array(list) => last_text(list.last()?),
        Value::Object(map) => last_text(map.values().next_back()?),
        _ => None,
    }
}

/// The text with a line end at its end, and which one was added.
pub(crate) fn ended(text: &str) -> (String, Option<&'static str>) {
    let mut text = text.to_owned();
    if text.is_empty() || text.ends_with(['\n', '\r']) {
        return (text, None);
    }
    let ending = line_ending(&text, text.len());
    text.push_str(ending);
    (text, Some(ending))
}

/// Takes away the line end that [`ended`] added.
pub(crate) fn unend(mut text: String, added: Option<&'static str>) -> String {
    if added.is_some() && text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// Lines as text, each with its line end, indented.
pub(crate) fn join(lines: &[String], indent: usize, ending: &str) -> String {
    let mut out = String::new();
    for line in lines {
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
        out.push_str(ending);
    }
    out
}
