//! Edits of `gap.yaml`: the labels of the two versions, and the copy of a workload.

use indexmap::IndexMap;
use jsonptr::PointerBuf;
use serde_json::{Value, json};
use tidegate_yaml::{Edit, Place};

use super::super::draft::Draft;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::model::{Application, Image, Release};
use crate::provider::{CANARY_LABEL, CopyIntent, VERSION_LABEL};

const POD_LABELS: &str = "podLabels";
const POLICY: &str = "authorizationPolicy";

/// Makes a workload's pods carry labels.
pub(super) fn set_labels(
    application: &Application,
    workload: &str,
    labels: &IndexMap<String, String>,
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let origin = origin(application, workload)?;
    let carried = &application.workloads[workload].pod_labels;
    if labels.iter().all(|(key, value)| carried.get(key) == Some(value)) {
        return Ok(());
    }
    let found = value_at(draft, &origin, &[POD_LABELS]);
    refuse_lost_labels(draft, &origin, found.as_ref())?;
    draft.edit(&origin, &label_edits(&origin, found.as_ref(), labels)?)
}

/// Refuses labels that could not be given back as they were: shared ones, and an empty map in flow style.
fn refuse_lost_labels(
    draft: &Draft<'_>,
    workload: &Location,
    found: Option<&Value>,
) -> Result<(), Diagnostic> {
    let starts_with = |path: &[&str], first: char| {
        let text = text_at(draft, workload, path);
        text.is_some_and(|text| text.starts_with(first))
    };
    let is_shared = starts_with(&[], '*') || (found.is_some() && starts_with(&[POD_LABELS], '*'));
    if is_shared {
        return Err(
            Diagnostic::error(Code::CannotEdit, "the labels of this workload come from an alias")
                .at(workload.below(&[POD_LABELS]))
                .hint("write `podLabels` out in this workload: a release adds labels to it alone"),
        );
    }
    let is_empty = found
        .and_then(Value::as_object)
        .is_some_and(serde_json::Map::is_empty);
    if is_empty && starts_with(&[], '{') {
        return Err(Diagnostic::error(Code::CannotEdit, "podLabels is empty")
            .at(workload.below(&[POD_LABELS]))
            .hint("remove the key: what a release adds could not be told from it later"));
    }
    Ok(())
}

/// Takes the version labels off the released workload.
pub(super) fn remove_labels(
    application: &Application,
    release: &Release,
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let Some(workload) = application.workloads.get(&release.workload) else {
        return Ok(());
    };
    let ours = [VERSION_LABEL, CANARY_LABEL];
    if !ours.iter().any(|label| workload.pod_labels.contains_key(*label)) {
        return Ok(());
    }
    let origin = origin(application, &release.workload)?;
    let is_alone = workload
        .pod_labels
        .keys()
        .all(|label| ours.contains(&label.as_str()));
    if is_alone && !keeps_empty_labels(draft, &origin) {
        return draft.edit(
            &origin,
            &[Edit::Remove {
                at: at(&origin, &[POD_LABELS]),
            }],
        );
    }
    let carried = ours
        .iter()
        .filter(|label| workload.pod_labels.contains_key(**label));
    let edits: Vec<Edit> = carried
        .map(|label| Edit::Remove {
            at: at(&origin, &[POD_LABELS, label]),
        })
        .collect();
    draft.edit(&origin, &edits)
}

/// A workload in block style whose labels are in flow style had `podLabels: {}` before the release: we write
/// labels of our own in the style around them.
fn keeps_empty_labels(draft: &Draft<'_>, workload: &Location) -> bool {
    let is_flow = |path: &[&str]| text_at(draft, workload, path).map(|text| text.starts_with('{'));
    is_flow(&[POD_LABELS]) == Some(true) && is_flow(&[]) == Some(false)
}

