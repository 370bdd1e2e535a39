//! Diagnostics for people: the compiler's form, and one line each.
//!
//! Places are looked up here and nowhere else: a diagnostic names a pointer, the reader sees line, column and
//! the line itself. Lines of Secrets are not quoted, and what might be one is treated as one.

pub(super) mod source;

use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use tidegate_core::diagnostic::{Diagnostic, Place, Severity};
use tidegate_core::repo::RepoPath;
use tidegate_yaml::Stream;

use super::{Color, escape};
use source::{Sources, Spot};

/// The files that diagnostics speak of.
pub(crate) trait Files {
    /// The text of a file; `None` where it cannot be read.
    fn text(&self, file: &RepoPath) -> Option<String>;

    /// The file as it was parsed, where it was: then it is not parsed again.
    fn parsed(&self, file: &RepoPath) -> Option<Arc<Stream>> {
        let _ = file;
        None
    }

    /// What a person calls the file: its path in the repository, unless they named it otherwise.
    fn name(&self, file: &RepoPath) -> String {
        file.to_string()
    }
}

impl<F: Fn(&RepoPath) -> Option<String>> Files for F {
    fn text(&self, file: &RepoPath) -> Option<String> {
        self(file)
    }
}

/// The diagnostics in the compiler's form: code, message, place, the line, related places, what to do.
pub(crate) fn render(diagnostics: &[Diagnostic], files: &dyn Files, color: Color) -> String {
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    };
    let mut sources = Sources::new(files);
    let mut report = String::new();
    for diagnostic in diagnostics {
        report.push_str(&renderer.render(&groups(diagnostic, &mut sources)));
        report.push_str("\n\n");
    }
    report
}

/// The most lines that are shown where only a few fit, and the most characters of one.
const MOST_LINES: usize = 10;
const LONGEST: usize = 600;

/// The diagnostics in one line each, for a place that shows a few plain lines:
/// `file:line:column: error[code]: message (what to do)`.
///
/// Shape: ten lines at most, then how many there are beside; a line that is too long ends in `…`.
pub(crate) fn render_lines(diagnostics: &[Diagnostic], files: &dyn Files) -> String {
    let mut sources = Sources::new(files);
    let shown = diagnostics.iter().take(MOST_LINES);
    let mut report: String = shown
        .map(|diagnostic| cut(&line(diagnostic, &mut sources), LONGEST) + "\n")
        .collect();
    if diagnostics.len() > MOST_LINES {
        report.push_str(&format!("and {} more\n", diagnostics.len() - MOST_LINES));
    }
    report
}

fn line(diagnostic: &Diagnostic, sources: &mut Sources<'_>) -> String {
    let mut line = String::new();
    if let Some(location) = &diagnostic.location {
        let spot = match &location.place {
            // Nothing is quoted, so a file that could not be read need not be read again.
            Place::File => Spot::default(),
            Place::Position(position) => Spot::at(*position),
            Place::Key(..) | Place::Value(..) => sources.spot(location),
        };
        line.push_str(&escape(&sources.name(&location.file)));
        if let Some((number, column)) = spot.position {
            line.push_str(&format!(":{number}:{column}"));
        }
        line.push_str(": ");
    }
    let severity = name(diagnostic.severity);
    let message = escape(&diagnostic.message);
    line.push_str(&format!("{severity}[{}]: {message}", diagnostic.code.as_str()));
    if !diagnostic.hints.is_empty() {
        line.push_str(&format!(" ({})", escape(&diagnostic.hints.join("; "))));
    }
    line
}

/// The most characters of one text in the compiler's form.
const LONGEST_TEXT: usize = 2000;

fn harmless(text: &str) -> String {
    cut(&escape(text), LONGEST_TEXT)
}

fn cut(line: &str, most: usize) -> String {
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// How much it weighs, in one word.
pub(super) fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn groups<'a>(diagnostic: &Diagnostic, sources: &mut Sources<'_>) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level
        .primary_title(harmless(&diagnostic.message))
        .id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);
    if let Some(location) = &diagnostic.location {
        group = with_spot(group, sources.spot(location), AnnotationKind::Primary, None);
    }
    for (location, label) in &diagnostic.related {
        let label = harmless(label);
        group = with_spot(
            group,
            sources.spot(location),
            AnnotationKind::Context,
            Some(label),
        );
    }
    for hint in &diagnostic.hints {
        group = group.element(Level::HELP.message(harmless(hint)));
    }
    vec![group]
}

