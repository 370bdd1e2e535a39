//! Releases that are left to Flagger: what they can be begun with, how they end, and what `check` says around a Canary.

use crate::repository::Repository;

const AT: &str = "podinfo";
const PRODUCTION: &str = "podinfo/production/podinfo.yaml";
const STAGING: &str = "podinfo/staging/service.yaml";
const INIT: [&str; 7] = ["-C", AT, "init", "--provider", "flagger", "--canary-tag", "2.1.1"];

/// The fixture, committed.
fn podinfo() -> Repository {
    Repository::of("flagger/podinfo")
}

/// The fixture after so many transitions.
fn after(count: usize) -> Repository {
    let repository = podinfo();
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    for _ in 0..count {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    }
    repository
}

/// A repository in which Flagger has the workload, as its guides write it.
fn bootstrapped(canary: &str) -> Repository {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: podinfo, namespace: prod}\nspec:\n  \
        selector: {matchLabels: {app: podinfo}}\n  template:\n    metadata: {labels: {app: podinfo}}\n    spec:\n      \
        containers:\n        - {name: podinfo, image: 'stefanprodan/podinfo:2.1.0'}\n";
    let repository = Repository::with(&[("podinfo.yaml", deployment), ("canary.yaml", canary)]);
    repository.git(&["init", "--quiet"]);
    repository.commit("start");
    repository
}

const OLD_CANARY: &str = "\
apiVersion: flagger.app/v1alpha3
kind: Canary
metadata: {name: podinfo, namespace: prod}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  service: {port: 9898}
  canaryAnalysis:
    interval: 10s
    stepWeight: 5
    threshold: 5
    metrics:
      - {name: request-success-rate, threshold: 99, interval: 1m}
";

/// `init` is refused, and nothing is written.
#[track_caller]
fn refused(repository: &Repository, code: &str, at: &str, says: &str, hint: &str) {
    let before = repository.tree();
    let ended = repository.run(&INIT).expect(1);
    let _ = ended.says(&format!("[{code}]")).says(at).says(says).says(hint);
    assert!(repository.tree() == before);
}

#[test]
fn the_controller_runs_and_status_says_how_to_look() {
    let repository = after(4);
    let status = repository.run(&["-C", AT, "status"]).expect(0).stdout;
    for says in [
        "podinfo/podinfo: trigger",
        "kubectl -n test get canary podinfo && kubectl -n prod get canary podinfo",
        "next: suspend",
        "let flagger keep the workload (`tidegate next --to tidy`)",
    ] {
        assert!(status.contains(says), "{says}\n{status}");
    }
    let canary = repository.read("podinfo/staging/podinfo-canary.yaml");
    for says in [
        "stepWeights:\n",
        "kind: HorizontalPodAutoscaler",
        "portName: http",
        "targetPort: http",
        "name: request-success-rate",
    ] {
        assert!(canary.contains(says), "{says}\n{canary}");
    }
    assert!(repository.read(STAGING).contains("#| kind: Service\n"));
    for command in [
        &["shift", "--env", "production", "--to", "5"][..],
        &["hotfix", "--stable-tag", "2.0.9"],
    ] {
        let ended = repository.run(&[&["-C", AT], command].concat()).expect(1);
        let _ = ended.says("flagger moves the requests").says("tidegate rollback");
    }
}

/// What each commit of a release is judged as by somebody who only has the files.
#[test]
fn check_finds_every_commit_of_a_release_safe() {
    let repository = after(0);
    for stage in 1..=7 {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
        let checked = repository.run(&["-C", AT, "check", "--base", "HEAD~1"]).expect(0);
        assert!(
            !checked.stdout.contains("[withdrawn]"),
            "{stage}\n{}",
            checked.stdout
        );
        assert!(
            checked.stderr.contains("production: safe; "),
            "{stage}\n{}",
            checked.stderr
        );
        let is_judged = stage < 6;
        assert_eq!(
            !checked.stdout.contains("[not-judged]"),
            is_judged,
            "{stage}\n{}",
            checked.stdout
        );
    }
}

