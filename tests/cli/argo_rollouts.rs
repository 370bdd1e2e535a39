//! Releases that are left to Argo Rollouts: what they can be begun with, how they end, and Rollouts that a person wrote.

use crate::repository::Repository;

const AT: &str = "shop/reviews";
const PRODUCTION: &str = "shop/reviews/production/reviews.yaml";
const STAGING: &str = "shop/reviews/staging/reviews.yaml";
const MESH: &str = "shop/reviews/production/mesh.yaml";
const ROLLOUT: &str = "shop/reviews/production/reviews-rollout.yaml";
const INIT: [&str; 7] = [
    "-C",
    AT,
    "init",
    "--provider",
    "argo-rollouts",
    "--canary-tag",
    "1.17.0",
];

/// The fixture, committed.
fn reviews() -> Repository {
    Repository::of("argo-rollouts/reviews")
}

/// The fixture after so many transitions.
fn after(count: usize) -> Repository {
    let repository = reviews();
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    for _ in 0..count {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    }
    repository
}

#[test]
fn the_controller_runs_and_status_says_how_to_look() {
    let repository = after(4);
    let status = repository.run(&["-C", AT, "status"]).expect(0).stdout;
    for says in [
        "reviews/reviews: trigger",
        "routes name a Service for each version, the controller has the workload, the workload has no pods of its own",
        "kubectl -n shop-staging get rollout reviews && kubectl -n shop get rollout reviews",
        "next: suspend",
        "let argo-rollouts keep the workload (`tidegate next --to tidy`)",
    ] {
        assert!(status.contains(says), "{says}\n{status}");
    }
    for command in [
        &["shift", "--env", "production", "--to", "5"][..],
        &["hotfix", "--stable-tag", "2.0.9"],
    ] {
        let ended = repository.run(&[&["-C", AT], command].concat()).expect(1);
        let _ = ended
            .says("argo-rollouts moves the requests")
            .says("tidegate rollback");
    }
}

/// What has to be so in the cluster before each commit is merged.
#[test]
fn the_plan_says_what_to_wait_for() {
    let repository = after(0);
    let plan = repository.run(&["-C", AT, "plan"]).expect(0).stdout;
    for says in [
        "ignoreDifferences",
        "argo-rollouts has all its pods ready (Healthy), in every environment",
        "`reviews` has no pods of its own any more, in every environment",
        "argo-rollouts is done with the new image (Healthy), in every environment",
        "`reviews` has all its pods ready, in every environment",
        "without `rollouts-pod-template-hash`",
    ] {
        assert!(plan.contains(says), "{says}\n{plan}");
    }
}

/// What each commit of a release is judged as by somebody who only has the files.
#[test]
fn check_finds_every_commit_of_a_release_safe() {
    let repository = after(0);
    for stage in 1..=6 {
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
    }
}

#[test]
fn a_rollback_puts_the_old_image_back_and_the_release_goes_on() {
    let repository = after(4);
    let before = repository.tree();
    let _ = repository.run(&["-C", AT, "rollback", "--commit"]).expect(0);
    assert_eq!(repository.read_phase(AT, "reviews"), ["vacate"]);
    assert!(repository.read(PRODUCTION).contains("reviews:1.16.2"));
    let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    assert!(repository.tree() == before);
}

#[test]
fn argo_rollouts_may_stay_and_the_next_release_is_the_image_alone() {
    let repository = after(4);
    let args = ["-C", AT, "next", "--to", "tidy", "--commit"];
    let _ = repository.run(&args).expect(0);
    assert_eq!(repository.read_phase(AT, "reviews"), ["idle"]);
    assert!(
        repository
            .read(PRODUCTION)
            .contains("replicas: 0   # two for each zone")
    );
    assert!(repository.read(ROLLOUT).contains("kind: Rollout"));
    let _ = repository.run(&["-C", AT, "check"]).expect(0);
    let status = repository.run(&["-C", AT, "status"]).expect(0).stdout;
    assert!(
        status.contains("argo-rollouts has reviews and moves its requests"),
        "{status}"
    );
    let start = repository.tree();
    let init = ["-C", AT, "init", "--canary-tag", "1.18.0", "--commit"];
    let _ = repository
        .run(&init)
        .expect(0)
        .says("has `reviews` already and keeps it");
    assert_eq!(repository.read_phase(AT, "reviews"), ["bootstrap"]);
    for phase in ["trigger", "idle"] {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
        assert_eq!(repository.read_phase(AT, "reviews"), [phase]);
    }
    assert_eq!(repository.diff_of(&start), format!("{PRODUCTION}\n{STAGING}\n"));
}

