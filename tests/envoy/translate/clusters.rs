//! Services and DestinationRules → Envoy clusters: which subsets exist, and which pods are behind them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Transport;
use super::objects::ROOT_NAMESPACE;
use super::objects::{
    ClientTls, DestinationRule, MutualTlsMode, Object, Objects, Service, ServicePort, Subset, TrafficPolicy,
    complete_host, is_exported, most_specific, selects,
};
use super::policy::mutual_tls_mode;
use crate::scenario::Pod;

/// One cluster before it has addresses.
pub(crate) struct Cluster {
    /// `outbound|80|v1|web.shop.svc.cluster.local`, as Istio names it.
    pub(crate) name: String,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// One pod behind a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    /// Index into the pods of the state.
    pub(crate) pod: usize,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
}

/// Whose clusters they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Client<'a> {
    /// A proxy of this namespace.
    Proxy(&'a str),
    /// A client without a proxy: every Service as it is, plain text.
    Outside,
}

/// Name of the cluster that a route points at, whether it exists or not.
///
/// Source: Istio `BuildSubsetKey`.
pub(crate) fn cluster_name(host: &str, port: u16, subset: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}

/// All clusters that a client has: one for each port of each Service, and one for each subset that the
/// DestinationRules it follows define.
pub(crate) fn clusters(objects: &Objects, pods: &[Pod], client: Client<'_>) -> Result<Vec<Cluster>, String> {
    let mut clusters = Vec::new();
    for service in &objects.services {
        let (policy, subsets) = match client {
            Client::Proxy(namespace) if !service.is_visible_to(namespace) => continue,
            Client::Proxy(namespace) => rules_for(objects, service, namespace),
            Client::Outside => (None, BTreeMap::new()),
        };
        for port in &service.spec.ports {
            let endpoints =
                |subset: Option<&Subset>| endpoints(objects, pods, client, service, port, policy, subset);
            let host = service.host();
            clusters.push(Cluster {
                name: cluster_name(&host, port.port, ""),
                endpoints: endpoints(None)?,
            });
            for subset in subsets.values() {
                clusters.push(Cluster {
                    name: cluster_name(&host, port.port, &subset.name),
                    endpoints: endpoints(Some(subset))?,
                });
            }
        }
    }
    Ok(clusters)
}

/// The traffic policy and the subsets that a proxy of a namespace sees for a Service.
///
/// The first namespace of client, Service and root that has a DestinationRule for the host decides alone; among its
/// rules those with the most specific host count. Rules of one host are one rule: subsets are added up, of two with
/// one name the first stays, and so does the first policy.
///
/// Source: Istio, DestinationRule, and `PushContext.destinationRule`, `mergeDestinationRule`. For a proxy of the root
/// namespace only those of its rules come first that nobody else sees.
fn rules_for<'a>(
    objects: &'a Objects,
    service: &Object<Service>,
    namespace: &str,
) -> (Option<&'a TrafficPolicy>, BTreeMap<&'a str, &'a Subset>) {
    let host = service.host();
    let steps = [
        (namespace, namespace == ROOT_NAMESPACE),
        (service.namespace.as_str(), false),
        (ROOT_NAMESPACE, false),
    ];
    for (decides, is_private) in steps {
        let rules: Vec<(String, &DestinationRule)> = objects
            .destination_rules
            .iter()
            .filter(|rule| rule.namespace == decides && (!is_private || rule.spec.export_to == ["."]))
            .filter(|rule| is_exported(&rule.spec.export_to, &rule.namespace, namespace))
            .map(|rule| (complete_host(&rule.spec.host, &rule.namespace), &rule.spec))
            .collect();
        let Some(pattern) = most_specific(&host, rules.iter().map(|(pattern, _)| pattern.as_str())) else {
            continue;
        };
        let merged = rules.iter().filter(|(rule_host, _)| rule_host == pattern);
        let mut policy = None;
        let mut subsets = BTreeMap::new();
        for (_, rule) in merged {
            policy = policy.or(rule.traffic_policy.as_ref());
            for subset in &rule.subsets {
                subsets.entry(subset.name.as_str()).or_insert(subset);
            }
        }
        return (policy, subsets);
    }
    (None, BTreeMap::new())
}

