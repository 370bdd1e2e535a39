//! Small readers of raw text: what stands between nodes, and where a node's own text ends.

use crate::split::next_line;

/// Character numbers to byte offsets.
///
/// The parser counts characters. In ASCII text both are the same and no table is kept.
pub(crate) struct Chars(Option<Vec<u32>>, usize);

impl Chars {
    pub(crate) fn new(text: &str) -> Self {
        let table = || {
            let starts = text
                .char_indices()
                .map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX));
            starts.collect()
        };
        Self((!text.is_ascii()).then(table), text.len())
    }

    pub(crate) fn byte(&self, character: usize) -> usize {
        match &self.0 {
            None => character.min(self.1),
            Some(starts) => starts.get(character).map_or(self.1, |&start| start as usize),
        }
    }
}

/// The first character that must not stand raw in YAML: all control characters but tab and line ends.
pub(crate) fn control_character(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().position(|(at, &byte)| match byte {
        b'\t' | b'\n' | b'\r' => false,
        0..=0x1f | 0x7f => true,
        // U+0080 to U+009F, of which YAML allows U+0085 alone.
        0xc2 => bytes
            .get(at + 1)
            .is_some_and(|&next| (0x80..0xa0).contains(&next) && next != 0x85),
        // U+FFFE and U+FFFF.
        0xef => bytes[at..].starts_with(&[0xef, 0xbf, 0xbe]) || bytes[at..].starts_with(&[0xef, 0xbf, 0xbf]),
        _ => false,
    })
}

/// Moves over white space, line ends and comments.
pub(crate) fn skip_trivia(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
            Some(b'#') => at = next_line(text, at),
            _ => return at,
        }
    }
}

/// Start of the line that `at` is in.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    text.as_bytes()[..at]
        .iter()
        .rposition(|&b| b == b'\n' || b == b'\r')
        .map_or(0, |end| end + 1)
}

/// End of the line that `at` is in, before its line end.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    text.as_bytes()[at..]
        .iter()
        .position(|&b| b == b'\n' || b == b'\r')
        .map_or(text.len(), |n| at + n)
}

/// Moves over spaces and tabs.
pub(crate) fn skip_blanks(text: &str, at: usize) -> usize {
    at + text.as_bytes()[at..]
        .iter()
        .take_while(|&&b| b == b' ' || b == b'\t')
        .count()
}

/// End of an anchor's name.
pub(crate) fn anchor_end(text: &str, at: usize) -> usize {
    let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}' | '\u{feff}');
    text[at..].find(ends).map_or(text.len(), |n| at + n)
}

/// End of a tag which starts at `at`.
pub(crate) fn tag_end(text: &str, at: usize, in_flow: bool) -> usize {
    if text[at..].starts_with("!<") {
        return text[at..].find('>').map_or(text.len(), |n| at + n + 1);
    }
    let ends = |c: char| c.is_ascii_whitespace() || (in_flow && matches!(c, ',' | '[' | ']' | '{' | '}'));
    text[at..].find(ends).map_or(text.len(), |n| at + n)
}

/// Behind the closing quote of a scalar whose opening quote is at `at`.
pub(crate) fn quoted_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let quote = bytes.get(at).copied();
    let mut end = at + 1;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' if quote == Some(b'"') => end += 1,
            byte if Some(byte) == quote => {
                if quote != Some(b'\'') || bytes.get(end + 1) != Some(&b'\'') {
                    return end + 1;
                }
                end += 1;
            }
            _ => {}
        }
        end += 1;
    }
    bytes.len()
}

/// End of the header of a block scalar, `|2-`, which starts at `at`.
pub(crate) fn block_header(text: &str, at: usize) -> usize {
    let indicators = text.as_bytes()[at..]
        .iter()
        .skip(1)
        .take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-'));
    (at + 1 + indicators.count()).min(text.len())
}

