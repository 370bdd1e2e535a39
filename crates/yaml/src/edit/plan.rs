//! One edit as patches of the document's text.

use jsonptr::{Pointer, PointerBuf};
use serde_json::Value;

use crate::{
    edit::{
        Edit, Place,
        block::{self, Gap},
        copy, flow,
        model::{self, not_found, unsupported},
        patch::Patch,
        replace::{Form, empty, replace},
        text::Draft,
    },
    error::EditError,
    tree::{Flow, Found, NodeId, NodeKind, Style},
};

type Patches = Result<Vec<Patch>, EditError>;

/// The patches for an edit; `model` is the value that the document must have afterwards.
pub(crate) fn plan(draft: &Draft<'_>, edit: &Edit, model: &Value, form: Form) -> Patches {
    let plan = Plan {
        draft,
        model,
        form,
        at: edit.pointer(),
    };
    match edit {
        Edit::Set { at, value } => plan.set(at, value),
        Edit::Insert {
            into,
            place,
            key,
            value,
        } => plan.insert(into, place, key.as_deref(), value),
        Edit::Remove { at } => plan.remove(at),
        Edit::Rename { at, key } => plan.rename(at, key),
        Edit::Copy { from, key, place } => plan.copy(from, key, place),
    }
}

struct Plan<'a, 'd> {
    draft: &'a Draft<'d>,
    model: &'a Value,
    form: Form,
    at: &'a Pointer,
}

impl Plan<'_, '_> {
    fn set(&self, at: &Pointer, value: &Value) -> Patches {
        let tree = self.draft.tree;
        if let Some(found) = tree.find(at) {
            return match found {
                Found::Here { node } => self.replace(node, value),
                found => self.through(&found, at),
            };
        }
        let (parent, key) = at.split_back().ok_or_else(|| not_found(at))?;
        match tree.find(parent).ok_or_else(|| not_found(at))? {
            Found::Here { node } if matches!(self.draft.node(node).kind, NodeKind::Map { .. }) => {
                self.insert_at(node, Gap::After(usize::MAX), Some(&key.decoded()), value)
            }
            Found::Here { node } => self.rewrite(node, parent),
            found => self.through(&found, parent),
        }
    }

    fn insert(&self, into: &Pointer, place: &Place, key: Option<&str>, value: &Value) -> Patches {
        let tree = self.draft.tree;
        let node = match tree.find(into).ok_or_else(|| not_found(into))? {
            Found::Here { node } => node,
            found => return self.through(&found, into),
        };
        let is_collection = matches!(
            self.draft.node(node).kind,
            NodeKind::Map { .. } | NodeKind::List { .. }
        );
        if !is_collection {
            return self.rewrite(node, into);
        }
        let gap = self.gap(node, into, place)?;
        self.insert_at(node, gap, key, value)
    }

    fn gap(&self, container: NodeId, into: &Pointer, place: &Place) -> Result<Gap, EditError> {
        let tree = self.draft.tree;
        let find = |name: &str| {
            let found = match &self.draft.node(container).kind {
                NodeKind::List { items, .. } => crate::tree::index(name).filter(|&at| at < items.len()),
                _ => tree.entry(container, name),
            };
            found.ok_or_else(|| not_found(&into.with_trailing_token(name)))
        };
        Ok(match place {
            Place::First => Gap::First,
            Place::Last => Gap::After(usize::MAX),
            Place::Before(name) => Gap::Before(find(name)?),
            Place::After(name) => Gap::After(find(name)?),
        })
    }

    fn insert_at(&self, container: NodeId, gap: Gap, key: Option<&str>, value: &Value) -> Patches {
        let draft = self.draft;
        match draft.flow(container) {
            Flow::Block => {
                let gap = self.in_range(container, gap);
                let lines = block::spell_as(draft, container, gap, key, value, self.form);
                Ok(self.insert_lines(container, gap, &lines))
            }
            Flow::Brackets { .. } => {
                let text = flow::spell(draft, container, key, value);
                self.insert_text(container, gap, text)
            }
            Flow::Pair => {
                let at = draft.tree.pointer(container);
                self.rewrite(container, &at)
            }
        }
    }

    /// A gap behind all children is one behind the last.
    fn in_range(&self, container: NodeId, gap: Gap) -> Gap {
        match gap {
            Gap::After(index) => Gap::After(index.min(self.draft.len(container) - 1)),
            gap => gap,
        }
    }

    fn insert_lines(&self, container: NodeId, gap: Gap, lines: &[String]) -> Vec<Patch> {
        let gap = self.in_range(container, gap);
        block::insert(self.draft, container, gap, lines)
    }

    fn insert_text(&self, container: NodeId, gap: Gap, text: String) -> Patches {
        let len = self.draft.len(container);
        let after = match gap {
            Gap::First => None,
            Gap::Before(index) => index.checked_sub(1),
            Gap::After(index) => index.min(len.wrapping_sub(1)).into(),
        };
        flow::insert(self.draft, container, after.filter(|_| len > 0), &[text])
            .ok_or_else(|| unsupported(self.at, "nothing can be added here"))
    }

    fn remove(&self, at: &Pointer) -> Patches {
        let tree = self.draft.tree;
        match tree.find(at).ok_or_else(|| not_found(at))? {
            Found::Here { node } => {
                let (parent, index) = self.draft.holder(node).ok_or_else(|| not_found(at))?;
                self.remove_children(parent, &[index])
            }
            Found::Merge { map, depth, .. } if depth == at.count() => self.unmerge(map, at),
            found => self.through(&found, at),
        }
    }

