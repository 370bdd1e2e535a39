//! After an interruption: a committed write is finished, any other is taken back.
//!
//! A journal that is sound was committed: each file that still has its old content gets the new one. If a
//! person edited one of them in between, nothing is touched. A draft was not committed, so no file has
//! changed: its temporary files are removed. Every step can be repeated, so recovery may be interrupted too.

use std::collections::BTreeSet;
use std::path::Path;

use tidegate_core::repo::RepoPath;

use super::folder::Folder;
use super::fs::Fs;
use super::journal::{Journal, JournalFile, digest};
use super::lock::Store;
use super::reading::FILE_LIMIT;
use super::writing::WriteError;

/// The journal of a write that is unfinished, or under way in another process; for commands that only read.
///
/// Gives its file. Errors: root or git folder cannot be opened.
pub(crate) fn pending(root: &Path, git_dir: Option<&Path>) -> Result<Option<String>, WriteError> {
    let fs = Fs::real();
    let store = Store::open(&fs, root, git_dir)?;
    Ok(is_there(&fs, &store, store.journal())?.then(|| store.show(store.journal())))
}

/// Finishes or takes back what an interrupted write left; to be called before anything is read for a new one.
///
/// Gives one line for each thing done. Takes the lock only if there is something to do. Errors: as
/// [`super::write`]; [`WriteError::EditedBetween`] if somebody edited one of the files meanwhile.
pub(crate) fn recover(root: &Path, git_dir: Option<&Path>) -> Result<Vec<String>, WriteError> {
    recover_with(&Fs::real(), root, git_dir)
}

pub(super) fn recover_with(
    fs: &Fs<'_>,
    root: &Path,
    git_dir: Option<&Path>,
) -> Result<Vec<String>, WriteError> {
    let store = Store::open(fs, root, git_dir)?;
    if !is_there(fs, &store, store.journal())? && !is_there(fs, &store, store.draft())? {
        return Ok(Vec::new());
    }
    let _lock = store.lock(fs)?;
    finish(fs, &store)
}

/// The work of [`recover`], under the lock.
pub(super) fn finish(fs: &Fs<'_>, store: &Store) -> Result<Vec<String>, WriteError> {
    let mut notices = Vec::new();
    match read(fs, store, store.journal())? {
        Content::Missing => {}
        Content::Broken => {
            remove_journal(fs, store)?;
            notices.push(format!(
                "removed {}, which is damaged",
                store.show(store.journal())
            ));
        }
        Content::Sound(journal) => {
            let root = open_root(fs, store, &journal)?;
            roll_forward(fs, store, &root, &journal).map_err(|stopped| stopped.error)?;
            remove_journal(fs, store)?;
            notices.push(format!(
                "finished an interrupted change of {} files",
                journal.files.len()
            ));
        }
    }
    match read(fs, store, store.draft())? {
        Content::Missing => {}
        // It is complete before the first temporary file is made: a broken one has none.
        Content::Broken => {
            let failed = |source| WriteError::io(store.show(store.draft()), source);
            fs.remove(&store.folder, store.draft()).map_err(failed)?;
        }
        Content::Sound(journal) => {
            let root = open_root(fs, store, &journal)?;
            discard(fs, store, &root, &journal)?;
            notices
                .push("removed the temporary files of an interrupted run, which had changed nothing".into());
        }
    }
    Ok(notices)
}

/// Why a committed write could not be finished, and whether some file has its new content already.
pub(super) struct Stopped {
    pub(super) is_begun: bool,
    pub(super) error: WriteError,
}

/// Gives every file of a committed journal its new content; what is done already is left alone.
pub(super) fn roll_forward(
    fs: &Fs<'_>,
    store: &Store,
    root: &Folder,
    journal: &Journal,
) -> Result<(), Stopped> {
    let states: Result<Vec<_>, _> = journal.files.iter().map(|file| state(fs, root, file)).collect();
    let states = states.map_err(|error| Stopped {
        is_begun: false,
        error,
    })?;
    let mut is_begun = states.contains(&State::Done);
    let is_in_the_way = |state: &State| match state {
        State::Waiting | State::Done => false,
        State::Edited => true,
        // With nothing left to do, that edit is no matter of ours.
        State::Overtaken => states.contains(&State::Waiting),
        // When all are lost nothing was begun, and nothing is to be finished.
        State::Lost => states.iter().any(|state| *state != State::Lost),
    };
    if let Some(index) = states.iter().position(is_in_the_way) {
        let path = journal.files[index].repo_path();
        let error = WriteError::EditedBetween {
            path,
            journal: store.show(store.journal()),
        };
        return Err(Stopped { is_begun, error });
    }
    for (file, _) in journal
        .files
        .iter()
        .zip(&states)
        .filter(|(_, state)| **state == State::Waiting)
    {
        apply(fs, root, file).map_err(|error| Stopped { is_begun, error })?;
        is_begun = true;
    }
    settle(fs, root, journal).map_err(|error| Stopped {
        is_begun: true,
        error,
    })
}

/// Removes what an uncommitted write made, the draft last. Goes on where something cannot be removed, and
/// keeps the draft then, so that the next run tries again.
pub(super) fn discard(
    fs: &Fs<'_>,
    store: &Store,
    root: &Folder,
    journal: &Journal,
) -> Result<(), WriteError> {
    let mut first_error = None;
    let mut note = |path: &RepoPath, result: std::io::Result<()>| {
        if let Err(source) = result {
            first_error.get_or_insert(WriteError::io(path, source));
        }
    };
    for file in &journal.files {
        let path = file.repo_path();
        if let (Some(temporary), Some(folder)) = (&file.temporary, open_if_there(fs, root, &path.parent())?) {
            note(&path, fs.remove(&folder, temporary));
        }
    }
    for path in journal
        .folders
        .iter()
        .rev()
        .filter_map(|path| RepoPath::new(path).ok())
    {
        if let Some(parent) = open_if_there(fs, root, &path.parent())? {
            note(&path, fs.remove_folder(&parent, path.file_name()).map(drop));
        }
    }
    match first_error {
        Some(error) => Err(error),
        None => {
            let failed = |source| WriteError::io(store.show(store.draft()), source);
            fs.remove(&store.folder, store.draft()).map_err(failed)
        }
    }
}

