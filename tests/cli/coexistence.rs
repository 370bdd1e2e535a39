//! Two versions of one image: what a release by a flag can be begun with, and what a person sees of it.

use crate::repository::Repository;

/// Arguments of a spec, behind Istio's subsets.
const RECOMMENDATIONS: &str = "istio/recommendations";
const RANKING: [&str; 5] = [
    "init",
    "--flag",
    "arg:--ranking=classic,learned",
    "--steps",
    "50,100",
];
const SPEC: &str = "gap/gap.yaml";

/// A variable among plain manifests, behind the Gateway API.
const PRICING: &str = "gateway-api/pricing";
const ROUNDING: [&str; 5] = [
    "init",
    "--flag",
    "env:ROUNDING=half-up,half-even",
    "--steps",
    "50,100",
];
const OBJECTS: [&str; 2] = ["staging/pricing.yaml", "production/pricing.yaml"];
const RELEASE: &str = ".tidegate/releases.yaml";

/// A release that began, after so many transitions.
fn after(fixture: &str, init: &[&str], count: usize) -> Repository {
    let repository = Repository::of(fixture);
    repository.step(".", init);
    for _ in 0..count {
        repository.step(".", &["next"]);
    }
    repository
}

/// `init` is refused with a code, at a place, and nothing is written.
#[track_caller]
fn refused(repository: &Repository, flag: &str, says: &[&str]) {
    let before = repository.tree();
    let mut ended = repository.run(&["init", "--flag", flag]).expect(1);
    for text in says {
        ended = ended.says(text);
    }
    assert!(repository.tree() == before);
}

#[test]
fn a_flag_that_is_not_said_is_asked_for() {
    let repository = Repository::of(PRICING);
    refused(
        &repository,
        "env:ROUNDIN=half-up,half-even",
        &[
            "[unknown-name]",
            "`pricing` does not say `ROUNDIN`",
            "staging/pricing.yaml:25:7",
            "did you mean `ROUNDING`?",
        ],
    );
    refused(
        &repository,
        "env:VAT=in,out",
        &[
            "[unknown-name]",
            "add it with the old value first, in a commit of its own: `- {name: VAT, value: \"in\"}` under `env`",
        ],
    );
    refused(
        &Repository::of(RECOMMENDATIONS),
        "arg:--rankin=classic,learned",
        &["[unknown-name]", "gap/gap.yaml:9:3", "did you mean `--ranking`?"],
    );
}

#[test]
fn a_flag_has_to_say_the_old_value() {
    let repository = Repository::of(PRICING);
    let at = "staging/pricing.yaml:31:39";
    refused(
        &repository,
        "env:ROUNDING=half-even,half-up",
        &[
            "[canary-impossible]",
            at,
            "says `half-up` for `ROUNDING` already, in staging",
        ],
    );
    refused(
        &repository,
        "env:ROUNDING=down,up",
        &[
            "[canary-impossible]",
            at,
            "says `half-up` for `ROUNDING`, neither `down` nor `up`",
        ],
    );
    refused(
        &repository,
        "env:ROUNDING=half-up,half-up",
        &["[invalid-value]", "`ROUNDING` is `half-up` for both versions"],
    );
    refused(
        &repository,
        "en:ROUNDING=half-up,half-even",
        &["[invalid-value]", "did you mean `env:`?"],
    );
}

#[test]
fn a_flag_has_to_be_where_a_release_can_change_it() {
    let repository = Repository::of(PRICING);
    refused(
        &repository,
        "env:CURRENCY=EUR,CHF",
        &[
            "[canary-impossible]",
            "staging/pricing.yaml:29:15",
            "takes `CURRENCY` from a `configMapKeyRef`",
            "write it once, as text",
        ],
    );
    for file in OBJECTS {
        repository.replace(file, "- name: LOG_LEVEL\n", "- name: ROUNDING\n");
    }
    repository.commit("twice");
    refused(
        &repository,
        "env:ROUNDING=half-up,half-even",
        &["[canary-impossible]", "says `ROUNDING` 2 times"],
    );
    let repository = Repository::of(PRICING);
    for file in OBJECTS {
        repository.replace(
            file,
            "{name: ROUNDING, value: 'half-up'}",
            "{name: OTHER, value: 'half-up'}",
        );
    }
    repository.commit("moved");
    refused(
        &repository,
        "env:ROUNDING=half-up,half-even",
        &[
            "[unknown-name]",
            "`audit` says it; a release flips the flag of the first container, `pricing`",
        ],
    );
    let repository = Repository::of(PRICING);
    for file in OBJECTS {
        repository.replace(
            file,
            "          env:\n            - name: CURRENCY",
            "          envFrom: [{configMapRef: {name: shop}}]\n          env:\n            - name: CURRENCY",
        );
    }
    repository.commit("from elsewhere");
    refused(
        &repository,
        "env:VAT=in,out",
        &["[unknown-name]", "what `envFrom` brings in is not seen"],
    );
}

