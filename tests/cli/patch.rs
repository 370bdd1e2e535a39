//! `tidegate patch`: what it prints is what kustomize builds; what it refuses it refuses with a place.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_yaml::Stream;

use crate::kustomize::Kustomize;
use crate::repository::{Ended, Repository};

const OBJECTS: &str = "\
# the site
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web, example.org/tier: front}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: web
          image: 'web:1'
          args: [--port, '8080']
          ports: [{containerPort: 8080, protocol: TCP}]
        - {name: proxy, image: 'proxy:3'}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80}]
";

const STRATEGIC: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - {name: proxy, $patch: delete}
        - name: web
          env: [{name: MODE, value: 'on'}]
          args: [--verbose]
---
# a second patch in the same file
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports: [{port: 80, targetPort: 8080}, {name: metrics, port: 9090}]
";

const OPERATIONS: &str = "\
- {op: test, path: /spec/replicas, value: 2}
- {op: replace, path: /spec/replicas, value: 3}
- {op: add, path: /metadata/labels/example.org~1track, value: canary}
- {op: move, from: /metadata/labels/app, path: /metadata/labels/name}
";

fn files(patch: &str) -> Repository {
    Repository::with(&[("web.yaml", OBJECTS), ("patch.yaml", patch)])
}

/// Refused, with nothing on standard output.
#[track_caller]
fn refused(repository: &Repository, args: &[&str]) -> Ended {
    let ended = repository.run(args).expect(1);
    assert_eq!(ended.stdout, "");
    ended
}

#[test]
fn patches_apply_in_order_and_the_result_is_a_stream() {
    let repository = Repository::with(&[
        ("web.yaml", OBJECTS),
        ("1.yaml", STRATEGIC),
        ("2.yaml", OPERATIONS),
    ]);
    let ended = repository.run(&["patch", "-p", "1.yaml", "web.yaml"]).expect(0);
    assert_eq!(
        ended.stdout,
        "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app: web
    example.org/tier: front
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: web
        image: web:1
        args:
        - --verbose
        ports:
        - containerPort: 8080
          protocol: TCP
        env:
        - name: MODE
          value: \"on\"
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - name: http
    port: 80
    targetPort: 8080
  - name: metrics
    port: 9090
"
    );
    assert_eq!(ended.stderr, "");
    // The second patch sees what the first has made.
    let later = "- {op: test, path: /spec/template/spec/containers/0/args/0, value: --verbose}\n";
    repository.write("3.yaml", later);
    let args = |first, second| {
        [
            "patch",
            "-p",
            first,
            "-p",
            second,
            "--type",
            "auto",
            "--target",
            "Deployment/web",
            "web.yaml",
        ]
    };
    repository.write("1.yaml", STRATEGIC.split("---").next().expect("a patch"));
    let _ = repository.run(&args("1.yaml", "3.yaml")).expect(0);
    let _ = refused(&repository, &args("3.yaml", "1.yaml"));
}

#[test]
fn standard_input_several_files_and_another_folder() {
    let (deployment, service) = OBJECTS.split_once("---\n").expect("two documents");
    let repository = Repository::with(&[
        ("in/a.yaml", deployment),
        ("in/b.yaml", service),
        ("p.yaml", STRATEGIC),
    ]);
    let from_files = repository
        .run(&["-C", "in", "patch", "-p", "../p.yaml", "a.yaml", "b.yaml"])
        .expect(0);
    let from_input = repository
        .run_with_input(&["patch", "--patch", "p.yaml", "-"], OBJECTS)
        .expect(0);
    assert_eq!(from_files.stdout, from_input.stdout);
    let patch_from_input = repository
        .run_with_input(&["patch", "-p", "-", "in/a.yaml", "in/b.yaml"], STRATEGIC)
        .expect(0);
    assert_eq!(patch_from_input.stdout, from_input.stdout);
    repository
        .run_with_input(&["patch", "-p", "p.yaml", "-"], "a: {\n")
        .expect(1)
        .says("--> <stdin>:");
    repository
        .run(&["patch", "-p", "-", "-"])
        .expect(2)
        .says("standard input can be read only once");
}

/// Objects by kind and name.
fn objects(text: &str) -> BTreeMap<String, Value> {
    let stream = Stream::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let documents = stream.documents().iter().filter(|document| !document.is_empty());
    documents
        .map(|document| document.value().clone())
        .map(|value| (format!("{}/{}", value["kind"], value["metadata"]["name"]), value))
        .collect()
}

