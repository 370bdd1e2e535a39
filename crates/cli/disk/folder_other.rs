//! A folder by its path, for systems without handles of folders.
//!
//! Weaker than on Unix: links are looked for before each step, but a swap between looking and opening is
//! not noticed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A folder.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

/// What stands at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A pipe, a socket or a device.
    Special,
}

/// What the operating system says about a name, its own link not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    pub(crate) attributes: Attributes,
    /// How many names the file has.
    pub(crate) names: u64,
    /// Which file it is: not known here.
    pub(crate) identity: (u64, u64),
}

/// What a rewritten file keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes;

impl Folder {
    /// Opens a folder by a trusted path; links in it are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        match path.is_dir() {
            true => Ok(Self(path)),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Opens a folder in this one; a link is an error.
    pub(crate) fn folder(&self, name: &str) -> io::Result<Self> {
        match self.entry(name)?.map(|entry| entry.kind) {
            Some(Kind::Folder) => Ok(Self(self.0.join(name))),
            Some(_) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// A second handle of this folder.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Self(self.0.clone()))
    }

    /// What stands at a name; `None` where nothing does.
    pub(crate) fn entry(&self, name: &str) -> io::Result<Option<Entry>> {
        // A name with a separator or a stream would be a path.
        if name.contains(['\\', ':']) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match fs::symlink_metadata(self.0.join(name)) {
            Ok(metadata) => Ok(Some(entry(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where a link points.
    pub(crate) fn link_target(&self, name: &str) -> io::Result<OsString> {
        Ok(fs::read_link(self.0.join(name))?.into_os_string())
    }

    /// The names in this folder, in no order.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.0)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    }

    /// Opens a file for reading. A link is an error.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        match self.entry(name)?.map(|entry| entry.kind) {
            Some(Kind::File) => File::open(self.0.join(name)),
            Some(_) => Err(io::ErrorKind::InvalidInput.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Makes a file that was not there.
    pub(crate) fn create(&self, name: &str, _like: Option<Attributes>) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.0.join(name))
    }

    /// Opens or makes a file that only serves as a lock; on Windows no second process can open it meanwhile.
    pub(crate) fn open_lock(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(windows)]
        std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 0);
        options.open(self.0.join(name))
    }

    /// Gives a file the owner and mode of the one it replaces: neither is known here.
    pub(crate) fn dress(_file: &File, _like: Attributes) -> io::Result<bool> {
        Ok(true)
    }

    /// Makes a folder.
    pub(crate) fn make_folder(&self, name: &str) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    /// Removes a file or a link.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    /// Renames inside this folder; what stood at the new name is replaced.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    /// Makes the names in this folder last: nothing to do here.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether the process may write a name (`.`: the folder).
    pub(crate) fn check_writable(&self, name: &str) -> io::Result<()> {
        match fs::metadata(self.0.join(name))? {
            metadata if metadata.is_file() && metadata.permissions().readonly() => {
                Err(io::ErrorKind::PermissionDenied.into())
            }
            _ => Ok(()),
        }
    }
}

/// What the operating system says about an open file.
pub(crate) fn entry_of(file: &File) -> io::Result<Entry> {
    Ok(entry(&file.metadata()?))
}

/// Takes the lock of a file: who has it open has the lock.
pub(crate) fn try_lock(_file: &File) -> io::Result<bool> {
    Ok(true)
}

fn entry(metadata: &fs::Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Special,
    };
    Entry {
        kind,
        bytes: metadata.len(),
        attributes: Attributes,
        names: 1,
        identity: (0, 0),
    }
}