/// As many pods as the Rollout asks for serve, so as many come back.
#[test]
fn a_persons_edits_of_the_rollout_and_the_routes_stay() {
    let repository = after(2);
    repository.replace(ROLLOUT, "replicas: 4", "replicas: 6");
    repository.replace(ROLLOUT, "pause: {}", "pause: {duration: 10m}");
    repository.replace(MESH, "timeout: 30s", "timeout: 40s");
    repository.commit("edited");
    for _ in ["vacate", "trigger", "suspend"] {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    }
    let rollout = repository.read(ROLLOUT);
    assert!(rollout.contains("pause: {duration: 10m}"), "{rollout}");
    assert!(
        !rollout.contains("Service") && !rollout.contains("trafficRouting"),
        "{rollout}"
    );
    let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    let original = |file: &str| String::from_utf8(reviews().tree()[file].clone()).expect("UTF-8");
    let expected = original(PRODUCTION)
        .replace("1.16.2", "1.17.0")
        .replace("replicas: 4", "replicas: 6");
    assert_eq!(repository.read(PRODUCTION), expected);
    assert_eq!(repository.read(MESH), original(MESH).replace("30s", "40s"));
}

/// An address belongs to one Service, and a second load balancer is nobody's wish.
#[test]
fn the_second_service_is_inside_the_cluster_alone() {
    let repository = reviews();
    let ports = "  selector: {app: reviews}\n  ports:\n    - name: http\n";
    let outside = "  type: LoadBalancer\n  clusterIP: 10.0.0.7\n  selector: {app: reviews}\n  ports:\n    - name: http\n      nodePort: 30080\n";
    repository.replace(PRODUCTION, ports, outside);
    repository.commit("edited");
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    let second = repository.read("shop/reviews/production/reviews-canary.yaml");
    assert!(second.contains("port: 9080"), "{second}");
    for own in ["type:", "clusterIP", "nodePort"] {
        assert!(!second.contains(own), "{second}");
    }
}

/// `init` is refused because of one edit, and nothing is written.
#[track_caller]
fn refused(file: &str, from: &str, to: &str, code: &str, at: &str, says: &str, hint: &str) {
    let repository = reviews();
    match from {
        "" => repository.write(file, to),
        from => repository.replace(file, from, to),
    }
    repository.commit("edited");
    let before = repository.tree();
    let ended = repository.run(&INIT).expect(1);
    let _ = ended.says(&format!("[{code}]")).says(at).says(says).says(hint);
    assert!(repository.tree() == before);
}

const IMPOSSIBLE: &str = "canary-impossible";
const ROUTE: &str = "unsupported-route";

#[test]
fn what_would_not_come_back_is_refused() {
    let at = "reviews.yaml:7";
    let says = "says no number of pods that it could get back";
    refused(
        PRODUCTION,
        "  replicas: 4   # two for each zone\n",
        "",
        IMPOSSIBLE,
        at,
        says,
        "write `replicas:` first",
    );
    refused(
        PRODUCTION,
        "replicas: 4 ",
        "replicas: 0 ",
        IMPOSSIBLE,
        at,
        says,
        "write `replicas:` first",
    );
    let scaler = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: reviews, namespace: shop}\n\
        spec: {maxReplicas: 8, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: reviews}}\n";
    let file = "shop/reviews/production/scaler.yaml";
    let says = "scales `reviews`, and its Rollout, which serves, stays as it is";
    refused(
        file,
        "",
        scaler,
        IMPOSSIBLE,
        "scaler.yaml:4",
        says,
        "take it away for the time",
    );
    let says = "gives its only destination a weight";
    let weighted = "host: reviews   # everything else\n          weight: 100";
    refused(
        MESH,
        "host: reviews   # everything else",
        weighted,
        IMPOSSIBLE,
        "mesh.yaml:14",
        says,
        "take the weight out",
    );
}

