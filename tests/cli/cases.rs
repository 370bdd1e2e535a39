//! The `case.toml` beside a fixture: what a command should make of it.

use std::path::Path;

use serde::Deserialize;

use crate::repository::fixtures;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) about: String,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    pub(crate) exit: Option<i32>,
    pub(crate) code: Option<String>,
    pub(crate) at: Option<String>,
    pub(crate) says: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) reads_as: Option<Vec<String>>,
    pub(crate) between: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) missing: Vec<String>,
    pub(crate) canary: Option<std::collections::BTreeMap<String, u64>>,
    pub(crate) drift: Option<String>,
}

impl Case {
    pub(crate) fn args(&self) -> Vec<&str> {
        self.args.iter().map(String::as_str).collect()
    }
}

/// Every case in a folder of fixtures: its name below the fixtures, and what it says.
pub(crate) fn cases(folder: &str) -> Vec<(String, Case)> {
    let entries = std::fs::read_dir(fixtures().join(folder)).expect("a folder of fixtures");
    let mut cases: Vec<_> = entries
        .map(|entry| read(folder, &entry.expect("an entry").path()))
        .collect();
    cases.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(!cases.is_empty(), "{folder} has cases");
    cases
}

fn read(folder: &str, path: &Path) -> (String, Case) {
    let text = std::fs::read_to_string(path.join("case.toml")).expect("a case.toml");
    let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!case.about.is_empty(), "{} says what it is about", path.display());
    let name = path.file_name().expect("a name").to_string_lossy();
    (format!("{folder}/{name}"), case)
}
