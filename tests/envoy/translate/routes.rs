//! VirtualServices and Services → Envoy virtual hosts: which cluster gets which share of a request.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::clusters::cluster_name;
use super::objects::{
    Destination, HeaderOperations, Headers, HttpDestination, HttpMatch, HttpRoute, Object, Objects, Redirect,
    Rewrite, Server, Service, StringMatch, VirtualService, complete_host, host_matches, is_exported,
    most_specific, selects,
};
use super::{RANDOM_HEADER, Scope};
use crate::scenario::Caller;

/// The routes of some host names.
pub(crate) struct VirtualHost {
    pub(crate) domains: Vec<String>,
    pub(crate) routes: Vec<Route>,
}

/// One entry of Envoy's list, which is tried in order.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) envoy: Value,
    /// Clusters with their weights, none of which is 0; empty where the proxy answers by itself.
    pub(crate) targets: Vec<(String, u64)>,
    is_catch_all: bool,
}

/// The proxy for which routes are made.
pub(crate) struct Proxy<'a> {
    pub(crate) caller: &'a Caller,
    /// `mesh`, or `<namespace>/<name>` of a Gateway.
    pub(crate) via: &'a str,
    pub(crate) port: u16,
    pub(crate) scope: &'a Scope,
}

/// The virtual hosts of a sidecar: those of VirtualServices, and one for each Service that no VirtualService names.
///
/// A VirtualService takes over the Services of its hosts on the port that is called, and adds hosts that are no
/// Services. One that names no Service with this port counts on port 80 only. Of two for one host the older wins; a
/// wildcard takes a Service only where no host is more specific.
///
/// Source: Istio `BuildSidecarVirtualHostWrapper`, `separateVSHostsAndServices`, `dedupeDomains`.
pub(crate) fn mesh_hosts(objects: &Objects, proxy: &Proxy<'_>) -> Result<Vec<VirtualHost>, String> {
    let namespace = &proxy.caller.namespace;
    let services: Vec<&Object<Service>> = objects
        .services
        .iter()
        .filter(|service| service.is_visible_to(namespace))
        .filter(|service| service.spec.ports.iter().any(|port| port.port == proxy.port))
        .collect();
    let virtual_services: Vec<&Object<VirtualService>> = visible_virtual_services(objects, proxy);
    let all_hosts: Vec<String> = virtual_services.iter().flat_map(|found| hosts(found)).collect();
    let mut virtual_hosts = Domains::default();
    let mut taken = BTreeSet::new();
    for virtual_service in virtual_services {
        let routes = routes(virtual_service, proxy, |host| {
            // The sidecar's listener knows Services by the port it listens on, and by no other.
            let _ = host;
            proxy.port
        })?;
        if routes.is_empty() {
            continue;
        }
        let mut matched: Vec<&Object<Service>> = Vec::new();
        let mut others = Vec::new();
        for host in hosts(virtual_service) {
            let covered: Vec<_> = services
                .iter()
                .filter(|service| host_matches(&service.host(), &host))
                .collect();
            if covered.is_empty() {
                others.push(host);
                continue;
            }
            matched.extend(covered.into_iter().copied().filter(|service| {
                most_specific(&service.host(), all_hosts.iter().map(String::as_str)) == Some(&*host)
            }));
        }
        if matched.is_empty() && proxy.port != 80 {
            continue;
        }
        for host in others {
            virtual_hosts.add(vec![host], &routes);
        }
        for service in matched {
            taken.insert(service.host());
            virtual_hosts.add(service_names(service, namespace), &routes);
        }
    }
    for service in services {
        if !taken.contains(&service.host()) {
            let route = plain_route(&service.host(), proxy);
            virtual_hosts.add(service_names(service, namespace), &[route]);
        }
    }
    Ok(virtual_hosts.done)
}

