//! Everything that can stop a write, found out before the first byte of it.

use std::collections::BTreeSet;

use tidegate_core::change::{ChangeSet, FileChange};
use tidegate_core::repo::RepoPath;

use super::folder::{Entry, Folder, Kind};
use super::fs::Fs;
use super::journal::{Journal, JournalFile, digest, temporary_name};
use super::writing::WriteError;

/// Whether a path leads into git's own folder, under any name that some file system takes for `.git`.
///
/// Source: git's `verify_path` and `is_hfs_dotgit`, `is_ntfs_dotgit`.
pub(super) fn is_in_git(path: &RepoPath) -> bool {
    let is_ignored = |char: char| matches!(char, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    path.as_str().split(['/', '\\']).any(|name| {
        let name: String = name.chars().filter(|char| !is_ignored(*char)).collect();
        let name = name
            .split(':')
            .next()
            .unwrap_or_default()
            .trim_end_matches([' ', '.']);
        name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
    })
}

/// What was found out before the first byte is written.
pub(super) struct Plan<'a> {
    pub(super) targets: Vec<Target<'a>>,
    /// Folders to be made, outer ones first.
    pub(super) folders: BTreeSet<RepoPath>,
}

/// One file of a change set.
pub(super) struct Target<'a> {
    pub(super) change: &'a FileChange,
    pub(super) temporary: Option<String>,
    /// What stands there now.
    pub(super) old: Option<Entry>,
}

impl Plan<'_> {
    /// What is worth telling although it stops nothing.
    pub(super) fn notices(&self) -> Vec<String> {
        let has_names = |target: &&Target<'_>| target.old.as_ref().is_some_and(|old| old.names > 1);
        let linked = self.targets.iter().filter(has_names);
        linked
            .map(|target| {
                format!(
                    "{} has further hard links; they keep the old content",
                    target.change.path
                )
            })
            .collect()
    }

    /// The journal of this plan.
    pub(super) fn journal(&self, root: String) -> Journal {
        let digest_of = |text: &Option<String>| text.as_ref().map(|text| digest(text.as_bytes()));
        let files = self.targets.iter().map(|target| JournalFile {
            path: target.change.path.as_str().to_owned(),
            temporary: target.temporary.clone(),
            before: digest_of(&target.change.before),
            after: digest_of(&target.change.after),
        });
        let folders = self
            .folders
            .iter()
            .map(|folder| folder.as_str().to_owned())
            .collect();
        Journal::new(root, folders, files.collect())
    }
}

/// Checks that a change set can be written, and that every file still is what was read.
pub(super) fn check<'a>(fs: &Fs<'_>, root: &Folder, changes: &'a ChangeSet) -> Result<Plan<'a>, WriteError> {
    let mut plan = Plan {
        targets: Vec::new(),
        folders: BTreeSet::new(),
    };
    for change in changes.iter() {
        let path = &change.path;
        let failed = |source| WriteError::io(path, source);
        if path.as_str().is_empty() || is_in_git(path) {
            return Err(WriteError::Refused {
                path: path.clone(),
                reason: "it is git's own",
            });
        }
        let (folder, missing) = deepest_folder(fs, root, path)?;
        let old = match missing.is_empty() {
            true => fs.entry(&folder, path.file_name()).map_err(failed)?,
            false => None,
        };
        let reason = match old.as_ref().map(|old| old.kind) {
            Some(Kind::Link) => Some("it is a link, and nothing is written through links"),
            Some(Kind::Folder) => Some("a folder stands there"),
            Some(Kind::Special) => Some("it is no regular file"),
            Some(Kind::File) | None => None,
        };
        if let Some(reason) = reason {
            return Err(WriteError::Refused {
                path: path.clone(),
                reason,
            });
        }
        let limit = change.before.as_ref().map_or(0, |text| text.len() as u64);
        let found = match old {
            Some(_) => fs.read(&folder, path.file_name(), limit).map_err(failed)?,
            None => None,
        };
        if found.as_deref() != change.before.as_deref().map(str::as_bytes) {
            return Err(WriteError::Changed { path: path.clone() });
        }
        fs.check_writable(&folder, ".").map_err(failed)?;
        if old.is_some() {
            fs.check_writable(&folder, path.file_name()).map_err(failed)?;
        }
        plan.folders.extend(missing);
        let temporary = change.after.as_ref().map(|_| temporary_name());
        plan.targets.push(Target {
            change,
            temporary,
            old,
        });
    }
    Ok(plan)
}

/// The innermost folder on the way to a file that exists, and those that do not, outer ones first.
fn deepest_folder(
    fs: &Fs<'_>,
    root: &Folder,
    path: &RepoPath,
) -> Result<(Folder, Vec<RepoPath>), WriteError> {
    let failed = |source| WriteError::io(path, source);
    let refused = |reason| WriteError::Refused {
        path: path.clone(),
        reason,
    };
    let mut folder = root.again().map_err(failed)?;
    let mut at = RepoPath::root();
    let mut missing = Vec::new();
    let parent = path.parent();
    for name in parent.as_str().split('/').filter(|name| !name.is_empty()) {
        at = at.join(name);
        if !missing.is_empty() {
            missing.push(at.clone());
            continue;
        }
        match fs.entry(&folder, name).map_err(failed)?.map(|entry| entry.kind) {
            None => missing.push(at.clone()),
            Some(Kind::Folder) => folder = fs.folder(&folder, name).map_err(failed)?,
            Some(Kind::Link) => {
                return Err(refused(
                    "its folder is a link, and nothing is written through links",
                ));
            }
            Some(_) => return Err(refused("a file stands where its folder should be")),
        }
    }
    Ok((folder, missing))
}
