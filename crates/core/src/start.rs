//! `init`: looks at an application, says why a canary can or cannot start, and writes the release file.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment as Templates, UndefinedBehavior, context};
use serde_json::Value;

use crate::change::ChangeSet;
use crate::checkout::Checkout;
use crate::delegated;
use crate::diagnostic::{Code, Diagnostic, Failure, Location};
use crate::flag::{self, Reading};
use crate::layout::{self, LayoutId};
use crate::manifest::Manifest;
use crate::model::{
    Application, Flag, FlagName, Form, Method, Order, PinnedImage, Release, Version, Weight, Workload,
};
use crate::phase::{Phase, Position};
use crate::plan::Step;
use crate::preview::{Pattern, Preview, RequestMatch};
use crate::provider::{CANARY_LABEL, ControllerId, ProviderId, VERSION_LABEL};
use crate::rehearsal::rehearse;
use crate::release_file;
use crate::schema::release::{DEFAULT_STEPS, check_tag, known_names, parse_steps};
use crate::standing::Standing;
use crate::transition::{Purpose, Transition};

/// What a user asks of `init`; what is left out is found by looking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartRequest {
    /// The workload to release.
    pub workload: Option<String>,
    /// The traffic system, by name.
    pub provider: Option<String>,
    /// The image that the stable version is pinned to.
    pub stable_tag: Option<String>,
    /// The image of the new version, where its copy runs it.
    pub canary_tag: Option<String>,
    /// What chooses between the versions, where both are in one image: `env:ENGINE=classic,rapid`.
    pub flag: Option<String>,
    /// Percent to the canary.
    pub steps: Option<Vec<u64>>,
    /// The requests that meet the canary before its share of the others grows.
    pub preview: Preview,
    /// Whether to take over a canary made by hand.
    pub adopt: bool,
}

/// A release that can start, and what was assumed.
#[derive(Debug)]
pub struct Start {
    /// The release file as a transition; `None` where it says this already.
    pub transition: Option<Transition>,
    /// What was found by looking, one sentence each.
    pub assumptions: Vec<String>,
}

/// Writes a release file for a workload.
///
/// Errors: every reason why a canary cannot start here, each with its place.
pub fn start(checkout: &Checkout<'_>, request: &StartRequest) -> Result<Start, Failure> {
    let application = &checkout.application;
    let controller = delegated::wanted(application, request);
    let workload = match controller {
        Some((_, Some(workload))) => workload,
        _ => choose_workload(application, request.workload.as_deref(), request.adopt)?,
    };
    let flag = request.flag.as_deref().map(flag::parse).transpose()?;
    if let Some((controller, _)) = controller {
        if flag.is_some() {
            let message = format!("with {} another image is the new version", controller.as_str());
            let unsupported = Diagnostic::error(Code::Unsupported, message);
            let hint = "leave --flag out, or take a provider whose routes tidegate writes";
            return Err(unsupported.hint(hint).into());
        }
        let mut started = delegated::start(checkout, controller, workload, request)?;
        let why = match request.workload {
            Some(_) => "as asked",
            None => "the only one that can be reached, or that the controller has",
        };
        let found = format!("workload `{}`: {why}", workload.key);
        started.assumptions.insert(0, found);
        return Ok(started);
    }
    let known = application
        .releases
        .iter()
        .find(|release| release.workload == workload.key);
    let provider = match known {
        Some(known) => known.provider,
        None => {
            not_given(application, workload)?;
            choose_provider(application, &workload.key, request.provider.as_deref())?
        }
    };
    if let Some(recorded) = known.filter(|release| release.origin.is_some()) {
        return already_recorded(recorded, request, flag.as_ref());
    }
    let mut assumptions = vec![format!(
        "workload `{}`: {}",
        workload.key,
        why_this(application, request)
    )];
    if provider.form() == Form::Replicas && request.provider.is_none() {
        assumptions.push("provider `replicas`: nothing routes, so numbers of pods are the shares".to_owned());
    }
    let release = match known {
        Some(made_by_hand) if flag.is_some() => {
            let message = format!(
                "workload `{}` is in a canary made by hand, which nothing says a flag of",
                made_by_hand.workload
            );
            let problem = Diagnostic::error(Code::Unsupported, message);
            let problem = problem.at(application.workloads[&made_by_hand.workload].origin.clone());
            return Err(problem
                .hint("end it first, or take it over as it is: tidegate init --adopt")
                .into());
        }
        Some(made_by_hand) => adopt(application, made_by_hand, request, &mut assumptions)?,
        None => {
            let mut release = match &flag {
                Some(flag) => one_image(workload, provider, flag, request, &mut assumptions)?,
                None => new_release(workload, provider, request, &mut assumptions)?,
            };
            let refused: Vec<Diagnostic> = provider
                .refused_preview(&release.preview)
                .map(|(_, wrong)| wrong)
                .collect();
            if !refused.is_empty() {
                return Err(refused.into());
            }
            let problems = refusals(application, workload, &release);
            if !problems.is_empty() {
                return Err(problems.into());
            }
            release.from_weight = provider.provider().own_weight(application, &release)?;
            release.from_replicas = provider.provider().own_replicas(application, &release);
            release
        }
    };
    let added = release_file::add(application, release_text(application, &release)?)?;
    let change = ChangeSet::new([added]);
    if known.is_none() {
        // A refusal further on is better told now than half-way.
        let ahead = rehearse(checkout, &change, &release)?;
        assumptions.extend(describe_plan(application, &release, &ahead));
    }
    let routes = Standing::of(application, &release).routes();
    let notices = layout::accidental_services(application, &release);
    let transition = Transition {
        workload: release.workload.clone(),
        system: release.provider.into(),
        has_flag: release.flag().is_some(),
        purpose: Purpose::Start,
        before: routes.clone(),
        after: routes,
        change,
        notices,
        proofs: indexmap::IndexMap::new(),
    };
    Ok(Start {
        transition: Some(transition),
        assumptions,
    })
}

