//! Where intents are written in a GAP repository: edits of `gap.yaml` and of the user's patches, and files of
//! our own (`gap_canary_*`, `gap_patch_canary_*`).
//!
//! Every edit goes through [`Draft`]; nothing here touches the disk, and the caller loads the result again and
//! compares it with what was asked for.

use serde_json::{Value, json};

use super::super::companions::{self, Source};
use super::super::draft::{Draft, overlay};
use super::super::flags::{self, Written};
use super::spec_edits;
use crate::argo_cd::{PRUNE_LAST, SYNC_OPTIONS};
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef, first_difference};
use crate::model::{Application, Environment, FlagName, Order, Release, TargetedPatch};
use crate::provider::{CANARY_LABEL, DEFAULT_MARK, Intent, canary_mark};
use crate::render::render_object;
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
        problems: Vec::new(),
    };
    for intent in intents {
        place.intent(intent);
    }
    if !intents
        .iter()
        .any(|intent| matches!(intent, Intent::Label { .. }))
    {
        let edited = spec_edits::remove_labels(application, release, &mut place.draft);
        place.keep(edited);
    }
    if !intents.iter().any(|intent| matches!(intent, Intent::Copy(_))) {
        place.remove_copy();
    }
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
    problems: Vec<Diagnostic>,
}

impl<'a> Place<'a> {
    fn keep(&mut self, result: Result<(), Diagnostic>) {
        self.problems.extend(result.err());
    }

