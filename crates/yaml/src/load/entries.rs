//! Finished nodes to their places: keys, values, items.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    error::Kind,
    limits::Cost,
    load::{Content, Frame, LoadError, Loader, PendingKey, Result, cursor::Start, fail},
    scan::{line_end, skip_trivia},
    tree::{Entry, Flow, Item, NodeId, NodeKind},
};

impl Loader<'_, '_, '_> {
    pub(super) fn is_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    pub(super) fn complex_key(&self, is_map: bool, place: &Start) -> LoadError {
        let bytes = self.text.as_bytes();
        let doubled = |at: usize| bytes.get(at) == Some(&b'{');
        let brace = place.content;
        let closed = self.text[brace..line_end(self.text, brace)].contains("}}");
        if is_map && closed && doubled(brace) && (doubled(brace + 1) || brace > 0 && doubled(brace - 1)) {
            let start = if doubled(brace + 1) { brace } else { brace - 1 };
            return fail(Kind::Hole, start, "template hole `{{ … }}` was not filled in");
        }
        let what = if is_map { "a map" } else { "a list" };
        fail(
            Kind::Key,
            place.start,
            format!("a key must be a string, not {what}"),
        )
    }

    /// Puts a finished scalar or alias where it belongs.
    pub(super) fn attach(
        &mut self,
        node: NodeId,
        entry: Option<usize>,
        cost: Cost,
        height: usize,
    ) -> Result<()> {
        if self.is_key() {
            self.measure_child(cost, height);
            let name = self.key_name(node)?;
            return self.attach_key(node, entry, name, false);
        }
        self.measure_child(cost, height);
        if self.stack.is_empty() {
            self.root = Some(node);
            return Ok(());
        }
        self.begin_child(node, entry);
        self.finish_child(node);
        Ok(())
    }

    pub(super) fn attach_key(
        &mut self,
        node: NodeId,
        entry: Option<usize>,
        name: String,
        merge: bool,
    ) -> Result<()> {
        let start = entry.unwrap_or(self.nodes[node].start);
        if let Some(Frame {
            content: Content::Map { key, .. },
            ..
        }) = self.stack.last_mut()
        {
            *key = Some(PendingKey {
                start,
                node,
                name,
                merge,
            });
        }
        Ok(())
    }

    pub(super) fn key_name(&mut self, node: NodeId) -> Result<String> {
        let resolved = match self.nodes[node].kind {
            NodeKind::Alias { target } => target,
            _ => node,
        };
        let place = &mut self.nodes[resolved];
        let wrong = match &mut place.kind {
            NodeKind::Scalar {
                value: Value::Null, ..
            } => "null",
            // The key's text is kept with its entry; only an anchored key may be asked for it again.
            NodeKind::Scalar {
                value: Value::String(text),
                ..
            } if place.anchor.is_none() => return Ok(std::mem::take(text)),
            NodeKind::Scalar {
                value: Value::String(text),
                ..
            } => return Ok(text.clone()),
            NodeKind::Scalar { value, .. } => return Ok(crate::number::as_key(value)),
            _ => "a map or a list",
        };
        Err(fail(
            Kind::Key,
            self.nodes[node].start,
            format!("a key must be a string, not {wrong}"),
        ))
    }

    /// Notes a value's place in its parent as soon as it starts, so that the path is right inside it.
    pub(super) fn begin_child(&mut self, node: NodeId, entry: Option<usize>) {
        let start = entry.unwrap_or(self.nodes[node].start);
        if let Some(Frame {
            content: Content::List { items },
            flow,
            ..
        }) = self.stack.last_mut()
        {
            let start = if *flow == Flow::Block {
                start
            } else {
                self.nodes[node].start
            };
            self.nodes[node].index = items.len();
            items.push(Item { start, value: node });
        }
    }

    pub(super) fn finish_child(&mut self, node: NodeId) {
        let Some(Frame {
            content: Content::Map { entries, key },
            ..
        }) = self.stack.last_mut()
        else {
            return;
        };
        let Some(PendingKey {
            start,
            node: key,
            name,
            merge,
        }) = key.take()
        else {
            return;
        };
        let behind = skip_trivia(self.text, self.nodes[key].end);
        let colon = (self.text.as_bytes().get(behind) == Some(&b':')).then_some(behind);
        let colon =
            colon.filter(|&colon| colon < self.nodes[node].start || self.nodes[node].start == colon + 1);
        self.nodes[node].index = entries.len();
        self.nodes[key].index = entries.len();
        entries.push(Entry {
            start,
            key,
            name,
            merge,
            colon,
            value: node,
        });
    }

    pub(super) fn measure_child(&mut self, cost: Cost, height: usize) {
        if let Some(frame) = self.stack.last_mut() {
            frame.cost = frame.cost.plus(cost);
            frame.height = frame.height.max(height + 1);
        }
    }
}

/// The first key that is there twice, as (second, first).
pub(super) fn duplicate(entries: &[Entry]) -> Option<(usize, usize)> {
    // Few keys are compared with each other; a table pays only for many.
    const FEW: usize = 12;
    let key = |entry: &Entry| (entry.merge, entry.name.clone());
    if entries.len() <= FEW {
        return (1..entries.len()).find_map(|second| {
            let same = |first: &usize| {
                entries[*first].name == entries[second].name && entries[*first].merge == entries[second].merge
            };
            (0..second).find(same).map(|first| (second, first))
        });
    }
    let mut seen = HashMap::with_capacity(entries.len());
    entries
        .iter()
        .enumerate()
        .find_map(|(second, entry)| seen.insert(key(entry), second).map(|first| (second, first)))
}