fn with_spot<'a>(group: Group<'a>, spot: Spot, kind: AnnotationKind, label: Option<String>) -> Group<'a> {
    let path = escape(&spot.file).into_owned();
    if let (Some(excerpt), Some((line, _))) = (spot.excerpt, spot.position) {
        let annotation: Annotation<'a> = kind.span(excerpt.span).label(label);
        return group.element(
            Snippet::source(excerpt.line)
                .line_start(line)
                .path(path)
                .annotation(annotation),
        );
    }
    let origin = match spot.position {
        Some((line, column)) => Origin::path(path).line(line).char_column(column),
        None => Origin::path(path),
    };
    let group = group.element(origin);
    match label {
        Some(label) => group.element(Level::NOTE.message(label)),
        None => group,
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::diagnostic::{Code, Location};
    use tidegate_yaml::Position;

    use super::*;
    use crate::disk::scratch::path;
    use crate::report::is_hostile;

    fn show_all(diagnostics: &[Diagnostic], files: &[(&str, &str)]) -> String {
        let text_of = |wanted: &RepoPath| {
            files
                .iter()
                .find(|(name, _)| *name == wanted.as_str())
                .map(|(_, text)| (*text).to_owned())
        };
        render(diagnostics, &text_of, Color::Never) + &render_lines(diagnostics, &text_of)
    }

    fn weight_at(file: &str) -> Diagnostic {
        Diagnostic::error(Code::InvalidValue, "weights add up to 110 percent").at(Location::value(
            &path(file),
            0,
            &["spec", "weight"],
        ))
    }

    #[test]
    fn a_diagnostic_shows_its_lines_and_what_to_do() {
        let diagnostic = weight_at("gap/patch.yaml")
            .related(
                Location::key(&path("gap/gap.yaml"), 0, &["steps"]),
                "the steps are set here",
            )
            .hint("write `weight: 90`")
            .hint("or leave the weight out");
        let files = [
            (
                "gap/patch.yaml",
                "kind: VirtualService\nspec:\n  weight: 110 # too much\n",
            ),
            ("gap/gap.yaml", "steps: [1]\n"),
        ];
        let expected = "\
error[invalid-value]: weights add up to 110 percent
 --> gap/patch.yaml:3:11
  |
3 |   weight: 110 # too much
  |           ^^^
  |
 ::: gap/gap.yaml:1:1
  |
1 | steps: [1]
  | ----- the steps are set here
  |
  = help: write `weight: 90`
  = help: or leave the weight out

gap/patch.yaml:3:11: error[invalid-value]: weights add up to 110 percent (write `weight: 90`; or leave the weight out)
";
        assert_eq!(show_all(&[diagnostic], &files), expected);
    }

    #[test]
    fn lines_of_secrets_are_not_quoted() {
        let shown = show_all(
            &[weight_at("x")],
            &[("x", "kind: Secret\nspec:\n  weight: hunter2\n")],
        );
        assert!(shown.contains("x:3:11") && !shown.contains("hunter2"), "{shown}");
        let broken = Location {
            file: path("x"),
            place: Place::Position(Position { line: 2, column: 7 }),
        };
        let broken = [Diagnostic::error(Code::InvalidYaml, "no value").at(broken)];
        let shown = show_all(&broken, &[("x", "kind: Secret\ndata: {hunter2\n")]);
        assert!(shown.contains("x:2:7") && !shown.contains("hunter2"), "{shown}");
        let shown = show_all(&broken, &[("x", "name: orders\nnodes: {web\n")]);
        assert!(shown.contains("2 | nodes: {web"), "{shown}");
    }

    #[test]
    fn nothing_from_the_input_steers_the_terminal() {
        let diagnostic = Diagnostic::warning(Code::UnknownKey, "key \u{1b}[31mred\nerror: forged")
            .at(Location::value(&path("a\u{202e}b"), 0, &["a"]))
            .hint("remove \u{9b}it");
        let shown = show_all(
            &[diagnostic],
            &[("a\u{202e}b", "\u{feff}a: 'x\u{85}\u{200f}\u{2066}y'\n")],
        );
        let hostile: String = shown
            .chars()
            .filter(|char| *char != '\n' && is_hostile(*char))
            .collect();
        assert_eq!(hostile, "", "{shown}");
        assert!(!shown.lines().any(|line| line.starts_with("error")), "{shown}");
        assert!(shown.contains(":1:4") && shown.contains("1 | a: 'x"), "{shown}");
    }

    #[test]
    fn places_that_cannot_be_shown_are_still_named() {
        let cases = [
            (weight_at("missing.yaml"), "--> missing.yaml\n"),
            (weight_at("broken.yaml"), "--> broken.yaml\n"),
            (
                Diagnostic::note(Code::NoRelease, "x").at(Location::file(&path("a.yaml"))),
                "--> a.yaml\n",
            ),
            (
                Diagnostic::error(Code::InvalidYaml, "x").at(Location {
                    file: path("a.yaml"),
                    place: Place::Position(Position { line: 99, column: 3 }),
                }),
                "--> a.yaml:99:3\n",
            ),
        ];
        for (diagnostic, expected) in cases {
            let shown = show_all(&[diagnostic], &[("broken.yaml", "a: {\n"), ("a.yaml", "a: 1\n")]);
            assert!(shown.contains(expected), "{shown}");
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!(
            "spec: {{a: {}, weight: 110, b: {}}}\n",
            "x".repeat(1000),
            "y".repeat(1000)
        );
        let shown = show_all(&[weight_at("x")], &[("x", &text)]);
        assert!(
            shown.contains("weight: 110") && shown.lines().all(|line| line.len() < 200),
            "{shown}"
        );
        // Too long even to be cut: the place alone.
        let huge = format!("spec: {{a: {}, weight: 110}}\n", "x".repeat(1 << 20));
        let shown = show_all(&[weight_at("x")], &[("x", &huge)]);
        assert!(shown.contains("x:1:") && !shown.contains("weight:"), "{shown}");
    }

    #[test]
    fn lines_are_few_and_short() {
        let long = Diagnostic::error(Code::UnknownKey, "ü".repeat(10_000));
        let lines = render_lines(&vec![long; 12], &|_: &RepoPath| None);
        let lengths: Vec<usize> = lines.lines().map(|line| line.chars().count()).collect();
        assert_eq!(lengths[..10], [LONGEST + 1; 10]);
        assert_eq!(lines.lines().skip(10).collect::<Vec<_>>(), ["and 2 more"]);
    }

    #[test]
    fn a_value_of_many_lines_is_shown_by_its_first() {
        let diagnostic =
            Diagnostic::error(Code::WrongType, "x").at(Location::value(&path("x"), 0, &["spec"]));
        let shown = show_all(&[diagnostic], &[("x", "spec:\r\n  a: 1\r\n  b: 2\r\n")]);
        assert!(shown.contains("2 |   a: 1\n  |   ^^^^\n"), "{shown}");
    }
}
