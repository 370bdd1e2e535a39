//! The hooks of `.pre-commit-hooks.yaml`, run by the real pre-commit, in the situations in which git and pre-commit surprise.
//!
//! Where pre-commit is missing the tests say so and pass, unless `TIDEGATE_ENGINES=required`.

#![expect(clippy::print_stderr, reason = "tests say what they skip")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::repository::{Ended, Repository};

const DESTINATION_RULE: &str = "gap/gap_canary_destination_rule.yaml";
const ROUTES: &str = "gap/staging/gap_patch_canary_virtual_service.yaml";

/// A repository whose commits pre-commit looks at.
struct Hooked {
    repository: Repository,
    pre_commit: OsString,
}

impl Hooked {
    /// Installs a hook of ours as a user would: from a repository of hooks, by its id, with tidegate on the PATH.
    fn new(repository: Repository, id: &str) -> Option<Self> {
        let Some(pre_commit) = std::env::var_os("TIDEGATE_PRE_COMMIT") else {
            let message = "no pre-commit: TIDEGATE_PRE_COMMIT does not name one";
            let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
            assert!(!is_required, "{message}");
            eprintln!("skipped: {message}");
            return None;
        };
        let hooked = Self {
            repository,
            pre_commit,
        };
        let hooks = hooked.beside("hooks");
        std::fs::create_dir(&hooks).expect("a new folder");
        let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml");
        std::fs::copy(definitions, hooks.join(".pre-commit-hooks.yaml")).expect("a copy");
        hooked.git_in(&hooks, &["init", "--quiet"]).expect(0);
        hooked.git_in(&hooks, &["add", "--all"]).expect(0);
        hooked
            .git_in(&hooks, &["commit", "--quiet", "-m", "hooks"])
            .expect(0);
        let revision = hooked.git_in(&hooks, &["rev-parse", "HEAD"]).expect(0).stdout;
        // JSON is YAML, and needs no care with names.
        let config = serde_json::json!({"repos": [{
            "repo": hooks, "rev": revision.trim(), "hooks": [{"id": id}],
        }]});
        std::fs::write(hooked.config(), config.to_string()).expect("a file");
        hooked.install(&hooked.repository.path());
        Some(hooked)
    }

    /// A canary in the phase `split`, with the checking hook.
    fn at_split() -> Option<Self> {
        Self::new(at_split(), "tidegate-check-system")
    }

    fn install(&self, folder: &Path) {
        let config = self.config();
        let config = config.to_str().expect("UTF-8");
        for hook in ["pre-commit", "pre-merge-commit"] {
            let args = ["install", "--config", config, "--hook-type", hook];
            let _ = self.run(self.pre_commit.clone(), folder, &args).expect(0);
        }
    }

    /// A path beside the repository, of which it knows nothing.
    fn beside(&self, name: &str) -> PathBuf {
        self.repository.path().with_file_name(name)
    }

    fn config(&self) -> PathBuf {
        self.beside("pre-commit.yaml")
    }

    fn run(&self, program: OsString, folder: &Path, args: &[&str]) -> Ended {
        let mut command = self.repository.command(program);
        let tidegate = Path::new(env!("CARGO_BIN_EXE_tidegate"))
            .parent()
            .expect("a folder");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(tidegate.to_owned()).chain(std::env::split_paths(&path));
        command.env(
            "PATH",
            std::env::join_paths(folders).expect("no folder has a colon"),
        );
        Ended::of(command.current_dir(folder).args(args))
    }

    fn git_in(&self, folder: &Path, args: &[&str]) -> Ended {
        self.run("git".into(), folder, args)
    }

    fn git(&self, args: &[&str]) -> Ended {
        self.git_in(&self.repository.path(), args)
    }

    /// Writes the next transition, on top of whatever is there, and stages everything.
    fn stage_next(&self) {
        let _ = self.repository.run(&["next", "--allow-dirty"]).expect(0);
        let _ = self.git(&["add", "--all"]).expect(0);
    }

    /// Stages a change of two transitions, which is not safe.
    fn stage_two(&self) {
        self.stage_next();
        self.stage_next();
    }

    #[track_caller]
    fn commits(&self, args: &[&str]) {
        passed(self.git(&[&["commit", "-m", "change"], args].concat()));
    }

    #[track_caller]
    fn is_refused(&self, args: &[&str], code: &str) {
        refused(self.git(&[&["commit", "-m", "change"], args].concat()), code);
    }
}

