//! `tidegate cmp`: the commands of an Argo CD config management plugin.
//!
//! They run beside the repo-server, on files and variables that other teams write, many at a time. So a run takes nothing but
//! the Application's folder and the documented variables, starts no program, writes no file, is bounded in what it reads and how
//! long it takes, and prints either everything or nothing: empty output would delete what is deployed.
//! Source: the Argo CD manual, page on config management plugins, and `cmpserver/plugin/plugin.go`.

mod discover;
mod generate;
mod parameters;
mod place;
mod request;

use std::time::Instant;

use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::repo::RepoPath;

use self::place::Place;
use super::{Outcome, Stop};
use crate::args::{BoundArgs, CmpCommand, PlaceArgs};
use crate::report;
use crate::watch::{self, Bounds, Reached};
use crate::workspace::Workspace;

/// Bytes of memory that a run may take unless the administrator says otherwise.
const MEMORY: u64 = 128 << 20;

/// What a run prints: the product, and lines for the sidecar's log or, on failure, for the user of Argo CD.
struct Answer {
    outcome: Outcome,
    product: String,
    lines: String,
}

/// Runs one command, and gives up on it when a bound is reached.
pub(crate) fn run(place: &PlaceArgs, command: &CmpCommand) -> Outcome {
    let start = Instant::now();
    let bounds = Bounds {
        memory: place.max_memory.unwrap_or(MEMORY),
        time: Some(command.bounds().max_seconds),
    };
    if let Err(error) = watch::start(start, bounds, |reached| limit_reached(reached).lines) {
        report::failure(&error.into());
        return Outcome::CouldNotRun;
    }
    let answer = answer(place, command);
    watch::stand_down();
    // Memory that was enough for the work is enough for its end.
    let late = bounds.reached(start, 0).map(|reached| limit_reached(&reached));
    let answer = late.unwrap_or(answer);
    report::message(&answer.lines);
    match report::product(&answer.product) {
        Ok(()) => answer.outcome,
        Err(error) => {
            report::failure(&error.into());
            Outcome::CouldNotRun
        }
    }
}

fn limit_reached(reached: &Reached) -> Answer {
    let problem = Diagnostic::error(Code::LimitReached, reached.message.clone());
    let hint = format!(
        "make the application smaller, or ask the administrator of Argo CD for a larger {}",
        reached.flag
    );
    refused(None, &Stop::from(problem.hint(hint)))
}

fn answer(place: &PlaceArgs, command: &CmpCommand) -> Answer {
    let Place { workspace, notice } = match place::open(place, command.bounds()) {
        Ok(place) => place,
        Err(stop) => return refused(None, &stop),
    };
    let product = match command {
        CmpCommand::Generate(args) => generate::run(&workspace, args),
        CmpCommand::Parameters(_) => parameters::run(&workspace),
        CmpCommand::Discover(_) => discover::run(&workspace).map(Product::plain),
    };
    match product {
        Ok(Product { text, mut notices }) => {
            notices.extend(notice);
            Answer {
                outcome: Outcome::Fine,
                product: text,
                lines: lines(Some(&workspace), &notices),
            }
        }
        Err(stop) => refused(Some(&workspace), &stop),
    }
}

/// What a command made, and what is worth knowing about it.
struct Product {
    text: String,
    notices: Vec<Diagnostic>,
}

impl Product {
    fn plain(text: String) -> Self {
        Self {
            text,
            notices: Vec::new(),
        }
    }
}

fn refused(workspace: Option<&Workspace>, stop: &Stop) -> Answer {
    let (outcome, lines) = match stop {
        Stop::Refused(diagnostics) => (Outcome::Refused, lines(workspace, diagnostics)),
        Stop::Failed(error) => (Outcome::CouldNotRun, report::failure_line(error)),
    };
    Answer {
        outcome,
        product: String::new(),
        lines,
    }
}

fn lines(workspace: Option<&Workspace>, diagnostics: &[Diagnostic]) -> String {
    let text_of = |path: &RepoPath| workspace?.repo().read(path).ok()?;
    report::diagnostic::render_lines(diagnostics, &text_of)
}

impl CmpCommand {
    fn bounds(&self) -> &BoundArgs {
        match self {
            Self::Generate(args) => &args.bounds,
            Self::Parameters(bounds) | Self::Discover(bounds) => bounds,
        }
    }
}
