//! Findings that a person has looked at: a comment at their place says so, and why.
//!
//! ```yaml
//! # tidegate: ignore dead-rule because the next release uses it
//! ```
//!
//! The comment stands on the line of the finding or on the lines of comments right above it. It counts for one code; without
//! a reason it does not count.

use tidegate_yaml::Stream;

use crate::diagnostic::{Diagnostic, Place};

/// What a comment says of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Nothing.
    No,
    /// That it is known, and why.
    Yes,
    /// That it is known, but not why.
    WithoutReason,
}

const MARK: &str = "tidegate: ignore ";

/// What the comments of a file say of a finding in it.
pub fn ignored(diagnostic: &Diagnostic, text: &str) -> Ignored {
    if !text.contains(MARK) {
        return Ignored::No;
    }
    let Some(line) = line(diagnostic, text) else {
        return Ignored::No;
    };
    let lines: Vec<&str> = text.lines().collect();
    let above = lines[..line.min(lines.len())].iter().rev();
    let above = above.take_while(|line| line.trim_start().starts_with('#'));
    let said = lines.get(line).into_iter().chain(above);
    let said = said.filter_map(|line| {
        line.split_once('#')
            .and_then(|(_, comment)| comment.split_once(MARK))
    });
    for (_, what) in said {
        let (code, reason) = what.trim().split_once(' ').unwrap_or((what.trim(), ""));
        if code == diagnostic.code.as_str() {
            let reason = reason.trim_start().strip_prefix("because").unwrap_or_default();
            return match reason.trim().is_empty() {
                true => Ignored::WithoutReason,
                false => Ignored::Yes,
            };
        }
    }
    Ignored::No
}

/// The line of a finding, from 0.
fn line(diagnostic: &Diagnostic, text: &str) -> Option<usize> {
    let location = diagnostic.location.as_ref()?;
    match &location.place {
        Place::Position(position) => Some(position.line.saturating_sub(1)),
        Place::File => None,
        Place::Key(..) | Place::Value(..) => {
            let stream = Stream::parse(text.to_owned()).ok()?;
            let span = location.resolve(&stream)?;
            Some(text.get(..span.start)?.matches('\n').count())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Location};
    use crate::repo::RepoPath;

    fn check(text: &str, expected: Ignored) {
        let file = RepoPath::new("a.yaml").expect("a path");
        let found = Diagnostic::warning(Code::DeadRule, "dead").at(Location::key(&file, 0, &["b", "c"]));
        assert_eq!(ignored(&found, text), expected, "{text}");
    }

    #[test]
    fn a_comment_at_the_place_counts_if_it_says_why() {
        check("a: 1\nb:\n  c: 2\n", Ignored::No);
        check(
            "b:\n  c: 2 # tidegate: ignore dead-rule because it is kept\n",
            Ignored::Yes,
        );
        check(
            "b:\n  # tidegate: ignore dead-rule because it is kept\n  # for June\n  c: 2\n",
            Ignored::Yes,
        );
        check(
            "b:\n  # tidegate: ignore dead-rule\n  c: 2\n",
            Ignored::WithoutReason,
        );
        check(
            "b:\n  # tidegate: ignore dead-rule because\n  c: 2\n",
            Ignored::WithoutReason,
        );
        check(
            "b:\n  # tidegate: ignore drift because it is kept\n  c: 2\n",
            Ignored::No,
        );
        check(
            "# tidegate: ignore dead-rule because it is kept\nb:\n  c: 2\n",
            Ignored::No,
        );
    }
}
