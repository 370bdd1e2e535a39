//! The routes whose weights the controller moves: a Service for each version, named by every route that named the workload's.
//!
//! The workload's own Service is the stable one, so callers that no proxy routes reach the stable version too; the other exists for
//! the release alone. Once both are there a route says 100/0, and nothing but the controller changes that.
//!
//! Source: Argo Rollouts, "Istio", host-level traffic splitting.

use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};

use super::super::backends::{Backends, services};
use super::super::controller::Wanted;
use super::super::istio_hosts::IstioHosts;
use super::super::{BACKEND_LABEL, is_backend};
use super::spec::stable_service;
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Manifest;
use crate::model::Environment;

/// The Service that callers of a workload use, and the routes that name it.
pub(super) struct Routing<'e> {
    environment: &'e Environment,
    workload: &'e str,
    pub(super) service: &'e Manifest,
    /// The name of the other.
    canary: String,
}

/// The Service of the files that callers of a workload use: the one that its Rollout names, else of several the one that routes do.
pub(super) fn own_service<'e>(environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
    let rollout = super::rollout_of(environment, workload);
    let named = rollout.and_then(|rollout| stable_service(&rollout.value));
    if let Some(named) = named.and_then(|named| environment.rendered.find("", "Service", named)) {
        return Some(named);
    }
    let called = || services(environment, workload).filter(|service| !is_backend(service));
    let routed = called().find(|service| routes_to(environment, service).next().is_some());
    routed.or_else(|| called().next())
}

/// The VirtualServices of a Service's namespace that have it among their destinations.
fn routes_to<'e>(environment: &'e Environment, service: &'e Manifest) -> impl Iterator<Item = &'e Manifest> {
    environment.rendered.iter().filter(|route| {
        IstioHosts.is_route(&route.object)
            && route.object.namespace == service.object.namespace
            && lists(route).any(|(_, entries)| find(route, entries, &service.object.name).is_some())
    })
}

/// The lists of destinations of a VirtualService, each with its place.
fn lists(route: &Manifest) -> impl Iterator<Item = (PointerBuf, &[Value])> {
    IstioHosts.lists(&route.value).into_iter().filter_map(|list| {
        let entries = list.resolve(&route.value).ok()?.as_array()?;
        Some((list, entries.as_slice()))
    })
}

fn find(route: &Manifest, entries: &[Value], service: &str) -> Option<usize> {
    let is_meant = |entry: &Value| IstioHosts.backend(&route.object, entry).as_deref() == Some(service);
    entries.iter().position(is_meant)
}

impl<'e> Routing<'e> {
    /// `None` where no route leads to the workload: the controller then splits by numbers of pods.
    pub(super) fn of(environment: &'e Environment, workload: &'e str) -> Option<Self> {
        let service = own_service(environment, workload)?;
        let routing = Self {
            environment,
            workload,
            service,
            canary: format!("{}-canary", service.object.name),
        };
        routing.routes().next()?;
        Some(routing)
    }

