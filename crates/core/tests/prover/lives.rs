//! The lives of the fixtures: every resting point as rendered manifests, by the name of the phase.

use std::collections::BTreeMap;
use std::path::Path;

use tidegate_core::checkout::Checkout;
use tidegate_core::layout;
use tidegate_core::manifest::ManifestSet;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::start::{StartRequest, start};
use tidegate_core::transition::{NextRequest, Purpose, next};

use crate::fixtures::directory;

/// A resting point: its name and the manifests of each environment.
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) environments: BTreeMap<String, ManifestSet>,
}

/// The resting points of a release of a fixture, from before `init` to a tidy repository.
pub(crate) fn life(fixtures: &Path, fixture: &str, at: &str, workload: &str) -> Vec<Point> {
    let folder = fixtures.join(fixture).join("repo");
    let mut repo = directory(&folder);
    let config = Config::load(&repo, &RepoPath::root()).unwrap_or_else(|failure| panic!("{failure:?}"));
    let at = RepoPath::new(at).expect("a path");
    let mut points = vec![point(&repo, &at, &config, "idle")];
    let request = StartRequest {
        workload: Some(workload.to_owned()),
        steps: Some(vec![10, 50, 100]),
        ..StartRequest::default()
    };
    let change = {
        let checkout = Checkout::load(&repo, &at, &config).unwrap_or_else(|failure| panic!("{failure:?}"));
        start(&checkout, &request)
            .unwrap_or_else(|failure| panic!("{failure:?}"))
            .transition
            .expect("a release file")
            .change
    };
    change
        .iter()
        .for_each(|change| repo.set(change.path.clone(), change.after.clone()));
    loop {
        let transition = {
            let checkout =
                Checkout::load(&repo, &at, &config).unwrap_or_else(|failure| panic!("{failure:?}"));
            let mut releases = checkout.application.releases.iter();
            let Some(release) = releases.find(|release| release.workload == workload) else {
                break;
            };
            next(&checkout, release, &NextRequest::default()).unwrap_or_else(|failure| panic!("{failure:?}"))
        };
        let Some(transition) = transition else { break };
        transition
            .change
            .iter()
            .for_each(|change| repo.set(change.path.clone(), change.after.clone()));
        let Purpose::Enter(phase) = transition.purpose else {
            panic!("{transition:?}")
        };
        points.push(point(&repo, &at, &config, phase.as_str()));
    }
    points
}

fn point(repo: &MemoryRepo, at: &RepoPath, config: &Config, name: &str) -> Point {
    let application = layout::load(repo, at, config).unwrap_or_else(|failure| panic!("{failure:?}"));
    let environments = application.environments.into_iter();
    Point {
        name: name.to_owned(),
        environments: environments
            .map(|(name, environment)| (name, environment.rendered))
            .collect(),
    }
}
