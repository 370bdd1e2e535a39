//! Every object that is rendered from a life of a fixture, in every phase, is one that Kubernetes' API server takes: by
//! its own rules for built-in kinds, by the definitions that the traffic systems publish for theirs, structural schemas
//! and CEL; as a new object, and in the place of the one of the phase before and after it.

use std::collections::BTreeMap;

use tidegate_core::layout;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;

use crate::api_server::{ApiServer, Change, Verdict};
use crate::kept::kept;
use crate::repository::fixtures;
use crate::rollouts::Linter;

/// Kinds that nobody here defines: what is read of them and never written.
const UNKNOWN: &[&str] = &["security.istio.io/v1beta1 PeerAuthentication"];

/// What `render` prints, by environment.
fn rendered(repo: &MemoryRepo, at: &RepoPath) -> BTreeMap<String, String> {
    let config = Config::load(repo, &RepoPath::root()).unwrap_or_else(|failure| panic!("{failure:?}"));
    let application = layout::load(repo, at, &config).unwrap_or_else(|failure| panic!("{at}: {failure:?}"));
    let environments = application.environments.into_iter();
    let print = |manifests: &tidegate_core::manifest::ManifestSet| {
        tidegate_yaml::print_stream(manifests.iter().map(|manifest| &manifest.value))
    };
    environments
        .map(|(name, environment)| (name, print(&environment.rendered)))
        .collect()
}

/// The phases of a life: their names, and by environment what is rendered.
type Phases = Vec<(String, BTreeMap<String, String>)>;

/// Each life that is kept, by name.
fn lives() -> Vec<(String, Phases)> {
    let lives: Vec<_> = kept(&fixtures())
        .into_iter()
        .map(|life| {
            let points = life.points.into_iter();
            let rendered = points.map(|(name, repo)| (name, rendered(&repo, &life.at)));
            (life.name, rendered.collect())
        })
        .collect();
    assert!(lives.len() >= 12, "{}", lives.len());
    lives
}

#[test]
#[expect(clippy::print_stderr, reason = "says how much was compared")]
fn every_object_of_every_phase_is_admitted() {
    let Some(server) = ApiServer::find() else { return };
    let mut names = Vec::new();
    let mut changes = Vec::new();
    let lives = lives();
    for (life, points) in &lives {
        for pair in points.windows(2) {
            for (one, other) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                for (environment, before) in &one.1 {
                    names.push(format!("{life} {environment}: {} to {}", one.0, other.0));
                    changes.push(Change {
                        before: before.clone(),
                        after: other.1[environment].clone(),
                    });
                }
            }
        }
    }
    let mut refused = Vec::new();
    let mut unknown = Vec::new();
    let mut judged = 0;
    for (name, verdict) in names.iter().zip(server.judge(&changes)) {
        judged += verdict.judged;
        refused.extend(verdict.refused.iter().map(|refused| format!("{name}: {refused}")));
        unknown.extend(verdict.unknown);
    }
    refused.sort();
    assert!(refused.is_empty(), "{refused:#?}");
    unknown.sort();
    unknown.dedup();
    assert_eq!(unknown, UNKNOWN);
    eprintln!(
        "{} changes of {} lives, {judged} objects",
        changes.len(),
        lives.len()
    );
    assert!(judged > 2_000, "{judged}");
}

/// One of each kind of mistake, and what is said of it: the comparison itself.
#[test]
fn what_the_api_server_refuses_is_seen() {
    let Some(server) = ApiServer::find() else { return };
    let deployment = |selector: &str, field: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: {selector}}}}}\n  \
             template:\n    metadata: {{labels: {{app: {selector}}}}}\n    spec: {{containers: [{{name: web, image: web:1{field}}}]}}\n"
        )
    };
    let route = |rule: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: web}}\nspec: {{rules: [{{{rule}}}]}}\n"
        )
    };
    let rollout = |selector: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: web}}\n\
             spec: {{selector: {{matchLabels: {{app: {selector}}}}}, template: {{metadata: {{labels: {{app: {selector}}}}}, \
             spec: {{containers: [{{name: web, image: web, resources: {{}}}}]}}}}}}\n"
        )
    };
    let rows: &[(&str, String, String, &str)] = &[
        ("fine", deployment("web", ""), deployment("web", ""), ""),
        ("unknown field", String::new(), deployment("web", ", imagePullPolcy: Always"), "imagePullPolcy"),
        ("wrong type", String::new(), deployment("web", ", ports: [{containerPort: eighty}]"), "containerPort"),
        ("out of range", String::new(), deployment("web", ", ports: [{containerPort: 80000}]"), "between 1 and 65535"),
        ("twice in a mapping", String::new(), "kind: Service\nkind: Service\n".to_owned(), "already set in map"),
        ("an immutable field", deployment("web", ""), deployment("other", ""), "field is immutable"),
        ("a Service without ports", String::new(),
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}}\n".to_owned(), "spec.ports"),
        ("a name that is none", String::new(), deployment("web", "").replace("name: web}\nspec", "name: web_1}\nspec"), "RFC 1123"),
        ("a version that is not served", String::new(), deployment("web", "").replace("apps/v1", "apps/v1beta1"), "unknown"),
        ("structural: unknown field", String::new(), route("backendRefs: [{name: b, port: 80, wieght: 1}]"),
            "unknown fields spec.rules[0].backendRefs[0].wieght"),
        ("structural: out of range", String::new(), route("backendRefs: [{name: b, port: 80, weight: -1}]"),
            "should be greater than or equal to 0"),
        ("CEL", String::new(), route("backendRefs: [{name: b}]"), "Must have port for Service reference"),
        ("CEL: of a definition without it, nothing", String::new(), route("backendRefs: [{name: b, port: 80}]"), ""),
        ("CEL: transition", rollout("web"), rollout("other"), ".spec.selector is immutable"),
        ("CEL: no transition", rollout("web"), rollout("web"), ""),
        ("not structural", String::new(),
            "apiVersion: appmesh.k8s.aws/v1beta1\nkind: VirtualService\nmetadata: {name: a}\nspec: {routes: 3}\n".to_owned(),
            "spec.routes"),
    ];
    let changes: Vec<Change> = rows
        .iter()
        .map(|(_, before, after, _)| Change {
            before: before.clone(),
            after: after.clone(),
        })
        .collect();
    for ((name, .., says), verdict) in rows.iter().zip(server.judge(&changes)) {
        let Verdict {
            judged,
            unknown,
            refused,
        } = verdict;
        match *says {
            "" => assert!(refused.is_empty() && judged == 1, "{name}: {refused:?}"),
            "unknown" => assert_eq!((judged, unknown.len()), (0, 1), "{name}: {refused:?}"),
            says => assert!(
                refused.iter().any(|refused| refused.contains(says)),
                "{name}: {refused:?}"
            ),
        }
    }
}