/// The built-in templates pass over `env` of a spec; a patch of the Deployment does not.
#[test]
fn a_variable_of_a_spec_is_said_in_a_patch() {
    let repository = Repository::of(RECOMMENDATIONS);
    repository.replace(
        SPEC,
        "    command: [/app/serve]\n",
        "    command: [/app/serve]\n    env: {MODEL: old}\n",
    );
    repository.commit("a variable");
    let flag = "env:MODEL=old,new";
    refused(
        &repository,
        flag,
        &[
            "[unknown-name]",
            "`MODEL` of the spec is not rendered: say it in a patch of the Deployment",
        ],
    );
    let patch = "gap/gap_patch_model.yaml";
    repository.write(
        patch,
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: recommendations-web\nspec:\n  template:\n    spec:\n      containers:\n        - name: recommendations-web\n          env:\n            - {name: MODEL, value: old} # why\n",
    );
    repository.commit("a patch");
    repository.step(".", &["init", "--flag", flag]);
    for _ in ["split", "wire", "widen", "park", "ship"] {
        repository.step(".", &["next"]);
    }
    assert!(repository.read(patch).contains("{name: MODEL, value: new} # why"));
    let copied = repository.read("gap/gap_patch_canary_copy.yaml");
    assert!(copied.contains("{name: MODEL, value: old} # why"), "{copied}");
}

#[test]
fn a_release_by_a_flag_has_no_images_of_its_own() {
    let repository = Repository::of(PRICING);
    for tag in ["--stable-tag", "--canary-tag"] {
        let args = [&ROUNDING[..], &[tag, "4.3.0"]].concat();
        let _ = repository
            .run(&args)
            .expect(1)
            .says("both versions run the image that the workload says");
    }
    let repository = after(PRICING, &ROUNDING, 3);
    let _ = repository
        .run(&["hotfix", "--stable-tag", "4.3.0"])
        .expect(1)
        .says("[unsupported]")
        .says("there is no pin to move");
    let again = [&ROUNDING[..], &["--workload", "pricing"]].concat();
    let _ = repository.run(&again).expect(0).says("has a release already");
    let _ = repository
        .run(&[
            "init",
            "--workload",
            "pricing",
            "--flag",
            "env:ROUNDING=half-up,up",
        ])
        .expect(1)
        .says("a release keeps its flag");
}

/// No share before the new version is there; from `ship` on every weight command has its meaning.
#[test]
fn shares_come_after_the_flip() {
    let repository = after(RECOMMENDATIONS, &RANKING, 4);
    let _ = repository
        .run(&["shift", "--env", "staging", "--to", "50"])
        .expect(1)
        .says("[not-in-this-phase]")
        .says("both sides still say `classic`");
    let _ = repository.run(&["next", "--to", "hold"]).expect(1);
    repository.step(".", &["next"]);
    assert_eq!(repository.read_phase(".", "web"), ["ship"]);
    repository.step(".", &["shift", "--env", "staging", "--to", "50"]);
    assert_eq!(repository.read_phase(".", "web"), ["ramp"]);
    repository.step(".", &["rollback"]);
    assert_eq!(repository.read_phase(".", "web"), ["ship"]);
    assert!(repository.read(SPEC).contains("--ranking=learned"));
    repository.step(".", &["next", "--to", "hold"]);
    assert_eq!(repository.read_phase(".", "web"), ["hold"]);
}

