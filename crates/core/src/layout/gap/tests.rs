use serde_json::json;

use super::*;
use crate::repo::MemoryRepo;
use crate::schema::file::fixture::{refused, repo, told};

pub(super) const SPEC: &str = "\
#- gap/gap.yaml
name: orders
namespace: checkout
useServiceMesh: true
image: {repository: group/orders, tag: 5b1f0c7e}
deployments:
  web:
    ingress: {enabled: true}
  worker:
";

fn loaded(repo: &MemoryRepo) -> Result<Application, Vec<Diagnostic>> {
    let config = Config::load(repo, &RepoPath::root()).map_err(refused)?;
    crate::layout::load(repo, &RepoPath::root(), &config).map_err(refused)
}

pub(super) fn application(files: &str) -> Application {
    let repo = repo(&format!("{SPEC}{files}"));
    loaded(&repo).unwrap_or_else(|problems| panic!("{}", told(&repo, &problems)))
}

/// What is told about a repository: all problems where it cannot be loaded, else all notices.
#[track_caller]
pub(super) fn check_repo(text: &str, expected: &str) {
    let repo = repo(text);
    let found = loaded(&repo)
        .map(|application| application.notices)
        .unwrap_or_else(|problems| problems);
    assert_eq!(told(&repo, &found), expected);
}

/// The same for some files beside the spec.
#[track_caller]
pub(super) fn check(files: &str, expected: &str) {
    check_repo(&format!("{SPEC}{files}"), expected);
}

pub(super) fn deployment_patch(body: &str) -> String {
    format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: orders-web}}\n{body}")
}

pub(super) fn replicas(application: &Application, environment: &str) -> Option<i64> {
    let deployment = application.deployed(environment, "web", "apps", "Deployment")?;
    deployment.value.pointer("/spec/replicas")?.as_i64()
}

#[test]
fn an_application_has_everything_later_stages_need() {
    let release = "#- gap/tidegate.yaml
apiVersion: tidegate.dev/v1
releases:
  - workload: web
    stable: {image: {tag: 5b1f0c7e}}
";
    let rule = "#- gap/gap_canary_destination_rule.yaml
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: orders--web}
#- gap/staging/gap_patch_canary_service.yaml
apiVersion: v1
kind: Service
metadata: {name: orders-web}
spec: {selector: {app: , canary: enabled}}
#- gap/notes.txt
not read
";
    let application = application(&format!("{release}{rule}"));
    assert_eq!(
        (application.name.as_str(), application.namespace.as_str()),
        ("orders", "checkout")
    );
    assert_eq!(
        application.workloads.keys().collect::<Vec<_>>(),
        ["web", "worker"]
    );
    let web = &application.workloads["web"];
    let image = web.image.as_ref().unwrap();
    assert!(web.is_exposed && !application.workloads["worker"].is_exposed);
    assert_eq!(image.tag.as_deref(), Some("5b1f0c7e"));
    assert_eq!(image.origin.pointer().unwrap().as_str(), "/image/tag");
    assert_eq!(
        application.environments.keys().collect::<Vec<_>>(),
        ["staging", "production"]
    );
    assert_eq!(application.releases[0].workload, "web");
    let files: Vec<&str> = application.files.keys().map(RepoPath::as_str).collect();
    let rule = "gap/gap_canary_destination_rule.yaml";
    let patch = "gap/staging/gap_patch_canary_service.yaml";
    assert_eq!(files, ["gap/gap.yaml", rule, patch, "gap/tidegate.yaml"]);
    assert_eq!(
        application.owned.iter().map(RepoPath::as_str).collect::<Vec<_>>(),
        [rule, patch]
    );
    let selector = |environment: &str| {
        let service = application.deployed(environment, "web", "", "Service").unwrap();
        service.value.pointer("/spec/selector").unwrap().clone()
    };
    assert_eq!(selector("staging"), json!({"canary": "enabled"}));
    assert_eq!(selector("production"), json!({"app": "orders-web"}));
    assert_eq!(application.environments["production"].patches.len(), 0);
    let rule = application.environments["production"].rendered.find(
        "networking.istio.io",
        "DestinationRule",
        "orders--web",
    );
    assert_eq!(rule.unwrap().object.namespace.as_deref(), Some("checkout"));
}

#[test]
fn problems_of_all_files_are_reported_at_once() {
    check_repo(
        "#- gap/gap.yaml\nname: a\nname: b\n#- gap/gap_patch_x.yaml\nkind: Service\n#- gap/gap_y.yaml\n[a, b]\n#- gap/tidegate.yaml\nreleases: []\n",
        "error invalid-yaml gap/gap.yaml:2:1: key `name` is already there at line 1, column 1\n  \
         gap/gap.yaml:1:1: the other one\n  keep one of the two\n\
         error invalid-value gap/gap_patch_x.yaml:1:1: `apiVersion` is missing\n  \
         every document names its object by apiVersion, kind and metadata.name\n\
         error wrong-type gap/gap_y.yaml:1:1: the document is a list, not a Kubernetes object\n\
         error invalid-value gap/tidegate.yaml:1:1: the key `apiVersion` is missing\n",
    );
}

