//! What callers meet where Flagger has a workload: pods that it cloned from the workload's, behind a Service it writes.
//!
//! Sources: Flagger, "How it works" (primary and canary, the apex Service), `pkg/controller/scheduler.go` (a target is scaled
//! to nothing once its primary is ready; a suspended Canary is left alone), `pkg/router/kubernetes_default.go`. How far an
//! analysis is, and so which of both versions answers meanwhile, is the controller's and not judged.

use serde_json::Value;

use super::super::cluster::{Cluster, Service, failure, full_name, plain};
use super::{GROUP, primary, service_of, target_of};
use crate::manifest::{Manifest, ObjectRef};
use crate::prover::{
    Entry, FailureKind, Outcome, PodGroup, Pods, Request, State, Traffic, Unjudged, Versions, World,
};
use crate::provider::kept::is_kept;

/// The objects of one environment that decide about requests, before and after.
pub(in crate::provider) struct FlaggerTraffic {
    cluster: Cluster,
    canaries: Vec<Versions<Canary>>,
    services: Vec<Versions<Written>>,
    targets: Vec<Versions<Target>>,
    unjudged: Vec<Unjudged>,
}

impl FlaggerTraffic {
    pub(in crate::provider) fn new(world: &World<'_>) -> Self {
        let cluster = Cluster::new(world);
        let mut traffic = Self {
            canaries: world.read(GROUP, "Canary", Canary::read),
            services: world.read("", "Service", Written::read),
            targets: world.read("apps", "Deployment", Target::read),
            unjudged: cluster.unjudged(world, &[(GROUP, "Canary")], &routes_of_its_own),
            cluster,
        };
        let charts = world
            .changed()
            .filter(|(object, ..)| object.kind == "HelmRelease");
        traffic.unjudged.extend(charts.map(|(object, ..)| Unjudged {
            object: object.clone(),
            reason: "is made into objects by Helm, which are not here".to_owned(),
        }));
        let given_back = traffic.given_back(world);
        traffic.unjudged.extend(given_back);
        traffic
    }

    /// Services that come to select a workload which has no pods as long as nobody asks for some.
    fn given_back(&self, world: &World<'_>) -> Vec<Unjudged> {
        let created = world.changed().filter(|(_, before, _)| before.is_none());
        let services = created.filter(|(object, ..)| object.is("", "Service"));
        let of = |object: &ObjectRef| {
            let mut canaries = self.canaries.iter().flat_map(|versions| versions.each());
            let host = full_name(&object.name, object.namespace.as_deref().unwrap_or_default());
            let canary = canaries.find(|canary| canary.is_suspended && canary.host == host)?;
            let mut targets = self.targets.iter().flat_map(|versions| versions.each());
            let is_said = targets.any(|target| {
                target.name == canary.target && target.namespace == canary.namespace && target.says_a_number
            });
            (!is_said).then(|| Unjudged {
                object: object.clone(),
                reason: format!(
                    "selects `{}`, which Flagger has scaled to nothing and no file says a number of pods for",
                    canary.target
                ),
            })
        };
        services.filter_map(|(object, ..)| of(object)).collect()
    }

    /// The Canary that writes the Service of a host, in a state.
    fn writer<'s>(&'s self, state: &State<'_>, host: &str) -> Option<&'s Canary> {
        let writes = |canary: &Canary| canary.host == host;
        let concerned = self.canaries.iter().filter(|versions| versions.any(writes));
        let mut seen = concerned.filter_map(|versions| state.see(versions));
        seen.find(|canary| writes(canary))
    }

    /// The Canary that wrote the Service of a host before the change, whatever became of it.
    fn writer_before<'s>(&'s self, state: &State<'_>, host: &str) -> Option<&'s Canary> {
        let writes = |canary: &Canary| canary.host == host;
        let concerned = self.canaries.iter().filter(|versions| versions.any(writes));
        let mut before = concerned.filter_map(|versions| state.rollout(versions).0);
        before.find(|canary| writes(canary))
    }

    /// The Service of a host as the repository has it in a state; one that may not be pruned outlives its file.
    fn written<'s>(&'s self, state: &State<'_>, host: &str) -> Option<&'s Service> {
        let is_host = |written: &Written| written.service.host == host;
        let versions = self.services.iter().find(|versions| versions.any(is_host))?;
        let before = || state.rollout(versions).0.filter(|written| written.is_kept);
        let written = state.see(versions).or_else(before)?;
        Some(&written.service)
    }

