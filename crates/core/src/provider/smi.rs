//! SMI: the weights of a TrafficSplit, as Linkerd's extension reads them.
//!
//! Source: SMI specification, "Traffic Split" (v1alpha1 to v1alpha4): relative weights, the root Service may be among its
//! own backends where the implementation allows it, which Linkerd does.

use jsonptr::PointerBuf;
use serde_json::{Value, json};

use super::ProviderId;
use super::backends::{Backends, route_of};
use crate::manifest::{Manifest, ObjectRef};

mod traffic;

pub(super) use traffic::SmiTraffic;

const GROUP: &str = "split.smi-spec.io";

/// The provider.
pub(super) struct Smi;

impl Backends for Smi {
    fn id(&self) -> ProviderId {
        ProviderId::Smi
    }

    fn is_route(&self, object: &ObjectRef) -> bool {
        object.is(GROUP, "TrafficSplit")
    }

    fn lists(&self, _route: &Value) -> Vec<PointerBuf> {
        vec![PointerBuf::from_tokens(["spec", "backends"])]
    }

    fn lists_path(&self) -> &'static str {
        "spec.backends"
    }

    fn backend(&self, _route: &ObjectRef, entry: &Value) -> Option<String> {
        entry.get("service").and_then(Value::as_str).map(str::to_owned)
    }

    fn named(&self, entry: &Value, backend: &str) -> Value {
        let mut entry = entry.clone();
        entry["service"] = json!(backend);
        entry
    }

    fn default_weight(&self) -> u64 {
        0
    }

    fn least_weight(&self) -> Option<u64> {
        Some(100)
    }

    fn hosts(&self, route: &Value) -> Vec<String> {
        let root = route.pointer("/spec/service").and_then(Value::as_str);
        root.map(str::to_owned).into_iter().collect()
    }

    /// The version that the linkerd-smi extension serves with whole numbers as weights.
    fn own_route(&self, service: &Manifest) -> Option<Value> {
        let spec = json!({"service": service.object.name, "backends": []});
        Some(route_of(
            service,
            "split.smi-spec.io/v1alpha2",
            "TrafficSplit",
            spec,
        ))
    }
}