fn choose_workload<'a>(
    application: &'a Application,
    wanted: Option<&str>,
    is_adopted: bool,
) -> Result<&'a Workload, Diagnostic> {
    let keys = || application.workloads.keys().map(String::as_str);
    if let Some(wanted) = wanted {
        return application.workloads.get(wanted).ok_or_else(|| {
            let found = Diagnostic::error(Code::UnknownName, format!("there is no workload `{wanted}`"));
            known_names(found, wanted, keys().collect::<Vec<_>>().into_iter())
        });
    }
    let is_released = |workload: &Workload| {
        application
            .releases
            .iter()
            .any(|release| release.workload == workload.key && release.origin.is_some())
    };
    let by_hand: Vec<&Release> = application
        .releases
        .iter()
        .filter(|release| release.origin.is_none())
        .collect();
    if let ([only], true) = (by_hand.as_slice(), is_adopted) {
        return Ok(&application.workloads[&only.workload]);
    }
    let exposed: Vec<&Workload> = application
        .workloads
        .values()
        .filter(|workload| workload.is_exposed)
        .collect();
    let free: Vec<&Workload> = exposed
        .iter()
        .copied()
        .filter(|workload| !is_released(workload))
        .collect();
    match (free.as_slice(), exposed.as_slice()) {
        ([only], _) | ([], [only]) => Ok(only),
        ([], []) if application.workloads.is_empty() => Err(Diagnostic::error(
            Code::CanaryImpossible,
            "there is no Deployment here, and a release copies one",
        )
        .hint("other kinds, such as a StatefulSet, cannot be released by tidegate")),
        ([], []) => Err(Diagnostic::error(
            Code::CanaryImpossible,
            "nothing reaches a workload from outside, so there is no traffic to split",
        )
        .hint(format!(
            "a canary needs {} on the workload that serves the traffic",
            application.layout.exposure()
        ))),
        _ => {
            let names: Vec<&str> = exposed.iter().map(|workload| workload.key.as_str()).collect();
            Err(Diagnostic::error(
                Code::AmbiguousRelease,
                format!("several workloads can be reached: {}", names.join(", ")),
            )
            .hint(format!("name one: tidegate init --workload {}", names[0])))
        }
    }
}

fn why_this(application: &Application, request: &StartRequest) -> &'static str {
    let exposed = application
        .workloads
        .values()
        .filter(|workload| workload.is_exposed)
        .count();
    match (&request.workload, exposed) {
        _ if request.adopt => "in a canary made by hand",
        (Some(_), _) => "as asked",
        (None, 1) => "the only one that can be reached",
        (None, _) => "the only one that can be reached and has no release",
    }
}

