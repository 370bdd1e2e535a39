//! What is known about kinds: their order in the output, and which have no namespace.

use crate::manifest::ObjectRef;

/// Kinds that come first, in this order. Source: kustomize's `sortOptions: legacy`, its default.
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come last, in this order.
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Kinds of Kubernetes' own without a namespace, by API group. Source: Kubernetes' OpenAPI document, version 1.32.
const CLUSTER_SCOPED: [(&str, &str); 34] = [
    ("", "ComponentStatus"),
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("authentication.k8s.io", "SelfSubjectReview"),
    ("authentication.k8s.io", "TokenReview"),
    ("authorization.k8s.io", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "SelfSubjectRulesReview"),
    ("authorization.k8s.io", "SubjectAccessReview"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("certificates.k8s.io", "ClusterTrustBundle"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("internal.apiserver.k8s.io", "StorageVersion"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("node.k8s.io", "RuntimeClass"),
    ("policy", "PodSecurityPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
];

/// Whether an object has no namespace by its kind; kinds that are not Kubernetes' own are taken to have one.
pub(crate) fn is_cluster_scoped(object: &ObjectRef) -> bool {
    CLUSTER_SCOPED.contains(&(object.group(), &object.kind))
}

/// The key that objects are sorted by in the output.
pub(super) fn order(object: &ObjectRef) -> (usize, String, String) {
    // kustomize writes what is missing so, and sorts by the text it writes.
    let group = if object.group().is_empty() {
        "~G"
    } else {
        object.group()
    };
    let version = object.api_version.rsplit('/').next().unwrap_or_default();
    let namespace = object.namespace.as_deref().unwrap_or("~X");
    let kind = format!("{group}_{version}_{}", object.kind);
    (rank(&object.kind), kind, format!("{namespace}|{}", object.name))
}

fn rank(kind: &str) -> usize {
    let position = |kinds: &[&str]| kinds.iter().position(|other| *other == kind);
    match (position(&FIRST), position(&LAST)) {
        (Some(position), _) => position,
        (None, Some(position)) => FIRST.len() + 1 + position,
        (None, None) => FIRST.len(),
    }
}
