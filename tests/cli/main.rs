//! End-to-end tests through the real binary: copied repositories, whole trees, exit codes, both streams.

mod admitted;
#[path = "../engines/api_server.rs"]
mod api_server;
mod argo_rollouts;
mod by_hand;
mod cases;
mod check;
mod cmp;
mod cmp_server;
mod coexistence;
mod commands;
mod deployed;
mod disks;
mod edits;
mod faults;
#[path = "../../crates/core/tests/fixtures/mod.rs"]
#[expect(dead_code, reason = "the releases in them are for others")]
mod fixtures;
mod flagger;
mod formats;
mod hostile;
mod invalid;
#[path = "../../crates/core/tests/fixtures/kept.rs"]
mod kept;
mod kubesphere;
#[path = "../engines/kustomize.rs"]
mod kustomize;
mod life;
mod manifests;
mod overlays;
mod patch;
mod pre_commit;
mod preview;
mod readme;
mod reliability;
mod replicas;
mod repository;
#[path = "../engines/rollouts.rs"]
mod rollouts;
mod sarif;
mod secrets;
mod sources;
mod start;
mod supply;
mod traced;
