//! What a plain scalar means: the rules of kustomize (go-yaml v3), with two neighbours to compare with.
//!
//! Takes the text of an unquoted scalar, gives a value. Three readers matter to Kubernetes files and do not agree, see [`Reader`];
//! values are always read as [`Reader::Kustomize`] does, with three exceptions which are written down at [`resolve`].

use serde_json::{Number, Value};

use crate::number;

/// Whose rules decide what a plain scalar means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reader {
    /// kubectl, Argo CD and the API server: `sigs.k8s.io/yaml`, derived from go-yaml v2. `on`, `yes`, `y` are booleans.
    Kubectl,
    /// kustomize: go-yaml v3. `on`, `yes`, `y` are strings; `0777` is octal, `1_000` a number, a date a time.
    Kustomize,
    /// The core schema of YAML 1.2: `0777` is 777, `1_000` and `0b11` are strings.
    Yaml12,
}

/// A scalar that JSON cannot hold: `.inf`, `.nan` and their spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotFinite;

/// The value of a plain scalar.
///
/// Differences from kustomize: dates stay strings (kubectl keeps them, kustomize rewrites them); integers beyond 64 bits
/// stay exact (Go rounds them to a double); infinities and not-a-number are refused (Go fails later, in JSON).
///
/// Source: `resolve.go` of gopkg.in/yaml.v3 and sigs.k8s.io/yaml/goyaml.v2; YAML 1.2.2 section 10.3.2.
pub(crate) fn resolve(text: &str, reader: Reader) -> Result<Value, NotFinite> {
    if let Some(value) = word(text, reader) {
        return Ok(value);
    }
    if is_infinite(text) {
        return Err(NotFinite);
    }
    let number = match reader {
        Reader::Yaml12 => core_number(text),
        Reader::Kubectl | Reader::Kustomize => go_number(text),
    };
    Ok(number.map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

fn word(text: &str, reader: Reader) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if reader != Reader::Kubectl => return None,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => return None,
    })
}

fn is_infinite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// Go: first an integer with Go's own prefixes, then a float, then a string.
fn go_number(text: &str) -> Option<Number> {
    let first = *text.as_bytes().first()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    if first == b'.' && text.len() > 1 && text.as_bytes()[1] == b'_' {
        return None;
    }
    let text = text.replace('_', "");
    go_integer(&text).or_else(|| number::decimal(&text))
}

/// `strconv.ParseInt(text, 0, 64)`, with decimal integers of any length left to the caller.
fn go_integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let bytes = digits.as_bytes();
    let (radix, digits) = match (bytes.first()?, bytes.get(1)?) {
        (b'0', b'x' | b'X') => (16, &digits[2..]),
        (b'0', b'o' | b'O') => (8, &digits[2..]),
        (b'0', b'b' | b'B') => (2, &digits[2..]),
        (b'0', _) => (8, &digits[1..]),
        _ => return None,
    };
    integer(negative, digits, radix)
}

/// An integer of at most 64 bits; for a negative one, those of Go's `int64`.
fn integer(negative: bool, digits: &str, radix: u32) -> Option<Number> {
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    if !negative {
        return Some(value.into());
    }
    let value = 0_i64.checked_sub_unsigned(value)?;
    Some(value.into())
}

/// The numbers of the YAML 1.2 core schema.
fn core_number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0o") {
        return integer(false, digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return integer(false, digits, 16);
    }
    number::decimal(text)
}

/// Whether go-yaml v3 takes the text for a time, which kustomize then prints in another form.
///
/// Source: `parseTimestamp` in `resolve.go`: four digits and a dash, then one of Go's four layouts.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let mut rest = text;
    let mut digits = |least: usize, most: usize, after: Option<&str>| -> bool {
        let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return false;
        }
        rest = &rest[count..];
        match after {
            None => true,
            Some(mark) => match rest.strip_prefix(mark) {
                Some(left) => {
                    rest = left;
                    true
                }
                None => false,
            },
        }
    };
    if !(digits(4, 4, Some("-")) && digits(1, 2, Some("-")) && digits(1, 2, None)) {
        return false;
    }
    rest.is_empty() || rest.starts_with(['T', 't', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kubectl: &str, kustomize: &str, core: &str) {
        let read = |reader| resolve(text, reader).map_or("refused".to_owned(), |value| value.to_string());
        let found = (
            read(Reader::Kubectl),
            read(Reader::Kustomize),
            read(Reader::Yaml12),
        );
        assert_eq!(
            found,
            (kubectl.to_owned(), kustomize.to_owned(), core.to_owned()),
            "{text}"
        );
    }

    /// The table in which the three readers were measured.
    #[test]
    fn readers_differ_as_measured() {
        for text in ["on", "yes", "y", "Yes"] {
            check(text, "true", &format!("{text:?}"), &format!("{text:?}"));
        }
        for text in ["off", "no", "n", "N"] {
            check(text, "false", &format!("{text:?}"), &format!("{text:?}"));
        }
        check("0777", "511", "511", "777");
        check("012", "10", "10", "12");
        check("08", "8", "8", "8");
        check("0o777", "511", "511", "511");
        check("1_000", "1000", "1000", "\"1_000\"");
        check("685_230.15", "685230.15", "685230.15", "\"685_230.15\"");
        check("0X10", "16", "16", "\"0X10\"");
        check("0x1F", "31", "31", "31");
        check("0b11", "3", "3", "\"0b11\"");
        check("1e3", "1000", "1000", "1000");
        check("12:30", "\"12:30\"", "\"12:30\"", "\"12:30\"");
    }

    #[test]
    fn kustomize_decodes_these_so() {
        let cases = [
            ("-0b11", "-3"),
            ("0o17", "15"),
            ("1.", "1"),
            ("+1", "1"),
            ("-0", "0"),
            (".5", "0.5"),
            (".5_0", "0.50"),
            ("0_7", "7"),
            ("0777777777777777777777777777", "777777777777777777777777777"),
            ("0B1", "1"),
            ("0O7", "7"),
            ("0x_1F", "31"),
            ("1_", "1"),
            ("-_1", "-1"),
            (".5e3", "500"),
            ("<<", "\"<<\""),
            ("=", "\"=\""),
            ("1e400", "\"1e400\""),
            ("0x", "\"0x\""),
            ("0o8", "\"0o8\""),
            ("+", "\"+\""),
            ("-", "\"-\""),
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("TRUE", "true"),
            ("tRUE", "\"tRUE\""),
            ("Null", "null"),
            ("~", "null"),
            ("", "null"),
            ("2024-01-01", "\"2024-01-01\""),
            ("1.2.3", "\"1.2.3\""),
            ("100m", "\"100m\""),
            ("ü", "\"ü\""),
            (".inf", "refused"),
            ("-.Inf", "refused"),
            (".NaN", "refused"),
            ("-.nan", "\"-.nan\""),
        ];
        for (text, expected) in cases {
            let found =
                resolve(text, Reader::Kustomize).map_or("refused".to_owned(), |value| value.to_string());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn times_are_known() {
        for text in [
            "2024-01-01",
            "2024-1-1",
            "2024-01-01T10:00:00Z",
            "2024-01-01 10:00:00",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in ["2024", "2024-01", "2024-01-01x", "20240-01-01", "12:30", "a"] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