/// Routes that a release writes and a controller that moves the requests are two writers.
fn not_given(application: &Application, workload: &Workload) -> Result<(), Diagnostic> {
    let mut given = delegated::given(application).into_iter();
    let Some((_, controller)) = given.find(|(key, _)| *key == workload.key) else {
        return Ok(());
    };
    let (name, key) = (controller.as_str(), &workload.key);
    let message = format!("{name} has `{key}` and moves its requests");
    let problem = Diagnostic::error(Code::CanaryImpossible, message).at(workload.origin.clone());
    Err(problem.hint(format!("let it: tidegate init --provider {name}")))
}

/// The traffic system as asked for, or the one that takes requests to the workload.
fn choose_provider(
    application: &Application,
    workload: &str,
    wanted: Option<&str>,
) -> Result<ProviderId, Diagnostic> {
    let layout = application.layout;
    let fitting = || {
        ProviderId::ALL
            .iter()
            .copied()
            .filter(|id| layout.carries(id.form()))
    };
    let names = || fitting().map(ProviderId::as_str).collect::<Vec<_>>();
    let used_somewhere = || {
        let mut environments = application.environments.keys();
        environments.find_map(|name| fitting().find(|id| id.provider().is_used(application, workload, name)))
    };
    if let Some(wanted) = wanted {
        let found = ProviderId::parse(wanted).ok_or_else(|| {
            let found = Diagnostic::error(Code::UnknownName, format!("unknown provider `{wanted}`"));
            let controllers = ControllerId::ALL.iter().map(|id| id.as_str());
            known_names(found, wanted, names().into_iter().chain(controllers))
        })?;
        if !layout.carries(found.form()) {
            let layout = layout.as_str();
            let message = format!("the provider {wanted} cannot be used in the layout {layout}");
            let unsupported = Diagnostic::error(Code::Unsupported, message);
            return Err(unsupported.hint(format!("use one of these: {}", names().join(", "))));
        }
        // Numbers of pods are the shares only where nothing routes.
        return match used_somewhere() {
            Some(used) if found == ProviderId::Replicas => {
                let used = used.as_str();
                let message = format!("{used} takes requests to workload `{workload}`, whatever its pods");
                let problem = Diagnostic::error(Code::CanaryImpossible, message);
                Err(problem.hint(format!("let it split them: tidegate init --provider {used}")))
            }
            _ => Ok(found),
        };
    }
    if let [only] = fitting().collect::<Vec<_>>().as_slice() {
        return Ok(*only);
    }
    let used = fitting().filter(|id| id.is_used_everywhere(application, workload));
    match used.collect::<Vec<_>>().as_slice() {
        [only] => Ok(*only),
        // Then a Service spreads the requests over its pods.
        [] if layout.carries(Form::Replicas) && used_somewhere().is_none() => Ok(ProviderId::Replicas),
        [] => {
            let message = format!("no route takes requests to workload `{workload}` in every environment");
            let problem = Diagnostic::error(Code::CanaryImpossible, message);
            Err(problem.hint(format!(
                "say what splits the traffic: tidegate init --provider {}",
                names().join("|")
            )))
        }
        several => {
            let several: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            let message = format!(
                "several traffic systems route to `{workload}`: {}",
                several.join(", ")
            );
            let problem = Diagnostic::error(Code::AmbiguousRelease, message);
            Err(problem.hint(format!("name one: tidegate init --provider {}", several[0])))
        }
    }
}

/// `init` a second time changes nothing; asking for something else is told where to write it.
fn already_recorded(
    recorded: &Release,
    request: &StartRequest,
    flag: Option<&Flag>,
) -> Result<Start, Failure> {
    let tag_differs = request.stable_tag.is_some() && request.stable_tag != recorded.stable.tag;
    let steps = request.steps.as_deref().map(parse_steps).transpose()?;
    let steps_differ = steps.is_some_and(|steps| steps != recorded.steps);
    let preview_differs = !request.preview.is_empty() && request.preview != recorded.preview;
    let chooses = |flag: &Flag| (flag.name.clone(), flag.stable.clone(), flag.canary.clone());
    let flag_differs = flag.is_some() && flag.map(chooses) != recorded.flag().map(chooses);
    if !tag_differs && !steps_differ && !preview_differs && !flag_differs {
        let found = format!(
            "workload `{}` has a release already: nothing to write",
            recorded.workload
        );
        return Ok(Start {
            transition: None,
            assumptions: vec![found],
        });
    }
    let message = format!("workload `{}` has a release already", recorded.workload);
    let problem = Diagnostic::error(Code::NotInThisPhase, message);
    let problem = match &recorded.origin {
        Some(origin) => problem.at(origin.clone()),
        None => problem,
    };
    if flag_differs {
        return Err(problem
            .hint("a release keeps its flag: `tidegate abort` ends this one, then start another")
            .into());
    }
    Err(match tag_differs {
        true => problem.hint("move the pin of a running canary with `tidegate hotfix --stable-tag TAG`"),
        false if steps_differ => problem.hint("edit `steps` there"),
        false => problem.hint("edit `match` and `mirror` there"),
    }
    .into())
}

