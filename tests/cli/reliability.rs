//! The table of `crates/reliability.md` against the rules, the tests and the checks it names: it says no more than there is.
#![expect(clippy::print_stderr, reason = "a skipped comparison says why")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const TABLE: &str = "crates/reliability.md";

/// What the table may say of a rule, and whether it has to name something that shows it, and something that is missing.
const STATES: [(&str, bool, bool); 4] = [
    ("shown", true, false),
    ("in part", true, true),
    ("not shown", false, true),
    ("not yet", false, true),
];

struct Row {
    rule: u32,
    words: String,
    state: String,
    /// Tests, as `FILE::NAME`, and other checks, as `FILE: TEXT`.
    shown_by: Vec<String>,
    missing: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The number of a rule's row: `| R7 | …`.
fn rule_of(line: &str) -> Option<u32> {
    line.strip_prefix("| R")?.split(' ').next()?.parse().ok()
}

fn rows() -> Vec<Row> {
    let table = read(TABLE);
    let rows = table.lines().filter_map(|line| Some((rule_of(line)?, line)));
    rows.map(|(rule, line)| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", _, words, state, shown_by, missing, ""] = cells[..] else {
            panic!("R{rule} has {} cells", cells.len())
        };
        Row {
            rule,
            words: words.to_owned(),
            state: state.to_owned(),
            shown_by: shown_by
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect(),
            missing: missing.to_owned(),
        }
    })
    .collect()
}

#[test]
fn every_rule_has_one_row() {
    let rules: Vec<u32> = rows().iter().map(|row| row.rule).collect();
    assert_eq!(rules, (1..=62).collect::<Vec<_>>());
    let reference: PathBuf = root().join("../shared/reference/reliability.md");
    let Ok(text) = std::fs::read_to_string(&reference) else {
        eprintln!(
            "skipped: the rules themselves are missing ({})",
            reference.display()
        );
        return;
    };
    let written: Vec<u32> = text.lines().filter_map(rule_of).collect();
    assert_eq!(rules, written);
}

#[test]
fn a_row_says_what_shows_its_rule_and_what_is_missing() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows() {
        let Some((_, is_shown, is_missing)) = STATES.iter().find(|(state, ..)| *state == row.state) else {
            panic!("R{}: {:?}", row.rule, row.state)
        };
        assert!(!row.words.is_empty(), "R{}", row.rule);
        assert_eq!(
            !row.shown_by.is_empty(),
            *is_shown,
            "R{} names what shows it",
            row.rule
        );
        assert!(
            !is_missing || !row.missing.is_empty(),
            "R{} says what is missing",
            row.rule
        );
        *count.entry(row.state).or_default() += 1;
    }
    let sum: Vec<String> = STATES
        .iter()
        .map(|(state, ..)| format!("{} {state}", count.get(*state).unwrap_or(&0)))
        .collect();
    let sum = format!("Of 62 rules: {}.", sum.join(", "));
    assert!(read(TABLE).contains(&sum), "{TABLE} does not say: {sum}");
}

#[test]
fn everything_named_is_there() {
    for row in rows() {
        for named in &row.shown_by {
            let is_there = match (named.split_once(": "), named.split_once("::")) {
                (Some((".ci/run", stage)), _) => is_stage(&read(".ci/run"), stage),
                (Some((file, text)), _) => read(file).contains(text),
                (None, Some((file, test))) => is_test(&read(file), test),
                (None, None) => false,
            };
            assert!(is_there, "R{}: {named}", row.rule);
        }
    }
}

fn is_stage(text: &str, name: &str) -> bool {
    text.lines()
        .any(|line| line.trim() == format!("stage \"{name}\""))
}

fn is_test(text: &str, name: &str) -> bool {
    let found = text.find(&format!("fn {name}("));
    let above = found.and_then(|at| text[..at].rsplit("\n\n").next());
    above.is_some_and(|above| above.contains("#[test]"))
}
