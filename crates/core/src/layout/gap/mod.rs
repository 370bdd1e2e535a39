//! The layout of SAP Emarsys' GAP: a spec in `gap/gap.yaml`, extra resources and patches beside it, per environment.
//!

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::draft::Draft;
use super::reading::Held;
use super::{Layout, LayoutId};
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Failure, Location};
use crate::manifest::Manifest;
use crate::model::{Application, Environment, FlagName, Form, Release, TargetedPatch, Workload};
use crate::provider::Intent;
use crate::render::render;
use crate::repo::{ReadError, Repo, RepoPath};
use crate::schema::config::{Config, NamespaceMatch};
use crate::schema::gap::{FILE_NAME as SPEC, GapSpec};
use crate::schema::release;

mod base;
mod data;
mod files;
mod image;
mod place;
mod spec;
mod spec_edits;
mod subject;
mod template;

pub use template::template_overrides;

use base::Generator;
use files::{FOLDER, Files, Scoped};
use spec::Specs;
use template::Templates;

/// The environment that `isProduction: false` leaves out.
const PRODUCTION: &str = "production";

/// Names of files that a release alone puts there begin so. Source: the GAP canary guide.
const OWNED_PREFIXES: [&str; 2] = ["gap_canary_", "gap_patch_canary_"];

/// The layout.
pub(super) struct Gap;

impl Layout for Gap {
    fn is_at(&self, repo: &dyn Repo, at: &RepoPath, _config: &Config) -> Result<bool, ReadError> {
        Ok(repo.read(&self.main_file(at))?.is_some())
    }

    fn folder(&self, at: &RepoPath) -> RepoPath {
        at.join(FOLDER)
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Subsets]
    }

    fn exposure(&self) -> &'static str {
        "`ingress: {enabled: true}`"
    }

    fn main_file(&self, at: &RepoPath) -> RepoPath {
        at.join(FOLDER).join(SPEC)
    }

    fn release_file(&self, at: &RepoPath) -> RepoPath {
        at.join(FOLDER).join(release::FILE_NAME)
    }

    fn load(
        &self,
        repo: &dyn Repo,
        at: &RepoPath,
        config: &Config,
        only: Option<&str>,
    ) -> Result<Application, Failure> {
        if let Some(only) = only {
            release::check_environment(only, config.environments.keys().map(String::as_str))?;
        }
        load(repo, at, config, &|name| only.is_none_or(|only| only == name))
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
        let image = application
            .workloads
            .get(workload)
            .and_then(|workload| workload.image.as_ref());
        let mut draft = Draft::new(application);
        if let Some(image) = image {
            spec_edits::set_tag(image, tag, &mut draft).map_err(|problem| vec![problem])?;
        }
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

    fn undoing(&self, application: &Application, environment: &str) -> Vec<Diagnostic> {
        place::undoing(application, environment).collect()
    }
}

