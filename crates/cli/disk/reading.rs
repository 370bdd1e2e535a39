//! A directory as a repository: bounded, and closed at its root.
//!
//! A link inside the root to a file inside is read. One that leads out, in any step and even if it
//! comes back, is refused before its target is opened; so is everything that is no regular file. Each
//! file is read once: later reads of the run see the same text, whatever happens on disk meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use tidegate_core::repo::{ReadError, Repo, RepoPath};

use super::folder::{Folder, Kind, entry_of};
use super::links::{Found, find, open};

/// The largest file read.
pub(crate) const FILE_LIMIT: u64 = 8 << 20;

/// What one run may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadLimits {
    /// Bytes of one file.
    pub(crate) file_bytes: u64,
    /// Bytes of all files.
    pub(crate) run_bytes: u64,
    /// Files, and names in one folder.
    pub(crate) files: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            file_bytes: FILE_LIMIT,
            run_bytes: 256 << 20,
            files: 10_000,
        }
    }
}

/// The files below one directory.
#[derive(Debug)]
pub(crate) struct DiskRepo {
    root: PathBuf,
    limits: ReadLimits,
    seen: RefCell<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    texts: BTreeMap<RepoPath, Option<String>>,
    bytes: u64,
}

impl DiskRepo {
    /// The repository at a directory, which is trusted: the path to it may hold links.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self::within(root, ReadLimits::default())
    }

    /// The same, of which one run reads no more than some limits.
    pub(crate) fn within(root: impl Into<PathBuf>, limits: ReadLimits) -> Self {
        Self {
            root: root.into(),
            limits,
            seen: RefCell::default(),
        }
    }

    fn open_root(&self) -> Result<Folder, ReadError> {
        let unreadable = |source| ReadError::Io {
            path: self.root.display().to_string(),
            source,
        };
        Folder::open(&self.root).map_err(unreadable)
    }

    fn read_new(&self, path: &RepoPath, seen: &Seen) -> Result<Option<String>, ReadError> {
        let Some(mut file) = open(self.open_root()?, path)? else {
            return Ok(None);
        };
        let failed = |source| ReadError::Io {
            path: path.to_string(),
            source,
        };
        let limit = self.limits.file_bytes;
        let too_large = |bytes| ReadError::TooLarge {
            path: path.clone(),
            bytes,
            limit,
        };
        let bytes = entry_of(&file).map_err(failed)?.bytes;
        if bytes > limit {
            return Err(too_large(bytes));
        }
        if seen.texts.len() >= self.limits.files || seen.bytes + bytes > self.limits.run_bytes {
            let ReadLimits { run_bytes, files, .. } = self.limits;
            return Err(ReadError::Limit {
                path: path.clone(),
                limit: format!("one run reads at most {files} files and {run_bytes} bytes"),
            });
        }
        // Room for the end too, which is met by reading once more. The file may grow while it is read.
        let mut content = Vec::with_capacity(bytes as usize + 1);
        (&mut file)
            .take(limit + 1)
            .read_to_end(&mut content)
            .map_err(failed)?;
        let bytes = content.len() as u64;
        if bytes > limit {
            return Err(too_large(bytes));
        }
        decode(path, content).map(Some)
    }

    /// What is directly in a folder, sorted.
    fn entries(&self, dir: &RepoPath, wanted: Wanted) -> Result<Vec<RepoPath>, ReadError> {
        let failed = |source| ReadError::Io {
            path: dir.to_string(),
            source,
        };
        let Some(Found::Folder(folder)) = find(self.open_root()?, dir)? else {
            return Ok(Vec::new());
        };
        let names = folder.names().map_err(failed)?;
        if names.len() > self.limits.files {
            return Err(ReadError::Limit {
                path: dir.clone(),
                limit: format!(
                    "the folder holds {} names, more than the limit of {}",
                    names.len(),
                    self.limits.files
                ),
            });
        }
        let mut paths = Vec::new();
        for name in names {
            let Some(name) = name.to_str() else {
                let reason = format!("the name of {name:?} in this folder is not UTF-8");
                return Err(ReadError::Refused {
                    path: dir.clone(),
                    reason,
                });
            };
            let Ok(path) = RepoPath::new(name).map(|name| dir.join(name.as_str())) else {
                continue;
            };
            let is_folder = match folder.entry(name).map_err(failed)?.map(|entry| entry.kind) {
                Some(Kind::Link) => matches!(find(self.open_root()?, &path), Ok(Some(Found::Folder(_)))),
                Some(kind) => kind == Kind::Folder,
                // It is gone meanwhile.
                None => continue,
            };
            if is_folder == (wanted == Wanted::Folders) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// What of a folder is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Files,
    Folders,
}

impl Repo for DiskRepo {
    fn read(&self, path: &RepoPath) -> Result<Option<String>, ReadError> {
        if let Some(text) = self.seen.borrow().texts.get(path) {
            return Ok(text.clone());
        }
        let mut seen = self.seen.borrow_mut();
        let text = self.read_new(path, &seen)?;
        seen.bytes += text.as_ref().map_or(0, |text| text.len() as u64);
        seen.texts.insert(path.clone(), text.clone());
        Ok(text)
    }

    /// Lists everything but folders: a link that leads out and a pipe are named too, so that whoever
    /// needs that file is told why it is not read, instead of never knowing of it.
    fn list(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        self.entries(dir, Wanted::Files)
    }

    fn folders(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        self.entries(dir, Wanted::Folders)
    }
}

/// Text from bytes.
///
/// Errors: no UTF-8, with the place of the first wrong byte.
pub(crate) fn decode(path: &RepoPath, content: Vec<u8>) -> Result<String, ReadError> {
    let looks_like = match content.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ => None,
    };
    String::from_utf8(content).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let start = good
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let column = 1 + String::from_utf8_lossy(&good[start..]).chars().count();
        ReadError::NotUtf8 {
            path: path.clone(),
            line,
            column,
            looks_like,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::scratch::{Scratch, path};

    fn reason(result: Result<Option<String>, ReadError>) -> String {
        match result {
            Err(ReadError::Refused { reason, .. }) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn files_are_read_and_missing_ones_are_none() {
        let scratch = Scratch::with(&[("gap/gap.yaml", "a: 1\n"), ("gap/x/y", ""), ("b", ""), ("a", "")]);
        let repo = DiskRepo::new(scratch.path());
        assert_eq!(repo.read(&path("gap/gap.yaml")).unwrap(), Some("a: 1\n".into()));
        for missing in ["none", "none/none", "a/below-a-file"] {
            assert_eq!(repo.read(&path(missing)).unwrap(), None, "{missing}");
        }
        assert_eq!(repo.list(&RepoPath::root()).unwrap(), [path("a"), path("b")]);
        assert_eq!(repo.list(&path("gap")).unwrap(), [path("gap/gap.yaml")]);
        assert_eq!(repo.list(&path("none")).unwrap(), []);
        assert_eq!(
            reason(repo.read(&path("gap"))),
            "a folder, where a file is needed"
        );
    }

    #[test]
    fn a_file_is_read_once() {
        let scratch = Scratch::with(&[("a", "1")]);
        let repo = DiskRepo::new(scratch.path());
        assert_eq!(repo.read(&path("a")).unwrap(), Some("1".into()));
        scratch.put("a", "2");
        assert_eq!(repo.read(&path("a")).unwrap(), Some("1".into()));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_and_refused_outside() {
        let outside = Scratch::with(&[("secret", "outside")]);
        let scratch = Scratch::with(&[("real/file", "inside"), ("real/sub/x", "x")]);
        let repo = DiskRepo::new(scratch.path());
        let out = outside.path().to_str().unwrap();
        let name = scratch.path().file_name().unwrap().to_str().unwrap();
        let beside = outside.path().file_name().unwrap().to_str().unwrap();
        let inside = scratch.path().join("real/file");
        let links = [
            ("to-file", "real/file"),
            ("to-folder", "./real/sub/../../real"),
            ("deep/chain", "../to-folder/file"),
            ("absolute", &format!("{out}/secret")),
            ("folder-out", &format!("../{beside}")),
            ("out-and-back", &format!("../{name}/real/file")),
            ("absolute-inside", inside.to_str().unwrap()),
            ("loop-a", "loop-b"),
            ("loop-b", "loop-a"),
            ("dangling", "nothing"),
            ("below-file", "real/file/x"),
        ];
        links.iter().for_each(|(link, target)| scratch.link(link, target));
        for inside in ["to-file", "to-folder/file", "deep/chain"] {
            assert_eq!(
                repo.read(&path(inside)).unwrap(),
                Some("inside".into()),
                "{inside}"
            );
        }
        for refused in ["absolute", "folder-out/secret", "out-and-back", "absolute-inside"] {
            assert!(
                reason(repo.read(&path(refused))).contains("leads out"),
                "{refused}"
            );
        }
        assert!(reason(repo.read(&path("loop-a"))).contains("circle"));
        assert!(reason(repo.read(&path("dangling"))).contains("does not exist"));
        // The link is fine; the file asked for below it is just not there.
        assert_eq!(repo.read(&path("to-folder/none")).unwrap(), None);
        let names: Vec<_> = repo
            .list(&RepoPath::root())
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = [
            "absolute",
            "absolute-inside",
            "below-file",
            "dangling",
            "folder-out",
            "loop-a",
            "loop-b",
            "out-and-back",
            "to-file",
        ];
        assert_eq!(names, expected);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_are_refused_at_once() {
        let scratch = Scratch::new();
        let made = std::process::Command::new("mkfifo")
            .arg(scratch.path().join("pipe"))
            .status()
            .unwrap();
        assert!(made.success());
        let repo = DiskRepo::new(scratch.path());
        assert!(reason(repo.read(&path("pipe"))).contains("pipe"));
        assert!(reason(DiskRepo::new("/dev").read(&path("zero"))).contains("device"));
    }

    #[test]
    fn limits_are_checked_before_reading() {
        let scratch = Scratch::with(&[("small", "x")]);
        let large = std::fs::File::create(scratch.path().join("large")).unwrap();
        large.set_len(FILE_LIMIT + 1).unwrap();
        let repo = DiskRepo::new(scratch.path());
        let error = repo.read(&path("large")).unwrap_err();
        assert!(
            matches!(error, ReadError::TooLarge { bytes, limit, .. } if bytes == limit + 1),
            "{error:?}"
        );
        repo.seen.borrow_mut().bytes = ReadLimits::default().run_bytes;
        assert!(matches!(repo.read(&path("small")), Err(ReadError::Limit { .. })));
        let few = ReadLimits {
            files: 1,
            ..ReadLimits::default()
        };
        let repo = DiskRepo::within(scratch.path(), few);
        assert!(matches!(
            repo.list(&RepoPath::root()),
            Err(ReadError::Limit { .. })
        ));
        large.set_len(FILE_LIMIT).unwrap();
        assert_eq!(
            DiskRepo::new(scratch.path())
                .read(&path("large"))
                .unwrap()
                .map(|text| text.len() as u64),
            Some(FILE_LIMIT)
        );
    }

    #[test]
    fn text_in_another_encoding_is_named() {
        let scratch = Scratch::new();
        scratch.put("latin", b"a\nb\nna\xefve\n");
        scratch.put("wide", b"\xff\xfea\0");
        let repo = DiskRepo::new(scratch.path());
        let error = repo.read(&path("latin")).unwrap_err();
        assert!(
            matches!(
                error,
                ReadError::NotUtf8 {
                    line: 3,
                    looks_like: None,
                    ..
                }
            ),
            "{error:?}"
        );
        let error = repo.read(&path("wide")).unwrap_err();
        assert!(
            matches!(
                error,
                ReadError::NotUtf8 {
                    line: 1,
                    looks_like: Some("UTF-16"),
                    ..
                }
            ),
            "{error:?}"
        );
    }
}