fn at_split() -> Repository {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init", "--commit"]).expect(0);
    let _ = repository.run(&["next", "--commit"]).expect(0);
    repository
}

/// The hook ran, and git went on.
#[track_caller]
fn passed(ended: Ended) {
    let ended = ended.expect(0);
    let shown = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        shown
            .lines()
            .any(|line| line.starts_with("the change is safe") && line.ends_with("Passed")),
        "{shown}"
    );
}

/// The hook ran, and git stopped because of a finding of this code.
#[track_caller]
fn refused(ended: Ended, code: &str) {
    let shown = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(1), "{shown}");
    assert!(shown.contains(&format!("error[{code}]")), "{shown}");
}

#[test]
fn a_safe_commit_passes_and_an_unsafe_one_does_not() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.stage_two();
    hooked.is_refused(&[], "exposed");
    hooked.repository.git(&["reset", "--quiet", "--hard"]);
    hooked.stage_next();
    hooked.commits(&[]);
    hooked.stage_next();
    hooked.commits(&[]);
}

#[test]
fn both_hooks_run_from_a_clean_clone_of_theirs() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.stage_next();
    let (hooks, folder) = (hooked.beside("hooks"), hooked.repository.path());
    let hooks = hooks.to_str().expect("UTF-8");
    for id in ["tidegate-check-system", "tidegate-fix-system"] {
        let tried = hooked
            .run(hooked.pre_commit.clone(), &folder, &["try-repo", hooks, id])
            .expect(0);
        assert!(tried.stdout.contains("Passed"), "{}", tried.stdout);
    }
}

#[test]
fn a_commit_that_only_deletes_a_file_is_looked_at() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.stage_next();
    hooked.commits(&[]);
    hooked.repository.git(&["rm", "--quiet", DESTINATION_RULE]);
    hooked.is_refused(&[], "unreachable");
}

#[test]
fn what_is_not_staged_does_not_matter() {
    let Some(hooked) = Hooked::at_split() else { return };
    let repository = &hooked.repository;
    hooked.stage_next();
    let rule = repository.read(DESTINATION_RULE);
    std::fs::remove_file(repository.path().join(DESTINATION_RULE)).expect("a file");
    repository.write("gap/gap_patch_draft.yaml", "kind: {\n");
    hooked.commits(&[]);
    assert!(!repository.path().join(DESTINATION_RULE).exists());
    assert_eq!(repository.read("gap/gap_patch_draft.yaml"), "kind: {\n");
    // The other way round: what lies there is fine, what is staged is not.
    repository.write(DESTINATION_RULE, &rule);
    repository.git(&["rm", "--quiet", "--cached", DESTINATION_RULE]);
    hooked.is_refused(&[], "unreachable");
}

#[test]
fn the_first_commit_is_looked_at() {
    let repository = Repository::without_git("istio/my-service");
    repository.git(&["init", "--quiet", "--initial-branch=main"]);
    let Some(hooked) = Hooked::new(repository, "tidegate-check-system") else {
        return;
    };
    hooked.repository.write("gap/gap_patch_draft.yaml", "kind: {\n");
    hooked.repository.git(&["add", "--all"]);
    hooked.is_refused(&[], "invalid-yaml");
    hooked
        .repository
        .git(&["rm", "--quiet", "-f", "gap/gap_patch_draft.yaml"]);
    hooked.commits(&[]);
}

/// A hook sees what an amended commit adds to HEAD; `--base` names the commit before.
#[test]
fn an_amended_commit_is_compared_with_the_one_before_by_base() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.stage_next();
    hooked.commits(&[]);
    hooked.stage_next();
    let against = |base: &str| hooked.repository.run(&["check", "--staged", "--base", base]);
    let _ = against("HEAD").expect(0);
    assert!(against("HEAD~1").expect(1).stdout.contains("error[exposed]"));
    hooked.commits(&["--amend"]);
}

#[test]
fn a_merge_of_two_safe_commits_that_is_unsafe_as_one_is_refused() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.repository.git(&["checkout", "--quiet", "-b", "canary"]);
    hooked.stage_next();
    hooked.commits(&[]);
    hooked.stage_next();
    hooked.commits(&[]);
    hooked.repository.git(&["checkout", "--quiet", "main"]);
    let merge = |branch: &str| hooked.git(&["merge", "--no-ff", "--no-edit", branch]);
    refused(merge("canary"), "exposed");
    hooked.repository.git(&["merge", "--abort"]);
    passed(merge("canary~1"));
    passed(merge("canary"));
}

