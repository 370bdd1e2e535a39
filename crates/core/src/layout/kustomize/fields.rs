//! Places in objects, as kustomize's transformers name them: paths of keys that go through lists, for some kinds only.
//!
//! Source: kustomize `api/filters/fieldspec/fieldspec.go` and `api/internal/konfig/builtinpluginconsts/`.

use serde_json::{Map, Value};

use crate::manifest::ObjectRef;

/// A place in objects of some kinds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    /// An empty text is any, as for `version` and `kind`.
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) kind: &'a str,
    /// Keys with `/` between them; one that ends in `[]` holds a list and is never made.
    pub(super) path: &'a str,
    /// Whether maps on the way there are made where they are missing.
    pub(super) create: bool,
}

impl<'a> Field<'a> {
    const fn new(group: &'a str, version: &'a str, kind: &'a str, path: &'a str, create: bool) -> Self {
        Self {
            group,
            version,
            kind,
            path,
            create,
        }
    }

    /// Whether objects of this kind have it.
    pub(super) fn is_of(&self, object: &ObjectRef) -> bool {
        let version = object.api_version.rsplit('/').next().unwrap_or_default();
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        fits(self.group, object.group()) && fits(self.version, version) && fits(self.kind, &object.kind)
    }

    /// Visits what stands there, in every item of the lists on the way; what is made is an empty map.
    pub(super) fn visit(&self, object: &mut Value, change: &mut dyn FnMut(&mut Value)) {
        let path: Vec<&str> = self.path.split('/').collect();
        visit(object, &path, self.create, change);
    }

    /// Adds entries to the maps that stand there.
    pub(super) fn extend(&self, object: &mut Value, entries: &[(&String, &String)]) {
        self.visit(object, &mut |value| {
            let Some(map) = value.as_object_mut() else { return };
            for (key, entry) in entries {
                map.insert((*key).clone(), Value::String((*entry).clone()));
            }
        });
    }
}

fn visit(value: &mut Value, path: &[&str], create: bool, change: &mut dyn FnMut(&mut Value)) {
    let Some((first, rest)) = path.split_first() else {
        change(value);
        return;
    };
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| visit(item, path, create, change)),
        Value::Object(map) => {
            let (key, is_list) = match first.strip_suffix("[]") {
                Some(key) => (key, true),
                None => (*first, false),
            };
            if create && !is_list {
                let entry = map.entry(key).or_insert(Value::Null);
                if entry.is_null() {
                    *entry = Value::Object(Map::new());
                }
            }
            if let Some(inner) = map.get_mut(key) {
                visit(inner, rest, create, change);
            }
        }
        _ => {}
    }
}

/// Where every object has its labels.
pub(super) const OWN_LABELS: Field<'_> = Field::new("", "", "", "metadata/labels", true);

/// Where labels go that pod templates have too.
pub(super) const TEMPLATE_LABELS: [Field<'_>; 10] = [
    Field::new(
        "",
        "v1",
        "ReplicationController",
        "spec/template/metadata/labels",
        true,
    ),
    Field::new("", "", "Deployment", "spec/template/metadata/labels", true),
    Field::new("", "", "ReplicaSet", "spec/template/metadata/labels", true),
    Field::new("", "", "DaemonSet", "spec/template/metadata/labels", true),
    Field::new("apps", "", "StatefulSet", "spec/template/metadata/labels", true),
    Field::new(
        "apps",
        "",
        "StatefulSet",
        "spec/volumeClaimTemplates[]/metadata/labels",
        true,
    ),
    Field::new("batch", "", "Job", "spec/template/metadata/labels", true),
    Field::new("batch", "", "CronJob", "spec/jobTemplate/metadata/labels", true),
    Field::new(
        "batch",
        "",
        "CronJob",
        "spec/jobTemplate/spec/template/metadata/labels",
        true,
    ),
    OWN_LABELS,
];

const POD_TERMS: [&str; 5] = [
    "spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels",
];

/// Where labels go that selectors have, besides the objects and their pod templates.
pub(super) fn selector_labels() -> Vec<Field<'static>> {
    let mut fields = vec![
        Field::new("", "v1", "Service", "spec/selector", true),
        Field::new("", "v1", "ReplicationController", "spec/selector", true),
        Field::new("", "", "Deployment", "spec/selector/matchLabels", true),
        Field::new("", "", "ReplicaSet", "spec/selector/matchLabels", true),
        Field::new("", "", "DaemonSet", "spec/selector/matchLabels", true),
        Field::new("apps", "", "StatefulSet", "spec/selector/matchLabels", true),
        Field::new("batch", "", "Job", "spec/selector/matchLabels", false),
        Field::new(
            "batch",
            "",
            "CronJob",
            "spec/jobTemplate/spec/selector/matchLabels",
            false,
        ),
        Field::new(
            "policy",
            "",
            "PodDisruptionBudget",
            "spec/selector/matchLabels",
            false,
        ),
        Field::new(
            "networking.k8s.io",
            "",
            "NetworkPolicy",
            "spec/podSelector/matchLabels",
            false,
        ),
        Field::new(
            "networking.k8s.io",
            "",
            "NetworkPolicy",
            "spec/ingress/from/podSelector/matchLabels",
            false,
        ),
        Field::new(
            "networking.k8s.io",
            "",
            "NetworkPolicy",
            "spec/egress/to/podSelector/matchLabels",
            false,
        ),
    ];
    for kind in ["Deployment", "StatefulSet"] {
        fields.extend(POD_TERMS.map(|path| Field::new("apps", "", kind, path, false)));
    }
    fields
}

/// Where annotations of all objects go.
pub(super) const ANNOTATIONS: [Field<'_>; 9] = [
    Field::new("", "", "", "metadata/annotations", true),
    Field::new(
        "",
        "v1",
        "ReplicationController",
        "spec/template/metadata/annotations",
        true,
    ),
    Field::new("", "", "Deployment", "spec/template/metadata/annotations", true),
    Field::new("", "", "ReplicaSet", "spec/template/metadata/annotations", true),
    Field::new("", "", "DaemonSet", "spec/template/metadata/annotations", true),
    Field::new("", "", "StatefulSet", "spec/template/metadata/annotations", true),
    Field::new("batch", "", "Job", "spec/template/metadata/annotations", true),
    Field::new(
        "batch",
        "",
        "CronJob",
        "spec/jobTemplate/metadata/annotations",
        true,
    ),
    Field::new(
        "batch",
        "",
        "CronJob",
        "spec/jobTemplate/spec/template/metadata/annotations",
        true,
    ),
];

/// Where images stand that are in no list of containers.
pub(super) const IMAGE_VOLUMES: [Field<'_>; 2] = [
    Field::new("", "", "", "spec/volumes[]/image/reference", false),
    Field::new("", "", "", "spec/template/spec/volumes[]/image/reference", false),
];

/// Kinds that have a replica count.
pub(super) const SCALED: [&str; 4] = ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"];

/// Where namespaces stand besides an object's own.
pub(super) const NAMESPACES: [Field<'_>; 2] = [
    Field::new(
        "apiregistration.k8s.io",
        "",
        "APIService",
        "spec/service/namespace",
        true,
    ),
    Field::new(
        "apiextensions.k8s.io",
        "",
        "CustomResourceDefinition",
        "spec/conversion/webhook/clientConfig/service/namespace",
        false,
    ),
];