fn new_release(
    workload: &Workload,
    provider: ProviderId,
    request: &StartRequest,
    assumptions: &mut Vec<String>,
) -> Result<Release, Failure> {
    let image = workload.image.as_ref();
    let from_tag = image.and_then(|image| image.tag.clone());
    let tag = match (&request.stable_tag, &from_tag) {
        (Some(tag), Some(runs)) if provider.form() != Form::Subsets && tag != runs => {
            let message = format!(
                "`{}` itself is the stable version, and runs `{runs}`",
                workload.key
            );
            let problem = Diagnostic::error(Code::CanaryImpossible, message).at(workload.origin.clone());
            return Err(problem
                .hint("leave --stable-tag out, or let it run that image first")
                .into());
        }
        (Some(tag), from) if from.is_some() || provider.form() == Form::Subsets => {
            assumptions.push(format!("stable image: `{tag}`, as asked"));
            tag.clone()
        }
        (None, Some(tag)) => {
            assumptions.push(format!(
                "stable image: `{tag}`, the one in the files; --stable-tag pins another, best a digest"
            ));
            tag.clone()
        }
        _ => {
            let message = format!(
                "workload `{}` names no image tag to keep as the stable version",
                workload.key
            );
            let problem = Diagnostic::error(Code::CanaryImpossible, message).at(workload.origin.clone());
            let hint = match provider.form() {
                Form::Subsets => "name the last image of the old version: tidegate init --stable-tag TAG",
                Form::Backends | Form::Pinned | Form::Replicas => {
                    "write the tag that runs now behind its image first"
                }
            };
            return Err(problem.hint(hint).into());
        }
    };
    if let Some(wrong) = check_tag(&tag) {
        return Err(wrong.into());
    }
    let canary = new_image(workload, provider.form().copy_runs(), request, assumptions)?;
    Ok(Release {
        stable: PinnedImage {
            repository: image.and_then(|image| image.repository.clone()),
            tag: Some(tag),
        },
        canary,
        from_tag,
        ..begun(workload, provider, Method::Succession, request)?
    })
}

/// A release whose versions are in one image.
fn one_image(
    workload: &Workload,
    provider: ProviderId,
    flag: &Flag,
    request: &StartRequest,
    assumptions: &mut Vec<String>,
) -> Result<Release, Failure> {
    if request.stable_tag.is_some() || request.canary_tag.is_some() {
        let message = "with a flag both versions run the image that the workload says";
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        return Err(problem
            .hint("leave --stable-tag and --canary-tag out, or --flag")
            .into());
    }
    let Flag {
        name, stable, canary, ..
    } = flag;
    assumptions.push(format!(
        "both versions are in one image: `{name}` is `{stable}` for the old one and `{canary}` for the new one, as asked"
    ));
    assumptions.push(format!(
        "at the end `{name}` stays with the new value; `without: canary` in the release file takes it out"
    ));
    Ok(begun(
        workload,
        provider,
        Method::Coexistence(flag.clone()),
        request,
    )?)
}

/// A release of which nothing is known of the files yet.
fn begun(
    workload: &Workload,
    provider: ProviderId,
    method: Method,
    request: &StartRequest,
) -> Result<Release, Diagnostic> {
    let copy_runs = provider.form().copy_runs();
    let steps = match &request.steps {
        Some(steps) => parse_steps(steps)?,
        None => DEFAULT_STEPS
            .iter()
            .filter_map(|step| Weight::new((*step).into()))
            .collect(),
    };
    Ok(Release {
        copy: Release::copy_name(&workload.key, copy_runs),
        workload: workload.key.clone(),
        copy_runs,
        method,
        provider,
        stable: PinnedImage::default(),
        canary: PinnedImage::default(),
        from_tag: None,
        order: Order::Any,
        from_weight: None,
        from_replicas: indexmap::IndexMap::new(),
        steps,
        environment_steps: indexmap::IndexMap::new(),
        preview: request.preview.clone(),
        environment_previews: indexmap::IndexMap::new(),
        origin: None,
    })
}

