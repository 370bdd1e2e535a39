//! What Istio does with a request, one rule a row: the objects, the request, what becomes of it.

use crate::world::*;

/// A request of a caller that no policy names.
fn somebody(host: &str, path: &str) -> String {
    format!("{host}{path} from elsewhere/somebody")
}

/// Rows of one kind: more objects than the base, and what becomes of `path`.
fn asked(rows: &[(&'static str, Vec<String>, &str, &str)]) {
    all(rows.iter().map(|(rule, more, request, expected)| {
        let request = match request.contains(" from ") {
            true => (*request).to_owned(),
            false => somebody(HOST, request),
        };
        (*rule, outcome(&base_and(more), &request), (*expected).to_owned())
    }));
}

fn to(subset: &str) -> String {
    routes("web", &format!("hosts: [web], http: [{}]", rule("", subset)))
}

#[test]
fn subsets_are_found_where_istio_looks() {
    let found = |rules: &[String]| {
        let objects = [&base()[..3], rules, &[to("v1")]].concat();
        outcome(&objects, &somebody(HOST, "/"))
    };
    let rule = |name: &str, namespace: &str, host: &str, is: &str| subsets(name, namespace, host, &[is], "");
    let rows = [
        (
            "in the Service's namespace",
            vec![rule("a", "shop", HOST, "v1")],
            "v1 100 %",
        ),
        (
            "first in the caller's namespace",
            vec![
                rule("a", "shop", HOST, "v1"),
                rule("b", "elsewhere", HOST, "v1=v2"),
            ],
            "v2 100 %",
        ),
        (
            "not in a third namespace",
            vec![rule("a", "third", HOST, "v1")],
            "503 NC 100 %",
        ),
        (
            "last in the root namespace",
            vec![rule("a", "istio-system", HOST, "v1")],
            "v1 100 %",
        ),
        (
            "in the Service's namespace before the root",
            vec![
                rule("a", "istio-system", HOST, "v1=v2"),
                rule("b", "shop", HOST, "v1"),
            ],
            "v1 100 %",
        ),
        (
            "in every rule of the namespace",
            vec![rule("a", "shop", HOST, "v2"), rule("b", "shop", HOST, "v1")],
            "v1 100 %",
        ),
        (
            "of one name in the first rule",
            vec![rule("b", "shop", HOST, "v1=v2"), rule("a", "shop", HOST, "v1")],
            "v1 100 %",
        ),
        (
            "in a rule for a wildcard",
            vec![rule("a", "shop", "*.shop.svc.cluster.local", "v1")],
            "v1 100 %",
        ),
        (
            "in a rule for the name before a wildcard",
            vec![
                rule("a", "shop", "*.shop.svc.cluster.local", "v1=v2"),
                rule("b", "shop", HOST, "v1"),
            ],
            "v1 100 %",
        ),
        (
            "in the longer wildcard",
            vec![
                rule("a", "shop", "*.cluster.local", "v1=v2"),
                rule("b", "shop", "*.svc.cluster.local", "v1"),
            ],
            "v1 100 %",
        ),
        (
            "in a rule with a short host",
            vec![rule("a", "shop", "web", "v1")],
            "v1 100 %",
        ),
        (
            "in a rule exported to the caller",
            vec![subsets("a", "shop", HOST, &["v1"], "exportTo: [elsewhere],")],
            "v1 100 %",
        ),
        (
            "not in a rule kept in its namespace",
            vec![subsets("a", "shop", HOST, &["v1"], "exportTo: ['.'],")],
            "503 NC 100 %",
        ),
    ];
    all(rows.map(|(name, rules, expected)| (name, found(&rules), expected.to_owned())));
}

#[test]
fn the_virtual_service_that_takes_a_request() {
    let with =
        |name: &str, spec: &str, subset: &str| routes(name, &format!("{spec}, http: [{}]", rule("", subset)));
    let at_gateway = "web.example.com/ from elsewhere/somebody at the gateway shop/edge";
    asked(&[
        ("none: the Service alone", vec![], "/", "v1 50 %, v2 50 %"),
        (
            "a short host is completed",
            vec![with("a", "hosts: [web]", "v1")],
            "/",
            "v1 100 %",
        ),
        (
            "a short destination is completed with the route's namespace",
            vec![routes_in(
                "other",
                "a",
                &format!("hosts: [{HOST}], http: [{{route: [{{destination: {{host: web}}}}]}}]"),
            )],
            "/",
            "web.other.svc.cluster.local 100 %",
        ),
        (
            "a wildcard host",
            vec![with("a", "hosts: ['*.shop.svc.cluster.local']", "v1")],
            "/",
            "v1 100 %",
        ),
        (
            "a name before a wildcard",
            vec![
                with("a", "hosts: ['*.shop.svc.cluster.local']", "v2"),
                with("b", "hosts: [web]", "v1"),
            ],
            "/",
            "v1 100 %",
        ),
        (
            "the longer wildcard",
            vec![
                with("a", "hosts: ['*.cluster.local']", "v2"),
                with("b", "hosts: ['*.svc.cluster.local']", "v1"),
            ],
            "/",
            "v1 100 %",
        ),
        (
            "kept in its namespace",
            vec![with("a", "hosts: [web], exportTo: ['.']", "v1")],
            "/",
            "v1 50 %, v2 50 %",
        ),
        (
            "kept in its namespace, asked from there",
            vec![with("a", "hosts: [web], exportTo: ['.']", "v1")],
            "web.shop.svc.cluster.local/ from shop/somebody",
            "v1 100 %",
        ),
        (
            "exported to the caller's namespace",
            vec![with("a", "hosts: [web], exportTo: [partner]", "v1")],
            "web.shop.svc.cluster.local/ from partner/somebody",
            "v1 100 %",
        ),
        (
            "one for a gateway alone",
            vec![with("a", "hosts: [web], gateways: [edge]", "v1")],
            "/",
            "v1 50 %, v2 50 %",
        ),
        (
            "one for both",
            vec![with("a", "hosts: [web], gateways: [edge, mesh]", "v1")],
            "/",
            "v1 100 %",
        ),
        (
            "one at a gateway",
            vec![with("a", "hosts: [web.example.com], gateways: [edge]", "v1")],
            at_gateway,
            "v1 100 %",
        ),
        (
            "one for the mesh alone, at a gateway",
            vec![
                routes(
                    "a",
                    "hosts: [web.example.com], gateways: [edge], http: [{match: [{uri: {exact: /x}}], redirect: {}}]",
                ),
                with("b", "hosts: [web.example.com]", "v1"),
            ],
            at_gateway,
            "404 NR 100 %",
        ),
        (
            "callers without a proxy know no routes",
            vec![with("a", "hosts: [web]", "v1")],
            "web.shop.svc.cluster.local/ from outside the mesh",
            "v1 50 %, v2 50 %",
        ),
    ]);
}

#[test]
fn the_rule_that_takes_a_request() {
    let told_apart = |one: &str, other: &str| {
        vec![routes(
            "web",
            &format!("hosts: [web], http: [{}, {}]", rule(one, "v1"), rule(other, "v2")),
        )]
    };
    let two = |matched: &str| told_apart(matched, "");
    let host = HOST;
    let request = |what: &str| format!("{host}{what} from elsewhere/somebody");
    let rows: Vec<(&'static str, Vec<String>, String, &str)> = vec![
        (
            "the first that matches",
            vec![routes(
                "web",
                &format!("hosts: [web], http: [{}, {}]", rule("", "v1"), rule("", "v2")),
            )],
            request("/"),
            "v1 100 %",
        ),
        (
            "none",
            vec![routes(
                "web",
                &format!("hosts: [web], http: [{}]", rule("{uri: {exact: /a}}", "v1")),
            )],
            request("/"),
            "404 NR 100 %",
        ),
        ("exact uri", two("{uri: {exact: /a}}"), request("/a"), "v1 100 %"),
        (
            "exact uri, another",
            two("{uri: {exact: /a}}"),
            request("/"),
            "v2 100 %",
        ),
        (
            "uri prefix",
            [
                two("{uri: {prefix: /a}}"),
                vec![policy("shop", "rules: [{to: [{operation: {paths: [/abc]}}]}]")],
            ]
            .concat(),
            request("/abc"),
            "v1 100 %",
        ),
        (
            "uri regex",
            two("{uri: {regex: '/a.*'}}"),
            request("/ with uri like /a.*"),
            "v1 100 %",
        ),
        (
            "uri regex, another",
            two("{uri: {regex: '/a.*'}}"),
            request("/"),
            "v2 100 %",
        ),
        (
            "uri without regard to case",
            two("{uri: {exact: /Ab}, ignoreUriCase: true}"),
            request("/aB"),
            "v1 100 %",
        ),
        (
            "uri with regard to case",
            [
                two("{uri: {exact: /Ab}}"),
                vec![policy("shop", "rules: [{to: [{operation: {paths: [/aB]}}]}]")],
            ]
            .concat(),
            request("/aB"),
            "v2 100 %",
        ),
        (
            "method",
            two("{method: {exact: POST}}"),
            format!("POST {}", request("/")),
            "v1 100 %",
        ),
        (
            "method, another",
            two("{method: {exact: POST}}"),
            request("/"),
            "v2 100 %",
        ),
        (
            "header",
            two("{headers: {X-Canary: {exact: 'on'}}}"),
            request("/ with x-canary: on"),
            "v1 100 %",
        ),
        (
            "header, missing",
            two("{headers: {x-canary: {exact: 'on'}}}"),
            request("/"),
            "v2 100 %",
        ),
        (
            "header, present",
            two("{headers: {x-canary: {}}}"),
            request("/ with x-canary: any"),
            "v1 100 %",
        ),
        (
            "header regex",
            two("{headers: {cookie: {regex: '.*a.*'}}}"),
            request("/ with cookie like .*a.*"),
            "v1 100 %",
        ),
        (
            "header regex, another",
            told_apart(
                "{headers: {cookie: {regex: a}}}",
                "{headers: {cookie: {regex: b}}}",
            ),
            request("/ with cookie like b"),
            "v2 100 %",
        ),
        (
            "regex of another header",
            told_apart(
                "{headers: {cookie: {regex: a}}}",
                "{headers: {agent: {regex: a}}}",
            ),
            request("/ with agent like a"),
            "v2 100 %",
        ),
        (
            "without a header, missing",
            two("{withoutHeaders: {x-old: {exact: 'on'}}}"),
            request("/"),
            "v1 100 %",
        ),
        (
            "without a header, there",
            two("{withoutHeaders: {x-old: {exact: 'on'}}}"),
            request("/ with x-old: on"),
            "v2 100 %",
        ),
        (
            "authority",
            two(&format!("{{authority: {{exact: {host}}}}}")),
            request("/"),
            "v1 100 %",
        ),
        (
            "authority, another",
            two("{authority: {exact: other}}"),
            request("/"),
            "v2 100 %",
        ),
        ("port", two("{port: 80}"), request("/"), "v1 100 %"),
        ("port, another", two("{port: 81}"), request("/"), "v2 100 %"),
        (
            "namespace of the caller",
            two("{sourceNamespace: partner}"),
            format!("{host}/ from partner/somebody"),
            "v1 100 %",
        ),
        (
            "namespace of the caller, another",
            two("{sourceNamespace: partner}"),
            request("/"),
            "v2 100 %",
        ),
        (
            "gateways of a match",
            two("{gateways: [edge]}"),
            request("/"),
            "v2 100 %",
        ),
        (
            "gateways of a match, the mesh",
            two("{gateways: [mesh]}"),
            request("/"),
            "v1 100 %",
        ),
        (
            "what is not known",
            two("{queryParams: {a: {exact: b}}}"),
            request("/"),
            "v2 100 %",
        ),
        (
            "what is not known, fulfilled",
            two("{queryParams: {a: {exact: b}}}"),
            request("/ with queryParams like {\"a\":{\"exact\":\"b\"}}"),
            "v1 100 %",
        ),
        (
            "what is not known, another",
            vec![routes(
                "web",
                &format!(
                    "hosts: [web], http: [{}, {}]",
                    rule("{queryParams: {a: {exact: b}}}", "v1"),
                    rule("{queryParams: {a: {exact: c}}}", "v2")
                ),
            )],
            request("/ with queryParams like {\"a\":{\"exact\":\"c\"}}"),
            "v2 100 %",
        ),
        (
            "a redirect",
            vec![routes(
                "web",
                "hosts: [web], http: [{redirect: {redirectCode: 302}}]",
            )],
            request("/"),
            "redirect 302 100 %",
        ),
        (
            "a fixed response",
            vec![routes(
                "web",
                "hosts: [web], http: [{directResponse: {status: 503}}]",
            )],
            request("/"),
            "response 503 100 %",
        ),
    ];
    all(rows.into_iter().map(|(name, more, request, expected)| {
        (name, outcome(&base_and(&more), &request), expected.to_owned())
    }));
}

#[test]
fn weights_are_relative_and_nothing_takes_nothing() {
    let only = |weight: &str| {
        vec![routes(
            "web",
            &format!("hosts: [web], http: [{{route: [{{destination: {{host: web, subset: v1}}{weight}}}]}}]"),
        )]
    };
    let missing = |v1: u32, v3: u32| {
        let http = weighted(v1, v3).replace("v2", "v3");
        vec![routes("web", &format!("hosts: [web], http: [{http}]"))]
    };
    asked(&[
        ("a share of the total", vec![split(1, 3)], "/", "v1 25 %, v2 75 %"),
        (
            "a missing subset loses its share",
            missing(90, 10),
            "/",
            "v1 90 %, 503 NC 10 %",
        ),
        (
            "a missing subset of weight 0 loses nothing",
            missing(100, 0),
            "/",
            "v1 100 %",
        ),
        (
            "one destination of weight 0 gets everything",
            only(", weight: 0"),
            "/",
            "v1 100 %",
        ),
        (
            "one destination without weight gets everything",
            only(""),
            "/",
            "v1 100 %",
        ),
        (
            "all weights 0 are refused",
            vec![split(0, 0)],
            "/",
            "the API server refuses VirtualService/web 100 %",
        ),
    ]);
}

#[test]
fn services_ports_and_pods() {
    let scaled = |spec: &str, metadata: &str| {
        format!(
            "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{{metadata} name: v1}}\n\
             spec: {{{spec}, scaleTargetRef: {{name: v1}}}}"
        )
    };
    let versions = |service: &str| {
        vec![
            service.to_owned(),
            deployment("v1", "app: web, version: v1", ""),
            deployment("v2", "app: web, version: v2", ""),
            subsets("web", "shop", HOST, &["v1", "v2"], ""),
        ]
    };
    let with_ports = |ports: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{selector: {{app: web}}, ports: [{ports}]}}"
        )
    };
    let to_port = |port: u16| {
        routes(
            "web",
            &format!(
                "hosts: [web], http: [{{route: [{{destination: {{host: web, subset: v1, port: {{number: {port}}}}}}}]}}]"
            ),
        )
    };
    let plain = somebody(HOST, "/");
    let two_ports =
        with_ports("{name: http, port: 80, targetPort: 8080}, {name: http-b, port: 81, targetPort: 8080}");
    let rows: Vec<(&'static str, Vec<String>, String, &str)> = vec![
        (
            "a selector narrows a subset",
            [versions(&service("app: web, version: v1")), vec![to("v2")]].concat(),
            plain.clone(),
            "503 UH 100 %",
        ),
        (
            "a selector chooses",
            versions(&service("app: web, version: v1")),
            plain.clone(),
            "v1 100 %",
        ),
        (
            "pods of another namespace",
            vec![
                service("app: web"),
                deployment("v1", "app: web", "").replace("{name: v1}", "{name: v1, namespace: other}"),
            ],
            plain.clone(),
            "503 UH 100 %",
        ),
        (
            "no selector: not ours",
            vec![with_ports("{name: http, port: 80}").replace("selector: {app: web}, ", "")],
            plain.clone(),
            "web.shop.svc.cluster.local 100 %",
        ),
        (
            "a port that the Service has",
            [versions(&two_ports), vec![to_port(81)]].concat(),
            plain.clone(),
            "v1 100 %",
        ),
        (
            "a port that it does not have",
            [versions(&two_ports), vec![to_port(82)]].concat(),
            plain.clone(),
            "503 NC 100 %",
        ),
        (
            "the only port, where the route says none",
            [
                versions(&with_ports("{name: http, port: 8080}")),
                vec![routes(
                    "web",
                    &format!(
                        "hosts: [web.example.com], gateways: [edge], http: [{}]",
                        rule("", "v1")
                    ),
                )],
            ]
            .concat(),
            "web.example.com/ from elsewhere/somebody at the gateway shop/edge".to_owned(),
            "v1 100 %",
        ),
        (
            "a sidecar keeps the called port",
            [
                versions(&with_ports("{name: http, port: 8080}")),
                vec![routes(
                    "web",
                    &format!("hosts: [web.example.com], http: [{}]", rule("", "v1")),
                )],
            ]
            .concat(),
            "web.example.com/ from elsewhere/somebody".to_owned(),
            "503 NC 100 %",
        ),
        (
            "the called port, where there are several",
            [
                versions(&with_ports("{name: http, port: 8080}, {name: http-b, port: 81}")),
                vec![routes(
                    "web",
                    &format!(
                        "hosts: [web.example.com], gateways: [edge], http: [{}]",
                        rule("", "v1")
                    ),
                )],
            ]
            .concat(),
            "web.example.com/ from elsewhere/somebody at the gateway shop/edge".to_owned(),
            "503 NC 100 %",
        ),
        (
            "a target port by name",
            versions(&with_ports("{name: http, port: 80, targetPort: http}")),
            plain.clone(),
            "v1 50 %, v2 50 %",
        ),
        (
            "a target port by a name that no pod has",
            versions(&with_ports("{name: http, port: 80, targetPort: web}")),
            plain.clone(),
            "503 UH 100 %",
        ),
        (
            "no pods",
            vec![service("app: web")],
            plain.clone(),
            "503 UH 100 %",
        ),
        (
            "pods by their number",
            [versions(&service("app: web")), vec![]]
                .concat()
                .iter()
                .map(|o| o.replace("name: v1}\nspec: {replicas: 2", "name: v1}\nspec: {replicas: 6"))
                .collect(),
            plain.clone(),
            "v1 75 %, v2 25 %",
        ),
        (
            "an autoscaler's floor",
            [versions(&service("app: web")), vec![autoscaler("v1", 6)]].concat(),
            plain.clone(),
            "v1 75 %, v2 25 %",
        ),
        (
            "KEDA's floor",
            [
                versions(&service("app: web")),
                vec![scaled("minReplicaCount: 6", "")],
            ]
            .concat(),
            plain.clone(),
            "v1 75 %, v2 25 %",
        ),
        (
            "KEDA keeps a pod while there are requests",
            [
                versions(&service("app: web")),
                vec![scaled("minReplicaCount: 0", "")],
            ]
            .concat(),
            plain.clone(),
            "v1 33 %, v2 67 %",
        ),
        (
            "KEDA held at a number",
            [
                versions(&service("app: web")),
                vec![scaled(
                    "minReplicaCount: 1",
                    "annotations: {autoscaling.keda.sh/paused-replicas: '6'},",
                )],
            ]
            .concat(),
            plain.clone(),
            "v1 75 %, v2 25 %",
        ),
        (
            "an autoscaler does not wake what is scaled to nothing",
            [
                vec![
                    service("app: web"),
                    deployment("v1", "app: web", "").replace("replicas: 2", "replicas: 0"),
                ],
                vec![autoscaler("v1", 6)],
            ]
            .concat(),
            plain,
            "503 UH 100 %",
        ),
    ];
    all(rows
        .into_iter()
        .map(|(name, objects, request, expected)| (name, outcome(&objects, &request), expected.to_owned())));
}

