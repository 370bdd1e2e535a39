//! HTTPRoutes → Envoy virtual hosts, of gateways and of callers in a mesh.
//!
//! Source: Gateway API, `HTTPRoute` (precedence of matches, weights, what cannot be resolved), `ReferenceGrant`; GAMMA,
//! routes whose parent is a Service.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::clusters::cluster_name;
use super::objects::{Object, Objects, Service};
use super::routes::{NotFound, Proxy, Route, VirtualHost, plain_route, service_names, weighted_route};

const GROUP: &str = "gateway.networking.k8s.io";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct HttpRoute {
    #[serde(default)]
    parent_refs: Vec<Reference>,
    #[serde(default)]
    hostnames: Vec<String>,
    #[serde(default)]
    rules: Vec<Rule>,
}

/// A parent or a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    group: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    name: String,
    port: Option<u16>,
    weight: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    matches: Vec<Match>,
    #[serde(default)]
    backend_refs: Vec<Reference>,
    #[serde(default, rename = "name")]
    _name: IgnoredAny,
    #[serde(default, rename = "timeouts")]
    _timeouts: IgnoredAny,
    #[serde(default, rename = "filters")]
    _filters: Vec<Copies>,
}

/// Copies of requests, of which callers notice nothing; what else filters do is not translated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Copies {
    #[serde(rename = "type")]
    _kind: CopiesKind,
    #[serde(rename = "requestMirror")]
    _mirror: IgnoredAny,
}