#[test]
fn a_rollback_puts_the_old_image_back_and_the_release_goes_on() {
    let repository = after(4);
    let before = repository.tree();
    let _ = repository.run(&["-C", AT, "rollback", "--commit"]).expect(0);
    assert_eq!(repository.read_phase(AT, "podinfo"), ["bootstrap"]);
    assert!(repository.read(PRODUCTION).contains("podinfo:2.1.0"));
    let nothing = repository.run(&["-C", AT, "rollback"]).expect(0).stderr;
    assert!(nothing.contains("nothing to do"), "{nothing}");
    let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    assert!(repository.tree() == before);
}

#[test]
fn flagger_may_stay_and_the_next_release_is_the_image_alone() {
    let repository = after(4);
    let args = ["-C", AT, "next", "--to", "tidy", "--commit"];
    let _ = repository.run(&args).expect(0);
    assert_eq!(repository.read_phase(AT, "podinfo"), ["idle"]);
    assert!(!repository.read(PRODUCTION).contains("#|"));
    assert!(!repository.read(PRODUCTION).contains("kind: Service"));
    let _ = repository.run(&["-C", AT, "check", "--base", "HEAD~1"]).expect(0);
    let start = repository.tree();
    let init = ["-C", AT, "init", "--canary-tag", "2.1.2", "--commit"];
    let _ = repository
        .run(&init)
        .expect(0)
        .says("has `podinfo` already and keeps it");
    assert_eq!(repository.read_phase(AT, "podinfo"), ["bootstrap"]);
    for phase in ["trigger", "idle"] {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
        assert_eq!(repository.read_phase(AT, "podinfo"), [phase]);
    }
    let ended = repository.diff_of(&start);
    assert_eq!(ended, format!("{PRODUCTION}\npodinfo/staging/deployment.yaml\n"));
}

#[test]
fn an_old_canary_is_found_by_looking_and_left_as_it_is() {
    let repository = bootstrapped(OLD_CANARY);
    let start = repository.tree();
    let _ = repository
        .run(&["init", "--canary-tag", "2.1.1", "--commit"])
        .expect(0);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(repository.read("canary.yaml"), OLD_CANARY);
    assert!(repository.read("podinfo.yaml").contains("podinfo:2.1.1"));
    for _ in ["the image", "the release"] {
        let _ = repository.run(&["abort", "--commit"]).expect(0);
    }
    assert!(repository.tree() == start);
    let steps = ["init", "--canary-tag", "2.1.1", "--steps", "50,100"];
    let _ = repository.run(&steps).expect(1).says("leave --steps out");
}

#[test]
fn a_persons_edits_of_the_canary_and_around_the_service_stay() {
    let repository = after(3);
    repository.replace(
        "podinfo/production/podinfo-canary.yaml",
        "threshold: 5",
        "threshold: 9",
    );
    repository.replace(PRODUCTION, "minAvailable: 1", "minAvailable: 2");
    repository.commit("edited");
    for _ in ["trigger", "suspend"] {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    }
    let canary = repository.read("podinfo/production/podinfo-canary.yaml");
    assert!(
        canary.contains("threshold: 9") && canary.contains("suspend: true"),
        "{canary}"
    );
    for _ in ["give-back", "tidy"] {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    }
    let expected = String::from_utf8(podinfo().tree()[PRODUCTION].clone()).expect("UTF-8");
    let expected = expected
        .replace("2.1.0", "2.1.1")
        .replace("minAvailable: 1", "minAvailable: 2");
    assert_eq!(repository.read(PRODUCTION), expected);
}

#[test]
fn services_that_flagger_would_not_write_so_are_refused() {
    let at = "podinfo/production/podinfo.yaml:31";
    let repository = podinfo();
    repository.replace(PRODUCTION, "type: ClusterIP", "type: NodePort");
    repository.commit("edited");
    refused(
        &repository,
        "canary-impossible",
        at,
        "is of type NodePort",
        "of type ClusterIP",
    );
    let repository = podinfo();
    let port = "    - name: http\n      port: 9898\n      targetPort: http\n";
    repository.replace(
        PRODUCTION,
        port,
        &format!("{port}    - name: grpc\n      port: 9999\n"),
    );
    repository.commit("edited");
    refused(
        &repository,
        "canary-impossible",
        PRODUCTION,
        "has 2 ports",
        "portDiscovery",
    );
    let repository = podinfo();
    let other = repository
        .read(STAGING)
        .replace("name: podinfo", "name: podinfo-inside");
    repository.write("podinfo/staging/inside.yaml", other);
    repository.commit("edited");
    let hint = "let its callers call `podinfo`";
    refused(
        &repository,
        "canary-impossible",
        "inside.yaml",
        "selects the pods of `podinfo` as well",
        hint,
    );
}

