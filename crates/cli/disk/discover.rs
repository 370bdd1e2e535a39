//! Where a repository begins, and which applications it holds.

use std::io;
use std::path::{Path, PathBuf};

use tidegate_core::repo::{ReadError, RepoPath};
use walkdir::{DirEntry, WalkDir};

const MAX_DEPTH: usize = 64;

/// The root of the repository that a folder is in.
///
/// The nearest folder upward that holds `.tidegate/`, else the top of the git work tree, else `start`
/// itself; never above `stop`, and never above the work tree: a `.tidegate/` that somebody put into a
/// shared parent folder must not take part. Gives an absolute path without links. Errors: `start` or `stop`
/// does not exist.
pub(crate) fn find_root(start: &Path, stop: Option<&Path>) -> io::Result<PathBuf> {
    let start = std::fs::canonicalize(start)?;
    let stop = stop.map(std::fs::canonicalize).transpose()?;
    for folder in start.ancestors() {
        if is_root(folder) {
            return Ok(folder.to_owned());
        }
        if stop.as_deref() == Some(folder) {
            break;
        }
    }
    Ok(start)
}

/// Whether a folder is marked as the root of a repository.
pub(crate) fn is_root(folder: &Path) -> bool {
    let is_git_top = folder.join(".git").symlink_metadata().is_ok();
    is_git_top || folder.join(".tidegate").is_dir()
}

/// The folders that hold `gap/gap.yaml`, or plain manifests with a release, at and below a folder, sorted.
///
/// Passed over: links to folders, hidden folders, `target` and `node_modules`, and folders that may not be
/// read (what the user cannot read they do not release). Errors: `below` cannot be read.
pub(crate) fn discover(root: &Path, below: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
    let start = root.join(below.as_str());
    let mut found = Vec::new();
    let walk = WalkDir::new(&start).max_depth(MAX_DEPTH).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(is_entered) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.depth() > 0 => continue,
            Err(error) => {
                return Err(ReadError::Io {
                    path: below.to_string(),
                    source: error.into(),
                });
            }
        };
        let Ok(path) = entry.path().strip_prefix(&start) else {
            continue;
        };
        if entry.file_type().is_dir() || !path.ends_with("gap/gap.yaml") {
            continue;
        }
        let folder = path.parent().and_then(Path::parent).and_then(Path::to_str);
        let folder = folder.map(|folder| folder.replace(std::path::MAIN_SEPARATOR, "/"));
        if let Some(Ok(folder)) = folder.map(|folder| RepoPath::new(&folder)) {
            found.push(below.join(folder.as_str()));
        }
    }
    let is_below = |folder: &RepoPath| Path::new(folder.as_str()).starts_with(below.as_str());
    found.extend(released(root).into_iter().filter(is_below));
    found.sort();
    found.dedup();
    Ok(found)
}

/// The folders of plain manifests that a release file speaks of.
pub(crate) fn released(root: &Path) -> Vec<RepoPath> {
    let walk = WalkDir::new(root.join(".tidegate"))
        .max_depth(MAX_DEPTH)
        .sort_by_file_name();
    let files = walk
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_type().is_dir());
    let path = |entry: DirEntry| {
        let path = entry.path().strip_prefix(root).ok()?.to_str()?;
        RepoPath::new(&path.replace(std::path::MAIN_SEPARATOR, "/")).ok()
    };
    files
        .filter_map(path)
        .filter_map(|path| released_by(&path))
        .collect()
}

/// The folder that a release file speaks of, if a file is one.
pub(crate) fn released_by(file: &RepoPath) -> Option<RepoPath> {
    let below = file.as_str().strip_prefix(".tidegate/releases")?;
    let folder = below.strip_suffix(".yaml")?;
    RepoPath::new(folder.trim_start_matches('/')).ok()
}

fn is_entered(entry: &DirEntry) -> bool {
    let is_skipped = |name: &str| name.starts_with('.') || name == "target" || name == "node_modules";
    let name = entry.file_name().to_string_lossy();
    entry.depth() == 0 || !(entry.file_type().is_dir() && is_skipped(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::scratch::{Scratch, path};

    #[test]
    fn the_root_is_the_nearest_marked_folder() {
        let scratch = Scratch::with(&[
            (".tidegate/config.yaml", ""),
            ("repo/.git/HEAD", ""),
            ("repo/team/.tidegate/config.yaml", ""),
            ("repo/team/app/gap/gap.yaml", ""),
            ("repo/other/x", ""),
            ("tree/.git", "gitdir: elsewhere"),
            ("tree/a/x", ""),
            ("bare/a/x", ""),
        ]);
        let at = |name: &str| scratch.path().join(name);
        let found = |start: &str, stop: Option<&str>| find_root(&at(start), stop.map(at).as_deref()).unwrap();
        assert_eq!(found("repo/team/app/gap", None), at("repo/team"));
        assert_eq!(
            found("repo/other", None),
            at("repo"),
            "not the one above the work tree"
        );
        assert_eq!(
            found("tree/a", None),
            at("tree"),
            "a linked work tree has a file there"
        );
        assert_eq!(found("bare/a", None), scratch.path());
        assert_eq!(
            found("bare/a", Some("bare")),
            at("bare/a"),
            "nothing is marked up to the given root"
        );
        assert_eq!(
            found("repo/team/app/gap", Some("repo/team/app")),
            at("repo/team/app/gap")
        );
        assert!(find_root(&at("none"), None).is_err());
    }

    #[test]
    fn applications_are_found_in_order() {
        let scratch = Scratch::with(&[
            ("z/gap/gap.yaml", ""),
            ("a/b/gap/gap.yaml", ""),
            ("gap/gap.yaml", ""),
            ("not/gap/gap.yml", ""),
            ("not/gap.yaml", ""),
            (".hidden/gap/gap.yaml", ""),
            ("a/.git/gap/gap.yaml", ""),
            ("a/target/gap/gap.yaml", ""),
            ("a/node_modules/x/gap/gap.yaml", ""),
        ]);
        assert_eq!(
            discover(scratch.path(), &RepoPath::root()).unwrap(),
            [RepoPath::root(), path("a/b"), path("z")]
        );
        assert_eq!(discover(scratch.path(), &path("a")).unwrap(), [path("a/b")]);
        assert!(discover(scratch.path(), &path("none")).is_err());
    }
}
