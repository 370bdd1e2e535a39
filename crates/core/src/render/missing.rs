//! What is said about a patch whose target is not there, and about an object that is there twice.

use crate::diagnostic::{Code, Diagnostic, Location, Place, nearest};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::TargetedPatch;

/// The patch's target is not among the objects: because of its version, its namespace, its name or its kind.
pub(super) fn target(base: &[Manifest], patch: &TargetedPatch, namespace: &str) -> Diagnostic {
    let wanted = &patch.target;
    let of_kind = || {
        base.iter()
            .map(|manifest| &manifest.object)
            .filter(|object| object.kind == wanted.kind)
    };
    let named = || of_kind().filter(|object| object.name == wanted.name);
    let other_version = named().find(|object| object.api_version != wanted.api_version);
    let same_version = named().find(|object| object.api_version == wanted.api_version);
    match (same_version, other_version) {
        (Some(object), _) => other_namespace(object, patch, namespace),
        (None, Some(object)) => {
            let message = format!("there is no {wanted} in {}", wanted.api_version);
            Diagnostic::error(Code::PatchWithoutTarget, message)
                .at(patch.origin.below(&["apiVersion"]))
                .hint(format!("write `apiVersion: {}`", object.api_version))
        }
        (None, None) => {
            let missing =
                Diagnostic::error(Code::PatchWithoutTarget, format!("there is no {wanted} to patch"));
            let names: Vec<&str> = of_kind().map(|object| object.name.as_str()).collect();
            match names.is_empty() {
                true => other_kind(base, wanted, missing.at(patch.origin.below(&["kind"]))),
                false => other_name(
                    &names,
                    wanted,
                    missing.at(patch.origin.below(&["metadata", "name"])),
                ),
            }
        }
    }
}

fn other_namespace(object: &ObjectRef, patch: &TargetedPatch, namespace: &str) -> Diagnostic {
    let wanted = patch.target.namespace.as_deref().unwrap_or(namespace);
    let found = object.namespace.as_deref().unwrap_or(namespace);
    let message = format!("there is no {} in the namespace `{wanted}`", patch.target);
    let missing = Diagnostic::error(Code::PatchWithoutTarget, message);
    let missing = missing.at(patch.origin.below(&["metadata", "namespace"]));
    match object.namespace {
        None => missing.hint("take the key `namespace` out: it is the application's by itself"),
        Some(_) => missing.hint(format!("write `namespace: {found}`")),
    }
}

fn other_name(names: &[&str], wanted: &ObjectRef, missing: Diagnostic) -> Diagnostic {
    match nearest(&wanted.name, names.iter().copied()) {
        Some(name) => missing.hint(format!("did you mean `{name}`?")),
        None => missing.hint(format!(
            "objects of the kind {}: {}",
            wanted.kind,
            names.join(", ")
        )),
    }
}

fn other_kind(base: &[Manifest], wanted: &ObjectRef, missing: Diagnostic) -> Diagnostic {
    let same_name = base
        .iter()
        .map(|manifest| &manifest.object)
        .filter(|object| object.name == wanted.name);
    let kinds: Vec<&str> = same_name.map(|object| object.kind.as_str()).collect();
    match nearest(&wanted.kind, kinds.iter().copied()) {
        Some(kind) => missing.hint(format!("did you mean the kind `{kind}`?")),
        None if kinds.is_empty() => {
            missing.hint(format!("no object of the kind {} is rendered here", wanted.kind))
        }
        None => missing.hint(format!(
            "objects of the name {}: {}",
            wanted.name,
            kinds.join(", ")
        )),
    }
}

/// The patch's target was deleted by a patch before it.
pub(super) fn deleted(patch: &TargetedPatch, earlier: &TargetedPatch) -> Diagnostic {
    let message = format!("{} was deleted by a patch before this one", patch.target);
    Diagnostic::error(Code::PatchWithoutTarget, message)
        .at(patch.origin.below(&["metadata", "name"]))
        .related(earlier.origin.clone(), "deleted here")
        .hint("delete one of the two patches")
}

/// An object has the kind and name of one before it.
pub(super) fn duplicate(object: &Manifest, first: &Manifest) -> Diagnostic {
    let is_document = first.origin.pointer().is_some_and(|pointer| pointer.is_root());
    let (place, label) = match is_document {
        true => (first.origin.below(&["metadata", "name"]), "the other one"),
        false => (as_key(&first.origin), "the other one is generated for this"),
    };
    Diagnostic::error(
        Code::DuplicateObject,
        format!("there is another {}", object.object),
    )
    .at(object.origin.below(&["metadata", "name"]))
    .related(place, label)
}

/// A workload is shown by its key, not by where its value starts.
fn as_key(at: &Location) -> Location {
    match &at.place {
        Place::Value(document, pointer) => Location {
            file: at.file.clone(),
            place: Place::Key(*document, pointer.clone()),
        },
        _ => at.clone(),
    }
}
