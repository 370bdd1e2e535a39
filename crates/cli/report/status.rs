//! Where releases stand: text with bars for people, a versioned schema for programs.

use serde::Serialize;
use tidegate_core::delegated::{self, Given, Stage};
use tidegate_core::model::{Application, Course, Delegation, Release, Routes, Weight};
use tidegate_core::phase::{Incomplete, Phase, Position};
use tidegate_core::preview::Preview;
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
        position(&standing.position, release.course())
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
    for (name, routes) in &routes {
        if let Routes::Preview(share) = routes {
            let preview = seen(release.preview(name), *share);
            text.push_str(&format!("  preview in {}: {}\n", escape(name), escape(&preview)));
        }
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

/// A release that is left to a controller, and where it stands.
pub(crate) struct Delegated<'a> {
    pub(crate) application: &'a Application,
    pub(crate) delegation: &'a Delegation,
    pub(crate) standing: &'a delegated::Standing,
    /// The command that makes the next transition, as typed from here.
    pub(crate) next: String,
    /// The commands that show how far the controller is.
    pub(crate) look: String,
}

impl Delegated<'_> {
    /// The release for a person.
    pub(crate) fn text(&self) -> String {
        let Self {
            application,
            delegation,
            standing,
            next,
            look,
        } = self;
        let title = format!("{}/{}", escape(&application.name), escape(&delegation.workload));
        let (controller, stays) = (delegation.controller.as_str(), delegation.stays);
        let takes = delegation.controller.controller().takes();
        let (position, following) = match &standing.position {
            delegated::Position::At(stage) => (
                format!("{stage} ({})", stage.about(takes)),
                standing.following(*stage),
            ),
            delegated::Position::Between(one, other) => (format!("between {one} and {other}"), Some(*other)),
            delegated::Position::Unclear => ("in no phase".to_owned(), None),
        };
        let mut text = format!("{title}: {position}\n");
        for (name, facts) in &standing.environments {
            text.push_str(&format!("  {}  {}\n", escape(name), facts.describe()));
        }
        if standing.position == delegated::Position::At(Stage::Trigger) {
            text.push_str(&format!(
                "  {controller} moves the requests; how far it is:\n    {look}\n"
            ));
        }
        let ahead = match following {
            Some(stage) => format!("{stage}: {} (`{next}`)", stage.about(takes)),
            None => {
                "bring the environments together: revert the last commit that touched one only".to_owned()
            }
        };
        text.push_str(&format!("  next: {ahead}\n"));
        if !stays && standing.position == delegated::Position::At(Stage::Trigger) {
            text.push_str(&format!(
                "  or: let {controller} keep the workload (`{next} --to tidy`)\n"
            ));
        }
        text
    }

    fn entry(&self) -> Entry<'_> {
        let (state, phases) = match self.standing.position {
            delegated::Position::At(stage) => ("at", vec![stage.as_str()]),
            delegated::Position::Between(one, other) => ("between", vec![one.as_str(), other.as_str()]),
            delegated::Position::Unclear => ("unclear", Vec::new()),
        };
        Entry {
            application: &self.application.name,
            folder: self.application.at.as_str(),
            workload: &self.delegation.workload,
            copy: None,
            provider: self.delegation.controller.as_str(),
            recorded: true,
            phases,
            state,
            environments: self
                .standing
                .environments
                .iter()
                .map(|(name, facts)| Environment {
                    name,
                    routes: match facts.given {
                        Given::No => "plain",
                        Given::Active | Given::Suspended => "controller",
                    },
                    stable_percent: None,
                    canary_percent: None,
                    preview: false,
                })
                .collect(),
            missing: Vec::new(),
            drift: Vec::new(),
        }
    }
}

/// A position in a few words.
fn position(position: &Position, course: Course) -> String {
    match position {
        Position::At(phase) => format!("{phase} ({})", phase.about(course)),
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
        Position::At(phase)
            if phase.may_share(release.course()) && standing.is_preview_ahead(release, None) =>
        {
            let about = Phase::Preview.about(release.course());
            format!("{}: {about} (`{next}`)", Phase::Preview)
        }
        Position::At(phase) if phase.may_share(release.course()) && is_one_switch(release, standing) => {
            format!(
                "{}: everything to the canary in one switch (`{next}`)",
                Phase::Hold
            )
        }
        Position::At(phase) if *phase == Phase::Ramp || phase.may_share(release.course()) => {
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
        Position::At(phase) => match phase.following(release.course()) {
            Some(following) => format!("{following}: {} (`{next}`)", following.about(release.course())),
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

/// What of a preview is on: copies only while the canary gets no share.
fn seen(preview: &Preview, share: Weight) -> String {
    let Preview { matches, mirror } = preview;
    let on = Preview {
        matches: matches.clone(),
        mirror: mirror.filter(|_| share == Weight::ZERO),
    };
    match on.is_empty() {
        true => "requests that the release file does not name".to_owned(),
        false => on.to_string(),
    }
}

/// Whether every environment goes from nothing to everything: a blue-green release.
fn is_one_switch(release: &Release, standing: &Standing) -> bool {
    let mut names = standing.environments.keys();
    names.all(|name| release.steps(name) == [Weight::FULL])
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
    copy: Option<&'a str>,
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
    /// Whether requests that the release chooses, or copies, reach the canary besides.
    preview: bool,
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
/// is named, or where a controller moves the requests), whether a `preview` is on, what is missing for a phase, and drift. Fields are added, never renamed, within v1.
pub(crate) fn json(
    standpoints: &[Standpoint<'_>],
    delegated: &[Delegated<'_>],
) -> serde_json::Result<String> {
    let releases = standpoints.iter().map(entry);
    let releases = releases.chain(delegated.iter().map(Delegated::entry)).collect();
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
            Routes::Both(_) | Routes::Preview(_) => "both",
            Routes::Between(..) => "between",
        },
        stable_percent: observed.routes.canary().map(|canary| canary.rest().percent()),
        canary_percent: observed.routes.canary().map(|canary| canary.percent()),
        preview: matches!(observed.routes, Routes::Preview(_)),
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
        copy: Some(&release.copy),
        provider: release.provider.as_str(),
        recorded: release.origin.is_some(),
        phases,
        state,
        environments: standing.environments.iter().map(environment).collect(),
        missing: missing.collect(),
        drift: drift.collect(),
    }
}
