//! Routes of App Mesh for the requests that a release chooses.
//!
//! Source: aws-app-mesh-controller-for-k8s, `HTTPRoute` and `Route` in both APIs: `priority` 0 to 1000 and the lowest first,
//! without one last; up to 10 headers, their names up to 50 and their values up to 255 characters.

use serde_json::{Value, json};

use super::{AppMesh, PROTOCOLS};
use crate::preview::{Both, Pattern, RequestMatch};
use crate::provider::backends::Rules;

/// The protocols that carry headers and paths.
const HTTP: [&str; 4] = ["http", "http2", "httpRoute", "http2Route"];

/// The last place in the order of routes.
const LAST: u64 = 1000;

impl Rules for AppMesh {
    fn place(&self) -> &'static str {
        "/spec/routes"
    }

    fn chosen(
        &self,
        rules: &[Value],
        rule_index: usize,
        _is_split: &[bool],
        matches: &[RequestMatch],
    ) -> Result<Vec<Value>, String> {
        let route = &rules[rule_index];
        let protocol = PROTOCOLS
            .into_iter()
            .find(|protocol| route.get(*protocol).is_some());
        let Some(protocol) = protocol.filter(|protocol| HTTP.contains(protocol)) else {
            let protocol = protocol.unwrap_or("no protocol");
            return Err(format!("is of `{protocol}`, whose requests cannot be chosen"));
        };
        let own = route.get(protocol).and_then(|rule| rule.get("match"));
        let own = own.cloned().unwrap_or_else(|| json!({}));
        let mut found = Vec::new();
        for wanted in matches {
            if let Some(both) = both(&own, wanted)?
                && !found.contains(&both)
            {
                found.push(both);
            }
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut priorities = before(rules, rule_index, found.len())?;
        let name = route.get("name").and_then(Value::as_str).unwrap_or("route");
        let chosen = found.into_iter().enumerate().map(|(index, matched)| {
            let mut chosen = route.clone();
            let name = match index {
                0 => format!("{name}-preview"),
                _ => format!("{name}-preview-{}", index + 1),
            };
            chosen["name"] = json!(name);
            chosen["priority"] = json!(priorities.next());
            chosen[protocol]["match"] = matched;
            chosen
        });
        Ok(chosen.collect())
    }
}

/// Free numbers right before a route's.
///
/// Errors: there are not enough of them, or none that is right.
fn before(routes: &[Value], route_index: usize, count: usize) -> Result<std::ops::Range<u64>, String> {
    let priority = |route: &Value| route.get("priority").and_then(Value::as_u64);
    let others = routes
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != route_index);
    let end = match priority(&routes[route_index]) {
        Some(own) => own,
        None if others.clone().any(|(_, other)| priority(other).is_none()) => {
            let reason = "has no `priority`, nor has another, so that none can be put before it alone";
            return Err(reason.to_owned());
        }
        None => LAST + 1,
    };
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let is_free = |start: &u64| {
        let mut taken = others.clone().filter_map(|(_, other)| priority(other));
        !taken.any(|taken| (*start..end).contains(&taken))
    };
    let start = end.checked_sub(count).filter(is_free);
    start.map(|start| start..end).ok_or_else(|| {
        format!("leaves no `priority` free before its own: {count} are needed right below {end}")
    })
}

/// What a route matches, and one kind of requests.
fn both(own: &Value, wanted: &RequestMatch) -> Result<Option<Value>, String> {
    let mut both = own.as_object().cloned().unwrap_or_default();
    if let Some(uri) = &wanted.uri {
        if own.get("path").is_some() || !matches!(uri, Pattern::Prefix(_)) {
            return Err(format!(
                "is told apart by how a path begins, which `{uri}` is not"
            ));
        }
        let start = own.get("prefix").and_then(Value::as_str).unwrap_or("/");
        match Pattern::Prefix(start.to_owned()).and(uri) {
            Both::Pattern(pattern) => drop(both.insert("prefix".to_owned(), json!(pattern.parts().1))),
            _ => return Ok(None),
        }
    }
    for (name, pattern) in wanted.headers() {
        let (kind, text) = pattern.parts();
        if name.len() > 50 || text.len() > 255 {
            return Err(format!(
                "can match headers up to 50 and values up to 255 characters, and `{name}` is longer"
            ));
        }
        let headers = both.entry("headers").or_insert_with(|| json!([]));
        let Some(headers) = headers.as_array_mut() else {
            return Err("matches headers that are no list".to_owned());
        };
        let is_same = |other: &Value| {
            let other = other.get("name").and_then(Value::as_str);
            other.is_some_and(|other| other.eq_ignore_ascii_case(&name))
        };
        if headers.iter().any(is_same) {
            return Err(format!("matches the header `{name}` already"));
        }
        headers.push(json!({"name": name, "match": {kind: text}}));
        if headers.len() > 10 {
            return Err("would match more than 10 headers".to_owned());
        }
    }
    Ok(Some(Value::Object(both)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(routes: &Value) -> Result<Vec<Value>, String> {
        let routes = routes.as_array().expect("routes");
        let matches = [
            RequestMatch::parse("header:end-user=jason").expect("a match"),
            RequestMatch::parse("uri:/beta*").expect("a match"),
        ];
        AppMesh.chosen(routes, 0, &vec![true; routes.len()], &matches)
    }

    #[test]
    fn each_kind_of_requests_has_a_route_of_its_own_before_the_others() {
        let routes = json!([
            {"name": "a", "priority": 20, "httpRoute": {"match": {"prefix": "/"}, "action": {}}},
            {"name": "b", "httpRoute": {"match": {"prefix": "/b"}, "action": {}}},
        ]);
        let expected = json!([
            {"name": "a-preview", "priority": 18, "httpRoute": {
                "match": {"prefix": "/", "headers": [{"name": "end-user", "match": {"exact": "jason"}}]},
                "action": {},
            }},
            {"name": "a-preview-2", "priority": 19, "httpRoute": {"match": {"prefix": "/beta"}, "action": {}}},
        ]);
        assert_eq!(chosen(&routes).map(Value::Array), Ok(expected));
    }

    #[test]
    fn without_a_place_before_it_a_route_is_refused() {
        let route =
            |priority: u64| json!({"name": "a", "priority": priority, "http": {"match": {"prefix": "/"}}});
        assert!(chosen(&json!([route(20), route(18)])).is_err());
        assert!(chosen(&json!([route(1)])).is_err());
        assert!(chosen(&json!([route(20), route(17)])).is_ok());
        let plain = json!({"name": "a", "http": {"match": {"prefix": "/"}}});
        assert!(chosen(&json!([plain.clone()])).is_ok());
        assert!(chosen(&json!([plain.clone(), plain])).is_err());
        assert!(chosen(&json!([{"name": "a", "tcp": {}}])).is_err());
    }
}
