//! One writer at a time: an advisory lock that the kernel frees when its holder ends, however it ends.
//!
//! Lock and journal lie together: in the git folder, where they are never committed and never seen by a
//! tool that reads the work tree; without a git folder in the root, under hidden names, because any other
//! place (a temporary folder) would be lost at a restart, or shared with other users. The lock's file is
//! removed when it is given back, so that a finished run leaves nothing behind.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::folder::{Folder, entry_of, try_lock};
use super::fs::Fs;
use super::interrupt::{self, Held};
use super::writing::WriteError;

const WAIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Where lock and journal of a root lie.
pub(super) struct Store {
    pub(super) path: PathBuf,
    pub(super) folder: Folder,
    is_hidden: bool,
}

impl Store {
    /// The git folder, or without one the root.
    pub(super) fn open(fs: &Fs<'_>, root: &Path, git_dir: Option<&Path>) -> Result<Self, WriteError> {
        let path = git_dir.unwrap_or(root);
        let folder = fs
            .open(path)
            .map_err(|source| WriteError::io(path.display(), source))?;
        Ok(Self {
            path: path.to_owned(),
            folder,
            is_hidden: git_dir.is_none(),
        })
    }

    /// The name of the committed journal.
    pub(super) fn journal(&self) -> &'static str {
        if self.is_hidden {
            ".tidegate.journal"
        } else {
            "tidegate.journal"
        }
    }

    /// The name of a journal that is not committed yet.
    pub(super) fn draft(&self) -> &'static str {
        if self.is_hidden {
            ".tidegate.journal.new"
        } else {
            "tidegate.journal.new"
        }
    }

    /// A file of this folder as it is named in messages.
    pub(super) fn show(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// Takes the lock; waits for another run to end. Errors: it does not, or no file can be made here.
    pub(super) fn lock<'a>(&'a self, fs: &Fs<'a>) -> Result<Lock<'a>, WriteError> {
        self.lock_within(fs, WAIT)
    }

    pub(super) fn lock_within<'a>(&'a self, fs: &Fs<'a>, wait: Duration) -> Result<Lock<'a>, WriteError> {
        let name = if self.is_hidden {
            ".tidegate.lock"
        } else {
            "tidegate.lock"
        };
        let failed = |source| WriteError::io(self.show(name), source);
        let begin = Instant::now();
        let held = interrupt::hold();
        loop {
            if interrupt::is_asked() {
                return Err(failed(io::ErrorKind::Interrupted.into()));
            }
            if let Some(file) = self.try_lock(fs, name).map_err(failed)? {
                return Ok(Lock {
                    store: self,
                    fs: *fs,
                    name,
                    file: Some(file),
                    _held: held,
                });
            }
            if begin.elapsed() >= wait {
                return Err(WriteError::Busy {
                    holder: self.holder(name),
                });
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn try_lock(&self, fs: &Fs<'_>, name: &str) -> io::Result<Option<File>> {
        let mut file = match fs.open_lock(&self.folder, name) {
            // Windows: somebody else has it open.
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(32) => return Ok(None),
            opened => opened?,
        };
        if !try_lock(&file)? {
            return Ok(None);
        }
        // The last holder may have removed the name between our opening and locking.
        let is_current = fs
            .entry(&self.folder, name)?
            .is_some_and(|entry| entry_of(&file).is_ok_and(|locked| locked.identity == entry.identity));
        if !is_current {
            return Ok(None);
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Some(file))
    }

    fn holder(&self, name: &str) -> Option<u32> {
        let mut text = String::new();
        self.folder
            .open_file(name)
            .ok()?
            .take(16)
            .read_to_string(&mut text)
            .ok()?;
        text.trim().parse().ok()
    }
}

/// The lock, until it is dropped.
pub(super) struct Lock<'a> {
    store: &'a Store,
    fs: Fs<'a>,
    name: &'static str,
    file: Option<File>,
    /// Last, so that a signal takes effect when the lock is given back.
    _held: Held,
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Unix removes the name first, so that nobody locks a file that is about to go; Windows cannot
        // remove an open file. A file that stays does no harm.
        if cfg!(not(unix)) {
            self.file = None;
        }
        let _ = self.fs.remove(&self.store.folder, self.name);
    }
}
