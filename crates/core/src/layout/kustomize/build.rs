//! What `kustomize build` makes of a folder: its objects, and where each of them and its image is written.
//!
//! The order is kustomize's: resources and folders in the order they are listed, generated objects, components, then what the
//! kustomization itself lays over all of them. Source: kustomize `api/internal/target/kusttarget.go`, version 5.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_patch::error::Document;
use tidegate_patch::target::{LabelSelector, Pattern, Selector, SelectorError};
use tidegate_patch::{ApplyError, ApplyReason, ObjectSet, Patch, PatchBody, PatchError, Unmatched};
use tidegate_yaml::{Limits, Stream};

use super::super::documents;
use super::super::draft::Draft;
use super::super::reading::Reader;
use super::super::releases::OWNED_PREFIX;
use super::fields::{Field, SCALED};
use super::generator::{self, Kind};
use super::transform::{self, Image};
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Failure, Location, Place};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::Application;
use crate::repo::{Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::kustomization::{FILE_NAMES, GeneratorEntry, Kustomization, PatchEntry, TargetEntry};

/// Kustomizations that one environment may be made of, counted as often as they are included.
const MAX_KUSTOMIZATIONS: usize = 256;

/// Kustomizations that may include each other.
const MAX_DEPTH: usize = 32;

/// Objects that all entries of one environment's kustomizations may be about, each entry about all that are there.
const MAX_WORK: usize = 10_000_000;

/// The files of an application, each read once.
pub(super) struct Files<'a> {
    reader: Option<Reader<'a>>,
    limits: Limits,
    pub(super) streams: BTreeMap<RepoPath, Arc<Stream>>,
}

impl<'a> Files<'a> {
    pub(super) fn new(repo: &'a dyn Repo, config: &'a Config) -> Self {
        Self {
            reader: Some(Reader::new(repo, config)),
            limits: config.limits.clone(),
            streams: BTreeMap::new(),
        }
    }

    /// Files that were read, and no others.
    fn of(streams: BTreeMap<RepoPath, Arc<Stream>>) -> Self {
        Self {
            reader: None,
            limits: Limits::default(),
            streams,
        }
    }

    /// The files of an application as they are in a draft.
    ///
    /// Errors: the draft cannot be finished.
    pub(super) fn after(application: &Application, draft: &Draft<'_>) -> Result<Self, Vec<Diagnostic>> {
        let mut streams = application.files.clone();
        for FileChange { path, after, .. } in draft.clone().finish()? {
            match after {
                None => drop(streams.remove(&path)),
                Some(text) => {
                    let stream = Stream::parse(text).map_err(|error| {
                        let found = Diagnostic::error(Code::CannotEdit, error.message);
                        vec![found.at(Location::file(&path))]
                    })?;
                    streams.insert(path, Arc::new(stream));
                }
            }
        }
        Ok(Self::of(streams))
    }

    fn stream(&mut self, file: &RepoPath) -> Result<Option<Arc<Stream>>, Failure> {
        if let Some(stream) = self.streams.get(file) {
            return Ok(Some(stream.clone()));
        }
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let stream = reader.stream(file)?;
        if let Some(stream) = &stream {
            reader.count(file, stream)?;
            self.streams.insert(file.clone(), stream.clone());
        }
        Ok(stream)
    }

