//! Targets: the same objects are selected as in kustomize.

use serde_json::{Map, Value, json};
use tidegate_patch::target::{LabelSelector, Pattern, Selector, SelectorError};
use tidegate_patch::{Patch, PatchBody, Unmatched, apply_all};

use crate::engine::Kustomize;
use crate::random::Random;
use crate::seeded;

const SETS: usize = 60;
const PATCHES: usize = 6;

#[test]
fn targets_select_as_in_kustomize() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let (seed, mut random) = seeded();
    let mut hits = 0;
    for _ in 0..SETS {
        let objects = objects(&mut random);
        let patches: Vec<(Value, Value)> = (0..PATCHES)
            .map(|number| (mark(&mut random, number), target(&mut random)))
            .collect();
        let theirs = kustomize.build_pairs(
            objects.iter(),
            patches.iter().map(|(patch, target)| (patch, Some(target))),
        );
        let ours = ours(objects.clone(), &patches);
        match (ours, theirs) {
            (Err(_), Err(_)) => {}
            // The row `patterns`: kustomize reads a label selector only once an object gets that far.
            (Err(message), Ok(_)) if message.contains("is not a label selector") => {}
            (Ok(ours), Ok(theirs)) => {
                for object in ours {
                    hits += object["marks"].as_object().map_or(0, Map::len);
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let key = (text(&object["kind"]), text(&object["metadata"]["name"]));
                    assert_eq!(
                        Some(&object),
                        theirs.get(&key),
                        "seed {seed}, patches {patches:?}"
                    );
                }
            }
            (ours, theirs) => panic!("seed {seed}: {ours:?} here, {theirs:?} there, patches {patches:?}"),
        }
    }
    assert!(hits > SETS, "hardly anything was selected: {hits}");
}

fn ours(objects: Vec<Value>, patches: &[(Value, Value)]) -> Result<Vec<Value>, String> {
    let patch = |(body, target): &(Value, Value)| {
        let target = selector(target).map_err(|error| error.to_string())?;
        let patch = Patch::with_target(PatchBody::of(body.clone()), target);
        Ok(Patch {
            unmatched: Unmatched::Accept,
            ..patch
        })
    };
    let patches = patches.iter().map(patch).collect::<Result<Vec<_>, String>>()?;
    apply_all(objects, &patches).map_err(|error| error.to_string())
}

fn selector(target: &Value) -> Result<Selector, SelectorError> {
    let pattern = |name: &str| Pattern::of_field(target[name].as_str().unwrap_or_default());
    let labels = |name: &str| target[name].as_str().map(LabelSelector::new).transpose();
    Ok(Selector {
        group: pattern("group")?,
        version: pattern("version")?,
        kind: pattern("kind")?,
        name: pattern("name")?,
        namespace: pattern("namespace")?,
        label_selector: labels("labelSelector")?,
        annotation_selector: labels("annotationSelector")?,
    })
}

fn objects(random: &mut Random) -> Vec<Value> {
    let kinds = [
        ("apps/v1", "Deployment"),
        ("v1", "Service"),
        ("v1", "Namespace"),
        ("example.org/v1beta1", "Thing"),
        ("v1", "ConfigMap"),
    ];
    let object = |number: usize| {
        let (api_version, kind) = *random.choose(&kinds);
        let mut metadata = json!({"name": format!("{}-{number}", random.choose(&["web", "api", "web-api"]))});
        for (field, names) in [
            ("labels", ["app", "tier", "size"]),
            ("annotations", ["owner", "app", "link"]),
        ] {
            for name in names {
                if random.percent(50) {
                    metadata[field][name] = (*random.choose(&["web", "api", "5", "7", ""])).into();
                }
            }
        }
        if random.percent(40) {
            metadata["namespace"] = (*random.choose(&["shop", "default", "shop-2"])).into();
        }
        json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
    };
    (0..8).map(object).collect()
}

/// A patch that leaves a mark, in one of two forms.
fn mark(random: &mut Random, number: usize) -> Value {
    let name = format!("m{number}");
    if random.percent(50) {
        return json!({"apiVersion": "v1", "kind": "Any", "metadata": {"name": "any"}, "marks": {name: "x"}});
    }
    json!([{"op": "add", "path": format!("/mark{number}"), "value": "x"}])
}

fn target(random: &mut Random) -> Value {
    let mut target = json!({});
    let choices: [(&str, &[&str]); 7] = [
        (
            "kind",
            &[
                "Deployment",
                "Service|Thing",
                "Dep.*",
                "deployment",
                "Namespace",
                "",
            ],
        ),
        (
            "name",
            &["web-1", "web.*", ".*-[0-4]", "(web|api)-.*", "web", "-", "a(", ""],
        ),
        ("namespace", &["shop", "default", "shop.*", "^shop$", ""]),
        ("group", &["apps", "example.*", "", "apps|example.org"]),
        ("version", &["v1", "v1.*", "v[0-9]+", ""]),
        (
            "labelSelector",
            &[
                "app=web",
                "app in (web,api),tier",
                "!size",
                "size>5",
                "app!=web",
                "tier notin (web)",
                "app==",
                "",
                "app=web,",
            ],
        ),
        (
            "annotationSelector",
            &["owner=web", "!owner", "app in (api)", "owner,app", "link!=5"],
        ),
    ];
    for (name, texts) in choices {
        if random.percent(25) {
            target[name] = (*random.choose(texts)).into();
        }
    }
    // A target that says nothing selects everything.
    target
}