/// Chosen requests meet the new version once it is there, and no earlier.
#[test]
fn chosen_requests_meet_the_new_version_after_the_flip() {
    let preview = ["--match", "header:end-user=jason", "--mirror", "10%"];
    let init = [&RANKING[..], &preview].concat();
    let repository = after(RECOMMENDATIONS, &init, 0);
    let release = repository.read("gap/tidegate.yaml");
    assert!(
        release.contains("jason") && release.contains("mirror: 10"),
        "{release}"
    );
    let mut phases = Vec::new();
    for _ in 0..8 {
        repository.step(".", &["next"]);
        phases.extend(repository.read_phase(".", "web"));
    }
    assert_eq!(
        phases,
        [
            "split", "wire", "widen", "park", "ship", "preview", "ramp", "hold"
        ]
    );
    for _ in 0..12 {
        if repository.read_phase(".", "web") == ["idle"] {
            break;
        }
        repository.step(".", &["abort"]);
    }
    assert!(repository.tree() == Repository::of(RECOMMENDATIONS).tree());
}

/// The pipeline ships to both versions: nothing is pinned, nothing drifts, and what it shipped stays when the release is
/// aborted.
#[test]
fn a_build_reaches_both_versions() {
    let start = Repository::of(RECOMMENDATIONS);
    start.replace(SPEC, "7d41a0be", "0c0ffee0");
    let repository = after(RECOMMENDATIONS, &RANKING, 6);
    repository.replace(SPEC, "7d41a0be", "0c0ffee0");
    repository.commit("a build");
    let status = repository.run(&["status", "--format", "json"]).expect(0);
    assert!(status.stdout.contains("\"drift\": []"), "{}", status.stdout);
    let rendered = repository
        .run(&["render", "--env", "production"])
        .expect(0)
        .stdout;
    assert_eq!(
        rendered.matches("recommendations:0c0ffee0").count(),
        3,
        "{rendered}"
    );
    for _ in 0..12 {
        if repository.read_phase(".", "web") == ["idle"] {
            break;
        }
        repository.step(".", &["abort"]);
    }
    assert!(repository.tree() == start.tree());
}

/// A bot that raises the image moves nothing that the release holds still.
#[test]
fn a_bot_may_raise_the_image_of_both() {
    let repository = Repository::of(PRICING);
    for file in OBJECTS {
        let marked = "pricing:4.2.0 # {\"$imagepolicy\": \"flux-system:pricing\"}";
        repository.replace(file, "pricing:4.2.0", marked);
    }
    repository.commit("a bot");
    repository.step(".", &ROUNDING);
    repository.step(".", &["next"]);
    let copy = repository.read("staging/tidegate-canary-pricing.yaml");
    assert!(copy.contains("$imagepolicy"), "the bot finds both: {copy}");
    let ended = repository.run(&["check"]).expect(0);
    assert!(!ended.stdout.contains("moving-pin"), "{}", ended.stdout);
}

#[test]
fn an_image_that_reaches_one_side_only_is_drift() {
    let repository = after(PRICING, &ROUNDING, 3);
    repository.replace(OBJECTS[1], "pricing:4.2.0", "pricing:4.3.0");
    repository.commit("a build");
    let status = repository.run(&["status", "--format", "json"]).expect(0);
    let says = "runs `registry.example.com/shop/pricing:4.3.0`, `pricing-v2` runs `registry.example.com/shop/pricing:4.2.0`: they differ in more than `ROUNDING`";
    assert!(status.stdout.contains(says), "{}", status.stdout);
    let _ = repository.run(&["next"]).expect(0).says("warning[drift]");
}

