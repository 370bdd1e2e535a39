//! Repositories that are out to harm whoever renders them. Each is refused, in a few plain lines, before anything is printed, and within
//! 256 MiB of memory; those that only look strange are rendered. Where the plugin runs: on Linux.
#![cfg(target_os = "linux")]

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::repository::Ended;

const SPEC: &str =
    "name: orders\nnamespace: shop\nimage:\n  repository: a/b\n  tag: abcdef12\ndeployments:\n  web: {}\n";
const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n";
/// Address space, in KiB: what is refused for its size is refused before it is held.
const MEMORY: u64 = 256 << 10;
/// Of a run whose memory is watched: one step of a template may take much before it is seen.
const WATCHED: u64 = 4 << 20;

/// A repository out to harm, as a folder in an otherwise empty place.
struct Hostile {
    place: TempDir,
}

impl Hostile {
    /// A sound application, to be spoilt.
    fn new() -> Self {
        let hostile = Self {
            place: TempDir::new().expect("a temporary folder"),
        };
        hostile.write("gap/gap.yaml", SPEC);
        // What no output may ever hold.
        std::fs::write(
            hostile.place.path().join("secret"),
            "apiVersion: v1\nkind: Secret\nmetadata: {name: hunter2}\n",
        )
        .expect("a file");
        hostile
    }

    fn root(&self) -> std::path::PathBuf {
        self.place.path().join("8a2b51c0")
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(file);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.root().join(file)).expect("removed");
    }

    fn link(&self, file: &str, target: impl AsRef<Path>) {
        let path = self.root().join(file);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        symlink(target, path).expect("a link");
    }

    fn run(&self, args: &[&str], variables: &[(&str, &[u8])]) -> Ended {
        self.run_within(MEMORY, args, variables)
    }

    fn run_within(&self, memory: u64, args: &[&str], variables: &[(&str, &[u8])]) -> Ended {
        let script = format!("ulimit -v {memory}; exec \"$@\"");
        let mut command = Command::new("/bin/sh");
        command
            .args([
                "-eu",
                "-c",
                &script,
                "sh",
                env!("CARGO_BIN_EXE_tidegate"),
                "cmp",
                "generate",
            ])
            .args(args)
            .current_dir(self.root())
            .stdin(Stdio::null())
            .env_clear()
            .env("ARGOCD_APP_SOURCE_PATH", ".")
            // Otherwise glibc sets address space aside for each thread, which is not memory.
            .env("MALLOC_ARENA_MAX", "1");
        if variables.is_empty() {
            command.env("ARGOCD_ENV_ENVIRONMENT", "staging");
        }
        for (name, value) in variables {
            command.env(name, std::ffi::OsStr::from_bytes(value));
        }
        Ended::of(&mut command)
    }
}

/// Who is spoilt how, and what is said about it.
type Case = (&'static str, fn(&Hostile), &'static str);

#[track_caller]
fn refused(name: &str, hostile: &Hostile, ended: &Ended, says: &str) {
    let said = format!(
        "{name}: {:?}\n{}",
        ended.code,
        ended.stderr.chars().take(4000).collect::<String>()
    );
    assert_eq!(ended.code, Some(1), "{said}");
    assert_eq!(ended.stdout, "", "{said}");
    assert!(ended.stderr.contains(says), "no {says:?} in {said}");
    assert!(
        ended.stderr.lines().count() <= 11 && ended.stderr.chars().count() <= 7000,
        "{said}"
    );
    let is_plain =
        |char: char| char == '\n' || !(char.is_control() || ('\u{202a}'..='\u{2069}').contains(&char));
    assert!(ended.stderr.chars().all(is_plain), "{said}");
    let place = hostile.place.path().to_str().expect("UTF-8");
    assert!(
        !ended.stderr.contains("hunter2") && !ended.stderr.contains(place),
        "{said}"
    );
}

fn all_refused(cases: &[Case]) {
    for (name, spoil, says) in cases {
        let hostile = Hostile::new();
        spoil(&hostile);
        let ended = hostile.run(&[], &[]);
        refused(name, &hostile, &ended, says);
    }
}

/// How many there are, over all tests of this file.
const CORPUS: &[&[Case]] = &[LINKS, FILES, YAML, NAMES, PATCHES, SETTINGS];

#[test]
fn the_corpus_has_more_than_sixty_repositories() {
    let repositories: usize = CORPUS.iter().map(|cases| cases.len()).sum();
    assert!(
        repositories + TEMPLATES.len() + REQUESTS.len() >= 60,
        "{repositories}"
    );
}

