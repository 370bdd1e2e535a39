//! What every traffic system stands on: Services and the pods behind them.
//!
//! Source: Kubernetes, "Service", "Horizontal Pod Autoscaling".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::argo_rollouts::{Behind, Rollouts};
use super::{is_backend, reselected};
use crate::manifest::{Manifest, ObjectRef, mentions};
use crate::prover::{
    Caller, Entry, Failure, FailureKind, Outcome, PodGroup, Pods, Request, State, Unjudged, Versions,
    WORKLOADS, World,
};
use crate::selector::{selectors, selects};

/// The Services, workloads and autoscalers of one environment, before and after.
pub(super) struct Cluster {
    pub(super) services: Vec<Versions<Service>>,
    pub(super) workloads: Vec<Versions<Option<PodGroup>>>,
    rollouts: Rollouts,
    autoscalers: Vec<Versions<Autoscaler>>,
}

/// What is known of a host.
pub(super) enum Known<'a> {
    /// It is a Service.
    There(&'a Service),
    /// It is one before or after, not in this state.
    Gone,
    /// No manifest here describes it.
    Unknown,
}

impl Cluster {
    pub(super) fn new(world: &World<'_>) -> Self {
        Self {
            services: world.read("", "Service", Service::read),
            workloads: WORKLOADS
                .iter()
                .flat_map(|(group, kind)| world.read(group, kind, PodGroup::of))
                .chain(Rollouts::groups(world))
                .collect(),
            rollouts: Rollouts::new(world),
            autoscalers: [
                world.read(
                    "autoscaling",
                    "HorizontalPodAutoscaler",
                    Autoscaler::of_kubernetes,
                ),
                world.read("keda.sh", "ScaledObject", Autoscaler::of_keda),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }

    /// The Service of a host in a state.
    pub(super) fn service<'s>(&'s self, state: &State<'_>, host: &str) -> Known<'s> {
        let is_host = |service: &Service| service.host == host;
        match self.services.iter().find(|versions| versions.any(is_host)) {
            None => Known::Unknown,
            Some(versions) => state.see(versions).map_or(Known::Gone, Known::There),
        }
    }

    /// The ready pods that are wanted, in counts of halves: during a rollout a part of them is old.
    pub(super) fn pods(
        &self,
        state: &State<'_>,
        is_wanted: impl Fn(&PodGroup) -> bool,
    ) -> Vec<(PodGroup, u64)> {
        let ready = self.ready(state, is_wanted).into_iter();
        ready.map(|(pods, halves)| (pods.clone(), halves)).collect()
    }

    fn ready<'s>(
        &'s self,
        state: &State<'_>,
        is_wanted: impl Fn(&PodGroup) -> bool,
    ) -> Vec<(&'s PodGroup, u64)> {
        let wanted = |pods: &Option<PodGroup>| pods.as_ref().is_some_and(&is_wanted);
        let mut groups = Vec::new();
        for versions in self.workloads.iter().filter(|versions| versions.any(wanted)) {
            let (before, after, pods) = state.rollout(versions);
            let (old, new) = match pods {
                Pods::Old => (2, 0),
                Pods::Both => (1, 1),
                Pods::New => (0, 2),
                Pods::None => (0, 0),
            };
            for (group, halves) in [(before, old), (after, new)] {
                let Some(group) = group.filter(|group| wanted(group)).and_then(Option::as_ref) else {
                    continue;
                };
                let count = self.floor(state, group) * halves;
                if count > 0 && self.rollouts.leaves(state, group) {
                    groups.push((group, count));
                }
            }
        }
        groups
    }

    /// The ready pods behind a port of a Service, in counts of halves, that carry some further labels.
    pub(super) fn behind<'s>(
        &'s self,
        state: &State<'_>,
        service: &Service,
        port: &Port,
        labels: &[(String, String)],
    ) -> Vec<(&'s PodGroup, u64)> {
        let selector = service.selector.iter().flatten();
        let wanted: Vec<(&str, &str)> = selector
            .chain(labels)
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let groups = self.ready(state, |pods| {
            let label = |key: &str| pods.labels.get(key).and_then(Value::as_str);
            pods.namespace == service.namespace
                && wanted.iter().all(|(key, value)| label(key) == Some(*value))
        });
        let behind = match groups.is_empty() {
            true => Behind::All,
            false => self.rollouts.behind(state, service),
        };
        let is_behind = |pods: &PodGroup| match behind {
            Behind::All => true,
            Behind::Of(workload) => pods.workload == workload,
            Behind::Gone => false,
        };
        let behind = groups.into_iter().filter(|(pods, _)| is_behind(pods));
        behind.filter(|(pods, _)| port.is_on(pods)).collect()
    }