#[test]
fn routes_that_the_controller_could_not_move_are_refused() {
    let says = "has no name that a Rollout could say";
    refused(
        MESH,
        "name: slow\n      match",
        "match",
        ROUTE,
        "mesh.yaml:7",
        says,
        "give each route of it a `name`",
    );
    let says = "divides the requests to Service/reviews already";
    let other = "- destination: {host: other}\n          weight: 10\n        - weight: 90\n          destination:\n            host: reviews   #";
    refused(
        MESH,
        "- destination:\n            host: reviews   #",
        other,
        ROUTE,
        "mesh.yaml:16",
        says,
        "a route of its own",
    );
    let says = "leads to Service/reviews from another namespace, or to a subset of it";
    let subset = "host: reviews   # everything else\n            subset: v1";
    refused(
        MESH,
        "host: reviews   # everything else",
        subset,
        ROUTE,
        "mesh.yaml:1",
        says,
        "name the Service alone",
    );
    let taken = "apiVersion: v1\nkind: Service\nmetadata: {name: reviews-canary, namespace: shop}\n\
        spec: {selector: {app: other}, ports: [{port: 9080}]}\n";
    let file = "shop/reviews/production/taken.yaml";
    let says = "the new pods would be reached by Service/reviews-canary, which is there already";
    refused(
        file,
        "",
        taken,
        IMPOSSIBLE,
        "taken.yaml:1",
        says,
        "rename it first",
    );
    let second = taken
        .replace("reviews-canary", "reviews-inside")
        .replace("other", "reviews");
    let says = "Service/reviews-inside selects the pods of `reviews` as well, of both versions";
    refused(
        file,
        "",
        &second,
        IMPOSSIBLE,
        "taken.yaml:4",
        says,
        "let its callers call `reviews`",
    );
    let annotated = "metadata:\n  name: reviews\n  namespace: shop\n  annotations: {argocd.argoproj.io/sync-options: 'ServerSideApply=true'}\nspec:\n  selector";
    let says = "each sync would take out of Service/reviews";
    refused(
        PRODUCTION,
        "metadata:\n  name: reviews\n  namespace: shop\nspec:\n  selector",
        annotated,
        IMPOSSIBLE,
        "reviews.yaml:26",
        says,
        "leave `ServerSideApply=true` out",
    );
}

#[test]
fn environments_with_other_routes_are_refused() {
    let repository = reviews();
    std::fs::remove_file(repository.path().join(MESH)).expect("removed");
    repository.commit("no routes in production");
    let ended = repository.run(&INIT).expect(1);
    let _ = ended
        .says("[canary-impossible]")
        .says("routes lead to `reviews` in staging, and none do in production");
}

/// Without routes of Istio, routes of another system would go on by themselves.
#[test]
fn routes_of_other_systems_are_refused() {
    let repository = Repository::of("argo-rollouts/rollouts-demo");
    repository.write(
        "demo/route.yaml",
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: demo, namespace: demo}\nspec:\n  \
         parentRefs: [{name: edge}]\n  rules: [{backendRefs: [{name: rollouts-demo, port: 80}]}]\n",
    );
    repository.commit("a route");
    let init = [
        "-C",
        "demo",
        "init",
        "--provider",
        "argo-rollouts",
        "--canary-tag",
        "yellow",
    ];
    let ended = repository.run(&init).expect(1);
    let _ = ended
        .says("[unsupported-route]")
        .says("HTTPRoute/demo leads to the pods of `rollouts-demo`");
}

#[test]
fn a_layout_that_cannot_carry_it_says_so() {
    let repository = Repository::of("kustomize/reviews");
    let init = [
        "-C",
        "apps/reviews",
        "init",
        "--provider",
        "argo-rollouts",
        "--canary-tag",
        "2",
    ];
    let before = repository.tree();
    let _ = repository.run(&init).expect(1);
    assert!(repository.tree() == before);
}

/// A Rollout as the manual writes it, with a Service for each version.
fn by_hand(replicas: u8) -> Repository {
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      \
         containers:\n        - {{name: web, image: 'shop/web:1.0'}}\n"
    );
    let service = |name: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{selector: {{app: web}}, ports: [{{name: http, port: 80}}]}}\n"
        )
    };
    let services = format!("{}{}", service("web-stable"), service("web-preview"));
    let rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web-rollout, namespace: shop}\nspec:\n  \
        replicas: 3\n  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  strategy:\n    blueGreen:\n      \
        activeService: web-stable\n      previewService: web-preview\n";
    let repository = Repository::with(&[
        ("web.yaml", &deployment),
        ("services.yaml", &services),
        ("rollout.yaml", rollout),
    ]);
    repository.git(&["init", "--quiet"]);
    repository.commit("start");
    repository
}

