//! Where intents are written among plain manifests: the user's documents in place, and one file of ours for each
//! folder with what exists for the release alone.

use serde_json::{Value, json};
use tidegate_yaml::Stream;

use super::super::companions::{self, Source};
use super::super::draft::{Draft, overlay};
use super::super::flags::{self, Written};
use super::super::releases::{HEADER, own_file};
use super::super::workloads::{IMAGE, with_tag};
use super::helm_release;
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Environment, FlagName, Release};
use crate::provider::{BACKEND_LABEL, CopyIntent, Intent, is_backend};
use crate::repo::RepoPath;

/// The wanted contents of all files that carry a release.
///
/// Errors: everything that cannot be written without changing something else, naming it.
pub(super) fn place(
    application: &Application,
    release: &Release,
    intents: &[Intent],
) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
    let mut place = Place {
        application,
        release,
        draft: Draft::new(application),
        added: Vec::new(),
        unwanted: Vec::new(),
        written: Vec::new(),
        problems: Vec::new(),
    };
    for intent in intents {
        place.intent(intent);
    }
    place.remove(intents);
    if place.problems.is_empty() {
        place.draft.finish()
    } else {
        Err(place.problems)
    }
}

struct Place<'a> {
    application: &'a Application,
    release: &'a Release,
    draft: Draft<'a>,
    /// What was added, each with its file: what lies in a shared folder is the same document for several environments.
    added: Vec<(RepoPath, ObjectRef)>,
    /// What no intent wants to be there any more.
    unwanted: Vec<Location>,
    /// What was written over the user's, each with its environment.
    written: Vec<(Location, Value, String)>,
    problems: Vec<Diagnostic>,
}

impl<'a> Place<'a> {
    fn keep(&mut self, result: Result<(), Diagnostic>) {
        self.problems.extend(result.err());
    }

    fn intent(&mut self, intent: &Intent) {
        match intent {
            Intent::Copy(copy) => self.copy(copy),
            Intent::Backend {
                environments,
                of,
                name,
            } => self.backend(environments, of, name),
            Intent::Tag { workload, tag } => {
                let edited = set_tag(self.application, workload, tag, &mut self.draft);
                self.keep(edited);
            }
            Intent::Flag {
                workload,
                name,
                value,
            } => {
                let flag = (name, value.as_deref());
                let edited = set_flag(self.application, workload, flag, &mut self.draft);
                self.keep(edited);
            }
            Intent::Object { environments, value } => self.object(environments, value),
            Intent::NoObject { environments, object } => self.no_object(environments, object),
            Intent::Patch {
                environments,
                target,
                fields,
            } => self.patch(environments, target, fields),
            // Labels and what is rendered without a release belong to layouts whose objects are made from a spec: see
            // `Manifests::forms`.
            Intent::Label { .. } | Intent::NoPatch { .. } => {}
        }
    }