    /// To the pods behind a port of a Service; what is not there is answered with this status.
    pub(super) fn reach(&self, state: &State<'_>, host: &str, port: u16, status: &str) -> Outcome {
        let service = match self.service(state, host) {
            Known::There(service) => service,
            // A Service of somebody else's is the same at both ends.
            Known::Unknown => return Outcome::elsewhere(host),
            Known::Gone => {
                let text = format!("{status}: there is no Service {host}");
                return Outcome::failure(failure(FailureKind::NoDestination, text, None));
            }
        };
        self.reach_behind(state, service, port, status)
    }

    /// To the pods behind a port of a Service that is there.
    pub(super) fn reach_behind(
        &self,
        state: &State<'_>,
        service: &Service,
        port: u16,
        status: &str,
    ) -> Outcome {
        let Some(port) = service.ports.iter().find(|known| known.number == port) else {
            let text = format!("{status}: {} has no port {port}", service.object);
            return Outcome::failure(failure(FailureKind::NoDestination, text, Some(&service.object)));
        };
        if service.selector.is_none() {
            return Outcome::elsewhere(&service.host);
        }
        let ready = self.behind(state, service, port, &[]);
        let total: u64 = ready.iter().map(|(_, halves)| halves).sum();
        if total == 0 {
            let text = format!("503: {} selects no ready pod", service.object);
            return Outcome::failure(failure(FailureKind::NoPods, text, Some(&service.object)));
        }
        let mut outcome = Outcome::default();
        for (pods, halves) in &ready {
            let of_workload = ready.iter().filter(|(other, _)| other.workload == pods.workload);
            let count = of_workload.map(|(_, halves)| halves).sum::<u64>().div_ceil(2);
            outcome.add(Outcome::served(&pods.workload, count), ratio(*halves, total));
        }
        outcome
    }

    /// The ways in that every cluster has: each HTTP port of each Service that is called by its name.
    pub(super) fn doors(&self) -> BTreeSet<(String, u16)> {
        let services = self.services.iter().flat_map(|versions| versions.each());
        let called = services.filter(|service| !service.is_backend);
        called
            .flat_map(|service| {
                let ports = service.ports.iter().filter(|port| port.is_http);
                ports.map(|port| (service.host.clone(), port.number))
            })
            .collect()
    }

    /// A plain request through each of them, of a caller in the mesh and of one outside.
    pub(super) fn requests(&self) -> Vec<Request> {
        let both = |(host, port): (String, u16)| {
            [true, false].map(|is_in_mesh| plain(&host, port, Entry::Sidecar, is_in_mesh))
        };
        self.doors().into_iter().flat_map(both).collect()
    }

    /// Changed objects that may matter and that a model does not know: kinds beyond `known`, and parts of known ones.
    pub(super) fn unjudged(
        &self,
        world: &World<'_>,
        known: &[(&str, &str)],
        unknown_part: &dyn Fn([Option<&Manifest>; 2]) -> Option<&'static str>,
    ) -> Vec<Unjudged> {
        let services = self.services.iter().flat_map(|versions| versions.each());
        let names: BTreeSet<&str> = services
            .flat_map(|service| [service.host.as_str(), service.object.name.as_str()])
            .collect();
        let pods = self.workloads.iter().flat_map(|versions| versions.each());
        let pods: Vec<&PodGroup> = pods.flatten().collect();
        let mut found = Vec::new();
        for (object, before, after) in world.changed() {
            let ends = [before, after];
            let is_known = is_known(object, known);
            let reason = match is_known {
                true => unknown_part(ends).or_else(|| unknown_service(ends)),
                false => ends
                    .into_iter()
                    .flatten()
                    .any(|end| {
                        mentions(&end.value, &names)
                            || selectors(&end.value)
                                .any(|selector| pods.iter().any(|pods| selects(selector, &pods.labels)))
                    })
                    .then_some("is of a kind that this model does not know"),
            };
            found.extend(reason.map(|reason| Unjudged {
                object: object.clone(),
                reason: reason.to_owned(),
            }));
        }
        let is_unknown = |manifest: &Manifest| !is_known(&manifest.object, known);
        found.extend(reselected::find(world, &self.workloads, &is_unknown));
        found
    }

