//! `check`: what it compares, what it refuses, and what it says where there is nothing to compare.

use crate::repository::Repository;

const RULE: &str = "gap/gap_canary_destination_rule.yaml";

fn remove(repository: &Repository, file: &str) {
    std::fs::remove_file(repository.path().join(file)).expect("a file");
}

#[test]
fn a_removed_rule_is_refused_with_the_requests_that_fail() {
    let repository = Repository::in_phase("ramp");
    let _ = repository.run(&["check"]).expect(0);
    remove(&repository, RULE);
    let ended = repository.run(&["check"]).expect(1);
    for text in [
        "error[unreachable]",
        "production: with this change, 50 % of the requests get 503 NC: the subset `v2` of",
        "requests: ",
        "applied: DestinationRule/my-service--web",
        RULE,
    ] {
        assert!(ended.stdout.contains(text), "no {text:?} in\n{}", ended.stdout);
    }
    // What is only in the files is not about to be committed.
    let _ = repository.run(&["check", "--staged"]).expect(0);
    repository.git(&["add", "--all"]);
    let _ = repository.run(&["check", "--staged"]).expect(1);
}

#[test]
fn two_transitions_in_one_change_are_refused_with_the_commits_that_would_be_safe() {
    let repository = Repository::in_phase("wire");
    let _ = repository.run(&["next"]).expect(0);
    let _ = repository.run(&["next", "--allow-dirty"]).expect(0);
    let ended = repository.run(&["check"]).expect(1);
    let repair = "make it 2 commits, each rolled out before the next: 1. Service/my-service-web; 2. VirtualService/my-service--web";
    assert!(ended.stdout.contains(repair), "{}", ended.stdout);
    repository.git(&["add", "gap/gap_patch_canary_service.yaml"]);
    let _ = repository.run(&["check", "--staged"]).expect(0);
}

#[test]
fn a_base_is_compared_with_as_a_whole() {
    let repository = Repository::in_phase("park");
    let _ = repository.run(&["check", "--base", "HEAD~1"]).expect(0);
    let ended = repository.run(&["check", "--base", "HEAD~2"]).expect(1);
    assert!(ended.stdout.contains("staging: "), "{}", ended.stdout);
    let ended = repository
        .run(&["check", "--base", "HEAD~2", "--env", "production"])
        .expect(1);
    assert!(!ended.stdout.contains("staging: "), "{}", ended.stdout);
}

#[test]
fn a_revision_that_does_not_exist_is_exit_code_2() {
    let repository = Repository::in_phase("split");
    for revision in ["nowhere", "--output=x", "HEAD:gap", ""] {
        let argument = format!("--base={revision}");
        let _ = repository
            .run(&["check", &argument])
            .expect(2)
            .says("there is no commit");
    }
    let _ = repository
        .run(&["check", "--env", "prod"])
        .expect(1)
        .says("production");
}

#[test]
fn without_commits_or_git_the_files_are_looked_at_alone() {
    let repository = Repository::without_git("istio/my-service");
    let _ = repository.run(&["check"]).expect(0).says("no git repository");
    let _ = repository
        .run(&["check", "--staged"])
        .expect(2)
        .says("no git repository");
    repository.git(&["init", "--quiet"]);
    let _ = repository
        .run(&["check"])
        .expect(0)
        .says("no commit to compare with");
    repository.git(&["add", "--all"]);
    let _ = repository.run(&["check", "--staged"]).expect(0);
}

#[test]
fn a_state_before_that_cannot_be_read_is_said() {
    let repository = Repository::in_phase("split");
    repository.replace("gap/gap.yaml", "name: my-service", "name: [my-service");
    repository.commit("broken");
    repository.replace("gap/gap.yaml", "name: [my-service", "name: my-service");
    let ended = repository.run(&["check"]).expect(0);
    assert!(
        ended.stdout.contains("warning[broken-before]"),
        "{}",
        ended.stdout
    );
    let _ = repository.run(&["check", "--strict"]).expect(1);
}

