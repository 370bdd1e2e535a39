//! Which files belong to an application, and what is in them.
//!
//! `gap/gap.yaml` is the spec, `gap/tidegate.yaml` the release file; `gap_patch_*` holds patches, any other `gap_*` extra
//! resources, in `gap/` for all environments and in `gap/<environment>/` for one. Source: the GAP documentation and the GAP
//! canary guide; the exact rule for extra resources is not published, so it is a setting.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_yaml::Stream;

use super::super::documents::{self, Read};
use super::super::reading::Reader;
use crate::diagnostic::{Code, Diagnostic, Failure, Location, Severity};
use crate::manifest::Manifest;
use crate::model::TargetedPatch;
use crate::repo::{Repo, RepoPath};
use crate::schema::config::{Config, PatchOrder};
use crate::schema::{gap, release};

/// The folder in an application's folder that holds everything about its deployment.
pub(super) const FOLDER: &str = "gap";

/// Something that counts for one environment, or for all.
#[derive(Debug, Clone)]
pub(super) struct Scoped<T> {
    pub(super) environment: Option<String>,
    pub(super) item: T,
}

impl<T> Scoped<T> {
    pub(super) fn counts_for(&self, environment: &str) -> bool {
        self.environment.as_deref().is_none_or(|own| own == environment)
    }
}

/// The files of an application.
#[derive(Default)]
pub(super) struct Files {
    pub(super) streams: BTreeMap<RepoPath, Arc<Stream>>,
    pub(super) spec: Option<RepoPath>,
    pub(super) environment_specs: BTreeMap<String, RepoPath>,
    pub(super) release: Option<RepoPath>,
    pub(super) resources: Vec<Scoped<Manifest>>,
    /// In the order they are applied.
    pub(super) patches: Vec<Scoped<TargetedPatch>>,
    /// What is wrong with them, and what is worth knowing.
    pub(super) problems: Vec<Diagnostic>,
}

impl Files {
    /// Reads everything that belongs to the application in a folder.
    ///
    /// Errors: only what the machine refuses; what is wrong with the files is in `problems`.
    pub(super) fn read(
        repo: &dyn Repo,
        at: &RepoPath,
        config: &Config,
        is_wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Failure> {
        let folder = at.join(FOLDER);
        let mut reading = Reading {
            repo,
            config,
            globs: Globs::new(config),
            reader: Reader::new(repo, config),
            files: Self::default(),
        };
        reading.folder(&folder, None)?;
        for environment in config.environments.keys().filter(|name| is_wanted(name)) {
            reading.folder(&folder.join(environment), Some(environment))?;
        }
        reading.unknown_environments(&folder)?;
        let mut files = reading.files;
        if files.spec.is_none() {
            let missing = Diagnostic::error(
                Code::NoApplication,
                format!("there is no {} here", gap::FILE_NAME),
            );
            let missing = missing.at(Location::file(&folder.join(gap::FILE_NAME)));
            files
                .problems
                .push(missing.hint("run in the folder that holds `gap/`, or name it with -C"));
        }
        if config.patch.order == PatchOrder::Name {
            let name = |patch: &Scoped<TargetedPatch>| patch.item.origin.file.file_name().to_owned();
            files.patches.sort_by_key(name);
        }
        Ok(files)
    }

    /// Whether something is wrong, not only worth knowing.
    pub(super) fn are_wrong(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }
}

struct Globs {
    resources: Vec<glob::Pattern>,
    patches: Vec<glob::Pattern>,
}

impl Globs {
    fn new(config: &Config) -> Self {
        let parse = |globs: &[String]| {
            globs
                .iter()
                .filter_map(|glob| glob::Pattern::new(glob).ok())
                .collect()
        };
        Self {
            resources: parse(&config.layout.resource_globs),
            patches: parse(&config.layout.patch_globs),
        }
    }

    fn role(&self, name: &str) -> Option<Role> {
        let fits = |globs: &[glob::Pattern]| globs.iter().any(|glob| glob.matches(name));
        match name {
            gap::FILE_NAME | SPEC_YML => Some(Role::Spec),
            release::FILE_NAME => Some(Role::Release),
            _ if fits(&self.patches) => Some(Role::Patches),
            _ if fits(&self.resources) => Some(Role::Resources),
            _ => None,
        }
    }
}

/// The spec with the other ending.
const SPEC_YML: &str = "gap.yml";

enum Role {
    Spec,
    Release,
    Patches,
    Resources,
}

struct Reading<'a> {
    repo: &'a dyn Repo,
    config: &'a Config,
    globs: Globs,
    reader: Reader<'a>,
    files: Files,
}