/// fluxcd/flagger#809
#[test]
fn labels_that_the_clone_has_too_are_refused() {
    let repository = podinfo();
    let one = "      app: podinfo\n  template:\n    metadata:\n      labels:\n        app: podinfo\n";
    let two = "      app: podinfo\n      team: edge\n  template:\n    metadata:\n      labels:\n        app: podinfo\n        team: edge\n";
    repository.replace(PRODUCTION, one, two);
    repository.commit("edited");
    let says = "is selected by `team` besides `app`, which its clone has too";
    refused(
        &repository,
        "canary-impossible",
        "podinfo.yaml:12:7",
        says,
        "by `app` alone",
    );
}

#[test]
fn a_service_in_a_list_cannot_leave_by_itself() {
    let repository = podinfo();
    let service = repository.read(STAGING);
    let item: String = service.lines().map(|line| format!("    {line}\n")).collect();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n  - {}", item.trim_start());
    repository.write(STAGING, list);
    repository.commit("edited");
    refused(
        &repository,
        "cannot-edit",
        "service.yaml:4",
        "an item of a list",
        "a document of its own",
    );
}

#[test]
fn environments_that_run_different_images_are_refused() {
    let repository = podinfo();
    repository.replace(PRODUCTION, "2.1.0", "2.0.0");
    repository.commit("edited");
    let ended = repository.run(&INIT).expect(1);
    let _ = ended.says("[canary-impossible]").says("production runs `2.0.0`");
}

/// What `check` says of the files as they are.
#[track_caller]
fn told(repository: &Repository, exit: i32, code: &str, at: &str, says: &str) {
    let ended = repository.run(&["check"]).expect(exit);
    for text in [code, at, says] {
        assert!(ended.stdout.contains(text), "{text}\n{}", ended.stdout);
    }
}

#[test]
fn mistakes_around_a_canary_are_told() {
    let _ = bootstrapped(OLD_CANARY).run(&["check"]).expect(0);
    let no_target = OLD_CANARY.replace("Deployment, name: podinfo", "Deployment, name: podinfos");
    let says = "there is no Deployment `podinfos`";
    told(
        &bootstrapped(&no_target),
        1,
        "unknown-name",
        "canary.yaml:5",
        says,
    );
    let twice = format!(
        "{OLD_CANARY}---\n{}",
        OLD_CANARY.replace("{name: podinfo, ", "{name: other, ")
    );
    let says = "both move the requests of `podinfo`";
    told(
        &bootstrapped(&twice),
        1,
        "contested-target",
        "canary.yaml:18",
        says,
    );
    let provider = OLD_CANARY.replace("spec:\n", "spec:\n  provider: istoi\n");
    told(
        &bootstrapped(&provider),
        1,
        "unknown-name",
        "canary.yaml:5",
        "did you mean `istio`?",
    );
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: podinfo, namespace: prod}\n\
        spec: {selector: {app: podinfo}, ports: [{port: 9898}]}\n";
    let repository = bootstrapped(OLD_CANARY);
    repository.write("service.yaml", service);
    told(
        &repository,
        1,
        "contested-service",
        "service.yaml:3",
        "is written by Canary/podinfo as well",
    );
    let scaler = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: podinfo, namespace: prod}\n\
        spec: {maxReplicas: 4, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}}\n";
    let repository = bootstrapped(OLD_CANARY);
    repository.write("scaler.yaml", scaler);
    told(
        &repository,
        0,
        "canary-impossible",
        "canary.yaml:5",
        "autoscalerRef",
    );
}

/// The guide's own first commit takes the Service away that people call.
#[test]
fn a_service_that_goes_before_flagger_makes_one_is_told() {
    let repository = podinfo();
    std::fs::remove_file(repository.path().join(STAGING)).expect("removed");
    let args = ["-C", AT, "check", "--strict", "--base", "HEAD"];
    let ended = repository.run(&args).expect(1);
    let says =
        "requests to podinfo.test.svc.cluster.local:9898/ from elsewhere/somebody are not served any more";
    assert!(ended.stdout.contains(says), "{}", ended.stdout);
}