const LINKS: &[Case] = &[
    (
        "the spec is outside",
        |h| {
            h.remove("gap/gap.yaml");
            h.link("gap/gap.yaml", "../../secret")
        },
        "gap/gap.yaml: error[outside-repository]: a link that leads out",
    ),
    (
        "by an absolute path",
        |h| h.link("gap/gap_x.yaml", "/etc/passwd"),
        "gap/gap_x.yaml: error[outside-repository]: a link with an absolute path",
    ),
    (
        "a resource is outside",
        |h| h.link("gap/gap_x.yaml", "../../secret"),
        "leads out",
    ),
    (
        "a patch is outside",
        |h| h.link("gap/gap_patch_x.yaml", "../../secret"),
        "leads out",
    ),
    (
        "out and back in",
        |h| h.link("gap/gap_x.yaml", "../../8a2b51c0/gap/gap.yaml"),
        "leads out",
    ),
    (
        "the folder is outside",
        |h| {
            h.write("up/gap_x.yaml", "a: 1");
            h.link("gap/staging", "../..");
            h.link("gap/gap_y.yaml", "staging/secret")
        },
        "leads out",
    ),
    (
        "the whole of gap is outside",
        |h| {
            std::fs::rename(h.root().join("gap"), h.place.path().join("gap")).expect("moved");
            h.link("gap", "../gap")
        },
        "leads out",
    ),
    (
        "a circle",
        |h| {
            h.link("gap/gap_a.yaml", "gap_b.yaml");
            h.link("gap/gap_b.yaml", "gap_a.yaml")
        },
        "circle",
    ),
    (
        "onto itself",
        |h| h.link("gap/gap_a.yaml", "gap_a.yaml"),
        "circle",
    ),
    (
        "a chain of a hundred",
        |h| {
            (0..100).for_each(|n| h.link(&format!("gap/l{n}"), format!("l{}", n + 1)));
            h.link("gap/gap_a.yaml", "l0")
        },
        "circle or through more than 64",
    ),
    (
        "to nothing",
        |h| h.link("gap/gap_a.yaml", "nothing.yaml"),
        "does not exist",
    ),
    (
        "to a process's own memory",
        |h| h.link("gap/gap_a.yaml", "/proc/self/environ"),
        "absolute path",
    ),
    (
        "to an endless device",
        |h| h.link("gap/gap_a.yaml", "/dev/zero"),
        "absolute path",
    ),
    (
        "to another team's copy",
        |h| h.link("gap/gap_a.yaml", "../../9b3c62d1/gap/gap_secret.yaml"),
        "leads out",
    ),
    (
        "to a name that is no text",
        |h| {
            h.link(
                "gap/gap_a.yaml",
                Path::new(std::ffi::OsStr::from_bytes(b"\xff\xfe")),
            )
        },
        "not UTF-8",
    ),
    (
        "the settings are outside",
        |h| h.link(".tidegate/config.yaml", "../../secret"),
        ".tidegate/config.yaml: error[outside-repository]",
    ),
    (
        "the release file is outside",
        |h| h.link("gap/tidegate.yaml", "../../secret"),
        "gap/tidegate.yaml: error[outside-repository]",
    ),
];

fn pipe(path: &Path) {
    assert!(
        Command::new("mkfifo")
            .arg(path)
            .status()
            .expect("mkfifo runs")
            .success()
    );
}