const ADMITTED: &str = "v1 50 %, v2 50 %";
const REFUSED: &str = "403 RBAC 50 %, 403 RBAC 50 %";

#[test]
fn authorization_policies() {
    let from = |source: &str| format!("rules: [{{from: [{{source: {{{source}}}}}]}}]");
    let operation = |operation: &str| format!("rules: [{{to: [{{operation: {{{operation}}}}}]}}]");
    let when = |when: &str| format!("rules: [{{when: [{{{when}}}]}}]");
    let pay = "web.shop.svc.cluster.local/ from pay/api";
    let one = |spec: &str| vec![policy("shop", spec)];
    let deny = |spec: &str| vec![policy("shop", &format!("action: DENY, {spec}"))];
    let principal = "principals: [cluster.local/ns/pay/sa/api]";
    asked(&[
        ("no policy", vec![], "/", ADMITTED),
        ("no rules admit nobody", one("selector: {}"), "/", REFUSED),
        (
            "an empty rule admits everybody",
            one("rules: [{}]"),
            "/",
            ADMITTED,
        ),
        (
            "DENY without rules denies nobody",
            vec![policy("shop", "action: DENY")],
            "/",
            ADMITTED,
        ),
        (
            "DENY before ALLOW",
            vec![
                policy("shop", "rules: [{}]"),
                named_policy("deny", "shop", "action: DENY, rules: [{}]"),
            ],
            "/",
            REFUSED,
        ),
        (
            "AUDIT changes nothing",
            vec![policy("shop", "action: AUDIT, rules: [{}]")],
            "/",
            ADMITTED,
        ),
        (
            "one ALLOW of several is enough",
            vec![
                policy("shop", "selector: {}"),
                named_policy("other", "shop", "rules: [{}]"),
            ],
            "/",
            ADMITTED,
        ),
        (
            "a selector chooses pods",
            one("selector: {matchLabels: {version: v2}}"),
            "/",
            "v1 50 %, 403 RBAC 50 %",
        ),
        (
            "another namespace's policy",
            vec![policy("other", "selector: {}")],
            "/",
            ADMITTED,
        ),
        (
            "the root namespace's policy",
            vec![policy("istio-system", "selector: {}")],
            "/",
            REFUSED,
        ),
        (
            "a waypoint's or gateway's policy",
            one("targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: edge}]"),
            "/",
            ADMITTED,
        ),
        ("principal", one(&from(principal)), pay, ADMITTED),
        ("principal, another", one(&from(principal)), "/", REFUSED),
        (
            "principal by a prefix",
            one(&from("principals: ['cluster.local/ns/pay/*']")),
            "web.shop.svc.cluster.local/ from cluster.local/ns/pay/any",
            ADMITTED,
        ),
        (
            "principal by a suffix",
            one(&from("principals: ['*/sa/somebody']")),
            "/",
            ADMITTED,
        ),
        ("any principal", one(&from("principals: ['*']")), "/", ADMITTED),
        (
            "any principal, without identity",
            one(&from("principals: ['*']")),
            "web.shop.svc.cluster.local/ from outside the mesh",
            REFUSED,
        ),
        (
            "not a principal",
            deny(&from("notPrincipals: [cluster.local/ns/pay/sa/api]")),
            "/",
            REFUSED,
        ),
        (
            "not a principal, that one",
            deny(&from("notPrincipals: [cluster.local/ns/pay/sa/api]")),
            pay,
            ADMITTED,
        ),
        (
            "namespace",
            one(&from("namespaces: [pay]")),
            "web.shop.svc.cluster.local/ from pay/somebody",
            ADMITTED,
        ),
        (
            "namespace, another",
            one(&from("namespaces: [pay]")),
            "/",
            REFUSED,
        ),
        (
            "not a namespace",
            deny(&from("notNamespaces: [pay]")),
            "/",
            REFUSED,
        ),
        (
            "service account",
            one(&from("serviceAccounts: [pay/api]")),
            pay,
            ADMITTED,
        ),
        (
            "service account, another",
            one(&from("serviceAccounts: [pay/api]")),
            "/",
            REFUSED,
        ),
        (
            "service account of the policy's namespace",
            one(&from("serviceAccounts: [api]")),
            "web.shop.svc.cluster.local/ from shop/api",
            ADMITTED,
        ),
        (
            "several sources, any of them",
            one("rules: [{from: [{source: {namespaces: [x]}}, {source: {namespaces: [elsewhere]}}]}]"),
            "/",
            ADMITTED,
        ),
        (
            "several fields, all of them",
            one(&from(
                "namespaces: [elsewhere], principals: [cluster.local/ns/pay/sa/api]",
            )),
            "/",
            REFUSED,
        ),
        (
            "an empty list of sources is any",
            one("rules: [{from: []}]"),
            "/",
            ADMITTED,
        ),
        (
            "an empty list of operations is any",
            deny("rules: [{to: []}]"),
            "/",
            REFUSED,
        ),
        (
            "an empty field is any",
            one(&from("principals: [], namespaces: [elsewhere]")),
            "/",
            ADMITTED,
        ),
        ("path", one(&operation("paths: [/a]")), "/a", ADMITTED),
        ("path, another", one(&operation("paths: [/a]")), "/", REFUSED),
        (
            "path by a prefix",
            one(&operation("paths: ['/a/*']")),
            "/a/any",
            ADMITTED,
        ),
        ("not a path", deny(&operation("notPaths: [/a]")), "/", REFUSED),
        (
            "method",
            one(&operation("methods: [POST]")),
            "POST web.shop.svc.cluster.local/ from elsewhere/somebody",
            ADMITTED,
        ),
        (
            "method, another",
            one(&operation("methods: [POST]")),
            "/",
            REFUSED,
        ),
        (
            "host",
            one(&operation(&format!("hosts: [{HOST}]"))),
            "/",
            ADMITTED,
        ),
        ("host, another", one(&operation("hosts: [other]")), "/", REFUSED),
        (
            "the pods' port",
            one(&operation("ports: ['8080']")),
            "/",
            ADMITTED,
        ),
        (
            "the Service's port",
            one(&operation("ports: ['80']")),
            "/",
            REFUSED,
        ),
        ("not a port", deny(&operation("notPorts: ['9090']")), "/", REFUSED),
        (
            "when: the caller",
            one(&when("key: source.namespace, values: [pay]")),
            "web.shop.svc.cluster.local/ from pay/somebody",
            ADMITTED,
        ),
        (
            "when: the principal",
            one(&when(
                "key: source.principal, values: [cluster.local/ns/pay/sa/api]",
            )),
            pay,
            ADMITTED,
        ),
        (
            "when: another caller",
            one(&when("key: source.namespace, values: [pay]")),
            "/",
            REFUSED,
        ),
        (
            "when: not the caller",
            one(&when("key: source.namespace, notValues: [elsewhere]")),
            "/",
            REFUSED,
        ),
        (
            "when: the port",
            one(&when("key: destination.port, values: ['8080']")),
            "/",
            ADMITTED,
        ),
        (
            "when: a header that is missing",
            one(&when("key: 'request.headers[X-Key]', values: [a]")),
            "/",
            REFUSED,
        ),
        (
            "when: a header",
            one(&when("key: 'request.headers[X-Key]', values: [a]")),
            "web.shop.svc.cluster.local/ with when like {\"key\":\"request.headers[X-Key]\",\"values\":[\"a\"]} from elsewhere/somebody",
            ADMITTED,
        ),
        (
            "not known, not fulfilled: ALLOW",
            one(&from("requestPrincipals: ['*']")),
            "/",
            REFUSED,
        ),
        (
            "not known, fulfilled: ALLOW",
            one(&from("requestPrincipals: ['*']")),
            "web.shop.svc.cluster.local/ with requestPrincipals like [\"*\"] from elsewhere/somebody",
            ADMITTED,
        ),
        (
            "not known, not fulfilled: DENY",
            deny(&from("notRequestPrincipals: ['*']")),
            "/",
            ADMITTED,
        ),
        (
            "not known, fulfilled: DENY",
            deny(&from("notRequestPrincipals: ['*']")),
            "web.shop.svc.cluster.local/ with notRequestPrincipals like [\"*\"] from elsewhere/somebody",
            REFUSED,
        ),
    ]);
}

