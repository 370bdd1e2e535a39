//! Everything a person or a program reads: the only place that prints.
//!
//! Standard output carries the product only (a diff, manifests, JSON), standard error everything else. What
//! comes from the input is made harmless before it reaches a terminal ([`escape`]).

pub(crate) mod bars;
pub(crate) mod check;
pub(crate) mod diagnostic;
pub(crate) mod diff;
pub(crate) mod findings;
pub(crate) mod plan;
mod secret;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod transition;

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use crate::watch;

/// Whether text for people carries colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    /// Text alone.
    Never,
    /// Text with terminal sequences.
    Always,
}

impl Color {
    /// What the terminal behind a stream can show and the user wants (`NO_COLOR`, `CLICOLOR`, `TERM`).
    pub(crate) fn of(stream: &impl anstream::stream::RawStream) -> Self {
        match anstream::AutoStream::choice(stream) {
            anstream::ColorChoice::Never => Self::Never,
            _ => Self::Always,
        }
    }
}

/// Prints the product. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn product(text: &str) -> io::Result<()> {
    watch::stand_down();
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints what is for people. That nobody listens is no failure.
pub(crate) fn message(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Prints sentences for people, broken to fit a terminal; what goes on is indented under its line. Everywhere else a
/// line stays one line.
pub(crate) fn sentences(text: &str) {
    if !io::stderr().is_terminal() {
        return message(text);
    }
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
    for line in text.lines() {
        let indent = " ".repeat(line.len() - line.trim_start().len());
        let under = if indent.is_empty() {
            String::new()
        } else {
            format!("{indent}  ")
        };
        let options = textwrap::Options::new(width)
            .initial_indent(&indent)
            .subsequent_indent(&under)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        message(&format!("{}\n", textwrap::fill(line.trim_start(), options)));
    }
}

/// Columns of the terminal that standard output goes to; `None` for a pipe or a file.
pub(crate) fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    Some(terminal_size::terminal_size().map_or(80, |(width, _)| width.0.into()))
}

/// Says why the work could not be done, with everything that led to it.
pub(crate) fn failure(error: &anyhow::Error) {
    message(&failure_line(error));
}

/// Why the work could not be done, in one line.
pub(crate) fn failure_line(error: &anyhow::Error) -> String {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    format!("error: {}\n", escape(&chain.join(": ")))
}

/// Prints help, a version, or what is wrong with the command line, where each belongs.
pub(crate) fn usage(usage: &clap::Error) {
    // A closed pipe is no failure.
    let _ = usage.print();
}

/// The text in one line, without anything that steers a terminal or reorders what is read.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    match text.chars().any(is_hostile) {
        false => Cow::Borrowed(text),
        true => text
            .chars()
            .fold(String::new(), |mut escaped, char| {
                match is_hostile(char) {
                    true => escaped.extend(char.escape_default()),
                    false => escaped.push(char),
                }
                escaped
            })
            .into(),
    }
}

/// Control characters of C0 and C1, and the Unicode marks that reorder or hide text.
///
/// Source: Unicode Technical Report 36, section 2; CVE-2021-42574 ("Trojan Source").
pub(crate) fn is_hostile(char: char) -> bool {
    let is_mark = matches!(char, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}');
    char.is_control() || is_mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        let text = "a\u{1b}[2J\r\nb\u{9b}31m\u{202e}c\u{2066}ü\t";
        assert_eq!(escape(text), r"a\u{1b}[2J\r\nb\u{9b}31m\u{202e}c\u{2066}ü\t");
    }
}
