//! The architecture as a test: which module may use which, and that no test file is forgotten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each room of the core may use. A room not named here is a leaf and uses none of the others.
const MAY_USE: &[(&str, &[&str])] = &[
    ("adopt", &["model", "preview", "provider", "schema"]),
    ("change", &["repo"]),
    (
        "check",
        &[
            "checkout",
            "diagnostic",
            "layout",
            "manifest",
            "model",
            "phase",
            "prover",
            "provider",
            "repo",
            "selector",
            "standing",
            "transition",
        ],
    ),
    (
        "checkout",
        &[
            "adopt",
            "change",
            "diagnostic",
            "layout",
            "model",
            "repo",
            "schema",
        ],
    ),
    ("argo_cd", &[]),
    (
        "delegated",
        &[
            "change",
            "checkout",
            "diagnostic",
            "layout",
            "manifest",
            "model",
            "plan",
            "prover",
            "provider",
            "rehearsal",
            "release_file",
            "schema",
            "start",
            "transition",
        ],
    ),
    ("diagnostic", &["repo"]),
    ("flag", &["diagnostic", "manifest", "model"]),
    (
        "layout",
        &[
            "argo_cd",
            "change",
            "diagnostic",
            "flag",
            "manifest",
            "model",
            "provider",
            "render",
            "repo",
            "schema",
        ],
    ),
    ("manifest", &["diagnostic"]),
    (
        "model",
        &["diagnostic", "layout", "manifest", "preview", "provider", "repo"],
    ),
    ("phase", &["model", "provider"]),
    (
        "plan",
        &[
            "change",
            "checkout",
            "diagnostic",
            "manifest",
            "model",
            "phase",
            "start",
            "transition",
        ],
    ),
    ("preview", &["diagnostic", "model"]),
    (
        "prover",
        &["argo_cd", "diagnostic", "manifest", "model", "provider", "repo"],
    ),
    (
        "provider",
        &[
            "argo_cd",
            "prover",
            "diagnostic",
            "flag",
            "manifest",
            "model",
            "preview",
            "render",
            "selector",
        ],
    ),
    (
        "rehearsal",
        &[
            "change",
            "checkout",
            "diagnostic",
            "layout",
            "model",
            "phase",
            "plan",
            "transition",
        ],
    ),
    ("release_file", &["change", "diagnostic", "model", "repo"]),
    ("render", &["diagnostic", "manifest", "model", "repo"]),
    (
        "schema",
        &["diagnostic", "flag", "model", "preview", "provider", "repo"],
    ),
    (
        "standing",
        &["diagnostic", "layout", "model", "phase", "provider"],
    ),
    (
        "start",
        &[
            "change",
            "checkout",
            "delegated",
            "diagnostic",
            "flag",
            "layout",
            "manifest",
            "model",
            "phase",
            "plan",
            "preview",
            "provider",
            "rehearsal",
            "release_file",
            "schema",
            "standing",
            "transition",
        ],
    ),
    (
        "transition",
        &[
            "prover",
            "change",
            "checkout",
            "delegated",
            "diagnostic",
            "flag",
            "layout",
            "manifest",
            "model",
            "phase",
            "provider",
            "release_file",
            "schema",
            "standing",
        ],
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn modules_use_each_other_in_one_direction() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("crates/core/src")) {
        let below = file
            .strip_prefix(root().join("crates/core/src"))
            .expect("below")
            .to_path_buf();
        let room = below
            .iter()
            .next()
            .expect("a name")
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if room == "lib" {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for used in code.split("crate::").skip(1).map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default()
        }) {
            let may = allowed.get(room.as_str()).copied().unwrap_or_default();
            if !used.is_empty() && used != room && !may.contains(&used) {
                wrong.push(format!("{} uses crate::{used}", below.display()));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_engines_know_nothing_of_releases_or_of_each_other() {
    for (name, forbidden) in [
        ("yaml", ["tidegate_patch", "tidegate_core"]),
        ("patch", ["tidegate_yaml", "tidegate_core"]),
    ] {
        for file in rust_files(&root().join("crates").join(name).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code: String = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            assert!(
                !forbidden.iter().any(|word| code.contains(word)),
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn every_test_file_is_declared() {
    let main = root().join("tests/cli/main.rs");
    for file in rust_files(&root().join("tests/cli")) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        // A file in a folder is a part of the file that is called like the folder.
        let folder = file.parent().expect("a folder").with_extension("rs");
        let parent = if folder.exists() { &folder } else { &main };
        let text = std::fs::read_to_string(parent).expect("a file");
        assert!(
            name == "main" || text.contains(&format!("mod {name};")),
            "{name} is not declared"
        );
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The environment is read by these names and no others; that of git's own is taken out before git runs.
#[test]
fn variables_are_read_from_a_fixed_list() {
    let fixed = [
        "GIT_INDEX_FILE",
        "PATH",
        "PRE_COMMIT_FROM_REF",
        "TIDEGATE_COLOR",
        "TIDEGATE_ROOT",
    ];
    let mut found = std::collections::BTreeSet::new();
    for file in rust_files(&root().join("crates/cli")) {
        let text = std::fs::read_to_string(&file).expect("a file");
        let code = text.split("mod tests {").next().unwrap_or_default();
        for read in ["env::var_os(\"", "env::var(\"", "env = \""] {
            let names = code.split(read).skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(names.map(str::to_owned));
        }
        // By a name that is not written there: the plugin's variables, and all of git's, to take them out.
        let others = code.matches("env::var(name)").count() + code.matches("env::vars_os()").count();
        let may = ["request.rs", "git.rs"].iter().any(|name| file.ends_with(name));
        assert!(others == 0 || may && others == 1, "{}", file.display());
    }
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), fixed);
}
