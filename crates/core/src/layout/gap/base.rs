//! The objects that the platform makes from a spec, before extra resources and patches.
//!
//! Which objects there are is decided here, what they are called in [`Subject`], what they look like in the templates.
//! Source: the GAP documentation and the GAP canary guide.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::subject::Subject;
use super::template::{Template, Templates};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, ObjectRef};
use crate::schema::config::{AuthzDefault, AuthzMerge, Config, ServiceFor};
use crate::schema::gap::rules::{ingress_rule, rendered};
use crate::schema::gap::{CronJobSpec, DeploymentSpec, GapSpec};

/// Makes base objects, each once for all environments that it is the same in.
pub(super) struct Generator<'a> {
    config: &'a Config,
    templates: &'a Templates,
    made: BTreeMap<(Template, String), Made>,
    /// What was met on the way.
    pub(super) notices: Vec<Diagnostic>,
}

/// An object and the values it was made of.
struct Made {
    values: Arc<Value>,
    object: Option<Value>,
}

impl<'a> Generator<'a> {
    pub(super) fn new(config: &'a Config, templates: &'a Templates) -> Self {
        Self {
            config,
            templates,
            made: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    /// The base objects of an environment, without namespaces; their origin is that of the workload they are for.
    ///
    /// Errors: names that Kubernetes does not take, and templates that cannot be filled in.
    pub(super) fn objects(
        &mut self,
        spec: &GapSpec,
        environment: &str,
    ) -> Result<Vec<Manifest>, Vec<Diagnostic>> {
        let application = Subject::application(self.config, spec, environment);
        let mut parts = vec![self.service_account(&application)];
        let mut hosts: BTreeMap<String, &str> = BTreeMap::new();
        for (key, deployment) in &spec.deployments {
            let subject = Subject::workload(self.config, spec, environment, key, &deployment.pod);
            parts.push(self.deployment(&subject, deployment));
            if deployment.has_ingress {
                self.shared_hosts(&subject, key, &mut hosts);
            }
        }
        for (key, cronjob) in &spec.cronjobs {
            let subject = Subject::workload(self.config, spec, environment, key, &cronjob.pod);
            parts.push(self.cron_job(&subject, cronjob));
        }
        let mut objects = Vec::new();
        let mut problems = Vec::new();
        for part in parts {
            match part {
                Ok(made) => objects.extend(made),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(objects)
        } else {
            Err(problems)
        }
    }

    fn service_account(&mut self, subject: &Subject<'_>) -> Result<Vec<Manifest>, Diagnostic> {
        let name = &subject.spec.name;
        let labels = json!({"applicationName": name});
        let values = subject.values([("labels", labels)]);
        Ok(self
            .make(Template::ServiceAccount, subject, name, values)?
            .into_iter()
            .collect())
    }

    fn deployment(
        &mut self,
        subject: &Subject<'_>,
        deployment: &DeploymentSpec,
    ) -> Result<Vec<Manifest>, Diagnostic> {
        let spec = subject.spec;
        let has_service = match self.config.render.service_for {
            ServiceFor::All => true,
            ServiceFor::Ingress => deployment.has_ingress,
        };
        let mut objects = Vec::new();
        let name = subject.object_name();
        let values = subject.pod_values(&deployment.pod, ("has_service", json!(has_service)))?;
        objects.extend(self.make(Template::Deployment, subject, &name, values)?);
        if has_service {
            let selector = subject.service_selector()?;
            let values = subject.values([("labels", subject.labels()?), ("service_selector", selector)]);
            objects.extend(self.make(Template::Service, subject, &name, values)?);
        }
        if deployment.has_ingress {
            objects.extend(self.ingress(subject, deployment)?);
        }
        if deployment.autoscaling.is_some() {
            objects.extend(self.autoscaler(subject, deployment)?);
        }
        if spec.use_service_mesh && deployment.has_ingress {
            objects.extend(self.virtual_service(subject)?);
        }
        if let Some(rules) = self.rules(spec, deployment).filter(|_| spec.use_service_mesh) {
            objects.extend(self.authorization_policy(subject, &rules)?);
        }
        Ok(objects)
    }

    fn ingress(
        &mut self,
        subject: &Subject<'_>,
        deployment: &DeploymentSpec,
    ) -> Result<Option<Manifest>, Diagnostic> {
        let name = subject.object_name();
        let mut labels = subject.labels()?;
        let own = deployment
            .ingress_labels
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)));
        labels
            .as_object_mut()
            .into_iter()
            .for_each(|labels| labels.extend(own.clone()));
        let values = subject.values([
            ("labels", labels),
            ("hosts", json!(subject.hosts()?)),
            ("tls_secret", json!(format!("{name}-tls"))),
            ("service_name", json!(name)),
        ]);
        self.make(Template::Ingress, subject, &name, values)
    }