    /// Reads the kustomizations of a folder, whatever they say.
    pub(super) fn note(&mut self, folder: &RepoPath) -> Result<(), Failure> {
        for name in FILE_NAMES {
            match self.stream(&folder.join(name)) {
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// The text of a file; files that are not read any more are empty.
    fn text(&mut self, file: &RepoPath) -> Result<Option<String>, Failure> {
        match &mut self.reader {
            Some(reader) => Ok(reader.text(file)?),
            None => Ok(Some(String::new())),
        }
    }

    /// The kustomization of a folder.
    ///
    /// Errors: it cannot be read, or there are two.
    pub(super) fn kustomization(&mut self, folder: &RepoPath) -> Result<Option<Here>, Failure> {
        let mut found: Option<(RepoPath, Arc<Stream>)> = None;
        for name in FILE_NAMES {
            let file = folder.join(name);
            let Some(stream) = self.stream(&file)? else {
                continue;
            };
            if let Some((first, _)) = &found {
                let message = format!("this folder has a {} too", first.file_name());
                let twice = Diagnostic::error(Code::InvalidValue, message).at(Location::file(&file));
                return Err(twice.hint("keep one of the two").into());
            }
            found = Some((file, stream));
        }
        let Some((file, stream)) = found else {
            return Ok(None);
        };
        let mut documents = stream.documents().iter();
        Ok(Some(Here {
            says: Kustomization::parse(&file, &stream)?,
            document: documents.position(|document| !document.is_empty()).unwrap_or(0),
            folder: folder.clone(),
            file,
        }))
    }
}

/// A kustomization with its place.
pub(super) struct Here {
    pub(super) file: RepoPath,
    /// The number of its document.
    document: usize,
    folder: RepoPath,
    pub(super) says: Kustomization,
}

impl Here {
    pub(super) fn at(&self, path: &[&str]) -> Location {
        Location::value(&self.file, self.document, path)
    }

    pub(super) fn entry(&self, key: &str, index: usize) -> Location {
        self.at(&[key, &index.to_string()])
    }
}

/// An object as it is deployed.
#[derive(Debug, Clone)]
pub(super) struct Built {
    /// The object; its origin is the document that it began as.
    pub(super) manifest: Manifest,
    /// The kustomization that lists the file of this document.
    pub(super) listed_in: RepoPath,
    /// What says the image of its first container, where that is not the document.
    pub(super) image: Option<ImagePlace>,
}

/// What says an image.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ImagePlace {
    /// A document with a patch.
    Patch(Location),
    /// A patch in the text of a kustomization.
    Inline(Location),
    /// An entry of `images:`.
    Entry(Location),
}

/// What generated objects are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// With a hash of what they hold, as they are deployed.
    Hashed,
    /// As files name them.
    Written,
}

/// Builds a folder; patch files that are `skipped` are not applied.
///
/// Errors: everything that keeps a folder from being built, as far as it can be told at once. What is worth knowing goes to
/// `notices`.
pub(super) fn build(
    files: &mut Files<'_>,
    folder: &RepoPath,
    skipped: &dyn Fn(&RepoPath) -> bool,
    names: Names,
    notices: &mut Vec<Diagnostic>,
) -> Result<Vec<Built>, Failure> {
    let mut builder = Builder {
        files,
        skipped,
        notices,
        above: Vec::new(),
        count: 0,
        nodes: 0,
        work: 0,
    };
    let at = Location::file(folder);
    let mut set = builder.folder(folder, Included::Resource, &at, Set::default())?;
    if names == Names::Hashed {
        set.hash_names()?;
    }
    Ok(set.finish())
}

/// Objects on the way.
#[derive(Default)]
struct Set {
    objects: Option<ObjectSet>,
    made: Vec<Made>,
}

/// Where an object comes from.
#[derive(Clone)]
struct Made {
    object: ObjectRef,
    origin: Location,
    listed_in: RepoPath,
    image: Option<ImagePlace>,
    /// Whether its name ends in a hash of what it holds.
    is_hashed: bool,
}

impl Set {
    fn get(&self, index: usize) -> Option<&Value> {
        self.objects.as_ref()?.get(index)
    }

