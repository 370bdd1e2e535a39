//! Edits of plain manifests for a release that is left to a controller.

use serde_json::Value;

use super::super::Edit;
use super::super::draft::Draft;
use super::{parked, place};
use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::ObjectRef;
use crate::model::Application;
use crate::repo::RepoPath;

/// The wanted contents of the changed files.
///
/// Errors: everything that cannot be written without changing something else, naming it.
pub(super) fn edit(application: &Application, edits: &[Edit]) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
    let mut draft = Draft::new(application);
    let mut done: Vec<&Edit> = Vec::new();
    let mut added: Vec<(RepoPath, ObjectRef, &Value)> = Vec::new();
    let mut problems = Vec::new();
    // Documents keep their numbers until one becomes a comment, or is none any more.
    let is_last = |edit: &&Edit| matches!(edit, Edit::Park { .. } | Edit::Unpark(_) | Edit::Forget(_));
    let (last, first): (Vec<&Edit>, Vec<&Edit>) = edits.iter().partition(is_last);
    for edit in first.into_iter().chain(last) {
        // What lies in a shared folder is the same document for several environments.
        if done.contains(&edit) {
            continue;
        }
        done.push(edit);
        let edited = match edit {
            Edit::Say { at, value } => say(&mut draft, at, value),
            Edit::Add {
                beside,
                file,
                header,
                value,
            } => {
                let file = beside.file.parent().join(file);
                match is_new(&mut added, &file, value) {
                    Ok(true) => draft.add_document(&file, header, value),
                    Ok(false) => Ok(()),
                    Err(problem) => Err(problem),
                }
            }
            Edit::Remove { at } => whole(at).map(|()| draft.remove_document(at)),
            Edit::Park { at, workload } => whole(at).and_then(|()| parked::park(&mut draft, at, workload)),
            Edit::Unpark(object) => parked::unpark(&mut draft, object),
            Edit::Forget(object) => parked::forget(&mut draft, object),
            Edit::Tag { workload, tag } => place::set_tag(application, workload, tag, &mut draft),
        };
        problems.extend(edited.err());
    }
    if problems.is_empty() {
        draft.finish()
    } else {
        Err(problems)
    }
}

/// Makes an object say something, in its document or in its item of a list.
fn say(draft: &mut Draft<'_>, at: &Location, wanted: &Value) -> Result<(), Diagnostic> {
    let document = draft
        .stream(&at.file)
        .and_then(|stream| stream.documents().get(at.document()?));
    let mut whole = document.map_or(Value::Null, |document| document.value().clone());
    let pointer = at.pointer().cloned().unwrap_or_default();
    if let Ok(place) = pointer.resolve_mut(&mut whole) {
        *place = wanted.clone();
    }
    draft.reconcile(at, &whole)
}

/// Whether an object was not added to a file yet; it is from here on.
fn is_new<'e>(
    added: &mut Vec<(RepoPath, ObjectRef, &'e Value)>,
    file: &RepoPath,
    value: &'e Value,
) -> Result<bool, Diagnostic> {
    let Some(object) = ObjectRef::of(value) else {
        return Ok(false);
    };
    let known = added
        .iter()
        .find(|(known, other, _)| known == file && *other == object);
    match known {
        None => {
            added.push((file.clone(), object, value));
            Ok(true)
        }
        Some((_, _, said)) if *said == value => Ok(false),
        Some(_) => {
            let message =
                format!("environments share this folder, so {object} cannot say something else for one");
            let shared = Diagnostic::error(Code::CannotEdit, message).at(Location::file(file));
            Err(shared.hint("give all environments the same steps, or each a folder of its own"))
        }
    }
}

/// Only a document can be taken away by itself, not an item of a list.
fn whole(at: &Location) -> Result<(), Diagnostic> {
    if at.pointer().is_none_or(|pointer| pointer.is_root()) {
        return Ok(());
    }
    let message = "this object is an item of a list, and a release has to take it out";
    let problem = Diagnostic::error(Code::CannotEdit, message).at(at.clone());
    Err(problem.hint("write it as a document of its own, with `---` before it"))
}
