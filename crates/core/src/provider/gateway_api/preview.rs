//! Rules of an HTTPRoute for the requests that a release chooses, and copies of others.
//!
//! Sources: Gateway API reference, `HTTPRouteMatch` (header matches by regular expression are implementation-specific, paths
//! begin by whole elements), `HTTPRouteRule` (the most specific match wins, wherever it stands; at most 16 rules, and 64
//! matches in one), `HTTPRequestMirrorFilter` (`percent` since 1.3).

use std::cmp::Reverse;

use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};

use super::GatewayApi;
use super::traffic::{Match, is_below};
use crate::model::Weight;
use crate::preview::{Both, Pattern, RequestMatch};
use crate::provider::backends::Rules;

/// The most rules of a route, and matches of a rule.
const MOST: (usize, usize) = (16, 64);

impl Rules for GatewayApi {
    fn place(&self) -> &'static str {
        "/spec/rules"
    }

    fn chosen(
        &self,
        rules: &[Value],
        rule_index: usize,
        is_split: &[bool],
        matches: &[RequestMatch],
    ) -> Result<Vec<Value>, String> {
        let rule = &rules[rule_index];
        let mut alternatives: Vec<Value> = Vec::new();
        for wanted in matches {
            for own in own_matches(rule) {
                let Some(both) = both(&own, wanted)? else {
                    continue;
                };
                if let Some(index) = cut_off(rules, rule_index, is_split, &own, &both) {
                    return Err(format!(
                        "would take requests of rule {}, since the more specific match wins",
                        index + 1
                    ));
                }
                if !alternatives.contains(&both) {
                    alternatives.push(both);
                }
            }
        }
        let Some(fields) = rule.as_object().filter(|_| !alternatives.is_empty()) else {
            return Ok(Vec::new());
        };
        let split = is_split.iter().filter(|is_split| **is_split).count();
        if rules.len() + split > MOST.0 || alternatives.len() > MOST.1 {
            let (rules, matches) = MOST;
            return Err(format!(
                "would need more than {rules} rules or {matches} matches, which no route can have"
            ));
        }
        let mut chosen = Map::new();
        if let Some(name) = fields.get("name").and_then(Value::as_str) {
            chosen.insert("name".to_owned(), json!(format!("{name}-preview")));
        }
        chosen.insert("matches".to_owned(), Value::Array(alternatives));
        for (key, value) in fields {
            chosen.entry(key.clone()).or_insert_with(|| value.clone());
        }
        Ok(vec![Value::Object(chosen)])
    }

    fn can_copy(&self) -> bool {
        true
    }

    fn copied_to(&self, rule: &Value) -> Vec<(Value, Vec<PointerBuf>)> {
        let filters = rule.get("filters").and_then(Value::as_array);
        let filters = filters.map_or(&[][..], Vec::as_slice);
        let copied = filters.iter().enumerate().filter_map(|(index, filter)| {
            let backend = filter.pointer("/requestMirror/backendRef")?;
            let place = match filters.len() {
                1 => PointerBuf::from_tokens(["filters"]),
                _ => PointerBuf::from_tokens(["filters", &index.to_string()]),
            };
            Some((backend.clone(), vec![place]))
        });
        copied.collect()
    }

    fn copy(&self, rule: &mut Value, entry: &Value, share: Weight) {
        let mut backend = entry.clone();
        if let Some(backend) = backend.as_object_mut() {
            backend.shift_remove("weight");
            backend.shift_remove("filters");
        }
        let mut mirror = json!({"backendRef": backend});
        if share != Weight::FULL {
            mirror["percent"] = json!(share.percent());
        }
        let filter = json!({"type": "RequestMirror", "requestMirror": mirror});
        match rule.get_mut("filters").and_then(Value::as_array_mut) {
            Some(filters) => filters.push(filter),
            None => drop(
                rule.as_object_mut()
                    .map(|rule| rule.insert("filters".to_owned(), json!([filter]))),
            ),
        }
    }
}

