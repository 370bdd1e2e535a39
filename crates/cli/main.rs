//! The command line of tidegate: reads arguments, calls the core, prints, exits.

mod args;
mod commands;
mod disk;
mod explain;
mod git;
mod report;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, ColorChoice, Command};
use commands::{Outcome, Stop};
use workspace::Workspace;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let is_help = !usage.use_stderr();
            report::usage(&usage);
            return if is_help {
                ExitCode::SUCCESS
            } else {
                Outcome::CouldNotRun.into()
            };
        }
    };
    match cli.place.color {
        ColorChoice::Auto => {}
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
    }
    let outcome = match std::panic::catch_unwind(|| run(&cli)) {
        Ok(outcome) => outcome,
        Err(_) => {
            report::message(
                "this is a mistake in tidegate, not in your files: please report it with the lines above\n",
            );
            Outcome::CouldNotRun
        }
    };
    outcome.into()
}

fn run(cli: &Cli) -> Outcome {
    if let Command::Cmp(args) = &cli.command {
        return commands::cmp::run(&cli.place, &args.command);
    }
    let workspace = match Workspace::open(&cli.place) {
        Ok(workspace) => workspace,
        Err(stop) => return stop.report(None),
    };
    let is_writing = cli
        .command
        .write_args()
        .is_some_and(|args| args.mode().is_writing());
    let recovered = if is_writing { workspace.recover() } else { Ok(()) };
    if let Err(stop) = recovered {
        return stop.report(Some(&workspace));
    }
    let result = match &cli.command {
        Command::Init(args) => commands::init::run(&workspace, args),
        Command::Status(args) => commands::status::run(&workspace, args),
        Command::Plan(args) => commands::plan::run(&workspace, args),
        Command::Next(args) => commands::next::run(&workspace, args),
        Command::Shift(args) => commands::shift::run(&workspace, args),
        Command::Rollback(args) => commands::rollback::run(&workspace, args),
        Command::Abort(args) => commands::abort::run(&workspace, args),
        Command::Hotfix(args) => commands::hotfix::run(&workspace, args),
        Command::Check(args) => commands::check::run(&workspace, args),
        Command::Render(args) => commands::render::run(&workspace, args),
        Command::Patch(args) => commands::patch::run(&cli.place.directory, args),
        Command::Cmp(_) => unreachable!("it has no workspace of a person"),
        Command::Explain(args) => commands::explain::run(args),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man => commands::man::run(),
    };
    result.unwrap_or_else(|stop: Stop| stop.report(Some(&workspace)))
}