    fn intent(&mut self, intent: &Intent) {
        match intent {
            Intent::Label { workload, labels } => {
                let edited = spec_edits::set_labels(self.application, workload, labels, &mut self.draft);
                self.keep(edited);
            }
            Intent::Copy(copy) => {
                if self.application.workloads.contains_key(&copy.key) {
                    let edited =
                        spec_edits::set_labels(self.application, &copy.key, &copy.labels, &mut self.draft);
                    self.keep(edited);
                    let edited = spec_edits::admit_callers(self.application, copy, &mut self.draft);
                    self.keep(edited);
                    return;
                }
                let edited = spec_edits::add_copy(self.application, copy, &mut self.draft);
                self.keep(edited);
                let file = |location: &Location, source| self.companion_file(location, source);
                match companions::companions(self.application, self.release, file) {
                    Ok(mut files) => {
                        if let Some((file, text)) = self.deletable() {
                            files.entry(file).or_default().push(text);
                        }
                        files.into_iter().for_each(|(file, documents)| {
                            let added = self.draft.add_documents(&file, HEADER_COPY, &documents);
                            self.keep(added);
                        });
                    }
                    Err(problems) => self.problems.extend(problems),
                }
            }
            Intent::Tag { workload, tag } => {
                let image = self
                    .application
                    .workloads
                    .get(workload)
                    .and_then(|workload| workload.image.as_ref());
                if let Some(image) = image {
                    let edited = spec_edits::set_tag(image, tag, &mut self.draft);
                    self.keep(edited);
                }
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
            // The versions of a spec's workload stand behind one Service: see `Gap::form`.
            Intent::Backend { .. } => {}
            Intent::Object { environments, value } => self.object(environments, value),
            Intent::NoObject { environments, object } => self.no_object(environments, object),
            Intent::Patch {
                environments,
                target,
                fields,
            } => self.patch(environments, target, fields),
            Intent::NoPatch {
                environments,
                target,
                fields,
            } => self.no_patch(environments, target, fields),
        }
    }

    /// The file of ours beside an original that is copied.
    fn companion_file(&self, original: &Location, source: Source) -> RepoPath {
        let prefix = match source {
            Source::Resource => "gap_canary",
            Source::Patch => "gap_patch_canary",
        };
        let name = own_file_name(self.application, self.release, prefix, "copy");
        original.file.parent().join(&name)
    }

    /// What the copy needs to go at the end: a protected one could not be deleted, so the patch takes the label off it;
    /// one sync of Argo CD deletes first, so the patch says last where the release asks for it.
    fn deletable(&self) -> Option<(RepoPath, String)> {
        const LABEL: &str = "deletionProtection";
        let environment = self.application.environments.keys().next()?;
        let workload = &self.release.workload;
        let deployment = self
            .application
            .generated(environment, workload, "apps", "Deployment")?;
        let labels = deployment.value.pointer("/metadata/labels");
        let name = companions::name_of_copy(&deployment.object.name, workload, &self.release.copy);
        let mut metadata = json!({"name": name});
        if labels.is_some_and(|labels| labels.get(LABEL).is_some()) {
            metadata["labels"] = json!({LABEL: null});
        }
        if self.release.order == Order::ArgoCd {
            metadata["annotations"] = json!({SYNC_OPTIONS: PRUNE_LAST});
        }
        let is_needed = metadata.as_object().is_some_and(|metadata| metadata.len() > 1);
        let patch = json!({
            "apiVersion": deployment.object.api_version,
            "kind": deployment.object.kind,
            "metadata": metadata,
        });
        let file = own_file_name(self.application, self.release, "gap_patch_canary", "copy");
        let text = format!(
            "# the copy has to go again at the end\n{}",
            tidegate_yaml::print(&patch)
        );
        is_needed.then(|| (self.folder().join(&file), text))
    }

    /// The copy, and everything that is aimed at it alone.
    fn remove_copy(&mut self) {
        if !self.application.workloads.contains_key(&self.release.copy) {
            return;
        }
        let edited = spec_edits::remove_copy(self.application, self.release, &mut self.draft);
        self.keep(edited);
        for origin in companions::of_copy(self.application, self.release) {
            self.draft.remove_document(&origin);
        }
    }

    fn object(&mut self, environments: &[String], value: &Value) {
        let Some(object) = ObjectRef::of(value) else {
            return;
        };
        let found = self.environments(environments).find_map(|environment| {
            environment
                .base
                .iter()
                .find(|manifest| manifest.object == object)
                .map(|manifest| manifest.origin.clone())
        });
        let placed = match found {
            Some(origin) => self.draft.reconcile(&origin, value),
            None => {
                let file = self.own_file(environments, "gap_canary", &object.kind);
                self.draft.add_document(&file, HEADER, value)
            }
        };
        self.keep(placed);
    }

    fn no_object(&mut self, environments: &[String], object: &ObjectRef) {
        let origins: Vec<Location> = self
            .environments(environments)
            .flat_map(|environment| {
                environment
                    .base
                    .iter()
                    .filter(|manifest| manifest.object == *object)
            })
            .map(|manifest| manifest.origin.clone())
            .filter(|origin| self.application.owns(origin) || self.release.origin.is_none())
            .collect();
        origins
            .iter()
            .for_each(|origin| self.draft.remove_document(origin));
    }

    fn patch(&mut self, environments: &[String], target: &ObjectRef, fields: &Value) {
        let is_said = self
            .environments(environments)
            .all(|environment| says_already(environment, target, fields));
        let source = self.source(environments, target, fields);
        if is_said && source.is_none() {
            return;
        }
        let placed = match source {
            Some(patch) => {
                let mut wanted = patch.value.clone();
                overlay(&mut wanted, fields);
                if !self.was_for_the_canary_alone(environments, patch, &wanted) {
                    self.draft.reconcile(&patch.origin, &wanted)
                } else {
                    self.draft.remove_document(&patch.origin);
                    Ok(())
                }
            }
            None => {
                let mut value = json!({
                    "apiVersion": target.api_version,
                    "kind": target.kind,
                    "metadata": {"name": target.name},
                });
                overlay(&mut value, fields);
                let file = self.own_file(environments, "gap_patch_canary", &target.kind);
                self.draft.add_document(&file, HEADER, &value)
            }
        };
        self.keep(placed);
    }

    fn no_patch(&mut self, environments: &[String], target: &ObjectRef, fields: &Value) {
        for patch in self.patches(environments, target) {
            if self.application.owns(&patch.origin) {
                match self.foreign(environments, patch, fields) {
                    Some(problem) => self.problems.push(problem),
                    None => self.draft.remove_document(&patch.origin),
                }
                continue;
            }
            let mut wanted = patch.value.clone();
            if !carries_mark(&wanted, fields) {
                continue;
            }
            take_out(&mut wanted, fields);
            let placed = match is_identity_only(&wanted) {
                true => {
                    self.draft.remove_document(&patch.origin);
                    Ok(())
                }
                false => self.draft.reconcile(&patch.origin, &wanted),
            };
            self.keep(placed);
        }
    }

    /// The patch document to edit: one of ours for these environments, or one of the user's that replaces the
    /// same list (two such patches would fight; maps merge, so they do not).
    fn source(
        &self,
        environments: &[String],
        target: &ObjectRef,
        fields: &Value,
    ) -> Option<&'a TargetedPatch> {
        let is_for_these = |patch: &TargetedPatch| self.environments_of(&patch.origin.file) == *environments;
        let replaces = |patch: &TargetedPatch| {
            if self.application.owns(&patch.origin) {
                shares(&patch.value, fields, false)
            } else {
                shares(&patch.value, fields, true)
            }
        };
        self.patches(environments, target)
            .into_iter()
            .filter(|patch| is_for_these(patch) && replaces(patch))
            .max_by_key(|patch| self.application.owns(&patch.origin))
    }