/// What a person makes of the flag meanwhile stops a release where it would mean something else.
#[test]
fn a_flag_that_says_something_else_stops_a_release() {
    let copy = "production/tidegate-canary-pricing.yaml";
    for (file, from, to, says) in [
        (
            copy,
            "'half-even'",
            "'down'",
            "`pricing-v2` says `down` for `ROUNDING`, neither `half-up` nor `half-even`",
        ),
        (
            copy,
            "{name: ROUNDING, value: 'half-even'}",
            "{name: OTHER, value: ''}",
            "`pricing-v2` does not say `ROUNDING`",
        ),
        (
            OBJECTS[1],
            "'half-up'",
            "'down'",
            "`pricing` says `down` for `ROUNDING`",
        ),
    ] {
        let repository = after(PRICING, &ROUNDING, 4);
        repository.replace(file, from, to);
        repository.commit("by hand");
        let _ = repository
            .run(&["next"])
            .expect(1)
            .says("error[drift]")
            .says(says);
    }
    let repository = after(RECOMMENDATIONS, &RANKING, 5);
    let text = repository.read(SPEC).replace("classic", "learned");
    repository.write(SPEC, &text);
    repository.commit("by hand");
    let _ = repository
        .run(&["next"])
        .expect(1)
        .says("`web-v1` is the stable version and says `learned` for `--ranking`");
}

/// A copy of a workload that runs the new version already would be one, too.
#[test]
fn a_release_begins_with_the_old_version() {
    let repository = after(RECOMMENDATIONS, &RANKING, 0);
    repository.replace(SPEC, "\"--ranking=classic\"", "\"--ranking=learned\"");
    repository.commit("by hand");
    let _ = repository
        .run(&["next"])
        .expect(1)
        .says("error[drift]: `web` says `learned` for `--ranking` already")
        .says("write `classic`");
    // Nothing of it is running, and what a person wrote counts.
    repository.replace(SPEC, "\"--ranking=learned\"", "\"--ranking=random\"");
    repository.commit("by hand");
    let tree = repository.tree();
    repository.step(".", &["abort"]);
    let left: Vec<&String> = tree
        .keys()
        .filter(|file| !repository.tree().contains_key(*file))
        .collect();
    assert_eq!(left, ["gap/tidegate.yaml"]);
    assert!(repository.read(SPEC).contains("--ranking=random"));
}

/// In one environment alone the flip is completed; a share there and none elsewhere is too far apart.
#[test]
fn a_flip_in_one_environment_is_completed() {
    let repository = after(PRICING, &ROUNDING, 2);
    let copy = "staging/tidegate-canary-pricing.yaml";
    repository.replace(copy, "'half-up'", "'half-even'");
    repository.commit("by hand");
    let status = repository.run(&["status"]).expect(0);
    assert!(
        status.stdout.contains("between park and ship"),
        "{}",
        status.stdout
    );
    assert!(
        status
            .stdout
            .contains("the new flag on the canary side (production)"),
        "{}",
        status.stdout
    );
    repository.step(".", &["next"]);
    assert_eq!(repository.read_phase(".", "pricing"), ["ship"]);
}

/// Requests that reach the pods whatever the weights would meet the new version as soon as it ships.
#[test]
fn a_flip_that_requests_would_notice_is_refused() {
    let repository = Repository::of(RECOMMENDATIONS);
    repository.write(
        "gap/gap_internal.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: recommendations-internal}\nspec:\n  selector: {app: recommendations-web}\n  ports: [{name: http, port: 80, targetPort: 8080}]\n",
    );
    repository.commit("a second way in");
    refused(
        &repository,
        "arg:--ranking=classic,learned",
        &[
            "error[exposed]: in staging, requests to recommendations-internal.shop.svc.cluster.local/",
            "reach `web` whatever the weights",
        ],
    );
}

/// Callers without a sidecar follow no route of the mesh: that they meet the new version is said.
#[test]
fn callers_past_all_routes_are_named_when_the_flag_flips() {
    let repository = Repository::of(RECOMMENDATIONS);
    let open = "useServiceMesh: true\ndefaultAuthorizationPolicy: {rules: [{}]}";
    repository.replace(SPEC, "useServiceMesh: true", open);
    repository.commit("everybody may call");
    repository.step(".", &RANKING);
    for phase in ["split", "wire", "widen", "park"] {
        let ended = repository.run(&["next", "--commit"]).expect(0);
        assert!(
            !ended.stderr.contains("pass all routes by"),
            "{phase}: {}",
            ended.stderr
        );
    }
    let _ = repository
        .run(&["next"])
        .expect(0)
        .says("warning[exposed]: in staging, requests to")
        .says("from outside the mesh pass all routes by, so `web` serves some of them as the new version");
}

