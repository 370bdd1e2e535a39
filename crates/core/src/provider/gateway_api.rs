//! The Gateway API: weights of the backends of an HTTPRoute.
//!
//! Sources: Gateway API reference, "HTTPRoute" (`backendRefs`, weights relative with default 1), GAMMA "Service mesh"
//! (a Service as `parentRefs`).

use jsonptr::PointerBuf;
use serde_json::{Value, json};

use super::ProviderId;
use super::backends::{Backends, Rules, route_of};
use crate::manifest::{Manifest, ObjectRef};

mod preview;
mod traffic;

pub(super) use traffic::GatewayTraffic;

const GROUP: &str = "gateway.networking.k8s.io";

/// The provider.
pub(super) struct GatewayApi;

impl Backends for GatewayApi {
    fn id(&self) -> ProviderId {
        ProviderId::GatewayApi
    }

    fn is_route(&self, object: &ObjectRef) -> bool {
        object.is(GROUP, "HTTPRoute")
    }

    fn lists(&self, route: &Value) -> Vec<PointerBuf> {
        let rules = route.pointer("/spec/rules").and_then(Value::as_array);
        let rules = 0..rules.map_or(0, Vec::len);
        rules
            .map(|rule| PointerBuf::from_tokens(["spec", "rules", &rule.to_string(), "backendRefs"]))
            .collect()
    }

    fn lists_path(&self) -> &'static str {
        "spec.rules[*].backendRefs"
    }

    /// Source: `BackendObjectReference`: group and kind default to the core group and Service, namespace to the route's.
    fn backend(&self, route: &ObjectRef, entry: &Value) -> Option<String> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let is_service =
            text("group").is_none_or(str::is_empty) && text("kind").is_none_or(|kind| kind == "Service");
        let is_here = text("namespace").is_none_or(|namespace| route.namespace.as_deref() == Some(namespace));
        text("name").filter(|_| is_service && is_here).map(str::to_owned)
    }

    fn named(&self, entry: &Value, backend: &str) -> Value {
        let mut entry = entry.clone();
        entry["name"] = json!(backend);
        entry
    }

    fn default_weight(&self) -> u64 {
        1
    }

    fn hosts(&self, route: &Value) -> Vec<String> {
        let hosts = route.pointer("/spec/hostnames").and_then(Value::as_array);
        let hosts = hosts.into_iter().flatten().filter_map(Value::as_str);
        hosts.map(str::to_owned).collect()
    }

    fn rules(&self) -> Option<&dyn Rules> {
        Some(self)
    }

    /// A route for callers in the mesh. It has no matches, so it takes every request: the first route that is attached
    /// to a Service cuts off what it does not match. Ports have backends of their own, so there has to be one.
    fn own_route(&self, service: &Manifest) -> Option<Value> {
        let ports = service.value.pointer("/spec/ports")?.as_array()?;
        if ports.len() != 1 {
            return None;
        }
        let spec = json!({
            "parentRefs": [{"group": "", "kind": "Service", "name": service.object.name}],
            "rules": [{"backendRefs": []}],
        });
        Some(route_of(
            service,
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            spec,
        ))
    }

    fn entry(&self, service: &Manifest, name: &str) -> Value {
        let port = service.value.pointer("/spec/ports/0/port");
        json!({"name": name, "port": port.cloned().unwrap_or_else(|| json!(80))})
    }
}
