//! From a document and the value it should have to the fewest edits of its text.
//!
//! Maps are compared by key, lists by [`align`]. All changes are planned in the text as it is and made at once; where two of them
//! want the same place, the rest is planned again in the result. The outcome is read back like that of any edit.

mod align;

use std::collections::HashMap;

use jsonptr::PointerBuf;
use serde_json::{Map, Value};

use crate::{
    edit::{
        block::{self, Gap},
        commit::{reread, reread_any, write_root},
        flow,
        habits::Habits,
        model::{self, unsupported},
        patch::{Patch, apply},
        replace::{Form, replace},
        text::Draft,
    },
    error::EditError,
    number::same,
    reconcile::align::{Alignment, align},
    stream::Stream,
    tree::{Flow, NodeId, NodeKind, Tree},
    value::value_of,
};

/// What tells which items of a list are the same thing: given the list's place and an item, a name for it.
type Identity<'a> = dyn Fn(&PointerBuf, &Value) -> Option<String> + 'a;

impl Stream {
    /// Changes a document so that it has the wanted value, with as little change of its text as possible.
    ///
    /// Shape: entries of maps are compared by key, and their order is left as it is; new keys go behind the key they follow in
    /// `wanted`. Items of lists are compared by value, then by what `identity` calls them (`None`: nothing), then in
    /// order; where items change places the list is written anew. What does not change keeps its bytes and its comments.
    /// An alias stays where what it stands for is still wanted, else it is written out.
    /// Errors: [`EditError::NoDocument`]; [`EditError::Unsupported`] if no text for the value is found within the limits.
    ///
    /// ```
    /// use serde_json::{Value, json};
    /// use tidegate_yaml::Stream;
    ///
    /// let stream = Stream::parse("ports:\n# web\n- name: http # main\n  port: 80\n- name: old\n").unwrap();
    /// let wanted = json!({"ports": [{"name": "http", "port": 8080}, {"name": "grpc"}]});
    /// let name = |_: &_, item: &Value| item["name"].as_str().map(str::to_owned);
    /// let edited = stream.reconcile(0, &wanted, &name).unwrap();
    /// assert_eq!(edited.text(), "ports:\n# web\n- name: http # main\n  port: 8080\n- name: grpc\n");
    /// ```
    pub fn reconcile(
        &self,
        document: usize,
        wanted: &Value,
        identity: &dyn Fn(&PointerBuf, &Value) -> Option<String>,
    ) -> Result<Self, EditError> {
        if self.documents().get(document).is_none() {
            return Err(EditError::NoDocument { document });
        }
        const MOST_ROUNDS: usize = 16;
        let attempts = [
            (Aliases::Kept, Form::Natural),
            (Aliases::Kept, Form::Inline),
            (Aliases::WrittenOut, Form::Natural),
            (Aliases::WrittenOut, Form::Inline),
        ];
        let mut stream = self.clone();
        for (aliases, form) in attempts {
            for _ in 0..MOST_ROUNDS {
                match round(&stream, document, wanted, identity, aliases, form) {
                    Round::Done(edited) => return Ok(edited),
                    Round::Again(edited) => stream = edited,
                    Round::Differs(edited) => {
                        stream = edited;
                        break;
                    }
                    Round::Failed => break,
                }
            }
        }
        anew(&stream, document, wanted)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aliases {
    Kept,
    WrittenOut,
}

enum Round {
    Done(Stream),
    /// Something is left to do in the text as it is now.
    Again(Stream),
    /// All was done, yet the text reads as something else in places, which another form may mend.
    Differs(Stream),
    Failed,
}

fn round(
    stream: &Stream,
    document: usize,
    wanted: &Value,
    identity: &Identity<'_>,
    aliases: Aliases,
    form: Form,
) -> Round {
    let content = &stream.documents()[document].content;
    if same(&content.value, wanted) {
        return Round::Done(stream.clone());
    }
    let Some(tree) = &content.tree else {
        return write_root(stream, document, wanted, &PointerBuf::root()).map_or(Round::Failed, Round::Done);
    };
    let habits = Habits::of(content);
    let draft = Draft::new(content, tree, &habits);
    let mut plan = Plan {
        draft: &draft,
        wanted,
        identity,
        aliases,
        form,
        patches: Vec::new(),
        again: false,
    };
    let planned = plan.visit(tree.root, &content.value, wanted, &mut PointerBuf::root());
    let Plan { patches, again, .. } = plan;
    let text = planned
        .filter(|()| !patches.is_empty())
        .and_then(|()| draft.finish(patches));
    let Some(text) = text else { return Round::Failed };
    match reread_any(stream, document, text) {
        Err(_) => Round::Failed,
        Ok(edited) if same(edited.documents()[document].value(), wanted) => Round::Done(edited),
        Ok(edited) if again => Round::Again(edited),
        Ok(edited) => Round::Differs(edited),
    }
}

/// The whole document written anew; its comments outside the root stay.
fn anew(stream: &Stream, document: usize, wanted: &Value) -> Result<Stream, EditError> {
    let content = &stream.documents()[document].content;
    let failed = |reason: String| unsupported(&PointerBuf::root(), reason);
    let Some(tree) = &content.tree else {
        return write_root(stream, document, wanted, &PointerBuf::root());
    };
    let habits = Habits::of(content);
    let draft = Draft::new(content, tree, &habits);
    let mut failure = "no text for the wanted value was found".to_owned();
    for form in [Form::Natural, Form::Inline] {
        let text = replace(&draft, tree.root, wanted, form).and_then(|patches| draft.finish(patches));
        match text.map(|text| reread(stream, document, text, wanted)) {
            Some(Ok(edited)) => return Ok(edited),
            Some(Err(reason)) => failure = reason,
            None => {}
        }
    }
    Err(failed(failure))
}

struct Plan<'a, 'd> {
    draft: &'a Draft<'d>,
    /// The value of the whole document.
    wanted: &'a Value,
    identity: &'a Identity<'a>,
    aliases: Aliases,
    form: Form,
    patches: Vec<Patch>,
    again: bool,
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

    fn visit(&mut self, node: NodeId, old: &Value, wanted: &Value, at: &mut PointerBuf) -> Option<()> {
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
            return self.rewrite(node, &Value::Object(wanted.clone()));
        }
        self.structure(node, edges, || Value::Object(wanted.clone()))
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
        let NodeKind::List { items, .. } = &draft.tree.nodes[node].kind else {
            return None;
        };
        let place = at.clone();
        let identity = |item: &Value| (self.identity)(&place, item);
        let Alignment::Kept(from) = align(old, wanted, &identity) else {
            return self.rewrite(node, &Value::Array(wanted.to_vec()));
        };
        if from.iter().flatten().next().is_none() {
            return self.rewrite(node, &Value::Array(wanted.to_vec()));
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
        self.structure(node, edges, || Value::Array(wanted.to_vec()))
    }

    /// Writes a collection anew, in place of all that was planned inside it.
    fn rewrite(&mut self, node: NodeId, wanted: &Value) -> Option<()> {
        let span = self.draft.node(node).start..self.draft.node(node).end;
        self.patches
            .retain(|patch| patch.range.start < span.start || patch.range.end > span.end);
        self.replace(node, wanted)
    }

    /// Plans the entries that come and go.
    fn structure(&mut self, node: NodeId, edges: Edges, wanted: impl Fn() -> Value) -> Option<()> {
        const MOST_IN_BRACKETS: usize = 8;
        if edges.inserted.is_empty() && edges.removed.is_empty() {
            return Some(());
        }
        let draft = self.draft;
        let many = edges.inserted.len() + edges.removed.len() > MOST_IN_BRACKETS;
        let patches = match draft.flow(node) {
            Flow::Block => self.block(node, &edges),
            Flow::Brackets { .. } if many => return self.rewrite(node, &wanted()),
            Flow::Brackets { .. } => self.brackets(node, &edges)?,
            Flow::Pair => return self.rewrite(node, &wanted()),
        };
        // Changes that get in each other's way wait for the text that the others leave.
        if apply(&draft.text, patches.clone()).is_none() {
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
