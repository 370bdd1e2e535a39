//! A workload's selector that changes: the API server refuses the update, and the sync stops half-way.
//!
//! Source: Kubernetes, "Deployments", label selector updates: `spec.selector` is immutable after creation in `apps/v1`;
//! the same holds for StatefulSet, DaemonSet, ReplicaSet and Job.

use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, ManifestSet};

const KINDS: [(&str, &str); 5] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("batch", "Job"),
];

/// The workloads whose selector is another one after a change.
pub(super) fn find(before: &ManifestSet, after: &ManifestSet) -> Vec<Diagnostic> {
    let selector = |manifest: &Manifest| manifest.value.pointer("/spec/selector").cloned();
    let mut found = Vec::new();
    for (group, kind) in KINDS {
        for new in after.of_kind(group, kind) {
            let old = before.of_kind(group, kind).find(|old| {
                old.object.name == new.object.name && old.object.namespace == new.object.namespace
            });
            if old.is_some_and(|old| selector(old) != selector(new)) {
                let message = format!(
                    "the selector of {} changes, which the API server refuses",
                    new.object
                );
                found.push(
                    Diagnostic::error(Code::ImmutableSelector, message)
                        .at(new.origin.below(&["spec", "selector"]).as_key())
                        .hint("leave it as it is, or give the workload another name: a second one that takes over"),
                );
            }
        }
    }
    found
}
