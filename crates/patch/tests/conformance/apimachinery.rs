//! Vectors of the API server's own strategic merge, with its made-up type.

use serde_json::Value;
use tidegate_patch::list_keys::Rules;
use tidegate_patch::strategic;

use crate::vectors;

/// `schemas.yaml` of the vectors, in our form.
const MERGE_ITEM: &str = "
kind test MergeItem cluster mergeItem
type mergeItem
  mergingList list name mergeItem
  mergingIntList set
  mergeItemPtr list name mergeItem
  replacingItem replace
  retainKeysMap map mergeItem
  retainKeysMergingList list name mergeItem
";

#[test]
fn directives_work_as_in_the_api_server() {
    let rules = Rules::parse(MERGE_ITEM).expect("readable");
    let mut failures = Vec::new();
    for case in vectors::cases("upstream-apimachinery") {
        let kind = if case["schemaKind"] == "mergeItem" {
            "MergeItem"
        } else {
            "Unknown"
        };
        let place = rules.object("test", kind);
        let mut result = strategic::apply_at(place, case["original"].clone(), &case["patch"])
            .map(Option::unwrap_or_default);
        let mut expected = case.get("expected").cloned();
        if case["listOrder"] == "as-given" {
            result.iter_mut().chain(&mut expected).for_each(sort_lists);
        }
        if result.as_ref().ok() != expected.as_ref() {
            failures.push(format!(
                "{}\n  have {result:?}\n  want {expected:?}",
                case["name"]
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{}\n{} failures",
        failures.join("\n"),
        failures.len()
    );
}

/// Sorts all lists: these cases were recorded without regard to order.
fn sort_lists(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(sort_lists),
        Value::Array(items) => {
            items.iter_mut().for_each(sort_lists);
            items.sort_by_key(|item| item.get("name").unwrap_or(item).to_string());
        }
        _ => {}
    }
}
