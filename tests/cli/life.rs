//! Whole lives of releases: every transition of each fixture, the whole tree compared after each, and back.
//!
//! The expected trees are kept as git's own diffs in `fixtures/<provider>/<name>/life/`: the start is the fixture, so
//! equal diffs are equal trees. `UPDATE=1 cargo test --test cli` writes them; read them before committing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::repository::{Repository, fixtures, is_update};

/// A fixture's release, from `init` to a tidy repository.
struct Life {
    fixture: &'static str,
    /// Where the expected diffs are, below the fixture.
    folder: &'static str,
    /// The application's folder.
    at: &'static str,
    /// The application's spec and the tags before and after the new code is shipped.
    ship: Option<(&'static str, &'static str, &'static str)>,
    /// The files in which the release itself writes the new tag, and both tags: where the copy runs the new version.
    promotes: &'static [(&'static str, &'static str, &'static str)],
    init: &'static [&'static str],
    workload: &'static str,
}

const DIGEST: &str = "sha256:be6bebfde2273ad254e8ef2a210e3c132a46255195408f675b4187420717f65f";

const MY_SERVICE: Life = Life {
    fixture: "istio/my-service",
    folder: "life",
    at: ".",
    ship: Some(("gap/gap.yaml", MY_SERVICE_TAG, "c0ffee42")),
    promotes: &[],
    init: &["init", "--stable-tag", DIGEST],
    workload: "web",
};
const MY_SERVICE_TAG: &str = "a1f3c9d2";

const ORDERS: Life = Life {
    fixture: "istio/orders",
    folder: "life",
    at: ".",
    ship: Some(("gap/gap.yaml", ORDERS_TAG, "c0ffee42")),
    promotes: &[],
    init: &["init", "--stable-tag", DIGEST, "--steps", "10,50,100"],
    workload: "web",
};
const ORDERS_TAG: &str = "5b1f0c7e";

const SEARCH: Life = Life {
    fixture: "istio/monorepo",
    folder: "life-search",
    at: "services/search",
    ship: None,
    promotes: &[],
    init: &["init", "--steps", "50,100"],
    workload: "web",
};

const REVIEWS: Life = Life {
    fixture: "gateway-api/reviews",
    folder: "life",
    at: "deploy/reviews",
    ship: None,
    promotes: &[
        ("deploy/reviews/staging/reviews.yaml", "1.16.2", "1.17.0"),
        ("deploy/reviews/production/reviews.yaml", "1.16.2", "1.17.0"),
    ],
    init: &["init", "--canary-tag", "1.17.0", "--steps", "10,50,100"],
    workload: "reviews",
};

const BOOKINFO: Life = Life {
    fixture: "istio-hosts/bookinfo",
    folder: "life",
    at: ".",
    ship: None,
    promotes: &[
        ("staging/reviews.yaml", "1.20.1", "1.21.0"),
        ("production/reviews.yaml", "1.20.1", "1.21.0"),
    ],
    init: &["init", "--canary-tag", "1.21.0", "--steps", "50,100"],
    workload: "reviews",
};

const JAZZ: Life = Life {
    fixture: "app-mesh/dj-app",
    folder: "life-jazz",
    at: ".",
    ship: None,
    promotes: &[("jazz.yaml", "v1.0", "v2.0")],
    init: &[
        "init",
        "--workload",
        "jazz-v1",
        "--canary-tag",
        "v2.0",
        "--steps",
        "10,100",
    ],
    workload: "jazz-v1",
};

const METAL: Life = Life {
    fixture: "app-mesh/dj-app-v1beta2",
    folder: "life-metal",
    at: ".",
    ship: None,
    promotes: &[("metal.yaml", "v1.0", "v2.0")],
    init: &[
        "init",
        "--workload",
        "metal-v1",
        "--canary-tag",
        "v2.0",
        "--steps",
        "50,100",
    ],
    workload: "metal-v1",
};