    /// The fewest pods: an autoscaler's minimum, else the replicas asked for.
    fn floor(&self, state: &State<'_>, group: &PodGroup) -> u64 {
        let is_for = |scaler: &Autoscaler| scaler.is_for(group);
        let scalers = self.autoscalers.iter().filter(|versions| versions.any(is_for));
        let mut seen = scalers.filter_map(|versions| state.see(versions));
        // Source: Kubernetes, an autoscaler leaves alone what is scaled to nothing.
        seen.find(|scaler| is_for(scaler) && group.replicas > 0)
            .map_or(group.replicas, |scaler| scaler.least)
    }
}

/// A caller in the mesh, where nothing tells several apart.
const SOMEBODY: &str = "cluster.local/ns/elsewhere/sa/somebody";

/// A plain request of a caller in the mesh, or of one outside.
pub(super) fn plain(host: &str, port: u16, entry: Entry, is_in_mesh: bool) -> Request {
    Request {
        host: host.to_owned(),
        hosts_alike: Vec::new(),
        port,
        path: "/".to_owned(),
        method: "GET".to_owned(),
        headers: BTreeMap::new(),
        fulfils: Vec::new(),
        caller: match is_in_mesh {
            true => Caller::Mesh(SOMEBODY.to_owned()),
            false => Caller::Outside,
        },
        entry,
    }
}

pub(super) fn failure(kind: FailureKind, text: String, object: Option<&ObjectRef>) -> Failure {
    Failure {
        kind,
        text,
        object: object.cloned(),
        workload: None,
    }
}

pub(super) fn ratio(part: u64, total: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "weights and numbers of pods are small")]
    let ratio = part as f64 / total as f64;
    ratio
}

/// A port's number.
pub(super) fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}

/// The items of a list that may not be there.
pub(super) fn items<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// A field that is text.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

/// Kinds of every cluster whose objects the model knows, or that no request depends on.
const KNOWN: &[(&str, &str)] = &[
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("keda.sh", "ScaledObject"),
    ("monitoring.coreos.com", "PodMonitor"),
    ("monitoring.coreos.com", "ServiceMonitor"),
    ("policy", "PodDisruptionBudget"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "PersistentVolumeClaim"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("argoproj.io", "Rollout"),
    ("batch", "CronJob"),
    ("batch", "Job"),
];

/// Whether an object is of one of those kinds, or of one that a traffic system adds.
pub(super) fn is_known(object: &ObjectRef, more: &[(&str, &str)]) -> bool {
    let mut kinds = KNOWN.iter().chain(more);
    kinds.any(|(group, kind)| object.is(group, kind))
}

/// What changes of a Service that the model does not know.
fn unknown_service(ends: [Option<&Manifest>; 2]) -> Option<&'static str> {
    let services = || {
        ends.into_iter()
            .flatten()
            .filter(|end| end.object.is("", "Service"))
    };
    let is = |pointer: &str| services().any(|end| end.value.pointer(pointer).is_some());
    if services().any(|end| end.text("/spec/clusterIP") == Some("None")) {
        return Some("is headless: callers choose the pod");
    }
    is("/spec/externalName").then_some("stands for another name")
}

/// The domain of a cluster's Services.
const DOMAIN: &str = ".svc.cluster.local";

/// Completes a short host with the namespace of the object it stands in; a host with a dot is taken as it is.
/// Source: Istio, "Virtual Service", `host`.
pub(super) fn full_name(host: &str, namespace: &str) -> String {
    match host.contains('.') || host == "*" {
        true => host.to_owned(),
        false => format!("{host}.{namespace}{DOMAIN}"),
    }
}

/// The namespace in a Service's full name.
pub(super) fn namespace_of(host: &str) -> Option<&str> {
    host.strip_suffix(DOMAIN)?
        .split_once('.')
        .map(|(_, namespace)| namespace)
}

