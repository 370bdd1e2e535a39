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

/// A line of a Secret: its mark and, where it has one, its key stay.
fn masked(line: &str) -> String {
    let is_key = |key: &str| {
        !key.is_empty()
            && key
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || "-_./".contains(char))
    };
    let (mark, text) = line.split_at(line.len().min(1));
    let indent = &text[..text.len() - text.trim_start_matches(' ').len()];
    match text.trim_start_matches(' ').split_once(':') {
        Some((key, rest)) if is_key(key) && (rest.trim().is_empty()) => format!("{mark}{indent}{key}:"),
        Some((key, rest)) if is_key(key) && rest.starts_with(' ') => format!("{mark}{indent}{key}: {MASK}"),
        _ if text.trim().is_empty() => mark.to_owned(),
        _ => format!("{mark}{indent}{MASK}"),
    }
}