const BOOKS: Life = Life {
    fixture: "smi/books",
    folder: "life",
    at: ".",
    ship: None,
    promotes: &[("books.yaml", "v0.0.5", "v0.0.6")],
    init: &[
        "init",
        "--provider",
        "smi",
        "--canary-tag",
        "v0.0.6",
        "--steps",
        "10,100",
    ],
    workload: "books",
};

const NOTIFICATION: Life = Life {
    fixture: "replicas/notification",
    folder: "life",
    at: "notification",
    ship: None,
    promotes: &[
        ("notification/staging/notification.yaml", "3.0.0", "4.0.0"),
        ("notification/production/notification.yaml", "3.0.0", "4.0.0"),
    ],
    init: &["init", "--canary-tag", "4.0.0", "--steps", "25,50,75,100"],
    workload: "notification",
};

const KUBESPHERE: Life = Life {
    fixture: "kubesphere/bookinfo",
    folder: "life",
    at: ".",
    ship: None,
    promotes: &[("reviews.yaml", "1.16.2", "1.17.0")],
    init: &["init", "--canary-tag", "1.17.0", "--steps", "50,100"],
    workload: "reviews-v1",
};

const PODINFO: Life = Life {
    fixture: "flagger/podinfo",
    folder: "life",
    at: "podinfo",
    ship: None,
    promotes: &[
        ("podinfo/staging/deployment.yaml", "2.1.0", "2.1.1"),
        ("podinfo/production/podinfo.yaml", "2.1.0", "2.1.1"),
    ],
    init: &[
        "init",
        "--provider",
        "flagger",
        "--canary-tag",
        "2.1.1",
        "--steps",
        "5,10,20,100",
    ],
    workload: "podinfo",
};

const ROUTED_ROLLOUT: Life = Life {
    fixture: "argo-rollouts/reviews",
    folder: "life",
    at: "shop/reviews",
    ship: None,
    promotes: &[
        ("shop/reviews/staging/reviews.yaml", "1.16.2", "1.17.0"),
        ("shop/reviews/production/reviews.yaml", "1.16.2", "1.17.0"),
    ],
    init: &[
        "init",
        "--provider",
        "argo-rollouts",
        "--canary-tag",
        "1.17.0",
        "--steps",
        "5,20,100",
    ],
    workload: "reviews",
};

const ROLLOUTS_DEMO: Life = Life {
    fixture: "argo-rollouts/rollouts-demo",
    folder: "life",
    at: "demo",
    ship: None,
    promotes: &[("demo/rollouts-demo.yaml", ":blue", ":yellow")],
    init: &[
        "init",
        "--provider",
        "argo-rollouts",
        "--canary-tag",
        "yellow",
        "--steps",
        "20,60,100",
    ],
    workload: "rollouts-demo",
};

const OVERLAYS: Life = Life {
    fixture: "kustomize/reviews",
    folder: "life",
    at: "apps/reviews",
    ship: None,
    promotes: &[
        (
            "apps/reviews/overlays/staging/kustomization.yaml",
            "1.16.2",
            "1.17.0",
        ),
        (
            "apps/reviews/overlays/production/kustomization.yaml",
            "1.16.2",
            "1.17.0",
        ),
    ],
    init: &["init", "--canary-tag", "1.17.0", "--steps", "10,100"],
    workload: "reviews",
};

/// The guide's set-up, with requests of one user's that meet the canary first: see `my_service_previews_in_staging`.
const MY_SERVICE_PREVIEW: Life = Life {
    folder: "life-preview",
    init: &["init", "--stable-tag", DIGEST, "--steps", "50,100"],
    ..MY_SERVICE
};

/// As in the seed: one user meets the new reviews first.
const BOOKINFO_PREVIEW: Life = Life {
    folder: "life-preview",
    init: &[
        "init",
        "--canary-tag",
        "1.21.0",
        "--steps",
        "50,100",
        "--match",
        "header:end-user=jason",
    ],
    ..BOOKINFO
};

