//! Stops a write, and the recovery after it, at every single call: with an error, and as if killed there.

#![expect(clippy::print_stderr, reason = "the counts are told")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use tidegate_core::change::ChangeSet;

use super::fs::{Call, Fs};
use super::recovery::recover_with;
use super::scratch::{Scratch, changes};
use super::writing::{WriteError, write_with};

const OLD: [(&str, &str); 4] = [
    ("gap/gap.yaml", "old spec\n"),
    ("gap/old/gap_patch_canary.yaml", "to go\n"),
    ("gap/tidegate.yaml", "old release\n"),
    ("kept.txt", "kept\n"),
];

fn transition() -> ChangeSet {
    changes(&[
        ("gap/gap.yaml", Some("old spec\n"), Some("new spec\n")),
        ("gap/new/deep/gap_canary.yaml", None, Some("new\n")),
        ("gap/old/gap_patch_canary.yaml", Some("to go\n"), None),
        ("gap/tidegate.yaml", Some("old release\n"), Some("new release\n")),
    ])
}

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// That call fails, later ones work.
    Error(io::ErrorKind),
    /// The process is gone: no later call has an effect.
    Kill,
}

struct Faulty {
    fault: Fault,
    at: usize,
    count: Cell<usize>,
    trace: RefCell<Vec<String>>,
}

impl Faulty {
    fn new(fault: Fault, at: usize) -> Self {
        Self {
            fault,
            at,
            count: Cell::new(0),
            trace: RefCell::default(),
        }
    }

    fn gate(&self, call: Call<'_>) -> io::Result<()> {
        self.count.set(self.count.get() + 1);
        let is_hit = match self.fault {
            Fault::Error(_) => self.count.get() == self.at,
            Fault::Kill => self.count.get() >= self.at,
        };
        if !is_hit {
            self.trace.borrow_mut().push(describe(call));
            return Ok(());
        }
        if let Call::Write(mut file, bytes) = call
            && self.count.get() == self.at
        {
            file.write_all(&bytes[..bytes.len() / 2])?;
        }
        match self.fault {
            Fault::Error(kind) => Err(kind.into()),
            Fault::Kill => Err(io::Error::other("killed")),
        }
    }

    fn is_committed(&self) -> bool {
        self.trace
            .borrow()
            .iter()
            .any(|call| call.ends_with("-> journal"))
    }

    /// Whether some target has its new content.
    fn is_begun(&self) -> bool {
        self.trace
            .borrow()
            .iter()
            .any(|call| call.starts_with("rename temporary"))
    }
}

fn describe(call: Call<'_>) -> String {
    let show = |name: &str| match name {
        name if name.ends_with(".tmp") => "temporary".to_owned(),
        name => name
            .trim_start_matches('.')
            .trim_start_matches("tidegate.")
            .to_owned(),
    };
    match call {
        Call::Create(name) => format!("create {}", show(name)),
        Call::Rename(from, to) => format!("rename {} -> {}", show(from), show(to)),
        Call::Remove(name) => format!("remove {}", show(name)),
        Call::RemoveFolder(name) => format!("remove folder {name}"),
        Call::MakeFolder(name) => format!("make folder {name}"),
        Call::Write(..) => "write".to_owned(),
        Call::Sync => "sync".to_owned(),
        Call::SyncFolder => "sync folder".to_owned(),
        Call::Open | Call::Look | Call::Read | Call::CheckWritable | Call::Lock | Call::Dress => {
            String::new()
        }
    }
}

struct Case {
    scratch: Scratch,
    git_dir: Option<PathBuf>,
}

impl Case {
    fn new(has_git: bool) -> Self {
        let scratch = Scratch::with(&OLD);
        let git_dir = has_git.then(|| scratch.path().join(".git"));
        if let Some(git_dir) = &git_dir {
            std::fs::create_dir(git_dir).unwrap();
        }
        Self { scratch, git_dir }
    }

