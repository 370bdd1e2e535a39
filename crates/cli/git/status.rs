//! What `git status` says, read.

use tidegate_core::repo::RepoPath;

use super::GitError;

/// What git says of a path that is not as in the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Tracked,
    /// Untracked or ignored.
    Untracked,
}

/// Reads `git status --porcelain=v2 -z`. Source: git-status(1), "Porcelain Format Version 2".
pub(super) fn parse_status(answer: &[u8], prefix: &str) -> Result<Vec<(Mark, RepoPath)>, GitError> {
    let mut found = Vec::new();
    let mut records = answer
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty());
    while let Some(record) = records.next() {
        let lossy = || GitError::Path(String::from_utf8_lossy(record).into_owned());
        let record = std::str::from_utf8(record).map_err(|_| lossy())?;
        let (mark, field_count) = match record.as_bytes()[0] {
            b'1' => (Mark::Tracked, 9),
            b'2' => (Mark::Tracked, 10),
            b'u' => (Mark::Tracked, 11),
            b'?' | b'!' => (Mark::Untracked, 2),
            _ => continue,
        };
        let mut paths = vec![record.splitn(field_count, ' ').last().unwrap_or_default()];
        if record.starts_with('2') {
            let origin = records.next().map(std::str::from_utf8);
            paths.push(origin.and_then(Result::ok).ok_or_else(lossy)?);
        }
        for path in paths {
            // A path above the root is none of ours.
            let Some(path) = path.strip_prefix(prefix) else {
                continue;
            };
            let path = path.strip_suffix('/').unwrap_or(path);
            found.push((mark, RepoPath::new(path).map_err(|_| lossy())?));
        }
    }
    Ok(found)
}
