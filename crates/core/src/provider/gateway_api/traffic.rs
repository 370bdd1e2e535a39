//! What a Gateway API implementation does with a request: routes, backends, pods.
//!
//! Sources: Gateway API reference, "HTTPRoute" (`HTTPRouteRule`, `HTTPRouteMatch`: precedence; `BackendRef`: 500 for the
//! share of what cannot be resolved), GAMMA "Service mesh" (a request that no rule of an attached route matches: 404).

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::cluster::{Cluster, Known, failure, full_name, items, number, plain, ratio, text};
use super::GROUP;
use crate::manifest::{Manifest, ObjectRef};
use crate::prover::{
    Caller, Entry, FailureKind, Outcome, PodGroup, Request, State, Traffic, Unjudged, Versions, World,
};

/// The objects of one environment that decide about requests, before and after.
pub(in crate::provider) struct GatewayTraffic {
    cluster: Cluster,
    routes: Vec<Versions<HttpRoute>>,
    grants: Vec<Versions<Grant>>,
    unjudged: Vec<Unjudged>,
}

impl GatewayTraffic {
    pub(in crate::provider) fn new(world: &World<'_>) -> Self {
        let mut traffic = Self {
            cluster: Cluster::new(world),
            routes: world.read(GROUP, "HTTPRoute", HttpRoute::read),
            grants: world.read(GROUP, "ReferenceGrant", Grant::read),
            unjudged: Vec::new(),
        };
        traffic.unjudged = traffic.cluster.unjudged(world, KNOWN, &unknown_part);
        traffic
    }

    fn each_route(&self) -> impl Iterator<Item = &HttpRoute> {
        self.routes.iter().flat_map(|versions| versions.each())
    }
}

/// Kinds whose objects the model knows, beyond those of every cluster.
const KNOWN: &[(&str, &str)] = &[(GROUP, "HTTPRoute"), (GROUP, "ReferenceGrant")];

/// What changes of a route that the model does not know.
fn unknown_part(ends: [Option<&Manifest>; 2]) -> Option<&'static str> {
    let object = &ends.into_iter().flatten().next()?.object;
    if !object.is(GROUP, "HTTPRoute") {
        return None;
    }
    let of = |end: Option<&Manifest>, field: &str| -> Vec<Value> {
        let rules = end.and_then(|end| end.value.pointer("/spec/rules")?.as_array());
        let rules = rules.into_iter().flatten();
        let mut values: Vec<Value> = rules.filter_map(|rule| said(rule, field)).collect();
        // A rule for a part of the next one's requests says the same.
        values.dedup();
        values
    };
    let differs = |field| of(ends[0], field) != of(ends[1], field);
    let both = ends.iter().all(Option::is_some);
    (both && (differs("filters") || differs("timeouts") || differs("retry") || differs("sessionPersistence")))
        .then_some("changes filters, timeouts or retries")
}

/// A field of a rule, but for copies for who gets requests of the rule anyway: nobody waits for what becomes of them.
fn said(rule: &Value, field: &str) -> Option<Value> {
    let mut said = rule.get(field)?.clone();
    let is_backend = |copy: &Value| {
        let mut backends = items(rule, "/backendRefs");
        backends.any(|backend| text(backend, "name") == text(copy, "name"))
    };
    if let (Some(filters), "filters") = (said.as_array_mut(), field) {
        filters.retain(|filter| {
            !filter
                .pointer("/requestMirror/backendRef")
                .is_some_and(is_backend)
        });
        return (!filters.is_empty()).then_some(said);
    }
    Some(said)
}

impl Traffic for GatewayTraffic {
    fn requests(&self) -> Vec<Request> {
        let mut found = Vec::new();
        for blank in self.doors() {
            let mut examples = BTreeSet::from([blank.clone()]);
            for route in self.each_route().filter(|route| route.is_attached(&blank)) {
                let matches = route.rules.iter().flat_map(|rule| &rule.matches);
                examples.extend(matches.map(|matched| matched.example(&blank)));
            }
            found.extend(examples);
        }
        for (host, port) in self.cluster.doors() {
            found.push(plain(&host, port, Entry::Sidecar, false));
        }
        found.sort();
        found.dedup();
        found
    }

    fn serve(&self, state: &State<'_>, request: &Request) -> Outcome {
        let serving = Serving {
            traffic: self,
            state,
            request,
        };
        serving.serve()
    }

    fn pods(&self, state: &State<'_>) -> Vec<(PodGroup, u64)> {
        self.cluster.pods(state, |_| true)
    }

    fn unjudged(&self) -> Vec<Unjudged> {
        self.unjudged.clone()
    }
}

