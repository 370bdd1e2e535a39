//! Strategic merge: one small case for each thing that a patch can say.

use serde_json::{Value, json};
use tidegate_patch::strategic;

/// Puts fields into the pod of a Deployment, patches it, and returns the fields that the pod has then.
fn check_pod(target: Value, patch: Value, expected: Value) {
    let deployment = |pod: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": pod}},
        })
    };
    let patched = strategic::apply(deployment(target), &deployment(patch))
        .expect("applies")
        .expect("not deleted");
    // As text: the order of keys counts.
    assert_eq!(
        patched["spec"]["template"]["spec"].to_string(),
        expected.to_string()
    );
}

#[test]
fn items_of_the_patch_come_first_in_its_order() {
    check_pod(
        json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}),
        json!({"containers": [{"name": "c", "image": "i"}, {"name": "n"}, {"name": "b"}]}),
        json!({"containers": [{"name": "c", "image": "i"}, {"name": "n"}, {"name": "b"}, {"name": "a"}]}),
    );
}