/// Whether a spec says a flag among keys that nothing here makes a container of.
fn is_passed_on(application: &Application, flag: &Flag, workload: &Workload) -> bool {
    let stream = application.files.get(&workload.origin.file);
    let document = stream.and_then(|stream| stream.documents().get(workload.origin.document()?));
    let spec = document.and_then(|document| workload.origin.pointer()?.resolve(document.value()).ok());
    spec.is_some_and(|spec| !flag::said_in_spec(&flag.name, spec).is_empty())
}

/// A flag that cannot be flipped, or that does not say what serves now.
fn wrong_flag(
    application: &Application,
    flag: &Flag,
    environment: &str,
    workload: &Workload,
) -> Option<Diagnostic> {
    let deployment = application.deployed(environment, &workload.key, "apps", "Deployment")?;
    let reading = Reading::of(flag, deployment);
    let mut problem = match &reading {
        Reading::Version(Version::Stable) => return None,
        Reading::Version(Version::Canary) => {
            let message = format!(
                "`{}` says `{}` for `{}` already",
                workload.key, flag.canary, flag.name
            );
            let hint = format!(
                "let it run the old version first, or name the values in the order old,new: write `{}`",
                flag.stable
            );
            Diagnostic::error(Code::CanaryImpossible, message).hint(hint)
        }
        Reading::Unsaid => {
            let problem = flag::unsaid(flag, &workload.key, deployment);
            match is_passed_on(application, flag, workload) {
                true => problem.hint(format!(
                    "`{}` of the spec is not rendered: say it in a patch of the Deployment",
                    flag.name
                )),
                false => problem,
            }
        }
        Reading::Other(_) | Reading::Unclear(_) => {
            let mut problem = reading.wrong(flag, &workload.key)?;
            problem.code = Code::CanaryImpossible;
            problem
        }
    };
    problem.message = format!("{}, in {environment}", problem.message);
    Some(problem.at(flag::place(flag, deployment)))
}

/// The image of the new version, where the copy runs it.
pub(crate) fn new_image(
    workload: &Workload,
    copy_runs: Version,
    request: &StartRequest,
    assumptions: &mut Vec<String>,
) -> Result<PinnedImage, Diagnostic> {
    let image = workload.image.as_ref();
    match (copy_runs, &request.canary_tag) {
        (Version::Stable, None) => Ok(PinnedImage::default()),
        (Version::Stable, Some(_)) => Err(Diagnostic::error(
            Code::Unsupported,
            "here the workload itself gets the new version, as your pipeline ships it",
        )
        .hint("leave --canary-tag out; --stable-tag pins the old version")),
        (Version::Canary, None) => Err(Diagnostic::error(
            Code::CanaryImpossible,
            format!("which image of `{}` is the new version?", workload.key),
        )
        .hint("name it: tidegate init --canary-tag TAG")),
        (Version::Canary, Some(tag)) => {
            if let Some(wrong) = check_tag(tag) {
                return Err(wrong);
            }
            if image.is_some_and(|image| image.tag.as_ref() == Some(tag)) {
                let message = format!("`{}` runs `{tag}` already", workload.key);
                return Err(Diagnostic::error(Code::CanaryImpossible, message).hint("name another image"));
            }
            assumptions.push(format!("new version: `{tag}`, as asked"));
            Ok(PinnedImage {
                repository: image.and_then(|image| image.repository.clone()),
                tag: Some(tag.clone()),
            })
        }
    }
}

