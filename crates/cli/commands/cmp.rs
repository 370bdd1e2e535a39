//! `tidegate cmp`: the commands of an Argo CD config management plugin.
//!
//! They run beside the repo-server, on files and variables that other teams write, many at a time. So a run takes nothing but
//! the Application's folder and the documented variables, starts no program, writes no file, is bounded in what it reads and how
//! long it takes, and prints either everything or nothing: empty output would delete what is deployed.
//! Source: the Argo CD manual, page on config management plugins, and `cmpserver/plugin/plugin.go`.

mod discover;
mod generate;
mod parameters;
mod place;
mod request;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::repo::RepoPath;

use self::place::Place;
use super::{Outcome, Stop};
use crate::args::{BoundArgs, CmpCommand, PlaceArgs};
use crate::report;
use crate::workspace::Workspace;

/// Room for a refusal.
const STACK: usize = 256 << 10;

/// How often is looked whether a bound is reached; most runs are over before the first time.
const LOOK: Duration = Duration::from_millis(5);

/// What a run prints: the product, and lines for the sidecar's log or, on failure, for the user of Argo CD.
struct Answer {
    outcome: Outcome,
    product: String,
    lines: String,
}

/// Runs one command, and gives up on it when a bound is reached.
pub(crate) fn run(place: &PlaceArgs, command: &CmpCommand) -> Outcome {
    let start = Instant::now();
    let bounds = command.bounds();
    let watch = match Watch::start(start, bounds) {
        Ok(watch) => watch,
        Err(error) => {
            report::failure(&error.into());
            return Outcome::CouldNotRun;
        }
    };
    let answer = answer(place, command);
    let answer = watch.stop(answer, start, bounds);
    report::message(&answer.lines);
    match report::product(&answer.product) {
        Ok(()) => answer.outcome,
        Err(error) => {
            report::failure(&error.into());
            Outcome::CouldNotRun
        }
    }
}

/// A thread that looks whether a bound is reached while the work is done, and ends the process then.
struct Watch {
    /// Set by the one that speaks: the watch or the work, never both.
    is_said: Arc<AtomicBool>,
    /// Nothing is sent; the watch ends when this is gone.
    _until: Sender<()>,
}

impl Watch {
    fn start(start: Instant, bounds: &BoundArgs) -> io::Result<Self> {
        let (until, end) = mpsc::channel::<()>();
        let is_said = Arc::new(AtomicBool::new(false));
        let (bounds, said) = (bounds.clone(), Arc::clone(&is_said));
        thread::Builder::new().stack_size(STACK).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(LOOK) {
                if let Some(reached) = reached(start, memory_in_use(), &bounds) {
                    end_with(&reached, &said);
                }
            }
        })?;
        Ok(Self {
            is_said,
            _until: until,
        })
    }

    /// The answer, unless it comes too late.
    fn stop(self, answer: Answer, start: Instant, bounds: &BoundArgs) -> Answer {
        if self.is_said.swap(true, Ordering::SeqCst) {
            // The watch is about to end the process.
            loop {
                thread::park();
            }
        }
        // Memory that was enough for the work is enough for its end.
        reached(start, 0, bounds).unwrap_or(answer)
    }
}

#[expect(
    clippy::exit,
    reason = "the work cannot be interrupted in any other way, and leaves nothing behind"
)]
fn end_with(answer: &Answer, is_said: &AtomicBool) {
    if !is_said.swap(true, Ordering::SeqCst) {
        report::message(&answer.lines);
        std::process::exit(1);
    }
}

/// The refusal, where a bound is reached.
fn reached(start: Instant, memory: u64, bounds: &BoundArgs) -> Option<Answer> {
    let refuse = |message: String, flag: &str| {
        let reached = Diagnostic::error(Code::LimitReached, message);
        let hint =
            format!("make the application smaller, or ask the administrator of Argo CD for a larger {flag}");
        Some(refused(None, &Stop::from(reached.hint(hint))))
    };
    if start.elapsed() >= bounds.max_seconds {
        let message = format!("not done after {} seconds", bounds.max_seconds.as_secs_f64());
        return refuse(message, "--max-seconds");
    }
    if memory > bounds.max_memory {
        let message = format!("more than {} bytes of memory are in use", bounds.max_memory);
        return refuse(message, "--max-memory");
    }
    None
}

/// Bytes that this process occupies; 0 where the system does not say. Source: Linux, `proc_pid_status(5)`.
fn memory_in_use() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    number.unwrap_or_default() * 1024
}

fn answer(place: &PlaceArgs, command: &CmpCommand) -> Answer {
    let Place { workspace, notice } = match place::open(place, command.bounds()) {
        Ok(place) => place,
        Err(stop) => return refused(None, &stop),
    };
    let product = match command {
        CmpCommand::Generate(args) => generate::run(&workspace, args),
        CmpCommand::Parameters(_) => parameters::run(&workspace),
        CmpCommand::Discover(_) => discover::run(&workspace).map(Product::plain),
    };
    match product {
        Ok(Product { text, mut notices }) => {
            notices.extend(notice);
            Answer {
                outcome: Outcome::Fine,
                product: text,
                lines: lines(Some(&workspace), &notices),
            }
        }
        Err(stop) => refused(Some(&workspace), &stop),
    }
}

/// What a command made, and what is worth knowing about it.
struct Product {
    text: String,
    notices: Vec<Diagnostic>,
}

impl Product {
    fn plain(text: String) -> Self {
        Self {
            text,
            notices: Vec::new(),
        }
    }
}

fn refused(workspace: Option<&Workspace>, stop: &Stop) -> Answer {
    let (outcome, lines) = match stop {
        Stop::Refused(diagnostics) => (Outcome::Refused, lines(workspace, diagnostics)),
        Stop::Failed(error) => (Outcome::CouldNotRun, report::failure_line(error)),
    };
    Answer {
        outcome,
        product: String::new(),
        lines,
    }
}

fn lines(workspace: Option<&Workspace>, diagnostics: &[Diagnostic]) -> String {
    let text_of = |path: &RepoPath| workspace?.repo().read(path).ok()?;
    report::diagnostic::render_lines(diagnostics, &text_of)
}

impl CmpCommand {
    fn bounds(&self) -> &BoundArgs {
        match self {
            Self::Generate(args) => &args.bounds,
            Self::Parameters(bounds) | Self::Discover(bounds) => bounds,
        }
    }
}
