//! The plugin of Argo CD against what an administrator would run instead, as whole processes in one run: `cargo bench --bench cmp`.
//!
//! One environment of a small service and of a larger one: `tidegate cmp generate`, `kustomize build` of the same base and patches, `cat`
//! of the same files, and a process that only says hello. Then one application in repositories of 1, 100 and 1,000, whose cost must not
//! grow with the others; and all 1,000 in one process on one and two threads. Absolute times differ between machines: quote the ratios.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../crates/core/tests/fixtures/mod.rs"]
#[expect(dead_code, reason = "other programs ask for other parts")]
mod fixtures;
#[path = "../tests/engines/kustomize.rs"]
mod kustomize;
mod measure;
#[path = "measure/overlay.rs"]
mod overlay;

use std::path::Path;
use std::time::Instant;

use fixtures::directory;
use measure::{Run, fixtures, in_turn, medians, write_all};
use serde_json::json;
use tidegate_core::layout;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;

const ROUNDS: usize = 40;
const ENVIRONMENT: &str = "production";

fn main() {
    if measure::is_measured() {
        return;
    }
    if std::env::args().nth(1).as_deref() == Some("--hello") {
        return println!("hello");
    }
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for fixture in ["istio/my-service", "istio/orders"] {
        one_environment(fixture, folder.path());
    }
    among_others(folder.path());
    all_in_one_process();
}

fn one_environment(fixture: &str, folder: &Path) {
    let repo = fixture_repo(fixture);
    let service = folder.join(fixture);
    write_all(&repo, &service);
    let config = Config::load(&repo, &RepoPath::root()).expect("a configuration");
    let application = layout::load(&repo, &RepoPath::root(), &config).expect("an application");
    let environment = &application.environments[ENVIRONMENT];
    let own = std::env::current_exe().expect("this program");
    let files = repo.files().keys().map(RepoPath::as_str);
    let mut runs = vec![
        ("cmp generate", generate(&service)),
        (
            "hello",
            Run::new(&service, [own.to_str().expect("UTF-8"), "--hello"]),
        ),
        ("cat", Run::new(&service, std::iter::once("cat").chain(files))),
    ];
    let overlay = folder.join(format!("{fixture}-overlay"));
    let kustomize = overlay::kustomize(environment, &application.namespace, &overlay);
    runs.extend(kustomize.map(|run| ("kustomize build", run)));
    println!(
        "{fixture}: {} files, {} objects, median of {ROUNDS} runs in turn",
        repo.files().len(),
        environment.rendered.iter().count()
    );
    let figures = medians(ROUNDS, &runs.iter().map(|(_, run)| run).collect::<Vec<_>>());
    for ((name, _), figure) in runs.iter().zip(&figures) {
        println!(
            "  {name:16}{figure}  against cmp generate: {}",
            figure.times(figures[0])
        );
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
        generate(&fleet.join("services/svc-00000"))
    });
    let figures = in_turn(ROUNDS, runs.each_ref());
    for (count, figure) in counts.iter().zip(figures) {
        println!("  {count:5} applications{figure}");
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

fn generate(folder: &Path) -> Run {
    let parameters = json!([{"name": "environment", "string": ENVIRONMENT}]);
    let mut run = Run::new(folder, [env!("CARGO_BIN_EXE_tidegate"), "cmp", "generate"]);
    let variable = ("ARGOCD_APP_PARAMETERS".to_owned(), parameters.to_string());
    run.variables.push(variable);
    run
}

fn fixture_repo(fixture: &str) -> MemoryRepo {
    directory(&fixtures().join(fixture).join("repo"))
}
