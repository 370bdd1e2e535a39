//! The pages of `tidegate explain`: one for each diagnostic code, written by hand in `explain/<code>.md`.

use tidegate_core::diagnostic::Code;

/// One line for each code; the match makes the compiler ask for the page of a new one.
macro_rules! pages {
    ($($code:ident = $name:literal,)+) => {
        /// The page of a code, as Markdown that reads well on a terminal.
        ///
        /// Shape: a heading with the code, its description, and the sections `What it means`, `Why it matters`,
        /// `Example`, `How to proceed`.
        pub(crate) fn page(code: Code) -> &'static str {
            match code { $(Code::$code => include_str!(concat!("explain/", $name, ".md")),)+ }
        }

        #[cfg(test)]
        const FILES: &[(Code, &str)] = &[$((Code::$code, $name),)+];
    };
}

pages! {
    ApiVersionAlias = "api-version-alias",
    AmbiguousRelease = "ambiguous-release",
    AmbiguousPhase = "ambiguous-phase",
    BrokenBefore = "broken-before",
    CanaryImpossible = "canary-impossible",
    CannotCopy = "cannot-copy",
    CannotEdit = "cannot-edit",
    ContestedHost = "contested-host",
    ContestedObject = "contested-object",
    ContestedService = "contested-service",
    ContestedTarget = "contested-target",
    ContestedWeight = "contested-weight",
    DeadRule = "dead-rule",
    Denied = "denied",
    DuplicateObject = "duplicate-object",
    Drift = "drift",
    EnvironmentsDisagree = "environments-disagree",
    EnvironmentSpec = "environment-spec",
    Exposed = "exposed",
    FileExtension = "file-extension",
    ForeignPods = "foreign-pods",
    ImmutableSelector = "immutable-selector",
    IncompleteCopy = "incomplete-copy",
    InvalidValue = "invalid-value",
    InvalidName = "invalid-name",
    InvalidYaml = "invalid-yaml",
    LimitReached = "limit-reached",
    MovingPin = "moving-pin",
    NotAllowed = "not-allowed",
    NotCheckedOut = "not-checked-out",
    NotSent = "not-sent",
    NothingRendered = "nothing-rendered",
    NotInThisPhase = "not-in-this-phase",
    NotJudged = "not-judged",
    NoApplication = "no-application",
    NoRelease = "no-release",
    AccidentalSelection = "accidental-selection",
    Overloaded = "overloaded",
    PatchFailed = "patch-failed",
    PatchWithoutTarget = "patch-without-target",
    ProtectedCopy = "protected-copy",
    RoundedShare = "rounded-share",
    TemplateFailed = "template-failed",
    OrphanedRule = "orphaned-rule",
    OutsideRepository = "outside-repository",
    SearchCut = "search-cut",
    Uncommitted = "uncommitted",
    Undone = "undone",
    UnknownName = "unknown-name",
    UnknownKey = "unknown-key",
    Unreachable = "unreachable",
    Unreadable = "unreadable",
    UnsupportedRoute = "unsupported-route",
    Unsupported = "unsupported",
    Withdrawn = "withdrawn",
    WrongType = "wrong-type",
}

/// Every code with its description, one a line.
pub(crate) fn overview() -> String {
    let longest = Code::ALL.iter().map(|code| code.as_str().len()).max();
    let width = longest.unwrap_or_default();
    let line = |code: &Code| format!("{:width$}  {}\n", code.as_str(), code.description());
    Code::ALL.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use clap::Parser;
    use tidegate_yaml::Stream;

    use super::*;
    use crate::args::Cli;

    /// The lines of the fenced blocks of one language.
    fn blocks(page: &str, language: &str) -> Vec<String> {
        let opening = format!("```{language}\n");
        let parts = page.split(opening.as_str()).skip(1);
        parts
            .map(|part| part.split("```").next().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        assert_eq!(FILES.len(), Code::ALL.len());
        for (code, name) in FILES {
            assert_eq!(code.as_str(), *name);
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/cli/explain");
        let files = std::fs::read_dir(folder).expect("the folder of the pages");
        let files: BTreeSet<String> = files
            .map(|file| file.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        let wanted: BTreeSet<String> = FILES.iter().map(|(_, name)| format!("{name}.md")).collect();
        assert_eq!(files, wanted);
    }

    #[test]
    fn every_page_says_the_same_things_in_the_same_order() {
        for code in Code::ALL {
            let name = code.as_str();
            let page = page(*code);
            let text = page.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                text.starts_with(&format!("# {name} {} ## What it means ", code.description())),
                "{name}: {text}"
            );
            let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
            let wanted = [
                "## What it means",
                "## Why it matters",
                "## Example",
                "## How to proceed",
            ];
            assert_eq!(headings, wanted, "{name}");
            let count = page.lines().count();
            assert!((15..=42).contains(&count), "{name} has {count} lines");
            for line in page.lines() {
                assert!(
                    line.chars().count() <= 80 && !line.ends_with(' '),
                    "{name}: {line}"
                );
            }
        }
    }

    #[test]
    fn the_examples_are_yaml_and_the_commands_are_those_of_the_command_line() {
        for code in Code::ALL {
            let (name, page) = (code.as_str(), page(*code));
            for example in blocks(page, "yaml") {
                if let Err(error) = Stream::parse(example.clone()) {
                    panic!("{name}: {error}\n{example}");
                }
            }
            let console = blocks(page, "console");
            let lines = console.iter().flat_map(|block| block.lines());
            let shown = lines.map(|line| {
                line.strip_prefix("$ ")
                    .unwrap_or_else(|| panic!("{name}: {line}"))
            });
            let mentioned = page.split('`').filter(|span| span.starts_with("tidegate "));
            for command in shown.chain(mentioned) {
                if let Err(error) = Cli::try_parse_from(command.split_whitespace()) {
                    panic!("{name}: {command}\n{error}");
                }
            }
        }
    }

    #[test]
    fn the_overview_has_one_line_for_each_code() {
        let overview = overview();
        assert_eq!(overview.lines().count(), Code::ALL.len());
        let line = overview.lines().find(|line| line.starts_with("unreachable "));
        assert!(line.is_some_and(|line| line.ends_with(Code::Unreachable.description())));
    }
}
