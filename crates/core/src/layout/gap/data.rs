//! Values of the user's in templates: read like minijinja's own, printed as JSON.
//!
//! JSON is YAML, so whatever a value holds, it stays one value: a tag `1e3`, a quote or a line break in a name cannot change
//! the structure of what is rendered. Numbers keep their spelling and maps their order.

use std::fmt::Write;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, Value};
use serde_json::Value as Json;

/// A value of the user's for templates.
pub(super) fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => match number.as_i64() {
            Some(whole) if whole.to_string() == number.to_string() => Value::from(whole),
            _ => Value::from_object(Data(json.clone())),
        },
        Json::Array(_) | Json::Object(_) => Value::from_object(Data(json.clone())),
    }
}

#[derive(Debug)]
struct Data(Json);

impl Object for Data {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match &self.0 {
            Json::Object(_) => ObjectRepr::Map,
            Json::Array(_) => ObjectRepr::Seq,
            _ => ObjectRepr::Plain,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match &self.0 {
            Json::Object(map) => map.get(key.as_str()?).map(value_of),
            Json::Array(list) => list.get(key.as_usize()?).map(value_of),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.0 {
            Json::Object(map) => {
                let keys: Vec<Value> = map.keys().map(|key| Value::from(key.as_str())).collect();
                Enumerator::Iter(Box::new(keys.into_iter()))
            }
            Json::Array(list) => Enumerator::Seq(list.len()),
            _ => Enumerator::NonEnumerable,
        }
    }

    fn render(self: &Arc<Self>, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&escaped(&self.0.to_string()))
    }
}

/// Writes a value of a template as JSON; what `tojson` gave is written as it is.
///
/// Errors: a value without a JSON form, such as an undefined one.
pub(super) fn write_json(out: &mut dyn Write, value: &Value) -> Result<(), Error> {
    let failed = |_| Error::from(ErrorKind::WriteFailure);
    if value.is_safe() || value.downcast_object_ref::<Data>().is_some() {
        return write!(out, "{value}").map_err(failed);
    }
    match value.kind() {
        ValueKind::None => out.write_str("null").map_err(failed),
        ValueKind::Bool | ValueKind::Number => write!(out, "{value}").map_err(failed),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            out.write_str(&escaped(&Json::from(text).to_string()))
                .map_err(failed)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            out.write_char('[').map_err(failed)?;
            for (index, item) in value.try_iter()?.enumerate() {
                separate(out, index).map_err(failed)?;
                write_json(out, &item)?;
            }
            out.write_char(']').map_err(failed)
        }
        ValueKind::Map => {
            out.write_char('{').map_err(failed)?;
            for (index, key) in value.try_iter()?.enumerate() {
                separate(out, index).map_err(failed)?;
                write_json(out, &Value::from(key.to_string()))?;
                out.write_str(": ").map_err(failed)?;
                write_json(out, &value.get_item(&key)?)?;
            }
            out.write_char('}').map_err(failed)
        }
        kind => Err(Error::new(
            ErrorKind::BadSerialization,
            format!("a value of the kind {kind} cannot be printed"),
        )),
    }
}

fn separate(out: &mut dyn Write, index: usize) -> std::fmt::Result {
    if index == 0 { Ok(()) } else { out.write_str(", ") }
}

/// JSON may hold characters that YAML wants escaped.
fn escaped(json: &str) -> String {
    let is_plain = |c: char| {
        let is_control = matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        );
        !is_control && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if json.chars().all(is_plain) {
        return json.to_owned();
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match is_plain(c) {
            true => text.push(c),
            false => text.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        let mut out = String::new();
        write_json(&mut out, value).expect("a value with a JSON form");
        assert_eq!(out, expected);
    }

    #[test]
    fn values_are_printed_as_json_in_their_own_spelling() {
        check(&value_of(&json!("a \"b\"\nc: d")), r#""a \"b\"\nc: d""#);
        check(
            &value_of(&serde_json::from_str("1.10").expect("a number")),
            "1.10",
        );
        check(
            &value_of(&serde_json::from_str("12345678901234567890123").expect("a number")),
            "12345678901234567890123",
        );
        check(
            &value_of(&json!({"z": [1, null], "a": true})),
            r#"{"z":[1,null],"a":true}"#,
        );
        check(
            &Value::from(vec![Value::from("x"), Value::from(2)]),
            r#"["x", 2]"#,
        );
        check(&Value::from("\u{7f}\u{2028}"), r#""\u007f\u2028""#);
    }

    #[test]
    fn an_undefined_value_is_not_printed() {
        assert!(write_json(&mut String::new(), &Value::UNDEFINED).is_err());
    }
}
