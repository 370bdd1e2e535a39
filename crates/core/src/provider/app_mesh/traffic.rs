//! What App Mesh does with a request to a VirtualService: routes, VirtualNodes, the Services behind their host names.
//!
//! Source: aws-app-mesh-controller-for-k8s 0.5.0 and 1.13. What is not established there (a target that is not defined, in
//! v1beta1 even without weight) is taken as lost; v1beta2 holds the whole update back instead, which is safer.

use serde_json::Value;

use super::super::cluster::{Cluster, failure, full_name, items, number, plain, ratio, text};
use super::{GROUP, PROTOCOLS};
use crate::manifest::{Manifest, ObjectRef};
use crate::prover::{
    Caller, Entry, FailureKind, Outcome, PodGroup, Request, State, Traffic, Unjudged, Versions, World,
};

/// The objects of one environment that decide about requests, before and after.
pub(in crate::provider) struct AppMeshTraffic {
    cluster: Cluster,
    services: Vec<Versions<VirtualService>>,
    routers: Vec<Versions<Router>>,
    nodes: Vec<Versions<Node>>,
    unjudged: Vec<Unjudged>,
}

impl AppMeshTraffic {
    pub(in crate::provider) fn new(world: &World<'_>) -> Self {
        let cluster = Cluster::new(world);
        let known = [
            (GROUP, "VirtualService"),
            (GROUP, "VirtualRouter"),
            (GROUP, "VirtualNode"),
        ];
        Self {
            services: world.read(GROUP, "VirtualService", VirtualService::read),
            routers: world.read(GROUP, "VirtualRouter", Router::read),
            nodes: world.read(GROUP, "VirtualNode", Node::read),
            unjudged: cluster.unjudged(world, &known, &unknown_part),
            cluster,
        }
    }
}

/// Route names: to change one is to delete a route and to create another, with a gap in between.
fn unknown_part(ends: [Option<&Manifest>; 2]) -> Option<&'static str> {
    let [before, after] = ends.map(|end| {
        let routes = end.map(|end| items(&end.value, "/spec/routes"));
        let names = routes
            .into_iter()
            .flatten()
            .filter_map(|route| Some(text(route, "name")?.to_owned()));
        names.collect::<Vec<_>>()
    });
    let is_renamed =
        !before.is_empty() && before.len() == after.len() && before.iter().any(|name| !after.contains(name));
    is_renamed.then_some("renames a route, which is deleted before the other is created")
}

impl Traffic for AppMeshTraffic {
    fn requests(&self) -> Vec<Request> {
        let mut found = Vec::new();
        for (host, port) in self.cluster.doors() {
            found.push(plain(&host, port, Entry::Sidecar, false));
            found.push(plain(&host, port, Entry::Sidecar, true));
        }
        for service in self.services.iter().flat_map(|versions| versions.each()) {
            let blank = plain(&service.host, service.port.unwrap_or(80), Entry::Sidecar, true);
            let routers = self.routers.iter().flat_map(|versions| versions.each());
            let own = routers.filter(|router| service.router.as_deref() == Some(&router.name));
            let routes = own.flat_map(|router| &router.routes).chain(&service.routes);
            found.extend(routes.map(|route| route.example(&blank)));
            found.push(blank);
        }
        found.sort();
        found.dedup();
        found
    }

    fn serve(&self, state: &State<'_>, request: &Request) -> Outcome {
        let plain = || self.cluster.reach(state, &request.host, request.port, "503");
        if request.caller == Caller::Outside {
            return plain();
        }
        let is_for = |service: &VirtualService| service.host == request.host;
        let mut concerned = self.services.iter().filter(|versions| versions.any(is_for));
        let Some(versions) = concerned.next() else {
            return plain();
        };
        let Some(service) = state.see(versions) else {
            return match self
                .cluster
                .doors()
                .contains(&(request.host.clone(), request.port))
            {
                true => plain(),
                false => no_route(request, None),
            };
        };
        if let Some(node) = &service.node {
            return self.node(state, &service.object, node, request.port);
        }
        let router = service.router.as_ref().and_then(|name| {
            let is_meant = |router: &Router| router.name == *name;
            let concerned = self.routers.iter().filter(|versions| versions.any(is_meant));
            concerned.filter_map(|versions| state.see(versions)).next()
        });
        // Source: controller 1.x, `virtualrouter`: as long as a node that one of its routes names is missing, none is
        // brought into the mesh.
        let held = router.and_then(|router| {
            let mut targets = router.routes.iter().flat_map(|route| &route.targets);
            targets.find_map(|(node, _)| {
                let target = self.node(state, &router.object, node, request.port);
                lacks_destination(&target).then_some(target)
            })
        });
        if let Some(held) = held {
            return held;
        }
        let (object, routes) = match router {
            Some(router) => (&router.object, &router.routes),
            None => (&service.object, &service.routes),
        };
        let matching = routes.iter().filter(|route| route.takes(request));
        match matching.min_by_key(|route| (route.priority, std::cmp::Reverse(route.prefix.len()))) {
            None => no_route(request, Some(object)),
            Some(route) => self.follow(state, object, route, request.port),
        }
    }

