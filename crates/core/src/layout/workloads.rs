//! The workloads of an application that is written as Kubernetes objects, and their images.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::manifest::Manifest;
use crate::model::{Environment, Image, Workload};
use crate::repo::RepoPath;

/// Where the image of a workload stands.
pub(super) const IMAGE: [&str; 6] = ["spec", "template", "spec", "containers", "0", "image"];

/// The Deployments, each with the Services that select its pods and the autoscaler that scales it.
pub(super) fn parts(base: &[Manifest]) -> IndexMap<String, Vec<usize>> {
    let mut parts = IndexMap::new();
    for (index, deployment) in base.iter().enumerate() {
        if !deployment.object.is("apps", "Deployment") {
            continue;
        }
        let is_part = |other: &Manifest| {
            other.object.namespace == deployment.object.namespace
                && (selects(other, deployment) || scales(other, deployment))
        };
        let mut own: Vec<usize> = (0..base.len()).filter(|other| is_part(&base[*other])).collect();
        // Of several Services the one that is called like the workload comes first.
        own.sort_by_key(|other| base[*other].object.name != deployment.object.name);
        own.insert(0, index);
        parts.insert(deployment.object.name.clone(), own);
    }
    parts
}

/// Whether a Service selects the pods of a Deployment.
fn selects(service: &Manifest, deployment: &Manifest) -> bool {
    let selector = service.value.pointer("/spec/selector").and_then(Value::as_object);
    let pods = deployment.pod_labels();
    let says = |pods: &Map<String, Value>, (key, value)| pods.get(key) == Some(value);
    service.object.is("", "Service")
        && matches!((selector, pods), (Some(selector), Some(pods))
            if !selector.is_empty() && selector.iter().all(|label| says(pods, label)))
}

fn scales(scaler: &Manifest, deployment: &Manifest) -> bool {
    scaler.object.is("autoscaling", "HorizontalPodAutoscaler")
        && scaler.text("/spec/scaleTargetRef/kind") == Some("Deployment")
        && scaler.text("/spec/scaleTargetRef/name") == Some(&deployment.object.name)
}

/// The workloads of all environments, as the first that has them says.
pub(super) fn workloads(environments: &IndexMap<String, Environment>) -> IndexMap<String, Workload> {
    let mut workloads = IndexMap::new();
    for environment in environments.values() {
        for (key, parts) in &environment.parts {
            let deployment = &environment.base[parts[0]];
            let has_service = parts
                .iter()
                .any(|part| environment.base[*part].object.is("", "Service"));
            let labels = deployment.pod_labels().into_iter().flatten();
            let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            let workload = Workload {
                key: key.clone(),
                image: image(deployment),
                is_exposed: has_service,
                pod_labels: labels.collect(),
                origin: deployment.origin.clone(),
            };
            workloads.entry(key.clone()).or_insert(workload);
        }
    }
    workloads
}

/// The image of the first container. Source: Kubernetes, "Images": `[host/]repository[:tag][@digest]`.
pub(super) fn image(deployment: &Manifest) -> Option<Image> {
    let text = deployment.text("/spec/template/spec/containers/0/image")?;
    let (repository, tag) = split_image(text);
    Some(Image {
        repository: Some(repository.to_owned()),
        tag: tag.map(str::to_owned),
        origin: deployment.origin.below(&IMAGE),
    })
}

/// The name of the folder; at the root, of the first workload.
pub(super) fn name(at: &RepoPath, workloads: &IndexMap<String, Workload>) -> String {
    match at.file_name() {
        "" => workloads
            .keys()
            .next()
            .cloned()
            .unwrap_or_else(|| "application".to_owned()),
        name => name.to_owned(),
    }
}

/// The namespace of the first object that has one.
pub(super) fn namespace(environments: &IndexMap<String, Environment>) -> String {
    let objects = environments.values().flat_map(|environment| &environment.base);
    let mut namespaces = objects.filter_map(|manifest| manifest.object.namespace.clone());
    namespaces.next().unwrap_or_else(|| "default".to_owned())
}

/// An image with another tag, or digest.
pub(super) fn with_tag(image: &str, tag: &str) -> String {
    let (repository, _) = split_image(image);
    let separator = if tag.starts_with("sha256:") { '@' } else { ':' };
    format!("{repository}{separator}{tag}")
}

/// Repository, and tag or digest; of both, the digest is what runs. Source: Kubernetes, "Images"; a `:` before a `/`
/// is a port.
pub(crate) fn split_image(image: &str) -> (&str, Option<&str>) {
    if let Some((tagged, digest)) = image.rsplit_once('@') {
        return (split_image(tagged).0, Some(digest));
    }
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (image, None),
    }
}
