use serde_json::{Value, json};

use crate::diagnostic::Diagnostic;
use crate::layout::load;
use crate::model::Application;
use crate::repo::RepoPath;
use crate::schema::config::Config;
use crate::schema::file::fixture::{refused, repo, told};

pub(in crate::layout::gap) const SPEC: &str = "\
name: orders
namespace: checkout
image: {repository: group/orders, tag: 5b1f0c7e}
useServiceMesh: true
deployments:
  web: {ingress: {enabled: true}}
  worker: {}
";

pub(in crate::layout::gap) fn loaded(
    spec: &str,
    config: &str,
) -> Result<Application, (String, Vec<Diagnostic>)> {
    let repo = repo(&format!(
        "#- gap/gap.yaml\n{spec}#- .tidegate/config.yaml\n{config}"
    ));
    let config = Config::load(&repo, &RepoPath::root()).expect("a valid configuration");
    let result = load(&repo, &RepoPath::root(), &config).map_err(refused);
    result.map_err(|problems| (told(&repo, &problems), problems))
}

/// The base objects of an environment, by kind and name.
#[track_caller]
pub(in crate::layout::gap) fn base(spec: &str, config: &str, environment: &str) -> Vec<(String, Value)> {
    let application = loaded(spec, config).unwrap_or_else(|(text, _)| panic!("{text}"));
    let base = &application.environments[environment].base;
    base.iter()
        .map(|manifest| (manifest.object.to_string(), manifest.value.clone()))
        .collect()
}

/// The value at a pointer in a base object of staging; null where there is neither.
#[track_caller]
pub(in crate::layout::gap) fn check(spec: &str, config: &str, object: &str, pointer: &str, expected: Value) {
    let base = base(spec, config, "staging");
    let found = base
        .iter()
        .find(|(name, _)| name == object)
        .and_then(|(_, value)| value.pointer(pointer));
    assert_eq!(found.cloned().unwrap_or_default(), expected, "{object}{pointer}");
}

#[track_caller]
pub(in crate::layout::gap) fn check_default(spec: &str, object: &str, pointer: &str, expected: Value) {
    check(spec, "", object, pointer, expected);
}

pub(in crate::layout::gap) const POD: &str = "/spec/template/spec/containers/0";

#[test]
fn every_workload_has_the_objects_it_asks_for() {
    let names = |spec: &str, config: &str| {
        base(spec, config, "production")
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        names(SPEC, ""),
        "ServiceAccount/orders Deployment/orders-web Service/orders-web Ingress/orders-web VirtualService/orders--web \
         AuthorizationPolicy/orders--web Deployment/orders-worker Service/orders-worker"
    );
    assert_eq!(
        names(
            &SPEC.replace("Mesh: true", "Mesh: false"),
            "render: {service_for: ingress}\n"
        ),
        "ServiceAccount/orders Deployment/orders-web Service/orders-web Ingress/orders-web Deployment/orders-worker"
    );
    let scaled = "autoscaling: {enabled: true, minReplicas: 1, maxReplicas: 2, metrics: []}";
    let spec = SPEC.replace(
        "worker: {}",
        &format!("worker: {{{scaled}}}\ncronjobs: {{clean: {{schedule: \"@daily\"}}}}"),
    );
    assert!(
        names(&spec, "")
            .ends_with("Service/orders-worker HorizontalPodAutoscaler/orders-worker CronJob/orders-clean")
    );
}