/// The virtual hosts of a gateway's proxy: hosts of the VirtualServices that name the gateway, as far as its servers
/// take them.
///
/// Several VirtualServices for one host are one list in order of age, with the routes that catch everything at the end.
/// Without the Gateway among the objects every host is taken.
///
/// Source: Istio, Gateway `servers[].hosts`, `buildGatewayHTTPRouteConfig`, `CombineVHostRoutes`.
pub(crate) fn gateway_hosts(objects: &Objects, proxy: &Proxy<'_>) -> Result<Vec<VirtualHost>, String> {
    let gateway = objects
        .gateways
        .iter()
        .find(|gateway| format!("{}/{}", gateway.namespace, gateway.name) == proxy.via);
    let mut virtual_hosts: Vec<VirtualHost> = Vec::new();
    for virtual_service in visible_virtual_services(objects, proxy) {
        let routes = routes(virtual_service, proxy, |host| {
            let service = objects.services.iter().find(|service| service.host() == host);
            match service.map(|service| service.spec.ports.as_slice()) {
                Some([only]) => only.port,
                _ => proxy.port,
            }
        })?;
        for host in hosts(virtual_service) {
            let taken: Vec<String> = match gateway {
                None => vec![host],
                Some(gateway) => gateway
                    .spec
                    .servers
                    .iter()
                    .filter(|server| server.port.number == proxy.port)
                    .flat_map(|server| {
                        common_hosts(server, &gateway.namespace, &host, &virtual_service.namespace)
                    })
                    .collect(),
            };
            for domain in taken {
                match virtual_hosts.iter_mut().find(|known| known.domains[0] == domain) {
                    Some(known) => known.routes.extend(routes.iter().cloned()),
                    None => virtual_hosts.push(VirtualHost {
                        domains: vec![domain],
                        routes: routes.clone(),
                    }),
                }
            }
        }
    }
    for virtual_host in &mut virtual_hosts {
        virtual_host.routes.sort_by_key(|route| route.is_catch_all);
    }
    Ok(virtual_hosts)
}

/// What a client without a proxy reaches: the Services, by their names.
pub(crate) fn outside_hosts(objects: &Objects, proxy: &Proxy<'_>) -> Vec<VirtualHost> {
    objects
        .services
        .iter()
        .filter(|service| service.spec.ports.iter().any(|port| port.port == proxy.port))
        .map(|service| VirtualHost {
            domains: service_names(service, &proxy.caller.namespace),
            routes: vec![plain_route(&service.host(), proxy)],
        })
        .collect()
}

/// Virtual hosts whose names do not repeat: the first one keeps a name.
#[derive(Default)]
struct Domains {
    known: BTreeSet<String>,
    done: Vec<VirtualHost>,
}

impl Domains {
    fn add(&mut self, mut domains: Vec<String>, routes: &[Route]) {
        domains.retain(|domain| self.known.insert(domain.to_lowercase()));
        if !domains.is_empty() {
            self.done.push(VirtualHost {
                domains,
                routes: routes.to_vec(),
            });
        }
    }
}

fn visible_virtual_services<'a>(objects: &'a Objects, proxy: &Proxy<'_>) -> Vec<&'a Object<VirtualService>> {
    objects
        .virtual_services
        .iter()
        .filter(|found| is_exported(&found.spec.export_to, &found.namespace, &proxy.caller.namespace))
        .filter(|found| match found.spec.gateways.as_slice() {
            [] => proxy.via == "mesh",
            gateways => names_gateway(gateways, &found.namespace, proxy.via),
        })
        .collect()
}

/// Whether a list of gateways holds the one of the proxy. A name without a namespace is in the VirtualService's own.
fn names_gateway(gateways: &[String], namespace: &str, via: &str) -> bool {
    gateways.iter().any(|gateway| match gateway.split_once('/') {
        None if gateway == "mesh" => via == "mesh",
        None => format!("{namespace}/{gateway}") == via,
        Some((".", name)) => format!("{namespace}/{name}") == via,
        Some(_) => gateway == via,
    })
}

fn hosts(virtual_service: &Object<VirtualService>) -> Vec<String> {
    let complete = |host: &String| complete_host(host, &virtual_service.namespace);
    virtual_service.spec.hosts.iter().map(complete).collect()
}

/// The names under which a Service can be called from a namespace.
///
/// Source: Istio `generateAltVirtualHostsForKubernetesService`; Kubernetes, DNS for Services.
pub(crate) fn service_names(service: &Object<Service>, from: &str) -> Vec<String> {
    let short = format!("{}.{}", service.name, service.namespace);
    let mut names = vec![service.host(), format!("{short}.svc"), short];
    if service.namespace == from {
        names.push(service.name.clone());
    }
    names
}

/// The hosts that both a server and a VirtualService speak of; the narrower of two patterns.
fn common_hosts(server: &Server, gateway_namespace: &str, host: &str, namespace: &str) -> Vec<String> {
    server
        .hosts
        .iter()
        .filter_map(|entry| {
            let (from, pattern) = entry.split_once('/').unwrap_or(("*", entry));
            let is_from = match from {
                "*" => true,
                "." => namespace == gateway_namespace,
                named => namespace == named,
            };
            let narrower = if host_matches(host, pattern) {
                Some(host)
            } else if host_matches(pattern, host) {
                Some(pattern)
            } else {
                None
            };
            narrower.filter(|_| is_from).map(str::to_owned)
        })
        .collect()
}

