//! Where a route can lead: hosts, DestinationRules, Services.

use serde_json::{Map, Value};

use crate::manifest::{Manifest, ObjectRef};
use crate::prover::PodGroup;

/// The domain of a cluster's Services.
const DOMAIN: &str = ".svc.cluster.local";

/// Completes a short host with the namespace of the object it stands in; a host with a dot is taken as it is.
/// Source: Istio, "Virtual Service", `host`.
pub(super) fn full_name(host: &str, namespace: &str) -> String {
    match host.contains('.') || host == "*" {
        true => host.to_owned(),
        false => format!("{host}.{namespace}{DOMAIN}"),
    }
}

/// The namespace in a Service's full name.
pub(super) fn namespace_of(host: &str) -> Option<&str> {
    host.strip_suffix(DOMAIN)?
        .split_once('.')
        .map(|(_, namespace)| namespace)
}

/// Whose callers see an object. Source: Istio, `exportTo`: `*` and nothing are everybody, `.` the own namespace.
#[derive(Debug)]
pub(super) struct ExportTo {
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
        self.namespaces.is_empty()
            || self
                .namespaces
                .iter()
                .any(|to| to == "*" || Some(to.as_str()) == namespace)
    }

    /// The namespaces that it names.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &String> {
        self.namespaces.iter().filter(|to| *to != "*")
    }
}

/// One destination of a route.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) subset: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) weight: u64,
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

/// A Service and its endpoints' selector.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) object: ObjectRef,
    pub(super) namespace: String,
    pub(super) host: String,
    /// `None` where the endpoints are not chosen by labels.
    pub(super) selector: Option<Vec<(String, String)>>,
    pub(super) ports: Vec<Port>,
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    /// A container port's name; a number needs no name.
    name: Option<String>,
    target: Option<u16>,
    /// Whether its protocol is HTTP as far as the mesh can tell.
    pub(super) is_http: bool,
}

impl Port {
    /// Whether pods have the port. Source: Kubernetes, a named target port that a pod does not have gives no endpoint.
    pub(super) fn is_on(&self, pods: &PodGroup) -> bool {
        self.target(pods).is_some()
    }

    /// The port of the pods.
    pub(super) fn target(&self, pods: &PodGroup) -> Option<u16> {
        match &self.name {
            None => self.target,
            Some(name) => pods
                .ports
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, number)| *number),
        }
    }
}

impl Service {
    pub(super) fn has_port(&self, number: u16) -> bool {
        self.ports.iter().any(|port| port.number == number)
    }

    pub(super) fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let selector = manifest
            .value
            .pointer("/spec/selector")
            .and_then(Value::as_object);
        let ports = manifest.value.pointer("/spec/ports").and_then(Value::as_array);
        Self {
            host: format!("{}.{namespace}{DOMAIN}", manifest.object.name),
            selector: selector
                .filter(|selector| !selector.is_empty())
                .map(|selector| texts(Some(selector))),
            ports: ports.into_iter().flatten().filter_map(port).collect(),
            object: manifest.object.clone(),
            namespace,
        }
    }
}

fn port(port: &Value) -> Option<Port> {
    let number = |value: &Value| value.as_u64().and_then(|number| u16::try_from(number).ok());
    let own = port.get("port").and_then(number)?;
    let target = port.get("targetPort");
    let protocol = port
        .get("appProtocol")
        .or(port.get("name"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let first = protocol.split('-').next().unwrap_or_default();
    Some(Port {
        number: own,
        name: target.and_then(Value::as_str).map(str::to_owned),
        target: target.map_or(Some(own), number),
        // Source: Istio, "Protocol Selection": a name that says nothing is detected, and HTTP is.
        is_http: !matches!(
            first,
            "tcp" | "tls" | "https" | "mongo" | "mysql" | "redis" | "udp"
        ),
    })
}

/// An autoscaler's floor.
#[derive(Debug)]
pub(super) struct HorizontalPodAutoscaler {
    namespace: String,
    target: String,
    pub(super) least: u64,
}

impl HorizontalPodAutoscaler {
    pub(super) fn read(manifest: &Manifest) -> Self {
        Self {
            namespace: manifest.object.namespace.clone().unwrap_or_default(),
            target: manifest
                .text("/spec/scaleTargetRef/name")
                .unwrap_or_default()
                .to_owned(),
            least: manifest
                .value
                .pointer("/spec/minReplicas")
                .and_then(Value::as_u64)
                .unwrap_or(1),
        }
    }

    pub(super) fn is_for(&self, pods: &PodGroup) -> bool {
        self.target == pods.workload && self.namespace == pods.namespace
    }
}

/// A map of texts, in order.
pub(super) fn texts(map: Option<&Map<String, Value>>) -> Vec<(String, String)> {
    let entries = map.into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
