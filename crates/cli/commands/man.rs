//! `tidegate man`: the manual page.

use clap::CommandFactory;

use super::{Outcome, Stop};
use crate::args::Cli;
use crate::report;

pub(crate) fn run() -> Result<Outcome, Stop> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    report::product(&String::from_utf8_lossy(&page))?;
    Ok(Outcome::Fine)
}
