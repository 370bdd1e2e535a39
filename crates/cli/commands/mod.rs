//! One file per subcommand, named as the user types it, and what they share: which release is meant, how a
//! transition is written, how a command ends.

use std::process::ExitCode;
use std::sync::Arc;

use tidegate_core::checkout::Checkout;
use tidegate_core::diagnostic::{Code, Diagnostic, Failure, Location};
use tidegate_core::model::{Application, Delegation, Release};
use tidegate_core::repo::{ReadError, RepoPath};
use tidegate_core::transition::Transition;
use tidegate_yaml::Stream;

use crate::args::WriteArgs;
use crate::disk::WriteError;
use crate::git::GitError;
use crate::report;
use crate::report::diagnostic::Files;
use crate::workspace::Workspace;

pub(crate) mod abort;
pub(crate) mod check;
pub(crate) mod cmp;
pub(crate) mod completions;
mod deployed;
pub(crate) mod explain;
pub(crate) mod hotfix;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod next;
pub(crate) mod patch;
pub(crate) mod plan;
pub(crate) mod render;
mod revision;
pub(crate) mod rollback;
pub(crate) mod shift;
pub(crate) mod status;
mod write;

/// How a command ends: its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0: nothing to say or do, or done.
    Fine,
    /// 1: the input is unsafe or invalid, or files are out of date.
    Refused,
    /// 2: bad usage, a file that cannot be read or written, a mistake of ours.
    CouldNotRun,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Fine => 0,
            Outcome::Refused => 1,
            Outcome::CouldNotRun => 2,
        })
    }
}

/// Why a command stopped.
pub(crate) enum Stop {
    /// The user's files or their request: exit code 1.
    Refused(Vec<Diagnostic>),
    /// The machine: exit code 2.
    Failed(anyhow::Error),
}

impl Stop {
    /// Says why, and gives the outcome.
    pub(crate) fn report(&self, workspace: Option<&Workspace>) -> Outcome {
        match self {
            Self::Refused(diagnostics) => {
                show(workspace, diagnostics);
                Outcome::Refused
            }
            Self::Failed(error) => {
                report::failure(error);
                Outcome::CouldNotRun
            }
        }
    }
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Refused(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Stop {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Refused(diagnostics)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(diagnostics) => Self::Refused(diagnostics),
            Failure::Read(error) => Self::Failed(error.into()),
        }
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Failure::from(error).into()
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<GitError> for Stop {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Path(ref name) => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let named = Diagnostic::error(Code::OutsideRepository, error.to_string());
                let named = named.hint("give the file another name");
                match RepoPath::new(folder) {
                    Ok(folder) => named.at(Location::file(&folder)).into(),
                    Err(_) => named.into(),
                }
            }
            error => Self::Failed(error.into()),
        }
    }
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        match error.is_about_files() {
            true => Self::Refused(vec![Diagnostic::error(
                Code::OutsideRepository,
                error.to_string(),
            )]),
            false => Self::Failed(error.into()),
        }
    }
}

/// Prints diagnostics to standard error, with the lines they are about.
pub(crate) fn show(workspace: Option<&Workspace>, diagnostics: &[Diagnostic]) {
    let text_of = |path: &RepoPath| workspace?.repo().read(path).ok()?;
    show_from(&text_of, diagnostics);
}

/// Prints what was met while an application was loaded; its files are not parsed again.
pub(crate) fn show_notices(workspace: &Workspace, application: &Application) {
    show_from(
        &Loaded {
            workspace,
            application,
        },
        &application.notices,
    );
}

/// As [`show`], for files that need not be in a repository.
pub(crate) fn show_from(files: &dyn Files, diagnostics: &[Diagnostic]) {
    if diagnostics.is_empty() {
        return;
    }
    let color = report::Color::of(&std::io::stderr());
    report::message(&report::diagnostic::render(diagnostics, files, color));
}

/// The files of an application that is loaded.
struct Loaded<'a> {
    workspace: &'a Workspace,
    application: &'a Application,
}

impl Files for Loaded<'_> {
    fn text(&self, file: &RepoPath) -> Option<String> {
        self.workspace.repo().read(file).ok()?
    }

    fn parsed(&self, file: &RepoPath) -> Option<Arc<Stream>> {
        self.application.files.get(file).map(Arc::clone)
    }
}

/// An application and one of its releases.
pub(crate) struct Chosen<'a> {
    pub(crate) folder: RepoPath,
    pub(crate) checkout: Checkout<'a>,
    which: Which,
}

/// One of the two kinds of releases, by its number.
#[derive(Debug, Clone, Copy)]
enum Which {
    Release(usize),
    Delegation(usize),
}

