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
    files.push((".ci/release-build".to_owned(), read(".ci/release-build")));
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
                "\"${build[@]}\"",
            ];
            if works.iter().any(|work| line.contains(work)) {
                count += 1;
                assert!(line.contains("--locked"), "{file}: {line}");
            }
        }
    }
    assert!(count >= 9, "{count}");
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
        // What makes a release needs no more than this, and does it for a tag alone.
        let written: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once(": write"))
            .map(|(name, _)| name.trim())
            .collect();
        let may: &[&str] = match file.as_str() {
            "release.yml" => &["contents", "id-token", "attestations"],
            _ => &[],
        };
        assert_eq!(written, may, "{file}");
        assert!(!text.contains("write-all"), "{file}");
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

/// Beside each binary of a release lie checksums, what it was built from, and where; and only a tag makes one.
#[test]
fn releases_can_be_traced() {
    let recipe = read(".github/workflows/release.yml");
    let (build, publish) = recipe.split_once("\n  publish:\n").expect("two jobs");
    for step in [
        "cargo install cargo-auditable --locked --version ",
        "TIDEGATE_RELEASE: \"true\"",
        "cargo cyclonedx --format json",
        "bash .ci/reproduce \"$TARGET\" out",
    ] {
        assert!(build.contains(step), "{step}");
    }
    for step in [
        "if: github.ref_type == 'tag'",
        "needs: build",
        "sha256sum -- * >SHA256SUMS",
        "actions/attest-build-provenance@",
        "subject-path: out/*",
        "--verify-tag",
    ] {
        assert!(publish.contains(step), "{step}");
    }
    assert!(
        !build.contains(": write"),
        "what runs the code of libraries may write nothing"
    );
    assert!(read(".ci/release-build").contains("build=(auditable build)"));
}

/// The compiler of a release is fixed, is one that the project promises to build with, and is told no folder of the machine.
#[test]
fn builds_of_a_release_are_fixed() {
    let numbers = |text: &str| -> Vec<u32> {
        let numbers = text
            .trim()
            .split('.')
            .map(|number| number.parse().expect("a number"));
        numbers.collect()
    };
    let toolchain = numbers(&read(".ci/toolchain"));
    let manifest = read("Cargo.toml");
    let oldest = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""));
    assert_eq!(toolchain.len(), 3, "{toolchain:?}");
    assert!(toolchain >= numbers(oldest.expect("a version").trim_end_matches('"')));
    let build = read(".ci/release-build");
    for part in [
        "--remap-path-prefix=$home=",
        "--remap-path-prefix=$PWD=",
        "\"+$toolchain\"",
        "--locked",
    ] {
        assert!(build.contains(part), "{part}");
    }
    let reproduce = read(".ci/reproduce");
    assert_eq!(reproduce.matches(".ci/release-build\"").count(), 1, "{reproduce}");
    assert!(reproduce.contains("for place in a another/and/longer") && reproduce.contains("\ncmp "));
}
