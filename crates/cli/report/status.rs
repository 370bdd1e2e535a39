//! Where releases stand: text with bars for people, a versioned schema for programs.

use serde::Serialize;
use tidegate_core::model::{Application, Form, Release, Routes};
use tidegate_core::phase::{Incomplete, Phase, Position};
use tidegate_core::standing::Standing;

use super::{bars, escape};

/// One release and where it stands.
pub(crate) struct Standpoint<'a> {
    pub(crate) application: &'a Application,
    pub(crate) release: &'a Release,
    pub(crate) standing: &'a Standing,
    /// The command that makes the next transition, as typed from here.
    pub(crate) next: String,
}

/// One release for a person; `width` is the terminal's, without one there are no bars.
pub(crate) fn text(standpoint: &Standpoint<'_>, width: Option<usize>) -> String {
    let Standpoint {
        application,
        release,
        standing,
        next,
    } = standpoint;
    let title = format!("{}/{}", escape(&application.name), escape(&release.workload));
    let by_hand = if release.origin.is_none() {
        ", made by hand"
    } else {
        ""
    };
    let mut text = format!(
        "{title}: {}{by_hand}\n",
        position(&standing.position, release.provider.form())
    );
    let routes: Vec<(&str, Routes)> = standing
        .environments
        .iter()
        .map(|(name, observed)| (name.as_str(), observed.routes))
        .collect();
    let inner = width.map(|width| width.saturating_sub(2));
    for line in bars::render(&routes, inner).lines() {
        text.push_str(&format!("  {line}\n"));
    }
    for incomplete in incompletes(&standing.position) {
        text.push_str(&format!("  for {} is missing:\n", incomplete.phase));
        for missing in &incomplete.missing {
            let all = missing.environments.len() == standing.environments.len();
            let place = if all {
                String::new()
            } else {
                format!(" ({})", escape(&missing.environments.join(", ")))
            };
            text.push_str(&format!("    {}{place}\n", missing.what));
        }
    }
    text.push_str(&format!("  next: {}\n", ahead(release, standing, next)));
    text
}

/// A position in a few words.
fn position(position: &Position, form: Form) -> String {
    match position {
        Position::At(phase) => format!("{phase} ({})", phase.about(form)),
        Position::Ambiguous(one, other) => format!("{one} or {other}: the files look the same"),
        Position::Between(one, other) => format!("between {} and {}", one.phase, other.phase),
        Position::Unclear(_) => "in no phase, nor between two".to_owned(),
        Position::Disagree(phases) => {
            let phases: Vec<String> = phases
                .iter()
                .map(|(name, phase)| format!("{} in {phase}", escape(name)))
                .collect();
            format!("the environments disagree: {}", phases.join(", "))
        }
    }
}

fn ahead(release: &Release, standing: &Standing, next: &str) -> String {
    match &standing.position {
        Position::At(Phase::Park | Phase::Ramp) => {
            let step = |(name, routes): (&String, Routes)| {
                let weight = routes.canary()?;
                let step = release.steps(name).iter().find(|step| **step > weight)?;
                Some(format!("{} {step}", escape(name)))
            };
            let steps: Vec<String> = standing
                .routes()
                .iter()
                .filter_map(|(name, routes)| step((name, *routes)))
                .collect();
            format!("ramp: {} (`{next}`)", steps.join(", "))
        }
        Position::At(phase) => match phase.following(release.provider.form()) {
            Some(following) => format!(
                "{following}: {} (`{next}`)",
                following.about(release.provider.form())
            ),
            None => "nothing".to_owned(),
        },
        Position::Between(_, other) => format!("complete {} (`{next}`)", other.phase),
        Position::Ambiguous(..) => {
            format!(
                "`{next} --to park` if the new code is not out yet, `{next} --to retire` if it serves everybody"
            )
        }
        Position::Unclear(nearest) => {
            let commands: Vec<String> = nearest
                .iter()
                .map(|incomplete| format!("`{next} --to {}`", incomplete.phase))
                .collect();
            commands.join(" or ")
        }
        Position::Disagree(_) => {
            "bring the environments together: revert the last commit that touched one only".to_owned()
        }
    }
}

