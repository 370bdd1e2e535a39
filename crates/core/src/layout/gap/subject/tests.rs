use serde_json::{Value, json};

use super::super::base::tests::{POD, SPEC, base, check, check_default, loaded};

#[test]
fn labels_of_pods_stay_out_of_the_selector() {
    let spec = SPEC.replace(
        "worker: {}",
        "worker: {podLabels: {version: v2, canary: enabled}}",
    );
    let labels = json!({
        "app": "orders-worker", "applicationName": "orders", "sidecar.istio.io/inject": "true",
        "version": "v2", "canary": "enabled",
    });
    check_default(
        &spec,
        "Deployment/orders-worker",
        "/spec/template/metadata/labels",
        labels,
    );
    check_default(
        &spec,
        "Deployment/orders-worker",
        "/spec/selector",
        json!({"matchLabels": {"app": "orders-worker"}}),
    );
    let own = json!({"app": "orders-worker", "applicationName": "orders"});
    check_default(&spec, "Deployment/orders-worker", "/metadata/labels", own);
    check_default(
        &spec,
        "Service/orders-worker",
        "/spec/selector",
        json!({"app": "orders-worker"}),
    );
}

#[test]
fn an_image_has_its_registry_and_a_digest_its_at() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let image = |spec: &str, config: &str, expected: &str| {
        check(
            spec,
            config,
            "Deployment/orders-web",
            &format!("{POD}/image"),
            json!(expected),
        );
    };
    let with = |image: &str| SPEC.replace("{repository: group/orders, tag: 5b1f0c7e}", image);
    image(SPEC, "", "europe-west3-docker.pkg.dev/group/orders:5b1f0c7e");
    image(
        SPEC,
        "render: {registry_host: registry.example.com/}\n",
        "registry.example.com/group/orders:5b1f0c7e",
    );
    image(
        &with("{repository: quay.io/group/orders, tag: a}"),
        "",
        "quay.io/group/orders:a",
    );
    image(
        &with("{repository: \"localhost:5000/orders\", tag: a}"),
        "",
        "localhost:5000/orders:a",
    );
    image(
        &with("{repository: orders.v2, tag: a}"),
        "",
        "europe-west3-docker.pkg.dev/orders.v2:a",
    );
    let pinned = with(&format!("{{repository: group/orders, tag: \"{digest}\"}}"));
    image(
        &pinned,
        "",
        &format!("europe-west3-docker.pkg.dev/group/orders@{digest}"),
    );
    image(
        &pinned,
        "render: {digest_tag: colon}\n",
        &format!("europe-west3-docker.pkg.dev/group/orders:{digest}"),
    );
    image(
        &with("{tag: a}"),
        "",
        "europe-west3-docker.pkg.dev/sap-ems-base-infra-package-p/gap-images/orders:a",
    );
    let own = SPEC.replace("web: {", "web: {image: {tag: own}, ");
    image(&own, "", "europe-west3-docker.pkg.dev/group/orders:own");
}

#[test]
fn hosts_follow_the_environment_and_its_regions() {
    let hosts = |config: &str, environment: &str| {
        let base = base(SPEC, config, environment);
        let find = |name: &str| {
            base.iter()
                .find(|(other, _)| other == name)
                .map(|(_, value)| value)
                .unwrap()
        };
        let ingress = find("Ingress/orders-web");
        let rules = ingress.pointer("/spec/rules").and_then(Value::as_array).unwrap();
        let hosts: Vec<&str> = rules
            .iter()
            .filter_map(|rule| rule.get("host")?.as_str())
            .collect();
        assert_eq!(ingress.pointer("/spec/tls/0/hosts"), Some(&json!(hosts)));
        let mut all = hosts.clone();
        all.push("orders-web.checkout.svc.cluster.local");
        assert_eq!(
            find("VirtualService/orders--web").pointer("/spec/hosts"),
            Some(&json!(all))
        );
        hosts.join(" ")
    };
    assert_eq!(hosts("", "staging"), "orders-staging.gservice.emarsys.com");
    assert_eq!(hosts("", "production"), "orders.gservice.emarsys.net");
    let both = "environments: {staging: {regions: [eu, us1]}, production: {regions: [us1]}}\n";
    assert_eq!(
        hosts(both, "staging"),
        "orders-staging.gservice.emarsys.com us1-01.orders.gap.s.sap.emarsys.com"
    );
    assert_eq!(
        hosts(both, "production"),
        "us1-01.orders.gap.cloud.sap.emarsys.net"
    );
    let own = "environments: {test: {hosts: [\"{{ deployment }}.{{ namespace }}.{{ environment }}.example.com\"]}}\n";
    assert_eq!(hosts(own, "test"), "web.checkout.test.example.com");
}

#[test]
fn names_are_settings() {
    let config = "names: {virtual_service: \"{{ deployment }}.{{ environment }}\", container: main, authorization_policy: \"{{ name }}-{{ deployment }}\"}\nlabels: {app: \"{{ deployment }}\", service_selector: [app, applicationName]}\n";
    check(
        SPEC,
        config,
        "VirtualService/web.staging",
        "/metadata/labels/app",
        json!("web"),
    );
    check(
        SPEC,
        config,
        "AuthorizationPolicy/orders-web",
        "/spec/selector/matchLabels/app",
        json!("web"),
    );
    check(
        SPEC,
        config,
        "Deployment/orders-web",
        &format!("{POD}/name"),
        json!("main"),
    );
    check(
        SPEC,
        config,
        "Service/orders-web",
        "/spec/selector",
        json!({"app": "web", "applicationName": "orders"}),
    );
}

#[test]
fn a_name_that_kubernetes_does_not_take_is_shown_where_it_is_set() {
    let told = |config: &str| {
        loaded(SPEC, config)
            .map(|_| String::new())
            .unwrap_or_else(|(text, _)| text)
    };
    let hint =
        "  use lower-case letters, digits, `-` and `.`; a part between dots has at most 63 characters\n";
    assert_eq!(
        told("names: {virtual_service: \"{{ name }}_{{ deployment }}\"}\n"),
        format!("error invalid-name .tidegate/config.yaml:1:26: `orders_web` is not a domain name\n{hint}")
    );
    assert_eq!(
        told("environments: {staging: {hosts: [\"{{ name }}.a/b\"]}}\n"),
        format!("error invalid-name .tidegate/config.yaml:1:34: `orders.a/b` is not a domain name\n{hint}")
    );
}
