//! Another value in the place of a node: the node's text goes, everything around it stays.

use serde_json::Value;

use crate::{
    edit::{
        flow,
        patch::Patch,
        slot::{Below, Old, Slot, old, slot},
        text::{Draft, join},
    },
    print::{self, Layout},
    scan::{line_end, line_start, skip_blanks},
    spelling::{self, Context},
    split::next_line,
    tree::{BlockScalar, Flow, NodeId, NodeKind, Style},
};

/// How to write a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the file does.
    Natural,
    /// On one line: the way out where lines of their own would not read back.
    Inline,
}

/// The patches that put `value` in the place of `node`; `None` where this form does not fit the text.
pub(crate) fn replace(draft: &Draft<'_>, node: NodeId, value: &Value, form: Form) -> Option<Vec<Patch>> {
    write(draft, node, value, form, Below::Stays)
}

/// The patches that leave a collection without children, and without the comments that belong to the last of them.
pub(crate) fn empty(draft: &Draft<'_>, node: NodeId, form: Form) -> Option<Vec<Patch>> {
    let value = match draft.node(node).kind {
        NodeKind::List { .. } => Value::Array(Vec::new()),
        _ => Value::Object(serde_json::Map::new()),
    };
    write(draft, node, &value, form, Below::Goes)
}

fn write(draft: &Draft<'_>, node: NodeId, value: &Value, form: Form, below: Below) -> Option<Vec<Patch>> {
    let holder = draft.holder(node);
    if let Some((parent, index)) = holder
        && draft.flow(parent) != Flow::Block
    {
        return Some(flow::replace(draft, parent, index, value));
    }
    let anchor = anchor_text(draft, node);
    let slot = slot(draft, node, anchor.is_some())?;
    let layout = draft.layout(draft.node(node).start);
    let old = old(draft, node, &slot, below);
    let place = draft.node(node);
    let behind = old.rest.end.max(next_line(&draft.text, place.end));
    let fits = draft.takes_block_text(value, behind, slot.column.unwrap_or(0));
    let is_inline = form == Form::Inline || !fits || is_inline(draft, node, value);
    let own_line = slot
        .head
        .is_some_and(|head| line_end(&draft.text, head) < old.inline.start);
    if is_inline {
        let text = inline(draft, node, value);
        let text = join_words(&anchor, &text);
        let mut patches = vec![put(draft, &slot, &old, &text)];
        patches.extend((!old.rest.is_empty()).then(|| Patch::delete(old.rest)));
        return Some(patches);
    }
    if own_line
        && !matches!(
            place.kind,
            NodeKind::Scalar {
                style: Style::Block(_),
                ..
            }
        )
    {
        return replace_own_line(draft, node, value, &slot, layout);
    }
    let ending = draft.line_ending(old.rest.start);
    let (first, rest) = lines(draft, node, value, &slot, &old, layout, anchor.as_deref());
    let mut patches = Vec::new();
    if first.is_empty() {
        let from = slot.head.unwrap_or(old.inline.start);
        patches.extend((from < old.inline.end).then(|| Patch::delete(from..old.inline.end)));
    } else {
        patches.push(put(draft, &slot, &old, &first));
    }
    let rest = rest.concat_with(ending);
    if !rest.is_empty() || !old.rest.is_empty() {
        patches.push(Patch::new(old.rest, rest));
    }
    Some(patches)
}

/// Lines with the column they go to.
struct Lines {
    lines: Vec<String>,
    indent: usize,
}

impl Lines {
    fn concat_with(&self, ending: &str) -> String {
        join(&self.lines, self.indent, ending)
    }
}

fn lines(
    draft: &Draft<'_>,
    node: NodeId,
    value: &Value,
    slot: &Slot,
    old: &Old,
    layout: Layout,
    anchor: Option<&str>,
) -> (String, Lines) {
    let anchor = anchor.unwrap_or_default();
    if let Value::String(text) = value {
        let least = slot.column.map_or(0, |column| column + 1);
        let indent = body_indent(draft, node).filter(|&indent| indent >= least);
        let step = if slot.dash { 2 } else { layout.step };
        let indent = indent.unwrap_or_else(|| slot.column.unwrap_or(0) + step);
        let indicator = indicator(draft, node, text).unwrap_or("|");
        let lines = print::block_lines(text).map(str::to_owned).collect();
        return (
            join_words(&Some(anchor.to_owned()), indicator),
            Lines { lines, indent },
        );
    }
    let mut lines = layout.lines(value);
    if slot.compact && anchor.is_empty() {
        // The rest stands under the place where the first line goes.
        let lead = usize::from(old.inline.is_empty() && slot.head.is_some());
        let indent = draft.column(old.inline.start) + lead;
        let first = if lines.is_empty() {
            String::new()
        } else {
            lines.remove(0)
        };
        return (first, Lines { lines, indent });
    }
    let is_map = matches!(draft.node(node).kind, NodeKind::Map { .. }) && value.is_object();
    let is_list = matches!(draft.node(node).kind, NodeKind::List { .. }) && value.is_array();
    let same_kind = draft.flow(node) == Flow::Block && (is_map || is_list);
    let indent = match (draft.child(node, 0), slot.column) {
        (Some(child), _) if same_kind => draft.column(child.start),
        (_, None) => 0,
        (_, Some(column)) if slot.dash => column + 2,
        (_, Some(column)) if value.is_array() => column + layout.dash,
        (_, Some(column)) => column + layout.step,
    };
    (anchor.to_owned(), Lines { lines, indent })
}