#[test]
fn other_keys_and_values_of_a_release_file_are_told() {
    let file = ".tidegate/releases/podinfo.yaml";
    for (from, to, code, says) in [
        (
            "controller: leaves",
            "controller: goes",
            "invalid-value",
            "unknown value `goes`",
        ),
        (
            "        tag: 2.1.1\n",
            "        tag: latest\n",
            "invalid-value",
            "moves",
        ),
        (
            "provider: flagger",
            "provider: flaggr",
            "unknown-name",
            "did you mean `flagger`?",
        ),
        (
            "workload: podinfo",
            "workload: podinf",
            "unknown-name",
            "did you mean `podinfo`?",
        ),
    ] {
        let repository = after(0);
        repository.replace(file, from, to);
        let ended = repository.run(&["-C", AT, "status"]).expect(1);
        let _ = ended.says(code).says(says);
    }
}

/// The guide's release of a chart, with this in its place.
fn chart(from: &str, to: &str) -> Repository {
    let repository = Repository::of("flagger/helm-release");
    repository.replace("podinfo.yaml", from, to);
    repository.commit("edited");
    repository
}

#[test]
fn the_new_tag_goes_among_the_values_of_a_helm_release() {
    for version in [
        "helm.fluxcd.io/v1",
        "helm.toolkit.fluxcd.io/v2beta1",
        "helm.toolkit.fluxcd.io/v2",
    ] {
        let repository = chart("helm.fluxcd.io/v1", version);
        let start = repository.tree();
        let _ = repository.run(&["check"]).expect(0);
        let init = ["init", "--canary-tag", "2.1.1", "--commit"];
        let _ = repository
            .run(&init)
            .expect(0)
            .says("has `podinfo` already and keeps it");
        let before = repository.read("podinfo.yaml");
        let after = before.replace("tag: 2.1.0 ", "tag: 2.1.1 ");
        let next = ["next", "--commit"];
        let _ = repository
            .run(&next)
            .expect(0)
            .says("[not-judged]")
            .says("is made into objects by Helm");
        assert_eq!(repository.read("podinfo.yaml"), after);
        assert_eq!(repository.read_phase(".", "podinfo"), ["trigger"]);
        let status = repository.run(&["status"]).expect(0).stdout;
        assert!(status.contains("kubectl -n prod get canary podinfo"), "{status}");
        let _ = repository.run(&["rollback", "--commit"]).expect(0);
        assert_eq!(repository.read("podinfo.yaml"), before);
        for phase in ["trigger", "idle"] {
            let _ = repository.run(&next).expect(0);
            assert_eq!(repository.read_phase(".", "podinfo"), [phase]);
        }
        assert_eq!(repository.diff_of(&start), "podinfo.yaml\n");
        assert_eq!(repository.read("podinfo.yaml"), after);
    }
}

#[test]
fn a_chart_that_fights_flagger_is_refused() {
    for (from, to, code, at, hint) in [
        (
            "automated: \"false\"",
            "automated: \"true\"",
            "canary-impossible",
            "podinfo.yaml:6:3",
            "\"false\"",
        ),
        (
            "enabled: false",
            "enabled: true",
            "contested-service",
            "podinfo.yaml:19:16",
            "enabled: false",
        ),
    ] {
        let repository = chart(from, to);
        let before = repository.tree();
        let ended = repository.run(&["init", "--canary-tag", "2.1.1"]).expect(1);
        let _ = ended.says(&format!("[{code}]")).says(at).says(hint);
        assert!(repository.tree() == before);
    }
    let repository = chart("type: ClusterIP", "type: ClusterIP");
    std::fs::remove_file(repository.path().join("canary.yaml")).expect("removed");
    repository.commit("no Canary");
    let args = [
        "init",
        "--provider",
        "flagger",
        "--workload",
        "podinfo",
        "--canary-tag",
        "2.1.1",
    ];
    let ended = repository.run(&args).expect(1);
    let _ = ended
        .says("podinfo.yaml:14:3")
        .says("cannot be seen")
        .says("a Canary yourself");
}
