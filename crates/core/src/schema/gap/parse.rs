//! From a document's value to a spec: every key by its type, and all names by Kubernetes' limits.

use indexmap::IndexMap;
use jsonptr::PointerBuf;
use serde_json::Value;

use super::reader::{Node, Reader, Source};
use super::{AutoscalingSpec, CronJobSpec, DeploymentSpec, GapSpec, MetricSpec, PLATFORM_LABELS, PodSpec};
use super::{image, names, rules};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::schema::config::Config;

const ROOT_KEYS: &[&str] = &[
    "name",
    "namespace",
    "image",
    "usePrebuiltImage",
    "useServiceMesh",
    "useProxyEnvVars",
    "deletionProtection",
    "defaultAuthorizationPolicy",
    "autoSyncProduction",
    "isProduction",
    "waitForWorkloadIdentity",
    "deployments",
    "cronjobs",
];
const POD_KEYS: &[&str] = &[
    "command",
    "args",
    "image",
    "podLabels",
    "resources",
    "waitForWorkloadIdentity",
];
const DEPLOYMENT_KEYS: &[&str] = &["ingress", "authorizationPolicy", "autoscaling"];
const CRON_JOB_KEYS: &[&str] = &["schedule"];

/// A spec with what is worth knowing about it, or everything that is wrong.
pub(crate) type Parsed = Result<(GapSpec, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Reads a spec from a document, or from one with others merged over it.
///
/// Gives the spec with what is worth knowing about it. Errors: everything wrong, each with its place, and what is worth
/// knowing beside it.
pub(crate) fn parse<'a>(sources: Vec<Source<'a>>, value: &'a Value, config: &Config) -> Parsed {
    let mut reader = Reader::new(sources, config.spec.unknown_keys);
    let root = Node {
        value,
        path: PointerBuf::new(),
    };
    let spec = read_root(&mut reader, &root);
    if let Some(spec) = &spec {
        check_names(&mut reader, &root, spec, config);
    }
    let is_wrong = reader
        .problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    match spec {
        Some(spec) if !is_wrong => Ok((spec, reader.problems)),
        _ => Err(reader.problems),
    }
}

fn read_root<'a>(reader: &mut Reader<'a>, root: &Node<'a>) -> Option<GapSpec> {
    reader.known_map(root, ROOT_KEYS)?;
    // Known, without effect on what is rendered.
    reader.switch(root.child("usePrebuiltImage"));
    let name = required(reader, root, "name", "orders");
    let namespace = required(reader, root, "namespace", "checkout");
    let is_production = root
        .child("isProduction")
        .is_none_or(|node| reader.switch(Some(node)));
    let spec = GapSpec {
        name: String::new(),
        namespace: String::new(),
        image: root.child("image").and_then(|image| image::read(reader, &image)),
        use_service_mesh: reader.switch(root.child("useServiceMesh")),
        use_proxy_env_vars: reader.switch(root.child("useProxyEnvVars")),
        deletion_protection: reader.switch(root.child("deletionProtection")),
        is_production,
        default_rules: rules::read(reader, root.child("defaultAuthorizationPolicy")),
        deployments: read_workloads(reader, root.child("deployments"), read_deployment),
        cronjobs: read_workloads(reader, root.child("cronjobs"), read_cron_job),
        origin: reader.origin(&root.path),
    };
    Some(GapSpec {
        name: name?,
        namespace: namespace?,
        ..spec
    })
}

fn required<'a>(reader: &mut Reader<'a>, node: &Node<'a>, key: &str, example: &str) -> Option<String> {
    match node.child(key) {
        Some(child) => reader.text(&child),
        None => {
            reader.report_missing(node, key, example);
            None
        }
    }
}

fn read_workloads<'a, T>(
    reader: &mut Reader<'a>,
    node: Option<Node<'a>>,
    read: impl Fn(&mut Reader<'a>, &Node<'a>) -> Option<T>,
) -> IndexMap<String, T> {
    let entries = node.map(|node| reader.entries(&node)).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|(key, node)| Some((key.to_owned(), read(reader, &node)?)))
        .collect()
}

