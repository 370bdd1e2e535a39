//! Writing a change set: all files or none, whatever stops the run.
//!
//! 1. Take the lock; finish or discard what an interrupted run left (`recovery`).
//! 2. Check everything: paths, links, permissions, and that each file still is what was read.
//! 3. Write a draft of the journal, then every new content to a temporary file beside its target, and
//!    make both last (`fsync`), names included.
//! 4. Rename the draft to the journal. **This is the commit point**: before it every file is as it was,
//!    after it the write happens, by this run or by the next.
//! 5. Rename the temporary files over their targets, remove what is to go, remove the journal.
//!
//! Every call is made through [`Fs`], so that tests can stop a write at each of them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::path::{Component, Path, PathBuf};

use tidegate_core::change::ChangeSet;
use tidegate_core::repo::RepoPath;

use super::checks::{Plan, check};
use super::folder::{Attributes, Folder};
use super::fs::Fs;
use super::interrupt;
use super::journal::Journal;
use super::lock::Store;
use super::recovery::{self, Stopped};

/// A change set was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// A file is not what it was when it was read; nothing was written.
    #[error("{path} was changed by somebody else since it was read; nothing was written")]
    Changed {
        /// The file.
        path: RepoPath,
    },
    /// A file may not be written; nothing was.
    #[error("{path} is not written: {reason}")]
    Refused {
        /// The file.
        path: RepoPath,
        /// Why.
        reason: &'static str,
    },
    /// An interrupted write cannot be finished, since a file was edited in between; nothing was touched.
    #[error(
        "an earlier write was interrupted and {path} was changed since; \
         put it right by hand, then remove {journal}"
    )]
    EditedBetween {
        /// The file.
        path: RepoPath,
        /// The journal of the interrupted write.
        journal: String,
    },
    /// Another run has the lock and keeps it.
    #[error("another run of tidegate{} is writing here", .holder.map(|id| format!(" (process {id})")).unwrap_or_default())]
    Busy {
        /// Its process id.
        holder: Option<u32>,
    },
    /// The operating system refused; every file is as it was.
    #[error("cannot write {path}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refused when the write was already committed.
    #[error("the change is written in part; run tidegate again to finish it from {journal}")]
    Unfinished {
        /// The journal it is finished from.
        journal: String,
        /// What went wrong.
        source: Box<Self>,
    },
}

impl WriteError {
    pub(super) fn io(path: impl Display, source: io::Error) -> Self {
        Self::Io {
            path: path.to_string(),
            source,
        }
    }

    /// Whether the user's files are the reason (exit code 1) rather than the machine (exit code 2).
    pub(crate) fn is_about_files(&self) -> bool {
        matches!(
            self,
            Self::Changed { .. } | Self::Refused { .. } | Self::EditedBetween { .. }
        )
    }
}

/// What is worth telling after a change set was written.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Written {
    /// One line each: finished earlier writes, hard links, an owner that could not be kept.
    pub(crate) notices: Vec<String>,
}

/// Writes a change set below a root, in full or not at all.
///
/// `git_dir` is the git folder of the work tree, where lock and journal are kept; without one they are kept
/// in the root for the time of the run. Missing folders are made; folders that become empty by a removal are
/// removed. A rewritten file keeps its mode and, where allowed, its owner. Nothing is written through a
/// link, outside the root or into `.git`.
pub(crate) fn write(root: &Path, git_dir: Option<&Path>, changes: &ChangeSet) -> Result<Written, WriteError> {
    write_with(&Fs::real(), root, git_dir, changes)
}

pub(super) fn write_with(
    fs: &Fs<'_>,
    root: &Path,
    git_dir: Option<&Path>,
    changes: &ChangeSet,
) -> Result<Written, WriteError> {
    if changes.is_empty() {
        return Ok(Written::default());
    }
    let store = Store::open(fs, root, git_dir)?;
    let _lock = store.lock(fs)?;
    let mut notices = recovery::finish(fs, &store)?;
    let root_folder = fs
        .open(root)
        .map_err(|source| WriteError::io(root.display(), source))?;
    let plan = check(fs, &root_folder, changes)?;
    notices.extend(plan.notices());
    let journal = plan.journal(relative(&store.path, root)?);
    if let Err(error) = prepare(fs, &store, &root_folder, &plan, &journal, &mut notices) {
        // The first error is the one to tell; what cannot be removed now is removed by the next run.
        let _ = recovery::discard(fs, &store, &root_folder, &journal);
        return Err(error);
    }
    commit(fs, &store, &root_folder, &journal)?;
    if let Err(error) = recovery::remove_journal(fs, &store) {
        notices.push(format!(
            "{error}: {}",
            std::error::Error::source(&error)
                .map(ToString::to_string)
                .unwrap_or_default()
        ));
    }
    Ok(Written { notices })
}

