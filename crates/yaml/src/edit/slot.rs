//! Where a node hangs and which bytes are its own: what goes when its value is replaced.

use std::ops::Range;

use crate::{
    edit::text::Draft,
    scan::line_start,
    split::next_line,
    tree::{BlockScalar, Flow, NodeId, NodeKind, Style},
};

/// The node's text in two parts.
pub(super) struct Old {
    /// On the line of the key or dash; empty where nothing stands there.
    pub(super) inline: Range<usize>,
    /// Full lines below.
    pub(super) rest: Range<usize>,
}

/// Where the node hangs.
pub(super) struct Slot {
    /// Behind the colon, dash or `---`; `None` for a root on lines of its own.
    pub(super) head: Option<usize>,
    /// Column of the key or dash; `None` for the root.
    pub(super) column: Option<usize>,
    /// Whether a collection starts on the line of what it hangs on.
    pub(super) compact: bool,
    pub(super) dash: bool,
}

/// What becomes of comment lines below a collection that are indented deeper than its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    Stays,
    Goes,
}

pub(super) fn slot(draft: &Draft<'_>, node: NodeId, anchored: bool) -> Option<Slot> {
    let Some((parent, index)) = draft.holder(node) else {
        return Some(root_slot(draft, node, anchored));
    };
    match &draft.node(parent).kind {
        NodeKind::Map { entries, .. } => {
            let entry = &entries[index];
            let column = Some(draft.column(entry.start));
            Some(Slot {
                head: Some(entry.colon? + 1),
                column,
                compact: false,
                dash: false,
            })
        }
        NodeKind::List { items, .. } => {
            let dash = items[index].start;
            Some(Slot {
                head: Some(dash + 1),
                column: Some(draft.column(dash)),
                compact: true,
                dash: true,
            })
        }
        _ => None,
    }
}

/// The root hangs on `---` if it begins on that line, or if it has an anchor, behind that.
fn root_slot(draft: &Draft<'_>, node: NodeId, anchored: bool) -> Slot {
    let start = draft.node(node).start;
    let line = line_start(&draft.text, start);
    let marker = draft.text[line..start]
        .starts_with("---")
        .then_some(line + "---".len());
    let head = marker.or(anchored.then_some(start));
    Slot {
        head,
        column: None,
        compact: head.is_none(),
        dash: false,
    }
}

pub(super) fn old(draft: &Draft<'_>, node: NodeId, slot: &Slot, below: Below) -> Old {
    let place = draft.node(node);
    let text = &draft.text;
    match &place.kind {
        NodeKind::Scalar {
            style: Style::Block(BlockScalar { header_end, body }),
            ..
        } => {
            let body_end = if place.end > *header_end {
                next_line(text, place.end)
            } else {
                *body
            };
            Old {
                inline: place.start..*header_end,
                rest: *body..body_end,
            }
        }
        NodeKind::Map {
            flow: Flow::Block, ..
        }
        | NodeKind::List {
            flow: Flow::Block, ..
        } => {
            let first = draft.start(node, 0);
            let column = draft.column(first);
            let end = match below {
                Below::Stays => next_line(text, place.end),
                Below::Goes => draft.extent_end(place.end, column),
            };
            let on_head_line = match slot.head {
                Some(head) => line_start(text, head) == line_start(text, first),
                None => true,
            };
            if on_head_line {
                return Old {
                    inline: place.start..without_line_end(text, end),
                    rest: end..end,
                };
            }
            let head = slot.head.unwrap_or(first);
            let inline = if place.properties_end > place.start {
                place.start..place.properties_end
            } else {
                head..head
            };
            Old {
                inline,
                rest: line_start(text, first)..end,
            }
        }
        _ => {
            let rest = next_line(text, place.end);
            Old {
                inline: place.start..place.end,
                rest: rest..rest,
            }
        }
    }
}

fn without_line_end(text: &str, end: usize) -> usize {
    let text = &text[..end];
    text.strip_suffix("\r\n")
        .or_else(|| text.strip_suffix(['\n', '\r']))
        .unwrap_or(text)
        .len()
}
