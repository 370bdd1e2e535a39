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
fn two_transitions_do_not_melt_into_one_commit() {
    let repository = reviews_after(0);
    let _ = repository.run(&["-C", AT, "next"]).expect(0);
    let before = repository.tree();
    let ended = repository.run(&["-C", AT, "next"]).expect(1);
    let _ = ended.says("[uncommitted]").says(COPIES[0]);
    assert!(repository.tree() == before);
}

#[test]
fn the_folder_of_an_environment_is_no_application() {
    let repository = edited(|_| {});
    let inside = ["-C", "deploy/reviews/staging"];
    let _ = repository
        .run(&[&inside[..], &["init", "--canary-tag", "9.9", "--commit"]].concat())
        .expect(0);
    assert!(
        repository
            .tree()
            .contains_key(".tidegate/releases/deploy/reviews.yaml")
    );
}

#[test]
fn a_change_is_judged_without_a_release_too() {
    let repository = edited(|_| {});
    repository.replace(
        OBJECTS[0],
        "    app: reviews\n  ports",
        "    app: nobody\n  ports",
    );
    let _ = repository.run(&["-C", AT, "check"]).expect(1);
    repository.git(&["add", "--all"]);
    for folder in [AT, "deploy/reviews/staging"] {
        let ended = repository.run(&["-C", folder, "check", "--staged"]).expect(1);
        assert!(ended.stdout.contains("selects no"), "{}", ended.stdout);
    }
}

#[test]
fn an_image_with_tag_and_digest_is_refused() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let repository = edited(|repository| {
        everywhere(repository, OBJECTS, ":1.16.2", &format!(":1.16.2@{digest}"));
    });
    refused(
        &repository,
        "cannot-edit",
        "reviews.yaml:38:",
        "examples-bookinfo-reviews-v1@sha256:",
    );
}

#[test]
fn the_service_of_a_copy_is_headless_where_the_workloads_is() {
    let repository = edited(|repository| {
        everywhere(repository, OBJECTS, "type: ClusterIP", "clusterIP: None");
    });
    start(&repository);
    next(&repository);
    assert!(repository.read(COPIES[0]).contains("clusterIP: None"));
}

#[test]
fn a_sidecar_does_not_get_the_new_version() {
    let repository = edited(|repository| {
        let sidecar = "containers:\n        - name: proxy\n          image: proxy:1\n";
        everywhere(repository, OBJECTS, "containers:\n", sidecar);
    });
    refused(
        &repository,
        "canary-impossible",
        "reviews.yaml:37:",
        "put `reviews` there",
    );
}

#[test]
fn an_image_asked_for_as_the_stable_one_has_to_be_what_runs() {
    let repository = edited(|_| {});
    let other = [&INIT[..], &["--stable-tag", "1.0"]].concat();
    let ended = repository.run(&other).expect(1);
    let _ = ended.says("runs `1.16.2`").says("leave --stable-tag out");
}

#[test]
fn a_kustomization_is_no_plain_manifest() {
    let repository = edited(|repository| {
        repository.write(
            "deploy/reviews/staging/kustomization.yaml",
            "resources: [reviews.yaml, route.yaml, hpa.yaml]\n",
        );
    });
    refused(
        &repository,
        "unsupported",
        "deploy/reviews/staging/kustomization.yaml",
        "kustomize build",
    );
}

#[test]
fn a_file_that_is_called_as_ours_is_named() {
    let repository = edited(|repository| {
        repository.write(
            COPIES[0],
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: shop}\n",
        );
    });
    refused(
        &repository,
        "canary-impossible",
        COPIES[0],
        "begins not `tidegate-canary-`",
    );
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
fn another_service_that_would_mix_the_versions_is_named() {
    let repository = edited(|repository| {
        everywhere(
            repository,
            OBJECTS,
            "app: reviews   # do not touch",
            "app: reviews\n        tier: web",
        );
        second_service("{tier: web}")(repository);
    });
    let ended = repository.run(&INIT).expect(0);
    let _ = ended
        .says("[accidental-selection]")
        .says("Service/all-reviews selects the pods of `reviews-v2` too");
}

#[test]
fn the_workload_gets_what_its_copy_was_given_meanwhile() {
    let repository = reviews_after(3);
    everywhere(&repository, COPIES, ":9.9", ":9.10");
    repository.commit("a fix for the new version");
    for phase in ["promote", "settle", "retire"] {
        next(&repository);
        assert_eq!(repository.read_phase(AT, "reviews"), [phase]);
    }
    for file in OBJECTS {
        assert!(repository.read(file).contains("reviews-v1:9.10\n"));
    }
    next(&repository);
    assert!(!repository.tree().keys().any(|file| file.contains("tidegate")));
}

