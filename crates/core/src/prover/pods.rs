//! The pods of a workload in one state.

use serde_json::{Map, Value};

use crate::manifest::{Manifest, ObjectRef};

/// Which pods of a changed workload are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pods {
    /// Those from before.
    Old,
    /// Those from before and from after.
    Both,
    /// Those from after.
    New,
    /// None.
    None,
}

impl Pods {
    /// For a person; `existed` tells whether the workload was there before.
    pub(super) fn as_str(self, existed: bool) -> &'static str {
        match self {
            Self::Old if existed => "still with its old pods",
            Self::Old | Self::None => "no pod ready yet",
            Self::Both => "old and new pods together",
            Self::New => "new pods only",
        }
    }
}

/// Pods that are alike: made by one version of one workload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PodGroup {
    /// The workload's name.
    pub(crate) workload: String,
    /// The namespace.
    pub(crate) namespace: String,
    /// The pods' labels.
    pub(crate) labels: Map<String, Value>,
    /// Named container ports.
    pub(crate) ports: Vec<(String, u16)>,
    /// How many there are at least; an autoscaler may add more.
    pub(crate) replicas: u64,
}

impl PodGroup {
    /// The pods that a workload asks for; none for `replicas: 0`.
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        let replicas = manifest
            .value
            .pointer("/spec/replicas")
            .and_then(Value::as_u64)
            .unwrap_or(1);
        let containers = manifest
            .value
            .pointer("/spec/template/spec/containers")
            .and_then(Value::as_array);
        let ports = containers
            .into_iter()
            .flatten()
            .filter_map(|container| container.get("ports")?.as_array())
            .flatten();
        Some(Self {
            workload: manifest.object.name.clone(),
            namespace: manifest.object.namespace.clone().unwrap_or_default(),
            labels: manifest.pod_labels().cloned().unwrap_or_default(),
            ports: ports.filter_map(named).collect(),
            replicas,
        })
    }
}

fn named(port: &Value) -> Option<(String, u16)> {
    let number = port.get("containerPort")?.as_u64()?;
    Some((
        port.get("name")?.as_str()?.to_owned(),
        u16::try_from(number).ok()?,
    ))
}

/// The kinds that make pods which serve.
pub(crate) const WORKLOADS: [(&str, &str); 4] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
];

/// The kind of Argo Rollouts that makes pods as a Deployment does, after a template of its own or a Deployment's.
pub(crate) const ROLLOUT: (&str, &str) = ("argoproj.io", "Rollout");

pub(super) fn is_workload(object: &ObjectRef) -> bool {
    let mut kinds = WORKLOADS.iter().chain([&ROLLOUT]);
    kinds.any(|(group, kind)| object.is(group, kind))
}

/// Whether a change makes new pods. Source: Kubernetes, a rollout is triggered by a change of the pod template.
pub(super) fn rolls(before: &Manifest, after: &Manifest) -> bool {
    let template = |manifest: &Manifest| manifest.value.pointer("/spec/template").cloned();
    template(before) != template(after)
}

/// Whether a rollout may leave no pod ready. Source: Kubernetes, Deployment `strategy`.
pub(super) fn may_have_none(after: &Manifest) -> bool {
    let strategy = after
        .value
        .pointer("/spec/strategy")
        .or(after.value.pointer("/spec/updateStrategy"));
    let kind = strategy
        .and_then(|strategy| strategy.get("type"))
        .and_then(Value::as_str);
    let unavailable = strategy.and_then(|strategy| strategy.pointer("/rollingUpdate/maxUnavailable"));
    let replicas = after
        .value
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .unwrap_or(1);
    // Source: Kubernetes, `ResolveFenceposts`: a share is rounded down, but where nothing may be added either, one goes.
    let surge = strategy.and_then(|strategy| strategy.pointer("/rollingUpdate/maxSurge"));
    let adds_none =
        surge.is_some_and(|surge| matches!(surge.as_str(), Some("0%")) || surge.as_u64() == Some(0));
    match (kind, unavailable) {
        (Some("Recreate" | "OnDelete"), _) => true,
        _ if adds_none && replicas <= 1 => true,
        (_, Some(Value::String(percent))) => percent == "100%",
        (_, Some(Value::Number(count))) => count.as_u64().is_some_and(|count| count >= replicas),
        // The defaults of a StatefulSet and a DaemonSet replace pods in place, one at a time.
        _ => after.object.kind != "Deployment" && replicas <= 1,
    }
}
