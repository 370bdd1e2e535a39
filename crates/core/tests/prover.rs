//! The prover over whole lives: every transition and its inverse is safe, and neighbours may be merged exactly where
//! the design says so.
//!
//! Every rule below was disabled once, and the test failed; where a row of a table told it, the row is named.
//!
//! | rule | tests | a row that fails |
//! | --- | --- | --- |
//! | reachable | `order::any_order_is_stricter` | a subset before its route |
//! | exposure | `search::what_must_hold_in_every_state` | exposure: a selector and the rule that pins |
//! | capacity | `search::what_must_hold_in_every_state` | capacity: it shrinks before its share does |
//! | capacity: all together | `replicas::both_versions_at_once_are_refused` |  |
//! | withdrawn | `search::what_is_not_the_changes_fault_is_said` |  |
//! | withdrawn only by who admitted | `search::what_must_hold_in_every_state` | allowed: the new version does not know the caller |
//! | judged relative to before | `search::what_is_not_the_changes_fault_is_said` |  |
//! | broken before is told | `search::what_is_not_the_changes_fault_is_said` |  |
//! | unjudged | `istio::what_is_not_judged_is_said` | CUSTOM |
//! | unjudged: what did not change and selects by labels that do | `istio::what_is_not_judged_is_said` | CUSTOM that stays, by labels that pods lose |
//! | unjudged: an expression about such a label | `istio::what_is_not_judged_is_said` | NetworkPolicy that stays, by an expression about a label that pods get |
//! | unjudged: annotations of an Ingress | `istio::what_is_not_judged_is_said` | an annotation of an Ingress |
//! | unjudged: a host of somebody else's | `istio::what_is_not_judged_is_said` | a host that no file describes |
//! | KEDA's floor | `istio::services_ports_and_pods` | KEDA's floor |
//! | KEDA: one pod at least | `istio::services_ports_and_pods` | KEDA keeps a pod while there are requests |
//! | KEDA: held | `istio::services_ports_and_pods` | KEDA held at a number |
//! | search cut | `search::a_search_that_is_cut_is_not_safe` |  |
//! | cut is not safe | `search::a_search_that_is_cut_is_not_safe` |  |
//! | the end includes rollouts | `search::a_rollout_that_is_not_done_is_no_end` |  |
//! | old and new pods together | `search::what_must_hold_in_every_state` | exposure: old pods in one subset, new ones in the other |
//! | of each a half | `search::what_must_hold_in_every_state` | exposure: old and new pods together are as many as before |
//! | created without pods | `order::what_the_order_of_one_sync_makes_safe` | created |
//! | updated: rollout conditions | `search::a_workload_is_in_every_condition_of_its_rollout` | rolled |
//! | only a new template rolls | `search::a_workload_is_in_every_condition_of_its_rollout` | scaled, without new pods |
//! | none ready | `search::a_workload_is_in_every_condition_of_its_rollout` | Recreate |
//! | Recreate | `search::a_workload_is_in_every_condition_of_its_rollout` | Recreate |
//! | maxUnavailable 100% | `search::a_workload_is_in_every_condition_of_its_rollout` | all may be unavailable |
//! | maxUnavailable as many | `search::a_workload_is_in_every_condition_of_its_rollout` | as many as there are |
//! | no surge | `search::a_workload_is_in_every_condition_of_its_rollout` | one pod that has to go first |
//! | StatefulSet of one | `search::a_workload_is_in_every_condition_of_its_rollout` | a StatefulSet with one pod |
//! | wave waits for health | `order::what_the_order_of_one_sync_makes_safe` | a wave waits until pods are ready |
//! | waves | `order::what_the_order_of_one_sync_makes_safe` | by waves |
//! | mirrored prune waves | `order::what_the_order_of_one_sync_makes_safe` | prunes run the waves backwards |
//! | PruneLast of the live object | `order::what_the_order_of_one_sync_makes_safe` | PruneLast of the live object |
//! | kind order | `order::what_the_order_of_one_sync_makes_safe` | a kind before a kind |
//! | by name | `order::what_the_order_of_one_sync_makes_safe` | by name |
//! | prune first | `order::what_the_order_of_one_sync_makes_safe` | prunes come first, whatever their names |
//! | unpruned objects stay | `order::what_the_order_of_one_sync_makes_safe` | what is not pruned stays |
//! | neighbours of one kind | `order::what_the_order_of_one_sync_makes_safe` | neighbours of one kind are sent together |
//! | repair: each safe | `repair::the_fewest_commits_that_are_each_safe` | a subset before its route |
//! | waves: proven | `repair::one_sync_of_argo_cd_where_waves_help` | none where both are pruned, by the waves of the live objects |
//! | waves: below what is pruned | `repair::one_sync_of_argo_cd_where_waves_help` | what is pruned keeps its wave, so the route goes before |
//! | waves: none needed | `repair::no_waves_where_the_order_of_kinds_is_enough` |  |
//! | repair: fewest | `repair::the_fewest_commits_that_are_each_safe` | what may go together does |
//! | repair: larger steps first | `repair::the_fewest_commits_that_are_each_safe` | the first commit does what it may |
//! | repair: the ends are those of the whole change | `repair::the_fewest_commits_that_are_each_safe` | nobody is exposed in between |
//! | repair: none where the end fails | `repair::the_fewest_commits_that_are_each_safe` | a failing end is not cut into commits that each seem fine |
//! | repair: all that failing requests depend on | `repair::the_fewest_commits_that_are_each_safe` | what may go together does |
//! | repair: the rest goes with the first | `repair::the_fewest_commits_that_are_each_safe` | what would need too many tries is not said to be safe |
//! | repair: ranks within one commit | `repair::the_commits_that_the_order_of_one_sync_leaves` | a later commit does not hold up what is applied before |
//! | repair: waves of prunes within one commit | `repair::the_commits_that_the_order_of_one_sync_leaves` | waves of prunes are mirrored within one commit |
//! | subset: caller namespace | `istio::subsets_are_found_where_istio_looks` | first in the caller's namespace |
//! | subset: root namespace | `istio::subsets_are_found_where_istio_looks` | last in the root namespace |
//! | subset: merged rules | `istio::subsets_are_found_where_istio_looks` | in every rule of the namespace |
//! | subset: exactness | `istio::subsets_are_found_where_istio_looks` | in a rule for the name before a wildcard |
//! | subset: wildcard hosts | `istio::subsets_are_found_where_istio_looks` | in a rule for a wildcard |
//! | DestinationRule exportTo | `istio::subsets_are_found_where_istio_looks` | not in a rule kept in its namespace |
//! | VirtualService exportTo | `istio::the_virtual_service_that_takes_a_request` | kept in its namespace |
//! | VirtualService wildcard | `istio::the_virtual_service_that_takes_a_request` | a wildcard host |
//! | VirtualService exactness | `istio::the_virtual_service_that_takes_a_request` | a name before a wildcard |
//! | gateways vs mesh | `istio::the_virtual_service_that_takes_a_request` | one for a gateway alone |
//! | short hosts | `istio::services_ports_and_pods` | a selector narrows a subset |
//! | outside the mesh: no routes | `istio::the_virtual_service_that_takes_a_request` | callers without a proxy know no routes |
//! | first rule wins | `istio::the_rule_that_takes_a_request` | the first that matches |
//! | match uri | `istio::the_rule_that_takes_a_request` | none |
//! | match method | `istio::the_rule_that_takes_a_request` | method, another |
//! | match authority | `istio::the_rule_that_takes_a_request` | authority, another |
//! | match port | `istio::the_rule_that_takes_a_request` | port, another |
//! | match sourceNamespace | `istio::the_rule_that_takes_a_request` | namespace of the caller, another |
//! | match headers | `istio::the_rule_that_takes_a_request` | header, missing |
//! | match withoutHeaders | `istio::the_rule_that_takes_a_request` | without a header, there |
//! | match unknown | `istio::the_rule_that_takes_a_request` | what is not known |
//! | match gateways | `istio::the_rule_that_takes_a_request` | gateways of a match |
//! | regex | `istio::the_rule_that_takes_a_request` | uri regex, another |
//! | regex of the field | `istio::the_rule_that_takes_a_request` | regex of another header |
//! | regex of the pattern | `istio::the_rule_that_takes_a_request` | header regex, another |
//! | ignoreUriCase | `istio::the_rule_that_takes_a_request` | uri without regard to case |
//! | prefix | `istio::the_rule_that_takes_a_request` | uri prefix |
//! | weight 0 harmless | `istio::weights_are_relative_and_nothing_takes_nothing` | a missing subset of weight 0 loses nothing |
//! | one destination ignores weight | `istio::services_ports_and_pods` | a selector narrows a subset |
//! | all weights zero | `istio::weights_are_relative_and_nothing_takes_nothing` | all weights 0 are refused |
//! | route port missing | `istio::services_ports_and_pods` | a port that it does not have |
//! | only port | `istio::services_ports_and_pods` | the only port, where the route says none |
//! | named target port | `istio::services_ports_and_pods` | a target port by a name that no pod has |
//! | selector and subset labels | `istio::services_ports_and_pods` | a selector narrows a subset |
//! | subset labels | `istio::services_ports_and_pods` | a selector narrows a subset |
//! | pods namespace | `istio::services_ports_and_pods` | pods of another namespace |
//! | HPA floor | `istio::services_ports_and_pods` | an autoscaler's floor |
//! | HPA of nothing | `istio::services_ports_and_pods` | an autoscaler does not wake what is scaled to nothing |
//! | DENY | `istio::authorization_policies` | DENY before ALLOW |
//! | AUDIT | `istio::authorization_policies` | AUDIT changes nothing |
//! | ALLOW | `istio::authorization_policies` | no rules admit nobody |
//! | policy selector | `istio::authorization_policies` | a selector chooses pods |
//! | policy namespace | `istio::authorization_policies` | another namespace's policy |
//! | policy root namespace | `istio::authorization_policies` | the root namespace's policy |
//! | targetRefs | `istio::authorization_policies` | a waypoint's or gateway's policy |
//! | empty lists | `istio::authorization_policies` | an empty list of sources is any |
//! | empty fields | `istio::authorization_policies` | an empty field is any |
//! | not fields | `istio::authorization_policies` | not a principal |
//! | wildcards | `istio::authorization_policies` | principal by a prefix |
//! | suffix wildcards | `istio::authorization_policies` | principal by a suffix |
//! | any | `istio::authorization_policies` | any principal |
//! | policy principals | `istio::authorization_policies` | principal, another |
//! | policy namespaces | `istio::authorization_policies` | namespace, another |
//! | policy serviceAccounts | `istio::authorization_policies` | service account, another |
//! | policy hosts | `istio::authorization_policies` | host, another |
//! | policy paths | `istio::authorization_policies` | path, another |
//! | policy methods | `istio::authorization_policies` | method, another |
//! | policy ports | `istio::authorization_policies` | the Service's port |
//! | bare serviceAccounts | `istio::authorization_policies` | service account of the policy's namespace |
//! | when | `istio::authorization_policies` | when: another caller |
//! | conditions fulfilled | `istio::authorization_policies` | when: a header |
//! | STRICT | `istio::mutual_tls` | of the namespace |
//! | PeerAuthentication nearness | `istio::mutual_tls` | the namespace before the mesh |
//! | PeerAuthentication port | `istio::mutual_tls` | of the port |
//! | PeerAuthentication UNSET | `istio::mutual_tls` | unset of the port is inherited |
//! | DISABLE has no identity | `istio::mutual_tls` | disabled, nobody has an identity |
//! | unknown kinds said | `istio::what_is_not_judged_is_said` | EnvoyFilter for the pods |
//! | unknown parts said | `istio::what_is_not_judged_is_said` | CUSTOM |
#![expect(clippy::disallowed_methods, reason = "fixtures are files")]

