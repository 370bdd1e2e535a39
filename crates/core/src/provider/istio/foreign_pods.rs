//! Pods of neither version behind the Service that a release splits: it is widened by labels, and another workload or
//! job may carry them.
//!
//! Source: Kubernetes, "Service": every ready pod that the selector matches is an endpoint, whatever made it.

use serde_json::{Map, Value, json};

use super::{Mesh, selects};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Manifest;
use crate::model::{Application, Environment, Release};
use crate::provider::{CANARY_LABEL, canary_mark};

/// Something that is no version of the release and makes pods that the Service selects.
pub(super) struct Foreign<'a> {
    /// What makes the pods.
    manifest: &'a Manifest,
    /// The Service.
    service: &'a Manifest,
    /// Whether it selects them already, or will once it is widened.
    pub(super) is_selected: bool,
    /// The release's label, where it is what the pods carry.
    mark: Option<String>,
    workload: &'a str,
}

/// Everything in an environment whose pods are of neither version and behind the Service, now or once it is widened.
pub(super) fn foreign_pods<'a>(
    mesh: &Mesh<'_>,
    application: &'a Application,
    environment: &'a Environment,
    release: &'a Release,
) -> Vec<Foreign<'a>> {
    let deployed = |workload: &str, group: &str, kind: &str| {
        application.deployed(&environment.name, workload, group, kind)
    };
    let Some(service) = deployed(&release.workload, "", "Service") else {
        return Vec::new();
    };
    let versions =
        [&release.workload, &release.copy].map(|workload| deployed(workload, "apps", "Deployment"));
    let now = selector(service);
    let mut wide = now.clone();
    for (key, value) in mesh.widening(application, environment, release) {
        match value {
            Value::Null => drop(wide.shift_remove(&key)),
            value => drop(wide.insert(key, value)),
        }
    }
    let is_running = versions.iter().all(Option::is_some);
    let selects_both = versions
        .iter()
        .flatten()
        .all(|version| version.pod_labels().is_some_and(|pods| selects(&now, pods)));
    let is_wide = now.contains_key(CANARY_LABEL) || (is_running && selects_both);
    let mark = canary_mark(application, release);
    let others = environment.rendered.iter().filter(|manifest| {
        !versions
            .iter()
            .flatten()
            .any(|version| version.object == manifest.object)
    });
    let found = others.filter_map(|manifest| {
        let pods = manifest.pod_labels()?;
        let is_selected = is_wide && selects(&now, pods);
        let is_marked = pods.get(CANARY_LABEL) == Some(&json!(mark));
        let is_found = manifest.object.namespace == service.object.namespace
            && (is_selected || (is_running && is_marked && selects(&wide, pods)));
        is_found.then(|| Foreign {
            manifest,
            service,
            is_selected,
            mark: is_marked.then(|| mark.clone()),
            workload: &release.workload,
        })
    });
    found.collect()
}

fn selector(service: &Manifest) -> Map<String, Value> {
    let selector = service.value.pointer("/spec/selector").and_then(Value::as_object);
    selector.cloned().unwrap_or_default()
}

impl Foreign<'_> {
    /// As a warning: a release that stands so can go on, and back.
    pub(super) fn warning(&self) -> Diagnostic {
        self.say(Diagnostic::warning)
    }

    /// As the reason why the Service is not widened.
    pub(super) fn error(&self) -> Diagnostic {
        self.say(Diagnostic::error)
    }

    fn say(&self, diagnostic: impl Fn(Code, String) -> Diagnostic) -> Diagnostic {
        let verb = if self.is_selected {
            "selects"
        } else {
            "would select"
        };
        let message = format!(
            "{} {verb} the pods of {} too, which are no version of `{}`",
            self.service.object, self.manifest.object, self.workload
        );
        let hint = match &self.mark {
            Some(mark) => format!(
                "take the label `{CANARY_LABEL}: {mark}` off its pods: only the two versions carry it"
            ),
            None => format!("let the Service select `{CANARY_LABEL}`, which only the two versions carry"),
        };
        // Of a generated object the nearest place there is: what asked for it.
        let at = self.manifest.origin.below(&["metadata", "name"]).as_key();
        diagnostic(Code::ForeignPods, message).at(at).hint(hint)
    }
}
