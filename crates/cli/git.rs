//! Git, as far as the files alone do not tell: what is not committed yet, and making a commit.
//!
//! Git is run by its absolute path, without a shell, with no `GIT_*` variable of ours, without hooks, file
//! watchers or prompts, and not for longer than a limit. No other program is started.

mod process;
mod snapshot;
mod staged;
mod status;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tidegate_core::repo::RepoPath;

use process::{Finished, find_program, run_within};
pub(crate) use snapshot::Snapshot;
pub(crate) use staged::Staged;
use status::{Mark, parse_status};

/// The commit that is checked out.
const HEAD: &str = "HEAD^{commit}";
const LIMIT: Duration = Duration::from_secs(10);
/// A commit may wait for a person to unlock a signing key.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);
/// Variables that say who commits, which continuous integration sets; they are data, not behaviour.
const IDENTITY: [&str; 6] = [
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
];

/// The git work tree that a root lies in.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: PathBuf,
    root: PathBuf,
    top_level: PathBuf,
    git_dir: PathBuf,
    /// From the top level to the root: empty, or ending with `/`.
    prefix: String,
    head: Option<String>,
}

/// Git could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// It could not be run.
    #[error("cannot run {program}")]
    Run {
        /// Its path.
        program: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// It took too long and was ended.
    #[error("git {action} did not end within {seconds} seconds")]
    Time {
        /// The subcommand.
        action: String,
        /// The limit.
        seconds: u64,
    },
    /// It refused.
    #[error("git {action} failed: {message}")]
    Failed {
        /// The subcommand.
        action: String,
        /// What it said, in one line.
        message: String,
    },
    /// A revision means no commit.
    #[error("there is no commit `{0}` here; a shallow clone may lack it: git fetch --unshallow")]
    NoCommit(String),
    /// It named a path that is not text, or none of ours; the bytes that are neither are escaped.
    #[error("git names the path {0}, which is not UTF-8 or leads out")]
    Path(String),
}

impl Git {
    /// Git at a root; `None` where git is missing, the root is in no work tree, or git does not trust it.
    pub(crate) fn open(root: &Path) -> Option<Self> {
        let program = find_program()?;
        let root = std::fs::canonicalize(root).ok()?;
        let mut git = Self {
            program,
            root,
            top_level: PathBuf::new(),
            git_dir: PathBuf::new(),
            prefix: String::new(),
            head: None,
        };
        // Everything at once: each run of git takes longer than what it is asked.
        let asked = [
            "--show-toplevel",
            "--absolute-git-dir",
            "--show-prefix",
            "--revs-only",
            HEAD,
        ];
        let answer = git.run("rev-parse", asked.map(OsStr::new), LIMIT).ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let mut lines = answer.strip_suffix('\n')?.split('\n');
        git.top_level = PathBuf::from(lines.next()?);
        git.git_dir = PathBuf::from(lines.next()?);
        git.prefix = lines.next()?.to_owned();
        git.head = lines.next().map(str::to_owned);
        lines.next().is_none().then_some(git)
    }

    /// The top of the work tree.
    #[cfg(test)]
    pub(crate) fn top_level(&self) -> &Path {
        &self.top_level
    }