#[path = "prover/argo_cd.rs"]
mod argo_cd;
#[path = "prover/argo_rollouts.rs"]
mod argo_rollouts;
#[path = "prover/backends.rs"]
mod backends;
mod fixtures;
#[path = "prover/flagger.rs"]
mod flagger;
#[path = "prover/istio.rs"]
mod istio;
#[path = "prover/kubesphere.rs"]
mod kubesphere;
#[path = "prover/lives.rs"]
mod lives;
#[path = "prover/order.rs"]
mod order;
#[path = "fixtures/phases.rs"]
mod phases;
#[path = "prover/previews.rs"]
mod previews;
#[path = "prover/repair.rs"]
mod repair;
#[path = "prover/replicas.rs"]
mod replicas;
#[path = "prover/search.rs"]
mod search;
#[path = "prover/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use fixtures::FIXTURES;
use lives::{Point, life};
use tidegate_core::manifest::ManifestSet;
use tidegate_core::prover::{Proof, Question, prove};
use tidegate_core::provider::ProviderId;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn verdict(before: &ManifestSet, after: &ManifestSet) -> Proof {
    prove(ProviderId::Istio, before, after, Question::default())
}

fn told(proof: &Proof) -> String {
    let example = |example: &tidegate_core::prover::CounterExample| {
        let applied: Vec<String> = example
            .applied
            .iter()
            .map(|applied| format!("{} {:?}", applied.object, applied.pods))
            .collect();
        let rest: Vec<String> = example.not_applied.iter().map(ToString::to_string).collect();
        format!(
            "{:?}: {}\n  applied {applied:?}\n  not {rest:?}\n  {}\n",
            example.invariant, example.what, example.requests[0]
        )
    };
    proof.counter_examples.iter().map(example).collect()
}

