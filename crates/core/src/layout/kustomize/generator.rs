//! ConfigMaps and Secrets that a kustomization makes of files and literals, and the hash of what they hold in their names.
//!
//! Source: kustomize `api/kv/kv.go`, `api/internal/generators/`, `api/hasher/hasher.go`, version 5.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::fields::Field;
use crate::diagnostic::{Code, Diagnostic, Failure, Location};
use crate::manifest::ObjectRef;
use crate::schema::kustomization::{GeneratorEntry, GeneratorOptions};

/// What is generated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// The object of an entry; `text` reads a file that it names.
///
/// Errors: entries that are none, and what is there twice.
pub(super) fn generate(
    kind: Kind,
    entry: &GeneratorEntry,
    common: &GeneratorOptions,
    at: &Location,
    mut text: impl FnMut(&str, &Location) -> Result<String, Failure>,
) -> Result<Value, Failure> {
    let mut data: IndexMap<String, String> = IndexMap::new();
    let mut add = |key: &str, value: String, at: &Location| {
        let is_valid = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let wrong = |message: String| {
            Err(Failure::from(
                Diagnostic::error(Code::InvalidValue, message).at(at.clone()),
            ))
        };
        if !is_valid {
            return wrong(format!(
                "`{key}` is no key: letters, digits, `-`, `_` and `.` are"
            ));
        }
        match data.insert(key.to_owned(), value) {
            None => Ok(()),
            Some(_) => wrong(format!("the key `{key}` is there twice")),
        }
    };
    let files = entry
        .envs
        .iter()
        .enumerate()
        .map(|(index, file)| (file, at.below(&["envs", &index.to_string()])));
    let older = Some((&entry.env, at.below(&["env"]))).filter(|(file, _)| !file.is_empty());
    for (file, at) in files.chain(older) {
        let content = text(file, &at)?;
        for line in content.trim_start_matches('\u{feff}').lines() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            add(key, value.to_owned(), &at)?;
        }
    }
    for (index, literal) in entry.literals.iter().enumerate() {
        let at = at.below(&["literals", &index.to_string()]);
        let Some((key, value)) = literal.split_once('=') else {
            let message = "a literal is `key=value`";
            return Err(Diagnostic::error(Code::InvalidValue, message).at(at).into());
        };
        add(key, unquoted(value).to_owned(), &at)?;
    }
    for (index, source) in entry.files.iter().enumerate() {
        let at = at.below(&["files", &index.to_string()]);
        let (key, file) = match source.split_once('=') {
            Some((key, file)) => (key, file),
            None => (source.rsplit('/').next().unwrap_or(source), source.as_str()),
        };
        let content = text(file, &at)?;
        add(key, content, &at)?;
    }
    data.sort_keys();
    Ok(object(kind, entry, common, data))
}

fn object(
    kind: Kind,
    entry: &GeneratorEntry,
    common: &GeneratorOptions,
    data: IndexMap<String, String>,
) -> Value {
    let mut metadata = json!({"name": entry.name});
    if !entry.namespace.is_empty() {
        metadata["namespace"] = json!(entry.namespace);
    }
    for (key, common, own) in [
        ("labels", &common.labels, &entry.options.labels),
        ("annotations", &common.annotations, &entry.options.annotations),
    ] {
        let mut all = common.clone();
        all.extend(own.clone());
        if !all.is_empty() {
            metadata[key] = json!(all);
        }
    }
    let mut object = json!({"apiVersion": "v1", "kind": kind.name(), "metadata": metadata});
    match kind {
        Kind::ConfigMap if data.is_empty() => {}
        Kind::ConfigMap => object["data"] = json!(data),
        Kind::Secret => {
            let secret_type = match entry.secret_type.is_empty() {
                true => "Opaque",
                false => &entry.secret_type,
            };
            object["type"] = json!(secret_type);
            let encoded: Map<String, Value> = data
                .into_iter()
                .map(|(key, value)| (key, json!(encoded(&value))))
                .collect();
            object["data"] = Value::Object(encoded);
        }
    }
    if common.immutable || entry.options.immutable {
        object["immutable"] = json!(true);
    }
    object
}

/// In lines of 70 letters, as kustomize writes it.
fn encoded(value: &str) -> String {
    const LINE: usize = 70;
    let text = STANDARD.encode(value);
    if text.len() < LINE {
        return text;
    }
    let mut lines = String::new();
    for (index, letter) in text.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines.push('\n');
    lines
}

