//! Verdicts and findings as JSON: schema `tidegate.dev/check/v1`.

use serde::Serialize;
use tidegate_core::manifest::ObjectRef;
use tidegate_core::prover;

use super::{Judged, Placed, Spot, harmless};

/// Shape: `proofs[]` and `findings[]`.
///
/// A proof is about the change of one environment of one application: `safe`; `exhaustive`, whether every state was
/// looked at; `states`, how many there are (`9007199254740991` for that many or more), and `requests`, how many kinds
/// were followed through them; `changes[]`, the objects that differ and how (`created`, `updated`, `deleted`); the
/// numbers of `counter_examples`, of requests `withdrawn` and `broken_before`, of objects `not_judged`; and where it is
/// not safe `repair`, else null: the objects of each commit, and `waves[]` with which one sync of Argo CD does the same,
/// null where none do.
///
/// A finding has `severity` (`error`, `warning`, `note`), `code`, `message`, its place, `related[]` places with a
/// `label`, and `hints[]`. `file` is a path from the top of the work tree; `line`, `column`, `end_line` and
/// `end_column` count from 1, columns in characters, an end is exclusive; each is null where it is not known.
///
/// Fields are added, never renamed, within v1.
pub(super) fn render(judged: &[Judged], placed: &[Placed]) -> serde_json::Result<String> {
    let document = Document {
        schema: "tidegate.dev/check/v1",
        proofs: judged.iter().map(proof).collect(),
        findings: placed.iter().map(entry).collect(),
    };
    Ok(harmless(&serde_json::to_string_pretty(&document)?) + "\n")
}

/// The largest number that every reader of JSON keeps exactly. Source: RFC 7493, section 2.2.
const MOST: u64 = (1 << 53) - 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    proofs: Vec<Proof<'a>>,
    findings: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Proof<'a> {
    application: String,
    environment: &'a str,
    order: &'static str,
    safe: bool,
    exhaustive: bool,
    states: u64,
    requests: usize,
    changes: Vec<Change<'a>>,
    counter_examples: usize,
    withdrawn: usize,
    broken_before: usize,
    not_judged: usize,
    repair: Option<Repair<'a>>,
}

#[derive(Serialize)]
struct Change<'a> {
    change: &'static str,
    #[serde(flatten)]
    object: Object<'a>,
}

#[derive(Serialize)]
struct Repair<'a> {
    commits: Vec<Vec<Object<'a>>>,
    waves: Option<Vec<Wave<'a>>>,
}

#[derive(Serialize)]
struct Wave<'a> {
    wave: i64,
    #[serde(flatten)]
    object: Object<'a>,
}

#[derive(Serialize)]
struct Object<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
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

fn proof(judged: &Judged) -> Proof<'_> {
    let prover::Proof {
        changes,
        states,
        requests,
        counter_examples,
        withdrawn,
        broken_before,
        unjudged,
        is_cut,
        involved: _,
    } = &judged.judgement.proof;
    Proof {
        application: judged.application.to_string(),
        environment: &judged.environment,
        order: judged.order.as_str(),
        safe: judged.judgement.proof.is_safe(),
        exhaustive: !is_cut,
        states: u64::try_from(*states).unwrap_or(MOST).min(MOST),
        requests: *requests,
        changes: changes.iter().map(change).collect(),
        counter_examples: counter_examples.len(),
        withdrawn: withdrawn.len(),
        broken_before: broken_before.len(),
        not_judged: unjudged.len(),
        repair: judged.judgement.repair.as_ref().map(repair),
    }
}

fn change(change: &prover::Change) -> Change<'_> {
    Change {
        change: change.kind.as_str(),
        object: object(&change.object),
    }
}

fn repair(repair: &prover::Repair) -> Repair<'_> {
    let commits = repair.commits.iter();
    Repair {
        commits: commits
            .map(|objects| objects.iter().map(object).collect())
            .collect(),
        waves: repair
            .waves
            .as_ref()
            .map(|waves| waves.iter().map(wave).collect()),
    }
}

fn wave(wave: &prover::Wave) -> Wave<'_> {
    Wave {
        wave: wave.wave,
        object: object(&wave.object),
    }
}

fn object(object: &ObjectRef) -> Object<'_> {
    let ObjectRef {
        api_version,
        kind,
        namespace,
        name,
    } = object;
    Object {
        api_version,
        kind,
        namespace: namespace.as_deref(),
        name,
    }
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
            json!({"schema": "tidegate.dev/check/v1", "proofs": [], "findings": []})
        );
    }
}