#[test]
fn the_result_is_what_kustomize_builds() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let cases = [
        (STRATEGIC, None),
        (OPERATIONS, Some("Deployment/web")),
        // JSON is YAML; a target is a pair of anchored patterns.
        (
            r#"[{"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}]"#,
            Some(".*/we."),
        ),
        (
            r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "$patch": "delete"}"#,
            None,
        ),
        // The names in a patch with a target do not matter.
        (
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: any}, spec: {replicas: 7, paused: true}}",
            Some("Deployment/.*"),
        ),
    ];
    for (patch, target) in cases {
        let repository = files(patch);
        let mut args = vec!["patch", "-p", "patch.yaml", "web.yaml"];
        let mut kustomization = "resources: [web.yaml]\npatches:\n- path: patch.yaml\n".to_owned();
        if let Some(target) = target {
            args.extend(["--target", target]);
            let (kind, name) = target.split_once('/').expect("a kind and a name");
            kustomization += &format!("  target: {{kind: '{kind}', name: '{name}'}}\n");
        }
        repository.write("kustomization.yaml", kustomization);
        let built = kustomize
            .build(&repository.path())
            .unwrap_or_else(|error| panic!("{error}\n{patch}"));
        let ours = repository.run(&args).expect(0);
        assert_eq!(objects(&ours.stdout), objects(&built), "{patch}");
    }
}

#[test]
fn types_are_told_apart_or_given() {
    let list = "{spec: {template: {spec: {containers: [{name: new}]}}}}";
    let count = |args: &[&str]| {
        let ended = files(list)
            .run(&[&["patch", "-p", "patch.yaml", "web.yaml"], args].concat())
            .expect(0);
        let deployment = objects(&ended.stdout)
            .remove("\"Deployment\"/\"web\"")
            .expect("a Deployment");
        deployment["spec"]["template"]["spec"]["containers"]
            .as_array()
            .expect("a list")
            .len()
    };
    assert_eq!(
        count(&["--target", "Deployment/", "--type", "merge"]),
        1,
        "a merge patch replaces lists"
    );
    assert_eq!(count(&["--target", "Deployment/", "--type", "strategic"]), 3);
    assert_eq!(count(&["--target", "Deployment/", "--type", "auto"]), 3);
    let args = [
        "patch",
        "-p",
        "patch.yaml",
        "--target",
        "/web",
        "--type",
        "json6902",
        "web.yaml",
    ];
    refused(&files(list), &args)
        .says("a map where a list is needed")
        .says("patch.yaml:1:1");
    let args = [
        "patch",
        "-p",
        "patch.yaml",
        "--target",
        "/web",
        "--type",
        "strategic",
        "web.yaml",
    ];
    refused(&files(OPERATIONS), &args).says("a list where a map is needed");
}

#[test]
fn an_error_names_patch_file_line_operation_and_pointer() {
    let operations = "\
- op: replace
  path: /spec/replicas
  value: 3
- {op: add, path: /spec/templat/metadata, value: {}}
";
    let args = [
        "patch",
        "-p",
        "patch.yaml",
        "--target",
        "Deployment/web",
        "web.yaml",
    ];
    let ended = refused(&files(operations), &args);
    assert_eq!(
        ended.stderr,
        "\
error[patch-failed]: the patch of apps/v1 Deployment web fails: operation 1: /spec/templat/metadata: nothing is there
 --> patch.yaml:4:19
  |
4 | - {op: add, path: /spec/templat/metadata, value: {}}
  |                   ^^^^^^^^^^^^^^^^^^^^^^
  |
 ::: web.yaml:8:3
  |
8 |   replicas: 2
  |   ----------- in the object, at spec.templat.metadata
  |
  = help: did you mean `/spec/template/metadata`?

"
    );
}