const REVIEWS_PREVIEW: Life = Life {
    folder: "life-preview",
    init: &[
        "init",
        "--canary-tag",
        "1.17.0",
        "--steps",
        "50,100",
        "--match",
        "cookie:canary=always",
        "--match",
        "uri:/beta*",
        "--mirror",
        "10%",
    ],
    ..REVIEWS
};

const METAL_PREVIEW: Life = Life {
    folder: "life-metal-preview",
    init: &[
        "init",
        "--workload",
        "metal-v1",
        "--canary-tag",
        "v2.0",
        "--steps",
        "50,100",
        "--match",
        "header:end-user=jason",
        "--match",
        "uri:/beta*",
    ],
    ..METAL
};

const KUBESPHERE_PREVIEW: Life = Life {
    folder: "life-preview",
    init: &[
        "init",
        "--canary-tag",
        "1.17.0",
        "--steps",
        "50,100",
        "--match",
        "header:end-user=jason",
        "--mirror",
        "10%",
    ],
    ..KUBESPHERE
};

const OVERLAYS_PREVIEW: Life = Life {
    folder: "life-preview",
    init: &[
        "init",
        "--canary-tag",
        "1.17.0",
        "--steps",
        "100",
        "--match",
        "header:end-user=jason",
        "--mirror",
        "100",
    ],
    ..OVERLAYS
};
const RECOMMENDATIONS: Life = Life {
    fixture: "istio/recommendations",
    folder: "life",
    at: ".",
    ship: None,
    promotes: &[("gap/gap.yaml", "\"--ranking=classic\"", "\"--ranking=learned\"")],
    init: &[
        "init",
        "--flag",
        "arg:--ranking=classic,learned",
        "--steps",
        "10,100",
    ],
    workload: "web",
};

const PRICING: Life = Life {
    fixture: "gateway-api/pricing",
    folder: "life",
    at: ".",
    ship: None,
    promotes: &[
        ("staging/pricing.yaml", "'half-up'", "'half-even'"),
        ("production/pricing.yaml", "'half-up'", "'half-even'"),
    ],
    init: &[
        "init",
        "--flag",
        "env:ROUNDING=half-up,half-even",
        "--steps",
        "50,100",
    ],
    workload: "pricing",
};

/// Two versions of one image.
const OF_ONE_IMAGE: [&Life; 2] = [&RECOMMENDATIONS, &PRICING];

/// The guide's set-up in each traffic system.
const LIVES: [&Life; 11] = [
    &MY_SERVICE,
    &ORDERS,
    &SEARCH,
    &REVIEWS,
    &BOOKINFO,
    &JAZZ,
    &METAL,
    &BOOKS,
    &NOTIFICATION,
    &KUBESPHERE,
    &OVERLAYS,
];

#[test]
fn reviews_live_behind_the_gateway_api() {
    live(&REVIEWS);
}

#[test]
fn bookinfo_lives_behind_istio_with_a_service_for_each_version() {
    live(&BOOKINFO);
}

#[test]
fn jazz_lives_in_app_mesh() {
    live(&JAZZ);
}

#[test]
fn metal_lives_in_app_mesh_with_routers() {
    live(&METAL);
}

#[test]
fn books_live_behind_a_traffic_split() {
    live(&BOOKS);
}

/// As in the seed: 4/0, 3/1, 2/2, 1/3, 0/4, each time the growing version first.
#[test]
fn notification_lives_by_numbers_of_pods() {
    live(&NOTIFICATION);
}

/// As in the seed: 50/50, take over, and in the end one version again.
#[test]
fn reviews_live_in_kubesphere() {
    live(&KUBESPHERE);
}

/// The Service leaves the files and comes back where it was; Flagger has the workload between.
#[test]
fn podinfo_lives_with_flagger() {
    live(&PODINFO);
    let lengths = (0..20).take_while(|stop| abort_after(&PODINFO, *stop));
    assert_eq!(lengths.count(), 7);
}

/// The Deployment gives its pods up and gets them back; the routes name a second Service between, whose weights nobody here moves.
#[test]
fn reviews_live_with_argo_rollouts() {
    live(&ROUTED_ROLLOUT);
    let lengths = (0..20).take_while(|stop| abort_after(&ROUTED_ROLLOUT, *stop));
    assert_eq!(lengths.count(), 6);
}