    /// The objects that are still there.
    fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.made.len()).filter(|index| self.get(*index).is_some())
    }

    fn change(&mut self, mut change: impl FnMut(&mut Value)) -> Result<(), Failure> {
        let indices: Vec<usize> = self.indices().collect();
        for index in indices {
            self.change_one(index, &mut change)?;
        }
        Ok(())
    }

    fn change_one(&mut self, index: usize, change: impl FnOnce(&mut Value)) -> Result<(), Failure> {
        let at = self.made[index].origin.clone();
        match &mut self.objects {
            Some(objects) => objects.change(index, change).map_err(|error| {
                Diagnostic::error(Code::PatchFailed, error.to_string())
                    .at(at)
                    .into()
            }),
            None => Ok(()),
        }
    }

    fn append(&mut self, other: Self) -> Result<(), Diagnostic> {
        let Some(added) = other.objects else { return Ok(()) };
        let is_first = self.objects.is_none();
        let kept: Vec<bool> = (0..other.made.len())
            .map(|index| added.get(index).is_some())
            .collect();
        let result = match &mut self.objects {
            Some(objects) => objects.append(added),
            None => {
                self.objects = Some(added);
                Ok(())
            }
        };
        if let Err(error) = result {
            let index = error.object.unwrap_or_default();
            return Err(self.twice(&other.made[index.min(other.made.len() - 1)], &error));
        }
        // What a patch deleted is not taken over, unless these are the first.
        let made = other.made.into_iter().zip(kept);
        self.made
            .extend(made.filter(|(_, kept)| *kept || is_first).map(|(made, _)| made));
        Ok(())
    }

    fn twice(&self, second: &Made, error: &ApplyError) -> Diagnostic {
        let ApplyReason::SameObject { .. } = &error.reason else {
            return Diagnostic::error(Code::InvalidValue, error.to_string()).at(second.origin.clone());
        };
        let at = second.origin.below(&["metadata", "name"]);
        let found = Diagnostic::error(
            Code::DuplicateObject,
            format!("there is another {}", second.object),
        );
        let found = found.at(at).hint("keep one, or change the other by a patch");
        let first = self.made.iter().find(|made| {
            made.object.is(second.object.group(), &second.object.kind)
                && made.object.name == second.object.name
        });
        match first {
            Some(first) => found.related(first.origin.clone(), "the other one"),
            None => found,
        }
    }

    /// Gives generated objects their names, and says them where they are referred to.
    fn hash_names(&mut self) -> Result<(), Failure> {
        let generated: Vec<usize> = self
            .indices()
            .filter(|index| self.made[*index].is_hashed)
            .collect();
        for index in generated {
            let Some(value) = self.get(index) else { continue };
            let (Some(object), Some(name)) = (ObjectRef::of(value), generator::hashed_name(value)) else {
                continue;
            };
            self.change_one(index, |value| value["metadata"]["name"] = json!(name))?;
            self.change(|value| generator::refer(value, &object, &name))?;
        }
        Ok(())
    }

    fn finish(self) -> Vec<Built> {
        let indices: Vec<usize> = self.indices().collect();
        let built = indices.into_iter().filter_map(|index| {
            let value = self.get(index)?.clone();
            let is_local = value
                .pointer("/metadata/annotations/config.kubernetes.io~1local-config")
                .is_some_and(|local| local != "false");
            let made = &self.made[index];
            (!is_local).then_some(Built {
                manifest: Manifest {
                    object: ObjectRef::of(&value)?,
                    value,
                    origin: made.origin.clone(),
                },
                listed_in: made.listed_in.clone(),
                image: made.image.clone(),
            })
        });
        built.collect()
    }
}

/// As what a folder is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Included {
    Resource,
    Component,
}

struct Builder<'b, 'f> {
    files: &'b mut Files<'f>,
    skipped: &'b dyn Fn(&RepoPath) -> bool,
    notices: &'b mut Vec<Diagnostic>,
    /// The folders that are being built, the outermost first.
    above: Vec<RepoPath>,
    /// How many were built.
    count: usize,
    /// Values of all files with objects, counted as often as they are included.
    nodes: usize,
    /// Objects that entries were about so far.
    work: usize,
}

impl Builder<'_, '_> {
    /// Builds a folder; a component over what is there already.
    fn folder(
        &mut self,
        folder: &RepoPath,
        included: Included,
        at: &Location,
        set: Set,
    ) -> Result<Set, Failure> {
        self.count += 1;
        if self.above.contains(folder) {
            let message = format!("{folder} includes itself");
            return Err(Diagnostic::error(Code::InvalidValue, message)
                .at(at.clone())
                .hint("take the entry away")
                .into());
        }
        if self.above.len() >= MAX_DEPTH || self.count > MAX_KUSTOMIZATIONS {
            let message = format!(
                "an environment is made of at most {MAX_KUSTOMIZATIONS} kustomizations, {MAX_DEPTH} deep"
            );
            return Err(too_much(message, at).into());
        }
        let Some(here) = self.files.kustomization(folder)? else {
            let message = format!("there is no {} in {folder}", FILE_NAMES[0]);
            return Err(Diagnostic::error(Code::UnknownName, message)
                .at(at.clone())
                .hint("name a file, or a folder that has one")
                .into());
        };
        let is_listed_so = here.says.is_component() == (included == Included::Component);
        if !is_listed_so {
            let (message, key) = match included {
                Included::Resource => (format!("{folder} is a component"), "components"),
                Included::Component => (format!("{folder} is no component"), "resources"),
            };
            return Err(Diagnostic::error(Code::InvalidValue, message)
                .at(at.clone())
                .related(here.at(&["kind"]), "its kind")
                .hint(format!("list it under `{key}:`"))
                .into());
        }
        self.above.push(folder.clone());
        let built = self.target(&here, set);
        self.above.pop();
        built
    }

