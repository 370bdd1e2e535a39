//! Repositories that are out to harm whoever reads them. Each is refused at every door, with the diagnostic that its `case.toml`
//! names, in a few plain lines, before anything is printed or written, within two seconds of processor time and 256 MiB of memory; those
//! that only look strange are rendered. What limits a run is the operating system, which kills it: no time is measured. On Linux.
#![cfg(target_os = "linux")]

mod corpus;
mod doors;
mod kustomize;

use corpus::{Base, Case, Door, Hostile, cases};
use doors::{MEMORY, Product, complaints};

/// What the names of the cases begin with, each with a test of its own below.
const GROUPS: [&str; 11] = [
    "file-",
    "link-",
    "manifests-",
    "name-",
    "object-",
    "patch-",
    "release-",
    "secret-",
    "settings-",
    "template-",
    "yaml-",
];

#[test]
fn the_corpus_has_many_repositories() {
    let cases = cases();
    assert!(cases.len() >= 200, "{}", cases.len());
    for case in &cases {
        let is_in_group = GROUPS.iter().any(|group| case.name.starts_with(group));
        assert!(is_in_group && !case.about.is_empty(), "{}", case.name);
    }
}

/// Every repository of some groups through every door.
fn refused_everywhere(groups: &[&str]) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases() {
        if groups.iter().any(|group| case.name.starts_with(group)) {
            count += 1;
            wrong.extend(wrong_with(&case));
        }
    }
    assert!(count > 0 && wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn wrong_with(case: &Case) -> Vec<String> {
    let hostile = Hostile::of(case);
    let before = hostile.marks();
    let mut wrong = Vec::new();
    for door in &case.doors {
        let ended = hostile.enter(*door, case);
        let mut complaints = match door {
            // What was there before is not to be merged: that it cannot be read is worth a warning.
            Door::Base if ended.code == Some(0) => {
                complaints(&hostile, &ended, Product::Findings, 0, &["[broken-before]"])
            }
            _ => {
                let code = format!("[{}]", case.code);
                // In a commit no link is followed, wherever it leads.
                let is_told_otherwise = *door == Door::Staged && case.name.contains("link-");
                let says = case
                    .says
                    .as_deref()
                    .filter(|_| !is_told_otherwise)
                    .unwrap_or_default();
                complaints(&hostile, &ended, door.product(), 1, &[&code, &case.at, says])
            }
        };
        if !matches!(door, Door::Staged | Door::Base) && hostile.marks() != before {
            complaints.push("something is written".to_owned());
        }
        if !complaints.is_empty() {
            let said: String = format!("{}{}", ended.stdout, ended.stderr)
                .chars()
                .take(2000)
                .collect();
            wrong.push(format!(
                "{} through {door:?}: {complaints:?} in:\n{said}",
                case.name
            ));
        }
    }
    wrong
}

#[test]
fn links_lead_nowhere_else() {
    refused_everywhere(&["link-"]);
}

#[test]
fn files_are_bounded_and_regular() {
    refused_everywhere(&["file-"]);
}

#[test]
fn yaml_costs_no_more_than_it_is_long() {
    refused_everywhere(&["yaml-"]);
}

#[test]
fn names_and_texts_steer_nothing() {
    refused_everywhere(&["name-", "object-", "secret-"]);
}

#[test]
fn patches_and_settings_do_no_more_than_they_may() {
    refused_everywhere(&["patch-", "settings-", "release-"]);
}

#[test]
fn plain_manifests_are_guarded_as_well() {
    refused_everywhere(&["manifests-"]);
}

#[test]
fn templates_that_are_allowed_are_bounded() {
    refused_everywhere(&["template-"]);
}

/// Where bytes of a repository, or of whoever calls, are read: each door, and the file that a diagnostic names there.
const FILES: [(Base, &str); 8] = [
    (Base::Gap, "gap/gap.yaml"),
    (Base::Gap, "gap/gap_patch_y.yaml"),
    (Base::Gap, "gap/tidegate.yaml"),
    (Base::Gap, "gap/staging/gap.yaml"),
    (Base::Gap, "gap/staging/gap_y.yaml"),
    (Base::Gap, ".tidegate/config.yaml"),
    (Base::Manifests, "deploy/reviews/staging/y.yaml"),
    (Base::Manifests, ".tidegate/releases/deploy/reviews.yaml"),
];

/// One guarded door is none: the same wrong bytes are refused wherever they stand, with the same code at the same line and column.
#[test]
fn the_same_bytes_are_refused_at_every_door() {
    let (gap, manifests) = (Hostile::new(Base::Gap), Hostile::new(Base::Manifests));
    gap.write("sound.yaml", CONFIG_MAP);
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases() {
        let Some(file) = &case.bytes else { continue };
        let bytes = std::fs::read(Hostile::of(&case).root().join(file)).expect("a file");
        let place = case.at.strip_prefix(file.as_str()).expect("a place in the file");
        let code = format!("[{}]", case.code);
        let mut look = |door: &str, hostile: &Hostile, ended, product, expected: &[&str]| {
            count += 1;
            let complaints = complaints(hostile, &ended, product, 1, expected);
            if !complaints.is_empty() {
                let said: String = format!("{}{}", ended.stdout, ended.stderr)
                    .chars()
                    .take(1000)
                    .collect();
                wrong.push(format!("{} in {door}: {complaints:?} in:\n{said}", case.name));
            }
        };
        for (base, door) in FILES {
            let hostile = match base {
                Base::Gap => &gap,
                Base::Manifests => &manifests,
            };
            hostile.with(door, &bytes, || {
                let at = format!("{door}{place}");
                look(
                    door,
                    hostile,
                    hostile.run(&["status"]),
                    Product::None,
                    &[&code, &at],
                );
                look(
                    door,
                    hostile,
                    hostile.run(&["check"]),
                    Product::Findings,
                    &[&code, &at],
                );
            });
        }
        gap.with("x.yaml", &bytes, || {
            let at = format!("x.yaml{place}");
            for (door, args) in [
                (
                    "a patch of the command line",
                    ["patch", "-p", "x.yaml", "sound.yaml"],
                ),
                (
                    "a file of the command line",
                    ["patch", "-p", "sound.yaml", "x.yaml"],
                ),
            ] {
                look(door, &gap, gap.run(&args), Product::None, &[&code, &at]);
            }
        });
        let ended = gap.run_with_input(&["patch", "-p", "sound.yaml", "-"], &bytes);
        look("standard input", &gap, ended, Product::None, &[&code, place]);
        // A template is no YAML, so it is not told where the YAML of it would be wrong.
        let template = ".tidegate/templates/gap/service.yaml";
        gap.with(template, &bytes, || {
            let ended = gap.generate(MEMORY, &["--allow-templates"], &[]);
            look(template, &gap, ended, Product::None, &[template]);
        });
        // A variable holds no zero, and no more than the kernel takes.
        if !bytes.contains(&0) && bytes.len() < 100_000 {
            let ended = gap.generate(MEMORY, &[], &[("ARGOCD_APP_PARAMETERS", &bytes)]);
            look(
                "parameters",
                &gap,
                ended,
                Product::None,
                &["ARGOCD_APP_PARAMETERS"],
            );
        }
    }
    assert!(count > 800 && wrong.is_empty(), "{count} {}", wrong.join("\n\n"));
}

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n";

#[track_caller]
fn refused(name: &str, hostile: &Hostile, ended: &crate::repository::Ended, says: &str) {
    let complaints = complaints(hostile, ended, Product::None, 1, &[says]);
    assert!(
        complaints.is_empty(),
        "{name}: {complaints:?} in:\n{}",
        ended.stderr
    );
}

/// What an Application may not ask for: a variable, and what is said.
const REQUESTS: &[(&str, &[u8], &str)] = &[
    ("ARGOCD_APP_PARAMETERS", b"\xff", "not UTF-8"),
    ("ARGOCD_APP_PARAMETERS", b"{", "not the list"),
    (
        "ARGOCD_APP_PARAMETERS",
        br#"[{"name":"environment","string":"\u001b[2J"}]"#,
        r"\u{1b}[2J",
    ),
    (
        "ARGOCD_APP_PARAMETERS",
        br#"[{"name":"\u001b[2J\n","string":"x"}]"#,
        "there is no parameter",
    ),
    (
        "ARGOCD_APP_PARAMETERS",
        br#"[{"name":"path","string":"../../9b3c62d1"}]"#,
        "outside-repository",
    ),
    (
        "ARGOCD_APP_PARAMETERS",
        br#"[{"name":"path","string":"/etc"}]"#,
        "outside-repository",
    ),
    (
        "ARGOCD_APP_PARAMETERS",
        br#"[{"name":"path","string":"a\u0000b"}]"#,
        "outside-repository",
    ),
    (
        "ARGOCD_ENV_ENVIRONMENT",
        b"../production",
        "there is no environment",
    ),
    ("ARGOCD_ENV_ENVIRONMENT", b"\xff\xfe", "not UTF-8"),
    ("ARGOCD_ENV_PATH", b"gap/../..", "outside-repository"),
];

#[test]
fn requests_are_data() {
    for (variable, value, says) in REQUESTS {
        let hostile = Hostile::new(Base::Gap);
        let ended = hostile.generate(MEMORY, &[], &[(variable, value)]);
        refused(variable, &hostile, &ended, says);
    }
    let hostile = Hostile::new(Base::Gap);
    let deep = "[".repeat(100_000);
    let ended = hostile.generate(MEMORY, &[], &[("ARGOCD_APP_PARAMETERS", deep.as_bytes())]);
    refused("deep parameters", &hostile, &ended, "not the list");
}

/// The bounds are what the administrator says.
#[test]
fn bounds_are_set_by_flags() {
    for (flags, says) in [
        (
            ["--max-files", "1"],
            "gap/gap.yaml: error[limit-reached]: one run reads at most 1 files",
        ),
        (["--max-file-bytes", "10"], "error[unreadable]: the file has"),
        (
            ["--max-bytes", "100"],
            "error[limit-reached]: one run reads at most",
        ),
        (["--max-values", "10"], "error[invalid-yaml]"),
    ] {
        let hostile = Hostile::new(Base::Gap);
        hostile.write("gap/gap_x.yaml", CONFIG_MAP);
        assert_eq!(hostile.generate(MEMORY, &[], &[]).code, Some(0));
        let ended = hostile.generate(MEMORY, &flags, &[]);
        refused(flags[0], &hostile, &ended, says);
    }
    // Whatever is done is too late.
    let hostile = Hostile::new(Base::Gap);
    let ended = hostile.generate(MEMORY, &["--max-seconds", "0"], &[]);
    refused(
        "--max-seconds",
        &hostile,
        &ended,
        "error[limit-reached]: not done after 0 seconds",
    );
}

/// What a repo-server has for many at a time: a hundred manifests are rendered in 64 MiB of address space.
#[test]
fn a_hundred_manifests_take_little_memory() {
    let hostile = Hostile::new(Base::Gap);
    for number in 0..100 {
        let text = CONFIG_MAP.replace("name: x", &format!("name: x{number}"));
        hostile.write(
            &format!("gap/gap_{number}.yaml"),
            format!("{text}data:\n  text: {}\n", "x".repeat(2000)),
        );
    }
    let ended = hostile.generate(64 << 10, &[], &[]).expect(0);
    assert!(ended.stdout.matches("kind: ConfigMap").count() == 100);
}

/// What only looks hostile is printed as data: one document each, in which nothing steers a terminal.
#[test]
fn strange_values_are_printed_as_data() {
    let hostile = Hostile::new(Base::Gap);
    let value = "\\e[2J\\0\\u202e\\x85---\\n...\\n{{ name }} $(id) ${HOME} `id`";
    hostile.write(
        "gap/gap_x.yaml",
        format!("{CONFIG_MAP}data: {{\"k\": \"{value}\", \"---\": \"...\"}}\n"),
    );
    let ended = hostile.generate(MEMORY, &[], &[]).expect(0);
    let steers = |char: char| char != '\n' && (char.is_control() || char == '\u{202e}');
    assert!(!ended.stdout.contains(steers), "{}", ended.stdout);
    let stream = tidegate_yaml::Stream::parse(ended.stdout).expect("YAML");
    let strange = stream
        .documents()
        .iter()
        .find(|document| document.value()["kind"] == "ConfigMap")
        .expect("the ConfigMap");
    assert_eq!(
        strange.value()["data"]["k"],
        "\u{1b}[2J\0\u{202e}\u{85}---\n...\n{{ name }} $(id) ${HOME} `id`"
    );
    assert_eq!(strange.value()["data"]["---"], "...");
}