#[test]
fn rollouts_demo_lives_with_argo_rollouts_without_routes() {
    live(&ROLLOUTS_DEMO);
    let lengths = (0..20).take_while(|stop| abort_after(&ROLLOUTS_DEMO, *stop));
    assert_eq!(lengths.count(), 5);
}

#[test]
fn reviews_live_in_overlays_over_a_base() {
    live(&OVERLAYS);
}

/// As in the seed: jazz at 90/10 and metal at 50/50 at the same time, each with a release of its own.
#[test]
fn two_releases_of_one_application_run_side_by_side() {
    let repository = Repository::of("app-mesh/dj-app");
    let start = repository.tree();
    for workload in ["jazz-v1", "metal-v1"] {
        repository.step(".", &["init", "--workload", workload, "--canary-tag", "v2.0"]);
        for _ in ["split", "park"] {
            repository.step(".", &["next", "--workload", workload]);
        }
    }
    for (workload, percent) in [("jazz-v1", "10"), ("metal-v1", "50")] {
        repository.step(
            ".",
            &["shift", "--workload", workload, "--env", "all", "--to", percent],
        );
        assert_eq!(repository.read_phase(".", workload), ["ramp"]);
    }
    let routes = repository.read("virtual-services.yaml");
    for expected in [
        "jazz-v1   # the only one so far\n                  weight: 90",
        "jazz-v2\n                  weight: 10",
        "metal-v1\n                  weight: 50",
        "metal-v2\n                  weight: 50",
    ] {
        assert!(routes.contains(expected), "{expected}\n{routes}");
    }
    for workload in ["jazz-v1", "metal-v1"] {
        for _ in 0..12 {
            if repository.read_phase(".", workload) == ["idle"] {
                break;
            }
            repository.step(".", &["abort", "--workload", workload]);
        }
    }
    assert_same_tree(&repository.tree(), &start);
}

#[test]
fn my_service_lives_and_leaves_nothing_behind() {
    live(&MY_SERVICE);
}

#[test]
fn orders_lives_and_leaves_nothing_behind() {
    live(&ORDERS);
}

#[test]
fn search_lives_in_a_monorepo_and_leaves_nothing_behind() {
    live(&SEARCH);
}

#[test]
fn bookinfo_shows_one_user_the_new_version_first() {
    live(&BOOKINFO_PREVIEW);
}

#[test]
fn reviews_are_previewed_by_cookie_and_path_and_by_copies() {
    live(&REVIEWS_PREVIEW);
}

#[test]
fn metal_is_previewed_by_routes_of_higher_priority() {
    live(&METAL_PREVIEW);
}

#[test]
fn reviews_in_overlays_are_previewed() {
    live(&OVERLAYS_PREVIEW);
}

#[test]
fn reviews_in_kubesphere_are_previewed() {
    live(&KUBESPHERE_PREVIEW);
}

/// One environment has chosen requests, the other has none: it is parked meanwhile.
#[test]
fn my_service_previews_in_staging() {
    live_with(&MY_SERVICE_PREVIEW, Some(in_staging));
}

fn in_staging(repository: &Repository) {
    let steps = "    # Percent to the canary, one step";
    let own = "    environments:\n      staging:\n        match:\n          - headers: {end-user: {exact: jason}}\n";
    repository.replace("gap/tidegate.yaml", steps, &format!("{own}{steps}"));
}

/// The guide's other method: a flag chooses, and its flip is a commit of its own.
#[test]
fn recommendations_live_with_both_rankings_in_one_image() {
    live(&RECOMMENDATIONS);
}

#[test]
fn pricing_lives_with_both_roundings_in_one_image() {
    live(&PRICING);
}

#[test]
fn abort_gives_the_flag_back_from_every_phase() {
    for life in OF_ONE_IMAGE {
        let length = (0..20).find(|stop| !abort_after(life, *stop));
        assert!(
            length.is_some_and(|length| length >= 9),
            "{}: {length:?}",
            life.fixture
        );
    }
}

