//! `init` for a controller: why it can take a workload or not, and the release file.

use minijinja::context;
use serde_json::Value;

use super::plan::remaining;
use super::transition::unlike;
use super::{Stage, abort};
use crate::change::ChangeSet;
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure, Severity};
use crate::layout::helm_release;
use crate::manifest::Manifest;
use crate::model::{Application, Delegation, Environment, PinnedImage, Version, Workload};
use crate::provider::{ControllerId, Takes};
use crate::rehearsal::not_given_back;
use crate::release_file;
use crate::schema::release::{DEFAULT_STEPS, parse_steps};
use crate::start::{Start, StartRequest, fill, new_image, scalar};
use crate::transition::{Purpose, Transition};

/// The controller that a request is about, with the workload where one can be told: asked for by name, or found by an object
/// that gives it the workload.
pub fn wanted<'a>(
    application: &'a Application,
    request: &StartRequest,
) -> Option<(ControllerId, Option<&'a Workload>)> {
    let given = |id: ControllerId, workload: &Workload| {
        let mut environments = application.environments.values();
        environments.any(|environment| id.controller().object(environment, &workload.key).is_some())
    };
    let is_asked_for =
        |workload: &&Workload| request.workload.as_ref().is_none_or(|key| workload.key == *key);
    let is_free = |workload: &&Workload| {
        let mut delegations = application.delegations.iter();
        !delegations.any(|known| known.workload == workload.key)
    };
    let of = |id: ControllerId| {
        let workloads = application.workloads.values().filter(is_asked_for);
        let given: Vec<&Workload> = workloads.filter(|workload| given(id, workload)).collect();
        let free = given.iter().copied().find(is_free);
        free.or(given.first().copied())
    };
    match &request.provider {
        Some(name) => ControllerId::parse(name).map(|id| (id, of(id))),
        None => ControllerId::ALL
            .iter()
            .find_map(|id| of(*id).map(|workload| (*id, Some(workload)))),
    }
}

/// Writes a release file for a workload whose requests a controller moves.
///
/// Errors: every reason why the release cannot start here, each with its place.
pub fn start(
    checkout: &Checkout<'_>,
    controller: ControllerId,
    workload: &Workload,
    request: &StartRequest,
) -> Result<Start, Failure> {
    let application = &checkout.application;
    let mut known = application.delegations.iter();
    if let Some(known) = known.find(|known| known.workload == workload.key) {
        return already_recorded(known, request);
    }
    if let Some(driven) = application
        .releases
        .iter()
        .find(|release| release.workload == workload.key)
    {
        let message = format!("workload `{}` has a release already", workload.key);
        let problem = Diagnostic::error(Code::NotInThisPhase, message);
        let problem = match &driven.origin {
            Some(origin) => problem.at(origin.clone()),
            None => problem,
        };
        return Err(problem.hint("end it first: tidegate abort").into());
    }
    let mut assumptions = Vec::new();
    let delegation = delegation(application, controller, workload, request, &mut assumptions)?;
    let problems = refusals(application, &delegation);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let text = release_text(application, &delegation)?;
    let change = ChangeSet::new([release_file::add(application, text)?]);
    let count = rehearse(checkout, &change, &delegation)?;
    assumptions.push(format!(
        "{count} commits from here to a tidy repository; `tidegate plan` shows them"
    ));
    Ok(Start {
        transition: Some(Transition {
            workload: delegation.workload,
            system: controller.into(),
            has_flag: false,
            purpose: Purpose::Start,
            before: indexmap::IndexMap::new(),
            after: indexmap::IndexMap::new(),
            change,
            notices: Vec::new(),
            proofs: indexmap::IndexMap::new(),
        }),
        assumptions,
    })
}

/// `init` a second time changes nothing; asking for something else is told where to write it.
fn already_recorded(known: &Delegation, request: &StartRequest) -> Result<Start, Failure> {
    let differs = |asked: &Option<String>, says: &PinnedImage| asked.is_some() && *asked != says.tag;
    let is_other_tag =
        differs(&request.canary_tag, &known.canary) || differs(&request.stable_tag, &known.stable);
    let steps = request.steps.as_deref().map(parse_steps).transpose()?;
    if is_other_tag || steps.is_some_and(|steps| steps != known.steps) {
        let message = format!("workload `{}` has a release already", known.workload);
        let problem = Diagnostic::error(Code::NotInThisPhase, message).at(known.origin.clone());
        return Err(problem.hint("end it first: tidegate abort").into());
    }
    let found = format!(
        "workload `{}` has a release already: nothing to write",
        known.workload
    );
    Ok(Start {
        transition: None,
        assumptions: vec![found],
    })
}