    fn target(&mut self, here: &Here, mut set: Set) -> Result<Set, Failure> {
        let mut problems = Vec::new();
        for (key, entries) in [("resources", &here.says.resources), ("bases", &here.says.bases)] {
            for (index, entry) in entries.iter().enumerate() {
                let at = here.entry(key, index);
                let added = self.resource(here, entry, &at);
                match added.and_then(|added| Ok(set.append(added)?)) {
                    Err(Failure::Refused(wrong)) => problems.extend(wrong),
                    other => other?,
                }
            }
        }
        if problems.is_empty() {
            let says = &here.says;
            for (kind, key, entries) in [
                (Kind::ConfigMap, "configMapGenerator", &says.config_map_generator),
                (Kind::Secret, "secretGenerator", &says.secret_generator),
            ] {
                for (index, entry) in entries.iter().enumerate() {
                    self.generate(here, &mut set, kind, entry, &here.entry(key, index))?;
                }
            }
        }
        for (index, entry) in here.says.components.iter().enumerate() {
            let at = here.entry("components", index);
            let folder = inside(here, entry, &at)?;
            if !problems.is_empty() {
                break;
            }
            set = self.folder(&folder, Included::Component, &at, set)?;
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        self.transform(here, &mut set)?;
        Ok(set)
    }

    /// Adds a generated object, or what it adds to one that is there.
    fn generate(
        &mut self,
        here: &Here,
        set: &mut Set,
        kind: Kind,
        entry: &GeneratorEntry,
        at: &Location,
    ) -> Result<(), Failure> {
        let common = &here.says.generator_options;
        let value = generator::generate(kind, entry, common, at, |file, at| {
            let path = inside(here, file, at)?;
            is_below(here, &path, at)?;
            match self.files.text(&path)? {
                Some(text) => Ok(text),
                None => Err(no_file(&path, at).into()),
            }
        })?;
        let Some(object) = ObjectRef::of(&value).filter(|object| !object.name.is_empty()) else {
            let nameless = Diagnostic::error(Code::InvalidValue, "the generated object has no name");
            return Err(nameless.at(at.clone()).hint("write `name:`").into());
        };
        let is_hashed = !common.disable_name_suffix_hash && !entry.options.disable_name_suffix_hash;
        let same = |index: &usize| {
            let found = set.get(*index).and_then(ObjectRef::of);
            let namespace =
                |object: &ObjectRef| object.namespace.clone().unwrap_or_else(|| "default".to_owned());
            found.is_some_and(|found| {
                found.kind == object.kind
                    && found.name == object.name
                    && namespace(&found) == namespace(&object)
            })
        };
        let there = set.indices().find(same);
        let wrong = |message: String, hint: &str| {
            let found = Diagnostic::error(Code::InvalidValue, message).at(at.below(&["behavior"]));
            Err(Failure::from(found.hint(hint.to_owned())))
        };
        match (entry.behavior.as_str(), there) {
            ("" | "create", None) => {
                let objects = ObjectSet::new(vec![value]).map_err(|error| {
                    Failure::from(Diagnostic::error(Code::InvalidValue, error.to_string()).at(at.clone()))
                })?;
                let made = vec![Made {
                    object,
                    origin: at.clone(),
                    listed_in: here.file.clone(),
                    image: None,
                    is_hashed,
                }];
                Ok(set.append(Set {
                    objects: Some(objects),
                    made,
                })?)
            }
            ("" | "create", Some(_)) => wrong(
                format!("there is another {object}"),
                "write `behavior: merge` or `behavior: replace`",
            ),
            (behavior @ ("merge" | "replace"), Some(index)) => {
                set.made[index].is_hashed |= is_hashed;
                set.change_one(index, |old| {
                    *old = generator::merged(old, value, behavior == "merge")
                })
            }
            ("merge" | "replace", None) => wrong(
                format!("there is no {object} to {}", entry.behavior),
                "take `behavior:` away, or name one of a base",
            ),
            (other, _) => wrong(
                format!("unknown behavior `{other}`"),
                "write `create`, `merge` or `replace`",
            ),
        }
    }

    /// The objects of one entry of `resources:`.
    fn resource(&mut self, here: &Here, entry: &str, at: &Location) -> Result<Set, Failure> {
        let path = inside(here, entry, at)?;
        if !is_file(&path) {
            return self.folder(&path, Included::Resource, at, Set::default());
        }
        let stream = self.below(here, &path, at)?;
        self.nodes += stream.expanded().nodes;
        if self.nodes > self.files.limits.nodes {
            let message = format!(
                "an environment is made of at most {} values",
                self.files.limits.nodes
            );
            return Err(too_much(message, at).into());
        }
        let read = documents::objects(&path, &stream);
        if !read.problems.is_empty() {
            return Err(read.problems.into());
        }
        let made: Vec<Made> = read
            .items
            .iter()
            .map(|item| Made {
                object: item.object.clone(),
                origin: item.origin.clone(),
                listed_in: here.file.clone(),
                image: None,
                is_hashed: false,
            })
            .collect();
        let values = read.items.into_iter().map(|item| item.value).collect();
        let objects = ObjectSet::new(values).map_err(|error| {
            let whole = Set {
                objects: None,
                made: made.clone(),
            };
            match error.object.and_then(|index| made.get(index)) {
                Some(second) => whole.twice(second, &error),
                None => Diagnostic::error(Code::InvalidValue, error.to_string()).at(at.clone()),
            }
        })?;
        Ok(Set {
            objects: Some(objects),
            made,
        })
    }

    /// A file that a kustomization names, which lies in its folder or below.
    fn below(&mut self, here: &Here, path: &RepoPath, at: &Location) -> Result<Arc<Stream>, Failure> {
        is_below(here, path, at)?;
        match self.files.stream(path)? {
            Some(stream) => Ok(stream),
            None => Err(no_file(path, at).into()),
        }
    }

    fn transform(&mut self, here: &Here, set: &mut Set) -> Result<(), Failure> {
        let says = &here.says;
        let entries = says.patches.len()
            + says.patches_strategic_merge.len()
            + says.patches_json6902.len()
            + says.labels.len()
            + says.replicas.len()
            + says.images.len()
            + says.image_tags.len();
        self.work = self.work.saturating_add(entries.saturating_mul(set.made.len()));
        if self.work > MAX_WORK {
            let message = "there are more patches, labels and images for more objects than can be looked at";
            return Err(too_much(message.to_owned(), &here.at(&[])).into());
        }
        for (index, entry) in says.patches_strategic_merge.iter().enumerate() {
            let at = here.entry("patchesStrategicMerge", index);
            let entry = match entry.contains('\n') || entry.contains(": ") {
                true => PatchEntry {
                    patch: entry.clone(),
                    ..PatchEntry::default()
                },
                false => PatchEntry {
                    path: entry.clone(),
                    ..PatchEntry::default()
                },
            };
            self.patch(here, set, &entry, &at, &at)?;
        }
        for (index, entry) in says.patches.iter().enumerate() {
            let at = here.entry("patches", index);
            self.patch(here, set, entry, &at, &at.below(&["path"]))?;
        }
        if !says.namespace.is_empty() {
            put_into_namespace(set, &says.namespace)?;
        }
        for entry in &says.labels {
            set.change(|object| transform::labels(object, entry))?;
        }
        if !says.common_labels.is_empty() {
            set.change(|object| transform::common_labels(object, &says.common_labels))?;
        }
        if !says.common_annotations.is_empty() {
            set.change(|object| transform::annotations(object, &says.common_annotations))?;
        }
        for (index, entry) in says.patches_json6902.iter().enumerate() {
            let at = here.entry("patchesJson6902", index);
            self.patch(here, set, entry, &at, &at.below(&["path"]))?;
        }
        for (index, entry) in says.replicas.iter().enumerate() {
            scale(set, &entry.name, entry.count, &here.entry("replicas", index))?;
        }
        for (key, entries) in [("images", &says.images), ("imageTags", &says.image_tags)] {
            for (index, entry) in entries.iter().enumerate() {
                let at = here.entry(key, index);
                let image = Image::new(entry, &at)?;
                let indices: Vec<usize> = set.indices().collect();
                for object in indices {
                    let says_tag = !entry.new_tag.is_empty() || !entry.digest.is_empty();
                    let is_first = says_tag
                        && set
                            .get(object)
                            .and_then(first_image)
                            .is_some_and(|text| image.is_about(text));
                    if is_first {
                        set.made[object].image = Some(ImagePlace::Entry(at.clone()));
                    }
                    set.change_one(object, |value| image.apply(value))?;
                }
            }
        }
        Ok(())
    }

    /// Applies a patch; `file_at` is where its file is named.
    fn patch(
        &mut self,
        here: &Here,
        set: &mut Set,
        entry: &PatchEntry,
        at: &Location,
        file_at: &Location,
    ) -> Result<(), Failure> {
        let documents: Vec<(Location, Value, bool)> = match (entry.path.is_empty(), entry.patch.is_empty()) {
            (false, true) => {
                let file = inside(here, &entry.path, file_at)?;
                if (self.skipped)(&file) {
                    return Ok(());
                }
                let stream = self.below(here, &file, file_at)?;
                let place = |index| Location::value(&file, index, &[]);
                bodies(&stream)
                    .map(|(index, value)| (place(index), value, false))
                    .collect()
            }
            (true, false) => {
                let text_at = match at == file_at {
                    true => at.clone(),
                    false => at.below(&["patch"]),
                };
                let stream =
                    Stream::parse_with(entry.patch.clone(), &Limits::default()).map_err(|error| {
                        let message = format!("this patch is no YAML: {}", error.message);
                        Diagnostic::error(Code::InvalidYaml, message).at(text_at.clone())
                    })?;
                bodies(&stream)
                    .map(|(_, value)| (text_at.clone(), value, true))
                    .collect()
            }
            _ => {
                let message = "a patch is either a file or a text";
                return Err(Diagnostic::error(Code::InvalidValue, message)
                    .at(at.clone())
                    .hint("write one of `path:` and `patch:`")
                    .into());
            }
        };
        if documents.is_empty() {
            let empty = Diagnostic::error(Code::InvalidValue, "the patch is empty").at(file_at.clone());
            return Err(empty.hint("take the entry away").into());
        }
        let target = entry
            .target
            .as_ref()
            .map(|target| selector(target, at))
            .transpose()?;
        if target.is_some() && documents.len() > 1 {
            let message = "with a target there is one patch in a file";
            return Err(Diagnostic::error(Code::InvalidValue, message)
                .at(file_at.clone())
                .hint("put each into a file of its own, or take the target away")
                .into());
        }
        for (place, value, is_inline) in documents {
            let patch = Patch {
                body: PatchBody::of(value),
                target: target.clone(),
                unmatched: Unmatched::Accept,
                allow_name_change: entry.options.allow_name_change,
                allow_kind_change: entry.options.allow_kind_change,
            };
            self.apply(set, &patch, &place, is_inline, at)?;
        }
        Ok(())
    }

    fn apply(
        &mut self,
        set: &mut Set,
        patch: &Patch,
        place: &Location,
        is_inline: bool,
        at: &Location,
    ) -> Result<(), Failure> {
        if let (Some(target), Some(objects)) = (&patch.target, &set.objects) {
            let mut there = set.indices().filter_map(|index| objects.get(index));
            if !there.any(|object| target.matches(object)) {
                let nothing = Diagnostic::warning(
                    Code::PatchWithoutTarget,
                    "the target of this patch selects no object",
                );
                self.notices.push(nothing.at(at.below(&["target"])));
            }
        }
        let Some(objects) = &mut set.objects else {
            let message = "there is no object to patch";
            return Err(Diagnostic::error(Code::PatchWithoutTarget, message)
                .at(place.clone())
                .into());
        };
        let images: Vec<Option<String>> = (0..set.made.len())
            .map(|index| objects.get(index).and_then(first_image).map(str::to_owned))
            .collect();
        if let Err(error) = objects.apply(patch) {
            return Err(refused(&error, &set.made, place, is_inline).into());
        }
        for (index, before) in images.iter().enumerate() {
            let after = set.get(index).and_then(first_image);
            if after.is_some() && after != before.as_deref() {
                set.made[index].image = Some(match is_inline {
                    true => ImagePlace::Inline(place.clone()),
                    false => ImagePlace::Patch(place.clone()),
                });
            }
        }
        Ok(())
    }
}

/// The documents of a file with patches.
fn bodies(stream: &Stream) -> impl Iterator<Item = (usize, Value)> + '_ {
    let documents = stream.documents().iter().enumerate();
    documents
        .filter(|(_, document)| !document.value().is_null())
        .map(|(index, document)| (index, document.value().clone()))
}

