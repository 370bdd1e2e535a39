//! What an edit means, on the value alone.

use jsonptr::{Pointer, PointerBuf};
use serde_json::{Map, Value};

use crate::{
    edit::{Edit, Place},
    error::EditError,
    tree::index,
};

/// Applies an edit to a value; on an error the value is as it was.
pub(crate) fn apply(value: &mut Value, edit: &Edit) -> Result<(), EditError> {
    match edit {
        Edit::Set { at, value: new } => set(value, at, new),
        Edit::Insert {
            into,
            place,
            key,
            value: new,
        } => insert(value, into, place, key.as_deref(), new),
        Edit::Remove { at } => remove(value, at),
        Edit::Rename { at, key } => rename(value, at, key),
        Edit::Copy { from, key, place } => copy(value, from, key, place),
    }
}

pub(crate) fn not_found(at: &Pointer) -> EditError {
    EditError::NotFound { pointer: at.to_buf() }
}

pub(crate) fn unsupported(at: &Pointer, reason: impl Into<String>) -> EditError {
    EditError::Unsupported {
        pointer: at.to_buf(),
        reason: reason.into(),
    }
}

pub(crate) fn exists(at: &Pointer, key: &str) -> EditError {
    EditError::Exists {
        pointer: at.with_trailing_token(key),
        span: 0..0,
    }
}

/// The value at a place, by the strict rules of RFC 6901.
pub(crate) fn get<'v>(value: &'v Value, at: &Pointer) -> Option<&'v Value> {
    at.tokens().try_fold(value, |value, token| match value {
        Value::Object(map) => map.get(token.decoded().as_ref()),
        Value::Array(list) => list.get(index(&token.decoded())?),
        _ => None,
    })
}

fn get_mut<'v>(value: &'v mut Value, at: &Pointer) -> Option<&'v mut Value> {
    at.tokens().try_fold(value, |value, token| match value {
        Value::Object(map) => map.get_mut(token.decoded().as_ref()),
        Value::Array(list) => list.get_mut(index(&token.decoded())?),
        _ => None,
    })
}

/// A place as its parent and last token.
fn split(at: &Pointer) -> Option<(PointerBuf, String)> {
    at.split_back()
        .map(|(parent, token)| (parent.to_buf(), token.decoded().into_owned()))
}

fn set(value: &mut Value, at: &Pointer, new: &Value) -> Result<(), EditError> {
    if let Some(old) = get_mut(value, at) {
        new.clone_into(old);
        return Ok(());
    }
    let (parent, key) = split(at).ok_or_else(|| not_found(at))?;
    match get_mut(value, &parent) {
        Some(Value::Object(map)) => map.insert(key, new.clone()),
        Some(parent @ Value::Null) => {
            *parent = Value::Object(Map::from_iter([(key, new.clone())]));
            None
        }
        _ => return Err(not_found(at)),
    };
    Ok(())
}

/// The index at which a place is among keys; `None` if what it names is not there.
pub(crate) fn position(place: &Place, len: usize, find: impl Fn(&str) -> Option<usize>) -> Option<usize> {
    match place {
        Place::First => Some(0),
        Place::Last => Some(len),
        Place::Before(name) => find(name),
        Place::After(name) => find(name).map(|index| index + 1),
    }
}

fn insert(
    value: &mut Value,
    into: &Pointer,
    place: &Place,
    key: Option<&str>,
    new: &Value,
) -> Result<(), EditError> {
    let named = |name: &str| into.with_trailing_token(name);
    let missing = || match place {
        Place::Before(name) | Place::After(name) => EditError::NotFound { pointer: named(name) },
        Place::First | Place::Last => not_found(into),
    };
    let container = get_mut(value, into).ok_or_else(|| not_found(into))?;
    match (container, key) {
        (Value::Object(map), Some(key)) => {
            let find = |name: &str| map.keys().position(|other| other == name);
            let at = position(place, map.len(), find).ok_or_else(missing)?;
            // A key that only `<<` provides may be there already; whether it is written decides the caller.
            map.shift_remove(key);
            map.shift_insert(at.min(map.len()), key.to_owned(), new.clone());
        }
        (Value::Array(list), None) => {
            let at = position(place, list.len(), |name| {
                index(name).filter(|&at| at < list.len())
            })
            .ok_or_else(missing)?;
            list.insert(at, new.clone());
        }
        (Value::Object(_), None) => return Err(unsupported(into, "an entry of a map needs a key")),
        (Value::Array(_), Some(_)) => return Err(unsupported(into, "an item of a list has no key")),
        (_, _) if matches!(place, Place::Before(_) | Place::After(_)) => return Err(missing()),
        (container @ Value::Null, Some(key)) => {
            *container = Value::Object(Map::from_iter([(key.to_owned(), new.clone())]));
        }
        (container @ Value::Null, None) => *container = Value::Array(vec![new.clone()]),
        _ => return Err(unsupported(into, "this is neither a map nor a list")),
    }
    Ok(())
}

fn remove(value: &mut Value, at: &Pointer) -> Result<(), EditError> {
    let (parent, token) = split(at)
        .ok_or_else(|| unsupported(at, "a whole document is removed from its stream, not from itself"))?;
    let removed = match get_mut(value, &parent) {
        Some(Value::Object(map)) => map.shift_remove(&token).is_some(),
        Some(Value::Array(list)) => match index(&token).filter(|&at| at < list.len()) {
            Some(at) => {
                list.remove(at);
                true
            }
            None => false,
        },
        _ => false,
    };
    if removed { Ok(()) } else { Err(not_found(at)) }
}

fn rename(value: &mut Value, at: &Pointer, key: &str) -> Result<(), EditError> {
    let (parent, old) = split(at).ok_or_else(|| unsupported(at, "the document has no key"))?;
    match get_mut(value, &parent) {
        Some(Value::Object(map)) => {
            let at_index = map
                .keys()
                .position(|other| *other == old)
                .ok_or_else(|| not_found(at))?;
            if key == old {
                return Ok(());
            }
            if map.contains_key(key) {
                return Err(exists(&parent, key));
            }
            let value = map.shift_remove(&old).ok_or_else(|| not_found(at))?;
            map.shift_insert(at_index, key.to_owned(), value);
            Ok(())
        }
        Some(Value::Array(_)) => Err(unsupported(at, "an item of a list has no key")),
        _ => Err(not_found(at)),
    }
}

fn copy(value: &mut Value, from: &Pointer, key: &str, place: &Place) -> Result<(), EditError> {
    let (parent, _) = split(from).ok_or_else(|| unsupported(from, "the document has no key"))?;
    let source = get(value, from).ok_or_else(|| not_found(from))?.clone();
    match get(value, &parent) {
        Some(Value::Object(map)) if map.contains_key(key) => Err(exists(&parent, key)),
        Some(Value::Object(_)) => insert(value, &parent, place, Some(key), &source),
        _ => Err(unsupported(from, "an item of a list has no key")),
    }
}
