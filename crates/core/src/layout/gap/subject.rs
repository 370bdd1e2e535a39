//! What objects are made for: one workload in one environment, with the names, labels and hosts that follow from it.

use serde_json::{Map, Value, json};

use super::image;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::schema::config::{Config, DigestTag, Names, Pattern, SelectorLabel};
use crate::schema::gap::{GapSpec, PodSpec, names};

/// A workload, or the application as a whole, in an environment.
pub(super) struct Subject<'a> {
    config: &'a Config,
    pub(super) spec: &'a GapSpec,
    pub(super) environment: &'a str,
    /// The workload's key; `None` for the application as a whole.
    key: Option<&'a str>,
    pub(super) origin: Location,
}

impl<'a> Subject<'a> {
    pub(super) fn application(config: &'a Config, spec: &'a GapSpec, environment: &'a str) -> Self {
        Self {
            config,
            spec,
            environment,
            key: None,
            origin: spec.origin.below(&["name"]),
        }
    }

    pub(super) fn workload(
        config: &'a Config,
        spec: &'a GapSpec,
        environment: &'a str,
        key: &'a str,
        pod: &PodSpec,
    ) -> Self {
        Self {
            config,
            spec,
            environment,
            key: Some(key),
            origin: pod.origin.clone(),
        }
    }

    /// `orders-web`: the name of most objects. Source: the GAP documentation, page on patches.
    pub(super) fn object_name(&self) -> String {
        match self.key {
            Some(key) => format!("{}-{key}", self.spec.name),
            None => self.spec.name.clone(),
        }
    }

    /// The Service's name in the mesh.
    pub(super) fn service_host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.object_name(), self.spec.namespace)
    }

    pub(super) fn virtual_service_name(&self) -> Result<String, Diagnostic> {
        self.fill(
            &self.config.names.virtual_service,
            &["names", "virtual_service"],
            names::domain,
        )
    }

    pub(super) fn authorization_policy_name(&self) -> Result<String, Diagnostic> {
        self.fill(
            &self.config.names.authorization_policy,
            &["names", "authorization_policy"],
            names::domain,
        )
    }

    fn container_name(&self) -> Result<String, Diagnostic> {
        let check = |name: &str| names::label(name, names::LABEL_LONGEST);
        self.fill(&self.config.names.container, &["names", "container"], check)
    }

    /// The value of the label `app`, which tells an application's workloads apart.
    pub(super) fn app_label(&self) -> Result<String, Diagnostic> {
        self.fill(&self.config.labels.app, &["labels", "app"], |value| {
            names::label_pair("app", value)
        })
    }

    /// The public hosts of an exposed workload.
    pub(super) fn hosts(&self) -> Result<Vec<String>, Diagnostic> {
        let hosts = self.config.hosts(self.environment);
        let filled = hosts.iter().enumerate().map(|(index, host)| {
            self.fill(
                host,
                &["environments", self.environment, "hosts", &index.to_string()],
                names::domain,
            )
        });
        filled.collect()
    }

    /// Labels of an object that belongs to a workload.
    pub(super) fn labels(&self) -> Result<Value, Diagnostic> {
        Ok(json!({"app": self.app_label()?, "applicationName": self.spec.name}))
    }

    pub(super) fn service_selector(&self) -> Result<Value, Diagnostic> {
        let app = self.app_label()?;
        let labels = self
            .config
            .labels
            .service_selector
            .iter()
            .map(|label| match label {
                SelectorLabel::App => ("app".to_owned(), json!(app)),
                SelectorLabel::ApplicationName => ("applicationName".to_owned(), json!(self.spec.name)),
            });
        Ok(Value::Object(labels.collect()))
    }

    /// Values of every template, with those of one.
    pub(super) fn values<const N: usize>(&self, more: [(&str, Value); N]) -> Map<String, Value> {
        let render = &self.config.render;
        let common = [
            ("name", json!(self.spec.name)),
            ("namespace", json!(self.spec.namespace)),
            ("deployment", json!(self.key)),
            ("mesh", json!(self.spec.use_service_mesh)),
            ("service_port", json!(render.service_port)),
            ("container_port", json!(render.container_port)),
        ];
        common
            .into_iter()
            .chain(more)
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// Values of a template that holds a pod template, with one of its own.
    pub(super) fn pod_values(
        &self,
        pod: &PodSpec,
        (key, value): (&str, Value),
    ) -> Result<Map<String, Value>, Diagnostic> {
        let mut labels = self.labels()?;
        let mut pod_labels = labels.clone();
        if let Some(pod_labels) = pod_labels.as_object_mut() {
            if self.spec.use_service_mesh {
                pod_labels.insert("sidecar.istio.io/inject".to_owned(), json!("true"));
            }
            pod_labels.extend(pod.labels.iter().map(|(key, value)| (key.clone(), json!(value))));
        }
        if self.spec.deletion_protection {
            labels["deletionProtection"] = json!("enabled");
        }
        let mut values = self.values([
            ("labels", labels),
            ("pod_labels", pod_labels),
            ("app_label", json!(self.app_label()?)),
            ("service_account", json!(self.spec.name)),
            ("container_name", json!(self.container_name()?)),
            ("image", json!(self.image(pod))),
            ("command", json!(pod.command)),
            ("args", json!(pod.args)),
            ("resources", json!(pod.resources)),
            ("use_proxy_env_vars", json!(self.spec.use_proxy_env_vars)),
            (
                "no_proxy",
                json!(format!(
                    "localhost,127.0.0.1,.svc,.cluster.local,.{}",
                    self.spec.namespace
                )),
            ),
        ]);
        values.insert(key.to_owned(), value);
        Ok(values)
    }

    /// The image as Kubernetes reads it: with the registry's host, and a digest behind `@`.
    fn image(&self, pod: &PodSpec) -> String {
        let (repository, tag) = image::effective(self.spec, pod);
        let host = self.config.render.registry_host.trim_end_matches('/');
        let first = repository.split('/').next().unwrap_or_default();
        let has_host = repository.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        let repository = if has_host || host.is_empty() {
            repository
        } else {
            format!("{host}/{repository}")
        };
        let Some(tag) = tag else { return repository };
        let is_digest = tag.starts_with("sha256:") && self.config.render.digest_tag == DigestTag::At;
        format!("{repository}{}{tag}", if is_digest { '@' } else { ':' })
    }

    /// Fills in a pattern of the configuration and checks the name it gives.
    fn fill(
        &self,
        pattern: &Pattern,
        setting: &[&str],
        check: impl Fn(&str) -> Option<Diagnostic>,
    ) -> Result<String, Diagnostic> {
        let place = || self.config.place(setting).unwrap_or_else(|| self.origin.clone());
        let names = Names {
            name: &self.spec.name,
            deployment: self.key.unwrap_or_default(),
            namespace: &self.spec.namespace,
            environment: self.environment,
        };
        let filled = pattern.fill(names);
        let name = filled.map_err(|message| Diagnostic::error(Code::InvalidValue, message).at(place()))?;
        match check(&name) {
            Some(problem) => Err(problem.at(place())),
            None => Ok(name),
        }
    }
}

#[cfg(test)]
mod tests;
