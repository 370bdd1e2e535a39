//! Istio's own analysis, for the tests that compare with it: `istio/main.go`, as a program.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

/// A program that analyzes manifests as `istioctl analyze` does.
#[derive(Debug)]
pub(crate) struct Analyzer {
    program: OsString,
}

/// One message of the analysis.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    /// The case it is about.
    pub(crate) case: String,
    /// `IST0101`, …
    pub(crate) code: String,
    /// Kind and name of the object it is about.
    pub(crate) object: String,
    #[serde(rename = "message")]
    pub(crate) text: String,
}

impl Analyzer {
    /// Finds the program in `TIDEGATE_ISTIO_ANALYZER`.
    ///
    /// If there is none, says so; that is a failure where `TIDEGATE_ENGINES=required`.
    pub(crate) fn find() -> Option<Self> {
        let program = std::env::var_os("TIDEGATE_ISTIO_ANALYZER");
        if program.is_none() {
            let message = "no analysis of Istio: TIDEGATE_ISTIO_ANALYZER names no program";
            let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
            assert!(!is_required, "{message}");
            eprintln!("skipped: {message}");
        }
        program.map(|program| Self { program })
    }

    /// Analyzes cases, each a name and its manifests, each by itself.
    pub(crate) fn analyze(&self, cases: &[(&str, Vec<Value>)]) -> Vec<Message> {
        let cases: Vec<Value> = cases
            .iter()
            .map(|(name, manifests)| json!({"name": name, "manifests": manifests}))
            .collect();
        let mut process = Command::new(&self.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("TIDEGATE_ISTIO_ANALYZER names a program");
        // It reads everything before it writes anything.
        let mut input = process.stdin.take().expect("a pipe");
        input
            .write_all(Value::Array(cases).to_string().as_bytes())
            .expect("it reads");
        drop(input);
        let output = process.wait_with_output().expect("it ends");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("a list of messages")
    }
}
