//! What a write is about to do, in a form that survives its end: the journal.
//!
//! A checksum, a line break, then JSON. A draft is written before the first temporary file is made, so
//! that leftovers can be found; renamed to its final name it is committed, and from then on the write
//! happens, if not by this run then by the next.

use serde::{Deserialize, Serialize};
use tidegate_core::repo::RepoPath;

const VERSION: u32 = 1;

/// One write of several files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    version: u32,
    /// The root, relative to the folder of the journal: several roots may share one git folder.
    pub(super) root: String,
    /// Folders made for this write, outer ones first.
    pub(super) folders: Vec<String>,
    pub(super) files: Vec<JournalFile>,
}

/// One file of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalFile {
    pub(super) path: String,
    /// The name, beside the file, of its new content; `None` for a removal.
    pub(super) temporary: Option<String>,
    /// Digest of the content it replaces; `None` for a new file.
    pub(super) before: Option<String>,
    /// Digest of the new content; `None` for a removal.
    pub(super) after: Option<String>,
}

impl Journal {
    pub(super) fn new(root: String, folders: Vec<String>, files: Vec<JournalFile>) -> Self {
        Self {
            version: VERSION,
            root,
            folders,
            files,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("strings and numbers are JSON");
        format!("{}\n{json}\n", digest(json.as_bytes())).into_bytes()
    }

    /// Reads a journal; `None` if it was cut off, altered, or holds what we never write.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (checksum, json) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        let json = json.strip_suffix('\n')?;
        let journal: Self = serde_json::from_str(json).ok()?;
        let is_ours = checksum == digest(json.as_bytes()) && journal.version == VERSION;
        let is_path = |text: &String| RepoPath::new(text).is_ok_and(|path| !super::checks::is_in_git(&path));
        let is_temporary = |file: &JournalFile| match (&file.temporary, &file.after) {
            (Some(name), Some(_)) => is_temporary_name(name),
            (temporary, after) => temporary.is_none() && after.is_none(),
        };
        let is_sound = journal.folders.iter().all(is_path)
            && journal
                .files
                .iter()
                .all(|file| is_path(&file.path) && is_temporary(file));
        (is_ours && is_sound).then_some(journal)
    }
}

impl JournalFile {
    /// The file's path, checked when the journal was read.
    pub(super) fn repo_path(&self) -> RepoPath {
        RepoPath::new(&self.path).expect("a journal holds valid paths")
    }
}

/// A name for a temporary file that nobody can foresee; short, however long the target's name is.
pub(super) fn temporary_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!(".tidegate-{:016x}.tmp", RandomState::new().hash_one(()))
}

fn is_temporary_name(name: &str) -> bool {
    name.starts_with(".tidegate-") && name.ends_with(".tmp") && !name.contains(['/', '\\'])
}

/// Tells contents apart: FNV-1a with 128 bits.
///
/// It guards against accidents, not against attack: whoever can write into the git folder needs no
/// collision. Source: IETF draft-eastlake-fnv, section 5.
pub(super) fn digest(bytes: &[u8]) -> String {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    });
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        let file = |path: &str, temporary: Option<&str>| JournalFile {
            path: path.into(),
            temporary: temporary.map(Into::into),
            before: Some(digest(b"old")),
            after: temporary.map(|_| digest(b"new")),
        };
        Journal::new(
            "..".into(),
            vec!["new".into()],
            vec![file("a", Some(".tidegate-0.tmp")), file("b", None)],
        )
    }

    #[test]
    fn digests_follow_the_standard() {
        assert_eq!(digest(b""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(digest(b"a"), "d228cb696f1a8caf78912b704e4a8964");
    }

    #[test]
    fn a_journal_that_is_cut_or_altered_is_none() {
        let bytes = journal().to_bytes();
        assert_eq!(Journal::parse(&bytes), Some(journal()));
        for end in 0..bytes.len() {
            assert_eq!(Journal::parse(&bytes[..end]), None, "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(Journal::parse(&altered), None, "altered at {at}");
        }
    }

    #[test]
    fn a_journal_cannot_name_files_outside() {
        type Edit = fn(&mut Journal);
        let edits: [Edit; 5] = [
            |journal| journal.files[0].path = "../x".into(),
            |journal| journal.files[0].path = ".git/config".into(),
            |journal| journal.files[0].temporary = Some("../.tidegate-0.tmp".into()),
            |journal| journal.files[0].temporary = Some("gap.yaml".into()),
            |journal| journal.folders[0] = "/etc".into(),
        ];
        for edit in edits {
            let mut journal = journal();
            edit(&mut journal);
            assert_eq!(Journal::parse(&journal.to_bytes()), None, "{journal:?}");
        }
    }
}