    fn environments(&self, names: &[String]) -> Vec<&'a Environment> {
        let environments = names.iter();
        environments
            .filter_map(|name| self.application.environments.get(name))
            .collect()
    }

    /// The file of ours beside an original.
    fn file(&self, original: &Location) -> RepoPath {
        original.file.parent().join(&own_file(self.release))
    }

    /// Whether an object beside an original was not added yet; it is from here on.
    fn is_new(&mut self, original: &Location, object: ObjectRef) -> bool {
        let added = (self.file(original), object);
        let is_new = !self.added.contains(&added);
        if is_new {
            self.added.push(added);
        }
        is_new
    }

    /// Whether a file has the object of a document already: an environment may have lost the copy while others kept it.
    fn is_there(&self, file: &RepoPath, text: &str) -> bool {
        let stream = Stream::parse(text.to_owned());
        let object = stream.ok().and_then(|stream| {
            let mut documents = stream.documents().iter();
            documents.find_map(|document| ObjectRef::of(document.value()))
        });
        let mut environments = self.application.environments.values();
        object.is_some_and(|object| {
            environments.any(|environment| {
                let mut objects = environment.base.iter();
                objects.any(|known| known.origin.file == *file && known.object == object)
            })
        })
    }

    fn copy(&mut self, copy: &CopyIntent) {
        let mut originals: Vec<(&String, &Manifest)> = Vec::new();
        for name in self.application.environments.keys() {
            let of = |workload: &str| self.application.generated(name, workload, "apps", "Deployment");
            // What lies in a shared folder is the same document for several environments.
            let (Some(original), None) = (of(&copy.of), of(&copy.key)) else {
                continue;
            };
            if !originals.iter().any(|(_, known)| known.origin == original.origin) {
                originals.push((name, original));
            }
        }
        if originals.is_empty() {
            return;
        }
        for (environment, original) in originals {
            let replicas = copy.replicas.get(environment).copied();
            let text = companions::workload(self.application, self.release, original, copy, replicas);
            match text {
                Ok(text) => {
                    let file = self.file(&original.origin);
                    let added = self.draft.add_documents(&file, HEADER, &[text]);
                    self.keep(added);
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        let file = |location: &Location, _: Source| self.file(location);
        match companions::companions(self.application, self.release, file) {
            Ok(files) => files.into_iter().for_each(|(file, mut documents)| {
                documents.retain(|text| !self.is_there(&file, text));
                let added = self.draft.add_documents(&file, HEADER, &documents);
                self.keep(added);
            }),
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn backend(&mut self, environments: &[String], of: &ObjectRef, name: &str) {
        for environment in self.environments(environments) {
            let found = find(environment, &of.renamed(name));
            if let Some(by_hand) = found.filter(|found| !is_backend(found)) {
                self.mark(by_hand);
            }
            let (Some(original), None) = (find(environment, of), found) else {
                continue;
            };
            if !self.is_new(&original.origin, of.renamed(name)) {
                continue;
            }
            match companions::backend(self.application, self.release, original, name) {
                Ok(text) => {
                    let file = self.file(&original.origin);
                    let added = self.draft.add_documents(&file, HEADER, &[text]);
                    self.keep(added);
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    /// Says of a backend that a person wrote what those of a release say.
    fn mark(&mut self, backend: &Manifest) {
        let mut wanted = self
            .draft
            .value(&backend.origin)
            .unwrap_or_else(|| backend.value.clone());
        if wanted
            .pointer("/metadata/labels")
            .and_then(|labels| labels.get(BACKEND_LABEL))
            .is_some()
        {
            return;
        }
        wanted["metadata"]["labels"][BACKEND_LABEL] = json!(self.release.workload);
        let written = self.draft.reconcile_object(&backend.origin, &wanted);
        self.keep(written);
    }

    fn object(&mut self, environments: &[String], value: &Value) {
        let Some(object) = ObjectRef::of(value) else {
            return;
        };
        for environment in self.environments(environments) {
            match find(environment, &object) {
                Some(found) => self.write(environment, &found.origin, value),
                None => {
                    let original = self.application.generated(
                        &environment.name,
                        &self.release.workload,
                        "apps",
                        "Deployment",
                    );
                    let Some(original) = original else { continue };
                    if !self.is_new(&original.origin, object.clone()) {
                        continue;
                    }
                    let file = self.file(&original.origin);
                    let added = self.draft.add_document(&file, HEADER, value);
                    self.keep(added);
                }
            }
        }
    }

    fn no_object(&mut self, environments: &[String], object: &ObjectRef) {
        for environment in self.environments(environments) {
            if let Some(found) = find(environment, object) {
                self.unwanted.push(found.origin.clone());
            }
        }
    }

    fn patch(&mut self, environments: &[String], target: &ObjectRef, fields: &Value) {
        for environment in self.environments(environments) {
            let Some(found) = find(environment, target) else {
                continue;
            };
            // An image that another intent gave it stays.
            let mut wanted = self
                .draft
                .value(&found.origin)
                .unwrap_or_else(|| found.value.clone());
            overlay(&mut wanted, fields);
            self.write(environment, &found.origin, &wanted);
        }
    }

    /// Makes an object say something, in its document or in its item of a list.
    fn write(&mut self, environment: &Environment, origin: &Location, wanted: &Value) {
        let other = self
            .written
            .iter()
            .find(|(known, value, _)| known == origin && value != wanted);
        if let Some((_, _, other)) = other {
            let message = format!(
                "{other} and {} share this, so it cannot say something else for one of them",
                environment.name
            );
            let shared = Diagnostic::error(Code::CannotEdit, message).at(origin.clone());
            let hint = "change all environments alike, or move it into a folder for each environment";
            self.problems.push(shared.hint(hint));
            return;
        }
        self.written
            .push((origin.clone(), wanted.clone(), environment.name.clone()));
        let written = self.draft.reconcile_object(origin, wanted);
        self.keep(written);
    }

    /// What exists for the release alone and is not wanted any more.
    fn remove(&mut self, intents: &[Intent]) {
        let has_copy = intents.iter().any(|intent| matches!(intent, Intent::Copy(_)));
        let wanted: Vec<ObjectRef> = intents
            .iter()
            .filter_map(|intent| match intent {
                Intent::Object { value, .. } => ObjectRef::of(value),
                Intent::Backend { of, name, .. } => Some(of.renamed(name)),
                _ => None,
            })
            .collect();
        // What reaches the copy may outlive it, and goes by its own intent.
        let ours = self.application.environments.values().flat_map(|environment| {
            environment
                .base
                .iter()
                .filter(|manifest| self.application.owns(&manifest.origin))
        });
        let file = own_file(self.release);
        let unwanted = ours
            .filter(|manifest| manifest.origin.file.file_name() == file)
            .filter(|manifest| !wanted.contains(&manifest.object) && (is_backend(manifest) || !has_copy))
            .map(|manifest| manifest.origin.clone());
        let mut unwanted: Vec<Location> = unwanted.chain(std::mem::take(&mut self.unwanted)).collect();
        if !has_copy {
            unwanted.extend(self.by_hand());
        }
        unwanted.sort_by_key(|origin| std::cmp::Reverse(place_of(origin)));
        unwanted.dedup();
        for origin in unwanted {
            match origin.pointer().filter(|pointer| !pointer.is_root()).cloned() {
                None => self.draft.remove_document(&origin),
                Some(at) => {
                    let removed = self.draft.edit(&origin, &[tidegate_yaml::Edit::Remove { at }]);
                    self.keep(removed);
                }
            }
        }
    }

    /// What a person wrote for the copy, in files of their own: its Deployment, and what is aimed at its pods.
    fn by_hand(&self) -> Vec<Location> {
        let environments = self.application.environments.values();
        let deployments = environments.filter_map(|environment| {
            self.application
                .generated(&environment.name, &self.release.copy, "apps", "Deployment")
        });
        let deployments = deployments.map(|deployment| deployment.origin.clone());
        deployments
            .chain(companions::of_copy(self.application, self.release))
            .collect()
    }
}

/// Later places come first, so that taking one out moves no other.
fn place_of(location: &Location) -> (RepoPath, Option<usize>, Vec<usize>) {
    let tokens = location
        .pointer()
        .into_iter()
        .flat_map(|pointer| pointer.tokens());
    let indexes = tokens.filter_map(|token| token.decoded().parse().ok());
    (location.file.clone(), location.document(), indexes.collect())
}

fn find<'e>(environment: &'e Environment, object: &ObjectRef) -> Option<&'e Manifest> {
    let mut objects = environment.base.iter();
    objects.find(|manifest| manifest.object.is_meant_by(object))
}

/// Makes a workload say a value for a flag, or nothing, in every environment.
pub(super) fn set_flag(
    application: &Application,
    workload: &str,
    flag: (&FlagName, Option<&str>),
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let mut places: Vec<&Location> = Vec::new();
    for environment in application.environments.keys() {
        let deployment = application.generated(environment, workload, "apps", "Deployment");
        // What lies in a shared folder is the same document for several environments.
        places.extend(
            deployment
                .map(|deployment| &deployment.origin)
                .filter(|origin| !places.contains(origin)),
        );
    }
    let containers: Vec<Written> = places.into_iter().map(Written::first).collect();
    flags::set(application, workload, &containers, flag, draft)
}

/// Writes a tag into the image of a workload, in every environment.
pub(super) fn set_tag(
    application: &Application,
    workload: &str,
    tag: &str,
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    for (environment, objects) in &application.environments {
        if let Some(release) = helm_release::find(objects, workload) {
            helm_release::set_tag(draft, release, tag)?;
        }
        let deployment = application.generated(environment, workload, "apps", "Deployment");
        let image = deployment.and_then(|deployment| {
            Some((
                deployment,
                deployment.text("/spec/template/spec/containers/0/image")?,
            ))
        });
        let Some((deployment, text)) = image else {
            continue;
        };
        let wanted = with_tag(text, tag);
        if wanted == text {
            continue;
        }
        let at = deployment.origin.below(&IMAGE);
        let Some(pointer) = at.pointer().cloned() else {
            return Err(Diagnostic::error(Code::CannotEdit, "the image has no place").at(at));
        };
        let edit = tidegate_yaml::Edit::Set {
            at: pointer,
            value: json!(wanted),
        };
        draft.edit(&at, &[edit])?;
    }
    Ok(())
}