#[test]
fn a_state_before_that_is_broken_already_is_judged_relative_to_it() {
    let repository = Repository::in_phase("ramp");
    remove(&repository, RULE);
    repository.commit("broken by hand");
    repository.replace("gap/gap.yaml", "command:", "command: # touched");
    let ended = repository.run(&["check"]);
    // Told where the missing subset is named.
    for text in [
        "warning[broken-before]",
        "staging/gap_patch_canary_virtual_service.yaml",
    ] {
        assert!(ended.stdout.contains(text), "no {text:?} in\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("error[unreachable]"), "{}", ended.stdout);
}

#[test]
fn an_application_that_is_removed_is_named() {
    let repository = Repository::of("istio/monorepo");
    std::fs::remove_dir_all(repository.path().join("services/search/gap")).expect("removed");
    let ended = repository.run(&["check"]).expect(0);
    assert!(
        ended
            .stdout
            .contains("warning[withdrawn]: this application is removed"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("services/search/gap/gap.yaml"),
        "{}",
        ended.stdout
    );
}

#[test]
fn fix_writes_the_files_of_the_release_again_and_nothing_else() {
    let repository = Repository::in_phase("ramp");
    let routes = "gap/production/gap_patch_canary_virtual_service.yaml";
    let before = repository.read(routes);
    repository.replace(routes, "  - route:", "  - timeout: 20s\n    route:");
    let _ = repository.run(&["check"]).expect(0);
    let tree = repository.tree();
    let _ = repository.run(&["check", "--fix"]).expect(0);
    assert_eq!(repository.read(routes), before);
    assert_eq!(repository.diff_of(&tree), format!("{routes}\n"));
    assert_eq!(
        repository.read_phase(".", "web"),
        ["ramp"],
        "never the next phase"
    );
    let tree = repository.tree();
    let _ = repository.run(&["check", "--fix"]).expect(0);
    assert_eq!(repository.diff_of(&tree), "", "twice is once");
}

#[test]
fn the_order_of_argo_cd_can_only_accept_more() {
    let repository = Repository::in_phase("widen");
    // The Service is applied before the VirtualService whatever their names are.
    let _ = repository.run(&["next"]).expect(0);
    let _ = repository.run(&["check", "--order", "argocd"]).expect(0);
    let repository = Repository::in_phase("wire");
    let _ = repository.run(&["next"]).expect(0);
    let _ = repository.run(&["next", "--allow-dirty"]).expect(0);
    let _ = repository.run(&["check"]).expect(1);
    let ended = repository.run(&["check", "--order", "argocd"]).expect(0);
    assert!(ended.stderr.contains("the order of Argo CD"), "{}", ended.stderr);
}

/// What a person adds to `my-service` while a canary runs: a job whose pods carry the release's label.
fn mark_a_job(repository: &Repository) {
    let jobs = "cronjobs:\n  report:\n    schedule: \"0 4 * * *\"\n    podLabels:\n      canary: enabled\n";
    let spec = repository.read("gap/gap.yaml");
    repository.write("gap/gap.yaml", format!("{}\n{jobs}", spec.trim_end()));
    repository.commit("report");
}

#[test]
fn a_worker_behind_the_service_of_a_release_is_told() {
    let repository = Repository::of("istio/by-hand/marked-worker");
    let ended = repository.run(&["check"]).expect(0);
    for text in [
        "warning[foreign-pods]: Service/invoices-web selects the pods of Deployment/invoices-printer too, which are no version of `web`",
        "gap/gap.yaml:45:3",
        "take the label `canary: enabled` off its pods",
    ] {
        assert!(ended.stdout.contains(text), "no {text:?} in\n{}", ended.stdout);
    }
    assert_eq!(
        ended.stdout.matches("foreign-pods").count(),
        1,
        "once for all environments"
    );
    let ended = Repository::of("istio/by-hand/ramp").run(&["check"]).expect(0);
    assert!(!ended.stdout.contains("foreign-pods"), "{}", ended.stdout);
}

#[test]
fn the_service_is_not_widened_over_pods_of_neither_version() {
    let repository = Repository::in_phase("wire");
    mark_a_job(&repository);
    let ended = repository.run(&["check"]).expect(0);
    let told = "Service/my-service-web would select the pods of CronJob/my-service-report too";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
    let tree = repository.tree();
    repository
        .run(&["next"])
        .expect(1)
        .says("error[foreign-pods]")
        .says(told);
    assert_eq!(repository.diff_of(&tree), "");
    // The way back stays open, from where the Service is wide already as well.
    let _ = repository.run(&["abort", "--diff"]).expect(0);
    let repository = Repository::in_phase("ramp");
    mark_a_job(&repository);
    for command in ["rollback", "next", "abort"] {
        repository.run(&[command, "--diff"]).expect(0);
    }
}

/// A Deployment's selector is set once: a change of it stops every sync.
#[test]
fn a_selector_that_changes_is_refused() {
    let repository = Repository::of("gateway-api/reviews");
    let _ = repository
        .run(&["-C", "deploy/reviews", "init", "--canary-tag", "2"])
        .expect(0);
    repository.commit("init");
    let file = "deploy/reviews/staging/reviews.yaml";
    let labels = "matchLabels:\n      app: reviews\n";
    repository.replace(file, labels, &format!("{labels}      tier: web\n"));
    repository.replace(
        file,
        "app: reviews   # do not touch\n",
        "app: reviews   # do not touch\n        tier: web\n",
    );
    let refused = repository.run(&["check"]).expect(1);
    let said =
        "error[immutable-selector]: the selector of Deployment/reviews changes, which the API server refuses";
    assert!(refused.stdout.contains(said), "{}", refused.stdout);
    assert!(
        refused.stdout.contains("staging/reviews.yaml:28:3"),
        "{}",
        refused.stdout
    );
}

/// What a person has looked at is not told again, if they say why.
#[test]
fn a_finding_is_ignored_with_a_reason() {
    let repository = Repository::of("invalid/dead-rule");
    let file = "gap/gap_patch_routes.yaml";
    let told = repository.run(&["check"]).expect(0);
    assert!(told.stdout.contains("warning[dead-rule]"), "{}", told.stdout);
    let line = repository.read(file).lines().nth(8).expect("a rule").to_owned();
    let ignoring = |comment: &str| {
        repository.replace(
            file,
            &line,
            &format!("{line} # tidegate: ignore dead-rule{comment}"),
        );
        let told = repository.run(&["check", "--strict"]);
        repository.replace(file, &format!(" # tidegate: ignore dead-rule{comment}"), "");
        told
    };
    let without = ignoring("").expect(1);
    assert!(
        without
            .stdout
            .contains("say why it is ignored: # tidegate: ignore dead-rule because"),
        "{}",
        without.stdout
    );
    let with = ignoring(" because it comes back in June").expect(0);
    assert!(!with.stdout.contains("dead-rule"), "{}", with.stdout);
    assert!(with.stderr.contains("1 ignored with a reason"), "{}", with.stderr);
}

/// A bot that writes the stable version's tag would replace it past all weights.
#[test]
fn a_bot_that_may_move_the_stable_version_is_told() {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init"]).expect(0);
    repository.commit("init");
    let _ = repository.run(&["next"]).expect(0);
    repository.commit("split");
    // The tag of the copy, and that of the application, which is free to move.
    let marked = |place: usize, above: &str, behind: &str| {
        let spec = repository.read("gap/gap.yaml");
        let tag = "tag: a1f3c9d2";
        let (at, _) = spec.match_indices(tag).nth(place).expect("a tag");
        let line = spec[..at].rfind('\n').map_or(0, |end| end + 1);
        let (lines, rest) = spec.split_at(line);
        let rest = rest.replacen(tag, &format!("{tag}{behind}"), 1);
        repository.write("gap/gap.yaml", format!("{lines}{above}{rest}"));
        let told = repository.run(&["check"]).expect(0).stdout;
        repository.write("gap/gap.yaml", spec);
        told
    };
    let flux = " # {\"$imagepolicy\": \"flux-system:my-service:tag\"}";
    let renovate = "# renovate: datasource=docker depName=my-service\n";
    for (above, behind) in [("", flux), (renovate, ""), ("", &format!(" {}", renovate.trim()))] {
        let free = marked(0, above, behind);
        assert!(!free.contains("moving-pin"), "{free}");
        let pinned = marked(1, above, behind);
        let said = "an image bot may move the stable version of `web`, which runs `web-v1`";
        assert!(pinned.contains(said), "{above}{behind}: {pinned}");
    }
    let far = marked(1, &format!("{renovate}\n"), " # not $ imagepolicy");
    assert!(!far.contains("moving-pin"), "{far}");
}

/// What may not be deleted cannot leave at the end.
#[test]
fn a_copy_that_may_not_be_deleted_is_told() {
    let repository = Repository::of("istio/my-service");
    let spec = repository.read("gap/gap.yaml");
    repository.write("gap/gap.yaml", format!("deletionProtection: true\n{spec}"));
    repository.commit("protected");
    let _ = repository.run(&["init"]).expect(0);
    repository.commit("init");
    let _ = repository.run(&["next"]).expect(0);
    repository.commit("split");
    let own = repository.run(&["check"]).expect(0);
    assert!(!own.stdout.contains("protected-copy"), "{}", own.stdout);
    std::fs::remove_file(repository.path().join("gap/gap_patch_canary_copy.yaml")).expect("a patch of ours");
    let bare = repository.run(&["check"]).expect(0);
    assert!(bare.stdout.contains("warning[protected-copy]"), "{}", bare.stdout);
}

/// A copy that lacks what scales its workload, or keeps its pods while nodes are drained, is told; one of ours lacks nothing.
#[test]
fn a_copy_without_what_its_workload_has_is_told() {
    let repository = Repository::of("istio/orders");
    let _ = repository.run(&["init", "--workload", "web"]).expect(0);
    repository.commit("init");
    let _ = repository.run(&["next"]).expect(0);
    repository.commit("split");
    let told = |repository: &Repository| repository.run(&["check"]).expect(0).stdout;
    assert!(
        !told(&repository).contains("incomplete-copy"),
        "{}",
        told(&repository)
    );
    let copies = repository.read("gap/gap_canary_copy.yaml");
    let (others, budget) = copies.split_once("---\n").expect("two documents");
    assert!(budget.contains("kind: PodDisruptionBudget"), "{budget}");
    repository.write("gap/gap_canary_copy.yaml", others);
    let drained = told(&repository);
    let said = "PodDisruptionBudget/orders-web is for `web` alone in staging";
    assert!(drained.contains("warning[incomplete-copy]"), "{drained}");
    assert!(drained.contains(said), "{drained}");
    assert!(drained.contains("--> gap/gap_pdb.yaml:2:1"), "{drained}");
    assert!(!drained.contains("HorizontalPodAutoscaler"), "{drained}");

    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init"]).expect(0);
    repository.commit("init");
    let _ = repository.run(&["next"]).expect(0);
    repository.commit("split");
    let spec = repository.read("gap/gap.yaml");
    let metrics = "[{type: Resource, name: cpu, targetAverageUtilization: 60}]";
    let scaled = format!(
        "  web:\n    autoscaling: {{enabled: true, minReplicas: 2, maxReplicas: 6, metrics: {metrics}}}\n"
    );
    repository.write("gap/gap.yaml", spec.replacen("  web:\n", &scaled, 1));
    let scaled = told(&repository);
    assert!(
        scaled.contains("HorizontalPodAutoscaler/my-service-web is for `web` alone in"),
        "{scaled}"
    );
}

/// What a release puts into the cluster and another application has as well is told where the other has it, unless somebody
/// says why it is no clash.
#[test]
fn an_object_of_two_applications_is_told() {
    let repository = Repository::of("istio/monorepo");
    let other = "name: search-web\nnamespace: shop\nuseServiceMesh: true\n\
                 image: {repository: gap-images/other, tag: f00dfeed}\ndeployments:\n  v1: {}\n";
    repository.write("services/other/gap/gap.yaml", other);
    repository.commit("another application");
    let told = |code| repository.run(&["check"]).expect(code).stdout;
    assert!(!told(0).contains("contested-object"), "{}", told(0));
    let at = ["-C", "services/search"];
    let _ = repository
        .run(&[&at[..], &["init", "--workload", "web"]].concat())
        .expect(0);
    repository.commit("init");
    assert!(!told(0).contains("contested-object"), "{}", told(0));
    let _ = repository.run(&[&at[..], &["next"]].concat()).expect(0);
    let contested = told(1);
    let said =
        "Service/search-web-v1 in staging is also put there by the release of `web` in services/search";
    assert!(contested.contains("error[contested-object]"), "{contested}");
    assert!(contested.contains(said), "{contested}");
    assert!(
        contested.contains("--> services/other/gap/gap.yaml:6:7"),
        "{contested}"
    );
    let reason = "  # tidegate: ignore contested-object because these are two clusters\n  v1: {}\n";
    repository.write("services/other/gap/gap.yaml", other.replace("  v1: {}\n", reason));
    assert!(!told(0).contains("contested-object"), "{}", told(0));
    repository.write(
        "services/other/gap/gap.yaml",
        other.replace("namespace: shop", "namespace: other"),
    );
    assert!(!told(0).contains("contested-object"), "{}", told(0));
}

/// What a sparse checkout leaves out is no deletion; where settings are left out, nothing is judged or written by others.
#[test]
fn a_sparse_checkout_is_judged_as_far_as_it_is_there() {
    let repository = Repository::of("istio/monorepo");
    let sparse = |folders: &[&str]| repository.git(&[&["sparse-checkout", "set"], folders].concat());
    let _ = sparse(&["services/search", ".tidegate"]);
    assert!(!repository.path().join("services/catalog").exists());
    for args in [
        &["check"][..],
        &["check", "--base", "HEAD"],
        &["check", "--staged"],
    ] {
        let ended = repository.run(args).expect(0);
        assert_eq!(ended.stdout, "", "{args:?}");
    }
    let _ = sparse(&["services/search"]);
    let edit = |text: &str| repository.replace("services/search/gap/gap.yaml", "useServiceMesh: true", text);
    edit("useServiceMesh: true   # noted");
    let _ = repository.git(&["add", "services/search"]);
    let staged = repository.run(&["check", "--staged"]).expect(0);
    assert_eq!(staged.stdout, "", "the settings are in the commit");
    for args in [
        &["check"][..],
        &["check", "--base", "HEAD"],
        &["-C", "services/search", "status"],
        &["-C", "services/search", "init", "--steps", "100"],
    ] {
        let ended = repository.run(args).expect(1);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("[not-checked-out]"), "{args:?}: {said}");
        assert!(said.contains(".tidegate/config.yaml"), "{args:?}: {said}");
        assert!(
            said.contains("git sparse-checkout add .tidegate"),
            "{args:?}: {said}"
        );
    }
}

/// Of a shallow clone the index and the last commit can be judged; what lies before is said to be missing.
#[test]
fn a_shallow_clone_is_judged_as_far_as_it_is_there() {
    let repository = Repository::in_phase("split");
    let clone = Repository::with(&[]);
    let from = format!("file://{}", repository.path().display());
    let _ = clone.git(&["init", "--quiet", "--initial-branch=main"]);
    let _ = clone.git(&["fetch", "--quiet", "--depth", "1", &from, "HEAD"]);
    let _ = clone.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    let _ = clone.run(&["check", "--staged"]).expect(0);
    let _ = clone.run(&["check", "--base", "HEAD"]).expect(0);
    let _ = clone
        .run(&["check", "--base", "HEAD~1"])
        .expect(2)
        .says("git fetch --unshallow");
    clone.replace("gap/gap.yaml", "version: v2", "version: v9");
    let _ = clone.git(&["add", "--all"]);
    let _ = clone.run(&["check", "--staged"]).expect(1);
}
