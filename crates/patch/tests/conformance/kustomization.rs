//! Just enough of a kustomization to run the vectors: resources, bases and patches, from texts in memory.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::Value;
use tidegate_patch::target::{LabelSelector, Pattern, Selector};
use tidegate_patch::{ObjectSet, Patch, PatchBody, Unmatched};

type Files = BTreeMap<String, String>;

/// Fields that this understands.
const FIELDS: [&str; 6] = [
    "apiVersion",
    "kind",
    "resources",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
];

/// A kustomization that cannot be built here.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It needs generators or transformers, which are no patches.
    OtherFeature(String),
    /// It is refused, as `kustomize build` would.
    Refused(String),
}

/// Builds the kustomization of a folder.
pub(crate) fn build(files: &Files, folder: &str) -> Result<ObjectSet, Failure> {
    let kustomization = documents(file(files, folder, "kustomization.yaml")?)?.remove(0);
    if let Some(other) = keys(&kustomization).find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(Failure::OtherFeature(other.clone()));
    }
    let mut set = ObjectSet::new(Vec::new()).map_err(refused)?;
    for resource in list(&kustomization["resources"]) {
        let resource = resource.as_str().unwrap_or_default();
        let folder_of_resource = join(folder, resource);
        let is_folder = files.contains_key(&join(&folder_of_resource, "kustomization.yaml"));
        let resources = match is_folder {
            true => build(files, &folder_of_resource)?,
            false => ObjectSet::new(documents(file(files, folder, resource)?)?).map_err(refused)?,
        };
        set.append(resources).map_err(refused)?;
    }
    for patch in patches(files, folder, &kustomization)? {
        set.apply(&patch).map_err(refused)?;
    }
    Ok(set)
}

/// Reads YAML documents, leaving out the empty ones.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, Failure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        // By way of a YAML value, since only that refuses a key that is there twice.
        let mut document = serde_yaml::Value::deserialize(document).map_err(refused)?;
        document.apply_merge().map_err(refused)?;
        let document = serde_json::to_value(document).map_err(refused)?;
        documents.extend(Some(document).filter(|document| !document.is_null()));
    }
    Ok(documents)
}

fn patches(files: &Files, folder: &str, kustomization: &Value) -> Result<Vec<Patch>, Failure> {
    let mut patches = Vec::new();
    for entry in list(&kustomization["patchesStrategicMerge"]) {
        let entry = entry.as_str().unwrap_or_default();
        let text = file(files, folder, entry).unwrap_or(entry);
        patches.extend(
            documents(text)?
                .into_iter()
                .map(|body| Patch::new(PatchBody::Strategic(body))),
        );
    }
    for field in ["patches", "patchesJson6902"] {
        for entry in list(&kustomization[field]) {
            let text = match entry["path"].as_str() {
                Some(path) => file(files, folder, path)?,
                None => entry["patch"].as_str().unwrap_or_default(),
            };
            for body in documents(text)? {
                patches.push(patch(entry, body)?);
            }
        }
    }
    Ok(patches)
}

fn patch(entry: &Value, body: Value) -> Result<Patch, Failure> {
    let target = match &entry["target"] {
        Value::Null => None,
        target => Some(selector(target).map_err(refused)?),
    };
    let option = |name: &str| entry["options"][name] == true;
    Ok(Patch {
        target,
        unmatched: Unmatched::Accept,
        allow_name_change: option("allowNameChange"),
        allow_kind_change: option("allowKindChange"),
        ..Patch::new(PatchBody::of(body))
    })
}

fn selector(target: &Value) -> Result<Selector, tidegate_patch::target::SelectorError> {
    let pattern = |name: &str| Pattern::of_field(target[name].as_str().unwrap_or_default());
    let labels = |name: &str| target[name].as_str().map(LabelSelector::new).transpose();
    Ok(Selector {
        group: pattern("group")?,
        version: pattern("version")?,
        kind: pattern("kind")?,
        name: pattern("name")?,
        namespace: pattern("namespace")?,
        label_selector: labels("labelSelector")?,
        annotation_selector: labels("annotationSelector")?,
    })
}

fn file<'f>(files: &'f Files, folder: &str, name: &str) -> Result<&'f str, Failure> {
    let path = join(folder, name);
    files
        .get(&path)
        .map(String::as_str)
        .ok_or_else(|| Failure::Refused(format!("no file {path}")))
}

fn join(folder: &str, name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn keys(value: &Value) -> impl Iterator<Item = &String> {
    value.as_object().into_iter().flat_map(serde_json::Map::keys)
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Refused(error.to_string())
}
