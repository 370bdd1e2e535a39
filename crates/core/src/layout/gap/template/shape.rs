//! What a built-in template makes of any values: an object with holes, read as YAML once for all applications.
//!
//! The built-in templates put every value where YAML wants one and look into none. So a template is filled in with marks
//! that say which value goes where; the texts this gives are few, and what they stand for is kept. Thousands of
//! applications then cost no more than putting their values into the holes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use serde_json::{Map, Value as Json};

/// What a mark begins with: a character for private use, which no template has.
const MARK: char = '\u{e000}';

/// An object with holes; `None` where the template makes none.
pub(super) type Shape = Option<Json>;

/// Values for a template that gives a shape.
pub(super) fn marks(values: &Arc<Json>) -> Value {
    marked(values, String::new())
}

/// Nothing, true and false are no data: templates ask about them.
fn marked(values: &Arc<Json>, pointer: String) -> Value {
    match values.pointer(&pointer) {
        None => Value::UNDEFINED,
        Some(Json::Null) => Value::from(()),
        Some(Json::Bool(value)) => Value::from(*value),
        Some(_) => Value::from_object(Hole {
            values: values.clone(),
            pointer,
        }),
    }
}

/// One of the values, printed as a mark.
#[derive(Debug)]
pub(super) struct Hole {
    values: Arc<Json>,
    pointer: String,
}

impl Object for Hole {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.values.pointer(&self.pointer) {
            Some(Json::Object(_)) => ObjectRepr::Map,
            Some(Json::Array(_)) => ObjectRepr::Seq,
            _ => ObjectRepr::Plain,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = marked(&self.values, format!("{}/{key}", self.pointer));
        (!value.is_undefined()).then_some(value)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.values.pointer(&self.pointer) {
            Some(Json::Array(list)) => Enumerator::Seq(list.len()),
            _ => Enumerator::NonEnumerable,
        }
    }

    fn render(self: &Arc<Self>, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "\"{MARK}{}\"", self.pointer)
    }
}

/// A shape with its values.
pub(super) fn fill(shape: &Json, values: &Json) -> Json {
    match shape {
        Json::String(text) => match text.strip_prefix(MARK).map(|pointer| values.pointer(pointer)) {
            Some(value) => value.cloned().unwrap_or_default(),
            None => shape.clone(),
        },
        Json::Array(items) => items.iter().map(|item| fill(item, values)).collect(),
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, field)| (key.clone(), fill(field, values)));
            Json::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// What texts with marks stand for.
static SHAPES: Mutex<BTreeMap<String, Arc<Shape>>> = Mutex::new(BTreeMap::new());

/// Shapes differ in what is optional and in how many hosts and metrics there are: far fewer than this.
const MOST_SHAPES: usize = 256;

/// The shape that a text stands for, read where it was not met before.
pub(super) fn shape_of<E>(
    text: String,
    read: impl FnOnce(&str) -> Result<Shape, E>,
) -> Result<Arc<Shape>, E> {
    let known = || SHAPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shape) = known().get(&text) {
        return Ok(shape.clone());
    }
    let shape = Arc::new(read(&text)?);
    let mut known = known();
    if known.len() < MOST_SHAPES {
        known.insert(text, shape.clone());
    }
    Ok(shape)
}
