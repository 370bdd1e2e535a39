//! Findings as Markdown, for a comment on a pull request.

use tidegate_core::diagnostic::Severity;

use super::Placed;
use crate::report::escape;

/// What a comment on GitHub may hold, in bytes, with some room for what is put around it.
///
/// Source: GitHub refuses bodies of more than 65,536 characters.
const LONGEST: usize = 60_000;

/// A heading with the counts, and a list.
pub(super) fn render(placed: &[Placed]) -> String {
    let mut text = format!("### tidegate check: {}\n", counts(placed));
    if !placed.is_empty() {
        text.push('\n');
    }
    for (index, placed_one) in placed.iter().enumerate() {
        let item = item(placed_one);
        if text.len() + item.len() > LONGEST {
            let rest = placed.len() - index;
            text.push_str(&format!("- and {rest} more: `tidegate check` lists them\n"));
            break;
        }
        text.push_str(&item);
    }
    text
}

fn counts(placed: &[Placed]) -> String {
    let count = |severity: Severity, one: &str| {
        let count = placed
            .iter()
            .filter(|placed| placed.severity() == severity)
            .count();
        match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {one}s")),
        }
    };
    let counts = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Note, "note"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    match counts.is_empty() {
        true => "nothing found".to_owned(),
        false => counts.join(", "),
    }
}

fn item(placed: &Placed) -> String {
    let place = match &placed.at {
        Some(spot) => match spot.start {
            Some((line, column)) => format!("{}:{line}:{column}", spot.file),
            None => spot.file.clone(),
        },
        None => placed.finding.application.to_string(),
    };
    let mut lines = placed.lines().map(prose);
    let message = lines.next().unwrap_or_default();
    let mut item = format!(
        "- **{}** `{}` {}: {message}\n",
        placed.severity_name(),
        placed.code(),
        code(&place)
    );
    for hint in lines {
        item.push_str(&format!("  - {hint}\n"));
    }
    item
}

/// Text of the input in a code span that it cannot end. Source: CommonMark, section 6.1.
fn code(text: &str) -> String {
    let text = escape(text);
    let longest = text
        .split(|char| char != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let room = if longest > 0 { " " } else { "" };
    format!("{fence}{room}{text}{room}{fence}")
}

/// A sentence, in which pairs of backticks are code and all else is text: no link, no tag, no mention.
fn prose(text: &str) -> String {
    let text = escape(text);
    let parts: Vec<&str> = text.split('`').collect();
    // An odd number of backticks: the last one has no partner and is text.
    let spans = parts.len() - 1 - (parts.len() - 1) % 2;
    let mut shown = String::new();
    for (index, part) in parts.iter().enumerate() {
        match (index % 2, part.is_empty()) {
            (1, false) if index < spans => shown.push_str(&format!("`{part}`")),
            (1, true) if index < spans => shown.push_str("\\`\\`"),
            _ => {
                if index > spans {
                    shown.push_str("\\`");
                }
                part.chars().for_each(|char| push(&mut shown, char));
            }
        }
    }
    shown
}

fn push(shown: &mut String, char: char) {
    match char {
        // In code nobody is mentioned.
        '@' => shown.push_str("<code>@</code>"),
        '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' => {
            shown.push('\\');
            shown.push(char);
        }
        char => shown.push(char),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::diagnostic::{Code, Diagnostic};

    use super::*;
    use tidegate_core::repo::RepoPath;

    use crate::disk::scratch::path;
    use crate::report::findings::{Finding, Findings, tests::example};

    #[test]
    fn a_heading_and_a_list() {
        let expected = "\
### tidegate check: 1 error, 1 warning, 1 note

- **error** `unreachable` `shop/services/orders/gap/gap_routes.yaml:3:3`: production: 100 % of `web`, \\[see\\](x): 50%\\\\u{202e}\\\\r\\\\n
  - make it 2 commits, one: \\*a\\*, two: b
- **warning** `drift` `shop/services/orders/gap/gap_routes.yaml:4:5`: five
- **note** `no-release` `services/orders`: no release here
";
        assert_eq!(example().markdown(), expected);
        assert_eq!(
            Findings::new("").markdown(),
            "### tidegate check: nothing found\n"
        );
    }

    #[test]
    fn text_of_the_input_stays_text() {
        let cases = [
            (
                "a | b <img> @team #1",
                "a \\| b \\<img\\> <code>@</code>team \\#1",
            ),
            ("`a|<b>` c_d", "`a|<b>` c\\_d"),
            ("one ` of `two` *", "one ` of `two\\` \\*"),
            ("`` <b>", "\\`\\` \\<b\\>"),
            ("plain", "plain"),
        ];
        for (text, expected) in cases {
            assert_eq!(prose(text), expected);
        }
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
    }

    #[test]
    fn what_is_too_long_for_a_comment_is_counted() {
        let findings = (0..2000).map(|index| Finding {
            application: path("gap"),
            environment: None,
            diagnostic: Diagnostic::error(Code::Drift, format!("{index} {}", "x".repeat(50))),
        });
        let mut all = Findings::new("");
        all.add(findings, &|_: &RepoPath| None);
        let text = all.markdown();
        assert!(text.len() < 65_536, "{}", text.len());
        let shown = text.lines().filter(|line| line.starts_with("- **")).count();
        assert!(text.ends_with(&format!(
            "- and {} more: `tidegate check` lists them\n",
            2000 - shown
        )));
    }
}
