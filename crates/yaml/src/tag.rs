//! Tags: those of the core schema are honoured, all others refused.

use saphyr_parser::Tag;
use serde_json::Value;

use crate::{
    error::Kind,
    load::LoadError,
    number,
    resolve::{self, NotFinite, Reader},
};

/// The tags that have a meaning here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CoreTag {
    /// `!`, which YAML 1.2 reads as "do not resolve" and no reader of Kubernetes files heeds.
    NonSpecific,
    Str,
    Int,
    Float,
    Bool,
    Null,
    Map,
    Seq,
}

const CORE: &str = "tag:yaml.org,2002:";

pub(crate) fn core(tag: &Tag, offset: usize) -> Result<CoreTag, LoadError> {
    let name = if tag.handle == CORE {
        Some(tag.suffix.as_str())
    } else {
        tag.suffix.strip_prefix(CORE)
    };
    Ok(match name {
        None if tag.handle.is_empty() && tag.suffix == "!" => CoreTag::NonSpecific,
        Some("str") => CoreTag::Str,
        Some("int") => CoreTag::Int,
        Some("float") => CoreTag::Float,
        Some("bool") => CoreTag::Bool,
        Some("null") => CoreTag::Null,
        Some("map") => CoreTag::Map,
        Some("seq") => CoreTag::Seq,
        _ => {
            // Not quoted: a password that begins with `!` and lacks its quotes is read as a tag.
            return Err(LoadError {
                kind: Kind::Tag,
                message: "the tag is not known".to_owned(),
                offset,
                related: None,
                path: Vec::new(),
            });
        }
    })
}

/// The value of a scalar under its tag.
///
/// Errors: messages without the text, which may be a secret; whoever may show it has its place.
pub(crate) fn scalar(text: &str, quoted: bool, tag: Option<CoreTag>) -> Result<Value, (Kind, String)> {
    let refused = |NotFinite| (Kind::Number, "not a number JSON can hold".to_owned());
    let Some(tag) = tag.filter(|&tag| tag != CoreTag::NonSpecific) else {
        return if quoted {
            Ok(Value::String(text.to_owned()))
        } else {
            resolve::resolve(text, Reader::Kustomize).map_err(refused)
        };
    };
    if tag == CoreTag::Str {
        return Ok(Value::String(text.to_owned()));
    }
    let value = resolve::resolve(text, Reader::Kustomize).map_err(refused)?;
    let fits = match (tag, &value) {
        (CoreTag::Int, Value::Number(number)) => !number::spelled(number).contains(['.', 'e']),
        (CoreTag::Float, Value::Number(_))
        | (CoreTag::Bool, Value::Bool(_))
        | (CoreTag::Null, Value::Null) => true,
        _ => false,
    };
    if fits {
        Ok(value)
    } else {
        Err((Kind::Tag, "the value does not fit its tag".to_owned()))
    }
}
