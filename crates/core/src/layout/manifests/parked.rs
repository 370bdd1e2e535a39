//! Objects that wait in their files as comments, until a release gives them back: byte for byte, with their comments.
//!
//! Each line begins `#| `, after a line that says whose it is. Whatever else a person writes into the file meanwhile stays.

use tidegate_yaml::Stream;

use super::super::Parked;
use super::super::draft::Draft;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::model::Application;
use crate::repo::RepoPath;

/// The first line of what waits, around the workload's name.
const SAYS: [&str; 2] = [
    "# tidegate: a controller has this object of `",
    "` in the cluster; the release writes it back.",
];

/// What each line of it begins with.
const PREFIX: &str = "#|";

/// Everything that waits in the files of an application.
pub(super) fn all(application: &Application) -> Vec<Parked> {
    let mut found = Vec::new();
    for (file, stream) in &application.files {
        let mut lines = stream.text().lines();
        while let Some(line) = lines.next() {
            let Some(workload) = workload_of(line) else {
                continue;
            };
            let body = lines.clone().map_while(|line| line.strip_prefix(PREFIX));
            let body: String = body.map(|line| format!("{}\n", original(line))).collect();
            let parsed = Stream::parse(body).ok();
            let value = parsed.and_then(|stream| Some(stream.documents().first()?.value().clone()));
            found.extend(value.map(|value| Parked {
                file: file.clone(),
                workload: workload.to_owned(),
                environments: environments(application, file),
                value,
            }));
        }
    }
    found
}

/// A line as it was, from what follows the prefix.
fn original(line: &str) -> &str {
    line.strip_prefix(' ').unwrap_or(line)
}

/// The environments that a file is of: what lies in the folder itself counts for all.
fn environments(application: &Application, file: &RepoPath) -> Vec<String> {
    let folder = file.parent();
    let is_of = |name: &&String| folder == application.at || folder == application.at.join(name);
    application.environments.keys().filter(is_of).cloned().collect()
}

fn workload_of(line: &str) -> Option<&str> {
    line.strip_prefix(SAYS[0])?.strip_suffix(SAYS[1])
}

/// Makes a document wait.
///
/// Errors: one that cannot be told from what is around it by its lines.
pub(super) fn park(draft: &mut Draft<'_>, at: &Location, workload: &str) -> Result<(), Diagnostic> {
    let refused = |why: &str| {
        let problem = Diagnostic::error(Code::CannotEdit, why).at(at.clone());
        problem.hint("put it into a file of its own")
    };
    let stream = draft.stream(&at.file).cloned();
    let (Some(stream), Some(number)) = (stream, at.document()) else {
        return Err(refused("the document is not there any more"));
    };
    let Some(document) = stream.documents().get(number) else {
        return Err(refused("the document is not there any more"));
    };
    let (text, span) = (stream.text(), document.span());
    let lines: Vec<&str> = text[span.clone()].split_inclusive('\n').collect();
    let is_before = |line: &&&str| {
        let line = line.trim_end();
        let marker = line.strip_prefix("---").map(str::trim_start);
        line.is_empty()
            || line.starts_with(['#', '%'])
            || marker.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
    };
    let before = lines.iter().take_while(is_before).count();
    let body = &lines[before..];
    if body
        .iter()
        .any(|line| line.starts_with("---") || line.starts_with("..."))
    {
        return Err(refused(
            "the document begins on the line of its `---`, or ends with `...`",
        ));
    }
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut parked = text[..span.start].to_owned();
    parked.extend(lines[..before].iter().copied());
    parked.push_str(&format!("{}{workload}{}{ending}", SAYS[0], SAYS[1]));
    for line in body {
        let space = if line.trim_end_matches(['\r', '\n']).is_empty() {
            ""
        } else {
            " "
        };
        parked.push_str(&format!("{PREFIX}{space}{line}"));
    }
    parked.push_str(&text[span.end..]);
    let others = stream.documents().iter().enumerate();
    let others: Vec<_> = others
        .filter(|(other, document)| *other != number && !document.is_empty())
        .map(|(_, document)| document.value())
        .collect();
    if !holds(&parked, &others) {
        return Err(refused("the documents around it would change"));
    }
    draft.replace(&at.file, parked)
}