/// Git gives a partial commit an index of its own, which is the one that counts.
#[test]
fn a_partial_commit_is_judged_without_the_rest_of_the_index() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.stage_two();
    hooked.is_refused(&[], "exposed");
    hooked.is_refused(&["gap/gap_patch_canary_service.yaml"], "ambiguous-phase");
    hooked.commits(&["gap/staging", "gap/production"]);
    hooked.commits(&[]);
}

#[test]
fn a_commit_in_the_middle_of_a_rebase_is_looked_at() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.stage_next();
    hooked.commits(&[]);
    let rebase = [
        "-c",
        "sequence.editor=sed -i.bak 1s/pick/edit/",
        "rebase",
        "--interactive",
        "HEAD~1",
    ];
    let _ = hooked.git(&rebase).expect(0);
    hooked.repository.git(&["rm", "--quiet", DESTINATION_RULE]);
    hooked.is_refused(&[], "unreachable");
    hooked.repository.git(&["reset", "--quiet", "--hard"]);
    let _ = hooked.git(&["rebase", "--continue"]).expect(0);
}

#[test]
fn a_work_tree_beside_the_first_is_looked_at() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.stage_next();
    hooked.commits(&[]);
    let other = hooked.beside("other");
    hooked
        .repository
        .git(&["worktree", "add", "--quiet", "-b", "other", "../other"]);
    let commit = ["commit", "--quiet", "-m", "change"];
    let _ = hooked
        .git_in(&other, &["rm", "--quiet", DESTINATION_RULE])
        .expect(0);
    refused(hooked.git_in(&other, &commit), "unreachable");
    let _ = hooked.git_in(&other, &["reset", "--quiet", "--hard"]).expect(0);
    let tidegate = env!("CARGO_BIN_EXE_tidegate").into();
    let _ = hooked.run(tidegate, &other, &["next"]).expect(0);
    let _ = hooked.git_in(&other, &["add", "--all"]).expect(0);
    passed(hooked.git_in(&other, &commit));
}

#[test]
fn a_submodule_is_a_repository_of_its_own() {
    let Some(hooked) = Hooked::at_split() else { return };
    hooked.stage_next();
    hooked.commits(&[]);
    let above = hooked.beside("above");
    std::fs::create_dir(&above).expect("a new folder");
    let _ = hooked.git_in(&above, &["init", "--quiet"]).expect(0);
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "--quiet",
        "../repo",
        "service",
    ];
    let _ = hooked.git_in(&above, &add).expect(0);
    let below = above.join("service");
    hooked.install(&below);
    let _ = hooked
        .git_in(&below, &["rm", "--quiet", DESTINATION_RULE])
        .expect(0);
    refused(hooked.git_in(&below, &["commit", "-m", "change"]), "unreachable");
    // The repository above has nothing of ours: its own commit is none of our business.
    hooked.install(&above);
    passed(hooked.git_in(&above, &["commit", "-m", "change"]));
}

#[test]
fn line_ends_of_a_checkout_do_not_matter() {
    let Some(hooked) = Hooked::at_split() else { return };
    let repository = &hooked.repository;
    repository.git(&["config", "core.autocrlf", "true"]);
    repository.git(&["rm", "--quiet", "--cached", "-r", "."]);
    repository.git(&["reset", "--quiet", "--hard"]);
    assert!(repository.read("gap/gap.yaml").contains("\r\n"));
    hooked.stage_next();
    hooked.commits(&[]);
    repository.git(&["rm", "--quiet", DESTINATION_RULE]);
    hooked.is_refused(&[], "unreachable");
}

#[test]
fn names_may_have_spaces_and_letters_of_any_language() {
    let repository = at_split();
    std::fs::create_dir(repository.path().join("Dienst für Aufträge")).expect("a new folder");
    repository.git(&["mv", "gap", "Dienst für Aufträge/gap"]);
    repository.commit("moved");
    let Some(hooked) = Hooked::new(repository, "tidegate-check-system") else {
        return;
    };
    let repository = &hooked.repository;
    let at = repository.path().join("Dienst für Aufträge");
    let tidegate = || env!("CARGO_BIN_EXE_tidegate").into();
    let _ = hooked.run(tidegate(), &at, &["next"]).expect(0);
    repository.git(&["add", "--all"]);
    hooked.commits(&[]);
    repository.git(&[
        "rm",
        "--quiet",
        &format!("Dienst für Aufträge/{DESTINATION_RULE}"),
    ]);
    hooked.is_refused(&[], "unreachable");
}

