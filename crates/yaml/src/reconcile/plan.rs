//! The patches that lead from a document to a wanted value, all in the text as it is.

use std::collections::HashMap;

use jsonptr::PointerBuf;
use serde_json::{Map, Value};

use crate::{
    edit::{
        block::{self, Gap},
        flow, model,
        patch::{Patch, fit},
        replace::{Form, replace},
        text::Draft,
    },
    number::same,
    reconcile::{
        Aliases, Identity,
        align::{Alignment, align},
    },
    tree::{Flow, NodeId, NodeKind, Tree},
    value::value_of,
};

pub(super) struct Plan<'a, 'd> {
    pub(super) draft: &'a Draft<'d>,
    /// The value of the whole document.
    pub(super) wanted: &'a Value,
    pub(super) identity: &'a Identity<'a>,
    pub(super) aliases: Aliases,
    pub(super) form: Form,
    pub(super) patches: Vec<Patch>,
    pub(super) again: bool,
}

impl Plan<'_, '_> {
    fn tree(&self) -> &Tree {
        self.draft.tree
    }

    fn has_aliases(&self) -> bool {
        self.tree()
            .anchors
            .iter()
            .any(|anchor| !anchor.aliases.is_empty())
    }

    pub(super) fn visit(
        &mut self,
        node: NodeId,
        old: &Value,
        wanted: &Value,
        at: &mut PointerBuf,
    ) -> Option<()> {
        if !self.has_aliases() && same(old, wanted) {
            return Some(());
        }
        match (&self.draft.tree.nodes[node].kind, old, wanted) {
            (NodeKind::Alias { target }, ..) => {
                if self.stands_for(*target, wanted) {
                    return Some(());
                }
                self.replace(node, wanted)
            }
            (NodeKind::Map { .. }, Value::Object(old), Value::Object(wanted)) if !old.is_empty() => {
                self.map(node, old, wanted, at)
            }
            (NodeKind::List { .. }, Value::Array(old), Value::Array(wanted)) if !old.is_empty() => {
                self.list(node, old, wanted, at)
            }
            _ if same(old, wanted) => Some(()),
            _ => self.replace(node, wanted),
        }
    }

    /// Whether an alias of `target` will read as the wanted value once `target` has its own.
    fn stands_for(&self, target: NodeId, wanted: &Value) -> bool {
        let place = self.tree().pointer(target);
        self.aliases == Aliases::Kept
            && model::get(self.wanted, &place).is_some_and(|value| same(value, wanted))
    }

    fn replace(&mut self, node: NodeId, wanted: &Value) -> Option<()> {
        let patches = replace(self.draft, node, wanted, self.form)
            .or_else(|| replace(self.draft, node, wanted, Form::Inline))?;
        self.patches.extend(patches);
        Some(())
    }

