//! What the commands promise beside their work: modes of writing, uncommitted files, formats, several releases.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::repository::{Ended, Repository};

fn started() -> Repository {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init"]).expect(0);
    repository.commit("init");
    repository
}

/// At the given number of transitions after `init`.
fn after(count: usize) -> Repository {
    let repository = started();
    for _ in 0..count {
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    repository
}

#[test]
fn a_diff_is_what_git_apply_takes() {
    let repository = started();
    for _ in 0..10 {
        let diff = repository.run(&["next", "--diff"]).expect(0).stdout;
        repository.write("../change.diff", diff);
        repository.git(&["apply", "../change.diff"]);
        let applied = repository.tree();
        repository.git(&["checkout", "--quiet", "."]);
        repository.git(&["clean", "--force", "-d", "--quiet"]);
        let _ = repository.run(&["next", "--commit"]).expect(0);
        assert!(applied == repository.tree());
    }
}

#[test]
fn check_writes_nothing_and_exits_1_while_there_is_something_to_write() {
    let repository = started();
    let before = repository.tree();
    let ended = repository
        .run(&["next", "--check"])
        .expect(1)
        .says("gap/gap.yaml");
    assert_eq!(ended.stdout, "");
    assert!(repository.tree() == before);
    let idle = Repository::of("istio/my-service");
    let _ = idle.run(&["next", "--check"]).expect(0);
}

#[test]
fn a_commit_says_phase_traffic_and_undo() {
    let repository = after(5);
    let _ = repository
        .run(&["shift", "--env", "staging", "--to", "30", "--commit"])
        .expect(0);
    let message = repository.git(&["log", "-1", "--format=%B"]);
    for text in [
        "staging 70/30",
        "staging: 99/1 → 70/30",
        "production: 99/1, as before",
        "Undo: tidegate rollback",
    ] {
        assert!(message.contains(text), "no {text:?} in\n{message}");
    }
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_commit_takes_only_its_own_files() {
    let repository = started();
    repository.write("src/new.sh", "echo new\n");
    repository.git(&["add", "src/new.sh"]);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(repository.git(&["status", "--porcelain"]), "A  src/new.sh\n");
}

#[test]
fn two_transitions_never_melt_into_one_commit() {
    let repository = started();
    let _ = repository.run(&["next"]).expect(0);
    let before = repository.tree();
    repository
        .run(&["next"])
        .expect(1)
        .says("uncommitted")
        .says("gap/gap.yaml")
        .says("--allow-dirty");
    assert!(repository.tree() == before);
    let _ = repository.run(&["next", "--allow-dirty"]).expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["wire"]);
}

/// A transition that only removes a file is uncommitted too.
#[test]
fn a_removed_file_counts_as_uncommitted() {
    let repository = after(3);
    let _ = repository.run(&["abort"]).expect(0);
    repository.run(&["abort"]).expect(1).says("uncommitted");
}

#[test]
fn a_file_with_a_persons_uncommitted_edit_is_not_overwritten() {
    let repository = started();
    repository.replace("gap/gap.yaml", "command:", "command: # mine");
    repository
        .run(&["next"])
        .expect(1)
        .says("uncommitted")
        .says("gap/gap.yaml");
    let _ = repository.run(&["next", "--allow-dirty"]).expect(0);
    assert_eq!(
        repository.read("gap/gap.yaml").matches("# mine").count(),
        2,
        "the copy has the comment too"
    );
}

#[test]
fn every_command_but_next_can_be_run_twice() {
    let twice = |repository: &Repository, args: &[&str]| {
        let _ = repository.run(args).expect(0);
        let once = repository.tree();
        let times = |tree: &BTreeMap<String, Vec<u8>>| -> Vec<std::time::SystemTime> {
            let of = |file: &String| {
                std::fs::metadata(repository.path().join(file)).and_then(|found| found.modified())
            };
            tree.keys().map(|file| of(file).expect("a time")).collect()
        };
        let written = times(&once);
        let ended = repository.run(args);
        assert!(
            ended.code == Some(0) || ended.stderr.contains("uncommitted"),
            "{args:?}: {}",
            ended.stderr
        );
        assert!(repository.tree() == once, "{args:?}");
        assert!(times(&once) == written, "{args:?}: a file was written again");
    };
    twice(&Repository::of("istio/my-service"), &["init"]);
    let repository = after(5);
    twice(&repository, &["shift", "--env", "production", "--to", "7"]);
    repository.commit("shift");
    twice(&repository, &["rollback"]);
    repository.commit("rollback");
    twice(&repository, &["hotfix", "--stable-tag", "b00b1e55"]);
    repository.commit("hotfix");
    twice(&repository, &["abort"]);
    twice(&repository, &["next", "--to", "widen"]);
}

#[test]
fn shift_and_rollback_print_the_kubectl_line_that_does_the_same() {
    let repository = after(5);
    let said = repository
        .run(&["shift", "--env", "production", "--to", "20"])
        .expect(0)
        .stderr;
    assert!(
        said.contains(
            r#"kubectl -n relational-data patch virtualservice my-service--web --type json -p '[{"op":"replace","path":"/spec/http/0/route/0/weight","value":80},{"op":"replace","path":"/spec/http/0/route/1/weight","value":20}]'"#
        ),
        "{said}"
    );
    repository.commit("shift");
    let said = repository
        .run(&["rollback", "--env", "production"])
        .expect(0)
        .stderr;
    assert!(
        said.contains(r#""path":"/spec/http/0/route/1/weight","value":0}"#),
        "{said}"
    );
    assert!(!said.contains("# in staging"), "{said}");
    assert!(
        repository
            .read("gap/production/gap_patch_canary_virtual_service.yaml")
            .contains("weight: 100")
    );
    assert!(
        repository
            .read("gap/staging/gap_patch_canary_virtual_service.yaml")
            .contains("weight: 99")
    );
}

#[test]
fn environments_can_go_one_at_a_time() {
    let repository = after(1);
    let _ = repository
        .run(&["next", "--env", "staging", "--commit"])
        .expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["split", "wire"]);
    repository
        .run(&["next", "--env", "staging"])
        .expect(1)
        .says("is there already");
    let _ = repository.run(&["next", "--commit"]).expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["wire"]);
    repository
        .run(&["next", "--env", "staging"])
        .expect(1)
        .says("all environments at once");
    let _ = repository.run(&["next", "--commit"]).expect(0);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    let _ = repository
        .run(&["next", "--env", "staging", "--commit"])
        .expect(0);
    let text = repository.run(&["status"]).expect(0).stdout;
    assert!(text.contains("staging     stable 99 / canary 1"), "{text}");
    assert!(text.contains("production  stable 100 / canary 0"), "{text}");
}

