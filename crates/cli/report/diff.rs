//! A change set as a unified diff.
//!
//! [`patch`] is the product: `git apply` takes it and gives exactly the bytes that writing would. Nothing is
//! masked or escaped there, Secrets included, because a patch with masked lines does not apply and would
//! otherwise put the mask into the repository. [`render`] is for eyes: values of Secrets are masked and what
//! would steer a terminal is replaced, so it need not apply.

use std::ops::Range;

use anstyle::{AnsiColor, Style};
use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};
use tidegate_core::change::{ChangeSet, FileChange};
use tidegate_yaml::Stream;

use super::{Color, is_hostile, secret};

const CONTEXT: usize = 3;
const MASK: &str = "<masked>";

/// The change set as a patch, byte for byte what `git apply` needs.
///
/// Shape: files in path order, new files with mode 100644, paths quoted where git quotes them.
pub(crate) fn patch(changes: &ChangeSet) -> String {
    let mut patch = String::new();
    for change in changes.iter() {
        file_lines(change, &mut |_, line, _| patch.push_str(line));
    }
    patch
}

/// The change set for a person at a terminal or in a log: Secrets masked, control characters replaced.
pub(crate) fn render(changes: &ChangeSet, color: Color) -> String {
    let mut shown = String::new();
    for change in changes.iter() {
        let (before, after) = (hidden(&change.before), hidden(&change.after));
        file_lines(change, &mut |line_kind, line, place| {
            let is_hidden = match place {
                Some(Side::Before(span)) => is_touched(&before, &span),
                Some(Side::After(span)) => is_touched(&after, &span),
                None => false,
            };
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = match is_hidden {
                true => masked(line),
                false => line
                    .chars()
                    .map(|char| {
                        if char != '\t' && is_hostile(char) {
                            '\u{fffd}'
                        } else {
                            char
                        }
                    })
                    .collect(),
            };
            let style = line_kind.style();
            match color {
                Color::Always if style != Style::new() => {
                    shown.push_str(&format!("{style}{line}{style:#}\n"))
                }
                _ => shown.push_str(&format!("{line}\n")),
            }
        });
    }
    shown
}

/// What a line of a diff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Header,
    Hunk,
    Context,
    Removed,
    Added,
}

impl Line {
    fn style(self) -> Style {
        match self {
            Self::Header => Style::new().bold(),
            Self::Hunk => AnsiColor::Cyan.on_default(),
            Self::Context => Style::new(),
            Self::Removed => AnsiColor::Red.on_default(),
            Self::Added => AnsiColor::Green.on_default(),
        }
    }
}

/// Where a line of a diff comes from, in bytes of that text.
enum Side {
    Before(Range<usize>),
    After(Range<usize>),
}

type Emit<'a> = &'a mut dyn FnMut(Line, &str, Option<Side>);

fn file_lines(change: &FileChange, emit: Emit<'_>) {
    let path = change.path.as_str();
    let (old, new) = (quoted("a/", path), quoted("b/", path));
    emit(Line::Header, &format!("diff --git {old} {new}\n"), None);
    if change.before.is_none() {
        emit(Line::Header, "new file mode 100644\n", None);
    }
    if change.after.is_none() {
        emit(Line::Header, "deleted file mode 100644\n", None);
    }
    let before = Lines::of(change.before.as_deref().unwrap_or_default());
    let after = Lines::of(change.after.as_deref().unwrap_or_default());
    let operations = capture_diff_slices(Algorithm::Myers, &before.lines, &after.lines);
    let hunks = group_diff_ops(operations, CONTEXT);
    let hunks: Vec<_> = hunks
        .iter()
        .filter(|hunk| hunk.iter().any(|operation| !is_equal(operation)))
        .collect();
    if hunks.is_empty() {
        return;
    }
    // A name with a blank ends with a tab here, as git writes it, or the reader would take what follows for a date.
    let end = if path.contains(' ') && !old.starts_with('"') {
        "\t\n"
    } else {
        "\n"
    };
    let side = |name: &str, is_there: bool| {
        if is_there {
            format!("{name}{end}")
        } else {
            "/dev/null\n".to_owned()
        }
    };
    emit(
        Line::Header,
        &format!("--- {}", side(&old, change.before.is_some())),
        None,
    );
    emit(
        Line::Header,
        &format!("+++ {}", side(&new, change.after.is_some())),
        None,
    );
    for hunk in hunks {
        hunk_lines(hunk, &before, &after, emit);
    }
}

