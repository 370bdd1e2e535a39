//! The repository a command works in: its root, its files, its configuration, its git.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use tidegate_core::checkout::Checkout;
use tidegate_core::diagnostic::{Code, Diagnostic, Location};
use tidegate_core::layout::{self, LayoutId};
use tidegate_core::model::Application;
use tidegate_core::repo::{Repo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_yaml::Limits;

use crate::args::PlaceArgs;
use crate::commands::Stop;
use crate::disk::{self, DiskRepo, ReadLimits};
use crate::git::Git;

/// A repository on disk, opened for one command.
pub(crate) struct Workspace {
    root: PathBuf,
    /// Where the user is, below the root.
    here: RepoPath,
    repo: DiskRepo,
    limits: Limits,
    config: OnceCell<Config>,
    git: OnceCell<Option<Git>>,
}

impl Workspace {
    /// Finds the root of the repository that a folder is in.
    pub(crate) fn open(place: &PlaceArgs) -> Result<Self, Stop> {
        let shown = place.directory.display();
        let start =
            std::fs::canonicalize(&place.directory).with_context(|| format!("cannot open {shown}"))?;
        if !start.is_dir() {
            return Err(anyhow!("{shown} is not a folder").into());
        }
        let root =
            disk::find_root(&start, place.root.as_deref()).with_context(|| format!("cannot open {shown}"))?;
        Self::at(root, &start, ReadLimits::default(), place.limits())
    }

    /// A repository whose root is known; the folder is below it, and neither path holds a link.
    pub(crate) fn at(
        root: PathBuf,
        folder: &Path,
        reading: ReadLimits,
        limits: Limits,
    ) -> Result<Self, Stop> {
        let below = folder
            .strip_prefix(&root)
            .context("the folder is not below its own root")?;
        let below = below.to_str().context("the folder's name is not UTF-8")?;
        let here = RepoPath::new(&below.replace('\\', "/")).context("the folder's name cannot be used")?;
        let repo = DiskRepo::within(&root, reading);
        Ok(Self {
            root,
            here,
            repo,
            limits,
            config: OnceCell::new(),
            git: OnceCell::new(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the user is, below the root.
    pub(crate) fn here(&self) -> &RepoPath {
        &self.here
    }

    pub(crate) fn repo(&self) -> &dyn Repo {
        &self.repo
    }

    /// Finishes or takes back what an interrupted run left, before anything is read; for commands that write.
    pub(crate) fn recover(&self) -> Result<(), Stop> {
        for notice in disk::recover(&self.root, self.git_dir())? {
            crate::report::message(&format!("{notice}\n"));
        }
        Ok(())
    }

    /// Git, where the root is in a work tree of it.
    pub(crate) fn git(&self) -> Option<&Git> {
        self.git.get_or_init(|| Git::open(&self.root)).as_ref()
    }

    pub(crate) fn git_dir(&self) -> Option<&Path> {
        self.git().map(Git::git_dir)
    }

    /// What the files of one application may hold.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The configuration, read once.
    pub(crate) fn config(&self) -> Result<&Config, Stop> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = Config::load_within(&self.repo, &RepoPath::root(), &self.limits)?;
        Ok(self.config.get_or_init(|| config))
    }

    /// The folders of the applications a command is about: the one the user is in, else those below.
    pub(crate) fn application_folders(&self) -> Result<Vec<RepoPath>, Stop> {
        let mut folder = self.here.clone();
        loop {
            if self.is_recorded(&folder)? {
                return Ok(vec![folder]);
            }
            if folder == RepoPath::root() {
                break;
            }
            folder = folder.parent();
        }
        let folders = disk::discover(&self.root, &self.here)?;
        if !folders.is_empty() {
            return Ok(folders);
        }
        if let Some(layout) = LayoutId::of(&self.repo, &self.here, self.config()?)? {
            // The folder of one environment is no application of its own.
            return Ok(vec![layout.home(&self.here, self.config()?)]);
        }
        let message = format!(
            "there is no gap/gap.yaml in {here} or below, and no Deployment in {here}",
            here = self.here
        );
        let missing = Diagnostic::error(Code::NoApplication, message);
        Err(match self.manifests_below()? {
            Some(folder) => missing.hint(format!(
                "{folder} holds manifests: {}",
                self.command_in(&folder, "status")
            )),
            None => {
                missing.hint("run tidegate in a folder that holds `gap` or manifests, or name one with -C")
            }
        }
        .into())
    }

    /// The nearest folder below the user's that holds an application without saying so by its name; what cannot be read is
    /// passed over.
    fn manifests_below(&self) -> Result<Option<RepoPath>, Stop> {
        /// So many are looked at for the sake of a hint.
        const MOST: usize = 500;
        let config = self.config()?;
        let is_entered = |folder: &RepoPath| !folder.file_name().starts_with('.');
        let mut ahead = VecDeque::from([self.here.clone()]);
        for _ in 0..MOST {
            let Some(folder) = ahead.pop_front() else {
                break;
            };
            if let Ok(Some(layout)) = LayoutId::of(&self.repo, &folder, config) {
                return Ok(Some(layout.home(&folder, config)));
            }
            let below = self.repo.folders(&folder).unwrap_or_default();
            ahead.extend(below.into_iter().filter(is_entered));
        }
        Ok(None)
    }

    /// Whether the folder that the user is in holds manifests, plain or with a kustomization.
    pub(crate) fn is_among_manifests(&self) -> Result<bool, Stop> {
        let layout = LayoutId::of(&self.repo, &self.here, self.config()?)?;
        Ok(layout.is_some_and(|layout| layout != LayoutId::Gap))
    }

    /// Whether a folder is known to hold an application without a look at all its files.
    fn is_recorded(&self, folder: &RepoPath) -> Result<bool, Stop> {
        for layout in LayoutId::ALL {
            if self.repo.read(&layout.main_file(folder))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The folder of the one application a command is about.
    ///
    /// Errors: several are here.
    pub(crate) fn application_folder(&self, command: &str) -> Result<RepoPath, Stop> {
        let mut folders = self.application_folders()?;
        if folders.len() == 1 {
            return Ok(folders.remove(0));
        }
        let names: Vec<&str> = folders.iter().map(|folder| folder.as_str()).collect();
        let message = format!("several applications are here: {}", names.join(", "));
        let several = Diagnostic::error(Code::AmbiguousRelease, message);
        let hint = format!("go to one: {}", self.command_in(&folders[0], command));
        Err(several.hint(hint).into())
    }

    /// Whether an application is the one the user is in, or below where the user is.
    pub(crate) fn is_in_scope(&self, folder: &RepoPath) -> bool {
        let (here, folder) = (Path::new(self.here.as_str()), Path::new(folder.as_str()));
        folder.starts_with(here) || here.starts_with(folder)
    }

    /// Errors: a sparse checkout leaves out what an application is read from, so that what is there would mean something
    /// else.
    pub(crate) fn refuse_left_out(&self, folder: &RepoPath) -> Result<(), Stop> {
        let Some(git) = self.git().filter(|git| git.is_sparse()) else {
            return Ok(());
        };
        let read = match LayoutId::of(&self.repo, folder, self.config()?)? {
            Some(layout) => layout.folder(folder),
            None => folder.clone(),
        };
        let settings = RepoPath::root().join(".tidegate");
        let left_out = git.left_out(&[settings, read])?;
        let Some(first) = left_out.first() else {
            return Ok(());
        };
        let message = "this file is not checked out, and what is here depends on it";
        let problem = Diagnostic::error(Code::NotCheckedOut, message).at(Location::file(first));
        let hint = format!("git sparse-checkout add {}", first.parent());
        Err(problem.hint(hint).into())
    }

    /// Reads an application.
    pub(crate) fn load(&self, folder: &RepoPath) -> Result<Checkout<'_>, Stop> {
        self.refuse_left_out(folder)?;
        Ok(Checkout::load(&self.repo, folder, self.config()?)?)
    }

    /// Reads an application for one environment.
    pub(crate) fn load_environment(&self, folder: &RepoPath, environment: &str) -> Result<Application, Stop> {
        Ok(layout::load_environment(
            &self.repo,
            folder,
            self.config()?,
            environment,
        )?)
    }

    /// The command line that runs in another application's folder.
    pub(crate) fn command_in(&self, folder: &RepoPath, command: &str) -> String {
        match *folder == self.here {
            true => format!("tidegate {command}"),
            false => {
                let from = self.here.as_str();
                let path = folder.as_str();
                let below = if from.is_empty() {
                    Some(path)
                } else {
                    path.strip_prefix(from).map(|rest| rest.trim_start_matches('/'))
                };
                match below {
                    Some(below) if !below.is_empty() => format!("tidegate -C {below} {command}"),
                    _ => format!("tidegate {command}"),
                }
            }
        }
    }
}