/// A value that stands on a line of its own below its key.
fn replace_own_line(
    draft: &Draft<'_>,
    node: NodeId,
    value: &Value,
    slot: &Slot,
    layout: Layout,
) -> Option<Vec<Patch>> {
    let place = draft.node(node);
    let line = line_start(&draft.text, place.start);
    let alone = draft.first_in_line(place.start)
        && skip_blanks(&draft.text, place.end) == line_end(&draft.text, place.end)
        && place.start == place.content;
    let column = slot.column?;
    if !alone || value.is_string() {
        return None;
    }
    let indent = column
        + if slot.dash {
            2
        } else if value.is_array() {
            layout.dash
        } else {
            layout.step
        };
    let text = join(&layout.lines(value), indent, draft.line_ending(place.start));
    Some(vec![Patch::new(line..next_line(&draft.text, place.end), text)])
}

/// Puts text where the node's inline part is, with a space before it where none is.
fn put(draft: &Draft<'_>, slot: &Slot, old: &Old, text: &str) -> Patch {
    let blank_before = old
        .inline
        .start
        .checked_sub(1)
        .is_none_or(|at| b" \t\n\r".contains(&draft.text.as_bytes()[at]));
    let lead = if blank_before || slot.head.is_none() {
        ""
    } else {
        " "
    };
    Patch::new(old.inline.clone(), format!("{lead}{text}"))
}

/// The anchor of a node, which stays when its value is replaced.
fn anchor_text(draft: &Draft<'_>, node: NodeId) -> Option<String> {
    let anchor = &draft.tree.anchors[draft.node(node).anchor?];
    Some(draft.text[anchor.start..anchor.end].to_owned())
}

fn join_words(anchor: &Option<String>, text: &str) -> String {
    match anchor.as_deref() {
        None | Some("") => text.to_owned(),
        Some(anchor) => format!("{anchor} {text}"),
    }
}

fn is_inline(draft: &Draft<'_>, node: NodeId, value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => indicator(draft, node, text).is_none(),
        _ => true,
    }
}

/// The indicator of the block scalar that a string becomes here, if it does.
fn indicator(draft: &Draft<'_>, node: NodeId, text: &str) -> Option<&'static str> {
    let style = match draft.node(node).kind {
        NodeKind::Scalar { style, .. } => style,
        _ => Style::Plain,
    };
    match style {
        Style::Double => None,
        Style::Block(block) => {
            let folded = draft.text[..block.header_end]
                .trim_end_matches(['+', '-', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
                .ends_with('>');
            // One line is a block here because one was here before.
            let clean = spelling::block_indicator(text);
            let line = spelling::block_indicator(&format!("{text}\n"))
                .filter(|_| !text.contains('\n'))
                .map(|_| "|-");
            match (
                clean.or(line)?,
                folded && text.trim_end_matches('\n').lines().count() == 1,
            ) {
                ("|", true) => Some(">"),
                ("|-", true) => Some(">-"),
                ("|+", true) => Some(">+"),
                (indicator, _) => Some(indicator),
            }
        }
        _ => spelling::block_indicator(text),
    }
}

/// The column at which the text of a block scalar stands.
fn body_indent(draft: &Draft<'_>, node: NodeId) -> Option<usize> {
    let place = draft.node(node);
    let NodeKind::Scalar {
        style: Style::Block(BlockScalar { header_end, body }),
        ..
    } = place.kind
    else {
        return None;
    };
    if place.end <= header_end || draft.text[..header_end].ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let content = draft.text[body..place.end]
        .lines()
        .find(|line| !line.trim().is_empty())?;
    Some(content.len() - content.trim_start_matches(' ').len())
}

/// A value on one line, in the quotes that stand there now if they fit.
pub(crate) fn inline(draft: &Draft<'_>, node: NodeId, value: &Value) -> String {
    restyle(draft, node, value, Context::Block)
}

/// A scalar keeps its quotes where they can hold the new text.
pub(crate) fn restyle(draft: &Draft<'_>, node: NodeId, value: &Value, context: Context) -> String {
    let style = match draft.node(node).kind {
        NodeKind::Scalar { style, .. } => style,
        _ => Style::Plain,
    };
    match (value, style) {
        (Value::String(text), Style::Single) => {
            spelling::single(text).unwrap_or_else(|| spelling::double(text))
        }
        (Value::String(text), Style::Double) => spelling::double(text),
        (Value::Object(_) | Value::Array(_), _) => print::flow(
            value,
            if context == Context::Block {
                Context::Flow
            } else {
                context
            },
        ),
        _ => spelling::scalar(value, context),
    }
}
