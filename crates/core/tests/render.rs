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

/// The environments of a folder with kustomizations, each against what kustomize builds of its overlay.
fn compare_overlays(kustomize: &Kustomize, repo: &MemoryRepo, at: &str, overlays: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in repo.files() {
        let path = folder.path().join(path.as_str());
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let config = Config::load(repo, &RepoPath::root()).expect("a configuration");
    let application = layout::load(repo, &RepoPath::new(at).expect("a path"), &config)
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(application.layout, layout::LayoutId::Kustomize);
    for (name, environment) in &application.environments {
        let overlay = folder.path().join(at).join(overlays).join(name);
        let overlay = if overlay.exists() {
            overlay
        } else {
            folder.path().join(at)
        };
        let theirs = kustomize
            .build(&overlay)
            .unwrap_or_else(|message| panic!("{message}"));
        let theirs = Stream::parse(theirs).expect("kustomize writes YAML");
        let theirs = theirs.documents().iter().filter(|document| !document.is_empty());
        let theirs: Vec<Value> = theirs.map(|document| plain(document.value())).collect();
        let ours: Vec<Value> = environment
            .rendered
            .iter()
            .map(|manifest| plain(&manifest.value))
            .collect();
        let text = |objects: &[Value]| {
            objects
                .iter()
                .map(tidegate_yaml::print)
                .collect::<Vec<_>>()
                .join("---\n")
        };
        assert!(
            ours == theirs,
            "{name}: ours\n{}\nkustomize's\n{}",
            text(&ours),
            text(&theirs)
        );
    }
}

#[test]
fn every_phase_of_overlays_builds_as_in_kustomize() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/kustomize");
    for (fixture, at, workload, tag, count) in [("reviews", "apps/reviews", "reviews", "1.17.0", 10)] {
        let mut repo = directory(&fixtures.join(fixture).join("repo"));
        compare_overlays(&kustomize, &repo, at, "overlays");
        let config = Config::load(&repo, &RepoPath::root()).expect("a configuration");
        let folder = RepoPath::new(at).expect("a path");
        let request = StartRequest {
            workload: Some(workload.to_owned()),
            canary_tag: Some(tag.to_owned()),
            steps: Some(vec![10, 50, 100]),
            ..StartRequest::default()
        };
        let mut seen = 0;
        loop {
            let transition = {
                let checkout = Checkout::load(&repo, &folder, &config).expect("an application");
                match (checkout.application.releases.first(), seen) {
                    (Some(release), _) => {
                        next(&checkout, release, &NextRequest::default()).expect("a transition")
                    }
                    (None, 0) => start(&checkout, &request).expect("a release").transition,
                    (None, _) => None,
                }
            };
            let Some(transition) = transition else { break };
            for change in transition.change.iter() {
                repo.set(change.path.clone(), change.after.clone());
            }
            compare_overlays(&kustomize, &repo, at, "overlays");
            seen += 1;
        }
        assert_eq!(seen, count, "{fixture}: the release file, six phases, the ramp");
    }
}

/// One folder of files, each with its path on a line `#- path` before it.
fn folder(text: &str) -> MemoryRepo {
    let files = text.split("#- ").skip(1).map(|file| {
        let (path, text) = file.split_once('\n').expect("a path and a text");
        (RepoPath::new(path).expect("a path"), text.to_owned())
    });
    MemoryRepo::new(files.collect())
}

