//! Releases by numbers of pods: what they can be begun with, and what a person sees of them.

use crate::repository::Repository;

const AT: &str = "notification";
const OBJECTS: [&str; 2] = [
    "notification/staging/notification.yaml",
    "notification/production/notification.yaml",
];
const INIT: [&str; 5] = ["-C", AT, "init", "--canary-tag", "4.0.0"];

/// The notification service, edited in both environments before anything is committed.
fn edited(from: &str, to: &str) -> Repository {
    let repository = Repository::of("replicas/notification");
    for file in OBJECTS {
        if repository.read(file).contains(from) {
            repository.replace(file, from, to);
        }
    }
    repository.commit("edited");
    repository
}

/// `init` is refused at a place, and nothing is written.
#[track_caller]
fn refused(repository: &Repository, at: &str, says: &str, hint: &str) {
    let before = repository.tree();
    let ended = repository.run(&INIT).expect(1);
    let _ = ended.says("[canary-impossible]").says(at).says(says).says(hint);
    assert!(repository.tree() == before);
}

#[test]
fn a_number_that_is_not_said_is_asked_for() {
    let repository = edited("  replicas: 4   # connections are spread over these\n", "");
    let at = "notification/production/notification.yaml:9:1";
    refused(&repository, at, "does not say how many pods", "`replicas: 4`");
    let repository = edited("replicas: 4 ", "replicas: 0 ");
    let at = "notification/production/notification.yaml:10:3";
    refused(&repository, at, "has no pods to share", "`replicas: 4`");
}

#[test]
fn an_autoscaler_would_fight_the_shares() {
    let autoscaler = |kind: &str| {
        format!(
            "---\napiVersion: {kind}\nmetadata: {{name: notification, namespace: production}}\n\
         spec:\n  scaleTargetRef: {{kind: Deployment, name: notification}}\n"
        )
    };
    for kind in [
        "autoscaling/v2\nkind: HorizontalPodAutoscaler",
        "keda.sh/v1alpha1\nkind: ScaledObject",
    ] {
        let repository = Repository::of("replicas/notification");
        let text = repository.read(OBJECTS[1]) + &autoscaler(kind);
        repository.write(OBJECTS[1], &text);
        repository.commit("edited");
        let at = "notification/production/notification.yaml:60:3";
        refused(
            &repository,
            at,
            "sets how many pods `notification` has",
            "take it away",
        );
    }
}

#[test]
fn a_service_of_one_version_is_named() {
    let repository = edited(
        "  selector:\n    app: notification-restapp\n",
        "  selector:\n    app: notification-restapp\n    version: v1\n",
    );
    for file in OBJECTS {
        repository.replace(
            file,
            "        app: notification-restapp\n    spec:",
            "        app: notification-restapp\n        version: v1\n    spec:",
        );
    }
    repository.commit("edited");
    let at = "notification/production/notification.yaml:41:5";
    refused(
        &repository,
        at,
        "selects one version only, by `version`",
        "take `version` out",
    );
}

#[test]
fn pods_that_carry_the_version_of_the_copy_are_named() {
    let repository = edited(
        "        app: notification-restapp\n    spec:",
        "        app: notification-restapp\n        version: v2\n    spec:",
    );
    let at = "notification/production/notification.yaml:18:9";
    refused(&repository, at, "which its copy would have", "another value");
}

/// Where routes decide, numbers of pods do not.
#[test]
fn routes_come_before_numbers_of_pods() {
    let repository = Repository::of("gateway-api/reviews");
    let args = [
        "-C",
        "deploy/reviews",
        "init",
        "--canary-tag",
        "9.9",
        "--provider",
        "replicas",
    ];
    let ended = repository.run(&args).expect(1);
    let _ = ended
        .says("gateway-api takes requests to workload `reviews`")
        .says("tidegate init --provider gateway-api");
}

