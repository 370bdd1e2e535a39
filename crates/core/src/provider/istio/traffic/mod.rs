//! What Istio does with a request: routes, subsets, Services, pods, policies.
//!
//! Sources: Istio reference, "Virtual Service", "Destination Rule", "Authorization Policy", "PeerAuthentication";
//! Envoy manual, "HTTP route components", response flags `NC`, `UH`, `NR`.

mod classes;
mod destinations;
mod policies;
mod virtual_services;

use crate::prover::FailureKind;
use crate::prover::{
    Caller, Entry, Failure, Outcome, PodGroup, Request, State, Traffic, Unjudged, Versions, World,
};

use super::super::cluster::{Cluster, Known, failure, full_name, namespace_of, ratio};
pub(in crate::provider) use classes::fulfilling;
use destinations::{DestinationRule, Target};
use policies::{AuthorizationPolicy, PeerAuthentication};
pub(super) use virtual_services::VirtualService;
pub(in crate::provider) use virtual_services::{Action, Rule};

/// The namespace whose policies and rules count for the whole mesh. Source: Istio, `meshConfig.rootNamespace`.
const ROOT_NAMESPACE: &str = "istio-system";

/// The objects of one environment that decide about requests, before and after.
pub(in crate::provider) struct IstioTraffic {
    virtual_services: Vec<Versions<VirtualService>>,
    destination_rules: Vec<Versions<DestinationRule>>,
    cluster: Cluster,
    authorization: Vec<Versions<AuthorizationPolicy>>,
    peers: Vec<Versions<PeerAuthentication>>,
    unjudged: Vec<Unjudged>,
}

impl IstioTraffic {
    pub(in crate::provider) fn new(world: &World<'_>) -> Self {
        let mut traffic = Self {
            virtual_services: world.read("networking.istio.io", "VirtualService", VirtualService::read),
            destination_rules: world.read("networking.istio.io", "DestinationRule", DestinationRule::read),
            cluster: Cluster::new(world),
            authorization: world.read(
                "security.istio.io",
                "AuthorizationPolicy",
                AuthorizationPolicy::read,
            ),
            peers: world.read(
                "security.istio.io",
                "PeerAuthentication",
                PeerAuthentication::read,
            ),
            unjudged: Vec::new(),
        };
        traffic.unjudged = classes::unjudged(world, &traffic);
        traffic
    }
}

impl Traffic for IstioTraffic {
    fn requests(&self) -> Vec<Request> {
        classes::requests(self)
    }

    fn serve(&self, state: &State<'_>, request: &Request) -> Outcome {
        Serving {
            traffic: self,
            state,
            request,
        }
        .serve()
    }

    fn pods(&self, state: &State<'_>) -> Vec<(PodGroup, u64)> {
        self.cluster.pods(state, |_| true)
    }

    fn unjudged(&self) -> Vec<Unjudged> {
        self.unjudged.clone()
    }
}

/// One request in one state.
struct Serving<'a> {
    traffic: &'a IstioTraffic,
    state: &'a State<'a>,
    request: &'a Request,
}

