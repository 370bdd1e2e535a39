//! The command line of tidegate: reads arguments, calls the core, prints, exits.

mod args;
mod commands;
mod disk;
mod explain;
mod git;
mod report;
mod watch;
mod workspace;

use std::panic::UnwindSafe;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::repo::RepoPath;

use args::{Cli, ColorChoice, Command};
use commands::{Outcome, Stop};
use watch::{Bounds, Reached};
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
    guarded(|| run(&cli)).into()
}

/// A panic ends the run as everything else that keeps it from its work.
fn guarded(work: impl FnOnce() -> Outcome + UnwindSafe) -> Outcome {
    std::panic::catch_unwind(work).unwrap_or_else(|_| {
        report::message(
            "this is a mistake in tidegate, not in your files: please report it with the lines above\n",
        );
        Outcome::CouldNotRun
    })
}

/// Bytes of memory that a command of a person may take unless told otherwise.
const MEMORY: u64 = 256 << 20;

fn bounds(cli: &Cli) -> Bounds {
    Bounds {
        memory: cli.place.max_memory.unwrap_or(MEMORY),
        time: None,
    }
}

fn limit_reached(reached: &Reached) -> String {
    let problem = Diagnostic::error(Code::LimitReached, reached.message.clone());
    let hint = format!("take away what is not needed, or allow more: {}", reached.flag);
    report::diagnostic::render_lines(&[problem.hint(hint)], &|_: &RepoPath| None)
}

fn run(cli: &Cli) -> Outcome {
    if let Command::Cmp(args) = &cli.command {
        return commands::cmp::run(&cli.place, &args.command);
    }
    if let Err(error) = watch::start(Instant::now(), bounds(cli), limit_reached) {
        report::failure(&error.into());
        return Outcome::CouldNotRun;
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
        Command::Patch(args) => commands::patch::run(&cli.place, args),
        Command::Cmp(_) => unreachable!("it has no workspace of a person"),
        Command::Explain(args) => commands::explain::run(args),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man => commands::man::run(),
    };
    result.unwrap_or_else(|stop: Stop| stop.report(Some(&workspace)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_exit_code_2() {
        let is_broken = true;
        assert_eq!(guarded(|| Outcome::Fine), Outcome::Fine);
        assert_eq!(
            guarded(|| {
                assert!(!is_broken, "as a mistake of ours does");
                Outcome::Fine
            }),
            Outcome::CouldNotRun
        );
    }
}
