//! Where a route can lead: hosts and the subsets of DestinationRules.

use serde_json::Value;

use super::super::super::cluster::{full_name, texts};
use crate::manifest::{Manifest, ObjectRef};

/// Whose callers see an object. Source: Istio, `exportTo`: `*` and nothing are everybody, `.` the own namespace.
#[derive(Debug)]
pub(in crate::provider::istio) struct ExportTo {
    namespaces: Vec<String>,
}

impl ExportTo {
    pub(super) fn read(manifest: &Manifest) -> Self {
        let own = manifest.object.namespace.clone().unwrap_or_default();
        let list = manifest.value.pointer("/spec/exportTo").and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        Self {
            namespaces: texts
                .map(|to| if to == "." { own.clone() } else { to.to_owned() })
                .collect(),
        }
    }

    pub(super) fn covers(&self, namespace: Option<&str>) -> bool {
        let mut namespaces = self.namespaces.iter();
        self.is_everybody() || namespaces.any(|to| Some(to.as_str()) == namespace)
    }

    /// Whether somebody sees an object of each.
    pub(in crate::provider::istio) fn overlaps(&self, other: &Self) -> bool {
        let mut namespaces = self.namespaces.iter();
        self.is_everybody() || other.is_everybody() || namespaces.any(|to| other.namespaces.contains(to))
    }

    fn is_everybody(&self) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|to| to == "*")
    }

    /// The namespaces that it names.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &String> {
        self.namespaces.iter().filter(|to| *to != "*")
    }
}

/// One destination of a route.
#[derive(Debug, Clone)]
pub(in crate::provider) struct Target {
    pub(super) host: String,
    pub(in crate::provider) subset: Option<String>,
    pub(super) port: Option<u16>,
    pub(in crate::provider) weight: u64,
}

/// Subsets of a host.
#[derive(Debug)]
pub(super) struct DestinationRule {
    pub(super) object: ObjectRef,
    pub(super) namespace: String,
    pub(super) host: String,
    pub(super) subsets: Vec<Subset>,
    pub(super) export: ExportTo,
}

#[derive(Debug)]
pub(super) struct Subset {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
}

impl DestinationRule {
    /// How exactly it names a host: longer is more exact, a wildcard less than a name.
    pub(super) fn is_for(&self, host: &str) -> Option<(bool, usize)> {
        match self.host.strip_prefix('*') {
            Some(end) => host.ends_with(end).then_some((false, end.len())),
            None => (self.host == host).then_some((true, host.len())),
        }
    }

    pub(super) fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let subsets = manifest.value.pointer("/spec/subsets").and_then(Value::as_array);
        let subset = |subset: &Value| {
            Some(Subset {
                name: subset.get("name")?.as_str()?.to_owned(),
                labels: texts(subset.get("labels").and_then(Value::as_object)),
            })
        };
        Self {
            host: full_name(manifest.text("/spec/host").unwrap_or_default(), &namespace),
            subsets: subsets.into_iter().flatten().filter_map(subset).collect(),
            export: ExportTo::read(manifest),
            object: manifest.object.clone(),
            namespace,
        }
    }
}
