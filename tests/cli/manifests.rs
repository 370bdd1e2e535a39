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

#[test]
fn a_route_in_another_namespace_is_refused() {
    let elsewhere = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: old, namespace: infra}\n\
         spec:\n  rules:\n  - backendRefs:\n    - {name: reviews, namespace: shop, port: 9080}\n";
    let repository = edited(|repository| {
        let route = repository.read(ROUTE);
        repository.write(ROUTE, format!("{route}{elsewhere}"));
    });
    refused(
        &repository,
        "unsupported-route",
        &format!("{ROUTE}:22:"),
        "the same namespace",
    );
}

#[test]
fn a_route_of_the_users_is_not_taken_for_one_of_ours() {
    let repository = edited(|repository| {
        for file in [ROUTE, "deploy/reviews/production/route.yaml"] {
            let route = repository
                .read(file)
                .replace("- name: reviews", "- name: frontend");
            repository.write(file, route);
        }
    });
    let asked = [&INIT[..], &["--provider", "gateway-api"]].concat();
    let ended = repository.run(&asked).expect(1);
    let _ = ended
        .says("[unsupported-route]")
        .says("is there already")
        .says(ROUTE);
}

/// Another Service for the pods of `reviews`.
fn second_service(selector: &str) -> impl Fn(&Repository) {
    let service = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: all-reviews, namespace: shop}}\nspec:\n  selector: {selector}\n  \
         ports: [{{port: 9080}}]\n"
    );
    move |repository| {
        for environment in ["staging", "production"] {
            repository.write(&format!("{AT}/{environment}/all.yaml"), &service);
        }
    }
}

#[test]
fn of_several_services_the_routed_one_is_split() {
    let repository = edited(|repository| {
        second_service("{app: reviews}")(repository);
        for file in [ROUTE, "deploy/reviews/production/route.yaml"] {
            let route = repository
                .read(file)
                .replace("- name: reviews", "- name: all-reviews");
            repository.write(file, route);
        }
    });
    start(&repository);
    next(&repository);
    next(&repository);
    assert!(repository.read(ROUTE).contains("- name: all-reviews-v2"));
}

#[test]
fn routes_to_several_services_of_one_workload_are_refused() {
    let repository = edited(|repository| {
        second_service("{app: reviews}")(repository);
        repository.replace(ROUTE, "- name: reviews   # the only one", "- name: all-reviews");
    });
    refused(
        &repository,
        "unsupported-route",
        "deploy/reviews/staging/all.yaml:1:",
        "the same Service",
    );
}

#[test]
fn copies_that_run_different_images_are_not_promoted() {
    let repository = reviews_after(3);
    repository.replace(COPIES[0], ":9.9", ":9.10");
    repository.commit("a fix in staging");
    let ended = repository.run(&["-C", AT, "next"]).expect(1);
    let _ = ended.says("9.10").says("give every copy the image");
}
