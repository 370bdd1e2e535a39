//! `tidegate check` of many applications, as whole processes: `cargo bench --bench check`.
//!
//! Writes a repository of services, every third in the middle of a canary (`TIDEGATE_BENCH_APPS` says how many
//! services, 500 where it does not), and measures in turn, each time with what git or `cat` need for the same files:
//!
//! 1. `check` of everything, and of a fifth of it, which tells whether it grows with the number of files;
//! 2. `check --staged` with nothing of tidegate's staged, and with one service changed;
//! 3. `check` of one transition of a service in three environments: the proof.
//!
//! Prints medians, peak memory and ratios, and beside them what they are meant to be. Quote the ratios.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../crates/core/tests/fixtures/mod.rs"]
#[expect(dead_code, reason = "other programs ask for other parts")]
mod fixtures;
mod measure;
#[path = "../crates/core/tests/fixtures/phases.rs"]
mod phases;

use std::path::PathBuf;
use std::process::Command;

use measure::{Run, fixtures, in_turn, write, write_all};
use tempfile::TempDir;
use tidegate_core::repo::{MemoryRepo, RepoPath};

const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");
/// Of what takes long, and of what does not.
const FEW_ROUNDS: usize = 7;
const ROUNDS: usize = 30;

fn main() {
    if measure::is_measured() {
        return;
    }
    let apps = std::env::var("TIDEGATE_BENCH_APPS").map_or(500, |apps| apps.parse().expect("a number"));
    let fleet = Fleet::read();
    everything(&fleet, apps);
    staged(&fleet, apps);
    proof();
}

fn everything(fleet: &Fleet, apps: usize) {
    let (few, many) = (fleet.write(apps / 5), fleet.write(apps));
    let check = |repository: &Repository| Run::new(&repository.path, [TIDEGATE, "check"]);
    let script = "find services -name '*.yaml' -print0 | xargs -0 cat";
    let cat = Run::new(&many.path, ["sh", "-c", script]);
    let [few, check, cat] = in_turn(FEW_ROUNDS, [&check(&few), &check(&many), &cat]);
    let files = many.files;
    println!("everything, {apps} services in {files} files, median of {FEW_ROUNDS} runs in turn");
    println!("  tidegate check, a fifth   {few}");
    println!("  tidegate check            {check}");
    println!("  cat of the same files     {cat}");
    println!(
        "  against cat:     {}; meant to be at most 10, in at most 65536 KiB",
        check.times(cat)
    );
    println!("  against a fifth: {}; 5 where it is linear", check.times(few));
}

fn staged(fleet: &Fleet, apps: usize) {
    let repository = fleet.write(apps);
    let check = Run::new(&repository.path, [TIDEGATE, "check", "--staged"]);
    let diff = Run::new(&repository.path, ["git", "diff", "--cached"]);
    write(&repository.path.join("docs/notes.md"), "Nothing of tidegate's.\n");
    repository.git(&["add", "--all"]);
    let [none, none_diff] = in_turn(ROUNDS, [&check, &diff]);
    repository.git(&["rm", "--quiet", "-r", "-f", "docs"]);
    write_all(&fleet.ramped_on, &repository.path);
    repository.git(&["add", "--all"]);
    let [one, one_diff] = in_turn(ROUNDS, [&check, &diff]);
    println!("what is staged, {apps} services, median of {ROUNDS} runs in turn");
    println!("  tidegate check --staged, nothing of its own {none}");
    println!("  git diff --cached                           {none_diff}");
    println!("  {}; meant to be less than 20 ms", none.times(none_diff));
    println!("  tidegate check --staged, one service        {one}");
    println!("  git diff --cached                           {one_diff}");
    println!(
        "  {}; meant to be at most 3 with 5,000 services",
        one.times(one_diff)
    );
}

