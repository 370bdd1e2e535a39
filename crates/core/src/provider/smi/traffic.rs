//! What Linkerd does with a request to a Service that a TrafficSplit is about.
//!
//! Sources: SMI specification, "Traffic Split"; linkerd-smi, whose adaptor turns backends into `dstOverrides`. What the
//! specification leaves open (a backend that does not exist) is taken as lost.

use serde_json::Value;

use super::super::cluster::{Cluster, Known, failure, full_name, items, ratio, text};
use super::GROUP;
use crate::manifest::{Manifest, ObjectRef};
use crate::prover::{
    Caller, FailureKind, Outcome, PodGroup, Request, State, Traffic, Unjudged, Versions, World,
};

/// The objects of one environment that decide about requests, before and after.
pub(in crate::provider) struct SmiTraffic {
    cluster: Cluster,
    splits: Vec<Versions<TrafficSplit>>,
    unjudged: Vec<Unjudged>,
}

impl SmiTraffic {
    pub(in crate::provider) fn new(world: &World<'_>) -> Self {
        let cluster = Cluster::new(world);
        let known = [(GROUP, "TrafficSplit")];
        Self {
            splits: world.read(GROUP, "TrafficSplit", TrafficSplit::read),
            unjudged: cluster.unjudged(world, &known, &by_matches),
            cluster,
        }
    }
}

/// Splits of some requests only are left to the implementation.
fn by_matches(ends: [Option<&Manifest>; 2]) -> Option<&'static str> {
    let mut ends = ends.into_iter().flatten();
    let has_matches = |end: &Manifest| end.value.pointer("/spec/matches").is_some();
    ends.any(|end| end.object.is(GROUP, "TrafficSplit") && has_matches(end))
        .then_some("splits some requests only, by `matches`")
}

impl Traffic for SmiTraffic {
    fn requests(&self) -> Vec<Request> {
        self.cluster.requests()
    }

    fn serve(&self, state: &State<'_>, request: &Request) -> Outcome {
        let is_about = |split: &TrafficSplit| split.host == request.host;
        let concerned = self.splits.iter().filter(|versions| versions.any(is_about));
        let mut seen = concerned.filter_map(|versions| state.see(versions));
        let reach = |host: &str| self.cluster.reach(state, host, request.port, "503");
        // Nobody reaches a root Service that is gone, wherever its split leads.
        let is_split = request.caller != Caller::Outside
            && !matches!(self.cluster.service(state, &request.host), Known::Gone);
        match seen.find(|split| is_split && is_about(split)) {
            None => reach(&request.host),
            Some(split) => split.follow(reach),
        }
    }

    fn pods(&self, state: &State<'_>) -> Vec<(PodGroup, u64)> {
        self.cluster.pods(state, |_| true)
    }

    fn unjudged(&self) -> Vec<Unjudged> {
        self.unjudged.clone()
    }
}

/// A root Service and the hosts of its backends, with their weights.
#[derive(Debug)]
struct TrafficSplit {
    object: ObjectRef,
    host: String,
    backends: Vec<(String, u64)>,
}

impl TrafficSplit {
    fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let backend = |entry: &Value| {
            let host = full_name(text(entry, "service")?, &namespace);
            Some((host, entry.get("weight").map_or(0, quantity)))
        };
        let root = manifest.text("/spec/service").unwrap_or_default();
        // A root may be written with its domain.
        let root = root.split('.').next().unwrap_or_default();
        Self {
            host: full_name(root, &namespace),
            backends: items(&manifest.value, "/spec/backends")
                .filter_map(backend)
                .collect(),
            object: manifest.object.clone(),
        }
    }

    fn follow(&self, reach: impl Fn(&str) -> Outcome) -> Outcome {
        let total: u64 = self.backends.iter().map(|(_, weight)| weight).sum();
        if total == 0 {
            let text = format!("503: {} gives no backend a weight", self.object);
            return Outcome::failure(failure(FailureKind::NoDestination, text, Some(&self.object)));
        }
        let mut outcome = Outcome::default();
        for (host, weight) in self.backends.iter().filter(|(_, weight)| *weight > 0) {
            outcome.add(reach(host), ratio(*weight, total));
        }
        outcome
    }
}

/// A weight in thousandths. Source: v1alpha1 writes a Kubernetes quantity: `1`, `"90"`, `900m`.
fn quantity(value: &Value) -> u64 {
    let thousand = |number: u64| number.saturating_mul(1000);
    match value.as_str() {
        None => value.as_u64().map_or(0, thousand),
        Some(text) => match text.strip_suffix('m') {
            Some(thousandths) => thousandths.parse().unwrap_or(0),
            None => text.parse().map_or(0, thousand),
        },
    }
}
