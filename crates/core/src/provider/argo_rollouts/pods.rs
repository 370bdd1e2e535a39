//! The pods of Rollouts, and the Services that the controller narrows to them.
//!
//! Sources: Argo Rollouts, `rollout/service.go` (a Service is narrowed by `rollouts-pod-template-hash` once the pods of its version
//! are all available), `service/service.go` (and widened again once no Rollout names it, after its pods may have gone),
//! "Migrating" (`workloadRef`). How far a Rollout is in its steps is the controller's and not judged.

use std::collections::BTreeMap;

use crate::manifest::{Manifest, ObjectRef};
use crate::prover::{PodGroup, Pods, ROLLOUT, State, Versions, World};

use super::super::cluster::Service;
use super::spec::{
    Ends, Named, lacking, scales_down, services, target_of, virtual_services, wrong_steps, wrong_strategy,
};

/// The Rollouts of one environment, before and after, and what makes them valid.
pub(in crate::provider) struct Rollouts {
    rollouts: Vec<Versions<Rollout>>,
    services: Vec<Versions<ObjectRef>>,
    routes: Vec<Versions<Manifest>>,
}

/// Which of the pods that a Service selects are behind it.
pub(in crate::provider) enum Behind<'s> {
    /// All.
    All,
    /// Those of one Rollout.
    Of(&'s str),
    /// None: those that it was narrowed to go with their Rollout.
    Gone,
}

struct Rollout {
    /// What its pods are called: `Rollout/reviews`, since its Deployment is often called alike.
    workload: String,
    namespace: String,
    /// The Deployment that it takes its template from.
    target: Option<String>,
    scales_down: bool,
    services: Vec<String>,
    virtual_services: Vec<Named>,
    ends: Ends,
    /// Whether what it says by itself is right.
    is_sound: bool,
}

/// Which content of an object counts.
#[derive(Clone, Copy)]
enum When<'s> {
    Before,
    Now(&'s State<'s>),
}

impl When<'_> {
    fn see<'v, T>(&self, versions: &'v Versions<T>) -> Option<&'v T> {
        match self {
            Self::Before => versions.ends()[0],
            Self::Now(state) => state.see(versions),
        }
    }
}

impl Rollouts {
    pub(in crate::provider) fn new(world: &World<'_>) -> Self {
        let rollouts = world.read(ROLLOUT.0, ROLLOUT.1, Rollout::read);
        if rollouts.is_empty() {
            return Self {
                rollouts,
                services: Vec::new(),
                routes: Vec::new(),
            };
        }
        Self {
            rollouts,
            services: world.read("", "Service", |service| service.object.clone()),
            routes: world.read("networking.istio.io", "VirtualService", Manifest::clone),
        }
    }

    /// The pods that each Rollout asks for. Those of one that takes its template from a Deployment carry the labels that the
    /// Deployment's do before the change: when others come is the controller's.
    pub(in crate::provider) fn groups(world: &World<'_>) -> Vec<Versions<Option<PodGroup>>> {
        let deployments = world.read("apps", "Deployment", PodGroup::of);
        let mut templates: BTreeMap<(&str, &str), &PodGroup> = BTreeMap::new();
        for pods in deployments
            .iter()
            .filter_map(|versions| versions.each().flatten().next())
        {
            templates.insert((&pods.namespace, &pods.workload), pods);
        }
        world.read(ROLLOUT.0, ROLLOUT.1, |rollout| {
            let own = PodGroup::of(rollout)?;
            let workload = rollout.object.to_string();
            let Some(target) = target_of(&rollout.value) else {
                return Some(PodGroup { workload, ..own });
            };
            let template = templates.get(&(own.namespace.as_str(), target))?;
            Some(PodGroup {
                workload,
                labels: template.labels.clone(),
                ports: template.ports.clone(),
                ..own
            })
        })
    }

