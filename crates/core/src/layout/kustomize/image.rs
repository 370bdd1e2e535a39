//! Where the image of a workload is written: in its document, in a patch, or under `images:` of a kustomization.

use jsonptr::PointerBuf;
use serde_json::{Value, json};
use tidegate_yaml::Edit;

use super::super::draft::Draft;
use super::super::workloads::{IMAGE, with_tag};
use super::build::{Built, Files, ImagePlace, Names, build, first_image};
use super::roots_of;
use crate::diagnostic::{Code, Diagnostic, Failure, Location};
use crate::manifest::Manifest;
use crate::model::Application;
use crate::repo::RepoPath;

/// The place that a person would change.
pub(super) fn origin(built: &Built) -> Location {
    match &built.image {
        None => built.manifest.origin.below(&IMAGE),
        Some(ImagePlace::Patch(at) | ImagePlace::Inline(at) | ImagePlace::Entry(at)) => at.clone(),
    }
}

/// Writes a tag wherever the image of a workload is said, in every environment.
///
/// Errors: places that cannot be written without changing something else.
pub(super) fn set_tag(
    application: &Application,
    workload: &str,
    tag: &str,
    draft: &mut Draft<'_>,
) -> Result<(), Vec<Diagnostic>> {
    let mut before = Vec::new();
    let mut files = Files::after(application, draft)?;
    for (environment, folder) in roots_of(application) {
        let Some(deployment) = application.generated(&environment, workload, "apps", "Deployment") else {
            continue;
        };
        let objects = built(&mut files, &folder)?;
        let Some(found) = objects.iter().find(|built| is_same(&built.manifest, deployment)) else {
            continue;
        };
        let Some(text) = first_image(&found.manifest.value) else {
            continue;
        };
        let wanted = with_tag(text, tag);
        if wanted != text {
            write(application, found, text, &wanted, tag, draft).map_err(|wrong| vec![wrong])?;
        }
        before.push((folder, deployment, wanted, origin(found), objects.clone()));
    }
    let mut files = Files::after(application, draft)?;
    for (folder, deployment, wanted, at, objects) in before {
        let after = built(&mut files, &folder)?;
        for (before, after) in objects.iter().zip(&after) {
            let is_own = is_same(&after.manifest, deployment);
            let is_right = match is_own {
                true => first_image(&after.manifest.value) == Some(&wanted),
                false => before.manifest.value == after.manifest.value,
            };
            if is_right {
                continue;
            }
            let message = match is_own {
                true => format!("what says the image of `{workload}` here does not decide it"),
                false => format!("this says the image of {} too", before.manifest.object),
            };
            return Err(vec![
                Diagnostic::error(Code::CannotEdit, message)
                    .at(at)
                    .related(after.manifest.origin.clone(), "this object")
                    .hint(format!("let one place say the image of `{workload}` alone: its document, or an entry of `images:` with a name of its own")),
            ]);
        }
    }
    Ok(())
}

fn write(
    application: &Application,
    built: &Built,
    text: &str,
    wanted: &str,
    tag: &str,
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let at = origin(built);
    is_of(application, &at)?;
    let cannot = |reason: &str, hint: &str| {
        let found = Diagnostic::error(Code::CannotEdit, reason.to_owned()).at(at.clone());
        Err(found.hint(hint.to_owned()))
    };
    let Some(said) = draft.value(&at) else {
        return cannot("the image has no place", "write it in the workload's document");
    };
    let edits = match &built.image {
        None => {
            let Some(raw) = said.as_str() else {
                return cannot("the image is no text", "write it as text");
            };
            vec![set(&at, &[], json!(with_tag(raw, tag)))]
        }
        Some(ImagePlace::Entry(_)) => entry_edits(&at, &said, tag),
        Some(ImagePlace::Patch(_)) => {
            let mut places = Vec::new();
            find(&said, text, &mut PointerBuf::root(), &mut places);
            // Another environment may share the patch.
            if places.is_empty() {
                find(&said, wanted, &mut PointerBuf::root(), &mut places);
            }
            let [place] = places.as_slice() else {
                return cannot(
                    "this patch says the image in a way that cannot be edited",
                    "say the image under `images:`, or once in the patch",
                );
            };
            vec![Edit::Set {
                at: place.clone(),
                value: json!(wanted),
            }]
        }
        Some(ImagePlace::Inline(_)) => {
            return cannot(
                "the image is said by a patch in the text of a kustomization",
                "put the patch into a file, or say the image under `images:`",
            );
        }
    };
    draft.edit(&at, &edits)
}

/// A tag where there is a digest takes its place, and the other way round.
fn entry_edits(at: &Location, said: &Value, tag: &str) -> Vec<Edit> {
    let (key, other) = match tag.starts_with("sha256:") {
        true => ("digest", "newTag"),
        false => ("newTag", "digest"),
    };
    let mut edits = Vec::new();
    let pointer = |key: &str| at.below(&[key]).pointer().cloned().unwrap_or_default();
    match (said.get(key).is_some(), said.get(other).is_some()) {
        (false, true) => edits.push(Edit::Rename {
            at: pointer(other),
            key: key.to_owned(),
        }),
        (true, true) => edits.push(Edit::Remove { at: pointer(other) }),
        _ => {}
    }
    edits.push(set(at, &[key], json!(tag)));
    edits
}

fn set(at: &Location, path: &[&str], value: Value) -> Edit {
    Edit::Set {
        at: at.below(path).pointer().cloned().unwrap_or_default(),
        value,
    }
}

/// Places where a text stands.
fn find(value: &Value, text: &str, at: &mut PointerBuf, places: &mut Vec<PointerBuf>) {
    match value {
        Value::String(found) if found == text => places.push(at.clone()),
        Value::Object(map) => {
            for (key, inner) in map {
                at.push_back(key.as_str());
                find(inner, text, at, places);
                at.pop_back();
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                at.push_back(index);
                find(inner, text, at, places);
                at.pop_back();
            }
        }
        _ => {}
    }
}

/// Errors: a file that is not in the application's folder, so that others may use it.
pub(super) fn is_of(application: &Application, at: &Location) -> Result<(), Diagnostic> {
    if is_below(application, &at.file) {
        return Ok(());
    }
    let message = format!(
        "{} is not in the folder of the application, so others may be made of it",
        at.file
    );
    let found = Diagnostic::error(Code::CannotEdit, message).at(at.clone());
    Err(found.hint("say it in an overlay, or run tidegate in a folder that holds both"))
}

/// Whether a file is in the application's folder.
pub(super) fn is_below(application: &Application, file: &RepoPath) -> bool {
    let prefix = format!("{}/", application.at.as_str());
    application.at == RepoPath::root() || file.as_str().starts_with(&prefix)
}

/// Whether two manifests are the same object, from the same document.
pub(super) fn is_same(one: &Manifest, other: &Manifest) -> bool {
    one.origin == other.origin && one.object.name == other.object.name
}

/// A folder as it is built from files that were read.
///
/// Errors: it cannot be built any more.
pub(super) fn built(files: &mut Files<'_>, folder: &RepoPath) -> Result<Vec<Built>, Vec<Diagnostic>> {
    build(files, folder, &|_| false, Names::Written, &mut Vec::new()).map_err(problems)
}

/// What is wrong; files that were read cannot fail to be.
pub(super) fn problems(failure: Failure) -> Vec<Diagnostic> {
    match failure {
        Failure::Refused(problems) => problems,
        other => vec![Diagnostic::error(Code::CannotEdit, other.to_string())],
    }
}