    /// The patches for an object in these environments, each once, in the order they are applied.
    fn patches(&self, environments: &[String], target: &ObjectRef) -> Vec<&'a TargetedPatch> {
        let mut found: Vec<&TargetedPatch> = Vec::new();
        for environment in self.environments(environments) {
            let aimed = environment.patches.iter().filter(|patch| {
                patch.target.kind == target.kind
                    && patch.target.name == target.name
                    && patch.target.group() == target.group()
            });
            for patch in aimed.filter(|patch| {
                self.environments_of(&patch.origin.file)
                    .iter()
                    .all(|name| environments.contains(name))
            }) {
                if !found.iter().any(|other| other.origin == patch.origin) {
                    found.push(patch);
                }
            }
        }
        found
    }

    /// Whether a patch of a canary made by hand would change nothing any more. A recorded release met its user's patches
    /// when it started, so they stay even if they say nothing.
    fn was_for_the_canary_alone(
        &self,
        environments: &[String],
        patch: &TargetedPatch,
        wanted: &Value,
    ) -> bool {
        let is_made_by_hand = self.release.origin.is_none() && !self.application.owns(&patch.origin);
        is_made_by_hand
            && self.environments(environments).all(|environment| {
                let others = |other: &TargetedPatch| {
                    other.origin != patch.origin && !self.application.owns(&other.origin)
                };
                match render_object(environment, &patch.target, &others) {
                    Ok(Some(without)) => says(&without.value, wanted),
                    _ => false,
                }
            })
    }

    /// What a person added to a patch of ours would go with it, unless the object says it anyway. An `http` list is
    /// compared by the provider, who wrote it.
    fn foreign(&self, environments: &[String], patch: &TargetedPatch, fields: &Value) -> Option<Diagnostic> {
        let others = |other: &TargetedPatch| other.origin != patch.origin;
        let says_anyway = |rest: &Value| {
            self.environments(environments).all(|environment| {
                let without = render_object(environment, &patch.target, &others);
                without.is_ok_and(|without| without.is_some_and(|without| says(&without.value, rest)))
            })
        };
        let mut rest = patch.value.clone();
        take_out(&mut rest, fields);
        if let Some(spec) = rest.get_mut("spec").and_then(Value::as_object_mut) {
            spec.shift_remove("http");
            spec.retain(|key, field| !says_anyway(&json!({"spec": {key: field}})));
        }
        let mut identity = json!({
            "apiVersion": patch.target.api_version,
            "kind": patch.target.kind,
            "metadata": {"name": patch.target.name},
        });
        if rest.get("spec").is_some() {
            identity["spec"] = json!({});
        }
        let path = first_difference(&rest, &identity)?;
        let message = format!(
            "this patch of {} goes now, and this is not of the release",
            patch.target
        );
        Some(
            Diagnostic::error(Code::Drift, message)
                .at(patch.origin.below_pointer(&path).as_key())
                .hint("put it into a patch of your own, in another file, first"),
        )
    }

    fn environments(&self, names: &[String]) -> impl Iterator<Item = &'a Environment> {
        names
            .iter()
            .filter_map(|name| self.application.environments.get(name))
    }

    /// The environments a file counts for, by its folder.
    fn environments_of(&self, file: &RepoPath) -> Vec<String> {
        let folder = file.parent();
        let all = || self.application.environments.keys().cloned();
        match self.application.environments.contains_key(folder.file_name())
            && folder.parent() == self.folder()
        {
            true => vec![folder.file_name().to_owned()],
            false => all().collect(),
        }
    }

    fn folder(&self) -> RepoPath {
        self.application.at.join("gap")
    }

    /// A file of ours for these environments: `gap/gap_patch_canary_service.yaml`,
    /// `gap/staging/gap_patch_canary_virtual_service.yaml`; with the workload from the second release on.
    fn own_file(&self, environments: &[String], prefix: &str, kind: &str) -> RepoPath {
        let folder = match environments {
            [name] if self.application.environments.len() > 1 => self.folder().join(name),
            _ => self.folder(),
        };
        folder.join(&own_file_name(
            self.application,
            self.release,
            prefix,
            &snake_case(kind),
        ))
    }
}

