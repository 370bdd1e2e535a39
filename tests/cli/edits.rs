//! A person's edits while a release runs: in files of the release they stay or stop the transition that would lose
//! them, in files of their own they are never touched.

use crate::repository::Repository;

/// `orders`, after a number of transitions; staging's routes are in a file of the release, production's in a file of
/// the user's.
fn orders_after(count: usize) -> Repository {
    let repository = Repository::of("istio/orders");
    let _ = repository
        .run(&["init", "--steps", "50,100", "--commit"])
        .expect(0);
    for _ in 0..count {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    repository
}

const ROUTES: &str = "gap/staging/gap_patch_canary_virtual_service.yaml";
const RULE: &str = "gap/gap_canary_destination_rule.yaml";
const SERVICE: &str = "gap/gap_patch_canary_service.yaml";

#[test]
fn a_timeout_added_to_routes_of_the_release_stays_while_they_do() {
    let repository = orders_after(2);
    assert_eq!(repository.read_phase(".", "web"), ["wire"]);
    repository.replace(ROUTES, "  - route:", "  - timeout: 20s # tried out\n    route:");
    repository.commit("a person tries a timeout");
    for phase in ["widen", "park", "ramp", "hold", "retire"] {
        let _ = repository.run(&["next", "--commit"]).expect(0);
        assert_eq!(repository.read_phase(".", "web"), [phase]);
        assert!(
            repository.read(ROUTES).contains("timeout: 20s # tried out\n"),
            "{phase}"
        );
    }
    repository
        .run(&["status"])
        .expect(0)
        .says(&format!("{ROUTES}:9:14"));
    let before = repository.tree();
    repository
        .run(&["next"])
        .expect(1)
        .says("[drift]")
        .says(&format!("{ROUTES}:9:14"))
        .says("write the same in both places");
    assert!(repository.tree() == before);
    repository.replace(ROUTES, "timeout: 20s # tried out\n    route:", "route:");
    repository.commit("without the timeout");
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["unroute"]);
}

#[test]
fn a_route_edited_underneath_the_release_is_named_and_comes_back() {
    let repository = orders_after(5);
    let own = "gap/gap_patch_virtual_service.yaml";
    let host = "orders-web.checkout.svc.cluster.local";
    let text = format!(
        "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata:\n  name: orders--web\nspec:\n  http:\n    \
         - timeout: 9s\n      route:\n        - destination: {{host: {host}}}\n"
    );
    repository.write(own, &text);
    repository.commit("a person gives staging a timeout");
    repository
        .run(&["next", "--commit"])
        .expect(0)
        .says("differ here")
        .says(ROUTES);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["retire"]);
    repository
        .run(&["next"])
        .expect(1)
        .says("[drift]")
        .says(&format!("{own}:7"));
    repository.replace(ROUTES, "  - route:", "  - timeout: 9s\n    route:");
    repository.commit("the release says the same");
    for _ in 0..3 {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    assert_eq!(repository.read(own), text);
    assert_eq!(repository.read_phase(".", "web"), ["idle"]);
}

#[test]
fn a_policy_added_to_the_rule_of_the_release_stops_its_removal() {
    let repository = orders_after(3);
    repository.replace(
        RULE,
        "  subsets:",
        "  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3}}\n  subsets:",
    );
    repository.commit("a person ejects failing pods");
    for _ in 0..5 {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    assert_eq!(repository.read_phase(".", "web"), ["unroute"]);
    repository
        .run(&["next"])
        .expect(1)
        .says("[drift]")
        .says(&format!("{RULE}:9:3"))
        .says("a DestinationRule of your own");
    assert!(repository.read(RULE).contains("outlierDetection"));
}

#[test]
fn a_field_added_to_the_service_patch_of_the_release_stops_its_removal() {
    let repository = orders_after(6);
    repository.replace(SERVICE, "spec:", "spec:\n  sessionAffinity: ClientIP");
    repository.commit("a person keeps sessions together");
    repository
        .run(&["next"])
        .expect(1)
        .says("[drift]")
        .says(&format!("{SERVICE}:8:3"))
        .says("a patch of your own");
    assert!(repository.read(SERVICE).contains("ClientIP"));
}

#[test]
fn going_back_carries_and_refuses_the_same() {
    let repository = orders_after(5);
    repository.replace(ROUTES, "  - route:", "  - timeout: 20s\n    route:");
    repository.commit("a person tries a timeout");
    for phase in ["park", "widen", "wire"] {
        let _ = repository.run(&["abort", "--commit"]).expect(0);
        assert_eq!(repository.read_phase(".", "web"), [phase]);
        assert!(repository.read(ROUTES).contains("timeout: 20s"));
    }
    repository.run(&["abort"]).expect(1).says("[drift]").says(ROUTES);
}
