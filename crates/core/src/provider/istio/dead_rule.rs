//! Rules of a VirtualService that get no request, since rules before them take all of theirs.
//!
//! Source: Istio, "Virtual Service", `http`: the first rule that matches takes the request; analysis messages IST0130
//! and IST0131.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{NETWORKING, written_at};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Manifest;
use crate::model::Environment;

/// A warning for each rule that gets nothing, a note for each match of another rule that gets nothing.
pub(super) fn find(environment: &Environment) -> Vec<Diagnostic> {
    let services = environment.rendered.of_kind(NETWORKING, "VirtualService");
    services
        .flat_map(|service| find_in(environment, service))
        .collect()
}

fn find_in(environment: &Environment, service: &Manifest) -> Vec<Diagnostic> {
    let http = service.value.pointer("/spec/http").and_then(Value::as_array);
    let at = |path: &[&str]| written_at(environment, service, &["spec", "http"]).below(path);
    let mut taken = Taken::default();
    let mut found = Vec::new();
    for (rule_index, rule) in http.into_iter().flatten().enumerate() {
        let matches = rule.get("match").and_then(Value::as_array);
        let matches: Vec<Match<'_>> = match matches {
            Some(matches) if !matches.is_empty() => matches.iter().map(Match::read).collect(),
            // Without a match it takes everything.
            _ => vec![Match::read(&Value::Null)],
        };
        let takers: Vec<Option<usize>> = matches.iter().map(|matched| taken.by(matched)).collect();
        let number = rule_index + 1;
        let index = rule_index.to_string();
        let is_dead = takers.iter().all(Option::is_some);
        if let Some(taker) = takers.iter().flatten().min().filter(|_| is_dead) {
            let by = match takers.iter().all(|other| *other == Some(*taker)) {
                true => format!("route {} takes them all", taker + 1),
                false => "routes before it take them all".to_owned(),
            };
            let message = format!("route {number} of {} gets no requests: {by}", service.object);
            let dead = Diagnostic::warning(Code::DeadRule, message)
                .at(at(&[&index]))
                .related(at(&[&taker.to_string()]), "takes them");
            found.push(dead.hint(format!("move it before route {}, or take it out", taker + 1)));
            continue;
        }
        let dead = takers.iter().enumerate();
        for (match_index, taker) in dead.filter_map(|(index, taker)| Some((index, (*taker)?))) {
            let message = format!(
                "match {} of route {number} of {} gets no requests: route {} takes them all",
                match_index + 1,
                service.object,
                taker + 1
            );
            let dead = Diagnostic::note(Code::DeadRule, message)
                .at(at(&[&index, "match", &match_index.to_string()]))
                .related(at(&[&taker.to_string()]), "takes them");
            found.push(dead.hint("take it out, or move its route up"));
        }
        matches
            .into_iter()
            .for_each(|matched| taken.add(matched, rule_index));
    }
    found
}

/// One alternative of a rule's `match`.
struct Match<'a> {
    uri: Uri<'a>,
    /// Everything else that it asks for, as text; equal for equal conditions.
    others: String,
}

enum Uri<'a> {
    Any,
    Exact(&'a str),
    Prefix(&'a str),
    /// A regular expression, or without regard to case: known to cover itself only.
    Other(String),
}

impl<'a> Match<'a> {
    fn read(value: &'a Value) -> Self {
        let fields = value.as_object();
        let field = |key: &str| fields.and_then(|fields| fields.get(key));
        let uri = field("uri").filter(|uri| !uri.is_null());
        let text = |kind: &str| uri.and_then(|uri| uri.get(kind)?.as_str());
        let ignores_case = field("ignoreUriCase") == Some(&Value::Bool(true));
        let uri = match (uri, text("exact"), text("prefix")) {
            // Every path begins so.
            (None, ..) | (_, None, Some("" | "/")) => Uri::Any,
            (_, Some(exact), _) if !ignores_case => Uri::Exact(exact),
            (_, None, Some(prefix)) if !ignores_case => Uri::Prefix(prefix),
            (Some(uri), ..) => Uri::Other(canonical(json!([uri, ignores_case]))),
        };
        // Names of a match decide nothing.
        let is_condition = |key: &str| !["uri", "ignoreUriCase", "name", "statPrefix"].contains(&key);
        let others = fields.into_iter().flatten();
        let others = others.filter(|(key, _)| is_condition(key));
        let others: Map<String, Value> = others.map(|(key, value)| (key.clone(), value.clone())).collect();
        Self {
            uri,
            others: canonical(others.into()),
        }
    }
}

fn canonical(mut value: Value) -> String {
    value.sort_all_objects();
    value.to_string()
}

/// What the rules so far take, with the index of the first that does.
#[derive(Default)]
struct Taken<'a> {
    by_others: BTreeMap<String, Uris<'a>>,
}

