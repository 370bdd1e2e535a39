//! Rules of an authorization policy: who may call.
//!
//! They mirror Istio's `rules[].from[].source`, save that a principal may be written as a namespace and the names of service
//! accounts in it; everything else is passed on as it is. Source: the GAP canary guide; Istio reference, "Authorization
//! Policy".

use serde_json::{Value, json};

use super::reader::{Node, Reader};

/// Checks the `rules` of a policy; `None` where there are none. An empty list admits nobody.
pub(super) fn read<'a>(reader: &mut Reader<'a>, policy: Option<Node<'a>>) -> Option<Vec<Value>> {
    let policy = policy?;
    reader.known_map(&policy, &["rules"])?;
    let rules = reader.items(&policy.child("rules")?)?;
    for rule in &rules {
        check_rule(reader, rule);
    }
    Some(rules.iter().map(|rule| rule.value.clone()).collect())
}

fn check_rule<'a>(reader: &mut Reader<'a>, rule: &Node<'a>) {
    reader.known_map(rule, &["from", "to", "when"]);
    let from = rule
        .child("from")
        .and_then(|from| reader.items(&from))
        .unwrap_or_default();
    for entry in from {
        if reader.map(&entry).is_none() {
            continue;
        }
        let Some(source) = entry.child("source") else {
            reader.report_missing(&entry, "source", "{principals: […]}");
            continue;
        };
        let principals = source
            .child("principals")
            .and_then(|principals| reader.items(&principals));
        for principal in principals
            .into_iter()
            .flatten()
            .filter(|principal| !principal.value.is_string())
        {
            check_principal(reader, &principal);
        }
    }
}

fn check_principal<'a>(reader: &mut Reader<'a>, principal: &Node<'a>) {
    if reader
        .known_map(principal, &["namespace", "serviceAccountName"])
        .is_none()
    {
        return;
    }
    match principal.child("namespace") {
        Some(namespace) => {
            reader.text(&namespace);
        }
        None => reader.report_missing(principal, "namespace", "ingress-nginx"),
    }
    match principal.child("serviceAccountName") {
        Some(name) if name.value.is_string() => {}
        Some(names) => {
            reader.texts(&names);
        }
        None => reader.report_missing(principal, "serviceAccountName", "[\"ingress-nginx\"]"),
    }
}

/// The rule that admits the ingress controller. Source: the GAP canary guide, which names its service account.
pub(crate) fn ingress_rule() -> Value {
    let principal = json!({"namespace": "ingress-nginx", "serviceAccountName": ["ingress-nginx"]});
    json!({"from": [{"source": {"principals": [principal]}}]})
}

/// A rule as Istio reads it: each pair of namespace and service account as a principal of the mesh.
pub(crate) fn rendered(rule: &Value, trust_domain: &str) -> Value {
    let mut rule = rule.clone();
    let from = rule.get_mut("from").and_then(Value::as_array_mut);
    for entry in from.into_iter().flatten() {
        let Some(principals) = entry.pointer_mut("/source/principals") else {
            continue;
        };
        if let Value::Array(list) = principals {
            *list = list
                .iter()
                .flat_map(|principal| identities(principal, trust_domain))
                .collect();
        }
    }
    rule
}

fn identities(principal: &Value, trust_domain: &str) -> Vec<Value> {
    let Some(namespace) = principal.get("namespace").and_then(Value::as_str) else {
        return vec![principal.clone()];
    };
    let names = match principal.get("serviceAccountName") {
        Some(Value::Array(names)) => names.as_slice(),
        Some(name) => std::slice::from_ref(name),
        None => &[],
    };
    let names = names.iter().filter_map(Value::as_str);
    names
        .map(|name| json!(format!("{trust_domain}/ns/{namespace}/sa/{name}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_becomes_one_principal_for_each_account() {
        let rule = json!({
            "from": [{"source": {
                "principals": [
                    {"namespace": "marketing", "serviceAccountName": ["newsletter", "reports"]},
                    {"namespace": "shop", "serviceAccountName": "search"},
                    "cluster.local/ns/a/sa/b",
                ],
                "ipBlocks": ["10.0.0.0/8"],
            }}],
            "to": [{"operation": {"methods": ["GET"]}}],
            "when": [{"key": "request.headers[x]", "values": ["y"]}],
        });
        let expected = json!({
            "from": [{"source": {
                "principals": [
                    "td/ns/marketing/sa/newsletter",
                    "td/ns/marketing/sa/reports",
                    "td/ns/shop/sa/search",
                    "cluster.local/ns/a/sa/b",
                ],
                "ipBlocks": ["10.0.0.0/8"],
            }}],
            "to": [{"operation": {"methods": ["GET"]}}],
            "when": [{"key": "request.headers[x]", "values": ["y"]}],
        });
        assert_eq!(rendered(&rule, "td"), expected);
    }
}
