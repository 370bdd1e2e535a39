//! Findings as workflow commands of GitHub Actions, which shows them at the lines of a pull request.
//!
//! Source: GitHub, "Workflow commands for GitHub Actions", "Setting an error message"; actions/toolkit,
//! `packages/core/src/command.ts` (what is escaped).

use tidegate_core::diagnostic::Severity;

use super::Placed;
use crate::report::escape;

/// One command a line.
pub(super) fn render(placed: &[Placed], prefix: &str) -> String {
    placed.iter().map(|placed| command(placed, prefix)).collect()
}

fn command(placed: &Placed, prefix: &str) -> String {
    let name = match placed.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let spot = placed.at.as_ref();
    let mut properties = vec![("file", placed.file(prefix))];
    if let Some((line, column)) = spot.and_then(|spot| spot.start) {
        let end = spot.and_then(|spot| spot.end);
        let (end_line, end_column) = end.unwrap_or((line, column));
        properties.push(("line", line.to_string()));
        properties.push(("endLine", end_line.to_string()));
        // Columns are refused where the lines differ.
        if end_line == line {
            properties.push(("col", column.to_string()));
            properties.push(("endColumn", end_column.to_string()));
        }
    }
    let title = match &placed.finding.environment {
        Some(environment) => format!("tidegate {} ({environment})", placed.code()),
        None => format!("tidegate {}", placed.code()),
    };
    properties.push(("title", title));
    let properties: Vec<String> = properties
        .iter()
        .map(|(key, value)| format!("{key}={}", property(value)))
        .collect();
    let lines: Vec<_> = placed.lines().map(escape).collect();
    format!("::{name} {}::{}\n", properties.join(","), data(&lines.join("\n")))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(&escape(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use tidegate_core::diagnostic::{Code, Diagnostic, Location};

    use tidegate_core::repo::RepoPath;

    use crate::disk::scratch::path;
    use crate::report::findings::{Finding, Findings, tests::example};

    #[test]
    fn one_command_a_line_with_everything_escaped() {
        let expected = "\
::error file=shop/services/orders/gap/gap_routes.yaml,line=3,endLine=3,col=3,endColumn=7,title=tidegate unreachable \
(production)::production: 100 %25 of `web`, [see](x): 50%25\\u{202e}\\r\\n%0Amake it 2 commits, one: *a*, two: b
::warning file=shop/services/orders/gap/gap_routes.yaml,line=4,endLine=5,title=tidegate drift::five
::notice file=shop/services/orders/gap/gap.yaml,title=tidegate no-release::no release here
";
        assert_eq!(example().github(), expected);
    }

    #[test]
    fn a_file_name_cannot_end_a_property_or_the_command() {
        let file = path("gap/a,line=1::b%\n::error ::c.yaml");
        let finding = Finding {
            application: path("gap"),
            environment: None,
            diagnostic: Diagnostic::error(Code::InvalidYaml, "x").at(Location::file(&file)),
        };
        let mut findings = Findings::new("");
        findings.add([finding], &|_: &RepoPath| None);
        assert_eq!(
            findings.github(),
            "::error file=gap/a%2Cline=1%3A%3Ab%25\\n%3A%3Aerror %3A%3Ac.yaml,title=tidegate invalid-yaml::x\n"
        );
    }
}
