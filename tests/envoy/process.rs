//! A running Envoy that is given one configuration after the other.
//!
//! It reads clusters and listeners from two watched files, which are replaced by renaming, and is asked on its admin
//! socket whether it has taken them. Everything lies in a folder of its own that goes with it: no port is opened.
//!
//! Source: Envoy, `core.v3.PathConfigSource`; admin interface, `/stats`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Envoy takes a configuration within milliseconds; after this long it has a reason not to.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Envoy. It ends with this value.
pub(crate) struct Envoy {
    process: Child,
    folder: TempDir,
    /// Number of the configuration it runs.
    version: u64,
    socket_count: u64,
}

impl Envoy {
    /// Starts Envoy: `TIDEGATE_ENVOY`, else `envoy` on the path. None where there is none, which is said, and is a
    /// failure where `TIDEGATE_ENGINES=required`.
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var_os("TIDEGATE_ENVOY").unwrap_or_else(|| OsString::from("envoy"));
        let version = Command::new(&program).arg("--version").output();
        if !version.is_ok_and(|version| version.status.success()) {
            let message = "no Envoy: not in TIDEGATE_ENVOY, nor envoy on the PATH";
            let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
            assert!(!is_required, "{message}");
            eprintln!("skipped: {message}");
            return None;
        }
        // A short path: the name of a Unix socket has at most 107 bytes.
        let folder = tempfile::Builder::new()
            .prefix("envoy")
            .tempdir()
            .expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["clusters.json", "listeners.json"] {
            replace(&path(name), &json!({"version_info": "0", "resources": []}));
        }
        let watched =
            |name: &str| json!({"path_config_source": {"path": path(name)}, "resource_api_version": "V3"});
        let bootstrap = json!({
            "node": {"id": "replay", "cluster": "replay"},
            "admin": {"address": {"pipe": {"path": path("admin")}}},
            // Thousands of short-lived clusters: count only what is asked for.
            "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [
                {"prefix": "cluster_manager.cds"}, {"prefix": "listener_manager."},
            ]}}},
            "dynamic_resources": {"cds_config": watched("clusters.json"), "lds_config": watched("listeners.json")},
        });
        replace(&path("bootstrap.json"), &bootstrap);
        let log = File::create(path("log")).expect("a log");
        let process = Command::new(&program)
            .arg("--config-path")
            .arg(path("bootstrap.json"))
            .args(["--concurrency", "2", "--log-level", "warn"])
            // Listeners of the configuration before go at once.
            .args(["--drain-time-s", "1", "--drain-strategy", "immediate"])
            .args(["--disable-hot-restart"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Envoy starts");
        let mut envoy = Self {
            process,
            folder,
            version: 0,
            socket_count: 0,
        };
        envoy.wait();
        Some(envoy)
    }

    /// Path for a socket that nobody uses yet.
    pub(crate) fn new_socket(&mut self) -> String {
        self.socket_count += 1;
        self.path(&self.socket_count.to_string())
            .to_string_lossy()
            .into_owned()
    }

    /// Replaces the whole configuration, and returns when it is in force.
    ///
    /// Panics with Envoy's words when it refuses: then the translation is wrong.
    pub(crate) fn load(&mut self, clusters: &[Value], listeners: &[Value]) {
        self.version += 1;
        let version = self.version.to_string();
        for (name, resources) in [("clusters.json", clusters), ("listeners.json", listeners)] {
            replace(
                &self.path(name),
                &json!({"version_info": version, "resources": resources}),
            );
        }
        self.wait();
    }

    /// What Envoy has written about itself.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until the configuration of this version is in force.
    fn wait(&mut self) {
        let start = Instant::now();
        let version = self.version.to_string();
        loop {
            let stats = self.stats().unwrap_or_default();
            let stat = |name: &str| {
                let mut lines = stats.lines().filter_map(|line| line.split_once(": "));
                lines
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.trim_matches('"').to_owned())
            };
            let is_current = |name: &str| stat(name).as_deref() == Some(&version);
            let is_zero = |name: &str| stat(name).as_deref() == Some("0");
            let is_refused = [
                "cluster_manager.cds.update_rejected",
                "listener_manager.lds.update_rejected",
            ]
            .iter()
            .any(|name| stat(name).is_some_and(|count| count != "0"));
            if is_current("cluster_manager.cds.version_text")
                && is_current("listener_manager.lds.version_text")
                && is_zero("listener_manager.total_listeners_warming")
            {
                return;
            }
            let has_ended = self.process.try_wait().expect("the state of a process").is_some();
            assert!(
                !is_refused && !has_ended && start.elapsed() < PATIENCE,
                "Envoy does not take configuration {version}:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn stats(&self) -> std::io::Result<String> {
        let mut admin = UnixStream::connect(self.path("admin"))?;
        admin.write_all(b"GET /stats?filter=version_text|rejected|warming HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        admin.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a file beside and moves it over: whoever watches sees the whole or nothing.
fn replace(path: &Path, value: &Value) {
    let beside = path.with_extension("new");
    fs::write(&beside, value.to_string()).expect("a file");
    fs::rename(&beside, path).expect("a file moved over");
}
