//! The real kustomize, for the tests and benchmarks of all crates that compare with it: each takes this file in as a module.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests run programs, read their environment and say what they skip"
)]

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// A program that builds a kustomization, given its folder as the last argument.
#[derive(Debug)]
pub(crate) struct Kustomize {
    program: OsString,
    argument: &'static str,
}

impl Kustomize {
    /// Finds kustomize in `TIDEGATE_KUSTOMIZE`, else `kustomize` or `kubectl` on the PATH.
    ///
    /// If there is none, says so; that is a failure where `TIDEGATE_ENGINES=required`.
    pub(crate) fn find() -> Option<Self> {
        let new = |program: OsString, argument| Self { program, argument };
        let named = std::env::var_os("TIDEGATE_KUSTOMIZE").map(|program| new(program, "build"));
        let others = [
            new("kustomize".into(), "build"),
            new("kubectl".into(), "kustomize"),
        ];
        let found = named.into_iter().chain(others).find(Self::is_there);
        if found.is_none() {
            let message = "no kustomize: not in TIDEGATE_KUSTOMIZE, nor kustomize or kubectl on the PATH";
            let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
            assert!(!is_required, "{message}");
            eprintln!("skipped: {message}");
        }
        found
    }

    fn is_there(&self) -> bool {
        let output = Command::new(&self.program)
            .args([self.argument, "--help"])
            .output();
        output.is_ok_and(|output| output.status.success())
    }

    /// The command that builds the kustomization of a folder.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.argument).arg(folder);
        command
    }

    /// Builds the kustomization of a folder and gives the YAML stream it prints.
    ///
    /// Errors: kustomize's message.
    pub(crate) fn build(&self, folder: &Path) -> Result<String, String> {
        let output = self.command(folder).output().expect("it ran before");
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).expect("kustomize writes UTF-8")),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}
