//! Plain manifests: a folder with one folder of YAML for each environment, or YAML for all of them.
//!
//! Every file `*.yaml` or `*.yml` counts, with several documents and `kind: List` as `kubectl apply -f` takes them. The
//! release file is kept away from what is applied: `.tidegate/releases/<folder>.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use tidegate_yaml::Stream;

use super::documents;
use super::draft::Draft;
use super::reading::{Held, Reader};
use super::{Edit, Layout, LayoutId, Parked};
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Failure, Location, Severity};
use crate::manifest::Manifest;
use crate::model::{Application, Environment, Form, Image, Release, Workload};
use crate::provider::Intent;
use crate::render::render;
use crate::repo::{ReadError, Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::file::read_stream_within;
use crate::schema::release;

mod edit;
pub(crate) mod helm_release;
mod parked;
mod place;

pub(crate) use place::split_image;
pub(super) use place::with_tag;

/// Where the release files of plain manifests are, from the root of the repository.
const RELEASES: &str = ".tidegate/releases";

/// The environment of plain manifests in a folder that holds no folder of an environment: all of them.
pub const ALL: &str = "all";

/// Files whose names begin so are ours.
pub(super) const OWNED_PREFIX: &str = "tidegate-canary-";

/// Where the image of a workload stands.
const IMAGE: [&str; 6] = ["spec", "template", "spec", "containers", "0", "image"];

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
    fn main_file(&self, at: &RepoPath) -> RepoPath {
        let name = match at.as_str() {
            "" => format!("{RELEASES}.yaml"),
            folder => format!("{RELEASES}/{folder}.yaml"),
        };
        RepoPath::root().join(&name)
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
        let release_file = self.main_file(at);
        let releases = match read_stream_within(repo, &release_file, &config.limits)? {
            None => Vec::new(),
            Some(stream) => {
                let releases = release::parse(&release_file, &stream);
                files.streams.insert(release_file.clone(), stream);
                releases.unwrap_or_else(|wrong| {
                    files.problems.extend(wrong);
                    Vec::new()
                })
            }
        };
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
        let workloads = workloads(&environments);
        let namespaces = environments.values().flat_map(|environment: &Environment| {
            environment
                .base
                .iter()
                .filter_map(|manifest| manifest.object.namespace.clone())
        });
        Ok(Application {
            layout: LayoutId::Manifests,
            release_file,
            at: at.clone(),
            name: name(at, &workloads),
            namespace: namespaces
                .into_iter()
                .next()
                .unwrap_or_else(|| "default".to_owned()),
            workloads,
            environments,
            releases,
            delegations: Vec::new(),
            owned: owned(&files.streams),
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

fn owned(streams: &BTreeMap<RepoPath, Arc<Stream>>) -> BTreeSet<RepoPath> {
    let is_owned = |file: &&RepoPath| file.file_name().starts_with(OWNED_PREFIX);
    streams.keys().filter(is_owned).cloned().collect()
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

/// The Deployments, each with the Services that select its pods and the autoscaler that scales it.
fn parts(base: &[Manifest]) -> IndexMap<String, Vec<usize>> {
    let mut parts = IndexMap::new();
    for (index, deployment) in base.iter().enumerate() {
        if !deployment.object.is("apps", "Deployment") {
            continue;
        }
        let is_part = |other: &Manifest| {
            other.object.namespace == deployment.object.namespace
                && (selects(other, deployment) || scales(other, deployment))
        };
        let mut own: Vec<usize> = (0..base.len()).filter(|other| is_part(&base[*other])).collect();
        // Of several Services the one that is called like the workload comes first.
        own.sort_by_key(|other| base[*other].object.name != deployment.object.name);
        own.insert(0, index);
        parts.insert(deployment.object.name.clone(), own);
    }
    parts
}

/// Whether a Service selects the pods of a Deployment.
fn selects(service: &Manifest, deployment: &Manifest) -> bool {
    let selector = service.value.pointer("/spec/selector").and_then(Value::as_object);
    let pods = deployment.pod_labels();
    let says = |pods: &Map<String, Value>, (key, value)| pods.get(key) == Some(value);
    service.object.is("", "Service")
        && matches!((selector, pods), (Some(selector), Some(pods))
            if !selector.is_empty() && selector.iter().all(|label| says(pods, label)))
}

fn scales(scaler: &Manifest, deployment: &Manifest) -> bool {
    scaler.object.is("autoscaling", "HorizontalPodAutoscaler")
        && scaler.text("/spec/scaleTargetRef/kind") == Some("Deployment")
        && scaler.text("/spec/scaleTargetRef/name") == Some(&deployment.object.name)
}

/// The workloads of all environments, as the first that has them says.
fn workloads(environments: &IndexMap<String, Environment>) -> IndexMap<String, Workload> {
    let mut workloads = IndexMap::new();
    for environment in environments.values() {
        for (key, parts) in &environment.parts {
            let deployment = &environment.base[parts[0]];
            let has_service = parts
                .iter()
                .any(|part| environment.base[*part].object.is("", "Service"));
            let labels = deployment.pod_labels().into_iter().flatten();
            let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            let workload = Workload {
                key: key.clone(),
                image: image(deployment),
                is_exposed: has_service,
                pod_labels: labels.collect(),
                origin: deployment.origin.clone(),
            };
            workloads.entry(key.clone()).or_insert(workload);
        }
        for workload in environment.base.iter().filter_map(helm_release::workload) {
            workloads.entry(workload.key.clone()).or_insert(workload);
        }
    }
    workloads
}

/// The image of the first container. Source: Kubernetes, "Images": `[host/]repository[:tag][@digest]`.
fn image(deployment: &Manifest) -> Option<Image> {
    let text = deployment.text("/spec/template/spec/containers/0/image")?;
    let (repository, tag) = place::split_image(text);
    Some(Image {
        repository: Some(repository.to_owned()),
        tag: tag.map(str::to_owned),
        origin: deployment.origin.below(&IMAGE),
    })
}

/// The name of the folder; at the root, of the first workload.
fn name(at: &RepoPath, workloads: &IndexMap<String, Workload>) -> String {
    match at.file_name() {
        "" => workloads
            .keys()
            .next()
            .cloned()
            .unwrap_or_else(|| "application".to_owned()),
        name => name.to_owned(),
    }
}