fn incompletes(position: &Position) -> Vec<&Incomplete> {
    match position {
        Position::Between(one, other) => vec![one, other],
        Position::Unclear(nearest) => nearest.iter().collect(),
        _ => Vec::new(),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    releases: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    application: &'a str,
    folder: &'a str,
    workload: &'a str,
    copy: &'a str,
    provider: &'static str,
    recorded: bool,
    /// The phases the files can be read as: one, or two where they are between or ambiguous.
    phases: Vec<&'static str>,
    state: &'static str,
    environments: Vec<Environment<'a>>,
    missing: Vec<Missing<'a>>,
    drift: Vec<Drift>,
}

#[derive(Serialize)]
struct Environment<'a> {
    name: &'a str,
    routes: &'static str,
    stable_percent: Option<u8>,
    canary_percent: Option<u8>,
}

#[derive(Serialize)]
struct Missing<'a> {
    phase: &'static str,
    what: &'static str,
    environments: &'a [String],
}

#[derive(Serialize)]
struct Drift {
    code: &'static str,
    message: String,
    file: Option<String>,
}

/// All releases as JSON: schema `tidegate.dev/status/v1`.
///
/// Shape: `schema`; `releases[]` with `phases` (one, or two where the files can be read as either), `state`
/// (`at`, `between`, `ambiguous`, `unclear`, `disagree`), shares in percent per environment (null where no version
/// is named), what is missing for a phase, and drift. Fields are added, never renamed, within v1.
pub(crate) fn json(standpoints: &[Standpoint<'_>]) -> serde_json::Result<String> {
    let releases = standpoints.iter().map(entry).collect();
    let document = Document {
        schema: "tidegate.dev/status/v1",
        releases,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn entry<'a>(standpoint: &'a Standpoint<'a>) -> Entry<'a> {
    let Standpoint {
        application,
        release,
        standing,
        ..
    } = standpoint;
    let (state, phases) = match &standing.position {
        Position::At(phase) => ("at", vec![phase.as_str()]),
        Position::Ambiguous(one, other) => ("ambiguous", vec![one.as_str(), other.as_str()]),
        Position::Between(one, other) => ("between", vec![one.phase.as_str(), other.phase.as_str()]),
        Position::Unclear(nearest) => (
            "unclear",
            nearest
                .iter()
                .map(|incomplete| incomplete.phase.as_str())
                .collect(),
        ),
        Position::Disagree(phases) => ("disagree", phases.values().map(|phase| phase.as_str()).collect()),
    };
    let environment = |(name, observed): (&'a String, &tidegate_core::provider::Observed)| Environment {
        name,
        routes: match observed.routes {
            Routes::Plain => "plain",
            Routes::CanaryOnly => "canary-only",
            Routes::Both(_) => "both",
            Routes::Between(..) => "between",
        },
        stable_percent: observed.routes.canary().map(|canary| canary.rest().percent()),
        canary_percent: observed.routes.canary().map(|canary| canary.percent()),
    };
    let missing = incompletes(&standing.position)
        .into_iter()
        .flat_map(|incomplete| {
            incomplete.missing.iter().map(|missing| Missing {
                phase: incomplete.phase.as_str(),
                what: missing.what,
                environments: &missing.environments,
            })
        });
    let drift = standing
        .drift(application, release)
        .into_iter()
        .map(|diagnostic| Drift {
            code: diagnostic.code.as_str(),
            file: diagnostic.location.map(|location| location.file.to_string()),
            message: diagnostic.message,
        });
    Entry {
        application: &application.name,
        folder: application.at.as_str(),
        workload: &release.workload,
        copy: &release.copy,
        provider: release.provider.as_str(),
        recorded: release.origin.is_some(),
        phases,
        state,
        environments: standing.environments.iter().map(environment).collect(),
        missing: missing.collect(),
        drift: drift.collect(),
    }
}
