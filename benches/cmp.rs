//! The plugin of Argo CD against what an administrator would run instead, as whole processes in one run: `cargo bench --bench cmp`.
//!
//! One environment of a small service and of a larger one: `tidegate cmp generate`, `kustomize build` of the same base and patches, `cat`
//! of the same files, and a process that only says hello. Then one application in repositories of 1, 100 and 1,000, whose cost must not
//! grow with the others; and all 1,000 in one process on one and two threads. Absolute times differ between machines: quote the ratios.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/engines/kustomize.rs"]
mod kustomize;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kustomize::Kustomize;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};
use tidegate_core::layout;
use tidegate_core::model::Environment;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;

const ROUNDS: usize = 40;
const ENVIRONMENT: &str = "production";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("--measure") => return measure(&args[2], &args[3..]),
        Some("--hello") => return println!("hello"),
        _ => {}
    }
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for fixture in ["istio/my-service", "istio/orders"] {
        one_environment(fixture, folder.path());
    }
    among_others(folder.path());
    all_in_one_process();
}

/// A command and the folder it runs in.
struct Run {
    folder: PathBuf,
    words: Vec<String>,
}

fn one_environment(fixture: &str, folder: &Path) {
    let repo = fixture_repo(fixture);
    let service = folder.join(fixture);
    write_all(&repo, &service);
    let config = Config::load(&repo, &RepoPath::root()).expect("a configuration");
    let application = layout::load(&repo, &RepoPath::root(), &config).expect("an application");
    let environment = &application.environments[ENVIRONMENT];
    let here = |words: Vec<String>| Run {
        folder: service.clone(),
        words,
    };
    let own = std::env::current_exe().expect("this program");
    let mut runs = vec![
        ("cmp generate", here(generate())),
        ("hello", here(vec![text(&own), "--hello".to_owned()])),
        ("cat", here(cat(&repo))),
    ];
    if let Some(kustomize) = Kustomize::find() {
        let overlay = folder.join(format!("{fixture}-overlay"));
        write_overlay(environment, &application.namespace, &overlay);
        kustomize.build(&overlay).expect("kustomize takes the overlay");
        let command = kustomize.command(&overlay);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words = words
            .map(|word| word.to_str().expect("UTF-8").to_owned())
            .collect();
        runs.push(("kustomize build", here(words)));
    }
    println!(
        "{fixture}: {} files, {} objects, median of {ROUNDS} runs in turn",
        repo.files().len(),
        environment.rendered.iter().count()
    );
    let figures = in_turn(&runs.iter().map(|(_, run)| run).collect::<Vec<_>>());
    let base = figures[0].0.as_secs_f64();
    for ((name, _), figure) in runs.iter().zip(&figures) {
        let ratio = figure.0.as_secs_f64() / base;
        println!("  {name:16}{}  {ratio:7.2} × cmp generate", show(*figure));
    }
}

/// The cost of one application, whatever else is in the repository.
fn among_others(folder: &Path) {
    println!("one application among others, median of {ROUNDS} runs in turn");
    let repo = fixture_repo("istio/my-service");
    let counts = [1, 100, 1_000];
    let runs = counts.map(|count| {
        let fleet = folder.join(format!("fleet-{count}"));
        for number in 0..count {
            write_all(&repo, &fleet.join(format!("services/svc-{number:05}")));
        }
        // As it lies in the sidecar, whose copy need not have `.git`.
        Run {
            folder: fleet.join("services/svc-00000"),
            words: generate(),
        }
    });
    let figures = in_turn(&runs.iter().collect::<Vec<_>>());
    for (count, figure) in counts.iter().zip(figures) {
        println!("  {count:5} applications{}", show(figure));
    }
}

