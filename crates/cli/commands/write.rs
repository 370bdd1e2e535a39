//! How a transition leaves the program: shown, compared, written or committed.

use std::io::IsTerminal;

use tidegate_core::change::ChangeSet;
use tidegate_core::diagnostic::{Code, Diagnostic, Location};
use tidegate_core::layout::LayoutId;
use tidegate_core::model::Application;
use tidegate_core::repo::RepoPath;
use tidegate_core::transition::Transition;

use super::{Outcome, Stop, show};
use crate::args::{WriteArgs, WriteMode};
use crate::report::{self, transition};
use crate::watch;
use crate::workspace::Workspace;
use crate::{disk, report::diff};

/// Which uncommitted files stop a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// Those it would overwrite.
    Overwritten,
    /// Those, and every file that may belong to the transition before: two of them never melt into one commit.
    LastTransition,
}

/// Shows, compares, writes or commits a transition.
pub(super) fn finish(
    workspace: &Workspace,
    application: &Application,
    transition: &Transition,
    args: &WriteArgs,
    guard: Guard,
) -> Result<Outcome, Stop> {
    show(Some(workspace), &transition.notices);
    let change = &transition.change;
    match args.mode() {
        WriteMode::Diff => {
            report::product(&shown(change))?;
            return Ok(Outcome::Fine);
        }
        WriteMode::Check => {
            report::message(&transition::out_of_date(&application.name, transition));
            return Ok(if change.is_empty() {
                Outcome::Fine
            } else {
                Outcome::Refused
            });
        }
        WriteMode::Write | WriteMode::Commit => {}
    }
    if args.mode() == WriteMode::Commit && workspace.git().is_none() {
        let problem = Diagnostic::error(
            Code::Uncommitted,
            "this is no git repository, so there is nothing to commit to",
        );
        return Err(problem.hint("run it without --commit").into());
    }
    if !args.allow_dirty {
        refuse_uncommitted(workspace, application, change, guard)?;
    }
    watch::stand_down();
    let written = disk::write(workspace.root(), workspace.git_dir(), change)?;
    for notice in &written.notices {
        report::message(&format!("{notice}\n"));
    }
    report::product(&shown(change))?;
    report::sentences(&transition::summary(&application.name, transition));
    if let (WriteMode::Commit, Some(git)) = (args.mode(), workspace.git()) {
        let paths: Vec<RepoPath> = change.iter().map(|change| change.path.clone()).collect();
        let id = git.commit(&paths, &transition::commit_message(&application.name, transition))?;
        report::message(&format!("committed {}\n", id.get(..12).unwrap_or(&id)));
    }
    Ok(Outcome::Fine)
}

/// The diff: for a person on a terminal, byte for byte what `git apply` takes everywhere else.
fn shown(change: &ChangeSet) -> String {
    match std::io::stdout().is_terminal() {
        true => diff::render(change, report::Color::of(&std::io::stdout())),
        false => diff::patch(change),
    }
}

fn refuse_uncommitted(
    workspace: &Workspace,
    application: &Application,
    change: &ChangeSet,
    guard: Guard,
) -> Result<(), Stop> {
    let Some(git) = workspace.git() else { return Ok(()) };
    let mut paths: Vec<RepoPath> = change
        .iter()
        .filter(|change| change.before.is_some())
        .map(|change| change.path.clone())
        .collect();
    if guard == Guard::LastTransition {
        match application.layout {
            LayoutId::Gap => paths.push(application.layout.folder(&application.at)),
            // The folder may be the whole repository, with much that is nobody's business here.
            LayoutId::Kustomize | LayoutId::Manifests => paths.extend(application.files.keys().cloned()),
        }
    }
    if paths.is_empty() {
        return Ok(());
    }
    let is_new = |path: &RepoPath| {
        change
            .iter()
            .any(|change| change.path == *path && change.before.is_none())
    };
    let uncommitted = git.uncommitted(&paths)?.into_iter();
    let uncommitted: Vec<RepoPath> = uncommitted.filter(|path| !is_new(path)).collect();
    if uncommitted.is_empty() {
        return Ok(());
    }
    let message = match guard {
        Guard::LastTransition => {
            "files of the application are not committed, so two transitions would melt into one commit"
        }
        Guard::Overwritten => "files that would be overwritten have uncommitted changes",
    };
    let problem =
        uncommitted.iter().fold(
            Diagnostic::error(Code::Uncommitted, message),
            |problem, path| match problem.location {
                None => problem.at(Location::file(path)),
                Some(_) => problem.related(Location::file(path), "not committed either"),
            },
        );
    Err(problem
        .hint("commit them first (`--commit` does it next time), or go on with --allow-dirty")
        .into())
}