#[derive(Debug, Deserialize)]
enum CopiesKind {
    RequestMirror,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Match {
    path: Option<Path>,
    method: Option<String>,
    #[serde(default)]
    headers: Vec<Named>,
    #[serde(default)]
    query_params: Vec<Named>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Path {
    #[serde(default, rename = "type")]
    kind: PathKind,
    #[serde(default = "root")]
    value: String,
}

/// `RegularExpression` is not here: its place among the others is the implementation's.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
enum PathKind {
    #[default]
    PathPrefix,
    Exact,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    value: String,
    #[serde(default, rename = "type")]
    kind: ValueKind,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
enum ValueKind {
    #[default]
    Exact,
    RegularExpression,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReferenceGrant {
    from: Vec<From>,
    to: Vec<To>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    group: String,
    kind: String,
    namespace: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    group: String,
    kind: String,
    name: Option<String>,
}

fn root() -> String {
    "/".to_owned()
}

/// The virtual hosts of a gateway: the host names of the routes that are attached to it.
pub(crate) fn gateway_hosts(objects: &Objects, proxy: &Proxy<'_>) -> Result<Vec<VirtualHost>, String> {
    let is_attached = |route: &&Object<HttpRoute>| {
        route.spec.parent_refs.iter().any(|parent| {
            let of = parent.namespace.as_ref().unwrap_or(&route.namespace);
            parent.is(GROUP, "Gateway", (GROUP, "Gateway")) && format!("{of}/{}", parent.name) == proxy.via
        })
    };
    let attached: Vec<_> = objects.http_routes.iter().filter(is_attached).collect();
    let every = ["*".to_owned()];
    let names = |route: &Object<HttpRoute>| match route.spec.hostnames.as_slice() {
        [] => every.to_vec(),
        names => names.to_vec(),
    };
    let mut domains: Vec<String> = attached.iter().flat_map(|route| names(route)).collect();
    domains.sort();
    domains.dedup();
    domains
        .into_iter()
        .map(|domain| {
            let of_domain = attached
                .iter()
                .copied()
                .filter(|route| names(route).contains(&domain));
            Ok(VirtualHost {
                routes: in_order(objects, proxy, of_domain)?,
                domains: vec![domain],
            })
        })
        .collect()
}

/// The virtual hosts of a caller in the mesh: every Service, by its routes where it is the parent of some. Host names of
/// such routes are not looked at, and what no rule takes is lost.
pub(crate) fn mesh_hosts(objects: &Objects, proxy: &Proxy<'_>) -> Result<Vec<VirtualHost>, String> {
    let services = objects.services.iter();
    services
        .filter(|service| service.spec.ports.iter().any(|port| port.port == proxy.port))
        .map(|service| {
            let attached: Vec<_> = objects
                .http_routes
                .iter()
                .filter(|route| is_parent(service, route, proxy))
                .collect();
            let routes = match attached.is_empty() {
                true => vec![plain_route(&service.host(), proxy)],
                false => in_order(objects, proxy, attached.into_iter())?,
            };
            Ok(VirtualHost {
                domains: service_names(service, &proxy.caller.namespace),
                routes,
            })
        })
        .collect()
}

/// Whether a Service is the parent of a route for a caller: one in the Service's namespace is for all callers, another
/// for callers of its own namespace alone.
fn is_parent(service: &Object<Service>, route: &Object<HttpRoute>, proxy: &Proxy<'_>) -> bool {
    let is_meant = |parent: &Reference| {
        parent.is("", "Service", (GROUP, "Gateway"))
            && parent.name == service.name
            && *parent.namespace.as_ref().unwrap_or(&route.namespace) == service.namespace
            && parent.port.is_none_or(|port| port == proxy.port)
    };
    let is_for_caller = route.namespace == service.namespace || route.namespace == proxy.caller.namespace;
    is_for_caller && route.spec.parent_refs.iter().any(is_meant)
}

impl Reference {
    /// Whether it names an object of this group and kind; what it leaves out is `default`.
    fn is(&self, group: &str, kind: &str, default: (&str, &str)) -> bool {
        self.group.as_deref().unwrap_or(default.0) == group
            && self.kind.as_deref().unwrap_or(default.1) == kind
    }
}

/// All matches of all rules, the one that takes precedence first: an exact path, the longest prefix, a method, the most
/// headers, the most query parameters; then the older route, by name, and the rule that is written first.
fn in_order<'a>(
    objects: &Objects,
    proxy: &Proxy<'_>,
    routes: impl Iterator<Item = &'a Object<HttpRoute>>,
) -> Result<Vec<Route>, String> {
    let mut found = Vec::new();
    for route in routes {
        for rule in &route.spec.rules {
            let targets = targets(objects, proxy, route, rule)?;
            let everything = [Match::default()];
            let matches = match rule.matches.as_slice() {
                [] => &everything[..],
                matches => matches,
            };
            for matched in matches {
                let envoy = weighted_route(matched.envoy(), &targets, NotFound::InternalServerError);
                found.push((matched.precedence(), route.age(), envoy));
            }
        }
    }
    // Stable: what is equal stays as it is written.
    found.sort_by(|(one, age, _), (other, other_age, _)| other.cmp(one).then_with(|| age.cmp(other_age)));
    Ok(found.into_iter().map(|(.., route)| route).collect())
}

/// Clusters and weights. What may not be used, or is not there, has no cluster.
fn targets(
    objects: &Objects,
    proxy: &Proxy<'_>,
    route: &Object<HttpRoute>,
    rule: &Rule,
) -> Result<Vec<(String, u64)>, String> {
    let target = |backend: &Reference| {
        if !backend.is("", "Service", ("", "Service")) {
            return Err(format!(
                "HTTPRoute {}: a backend that is no Service is not translated",
                route.name
            ));
        }
        let namespace = backend.namespace.as_ref().unwrap_or(&route.namespace);
        let is_allowed =
            *namespace == route.namespace || is_granted(objects, route, namespace, &backend.name);
        let cluster = match backend.port.filter(|_| is_allowed) {
            Some(port) => cluster_name(
                &format!("{}.{namespace}.svc.cluster.local", backend.name),
                port,
                "",
            ),
            None => "not resolved".to_owned(),
        };
        Ok((proxy.scope.name(&cluster), backend.weight.unwrap_or(1)))
    };
    rule.backend_refs.iter().map(target).collect()
}

fn is_granted(objects: &Objects, route: &Object<HttpRoute>, namespace: &str, service: &str) -> bool {
    objects.reference_grants.iter().any(|grant| {
        grant.namespace == namespace
            && grant.spec.from.iter().any(|from| {
                from.group == GROUP && from.kind == "HTTPRoute" && from.namespace == route.namespace
            })
            && grant.spec.to.iter().any(|to| {
                to.group.is_empty()
                    && to.kind == "Service"
                    && to.name.as_ref().is_none_or(|name| name == service)
            })
    })
}

impl Match {
    fn precedence(&self) -> (bool, usize, bool, usize, usize) {
        let (is_exact, length) = match &self.path {
            None => (false, 1),
            Some(Path { kind, value }) => (*kind == PathKind::Exact, value.len()),
        };
        (
            is_exact,
            length,
            self.method.is_some(),
            self.headers.len(),
            self.query_params.len(),
        )
    }

    fn envoy(&self) -> Value {
        let mut matcher = match &self.path {
            None => json!({"prefix": "/"}),
            Some(Path {
                kind: PathKind::Exact,
                value,
            }) => json!({"path": value}),
            // By whole elements: `/api` takes `/api/v1` and not `/apis`.
            Some(Path { value, .. }) => match value.trim_end_matches('/') {
                "" => json!({"prefix": "/"}),
                prefix => json!({"path_separated_prefix": prefix}),
            },
        };
        let mut headers: Vec<Value> = self.headers.iter().map(Named::envoy).collect();
        let method = |method: &String| json!({"name": ":method", "string_match": {"exact": method}});
        headers.extend(self.method.as_ref().map(method));
        matcher["headers"] = Value::Array(headers);
        matcher["query_parameters"] = self.query_params.iter().map(Named::envoy).collect();
        matcher
    }
}

impl Named {
    fn envoy(&self) -> Value {
        let value = match self.kind {
            ValueKind::Exact => json!({"exact": self.value}),
            ValueKind::RegularExpression => json!({"safe_regex": {"regex": self.value}}),
        };
        json!({"name": self.name, "string_match": value})
    }
}
