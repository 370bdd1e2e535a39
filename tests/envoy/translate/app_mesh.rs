//! VirtualServices, VirtualRouters and VirtualNodes of App Mesh → Envoy virtual hosts.
//!
//! Two APIs with one group. In v1beta1 the controller sends an update as it is. In v1beta2 it waits: a router until every
//! VirtualNode it names is there, a VirtualService until its provider is; meanwhile what it sent before stays in force,
//! so that a state is translated from the objects before it, too.
//!
//! Source: aws-app-mesh-controller-for-k8s 0.5.0 and 1.13, `apis/appmesh`; App Mesh, "Routes" (priority, prefix).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::clusters::cluster_name;
use super::objects::{Object, Objects, complete_host};
use super::routes::{NotFound, Proxy, Route, VirtualHost, plain_route, service_names, weighted_route};

/// Of v1beta1: it holds the routes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct OldVirtualService {
    #[serde(default)]
    routes: Vec<OldRoute>,
    #[serde(rename = "meshName")]
    _mesh_name: IgnoredAny,
    #[serde(default, rename = "virtualRouter")]
    _virtual_router: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OldRoute {
    http: HttpRule,
    priority: Option<u64>,
    #[serde(rename = "name")]
    _name: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct OldVirtualNode {
    listeners: Vec<Listener>,
    service_discovery: Discovery,
    #[serde(rename = "meshName")]
    _mesh_name: IgnoredAny,
    #[serde(default, rename = "backends")]
    _backends: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct VirtualService {
    aws_name: String,
    provider: Provider,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Provider {
    VirtualRouter {
        #[serde(rename = "virtualRouterRef")]
        to: Reference,
    },
    VirtualNode(IgnoredAny),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    namespace: Option<String>,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VirtualRouter {
    #[serde(default)]
    routes: Vec<NewRoute>,
    #[serde(default, rename = "listeners")]
    _listeners: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewRoute {
    http_route: HttpRule,
    priority: Option<u64>,
    #[serde(rename = "name")]
    _name: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct VirtualNode {
    listeners: Vec<Listener>,
    service_discovery: Discovery,
    #[serde(rename = "podSelector")]
    _pod_selector: IgnoredAny,
    #[serde(default, rename = "backends")]
    _backends: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listener {
    port_mapping: Port,
}

#[derive(Debug, Deserialize)]
struct Port {
    port: u16,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Discovery {
    dns: Dns,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dns {
    /// `hostName` in v1beta1.
    #[serde(alias = "hostName")]
    hostname: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpRule {
    #[serde(rename = "match")]
    matched: Match,
    action: Action,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    prefix: String,
    method: Option<String>,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    #[serde(rename = "match")]
    matched: HeaderMatch,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderMatch {
    exact: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Action {
    weighted_targets: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Target {
    virtual_node_name: Option<String>,
    virtual_node_ref: Option<Value>,
    weight: u64,
}

/// Nodes by namespace and name: the Service that their host name leads to, and its port.
type Nodes = BTreeMap<String, (String, u16)>;

/// What is in force for one VirtualService.
struct InForce {
    host: String,
    routes: Vec<Rule>,
}

/// A route of either API.
struct Rule {
    priority: Option<u64>,
    http: HttpRule,
    /// Where its nodes are that do not say.
    namespace: String,
}

/// The virtual hosts of a caller in the mesh: its VirtualServices, and Services by their names.
pub(crate) fn hosts(
    objects: &Objects,
    previous: &Objects,
    proxy: &Proxy<'_>,
) -> Result<Vec<VirtualHost>, String> {
    let nodes = nodes(objects);
    let mut in_force = old_services(objects);
    in_force.extend(new_services(objects, previous)?);
    let mut hosts: Vec<VirtualHost> = in_force
        .into_iter()
        .map(|service| VirtualHost {
            routes: in_order(&nodes, proxy, service.routes),
            domains: vec![service.host],
        })
        .collect();
    for service in &objects.services {
        if service.spec.ports.iter().any(|port| port.port == proxy.port) {
            let mut domains = service_names(service, &proxy.caller.namespace);
            domains.retain(|domain| !hosts.iter().any(|host| host.domains.contains(domain)));
            let routes = vec![plain_route(&service.host(), proxy)];
            hosts.push(VirtualHost { domains, routes });
        }
    }
    hosts.retain(|host| !host.domains.is_empty());
    Ok(hosts)
}

fn nodes(objects: &Objects) -> Nodes {
    let old = objects.old_virtual_nodes.iter().map(|node| {
        let OldVirtualNode {
            listeners,
            service_discovery,
            ..
        } = &node.spec;
        (node.key(), listeners, service_discovery, &node.namespace)
    });
    let new = objects.virtual_nodes.iter().map(|node| {
        let VirtualNode {
            listeners,
            service_discovery,
            ..
        } = &node.spec;
        (node.key(), listeners, service_discovery, &node.namespace)
    });
    old.chain(new)
        .filter_map(|(key, listeners, discovery, namespace)| {
            let host = complete_host(discovery.dns.hostname.trim_end_matches('.'), namespace);
            Some((key, (host, listeners.first()?.port_mapping.port)))
        })
        .collect()
}

/// Of v1beta1: a VirtualService is called like its host, and its nodes are in its namespace.
fn old_services(objects: &Objects) -> Vec<InForce> {
    let services = objects.old_virtual_services.iter();
    services
        .map(|service| InForce {
            host: service.name.clone(),
            routes: service
                .spec
                .routes
                .iter()
                .map(|route| Rule {
                    priority: route.priority,
                    http: route.http.clone(),
                    namespace: service.namespace.clone(),
                })
                .collect(),
        })
        .collect()
}

/// Of v1beta2: as far as the controller has taken it.
fn new_services(objects: &Objects, previous: &Objects) -> Result<Vec<InForce>, String> {
    let mut found = Vec::new();
    for service in &objects.mesh_services {
        let routes = provided(objects, previous, service)?;
        let before = || {
            let mut before = previous.mesh_services.iter();
            before.find(|before| before.key() == service.key())
        };
        let routes = match (routes, before()) {
            (Some(routes), _) => Some(routes),
            // It waits for its provider: as it was.
            (None, Some(before)) => provided(previous, previous, before)?,
            (None, None) => None,
        };
        found.extend(routes.map(|routes| InForce {
            host: service.spec.aws_name.clone(),
            routes,
        }));
    }
    Ok(found)
}

/// The routes of a VirtualService's provider; none while the provider is not active.
fn provided(
    objects: &Objects,
    previous: &Objects,
    service: &Object<VirtualService>,
) -> Result<Option<Vec<Rule>>, String> {
    let to = match &service.spec.provider {
        Provider::VirtualRouter { to } => to,
        Provider::VirtualNode(_) => {
            return Err(format!(
                "VirtualService {}: a node as provider is not translated",
                service.name
            ));
        }
    };
    let key = to.key(&service.namespace);
    let router = |objects: &'_ Objects| {
        let mut routers = objects.virtual_routers.iter();
        routers.find(|router| router.key() == key).map(|router| {
            let routes = router.spec.routes.iter();
            let routes: Vec<_> = routes
                .map(|route| Rule {
                    priority: route.priority,
                    http: route.http_route.clone(),
                    namespace: router.namespace.clone(),
                })
                .collect();
            let nodes = nodes(objects);
            let mut targets = routes.iter().flat_map(|rule| {
                let targets = rule.http.action.weighted_targets.iter();
                targets.filter_map(|target| target.node(&rule.namespace))
            });
            let is_active = targets.all(|target| nodes.contains_key(&target));
            (routes, is_active)
        })
    };
    Ok(match router(objects) {
        Some((routes, true)) => Some(routes),
        // It waits for a node: what was sent before stays, and so does a node that it targets.
        Some((_, false)) => router(previous)
            .filter(|(_, was_active)| *was_active)
            .map(|(routes, _)| routes),
        None => None,
    })
}

impl Reference {
    fn key(&self, namespace: &str) -> String {
        format!("{}/{}", self.namespace.as_deref().unwrap_or(namespace), self.name)
    }
}

impl Target {
    /// Namespace and name of its node.
    fn node(&self, namespace: &str) -> Option<String> {
        match (&self.virtual_node_name, &self.virtual_node_ref) {
            (Some(name), _) => Some(format!("{namespace}/{name}")),
            (None, Some(reference)) => Some(Reference::deserialize(reference).ok()?.key(namespace)),
            (None, None) => None,
        }
    }
}

/// By priority, the lowest number first, without one last; of equals the longer prefix.
fn in_order(nodes: &Nodes, proxy: &Proxy<'_>, mut routes: Vec<Rule>) -> Vec<Route> {
    routes.sort_by_key(|rule| {
        let length = rule.http.matched.prefix.len();
        (rule.priority.unwrap_or(u64::MAX), std::cmp::Reverse(length))
    });
    let target = |target: &Target, namespace: &str| {
        let node = target.node(namespace).unwrap_or_default();
        let cluster = match nodes.get(&node) {
            Some((host, port)) => cluster_name(host, *port, ""),
            None => format!("node {node}"),
        };
        (proxy.scope.name(&cluster), target.weight)
    };
    routes
        .iter()
        .map(|rule| {
            let targets = rule.http.action.weighted_targets.iter();
            let targets: Vec<_> = targets.map(|entry| target(entry, &rule.namespace)).collect();
            weighted_route(rule.http.matched.envoy(), &targets, NotFound::ServiceUnavailable)
        })
        .collect()
}

impl Match {
    fn envoy(&self) -> Value {
        let exact = |name: &str, value: &str| json!({"name": name, "string_match": {"exact": value}});
        let headers = self
            .headers
            .iter()
            .map(|header| exact(&header.name, &header.matched.exact));
        let method = self.method.iter().map(|method| exact(":method", method));
        json!({"prefix": self.prefix, "headers": headers.chain(method).collect::<Vec<_>>()})
    }
}