#[test]
fn every_refusal_points_at_its_place() {
    let service =
        |spec: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n{spec}");
    let target: &[&str] = &["--target", "Deployment/web"];
    let cases: &[(String, &[&str], &str, &str)] = &[
        (
            service("  ports:\n  - name: http\n"),
            &[],
            "patch.yaml:6:5",
            "/spec/ports/0: item without its merge key",
        ),
        (
            service("  $pach: replace\n"),
            &[],
            "patch.yaml:5:3",
            "\"$pach\" is not a directive",
        ),
        (
            service("  a: 1\n").replace("web", "wep"),
            &[],
            "patch.yaml:3:18",
            "did you mean `web`?",
        ),
        (
            service("  a: 1\n").replace("web", "other"),
            &[],
            "patch.yaml:3:18",
            "objects of the kind Service: web",
        ),
        (
            service("  a: 1\n").replace("Service", "Servise"),
            &[],
            "patch.yaml:2:7",
            "did you mean the kind `Service`?",
        ),
        (
            service("  a: 1\n").replace(": v1", ": v2"),
            &[],
            "patch.yaml:1:13",
            "did you mean `apiVersion: v1`?",
        ),
        (
            service("  a: 1\n").replace("{name: web}", "{name: web, namespace: shop}"),
            &[],
            "patch.yaml:3:34",
            "did you mean the one without namespace",
        ),
        (
            service("  a: 1\n"),
            &["--target", "Servce/web"],
            "patch.yaml:1:1",
            "did you mean the kind `Service`?",
        ),
        (
            service("  a: 1\n"),
            &["--target", "Service/wbe"],
            "patch.yaml:1:1",
            "did you mean `--target Service/web`?",
        ),
        (
            "spec: {replicas: 1}\n".into(),
            &["--type", "merge"],
            "patch.yaml:1:1",
            "add `--target Deployment/web`",
        ),
        (
            "- {op: remove, path: /a}\n".into(),
            &[],
            "patch.yaml:1:1",
            "add `--target Deployment/web`",
        ),
        (
            "op: remove\npath: /a\n".into(),
            &[],
            "patch.yaml:1:1",
            "begin the operation with `- op:`",
        ),
        (
            "- op: copy\n  path: /a\n  from: /b\n".into(),
            target,
            "patch.yaml:3:9",
            "operation 0: /b: nothing is there",
        ),
        (
            "- op: ad\n  path: /a\n".into(),
            target,
            "patch.yaml:1:7",
            "operation 0: /0/op: \"ad\" is not an operation",
        ),
        (
            "- op: add\n  path: a\n  value: 1\n".into(),
            target,
            "patch.yaml:2:9",
            "\"a\" is not a JSON pointer",
        ),
        (
            "# none\n".into(),
            &[],
            "patch.yaml",
            "there is no patch in this file",
        ),
        ("a: {\n".into(), &[], "patch.yaml:2:1", "invalid-yaml"),
        (
            service("  a: 1\n---\n").replace("spec", "$patch: delete\nspec") + &service("  a: 2\n"),
            &[],
            "patch.yaml:10:18",
            "a patch before this one deleted it",
        ),
    ];
    for (patch, args, place, message) in cases {
        let args = [&["patch", "-p", "patch.yaml", "web.yaml"], *args].concat();
        refused(&files(patch), &args)
            .says(&format!("--> {place}\n"))
            .says(message);
    }
}

#[test]
fn an_object_that_is_none_or_is_there_twice_is_refused() {
    let repository = files(STRATEGIC);
    repository.write(
        "again.yaml",
        "---\n---\n# empty ones do not count\n---\n{apiVersion: v1, kind: Service, metadata: {name: web}}\n",
    );
    refused(
        &repository,
        &["patch", "-p", "patch.yaml", "web.yaml", "again.yaml"],
    )
    .says("there is another v1 Service web")
    .says("--> again.yaml:5:50\n")
    .says("::: web.yaml:20:18\n");
    repository.write("list.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    refused(&repository, &["patch", "-p", "patch.yaml", "list.yaml"])
        .says("metadata.name is missing")
        .says("--> list.yaml:1:1\n")
        .says("write the items of the list as documents");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let repository = files(STRATEGIC);
    for args in [
        ["patch", "-p", "none.yaml", "web.yaml"],
        ["patch", "-p", "patch.yaml", "none.yaml"],
    ] {
        let ended = repository.run(&args).expect(2).says("cannot read none.yaml: ");
        assert_eq!(ended.stdout, "");
    }
    repository
        .run(&["patch", "-p", "patch.yaml", "."])
        .expect(2)
        .says("cannot read .: ");
    repository.write("latin1.yaml", b"a: b\nc: \xe9\n");
    refused(&repository, &["patch", "-p", "latin1.yaml", "web.yaml"]).says("--> latin1.yaml:2:4\n");
    for (args, message) in [
        (&["patch", "web.yaml"][..], "--patch <PATCH>"),
        (&["patch", "-p", "patch.yaml"], "<FILE>"),
        (
            &["patch", "-p", "patch.yaml", "--target", "web", "web.yaml"],
            "such as `Deployment/web`",
        ),
        (
            &["patch", "-p", "patch.yaml", "--target", "[/web", "web.yaml"],
            "is not a regular expression",
        ),
    ] {
        let ended = repository.run(args).expect(2).says(message);
        assert_eq!(ended.stdout, "");
    }
}

/// What a Secret holds is not quoted, in the patch or in the object.
#[test]
fn an_error_in_a_secret_does_not_show_it() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {password: hunter2}\n";
    let repository = Repository::with(&[
        ("web.yaml", secret),
        ("patch.yaml", "- {op: add, path: /stringData/a/b, value: c}\n"),
    ]);
    let ended = refused(
        &repository,
        &["patch", "-p", "patch.yaml", "--target", "Secret/web", "web.yaml"],
    );
    assert!(
        ended.stderr.contains("web.yaml:4:") && !ended.stderr.contains("hunter2"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_shells_and_the_manual_know_it() {
    let repository = Repository::with(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let script = repository.run(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("json6902"), "{shell}");
    }
    let page = repository.run(&["man"]).expect(0).stdout;
    assert!(
        page.contains("patch") && page.contains("Apply patches to manifests"),
        "{page}"
    );
    let help = repository.run(&["patch", "--help"]).expect(0).stdout;
    let words: Vec<&str> = help.split_whitespace().collect();
    let said = "operations of a JSON patch are counted from 0";
    assert!(words.join(" ").contains(said), "{help}");
}
