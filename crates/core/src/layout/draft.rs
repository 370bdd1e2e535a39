//! The files of an application while a transition is being written: text edits, collected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jsonptr::PointerBuf;
use serde_json::Value;
use tidegate_yaml::{Edit, EditError, Stream};

use crate::change::FileChange;
use crate::diagnostic::{Code, Diagnostic, Location, Place};
use crate::model::Application;
use crate::repo::RepoPath;

/// Texts being edited. Documents keep their numbers until [`Draft::finish`], so locations stay valid.
#[derive(Clone)]
pub(super) struct Draft<'a> {
    application: &'a Application,
    edited: BTreeMap<RepoPath, Arc<Stream>>,
    created: BTreeMap<RepoPath, String>,
    removed: BTreeMap<RepoPath, BTreeSet<usize>>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(application: &'a Application) -> Self {
        Self {
            application,
            edited: BTreeMap::new(),
            created: BTreeMap::new(),
            removed: BTreeMap::new(),
        }
    }

    /// The text of a file as edited so far.
    pub(super) fn stream(&self, file: &RepoPath) -> Option<&Arc<Stream>> {
        self.edited.get(file).or_else(|| self.application.files.get(file))
    }

    /// What stands at a place as edited so far.
    pub(super) fn value(&self, location: &Location) -> Option<Value> {
        let document = self
            .stream(&location.file)?
            .documents()
            .get(location.document()?)?;
        location.pointer()?.resolve(document.value()).ok().cloned()
    }

    /// Applies edits to the document a location is in.
    pub(super) fn edit(&mut self, location: &Location, edits: &[Edit]) -> Result<(), Diagnostic> {
        let (file, document) = (&location.file, location.document().unwrap_or(0));
        let Some(stream) = self.stream(file) else {
            return Err(missing(file));
        };
        let edited = stream
            .edit(document, edits)
            .map_err(|error| cannot_edit(location, &error))?;
        self.edited.insert(file.clone(), Arc::new(edited));
        Ok(())
    }

    /// Makes the document a location is in say `wanted`, with the least change of its text.
    pub(super) fn reconcile(&mut self, location: &Location, wanted: &Value) -> Result<(), Diagnostic> {
        let (file, document) = (&location.file, location.document().unwrap_or(0));
        let Some(stream) = self.stream(file) else {
            return Err(missing(file));
        };
        if stream
            .documents()
            .get(document)
            .is_some_and(|document| document.value() == wanted)
        {
            return Ok(());
        }
        let edited = stream
            .reconcile(document, wanted, &identity)
            .map_err(|error| cannot_edit(location, &error))?;
        self.edited.insert(file.clone(), Arc::new(edited));
        Ok(())
    }

    /// Gives a file another text: the last edit of it, since documents may get other numbers.
    pub(super) fn replace(&mut self, file: &RepoPath, text: String) -> Result<(), Diagnostic> {
        let stream = Stream::parse(text).map_err(|error| {
            Diagnostic::error(Code::CannotEdit, error.to_string()).at(Location::file(file))
        })?;
        self.edited.insert(file.clone(), Arc::new(stream));
        Ok(())
    }

    /// Makes an object say `wanted`: a whole document, or an item of a list.
    pub(super) fn reconcile_object(&mut self, origin: &Location, wanted: &Value) -> Result<(), Diagnostic> {
        let Some(pointer) = origin.pointer().filter(|pointer| !pointer.is_root()) else {
            return self.reconcile(origin, wanted);
        };
        let stream = self.stream(&origin.file);
        let document = stream.and_then(|stream| stream.documents().get(origin.document().unwrap_or(0)));
        let Some(mut whole) = document.map(|document| document.value().clone()) else {
            return Err(missing(&origin.file));
        };
        if let Ok(place) = pointer.resolve_mut(&mut whole) {
            *place = wanted.clone();
        }
        self.reconcile(origin, &whole)
    }

    /// Adds a document to a file of ours.
    pub(super) fn add_document(
        &mut self,
        file: &RepoPath,
        header: &str,
        value: &Value,
    ) -> Result<(), Diagnostic> {
        self.add_documents(file, header, &[tidegate_yaml::print(value)])
    }

    /// Adds documents to a file of ours, creating it where it is not there.
    pub(super) fn add_documents(
        &mut self,
        file: &RepoPath,
        header: &str,
        documents: &[String],
    ) -> Result<(), Diagnostic> {
        for text in documents {
            if let Some(stream) = self.stream(file) {
                let added = stream
                    .append_document(text)
                    .map_err(|error| cannot_edit(&Location::file(file), &error))?;
                self.edited.insert(file.clone(), Arc::new(added));
            } else if let Some(created) = self.created.get_mut(file) {
                created.push_str("---\n");
                created.push_str(text);
            } else {
                self.created.insert(file.clone(), format!("{header}{text}"));
            }
        }
        Ok(())
    }

    /// Removes the document a location is in; a file without documents goes.
    pub(super) fn remove_document(&mut self, location: &Location) {
        self.removed
            .entry(location.file.clone())
            .or_default()
            .insert(location.document().unwrap_or(0));
    }

    /// The changed files.
    pub(super) fn finish(mut self) -> Result<Vec<FileChange>, Vec<Diagnostic>> {
        let mut changes = Vec::new();
        for (file, documents) in std::mem::take(&mut self.removed) {
            let Some(stream) = self.stream(&file).cloned() else {
                continue;
            };
            let remaining = stream
                .documents()
                .iter()
                .enumerate()
                .filter(|(index, document)| !documents.contains(index) && !document.is_empty());
            if remaining.count() == 0 {
                let before = self
                    .application
                    .files
                    .get(&file)
                    .map(|stream| stream.text().to_owned());
                self.edited.remove(&file);
                changes.push(FileChange {
                    path: file,
                    before,
                    after: None,
                });
                continue;
            }
            let mut stream = stream;
            for document in documents.iter().rev() {
                let removed = stream.remove_document(*document);
                stream =
                    Arc::new(removed.map_err(|error| vec![cannot_edit(&Location::file(&file), &error)])?);
            }
            self.edited.insert(file, stream);
        }
        let text = |file: &RepoPath| {
            self.application
                .files
                .get(file)
                .map(|stream| stream.text().to_owned())
        };
        changes.extend(self.edited.iter().map(|(file, stream)| FileChange {
            path: file.clone(),
            before: text(file),
            after: Some(stream.text().to_owned()),
        }));
        changes.extend(self.created.iter().map(|(file, text)| FileChange {
            path: file.clone(),
            before: None,
            after: Some(text.clone()),
        }));
        Ok(changes)
    }
}