fn read_deployment<'a>(reader: &mut Reader<'a>, node: &Node<'a>) -> Option<DeploymentSpec> {
    let pod = read_pod(reader, node, DEPLOYMENT_KEYS)?;
    let ingress = node
        .child("ingress")
        .filter(|ingress| reader.known_map(ingress, &["enabled", "labels"]).is_some());
    let within = |key: &str| ingress.as_ref().and_then(|ingress| ingress.child(key));
    Some(DeploymentSpec {
        pod,
        has_ingress: reader.switch(within("enabled")),
        ingress_labels: reader.labels(within("labels")),
        rules: rules::read(reader, node.child("authorizationPolicy")),
        autoscaling: node
            .child("autoscaling")
            .and_then(|autoscaling| read_autoscaling(reader, &autoscaling)),
    })
}

fn read_cron_job<'a>(reader: &mut Reader<'a>, node: &Node<'a>) -> Option<CronJobSpec> {
    let pod = read_pod(reader, node, CRON_JOB_KEYS)?;
    let schedule = required(reader, node, "schedule", "\"15 3 * * *\"")?;
    Some(CronJobSpec { pod, schedule })
}

fn read_pod<'a>(reader: &mut Reader<'a>, node: &Node<'a>, more_keys: &[&str]) -> Option<PodSpec> {
    // A workload may be a key alone: everything has a default.
    if !node.value.is_null() {
        reader.known_map(node, &[POD_KEYS, more_keys].concat())?;
    }
    let labels = reader.labels(node.child("podLabels"));
    for label in PLATFORM_LABELS
        .iter()
        .filter(|label| labels.contains_key(**label))
    {
        let Some(at) = node.child("podLabels").and_then(|labels| labels.child(label)) else {
            continue;
        };
        let set = Diagnostic::error(
            Code::InvalidValue,
            format!("the label `{label}` is set by the platform"),
        );
        reader.report_key(&at, set.hint("choose another label"));
    }
    Some(PodSpec {
        command: node.child("command").and_then(|command| reader.texts(&command)),
        args: node.child("args").and_then(|args| reader.texts(&args)),
        image: node.child("image").and_then(|image| image::read(reader, &image)),
        labels,
        resources: node
            .child("resources")
            .and_then(|resources| read_resources(reader, &resources)),
        origin: reader.origin(&node.path),
    })
}

fn read_resources<'a>(reader: &mut Reader<'a>, node: &Node<'a>) -> Option<Value> {
    reader.map(node)?;
    let quantities = ["requests", "limits"]
        .into_iter()
        .filter_map(|key| node.child(key));
    for (_, quantity) in quantities
        .flat_map(|node| reader.entries(&node))
        .collect::<Vec<_>>()
    {
        if !quantity.value.is_string() && !quantity.value.is_number() {
            reader.wrong_type(&quantity, "a quantity such as 200m or 256Mi");
        }
    }
    Some(node.value.clone())
}

fn read_autoscaling<'a>(reader: &mut Reader<'a>, node: &Node<'a>) -> Option<AutoscalingSpec> {
    reader.known_map(node, &["enabled", "minReplicas", "maxReplicas", "metrics"])?;
    let is_enabled = reader.switch(node.child("enabled"));
    let mut bound = |key: &str| match node.child(key) {
        Some(child) => reader.number(&child),
        None => {
            if is_enabled {
                reader.report_missing(node, key, "2");
            }
            None
        }
    };
    let (min_replicas, max_replicas) = (bound("minReplicas"), bound("maxReplicas"));
    let metrics = match node.child("metrics") {
        Some(metrics) => reader.items(&metrics).unwrap_or_default(),
        None => {
            if is_enabled {
                let example = "[{type: Resource, name: cpu, targetAverageUtilization: 60}]";
                reader.report_missing(node, "metrics", example);
            }
            Vec::new()
        }
    };
    let metrics = metrics
        .iter()
        .filter_map(|metric| read_metric(reader, metric))
        .collect();
    let (min_replicas, max_replicas) = (min_replicas?, max_replicas?);
    if min_replicas > max_replicas {
        let message = format!("`minReplicas` is {min_replicas}, more than `maxReplicas`, {max_replicas}");
        let at = node.child("minReplicas").unwrap_or_else(|| node.clone());
        reader.report(&at, Diagnostic::error(Code::InvalidValue, message));
    }
    is_enabled.then_some(AutoscalingSpec {
        min_replicas,
        max_replicas,
        metrics,
    })
}

