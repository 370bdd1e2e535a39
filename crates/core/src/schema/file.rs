//! A file of the repository as YAML, with what is wrong with it in the user's words.

use std::sync::Arc;

use tidegate_yaml::{Kind, Limits, ParseError, Stream};

use crate::diagnostic::{Code, Diagnostic, Failure, Location, Place};
use crate::repo::{Repo, RepoPath};

#[cfg(test)]
pub(crate) mod fixture;

/// Reads a file as YAML; `None` where there is no such file.
///
/// Errors: the first thing that keeps the file from being read, at its place.
pub fn read_stream(repo: &dyn Repo, file: &RepoPath) -> Result<Option<Arc<Stream>>, Failure> {
    read_stream_within(repo, file, &Limits::default())
}

/// As [`read_stream`], within limits.
pub fn read_stream_within(
    repo: &dyn Repo,
    file: &RepoPath,
    limits: &Limits,
) -> Result<Option<Arc<Stream>>, Failure> {
    let Some(text) = repo.read(file)? else {
        return Ok(None);
    };
    let stream = Stream::parse_with(text, limits).map_err(|error| invalid_yaml(file, &error))?;
    Ok(Some(Arc::new(stream)))
}

fn invalid_yaml(file: &RepoPath, error: &ParseError) -> Diagnostic {
    let at = |position| Location {
        file: file.clone(),
        place: Place::Position(position),
    };
    let found = Diagnostic::error(Code::InvalidYaml, &error.message).at(at(error.position));
    let found = match &error.related {
        Some(related) => found.related(at(related.position), "the other one"),
        None => found,
    };
    match hint(error.kind) {
        Some(hint) => found.hint(hint),
        None => found,
    }
}

fn hint(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::DuplicateKey => Some("keep one of the two"),
        Kind::Limit => Some("make the file smaller: no manifest needs to be that large"),
        Kind::Tag => Some("take the tag off"),
        Kind::Key => Some("put the key in quotes"),
        Kind::Alias => Some("write the value out in place of the alias"),
        Kind::Control => Some("write the character as an escape in double quotes"),
        Kind::Number => Some("put it in quotes if it is text"),
        Kind::Hole => Some("fill in the value, or put it in quotes if it is text"),
        _ => None,
    }
}
