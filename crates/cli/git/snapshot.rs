//! What git keeps: the files of a commit or of the index, and which files differ.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use tidegate_core::repo::{ReadError, Repo, RepoPath};

use super::{Git, GitError, LIMIT};
use crate::disk::{FILE_LIMIT, decode};

/// Some files of a commit or of the index.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    files: BTreeMap<RepoPath, Entry>,
}

#[derive(Debug)]
enum Entry {
    Text(Vec<u8>),
    TooLarge(u64),
    /// A link: git keeps where it leads, which is not followed here.
    Link,
}

impl Repo for Snapshot {
    fn read(&self, path: &RepoPath) -> Result<Option<String>, ReadError> {
        match self.files.get(path) {
            None => Ok(None),
            Some(Entry::Text(content)) => decode(path, content.clone()).map(Some),
            Some(Entry::TooLarge(bytes)) => Err(ReadError::TooLarge {
                path: path.clone(),
                bytes: *bytes,
                limit: FILE_LIMIT,
            }),
            Some(Entry::Link) => {
                let reason = "this is a link, which is not followed in a commit".to_owned();
                Err(ReadError::Refused {
                    path: path.clone(),
                    reason,
                })
            }
        }
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        Ok(self
            .files
            .keys()
            .filter(|path| path.parent() == *dir && **path != *dir)
            .cloned()
            .collect())
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

    /// Files below the root that differ between a commit (nothing, before the first) and the index.
    pub(crate) fn staged(&self, commit: Option<&str>) -> Result<Vec<RepoPath>, GitError> {
        self.differing(&["--cached"], commit)
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
        let fixed = [
            "--name-only",
            "-z",
            "--no-renames",
            "--relative",
            "--no-ext-diff",
            "--ignore-submodules=all",
        ];
        let arguments: Vec<&str> = options
            .iter()
            .copied()
            .chain(fixed)
            .chain(commit)
            .chain(["--"])
            .collect();
        self.paths("diff", &arguments)
    }

    fn paths(&self, action: &str, arguments: &[&str]) -> Result<Vec<RepoPath>, GitError> {
        let answer = self.run(action, arguments.iter().map(OsStr::new), LIMIT)?;
        let paths = answer.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        paths.map(path).collect()
    }

    /// The files of a commit in some folders.
    pub(crate) fn at(&self, commit: &str, folders: &[RepoPath]) -> Result<Snapshot, GitError> {
        let answer = self.on_paths("ls-tree", &["-r", "-z", commit], folders, LIMIT)?;
        // `<mode> <type> <id>\t<path>`, paths from the folder git runs in.
        self.read_blobs(records(&answer).filter_map(|(facts, path)| {
            let mut facts = facts.split(' ');
            let (mode, _, id) = (facts.next()?, facts.next()?, facts.next()?);
            Some((mode.to_owned(), id.to_owned(), path))
        }))
    }

    /// The files of the index in some folders.
    pub(crate) fn index(&self, folders: &[RepoPath]) -> Result<Snapshot, GitError> {
        let answer = self.on_paths("ls-files", &["-s", "-z"], folders, LIMIT)?;
        // `<mode> <id> <stage>\t<path>`; of a conflict git's own side is taken.
        self.read_blobs(records(&answer).filter_map(|(facts, path)| {
            let mut facts = facts.split(' ');
            let (mode, id, stage) = (facts.next()?, facts.next()?, facts.next()?);
            matches!(stage, "0" | "2").then(|| (mode.to_owned(), id.to_owned(), path))
        }))
    }

    fn read_blobs<'a>(
        &self,
        entries: impl Iterator<Item = (String, String, &'a [u8])>,
    ) -> Result<Snapshot, GitError> {
        let mut snapshot = Snapshot::default();
        let mut wanted = Vec::new();
        for (mode, id, name) in entries {
            let path = path(name)?;
            match mode.as_str() {
                "120000" => drop(snapshot.files.insert(path, Entry::Link)),
                "160000" => {}
                _ => wanted.push((path, id)),
            }
        }
        if wanted.is_empty() {
            return Ok(snapshot);
        }
        let ids: String = wanted.iter().map(|(_, id)| format!("{id}\n")).collect();
        let answer = self.run_with("cat-file", [OsStr::new("--batch")], ids.into_bytes(), LIMIT)?;
        let mut rest = answer.as_slice();
        for (path, _) in wanted {
            let cut = || GitError::Failed {
                action: "cat-file".into(),
                message: format!("no content for {path}"),
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
            snapshot.files.insert(path, entry);
        }
        Ok(snapshot)
    }
}

/// The records of `-z` output: what stands before the tab, and the path.
fn records(answer: &[u8]) -> impl Iterator<Item = (String, &[u8])> {
    let records = answer
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty());
    records.filter_map(|record| {
        let tab = record.iter().position(|byte| *byte == b'\t')?;
        Some((
            String::from_utf8_lossy(&record[..tab]).into_owned(),
            &record[tab + 1..],
        ))
    })
}

fn path(name: &[u8]) -> Result<RepoPath, GitError> {
    let unknown = || GitError::Path(String::from_utf8_lossy(name).into_owned());
    RepoPath::new(std::str::from_utf8(name).map_err(|_| unknown())?).map_err(|_| unknown())
}
