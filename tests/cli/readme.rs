//! The console blocks of README.md, run as one session in a copy of the quick start's repository.

use crate::repository::{Repository, fixtures};

const README: &str = include_str!("../../README.md");

#[test]
fn the_quick_start_does_what_it_says() {
    let repository = Repository::of("istio/my-service");
    let mut count = 0;
    for (command, expected) in console(README) {
        let words = split(&command);
        let [program, args @ ..] = words.as_slice() else {
            panic!("an empty command")
        };
        assert_eq!(program, "tidegate", "{command}");
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ended = repository.run(&args).expect(0);
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            fits(&printed, &expected),
            "$ {command}\nprinted:\n{printed}\nREADME:\n{}",
            expected.join("\n")
        );
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn the_first_command_shows_the_first_transition() {
    let command = "cargo run --release -- -C fixtures/quickstart/repo next --diff";
    assert!(README.contains(command));
    assert!(README.contains("\ncargo test --workspace\n"));
    let repository = Repository::without_git("quickstart");
    let ended = repository.run(&["-C", ".", "next", "--diff"]).expect(0);
    assert!(ended.stdout.contains("+  web-v1:"), "{}", ended.stdout);
}

/// The quick start's repository is what `init` makes of the guide's.
#[test]
fn the_quick_starts_repository_is_my_service_after_init() {
    let repository = Repository::of("istio/my-service");
    let digest = "sha256:be6bebfde2273ad254e8ef2a210e3c132a46255195408f675b4187420717f65f";
    let _ = repository.run(&["init", "--stable-tag", digest]).expect(0);
    assert!(repository.tree() == Repository::of("quickstart").tree());
    assert!(fixtures().join("quickstart/case.toml").exists());
}

/// Every row of the phase table is a phase, in order.
/// The first cells of the table that follows a heading.
fn table(heading: &str) -> Vec<&'static str> {
    let (_, section) = README.split_once(heading).expect("a section");
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.filter_map(|row| row.split('`').nth(1)).collect()
}

#[test]
fn the_phase_tables_name_every_phase() {
    use tidegate_core::model::Form;
    use tidegate_core::phase::Phase;
    for (heading, form) in [
        ("## Phases", Form::Subsets),
        ("### With a backend for each version", Form::Backends),
    ] {
        let phases = Phase::all(form).filter(|phase| *phase != Phase::Idle);
        let phases: Vec<&str> = phases.map(|phase| phase.as_str()).collect();
        assert_eq!(table(heading), phases, "{heading}");
    }
}

/// A row for each provider, which says what the code says.
#[test]
fn the_provider_table_is_the_registry() {
    use tidegate_core::layout::LayoutId;
    use tidegate_core::provider::{ProviderId, System};
    let names: Vec<&str> = System::names().collect();
    assert_eq!(table("## Traffic systems and layouts"), names);
    for id in ProviderId::ALL {
        let layouts = LayoutId::ALL.iter().filter(|layout| layout.carries(id.form()));
        let layouts: Vec<String> = layouts.map(|layout| format!("`{}`", layout.as_str())).collect();
        let copy = id.form().copy_runs();
        let can = id.previews();
        let [matches, mirrors] = [can.matches, can.mirrors].map(|can| if can { "yes" } else { "no" });
        let row = format!("| {} | `{copy}` | {matches} | {mirrors} |", layouts.join(", "));
        let start = format!("| `{}` |", id.as_str());
        let mut rows = README.lines().filter(|line| line.starts_with(&start));
        assert!(rows.any(|line| line.ends_with(&row)), "{start} … {row}");
    }
}

/// A row for each stage of a release that is left to a controller, in order.
#[test]
fn the_tables_of_stages_name_every_stage() {
    use tidegate_core::delegated::Stage;
    use tidegate_core::provider::Takes;
    for (heading, takes) in [
        ("### Left to Flagger", Takes::Service),
        ("### Left to Argo Rollouts", Takes::Pods),
    ] {
        let stages = Stage::all(takes).filter(|stage| *stage != Stage::Idle);
        let stages: Vec<&str> = stages.map(Stage::as_str).collect();
        assert_eq!(table(heading), stages, "{heading}");
    }
}

/// Commands with the lines that should follow.
fn console(text: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match (is_inside, line) {
            (false, "```console") => is_inside = true,
            (true, "```") => is_inside = false,
            (true, line) => match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
                (None, Some((_, expected))) => expected.push(line.to_owned()),
                (None, None) => panic!("a console block starts with a command"),
            },
            (false, _) => {}
        }
    }
    commands
}

/// Whether printed lines fit expected ones, where `...` stands for any number of lines.
fn fits(printed: &str, expected: &[String]) -> bool {
    let printed: Vec<&str> = printed.lines().collect();
    fn rest(printed: &[&str], expected: &[String]) -> bool {
        match expected.split_first() {
            None => printed.is_empty(),
            Some((first, more)) if first == "..." => {
                (0..=printed.len()).any(|skip| rest(&printed[skip..], more))
            }
            Some((first, more)) => printed
                .split_first()
                .is_some_and(|(line, left)| line == first && rest(left, more)),
        }
    }
    rest(&printed, expected)
}

fn split(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}