/// The last step: nothing is left to do.
pub(super) fn remove_journal(fs: &Fs<'_>, store: &Store) -> Result<(), WriteError> {
    let failed = |source| WriteError::io(store.show(store.journal()), source);
    fs.remove(&store.folder, store.journal()).map_err(failed)?;
    fs.sync_folder(&store.folder).map_err(failed)
}

/// Opens a folder below the root, through no link.
pub(super) fn open_folder(fs: &Fs<'_>, root: &Folder, path: &RepoPath) -> Result<Folder, WriteError> {
    let failed = |source| WriteError::io(path, source);
    let mut folder = root.again().map_err(failed)?;
    for name in path.as_str().split('/').filter(|name| !name.is_empty()) {
        folder = fs.folder(&folder, name).map_err(failed)?;
    }
    Ok(folder)
}

fn open_if_there(fs: &Fs<'_>, root: &Folder, path: &RepoPath) -> Result<Option<Folder>, WriteError> {
    match open_folder(fs, root, path) {
        Ok(folder) => Ok(Some(folder)),
        Err(WriteError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

enum Content {
    Missing,
    Broken,
    Sound(Journal),
}

fn read(fs: &Fs<'_>, store: &Store, name: &str) -> Result<Content, WriteError> {
    let bytes = fs.read(&store.folder, name, FILE_LIMIT);
    let bytes = bytes.map_err(|source| WriteError::io(store.show(name), source))?;
    Ok(match bytes {
        None => Content::Missing,
        Some(bytes) => Journal::parse(&bytes).map_or(Content::Broken, Content::Sound),
    })
}

fn is_there(fs: &Fs<'_>, store: &Store, name: &str) -> Result<bool, WriteError> {
    let entry = fs
        .entry(&store.folder, name)
        .map_err(|source| WriteError::io(store.show(name), source))?;
    Ok(entry.is_some())
}

fn open_root(fs: &Fs<'_>, store: &Store, journal: &Journal) -> Result<Folder, WriteError> {
    let path = store.path.join(&journal.root);
    fs.open(&path)
        .map_err(|source| WriteError::io(path.display(), source))
}

/// How far one file of a committed write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has its old content, the new one lies beside it.
    Waiting,
    /// It has its new content.
    Done,
    /// It has its old content and the new one is gone.
    Lost,
    /// It had its new content and was edited since.
    Overtaken,
    /// It has neither content and was not written yet: a person came between.
    Edited,
}

fn state(fs: &Fs<'_>, root: &Folder, file: &JournalFile) -> Result<State, WriteError> {
    let path = file.repo_path();
    let failed = |source| WriteError::io(&path, source);
    let digest_of = |folder: &Folder, name: &str| {
        // Larger than anything we write is other than anything we write.
        let content = fs.read(folder, name, FILE_LIMIT * 2).map_err(failed)?;
        Ok::<_, WriteError>(content.map(|content| digest(&content)))
    };
    let (found, temporary) = match (open_if_there(fs, root, &path.parent())?, &file.temporary) {
        (None, _) => (None, None),
        (Some(folder), None) => (digest_of(&folder, path.file_name())?, None),
        (Some(folder), Some(name)) => (digest_of(&folder, path.file_name())?, digest_of(&folder, name)?),
    };
    let is_ready = temporary == file.after;
    Ok(match found {
        found if found == file.after && temporary.is_none() => State::Done,
        found if found == file.before && is_ready => State::Waiting,
        found if found == file.before => State::Lost,
        _ if temporary.is_none() && file.after.is_some() => State::Overtaken,
        _ => State::Edited,
    })
}

fn apply(fs: &Fs<'_>, root: &Folder, file: &JournalFile) -> Result<(), WriteError> {
    let path = file.repo_path();
    let folder = open_folder(fs, root, &path.parent())?;
    let result = match &file.temporary {
        Some(temporary) => fs.rename(&folder, temporary, path.file_name()),
        None => fs.remove(&folder, path.file_name()),
    };
    result.map_err(|source| WriteError::io(&path, source))
}

/// Removes the folders that removals left empty, and makes all names last.
fn settle(fs: &Fs<'_>, root: &Folder, journal: &Journal) -> Result<(), WriteError> {
    let mut touched: BTreeSet<_> = journal
        .files
        .iter()
        .map(|file| file.repo_path().parent())
        .collect();
    for file in journal.files.iter().filter(|file| file.after.is_none()) {
        let mut path = file.repo_path().parent();
        while path != RepoPath::root() {
            let Some(parent) = open_if_there(fs, root, &path.parent())? else {
                break;
            };
            let is_removed = fs.remove_folder(&parent, path.file_name());
            if !is_removed.map_err(|source| WriteError::io(&path, source))? {
                break;
            }
            touched.insert(path.parent());
            path = path.parent();
        }
    }
    for path in &touched {
        if let Some(folder) = open_if_there(fs, root, path)? {
            fs.sync_folder(&folder)
                .map_err(|source| WriteError::io(path, source))?;
        }
    }
    Ok(())
}
