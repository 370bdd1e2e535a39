//! End-to-end tests through the real binary: copied repositories, whole trees, exit codes, both streams.

mod by_hand;
mod cases;
mod check;
mod cmp;
mod cmp_server;
mod commands;
mod crds;
mod deployed;
mod disks;
mod edits;
mod faults;
mod flagger;
mod formats;
mod hostile;
mod invalid;
mod kubesphere;
#[path = "../engines/kustomize.rs"]
mod kustomize;
mod life;
mod manifests;
mod overlays;
mod patch;
mod pre_commit;
mod readme;
mod reliability;
mod replicas;
mod repository;
mod sarif;
mod secrets;
mod sources;
mod start;
mod supply;
mod traced;
