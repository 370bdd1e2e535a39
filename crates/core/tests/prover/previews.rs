//! The preview of a release: chosen requests meet the canary, all others what they met before, and nothing else is sent
//! anywhere; every transition of such a life and its inverse is safe.

use std::path::Path;

use tidegate_core::manifest::ManifestSet;
use tidegate_core::prover::{Caller, Entry, Outcome, Question, Request, Unjudged, forecast, prove};
use tidegate_core::provider::ProviderId;
use tidegate_core::repo::{MemoryRepo, RepoPath};

use crate::lives::point;
use crate::phases::phases_of;
use crate::world::told;

/// A fixture's release.
struct Life {
    fixture: &'static str,
    at: &'static str,
    workload: &'static str,
    provider: ProviderId,
    /// The Deployments that run the stable version and the canary.
    stable: &'static str,
    canary: &'static str,
}

const LIVES: [Life; 6] = [
    Life {
        fixture: "istio/my-service",
        at: "",
        workload: "web",
        provider: ProviderId::Istio,
        stable: "my-service-web-v1",
        canary: "my-service-web",
    },
    Life {
        fixture: "gateway-api/reviews",
        at: "deploy/reviews",
        workload: "reviews",
        provider: ProviderId::GatewayApi,
        stable: "reviews",
        canary: "reviews-v2",
    },
    Life {
        fixture: "istio-hosts/bookinfo",
        at: "",
        workload: "reviews",
        provider: ProviderId::IstioHosts,
        stable: "reviews",
        canary: "reviews-v2",
    },
    Life {
        fixture: "app-mesh/dj-app",
        at: "",
        workload: "jazz-v1",
        provider: ProviderId::AppMesh,
        stable: "jazz-v1",
        canary: "jazz-v2",
    },
    Life {
        fixture: "app-mesh/dj-app-v1beta2",
        at: "",
        workload: "metal-v1",
        provider: ProviderId::AppMesh,
        stable: "metal-v1",
        canary: "metal-v2",
    },
    Life {
        fixture: "kubesphere/bookinfo",
        at: "",
        workload: "reviews-v1",
        provider: ProviderId::Kubesphere,
        stable: "reviews-v1",
        canary: "reviews-v2",
    },
];

const MATCH: &str = "    match:\n      - headers: {end-user: {exact: jason}}\n      - cookies: {canary: always}\n      \
                     - headers: {tier: {exact: gold}}\n        uri: {prefix: /beta}\n";

impl Life {
    /// Every resting point: the name of its phase, and each environment as it is deployed.
    fn points(&self) -> Vec<(String, Vec<ManifestSet>)> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let tag = (self.provider != ProviderId::Istio).then_some("next");
        let mirror = match self.provider.previews().mirrors {
            true => "    mirror: 10\n",
            false => "",
        };
        let points = phases_of(&fixtures, (self.fixture, self.at, self.workload), tag, |repo| {
            choose(repo, &format!("{MATCH}{mirror}"));
        });
        let at = RepoPath::new(self.at).expect("a path");
        let render = |repo: &MemoryRepo| {
            point(repo, &at, String::new())
                .environments
                .into_values()
                .collect()
        };
        let points = points.into_iter();
        points.map(|(name, repo)| (name, render(&repo))).collect()
    }

    /// Where requests come in that meet the canary alone.
    fn reached(&self, environment: &ManifestSet) -> Vec<(String, u16, Entry, Caller)> {
        let outcomes = self.outcomes(environment).into_iter();
        let reached = outcomes
            .filter(|(_, outcome)| outcome.served.get(self.canary).is_some_and(|share| *share >= 1.0));
        let reached = reached.filter(|(request, _)| request.caller != Caller::Outside);
        reached.map(|(request, _)| door(&request)).collect()
    }

    /// What becomes of each kind of requests in an environment.
    fn outcomes(&self, environment: &ManifestSet) -> Vec<(Request, Outcome)> {
        let mut states = forecast(self.provider, environment, environment, 1);
        states.pop().expect("the only state").outcomes
    }
}

/// Where a request comes in, and who calls.
fn door(request: &Request) -> (String, u16, Entry, Caller) {
    let Request {
        host,
        port,
        entry,
        caller,
        ..
    } = request.clone();
    (host, port, entry, caller)
}

