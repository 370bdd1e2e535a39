//! Kustomizations as people have them: what a release can carry is carried, what it cannot is refused before it starts.

use crate::repository::Repository;

const AT: &str = "apps/reviews";
const BASE: &str = "apps/reviews/base/kustomization.yaml";
const STAGING: &str = "apps/reviews/overlays/staging/kustomization.yaml";
const PRODUCTION: &str = "apps/reviews/overlays/production/kustomization.yaml";
const INIT: [&str; 7] = ["-C", AT, "init", "--canary-tag", "9.9.9", "--steps", "100"];

/// `reviews`, edited before anything is committed.
fn edited(edit: impl FnOnce(&Repository)) -> Repository {
    let repository = Repository::of("kustomize/reviews");
    edit(&repository);
    repository.commit("edited");
    repository
}

/// Moves on, a number of times.
#[track_caller]
fn go(repository: &Repository, verb: &str, count: usize) {
    for _ in 0..count {
        let _ = repository.run(&["-C", AT, verb, "--commit"]).expect(0);
    }
}

/// As far as a phase, and back to where it began: nothing is left.
#[track_caller]
fn there_and_back(repository: &Repository, count: usize) {
    let start = repository.tree();
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    go(repository, "next", count);
    for _ in 0..12 {
        let ended = repository.run(&["-C", AT, "abort", "--commit"]).expect(0);
        if ended.stderr.contains("nothing to do") {
            break;
        }
    }
    assert_eq!(repository.diff_of(&start), "");
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
fn what_is_wrong_or_not_carried_out_is_named_with_its_place() {
    let more = |text: &'static str| {
        move |repository: &Repository| {
            let base = repository.read(BASE);
            repository.write(BASE, format!("{base}{text}"));
        }
    };
    let entry = |entry: &'static str| {
        move |repository: &Repository| {
            repository.replace(
                BASE,
                "  - route.yaml\n",
                &format!("  - route.yaml\n  - {entry}\n"),
            );
        }
    };
    type Edit = Box<dyn Fn(&Repository)>;
    let cases: Vec<(Edit, &str, &str, &str)> = vec![
        (
            Box::new(more("namePrefix: shop-\n")),
            "unsupported",
            "base/kustomization.yaml:18:1",
            "whole names",
        ),
        (
            Box::new(more("replacements: [{path: a.yaml}]\n")),
            "unsupported",
            "base/kustomization.yaml:18:1",
            "write out",
        ),
        (
            Box::new(more("namePrefx: shop-\n")),
            "unknown-key",
            "base/kustomization.yaml:18:1",
            "known keys",
        ),
        (
            Box::new(more("images: [{name: a, tagSuffix: b}]\n")),
            "unsupported",
            "base/kustomization.yaml:18:20",
            "newTag",
        ),
        (
            Box::new(more("replicas: [{name: web, count: 2}]\n")),
            "patch-without-target",
            "base/kustomization.yaml:18:19",
            "name one",
        ),
        (
            Box::new(more("patches: [{path: a.yaml}]\n")),
            "unknown-name",
            "base/kustomization.yaml:18:18",
            "write the file",
        ),
        (
            Box::new(more("patches: [{patch: '[]', path: a.yaml}]\n")),
            "invalid-value",
            "base/kustomization.yaml:18:11",
            "one of",
        ),
        (
            Box::new(more("patches:\n- patch: '[{op: remove, path: /spec}]'\n")),
            "patch-without-target",
            "base/kustomization.yaml:19:10",
            "target: {kind",
        ),
        (
            Box::new(more(
                "patches:\n- patch: '{apiVersion: v1, kind: Service, metadata: {name: review}}'\n",
            )),
            "patch-without-target",
            "base/kustomization.yaml:19:10",
            "did you mean `reviews`?",
        ),
        (
            Box::new(more("secretGenerator: [{name: a, behavior: merge}]\n")),
            "invalid-value",
            "base/kustomization.yaml:18:39",
            "name one of a base",
        ),
        (
            Box::new(entry("https://example.com/base.yaml")),
            "outside-repository",
            "base/kustomization.yaml:8:5",
            "copy what it holds",
        ),
        (
            Box::new(entry("../../../../../etc/passwd.yaml")),
            "outside-repository",
            "base/kustomization.yaml:8:5",
            "inside of it",
        ),
        (
            Box::new(entry("../overlays/staging")),
            "invalid-value",
            "base/kustomization.yaml:8:5",
            "take the entry away",
        ),
        (
            Box::new(entry("../components/autoscaling")),
            "invalid-value",
            "base/kustomization.yaml:8:5",
            "under `components:`",
        ),
        (
            Box::new(entry("../components/autoscaling/hpa.yaml")),
            "invalid-value",
            "base/kustomization.yaml:8:5",
            "of its own",
        ),
        (
            Box::new(entry("nothing")),
            "unknown-name",
            "base/kustomization.yaml:8:5",
            "a folder that has one",
        ),
        (
            Box::new(entry("service.yaml")),
            "duplicate-object",
            "base/service.yaml:4:9",
            "by a patch",
        ),
        (
            Box::new(|repository| {
                repository.write("apps/reviews/base/Kustomization", "resources: [route.yaml]\n")
            }),
            "invalid-value",
            "base/Kustomization",
            "keep one of the two",
        ),
    ];
    for (edit, code, at, hint) in cases {
        refused(&edited(edit), code, at, hint);
    }
}