#[test]
fn next_to_a_phase_is_idempotent() {
    let repository = after(2);
    let _ = repository.run(&["next", "--to", "widen", "--commit"]).expect(0);
    let before = repository.tree();
    repository
        .run(&["next", "--to", "widen"])
        .expect(0)
        .says("nothing to do");
    assert!(repository.tree() == before);
}

#[test]
fn hotfix_moves_both_pins() {
    let repository = after(4);
    let _ = repository.run(&["hotfix", "--stable-tag", "b00b1e55"]).expect(0);
    assert!(repository.read("gap/gap.yaml").contains("tag: b00b1e55"));
    assert!(repository.read("gap/tidegate.yaml").contains("tag: b00b1e55"));
    assert_eq!(
        repository.git(&["diff", "--numstat"]),
        "1\t1\tgap/gap.yaml\n1\t1\tgap/tidegate.yaml\n"
    );
}

#[test]
fn a_pin_that_differs_from_the_release_file_is_drift() {
    let repository = after(4);
    repository.replace("gap/tidegate.yaml", "tag: a1f3c9d2", "tag: b00b1e55");
    repository
        .run(&["status"])
        .expect(0)
        .says("warning[drift]")
        .says("`web-v1` runs a1f3c9d2, the release file says b00b1e55");
}

