//! Many edits at once: those that do not meet are made in one text and read back together.
//!
//! An edit refers to the document as the edits before it leave it. As long as a place is where it was before all of them, its
//! edit can be planned in the text as it is; the first one for which that is not certain starts another round.

use std::collections::{HashMap, HashSet};

use jsonptr::Pointer;

use crate::{
    edit::{
        Edit, Place, commit, habits::Habits, model, patch::Patch, plan::plan, replace::Form, text::Draft,
    },
    error::EditError,
    stream::Stream,
    tree::{Flow, Found, NodeId, NodeKind},
};

/// Makes edits in order.
pub(crate) fn edit_all(stream: &Stream, document: usize, edits: &[Edit]) -> Result<Stream, EditError> {
    let mut stream = stream.clone();
    let mut rest = edits;
    let mut most = usize::MAX;
    while !rest.is_empty() {
        let (edited, count) = match together(&stream, document, &rest[..rest.len().min(most)]) {
            Together::Made(edited, count) => {
                most = most.saturating_mul(2);
                (Some(edited), count)
            }
            // Something among them needs another form or fails: fewer at a time lead to it.
            Together::Failed(count) if count > 1 => {
                most = count / 2;
                continue;
            }
            Together::Failed(_) => (commit::edit(&stream, document, &rest[0])?, 1),
        };
        stream = edited.unwrap_or(stream);
        rest = &rest[count..];
    }
    Ok(stream)
}

enum Together {
    /// The first so many edits are made.
    Made(Stream, usize),
    /// The first so many edits do not meet, but could not be made together.
    Failed(usize),
}

fn together(stream: &Stream, document: usize, edits: &[Edit]) -> Together {
    let content = &stream.documents()[document].content;
    let (Some(tree), true) = (&content.tree, edits.len() > 1) else {
        return Together::Failed(1);
    };
    let habits = Habits::of(content);
    let draft = Draft::new(content, tree, &habits);
    let mut model = content.value.clone();
    let mut claims = Claims::new(&draft);
    let mut patches: Vec<Patch> = Vec::new();
    let mut count = 0;
    for edit in edits {
        if commit::is_done(&model, edit) {
            count += 1;
            continue;
        }
        let fits = commit::refuse_existing(&stream.documents()[document], edit).is_ok() && claims.claim(edit);
        if !fits || model::apply(&mut model, edit).is_err() {
            break;
        }
        let Ok(planned) = plan(&draft, edit, &model, Form::Natural) else {
            return Together::Failed(count + 1);
        };
        patches.extend(planned);
        count += 1;
    }
    if count < 2 {
        return Together::Failed(1);
    }
    let text = draft.finish(patches);
    match text.map(|text| commit::reread(stream, document, text, &model)) {
        Some(Ok(edited)) => Together::Made(edited, count),
        _ => Together::Failed(count),
    }
}

/// What the entries of a collection have been through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Appended,
    Removed(usize),
    /// Once, and no further.
    Other,
}

/// The places that edits have been planned for.
struct Claims<'a, 'd> {
    draft: &'a Draft<'d>,
    /// Nodes with another text.
    gone: HashSet<NodeId>,
    /// Collections with such a node, or a change, inside.
    around: HashSet<NodeId>,
    changed: HashMap<NodeId, Change>,
    /// Keys that were added.
    added: HashSet<(NodeId, String)>,
    /// Where collections were added to: two that end at one place get in each other's way.
    ends: HashMap<usize, NodeId>,
}

impl<'a, 'd> Claims<'a, 'd> {
    fn new(draft: &'a Draft<'d>) -> Self {
        Self {
            draft,
            gone: HashSet::new(),
            around: HashSet::new(),
            changed: HashMap::new(),
            added: HashSet::new(),
            ends: HashMap::new(),
        }
    }