    /// From the top of the work tree to the root: empty, or ending with `/`.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The folder where git keeps this work tree's state; of a linked work tree its own.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The commit that was checked out when this was opened; `None` before the first.
    pub(crate) fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }

    /// Those of the paths (of a folder: the files in it) that differ from the last commit, in the index or on
    /// disk, untracked and ignored ones included; sorted.
    pub(crate) fn uncommitted(&self, paths: &[RepoPath]) -> Result<Vec<RepoPath>, GitError> {
        let mut changed: Vec<_> = self.status(paths)?.into_iter().map(|(_, path)| path).collect();
        changed.sort();
        changed.dedup();
        Ok(changed)
    }

    /// Makes one commit of the present contents of these paths, removals included, and gives its id.
    ///
    /// What else is staged stays staged and is not part of it. Errors: nothing to commit, no identity, a merge
    /// under way; new files are then untracked again.
    pub(crate) fn commit(&self, paths: &[RepoPath], message: &str) -> Result<String, GitError> {
        let status = self.status(paths)?;
        let of = |wanted: fn(Mark) -> bool| {
            status
                .iter()
                .filter(move |(mark, _)| wanted(*mark))
                .map(|(_, path)| path.clone())
                .collect::<Vec<_>>()
        };
        let (new, all) = (of(|mark| mark == Mark::Untracked), of(|_| true));
        if all.is_empty() {
            return Err(GitError::Failed {
                action: "commit".into(),
                message: "nothing to commit".into(),
            });
        }
        if !new.is_empty() {
            self.on_paths("add", &["--intent-to-add", "--force"], &new, LIMIT)?;
        }
        let message = format!("--message={message}");
        let options = ["--only", "--quiet", "--cleanup=whitespace", message.as_str()];
        if let Err(error) = self.on_paths("commit", &options, &all, COMMIT_LIMIT) {
            if !new.is_empty() {
                // The first error is the one to tell.
                let _ = self.on_paths(
                    "rm",
                    &["--cached", "--quiet", "--force", "--ignore-unmatch"],
                    &new,
                    LIMIT,
                );
            }
            return Err(error);
        }
        let id = self.run("rev-parse", ["--verify", HEAD].map(OsStr::new), LIMIT)?;
        Ok(String::from_utf8_lossy(&id).trim().to_owned())
    }

    fn status(&self, paths: &[RepoPath]) -> Result<Vec<(Mark, RepoPath)>, GitError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let options = [
            "--porcelain=v2",
            "-z",
            "--untracked-files=all",
            "--ignored=traditional",
            "--no-renames",
            "--ignore-submodules=all",
        ];
        let answer = self.on_paths("status", &options, paths, LIMIT)?;
        parse_status(&answer, &self.prefix)
    }

    /// Whether the work tree may be a sparse checkout.
    pub(crate) fn is_sparse(&self) -> bool {
        self.git_dir.join("info/sparse-checkout").exists()
    }

    /// Files that are part of the repository and that a sparse checkout leaves out of the work tree, below some paths.
    ///
    /// Source: git, "sparse-checkout": such entries of the index are marked `S` by `ls-files -t`.
    pub(crate) fn left_out(&self, paths: &[RepoPath]) -> Result<Vec<RepoPath>, GitError> {
        let answer = self.on_paths("ls-files", &["-t", "-z"], paths, LIMIT)?;
        let left_out = snapshot::records(&answer).filter_map(|entry| entry.strip_prefix(b"S "));
        left_out.map(snapshot::path).collect()
    }

    fn on_paths(
        &self,
        action: &str,
        options: &[&str],
        paths: &[RepoPath],
        limit: Duration,
    ) -> Result<Vec<u8>, GitError> {
        let paths = paths.iter().map(|path| match path.as_str() {
            "" => ".",
            path => path,
        });
        let arguments = options.iter().copied().chain(["--"]).chain(paths);
        self.run(action, arguments.map(OsStr::new), limit)
    }

    fn run<'a>(
        &self,
        action: &str,
        arguments: impl IntoIterator<Item = &'a OsStr>,
        limit: Duration,
    ) -> Result<Vec<u8>, GitError> {
        self.run_with(action, arguments, Vec::new(), limit)
    }

    fn run_with<'a>(
        &self,
        action: &str,
        arguments: impl IntoIterator<Item = &'a OsStr>,
        input: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>, GitError> {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") && !IDENTITY.iter().any(|kept| name == *kept) {
                command.env_remove(name);
            }
        }
        // The index that is being committed: git names it to its hooks, from the folder it starts them in.
        let reads_index = matches!(action, "diff" | "ls-files");
        let index = std::env::var_os("GIT_INDEX_FILE").filter(|_| reads_index);
        if let Some(index) = index.and_then(|index| std::path::absolute(index).ok()) {
            command.env("GIT_INDEX_FILE", index);
        }
        command.envs([
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
        ]);
        for setting in [
            "core.fsmonitor=false",
            "core.hooksPath=/dev/null",
            "core.quotepath=false",
            "gc.auto=0",
            "maintenance.auto=false",
        ] {
            command.args(["-c", setting]);
        }
        command
            .args(["--literal-pathspecs", "--no-pager", action])
            .args(arguments)
            .current_dir(&self.root);
        let failed = |source| GitError::Run {
            program: self.program.display().to_string(),
            source,
        };
        let finished = run_within(command, input, limit).map_err(failed)?;
        let Some(Finished {
            status,
            stdout,
            stderr,
        }) = finished
        else {
            return Err(GitError::Time {
                action: action.to_owned(),
                seconds: limit.as_secs(),
            });
        };
        if status.success() {
            return Ok(stdout);
        }
        let message = String::from_utf8_lossy(&stderr);
        let message = message
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
        Err(GitError::Failed {
            action: action.to_owned(),
            message,
        })
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::repo::Repo;

    use super::*;
    use crate::disk::scratch::{Scratch, path};

    /// Git as a user runs it, with an identity.
    fn git(scratch: &Scratch, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args([
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.org",
            "-c",
            "init.defaultBranch=main",
        ]);
        let output = command
            .args(arguments)
            .current_dir(scratch.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn repository(files: &[(&str, &str)]) -> Scratch {
        let scratch = Scratch::with(files);
        git(&scratch, &["init", "--quiet"]);
        git(&scratch, &["config", "user.name", "A"]);
        git(&scratch, &["config", "user.email", "a@example.org"]);
        if !files.is_empty() {
            git(&scratch, &["add", "-A"]);
            git(&scratch, &["commit", "--quiet", "-m", "first"]);
        }
        scratch
    }

    #[test]
    fn outside_a_work_tree_there_is_no_git() {
        let scratch = Scratch::new();
        assert!(Git::open(scratch.path()).is_none());
        assert!(Git::open(&scratch.path().join("none")).is_none());
        let bare = Scratch::new();
        git(&bare, &["init", "--quiet", "--bare"]);
        assert!(Git::open(bare.path()).is_none());
    }

    #[test]
    fn before_the_first_commit_everything_is_uncommitted() {
        let scratch = repository(&[]);
        scratch.put("a", "1");
        let opened = Git::open(scratch.path()).unwrap();
        assert_eq!(opened.head(), None);
        assert_eq!(
            opened.uncommitted(&[path("a"), path("none")]).unwrap(),
            [path("a")]
        );
        let id = opened.commit(&[path("a")], "first").unwrap();
        assert_eq!(Git::open(scratch.path()).unwrap().head(), Some(id.as_str()));
    }

    #[test]
    fn places_are_right_in_a_folder_and_in_a_linked_work_tree() {
        let scratch = repository(&[("app/gap/gap.yaml", "1")]);
        let opened = Git::open(&scratch.path().join("app")).unwrap();
        assert_eq!(
            (opened.top_level(), opened.git_dir()),
            (scratch.path(), scratch.path().join(".git").as_path())
        );
        scratch.put("app/gap/gap.yaml", "2");
        assert_eq!(
            opened.uncommitted(&[path("gap/gap.yaml")]).unwrap(),
            [path("gap/gap.yaml")]
        );
        assert_eq!(
            opened.uncommitted(&[RepoPath::root()]).unwrap(),
            [path("gap/gap.yaml")]
        );
        git(&scratch, &["worktree", "add", "--quiet", "linked"]);
        let linked = Git::open(&scratch.path().join("linked/app")).unwrap();
        assert_eq!(linked.top_level(), scratch.path().join("linked"));
        assert_eq!(linked.git_dir(), scratch.path().join(".git/worktrees/linked"));
    }

    #[test]
    fn every_kind_of_difference_is_uncommitted() {
        let scratch = repository(&[
            ("same", ""),
            ("edited", ""),
            ("staged", ""),
            ("gone", ""),
            (".gitignore", "ignored\n"),
        ]);
        for name in ["edited", "staged", "new folder/ü \"new\"", "ignored"] {
            scratch.put(name, "new");
        }
        git(&scratch, &["add", "staged"]);
        std::fs::remove_file(scratch.path().join("gone")).unwrap();
        let asked = [
            "same",
            "edited",
            "staged",
            "gone",
            "new folder/ü \"new\"",
            "ignored",
        ]
        .map(path);
        let expected = ["edited", "gone", "ignored", "new folder/ü \"new\"", "staged"].map(path);
        assert_eq!(
            Git::open(scratch.path()).unwrap().uncommitted(&asked).unwrap(),
            expected
        );
        // Paths are names, not patterns.
        assert_eq!(
            Git::open(scratch.path())
                .unwrap()
                .uncommitted(&[path("*")])
                .unwrap(),
            []
        );
    }

    /// The files of a folder, `name: text` each.
    fn files(snapshot: &Snapshot, folder: &str) -> Vec<String> {
        let paths = snapshot.list(&path(folder)).unwrap().into_iter();
        let texts = paths.map(|path| {
            let text = snapshot.read(&path);
            let text = text.map_or_else(|error| error.to_string(), Option::unwrap_or_default);
            format!("{}: {text}", path.file_name())
        });
        texts.collect()
    }

    fn both_ends(opened: &Git, folder: &str) -> [Vec<String>; 2] {
        let staged = opened.staged(opened.head()).unwrap();
        let (before, after) = opened.at_both_ends(&staged, &[path(folder)]).unwrap();
        [files(&before, folder), files(&after, folder)]
    }

    #[test]
    fn the_index_is_the_commit_and_what_is_staged() {
        let scratch = repository(&[
            ("app/gap/same", "1"),
            ("app/gap/edited", "1"),
            ("app/gap/gone", "1"),
        ]);
        scratch.put("app/gap/edited", "2");
        scratch.put("app/gap/new", "2");
        scratch.put("elsewhere/new", "2");
        std::fs::remove_file(scratch.path().join("app/gap/gone")).unwrap();
        git(&scratch, &["add", "-A"]);
        scratch.put("app/gap/same", "not staged");
        scratch.put("app/gap/intended", "not staged");
        git(&scratch, &["add", "--intent-to-add", "app/gap/intended"]);
        let opened = Git::open(&scratch.path().join("app")).unwrap();
        let before = ["edited: 1", "gone: 1", "same: 1"];
        let after = ["edited: 2", "new: 2", "same: 1"];
        assert_eq!(both_ends(&opened, "gap"), [&before[..], &after[..]]);
        // Only what is asked for.
        let staged = opened.staged(opened.head()).unwrap();
        let (_, rest) = opened.at_both_ends(&staged, &[path("ga")]).unwrap();
        assert!(files(&rest, "gap").is_empty());
    }

    #[test]
    fn before_the_first_commit_the_index_is_all() {
        let scratch = repository(&[]);
        scratch.put("gap/new", "1");
        git(&scratch, &["add", "-A"]);
        let opened = Git::open(scratch.path()).unwrap();
        assert_eq!(both_ends(&opened, "gap"), [vec![], vec!["new: 1".to_owned()]]);
    }

    #[test]
    fn of_a_conflict_the_own_side_is_taken() {
        let scratch = repository(&[("gap/both", "1"), ("gap/ours", "1"), ("gap/theirs", "1")]);
        let commit = |name: &str, edits: &[(&str, &str)], gone: &str| {
            git(&scratch, &["checkout", "--quiet", "-B", name, "main"]);
            edits.iter().for_each(|(file, text)| scratch.put(file, text));
            std::fs::remove_file(scratch.path().join(gone)).unwrap();
            git(&scratch, &["commit", "--quiet", "-am", name]);
        };
        git(&scratch, &["branch", "--move", "--force", "main"]);
        commit(
            "others",
            &[("gap/both", "others"), ("gap/ours", "others")],
            "gap/theirs",
        );
        commit("own", &[("gap/both", "own"), ("gap/theirs", "own")], "gap/ours");
        let mut merge = Command::new("git");
        let merged = merge
            .args(["merge", "others"])
            .current_dir(scratch.path())
            .output();
        assert!(!merged.unwrap().status.success());
        let own = ["both: own".to_owned(), "theirs: own".to_owned()];
        let opened = Git::open(scratch.path()).unwrap();
        assert_eq!(both_ends(&opened, "gap"), [own.clone(), own.clone()]);
        // Against another commit as well.
        let base = opened.commit_of("main").unwrap();
        let staged = opened.staged(Some(&base)).unwrap();
        let (_, after) = opened.at_both_ends(&staged, &[path("gap")]).unwrap();
        assert_eq!(files(&after, "gap"), own);
    }

    #[test]
    fn a_commit_holds_exactly_its_paths() {
        let scratch = repository(&[
            ("edit", "1"),
            ("remove", "1"),
            ("staged", "1"),
            ("other", "1"),
            (".gitignore", "new\n"),
        ]);
        for (name, text) in [("edit", "2"), ("new", "2"), ("staged", "2"), ("other", "2")] {
            scratch.put(name, text);
        }
        std::fs::remove_file(scratch.path().join("remove")).unwrap();
        git(&scratch, &["add", "staged"]);
        let opened = Git::open(scratch.path()).unwrap();
        let id = opened
            .commit(
                &["edit", "remove", "new"].map(path),
                "canary: step\n\n# not a comment\n",
            )
            .unwrap();
        assert_eq!(
            git(&scratch, &["show", "--format=%B", "--name-status", &id]),
            "canary: step\n\n# not a comment\n\n\nM\tedit\nA\tnew\nD\tremove\n"
        );
        assert_eq!(git(&scratch, &["status", "--porcelain"]), " M other\nM  staged\n");
        assert!(
            opened
                .commit(&[path("edit")], "again")
                .unwrap_err()
                .to_string()
                .contains("nothing to commit")
        );
    }

    #[test]
    fn a_commit_that_fails_leaves_the_index_alone() {
        let scratch = repository(&[("edit", "1")]);
        scratch.put("edit", "2");
        scratch.put("new", "2");
        git(&scratch, &["config", "commit.gpgSign", "true"]);
        git(&scratch, &["config", "gpg.program", "/nonexistent"]);
        let error = Git::open(scratch.path())
            .unwrap()
            .commit(&["edit", "new"].map(path), "x")
            .unwrap_err();
        assert!(
            matches!(&error, GitError::Failed { action, .. } if action == "commit"),
            "{error}"
        );
        assert_eq!(git(&scratch, &["status", "--porcelain"]), " M edit\n?? new\n");
    }

    #[cfg(unix)]
    #[test]
    fn programs_named_in_the_repository_are_not_run() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = repository(&[("a", "1")]);
        let marker = scratch.path().join("marker");
        let script = format!("#!/bin/sh\ntouch '{}'\n", marker.display());
        for name in [
            ".git/hooks/pre-commit",
            ".git/hooks/commit-msg",
            ".git/hooks/post-commit",
            "monitor",
        ] {
            scratch.put(name, &script);
            std::fs::set_permissions(scratch.path().join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        git(
            &scratch,
            &[
                "config",
                "core.fsmonitor",
                scratch.path().join("monitor").to_str().unwrap(),
            ],
        );
        scratch.put("a", "2");
        let opened = Git::open(scratch.path()).unwrap();
        assert_eq!(opened.uncommitted(&[path("a")]).unwrap(), [path("a")]);
        opened.commit(&[path("a")], "x").unwrap();
        assert!(!marker.exists());
    }
}