#[test]
fn a_rollout_made_by_hand_is_found_by_looking_and_left_as_it_is() {
    let repository = by_hand(0);
    let start = repository.tree();
    let _ = repository.run(&["check"]).expect(0);
    let status = repository.run(&["status"]).expect(0).stdout;
    assert!(
        status.contains("argo-rollouts has web and moves its requests"),
        "{status}"
    );
    let init = ["init", "--canary-tag", "1.1", "--commit"];
    let _ = repository
        .run(&init)
        .expect(0)
        .says("argo-rollouts has `web` already and keeps it");
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["trigger"]);
    let status = repository.run(&["status"]).expect(0).stdout;
    assert!(
        status.contains("kubectl -n shop get rollout web-rollout"),
        "{status}"
    );
    for _ in ["the image", "the release"] {
        let _ = repository.run(&["abort", "--commit"]).expect(0);
    }
    assert!(repository.tree() == start);
    let steps = ["init", "--canary-tag", "1.1", "--steps", "50,100"];
    let _ = repository.run(&steps).expect(1).says("leave --steps out");
}

/// Routes that a release writes and a controller that moves requests would be two writers.
#[test]
fn what_a_controller_has_is_not_released_by_routes() {
    let repository = by_hand(0);
    let init = ["init", "--provider", "replicas", "--canary-tag", "1.1"];
    let ended = repository.run(&init).expect(1);
    let _ = ended
        .says("[canary-impossible]")
        .says("argo-rollouts has `web` and moves its requests")
        .says("tidegate init --provider argo-rollouts");
}

#[test]
fn a_deployment_with_pods_of_its_own_beside_a_rollout_gets_no_image() {
    let repository = by_hand(3);
    let ended = repository.run(&["init", "--canary-tag", "1.1"]).expect(1);
    let _ = ended
        .says("[canary-impossible]")
        .says("web.yaml:4")
        .says("has pods of its own beside those of Rollout/web-rollout")
        .says("write `replicas: 0`");
}

/// What `check` says of a Rollout made by hand, with this in its place.
#[track_caller]
fn told(file: &str, from: &str, to: &str, code: &str, at: &str, says: &str) {
    let repository = by_hand(0);
    repository.replace(file, from, to);
    let ended = repository.run(&["check"]).expect(1);
    for text in [code, at, says] {
        assert!(ended.stdout.contains(text), "{text}\n{}", ended.stdout);
    }
}

#[test]
fn mistakes_around_a_rollout_are_told() {
    let file = "rollout.yaml";
    told(
        file,
        "name: web}",
        "name: wed}",
        "unknown-name",
        "rollout.yaml:6",
        "did you mean `web`?",
    );
    let says = "there is no Service `web-perview`";
    told(
        file,
        "web-preview",
        "web-perview",
        "unknown-name",
        "rollout.yaml:10",
        says,
    );
    let says = "Rollout/web-rollout has two strategies";
    told(
        file,
        "blueGreen:",
        "canary: {}\n    blueGreen:",
        "invalid-value",
        "rollout.yaml:7",
        says,
    );
    let says = "selects by `app`, which the pods of Rollout/web-rollout do not have so";
    told(
        "services.yaml",
        "app: web",
        "app: wab",
        "invalid-value",
        "services.yaml:5",
        says,
    );
    let canary = "canary:\n      stableService: web-stable\n      trafficRouting: {istio: {virtualService: {name: web}}}\n    old:";
    let says = "routes requests and has no `canaryService`";
    told(file, "blueGreen:", canary, "invalid-value", "rollout.yaml", says);
    let says = "there is no VirtualService `web`";
    told(file, "blueGreen:", canary, "unknown-name", "rollout.yaml", says);
    let repository = by_hand(0);
    let twice = repository.read(file).replace("web-rollout", "web-other");
    repository.write("other.yaml", twice);
    let ended = repository.run(&["check"]).expect(1);
    for text in ["contested-target", "both move the requests of `web`"] {
        assert!(ended.stdout.contains(text), "{text}\n{}", ended.stdout);
    }
}

