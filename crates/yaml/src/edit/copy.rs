//! Copies of map entries, word for word under another key.

use std::ops::Range;

use crate::{
    edit::{block, flow, patch::Patch, patch::apply, text::Draft},
    print,
    scan::skip_blanks,
    spelling::{self, Context},
    tree::{Flow, NodeId, NodeKind, Style},
};

/// Another key in the place of one, in its quotes.
pub(crate) fn rekey(draft: &Draft<'_>, map: NodeId, key: NodeId, name: &str) -> Patch {
    let node = draft.node(key);
    let context = if draft.flow(map) == Flow::Block {
        Context::Block
    } else {
        flow::context(draft, map)
    };
    let text = match node.kind {
        NodeKind::Scalar {
            style: Style::Single, ..
        } => spelling::single(name).unwrap_or_else(|| spelling::double(name)),
        NodeKind::Scalar {
            style: Style::Double, ..
        } => spelling::double(name),
        _ => spelling::string(name, context),
    };
    // Without its anchor and tag: they said something of the old key.
    let start = if node
        .anchor
        .is_some_and(|anchor| !draft.tree.anchors[anchor].aliases.is_empty())
    {
        node.content
    } else {
        node.start
    };
    Patch::new(start..node.end, text)
}

/// An entry of a block map with its comments, as lines at column 0.
pub(crate) fn lines(draft: &Draft<'_>, map: NodeId, index: usize, name: &str, before: bool) -> Vec<String> {
    let extent = block::extent(draft, map, index);
    let column = draft.column(extent.start);
    let text = rewritten(draft, map, index, name, extent, before);
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = crate::split::next_line(rest, 0);
        let line = rest[..end].trim_end_matches(['\n', '\r']);
        // The first line starts at the key; the others lose the indentation that they get back when put in.
        let indent = if lines.is_empty() { 0 } else { column };
        let own = line.len() - line.trim_start_matches(' ').len();
        lines.push(line[own.min(indent)..].to_owned());
        rest = &rest[end..];
    }
    lines
}

/// An entry of a map in brackets as text.
pub(crate) fn text(draft: &Draft<'_>, map: NodeId, index: usize, name: &str) -> String {
    let range = draft.start(map, index)..draft.child_end(map, index);
    rewritten(draft, map, index, name, range, false)
}

/// The text of an entry with another key and without the anchors in it. Where the copy comes before the original, aliases
/// of these anchors are written out.
fn rewritten(
    draft: &Draft<'_>,
    map: NodeId,
    index: usize,
    name: &str,
    range: Range<usize>,
    before: bool,
) -> String {
    let NodeKind::Map { entries, .. } = &draft.node(map).kind else {
        return String::new();
    };
    let entry = &entries[index];
    let mut patches = vec![rekey(draft, map, entry.key, name)];
    patches[0].range.start = draft.node(entry.key).start;
    let value = draft.node(entry.value).start..draft.node(entry.value).end;
    for anchor in &draft.tree.anchors {
        if anchor.start < value.start || anchor.end > value.end {
            continue;
        }
        patches.push(Patch::delete(without_blanks(
            &draft.text,
            anchor.start,
            anchor.end,
        )));
        let inside = |alias: &&NodeId| value.contains(&draft.node(**alias).start);
        for &alias in anchor.aliases.iter().filter(inside).filter(|_| before) {
            let expanded = crate::value::value_of(draft.tree, alias);
            let node = draft.node(alias);
            patches.push(Patch::new(
                node.start..node.end,
                print::flow(&expanded, Context::Flow),
            ));
        }
    }
    for patch in &mut patches {
        patch.range = patch.range.start - range.start..patch.range.end - range.start;
    }
    let text = &draft.text[range];
    apply(text, patches).unwrap_or_else(|| text.to_owned())
}

/// An anchor with the blanks that set it apart: those behind it, or at the end of a line those before it.
fn without_blanks(text: &str, start: usize, end: usize) -> Range<usize> {
    let behind = skip_blanks(text, end);
    let at_end = text
        .as_bytes()
        .get(behind)
        .is_none_or(|&b| matches!(b, b'\n' | b'\r'));
    if at_end {
        text[..start].trim_end_matches([' ', '\t']).len()..end
    } else {
        start..behind
    }
}