/// Copies a workload, with its comments, right behind the original, and makes the copy keep one version.
pub(super) fn add_copy(
    application: &Application,
    copy: &CopyIntent,
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let original = origin(application, &copy.of)?;
    let mut place = pointer(&original);
    place.pop_back();
    place.push_back(copy.key.as_str());
    let mut location = original.clone();
    location.place = crate::diagnostic::Place::Key(original.document().unwrap_or(0), place);

    let value = value_at(draft, &original, &[]).unwrap_or(Value::Null);
    let place = Place::After(copy.of.clone());
    let mut edits = vec![Edit::Copy {
        from: pointer(&original),
        key: copy.key.clone(),
        place,
    }];
    edits.extend(label_edits(&location, value.get(POD_LABELS), &copy.labels)?);
    edits.push(Edit::Set {
        at: at(&location, &["ingress", "enabled"]),
        value: json!(false),
    });
    edits.extend(image_edits(&location, value.get("image"), copy));
    edits.extend(caller_edits(application, copy, &location, &value, draft));
    draft.edit(&original, &edits)
}

/// Makes a copy that is there already admit the callers of the original and the ingress controller.
pub(super) fn admit_callers(
    application: &Application,
    copy: &CopyIntent,
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let location = origin(application, &copy.key)?;
    let original = value_at(draft, &origin(application, &copy.of)?, &[]).unwrap_or(Value::Null);
    let mut value = value_at(draft, &location, &[]).unwrap_or(Value::Null);
    let mut edits = Vec::new();
    if let (None, Some(policy)) = (value.get(POLICY), original.get(POLICY)) {
        edits.push(Edit::Set {
            at: at(&location, &[POLICY]),
            value: policy.clone(),
        });
        value = original;
    }
    edits.extend(caller_edits(application, copy, &location, &value, draft));
    if edits.is_empty() {
        Ok(())
    } else {
        draft.edit(&location, &edits)
    }
}

/// Removes the copy.
pub(super) fn remove_copy(
    application: &Application,
    release: &Release,
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let origin = origin(application, &release.copy)?;
    draft.edit(&origin, &[Edit::Remove { at: pointer(&origin) }])
}

/// Writes a tag where an image has one.
pub(super) fn set_tag(image: &Image, tag: &str, draft: &mut Draft<'_>) -> Result<(), Diagnostic> {
    let Some(place) = image.origin.pointer().cloned() else {
        return Ok(());
    };
    let value = match value_at(draft, &image.origin, &[]) {
        Some(Value::String(text)) if place.last().is_some_and(|token| token.decoded() == "image") => {
            let repository = text
                .rsplit_once('@')
                .or_else(|| text.rsplit_once(':'))
                .map_or(text.as_str(), |(name, _)| name);
            let separator = if tag.starts_with("sha256:") { '@' } else { ':' };
            json!(format!("{repository}{separator}{tag}"))
        }
        _ => json!(tag),
    };
    draft.edit(&image.origin, &[Edit::Set { at: place, value }])
}

fn label_edits(
    workload: &Location,
    found: Option<&Value>,
    labels: &IndexMap<String, String>,
) -> Result<Vec<Edit>, Diagnostic> {
    match found {
        None => Ok(vec![Edit::Insert {
            into: pointer(workload),
            place: Place::First,
            key: Some(POD_LABELS.to_owned()),
            value: json!(labels),
        }]),
        Some(Value::Object(_)) => Ok(labels
            .iter()
            .map(|(key, value)| Edit::Set {
                at: at(workload, &[POD_LABELS, key]),
                value: json!(value),
            })
            .collect()),
        Some(_) => Err(Diagnostic::error(Code::CannotEdit, "podLabels has no value")
            .at(workload.below(&[POD_LABELS]))
            .hint("remove the key, or write `podLabels: {}`")),
    }
}

fn image_edits(workload: &Location, own: Option<&Value>, copy: &CopyIntent) -> Vec<Edit> {
    let mut image = serde_json::Map::new();
    image.extend(
        copy.image
            .repository
            .iter()
            .map(|name| ("repository".to_owned(), json!(name))),
    );
    image.extend(copy.image.tag.iter().map(|tag| ("tag".to_owned(), json!(tag))));
    if image.is_empty() {
        // It runs what the workload does.
        return Vec::new();
    }
    match own {
        None => vec![Edit::Insert {
            into: pointer(workload),
            place: Place::After("ingress".to_owned()),
            key: Some("image".to_owned()),
            value: Value::Object(image),
        }],
        Some(Value::Object(_)) => image
            .into_iter()
            .map(|(key, value)| Edit::Set {
                at: at(workload, &["image", &key]),
                value,
            })
            .collect(),
        Some(_) => vec![Edit::Set {
            at: at(workload, &["image"]),
            value: Value::Object(image),
        }],
    }
}