fn live(life: &Life) {
    live_with(life, None);
}

/// A life in which a person edits the release file after `init`.
fn live_with(life: &Life, edit: Option<fn(&Repository)>) {
    let repository = Repository::of(life.fixture);
    let start = repository.tree();
    let mut journal = Journal::new(life);
    journal.step(&repository, "init", life.init);
    if let Some(edit) = edit {
        edit(&repository);
        journal.record(&repository, "edit");
    }
    let phases: &[&str] = match life.promotes {
        [] => &["split", "wire", "widen", "park"],
        _ if life.fixture.starts_with("istio/") => &["split", "wire", "widen", "park"],
        // The routes name the copy before it has pods.
        _ if life.fixture.starts_with("kubesphere/") => &["wire", "park"],
        // There are no routes that could name the copy: it is parked from the beginning.
        _ if life.fixture.starts_with("replicas/") => &["park"],
        _ if life.fixture.starts_with("flagger/") => &["keep", "hand-over", "bootstrap", "trigger"],
        _ if life.fixture == ROUTED_ROLLOUT.fixture => &["hand-over", "bootstrap", "vacate", "trigger"],
        _ if life.fixture == ROLLOUTS_DEMO.fixture => &["bootstrap", "vacate", "trigger"],
        _ => &["split", "park"],
    };
    for phase in phases {
        journal.step(&repository, phase, &["next"]);
    }
    if let Some((file, before, after)) = life.ship {
        repository.replace(file, before, after);
        journal.record(&repository, "ship");
    }
    for _ in 0..20 {
        if repository.read_phase(life.at, life.workload) == ["idle"] {
            break;
        }
        journal.step(&repository, "", &["next"]);
    }
    journal.finish();

    let mut expected = start;
    for (file, before, after) in life.ship.iter().chain(life.promotes).copied() {
        let text = String::from_utf8(expected[file].clone())
            .expect("UTF-8")
            .replace(before, after);
        expected.insert(file.to_owned(), text.into_bytes());
    }
    assert_same_tree(&repository.tree(), &expected);
    let nothing = repository.run(&["-C", life.at, "next"]).expect(0);
    assert!(nothing.stderr.contains("nothing to do"), "{}", nothing.stderr);
}

/// Aborting from every phase, with the new code shipped from `park` on, gives the start back byte for byte.
#[test]
fn abort_from_every_phase_gives_the_start_back() {
    for life in LIVES {
        let length = (0..20).find(|stop| !abort_after(life, *stop));
        assert!(
            length.is_some_and(|length| length >= 8),
            "{}: {length:?}",
            life.fixture
        );
    }
}

#[test]
fn abort_from_every_phase_with_a_preview_gives_the_start_back() {
    for life in [
        &BOOKINFO_PREVIEW,
        &REVIEWS_PREVIEW,
        &METAL_PREVIEW,
        &KUBESPHERE_PREVIEW,
        &OVERLAYS_PREVIEW,
    ] {
        let length = (0..20).find(|stop| !abort_after(life, *stop));
        assert!(
            length.is_some_and(|length| length >= 8),
            "{}: {length:?}",
            life.fixture
        );
    }
}

/// Whether the release still ran after so many transitions, and was aborted.
fn abort_after(life: &Life, count: usize) -> bool {
    let repository = Repository::of(life.fixture);
    let start = repository.tree();
    repository.step(life.at, life.init);
    for done in 0..count {
        if let (4, Some((file, before, after))) = (done, life.ship) {
            repository.replace(file, before, after);
            repository.commit("ship");
        }
        repository.step(life.at, &["next"]);
    }
    if repository.read_phase(life.at, life.workload) == ["idle"] && count > 0 {
        return false;
    }
    for _ in 0..12 {
        let ended = repository.run(&["-C", life.at, "abort"]).expect(0);
        repository.commit("abort");
        if ended.stderr.contains("nothing to do") {
            break;
        }
    }
    assert_same_tree(&repository.tree(), &start);
    true
}

