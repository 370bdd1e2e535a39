//! What is aimed at a workload's pods, by name or by label: copied for the workload's copy, with names and
//! selectors rewritten, or refused; and found again when the copy goes.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};
use tidegate_yaml::{Edit, Stream};

use super::LayoutId;
use super::workloads::with_tag;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Form, Release};
use crate::provider::{BACKEND_LABEL, CANARY_LABEL, CopyIntent, VERSION_LABEL};
use crate::repo::RepoPath;

/// The documents to write for the copy, by file of ours, in the order of their originals; `file` names it for an
/// original.
///
/// Errors: what is aimed at the workload and cannot be carried over.
pub(super) fn companions(
    application: &Application,
    release: &Release,
    file: impl Fn(&Location, Source) -> RepoPath,
) -> Result<BTreeMap<RepoPath, Vec<String>>, Vec<Diagnostic>> {
    let twin = Twin::new(application, release);
    let mut files: BTreeMap<RepoPath, Vec<String>> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut renamed: Vec<(ObjectRef, String)> = Vec::new();
    let sources = sources(application);
    // Resources first: a patch of a resource that is copied is copied with it.
    for pass in [Source::Resource, Source::Patch] {
        for (source, location, value) in sources.iter().filter(|(source, ..)| *source == pass) {
            let Some(object) = ObjectRef::of(value) else {
                continue;
            };
            let new_name = match source {
                Source::Resource => match twin.aim(&object, value) {
                    Aim::Elsewhere => None,
                    Aim::Workload => Some(twin.rename(&object.name)),
                    Aim::Unknown(at) => {
                        problems.push(cannot_copy(&twin, &object, location, &at));
                        None
                    }
                },
                Source::Patch => twin.patched_name(&object).or_else(|| {
                    let copied = renamed
                        .iter()
                        .find(|(other, _)| other.kind == object.kind && other.name == object.name);
                    copied.map(|(_, name)| name.clone())
                }),
            };
            let Some(new_name) = new_name else { continue };
            renamed.push((object, new_name.clone()));
            match twin.document(application, location, value, &new_name, Vec::new()) {
                Ok(text) => files.entry(file(location, *source)).or_default().push(text),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if problems.is_empty() {
        Ok(files)
    } else {
        Err(problems)
    }
}

/// The Deployment of a workload once more, as its copy: another name, labels of its own, another image.
pub(super) fn workload(
    application: &Application,
    release: &Release,
    original: &Manifest,
    copy: &CopyIntent,
    replicas: Option<u64>,
) -> Result<String, Diagnostic> {
    let twin = Twin::new(application, release);
    let mut edits = twin.label_edits(original);
    let image = original.text("/spec/template/spec/containers/0/image");
    if let (Some(image), Some(tag)) = (image, &copy.image.tag) {
        edits.push(Edit::Set {
            at: PointerBuf::from_tokens(["spec", "template", "spec", "containers", "0", "image"]),
            value: json!(with_tag(image, tag)),
        });
    }
    // A label of its own is one that its Deployment selects by; what the original has is rewritten anyway.
    const LABELS: [&[&str]; 2] = [
        &["spec", "selector", "matchLabels"],
        &["spec", "template", "metadata", "labels"],
    ];
    for (place, (key, value)) in LABELS
        .iter()
        .flat_map(|place| copy.labels.iter().map(move |label| (place, label)))
    {
        let at = PointerBuf::from_tokens(place.iter().copied().chain([key.as_str()]));
        if at.resolve(&original.value).is_err() {
            edits.push(Edit::Set {
                at,
                value: json!(value),
            });
        }
    }
    if let Some(replicas) = replicas {
        edits.push(Edit::Set {
            at: PointerBuf::from_tokens(["spec", "replicas"]),
            value: json!(replicas),
        });
    }
    twin.document(application, &original.origin, &original.value, &copy.key, edits)
}

/// What routes reach a workload by once more, for its copy: a Service for callers inside the cluster, or what a traffic
/// system has beside it.
pub(super) fn backend(
    application: &Application,
    release: &Release,
    original: &Manifest,
    name: &str,
) -> Result<String, Diagnostic> {
    // What only one Service can have, and notes to controllers that would claim it twice.
    const OF_ONE: [&str; 11] = [
        "type",
        "clusterIP",
        "clusterIPs",
        "externalIPs",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "loadBalancerClass",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
        "allocateLoadBalancerNodePorts",
        "externalName",
    ];
    let twin = Twin::new(application, release);
    let has = |pointer: &PointerBuf| pointer.resolve(&original.value).is_ok();
    // Without an address of its own its callers find the pods themselves: those of the copy in the same way.
    let is_headless = original.text("/spec/clusterIP") == Some("None");
    let is_kept = |field: &str| is_headless && (field == "clusterIP" || field == "clusterIPs");
    let mut removed = vec![PointerBuf::from_tokens(["metadata", "annotations"])];
    removed.extend(
        OF_ONE
            .iter()
            .filter(|field| !is_kept(field))
            .map(|field| PointerBuf::from_tokens(["spec", field])),
    );
    let ports = original.value.pointer("/spec/ports").and_then(Value::as_array);
    for port in 0..ports.map_or(0, Vec::len) {
        removed.push(PointerBuf::from_tokens([
            "spec",
            "ports",
            &port.to_string(),
            "nodePort",
        ]));
    }
    let removed = removed.into_iter().filter(has);
    let mut edits: Vec<Edit> = match original.object.is("", "Service") {
        true => removed.map(|at| Edit::Remove { at }).collect(),
        false => host_edits(release, original),
    };
    edits.extend(twin.label_edits(original));
    let labels = PointerBuf::from_tokens(["metadata", "labels"]);
    edits.push(match has(&labels) {
        true => Edit::Set {
            at: PointerBuf::from_tokens(["metadata", "labels", BACKEND_LABEL]),
            value: json!(release.workload),
        },
        false => Edit::Set {
            at: labels,
            value: json!({BACKEND_LABEL: release.workload}),
        },
    });
    twin.document(application, &original.origin, &original.value, name, edits)
}

/// Places where an object says which host it stands for, as its copy says it.
fn host_edits(release: &Release, original: &Manifest) -> Vec<Edit> {
    const HOSTS: [&[&str]; 3] = [
        &["spec", "host"],
        &["spec", "serviceDiscovery", "dns", "hostName"],
        &["spec", "serviceDiscovery", "dns", "hostname"],
    ];
    let edit = |path: &&[&str]| {
        let at = PointerBuf::from_tokens(path.iter().copied());
        let host = at.resolve(&original.value).ok()?.as_str()?;
        let (name, rest) = host.split_at(host.find('.').unwrap_or(host.len()));
        let value = json!(format!("{}{rest}", release.name_for_copy(name)));
        Some(Edit::Set { at, value })
    };
    HOSTS.iter().filter_map(edit).collect()
}

/// The documents aimed at the copy, in any file: they go with it.
pub(super) fn of_copy(application: &Application, release: &Release) -> Vec<Location> {
    let twin = Twin::of_copy(application, release);
    let mut found = Vec::new();
    let mut names: Vec<ObjectRef> = Vec::new();
    let sources = sources(application);
    for pass in [Source::Resource, Source::Patch] {
        for (source, location, value) in sources.iter().filter(|(source, ..)| *source == pass) {
            let Some(object) = ObjectRef::of(value) else {
                continue;
            };
            let is_aimed = match source {
                Source::Resource => {
                    matches!(twin.aim(&object, value), Aim::Workload)
                        && (application.owns(location) || twin.is_subject(value))
                }
                Source::Patch => {
                    is_generated_for(application, &release.copy, &object)
                        || names
                            .iter()
                            .any(|other| other.kind == object.kind && other.name == object.name)
                }
            };
            if is_aimed {
                names.push(object);
                found.push(location.clone());
            }
        }
    }
    found
}

/// Whether an object is generated for a workload in some environment.
fn is_generated_for(application: &Application, workload: &str, object: &ObjectRef) -> bool {
    let mut environments = application.environments.keys();
    environments.any(|environment| {
        let found = application.generated(environment, workload, object.group(), &object.kind);
        found.is_some_and(|manifest| manifest.object.name == object.name)
    })
}

/// Services other than the workload's own that select the copy's pods because they select the workload's.
pub fn accidental_services(application: &Application, release: &Release) -> Vec<Diagnostic> {
    let twin = Twin::new(application, release);
    let mut found: Vec<Diagnostic> = Vec::new();
    for environment in application.environments.values() {
        for service in environment
            .base
            .iter()
            .filter(|manifest| manifest.object.is("", "Service"))
        {
            let selector = service.value.pointer("/spec/selector").and_then(Value::as_object);
            let selects =
                |pods: &Map<String, Value>| selector.is_some_and(|selector| matches(selector, pods));
            let is_own = environment
                .parts
                .values()
                .flatten()
                .any(|index| environment.base[*index].origin == service.origin);
            let is_known = found.iter().any(|known| {
                known
                    .location
                    .as_ref()
                    .is_some_and(|at| at.file == service.origin.file)
            });
            // With a backend for each version a Service that selects both mixes them, whosever it is.
            let is_meant = is_own && (release.provider.form() != Form::Backends || !selects(&twin.copy_pods));
            if is_meant || is_known || !selects(&twin.pods) {
                continue;
            }
            let (message, hint) = match selects(&twin.copy_pods) {
                true => (
                    format!(
                        "{} selects the pods of `{}` too, without weights",
                        service.object, release.copy
                    ),
                    "its callers reach both versions in proportion to their pods: send them to the routed Service",
                ),
                false => (
                    format!(
                        "{} selects the pods of `{}` only, which get the new code",
                        service.object, release.workload
                    ),
                    "its callers get the new code as soon as it ships: send them to the routed Service",
                ),
            };
            let at = service.origin.below(&["spec", "selector"]).as_key();
            found.push(
                Diagnostic::warning(Code::AccidentalSelection, message)
                    .at(at)
                    .hint(hint),
            );
        }
    }
    found
}

/// What a document of the user's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// An object.
    Resource,
    /// A patch of one.
    Patch,
}

/// Every document of the application's extra resources and patches, in file order, each once.
fn sources(application: &Application) -> Vec<(Source, Location, Value)> {
    let mut found: Vec<(Source, Location, Value)> = Vec::new();
    let mut add = |source: Source, location: &Location, value: &Value| {
        if !found.iter().any(|(_, known, _)| known == location) {
            found.push((source, location.clone(), value.clone()));
        }
    };
    // What stands inside of a document of plain manifests is an item of a list: the user's like all others.
    let is_spec = application.layout == LayoutId::Gap;
    let is_generated =
        |location: &Location| is_spec && location.pointer().is_some_and(|pointer| !pointer.is_root());
    for environment in application.environments.values() {
        for manifest in environment
            .base
            .iter()
            .filter(|manifest| !is_generated(&manifest.origin))
        {
            add(Source::Resource, &manifest.origin, &manifest.value);
        }
        for patch in &environment.patches {
            add(Source::Patch, &patch.origin, &patch.value);
        }
    }
    found
}

/// What an object has to do with a workload.
enum Aim {
    Elsewhere,
    Workload,
    /// It names the workload at a place whose meaning is not known.
    Unknown(PointerBuf),
}

/// A workload and its copy: names and pod labels of both.
struct Twin<'a> {
    release: &'a Release,
    /// Names of the generated objects, and what they are for the copy.
    names: IndexMap<String, String>,
    /// Which generated objects have those names.
    objects: Vec<ObjectRef>,
    pods: Map<String, Value>,
    copy_pods: Map<String, Value>,
    /// Whether containers are called after their workload.
    names_containers: bool,
}

/// Generated objects that are about a workload's pods; Service, Ingress and routes are about reaching them.
const POD_KINDS: [(&str, &str); 3] = [
    ("apps", "Deployment"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("security.istio.io", "AuthorizationPolicy"),
];

/// Kinds that never act on the pods of a workload by name or label, or that are about reaching them.
const OTHER_KINDS: [&str; 29] = [
    "Certificate",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "DestinationRule",
    "ExternalSecret",
    "Gateway",
    "HTTPRoute",
    "Ingress",
    "IngressClass",
    "Job",
    "Namespace",
    "PersistentVolumeClaim",
    "PriorityClass",
    "ReferenceGrant",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "ServiceEntry",
    "TrafficSplit",
    "VirtualNode",
    "VirtualRouter",
    "VirtualService",
];

impl<'a> Twin<'a> {
    fn new(application: &Application, release: &'a Release) -> Self {
        Self::between(application, release, &release.workload, &release.copy)
    }

    /// The other way round: what is aimed at the copy, as against the workload.
    fn of_copy(application: &Application, release: &'a Release) -> Self {
        Self::between(application, release, &release.copy, &release.workload)
    }

    fn between(application: &Application, release: &'a Release, workload: &str, other: &str) -> Self {
        let mut names = IndexMap::new();
        let mut objects = Vec::new();
        let mut pods = Map::new();
        for environment in application.environments.keys() {
            for (group, kind) in POD_KINDS {
                let Some(manifest) = application.generated(environment, workload, group, kind) else {
                    continue;
                };
                let name = &manifest.object.name;
                names.insert(name.clone(), name_of_copy(name, workload, other));
                objects.push(manifest.object.clone());
                if let Some(labels) = manifest.pod_labels() {
                    pods.clone_from(labels);
                }
            }
        }
        let mut copy_pods = pods.clone();
        if matches!(release.provider.form(), Form::Pinned | Form::Replicas) {
            own_version(application, other, &mut copy_pods);
        } else {
            for value in copy_pods.values_mut() {
                if let Some(twin) = value.as_str().and_then(|text| names.get(text)) {
                    *value = json!(twin);
                }
            }
            if copy_pods == pods {
                own_label(application, workload, other, &mut copy_pods);
            }
        }
        // Labels of the release itself tell nothing about what was aimed at the pods before.
        if release.provider.form() == Form::Subsets {
            for labels in [&mut pods, &mut copy_pods] {
                labels.shift_remove(VERSION_LABEL);
                labels.shift_remove(CANARY_LABEL);
            }
        }
        Self {
            release,
            names,
            objects,
            pods,
            copy_pods,
            names_containers: application.layout == LayoutId::Gap,
        }
    }

    /// The labels of a workload's own metadata, as its copy has them.
    fn label_edits(&self, original: &Manifest) -> Vec<Edit> {
        let labels = original
            .value
            .pointer("/metadata/labels")
            .and_then(Value::as_object);
        let differing = labels.into_iter().flatten().filter_map(|(key, value)| {
            let twin = self.copy_pods.get(key)?;
            (self.pods.get(key) == Some(value) && twin != value).then_some((key, twin))
        });
        differing
            .map(|(key, twin)| Edit::Set {
                at: PointerBuf::from_tokens(["metadata", "labels", key]),
                value: twin.clone(),
            })
            .collect()
    }

    /// Whether what an object is about, not a peer it mentions, is the workload.
    fn is_subject(&self, value: &Value) -> bool {
        const SUBJECTS: [&str; 5] = [
            "selector",
            "podSelector",
            "workloadSelector",
            "scaleTargetRef",
            "targetRef",
        ];
        let mut is_subject = false;
        visit(value, &mut PointerBuf::new(), &mut |pointer, inner| {
            let second = pointer.tokens().nth(1).map(|token| token.decoded().into_owned());
            let is_place = second.is_some_and(|token| SUBJECTS.contains(&token.as_str()));
            is_subject |= is_place && self.rewritten(pointer, inner).is_some();
        });
        is_subject
    }

    fn generated_name(&self, object: &ObjectRef) -> bool {
        let is_same = |known: &ObjectRef| {
            known.kind == object.kind && known.group() == object.group() && known.name == object.name
        };
        self.objects.iter().any(is_same)
    }

    /// The copy's object for a patched object of the workload.
    fn patched_name(&self, object: &ObjectRef) -> Option<String> {
        self.names
            .get(&object.name)
            .filter(|_| self.generated_name(object))
            .cloned()
    }

    fn rename(&self, name: &str) -> String {
        let known = self.names.iter().find(|(own, _)| name.contains(own.as_str()));
        known.map_or_else(
            || format!("{name}-{}", self.release.copy_runs.label()),
            |(own, twin)| name.replacen(own.as_str(), twin, 1),
        )
    }

    fn aim(&self, object: &ObjectRef, value: &Value) -> Aim {
        if OTHER_KINDS.contains(&object.kind.as_str()) {
            return Aim::Elsewhere;
        }
        let mut is_aimed = false;
        let mut unknown = None;
        visit(value, &mut PointerBuf::new(), &mut |pointer, inner| {
            if self.rewritten(pointer, inner).is_some() {
                is_aimed = true;
            } else if inner.as_str().is_some_and(|text| self.names.contains_key(text))
                && !is_explained(pointer)
                && !self.is_of_both(pointer, inner)
            {
                unknown.get_or_insert_with(|| pointer.clone());
            }
        });
        match (is_aimed, unknown) {
            (true, _) => Aim::Workload,
            (false, Some(at)) => Aim::Unknown(at),
            (false, None) => Aim::Elsewhere,
        }
    }

    /// Whether a value is one of a label that the copy's pods carry as well: what selects by it is about both.
    fn is_of_both(&self, pointer: &PointerBuf, value: &Value) -> bool {
        let tokens = pointer.tokens().map(|token| token.decoded().into_owned());
        let tokens: Vec<String> = tokens.collect();
        match tokens.iter().any(|token| token == "matchExpressions") {
            true => self.copy_pods.values().any(|carried| carried == value),
            false => tokens.last().and_then(|key| self.copy_pods.get(key)) == Some(value),
        }
    }

    /// What a value at a place becomes for the copy, if it is aimed at the workload.
    fn rewritten(&self, pointer: &PointerBuf, value: &Value) -> Option<Value> {
        let tokens: Vec<String> = pointer
            .tokens()
            .map(|token| token.decoded().into_owned())
            .collect();
        let last = tokens.last().map_or("", String::as_str);
        let above = tokens
            .len()
            .checked_sub(2)
            .map_or("", |index| tokens[index].as_str());
        match value {
            // A label selector, or a plain map of labels that is one.
            Value::Object(labels) if SELECTORS.contains(&last) && self.selects_one(labels) => {
                let rewrite = |(key, value): (&String, &Value)| {
                    let differs = self.pods.get(key) == Some(value) && self.copy_pods.get(key) != Some(value);
                    (
                        key.clone(),
                        if differs {
                            self.copy_pods[key].clone()
                        } else {
                            value.clone()
                        },
                    )
                };
                Some(Value::Object(labels.iter().map(rewrite).collect()))
            }
            // `{key: app, operator: In, values: [orders-web]}`
            Value::Object(expression) if above == "matchExpressions" => {
                let key = expression.get("key")?.as_str()?;
                let values = expression.get("values")?.as_array()?;
                let own = self.pods.get(key)?;
                let twin = self.copy_pods.get(key).filter(|twin| *twin != own)?;
                let is_in =
                    expression.get("operator")? == "In" && values.contains(own) && !values.contains(twin);
                let values = values
                    .iter()
                    .map(|value| if value == own { twin.clone() } else { value.clone() });
                let mut rewritten = expression.clone();
                rewritten.insert("values".to_owned(), values.collect());
                is_in.then_some(Value::Object(rewritten))
            }
            // A reference to the workload's Deployment, a container of it.
            Value::Object(reference)
                if last.ends_with("Ref") || last == "targetRefs" || above == "targetRefs" =>
            {
                let kind = reference.get("kind")?.as_str()?;
                let name = reference.get("name")?.as_str()?;
                let is_own = self
                    .objects
                    .iter()
                    .any(|object| object.kind == kind && object.name == name);
                let mut rewritten = reference.clone();
                rewritten.insert("name".to_owned(), json!(self.names.get(name)?));
                is_own.then_some(Value::Object(rewritten))
            }
            Value::Object(container)
                if self.names_containers && (above == "containers" || above == "initContainers") =>
            {
                let mut rewritten = container.clone();
                rewritten.insert(
                    "name".to_owned(),
                    json!(self.names.get(container.get("name")?.as_str()?)?),
                );
                Some(Value::Object(rewritten))
            }
            Value::String(text) if last == "containerName" || last == "container" => {
                self.names.get(text).map(|name| json!(name))
            }
            _ => None,
        }
    }

    /// Whether labels select the workload's pods and not those of the copy.
    fn selects_one(&self, labels: &Map<String, Value>) -> bool {
        matches(labels, &self.pods) && !matches(labels, &self.copy_pods)
    }

    /// The text of a document, with its comments, rewritten for the copy.
    fn document(
        &self,
        application: &Application,
        location: &Location,
        value: &Value,
        name: &str,
        more: Vec<Edit>,
    ) -> Result<String, Diagnostic> {
        let refused = |reason: String| {
            let message = format!("this cannot be copied for `{}`: {reason}", self.release.copy);
            Diagnostic::error(Code::CannotCopy, message).at(location.clone())
        };
        let stream = application
            .files
            .get(&location.file)
            .ok_or_else(|| refused("the file is gone".to_owned()))?;
        let index = location.document().unwrap_or(0);
        let is_document = |document: &tidegate_yaml::Document| document.value() == value;
        let text = match stream.documents().get(index).is_some_and(is_document) {
            true => stream.document_text(index).replace("\r\n", "\n"),
            // An item of a list has no text that could stand by itself, and neither has what is laid over a document.
            false => tidegate_yaml::print(value),
        };
        let text = if text.ends_with('\n') {
            text
        } else {
            format!("{text}\n")
        };
        let mut edits = vec![Edit::Set {
            at: PointerBuf::from_tokens(["metadata", "name"]),
            value: json!(name),
        }];
        visit(value, &mut PointerBuf::new(), &mut |pointer, inner| {
            let Some(rewritten) = self.rewritten(pointer, inner) else {
                return;
            };
            edits.extend(leaf_edits(pointer, inner, &rewritten));
        });
        edits.extend(more);
        let copy = Stream::parse(text).map_err(|error| refused(error.to_string()))?;
        let index = copy
            .documents()
            .iter()
            .position(|document| !document.is_empty())
            .unwrap_or(0);
        copy.edit(index, &edits)
            .map(Stream::into_text)
            .map_err(|error| refused(error.to_string()))
    }
}

/// Pods behind one Service differ by their version alone: what they really carry, where they are there.
fn own_version(application: &Application, other: &str, labels: &mut Map<String, Value>) {
    let mut environments = application.environments.keys();
    let pods = environments.find_map(|environment| {
        application
            .deployed(environment, other, "apps", "Deployment")?
            .pod_labels()
    });
    match (pods, other.rsplit_once('-')) {
        (Some(pods), _) => labels.clone_from(pods),
        (None, Some((_, version))) => drop(labels.insert(VERSION_LABEL.to_owned(), json!(version))),
        (None, None) => {}
    }
}

/// Pods whose labels do not say what they are called get one that tells those of a copy from those of its workload:
/// what they really carry, where both are there; else another value of a label that both the workload and its Service
/// select by, its version if there is one.
fn own_label(application: &Application, workload: &str, other: &str, labels: &mut Map<String, Value>) {
    for environment in application.environments.keys() {
        if let Some(found) = application
            .deployed(environment, other, "apps", "Deployment")
            .and_then(Manifest::pod_labels)
        {
            labels.clone_from(found);
            return;
        }
        let selector = |group, kind, pointer| {
            application
                .generated(environment, workload, group, kind)?
                .value
                .pointer(pointer)?
                .as_object()
        };
        let own = selector("apps", "Deployment", "/spec/selector/matchLabels");
        let service = selector("", "Service", "/spec/selector");
        let (Some(own), Some(service)) = (own, service) else {
            continue;
        };
        let shared = || own.keys().filter(|key| service.contains_key(*key));
        // `jazz-v1` with `version: v1` becomes `jazz-v2` with `version: v2`.
        let versions = workload.rsplit_once('-').zip(other.rsplit_once('-'));
        if let Some(((stem, version), (twin_stem, twin_version))) = versions
            && stem == twin_stem
            && let Some(key) = shared().find(|key| own[*key] == version)
        {
            labels.insert(key.clone(), json!(twin_version));
            return;
        }
        if let Some(key) = shared().next()
            && let Some(text) = own[key].as_str()
        {
            let suffix = other.strip_prefix(workload).unwrap_or("-canary");
            labels.insert(key.clone(), json!(format!("{text}{suffix}")));
            return;
        }
    }
}

/// Keys whose map is a label selector.
const SELECTORS: [&str; 4] = ["matchLabels", "selector", "podSelector", "labels"];

/// Places where a workload's name may stand without aiming at its pods.
fn is_explained(pointer: &PointerBuf) -> bool {
    let tokens: Vec<String> = pointer
        .tokens()
        .map(|token| token.decoded().into_owned())
        .collect();
    tokens.first().is_some_and(|first| first == "metadata")
}

fn matches(selector: &Map<String, Value>, labels: &Map<String, Value>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Visits every value but what stands under `metadata`, outer ones first.
fn visit(value: &Value, pointer: &mut PointerBuf, found: &mut impl FnMut(&PointerBuf, &Value)) {
    found(pointer, value);
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (token, value) in inner {
        if pointer.is_root() && token == "metadata" {
            continue;
        }
        pointer.push_back(token.as_str());
        visit(value, pointer, found);
        pointer.pop_back();
    }
}

/// Edits for the entries of a value that were rewritten.
fn leaf_edits(pointer: &PointerBuf, before: &Value, after: &Value) -> Vec<Edit> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => after
            .iter()
            .filter(|(key, value)| before.get(*key) != Some(value))
            .map(|(key, value)| {
                let mut at = pointer.clone();
                at.push_back(key.as_str());
                Edit::Set {
                    at,
                    value: value.clone(),
                }
            })
            .collect(),
        _ => vec![Edit::Set {
            at: pointer.clone(),
            value: after.clone(),
        }],
    }
}

/// What an object that is called after a workload is called for another one: `orders--web` → `orders--web-v1`.
pub(super) fn name_of_copy(name: &str, workload: &str, other: &str) -> String {
    match name.strip_suffix(workload) {
        Some(prefix) => format!("{prefix}{other}"),
        None => format!("{name}-{other}"),
    }
}

fn cannot_copy(twin: &Twin<'_>, object: &ObjectRef, location: &Location, at: &PointerBuf) -> Diagnostic {
    let message = format!(
        "{object} names workload `{}` in a way that cannot be copied",
        twin.release.workload
    );
    let path: Vec<String> = at.tokens().map(|token| token.decoded().into_owned()).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    Diagnostic::error(Code::CannotCopy, message)
        .at(location.below(&path))
        .hint(format!(
            "write one for `{}` yourself before the canary starts, and take this name out of it",
            twin.release.copy
        ))
}
