//! From a path to what it leads to, through links that stay inside the root.
//!
//! Each step is taken from the folder before it and follows nothing by itself; the target of a link is read
//! and walked the same way. So the way out of the root is never opened, not even to look at what is there.

use std::io;
use std::path::{Component, Path};

use tidegate_core::repo::{ReadError, RepoPath};

use super::folder::{Folder, Kind, entry_of};

const MAX_LINKS: usize = 64;

/// What a path leads to once its links are followed.
pub(super) enum Found {
    /// A folder.
    Folder(Folder),
    /// The folder that really holds the file, and its name there.
    File(Folder, String),
}

/// Opens a regular file; `None` where there is nothing. Never waits, whatever stands there.
pub(super) fn open(root: Folder, path: &RepoPath) -> Result<Option<std::fs::File>, ReadError> {
    let refused = |reason: &str| {
        Err(ReadError::Refused {
            path: path.clone(),
            reason: reason.to_owned(),
        })
    };
    let failed = |source| ReadError::Io {
        path: path.to_string(),
        source,
    };
    let (folder, name) = match find(root, path)? {
        Some(Found::File(folder, name)) => (folder, name),
        Some(Found::Folder(_)) => return refused("a folder, where a file is needed"),
        None => return Ok(None),
    };
    let file = match folder.open_file(&name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    // Asked of the open file: what stood at the name a moment ago does not count.
    match entry_of(&file).map_err(failed)?.kind {
        Kind::File => Ok(Some(file)),
        _ => refused("no regular file"),
    }
}

/// Walks from the root to a path, one name at a time, following links by hand.
pub(super) fn find(root: Folder, path: &RepoPath) -> Result<Option<Found>, ReadError> {
    let refused = |reason: &str| {
        Err(ReadError::Refused {
            path: path.clone(),
            reason: reason.to_owned(),
        })
    };
    let failed = |source| ReadError::Io {
        path: path.to_string(),
        source,
    };
    let mut folders = vec![root];
    let names = path.as_str().split('/').filter(|name| !name.is_empty());
    let mut ahead: Vec<String> = names.rev().map(Into::into).collect();
    // How many names ahead are the path's own; those on top of them come from links.
    let mut own_count = ahead.len();
    let mut link_count = 0;
    while let Some(name) = ahead.pop() {
        let is_from_link = ahead.len() >= own_count;
        own_count = own_count.min(ahead.len());
        if name == ".." {
            folders.pop();
            if folders.is_empty() {
                return refused("a link that leads out of the repository");
            }
            continue;
        }
        let folder = folders
            .last()
            .expect("the root is only taken off together with a return");
        match folder.entry(&name).map_err(failed)?.map(|entry| entry.kind) {
            None if is_from_link => return refused("a link to something that does not exist"),
            None => return Ok(None),
            Some(Kind::Folder) => folders.push(folder.folder(&name).map_err(failed)?),
            Some(Kind::Link) => {
                link_count += 1;
                if link_count > MAX_LINKS {
                    return refused("links that lead in a circle or through more than 64 others");
                }
                let target = folder.link_target(&name).map_err(failed)?;
                for part in Path::new(&target).components().rev() {
                    match part {
                        Component::Normal(part) => match part.to_str() {
                            Some(part) => ahead.push(part.to_owned()),
                            None => return refused("a link to a name that is not UTF-8"),
                        },
                        Component::ParentDir => ahead.push("..".to_owned()),
                        Component::CurDir => {}
                        // Even where it leads back inside: on the next machine it does not.
                        Component::RootDir | Component::Prefix(_) => {
                            return refused(
                                "a link with an absolute path, which leads out of the repository",
                            );
                        }
                    }
                }
            }
            Some(Kind::File | Kind::Special) if !ahead.is_empty() => return Ok(None),
            Some(Kind::File) => return Ok(folders.pop().map(|folder| Found::File(folder, name))),
            Some(Kind::Special) => return refused("a pipe, socket or device, where a file is needed"),
        }
    }
    Ok(folders.pop().map(Found::Folder))
}
