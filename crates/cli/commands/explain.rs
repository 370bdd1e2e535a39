//! `tidegate explain`: the page of one diagnostic code, or the list of all.

use tidegate_core::diagnostic::{Code, Diagnostic, nearest};

use super::{Outcome, Stop};
use crate::args::ExplainArgs;
use crate::{explain, report};

pub(crate) fn run(args: &ExplainArgs) -> Result<Outcome, Stop> {
    match &args.code {
        None => report::product(&explain::overview())?,
        Some(name) => report::product(explain::page(parse_code(name)?))?,
    }
    Ok(Outcome::Fine)
}

fn parse_code(name: &str) -> Result<Code, Diagnostic> {
    let found = Code::ALL.iter().find(|code| code.as_str() == name);
    found.copied().ok_or_else(|| {
        let unknown = Diagnostic::error(Code::UnknownName, format!("there is no code `{name}`"));
        let unknown = match nearest(name, Code::ALL.iter().map(|code| code.as_str())) {
            Some(near) => unknown.hint(format!("did you mean `{near}`?")),
            None => unknown,
        };
        unknown.hint("`tidegate explain` lists all codes")
    })
}