const OBJECTS: &str = "\
#- objects.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {own: \"1\"}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers: [{name: init, image: \"example.com:5000/init@sha256:0011\"}]
      containers: [{name: web, image: \"example.com:5000/web:1\"}, {name: side, image: side}]
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - {weight: 1, podAffinityTerm: {topologyKey: zone, labelSelector: {matchLabels: {app: web}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ServiceAccount, metadata: {name: web}}
  - {apiVersion: v1, kind: Namespace, metadata: {name: to-be-renamed}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: clean}
spec: {schedule: \"1 1 * * *\", jobTemplate: {spec: {template: {spec: {containers: [{name: clean, image: web}]}}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: web}, {kind: ServiceAccount, name: default}, {kind: ServiceAccount, name: far, namespace: away}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: gate}}}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: local, annotations: {config.kubernetes.io/local-config: \"true\"}}
";

#[test]
fn what_a_kustomization_says_builds_as_in_kustomize() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let cases = [
        "namespace: shop\n",
        "commonLabels: {team: a, app: b}\n",
        "labels: [{pairs: {team: a}}, {pairs: {tier: web}, includeTemplates: true}, {pairs: {part: x}, includeSelectors: true}]\n",
        "labels: [{pairs: {team: a}, fields: [{path: spec/extra/labels, kind: Service, create: true}]}]\n",
        "commonAnnotations: {note: \"on\"}\nsortOptions: {order: legacy}\n",
        "replicas: [{name: web, count: 3}]\n",
        "images: [{name: \"example.com:5000/web\", newTag: \"2\"}, {name: side, newName: other/side, digest: \"sha256:11\"}, {name: web, newName: clean}]\n",
        "images: [{name: \"example.com:5000/init\", newTag: \"2\"}, {name: other/side, newTag: never}, {name: \"example.com.5000/web\", newTag: regular}]\n",
        "imageTags: [{name: side, newTag: \"2\", digest: \"sha256:22\"}]\n",
        "patches:\n- target: {kind: Deployment|CronJob}\n  patch: |-\n    - {op: add, path: /metadata/annotations, value: {a: b}}\n- patch: |-\n    apiVersion: v1\n    kind: Service\n    metadata: {name: web}\n    spec: {type: NodePort}\n",
        "patches:\n- target: {labelSelector: own=1}\n  patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: any}\n    spec: {template: {spec: {containers: [{name: side, $patch: delete}]}}}\n",
        "patches:\n- target: {name: nothing}\n  patch: |-\n    - {op: remove, path: /spec}\n",
        "patchesStrategicMerge:\n- |-\n  apiVersion: batch/v1\n  kind: CronJob\n  metadata: {name: clean}\n  $patch: delete\n",
        "patchesJson6902:\n- target: {version: v1, kind: Service, name: web}\n  patch: |-\n    [{\"op\": \"replace\", \"path\": \"/spec/ports/0/port\", \"value\": 81}]\n",
        "namespace: shop\npatches:\n- target: {kind: Service, namespace: default}\n  patch: |-\n    - {op: add, path: /spec/type, value: NodePort}\n",
    ];
    for case in cases {
        let repo = folder(&format!(
            "{OBJECTS}#- kustomization.yaml\nresources: [objects.yaml]\n{case}"
        ));
        compare_overlays(&kustomize, &repo, "", "");
    }
    let generated = format!(
        "{}#- base/kustomization.yaml\nresources: [objects.yaml, uses.yaml]\ngeneratorOptions: {{labels: {{made: \"yes\"}}}}\n\
configMapGenerator:\n- name: settings\n  literals: [A=1, 'B=\"x <&> y\"', C=a=b]\n  files: [conf/app.properties, other.txt=conf/app.properties]\n  envs: [conf/vars.env]\n\
- name: stays\n  options: {{disableNameSuffixHash: true, annotations: {{a: b}}, immutable: true}}\n- name: empty\n\
secretGenerator:\n- name: key\n  type: example.com/key\n  literals: [token=0123456789012345678901234567890123456789012345678901234567890123456789]\n- name: none\n\
#- base/conf/app.properties\n# text, no YAML: {{\nx=1\n\u{e9}\n\
#- base/conf/vars.env\n# a comment\n\n  ONE=1\nTWO=a=b \nTHREE\n\
#- base/uses.yaml\n{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: uses}}, spec: {{template: {{spec: {{imagePullSecrets: [{{name: key}}], containers: [{{name: a, envFrom: [{{configMapRef: {{name: settings}}}}], env: [{{name: T, valueFrom: {{secretKeyRef: {{name: key, key: token}}}}}}]}}], volumes: [{{name: v, configMap: {{name: stays}}}}, {{name: p, projected: {{sources: [{{configMap: {{name: settings}}}}, {{secret: {{name: none}}}}]}}}}]}}}}}}}}\n---\n\
{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: r}}, rules: [{{apiGroups: [\"\"], resources: [configmaps], verbs: [get], resourceNames: [settings, other]}}]}}\n---\n\
{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: i, annotations: {{nginx.ingress.kubernetes.io/auth-secret: key}}}}, spec: {{tls: [{{secretName: key}}]}}}}\n\
#- overlays/live/kustomization.yaml\nresources: [../../base]\nnamespace: live\nconfigMapGenerator:\n- {{name: settings, behavior: merge, literals: [A=2, NEW=3], options: {{labels: {{own: \"1\"}}}}}}\n- {{name: empty, behavior: replace, literals: [x=y]}}\n\
#- overlays/dev/kustomization.yaml\nresources: [../../base]\nnamespace: dev\npatches:\n- patch: |-\n    {{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{A: patched}}}}\n",
        OBJECTS.replace("#- objects", "#- base/objects")
    );
    compare_overlays(&kustomize, &folder(&generated), "", "overlays");
    let nested = format!(
        "{}#- base/kustomization.yml\nnamespace: inner\nresources: [./objects.yaml]\nlabels: [{{pairs: {{from: base}}}}]\n\
#- parts/kustomization.yaml\nkind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nresources: [extra.yaml]\npatches: [{{path: patch.yaml}}]\nreplicas: [{{name: web, count: 7}}]\n\
#- parts/extra.yaml\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: extra}}, data: {{a: b}}}}\n\
#- parts/patch.yaml\n{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{sessionAffinity: ClientIP}}}}\n---\n{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: web}}, automountServiceAccountToken: false}}\n\
#- overlays/live/Kustomization\nbases: [../../base]\ncomponents: [../../parts]\nnamespace: outer\ncommonLabels: {{from: overlay}}\npatches: [{{path: web.yaml}}]\n\
#- overlays/live/web.yaml\n{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {{replicas: 9}}}}\n\
#- overlays/dev/kustomization.yaml\nresources: [../live]\nnamespace: dev\n",
        OBJECTS.replace("#- objects", "#- base/objects")
    );
    compare_overlays(&kustomize, &folder(&nested), "", "overlays");
}
