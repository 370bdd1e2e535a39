//! Equality of JSON values as `test` needs it.

use serde_json::{Number, Value};

/// Whether two values are equal: the order of keys does not count, and numbers are compared by value.
///
/// Source: RFC 6902, section 4.6.
pub(super) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => equal_numbers(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let in_other =
                |(name, one): (&String, &Value)| other.get(name).is_some_and(|other| equal(one, other));
            one.len() == other.len() && one.iter().all(in_other)
        }
        _ => one == other,
    }
}

/// Numbers keep their text, so that none loses digits; here the text is read as a decimal number of any size.
fn equal_numbers(one: &Number, other: &Number) -> bool {
    let (one, other) = (one.to_string(), other.to_string());
    if one == other {
        return true;
    }
    matches!((decimal(&one), decimal(&other)), (Some(one), Some(other)) if one == other)
}

/// Sign, digits without zeros at either end, and the power of ten of the last digit.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let dropped = i64::try_from(digits.len() - kept.len()).ok()?;
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return Some((false, String::new(), 0));
    }
    let exponent = exponent
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(dropped)?;
    Some((is_negative, kept.to_owned(), exponent))
}

#[cfg(test)]
mod tests {
    use super::equal;

    fn check(one: &str, other: &str, expected: bool) {
        let read = |text: &str| serde_json::from_str(text).expect("JSON");
        assert_eq!(equal(&read(one), &read(other)), expected, "{one} and {other}");
    }

    #[test]
    fn numbers_are_compared_by_value() {
        check("1", "1.0", true);
        check("100", "1e2", true);
        check("0.1", "1E-1", true);
        check("-0", "0.0", true);
        check("1", "-1", false);
        check("9007199254740993", "9007199254740992", false);
        check("1e400", "10e399", true);
        check("1e99999999999999999999", "1e99999999999999999999", true);
        check("1e99999999999999999999", "1e99999999999999999998", false);
    }

    #[test]
    fn other_values_are_compared_as_json() {
        check(r#"{"a": 1, "b": [1]}"#, r#"{"b": [1.0], "a": 1}"#, true);
        check(r#""1""#, "1", false);
        check("[1, 2]", "[2, 1]", false);
        check(r#"{"a": null}"#, "{}", false);
        check("null", "false", false);
    }
}
