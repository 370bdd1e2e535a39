//! The image a workload runs: its own, key by key, else the application's.

use crate::model::Image;
use crate::schema::gap::{GapSpec, PodSpec};

/// Folder of all images in the registry. Source: the GAP documentation, page on images (a convention).
const FOLDER: &str = "sap-ems-base-infra-package-p/gap-images";

/// Repository, without the registry's host, and tag.
pub(super) fn effective(spec: &GapSpec, pod: &PodSpec) -> (String, Option<String>) {
    let images = || [&pod.image, &spec.image].into_iter().flatten();
    let repository = images().find_map(|image| image.repository.clone());
    let tag = images().find_map(|image| image.tag.clone());
    (
        repository.unwrap_or_else(|| format!("{FOLDER}/{}", spec.name)),
        tag,
    )
}

/// The same for the model, with the place of the tag; `None` where the spec says nothing about images.
pub(super) fn modelled(spec: &GapSpec, pod: &PodSpec) -> Option<Image> {
    let images = || [&pod.image, &spec.image].into_iter().flatten();
    let tagged = images().find(|image| image.tag.is_some());
    Some(Image {
        repository: images().find_map(|image| image.repository.clone()),
        tag: tagged.and_then(|image| image.tag.clone()),
        origin: tagged.or_else(|| images().next())?.origin.clone(),
    })
}
