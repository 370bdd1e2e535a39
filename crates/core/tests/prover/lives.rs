//! The lives of the fixtures: every resting point as rendered manifests, by the name of the phase.

use std::collections::BTreeMap;
use std::path::Path;

use tidegate_core::layout;
use tidegate_core::manifest::ManifestSet;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;

use crate::phases::phases;

/// A resting point: its name and the manifests of each environment.
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) environments: BTreeMap<String, ManifestSet>,
}

/// The resting points of a release of a fixture, from before `init` to a tidy repository.
pub(crate) fn life(fixtures: &Path, fixture: &str, at: &str, workload: &str) -> Vec<Point> {
    let phases = phases(fixtures, (fixture, at, workload), None).into_iter();
    let at = RepoPath::new(at).expect("a path");
    phases.map(|(name, repo)| point(&repo, &at, name)).collect()
}

/// A resting point of the application in a folder.
pub(crate) fn point(repo: &MemoryRepo, at: &RepoPath, name: String) -> Point {
    let config = Config::load(repo, &RepoPath::root()).unwrap_or_else(|failure| panic!("{failure:?}"));
    let application = layout::load(repo, at, &config).unwrap_or_else(|failure| panic!("{failure:?}"));
    let environments = application.environments.into_iter();
    Point {
        name,
        environments: environments
            .map(|(name, environment)| (name, environment.rendered))
            .collect(),
    }
}
