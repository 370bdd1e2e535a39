//! What is aimed at a workload's pods, by name or by label: copied for the workload's copy, with names and
//! selectors rewritten, or refused; and found again when the copy goes.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};
use tidegate_yaml::{Edit, Stream};

use super::place::own_file_name;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::ObjectRef;
use crate::model::{Application, Release};
use crate::repo::RepoPath;

/// The documents to write for the copy, by file of ours, in the order of their originals.
///
/// Errors: what is aimed at the workload and cannot be carried over.
pub(super) fn companions(
    application: &Application,
    release: &Release,
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
            match twin.document(application, location, value, &new_name) {
                Ok(text) => files
                    .entry(twin.file(application, location, *source))
                    .or_default()
                    .push(text),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if let Some((file, text)) = twin.unprotect(application) {
        files.entry(file).or_default().push(text);
    }
    if problems.is_empty() {
        Ok(files)
    } else {
        Err(problems)
    }
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
            let is_own = application
                .workloads
                .values()
                .any(|workload| workload.origin.pointer() == service.origin.pointer());
            let is_known = found.iter().any(|known| {
                known
                    .location
                    .as_ref()
                    .is_some_and(|at| at.file == service.origin.file)
            });
            if is_own || is_known || !selects(&twin.pods) {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Resource,
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
    let is_generated = |location: &Location| location.pointer().is_some_and(|pointer| !pointer.is_root());
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
}

/// Generated objects that are about a workload's pods; Service, Ingress and routes are about reaching them.
const POD_KINDS: [(&str, &str); 3] = [
    ("apps", "Deployment"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("security.istio.io", "AuthorizationPolicy"),
];

/// Kinds that never act on the pods of a workload by name or label, or that are about reaching them.
const OTHER_KINDS: [&str; 26] = [
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
                names.insert(name.clone(), replace_suffix(name, workload, other));
                objects.push(manifest.object.clone());
                if let Some(labels) = manifest.pod_labels() {
                    pods.clone_from(labels);
                }
            }
        }
        let mut copy_pods = pods.clone();
        for value in copy_pods.values_mut() {
            if let Some(twin) = value.as_str().and_then(|text| names.get(text)) {
                *value = json!(twin);
            }
        }
        // Labels of the release itself tell nothing about what was aimed at the pods before.
        for labels in [&mut pods, &mut copy_pods] {
            labels.shift_remove(crate::provider::VERSION_LABEL);
            labels.shift_remove(crate::provider::CANARY_LABEL);
        }
        Self {
            release,
            names,
            objects,
            pods,
            copy_pods,
        }
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
            Value::Object(container) if above == "containers" || above == "initContainers" => {
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
    ) -> Result<String, Diagnostic> {
        let refused = |reason: String| {
            let message = format!("this cannot be copied for `{}`: {reason}", self.release.copy);
            Diagnostic::error(Code::CannotCopy, message).at(location.clone())
        };
        let stream = application
            .files
            .get(&location.file)
            .ok_or_else(|| refused("the file is gone".to_owned()))?;
        let text = stream
            .document_text(location.document().unwrap_or(0))
            .replace("\r\n", "\n");
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

    /// The file of ours beside the original.
    fn file(&self, application: &Application, location: &Location, source: Source) -> RepoPath {
        let prefix = match source {
            Source::Resource => "gap_canary",
            Source::Patch => "gap_patch_canary",
        };
        location
            .file
            .parent()
            .join(&own_file_name(application, self.release, prefix, "copy"))
    }

    /// A protected copy could not be deleted at the end: the patch takes the label off it.
    fn unprotect(&self, application: &Application) -> Option<(RepoPath, String)> {
        const LABEL: &str = "deletionProtection";
        let environment = application.environments.keys().next()?;
        let deployment = application.generated(environment, &self.release.workload, "apps", "Deployment")?;
        deployment.value.pointer("/metadata/labels")?.get(LABEL)?;
        let patch = json!({
            "apiVersion": deployment.object.api_version,
            "kind": deployment.object.kind,
            "metadata": {"name": self.names.get(&deployment.object.name)?, "labels": {LABEL: null}},
        });
        let folder = application.at.join("gap");
        let file = folder.join(&own_file_name(
            application,
            self.release,
            "gap_patch_canary",
            "copy",
        ));
        Some((
            file,
            format!(
                "# the copy has to go again at the end\n{}",
                tidegate_yaml::print(&patch)
            ),
        ))
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

/// `orders--web` → `orders--web-v1`.
fn replace_suffix(name: &str, workload: &str, other: &str) -> String {
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