fn read_metric<'a>(reader: &mut Reader<'a>, node: &Node<'a>) -> Option<MetricSpec> {
    reader.known_map(node, &["type", "name", "targetAverageUtilization"])?;
    if let Some(kind) = node.child("type").filter(|kind| kind.value != "Resource") {
        let other = Diagnostic::error(Code::InvalidValue, "a metric's type is Resource");
        reader.report(
            &kind,
            other.hint("write a HorizontalPodAutoscaler of your own for other metrics"),
        );
    }
    let name = required(reader, node, "name", "cpu")?;
    if name != "cpu" {
        let message = format!("the platform scales by cpu, not by `{}`", name.escape_debug());
        let at = node.child("name").unwrap_or_else(|| node.clone());
        reader.report(&at, Diagnostic::warning(Code::InvalidValue, message));
    }
    let Some(target) = node.child("targetAverageUtilization") else {
        reader.report_missing(node, "targetAverageUtilization", "60");
        return None;
    };
    Some(MetricSpec {
        name,
        average_utilization: reader.number(&target)?,
    })
}

fn check_names(reader: &mut Reader<'_>, root: &Node<'_>, spec: &GapSpec, config: &Config) {
    let has_ingress = spec.deployments.values().any(|deployment| deployment.has_ingress);
    let is_bounded_by_host = has_ingress && config.has_built_in_hosts();
    let longest = if is_bounded_by_host {
        names::DEFAULT_HOST_LONGEST
    } else {
        names::LABEL_LONGEST
    };
    let wrong_name = names::label(&spec.name, longest).map(|mut problem| {
        if is_bounded_by_host && spec.name.len() > longest {
            let hint = "choose a shorter name, or give the environments `hosts` in .tidegate/config.yaml: the default host's certificate takes 33 of 64 characters";
            problem.hints = vec![hint.to_owned()];
        }
        problem
    });
    let wrong_namespace = names::label(&spec.namespace, names::LABEL_LONGEST);
    let is_prefix = wrong_name.is_none();
    for (key, problem) in [("name", wrong_name), ("namespace", wrong_namespace)] {
        if let (Some(at), Some(problem)) = (root.child(key), problem) {
            reader.report(&at, problem);
        }
    }
    if is_prefix {
        let deployments = spec
            .deployments
            .keys()
            .map(|key| ("deployments", key, names::LABEL_LONGEST));
        let cronjobs = spec
            .cronjobs
            .keys()
            .map(|key| ("cronjobs", key, names::CRON_JOB_LONGEST));
        for (group, key, longest) in deployments.chain(cronjobs) {
            let Some(at) = root.child(group).and_then(|group| group.entry(key)) else {
                continue;
            };
            let problem =
                names::key(key).or_else(|| names::too_long(&format!("{}-{key}", spec.name), longest));
            if let Some(problem) = problem {
                reader.report_key(&at, problem);
            }
        }
    }
    for key in spec
        .cronjobs
        .keys()
        .filter(|key| spec.deployments.contains_key(*key))
    {
        let Some(at) = root.child("cronjobs").and_then(|cronjobs| cronjobs.entry(key)) else {
            continue;
        };
        let message = format!("`{key}` is a deployment too: its Service would select the pods of both");
        let same = Diagnostic::error(Code::InvalidName, message);
        reader.report_key(&at, same.hint("give the cronjob another name"));
    }
}
