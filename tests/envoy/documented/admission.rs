//! AuthorizationPolicies, PeerAuthentications, callers without a sidecar.

use serde_json::{Value, json};

use super::case::{
    Case, HOST, authorization, caller, case, destination_rule, outside, peer_authentication, pod, policy,
    routes, rule, weighted, with, within,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = evaluation();
    cases.extend(sources());
    cases.extend(operations());
    cases.extend(transport());
    cases
}

fn from(source: Value) -> Value {
    json!([{"from": [{"source": source}]}])
}

fn both() -> Value {
    json!({"stable": 0.5, "canary": 0.5})
}

fn stable_only() -> Value {
    json!({"stable": 0.5, "403 RBAC": 0.5})
}

fn nobody() -> Value {
    json!({"403 RBAC": 1})
}

const CLIENT: &str = "cluster.local/ns/front/sa/client";

/// Istio, AuthorizationPolicy: DENY before ALLOW; without ALLOW everybody, with one only whom some rule matches.
fn evaluation() -> Vec<Case> {
    let client = || from(json!({"principals": [CLIENT]}));
    let other = || from(json!({"principals": ["cluster.local/ns/else/sa/x"]}));
    let closed = |pod| {
        with(
            pod,
            json!({"labels": {"app": "web", "version": "v2", "closed": "yes"}}),
        )
    };
    vec![
        case("a caller that one version does not admit fails that version's share")
            .object(policy("one", "v1", "ALLOW", client()))
            .object(policy("two", "v2", "ALLOW", other()))
            .ask(json!({}), stable_only())
            .ask(
                json!({"caller": caller("else", "x")}),
                json!({"canary": 0.5, "403 RBAC": 0.5}),
            ),
        case("the first policy turns everybody into the listed")
            .object(policy("two", "v2", "ALLOW", other()))
            .ask(json!({}), stable_only()),
        case("further policies add callers")
            .object(policy("two", "v2", "ALLOW", other()))
            .object(policy("three", "v2", "ALLOW", client()))
            .ask(json!({}), both()),
        case("the weight decides how many are refused")
            .object(routes(
                json!([{"route": [weighted("v1", 95), weighted("v2", 5)]}]),
            ))
            .object(rule(&["v1", "v2"]))
            .object(policy("two", "v2", "ALLOW", other()))
            .ask(json!({}), json!({"stable": 0.95, "403 RBAC": 0.05})),
        case("pods of one subset take turns, refused or not")
            .object(routes(json!([{"route": [weighted("v1", 1), weighted("v2", 1)]}])))
            .object(rule(&["v1", "v2"]))
            .pods(vec![
                pod("a", "v1"),
                pod("b", "v2"),
                pod("c", "v2"),
                closed(pod("d", "v2")),
            ])
            .object(authorization(
                "closed",
                json!({"selector": {"matchLabels": {"closed": "yes"}}}),
            ))
            .ask(
                json!({}),
                json!({"stable": 0.5, "canary": 1.0 / 3.0, "403 RBAC": 1.0 / 6.0}),
            ),
        case("no rules admit nobody")
            .object(policy("two", "v2", "ALLOW", json!([])))
            .ask(json!({}), stable_only()),
        case("an empty rule admits everybody")
            .object(policy("two", "v2", "ALLOW", json!([{}])))
            .ask(json!({}), both()),
        case("an empty spec admits nobody in its namespace")
            .object(authorization("none", json!({})))
            .ask(json!({}), nobody()),
        case("a denial wins")
            .object(policy("one", "v2", "ALLOW", client()))
            .object(policy("two", "v2", "DENY", client()))
            .ask(json!({}), stable_only()),
        case("a denial of others changes nothing")
            .object(policy("two", "v2", "DENY", other()))
            .ask(json!({}), both()),
        case("audits change nothing")
            .object(policy("two", "v2", "AUDIT", client()))
            .ask(json!({}), both()),
        case("a policy of another namespace does not count")
            .object(within("other", policy("two", "v2", "ALLOW", other())))
            .ask(json!({}), both()),
        case("a policy of the root namespace counts everywhere")
            .object(within("istio-system", policy("two", "v2", "ALLOW", other())))
            .ask(json!({}), stable_only()),
    ]
}