/// What rendering alone costs, without starting processes.
fn all_in_one_process() {
    const COUNT: usize = 1_000;
    let repo = fixture_repo("istio/my-service");
    let render = |count: usize| {
        for _ in 0..count {
            let config = Config::load(&repo, &RepoPath::root()).expect("a configuration");
            let application = layout::load_environment(&repo, &RepoPath::root(), &config, ENVIRONMENT);
            let application = application.expect("an application");
            let rendered = application.environments[ENVIRONMENT].rendered.iter();
            std::hint::black_box(tidegate_yaml::print_stream(
                rendered.map(|manifest| &manifest.value),
            ));
        }
    };
    render(COUNT / 10);
    for threads in [1, 2] {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| render(COUNT / threads));
            }
        });
        let speed = COUNT as f64 / start.elapsed().as_secs_f64();
        println!("{COUNT} applications in one process, {threads} threads: {speed:.0} applications a second");
    }
}

fn generate() -> Vec<String> {
    [env!("CARGO_BIN_EXE_tidegate"), "cmp", "generate"]
        .map(str::to_owned)
        .to_vec()
}

fn cat(repo: &MemoryRepo) -> Vec<String> {
    let files = repo.files().keys().map(|path| path.as_str().to_owned());
    std::iter::once("cat".to_owned()).chain(files).collect()
}

/// Wall time, and peak memory in KiB.
type Figure = (Duration, i64);

fn show((time, memory): Figure) -> String {
    format!("{:8.2} ms  {:7} KiB", time.as_secs_f64() * 1e3, memory)
}

/// The medians of some commands, which are run one after the other, round by round.
fn in_turn(runs: &[&Run]) -> Vec<Figure> {
    let mut figures = vec![Vec::new(); runs.len()];
    for round in 0..ROUNDS + 2 {
        for (run, figures) in runs.iter().zip(&mut figures) {
            let figure = measured(run);
            if round >= 2 {
                figures.push(figure);
            }
        }
    }
    figures.into_iter().map(median).collect()
}

fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_unstable();
    let time = figures[figures.len() / 2].0;
    figures.sort_unstable_by_key(|(_, memory)| *memory);
    (time, figures[figures.len() / 2].1)
}

/// Runs a command through this program once more, so that the peak memory of finished children is its own.
fn measured(run: &Run) -> Figure {
    let own = std::env::current_exe().expect("this program");
    let output = Command::new(own)
        .arg("--measure")
        .arg(&run.folder)
        .args(&run.words)
        .output()
        .expect("this program runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut numbers = text
        .split_whitespace()
        .map(|number| number.parse::<i64>().expect("two numbers"));
    let mut number = || numbers.next().unwrap_or_else(|| panic!("{:?} failed", run.words));
    (Duration::from_nanos(number() as u64), number())
}

fn measure(folder: &str, command: &[String]) {
    let [program, args @ ..] = command else { return };
    let start = Instant::now();
    let status = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env(
            "ARGOCD_APP_PARAMETERS",
            json!([{"name": "environment", "string": ENVIRONMENT}]).to_string(),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let time = start.elapsed();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    println!("{} {}", time.as_nanos(), usage.max_rss());
}

fn fixture_repo(fixture: &str) -> MemoryRepo {
    let mut repo = MemoryRepo::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(fixture)
        .join("repo");
    read(&folder, "", &mut repo);
    repo
}

fn write_all(repo: &MemoryRepo, folder: &Path) {
    for (path, text) in repo.files() {
        write(&folder.join(path.as_str()), text);
    }
}

fn write_overlay(environment: &Environment, namespace: &str, overlay: &Path) {
    let resources: Vec<&Value> = environment.base.iter().map(|manifest| &manifest.value).collect();
    write(
        &overlay.join("resources.yaml"),
        &tidegate_yaml::print_stream(resources),
    );
    let patches = environment.patches.iter().enumerate().map(|(index, patch)| {
        let file = format!("patch-{index}.yaml");
        write(&overlay.join(&file), &tidegate_yaml::print(&patch.value));
        json!({"path": file})
    });
    let kustomization = json!({
        "namespace": namespace,
        "resources": ["resources.yaml"],
        "patches": patches.collect::<Vec<_>>(),
    });
    write(
        &overlay.join("kustomization.yaml"),
        &tidegate_yaml::print(&kustomization),
    );
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn read(folder: &Path, prefix: &str, repo: &mut MemoryRepo) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), repo);
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            repo.set(RepoPath::root().join(&name), Some(text));
        }
    }
}