#[test]
fn a_chain_of_kustomizations_ends() {
    let repository = edited(|repository| {
        repository.replace(BASE, "  - route.yaml\n", "  - route.yaml\n  - deep/0\n");
        for depth in 0..40 {
            let file = format!("apps/reviews/base/deep/{depth}/kustomization.yaml");
            repository.write(&file, format!("resources: [../{}]\n", depth + 1));
        }
    });
    refused(&repository, "limit-reached", "deep/", "fewer folders");
}

/// Labels on labels on objects: what a small file makes is bounded.
#[test]
fn what_small_files_make_is_bounded() {
    let repository = edited(|repository| {
        let objects: String = (0..4000)
            .map(|index| format!("---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{index}}}}}\n"))
            .collect();
        repository.write("apps/reviews/base/many.yaml", objects);
        let labels: String = (0..4000).map(|index| format!("  l{index}: x\n")).collect();
        let base = repository
            .read(BASE)
            .replace("  - route.yaml\n", "  - route.yaml\n  - many.yaml\n");
        repository.write(BASE, format!("{base}commonLabels:\n{labels}"));
    });
    let ended = repository.run(&["-C", AT, "status"]).expect(1);
    let _ = ended.says("the objects would have more than");
    let repository = edited(|repository| {
        let objects: String = (0..4000)
            .map(|index| format!("---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{index}}}}}\n"))
            .collect();
        repository.write("apps/reviews/base/many.yaml", objects);
        let images: String = (0..4000)
            .map(|index| format!("  - {{name: i{index}, newTag: x}}\n"))
            .collect();
        let base = repository
            .read(BASE)
            .replace("  - route.yaml\n", "  - route.yaml\n  - many.yaml\n");
        repository.write(BASE, format!("{base}images:\n{images}"));
    });
    let ended = repository.run(&["-C", AT, "status"]).expect(1);
    let _ = ended.says("[limit-reached]").says("base/kustomization.yaml");
}

#[test]
fn older_keys_get_older_entries() {
    let repository = edited(|repository| {
        repository.replace(
            PRODUCTION,
            "patches:\n- path: resources.yaml\n- path: hpa.yaml",
            "patchesStrategicMerge:\n- resources.yaml\n- hpa.yaml",
        );
    });
    there_and_back(&repository, 3);
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    go(&repository, "next", 2);
    let text = repository.read(PRODUCTION);
    let expected = "\
patchesJson6902:
- path: tidegate-canary-reviews-deployment-reviews-v2.yaml
  target:
    group: apps
    version: v1
    kind: Deployment
    name: reviews-v2
";
    assert!(text.contains(expected), "{text}");
    assert!(!text.contains("\npatches:"), "{text}");
}

