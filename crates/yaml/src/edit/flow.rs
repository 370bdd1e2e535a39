//! Edits inside brackets: `{a: 1, b: [2]}`, on one line or several.

use serde_json::Value;

use crate::{
    edit::{
        patch::Patch,
        replace,
        text::{Child, Draft},
    },
    print,
    scan::{line_end, line_start, skip_blanks, skip_trivia},
    spelling::{self, Context},
    split::next_line,
    tree::{Flow, NodeId, NodeKind, Style},
};

/// Another value for one child of a collection in brackets.
pub(crate) fn replace(draft: &Draft<'_>, parent: NodeId, index: usize, value: &Value) -> Vec<Patch> {
    let Some(child) = draft.child(parent, index) else {
        return Vec::new();
    };
    let node = draft.node(child.value);
    let text = replace::restyle(draft, child.value, value, context(draft, parent));
    let text = match node.anchor {
        Some(anchor) => {
            let anchor = &draft.tree.anchors[anchor];
            format!("{} {text}", &draft.text[anchor.start..anchor.end])
        }
        None => text,
    };
    if node.start < node.end {
        return vec![Patch::new(node.start..node.end, text)];
    }
    let has_colon = match &draft.node(parent).kind {
        NodeKind::Map { entries, .. } => entries[index].colon.is_some(),
        _ => true,
    };
    vec![Patch::insert(
        node.start,
        if has_colon {
            format!(" {text}")
        } else {
            format!(": {text}")
        },
    )]
}

/// How new text is written in these brackets: as JSON where all keys around are in double quotes.
pub(crate) fn context(draft: &Draft<'_>, container: NodeId) -> Context {
    let mut node = container;
    loop {
        if let NodeKind::Map {
            flow: Flow::Brackets { .. } | Flow::Pair,
            entries,
        } = &draft.node(node).kind
            && !entries.is_empty()
        {
            let double = |key: NodeId| {
                matches!(
                    draft.node(key).kind,
                    NodeKind::Scalar {
                        style: Style::Double,
                        ..
                    }
                )
            };
            return if entries.iter().all(|entry| double(entry.key)) {
                Context::Json
            } else {
                Context::Flow
            };
        }
        let parent = draft.node(node).parent;
        if parent == node || draft.flow(parent) == Flow::Block {
            return Context::Flow;
        }
        node = parent;
    }
}

/// An entry or item as text.
pub(crate) fn spell(draft: &Draft<'_>, container: NodeId, key: Option<&str>, value: &Value) -> String {
    let context = context(draft, container);
    let value = print::flow(value, context);
    match key {
        Some(key) => format!("{}: {value}", spelling::string(key, context)),
        None => value,
    }
}

/// Puts entries, spelled already, behind the child `after`, or first.
pub(crate) fn insert(
    draft: &Draft<'_>,
    container: NodeId,
    after: Option<usize>,
    texts: &[String],
) -> Option<Vec<Patch>> {
    let Flow::Brackets { trailing_comma } = draft.flow(container) else {
        return None;
    };
    let joined = texts.join(", ");
    let Some(first) = draft.child(container, 0) else {
        return Some(vec![Patch::insert(draft.node(container).content + 1, joined)]);
    };
    let last = draft.len(container) - 1;
    let lines = |column: usize| {
        let indent = &draft.text[line_start(&draft.text, first.start)..][..column];
        (indent.to_owned(), draft.line_ending(first.start))
    };
    let Some(index) = after else {
        if draft.first_in_line(first.start)
            && draft.node(container).content < line_start(&draft.text, first.start)
        {
            let (indent, ending) = lines(draft.column(first.start));
            let text: String = texts
                .iter()
                .map(|text| format!("{indent}{text},{ending}"))
                .collect();
            return Some(vec![Patch::insert(line_start(&draft.text, first.start), text)]);
        }
        return Some(vec![Patch::insert(first.start, format!("{joined}, "))]);
    };
    let end = draft.child_end(container, index);
    let Some(line_after) = own_line(draft, container, index) else {
        return Some(vec![Patch::insert(end, format!(", {joined}"))]);
    };
    let (indent, ending) = lines(draft.column(draft.start(container, index)));
    if index < last || trailing_comma.is_some() {
        let text: String = texts
            .iter()
            .map(|text| format!("{indent}{text},{ending}"))
            .collect();
        return Some(vec![Patch::insert(line_after, text)]);
    }
    let text: Vec<String> = texts.iter().map(|text| format!("{indent}{text}")).collect();
    let text = text.join(&format!(",{ending}"));
    Some(vec![
        Patch::insert(end, ","),
        Patch::insert(line_after, format!("{text}{ending}")),
    ])
}

/// The start of the line behind a child that has its lines to itself, with its comma and a comment; `None` if it shares them.
fn own_line(draft: &Draft<'_>, container: NodeId, index: usize) -> Option<usize> {
    let text = &draft.text;
    let start = draft.start(container, index);
    let opened_above = draft.node(container).content < line_start(text, start);
    if !draft.first_in_line(start) || !opened_above {
        return None;
    }
    let end = draft.child_end(container, index);
    let mut at = skip_blanks(text, end);
    let comma = text.as_bytes().get(at) == Some(&b',');
    if comma {
        at = skip_blanks(text, at + 1);
    } else if index + 1 < draft.len(container) {
        return None;
    }
    let at_end = line_end(text, at) == at;
    let comment = text.as_bytes().get(at) == Some(&b'#');
    (at_end || comment).then(|| next_line(text, at))
}

/// Takes children away; at least one stays.
pub(crate) fn remove(draft: &Draft<'_>, container: NodeId, index: usize) -> Option<Vec<Patch>> {
    let Flow::Brackets { trailing_comma } = draft.flow(container) else {
        return None;
    };
    let text = &draft.text;
    let child = draft.child(container, index)?;
    let end = draft.child_end(container, index);
    let last = index + 1 == draft.len(container);
    let comma_behind = |from: usize| {
        let at = skip_trivia(text, from);
        (text.as_bytes().get(at) == Some(&b',')).then_some(at)
    };
    if draft.len(container) == 1 {
        let end = trailing_comma.map_or(end, |comma| comma + 1);
        return Some(vec![Patch::delete(child.start..end)]);
    }
    if let Some(line_after) = own_line(draft, container, index) {
        let mut patches = vec![Patch::delete(line_start(text, child.start)..line_after)];
        if last && trailing_comma.is_none() {
            let comma = comma_behind(draft.child_end(container, index - 1))?;
            patches.push(Patch::delete(comma..comma + 1));
        }
        return Some(patches);
    }
    let blank = |from: usize, to: usize| !text[from..to].contains(['#', '\n', '\r']);
    if let Some(before) = index.checked_sub(1) {
        let from = draft.child_end(container, before);
        if blank(from, child.start) {
            return Some(vec![Patch::delete(from..end)]);
        }
    }
    if let Some(Child { start: next, .. }) = draft.child(container, index + 1) {
        if index == 0 && !text[end..next].contains('#') {
            return Some(vec![Patch::delete(child.start..next)]);
        }
        let comma = comma_behind(end)?;
        let behind = skip_blanks(text, comma + 1);
        return Some(vec![Patch::delete(child.start..behind)]);
    }
    // The last one, with a comment or a line end between it and the one before.
    let mut patches = vec![Patch::delete(child.start..end)];
    if trailing_comma.is_none() {
        let comma = comma_behind(draft.child_end(container, index - 1))?;
        patches.push(Patch::delete(comma..comma + 1));
    }
    Some(patches)
}
