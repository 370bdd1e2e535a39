//! Findings as SARIF 2.1.0, which forges and editors show at the lines they are about.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01"; section numbers
//! below are its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate_core::diagnostic::Code;

use super::{Placed, Spot, harmless};
use crate::explain;

/// Shape: one run; a rule for each code, with the page of `tidegate explain` as its help; a result for each finding.
/// `prefix` is for those that are about no file, since GitHub refuses a result without one.
pub(super) fn render(placed: &[Placed], prefix: &str) -> serde_json::Result<String> {
    let mut counts = BTreeMap::new();
    let results: Vec<Value> = placed
        .iter()
        .map(|placed| result(placed, prefix, &mut counts))
        .collect();
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": Code::ALL.iter().map(|code| rule(*code)).collect::<Vec<Value>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    Ok(harmless(&serde_json::to_string_pretty(&document)?) + "\n")
}

fn rule(code: Code) -> Value {
    let page = explain::page(code);
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": code.description()},
        "help": {"text": page, "markdown": page},
    })
}

fn result(placed: &Placed, prefix: &str, counts: &mut BTreeMap<String, usize>) -> Value {
    let finding = &placed.finding;
    let code = finding.diagnostic.code;
    let location = match &placed.at {
        Some(spot) => physical(spot),
        None => json!({"artifactLocation": artifact(&placed.file(prefix))}),
    };
    let related = placed
        .related
        .iter()
        .map(|(spot, label)| json!({"message": {"text": plain(label)}, "physicalLocation": physical(spot)}));
    let message = placed.lines().map(plain).collect::<Vec<String>>().join("\n");
    let mut result = json!({
        "ruleId": code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|known| *known == code),
        "level": placed.severity_name(),
        "message": {"text": message},
        "locations": [{"physicalLocation": location}],
        "relatedLocations": related.collect::<Vec<Value>>(),
        "partialFingerprints": {"tidegate/v1": fingerprint(placed, counts)},
        "properties": {"application": finding.application.to_string()},
    });
    if let Some(environment) = &finding.environment {
        result["properties"]["environment"] = json!(environment);
    }
    result
}

/// What makes it the same finding in another commit: no line, no share, nothing that moves with other edits.
fn fingerprint(placed: &Placed, counts: &mut BTreeMap<String, usize>) -> String {
    let finding = &placed.finding;
    let parts = [
        placed.code(),
        finding.application.as_str(),
        finding.environment.as_deref().unwrap_or_default(),
        &placed.symbolic_place(),
    ];
    let same = parts.join("|");
    let count = counts.entry(same.clone()).or_default();
    *count += 1;
    format!("{same}|{count}")
}

fn physical(spot: &Spot) -> Value {
    let mut location = json!({"artifactLocation": artifact(&spot.file)});
    if let Some((line, column)) = spot.start {
        location["region"] = json!({"startLine": line, "startColumn": column});
        if let Some((line, column)) = spot.end {
            location["region"]["endLine"] = json!(line);
            location["region"]["endColumn"] = json!(column);
        }
    }
    location
}

fn artifact(file: &str) -> Value {
    json!({"uri": uri(file), "uriBaseId": "%SRCROOT%"})
}

/// A path as a relative reference. Source: RFC 3986, sections 2.3 and 4.2 (a colon in the first part would end a
/// scheme).
fn uri(path: &str) -> String {
    path.bytes().fold(String::new(), |mut uri, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into())
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
        uri
    })
}

/// Text of the input that cannot become a link: in plain text too, `[text](target)` is one (section 3.11.6).
fn plain(text: &str) -> String {
    text.replace("](", "] (")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::findings::tests::example;

    fn run() -> Value {
        let text = example().sarif().expect("JSON");
        assert!(!text.contains('\u{202e}') && text.contains("\\u202e"));
        let mut document: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["version"], "2.1.0");
        document["runs"][0].take()
    }

    /// What the schema requires of each object that is used (`required`, `enum`, `minimum`).
    #[test]
    fn everything_that_is_required_is_there() {
        let run = run();
        let driver = &run["tool"]["driver"];
        assert_eq!(driver["name"], "tidegate");
        let rules = driver["rules"].as_array().expect("rules");
        assert_eq!(rules.len(), Code::ALL.len());
        let ids: BTreeSet<&str> = rules.iter().filter_map(|rule| rule["id"].as_str()).collect();
        assert_eq!(ids.len(), rules.len());
        for rule in rules {
            for text in [&rule["shortDescription"]["text"], &rule["help"]["text"]] {
                assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{rule}");
            }
        }
        for result in run["results"].as_array().expect("results") {
            let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
            assert_eq!(rules[index]["id"], result["ruleId"]);
            let level = result["level"].as_str().expect("a level");
            assert!(["error", "warning", "note"].contains(&level));
            assert!(result["message"]["text"].is_string());
            let related = result["relatedLocations"].as_array().expect("a list");
            let locations = result["locations"].as_array().expect("a list");
            assert_eq!(locations.len(), 1);
            for location in locations.iter().chain(related) {
                let place = &location["physicalLocation"];
                assert!(place["artifactLocation"]["uri"].is_string());
                let region = place["region"].as_object().into_iter().flatten();
                assert!(region.into_iter().all(|(_, number)| number.as_u64() >= Some(1)));
            }
        }
    }

    #[test]
    fn a_result_says_what_where_and_which() {
        let run = run();
        assert_eq!(
            run["results"][0],
            json!({
                "ruleId": "unreachable",
                "ruleIndex": Code::ALL.iter().position(|code| *code == Code::Unreachable),
                "level": "error",
                "message": {"text": "production: 100 % of `web`, [see] (x): 50%\u{202e}\r\n\nmake it 2 commits, one: *a*, two: b"},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": "shop/services/orders/gap/gap_routes.yaml", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 3, "startColumn": 3, "endLine": 3, "endColumn": 7},
                }}],
                "relatedLocations": [{
                    "message": {"text": "applied | too"},
                    "physicalLocation": {
                        "artifactLocation": {"uri": "shop/services/orders/gap/gap.yaml", "uriBaseId": "%SRCROOT%"},
                        "region": {"startLine": 1, "startColumn": 7, "endLine": 1, "endColumn": 13},
                    },
                }],
                "partialFingerprints": {
                    "tidegate/v1": "unreachable|services/orders|production|services/orders/gap/gap_routes.yaml#0:spec.http|1",
                },
                "properties": {"application": "services/orders", "environment": "production"},
            })
        );
        let nowhere = &run["results"][2]["locations"][0]["physicalLocation"];
        assert_eq!(
            nowhere["artifactLocation"]["uri"],
            "shop/services/orders/gap/gap.yaml"
        );
    }

    #[test]
    fn findings_alike_are_told_apart() {
        let mut findings = example();
        findings.placed.extend(example().placed);
        let text = findings.sarif().expect("JSON");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let results = document["runs"][0]["results"].as_array().expect("results");
        let prints = results
            .iter()
            .map(|result| &result["partialFingerprints"]["tidegate/v1"]);
        let different: BTreeSet<&str> = prints.filter_map(Value::as_str).collect();
        assert_eq!(different.len(), results.len());
    }

    #[test]
    fn a_path_is_a_relative_reference() {
        assert_eq!(uri("gap/a b:ü%.yaml"), "gap/a%20b%3A%C3%BC%25.yaml");
    }
}
