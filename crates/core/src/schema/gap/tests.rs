use super::*;
use crate::repo::{MemoryRepo, RepoPath};
use crate::schema::config::{Config, UnknownKeys};
use crate::schema::file::fixture::{repo, told};
use crate::schema::file::read_stream;
use crate::schema::gap::reader::Source;

const HEAD: &str = "name: orders\nnamespace: checkout\n";

fn parsed(text: &str, config: &Config) -> (MemoryRepo, Parsed) {
    let repo = repo(&format!("#- gap.yaml\n{text}"));
    let file = RepoPath::new("gap.yaml").unwrap();
    let stream = read_stream(&repo, &file).unwrap().unwrap();
    let document = &stream.documents()[0];
    let source = Source {
        file: &file,
        index: 0,
        document,
    };
    let result = parse(vec![source], document.value(), config);
    (repo, result)
}

/// What is told about a spec, warnings too.
#[track_caller]
fn check(text: &str, expected: &str) {
    let (repo, result) = parsed(text, &Config::default());
    let problems = result
        .map(|(_, notices)| notices)
        .unwrap_or_else(|problems| problems);
    assert_eq!(told(&repo, &problems), expected);
}

/// The same for what stands behind a name and a namespace, from line 3 on.
#[track_caller]
fn check_rest(text: &str, expected: &str) {
    check(&format!("{HEAD}{text}"), expected);
}

fn spec(text: &str) -> GapSpec {
    parsed(&format!("{HEAD}{text}"), &Config::default()).1.unwrap().0
}

