//! Vectors recorded from `kubectl kustomize`.

use serde_json::Value;
use tidegate_patch::strategic;

use crate::kustomization::{self, Failure};
use crate::vectors::{self, text};

const FILES: [&str; 9] = [
    "crd",
    "deployment",
    "json6902",
    "multi",
    "other-kinds",
    "selectors",
    "service",
    "upstream-kustomize",
    "yaml-shapes",
];

/// Cases that need more than patches on values, with what they need: transformers rename objects and mend what refers to them,
/// generators make objects. Their patches alone do what those of the other cases do.
const NOT_PATCHES: [(&str, &str); 13] = [
    ("krusty-crd-crdwithcontainers", "images"),
    ("krusty-gvknpatch-basereusenameandkindconflict", "namePrefix"),
    (
        "krusty-gvknpatch-namereferenceaftergvknchange",
        "references that follow a renamed object",
    ),
    ("krusty-gvknpatch-namereferenceafterjsonpatch", "namePrefix"),
    (
        "krusty-gvknpatch-namereferenceafterjsonpatchconfigmapgenerator",
        "configMapGenerator",
    ),
    ("krusty-issue2896-issue2896base", "nameSuffix"),
    ("krusty-issue2896-issue2896overlay", "nameSuffix"),
    ("krusty-multiplepatch-multiplepatchesnoconflict", "namePrefix"),
    ("krusty-multiplepatch-noncommutablepatches", "namePrefix"),
    (
        "krusty-multiplepatch-patchpreservesinternalannotations",
        "nameSuffix",
    ),
    ("krusty-multiplepatch-simplemultiplepatches", "namePrefix"),
    (
        "krusty-nameprefixsuffixpatch-nameprefixsuffixpatch",
        "configMapGenerator",
    ),
    (
        "merge2-element-merge-primitive-items",
        "a schema in a comment of the YAML text",
    ),
];

#[test]
fn folders_build_as_in_kustomize() {
    let mut failures = Vec::new();
    let mut skipped = Vec::new();
    let mut count = 0;
    for (file, case) in cases() {
        count += 1;
        let name = text(&case, "name");
        let files = serde_json::from_value(case["files"].clone()).expect("files");
        let result = kustomization::build(&files, text(&case, "build"));
        let not_patches = NOT_PATCHES.iter().find(|(other, _)| *other == name);
        let result = match (result, not_patches) {
            (Err(Failure::OtherFeature(found)), needs) if needs.is_none_or(|(_, needs)| found != *needs) => {
                panic!("{name} needs {found}")
            }
            (_, Some(needs)) => {
                skipped.push(*needs);
                continue;
            }
            (Ok(set), None) => Ok(sorted(set.into_values())),
            (Err(Failure::Refused(message) | Failure::OtherFeature(message)), None) => Err(message),
        };
        if !is_acceptable(&case, &result) {
            let result = result.map(Value::from);
            failures.push(format!(
                "{file} {}\n  have {result:?}\n  want {}",
                case["name"],
                outcome(&case)
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{}\n{} failures",
        failures.join("\n"),
        failures.len()
    );
    eprintln!("{count} cases, {} of them not of patches alone", skipped.len());
    skipped.sort_unstable();
    let are_there = count > 0;
    assert!(
        !are_there || skipped == NOT_PATCHES,
        "each is there once: {skipped:?}"
    );
}

#[test]
fn single_pairs_merge_as_in_kustomize() {
    for (file, case) in cases() {
        let (Some(original), Some(patch)) = (case["original"].as_str(), case["patch"].as_str()) else {
            continue;
        };
        let (Some(expected), Ok(patch)) = (case["expected"].as_str(), kustomization::documents(patch)) else {
            continue;
        };
        // A list is a JSON patch, and a patch of another object needs its kustomization.
        let [patch] = &patch[..] else { continue };
        let mut original = kustomization::documents(original).expect("readable");
        let is_other = patch["metadata"]["name"] != original[0]["metadata"]["name"];
        let is_patch = NOT_PATCHES.iter().all(|(name, _)| case["name"] != *name);
        if !is_patch || patch.is_array() || is_other || original.len() > 1 {
            continue;
        }
        let expected = kustomization::documents(expected).expect("readable");
        let result = strategic::apply(original.remove(0), patch);
        assert_eq!(
            result.map(Vec::from_iter),
            Ok(expected),
            "{file} {}",
            case["name"]
        );
    }
}

fn cases() -> impl Iterator<Item = (&'static str, Value)> {
    FILES
        .into_iter()
        .flat_map(|file| vectors::cases(file).into_iter().map(move |case| (file, case)))
}

fn is_acceptable(case: &Value, result: &Result<Vec<Value>, String>) -> bool {
    let accepts = |outcome: &str| {
        case["acceptAlso"]
            .as_array()
            .is_some_and(|list| list.contains(&outcome.into()))
    };
    match (result, case["expected"].as_str()) {
        (Err(_), None) => true,
        (Err(_), Some(_)) => accepts("error"),
        (Ok(_), None) => false,
        (Ok(objects), Some(expected)) => {
            let expected = kustomization::documents(expected).expect("readable");
            *objects == sorted(expected)
        }
    }
}

fn outcome(case: &Value) -> &str {
    case["expected"]
        .as_str()
        .or(case["expectedError"].as_str())
        .unwrap_or_default()
}

/// kustomize orders its output by kind and name, which is the business of whoever prints it.
fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(|object| {
        format!(
            "{} {} {}",
            object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]
        )
    });
    objects
}
