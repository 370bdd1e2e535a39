//! What `check --format` prints of a change that is not safe: the same findings for programs, forges and people.

use serde_json::Value;

use crate::repository::Repository;

/// Two transitions in one change: the Service may be widened before the routes pin a version.
fn two_in_one() -> Repository {
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
