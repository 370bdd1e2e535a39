//! The fewest commits that are each safe.

use tidegate_core::prover::{Order, Question, prove, repair};
use tidegate_core::provider::ProviderId;

use crate::world::*;

/// `Service/web + Deployment/v2 > VirtualService/web`, a commit after the other.
fn commits(before: &[String], after: &[String]) -> String {
    let (before, after) = (of(before), of(after));
    let question = Question::default();
    let proof = prove(ProviderId::Istio, &before, &after, question);
    match repair(ProviderId::Istio, &before, &after, question, &proof) {
        None => "none".to_owned(),
        Some(repair) => {
            let commit = |objects: &Vec<_>| {
                let mut names: Vec<String> = objects
                    .iter()
                    .map(|object: &tidegate_core::manifest::ObjectRef| object.to_string())
                    .collect();
                names.sort();
                names.join(" + ")
            };
            repair.commits.iter().map(commit).collect::<Vec<_>>().join(" > ")
        }
    }
}

#[test]
fn the_fewest_commits_that_are_each_safe() {
    let pods = &base()[..3];
    let narrow = |objects: &[String]| -> Vec<String> {
        objects
            .iter()
            .map(|object| object.replace("selector: {app: web}", "selector: {app: web, version: v1}"))
            .collect()
    };
    let rule = subsets("web", "shop", HOST, &["v1", "v2"], "");
    let to_v1 = split(100, 0);
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {a: b}".to_owned();
    let recreated = |version: &str| {
        vec![
            service("app: web"),
            deployment(
                "web",
                &format!("app: web, version: {version}"),
                "strategy: {type: Recreate},",
            ),
        ]
    };
    let narrow_pods = narrow(pods);
    let rows: Vec<(&'static str, String, &str)> = vec![
        (
            "a safe change needs none",
            commits(&base_and(&[split(100, 0)]), &base_and(&[split(50, 50)])),
            "none",
        ),
        (
            "a subset before its route",
            commits(
                &narrow_pods,
                &[&narrow_pods[..], &[rule.clone(), to_v1.clone()]].concat(),
            ),
            "DestinationRule/web > VirtualService/web",
        ),
        (
            "a route before its subset goes",
            commits(
                &[&narrow_pods[..], &[rule.clone(), to_v1.clone()]].concat(),
                &narrow_pods,
            ),
            "VirtualService/web > DestinationRule/web",
        ),
        (
            "what may go together does",
            commits(&narrow_pods, &[pods, &[rule.clone(), to_v1.clone()]].concat()),
            "DestinationRule/web + Service/web > VirtualService/web",
        ),
        (
            "what takes no part goes with the first",
            commits(
                &narrow_pods,
                &[&narrow_pods[..], &[rule, to_v1.clone(), config]].concat(),
            ),
            "ConfigMap/notes + DestinationRule/web > VirtualService/web",
        ),
        (
            "no order helps where the end fails",
            commits(&base(), &[&base()[..3], &[to_v1]].concat()),
            "none",
        ),
        (
            "no order helps where one object fails by itself",
            commits(&recreated("v1"), &recreated("v2")),
            "none",
        ),
    ];
    all(rows
        .into_iter()
        .map(|(rule, found, expected)| (rule, found, expected.to_owned())));
}

#[test]
fn a_workload_before_its_route_although_all_is_applied_when_it_fails() {
    let before = [
        &base()[..2],
        &base()[3..],
        &[routes(
            "web",
            &format!("hosts: [web], http: [{}]", rule("", "v1")),
        )],
    ]
    .concat();
    let after = base_and(&[routes(
        "web",
        &format!("hosts: [web], http: [{}]", rule("", "v2")),
    )]);
    let proof = prove(ProviderId::Istio, &of(&before), &of(&after), Question::default());
    assert!(
        proof.counter_examples.iter().all(|example| !example.is_end),
        "{proof:#?}"
    );
}

/// The waves that make one sync of Argo CD of a change that is not safe in its order: `VirtualService/a 1`.
fn waves(before: &[String], after: &[String]) -> String {
    let (before, after) = (of(before), of(after));
    let question = Question { order: Order::ArgoCd };
    let proof = prove(ProviderId::Istio, &before, &after, question);
    assert!(!proof.is_safe());
    let Some(repair) = repair(ProviderId::Istio, &before, &after, question, &proof) else {
        return "no repair".to_owned();
    };
    let Some(waves) = repair.waves else {
        return "none".to_owned();
    };
    let waves: Vec<String> = waves
        .iter()
        .map(|wave| format!("{} {}", wave.object, wave.wave))
        .collect();
    waves.join(", ")
}

#[test]
fn one_sync_of_argo_cd_where_waves_help() {
    let pods = &base()[..3];
    let to = |more: &[String]| [pods, more].concat();
    let rule = |name: &str| subsets(name, "shop", HOST, &["v1", "v2"], "");
    let route = |name: &str| routes(name, &format!("hosts: [web], http: [{}]", weighted(50, 50)));
    let plain = |name: &str| {
        routes(
            name,
            "hosts: [web], http: [{route: [{destination: {host: web}}]}]",
        )
    };
    let early = |object: &str| {
        object.replacen(
            "metadata: {",
            "metadata: {annotations: {argocd.argoproj.io/sync-wave: '-3'}, ",
            1,
        )
    };
    let rows: Vec<(&'static str, String, &str)> = vec![
        (
            "a route after its subset",
            waves(&to(&[]), &to(&[rule("b"), route("a")])),
            "VirtualService/a 1",
        ),
        (
            "a wave that is there already is moved",
            waves(&to(&[]), &to(&[rule("b"), early(&route("a"))])),
            "VirtualService/a 1",
        ),
        (
            "what is pruned keeps its wave, so the route goes before",
            waves(&to(&[rule("b"), route("b")]), &to(&[plain("b")])),
            "VirtualService/b -1",
        ),
        (
            "none where both are pruned, by the waves of the live objects",
            waves(&to(&[rule("b"), route("b")]), &to(&[])),
            "none",
        ),
        (
            "none where no order of commits helps",
            waves(&base(), &to(&[split(100, 0)])),
            "no repair",
        ),
    ];
    all(rows
        .into_iter()
        .map(|(rule, found, expected)| (rule, found, expected.to_owned())));
}

/// What Argo CD's own order makes safe needs no waves.
#[test]
fn no_waves_where_the_order_of_kinds_is_enough() {
    let pods = &base()[..3];
    let rule = subsets("a", "shop", HOST, &["v1", "v2"], "");
    let route = routes("b", &format!("hosts: [web], http: [{}]", weighted(50, 50)));
    let (before, after) = (of(pods), of(&[pods, &[rule, route]].concat()));
    let question = Question::default();
    let proof = prove(ProviderId::Istio, &before, &after, question);
    let repair = repair(ProviderId::Istio, &before, &after, question, &proof).expect("two commits");
    assert_eq!((repair.commits.len(), repair.waves), (2, None));
}
