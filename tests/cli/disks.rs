//! What the operating system refuses: files that may not be read, a disk that is really full. Exit code 2, with the
//! path, and nothing half-written.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "a skipped test says why")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::repository::Repository;

/// A shell in a user namespace of its own, where even the superuser has to ask; `None` where the kernel offers none.
fn unshared(flags: &[&str], script: &str, arguments: &[&Path]) -> Option<Output> {
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--user"])
            .args(flags)
            .args(["sh", "-eu", "-c", script, "sh"]);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.output()
    };
    match shell("true") {
        Ok(output) if output.status.success() => shell(script).ok(),
        _ => {
            eprintln!("skipped: no user namespaces here (unshare --user)");
            None
        }
    }
}

#[test]
fn a_file_that_may_not_be_read_is_exit_code_2_with_its_path() {
    for file in [
        "gap/gap.yaml",
        "gap/gap_configmap.yaml",
        "gap/production/gap_patch_replicas.yaml",
    ] {
        let repository = Repository::of("istio/orders");
        let path = repository.path().join(file);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o0)).expect("a mode");
        for command in ["status", "init", "render --env production"] {
            let script = format!("cd \"$1\"; exec \"$2\" {command}");
            let binary = Path::new(env!("CARGO_BIN_EXE_tidegate"));
            let Some(output) = unshared(&[], &script, &[&repository.path(), binary]) else {
                return;
            };
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command}: {stderr}");
            assert!(stderr.contains(file), "{command} names the path: {stderr}");
            assert!(output.stdout.is_empty(), "{command}");
        }
    }
}

/// The transition needs more room than the disk has left, however little that is.
#[test]
fn a_full_disk_is_exit_code_2_with_the_path_and_an_unchanged_repository() {
    let repository = Repository::of("istio/orders");
    let _ = repository.run(&["init", "--commit"]).expect(0);
    let script = r#"
        mount -t tmpfs -o size=400k tmpfs "$1"
        cp -r "$2" "$1/repo"
        cp -r "$1/repo/gap" "$4"
        cd "$1/repo"
        dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null || true
        code=0
        "$3" next || code=$?
        rm "$1/filler"
        diff -r "$4" gap
        exit "$code""#;
    let disk = tempfile::tempdir().expect("a folder");
    let before = tempfile::tempdir().expect("a folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_tidegate"));
    // Git's own folder would fill the small disk; the repository has none there.
    std::fs::remove_dir_all(repository.path().join(".git")).expect("removed");
    let arguments = [
        disk.path(),
        &repository.path(),
        binary,
        &before.path().join("gap"),
    ];
    let Some(output) = unshared(&["--map-root-user", "--mount"], script, &arguments) else {
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{stdout}{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
    assert!(
        stderr.contains("gap/") || stderr.contains(".tidegate"),
        "{stderr}"
    );
    assert!(
        !stdout.contains("diff -r") && !stdout.contains("Only in"),
        "{stdout}"
    );
}

/// A folder of the repository that lies on another disk: each temporary file is made beside its target, so no rename leaves one.
#[test]
fn a_repository_may_lie_on_two_disks() {
    let (repository, other) = (Repository::of("istio/orders"), Repository::of("istio/orders"));
    let _ = repository.run(&["init", "--commit"]).expect(0);
    let _ = other.run(&["init", "--commit"]).expect(0);
    let script = r#"
        cp -r "$1/gap" "$3"
        mount -t tmpfs tmpfs "$1/gap"
        cp -r "$3"/gap/. "$1/gap"
        cd "$1"
        "$2" next
        "$2" next --allow-dirty
        cp -r gap "$4""#;
    let aside = tempfile::tempdir().expect("a folder");
    let after = tempfile::tempdir().expect("a folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_tidegate"));
    let arguments = [&repository.path(), binary, aside.path(), after.path()];
    let Some(output) = unshared(&["--map-root-user", "--mount"], script, &arguments) else {
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let _ = other.run(&["next"]).expect(0);
    let _ = other.run(&["next", "--allow-dirty"]).expect(0);
    let same = Command::new("diff")
        .args(["-r"])
        .arg(after.path().join("gap"))
        .arg(other.path().join("gap"))
        .output()
        .expect("diff runs");
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
}

/// What only reads works on a disk that cannot be written; what writes says so before the first temporary file.
#[test]
fn a_read_only_tree_can_be_looked_at_and_is_refused_for_writing() {
    let repository = Repository::of("istio/orders");
    let _ = repository.run(&["init", "--commit"]).expect(0);
    let before = repository.tree();
    let binary = Path::new(env!("CARGO_BIN_EXE_tidegate"));
    for (command, code) in [
        ("status", 0),
        ("plan", 0),
        ("check", 0),
        ("render --env staging", 0),
        ("next --diff", 0),
        ("next", 2),
        ("next --commit", 2),
        ("abort", 2),
    ] {
        let script = format!(
            "mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"; cd \"$1\"; exec \"$2\" {command}"
        );
        let arguments = [&repository.path(), binary];
        let Some(output) = unshared(&["--map-root-user", "--mount"], &script, &arguments) else {
            return;
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{command}: {stderr}");
        if code == 2 {
            assert!(stderr.contains("Read-only file system"), "{command}: {stderr}");
            assert!(output.stdout.is_empty(), "{command}");
        }
    }
    assert!(repository.tree() == before);
}
