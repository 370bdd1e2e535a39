//! What writing keeps, refuses and says, on a healthy disk; `faults` covers the others.

use std::fs;
use std::time::Duration;

use tidegate_core::change::ChangeSet;

use super::checks::is_in_git;
use super::fs::Fs;
use super::journal::{Journal, JournalFile, digest};
use super::lock::Store;
use super::scratch::{Scratch, changes, path};
use super::writing::Written;
use super::{WriteError, pending, recover, write};

fn write_in(scratch: &Scratch, set: &ChangeSet) -> Result<Written, WriteError> {
    write(scratch.path(), None, set)
}

/// Refused with a reason, and nothing changed.
fn refused(scratch: &Scratch, set: &ChangeSet) -> String {
    let before = scratch.tree();
    let error = write_in(scratch, set).unwrap_err();
    assert_eq!(scratch.tree(), before, "{error}");
    assert!(error.is_about_files(), "{error:?}");
    error.to_string()
}

#[test]
fn an_edit_made_meanwhile_is_never_lost() {
    let scratch = Scratch::with(&[("a", "edited"), ("b", "old")]);
    let edit_b = ("b", Some("old"), Some("new"));
    for other in [
        ("a", Some("old"), Some("new")),
        ("a", None, Some("new")),
        ("a", Some("old"), None),
        ("none", Some("old"), Some("new")),
    ] {
        let message = refused(&scratch, &changes(&[edit_b, other]));
        assert!(message.contains("changed by somebody else"), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_links() {
    let outside = Scratch::with(&[("file", "old")]);
    let scratch = Scratch::with(&[("real/file", "old")]);
    scratch.link("link", "real/file");
    scratch.link("folder", "real");
    scratch.link("out", outside.path().to_str().unwrap());
    for name in ["link", "folder/file", "out/file"] {
        let message = refused(
            &scratch,
            &changes(&[(name, Some("old"), Some("new")), ("z", None, Some("z"))]),
        );
        assert!(message.contains("link"), "{message}");
    }
    assert_eq!(outside.tree()["file"], "old");
}

#[test]
fn only_files_in_folders_are_written() {
    let scratch = Scratch::with(&[("file", "old"), ("folder/x", "")]);
    assert!(refused(&scratch, &changes(&[("folder", None, Some("x"))])).contains("a folder stands there"));
    assert!(
        refused(&scratch, &changes(&[("file/x", None, Some("x"))]))
            .contains("a file stands where its folder")
    );
}

#[test]
fn the_git_folder_is_off_limits_under_every_name() {
    for name in [
        ".git/config",
        "a/.git",
        ".GIT/x",
        ".git /x",
        ".git./x",
        ".git::$INDEX_ALLOCATION/x",
        "GIT~1/x",
        ".g\u{200c}it/x",
        "a\\.git\\x",
    ] {
        assert!(is_in_git(&path(name)), "{name}");
        let set = changes(&[(name, None, Some("x"))]);
        assert!(refused(&Scratch::new(), &set).contains("git's own"), "{name}");
    }
    assert!(!is_in_git(&path(".github/workflows/git.yaml")) && !is_in_git(&path(".gitignore")));
}

#[cfg(unix)]
#[test]
fn mode_is_kept_and_hard_links_are_told() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::with(&[("script", "old"), ("linked", "old")]);
    fs::set_permissions(scratch.path().join("script"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::hard_link(scratch.path().join("linked"), scratch.path().join("other")).unwrap();
    let set = changes(&[
        ("script", Some("old"), Some("new")),
        ("linked", Some("old"), Some("new")),
    ]);
    let written = write_in(&scratch, &set).unwrap();
    assert_eq!(
        written.notices,
        ["linked has further hard links; they keep the old content"]
    );
    assert_eq!(
        fs::metadata(scratch.path().join("script"))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777,
        0o750
    );
    assert_eq!(
        (
            scratch.tree()["linked"].as_str(),
            scratch.tree()["other"].as_str()
        ),
        ("new", "old")
    );
}

#[test]
fn what_is_not_in_the_change_set_is_not_touched() {
    let scratch = Scratch::with(&[("a", "old"), ("b", "kept")]);
    let time = |name: &str| {
        fs::metadata(scratch.path().join(name))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = time("b");
    assert_eq!(
        write_in(&scratch, &changes(&[("b", Some("kept"), Some("kept"))])).unwrap(),
        Written::default()
    );
    write_in(&scratch, &changes(&[("a", Some("old"), Some("new"))]))
        .unwrap()
        .notices
        .clear();
    assert_eq!(time("b"), before);
    assert_eq!(scratch.tree().len(), 2);
}

#[test]
fn only_folders_that_the_removal_emptied_go() {
    let scratch = Scratch::with(&[
        ("a/b/c/x", "x"),
        ("a/keep", ""),
        ("d/x", "x"),
        ("d/y", "y"),
        ("e/x", "x"),
    ]);
    fs::create_dir(scratch.path().join("a/empty")).unwrap();
    let set = changes(&[
        ("a/b/c/x", Some("x"), None),
        ("d/x", Some("x"), None),
        ("e/x", Some("x"), None),
        ("e/y", None, Some("y")),
    ]);
    assert_eq!(write_in(&scratch, &set).unwrap(), Written::default());
    let tree = scratch.tree();
    let names: Vec<_> = tree.keys().map(String::as_str).collect();
    assert_eq!(names, ["a/", "a/empty/", "a/keep", "d/", "d/y", "e/", "e/y"]);
}

#[test]
fn very_long_names_can_be_written() {
    let name = "n".repeat(255);
    let scratch = Scratch::with(&[(&name, "old")]);
    assert_eq!(
        write_in(&scratch, &changes(&[(&name, Some("old"), Some("new"))])).unwrap(),
        Written::default()
    );
    assert_eq!(scratch.tree()[&name], "new");
}

/// A committed write of `a` and `b` from "old" to "new", with these files on disk.
fn interrupted(files: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::with(files);
    let file = |name: &str| JournalFile {
        path: name.into(),
        temporary: Some(format!(".tidegate-{name}.tmp")),
        before: Some(digest(b"old")),
        after: Some(digest(b"new")),
    };
    let journal = Journal::new(".".into(), Vec::new(), vec![file("a"), file("b")]);
    scratch.put(".tidegate.journal", journal.to_bytes());
    scratch
}

#[test]
fn a_person_who_came_between_is_not_overruled() {
    let cases = [
        [
            ("a", "old"),
            ("b", "edited"),
            (".tidegate-a.tmp", "new"),
            (".tidegate-b.tmp", "new"),
        ]
        .as_slice(),
        &[("a", "new"), ("b", "edited"), (".tidegate-b.tmp", "new")],
        &[
            ("a", "edited"),
            ("b", "edited"),
            (".tidegate-a.tmp", "new"),
            (".tidegate-b.tmp", "new"),
        ],
        // Its new content was removed, or is not what was meant.
        &[("a", "new"), ("b", "old")],
        &[("a", "old"), ("b", "old"), (".tidegate-a.tmp", "new")],
        &[
            ("a", "old"),
            ("b", "old"),
            (".tidegate-a.tmp", "new"),
            (".tidegate-b.tmp", "edited"),
        ],
    ];
    for files in cases {
        let scratch = interrupted(files);
        let before = scratch.tree();
        let expected = if before["a"] == "edited" { "a" } else { "b" };
        let error = recover(scratch.path(), None).unwrap_err();
        assert!(
            matches!(&error, WriteError::EditedBetween { path: at, .. } if *at == path(expected)),
            "{error:?}"
        );
        assert_eq!(scratch.tree(), before);
        assert!(pending(scratch.path(), None).unwrap().is_some());
    }
}

#[test]
fn an_interrupted_write_is_finished_once() {
    let cases = [
        [
            ("a", "old"),
            ("b", "old"),
            (".tidegate-a.tmp", "new"),
            (".tidegate-b.tmp", "new"),
        ]
        .as_slice(),
        &[("a", "new"), ("b", "old"), (".tidegate-b.tmp", "new")],
        &[("a", "new"), ("b", "new")],
    ];
    for files in cases {
        let scratch = interrupted(files);
        assert_eq!(
            recover(scratch.path(), None).unwrap(),
            ["finished an interrupted change of 2 files"]
        );
        assert_eq!(
            scratch.tree(),
            Scratch::with(&[("a", "new"), ("b", "new")]).tree()
        );
        assert_eq!(pending(scratch.path(), None).unwrap(), None);
        assert_eq!(recover(scratch.path(), None).unwrap(), [""; 0]);
    }
    // Finished, then edited: only the journal had not gone yet.
    let scratch = interrupted(&[("a", "edited"), ("b", "new")]);
    assert!(recover(scratch.path(), None).is_ok());
    assert_eq!(
        scratch.tree(),
        Scratch::with(&[("a", "edited"), ("b", "new")]).tree()
    );
}

#[test]
fn a_damaged_journal_is_put_away() {
    let scratch = Scratch::with(&[("a", "old"), (".tidegate.journal", "nonsense")]);
    assert!(recover(scratch.path(), None).unwrap()[0].contains("damaged"));
    assert_eq!(scratch.tree().len(), 1);
}

#[test]
fn the_journal_survives_a_move_of_the_repository() {
    let scratch = Scratch::with(&[("repo/.git/HEAD", ""), ("repo/app/a", "old")]);
    let at = |name: &str| scratch.path().join(name);
    let gate = |call: super::fs::Call<'_>| match call {
        super::fs::Call::Rename(_, "a") => Err(std::io::Error::other("killed")),
        super::fs::Call::Rename(_, "tidegate.journal.new") | super::fs::Call::Remove(_) => {
            Err(std::io::Error::other("killed"))
        }
        _ => Ok(()),
    };
    let set = changes(&[("a", Some("old"), Some("new"))]);
    let error =
        super::writing::write_with(&Fs { gate: &gate }, &at("repo/app"), Some(&at("repo/.git")), &set)
            .unwrap_err();
    assert!(matches!(error, WriteError::Unfinished { .. }), "{error:?}");
    fs::rename(at("repo"), at("moved")).unwrap();
    // Another root of the same work tree finishes it too.
    recover(&at("moved"), Some(&at("moved/.git"))).unwrap();
    assert_eq!(fs::read_to_string(at("moved/app/a")).unwrap(), "new");
}

#[test]
fn a_second_writer_waits_and_then_names_the_first() {
    let scratch = Scratch::new();
    let fs = Fs::real();
    let store = Store::open(&fs, scratch.path(), None).unwrap();
    let lock = store.lock(&fs).unwrap();
    let wait = Duration::from_millis(100);
    let Err(error) = store.lock_within(&fs, wait) else {
        panic!("two locks")
    };
    assert!(
        matches!(error, WriteError::Busy { holder: Some(id) } if id == std::process::id()),
        "{error}"
    );
    drop(lock);
    assert!(store.lock_within(&fs, wait).is_ok());
    assert!(scratch.tree().is_empty());
}

/// Between opening and locking, the holder may end and remove the name: what is locked then is no lock.
#[cfg(unix)]
#[test]
fn a_lock_that_was_removed_meanwhile_does_not_count() {
    let scratch = Scratch::new();
    let name = scratch.path().join(".tidegate.lock");
    let is_first = std::cell::Cell::new(true);
    let gate = |call: super::fs::Call<'_>| {
        if matches!(call, super::fs::Call::Look) && is_first.replace(false) {
            fs::remove_file(&name)?;
        }
        Ok(())
    };
    let fs = Fs { gate: &gate };
    let store = Store::open(&fs, scratch.path(), None).unwrap();
    let _lock = store.lock(&fs).unwrap();
    assert!(!is_first.get() && name.exists());
}

#[test]
fn many_writers_end_as_if_in_sequence() {
    let scratch = Scratch::with(&[("a", "0"), ("b", "0")]);
    let count = |scratch: &Scratch| {
        let text = fs::read_to_string(scratch.path().join("a")).unwrap();
        let next = (text.parse::<u32>().unwrap() + 1).to_string();
        let set = changes(&[("a", Some(&text), Some(&next)), ("b", Some(&text), Some(&next))]);
        u32::from(write_in(scratch, &set).is_ok())
    };
    let done: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| (0..4).map(|_| count(&scratch)).sum::<u32>()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(done > 0);
    let expected = done.to_string();
    assert_eq!(
        scratch.tree(),
        Scratch::with(&[("a", &expected), ("b", &expected)]).tree()
    );
}

#[cfg(unix)]
#[test]
fn a_write_protected_file_stops_the_write_before_it_begins() {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        // Nothing is protected from the superuser.
        return;
    }
    let scratch = Scratch::with(&[("a", "old"), ("b", "old")]);
    fs::set_permissions(scratch.path().join("b"), fs::Permissions::from_mode(0o444)).unwrap();
    let set = changes(&[("a", Some("old"), Some("new")), ("b", Some("old"), Some("new"))]);
    assert!(matches!(write_in(&scratch, &set), Err(WriteError::Io { path, .. }) if path == "b"));
    assert_eq!(scratch.tree()["a"], "old");
}