    /// Whether the repository itself has the Service of a host in a state.
    fn is_in_repository(&self, state: &State<'_>, host: &str) -> bool {
        let is_host = |written: &Written| written.service.host == host;
        let mut versions = self.services.iter().filter(|versions| versions.any(is_host));
        versions.any(|versions| state.see(versions).is_some())
    }

    /// What the pods that answered before the change run: a clone keeps it until the controller gives it another.
    fn image(&self, state: &State<'_>, workload: &str, namespace: &str) -> String {
        let is_target = |target: &Target| target.name == workload && target.namespace == namespace;
        let found = self.targets.iter().find(|versions| versions.any(is_target));
        let ends = found.map(|versions| state.rollout(versions));
        let image = ends.and_then(|(before, after, _)| before.or(after)?.image.clone());
        image.unwrap_or_else(|| workload.to_owned())
    }

    /// Whether a workload has no pods because Flagger takes them.
    fn is_emptied(&self, state: &State<'_>, workload: &str, namespace: &str) -> bool {
        let is_about = |canary: &Canary| canary.target == workload && canary.namespace == namespace;
        let concerned = self.canaries.iter().filter(|versions| versions.any(is_about));
        let mut seen = concerned.filter_map(|versions| state.see(versions));
        seen.any(|canary| is_about(canary) && !canary.is_suspended)
    }

    /// To where callers of a Service come that no file describes, as long as a Canary that is to write it is not there: it
    /// left the files to be taken over, and selects the workload. Without a workload there is nobody to call.
    fn not_yet(&self, state: &State<'_>, host: &str) -> Option<Outcome> {
        let mut canaries = self.canaries.iter().flat_map(|versions| versions.each());
        let canary = canaries.find(|canary| canary.host == host)?;
        let is_target =
            |target: &Target| target.name == canary.target && target.namespace == canary.namespace;
        let found = self.targets.iter().find(|versions| versions.any(is_target));
        if found.is_none_or(|versions| state.rollout(versions).0.is_none()) {
            let text = format!("503: there is no Service {host}");
            return Some(Outcome::failure(failure(FailureKind::NoDestination, text, None)));
        }
        let mut outcome = Outcome::default();
        for (image, part) in self.images(state, &canary.target, &canary.namespace) {
            outcome.add(Outcome::served(&image, u64::MAX), part);
        }
        Some(outcome)
    }

    /// To the pods that a Service of the repository selects, by what they run.
    fn reach(&self, state: &State<'_>, service: &Service, port: u16) -> Outcome {
        let reached = self.cluster.reach_behind(state, service, port, "503");
        let mut outcome = Outcome {
            failed: reached.failed.clone(),
            elsewhere: reached.elsewhere.clone(),
            ..Outcome::default()
        };
        let mut emptied = Vec::new();
        for (workload, share) in &reached.served {
            let count = reached.pods.get(workload).copied().unwrap_or(0);
            if self.is_emptied(state, workload, &service.namespace) {
                emptied.push(workload);
                continue;
            }
            for (image, part) in self.images(state, workload, &service.namespace) {
                outcome.add(Outcome::served(&image, count), share * part);
            }
        }
        match (emptied.first(), outcome.served.is_empty()) {
            (Some(workload), true) => {
                let text = format!(
                    "503: {} selects `{workload}`, which Flagger has scaled to nothing",
                    service.object
                );
                Outcome::failure(failure(FailureKind::NoPods, text, Some(&service.object)))
            }
            // Its share falls to the others.
            (Some(_), false) => {
                let rest: f64 = outcome.served.values().sum();
                outcome.served.values_mut().for_each(|share| *share /= rest);
                outcome
            }
            (None, _) => outcome,
        }
    }

    /// What a workload's pods run in a state, with the share of each.
    fn images(&self, state: &State<'_>, workload: &str, namespace: &str) -> Vec<(String, f64)> {
        let is_target = |target: &Target| target.name == workload && target.namespace == namespace;
        let Some(versions) = self.targets.iter().find(|versions| versions.any(is_target)) else {
            return vec![(workload.to_owned(), 1.0)];
        };
        let (before, after, pods) = state.rollout(versions);
        let image = |target: Option<&Target>| {
            let image = target.and_then(|target| target.image.clone());
            image.unwrap_or_else(|| workload.to_owned())
        };
        match pods {
            Pods::Old | Pods::None => vec![(image(before.or(after)), 1.0)],
            Pods::New => vec![(image(after.or(before)), 1.0)],
            Pods::Both => vec![(image(before), 0.5), (image(after), 0.5)],
        }
    }
}