fn load(
    repo: &dyn Repo,
    at: &RepoPath,
    config: &Config,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<Application, Failure> {
    let mut files = Files::read(repo, at, config, is_wanted)?;
    let specs = Specs::read(&mut files, config);
    let releases = read_releases(&mut files);
    let templates = keep(Templates::load(repo, &config.root), &mut files.problems)?;
    let (Some(specs), Some(templates), false) = (specs, templates, files.are_wrong()) else {
        return Err(errors_first(files.problems).into());
    };
    files.problems.extend(templates.notices.iter().cloned());
    let environments = render_environments(&specs, &mut files, &templates, config, is_wanted);
    if files.are_wrong() {
        return Err(errors_first(files.problems).into());
    }
    Ok(Application {
        layout: LayoutId::Gap,
        release_file: LayoutId::Gap.release_file(at),
        at: at.clone(),
        name: specs.base.name.clone(),
        namespace: specs.base.namespace.clone(),
        workloads: workloads(&specs.base),
        environments,
        releases,
        delegations: Vec::new(),
        owned: owned(&files),
        files: files.streams,
        notices: files.problems,
    })
}

/// Keeps what is wrong with the user's files; passes on what the machine refuses.
fn keep<T>(result: Result<T, Failure>, problems: &mut Vec<Diagnostic>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Refused(wrong)) => {
            problems.extend(wrong);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn errors_first(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
}

fn read_releases(files: &mut Files) -> Vec<Release> {
    let found = files
        .release
        .as_ref()
        .and_then(|file| Some((file, files.streams.get(file)?)));
    match found.map(|(file, stream)| release::parse(file, stream)) {
        None => Vec::new(),
        Some(Ok(releases)) => releases,
        Some(Err(wrong)) => {
            files.problems.extend(wrong);
            Vec::new()
        }
    }
}

fn workloads(spec: &GapSpec) -> IndexMap<String, Workload> {
    let workload = |(key, deployment): (&String, &crate::schema::gap::DeploymentSpec)| {
        let workload = Workload {
            key: key.clone(),
            image: image::modelled(spec, &deployment.pod),
            is_exposed: deployment.has_ingress,
            pod_labels: deployment.pod.labels.clone(),
            origin: deployment.pod.origin.clone(),
        };
        (key.clone(), workload)
    };
    spec.deployments.iter().map(workload).collect()
}

fn owned(files: &Files) -> BTreeSet<RepoPath> {
    let is_owned = |file: &&RepoPath| {
        OWNED_PREFIXES
            .iter()
            .any(|prefix| file.file_name().starts_with(prefix))
    };
    files.streams.keys().filter(is_owned).cloned().collect()
}

/// Renders every environment; what is wrong goes to the files' problems.
fn render_environments(
    specs: &Specs,
    files: &mut Files,
    templates: &Templates,
    config: &Config,
    is_wanted: &dyn Fn(&str) -> bool,
) -> IndexMap<String, Environment> {
    let mut generator = Generator::new(config, templates);
    let mut held = Held::new(&config.limits);
    let mut environments = IndexMap::new();
    let mut problems: IndexMap<String, Vec<Diagnostic>> = IndexMap::new();
    for name in config.environments.keys().filter(|name| is_wanted(name)) {
        let spec = specs.of(name);
        if name == PRODUCTION && !spec.is_production {
            continue;
        }
        let room = held.room_for(spec.deployments.len() + spec.cronjobs.len());
        let made = room.map_err(|reached| vec![reached.at(spec.origin.clone())]);
        match made.and_then(|()| environment(name, spec, files, &mut generator, config)) {
            Ok(environment) => {
                if let Err(reached) = held.count(&environment.base) {
                    // Nothing that is made from here on has room.
                    files.problems.push(reached.at(spec.origin.clone()));
                    break;
                }
                environments.insert(name.clone(), environment);
            }
            Err(wrong) => drop(problems.insert(name.clone(), wrong)),
        }
    }
    let environment_count = environments.len() + problems.len();
    files.problems.append(&mut generator.notices);
    files.problems.extend(once_each(problems, environment_count));
    environments
}

fn environment(
    name: &str,
    spec: &GapSpec,
    files: &Files,
    generator: &mut Generator<'_>,
    config: &Config,
) -> Result<Environment, Vec<Diagnostic>> {
    let mut base = generator.objects(spec, name)?;
    let parts = parts(spec, &base);
    base.extend(counting_for(&files.resources, name));
    let patches: Vec<TargetedPatch> = counting_for(&files.patches, name).collect();
    if config.patch.namespace_match == NamespaceMatch::Exact {
        check_namespaces(&base, &patches)?;
    }
    let rendered = render(&base, &patches, &spec.namespace)
        .map_err(|wrong| wrong.into_iter().map(as_patch).collect::<Vec<_>>())?;
    Ok(Environment {
        name: name.to_owned(),
        base,
        parts,
        patches,
        rendered,
    })
}

/// Which generated objects are whose, by the place in the spec that they come from.
fn parts(spec: &GapSpec, generated: &[Manifest]) -> IndexMap<String, Vec<usize>> {
    let of = |origin: &Location| {
        let indexes = (0..generated.len()).filter(|index| generated[*index].origin == *origin);
        indexes.collect()
    };
    let deployments = spec.deployments.iter();
    deployments
        .map(|(key, deployment)| (key.clone(), of(&deployment.pod.origin)))
        .collect()
}

fn counting_for<'a, T: Clone>(items: &'a [Scoped<T>], environment: &'a str) -> impl Iterator<Item = T> + 'a {
    items
        .iter()
        .filter(move |scoped| scoped.counts_for(environment))
        .map(|scoped| scoped.item.clone())
}

/// With exact matching a patch and its target both say a namespace, or neither does.
fn check_namespaces(base: &[Manifest], patches: &[TargetedPatch]) -> Result<(), Vec<Diagnostic>> {
    let said = |namespace: &Option<String>| {
        namespace
            .as_ref()
            .map_or("no namespace".to_owned(), |name| format!("`{name}`"))
    };
    let mut problems = Vec::new();
    for patch in patches {
        let is_target = |manifest: &&Manifest| {
            manifest.object.kind == patch.target.kind && manifest.object.name == patch.target.name
        };
        let mut targets = base.iter().filter(is_target).peekable();
        let fits = |manifest: &Manifest| manifest.object.namespace == patch.target.namespace;
        let Some(first) = targets.peek().copied() else {
            continue;
        };
        if !targets.any(fits) {
            let (patched, found) = (said(&patch.target.namespace), said(&first.object.namespace));
            let message = format!("the patch of {} says {patched}, its target {found}", patch.target);
            let at = patch.origin.below(&["metadata", "namespace"]);
            problems.push(
                Diagnostic::error(Code::PatchWithoutTarget, message)
                    .at(at)
                    .hint("write the same in both"),
            );
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Who writes a generated object once more means to change it.
fn as_patch(problem: Diagnostic) -> Diagnostic {
    let file = problem
        .location
        .as_ref()
        .map(|location| location.file.file_name().to_owned());
    match file.and_then(|file| Some(format!("gap_patch_{}", file.strip_prefix("gap_")?))) {
        Some(name) if problem.code == Code::DuplicateObject => problem.hint(format!(
            "to change the other one, keep only what differs and name the file `{name}`"
        )),
        _ => problem,
    }
}

/// The problems of all environments, each once; one that not all of them have says whose it is.
fn once_each(problems: IndexMap<String, Vec<Diagnostic>>, environment_count: usize) -> Vec<Diagnostic> {
    let mut found: Vec<(Diagnostic, Vec<String>)> = Vec::new();
    for (environment, problem) in problems
        .into_iter()
        .flat_map(|(name, wrong)| wrong.into_iter().map(move |p| (name.clone(), p)))
    {
        match found.iter_mut().find(|(other, _)| *other == problem) {
            Some((_, environments)) => environments.push(environment),
            None => found.push((problem, vec![environment])),
        }
    }
    let said = found.into_iter().map(|(mut problem, environments)| {
        let folder = problem.location.as_ref().map(|location| location.file.parent());
        let is_in_its_folder = folder.is_some_and(|folder| environments == [folder.file_name()]);
        if environments.len() != environment_count && !is_in_its_folder {
            problem.message = format!("{}, in {}", problem.message, environments.join(", "));
        }
        problem
    });
    said.collect()
}

#[cfg(test)]
mod tests;
