//! How a repository holds an application: where things are read from and written to.
//!
//! A layout reads a folder as an [`Application`] and says what its files become for a release. Nothing is written here.

use serde_json::Value;

use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Failure, Location};
use crate::model::{Application, FlagName, Form, Release};
use crate::provider::Intent;
use crate::repo::{ReadError, Repo, RepoPath};
use crate::schema::config::Config;

mod companions;
mod documents;
mod draft;
mod flags;
mod gap;
mod kustomize;
mod manifests;
mod reading;
mod releases;
mod workloads;

pub use companions::accidental_services;
use draft::Draft;
pub use gap::template_overrides;
pub(crate) use manifests::helm_release;
pub(crate) use workloads::split_image;

/// A change of the user's files for a release that is left to a controller.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    /// An object says this.
    Say {
        /// Where it is.
        at: Location,
        /// The whole object.
        value: Value,
    },
    /// An object is added beside another, in a file of this name.
    Add {
        /// The other.
        beside: Location,
        /// The file's name.
        file: String,
        /// Comments at its beginning, where it is new.
        header: String,
        /// The whole object.
        value: Value,
    },
    /// An object goes.
    Remove {
        /// Where it is.
        at: Location,
    },
    /// An object waits as a comment where it is.
    Park {
        /// Where it is.
        at: Location,
        /// The workload that it belongs to.
        workload: String,
    },
    /// An object that waits is there again.
    Unpark(Parked),
    /// An object that waits goes.
    Forget(Parked),
    /// A workload runs this tag of its image.
    Tag {
        /// The workload.
        workload: String,
        /// The tag or digest.
        tag: String,
    },
}

/// An object that waits in the files as a comment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parked {
    /// The file.
    pub(crate) file: RepoPath,
    /// The workload that it belongs to.
    pub(crate) workload: String,
    /// The environments that the file is of.
    pub(crate) environments: Vec<String>,
    /// The object.
    pub(crate) value: Value,
}

/// The environment of a folder that holds no folder of an environment: all of them.
pub const ALL: &str = "all";

/// A way to hold an application that tidegate knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayoutId {
    /// A spec in `gap/gap.yaml`, extra resources and patches beside it.
    Gap,
    /// A `kustomization.yaml`, with an overlay for each environment.
    Kustomize,
    /// Plain Kubernetes YAML, one folder per environment or one for all.
    Manifests,
}

impl LayoutId {
    /// Every layout, in the order in which they are looked for.
    pub const ALL: &'static [Self] = &[Self::Gap, Self::Kustomize, Self::Manifests];

    /// The name a user sees.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Kustomize => "kustomize",
            Self::Manifests => "manifests",
        }
    }

    fn layout(self) -> &'static dyn Layout {
        match self {
            Self::Gap => &gap::Gap,
            Self::Kustomize => &kustomize::Kustomize,
            Self::Manifests => &manifests::Manifests,
        }
    }

    /// The layout of the application in a folder; `None` where there is none.
    pub fn of(repo: &dyn Repo, at: &RepoPath, config: &Config) -> Result<Option<Self>, ReadError> {
        for id in Self::ALL {
            if id.layout().is_at(repo, at, config)? {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    }

    /// Whether it can hold what tells the versions of a workload apart in this way.
    pub fn carries(self, form: Form) -> bool {
        self.layout().forms().contains(&form)
    }

    /// What of the user's makes a workload reachable, for a person who has to write it.
    pub fn exposure(self) -> &'static str {
        self.layout().exposure()
    }

    /// Where everything lies that an application is read from, besides the configuration.
    pub fn folder(self, at: &RepoPath) -> RepoPath {
        self.layout().folder(at)
    }

    /// The folder of the application that a folder belongs to: its own, or above one of its environments.
    pub fn home(self, at: &RepoPath, config: &Config) -> RepoPath {
        self.layout().home(at, config)
    }

    /// The file that says by itself that a folder holds an application: of a folder that is applied, the release file.
    pub fn main_file(self, at: &RepoPath) -> RepoPath {
        self.layout().main_file(at)
    }

    /// The file that its releases are written in while there are any.
    pub fn release_file(self, at: &RepoPath) -> RepoPath {
        self.layout().release_file(at)
    }
}

/// A way to hold an application.
trait Layout: Sync {
    /// Whether a folder holds an application in this way.
    fn is_at(&self, repo: &dyn Repo, at: &RepoPath, config: &Config) -> Result<bool, ReadError>;

    /// Where everything lies that an application is read from, besides the configuration.
    fn folder(&self, at: &RepoPath) -> RepoPath;

    /// The folder of the application that a folder belongs to: its own, or above one of its environments.
    fn home(&self, at: &RepoPath, config: &Config) -> RepoPath {
        match config.environments.contains_key(at.file_name()) {
            true => at.parent(),
            false => at.clone(),
        }
    }

    /// How the versions of its workloads can be told apart.
    fn forms(&self) -> &'static [Form];

    /// What of the user's makes a workload reachable, for a person who has to write it.
    fn exposure(&self) -> &'static str;

    /// The file that says by itself that a folder holds an application.
    fn main_file(&self, at: &RepoPath) -> RepoPath {
        self.release_file(at)
    }

