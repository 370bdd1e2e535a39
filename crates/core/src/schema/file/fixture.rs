//! For tests: a repository in one text, and diagnostics as text.

use std::collections::BTreeMap;

use tidegate_yaml::Stream;

use crate::diagnostic::{Diagnostic, Failure, Location, Place, Severity};
use crate::repo::{MemoryRepo, Repo, RepoPath};

/// A repository of the files in a text, each begun by a line `#- path`.
pub(crate) fn repo(text: &str) -> MemoryRepo {
    let mut files: BTreeMap<RepoPath, String> = BTreeMap::new();
    let mut current = None;
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("#- ") {
            Some(path) => {
                let path = RepoPath::new(path.trim()).expect("a path");
                files.insert(path.clone(), String::new());
                current = Some(path);
            }
            None => {
                let path = current.clone().expect("a line `#- path` first");
                files.entry(path).or_default().push_str(line);
            }
        }
    }
    MemoryRepo::new(files)
}

/// What a failure tells about the user's files.
pub(crate) fn refused(failure: Failure) -> Vec<Diagnostic> {
    match failure {
        Failure::Refused(problems) => problems,
        Failure::Read(error) => panic!("{error}"),
    }
}

/// Diagnostics as text: `severity code file:line:column: message`, with hints and related places indented below.
pub(crate) fn told(repo: &MemoryRepo, diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let at = diagnostic
            .location
            .as_ref()
            .map(|location| format!(" {}", position(repo, location)))
            .unwrap_or_default();
        text.push_str(&format!(
            "{severity} {}{at}: {}\n",
            diagnostic.code.as_str(),
            diagnostic.message
        ));
        for (location, label) in &diagnostic.related {
            text.push_str(&format!("  {}: {label}\n", position(repo, location)));
        }
        for hint in &diagnostic.hints {
            text.push_str(&format!("  {hint}\n"));
        }
    }
    text
}

fn position(repo: &MemoryRepo, location: &Location) -> String {
    let file = &location.file;
    if let Place::Position(position) = &location.place {
        return format!("{file}:{position}");
    }
    let text = repo.read(file).expect("memory").unwrap_or_default();
    let stream = Stream::parse(text).ok();
    let start = stream
        .as_ref()
        .and_then(|stream| Some(stream.position(location.resolve(stream)?.start)));
    start.map_or_else(|| file.to_string(), |start| format!("{file}:{start}"))
}
