use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::super::data::value_of;
use super::{Template, Templates};
use crate::layout::load;
use crate::repo::{MemoryRepo, Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::file::fixture::{refused, repo, told};

const SPEC: &str = "#- gap/gap.yaml\nname: orders\nnamespace: checkout\ndeployments: {web: }\n";

fn with(file: &str, template: &str) -> MemoryRepo {
    repo(&format!("{SPEC}#- .tidegate/templates/gap/{file}\n{template}"))
}

/// What is told about an overridden template.
#[track_caller]
fn check(file: &str, template: &str, expected: &str) {
    let repo = with(file, template);
    let result = load(&repo, &RepoPath::root(), &Config::default());
    let found = result
        .map(|application| application.notices)
        .unwrap_or_else(refused);
    assert_eq!(told(&repo, &found), expected);
}

#[track_caller]
fn check_service(template: &str, expected: &str) {
    let place = "error template-failed .tidegate/templates/gap/service.yaml";
    check("service.yaml", template, &format!("{place}{expected}"));
}

#[test]
fn a_template_of_the_repository_takes_the_place_of_the_built_in_one() {
    let template = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ object_name }}\n  annotations: {environment: {{ environment }}, tls: {{ object_name ~ '-tls' }}, app: {{ labels.app|tojson }}}\n";
    let repo = with("service.yaml", template);
    let application = load(&repo, &RepoPath::root(), &Config::default()).unwrap();
    for environment in ["staging", "production"] {
        let service = application.deployed(environment, "web", "", "Service").unwrap();
        assert_eq!(
            service.text("/metadata/annotations/environment"),
            Some(environment)
        );
        assert_eq!(service.text("/metadata/annotations/tls"), Some("orders-web-tls"));
        assert_eq!(service.text("/metadata/annotations/app"), Some("orders-web"));
    }
}

#[test]
fn a_template_may_make_nothing() {
    let repo = with(
        "service.yaml",
        "{% if mesh %}kind: Service{% endif %}\n# nothing\n",
    );
    let application = load(&repo, &RepoPath::root(), &Config::default()).unwrap();
    assert!(application.generated("staging", "web", "", "Service").is_none());
    assert!(
        application
            .generated("staging", "web", "apps", "Deployment")
            .is_some()
    );
}

#[test]
fn a_template_may_include_one_of_the_set_and_no_other() {
    let repo = with("service.yaml", "{% include 'service_account.yaml' %}");
    let problems = refused(load(&repo, &RepoPath::root(), &Config::default()).unwrap_err());
    assert_eq!(
        problems[0].message,
        "the template `service.yaml`: renders to ServiceAccount, not to a Service"
    );
    check_service(
        "kind: Service\n{% include '/etc/passwd' %}",
        ":2:1: the template `service.yaml`, line 2: template not found: tried to include non-existing template '/etc/passwd'\n",
    );
}

#[test]
fn what_a_template_gets_wrong_is_told_with_its_line() {
    check_service(
        "kind: Service\nname: {{ nmae }}\n",
        ":2:1: the template `service.yaml`, line 2: uses a value that is not there\n  \
         there is no `nmae`: did you mean `name`?\n",
    );
    check_service(
        "kind: Service\n{% if nothing_like_it %}a{% endif %}\n",
        ":2:1: the template `service.yaml`, line 2: uses a value that is not there\n  \
         there is no `nothing_like_it`; there is: name, namespace, deployment, mesh, service_port, container_port, labels, \
         service_selector, object_name\n",
    );
    check_service(
        "kind: Service\nname: {{ name\n",
        ":2:1: the template `service.yaml`, line 2: syntax error: unexpected end of input, expected end of variable block\n",
    );
    check_service(
        "name: {{ name|upper|safe }}\n",
        ":1:1: the template `service.yaml`, line 1: unknown filter: filter safe is unknown\n",
    );
    check_service(
        "a: {{ debug() }}\n",
        ":1:1: the template `service.yaml`, line 1: unknown function: debug is unknown\n",
    );
    check_service(
        "kind: Service\n---\nkind: Service\n",
        ": the template `service.yaml`: renders to more than one document\n",
    );
    check_service(
        "kind: Pod\n",
        ": the template `service.yaml`: renders to Pod, not to a Service\n",
    );
    check_service(
        "{{ name }}\n",
        ": the template `service.yaml`: renders to something without a kind, not to a Service\n",
    );
    check_service(
        "apiVersion: v1\nkind: Service\n",
        ": the template `service.yaml`: renders to an object without metadata.name\n",
    );
}