    /// Takes what an edit needs; false if an edit before it may have moved or changed that.
    fn claim(&mut self, edit: &Edit) -> bool {
        match edit {
            Edit::Set { at, .. } => match self.here(at) {
                Some(node) => self.replace(node),
                None if self.draft.tree.find(at).is_some() => false,
                None => {
                    let parent = at.split_back();
                    parent.is_some_and(|(parent, key)| self.append(parent, Some(&key.decoded())))
                }
            },
            Edit::Insert {
                into,
                place: Place::Last,
                key,
                ..
            } => self.append(into, key.as_deref()),
            Edit::Insert { into, .. } => {
                let container = self.here(into).filter(|&node| self.draft.len(node) > 0);
                container.is_some_and(|node| self.change(node))
            }
            Edit::Remove { at } => self.here(at).is_some_and(|node| self.remove(node)),
            Edit::Rename { at, .. } => self.entry(at),
            Edit::Copy { from, .. } => self.entry(from),
        }
    }

    /// The node that stands at a place, if it is surely still there.
    fn here(&self, at: &Pointer) -> Option<NodeId> {
        let Found::Here { node } = self.draft.tree.find(at)? else {
            return None;
        };
        let mut inner = node;
        while !self.gone.contains(&inner) {
            let parent = self.draft.node(inner).parent;
            if parent == inner {
                return Some(node);
            }
            let is_list = matches!(self.draft.node(parent).kind, NodeKind::List { .. });
            let moved = self
                .changed
                .get(&parent)
                .is_some_and(|change| *change != Change::Appended);
            if is_list && moved {
                return None;
            }
            inner = parent;
        }
        None
    }

    fn mark_around(&mut self, mut node: NodeId) {
        while self.around.insert(node) {
            node = self.draft.node(node).parent;
        }
    }

    fn replace(&mut self, node: NodeId) -> bool {
        if self.around.contains(&node) {
            return false;
        }
        self.gone.insert(node);
        self.mark_around(self.draft.node(node).parent);
        true
    }

    fn append(&mut self, at: &Pointer, key: Option<&str>) -> bool {
        let Some(node) = self.here(at).filter(|&node| self.draft.len(node) > 0) else {
            return false;
        };
        if self.draft.flow(node) != Flow::Block {
            return self.change(node);
        }
        // What was done to the last child may have moved its end.
        let last = self
            .draft
            .child(node, self.draft.len(node) - 1)
            .map(|child| child.value);
        if last.is_some_and(|last| self.gone.contains(&last) || self.around.contains(&last)) {
            return false;
        }
        let column = self.draft.column(self.draft.start(node, 0));
        let end = self
            .draft
            .extent_end(self.draft.child_end(node, self.draft.len(node) - 1), column);
        let free = *self.ends.entry(end).or_insert(node) == node;
        let change = *self.changed.entry(node).or_insert(Change::Appended);
        if !free || change != Change::Appended {
            return false;
        }
        self.mark_around(node);
        key.is_none_or(|key| self.added.insert((node, key.to_owned())))
    }

    fn remove(&mut self, node: NodeId) -> bool {
        let Some((parent, index)) = self.draft.holder(node) else {
            return false;
        };
        let is_block_map = self.draft.flow(parent) == Flow::Block
            && matches!(self.draft.node(parent).kind, NodeKind::Map { .. });
        let own_line = self.draft.first_in_line(self.draft.start(parent, index));
        if !is_block_map || !own_line {
            return !self.around.contains(&node) && self.change(parent) && self.replace(node);
        }
        let removed = match self.changed.get(&parent) {
            None => 1,
            Some(Change::Removed(count)) => count + 1,
            Some(_) => return false,
        };
        if removed >= self.draft.len(parent) || !self.replace(node) {
            return false;
        }
        self.changed.insert(parent, Change::Removed(removed));
        true
    }

    /// A change of an entry and of the map it is in.
    fn entry(&mut self, at: &Pointer) -> bool {
        let Some(node) = self.here(at).filter(|node| !self.around.contains(node)) else {
            return false;
        };
        let Some((parent, _)) = self.draft.holder(node) else {
            return false;
        };
        self.change(parent) && self.replace(node)
    }

    /// A change of a collection in which nothing has changed yet.
    fn change(&mut self, container: NodeId) -> bool {
        if self.changed.contains_key(&container) || self.around.contains(&container) {
            return false;
        }
        self.changed.insert(container, Change::Other);
        self.mark_around(container);
        true
    }
}
