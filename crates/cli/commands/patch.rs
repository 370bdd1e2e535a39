//! `tidegate patch`: patches over manifests, without a repository.

mod refusal;

use std::sync::Arc;

use anyhow::anyhow;
use serde_json::Value;
use tidegate_core::diagnostic::{Code, Diagnostic, Failure, Location};
use tidegate_core::schema::file::read_stream_within;
use tidegate_patch::{ObjectSet, Patch, PatchBody};
use tidegate_yaml::{Limits, Stream};

use super::{Outcome, Stop, show_from};
use crate::args::{PatchArgs, PatchType, PlaceArgs};
use crate::disk::{NamedFiles, is_standard_input};
use crate::report;
use refusal::Refusal;

pub(crate) fn run(place: &PlaceArgs, args: &PatchArgs) -> Result<Outcome, Stop> {
    let names = args.patches.iter().chain(&args.files);
    if names.clone().filter(|name| is_standard_input(name)).count() > 1 {
        return Err(anyhow!("`-` is given twice: standard input can be read only once").into());
    }
    let files = NamedFiles::new(&place.directory, names.cloned());
    match patched(&files, args, &place.limits()) {
        Ok(values) => {
            report::product(&tidegate_yaml::print_stream(&values))?;
            Ok(Outcome::Fine)
        }
        Err(Failure::Refused(problems)) => {
            show_from(&files, &problems);
            Ok(Outcome::Refused)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The objects with all patches applied; those that a patch deletes are gone.
fn patched(files: &NamedFiles, args: &PatchArgs, limits: &Limits) -> Result<Vec<Value>, Failure> {
    let count = args.patches.len();
    let patches = read_patches(files, count, limits)?;
    let objects = read_all(files, count..count + args.files.len(), limits)?;
    let values = objects.iter().map(|object| object.value().clone()).collect();
    let mut set = ObjectSet::new(values).map_err(|error| refusal::of_object(&error, &objects))?;
    for document in &patches {
        let patch = Patch {
            target: args.target.as_ref().map(|target| target.selector.clone()),
            ..Patch::new(body(document.value().clone(), args.kind))
        };
        set.apply(&patch).map_err(|error| {
            Refusal {
                error,
                patch: document,
                target: args.target.as_ref(),
                objects: &objects,
                set: &set,
            }
            .diagnostic()
        })?;
    }
    Ok(set.into_values())
}

fn body(value: Value, kind: PatchType) -> PatchBody {
    match kind {
        PatchType::Auto => PatchBody::of(value),
        PatchType::Strategic => PatchBody::Strategic(value),
        PatchType::Merge => PatchBody::Merge(value),
        PatchType::Json6902 => PatchBody::Json(value),
    }
}

/// Reads the patches of the first `count` files. A file without any is more likely a mistake than meant.
fn read_patches(files: &NamedFiles, count: usize, limits: &Limits) -> Result<Vec<Document>, Failure> {
    let mut patches = Vec::new();
    for index in 0..count {
        let found = read_all(files, index..index + 1, limits)?;
        if found.is_empty() {
            let empty = Diagnostic::error(Code::PatchFailed, "there is no patch in this file");
            return Err(empty.at(Location::file(&files.path(index))).into());
        }
        patches.extend(found);
    }
    Ok(patches)
}

/// Reads the documents of some files, but for empty ones.
fn read_all(
    files: &NamedFiles,
    indexes: std::ops::Range<usize>,
    limits: &Limits,
) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for path in indexes.map(|index| files.path(index)) {
        let Some(stream) = read_stream_within(files, &path, limits)? else {
            continue;
        };
        let filled = (0..stream.documents().len()).filter(|index| !stream.documents()[*index].is_empty());
        documents.extend(filled.map(|index| Document {
            stream: stream.clone(),
            index,
            location: Location::value(&path, index, &[]),
        }));
    }
    Ok(documents)
}

/// One document of a file: an object or a patch.
struct Document {
    stream: Arc<Stream>,
    index: usize,
    location: Location,
}

impl Document {
    fn value(&self) -> &Value {
        self.stream.documents()[self.index].value()
    }
}
