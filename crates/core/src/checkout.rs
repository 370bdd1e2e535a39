//! An application as it lies in a repository, with its releases.

use crate::adopt;
use crate::change::ChangeSet;
use crate::diagnostic::{Diagnostic, Failure};
use crate::layout;
use crate::model::Application;
use crate::repo::{Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::release::{check_delegation, check_names, delegations};

/// An application together with the repository it was read from.
pub struct Checkout<'a> {
    pub(crate) repo: &'a dyn Repo,
    pub(crate) config: &'a Config,
    /// The application; its releases include those made by hand.
    pub application: Application,
}

impl<'a> Checkout<'a> {
    /// Reads the application in a folder.
    ///
    /// Errors: everything wrong with its files.
    pub fn load(repo: &'a dyn Repo, at: &RepoPath, config: &'a Config) -> Result<Self, Failure> {
        let mut application = layout::load(repo, at, config)?;
        if let Some(stream) = application.files.get(&application.release_file) {
            application.delegations = delegations(&application.release_file, stream)?;
        }
        let workloads: Vec<&str> = application.workloads.keys().map(String::as_str).collect();
        let environments: Vec<&str> = application.environments.keys().map(String::as_str).collect();
        let wrong_names = |release| check_names(release, &workloads, &environments);
        let mut problems: Vec<Diagnostic> = application.releases.iter().flat_map(wrong_names).collect();
        let delegations = application.delegations.iter();
        problems.extend(delegations.flat_map(|found| check_delegation(found, &workloads, &environments)));
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let unrecorded = adopt::unrecorded(&application);
        application.releases.extend(unrecorded);
        Ok(Self {
            repo,
            config,
            application,
        })
    }

    /// An application that was read from this repository with this configuration.
    pub fn from_application(repo: &'a dyn Repo, config: &'a Config, application: Application) -> Self {
        Self {
            repo,
            config,
            application,
        }
    }

    /// The application as it is once a change set is written.
    pub(crate) fn after(&self, change: &ChangeSet) -> Result<Application, Failure> {
        let overlay = change.overlay(self.repo);
        Ok(Checkout::load(&overlay, &self.application.at, self.config)?.application)
    }
}
