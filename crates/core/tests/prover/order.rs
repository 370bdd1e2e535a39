//! The order of one sync of Argo CD: what it makes safe, and what it does not.

use tidegate_core::prover::{Order, Question};

use crate::world::*;

fn is_safe(before: &[String], after: &[String], order: Order) -> bool {
    verdict(before, after, Question { order }).is_safe()
}

/// The annotations of an object.
fn annotated(object: &str, annotations: &str) -> String {
    object.replacen(
        "metadata: {",
        &format!("metadata: {{annotations: {{{annotations}}}, "),
        1,
    )
}

fn wave(object: &str, wave: i32) -> String {
    annotated(object, &format!("argocd.argoproj.io/sync-wave: '{wave}'"))
}

#[test]
fn what_the_order_of_one_sync_makes_safe() {
    let rule = |name: &str| subsets(name, "shop", HOST, &["v1", "v2"], "");
    let route = |name: &str| routes(name, &format!("hosts: [web], http: [{}]", weighted(50, 50)));
    let pods = &base()[..3];
    let to = |more: &[String]| [pods, more].concat();
    let v2 = || deployment("v2", "app: web, version: v2", "");
    let to_v2 = || {
        routes(
            "web",
            "hosts: [web], http: [{route: [{destination: {host: z2}}]}]",
        )
    };
    // A name that comes after the route's: the kind decides.
    let own = || service("app: web, version: v2").replace("name: web}", "name: z2}");
    let one = |more: &[String]| {
        [
            &[
                service("app: web, version: v1"),
                deployment("v1", "app: web, version: v1", ""),
            ],
            more,
        ]
        .concat()
    };
    let notes = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}".to_owned();
    let last = "argocd.argoproj.io/sync-options: 'Prune=true, PruneLast=true'";
    let rows: Vec<(&'static str, Vec<String>, Vec<String>, bool)> = vec![
        ("by name", to(&[]), to(&[rule("a"), route("b")]), true),
        (
            "by name, the other way",
            to(&[]),
            to(&[rule("b"), route("a")]),
            false,
        ),
        (
            "equal names of different kinds",
            to(&[]),
            to(&[rule("a"), route("a")]),
            false,
        ),
        ("by waves", to(&[]), to(&[wave(&rule("b"), -1), route("a")]), true),
        (
            "a wave that is no number is 0",
            to(&[]),
            to(&[
                annotated(&rule("b"), "argocd.argoproj.io/sync-wave: first"),
                wave(&route("a"), 1),
            ]),
            true,
        ),
        (
            "named kinds come first, and before their pods are ready",
            one(&[]),
            one(&[own(), v2(), to_v2()]),
            false,
        ),
        (
            "a wave waits until pods are ready",
            one(&[]),
            one(&[own(), v2(), wave(&to_v2(), 1)]),
            true,
        ),
        (
            "a kind before a kind",
            one(&[v2()]),
            one(&[v2(), own(), to_v2()]),
            true,
        ),
        (
            "prunes come first, whatever their names",
            to(&[rule("b"), route("a")]),
            to(&[routes(
                "a",
                "hosts: [web], http: [{route: [{destination: {host: web}}]}]",
            )]),
            false,
        ),
        (
            "prunes run the waves backwards",
            to(&[rule("a"), route("b"), wave(&notes, 5)]),
            to(&[routes(
                "b",
                "hosts: [web], http: [{route: [{destination: {host: web}}]}]",
            )]),
            true,
        ),
        (
            "what is not pruned stays",
            to(&[route("a"), rule("b")]),
            to(&[]),
            false,
        ),
        (
            "PruneLast of the live object",
            to(&[annotated(&rule("a"), last), route("b")]),
            to(&[routes(
                "b",
                "hosts: [web], http: [{route: [{destination: {host: web}}]}]",
            )]),
            true,
        ),
        (
            "no PruneLast",
            to(&[rule("a"), route("b")]),
            to(&[routes(
                "b",
                "hosts: [web], http: [{route: [{destination: {host: web}}]}]",
            )]),
            false,
        ),
        (
            "neighbours of one kind are sent together",
            to(&[
                subsets("a", "shop", HOST, &["v1"], ""),
                subsets("b", "shop", HOST, &["v2"], ""),
                route("web"),
            ]),
            to(&[
                subsets("a", "shop", HOST, &["v1", "v2"], ""),
                subsets("b", "shop", HOST, &[], ""),
                route("web"),
            ]),
            false,
        ),
    ];
    for (rule, before, after, expected) in rows {
        let proof = verdict(&before, &after, Question { order: Order::ArgoCd });
        assert_eq!(proof.is_safe(), expected, "{rule}: {:#?}", proof.counter_examples);
    }
}

#[test]
fn any_order_is_stricter() {
    let after = base_and(&[split(50, 50)]);
    assert!(!is_safe(&base()[..3], &after, Order::Any));
}