/// Lays fields over an object or a patch: maps are merged, everything else (null included) is taken as it is.
pub(super) fn overlay(value: &mut Value, fields: &Value) {
    match (value, fields) {
        (Value::Object(value), Value::Object(fields)) => {
            for (key, field) in fields {
                match value.get_mut(key) {
                    Some(inner) if inner.is_object() && field.is_object() => overlay(inner, field),
                    _ => {
                        value.insert(key.clone(), field.clone());
                    }
                }
            }
        }
        (value, fields) => *value = fields.clone(),
    }
}

/// What makes two list items the same thing: a name, or the subset that a route's destination names. A destination
/// without a subset may become one with it, so it has no identity of its own. A rule without a name is known by what it matches.
fn identity(list: &PointerBuf, item: &Value) -> Option<String> {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    // Of two rules that differ in what they match, neither becomes the other.
    let matched = || {
        let list = list.last()?.decoded().into_owned();
        let matched = match list.as_str() {
            "http" => item.get("match"),
            "rules" => item.get("matches"),
            _ => return None,
        };
        Some(matched.map(Value::to_string).unwrap_or_default())
    };
    match item.get("destination") {
        Some(_) => text("/destination/subset"),
        None => text("/name").or_else(matched),
    }
}

fn missing(file: &RepoPath) -> Diagnostic {
    Diagnostic::error(Code::CannotEdit, "the file is not there any more").at(Location::file(file))
}

/// Turns an edit that is not safe into a diagnostic at the place it was meant for.
fn cannot_edit(location: &Location, error: &EditError) -> Diagnostic {
    let mut at = location.clone();
    let pointer = match error {
        EditError::NotFound { pointer }
        | EditError::Exists { pointer, .. }
        | EditError::Shared { pointer, .. }
        | EditError::Unsupported { pointer, .. } => Some(pointer),
        _ => None,
    };
    if let (Some(document), Some(pointer)) = (location.document(), pointer) {
        at.place = Place::Value(document, pointer.clone());
    }
    Diagnostic::error(Code::CannotEdit, error.to_string())
        .at(at)
        .hint("write the value out at this place instead of sharing it, then run the command again")
}
