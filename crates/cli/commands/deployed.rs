//! What environments run, where the user says that they lag behind: a transition must be safe from there too.

use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::transition::{self, Deployed, Transition};
use tidegate_yaml::Limits;

use super::revision::{environment_at, folders_of, no_git};
use super::{Chosen, Stop, show};
use crate::args::{DeployedArgs, DeployedAt};
use crate::git::Git;
use crate::report;
use crate::workspace::Workspace;

/// Refuses a transition that one sync from what environments run cannot safely get to.
///
/// Errors: no such environment or revision, one that does not hold the application, a state that is not safe.
pub(super) fn check(
    workspace: &Workspace,
    chosen: &Chosen<'_>,
    args: &DeployedArgs,
    transition: &Transition,
) -> Result<(), Stop> {
    let lagging: Result<Vec<_>, _> = args
        .deployed
        .iter()
        .map(|at| Lagging::find(workspace, chosen, at))
        .collect();
    for environment in lagging? {
        environment.check(workspace, chosen, transition)?;
    }
    Ok(())
}

/// An environment that runs another revision than the one that is here.
struct Lagging<'a> {
    git: &'a Git,
    limits: &'a Limits,
    /// The commit it runs.
    commit: String,
    deployed: Deployed,
}

impl<'a> Lagging<'a> {
    fn find(workspace: &'a Workspace, chosen: &Chosen<'_>, at: &DeployedAt) -> Result<Self, Stop> {
        let DeployedAt {
            environment: name,
            revision,
        } = at;
        transition::check_environment(&chosen.checkout.application, name)?;
        let git = workspace.git().ok_or_else(no_git)?;
        let commit = git.commit_of(revision)?;
        let refused = |code: Code, message: String| {
            Diagnostic::error(code, message).hint(format!(
                "name the revision that {name} runs: --deployed {name}=REV"
            ))
        };
        let environment = match environment_at(
            git,
            &commit,
            chosen.checkout.application.layout,
            &chosen.folder,
            name,
            workspace.limits(),
        ) {
            Ok(Some(environment)) => environment,
            Ok(None) => {
                let message = format!("`{revision}` has no {name} of this application");
                return Err(refused(Code::NoApplication, message).into());
            }
            Err(Stop::Refused(problems)) => {
                let why = problems.first().map_or("", |problem| problem.message.as_str());
                let message =
                    format!("`{revision}` cannot be read, so the way from there is not judged: {why}");
                return Err(refused(Code::BrokenBefore, message).into());
            }
            Err(stop) => return Err(stop),
        };
        Ok(Self {
            git,
            limits: workspace.limits(),
            commit,
            deployed: Deployed {
                revision: revision.clone(),
                environment,
            },
        })
    }

    /// Shows why the transition is safe from there.
    fn check(&self, workspace: &Workspace, chosen: &Chosen<'_>, transition: &Transition) -> Result<(), Stop> {
        let stops = self.stops(chosen)?;
        let leap = transition::leap(&chosen.checkout, transition, &self.deployed, stops)?;
        show(Some(workspace), &leap.notices);
        report::message(&report::transition::leap(&self.deployed, &leap));
        Ok(())
    }

    /// The revisions between what the environment runs and what is here, the latest first, each read when it is
    /// asked for; those that cannot be read are no place to stop at.
    fn stops(&self, chosen: &Chosen<'_>) -> Result<impl Iterator<Item = Deployed>, Stop> {
        let folder = chosen.folder.clone();
        let name = self.deployed.environment.name.clone();
        let layout = chosen.checkout.application.layout;
        let commits = self
            .git
            .commits_since(&self.commit, &folders_of(layout, &folder))?;
        Ok(commits.into_iter().filter_map(move |commit| {
            let at = environment_at(self.git, &commit, layout, &folder, &name, self.limits);
            let environment = at.ok()??;
            let revision = commit.get(..12).unwrap_or(&commit).to_owned();
            Some(Deployed {
                revision,
                environment,
            })
        }))
    }
}
