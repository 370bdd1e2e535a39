//! `tidegate completions`: a completion script for a shell.

use clap::CommandFactory;

use super::{Outcome, Stop};
use crate::args::{Cli, CompletionsArgs};
use crate::report;

pub(crate) fn run(args: &CompletionsArgs) -> Result<Outcome, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tidegate", &mut script);
    report::product(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}
