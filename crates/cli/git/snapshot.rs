//! What git keeps: the files of a commit, and which files differ.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use tidegate_core::repo::{ReadError, Repo, RepoPath, folders_of};

use super::{Git, GitError, LIMIT};
use crate::disk::{FILE_LIMIT, decode};

/// Some files of a commit or of the index.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    files: BTreeMap<RepoPath, Entry>,
}

#[derive(Debug, Clone)]
pub(super) enum Entry {
    Text(Vec<u8>),
    TooLarge(u64),
    /// A link: git keeps where it leads, which is not followed here.
    Link,
}

/// A file as git lists it, its content known by its id.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    mode: String,
    id: String,
}

impl Listed {
    pub(super) fn new(mode: &str, id: &str) -> Self {
        Self {
            mode: mode.to_owned(),
            id: id.to_owned(),
        }
    }

    fn is_link(&self) -> bool {
        self.mode == "120000"
    }

    /// Neither a link nor a submodule, which is another repository's commit.
    fn is_text(&self) -> bool {
        !self.is_link() && self.mode != "160000"
    }
}

/// The files in some folders.
pub(super) type Listing = BTreeMap<RepoPath, Listed>;

/// Contents by their ids.
pub(super) type Contents = BTreeMap<String, Entry>;

impl Snapshot {
    /// Of these files, submodules left out.
    pub(super) fn new(files: Listing, contents: &Contents) -> Self {
        let entry = |file: &Listed| match file.is_link() {
            true => Some(Entry::Link),
            false => contents.get(&file.id).cloned(),
        };
        let files = files.into_iter();
        Self {
            files: files
                .filter_map(|(path, file)| Some((path, entry(&file)?)))
                .collect(),
        }
    }
}

impl Snapshot {
    /// Nothing below a link is in a commit, but in the work tree there may be: what is there cannot be told from here.
    fn refuse_link_above(&self, path: &RepoPath) -> Result<(), ReadError> {
        let above = std::iter::successors(Some(path.clone()), |path| {
            (*path != RepoPath::root()).then(|| path.parent())
        });
        for path in above {
            if let Some(Entry::Link) = self.files.get(&path) {
                let reason = "this is a link, which is not followed in a commit".to_owned();
                return Err(ReadError::Refused { path, reason });
            }
        }
        Ok(())
    }
}

impl Repo for Snapshot {
    fn read(&self, path: &RepoPath) -> Result<Option<String>, ReadError> {
        self.refuse_link_above(path)?;
        match self.files.get(path) {
            None => Ok(None),
            Some(Entry::Text(content)) => decode(path, content.clone()).map(Some),
            Some(Entry::TooLarge(bytes)) => Err(ReadError::TooLarge {
                path: path.clone(),
                bytes: *bytes,
                limit: FILE_LIMIT,
            }),
            Some(Entry::Link) => unreachable!("it was refused above"),
        }
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        self.refuse_link_above(dir)?;
        Ok(self
            .files
            .keys()
            .filter(|path| path.parent() == *dir && **path != *dir)
            .cloned()
            .collect())
    }

    fn folders(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        Ok(folders_of(dir, self.files.keys()))
    }
}

impl Git {
    /// The id of the commit that a revision means.
    ///
    /// Errors: there is no such commit.
    pub(crate) fn commit_of(&self, revision: &str) -> Result<String, GitError> {
        let wanted = format!("{revision}^{{commit}}");
        let asked = ["--verify", "--quiet", "--end-of-options", &wanted];
        match self.run("rev-parse", asked.map(OsStr::new), LIMIT) {
            Ok(id) => Ok(String::from_utf8_lossy(&id).trim().to_owned()),
            Err(GitError::Failed { .. }) => Err(GitError::NoCommit(revision.to_owned())),
            Err(error) => Err(error),
        }
    }

    /// The commits since another that change something in some folders, the latest first; merges count as one.
    ///
    /// No more than the latest hundred.
    pub(crate) fn commits_since(&self, commit: &str, folders: &[RepoPath]) -> Result<Vec<String>, GitError> {
        let range = format!("{commit}..HEAD");
        let options = ["--first-parent", "--max-count=100", &range];
        let answer = self.on_paths("rev-list", &options, folders, LIMIT)?;
        Ok(String::from_utf8_lossy(&answer)
            .lines()
            .map(str::to_owned)
            .collect())
    }