    /// The Deployment that a Rollout's pods are made after, by what they are called.
    pub(super) fn target(&self, workload: &str) -> Option<&str> {
        let mut rollouts = self.rollouts.iter().flat_map(|versions| versions.each());
        rollouts
            .find(|rollout| rollout.workload == workload)?
            .target
            .as_deref()
    }

    /// Whether pods are there that a workload asks for: an invalid Rollout makes none, and one that is told to takes those of its
    /// Deployment away.
    pub(in crate::provider) fn leaves(&self, state: &State<'_>, pods: &PodGroup) -> bool {
        self.rollouts.iter().all(|versions| {
            let is_own = |rollout: &Rollout| rollout.is(pods);
            let is_about = |rollout: &Rollout| {
                rollout.scales_down
                    && rollout.namespace == pods.namespace
                    && rollout.target.as_ref() == Some(&pods.workload)
            };
            match () {
                () if versions.any(is_own) => self.runs(state, versions),
                () if versions.any(is_about) => match state.see(versions) {
                    Some(rollout) => !(is_about(rollout) && self.runs(state, versions)),
                    // What it took stays away once it is gone.
                    None => {
                        let took = versions.ends()[0].is_some_and(is_about);
                        !(took && self.is_valid(When::Before, versions))
                    }
                },
                () => true,
            }
        })
    }

    /// Which pods are behind a Service in a state.
    pub(in crate::provider) fn behind(&self, state: &State<'_>, service: &Service) -> Behind<'_> {
        let names = |rollout: &Rollout| {
            rollout.namespace == service.namespace && rollout.services.contains(&service.object.name)
        };
        for versions in self.rollouts.iter().filter(|versions| versions.any(names)) {
            let was = versions.ends()[0].is_some_and(names) && self.is_valid(When::Before, versions);
            match state.see(versions) {
                Some(rollout) if names(rollout) && self.runs(state, versions) => {
                    return Behind::Of(&rollout.workload);
                }
                None if was => return Behind::Gone,
                _ => {}
            }
        }
        Behind::All
    }

    /// Whether a Rollout has its pods in a state.
    fn runs(&self, state: &State<'_>, versions: &Versions<Rollout>) -> bool {
        let (before, _, pods) = state.rollout(versions);
        match before {
            // What is invalid from here on keeps its pods as they are.
            Some(_) => self.is_valid(When::Before, versions),
            None => pods == Pods::New && self.is_valid(When::Now(state), versions),
        }
    }

    /// Whether the controller has nothing against a Rollout.
    fn is_valid(&self, when: When<'_>, versions: &Versions<Rollout>) -> bool {
        let Some(rollout) = when.see(versions) else {
            return false;
        };
        let is = |object: &ObjectRef, name: &str| {
            object.name == name && object.namespace.as_deref().unwrap_or_default() == rollout.namespace
        };
        let has_service = |name: &String| {
            let mut services = self.services.iter();
            services.any(|service| when.see(service).is_some_and(|object| is(object, name)))
        };
        let has_routes = |named: &Named| {
            let mut routes = self.routes.iter().filter_map(|routes| when.see(routes));
            let found = routes.find(|routes| is(&routes.object, &named.name));
            found.is_some_and(|routes| lacking(&routes.value, named, &rollout.ends).is_none())
        };
        rollout.is_sound
            && rollout.services.iter().all(has_service)
            && rollout.virtual_services.iter().all(has_routes)
    }
}

impl Rollout {
    fn read(manifest: &Manifest) -> Self {
        let value = &manifest.value;
        Self {
            workload: manifest.object.to_string(),
            namespace: manifest.object.namespace.clone().unwrap_or_default(),
            target: target_of(value).map(str::to_owned),
            scales_down: scales_down(value),
            services: services(value).map(|(_, name)| name.to_owned()).collect(),
            virtual_services: virtual_services(value),
            ends: Ends::of(value),
            is_sound: wrong_steps(value).is_empty() && wrong_strategy(value).is_none(),
        }
    }

    fn is(&self, pods: &PodGroup) -> bool {
        self.workload == pods.workload && self.namespace == pods.namespace
    }
}
