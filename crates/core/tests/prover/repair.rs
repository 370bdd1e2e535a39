//! The fewest commits that are each safe.

use tidegate_core::prover::{Order, Question, prove, repair};
use tidegate_core::provider::ProviderId;

use crate::world::*;

/// `Service/web + Deployment/v2 > VirtualService/web`, a commit after the other.
fn commits(before: &[String], after: &[String]) -> String {
    commits_in(Order::Any, before, after)
}

fn commits_in(order: Order, before: &[String], after: &[String]) -> String {
    let (before, after) = (of(before), of(after));
    let question = Question { order };
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

/// A VirtualService that takes a host of its own at a gateway to all of `web`, or with `, subset: v1` to a part.
fn at_gateway(name: &str, subset: &str) -> String {
    let route = format!("{{destination: {{host: web{subset}}}}}");
    routes(
        name,
        &format!("gateways: [edge], hosts: [{name}.example.com], http: [{{route: [{route}]}}]"),
    )
}

/// With the Service for the version `v1` alone.
fn narrow(objects: &[String]) -> Vec<String> {
    objects
        .iter()
        .map(|object| object.replace("selector: {app: web}", "selector: {app: web, version: v1}"))
        .collect()
}

#[test]
fn the_fewest_commits_that_are_each_safe() {
    let pods = &base()[..3];
    let both = subsets("web", "shop", HOST, &["v1", "v2"], "");
    let to_v1 = split(100, 0);
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {a: b}".to_owned();
    let narrow_pods = narrow(pods);
    let labelled = [narrow_pods[0].replace("{name: web}", "{name: web, labels: {team: a}}")];
    // Ten VirtualServices that need one DestinationRule.
    let many = |subset: &str| -> Vec<String> {
        (0..10)
            .map(|index| at_gateway(&format!("edge{index}"), subset))
            .collect()
    };
    // Who has which host at the gateway.
    let hosts = |name: &str, hosts: &str| {
        routes(
            name,
            &format!("gateways: [edge], hosts: [{hosts}], http: [{}]", rule("", "v1")),
        )
    };
    // The version that most requests go to has one pod of twenty.
    let scaled = |replicas: u32, weights: (u32, u32)| {
        let (v1, v2) = weights;
        let objects = base_and(&[split(v1, v2)]);
        let twenty = |(place, object): (usize, String)| match place {
            1 => object.replace("replicas: 2", &format!("replicas: {replicas}")),
            _ => object.replace("replicas: 2", "replicas: 20"),
        };
        objects.into_iter().enumerate().map(twenty).collect::<Vec<_>>()
    };
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
                &[&narrow_pods[..], &[both.clone(), to_v1.clone()]].concat(),
            ),
            "DestinationRule/web > VirtualService/web",
        ),
        (
            "a route before its subset goes",
            commits(
                &[&narrow_pods[..], &[both.clone(), to_v1.clone()]].concat(),
                &narrow_pods,
            ),
            "VirtualService/web > DestinationRule/web",
        ),
        (
            "what may go together does",
            commits(
                &[pods, &[at_gateway("edge", "")]].concat(),
                &[
                    pods,
                    &[both.clone(), to_v1.clone(), at_gateway("edge", ", subset: v1")],
                ]
                .concat(),
            ),
            "DestinationRule/web > VirtualService/edge + VirtualService/web",
        ),
        (
            "what would need too many tries is not said to be safe",
            commits(
                &[pods, &many("")[..]].concat(),
                &[pods, std::slice::from_ref(&both), &many(", subset: v1")[..]].concat(),
            ),
            "none",
        ),
        (
            "the first commit does what it may",
            commits(
                &narrow_pods,
                &[&labelled[..], &narrow_pods[1..], &[both.clone(), to_v1.clone()]].concat(),
            ),
            "DestinationRule/web + Service/web > VirtualService/web",
        ),
        (
            "nobody is exposed in between",
            commits(&narrow_pods, &[pods, &[both.clone(), to_v1.clone()]].concat()),
            "DestinationRule/web > VirtualService/web > Service/web",
        ),
        (
            "what takes no part goes with the first",
            commits(
                &narrow_pods,
                &[&narrow_pods[..], &[both, to_v1.clone(), config]].concat(),
            ),
            "ConfigMap/notes + DestinationRule/web > VirtualService/web",
        ),
        (
            "no order helps where the end fails",
            commits(&base(), &[&base()[..3], &[to_v1]].concat()),
            "none",
        ),
        (
            "a failing end is not cut into commits that each seem fine",
            commits(&scaled(20, (100, 0)), &scaled(1, (90, 10))),
            "none",
        ),
        (
            "no order helps where one object fails by itself",
            commits(&recreated("v1"), &recreated("v2")),
            "none",
        ),
        (
            "nothing is withdrawn in between that is served in the end",
            commits(
                &base_and(&[
                    hosts("a", "h.example.com"),
                    hosts("b", "g.example.com"),
                    hosts("c", "c.example.com"),
                ]),
                &base_and(&[
                    hosts("a", "a.example.com"),
                    hosts("b", "h.example.com"),
                    hosts("c", "g.example.com"),
                ]),
            ),
            "VirtualService/c > VirtualService/b > VirtualService/a",
        ),
    ];
    all(rows
        .into_iter()
        .map(|(rule, found, expected)| (rule, found, expected.to_owned())));
}

#[test]
fn the_commits_that_the_order_of_one_sync_leaves() {
    let to = |subset: &str| routes("web", &format!("hosts: [web], http: [{}]", rule("", subset)));
    let v1 = [&base()[..2], &base()[3..], &[to("v1")]].concat();
    let plain = routes(
        "web",
        "hosts: [web], http: [{route: [{destination: {host: web}}]}]",
    );
    let pods = &base()[..3];
    let second = subsets("z", "shop", HOST, &["v2"], "").replace(
        "metadata: {",
        "metadata: {annotations: {argocd.argoproj.io/sync-wave: '5'}, ",
    );
    let two_rules = [subsets("a", "shop", HOST, &["v1"], ""), second];
    let rows: Vec<(&'static str, String, &str)> = vec![
        (
            "a workload is applied before its route, and its pods are not ready",
            commits_in(Order::ArgoCd, &v1, &base_and(&[to("v2")])),
            "Deployment/v2 > VirtualService/web",
        ),
        (
            "what is pruned goes before what is applied",
            commits_in(Order::ArgoCd, &v1, &[&v1[..2], &[plain]].concat()),
            "VirtualService/web > DestinationRule/web",
        ),
        (
            "a later commit does not hold up what is applied before",
            commits_in(
                Order::ArgoCd,
                &narrow(pods),
                &[pods, &[subsets("web", "shop", HOST, &["v1"], ""), split(100, 0)]].concat(),
            ),
            "DestinationRule/web > VirtualService/web > Service/web",
        ),
        (
            "waves of prunes are mirrored within one commit",
            commits_in(
                Order::ArgoCd,
                &[
                    pods,
                    &two_rules,
                    &[at_gateway("b", ", subset: v1"), at_gateway("x", ", subset: v2")],
                ]
                .concat(),
                &[pods, &[at_gateway("b", ""), at_gateway("x", "")]].concat(),
            ),
            "DestinationRule/z + VirtualService/b + VirtualService/x > DestinationRule/a",
        ),
    ];
    all(rows
        .into_iter()
        .map(|(rule, found, expected)| (rule, found, expected.to_owned())));
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