fn hunk_lines(hunk: &[DiffOp], before: &Lines<'_>, after: &Lines<'_>, emit: Emit<'_>) {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else {
        return;
    };
    let old = numbers(first.old_range().start..last.old_range().end);
    let new = numbers(first.new_range().start..last.new_range().end);
    emit(Line::Hunk, &format!("@@ -{old} +{new} @@\n"), None);
    for operation in hunk {
        if is_equal(operation) {
            before.emit(operation.old_range(), Line::Context, Side::Before, emit);
        } else {
            before.emit(operation.old_range(), Line::Removed, Side::Before, emit);
            after.emit(operation.new_range(), Line::Added, Side::After, emit);
        }
    }
}

fn is_equal(operation: &DiffOp) -> bool {
    matches!(operation, DiffOp::Equal { .. })
}

/// Lines of a hunk as its header counts them: an empty range names the line before it.
fn numbers(range: Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        count => format!("{},{count}", range.start + 1),
    }
}

/// A text in lines, ended by line feeds alone as git sees them: a carriage return belongs to its line.
struct Lines<'a> {
    lines: Vec<&'a str>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let begin = |at: &mut usize, line: &&str| {
            let start = *at;
            *at += line.len();
            Some(start)
        };
        let starts = lines.iter().scan(0, begin).collect();
        Self { lines, starts }
    }

    fn emit(&self, range: Range<usize>, kind: Line, side: fn(Range<usize>) -> Side, emit: Emit<'_>) {
        let mark = match kind {
            Line::Removed => '-',
            Line::Added => '+',
            _ => ' ',
        };
        for index in range {
            let (line, start) = (self.lines[index], self.starts[index]);
            let end = if line.ends_with('\n') { "" } else { "\n" };
            emit(
                kind,
                &format!("{mark}{line}{end}"),
                Some(side(start..start + line.len())),
            );
            if !end.is_empty() {
                emit(Line::Context, "\\ No newline at end of file\n", None);
            }
        }
    }
}

