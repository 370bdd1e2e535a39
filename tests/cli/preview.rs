//! Requests that meet the canary before its share grows: asked for, shown, taken back, and refused where they cannot be.

use serde_json::Value;

use crate::repository::Repository;

/// `my-service` with a preview for one user, and copies, in a phase.
fn in_phase(phase: &str) -> Repository {
    let repository = Repository::of("istio/my-service");
    let init = [
        "init",
        "--steps",
        "50,100",
        "--match",
        "header:end-user=jason",
        "--mirror",
        "10%",
    ];
    let _ = repository.run(&[&init[..], &["--commit"]].concat()).expect(0);
    while repository.read_phase(".", "web") != [phase] {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    repository
}

fn environments(repository: &Repository) -> Vec<(u64, bool)> {
    let status = repository.run(&["status", "--format", "json"]).expect(0).stdout;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    let environments = status["releases"][0]["environments"].as_array().expect("a list");
    environments
        .iter()
        .map(|environment| {
            let share = environment["canary_percent"].as_u64().expect("a share");
            (share, environment["preview"].as_bool().expect("whether"))
        })
        .collect()
}

#[test]
fn a_preview_is_shown_and_planned() {
    let repository = in_phase("park");
    let status = repository.run(&["status"]).expect(0);
    assert!(
        status.stdout.contains("next: preview: let the requests"),
        "{}",
        status.stdout
    );
    let plan = repository.run(&["plan"]).expect(0).stdout;
    assert!(plan.contains("1. preview: "), "{plan}");
    assert!(plan.contains("staging: 100/0 → 100/0 and preview"), "{plan}");
    assert!(
        plan.contains("staging: 100/0 and preview → 50/50 and preview"),
        "{plan}"
    );
    assert!(plan.contains("staging: 50/50 and preview → 0/100"), "{plan}");

    let _ = repository.run(&["next", "--commit"]).expect(0);
    let status = repository.run(&["status"]).expect(0).stdout;
    let seen = "preview in staging: end-user: jason; copies of 10 percent of the others";
    assert!(status.contains(seen), "{status}");
    assert_eq!(environments(&repository), [(0, true), (0, true)]);
    let again = repository.run(&["next", "--to", "preview"]).expect(0);
    assert!(again.stdout.is_empty(), "{}", again.stdout);

    let _ = repository.run(&["next", "--commit"]).expect(0);
    let status = repository.run(&["status"]).expect(0).stdout;
    assert!(
        status.contains("preview in staging: end-user: jason\n"),
        "{status}"
    );
    assert_eq!(environments(&repository), [(50, true), (50, true)]);
}

/// One environment goes ahead; the next step of the others is theirs.
#[test]
fn environments_are_previewed_one_by_one() {
    let repository = in_phase("park");
    let _ = repository
        .run(&["next", "--env", "staging", "--commit"])
        .expect(0);
    assert_eq!(environments(&repository), [(0, true), (0, false)]);
    assert_eq!(repository.read_phase(".", "web"), ["preview"]);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(environments(&repository), [(0, true), (0, true)]);
    let shift = ["shift", "--env", "staging", "--to", "20", "--commit"];
    let _ = repository.run(&shift).expect(0);
    assert_eq!(environments(&repository), [(20, true), (0, true)]);
    let _ = repository.run(&["next", "--env", "staging", "--to", "hold", "--commit"]);
    let all = ["shift", "--env", "staging", "--to", "100", "--commit"];
    let _ = repository.run(&all);
    assert_eq!(environments(&repository), [(100, false), (0, true)]);
}

#[test]
fn a_preview_may_be_left_out() {
    let repository = in_phase("park");
    let _ = repository.run(&["next", "--to", "ramp", "--commit"]).expect(0);
    assert_eq!(environments(&repository), [(50, false), (50, false)]);
}

/// The chosen requests go back to the stable version as well, in Git and at once; then it begins again.
#[test]
fn rollback_takes_the_preview_back() {
    for phase in ["preview", "ramp"] {
        let repository = in_phase(phase);
        let ended = repository.run(&["rollback", "--commit"]).expect(0);
        let place = |operation: &str| ended.stderr.find(operation);
        let rule = place(r#"{"op":"remove","path":"/spec/http/0"}"#).expect("the rule goes");
        let copies = place(r#"{"op":"remove","path":"/spec/http/1/mirror"}"#);
        assert_eq!(copies.is_some(), phase == "preview", "{}", ended.stderr);
        // The first that goes moves all that follow.
        assert!(copies.is_none_or(|copies| copies < rule), "{}", ended.stderr);
        assert_eq!(environments(&repository), [(0, false), (0, false)]);
        assert_eq!(repository.read_phase(".", "web"), ["park"]);
        let _ = repository.run(&["next", "--commit"]).expect(0);
        assert_eq!(environments(&repository), [(0, true), (0, true)]);
    }
}

/// Nobody meets the new version any more before anything else is taken back.
#[test]
fn abort_takes_the_preview_back_first() {
    let repository = in_phase("preview");
    let _ = repository.run(&["abort", "--commit"]).expect(0);
    assert_eq!(environments(&repository), [(0, false), (0, false)]);
    assert_eq!(repository.read_phase(".", "web"), ["park"]);
}

/// What a person changes in the release file is told as a difference, and written with the next transition.
#[test]
fn other_requests_are_chosen_with_the_next_transition() {
    let repository = in_phase("preview");
    repository.replace("gap/tidegate.yaml", "exact: jason", "exact: jana");
    repository.commit("jana");
    let status = repository.run(&["status"]).expect(0);
    let told = "sends other requests to the canary than the release chooses";
    assert!(status.stderr.contains(told), "{}", status.stderr);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    let routes = repository.read("gap/production/gap_patch_canary_virtual_service.yaml");
    assert!(
        routes.contains("exact: jana") && !routes.contains("jason"),
        "{routes}"
    );
    let status = repository.run(&["status"]).expect(0);
    assert!(!status.stderr.contains(told), "{}", status.stderr);
}

#[test]
fn what_cannot_be_previewed_is_refused_before_anything_is_written() {
    let refused = |fixture: &str, args: &[&str], says: &[&str]| {
        let repository = Repository::of(fixture);
        let before = repository.tree();
        let ended = repository.run(&[&["init"], args].concat()).expect(1);
        for says in says {
            assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
        }
        assert!(repository.tree() == before, "{fixture}");
    };
    refused(
        "istio/my-service",
        &["--match", "haeder:end-user=jason"],
        &["[unknown-name]", "did you mean `header`?"],
    );
    refused(
        "istio/my-service",
        &["--mirror", "ten"],
        &["`ten` is not a share of the requests", "--mirror 10%"],
    );
    refused(
        "istio/my-service",
        &["--mirror", "0"],
        &["between 1 and 100 percent"],
    );
    let smi = ["--provider", "smi", "--canary-tag", "2"];
    refused(
        "smi/books",
        &[&smi[..], &["--match", "uri:/beta*"]].concat(),
        &[
            "[unsupported]",
            "smi cannot send the requests that a release chooses to the canary",
            "these can: istio, gateway-api, istio-hosts, app-mesh, kubesphere",
        ],
    );
    refused(
        "smi/books",
        &[&smi[..], &["--mirror", "10"]].concat(),
        &["these can: istio, gateway-api, istio-hosts, kubesphere\n"],
    );
}

/// From nothing to everything: blue-green.
#[test]
fn one_switch_is_said_to_be_one() {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init", "--steps", "100", "--commit"]).expect(0);
    while repository.read_phase(".", "web") != ["park"] {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    let status = repository.run(&["status"]).expect(0).stdout;
    let says = "next: hold: everything to the canary in one switch (`tidegate next`)";
    assert!(status.contains(says), "{status}");
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["hold"]);
}
