//! A transition of the real program that meets a fault: at every call to the operating system from the lock on, each error and each way
//! to die, as `strace` brings them about. Whatever happens, everything is old or everything is new, and the next run finishes.
#![cfg(target_os = "linux")]
#![expect(
    clippy::print_stderr,
    reason = "a skipped test says why, and the counts are told"
)]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::repository::Repository;

/// What a call answers instead of doing its work, and what kills the process at it.
const FAULTS: [&str; 7] = [
    "error=ENOSPC",
    "error=EIO",
    "error=EACCES",
    "error=EROFS",
    "error=EINTR",
    "signal=KILL",
    "signal=ABRT",
];

/// Every call by which the program reads or changes files.
const CALLS: &str = "openat,read,write,fsync,fchmod,fchown,ftruncate,lseek,flock,renameat,renameat2,unlinkat,mkdirat,newfstatat,\
                     fstat,statx,faccessat,faccessat2,getdents64,readlinkat";

type Tree = BTreeMap<String, Vec<u8>>;

fn sound() -> Repository {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init", "--commit"]).expect(0);
    // Lock and journal lie beside the files then, and git has no part in it.
    std::fs::remove_dir_all(repository.path().join(".git")).expect("removed");
    repository
}

fn next(repository: &Repository, options: &[&str]) -> Option<Output> {
    let mut command = repository.command("strace");
    command
        .args(["-qq", "-e", &format!("trace={CALLS}")])
        .args(options)
        .args(["--", env!("CARGO_BIN_EXE_tidegate"), "next", "--to", "split"])
        .stdin(Stdio::null());
    command.output().ok()
}

/// The calls of a run without a fault, from the lock on: the name of each, and how many of that name there were up to it.
fn calls(trace: &str) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut is_begun = false;
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((name, arguments)) = line.split_once('(') else {
            continue;
        };
        let count = counts.entry(name).or_default();
        *count += 1;
        is_begun |= arguments.contains(".tidegate.lock");
        if is_begun {
            calls.push((name.to_owned(), *count));
        }
    }
    calls
}

/// Files that are ours alone, and gone once a run has ended well.
fn without_ours(mut tree: Tree) -> Tree {
    tree.retain(|path, _| {
        !path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with(".tidegate"))
    });
    tree
}

#[test]
fn every_call_of_a_transition_may_fail_or_be_the_last() {
    let repository = sound();
    let old = repository.tree();
    let trace = tempfile::NamedTempFile::new().expect("a temporary file");
    let file = trace.path().to_str().expect("UTF-8");
    let Some(_) = next(&repository, &["-o", file]).filter(|output| output.status.success()) else {
        eprintln!("skipped: strace is missing, or may not trace here");
        return;
    };
    let new = repository.tree();
    assert!(new != old);
    let calls = calls(&std::fs::read_to_string(trace.path()).expect("a trace"));
    assert!(calls.len() > 60, "{calls:?}");
    let cases: Vec<(&(String, usize), &str)> = calls
        .iter()
        .flat_map(|call| FAULTS.iter().map(move |fault| (call, *fault)))
        .collect();
    let number = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(((name, count), fault)) = cases.get(number.fetch_add(1, Ordering::Relaxed)) {
            let inject = format!("inject={name}:{fault}:when={count}");
            if let Err(why) = survives(&inject, fault, &old, &new) {
                wrong.push(format!("{inject}: {why}"));
            }
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        let wrong = workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("it ends"));
        wrong.collect()
    });
    eprintln!(
        "{} calls × {} faults: {} of {} survived",
        calls.len(),
        FAULTS.len(),
        cases.len() - wrong.len(),
        cases.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn survives(inject: &str, fault: &str, old: &Tree, new: &Tree) -> Result<(), String> {
    let repository = sound_copy(old);
    let output = next(&repository, &["-o", "/dev/null", "-e", inject]).expect("strace runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let found = without_ours(repository.tree());
    let is_killed = fault.starts_with("signal");
    match output.status.code() {
        // strace ends as what it traces does.
        None | Some(137 | 134) if is_killed => {}
        Some(0) if found == *new => {}
        Some(2) if found == *old || found == *new || stderr.contains("written in part") => {}
        code => {
            let signal = output.status.signal();
            return Err(format!("ends with {code:?} {signal:?}: {stderr}"));
        }
    }
    // Whatever it was, the next run makes it whole.
    let again = repository.run(&["next", "--to", "split"]);
    let mut tree = repository.tree();
    // It stays where the next run has nothing to write, and does no harm: what counts is the kernel's lock on it.
    tree.remove(".tidegate.lock");
    if again.code != Some(0) || tree != *new {
        let paths: Vec<String> = repository.tree().into_keys().collect();
        return Err(format!(
            "the next run ends with {:?}: {} {paths:?}",
            again.code, again.stderr
        ));
    }
    Ok(())
}

fn sound_copy(tree: &Tree) -> Repository {
    let repository = Repository::with(&[]);
    tree.iter()
        .for_each(|(file, content)| repository.write(file, content));
    repository
}

/// Fifty processes at once: as many transitions as there were that said so, one after the other.
#[test]
fn fifty_writers_end_as_if_in_sequence() {
    let repository = sound();
    let start = repository.tree();
    let at_once = sound_copy(&start);
    let children: Vec<_> = (0..50)
        .map(|_| {
            let mut command = at_once.command(env!("CARGO_BIN_EXE_tidegate"));
            command
                .arg("next")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().expect("it starts")
        })
        .collect();
    let mut count = 0;
    for mut child in children {
        match child.wait().expect("it ends").code() {
            Some(0) => count += 1,
            code => assert!(matches!(code, Some(1 | 2)), "{code:?}"),
        }
    }
    assert!(count > 0);
    for _ in 0..count {
        let _ = repository.run(&["next"]).expect(0);
    }
    assert!(
        at_once.tree() == repository.tree(),
        "{count}: {}",
        at_once.diff_of(&repository.tree())
    );
    eprintln!("50 writers, {count} of which wrote");
}

/// The owner of a file that is written again stays; only a superuser can have files of others.
#[test]
fn the_owner_of_a_file_is_kept() {
    use std::os::unix::fs::MetadataExt;
    let repository = sound();
    let spec = repository.path().join("gap/gap.yaml");
    if std::os::unix::fs::chown(&spec, Some(1234), Some(4321)).is_err() {
        eprintln!("skipped: files can be given away by a superuser alone");
        return;
    }
    let _ = repository.run(&["next"]).expect(0);
    let data = spec.metadata().expect("it is there");
    assert_eq!((data.uid(), data.gid()), (1234, 4321));
    assert!(repository.read("gap/gap.yaml").contains("web-v1"));
}
