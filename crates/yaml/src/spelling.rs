//! How a single scalar is written so that every reader gets it back: plain, quoted or as a block of lines.
//!
//! A string is plain only if readers of YAML 1.1 and 1.2 agree that it is that string; when in doubt it is quoted.
//! Source: YAML 1.2.2 sections 7.3 and 10.3, the type repository of YAML 1.1, and `resolve.go` of go-yaml v2 and v3.

use serde_json::Value;

use crate::{
    number,
    resolve::{Reader, is_timestamp, resolve},
};

/// Where a scalar stands: brackets forbid more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Block,
    Flow,
    /// In brackets where all keys are double-quoted, as in JSON.
    Json,
}

/// A scalar on one line.
pub(crate) fn scalar(value: &Value, context: Context) -> String {
    let mut out = String::new();
    push_scalar(&mut out, value, context);
    out
}

pub(crate) fn push_scalar(out: &mut String, value: &Value, context: Context) {
    match value {
        Value::String(text) => push_string(out, text, context),
        Value::Number(number) => out.push_str(&number::spelled(number)),
        other => out.push_str(&other.to_string()),
    }
}

pub(crate) fn string(text: &str, context: Context) -> String {
    let mut out = String::new();
    push_string(&mut out, text, context);
    out
}

pub(crate) fn push_string(out: &mut String, text: &str, context: Context) {
    if is_plain(text, context) {
        out.push_str(text);
    } else {
        push_double(out, text);
    }
}

/// Whether a string can stand without quotes.
pub(crate) fn is_plain(text: &str, context: Context) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    let is_ordinary = |c: char| matches!(c, ' '..='~') || c.is_alphanumeric();
    if context == Context::Json || !text.chars().all(is_ordinary) {
        return false;
    }
    if b" ,[]{}#&*!|>'\"%@`?:".contains(first) || b" :".contains(last) {
        return false;
    }
    if *first == b'-' && bytes.get(1).is_none_or(|&second| second == b' ') {
        return false;
    }
    let ends_value = |pair: &[u8]| matches!(pair, b": " | b" #");
    if text.starts_with("---") || text.starts_with("...") || bytes.windows(2).any(ends_value) {
        return false;
    }
    if context == Context::Flow && bytes.iter().any(|byte| b",[]{}:".contains(byte)) {
        return false;
    }
    !is_special(text)
}

/// Whether some reader takes the text for something else than a string.
fn is_special(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<",
    ];
    const NUMBERS: [&str; 5] = [".inf", ".nan", "inf", "nan", "infinity"];
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is = |text: &str, words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(text, &WORDS) || is(unsigned, &NUMBERS) {
        return true;
    }
    let is_numeric = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    if !text.starts_with(is_numeric) {
        return false;
    }
    let readers = [Reader::Kubectl, Reader::Kustomize, Reader::Yaml12];
    let read_as_string = |text: &str| {
        readers
            .iter()
            .all(|&reader| matches!(resolve(text, reader), Ok(Value::String(_))))
    };
    // Underscores go anywhere for some readers, a range error makes a string only for some, and 1:30:00 is a number in base 60.
    let bare: String = unsigned.chars().filter(|&c| c != '_').collect();
    let bare = bare.to_ascii_lowercase();
    !read_as_string(text)
        || !read_as_string(&bare)
        || is_timestamp(text)
        || is_base_60(&bare)
        || is_float(&bare)
}

/// Digits in groups with colons, maybe with a fraction.
fn is_base_60(text: &str) -> bool {
    text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.'))
}

/// A float by its form, whatever its size.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole) && digits(fraction) && digits(exponent) && !(whole.is_empty() && fraction.is_empty())
}

/// A string in double quotes, on one line.
pub(crate) fn double(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_double(&mut out, text);
    out
}

fn push_double(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) <= 0xff => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
}

/// A string in single quotes, if it can be.
pub(crate) fn single(text: &str) -> Option<String> {
    let fits = text.chars().all(is_printable);
    fits.then(|| format!("'{}'", text.replace('\'', "''")))
}