/// The image of an object's first container.
pub(super) fn first_image(object: &Value) -> Option<&str> {
    object.pointer("/spec/template/spec/containers/0/image")?.as_str()
}

/// Whether an entry of `resources:` names a file: kustomize tries, here its ending says it.
fn is_file(path: &RepoPath) -> bool {
    let name = path.file_name();
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// A path that a kustomization names, from the root of the repository.
///
/// Errors: it is not in the repository.
fn inside(here: &Here, entry: &str, at: &Location) -> Result<RepoPath, Diagnostic> {
    let is_remote = entry.contains("://")
        || entry.contains("?ref=")
        || entry.starts_with("git@")
        || entry.starts_with("github.com/");
    if is_remote {
        let message = format!("`{entry}` is not in this repository, so what is deployed is not known");
        return Err(Diagnostic::error(Code::OutsideRepository, message)
            .at(at.clone())
            .hint("copy what it holds into the repository, and name the folder"));
    }
    let outside = || {
        let message = format!("`{entry}` is outside of the repository");
        let found = Diagnostic::error(Code::OutsideRepository, message).at(at.clone());
        found.hint("name a path inside of it")
    };
    let mut parts: Vec<&str> = here
        .folder
        .as_str()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    if entry.starts_with('/') {
        return Err(outside());
    }
    for part in entry.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop().ok_or_else(outside)?),
            part => parts.push(part),
        }
    }
    RepoPath::new(&parts.join("/")).map_err(|_| outside())
}

