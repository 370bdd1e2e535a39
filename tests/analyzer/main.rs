//! Istio's own analysis and tidegate, over the same manifests: what one finds the other finds, at the same object.
//!
//! ```text
//! fixtures in every phase, mistakes ─▶ files ─┬─▶ lint, proof of no change ─▶ findings ─┐
//!                                             └─▶ rendered manifests, pods ─▶ analysis ─┴─▶ same codes, same objects?
//! ```
//!
//! The analysis is that of `istioctl analyze` without a cluster (`tests/engines/istio/`), with all its analyzers. It
//! looks at manifests as they are, so it is compared with what tidegate says of files that do not change.
//!
//! What only one of the two finds is in one of the tables of `differences.rs`, with the reason. Every row of a table is needed: one
//! that no case needs any more fails the test.

#![expect(
    clippy::print_stderr,
    reason = "says what is skipped, and the numbers of the comparison"
)]

mod differences;
#[path = "../engines/istio.rs"]
mod engine;
#[path = "../../crates/core/tests/fixtures/mod.rs"]
mod fixtures;
mod mistakes;
mod ours;
#[path = "../../crates/core/tests/fixtures/phases.rs"]
mod phases;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use differences::{COVERED, Difference, OURS_ONLY, THEIRS_ONLY, counterparts};
use engine::{Analyzer, Message};
use fixtures::{FIXTURES, directory};
use mistakes::MISTAKES;
use ours::{Case, Finding, cases};
use phases::phases;

#[test]
fn istios_analysis_and_ours_find_the_same() {
    let Some(analyzer) = Analyzer::find() else { return };
    let cases = all_cases();
    let manifests: Vec<_> = cases
        .iter()
        .map(|case| (case.name.as_str(), case.manifests.clone()))
        .collect();
    let names: BTreeSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "a name for each case");
    let messages = analyzer.analyze(&manifests);
    let mut comparison = Comparison::default();
    for case in &cases {
        let messages = messages.iter().filter(|message| message.case == case.name);
        comparison.compare(case, &messages.collect::<Vec<_>>());
    }
    comparison.finish(cases.len());
}

fn all_cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    let subsets = FIXTURES.iter().map(|release| (*release, None));
    let services = [(("istio-hosts/bookinfo", "", "reviews"), Some("1.21.0"))];
    for (release, canary_tag) in subsets.chain(services) {
        let (fixture, at, workload) = release;
        let phases = phases(&folder, release, canary_tag).into_iter().enumerate();
        for (index, (phase, repo)) in phases {
            let name = format!("{fixture} {at} {workload}, {index} in {phase}");
            found.extend(cases(&name, &repo, at));
        }
    }
    for state in std::fs::read_dir(folder.join("istio/by-hand")).expect("a folder") {
        let state = state.expect("an entry");
        let name = format!("by hand, {}", state.file_name().to_string_lossy());
        found.extend(cases(&name, &directory(&state.path().join("repo")), ""));
    }
    let (_, at, _) = FIXTURES[0];
    let phases = phases(&folder, FIXTURES[0], None);
    for mistake in MISTAKES {
        let mut phases = phases.iter();
        let (_, repo) = phases.find(|(phase, _)| phase == mistake.phase).expect("a phase");
        let mut repo = repo.clone();
        mistake.make(&mut repo);
        found.extend(cases(mistake.name, &repo, at));
    }
    found
}

#[derive(Default)]
struct Comparison {
    /// How often both found the same, by code.
    agreed: BTreeMap<String, usize>,
    disagreements: Vec<String>,
    /// Rows of the tables that were needed.
    needed: BTreeSet<(&'static str, &'static str, &'static [&'static str])>,
}

impl Comparison {
    fn compare(&mut self, case: &Case, messages: &[&Message]) {
        let is_same = |finding: &Finding, message: &Message| {
            counterparts(&finding.diagnostic).contains(&message.code.as_str())
                && finding.objects.contains(&message.object)
        };
        for message in messages {
            match case.findings.iter().any(|finding| is_same(finding, message)) {
                true => *self.agreed.entry(message.code.clone()).or_default() += 1,
                false => self.pass_over(THEIRS_ONLY, case, &message.code, &message.object, &message.text),
            }
        }
        for finding in &case.findings {
            if !messages.iter().any(|message| is_same(finding, message)) {
                let objects: Vec<&str> = finding.objects.iter().map(String::as_str).collect();
                let code = finding.diagnostic.code.as_str();
                self.pass_over(
                    OURS_ONLY,
                    case,
                    code,
                    &objects.join(", "),
                    &finding.diagnostic.message,
                );
            }
        }
    }

    fn pass_over(&mut self, table: &'static [Difference], case: &Case, code: &str, object: &str, text: &str) {
        let known = table.iter().find(|row| {
            row.code == code
                && text.contains(row.says)
                && row.cases.iter().any(|part| case.name.contains(part))
        });
        match known {
            Some(row) => drop(self.needed.insert(row.key())),
            None => self
                .disagreements
                .push(format!("{}: {code} {object}: {text}", case.name)),
        }
    }

    fn finish(self, case_count: usize) {
        eprintln!("{case_count} cases; found by both: {:?}", self.agreed);
        assert!(
            self.disagreements.is_empty(),
            "{} findings of one alone:\n{}",
            self.disagreements.len(),
            self.disagreements.join("\n")
        );
        let agreed: Vec<&str> = self.agreed.keys().map(String::as_str).collect();
        assert_eq!(agreed, COVERED);
        for row in THEIRS_ONLY.iter().chain(OURS_ONLY) {
            assert!(
                self.needed.contains(&row.key()),
                "no case needs this row any more: {} {}",
                row.code,
                row.because
            );
        }
        assert!(case_count >= 150, "{case_count} cases");
    }
}
