//! `init` refuses what a release could not carry or give back, and says what to write instead; what it accepts is
//! carried.

use crate::repository::Repository;

const SPEC: &str = "gap/gap.yaml";
const ROUTES: &str = "gap/production/gap_patch_virtual_service.yaml";
const HOST: &str = "my-service-web.relational-data.svc.cluster.local";

/// `my-service`, edited before anything is committed.
fn edited(edit: impl FnOnce(&Repository)) -> Repository {
    let repository = Repository::of("istio/my-service");
    edit(&repository);
    repository.commit("edited");
    repository
}

/// `init` is refused at a place, and nothing is written.
#[track_caller]
fn refused(repository: &Repository, code: &str, at: &str, hint: &str) {
    let before = repository.tree();
    let ended = repository.run(&["init"]).expect(1);
    let _ = ended.says(&format!("[{code}]")).says(at).says(hint);
    assert!(repository.tree() == before);
}

/// From `init` to a tidy repository, which is as it was.
#[track_caller]
fn lives(repository: &Repository) {
    let before = repository.tree();
    let _ = repository.run(&["init", "--steps", "100", "--commit"]).expect(0);
    for _ in 0..20 {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    assert_eq!(repository.diff_of(&before), "");
}

fn http(destination: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata:\n  name: my-service--web\nspec:\n  \
         http:\n    - route:\n{destination}"
    )
}

#[test]
fn a_tag_that_other_places_share_by_an_alias_is_refused() {
    let repository = edited(|repository| {
        repository.replace(SPEC, "tag: a1f3c9d2", "tag: &tag a1f3c9d2\nx-previous: *tag");
    });
    refused(
        &repository,
        "cannot-edit",
        "gap/gap.yaml:7:8",
        "write the value out at this place",
    );
}

#[test]
fn a_workload_whose_image_is_an_alias_is_refused() {
    let repository = edited(|repository| {
        repository.replace(SPEC, "image:\n", "x-image: &image\n");
        repository.replace(SPEC, "    command:", "    image: *image\n    command:");
    });
    refused(&repository, "cannot-edit", "gap/gap.yaml:12:", "it would become");
}

#[test]
fn a_weight_that_would_come_back_in_another_spelling_is_refused() {
    for (spelling, column) in [("0x64", 19), ("!!int \"100\"", 19)] {
        let destination = format!("        - destination: {{host: {HOST}}}\n          weight: {spelling}\n");
        let repository = edited(|repository| repository.write(ROUTES, http(&destination)));
        refused(
            &repository,
            "cannot-edit",
            &format!("{ROUTES}:9:{column}"),
            "write it so",
        );
    }
}

#[test]
fn a_comment_that_would_be_lost_is_refused() {
    let rule = "gap/gap_destination_rule.yaml";
    let repository = edited(|repository| {
        repository.write(
            rule,
            format!(
                "apiVersion: networking.istio.io/v1beta1\nkind: DestinationRule\nmetadata:\n  name: mine\nspec:\n  host: {HOST}\n  \
                 subsets: [] # none yet\n"
            ),
        );
    });
    refused(&repository, "cannot-edit", rule, "");
}

#[test]
fn files_with_the_names_of_a_release_are_refused() {
    let repository = edited(|repository| {
        repository.write(
            "gap/gap_canary_settings.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n",
        );
    });
    refused(
        &repository,
        "canary-impossible",
        "gap/gap_canary_settings.yaml",
        "rename it",
    );
}

#[test]
fn a_destination_rule_of_the_users_under_the_generated_name_stays() {
    let repository = edited(|repository| {
        repository.write(
            "gap/gap_destination_rule.yaml",
            format!(
                "# Eject failing pods.\napiVersion: networking.istio.io/v1beta1\nkind: DestinationRule\nmetadata:\n  name: \
                 my-service--web\nspec:\n  host: {HOST}\n  trafficPolicy:\n    outlierDetection: {{consecutive5xxErrors: 3}}\n"
            ),
        );
    });
    lives(&repository);
}

#[test]
fn labels_that_come_by_an_alias_are_refused_with_their_place() {
    let repository = edited(|repository| {
        repository.replace(
            SPEC,
            "deployments:\n  web:\n",
            "x-labels: &labels {tier: front}\ndeployments:\n  web:\n    podLabels: *labels\n",
        );
    });
    refused(
        &repository,
        "cannot-edit",
        "gap/gap.yaml:11:",
        "write `podLabels` out",
    );
}

