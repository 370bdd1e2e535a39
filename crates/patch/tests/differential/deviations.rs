//! The deviations that the table in `README.md` lists, as checks.

use serde_json::Value;
use tidegate_patch::Reason;

/// A row of the table that generated pairs can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deviation {
    ReplacedRoot,
    ReplacedItem,
    DirectiveInReplacedList,
    DirectiveBesideItems,
    UnknownDirective,
    KubernetesDirectives,
    NoMergeKey,
    SameMergeKey,
    HalfMergeKey,
    NewerRules,
    AnnotationValues,
    QuotedScalar,
    RenamedReferences,
}

type Ours = Result<Option<Value>, Reason>;
type Theirs = Result<Option<Value>, String>;

impl Deviation {
    pub(crate) const ALL: [Self; 13] = [
        Self::ReplacedRoot,
        Self::ReplacedItem,
        Self::DirectiveInReplacedList,
        Self::DirectiveBesideItems,
        Self::UnknownDirective,
        Self::KubernetesDirectives,
        Self::NoMergeKey,
        Self::SameMergeKey,
        Self::HalfMergeKey,
        Self::NewerRules,
        Self::AnnotationValues,
        Self::QuotedScalar,
        Self::RenamedReferences,
    ];

    /// Name of the row in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReplacedRoot => "replaced-root",
            Self::ReplacedItem => "replaced-item",
            Self::DirectiveInReplacedList => "directive-in-replaced-list",
            Self::DirectiveBesideItems => "directive-beside-items",
            Self::UnknownDirective => "unknown-directive",
            Self::KubernetesDirectives => "kubernetes-directives",
            Self::NoMergeKey => "no-merge-key",
            Self::SameMergeKey => "same-merge-key",
            Self::HalfMergeKey => "half-merge-key",
            Self::NewerRules => "newer-rules",
            Self::AnnotationValues => "annotation-values",
            Self::QuotedScalar => "quoted-scalar",
            Self::RenamedReferences => "renamed-references",
        }
    }

    /// The row that explains why the two differ on a pair.
    pub(crate) fn of(object: &Value, patch: &Value, ours: &Ours, theirs: &Theirs) -> Option<Self> {
        match (ours, theirs) {
            (Err(reason), Ok(_)) => Self::of_refusal(reason),
            (Ok(Some(ours)), Ok(Some(theirs))) => Self::of_result(object, patch, ours, theirs),
            // A later step, which looks into objects that the patch has made nonsense of.
            (Ok(_), Err(message)) if message.contains("updating name reference") => {
                Some(Self::RenamedReferences)
            }
            // What else kustomize refuses is refused.
            _ => None,
        }
    }

    fn of_refusal(reason: &Reason) -> Option<Self> {
        match reason {
            Reason::ReplacedItem => Some(Self::ReplacedItem),
            Reason::DirectiveInReplacedList { .. } => Some(Self::DirectiveInReplacedList),
            Reason::DirectiveBesideItems { .. } => Some(Self::DirectiveBesideItems),
            Reason::UnknownDirective { .. } | Reason::BadPatchDirective { .. } => {
                Some(Self::UnknownDirective)
            }
            Reason::DirectiveForReplacedList { .. } => Some(Self::KubernetesDirectives),
            Reason::NoMergeKey { .. } | Reason::NotAMap { .. } | Reason::NotAScalar { .. } => {
                Some(Self::NoMergeKey)
            }
            Reason::SameMergeKey { .. } => Some(Self::SameMergeKey),
            Reason::HalfMergeKey { .. } => Some(Self::HalfMergeKey),
            _ => None,
        }
    }

    fn of_result(object: &Value, patch: &Value, ours: &Value, theirs: &Value) -> Option<Self> {
        if patch["$patch"] == "replace" {
            // kustomize does nothing at all.
            return theirs
                .get("spec")
                .eq(&object.get("spec"))
                .then_some(Self::ReplacedRoot);
        }
        let is_half_keyed =
            |list, first: &[&str], second| has_half_keys(&[object, patch], list, first, second);
        // One pair can meet several rows at once.
        let rows = [
            (has_odd_annotation(ours), "annotations", Self::AnnotationValues),
            (
                object["apiVersion"] == "autoscaling/v2",
                "finalizers",
                Self::NewerRules,
            ),
            (
                is_half_keyed("ports", &["port", "containerPort"], "protocol"),
                "ports",
                Self::HalfMergeKey,
            ),
            (
                is_half_keyed("topologySpreadConstraints", &["topologyKey"], "whenUnsatisfiable"),
                "topologySpreadConstraints",
                Self::HalfMergeKey,
            ),
        ];
        if has_late_directive(patch) {
            return Some(Self::DirectiveBesideItems);
        }
        let rows: Vec<_> = rows.into_iter().filter(|(applies, ..)| *applies).collect();
        let fields: Vec<&str> = rows.iter().map(|(_, field, _)| *field).collect();
        let (ours, theirs) = (without(ours, &fields), without(theirs, &fields));
        if ours == theirs {
            return rows.first().map(|(.., row)| *row);
        }
        (as_text(&ours) == as_text(&theirs)).then_some(Self::QuotedScalar)
    }
}