#[test]
fn mutual_tls() {
    const OUTSIDE: &str = "web.shop.svc.cluster.local/ from outside the mesh";
    const RESET: &str = "connection reset 50 %, connection reset 50 %";
    let shop = |name: &str, spec: &str| peer(name, "shop", spec);
    let strict = "mtls: {mode: STRICT}";
    let permissive = "mtls: {mode: PERMISSIVE}";
    asked(&[
        ("nothing said", vec![], OUTSIDE, ADMITTED),
        ("of the namespace", vec![shop("a", strict)], OUTSIDE, RESET),
        ("callers in the mesh", vec![shop("a", strict)], "/", ADMITTED),
        (
            "of the mesh",
            vec![peer("a", "istio-system", strict)],
            OUTSIDE,
            RESET,
        ),
        (
            "of another namespace",
            vec![peer("a", "other", strict)],
            OUTSIDE,
            ADMITTED,
        ),
        (
            "the namespace before the mesh",
            vec![peer("a", "istio-system", strict), shop("b", permissive)],
            OUTSIDE,
            ADMITTED,
        ),
        (
            "the pods before the namespace",
            vec![
                shop("a", strict),
                shop(
                    "b",
                    &format!("selector: {{matchLabels: {{version: v1}}}}, {permissive}"),
                ),
            ],
            OUTSIDE,
            "v1 50 %, connection reset 50 %",
        ),
        (
            "unset is inherited",
            vec![
                peer("a", "istio-system", strict),
                shop("b", "mtls: {mode: UNSET}"),
            ],
            OUTSIDE,
            RESET,
        ),
        (
            "of the port",
            vec![shop(
                "a",
                &format!(
                    "selector: {{matchLabels: {{app: web}}}}, {strict}, portLevelMtls: {{8080: {{mode: PERMISSIVE}}}}"
                ),
            )],
            OUTSIDE,
            ADMITTED,
        ),
        (
            "unset of the port is inherited",
            vec![shop(
                "a",
                &format!(
                    "selector: {{matchLabels: {{app: web}}}}, {strict}, portLevelMtls: {{8080: {{mode: UNSET}}}}"
                ),
            )],
            OUTSIDE,
            RESET,
        ),
        (
            "disabled, nobody has an identity",
            vec![
                shop("a", "mtls: {mode: DISABLE}"),
                policy("shop", "rules: [{from: [{source: {principals: ['*']}}]}]"),
            ],
            "/",
            REFUSED,
        ),
    ]);
}