impl Serving<'_> {
    fn serve(&self) -> Outcome {
        let request = self.request;
        // Without a proxy of its own a caller sees the Service alone.
        if request.caller == Caller::Outside {
            return self.plain();
        }
        // Where a Service has no such port, or is gone, nobody listens; on port 80 its name is as good as any that a
        // VirtualService gives a route.
        let is_listening = || match self.service(&request.host) {
            Known::There(service) => service.has_port(request.port),
            Known::Gone => false,
            Known::Unknown => true,
        };
        if request.entry == Entry::Sidecar && request.port != 80 && !is_listening() {
            return Outcome::failure(no_route(request));
        }
        match self.virtual_service() {
            None if request.entry != Entry::Sidecar => Outcome::failure(no_route(request)),
            None => self.plain(),
            Some(service) if service.http.is_empty() => self.plain(),
            Some(service) => match service
                .http
                .iter()
                .find(|rule| rule.matches(request, &service.gateways))
            {
                None => Outcome::failure(no_route(request)),
                Some(rule) => self.follow(service, rule),
            },
        }
    }

    /// The Service of a host in this state.
    fn service(&self, host: &str) -> Known<'_> {
        self.traffic.cluster.service(self.state, host)
    }

    /// The VirtualService that takes the request: the most exact host wins; of several for one host the first.
    fn virtual_service(&self) -> Option<&VirtualService> {
        let takes = |service: &VirtualService| service.takes(self.request).is_some();
        let concerned = self
            .traffic
            .virtual_services
            .iter()
            .filter(|versions| versions.any(takes));
        let seen = concerned.filter_map(|versions| self.state.see(versions));
        let taking = seen.filter_map(|service| Some((service.takes(self.request)?, service)));
        let mut taking: Vec<_> = taking.collect();
        taking.sort_by_key(|(exactness, service)| (std::cmp::Reverse(*exactness), &service.object.name));
        taking.first().map(|(_, service)| *service)
    }

    fn follow(&self, service: &VirtualService, rule: &Rule) -> Outcome {
        let targets = match &rule.action {
            // Answered by the proxy itself, or rewritten by a rule that is the same at both ends.
            Action::Answer(what) => return Outcome::served(what, u64::MAX),
            Action::Route(targets) => targets,
        };
        let total: u64 = match targets.as_slice() {
            // A single destination gets everything, whatever weight it says.
            [_] => 1,
            several => several.iter().map(|target| target.weight).sum(),
        };
        if total == 0 {
            let text = format!(
                "the API server refuses {}: all weights of a route are 0",
                service.object
            );
            return Outcome::failure(failure(FailureKind::NoDestination, text, Some(&service.object)));
        }
        let mut outcome = Outcome::default();
        for target in targets {
            let weight = if targets.len() == 1 { 1 } else { target.weight };
            // A destination without weight is left out of the configuration, so it may name what does not exist.
            if weight > 0 {
                let mut sent = self.send(target, &service.namespace);
                let missing = sent.failed.iter_mut().map(|(failure, _)| failure);
                missing
                    .filter(|failure| failure.kind == FailureKind::NoDestination)
                    // What names a destination that does not exist is at fault.
                    .for_each(|failure| failure.object = Some(service.object.clone()));
                outcome.add(sent, ratio(weight, total));
            }
        }
        outcome
    }

    /// To the host that is called, without any route.
    fn plain(&self) -> Outcome {
        let host = &self.request.host;
        let is_there = match self.service(host) {
            Known::There(service) => service.has_port(self.request.port),
            Known::Gone => false,
            // A Service of somebody else's, if it has a Service's name.
            Known::Unknown => namespace_of(host).is_some(),
        };
        if !is_there {
            return Outcome::failure(no_route(self.request));
        }
        let target = Target {
            host: host.clone(),
            subset: None,
            port: None,
            weight: 1,
        };
        self.reach(&target, &[], self.request.caller.namespace().unwrap_or_default())
    }

    /// To a destination of a route; `namespace` completes a short host.
    fn send(&self, target: &Target, namespace: &str) -> Outcome {
        let Some(subset) = &target.subset else {
            return self.reach(target, &[], namespace);
        };
        let host = full_name(&target.host, namespace);
        match self.subset(&host, subset, namespace) {
            Some(labels) => self.reach(target, &labels, namespace),
            None => {
                let text = format!("503 NC: the subset `{subset}` of {host} is in no DestinationRule");
                Outcome::failure(failure(FailureKind::NoDestination, text, None))
            }
        }
    }

    /// A subset's labels. Source: Istio, lookup in the client's namespace, then the Service's, then the root
    /// namespace; rules for one host in one namespace are merged, and of one name the first counts.
    fn subset(&self, host: &str, subset: &str, route_namespace: &str) -> Option<Vec<(String, String)>> {
        let service_namespace = namespace_of(host).unwrap_or(route_namespace);
        let client = self.request.caller.namespace().unwrap_or(service_namespace);
        let concerned = self.traffic.destination_rules.iter();
        let concerned = concerned.filter(|versions| versions.any(|rule| rule.is_for(host).is_some()));
        let seen = concerned.filter_map(|versions| self.state.see(versions));
        let seen = seen.filter(|rule| rule.export.covers(Some(client)));
        let mut rules: Vec<_> = seen.filter_map(|rule| Some((rule.is_for(host)?, rule))).collect();
        let namespaces = [client, service_namespace, ROOT_NAMESPACE];
        let mut namespaces = namespaces.into_iter();
        let namespace =
            namespaces.find(|namespace| rules.iter().any(|(_, rule)| rule.namespace == *namespace))?;
        rules.retain(|(_, rule)| rule.namespace == namespace);
        let exactest = rules.iter().map(|(exactness, _)| *exactness).max()?;
        rules.retain(|(exactness, _)| *exactness == exactest);
        rules.sort_by(|(_, one), (_, other)| one.object.name.cmp(&other.object.name));
        let mut subsets = rules.into_iter().flat_map(|(_, rule)| &rule.subsets);
        subsets
            .find(|known| known.name == subset)
            .map(|known| known.labels.clone())
    }

    /// To the pods behind a Service that carry some labels.
    fn reach(&self, target: &Target, labels: &[(String, String)], namespace: &str) -> Outcome {
        let host = full_name(&target.host, namespace);
        let service = match self.service(&host) {
            Known::There(service) => service,
            Known::Unknown => return outside(&host),
            Known::Gone => {
                let text = format!("503 NC: there is no Service {host}");
                return Outcome::failure(failure(FailureKind::NoDestination, text, None));
            }
        };
        // Source: Istio, `route.GetDestinationCluster`: the only port of a Service, else the port that was called. A
        // sidecar's listener knows of each Service the port it listens on alone, so there it is always that one.
        let port = target
            .port
            .unwrap_or(match (&self.request.entry, service.ports.as_slice()) {
                (Entry::Gateway(_), [only]) => only.number,
                _ => self.request.port,
            });
        let Some(port) = service.ports.iter().find(|known| known.number == port) else {
            let text = format!("503 NC: {} has no port {port}", service.object);
            return Outcome::failure(failure(FailureKind::NoDestination, text, Some(&service.object)));
        };
        if service.selector.is_none() {
            return outside(&host);
        }
        let ready = self.traffic.cluster.behind(self.state, service, port, labels);
        let total: u64 = ready.iter().map(|(_, count)| count).sum();
        if total == 0 {
            let text = match target.subset.as_deref() {
                Some(subset) => format!(
                    "503 UH: the subset `{subset}` of {host} has no ready pod behind {}",
                    service.object
                ),
                None => format!("503 UH: {} selects no ready pod", service.object),
            };
            return Outcome::failure(failure(FailureKind::NoPods, text, Some(&service.object)));
        }
        let mut outcome = Outcome::default();
        for (pods, halves) in &ready {
            outcome.add(self.enter(pods, port.target(pods)), ratio(*halves, total));
        }
        for (workload, count) in &mut outcome.pods {
            let of_workload = ready.iter().filter(|(pods, _)| pods.workload == *workload);
            *count = of_workload.map(|(_, halves)| halves).sum::<u64>().div_ceil(2);
        }
        outcome
    }

    /// Into pods, if they let the caller in.
    fn enter(&self, pods: &PodGroup, port: Option<u16>) -> Outcome {
        match policies::refusal(self, pods, port) {
            Some(refused) => Outcome::failure(refused),
            // How many there are is known where they are all at hand.
            None => Outcome::served(&pods.workload, 0),
        }
    }
}

/// A host that no manifest here describes: what it does is the same at both ends.
fn outside(host: &str) -> Outcome {
    Outcome::elsewhere(host)
}

fn no_route(request: &Request) -> Failure {
    let text = format!("404 NR: no route takes {}{}", request.host, request.path);
    failure(FailureKind::NoRoute, text, None)
}
