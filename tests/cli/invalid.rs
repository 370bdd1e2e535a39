//! Bad input: one diagnostic with its place and what to type, exit code 1, nothing on standard output, nothing written.

use crate::cases::cases;
use crate::repository::Repository;

#[test]
fn every_mistake_gets_its_diagnostic() {
    let mut wrong = Vec::new();
    for (name, case) in cases("invalid") {
        let repository = Repository::of(&name);
        let before = repository.tree();
        let ended = repository.run(&case.args());
        // What `check` finds is its product.
        let said = match case.args()[0] {
            "check" => &ended.stdout,
            _ => &ended.stderr,
        };
        let at = case.at.clone().expect("a place");
        let expected = [
            case.code.clone().map(|code| format!("[{code}]")),
            Some(at),
            case.says.clone(),
            case.hint.clone(),
        ];
        let mut missing: Vec<String> = expected
            .into_iter()
            .flatten()
            .filter(|text| !said.contains(text.as_str()))
            .collect();
        if ended.code != case.exit {
            missing.push(format!("exit {:?}, not {:?}", case.exit, ended.code));
        }
        if case.exit == Some(1) && case.args()[0] == "render" && !ended.stdout.is_empty() {
            missing.push("an empty standard output".to_owned());
        }
        if repository.tree() != before {
            missing.push("an unchanged tree".to_owned());
        }
        if !missing.is_empty() {
            wrong.push(format!("{name}: lacks {missing:?} in:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same mistake stops a command that writes, before it writes.
#[test]
fn a_mistake_stops_every_command_that_writes() {
    let writing: [&[&str]; 5] = [
        &["init"],
        &["next"],
        &["rollback"],
        &["abort"],
        &["shift", "--env", "staging", "--to", "5"],
    ];
    for (name, case) in cases("invalid").iter().filter(|(_, case)| case.exit == Some(1)) {
        // These are about a release's state or its beginning; commands that do not touch it may go on.
        if matches!(
            case.code.as_deref(),
            Some("environments-disagree" | "contested-host")
        ) {
            continue;
        }
        let repository = Repository::of(name);
        let before = repository.tree();
        for args in writing {
            let ended = repository.run(args);
            assert_eq!(
                ended.code,
                Some(1),
                "{name} {args:?}:\n{}\n{}",
                ended.stdout,
                ended.stderr
            );
        }
        assert!(repository.tree() == before, "{name}");
    }
}

#[test]
fn a_file_of_100_mb_is_refused_by_its_size() {
    let repository = Repository::of("istio/my-service");
    let line = "# nothing but a comment\n";
    repository.write("gap/gap_large.yaml", line.repeat(100_000_000 / line.len()));
    repository
        .run(&["render", "--env", "staging"])
        .expect(1)
        .says("error[unreadable]")
        .says("gap/gap_large.yaml")
        .says("more than the limit");
}

#[test]
fn a_folder_where_a_file_is_needed_is_named() {
    let repository = Repository::of("istio/my-service");
    std::fs::remove_file(repository.path().join("gap/gap.yaml")).expect("removed");
    std::fs::create_dir(repository.path().join("gap/gap.yaml")).expect("a folder");
    repository
        .run(&["-C", "gap", "status"])
        .expect(1)
        .says("gap/gap.yaml")
        .says("folder");
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_repository_is_refused() {
    let repository = Repository::of("istio/my-service");
    let outside = repository.path().join("../outside.yaml");
    std::fs::write(
        &outside,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stolen}\n",
    )
    .expect("a file");
    std::os::unix::fs::symlink(
        "../../outside.yaml",
        repository.path().join("gap/gap_outside.yaml"),
    )
    .expect("a link");
    let ended = repository
        .run(&["render", "--env", "staging"])
        .expect(1)
        .says("gap/gap_outside.yaml");
    assert!(ended.stdout.is_empty());
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let repository = Repository::of("istio/my-service");
    let outside = repository.path().join("../outside");
    std::fs::create_dir(&outside).expect("a folder");
    repository.step_init();
    std::os::unix::fs::symlink("../../outside", repository.path().join("gap/staging")).expect("a link");
    repository.commit("a link");
    let _ = repository.run(&["next"]);
    repository.commit("split");
    let ended = repository.run(&["next"]);
    assert_ne!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(std::fs::read_dir(outside).expect("a folder").count(), 0);
}

impl Repository {
    fn step_init(&self) {
        let _ = self.run(&["init"]).expect(0);
        self.commit("init");
    }
}

#[test]
fn names_given_on_the_command_line_are_checked() {
    let repository = Repository::of("istio/my-service");
    repository
        .run(&["render", "--env", "prodcution"])
        .expect(1)
        .says("unknown-name")
        .says("did you mean `production`?");
    repository
        .run(&["init", "--workload", "wbe"])
        .expect(1)
        .says("did you mean `web`?");
    repository
        .run(&["init", "--provider", "isto"])
        .expect(1)
        .says("did you mean `istio`?");
    repository
        .run(&["init", "--stable-tag", "sha256:abc"])
        .expect(1)
        .says("is not a digest");
    repository
        .run(&["init", "--stable-tag", "latest"])
        .expect(1)
        .says("latest");
    repository
        .run(&["init", "--steps", "50,10,100"])
        .expect(1)
        .says("does not come after");
    let _ = repository.run(&["init"]).expect(0);
    repository.commit("init");
    repository
        .run(&["next", "--to", "spilt"])
        .expect(1)
        .says("did you mean `split`?");
    repository
        .run(&["next", "--env", "prod"])
        .expect(1)
        .says("there is no environment `prod`");
    repository
        .run(&["next", "--to", "hold"])
        .expect(1)
        .says("the next phase is split");
    repository
        .run(&["shift", "--env", "staging", "--to", "101"])
        .expect(2)
        .says("101");
    repository.run(&["nxt"]).expect(2).says("next");
}

#[test]
fn a_canary_that_cannot_start_is_refused_with_the_reason() {
    let check = |edit: &dyn Fn(&Repository), reason: &str| {
        let repository = Repository::of("istio/my-service");
        edit(&repository);
        repository.commit("edit");
        let before = repository.tree();
        repository.run(&["init"]).expect(1).says(reason);
        assert!(repository.tree() == before, "{reason}");
    };
    let spec = "gap/gap.yaml";
    check(
        &|repository| repository.replace(spec, "useServiceMesh: true", "useServiceMesh: false"),
        "not routed by the service mesh",
    );
    check(
        &|repository| repository.replace(spec, "enabled: true", "enabled: false"),
        "nothing reaches a workload from outside",
    );
    check(
        &|repository| repository.replace(spec, "  web:\n", "  web:\n    podLabels: {version: blue}\n"),
        "carry a label `version` of their own",
    );
    check(
        &|repository| repository.replace(spec, "  web:\n", "  web-v1: {}\n  web:\n"),
        "the copy would be called `web-v1`, which is taken",
    );
    let patch =
        |text: &'static str| move |repository: &Repository| repository.write("gap/gap_patch_web.yaml", text);
    check(
        &patch(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: my-service-web}\nspec: {strategy: {type: Recreate}}\n",
        ),
        "strategy Recreate",
    );
    check(
        &patch(
            "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata: {name: my-service--web}\nspec:\n  http:\n  - route:\n    - destination: {host: my-service-web}\n      weight: 60\n    - destination: {host: elsewhere}\n      weight: 40\n",
        ),
        "also goes to elsewhere",
    );
    check(
        &|repository| {
            repository.write(
                "gap/gap_routes.yaml",
                "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata: {name: more}\nspec: {hosts: [my-service-web]}\n",
            );
        },
        "both route my-service-web.relational-data.svc.cluster.local in the mesh",
    );
    check(
        &|repository| {
            repository.write(
                "gap/gap_scaler.yaml",
                "apiVersion: example.com/v1\nkind: PodWatcher\nmetadata: {name: watch}\nspec: {watch: my-service-web}\n",
            );
        },
        "names workload `web` in a way that cannot be copied",
    );
}