/// Rollouts, with the Services and routes that they name, are what the controller of Argo Rollouts takes.
#[test]
fn every_rollout_of_every_phase_passes_the_linter() {
    let Some(linter) = Linter::find() else { return };
    let mut names = Vec::new();
    let mut streams = Vec::new();
    for (life, points) in lives() {
        for (point, environments) in points {
            for (environment, stream) in environments {
                if stream.contains("\nkind: Rollout\n") {
                    names.push(format!("{life} {environment}: {point}"));
                    streams.push(stream);
                }
            }
        }
    }
    for (name, verdict) in names.iter().zip(linter.lint(&streams)) {
        assert!(
            verdict.rollouts > 0 && verdict.refused.is_empty(),
            "{name}: {verdict:#?}"
        );
    }
}

/// The linter itself: one of each kind of mistake.
#[test]
fn what_the_linter_of_rollouts_refuses_is_seen() {
    let Some(linter) = Linter::find() else { return };
    let rollout = |steps: &str, routing: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: web, namespace: shop}}\nspec:\n  \
             selector: {{matchLabels: {{app: web}}}}\n  \
             template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: web, image: web}}]}}}}\n  \
             strategy: {{canary: {{{routing} steps: [{steps}]}}}}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: web-canary}}\nspec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}\n\
             ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: web, namespace: shop}}\n\
             spec: {{hosts: [web], http: [{{name: primary, route: [{{destination: {{host: web}}, weight: 100}}, \
             {{destination: {{host: web-canary}}, weight: 0}}]}}]}}\n"
        )
    };
    let routed = "canaryService: web-canary, stableService: web, \
         trafficRouting: {istio: {virtualService: {name: web, routes: [primary]}}},";
    let referring = |to: &str, labels: &str| {
        let own = "selector: {matchLabels: {app: web}}\n  \
             template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}";
        let reference = format!("workloadRef: {{apiVersion: apps/v1, kind: Deployment, name: {to}}}");
        format!(
            "{}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{selector: {{matchLabels: {{app: {labels}}}}}, \
             template: {{metadata: {{labels: {{app: {labels}}}}}, spec: {{containers: [{{name: web, image: web}}]}}}}}}\n",
            rollout("{setWeight: 10}, {pause: {}}", routed).replace(own, &reference)
        )
    };
    let rows = [
        ("fine", rollout("{setWeight: 10}, {pause: {}}", routed), ""),
        (
            "fine, without routes",
            rollout("{setWeight: 10}, {pause: {duration: 10m}}", ""),
            "",
        ),
        (
            "a share beyond all",
            rollout("{setWeight: 101}", routed),
            "SetWeight needs to be between 0 and 100",
        ),
        (
            "a step that is none",
            rollout("{setWieght: 10}", routed),
            "unknown field \"setWieght\"",
        ),
        (
            "two things in a step",
            rollout("{setWeight: 10, pause: {}}", routed),
            "Step must have one of the following set",
        ),
        (
            "one Service for both",
            rollout("", &routed.replace("web-canary", "web")),
            "uses the same service",
        ),
        (
            "a route that is not there",
            rollout("", &routed.replace("primary", "other")),
            "HTTP Route 'other' is not found",
        ),
        (
            "a route that names another Service",
            rollout("", routed).replace("host: web-canary", "host: web-other"),
            "Canary Service",
        ),
        (
            "a selector of other pods",
            rollout("", routed).replace("matchLabels: {app: web}", "matchLabels: {app: other}"),
            "`selector` does not match template `labels`",
        ),
        (
            "a Service that is not there",
            rollout("", routed).replace("metadata: {name: web-canary}", "metadata: {name: web-other}"),
            "no Service web-canary",
        ),
        (
            "fine, with the template of a Deployment",
            referring("web", "web"),
            "",
        ),
        (
            "a Deployment that is not there",
            referring("other", "web"),
            "no Deployment other",
        ),
        (
            "a Deployment with other pods",
            referring("web", "other"),
            "unmatch label",
        ),
    ];
    let streams: Vec<String> = rows.iter().map(|(_, stream, _)| stream.clone()).collect();
    for ((name, _, says), verdict) in rows.iter().zip(linter.lint(&streams)) {
        let refused = &verdict.refused;
        match *says {
            "" => assert!(refused.is_empty() && verdict.rollouts == 1, "{name}: {refused:?}"),
            says => assert!(
                refused.iter().any(|refused| refused.contains(says)),
                "{name}: {refused:?}"
            ),
        }
    }
}
