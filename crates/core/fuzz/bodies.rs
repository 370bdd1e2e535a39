//! What the fuzz targets do with their input; `tests/mangled.rs` runs the same over mangled seeds.

use std::collections::BTreeMap;

use tidegate_core::check::{judge, lint};
use tidegate_core::checkout::Checkout;
use tidegate_core::diagnostic::Diagnostic;
use tidegate_core::layout::{self, LayoutId};
use tidegate_core::plan::remaining;
use tidegate_core::prover::Question;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::standing::Standing;
use tidegate_core::start::{StartRequest, start};
use tidegate_core::transition::{NextRequest, Transition, abort, next, restore, rollback};

/// Where the application stands in the repositories of the seeds.
const FOLDERS: [&str; 2] = ["", "deploy"];

/// A whole repository, each file begun by a line `#- path`, through everything that a person can ask for. Whatever it is, the
/// answer is a refusal or a change that leaves a repository which can be read and is found safe.
pub(crate) fn pipeline(text: &str) {
    let repo = repository(text);
    for folder in FOLDERS {
        outcome(&repo, &path(folder));
    }
}

/// Only the settings are any text; then only the release file, then only the spec.
pub(crate) fn settings(text: &str) {
    for file in [
        ".tidegate/config.yaml",
        "gap/tidegate.yaml",
        "gap/gap.yaml",
        "gap/gap_patch_x.yaml",
    ] {
        let mut repo = repository(SOUND);
        repo.set(path(file), Some(text.to_owned()));
        let root = RepoPath::root();
        if let Ok(config) = Config::load(&repo, &root) {
            let _ = Checkout::load(&repo, &root, &config);
        }
    }
}

/// Only the template of the Service is any text.
pub(crate) fn template(text: &str) {
    let mut repo = repository(SOUND);
    repo.set(
        path(".tidegate/templates/gap/service.yaml"),
        Some(text.to_owned()),
    );
    let root = RepoPath::root();
    let config = Config::load(&repo, &root).expect("the settings are sound");
    let _ = layout::load_environment(&repo, &root, &config, "staging");
}

const SOUND: &str = "#- gap/gap.yaml
name: orders
namespace: checkout
useServiceMesh: true
image: {repository: group/orders, tag: 5b1f0c7e}
deployments:
  web:
    ingress: {enabled: true}
";

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).expect("a path")
}

/// The files of a text; lines before the first `#- path`, and paths that are none, are passed over.
fn repository(text: &str) -> MemoryRepo {
    let mut files: BTreeMap<RepoPath, String> = BTreeMap::new();
    let mut current = None;
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("#- ") {
            current = RepoPath::new(name.trim()).ok();
            if let Some(path) = &current {
                files.insert(path.clone(), String::new());
            }
        } else if let Some(path) = &current {
            files.entry(path.clone()).or_default().push_str(line);
        }
    }
    MemoryRepo::new(files)
}

fn outcome(repo: &MemoryRepo, folder: &RepoPath) {
    let Ok(config) = Config::load(repo, &RepoPath::root()) else {
        return;
    };
    if !matches!(LayoutId::of(repo, folder, &config), Ok(Some(_))) {
        return;
    }
    let Ok(checkout) = Checkout::load(repo, folder, &config) else {
        return;
    };
    all_told(&lint(&checkout));
    let alone = judge(&checkout, &checkout, None, question(), &|_| false);
    all_told(alone.diagnostics.iter().map(|(_, diagnostic)| diagnostic));
    for release in &checkout.application.releases {
        let standing = Standing::of(&checkout.application, release);
        all_told(&standing.drift(&checkout.application, release));
        let transitions = [
            next(&checkout, release, &NextRequest::default()),
            rollback(&checkout, release, None),
            abort(&checkout, release),
            restore(&checkout, release),
        ];
        for transition in transitions.into_iter().flatten().flatten() {
            written(repo, folder, &transition);
        }
    }
    if let Ok(start) = start(&checkout, &StartRequest::default())
        && let Some(transition) = &start.transition
    {
        written(repo, folder, transition);
        if let Some(workload) = checkout.application.workloads.keys().next() {
            let _ = remaining(&checkout, &transition.change, workload);
        }
    }
}

fn question() -> Question {
    Question::default()
}

/// What would be written fits what is there, and what is there then can be read.
fn written(repo: &MemoryRepo, folder: &RepoPath, transition: &Transition) {
    all_told(&transition.notices);
    let mut after = repo.clone();
    for change in transition.change.iter() {
        assert_eq!(
            repo.files().get(&change.path),
            change.before.as_ref(),
            "{}",
            change.path
        );
        assert!(
            change.before != change.after,
            "{} is written as it is",
            change.path
        );
        after.set(change.path.clone(), change.after.clone());
    }
    let config = Config::load(&after, &RepoPath::root()).expect("the settings can be read");
    Checkout::load(&after, folder, &config)
        .map(drop)
        .expect("what is written can be read");
}

/// Every diagnostic says something.
fn all_told<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
    for diagnostic in diagnostics {
        assert!(!diagnostic.message.is_empty(), "{diagnostic:?}");
    }
}
