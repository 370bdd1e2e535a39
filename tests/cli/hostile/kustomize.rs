//! The same corpus through real kustomize: what it builds, refuses, crashes on, and what it is killed for. The table in the README of
//! the corpus is what comes out; `UPDATE=1` writes it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::corpus::{Base, Case, Counterpart, Hostile, cases, folder};
use super::doors::within;
use crate::kustomize::Kustomize;
use crate::repository::is_update;

/// Twice what tidegate gets of each: four seconds of processor time, and 512 MiB of data, which in a program of Go is what it fills
/// and not what it sets aside; twenty seconds of waiting. What is over comes far over, so that the machine does not decide.
const LIMITS: &str = "-d 524288; ulimit -t 4";
const PATIENCE: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Builds,
    Refuses,
    /// It ends by a mistake of its own, or is killed: a panic, a stack that overflows, more memory, more time, waiting for ever.
    /// Which of them is chance where memory runs out.
    Dies,
}

impl End {
    const ALL: [Self; 3] = [Self::Builds, Self::Refuses, Self::Dies];

    fn of(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_killed = output.status.signal().is_some() || output.status.code() == Some(128 + 9);
        let is_crashed = ["out of memory", "cannot allocate memory", "goroutine "]
            .iter()
            .any(|text| stderr.contains(text));
        if is_killed || is_crashed {
            return Self::Dies;
        }
        match output.status.success() {
            true => Self::Builds,
            false => Self::Refuses,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Builds => "builds",
            Self::Refuses => "refuses",
            Self::Dies => "crashes or is killed",
        }
    }
}

#[test]
fn the_table_says_what_kustomize_does_with_the_same() {
    let Some(kustomize) = Kustomize::find() else {
        return;
    };
    let base = Hostile::new(Base::Gap)
        .run(&["render", "--env", "staging"])
        .expect(0)
        .stdout;
    let cases: Vec<_> = cases()
        .into_iter()
        .filter(|case| case.kustomize.is_some())
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut ends = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            ends.push((case.name.clone(), end_of(&kustomize, case, &base)));
        }
        ends
    };
    // Most of the time is spent waiting for what hangs.
    let ends: BTreeMap<String, End> = thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        let ends = workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("it ends"));
        ends.collect()
    });
    let table = table(&ends);
    let readme = folder().join("README.md");
    let text = fs::read_to_string(&readme).expect("a README");
    let (begin, end) = ("<!-- kustomize -->\n", "<!-- end -->");
    let (before, rest) = text.split_once(begin).expect("the table begins");
    let (found, after) = rest.split_once(end).expect("the table ends");
    if is_update() {
        fs::write(&readme, format!("{before}{begin}{table}{end}{after}")).expect("the README");
        return;
    }
    assert_eq!(found, table, "UPDATE=1 writes the table again");
}

fn end_of(kustomize: &Kustomize, case: &Case, base: &str) -> End {
    let hostile = Hostile::of(case);
    let counterpart = case.kustomize.expect("it has one");
    let build = kustomize.command(&kustomization(&hostile, case, counterpart, base));
    let mut command = within(LIMITS, PATIENCE, build.get_program());
    command.args(build.get_args()).env("HOME", hostile.place());
    End::of(&command.output().expect("it runs"))
}

/// How many, and by name all that are neither built nor refused.
fn table(ends: &BTreeMap<String, End>) -> String {
    let mut table = format!(
        "| of {} repositories | tidegate | kustomize |\n| --- | --- | --- |\n",
        ends.len()
    );
    for end in End::ALL {
        let own = if end == End::Refuses { ends.len() } else { 0 };
        let other = ends.values().filter(|other| **other == end).count();
        table.push_str(&format!("| {} | {own} | {other} |\n", end.words()));
    }
    table.push_str("\n| kustomize | repositories |\n| --- | --- |\n");
    for end in [End::Dies, End::Builds] {
        let names = ends.iter().filter(|(_, other)| **other == end);
        let names: Vec<String> = names.map(|(name, _)| format!("`{name}`")).collect();
        table.push_str(&format!("| {} | {} |\n", end.words(), names.join(", ")));
    }
    table
}

/// Writes the kustomization that says what the repository says to tidegate; gives its folder. What patches are of is the `base`, the
/// objects that tidegate makes of the sound spec.
fn kustomization(hostile: &Hostile, case: &Case, counterpart: Counterpart, base: &str) -> PathBuf {
    let at = match case.base {
        Base::Gap => hostile.root().join("gap"),
        Base::Manifests => hostile.root().join("deploy/reviews/staging"),
    };
    let own = at.join("kustomization.yaml");
    if counterpart == Counterpart::Kustomization {
        // Each one's own file: what is wrong with ours is wrong with theirs.
        let settings = hostile.root().join(".tidegate/config.yaml");
        let ours = match settings.symlink_metadata() {
            Ok(_) => settings,
            Err(_) => at.join("gap.yaml"),
        };
        fs::rename(ours, own).expect("moved");
        return at;
    }
    let mut names: Vec<String> = fs::read_dir(&at)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| case.base == Base::Manifests || name.starts_with("gap_"))
        .collect();
    names.sort();
    let (patches, resources): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| name.starts_with("gap_patch_"));
    let mut resources: Vec<String> = resources;
    if case.base == Base::Gap {
        fs::write(at.join("base.yaml"), base).expect("a file");
        resources.push("base.yaml".to_owned());
    }
    let patches: Vec<_> = patches
        .iter()
        .map(|path| serde_json::json!({"path": path}))
        .collect();
    // JSON is YAML, whatever the names are.
    let text = serde_json::json!({"resources": resources, "patches": patches}).to_string();
    fs::write(own, text).expect("a file");
    at
}