    fn remove_children(&self, parent: NodeId, indices: &[usize]) -> Patches {
        let children = self.draft.len(parent);
        if self.draft.flow(parent) == Flow::Block || self.draft.flow(parent) == Flow::Pair {
            if indices.len() < children {
                return Ok(block::remove(self.draft, parent, indices, self.form));
            }
            return empty(self.draft, parent, self.form)
                .ok_or_else(|| unsupported(self.at, "the layout here does not allow it"));
        }
        flow::remove(self.draft, parent, indices[0])
            .ok_or_else(|| unsupported(self.at, "nothing can be removed here"))
    }

    /// Takes a key out of what `<<` provides: its alias gives way to the entries that stay.
    fn unmerge(&self, map: NodeId, at: &Pointer) -> Patches {
        let tree = self.draft.tree;
        let NodeKind::Map { entries, .. } = &tree.nodes[map].kind else {
            return Err(not_found(at));
        };
        let merge = entries
            .iter()
            .position(|entry| entry.merge)
            .ok_or_else(|| not_found(at))?;
        let key = at
            .last()
            .map(|key| key.decoded().into_owned())
            .unwrap_or_default();
        let mut left = serde_json::Map::new();
        for source in tree.merge_sources(map) {
            let Value::Object(source) = crate::value::value_of(tree, source) else {
                continue;
            };
            for (name, value) in source {
                if name != key {
                    left.entry(name).or_insert(value);
                }
            }
        }
        if left.is_empty() {
            return self.remove_children(map, &[merge]);
        }
        self.replace(entries[merge].value, &Value::Object(left))
    }

    fn rename(&self, at: &Pointer, key: &str) -> Patches {
        match self.draft.tree.find(at).ok_or_else(|| not_found(at))? {
            Found::Here { node } => {
                let (parent, index) = self.draft.holder(node).ok_or_else(|| not_found(at))?;
                let NodeKind::Map { entries, .. } = &self.draft.node(parent).kind else {
                    return Err(not_found(at));
                };
                Ok(vec![copy::rekey(self.draft, parent, entries[index].key, key)])
            }
            Found::Merge { depth, .. } if depth == at.count() => {
                Err(unsupported(at, "the key comes from a merge key, `<<`"))
            }
            found => self.through(&found, at),
        }
    }

    fn copy(&self, from: &Pointer, key: &str, place: &Place) -> Patches {
        let (parent, _) = from.split_back().ok_or_else(|| not_found(from))?;
        match self.draft.tree.find(from).ok_or_else(|| not_found(from))? {
            Found::Here { node } => {
                let (container, index) = self.draft.holder(node).ok_or_else(|| not_found(from))?;
                let gap = self.gap(container, parent, place)?;
                let value = || model::get(self.model, from).cloned().unwrap_or_default();
                match self.draft.flow(container) {
                    _ if self.form == Form::Inline => self.insert_at(container, gap, Some(key), &value()),
                    Flow::Block => {
                        let before = match gap {
                            Gap::First => true,
                            Gap::Before(at) => at <= index,
                            Gap::After(at) => at < index,
                        };
                        let lines = copy::lines(self.draft, container, index, key, before);
                        Ok(self.insert_lines(container, gap, &lines))
                    }
                    Flow::Brackets { .. } => {
                        let text = copy::text(self.draft, container, index, key);
                        self.insert_text(container, gap, text)
                    }
                    Flow::Pair => self.insert_at(container, gap, Some(key), &value()),
                }
            }
            Found::Merge { map, depth, .. } if depth == from.count() => {
                let gap = self.gap(map, parent, place)?;
                let value = model::get(self.model, from).ok_or_else(|| not_found(from))?;
                self.insert_at(map, gap, Some(key), value)
            }
            found => self.through(&found, from),
        }
    }

    /// An edit inside an alias replaces the alias by a copy; inside what `<<` provides, it adds a key that wins.
    fn through(&self, found: &Found, at: &Pointer) -> Patches {
        match *found {
            Found::Here { node } => self.rewrite(node, at),
            Found::Alias { alias, depth, .. } => self.rewrite(alias, &prefix(at, depth)),
            Found::Merge { map, depth, .. } => {
                let at = prefix(at, depth);
                let value = model::get(self.model, &at).ok_or_else(|| not_found(&at))?;
                let key = at
                    .last()
                    .map(|key| key.decoded().into_owned())
                    .unwrap_or_default();
                self.insert_at(map, Gap::After(usize::MAX), Some(&key), value)
            }
        }
    }

    /// Writes a node anew with the value that its place has in the model.
    fn rewrite(&self, node: NodeId, at: &Pointer) -> Patches {
        let value = model::get(self.model, at).ok_or_else(|| not_found(at))?;
        self.replace(node, value)
    }

    fn replace(&self, node: NodeId, value: &Value) -> Patches {
        let draft = self.draft;
        if matches!(
            draft.node(node).kind,
            NodeKind::Scalar {
                style: Style::Empty,
                ..
            }
        ) && draft.holder(node).is_none()
            && draft.node(node).start == draft.node(node).end
        {
            return Err(unsupported(self.at, "the document is empty"));
        }
        replace(draft, node, value, self.form)
            .ok_or_else(|| unsupported(self.at, "the layout here does not allow it"))
    }
}

fn prefix(at: &Pointer, depth: usize) -> PointerBuf {
    PointerBuf::from_tokens(at.tokens().take(depth))
}