#[test]
fn routes_lead_to_the_service() {
    let http = json!([{"route": [{"destination": {"host": "orders-web.checkout.svc.cluster.local"}}]}]);
    check_default(SPEC, "VirtualService/orders--web", "/spec/http", http);
    check_default(SPEC, "VirtualService/orders--web", "/spec/gateways", Value::Null);
    check_default(
        SPEC,
        "VirtualService/orders--web",
        "/apiVersion",
        json!("networking.istio.io/v1beta1"),
    );
    check(
        SPEC,
        "render: {istio_api: v1}\n",
        "AuthorizationPolicy/orders--web",
        "/apiVersion",
        json!("security.istio.io/v1"),
    );
    check_default(
        SPEC,
        "Ingress/orders-web",
        "/spec/tls/0/secretName",
        json!("orders-web-tls"),
    );
    let backend = json!({"service": {"name": "orders-web", "port": {"number": 80}}});
    check_default(
        SPEC,
        "Ingress/orders-web",
        "/spec/rules/0/http/paths/0/backend",
        backend,
    );
    let labels = json!({"app": "orders-web", "applicationName": "orders", "migration": "true"});
    let spec = SPEC.replace(
        "{enabled: true}",
        "{enabled: true, labels: {migration: \"true\"}}",
    );
    check_default(&spec, "Ingress/orders-web", "/metadata/labels", labels);
}

#[test]
fn ports_are_settings() {
    let config = "render: {service_port: 81, container_port: 9000}\n";
    check(
        SPEC,
        config,
        "Service/orders-web",
        "/spec/ports",
        json!([{"name": "http", "port": 81, "targetPort": 9000}]),
    );
    check(
        SPEC,
        config,
        "Deployment/orders-web",
        &format!("{POD}/ports"),
        json!([{"name": "http", "containerPort": 9000}]),
    );
    check(
        SPEC,
        config,
        "Ingress/orders-web",
        "/spec/rules/0/http/paths/0/backend/service/port",
        json!({"number": 81}),
    );
    let no_service = "render: {service_for: ingress}\n";
    check(
        SPEC,
        no_service,
        "Deployment/orders-worker",
        &format!("{POD}/ports"),
        Value::Null,
    );
}

#[test]
fn callers_are_admitted_as_the_spec_says() {
    let ingress =
        json!({"from": [{"source": {"principals": ["cluster.local/ns/ingress-nginx/sa/ingress-nginx"]}}]});
    let own = json!({"from": [{"source": {"principals": ["cluster.local/ns/shop/sa/search"]}}]});
    let rule =
        "{rules: [{from: [{source: {principals: [{namespace: shop, serviceAccountName: [search]}]}}]}]}";
    let default = format!("{SPEC}defaultAuthorizationPolicy: {rule}\n");
    let with_own = SPEC.replace("web: {", &format!("web: {{authorizationPolicy: {rule}, "));
    let rules = |spec: &str, config: &str, workload: &str, expected: Value| {
        check(
            spec,
            config,
            &format!("AuthorizationPolicy/orders--{workload}"),
            "/spec/rules",
            expected,
        );
    };
    rules(SPEC, "", "web", json!([ingress]));
    rules(SPEC, "", "worker", Value::Null);
    rules(SPEC, "authz: {default: none}\n", "web", Value::Null);
    rules(SPEC, "authz: {default: deny}\n", "web", json!([ingress]));
    rules(SPEC, "authz: {default: deny}\n", "worker", json!([]));
    rules(&default, "", "web", json!([ingress, own]));
    rules(&default, "", "worker", json!([own]));
    rules(&with_own, "", "web", json!([own]));
    rules(
        &with_own,
        "authz: {merge: extend}\n",
        "web",
        json!([ingress, own]),
    );
    let domain = json!(["mesh.example/ns/shop/sa/search"]);
    let pointer = "/spec/rules/0/from/0/source/principals";
    check(
        &with_own,
        "authz: {trust_domain: mesh.example}\n",
        "AuthorizationPolicy/orders--web",
        pointer,
        domain,
    );
    check_default(
        SPEC,
        "AuthorizationPolicy/orders--web",
        "/spec/action",
        json!("ALLOW"),
    );
    let selector = json!({"matchLabels": {"app": "orders-web"}});
    check_default(
        SPEC,
        "AuthorizationPolicy/orders--web",
        "/spec/selector",
        selector,
    );
}