    fn write(&self, faulty: &Faulty) -> Result<(), WriteError> {
        let gate = |call: Call<'_>| faulty.gate(call);
        write_with(
            &Fs { gate: &gate },
            self.scratch.path(),
            self.git_dir.as_deref(),
            &transition(),
        )
        .map(drop)
    }

    fn recover(&self, faulty: &Faulty) -> Result<Vec<String>, WriteError> {
        let gate = |call: Call<'_>| faulty.gate(call);
        recover_with(&Fs { gate: &gate }, self.scratch.path(), self.git_dir.as_deref())
    }

    fn recover_fully(&self) {
        self.recover(&never()).unwrap();
        // A run that was killed cannot remove its lock's file; taking the lock again does.
        let again = write_with(
            &Fs::real(),
            self.scratch.path(),
            self.git_dir.as_deref(),
            &probe(),
        );
        assert!(matches!(again, Err(WriteError::Changed { .. })), "{again:?}");
    }

    fn tree(&self) -> BTreeMap<String, String> {
        self.scratch.tree()
    }
}

fn never() -> Faulty {
    Faulty::new(Fault::Kill, usize::MAX)
}

/// A change that is refused once the lock is had.
fn probe() -> ChangeSet {
    changes(&[("missing", Some("text"), None)])
}

fn old_tree(has_git: bool) -> BTreeMap<String, String> {
    Case::new(has_git).tree()
}

fn new_tree(has_git: bool) -> BTreeMap<String, String> {
    let case = Case::new(has_git);
    case.write(&never()).unwrap();
    let tree = case.tree();
    assert_eq!(
        tree.get("gap/new/deep/gap_canary.yaml").map(String::as_str),
        Some("new\n")
    );
    assert_eq!(tree.get("gap/gap.yaml").map(String::as_str), Some("new spec\n"));
    assert_eq!(tree.len(), old_tree(has_git).len() + 3 - 2, "{tree:?}");
    tree
}

fn call_count(has_git: bool) -> usize {
    let faulty = never();
    Case::new(has_git).write(&faulty).unwrap();
    faulty.count.get()
}

/// The calls that change something: being killed between two others is the same as at the next of these.
fn changing_calls(has_git: bool) -> Vec<usize> {
    let faulty = never();
    Case::new(has_git).write(&faulty).unwrap();
    let trace = faulty.trace.borrow();
    (1..=trace.len()).filter(|at| !trace[at - 1].is_empty()).collect()
}

#[test]
fn killed_at_any_call_leaves_all_old_or_all_new() {
    let mut runs = 0;
    for has_git in [true, false] {
        let (old, new) = (old_tree(has_git), new_tree(has_git));
        for at in 1..=call_count(has_git) {
            let (case, faulty) = (Case::new(has_git), Faulty::new(Fault::Kill, at));
            let result = case.write(&faulty);
            case.recover_fully();
            let expected = if faulty.is_committed() { &new } else { &old };
            assert_eq!(
                &case.tree(),
                expected,
                "killed at call {at} after {:?}: {result:?}",
                faulty.trace
            );
            runs += 1;
        }
    }
    eprintln!("killed at {runs} calls: {runs} of {runs} survived");
}

