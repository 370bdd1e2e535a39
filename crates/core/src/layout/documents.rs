//! Documents of files as objects and patches.

use tidegate_yaml::{Document, Stream};

use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::TargetedPatch;
use crate::repo::RepoPath;
use crate::schema::config::ApiVersionAlias;
use crate::schema::gap::reader::shape;

/// What is in a file, with what is wrong or worth knowing about its other documents.
pub(super) struct Read<T> {
    pub(super) items: Vec<T>,
    pub(super) problems: Vec<Diagnostic>,
}

/// The objects of a file with extra resources.
pub(super) fn resources(file: &RepoPath, stream: &Stream) -> Read<Manifest> {
    read(file, stream, |origin, document, object| {
        (
            Manifest {
                object,
                value: document.value().clone(),
                origin: origin.clone(),
            },
            None,
        )
    })
}

/// The objects of a file, those of a `kind: List` each by itself.
pub(super) fn objects(file: &RepoPath, stream: &Stream) -> Read<Manifest> {
    let mut read = Read {
        items: Vec::new(),
        problems: Vec::new(),
    };
    let documents = stream.documents().iter().enumerate();
    for (index, document) in documents.filter(|(_, document)| !document.value().is_null()) {
        let value = document.value();
        let list = value.get("items").and_then(serde_json::Value::as_array);
        let list = list.filter(|_| value.get("kind").is_some_and(|kind| kind == "List"));
        let origin = Location::value(file, index, &[]);
        let objects: Vec<(Location, &serde_json::Value)> = match list {
            None => vec![(origin, value)],
            Some(items) => items
                .iter()
                .enumerate()
                .map(|(item, value)| (origin.below(&["items", &item.to_string()]), value))
                .collect(),
        };
        for (origin, value) in objects {
            match identity(&origin, value) {
                Ok(object) => read.items.push(Manifest {
                    object,
                    value: value.clone(),
                    origin,
                }),
                Err(problem) => read.problems.push(problem),
            }
        }
    }
    read
}

/// The patches of a file.
pub(super) fn patches(file: &RepoPath, stream: &Stream, aliases: &[ApiVersionAlias]) -> Read<TargetedPatch> {
    read(file, stream, |origin, document, mut target| {
        let alias = aliases
            .iter()
            .find(|alias| alias.kind == target.kind && alias.from == target.api_version);
        let notice = alias.map(|alias| {
            target.api_version.clone_from(&alias.to);
            let message = format!(
                "a {} is in `{}`, not in `{}`: taken as meant",
                alias.kind, alias.to, alias.from
            );
            Diagnostic::warning(Code::ApiVersionAlias, message)
                .at(origin.below(&["apiVersion"]))
                .hint(format!("write `apiVersion: {}`", alias.to))
        });
        (
            TargetedPatch {
                target,
                value: document.value().clone(),
                origin: origin.clone(),
            },
            notice,
        )
    })
}

fn read<T>(
    file: &RepoPath,
    stream: &Stream,
    item: impl Fn(&Location, &Document, ObjectRef) -> (T, Option<Diagnostic>),
) -> Read<T> {
    let mut read = Read {
        items: Vec::new(),
        problems: Vec::new(),
    };
    // A document of comments alone, or of an empty value, is harmless in kustomize too.
    let documents = stream
        .documents()
        .iter()
        .enumerate()
        .filter(|(_, document)| !document.value().is_null());
    for (index, document) in documents {
        let origin = Location::value(file, index, &[]);
        match identity(&origin, document.value()) {
            Ok(object) => {
                let (item, notice) = item(&origin, document, object);
                read.items.push(item);
                read.problems.extend(notice);
            }
            Err(problem) => read.problems.push(problem),
        }
    }
    read
}

/// Which object a document is, or is for.
///
/// Errors: a document without apiVersion, kind or name, or with something else than text there.
fn identity(origin: &Location, value: &serde_json::Value) -> Result<ObjectRef, Diagnostic> {
    if !value.is_object() {
        let message = format!("the document is {}, not a Kubernetes object", shape(value));
        return Err(Diagnostic::error(Code::WrongType, message).at(origin.clone()));
    }
    for path in [
        &["apiVersion"][..],
        &["kind"],
        &["metadata", "name"],
        &["metadata", "namespace"],
    ] {
        let found = path.iter().try_fold(value, |value, key| value.get(key));
        let is_optional = path == ["metadata", "namespace"];
        match found {
            Some(serde_json::Value::String(text)) if text.contains(char::is_control) => {
                let message = format!("`{}` holds a control character", path.join("."));
                let invalid = Diagnostic::error(Code::InvalidName, message).at(origin.below(path));
                return Err(invalid.hint("write the name that Kubernetes knows"));
            }
            Some(serde_json::Value::String(text)) if !text.is_empty() => {}
            None | Some(serde_json::Value::Null) if is_optional => {}
            None | Some(serde_json::Value::Null | serde_json::Value::String(_)) => {
                let name = path.join(".");
                let missing = Diagnostic::error(Code::InvalidValue, format!("`{name}` is missing"));
                return Err(missing.at(origin.below(path)).hint(missing_hint(value, &name)));
            }
            Some(other) => {
                let wrong = Diagnostic::error(
                    Code::WrongType,
                    format!("`{}` is {}, not a string", path.join("."), shape(other)),
                );
                return Err(wrong.at(origin.below(path)).hint("put it in quotes"));
            }
        }
    }
    ObjectRef::of(value)
        .ok_or_else(|| Diagnostic::error(Code::InvalidValue, "not an object").at(origin.clone()))
}

fn missing_hint(value: &serde_json::Value, name: &str) -> &'static str {
    let is_list = value.get("items").is_some_and(serde_json::Value::is_array);
    match name {
        "metadata.name" if is_list => {
            "write the items of a list as documents of their own, with `---` between them"
        }
        _ => "every document names its object by apiVersion, kind and metadata.name",
    }
}
