//! What the binary is made from, and what may touch it on the way: few libraries, a lock file that every build keeps to, workflows
//! whose actions are pinned.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every workflow of the forge, and its text.
fn workflows() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(root().join(".github/workflows")).expect("a folder");
    let names = folder.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut workflows: Vec<_> = names
        .map(|name| (name.clone(), read(&format!(".github/workflows/{name}"))))
        .collect();
    workflows.sort();
    assert!(!workflows.is_empty());
    workflows
}

#[test]
fn the_binary_has_few_libraries() {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--locked", "--offline", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let names: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    assert!(names.len() > 20 && names.len() <= 120, "{}", names.len());
}

#[test]
fn every_build_keeps_to_the_lock_file() {
    let mut files = workflows();
    files.push((".ci/run".to_owned(), read(".ci/run")));
    files.push((
        "templates/argocd/rootfs.sh".to_owned(),
        read("templates/argocd/rootfs.sh"),
    ));
    let mut count = 0;
    for (file, text) in &files {
        // As pre-commit installs a hook: with the newest libraries that fit, on purpose.
        let lines = text
            .lines()
            .filter(|line| !line.contains("cargo install") && !line.contains("install --bins"));
        for line in lines.filter(|line| !line.trim_start().starts_with('#')) {
            let works = [
                "cargo test",
                "cargo clippy",
                "cargo doc",
                "cargo \"+$version\" build",
                "cargo $build",
            ];
            if works.iter().any(|work| line.contains(work)) {
                count += 1;
                assert!(line.contains("--locked"), "{file}: {line}");
            }
        }
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn workflows_are_pinned_and_may_little() {
    for (file, text) in workflows() {
        for used in text.lines().filter_map(|line| line.split_once("uses:")) {
            let action = used.1.split_whitespace().next().expect("an action");
            let (_, commit) = action.split_once('@').expect("a version");
            let is_commit = commit.len() == 40 && commit.chars().all(|char| char.is_ascii_hexdigit());
            assert!(is_commit, "{file}: {action}");
        }
        assert!(
            text.lines().any(|line| line == "permissions: {}"),
            "{file} grants nothing by itself"
        );
        assert!(!text.contains(": write") && !text.contains("write-all"), "{file}");
        assert!(
            !text.contains("pull_request_target") && !text.contains("workflow_run"),
            "{file}"
        );
        let checkouts = text.matches("actions/checkout@").count();
        assert_eq!(
            text.matches("persist-credentials: false").count(),
            checkouts,
            "{file}"
        );
    }
}