#[test]
fn what_is_not_judged_is_said() {
    let said = |before: &[String], after: &[String]| {
        let proof = verdict(before, after, tidegate_core::prover::Question::default());
        let said: Vec<String> = proof
            .unjudged
            .iter()
            .map(|unjudged| unjudged.object.to_string())
            .collect();
        said.join(" ")
    };
    let object = |api: &str, kind: &str, spec: &str| {
        vec![format!(
            "apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{{spec}}}"
        )]
    };
    let istio = |kind: &str, spec: &str| object("networking.istio.io/v1", kind, spec);
    let ingress = |share: &str| {
        let spec = "defaultBackend: {service: {name: web, port: {number: 80}}}";
        let notes =
            format!("metadata: {{annotations: {{nginx.ingress.kubernetes.io/canary-weight: '{share}'}}, ");
        let mut object = object("networking.k8s.io/v1", "Ingress", spec);
        object[0] = object[0].replace("metadata: {", &notes);
        object
    };
    let noted = |note: &str| {
        let mut object = object("example.com/v1", "Split", "service: web");
        object[0] = object[0].replace(
            "metadata: {",
            &format!("metadata: {{annotations: {{note: {note}}}, "),
        );
        object
    };
    let tokens = |labels: &str| {
        let spec = format!("selector: {{matchLabels: {{{labels}}}}}, jwtRules: []");
        object("security.istio.io/v1", "RequestAuthentication", &spec)
    };
    let expressed = |key: &str| {
        let spec = format!("podSelector: {{matchExpressions: [{{key: {key}, operator: Exists}}]}}");
        object("networking.k8s.io/v1", "NetworkPolicy", &spec)
    };
    let with_rule = |more: &str| {
        vec![routes(
            "web",
            &format!("hosts: [web], http: [{{{more}route: [{{destination: {{host: web}}}}]}}]"),
        )]
    };
    let exported = |at: &str| {
        vec![service("app: web").replace("metadata: {", &format!("metadata: {{annotations: {{{at}}}, "))]
    };
    let rows: Vec<(&'static str, Vec<String>, Vec<String>, &str)> = vec![
        ("nothing", vec![], vec![], ""),
        (
            "CUSTOM",
            vec![],
            vec![policy("shop", "action: CUSTOM, rules: [{}]")],
            "AuthorizationPolicy/policy",
        ),
        (
            "targetRefs",
            vec![],
            vec![policy("shop", "targetRefs: [{kind: Service, name: web}]")],
            "AuthorizationPolicy/policy",
        ),
        (
            "EnvoyFilter for the pods",
            vec![],
            istio("EnvoyFilter", "workloadSelector: {labels: {app: web}}"),
            "EnvoyFilter/x",
        ),
        (
            "EnvoyFilter for other pods",
            vec![],
            istio("EnvoyFilter", "workloadSelector: {labels: {app: other}}"),
            "",
        ),
        (
            "EnvoyFilter for all pods",
            vec![],
            istio("EnvoyFilter", "configPatches: []"),
            "EnvoyFilter/x",
        ),
        (
            "Sidecar for all pods",
            vec![],
            istio("Sidecar", "egress: [{hosts: ['./*']}]"),
            "Sidecar/x",
        ),
        (
            "RequestAuthentication for all pods",
            vec![],
            object("security.istio.io/v1", "RequestAuthentication", "jwtRules: []"),
            "RequestAuthentication/x",
        ),
        (
            "ServiceEntry of a route's host",
            with_rule(""),
            [with_rule(""), istio("ServiceEntry", "hosts: [web]")].concat(),
            "ServiceEntry/x",
        ),
        (
            "Gateway of a route",
            vec![],
            [
                istio("Gateway", "servers: []"),
                vec![routes(
                    "r",
                    "hosts: [web.example.com], gateways: [x], http: [{redirect: {}}]",
                )],
            ]
            .concat(),
            "Gateway/x",
        ),
        (
            "foreign kind that names a Service",
            vec![],
            object("example.com/v1", "Split", "service: web"),
            "Split/x",
        ),
        (
            "foreign kind that does not",
            vec![],
            object("example.com/v1", "Split", "service: other"),
            "",
        ),
        (
            "NetworkPolicy",
            vec![],
            object(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "podSelector: {matchLabels: {app: web}}",
            ),
            "NetworkPolicy/x",
        ),
        (
            "NetworkPolicy by expressions",
            vec![],
            object(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "podSelector: {matchExpressions: [{key: app, operator: Exists}]}",
            ),
            "NetworkPolicy/x",
        ),
        (
            "fault",
            with_rule(""),
            with_rule("fault: {abort: {httpStatus: 500}}, "),
            "VirtualService/web",
        ),
        (
            "rewrite",
            with_rule(""),
            with_rule("rewrite: {uri: /b}, "),
            "VirtualService/web",
        ),
        (
            "mirror",
            with_rule(""),
            with_rule("mirror: {host: v2}, "),
            "VirtualService/web",
        ),
        (
            "fault that stays",
            with_rule("fault: {abort: {}}, "),
            with_rule("timeout: 1s, fault: {abort: {}}, "),
            "",
        ),
        (
            "delegate",
            vec![],
            vec![routes("part", "http: []")],
            "VirtualService/part",
        ),
        (
            "routes of other protocols",
            vec![],
            vec![routes("web", "hosts: [web], tcp: [{}]")],
            "VirtualService/web",
        ),
        (
            "two VirtualServices for one host",
            with_rule(""),
            [
                with_rule(""),
                vec![routes("z", "hosts: [web], http: [{redirect: {}}]")],
            ]
            .concat(),
            "VirtualService/z",
        ),
        (
            "TLS of a DestinationRule",
            vec![],
            vec![subsets(
                "x",
                "shop",
                "other",
                &[],
                "trafficPolicy: {tls: {mode: DISABLE}},",
            )],
            "DestinationRule/x",
        ),
        (
            "pods of a DestinationRule",
            vec![],
            vec![subsets("x", "shop", "other", &[], "workloadSelector: {},")],
            "DestinationRule/x",
        ),
        (
            "annotation of a Service",
            exported(""),
            exported("networking.istio.io/exportTo: '.'"),
            "Service/web",
        ),
        (
            "headless Service",
            vec![],
            object("v1", "Service", "clusterIP: None"),
            "Service/x",
        ),
        (
            "Service that is a name",
            vec![],
            object("v1", "Service", "externalName: a.example.com"),
            "Service/x",
        ),
        (
            "port of another protocol",
            vec![],
            object("v1", "Service", "ports: [{name: tcp-a, port: 1}]"),
            "Service/x",
        ),
        (
            "pods leave the mesh",
            vec![deployment("w", "app: w", "")],
            vec![deployment("w", "app: w, sidecar.istio.io/inject: 'false'", "")],
            "Deployment/w",
        ),
        (
            "an annotation of an Ingress",
            ingress("10"),
            ingress("50"),
            "Ingress/x",
        ),
        (
            "a note of a foreign kind that names a Service",
            noted("a"),
            noted("b"),
            "",
        ),
        (
            "CUSTOM that stays, by labels that pods lose",
            [
                vec![deployment("w", "app: w, asked: 'yes'", "")],
                vec![policy(
                    "shop",
                    "action: CUSTOM, selector: {matchLabels: {asked: 'yes'}}, rules: [{}]",
                )],
            ]
            .concat(),
            [
                vec![deployment("w", "app: w", "")],
                vec![policy(
                    "shop",
                    "action: CUSTOM, selector: {matchLabels: {asked: 'yes'}}, rules: [{}]",
                )],
            ]
            .concat(),
            "AuthorizationPolicy/policy",
        ),
        (
            "DENY that stays is judged",
            [
                vec![deployment("w", "app: w, asked: 'yes'", "")],
                vec![policy(
                    "shop",
                    "action: DENY, selector: {matchLabels: {asked: 'yes'}}, rules: [{}]",
                )],
            ]
            .concat(),
            [
                vec![deployment("w", "app: w", "")],
                vec![policy(
                    "shop",
                    "action: DENY, selector: {matchLabels: {asked: 'yes'}}, rules: [{}]",
                )],
            ]
            .concat(),
            "",
        ),
        (
            "RequestAuthentication that stays, by labels that pods get",
            [vec![deployment("w", "app: w", "")], tokens("asked: 'yes'")].concat(),
            [
                vec![deployment("w", "app: w, asked: 'yes'", "")],
                tokens("asked: 'yes'"),
            ]
            .concat(),
            "RequestAuthentication/x",
        ),
        (
            "RequestAuthentication that stays, by other labels",
            [vec![deployment("w", "app: w", "")], tokens("app: w")].concat(),
            [
                vec![deployment("w", "app: w, asked: 'yes'", "")],
                tokens("app: w"),
            ]
            .concat(),
            "",
        ),
        (
            "NetworkPolicy that stays, by an expression about a label that pods get",
            [vec![deployment("w", "app: w", "")], expressed("asked")].concat(),
            [
                vec![deployment("w", "app: w, asked: 'yes'", "")],
                expressed("asked"),
            ]
            .concat(),
            "NetworkPolicy/x",
        ),
        (
            "NetworkPolicy that stays, by an expression that holds before and after",
            [
                vec![deployment("w", "app: w, asked: 'no'", "")],
                expressed("asked"),
            ]
            .concat(),
            [
                vec![deployment("w", "app: w, asked: 'yes'", "")],
                expressed("asked"),
            ]
            .concat(),
            "",
        ),
        (
            "NetworkPolicy that stays, by an expression about another label",
            [vec![deployment("w", "app: w", "")], expressed("other")].concat(),
            [
                vec![deployment("w", "app: w, asked: 'yes'", "")],
                expressed("other"),
            ]
            .concat(),
            "",
        ),
        (
            "a host that no file describes",
            with_rule(""),
            vec![routes(
                "web",
                "hosts: [web], http: [{route: [{destination: {host: wbe}}]}]",
            )],
            "VirtualService/web",
        ),
        (
            "a host that no file describes, and that was called before",
            vec![routes(
                "web",
                "hosts: [web], http: [{route: [{destination: {host: wbe}}]}]",
            )],
            vec![routes(
                "web",
                "hosts: [web], http: [{timeout: 1s, route: [{destination: {host: wbe}}]}]",
            )],
            "",
        ),
        (
            "a Service loses its selector",
            vec![service("app: web")],
            vec![service("app: web").replace("selector: {app: web}, ", "")],
            "Service/web",
        ),
        (
            "a namespace leaves the mesh",
            vec![
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio-injection: enabled}}"
                    .to_owned(),
            ],
            vec!["apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}".to_owned()],
            "Namespace/shop",
        ),
    ];
    all(rows.into_iter().map(|(rule, before, after, expected)| {
        let both = |more: Vec<String>| match more
            .iter()
            .any(|object| object.contains("name: web}\nspec: {selector"))
        {
            true => [&base()[1..], &more].concat(),
            false => base_and(&more),
        };
        let (before, after) = match rule {
            "annotation of a Service" | "a Service loses its selector" => (
                [before, base()[1..].to_vec()].concat(),
                [after, base()[1..].to_vec()].concat(),
            ),
            _ => (both(before), both(after)),
        };
        (rule, said(&before, &after), expected.to_owned())
    }));
}