/// Writes a preview into the release file.
fn choose(repo: &mut MemoryRepo, text: &str) {
    let is_release = |path: &&RepoPath| {
        path.as_str().contains(".tidegate/releases") || path.file_name() == "tidegate.yaml"
    };
    let path = repo
        .files()
        .keys()
        .find(is_release)
        .expect("a release file")
        .clone();
    let steps = "    # Percent to the canary, one step";
    let before = repo.files()[&path].clone();
    let after = before.replace(steps, &format!("{text}{steps}"));
    assert_ne!(before, after, "{before}");
    repo.set(path, Some(after));
}

fn is_chosen(request: &Request) -> bool {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    header("end-user") == Some("jason")
        || (header("tier") == Some("gold") && request.path.starts_with("/beta"))
        || request
            .fulfils
            .iter()
            .any(|(name, pattern)| name == "cookie" && pattern.contains("canary=always"))
}

#[test]
fn every_transition_with_a_preview_and_its_inverse_is_safe() {
    for life in LIVES {
        let points = life.points();
        assert!(
            points.iter().any(|(phase, _)| phase == "preview"),
            "{}",
            life.fixture
        );
        for step in points.windows(2) {
            let [(_, before), (phase, after)] = step else {
                continue;
            };
            for (before, after) in before.iter().zip(after) {
                for (way, before, after) in [("", before, after), (" taken back", after, before)] {
                    let proof = prove(life.provider, before, after, Question::default());
                    let what = format!("{}: {phase}{way}", life.fixture);
                    assert!(proof.is_safe(), "{what}: {}", told(&proof));
                    let is_known = |unjudged: &Unjudged| unjudged.reason == "changes its `trafficPolicy`";
                    assert!(
                        proof.unjudged.iter().all(is_known),
                        "{what}: {:?}",
                        proof.unjudged
                    );
                }
            }
        }
    }
}

/// From `preview` until it gets everything, the canary serves the chosen requests, and of the others its share.
#[test]
fn chosen_requests_meet_the_canary_and_others_what_they_met_before() {
    for life in LIVES {
        let mut shares = vec![("preview", 0.0), ("ramp", 0.1), ("ramp", 0.5)].into_iter();
        let points = life.points();
        let (_, held) = points
            .iter()
            .find(|(phase, _)| phase == "hold")
            .expect("everything on the canary");
        let held: Vec<_> = held.iter().map(|environment| life.reached(environment)).collect();
        for (phase, environments) in points {
            if !["preview", "ramp"].contains(&phase.as_str()) {
                continue;
            }
            let (expected, share) = shares.next().expect("no more phases");
            assert_eq!(phase, expected, "{}", life.fixture);
            for (environment, held) in environments.iter().zip(&held) {
                let [mut chosen, mut others] = [0, 0];
                let outcomes = life.outcomes(environment).into_iter();
                for (request, outcome) in outcomes.filter(|(request, _)| held.contains(&door(request))) {
                    let wanted = match is_chosen(&request) {
                        true => 1.0,
                        false => share,
                    };
                    let served = |workload: &str| outcome.served.get(workload).copied().unwrap_or(0.0);
                    // Who asks for something that goes elsewhere.
                    if served(life.stable) + served(life.canary) < 1.0 {
                        continue;
                    }
                    let found = served(life.canary);
                    assert!(
                        (found - wanted).abs() < 1e-9,
                        "{} {phase}: {request}: {found}",
                        life.fixture
                    );
                    chosen += usize::from(is_chosen(&request));
                    others += usize::from(!is_chosen(&request));
                }
                assert!(chosen > 2 && others > 0, "{}: {chosen} {others}", life.fixture);
            }
        }
        assert!(shares.next().is_none(), "{}", life.fixture);
    }
}

/// In one commit with what it needs, chosen requests would fail where the route is first.
#[test]
fn a_preview_in_one_commit_with_the_copy_is_refused() {
    for life in LIVES {
        let points = life.points();
        let before = &points[0].1[0];
        let (_, after) = points
            .iter()
            .find(|(phase, _)| phase == "preview")
            .expect("a preview");
        let proof = prove(life.provider, before, &after[0], Question::default());
        let failing = |request: &Request| is_chosen(request);
        let mut examples = proof.counter_examples.iter();
        assert!(
            examples.any(|example| example.requests.iter().any(failing)),
            "{}: {}",
            life.fixture,
            told(&proof)
        );
    }
}