#[test]
fn rollback_where_nothing_is_exposed_says_what_to_do() {
    after(2)
        .run(&["rollback"])
        .expect(1)
        .says("not-in-this-phase")
        .says("tidegate abort");
}

#[test]
fn a_plan_shows_every_transition_with_files_routing_preconditions_and_undo() {
    let repository = started();
    let plan: Value =
        serde_json::from_str(&repository.run(&["plan", "--format", "json"]).expect(0).stdout).expect("JSON");
    assert_eq!(plan["schema"], "tidegate.dev/plan/v1");
    let transitions = plan["transitions"].as_array().expect("a list");
    let names: Vec<_> = transitions
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    let expected = [
        "split", "wire", "widen", "park", "ramp", "ramp", "ramp", "ramp", "hold", "retire", "unroute",
        "unwire", "tidy",
    ];
    assert_eq!(names, expected);
    for (index, transition) in transitions.iter().enumerate() {
        assert!(!transition["preconditions"].as_array().expect("a list").is_empty());
        assert!(transition["undo"].as_str().expect("text").contains("revert"));
        let written = repository.run(&["next", "--diff"]).expect(0).stdout;
        for file in transition["files"].as_array().expect("a list") {
            let path = file["path"].as_str().expect("a path");
            assert!(
                written.contains(&format!("diff --git a/{path} b/{path}")),
                "{index}: {path} in\n{written}"
            );
        }
        let _ = repository.run(&["next", "--commit"]).expect(0);
    }
    let text = started().run(&["plan"]).expect(0).stdout;
    assert!(
        text.contains("kubectl -n relational-data rollout status deployment/my-service-web-v1"),
        "{text}"
    );
    let markdown = started().run(&["plan", "--format", "markdown"]).expect(0).stdout;
    assert!(
        markdown.contains("| `production` | one version | 0/100 |")
            || markdown.contains("| production | one version | 0/100 |"),
        "{markdown}"
    );
}

#[test]
fn several_releases_live_side_by_side_in_one_application() {
    let repository = Repository::of("istio/monorepo");
    let start = repository.tree();
    let at = "services/catalog";
    for workload in ["web", "api"] {
        let _ = repository
            .run(&["-C", at, "init", "--workload", workload, "--commit"])
            .expect(0);
    }
    repository
        .run(&["-C", at, "next"])
        .expect(1)
        .says("several releases")
        .says("next --workload web");
    let step = |workload: &str| {
        let _ = repository
            .run(&["-C", at, "next", "--workload", workload, "--commit"])
            .expect(0);
    };
    // One after the other through the whole ramp, so that files of both are there at the same time.
    for _ in 0..6 {
        step("web");
        step("api");
    }
    let files: Vec<String> = repository
        .tree()
        .into_keys()
        .filter(|file| file.contains("canary"))
        .collect();
    assert!(
        files
            .iter()
            .any(|file| file.ends_with("gap/gap_patch_canary_service.yaml")),
        "{files:?}"
    );
    assert!(
        files
            .iter()
            .any(|file| file.ends_with("gap/gap_patch_canary_api_service.yaml")),
        "{files:?}"
    );
    let service = repository.read("services/catalog/gap/gap_patch_canary_api_service.yaml");
    assert!(service.contains("canary: api"), "{service}");
    let rule = repository.read("services/catalog/gap/gap_canary_api_destination_rule.yaml");
    assert!(rule.contains("canary: api"), "{rule}");
    // The first ends while the second still runs.
    for _ in 0..8 {
        let _ = repository.run(&["-C", at, "next", "--workload", "web", "--commit"]);
    }
    assert_eq!(repository.read_phase(at, "web"), ["idle"]);
    assert_eq!(repository.read_phase(at, "api"), ["ramp"]);
    for _ in 0..8 {
        let _ = repository.run(&["-C", at, "next", "--workload", "api", "--commit"]);
    }
    assert!(repository.tree() == start, "{:?}", repository.tree().keys());
}