/// To a Service as it is.
pub(crate) fn plain_route(host: &str, proxy: &Proxy<'_>) -> Route {
    let cluster = proxy.scope.name(&cluster_name(host, proxy.port, ""));
    Route {
        envoy: json!({"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}),
        targets: vec![(cluster, 1)],
        is_catch_all: true,
    }
}

/// What a proxy answers where a destination is not there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NotFound {
    InternalServerError,
    ServiceUnavailable,
}

/// A route to clusters with weights, of which those of 0 do not count; to nowhere where none counts.
pub(crate) fn weighted_route(matcher: Value, targets: &[(String, u64)], not_found: NotFound) -> Route {
    let targets: Vec<(String, u64)> = targets
        .iter()
        .filter(|(_, weight)| *weight > 0)
        .cloned()
        .collect();
    let mut forward = match targets.as_slice() {
        [] => json!({"cluster": "nowhere"}),
        [(only, _)] => json!({"cluster": only}),
        several => {
            let clusters = several.iter();
            let clusters = clusters.map(|(name, weight)| json!({"name": name, "weight": weight}));
            json!({"weighted_clusters": {"header_name": RANDOM_HEADER, "clusters": clusters.collect::<Vec<_>>()}})
        }
    };
    forward["timeout"] = json!("0s");
    forward["cluster_not_found_response_code"] = match not_found {
        NotFound::InternalServerError => json!("INTERNAL_SERVER_ERROR"),
        NotFound::ServiceUnavailable => json!("SERVICE_UNAVAILABLE"),
    };
    Route {
        envoy: json!({"match": matcher, "route": forward}),
        targets,
        is_catch_all: false,
    }
}

/// The routes of a VirtualService for a proxy, in order: one for each match of each rule.
///
/// `port_of` gives the port of a destination host that names none.
///
/// Source: Istio, VirtualService `HTTPRoute`, `HTTPMatchRequest`; `BuildHTTPRoutesForVirtualService`.
fn routes(
    virtual_service: &Object<VirtualService>,
    proxy: &Proxy<'_>,
    port_of: impl Fn(&str) -> u16,
) -> Result<Vec<Route>, String> {
    let mut routes = Vec::new();
    for rule in &virtual_service.spec.http {
        let Action { envoy, targets } = action(rule, &virtual_service.namespace, proxy, &port_of)
            .map_err(|what| format!("VirtualService {}: {what}", virtual_service.name))?;
        let mut add = |matcher: Value, is_catch_all: bool| {
            let mut envoy = envoy.clone();
            envoy.insert("match".to_owned(), matcher);
            routes.push(Route {
                envoy: Value::Object(envoy),
                targets: targets.clone(),
                is_catch_all,
            });
        };
        if rule.matches.is_empty() {
            add(json!({"prefix": "/"}), true);
        }
        for found in &rule.matches {
            if is_for_proxy(found, &virtual_service.namespace, proxy) {
                add(envoy_match(found)?, is_catch_all(found));
            }
        }
    }
    Ok(routes)
}

/// Whether a match is meant for the proxy at all; decided before any request.
///
/// Source: Istio `sourceMatchHTTP`: gateways, where given, decide alone.
fn is_for_proxy(found: &HttpMatch, namespace: &str, proxy: &Proxy<'_>) -> bool {
    if found.port.is_some_and(|port| port != proxy.port) {
        return false;
    }
    if !found.gateways.is_empty() {
        return names_gateway(&found.gateways, namespace, proxy.via);
    }
    selects(&found.source_labels, &proxy.caller.labels)
        && (found.source_namespace.is_empty() || found.source_namespace == proxy.caller.namespace)
}

/// Source: Istio `IsCatchAllRoute`: every path, and no header or parameter asked for.
fn is_catch_all(found: &HttpMatch) -> bool {
    let is_every_path = match &found.uri {
        None => true,
        Some(StringMatch::Prefix(prefix)) => prefix == "/",
        Some(StringMatch::Regex(regex)) => regex == ".*",
        Some(StringMatch::Exact(_)) => false,
    };
    let asks_for_headers = [&found.method, &found.authority, &found.scheme]
        .iter()
        .any(|value| value.is_some())
        || !found.headers.is_empty()
        || !found.without_headers.is_empty();
    is_every_path && !asks_for_headers && found.query_params.is_empty()
}

/// Source: Envoy, `config.route.v3.RouteMatch`; Istio, `HTTPMatchRequest`: regular expressions match the whole value.
fn envoy_match(found: &HttpMatch) -> Result<Value, String> {
    let mut matcher = match &found.uri {
        None => json!({"prefix": "/"}),
        Some(StringMatch::Exact(path)) => json!({"path": path}),
        Some(StringMatch::Prefix(prefix)) => json!({"prefix": prefix}),
        Some(StringMatch::Regex(regex)) => json!({"safe_regex": {"regex": regex}}),
    };
    matcher["case_sensitive"] = json!(!found.ignore_uri_case);
    let mut headers = Vec::new();
    for (name, value) in [
        (":method", &found.method),
        (":authority", &found.authority),
        (":scheme", &found.scheme),
    ] {
        headers.extend(
            value
                .as_ref()
                .map(|value| json!({"name": name, "string_match": envoy_string(value)})),
        );
    }
    for (name, value) in &found.headers {
        headers.push(header(name, value)?);
    }
    for (name, value) in &found.without_headers {
        let mut header = header(name, value)?;
        header["invert_match"] = json!(true);
        header["treat_missing_header_as_empty"] = json!(header.get("present_match").is_none());
        headers.push(header);
    }
    if !headers.is_empty() {
        matcher["headers"] = Value::Array(headers);
    }
    if !found.query_params.is_empty() {
        let parameters = found.query_params.iter();
        matcher["query_parameters"] = parameters
            .map(|(name, value)| json!({"name": name, "string_match": envoy_string(value)}))
            .collect();
    }
    Ok(matcher)
}

/// A string match on a header, or its presence where nothing is asked of it.
fn header(name: &str, value: &Value) -> Result<Value, String> {
    if value.is_null() || value.as_object().is_some_and(Map::is_empty) {
        return Ok(json!({"name": name, "present_match": true}));
    }
    let value: StringMatch =
        serde_json::from_value(value.clone()).map_err(|error| format!("header {name}: {error}"))?;
    Ok(json!({"name": name, "string_match": envoy_string(&value)}))
}

fn envoy_string(value: &StringMatch) -> Value {
    match value {
        StringMatch::Exact(text) => json!({"exact": text}),
        StringMatch::Prefix(text) => json!({"prefix": text}),
        StringMatch::Regex(regex) => json!({"safe_regex": {"regex": regex}}),
    }
}

/// What a rule does with a request that matches.
struct Action {
    /// Fields of the Envoy route.
    envoy: Map<String, Value>,
    targets: Vec<(String, u64)>,
}

impl Action {
    fn of_proxy(field: &str, value: Value) -> Self {
        let mut envoy = Map::new();
        envoy.insert(field.to_owned(), value);
        Self {
            envoy,
            targets: Vec::new(),
        }
    }
}

fn action(
    rule: &HttpRoute,
    namespace: &str,
    proxy: &Proxy<'_>,
    port_of: &impl Fn(&str) -> u16,
) -> Result<Action, String> {
    if let Some(redirect) = &rule.redirect {
        return Ok(Action::of_proxy("redirect", envoy_redirect(redirect)?));
    }
    if let Some(response) = &rule.direct_response {
        return Ok(Action::of_proxy(
            "direct_response",
            json!({"status": response.status}),
        ));
    }
    let target = |destination: &HttpDestination| {
        let Destination { host, subset, port } = &destination.destination;
        let host = complete_host(host, namespace);
        let port = port.as_ref().map_or_else(|| port_of(&host), |port| port.number);
        proxy.scope.name(&cluster_name(&host, port, subset))
    };
    let mut forward = json!({"timeout": "0s"});
    let mut operations = vec![request_operations(rule.headers.as_ref())];
    let targets: Vec<(String, u64)> = match rule.route.as_slice() {
        [] => return Err("a rule without a destination is refused at admission".to_owned()),
        // The weight of a single destination does not count, 0 included. Source: Istio `applyHTTPRouteDestination`.
        [only] => {
            operations.push(request_operations(only.headers.as_ref()));
            forward["cluster"] = json!(target(only));
            vec![(target(only), 1)]
        }
        // Of several, those of weight 0 are left out. Source: as above.
        several => {
            let weighted: Vec<&HttpDestination> = several
                .iter()
                .filter(|destination| destination.weight > 0)
                .collect();
            if weighted.is_empty() {
                return Err("weights of 0 in total are refused at admission".to_owned());
            }
            forward["weighted_clusters"] = weighted_clusters(&weighted, target);
            let weight = |destination: &HttpDestination| u64::from(destination.weight);
            weighted
                .iter()
                .map(|destination| (target(destination), weight(destination)))
                .collect()
        }
    };
    rewrite(&mut forward, rule.rewrite.as_ref(), &operations);
    let mut envoy = Map::new();
    envoy.insert("route".to_owned(), forward);
    set_operations(&mut envoy, &operations);
    Ok(Action { envoy, targets })
}

/// The random number that Envoy would draw comes with the request, so that sending every number once gives the exact
/// shares.
///
/// Source: Envoy, `config.route.v3.WeightedCluster`, `header_name`.
fn weighted_clusters(weighted: &[&HttpDestination], target: impl Fn(&HttpDestination) -> String) -> Value {
    let clusters = weighted.iter().map(|destination| {
        let mut cluster = Map::new();
        cluster.insert("name".to_owned(), json!(target(destination)));
        cluster.insert("weight".to_owned(), json!(destination.weight));
        let operations = request_operations(destination.headers.as_ref());
        set_operations(&mut cluster, &[operations]);
        if let Some(host) = operations.and_then(host_operation) {
            cluster.insert("host_rewrite_literal".to_owned(), json!(host));
        }
        Value::Object(cluster)
    });
    json!({"header_name": RANDOM_HEADER, "clusters": clusters.collect::<Vec<_>>()})
}

/// Source: Istio, VirtualService `HTTPRewrite`. Its authority comes before a `Host` among the header operations.
fn rewrite(forward: &mut Value, rewrite: Option<&Rewrite>, operations: &[Option<&HeaderOperations>]) {
    let set_host = operations.iter().flatten().find_map(|set| host_operation(set));
    let authority = rewrite.map(|rewrite| rewrite.authority.as_str());
    if let Some(authority) = authority.filter(|authority| !authority.is_empty()).or(set_host) {
        forward["host_rewrite_literal"] = json!(authority);
    }
    let Some(rewrite) = rewrite else {
        return;
    };
    if let Some(regex) = &rewrite.uri_regex_rewrite {
        let pattern = json!({"regex": regex.pattern});
        forward["regex_rewrite"] = json!({"pattern": pattern, "substitution": regex.rewrite});
    } else if !rewrite.uri.is_empty() {
        forward["prefix_rewrite"] = json!(rewrite.uri);
    }
}

fn request_operations(headers: Option<&Headers>) -> Option<&HeaderOperations> {
    headers?.request.as_ref()
}

fn host_operation(operations: &HeaderOperations) -> Option<&str> {
    let mut set = operations.set.iter();
    set.find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.as_str())
}

