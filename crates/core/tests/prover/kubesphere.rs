//! The orders that KubeSphere forbids: a Strategy before the pods that it is about, and after them.

use tidegate_core::provider::ProviderId;

use crate::backends::{Row, all, check};
use crate::world::deployment;

const LABELS: &str = "app: web, app.kubernetes.io/name: shop, app.kubernetes.io/version: v1";

fn service() -> [String; 1] {
    [format!(
        "apiVersion: v1\nkind: Service\n\
         metadata: {{name: web, labels: {{{LABELS}}}, annotations: {{servicemesh.kubesphere.io/enabled: 'true'}}}}\n\
         spec: {{selector: {{{LABELS}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}"
    )]
}

/// The pods of a version.
fn pods(version: &str) -> [String; 1] {
    [deployment(
        &format!("web-{version}"),
        &format!("{LABELS}, version: {version}"),
        "",
    )]
}

fn strategy_of(name: &str, policy: &str, more: &str, v1: u8, v2: u8) -> [String; 1] {
    let entry =
        |subset: &str, weight| format!("{{destination: {{host: web, subset: {subset}}}, weight: {weight}}}");
    [format!(
        "apiVersion: servicemesh.kubesphere.io/v1alpha2\nkind: Strategy\nmetadata: {{name: {name}, labels: {{{LABELS}}}}}\n\
         spec: {{type: Canary, principal: v1, strategyPolicy: {policy}, {more} \
         template: {{spec: {{hosts: [web], http: [{{route: [{}, {}]}}]}}}}}}",
        entry("v1", v1),
        entry("v2", v2)
    )]
}

fn strategy(v1: u8, v2: u8) -> [String; 1] {
    strategy_of("web", "WaitForWorkloadReady", "", v1, v2)
}

/// One user's requests to the new version, all others to the old.
fn chosen(policy: &str) -> [String; 1] {
    let [strategy] = strategy_of("web", policy, "", 100, 0);
    let rule = "{match: [{headers: {end-user: {exact: jason}}}], route: [{destination: {host: web, subset: v2}, weight: 100}]}, ";
    [strategy.replacen("http: [", &format!("http: [{rule}"), 1)]
}

#[test]
fn orders_that_kubesphere_forbids() {
    let (service, v1, v2) = (service(), pods("v1"), pods("v2"));
    let undefined = "no Strategy says which of the versions v1 and v2";
    check(
        ProviderId::Kubesphere,
        vec![
            Row {
                name: "the Strategy before the pods",
                before: all(&[&service, &v1]),
                after: all(&[&service, &v1, &strategy(100, 0)]),
                says: "",
            },
            Row {
                name: "pods that a Strategy waits for",
                before: all(&[&service, &v1, &strategy(100, 0)]),
                after: all(&[&service, &v1, &v2, &strategy(100, 0)]),
                says: "",
            },
            Row {
                name: "pods together with their Strategy",
                before: all(&[&service, &v1]),
                after: all(&[&service, &v1, &v2, &strategy(100, 0)]),
                says: undefined,
            },
            Row {
                name: "pods without a Strategy",
                before: all(&[&service, &v1]),
                after: all(&[&service, &v1, &v2]),
                says: undefined,
            },
            Row {
                name: "the Strategy goes while both versions are ready",
                before: all(&[&service, &v1, &v2, &strategy(100, 0)]),
                after: all(&[&service, &v1]),
                says: undefined,
            },
            Row {
                name: "the pods of the loser go before the Strategy",
                before: all(&[&service, &v1, &v2, &strategy(100, 0)]),
                after: all(&[&service, &v1, &strategy(100, 0)]),
                says: "",
            },
            Row {
                name: "a release that is paused is not frozen",
                before: all(&[&service, &v1, &v2, &strategy(90, 10)]),
                after: all(&[&service, &v1, &v2, &strategy_of("web", "Paused", "", 90, 10)]),
                says: undefined,
            },
            Row {
                name: "a share of a version without pods, where nothing waits for them",
                before: all(&[&service, &v1]),
                after: all(&[&service, &v1, &strategy_of("web", "Immediately", "", 50, 50)]),
                says: "503 NC: no pod of version v2 is ready",
            },
            Row {
                name: "pods that go while they have a share, where nothing waits for them",
                before: all(&[&service, &v1, &v2, &strategy_of("web", "Immediately", "", 50, 50)]),
                after: all(&[&service, &v1, &strategy_of("web", "Immediately", "", 100, 0)]),
                says: "503 NC: no pod of version v2 is ready",
            },
            Row {
                name: "pods that go while they have a share move it to the others",
                before: all(&[&service, &v1, &v2, &strategy(50, 50)]),
                after: all(&[&service, &v1, &strategy(50, 50)]),
                says: "",
            },
            Row {
                name: "chosen requests while others stay",
                before: all(&[&service, &v1, &v2, &strategy(100, 0)]),
                after: all(&[&service, &v1, &v2, &chosen("WaitForWorkloadReady")]),
                says: "",
            },
            Row {
                name: "chosen requests wait for pods as well",
                before: all(&[&service, &v1]),
                after: all(&[&service, &v1, &chosen("WaitForWorkloadReady")]),
                says: "",
            },
            Row {
                name: "chosen requests before there are pods, where nothing waits for them",
                before: all(&[&service, &v1]),
                after: all(&[&service, &v1, &chosen("Immediately")]),
                says: "503 NC: no pod of version v2 is ready",
            },
            Row {
                name: "a governor takes everything",
                before: all(&[&service, &v1, &v2, &strategy(50, 50)]),
                after: all(&[
                    &service,
                    &v1,
                    &v2,
                    &strategy_of("web", "WaitForWorkloadReady", "governor: v2,", 50, 50),
                ]),
                says: "",
            },
            Row {
                name: "a governor that no pod has",
                before: all(&[&service, &v1, &v2, &strategy(50, 50)]),
                after: all(&[
                    &service,
                    &v1,
                    &v2,
                    &strategy_of("web", "WaitForWorkloadReady", "governor: v3,", 50, 50),
                ]),
                says: "503 NC: no pod of version v3 is ready",
            },
            Row {
                name: "two Strategies for one Service",
                before: all(&[&service, &v1, &v2, &strategy(100, 0)]),
                after: all(&[
                    &service,
                    &v1,
                    &v2,
                    &strategy(100, 0),
                    &strategy_of("other", "Immediately", "", 0, 100),
                ]),
                says: "with two Strategies for one Service",
            },
        ],
    );
}