/// The paths that matches with the same other conditions take.
#[derive(Default)]
struct Uris<'a> {
    any: Option<usize>,
    exact: BTreeMap<&'a str, usize>,
    /// No key is a prefix of another.
    prefixes: BTreeMap<&'a str, usize>,
    other: BTreeMap<String, usize>,
}

impl<'a> Taken<'a> {
    /// The rule that takes every request of a match: one that asks for the same besides the path, or for nothing.
    fn by(&self, matched: &Match<'_>) -> Option<usize> {
        let keys = ["{}", matched.others.as_str()];
        let takers = keys
            .into_iter()
            .filter_map(|key| self.by_others.get(key)?.by(&matched.uri));
        takers.min()
    }

    fn add(&mut self, matched: Match<'a>, rule_index: usize) {
        self.by_others
            .entry(matched.others)
            .or_default()
            .add(matched.uri, rule_index);
    }
}

impl<'a> Uris<'a> {
    fn by(&self, uri: &Uri<'_>) -> Option<usize> {
        self.any.or_else(|| match uri {
            Uri::Any => None,
            Uri::Exact(text) => self.exact.get(text).copied().or_else(|| self.by_prefix(text)),
            Uri::Prefix(text) => self.by_prefix(text),
            Uri::Other(text) => self.other.get(text).copied(),
        })
    }

    /// The prefix of a text, if there is one, is the last that does not come after it: what lies between the two begins
    /// with it as well, and then it would not be here.
    fn by_prefix(&self, text: &str) -> Option<usize> {
        let (prefix, rule_index) = self.prefixes.range(..=text).next_back()?;
        text.starts_with(prefix).then_some(*rule_index)
    }

