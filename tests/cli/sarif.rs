//! `check --format sarif` against the schema of SARIF 2.1.0, which nobody here wrote.
//!
//! Python is looked for in `TIDEGATE_PYTHON`, else `python3`; `.ci/run` puts `jsonschema` and the schema there. What is
//! not there is skipped with a word; with `TIDEGATE_ENGINES=required` a Python named in `TIDEGATE_PYTHON` that lacks one
//! of them is a failure.

use std::ffi::OsString;
use std::process::Command;

use crate::formats::two_in_one;
use crate::repository::{Ended, Repository};

/// The schema as Microsoft's sarif-om carries it. It differs from OASIS' in the name of one key, of suppressions, which
/// are not used here.
const VALIDATE: &str = r#"
import json, pathlib, sys
schema = pathlib.Path(sys.prefix, "share", "sarif-2.1.0-rtm.4.json")
try:
    from jsonschema.validators import validator_for
    schema = json.loads(schema.read_text())
except (ImportError, OSError) as missing:
    sys.exit(f"missing: {missing}")
if len(sys.argv) > 1:
    validator = validator_for(schema)
    validator.check_schema(schema)
    document = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for error in validator(schema).iter_errors(document):
        print(error.json_path, error.message[:200])
"#;

/// A Python that can compare with the schema.
#[expect(clippy::print_stderr, reason = "says what is skipped")]
fn python() -> Option<OsString> {
    let named = std::env::var_os("TIDEGATE_PYTHON");
    let program = named.clone().unwrap_or_else(|| "python3".into());
    let output = Command::new(&program).args(["-c", VALIDATE]).output();
    let reason = match output {
        Ok(output) if output.status.success() => return Some(program),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
    assert!(!(is_required && named.is_some()), "TIDEGATE_PYTHON: {reason}");
    eprintln!(
        "skipped: no schema of SARIF or nothing to check with: {}",
        reason.trim()
    );
    None
}

/// What the schema has against a text, one a line.
fn against_the_schema(python: &OsString, repository: &Repository, text: &str) -> String {
    repository.write("../report.sarif", text);
    let mut command = repository.command(python);
    Ended::of(command.args(["-c", VALIDATE, "../report.sarif"]))
        .expect(0)
        .stdout
}

fn check(repository: &Repository, code: i32) -> String {
    repository
        .run(&["check", "--format", "sarif"])
        .expect(code)
        .stdout
}

#[test]
fn what_is_printed_keeps_to_the_published_schema() {
    let Some(python) = python() else { return };
    let repository = Repository::of("istio/my-service");
    assert_eq!(
        against_the_schema(&python, &repository, &check(&repository, 0)),
        ""
    );
    // Places with lines and columns, and related places.
    let repository = two_in_one();
    let unsafe_change = check(&repository, 1);
    assert!(
        unsafe_change.contains("\"relatedLocations\": [\n"),
        "{unsafe_change}"
    );
    assert!(unsafe_change.contains("\"endColumn\""), "{unsafe_change}");
    assert_eq!(against_the_schema(&python, &repository, &unsafe_change), "");
    // A finding about a file as a whole.
    let monorepo = Repository::of("istio/monorepo");
    std::fs::remove_dir_all(monorepo.path().join("services/search/gap")).expect("removed");
    let removed = check(&monorepo, 0);
    assert!(removed.contains("\"withdrawn\""), "{removed}");
    assert_eq!(against_the_schema(&python, &monorepo, &removed), "");
    // The comparison itself: what breaks the schema is found.
    let broken = unsafe_change
        .replace("\"startLine\": ", "\"startLine\": -")
        .replacen("\"level\": \"error\"", "\"level\": \"bad\"", 1);
    let found = against_the_schema(&python, &repository, &broken);
    assert!(found.contains("startLine") && found.contains("level"), "{found}");
}
