//! Who may call a workload's pods: the principals that its AuthorizationPolicies admit.
//!
//! Source: Istio reference, "Authorization Policy": a policy selects pods by labels in its namespace; once an ALLOW
//! policy selects a pod, only what some ALLOW rule matches may call it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::selects;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Application, Release};

/// Callers of the workload that its copy turns away.
pub(super) fn missing(application: &Application, release: &Release, environment: &str) -> Option<Diagnostic> {
    let original = admitted(application, &release.workload, environment)?;
    let copy = admitted(application, &release.copy, environment);
    let turned_away: Vec<&str> = match &copy {
        // No policy selects the copy: everybody may call it.
        None => return None,
        Some(copy) => original
            .iter()
            .filter(|caller| !copy.contains(*caller))
            .map(String::as_str)
            .collect(),
    };
    if turned_away.is_empty() {
        return None;
    }
    let message = format!(
        "`{}` does not admit {}, which `{}` does",
        release.copy,
        turned_away.join(", "),
        release.workload
    );
    let at = application.workloads.get(&release.copy)?.origin.clone();
    let drift = Diagnostic::warning(Code::Drift, message).at(at);
    Some(drift.hint("requests of these callers get 403 from the copy: add them to its `authorizationPolicy`"))
}

/// The ingress controller's principal, without its trust domain. Source: the GAP canary guide.
const INGRESS: &str = "/ns/ingress-nginx/sa/ingress-nginx";

/// A workload with an ingress that turns the ingress controller away: its public requests get 403 today, and the copy,
/// which admits the controller, would not be like it.
pub(super) fn ingress_refused(
    application: &Application,
    release: &Release,
    environment: &str,
) -> Option<Diagnostic> {
    let callers = admitted(application, &release.workload, environment)?;
    let admits = |caller: &String| caller.ends_with(INGRESS) || caller.ends_with('*');
    if callers.is_empty() || callers.iter().any(admits) {
        return None;
    }
    let workload = &release.workload;
    let message =
        format!("`{workload}` has an ingress, and its own rules do not admit the ingress controller");
    let at = application
        .workloads
        .get(workload)?
        .origin
        .below(&["authorizationPolicy"])
        .as_key();
    Some(Diagnostic::error(Code::CanaryImpossible, message).at(at).hint(
        "add a rule with {namespace: ingress-nginx, serviceAccountName: [ingress-nginx]}, deploy it, and start again",
    ))
}

/// The principals that ALLOW policies name for a workload's pods; `None` where no such policy selects them.
fn admitted(application: &Application, workload: &str, environment: &str) -> Option<BTreeSet<String>> {
    let pods = application
        .deployed(environment, workload, "apps", "Deployment")?
        .pod_labels()?;
    let rendered = &application.environments[environment].rendered;
    let policies = rendered.of_kind("security.istio.io", "AuthorizationPolicy");
    let mut is_guarded = false;
    let mut callers = BTreeSet::new();
    for policy in policies.filter(|policy| is_for(&policy.value, pods)) {
        is_guarded = true;
        let rules = policy
            .value
            .pointer("/spec/rules")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let sources = rules.filter_map(|rule| rule.get("from")?.as_array()).flatten();
        let principals = sources
            .filter_map(|from| from.pointer("/source/principals")?.as_array())
            .flatten();
        callers.extend(principals.filter_map(Value::as_str).map(str::to_owned));
    }
    is_guarded.then_some(callers)
}

/// Whether an ALLOW policy selects pods; without a selector it selects all.
fn is_for(policy: &Value, pods: &Map<String, Value>) -> bool {
    let action = policy
        .pointer("/spec/action")
        .and_then(Value::as_str)
        .unwrap_or("ALLOW");
    let selector = policy
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object);
    action == "ALLOW" && selector.is_none_or(|selector| selects(selector, pods))
}
