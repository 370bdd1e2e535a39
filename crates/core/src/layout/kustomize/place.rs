//! Where intents are written among kustomizations.
//!
//! Objects of ours are copies of what the base says, in a file beside it. What an overlay makes of an original it has to make of
//! its copy too, and weights differ from overlay to overlay: both are JSON patches of ours in the overlay, found by building it
//! with what is there so far and comparing with what is wanted. What is written is built once more, and has to be it.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jsonptr::PointerBuf;
use serde_json::{Value, json};
use tidegate_yaml::{Edit, Stream};

use super::super::companions::{self, Source};
use super::super::draft::{Draft, overlay};
use super::super::flags::{self, Written};
use super::super::releases::{HEADER, OWNED_PREFIX, own_file};
use super::super::workloads::{IMAGE, split_image};
use super::build::{Built, Files, ImagePlace, Names, build, first_image};
use super::difference::operations;
use super::image::{self, is_below, is_same, problems};
use super::registry::Registry;
use super::{has_others, roots_of};
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef, first_difference};
use crate::model::{Application, FlagName, PinnedImage, Release};
use crate::provider::{CopyIntent, Intent, is_backend};
use crate::repo::RepoPath;

/// The wanted contents of all files that carry a release.
///
/// Errors: everything that cannot be written without changing something else, naming it.
pub(super) fn place(
    application: &Application,
    release: &Release,
    intents: &[Intent],
) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
    let mut place = Place::new(application, release)?;
    for intent in intents {
        place.intent(intent)?;
    }
    place.remove(intents)?;
    place.list_resources()?;
    place.patch()?;
    place.check()?;
    place.draft.finish()
}

struct Place<'a> {
    application: &'a Application,
    release: &'a Release,
    draft: Draft<'a>,
    /// The application with generated objects called as files name them: a patch that said a hash would be wrong with the
    /// next one.
    unhashed: Application,
    /// The folder of each environment.
    roots: IndexMap<String, RepoPath>,
    /// What each environment is built of.
    built: IndexMap<String, Vec<Built>>,
    /// The application with its objects as their documents say them.
    written: Application,
    /// What objects have to be, by environment.
    wanted: IndexMap<String, Vec<(ObjectRef, Wanted)>>,
    /// Documents that were added, with the kustomization that lists their file.
    added: Vec<(RepoPath, ObjectRef, Location)>,
    /// Whether there are overlays that are no environment, so that no base of theirs may get anything.
    has_others: bool,
}

/// What an object has to be.
#[derive(Clone)]
enum Wanted {
    /// This, as a whole.
    Object(Value),
    /// What it is anyway, and these fields.
    Fields(Value),
}

type Done = Result<(), Vec<Diagnostic>>;

impl<'a> Place<'a> {
    fn new(application: &'a Application, release: &'a Release) -> Result<Self, Vec<Diagnostic>> {
        let draft = Draft::new(application);
        let roots = roots_of(application);
        let mut files = Files::after(application, &draft)?;
        let mut built = IndexMap::new();
        for (environment, folder) in &roots {
            built.insert(environment.clone(), image::built(&mut files, folder)?);
        }
        let mut unhashed = application.clone();
        for (name, environment) in &mut unhashed.environments {
            // The same objects in the same order.
            for (manifest, built) in environment.base.iter_mut().zip(&built[name]) {
                *manifest = built.manifest.clone();
            }
        }
        Ok(Self {
            written: as_written(application),
            unhashed,
            wanted: roots.keys().map(|name| (name.clone(), Vec::new())).collect(),
            application,
            release,
            draft,
            roots,
            built,
            added: Vec::new(),
            has_others: has_others(application),
        })
    }

