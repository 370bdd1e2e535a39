//! Repositories in which one line is missing, there twice, or says something else, through everything that the fuzzer takes its own
//! through (`fuzz/bodies.rs`): a refusal or a change that fits, and never a panic.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::path::Path;

/// What stands in place of a value.
const VALUES: [&str; 12] = [
    "",
    "~",
    "-1",
    "[]",
    "{}",
    "*a",
    "9007199254740993",
    "\"\\u0000\"",
    "{{ name }}",
    "../../x",
    "true",
    "sha256:0",
];

#[expect(clippy::disallowed_methods, reason = "seeds are files")]
fn seeds(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("a seed"));
    texts.collect()
}

/// Every text with one line gone, twice, or with another value.
fn mangled(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let with =
        |number: usize, line: &str| [&lines[..number].concat(), line, &lines[number + 1..].concat()].concat();
    let mut texts = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        texts.push(with(number, ""));
        texts.push(with(number, &line.repeat(2)));
        if let Some((key, _)) = line.split_once(": ") {
            let value = VALUES[number % VALUES.len()];
            texts.push(with(number, &format!("{key}: {value}\n")));
        }
    }
    texts.into_iter()
}

#[test]
fn mangled_repositories_are_refused_or_changed_as_meant() {
    for seed in seeds("fuzz/seeds/pipeline") {
        bodies::pipeline(&seed);
        mangled(&seed).for_each(|text| bodies::pipeline(&text));
    }
}

#[test]
fn mangled_settings_are_read_or_refused() {
    for seed in seeds("fuzz/seeds/settings") {
        bodies::settings(&seed);
        mangled(&seed).for_each(|text| bodies::settings(&text));
    }
}

#[test]
fn mangled_templates_are_filled_in_or_refused() {
    for seed in seeds("../../templates/gap") {
        bodies::template(&seed);
        mangled(&seed).for_each(|text| bodies::template(&text));
    }
}
