//! Label selectors: which pods an object means.
//!
//! Sources: Kubernetes, "Labels and Selectors" (`matchLabels` and `matchExpressions`, all of which must hold; an empty
//! selector means every pod of its namespace); Istio, "Workload Selector" (`labels`, older, and `matchLabels`).

use serde_json::{Map, Value};

/// The selectors by which policies, filters, budgets and the like say which pods they are for.
pub(crate) fn selectors(object: &Value) -> impl Iterator<Item = &Value> {
    let places = ["/spec/selector", "/spec/workloadSelector", "/spec/podSelector"];
    let found = places.into_iter().filter_map(|pointer| object.pointer(pointer));
    found.filter(|selector| selector.is_object())
}

/// Whether a selector means pods with these labels. One without any of the known keys is read as labels alone, as a Service
/// has them. What an unknown operator means nobody can tell: it may mean any pod.
pub(crate) fn selects(selector: &Value, labels: &Map<String, Value>) -> bool {
    let maps = || {
        ["matchLabels", "labels"]
            .into_iter()
            .filter_map(|key| selector.get(key)?.as_object())
    };
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    let has = |wanted: &Map<String, Value>| wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
    if maps().next().is_none() && expressions.is_none() {
        return selector.as_object().is_some_and(has);
    }
    let mut expressions = expressions.into_iter().flatten();
    maps().all(has) && expressions.all(|expression| holds(expression, labels))
}

/// Whether one of a selector's expressions holds. Source: Kubernetes API, `LabelSelectorRequirement`; `NotIn` holds as well
/// where the label is missing.
fn holds(expression: &Value, labels: &Map<String, Value>) -> bool {
    let text = |key: &str| expression.get(key).and_then(Value::as_str);
    let label = text("key").and_then(|key| labels.get(key));
    let values = expression.get("values").and_then(Value::as_array);
    let is_among = || values.is_some_and(|values| label.is_some_and(|label| values.contains(label)));
    match text("operator") {
        Some("In") => is_among(),
        Some("NotIn") => !is_among(),
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_a_selector_asks_for_must_hold() {
        let labels = json!({"app": "web", "version": "v1"});
        let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, selected) in [
            (json!({}), true),
            (json!({"app": "web"}), true),
            (json!({"app": "api"}), false),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "web", "version": "v2"}}), false),
            (json!({"labels": {"version": "v1"}}), true),
            (json!({"labels": {"version": "v2"}}), false),
            (expression("version", "In", &["v1", "v2"]), true),
            (expression("version", "In", &["v2"]), false),
            (expression("tier", "In", &["v1"]), false),
            (expression("version", "NotIn", &["v2"]), true),
            (expression("version", "NotIn", &["v1"]), false),
            (expression("tier", "NotIn", &["v1"]), true),
            (expression("app", "Exists", &[]), true),
            (expression("tier", "Exists", &[]), false),
            (expression("app", "DoesNotExist", &[]), false),
            (expression("tier", "DoesNotExist", &[]), true),
            (expression("app", "Near", &[]), true),
            (
                json!({"matchLabels": {"app": "api"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]}),
                false,
            ),
        ] {
            let labels = labels.as_object().expect("a map");
            assert_eq!(selects(&selector, labels), selected, "{selector}");
        }
    }
}
