//! A tree to its value: aliases expanded, merge keys resolved.
//!
//! The cost was checked while the tree was made; here nothing can fail.

use serde_json::{Map, Value};

use crate::tree::{NodeId, NodeKind, Tree};

/// The value of the whole document.
///
/// The scalars of a document in which each node stands for one place are moved out of the tree, for nobody asks a node for its
/// value then; where aliases or merge keys give a node several places they stay.
pub(crate) fn take_value(tree: &mut Tree) -> Value {
    let several = tree.anchors.iter().any(|anchor| !anchor.aliases.is_empty()) || tree.merges;
    if several {
        value_of(tree, tree.root)
    } else {
        moved(tree, tree.root)
    }
}

fn moved(tree: &mut Tree, node: NodeId) -> Value {
    match &mut tree.nodes[node].kind {
        NodeKind::Scalar { value, .. } => value.take(),
        NodeKind::Alias { .. } => Value::Null,
        NodeKind::List { items, .. } => {
            let items = std::mem::take(items);
            let list = items.iter().map(|item| moved(tree, item.value)).collect();
            if let NodeKind::List { items: place, .. } = &mut tree.nodes[node].kind {
                *place = items;
            }
            list
        }
        NodeKind::Map { entries, .. } => {
            let entries = std::mem::take(entries);
            let children = entries
                .iter()
                .map(|entry| (entry.name.clone(), moved(tree, entry.value)));
            let map = children.collect();
            if let NodeKind::Map { entries: place, .. } = &mut tree.nodes[node].kind {
                *place = entries;
            }
            Value::Object(map)
        }
    }
}

/// The value of a node. Keys that `<<` provides come behind the map's own, as kustomize leaves them.
pub(crate) fn value_of(tree: &Tree, node: NodeId) -> Value {
    match &tree.nodes[node].kind {
        NodeKind::Scalar { value, .. } => value.clone(),
        NodeKind::Alias { target } => value_of(tree, *target),
        NodeKind::List { items, .. } => items.iter().map(|item| value_of(tree, item.value)).collect(),
        NodeKind::Map { entries, .. } => {
            let own = entries.iter().filter(|entry| !entry.merge);
            let mut map: Map<String, Value> = own
                .map(|entry| (entry.name.clone(), value_of(tree, entry.value)))
                .collect();
            for source in tree.merge_sources(node) {
                add_missing(&mut map, value_of(tree, source));
            }
            Value::Object(map)
        }
    }
}

fn add_missing(map: &mut Map<String, Value>, source: Value) {
    let Value::Object(source) = source else { return };
    for (key, value) in source {
        map.entry(key).or_insert(value);
    }
}