impl GatewayTraffic {
    /// A plain request to every Service, and to every host at every gateway.
    fn doors(&self) -> BTreeSet<Request> {
        let services = self.cluster.doors().into_iter();
        let mut doors: BTreeSet<Request> = services
            .map(|(host, port)| plain(&host, port, Entry::Sidecar, true))
            .collect();
        for route in self.each_route() {
            for parent in &route.parents {
                let Parent::Gateway(gateway) = parent else {
                    continue;
                };
                let anything = [String::from("*")];
                let hosts = match route.hosts.as_slice() {
                    [] => &anything[..],
                    hosts => hosts,
                };
                let entry = || Entry::Gateway(gateway.clone());
                let at_gateway = |host: &String| plain(&host.replacen('*', "any", 1), 80, entry(), true);
                doors.extend(hosts.iter().map(at_gateway));
            }
        }
        doors
    }
}

/// One request in one state.
struct Serving<'a> {
    traffic: &'a GatewayTraffic,
    state: &'a State<'a>,
    request: &'a Request,
}

impl Serving<'_> {
    fn serve(&self) -> Outcome {
        let request = self.request;
        let attached: Vec<&HttpRoute> = match request.caller {
            // Without a proxy a caller sees the Service alone.
            Caller::Outside => Vec::new(),
            // Nobody reaches a Service that is gone, wherever its routes lead.
            Caller::Mesh(_) if self.is_gone() => Vec::new(),
            Caller::Mesh(_) => self.attached(),
        };
        let rules = attached.iter().flat_map(|route| {
            let rules = route.rules.iter().enumerate();
            rules.map(move |(index, rule)| (*route, index, rule))
        });
        let matching = rules.filter_map(|(route, index, rule)| {
            let best = rule.specificity(request)?;
            Some((
                (best, std::cmp::Reverse((&route.object.name, index))),
                route,
                rule,
            ))
        });
        match matching.max_by(|(one, ..), (other, ..)| one.cmp(other)) {
            Some((_, route, rule)) => self.follow(route, rule),
            None if !attached.is_empty() || request.entry != Entry::Sidecar => {
                let text = format!("404: no rule of a route takes {}{}", request.host, request.path);
                Outcome::failure(failure(
                    FailureKind::NoRoute,
                    text,
                    attached.first().map(|route| &route.object),
                ))
            }
            None => self.reach(&request.host, request.port),
        }
    }

    fn is_gone(&self) -> bool {
        let Request { entry, host, .. } = self.request;
        *entry == Entry::Sidecar && matches!(self.traffic.cluster.service(self.state, host), Known::Gone)
    }

    /// The routes of this state that the request meets.
    fn attached(&self) -> Vec<&HttpRoute> {
        let is_attached = |route: &HttpRoute| route.is_attached(self.request);
        let concerned = self
            .traffic
            .routes
            .iter()
            .filter(|versions| versions.any(is_attached));
        let seen = concerned.filter_map(|versions| self.state.see(versions));
        seen.filter(|route| is_attached(route)).collect()
    }

    fn follow(&self, route: &HttpRoute, rule: &Rule) -> Outcome {
        if rule.answers {
            return Outcome::served("the gateway", u64::MAX);
        }
        let total: u64 = rule.backends.iter().map(|backend| backend.weight).sum();
        if total == 0 {
            let text = format!("500: {} gives no backend a weight", route.object);
            return Outcome::failure(failure(FailureKind::NoDestination, text, Some(&route.object)));
        }
        let mut outcome = Outcome::default();
        for backend in rule.backends.iter().filter(|backend| backend.weight > 0) {
            outcome.add(self.send(route, backend), ratio(backend.weight, total));
        }
        outcome
    }

    fn send(&self, route: &HttpRoute, backend: &Backend) -> Outcome {
        if !backend.is_service {
            return Outcome::elsewhere(&backend.name);
        }
        let namespace = backend.namespace.as_ref().unwrap_or(&route.namespace);
        if *namespace != route.namespace && !self.is_granted(route, namespace, &backend.name) {
            let text = format!(
                "500: no ReferenceGrant in {namespace} lets {} use the Service {}",
                route.object, backend.name
            );
            return Outcome::failure(failure(FailureKind::NoDestination, text, Some(&route.object)));
        }
        let host = full_name(&backend.name, namespace);
        self.reach(&host, backend.port.unwrap_or(self.request.port))
    }

    fn reach(&self, host: &str, port: u16) -> Outcome {
        self.traffic.cluster.reach(self.state, host, port, "500")
    }

    fn is_granted(&self, route: &HttpRoute, namespace: &str, service: &str) -> bool {
        let grants = |grant: &Grant| grant.allows(&route.namespace, namespace, service);
        let mut grants_here = self
            .traffic
            .grants
            .iter()
            .filter(|versions| versions.any(grants))
            .filter_map(|versions| self.state.see(versions));
        grants_here.any(grants)
    }
}

