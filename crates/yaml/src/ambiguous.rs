//! Plain scalars that the readers of Kubernetes files understand differently.

use std::ops::Range;

use jsonptr::PointerBuf;
use serde_json::Value;

use crate::{
    number,
    resolve::{Reader, is_timestamp, resolve},
    tree::{NodeId, NodeKind, Style, Tree},
};

/// Whether a scalar is a key of a map or something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A key; its pointer is that of the entry.
    Key,
    /// A value or a list item.
    Value,
}

/// What three readers make of one plain scalar.
///
/// Shape: at least two of the three values differ. `.inf` and the like never get here, they are refused when read.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// The scalar as written.
    pub text: String,
    /// Where it stands, in bytes of the file.
    pub span: Range<usize>,
    /// Key or value.
    pub role: Role,
    /// What kubectl, Argo CD and the API server read.
    pub kubectl: Value,
    /// What kustomize reads.
    pub kustomize: Value,
    /// What a reader of the YAML 1.2 core schema reads.
    pub yaml_1_2: Value,
}

pub(crate) fn ambiguous(tree: &Tree, text: &str, offset: usize) -> Vec<(PointerBuf, Readings)> {
    let mut found = Vec::new();
    let mut at = PointerBuf::root();
    visit(tree, tree.root, &mut at, &mut |node, at, role| {
        let node = &tree.nodes[node];
        // A tag settles the matter; an anchor does not.
        let tagged = text[node.start..node.properties_end]
            .split(' ')
            .any(|property| property.starts_with('!'));
        if tagged
            || !matches!(
                node.kind,
                NodeKind::Scalar {
                    style: Style::Plain,
                    ..
                }
            )
        {
            return;
        }
        let spelled = &text[node.content..node.end];
        let span = offset + node.content..offset + node.end;
        if let Some(readings) = readings(spelled, span, role) {
            found.push((at.clone(), readings));
        }
    });
    found
}

fn readings(text: &str, span: Range<usize>, role: Role) -> Option<Readings> {
    let read = |reader| {
        let value = resolve(text, reader).unwrap_or_else(|_| Value::String(text.to_owned()));
        match role {
            Role::Value => value,
            Role::Key if value.is_string() || value.is_null() => value,
            Role::Key => Value::String(number::as_key(&value)),
        }
    };
    let (kubectl, yaml_1_2) = (read(Reader::Kubectl), read(Reader::Yaml12));
    let kustomize = match read(Reader::Kustomize) {
        Value::String(text) if is_timestamp(&text) => Value::String(as_time(&text)),
        other => other,
    };
    if number::same(&kubectl, &kustomize) && number::same(&kubectl, &yaml_1_2) {
        return None;
    }
    Some(Readings {
        text: text.to_owned(),
        span,
        role,
        kubectl,
        kustomize,
        yaml_1_2,
    })
}

/// The form in which kustomize prints a date; a time with an hour is only marked as one.
fn as_time(text: &str) -> String {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    match (year, month, day) {
        (Some(year), Some(month), Some(day)) if day.len() <= 2 => {
            format!("{year}-{month:0>2}-{day:0>2}T00:00:00Z")
        }
        _ => format!("{text} (a time)"),
    }
}

/// Calls `with` for each scalar written in the tree, keys before their values; aliases are not followed.
fn visit(tree: &Tree, node: NodeId, at: &mut PointerBuf, with: &mut dyn FnMut(NodeId, &PointerBuf, Role)) {
    match &tree.nodes[node].kind {
        NodeKind::Scalar { .. } => with(node, at, Role::Value),
        NodeKind::Alias { .. } => {}
        NodeKind::List { items, .. } => {
            for (index, item) in items.iter().enumerate() {
                at.push_back(index);
                visit(tree, item.value, at, with);
                at.pop_back();
            }
        }
        NodeKind::Map { entries, .. } => {
            for entry in entries {
                at.push_back(entry.name.as_str());
                with(entry.key, at, Role::Key);
                visit(tree, entry.value, at, with);
                at.pop_back();
            }
        }
    }
}