#[test]
fn a_whole_spec_is_read() {
    let spec = spec(
        "image: {repository: group/orders, tag: 5b1f0c7e}
useServiceMesh: true
useProxyEnvVars: true
deletionProtection: true
usePrebuiltImage: true
isProduction: false
waitForWorkloadIdentity: true
autoSyncProduction: {enabled: true, autoSyncHourUTC: 4, other: 1}
defaultAuthorizationPolicy: {rules: []}
deployments:
  web:
    command: [/app/serve]
    args: [--fast]
    podLabels: {tier: frontend}
    ingress: {enabled: true, labels: {migration: \"true\"}}
    authorizationPolicy: {rules: [{from: [{source: {principals: [a]}}]}]}
    autoscaling: {enabled: true, minReplicas: 2, maxReplicas: 6, metrics: [{type: Resource, name: cpu, targetAverageUtilization: 60}]}
    resources: {requests: {cpu: 0.5, memory: 256Mi}}
  worker:
cronjobs:
  cleanup: {schedule: \"15 3 * * *\", image: other/cleanup@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae}
",
    );
    assert!(
        spec.use_service_mesh && spec.use_proxy_env_vars && spec.deletion_protection && !spec.is_production
    );
    assert_eq!(spec.default_rules, Some(vec![]));
    let web = &spec.deployments["web"];
    assert_eq!(web.pod.command.as_deref(), Some(&["/app/serve".to_owned()][..]));
    assert_eq!(web.pod.args.as_deref(), Some(&["--fast".to_owned()][..]));
    assert_eq!(
        (
            web.pod.labels["tier"].as_str(),
            web.ingress_labels["migration"].as_str()
        ),
        ("frontend", "true")
    );
    assert!(web.has_ingress && web.rules.is_some());
    let metrics = vec![MetricSpec {
        name: "cpu".into(),
        average_utilization: 60,
    }];
    assert_eq!(
        web.autoscaling,
        Some(AutoscalingSpec {
            min_replicas: 2,
            max_replicas: 6,
            metrics
        })
    );
    assert_eq!(
        web.pod.resources.as_ref().unwrap()["requests"]["cpu"].to_string(),
        "0.5"
    );
    assert_eq!(spec.deployments["worker"].pod.command, None);
    let cleanup = &spec.cronjobs["cleanup"];
    assert_eq!(cleanup.schedule, "15 3 * * *");
    let image = cleanup.pod.image.as_ref().unwrap();
    assert_eq!(image.repository.as_deref(), Some("other/cleanup"));
    assert!(image.tag.as_ref().unwrap().starts_with("sha256:"));
}

#[test]
fn an_image_may_be_one_text() {
    let image = |text: &str| {
        let image = spec(&format!("image: {text}\n")).image.unwrap();
        (image.repository.unwrap(), image.tag)
    };
    assert_eq!(
        image("group/orders:1.0"),
        ("group/orders".into(), Some("1.0".into()))
    );
    assert_eq!(
        image("localhost:5000/orders"),
        ("localhost:5000/orders".into(), None)
    );
    assert_eq!(
        image("localhost:5000/orders:1"),
        ("localhost:5000/orders".into(), Some("1".into()))
    );
}

#[test]
fn everything_wrong_is_reported_at_once() {
    check(
        "namespace: [checkout]\nuseServiceMesh: \"true\"\ndeployments:\n  web:\n    command: /app/serve\n    args: [--port, 8080]\n",
        "error invalid-value gap.yaml:1:1: the key `name` is missing\n  write `name: orders`\n\
         error wrong-type gap.yaml:1:12: `namespace` is a list, not a string\n\
         error wrong-type gap.yaml:2:17: `useServiceMesh` is a string, not a boolean\n  \
         write it without quotes: `useServiceMesh: true`\n\
         error wrong-type gap.yaml:5:14: `deployments.web.command` is a string, not a list\n  \
         write a list: `command: [/app/serve]`\n\
         error wrong-type gap.yaml:6:20: `deployments.web.args[1]` is a number, not a string\n  \
         put it in quotes: `- \"8080\"`\n",
    );
    check(
        "- a\n",
        "error wrong-type gap.yaml:1:1: the document is a list, not a map\n",
    );
    check_rest(
        "deployments: [web]\n",
        "error wrong-type gap.yaml:3:14: `deployments` is a list, not a map\n",
    );
    check_rest(
        "deployments: {web: on}\n",
        "error wrong-type gap.yaml:3:20: `deployments.web` is a string, not a map\n",
    );
    check_rest(
        "useServiceMesh: yes\n",
        "error wrong-type gap.yaml:3:17: `useServiceMesh` is a string, not a boolean\n  \
         write `useServiceMesh: true` or `useServiceMesh: false`\n",
    );
}

#[test]
fn a_tag_is_text_and_a_digest_has_64_digits() {
    check_rest(
        "image: {repository: a, tag: 1e3}\n",
        "error wrong-type gap.yaml:3:29: `image.tag` is a number, not a string\n  put it in quotes: `tag: \"1e3\"`\n",
    );
    check_rest(
        "image: {tag: 1234567}\n",
        "error wrong-type gap.yaml:3:14: `image.tag` is a number, not a string\n  put it in quotes: `tag: \"1234567\"`\n",
    );
    check_rest(
        "deployments: {web: {image: {tag: \"sha256:2c26\"}}}\n",
        "error invalid-value gap.yaml:3:34: `sha256:2c26` is not a digest: 4 characters after `sha256:`\n  \
         a digest is `sha256:` and 64 lower-case hex digits; copy it from the registry\n",
    );
    check_rest(
        "image: {repository: \"a b\", tag: latest}\n",
        "error invalid-value gap.yaml:3:21: `a b` is not an image repository\n  \
         write its path in the registry: `group/images/name`\n\
         warning invalid-value gap.yaml:3:33: the tag `latest` moves; the registry refuses such tags\n  use the commit's tag\n",
    );
}

#[test]
fn names_keep_to_the_limits() {
    let shared = "error invalid-name gap.yaml:1:7: the name `orders-of-all-shops-of-the-region` has 33 characters, more than 31\n";
    let long = "name: orders-of-all-shops-of-the-region\nnamespace: checkout\ndeployments: {web: {ingress: {enabled: true}}}\n";
    check(
        long,
        &format!(
            "{shared}  choose a shorter name, or give the environments `hosts` in .tidegate/config.yaml: \
             the default host's certificate takes 33 of 64 characters\n"
        ),
    );
    check(&long.replace("true", "false"), "");
    check(
        "name: Orders_App\nnamespace: 1st\n",
        "error invalid-name gap.yaml:1:7: `Orders_App` is not a name that Kubernetes takes\n  \
         use lower-case letters, digits and `-`, with a letter first and no `-` last\n\
         error invalid-name gap.yaml:2:12: `1st` is not a name that Kubernetes takes\n  \
         use lower-case letters, digits and `-`, with a letter first and no `-` last\n",
    );
    check_rest(
        "deployments:\n  Web:\n  serve-all-requests-of-the-shop-front-and-of-its-applications: {}\n",
        "error invalid-name gap.yaml:4:3: `Web` cannot be part of a name that Kubernetes takes\n  \
         use lower-case letters, digits and `-`, with no `-` first or last\n\
         error invalid-name gap.yaml:5:3: the name `orders-serve-all-requests-of-the-shop-front-and-of-its-applications` \
         has 67 characters, more than 63\n  choose a shorter name\n",
    );
    check_rest(
        "deployments: {web: }\ncronjobs:\n  web: {schedule: \"@daily\"}\n  remove-what-is-older-than-thirty-days-every-night: {schedule: \"@daily\"}\n",
        "error invalid-name gap.yaml:6:3: the name `orders-remove-what-is-older-than-thirty-days-every-night` has 56 characters, \
         more than 52\n  choose a shorter name\n\
         error invalid-name gap.yaml:5:3: `web` is a deployment too: its Service would select the pods of both\n  \
         give the cronjob another name\n",
    );
}

#[test]
fn labels_are_text_that_kubernetes_takes() {
    check_rest(
        "deployments:\n  web:\n    podLabels: {version: 2, a b: c, tier: front end, app: x}\n",
        "error wrong-type gap.yaml:5:26: `deployments.web.podLabels.version` is a number, not a string\n  \
         put it in quotes: `version: \"2\"`\n\
         error invalid-name gap.yaml:5:34: `a b` is not a label\n  \
         a label has at most 63 letters, digits, `-`, `_` and `.`, after a domain and `/` if need be\n\
         error invalid-value gap.yaml:5:43: `front end` is not a value of a label\n  \
         a value has at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends\n\
         error invalid-value gap.yaml:5:54: the label `app` is set by the platform\n  choose another label\n",
    );
}

#[test]
fn autoscaling_needs_its_bounds() {
    check_rest("deployments: {web: {autoscaling: {enabled: false}}}\n", "");
    check_rest(
        "deployments:\n  web:\n    autoscaling: {enabled: true, minReplicas: \"2\"}\n",
        "error wrong-type gap.yaml:5:47: `deployments.web.autoscaling.minReplicas` is a string, not a whole number\n  \
         write it without quotes: `minReplicas: 2`\n\
         error invalid-value gap.yaml:5:18: the key `maxReplicas` is missing\n  write `maxReplicas: 2`\n\
         error invalid-value gap.yaml:5:18: the key `metrics` is missing\n  \
         write `metrics: [{type: Resource, name: cpu, targetAverageUtilization: 60}]`\n",
    );
    check_rest(
        "deployments:\n  web:\n    autoscaling:\n      enabled: true\n      minReplicas: 9\n      maxReplicas: 3\n      metrics: [{type: Pods, name: memory}]\n",
        "error invalid-value gap.yaml:9:24: a metric's type is Resource\n  \
         write a HorizontalPodAutoscaler of your own for other metrics\n\
         warning invalid-value gap.yaml:9:36: the platform scales by cpu, not by `memory`\n\
         error invalid-value gap.yaml:9:17: the key `targetAverageUtilization` is missing\n  \
         write `targetAverageUtilization: 60`\n\
         error invalid-value gap.yaml:7:20: `minReplicas` is 9, more than `maxReplicas`, 3\n",
    );
}

#[test]
fn a_principal_names_a_namespace_and_accounts() {
    check_rest(
        "deployments:\n  web:\n    authorizationPolicy:\n      rules:\n        - from:\n            - source:\n                principals:\n                  - namespace: a\n                  - serviceAccountName: [1]\n                  - cluster.local/ns/a/sa/b\n            - {}\n",
        "error invalid-value gap.yaml:10:21: the key `serviceAccountName` is missing\n  \
         write `serviceAccountName: [\"ingress-nginx\"]`\n\
         error invalid-value gap.yaml:11:21: the key `namespace` is missing\n  write `namespace: ingress-nginx`\n\
         error wrong-type gap.yaml:11:42: `deployments.web.authorizationPolicy.rules[0].from[0].source.principals[1]\
         .serviceAccountName[0]` is a number, not a string\n  put it in quotes: `- \"1\"`\n\
         error invalid-value gap.yaml:13:15: the key `source` is missing\n  write `source: {principals: […]}`\n",
    );
}

#[test]
fn unknown_keys_are_reported_once_each() {
    let text = "deployments:\n  web: {env: {A: b}, podlabels: {}}\n  worker: {env: {A: c}}\n";
    let expected = "warning unknown-key gap.yaml:4:9: the key `env` is not known and passed over\n  \
                    what gap.yaml has no key for can be set by a patch\n\
                    warning unknown-key gap.yaml:4:22: the key `podlabels` is not known and passed over\n  \
                    did you mean `podLabels`?\n";
    check_rest(text, expected);
    let told_with = |unknown_keys: UnknownKeys| {
        let mut config = Config::default();
        config.spec.unknown_keys = unknown_keys;
        let (repo, result) = parsed(&format!("{HEAD}{text}"), &config);
        told(
            &repo,
            &result
                .map(|(_, notices)| notices)
                .unwrap_or_else(|problems| problems),
        )
    };
    assert_eq!(
        told_with(UnknownKeys::Error),
        expected.replace("warning", "error")
    );
    assert_eq!(told_with(UnknownKeys::Ignore), "");
}

#[test]
fn values_behind_aliases_and_merge_keys_have_places() {
    check_rest(
        "x: &x {command: [1]}\ndeployments:\n  web: *x\n  worker:\n    <<: *x\n",
        "warning unknown-key gap.yaml:3:1: the key `x` is not known and passed over\n  \
         what gap.yaml has no key for can be set by a patch\n\
         error wrong-type gap.yaml:5:8: `deployments.web.command[0]` is a number, not a string\n  \
         put it in quotes: `- \"1\"`\n\
         error wrong-type gap.yaml:7:9: `deployments.worker.command[0]` is a number, not a string\n  \
         put it in quotes: `- \"1\"`\n",
    );
}