/// Istio, AuthorizationPolicy `source`: exact, prefix, suffix, presence; fields together; the not-fields.
fn sources() -> Vec<Case> {
    let admit = |source: Value| case("sources").object(policy("two", "v2", "ALLOW", from(source)));
    let admitted = |source: Value| admit(source).ask(json!({}), both());
    let refused = |source: Value| admit(source).ask(json!({}), stable_only());
    vec![
        admitted(json!({"principals": ["cluster.local/ns/front/*"]})),
        refused(json!({"principals": ["cluster.local/ns/fro/*"]})),
        admitted(json!({"principals": ["*/sa/client"]})),
        refused(json!({"principals": ["*/sa/clien"]})),
        admitted(json!({"principals": ["*"]})).ask(json!({"caller": outside()}), stable_only()),
        refused(json!({"principals": ["spiffe://cluster.local/ns/front/sa/client"]})),
        admitted(json!({"namespaces": ["front"]})).ask(json!({"caller": outside()}), stable_only()),
        refused(json!({"namespaces": ["fron"]})),
        admitted(json!({"namespaces": ["fr*"]})),
        refused(json!({"notNamespaces": ["front"]})).ask(json!({"caller": outside()}), both()),
        refused(json!({"notPrincipals": [CLIENT]})).ask(json!({"caller": caller("front", "x")}), both()),
        refused(json!({"notPrincipals": ["*"]})).ask(json!({"caller": outside()}), both()),
        refused(json!({"namespaces": ["front"], "notPrincipals": [CLIENT]}))
            .ask(json!({"caller": caller("front", "x")}), both())
            .ask(json!({"caller": caller("else", "x")}), stable_only()),
        admitted(json!({"serviceAccounts": ["front/client"]})),
        refused(json!({"serviceAccounts": ["client"]}))
            .ask(json!({"caller": caller("shop", "client")}), both()),
    ]
}

/// Istio, AuthorizationPolicy `operation` and `when`; Istio, VirtualService `rewrite`: what the pod sees is judged.
fn operations() -> Vec<Case> {
    let deny = |rules: Value| case("operations").object(policy("two", "v2", "DENY", rules));
    let to = |operation: Value| json!([{"to": [{"operation": operation}]}]);
    let when = |condition: Value| json!([{"when": [condition]}]);
    vec![
        deny(to(json!({"paths": ["/debug", "/debug/*"]})))
            .ask(json!({"path": "/debug?x=1"}), stable_only())
            .ask(json!({"path": "/debug/vars"}), stable_only())
            .ask(json!({"path": "/debugger"}), both()),
        deny(to(json!({"notPaths": ["/open", "*.css"]})))
            .ask(json!({"path": "/open"}), both())
            .ask(json!({"path": "/a.css"}), both())
            .ask(json!({"path": "/else"}), stable_only()),
        deny(to(json!({"methods": ["POST"], "paths": ["/bulk"]})))
            .ask(json!({"method": "POST", "path": "/bulk"}), stable_only())
            .ask(json!({"path": "/bulk"}), both()),
        deny(to(json!({"notMethods": ["GET"]})))
            .ask(json!({"method": "POST"}), stable_only())
            .ask(json!({}), both()),
        deny(to(json!({"hosts": ["WEB.shop*"]})))
            .ask(json!({}), stable_only())
            .ask(json!({"host": "web.shop"}), stable_only()),
        deny(to(json!({"ports": ["8080"]}))).ask(json!({}), stable_only()),
        deny(to(json!({"ports": ["80"]}))).ask(json!({}), both()),
        deny(to(json!({"notPorts": ["8080"]}))).ask(json!({}), both()),
        deny(when(
            json!({"key": "request.headers[x-a]", "values": ["1", "2*"]}),
        ))
        .ask(json!({"headers": {"x-a": "1"}}), stable_only())
        .ask(json!({"headers": {"x-a": "25"}}), stable_only())
        .ask(json!({"headers": {"x-a": "3"}}), both())
        .ask(json!({}), both()),
        deny(when(json!({"key": "source.namespace", "notValues": ["front"]})))
            .ask(json!({}), both())
            .ask(json!({"caller": caller("else", "x")}), stable_only()),
        deny(when(json!({"key": "source.principal", "values": [CLIENT]}))).ask(json!({}), stable_only()),
        deny(when(json!({"key": "destination.port", "values": ["8080"]}))).ask(json!({}), stable_only()),
        deny(to(json!({"paths": ["/debug/vars"]})))
            .object(routes(json!([{
                "match": [{"uri": {"prefix": "/open/"}}],
                "rewrite": {"uri": "/debug/"},
                "route": [{"destination": {"host": HOST}}],
            }])))
            .ask(json!({"path": "/open/vars"}), stable_only())
            .ask(json!({"path": "/open/else"}), both()),
        deny(to(json!({"hosts": ["internal"]})))
            .object(routes(
                json!([{"rewrite": {"authority": "internal"}, "route": [{"destination": {"host": HOST}}]}]),
            ))
            .ask(json!({}), stable_only()),
        deny(when(json!({"key": "request.headers[x-set]", "values": ["1"]})))
            .object(routes(json!([{
                "headers": {"request": {"set": {"x-set": "1"}}},
                "route": [{"destination": {"host": HOST}}],
            }])))
            .ask(json!({}), stable_only()),
    ]
}

