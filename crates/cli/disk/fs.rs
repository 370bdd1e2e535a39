//! Every call by which writing touches the disk, behind one gate.
//!
//! The gate is asked before each call and may fail it: that is how the tests stop a write at every
//! single step, with an error or as if the process had been killed there.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::folder::{Attributes, Entry, Folder, Kind, entry_of};

/// What is about to be done, and to which name.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the gates of tests look at what is called")
)]
pub(super) enum Call<'a> {
    Open,
    Look,
    Read,
    CheckWritable,
    Lock,
    MakeFolder(&'a str),
    Create(&'a str),
    /// All of the bytes follow; the file is there so that a double can write some of them.
    Write(&'a File, &'a [u8]),
    Dress,
    Sync,
    SyncFolder,
    Rename(&'a str, &'a str),
    Remove(&'a str),
    RemoveFolder(&'a str),
}

/// The operating system's calls, each after the gate has let it pass.
#[derive(Clone, Copy)]
pub(super) struct Fs<'a> {
    pub(super) gate: &'a dyn Fn(Call<'_>) -> io::Result<()>,
}

impl Fs<'static> {
    /// The operating system itself.
    pub(super) fn real() -> Self {
        Self { gate: &|_| Ok(()) }
    }
}

impl Fs<'_> {
    pub(super) fn open(&self, path: &Path) -> io::Result<Folder> {
        (self.gate)(Call::Open)?;
        Folder::open(path)
    }

    pub(super) fn folder(&self, folder: &Folder, name: &str) -> io::Result<Folder> {
        (self.gate)(Call::Open)?;
        folder.folder(name)
    }

    pub(super) fn entry(&self, folder: &Folder, name: &str) -> io::Result<Option<Entry>> {
        (self.gate)(Call::Look)?;
        folder.entry(name)
    }

    /// The bytes of a regular file, at most `limit` and one more; `None` where there is no such file.
    pub(super) fn read(&self, folder: &Folder, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        (self.gate)(Call::Read)?;
        let file = match folder.open_file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if entry_of(&file)?.kind != Kind::File {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file"));
        }
        let mut content = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    pub(super) fn check_writable(&self, folder: &Folder, name: &str) -> io::Result<()> {
        (self.gate)(Call::CheckWritable)?;
        folder.check_writable(name)
    }

    pub(super) fn open_lock(&self, folder: &Folder, name: &str) -> io::Result<File> {
        (self.gate)(Call::Lock)?;
        folder.open_lock(name)
    }

    pub(super) fn make_folder(&self, folder: &Folder, name: &str) -> io::Result<()> {
        (self.gate)(Call::MakeFolder(name))?;
        folder.make_folder(name)
    }

    pub(super) fn create(&self, folder: &Folder, name: &str, like: Option<Attributes>) -> io::Result<File> {
        (self.gate)(Call::Create(name))?;
        folder.create(name, like)
    }

    pub(super) fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        (self.gate)(Call::Write(file, bytes))?;
        file.write_all(bytes)
    }

    /// Gives a new file the owner and mode of the old one; whether the owner could be kept.
    pub(super) fn dress(&self, file: &File, like: Attributes) -> io::Result<bool> {
        (self.gate)(Call::Dress)?;
        Folder::dress(file, like)
    }

    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        (self.gate)(Call::Sync)?;
        file.sync_all()
    }

    pub(super) fn sync_folder(&self, folder: &Folder) -> io::Result<()> {
        (self.gate)(Call::SyncFolder)?;
        folder.sync()
    }

    pub(super) fn rename(&self, folder: &Folder, from: &str, to: &str) -> io::Result<()> {
        (self.gate)(Call::Rename(from, to))?;
        folder.rename(from, to)
    }

    /// Removes a file; one that is not there counts as removed.
    pub(super) fn remove(&self, folder: &Folder, name: &str) -> io::Result<()> {
        (self.gate)(Call::Remove(name))?;
        match folder.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Removes a folder if it is empty; whether it was.
    pub(super) fn remove_folder(&self, folder: &Folder, name: &str) -> io::Result<bool> {
        use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotFound};
        (self.gate)(Call::RemoveFolder(name))?;
        match folder.remove_folder(name) {
            Ok(()) => Ok(true),
            // `AlreadyExists` is how some systems say that a folder is not empty.
            Err(error) if matches!(error.kind(), NotFound | DirectoryNotEmpty | AlreadyExists) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
