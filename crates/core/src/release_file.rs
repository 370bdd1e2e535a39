//! Edits of a release file: a release added, its pin moved, and taken out again at the end.

use jsonptr::PointerBuf;
use serde_json::{Value, json};
use tidegate_yaml::{Edit, Place};

use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::model::{Application, Delegation, Release};
use crate::repo::RepoPath;

/// Adds a release to the releases that are there; `text` is the whole file for the first one.
pub(crate) fn add(application: &Application, text: String) -> Result<FileChange, Diagnostic> {
    let path = application.release_file.clone();
    let Some(stream) = application.files.get(&path) else {
        return Ok(FileChange {
            path,
            before: None,
            after: Some(text),
        });
    };
    let entry = tidegate_yaml::Stream::parse(text).ok().and_then(|added| {
        added
            .documents()
            .iter()
            .find_map(|document| document.value().pointer("/releases/0").cloned())
    });
    let into = PointerBuf::from_tokens(["releases"]);
    let edit = Edit::Insert {
        into,
        place: Place::Last,
        key: None,
        value: entry.unwrap_or(Value::Null),
    };
    let after = stream
        .edit(0, &[edit])
        .map_err(|error| cannot_edit(&path, &error.to_string()))?;
    Ok(FileChange {
        path,
        before: Some(stream.text().to_owned()),
        after: Some(after.into_text()),
    })
}

/// Takes a release out, and the file with the last one; `None` where the release is written nowhere.
pub(crate) fn remove(application: &Application, release: &Release) -> Result<Option<FileChange>, Diagnostic> {
    match &release.origin {
        Some(origin) => remove_entry(application, origin),
        None => Ok(None),
    }
}

/// Takes a release that is left to a controller out, and the file with the last one.
pub(crate) fn remove_delegation(
    application: &Application,
    delegation: &Delegation,
) -> Result<Option<FileChange>, Diagnostic> {
    remove_entry(application, &delegation.origin)
}

fn remove_entry(application: &Application, origin: &Location) -> Result<Option<FileChange>, Diagnostic> {
    let Some(before) = application.files.get(&origin.file) else {
        return Ok(None);
    };
    let recorded = application
        .releases
        .iter()
        .filter(|release| release.origin.is_some())
        .count();
    if recorded + application.delegations.len() <= 1 {
        return Ok(Some(FileChange {
            path: origin.file.clone(),
            before: Some(before.text().to_owned()),
            after: None,
        }));
    }
    edit(application, origin, |at| Edit::Remove { at }).map(Some)
}

/// Moves the pin of the stable version.
pub(crate) fn set_pin(
    application: &Application,
    release: &Release,
    tag: &str,
) -> Result<Option<FileChange>, Diagnostic> {
    set_tag(application, release, "stable", tag)
}

/// Records what the copy runs, where it runs the new version: the files lose it with the copy.
pub(crate) fn set_canary(
    application: &Application,
    release: &Release,
    tag: &str,
) -> Result<Option<FileChange>, Diagnostic> {
    set_tag(application, release, "canary", tag)
}

fn set_tag(
    application: &Application,
    release: &Release,
    version: &str,
    tag: &str,
) -> Result<Option<FileChange>, Diagnostic> {
    let Some(origin) = &release.origin else {
        return Ok(None);
    };
    let set = |mut at: PointerBuf| {
        [version, "image", "tag"]
            .iter()
            .for_each(|token| at.push_back(*token));
        Edit::Set {
            at,
            value: json!(tag),
        }
    };
    edit(application, origin, set).map(Some)
}

fn edit(
    application: &Application,
    origin: &Location,
    edit: impl FnOnce(PointerBuf) -> Edit,
) -> Result<FileChange, Diagnostic> {
    let path = &origin.file;
    let place = origin.document().zip(origin.pointer().cloned());
    let (Some((document, at)), Some(stream)) = (place, application.files.get(path)) else {
        return Err(cannot_edit(path, "the release is not there any more"));
    };
    let after = stream
        .edit(document, &[edit(at)])
        .map_err(|error| cannot_edit(path, &error.to_string()))?;
    Ok(FileChange {
        path: path.clone(),
        before: Some(stream.text().to_owned()),
        after: Some(after.into_text()),
    })
}

fn cannot_edit(path: &RepoPath, reason: &str) -> Diagnostic {
    Diagnostic::error(Code::CannotEdit, reason).at(Location::file(path))
}
