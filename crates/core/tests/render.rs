//! Our render against the real kustomize, on the same base objects and patches.
#![expect(
    clippy::disallowed_methods,
    reason = "fixtures are files, and kustomize is a program"
)]

mod fixtures;
#[path = "render/kustomize.rs"]
mod kustomize;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tidegate_core::checkout::Checkout;
use tidegate_core::layout;
use tidegate_core::manifest::{Manifest, ManifestSet, ObjectRef};
use tidegate_core::model::{Environment, TargetedPatch};
use tidegate_core::render::render;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::start::{StartRequest, start};
use tidegate_core::transition::{NextRequest, next};
use tidegate_yaml::Stream;

use fixtures::{FIXTURES, directory};
use kustomize::Kustomize;

/// Compares every environment of an application, object by object and in the same order.
fn compare(kustomize: &Kustomize, repo: &MemoryRepo, at: &str) {
    let config = Config::load(repo, &RepoPath::root()).unwrap_or_else(|failure| panic!("{at}: {failure:?}"));
    let at = RepoPath::new(at).expect("a path");
    let application = layout::load(repo, &at, &config).unwrap_or_else(|failure| panic!("{at}: {failure:?}"));
    assert!(!application.environments.is_empty());
    for environment in application.environments.values() {
        compare_environment(kustomize, environment, &application.namespace);
    }
}

fn compare_environment(kustomize: &Kustomize, environment: &Environment, namespace: &str) {
    let theirs = kustomize
        .build_environment(environment, namespace)
        .unwrap_or_else(|message| panic!("{message}"));
    let ours: Vec<Value> = environment
        .rendered
        .iter()
        .map(|manifest| plain(&manifest.value))
        .collect();
    let theirs: Vec<Value> = theirs.iter().map(plain).collect();
    let names = |objects: &[Value]| {
        objects
            .iter()
            .filter_map(ObjectRef::of)
            .map(|object| object.to_string())
            .collect()
    };
    let (our_names, their_names): (Vec<String>, Vec<String>) = (names(&ours), names(&theirs));
    assert_eq!(our_names, their_names, "{}", environment.name);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let (left, right) = (tidegate_yaml::print(ours), tidegate_yaml::print(theirs));
        assert!(
            ours == theirs,
            "{}: ours\n{left}\nkustomize's\n{right}",
            environment.name
        );
    }
}

/// kustomize sorts keys and writes numbers in its own spelling.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(serde_json::Number::from_f64)
            .map_or(Value::Null, Value::Number),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(map) => {
            let sorted: BTreeMap<&String, Value> =
                map.iter().map(|(key, value)| (key, plain(value))).collect();
            sorted
                .into_iter()
                .map(|(key, value)| (key.clone(), value))
                .collect()
        }
        other => other.clone(),
    }
}

#[test]
fn every_fixture_renders_as_in_kustomize() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/istio");
    for application in ["my-service", "orders"] {
        compare(
            &kustomize,
            &directory(&fixtures.join(application).join("repo")),
            "",
        );
    }
    for at in ["services/catalog", "services/search"] {
        compare(&kustomize, &directory(&fixtures.join("monorepo/repo")), at);
    }
    for state in std::fs::read_dir(fixtures.join("by-hand")).expect("a folder") {
        compare(
            &kustomize,
            &directory(&state.expect("an entry").path().join("repo")),
            "",
        );
    }
}

