//! `match` and `mirror` of a release file: the requests that meet the canary before its share of the others grows.

use indexmap::IndexMap;
use serde::Deserialize;

use crate::diagnostic::{Code, Diagnostic, Location};
use crate::model::Weight;
use crate::preview::{Pattern, Preview, RequestMatch};

/// One of the kinds of requests in a `match` list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchEntry {
    #[serde(default)]
    headers: IndexMap<String, PatternEntry>,
    #[serde(default)]
    cookies: IndexMap<String, String>,
    uri: Option<PatternEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatternEntry {
    exact: Option<String>,
    prefix: Option<String>,
    regex: Option<String>,
}

/// Reads both keys of one map; what is left out is as `usual` says it.
pub(super) fn preview(
    matches: Option<Vec<MatchEntry>>,
    mirror: Option<u64>,
    usual: &Preview,
    at: &Location,
    problems: &mut Vec<Diagnostic>,
) -> Preview {
    let mirror = match mirror {
        None => usual.mirror,
        // An environment says so that it has no copies.
        Some(0) => None,
        Some(percent) => {
            let share =
                parse_mirror(percent).map_err(|problem| problems.push(problem.at(at.below(&["mirror"]))));
            share.ok()
        }
    };
    let Some(matches) = matches else {
        return Preview {
            matches: usual.matches.clone(),
            mirror,
        };
    };
    let mut found = Vec::new();
    for (index, entry) in matches.into_iter().enumerate() {
        let at = at.below(&["match", &index.to_string()]);
        match request_match(entry, &at) {
            Ok(matched) => found.push(matched),
            Err(problem) => problems.push(problem),
        }
    }
    Preview {
        matches: found,
        mirror,
    }
}

/// The share of requests that is copied, from whole percent.
///
/// Errors: a diagnostic without a place, for the caller to add.
pub fn parse_mirror(percent: u64) -> Result<Weight, Diagnostic> {
    let share = Weight::new(percent).filter(|share| *share > Weight::ZERO);
    share.ok_or_else(|| {
        let message = format!("{percent} percent of the requests cannot be copied");
        Diagnostic::error(Code::InvalidValue, message).hint("write a share between 1 and 100 percent")
    })
}

fn request_match(entry: MatchEntry, at: &Location) -> Result<RequestMatch, Diagnostic> {
    let mut found = RequestMatch::default();
    for (name, entry) in entry.headers {
        let pattern = pattern(entry, &at.below(&["headers", &name]))?;
        if found.headers.insert(name.to_ascii_lowercase(), pattern).is_some() {
            let message = format!("the header `{}` is matched twice", name.to_ascii_lowercase());
            let twice =
                Diagnostic::error(Code::InvalidValue, message).at(at.below(&["headers", &name]).as_key());
            return Err(twice.hint("names of headers are the same in any case: leave one out"));
        }
    }
    let mut cookies = entry.cookies.into_iter();
    found.cookie = cookies.next();
    if let Some((name, _)) = cookies.next() {
        let message = "one match can be about one cookie: a proxy sees all of them as one header";
        let several =
            Diagnostic::error(Code::Unsupported, message).at(at.below(&["cookies", &name]).as_key());
        return Err(
            several.hint("give each a match of its own, of which any may hold; or match the header `cookie`")
        );
    }
    if let Some(entry) = entry.uri {
        found.uri = Some(pattern(entry, &at.below(&["uri"]))?);
    }
    match found.problem() {
        Some((keys, problem)) => {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            Err(problem.at(at.below(&keys)))
        }
        None => Ok(found),
    }
}