/// A Rollout that moves the weights of a VirtualService, with all that it names.
const ROUTED: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'shop/web:1.0'}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web-canary, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web]
  http:
    - name: primary
      route: [{destination: {host: web}, weight: 100}, {destination: {host: web-canary.shop}, weight: 0}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec: {host: web, subsets: [{name: old, labels: {app: web}}, {name: new, labels: {app: web}}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      canaryService: web-canary
      stableService: web
      trafficRouting: {managedRoutes: [{name: testers}], istio: {virtualService: {name: web, routes: [primary]}}}
      steps:
        - setWeight: 10
        - pause: {}
";

/// What makes a Rollout invalid is told as Argo Rollouts' own linter tells it: where the two find something.
#[test]
fn check_finds_an_invalid_rollout_where_the_linter_does() {
    let linter = crate::rollouts::Linter::find();
    let scale = "- setCanaryScale: {replicas: 1}";
    let header = |name: &str| {
        format!("- setHeaderRoute: {{name: {name}, match: [{{headerName: a, headerValue: {{exact: b}}}}]}}")
    };
    let subsets = ROUTED
        .replace("{host: web}", "{host: web, subset: old}")
        .replace("{host: web-canary.shop}", "{host: web, subset: new}");
    let rule = "destinationRule: {name: web, stableSubsetName: old, canarySubsetName: new}, virtualService";
    let with = |from: &str, to: &str| {
        assert!(ROUTED.contains(from), "{from}");
        ROUTED.replace(from, to)
    };
    let rows: Vec<(&str, String, bool)> = vec![
        ("fine", ROUTED.to_owned(), true),
        ("its only route, unnamed", with(", routes: [primary]", ""), true),
        (
            "a share beyond all",
            with("setWeight: 10", "setWeight: 101"),
            false,
        ),
        (
            "two things in a step",
            with("- pause: {}", "- {pause: {}, setWeight: 20}"),
            false,
        ),
        ("nothing in a step", with("- pause: {}", "- {}"), false),
        ("scale with routes", with("- setWeight: 10", scale), true),
        (
            "a managed route",
            with("- setWeight: 10", &header("testers")),
            true,
        ),
        (
            "a route that is not managed",
            with("- setWeight: 10", &header("others")),
            false,
        ),
        (
            "one Service for both",
            with("canaryService: web-canary", "canaryService: web"),
            false,
        ),
        (
            "no Service for the new pods",
            with("      canaryService: web-canary\n", ""),
            false,
        ),
        (
            "another Service in the route",
            with("web-canary.shop", "web-other.shop"),
            false,
        ),
        (
            "a route that is not there",
            with("routes: [primary]", "routes: [other]"),
            false,
        ),
        (
            "two routes, none named",
            with(", routes: [primary]", "").replace(
                "    - name: primary",
                "    - route: [{destination: {host: web}}]\n    - name: primary",
            ),
            false,
        ),
        (
            "a Service of other pods",
            with(
                "web-canary, namespace: shop}\nspec: {selector: {app: web}",
                "web-canary, namespace: shop}\nspec: {selector: {app: wab}",
            ),
            false,
        ),
        (
            "two strategies",
            with(
                "    canary:\n",
                "    blueGreen: {activeService: web, previewService: web-canary}\n    canary:\n",
            ),
            false,
        ),
        (
            "no strategy",
            ROUTED.split("  strategy:").next().unwrap_or_default().to_owned(),
            false,
        ),
        ("subsets", subsets.replace("virtualService", rule), true),
        (
            "a subset that the route has not",
            subsets
                .replace("virtualService", rule)
                .replace("subset: new", "subset: newer"),
            false,
        ),
    ];
    let repository = Repository::with(&[("web.yaml", ROUTED)]);
    repository.git(&["init", "--quiet"]);
    repository.commit("start");
    for (name, text, is_valid) in &rows {
        repository.write("web.yaml", text);
        repository.commit(name);
        let ended = repository.run(&["check"]);
        assert_eq!(ended.code, Some(i32::from(!is_valid)), "{name}\n{}", ended.stdout);
    }
    let Some(linter) = linter else { return };
    let streams: Vec<String> = rows.iter().map(|(_, text, _)| text.clone()).collect();
    for ((name, _, is_valid), verdict) in rows.iter().zip(linter.lint(&streams)) {
        assert_eq!(verdict.refused.is_empty(), *is_valid, "{name}: {verdict:?}");
    }
}
