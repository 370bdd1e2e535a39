//! How a document is laid out, so that new text looks like the text around it.

use crate::{
    document::Content,
    print::Layout,
    scan::line_start,
    split::next_line,
    tree::{Flow, NodeKind, Tree},
};

/// Where the document shows its habits: offsets with the columns used there, in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    steps: Vec<(usize, usize)>,
    dashes: Vec<(usize, usize)>,
}

impl Habits {
    pub(crate) fn of(content: &Content) -> Self {
        let mut habits = Self::default();
        if let Some(tree) = &content.tree {
            habits.collect(tree, &content.text);
        }
        habits.steps.sort_unstable();
        habits.dashes.sort_unstable();
        habits
    }

    fn collect(&mut self, tree: &Tree, text: &str) {
        let column = |at: usize| at - line_start(text, at);
        for node in &tree.nodes {
            let NodeKind::Map {
                flow: Flow::Block,
                entries,
            } = &node.kind
            else {
                continue;
            };
            for entry in entries {
                let own = column(entry.start);
                let value = &tree.nodes[entry.value];
                match &value.kind {
                    NodeKind::Map {
                        flow: Flow::Block,
                        entries,
                    } => {
                        let inner = column(entries[0].start);
                        if inner > own {
                            self.steps.push((entry.start, inner - own));
                        }
                    }
                    NodeKind::List {
                        flow: Flow::Block,
                        items,
                    } => {
                        let inner = column(items[0].start);
                        if inner >= own {
                            self.dashes.push((entry.start, inner - own));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// The layout used nearest to an offset; two columns and dashes at the parent's column where nothing shows.
    pub(crate) fn near(&self, offset: usize) -> Layout {
        let default = Layout::default();
        let dash = nearest(&self.dashes, offset);
        // A file that indents its lists by four says so for its maps too.
        let step = nearest(&self.steps, offset).or(dash.filter(|&dash| dash > 0));
        Layout {
            step: step.unwrap_or(default.step),
            dash: dash.unwrap_or(default.dash),
        }
    }
}

fn nearest(places: &[(usize, usize)], offset: usize) -> Option<usize> {
    let behind = places.partition_point(|&(at, _)| at < offset);
    let candidates = [behind.checked_sub(1), Some(behind)].into_iter().flatten();
    let found = candidates
        .filter_map(|index| places.get(index))
        .min_by_key(|&&(at, _)| at.abs_diff(offset));
    found.map(|&(_, columns)| columns)
}

/// The line end that stands before an offset, else the first one of the text, else a line feed.
pub(crate) fn line_ending(text: &str, offset: usize) -> &'static str {
    let before = line_start(text, offset.min(text.len()));
    let end = if before > 0 { before } else { next_line(text, 0) };
    let line = &text[..end];
    if line.ends_with("\r\n") { "\r\n" } else { "\n" }
}