/// The end takes the flag out where the release file says that the image does without, and `plan` asks whether it does.
#[test]
fn the_end_takes_the_flag_out_where_the_image_does_without() {
    let repository = Repository::of(PRICING);
    let mut expected = repository.tree();
    for file in OBJECTS {
        let line =
            "            - {name: ROUNDING, value: 'half-up'} # half-even is the law from next year on\n";
        let text = repository.read(file).replace(line, "");
        expected.insert(file.to_owned(), text.into_bytes());
    }
    repository.step(".", &ROUNDING);
    for _ in 0..8 {
        repository.step(".", &["next"]);
    }
    let plan = repository.run(&["plan"]).expect(0).stdout;
    assert!(!plan.contains("without `ROUNDING`"), "{plan}");
    repository.replace(RELEASE, "without: stable", "without: canary");
    repository.commit("the image does without");
    let plan = repository.run(&["plan"]).expect(0).stdout;
    assert!(
        plan.contains("without `ROUNDING` the image that runs in every environment is the new version"),
        "{plan}"
    );
    for _ in 0..4 {
        if repository.read_phase(".", "pricing") == ["idle"] {
            break;
        }
        repository.step(".", &["next"]);
    }
    assert!(repository.tree() == expected, "{}", repository.diff_of(&expected));
}

/// A patch that says nothing but the flag goes with it, and so does a list; an abort gives the old value back instead.
#[test]
fn nothing_empty_is_left_of_a_flag() {
    let patch = "gap/gap_patch_model.yaml";
    let begun = || {
        let repository = Repository::of(RECOMMENDATIONS);
        repository.write(
            patch,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: recommendations-web\nspec:\n  template:\n    spec:\n      containers:\n        - name: recommendations-web\n          env: [{name: MODEL, value: old}]\n",
        );
        repository.commit("a patch");
        let start = repository.tree();
        repository.step(".", &["init", "--flag", "env:MODEL=old,new", "--steps", "100"]);
        for _ in 0..7 {
            repository.step(".", &["next"]);
        }
        assert_eq!(repository.read_phase(".", "web"), ["retire"]);
        repository.replace("gap/tidegate.yaml", "without: stable", "without: canary");
        repository.commit("the image does without");
        (repository, start)
    };
    for verb in ["next", "abort"] {
        let (repository, mut expected) = begun();
        for _ in 0..6 {
            if repository.read_phase(".", "web") == ["idle"] {
                break;
            }
            repository.step(".", &[verb]);
        }
        if verb == "next" {
            expected.remove(patch);
        }
        assert!(
            repository.tree() == expected,
            "{verb}: {}",
            repository.diff_of(&expected)
        );
    }
}

/// The release file says a flag as the method has it.
#[test]
fn mistakes_in_the_release_file_are_told() {
    for (from, to, says) in [
        (
            "env: ROUNDING",
            "env: ROUNDING\n      arg: --rounding",
            "a flag is either a variable or an argument",
        ),
        (
            "env: ROUNDING",
            "env: A=B",
            "`A=B` cannot be the name of a variable",
        ),
        (
            "canary: half-even",
            "canary: half-up",
            "`ROUNDING` is `half-up` for both versions",
        ),
        ("without: stable", "without: none", "without"),
        (
            "method: coexistence",
            "method: succession",
            "a flag chooses between versions of one image",
        ),
        (
            "    steps:",
            "    stable: {image: {tag: 4.2.0}}\n    steps:",
            "both versions run the image that the workload says",
        ),
    ] {
        let repository = after(PRICING, &ROUNDING, 0);
        repository.replace(RELEASE, from, to);
        let ended = repository.run(&["status"]).expect(1);
        let _ = ended.says(says).says(RELEASE);
    }
    let repository = after(PRICING, &ROUNDING, 0);
    let text = repository.read(RELEASE);
    let (before, rest) = text.split_once("    flag:\n").expect("a flag");
    let (_, behind) = rest.split_once("    # Percent").expect("steps");
    repository.write(RELEASE, format!("{before}    # Percent{behind}"));
    let _ = repository
        .run(&["status"])
        .expect(1)
        .says("with `method: coexistence` the key `flag` is missing");
}