/// A release whose files look as if a person had written them by the traffic system's manual: recognised, taken over, and
/// carried to its end or aborted, with what was written for it.
#[test]
fn a_canary_made_by_hand_is_taken_over_in_every_traffic_system() {
    // What a person wrote into kustomizations a person takes away again: see `overlays`.
    let is_carried = |life: &&Life| !life.promotes.is_empty() && life.fixture != OVERLAYS.fixture;
    for life in LIVES.into_iter().filter(is_carried) {
        for verb in ["next", "abort"] {
            let repository = Repository::of(life.fixture);
            let start = repository.tree();
            by_hand(life, &repository);
            let status = ["-C", life.at, "status", "--format", "json"];
            let status: Value =
                serde_json::from_str(&repository.run(&status).expect(0).stdout).expect("JSON");
            let release = &status["releases"][0];
            assert_eq!(release["recorded"], false, "{}", life.fixture);
            assert_eq!(release["workload"], life.workload, "{}", life.fixture);
            assert_eq!(release["phases"][0], "ramp", "{}: {release:#}", life.fixture);
            let before = repository.tree();
            repository.step(life.at, &["init", "--adopt"]);
            let changed = repository
                .tree()
                .into_iter()
                .filter(|(name, bytes)| before.get(name) != Some(bytes));
            let changed: Vec<String> = changed.map(|(name, _)| name).collect();
            assert!(
                matches!(changed.as_slice(), [only] if only.starts_with(".tidegate/releases")),
                "{changed:?}"
            );
            for _ in 0..20 {
                if repository.read_phase(life.at, life.workload) == ["idle"] {
                    break;
                }
                repository.step(life.at, &[verb]);
            }
            let mut expected = start;
            for (file, before, after) in life.promotes.iter().copied().filter(|_| verb == "next") {
                let text = String::from_utf8(expected[file].clone())
                    .expect("UTF-8")
                    .replace(before, after);
                expected.insert(file.to_owned(), text.into_bytes());
            }
            let mut tree = repository.tree();
            // A route that is the person's stays, for the workload alone.
            if let Some(split) = tree.remove("new-books.yaml") {
                let split = String::from_utf8(split).expect("UTF-8");
                assert!(
                    split.contains("kind: TrafficSplit") && split.contains("weight: 100"),
                    "{split}"
                );
                assert!(
                    !split.contains("books-v2") && !split.contains("Deployment"),
                    "{split}"
                );
            }
            assert_same_tree(&tree, &expected);
        }
    }
}

/// Everything that tells who wrote the files of a release in `ramp` is taken out of them.
fn by_hand(life: &Life, repository: &Repository) {
    repository.step(life.at, life.init);
    while repository.read_phase(life.at, life.workload) != ["ramp"] {
        repository.step(life.at, &["next"]);
    }
    // Of pods that are more than before nobody could tell how many there were.
    if life.fixture.starts_with("replicas/") {
        repository.step(life.at, &["next"]);
    }
    for (name, bytes) in repository.tree() {
        let path = repository.path().join(&name);
        if name.starts_with(".tidegate/") {
            std::fs::remove_file(path).expect("a file");
            continue;
        }
        let Some(mine) = name
            .rsplit_once("tidegate-canary-")
            .map(|(folder, rest)| format!("{folder}new-{rest}"))
        else {
            continue;
        };
        let text = String::from_utf8(bytes).expect("UTF-8");
        let mark = format!("tidegate.dev/backend-of: {}", life.workload);
        let text = text
            .replace(&format!(", labels: {{{mark}}}"), "")
            .replace(&format!(", {mark}"), "");
        let is_mine = |line: &&str| {
            !line.starts_with("# Written by tidegate")
                && !line.starts_with("# The last transition")
                && line.trim() != mark
        };
        let lines = text.lines().filter(is_mine).map(|line| format!("{line}\n"));
        let text = lines.collect::<String>().replace("  labels:\nspec:", "spec:");
        assert!(!text.contains("tidegate"), "{text}");
        std::fs::remove_file(path).expect("a file");
        repository.write(&mine, text);
    }
    repository.commit("by hand");
}

