//! Canaries made by hand: releases that no release file names, read from the files alone.

use indexmap::IndexMap;

use crate::model::{Application, Form, Method, Order, PinnedImage, Release, Version, Weight, Workload};
use crate::preview::Preview;
use crate::provider::{CANARY_LABEL, ProviderId, VERSION_LABEL};
use crate::schema::release::DEFAULT_STEPS;

/// The releases that an application's files speak of and no release file names.
pub fn unrecorded(application: &Application) -> Vec<Release> {
    let is_recorded = |key: &str| {
        let mut releases = application.releases.iter();
        releases.any(|release| release.workload == key || release.copy == key)
    };
    let free = application
        .workloads
        .values()
        .filter(|workload| workload.is_exposed && !is_recorded(&workload.key));
    let release = |workload| match application.layout.carries(Form::Subsets) {
        true => labelled(application, workload),
        false => side_by_side(application, workload).filter(|release| !is_recorded(&release.copy)),
    };
    free.filter_map(release).collect()
}

/// Two versions that are called alike, `reviews-v1` and `reviews-v2`, and share the requests in every environment.
fn side_by_side(application: &Application, workload: &Workload) -> Option<Release> {
    let copy = application
        .workloads
        .get(&Release::copy_name(&workload.key, Version::Canary))?;
    let (stable, canary) = (pinned(workload), pinned(copy));
    // Two of one version are no canary.
    if stable == canary || stable.tag.is_none() || canary.tag.is_none() {
        return None;
    }
    let fitting = ProviderId::ALL
        .iter()
        .copied()
        .filter(|id| application.layout.carries(id.form()));
    let release = |provider: ProviderId| {
        let mut release = by_hand(workload, copy.key.clone(), Version::Canary, provider);
        release.stable.clone_from(&stable);
        release.canary.clone_from(&canary);
        let system = provider.provider();
        release.from_replicas = system.own_replicas(application, &release);
        let shares = |name: &String| {
            let observed = system.observe(application, &release, name);
            observed.copy && observed.routes.range().is_some()
        };
        application.environments.keys().all(shares).then_some(release)
    };
    fitting.filter_map(release).next()
}

/// A released workload is exposed and carries both labels; its copy is another workload with the same canary
/// label. Source: the GAP canary guide, first step.
fn labelled(application: &Application, workload: &Workload) -> Option<Release> {
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
    let name = copy.map_or_else(
        || Release::copy_name(&workload.key, copy_runs),
        |copy| copy.key.clone(),
    );
    let mut release = by_hand(workload, name, copy_runs, ProviderId::Istio);
    release.stable = copy.map(pinned).unwrap_or_default();
    Some(release)
}

/// The image that a workload runs.
fn pinned(workload: &Workload) -> PinnedImage {
    match &workload.image {
        Some(image) => PinnedImage {
            repository: image.repository.clone(),
            tag: image.tag.clone(),
        },
        None => PinnedImage::default(),
    }
}

/// A release of which nothing is known but what its files show.
fn by_hand(workload: &Workload, copy: String, copy_runs: Version, provider: ProviderId) -> Release {
    Release {
        copy,
        workload: workload.key.clone(),
        copy_runs,
        method: Method::Succession,
        provider,
        stable: PinnedImage::default(),
        canary: PinnedImage::default(),
        from_tag: None,
        order: Order::Any,
        from_weight: None,
        from_replicas: IndexMap::new(),
        steps: DEFAULT_STEPS
            .iter()
            .filter_map(|step| Weight::new((*step).into()))
            .collect(),
        environment_steps: IndexMap::new(),
        preview: Preview::default(),
        environment_previews: IndexMap::new(),
        origin: None,
    }
}
