//! A HelmRelease of Flux among plain manifests: a workload of which only the values are here.
//!
//! Sources: Flux v1 (`helm.fluxcd.io/v1`) and v2 (`helm.toolkit.fluxcd.io`): both name the release in `spec.releaseName`, else after the
//! object, and hold the chart's values in `spec.values`. What the chart makes of them is not in the repository.

use serde_json::{Value, json};

use super::super::draft::Draft;
use crate::diagnostic::Diagnostic;
use crate::manifest::Manifest;
use crate::model::{Environment, Image, Workload};

const GROUPS: [&str; 2] = ["helm.fluxcd.io", "helm.toolkit.fluxcd.io"];

/// Where most charts have the tag of their image.
const TAG: [&str; 4] = ["spec", "values", "image", "tag"];

/// The workload of a HelmRelease; `None` for another object, or where its values name no tag.
pub(super) fn workload(manifest: &Manifest) -> Option<Workload> {
    Some(Workload {
        key: name(manifest)?.to_owned(),
        image: Some(Image {
            repository: manifest.text("/spec/values/image/repository").map(str::to_owned),
            tag: Some(tag(manifest)?.to_owned()),
            origin: manifest.origin.below(&TAG),
        }),
        is_exposed: false,
        pod_labels: indexmap::IndexMap::new(),
        origin: manifest.origin.clone(),
    })
}

/// The HelmRelease that makes a workload, in an environment.
pub(crate) fn find<'e>(environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
    let mut objects = environment.base.iter();
    objects.find(|object| name(object) == Some(workload))
}

/// The tag that a HelmRelease gives its chart.
pub(crate) fn tag(manifest: &Manifest) -> Option<&str> {
    manifest.text("/spec/values/image/tag")
}

fn name(manifest: &Manifest) -> Option<&str> {
    let is_release = GROUPS
        .iter()
        .any(|group| manifest.object.is(group, "HelmRelease"));
    let named = manifest
        .text("/spec/releaseName")
        .unwrap_or(&manifest.object.name);
    is_release.then_some(named)
}

/// Writes a tag into the values.
pub(super) fn set_tag(draft: &mut Draft<'_>, manifest: &Manifest, wanted: &str) -> Result<(), Diagnostic> {
    if tag(manifest) == Some(wanted) {
        return Ok(());
    }
    let at = manifest.origin.below(&TAG);
    let edit = tidegate_yaml::Edit::Set {
        at: at.pointer().cloned().unwrap_or_default(),
        value: json!(wanted),
    };
    draft.edit(&at, &[edit])
}

/// Whether Flux itself moves the image to what its registry has. Source: Flux v1, "Automated deployment of new container images".
pub(crate) fn is_automated(manifest: &Manifest) -> bool {
    let annotations = manifest.value.pointer("/metadata/annotations");
    let says = |key: &str| {
        annotations
            .and_then(|annotations| annotations.get(key))
            .and_then(Value::as_str)
    };
    ["fluxcd.io/automated", "flux.weave.works/automated"]
        .iter()
        .any(|key| says(key) == Some("true"))
}