    fn pods(&self, state: &State<'_>) -> Vec<(PodGroup, u64)> {
        self.cluster.pods(state, |_| true)
    }

    fn unjudged(&self) -> Vec<Unjudged> {
        self.unjudged.clone()
    }
}

fn no_route(request: &Request, object: Option<&ObjectRef>) -> Outcome {
    let text = format!("404: no route takes {}{}", request.host, request.path);
    Outcome::failure(failure(FailureKind::NoRoute, text, object))
}

impl AppMeshTraffic {
    fn follow(&self, state: &State<'_>, object: &ObjectRef, route: &Route, port: u16) -> Outcome {
        let total: u64 = route.targets.iter().map(|(_, weight)| weight).sum();
        if total == 0 {
            let text = format!("503: a route of {object} gives no target a weight");
            return Outcome::failure(failure(FailureKind::NoDestination, text, Some(object)));
        }
        let mut outcome = Outcome::default();
        for (node, weight) in &route.targets {
            let target = self.node(state, object, node, port);
            // A route with a target that does not exist may not be taken at all.
            if lacks_destination(&target) {
                return target;
            }
            if *weight > 0 {
                outcome.add(target, ratio(*weight, total));
            }
        }
        outcome
    }

    fn node(&self, state: &State<'_>, from: &ObjectRef, name: &str, port: u16) -> Outcome {
        let is_meant = |node: &Node| node.name == name;
        let mut concerned = self.nodes.iter().filter(|versions| versions.any(is_meant));
        let seen = concerned.next().map(|versions| state.see(versions));
        match seen {
            // A VirtualNode of somebody else's is the same at both ends.
            None => Outcome::elsewhere(name),
            Some(None) => {
                let text = format!("{from} names the VirtualNode `{name}`, which does not exist");
                Outcome::failure(failure(FailureKind::NoDestination, text, Some(from)))
            }
            Some(Some(node)) => match &node.host {
                None => Outcome::elsewhere(name),
                Some(host) => {
                    let port = node.port.unwrap_or(port);
                    let reached = self.cluster.reach(state, host, port, "503");
                    // The node is there; that nobody listens is another failure.
                    Outcome {
                        failed: reached
                            .failed
                            .into_iter()
                            .map(|(failed, share)| (no_pods(failed), share))
                            .collect(),
                        ..reached
                    }
                }
            },
        }
    }
}

fn lacks_destination(target: &Outcome) -> bool {
    let mut failed = target.failed.iter();
    failed.any(|(failed, _)| failed.kind == FailureKind::NoDestination)
}

fn no_pods(mut failed: crate::prover::Failure) -> crate::prover::Failure {
    failed.kind = FailureKind::NoPods;
    failed
}

/// What clients call, and where it leads.
#[derive(Debug)]
struct VirtualService {
    object: ObjectRef,
    host: String,
    port: Option<u16>,
    /// Of v1beta1.
    routes: Vec<Route>,
    /// Of v1beta2: namespace and name.
    router: Option<String>,
    node: Option<String>,
}

#[derive(Debug)]
struct Router {
    object: ObjectRef,
    name: String,
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    /// The lowest number first, without one last.
    priority: u64,
    prefix: String,
    method: Option<String>,
    /// Header conditions, as they are written.
    headers: Vec<(String, Condition)>,
    targets: Vec<(String, u64)>,
}

#[derive(Debug)]
enum Condition {
    Exact(String),
    /// Something that no example is made of.
    Other(String),
}

/// The VirtualNode and the Service that its host name leads to.
#[derive(Debug)]
struct Node {
    name: String,
    host: Option<String>,
    port: Option<u16>,
}

