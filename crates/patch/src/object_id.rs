//! Which object is which.

use std::fmt;

use serde_json::Value;

use crate::error::{PatchError, Reason};
use crate::list_keys::{Rules, Scope};
use crate::trail::Trail;

/// What tells one object from another.
///
/// Shape: the four fields as they are written; no namespace is `None`, also where it is written as an empty string.
/// Source: kustomize `kyaml/resid` (`ResId`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Group and version, such as `apps/v1`; the core group has only a version.
    pub api_version: String,
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Namespace, if the object names one.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// Reads the identity of an object, or of the object that a patch is for.
    ///
    /// # Errors
    /// [`Reason::NotAMap`] and [`Reason::NoIdentity`]: `apiVersion`, `kind` and `metadata.name` must be strings that are not empty.
    pub fn of(value: &Value) -> Result<Self, PatchError> {
        let root = Trail::ROOT;
        let Some(fields) = value.as_object() else {
            return Err(root.in_patch(Reason::NotAMap {
                found: crate::error::Shape::of(value),
            }));
        };
        let text = |value: Option<&Value>| {
            value
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let missing = |field| move || root.in_patch(Reason::NoIdentity { field });
        let metadata = fields.get("metadata").and_then(Value::as_object);
        Ok(Self {
            api_version: text(fields.get("apiVersion")).ok_or_else(missing("apiVersion"))?,
            kind: text(fields.get("kind")).ok_or_else(missing("kind"))?,
            namespace: text(metadata.and_then(|metadata| metadata.get("namespace"))),
            name: text(metadata.and_then(|metadata| metadata.get("name")))
                .ok_or_else(missing("metadata.name"))?,
        })
    }

    /// Returns the namespace that counts: `default` where none is given, and nothing for the objects of a kind that Kubernetes
    /// defines without namespaces, whatever they say.
    ///
    /// Source: kustomize `kyaml/resid/resid.go` (`EffectiveNamespace`).
    pub fn effective_namespace(&self) -> Option<&str> {
        match Rules::builtin().scope(&self.api_version, &self.kind) {
            Some(Scope::Cluster) => None,
            Some(Scope::Namespaced) | None => Some(self.namespace.as_deref().unwrap_or("default")),
        }
    }

    /// Returns the group and the version of [`api_version`](Self::api_version).
    pub fn group_and_version(&self) -> (&str, &str) {
        self.api_version
            .split_once('/')
            .unwrap_or(("", &self.api_version))
    }
}

/// `apps/v1 Deployment shop/web`
impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} ", self.api_version, self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(formatter, "{namespace}/")?;
        }
        formatter.write_str(&self.name)
    }
}