/// What a rule matches; without a word about it, everything.
fn own_matches(rule: &Value) -> Vec<Value> {
    match rule.get("matches").and_then(Value::as_array) {
        Some(own) if !own.is_empty() => own.clone(),
        _ => vec![json!({})],
    }
}

/// One alternative of a rule's, and one kind of requests.
fn both(own: &Value, wanted: &RequestMatch) -> Result<Option<Value>, String> {
    let mut both = own.as_object().cloned().unwrap_or_default();
    if let Some(uri) = &wanted.uri {
        match path(own.get("path"), uri) {
            Both::Pattern(pattern) => {
                let (kind, value) = match &pattern {
                    Pattern::Exact(path) => ("Exact", path),
                    Pattern::Prefix(path) => ("PathPrefix", path),
                    Pattern::Regex(path) => ("RegularExpression", path),
                };
                both.insert("path".to_owned(), json!({"type": kind, "value": value}));
            }
            Both::Nothing => return Ok(None),
            Both::Unsayable => {
                return Err(format!(
                    "matches paths in a way that does not go together with `{uri}`"
                ));
            }
        }
    }
    for (name, pattern) in wanted.headers() {
        let header = match &pattern {
            Pattern::Exact(value) => json!({"name": name, "value": value}),
            other => json!({"type": "RegularExpression", "name": name, "value": other.regex()}),
        };
        let headers = both.entry("headers").or_insert_with(|| json!([]));
        let Some(headers) = headers.as_array_mut() else {
            return Err("matches headers that are no list".to_owned());
        };
        let same = headers.iter().find(|other| {
            let other = other.get("name").and_then(Value::as_str);
            other.is_some_and(|other| other.eq_ignore_ascii_case(&name))
        });
        match same.map(|same| header_pattern(same).and(&header_pattern(&header))) {
            None => headers.push(header),
            Some(Both::Pattern(_)) => {}
            Some(Both::Nothing) => return Ok(None),
            Some(Both::Unsayable) => {
                return Err(format!(
                    "matches the header `{name}` in a way that does not go together with the release's"
                ));
            }
        }
    }
    Ok(Some(Value::Object(both)))
}