#[test]
fn the_fixer_restores_files_of_ours_once_and_leaves_others_alone() {
    let repository = at_split();
    let _ = repository.run(&["next", "--commit"]).expect(0);
    let Some(hooked) = Hooked::new(repository, "tidegate-fix-system") else {
        return;
    };
    let repository = &hooked.repository;
    let wanted = repository.read(ROUTES);
    repository.write(ROUTES, format!("{wanted}    timeout: 5s\n"));
    repository.write("gap/gap_patch_own.yaml", OWN);
    repository.git(&["add", "--all"]);
    let before = repository.tree();
    let commit = ["commit", "-m", "change"];
    let first = hooked.git(&commit).expect(1);
    assert!(
        first.stderr.contains("files were modified by this hook"),
        "{}",
        first.stderr
    );
    assert!(repository.diff_of(&before).lines().all(|file| file == ROUTES));
    assert_eq!(repository.read(ROUTES), wanted);
    repository.git(&["add", "--all"]);
    let fixed = repository.tree();
    let _ = hooked.git(&commit).expect(0);
    assert!(repository.tree() == fixed);
}

const OWN: &str = "\
# Ours to keep:   spaces and all
apiVersion: apps/v1
kind: Deployment
metadata: {name: my-service-web}
spec: {minReadySeconds: 5}
";

#[test]
fn a_repository_with_nothing_of_ours_is_left_in_peace() {
    let repository = Repository::with(&[("README.md", "# x\n")]);
    repository.git(&["init", "--quiet", "--initial-branch=main"]);
    repository.git(&["add", "--all"]);
    for args in [&["check", "--staged"][..], &["check", "--staged", "--fix"]] {
        let ended = repository.run(args).expect(0);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    }
    let Some(hooked) = Hooked::new(repository, "tidegate-check-system") else {
        return;
    };
    hooked.commits(&[]);
}

#[test]
fn hook_command_and_range_give_the_same_verdict() {
    let Some(hooked) = Hooked::at_split() else { return };
    let repository = &hooked.repository;
    let findings = |args: &[&str]| -> Value {
        let ended = repository
            .run(&[&["check", "--format", "json"], args].concat())
            .expect(1);
        serde_json::from_str(&ended.stdout).expect("JSON")
    };
    hooked.stage_two();
    let staged = findings(&["--staged"]);
    hooked.is_refused(&[], "exposed");
    let _ = hooked
        .git(&["commit", "--quiet", "--no-verify", "-m", "change"])
        .expect(0);
    assert_eq!(findings(&["--base", "HEAD~1"]), staged);
    let config = hooked.config();
    let config = config.to_str().expect("UTF-8");
    let range = [
        "run",
        "--config",
        config,
        "--from-ref",
        "HEAD~1",
        "--to-ref",
        "HEAD",
    ];
    refused(
        hooked.run(hooked.pre_commit.clone(), &repository.path(), &range),
        "exposed",
    );
}

/// The two languages of a hook differ in nothing else, and the README names those that are there.
#[test]
fn every_hook_is_there_to_be_built_and_to_be_found() {
    let text = include_str!("../../.pre-commit-hooks.yaml");
    let stream = tidegate_yaml::Stream::parse(text.to_owned()).expect("YAML");
    let hooks = stream.documents()[0].value().as_array().expect("a list");
    let ids: Vec<&str> = hooks.iter().filter_map(|hook| hook["id"].as_str()).collect();
    assert_eq!(
        ids,
        [
            "tidegate-check",
            "tidegate-check-system",
            "tidegate-fix",
            "tidegate-fix-system"
        ]
    );
    let readme = include_str!("../../README.md").lines();
    let named = readme.filter_map(|line| line.trim().strip_prefix("- id: ")?.split(' ').next());
    assert_eq!(named.collect::<Vec<_>>(), ["tidegate-check", "tidegate-fix"]);
    for pair in hooks.chunks(2) {
        let plain = |hook: &Value| {
            let mut hook = hook.clone();
            for key in ["id", "language", "description"] {
                hook[key] = Value::Null;
            }
            hook
        };
        assert_eq!(plain(&pair[0]), plain(&pair[1]));
        assert_eq!(
            (&pair[0]["language"], &pair[1]["language"]),
            (&"rust".into(), &"system".into())
        );
        assert_eq!(
            (&pair[0]["always_run"], &pair[0]["pass_filenames"]),
            (&true.into(), &false.into())
        );
    }
}
