//! The documents of a text, by lines.
//!
//! YAML forbids a line that starts with `---` or `...` followed by white space inside any scalar (production `c-forbidden`, YAML
//! 1.2.2 section 9.1.2), so documents can be told apart before anything else is read. The regions found tile the text
//! behind a byte order mark; each can be read, and read again after an edit, without the others.

use std::ops::Range;

/// One document's part of the text; all offsets count in the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) span: Range<usize>,
    /// Start of the line with `---`, if there is one.
    pub(crate) marker: Option<usize>,
    /// Start of the line with `...` that ends the document, if there is one.
    pub(crate) end_marker: Option<usize>,
    /// Whether a `%` directive stands before the `---`.
    pub(crate) directives: bool,
}

/// Offset behind the line that `at` is in, its line end included.
pub(crate) fn next_line(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    match bytes[at..].iter().position(|&b| b == b'\n' || b == b'\r') {
        None => text.len(),
        Some(n) if bytes[at + n] == b'\r' && bytes.get(at + n + 1) == Some(&b'\n') => at + n + 2,
        Some(n) => at + n + 1,
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Cuts a text into its documents; there is always at least one, the last may be empty.
pub(crate) fn split(text: &str) -> Vec<Region> {
    let mut regions = Vec::new();
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let new = |at| Region {
        span: at..at,
        marker: None,
        end_marker: None,
        directives: false,
    };
    let mut region = new(start);
    // Before the first content of a document only comments, blank lines and directives may stand before its `---`.
    let mut prefix = true;
    // Behind `...`, what follows starts another document only if it is more than comments.
    let mut ended: Option<Region> = None;
    let mut at = start;
    while at < text.len() {
        let next = next_line(text, at);
        let line = &text[at..next];
        let bare = line.trim_start_matches([' ', '\t']);
        let trivial = bare.is_empty() || bare.starts_with(['#', '\n', '\r']);
        if is_marker(line, "---") {
            if let Some(mut before) = ended.take() {
                // Comments between `...` and `---` stay with what came before, directives do not.
                if !region.directives {
                    before.span.end = at;
                    region = new(at);
                }
                regions.push(before);
            }
            if !prefix {
                region.span.end = at;
                regions.push(std::mem::replace(&mut region, new(at)));
            }
            region.marker = Some(at);
            prefix = false;
        } else if is_marker(line, "...") {
            if prefix {
                // Nothing was begun: the line belongs to what came before, or to an empty first document.
                region.end_marker = Some(at);
                if let Some(before) = ended.take() {
                    region = Region {
                        end_marker: before.end_marker,
                        ..before
                    };
                }
            } else {
                region.end_marker = Some(at);
            }
            region.span.end = next;
            ended = Some(std::mem::replace(&mut region, new(next)));
            prefix = true;
        } else if prefix && line.starts_with('%') {
            region.directives = true;
        } else if prefix && !trivial {
            regions.extend(ended.take());
            prefix = false;
        }
        at = next;
    }
    region.span.end = text.len();
    match ended {
        // Comments behind a last `...` start no further document, unless directives promise one.
        Some(mut last) if prefix && !region.directives => {
            last.span.end = text.len();
            regions.push(last);
        }
        other => {
            regions.extend(other);
            regions.push(region);
        }
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let regions = split(text);
        let parts: Vec<&str> = regions.iter().map(|region| &text[region.span.clone()]).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn regions_tile_the_text() {
        check("", &[""]);
        check("# only\n", &["# only\n"]);
        check("a: 1", &["a: 1"]);
        check("\u{feff}a: 1", &["a: 1"]);
        check("---\n", &["---\n"]);
        check("---\n---\n", &["---\n", "---\n"]);
        check("# c\n---\na\n---\nb\n", &["# c\n---\na\n", "---\nb\n"]);
        check("a\n...\n# c\n", &["a\n...\n# c\n"]);
        check("a\n...\n# c\n---\nb\n", &["a\n...\n# c\n", "---\nb\n"]);
        check("a\n...\n# c\nb\n", &["a\n...\n", "# c\nb\n"]);
        check(
            "a\n...\n%YAML 1.2\n---\nb\n",
            &["a\n...\n", "%YAML 1.2\n---\nb\n"],
        );
        check("a\n...\nb\n...\n", &["a\n...\n", "b\n...\n"]);
        check("a\n...\n...\n...\nb\n", &["a\n...\n...\n...\n", "b\n"]);
        check("...\na\n", &["...\n", "a\n"]);
        check("----\n--- a\n---b\n", &["----\n", "--- a\n---b\n"]);
        check("a: |\n  ---\n---\r\nb\r\n", &["a: |\n  ---\n", "---\r\nb\r\n"]);
        check("a\r---\rb", &["a\r", "---\rb"]);
    }
}