/// A path as git writes it in a diff: in quotes, with octal bytes, where it holds anything unusual.
///
/// Source: git-config(1), `core.quotePath`; set to false there, other letters than ASCII stay.
fn quoted(prefix: &str, path: &str) -> String {
    let is_unusual = |char: char| is_hostile(char) || matches!(char, '"' | '\\');
    if !path.contains(is_unusual) {
        return format!("{prefix}{path}");
    }
    let mut quoted = format!("\"{prefix}");
    for char in path.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if is_hostile(char) => {
                let mut bytes = [0; 4];
                quoted.extend(
                    char.encode_utf8(&mut bytes)
                        .bytes()
                        .map(|byte| format!("\\{byte:03o}")),
                );
            }
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

fn hidden(text: &Option<String>) -> Vec<Range<usize>> {
    let Some(text) = text else { return Vec::new() };
    secret::hidden(text, Stream::parse(text.clone()).ok().as_ref())
}

fn is_touched(hidden: &[Range<usize>], line: &Range<usize>) -> bool {
    hidden
        .iter()
        .any(|hidden| hidden.start < line.end && line.start < hidden.end)
}

/// A line of a Secret, of which nothing is shown: a key may be a line of a value in a block scalar.
fn masked(line: &str) -> String {
    let (mark, text) = line.split_at(line.len().min(1));
    match text.trim_ascii() {
        "" => mark.to_owned(),
        text if text.starts_with("---") => format!("{mark}---"),
        _ => format!("{mark}{MASK}"),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::disk::scratch::{Scratch, changes};

    /// Applies the patch with git to the tree before, and compares with the tree after.
    fn check(files: &[(&str, Option<&str>, Option<&str>)]) {
        let (before, after) = (Scratch::new(), Scratch::new());
        for (path, old, new) in files {
            old.iter().for_each(|text| before.put(path, text));
            new.iter().for_each(|text| after.put(path, text));
        }
        let patch = patch(&changes(files));
        let file = Scratch::with(&[("patch", &patch)]);
        let mut git = Command::new("git");
        // As with the shipped configuration of git, whatever the machine's says.
        git.env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CEILING_DIRECTORIES", before.path().parent().unwrap());
        git.args(["apply", "--whitespace=nowarn"])
            .arg(file.path().join("patch"))
            .current_dir(before.path());
        let output = git.output().unwrap();
        if patch.is_empty() {
            return assert_eq!(before.tree(), after.tree());
        }
        assert!(
            output.status.success(),
            "{}\n{patch}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(before.tree(), after.tree(), "{patch}");
    }

    /// Lines that repeat, so that texts share some, with every kind of end.
    fn text() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "a: 1",
            "b: 2",
            "  - c",
            "",
            "\\ No newline",
            "--- x",
            "ü\rx",
            "\t",
            "@@ -1 +1 @@",
        ]);
        let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n"]);
        let lines = prop::collection::vec((line, end), 0..24);
        (lines, any::<bool>()).prop_map(|(lines, is_ended)| {
            let text: String = lines.iter().map(|(line, end)| format!("{line}{end}")).collect();
            if is_ended {
                text
            } else {
                text.trim_end_matches('\n').to_owned()
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn git_applies_the_patch_byte_for_byte(
            one in (prop::option::of(text()), prop::option::of(text())),
            two in (text(), text()),
        ) {
            check(&[("gap/a b.yaml", one.0.as_deref(), one.1.as_deref()), ("z", Some(&two.0), Some(&two.1))]);
        }
    }

    #[test]
    fn unusual_names_and_empty_files_apply() {
        for name in [
            "plain",
            "with blank",
            "ümlaut",
            "quo\"te",
            "back\\slash",
            "a\nb",
            "tab\t",
            "bidi\u{202e}x",
            "dir/é f",
        ] {
            check(&[(name, Some("a\n"), Some("b\n"))]);
            check(&[(name, None, Some("b"))]);
            check(&[(name, Some("a\n"), None)]);
            check(&[(name, None, Some(""))]);
            check(&[(name, Some(""), None)]);
            check(&[(name, Some(""), Some("a\r\n"))]);
        }
    }

    #[test]
    fn a_name_with_a_blank_ends_with_a_tab_as_in_git() {
        let shown = patch(&changes(&[("a b", Some("1\n"), Some("2\n"))]));
        assert!(
            shown.starts_with("diff --git a/a b b/a b\n--- a/a b\t\n+++ b/a b\t\n@@"),
            "{shown}"
        );
    }

    #[test]
    fn a_patch_looks_as_git_prints_it() {
        let files = [
            ("gap/a.yaml", Some("a\nb\nc\nd\ne\n"), Some("a\nb\nc\nd\nE")),
            ("gap/b.yaml", None, Some("x\n")),
            ("gap/c.yaml", Some("y\n"), None),
        ];
        let expected = "\
diff --git a/gap/a.yaml b/gap/a.yaml
--- a/gap/a.yaml
+++ b/gap/a.yaml
@@ -2,4 +2,4 @@
 b
 c
 d
-e
+E
\\ No newline at end of file
diff --git a/gap/b.yaml b/gap/b.yaml
new file mode 100644
--- /dev/null
+++ b/gap/b.yaml
@@ -0,0 +1 @@
+x
diff --git a/gap/c.yaml b/gap/c.yaml
deleted file mode 100644
--- a/gap/c.yaml
+++ /dev/null
@@ -1 +0,0 @@
-y
";
        assert_eq!(patch(&changes(&files)), expected);
        assert_eq!(render(&changes(&files), Color::Never), expected);
    }

    #[test]
    fn what_people_see_has_no_secrets_and_no_terminal_sequences() {
        let old = "kind: Secret\nstringData:\n  a: |\n    s3cr3t: 1\n---\nkind: Service\nname: a\n";
        let new = old.replace("s3cr3t: 1", "s3cr3t: 2");
        let files = [
            ("x.yaml", Some(old), Some(new.as_str())),
            ("y", Some("name: a\n"), Some("name: \u{1b}[31mb\n")),
        ];
        let shown = render(&changes(&files), Color::Never);
        assert!(!shown.contains("s3cr3t") && !shown.contains('\u{1b}'), "{shown}");
        assert!(
            shown.contains("-<masked>\n+<masked>\n") && shown.contains("+name: \u{fffd}[31mb\n"),
            "{shown}"
        );
    }

    #[test]
    fn colours_mark_what_changes() {
        let shown = render(&changes(&[("x", Some("a\n"), Some("b\n"))]), Color::Always);
        assert!(
            shown.contains("\u{1b}[31m-a\u{1b}[0m\n\u{1b}[32m+b\u{1b}[0m\n"),
            "{shown:?}"
        );
    }
}
