//! The commands that read a repository, each run within limits of the operating system: processor time, address space, and in the
//! end the clock.

use std::io::{Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use super::corpus::{Case, Door, Hostile};
use crate::repository::Ended;

/// Seconds of processor time: what is refused is refused before it costs more. The kernel kills a run that needs longer.
const SECONDS: u32 = 2;
/// Address space, in KiB: what is refused for its size is refused before it is held.
pub(crate) const MEMORY: u64 = 256 << 10;
/// Of a run whose memory is watched: one step of a template may take much before it is seen.
const WATCHED: u64 = 1 << 20;
/// Seconds until a run that waits for ever is killed.
const PATIENCE: u32 = 60;

/// A program that is killed when it needs more than this. `limits` are those of the shell's `ulimit`.
pub(crate) fn within(limits: &str, patience: u32, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let script = format!("ulimit {limits}; exec timeout -s KILL {patience} \"$@\"");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-eu", "-c", &script, "sh"])
        .arg(program)
        .stdin(Stdio::null())
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    command
}

impl Hostile {
    /// A run of tidegate in the application's folder, within so much memory (KiB).
    pub(crate) fn tidegate(&self, memory: u64) -> Command {
        let limits = format!("-v {memory}; ulimit -t {SECONDS}");
        let mut command = within(&limits, PATIENCE, env!("CARGO_BIN_EXE_tidegate"));
        command
            .current_dir(self.application())
            .env("HOME", self.place())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            // Otherwise glibc sets address space aside for each thread, which is not memory.
            .env("MALLOC_ARENA_MAX", "1");
        command
    }

    /// `cmp generate`, with its own flags and variables.
    pub(crate) fn generate(&self, memory: u64, flags: &[&str], variables: &[(&str, &[u8])]) -> Ended {
        let mut command = self.tidegate(memory);
        command.args(["cmp", "generate"]).args(flags);
        command.env("ARGOCD_APP_SOURCE_PATH", self.source());
        if variables.is_empty() {
            command.env("ARGOCD_ENV_ENVIRONMENT", "staging");
        }
        for (name, value) in variables {
            command.env(name, std::ffi::OsStr::from_bytes(value));
        }
        Ended::of(&mut command)
    }

    fn source(&self) -> String {
        let root = self.root();
        let below = self.application();
        let below = below.strip_prefix(&root).expect("below the root");
        match below.to_str().expect("UTF-8") {
            "" => ".".to_owned(),
            below => below.to_owned(),
        }
    }

    /// A command of a person.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.tidegate(MEMORY).args(args))
    }

    /// The same with bytes on standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ended {
        let mut stdin = tempfile::tempfile().expect("a temporary file");
        stdin.write_all(input).expect("a file");
        stdin.rewind().expect("a file");
        Ended::of(self.tidegate(MEMORY).args(args).stdin(stdin))
    }

    /// Goes through one door.
    pub(crate) fn enter(&self, door: Door, case: &Case) -> Ended {
        let flags: Vec<&str> = case.flags.iter().map(String::as_str).collect();
        let memory = if case.watched { WATCHED } else { MEMORY };
        let run = |args: &[&str]| Ended::of(self.tidegate(memory).args(args));
        match door {
            Door::Generate => {
                let memory = if flags.contains(&"--allow-templates") {
                    WATCHED
                } else {
                    MEMORY
                };
                self.generate(memory, &flags, &[])
            }
            Door::Render => run(&["render", "--env", "staging"]),
            Door::Status => run(&["status"]),
            Door::Next => run(&["next", "--allow-dirty"]),
            Door::Check => run(&["check"]),
            Door::Base => {
                let revision = self.hidden_in_history();
                let ended = run(&["check", "--base", &revision]);
                self.git(&["reset", "--quiet", "--hard", &revision]);
                ended
            }
            Door::Staged => {
                self.git(&["add", "--all"]);
                run(&["check", "--staged"])
            }
        }
    }

    /// Commits what is there, and goes back to the sound repository; gives the revision.
    fn hidden_in_history(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "hostile"]);
        let revision = self.git(&["rev-parse", "HEAD"]).trim().to_owned();
        self.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
        revision
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let identity = ["-c", "user.name=author", "-c", "user.email=author@example.com"];
        let output = Command::new("git")
            .args(identity)
            .args(args)
            .current_dir(self.root())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git runs");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// What is wrong with how a run ended, which should have had an exit code and said something; empty where nothing is.
pub(crate) fn complaints(
    hostile: &Hostile,
    ended: &Ended,
    product: Product,
    code: i32,
    expected: &[&str],
) -> Vec<String> {
    let mut wrong = Vec::new();
    if ended.code != Some(code) {
        wrong.push(format!("exit {:?}", ended.code));
    }
    let said = match product {
        Product::None => {
            if !ended.stdout.is_empty() {
                wrong.push("something on standard output".to_owned());
            }
            ended.stderr.clone()
        }
        Product::Findings => format!("{}{}", ended.stdout, ended.stderr),
    };
    for text in expected {
        if !said.contains(text) {
            wrong.push(format!("no {text:?}"));
        }
    }
    let steers =
        |char: char| char != '\n' && (char.is_control() || ('\u{202a}'..='\u{2069}').contains(&char));
    if said.contains(steers) {
        wrong.push("a character that steers a terminal".to_owned());
    }
    let place = hostile.place().to_str().expect("UTF-8");
    for text in [super::corpus::SECRET, place] {
        if said.contains(text) {
            wrong.push(format!("{text:?} is told"));
        }
    }
    if said.lines().any(|line| line.chars().count() > 8000) {
        wrong.push("a line without end".to_owned());
    }
    if said.contains("panicked") {
        wrong.push("a panic".to_owned());
    }
    wrong
}

/// What a command prints on standard output when it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    None,
    /// Findings are what `check` makes.
    Findings,
}

impl Door {
    pub(crate) fn product(self) -> Product {
        match self {
            Self::Check | Self::Base | Self::Staged => Product::Findings,
            Self::Generate | Self::Render | Self::Status | Self::Next => Product::None,
        }
    }
}
