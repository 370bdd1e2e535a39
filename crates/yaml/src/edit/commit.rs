//! Making an edit and reading it back.

use std::sync::Arc;

use jsonptr::PointerBuf;
use serde_json::Value;

use crate::{
    document::Document,
    edit::{
        Edit,
        habits::{Habits, line_ending},
        model::{self, unsupported},
        patch::Patch,
        plan::plan,
        replace::Form,
        text::{Draft, ended, join, unend},
    },
    error::EditError,
    limits::Cost,
    number::same,
    print::Layout,
    split::split,
    stream::{Stream, locate, read},
    tree::{Found, NodeId, Tree},
};

/// Makes one edit; `None` if no byte changes.
pub(crate) fn edit(stream: &Stream, document: usize, edit: &Edit) -> Result<Option<Stream>, EditError> {
    let content = &stream.documents()[document].content;
    if is_done(&content.value, edit) && content.tree.is_some() {
        return Ok(None);
    }
    refuse_existing(&stream.documents()[document], edit)?;
    let mut model = content.value.clone();
    model::apply(&mut model, edit)?;
    let Some(tree) = &content.tree else {
        return write_root(stream, document, &model, edit.pointer()).map(Some);
    };
    let habits = Habits::of(content);
    let draft = Draft::new(content, tree, &habits);
    let mut failure = None;
    for form in [Form::Natural, Form::Inline] {
        let attempt = plan(&draft, edit, &model, form)
            .and_then(|patches| make(stream, document, &draft, patches, &model, edit));
        match attempt {
            Ok(edited) => return Ok(Some(edited)),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(shared(&stream.documents()[document], tree, edit)
        .or(failure)
        .unwrap_or_else(|| unsupported(edit.pointer(), "no form fits")))
}

/// Whether a value is what an edit wants it to be.
pub(crate) fn is_done(value: &Value, edit: &Edit) -> bool {
    let Edit::Set { at, value: wanted } = edit else {
        return false;
    };
    model::get(value, at).is_some_and(|old| same(old, wanted))
}

fn make(
    stream: &Stream,
    document: usize,
    draft: &Draft<'_>,
    patches: Vec<Patch>,
    model: &Value,
    edit: &Edit,
) -> Result<Stream, EditError> {
    let text = draft
        .finish(patches)
        .ok_or_else(|| unsupported(edit.pointer(), "its text overlaps with itself"))?;
    reread(stream, document, text, model).map_err(|reason| unsupported(edit.pointer(), reason))
}

/// Writes the value of a document that holds none yet, behind its comments.
pub(crate) fn write_root(
    stream: &Stream,
    document: usize,
    model: &Value,
    at: &PointerBuf,
) -> Result<Stream, EditError> {
    let content = &stream.documents()[document].content;
    let (text, added) = ended(&content.text);
    let limit = content.region.end_marker.unwrap_or(text.len());
    let ending = if text.is_empty() {
        line_ending(stream.text(), 0)
    } else {
        line_ending(&text, limit)
    };
    let lines = join(&Layout::default().lines(model), 0, ending);
    let text = format!("{}{lines}{}", &text[..limit], &text[limit..]);
    reread(stream, document, unend(text, added), model).map_err(|reason| unsupported(at, reason))
}

/// The stream with another text for one document, if that reads as the value it should.
pub(crate) fn reread(
    stream: &Stream,
    document: usize,
    text: String,
    model: &Value,
) -> Result<Stream, String> {
    let edited = reread_any(stream, document, text)?;
    if same(edited.documents()[document].value(), model) {
        Ok(edited)
    } else {
        Err("the document would read as something else".to_owned())
    }
}

/// The stream with another text for one document, if that is readable.
pub(crate) fn reread_any(stream: &Stream, document: usize, text: String) -> Result<Stream, String> {
    let old = &stream.documents()[document];
    let regions = split(&text);
    let [region] = regions.as_slice() else {
        return Err("it would split the document".to_owned());
    };
    if text.starts_with('\u{feff}') || region.marker.is_some() != old.content.region.marker.is_some() {
        return Err("it would move the start of the document".to_owned());
    }
    let others = stream
        .documents()
        .iter()
        .enumerate()
        .filter(|&(number, _)| number != document);
    let spent = others.fold(Cost::default(), |sum, (_, other)| sum.plus(other.content.cost));
    let whole = stream.text();
    let span = old.span();
    if whole.len() - span.len() + text.len() > stream.limits.bytes {
        return Err(format!(
            "the file would be larger than {} bytes",
            stream.limits.bytes
        ));
    }
    let content = read(text.clone(), region.clone(), &stream.limits, spent).map_err(|error| {
        format!(
            "it would not be readable: {}",
            locate(&text, 0, document, error).message
        )
    })?;
    let mut edited = String::with_capacity(whole.len() - span.len() + text.len());
    edited.push_str(&whole[..span.start]);
    edited.push_str(&text);
    edited.push_str(&whole[span.end..]);
    // A document that ends differently may take in, or lose to, the next one.
    let starts = stream.documents().iter().enumerate().map(|(number, other)| {
        let start = other.span().start;
        if number > document {
            start - span.len() + text.len()
        } else {
            start
        }
    });
    if !split(&edited).iter().map(|region| region.span.start).eq(starts) {
        return Err("it would move the start of another document".to_owned());
    }
    let mut documents = stream.documents().to_vec();
    documents[document].content = Arc::new(content);
    for later in &mut documents[document + 1..] {
        later.offset = later.offset - span.len() + text.len();
    }
    Ok(Stream::assemble(edited, documents, stream.limits.clone()))
}

/// A key is not inserted twice. One that `<<` provides is not written in the map and may be.
pub(crate) fn refuse_existing(document: &Document, edit: &Edit) -> Result<(), EditError> {
    let (map, key) = match edit {
        Edit::Insert {
            into, key: Some(key), ..
        } => (into.clone(), key),
        Edit::Copy { from, key, .. } => (
            from.parent().map(|parent| parent.to_buf()).unwrap_or_default(),
            key,
        ),
        Edit::Rename { at, key } if at.last().is_some_and(|old| old.decoded() != key.as_str()) => {
            (at.parent().map(|parent| parent.to_buf()).unwrap_or_default(), key)
        }
        _ => return Ok(()),
    };
    let pointer = map.with_trailing_token(key.as_str());
    let found = document
        .content
        .tree
        .as_ref()
        .and_then(|tree| tree.find(&pointer));
    match found {
        None => Ok(()),
        Some(Found::Merge { depth, .. })
            if depth == pointer.count() && matches!(edit, Edit::Insert { .. }) =>
        {
            Ok(())
        }
        Some(_) => {
            let span = document.key_span(&pointer).unwrap_or_default();
            Err(EditError::Exists { pointer, span })
        }
    }
}

/// Whether the edit failed because an alias elsewhere stands for what it changes.
fn shared(document: &Document, tree: &Tree, edit: &Edit) -> Option<EditError> {
    let target = match edit {
        Edit::Set { at, .. } | Edit::Remove { at } | Edit::Rename { at, .. } => nearest(tree, at)?,
        Edit::Insert { into, .. } => nearest(tree, into)?,
        Edit::Copy { from, .. } => nearest(tree, from.parent()?)?,
    };
    let blamed = blame(tree, target)?;
    let anchor = &tree.anchors[blamed.0];
    let (node, alias) = (&tree.nodes[anchor.node], &tree.nodes[blamed.1]);
    let span = |start: usize, end: usize| document.offset + start..document.offset + end;
    Some(EditError::Shared {
        pointer: edit.pointer().clone(),
        anchor: anchor.name.clone(),
        other: tree.pointer(blamed.1),
        span: span(node.start, node.end),
        alias: span(alias.start, alias.end),
    })
}

/// The node at a place, or at the nearest place above it that is there.
fn nearest(tree: &Tree, at: &jsonptr::Pointer) -> Option<NodeId> {
    match tree.find(at) {
        Some(Found::Here { node }) => Some(node),
        Some(_) => None,
        None => nearest(tree, at.parent()?),
    }
}

/// An anchor around or inside a node with an alias outside it.
fn blame(tree: &Tree, target: NodeId) -> Option<(usize, NodeId)> {
    let mut node = target;
    loop {
        if let Some(anchor) = tree.nodes[node].anchor
            && let Some(&alias) = tree.anchors[anchor].aliases.first()
        {
            return Some((anchor, alias));
        }
        let parent = tree.nodes[node].parent;
        if parent == node {
            break;
        }
        node = parent;
    }
    let span = tree.nodes[target].start..tree.nodes[target].end;
    tree.anchors.iter().enumerate().find_map(|(index, anchor)| {
        let inside = span.contains(&anchor.start);
        let outside = |alias: &&NodeId| !span.contains(&tree.nodes[**alias].start);
        anchor
            .aliases
            .iter()
            .find(outside)
            .filter(|_| inside)
            .map(|&alias| (index, alias))
    })
}
