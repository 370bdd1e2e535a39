//! `gap/tidegate.yaml`: the releases in progress: intent, and the facts about their start that the files lose.
//!
//! What a release needs while it runs (weights, labels, the pin) is in the manifests and nowhere else;
//! here stands only what cannot be read from them.

use indexmap::{IndexMap, IndexSet};
use serde::Deserialize;
use tidegate_yaml::Stream;

use super::deserialize;
use super::preview::{MatchEntry, preview};
use crate::diagnostic::{Code, Diagnostic, Location, nearest};
use crate::flag;
use crate::model::{Delegation, Flag, FlagName, Method, Order, PinnedImage, Release, Version, Weight};
use crate::preview::Preview;
use crate::provider::{ControllerId, ProviderId, System};
use crate::repo::RepoPath;

/// The `apiVersion` of a release file.
pub const API_VERSION: &str = "tidegate.dev/v1";

/// The name of the release file in an application's folder.
pub const FILE_NAME: &str = "tidegate.yaml";

/// The weights a canary takes where the release file names none, in percent.
pub const DEFAULT_STEPS: [u8; 5] = [1, 5, 25, 50, 100];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ReleaseFile {
    api_version: String,
    releases: Vec<ReleaseEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseEntry {
    workload: String,
    #[serde(default = "default_provider")]
    provider: String,
    #[serde(default)]
    copy: CopyEntry,
    #[serde(default)]
    method: MethodEntry,
    flag: Option<FlagEntry>,
    #[serde(default)]
    stable: StableEntry,
    canary: Option<CanaryEntry>,
    controller: Option<ControllerEntry>,
    steps: Option<Vec<u64>>,
    #[serde(rename = "match")]
    matches: Option<Vec<MatchEntry>>,
    mirror: Option<u64>,
    sticky: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    order: OrderEntry,
    #[serde(default)]
    environments: IndexMap<String, EnvironmentEntry>,
}

/// What becomes of a controller at the end of the release.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum ControllerEntry {
    Leaves,
    Stays,
}