/// A Service and its endpoints' selector.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) object: ObjectRef,
    pub(super) namespace: String,
    pub(super) host: String,
    /// `None` where the endpoints are not chosen by labels.
    pub(super) selector: Option<Vec<(String, String)>>,
    pub(super) ports: Vec<Port>,
    /// Whether nobody calls it by its name.
    pub(super) is_backend: bool,
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    /// A container port's name; a number needs no name.
    name: Option<String>,
    target: Option<u16>,
    /// Whether its protocol is HTTP as far as the mesh can tell.
    pub(super) is_http: bool,
}

impl Port {
    /// Whether pods have the port. Source: Kubernetes, a named target port that a pod does not have gives no endpoint.
    pub(super) fn is_on(&self, pods: &PodGroup) -> bool {
        self.target(pods).is_some()
    }

    /// The port of the pods.
    pub(super) fn target(&self, pods: &PodGroup) -> Option<u16> {
        match &self.name {
            None => self.target,
            Some(name) => pods
                .ports
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, number)| *number),
        }
    }
}

impl Service {
    pub(super) fn has_port(&self, number: u16) -> bool {
        self.ports.iter().any(|port| port.number == number)
    }

    pub(super) fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let selector = manifest
            .value
            .pointer("/spec/selector")
            .and_then(Value::as_object);
        let ports = manifest.value.pointer("/spec/ports").and_then(Value::as_array);
        Self {
            host: format!("{}.{namespace}{DOMAIN}", manifest.object.name),
            selector: selector
                .filter(|selector| !selector.is_empty())
                .map(|selector| texts(Some(selector))),
            ports: ports.into_iter().flatten().filter_map(port).collect(),
            is_backend: is_backend(manifest),
            object: manifest.object.clone(),
            namespace,
        }
    }
}

fn port(port: &Value) -> Option<Port> {
    let own = port.get("port").and_then(number)?;
    let target = port.get("targetPort");
    let protocol = port
        .get("appProtocol")
        .or(port.get("name"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let first = protocol.split('-').next().unwrap_or_default();
    Some(Port {
        number: own,
        name: target.and_then(Value::as_str).map(str::to_owned),
        target: target.map_or(Some(own), number),
        // Source: Istio, "Protocol Selection": a name that says nothing is detected, and HTTP is.
        is_http: !matches!(
            first,
            "tcp" | "tls" | "https" | "mongo" | "mysql" | "redis" | "udp"
        ),
    })
}

/// An autoscaler's floor.
#[derive(Debug)]
struct Autoscaler {
    namespace: String,
    target: String,
    least: u64,
}

impl Autoscaler {
    fn of_kubernetes(manifest: &Manifest) -> Self {
        Self::of(manifest, number_at(manifest, "/spec/minReplicas").unwrap_or(1))
    }

    /// Source: KEDA, "ScaledObject specification": with nothing to do it may go down to none (`minReplicaCount: 0`, the
    /// default); while there are requests it has one pod at least. An annotation holds a number of pods.
    fn of_keda(manifest: &Manifest) -> Self {
        let held = manifest.text("/metadata/annotations/autoscaling.keda.sh~1paused-replicas");
        let least = match held.and_then(|held| held.parse().ok()) {
            Some(held) => held,
            None => number_at(manifest, "/spec/minReplicaCount").map_or(1, |least| least.max(1)),
        };
        Self::of(manifest, least)
    }

    fn of(manifest: &Manifest, least: u64) -> Self {
        let target = manifest.text("/spec/scaleTargetRef/name").unwrap_or_default();
        let target = match manifest.text("/spec/scaleTargetRef/kind") {
            // What pods of a Rollout are called: see `argo_rollouts::pods`.
            Some("Rollout") => format!("Rollout/{target}"),
            _ => target.to_owned(),
        };
        Self {
            namespace: manifest.object.namespace.clone().unwrap_or_default(),
            target,
            least,
        }
    }

    fn is_for(&self, pods: &PodGroup) -> bool {
        self.target == pods.workload && self.namespace == pods.namespace
    }
}

fn number_at(manifest: &Manifest, pointer: &str) -> Option<u64> {
    manifest.value.pointer(pointer).and_then(Value::as_u64)
}

/// A map of texts, in order.
pub(super) fn texts(map: Option<&Map<String, Value>>) -> Vec<(String, String)> {
    let entries = map.into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
