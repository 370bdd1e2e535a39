//! JSON patches: what kustomize refuses is refused, and what is accepted here gives the same.

use serde_json::{Value, json};
use tidegate_patch::{Reason, json_patch};

use crate::engine::Kustomize;
use crate::random::Random;
use crate::{objects, report, seeded};

const PAIRS: usize = 300;
const BATCH: usize = 50;

#[test]
fn json_patches_apply_as_in_kustomize() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let (seed, mut random) = seeded();
    let pairs: Vec<(Value, Value, Value)> = (0..PAIRS).map(|number| pair(&mut random, number)).collect();
    let is_accepted =
        |(object, patch, _): &&(Value, Value, Value)| json_patch::apply(object.clone(), patch).is_ok();
    let (accepted, refused): (Vec<_>, Vec<_>) = pairs.iter().partition(is_accepted);
    let mut failures = Vec::new();
    for batch in accepted.chunks(BATCH) {
        check_batch(&kustomize, batch, &mut failures);
    }
    for (object, patch, target) in &refused {
        let outcome = kustomize.build_pairs(std::iter::once(object), std::iter::once((patch, Some(target))));
        let error = json_patch::apply(object.clone(), patch).expect_err("refused");
        // The row `strict-json-patch`.
        let is_lax = matches!(
            error.reason,
            Reason::NothingThere
                | Reason::BadIndex { .. }
                | Reason::NoMember { .. }
                | Reason::BadPointer { .. }
        );
        if outcome.is_ok() && !is_lax {
            failures.push(format!("{error}\n{object}\n{patch}"));
        }
    }
    eprintln!("{} accepted, {} refused", accepted.len(), refused.len());
    assert!(
        failures.is_empty(),
        "seed {seed}\n{}\n{} failures",
        failures.join("\n\n"),
        failures.len()
    );
    assert!(accepted.len() > PAIRS / 4, "too few pairs say anything");
}

fn check_batch(kustomize: &Kustomize, batch: &[&(Value, Value, Value)], failures: &mut Vec<String>) {
    let patches = batch.iter().map(|(_, patch, target)| (patch, Some(target)));
    let outcome = match kustomize.build_pairs(batch.iter().map(|(object, ..)| object), patches) {
        Ok(outcome) => outcome,
        Err(_) if batch.len() > 1 => {
            batch
                .chunks(batch.len().div_ceil(2))
                .for_each(|half| check_batch(kustomize, half, failures));
            return;
        }
        // A later step, which looks into objects that the patch has made nonsense of.
        Err(message) if message.contains("updating name reference") => return,
        Err(message) => {
            failures.push(format!("{message}\n{:?}", batch[0]));
            return;
        }
    };
    for (object, patch, target) in batch {
        let ours = json_patch::apply(object.clone(), patch)
            .map(Some)
            .map_err(|error| error.reason);
        let text = |name: &str| target[name].as_str().unwrap_or_default().to_owned();
        let theirs = outcome.get(&(text("kind"), text("name"))).cloned();
        if !is_same(ours.as_ref(), theirs.as_ref()) {
            failures.push(report(object, patch, &ours, &Ok(theirs)));
        }
    }
}

/// Annotations aside, where kustomize makes text of everything.
fn is_same(ours: Result<&Option<Value>, &Reason>, theirs: Option<&Value>) -> bool {
    let (Ok(Some(ours)), Some(theirs)) = (ours, theirs) else {
        return false;
    };
    let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
    for object in [&mut ours, &mut theirs] {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("annotations");
        }
    }
    ours == theirs
}

fn pair(random: &mut Random, number: usize) -> (Value, Value, Value) {
    let name = format!("case-{number}");
    let object = objects::object(random, &name);
    let patch = (0..random.below(3) + 1)
        .map(|_| operation(random, &object))
        .collect();
    let target = json!({"kind": object["kind"], "name": name});
    (object, patch, target)
}

fn operation(random: &mut Random, object: &Value) -> Value {
    let (path, value) = place(random, object);
    let (other, _) = place(random, object);
    let new = format!(
        "{path}{}",
        random.choose(&["/new", "/-", "/0", "/1", "", "/7", "/x~1y"])
    );
    match random.below(8) {
        0 | 1 => {
            json!({"op": "add", "path": new, "value": random.choose(&[json!(1), json!("a"), json!({"b": []}), json!(null)])})
        }
        2 => json!({"op": "remove", "path": path}),
        3 | 4 => {
            json!({"op": "replace", "path": path, "value": random.choose(&[json!(2), json!("x"), json!([1])])})
        }
        5 => json!({"op": "copy", "from": other, "path": format!("/spec/copy{}", random.below(2))}),
        6 => json!({"op": "move", "from": path, "path": "/spec/moved"}),
        _ => {
            json!({"op": "test", "path": path, "value": if random.percent(80) { value } else { json!("other") }})
        }
    }
}

/// A place below `spec`, `data` or the labels, and what is there.
fn place(random: &mut Random, object: &Value) -> (String, Value) {
    let mut path = String::from(*random.choose(&["/spec", "/spec", "/data", "/metadata/labels"]));
    let mut value = object.pointer(&path).cloned().unwrap_or_default();
    while random.percent(75) {
        let (token, inner) = match &value {
            Value::Object(fields) if !fields.is_empty() => {
                let (name, inner) = fields.iter().nth(random.below(fields.len())).expect("within");
                (name.replace('~', "~0").replace('/', "~1"), inner.clone())
            }
            Value::Array(items) if !items.is_empty() => {
                let index = random.below(items.len());
                (index.to_string(), items[index].clone())
            }
            _ => break,
        };
        path = format!("{path}/{token}");
        value = inner;
    }
    (path, value)
}