/// Whether a text has these documents, besides empty ones.
fn holds(text: &str, documents: &[&serde_json::Value]) -> bool {
    let Ok(stream) = Stream::parse(text.to_owned()) else {
        return false;
    };
    let found = stream.documents().iter().filter(|document| !document.is_empty());
    found
        .map(tidegate_yaml::Document::value)
        .eq(documents.iter().copied())
}

/// Gives a document back.
pub(super) fn unpark(draft: &mut Draft<'_>, parked: &Parked) -> Result<(), Diagnostic> {
    rewrite(draft, parked, |line| Some(original(&line[PREFIX.len()..])))
}

/// Takes away what waits; a file that held nothing else goes.
pub(super) fn forget(draft: &mut Draft<'_>, parked: &Parked) -> Result<(), Diagnostic> {
    rewrite(draft, parked, |_| None)
}

fn rewrite(
    draft: &mut Draft<'_>,
    parked: &Parked,
    line_of: impl Fn(&str) -> Option<&str>,
) -> Result<(), Diagnostic> {
    let Some(stream) = draft.stream(&parked.file).cloned() else {
        return Ok(());
    };
    let mut text = String::new();
    let mut is_inside = false;
    for line in stream.text().split_inclusive('\n') {
        if workload_of(line.trim_end_matches(['\r', '\n'])) == Some(&parked.workload) {
            is_inside = true;
            continue;
        }
        is_inside &= line.starts_with(PREFIX);
        match is_inside {
            true => text.push_str(line_of(line).unwrap_or_default()),
            false => text.push_str(line),
        }
    }
    draft.replace(&parked.file, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::load;
    use crate::repo::MemoryRepo;
    use crate::schema::config::Config;

    const DEPLOYMENT: &str = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: a}\nspec: {}\n";

    fn check(before: &str, document: usize) {
        let file = RepoPath::root().join("a.yaml");
        let load = |text: &str| {
            let files = [(RepoPath::root().join("a.yaml"), text.to_owned())];
            let repo = MemoryRepo::new(files.into_iter().collect());
            load(&repo, &RepoPath::root(), &Config::default()).expect("an application")
        };
        let application = load(before);
        let mut draft = Draft::new(&application);
        park(&mut draft, &Location::value(&file, document, &[]), "a").expect("parked");
        let changed = draft.finish().expect("texts");
        let parked_text = changed[0].after.clone().expect("a text");
        assert!(!parked_text.contains("\nkind: Service"), "{parked_text}");
        let application = load(&parked_text);
        let found = all(&application);
        assert_eq!(found.len(), 1, "{parked_text}");
        assert_eq!(found[0].value["kind"], "Service", "{parked_text}");
        let mut draft = Draft::new(&application);
        unpark(&mut draft, &found[0]).expect("given back");
        let changed = draft.finish().expect("texts");
        assert_eq!(changed[0].after.as_deref(), Some(before));
    }

    #[test]
    fn what_waits_comes_back_byte_for_byte() {
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}   # mine\n\nspec: {}\n";
        check(&format!("{DEPLOYMENT}---\n# called by all\n{service}"), 1);
        check(&format!("{service}---\n{DEPLOYMENT}"), 0);
        check(
            &format!("# head\n---\n{service}---\n{DEPLOYMENT}---\nkind: List\napiVersion: v1\nitems: []\n"),
            0,
        );
        let crlf = format!("{DEPLOYMENT}---\n{service}---\n# the end").replace('\n', "\r\n");
        check(&crlf, 1);
        check(format!("{DEPLOYMENT}---\n{service}").trim_end(), 1);
    }
}
