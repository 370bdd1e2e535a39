//! A document as written: each node with its bytes, its style and its anchor.
//!
//! Built by [`load`](crate::load), read by everything that needs places. Offsets count in the document's region.

use std::{collections::HashMap, sync::OnceLock};

use jsonptr::{Pointer, PointerBuf};
use serde_json::Value;

/// Index of a node in [`Tree::nodes`].
pub(crate) type NodeId = usize;

#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: NodeId,
    /// Anchored nodes in the order of their anchors, with the aliases of each.
    pub(crate) anchors: Vec<Anchor>,
    /// Whether a map has a merge key.
    pub(crate) merges: bool,
    /// The keys of maps with many entries, made when first asked for.
    pub(crate) wide: OnceLock<HashMap<NodeId, HashMap<String, usize>>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Anchor {
    pub(crate) name: String,
    pub(crate) node: NodeId,
    pub(crate) aliases: Vec<NodeId>,
    /// The anchor's text, ampersand included.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// Start of the node, its anchor and tag included.
    pub(crate) start: usize,
    /// Where anchor and tag end; `start` if there is neither.
    pub(crate) properties_end: usize,
    /// Start of the node's own text.
    pub(crate) content: usize,
    /// Behind the last character of the node.
    pub(crate) end: usize,
    /// Index in [`Tree::anchors`].
    pub(crate) anchor: Option<usize>,
    /// The map or list around it; the root is its own parent.
    pub(crate) parent: NodeId,
    /// Index of the entry or item in the parent; a key has that of its entry.
    pub(crate) index: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Scalar { style: Style, value: Value },
    Alias { target: NodeId },
    Map { flow: Flow, entries: Vec<Entry> },
    List { flow: Flow, items: Vec<Item> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Nothing is written.
    Empty,
    Plain,
    Single,
    Double,
    Block(BlockScalar),
}

/// A scalar of the form `|` or `>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockScalar {
    /// Behind `|2-`.
    pub(crate) header_end: usize,
    /// Start of the line behind the header.
    pub(crate) body: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// By lines.
    Block,
    /// In brackets; where the comma behind the last entry is, if there is one.
    Brackets { trailing_comma: Option<usize> },
    /// The one pair of `[a: b]`, without brackets of its own.
    Pair,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Start of the key, or of the `?` before it.
    pub(crate) start: usize,
    pub(crate) key: NodeId,
    pub(crate) name: String,
    /// A plain `<<`.
    pub(crate) merge: bool,
    pub(crate) colon: Option<usize>,
    pub(crate) value: NodeId,
}

#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The dash, or the start of the value in brackets.
    pub(crate) start: usize,
    pub(crate) value: NodeId,
}

/// Where a pointer leads in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// To a node that is written at this place; `entry` is its index in its parent.
    Here { node: NodeId },
    /// Through an alias at `alias`, which stands for the place of the first `depth` tokens.
    Alias {
        alias: NodeId,
        depth: usize,
        node: NodeId,
    },
    /// To a key which the map's `<<` provides, at the place of the first `depth` tokens; `source` is the alias or
    /// map that provides it.
    Merge {
        map: NodeId,
        source: NodeId,
        depth: usize,
        node: NodeId,
    },
}

impl Found {
    /// The node with the value, wherever it is written.
    pub(crate) fn node(&self) -> NodeId {
        match *self {
            Self::Here { node } | Self::Alias { node, .. } | Self::Merge { node, .. } => node,
        }
    }
}

impl Tree {
    /// Follows a pointer, through aliases and merge keys; remembers the first of these that was passed.
    pub(crate) fn find(&self, at: &Pointer) -> Option<Found> {
        let mut found = Found::Here { node: self.root };
        for (depth, token) in at.tokens().enumerate() {
            let mut node = found.node();
            if let NodeKind::Alias { target } = self.nodes[node].kind {
                if let Found::Here { .. } = found {
                    found = Found::Alias {
                        alias: node,
                        depth,
                        node: target,
                    };
                }
                node = self.resolved(target);
            }
            let (source, child) = self.child(node, &token.decoded())?;
            found = match (found, source) {
                (Found::Here { .. }, None) => Found::Here { node: child },
                (Found::Here { .. }, Some(source)) => Found::Merge {
                    map: node,
                    source,
                    depth: depth + 1,
                    node: child,
                },
                (Found::Alias { alias, depth, .. }, _) => Found::Alias {
                    alias,
                    depth,
                    node: child,
                },
                (
                    Found::Merge {
                        map, source, depth, ..
                    },
                    _,
                ) => Found::Merge {
                    map,
                    source,
                    depth,
                    node: child,
                },
            };
        }
        Some(found)
    }