/// Takes over a canary made by hand: the files stay as they are, the intent is written down.
fn adopt(
    application: &Application,
    made_by_hand: &Release,
    request: &StartRequest,
    assumptions: &mut Vec<String>,
) -> Result<Release, Failure> {
    let standing = Standing::of(application, made_by_hand);
    if !request.adopt {
        let message = format!(
            "workload `{}` is in a canary already, made by hand",
            made_by_hand.workload
        );
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        let problem = problem.at(application.workloads[&made_by_hand.workload].origin.clone());
        return Err(problem
            .hint("take it over with `tidegate init --adopt`, or look at it with `tidegate status`")
            .into());
    }
    if let Position::Ambiguous(one, other) = standing.position {
        let message = format!("this canary may be in {one} or in {other}: the files look the same");
        let problem = Diagnostic::error(Code::AmbiguousPhase, message);
        return Err(problem
            .hint("run `tidegate next --to park` or `--to retire` first, then take it over")
            .into());
    }
    let mut release = made_by_hand.clone();
    if let Some(steps) = &request.steps {
        release.steps = parse_steps(steps)?;
    }
    release.preview = request.preview.clone();
    let refused = release
        .provider
        .refused_preview(&release.preview)
        .map(|(_, wrong)| wrong);
    let refused: Vec<Diagnostic> = refused.collect();
    if !refused.is_empty() {
        return Err(refused.into());
    }
    if let Some(tag) = &request.stable_tag {
        release.stable.tag = Some(tag.clone());
    }
    release.from_tag.clone_from(&release.stable.tag);
    if release.stable.tag.is_none() {
        let message = "the stable version's image is not in the files any more";
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        return Err(problem
            .hint("name it: tidegate init --adopt --stable-tag TAG")
            .into());
    }
    assumptions.push("a canary made by hand is taken over as it is".to_owned());
    Ok(release)
}

/// Everything that stands against a canary, whatever the traffic system.
fn refusals(application: &Application, workload: &Workload, release: &Release) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let at = || workload.origin.clone();
    if !workload.is_exposed {
        let message = format!(
            "workload `{}` cannot be reached, so there is no traffic to split",
            workload.key
        );
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(at());
        let exposure = application.layout.exposure();
        problems.push(problem.hint(format!(
            "a canary needs {exposure} on the workload that serves the traffic"
        )));
        return problems;
    }
    if let Some(taken) = application.workloads.get(&release.copy) {
        let message = format!("the copy would be called `{}`, which is taken", release.copy);
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(taken.origin.clone());
        problems.push(problem.hint("rename that workload first"));
    }
    problems.extend(taken_names(application));
    for name in application.environments.keys() {
        let Some(deployment) = application.deployed(name, &workload.key, "apps", "Deployment") else {
            continue;
        };
        if release.provider.form() == Form::Subsets {
            problems.extend(own_labels(workload, deployment));
        }
        if let Some(flag) = release.flag() {
            problems.extend(wrong_flag(application, flag, name, workload));
        }
        problems.extend(no_ready_pod(application, name, workload, deployment));
        problems.extend(other_container(workload, deployment));
        let longest = format!("{}-{}", deployment.object.name, release.copy_runs.label());
        if longest.len() > 63 {
            let message = format!(
                "the copy's name `{longest}` has {} characters, more than 63",
                longest.len()
            );
            problems.push(
                Diagnostic::error(Code::InvalidName, message)
                    .at(at())
                    .hint("shorten the workload's name"),
            );
        }
    }
    problems.extend(release.provider.provider().check_start(application, release));
    problems.dedup();
    problems
}

/// Files that have the names of ours although no release runs: they would be taken for ours and removed.
fn taken_names(application: &Application) -> Vec<Diagnostic> {
    let beginning = match application.layout {
        LayoutId::Gap => "neither `gap_canary_` nor `gap_patch_canary_`",
        LayoutId::Kustomize | LayoutId::Manifests => "not `tidegate-canary-`",
    };
    if !application.releases.is_empty() {
        return Vec::new();
    }
    let taken = |file| {
        Diagnostic::error(
            Code::CanaryImpossible,
            "this file has the name of one that a release writes and removes",
        )
        .at(Location::file(file))
        .hint(format!("rename it, so that its name begins {beginning}"))
    };
    application.owned.iter().map(taken).collect()
}

/// Labels of the user's own where ours must go.
fn own_labels(workload: &Workload, deployment: &Manifest) -> Vec<Diagnostic> {
    let carried = deployment.pod_labels();
    let taken = [VERSION_LABEL, CANARY_LABEL]
        .into_iter()
        .filter(|label| carried.is_some_and(|pods| pods.contains_key(*label)));
    taken
        .map(|label| {
            let message = format!(
                "the pods of `{}` carry a label `{label}` of their own",
                workload.key
            );
            let at = match workload.pod_labels.contains_key(label) {
                true => workload.origin.below(&["podLabels", label]),
                false => workload.origin.clone(),
            };
            Diagnostic::error(Code::CanaryImpossible, message)
                .at(at)
                .hint(format!(
                    "a canary needs the label `{label}` for itself: rename yours first"
                ))
        })
        .collect()
}