fn delegation(
    application: &Application,
    controller: ControllerId,
    workload: &Workload,
    request: &StartRequest,
    assumptions: &mut Vec<String>,
) -> Result<Delegation, Failure> {
    let (name, key) = (controller.as_str(), &workload.key);
    let image = workload.image.as_ref();
    let Some(runs) = image.and_then(|image| image.tag.as_ref()) else {
        let message = format!("workload `{key}` names no image tag to come back to");
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(workload.origin.clone());
        return Err(problem
            .hint("write the tag that runs now behind its image first")
            .into());
    };
    if request.stable_tag.as_ref().is_some_and(|tag| tag != runs) {
        let message = format!("`{key}` itself is the stable version, and runs `{runs}`");
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(workload.origin.clone());
        return Err(problem
            .hint("leave --stable-tag out, or let it run that image first")
            .into());
    }
    let canary = new_image(workload, Version::Canary, request, assumptions)?;
    let controls = |environment| controller.controller().object(environment, key);
    let objects: Vec<_> = application.environments.values().map(controls).collect();
    let stays = objects.iter().any(Option::is_some);
    if stays && objects.iter().any(Option::is_none) {
        let message = format!("{name} has `{key}` in some environments only");
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        let there = objects
            .iter()
            .find_map(|object| object.map(|object| object.origin.clone()));
        let problem = match there {
            Some(there) => problem.at(there),
            None => problem,
        };
        return Err(problem
            .hint("give it the workload in all of them, or in none, first")
            .into());
    }
    match (stays, &request.steps) {
        (true, Some(_)) => {
            let message = format!("{name} has `{key}` already, and its own steps");
            let problem = Diagnostic::error(Code::Unsupported, message);
            let problem = match objects.iter().flatten().next() {
                Some(object) => problem.at(object.origin.below(&["spec"])),
                None => problem,
            };
            return Err(problem.hint("leave --steps out, and write them there").into());
        }
        (true, None) => assumptions.push(format!(
            "{name} has `{key}` already and keeps it: a release is the new image alone"
        )),
        (false, _) => assumptions.push(match controller.controller().takes() {
            Takes::Service => format!(
                "{name} moves the requests; its Service leaves the files for the time, and stays in the cluster"
            ),
            Takes::Pods => format!("{name} moves the requests, and makes the pods of `{key}` for the time"),
        }),
    }
    let steps = match &request.steps {
        Some(steps) => parse_steps(steps)?,
        None => parse_steps(&DEFAULT_STEPS.map(u64::from))?,
    };
    Ok(Delegation {
        workload: key.clone(),
        controller,
        stays,
        stable: PinnedImage {
            repository: image.and_then(|image| image.repository.clone()),
            tag: Some(runs.clone()),
        },
        canary,
        steps,
        environment_steps: indexmap::IndexMap::new(),
        origin: workload.origin.clone(),
    })
}

