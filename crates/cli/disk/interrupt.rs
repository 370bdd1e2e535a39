//! Ctrl-C and its like while files are written: the write is taken back or finished first, then the process
//! ends by that signal. A second one ends it at once, and the next run recovers.
//!
//! At any other time a signal does what it always does. Where there are no Unix signals nothing is held
//! back, and an interrupted write is recovered by the next run.

/// Holds signals back until it is dropped.
#[derive(Debug)]
pub(super) struct Held(());

#[cfg(unix)]
pub(super) use unix::{hold, is_asked};

#[cfg(not(unix))]
pub(super) fn hold() -> Held {
    Held(())
}

#[cfg(not(unix))]
pub(super) fn is_asked() -> bool {
    false
}

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, OnceLock};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::{flag, low_level};

    use super::Held;

    struct Signals {
        /// Nothing is being written: a signal does what it always does.
        is_free: Arc<AtomicBool>,
        is_asked: Arc<AtomicBool>,
        number: Arc<AtomicUsize>,
    }

    static SIGNALS: OnceLock<Signals> = OnceLock::new();

    /// Holds signals back. Where that fails they keep their effect, and the next run recovers.
    pub(crate) fn hold() -> Held {
        let signals = SIGNALS.get_or_init(register);
        signals.is_free.store(false, Ordering::SeqCst);
        Held(())
    }

    /// Whether a signal asked to stop.
    pub(crate) fn is_asked() -> bool {
        SIGNALS
            .get()
            .is_some_and(|signals| signals.is_asked.load(Ordering::SeqCst))
    }

    fn register() -> Signals {
        let flag_of = |value| Arc::new(AtomicBool::new(value));
        let signals = Signals {
            is_free: flag_of(true),
            is_asked: flag_of(false),
            number: Arc::default(),
        };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: what a second signal does must not see what the first has just said.
            let _ = flag::register_conditional_default(signal, Arc::clone(&signals.is_free))
                .and_then(|_| {
                    flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&signals.is_asked))
                })
                .and_then(|_| {
                    flag::register_usize(
                        signal,
                        Arc::clone(&signals.number),
                        signal.unsigned_abs() as usize,
                    )
                })
                .and_then(|_| flag::register(signal, Arc::clone(&signals.is_asked)));
        }
        signals
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let Some(signals) = SIGNALS.get() else { return };
            signals.is_free.store(true, Ordering::SeqCst);
            if signals.is_asked.load(Ordering::SeqCst) {
                let number = signals.number.load(Ordering::SeqCst);
                // Its default action now: the process ends by it, as the caller expects.
                let _ = i32::try_from(number).map(low_level::raise);
            }
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus, Stdio};
    use std::time::{Duration, Instant};

    use tidegate_core::change::ChangeSet;

    use crate::disk::scratch::{Scratch, changes};
    use crate::disk::{recover, write};

    const FILES: usize = 64;
    const PLACE: &str = "TIDEGATE_TEST_INTERRUPT";

    fn transition(before: &str, after: &str) -> ChangeSet {
        let names: Vec<_> = (0..FILES).map(|number| format!("{number}/file")).collect();
        let files: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), Some(before), Some(after)))
            .collect();
        changes(&files)
    }

    /// Runs in a process of its own, which the other tests start and stop.
    #[test]
    #[ignore = "the other half of the tests below"]
    fn child() {
        let root = std::env::var_os(PLACE).unwrap();
        for round in 0..1000 {
            let (before, after) = if round % 2 == 0 {
                ("old", "new")
            } else {
                ("new", "old")
            };
            drop(write(root.as_ref(), None, &transition(before, after)).unwrap());
        }
    }

    fn stopped_after(scratch: &Scratch, delay: Duration, signal: &str) -> ExitStatus {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "--ignored", "disk::interrupt::tests::child"])
            .env(PLACE, scratch.path());
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while !scratch.path().join(".tidegate.lock").exists() && begin.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(delay);
        Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        child.wait().unwrap()
    }

    fn repository() -> Scratch {
        let scratch = Scratch::new();
        (0..FILES).for_each(|number| scratch.put(&format!("{number}/file"), "old"));
        scratch
    }

    fn assert_whole(scratch: &Scratch) {
        let tree = scratch.tree();
        let files: Vec<_> = tree.iter().filter(|(path, _)| !path.ends_with('/')).collect();
        assert_eq!(files.len(), FILES, "{files:?}");
        assert!(files.iter().all(|(_, text)| *text == files[0].1), "{files:?}");
    }

    #[test]
    fn an_interrupted_run_leaves_everything_whole_and_ends_by_the_signal() {
        for step in 0..24 {
            let scratch = repository();
            let status = stopped_after(&scratch, Duration::from_micros(233 * step), "-INT");
            assert_eq!(status.signal(), Some(2), "{status:?}");
            assert_whole(&scratch);
        }
    }

    /// Holds signals back as a write does, in a process of its own, until it is ended.
    #[test]
    #[ignore = "the other half of the test below"]
    fn holding_child() {
        let root = std::path::PathBuf::from(std::env::var_os(PLACE).unwrap());
        let _held = super::hold();
        std::fs::write(root.join("held"), "").unwrap();
        while !super::is_asked() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::fs::write(root.join("asked"), "").unwrap();
        std::thread::sleep(Duration::from_secs(60));
    }

    #[test]
    fn a_second_signal_ends_the_run_at_once() {
        let scratch = Scratch::new();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "disk::interrupt::tests::holding_child"])
            .env(PLACE, scratch.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let number = child.id().to_string();
        for mark in ["held", "asked"] {
            while !scratch.path().join(mark).exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Command::new("kill").args(["-INT", &number]).status().unwrap();
        }
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }

    #[test]
    fn a_killed_run_is_made_whole_by_the_next() {
        for step in 0..48 {
            let scratch = repository();
            let status = stopped_after(&scratch, Duration::from_micros(233 * step), "-KILL");
            assert_eq!(status.signal(), Some(9), "{status:?}");
            drop(recover(scratch.path(), None).unwrap());
            let _ = std::fs::remove_file(scratch.path().join(".tidegate.lock"));
            assert_whole(&scratch);
        }
    }
}