#[test]
fn commands_that_need_one_application_name_those_there_are() {
    let repository = Repository::of("istio/monorepo");
    repository
        .run(&["init"])
        .expect(1)
        .says("services/catalog")
        .says("tidegate -C services/catalog init");
    let text = repository.run(&["status"]).expect(0).stdout;
    assert!(
        text.contains("catalog: no release") && text.contains("search: no release"),
        "{text}"
    );
}

#[test]
fn render_writes_one_file_per_object() {
    let repository = Repository::of("istio/my-service");
    let _ = repository
        .run(&["render", "--env", "staging", "--output-dir", "out"])
        .expect(0);
    let files: Vec<String> = repository
        .tree()
        .into_keys()
        .filter(|file| file.starts_with("out/"))
        .collect();
    assert!(
        files.contains(&"out/deployment_my-service-web.yaml".to_owned()),
        "{files:?}"
    );
    assert!(
        repository
            .read("out/virtualservice_my-service--web.yaml")
            .contains("my-service-staging.gservice.emarsys.com")
    );
}

/// Rendered manifests in a repository of their own: what is gone from the application goes there too, and nothing else.
#[test]
fn files_of_objects_that_are_gone_are_removed_if_they_are_ours() {
    let repository = Repository::of("istio/my-service");
    let render = || {
        repository
            .run(&["render", "--env", "staging", "--output-dir", "out"])
            .expect(0)
    };
    repository.write(
        "gap/gap_extra.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n",
    );
    repository.write("out/README.md", "of a person\n");
    repository.write("out/configmap_other.yaml", "of a person\n");
    let _ = render();
    assert!(
        repository
            .read("out/.tidegate-rendered")
            .contains("configmap_extra.yaml\n")
    );
    let before = repository.tree();
    let _ = render();
    assert_eq!(repository.diff_of(&before), "", "twice is once");
    std::fs::remove_file(repository.path().join("gap/gap_extra.yaml")).expect("removed");
    // A listing is only a text: it may not name what lies elsewhere.
    let listing = repository.read("out/.tidegate-rendered") + "../gap/gap.yaml\n.git\nREADME.md\n";
    repository.write("out/.tidegate-rendered", listing);
    let _ = render().says(", 1 removed");
    assert_eq!(
        repository.diff_of(&before),
        "gap/gap_extra.yaml\nout/.tidegate-rendered\nout/configmap_extra.yaml\n"
    );
    assert!(!repository.tree().contains_key("out/configmap_extra.yaml"));
    assert_eq!(repository.read("out/configmap_other.yaml"), "of a person\n");
    // An object that can be no file: nothing is touched.
    let before = repository.tree();
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: \"a:b\"}\n";
    repository.write("gap/gap_role.yaml", role);
    let args = ["render", "--env", "staging", "--output-dir", "out"];
    let _ = repository.run(&args).expect(1).says("error[invalid-name]");
    assert_eq!(repository.diff_of(&before), "gap/gap_role.yaml\n");
}

/// What is committed in the folder may be somebody else's: a link there leads nowhere.
#[cfg(unix)]
#[test]
fn rendered_files_are_not_written_through_links() {
    for name in ["deployment_my-service-web.yaml", ".tidegate-rendered"] {
        let repository = Repository::of("istio/my-service");
        let outside = repository.path().join("../outside");
        std::fs::write(&outside, "kept").expect("a file");
        repository.write("out/README.md", "of a person\n");
        std::os::unix::fs::symlink("../../outside", repository.path().join("out").join(name))
            .expect("a link");
        let before = repository.tree();
        repository
            .run(&["render", "--env", "staging", "--output-dir", "out"])
            .expect(2)
            .says(&format!("{name} is no regular file"));
        assert!(repository.tree() == before, "{name}");
        assert_eq!(std::fs::read_to_string(&outside).expect("a file"), "kept");
    }
}