/// The value with text in the place of numbers and booleans.
fn as_text(value: &Value) -> Value {
    match value {
        Value::Number(_) | Value::Bool(_) => value.to_string().into(),
        Value::Array(items) => items.iter().map(as_text).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), as_text(value)))
            .collect(),
        other => other.clone(),
    }
}

/// The value without fields of some names, anywhere.
fn without(value: &Value, names: &[&str]) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !names.contains(&name.as_str()));
            Value::Object(
                kept.map(|(name, value)| (name.clone(), without(value, names)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(|item| without(item, names)).collect(),
        other => other.clone(),
    }
}

fn has_odd_annotation(object: &Value) -> bool {
    let annotations = object["metadata"]["annotations"].as_object();
    annotations.is_some_and(|annotations| annotations.values().any(|value| !value.is_string()))
}

/// Whether of two items with the same first key, in lists of a name anywhere, only one names the second. An item to be
/// deleted without its second key is at odds with all that name it.
fn has_half_keys(documents: &[&Value], list: &str, first: &[&str], second: &str) -> bool {
    let mut items = Vec::new();
    for document in documents {
        collect_items(document, list, &mut items);
    }
    let first_of = |item: &Value| first.iter().find_map(|first| item.get(first).cloned());
    let (named, half): (Vec<&Value>, Vec<&Value>) =
        items.into_iter().partition(|item| item.get(second).is_some());
    let is_at_odds =
        |half: &Value, named: &Value| first_of(half) == first_of(named) || half["$patch"] == "delete";
    half.iter()
        .any(|half| named.iter().any(|named| is_at_odds(half, named)))
}

/// The items of all lists of a name.
fn collect_items<'v>(value: &'v Value, list: &str, items: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == list {
                    items.extend(value.as_array().into_iter().flatten());
                }
                collect_items(value, list, items);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_items(value, list, items)),
        _ => {}
    }
}

/// Whether a list has `- $patch: …` after an item with a directive of its own.
fn has_late_directive(patch: &Value) -> bool {
    match patch {
        Value::Object(fields) => fields.values().any(has_late_directive),
        Value::Array(items) => {
            let mut with_directive = items
                .iter()
                .filter_map(Value::as_object)
                .filter(|item| item.contains_key("$patch"));
            let first_is_item = with_directive.next().is_some_and(|first| first.len() > 1);
            let is_late = first_is_item && with_directive.any(|item| item.len() == 1);
            is_late || items.iter().any(has_late_directive)
        }
        _ => false,
    }
}

#[test]
fn every_deviation_is_in_the_table() {
    let readme = include_str!("../../README.md");
    for deviation in Deviation::ALL {
        let row = format!("| `{}` |", deviation.name());
        assert!(readme.contains(&row), "no row {row}");
    }
    let rows = readme
        .lines()
        .filter(|line| line.starts_with("| `") && line.matches('|').count() == 5)
        .count();
    assert!((Deviation::ALL.len()..=20).contains(&rows), "{rows} rows");
}
