//! RFC 6902 and RFC 7396.

use serde_json::Value;
use tidegate_patch::{json_patch, merge_patch};

use crate::vectors;

#[test]
fn json_patch_follows_rfc_6902() {
    for case in vectors::json("json-patch/spec_tests.json") {
        if case["disabled"] == true || case["patch"].is_null() {
            continue;
        }
        let result = json_patch::apply(case["doc"].clone(), &case["patch"]);
        match case.get("expected") {
            Some(expected) => assert_eq!(result.as_ref(), Ok(expected), "{}", case["comment"]),
            None => assert!(
                result.is_err(),
                "{}: {result:?} instead of {}",
                case["comment"],
                case["error"]
            ),
        }
    }
}

#[test]
fn merge_patch_follows_rfc_7396() {
    for case in vectors::json("merge-patch/rfc7396.json") {
        let result: Result<Value, _> = merge_patch::apply(case["original"].clone(), &case["patch"]);
        assert_eq!(result.as_ref(), Ok(&case["result"]), "{case}");
    }
}
