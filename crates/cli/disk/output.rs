//! A folder that is filled with files nobody writes by hand, as `render --output-dir` does.
//!
//! Each file is replaced whole, and no call follows a link: one that comes between looking and writing is replaced itself.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::folder::{Folder, Kind};

/// Such a folder, held open.
pub(crate) struct OutputFolder {
    folder: Folder,
    path: PathBuf,
}

impl OutputFolder {
    /// Opens a folder by a path of the user's, and makes it where there is none.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let folder = std::fs::create_dir_all(path).and_then(|()| Folder::open(path));
        let folder = folder.with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self {
            folder,
            path: path.to_owned(),
        })
    }

    /// Errors: something else than a file stands there.
    pub(crate) fn check(&self, name: &str) -> anyhow::Result<()> {
        let entry = self.folder.entry(name);
        match entry.with_context(|| format!("cannot look at {}", self.shown(name)))? {
            Some(entry) if entry.kind != Kind::File => {
                anyhow::bail!("{} is no regular file: it is not written", self.shown(name))
            }
            _ => Ok(()),
        }
    }

    /// The text of a file; `None` where none can be read.
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        let mut file = self.folder.open_file(name).ok()?;
        file.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Writes a file whole. One that is right already keeps its time of change.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        if self.read(name).is_some_and(|found| found == text) {
            return Ok(());
        }
        let temporary = format!(".tidegate-{}", std::process::id());
        let written = self.replace(name, &temporary, text);
        if written.is_err() {
            let _ = self.folder.remove(&temporary);
        }
        written.with_context(|| format!("cannot write {}", self.shown(name)))
    }

    fn replace(&self, name: &str, temporary: &str, text: &str) -> io::Result<()> {
        let before = self.folder.entry(name)?.filter(|entry| entry.kind == Kind::File);
        let like = before.map(|entry| entry.attributes);
        let mut file = self.folder.create(temporary, like)?;
        file.write_all(text.as_bytes())?;
        if let Some(like) = like {
            Folder::dress(&file, like)?;
        }
        self.folder.rename(temporary, name)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) -> anyhow::Result<()> {
        match self.folder.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.shown(name)))
            }
            _ => Ok(()),
        }
    }

    fn shown(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_link_that_comes_between_leads_nowhere() {
        let scratch = tempfile::TempDir::new().expect("a folder");
        let outside = scratch.path().join("outside");
        fs::write(&outside, "kept").expect("a file");
        let inside = scratch.path().join("out");
        let folder = OutputFolder::open(&inside).expect("a folder");
        folder.check("a.yaml").expect("nothing is there");
        symlink("../outside", inside.join("a.yaml")).expect("a link");
        folder.write("a.yaml", "written").expect("a file");
        assert_eq!(fs::read_to_string(&outside).expect("a file"), "kept");
        assert!(!inside.join("a.yaml").is_symlink());
        assert_eq!(folder.read("a.yaml").as_deref(), Some("written"));
        symlink("../outside", inside.join("b.yaml")).expect("a link");
        folder.remove("b.yaml").expect("removed");
        assert_eq!(fs::read_to_string(&outside).expect("a file"), "kept");
        // The folder itself gives way to a link: what was opened is written.
        fs::rename(&inside, scratch.path().join("moved")).expect("moved");
        symlink(".", &inside).expect("a link");
        folder.write("outside", "written").expect("a file");
        assert_eq!(fs::read_to_string(&outside).expect("a file"), "kept");
    }

    #[test]
    fn a_file_keeps_its_mode_and_leaves_nothing_beside_it() {
        let scratch = tempfile::TempDir::new().expect("a folder");
        let folder = OutputFolder::open(scratch.path()).expect("a folder");
        folder.write("a.yaml", "one").expect("a file");
        let file = scratch.path().join("a.yaml");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
        folder.write("a.yaml", "two").expect("a file");
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        fs::create_dir(scratch.path().join("b.yaml")).expect("a folder");
        assert!(folder.write("b.yaml", "text").is_err());
        let names = fs::read_dir(scratch.path()).expect("a folder").count();
        assert_eq!(names, 2);
    }
}
