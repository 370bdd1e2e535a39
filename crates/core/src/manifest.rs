//! Kubernetes objects as values: a manifest, its reference, and an ordered set of them.

use std::collections::BTreeSet;
use std::fmt;

use jsonptr::PointerBuf;
use serde_json::Value;

use crate::diagnostic::Location;

/// Which object: apiVersion, kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Group and version, or the version alone for core kinds: `apps/v1`, `v1`.
    pub api_version: String,
    /// `Deployment`, `VirtualService`, …
    pub kind: String,
    /// The namespace, where the manifest says one.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectRef {
    /// A reference without a namespace.
    pub fn new(api_version: &str, kind: &str, name: &str) -> Self {
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: None,
            name: name.into(),
        }
    }

    /// Reads the reference of a manifest or patch; `None` where apiVersion, kind or name is missing or no text.
    pub fn of(value: &Value) -> Option<Self> {
        let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
        let metadata = value.get("metadata")?;
        Some(Self {
            api_version: text(value, "apiVersion")?,
            kind: text(value, "kind")?,
            namespace: text(metadata, "namespace"),
            name: text(metadata, "name")?,
        })
    }

    /// The same for an object of another name.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// The API group: empty for core kinds.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether this is `kind` of the API group `group`, in any version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.kind == kind && self.group() == group
    }

    /// Whether this is the object that a reference names, in any version, and in any namespace where it names none.
    pub(crate) fn is_meant_by(&self, reference: &Self) -> bool {
        self.is(reference.group(), &reference.kind)
            && self.name == reference.name
            && (reference.namespace.is_none() || reference.namespace == self.namespace)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind, self.name)
    }
}

/// A Kubernetes object and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Which object it is; equal to what `value` says.
    pub object: ObjectRef,
    /// The object.
    pub value: Value,
    /// The document it was read from, or for a generated object the place in the spec that asked for it.
    pub origin: Location,
}

impl Manifest {
    /// Text at a JSON pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }

    /// The pod template's labels of a Deployment, StatefulSet, Job, CronJob or the like.
    pub fn pod_labels(&self) -> Option<&serde_json::Map<String, Value>> {
        let template = match self.object.is("batch", "CronJob") {
            true => self.value.pointer("/spec/jobTemplate/spec/template")?,
            false => self.value.pointer("/spec/template")?,
        };
        template.pointer("/metadata/labels").and_then(Value::as_object)
    }
}

/// The manifests of one environment, in a stable order, no two with the same kind and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManifestSet {
    manifests: Vec<Manifest>,
}

impl ManifestSet {
    /// A set of these manifests; the caller has checked that no two are the same object.
    pub fn new(manifests: Vec<Manifest>) -> Self {
        Self { manifests }
    }

    /// All manifests, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Manifest> {
        self.manifests.iter()
    }

    /// The object of a kind (of an API group, in any version) with this name.
    pub fn find(&self, group: &str, kind: &str, name: &str) -> Option<&Manifest> {
        self.iter()
            .find(|manifest| manifest.object.is(group, kind) && manifest.object.name == name)
    }

    /// All objects of a kind (of an API group, in any version).
    pub fn of_kind(&self, group: &'static str, kind: &'static str) -> impl Iterator<Item = &Manifest> {
        self.iter()
            .filter(move |manifest| manifest.object.is(group, kind))
    }
}

/// Whether some text in an object, its metadata left out, is one of these names.
pub(crate) fn mentions(value: &Value, names: &BTreeSet<&str>) -> bool {
    match value {
        Value::String(text) => names.contains(text.as_str()),
        Value::Array(items) => items.iter().any(|item| mentions(item, names)),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| *key != "metadata")
            .any(|(_, field)| mentions(field, names)),
        _ => false,
    }
}

/// The first place where one value says something that another does not, or says otherwise; a place that only the
/// other has counts where its parent is.
pub fn first_difference(one: &Value, other: &Value) -> Option<PointerBuf> {
    let mut path = PointerBuf::new();
    differ(one, other, &mut path).then_some(path)
}

fn differ(one: &Value, other: &Value, path: &mut PointerBuf) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let is_missing = other.keys().any(|key| !one.contains_key(key));
            one.iter().any(|(key, inner)| match other.get(key) {
                Some(other) => differ_below(key, inner, other, path),
                None => {
                    path.push_back(key.as_str());
                    true
                }
            }) || is_missing
        }
        (Value::Array(one), Value::Array(other)) => {
            let pairs = one.iter().zip(other).enumerate();
            let is_longer = one.len() != other.len();
            pairs
                .into_iter()
                .any(|(index, (one, other))| differ_below(&index.to_string(), one, other, path))
                || is_longer
        }
        (one, other) => one != other,
    }
}

fn differ_below(key: &str, one: &Value, other: &Value, path: &mut PointerBuf) -> bool {
    path.push_back(key);
    let found = differ(one, other, path);
    if !found {
        path.pop_back();
    }
    found
}
