//! An application as a revision of git has it.

use tidegate_core::diagnostic::Failure;
use tidegate_core::layout::{self, LayoutId};
use tidegate_core::model::Environment;
use tidegate_core::repo::{Repo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_yaml::Limits;

use super::Stop;
use crate::git::Git;

/// Where everything lies that an application is read from.
pub(super) fn folders_of(layout: LayoutId, folder: &RepoPath) -> [RepoPath; 2] {
    [layout.folder(folder), RepoPath::root().join(".tidegate")]
}

/// Whether a folder holds an application.
pub(super) fn is_there(repo: &dyn Repo, folder: &RepoPath, limits: &Limits) -> Result<bool, Failure> {
    if repo.read(&LayoutId::Gap.main_file(folder))?.is_some() {
        return Ok(true);
    }
    let config = Config::load_within(repo, &RepoPath::root(), limits)?;
    Ok(LayoutId::of(repo, folder, &config)?.is_some())
}

/// There is nothing that a revision could be looked up in.
pub(super) fn no_git() -> anyhow::Error {
    anyhow::anyhow!("this is no git repository, so there is no revision to compare with")
}

/// One environment of an application as a commit has it; `None` where the commit does not have the application.
pub(super) fn environment_at(
    git: &Git,
    commit: &str,
    layout: LayoutId,
    folder: &RepoPath,
    environment: &str,
    limits: &Limits,
) -> Result<Option<Environment>, Stop> {
    let snapshot = git.at(commit, &folders_of(layout, folder))?;
    if !is_there(&snapshot, folder, limits)? {
        return Ok(None);
    }
    let config = Config::load_within(&snapshot, &RepoPath::root(), limits)?;
    let mut application = layout::load_environment(&snapshot, folder, &config, environment)?;
    Ok(application.environments.shift_remove(environment))
}
