//! The corpus: `fixtures/hostile/<name>/`, each a sound repository that is spoilt by files beside its `case.toml` and by what that
//! file says to make, where Git cannot keep a file or it would be too large.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;
use tempfile::TempDir;

use crate::repository::{Repository, fixtures};

/// What no output may ever hold: it stands in a file outside of the repository, and in Secrets of it.
pub(crate) const SECRET: &str = "hunter2";

/// One hostile repository, and what is said about it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) about: String,
    #[serde(default)]
    pub(crate) base: Base,
    /// What refuses it; everything that reads files, unless it says otherwise.
    #[serde(default = "Door::all")]
    pub(crate) doors: Vec<Door>,
    /// Its memory is bounded by a look at how much is in use, and one step may take much before it is seen.
    #[serde(default)]
    pub(crate) watched: bool,
    /// Flags of `cmp generate`.
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    /// The diagnostic's code.
    pub(crate) code: String,
    /// Its place: `FILE:LINE:COLUMN`, or `FILE` where it is about no line.
    pub(crate) at: String,
    /// A part of its message.
    pub(crate) says: Option<String>,
    /// Its bytes are wrong wherever they stand: this file, and it goes through every other door as well.
    pub(crate) bytes: Option<String>,
    /// What kustomize is given; nothing, where it has nothing of the kind.
    pub(crate) kustomize: Option<Counterpart>,
    #[serde(default)]
    make: Vec<Make>,
}

/// The sound repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Base {
    /// `istio/my-service`, with a release that has not begun.
    #[default]
    Gap,
    /// `gateway-api/reviews`, the same.
    Manifests,
}

/// A command that reads the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Door {
    /// `cmp generate`.
    Generate,
    /// `render --env staging`.
    Render,
    /// `status`.
    Status,
    /// `next`.
    Next,
    /// `check`.
    Check,
    /// `check --base`, with the hostile files in the revision alone.
    Base,
    /// `check --staged`, with the hostile files in the index alone.
    Staged,
}

impl Door {
    fn all() -> Vec<Self> {
        vec![
            Self::Generate,
            Self::Render,
            Self::Status,
            Self::Next,
            Self::Check,
            Self::Staged,
            Self::Base,
        ]
    }
}

/// How the same is said to kustomize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Counterpart {
    /// The objects and patches are listed in a kustomization.
    Resources,
    /// The spec, or the settings, are the kustomization: each one's own file.
    Kustomization,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase", deny_unknown_fields)]
enum Make {
    /// `begin`, `repeat` as often as `times`, `end`. `{n}` is the number of the repetition, `{next}` the one after it.
    File {
        path: String,
        #[serde(default)]
        begin: String,
        #[serde(default)]
        repeat: String,
        #[serde(default)]
        times: usize,
        #[serde(default)]
        between: String,
        #[serde(default)]
        end: String,
        /// Instead of all these: bytes, which need be no text.
        bytes: Option<Vec<u8>>,
        /// So many files; `{n}` in the path is the number of each.
        count: Option<usize>,
    },
    Link {
        path: String,
        to: String,
        count: Option<usize>,
    },
    Pipe {
        path: String,
    },
    Socket {
        path: String,
    },
    Folder {
        path: String,
    },
    /// As many bytes as that, none of which is on the disk.
    Sparse {
        path: String,
        bytes: u64,
    },
    Removed {
        path: String,
    },
    /// A folder with all that is in it, somewhere else.
    Moved {
        path: String,
        to: String,
    },
}

/// Every case, by name.
pub(crate) fn cases() -> Vec<Case> {
    let entries = fs::read_dir(folder()).expect("the corpus");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.file_type().expect("a type").is_dir())
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names.into_iter().map(read).collect()
}

pub(crate) fn folder() -> PathBuf {
    fixtures().join("hostile")
}

fn read(name: String) -> Case {
    let text = fs::read_to_string(folder().join(&name).join("case.toml")).expect("a case.toml");
    let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    Case { name, ..case }
}

/// The sound repository, spoilt.
pub(crate) struct Hostile {
    place: TempDir,
    base: Base,
}

