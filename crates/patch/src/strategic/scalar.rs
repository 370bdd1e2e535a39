//! A scalar in the place of another.

use serde_json::Value;

/// The scalar that stands where a patch puts `new` in the place of `old`.
///
/// A number or boolean becomes text where the old text must have been in quotes, such as `"8080"` in the value of an
/// environment variable.
///
/// Source: kustomize gives the new scalar the style of the old one (`kyaml/yaml/fns.go`, `FieldSetter`), and a number in quotes
/// is text. A value does not tell whether other text was in quotes.
pub(super) fn replaced(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::String(old), Value::Number(_) | Value::Bool(_)) if must_be_quoted(old) => {
            Value::String(new.to_string())
        }
        _ => new.clone(),
    }
}

/// Whether a text would be something else, or nothing, if YAML had it without quotes.
fn must_be_quoted(text: &str) -> bool {
    const WORDS: [&str; 9] = ["", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false"];
    const INDICATORS: &str = "?:,[]{}#&*!|>'\"%@`";
    let is_number =
        text.parse::<f64>().is_ok() && text.ends_with(|end: char| end.is_ascii_digit() || end == '.');
    let is_indicated = text.starts_with(|first| INDICATORS.contains(first));
    let has_syntax =
        text.starts_with("- ") || text.contains(": ") || text.contains(" #") || text.ends_with(':');
    let has_spaces = text.trim() != text || text.contains('\n');
    let is_word = WORDS.contains(&text) || matches!(text, "False" | "FALSE");
    is_word || is_number || is_indicated || has_syntax || has_spaces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::replaced;

    #[test]
    fn quotes_of_numbers_stay() {
        assert_eq!(replaced(&json!("8080"), &json!(9090)), json!("9090"));
        assert_eq!(replaced(&json!("false"), &json!(true)), json!("true"));
        assert_eq!(replaced(&json!(""), &json!(1)), json!("1"));
        assert_eq!(replaced(&json!("http"), &json!(8080)), json!(8080));
        assert_eq!(replaced(&json!(8080), &json!("http")), json!("http"));
        assert_eq!(replaced(&json!(8080), &json!(9090)), json!(9090));
        assert_eq!(replaced(&json!("1.10.0"), &json!(2)), json!(2));
    }
}