/// The transition of the fixtures that changes the most objects, with two edits of a person's.
fn proof() {
    let mut phases = phases::phases(&fixtures(), ("istio/orders", "", "web"), None).into_iter();
    let mut next = || phases.next().expect("a phase").1;
    let (mut before, mut after) = (next(), next());
    let third = "environments:\n  preview:\n    hosts: [preview.example.com]\n";
    for repo in [&mut before, &mut after] {
        edit(repo, ".tidegate/config.yaml", "environments:\n", third);
    }
    edit(
        &mut after,
        "gap/gap.yaml",
        "--queue=orders.created",
        "--queue=orders.new",
    );
    edit(
        &mut after,
        "gap/gap_configmap.yaml",
        "\ndata:",
        "\ndata:\n  more: \"1\"",
    );
    let repository = Repository::new(&before);
    write_all(&after, &repository.path);
    let check = Run::new(&repository.path, [TIDEGATE, "check"]);
    let [figure] = in_turn(ROUNDS, [&check]);
    println!("one transition, median of {ROUNDS} runs");
    let mut check = Command::new(TIDEGATE);
    let told = check.arg("check").current_dir(&repository.path).output();
    let told = told.expect("tidegate runs");
    let told = String::from_utf8(told.stderr).expect("UTF-8");
    for line in told.lines().filter(|line| line.contains(" objects change")) {
        println!("  {line}");
    }
    println!("  tidegate check            {figure}");
    println!("  meant to be less than 50 ms");
}

fn edit(repo: &mut MemoryRepo, file: &str, old: &str, new: &str) {
    let path = RepoPath::new(file).expect("a path");
    let text = &repo.files()[&path];
    assert!(text.contains(old), "{file} has no {old:?}");
    let text = text.replace(old, new);
    repo.set(path, Some(text));
}

/// A service as many times as wanted, under another name each.
struct Fleet {
    /// Without a canary.
    idle: MemoryRepo,
    /// While its canary ramps.
    ramped: MemoryRepo,
    /// One transition further.
    ramped_on: MemoryRepo,
}

const SERVICE: &str = "services/catalog";
const NAME: &str = "catalog";

impl Fleet {
    fn read() -> Self {
        let phases = phases::phases(&fixtures(), ("istio/monorepo", SERVICE, "web"), None);
        let mut of = phases
            .iter()
            .filter(|(phase, _)| phase == "idle" || phase == "ramp");
        let mut next = || of.next().expect("a phase").1.clone();
        Self {
            idle: next(),
            ramped: next(),
            ramped_on: next(),
        }
    }

    /// A committed repository of many services; the first is called as in the fixture.
    fn write(&self, apps: usize) -> Repository {
        let mut repo = self.ramped.clone();
        for number in 1..apps {
            let service = match number % 3 {
                0 => &self.ramped,
                _ => &self.idle,
            };
            let name = format!("{NAME}-{number:05}");
            let files = service.files().iter();
            for (path, text) in files.filter(|(path, _)| path.as_str().starts_with(SERVICE)) {
                let path = RepoPath::new(&path.as_str().replace(NAME, &name)).expect("a path");
                repo.set(path, Some(text.replace(NAME, &name)));
            }
        }
        Repository::new(&repo)
    }
}

/// A repository on disk, under git.
struct Repository {
    path: PathBuf,
    files: usize,
    _folder: TempDir,
}

impl Repository {
    /// With one commit of these files.
    fn new(files: &MemoryRepo) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().to_path_buf();
        let repository = Self {
            path,
            files: files.files().len(),
            _folder: folder,
        };
        write_all(files, &repository.path);
        repository.git(&["init", "--quiet"]);
        repository.git(&["add", "--all"]);
        repository.git(&["commit", "--quiet", "-m", "first"]);
        repository
    }

    fn git(&self, args: &[&str]) {
        let identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
        let mut git = Command::new("git");
        let status = git.current_dir(&self.path).args(identity).args(args).status();
        assert!(status.is_ok_and(|status| status.success()), "git {args:?} failed");
    }
}