impl Hostile {
    /// A sound repository, to be spoilt.
    pub(crate) fn new(base: Base) -> Self {
        let hostile = Self {
            place: TempDir::new().expect("a temporary folder"),
            base,
        };
        copy(&sound(base).path(), &hostile.root());
        let outside = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {SECRET}}}\n");
        fs::write(hostile.place.path().join("secret"), outside).expect("a file");
        hostile
    }

    /// The repository of a case.
    pub(crate) fn of(case: &Case) -> Self {
        let hostile = Self::new(case.base);
        let files = folder().join(&case.name).join("repo");
        if files.is_dir() {
            copy(&files, &hostile.root());
        }
        case.make.iter().for_each(|make| hostile.make(make));
        hostile
    }

    /// The folder that nothing of outside may be read from.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.place.path().join("8a2b51c0")
    }

    /// The application's folder.
    pub(crate) fn application(&self) -> PathBuf {
        match self.base {
            Base::Gap => self.root(),
            Base::Manifests => self.root().join("deploy/reviews"),
        }
    }

    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.path(file);
        if path.is_symlink() || path.exists() {
            fs::remove_file(&path).expect("removed");
        }
        fs::write(path, text).expect("a file");
    }

    /// Does something while a file has other bytes.
    pub(crate) fn with(&self, file: &str, bytes: &[u8], work: impl FnOnce()) {
        let path = self.path(file);
        let before = fs::read(&path).ok();
        self.write(file, bytes);
        work();
        match before {
            Some(before) => self.write(file, before),
            None => fs::remove_file(path).expect("removed"),
        }
    }

    /// A path below the root, whose folder is there.
    fn path(&self, path: &str) -> PathBuf {
        let path = self.root().join(OsStr::from_bytes(&decoded(path)));
        fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        path
    }

    fn make(&self, make: &Make) {
        let numbered = |text: &str, number: usize| {
            let text = text.replace("{n}", &number.to_string());
            text.replace("{next}", &(number + 1).to_string())
        };
        match make {
            Make::File {
                path,
                begin,
                repeat,
                times,
                between,
                end,
                bytes,
                count,
            } => {
                for file in 0..count.unwrap_or(1) {
                    let mut text = begin.replace("{n}", &file.to_string());
                    let is_numbered = repeat.contains('{');
                    for number in 0..*times {
                        if number > 0 {
                            text.push_str(between);
                        }
                        match is_numbered {
                            true => text.push_str(&numbered(repeat, number)),
                            false => text.push_str(repeat),
                        }
                    }
                    text.push_str(end);
                    let content = bytes.as_deref().unwrap_or(text.as_bytes());
                    let path = match count {
                        Some(_) => numbered(path, file),
                        None => path.clone(),
                    };
                    self.write(&path, content);
                }
            }
            Make::Link { path, to, count } => {
                for number in 0..count.unwrap_or(1) {
                    let (path, to) = (self.path(&numbered(path, number)), numbered(to, number));
                    if path.exists() {
                        fs::remove_file(&path).expect("removed");
                    }
                    symlink(OsStr::from_bytes(&decoded(&to)), path).expect("a link");
                }
            }
            Make::Pipe { path } => {
                let path = self.path(path);
                let _ = fs::remove_file(&path);
                let status = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
                assert!(status.success());
            }
            Make::Socket { path } => {
                drop(std::os::unix::net::UnixListener::bind(self.path(path)).expect("a socket"))
            }
            Make::Folder { path } => {
                let path = self.path(path);
                let _ = fs::remove_file(&path);
                fs::DirBuilder::new().mode(0o755).create(path).expect("a folder");
            }
            Make::Sparse { path, bytes } => {
                let file = fs::File::create(self.path(path)).expect("a file");
                file.set_len(*bytes).expect("a sparse file");
            }
            Make::Removed { path } => fs::remove_file(self.path(path)).expect("removed"),
            Make::Moved { path, to } => fs::rename(self.path(path), self.path(to)).expect("moved"),
        }
    }

    /// Whether a run touched anything: every path with what tells a change, without reading what may be endless.
    pub(crate) fn marks(&self) -> Vec<String> {
        let mut marks = Vec::new();
        for entry in walkdir::WalkDir::new(self.place.path()).sort_by_file_name() {
            let entry = entry.expect("an entry");
            // Git writes into its own folder even to look.
            if entry.path().components().any(|part| part.as_os_str() == ".git") {
                continue;
            }
            let data = entry.path().symlink_metadata().expect("it is there");
            let file = (data.ino(), data.len(), data.mtime(), data.mtime_nsec());
            marks.push(format!("{:?} {:?}", entry.path(), data.is_file().then_some(file)));
        }
        marks
    }
}

/// `%` and two digits stand for a byte.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                let digits = std::str::from_utf8(&digits).expect("digits");
                u8::from_str_radix(digits, 16).expect("digits")
            }
            byte => byte,
        });
    }
    bytes
}

/// The sound repository with a release, committed; made once.
fn sound(base: Base) -> &'static Repository {
    static GAP: OnceLock<Repository> = OnceLock::new();
    static MANIFESTS: OnceLock<Repository> = OnceLock::new();
    let (made, fixture, init): (_, _, &[&str]) = match base {
        Base::Gap => (&GAP, "istio/my-service", &["init", "--commit"]),
        Base::Manifests => (
            &MANIFESTS,
            "gateway-api/reviews",
            &["-C", "deploy/reviews", "init", "--canary-tag", "9.9", "--commit"],
        ),
    };
    made.get_or_init(|| {
        let repository = Repository::of(fixture);
        let _ = repository.run(init).expect(0);
        repository
    })
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.path().strip_prefix(from).expect("below"));
        match entry.file_type().is_dir() {
            true => fs::create_dir_all(target).expect("a folder"),
            false => drop(fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}
