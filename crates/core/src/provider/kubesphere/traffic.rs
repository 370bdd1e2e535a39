//! What a request meets behind the objects that KubeSphere's controllers write.
//!
//! Source: KubeSphere v3.3.2, `pkg/controller/destinationrule` (a subset for each Deployment with ready pods) and
//! `pkg/controller/virtualservice` (what becomes of a Strategy, and what is written without one).

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::VERSION_LABEL;
use super::super::cluster::{Cluster, Known, Port, Service, failure, full_name, items, ratio, text};
use super::super::istio::{Action, Rule, fulfilling};
use super::{APP, GROUP, is_enabled, label, subset};
use crate::manifest::{Manifest, ObjectRef};
use crate::prover::{
    Caller, FailureKind, Outcome, PodGroup, Request, State, Traffic, Unjudged, Versions, World,
};

/// Whether a port's name says HTTP. Source: KubeSphere, `SupportHttpProtocol`.
pub(super) fn is_http(name: &str) -> bool {
    let protocol = name.split('-').next().unwrap_or_default();
    matches!(protocol, "http" | "http2" | "grpc")
}

/// The objects of one environment that decide about requests, before and after.
pub(in crate::provider) struct KubesphereTraffic {
    cluster: Cluster,
    governed: Vec<Versions<Option<String>>>,
    strategies: Vec<Versions<Strategy>>,
    unjudged: Vec<Unjudged>,
}

impl KubesphereTraffic {
    pub(in crate::provider) fn new(world: &World<'_>) -> Self {
        let cluster = Cluster::new(world);
        let known = [(GROUP, "Strategy")];
        let governed = |manifest: &Manifest| {
            let namespace = manifest.object.namespace.clone().unwrap_or_default();
            is_enabled(manifest).then(|| full_name(&manifest.object.name, &namespace))
        };
        Self {
            governed: world.read("", "Service", governed),
            strategies: world.read(GROUP, "Strategy", Strategy::read),
            unjudged: cluster.unjudged(world, &known, &|_| None),
            cluster,
        }
    }

    /// Whether KubeSphere writes the routes of a host in a state.
    fn is_governed(&self, state: &State<'_>, host: &str) -> bool {
        let is_host = |governed: &Option<String>| governed.as_deref() == Some(host);
        let services = self.governed.iter().filter(|versions| versions.any(is_host));
        let mut seen = services.filter_map(|versions| state.see(versions));
        seen.any(is_host)
    }

    /// The one Strategy of a host in a state.
    fn strategy<'s>(&'s self, state: &State<'_>, host: &str) -> Result<Option<&'s Strategy>, Outcome> {
        let is_about = |strategy: &Strategy| strategy.host == host;
        let concerned = self.strategies.iter().filter(|versions| versions.any(is_about));
        let seen = concerned.filter_map(|versions| state.see(versions));
        match seen
            .filter(|strategy| is_about(strategy))
            .collect::<Vec<_>>()
            .as_slice()
        {
            [] => Ok(None),
            [only] => Ok(Some(*only)),
            [first, ..] => Err(unclear(
                "503: with two Strategies for one Service KubeSphere's controller stops".to_owned(),
                Some(&first.object),
            )),
        }
    }
}

impl Traffic for KubesphereTraffic {
    fn requests(&self) -> Vec<Request> {
        let mut found = self.cluster.requests();
        let strategies = self.strategies.iter().flat_map(|versions| versions.each());
        let mut chosen = Vec::new();
        for strategy in strategies {
            let blanks = found
                .iter()
                .filter(|request| request.host == strategy.host && request.caller != Caller::Outside);
            for blank in blanks {
                let matches = strategy.rules.iter().flat_map(|rule| &rule.matches);
                chosen.extend(matches.map(|matched| fulfilling(matched, blank)));
            }
        }
        found.extend(chosen);
        found.sort();
        found.dedup();
        found
    }

    fn serve(&self, state: &State<'_>, request: &Request) -> Outcome {
        let plainly = || self.cluster.reach(state, &request.host, request.port, "503 NC");
        if request.caller == Caller::Outside || !self.is_governed(state, &request.host) {
            return plainly();
        }
        let Known::There(service) = self.cluster.service(state, &request.host) else {
            return plainly();
        };
        let Some(port) = service.ports.iter().find(|port| port.number == request.port) else {
            return plainly();
        };
        let subsets = Subsets::of(&self.cluster, state, service, port);
        match self.strategy(state, &request.host) {
            Err(unclear) => unclear,
            Ok(Some(strategy)) if strategy.is_followed(&subsets) => strategy.follow(&subsets, request),
            Ok(_) => subsets.first(service),
        }
    }

    fn pods(&self, state: &State<'_>) -> Vec<(PodGroup, u64)> {
        self.cluster.pods(state, |_| true)
    }

    fn unjudged(&self) -> Vec<Unjudged> {
        self.unjudged.clone()
    }
}

fn unclear(text: String, object: Option<&ObjectRef>) -> Outcome {
    Outcome::failure(failure(FailureKind::NoDestination, text, object))
}

/// The versions with ready pods: KubeSphere declares a subset for each of them, and for no other.
struct Subsets<'a>(BTreeMap<String, Vec<(&'a PodGroup, u64)>>);

