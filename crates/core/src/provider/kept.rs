//! Objects that nothing prunes: what leaves the repository, and stays in the cluster.
//!
//! Sources: Argo CD, "Sync options" (`Prune=false`; options are joined by commas); Flux, "Kustomization", "Garbage collection"
//! (`prune: disabled`); Helm, "Tell Helm Not To Uninstall a Resource" (`resource-policy: keep`). All three read the object
//! in the cluster, so the annotation has to be there before the object leaves the repository. `kubectl apply` prunes nothing.

use serde_json::{Map, Value, json};

const ARGO_CD: &str = "argocd.argoproj.io/sync-options";
const ARGO_CD_KEEPS: &str = "Prune=false";
const FLUX: (&str, &str) = ("kustomize.toolkit.fluxcd.io/prune", "disabled");
const HELM: (&str, &str) = ("helm.sh/resource-policy", "keep");

/// Whether some tool leaves an object alone that is gone from the repository.
pub(crate) fn is_kept(object: &Value) -> bool {
    let Some(annotations) = annotations(object) else {
        return false;
    };
    let says = |(key, wanted): (&str, &str)| annotations.get(key).is_some_and(|value| value == wanted);
    options(annotations).any(|option| option == ARGO_CD_KEEPS) || says(FLUX) || says(HELM)
}

/// The object, kept by those who apply plain manifests.
pub(crate) fn kept(object: &Value) -> Value {
    let mut object = object.clone();
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return object;
    };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        let mut said: Vec<String> = options(annotations).map(str::to_owned).collect();
        if !said.iter().any(|option| option == ARGO_CD_KEEPS) {
            said.push(ARGO_CD_KEEPS.to_owned());
        }
        annotations.insert(ARGO_CD.to_owned(), json!(said.join(",")));
        annotations.insert(FLUX.0.to_owned(), json!(FLUX.1));
    }
    object
}

/// The object as it was before [`kept`].
pub(crate) fn released(object: &Value) -> Value {
    let mut object = object.clone();
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return object;
    };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else {
        return object;
    };
    let said: Vec<&str> = options(annotations)
        .filter(|option| *option != ARGO_CD_KEEPS)
        .collect();
    let said = said.join(",");
    match said.as_str() {
        "" => annotations.shift_remove(ARGO_CD),
        said => annotations.insert(ARGO_CD.to_owned(), json!(said)),
    };
    annotations.shift_remove(FLUX.0);
    if annotations.is_empty() {
        metadata.shift_remove("annotations");
    }
    object
}

fn annotations(object: &Value) -> Option<&Map<String, Value>> {
    object.pointer("/metadata/annotations")?.as_object()
}

fn options(annotations: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let said = annotations.get(ARGO_CD).and_then(Value::as_str);
    said.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_released_is_as_it_was() {
        for metadata in [
            json!({"name": "a"}),
            json!({"name": "a", "annotations": {"b": "c"}}),
            json!({"name": "a", "annotations": {ARGO_CD: "ServerSideApply=true"}}),
        ] {
            let object = json!({"kind": "Service", "metadata": metadata});
            let there = kept(&object);
            assert!(!is_kept(&object) && is_kept(&there), "{there}");
            assert_eq!(released(&there), object);
            assert_eq!(kept(&there), there);
        }
    }

    #[test]
    fn options_are_joined() {
        let object = json!({"metadata": {"annotations": {ARGO_CD: "ServerSideApply=true"}}});
        let said = kept(&object);
        let options = said["metadata"]["annotations"][ARGO_CD].as_str();
        assert_eq!(options, Some("ServerSideApply=true,Prune=false"));
    }
}
