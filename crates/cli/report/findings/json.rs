//! Findings as JSON: schema `tidegate.dev/check/v1`.

use serde::Serialize;

use super::{Placed, Spot, harmless};

/// Shape: `findings[]`, each with `severity` (`error`, `warning`, `note`), `code`, `message`, its place, `related[]`
/// places with a `label`, and `hints[]`. `file` is a path from the top of the work tree; `line`, `column`,
/// `end_line` and `end_column` count from 1, columns in characters, an end is exclusive; each is null where it is not
/// known. Fields are added, never renamed, within v1.
pub(super) fn render(placed: &[Placed]) -> serde_json::Result<String> {
    let document = Document {
        schema: "tidegate.dev/check/v1",
        findings: placed.iter().map(entry).collect(),
    };
    Ok(harmless(&serde_json::to_string_pretty(&document)?) + "\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    findings: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    application: String,
    environment: Option<&'a str>,
    severity: &'static str,
    code: &'static str,
    message: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
    related: Vec<Related<'a>>,
    hints: &'a [String],
}

#[derive(Serialize)]
struct Related<'a> {
    label: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
}

fn entry(placed: &Placed) -> Entry<'_> {
    let finding = &placed.finding;
    let related = placed.related.iter().map(|(spot, label)| Related {
        label,
        place: place(Some(spot)),
    });
    Entry {
        application: finding.application.to_string(),
        environment: finding.environment.as_deref(),
        severity: placed.severity_name(),
        code: placed.code(),
        message: &finding.diagnostic.message,
        place: place(placed.at.as_ref()),
        related: related.collect(),
        hints: &finding.diagnostic.hints,
    }
}

fn place(spot: Option<&Spot>) -> Place<'_> {
    let (line, column) = spot.and_then(|spot| spot.start).unzip();
    let (end_line, end_column) = spot.and_then(|spot| spot.end).unzip();
    Place {
        file: spot.map(|spot| spot.file.as_str()),
        line,
        column,
        end_line,
        end_column,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::report::findings::{Findings, tests::example};

    #[test]
    fn everything_is_told() {
        let text = example().json().expect("JSON");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["schema"], "tidegate.dev/check/v1");
        assert_eq!(
            document["findings"][0],
            json!({
                "application": "services/orders",
                "environment": "production",
                "severity": "error",
                "code": "unreachable",
                "message": "production: 100 % of `web`, [see](x): 50%\u{202e}\r\n",
                "file": "shop/services/orders/gap/gap_routes.yaml",
                "line": 3, "column": 3, "end_line": 3, "end_column": 7,
                "related": [{
                    "label": "applied | too",
                    "file": "shop/services/orders/gap/gap.yaml",
                    "line": 1, "column": 7, "end_line": 1, "end_column": 13,
                }],
                "hints": ["make it 2 commits, one: *a*, two: b"],
            })
        );
        let last = &document["findings"][2];
        assert_eq!(
            (&last["severity"], &last["environment"]),
            (&json!("note"), &Value::Null)
        );
        assert_eq!((&last["file"], &last["line"]), (&Value::Null, &Value::Null));
        assert!(text.is_ascii() && text.contains("\\u202e"), "{text}");
    }

    #[test]
    fn nothing_found_is_an_empty_list() {
        let document: Value = serde_json::from_str(&Findings::new("").json().expect("JSON")).expect("JSON");
        assert_eq!(
            document,
            json!({"schema": "tidegate.dev/check/v1", "findings": []})
        );
    }
}