/// Each pair of points some commits apart, per environment.
fn each_pair(points: &[Point], distance: usize, mut check: impl FnMut(&str, &ManifestSet, &ManifestSet)) {
    for pair in points.windows(distance + 1) {
        let (one, other) = (&pair[0], &pair[distance]);
        for (environment, before) in &one.environments {
            let name = format!("{environment}: {} to {}", one.name, other.name);
            check(&name, before, &other.environments[environment]);
        }
    }
}

#[test]
fn every_transition_of_every_fixture_and_its_inverse_is_safe() {
    let mut states = 0;
    for (fixture, at, workload) in FIXTURES {
        let points = life(&fixtures(), fixture, at, workload);
        assert!(points.len() >= 12, "{fixture}: {}", points.len());
        each_pair(&points, 1, |name, before, after| {
            for (way, before, after) in [("", before, after), (" taken back", after, before)] {
                let proof = verdict(before, after);
                assert!(proof.is_safe(), "{fixture} {name}{way}:\n{}", told(&proof));
                assert!(
                    proof.broken_before.is_empty(),
                    "{fixture} {name}{way}: {:?}",
                    proof.broken_before
                );
                states += proof.states;
            }
        });
    }
    assert!(states > 1000, "{states}");
}

/// Which neighbours may be one commit; the table of the design.
const MERGES: &[(&str, &str, bool)] = &[
    ("idle", "wire", false),
    ("split", "widen", false),
    ("wire", "park", false),
    ("widen", "ramp", true),
    ("park", "ramp", true),
    ("ramp", "hold", true),
    ("ramp", "retire", false),
    ("hold", "unroute", false),
    ("retire", "unwire", false),
    ("unroute", "idle", true),
];

#[test]
fn neighbours_may_be_merged_exactly_where_no_state_between_fails() {
    for (fixture, at, workload) in FIXTURES {
        each_pair(
            &life(&fixtures(), fixture, at, workload),
            2,
            |name, before, after| {
                let (_, pair) = name.split_once(": ").expect("an environment");
                let (from, to) = pair.split_once(" to ").expect("two points");
                let Some((.., is_safe)) = MERGES.iter().find(|(one, other, _)| (*one, *other) == (from, to))
                else {
                    return;
                };
                let proof = verdict(before, after);
                assert_eq!(proof.is_safe(), *is_safe, "{fixture} {name}:\n{}", told(&proof));
            },
        );
    }
}
