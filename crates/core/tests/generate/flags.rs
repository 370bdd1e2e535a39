//! The same repositories with a flag that chooses between two versions of one image, in many spellings.

use tidegate_core::repo::{MemoryRepo, RepoPath};

use super::Choices;

/// What the flag says before a release.
pub(crate) const CLASSIC: &str = "classic";

/// What it says after.
pub(crate) const RAPID: &str = "rapid";

/// Adds a variable or an argument beside the image of every container of the workload; what `init` is asked for.
pub(crate) fn among_objects(choices: &mut Choices<'_>, repo: &mut MemoryRepo) -> &'static str {
    let (asked, lines) = choices.pick(&[
        (
            "env:ENGINE=classic,rapid",
            &["env:", "  - name: ENGINE", "    value: classic"][..],
        ),
        (
            "env:ENGINE=classic,rapid",
            &["env: [{name: A, value: b}, {name: ENGINE, value: 'classic'}]"],
        ),
        (
            "env:ENGINE=classic,rapid",
            &[
                "env:",
                "- {name: ENGINE, value: \"classic\"} # why",
                "- {name: A, value: b}",
            ],
        ),
        ("arg:--engine=classic,rapid", &["args: [--engine=classic]"]),
        (
            "arg:--engine=classic,rapid",
            &["args:", "- --engine", "- 'classic'   # why", "- --port=1"],
        ),
        (
            "arg:--engine=classic,rapid",
            &["command:", "  - /app", "  - \"--engine=classic\""],
        ),
    ]);
    let files: Vec<(RepoPath, String)> = repo
        .files()
        .iter()
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    for (path, text) in files {
        let is_image = |line: &str| line.trim_start().starts_with("image:") && line.contains("team/web");
        repo.set(path, Some(inserted(&text, is_image, lines, Side::Behind)));
    }
    asked
}

/// Adds an argument to the workload of a spec, or a patch with a variable of it; what `init` is asked for.
pub(crate) fn in_spec(choices: &mut Choices<'_>, repo: &mut MemoryRepo) -> &'static str {
    let spec = RepoPath::new("gap/gap.yaml").expect("a path");
    let text = repo.files()[&spec].clone();
    let patch = |env: &str| {
        format!(
            "# by hand\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: orders-web}}\nspec:\n  template:\n    spec:\n      \
             containers:\n        - name: orders-web\n{env}"
        )
    };
    let patched = choices.pick(&[
        None,
        Some("          env: [{name: ENGINE, value: classic}] # why\n"),
        Some("          env:\n            - name: ENGINE\n              value: 'classic'\n            - name: LAST\n              value: b\n"),
    ]);
    if let Some(env) = patched {
        let path = RepoPath::new("gap/gap_patch_engine.yaml").expect("a path");
        repo.set(path, Some(patch(env)));
        return "env:ENGINE=classic,rapid";
    }
    let flow = text.replace("'--all']}", "'--all'], args: [ --engine=classic ]}");
    let text = match flow == text {
        false => flow,
        true => {
            let lines = choices.pick(&[
                &["args: [--engine=classic, --fast]"][..],
                &["args:", "- --engine", "- \"classic\""],
                &[
                    "args:",
                    "  # which one",
                    "  - --engine=classic  # why",
                    "  - --fast",
                ],
            ]);
            inserted(
                &text,
                |line| line.trim_start().starts_with("ingress:"),
                lines,
                Side::Before,
            )
        }
    };
    repo.set(spec, Some(text));
    "arg:--engine=classic,rapid"
}

enum Side {
    Before,
    Behind,
}

/// Lines at the indentation of another, before or behind it.
fn inserted(text: &str, is_it: impl Fn(&str) -> bool, lines: &[&str], side: Side) -> String {
    let mut found = String::new();
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
        let added: String = lines
            .iter()
            .map(|line| format!("{:indent$}{line}{end}", ""))
            .collect();
        match (is_it(line), &side) {
            (false, _) => found.push_str(line),
            (true, Side::Before) => found.extend([&added, line]),
            (true, Side::Behind) => found.extend([line, &added]),
        }
    }
    found
}
