//! tidegate against kustomize, as whole processes, in one run: `cargo bench --bench render`.
//!
//! Renders one environment of a service in the middle of a canary with tidegate, and the same base and patches
//! with `kustomize build`, in turn; prints medians, peak memory and their ratios. Also the time of `status` and of
//! starting up. Absolute times differ between machines: quote the ratios.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../crates/core/tests/fixtures/mod.rs"]
#[expect(dead_code, reason = "other programs ask for other parts")]
mod fixtures;
#[path = "../tests/engines/kustomize.rs"]
mod kustomize;
mod measure;
#[path = "measure/overlay.rs"]
mod overlay;
#[path = "../crates/core/tests/fixtures/phases.rs"]
mod phases;

use measure::{Run, fixtures, in_turn, write_all};
use tidegate_core::checkout::Checkout;
use tidegate_core::repo::RepoPath;
use tidegate_core::schema::config::Config;

const ROUNDS: usize = 30;
const ENVIRONMENT: &str = "production";

fn main() {
    if measure::is_measured() {
        return;
    }
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let service = folder.path().join("service");
    // While its canary ramps.
    let root = RepoPath::root();
    let mut phases = phases::phases(&fixtures(), ("istio/orders", "", "web"), None).into_iter();
    let (_, repo) = phases.rfind(|(phase, _)| phase == "ramp").expect("a ramp");
    write_all(&repo, &service);
    let config = Config::load(&repo, &root).expect("a configuration");
    let checkout = Checkout::load(&repo, &root, &config).expect("an application");
    let environment = &checkout.application.environments[ENVIRONMENT];
    let namespace = &checkout.application.namespace;
    let Some(kustomize) = overlay::kustomize(environment, namespace, &folder.path().join("overlay")) else {
        return;
    };

    let tidegate = |words: &[&str]| Run::new(&service, [&[env!("CARGO_BIN_EXE_tidegate")], words].concat());
    let render = tidegate(&["render", "--env", ENVIRONMENT]);
    let status = tidegate(&["status"]);
    let version = tidegate(&["--version"]);
    let [render, kustomize, status, version] = in_turn(ROUNDS, [&render, &kustomize, &status, &version]);
    println!("one environment, median of {ROUNDS} runs in turn");
    println!("  tidegate render   {render}");
    println!("  kustomize build   {kustomize}");
    println!("  tidegate status   {status}");
    println!("  tidegate start-up {version}");
    println!(
        "kustomize build against tidegate render: {}, {:.1} times the memory",
        kustomize.times(render),
        kustomize.memory as f64 / render.memory as f64
    );
}
