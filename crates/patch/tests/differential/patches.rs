//! Patches made from the object that they are for: changes, removals, additions and directives at random places.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// Fields by which items are told apart; a patch mostly keeps them.
const KEYS: [&str; 9] = [
    "name",
    "port",
    "containerPort",
    "protocol",
    "mountPath",
    "ip",
    "topologyKey",
    "whenUnsatisfiable",
    "uid",
];

/// How many of a hundred places get a directive or something that does not fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wildness {
    pub(crate) directives: usize,
    pub(crate) mistakes: usize,
}

/// Makes a patch for an object.
pub(crate) fn patch(random: &mut Random, object: &Value) -> Value {
    let wildness = match random.below(10) {
        0..6 => Wildness {
            directives: 0,
            mistakes: 0,
        },
        6..9 => Wildness {
            directives: 5,
            mistakes: 0,
        },
        _ => Wildness {
            directives: 5,
            mistakes: 4,
        },
    };
    let mut patch = Map::new();
    for (name, value) in object.as_object().expect("an object") {
        if !["apiVersion", "kind", "metadata"].contains(&name.as_str()) && random.percent(85) {
            patch.insert(name.clone(), change(random, wildness, name, value));
        }
    }
    let mut metadata = json!({});
    if random.percent(40) {
        metadata = change(random, wildness, "metadata", &object["metadata"]);
    }
    if !metadata.is_object() {
        metadata = json!({});
    }
    for name in ["name", "namespace"] {
        match object["metadata"].get(name) {
            Some(value) => metadata[name] = value.clone(),
            None => drop(
                metadata
                    .as_object_mut()
                    .and_then(|metadata| metadata.shift_remove(name)),
            ),
        }
    }
    patch.insert(String::from("apiVersion"), object["apiVersion"].clone());
    patch.insert(String::from("kind"), object["kind"].clone());
    patch.insert(String::from("metadata"), metadata);
    if random.below(100) < wildness.directives {
        patch.insert(
            String::from("$patch"),
            (*random.choose(&["delete", "replace", "merge"])).into(),
        );
    }
    Value::Object(patch)
}

/// What a patch says about a value that is there.
fn change(random: &mut Random, wildness: Wildness, name: &str, value: &Value) -> Value {
    if random.below(100) < wildness.mistakes {
        return fresh(random, 2);
    }
    if random.percent(5) {
        return Value::Null;
    }
    match value {
        Value::Object(fields) => change_map(random, wildness, fields),
        Value::Array(items) => change_list(random, wildness, name, items),
        _ => scalar(random, value),
    }
}

fn change_map(random: &mut Random, wildness: Wildness, fields: &Map<String, Value>) -> Value {
    let mut patch = Map::new();
    let percent = if fields.len() > 6 { 25 } else { 45 };
    for (name, value) in fields {
        if random.percent(percent) {
            patch.insert(name.clone(), change(random, wildness, name, value));
        }
    }
    if random.percent(15) {
        patch.insert(format!("new{}", random.below(3)), fresh(random, 2));
    }
    if random.percent(5) {
        patch.insert(String::from("absent"), Value::Null);
    }
    if random.below(100) < wildness.directives {
        patch.insert(
            String::from("$patch"),
            (*random.choose(&["delete", "replace", "merge"])).into(),
        );
    }
    if random.below(200) < wildness.mistakes {
        let directive = random.choose(&["$patch", "$retain", "$setElementOrder", "$ref"]);
        patch.insert((*directive).to_owned(), "unknown".into());
    }
    Value::Object(patch)
}

fn change_list(random: &mut Random, wildness: Wildness, name: &str, items: &[Value]) -> Value {
    let mut patch = Vec::new();
    for item in items {
        match item {
            Value::Object(fields) if random.percent(50) => patch.push(change_item(random, wildness, fields)),
            Value::Object(_) => {}
            _ if random.percent(50) => patch.push(item.clone()),
            _ => {}
        }
    }
    for _ in 0..random.below(3) {
        patch.extend(new_item(random, name, items));
    }
    if random.percent(60) {
        random.shuffle(&mut patch);
    }
    if random.below(100) < wildness.directives {
        let directive = random.choose(&["replace", "replace", "delete", "merge"]);
        patch.insert(random.below(patch.len() + 1), json!({"$patch": directive}));
    }
    if random.below(100) < wildness.mistakes && !patch.is_empty() {
        let copied = random.choose(&patch).clone();
        patch.push(copied);
    }
    Value::Array(patch)
}

fn change_item(random: &mut Random, wildness: Wildness, fields: &Map<String, Value>) -> Value {
    let keeps_protocol = random.percent(90);
    let mut patch = change_map(random, wildness, fields);
    for key in KEYS {
        match fields.get(key) {
            Some(_) if random.below(100) < wildness.mistakes => {
                patch.as_object_mut().expect("a map").shift_remove(key);
            }
            Some(_) if key == "protocol" && !keeps_protocol => {
                patch.as_object_mut().expect("a map").shift_remove(key);
            }
            Some(value) => patch[key] = value.clone(),
            None => {}
        }
    }
    if patch.get("port").or(patch.get("containerPort")).is_some()
        && fields.get("protocol").is_none()
        && random.percent(5)
    {
        patch["protocol"] = "TCP".into();
    }
    if random.below(60) < wildness.directives {
        patch["$patch"] = (*random.choose(&["delete", "delete", "delete", "replace", "merge"])).into();
    }
    patch
}

/// An item that is not in the list, of the shape of those that are.
fn new_item(random: &mut Random, name: &str, items: &[Value]) -> Option<Value> {
    let Value::Object(model) = items.first()? else {
        return Some(format!("{name}-{}", random.below(4)).into());
    };
    let mut item = Map::new();
    for (name, value) in model {
        let number = random.below(4);
        match value {
            Value::Number(_) if KEYS.contains(&name.as_str()) => {
                drop(item.insert(name.clone(), (number + 7000).into()))
            }
            Value::String(_) if name == "protocol" => drop(item.insert(name.clone(), value.clone())),
            _ if KEYS.contains(&name.as_str()) => {
                drop(item.insert(name.clone(), format!("new-{number}").into()))
            }
            _ if random.percent(50) => drop(item.insert(name.clone(), value.clone())),
            _ => {}
        }
    }
    if random.percent(20) {
        item.insert(String::from("extra"), fresh(random, 2));
    }
    Some(Value::Object(item))
}

fn scalar(random: &mut Random, value: &Value) -> Value {
    match value {
        Value::Number(_) => random.below(100).into(),
        Value::Bool(flag) => (!flag).into(),
        _ => random
            .choose(&[
                json!("changed"),
                json!("yes"),
                json!("8080"),
                json!(""),
                json!("a: b # c"),
                json!("~"),
            ])
            .clone(),
    }
}

/// A value that has nothing to do with what is there.
fn fresh(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => random.below(1000).into(),
        2 => true.into(),
        3 | 4 => (*random.choose(&["text", "null", "1e3", "- a", ""])).into(),
        5 => json!([]),
        6 => (0..random.below(3)).map(|_| fresh(random, depth - 1)).collect(),
        _ => {
            let name = |index: usize| ["a", "b", "c"][index].to_owned();
            Value::Object(
                (0..random.below(4))
                    .map(|index| (name(index), fresh(random, depth - 1)))
                    .collect(),
            )
        }
    }
}