fn pattern(entry: PatternEntry, at: &Location) -> Result<Pattern, Diagnostic> {
    let PatternEntry { exact, prefix, regex } = entry;
    match (exact, prefix, regex) {
        (Some(text), None, None) => Ok(Pattern::Exact(text)),
        (None, Some(text), None) => Ok(Pattern::Prefix(text)),
        (None, None, Some(text)) => Ok(Pattern::Regex(text)),
        (None, None, None) => {
            let message = "it is not said what the text is like";
            Err(Diagnostic::error(Code::InvalidValue, message)
                .at(at.clone())
                .hint("write `{exact: TEXT}`, `{prefix: TEXT}` or `{regex: PATTERN}`"))
        }
        _ => {
            let message = "a text is matched in one way";
            Err(Diagnostic::error(Code::InvalidValue, message)
                .at(at.clone())
                .hint("keep one of `exact`, `prefix` and `regex`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_yaml::Stream;

    use crate::model::Release;
    use crate::repo::RepoPath;
    use crate::schema::release::parse;

    fn release(provider: &str, text: &str) -> Result<Release, String> {
        let text = format!(
            "apiVersion: tidegate.dev/v1\nreleases:\n  - workload: web\n    provider: {provider}\n    copy: canary\n    \
             canary: {{image: {{tag: b}}}}\n    stable: {{image: {{tag: a}}}}\n{text}"
        );
        let stream = Stream::parse(text.as_str()).expect("YAML");
        let file = RepoPath::new("tidegate.yaml").expect("a path");
        match parse(&file, &stream) {
            Ok(mut releases) => Ok(releases.remove(0)),
            Err(wrong) => {
                let told = wrong.iter().map(|wrong| {
                    let at = wrong.location.as_ref().and_then(|at| at.pointer());
                    format!("{at:?} {}; {}", wrong.message, wrong.hints.join(" "))
                });
                Err(told.collect::<Vec<_>>().join("\n"))
            }
        }
    }

    #[test]
    fn an_environment_has_its_own_or_none() {
        let text = "    match:\n      - headers: {End-User: {exact: jason}}\n        uri: {prefix: /beta}\n      \
                    - cookies: {canary: always}\n    mirror: 10\n    environments:\n      staging: {mirror: 0}\n      \
                    production: {match: []}\n";
        let release = release("istio-hosts", text).expect("a release");
        let said = |name: &str| release.preview(name).to_string();
        let matches = "end-user: jason and path /beta*; or cookie canary=always";
        assert_eq!(
            said("other"),
            format!("{matches}; copies of 10 percent of the others")
        );
        assert_eq!(said("staging"), matches);
        assert_eq!(said("production"), "copies of 10 percent");
    }

    #[test]
    fn what_cannot_be_is_told_at_its_place() {
        for (text, told) in [
            ("    match:\n      - {}\n", "this match is of every request"),
            (
                "    match:\n      - headres: {a: {exact: b}}\n",
                "did you mean `headers`?",
            ),
            (
                "    match:\n      - headers: {a: {exakt: b}}\n",
                "did you mean `exact`?",
            ),
            (
                "    match:\n      - headers: {a: {exact: b, prefix: c}}\n",
                "keep one of",
            ),
            ("    match:\n      - headers: {a: {}}\n", "write `{exact: TEXT}`"),
            (
                "    match:\n      - headers: {a: {exact: \"\"}}\n",
                "says nothing",
            ),
            (
                "    match:\n      - headers: {A: {exact: b}, a: {exact: c}}\n",
                "is matched twice",
            ),
            ("    match:\n      - cookies: {a: b, c: d}\n", "about one cookie"),
            (
                "    match:\n      - {cookies: {a: b}, headers: {cookie: {exact: c}}}\n",
                "`cookie` already",
            ),
            ("    match:\n      - uri: {prefix: beta}\n", "write `/beta`"),
            (
                "    mirror: 0\n    environments: {staging: {mirror: 101}}\n",
                "101 percent of the requests cannot",
            ),
            ("    sticky: {cookie: a}\n", "let the application set a cookie"),
        ] {
            let found = release("istio-hosts", text).expect_err(text);
            assert!(found.contains(told), "{text}: {found}");
            assert!(found.contains("Some("), "{text}: {found}");
        }
    }

    #[test]
    fn what_a_traffic_system_cannot_do_is_told_with_those_that_can() {
        let (matches, mirror) = ("    match:\n      - uri: {prefix: /beta}\n", "    mirror: 10\n");
        for provider in ["smi", "replicas"] {
            let found = release(provider, matches).expect_err(provider);
            assert!(
                found.contains("these can: istio, gateway-api, istio-hosts, app-mesh, kubesphere"),
                "{found}"
            );
        }
        for provider in ["app-mesh", "smi", "replicas"] {
            let found = release(provider, mirror).expect_err(provider);
            assert!(
                found.contains("these can: istio, gateway-api, istio-hosts, kubesphere"),
                "{found}"
            );
            let own = "    environments: {staging: {mirror: 10}}\n";
            assert!(release(provider, own).is_err(), "{provider}");
        }
        assert!(release("app-mesh", matches).is_ok());
    }
}
