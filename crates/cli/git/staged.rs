//! What is staged: the index, as what differs of it from a commit.
//!
//! Git reads the whole index once, to compare it. Of what is equal the commit tells the rest, of which git reads
//! only the folders that are asked for.

use tidegate_core::repo::RepoPath;

use super::snapshot::{Listed, Listing, Snapshot, facts_and_path, path, records};
use super::{Git, GitError, LIMIT};

/// The files below the root that differ between a commit (nothing, before the first) and the index.
#[derive(Debug)]
pub(crate) struct Staged {
    commit: Option<String>,
    /// Each file as the index has it; `None` where it is not there.
    files: Vec<(RepoPath, Option<Listed>)>,
}

impl Staged {
    /// The files that differ.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &RepoPath> {
        self.files.iter().map(|(path, _)| path)
    }
}

impl Git {
    /// What is staged, compared with a commit.
    pub(crate) fn staged(&self, commit: Option<&str>) -> Result<Staged, GitError> {
        let answer = self.diff(&["--cached", "--raw", "--no-abbrev"], commit)?;
        let (mut files, mut conflicts) = (Vec::new(), Vec::new());
        // `:<mode> <mode> <id> <id> <status>` of both sides, and the path in a record of its own.
        let mut answer = records(&answer);
        while let (Some(facts), Some(name)) = (answer.next(), answer.next()) {
            let facts = String::from_utf8_lossy(facts);
            let path = path(name)?;
            match facts.split(' ').collect::<Vec<_>>().as_slice() {
                [_, _, _, _, "U"] => conflicts.push(path),
                [_, _, _, _, "D"] => files.push((path, None)),
                [_, mode, _, id, _] => files.push((path, Some(Listed::new(mode, id)))),
                _ => {
                    return Err(GitError::Failed {
                        action: "diff".into(),
                        message: format!("it says `{facts}`"),
                    });
                }
            }
        }
        if !conflicts.is_empty() {
            let mut own = self.own_side(&conflicts)?;
            files.extend(conflicts.into_iter().map(|path| {
                let own = own.remove(&path);
                (path, own)
            }));
        }
        Ok(Staged {
            commit: commit.map(str::to_owned),
            files,
        })
    }

    /// Of files in conflict git's own side, which only the index knows.
    fn own_side(&self, paths: &[RepoPath]) -> Result<Listing, GitError> {
        let answer = self.on_paths("ls-files", &["--unmerged", "-z"], paths, LIMIT)?;
        // `<mode> <id> <stage>\t<path>`
        let files = records(&answer).filter_map(facts_and_path);
        let own = files.filter_map(|(facts, name)| match facts.as_slice() {
            [mode, id, "2"] => Some(path(name).map(|path| (path, Listed::new(mode, id)))),
            _ => None,
        });
        own.collect()
    }

    /// The files in some folders, in the commit and in the index.
    pub(crate) fn at_both_ends(
        &self,
        staged: &Staged,
        folders: &[RepoPath],
    ) -> Result<(Snapshot, Snapshot), GitError> {
        let before = match &staged.commit {
            Some(commit) => self.list(commit, folders)?,
            None => Listing::new(),
        };
        let mut after = before.clone();
        let is_within = |path: &RepoPath| {
            let path = std::path::Path::new(path.as_str());
            folders.iter().any(|folder| path.starts_with(folder.as_str()))
        };
        for (path, file) in staged.files.iter().filter(|(path, _)| is_within(path)) {
            match file {
                Some(file) => after.insert(path.clone(), file.clone()),
                None => after.remove(path),
            };
        }
        let contents = self.contents(before.values().chain(after.values()))?;
        Ok((Snapshot::new(before, &contents), Snapshot::new(after, &contents)))
    }
}