#[test]
fn an_error_at_any_call_is_taken_back_or_finished_later() {
    let mut runs = 0;
    use io::ErrorKind::{Interrupted, Other, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    for kind in [
        StorageFull,
        Other,
        PermissionDenied,
        ReadOnlyFilesystem,
        Interrupted,
    ] {
        let (old, new) = (old_tree(true), new_tree(true));
        for at in 1..=call_count(true) {
            let (case, faulty) = (Case::new(true), Faulty::new(Fault::Error(kind), at));
            let result = case.write(&faulty);
            let mut tree = case.tree();
            // The one call that failed may be the removal of the lock's file, which does no harm.
            tree.remove(".git/tidegate.lock");
            match &result {
                Ok(()) => {
                    tree.remove(".git/tidegate.journal");
                    assert_eq!(tree, new, "call {at} {kind}");
                }
                Err(WriteError::Unfinished { .. }) => {
                    assert!(faulty.is_begun(), "call {at} {kind}: {:?}", faulty.trace)
                }
                Err(_) => assert_eq!(tree, old, "call {at} {kind}: {result:?}"),
            }
            case.recover_fully();
            let expected = if matches!(result, Ok(()) | Err(WriteError::Unfinished { .. })) {
                &new
            } else {
                &old
            };
            assert_eq!(&case.tree(), expected, "call {at} {kind}: {result:?}");
            runs += 1;
        }
    }
    eprintln!("{} calls × 5 errors: {runs} of {runs} survived", call_count(true));
}

/// Between any two calls somebody may put a link where a folder was: nothing is written where it leads.
#[cfg(unix)]
#[test]
fn a_link_that_comes_between_leads_nowhere() {
    let folders = ["gap", "gap/old"];
    let mut swaps = 0;
    for folder in folders {
        for at in 1..=call_count(true) {
            let (case, outside) = (Case::new(true), Scratch::with(&OLD));
            let before = outside.tree();
            let count = Cell::new(0);
            let gate = |_: Call<'_>| {
                count.set(count.get() + 1);
                if count.get() == at {
                    let path = case.scratch.path().join(folder);
                    // Where the folder is gone already, there is nothing to put a link for.
                    if std::fs::rename(&path, case.scratch.path().join("aside")).is_ok() {
                        std::os::unix::fs::symlink(outside.path().join(folder), &path)?;
                    }
                }
                Ok(())
            };
            let fs = Fs { gate: &gate };
            let _ = write_with(&fs, case.scratch.path(), case.git_dir.as_deref(), &transition());
            assert_eq!(outside.tree(), before, "{folder} becomes a link at call {at}");
            swaps += 1;
        }
    }
    eprintln!("{swaps} moments at which a folder becomes a link: nothing is written behind it");
}

#[test]
fn recovery_may_be_interrupted_too() {
    let (old, new) = (old_tree(true), new_tree(true));
    for at in changing_calls(true) {
        for recovery_at in 1.. {
            let (case, first) = (Case::new(true), Faulty::new(Fault::Kill, at));
            let _ = case.write(&first);
            let second = Faulty::new(Fault::Kill, recovery_at);
            let _ = case.recover(&second);
            case.recover_fully();
            let expected = if first.is_committed() { &new } else { &old };
            assert_eq!(
                &case.tree(),
                expected,
                "killed at {at}, recovery at {recovery_at}"
            );
            if second.count.get() < recovery_at {
                break;
            }
        }
    }
}

#[test]
fn everything_lasts_before_the_commit_point_and_before_the_journal_goes() {
    let faulty = never();
    Case::new(true).write(&faulty).unwrap();
    let trace = faulty.trace.borrow();
    let trace: Vec<_> = trace
        .iter()
        .map(String::as_str)
        .filter(|call| !call.is_empty())
        .collect();
    let expected = [
        "create journal.new",
        "write",
        "sync",
        "sync folder",
        "make folder new",
        "make folder deep",
        "create temporary",
        "write",
        "sync",
        "create temporary",
        "write",
        "sync",
        "create temporary",
        "write",
        "sync",
        "sync folder",
        "sync folder",
        "sync folder",
        "rename journal.new -> journal",
        "sync folder",
        "rename temporary -> gap.yaml",
        "rename temporary -> gap_canary.yaml",
        "remove gap_patch_canary.yaml",
        "rename temporary -> yaml",
        "remove folder old",
        "remove folder gap",
        "sync folder",
        "sync folder",
        "remove journal",
        "sync folder",
        "remove lock",
    ];
    assert_eq!(trace, expected);
}