    fn add(&mut self, uri: Uri<'a>, rule_index: usize) {
        match uri {
            Uri::Any => {
                self.any.get_or_insert(rule_index);
            }
            Uri::Exact(text) => {
                self.exact.entry(text).or_insert(rule_index);
            }
            Uri::Prefix(text) if self.by_prefix(text).is_some() => {}
            Uri::Prefix(text) => {
                while let Some((longer, _)) = self.prefixes.range(text..).next()
                    && longer.starts_with(text)
                {
                    let longer = *longer;
                    self.prefixes.remove(longer);
                }
                self.prefixes.insert(text, rule_index);
            }
            Uri::Other(text) => {
                self.other.entry(text).or_insert(rule_index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diagnostic::{Location, Severity};
    use crate::manifest::{ManifestSet, ObjectRef};
    use crate::repo::RepoPath;

    fn found(http: &Value) -> Vec<Diagnostic> {
        let value = json!({"spec": {"http": http}});
        let routes = Manifest {
            object: ObjectRef::new("networking.istio.io/v1", "VirtualService", "web"),
            value,
            origin: Location::value(&RepoPath::root().join("routes.yaml"), 0, &[]),
        };
        find(&Environment {
            name: "staging".to_owned(),
            base: Vec::new(),
            parts: indexmap::IndexMap::new(),
            patches: Vec::new(),
            rendered: ManifestSet::new(vec![routes]),
        })
    }

    /// The `match` of a rule is left out where it is null. What is expected: for each rule that gets nothing its index
    /// and that of the rule that takes its requests.
    fn dead(matches: &[Value]) -> Vec<(usize, usize)> {
        let rules = matches.iter().map(|matched| match matched {
            Value::Null => json!({"route": []}),
            _ => json!({"match": matched}),
        });
        let warnings = found(&rules.collect()).into_iter();
        let warnings = warnings.filter(|diagnostic| diagnostic.severity == Severity::Warning);
        let index = |location: &Location| {
            let last = location.pointer().and_then(|pointer| pointer.tokens().nth(2));
            last.and_then(|token| token.decoded().parse().ok())
                .expect("an index")
        };
        warnings
            .map(|diagnostic| {
                let at = diagnostic.location.as_ref().expect("a place");
                (index(at), index(&diagnostic.related[0].0))
            })
            .collect()
    }

    #[test]
    fn a_rule_is_dead_where_rules_before_it_take_everything() {
        let exact = |path: &str| json!([{"uri": {"exact": path}}]);
        let prefix = |path: &str| json!([{"uri": {"prefix": path}}]);
        let check = |name: &str, matches: &[Value], expected: &[(usize, usize)]| {
            assert_eq!(dead(matches), expected, "{name}");
        };
        check("one catches all, at the end", &[prefix("/a"), Value::Null], &[]);
        check(
            "after one that catches all",
            &[Value::Null, prefix("/a"), Value::Null],
            &[(1, 0), (2, 0)],
        );
        check("an empty list catches all", &[json!([]), prefix("/a")], &[(1, 0)]);
        check(
            "an empty match catches all",
            &[json!([{}]), prefix("/a")],
            &[(1, 0)],
        );
        check("the prefix of every path", &[prefix("/"), Value::Null], &[(1, 0)]);
        check("the same path", &[exact("/a"), exact("/a")], &[(1, 0)]);
        check("another path", &[exact("/a"), exact("/b")], &[]);
        check("a path below a prefix", &[prefix("/a"), exact("/a/b")], &[(1, 0)]);
        check("a prefix after its path", &[exact("/a"), prefix("/a")], &[]);
        check("a longer prefix first", &[prefix("/a/b"), prefix("/a")], &[]);
        check(
            "a longer prefix after",
            &[prefix("/a"), prefix("/a/b")],
            &[(1, 0)],
        );
        check(
            "a prefix between",
            &[prefix("/a/b"), prefix("/a"), prefix("/a/c")],
            &[(2, 1)],
        );
        check(
            "neighbours of a prefix",
            &[prefix("/b"), prefix("/a"), exact("/ab"), exact("/c")],
            &[(2, 1)],
        );
        check(
            "the same pattern",
            &[
                json!([{"uri": {"regex": "/a.*"}}]),
                json!([{"uri": {"regex": "/a.*"}}]),
            ],
            &[(1, 0)],
        );
        check(
            "what a pattern takes is not known",
            &[json!([{"uri": {"regex": "/.*"}}]), prefix("/a")],
            &[],
        );
        check(
            "with regard to case after without",
            &[
                json!([{"uri": {"prefix": "/a"}, "ignoreUriCase": true}]),
                prefix("/a/b"),
            ],
            &[],
        );
        check(
            "without regard to case after with",
            &[
                prefix("/a"),
                json!([{"uri": {"prefix": "/a"}, "ignoreUriCase": true}]),
            ],
            &[],
        );
        check(
            "one more condition",
            &[
                prefix("/a"),
                json!([{"uri": {"prefix": "/a"}, "method": {"exact": "GET"}}]),
            ],
            &[(1, 0)],
        );
        check(
            "one condition less",
            &[
                json!([{"uri": {"prefix": "/a"}, "method": {"exact": "GET"}}]),
                prefix("/a"),
            ],
            &[],
        );
        check(
            "the same conditions in another order, and a name",
            &[
                json!([{"method": {"exact": "GET"}, "port": 80}]),
                json!([{"name": "it", "port": 80, "uri": {"exact": "/a"}, "method": {"exact": "GET"}}]),
            ],
            &[(1, 0)],
        );
        check(
            "other conditions",
            &[json!([{"port": 80}]), json!([{"port": 81}])],
            &[],
        );
        check(
            "each match by another rule",
            &[
                prefix("/a"),
                prefix("/b"),
                json!([{"uri": {"exact": "/b/1"}}, {"uri": {"exact": "/a/1"}}]),
            ],
            &[(2, 0)],
        );
        check(
            "one match is left",
            &[
                prefix("/a"),
                json!([{"uri": {"exact": "/a/1"}}, {"uri": {"exact": "/b"}}]),
            ],
            &[],
        );
    }

    #[test]
    fn a_match_that_gets_nothing_is_noted() {
        let http = json!([
            {"match": [{"uri": {"prefix": "/a"}}]},
            {"match": [{"uri": {"prefix": "/b"}}, {"uri": {"prefix": "/a/1"}}]},
        ]);
        let found = found(&http);
        let [note] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(note.severity, Severity::Note);
        assert_eq!(
            note.message,
            "match 2 of route 2 of VirtualService/web gets no requests: route 1 takes them all"
        );
        let pointer = note
            .location
            .as_ref()
            .and_then(Location::pointer)
            .expect("a place");
        assert_eq!(pointer.as_str(), "/spec/http/1/match/1");
    }
}