#[test]
fn rendering_is_the_same_every_time_and_from_everywhere() {
    let repository = Repository::of("istio/orders");
    let first = repository
        .run(&["render", "--env", "production"])
        .expect(0)
        .stdout;
    let second = repository
        .run(&["-C", "gap/production", "render", "--env", "production"])
        .expect(0)
        .stdout;
    assert_eq!(first, second);
    assert!(
        !first.contains(repository.path().to_str().expect("UTF-8")),
        "no path of this machine"
    );
}

/// Whatever order a folder gives its names in, whatever the clock, the language and the number of processors.
#[test]
fn nothing_of_the_machine_is_in_the_output() {
    let repository = Repository::without_git("istio/orders");
    let _ = repository.run(&["init"]).expect(0);
    let tree = repository.tree();
    let outputs = |repository: &Repository, variables: &[(&str, &str)]| -> Vec<String> {
        let commands: [&[&str]; 5] = [
            &["status"],
            &["plan"],
            &["check"],
            &["render", "--env", "production"],
            &["next", "--diff"],
        ];
        let ended = commands.map(|args| {
            let mut command = repository.command(env!("CARGO_BIN_EXE_tidegate"));
            Ended::of(command.args(args).envs(variables.iter().copied())).expect(0)
        });
        ended.map(|ended| ended.stdout + &ended.stderr).into()
    };
    let expected = outputs(&repository, &[]);
    let machines: [&[(&str, &str)]; 4] = [
        &[("TZ", "Pacific/Kiritimati"), ("LC_ALL", "tr_TR.UTF-8")],
        &[("LANG", "C"), ("SOURCE_DATE_EPOCH", "1")],
        &[("RAYON_NUM_THREADS", "1"), ("USER", "somebody")],
        &[],
    ];
    for round in 0..20 {
        // The order in which files are made is the order in which many file systems give them.
        let mut files: Vec<_> = tree.iter().collect();
        files.sort_by_key(|(path, _)| {
            let mixed = path.bytes().fold(round, |sum: u32, byte| {
                sum.wrapping_mul(31).wrapping_add(u32::from(byte)) ^ (sum >> 7)
            });
            mixed.wrapping_mul(2_654_435_761)
        });
        let copy = Repository::with(&[]);
        files.iter().for_each(|(path, content)| copy.write(path, content));
        assert_eq!(
            outputs(&copy, machines[round as usize % 4]),
            expected,
            "round {round}"
        );
    }
}

#[test]
fn outside_of_git_everything_works_but_committing() {
    let repository = Repository::without_git("istio/my-service");
    let _ = repository.run(&["init"]).expect(0);
    let _ = repository.run(&["next"]).expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["split"]);
    let before = repository.tree();
    repository
        .run(&["next", "--commit"])
        .expect(1)
        .says("no git repository");
    assert!(
        repository.tree() == before,
        "nothing is written when it cannot be committed"
    );
}

#[test]
fn a_closed_pipe_and_help_are_no_failures() {
    let repository = Repository::of("istio/my-service");
    for args in [["render", "--env", "staging"].as_slice(), &["man"], &["status"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = repository.command(env!("CARGO_BIN_EXE_tidegate"));
        let output = command.args(args).stdout(writer).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(!stderr.to_lowercase().contains("pipe"), "{args:?}: {stderr}");
    }
    let help = repository.run(&["--help"]).expect(0);
    assert!(help.stdout.contains("Canary releases as reviewable Git diffs"));
    let _ = repository.run(&["completions", "bash"]).expect(0);
    let _ = repository.run(&["man"]).expect(0);
}

#[test]
fn a_code_is_explained_and_a_slip_in_it_is_told() {
    let repository = Repository::of("istio/my-service");
    let page = repository.run(&["explain", "unreachable"]).expect(0).stdout;
    assert!(
        page.starts_with("# unreachable\n") && page.contains("503 NC"),
        "{page}"
    );
    let list = repository.run(&["explain"]).expect(0).stdout;
    assert!(
        list.lines().any(|line| line.starts_with("unreachable ")),
        "{list}"
    );
    let _ = repository
        .run(&["explain", "unreacheable"])
        .expect(1)
        .says("did you mean `unreachable`?")
        .says("tidegate explain");
}