fn key(namespace: &str, reference: &Value) -> Option<String> {
    let namespace = text(reference, "namespace").unwrap_or(namespace);
    Some(format!("{namespace}/{}", text(reference, "name")?))
}

fn listener(value: &Value) -> Option<u16> {
    let listeners = ["/spec/listeners/0", "/spec/virtualRouter/listeners/0"];
    let mut listeners = listeners.iter().filter_map(|pointer| value.pointer(pointer));
    number(listeners.next()?.pointer("/portMapping/port")?)
}

impl VirtualService {
    fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let provider = |pointer: &str| manifest.value.pointer(pointer).and_then(|to| key(&namespace, to));
        // Source: v1beta1 takes the object's name, v1beta2 `awsName`.
        let name = manifest.text("/spec/awsName").unwrap_or(&manifest.object.name);
        Self {
            host: full_name(name, &namespace),
            port: listener(&manifest.value),
            routes: routes(manifest, &namespace),
            router: provider("/spec/provider/virtualRouter/virtualRouterRef"),
            node: provider("/spec/provider/virtualNode/virtualNodeRef"),
            object: manifest.object.clone(),
        }
    }
}

impl Router {
    fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        Self {
            name: format!("{namespace}/{}", manifest.object.name),
            routes: routes(manifest, &namespace),
            object: manifest.object.clone(),
        }
    }
}

fn routes(manifest: &Manifest, namespace: &str) -> Vec<Route> {
    let routes = items(&manifest.value, "/spec/routes");
    routes
        .flat_map(|route| {
            let protocols = PROTOCOLS.iter().filter_map(|protocol| route.get(protocol));
            protocols.map(|rule| Route::read(route, rule, namespace))
        })
        .collect()
}

impl Route {
    fn read(route: &Value, rule: &Value, namespace: &str) -> Self {
        let target = |entry: &Value| {
            let name = match text(entry, "virtualNodeName") {
                Some(name) => format!("{namespace}/{name}"),
                None => key(namespace, entry.get("virtualNodeRef")?)?,
            };
            Some((name, entry.get("weight").and_then(Value::as_u64).unwrap_or(0)))
        };
        let header = |header: &Value| {
            let name = text(header, "name")?.to_lowercase();
            let condition = header.get("match").unwrap_or(&Value::Null);
            let is_inverted = header.get("invert") == Some(&Value::Bool(true));
            let condition = match text(condition, "exact").filter(|_| !is_inverted) {
                Some(value) => Condition::Exact(value.to_owned()),
                None => Condition::Other(header.to_string()),
            };
            Some((name, condition))
        };
        let matched = rule.get("match").unwrap_or(&Value::Null);
        let priority = [route.get("priority"), rule.get("priority")];
        Self {
            priority: priority
                .into_iter()
                .flatten()
                .find_map(Value::as_u64)
                .unwrap_or(u64::MAX),
            prefix: text(matched, "prefix").unwrap_or("/").to_owned(),
            method: text(matched, "method").map(str::to_owned),
            headers: items(matched, "/headers").filter_map(header).collect(),
            targets: items(rule, "/action/weightedTargets")
                .filter_map(target)
                .collect(),
        }
    }

    fn takes(&self, request: &Request) -> bool {
        let header = |(name, condition): &(String, Condition)| match condition {
            Condition::Exact(value) => request.headers.get(name) == Some(value),
            Condition::Other(text) => request.fulfils.contains(&(name.clone(), text.clone())),
        };
        request.path.starts_with(&self.prefix)
            && self
                .method
                .as_ref()
                .is_none_or(|method| *method == request.method)
            && self.headers.iter().all(header)
    }

    fn example(&self, blank: &Request) -> Request {
        let mut request = blank.clone();
        request.path.clone_from(&self.prefix);
        request.method = self.method.clone().unwrap_or(request.method);
        for (name, condition) in &self.headers {
            match condition {
                Condition::Exact(value) => drop(request.headers.insert(name.clone(), value.clone())),
                Condition::Other(text) => request.fulfils.push((name.clone(), text.clone())),
            }
        }
        request
    }
}

impl Node {
    fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let hosts = [
            "/spec/serviceDiscovery/dns/hostName",
            "/spec/serviceDiscovery/dns/hostname",
        ];
        let host = hosts.iter().find_map(|pointer| manifest.text(pointer));
        Self {
            name: format!("{namespace}/{}", manifest.object.name),
            host: host.map(|host| full_name(host.trim_end_matches('.'), &namespace)),
            port: listener(&manifest.value),
        }
    }
}