/// Writes header operations as Envoy fields. `Host` is not among them: it is rewritten by the route.
fn set_operations(envoy: &mut Map<String, Value>, all: &[Option<&HeaderOperations>]) {
    let mut add = Vec::new();
    let mut remove = Vec::new();
    for operations in all.iter().flatten() {
        let named = |entries: &super::objects::Labels, action: &str| -> Vec<Value> {
            entries
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
                .map(
                    |(name, value)| json!({"header": {"key": name, "value": value}, "append_action": action}),
                )
                .collect()
        };
        add.extend(named(&operations.set, "OVERWRITE_IF_EXISTS_OR_ADD"));
        add.extend(named(&operations.add, "APPEND_IF_EXISTS_OR_ADD"));
        remove.extend(operations.remove.iter().cloned());
    }
    if !add.is_empty() {
        envoy.insert("request_headers_to_add".to_owned(), Value::Array(add));
    }
    if !remove.is_empty() {
        envoy.insert("request_headers_to_remove".to_owned(), json!(remove));
    }
}

/// Source: Istio `ApplyRedirect`.
fn envoy_redirect(redirect: &Redirect) -> Result<Value, String> {
    let code = match redirect.redirect_code {
        0 | 301 => "MOVED_PERMANENTLY",
        302 => "FOUND",
        303 => "SEE_OTHER",
        307 => "TEMPORARY_REDIRECT",
        308 => "PERMANENT_REDIRECT",
        other => return Err(format!("redirect code {other} is refused at admission")),
    };
    Ok(json!({
        "host_redirect": redirect.authority,
        "path_redirect": redirect.uri,
        "response_code": code,
    }))
}
