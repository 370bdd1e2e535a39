//! An application as a revision of git has it.

use tidegate_core::layout::gap;
use tidegate_core::model::Environment;
use tidegate_core::repo::{Repo, RepoPath};
use tidegate_core::schema::config::Config;

use super::Stop;
use crate::git::Git;

/// Where everything lies that an application is read from.
pub(super) fn folders_of(folder: &RepoPath) -> [RepoPath; 2] {
    [folder.join("gap"), RepoPath::root().join(".tidegate")]
}

/// There is nothing that a revision could be looked up in.
pub(super) fn no_git() -> anyhow::Error {
    anyhow::anyhow!("this is no git repository, so there is no revision to compare with")
}

/// One environment of an application as a commit has it; `None` where the commit does not have the application.
pub(super) fn environment_at(
    git: &Git,
    commit: &str,
    folder: &RepoPath,
    environment: &str,
) -> Result<Option<Environment>, Stop> {
    let snapshot = git.at(commit, &folders_of(folder))?;
    if snapshot.read(&folder.join("gap/gap.yaml"))?.is_none() {
        return Ok(None);
    }
    let config = Config::load(&snapshot, &RepoPath::root())?;
    let mut application = gap::load_environment(&snapshot, folder, &config, environment)?;
    Ok(application.environments.shift_remove(environment))
}