#[test]
fn what_a_template_gives_must_be_yaml() {
    let repo = with("service.yaml", "kind: Service\nspec: [{{ name }}\n");
    let problems = refused(load(&repo, &RepoPath::root(), &Config::default()).unwrap_err());
    let message = &problems[0].message;
    assert!(
        message.starts_with("the template `service.yaml`: renders to something that is no YAML: "),
        "{message}"
    );
}

#[test]
fn the_work_of_a_template_is_bounded() {
    let nested = |body: &str| {
        let digits = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
        let open: String = ["a", "b", "c", "d", "e", "f", "g"]
            .map(|name| format!("{{% for {name} in {digits} %}}"))
            .concat();
        format!("{open}{body}{}", "{% endfor %}".repeat(7))
    };
    check_service(
        &nested(""),
        ":1:1: the template `service.yaml`, line 1: takes too many steps\n",
    );
    let large = "x".repeat(900);
    check_service(
        &nested(&large),
        ": the template `service.yaml`: renders to more than 2097152 bytes\n",
    );
    check_service(
        &"#".repeat((1 << 20) + 1),
        ": the template `service.yaml`: the template has 1048577 bytes, more than 1048576\n",
    );
    check_service(
        "{% include 'service.yaml' %}",
        ":1:1: the template `service.yaml`, line 1: could not render include: error in \"service.yaml\"\n",
    );
}

#[test]
fn a_file_that_overrides_nothing_is_reported() {
    check(
        "services.yaml",
        "",
        "warning unknown-name .tidegate/templates/gap/services.yaml: there is no template `services.yaml` to override\n  \
         did you mean `service.yaml`?\n",
    );
}

#[test]
fn broken_templates_are_reported_together() {
    let mut repo = with("service.yaml", "{{");
    repo.set(
        RepoPath::new(".tidegate/templates/gap/ingress.yaml").unwrap(),
        Some("{%".into()),
    );
    assert_eq!(
        repo.list(&RepoPath::new(".tidegate/templates/gap").unwrap())
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        refused(load(&repo, &RepoPath::root(), &Config::default()).unwrap_err()).len(),
        2
    );
}

/// What the templates are filled in with: all that is optional, or nothing of it.
fn values(is_rich: bool) -> Json {
    let text = "\u{e000}/labels \"q\": {x}\n# no comment\t1e3 \u{2028}";
    let number: Json = serde_json::from_str("1.10").expect("a number");
    let optional = |value: Json| if is_rich { value } else { Json::Null };
    json!({
        "name": text, "object_name": "orders-web", "namespace": "checkout", "deployment": "web", "mesh": is_rich,
        "api_version": "networking.istio.io/v1", "labels": {"app": text, "y": "null"}, "pod_labels": {"~": "no"},
        "app_label": "0x1f", "service_account": text, "container_name": "012", "container_port": 8080,
        "image": "registry/orders@sha256:1", "command": optional(json!([text, "true", ""])),
        "args": optional(json!([])), "resources": optional(json!({"limits": {"cpu": number}})),
        "use_proxy_env_vars": is_rich, "no_proxy": text, "has_service": is_rich, "service_port": 80,
        "service_selector": {"app": text}, "tls_secret": text, "service_name": text, "service_host": "web.checkout",
        "hosts": match is_rich { true => json!(["a.example.com", text]), false => json!(["a.example.com"]) },
        "deployment_name": text, "min_replicas": 2, "max_replicas": 12345678901234567890_u64,
        "metrics": [{"name": "cpu", "average_utilization": 70}, {"name": text, "average_utilization": number}],
        "rules": [{"from": [{"source": {"principals": [text]}}], "to": null}], "schedule": "*/5 * * * *",
    })
}

#[test]
fn what_is_read_once_for_all_applications_is_what_each_template_gives() {
    let repo = MemoryRepo::default();
    let templates = Templates::load(&repo, &RepoPath::root()).unwrap();
    for template in Template::ALL {
        // Twice: the second time the shape is known.
        for is_rich in [true, false, true, false] {
            let values = Arc::new(values(is_rich));
            let text = templates
                .text(*template, value_of(&values), &values)
                .unwrap_or_else(|problem| panic!("{template:?}: {}", problem.message));
            let expected = templates.read(*template, &text).unwrap();
            assert!(expected.is_some(), "{template:?}");
            assert_eq!(templates.render(*template, &values), Ok(expected), "{template:?}");
        }
    }
}