impl<'a> Subsets<'a> {
    fn of(cluster: &'a Cluster, state: &State<'_>, service: &Service, port: &Port) -> Self {
        let mut subsets: BTreeMap<String, Vec<(&PodGroup, u64)>> = BTreeMap::new();
        for (pods, halves) in cluster.behind(state, service, port, &[]) {
            let Some(version) = pods.labels.get(VERSION_LABEL).and_then(Value::as_str) else {
                continue;
            };
            subsets.entry(subset(version)).or_default().push((pods, halves));
        }
        Self(subsets)
    }

    fn names(&self, subset: &str) -> bool {
        self.0.contains_key(subset)
    }

    /// To the pods of one subset.
    fn reach(&self, name: &str, strategy: &ObjectRef) -> Outcome {
        match self.0.get(name) {
            Some(pods) => spread(pods),
            None => unclear(
                format!("503 NC: no pod of version {name} is ready"),
                Some(strategy),
            ),
        }
    }

    /// Without a Strategy to follow everything goes to the first subset, in no order that could be relied on.
    fn first(&self, service: &Service) -> Outcome {
        let mut subsets = self.0.iter();
        match (subsets.next(), subsets.next()) {
            (Some((_, pods)), None) => spread(pods),
            (None, _) => {
                let text = format!("503 NC: {} has no version with a ready pod", service.object);
                Outcome::failure(failure(FailureKind::NoPods, text, Some(&service.object)))
            }
            (Some((one, _)), Some((other, _))) => unclear(
                format!(
                    "503: no Strategy says which of the versions {one} and {other} of {} gets everything",
                    service.object
                ),
                Some(&service.object),
            ),
        }
    }
}

fn spread(pods: &[(&PodGroup, u64)]) -> Outcome {
    let total: u64 = pods.iter().map(|(_, halves)| halves).sum();
    let mut outcome = Outcome::default();
    for (group, halves) in pods {
        let of_workload = pods.iter().filter(|(other, _)| other.workload == group.workload);
        let count = of_workload.map(|(_, halves)| halves).sum::<u64>().div_ceil(2);
        outcome.add(Outcome::served(&group.workload, count), ratio(*halves, total));
    }
    outcome
}

/// A Strategy: its rules, with the subsets that they name.
#[derive(Debug)]
struct Strategy {
    object: ObjectRef,
    host: String,
    policy: String,
    governor: Option<String>,
    /// Those for HTTP, else those for TCP.
    rules: Vec<Rule>,
}

impl Strategy {
    fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let rules = |kind| items(&manifest.value, kind).map(|rule| Rule::read(rule, &namespace));
        let mut all: Vec<Rule> = rules("/spec/template/spec/http").collect();
        if all.is_empty() {
            all.extend(rules("/spec/template/spec/tcp"));
        }
        let policy = manifest
            .value
            .get("spec")
            .and_then(|spec| text(spec, "strategyPolicy"));
        Self {
            host: full_name(label(manifest, APP).unwrap_or_default(), &namespace),
            policy: policy.unwrap_or_default().to_owned(),
            governor: manifest.text("/spec/governor").map(str::to_owned),
            rules: all,
            object: manifest.object.clone(),
        }
    }

    /// Whether its template becomes the routes.
    fn is_followed(&self, subsets: &Subsets<'_>) -> bool {
        let mut named = self.rules.iter().flat_map(|rule| weights(rule));
        match self.policy.as_str() {
            "Paused" => false,
            "WaitForWorkloadReady" => named.all(|(subset, _)| subsets.names(subset)),
            _ => true,
        }
    }

    fn follow(&self, subsets: &Subsets<'_>, request: &Request) -> Outcome {
        if let Some(governor) = &self.governor {
            return subsets.reach(governor, &self.object);
        }
        let bound = ["mesh".to_owned()];
        let mut rules = self.rules.iter();
        let Some(rule) = rules.find(|rule| rule.matches(request, &bound)) else {
            let text = format!("404 NR: no rule of {} takes {}", self.object, request.path);
            return Outcome::failure(failure(FailureKind::NoRoute, text, Some(&self.object)));
        };
        let weights = weights(rule);
        // Source: Istio, "HTTPRoute": a single destination gets everything.
        if let [(only, _)] = weights.as_slice() {
            return subsets.reach(only, &self.object);
        }
        let total: u64 = weights.iter().map(|(_, weight)| weight).sum();
        if total == 0 {
            return unclear(
                format!("503: {} gives no version a weight", self.object),
                Some(&self.object),
            );
        }
        let mut outcome = Outcome::default();
        for (name, weight) in weights.into_iter().filter(|(_, weight)| *weight > 0) {
            outcome.add(subsets.reach(name, &self.object), ratio(weight, total));
        }
        outcome
    }
}

/// The subsets that a rule names, with their weights.
fn weights(rule: &Rule) -> Vec<(&str, u64)> {
    match &rule.action {
        Action::Answer(_) => Vec::new(),
        Action::Route(targets) => {
            let targets = targets.iter();
            targets
                .filter_map(|target| Some((target.subset.as_deref()?, target.weight)))
                .collect()
        }
    }
}
