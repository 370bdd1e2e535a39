//! The result of every command that changes files: a value, to be shown, compared or written.

use std::collections::BTreeMap;

use crate::repo::{Overlay, Repo, RepoPath};

/// One file's text before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file.
    pub path: RepoPath,
    /// Its text as it was read; `None` for a new file.
    pub before: Option<String>,
    /// Its wanted text; `None` for a file to be removed.
    pub after: Option<String>,
}

/// The wanted contents of all files of one transition, sorted by path, only those that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    changes: Vec<FileChange>,
}

impl ChangeSet {
    /// The change set of these files; files that stay as they are are left out.
    pub fn new(changes: impl IntoIterator<Item = FileChange>) -> Self {
        let mut changes: Vec<_> = changes
            .into_iter()
            .filter(|change| change.before != change.after)
            .collect();
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Self { changes }
    }

    /// Adds what is written after this: a file that ends as it began is not changed.
    pub fn append(&mut self, later: &Self) {
        for change in &later.changes {
            match self.changes.iter_mut().find(|known| known.path == change.path) {
                Some(known) => known.after.clone_from(&change.after),
                None => self.changes.push(change.clone()),
            }
        }
        *self = Self::new(std::mem::take(&mut self.changes));
    }

    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changed files, by path.
    pub fn iter(&self) -> impl Iterator<Item = &FileChange> {
        self.changes.iter()
    }

    /// The repository as it is once this is written.
    pub fn overlay<'a>(&self, below: &'a dyn Repo) -> Overlay<'a> {
        let files: BTreeMap<_, _> = self
            .changes
            .iter()
            .map(|change| (change.path.clone(), change.after.clone()))
            .collect();
        Overlay::new(below, files)
    }
}
