//! The shapes of the files on disk: the GAP spec, the release file, the configuration.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic, Location, nearest};

pub mod config;
pub mod file;
pub mod gap;
pub mod kustomization;
pub mod preview;
pub mod release;

/// Reads a document's value into a closed shape.
///
/// Errors: the first thing that does not fit, at its place, with the nearest known name for a key that is
/// not known.
pub(crate) fn deserialize<T: DeserializeOwned>(document: &Location, value: &Value) -> Result<T, Diagnostic> {
    // A list would be taken for the fields of a shape, one after the other.
    if !value.is_object() {
        let message = format!("the document is {}, not a map", gap::reader::shape(value));
        return Err(Diagnostic::error(Code::WrongType, message).at(document.clone()));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path: Vec<String> = error.path().iter().filter_map(segment).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        describe(&document.below(&path), &error.inner().to_string())
    })
}

fn segment(segment: &serde_path_to_error::Segment) -> Option<String> {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// Turns serde's words into ours.
fn describe(at: &Location, message: &str) -> Diagnostic {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let unknown = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let found =
            Diagnostic::error(Code::UnknownKey, format!("unknown key `{unknown}`")).at(at.clone().as_key());
        return match nearest(unknown, known.iter().copied()) {
            Some(name) => found.hint(format!("did you mean `{name}`?")),
            None => found.hint(format!("known keys: {}", known.join(", "))),
        };
    }
    if let Some(rest) = message.strip_prefix("missing field") {
        return Diagnostic::error(Code::InvalidValue, format!("the key{rest} is missing")).at(at.clone());
    }
    if message.starts_with("unknown variant") {
        let unknown = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let found =
            Diagnostic::error(Code::InvalidValue, format!("unknown value `{unknown}`")).at(at.clone());
        return match nearest(unknown, known.iter().copied()) {
            Some(name) => found.hint(format!("did you mean `{name}`?")),
            None => found.hint(format!("known values: {}", known.join(", "))),
        };
    }
    let message = message.strip_prefix("invalid type: ").unwrap_or(message);
    // The names of our own shapes tell a person nothing.
    let message = match message.split_once("expected struct ") {
        Some((found, _)) => format!("{found}expected map"),
        None => message.replace("expected a", "expected"),
    };
    Diagnostic::error(Code::WrongType, message).at(at.clone())
}