const FILES: &[Case] = &[
    (
        "a pipe that nobody writes to",
        |h| pipe(&h.root().join("gap/gap_x.yaml")),
        "a pipe, socket or device",
    ),
    (
        "a pipe for a spec",
        |h| {
            h.remove("gap/gap.yaml");
            pipe(&h.root().join("gap/gap.yaml"))
        },
        "a pipe, socket or device",
    ),
    (
        "a socket",
        |h| drop(std::os::unix::net::UnixListener::bind(h.root().join("gap/gap_x.yaml")).expect("a socket")),
        "a pipe, socket or device",
    ),
    (
        "a folder for a spec",
        |h| {
            h.remove("gap/gap.yaml");
            h.write("gap/gap.yaml/x", "")
        },
        "a folder, where a file is needed",
    ),
    (
        "one file too large",
        |h| h.write("gap/gap_x.yaml", "#".repeat(3 << 20)),
        "gap/gap_x.yaml: error[unreadable]: the file has 3145728 bytes",
    ),
    (
        "a sparse file of a terabyte",
        |h| {
            std::fs::File::create(h.root().join("gap/gap_x.yaml"))
                .and_then(|f| f.set_len(1 << 40))
                .expect("a sparse file")
        },
        "more than the limit",
    ),
    (
        "all files too large",
        |h| (0..20).for_each(|n| h.write(&format!("gap/gap_{n}.yaml"), "#".repeat(1 << 20))),
        "error[limit-reached]: one run reads at most 1000 files and 16777216 bytes",
    ),
    (
        "more files than anybody needs",
        |h| (0..1100).for_each(|n| h.write(&format!("gap/gap_{n}.yaml"), "")),
        "gap: error[limit-reached]: the folder holds 1101 names",
    ),
    (
        "a crowd beside them",
        |h| (0..2000).for_each(|n| h.write(&format!("gap/{n}"), "")),
        "error[limit-reached]",
    ),
    (
        "no text",
        |h| h.write("gap/gap_x.yaml", b"a: \xff\xfe\n"),
        "gap/gap_x.yaml:1:4: error[unreadable]",
    ),
    (
        "a program",
        |h| h.write("gap/gap_x.yaml", [0x7f, b'E', b'L', b'F', 2, 1, 1, 0]),
        "error[",
    ),
    (
        "another encoding",
        |h| h.write("gap/gap.yaml", [0xff, 0xfe, b'a', 0]),
        "UTF-16",
    ),
    ("an empty spec", |h| h.write("gap/gap.yaml", ""), "error["),
    (
        "a list for a spec",
        |h| h.write("gap/gap.yaml", "- 1\n"),
        "gap/gap.yaml:1:1: error[wrong-type]",
    ),
];

fn nine_times_nine() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    (1..10).for_each(|n| text += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", ")));
    text
}

const YAML: &[Case] = &[
    (
        "a billion laughs",
        |h| h.write("gap/gap_x.yaml", nine_times_nine()),
        "error[invalid-yaml]",
    ),
    (
        "a billion laughs in the spec",
        |h| h.write("gap/gap.yaml", format!("{SPEC}{}", nine_times_nine())),
        "error[invalid-yaml]",
    ),
    (
        "in the settings",
        |h| h.write(".tidegate/config.yaml", nine_times_nine()),
        ".tidegate/config.yaml:",
    ),
    (
        "by merge keys",
        |h| {
            h.write(
                "gap/gap_x.yaml",
                (0..40).fold("a0: &a0 {k: v}\n".to_owned(), |text, n| {
                    text + &format!("a{}: &a{} {{<<: [*a{n}, *a{n}], x{n}: *a{n}}}\n", n + 1, n + 1)
                }),
            )
        },
        "error[invalid-yaml]",
    ),
    (
        "one text a thousand times",
        |h| {
            h.write(
                "gap/gap_x.yaml",
                format!(
                    "{CONFIG_MAP}a: &a {}\ndata: [{}]\n",
                    "x".repeat(1 << 20),
                    vec!["*a"; 1000].join(", ")
                ),
            )
        },
        "error[invalid-yaml]",
    ),
    (
        "many files, each within its limits",
        |h| {
            (0..60).for_each(|n| {
                h.write(
                    &format!("gap/gap_{n}.yaml"),
                    format!(
                        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x{n}}}\ndata: &a [{}]\nb: [{}]\n",
                        vec!["1"; 90].join(","),
                        vec!["*a"; 80].join(",")
                    ),
                )
            })
        },
        "error[limit-reached]: the files of one application may hold 200000 values",
    ),
    (
        "a file of nothing but values",
        |h| {
            h.write(
                "gap/gap_x.yaml",
                format!("{CONFIG_MAP}data: [{}]\n", vec!["1"; 900_000].join(",")),
            )
        },
        "error[invalid-yaml]",
    ),
    (
        "an anchor in itself",
        |h| h.write("gap/gap_x.yaml", "a: &a {b: *a}\n"),
        "stands inside the node",
    ),
    (
        "deep lists",
        |h| h.write("gap/gap_x.yaml", "[".repeat(1_000_000)),
        "error[invalid-yaml]",
    ),
    (
        "deep maps",
        |h| h.write("gap/gap_x.yaml", "{a: ".repeat(300_000)),
        "error[invalid-yaml]",
    ),
    (
        "deep blocks",
        |h| {
            h.write(
                "gap/gap_x.yaml",
                (0..1500)
                    .map(|n| format!("{}a:\n", " ".repeat(n)))
                    .collect::<String>(),
            )
        },
        "error[invalid-yaml]",
    ),
    (
        "deep dashes",
        |h| h.write("gap/gap_x.yaml", "- ".repeat(1_000_000)),
        "error[invalid-yaml]",
    ),
    (
        "a million documents",
        |h| h.write("gap/gap_x.yaml", "---\n".repeat(500_000)),
        "documents",
    ),
    (
        "a tag that makes an object",
        |h| h.write("gap/gap_x.yaml", "a: !!python/object/apply:os.system [id]\n"),
        "gap/gap_x.yaml:1:4: error[invalid-yaml]",
    ),
    (
        "a key twice",
        |h| h.write("gap/gap.yaml", format!("{SPEC}name: other\n")),
        "error[invalid-yaml]",
    ),
    (
        "a key that is a map",
        |h| h.write("gap/gap_x.yaml", "{a: 1}: 2\n"),
        "error[invalid-yaml]",
    ),
    (
        "a number without end",
        |h| h.write("gap/gap.yaml", SPEC.replace("abcdef12", &"9".repeat(1 << 20))),
        "error[",
    ),
    (
        "a number that is none",
        |h| {
            h.write(
                "gap/gap.yaml",
                format!("{SPEC}replicas: .inf\n").replace("web: {}", "web: {replicas: .inf}"),
            )
        },
        "error[",
    ),
    (
        "no end of a quote",
        |h| h.write("gap/gap_x.yaml", format!("a: \"{}", "x".repeat(1 << 20))),
        "error[invalid-yaml]",
    ),
    (
        "a control character",
        |h| h.write("gap/gap_x.yaml", "a: \"\u{1b}[2J\"\n"),
        "error[invalid-yaml]",
    ),
    (
        "a zero",
        |h| h.write("gap/gap_x.yaml", "a: b\0c\n"),
        "error[invalid-yaml]",
    ),
];

