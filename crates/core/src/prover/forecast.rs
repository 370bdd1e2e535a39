//! Every state of a change spelled out, with what becomes of every kind of request: to compare with a real proxy.

use std::collections::BTreeMap;

use super::traffic::{Outcome, Request};
use super::world::{Applied, World};
use super::{Order, PodGroup};
use crate::manifest::{Manifest, ManifestSet};
use crate::provider::System;

/// One state and what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// What is applied of the change.
    pub applied: Vec<Applied>,
    /// The objects that exist.
    pub objects: Vec<Manifest>,
    /// The pods that are ready.
    pub pods: Vec<ReadyPods>,
    /// What becomes of each kind of request.
    pub outcomes: Vec<(Request, Outcome)>,
}

/// Pods that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyPods {
    /// The workload that made them.
    pub workload: String,
    /// Their namespace.
    pub namespace: String,
    /// Their labels.
    pub labels: BTreeMap<String, String>,
    /// Their named ports.
    pub ports: BTreeMap<String, u16>,
    /// How many, relative to the other pods of the state.
    pub count: u64,
}

/// The states of a change, or evenly chosen ones where there are more than `most`.
pub fn forecast(
    system: impl Into<System>,
    before: &ManifestSet,
    after: &ManifestSet,
    most: u32,
) -> Vec<Forecast> {
    let world = World::new(before, after);
    let traffic = system.into().traffic(&world);
    let constraints = Order::Any.constraints(&world);
    let requests = traffic.requests();
    let stride = world.states().div_ceil(u128::from(most.max(1)));
    let mut found = Vec::new();
    let mut index = 0;
    while index < world.states() {
        let state = world.state(&constraints, index);
        let outcomes = requests
            .iter()
            .map(|request| (request.clone(), traffic.serve(&state, request)));
        let outcomes = outcomes.collect();
        let pods = traffic
            .pods(&state)
            .into_iter()
            .map(|(group, count)| ready(&group, count))
            .collect();
        found.push(Forecast {
            applied: state.applied(),
            objects: state.objects().cloned().collect(),
            pods,
            outcomes,
        });
        index += stride;
    }
    found
}

fn ready(group: &PodGroup, count: u64) -> ReadyPods {
    let labels = group.labels.iter();
    ReadyPods {
        workload: group.workload.clone(),
        namespace: group.namespace.clone(),
        labels: labels
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
        ports: group.ports.iter().cloned().collect(),
        count,
    }
}
