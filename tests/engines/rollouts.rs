//! The validation of Argo Rollouts, as its controller and `kubectl argo rollouts lint` have it, for the tests that write
//! Rollouts: `argocd/rollouts`, as a program.

#![allow(clippy::print_stderr, reason = "says what is skipped")]

use std::ffi::OsString;
use std::process::Command;

use serde::Deserialize;

/// A program that lints the Rollouts of files, with the Services and VirtualServices they name.
#[derive(Debug)]
pub(crate) struct Linter {
    program: OsString,
}

/// What is said of a YAML stream.
#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    /// How many Rollouts are in it.
    pub(crate) rollouts: usize,
    /// What is wrong with them.
    pub(crate) refused: Vec<String>,
}

impl Linter {
    /// Finds the program in `TIDEGATE_ROLLOUTS_LINT`.
    ///
    /// If there is none, says so; that is a failure where `TIDEGATE_ENGINES=required`.
    pub(crate) fn find() -> Option<Self> {
        let program = std::env::var_os("TIDEGATE_ROLLOUTS_LINT");
        if program.is_none() {
            let message = "no linter of Argo Rollouts: TIDEGATE_ROLLOUTS_LINT names no program";
            let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
            assert!(!is_required, "{message}");
            eprintln!("skipped: {message}");
        }
        program.map(|program| Self { program })
    }

    /// Lints YAML streams, each by itself.
    pub(crate) fn lint(&self, streams: &[String]) -> Vec<Verdict> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(&self.program);
        for (index, stream) in streams.iter().enumerate() {
            let file = folder.path().join(format!("{index}.yaml"));
            std::fs::write(&file, stream).expect("a file");
            command.arg(file);
        }
        let output = command.output().expect("TIDEGATE_ROLLOUTS_LINT names a program");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let verdicts = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        let verdicts: Vec<Verdict> = verdicts.collect::<Result<_, _>>().expect("verdicts");
        assert_eq!(verdicts.len(), streams.len());
        verdicts
    }
}