/// A route: where it is attached and what it does.
#[derive(Debug)]
struct HttpRoute {
    object: ObjectRef,
    namespace: String,
    parents: Vec<Parent>,
    hosts: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
enum Parent {
    /// Namespace and name.
    Gateway(String),
    /// A Service's host, and one of its ports or all.
    Service(String, Option<u16>),
}

#[derive(Debug)]
struct Rule {
    matches: Vec<Match>,
    backends: Vec<Backend>,
    /// It redirects: there is no backend.
    answers: bool,
}

#[derive(Debug)]
struct Backend {
    name: String,
    namespace: Option<String>,
    port: Option<u16>,
    weight: u64,
    is_service: bool,
}

/// One alternative of a rule.
#[derive(Debug, Default)]
pub(super) struct Match {
    path: Option<(PathKind, String)>,
    method: Option<String>,
    headers: Vec<(String, Pattern)>,
    query: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathKind {
    Exact,
    Prefix,
    Regex,
}

#[derive(Debug)]
enum Pattern {
    Exact(String),
    Regex(String),
}

impl HttpRoute {
    fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let parent = |parent: &Value| {
            let name = text(parent, "name")?;
            let of = text(parent, "namespace").unwrap_or(&namespace);
            match text(parent, "kind") {
                Some("Service") => Some(Parent::Service(
                    full_name(name, of),
                    parent.get("port").and_then(number),
                )),
                None | Some("Gateway") => Some(Parent::Gateway(format!("{of}/{name}"))),
                Some(_) => None,
            }
        };
        let hosts = items(&manifest.value, "/spec/hostnames").filter_map(Value::as_str);
        Self {
            parents: items(&manifest.value, "/spec/parentRefs")
                .filter_map(parent)
                .collect(),
            hosts: hosts.map(str::to_owned).collect(),
            rules: items(&manifest.value, "/spec/rules").map(Rule::read).collect(),
            object: manifest.object.clone(),
            namespace,
        }
    }

    fn is_attached(&self, request: &Request) -> bool {
        self.parents.iter().any(|parent| match (parent, &request.entry) {
            (Parent::Gateway(name), Entry::Gateway(entry)) => name == entry && self.takes_host(&request.host),
            // Source: GAMMA: host names are not looked at for a Service.
            (Parent::Service(host, port), Entry::Sidecar) => {
                *host == request.host && port.is_none_or(|port| port == request.port)
            }
            _ => false,
        })
    }

    fn takes_host(&self, host: &str) -> bool {
        let takes = |known: &String| match known.strip_prefix('*') {
            Some(end) => host.ends_with(end),
            None => known == host,
        };
        self.hosts.is_empty() || self.hosts.iter().any(takes)
    }
}

impl Rule {
    fn read(rule: &Value) -> Self {
        let filters = || items(rule, "/filters").filter_map(|filter| text(filter, "type"));
        Self {
            matches: items(rule, "/matches").map(Match::read).collect(),
            backends: items(rule, "/backendRefs").filter_map(Backend::read).collect(),
            answers: filters().any(|kind| kind == "RequestRedirect"),
        }
    }

    /// How exactly the rule takes a request; the more exact of two rules wins. Source: `HTTPRouteRule.matches`: an exact
    /// path, then the longest prefix, then a method, then the most headers, then the most query parameters.
    fn specificity(&self, request: &Request) -> Option<(bool, usize, bool, usize, usize)> {
        if self.matches.is_empty() {
            return Some((false, 1, false, 0, 0));
        }
        let matching = self.matches.iter().filter(|matched| matched.takes(request));
        matching.map(Match::specificity).max()
    }
}

impl Backend {
    fn read(entry: &Value) -> Option<Self> {
        Some(Self {
            name: text(entry, "name")?.to_owned(),
            namespace: text(entry, "namespace").map(str::to_owned),
            port: entry.get("port").and_then(number),
            weight: entry.get("weight").and_then(Value::as_u64).unwrap_or(1),
            is_service: text(entry, "group").is_none_or(str::is_empty)
                && text(entry, "kind").is_none_or(|kind| kind == "Service"),
        })
    }
}

impl Match {
    pub(super) fn read(matched: &Value) -> Self {
        let path = matched.get("path").map(|path| {
            let kind = match text(path, "type") {
                Some("Exact") => PathKind::Exact,
                Some("RegularExpression") => PathKind::Regex,
                _ => PathKind::Prefix,
            };
            (kind, text(path, "value").unwrap_or("/").to_owned())
        });
        let header = |header: &Value| {
            let value = text(header, "value")?.to_owned();
            let pattern = match text(header, "type") {
                Some("RegularExpression") => Pattern::Regex(value),
                _ => Pattern::Exact(value),
            };
            Some((text(header, "name")?.to_lowercase(), pattern))
        };
        let query = |query: &Value| Some((text(query, "name")?.to_owned(), text(query, "value")?.to_owned()));
        Self {
            path,
            method: text(matched, "method").map(str::to_owned),
            headers: items(matched, "/headers").filter_map(header).collect(),
            query: items(matched, "/queryParams").filter_map(query).collect(),
        }
    }