fn too_much(message: String, at: &Location) -> Diagnostic {
    let found = Diagnostic::error(Code::LimitReached, message).at(at.clone());
    found.hint("include fewer folders, or smaller ones")
}

/// Errors: a file that is not in the folder of the kustomization that names it, nor below.
fn is_below(here: &Here, path: &RepoPath, at: &Location) -> Result<(), Diagnostic> {
    let prefix = format!("{}/", here.folder.as_str());
    if here.folder == RepoPath::root() || path.as_str().starts_with(&prefix) {
        return Ok(());
    }
    let message = format!(
        "kustomize reads no files above a kustomization: {path} is not below {}",
        here.folder
    );
    Err(Diagnostic::error(Code::InvalidValue, message)
        .at(at.clone())
        .hint("move the file, or list the folder that has it as a base with a kustomization of its own"))
}

fn no_file(path: &RepoPath, at: &Location) -> Diagnostic {
    let missing = Diagnostic::error(Code::UnknownName, format!("there is no file {path}")).at(at.clone());
    missing.hint("write the file, or take the entry away")
}

fn selector(entry: &TargetEntry, at: &Location) -> Result<Selector, Diagnostic> {
    let wrong = |key: &str, error: &SelectorError| {
        let found = Diagnostic::error(Code::InvalidValue, error.to_string());
        found.at(at.below(&["target", key]))
    };
    let pattern = |key: &str, text: &str| Pattern::of_field(text).map_err(|error| wrong(key, &error));
    let labels = |key: &str, text: &str| match text.is_empty() {
        true => Ok(None),
        false => LabelSelector::new(text)
            .map(Some)
            .map_err(|error| wrong(key, &error)),
    };
    Ok(Selector {
        group: pattern("group", &entry.group)?,
        version: pattern("version", &entry.version)?,
        kind: pattern("kind", &entry.kind)?,
        name: pattern("name", &entry.name)?,
        namespace: pattern("namespace", &entry.namespace)?,
        label_selector: labels("labelSelector", &entry.label_selector)?,
        annotation_selector: labels("annotationSelector", &entry.annotation_selector)?,
    })
}