    fn intent(&mut self, intent: &Intent) -> Done {
        match intent {
            Intent::Copy(copy) => self.copy(copy),
            Intent::Backend {
                environments,
                of,
                name,
            } => self.backend(environments, of, name),
            Intent::Tag { workload, tag } => image::set_tag(self.application, workload, tag, &mut self.draft),
            Intent::Flag {
                workload,
                name,
                value,
            } => self.flag(workload, name, value.as_deref()),
            Intent::Object { environments, value } => self.object(environments, value),
            Intent::NoObject { environments, object } => {
                for environment in environments {
                    let found = find(self.application, environment, object);
                    if let Some(found) = found.filter(|found| self.application.owns(&found.origin)) {
                        self.remove_object(environment, &found.origin, &found.object)?;
                    }
                }
                Ok(())
            }
            Intent::Patch {
                environments,
                target,
                fields,
            } => self.patch_object(environments, target, fields),
            // Labels and what is rendered without a release belong to layouts whose objects are made from a spec: see
            // `Kustomize::forms`.
            Intent::Label { .. } | Intent::NoPatch { .. } => Ok(()),
        }
    }

    /// The user's documents and patches say it for the workload; what is ours of the copy says it as all else.
    fn flag(&mut self, workload: &str, name: &FlagName, value: Option<&str>) -> Done {
        let (Some(value), true) = (value, workload == self.release.copy) else {
            let flag = (name, value);
            return set_flag(self.application, workload, flag, &mut self.draft).map_err(|wrong| vec![wrong]);
        };
        for environment in self.roots.keys().cloned().collect::<Vec<_>>() {
            let unhashed = self
                .unhashed
                .generated(&environment, workload, "apps", "Deployment");
            let Some(copy) = unhashed else { continue };
            let (object, mut whole) = (copy.object.clone(), copy.value.clone());
            if flags::say(&mut whole, name, value) {
                let spec = json!({"containers": whole.pointer("/spec/template/spec/containers")});
                let fields = json!({"spec": {"template": {"spec": spec}}});
                self.patch_object(&[environment], &object, &fields)?;
            }
        }
        Ok(())
    }

    /// The file of ours in a folder.
    fn own_file(&self, folder: &RepoPath) -> RepoPath {
        folder.join(&own_file(self.release))
    }

    /// The patch of ours for an object, in the folder of an environment.
    fn patch_file(&self, environment: &str, object: &ObjectRef) -> RepoPath {
        let kind = object.kind.to_lowercase();
        let name = format!(
            "{OWNED_PREFIX}{}-{kind}-{}.yaml",
            self.release.workload, object.name
        );
        self.roots[environment].join(&name)
    }

    /// The document of a kustomization.
    fn kustomization(&self, file: &RepoPath) -> Location {
        let stream = self.application.files.get(file);
        let document = stream.and_then(|stream| {
            stream
                .documents()
                .iter()
                .position(|document| !document.is_empty())
        });
        Location::value(file, document.unwrap_or(0), &[])
    }

    /// The kustomization of an environment.
    fn root(&self, environment: &str) -> Location {
        let folder = &self.roots[environment];
        let mut files = self.application.files.keys();
        let is_it = |file: &&RepoPath| {
            file.parent() == *folder && crate::schema::kustomization::FILE_NAMES.contains(&file.file_name())
        };
        self.kustomization(files.find(is_it).unwrap_or(folder))
    }

    fn registry(&mut self, at: Location) -> Registry<'_, 'a> {
        Registry {
            draft: &mut self.draft,
            at,
        }
    }

    fn built(&self, environment: &str, manifest: &Manifest) -> Option<&Built> {
        let mut built = self.built.get(environment)?.iter();
        built.find(|built| is_same(&built.manifest, manifest))
    }

    /// The environments that have the document of an object.
    fn sharing(&self, origin: &Location) -> usize {
        let has = |built: &&Vec<Built>| built.iter().any(|built| built.manifest.origin == *origin);
        self.built.values().filter(has).count()
    }

    /// The file of ours for what is beside an original, and the kustomization that lists it: the one that lists the original,
    /// or the environment's where others are made of that one too.
    fn home(&self, environment: &str, original: &RepoPath) -> (RepoPath, Location) {
        let mut built = self.built[environment].iter();
        let listed_in = built
            .find(|built| built.manifest.origin.file == *original)
            .map(|built| &built.listed_in)
            .filter(|listed_in| !self.has_others && is_below(self.application, listed_in));
        match listed_in {
            Some(listed_in) => (self.own_file(&listed_in.parent()), self.kustomization(listed_in)),
            None => (self.own_file(&self.roots[environment]), self.root(environment)),
        }
    }

