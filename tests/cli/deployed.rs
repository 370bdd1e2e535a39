//! `--deployed`: production lags behind, and one sync jumps over several commits.

use crate::repository::{Ended, Repository};

/// The commit so many before the last.
fn commit(repository: &Repository, before: usize) -> String {
    let id = repository.git(&["rev-parse", "--short=12", &format!("HEAD~{before}")]);
    id.trim().to_owned()
}

fn next(repository: &Repository, deployed: &str) -> Ended {
    repository.run(&["next", "--deployed", deployed])
}

#[test]
fn a_jump_over_safe_commits_that_is_unsafe_is_refused_with_the_revision_to_promote_first() {
    let repository = Repository::in_phase("wire");
    let before = repository.tree();
    let ended = next(&repository, "production=HEAD~1").expect(1);
    assert_eq!(ended.stdout, "", "no diff");
    let hint = format!(
        "promote production to `{0}` first, then say `--deployed production={0}`",
        commit(&repository, 0)
    );
    for text in [
        "error[exposed]: production, which runs `HEAD~1`: while this rolls out, ",
        "applied: Service/my-service-web",
        "not applied yet: VirtualService/my-service--web",
        &hint,
    ] {
        assert!(ended.stderr.contains(text), "no {text:?} in\n{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("staging, which runs"), "{}", ended.stderr);
    assert!(repository.tree() == before, "nothing is written");
    let said = format!("production={}", commit(&repository, 0));
    let _ = next(&repository, &said).expect(0);
    assert_eq!(repository.read_phase(".", "web"), ["widen"]);
}

#[test]
fn a_jump_over_several_commits_that_is_safe_is_written_with_its_proof() {
    let repository = Repository::in_phase("park");
    next(&repository, "production=HEAD~1")
        .expect(0)
        .says("production: one sync from `HEAD~1` to this is safe in any order, ");
    assert_eq!(repository.read_phase(".", "web"), ["ramp"]);
}

/// Each hint names a stop further on, until the jump is safe.
#[test]
fn the_hints_lead_from_any_commit_to_the_transition() {
    let repository = Repository::in_phase("park");
    let mut deployed = commit(&repository, 4);
    let mut stops = Vec::new();
    loop {
        let said = format!("production={deployed}");
        let ended = next(&repository, &said);
        if ended.code == Some(0) {
            break;
        }
        let stop = ended.stderr.split("--deployed production=").nth(1);
        let stop = stop.and_then(|rest| rest.get(..12)).expect("a revision");
        deployed = stop.to_owned();
        stops.push(deployed.clone());
    }
    // From `init`: the copy, the routes, the wide Service; park and ramp may then be one sync.
    let expected: Vec<String> = [3, 2, 1].map(|before| commit(&repository, before)).into();
    assert_eq!(stops, expected);
    let names: Vec<String> = stops
        .iter()
        .map(|stop| repository.git(&["log", "-1", "--format=%s", stop]))
        .collect();
    let phases: Vec<&str> = names
        .iter()
        .filter_map(|name| name.trim().rsplit(' ').next())
        .collect();
    assert_eq!(phases, ["split", "wire", "widen"]);
}

#[test]
fn every_command_that_moves_a_release_asks_the_same() {
    let repository = Repository::in_phase("ramp");
    for args in [
        &["next"][..],
        &["shift", "--env", "production", "--to", "7"],
        &["rollback"],
        &["abort"],
        &["hotfix", "--stable-tag", "b00b1e55"],
    ] {
        let with = |deployed: &'static str| [args, &["--diff", "--deployed", deployed]].concat();
        let refused = repository
            .run(&with("production=HEAD~4"))
            .expect(1)
            .says("production, which runs `HEAD~4`")
            .says("promote production to `");
        assert!(!refused.stderr.contains("kubectl"), "{}", refused.stderr);
        repository
            .run(&with("production=HEAD"))
            .expect(0)
            .says("one sync from `HEAD`");
    }
    // Both may lag, each from its own revision.
    repository
        .run(&[
            "next",
            "--diff",
            "--deployed",
            "staging=HEAD",
            "--deployed",
            "production=HEAD~1",
        ])
        .expect(0)
        .says("staging: one sync from `HEAD`")
        .says("production: one sync from `HEAD~1`");
}

/// What a person changed since then, where no commit in between helps: the fewest commits are told instead.
#[test]
fn without_a_revision_to_stop_at_the_fewest_commits_are_named() {
    let repository = Repository::in_phase("split");
    // A revision that changes nothing that is deployed is no place to stop at.
    repository.replace("gap/gap.yaml", "command:", "command: # as in the image");
    repository.commit("a comment");
    let _ = repository.run(&["next"]).expect(0);
    let ended = repository
        .run(&[
            "next",
            "--allow-dirty",
            "--diff",
            "--deployed",
            "production=HEAD~1",
        ])
        .expect(1);
    let repair = "make it 2 commits, each rolled out before the next: 1. VirtualService/my-service--web; 2. Service/my-service-web";
    assert!(ended.stderr.contains(repair), "{}", ended.stderr);
    assert!(!ended.stderr.contains("promote"), "{}", ended.stderr);
}

#[test]
fn what_is_deployed_must_be_there() {
    let repository = Repository::in_phase("wire");
    next(&repository, "prodution=HEAD")
        .expect(1)
        .says("there is no environment `prodution`")
        .says("did you mean `production`?");
    next(&repository, "production=nowhere")
        .expect(2)
        .says("there is no commit `nowhere` here; a shallow clone may lack it: git fetch --unshallow");
    for wrong in ["production", "=HEAD", "production="] {
        next(&repository, wrong).expect(2).says("`production=HEAD~3`");
    }
    repository.replace("gap/gap.yaml", "name: my-service", "name: [my-service");
    repository.commit("broken");
    repository.replace("gap/gap.yaml", "name: [my-service", "name: my-service");
    repository.commit("mended");
    next(&repository, "production=HEAD~1")
        .expect(1)
        .says("`HEAD~1` cannot be read, so the way from there is not judged");
    std::fs::remove_dir_all(repository.path().join("gap")).expect("a folder");
    repository.commit("gone");
    repository.git(&["revert", "--no-edit", "HEAD"]);
    next(&repository, "production=HEAD~1")
        .expect(1)
        .says("`HEAD~1` has no production of this application");
    let plain = Repository::without_git("quickstart");
    next(&plain, "production=HEAD")
        .expect(2)
        .says("this is no git repository, so there is no revision to compare with");
}
