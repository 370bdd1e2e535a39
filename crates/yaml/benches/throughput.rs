//! Bytes per second: reading and printing against the raw parser, and edits of large texts.
//!
//! `cargo bench -p tidegate-yaml`. The large document shows that many edits at once cost about as much as one.

use divan::{Bencher, counter::BytesCount};
use jsonptr::PointerBuf;
use serde_json::Value;
use tidegate_yaml::{Edit, Limits, Stream, print_stream};

fn main() {
    divan::main();
}

/// Deployments as people write them, with comments; about 700 bytes each.
fn manifests(count: usize) -> String {
    let manifest = |number: usize| {
        format!(
            "# service {number}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: svc-{number}\n  labels:\n    app: svc-{number} # selected below\n    \
             team: \"on-call\"\nspec:\n  replicas: 3\n  selector:\n    matchLabels: {{app: svc-{number}}}\n  template:\n    metadata:\n      labels:\n        app: svc-{number}\n    \
             spec:\n      containers:\n      - name: main\n        image: registry.example/svc:1.{number}\n        args: [\"--port=8080\", --verbose]\n        ports:\n        - containerPort: 8080\n          \
             protocol: TCP\n        env:\n        - name: LOG_LEVEL\n          value: info\n        # read by the sidecar\n        - name: MODE\n          value: \"on\"\n        resources:\n          \
             requests:\n            cpu: 100m\n            memory: 128Mi\n"
        )
    };
    (0..count).map(manifest).collect::<Vec<_>>().join("---\n")
}

/// One document with many entries.
fn large(count: usize) -> String {
    (0..count)
        .map(|n| format!("key-{n}:\n  name: value-{n} # note\n  list:\n  - 1\n  - 2\n"))
        .collect()
}

const MANIFESTS: usize = 2000;

#[divan::bench(sample_count = 10)]
fn raw_parser_events(bencher: Bencher<'_, '_>) {
    let text = manifests(MANIFESTS);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| saphyr_parser::Parser::new_from_str(&text).flatten().count());
}

#[divan::bench(sample_count = 10)]
fn parse(bencher: Bencher<'_, '_>) {
    let text = manifests(MANIFESTS);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| Stream::parse(text.as_str()).expect("valid").documents().len());
}

#[divan::bench(sample_count = 10)]
fn parse_with_serde_yaml(bencher: Bencher<'_, '_>) {
    use serde::Deserialize as _;
    let text = manifests(MANIFESTS);
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        serde_yaml::Deserializer::from_str(&text)
            .map(serde_yaml::Value::deserialize)
            .filter(Result::is_ok)
            .count()
    });
}

#[divan::bench(sample_count = 10)]
fn print(bencher: Bencher<'_, '_>) {
    let text = manifests(MANIFESTS);
    let stream = Stream::parse(text.as_str()).expect("valid");
    let values: Vec<&Value> = stream
        .documents()
        .iter()
        .map(|document| document.value())
        .collect();
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| print_stream(values.iter().copied()).len());
}

#[divan::bench(sample_count = 10)]
fn edit_one_manifest_of_many(bencher: Bencher<'_, '_>) {
    let stream = Stream::parse(manifests(MANIFESTS)).expect("valid");
    let edit = set("/spec/replicas", 5.into());
    bencher.bench(|| {
        stream
            .edit(MANIFESTS / 2, std::slice::from_ref(&edit))
            .expect("made")
            .text()
            .len()
    });
}

#[divan::bench(args = [1, 100, 10_000], sample_count = 5)]
fn edits_of_a_large_document(bencher: Bencher<'_, '_>, count: usize) {
    let text = large(40_000);
    let limits = Limits {
        bytes: 16 << 20,
        ..Limits::default()
    };
    let stream = Stream::parse_with(text.as_str(), &limits).expect("valid");
    let edits: Vec<Edit> = (0..count)
        .map(|n| set(&format!("/key-{}/name", n * 3), "changed".into()))
        .collect();
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| stream.edit(0, &edits).expect("made").text().len());
}

#[divan::bench(args = [10_000, 20_000, 40_000], sample_count = 5)]
fn reconcile_a_large_document(bencher: Bencher<'_, '_>, size: usize) {
    let text = large(size);
    let limits = Limits {
        bytes: 16 << 20,
        ..Limits::default()
    };
    let stream = Stream::parse_with(text.as_str(), &limits).expect("valid");
    let mut wanted = stream.documents()[0].value().clone();
    for (number, value) in wanted
        .as_object_mut()
        .into_iter()
        .flat_map(|map| map.values_mut())
        .enumerate()
    {
        match number % 3 {
            0 => value["name"] = "changed".into(),
            1 => value["list"] = serde_json::json!([0, 1, 2, 3]),
            _ => {}
        }
    }
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        stream
            .reconcile(0, &wanted, &|_, _| None)
            .expect("made")
            .text()
            .len()
    });
}

fn set(at: &str, value: Value) -> Edit {
    Edit::Set {
        at: PointerBuf::parse(at).expect("a pointer"),
        value,
    }
}