#[test]
fn an_overlay_that_is_no_environment_gets_nothing() {
    let ci = "apps/reviews/overlays/ci/kustomization.yaml";
    let repository = edited(|repository| {
        repository.write(
            ".tidegate/config.yaml",
            "environments: {staging: {}, production: {}}\n",
        );
        repository.write(ci, "resources: [../../base]\n");
    });
    there_and_back(&repository, 3);
    let before = repository.tree();
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    go(&repository, "next", 1);
    let changed = repository.diff_of(&before);
    assert!(!changed.contains("/base/"), "{changed}");
    assert!(
        changed.contains("overlays/staging/tidegate-canary-reviews.yaml"),
        "{changed}"
    );
    assert!(
        changed.contains("overlays/production/tidegate-canary-reviews.yaml"),
        "{changed}"
    );
}

#[test]
fn every_overlay_is_an_environment_where_none_is_named() {
    let repository = edited(|repository| {
        let staging = repository.read(STAGING).replace("shop-staging", "shop-dev");
        repository.write("apps/reviews/overlays/dev/kustomization.yaml", staging);
    });
    let ended = repository.run(&INIT).expect(0);
    let _ = ended.says("staging (reviews.staging.example.com), production (reviews.example.com), dev (");
}

#[test]
fn a_route_of_an_overlay_is_edited_in_place() {
    let repository = edited(|repository| {
        let route = repository.read("apps/reviews/base/route.yaml");
        repository.replace(BASE, "  - route.yaml\n", "");
        std::fs::remove_file(repository.path().join("apps/reviews/base/route.yaml")).expect("a file");
        for (file, from, to) in [
            (STAGING, "  - ../../base\n", "  - ../../base\n  - route.yaml\n"),
            (PRODUCTION, "- ../../base\n", "- ../../base\n- route.yaml\n"),
        ] {
            repository.replace(file, from, to);
            repository.write(&file.replace("kustomization", "route"), &route);
        }
        // In production it is in place; in staging a patch of the user's is laid over it.
        repository.replace(
            STAGING,
            "path: /spec/hostnames\n        value: [reviews.staging.example.com]",
            "path: /spec/rules/0/timeouts\n        value: {request: 9s}",
        );
    });
    there_and_back(&repository, 3);
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    go(&repository, "next", 2);
    let route = repository.read(&PRODUCTION.replace("kustomization", "route"));
    assert!(
        route.contains("name: reviews-v2\n          port: 9080\n          weight: 0"),
        "{route}"
    );
    assert!(route.contains("# an overlay says its own"), "{route}");
    let route = repository.read(&STAGING.replace("kustomization", "route"));
    assert!(!route.contains("weight"), "{route}");
    assert!(
        repository
            .read(STAGING)
            .contains("tidegate-canary-reviews-httproute-reviews.yaml")
    );
}

