//! Plain manifests: a folder with one folder of YAML for each environment, or YAML for all of them.
//!
//! Every file `*.yaml` or `*.yml` counts, with several documents and `kind: List` as `kubectl apply -f` takes them. The
//! release file is kept away from what is applied: `.tidegate/releases/<folder>.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use tidegate_yaml::Stream;

use super::draft::Draft;
use super::reading::{Held, Reader};
use super::workloads::{name, namespace, parts, workloads};
use super::{ALL, Edit, Layout, LayoutId, Parked, documents, releases};
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Failure, Location, Severity};
use crate::manifest::Manifest;
use crate::model::{Application, Environment, FlagName, Form, Release};
use crate::provider::Intent;
use crate::render::render;
use crate::repo::{ReadError, Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::release;

mod edit;
pub(crate) mod helm_release;
mod parked;
mod place;

/// The layout.
pub(super) struct Manifests;

impl Layout for Manifests {
    fn is_at(&self, repo: &dyn Repo, at: &RepoPath, config: &Config) -> Result<bool, ReadError> {
        if repo.read(&self.main_file(at))?.is_some() {
            return Ok(true);
        }
        let environments = config.environments.keys().map(|name| at.join(name));
        for folder in std::iter::once(at.clone()).chain(environments) {
            for file in repo.list(&folder)?.iter().filter(|file| is_yaml(file)) {
                if repo.read(file)?.is_some_and(|text| holds_a_workload(&text)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn folder(&self, at: &RepoPath) -> RepoPath {
        at.clone()
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Backends, Form::Pinned, Form::Replicas]
    }

    fn exposure(&self) -> &'static str {
        "a Service that selects its pods"
    }

    /// The release file, which is not among the manifests.
    fn release_file(&self, at: &RepoPath) -> RepoPath {
        releases::file(at)
    }

    fn load(
        &self,
        repo: &dyn Repo,
        at: &RepoPath,
        config: &Config,
        only: Option<&str>,
    ) -> Result<Application, Failure> {
        let mut files = Files::read(repo, at, config)?;
        if let Some(only) = only {
            let known: Vec<&str> = files.environments.keys().map(String::as_str).collect();
            release::check_environment(only, known.into_iter())?;
            files.environments.retain(|name, _| name == only);
        }
        let release_file = self.release_file(at);
        let releases = releases::read(
            repo,
            &release_file,
            config,
            &mut files.streams,
            &mut files.problems,
        )?;
        let mut environments = IndexMap::new();
        for (name, base) in std::mem::take(&mut files.environments) {
            match environment(&name, base) {
                Ok(environment) => drop(environments.insert(name, environment)),
                Err(wrong) => files.problems.extend(wrong),
            }
        }
        if files
            .problems
            .iter()
            .any(|wrong| wrong.severity == Severity::Error)
        {
            return Err(files.problems.into());
        }
        let mut workloads = workloads(&environments);
        let objects = environments.values().flat_map(|environment| &environment.base);
        for workload in objects.filter_map(helm_release::workload) {
            workloads.entry(workload.key.clone()).or_insert(workload);
        }
        Ok(Application {
            layout: LayoutId::Manifests,
            release_file,
            at: at.clone(),
            name: name(at, &workloads),
            namespace: namespace(&environments),
            workloads,
            environments,
            releases,
            delegations: Vec::new(),
            owned: releases::owned(&files.streams),
            files: files.streams,
            notices: files.problems,
        })
    }

    fn place(
        &self,
        application: &Application,
        release: &Release,
        intents: &[Intent],
    ) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
        place::place(application, release, intents)
    }

    fn set_tag(
        &self,
        application: &Application,
        workload: &str,
        tag: &str,
    ) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
        let mut draft = Draft::new(application);
        place::set_tag(application, workload, tag, &mut draft).map_err(|wrong| vec![wrong])?;
        draft.finish()
    }

    fn set_flag(
        &self,
        application: &Application,
        workload: &str,
        flag: (&FlagName, Option<&str>),
        draft: &mut Draft<'_>,
    ) -> Result<(), Diagnostic> {
        place::set_flag(application, workload, flag, draft)
    }

    fn edit(&self, application: &Application, edits: &[Edit]) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
        edit::edit(application, edits)
    }

    fn parked(&self, application: &Application) -> Vec<Parked> {
        parked::all(application)
    }

    fn undoing(&self, _application: &Application, _environment: &str) -> Vec<Diagnostic> {
        // Nothing is laid over anything: what a file says counts.
        Vec::new()
    }
}

/// The files of an application, and the objects of each environment.
#[derive(Default)]
struct Files {
    streams: BTreeMap<RepoPath, Arc<Stream>>,
    environments: IndexMap<String, Vec<Manifest>>,
    problems: Vec<Diagnostic>,
}

impl Files {
    /// What lies in the folder itself counts for every environment.
    fn read(repo: &dyn Repo, at: &RepoPath, config: &Config) -> Result<Self, Failure> {
        let mut files = Self::default();
        let mut reader = Reader::new(repo, config);
        let mut held = Held::new(&config.limits);
        let shared = files.folder(&mut reader, repo, at)?;
        for name in config.environments.keys() {
            let own = files.folder(&mut reader, repo, &at.join(name))?;
            if !own.is_empty() {
                let objects = shared.iter().cloned().chain(own).collect::<Vec<_>>();
                if let Err(reached) = held.count(&objects) {
                    return Err(reached.at(Location::file(&at.join(name))).into());
                }
                files.environments.insert(name.clone(), objects);
            }
        }
        if files.environments.is_empty() {
            files.environments.insert(ALL.to_owned(), shared);
        }
        Ok(files)
    }

    fn folder(
        &mut self,
        reader: &mut Reader<'_>,
        repo: &dyn Repo,
        folder: &RepoPath,
    ) -> Result<Vec<Manifest>, Failure> {
        let mut objects = Vec::new();
        for file in repo.list(folder)?.iter().filter(|file| is_yaml(file)) {
            if matches!(file.file_name(), "kustomization.yaml" | "kustomization.yml") {
                self.problems.push(kustomization(file));
                continue;
            }
            let stream = match reader.stream(file) {
                Ok(Some(stream)) => stream,
                Ok(None) => continue,
                Err(Failure::Refused(wrong)) => {
                    self.problems.extend(wrong);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            reader.count(file, &stream)?;
            let read = documents::objects(file, &stream);
            objects.extend(read.items);
            self.problems.extend(read.problems);
            self.streams.insert(file.clone(), stream);
        }
        Ok(objects)
    }
}

/// What is deployed is what kustomize makes of the files, not what they say.
fn kustomization(file: &RepoPath) -> Diagnostic {
    let message = "with a kustomization the files of this folder are no plain manifests";
    Diagnostic::error(Code::Unsupported, message)
        .at(Location::file(file))
        .hint("commit what `kustomize build` prints, and run tidegate in the folder that holds it")
}

fn is_yaml(file: &RepoPath) -> bool {
    let name = file.file_name();
    !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

/// A look at the text alone, so that a folder of other YAML costs nothing.
fn holds_a_workload(text: &str) -> bool {
    text.contains("kind: Deployment") || text.contains("\"Deployment\"") || text.contains("kind: HelmRelease")
}

fn environment(name: &str, base: Vec<Manifest>) -> Result<Environment, Vec<Diagnostic>> {
    let parts = parts(&base);
    let rendered = render(&base, &[], "")?;
    Ok(Environment {
        name: name.to_owned(),
        base,
        parts,
        patches: Vec::new(),
        rendered,
    })
}