impl Reading<'_> {
    fn folder(&mut self, folder: &RepoPath, environment: Option<&str>) -> Result<(), Failure> {
        for file in self.repo.list(folder)? {
            let Some(role) = self.globs.role(file.file_name()) else {
                continue;
            };
            if self.is_passed_over(&file, &role, environment) {
                continue;
            }
            let Some(stream) = self.stream(&file)? else {
                continue;
            };
            if file.file_name().ends_with(".yml") {
                let message = "the platform's examples all end in `.yaml`, this file in `.yml`";
                let unusual = Diagnostic::warning(Code::FileExtension, message).at(Location::file(&file));
                self.files
                    .problems
                    .push(unusual.hint("rename it, to be sure that it is read"));
            }
            self.file(&file, &role, environment, &stream);
            self.files.streams.insert(file, stream);
        }
        Ok(())
    }

    /// A second spec beside the first, or a release file in an environment's folder.
    fn is_passed_over(&mut self, file: &RepoPath, role: &Role, environment: Option<&str>) -> bool {
        match role {
            Role::Release => environment.is_some(),
            Role::Spec => {
                let taken = match environment {
                    None => self.files.spec.is_some(),
                    Some(environment) => self.files.environment_specs.contains_key(environment),
                };
                if taken {
                    let message = format!("there is a {} beside it: this file has no effect", gap::FILE_NAME);
                    let unused = Diagnostic::warning(Code::FileExtension, message).at(Location::file(file));
                    self.files.problems.push(unused.hint("delete it"));
                }
                taken
            }
            Role::Patches | Role::Resources => false,
        }
    }

    /// Reads a file as YAML; what is wrong with it is kept.
    fn stream(&mut self, file: &RepoPath) -> Result<Option<Arc<Stream>>, Failure> {
        match self.reader.stream(file) {
            Ok(Some(stream)) => {
                self.reader.count(file, &stream)?;
                Ok(Some(stream))
            }
            Ok(None) => Ok(None),
            Err(Failure::Refused(problems)) => {
                // Not missing, only unreadable.
                if matches!(self.globs.role(file.file_name()), Some(Role::Spec)) {
                    self.files.spec.get_or_insert_with(|| file.clone());
                }
                self.files.problems.extend(problems);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    fn file(&mut self, file: &RepoPath, role: &Role, environment: Option<&str>, stream: &Stream) {
        let scope = environment.map(str::to_owned);
        match role {
            Role::Release => self.files.release = Some(file.clone()),
            Role::Spec => match scope {
                None => self.files.spec = Some(file.clone()),
                Some(environment) => {
                    self.files.environment_specs.insert(environment, file.clone());
                }
            },
            Role::Patches => {
                let Read { items, problems } =
                    documents::patches(file, stream, &self.config.patch.api_version_aliases);
                self.files.problems.extend(problems);
                let scoped = items.into_iter().map(|item| Scoped {
                    environment: scope.clone(),
                    item,
                });
                self.files.patches.extend(scoped);
            }
            Role::Resources => {
                let Read { items, problems } = documents::resources(file, stream);
                self.files.problems.extend(problems);
                let scoped = items.into_iter().map(|item| Scoped {
                    environment: scope.clone(),
                    item,
                });
                self.files.resources.extend(scoped);
            }
        }
    }

    /// Folders of the platform's environments that the configuration left out.
    fn unknown_environments(&mut self, folder: &RepoPath) -> Result<(), Failure> {
        let built_in = Config::default();
        for name in built_in
            .environments
            .keys()
            .filter(|name| !self.config.environments.contains_key(*name))
        {
            let files = self.repo.list(&folder.join(name))?;
            let Some(file) = files
                .iter()
                .find(|file| self.globs.role(file.file_name()).is_some())
            else {
                continue;
            };
            let message =
                format!("the configuration has no environment `{name}`: files in its folder have no effect");
            let unused = Diagnostic::warning(Code::UnknownName, message).at(Location::file(file));
            self.files
                .problems
                .push(unused.hint("add it to `environments` in .tidegate/config.yaml, or delete the folder"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
