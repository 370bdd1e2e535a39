//! Bounds on what a run costs while it works: memory, and for the plugin time.
//!
//! A thread looks whether one is reached, and ends the process then: the work itself cannot be interrupted. It stands down before
//! anything is written or printed, so that what was begun is finished. Memory is looked at on Linux alone.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::report;

/// What one run may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes in use.
    pub(crate) memory: u64,
    /// Since the start.
    pub(crate) time: Option<Duration>,
}

/// Which bound is reached, in words; and the flag that raises it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) message: String,
    pub(crate) flag: &'static str,
}

/// Room for a refusal.
const STACK: usize = 256 << 10;

/// How often is looked whether a bound is reached; most runs are over before the first time.
const LOOK: Duration = Duration::from_millis(5);

/// Set by the one that speaks: the watch or the work, never both.
static IS_SAID: AtomicBool = AtomicBool::new(false);

/// Watches from now on; `say` makes the lines that the process ends with.
pub(crate) fn start(
    start: Instant,
    bounds: Bounds,
    say: impl Fn(&Reached) -> String + Send + 'static,
) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK).spawn(move || {
        while !IS_SAID.load(Ordering::SeqCst) {
            thread::sleep(LOOK);
            if let Some(reached) = bounds.reached(start, memory_in_use()) {
                end_with(&say(&reached));
            }
        }
    })?;
    Ok(())
}

/// The work is done: from here on nothing stops it.
pub(crate) fn stand_down() {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    if !IS_OVER.swap(true, Ordering::SeqCst) && IS_SAID.swap(true, Ordering::SeqCst) {
        // The watch is about to end the process.
        loop {
            thread::park();
        }
    }
}

#[expect(
    clippy::exit,
    reason = "the work cannot be interrupted in any other way, and leaves nothing behind"
)]
fn end_with(lines: &str) {
    if !IS_SAID.swap(true, Ordering::SeqCst) {
        report::message(lines);
        std::process::exit(1);
    }
}

impl Bounds {
    /// The bound that is reached.
    pub(crate) fn reached(&self, start: Instant, memory: u64) -> Option<Reached> {
        if let Some(time) = self.time.filter(|time| start.elapsed() >= *time) {
            return Some(Reached {
                message: format!("not done after {} seconds", time.as_secs_f64()),
                flag: "--max-seconds",
            });
        }
        (memory > self.memory).then(|| Reached {
            message: format!("more than {} bytes of memory are in use", self.memory),
            flag: "--max-memory",
        })
    }
}

/// Bytes that this process occupies; 0 where the system does not say. Source: Linux, `proc_pid_status(5)`.
fn memory_in_use() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    number.unwrap_or_default() * 1024
}
