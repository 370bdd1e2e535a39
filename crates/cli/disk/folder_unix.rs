//! A folder held open: every step below it is taken from the handle, so a swap of a folder for a link
//! between looking and opening fails instead of leading elsewhere.
//!
//! No call here follows a link. Where links may be followed (reading), `reading` reads their target
//! and takes those steps itself.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::{self, Access, AtFlags, FileType, Mode, OFlags, Stat};

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    pub(crate) attributes: Attributes,
    /// How many names the file has.
    pub(crate) names: u64,
    /// Device and inode: which file it is, whatever its name.
    pub(crate) identity: (u64, u64),
}

/// What a rewritten file keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes {
    mode: u32,
    owner: (u32, u32),
}

impl Folder {
    /// Opens a folder by a trusted path; links in it are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(fs::open(path, flags, Mode::empty())?))
    }

    /// Opens a folder in this one; a link is an error.
    pub(crate) fn folder(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// A second handle of this folder.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// What stands at a name; `None` where nothing does.
    pub(crate) fn entry(&self, name: &str) -> io::Result<Option<Entry>> {
        match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(entry(&stat))),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where a link points.
    pub(crate) fn link_target(&self, name: &str) -> io::Result<OsString> {
        Ok(OsString::from_vec(
            fs::readlinkat(&self.0, name, Vec::new())?.into_bytes(),
        ))
    }

    /// The names in this folder, in no order.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    /// Opens a file for reading; never waits for a writer of a pipe. A link is an error.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, name, flags, Mode::empty())?.into())
    }

    /// Makes a file that was not there; with `like`, private until [`Self::dress`] gives it its mode.
    pub(crate) fn create(&self, name: &str, like: Option<Attributes>) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = if like.is_some() { 0o600 } else { 0o666 };
        Ok(fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// Opens or makes a file that only serves as a lock.
    pub(crate) fn open_lock(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o644))?.into())
    }

    /// Gives a file the owner and mode of the one it replaces; whether the owner could be kept.
    pub(crate) fn dress(file: &File, like: Attributes) -> io::Result<bool> {
        let (user, group) = like.owner;
        let is_same = entry(&fs::fstat(file)?).attributes.owner == like.owner;
        let (user, group) = (fs::Uid::from_raw(user), fs::Gid::from_raw(group));
        let kept = is_same || fs::fchown(file, Some(user), Some(group)).is_ok();
        // After the owner: a change of owner drops the set-id bits, and with another owner they must not be set.
        let mode = if kept {
            like.mode & 0o7777
        } else {
            like.mode & 0o777
        };
        fs::fchmod(file, Mode::from_bits_truncate(mode as _))?;
        Ok(kept)
    }

    /// Makes a folder.
    pub(crate) fn make_folder(&self, name: &str) -> io::Result<()> {
        Ok(fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777))?)
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Removes a file or a link.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Renames inside this folder; what stood at the new name is replaced.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Makes the names in this folder last.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match fs::fsync(&self.0) {
            // Some network and FUSE file systems do not know the call for folders.
            Err(rustix::io::Errno::INVAL) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Whether the process may write a name (`.`: the folder).
    pub(crate) fn check_writable(&self, name: &str) -> io::Result<()> {
        Ok(fs::accessat(&self.0, name, Access::WRITE_OK, AtFlags::empty())?)
    }
}

/// What the operating system says about an open file.
pub(crate) fn entry_of(file: &File) -> io::Result<Entry> {
    Ok(entry(&fs::fstat(file)?))
}

/// Takes the lock of a file, without waiting; whether it was free. The kernel frees it when the process ends.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match fs::flock(file, fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

// The fields of `Stat` have other integer types on other systems.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
fn entry(stat: &Stat) -> Entry {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Special,
    };
    Entry {
        kind,
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        attributes: Attributes {
            mode: stat.st_mode.into(),
            owner: (stat.st_uid, stat.st_gid),
        },
        names: stat.st_nlink as u64,
        identity: (stat.st_dev as u64, stat.st_ino as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::scratch::Scratch;

    /// What a check before opening cannot give: somebody may put a link there in between.
    #[test]
    fn opening_a_link_fails_by_itself() {
        let scratch = Scratch::with(&[("folder/file", "")]);
        scratch.link("to-folder", "folder");
        scratch.link("to-file", "folder/file");
        scratch.link("dangling", "new");
        let folder = Folder::open(scratch.path()).unwrap();
        assert!(folder.folder("folder").is_ok() && folder.folder("to-folder").is_err());
        assert!(folder.open_file("to-file").is_err() && folder.open_lock("to-file").is_err());
        assert!(folder.create("dangling", None).is_err() && folder.open_lock("dangling").is_err());
        assert_eq!(scratch.tree().len(), 5);
    }
}