    /// The node an alias stands for, else the node itself.
    pub(crate) fn resolved(&self, mut node: NodeId) -> NodeId {
        while let NodeKind::Alias { target } = self.nodes[node].kind {
            node = target;
        }
        node
    }

    /// A child by its token; with the alias or map in `<<` that it came from, if it did.
    fn child(&self, node: NodeId, token: &str) -> Option<(Option<NodeId>, NodeId)> {
        match &self.nodes[node].kind {
            NodeKind::Map { entries, .. } => {
                if let Some(index) = self.entry(node, token) {
                    return Some((None, entries[index].value));
                }
                self.merge_sources(node).find_map(|source| {
                    let (_, child) = self.child(self.resolved(source), token)?;
                    Some((Some(source), child))
                })
            }
            NodeKind::List { items, .. } => Some((None, items.get(index(token)?)?.value)),
            NodeKind::Scalar { .. } | NodeKind::Alias { .. } => None,
        }
    }

    /// The aliases and maps in the `<<` of a map, those that win first.
    pub(crate) fn merge_sources(&self, map: NodeId) -> impl Iterator<Item = NodeId> {
        let merge = match &self.nodes[map].kind {
            NodeKind::Map { entries, .. } => entries.iter().find(|entry| entry.merge),
            _ => None,
        };
        merge
            .into_iter()
            .flat_map(|entry| match &self.nodes[entry.value].kind {
                NodeKind::List { items, .. } => items.iter().map(|item| item.value).collect(),
                _ => vec![entry.value],
            })
    }

    /// The place of a node.
    pub(crate) fn pointer(&self, mut node: NodeId) -> PointerBuf {
        let mut tokens = Vec::new();
        loop {
            let parent = self.nodes[node].parent;
            if parent == node {
                break;
            }
            let index = self.nodes[node].index;
            tokens.push(match &self.nodes[parent].kind {
                NodeKind::Map { entries, .. } => entries[index].name.clone(),
                _ => index.to_string(),
            });
            node = parent;
        }
        PointerBuf::from_tokens(tokens.iter().rev().map(String::as_str))
    }

    /// The index of an own entry of a map.
    pub(crate) fn entry(&self, map: NodeId, key: &str) -> Option<usize> {
        const WIDE: usize = 32;
        match &self.nodes[map].kind {
            NodeKind::Map { entries, .. } if entries.len() < WIDE => {
                entries.iter().position(|entry| entry.name == key && !entry.merge)
            }
            NodeKind::Map { .. } => self
                .wide
                .get_or_init(|| self.index_wide(WIDE))
                .get(&map)?
                .get(key)
                .copied(),
            _ => None,
        }
    }

    fn index_wide(&self, least: usize) -> HashMap<NodeId, HashMap<String, usize>> {
        let maps = self
            .nodes
            .iter()
            .enumerate()
            .filter_map(|(id, node)| match &node.kind {
                NodeKind::Map { entries, .. } if entries.len() >= least => Some((id, entries)),
                _ => None,
            });
        let keys = |entries: &[Entry]| {
            let own = entries.iter().enumerate().filter(|(_, entry)| !entry.merge);
            own.map(|(index, entry)| (entry.name.clone(), index)).collect()
        };
        maps.map(|(id, entries)| (id, keys(entries))).collect()
    }
}

/// An index in a list, strictly as RFC 6901 has it: no sign, no leading zero.
pub(crate) fn index(token: &str) -> Option<usize> {
    let strict = token == "0" || (token.bytes().all(|b| b.is_ascii_digit()) && !token.starts_with('0'));
    if strict { token.parse().ok() } else { None }
}