fn default_provider() -> String {
    ProviderId::Istio.as_str().to_owned()
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum CopyEntry {
    #[default]
    Stable,
    Canary,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum MethodEntry {
    #[default]
    Succession,
    Coexistence,
}

/// What chooses between the versions; exactly one of `env` and `arg`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlagEntry {
    env: Option<String>,
    arg: Option<String>,
    stable: String,
    canary: String,
    #[serde(default)]
    without: CopyEntry,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum OrderEntry {
    #[default]
    Any,
    ArgoCd,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct StableEntry {
    image: Option<ImageEntry>,
    #[serde(default)]
    from: FromEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CanaryEntry {
    image: ImageEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageEntry {
    repository: Option<String>,
    tag: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FromEntry {
    tag: Option<String>,
    weight: Option<u64>,
    #[serde(default)]
    replicas: IndexMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentEntry {
    steps: Option<Vec<u64>>,
    #[serde(rename = "match")]
    matches: Option<Vec<MatchEntry>>,
    mirror: Option<u64>,
}

/// Reads the releases of a release file.
///
/// Errors: everything wrong with the file, each with its place. Whether workloads and environments exist is
/// checked by [`check_names`], once the application is known.
pub fn parse(file: &RepoPath, stream: &Stream) -> Result<Vec<Release>, Vec<Diagnostic>> {
    let entries = entries(file, stream)?.into_iter();
    let routed = entries.filter(|(_, entry)| ControllerId::parse(&entry.provider).is_none());
    collected(routed.map(|(at, entry)| release(entry, at)))
}

/// Reads those releases of a release file whose requests a controller moves; [`parse`] reads the others.
///
/// Errors: everything wrong with them, each with its place.
pub fn delegations(file: &RepoPath, stream: &Stream) -> Result<Vec<Delegation>, Vec<Diagnostic>> {
    let entries = entries(file, stream)?.into_iter();
    let delegated =
        entries.filter_map(|(at, entry)| Some((at, ControllerId::parse(&entry.provider)?, entry)));
    collected(delegated.map(|(at, controller, entry)| delegation(entry, controller, at)))
}

/// All of them, or everything wrong with any.
fn collected<T>(items: impl Iterator<Item = Result<T, Vec<Diagnostic>>>) -> Result<Vec<T>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for item in items {
        match item {
            Ok(item) => found.push(item),
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems)
    }
}

fn entries(file: &RepoPath, stream: &Stream) -> Result<Vec<(Location, ReleaseEntry)>, Vec<Diagnostic>> {
    let mut documents = stream
        .documents()
        .iter()
        .enumerate()
        .filter(|(_, document)| !document.is_empty());
    let Some((index, document)) = documents.next() else {
        let empty =
            Diagnostic::error(Code::InvalidValue, "the release file is empty").at(Location::file(file));
        return Err(vec![empty.hint("delete it, or write one with `tidegate init`")]);
    };
    if let Some((second, _)) = documents.next() {
        let extra = Diagnostic::error(Code::InvalidValue, "a release file holds one document");
        return Err(vec![extra.at(Location::value(file, second, &[]))]);
    }
    let top = Location::value(file, index, &[]);
    let file: ReleaseFile = deserialize(&top, document.value()).map_err(|diagnostic| vec![diagnostic])?;
    if file.api_version != API_VERSION {
        let message = format!("unknown apiVersion `{}`", file.api_version);
        let wrong = Diagnostic::error(Code::InvalidValue, message).at(top.below(&["apiVersion"]));
        return Err(vec![wrong.hint(format!("write `apiVersion: {API_VERSION}`"))]);
    }
    let mut entries: Vec<(Location, ReleaseEntry)> = Vec::new();
    let mut problems = Vec::new();
    for (position, entry) in file.releases.into_iter().enumerate() {
        let at = top.below(&["releases", &position.to_string()]);
        if entries.iter().any(|(_, other)| other.workload == entry.workload) {
            let message = format!("workload `{}` is released twice", entry.workload);
            problems.push(Diagnostic::error(Code::InvalidValue, message).at(at.below(&["workload"])));
        }
        entries.push((at, entry));
    }
    if problems.is_empty() {
        Ok(entries)
    } else {
        Err(problems)
    }
}

fn delegation(
    entry: ReleaseEntry,
    controller: ControllerId,
    at: Location,
) -> Result<Delegation, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let tag = |version: &str| at.below(&[version, "image", "tag"]);
    let stable = entry.stable.image;
    match &stable {
        Some(image) => problems.extend(check_tag(&image.tag).map(|problem| problem.at(tag("stable")))),
        None => problems.push(no_stable_image(&at)),
    }
    let canary = entry.canary.map(|canary| canary.image);
    match &canary {
        Some(image) => problems.extend(check_tag(&image.tag).map(|problem| problem.at(tag("canary")))),
        None => {
            let missing = Diagnostic::error(Code::InvalidValue, "the key `canary` is missing").at(at.clone());
            problems.push(missing.hint("name the new image: `canary: {image: {tag: TAG}}`"));
        }
    }
    if entry.method == MethodEntry::Coexistence {
        let message = format!("with {} the new image is the new version", controller.as_str());
        let wrong = Diagnostic::error(Code::Unsupported, message).at(at.below(&["method"]));
        problems.push(wrong.hint("write `method: succession`, or leave the key out"));
    }
    if matches!(entry.order, OrderEntry::ArgoCd) {
        let message = format!("a release that is left to {} needs no order", controller.as_str());
        let wrong = Diagnostic::error(Code::Unsupported, message).at(at.below(&["order"]));
        problems.push(wrong.hint("leave the key out: each of its commits is safe in any order"));
    }
    let own = entry.environments.iter().map(|(name, environment)| {
        let at = at.below(&["environments", name]);
        (at, environment.matches.is_some(), environment.mirror.is_some())
    });
    let usual = (at.clone(), entry.matches.is_some(), entry.mirror.is_some());
    for (at, has_matches, has_mirror) in std::iter::once(usual).chain(own) {
        for (key, _) in [("match", has_matches), ("mirror", has_mirror)]
            .iter()
            .filter(|(_, has)| *has)
        {
            let message = format!(
                "{} chooses by itself who meets the new version",
                controller.as_str()
            );
            let wrong = Diagnostic::error(Code::Unsupported, message).at(at.below(&[key]).as_key());
            problems.push(wrong.hint("say it in the object of the controller, which is yours to edit"));
        }
    }
    if entry.sticky.is_some() {
        problems.push(not_sticky().at(at.below(&["sticky"]).as_key()));
    }
    let steps = |steps: Option<Vec<u64>>, at: Location, problems: &mut Vec<Diagnostic>| {
        let steps = steps.unwrap_or_else(|| DEFAULT_STEPS.map(u64::from).to_vec());
        parse_steps(&steps).unwrap_or_else(|problem| {
            problems.push(problem.at(at));
            vec![Weight::FULL]
        })
    };
    let own = entry.environments.into_iter().filter_map(|(name, environment)| {
        let said = environment.steps?;
        let at = at.below(&["environments", &name, "steps"]);
        Some((name, steps(Some(said), at, &mut problems)))
    });
    let environment_steps = own.collect();
    let steps = steps(entry.steps, at.below(&["steps"]), &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let pinned = |image: ImageEntry| PinnedImage {
        repository: image.repository,
        tag: Some(image.tag),
    };
    Ok(Delegation {
        workload: entry.workload,
        controller,
        stays: entry.controller == Some(ControllerEntry::Stays),
        stable: stable.map_or_else(PinnedImage::default, pinned),
        canary: canary.map_or_else(PinnedImage::default, pinned),
        steps,
        environment_steps,
        origin: at,
    })
}

fn release(entry: ReleaseEntry, at: Location) -> Result<Release, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let provider = ProviderId::parse(&entry.provider).unwrap_or_else(|| {
        let message = format!("unknown provider `{}`", entry.provider);
        let found = Diagnostic::error(Code::UnknownName, message).at(at.below(&["provider"]));
        problems.push(known_names(found, &entry.provider, System::names()));
        ProviderId::Istio
    });
    if entry.controller.is_some() {
        let message = format!("no controller moves the requests of `{}`", provider.as_str());
        let wrong = Diagnostic::error(Code::UnknownKey, message).at(at.below(&["controller"]).as_key());
        problems.push(wrong.hint("leave the key out"));
    }
    let canary = entry.canary.map(|canary| canary.image);
    let images = [("stable", &entry.stable.image), ("canary", &canary)];
    for (version, image) in images {
        let tag = at.below(&[version, "image", "tag"]);
        problems.extend(
            image
                .as_ref()
                .and_then(|image| Some(check_tag(&image.tag)?.at(tag))),
        );
    }
    let flag = entry.flag.and_then(|flag| match read_flag(flag) {
        Ok(flag) => Some(flag),
        Err(problem) => {
            problems.push(problem.at(at.below(&["flag"])));
            None
        }
    });
    let has_flag = at_flag(&entry.method, &at, &images, flag.is_some(), &mut problems);
    let default_steps = DEFAULT_STEPS.map(u64::from).to_vec();
    let mut read_steps = |steps: Vec<u64>, at: Location| match parse_steps(&steps) {
        Ok(steps) => steps,
        Err(problem) => {
            problems.push(problem.at(at));
            vec![Weight::FULL]
        }
    };
    let steps = read_steps(entry.steps.unwrap_or(default_steps), at.below(&["steps"]));
    let mut environment_steps = IndexMap::new();
    let mut own_previews = Vec::new();
    for (name, environment) in entry.environments {
        let at = at.below(&["environments", &name]);
        if let Some(steps) = environment.steps {
            environment_steps.insert(name.clone(), read_steps(steps, at.below(&["steps"])));
        }
        if environment.matches.is_some() || environment.mirror.is_some() {
            own_previews.push((name, at, environment.matches, environment.mirror));
        }
    }
    let usual = preview(
        entry.matches,
        entry.mirror,
        &Preview::default(),
        &at,
        &mut problems,
    );
    problems.extend(
        provider
            .refused_preview(&usual)
            .map(|(key, wrong)| wrong.at(at.below(&[key]).as_key())),
    );
    let mut environment_previews = IndexMap::new();
    for (name, at, matches, mirror) in own_previews {
        let own = preview(matches, mirror, &usual, &at, &mut problems);
        if own != usual {
            let refused = provider.refused_preview(&own);
            problems.extend(refused.map(|(key, wrong)| wrong.at(at.below(&[key]).as_key())));
        }
        environment_previews.insert(name, own);
    }
    if entry.sticky.is_some() {
        problems.push(not_sticky().at(at.below(&["sticky"]).as_key()));
    }
    let copy_runs = match entry.copy {
        CopyEntry::Stable => Version::Stable,
        CopyEntry::Canary => Version::Canary,
    };
    let method = flag
        .filter(|_| has_flag)
        .map_or(Method::Succession, Method::Coexistence);
    let pinned = |image: Option<ImageEntry>| {
        image.map_or_else(PinnedImage::default, |image| PinnedImage {
            repository: image.repository,
            tag: Some(image.tag),
        })
    };
    let order = match entry.order {
        OrderEntry::Any => Order::Any,
        OrderEntry::ArgoCd => Order::ArgoCd,
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Release {
        order,
        copy: Release::copy_name(&entry.workload, copy_runs),
        workload: entry.workload,
        copy_runs,
        method,
        provider,
        stable: pinned(entry.stable.image),
        canary: pinned(canary),
        from_tag: entry.stable.from.tag,
        from_weight: entry.stable.from.weight,
        from_replicas: entry.stable.from.replicas,
        steps,
        environment_steps,
        preview: usual,
        environment_previews,
        origin: Some(at),
    })
}

/// No traffic system keeps a user with one version while weights change: `consistentHash` of a DestinationRule chooses
/// among the pods of a version that the weights have chosen already, and `sessionPersistence` of the Gateway API, still
/// experimental, is silent about the weights of a route.
///
/// Sources: Istio reference, "Destination Rule"; Gateway API, GEP-1619.
fn not_sticky() -> Diagnostic {
    let message = "no traffic system keeps a user with one version while the weights change";
    Diagnostic::error(Code::Unsupported, message)
        .hint("let the application set a cookie, and match it: `match: [{cookies: {NAME: VALUE}}]`")
}

/// What says which version runs, as the method has it: images of their own, or a flag of one image. Returned: whether a
/// flag chooses.
fn at_flag(
    method: &MethodEntry,
    at: &Location,
    images: &[(&str, &Option<ImageEntry>)],
    is_said: bool,
    problems: &mut Vec<Diagnostic>,
) -> bool {
    let wrong = |message: &str, key: &[&str], hint: &str| {
        let found = Diagnostic::error(Code::InvalidValue, message.to_owned());
        found.at(at.below(key)).hint(hint.to_owned())
    };
    if *method == MethodEntry::Succession {
        if images[0].1.is_none() {
            problems.push(no_stable_image(at));
        }
        if is_said {
            let message = "a flag chooses between versions of one image, and here they have two";
            problems.push(wrong(
                message,
                &["flag"],
                "write `method: coexistence`, or leave `flag` out",
            ));
        }
        return false;
    }
    if !is_said
        && !problems
            .iter()
            .any(|problem| problem.location == Some(at.below(&["flag"])))
    {
        let hint = "say what chooses: `flag: {env: ENGINE, stable: classic, canary: rapid}`";
        problems.push(wrong(
            "with `method: coexistence` the key `flag` is missing",
            &["method"],
            hint,
        ));
    }
    for (version, _) in images.iter().filter(|(_, image)| image.is_some()) {
        let message = "with `method: coexistence` both versions run the image that the workload says";
        problems.push(wrong(message, &[version, "image"], "leave `image` out"));
    }
    true
}

fn no_stable_image(at: &Location) -> Diagnostic {
    let missing = Diagnostic::error(Code::InvalidValue, "the image of the stable version is missing");
    let hint = "name it: `stable: {image: {tag: TAG}}`";
    missing.at(at.clone()).hint(hint)
}

/// Reads a flag. Errors: a diagnostic without a place.
fn read_flag(entry: FlagEntry) -> Result<Flag, Diagnostic> {
    let name = match (entry.env, entry.arg) {
        (Some(name), None) => FlagName::Env(name),
        (None, Some(name)) => FlagName::Arg(name),
        _ => {
            let wrong = "a flag is either a variable or an argument";
            let wrong = Diagnostic::error(Code::InvalidValue, wrong);
            return Err(wrong.hint("write one of `env: ENGINE` and `arg: --engine`"));
        }
    };
    let flag = Flag {
        name,
        stable: entry.stable,
        canary: entry.canary,
        unsaid: match entry.without {
            CopyEntry::Stable => Version::Stable,
            CopyEntry::Canary => Version::Canary,
        },
    };
    match flag::check(&flag) {
        Some(problem) => Err(problem),
        None => Ok(flag),
    }
}

/// Reads weights as a person writes them: whole percent, ascending, the last one 100.
///
/// Errors: a diagnostic without a place, for the caller to add.
pub fn parse_steps(steps: &[u64]) -> Result<Vec<Weight>, Diagnostic> {
    let wrong = |message: String| {
        Diagnostic::error(Code::InvalidValue, message)
            .hint("write percent to the canary in ascending order, for example [1, 5, 25, 50, 100]")
    };
    let mut weights = Vec::new();
    for step in steps {
        let Some(weight) = Weight::new(*step).filter(|weight| *weight > Weight::ZERO) else {
            return Err(wrong(format!(
                "a step of {step} percent is not between 1 and 100"
            )));
        };
        if weights.last().is_some_and(|last| *last >= weight) {
            return Err(wrong(format!(
                "the step {step} does not come after a smaller one"
            )));
        }
        weights.push(weight);
    }
    match weights.last() {
        Some(&Weight::FULL) => Ok(weights),
        _ => Err(wrong("the last step is not 100 percent".to_owned())),
    }
}

/// Whether a tag can name an image: a tag of the distribution specification, or `sha256:` and 64 hex digits.
///
/// Source: OCI distribution specification, "Pulling manifests" (tag grammar and its 128 characters).
pub fn check_tag(tag: &str) -> Option<Diagnostic> {
    if let Some(digest) = tag.strip_prefix("sha256:") {
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if digest.len() == 64 && digest.chars().all(is_hex) {
            return None;
        }
        let message = format!(
            "`{tag}` is not a digest: {} characters after `sha256:`",
            digest.len()
        );
        let hint = "a digest is `sha256:` and 64 lower-case hex digits; copy it from the registry";
        return Some(Diagnostic::error(Code::InvalidValue, message).hint(hint));
    }
    let is_first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_rest = |c: char| is_first(c) || c == '.' || c == '-';
    let is_tag = tag.starts_with(is_first) && tag.chars().all(is_rest) && tag.len() <= 128;
    if tag == "latest" {
        let wrong = Diagnostic::error(
            Code::InvalidValue,
            "the tag `latest` moves, so it cannot pin a version",
        );
        return Some(wrong.hint("use the commit's tag or the image's digest"));
    }
    (!is_tag).then(|| {
        Diagnostic::error(Code::InvalidValue, format!("`{tag}` is not an image tag"))
            .hint("use the commit's tag, or the digest as `sha256:<64 hex digits>`")
    })
}

/// Checks the names a release uses against what the application has.
pub fn check_names(release: &Release, workloads: &[&str], environments: &[&str]) -> Vec<Diagnostic> {
    let Some(at) = &release.origin else {
        return Vec::new();
    };
    let own = release.environment_steps.keys();
    let own: IndexSet<&String> = own.chain(release.environment_previews.keys()).collect();
    unknown_names(at, &release.workload, own, workloads, environments)
}

/// Checks the names that a release left to a controller uses against what the application has.
pub fn check_delegation(
    delegation: &Delegation,
    workloads: &[&str],
    environments: &[&str],
) -> Vec<Diagnostic> {
    let Delegation {
        workload,
        environment_steps,
        origin,
        ..
    } = delegation;
    let own = environment_steps.keys().collect();
    unknown_names(origin, workload, own, workloads, environments)
}

fn unknown_names(
    at: &Location,
    workload: &str,
    own: IndexSet<&String>,
    workloads: &[&str],
    environments: &[&str],
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    if !workloads.contains(&workload) {
        let message = format!("there is no workload `{workload}`");
        let found = Diagnostic::error(Code::UnknownName, message).at(at.below(&["workload"]));
        problems.push(known_names(found, workload, workloads.iter().copied()));
    }
    for name in own
        .into_iter()
        .filter(|name| !environments.contains(&name.as_str()))
    {
        let message = format!("there is no environment `{name}`");
        let found =
            Diagnostic::error(Code::UnknownName, message).at(at.below(&["environments", name]).as_key());
        problems.push(known_names(found, name, environments.iter().copied()));
    }
    problems
}

/// Checks the name of an environment given by a user.
pub fn check_environment<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Diagnostic> {
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    let found = Diagnostic::error(Code::UnknownName, format!("there is no environment `{name}`"));
    Err(known_names(found, name, known))
}

/// Adds "did you mean", or the list of what there is.
pub fn known_names<'a>(
    found: Diagnostic,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    match nearest(name, known.clone()) {
        Some(near) => found.hint(format!("did you mean `{near}`?")),
        None => {
            const ENOUGH: usize = 20;
            let mut names: Vec<&str> = known.clone().take(ENOUGH).collect();
            if known.count() > ENOUGH {
                names.push("…");
            }
            found.hint(format!("there is: {}", names.join(", ")))
        }
    }
}