/// Behind the last character of a block scalar's content; `header_end` if it has none.
///
/// `reached` is where the parser left it, which may be behind blank lines and the next line's indentation.
pub(crate) fn block_end(text: &str, header_end: usize, body: usize, reached: usize, decoded: &str) -> usize {
    if reached <= body || body <= header_end {
        return header_end;
    }
    let header = &text[..header_end];
    let keep = header
        .as_bytes()
        .iter()
        .rev()
        .take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-'))
        .any(|&b| b == b'+');
    let last_line = line_start(text, reached);
    let partial = text[last_line..reached].bytes().all(|b| b == b' ' || b == b'\t');
    let whole = if partial && reached < text.len() {
        last_line
    } else {
        reached
    };
    // A last line of white space alone may be content; the value tells.
    let blank_content = decoded.trim_end_matches('\n').ends_with([' ', '\t']);
    let end = if keep || blank_content {
        whole
    } else {
        text[..whole].trim_end_matches([' ', '\t', '\n', '\r']).len()
    };
    let end = if keep || blank_content {
        before_line_end(text, end)
    } else {
        end
    };
    if end <= body && !keep {
        header_end
    } else {
        end.max(header_end)
    }
}

fn before_line_end(text: &str, end: usize) -> usize {
    let part = &text[..end];
    let part = part
        .strip_suffix('\n')
        .map(|part| part.strip_suffix('\r').unwrap_or(part))
        .unwrap_or(part);
    part.len()
}

/// A copy of the text with the tabs before `at` replaced by spaces, if tabs stand there as separation.
///
/// In brackets, indentation by tabs is replaced on the lines that follow too, so that a file indented so throughout costs
/// few readings. Only lines that start with a tab qualify: such a line cannot be part of a block scalar inside a collection.
/// Outside of brackets, the lines that follow are treated alike as long as each is a plain word, a colon, a tab and nothing that
/// could start text of several lines.
pub(crate) fn untab(text: &str, at: usize, in_flow: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut copy = bytes.to_vec();
    let from = bytes[..at]
        .iter()
        .rposition(|&b| b != b'\t' && b != b' ')
        .map_or(0, |n| n + 1);
    let to = at
        + bytes[at..]
            .iter()
            .take_while(|&&b| b == b'\t' || b == b' ')
            .count();
    let before = from.checked_sub(1).map(|n| bytes[n]);
    let separation = matches!(before, Some(b':' | b'-' | b'?')) || in_flow;
    if !separation || !bytes[from..to].contains(&b'\t') {
        return None;
    }
    copy[from..to].fill(b' ');
    if in_flow {
        let mut line = next_line(text, to);
        while line < text.len() && bytes[line] == b'\t' {
            let content = skip_blanks(text, line);
            copy[line..content].fill(b' ');
            line = next_line(text, content);
        }
    } else if before == Some(b':') && !starts_text(&text[to..line_end(text, to)]) {
        let mut line = next_line(text, to);
        while let Some((from, to)) = tab_behind_key(text, line) {
            copy[from..to].fill(b' ');
            line = next_line(text, to);
        }
    }
    String::from_utf8(copy).ok()
}

/// Whether a line could start text that goes on in the next one.
fn starts_text(line: &str) -> bool {
    line.contains(['|', '>', '"', '\'', '[', '{'])
}

/// The blanks behind `key:` in a line that has nothing else than a plain value behind them.
fn tab_behind_key(text: &str, line: usize) -> Option<(usize, usize)> {
    let end = line_end(text, line);
    let content = skip_blanks(text, line);
    let key = text[content..end]
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || b"._-/".contains(b))
        .count();
    let colon = content + key;
    let behind = skip_blanks(text, (colon + 1).min(end));
    let fits = key > 0 && text[colon..].starts_with(":\t") && !starts_text(&text[behind..end]);
    fits.then_some((colon + 1, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trivia_ends_at_content() {
        assert_eq!(skip_trivia(" # c\n\t\r\n  a", 0), 10);
        assert_eq!(skip_trivia("a", 0), 0);
        assert_eq!(skip_trivia("# c", 0), 3);
    }

    #[test]
    fn control_characters_are_found() {
        for text in ["a\u{0}", "a\u{1b}", "a\u{7f}", "a\u{80}", "a\u{9f}", "a\u{ffff}"] {
            assert_eq!(control_character(text), Some(1), "{text:?}");
        }
        assert_eq!(control_character("\t\r\n \u{85}\u{a0}ä\u{fffd}😀\u{feff}"), None);
    }
}
