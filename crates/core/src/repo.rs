//! Where files come from: a repository that can only be read.
//!
//! The core reads through [`Repo`] and never writes; a directory, a git revision, the git index and
//! memory are all repositories. [`Overlay`] shows a repository as it will be once a change set is
//! written, which is how every transition is checked before anything touches the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Path of a file or folder inside a repository.
///
/// Shape: `/`-separated, relative to the root, without empty, `.` or `..` parts; the empty path is the
/// root itself. Errors: [`RepoPath::new`] refuses everything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

/// A text that is not a path inside a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a path inside the repository")]
pub struct InvalidPath(pub String);

impl RepoPath {
    /// The root of the repository.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// Builds a path from its text; `.` and the empty text are the root.
    pub fn new(text: &str) -> Result<Self, InvalidPath> {
        if text.is_empty() || text == "." {
            return Ok(Self::root());
        }
        let is_valid = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        match text.split('/').all(is_valid) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidPath(text.to_owned())),
        }
    }

    /// The path of `name` inside this folder; `name` may have several parts.
    ///
    /// Panics if `name` is not a valid path: names from user input go through [`RepoPath::new`].
    pub fn join(&self, name: &str) -> Self {
        let name = Self::new(name).expect("a name joined to a folder is a path");
        match (self.0.is_empty(), name.0.is_empty()) {
            (true, _) => name,
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, name.0)),
        }
    }

    /// The folder that holds this file; the root holds itself.
    pub fn parent(&self) -> Self {
        Self(
            self.0
                .rsplit_once('/')
                .map_or(String::new(), |(folder, _)| folder.to_owned()),
        )
    }

    /// The last part of the path.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

/// A repository could not be read.
///
/// The first group is about the user's files and becomes a diagnostic; [`ReadError::Io`] is about the
/// machine and ends the run with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is not UTF-8 text.
    #[error("{path} is not UTF-8 text")]
    NotUtf8 {
        /// The file.
        path: RepoPath,
        /// Line of the first wrong byte, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
        /// What the bytes look like, when that is known (`UTF-16`).
        looks_like: Option<&'static str>,
    },
    /// The file is larger than a manifest may be.
    #[error("{path} has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// Its size.
        bytes: u64,
        /// The largest size read.
        limit: u64,
    },
    /// A link or a special file stands where a file inside the repository is needed.
    #[error("{path}: {reason}")]
    Refused {
        /// The file.
        path: RepoPath,
        /// Why it is not read.
        reason: String,
    },
    /// One run would read too much.
    #[error("cannot read {path}: {limit}")]
    Limit {
        /// The file or folder that would be too much.
        path: RepoPath,
        /// The limit, in a sentence.
        limit: String,
    },
    /// The operating system refused.
    #[error("cannot read {path}")]
    Io {
        /// The file, as the user knows it.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// A repository that can be read.
pub trait Repo {
    /// The text of a file; `None` where there is no such file.
    fn read(&self, path: &RepoPath) -> Result<Option<String>, ReadError>;

    /// The files directly in a folder, sorted by name; empty where there is no such folder.
    fn list(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError>;

    /// The folders directly in a folder, sorted by name; those that hold no file may be left out.
    fn folders(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError>;
}

/// The folders directly in a folder that some files are in, sorted by name.
pub fn folders_of<'a>(dir: &RepoPath, files: impl Iterator<Item = &'a RepoPath>) -> Vec<RepoPath> {
    let below = |file: &RepoPath| {
        let rest = match dir.as_str() {
            "" => file.as_str(),
            dir => file.as_str().strip_prefix(dir)?.strip_prefix('/')?,
        };
        let (name, _) = rest.split_once('/')?;
        Some(dir.join(name))
    };
    let folders: BTreeSet<RepoPath> = files.filter_map(below).collect();
    folders.into_iter().collect()
}

/// A repository in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryRepo {
    files: BTreeMap<RepoPath, String>,
}

impl MemoryRepo {
    /// A repository of these files.
    pub fn new(files: BTreeMap<RepoPath, String>) -> Self {
        Self { files }
    }

    /// All files, by path.
    pub fn files(&self) -> &BTreeMap<RepoPath, String> {
        &self.files
    }

    /// Writes or, with `None`, removes a file.
    pub fn set(&mut self, path: RepoPath, text: Option<String>) {
        match text {
            Some(text) => self.files.insert(path, text),
            None => self.files.remove(&path),
        };
    }
}

impl Repo for MemoryRepo {
    fn read(&self, path: &RepoPath) -> Result<Option<String>, ReadError> {
        Ok(self.files.get(path).cloned())
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        Ok(self
            .files
            .keys()
            .filter(|path| path.parent() == *dir)
            .cloned()
            .collect())
    }

    fn folders(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        Ok(folders_of(dir, self.files.keys()))
    }
}

/// A repository as it is once some files are written (`Some`) or removed (`None`).
pub struct Overlay<'a> {
    below: &'a dyn Repo,
    files: BTreeMap<RepoPath, Option<String>>,
}

impl<'a> Overlay<'a> {
    /// `below` with `files` on top.
    pub fn new(below: &'a dyn Repo, files: BTreeMap<RepoPath, Option<String>>) -> Self {
        Self { below, files }
    }
}

impl Repo for Overlay<'_> {
    fn read(&self, path: &RepoPath) -> Result<Option<String>, ReadError> {
        match self.files.get(path) {
            Some(text) => Ok(text.clone()),
            None => self.below.read(path),
        }
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        let mut paths = self.below.list(dir)?;
        paths.retain(|path| self.files.get(path).is_none_or(Option::is_some));
        let added = self
            .files
            .iter()
            .filter(|(path, text)| text.is_some() && path.parent() == *dir);
        paths.extend(added.map(|(path, _)| path.clone()));
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    fn folders(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        let mut paths = self.below.folders(dir)?;
        let added = self.files.iter().filter(|(_, text)| text.is_some());
        paths.extend(folders_of(dir, added.map(|(path, _)| path)));
        paths.sort();
        paths.dedup();
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_out_of_the_repository_is_refused() {
        for text in ["/etc/passwd", "../x", "a/../../b", "a//b", "a/", "./a"] {
            assert!(RepoPath::new(text).is_err(), "{text}");
        }
        assert_eq!(
            RepoPath::new("gap/gap.yaml").map(|path| path.parent().to_string()),
            Ok("gap".into())
        );
    }

    #[test]
    fn an_overlay_adds_replaces_and_removes() {
        let path = |text| RepoPath::new(text).expect("valid");
        let below = MemoryRepo::new([(path("a/x"), "1".into()), (path("a/y"), "2".into())].into());
        let files = [
            (path("a/x"), None),
            (path("a/z"), Some("3".into())),
            (path("a/y"), Some("4".into())),
        ];
        let repo = Overlay::new(&below, files.into());
        assert_eq!(repo.list(&path("a")).expect("memory"), [path("a/y"), path("a/z")]);
        assert_eq!(repo.read(&path("a/x")).expect("memory"), None);
        assert_eq!(repo.read(&path("a/y")).expect("memory"), Some("4".into()));
        let folders = [
            (path("b/c/d/x"), Some(String::new())),
            (path("b/e"), Some(String::new())),
        ];
        let repo = Overlay::new(&below, folders.into());
        assert_eq!(
            repo.folders(&RepoPath::root()).expect("memory"),
            [path("a"), path("b")]
        );
        assert_eq!(repo.folders(&path("b")).expect("memory"), [path("b/c")]);
    }
}