    fn autoscaler(
        &mut self,
        subject: &Subject<'_>,
        deployment: &DeploymentSpec,
    ) -> Result<Option<Manifest>, Diagnostic> {
        let Some(autoscaling) = &deployment.autoscaling else {
            return Ok(None);
        };
        let name = subject.object_name();
        let metrics = autoscaling.metrics.iter();
        let metrics = metrics
            .map(|metric| json!({"name": metric.name, "average_utilization": metric.average_utilization}));
        let values = subject.values([
            ("labels", subject.labels()?),
            ("api_version", json!(self.config.render.hpa_api.as_str())),
            ("deployment_name", json!(name)),
            ("min_replicas", json!(autoscaling.min_replicas)),
            ("max_replicas", json!(autoscaling.max_replicas)),
            ("metrics", metrics.collect()),
        ]);
        self.make(Template::HorizontalPodAutoscaler, subject, &name, values)
    }

    fn virtual_service(&mut self, subject: &Subject<'_>) -> Result<Option<Manifest>, Diagnostic> {
        let name = subject.virtual_service_name()?;
        let values = subject.values([
            ("labels", subject.labels()?),
            (
                "api_version",
                json!(format!(
                    "networking.istio.io/{}",
                    self.config.render.istio_api.as_str()
                )),
            ),
            ("hosts", json!(subject.hosts()?)),
            ("service_host", json!(subject.service_host())),
        ]);
        self.make(Template::VirtualService, subject, &name, values)
    }

    fn authorization_policy(
        &mut self,
        subject: &Subject<'_>,
        rules: &[Value],
    ) -> Result<Option<Manifest>, Diagnostic> {
        let name = subject.authorization_policy_name()?;
        let trust_domain = &self.config.authz.trust_domain;
        let rules = rules.iter().map(|rule| rendered(rule, trust_domain)).collect();
        let values = subject.values([
            ("labels", subject.labels()?),
            (
                "api_version",
                json!(format!(
                    "security.istio.io/{}",
                    self.config.render.istio_api.as_str()
                )),
            ),
            ("app_label", json!(subject.app_label()?)),
            ("rules", rules),
        ]);
        self.make(Template::AuthorizationPolicy, subject, &name, values)
    }

    fn cron_job(
        &mut self,
        subject: &Subject<'_>,
        cronjob: &CronJobSpec,
    ) -> Result<Vec<Manifest>, Diagnostic> {
        let values = subject.pod_values(&cronjob.pod, ("schedule", json!(cronjob.schedule)))?;
        Ok(self
            .make(Template::CronJob, subject, &subject.object_name(), values)?
            .into_iter()
            .collect())
    }

    /// Who may call a workload; `None` where nothing says so, and everybody may.
    ///
    /// The documentation leaves open what an ingress and a default policy are together: both are admitted then, so that
    /// neither reading refuses a caller.
    fn rules(&self, spec: &GapSpec, deployment: &DeploymentSpec) -> Option<Vec<Value>> {
        let admits_ingress = deployment.has_ingress && self.config.authz.default != AuthzDefault::None;
        let default = match (admits_ingress, &spec.default_rules) {
            (true, rules) => Some([vec![ingress_rule()], rules.clone().unwrap_or_default()].concat()),
            (false, Some(rules)) => Some(rules.clone()),
            (false, None) => (self.config.authz.default == AuthzDefault::Deny).then(Vec::new),
        };
        match (&deployment.rules, self.config.authz.merge) {
            (None, _) => default,
            (Some(own), AuthzMerge::Replace) => Some(own.clone()),
            (Some(own), AuthzMerge::Extend) => Some([default.unwrap_or_default(), own.clone()].concat()),
        }
    }

    /// Two workloads with one host name would take each other's requests.
    fn shared_hosts<'s>(
        &mut self,
        subject: &Subject<'_>,
        key: &'s str,
        taken: &mut BTreeMap<String, &'s str>,
    ) {
        for host in subject.hosts().unwrap_or_default() {
            let Some(other) = taken.insert(host.clone(), key) else {
                continue;
            };
            let message = format!("the deployments `{other}` and `{key}` have the same host, {host}");
            let shared =
                Diagnostic::warning(Code::InvalidValue, message).at(subject.origin.below(&["ingress"]));
            let hint = "switch one ingress off, or give the environments `hosts` with `{{ deployment }}` in .tidegate/config.yaml";
            self.notices.push(shared.hint(hint));
        }
    }

    fn make(
        &mut self,
        template: Template,
        subject: &Subject<'_>,
        object_name: &str,
        mut values: Map<String, Value>,
    ) -> Result<Option<Manifest>, Diagnostic> {
        values.insert("object_name".to_owned(), json!(object_name));
        if self.templates.know_environment {
            values.insert("environment".to_owned(), json!(subject.environment));
        }
        let values = Arc::new(Value::Object(values));
        let slot = (template, object_name.to_owned());
        if self.made.get(&slot).is_none_or(|made| made.values != values) {
            let object = self.templates.render(template, &values)?;
            self.made.insert(slot.clone(), Made { values, object });
        }
        let object = self.made.get(&slot).and_then(|made| made.object.clone());
        Ok(object.and_then(|value| {
            Some(Manifest {
                object: ObjectRef::of(&value)?,
                value,
                origin: subject.origin.clone(),
            })
        }))
    }
}

#[cfg(test)]
pub(super) mod tests;