#[test]
fn every_known_key_renders_as_in_kustomize() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let spec = "\
name: orders
namespace: checkout
image: {repository: group/orders, tag: \"1e3\"}
useServiceMesh: true
useProxyEnvVars: true
deletionProtection: true
defaultAuthorizationPolicy: {rules: []}
deployments:
  web:
    ingress: {enabled: true, labels: {migration: \"true\"}}
    command: [\"/bin/sh\", \"-c\", \"echo 'a: b' # c\"]
    podLabels: {tier: frontend, version: \"2\"}
    autoscaling: {enabled: true, minReplicas: 2, maxReplicas: 6, metrics: [{type: Resource, name: cpu, targetAverageUtilization: 60}]}
    resources: {requests: {cpu: 0.5, memory: 256Mi}, limits: {memory: \"1e3\"}}
    authorizationPolicy:
      rules: [{from: [{source: {principals: [{namespace: a, serviceAccountName: [b, c]}]}}], when: [{key: x, values: [y]}]}]
  worker:
cronjobs:
  clean: {schedule: \"15 3 * * *\", command: [\"on\", \"1\", \"~\"]}
";
    let patch = "\
apiVersion: apps/v1
kind: Service
metadata: {name: orders-web, annotations: {empty: \"\", gone: }}
spec:
  selector: {app: , applicationName: orders}
  ports: [{port: 443, name: https}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: orders-clean}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: orders-clean, resources: {limits: {cpu: 1}}}]}}}}}
---
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders-worker}
$patch: delete
";
    let more = "\
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: orders--web}
spec:
  http:
    - route: [{destination: {host: a, subset: v1}, weight: 0}, {destination: {host: a, subset: v2}, weight: 100}]
  exportTo: [\".\"]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders-web}
spec:
  template:
    spec:
      containers:
        - {name: sidecar, image: x}
        - name: orders-web
          env: [{name: HTTP_PROXY, $patch: delete}, {name: A, value: b}]
          command: [\"/app\"]
      volumes: [{name: tmp, emptyDir: {}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: orders-web}
spec: {$patch: replace, maxReplicas: 9}
";
    let extra = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: \"on\", b: \"0755\", c: \"two\\nlines\\n\"}
---
apiVersion: example.com/v1alpha1
kind: Widget
metadata: {name: b}
spec: {sizes: [1, 2.50, 1.0]}
---
apiVersion: example.com/v1alpha1
kind: Widget
metadata: {name: a}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: guard}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 1000
";
    let files = [
        ("gap/gap.yaml", spec),
        ("gap/gap_patch_all.yaml", patch),
        ("gap/staging/gap_patch_more.yaml", more),
        ("gap/gap_extra.yaml", extra),
    ];
    let files = files.map(|(path, text)| (RepoPath::new(path).expect("a path"), text.to_owned()));
    compare(&kustomize, &MemoryRepo::new(files.into()), "");
}

fn objects(text: &str) -> Vec<Manifest> {
    let stream = Stream::parse(text).expect("YAML");
    let file = RepoPath::new("objects.yaml").expect("a path");
    let documents = stream.documents().iter().enumerate();
    let manifest = |(index, document): (usize, &tidegate_yaml::Document)| Manifest {
        object: ObjectRef::of(document.value()).expect("an object"),
        value: document.value().clone(),
        origin: tidegate_core::diagnostic::Location::value(&file, index, &[]),
    };
    documents.map(manifest).collect()
}

#[test]
fn what_kustomize_refuses_is_refused() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let service = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {}}";
    let cases = [
        (
            "no object of that name",
            "{apiVersion: v1, kind: Service, metadata: {name: wbe}}",
        ),
        (
            "another version",
            "{apiVersion: v2, kind: Service, metadata: {name: web}}",
        ),
        (
            "another group",
            "{apiVersion: apps/v1, kind: Service, metadata: {name: web}}",
        ),
        (
            "another namespace",
            "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: other}}",
        ),
    ];
    for (case, patch) in cases {
        let patches = objects(patch).into_iter().map(
            |Manifest {
                 object,
                 value,
                 origin,
             }| TargetedPatch {
                target: object,
                value,
                origin,
            },
        );
        refused_by_both(&kustomize, case, objects(service), patches.collect());
    }
    refused_by_both(
        &kustomize,
        "the same object twice",
        objects(&format!("{service}\n---\n{service}")),
        Vec::new(),
    );
}

fn refused_by_both(kustomize: &Kustomize, case: &str, base: Vec<Manifest>, patches: Vec<TargetedPatch>) {
    assert!(
        render(&base, &patches, "checkout").is_err(),
        "{case}: we render it"
    );
    let environment = Environment {
        name: case.to_owned(),
        base,
        parts: indexmap::IndexMap::new(),
        patches,
        rendered: ManifestSet::default(),
    };
    assert!(
        kustomize.build_environment(&environment, "checkout").is_err(),
        "{case}: kustomize renders it"
    );
}

/// Takes a release from `init` to its end and compares what is rendered after every transition.
fn compare_life(kustomize: &Kustomize, repo: &mut MemoryRepo, at: &str, workload: &str) {
    let config = Config::load(repo, &RepoPath::root()).expect("a configuration");
    let folder = RepoPath::new(at).expect("a path");
    let mut count = 0;
    loop {
        let transition = {
            let checkout = Checkout::load(repo, &folder, &config).expect("an application");
            let mut releases = checkout.application.releases.iter();
            match releases.find(|release| release.workload == workload) {
                Some(release) => next(&checkout, release, &NextRequest::default()).expect("a transition"),
                None if count == 0 => {
                    let request = StartRequest {
                        workload: Some(workload.to_owned()),
                        ..StartRequest::default()
                    };
                    start(&checkout, &request).expect("a release").transition
                }
                None => None,
            }
        };
        let Some(transition) = transition else { break };
        for change in transition.change.iter() {
            repo.set(change.path.clone(), change.after.clone());
        }
        compare(kustomize, repo, at);
        count += 1;
    }
    assert_eq!(
        count, 14,
        "init, nine phases, four steps of the ramp after the first"
    );
}

#[test]
fn every_phase_of_every_fixture_renders_as_in_kustomize() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    for (fixture, at, workload) in FIXTURES {
        let mut repo = directory(&fixtures.join(fixture).join("repo"));
        compare_life(&kustomize, &mut repo, at, workload);
    }
    for state in std::fs::read_dir(fixtures.join("istio/by-hand")).expect("a folder") {
        compare(
            &kustomize,
            &directory(&state.expect("an entry").path().join("repo")),
            "",
        );
    }
}
