//! What the benchmarks of the binary share: whole processes, run in turn.
//!
//! Absolute times differ between machines, and from hour to hour on a shared one: quote the ratios of one run. Where
//! others use the machine as well, processor time tells more than wall time.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};
use tidegate_core::repo::MemoryRepo;

/// What one run of a command took, or the medians of several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Wall time.
    time: Duration,
    /// What the processors did for it, on all cores together.
    processor: Duration,
    /// Peak memory in KiB.
    pub(crate) memory: i64,
}

impl Figure {
    /// How many times another it took: `2.1 times (processor time 2.3)`.
    pub(crate) fn times(self, other: Self) -> String {
        let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
        format!(
            "{:.1} times (processor time {:.1})",
            ratio(self.time, other.time),
            ratio(self.processor, other.processor)
        )
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            formatter,
            "{:8.2} ms  processor {:8.2} ms  {:7} KiB",
            milliseconds(self.time),
            milliseconds(self.processor),
            self.memory
        )
    }
}

/// A command, and where it runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The program and its arguments.
    pub(crate) words: Vec<String>,
    /// The folder it runs in.
    pub(crate) folder: PathBuf,
    /// Variables it gets beside those of this process.
    pub(crate) variables: Vec<(String, String)>,
}

impl Run {
    /// A command in a folder.
    pub(crate) fn new<T: AsRef<str>>(folder: &Path, words: impl IntoIterator<Item = T>) -> Self {
        Self {
            words: words.into_iter().map(|word| word.as_ref().to_owned()).collect(),
            folder: folder.to_path_buf(),
            variables: Vec::new(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command
            .args(&self.words[1..])
            .current_dir(&self.folder)
            .envs(variables);
        command
    }
}

/// Runs commands in turn, so many rounds and two to warm up; the medians of each.
///
/// [`is_measured`] must be what `main` asks first. Panics if a command fails.
pub(crate) fn medians(rounds: usize, runs: &[&Run]) -> Vec<Figure> {
    let mut figures = vec![Vec::new(); runs.len()];
    for round in 0..rounds + 2 {
        for (run, figures) in runs.iter().zip(&mut figures) {
            let figure = measured(run);
            if round >= 2 {
                figures.push(figure);
            }
        }
    }
    figures.iter().map(|figures| median(figures)).collect()
}

/// The same, where it is known how many commands there are.
pub(crate) fn in_turn<const N: usize>(rounds: usize, runs: [&Run; N]) -> [Figure; N] {
    let figures = medians(rounds, &runs);
    figures.try_into().expect("one for each command")
}

fn median(figures: &[Figure]) -> Figure {
    fn of<T: Ord + Copy>(figures: &[Figure], part: impl Fn(&Figure) -> T) -> T {
        let mut parts: Vec<T> = figures.iter().map(part).collect();
        parts.sort_unstable();
        parts[parts.len() / 2]
    }
    Figure {
        time: of(figures, |figure| figure.time),
        processor: of(figures, |figure| figure.processor),
        memory: of(figures, |figure| figure.memory),
    }
}

/// Runs a command through this program once more, so that the peak memory of finished children is its own.
fn measured(run: &Run) -> Figure {
    let own = std::env::current_exe().expect("this program");
    let asked = serde_json::to_string(run).expect("text");
    let output = Command::new(own)
        .args([MEASURE, &asked])
        .output()
        .expect("this program runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut numbers = text
        .split_whitespace()
        .map(|number| number.parse::<i64>().expect("numbers"));
    let mut number = || numbers.next().unwrap_or_else(|| panic!("{run:?} failed"));
    Figure {
        time: Duration::from_micros(number().unsigned_abs()),
        processor: Duration::from_micros(number().unsigned_abs()),
        memory: number(),
    }
}

const MEASURE: &str = "--measure";

/// Whether this process was started to measure a command; it has done so then.
pub(crate) fn is_measured() -> bool {
    let mut args = std::env::args().skip(1).skip_while(|arg| arg != MEASURE);
    let Some(asked) = args.nth(1) else { return false };
    let run: Run = serde_json::from_str(&asked).expect("a run");
    let mut command = run.command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status();
    let time = start.elapsed();
    assert!(status.is_ok_and(|status| status.success()), "{run:?} failed");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    let processor = (usage.user_time() + usage.system_time()).num_microseconds();
    println!("{} {processor} {}", time.as_micros(), usage.max_rss());
    true
}

/// The folder of the fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Writes a repository into a folder.
pub(crate) fn write_all(repo: &MemoryRepo, folder: &Path) {
    for (path, text) in repo.files() {
        write(&folder.join(path.as_str()), text);
    }
}

/// Writes a file and the folders it needs.
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}
