//! Canaries made by hand: releases that no release file names, read from the files alone.

use crate::model::{Application, Method, PinnedImage, Release, Version, Weight, Workload};
use crate::provider::{CANARY_LABEL, ProviderId, VERSION_LABEL};
use crate::schema::release::DEFAULT_STEPS;

/// The releases that the labels of an application's workloads speak of and no release file names.
///
/// A released workload is exposed and carries both labels; its copy is another workload with the same canary
/// label. Source: the GAP canary guide, first step.
pub fn unrecorded(application: &Application) -> Vec<Release> {
    let recorded = |key: &str| application.releases.iter().any(|release| release.workload == key);
    application
        .workloads
        .values()
        .filter(|workload| workload.is_exposed && !recorded(&workload.key))
        .filter_map(|workload| release(application, workload))
        .collect()
}

fn release(application: &Application, workload: &Workload) -> Option<Release> {
    let mark = workload.pod_labels.get(CANARY_LABEL)?;
    let version = workload.pod_labels.get(VERSION_LABEL)?;
    let copy_runs = match version.as_str() {
        label if label == Version::Stable.label() => Version::Canary,
        _ => Version::Stable,
    };
    let is_copy = |other: &&Workload| {
        other.key != workload.key && !other.is_exposed && other.pod_labels.get(CANARY_LABEL) == Some(mark)
    };
    let copy = application.workloads.values().find(is_copy);
    let image = copy.and_then(|copy| copy.image.clone());
    Some(Release {
        copy: copy.map_or_else(
            || Release::copy_name(&workload.key, copy_runs),
            |copy| copy.key.clone(),
        ),
        workload: workload.key.clone(),
        copy_runs,
        method: Method::Succession,
        provider: ProviderId::Istio,
        stable: image.map_or_else(PinnedImage::default, |image| PinnedImage {
            repository: image.repository,
            tag: image.tag,
        }),
        canary: PinnedImage::default(),
        from_tag: None,
        from_weight: None,
        from_replicas: indexmap::IndexMap::new(),
        steps: DEFAULT_STEPS
            .iter()
            .filter_map(|step| Weight::new((*step).into()))
            .collect(),
        environment_steps: indexmap::IndexMap::new(),
        origin: None,
    })
}