/// Every reason why a release cannot start.
fn refusals(application: &Application, delegation: &Delegation) -> Vec<Diagnostic> {
    let controller = delegation.controller.controller();
    let mut problems: Vec<Diagnostic> = unlike(application, delegation).into_iter().collect();
    let lints = controller.lint(application).into_iter();
    problems.extend(lints.filter(|found| found.severity == Severity::Error));
    for environment in application.environments.values() {
        if let Some(release) = helm_release::find(environment, &delegation.workload) {
            problems.extend(chart(delegation, release));
        }
    }
    problems.extend(unlike_routes(application, delegation));
    if problems.is_empty() {
        for environment in application.environments.values() {
            for problem in controller.check_start(environment, &delegation.workload) {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    problems
}

/// Environments of which the routes of some lead to the workload: a release takes other stages there than in the rest.
fn unlike_routes(application: &Application, delegation: &Delegation) -> Option<Diagnostic> {
    let (controller, workload) = (delegation.controller.controller(), &delegation.workload);
    let is_routed = |environment: &Environment| controller.is_split(environment, workload).is_some();
    let mut environments = application.environments.values();
    let first = environments.next()?;
    let other = environments.find(|environment| is_routed(environment) != is_routed(first))?;
    let (with, without) = match is_routed(first) {
        true => (first, other),
        false => (other, first),
    };
    let message = format!(
        "routes lead to `{workload}` in {}, and none do in {}",
        with.name, without.name
    );
    let problem = Diagnostic::error(Code::CanaryImpossible, message).at(delegation.origin.clone());
    Some(
        problem
            .hint("let the environments have the same routes, or take them away in both, before the release"),
    )
}

/// What a release of a chart has to have first: the chart's Service off and a Canary, which are written by a person since what
/// the chart makes is not here, and an image that nobody else moves.
fn chart(delegation: &Delegation, release: &Manifest) -> Option<Diagnostic> {
    let refused = |message: String, path: &[&str]| {
        Diagnostic::error(Code::CanaryImpossible, message).at(release.origin.below(path).as_key())
    };
    if helm_release::is_automated(release) {
        let message = format!("Flux moves the image of {} by itself", release.object);
        let hint = "write `fluxcd.io/automated: \"false\"` for the time of the release";
        return Some(refused(message, &["metadata", "annotations"]).hint(hint));
    }
    let takes = delegation.controller.controller().takes();
    if !delegation.stays {
        let message = format!(
            "a chart makes `{}` and its Service, so what a release would hand over cannot be seen",
            delegation.workload
        );
        let problem = refused(message, &["spec", "values"]);
        return Some(problem.hint(match takes {
            Takes::Service => "write `service: {enabled: false}` and a Canary yourself, and run `tidegate init` once Flagger has the workload",
            Takes::Pods => "write a Rollout with `workloadRef` yourself, and run `tidegate init` once it has the pods",
        }));
    }
    if takes == Takes::Pods {
        return None;
    }
    let is_made = release.value.pointer("/spec/values/service/enabled") == Some(&Value::Bool(true));
    is_made.then(|| {
        let message = format!(
            "the chart of {} writes the Service that Flagger writes",
            release.object
        );
        let problem = Diagnostic::error(Code::ContestedService, message);
        let at = release.origin.below(&["spec", "values", "service", "enabled"]);
        problem.at(at).hint("write `enabled: false`")
    })
}

/// The number of commits that a release takes, once its life and the way back are tried on the files as they would be.
///
/// Errors: a transition that cannot be made, and every file that would not end as it began, but for the image.
fn rehearse(checkout: &Checkout<'_>, first: &ChangeSet, delegation: &Delegation) -> Result<usize, Failure> {
    let steps = remaining(checkout, first, &delegation.workload)?;
    let mut back = first.clone();
    let mut there = first.clone();
    let ships = |step: &crate::plan::Step| step.transition.purpose == Purpose::Stage(Stage::Trigger);
    let shipped = steps.iter().position(ships).map_or(0, |trigger| trigger + 1);
    for (index, step) in steps.iter().enumerate() {
        there.append(&step.transition.change);
        if index < shipped {
            back.append(&step.transition.change);
        }
    }
    for _ in Stage::ALL {
        let overlay = back.overlay(checkout.repo);
        let now = Checkout::load(&overlay, &checkout.application.at, checkout.config)?;
        let mut delegations = now.application.delegations.iter();
        let Some(delegation) = delegations.find(|known| known.workload == delegation.workload) else {
            break;
        };
        let Some(transition) = abort(&now, delegation)? else {
            break;
        };
        back.append(&transition.change);
    }
    let lost: Vec<Diagnostic> = back
        .iter()
        .map(|file| not_given_back(file, "an aborted release"))
        .collect();
    if !lost.is_empty() {
        return Err(lost.into());
    }
    // What a release ships is its purpose, not a loss.
    let overlay = there.overlay(checkout.repo);
    let end = Checkout::load(&overlay, &checkout.application.at, checkout.config)?;
    let tag = delegation.stable.tag.clone().unwrap_or_default();
    there.append(&ChangeSet::new(crate::layout::set_tag(
        &end.application,
        &delegation.workload,
        &tag,
    )?));
    let lost: Vec<Diagnostic> = there
        .iter()
        .map(|file| not_given_back(file, "a release"))
        .collect();
    match lost.is_empty() {
        true => Ok(steps.len()),
        false => Err(lost.into()),
    }
}

/// The release file, with comments for the person who reads it.
fn release_text(application: &Application, delegation: &Delegation) -> Result<String, Diagnostic> {
    let text = |text: &Option<String>| text.as_deref().map(scalar);
    let steps: Vec<String> = delegation
        .steps
        .iter()
        .map(|step| step.percent().to_string())
        .collect();
    let context = context! {
        application => application.name.as_str(),
        workload => scalar(&delegation.workload),
        provider => delegation.controller.as_str(),
        stays => delegation.stays,
        repository => text(&delegation.stable.repository),
        tag => text(&delegation.stable.tag),
        canary_repository => text(&delegation.canary.repository),
        canary_tag => text(&delegation.canary.tag),
        steps => steps.join(", "),
    };
    fill(include_str!("../../../../templates/init/delegated.yaml"), context)
}