#[test]
fn who_may_call_without_a_policy_of_its_own_may_call_the_copy() {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init", "--commit"]).expect(0);
    let policy = |workload: &str| {
        let rendered = repository
            .run(&["render", "--env", "production"])
            .expect(0)
            .stdout;
        let stream = tidegate_yaml::Stream::parse(&rendered).expect("rendered YAML");
        let documents = stream.documents().iter().map(tidegate_yaml::Document::value);
        let is_policy = |document: &&serde_json::Value| {
            document["kind"] == "AuthorizationPolicy"
                && document["metadata"]["name"] == format!("my-service--{workload}")
        };
        documents
            .clone()
            .find(is_policy)
            .map(|policy| policy["spec"]["rules"].clone())
    };
    let before = policy("web").expect("the platform's default policy");
    let _ = repository.run(&["next", "--commit"]).expect(0);
    let callers = |rules: &serde_json::Value| {
        let from = rules
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|rule| rule["from"].as_array())
            .flatten();
        let mut callers: Vec<String> = from
            .map(|from| from["source"]["principals"].to_string())
            .collect();
        callers.sort();
        callers.dedup();
        callers
    };
    let copy = policy("web-v1").expect("a policy for the copy");
    assert!(!callers(&before).is_empty());
    for caller in callers(&before) {
        assert!(
            callers(&copy).contains(&caller),
            "{caller} may call web, not web-v1: {copy}"
        );
    }
}

#[test]
fn peers_that_name_the_copy_stay_when_it_goes() {
    let policy = "gap/gap_network_policy_reports.yaml";
    let text = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: reports\nspec:\n  podSelector:\n    \
                matchLabels: {app: reports}\n  ingress:\n    - from:\n        - podSelector: {matchLabels: {app: my-service-web-v1}}\n";
    let repository = edited(|repository| repository.write(policy, text));
    lives(&repository);
    assert_eq!(repository.read(policy), text);
}

#[test]
fn a_service_that_would_select_the_copy_is_named() {
    let repository = edited(|repository| {
        repository.write(
            "gap/gap_service_metrics.yaml",
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: metrics\nspec:\n  selector:\n    applicationName: my-service\n  \
             ports:\n    - port: 9100\n",
        );
    });
    repository
        .run(&["init"])
        .expect(0)
        .says("[accidental-selection]")
        .says("gap/gap_service_metrics.yaml");
}

#[test]
fn a_later_patch_that_undoes_the_release_is_named_by_every_command() {
    let repository = edited(|repository| {
        let _ = repository.run(&["init", "--commit"]).expect(0);
        for _ in 0..2 {
            let _ = repository.run(&["next", "--commit"]).expect(0);
        }
        let destination = format!("        - destination: {{host: {HOST}}}\n");
        repository.write("gap/production/gap_patch_zz_routes.yaml", http(&destination));
    });
    repository
        .run(&["next"])
        .expect(1)
        .says("[undone]")
        .says("gap/production/gap_patch_zz_routes.yaml:5:1");
    let status = repository.run(&["status"]);
    let said = format!("{}{}", status.stdout, status.stderr);
    assert!(said.contains("[undone]"), "{said}");
    assert!(
        !said.contains("tidegate next --to"),
        "no way on while a patch undoes it: {said}"
    );
}

#[test]
fn every_virtual_service_of_an_environment_is_in_the_kubectl_lines() {
    let repository = edited(|repository| {
        repository.write(
            "gap/gap_virtual_service_admin.yaml",
            format!(
                "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata:\n  name: admin\nspec:\n  hosts: \
                 [admin.example.com]\n  gateways: [mesh]\n  http:\n    - route:\n        - destination: {{host: {HOST}}}\n"
            ),
        );
    });
    let _ = repository.run(&["init", "--commit"]).expect(0);
    for _ in 0..5 {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    let said = repository
        .run(&["rollback", "--env", "production"])
        .expect(0)
        .stderr;
    for name in ["my-service--web", "admin"] {
        let line = said
            .lines()
            .find(|line| line.contains("kubectl") && line.contains(name));
        assert!(line.is_some(), "no line for {name}:\n{said}");
    }
}

#[test]
fn an_uncommitted_release_file_stops_next() {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init"]).expect(0);
    repository
        .run(&["next"])
        .expect(1)
        .says("[uncommitted]")
        .says("gap/tidegate.yaml");
}

#[test]
fn commands_that_change_weights_or_pins_need_a_release() {
    let repository = Repository::of("istio/my-service");
    let commands: [&[&str]; 3] = [
        &["shift", "--env", "staging", "--to", "5"],
        &["rollback"],
        &["hotfix", "--stable-tag", "b2"],
    ];
    for args in commands {
        repository
            .run(args)
            .expect(1)
            .says("[no-release]")
            .says("tidegate init");
    }
}

#[test]
fn an_exposed_workload_that_turns_the_ingress_away_is_refused() {
    let repository = edited(|repository| {
        let rules = "    authorizationPolicy:\n      rules:\n        - from:\n            - source:\n                principals:\n                  \
                     - {namespace: marketing, serviceAccountName: [newsletter]}\n    command:";
        repository.replace(SPEC, "    command:", rules);
    });
    refused(
        &repository,
        "canary-impossible",
        "gap/gap.yaml:12:5",
        "ingress-nginx",
    );
}
