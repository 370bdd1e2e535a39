//! What is not translated is said: an answer without it would be worth nothing.

use serde_json::{Value, json};

use super::case::{
    Case, authorization, case, destination_rule, named, outside, pod, routes, virtual_service, with, within,
};
use crate::translate::translate;

#[test]
fn what_could_change_the_answer_is_refused() {
    let istio = |kind: &str, spec: Value| named("networking.istio.io/v1", kind, "web", spec);
    let service = |spec: Value| named("v1", "Service", "web", spec);
    let route = |rule: Value| routes(json!([rule]));
    let destination = || json!([{"destination": {"host": "web"}}]);
    let two = |weight: u32| {
        let weighted = with(destination()[0].clone(), json!({"weight": weight}));
        json!({"route": [weighted, weighted]})
    };
    for (object, words) in [
        (
            istio("EnvoyFilter", json!({})),
            "EnvoyFilter \"web\" is not translated",
        ),
        (
            istio("ServiceEntry", json!({})),
            "ServiceEntry \"web\" is not translated",
        ),
        (
            named("gateway.networking.k8s.io/v1", "GRPCRoute", "web", json!({})),
            "GRPCRoute \"web\" is not translated",
        ),
        (
            named("extensions.istio.io/v1alpha1", "WasmPlugin", "web", json!({})),
            "WasmPlugin \"web\" is not translated",
        ),
        (
            service(json!({"type": "ExternalName"})),
            "ExternalName is not translated",
        ),
        (
            service(json!({"clusterIP": "None"})),
            "headless Services are not translated",
        ),
        (
            service(json!({"ports": [{"name": "tcp-db", "port": 80}]})),
            "a port that is not HTTP",
        ),
        (
            service(json!({"ports": [{"port": 80, "appProtocol": "tls"}]})),
            "a port that is not HTTP",
        ),
        (
            virtual_service("web", json!({"hosts": ["web"], "tcp": []})),
            "unknown field `tcp`",
        ),
        (
            route(json!({"fault": {}, "route": destination()})),
            "unknown field `fault`",
        ),
        (route(json!({"delegate": {}})), "unknown field `delegate`"),
        (
            route(json!({"route": []})),
            "without a destination is refused at admission",
        ),
        (route(two(0)), "weights of 0 in total are refused at admission"),
        (
            route(json!({"redirect": {"redirectCode": 418}})),
            "redirect code 418",
        ),
        (
            destination_rule("web", json!({"host": "web", "workloadSelector": {}})),
            "unknown field `workloadSelector`",
        ),
        (
            destination_rule(
                "web",
                json!({"host": "web", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}),
            ),
            "tls mode SIMPLE",
        ),
        (
            authorization("web", json!({"action": "CUSTOM"})),
            "unknown variant `CUSTOM`",
        ),
        (
            authorization("web", json!({"targetRefs": []})),
            "unknown field `targetRefs`",
        ),
        (
            authorization(
                "web",
                json!({"rules": [{"from": [{"source": {"ipBlocks": ["10.0.0.0/8"]}}]}]}),
            ),
            "unknown field `ipBlocks`",
        ),
        (
            authorization(
                "web",
                json!({"rules": [{"to": [{"operation": {"paths": ["/{*}"]}}]}]}),
            ),
            "path templates",
        ),
        (
            authorization(
                "web",
                json!({"rules": [{"when": [{"key": "request.auth.claims[a]"}]}]}),
            ),
            "request.auth.claims[a]",
        ),
        (
            within("front", istio("Sidecar", json!({}))),
            "Sidecar web applies",
        ),
        (istio("Sidecar", json!({"ingress": [{}]})), "Sidecar web applies"),
        (
            within("", istio("Gateway", json!({}))),
            "lacks its name or namespace",
        ),
    ] {
        let error = refusal(case("").object(object));
        assert!(
            error.as_ref().is_some_and(|error| error.contains(words)),
            "{error:?}, not {words}"
        );
    }
}

#[test]
fn a_sidecar_that_is_somebody_elses_does_not_matter() {
    let sidecar = |spec: Value| named("networking.istio.io/v1", "Sidecar", "web", spec);
    for (object, caller) in [
        (sidecar(json!({"egress": [{"hosts": ["./*"]}]})), json!({})),
        (
            within(
                "front",
                sidecar(json!({"workloadSelector": {"labels": {"app": "other"}}})),
            ),
            json!({}),
        ),
        (within("legacy", sidecar(json!({}))), json!({"caller": outside()})),
    ] {
        let case = case("").object(object).ask(caller, json!({}));
        assert_eq!(refusal(case), None);
    }
}

#[test]
fn pods_of_one_name_are_refused() {
    let case = case("").pods(vec![pod("a", "v1"), pod("a", "v2")]);
    assert_eq!(refusal(case).as_deref(), Some("two pods have one name"));
}

/// Why the one state of a case is not translated.
fn refusal(case: Case) -> Option<String> {
    let transition = case.ask(json!({}), json!({})).transition();
    let mut count = 0;
    let socket = || {
        count += 1;
        format!("{count}")
    };
    translate(&transition.states[0], "0", socket).err()
}
