//! The JSON patch that makes one value of another, short enough to be read in a review.

use jsonptr::PointerBuf;
use serde_json::{Value, json};

/// The operations, in the order of the wanted value; a list of another length is replaced as a whole.
///
/// An item of a list is known by its place alone: before something in it is changed, `test` makes sure that it is the one that
/// was meant, by its name, or else by what is replaced. Where somebody puts another item before it, the patch fails instead of
/// changing that one. Source: RFC 6902.
pub(super) fn operations(before: &Value, after: &Value) -> Vec<Value> {
    let mut patch = Patch::default();
    patch.differ(before, after);
    patch.operations
}

#[derive(Default)]
struct Patch {
    operations: Vec<Value>,
    at: PointerBuf,
    /// For each list on the way: the name of the item, if it has one.
    items: Vec<Option<(PointerBuf, Value)>>,
}

impl Patch {
    fn differ(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                for (key, wanted) in after {
                    self.at.push_back(key.as_str());
                    match before.get(key) {
                        Some(found) => self.differ(found, wanted),
                        None => self.push("add", None, Some(wanted)),
                    }
                    self.at.pop_back();
                }
                for (key, found) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
                    self.at.push_back(key.as_str());
                    self.push("remove", Some(found), None);
                    self.at.pop_back();
                }
            }
            (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
                for (index, (found, wanted)) in before.iter().zip(after).enumerate() {
                    self.at.push_back(index);
                    let name = found.get("name").filter(|name| name.is_string());
                    let name = name.map(|name| (self.at.with_trailing_token("name"), name.clone()));
                    self.items.push(name);
                    self.differ(found, wanted);
                    self.items.pop();
                    self.at.pop_back();
                }
            }
            (before, after) if before == after => {}
            (before, after) => self.push("replace", Some(before), Some(after)),
        }
    }

    fn push(&mut self, operation: &str, found: Option<&Value>, wanted: Option<&Value>) {
        let names: Vec<Value> = self
            .items
            .iter()
            .flatten()
            .map(|(at, name)| json!({"op": "test", "path": at.as_str(), "value": name}))
            .filter(|test| !self.operations.contains(test))
            .collect();
        self.operations.extend(names);
        let is_nameless = self.items.iter().any(Option::is_none) || found.is_some_and(has_nameless);
        if let Some(found) = found.filter(|_| is_nameless) {
            self.operations
                .push(json!({"op": "test", "path": self.at.as_str(), "value": found}));
        }
        let mut pushed = json!({"op": operation, "path": self.at.as_str()});
        if let Some(wanted) = wanted {
            pushed["value"] = wanted.clone();
        }
        self.operations.push(pushed);
    }
}

/// Whether items of a list would be lost that nothing else speaks of: somebody may have added one.
fn has_nameless(list: &Value) -> bool {
    let items = list.as_array().into_iter().flatten();
    let mut items = items.filter(|item| item.is_object());
    items.any(|item| !item.get("name").is_some_and(Value::is_string))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_patch::json_patch;

    fn check(before: Value, after: Value, paths: &[&str]) {
        let operations = operations(&before, &after);
        let found: Vec<&str> = operations
            .iter()
            .filter_map(|operation| operation["path"].as_str())
            .collect();
        assert_eq!(found, paths);
        let patched = json_patch::apply(before, &Value::Array(operations)).expect("a patch that fits");
        assert_eq!(patched, after);
    }

    #[test]
    fn another_item_in_the_place_of_the_one_that_was_meant_is_not_changed() {
        let route = |to: &str, weight: u8| json!({"to": to, "weight": weight});
        let before = json!({"routes": [route("web", 1)], "named": [{"name": "a"}]});
        let after = json!({"routes": [route("web", 2)], "named": [{"name": "a", "b": 1}]});
        let patch = Value::Array(operations(&before, &after));
        let mut shifted = before.clone();
        shifted["routes"] = json!([route("other", 7), route("web", 1)]);
        assert!(json_patch::apply(shifted, &patch).is_err());
        // A list of another length says all of them: one that is new meanwhile would be lost.
        let longer = json!({"routes": [route("preview", 1), route("web", 2)], "named": [{"name": "a"}]});
        let longer = Value::Array(operations(&before, &longer));
        assert!(json_patch::apply(before.clone(), &longer).is_ok());
        let mut edited = before.clone();
        edited["routes"] = json!([route("web", 7)]);
        assert!(json_patch::apply(edited, &longer).is_err());
        let mut renamed = before;
        renamed["named"] = json!([{"name": "other"}]);
        assert!(json_patch::apply(renamed, &patch).is_err());
    }

    #[test]
    fn only_what_differs_is_said() {
        check(json!({"a": 1}), json!({"a": 1}), &[]);
        check(
            json!({"a": {"b/c": 1, "gone": 2}, "list": [{"x": 1}, {"x": 2}]}),
            json!({"a": {"b/c": 2, "new": {}}, "list": [{"x": 1}, {"x": 3}]}),
            &["/a/b~1c", "/a/new", "/a/gone", "/list/1/x", "/list/1/x"],
        );
        check(
            json!({"rules": [{"to": [1]}, {"to": [2]}]}),
            json!({"rules": [{"to": [1, 3]}, {"to": [2]}]}),
            &["/rules/0/to", "/rules/0/to"],
        );
        check(
            json!({"containers": [{"name": "web", "cpu": 1, "env": []}]}),
            json!({"containers": [{"name": "web", "cpu": 2, "env": [1], "more": 3}]}),
            &[
                "/containers/0/name",
                "/containers/0/cpu",
                "/containers/0/env",
                "/containers/0/more",
            ],
        );
        check(json!({"a": [1]}), json!({"a": {"b": 1}}), &["/a"]);
    }
}