    /// Adds documents to a file of ours, each once, but those that are there.
    fn add(&mut self, file: &RepoPath, listed_in: &Location, texts: Vec<String>) -> Done {
        for text in texts {
            let Some(object) = parse(&text).and_then(|value| ObjectRef::of(&value)) else {
                continue;
            };
            let is_added = self
                .added
                .iter()
                .any(|(known, added, _)| known == file && *added == object);
            let is_there = self.built.values().flatten().any(|built| {
                let found = &built.manifest;
                found.origin.file == *file
                    && found.object.kind == object.kind
                    && found.object.name == object.name
            });
            if !is_added && !is_there {
                self.draft
                    .add_documents(file, HEADER, &[text])
                    .map_err(|wrong| vec![wrong])?;
                self.added.push((file.clone(), object, listed_in.clone()));
            }
        }
        Ok(())
    }

    fn want(&mut self, environment: &str, value: Value) {
        if let (Some(object), Some(wanted)) = (ObjectRef::of(&value), self.wanted.get_mut(environment)) {
            wanted.push((object, Wanted::Object(value)));
        }
    }

    fn copy(&mut self, copy: &CopyIntent) -> Done {
        let of = |environment: &str, workload: &str| {
            self.application
                .generated(environment, workload, "apps", "Deployment")
        };
        let lacking: Vec<(String, &'a Manifest)> = self
            .application
            .environments
            .keys()
            .filter_map(|name| match (of(name, &copy.of), of(name, &copy.key)) {
                (Some(original), None) => Some((name.clone(), original)),
                _ => None,
            })
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        // What `images:` says of the original it would say of the copy: that one calls its image by a name of its own.
        let is_entry = |(name, original): &(String, &Manifest)| {
            let built = self.built(name, original);
            matches!(
                built.and_then(|built| built.image.as_ref()),
                Some(ImagePlace::Entry(_))
            )
        };
        let alias = lacking.iter().any(is_entry).then(|| self.alias());
        for (name, original) in &lacking {
            // What only one environment is made of says itself how many pods that asks for.
            let is_alone = self.sharing(&original.origin) == 1;
            let replicas = copy.replicas.get(name).copied().filter(|_| is_alone);
            let as_written = written(&self.written, name, original);
            let text = companions::workload(&self.written, self.release, as_written, copy, replicas)
                .and_then(|text| match &alias {
                    Some(alias) => with_image(text, alias, &original.origin),
                    None => Ok(text),
                })
                .map_err(|wrong| vec![wrong])?;
            let (file, listed_in) = self.home(name, &original.origin.file);
            self.add(&file, &listed_in, vec![text])?;
            let alone = alone(&self.written, name);
            let by_origin = |origin: &Location, _: Source| origin.file.clone();
            for (original, texts) in companions::companions(&alone, self.release, by_origin)? {
                let (file, listed_in) = self.home(name, &original);
                self.add(&file, &listed_in, texts)?;
            }
        }
        for (name, original) in lacking {
            let alone = alone(&self.unhashed, &name);
            let replicas = copy.replicas.get(&name).copied();
            let original = find(&self.unhashed, &name, &original.object).unwrap_or(original);
            let text = companions::workload(&alone, self.release, original, copy, replicas)
                .map_err(|wrong| vec![wrong])?;
            let same = |origin: &Location, _: Source| origin.file.clone();
            let others = companions::companions(&alone, self.release, same)?;
            for text in std::iter::once(text).chain(others.into_values().flatten()) {
                let Some(value) = parse(&text) else { continue };
                if let (Some(alias), Some(image)) = (&alias, first_image(&value)) {
                    let (repository, tag) = split_image(image);
                    let image = PinnedImage {
                        repository: Some(repository.to_owned()),
                        tag: tag.map(str::to_owned),
                    };
                    let root = self.root(&name);
                    self.registry(root)
                        .add_image(alias, &image)
                        .map_err(|wrong| vec![wrong])?;
                }
                self.want(&name, value);
            }
        }
        Ok(())
    }

    /// What the copy calls its image, where `images:` of the user's would change what it runs.
    fn alias(&self) -> String {
        format!("{OWNED_PREFIX}{}", self.release.copy)
    }

    fn backend(&mut self, environments: &[String], of: &ObjectRef, name: &str) -> Done {
        for environment in environments {
            let original = find(self.application, environment, of);
            let twin = find(self.application, environment, &of.renamed(name));
            let (Some(original), None) = (original, twin) else {
                continue;
            };
            let (file, listed_in) = self.home(environment, &original.origin.file);
            let as_written = written(&self.written, environment, original);
            let text = companions::backend(&self.written, self.release, as_written, name)
                .map_err(|wrong| vec![wrong])?;
            self.add(&file, &listed_in, vec![text])?;
            let alone = alone(&self.unhashed, environment);
            let text =
                companions::backend(&alone, self.release, original, name).map_err(|wrong| vec![wrong])?;
            if let Some(value) = parse(&text) {
                self.want(environment, value);
            }
        }
        Ok(())
    }

    fn object(&mut self, environments: &[String], value: &Value) -> Done {
        let Some(object) = ObjectRef::of(value) else {
            return Ok(());
        };
        for environment in environments {
            match find(self.application, environment, &object) {
                Some(found) if self.application.owns(&found.origin) => self
                    .draft
                    .reconcile(&found.origin, value)
                    .map_err(|wrong| vec![wrong])?,
                Some(_) => self.want(environment, value.clone()),
                None => {
                    let (file, root) = (self.own_file(&self.roots[environment]), self.root(environment));
                    self.add(&file, &root, vec![tidegate_yaml::print(value)])?;
                }
            }
        }
        Ok(())
    }

    /// A document that no other environment is made of, and over which nothing is laid, says it itself.
    fn patch_object(&mut self, environments: &[String], target: &ObjectRef, fields: &Value) -> Done {
        for environment in environments {
            let Some(found) = find(self.application, environment, target) else {
                continue;
            };
            if let Some(count) = replicas_alone(fields) {
                let root = self.root(environment);
                let is_said = self.registry(root).set_replicas(&target.name, count);
                if is_said.map_err(|wrong| vec![wrong])? {
                    continue;
                }
            }
            let as_written = written(&self.written, environment, found);
            let is_alone = self.sharing(&found.origin) == 1 && is_below(self.application, &found.origin.file);
            let is_plain = fields.as_object().is_some_and(|fields| {
                fields
                    .keys()
                    .all(|key| as_written.value.get(key) == found.value.get(key))
            });
            if is_alone && is_plain {
                // Not as it was: an image of it may have been written meanwhile.
                let mut document = self.draft.value(&found.origin).unwrap_or_default();
                overlay(&mut document, fields);
                self.draft
                    .reconcile_object(&found.origin, &document)
                    .map_err(|wrong| vec![wrong])?;
            } else {
                let object = found.object.clone();
                self.want_fields(environment, object, fields);
            }
        }
        Ok(())
    }

    /// One patch says all that is wanted of an object.
    fn want_fields(&mut self, environment: &str, object: ObjectRef, fields: &Value) {
        let wanted = &mut self.wanted[environment];
        let known = wanted.iter_mut().find_map(|(other, wanted)| match wanted {
            Wanted::Fields(known) if *other == object => Some(known),
            _ => None,
        });
        match known {
            Some(known) => overlay(known, fields),
            None => wanted.push((object, Wanted::Fields(fields.clone()))),
        }
    }

    /// What exists for the release alone and is not wanted any more.
    fn remove(&mut self, intents: &[Intent]) -> Done {
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
        let file = own_file(self.release);
        if !has_copy {
            self.by_hand()?;
        }
        for (name, environment) in &self.application.environments {
            let unwanted = environment
                .base
                .iter()
                .filter(|manifest| manifest.origin.file.file_name() == file)
                .filter(|manifest| !wanted.contains(&manifest.object) && (is_backend(manifest) || !has_copy));
            for manifest in unwanted {
                self.remove_object(name, &manifest.origin, &manifest.object)?;
            }
            if !has_copy {
                let (root, alias) = (self.root(name), self.alias());
                self.registry(root)
                    .remove_image(&alias)
                    .map_err(|wrong| vec![wrong])?;
            }
        }
        Ok(())
    }

    /// Errors: a copy that a person wrote, which would stay.
    fn by_hand(&self) -> Done {
        let of = |name: &String| {
            self.application
                .generated(name, &self.release.copy, "apps", "Deployment")
        };
        let mut copies = self.application.environments.keys().filter_map(of);
        let Some(copy) = copies.find(|copy| !self.application.owns(&copy.origin)) else {
            return Ok(());
        };
        let message = format!(
            "`{}` is in a file of yours, which a release leaves alone here",
            self.release.copy
        );
        let found = Diagnostic::error(Code::CannotEdit, message).at(copy.origin.clone());
        Err(vec![found.hint("delete it with what is aimed at it, take its file out of `resources:`, and give its requests to the workload in the commit before")])
    }

    fn remove_object(&mut self, environment: &str, origin: &Location, object: &ObjectRef) -> Done {
        self.draft.remove_document(origin);
        self.remove_patch(environment, object)
    }

    fn remove_patch(&mut self, environment: &str, object: &ObjectRef) -> Done {
        let file = self.patch_file(environment, object);
        if !self.application.files.contains_key(&file) {
            return Ok(());
        }
        self.draft.remove_document(&self.kustomization(&file));
        let root = self.root(environment);
        self.registry(root)
            .remove_patch(file.file_name())
            .map_err(|wrong| vec![wrong])
    }

    /// Files of ours with objects are listed while they are there.
    fn list_resources(&mut self) -> Done {
        for (file, _, listed_in) in self.added.clone() {
            self.registry(listed_in)
                .add_resource(file.file_name())
                .map_err(|wrong| vec![wrong])?;
        }
        let gone: Vec<RepoPath> = self
            .draft
            .clone()
            .finish()?
            .into_iter()
            .filter(|change| change.after.is_none())
            .map(|change| change.path)
            .collect();
        let listed: BTreeSet<(RepoPath, RepoPath)> = self
            .built
            .values()
            .flatten()
            .filter(|built| gone.contains(&built.manifest.origin.file))
            .map(|built| (built.manifest.origin.file.clone(), built.listed_in.clone()))
            .collect();
        for (file, listed_in) in listed {
            let at = self.kustomization(&listed_in);
            self.registry(at)
                .remove_resource(file.file_name())
                .map_err(|wrong| vec![wrong])?;
        }
        Ok(())
    }

    /// Patches of ours make every object what is wanted, where it is not without them.
    fn patch(&mut self) -> Done {
        let mut files = Files::after(self.application, &self.draft)?;
        for environment in self.roots.keys().cloned().collect::<Vec<_>>() {
            let wanted = self.wanted[&environment].clone();
            let own: Vec<RepoPath> = wanted
                .iter()
                .map(|(object, _)| self.patch_file(&environment, object))
                .collect();
            let folder = self.roots[&environment].clone();
            let whole = match own.is_empty() {
                true => Vec::new(),
                false => image::built(&mut files, &folder)?,
            };
            let wanted: Vec<(ObjectRef, Value)> = wanted
                .into_iter()
                .filter_map(|(object, wanted)| {
                    let value = match wanted {
                        Wanted::Object(value) => value,
                        // With what is written already, such as another image.
                        Wanted::Fields(fields) => {
                            let mut objects = whole.iter();
                            let found = objects.find(|built| built.manifest.object.is_meant_by(&object))?;
                            let mut value = found.manifest.value.clone();
                            overlay(&mut value, &fields);
                            value
                        }
                    };
                    Some((object, value))
                })
                .collect();
            let kept = wanted.iter().cloned();
            let kept = kept.map(|(object, value)| (object, Wanted::Object(value)));
            self.wanted.insert(environment.clone(), kept.collect());
            let found = build(
                &mut files,
                &folder,
                &|file| own.contains(file),
                Names::Written,
                &mut Vec::new(),
            )
            .map_err(problems)?;
            for (object, value) in &wanted {
                let Some(found) = found
                    .iter()
                    .find(|built| built.manifest.object.is_meant_by(object))
                else {
                    continue;
                };
                let value = with_annotations(value, &found.manifest.value);
                let operations = operations(&found.manifest.value, &value);
                match operations.is_empty() {
                    true => self.remove_patch(&environment, object)?,
                    false => self.write_patch(&environment, object, Value::Array(operations))?,
                }
            }
            // What an overlay deletes has no copy there.
            for (_, object, _) in self.added.clone() {
                let is_built = found
                    .iter()
                    .any(|built| built.manifest.object.is_meant_by(&object));
                let is_wanted = wanted.iter().any(|(wanted, _)| wanted.is_meant_by(&object));
                let is_meant = is_wanted || !self.is_copied(&object);
                if is_built && !is_meant {
                    let delete = json!({
                        "apiVersion": object.api_version,
                        "kind": object.kind,
                        "metadata": {"name": object.name},
                        "$patch": "delete",
                    });
                    self.write_patch(&environment, &object, delete)?;
                }
            }
        }
        Ok(())
    }

    /// Whether an object that was added is a copy of another: what some environment wants.
    fn is_copied(&self, object: &ObjectRef) -> bool {
        let mut wanted = self.wanted.values().flatten();
        wanted.any(|(wanted, _)| wanted.is_meant_by(object))
    }

    fn write_patch(&mut self, environment: &str, object: &ObjectRef, patch: Value) -> Done {
        let file = self.patch_file(environment, object);
        let written = match self.draft.stream(&file).is_some() {
            true => {
                let at = self.kustomization(&file);
                self.draft.reconcile(&at, &patch)
            }
            false => self.draft.add_document(&file, HEADER, &patch),
        };
        let root = self.root(environment);
        let mut registry = self.registry(root);
        let listed = match patch.is_array() {
            true => registry.add_json_patch(file.file_name(), object),
            false => registry.add_merge_patch(file.file_name()),
        };
        written.and(listed).map_err(|wrong| vec![wrong])
    }

    /// Errors: what is laid over an object after a patch of ours changes it again, or was there for the patch to change.
    fn check(&self) -> Done {
        let mut files = Files::after(self.application, &self.draft)?;
        let mut wrong = Vec::new();
        for (environment, folder) in &self.roots {
            let found = match image::built(&mut files, folder) {
                Ok(found) => found,
                Err(problems) if problems.iter().all(is_of_ours) => {
                    wrong.push(self.comes_later(environment, None));
                    continue;
                }
                Err(problems) => return Err(problems),
            };
            for (object, value) in &self.wanted[environment] {
                let Wanted::Object(value) = value else { continue };
                let Some(found) = found
                    .iter()
                    .find(|built| built.manifest.object.is_meant_by(object))
                else {
                    continue;
                };
                let value = with_annotations(value, &found.manifest.value);
                if let Some(at) = first_difference(&found.manifest.value, &value) {
                    let place = format!("{} of {object}", tidegate_yaml::dotted(&at));
                    wrong.push(self.comes_later(environment, Some(&place)));
                }
            }
        }
        wrong.dedup();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn comes_later(&self, environment: &str, place: Option<&str>) -> Diagnostic {
        let place = place.unwrap_or("what a patch of the release has to change");
        let message = format!("{environment} sets {place} after all patches");
        Diagnostic::error(Code::Undone, message)
            .at(self.root(environment))
            .hint("labels with `includeSelectors`, `replicas:` and `images:` come after patches: say there nothing of what tells the two versions apart")
    }
}

/// Makes a workload say a value for a flag, or nothing: in every document of the application that is its Deployment, or a
/// strategic merge patch of it.
pub(super) fn set_flag(
    application: &Application,
    workload: &str,
    flag: (&FlagName, Option<&str>),
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let mut containers = Vec::new();
    let mut known: Vec<Location> = Vec::new();
    let as_written = as_written(application);
    for environment in application.environments.keys() {
        let deployment = as_written.generated(environment, workload, "apps", "Deployment");
        let Some((deployment, name)) =
            deployment.and_then(|found| Some((found, flags::container_name(found)?)))
        else {
            continue;
        };
        if !known.contains(&deployment.origin) {
            image::is_of(application, &deployment.origin)?;
            containers.push(Written::first(&deployment.origin));
            known.push(deployment.origin.clone());
        }
        for (file, stream) in &application.files {
            for (index, document) in stream.documents().iter().enumerate() {
                let value = document.value();
                let is_its = ObjectRef::of(value).is_some_and(|object| {
                    object.kind == deployment.object.kind && object.name == deployment.object.name
                });
                let at = Location::value(file, index, &[]);
                if is_its && !known.contains(&at) {
                    image::is_of(application, &at)?;
                    containers.extend(Written::patch(&at, value, name));
                    known.push(at);
                }
            }
        }
    }
    flags::set(application, workload, &containers, flag, draft)
}

/// The number of pods, where fields say nothing else.
fn replicas_alone(fields: &Value) -> Option<u64> {
    let spec = fields.get("spec")?;
    let count = spec.get("replicas")?.as_u64()?;
    (*fields == json!({"spec": {"replicas": count}})).then_some(count)
}

/// Whether a patch of ours does not fit.
fn is_of_ours(problem: &Diagnostic) -> bool {
    let file = problem.location.as_ref().map(|at| at.file.file_name());
    problem.code == Code::PatchFailed && file.is_some_and(|file| file.starts_with(OWNED_PREFIX))
}

/// The object of an environment, whatever namespace an intent leaves out.
fn find<'e>(application: &'e Application, environment: &str, object: &ObjectRef) -> Option<&'e Manifest> {
    let mut objects = application.environments.get(environment)?.base.iter();
    objects.find(|manifest| manifest.object.is_meant_by(object))
}