#[test]
fn what_was_assumed_is_said() {
    let repository = edited("", "");
    let ended = repository.run(&INIT).expect(0);
    let _ = ended.says("provider `replicas`: nothing routes, so numbers of pods are the shares");
}

/// Both ways, at once and by Git: the version that gets more comes first.
#[test]
fn a_rollback_names_the_commands_in_order() {
    let repository = edited("", "");
    let _ = repository
        .run(&[&INIT[..], &["--steps", "50,100", "--commit"]].concat())
        .expect(0);
    for _ in ["park", "grow", "ramp"] {
        let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    }
    let said = repository
        .run(&["-C", AT, "rollback", "--env", "production", "--commit"])
        .expect(0)
        .stderr;
    let place = |text: &str| {
        said.find(text)
            .unwrap_or_else(|| panic!("no {text:?} in\n{said}"))
    };
    let grows = place("patch deployment notification --type json");
    let stays = place("patch deployment notification-v2 --type json");
    assert!(grows < stays, "{said}");
    assert!(said.contains(r#""value":4"#), "{said}");
    assert!(said.contains("production: 50/50 → 67/33"), "{said}");
    let said = repository
        .run(&["-C", AT, "rollback", "--env", "production"])
        .expect(0)
        .stderr;
    assert!(said.contains("production: 67/33 → 100/0"), "{said}");
}

/// A release that lost pods says so and goes on.
#[test]
fn pods_that_somebody_took_are_told() {
    let repository = edited("", "");
    let _ = repository
        .run(&[&INIT[..], &["--steps", "50,100", "--commit"]].concat())
        .expect(0);
    let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    repository.replace(OBJECTS[1], "replicas: 4 ", "replicas: 3 ");
    repository.commit("scaled");
    let ended = repository.run(&["-C", AT, "status"]).expect(0);
    let _ = ended.says("production has 3 of the 4 pods that the release began with");
}

/// What a person adds meanwhile is theirs.
#[test]
fn more_pods_at_rest_are_left_alone() {
    let repository = edited("", "");
    let _ = repository
        .run(&[&INIT[..], &["--steps", "50,100", "--commit"]].concat())
        .expect(0);
    let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
    repository.replace(OBJECTS[1], "replicas: 4 ", "replicas: 6 ");
    repository.commit("scaled");
    assert_eq!(repository.read_phase(AT, "notification"), ["park"]);
    let _ = repository.run(&["-C", AT, "abort", "--commit"]).expect(0);
    assert!(repository.read(OBJECTS[1]).contains("replicas: 6 "));
    assert_eq!(repository.read_phase(AT, "notification"), ["idle"]);
}

/// Two versions behind one Service are a canary; three, or two of one version, are somebody's way of running.
#[test]
fn what_stands_side_by_side_is_not_always_a_canary() {
    let deployment = |name: &str, tag: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  \
             selector: {{matchLabels: {{app: reviews, of: {name}}}}}\n  template:\n    metadata: {{labels: {{app: reviews, of: {name}}}}}\n    \
             spec: {{containers: [{{name: reviews, image: \"reviews:{tag}\"}}]}}\n"
        )
    };
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n\
         spec: {selector: {app: reviews}, ports: [{name: http, port: 80}]}\n";
    let (one, other) = (deployment("reviews-v1", "1"), deployment("reviews-v2", "2"));
    let same = deployment("reviews-v2", "1");
    let third = deployment("reviews-v3", "3");
    for (files, phases) in [
        (vec![&one, &other], vec!["ramp"]),
        (vec![&one, &same], vec!["idle"]),
        (vec![&one, &other, &third], vec!["idle"]),
    ] {
        let text = files
            .into_iter()
            .fold(service.to_owned(), |text, file| text + file);
        let repository = Repository::with(&[("reviews.yaml", &text)]);
        assert_eq!(repository.read_phase(".", "reviews-v1"), phases, "{text}");
    }
}
