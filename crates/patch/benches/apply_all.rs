//! Objects with as many patches, and how much faster that is than kustomize where there is one.
//!
//! `TIDEGATE_KUSTOMIZE` names the program, as in the tests; `TIDEGATE_BENCH_SIZES=1,100,1000,5000` chooses the sizes for the
//! comparison. Without it 5,000 is left out: kustomize takes many minutes for that.

#![expect(clippy::disallowed_methods, reason = "measures time and runs programs")]
#![expect(clippy::print_stdout, reason = "prints what it measures")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::ItemsCount;
use serde_json::{Value, json};
use tidegate_patch::target::{Pattern, Selector};
use tidegate_patch::{Patch, PatchBody, apply_all};
use tidegate_yaml::{Stream, print_stream};

const SIZES: [usize; 4] = [1, 100, 1_000, 5_000];

fn main() {
    divan::main();
    compare();
}

/// Each patch names its object.
#[divan::bench(args = SIZES)]
fn named(bencher: Bencher, size: usize) {
    let patches: Vec<Patch> = bodies(size)
        .map(|body| Patch::new(PatchBody::Strategic(body)))
        .collect();
    run(bencher, size, &patches);
}

/// Each patch selects its object by kind and name.
#[divan::bench(args = SIZES)]
fn selected(bencher: Bencher, size: usize) {
    let pattern = |text: &str| Some(Pattern::new(text).expect("a pattern"));
    let patch = |(number, body)| {
        let selector = Selector {
            kind: pattern("Deployment"),
            name: pattern(&name(number)),
            ..Selector::default()
        };
        Patch::with_target(PatchBody::Strategic(body), selector)
    };
    let patches: Vec<Patch> = bodies(size).enumerate().map(patch).collect();
    run(bencher, size, &patches);
}

/// Each patch is a JSON patch of its object.
#[divan::bench(args = SIZES)]
fn operations(bencher: Bencher, size: usize) {
    let patch = |number: usize| {
        let body =
            json!([{"op": "add", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 45}]);
        let selector = Selector {
            name: Some(Pattern::new(&name(number)).expect("a pattern")),
            ..Selector::default()
        };
        Patch::with_target(PatchBody::Json(body), selector)
    };
    let patches: Vec<Patch> = (0..size).map(patch).collect();
    run(bencher, size, &patches);
}

fn run(bencher: Bencher, size: usize, patches: &[Patch]) {
    let objects: Vec<Value> = objects(size).collect();
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| objects.clone())
        .bench_values(|objects| apply_all(objects, patches).expect("applies"));
}

fn name(number: usize) -> String {
    format!("svc-{number:05}")
}

fn objects(size: usize) -> impl Iterator<Item = Value> {
    let variables: Vec<Value> = (0..8)
        .map(|number| json!({"name": format!("NAME_{number}"), "value": "8080"}))
        .collect();
    (0..size).map(move |number| {
        let name = name(number);
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "app", "image": "registry.example.com/app:1.0.0", "env": variables,
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                }]},
            }},
        })
    })
}

fn bodies(size: usize) -> impl Iterator<Item = Value> {
    (0..size).map(|number| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name(number)},
            "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 45}}},
        })
    })
}

/// The whole job of kustomize, once, against the same here: read YAML, patch, write YAML.
fn compare() {
    let Some(program) = std::env::var_os("TIDEGATE_KUSTOMIZE") else {
        println!("no comparison: TIDEGATE_KUSTOMIZE is not set");
        return;
    };
    let sizes = std::env::var("TIDEGATE_BENCH_SIZES").unwrap_or_else(|_| String::from("1,100,1000"));
    for size in sizes.split(',').map(|size| size.parse().expect("a number")) {
        let folder = std::env::temp_dir().join(format!("tidegate-patch-bench-{}-{size}", std::process::id()));
        write(&folder, size);
        let theirs = time(|| {
            let output = Command::new(&program)
                .arg("build")
                .arg(&folder)
                .output()
                .expect("runs");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        });
        std::fs::remove_dir_all(&folder).expect("was written");
        let objects = print_stream(&objects(size).collect::<Vec<_>>());
        let patches = print_stream(&bodies(size).collect::<Vec<_>>());
        let runs: u32 = if size < 1_000 { 100 } else { 5 };
        let ours = time(|| (0..runs).for_each(|_| whole_job(&objects, &patches))) / runs;
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        println!(
            "{size} objects and patches: kustomize {theirs:.1?}, here {ours:.1?}: {ratio:.0} times as fast"
        );
    }
}

fn whole_job(objects: &str, patches: &str) {
    let values = |text: &str| -> Vec<Value> {
        let stream = Stream::parse(text).expect("YAML");
        let documents = stream.documents().iter();
        documents.map(|document| document.value().clone()).collect()
    };
    let patches = values(patches).into_iter();
    let patches: Vec<Patch> = patches
        .map(|body| Patch::new(PatchBody::Strategic(body)))
        .collect();
    let patched = apply_all(values(objects), &patches).expect("applies");
    divan::black_box(print_stream(&patched));
}

fn write(folder: &Path, size: usize) {
    std::fs::create_dir_all(folder).expect("a folder");
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    file(
        "objects.yaml",
        &objects(size)
            .map(|object| format!("---\n{object}\n"))
            .collect::<String>(),
    );
    let mut kustomization = String::from("resources: [objects.yaml]\npatches:\n");
    for (number, body) in bodies(size).enumerate() {
        file(&format!("{number}.yaml"), &body.to_string());
        kustomization += &format!("- path: {number}.yaml\n");
    }
    file("kustomization.yaml", &kustomization);
}

fn time(job: impl FnOnce()) -> Duration {
    let start = Instant::now();
    job();
    start.elapsed()
}