/// The pods behind a port of a Service, or behind one of its subsets.
///
/// Source: Kubernetes, Service (selector, target port, ready endpoints); Istio, DestinationRule `subsets[].labels`: the
/// endpoints of the Service that carry these labels, too.
fn endpoints(
    objects: &Objects,
    pods: &[Pod],
    client: Client<'_>,
    service: &Object<Service>,
    port: &ServicePort,
    policy: Option<&TrafficPolicy>,
    subset: Option<&Subset>,
) -> Result<Vec<Endpoint>, String> {
    let tls = subset
        .and_then(|subset| client_tls(subset.traffic_policy.as_ref(), port.port))
        .or_else(|| client_tls(policy, port.port));
    let mut endpoints = Vec::new();
    for (index, pod) in pods.iter().enumerate() {
        let is_behind = !service.spec.selector.is_empty()
            && pod.namespace == service.namespace
            && selects(&service.spec.selector, &pod.labels)
            && (pod.ready || service.spec.publish_not_ready_addresses)
            && subset.is_none_or(|subset| selects(&subset.labels, &pod.labels));
        let Some(number) = target_port(port, pod).filter(|_| is_behind) else {
            continue;
        };
        let mode = mutual_tls_mode(objects, pod, number);
        endpoints.push(Endpoint {
            pod: index,
            port: number,
            transport: transport(client, tls, mode)?,
        });
    }
    Ok(endpoints)
}

/// The number of a port on a pod; none where the pod has no port of that name.
fn target_port(port: &ServicePort, pod: &Pod) -> Option<u16> {
    match &port.target_port {
        Value::Null => Some(port.port),
        Value::String(name) => pod.ports.get(name).copied(),
        number => number.as_u64().and_then(|number| u16::try_from(number).ok()),
    }
}

/// What a policy says of the connection to a port; what it says of the one port replaces what it says of all.
fn client_tls(policy: Option<&TrafficPolicy>, port: u16) -> Option<&ClientTls> {
    let policy = policy?;
    let of_port = policy
        .port_level_settings
        .iter()
        .find(|settings| settings.port.number == port);
    match of_port {
        Some(settings) => settings.tls.as_ref(),
        None => policy.tls.as_ref(),
    }
}

/// How a client connects to a pod. Every pod has a sidecar here.
///
/// Source: Istio, automatic mutual TLS: where no DestinationRule says otherwise, proxies use it with every workload
/// that has a sidecar and does not disable it.
fn transport(client: Client<'_>, tls: Option<&ClientTls>, mode: MutualTlsMode) -> Result<Transport, String> {
    match (client, tls.map(|tls| tls.mode.as_str())) {
        (Client::Outside, _) | (Client::Proxy(_), Some("" | "DISABLE")) => Ok(Transport::Plain),
        (Client::Proxy(_), None) if mode == MutualTlsMode::Disable => Ok(Transport::Plain),
        (Client::Proxy(_), None) => Ok(Transport::Mutual),
        (Client::Proxy(_), Some("ISTIO_MUTUAL")) if mode != MutualTlsMode::Disable => Ok(Transport::Mutual),
        (Client::Proxy(_), Some(other)) => {
            Err(format!("DestinationRule with tls mode {other} is not translated"))
        }
    }
}

/// The cluster as Envoy reads it. Endpoints take turns, so that every pod of a cluster gets its exact share.
pub(crate) fn envoy_cluster(name: &str, sockets: &[String]) -> Value {
    let endpoints: Vec<Value> = sockets
        .iter()
        .map(|path| json!({"endpoint": {"address": {"pipe": {"path": path}}}}))
        .collect();
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    })
}
