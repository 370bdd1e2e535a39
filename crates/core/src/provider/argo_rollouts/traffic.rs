//! What callers meet where Argo Rollouts has a workload: the routes of the files, to pods that the controller makes.
//!
//! A version is told by its image here, since a Rollout and its Deployment run the same one. While a Rollout has pods, they run
//! what the Deployment's template said before the change: when they get another image, and who reaches it, the controller decides
//! by its steps.

use std::collections::BTreeMap;

use super::super::istio::IstioTraffic;
use super::pods::Rollouts;
use crate::manifest::Manifest;
use crate::prover::{Outcome, PodGroup, Pods, Request, State, Traffic, Unjudged, Versions, World};

/// The objects of one environment that decide about requests, before and after.
pub(in crate::provider) struct ArgoTraffic {
    /// Routes, Services and pods.
    routed: IstioTraffic,
    rollouts: Rollouts,
    templates: Vec<Versions<Template>>,
}

impl ArgoTraffic {
    pub(in crate::provider) fn new(world: &World<'_>) -> Self {
        Self {
            routed: IstioTraffic::new(world),
            rollouts: Rollouts::new(world),
            templates: world.read("apps", "Deployment", Template::read),
        }
    }

    /// What the pods of a workload run in a state, with the share of each.
    fn images(&self, state: &State<'_>, workload: &str) -> Vec<(String, f64)> {
        let target = self.rollouts.target(workload);
        let is_meant = |template: &Template| template.workload == target.unwrap_or(workload);
        let found = self.templates.iter().find(|versions| versions.any(is_meant));
        let Some(versions) = found else {
            return vec![(workload.to_owned(), 1.0)];
        };
        let image = |template: Option<&Template>| {
            let image = template.and_then(|template| template.image.clone());
            image.unwrap_or_else(|| workload.to_owned())
        };
        if target.is_some() {
            let [before, after] = versions.ends();
            return vec![(image(before.or(after)), 1.0)];
        }
        let (before, after, pods) = state.rollout(versions);
        let has_none = |template: Option<&Template>| template.is_some_and(|template| template.is_empty);
        match pods {
            Pods::Old | Pods::None => vec![(image(before.or(after)), 1.0)],
            Pods::Both if has_none(after) => vec![(image(before), 1.0)],
            Pods::Both if has_none(before) => vec![(image(after), 1.0)],
            Pods::Both => vec![(image(before), 0.5), (image(after), 0.5)],
            Pods::New => vec![(image(after.or(before)), 1.0)],
        }
    }
}

impl Traffic for ArgoTraffic {
    fn requests(&self) -> Vec<Request> {
        self.routed.requests()
    }

    fn serve(&self, state: &State<'_>, request: &Request) -> Outcome {
        let routed = self.routed.serve(state, request);
        let mut served: BTreeMap<String, f64> = BTreeMap::new();
        let mut pods: BTreeMap<String, u64> = BTreeMap::new();
        for (workload, share) in &routed.served {
            let count = routed.pods.get(workload).copied().unwrap_or(0);
            for (image, part) in self.images(state, workload) {
                *served.entry(image.clone()).or_default() += share * part;
                let known = pods.entry(image).or_default();
                *known = known.saturating_add(count);
            }
        }
        Outcome {
            served,
            pods,
            ..routed
        }
    }

    fn pods(&self, state: &State<'_>) -> Vec<(PodGroup, u64)> {
        self.routed.pods(state)
    }

    fn unjudged(&self) -> Vec<Unjudged> {
        self.routed.unjudged()
    }
}

/// What a Deployment says of its pods.
struct Template {
    workload: String,
    image: Option<String>,
    /// Whether it asks for none.
    is_empty: bool,
}

impl Template {
    fn read(manifest: &Manifest) -> Self {
        let image = manifest.text("/spec/template/spec/containers/0/image");
        Self {
            workload: manifest.object.name.clone(),
            image: image.map(str::to_owned),
            is_empty: super::replicas(manifest) == Some(0),
        }
    }
}