    fn takes(&self, request: &Request) -> bool {
        let fulfils = |name: &str, pattern: &str| {
            let condition = (name.to_owned(), pattern.to_owned());
            request.fulfils.contains(&condition)
        };
        let path = match &self.path {
            None => true,
            Some((PathKind::Exact, path)) => request.path == *path,
            Some((PathKind::Prefix, prefix)) => is_below(&request.path, prefix),
            Some((PathKind::Regex, regex)) => fulfils("path", regex),
        };
        let header = |(name, pattern): &(String, Pattern)| match pattern {
            Pattern::Exact(value) => request.headers.get(name) == Some(value),
            Pattern::Regex(regex) => fulfils(name, regex),
        };
        path && self
            .method
            .as_ref()
            .is_none_or(|method| *method == request.method)
            && self.headers.iter().all(header)
            && self
                .query
                .iter()
                .all(|(name, value)| fulfils(&format!("query {name}"), value))
    }

    pub(super) fn specificity(&self) -> (bool, usize, bool, usize, usize) {
        let (is_exact, length) = match &self.path {
            Some((PathKind::Exact, path)) => (true, path.len()),
            Some((_, path)) => (false, path.len()),
            None => (false, 1),
        };
        (
            is_exact,
            length,
            self.method.is_some(),
            self.headers.len(),
            self.query.len(),
        )
    }

    /// Whether some path may be of both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (&self.path, &other.path) {
            (Some((PathKind::Exact, one)), Some((PathKind::Exact, other))) => one == other,
            (Some((PathKind::Prefix, start)), Some((PathKind::Exact, path)))
            | (Some((PathKind::Exact, path)), Some((PathKind::Prefix, start))) => is_below(path, start),
            (Some((PathKind::Prefix, one)), Some((PathKind::Prefix, other))) => {
                is_below(one, other) || is_below(other, one)
            }
            _ => true,
        }
    }

    /// A request that fulfils it.
    fn example(&self, blank: &Request) -> Request {
        let mut request = blank.clone();
        match &self.path {
            Some((PathKind::Regex, regex)) => request.fulfils.push(("path".to_owned(), regex.clone())),
            Some((_, path)) => request.path.clone_from(path),
            None => {}
        }
        if let Some(method) = &self.method {
            request.method.clone_from(method);
        }
        for (name, pattern) in &self.headers {
            match pattern {
                Pattern::Exact(value) => drop(request.headers.insert(name.clone(), value.clone())),
                Pattern::Regex(regex) => request.fulfils.push((name.clone(), regex.clone())),
            }
        }
        let query = self.query.iter();
        request
            .fulfils
            .extend(query.map(|(name, value)| (format!("query {name}"), value.clone())));
        request
    }
}

/// Whether a path is a prefix's, by whole elements. Source: `PathMatchPathPrefix`.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Permission for routes of other namespaces to use Services of this one.
#[derive(Debug)]
struct Grant {
    namespace: String,
    from: Vec<String>,
    /// Names; none for all.
    services: Vec<Option<String>>,
}

impl Grant {
    fn read(manifest: &Manifest) -> Self {
        let from =
            items(&manifest.value, "/spec/from").filter(|from| text(from, "kind") == Some("HTTPRoute"));
        let to = items(&manifest.value, "/spec/to").filter(|to| text(to, "kind") == Some("Service"));
        Self {
            namespace: manifest.object.namespace.clone().unwrap_or_default(),
            from: from
                .filter_map(|from| text(from, "namespace").map(str::to_owned))
                .collect(),
            services: to.map(|to| text(to, "name").map(str::to_owned)).collect(),
        }
    }

    fn allows(&self, from: &str, namespace: &str, service: &str) -> bool {
        let is_meant = |name: &Option<String>| name.as_ref().is_none_or(|name| name == service);
        self.namespace == namespace
            && self.from.iter().any(|known| known == from)
            && self.services.iter().any(is_meant)
    }
}
