//! Canaries made by hand after the guide: recognised from the files alone, and carried to their end.

use serde_json::Value;

use crate::cases::cases;
use crate::repository::Repository;

#[test]
fn a_canary_made_by_hand_is_recognised() {
    for (name, case) in cases("istio/by-hand") {
        let repository = Repository::of(&name);
        let ended = repository.run(&["status"]);
        let said = format!("{}\n{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, case.exit, "{name}\n{said}");
        for missing in &case.missing {
            assert!(said.contains(missing.as_str()), "{name} lacks {missing}:\n{said}");
        }
        if let Some(drift) = &case.drift {
            assert!(said.contains(drift.as_str()), "{name} lacks {drift}:\n{said}");
        }
        let status = repository.run(&["status", "--format", "json"]);
        let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
        let release = &status["releases"][0];
        assert_eq!(release["recorded"], false, "{name}");
        if let Some(phases) = case.reads_as.as_ref().or(case.between.as_ref()) {
            assert_eq!(release["phases"], serde_json::json!(phases), "{name}\n{said}");
        }
        for (environment, percent) in case.canary.iter().flatten() {
            let environments = release["environments"].as_array().expect("a list");
            let found = environments
                .iter()
                .find(|found| found["name"] == environment.as_str())
                .expect("the environment");
            assert_eq!(found["canary_percent"], *percent, "{name} {environment}");
        }
    }
}

/// `next` takes a canary made by hand to its end; what is left is the repository without a canary.
#[test]
fn a_canary_made_by_hand_is_carried_to_its_end() {
    let clean = end_of("istio/by-hand/ramp", &[]);
    assert!(
        !clean.keys().any(|file| file.contains("canary")),
        "{:?}",
        clean.keys()
    );
    assert!(!String::from_utf8_lossy(&clean["gap/gap.yaml"]).contains("canary"));
    let one_file = end_of("istio/by-hand/one-file", &[]);
    assert_eq!(one_file["gap/gap.yaml"], clean["gap/gap.yaml"]);
    for text in one_file.values() {
        assert!(
            !String::from_utf8_lossy(text).contains("subset"),
            "{}",
            String::from_utf8_lossy(text)
        );
    }
    assert_eq!(
        end_of("istio/by-hand/retired", &[]).keys().collect::<Vec<_>>(),
        clean.keys().collect::<Vec<_>>()
    );
    assert_eq!(
        end_of("istio/by-hand/wired", &["--to", "retire"])["gap/gap.yaml"],
        end_of("istio/by-hand/wired", &["--to", "park"])["gap/gap.yaml"]
    );
}

fn end_of(fixture: &str, first: &[&str]) -> std::collections::BTreeMap<String, Vec<u8>> {
    let repository = Repository::of(fixture);
    for count in 0..20 {
        let mut args = vec!["next"];
        if count == 0 {
            args.extend(first);
        }
        let ended = repository.run(&args);
        // At 0/100 with both versions named the files alone do not tell what was meant.
        let ended = if ended.stderr.contains("ambiguous-phase") {
            repository.run(&["next", "--to", "retire"])
        } else {
            ended
        };
        let ended = ended.expect(0);
        repository.commit("next");
        if ended.stderr.contains("nothing to do") {
            return repository.tree();
        }
    }
    panic!("{fixture} does not end");
}

#[test]
fn what_may_be_two_phases_is_not_guessed() {
    let repository = Repository::of("istio/by-hand/wired");
    let before = repository.tree();
    repository
        .run(&["next"])
        .expect(1)
        .says("ambiguous-phase")
        .says("tidegate next --to park")
        .says("tidegate next --to retire");
    assert!(repository.tree() == before);
}

#[test]
fn an_adopted_canary_has_a_release_file_and_can_be_aborted() {
    let repository = Repository::of("istio/by-hand/ramp");
    repository.run(&["init"]).expect(1).says("--adopt");
    let _ = repository.run(&["init", "--adopt"]).expect(0);
    repository.commit("adopt");
    assert!(repository.read("gap/tidegate.yaml").contains("workload: web"));
    for _ in 0..12 {
        let ended = repository.run(&["abort"]).expect(0);
        repository.commit("abort");
        if ended.stderr.contains("nothing to do") {
            let left = repository.tree();
            assert!(
                !left
                    .keys()
                    .any(|file| file.contains("canary") || file.contains("tidegate")),
                "{:?}",
                left.keys()
            );
            return;
        }
    }
    panic!("abort does not end");
}