fn unquoted(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

/// What one that is there becomes by another of the same name, which adds to it or takes its place.
pub(super) fn merged(old: &Value, mut new: Value, is_added: bool) -> Value {
    let under = |new: &mut Value, path: [&str; 2], pointer: &str| {
        let mut all = old
            .pointer(pointer)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        all.extend(
            new.pointer(pointer)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        );
        if !all.is_empty() {
            match path {
                ["", key] => new[key] = Value::Object(all),
                [parent, key] => new[parent][key] = Value::Object(all),
            }
        }
    };
    under(&mut new, ["metadata", "labels"], "/metadata/labels");
    under(&mut new, ["metadata", "annotations"], "/metadata/annotations");
    if is_added {
        under(&mut new, ["", "data"], "/data");
        under(&mut new, ["", "binaryData"], "/binaryData");
    }
    if let Some(namespace) = old.pointer("/metadata/namespace") {
        new["metadata"]["namespace"] = namespace.clone();
    }
    new
}

/// The name of an object with the hash of what it holds.
pub(super) fn hashed_name(object: &Value) -> Option<String> {
    let name = object.pointer("/metadata/name")?.as_str()?;
    let or_empty = |key: &str| object.get(key).cloned().unwrap_or_else(|| json!(""));
    let mut content = std::collections::BTreeMap::from([
        ("kind", or_empty("kind")),
        // kustomize looks for the name where none is.
        ("name", json!("")),
        ("data", sorted(or_empty("data"))),
    ]);
    let more = match object.get("kind")?.as_str()? {
        "Secret" => {
            content.insert("type", or_empty("type"));
            "stringData"
        }
        _ => "binaryData",
    };
    if let Some(map) = object.get(more).filter(|map| map.is_object()) {
        content.insert(more, sorted(map.clone()));
    }
    // As Go writes JSON: safe inside of HTML.
    let mut text = serde_json::to_string(&content).ok()?;
    for (letter, escape) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        text = text.replace(letter, escape);
    }
    let digest = Sha256::digest(text);
    let hex: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    let hash: String = hex
        .chars()
        .map(|letter| match letter {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            other => other,
        })
        .collect();
    Some(format!("{name}-{hash}"))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: std::collections::BTreeMap<String, Value> = map.into_iter().collect();
            Value::Object(sorted.into_iter().collect())
        }
        other => other,
    }
}

/// Where a pod is described, by kind.
const PODS: [(&str, &str); 8] = [
    ("Pod", "spec"),
    ("PodTemplate", "template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// Where a pod names ConfigMaps.
const CONFIG_MAPS: [&str; 6] = [
    "volumes/configMap/name",
    "containers/env/valueFrom/configMapKeyRef/name",
    "initContainers/env/valueFrom/configMapKeyRef/name",
    "containers/envFrom/configMapRef/name",
    "initContainers/envFrom/configMapRef/name",
    "volumes/projected/sources/configMap/name",
];

/// Where a pod names Secrets.
const SECRETS: [&str; 7] = [
    "volumes/secret/secretName",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/projected/sources/secret/name",
];

/// Where other objects name one of both.
const OTHERS: [(&str, &str, &str); 12] = [
    ("ConfigMap", "Node", "spec/configSource/configMap"),
    ("ConfigMap", "Role", "rules/resourceNames"),
    ("ConfigMap", "ClusterRole", "rules/resourceNames"),
    ("Secret", "Role", "rules/resourceNames"),
    ("Secret", "ClusterRole", "rules/resourceNames"),
    ("Secret", "Ingress", "spec/tls/secretName"),
    ("Secret", "ServiceAccount", "imagePullSecrets/name"),
    ("Secret", "StorageClass", "parameters/secretName"),
    ("Secret", "StorageClass", "parameters/adminSecretName"),
    ("Secret", "StorageClass", "parameters/userSecretName"),
    ("Secret", "StorageClass", "parameters/secretRef"),
    ("Secret", "PersistentVolume", "spec/azureFile/secretName"),
];

/// Annotations of an Ingress that name one of both.
const ANNOTATIONS: [(&str, &str); 4] = [
    (
        "ConfigMap",
        "nginx.ingress.kubernetes.io/fastcgi-params-configmap",
    ),
    ("Secret", "ingress.kubernetes.io/auth-secret"),
    ("Secret", "nginx.ingress.kubernetes.io/auth-secret"),
    ("Secret", "nginx.ingress.kubernetes.io/auth-tls-secret"),
];

/// Lets an object name a generated one, of its own namespace, by its name with the hash.
///
/// Source: kustomize `api/internal/konfig/builtinpluginconsts/namereference.go`.
pub(super) fn refer(object: &mut Value, to: &ObjectRef, name: &str) {
    let Some(identity) = ObjectRef::of(object) else {
        return;
    };
    let namespace = |object: &ObjectRef| object.namespace.clone().unwrap_or_else(|| "default".to_owned());
    if namespace(&identity) != namespace(to)
        && !identity.kind.starts_with("Cluster")
        && identity.kind != "StorageClass"
    {
        return;
    }
    let mut paths: Vec<String> = Vec::new();
    let in_pods: &[&str] = match to.kind == "Secret" {
        true => &SECRETS,
        false => &CONFIG_MAPS,
    };
    for (_, pod) in PODS.iter().filter(|(kind, _)| *kind == identity.kind) {
        paths.extend(in_pods.iter().map(|path| format!("{pod}/{path}")));
    }
    let others = OTHERS
        .iter()
        .filter(|(kind, of, _)| *kind == to.kind && *of == identity.kind);
    paths.extend(others.map(|(_, _, path)| (*path).to_owned()));
    let mut set = |value: &mut Value| match value {
        Value::Array(names) => names
            .iter_mut()
            .filter(|value| **value == to.name)
            .for_each(|value| *value = json!(name)),
        value if *value == to.name => *value = json!(name),
        _ => {}
    };
    for path in &paths {
        Field {
            group: "",
            version: "",
            kind: "",
            path,
            create: false,
        }
        .visit(object, &mut set);
    }
    let annotations = object
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut);
    let Some(annotations) = annotations.filter(|_| identity.kind == "Ingress") else {
        return;
    };
    for (_, key) in ANNOTATIONS.iter().filter(|(kind, _)| *kind == to.kind) {
        if let Some(value) = annotations.get_mut(*key) {
            set(value);
        }
    }
}
