//! Istio at the level of hosts: VirtualService weights over a Service for each version.
//!
//! Sources: Istio reference, "Virtual Service" (`HTTPRouteDestination`), "Destination Rule" (a rule is for one host, so the
//! copy's host needs its own). What becomes of requests is what Istio does: see `istio/traffic`.

use jsonptr::PointerBuf;
use serde_json::{Value, json};

use super::backends::{Backends, Rules, route_of};
use super::cluster::full_name;
use super::istio::{Istio, preview};
use super::{Provider, ProviderId};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Environment, Weight};
use crate::preview::RequestMatch;

const GROUP: &str = "networking.istio.io";

/// The provider.
pub(super) struct IstioHosts;

impl Backends for IstioHosts {
    fn id(&self) -> ProviderId {
        ProviderId::IstioHosts
    }

    fn is_route(&self, object: &ObjectRef) -> bool {
        object.is(GROUP, "VirtualService")
    }

    fn lists(&self, route: &Value) -> Vec<PointerBuf> {
        let rules = route.pointer("/spec/http").and_then(Value::as_array);
        let rules = 0..rules.map_or(0, Vec::len);
        rules
            .map(|rule| PointerBuf::from_tokens(["spec", "http", &rule.to_string(), "route"]))
            .collect()
    }

    fn lists_path(&self) -> &'static str {
        "spec.http[*].route"
    }

    /// A destination that names a subset is not one of ours.
    fn backend(&self, route: &ObjectRef, entry: &Value) -> Option<String> {
        let destination = entry.get("destination")?;
        if destination.get("subset").is_some() {
            return None;
        }
        let namespace = route.namespace.as_deref().unwrap_or_default();
        let host = full_name(destination.get("host")?.as_str()?, namespace);
        let mut parts = host.split('.');
        let name = parts.next()?.to_owned();
        (parts.next() == Some(namespace)).then_some(name)
    }

    /// The host is written as the other one is: short, or with what follows the name.
    fn named(&self, entry: &Value, backend: &str) -> Value {
        let mut entry = entry.clone();
        let host = entry.pointer("/destination/host").and_then(Value::as_str);
        let rest = host
            .and_then(|host| host.split_once('.'))
            .map(|(_, rest)| rest.to_owned());
        entry["destination"]["host"] = match rest {
            Some(rest) => json!(format!("{backend}.{rest}")),
            None => json!(backend),
        };
        entry
    }

    fn default_weight(&self) -> u64 {
        0
    }

    fn hosts(&self, route: &Value) -> Vec<String> {
        let hosts = route.pointer("/spec/hosts").and_then(Value::as_array);
        let hosts = hosts.into_iter().flatten().filter_map(Value::as_str);
        hosts.map(str::to_owned).collect()
    }

    /// How the workload's host is called (TLS, connection pools, outlier detection) holds for the copy's too.
    fn beside<'e>(&self, environment: &'e Environment, service: &Manifest) -> Vec<&'e Manifest> {
        let namespace = service.object.namespace.as_deref().unwrap_or_default();
        let host = full_name(&service.object.name, namespace);
        let rules = environment.base.iter();
        rules
            .filter(|rule| rule.object.is(GROUP, "DestinationRule"))
            .filter(|rule| rule.object.namespace == service.object.namespace)
            .filter(|rule| {
                rule.text("/spec/host")
                    .is_some_and(|own| full_name(own, namespace) == host)
            })
            .collect()
    }

    fn lint(&self, application: &Application) -> Vec<Diagnostic> {
        Provider::lint(&Istio, application)
    }

    fn rules(&self) -> Option<&dyn Rules> {
        Some(self)
    }

    /// A route for callers in the mesh.
    fn own_route(&self, service: &Manifest) -> Option<Value> {
        let spec = json!({"hosts": [service.object.name], "http": [{"route": []}]});
        Some(route_of(
            service,
            "networking.istio.io/v1",
            "VirtualService",
            spec,
        ))
    }

    fn entry(&self, _service: &Manifest, name: &str) -> Value {
        json!({"destination": {"host": name}})
    }
}

impl Rules for IstioHosts {
    fn place(&self) -> &'static str {
        "/spec/http"
    }

    fn chosen(
        &self,
        rules: &[Value],
        rule_index: usize,
        _is_split: &[bool],
        matches: &[RequestMatch],
    ) -> Result<Vec<Value>, String> {
        Ok(preview::chosen(&rules[rule_index], matches)?
            .into_iter()
            .collect())
    }

    fn can_copy(&self) -> bool {
        true
    }

    fn copied_to(&self, rule: &Value) -> Vec<(Value, Vec<PointerBuf>)> {
        let fields = preview::MIRROR.iter().filter(|field| rule.get(**field).is_some());
        let fields: Vec<PointerBuf> = fields.map(|field| PointerBuf::from_tokens([*field])).collect();
        let mirrors = preview::mirrors(rule).into_iter();
        mirrors
            .map(|destination| (json!({"destination": destination}), fields.clone()))
            .collect()
    }

    fn copy(&self, rule: &mut Value, entry: &Value, share: Weight) {
        preview::set_mirror(rule, &entry["destination"], share);
    }
}