#[test]
fn a_copy_that_one_environment_lost_is_written_again() {
    let repository = reviews_after(2);
    let whole = repository.tree();
    remove(&repository, COPIES[0]);
    repository.commit("a file too few");
    let _ = repository
        .run(&["-C", AT, "next", "--to", "park", "--commit"])
        .expect(0);
    assert!(repository.tree() == whole);
}

#[test]
fn what_lies_in_the_shared_folder_is_copied_once() {
    let repository = edited(|repository| {
        repository.write("deploy/reviews/reviews.yaml", repository.read(OBJECTS[0]));
        OBJECTS.iter().for_each(|file| remove(repository, file));
    });
    start(&repository);
    next(&repository);
    let copy = repository.read("deploy/reviews/tidegate-canary-reviews.yaml");
    for kind in ["kind: Deployment", "kind: Service"] {
        assert_eq!(copy.matches(kind).count(), 1, "{copy}");
    }
}

#[test]
fn environments_that_share_a_route_have_the_same_shares() {
    let shared = "deploy/reviews/route.yaml";
    let repository = edited(|repository| {
        repository.write(shared, repository.read(ROUTE));
        for file in [ROUTE, "deploy/reviews/production/route.yaml"] {
            remove(repository, file);
        }
    });
    start(&repository);
    next(&repository);
    next(&repository);
    let shift = ["-C", AT, "shift", "--env", "staging", "--to", "50"];
    let ended = repository.run(&shift).expect(1);
    let _ = ended
        .says("staging and production share this")
        .says(&format!("{shared}:1:"));
}

#[test]
fn a_provider_of_another_layout_is_refused() {
    let repository = reviews_after(0);
    let release = ".tidegate/releases/deploy/reviews.yaml";
    repository.replace(release, "provider: gateway-api", "provider: istio");
    let ended = repository.run(&["-C", AT, "next", "--allow-dirty"]).expect(1);
    let _ = ended.says("[unsupported]").says(&format!("{release}:7:"));
}

#[test]
fn an_image_without_a_tag_is_refused() {
    let repository = edited(|repository| everywhere(repository, OBJECTS, ":1.16.2", ""));
    refused(
        &repository,
        "canary-impossible",
        "reviews.yaml:19:",
        "write the tag",
    );
}

#[test]
fn a_stateful_set_is_said_to_be_none_of_ours() {
    let repository = edited(|repository| {
        everywhere(repository, OBJECTS, "kind: Deployment", "kind: StatefulSet");
    });
    let ended = repository.run(&INIT).expect(1);
    let _ = ended.says("there is no Deployment here").says("StatefulSet");
}

#[test]
fn copies_that_run_different_images_are_not_promoted() {
    let repository = reviews_after(3);
    repository.replace(COPIES[0], ":9.9", ":9.10");
    repository.commit("a fix in staging");
    let ended = repository.run(&["-C", AT, "next"]).expect(1);
    let _ = ended.says("9.10").says("give every copy the image");
}

#[test]
fn the_way_back_keeps_a_hotfix_of_the_stable_version() {
    for count in [1, 4] {
        let repository = reviews_after(1);
        let _ = repository
            .run(&["-C", AT, "hotfix", "--stable-tag", "1.16.3", "--commit"])
            .expect(0);
        for _ in 1..count {
            next(&repository);
        }
        for _ in 0..10 {
            let _ = repository.run(&["-C", AT, "abort", "--commit"]);
        }
        assert!(!repository.tree().keys().any(|file| file.contains("tidegate")));
        for file in OBJECTS {
            assert!(
                repository.read(file).contains("reviews-v1:1.16.3\n"),
                "after {count}"
            );
        }
    }
}

#[test]
fn a_rollback_after_the_copy_is_gone_says_so() {
    let repository = reviews_after(6);
    assert_eq!(repository.read_phase(AT, "reviews"), ["retire"]);
    let ended = repository.run(&["-C", AT, "rollback"]).expect(1);
    let _ = ended
        .says("[not-in-this-phase]")
        .says("the copy `reviews-v2` is gone");
}

/// Plain manifests are not looked for below the user's folder, and said where they are.
#[test]
fn manifests_in_a_folder_below_are_named() {
    let repository = Repository::of("argo-rollouts/rollouts-demo");
    let ended = repository.run(&["init"]).expect(1);
    let _ = ended
        .says("error[no-application]")
        .says("demo holds manifests: tidegate -C demo status");
    let _ = repository.run(&["-C", "demo", "status"]).expect(0);
    std::fs::remove_dir_all(repository.path().join("demo")).expect("a folder");
    let ended = repository.run(&["init"]).expect(1);
    let _ = ended.says("run tidegate in a folder that holds `gap` or manifests");
}