/// Istio, PeerAuthentication and DestinationRule `trafficPolicy.tls`; what a caller without a sidecar meets.
fn transport() -> Vec<Case> {
    let strict = || json!({"mtls": {"mode": "STRICT"}});
    let selected = |spec: Value| with(spec, json!({"selector": {"matchLabels": {"version": "v2"}}}));
    let refused = || json!({"stable": 0.5, "503 UC": 0.5});
    let plain = || json!({"caller": outside()});
    let disabled = || {
        destination_rule(
            "web",
            json!({"host": HOST, "trafficPolicy": {"tls": {"mode": "DISABLE"}}}),
        )
    };
    vec![
        case("a caller without a sidecar is let in unless something is strict").ask(plain(), both()),
        case("a caller without a sidecar is nobody")
            .object(policy("two", "v2", "ALLOW", from(json!({"principals": [CLIENT]}))))
            .ask(plain(), stable_only()),
        case("a caller without a sidecar knows neither weights nor subsets")
            .object(routes(json!([{"route": [weighted("v1", 100), weighted("v2", 0)]}])))
            .pods(vec![pod("a", "v1"), pod("b", "v1"), pod("c", "v1"), pod("d", "v2")])
            .ask(plain(), json!({"stable": 0.75, "canary": 0.25}))
            .ask(with(plain(), json!({"host": "shop.example.com"})), json!({"404 NR": 1})),
        case("a strict namespace refuses plain text")
            .object(peer_authentication("all", strict()))
            .ask(plain(), json!({"503 UC": 1}))
            .ask(json!({}), both()),
        case("a strict mesh refuses plain text")
            .object(within("istio-system", peer_authentication("all", strict())))
            .ask(plain(), json!({"503 UC": 1})),
        case("strict for some pods")
            .object(peer_authentication("two", selected(strict())))
            .ask(plain(), refused())
            .ask(json!({}), both()),
        case("some pods may be more open than their namespace")
            .object(peer_authentication("all", strict()))
            .object(peer_authentication("one", json!({
                "selector": {"matchLabels": {"version": "v1"}}, "mtls": {"mode": "PERMISSIVE"},
            })))
            .ask(plain(), refused()),
        case("a mode that is unset is that of the namespace")
            .object(peer_authentication("all", strict()))
            .object(peer_authentication("one", json!({"selector": {"matchLabels": {"version": "v1"}}})))
            .ask(plain(), json!({"503 UC": 1})),
        case("a port may differ")
            .object(peer_authentication("two", selected(json!({"portLevelMtls": {"8080": {"mode": "STRICT"}}}))))
            .ask(plain(), refused()),
        case("a client whose rule turns mutual TLS off has no identity")
            .object(disabled())
            .object(policy("two", "v2", "ALLOW", from(json!({"principals": [CLIENT]}))))
            .ask(json!({}), stable_only()),
        case("a client whose rule turns mutual TLS off is refused where it is asked for")
            .object(disabled())
            .object(peer_authentication("two", selected(strict())))
            .ask(json!({}), refused()),
        case("of several rules the first policy stays")
            .object(disabled())
            .object(destination_rule("web2", json!({"host": HOST, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}})))
            .object(peer_authentication("two", selected(strict())))
            .ask(json!({}), refused()),
        case("a rule may turn mutual TLS off for one port or subset")
            .object(routes(json!([{"route": [weighted("v1", 1), weighted("v2", 1)]}])))
            .object(destination_rule("web", json!({
                "host": HOST,
                "trafficPolicy": {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "ISTIO_MUTUAL"}}]},
                "subsets": [
                    {"name": "v1", "labels": {"version": "v1"}},
                    {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"tls": {"mode": "DISABLE"}}},
                ],
            })))
            .object(peer_authentication("all", strict()))
            .ask(json!({}), refused()),
        case("where pods turn mutual TLS off, clients do not use it")
            .object(peer_authentication("two", selected(json!({"mtls": {"mode": "DISABLE"}}))))
            .object(policy("two", "v2", "ALLOW", from(json!({"principals": [CLIENT]}))))
            .ask(json!({}), stable_only()),
        case("nobody can claim to be somebody else")
            .object(policy("two", "v2", "ALLOW", from(json!({"principals": [CLIENT]}))))
            .ask(json!({"headers": {"x-principal": format!("spiffe://{CLIENT}")}, "caller": outside()}), stable_only())
            .ask(json!({"headers": {"x-principal": format!("spiffe://{CLIENT}")}, "caller": caller("else", "x")}), stable_only()),
    ]
}