impl Traffic for FlaggerTraffic {
    fn requests(&self) -> Vec<Request> {
        let mut doors = self.cluster.doors();
        let canaries = self.canaries.iter().flat_map(|versions| versions.each());
        doors.extend(canaries.map(|canary| (canary.host.clone(), canary.port)));
        doors
            .into_iter()
            .map(|(host, port)| plain(&host, port, Entry::Sidecar, true))
            .collect()
    }

    fn serve(&self, state: &State<'_>, request: &Request) -> Outcome {
        let host = request.host.as_str();
        let is_in_repository = self.is_in_repository(state, host);
        match self.writer(state, host) {
            // What only Flagger writes selects the clones.
            Some(canary) if !is_in_repository => {
                let image = self.image(state, &canary.target, &canary.namespace);
                Outcome::served(&image, u64::MAX)
            }
            // Without its Canary a Service is as it was left: that of a release that took it over selects the clones.
            None if !is_in_repository && self.writer_before(state, host).is_some() => {
                let gone = self.writer_before(state, host).map(|canary| &canary.object);
                let what = gone.map_or_else(String::new, ToString::to_string);
                let text = format!("503: the Service selects pods that go with {what}");
                Outcome::failure(failure(FailureKind::NoPods, text, gone))
            }
            writer => match self.written(state, host) {
                Some(service) if writer.is_some_and(|canary| canary.is_selected_by(service)) => {
                    let canary = writer.map_or("", |canary| canary.target.as_str());
                    Outcome::served(&self.image(state, canary, &service.namespace), u64::MAX)
                }
                Some(service) => self.reach(state, service, request.port),
                None => self
                    .not_yet(state, host)
                    .unwrap_or_else(|| self.cluster.reach(state, host, request.port, "503")),
            },
        }
    }

    fn pods(&self, state: &State<'_>) -> Vec<(PodGroup, u64)> {
        self.cluster.pods(state, |_| true)
    }

    fn unjudged(&self) -> Vec<Unjudged> {
        self.unjudged.clone()
    }
}

/// With the Canary go the routes that Flagger made for it, in no order with the pods behind them.
fn routes_of_its_own(ends: [Option<&Manifest>; 2]) -> Option<&'static str> {
    let [Some(before), None] = ends else { return None };
    let is_without_routes = before.text("/spec/provider") == Some("kubernetes");
    (before.object.is(GROUP, "Canary") && !is_without_routes)
        .then_some("takes the routes with it that Flagger made in a mesh, which proxies may know longer than the pods behind them")
}

/// A Service of the repository.
struct Written {
    service: Service,
    /// Whether what prunes leaves it alone.
    is_kept: bool,
}

impl Written {
    fn read(manifest: &Manifest) -> Self {
        Self {
            service: Service::read(manifest),
            is_kept: is_kept(&manifest.value),
        }
    }
}

struct Canary {
    object: ObjectRef,
    namespace: String,
    /// The Service it writes.
    host: String,
    port: u16,
    target: String,
    is_suspended: bool,
}

impl Canary {
    fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let service = service_of(&manifest.value).unwrap_or_default();
        let port = manifest
            .value
            .pointer("/spec/service/port")
            .and_then(Value::as_u64);
        Self {
            host: full_name(&service, &namespace),
            port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(80),
            target: target_of(&manifest.value).unwrap_or_default().to_owned(),
            is_suspended: super::is_suspended(&manifest.value),
            object: manifest.object.clone(),
            namespace,
        }
    }

    /// Whether a Service selects the clones, as Flagger would write it.
    fn is_selected_by(&self, service: &Service) -> bool {
        let primary = primary(&self.target);
        let mut selector = service.selector.iter().flatten();
        selector.any(|(_, value)| *value == primary)
    }
}

struct Target {
    name: String,
    namespace: String,
    image: Option<String>,
    /// Whether the manifest says how many pods there are.
    says_a_number: bool,
}

impl Target {
    fn read(manifest: &Manifest) -> Self {
        let image = manifest.text("/spec/template/spec/containers/0/image");
        let count = manifest.value.pointer("/spec/replicas").and_then(Value::as_u64);
        Self {
            name: manifest.object.name.clone(),
            namespace: manifest.object.namespace.clone().unwrap_or_default(),
            image: image.map(str::to_owned),
            says_a_number: count.is_some_and(|count| count > 0),
        }
    }
}
