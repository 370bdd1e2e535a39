//! Edits by lines: entries of block maps and items of block lists.

use std::ops::Range;

use serde_json::Value;

use crate::{
    edit::{
        patch::Patch,
        replace::Form,
        text::{Draft, join},
    },
    print,
    scan::{line_end, line_start, skip_blanks},
    spelling::{self, Context},
    split::next_line,
    tree::{NodeId, NodeKind},
};

/// Where among the children of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    First,
    Before(usize),
    After(usize),
}

/// An entry or item as lines at column 0.
pub(crate) fn spell(draft: &Draft<'_>, container: NodeId, key: Option<&str>, value: &Value) -> Vec<String> {
    let at = draft.start(container, 0);
    let layout = draft.layout(at);
    match key {
        Some(key) => layout.entry(key, value),
        None => layout.item(value),
    }
}

/// As [`spell`], on one line if that is the form, or if lines would not be read as meant in this gap.
pub(crate) fn spell_as(
    draft: &Draft<'_>,
    container: NodeId,
    gap: Gap,
    key: Option<&str>,
    value: &Value,
    form: Form,
) -> Vec<String> {
    let column = draft.column(draft.start(container, 0));
    let fits = draft.takes_block_text(value, line_of(draft, container, gap), column);
    if form == Form::Natural && fits {
        return spell(draft, container, key, value);
    }
    let value = print::flow(value, Context::Flow);
    vec![match key {
        Some(key) => format!("{}: {value}", spelling::string(key, Context::Block)),
        None => format!("- {value}"),
    }]
}

/// Puts lines into a gap of a block collection that has children.
pub(crate) fn insert(draft: &Draft<'_>, container: NodeId, gap: Gap, lines: &[String]) -> Vec<Patch> {
    let first = draft.start(container, 0);
    let column = draft.column(first);
    let ending = draft.line_ending(first);
    let at_first = matches!(gap, Gap::First | Gap::Before(0));
    if at_first && !draft.first_in_line(first) {
        // On the line of a dash: the new entry takes the place, the old first one goes to the next line.
        let text = join(lines, column, ending);
        let text = text.trim_start_matches(' ');
        return vec![Patch::insert(first, format!("{text}{:column$}", ""))];
    }
    let at = line_of(draft, container, gap);
    vec![Patch::insert(at, join(lines, column, draft.line_ending(at)))]
}

/// The start of the line that new lines in a gap go before.
fn line_of(draft: &Draft<'_>, container: NodeId, gap: Gap) -> usize {
    let first = draft.start(container, 0);
    let column = draft.column(first);
    match gap {
        Gap::First => first_line(draft, container, column),
        Gap::Before(0) if container == draft.tree.root => line_start(&draft.text, first),
        Gap::Before(index) => before(draft, container, index, column),
        Gap::After(index) => draft.extent_end(draft.child_end(container, index), column),
    }
}

/// The line behind that of the key or dash which the collection hangs on; for the root the line of its first entry.
fn first_line(draft: &Draft<'_>, container: NodeId, column: usize) -> usize {
    let first = draft.start(container, 0);
    let node = draft.node(container);
    let head = match draft.holder(container) {
        None => return line_start(&draft.text, first),
        Some(_) if node.properties_end > node.start => node.properties_end,
        Some((parent, index)) => match &draft.node(parent).kind {
            NodeKind::Map { entries, .. } => entries[index].colon.unwrap_or(entries[index].start),
            NodeKind::List { items, .. } => items[index].start,
            _ => first,
        },
    };
    draft.absorb(next_line(&draft.text, head), column)
}

/// Above the comment lines which stand right over a child at its own column.
fn before(draft: &Draft<'_>, container: NodeId, index: usize, column: usize) -> usize {
    let start = draft.start(container, index);
    let mut at = line_start(&draft.text, start);
    let least = match index.checked_sub(1) {
        Some(before) => draft.extent_end(draft.child_end(container, before), column),
        None => first_line(draft, container, column),
    };
    while at > least {
        let above = line_start(&draft.text, previous_line_end(&draft.text, at));
        let content = skip_blanks(&draft.text, above);
        let is_comment = draft.text.as_bytes().get(content) == Some(&b'#');
        if above < least || !is_comment || content - above != column {
            break;
        }
        at = above;
    }
    at
}

/// The end of the line before the one that starts at `at`, before its line end.
fn previous_line_end(text: &str, at: usize) -> usize {
    let text = &text[..at];
    text.strip_suffix("\r\n")
        .or_else(|| text.strip_suffix(['\n', '\r']))
        .unwrap_or(text)
        .len()
}

/// Takes children away; at least one stays.
///
/// In the second form blank lines below go too: behind text of the form `|+` they would become part of it.
pub(crate) fn remove(draft: &Draft<'_>, container: NodeId, indices: &[usize], form: Form) -> Vec<Patch> {
    let column = draft.column(draft.start(container, 0));
    let lines = |index: usize| -> Range<usize> {
        let start = draft.start(container, index);
        let mut end = draft.extent_end(draft.child_end(container, index), column);
        while form == Form::Inline
            && end < draft.limit
            && line_end(&draft.text, end) == skip_blanks(&draft.text, end)
        {
            end = next_line(&draft.text, end);
        }
        line_start(&draft.text, start)..end
    };
    let mut indices = indices.to_vec();
    indices.sort_unstable();
    indices.dedup();
    let mut patches = Vec::new();
    let mut rest = indices.as_slice();
    let head = draft.start(container, 0);
    if rest.first() == Some(&0) && !draft.first_in_line(head) {
        let run = rest
            .iter()
            .enumerate()
            .take_while(|&(n, &index)| n == index)
            .count();
        let contiguous = (0..run)
            .all(|index| lines(index).end == line_start(&draft.text, draft.start(container, index + 1)));
        if contiguous {
            patches.push(Patch::delete(head..draft.start(container, run)));
            rest = &rest[run..];
        } else {
            patches.push(Patch::delete(vacate(draft, head, lines(0).end)));
            rest = &rest[1..];
        }
    }
    patches.extend(rest.iter().map(|&index| Patch::delete(lines(index))));
    patches
}

/// The text of an entry on the line of a dash, which stays alone: with the blanks behind the dash, without the line end.
fn vacate(draft: &Draft<'_>, start: usize, end: usize) -> Range<usize> {
    let before = draft.text[..start].trim_end_matches([' ', '\t']).len();
    before..previous_line_end(&draft.text, end)
}

/// The lines of a child, the first without what stands before it, all moved to column 0.
pub(crate) fn extent(draft: &Draft<'_>, container: NodeId, index: usize) -> Range<usize> {
    let start = draft.start(container, index);
    let column = draft.column(start);
    start..draft.extent_end(draft.child_end(container, index), column)
}
