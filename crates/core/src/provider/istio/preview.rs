//! Rules of an `http` list for the requests that a release chooses, and copies of others: what Istio, and who writes its
//! objects, have in common.
//!
//! Source: Istio reference, "Virtual Service" (`HTTPMatchRequest`: alternatives are ORed, what one says is ANDed;
//! `mirror`, `mirrorPercentage`).

use serde_json::{Map, Value, json};

use crate::model::Weight;
use crate::preview::{Both, Pattern, RequestMatch};

/// A rule once more, for those of its requests that are of one of some kinds: it stands before the rule, since the first
/// that matches wins. `None` where no request is of both.
///
/// Errors: what one match cannot say, to follow "route 1 of VirtualService/x".
pub(in crate::provider) fn chosen(rule: &Value, matches: &[RequestMatch]) -> Result<Option<Value>, String> {
    let Some(fields) = rule.as_object() else {
        return Ok(None);
    };
    let anything = [json!({})];
    let own = match fields.get("match").and_then(Value::as_array) {
        Some(own) if !own.is_empty() => own.as_slice(),
        _ => &anything,
    };
    let mut alternatives: Vec<Value> = Vec::new();
    for wanted in matches {
        for own in own {
            if let Some(both) = both(own, wanted)?
                && !alternatives.contains(&both)
            {
                alternatives.push(both);
            }
        }
    }
    if alternatives.is_empty() {
        return Ok(None);
    }
    let mut chosen = Map::new();
    if let Some(name) = fields.get("name").and_then(Value::as_str) {
        chosen.insert("name".to_owned(), json!(format!("{name}-preview")));
    }
    chosen.insert("match".to_owned(), Value::Array(alternatives));
    for (key, value) in fields {
        chosen.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Ok(Some(Value::Object(chosen)))
}

/// One alternative of a rule's, and one kind of requests.
fn both(own: &Value, wanted: &RequestMatch) -> Result<Option<Value>, String> {
    let mut both = own.as_object().cloned().unwrap_or_default();
    if let Some(uri) = &wanted.uri {
        if own.get("ignoreUriCase").and_then(Value::as_bool) == Some(true) {
            return Err("matches paths in any case, which the release does not".to_owned());
        }
        // Every path begins so.
        let own = own.get("uri").filter(|own| **own != json!({"prefix": "/"}));
        match combined(own, uri) {
            Both::Pattern(pattern) => drop(both.insert("uri".to_owned(), text_match(&pattern))),
            Both::Nothing => return Ok(None),
            Both::Unsayable => {
                return Err(format!(
                    "matches paths in a way that does not go together with `{uri}`"
                ));
            }
        }
    }
    for (name, pattern) in wanted.headers() {
        let headers = both.entry("headers").or_insert_with(|| json!({}));
        let Some(headers) = headers.as_object_mut() else {
            return Err("matches headers that are no map".to_owned());
        };
        match combined(headers.get(&name), &pattern) {
            Both::Pattern(pattern) => drop(headers.insert(name, text_match(&pattern))),
            Both::Nothing => return Ok(None),
            Both::Unsayable => {
                return Err(format!(
                    "matches the header `{name}` in a way that does not go together with the release's"
                ));
            }
        }
    }
    Ok(Some(Value::Object(both)))
}

/// What a rule says of a text, if it does, and a pattern. An empty match says that the text is there.
fn combined(own: Option<&Value>, wanted: &Pattern) -> Both {
    let text = |kind: &str| Some(own?.get(kind)?.as_str()?.to_owned());
    let own = text("exact").map(Pattern::Exact);
    let own = own.or_else(|| text("prefix").map(Pattern::Prefix));
    match own.or_else(|| text("regex").map(Pattern::Regex)) {
        Some(own) => own.and(wanted),
        None => Both::Pattern(wanted.clone()),
    }
}

fn text_match(pattern: &Pattern) -> Value {
    let (kind, text) = pattern.parts();
    json!({kind: text})
}

/// The destinations that a rule sends copies to.
pub(in crate::provider) fn mirrors(rule: &Value) -> Vec<Value> {
    let several = rule
        .get("mirrors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let several = several.filter_map(|mirror| mirror.get("destination"));
    rule.get("mirror").into_iter().chain(several).cloned().collect()
}

/// Lets a rule send copies of its requests to a destination.
pub(in crate::provider) fn set_mirror(rule: &mut Value, destination: &Value, share: Weight) {
    let Some(fields) = rule.as_object_mut() else {
        return;
    };
    fields.insert("mirror".to_owned(), destination.clone());
    fields.insert("mirrorPercentage".to_owned(), json!({"value": share.percent()}));
}

/// Lets a rule send no copies.
pub(in crate::provider) fn remove_mirror(rule: &mut Value) {
    for field in MIRROR {
        rule.as_object_mut().and_then(|rule| rule.shift_remove(field));
    }
}

/// The fields by which a release lets a rule send copies.
pub(in crate::provider) const MIRROR: [&str; 2] = ["mirror", "mirrorPercentage"];

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(text: &str) -> RequestMatch {
        RequestMatch::parse(text).expect("a match")
    }

    #[test]
    fn a_rule_keeps_all_it_says_and_takes_fewer_requests() {
        let rule = json!({
            "name": "bulk",
            "match": [{"uri": {"prefix": "/bulk"}, "headers": {"tier": {}}}, {"uri": {"exact": "/old"}}],
            "timeout": "30s",
            "route": [{"destination": {"host": "web"}}],
        });
        let chosen = chosen(&rule, &[matched("header:tier=gold"), matched("uri:/bulk/new*")]);
        let expected = json!({
            "name": "bulk-preview",
            "match": [
                {"uri": {"prefix": "/bulk"}, "headers": {"tier": {"exact": "gold"}}},
                {"uri": {"exact": "/old"}, "headers": {"tier": {"exact": "gold"}}},
                {"uri": {"prefix": "/bulk/new"}, "headers": {"tier": {}}},
            ],
            "timeout": "30s",
            "route": [{"destination": {"host": "web"}}],
        });
        assert_eq!(chosen, Ok(Some(expected)));
    }

    #[test]
    fn a_rule_for_every_path_takes_any_of_them() {
        let rule = json!({"match": [{"uri": {"prefix": "/"}}]});
        let wanted = RequestMatch {
            uri: Some(Pattern::Regex("/v[0-9]+/.*".to_owned())),
            ..RequestMatch::default()
        };
        let expected = json!({"match": [{"uri": {"regex": "/v[0-9]+/.*"}}]});
        assert_eq!(chosen(&rule, &[wanted]), Ok(Some(expected)));
    }

    #[test]
    fn a_rule_for_other_requests_has_none_to_choose() {
        let rule = json!({"match": [{"uri": {"exact": "/old"}}]});
        assert_eq!(chosen(&rule, &[matched("uri:/beta*")]), Ok(None));
    }

    #[test]
    fn what_one_match_cannot_say_is_refused() {
        let rule = json!({"match": [{"uri": {"regex": "/b.*"}}]});
        assert!(chosen(&rule, &[matched("uri:/beta*")]).is_err());
        let rule = json!({"match": [{"uri": {"prefix": "/"}, "ignoreUriCase": true}]});
        assert!(chosen(&rule, &[matched("uri:/beta*")]).is_err());
        let rule = json!({"match": [{"headers": {"cookie": {"regex": ".*a=b.*"}}}]});
        assert!(chosen(&rule, &[matched("cookie:canary=always")]).is_err());
    }
}