/// The namespace and the service account of the ingress controller. Source: the GAP canary guide.
const INGRESS: &str = "ingress-nginx";

/// The copy admits every caller of the original and the ingress controller: the original gets the latter's rule
/// with its ingress, the copy has none. Where nothing guards the original, nothing guards the copy.
fn caller_edits(
    application: &Application,
    copy: &CopyIntent,
    workload: &Location,
    original: &Value,
    draft: &Draft<'_>,
) -> Vec<Edit> {
    let mut environments = application.environments.keys();
    let guard = |name| application.generated(name, &copy.of, "security.istio.io", "AuthorizationPolicy");
    if original.get(POLICY).is_none() && environments.all(|name| guard(name).is_none()) {
        return Vec::new();
    }
    let rule = json!({"from": [{"source": {"principals": [
        {"namespace": INGRESS, "serviceAccountName": [INGRESS]},
    ]}}]});
    let policy = original.get(POLICY);
    match policy
        .and_then(|policy| policy.get("rules"))
        .and_then(Value::as_array)
    {
        Some(rules) if rules.iter().any(admits_ingress) => Vec::new(),
        Some(_) => vec![Edit::Insert {
            into: at(workload, &[POLICY, "rules"]),
            place: Place::Last,
            key: None,
            value: rule,
        }],
        None if policy.is_some_and(Value::is_object) => {
            vec![Edit::Set {
                at: at(workload, &[POLICY, "rules"]),
                value: json!([rule]),
            }]
        }
        None => {
            let mut rules = default_rules(workload, draft);
            rules.push(rule);
            vec![Edit::Set {
                at: at(workload, &[POLICY]),
                value: json!({"rules": rules}),
            }]
        }
    }
}

/// The rules of the default policy but the ingress controller's: a workload with an ingress and no rules of its own
/// admits them too.
fn default_rules(workload: &Location, draft: &Draft<'_>) -> Vec<Value> {
    let document = Location::value(&workload.file, workload.document().unwrap_or(0), &[]);
    let default = value_at(draft, &document, &["defaultAuthorizationPolicy", "rules"]);
    let rules = default
        .and_then(|rules| rules.as_array().cloned())
        .unwrap_or_default();
    rules.into_iter().filter(|rule| !admits_ingress(rule)).collect()
}

fn admits_ingress(rule: &Value) -> bool {
    let sources = rule.get("from").and_then(Value::as_array).into_iter().flatten();
    let principals = sources
        .filter_map(|from| from.pointer("/source/principals")?.as_array())
        .flatten();
    principals.into_iter().any(|principal| {
        let accounts = match principal.get("serviceAccountName") {
            Some(Value::Array(accounts)) => accounts.iter().any(|account| account == INGRESS),
            Some(account) => account == INGRESS,
            None => false,
        };
        accounts
            && principal
                .get("namespace")
                .is_some_and(|namespace| namespace == INGRESS)
    }) && rule.get("to").is_none()
        && rule.get("when").is_none()
}

fn origin(application: &Application, workload: &str) -> Result<Location, Diagnostic> {
    let found = application
        .workloads
        .get(workload)
        .map(|workload| workload.origin.clone());
    found.ok_or_else(|| Diagnostic::error(Code::UnknownName, format!("there is no workload `{workload}`")))
}

fn pointer(location: &Location) -> PointerBuf {
    location.pointer().cloned().unwrap_or_default()
}

fn at(location: &Location, path: &[&str]) -> PointerBuf {
    pointer(&location.below(path))
}

/// The text of a value as it is written; of one reached through an alias, the alias.
fn text_at<'d>(draft: &'d Draft<'_>, location: &Location, path: &[&str]) -> Option<&'d str> {
    let stream = draft.stream(&location.file)?;
    let span = stream
        .documents()
        .get(location.document()?)?
        .value_span(&at(location, path))?;
    stream.text().get(span)
}

fn value_at(draft: &Draft<'_>, location: &Location, path: &[&str]) -> Option<Value> {
    let stream = draft.stream(&location.file)?;
    let value = stream.documents().get(location.document()?)?.value();
    at(location, path).resolve(value).ok().cloned()
}