#[test]
fn an_autoscaler_keeps_the_share_of_the_requests() {
    let metric = "{type: Resource, name: cpu, targetAverageUtilization: 60}";
    let scaled = format!(
        "worker: {{autoscaling: {{enabled: true, minReplicas: 2, maxReplicas: 6, metrics: [{metric}]}}}}"
    );
    let spec = SPEC.replace("worker: {}", &scaled);
    let expected = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders-worker"},
        "minReplicas": 2,
        "maxReplicas": 6,
        "metrics": [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60},
        }}],
    });
    check_default(&spec, "HorizontalPodAutoscaler/orders-worker", "/spec", expected);
    let config = "render: {hpa_api: autoscaling/v2beta2}\n";
    check(
        &spec,
        config,
        "HorizontalPodAutoscaler/orders-worker",
        "/apiVersion",
        json!("autoscaling/v2beta2"),
    );
}

#[test]
fn protection_and_proxy_reach_deployments_and_cronjobs() {
    let spec = format!(
        "deletionProtection: true\nuseProxyEnvVars: true\n{SPEC}cronjobs: {{clean: {{schedule: \"15 3 * * *\", args: [a]}}}}\n"
    );
    for object in ["Deployment/orders-web", "CronJob/orders-clean"] {
        check_default(
            &spec,
            object,
            "/metadata/labels/deletionProtection",
            json!("enabled"),
        );
    }
    check_default(
        &spec,
        "Service/orders-web",
        "/metadata/labels/deletionProtection",
        Value::Null,
    );
    let pod = "/spec/jobTemplate/spec/template/spec/containers/0";
    let proxy = json!({"name": "HTTP_PROXY", "value": "http://proxy.gap-system:3128"});
    check_default(
        &spec,
        "CronJob/orders-clean",
        &format!("{pod}/env/0"),
        proxy.clone(),
    );
    check_default(&spec, "Deployment/orders-web", &format!("{POD}/env/0"), proxy);
    check_default(
        &spec,
        "CronJob/orders-clean",
        "/spec/schedule",
        json!("15 3 * * *"),
    );
    check_default(
        &spec,
        "CronJob/orders-clean",
        &format!("{pod}/args"),
        json!(["a"]),
    );
    check_default(SPEC, "Deployment/orders-web", &format!("{POD}/env"), Value::Null);
}

#[test]
fn values_cannot_change_the_structure() {
    let hostile = "a\"\n---\nkind: Pod # {{ name }} 'x' \\ \u{2028}";
    let spec = SPEC.replace(
        "worker: {}",
        &format!(
            "worker: {{command: [{}, 1e3x], args: [\"1e3\", \"null\"]}}",
            json!(hostile)
        ),
    );
    check_default(
        &spec,
        "Deployment/orders-worker",
        &format!("{POD}/command"),
        json!([hostile, "1e3x"]),
    );
    check_default(
        &spec,
        "Deployment/orders-worker",
        &format!("{POD}/args"),
        json!(["1e3", "null"]),
    );
    let spec = SPEC.replace("tag: 5b1f0c7e", "tag: \"1e3\"");
    check_default(
        &spec,
        "Deployment/orders-web",
        &format!("{POD}/image"),
        json!("europe-west3-docker.pkg.dev/group/orders:1e3"),
    );
    let spec = SPEC.replace(
        "worker: {}",
        "worker: {resources: {requests: {cpu: 0.50, memory: \"1e3\"}}}",
    );
    let base = base(&spec, "", "staging");
    let worker = base
        .iter()
        .find(|(name, _)| name == "Deployment/orders-worker")
        .unwrap();
    let requests = worker.1.pointer(&format!("{POD}/resources/requests")).unwrap();
    assert_eq!(requests.to_string(), r#"{"cpu":0.50,"memory":"1e3"}"#);
}