fn put_into_namespace(set: &mut Set, namespace: &str) -> Result<(), Failure> {
    let accounts: Vec<String> = set
        .indices()
        .filter_map(|index| ObjectRef::of(set.get(index)?))
        .filter(|object| object.is("", "ServiceAccount"))
        .map(|object| object.name)
        .collect();
    set.change(|object| {
        transform::namespace(object, namespace);
        transform::subjects(object, namespace, |name| {
            accounts.iter().any(|known| known == name)
        });
    })
}

fn scale(set: &mut Set, name: &str, count: i64, at: &Location) -> Result<(), Failure> {
    let field = Field {
        group: "",
        version: "",
        kind: "",
        path: "spec/replicas",
        create: true,
    };
    let scaled: Vec<usize> = set
        .indices()
        .filter(|index| {
            let object = set.get(*index).and_then(ObjectRef::of);
            object.is_some_and(|object| object.name == name && SCALED.contains(&object.kind.as_str()))
        })
        .collect();
    if scaled.is_empty() {
        let message = format!("there is no workload `{name}` to scale");
        let missing = Diagnostic::error(Code::PatchWithoutTarget, message).at(at.below(&["name"]));
        return Err(missing.hint("name one, or take the entry away").into());
    }
    for index in scaled {
        set.change_one(index, |object| {
            field.visit(object, &mut |value| *value = json!(count))
        })?;
    }
    Ok(())
}

