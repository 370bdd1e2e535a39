//! A folder for one test, gone when the test ends.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_core::change::{ChangeSet, FileChange};
use tidegate_core::repo::RepoPath;

pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "tidegate-test-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(fs::canonicalize(path).unwrap())
    }

    /// A folder with these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let scratch = Self::new();
        files.iter().for_each(|(path, text)| scratch.put(path, text));
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[cfg(unix)]
    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Everything below, folders (ending with `/`) included.
    pub(crate) fn tree(&self) -> BTreeMap<String, String> {
        let entries = walkdir::WalkDir::new(&self.0)
            .min_depth(1)
            .into_iter()
            .map(Result::unwrap);
        let shown = entries.map(|entry| {
            let path = entry
                .path()
                .strip_prefix(&self.0)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            match entry.file_type().is_dir() {
                true => (path + "/", String::new()),
                false if entry.path_is_symlink() => (path, "a link".to_owned()),
                false => (
                    path,
                    String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned(),
                ),
            }
        });
        shown.collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

/// A change set of `(path, before, after)`.
pub(crate) fn changes(changes: &[(&str, Option<&str>, Option<&str>)]) -> ChangeSet {
    ChangeSet::new(changes.iter().map(|(name, before, after)| FileChange {
        path: path(name),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    }))
}
