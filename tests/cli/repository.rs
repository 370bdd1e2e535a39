//! A repository of its own for each test: a fixture copied into an empty folder, under git, with nothing of the
//! machine's environment.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The folder of the fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Whether expected files are written instead of compared.
pub(crate) fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Runs a program to its end.
    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Expects an exit code; shows everything that was printed otherwise.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Expects a text on standard error.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "no {text:?} in stderr:\n{}",
            self.stderr
        );
        self
    }
}

/// A repository in a folder of its own.
pub(crate) struct Repository {
    folder: TempDir,
}

impl Repository {
    /// A copy of a fixture, committed.
    pub(crate) fn of(fixture: &str) -> Self {
        let repository = Self::without_git(fixture);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("start");
        repository
    }

    /// A copy of a fixture that is under no version control.
    pub(crate) fn without_git(fixture: &str) -> Self {
        let repository = Self {
            folder: TempDir::new().expect("a temporary folder"),
        };
        std::fs::create_dir(repository.path()).expect("a new folder");
        copy(&fixtures().join(fixture).join("repo"), &repository.path());
        repository
    }

    /// A folder with these files alone.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let repository = Self {
            folder: TempDir::new().expect("a temporary folder"),
        };
        std::fs::create_dir(repository.path()).expect("a new folder");
        files.iter().for_each(|(file, text)| repository.write(file, text));
        repository
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// Runs tidegate in the repository.
    #[must_use]
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with_input(args, "")
    }

    /// Runs tidegate in the repository with a text on standard input.
    #[must_use]
    pub(crate) fn run_with_input(&self, args: &[&str], input: &str) -> Ended {
        let mut stdin = tempfile::tempfile().expect("a temporary file");
        stdin.write_all(input.as_bytes()).expect("a file");
        stdin.rewind().expect("a file");
        let mut command = self.command(env!("CARGO_BIN_EXE_tidegate"));
        Ended::of(command.args(args).stdin(stdin))
    }

    /// Runs git and gives what it printed.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = self.command("git").args(args).output().expect("git runs");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Commits everything.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// The present change of the whole tree, as git says it.
    pub(crate) fn diff(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["diff", "--cached", "--no-renames", "--unified=2"])
    }

    /// Every file but git's own, by its path.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        read(&self.path(), "", &mut files);
        files
    }

    /// The paths that differ from an earlier tree, one a line.
    pub(crate) fn diff_of(&self, before: &BTreeMap<String, Vec<u8>>) -> String {
        let now = self.tree();
        let paths: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let differing = paths
            .into_iter()
            .filter(|path| before.get(*path) != now.get(*path));
        differing.map(|path| format!("{path}\n")).collect()
    }

    pub(crate) fn read(&self, file: &str) -> String {
        let path = self.path().join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Edits a file; the text must be there.
    #[track_caller]
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "no {from:?} in {file}:\n{text}");
        self.write(file, text.replace(from, to));
    }

    /// A program in the repository, with nothing of the machine's environment but the path.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.folder.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let identity = [
            ("GIT_AUTHOR_NAME", "author"),
            ("GIT_AUTHOR_EMAIL", "author@example.com"),
            ("GIT_COMMITTER_NAME", "author"),
            ("GIT_COMMITTER_EMAIL", "author@example.com"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ];
        command.envs(identity);
        command
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

fn read(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a UTF-8 name");
        if entry.file_type().expect("a type").is_dir() {
            if name != ".git" {
                read(&entry.path(), &format!("{prefix}{name}/"), files);
            }
        } else {
            files.insert(
                format!("{prefix}{name}"),
                std::fs::read(entry.path()).expect("a file"),
            );
        }
    }
}
