//! `gap/tidegate.yaml`: the releases in progress: intent, and the facts about their start that the files lose.
//!
//! What a release needs while it runs (weights, labels, the pin) is in the manifests and nowhere else;
//! here stands only what cannot be read from them.

use indexmap::IndexMap;
use serde::Deserialize;
use tidegate_yaml::Stream;

use super::deserialize;
use crate::diagnostic::{Code, Diagnostic, Location, nearest};
use crate::model::{Method, Order, PinnedImage, Release, Version, Weight};
use crate::provider::ProviderId;
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
    stable: StableEntry,
    canary: Option<CanaryEntry>,
    steps: Option<Vec<u64>>,
    #[serde(default)]
    order: OrderEntry,
    #[serde(default)]
    environments: IndexMap<String, EnvironmentEntry>,
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

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum MethodEntry {
    #[default]
    Succession,
    Coexistence,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum OrderEntry {
    #[default]
    Any,
    ArgoCd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StableEntry {
    image: ImageEntry,
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
}

/// Reads the releases of a release file.
///
/// Errors: everything wrong with the file, each with its place. Whether workloads and environments exist is
/// checked by [`check_names`], once the application is known.
pub fn parse(file: &RepoPath, stream: &Stream) -> Result<Vec<Release>, Vec<Diagnostic>> {
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
    let entries: ReleaseFile = deserialize(&top, document.value()).map_err(|diagnostic| vec![diagnostic])?;
    if entries.api_version != API_VERSION {
        let message = format!("unknown apiVersion `{}`", entries.api_version);
        let wrong = Diagnostic::error(Code::InvalidValue, message).at(top.below(&["apiVersion"]));
        return Err(vec![wrong.hint(format!("write `apiVersion: {API_VERSION}`"))]);
    }
    let mut releases: Vec<Release> = Vec::new();
    let mut problems = Vec::new();
    for (position, entry) in entries.releases.into_iter().enumerate() {
        let at = top.below(&["releases", &position.to_string()]);
        match release(entry, at.clone()) {
            Ok(release) if releases.iter().any(|other| other.workload == release.workload) => {
                let message = format!("workload `{}` is released twice", release.workload);
                problems.push(Diagnostic::error(Code::InvalidValue, message).at(at.below(&["workload"])));
            }
            Ok(release) => releases.push(release),
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() {
        Ok(releases)
    } else {
        Err(problems)
    }
}

fn release(entry: ReleaseEntry, at: Location) -> Result<Release, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let provider = ProviderId::parse(&entry.provider).unwrap_or_else(|| {
        let message = format!("unknown provider `{}`", entry.provider);
        let found = Diagnostic::error(Code::UnknownName, message).at(at.below(&["provider"]));
        problems.push(known_names(
            found,
            &entry.provider,
            ProviderId::ALL.iter().map(|id| id.as_str()),
        ));
        ProviderId::Istio
    });
    let tag = at.below(&["stable", "image", "tag"]);
    problems.extend(check_tag(&entry.stable.image.tag).map(|problem| problem.at(tag)));
    let canary_tag = at.below(&["canary", "image", "tag"]);
    let canary = entry.canary.as_ref().map(|canary| &canary.image.tag);
    problems.extend(canary.and_then(|tag| Some(check_tag(tag)?.at(canary_tag))));
    let default_steps = DEFAULT_STEPS.map(u64::from).to_vec();
    let mut read_steps = |steps: Vec<u64>, at: Location| match parse_steps(&steps) {
        Ok(steps) => steps,
        Err(problem) => {
            problems.push(problem.at(at));
            vec![Weight::FULL]
        }
    };
    let steps = read_steps(entry.steps.unwrap_or(default_steps), at.below(&["steps"]));
    let environment_steps = entry
        .environments
        .into_iter()
        .filter_map(|(name, environment)| {
            let at = at.below(&["environments", &name, "steps"]);
            environment.steps.map(|steps| (name, read_steps(steps, at)))
        })
        .collect();
    let copy_runs = match entry.copy {
        CopyEntry::Stable => Version::Stable,
        CopyEntry::Canary => Version::Canary,
    };
    let method = match entry.method {
        MethodEntry::Succession => Method::Succession,
        MethodEntry::Coexistence => Method::Coexistence,
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
        stable: PinnedImage {
            repository: entry.stable.image.repository,
            tag: Some(entry.stable.image.tag),
        },
        canary: entry
            .canary
            .map_or_else(PinnedImage::default, |canary| PinnedImage {
                repository: canary.image.repository,
                tag: Some(canary.image.tag),
            }),
        from_tag: entry.stable.from.tag,
        from_weight: entry.stable.from.weight,
        from_replicas: entry.stable.from.replicas,
        steps,
        environment_steps,
        origin: Some(at),
    })
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
    let mut problems = Vec::new();
    if !workloads.contains(&release.workload.as_str()) {
        let message = format!("there is no workload `{}`", release.workload);
        let found = Diagnostic::error(Code::UnknownName, message).at(at.below(&["workload"]));
        problems.push(known_names(found, &release.workload, workloads.iter().copied()));
    }
    for name in release
        .environment_steps
        .keys()
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