/// Everything up to the commit point; on an error the caller discards it.
fn prepare(
    fs: &Fs<'_>,
    store: &Store,
    root: &Folder,
    plan: &Plan<'_>,
    journal: &Journal,
    notices: &mut Vec<String>,
) -> Result<(), WriteError> {
    let draft_failed = |source| WriteError::io(store.show(store.draft()), source);
    // The draft comes first and lasts before the first temporary file is made: it is how they are found.
    let draft = fs
        .create(&store.folder, store.draft(), None)
        .map_err(draft_failed)?;
    fs.write(&draft, &journal.to_bytes()).map_err(draft_failed)?;
    fs.sync(&draft).map_err(draft_failed)?;
    fs.sync_folder(&store.folder).map_err(draft_failed)?;

    let mut touched = BTreeSet::new();
    for path in &plan.folders {
        let parent = recovery::open_folder(fs, root, &path.parent())?;
        fs.make_folder(&parent, path.file_name())
            .map_err(|source| WriteError::io(path, source))?;
        touched.insert(path.parent());
    }
    for target in &plan.targets {
        if interrupt::is_asked() {
            return Err(WriteError::io(
                &target.change.path,
                io::ErrorKind::Interrupted.into(),
            ));
        }
        let (Some(temporary), Some(text)) = (&target.temporary, &target.change.after) else {
            continue;
        };
        let path = &target.change.path;
        let old = target.old.as_ref().map(|old| old.attributes);
        let folder = recovery::open_folder(fs, root, &path.parent())?;
        let kept = write_temporary(fs, &folder, temporary, text, old)
            .map_err(|source| WriteError::io(path, source))?;
        if !kept {
            notices.push(format!("the owner of {path} could not be kept"));
        }
        touched.insert(path.parent());
    }
    // The names of the temporary files must last before the journal that relies on them.
    for path in touched.iter().rev() {
        let folder = recovery::open_folder(fs, root, path)?;
        fs.sync_folder(&folder)
            .map_err(|source| WriteError::io(path, source))?;
    }
    Ok(())
}

fn write_temporary(
    fs: &Fs<'_>,
    folder: &Folder,
    name: &str,
    text: &str,
    old: Option<Attributes>,
) -> io::Result<bool> {
    let file = fs.create(folder, name, old)?;
    fs.write(&file, text.as_bytes())?;
    let kept = match old {
        Some(old) => fs.dress(&file, old)?,
        None => true,
    };
    fs.sync(&file)?;
    Ok(kept)
}

/// The commit point and the renames after it. As long as no target is touched, an error takes all back.
fn commit(fs: &Fs<'_>, store: &Store, root: &Folder, journal: &Journal) -> Result<(), WriteError> {
    let failed = |source| WriteError::io(store.show(store.journal()), source);
    if let Err(source) = fs.rename(&store.folder, store.draft(), store.journal()) {
        let _ = recovery::discard(fs, store, root, journal);
        return Err(failed(source));
    }
    let done = match fs.sync_folder(&store.folder) {
        Ok(()) => recovery::roll_forward(fs, store, root, journal),
        Err(source) => Err(Stopped {
            is_begun: false,
            error: failed(source),
        }),
    };
    let Err(Stopped { is_begun, error }) = done else {
        return Ok(());
    };
    let is_withdrawn = !is_begun && fs.rename(&store.folder, store.journal(), store.draft()).is_ok();
    if is_withdrawn {
        let _ = recovery::discard(fs, store, root, journal);
        return Err(match error {
            WriteError::EditedBetween { path, .. } => WriteError::Changed { path },
            error => error,
        });
    }
    Err(WriteError::Unfinished {
        journal: store.show(store.journal()),
        source: Box::new(error),
    })
}

/// The way from the journal's folder to the root, so that a repository may be moved between two runs.
fn relative(from: &Path, to: &Path) -> Result<String, WriteError> {
    let resolve =
        |path: &Path| std::fs::canonicalize(path).map_err(|source| WriteError::io(path.display(), source));
    let (from, to) = (resolve(from)?, resolve(to)?);
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = match shared {
        // Two drives have nothing in common.
        0 => to.clone(),
        _ => up.chain(to.components().skip(shared)).collect(),
    };
    let not_text = || io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8");
    way.to_str()
        .map(str::to_owned)
        .ok_or_else(|| WriteError::io(to.display(), not_text()))
}