#[test]
fn a_spec_of_an_environment_is_ignored_merged_or_refused() {
    let over = "#- gap/staging/gap.yaml\nimage: {tag: other}\ndeployments: {worker: {command: [a]}}\n";
    let place = "environment-spec gap/staging/gap.yaml: a spec in an environment's folder is not known to the platform";
    let hint =
        "  move what differs into patches, or set `layout: {env_gap_yaml: merge}` in .tidegate/config.yaml\n";
    let config = |value: &str| format!("{over}#- .tidegate/config.yaml\nlayout: {{env_gap_yaml: {value}}}\n");
    check(over, &format!("warning {place} and has no effect\n{hint}"));
    check(&config("error"), &format!("error {place}\n{hint}"));
    check(&config("merge"), "");
    let application = application(&config("merge"));
    let container = |environment: &str, workload: &str, key: &str| {
        let deployment = application
            .deployed(environment, workload, "apps", "Deployment")
            .unwrap();
        deployment
            .value
            .pointer(&format!("/spec/template/spec/containers/0/{key}"))
            .cloned()
    };
    assert_eq!(
        container("staging", "web", "image"),
        Some(json!("europe-west3-docker.pkg.dev/group/orders:other"))
    );
    assert_eq!(container("staging", "worker", "command"), Some(json!(["a"])));
    assert_eq!(
        container("production", "web", "image"),
        Some(json!("europe-west3-docker.pkg.dev/group/orders:5b1f0c7e"))
    );
    assert_eq!(container("production", "worker", "command"), None);
}

#[test]
fn a_merged_spec_shows_places_in_its_own_file() {
    check(
        "#- gap/staging/gap.yaml\nuseServiceMesh: 1\nnames: x\n#- .tidegate/config.yaml\nlayout: {env_gap_yaml: merge}\n",
        "error wrong-type gap/staging/gap.yaml:1:17: `useServiceMesh` is a number, not a boolean\n  \
         write `useServiceMesh: true` or `useServiceMesh: false`\n\
         warning unknown-key gap/staging/gap.yaml:2:1: the key `names` is not known and passed over\n  did you mean `name`?\n",
    );
}

#[test]
fn a_patch_whose_target_is_not_there_is_an_error() {
    check(
        &format!(
            "#- gap/gap_patch_a.yaml\n{}",
            deployment_patch("").replace("orders-web", "orders-wbe")
        ),
        "error patch-without-target gap/gap_patch_a.yaml:3:18: there is no Deployment/orders-wbe to patch\n  \
         did you mean `orders-web`?\n",
    );
    check(
        "#- gap/staging/gap_patch_a.yaml\napiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata: {name: relational-data-access--web}\n",
        "error patch-without-target gap/staging/gap_patch_a.yaml:3:18: there is no VirtualService/relational-data-access--web to patch\n  \
         objects of the kind VirtualService: orders--web\n",
    );
    check(
        "#- gap/gap_patch_a.yaml\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: orders--web}\n",
        "error patch-without-target gap/gap_patch_a.yaml:1:13: there is no VirtualService/orders--web in networking.istio.io/v1\n  \
         write `apiVersion: networking.istio.io/v1beta1`\n",
    );
    check(
        "#- gap/gap_patch_a.yaml\napiVersion: v1\nkind: Servcie\nmetadata: {name: orders-web}\n",
        "error patch-without-target gap/gap_patch_a.yaml:2:7: there is no Servcie/orders-web to patch\n  \
         did you mean the kind `Service`?\n",
    );
    check(
        "#- gap/gap_patch_a.yaml\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x}\n",
        "error patch-without-target gap/gap_patch_a.yaml:2:7: there is no PodDisruptionBudget/x to patch\n  \
         no object of the kind PodDisruptionBudget is rendered here\n",
    );
    // There in one environment, patched in both.
    check(
        "#- gap/staging/gap_a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n#- gap/gap_patch_a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        "error patch-without-target gap/gap_patch_a.yaml:2:7: there is no ConfigMap/a to patch, in production\n  \
         no object of the kind ConfigMap is rendered here\n",
    );
}

#[test]
fn a_patch_in_another_namespace_is_an_error() {
    let patch = |namespace: &str| {
        format!(
            "#- gap/gap_patch_a.yaml\napiVersion: v1\nkind: Service\nmetadata: {{name: orders-web, namespace: {namespace}}}\n"
        )
    };
    check(&patch("checkout"), "");
    check(
        &patch("other"),
        "error patch-without-target gap/gap_patch_a.yaml:3:41: there is no Service/orders-web in the namespace `other`\n  \
         take the key `namespace` out: it is the application's by itself\n",
    );
    let exact = "#- .tidegate/config.yaml\npatch: {namespace_match: exact}\n";
    check(
        &format!("{}{exact}", patch("checkout")),
        "error patch-without-target gap/gap_patch_a.yaml:3:41: the patch of Service/orders-web says `checkout`, \
         its target no namespace\n  write the same in both\n",
    );
}

