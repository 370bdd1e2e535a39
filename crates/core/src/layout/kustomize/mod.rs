//! A folder with a `kustomization.yaml`: a base, and an overlay for each environment.
//!
//! An overlay lies in `overlays/<environment>`, `environments/<environment>` or `envs/<environment>`, or for environments that the
//! configuration names in `<environment>`; the base wherever they name it. A folder that has a kustomization and no overlay is one environment by itself. What is judged is what
//! `kustomize build` makes of an overlay, built here, without the program.

use indexmap::IndexMap;

use super::draft::Draft;
use super::workloads::{name, namespace, parts, workloads};
use super::{ALL, Layout, LayoutId, releases};
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Failure, Location, Severity};
use crate::manifest::Manifest;
use crate::model::{Application, Environment, FlagName, Form, Release};
use crate::provider::Intent;
use crate::render::render;
use crate::repo::{ReadError, Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::kustomization::FILE_NAMES;
use crate::schema::release;

mod build;
mod difference;
mod fields;
mod generator;
mod image;
mod place;
mod registry;
mod transform;

use build::{Built, Files, Names, build};

/// Where overlays are, from the folder of the application.
const OVERLAYS: [&str; 4] = ["overlays", "environments", "envs", ""];

/// Where the base is that overlays are for, where it is not the folder of the application itself.
const BASE: &str = "base";

/// The layout.
pub(super) struct Kustomize;

impl Layout for Kustomize {
    fn is_at(&self, repo: &dyn Repo, at: &RepoPath, config: &Config) -> Result<bool, ReadError> {
        for folder in [at.clone(), at.join(BASE)] {
            if has_kustomization(repo, &folder)? {
                return Ok(true);
            }
        }
        if !overlays_there(repo, at)?.is_empty() {
            return Ok(true);
        }
        // Of folders that are called like environments, one with a kustomization is not enough.
        for name in config.environments.keys() {
            if !has_kustomization(repo, &at.join(name))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Bases and components may lie anywhere.
    fn folder(&self, _at: &RepoPath) -> RepoPath {
        RepoPath::root()
    }

    fn home(&self, at: &RepoPath, config: &Config) -> RepoPath {
        if at.file_name() == BASE {
            return at.parent();
        }
        if !config.environments.contains_key(at.file_name()) {
            return at.clone();
        }
        let above = at.parent();
        match OVERLAYS.contains(&above.file_name()) && above != RepoPath::root() {
            true => above.parent(),
            false => above,
        }
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
        let mut roots = roots(repo, at, config)?;
        if let Some(only) = only {
            release::check_environment(only, roots.keys().map(String::as_str))?;
            roots.retain(|name, _| name == only);
        }
        let mut files = Files::new(repo, config);
        let mut problems = Vec::new();
        if only.is_none() {
            for folder in overlays_there(repo, at)? {
                if !roots.values().any(|root| *root == folder) {
                    // It is no environment, but what a base gets it gets too: `place` has to know.
                    files.note(&folder)?;
                }
            }
        }
        let mut environments = IndexMap::new();
        let mut places = Vec::new();
        for (name, folder) in &roots {
            match environment(&mut files, name, folder, &mut problems) {
                Ok((environment, built)) => {
                    places.push(built);
                    environments.insert(name.clone(), environment);
                }
                Err(Failure::Refused(wrong)) => problems.extend(wrong),
                Err(failure) => return Err(failure),
            }
        }
        let release_file = self.release_file(at);
        let releases = releases::read(repo, &release_file, config, &mut files.streams, &mut problems)?;
        // What a base says is met once for each environment.
        let mut once: Vec<Diagnostic> = Vec::new();
        for problem in problems {
            if !once.contains(&problem) {
                once.push(problem);
            }
        }
        if once.iter().any(|wrong| wrong.severity == Severity::Error) {
            return Err(once.into());
        }
        let mut workloads = workloads(&environments);
        for workload in workloads.values_mut() {
            let mut objects = places.iter().flatten();
            let deployment = objects.find(|built| built.manifest.origin == workload.origin);
            if let (Some(image), Some(deployment)) = (&mut workload.image, deployment) {
                image.origin = image::origin(deployment);
            }
        }
        Ok(Application {
            layout: LayoutId::Kustomize,
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
            notices: once,
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
        image::set_tag(application, workload, tag, &mut draft)?;
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

    fn undoing(&self, _application: &Application, _environment: &str) -> Vec<Diagnostic> {
        // A patch of ours is only written where nothing of the user's comes after it.
        Vec::new()
    }
}

/// The folders that may be the overlay of an environment.
fn overlays(at: &RepoPath, environment: &str) -> impl Iterator<Item = RepoPath> {
    OVERLAYS
        .map(|folder| at.join(folder).join(environment))
        .into_iter()
}

fn has_kustomization(repo: &dyn Repo, folder: &RepoPath) -> Result<bool, ReadError> {
    for name in FILE_NAMES {
        if repo.read(&folder.join(name))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The folders that are overlays by where they are.
fn overlays_there(repo: &dyn Repo, at: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
    let mut found = Vec::new();
    for folder in OVERLAYS.iter().filter(|folder| !folder.is_empty()) {
        for folder in repo.folders(&at.join(folder))? {
            if has_kustomization(repo, &folder)? {
                found.push(folder);
            }
        }
    }
    Ok(found)
}

/// The folder of each environment: those that the configuration names, in its order; where it names none, all overlays.
///
/// Errors: a base without an overlay.
fn roots(repo: &dyn Repo, at: &RepoPath, config: &Config) -> Result<IndexMap<String, RepoPath>, Failure> {
    let mut roots = IndexMap::new();
    for name in config.environments.keys() {
        for folder in overlays(at, name) {
            if has_kustomization(repo, &folder)? {
                roots.insert(name.clone(), folder);
                break;
            }
        }
    }
    if !config.names_environments {
        for folder in overlays_there(repo, at)? {
            roots.entry(folder.file_name().to_owned()).or_insert(folder);
        }
    }
    if roots.is_empty() {
        if !has_kustomization(repo, at)? {
            return Err(Diagnostic::error(Code::UnknownName, "the base has no overlay of an environment")
                .at(Location::file(&at.join(BASE)))
                .hint("put each into a folder of its own with a kustomization: overlays/staging, overlays/production")
                .into());
        }
        // An overlay by itself is the environment that it is called.
        let name = match config.environments.contains_key(at.file_name()) {
            true => at.file_name(),
            false => ALL,
        };
        roots.insert(name.to_owned(), at.clone());
    }
    Ok(roots)
}

/// The same for an application that was read.
fn roots_of(application: &Application) -> IndexMap<String, RepoPath> {
    let has = |folder: &RepoPath| {
        let mut names = FILE_NAMES.iter();
        names.any(|name| application.files.contains_key(&folder.join(name)))
    };
    let root = |name: &String| {
        let overlay = overlays(&application.at, name).find(|folder| has(folder));
        (name.clone(), overlay.unwrap_or_else(|| application.at.clone()))
    };
    application.environments.keys().map(root).collect()
}

/// Whether there are overlays that are no environment.
fn has_others(application: &Application) -> bool {
    let roots = roots_of(application);
    let is_other = |file: &RepoPath| {
        let folder = file.parent();
        let is_overlay = OVERLAYS
            .iter()
            .any(|overlays| !overlays.is_empty() && folder.parent() == application.at.join(overlays));
        is_overlay && FILE_NAMES.contains(&file.file_name()) && !roots.values().any(|root| *root == folder)
    };
    application.files.keys().any(is_other)
}

fn environment(
    files: &mut Files<'_>,
    name: &str,
    folder: &RepoPath,
    notices: &mut Vec<Diagnostic>,
) -> Result<(Environment, Vec<Built>), Failure> {
    let built = build(files, folder, &|_| false, Names::Hashed, notices)?;
    let base: Vec<Manifest> = built.iter().map(|built| built.manifest.clone()).collect();
    let rendered = render(&base, &[], "")?;
    let environment = Environment {
        name: name.to_owned(),
        parts: parts(&base),
        base,
        patches: Vec::new(),
        rendered,
    };
    Ok((environment, built))
}