/// A release that a command is about.
pub(crate) enum Subject<'a> {
    /// One whose routes tidegate writes.
    Release(&'a Release),
    /// One whose requests a controller moves.
    Delegation(&'a Delegation),
}

impl Chosen<'_> {
    pub(crate) fn subject(&self) -> Subject<'_> {
        let application = &self.checkout.application;
        match self.which {
            Which::Release(index) => Subject::Release(&application.releases[index]),
            Which::Delegation(index) => Subject::Delegation(&application.delegations[index]),
        }
    }

    /// The release, for a command that writes weights or pins.
    ///
    /// Errors: a controller moves its requests.
    pub(crate) fn release(&self, command: &str) -> Result<&Release, Diagnostic> {
        match self.subject() {
            Subject::Release(release) => Ok(release),
            Subject::Delegation(delegation) => {
                let (name, workload) = (delegation.controller.as_str(), &delegation.workload);
                let message =
                    format!("{name} moves the requests of `{workload}`, so there is nothing to {command}");
                let problem = Diagnostic::error(Code::Unsupported, message);
                let problem = problem.at(delegation.origin.below(&["provider"]));
                Err(problem
                    .hint("`tidegate rollback` gives it the old image back, and the controller the requests"))
            }
        }
    }

    /// Shows, compares, writes or commits a transition of this release.
    fn finish(
        &self,
        workspace: &Workspace,
        transition: &Transition,
        args: &WriteArgs,
        guard: write::Guard,
    ) -> Result<Outcome, Stop> {
        write::finish(workspace, &self.checkout.application, transition, args, guard)
    }
}

/// The release that a command means; `None` where there is none at all.
///
/// Errors: several fit.
pub(crate) fn choose<'a>(
    workspace: &'a Workspace,
    workload: Option<&str>,
    command: &str,
) -> Result<Option<Chosen<'a>>, Stop> {
    let mut found = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for folder in workspace.application_folders()? {
        let checkout = workspace.load(&folder)?;
        let application = &checkout.application;
        let releases = (0..application.releases.len()).map(Which::Release);
        let delegations = (0..application.delegations.len()).map(Which::Delegation);
        let name = |which: &Which| match which {
            Which::Release(index) => &application.releases[*index].workload,
            Which::Delegation(index) => &application.delegations[*index].workload,
        };
        let fits = |which: &Which| workload.is_none_or(|workload| name(which) == workload);
        let fitting: Vec<Which> = releases.chain(delegations).filter(fits).collect();
        known.extend(application.workloads.keys().cloned());
        match fitting.as_slice() {
            [] => {}
            [which] => found.push(Chosen {
                which: *which,
                folder,
                checkout,
            }),
            [..] => {
                let names: Vec<String> = fitting.iter().map(name).cloned().collect();
                let message = format!(
                    "{} has several releases: {}",
                    checkout.application.name,
                    names.join(", ")
                );
                let several = Diagnostic::error(Code::AmbiguousRelease, message);
                let hint = format!("{command} --workload {}", names[0]);
                return Err(several
                    .hint(format!("name one: {}", workspace.command_in(&folder, &hint)))
                    .into());
            }
        }
    }
    if found.len() > 1 {
        let names: Vec<&str> = found
            .iter()
            .map(|chosen| chosen.checkout.application.name.as_str())
            .collect();
        let message = format!("several applications here have a release: {}", names.join(", "));
        let several = Diagnostic::error(Code::AmbiguousRelease, message);
        return Err(several
            .hint(format!(
                "go to one: {}",
                workspace.command_in(&found[0].folder, command)
            ))
            .into());
    }
    let unknown = workload.filter(|workload| !known.iter().any(|known| known == workload));
    if let (true, Some(workload)) = (found.is_empty(), unknown) {
        let missing = Diagnostic::error(Code::UnknownName, format!("there is no workload `{workload}`"));
        let known = known.iter().map(String::as_str).collect::<Vec<_>>();
        return Err(tidegate_core::schema::release::known_names(missing, workload, known.into_iter()).into());
    }
    Ok(found.pop())
}

/// What a controller gets is for every environment.
pub(crate) fn all_at_once(environment: Option<&str>) -> Result<(), Diagnostic> {
    match environment {
        None => Ok(()),
        Some(_) => {
            let message = "a release that is left to a controller moves in all environments at once";
            Err(Diagnostic::error(Code::NotInThisPhase, message).hint("run the command without --env"))
        }
    }
}

/// A release that is asked for by name of a weight or an image must be there.
pub(crate) fn missing_release() -> Stop {
    let missing = Diagnostic::error(Code::NoRelease, "no release here");
    missing
        .hint("go to the application whose canary is meant: `tidegate status` lists them")
        .hint("start one with `tidegate init`")
        .into()
}

/// Says that there is no release to work on; that is no failure.
pub(crate) fn no_release() -> Outcome {
    report::message("no release here: nothing to do. Start one with `tidegate init`.\n");
    Outcome::Fine
}