#[test]
fn an_image_may_be_said_anywhere_that_says_it_alone() {
    let without_images = |repository: &Repository| {
        repository.replace(
            STAGING,
            "\nimages:\n  - name: ghcr.io/shop/reviews\n    newTag: 1.16.2   # moved by the pipeline\n",
            "",
        );
        repository.replace(
            PRODUCTION,
            "images:\n- name: ghcr.io/shop/reviews\n  newTag: 1.16.2\n",
            "",
        );
    };
    let deployment = "apps/reviews/base/deployment.yaml";
    let ends = |repository: &Repository, file: &str| {
        let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
        while !repository
            .run(&["-C", AT, "next", "--commit"])
            .expect(0)
            .stderr
            .contains("nothing to do")
        {}
        let text = repository.read(file);
        assert!(text.contains("9.9.9") && !text.contains("1.16.2"), "{text}");
    };
    let in_document = edited(|repository| {
        without_images(repository);
        repository.replace(
            deployment,
            "image: ghcr.io/shop/reviews",
            "image: ghcr.io/shop/reviews:1.16.2   # here",
        );
    });
    ends(&in_document, deployment);
    assert!(!in_document.read(STAGING).contains("images:"));
    let in_base = edited(|repository| {
        without_images(repository);
        let base = repository.read(BASE);
        repository.write(
            BASE,
            format!("{base}images: [{{name: ghcr.io/shop/reviews, newTag: 1.16.2}}]\n"),
        );
    });
    ends(&in_base, BASE);
    let patch = "apps/reviews/base/image.yaml";
    let in_patch = edited(|repository| {
        without_images(repository);
        let base = repository.read(BASE);
        repository.write(BASE, format!("{base}patches: [{{path: image.yaml}}]\n"));
        repository.write(patch, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: reviews}\nspec: {template: {spec: {containers: [{name: reviews, image: \"ghcr.io/shop/reviews:1.16.2\"}]}}}\n");
    });
    ends(&in_patch, patch);
    let inline = edited(|repository| {
        without_images(repository);
        let base = repository.read(BASE);
        repository.write(BASE, format!("{base}patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {{name: reviews}}\n    spec: {{template: {{spec: {{containers: [{{name: reviews, image: \"ghcr.io/shop/reviews:1.16.2\"}}]}}}}}}\n"));
    });
    refused(
        &inline,
        "cannot-edit",
        "base/kustomization.yaml:19:10",
        "put the patch into a file",
    );
}

#[test]
fn an_entry_that_says_two_images_is_refused() {
    let repository = edited(|repository| {
        let worker = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: worker}\nspec:\n  selector: {matchLabels: {app: worker}}\n  template:\n    metadata: {labels: {app: worker}}\n    spec: {containers: [{name: worker, image: ghcr.io/shop/reviews}]}\n";
        repository.write("apps/reviews/base/worker.yaml", worker);
        repository.replace(BASE, "  - route.yaml\n", "  - route.yaml\n  - worker.yaml\n");
    });
    refused(
        &repository,
        "cannot-edit",
        "overlays/staging/kustomization.yaml:21:5",
        "a name of its own",
    );
}

#[test]
fn labels_that_come_after_patches_and_tell_versions_apart_are_refused() {
    let repository = edited(|repository| {
        let text = repository.read(STAGING);
        repository.write(STAGING, format!("{text}commonLabels: {{app: reviews}}\n"));
    });
    refused(
        &repository,
        "undone",
        "overlays/staging/kustomization.yaml",
        "includeSelectors",
    );
}

#[test]
fn labels_of_the_base_may_choose_the_pods() {
    let repository = edited(|repository| {
        for file in ["deployment", "service"] {
            let file = format!("apps/reviews/base/{file}.yaml");
            let text = repository.read(&file).replace("app: reviews", "tier: web");
            repository.write(&file, text);
        }
        repository.replace(
            BASE,
            "      team: books\n    includeTemplates: true\n",
            "      app: reviews\n    includeSelectors: true\n",
        );
    });
    there_and_back(&repository, 4);
}

#[test]
fn every_command_works_from_an_overlay() {
    let overlay = "apps/reviews/overlays/production";
    let repository = edited(|_| {});
    let _ = repository
        .run(&[
            "-C",
            overlay,
            "init",
            "--canary-tag",
            "9.9.9",
            "--steps",
            "100",
            "--commit",
        ])
        .expect(0);
    assert!(
        repository
            .path()
            .join(".tidegate/releases/apps/reviews.yaml")
            .exists()
    );
    let _ = repository.run(&["-C", overlay, "next", "--commit"]).expect(0);
    let status = repository.run(&["-C", overlay, "status"]).expect(0).stdout;
    assert!(status.contains("split"), "{status}");
    let plan = repository.run(&["-C", overlay, "plan"]).expect(0).stdout;
    assert!(
        plan.contains("tidegate-canary-reviews-httproute-reviews.yaml"),
        "{plan}"
    );
    let _ = repository.run(&["-C", overlay, "check"]).expect(0);
    let rendered = repository
        .run(&["-C", overlay, "render", "--env", "production"])
        .expect(0)
        .stdout;
    assert!(
        rendered.contains("image: ghcr.io/shop/reviews:9.9.9"),
        "{rendered}"
    );
}

#[test]
fn a_change_by_hand_is_judged_wherever_it_is_made() {
    let repository = edited(|repository| {
        repository.write(
            "shared/labels/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {note: a}\n",
        );
        repository.replace(
            PRODUCTION,
            "components:\n",
            "components:\n- ../../../../shared/labels\n",
        );
    });
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    go(&repository, "next", 3);
    let check = |args: &[&str], code: i32| repository.run(&[&["check"], args].concat()).expect(code);
    let _ = check(&[], 0);
    // The copy is taken out of the base while production's route still names it.
    repository.replace(BASE, "  - tidegate-canary-reviews.yaml\n", "");
    let _ = check(&[], 1);
    repository.git(&["checkout", "."]);
    // A component elsewhere takes the pods away from their Service.
    repository.write(
        "shared/labels/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: {kind: Service}\n  patch: |-\n    - {op: replace, path: /spec/selector, value: {app: nobody}}\n",
    );
    repository.git(&["add", "--all"]);
    let ended = check(&["--staged"], 1);
    assert!(ended.stdout.contains("[unreachable]"), "{}", ended.stdout);
    assert!(ended.stdout.contains("production"), "{}", ended.stdout);
}

/// Numbers of pods are written where the kustomization says them.
#[test]
fn numbers_of_pods_are_changed_under_replicas() {
    let repository = Repository::of("replicas/notification");
    let files = [
        "notification/staging/kustomization.yaml",
        "notification/production/kustomization.yaml",
    ];
    for file in files {
        let text =
            "resources: [notification.yaml]\nreplicas:\n- name: notification\n  count: 4   # by hand\n";
        repository.write(file, text);
    }
    repository.commit("kustomizations");
    let start = repository.tree();
    let at = |args: &[&str]| {
        repository
            .run(&[&["-C", "notification"], args].concat())
            .expect(0)
    };
    let _ = at(&["init", "--canary-tag", "9.9.9", "--steps", "50,100", "--commit"]);
    let mut counts = Vec::new();
    while !at(&["next", "--commit"]).stderr.contains("nothing to do") {
        let text = repository.read(files[0]);
        let (_, count) = text.split_once("count: ").expect("a count");
        counts.push(count[..1].to_owned());
        assert!(text.contains("# by hand"), "{text}");
    }
    assert!(counts.contains(&"2".to_owned()), "{counts:?}");
    assert_eq!(counts.last().map(String::as_str), Some("4"), "{counts:?}");
    let changed = repository.diff_of(&start);
    assert!(
        !changed.contains("kustomization") && !changed.contains("tidegate"),
        "{changed}"
    );
}

/// What a person changes meanwhile stays, and the release ends as it would have.
#[test]
fn edits_made_meanwhile_survive() {
    let repository = edited(|_| {});
    let edit = |repository: &Repository| {
        repository.replace(
            "apps/reviews/base/route.yaml",
            "timeouts: {request: 5s}",
            "timeouts: {request: 7s}   # longer",
        );
        repository.replace(
            "apps/reviews/overlays/production/hpa.yaml",
            "maxReplicas: 12",
            "maxReplicas: 15",
        );
        repository.replace(
            STAGING,
            "namespace: shop-staging\n",
            "namespace: shop-staging\ncommonAnnotations: {note: x}\n",
        );
        repository.commit("a person's");
    };
    let plain = edited(|_| {});
    edit(&plain);
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    go(&repository, "next", 3);
    edit(&repository);
    while !repository
        .run(&["-C", AT, "next", "--commit"])
        .expect(0)
        .stderr
        .contains("nothing to do")
    {}
    let changed = repository.diff_of(&plain.tree());
    assert_eq!(changed, format!("{PRODUCTION}\n{STAGING}\n"));
    let promoted = plain.read(STAGING).replace("1.16.2", "9.9.9");
    assert_eq!(repository.read(STAGING), promoted);
}

/// The fixtures of plain manifests, with a kustomization in each folder of them.
#[test]
fn every_traffic_system_lives_under_kustomizations() {
    let cases = [
        ("gateway-api/reviews", "deploy/reviews", "reviews", &[][..]),
        ("istio-hosts/bookinfo", ".", "reviews", &[]),
        ("smi/books", ".", "books", &["--provider", "smi"]),
        ("app-mesh/dj-app", ".", "jazz-v1", &[]),
        ("app-mesh/dj-app-v1beta2", ".", "metal-v1", &[]),
        ("kubesphere/bookinfo", ".", "reviews-v1", &[]),
        ("replicas/notification", "notification", "notification", &[]),
    ];
    for (fixture, at, workload, more) in cases {
        let repository = Repository::of(fixture);
        let mut folders: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
        for file in repository.tree().keys().filter(|file| file.ends_with(".yaml")) {
            let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
            folders
                .entry(folder.to_owned())
                .or_default()
                .push(name.to_owned());
        }
        for (folder, names) in folders {
            let file = format!("{folder}/kustomization.yaml");
            repository.write(
                file.trim_start_matches('/'),
                format!("resources: [{}]\n", names.join(", ")),
            );
        }
        repository.commit("kustomizations");
        let start = repository.tree();
        let init = [
            "-C",
            at,
            "init",
            "--workload",
            workload,
            "--canary-tag",
            "9.9.9",
            "--steps",
            "100",
            "--commit",
        ];
        let _ = repository.run(&[&init[..], more].concat()).expect(0);
        let mut count = 0;
        while !repository
            .run(&["-C", at, "next", "--commit"])
            .expect(0)
            .stderr
            .contains("nothing to do")
        {
            count += 1;
        }
        assert!(count >= 6, "{fixture}: {count}");
        let changed = repository.diff_of(&start);
        assert!(
            !changed.contains("tidegate") && !changed.contains("kustomization"),
            "{fixture}: {changed}"
        );
    }
}

#[test]
fn a_rule_before_the_one_that_is_split_is_not_mistaken_for_it() {
    let repository = edited(|_| {});
    let _ = repository.run(&[&INIT[..], &["--commit"]].concat()).expect(0);
    go(&repository, "next", 2);
    repository.replace(
        "apps/reviews/base/route.yaml",
        "  rules:\n",
        "  rules:\n    - backendRefs: [{name: ratings, port: 9080}]\n",
    );
    let ended = repository.run(&["-C", AT, "status"]).expect(1);
    let _ = ended
        .says("[patch-failed]")
        .says("tidegate-canary-reviews-httproute-reviews.yaml")
        .says("has changed");
}

/// A canary made by hand is taken over; what a person wrote for it a person takes away.
#[test]
fn a_copy_of_a_persons_own_is_named_where_it_would_stay() {
    let repository = edited(|repository| {
        repository.replace(
            STAGING,
            "\nimages:\n  - name: ghcr.io/shop/reviews\n    newTag: 1.16.2   # moved by the pipeline\n",
            "",
        );
        repository.replace(
            PRODUCTION,
            "images:\n- name: ghcr.io/shop/reviews\n  newTag: 1.16.2\n",
            "",
        );
        repository.replace(BASE, "  - route.yaml\n", "  - route.yaml\n  - by-hand.yaml\n");
        let (deployment, service) = (
            "apps/reviews/base/deployment.yaml",
            "apps/reviews/base/service.yaml",
        );
        repository.replace(deployment, "ghcr.io/shop/reviews", "ghcr.io/shop/reviews:1.16.2");
        let objects = format!("{}---\n{}", repository.read(deployment), repository.read(service));
        let objects = objects
            .replace("app: reviews", "app: reviews-v2")
            .replace("metadata:\n  name: reviews\n", "metadata:\n  name: reviews-v2\n");
        repository.write(
            "apps/reviews/base/by-hand.yaml",
            objects.replace("1.16.2", "9.9.9"),
        );
        repository.replace(
            "apps/reviews/base/route.yaml",
            "        - name: reviews\n          port: 9080\n",
            "        - {name: reviews, port: 9080, weight: 50}\n        - {name: reviews-v2, port: 9080, weight: 50}\n",
        );
    });
    let adopt = ["-C", AT, "init", "--adopt", "--steps", "50,100", "--commit"];
    let _ = repository.run(&adopt).expect(0);
    go(&repository, "next", 3);
    let before = repository.tree();
    let ended = repository.run(&["-C", AT, "next"]).expect(1);
    let _ = ended
        .says("[cannot-edit]")
        .says("base/by-hand.yaml:2:1")
        .says("take its file out of `resources:`");
    assert!(repository.tree() == before);
}