const NAMES: &[Case] = &[
    (
        "a file name that is no text",
        |h| {
            std::fs::write(
                h.root()
                    .join("gap")
                    .join(std::ffi::OsStr::from_bytes(b"gap_\xff.yaml")),
                "",
            )
            .expect("a file")
        },
        "not UTF-8",
    ),
    (
        "a file name that clears the screen",
        |h| h.write("gap/gap_\u{1b}[2J\u{1b}]0;owned\u{7}.yaml", "a: {\n"),
        r"gap/gap_\u{1b}[2J\u{1b}]0;owned\u{7}.yaml:",
    ),
    (
        "a file name of several lines",
        |h| h.write("gap/gap_\nerror: all is well\n.yaml", "a: {\n"),
        r"gap_\nerror: all is well\n.yaml",
    ),
    (
        "a file name that runs backwards",
        |h| h.write("gap/gap_\u{202e}lmay.yaml", "a: {\n"),
        r"gap_\u{202e}lmay.yaml",
    ),
    (
        "a key that clears the screen",
        |h| {
            h.write(
                "gap/gap_x.yaml",
                "apiVersion: v1\nkind: \"\\e[2J\\e[31m\"\nmetadata: {name: \"\\r\\n\"}\n",
            )
        },
        "error[",
    ),
    (
        "a name that climbs",
        |h| h.write("gap/gap.yaml", SPEC.replace("orders", "../../etc")),
        "gap/gap.yaml:1:7: error[invalid-name]",
    ),
    (
        "a name with a shell in it",
        |h| h.write("gap/gap.yaml", SPEC.replace("orders", "\"$(reboot)\"")),
        "error[invalid-name]",
    ),
    (
        "a namespace with lines in it",
        |h| h.write("gap/gap.yaml", SPEC.replace("shop", "\"a\\n---\\nkind: Pod\"")),
        "error[invalid-name]",
    ),
    (
        "a name without end",
        |h| h.write("gap/gap.yaml", SPEC.replace("orders", &"a".repeat(1 << 20))),
        "error[invalid-name]",
    ),
    (
        "an unknown word without end",
        |h| {
            h.write(
                "gap/gap.yaml",
                format!(
                    "{}\n? {}\n: 1\n",
                    SPEC.replace("orders", "A"),
                    "k".repeat(1 << 20)
                ),
            )
        },
        "…",
    ),
    (
        "a workload that escapes",
        |h| h.write("gap/gap.yaml", SPEC.replace("web:", "\"\\e[0m\":")),
        "error[",
    ),
    (
        "a hundred mistakes",
        |h| {
            h.write(
                "gap/gap.yaml",
                format!(
                    "{SPEC}{}",
                    (0..100).map(|n| format!("  W{n}: {{}}\n")).collect::<String>()
                ),
            )
        },
        "and ",
    ),
];