/// The image of a release is that of the first container: a sidecar before it would get the new version.
fn other_container(workload: &Workload, deployment: &Manifest) -> Option<Diagnostic> {
    let containers = deployment
        .value
        .pointer("/spec/template/spec/containers")?
        .as_array()?;
    let is_called_so = |container: &&Value| {
        let name = container.get("name").and_then(Value::as_str);
        let rest = name.and_then(|name| workload.key.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let (first, others) = containers.split_first()?;
    let main = others
        .iter()
        .find(is_called_so)
        .filter(|_| !is_called_so(&first))?;
    let name = |container: &Value| Some(container.get("name")?.as_str()?.to_owned());
    let (main, first) = (name(main)?, name(first)?);
    let message = format!(
        "the first container of `{}` is `{first}`, not `{main}`",
        workload.key
    );
    let at = ["spec", "template", "spec", "containers", "0"];
    Some(
        Diagnostic::error(Code::CanaryImpossible, message)
            .at(deployment.origin.below(&at))
            .hint(format!(
                "a release changes the image of the first: put `{main}` there"
            )),
    )
}

/// A rollout that may leave no pod ready drops requests whatever the routes say.
///
/// Source: Kubernetes, Deployment `strategy`: `Recreate`, `maxUnavailable` (a percentage is rounded down).
fn no_ready_pod(
    application: &Application,
    environment: &str,
    workload: &Workload,
    deployment: &Manifest,
) -> Option<Diagnostic> {
    let strategy = deployment.value.pointer("/spec/strategy");
    let kind = strategy
        .and_then(|strategy| strategy.get("type"))
        .and_then(Value::as_str);
    let unavailable = strategy.and_then(|strategy| strategy.pointer("/rollingUpdate/maxUnavailable"));
    let floor = floor(application, environment, &workload.key);
    let reason = match (kind, unavailable) {
        (Some("Recreate"), _) => "stops all pods before it starts new ones (strategy Recreate)".to_owned(),
        (_, Some(Value::String(percent))) if percent == "100%" => {
            "may leave no pod ready (maxUnavailable 100%)".to_owned()
        }
        (_, Some(Value::Number(count))) if floor.is_some_and(|floor| count.as_u64() >= Some(floor)) => {
            format!(
                "may leave no pod ready (maxUnavailable {count} of {})",
                floor.unwrap_or_default()
            )
        }
        _ => return None,
    };
    let message = format!("the rollout of `{}` in {environment} {reason}", workload.key);
    let at = match application.layout {
        LayoutId::Gap => &workload.origin,
        LayoutId::Kustomize | LayoutId::Manifests => &deployment.origin,
    };
    let problem = Diagnostic::error(Code::CanaryImpossible, message).at(at.clone());
    Some(problem.hint("give it a rolling update with maxUnavailable 0 first"))
}

/// The fewest pods a workload runs with: the HPA's minimum, else the Deployment's replicas (1 where not said).
pub fn floor(application: &Application, environment: &str, workload: &str) -> Option<u64> {
    let deployment = application.deployed(environment, workload, "apps", "Deployment")?;
    let scaled = application.deployed(environment, workload, "autoscaling", "HorizontalPodAutoscaler");
    let floor = scaled.and_then(|scaled| scaled.value.pointer("/spec/minReplicas")?.as_u64());
    floor
        .or_else(|| deployment.value.pointer("/spec/replicas").and_then(Value::as_u64))
        .or(Some(1))
}

fn describe_plan(application: &Application, release: &Release, ahead: &[Step]) -> Vec<String> {
    let hosts = |name: &String| {
        let hosts = release.provider.provider().hosts(application, release, name);
        format!("{name} ({})", hosts.join(", "))
    };
    let environments: Vec<String> = application.environments.keys().map(hosts).collect();
    let mut described = vec![format!("environments: {}", environments.join(", "))];
    let split = ahead
        .iter()
        .find(|step| step.transition.purpose == Purpose::Enter(Phase::Split));
    let copied = split.into_iter().flat_map(|step| step.transition.change.iter());
    let copied: Vec<&str> = copied
        .map(|change| change.path.as_str())
        .filter(|path| path.ends_with("_copy.yaml"))
        .collect();
    if !copied.is_empty() {
        described.push(format!(
            "what is aimed at the workload's pods will be copied into {}",
            copied.join(", ")
        ));
    }
    described.push(format!(
        "{} commits from here to a tidy repository; `tidegate plan` shows them",
        ahead.len()
    ));
    described
}

/// The release file, with comments for the person who reads it.
fn release_text(application: &Application, release: &Release) -> Result<String, Diagnostic> {
    let steps: Vec<u8> = release.steps.iter().map(|step| step.percent()).collect();
    let matches: Vec<String> = release.preview.matches.iter().map(match_text).collect();
    let mirror = release.preview.mirror.map(Weight::percent);
    if let Some(flag) = release.flag() {
        let (kind, name) = match &flag.name {
            FlagName::Env(name) => ("env", name),
            FlagName::Arg(name) => ("arg", name),
        };
        let context = context! {
            application => application.name.as_str(),
            workload => scalar(&release.workload),
            copy_name => release.copy.as_str(),
            provider => release.provider.as_str(),
            copy => release.copy_runs.to_string(),
            kind,
            name => scalar(name),
            stable => scalar(&flag.stable),
            canary => scalar(&flag.canary),
            from_weight => release.from_weight,
            from_replicas => replicas_text(&release.from_replicas),
            steps => steps.iter().map(u8::to_string).collect::<Vec<_>>().join(", "),
            matches,
            mirror,
        };
        return fill(include_str!("../../../templates/init/coexistence.yaml"), context);
    }
    let context = context! {
        application => application.name.as_str(),
        workload => scalar(&release.workload),
        copy_name => release.copy.as_str(),
        provider => release.provider.as_str(),
        repository => release.stable.repository.as_deref().map(scalar),
        tag => release.stable.tag.as_deref().map(scalar),
        copy => release.copy_runs.to_string(),
        canary_repository => release.canary.repository.as_deref().map(scalar),
        canary_tag => release.canary.tag.as_deref().map(scalar),
        from_tag => release.from_tag.as_deref().map(scalar),
        from_weight => release.from_weight,
        from_replicas => replicas_text(&release.from_replicas),
        steps => steps.iter().map(u8::to_string).collect::<Vec<_>>().join(", "),
        matches,
        mirror,
    };
    fill(include_str!("../../../templates/init/tidegate.yaml"), context)
}

/// A release file from its template.
pub(crate) fn fill(template: &str, context: minijinja::Value) -> Result<String, Diagnostic> {
    let mut templates = Templates::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    let failed = |error: minijinja::Error| Diagnostic::error(Code::TemplateFailed, error.to_string());
    templates.set_syntax(syntax.map_err(failed)?);
    templates.render_str(template, context).map_err(failed)
}

/// Numbers of pods as a map of YAML on one line; `None` where there are none.
fn replicas_text(replicas: &indexmap::IndexMap<String, u64>) -> Option<String> {
    let entry = |(name, count): (&String, &u64)| format!("{}: {count}", scalar(name));
    let entries: Vec<String> = replicas.iter().map(entry).collect();
    (!entries.is_empty()).then(|| format!("{{{}}}", entries.join(", ")))
}

/// One kind of requests as YAML on one line: `headers: {end-user: {exact: jason}}`.
fn match_text(matched: &RequestMatch) -> String {
    let pattern = |pattern: &Pattern| {
        let (kind, text) = pattern.parts();
        format!("{{{kind}: {}}}", in_flow(text))
    };
    let RequestMatch { headers, cookie, uri } = matched;
    let headers = headers
        .iter()
        .map(|(name, value)| format!("headers: {{{}: {}}}", in_flow(name), pattern(value)));
    let cookie = cookie
        .iter()
        .map(|(name, value)| format!("cookies: {{{}: {}}}", in_flow(name), in_flow(value)));
    let uri = uri.iter().map(|uri| format!("uri: {}", pattern(uri)));
    headers.chain(cookie).chain(uri).collect::<Vec<_>>().join(", ")
}

/// A string as YAML data between braces, where more must be quoted.
fn in_flow(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_/.".contains(letter);
    match text.chars().all(is_plain) {
        true => scalar(text),
        false => Value::String(text.to_owned()).to_string(),
    }
}

/// A string as YAML data: quoted exactly when it must be.
pub(crate) fn scalar(text: &str) -> String {
    tidegate_yaml::print(&Value::String(text.to_owned()))
        .trim_end()
        .to_owned()
}
