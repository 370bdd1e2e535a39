//! Kubernetes' API server, for the tests that ask what it takes: `argocd/apiserver`, as a program.

#![allow(clippy::print_stderr, reason = "says what is skipped")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// A program that judges objects as the API server does, with the definitions in `../shared/crds`.
#[derive(Debug)]
pub(crate) struct ApiServer {
    program: OsString,
    definitions: PathBuf,
}

/// The objects of an environment before and after somebody applies others: YAML streams.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    pub(crate) before: String,
    pub(crate) after: String,
}

/// What is said of the objects after a change: each as if it were new, and in the place of the one before.
#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    /// How many objects were judged.
    pub(crate) judged: usize,
    /// The others: `helm.toolkit.fluxcd.io/v2 HelmRelease`.
    pub(crate) unknown: Vec<String>,
    /// What is refused, and why: `update Deployment web: …`.
    pub(crate) refused: Vec<String>,
}

impl ApiServer {
    /// Finds the program in `TIDEGATE_API_SERVER`.
    ///
    /// If there is none, or no definitions, says so; that is a failure where `TIDEGATE_ENGINES=required` or `CI` is set.
    pub(crate) fn find() -> Option<Self> {
        let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/crds");
        let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
        let program = std::env::var_os("TIDEGATE_API_SERVER");
        let missing = if program.is_none() {
            assert!(!is_required, "TIDEGATE_API_SERVER names no program");
            "TIDEGATE_API_SERVER names no program"
        } else if !definitions.is_dir() {
            assert!(std::env::var_os("CI").is_none(), "../shared/crds is missing");
            "../shared/crds is missing"
        } else {
            return program.map(|program| Self { program, definitions });
        };
        eprintln!("skipped: no API server: {missing}");
        None
    }

    /// Judges changes, each by itself.
    pub(crate) fn judge(&self, changes: &[Change]) -> Vec<Verdict> {
        let mut process = Command::new(&self.program)
            .arg(&self.definitions)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("TIDEGATE_API_SERVER names a program");
        let input = process.stdin.take().expect("a pipe");
        // It answers while it reads: both ways at once, or both wait for ever.
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                // Where it ends early, what it says of that is below.
                let _ = changes
                    .iter()
                    .try_for_each(|change| serde_json::to_writer(&input, change));
            });
            process.wait_with_output().expect("it ends")
        });
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let verdicts: Vec<Verdict> = serde_json::Deserializer::from_slice(&output.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .expect("verdicts");
        assert_eq!(verdicts.len(), changes.len());
        verdicts
    }
}
