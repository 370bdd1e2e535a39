//! The search: which states there are, and what must hold in each.

use tidegate_core::prover::{Invariant, Question};

use crate::world::*;

/// The objects before and after.
type Ends = (Vec<String>, Vec<String>);

fn any(before: &[String], after: &[String]) -> tidegate_core::prover::Proof {
    verdict(before, after, Question::default())
}

/// The invariants that do not hold, each once.
fn broken(before: &[String], after: &[String]) -> String {
    let mut broken: Vec<&str> = any(before, after)
        .counter_examples
        .iter()
        .map(|example| example.invariant.as_str())
        .collect();
    broken.dedup();
    broken.join(" ")
}

fn replaced(objects: &[String], place: usize, by: &str) -> Vec<String> {
    let mut objects = objects.to_vec();
    objects[place] = by.to_owned();
    objects
}

fn without(objects: &[String], place: usize) -> Vec<String> {
    let mut objects = objects.to_vec();
    objects.remove(place);
    objects
}

#[test]
fn a_workload_is_in_every_condition_of_its_rollout() {
    let states = |before: &[String], after: &[String]| any(before, after).states.to_string();
    let one = |kind: &str, spec: &str, version: &str| {
        vec![
            service("app: web"),
            workload(kind, "web", &format!("app: web, version: {version}"), spec),
        ]
    };
    let rolled = |kind: &str, spec: &str| (one(kind, spec, "v1"), one(kind, spec, "v2"));
    // Old pods, both, and new ones, after a state with nothing applied; one more where none may be ready.
    let rows: Vec<(&'static str, Ends, &str)> = vec![
        (
            "nothing differs",
            (one("Deployment", "", "v1"), one("Deployment", "", "v1")),
            "1",
        ),
        (
            "created",
            (vec![service("app: web")], one("Deployment", "", "v1")),
            "3",
        ),
        (
            "deleted",
            (one("Deployment", "", "v1"), vec![service("app: web")]),
            "2",
        ),
        (
            "scaled, without new pods",
            (
                one("Deployment", "replicas: 2,", "v1"),
                one("Deployment", "replicas: 3,", "v1"),
            ),
            "2",
        ),
        ("rolled", rolled("Deployment", "replicas: 2,"), "4"),
        (
            "Recreate",
            rolled("Deployment", "strategy: {type: Recreate},"),
            "5",
        ),
        (
            "all may be unavailable",
            rolled(
                "Deployment",
                "replicas: 2, strategy: {rollingUpdate: {maxUnavailable: 100%}},",
            ),
            "5",
        ),
        (
            "as many as there are",
            rolled(
                "Deployment",
                "replicas: 2, strategy: {rollingUpdate: {maxUnavailable: 2}},",
            ),
            "5",
        ),
        (
            "fewer than there are",
            rolled(
                "Deployment",
                "replicas: 2, strategy: {rollingUpdate: {maxUnavailable: 1}},",
            ),
            "4",
        ),
        (
            "one pod that has to go first",
            rolled(
                "Deployment",
                "replicas: 1, strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 25%}},",
            ),
            "5",
        ),
        ("a StatefulSet with one pod", rolled("StatefulSet", ""), "5"),
        (
            "a StatefulSet with several",
            rolled("StatefulSet", "replicas: 3,"),
            "4",
        ),
    ];
    all(rows
        .into_iter()
        .map(|(rule, (before, after), expected)| (rule, states(&before, &after), expected.to_owned())));
}

#[test]
fn what_must_hold_in_every_state() {
    let with = |more: &[String]| base_and(more);
    let rolled = |version: &str| {
        vec![
            service("app: web, version: v1"),
            deployment("web", &format!("app: web, version: {version}"), ""),
        ]
    };
    let admit_v1 = policy(
        "shop",
        "selector: {matchLabels: {version: v2}}, rules: [{from: [{source: {namespaces: [x]}}]}]",
    );
    let to_v1 = [split(100, 0)];
    let to_v2 = [split(0, 100)];
    let scaled = |replicas: u32| {
        let v2 = deployment("v2", "app: web, version: v2", "")
            .replace("replicas: 2", &format!("replicas: {replicas}"));
        replaced(&base(), 2, &v2)
    };
    let created = without(&with(&to_v2), 2);
    let moved = |version: &str| {
        let third = deployment("third", &format!("app: web, version: {version}"), "");
        with(&[third, split(50, 50)])
    };
    let rebuilt = deployment("v1", "app: web, version: v1, build: b", "");
    let rows: Vec<(&'static str, String, &str)> = vec![
        (
            "a move of weights is safe",
            broken(&with(&to_v1), &with(&to_v2)),
            "",
        ),
        (
            "reachable: a subset comes with its route",
            broken(&without(&with(&[split(100, 0)]), 3), &with(&to_v2)),
            "",
        ),
        (
            "reachable: a subset goes with its route",
            broken(&with(&to_v1), &base()[..3]),
            "reachable",
        ),
        (
            "reachable: a route leads to a new workload",
            broken(&with(&to_v2), &created),
            "reachable",
        ),
        (
            "reachable: nothing is ready meanwhile",
            broken(&recreated("v1"), &recreated("v2")),
            "reachable",
        ),
        (
            "reachable: the pods leave the Service",
            broken(&rolled("v1"), &rolled("v2")),
            "reachable",
        ),
        (
            "allowed: the new version does not know the caller",
            broken(
                &[with(&to_v1), vec![admit_v1.clone()]].concat(),
                &[with(&to_v2), vec![admit_v1.clone()]].concat(),
            ),
            "allowed",
        ),
        (
            "allowed: one of both versions does not",
            broken(
                &[with(&to_v1), vec![admit_v1.clone()]].concat(),
                &[with(&[split(50, 50)]), vec![admit_v1]].concat(),
            ),
            "allowed",
        ),
        (
            "exposure: a selector and the rule that pins",
            broken(
                &with(&[])
                    .iter()
                    .map(|o| o.replace("selector: {app: web}", "selector: {app: web, version: v1}"))
                    .collect::<Vec<_>>(),
                &with(&to_v1),
            ),
            "exposure",
        ),
        (
            "exposure: old and new pods together are as many as before",
            broken(&base(), &replaced(&base(), 1, &rebuilt)),
            "",
        ),
        (
            "exposure: old pods in one subset, new ones in the other",
            broken(&moved("v1"), &moved("v2")),
            "exposure",
        ),
        (
            "capacity: the version that takes over is smaller",
            broken(
                &[scaled(1), to_v1.to_vec()].concat(),
                &[scaled(1), to_v2.to_vec()].concat(),
            ),
            "",
        ),
        (
            "capacity: it shrinks before its share does",
            broken(
                &[scaled(2), to_v2.to_vec()].concat(),
                &[scaled(1), to_v1.to_vec()].concat(),
            ),
            "capacity",
        ),
    ];
    all(rows
        .into_iter()
        .map(|(rule, found, expected)| (rule, found, expected.to_owned())));
}