const PATCHES: &[Case] = &[
    (
        "a patch of nothing",
        |h| h.write("gap/gap_patch_x.yaml", CONFIG_MAP),
        "error[patch-without-target]",
    ),
    (
        "a directive that is none",
        |h| {
            h.write(
                "gap/gap_patch_x.yaml",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: orders--web}\n$patch: explode\n",
            )
        },
        "error[",
    ),
    (
        "an object that is there already",
        |h| {
            h.write("gap/gap_x.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: orders}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: orders}\n")
        },
        "error[duplicate-object]",
    ),
    (
        "an object without a kind",
        |h| h.write("gap/gap_x.yaml", "apiVersion: v1\nmetadata: {name: x}\n"),
        "gap/gap_x.yaml:1:1: error[",
    ),
    (
        "a secret that is misspelt",
        |h| {
            h.write(
                "gap/gap_x.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {password: hunter2\n",
            )
        },
        "gap/gap_x.yaml:",
    ),
];

const SETTINGS: &[Case] = &[
    (
        "a setting that is not known",
        |h| h.write(".tidegate/config.yaml", "exec: {command: [id]}\n"),
        "error[",
    ),
    (
        "a pattern that works without end",
        |h| {
            h.write(".tidegate/config.yaml", "names: {virtual_service: \"{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}\"}\n")
        },
        "error[",
    ),
    (
        "a pattern that grows without end",
        |h| {
            h.write(
                ".tidegate/config.yaml",
                "names: {virtual_service: \"{{ name * 1000000000 }}\"}\n",
            )
        },
        "error[",
    ),
    (
        "a pattern that reads a file",
        |h| {
            h.write(
                ".tidegate/config.yaml",
                "names: {virtual_service: \"{{ read('/etc/passwd') }}\"}\n",
            )
        },
        "error[",
    ),
    (
        "a pattern of a megabyte",
        |h| {
            h.write(
                ".tidegate/config.yaml",
                format!(
                    "names: {{virtual_service: \"{}\"}}\n",
                    "{{ name }}".repeat(100_000)
                ),
            )
        },
        "error[",
    ),
    (
        "an environment that climbs",
        |h| {
            h.write(
                ".tidegate/config.yaml",
                "environments: {staging: {}, \"../../other\": {}}\n",
            )
        },
        "error[",
    ),
    (
        "settings of nothing but values",
        |h| {
            h.write(
                ".tidegate/config.yaml",
                format!("names: [{}]\n", vec!["1"; 900_000].join(",")),
            )
        },
        "error[invalid-yaml]: more than 200000 values",
    ),
    (
        "manifests of nothing but values",
        |h| {
            h.remove("gap/gap.yaml");
            let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n";
            let text = format!("{deployment}x: [{}]\n", vec!["1"; 90_000].join(","));
            (0..3).for_each(|n| h.write(&format!("{n}.yaml"), &text));
        },
        "error[limit-reached]: the files of one application may hold 200000 values",
    ),
    (
        "settings of the wrong type",
        |h| h.write(".tidegate/config.yaml", "[1]\n"),
        "error[",
    ),
    (
        "templates",
        |h| h.write(".tidegate/templates/gap/service.yaml", "kind: Service\n"),
        "error[not-allowed]",
    ),
];

#[test]
fn links_lead_nowhere_else() {
    all_refused(LINKS);
}

#[test]
fn files_are_bounded_and_regular() {
    all_refused(FILES);
}

#[test]
fn yaml_costs_no_more_than_it_is_long() {
    all_refused(YAML);
}

#[test]
fn names_and_texts_steer_nothing() {
    all_refused(NAMES);
}

#[test]
fn patches_and_settings_do_no_more_than_they_may() {
    all_refused(PATCHES);
    all_refused(SETTINGS);
}

/// A million letters, and twenty times twice as many: no single step is large, and little work is done.
const DOUBLING: &str = concat!(
    "{% set t = 'x' * 1000000 %}",
    "{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}",
    "{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}",
    "{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}",
    "{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{% set t = t ~ t %}{{ t }}",
);

