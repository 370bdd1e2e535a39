//! What a run asks of the operating system, as `strace` sees it: no network, no program but git, and of the plugin no file outside of
//! its copy and no file for writing.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "a skipped test says why")]

use std::path::Path;
use std::process::Command;

use crate::repository::{Ended, Repository};

/// One call a line, of the process and of those it starts; `None` where `strace` is missing or may not trace.
fn calls(
    repository: &Repository,
    kinds: &str,
    args: &[&str],
    variables: &[(&str, &str)],
) -> Option<Vec<String>> {
    if !Command::new("strace")
        .arg("true")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("skipped: strace is missing, or may not trace here");
        return None;
    }
    let trace = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = repository.command("strace");
    command
        .args(["-f", "-qq", "-s", "4096", "-e", "signal=none"])
        .args(["-e", &format!("trace={kinds}"), "-o"])
        .arg(trace.path())
        .arg(env!("CARGO_BIN_EXE_tidegate"))
        .args(args)
        .envs(variables.iter().copied());
    let _ = Ended::of(&mut command).expect(0);
    let text = std::fs::read_to_string(trace.path()).expect("a trace");
    // Each line begins with the number of the process.
    let calls = text.lines().filter_map(|line| line.split_once(' '));
    Some(calls.map(|(_, call)| call.trim_start().to_owned()).collect())
}

const STAGING: &[(&str, &str)] = &[
    ("ARGOCD_ENV_ENVIRONMENT", "staging"),
    ("ARGOCD_APP_SOURCE_PATH", "."),
];

/// The texts in quotes of a call, first to last.
fn texts(call: &str) -> Vec<&str> {
    call.split('"').skip(1).step_by(2).collect()
}

#[test]
fn no_socket_is_opened() {
    let repository = Repository::of("istio/my-service");
    for args in [
        ["init", "--commit"].as_slice(),
        &["status"],
        &["plan"],
        &["check"],
        &["render", "--env", "staging"],
        &["cmp", "generate"],
        &["next", "--commit"],
    ] {
        let Some(calls) = calls(&repository, "network", args, STAGING) else {
            return;
        };
        // Two ends within the process, by which the standard library hands over a failed start of git.
        let is_own = |call: &String| call.starts_with("socketpair(AF_UNIX") || !call.contains("AF_");
        let others: Vec<&String> = calls.iter().filter(|call| !is_own(call)).collect();
        assert!(others.is_empty(), "{args:?}: {others:#?}");
    }
}

#[test]
fn no_program_is_run_but_git() {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init", "--commit"]).expect(0);
    let Some(calls) = calls(&repository, "execve", &["next", "--commit"], &[]) else {
        return;
    };
    let started: Vec<&str> = calls.iter().map(|call| texts(call)[0]).collect();
    assert_eq!(started[0], env!("CARGO_BIN_EXE_tidegate"));
    assert!(started.len() > 1, "a commit is git's work");
    for program in &started[1..] {
        let is_git =
            Path::new(program).is_absolute() && (program.ends_with("/git") || program.contains("/git-core/"));
        assert!(is_git, "{program}");
    }
}

/// Whoever sets these for another repository, such as a hook of one, does not lead a run of this one there.
#[test]
fn variables_of_git_do_not_lead_elsewhere() {
    let repository = Repository::of("istio/my-service");
    let other = tempfile::tempdir().expect("a folder");
    let mut command = repository.command(env!("CARGO_BIN_EXE_tidegate"));
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
        "GIT_EXEC_PATH",
    ] {
        command.env(name, other.path());
    }
    let marker = other.path().join("marker");
    let touch = format!("touch {}", marker.display());
    for name in [
        "GIT_PAGER",
        "GIT_EDITOR",
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "GIT_ASKPASS",
    ] {
        command.env(name, &touch);
    }
    let _ = Ended::of(command.args(["init", "--commit"])).expect(0);
    assert_eq!(repository.git(&["rev-list", "--count", "HEAD"]), "2\n");
    assert!(
        !marker.exists()
            && std::fs::read_dir(other.path())
                .expect("a folder")
                .next()
                .is_none()
    );
}

#[test]
fn the_plugin_opens_files_of_its_copy_alone_and_only_to_read_them() {
    let repository = Repository::without_git("istio/my-service");
    for command in ["generate", "parameters", "discover"] {
        let kinds = "%file,execve,openat,mkdirat,unlinkat,renameat,renameat2";
        let Some(calls) = calls(&repository, kinds, &["cmp", command], STAGING) else {
            return;
        };
        let started = calls.iter().filter(|call| call.starts_with("execve"));
        assert_eq!(started.count(), 1, "{command} starts no program");
        let root = repository.path();
        let mut read = 0;
        for call in calls
            .iter()
            // The end of a call that another thread's stood between: its path was said at the beginning.
            .filter(|call| !call.starts_with("<..."))
            .filter(|call| !call.starts_with("execve") && !call.contains(" = -1 "))
        {
            let writes = [
                "O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "mkdir", "unlink", "rename", "link(", "chmod",
            ];
            assert!(
                !writes.iter().any(|word| call.contains(word)),
                "{command}: {call}"
            );
            let path = texts(call).first().map(|text| Path::new(*text)).expect("a path");
            // A step below a folder that is held open.
            let is_below = !path.is_absolute() && !path.starts_with("..");
            let of_the_system = [
                "/etc/ld.so",
                "/lib",
                "/usr/lib",
                "/proc/self",
                "/sys/fs/cgroup",
                "/dev/null",
            ];
            let is_systems = of_the_system
                .iter()
                .any(|place| call.contains(&format!("\"{place}")));
            assert!(
                is_below || path.starts_with(&root) || is_systems,
                "{command}: {call}"
            );
            read += usize::from(call.contains("gap.yaml"));
        }
        // What can be set is known without the spec.
        assert!(read > 0 || command == "parameters", "{command}");
    }
}