    /// The file that its releases are written in while there are any.
    fn release_file(&self, at: &RepoPath) -> RepoPath;

    /// Reads the application in a folder, with all environments or with one only.
    ///
    /// Errors: everything wrong with its files, each thing once, then what is worth knowing about them.
    fn load(
        &self,
        repo: &dyn Repo,
        at: &RepoPath,
        config: &Config,
        only: Option<&str>,
    ) -> Result<Application, Failure>;

    /// The wanted contents of all files that carry a release.
    ///
    /// Errors: everything that cannot be written without changing something else, naming it.
    fn place(
        &self,
        application: &Application,
        release: &Release,
        intents: &[Intent],
    ) -> Result<Vec<FileChange>, Vec<Diagnostic>>;

    /// Writes a tag where the image of a workload has one.
    fn set_tag(
        &self,
        application: &Application,
        workload: &str,
        tag: &str,
    ) -> Result<Vec<FileChange>, Vec<Diagnostic>>;

    /// Writes the value of a flag wherever a workload says it, or takes it out.
    ///
    /// Errors: the workload says it nowhere, or in a way that cannot be edited.
    fn set_flag(
        &self,
        application: &Application,
        workload: &str,
        flag: (&FlagName, Option<&str>),
        draft: &mut Draft<'_>,
    ) -> Result<(), Diagnostic>;

    /// The wanted contents of the files in which a release that is left to a controller changes something.
    ///
    /// Errors: this layout cannot, or something cannot be written without changing something else.
    fn edit(&self, application: &Application, edits: &[Edit]) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
        let _ = edits;
        let message = format!(
            "in the layout {} no release can be left to a controller",
            application.layout.as_str()
        );
        Err(vec![Diagnostic::error(Code::Unsupported, message).hint(
            "use it with plain manifests, or take a provider whose routes tidegate writes",
        )])
    }

    /// The objects that wait in the files as comments.
    fn parked(&self, _application: &Application) -> Vec<Parked> {
        Vec::new()
    }

    /// What of the user's undoes what a release wrote, in one environment.
    fn undoing(&self, application: &Application, environment: &str) -> Vec<Diagnostic>;
}

/// Reads the application in a folder.
///
/// Errors: everything wrong with its files, and a folder without an application.
pub fn load(repo: &dyn Repo, at: &RepoPath, config: &Config) -> Result<Application, Failure> {
    found(repo, at, config)?.load(repo, at, config, None)
}

/// Reads the application in a folder with one environment only: the others are neither read nor rendered.
///
/// Errors: as [`load`], and an environment that does not exist.
pub fn load_environment(
    repo: &dyn Repo,
    at: &RepoPath,
    config: &Config,
    environment: &str,
) -> Result<Application, Failure> {
    found(repo, at, config)?.load(repo, at, config, Some(environment))
}

/// Where there is nothing, the first layout says what is missing.
fn found(repo: &dyn Repo, at: &RepoPath, config: &Config) -> Result<&'static dyn Layout, ReadError> {
    Ok(LayoutId::of(repo, at, config)?.unwrap_or(LayoutId::Gap).layout())
}

/// The wanted contents of all files that carry a release.
///
/// Errors: everything that cannot be written without changing something else, naming it.
pub fn place(
    application: &Application,
    release: &Release,
    intents: &[Intent],
) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
    application.layout.layout().place(application, release, intents)
}

/// Writes a tag where the image of a workload has one.
///
/// Errors: places that cannot be written without changing something else.
pub fn set_tag(
    application: &Application,
    workload: &str,
    tag: &str,
) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
    application.layout.layout().set_tag(application, workload, tag)
}

/// Writes the value of a flag wherever a workload says it, or takes it out.
///
/// Errors: the workload says it nowhere, or in a way that cannot be edited.
pub(crate) fn set_flag(
    application: &Application,
    workload: &str,
    name: &FlagName,
    value: Option<&str>,
) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
    let mut draft = Draft::new(application);
    let layout = application.layout.layout();
    let edited = layout.set_flag(application, workload, (name, value), &mut draft);
    edited.map_err(|problem| vec![problem])?;
    draft.finish()
}

/// The wanted contents of the files in which a release that is left to a controller changes something.
///
/// Errors: the layout cannot, or something cannot be written without changing something else.
pub(crate) fn edit(application: &Application, edits: &[Edit]) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
    application.layout.layout().edit(application, edits)
}

/// The objects that wait in the files as comments.
pub(crate) fn parked(application: &Application) -> Vec<Parked> {
    application.layout.layout().parked(application)
}

/// What of the user's undoes what a release wrote, in one environment.
pub fn undoing(application: &Application, environment: &str) -> Vec<Diagnostic> {
    application.layout.layout().undoing(application, environment)
}

/// Why files that were placed do not read as what was meant: something of the user's undoes it.
pub fn undone(after: &Application, environment: &str) -> Diagnostic {
    let mut undoing = undoing(after, environment).into_iter();
    undoing.next().unwrap_or_else(|| {
        let message = format!("in {environment} the files would not read as the phase they were written for");
        Diagnostic::error(Code::Undone, message)
            .hint("look for a patch or template of yours that changes the routes, the Service or the DestinationRule")
    })
}
