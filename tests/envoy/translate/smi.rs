//! TrafficSplits → Envoy virtual hosts, as Linkerd takes them: the root Service's requests go to the backends.
//!
//! Source: SMI specification, "Traffic Split" v1alpha2; linkerd-smi (`dstOverrides`).

use serde::Deserialize;

use super::clusters::cluster_name;
use super::objects::Objects;
use super::routes::{NotFound, Proxy, VirtualHost, plain_route, service_names, weighted_route};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficSplit {
    service: String,
    backends: Vec<Backend>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backend {
    service: String,
    weight: u64,
}

/// The virtual hosts of a caller in the mesh: every Service, by its split where it is the root of one.
pub(crate) fn hosts(objects: &Objects, proxy: &Proxy<'_>) -> Vec<VirtualHost> {
    let services = objects.services.iter();
    let services = services.filter(|service| service.spec.ports.iter().any(|port| port.port == proxy.port));
    services
        .map(|service| {
            let mut splits = objects.traffic_splits.iter();
            let split = splits
                .find(|split| split.spec.service == service.name && split.namespace == service.namespace);
            let route = match split {
                None => plain_route(&service.host(), proxy),
                Some(split) => {
                    let backends = split.spec.backends.iter();
                    let target = |backend: &Backend| {
                        let host = format!("{}.{}.svc.cluster.local", backend.service, split.namespace);
                        (
                            proxy.scope.name(&cluster_name(&host, proxy.port, "")),
                            backend.weight,
                        )
                    };
                    let targets: Vec<_> = backends.map(target).collect();
                    weighted_route(
                        serde_json::json!({"prefix": "/"}),
                        &targets,
                        NotFound::ServiceUnavailable,
                    )
                }
            };
            VirtualHost {
                domains: service_names(service, &proxy.caller.namespace),
                routes: vec![route],
            }
        })
        .collect()
}
