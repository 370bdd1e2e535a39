//! The config management plugin, run as `argocd-cmp-server` runs it: without a shell, in the Application's folder of a copy of
//! the repository, with the documented variables and no others.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cases::cases;
use crate::repository::{Ended, Repository, fixtures};

const REVISION: &str = "5f2b9a7c1e4d8063b7a9c0d1e2f3a4b5c6d7e8f9";

/// A copy of a repository as Argo CD sends it: in a folder with a random name.
struct Copy {
    work: TempDir,
}

impl Copy {
    /// Everything of a fixture's repository; `.git` is not sent.
    fn of(fixture: &str) -> Self {
        let copy = Self {
            work: TempDir::new().expect("a temporary folder"),
        };
        let repository = Repository::without_git(fixture);
        std::fs::rename(repository.path(), copy.root()).expect("a copy");
        copy
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let copy = Self {
            work: TempDir::new().expect("a temporary folder"),
        };
        std::fs::create_dir(copy.root()).expect("a folder");
        files.iter().for_each(|(file, text)| copy.write(file, text));
        copy
    }

    fn root(&self) -> PathBuf {
        self.work.path().join("8a2b51c0")
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.root().join(file);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// The command as it is run for an Application whose source path is a folder of the copy.
    fn command(&self, source: &str, args: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = plugin(&self.root().join(source));
        command
            .args(args)
            .env("ARGOCD_APP_SOURCE_PATH", source)
            .envs(variables.iter().copied());
        command
    }

    #[must_use]
    fn run(&self, source: &str, args: &[&str], variables: &[(&str, &str)]) -> Ended {
        Ended::of(&mut self.command(source, args, variables))
    }

    #[must_use]
    fn generate(&self, source: &str, environment: &str) -> Ended {
        self.run(
            source,
            &["generate"],
            &[("ARGOCD_APP_PARAMETERS", &parameter(environment))],
        )
    }
}

/// `tidegate cmp` in a folder, with the variables of every Application.
fn plugin(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command
        .arg("cmp")
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_clear()
        .envs([
            ("PATH", "/nowhere"),
            ("ARGOCD_APP_NAME", "orders-production"),
            ("ARGOCD_APP_NAMESPACE", "elsewhere"),
            ("ARGOCD_APP_PROJECT_NAME", "default"),
            ("ARGOCD_APP_REVISION", REVISION),
            ("ARGOCD_APP_REVISION_SHORT", &REVISION[..7]),
            ("ARGOCD_APP_REVISION_SHORT_8", &REVISION[..8]),
            ("ARGOCD_APP_SOURCE_REPO_URL", "https://example.com/orders.git"),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", "main"),
            ("KUBE_VERSION", "1.33.1"),
            (
                "KUBE_API_VERSIONS",
                "v1,apps/v1,networking.istio.io/v1beta1/VirtualService",
            ),
        ]);
    command
}

fn parameter(environment: &str) -> String {
    json!([{"name": "environment", "string": environment}]).to_string()
}

/// An application in a fixture's repository.
pub(crate) struct Application {
    pub(crate) fixture: String,
    /// Its folder, from the root.
    pub(crate) source: String,
    pub(crate) environments: Vec<&'static str>,
}

/// Every application of the fixtures that can be rendered, in every layout.
pub(crate) fn applications() -> Vec<Application> {
    let mut found = applications_of("quickstart");
    for group in std::fs::read_dir(fixtures()).expect("fixtures") {
        let group = group.expect("an entry").path();
        let is_other = ["hostile", "invalid", "quickstart"]
            .iter()
            .any(|name| group.ends_with(name));
        if !group.is_dir() || is_other {
            continue;
        }
        for fixture in std::fs::read_dir(&group).expect("fixtures") {
            let fixture = fixture.expect("an entry").path();
            if fixture.join("repo").is_dir() {
                let name = fixture
                    .strip_prefix(fixtures())
                    .expect("below")
                    .to_str()
                    .expect("UTF-8");
                found.extend(applications_of(name));
            }
        }
    }
    found.sort_by(|one, other| (&one.fixture, &one.source).cmp(&(&other.fixture, &other.source)));
    assert!(found.len() >= 9, "{}", found.len());
    found
}

fn applications_of(fixture: &str) -> Vec<Application> {
    let tree = Repository::without_git(fixture).tree();
    let application = |source: &str, environments: &[&'static str]| Application {
        fixture: fixture.to_owned(),
        source: if source.is_empty() { "." } else { source }.to_owned(),
        environments: environments.to_vec(),
    };
    let folder = |file: &str| file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let specs = tree
        .keys()
        .filter(|file| format!("/{file}").ends_with("/gap/gap.yaml"));
    let with_spec: Vec<Application> = specs
        .map(|spec| application(&folder(&folder(spec)), &["staging", "production"]))
        .collect();
    if !with_spec.is_empty() {
        return with_spec;
    }
    let overlay = tree
        .keys()
        .find_map(|file| file.strip_suffix("overlays/production/kustomization.yaml"));
    if let Some(at) = overlay {
        return vec![application(at.trim_end_matches('/'), &["staging", "production"])];
    }
    // Plain manifests: the folder with the Deployments, or the one above where there is a folder for each environment.
    let is_workload = |content: &[u8]| String::from_utf8_lossy(content).contains("kind: Deployment");
    let (file, _) = tree
        .iter()
        .find(|(_, content)| is_workload(content))
        .expect("a Deployment");
    let at = folder(file);
    match at.strip_suffix("production") {
        Some(above) => vec![application(
            above.trim_end_matches('/'),
            &["staging", "production"],
        )],
        None => vec![application(&at, &["all"])],
    }
}

/// The folder of the first application of a fixture.
fn first_source(fixture: &str) -> String {
    applications_of(fixture).remove(0).source
}

#[test]
fn generate_prints_what_render_prints_and_nothing_of_where_it_ran() {
    for application in applications() {
        let Application { fixture, source, .. } = &application;
        let copy = Copy::of(fixture);
        let repository = Repository::of(fixture);
        for environment in &application.environments {
            let rendered = repository
                .run(&["-C", source, "render", "--env", environment])
                .expect(0);
            let ended = copy.generate(source, environment).expect(0);
            assert!(!ended.stdout.is_empty());
            assert_eq!(ended.stdout, rendered.stdout, "{fixture} {source} {environment}");
            let random = copy.work.path().to_str().expect("UTF-8");
            for said in [random, REVISION, &REVISION[..7], "elsewhere"] {
                let printed = format!("{}{}", ended.stdout, ended.stderr);
                assert!(!printed.contains(said), "{said} in\n{printed}");
            }
        }
    }
}

/// Plain manifests for everywhere have one environment, which nobody need name; with a folder for each, somebody must.
#[test]
fn plain_manifests_need_an_environment_where_they_have_several() {
    let copy = Copy::of("smi/books");
    let expected = copy.generate(".", "all").expect(0).stdout;
    assert_eq!(copy.run(".", &["generate"], &[]).expect(0).stdout, expected);
    let copy = Copy::of("istio-hosts/bookinfo");
    let says = "parameter `environment` to one of: staging, production";
    let _ = copy.run(".", &["generate"], &[]).expect(1).says(says);
    // They are Argo CD's own unless the plugin is named.
    assert_eq!(copy.run(".", &["discover"], &[]).expect(0).stdout, "");
}

/// `reposerver.plugin.use.manifest.generate.paths` sends a folder below the root alone, down to the application's own.
#[test]
fn less_than_the_repository_is_enough_where_nothing_is_missing() {
    let source = "teams/checkout/orders";
    let nested = |below: &str| {
        let copy = Copy::with(&[]);
        // Without the `.` of the root itself.
        let folder: PathBuf = copy.root().join(below).components().collect();
        std::fs::create_dir_all(folder.parent().expect("below a folder")).expect("a folder");
        let _ = std::fs::remove_dir(&folder);
        std::fs::rename(Repository::without_git("istio/my-service").path(), folder).expect("moved");
        copy
    };
    let staging = [("ARGOCD_ENV_ENVIRONMENT", "staging")];
    let whole = nested(source).run(source, &["generate"], &staging).expect(0);
    assert!(!whole.stderr.contains("not-sent"), "{}", whole.stderr);
    for sent in ["checkout/orders", "orders", "."] {
        let copy = nested(sent);
        let mut command = copy.command(sent, &["generate"], &staging);
        let ended = Ended::of(command.env("ARGOCD_APP_SOURCE_PATH", source)).expect(0);
        assert_eq!(ended.stdout, whole.stdout, "{sent}");
        // Settings at the root may be among what was not sent; nobody here can tell.
        assert!(
            ended
                .stderr
                .contains("warning[not-sent]: only a part of the repository"),
            "{}",
            ended.stderr
        );
    }
}

/// What the files are is said as everywhere else, only shorter.
#[test]
fn what_render_refuses_is_refused_in_a_few_plain_lines() {
    let mut count = 0;
    for (fixture, case) in cases("invalid") {
        for environment in ["staging", "production"] {
            let copy = Copy::of(&fixture);
            let repository = Repository::of(&fixture);
            let rendered = repository.run(&["render", "--env", environment]);
            let variables = [("ARGOCD_ENV_ENVIRONMENT", environment)];
            let ended = copy.run(".", &["generate"], &variables);
            assert_eq!(ended.code, rendered.code, "{fixture}: {}", ended.stderr);
            assert_eq!(ended.stdout, rendered.stdout, "{fixture}");
            if ended.code == Some(0) {
                continue;
            }
            count += 1;
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{fixture}");
            assert!(ended.stderr.lines().count() <= 11, "{fixture}: {}", ended.stderr);
            let first = ended.stderr.lines().next().expect("a line");
            if let (Some(at), true) = (&case.at, case.args.iter().any(|arg| arg == "render")) {
                assert!(first.starts_with(&format!("{at}: error[")), "{fixture}: {first}");
            }
        }
    }
    assert!(count >= 20, "{count}");
}

#[test]
fn the_environment_is_asked_for_or_refused_with_a_list() {
    let copy = Copy::of("istio/orders");
    let of = |variables: &[(&str, &str)]| copy.run(".", &["generate"], variables);
    let staging = copy.generate(".", "staging").expect(0).stdout;
    let production = copy.generate(".", "production").expect(0).stdout;
    assert_ne!(staging, production);
    let in_variable = ("ARGOCD_ENV_ENVIRONMENT", "staging");
    for none in ["", "null", "[]"] {
        let ended = of(&[("ARGOCD_APP_PARAMETERS", none), in_variable]).expect(0);
        assert_eq!(ended.stdout, staging, "{none:?}");
    }
    let both = of(&[("ARGOCD_APP_PARAMETERS", &parameter("production")), in_variable]);
    assert_eq!(both.expect(0).stdout, production);
    let unsaid = of(&[]).expect(1);
    assert_eq!(
        (unsaid.stdout.as_str(), unsaid.stderr.as_str()),
        (
            "",
            "error[unknown-name]: the Application does not say which environment to render \
             (set the plugin's parameter `environment` to one of: staging, production)\n"
        )
    );
    let unknown = of(&[("ARGOCD_APP_PARAMETERS", &parameter("prodcution"))]).expect(1);
    assert_eq!(
        unknown.stderr,
        "error[unknown-name]: there is no environment `prodcution` (did you mean `production`?)\n"
    );
}

/// The last resort, so that an ApplicationSet need not say what its names say already.
#[test]
fn a_rule_of_the_configuration_knows_the_environment_by_the_applications_name() {
    let copy = Copy::of("istio/my-service");
    let production = copy.generate(".", "production").expect(0).stdout;
    let staging = copy.generate(".", "staging").expect(0).stdout;
    copy.write(
        ".tidegate/config.yaml",
        "argocd: {environments: {\"*-production\": production, \"*\": staging}}\n",
    );
    let of = |variables: &[(&str, &str)]| copy.run(".", &["generate"], variables).expect(0).stdout;
    assert_eq!(of(&[]), production);
    assert_eq!(of(&[("ARGOCD_APP_NAME", "team-production_orders")]), staging);
    assert_eq!(of(&[("ARGOCD_ENV_ENVIRONMENT", "staging")]), staging);
    let announced = copy.run(".", &["parameters"], &[]).expect(0).stdout;
    assert!(announced.contains(r#""string":"production""#), "{announced}");
}

#[test]
fn the_path_names_a_folder_below_and_nothing_else() {
    let copy = Copy::of("istio/monorepo");
    let source = &first_source("istio/monorepo");
    let expected = copy.generate(source, "staging").expect(0).stdout;
    let of = |path: &str, source: &str| {
        let parameters =
            json!([{"name": "environment", "string": "staging"}, {"name": "path", "string": path}]);
        copy.run(
            source,
            &["generate"],
            &[("ARGOCD_APP_PARAMETERS", &parameters.to_string())],
        )
    };
    assert_eq!(of(source, ".").expect(0).stdout, expected);
    assert_eq!(of(&format!("{source}/gap"), ".").expect(0).stdout, expected);
    // Neither the only application below nor the one above: that would be another one than was named.
    for (path, from) in [("", "."), ("gap/staging", source.as_str())] {
        let ended = of(path, from).expect(1).says("error[no-application]");
        assert!(ended.stdout.is_empty() && ended.stderr.contains("manifest-generate-paths"));
    }
    let _ = of("../..", source).expect(1).says("error[outside-repository]");
}

#[test]
fn nothing_above_the_copy_takes_part() {
    let copy = Copy::of("istio/orders");
    let expected = copy.generate(".", "staging").expect(0).stdout;
    let above = copy.work.path().join(".tidegate");
    std::fs::create_dir(&above).expect("a folder");
    std::fs::write(above.join("config.yaml"), "environments: {other: {}}\n").expect("a file");
    assert_eq!(copy.generate(".", "staging").expect(0).stdout, expected);
}

#[test]
fn nothing_to_deploy_is_an_error_unless_the_administrator_says_otherwise() {
    let copy = Copy::of("istio/orders");
    let spec = copy.root().join("gap/gap.yaml");
    let text = std::fs::read_to_string(&spec).expect("a spec");
    std::fs::write(&spec, format!("isProduction: false\n{text}")).expect("a spec");
    let production = [("ARGOCD_ENV_ENVIRONMENT", "production")];
    let refused = copy.run(".", &["generate"], &production).expect(1);
    let line = "gap/gap.yaml:1:15: error[nothing-rendered]: `isProduction: false` keeps the application out of `production`";
    assert!(
        refused.stdout.is_empty() && refused.stderr.starts_with(line),
        "{}",
        refused.stderr
    );
    let allowed = copy
        .run(".", &["generate", "--allow-empty"], &production)
        .expect(0);
    assert_eq!(allowed.stdout, "");

    // Every object is deleted by a patch of its own.
    let copy = Copy::of("istio/orders");
    let rendered = copy.generate(".", "staging").expect(0).stdout;
    let stream = tidegate_yaml::Stream::parse(rendered).expect("YAML");
    let deletions: Vec<Value> = stream
        .documents()
        .iter()
        .map(|document| delete(document.value()))
        .collect();
    copy.write(
        "gap/staging/gap_patch_zzz.yaml",
        &tidegate_yaml::print_stream(&deletions),
    );
    let staging = [("ARGOCD_ENV_ENVIRONMENT", "staging")];
    let refused = copy
        .run(".", &["generate"], &staging)
        .expect(1)
        .says("error[nothing-rendered]");
    assert_eq!(refused.stdout, "");
    let allowed = copy.run(".", &["generate", "--allow-empty"], &staging).expect(0);
    assert_eq!(allowed.stdout, "");
}

fn delete(object: &Value) -> Value {
    let of = |pointer: &str| object.pointer(pointer).cloned().expect("a text");
    json!({
        "apiVersion": of("/apiVersion"),
        "kind": of("/kind"),
        "metadata": {"name": of("/metadata/name")},
        "$patch": "delete",
    })
}

#[test]
fn templates_of_the_repository_wait_for_the_administrator() {
    let copy = Copy::of("istio/orders");
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: from-the-repository\n";
    copy.write(".tidegate/templates/gap/service_account.yaml", account);
    let staging = [("ARGOCD_ENV_ENVIRONMENT", "staging")];
    let refused = copy.run(".", &["generate"], &staging).expect(1);
    let line = ".tidegate/templates/gap/service_account.yaml: error[not-allowed]: ";
    assert!(
        refused.stdout.is_empty() && refused.stderr.starts_with(line),
        "{}",
        refused.stderr
    );
    let allowed = copy
        .run(".", &["generate", "--allow-templates"], &staging)
        .expect(0);
    assert!(
        allowed.stdout.contains("from-the-repository"),
        "{}",
        allowed.stdout
    );
}

#[test]
fn parameters_are_announced_with_titles_and_defaults() {
    let copy = Copy::of("istio/orders");
    let announced = |variables: &[(&str, &str)]| -> Value {
        let ended = copy.run(".", &["parameters"], variables).expect(0);
        serde_json::from_str(&ended.stdout).expect("JSON")
    };
    let text = |name: &str, title: &str, tooltip: &str, required: bool, default: &str| {
        json!({"name": name, "title": title, "tooltip": tooltip, "required": required,
            "itemType": "string", "collectionType": "string", "string": default})
    };
    let environment = |required, default| {
        let tooltip = "Which environment to render, one of: staging, production";
        text("environment", "Environment", tooltip, required, default)
    };
    let path = |default| {
        let tooltip = "The folder that holds gap/ or manifests, from the Application's source path";
        text("path", "Path", tooltip, false, default)
    };
    let order = |default| {
        let tooltip = "any, or argocd: releases are rendered only where their files ask for Argo CD's order";
        text("order", "Order", tooltip, false, default)
    };
    assert_eq!(
        announced(&[]),
        json!([environment(true, ""), path("."), order("any")])
    );
    // What the Application has set is not the default; what its variables say is.
    let variables = [
        ("ARGOCD_APP_PARAMETERS", parameter("production")),
        ("ARGOCD_ENV_ENVIRONMENT", "staging".to_owned()),
        ("ARGOCD_ENV_PATH", "services/orders".to_owned()),
        ("ARGOCD_ENV_ORDER", "argocd".to_owned()),
    ];
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(
        announced(&variables),
        json!([
            environment(false, "staging"),
            path("services/orders"),
            order("argocd")
        ])
    );
}

/// Waves are in the files, where they were reviewed: the parameter asks for them and never adds them.
#[test]
fn releases_without_waves_are_not_rendered_where_an_order_is_asked_for() {
    let repository = Repository::of("istio/my-service");
    let _ = repository.run(&["init"]).expect(0);
    let production = ("ARGOCD_ENV_ENVIRONMENT", "production");
    let generate = |order: &str| {
        plugin(&repository.path())
            .args(["generate"])
            .envs([production, ("ARGOCD_ENV_ORDER", order)])
            .output()
            .expect("the plugin")
    };
    let rendered = generate("any");
    assert!(rendered.status.success(), "{rendered:?}");
    let refused = generate("argocd");
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty(), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(
        told.starts_with(
            "gap/tidegate.yaml:6:5: error[not-allowed]: the release of `web` does not ask for Argo CD's order"
        ),
        "{told}"
    );
    let file = repository.read("gap/tidegate.yaml");
    repository.write(
        "gap/tidegate.yaml",
        file.replacen("    provider:", "    order: argocd\n    provider:", 1),
    );
    let asked = generate("argocd");
    assert!(asked.status.success(), "{asked:?}");
    assert_eq!(
        asked.stdout,
        generate("any").stdout,
        "the parameter changes nothing"
    );
}

#[test]
fn discover_matches_what_generate_renders() {
    let copy = Copy::of("istio/monorepo");
    let source = &first_source("istio/monorepo");
    let of = |source: &str, variables: &[(&str, &str)]| {
        copy.run(source, &["discover"], variables).expect(0).stdout
    };
    let spec = format!("{source}/gap/gap.yaml\n");
    assert_eq!(of(source, &[]), spec);
    assert_eq!(of(&format!("{source}/gap"), &[]), spec);
    assert_eq!(of(".", &[]), "", "a folder above is not an application");
    assert_eq!(of(&format!("{source}/gap/staging"), &[]), "", "nor is one below");
    let path = json!([{"name": "path", "string": source}]).to_string();
    assert_eq!(of(".", &[("ARGOCD_APP_PARAMETERS", &path)]), spec);
    // Where several plugins are asked, the parameters may be another's.
    let others = r#"[{"name":"values","array":["a.yaml"]}]"#;
    assert_eq!(of(source, &[("ARGOCD_APP_PARAMETERS", others)]), spec);
    assert_eq!(of(".", &[("ARGOCD_APP_PARAMETERS", others)]), "");
    // As the manual has it: in the root, whatever the Application's path is.
    let mut in_root = copy.command(".", &["discover"], &[]);
    in_root.env("ARGOCD_APP_SOURCE_PATH", source);
    assert_eq!(Ended::of(&mut in_root).expect(0).stdout, spec);
    // A spec that cannot be read is ours; what is wrong with it is said by `generate`.
    let broken = Copy::with(&[("gap/x", "")]);
    std::os::unix::fs::symlink("/etc/hostname", broken.root().join("gap/gap.yaml")).expect("a link");
    assert_ne!(broken.run(".", &["discover"], &[]).expect(0).stdout, "");
    let _ = broken.generate(".", "staging").expect(1).says("leads out");
}

/// The commands of the files that an administrator copies.
#[test]
fn the_commands_of_plugin_yaml_do_their_work() {
    for (file, has_discovery) in [("plugin.yaml", false), ("plugin-with-discovery.yaml", true)] {
        let plugin = template(file).remove(0);
        assert_eq!(plugin["kind"], "ConfigManagementPlugin");
        let copy = Copy::of("istio/orders");
        let run = |pointer: &str| {
            let step = plugin
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{file} has {pointer}"));
            let words = |key: &str| step[key].as_array().cloned().unwrap_or_default();
            let mut words = words("command").into_iter().chain(words("args"));
            assert_eq!(words.next(), Some(json!("tidegate")));
            assert_eq!(words.next(), Some(json!("cmp")));
            let args: Vec<String> = words
                .map(|word| word.as_str().expect("a text").to_owned())
                .collect();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            copy.run(".", &args, &[("ARGOCD_ENV_ENVIRONMENT", "staging")])
                .expect(0)
                .stdout
        };
        assert_eq!(
            run("/spec/generate"),
            copy.generate(".", "staging").expect(0).stdout
        );
        assert!(run("/spec/parameters/dynamic").starts_with(r#"[{"name":"environment""#));
        assert_eq!(plugin.pointer("/spec/discover").is_some(), has_discovery);
        if has_discovery {
            assert_eq!(run("/spec/discover/find"), "gap/gap.yaml\n");
        }
    }
}

fn template(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("templates/argocd")
        .join(file);
    documents(&std::fs::read_to_string(path).expect("a file"))
}

/// The values of a YAML stream.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let stream = tidegate_yaml::Stream::parse(text).expect("YAML");
    stream
        .documents()
        .iter()
        .map(|document| document.value().clone())
        .collect()
}

/// An administrator may take either sidecar, and an Application finds the plugin and its parameters.
#[test]
fn the_files_of_an_administrator_agree() {
    let [plugin] = &template("plugin.yaml")[..] else {
        panic!("one document")
    };
    let [with_image] = &template("repo-server.yaml")[..] else {
        panic!("one document")
    };
    let [config_map, with_config_map] = &template("repo-server-with-config-map.yaml")[..] else {
        panic!("two documents")
    };
    let inner = config_map["data"]["plugin.yaml"].as_str().expect("a text");
    let inner = tidegate_yaml::Stream::parse(inner).expect("YAML");
    assert_eq!(inner.documents()[0].value(), plugin);

    let sidecar = |deployment: &Value| deployment["spec"]["template"]["spec"]["containers"][0].clone();
    let (mut one, mut other) = (sidecar(with_image), sidecar(with_config_map));
    let security = &one["securityContext"];
    assert_eq!(security["runAsUser"], 999);
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
    one["volumeMounts"].take();
    other["volumeMounts"].take();
    assert_eq!(one, other);

    let copy = Copy::of("istio/my-service");
    let announced = copy.run(".", &["parameters"], &[]).expect(0).stdout;
    let announced: Value = serde_json::from_str(&announced).expect("JSON");
    let names: Vec<&Value> = announced
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["name"])
        .collect();
    let application = template("application.yaml").remove(0);
    let set = template("application-set.yaml").remove(0);
    for source in [
        &application["spec"]["source"],
        &set["spec"]["template"]["spec"]["source"],
    ] {
        assert_eq!(source["plugin"]["name"], plugin["metadata"]["name"]);
        for parameter in source["plugin"]["parameters"].as_array().expect("parameters") {
            assert!(names.contains(&&parameter["name"]) && parameter["string"].is_string());
        }
    }
}

/// Nothing is shared: each prints its own, whoever runs beside it.
#[test]
fn two_hundred_generations_at_once_print_what_each_prints_alone() {
    let fixtures = ["istio/orders", "istio/my-service", "istio/monorepo"];
    let copies: Vec<(Copy, String)> = fixtures
        .iter()
        .map(|fixture| (Copy::of(fixture), first_source(fixture)))
        .collect();
    let temporary = TempDir::new().expect("a temporary folder");
    let asked = |number: usize| {
        let (copy, source) = &copies[number % copies.len()];
        let environment = ["staging", "production"][number / copies.len() % 2];
        let mut command = copy.command(source, &["generate"], &[("ARGOCD_ENV_ENVIRONMENT", environment)]);
        command
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    };
    let kinds = copies.len() * 2;
    let alone: Vec<Vec<u8>> = (0..kinds)
        .map(|number| asked(number).output().expect("it runs").stdout)
        .collect();
    assert!(alone.iter().all(|output| !output.is_empty()));
    let running: Vec<_> = (0..200)
        .map(|number| asked(number).spawn().expect("it runs"))
        .collect();
    // All of them are started before the first is waited for, and none can end before its output is taken or fits the pipe.
    for (number, child) in running.into_iter().enumerate() {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{number}");
        assert!(output.stdout == alone[number % kinds], "{number}");
    }
    assert!(
        std::fs::read_dir(temporary.path())
            .expect("a folder")
            .next()
            .is_none()
    );
}

/// What Argo CD sends at its deadline, at any moment of a run: the process is gone, and so is everything of it.
#[test]
fn killed_at_any_moment_it_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt;
    let fixture = Repository::without_git("istio/orders");
    let before = fixture.tree();
    let temporary = TempDir::new().expect("a temporary folder");
    let mut ended_by_signal = 0;
    for step in 0..40 {
        let mut command = plugin(&fixture.path());
        command
            .arg("generate")
            .env("ARGOCD_ENV_ENVIRONMENT", "staging")
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("it runs");
        std::thread::sleep(Duration::from_micros(200 * step));
        let signal = ["-TERM", "-KILL"][step as usize % 2];
        let _ = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .stderr(Stdio::null())
            .status()
            .expect("kill runs");
        ended_by_signal += usize::from(child.wait().expect("it ends").signal().is_some());
    }
    assert!(ended_by_signal > 0, "none was stopped on its way");
    assert!(fixture.tree() == before);
    assert!(
        std::fs::read_dir(temporary.path())
            .expect("a folder")
            .next()
            .is_none()
    );
}

/// The root filesystem that the image has: this program alone, on a file system that cannot be written, as user 999.
///
/// `TIDEGATE_STATIC` names the static binary; `.ci/run` builds it.
#[cfg(target_os = "linux")]
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn the_image_needs_nothing_but_the_binary() {
    let Some(binary) = std::env::var_os("TIDEGATE_STATIC") else {
        eprintln!("skipped: TIDEGATE_STATIC names no static binary");
        return;
    };
    let size = std::fs::metadata(&binary).expect("the static binary").len();
    assert!(size < 15 << 20, "{size} bytes");
    let copy = Copy::of("istio/orders");
    let expected = copy.generate(".", "staging").expect(0).stdout;
    let root = TempDir::new().expect("a temporary folder");
    // Mounted read-only in a mount namespace of its own, with the copy as the only other thing that can be seen.
    let script = r#"
        mkdir "$1/copy"
        cp "$2" "$1/tidegate"
        cp -r "$3" "$1/copy/8a2b51c0"
        chmod -R a+rX "$1"
        mount --bind "$1" "$1"
        mount -o remount,ro,bind "$1"
        cd "$1/copy/8a2b51c0"
        chroot="$(command -v chroot)"
        exec env -i ARGOCD_ENV_ENVIRONMENT=staging ARGOCD_APP_SOURCE_PATH=. \
            "$chroot" --userspec=999:999 "$1" /tidegate -C /copy/8a2b51c0 cmp generate"#;
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--net", "sh", "-eu", "-c", script, "sh"])
        .args([root.path().as_os_str(), &binary, copy.root().as_os_str()])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let may = Command::new("unshare")
        .args(["--mount", "--net", "true"])
        .output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: only the superuser can make a root of its own for user 999");
        return;
    }
    assert_eq!(Ended::of(&mut command).expect(0).stdout, expected);
}

/// An overlay that an Application names needs no parameter: it is the environment that it is called.
#[test]
fn an_overlay_by_itself_is_rendered_without_a_parameter() {
    let copy = Copy::of("kustomize/reviews");
    let source = "apps/reviews/overlays/production";
    let whole = copy.generate("apps/reviews", "production").expect(0).stdout;
    assert!(whole.contains("namespace: shop\n"), "{whole}");
    assert_eq!(copy.run(source, &["generate"], &[]).expect(0).stdout, whole);
    assert_eq!(copy.generate(source, "production").expect(0).stdout, whole);
    let _ = copy.generate(source, "staging").expect(1).says("unknown-name");
}