    fn map(
        &mut self,
        node: NodeId,
        old: &Map<String, Value>,
        wanted: &Map<String, Value>,
        at: &mut PointerBuf,
    ) -> Option<()> {
        let draft = self.draft;
        let planned = self.patches.len();
        let NodeKind::Map { entries, .. } = &draft.tree.nodes[node].kind else {
            return None;
        };
        let own: HashMap<&str, usize> = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| !entry.merge)
            .map(|(index, entry)| (entry.name.as_str(), index))
            .collect();
        let merge = entries.iter().position(|entry| entry.merge);
        let mut provided = Map::new();
        let mut edges = Edges::default();
        if let Some(merge) = merge {
            provided = self.provided(node);
            let all = provided.len();
            let lost = self.aliases == Aliases::WrittenOut || self.loses_source(node);
            provided.retain(|key, _| wanted.contains_key(key));
            match (lost || provided.len() < all, provided.is_empty()) {
                (true, true) => edges.removed.push(merge),
                (true, false) => self.replace(entries[merge].value, &Value::Object(provided.clone()))?,
                (false, _) => {}
            }
        }
        let mut last = None;
        let mut kept = entries.len() - own.len() - edges.removed.len();
        for (key, value) in wanted {
            let index = own.get(key.as_str()).copied();
            match (index, provided.get(key)) {
                (Some(index), _) => {
                    at.push_back(key.as_str());
                    self.visit(
                        entries[index].value,
                        old.get(key).unwrap_or(&Value::Null),
                        value,
                        at,
                    )?;
                    at.pop_back();
                    last = last.max(Some(index));
                    kept += 1;
                }
                (None, Some(provided)) if same(provided, value) => {}
                (None, _) => edges.insert(last, Some(key.clone()), value.clone()),
            }
        }
        edges.removed.extend(
            (0..entries.len())
                .filter(|&index| !entries[index].merge && !wanted.contains_key(&entries[index].name)),
        );
        if kept == 0 {
            // Nothing is left to hold on to.
            return self.rewrite(node, &Value::Object(wanted.clone()), planned);
        }
        self.structure(node, edges, planned, || Value::Object(wanted.clone()))
    }

    /// What `<<` will provide once the nodes it stands for have their wanted values.
    fn provided(&self, map: NodeId) -> Map<String, Value> {
        let tree = self.tree();
        let mut provided = Map::new();
        for source in tree.merge_sources(map) {
            let target = tree.resolved(source);
            let wanted = if target == source {
                None
            } else {
                model::get(self.wanted, &tree.pointer(target)).cloned()
            };
            let Value::Object(value) = wanted.unwrap_or_else(|| value_of(tree, target)) else {
                continue;
            };
            for (key, value) in value {
                provided.entry(key).or_insert(value);
            }
        }
        provided
    }

    /// Whether an alias in `<<` stands for something that is no map any more.
    fn loses_source(&self, map: NodeId) -> bool {
        let tree = self.tree();
        tree.merge_sources(map).any(|source| {
            let target = tree.resolved(source);
            target != source
                && !matches!(
                    model::get(self.wanted, &tree.pointer(target)),
                    Some(Value::Object(_))
                )
        })
    }

    fn list(&mut self, node: NodeId, old: &[Value], wanted: &[Value], at: &mut PointerBuf) -> Option<()> {
        let draft = self.draft;
        let planned = self.patches.len();
        let NodeKind::List { items, .. } = &draft.tree.nodes[node].kind else {
            return None;
        };
        let place = at.clone();
        let identity = |item: &Value| (self.identity)(&place, item);
        let Alignment::Kept(from) = align(old, wanted, &identity) else {
            return self.rewrite(node, &Value::Array(wanted.to_vec()), planned);
        };
        if from.iter().flatten().next().is_none() {
            return self.rewrite(node, &Value::Array(wanted.to_vec()), planned);
        }
        let mut edges = Edges::default();
        let mut used = vec![false; old.len()];
        let mut last = None;
        for (index, (from, value)) in from.iter().zip(wanted).enumerate() {
            match *from {
                Some(from) => {
                    at.push_back(index);
                    self.visit(items[from].value, &old[from], value, at)?;
                    at.pop_back();
                    used[from] = true;
                    last = Some(from);
                }
                None => edges.insert(last, None, value.clone()),
            }
        }
        edges.removed = (0..old.len()).filter(|&index| !used[index]).collect();
        self.structure(node, edges, planned, || Value::Array(wanted.to_vec()))
    }

    /// Writes a collection anew, in place of what was planned inside it since there were `planned` patches.
    fn rewrite(&mut self, node: NodeId, wanted: &Value, planned: usize) -> Option<()> {
        self.patches.truncate(planned);
        self.replace(node, wanted)
    }

    /// Plans the entries that come and go.
    fn structure(
        &mut self,
        node: NodeId,
        edges: Edges,
        planned: usize,
        wanted: impl Fn() -> Value,
    ) -> Option<()> {
        const MOST_IN_BRACKETS: usize = 8;
        if edges.inserted.is_empty() && edges.removed.is_empty() {
            return Some(());
        }
        let draft = self.draft;
        let many = edges.inserted.len() + edges.removed.len() > MOST_IN_BRACKETS;
        let patches = match draft.flow(node) {
            Flow::Block => self.block(node, &edges),
            Flow::Brackets { .. } if many => return self.rewrite(node, &wanted(), planned),
            Flow::Brackets { .. } => self.brackets(node, &edges)?,
            Flow::Pair => return self.rewrite(node, &wanted(), planned),
        };
        // Changes that get in each other's way wait for the text that the others leave.
        if !fit(&patches) {
            self.again = true;
            self.patches.extend(if edges.removed.is_empty() {
                Vec::new()
            } else {
                block::remove(draft, node, &edges.removed, self.form)
            });
            return Some(());
        }
        self.patches.extend(patches);
        Some(())
    }

    fn block(&self, node: NodeId, edges: &Edges) -> Vec<Patch> {
        let mut patches = Vec::new();
        for run in &edges.inserted {
            let gap = run.after.map_or(Gap::First, Gap::After);
            let lines: Vec<String> = run
                .entries
                .iter()
                .flat_map(|(key, value)| {
                    block::spell_as(self.draft, node, gap, key.as_deref(), value, self.form)
                })
                .collect();
            patches.extend(block::insert(self.draft, node, gap, &lines));
        }
        if !edges.removed.is_empty() {
            patches.extend(block::remove(self.draft, node, &edges.removed, self.form));
        }
        patches
    }

    /// One change at a time: commas belong to two neighbours.
    fn brackets(&mut self, node: NodeId, edges: &Edges) -> Option<Vec<Patch>> {
        self.again |= edges.inserted.len() + edges.removed.len() > 1;
        if let Some(run) = edges.inserted.first() {
            let spell =
                |(key, value): &(Option<String>, Value)| flow::spell(self.draft, node, key.as_deref(), value);
            let texts: Vec<String> = run.entries.iter().map(spell).collect();
            return flow::insert(self.draft, node, run.after, &texts);
        }
        flow::remove(self.draft, node, *edges.removed.first()?)
    }
}

/// The entries of one collection that come and go.
#[derive(Debug, Default)]
struct Edges {
    removed: Vec<usize>,
    inserted: Vec<Run>,
}

/// New entries that follow each other.
#[derive(Debug)]
struct Run {
    after: Option<usize>,
    entries: Vec<(Option<String>, Value)>,
}

impl Edges {
    fn insert(&mut self, after: Option<usize>, key: Option<String>, value: Value) {
        match self.inserted.last_mut() {
            Some(run) if run.after == after => run.entries.push((key, value)),
            _ => self.inserted.push(Run {
                after,
                entries: vec![(key, value)],
            }),
        }
    }
}