/// What a template that is allowed cannot do: the template of the Service, and what is said.
const TEMPLATES: &[(&str, &str, &str)] = &[
    (
        "a loop without end",
        "{% for a in [1] * 10000 %}{% for b in [1] * 10000 %}{% if a == 2 %}{{ a }}{% endif %}{% endfor %}{% endfor %}",
        "error[template-failed]",
    ),
    (
        "a text without end",
        "{% set t = 'x' * 100000000 %}{{ t * 1000 }}",
        "error[limit-reached]",
    ),
    (
        "a text that doubles",
        DOUBLING,
        "error[limit-reached]: more than 134217728 bytes of memory are in use",
    ),
    (
        "a list without end",
        "{{ [1] * 1000000000 }}",
        "repeated sequence is too large",
    ),
    (
        "a range",
        "{{ range(1000000000) }}",
        "unknown function: range is unknown",
    ),
    (
        "texts that are joined",
        "{{ ([1] * 10000)|join('x' * 1000000) }}",
        "unknown filter: filter join is unknown",
    ),
    (
        "a format that is wide",
        "{{ '%1000000000d'|format(1) }}",
        "unknown filter: filter format is unknown",
    ),
    (
        "a macro in itself",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "error[template-failed]",
    ),
    (
        "an include in itself",
        "{% include 'service.yaml' %}",
        "error[template-failed]",
    ),
    (
        "an include from outside",
        "{% include '../../../../secret' %}",
        "error[template-failed]",
    ),
    (
        "an import by an absolute path",
        "{% import '/etc/passwd' as p %}{{ p }}",
        "error[template-failed]",
    ),
    (
        "a name that is not there",
        "kind: {{ env.HOME }}",
        "error[template-failed]",
    ),
    (
        "a function that is not there",
        "kind: {{ lookup('env', 'HOME') }}",
        "error[template-failed]",
    ),
    (
        "something else than a Service",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n",
        "error[template-failed]",
    ),
    (
        "a second object",
        "{apiVersion: v1, kind: Service, metadata: {name: x}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: x}}\n",
        "error[template-failed]",
    ),
    (
        "laughs of its own",
        "{% for a in [1] * 200000 %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}",
        "error[template-failed]",
    ),
];

#[test]
fn templates_that_are_allowed_are_bounded() {
    for (name, template, says) in TEMPLATES {
        let hostile = Hostile::new();
        hostile.write(".tidegate/templates/gap/service.yaml", template);
        let ended = hostile.run_within(WATCHED, &["--allow-templates"], &[]);
        refused(name, &hostile, &ended, says);
    }
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
        let hostile = Hostile::new();
        let ended = hostile.run(&[], &[(variable, value)]);
        refused(variable, &hostile, &ended, says);
    }
    let hostile = Hostile::new();
    let deep = "[".repeat(100_000);
    let ended = hostile.run(&[], &[("ARGOCD_APP_PARAMETERS", deep.as_bytes())]);
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
        let hostile = Hostile::new();
        hostile.write("gap/gap_x.yaml", CONFIG_MAP);
        assert_eq!(hostile.run(&[], &[]).code, Some(0));
        let ended = hostile.run(&flags, &[]);
        refused(flags[0], &hostile, &ended, says);
    }
    // Whatever is done is too late.
    let hostile = Hostile::new();
    let ended = hostile.run(&["--max-seconds", "0"], &[]);
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
    let hostile = Hostile::new();
    for number in 0..100 {
        let text = CONFIG_MAP.replace("name: x", &format!("name: x{number}"));
        hostile.write(
            &format!("gap/gap_{number}.yaml"),
            format!("{text}data:\n  text: {}\n", "x".repeat(2000)),
        );
    }
    let ended = hostile.run_within(64 << 10, &[], &[]).expect(0);
    assert!(ended.stdout.matches("kind: ConfigMap").count() == 100);
}

/// What only looks hostile is printed as data: one document each, in which nothing steers a terminal.
#[test]
fn strange_values_are_printed_as_data() {
    let hostile = Hostile::new();
    let value = "\\e[2J\\0\\u202e\\x85---\\n...\\n{{ name }} $(id) ${HOME} `id`";
    hostile.write(
        "gap/gap_x.yaml",
        format!("{CONFIG_MAP}data: {{\"k\": \"{value}\", \"---\": \"...\"}}\n"),
    );
    let ended = hostile.run(&[], &[]).expect(0);
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