fn header_pattern(header: &Value) -> Pattern {
    let text = |key: &str| {
        header
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match text("type").as_str() {
        "RegularExpression" => Pattern::Regex(text("value")),
        _ => Pattern::Exact(text("value")),
    }
}

/// The path of a rule, if it says one, and another.
fn path(own: Option<&Value>, wanted: &Pattern) -> Both {
    let text = |key: &str| Some(own?.get(key)?.as_str()?.to_owned());
    let value = text("value").unwrap_or_else(|| "/".to_owned());
    let own = match text("type").as_deref() {
        Some("Exact") => Pattern::Exact(value),
        Some("RegularExpression") => Pattern::Regex(value),
        // Every path begins so.
        _ if value == "/" => return Both::Pattern(wanted.clone()),
        _ => Pattern::Prefix(value),
    };
    let narrower = |pattern: &Pattern| Both::Pattern(pattern.clone());
    match (&own, wanted) {
        (Pattern::Prefix(start), Pattern::Exact(path) | Pattern::Prefix(path)) if is_below(path, start) => {
            narrower(wanted)
        }
        (Pattern::Exact(path) | Pattern::Prefix(path), Pattern::Prefix(start)) if is_below(path, start) => {
            narrower(&own)
        }
        (Pattern::Prefix(_), Pattern::Exact(_) | Pattern::Prefix(_))
        | (Pattern::Exact(_), Pattern::Prefix(_)) => Both::Nothing,
        _ => own.and(wanted),
    }
}

/// A rule of others that wins over one alternative of a rule and not over the same with more to match.
fn cut_off(
    rules: &[Value],
    rule_index: usize,
    is_split: &[bool],
    own: &Value,
    both: &Value,
) -> Option<usize> {
    let rank = |matched: &Match, index: usize| (matched.specificity(), Reverse(index));
    let (own, both) = (Match::read(own), Match::read(both));
    let is_between = |other: &Match, index: usize| {
        let other_rank = rank(other, index);
        rank(&own, rule_index) < other_rank && other_rank < rank(&both, rule_index) && other.meets(&both)
    };
    let others = rules.iter().enumerate().filter(|(index, _)| !is_split[*index]);
    let mut others =
        others.flat_map(|(index, rule)| own_matches(rule).into_iter().map(move |own| (index, own)));
    others.find_map(|(index, other)| is_between(&Match::read(&other), index).then_some(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matches of the rule for the chosen requests of the last rule, the only one that is split.
    fn chosen(rules: &Value, matches: &[&str]) -> Result<Value, String> {
        let rules = rules.as_array().expect("rules");
        let matches: Vec<_> = matches
            .iter()
            .map(|text| RequestMatch::parse(text).expect("a match"))
            .collect();
        let last = rules.len() - 1;
        let is_split: Vec<bool> = (0..rules.len()).map(|index| index == last).collect();
        let mut chosen = GatewayApi.chosen(rules, last, &is_split, &matches)?;
        Ok(chosen.pop().map_or(Value::Null, |rule| rule["matches"].clone()))
    }

    #[test]
    fn paths_go_by_elements_and_other_patterns_are_regular_expressions() {
        let rules =
            json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/be"}}, {"method": "GET"}]}]);
        let expected = json!([
            {"method": "GET", "path": {"type": "PathPrefix", "value": "/beta"}},
            {"path": {"type": "PathPrefix", "value": "/be"},
             "headers": [{"type": "RegularExpression", "name": "agent", "value": "^curl.*$"}]},
            {"method": "GET", "headers": [{"type": "RegularExpression", "name": "agent", "value": "^curl.*$"}]},
        ]);
        assert_eq!(
            chosen(&rules, &["uri:/beta*", "header:agent=curl*"]),
            Ok(expected)
        );
    }

    /// The most specific match wins, wherever it stands.
    #[test]
    fn requests_of_other_rules_are_not_taken() {
        let other = |matched: Value| json!([{"matches": [matched]}, {}]);
        let path = |path: &str| json!({"path": {"type": "PathPrefix", "value": path}});
        let taken = "would take requests of rule 1, since the more specific match wins";
        for (rules, matches, expected) in [
            (other(path("/a")), "uri:/a/b*", Err(taken)),
            (other(path("/a/b/c")), "uri:/a/b*", Ok(())),
            (other(path("/c")), "uri:/a/b*", Ok(())),
            (other(path("/a")), "header:a=b", Ok(())),
            (
                other(json!({"headers": [{"name": "x", "value": "y"}]})),
                "header:a=b",
                Ok(()),
            ),
            (other(json!({"method": "GET"})), "uri:/a*", Err(taken)),
        ] {
            let found = chosen(&rules, &[matches]).map(drop);
            assert_eq!(found, expected.map_err(str::to_owned), "{rules} {matches}");
        }
    }

    #[test]
    fn copies_come_and_go_with_their_filter() {
        let entry = json!({"name": "web-v2", "port": 80, "weight": 0});
        for mut rule in [
            json!({"backendRefs": []}),
            json!({"filters": [{"type": "URLRewrite"}]}),
        ] {
            let before = rule.clone();
            GatewayApi.copy(&mut rule, &entry, Weight::FULL);
            let copied = GatewayApi.copied_to(&rule);
            let (backend, places) = &copied[0];
            assert_eq!(*backend, json!({"name": "web-v2", "port": 80}));
            let filters = rule["filters"].as_array().expect("filters").len();
            let place = match before.get("filters") {
                Some(_) => format!("/filters/{}", filters - 1),
                None => "/filters".to_owned(),
            };
            assert_eq!(places[0].as_str(), place);
        }
    }
}
