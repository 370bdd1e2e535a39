//! Plain manifests as people have them: what a release can carry is carried, what it cannot is refused before it starts.

use crate::repository::Repository;

const AT: &str = "deploy/reviews";
const ROUTE: &str = "deploy/reviews/staging/route.yaml";
const OBJECTS: [&str; 2] = [
    "deploy/reviews/staging/reviews.yaml",
    "deploy/reviews/production/reviews.yaml",
];
const COPIES: [&str; 2] = [
    "deploy/reviews/staging/tidegate-canary-reviews.yaml",
    "deploy/reviews/production/tidegate-canary-reviews.yaml",
];
const INIT: [&str; 7] = ["-C", AT, "init", "--canary-tag", "9.9", "--steps", "100"];

/// `reviews`, edited before anything is committed.
fn edited(edit: impl FnOnce(&Repository)) -> Repository {
    let repository = Repository::of("gateway-api/reviews");
    edit(&repository);
    repository.commit("edited");
    repository
}

/// `reviews`, after a number of transitions.
fn reviews_after(count: usize) -> Repository {
    let repository = edited(|_| {});
    start(&repository);
    for _ in 0..count {
        next(&repository);
    }
    repository
}

#[track_caller]
fn start(repository: &Repository) {
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
}

#[track_caller]
fn next(repository: &Repository) {
    let _ = repository.run(&["-C", AT, "next", "--commit"]).expect(0);
}

/// The same in both environments.
fn everywhere(repository: &Repository, files: [&str; 2], from: &str, to: &str) {
    for file in files {
        repository.replace(file, from, to);
    }
}

fn remove(repository: &Repository, file: &str) {
    std::fs::remove_file(repository.path().join(file)).expect("the file is there");
}

/// `init` is refused at a place, and nothing is written.
#[track_caller]
fn refused(repository: &Repository, code: &str, at: &str, hint: &str) {
    let before = repository.tree();
    let ended = repository.run(&INIT).expect(1);
    let _ = ended.says(&format!("[{code}]")).says(at).says(hint);
    assert!(repository.tree() == before);
}

#[test]
fn preconditions_name_the_objects_of_the_traffic_system() {
    let repository = reviews_after(0);
    let plan = repository.run(&["-C", AT, "plan"]).expect(0).stdout;
    for said in [
        "get endpointslices -l kubernetes.io/service-name=reviews-v2",
        "every live HTTPRoute gives `reviews-v2` all requests",
        "get deployment reviews reviews-v2",
        "every live HTTPRoute gives `reviews` all requests",
        "every live HTTPRoute names `reviews-v2` no more",
        "get httproute reviews",
    ] {
        assert!(plan.contains(said), "no {said:?} in\n{plan}");
    }
    for foreign in [
        "virtualservice",
        "destinationrule",
        "VirtualService",
        "DestinationRule",
        "reviews-reviews",
    ] {
        assert!(!plan.contains(foreign), "{foreign:?} in\n{plan}");
    }
}

#[test]
fn preconditions_are_looked_up_in_the_namespace_of_each_environment() {
    let repository = Repository::of("istio-hosts/bookinfo");
    let _ = repository
        .run(&["init", "--canary-tag", "9.9", "--commit"])
        .expect(0);
    let plan = repository.run(&["plan"]).expect(0).stdout;
    for namespace in ["bookinfo-staging", "bookinfo-production"] {
        for what in [
            "rollout status deployment/reviews-v2",
            "get virtualservice reviews",
        ] {
            let said = format!("kubectl -n {namespace} {what}");
            assert!(plan.contains(&said), "no {said:?} in\n{plan}");
        }
    }
}
