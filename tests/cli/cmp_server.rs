//! Argo CD's own `argocd-cmp-server`, built from its pinned module, running our `plugin.yaml` and binary; asked over its unix socket as
//! the repo-server asks it, with a copy of the repository in each request.
//!
//! `TIDEGATE_CMP_SERVER` names the program of `tests/engines/argocd`; without it these tests say so and pass, unless
//! `TIDEGATE_ENGINES=required`.
#![cfg(unix)]
#![expect(clippy::print_stderr, reason = "a skipped test says why")]

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cases::cases;
use crate::cmp::documents;
use crate::cmp::{Application, applications};
use crate::repository::{Ended, Repository};

/// A sidecar that runs one of our plugin files.
struct Sidecar {
    program: OsString,
    home: TempDir,
    process: Child,
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sidecar {
    /// Starts the server with a file of `templates/argocd`; `None` where there is no server.
    fn start(plugin: &str) -> Option<Self> {
        let Some(program) = std::env::var_os("TIDEGATE_CMP_SERVER") else {
            let message = "no argocd-cmp-server: TIDEGATE_CMP_SERVER names none";
            let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
            assert!(!is_required, "{message}");
            eprintln!("skipped: {message}");
            return None;
        };
        let home = TempDir::new().expect("a temporary folder");
        for folder in ["config", "bin", "work", "tmp", "client"] {
            std::fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(
            root.join("templates/argocd").join(plugin),
            home.path().join("config/plugin.yaml"),
        )
        .expect("a plugin file");
        // The only program that the server can find.
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tidegate"), home.path().join("bin/tidegate"))
            .expect("a link");
        let process = Command::new(&program)
            .args(["--loglevel", "warn", "--config-dir-path"])
            .arg(home.path().join("config"))
            .env_clear()
            .env("PATH", home.path().join("bin"))
            .env("TMPDIR", home.path().join("tmp"))
            .env("ARGOCD_PLUGINSOCKFILEPATH", home.path())
            .env("ARGOCD_CMP_WORKDIR", home.path().join("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(home.path().join("log")).expect("a log"))
            .spawn()
            .expect("the server starts");
        let mut sidecar = Self {
            program,
            home,
            process,
        };
        while !sidecar.socket().exists() {
            let ended = sidecar.process.try_wait().expect("a child");
            assert!(ended.is_none(), "the server ended: {}", sidecar.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(sidecar)
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("tidegate.sock")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// The answers to some requests, which are asked one after the other.
    fn ask(&self, requests: &[Value]) -> Vec<Answer> {
        let mut client = Command::new(&self.program)
            .arg("call")
            .arg(self.socket())
            .env_clear()
            .env("TMPDIR", self.home.path().join("client"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client runs");
        let mut input = client.stdin.take().expect("a pipe");
        let lines: String = requests.iter().map(|request| format!("{request}\n")).collect();
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = client.wait_with_output().expect("the client ends");
        writer.join().expect("a thread").expect("the client reads");
        assert!(output.status.success(), "{}", self.log());
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let answers: Vec<Answer> = text.lines().map(Answer::read).collect();
        assert_eq!(answers.len(), requests.len(), "{}", self.log());
        answers
    }
}

/// What the server says to one request.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Response(Value),
    Error(String),
}

impl Answer {
    fn read(line: &str) -> Self {
        let mut answer: Value = serde_json::from_str(line).expect("JSON");
        match answer["error"].take() {
            Value::String(error) => Self::Error(error),
            _ => Self::Response(answer["response"].take()),
        }
    }

    /// The manifests of `GenerateManifest`.
    #[track_caller]
    fn manifests(&self) -> Vec<Value> {
        let Self::Response(response) = self else {
            panic!("{self:?}");
        };
        let manifests = response["manifests"].as_array().expect("manifests").iter();
        manifests
            .map(|manifest| value(manifest.as_str().expect("a text")))
            .collect()
    }

    #[track_caller]
    fn response(&self) -> &Value {
        match self {
            Self::Response(response) => response,
            Self::Error(error) => panic!("{error}"),
        }
    }
}

fn value(document: &str) -> Value {
    let stream = tidegate_yaml::Stream::parse(document).expect("YAML");
    stream.documents()[0].value().clone()
}

/// What the repo-server sends: the whole checkout, `.git` included, and the variables of the Application.
fn request(method: &str, root: &Path, source: &str, variables: &[(&str, &str)]) -> Value {
    let revision = "5f2b9a7c1e4d8063b7a9c0d1e2f3a4b5c6d7e8f9";
    let always = [
        ("ARGOCD_APP_NAME", "orders-production"),
        ("ARGOCD_APP_NAMESPACE", "elsewhere"),
        ("ARGOCD_APP_PROJECT_NAME", "default"),
        ("ARGOCD_APP_REVISION", revision),
        ("ARGOCD_APP_SOURCE_REPO_URL", "https://example.com/orders.git"),
        ("ARGOCD_APP_SOURCE_PATH", source),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", "main"),
    ];
    let variables = always.iter().chain(variables);
    let variables: Vec<String> = variables.map(|(name, value)| format!("{name}={value}")).collect();
    json!({"method": method, "root": root, "app": source, "env": variables, "exclude": [], "seconds": 60})
}

fn parameters(environment: &str) -> String {
    json!([{"name": "environment", "string": environment}]).to_string()
}

fn generate(root: &Path, source: &str, environment: &str) -> Value {
    let parameters = parameters(environment);
    request(
        "GenerateManifest",
        root,
        source,
        &[("ARGOCD_APP_PARAMETERS", &parameters)],
    )
}

#[test]
fn the_server_gives_the_manifests_that_render_prints() {
    let Some(sidecar) = Sidecar::start("plugin.yaml") else {
        return;
    };
    let mut count = 0;
    for application in applications() {
        let Application { fixture, source, .. } = &application;
        let repository = Repository::of(fixture);
        for environment in &application.environments {
            let rendered = repository
                .run(&["-C", source, "render", "--env", environment])
                .expect(0);
            let with_git = generate(&repository.path(), source, environment);
            let mut without_git = with_git.clone();
            without_git["exclude"] = json!([".git/*"]);
            // `reposerver.plugin.use.manifest.generate.paths`: no more than the application's folder, unless settings lie above.
            let mut part = with_git.clone();
            part["root"] = json!(repository.path().join(source));
            part["app"] = json!(".");
            let mut asked = vec![with_git, without_git];
            if !repository.path().join(".tidegate").exists() {
                asked.push(part);
            }
            for answer in sidecar.ask(&asked) {
                assert_eq!(
                    answer.manifests(),
                    documents(&rendered.stdout),
                    "{fixture} {source} {environment}"
                );
                count += 1;
            }
        }
    }
    assert!(count >= 40, "{count}");
    nothing_is_left(&sidecar);
}

/// The server removes its copies; beside them there is nothing. (What the repo-server's side packs is its own affair.)
fn nothing_is_left(sidecar: &Sidecar) {
    for folder in ["work/_cmp_server", "tmp"] {
        let left: Vec<_> = std::fs::read_dir(sidecar.home.path().join(folder))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
}

/// What the user of Argo CD reads when a generation fails.
#[test]
fn the_server_passes_on_why_a_generation_fails() {
    let Some(sidecar) = Sidecar::start("plugin.yaml") else {
        return;
    };
    let mut count = 0;
    for (fixture, case) in cases("invalid") {
        let repository = Repository::of(&fixture);
        let mut command = repository.command(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(["cmp", "generate"])
            .env("ARGOCD_APP_PARAMETERS", parameters("staging"));
        let alone = Ended::of(&mut command);
        let [answer] = &sidecar.ask(&[generate(&repository.path(), ".", "staging")])[..] else {
            panic!("one answer")
        };
        match answer {
            Answer::Response(_) => assert_eq!(answer.manifests(), documents(&alone.stdout), "{fixture}"),
            Answer::Error(error) => {
                count += 1;
                let said = format!(
                    "`tidegate cmp generate` failed exit status 1: {}",
                    alone.stderr.trim()
                );
                assert!(error.ends_with(&said), "{fixture} ({}): {error}", case.about);
            }
        }
    }
    assert!(count >= 10, "{count}");
    nothing_is_left(&sidecar);
}

#[test]
fn the_server_announces_the_parameters() {
    let Some(sidecar) = Sidecar::start("plugin.yaml") else {
        return;
    };
    let repository = Repository::of("istio/orders");
    // The smaller environment of this command.
    let asked = request(
        "GetParametersAnnouncement",
        &repository.path(),
        ".",
        &[("ARGOCD_ENV_ENVIRONMENT", "staging")],
    );
    let answers = sidecar.ask(&[asked]);
    let announced = &answers[0].response()["parameterAnnouncements"];
    let names: Vec<&Value> = announced
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["environment", "path", "order"]);
    assert_eq!(announced[0]["title"], "Environment");
    assert_eq!(announced[0]["string"], "staging");
    assert_eq!(announced[0]["collectionType"], "string");
    assert_eq!(announced[1]["string"], ".");
    assert_eq!(announced[2]["string"], "any");
}

#[test]
fn the_server_matches_what_is_ours_where_discovery_is_on() {
    for (plugin, is_configured) in [("plugin.yaml", false), ("plugin-with-discovery.yaml", true)] {
        let Some(sidecar) = Sidecar::start(plugin) else {
            return;
        };
        let root = Repository::of("istio/monorepo");
        let ask = |method: &str, source: &str| {
            let answers = sidecar.ask(&[request(method, &root.path(), source, &[])]);
            answers[0].response().clone()
        };
        let configuration = ask("CheckPluginConfiguration", ".");
        let said = configuration["isDiscoveryConfigured"]
            .as_bool()
            .unwrap_or_default();
        assert_eq!(said, is_configured, "{configuration}");
        let is_supported = |source: &str| {
            let answer = ask("MatchRepository", source);
            answer["isSupported"].as_bool().unwrap_or_default()
        };
        assert_eq!(is_supported("services/search"), is_configured);
        assert!(
            !is_supported("services"),
            "a folder above an application is not one"
        );
        assert!(!is_supported("services/search/src"));
    }
}

/// Six repo-servers at once, each with the applications of its own repository.
#[test]
fn the_server_serves_many_at_once() {
    let Some(sidecar) = Sidecar::start("plugin.yaml") else {
        return;
    };
    let repositories = ["istio/orders", "istio/my-service"].map(Repository::of);
    let asked: Vec<Value> = repositories
        .iter()
        .flat_map(|repository| {
            ["staging", "production"].map(|environment| generate(&repository.path(), ".", environment))
        })
        .collect();
    let alone = sidecar.ask(&asked);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(|| sidecar.ask(&asked))).collect();
        for client in clients {
            assert!(client.join().expect("a client") == alone);
        }
    });
    assert!(alone.iter().all(|answer| !answer.manifests().is_empty()));
    nothing_is_left(&sidecar);
}