#[test]
fn a_service_patch_in_apps_v1_is_taken_as_v1() {
    let patch = "#- gap/gap_patch_a.yaml\napiVersion: apps/v1\nkind: Service\nmetadata: {name: orders-web}\nspec: {sessionAffinity: ClientIP}\n";
    check(
        patch,
        "warning api-version-alias gap/gap_patch_a.yaml:1:13: a Service is in `v1`, not in `apps/v1`: taken as meant\n  \
         write `apiVersion: v1`\n",
    );
    let application = application(patch);
    let service = application.deployed("staging", "web", "", "Service").unwrap();
    assert_eq!(
        (service.text("/apiVersion"), service.text("/spec/sessionAffinity")),
        (Some("v1"), Some("ClientIP"))
    );
    check(
        &format!("{patch}#- .tidegate/config.yaml\npatch: {{api_version_aliases: []}}\n"),
        "error patch-without-target gap/gap_patch_a.yaml:1:13: there is no Service/orders-web in apps/v1\n  \
         write `apiVersion: v1`\n",
    );
}

#[test]
fn an_object_that_is_there_twice_is_an_error() {
    check(
        "#- gap/gap_service.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  name: orders-web\n",
        "error duplicate-object gap/gap_service.yaml:4:9: there is another Service/orders-web\n  \
         gap/gap.yaml:6:3: the other one is generated for this\n  \
         to change the other one, keep only what differs and name the file `gap_patch_service.yaml`\n",
    );
    let config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    check(
        &format!("#- gap/gap_a.yaml\n{config_map}#- gap/production/gap_b.yaml\n{config_map}"),
        "error duplicate-object gap/production/gap_b.yaml:3:18: there is another ConfigMap/a\n  \
         gap/gap_a.yaml:3:18: the other one\n  \
         to change the other one, keep only what differs and name the file `gap_patch_b.yaml`\n",
    );
    check(
        &format!("#- gap/staging/gap_a.yaml\n{config_map}#- gap/production/gap_b.yaml\n{config_map}"),
        "",
    );
}

#[test]
fn an_application_may_stay_out_of_production() {
    let text = SPEC.replace("useServiceMesh", "isProduction: false\nuseServiceMesh");
    let application = loaded(&repo(&text)).unwrap();
    assert_eq!(application.environments.keys().collect::<Vec<_>>(), ["staging"]);
}

#[test]
fn workloads_that_share_a_host_are_reported() {
    let text = SPEC.replace("worker:", "api: {ingress: {enabled: true}}");
    let told = |environment: &str| {
        format!(
            "warning invalid-value gap/gap.yaml:8:18: the deployments `web` and `api` have the same host, {environment}\n  \
             switch one ingress off, or give the environments `hosts` with `{{{{ deployment }}}}` in .tidegate/config.yaml\n"
        )
    };
    let expected = told("orders-staging.gservice.emarsys.com") + &told("orders.gservice.emarsys.net");
    check_repo(&text, &expected);
}

#[test]
fn an_application_may_stand_below_the_root() {
    let text = format!(
        "{}#- .tidegate/config.yaml\nrender: {{registry_host: \"\"}}\n",
        SPEC.replace("gap/", "services/orders/gap/")
    );
    let repo = repo(&text);
    let config = Config::load(&repo, &RepoPath::root()).unwrap();
    let application =
        crate::layout::load(&repo, &RepoPath::new("services/orders").unwrap(), &config).unwrap();
    let deployment = application
        .deployed("staging", "web", "apps", "Deployment")
        .unwrap();
    assert_eq!(
        deployment.text("/spec/template/spec/containers/0/image"),
        Some("group/orders:5b1f0c7e")
    );
    assert_eq!(application.at.as_str(), "services/orders");
}

/// A line of the spec becomes objects in every environment, and a shared object is held once for each.
#[test]
fn what_all_environments_hold_together_is_bounded() {
    let too_much = "error limit-reached gap/gap.yaml:1:1: all environments of one application may hold 1000000 values \
                    together\n  take away what the application does not need\n";
    let workloads: String = (0..6000).map(|number| format!("  w{number}: {{}}\n")).collect();
    let text = SPEC.replace("  worker:", &format!("{workloads}  worker:"));
    check_repo(&text, too_much);
    let environments: String = (0..300)
        .map(|number| format!("  e{number}: {{hosts: [x.example.com]}}\n"))
        .collect();
    let values = vec!["1"; 5000].join(", ");
    check(
        &format!(
            "#- .tidegate/config.yaml\nenvironments:\n{environments}#- gap/gap_x.yaml\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: [{values}]\n"
        ),
        too_much,
    );
}