/// Characters that stand raw in quotes and in block text: what YAML prints, less those that are line ends to some reader, change the direction
/// of text, or cannot be seen.
fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' => false,
        '\u{feff}' | '\u{fff0}'..='\u{ffff}' => false,
        '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{ffef}' => true,
        c if u32::from(c) >= 0x1_0000 => u32::from(c) & 0xfffe != 0xfffe,
        _ => false,
    }
}

/// The indicator of a block scalar that holds exactly this text, `|`, `|-` or `|+`; `None` if only quotes do.
pub(crate) fn block_indicator(text: &str) -> Option<&'static str> {
    if !text.contains('\n') {
        return None;
    }
    let content = text.trim_end_matches('\n');
    let clean =
        |line: &str| line.chars().all(|c| c == '\t' || is_printable(c)) && !line.ends_with([' ', '\t']);
    if content.is_empty() || content.starts_with([' ', '\t', '\n']) {
        return None;
    }
    if !content.split('\n').all(clean) {
        return None;
    }
    Some(match text.len() - content.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_only_where_all_readers_agree() {
        let plain = [
            "a",
            "nginx:1.2",
            "--flag=x",
            "/path",
            "1.2.3",
            "10.0.0.1",
            "100m",
            "128Mi",
            "50%",
            "$(VAR)",
            "it's",
            "a#b",
            "über",
            "日本",
            "a,b",
            "foo[0]",
            "8080/tcp",
            "3f2a1b",
            "v1",
            "_x",
            "~/x",
            "-x",
            "https://a.b/c?d=e",
            "a b",
        ];
        for text in plain {
            assert_eq!(string(text, Context::Block), text);
        }
        let quoted = [
            "",
            " a",
            "a ",
            "on",
            "Yes",
            "y",
            "N",
            "null",
            "~",
            "1",
            "-1",
            "+1",
            "0x1F",
            "0X1F",
            "0b1",
            "0o7",
            "012",
            "08",
            "1_000",
            "1__0",
            "0_7",
            "685_230.15",
            "1e3",
            "1e400",
            "1.",
            ".5",
            "1.10",
            "12:30",
            "1:30:00",
            "2024-01-01",
            "2024-1-1",
            "=",
            "<<",
            ".inf",
            "-.INF",
            ".nan",
            "nan",
            "Inf",
            "-infinity",
            "- a",
            "-",
            "? a",
            "a: b",
            "a:",
            "a #b",
            "#a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "'a",
            "\"a",
            "%a",
            "@a",
            "`a",
            "{a",
            "[a",
            "---",
            "--- a",
            "...",
            "a\tb",
            "a\u{7f}",
            "a\u{85}",
            "\u{feff}",
            "{{ x }}",
            "190:20:30.15",
            "tRue",
        ];
        for text in quoted {
            assert!(string(text, Context::Block).starts_with('"'), "{text:?}");
        }
        assert_eq!(string("a:b", Context::Flow), "\"a:b\"");
        assert_eq!(string("a,b", Context::Flow), "\"a,b\"");
        assert_eq!(string("a", Context::Json), "\"a\"");
    }

    #[test]
    fn escapes_are_read_by_all() {
        assert_eq!(
            double("a\"\\\n\t\r\u{0}\u{7f}\u{85}\u{2028}\u{202e}\u{e0001}ü😀"),
            r#""a\"\\\n\t\r\x00\x7F\x85\u2028\u202Eü😀""#.replace("\\u202E", "\\u202E\u{e0001}")
        );
    }

    #[test]
    fn blocks_only_where_exact() {
        for (text, expected) in [
            ("a\nb\n", Some("|")),
            ("a\nb", Some("|-")),
            ("a\n\n", Some("|+")),
            ("a\n\nb\n", Some("|")),
            ("a\n\tb\n", Some("|")),
            ("a", None),
            ("", None),
            ("\n", None),
            (" a\nb", None),
            ("\na\n", None),
            ("a \nb", None),
            ("a\r\nb", None),
            ("a\u{7}\n", None),
            ("a\n \nb\n", None),
        ] {
            assert_eq!(block_indicator(text), expected, "{text:?}");
        }
    }
}