/// Makes a workload say a value for a flag, or nothing: in the spec, and in every patch of its Deployment.
pub(super) fn set_flag(
    application: &Application,
    workload: &str,
    flag: (&FlagName, Option<&str>),
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let spec = application.workloads.get(workload);
    let mut containers: Vec<Written> = spec.map(|spec| Written::spec(&spec.origin)).into_iter().collect();
    let mut known: Vec<&Location> = Vec::new();
    for (name, environment) in &application.environments {
        let Some(deployment) = application.generated(name, workload, "apps", "Deployment") else {
            continue;
        };
        let Some(container) = flags::container_name(deployment) else {
            continue;
        };
        for patch in &environment.patches {
            let is_its = patch.target.is("apps", "Deployment") && patch.target.name == deployment.object.name;
            if is_its && !known.contains(&&patch.origin) {
                known.push(&patch.origin);
                containers.extend(Written::patch(&patch.origin, &patch.value, container));
            }
        }
    }
    flags::set(application, workload, &containers, flag, draft)
}

/// First line of a file of ours.
const HEADER: &str = "# Written by tidegate for the canary of this application; `tidegate status` says where it stands.\n# Transitions rewrite what it says and the last one removes it: put changes of your own into a patch of your own.\n";

/// First line of a file with what was copied for the copy.
const HEADER_COPY: &str =
    "# Written by tidegate: what is aimed at the workload, once more for its copy. Goes with the copy.\n";

/// The name of a file of ours.
pub(super) fn own_file_name(
    application: &Application,
    release: &Release,
    prefix: &str,
    what: &str,
) -> String {
    match canary_mark(application, release).as_str() {
        DEFAULT_MARK => format!("{prefix}_{what}.yaml"),
        _ => format!("{prefix}_{}_{what}.yaml", release.workload.replace('-', "_")),
    }
}

