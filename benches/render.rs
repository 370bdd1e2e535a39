//! tidegate against kustomize, as whole processes, in one run: `cargo bench --bench render`.
//!
//! Renders one environment of a service in the middle of a canary with tidegate, and the same base and patches
//! with `kustomize build`, in turn; prints medians, peak memory and their ratios. Also the time of `status` and of
//! starting up. Absolute times differ between machines: quote the ratios.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/engines/kustomize.rs"]
mod kustomize;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kustomize::Kustomize;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};
use tidegate_core::checkout::Checkout;
use tidegate_core::model::Environment;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::transition::{NextRequest, next};

const ROUNDS: usize = 30;
const ENVIRONMENT: &str = "production";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(command) = args.get(2..).filter(|_| args[1] == "--measure") {
        return measure(command);
    }
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let service = folder.path().join("service");
    let overlay = folder.path().join("overlay");
    in_the_middle_of_a_canary(&service, &overlay);

    let tidegate = env!("CARGO_BIN_EXE_tidegate");
    let service = service.to_str().expect("UTF-8");
    let render = [tidegate, "-C", service, "render", "--env", ENVIRONMENT]
        .map(str::to_owned)
        .to_vec();
    let status = [tidegate, "-C", service, "status"].map(str::to_owned).to_vec();
    let version = [tidegate, "--version"].map(str::to_owned).to_vec();
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    kustomize.build(&overlay).expect("kustomize takes the overlay");
    let kustomize = words(&kustomize.command(&overlay));

    let mut figures = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let commands = [&render, &kustomize, &status, &version];
    for round in 0..ROUNDS + 2 {
        for (command, figures) in commands.iter().zip(&mut figures) {
            let figure = run(command);
            if round >= 2 {
                figures.push(figure);
            }
        }
    }
    let [render, kustomize, status, version] = figures.map(median);
    println!("one environment, median of {ROUNDS} runs in turn");
    println!("  tidegate render   {}", show(render));
    println!("  kustomize build   {}", show(kustomize));
    println!("  tidegate status   {}", show(status));
    println!("  tidegate start-up {}", show(version));
    println!(
        "kustomize needs {:.0} times the time and {:.1} times the memory of tidegate render",
        kustomize.0.as_secs_f64() / render.0.as_secs_f64(),
        kustomize.1 as f64 / render.1 as f64
    );
}

/// Program and arguments.
fn words(command: &Command) -> Vec<String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_str().expect("UTF-8").to_owned())
        .collect()
}

/// Wall time, and peak memory in KiB.
type Figure = (Duration, i64);

fn show((time, memory): Figure) -> String {
    format!("{:8.2} ms  {:7} KiB", time.as_secs_f64() * 1e3, memory)
}

fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_unstable();
    let time = figures[figures.len() / 2].0;
    figures.sort_unstable_by_key(|(_, memory)| *memory);
    (time, figures[figures.len() / 2].1)
}

/// Runs a command through this program once more, so that the peak memory of finished children is its own.
fn run(command: &[String]) -> Figure {
    let own = std::env::current_exe().expect("this program");
    let output = Command::new(own)
        .arg("--measure")
        .args(command)
        .output()
        .expect("this program runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut numbers = text
        .split_whitespace()
        .map(|number| number.parse::<i64>().expect("two numbers"));
    let mut number = || numbers.next().unwrap_or_else(|| panic!("{command:?} failed"));
    (Duration::from_nanos(number() as u64), number())
}

fn measure(command: &[String]) {
    let [program, args @ ..] = command else { return };
    let start = Instant::now();
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let time = start.elapsed();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    println!("{} {}", time.as_nanos(), usage.max_rss());
}

/// Writes the service of `fixtures/istio/orders` while its canary ramps, and the same for kustomize.
fn in_the_middle_of_a_canary(service: &Path, overlay: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/istio/orders/repo");
    let mut repo = MemoryRepo::default();
    read(&fixture, "", &mut repo);
    let release =
        "apiVersion: tidegate.dev/v1\nreleases:\n  - workload: web\n    stable: {image: {tag: 5b1f0c7e}}\n";
    repo.set(
        RepoPath::root().join("gap/tidegate.yaml"),
        Some(release.to_owned()),
    );
    let config = Config::load(&repo, &RepoPath::root()).expect("a configuration");
    for _ in 0..6 {
        let change = {
            let checkout = Checkout::load(&repo, &RepoPath::root(), &config).expect("an application");
            let release = &checkout.application.releases[0];
            next(&checkout, release, &NextRequest::default())
                .expect("a transition")
                .expect("not the end")
                .change
        };
        change
            .iter()
            .for_each(|change| repo.set(change.path.clone(), change.after.clone()));
    }
    for (path, text) in repo.files() {
        write(&service.join(path.as_str()), text);
    }
    let checkout = Checkout::load(&repo, &RepoPath::root(), &config).expect("an application");
    let application = &checkout.application;
    write_overlay(
        &application.environments[ENVIRONMENT],
        &application.namespace,
        overlay,
    );
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

fn write(path: &PathBuf, text: &str) {
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