#[test]
fn what_is_not_the_changes_fault_is_said() {
    let shut = policy("shop", "selector: {}");
    let proof = any(&base(), &base_and(&[shut]));
    assert!(
        proof.is_safe() && !proof.withdrawn.is_empty(),
        "withdrawn: {proof:?}"
    );
    let broken = [&base()[..3], &[split(50, 50)]].concat();
    let proof = any(&broken, &replaced(&broken, 3, &split(60, 40)));
    assert!(
        proof.is_safe() && !proof.broken_before.is_empty(),
        "broken before: {proof:?}"
    );
    // A part that was lost before may stay lost; worse than before is not forgiven.
    let lost = |share: u32| {
        let http = weighted(100 - share, share).replace("v2", "v3");
        base_and(&[routes("web", &format!("hosts: [web], http: [{http}]"))])
    };
    let proof = any(&lost(10), &lost(5));
    assert!(
        proof.is_safe() && !proof.broken_before.is_empty(),
        "a part broken before: {proof:?}"
    );
    assert_eq!(
        any(&lost(10), &lost(50)).counter_examples[0].invariant,
        Invariant::Reachable
    );
}

#[test]
fn a_search_that_is_cut_is_not_safe() {
    // Nine workloads behind one Service, each in four conditions that are all fine: more than anybody waits for.
    let fleet = |label: &str| -> Vec<String> {
        let workloads =
            (0..9).map(|index| deployment(&format!("w{index}"), &format!("app: web, of: {label}"), ""));
        let meshed = peer("strict", "shop", "mtls: {mode: STRICT}");
        [service("app: web"), meshed]
            .into_iter()
            .chain(workloads)
            .collect()
    };
    let proof = any(&fleet("one"), &fleet("two"));
    assert!(proof.counter_examples.is_empty(), "{:?}", proof.counter_examples);
    assert!(proof.is_cut && !proof.is_safe(), "{}", proof.states);
}

/// Two dozen changes that have nothing to do with each other are 16 million states, and all of them are judged.
#[test]
fn independent_changes_are_judged_in_every_state() {
    let shop = |change: &dyn Fn(usize, String) -> String| -> Vec<String> {
        let parts = (0..24).flat_map(|index| {
            let service =
                service(&format!("app: a{index}")).replace("name: web}", &format!("name: s{index}}}"));
            [
                change(index, service),
                deployment(&format!("d{index}"), &format!("app: a{index}"), ""),
            ]
        });
        parts.collect()
    };
    let more = |_: usize, service: String| {
        service.replace(
            "ports: [",
            "ports: [{name: http-more, port: 8081, targetPort: 8080}, ",
        )
    };
    let one_astray = |index: usize, service: String| match index {
        17 => more(index, service).replace("app: a17", "app: nobody"),
        _ => more(index, service),
    };
    let before = shop(&|_, service| service);
    let proof = any(&before, &shop(&more));
    assert_eq!(proof.states, 1 << 24);
    assert!(proof.is_safe() && !proof.is_cut, "{:?}", proof.counter_examples);
    let astray = any(&before, &shop(&one_astray));
    assert_eq!((astray.states, astray.is_cut), (1 << 24, false));
    let [found] = astray.counter_examples.as_slice() else {
        panic!("{:?}", astray.counter_examples)
    };
    assert!(
        found.what.contains("Service/s17 selects no ready pod"),
        "{}",
        found.what
    );
}

/// All is applied when nothing is ready, and yet it is not where the change ends.
#[test]
fn a_rollout_that_is_not_done_is_no_end() {
    let version = |label: &str, more: &str| {
        vec![
            service("app: web, version: v1"),
            deployment("web", &format!("app: web, version: {label}"), more),
        ]
    };
    let is_end = |before: &[String], after: &[String]| any(before, after).counter_examples[0].is_end;
    let recreated = "strategy: {type: Recreate}, minReadySeconds: 1,";
    assert!(!is_end(&version("v1", ""), &version("v1, build: b", recreated)));
    assert!(is_end(&version("v1", ""), &version("v2", "")));
}
