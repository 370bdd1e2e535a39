//! Releases in KubeSphere: what its controllers need of the objects, asked for before a release begins.

use crate::repository::Repository;

const FILE: &str = "reviews.yaml";
const INIT: [&str; 3] = ["init", "--canary-tag", "1.17.0"];

/// What is wrong with reviews once it is edited, as `init` says it; nothing is written.
#[track_caller]
fn refused(from: &str, to: &str, at: &str, says: &str) {
    let repository = Repository::of("kubesphere/bookinfo");
    let text = repository.read(FILE);
    assert!(text.contains(from), "{from}");
    repository.write(FILE, text.replacen(from, to, 1));
    repository.commit("edited");
    let before = repository.tree();
    let ended = repository.run(&INIT).expect(1);
    let _ = ended.says("[canary-impossible]").says(at).says(says);
    assert!(repository.tree() == before);
}

#[test]
fn what_kubesphere_needs_is_asked_for() {
    let app = "  labels:\n    app: reviews\n    app.kubernetes.io/name: bookinfo\n    app.kubernetes.io/version: v1\nspec:";
    refused(
        app,
        &app.replace("    app.kubernetes.io/version: v1\n", ""),
        "reviews.yaml:4:1",
        "Service/reviews has no label `app.kubernetes.io/version`, so KubeSphere does not govern it",
    );
    refused(
        app,
        &app.replace("app: reviews", "app: other"),
        "reviews.yaml:11:10",
        "the label `app` of Service/reviews is not its name",
    );
    refused(
        "      app.kubernetes.io/version: v1\n      version: v1\n  template",
        "      app.kubernetes.io/version: v1\n  template",
        "reviews.yaml:38:3",
        "Deployment/reviews-v1 has no `version` in its selector",
    );
    refused(
        "        sidecar.istio.io/inject: \"true\"\n",
        "        note: \"\"\n",
        "reviews.yaml:44:3",
        "has no annotation `sidecar.istio.io/inject: \"true\"` for its pods",
    );
    refused(
        "        app.kubernetes.io/version: v1\n        version: v1\n",
        "        app.kubernetes.io/version: v1\n        version: v2\n",
        "reviews.yaml:52:9",
        "which its copy would have",
    );
}

#[test]
fn what_kubesphere_writes_itself_is_named() {
    for kind in ["VirtualService", "DestinationRule"] {
        refused(
            "# Bookinfo's reviews",
            &format!(
                "apiVersion: networking.istio.io/v1alpha3\nkind: {kind}\n\
                 metadata: {{name: reviews, namespace: demo-project}}\nspec: {{}}\n---\n# Bookinfo's reviews"
            ),
            "reviews.yaml:1:1",
            &format!("KubeSphere writes {kind}/reviews itself"),
        );
    }
}

#[test]
fn a_release_that_runs_already_is_named_and_a_second_one_too() {
    let strategy = |name: &str| {
        format!(
            "apiVersion: servicemesh.kubesphere.io/v1alpha2\nkind: Strategy\n\
             metadata: {{name: {name}, namespace: demo-project, labels: {{app: reviews}}}}\n\
             spec: {{type: Canary, template: {{spec: {{hosts: [reviews]}}}}}}\n---\n"
        )
    };
    let comment = "# Bookinfo's reviews";
    refused(
        comment,
        &(strategy("by-hand") + comment),
        "reviews.yaml:1:1",
        "Strategy/by-hand runs a grayscale release of `reviews` already",
    );
    let repository = Repository::of("kubesphere/bookinfo");
    let text = strategy("by-hand") + &strategy("another") + &repository.read(FILE);
    repository.write(FILE, text);
    let ended = repository.run(&["check"]).expect(1);
    assert!(ended.stdout.contains("[contested-host]"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("KubeSphere follows neither"),
        "{}",
        ended.stdout
    );
}

/// What the user's Strategy says besides weights stays; ours can be edited meanwhile.
#[test]
fn what_a_person_adds_to_the_strategy_stays() {
    let repository = Repository::of("kubesphere/bookinfo");
    let _ = repository
        .run(&[&INIT[..], &["--steps", "50,100", "--commit"]].concat())
        .expect(0);
    for _ in ["wire", "park"] {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    let file = "tidegate-canary-reviews-v1.yaml";
    repository.replace(
        file,
        "      - route:\n",
        "      - timeout: 3s   # slow\n        route:\n",
    );
    repository.commit("edited");
    let _ = repository.run(&["next", "--commit"]).expect(0);
    let text = repository.read(file);
    assert!(text.contains("- timeout: 3s   # slow\n        route:"), "{text}");
    assert!(text.contains("weight: 50"), "{text}");
}

/// There is nothing to shift before the copy is there, and no way to undo what is over.
#[test]
fn shares_need_the_copy() {
    let repository = Repository::of("kubesphere/bookinfo");
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(repository.read_phase(".", "reviews-v1"), ["wire"]);
    let ended = repository.run(&["shift", "--env", "all", "--to", "5"]).expect(1);
    let _ = ended.says("[not-in-this-phase]");
}