impl Repository {
    /// Runs a command that writes, and commits what it wrote.
    pub(crate) fn step(&self, at: &str, args: &[&str]) {
        let mut all = vec!["-C", at];
        all.extend(args);
        let _ = self.run(&all).expect(0);
        self.commit("step");
    }

    /// `my-service` in a phase, one commit for each transition before.
    pub(crate) fn in_phase(phase: &str) -> Self {
        let repository = Self::of("istio/my-service");
        let _ = repository
            .run(&["init", "--steps", "50,100", "--commit"])
            .expect(0);
        while repository.read_phase(".", "web") != [phase] {
            let _ = repository.run(&["next", "--commit"]).expect(0);
        }
        repository
    }

    /// The phases that `status` reads, `idle` where there is no release.
    pub(crate) fn read_phase(&self, at: &str, workload: &str) -> Vec<String> {
        let status = self.run(&["-C", at, "status", "--format", "json", "--workload", workload]);
        let status: Value = serde_json::from_str(&status.stdout).expect("status is JSON");
        assert_eq!(status["schema"], "tidegate.dev/status/v1");
        let Some(release) = status["releases"].get(0) else {
            return vec!["idle".to_owned()];
        };
        let phases = release["phases"].as_array().expect("a list");
        phases
            .iter()
            .map(|phase| phase.as_str().expect("a name").to_owned())
            .collect()
    }
}

/// The expected diffs of a life, in order.
struct Journal<'a> {
    life: &'a Life,
    count: usize,
    seen: Vec<String>,
}

impl<'a> Journal<'a> {
    fn new(life: &'a Life) -> Self {
        Self {
            life,
            count: 0,
            seen: Vec::new(),
        }
    }

    fn folder(&self) -> std::path::PathBuf {
        fixtures().join(self.life.fixture).join(self.life.folder)
    }

    /// Runs a command and compares the whole tree; without a name, the phase it leads to is the name.
    fn step(&mut self, repository: &Repository, name: &str, args: &[&str]) {
        let mut all = vec!["-C", self.life.at];
        all.extend(args);
        let before = repository.tree();
        let shown = repository.run(&[&all[..], &["--diff"]].concat()).expect(0);
        assert_same_tree(&repository.tree(), &before);
        let written = repository.run(&all).expect(0);
        assert_eq!(shown.stdout, written.stdout, "--diff shows what is written");
        let phases = repository.read_phase(self.life.at, self.life.workload);
        let name = if name.is_empty() {
            phases.join("-or-")
        } else {
            name.to_owned()
        };
        if name != "init" {
            assert_eq!(phases.join(" "), name, "the phase after {args:?}");
        }
        self.record(repository, &name);
    }

    /// Compares the whole tree with the expected one, and commits it.
    fn record(&mut self, repository: &Repository, name: &str) {
        let diff = repository.diff();
        assert!(!diff.is_empty(), "{name} changes something");
        let file = format!("{:02}-{name}.diff", self.count);
        let path = self.folder().join(&file);
        self.count += 1;
        self.seen.push(file);
        if is_update() {
            std::fs::create_dir_all(self.folder()).expect("a folder");
            std::fs::write(&path, &diff).expect("a file");
        } else {
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(diff, expected, "{} differs; UPDATE=1 writes it", path.display());
        }
        repository.commit(name);
    }

    /// No expected diff is left over.
    fn finish(self) {
        let found = std::fs::read_dir(self.folder()).expect("a folder");
        let mut found: Vec<String> = found
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        found.sort();
        assert_eq!(found, self.seen);
    }
}

#[track_caller]
fn assert_same_tree(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    let names = |tree: &BTreeMap<String, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for (name, bytes) in expected {
        assert_eq!(
            String::from_utf8_lossy(&found[name]),
            String::from_utf8_lossy(bytes),
            "{name}"
        );
        assert_eq!(&found[name], bytes, "{name}");
    }
}