/// An application whose objects are as their documents say them.
fn as_written(application: &Application) -> Application {
    let mut written = application.clone();
    for manifest in written
        .environments
        .values_mut()
        .flat_map(|environment| &mut environment.base)
    {
        let stream = application.files.get(&manifest.origin.file);
        let document = stream.and_then(|stream| stream.documents().get(manifest.origin.document()?));
        let value = document.and_then(|document| manifest.origin.pointer()?.resolve(document.value()).ok());
        // A generated object has no document.
        if let Some((value, object)) = value.and_then(|value| Some((value, ObjectRef::of(value)?))) {
            manifest.value = value.clone();
            manifest.object = object;
        }
    }
    written
}

/// An object as its document says it.
fn written<'w>(written: &'w Application, environment: &str, manifest: &'w Manifest) -> &'w Manifest {
    let environment = written.environments.get(environment);
    let mut objects = environment.into_iter().flat_map(|environment| &environment.base);
    objects
        .find(|other| other.origin == manifest.origin)
        .unwrap_or(manifest)
}

/// An application with one environment.
fn alone(application: &Application, environment: &str) -> Application {
    let mut alone = application.clone();
    alone.environments.retain(|name, _| name == environment);
    alone
}

fn parse(text: &str) -> Option<Value> {
    let stream = Stream::parse(text.to_owned()).ok()?;
    let mut documents = stream.documents().iter();
    documents
        .find(|document| !document.is_empty())
        .map(|document| document.value().clone())
}

fn with_image(text: String, image: &str, at: &Location) -> Result<String, Diagnostic> {
    let refused = |reason: String| {
        let message = format!("this cannot be copied: {reason}");
        Diagnostic::error(Code::CannotCopy, message).at(at.clone())
    };
    let stream = Stream::parse(text).map_err(|error| refused(error.to_string()))?;
    let document = stream
        .documents()
        .iter()
        .position(|document| !document.is_empty());
    let edit = Edit::Set {
        at: PointerBuf::from_tokens(IMAGE),
        value: json!(image),
    };
    let edited = stream.edit(document.unwrap_or(0), &[edit]);
    edited
        .map(Stream::into_text)
        .map_err(|error| refused(error.to_string()))
}

/// Annotations are no part of what is wanted where there are none: those of all objects are on each.
fn with_annotations(wanted: &Value, found: &Value) -> Value {
    let mut wanted = wanted.clone();
    let annotations = found.pointer("/metadata/annotations");
    if let (None, Some(annotations)) = (wanted.pointer("/metadata/annotations"), annotations) {
        wanted["metadata"]["annotations"] = annotations.clone();
    }
    wanted
}