/// A patch that does not fit, in the words of whoever wrote it.
fn refused(error: &ApplyError, made: &[Made], place: &Location, is_inline: bool) -> Diagnostic {
    let named = |id: &tidegate_patch::ObjectId| format!("{}/{}", id.kind, id.name);
    match &error.reason {
        ApplyReason::NoTarget => Diagnostic::error(Code::PatchWithoutTarget, "a JSON patch without a target")
            .at(place.clone())
            .hint("say which object it is for: `target: {kind: …, name: …}` beside its path"),
        ApplyReason::NoObject { id } => {
            let message = format!("there is no {} to patch", named(id));
            let missing = Diagnostic::error(Code::PatchWithoutTarget, message);
            let of_kind = made.iter().filter(|made| made.object.kind == id.kind);
            let names: Vec<&str> = of_kind.map(|made| made.object.name.as_str()).collect();
            let missing = match is_inline {
                true => missing.at(place.clone()),
                false => missing.at(place.below(&["metadata", "name"])),
            };
            match crate::diagnostic::nearest(&id.name, names.iter().copied()) {
                Some(name) if name != id.name => missing.hint(format!("did you mean `{name}`?")),
                Some(_) => missing.hint("write the apiVersion and the namespace of the object"),
                None => missing.hint("name an object of this kustomization or its bases"),
            }
        }
        ApplyReason::Patch(PatchError {
            document,
            pointer,
            reason,
            ..
        }) => {
            let failed = Diagnostic::error(Code::PatchFailed, format!("the patch fails: {reason}"));
            let object = error.object.and_then(|index| made.get(index));
            let is_ours = place.file.file_name().starts_with(OWNED_PREFIX);
            let failed = match is_ours {
                true => failed.hint("what this patch of the release was written for has changed: bring the `test` and what follows it up to date, or take the change back until the release is over"),
                false => failed,
            };
            let failed = match (document, is_inline) {
                (Document::Patch, false) => failed.at(Location {
                    file: place.file.clone(),
                    place: Place::Value(place.document().unwrap_or(0), pointer.clone()),
                }),
                _ => failed.at(place.clone()),
            };
            match object {
                Some(made) => failed.related(made.origin.clone(), "the object it is for"),
                None => failed,
            }
        }
        _ => Diagnostic::error(Code::PatchFailed, error.to_string()).at(place.clone()),
    }
}
