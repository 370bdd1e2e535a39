//! The user's files: reading below one root, and writing a change set so that it happens in full or not at all.
//!
//! Reading ([`DiskRepo`]) follows links inside the root and never opens anything outside it; writing
//! ([`write()`]) goes through no link at all. What a file is for is not known here.

#[cfg(test)]
mod behaviour;
mod checks;
mod discover;
#[cfg(test)]
mod faults;
#[cfg_attr(unix, path = "folder_unix.rs")]
#[cfg_attr(not(unix), path = "folder_other.rs")]
mod folder;
mod fs;
mod interrupt;
mod journal;
mod links;
mod lock;
mod named;
mod output;
mod reading;
mod recovery;
#[cfg(test)]
pub(crate) mod scratch;
mod writing;

pub(crate) use discover::{discover, find_root, is_root, released, released_by};
pub(crate) use named::{NamedFiles, is_standard_input};
pub(crate) use output::OutputFolder;
pub(crate) use reading::{DiskRepo, FILE_LIMIT, ReadLimits, decode};
pub(crate) use recovery::{pending, recover};
pub(crate) use writing::{WriteError, write};
