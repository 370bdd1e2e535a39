//! AWS App Mesh: weighted targets over VirtualNodes, in both APIs.
//!
//! v1beta1 (controller 0.x) has the routes in the VirtualService, v1beta2 (1.x) in a VirtualRouter. AWS ended the service on
//! 2026-09-30; repositories still hold its objects.
//!
//! Source: aws-app-mesh-controller-for-k8s, `apis/appmesh/v1beta2` and, at v0.5.0, `pkg/apis/appmesh/v1beta1`.

use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};

use super::ProviderId;
use super::backends::{Backends, Rules};
use super::cluster::full_name;
use crate::manifest::{Manifest, ObjectRef};
use crate::model::Environment;

mod preview;
mod traffic;

pub(super) use traffic::AppMeshTraffic;

const GROUP: &str = "appmesh.k8s.aws";

/// Where a route says what it does, by protocol: v1beta1, then v1beta2.
const PROTOCOLS: [&str; 8] = [
    "http",
    "http2",
    "grpc",
    "tcp",
    "httpRoute",
    "http2Route",
    "grpcRoute",
    "tcpRoute",
];

/// The provider.
pub(super) struct AppMesh;

impl Backends for AppMesh {
    fn id(&self) -> ProviderId {
        ProviderId::AppMesh
    }

    fn is_route(&self, object: &ObjectRef) -> bool {
        object.is(GROUP, "VirtualRouter")
            || (object.is(GROUP, "VirtualService") && object.api_version.ends_with("/v1beta1"))
    }

    fn lists(&self, route: &Value) -> Vec<PointerBuf> {
        let routes = route.pointer("/spec/routes").and_then(Value::as_array);
        let routes = routes.into_iter().flatten().enumerate();
        routes
            .flat_map(|(index, route)| {
                let protocols = PROTOCOLS
                    .iter()
                    .filter(|protocol| route.get(**protocol).is_some());
                protocols.map(move |protocol| {
                    let index = index.to_string();
                    PointerBuf::from_tokens(["spec", "routes", &index, protocol, "action", "weightedTargets"])
                })
            })
            .collect()
    }

    fn lists_path(&self) -> &'static str {
        "spec.routes"
    }

    fn backend(&self, route: &ObjectRef, entry: &Value) -> Option<String> {
        if let Some(name) = entry.get("virtualNodeName") {
            return name.as_str().map(str::to_owned);
        }
        let node = entry.get("virtualNodeRef")?;
        let namespace = node.get("namespace").and_then(Value::as_str);
        let is_here = namespace.is_none_or(|namespace| route.namespace.as_deref() == Some(namespace));
        node.get("name")
            .and_then(Value::as_str)
            .filter(|_| is_here)
            .map(str::to_owned)
    }

    fn named(&self, entry: &Value, backend: &str) -> Value {
        let mut entry = entry.clone();
        match entry.get("virtualNodeName") {
            Some(_) => entry["virtualNodeName"] = json!(backend),
            None => entry["virtualNodeRef"]["name"] = json!(backend),
        }
        entry
    }

    fn default_weight(&self) -> u64 {
        0
    }

    fn least_weight(&self) -> Option<u64> {
        Some(100)
    }

    /// The name of the VirtualNode whose pods or host are the Service's.
    fn name_of(&self, environment: &Environment, service: &Manifest) -> Option<String> {
        Some(node(environment, service)?.object.name.clone())
    }

    fn beside<'e>(&self, environment: &'e Environment, service: &Manifest) -> Vec<&'e Manifest> {
        node(environment, service).into_iter().collect()
    }

    fn rules(&self) -> Option<&dyn Rules> {
        Some(self)
    }

    fn hosts(&self, route: &Value) -> Vec<String> {
        let name = route.pointer("/metadata/name").and_then(Value::as_str);
        name.map(str::to_owned).into_iter().collect()
    }
}

/// The VirtualNode that stands for the pods of a Service: by its DNS name, else by the pods it selects.
fn node<'e>(environment: &'e Environment, service: &Manifest) -> Option<&'e Manifest> {
    let namespace = service.object.namespace.as_deref().unwrap_or_default();
    let host = full_name(&service.object.name, namespace);
    let selector = service.value.pointer("/spec/selector").and_then(Value::as_object);
    let nodes = || {
        let objects = environment.base.iter();
        objects.filter(|node| {
            node.object.is(GROUP, "VirtualNode") && node.object.namespace == service.object.namespace
        })
    };
    let by_name = |node: &&Manifest| {
        let hosts = [
            "/spec/serviceDiscovery/dns/hostName",
            "/spec/serviceDiscovery/dns/hostname",
        ];
        let mut hosts = hosts.iter().filter_map(|pointer| node.text(pointer));
        hosts.any(|own| full_name(own.trim_end_matches('.'), namespace) == host)
    };
    let by_pods = |node: &&Manifest| {
        let pods = node
            .value
            .pointer("/spec/podSelector/matchLabels")
            .and_then(Value::as_object);
        matches!((pods, selector), (Some(pods), Some(selector)) if is_within(selector, pods))
    };
    nodes().find(by_name).or_else(|| nodes().find(by_pods))
}

/// Whether all labels of one selector are in another.
fn is_within(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    !one.is_empty() && one.iter().all(|(key, value)| other.get(key) == Some(value))
}
