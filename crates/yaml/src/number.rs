//! Numbers as text: the spelling JSON allows, and when two spellings are one number.
//!
//! Numbers keep the spelling they have in the file wherever JSON allows it (`1.10` stays `1.10`). Spellings with an
//! exponent are the exception: readers differ about them (`1e3` is a string in YAML 1.1), so they become what Go prints.

use serde_json::{Number, Value};

/// A decimal number as text, `[+-]digits[.digits][e[+-]digits]` without underscores, as a JSON number.
///
/// Shape: leading zeros and the plus sign go, `.5` becomes `0.5`, `1.` becomes `1`; with an exponent the value is
/// written out up to 21 digits, beyond that as `1.5e+21`. None: not such text, or out of the range of a double.
pub(crate) fn decimal(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    let significant = whole.trim_start_matches('0');
    let whole = if significant.is_empty() { "0" } else { significant };
    let Some(exponent) = exponent else {
        let spelled = match fraction {
            "" if whole == "0" => "0".to_owned(),
            "" => format!("{sign}{whole}"),
            _ => format!("{sign}{whole}.{fraction}"),
        };
        return Some(Number::from_string_unchecked(spelled));
    };
    let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if unsigned.is_empty() || !all_digits(unsigned) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value
        .is_finite()
        .then(|| Number::from_string_unchecked(shortest(value)))
}

/// The shortest text that reads back as the same double and that every YAML reader takes for a number.
fn shortest(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let plain = (1e-6..1e21).contains(&value.abs());
    if plain {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    // YAML 1.1 knows a float by its point, and its exponent by the sign.
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// The number as this crate would spell it: exponents written out, all else as given.
pub(crate) fn spelled(number: &Number) -> String {
    let text = number.to_string();
    if text.contains(['e', 'E']) || text == "-0" {
        return decimal(&text).map_or(text, |number| number.to_string());
    }
    text
}

/// The text that kubectl makes of a number or boolean used as a key.
pub(crate) fn as_key(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let text = spelled(number);
            // Go prints the double that it read, without the zeros that were written.
            if text.contains('.') {
                text.parse().map(|double: f64| double.to_string()).unwrap_or(text)
            } else {
                text
            }
        }
        other => other.to_string(),
    }
}

/// Whether two values are the same to this crate: the order of map entries is no difference, nor is the way an exponent
/// is spelled; `1.10` and `1.1` do differ.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || spelled(a) == spelled(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(
            decimal(text).map(|n| n.to_string()).as_deref(),
            Some(expected),
            "{text}"
        );
    }

    #[test]
    fn spelling_is_kept_as_far_as_json_has_it() {
        check("1.10", "1.10");
        check("+1", "1");
        check("-0", "0");
        check("-0.0", "-0.0");
        check(".5", "0.5");
        check("1.", "1");
        check("007.50", "7.50");
        check("123456789012345678901234567890", "123456789012345678901234567890");
        check("1e3", "1000");
        check("1.5E+3", "1500");
        check("1e-7", "1.0e-7");
        check("12e20", "1.2e+21");
        check("0e5", "0");
        for text in ["", "+", ".", "e3", "1e", "1e+", "1e400", "0x1", "1_0", "1.2.3"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn sameness_ignores_order_and_exponents_only() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert!(same(
            &value(r#"{"a":1,"b":[1e3]}"#),
            &value(r#"{"b":[1000],"a":1}"#)
        ));
        assert!(!same(&value("1.10"), &value("1.1")));
        assert!(!same(&value("1"), &value("\"1\"")));
        assert!(!same(&value("[1]"), &value("[1,1]")));
        assert!(!same(&value(r#"{"a":1}"#), &value(r#"{"b":1}"#)));
    }
}
