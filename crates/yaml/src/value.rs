//! A tree to its value: aliases expanded, merge keys resolved.
//!
//! The cost was checked while the tree was made; here nothing can fail.

use serde_json::{Map, Value};

use crate::tree::{NodeId, NodeKind, Tree};

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
