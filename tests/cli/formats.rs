//! What `check --format` prints of a change that is not safe: the same findings for programs, forges and people.

use serde_json::{Value, json};

use crate::repository::Repository;

/// Two transitions in one change: the Service may be widened before the routes pin a version.
pub(crate) fn two_in_one() -> Repository {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init", "--commit"]).expect(0);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    let _ = repository.run(&["next"]).expect(0);
    let _ = repository.run(&["next", "--allow-dirty"]).expect(0);
    repository
}

fn printed(repository: &Repository, format: &str, code: i32) -> String {
    repository.run(&["check", "--format", format]).expect(code).stdout
}

fn parsed(repository: &Repository, format: &str, code: i32) -> Value {
    serde_json::from_str(&printed(repository, format, code)).expect("JSON")
}

#[test]
fn every_format_tells_the_same_findings() {
    let repository = two_in_one();
    let json = parsed(&repository, "json", 1);
    let findings = json["findings"].as_array().expect("a list");
    let of = |field: &str| {
        findings
            .iter()
            .map(|finding| finding[field].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("environment"), ["staging", "production"]);
    assert_eq!(of("code"), ["exposed", "exposed"]);
    assert_eq!(of("file"), ["gap/gap_patch_canary_service.yaml"; 2]);
    let sarif = parsed(&repository, "sarif", 1);
    let results = sarif["runs"][0]["results"].as_array().expect("a list");
    let rules = results.iter().map(|result| &result["ruleId"]);
    assert!(rules.eq(findings.iter().map(|finding| &finding["code"])));
    for text in [
        printed(&repository, "github", 1).replace("%25", "%"),
        printed(&repository, "markdown", 1),
        printed(&repository, "text", 1),
    ] {
        for finding in findings {
            let message = finding["message"].as_str().expect("a text");
            assert!(text.contains(message), "no {message:?} in\n{text}");
        }
    }
}

#[test]
fn a_forge_knows_files_by_their_path_from_the_top() {
    let repository = two_in_one();
    let below = "services/my service/.tidegate/config.yaml";
    repository.write(below, "{}\n");
    repository.git(&["add", "--all"]);
    repository.git(&["mv", "gap", "services/my service/gap"]);
    repository.commit("moved");
    let routes = "services/my service/gap/production/gap_patch_canary_virtual_service.yaml";
    repository.replace(routes, "subset: v2", "subset: v3");
    let check = |format| repository.run(&["-C", "services/my service", "check", "--format", format]);
    let github = check("github").expect(1).stdout;
    assert!(github.contains(&format!("file={routes},")), "{github}");
    let sarif = check("sarif").expect(1).stdout;
    assert!(
        sarif.contains("\"uri\": \"services/my%20service/gap/production/"),
        "{sarif}"
    );
}

#[test]
fn where_nothing_is_found_the_formats_say_so() {
    let repository = Repository::of("istio/my-service");
    assert_eq!(
        parsed(&repository, "json", 0)["findings"],
        Value::Array(Vec::new())
    );
    assert_eq!(
        parsed(&repository, "sarif", 0)["runs"][0]["results"],
        Value::Array(Vec::new())
    );
    assert_eq!(printed(&repository, "github", 0), "");
    assert_eq!(
        printed(&repository, "markdown", 0),
        "### tidegate check: nothing found\n"
    );
}

/// The proofs of `check --format json` without what differs between environments.
fn proofs(repository: &Repository, args: &[&str], code: i32) -> Vec<Value> {
    let args = [&["check", "--format", "json"], args].concat();
    let json: Value = serde_json::from_str(&repository.run(&args).expect(code).stdout).expect("JSON");
    json["proofs"].as_array().expect("a list").clone()
}

#[test]
fn json_tells_what_was_looked_at_and_what_to_do_instead() {
    let repository = two_in_one();
    let object = |api_version: &str, kind: &str, name: &str| json!({"api_version": api_version, "kind": kind, "namespace": "relational-data", "name": name});
    let service = object("v1", "Service", "my-service-web");
    let routes = object("networking.istio.io/v1beta1", "VirtualService", "my-service--web");
    let updated = |object: &Value| {
        let mut changed = object.clone();
        changed["change"] = json!("updated");
        changed
    };
    let mut waved = service.clone();
    waved["wave"] = json!(1);
    let found = proofs(&repository, &[], 1);
    assert_eq!(found.len(), 2);
    for (proof, environment) in found.iter().zip(["staging", "production"]) {
        let expected = json!({
            "application": ".",
            "environment": environment,
            "order": "any",
            "safe": false,
            "exhaustive": true,
            "states": 4,
            "requests": proof["requests"],
            "changes": [updated(&service), updated(&routes)],
            "counter_examples": 1,
            "withdrawn": 0,
            "broken_before": 0,
            "not_judged": 0,
            "repair": {"commits": [[routes], [service]], "waves": [waved]},
        });
        assert_eq!(*proof, expected);
        assert!(proof["requests"].as_u64() > Some(0));
    }
    // One environment, and nothing to do where nothing differs.
    repository.commit("both");
    let found = proofs(&repository, &["--env", "staging"], 0);
    assert_eq!(found.len(), 1);
    let facts =
        ["environment", "safe", "exhaustive", "states", "changes", "repair"].map(|key| found[0][key].clone());
    assert_eq!(
        Value::from(facts.to_vec()),
        json!(["staging", true, true, 1, [], null])
    );
}

/// The routes and the rule that they name go in one commit: Argo CD prunes the rule first, unless the routes have a wave
/// before.
#[test]
fn the_waves_of_one_sync_are_told_in_every_format_and_are_enough() {
    let repository = Repository::of("istio/by-hand/retired");
    let patches =
        ["staging", "production"].map(|name| format!("gap/{name}/gap_patch_canary_virtual_service.yaml"));
    for patch in &patches {
        let line = "            subset: v2 # this refers to the names in the destination rule\n";
        repository.replace(patch, line, "");
    }
    std::fs::remove_file(repository.path().join("gap/gap_canary_destinationrule.yaml")).expect("a file");
    let hint = "or one commit, with `argocd.argoproj.io/sync-wave: \"-1\"` on VirtualService/invoices--web";
    let check = |format| {
        let args = ["check", "--order", "argocd", "--format", format];
        repository.run(&args).expect(1).stdout
    };
    for format in ["text", "markdown", "github"] {
        let text = check(format);
        assert!(text.contains(hint), "{format}: {text}");
    }
    let found = proofs(&repository, &["--order", "argocd"], 1);
    for proof in &found {
        assert_eq!(proof["order"], "argocd");
        let waves = proof["repair"]["waves"].as_array().expect("waves");
        let waves: Vec<(&Value, &Value)> = waves.iter().map(|wave| (&wave["wave"], &wave["kind"])).collect();
        assert_eq!(waves, [(&json!(-1), &json!("VirtualService"))]);
    }
    // In any order no wave helps, so the hint says where it counts.
    let text = repository.run(&["check"]).expect(1).stdout;
    let elsewhere =
        "or one commit, where one sync of Argo CD applies it (check it with `--order argocd`), with ";
    assert!(text.contains(elsewhere), "{text}");
    for patch in &patches {
        let name = "  name: invoices--web\n";
        let annotation = "  annotations:\n    argocd.argoproj.io/sync-wave: \"-1\"\n";
        repository.replace(patch, name, &format!("{name}{annotation}"));
    }
    let _ = repository.run(&["check", "--order", "argocd"]).expect(0);
}