    fn routes(&self) -> impl Iterator<Item = &'e Manifest> {
        routes_to(self.environment, self.service)
    }

    /// The Service of the new pods, where it is there.
    fn canary(&self) -> Option<&'e Manifest> {
        self.beside(self.service)
    }

    /// What an object is for the new pods, where it is there.
    fn beside(&self, object: &Manifest) -> Option<&'e Manifest> {
        let name = self.canary_name(object);
        self.environment.rendered.iter().find(|other| {
            other.object.is(object.object.group(), &object.object.kind)
                && other.object.name == name
                && other.object.namespace == object.object.namespace
        })
    }

    fn canary_name(&self, object: &Manifest) -> String {
        match object.object == self.service.object {
            true => self.canary.clone(),
            false => format!("{}-canary", object.object.name),
        }
    }

    /// The Service, and what says how its host is called.
    fn objects(&self) -> impl Iterator<Item = &'e Manifest> {
        let rules = IstioHosts.beside(self.environment, self.service);
        std::iter::once(self.service).chain(rules)
    }

    /// Whether both Services are there and every route names both.
    pub(super) fn is_split(&self) -> bool {
        let names_both = |route: &Manifest| {
            lists(route)
                .filter(|(_, entries)| find(route, entries, &self.service.object.name).is_some())
                .all(|(_, entries)| find(route, entries, &self.canary).is_some())
        };
        self.canary().is_some() && self.routes().all(names_both)
    }

    /// What makes both Services be there and every route say 100/0.
    ///
    /// Errors: a route that divides requests already.
    pub(super) fn split(&self) -> Result<Vec<Wanted<'e>>, Diagnostic> {
        let missing = self.objects().filter(|object| self.beside(object).is_none());
        let mut wanted: Vec<Wanted<'e>> = missing
            .map(|object| Wanted::Add {
                beside: object,
                value: self.for_canary(object),
            })
            .collect();
        for route in self.routes() {
            let mut value = route.value.clone();
            for (list, entries) in lists(route) {
                let Some(own) = find(route, entries, &self.service.object.name) else {
                    continue;
                };
                match entries {
                    [only] => {
                        let mut stable = only.clone();
                        let mut canary = IstioHosts.named(only, &self.canary);
                        stable["weight"] = json!(100);
                        canary["weight"] = json!(0);
                        if let Ok(place) = list.resolve_mut(&mut value) {
                            *place = json!([stable, canary]);
                        }
                    }
                    entries if find(route, entries, &self.canary).is_some() => {}
                    _ => {
                        let message = format!(
                            "{} divides the requests to {} already",
                            route.object, self.service.object
                        );
                        let at = list.as_str().to_owned() + &format!("/{own}");
                        let at = PointerBuf::parse(at).unwrap_or_default();
                        return Err(Diagnostic::error(Code::UnsupportedRoute, message)
                            .at(route.origin.below_pointer(&at))
                            .hint("give this traffic a route of its own before the release"));
                    }
                }
            }
            wanted.push(Wanted::Say { object: route, value });
        }
        Ok(wanted)
    }

    /// What makes the routes name the workload's Service alone, and the other go.
    pub(super) fn joined(&self) -> Vec<Wanted<'e>> {
        let mut wanted = Vec::new();
        for route in self.routes() {
            let mut value = route.value.clone();
            for (list, entries) in lists(route) {
                let canary = find(route, entries, &self.canary);
                let stable = find(route, entries, &self.service.object.name);
                let (Some(stable), Some(_), [_, _]) = (stable, canary, entries) else {
                    continue;
                };
                let mut stable = entries[stable].clone();
                if let Some(entry) = stable.as_object_mut() {
                    entry.shift_remove("weight");
                }
                if let Ok(place) = list.resolve_mut(&mut value) {
                    *place = json!([stable]);
                }
            }
            wanted.push(Wanted::Say { object: route, value });
        }
        wanted.extend(
            self.objects()
                .filter_map(|object| self.beside(object))
                .map(Wanted::Remove),
        );
        wanted
    }

    /// What `trafficRouting` says of the routes.
    pub(super) fn traffic_routing(&self) -> Value {
        let named = |route: &Manifest| {
            let moved =
                lists(route).filter(|(_, entries)| find(route, entries, &self.service.object.name).is_some());
            let names: Vec<Value> = moved
                .filter_map(|(list, _)| list.parent()?.resolve(&route.value).ok()?.get("name").cloned())
                .collect();
            let mut named = Map::new();
            named.insert("name".to_owned(), json!(route.object.name));
            if !names.is_empty() {
                named.insert("routes".to_owned(), Value::Array(names));
            }
            Value::Object(named)
        };
        let mut routes: Vec<Value> = self.routes().map(named).collect();
        let istio = match routes.len() {
            1 => json!({"virtualService": routes.remove(0)}),
            _ => json!({"virtualServices": routes}),
        };
        json!({"istio": istio})
    }

    /// The names of both Services.
    pub(super) fn names(&self) -> [&str; 2] {
        [&self.service.object.name, &self.canary]
    }

    /// Why the controller could not move the weights of these routes.
    pub(super) fn refusals(&self) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = self.split().err().into_iter().collect();
        for taken in self.objects().filter_map(|object| self.beside(object)) {
            let message = format!(
                "the new pods would be reached by {}, which is there already",
                taken.object
            );
            let problem = Diagnostic::error(Code::CanaryImpossible, message);
            found.push(problem.at(taken.origin.clone()).hint("rename it first"));
        }
        for route in self.routes() {
            let rules = route
                .value
                .pointer("/spec/http")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            for (list, entries) in lists(route) {
                let Some(own) = find(route, entries, &self.service.object.name) else {
                    continue;
                };
                let rule = list.parent().map(|rule| rule.to_buf()).unwrap_or_default();
                let is_named = rule
                    .resolve(&route.value)
                    .is_ok_and(|rule| rule.get("name").is_some());
                if rules > 1 && !is_named {
                    let message = format!("a route of {} has no name that a Rollout could say", route.object);
                    let problem = Diagnostic::error(Code::UnsupportedRoute, message);
                    found.push(
                        problem
                            .at(route.origin.below_pointer(&rule))
                            .hint("give each route of it a `name`"),
                    );
                }
                if entries.len() == 1 && entries[own].get("weight").is_some() {
                    let message = format!("{} gives its only destination a weight", route.object);
                    let problem = Diagnostic::error(Code::CanaryImpossible, message);
                    found.push(
                        problem
                            .at(route.origin.below_pointer(&list))
                            .hint("a single destination gets everything anyway: take the weight out"),
                    );
                }
            }
        }
        found.extend(self.elsewhere());
        found.extend(self.taken_back());
        found.extend(self.others());
        found
    }

    /// Routes of other namespaces, and those that name subsets, would go on as if there were no release.
    fn elsewhere(&self) -> Vec<Diagnostic> {
        let name = &self.service.object.name;
        let namespace = self.service.object.namespace.as_deref().unwrap_or_default();
        let host = format!("{name}.{namespace}.");
        let leads = |route: &&Manifest| {
            let is_here = route.object.namespace == self.service.object.namespace;
            let leads_here = |entry: &Value| {
                let destination = entry.get("destination");
                let text = |key: &str| destination.and_then(|destination| destination.get(key)?.as_str());
                let is_meant = text("host").is_some_and(|named| {
                    (is_here && named == name) || format!("{named}.").starts_with(&host)
                });
                is_meant && (!is_here || text("subset").is_some())
            };
            lists(route).any(|(_, entries)| entries.iter().any(leads_here))
        };
        let routes = self.environment.rendered.iter();
        let routes = routes
            .filter(|route| IstioHosts.is_route(&route.object))
            .filter(leads);
        let refused = |route: &Manifest| {
            let message = format!(
                "{} leads to {} from another namespace, or to a subset of it",
                route.object, self.service.object
            );
            let problem = Diagnostic::error(Code::UnsupportedRoute, message).at(route.origin.clone());
            problem.hint("let the routes name the Service alone, in its namespace, before the release")
        };
        routes.map(refused).collect()
    }

    /// Under server-side apply a selector is replaced as a whole, and with it goes what the controller wrote there.
    /// Source: Kubernetes, `ServiceSpec.selector`, `mapType=atomic`.
    fn taken_back(&self) -> Option<Diagnostic> {
        let options = self
            .service
            .text("/metadata/annotations/argocd.argoproj.io~1sync-options")?;
        let mut options = options.split(',').map(str::trim);
        options.find(|option| *option == "ServerSideApply=true")?;
        let message = format!(
            "each sync would take out of {} by which pods Argo Rollouts narrows it",
            self.service.object
        );
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        let problem = problem.at(self.service.origin.below(&["metadata", "annotations"]));
        Some(problem.hint("leave `ServerSideApply=true` out for the time: a selector is applied as a whole"))
    }

    /// Other Services have the pods of both versions behind them, whatever the routes say.
    fn others(&self) -> Vec<Diagnostic> {
        let others = services(self.environment, self.workload)
            .filter(|other| other.object != self.service.object && other.object.name != self.canary);
        let refused = |other: &Manifest| {
            let message = format!(
                "{} selects the pods of `{}` as well, of both versions while Argo Rollouts moves the requests",
                other.object, self.workload
            );
            let problem = Diagnostic::error(Code::CanaryImpossible, message);
            let problem = problem.at(other.origin.below(&["spec", "selector"]).as_key());
            let name = &self.service.object.name;
            problem.hint(format!("let its callers call `{name}`, and take it away first"))
        };
        others.map(refused).collect()
    }

    /// A Service or a DestinationRule for the new pods.
    fn for_canary(&self, object: &Manifest) -> Value {
        let mut value = object.value.clone();
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(self.canary_name(object)));
        if let Some(namespace) = &object.object.namespace {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        metadata.insert("labels".to_owned(), json!({BACKEND_LABEL: self.workload}));
        value["metadata"] = Value::Object(metadata);
        match object.object == self.service.object {
            // An address belongs to one Service.
            true => {
                if let Some(spec) = value["spec"].as_object_mut() {
                    for own in ["clusterIP", "clusterIPs", "externalIPs", "loadBalancerIP", "type"] {
                        spec.shift_remove(own);
                    }
                    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
                    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
                        port.shift_remove("nodePort");
                    }
                }
            }
            false => {
                let host = object.text("/spec/host").unwrap_or_default();
                value["spec"]["host"] = match host.split_once('.') {
                    Some((_, rest)) => json!(format!("{}.{rest}", self.canary)),
                    None => json!(self.canary),
                };
            }
        }
        value
    }
}
