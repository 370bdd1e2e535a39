//! Files that the user names one by one: anywhere on disk, pipes and standard input among them.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tidegate_core::repo::{ReadError, Repo, RepoPath};

use super::reading::{FILE_LIMIT, decode};
use crate::report::diagnostic::Files;

/// Files by the order in which the user named them; each is read once, when it is first needed.
///
/// Shape: as a repository, file 0 has the path `0`, whatever its name is: a name may lead anywhere, a path of a repository may not.
pub(crate) struct NamedFiles {
    directory: PathBuf,
    files: Vec<NamedFile>,
}

struct NamedFile {
    name: PathBuf,
    text: OnceCell<String>,
}

impl NamedFiles {
    /// Files whose names are relative to a directory; `-` is standard input.
    pub(crate) fn new(directory: &Path, names: impl IntoIterator<Item = PathBuf>) -> Self {
        let files = names.into_iter().map(|name| NamedFile {
            name,
            text: OnceCell::new(),
        });
        Self {
            directory: directory.to_owned(),
            files: files.collect(),
        }
    }

    /// The file that was named as number `index`, from 0.
    pub(crate) fn path(&self, index: usize) -> RepoPath {
        RepoPath::root().join(&index.to_string())
    }

    fn file(&self, path: &RepoPath) -> Option<&NamedFile> {
        self.files.get(path.as_str().parse::<usize>().ok()?)
    }

    fn read_new(&self, path: &RepoPath, name: &Path) -> Result<String, ReadError> {
        let failed = |source| ReadError::Io {
            path: shown(name),
            source,
        };
        let content = match is_standard_input(name) {
            true => bounded(io::stdin().lock()),
            false => File::open(self.directory.join(name)).and_then(bounded),
        };
        let content = content.map_err(failed)?;
        let bytes = content.len() as u64;
        if bytes > FILE_LIMIT {
            let message = format!("it has more than {FILE_LIMIT} bytes");
            return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, message)));
        }
        decode(path, content)
    }
}

/// Whether a name means standard input.
pub(crate) fn is_standard_input(name: &Path) -> bool {
    name.as_os_str() == OsStr::new("-")
}

fn bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    reader.take(FILE_LIMIT + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn shown(name: &Path) -> String {
    match is_standard_input(name) {
        true => "<stdin>".to_owned(),
        false => name.display().to_string(),
    }
}

impl Repo for NamedFiles {
    fn read(&self, path: &RepoPath) -> Result<Option<String>, ReadError> {
        let Some(file) = self.file(path) else {
            return Ok(None);
        };
        if let Some(text) = file.text.get() {
            return Ok(Some(text.clone()));
        }
        let text = self.read_new(path, &file.name)?;
        Ok(Some(file.text.get_or_init(|| text).clone()))
    }

    fn list(&self, _: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        Ok((0..self.files.len()).map(|index| self.path(index)).collect())
    }

    fn folders(&self, _: &RepoPath) -> Result<Vec<RepoPath>, ReadError> {
        Ok(Vec::new())
    }
}

impl Files for NamedFiles {
    fn text(&self, file: &RepoPath) -> Option<String> {
        self.file(file)?.text.get().cloned()
    }

    fn name(&self, file: &RepoPath) -> String {
        self.file(file)
            .map_or_else(|| file.to_string(), |named| shown(&named.name))
    }
}