/// `VirtualService` → `virtual_service`.
fn snake_case(kind: &str) -> String {
    let mut name = String::new();
    for letter in kind.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Whether a rendered object has what a patch would make of it.
fn says(object: &Value, patch: &Value) -> bool {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            patch.iter().all(|(key, field)| match (object.get(key), field) {
                (found, Value::Null) => found.is_none_or(Value::is_null),
                (Some(found), field) => says(found, field),
                (None, _) => false,
            })
        }
        (object, patch) => object == patch,
    }
}

fn says_already(environment: &Environment, target: &ObjectRef, fields: &Value) -> bool {
    let found = environment
        .rendered
        .find(target.group(), &target.kind, &target.name);
    found.is_some_and(|object: &Manifest| says(&object.value, fields))
}

/// Whether two patches say the same leaf; with `lists_only`, a leaf that is a list.
fn shares(value: &Value, fields: &Value, lists_only: bool) -> bool {
    match (value, fields) {
        (Value::Object(value), Value::Object(fields)) => fields.iter().any(|(key, field)| {
            value
                .get(key)
                .is_some_and(|inner| shares(inner, field, lists_only))
        }),
        (value, _) => !lists_only || value.is_array(),
    }
}

/// Whether a patch of the user's holds the release's mark, so that it was written for a canary.
fn carries_mark(value: &Value, fields: &Value) -> bool {
    let mark = |value: &Value| {
        value
            .pointer("/spec/selector")
            .and_then(|selector| selector.get(CANARY_LABEL))
            .cloned()
    };
    mark(value).is_some_and(|found| Some(found) == mark(fields))
}

/// Takes out of a patch what equals `fields`; maps that become empty go with it.
fn take_out(value: &mut Value, fields: &Value) {
    let (Value::Object(value), Value::Object(fields)) = (value, fields) else {
        return;
    };
    for (key, field) in fields {
        let Some(inner) = value.get_mut(key) else { continue };
        if inner == field {
            value.shift_remove(key);
        } else if inner.is_object() {
            take_out(inner, field);
            if inner.as_object().is_some_and(serde_json::Map::is_empty) {
                value.shift_remove(key);
            }
        }
    }
}

/// Whether a patch says nothing but which object it is for.
fn is_identity_only(value: &Value) -> bool {
    let Some(fields) = value.as_object() else {
        return false;
    };
    fields.iter().all(|(key, field)| match key.as_str() {
        "apiVersion" | "kind" => true,
        "metadata" => field
            .as_object()
            .is_some_and(|metadata| metadata.keys().all(|key| key == "name" || key == "namespace")),
        _ => false,
    })
}

/// Patches of the user's that come after one of ours and say the same fields otherwise.
pub(super) fn undoing<'a>(
    application: &'a Application,
    environment: &str,
) -> impl Iterator<Item = Diagnostic> + 'a {
    let patches = application
        .environments
        .get(environment)
        .map_or(&[][..], |environment| &environment.patches);
    let ours = patches
        .iter()
        .enumerate()
        .filter(|(_, patch)| application.owns(&patch.origin));
    ours.filter_map(move |(index, ours)| {
        let undoes = |patch: &&TargetedPatch| {
            let is_same_object =
                patch.target.kind == ours.target.kind && patch.target.name == ours.target.name;
            let spec = |patch: &TargetedPatch| patch.value.get("spec").cloned().unwrap_or(Value::Null);
            is_same_object && !application.owns(&patch.origin) && shares(&spec(patch), &spec(ours), false)
        };
        let later = patches[index + 1..].iter().find(undoes)?;
        let message = format!(
            "this patch of {} comes after the one of the release and undoes it",
            later.target
        );
        let own = ours.origin.file.file_name();
        let hint = format!("take what both say out of it, or rename its file so that it sorts before {own}");
        let at = later.origin.below(&["spec"]).as_key();
        Some(Diagnostic::error(Code::Undone, message).at(at).hint(hint))
    })
}