    /// Files below the root that differ between a commit and the disk, untracked ones included.
    pub(crate) fn changed(&self, commit: Option<&str>) -> Result<Vec<RepoPath>, GitError> {
        let mut paths = match commit {
            Some(_) => self.differing(&[], commit)?,
            None => self.paths("ls-files", &["-z", "--cached"])?,
        };
        paths.extend(self.paths("ls-files", &["-z", "--others", "--exclude-standard"])?);
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    fn differing(&self, options: &[&str], commit: Option<&str>) -> Result<Vec<RepoPath>, GitError> {
        let answer = self.diff(&[&["--name-only"], options].concat(), commit)?;
        records(&answer).map(path).collect()
    }

    /// What `git diff` says about the files below the root, in records.
    pub(super) fn diff(&self, options: &[&str], commit: Option<&str>) -> Result<Vec<u8>, GitError> {
        let fixed = [
            "-z",
            "--no-renames",
            "--relative",
            "--no-ext-diff",
            "--ignore-submodules=all",
        ];
        let options = fixed.iter().chain(options).copied();
        let arguments = options.chain(commit).chain(["--"]);
        self.run("diff", arguments.map(OsStr::new), LIMIT)
    }

    fn paths(&self, action: &str, arguments: &[&str]) -> Result<Vec<RepoPath>, GitError> {
        let answer = self.run(action, arguments.iter().map(OsStr::new), LIMIT)?;
        records(&answer).map(path).collect()
    }

    /// The files of a commit in some folders.
    pub(crate) fn at(&self, commit: &str, folders: &[RepoPath]) -> Result<Snapshot, GitError> {
        let listing = self.list(commit, folders)?;
        let contents = self.contents(listing.values())?;
        Ok(Snapshot::new(listing, &contents))
    }

    pub(super) fn list(&self, commit: &str, folders: &[RepoPath]) -> Result<Listing, GitError> {
        let answer = self.on_paths("ls-tree", &["-r", "-z", commit], folders, LIMIT)?;
        // `<mode> <type> <id>\t<path>`, paths from the folder git runs in.
        let files = records(&answer).filter_map(facts_and_path);
        let files = files.filter_map(|(facts, name)| match facts.as_slice() {
            [mode, _, id] => Some(path(name).map(|path| (path, Listed::new(mode, id)))),
            _ => None,
        });
        files.collect()
    }

    /// The contents of files, each once.
    pub(super) fn contents<'a>(&self, files: impl Iterator<Item = &'a Listed>) -> Result<Contents, GitError> {
        let wanted: BTreeSet<&str> = files
            .filter(|file| file.is_text())
            .map(|file| file.id.as_str())
            .collect();
        let mut contents = Contents::new();
        if wanted.is_empty() {
            return Ok(contents);
        }
        let ids: String = wanted.iter().map(|id| format!("{id}\n")).collect();
        let answer = self.run_with("cat-file", [OsStr::new("--batch")], ids.into_bytes(), LIMIT)?;
        let mut rest = answer.as_slice();
        for id in wanted {
            let cut = || GitError::Failed {
                action: "cat-file".into(),
                message: format!("no content of {id}"),
            };
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
            let header = String::from_utf8_lossy(&rest[..end]).into_owned();
            // `<id> blob <size>`
            let size: usize = header
                .rsplit(' ')
                .next()
                .and_then(|size| size.parse().ok())
                .ok_or_else(cut)?;
            let content = rest.get(end + 1..end + 1 + size).ok_or_else(cut)?;
            let entry = match size as u64 > FILE_LIMIT {
                true => Entry::TooLarge(size as u64),
                false => Entry::Text(content.to_vec()),
            };
            rest = rest.get(end + 2 + size..).unwrap_or_default();
            contents.insert(id.to_owned(), entry);
        }
        Ok(contents)
    }
}

/// The records of `-z` output.
pub(super) fn records(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    answer
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty())
}

/// A record of a listing: the words before the tab, and the path.
pub(super) fn facts_and_path(record: &[u8]) -> Option<(Vec<&str>, &[u8])> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let facts = std::str::from_utf8(&record[..tab]).ok()?;
    Some((facts.split(' ').collect(), &record[tab + 1..]))
}

pub(super) fn path(name: &[u8]) -> Result<RepoPath, GitError> {
    let unknown = || GitError::Path(name.escape_ascii().to_string());
    RepoPath::new(std::str::from_utf8(name).map_err(|_| unknown())?).map_err(|_| unknown())
}
