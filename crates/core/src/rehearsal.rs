//! The rehearsal of a release before it starts: its whole life, and the way back from its end, on the files as
//! they would be.
//!
//! A release promises to leave the repository byte for byte as it found it. Not every spelling can be given back
//! (`weight: 0x64`, a tag that other places share by an alias), so `init` tries, and refuses what it would lose.

use crate::change::{ChangeSet, FileChange};
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure, Location, Place};
use crate::layout;
use crate::model::{Flag, Release, Version};
use crate::phase::Phase;
use crate::plan::{self, Step};
use crate::transition::{Purpose, abort};

/// More commits than a way back can have: one for each phase, the weights and the image.
const LIMIT: usize = 20;

/// The tag that the pipeline is taken to ship meanwhile.
const SHIPPED: &str = "shipped-meanwhile";

/// The transitions from a release file that is about to be written to a tidy repository.
///
/// `first` writes the release file. Errors: a transition that cannot be made, on the way there or back, and
/// every file that would not end as it began.
pub(crate) fn rehearse(
    checkout: &Checkout<'_>,
    first: &ChangeSet,
    release: &Release,
) -> Result<Vec<Step>, Failure> {
    let steps = plan::remaining(checkout, first, &release.workload)?;
    let is_ready = |step: &Step| step.transition.purpose == Purpose::Enter(Phase::Hold);
    let (out, home) = steps.split_at(steps.iter().position(is_ready).map_or(0, |hold| hold + 1));
    let mut there = first.clone();
    out.iter().for_each(|step| there.append(&step.transition.change));
    let mut back = there.clone();
    home.iter().for_each(|step| there.append(&step.transition.change));
    if let Some(flag) = release.flag() {
        // What a release ships itself is its purpose, not a loss.
        flip_back(&mut there, checkout, release, flag)?;
        check(&there, "a release")?;
        go_back(&mut back, checkout, release)?;
        check(&back, "an aborted release")?;
        return Ok(steps);
    }
    match release.copy_runs {
        Version::Stable => ship(&mut back, checkout, release, SHIPPED)?,
        // What a release ships itself is its purpose, not a loss.
        Version::Canary => {
            if let Some(tag) = &release.from_tag {
                ship(&mut there, checkout, release, tag)?;
            }
        }
    }
    check(&there, "a release")?;
    go_back(&mut back, checkout, release)?;
    check(&back, "an aborted release")?;
    Ok(steps)
}

/// Another tag is written where the workload says its image.
fn ship(
    written: &mut ChangeSet,
    checkout: &Checkout<'_>,
    release: &Release,
    tag: &str,
) -> Result<(), Failure> {
    let overlay = written.overlay(checkout.repo);
    let now = Checkout::load(&overlay, &checkout.application.at, checkout.config)?.application;
    let image = now
        .workloads
        .get(&release.workload)
        .and_then(|workload| workload.image.as_ref());
    if image.is_some_and(|image| image.tag.is_some()) {
        written.append(&ChangeSet::new(layout::set_tag(&now, &release.workload, tag)?));
    }
    Ok(())
}

/// The workload says the stable version's flag again.
fn flip_back(
    written: &mut ChangeSet,
    checkout: &Checkout<'_>,
    release: &Release,
    flag: &Flag,
) -> Result<(), Failure> {
    let overlay = written.overlay(checkout.repo);
    let now = Checkout::load(&overlay, &checkout.application.at, checkout.config)?.application;
    let stable = Some(flag.stable.as_str());
    let flipped = layout::set_flag(&now, &release.workload, &flag.name, stable)?;
    written.append(&ChangeSet::new(flipped));
    Ok(())
}

fn go_back(written: &mut ChangeSet, checkout: &Checkout<'_>, release: &Release) -> Result<(), Failure> {
    for _ in 0..LIMIT {
        let overlay = written.overlay(checkout.repo);
        let now = Checkout::load(&overlay, &checkout.application.at, checkout.config)?;
        let mut releases = now.application.releases.iter();
        let Some(release) = releases.find(|other| other.workload == release.workload) else {
            break;
        };
        let Some(transition) = abort(&now, release)? else {
            break;
        };
        written.append(&transition.change);
    }
    Ok(())
}

/// Errors: files that are not what they were, each at the first line that differs.
fn check(written: &ChangeSet, what: &str) -> Result<(), Failure> {
    match written.is_empty() {
        true => Ok(()),
        false => Err(written
            .iter()
            .map(|file| not_given_back(file, what))
            .collect::<Vec<Diagnostic>>()
            .into()),
    }
}

/// A file that would not end as it began, at the first line that differs.
pub(crate) fn not_given_back(file: &FileChange, what: &str) -> Diagnostic {
    let (Some(before), Some(after)) = (&file.before, &file.after) else {
        let message = format!("{what} would not leave this file as it was");
        return Diagnostic::error(Code::CannotEdit, message).at(Location::file(&file.path));
    };
    let same = before
        .lines()
        .zip(after.lines())
        .take_while(|(before, after)| before == after)
        .count();
    let line = |text: &str| text.lines().nth(same).unwrap_or_default().to_owned();
    let (was, becomes) = (line(before), line(after));
    let column = was
        .chars()
        .zip(becomes.chars())
        .take_while(|(was, becomes)| was == becomes)
        .count();
    let at = Place::Position(tidegate_yaml::Position {
        line: same + 1,
        column: column + 1,
    });
    let message = format!("{what} would not give this line back as it is");
    Diagnostic::error(Code::CannotEdit, message)
        .at(Location {
            file: file.path.clone(),
            place: at,
        })
        .hint(format!(
            "it would become `{}`: write it so, and start again",
            becomes.trim()
        ))
}
