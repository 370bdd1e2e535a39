//! The reality check: what a real Envoy does with half-applied states.
//!
//! ```text
//! state ─▶ translate ─▶ clusters, listeners ─▶ process (Envoy) ◀─ requests ─▶ answer ─▶ replay: prediction = answer?
//! ```
//!
//! Somebody predicts: in this state of the cluster, of this class of requests, so much is served by this version and
//! so much fails with that. [`replay::replay`] takes [`scenario::Transition`]s with predictions, has Envoy do it, and
//! gives a [`replay::Report`]: the answers, every disagreement in words, and how many transitions, states and classes
//! of requests were tried.
//!
//! - **Independent.** `translate/` turns objects of Kubernetes, Istio, the Gateway API, App Mesh and SMI into Envoy
//!   configuration from their documentation. It uses nothing of tidegate; the test below keeps it so. What it does not know it refuses, and the
//!   state counts as untranslated, never as agreeing.
//! - **Checked.** `documented/` has states whose answer is documented; they have to come out before a prediction means
//!   anything.
//! - **Exact.** Envoy takes the number by which it chooses among weights from a header, so every number is sent once;
//!   endpoints take turns. A share of 1 % is 1 %, not about 1 %, and no run differs from another.
//! - **Fast.** Many states live in one configuration, each with listeners of its own on Unix sockets; configurations
//!   follow each other through watched files in one process.
//!
//! What stands in for mutual TLS, for callers without a sidecar and for unknown hosts is said in `translate/mod.rs`.
//! Not tried are NetworkPolicies, limits and ejection of a `trafficPolicy`, retries, preflight requests, and time.
//!
//! `TIDEGATE_ENVOY` names the program, else `envoy` on the PATH; `.ci/requirements.txt` pins the one that `.ci/run`
//! installs. Without it the tests that need it say so and pass; with `TIDEGATE_ENGINES=required` they fail.

#![cfg(unix)]
#![expect(
    clippy::print_stderr,
    reason = "says what is skipped, and the numbers of a replay"
)]

mod documented;
#[path = "../../crates/core/tests/fixtures/mod.rs"]
mod fixtures;
#[path = "../../crates/core/tests/fixtures/kept.rs"]
mod kept;
#[path = "../../crates/core/tests/prover/lives.rs"]
mod lives;
#[path = "../../crates/core/tests/fixtures/phases.rs"]
mod phases;
mod predictions;
mod process;
mod replay;
mod requests;
mod scenario;
mod systems;
mod translate;

use std::path::Path;

#[test]
fn nothing_of_the_product_is_used() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/envoy");
    let mut files: Vec<_> = ["process.rs", "replay.rs", "requests.rs", "scenario.rs"]
        .map(|name| folder.join(name))
        .into();
    for entry in std::fs::read_dir(folder.join("translate")).expect("a folder") {
        files.push(entry.expect("an entry").path());
    }
    assert!(files.len() > 7);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file");
        assert!(!text.contains("tidegate_"), "{} uses the product", file.display());
    }
}
