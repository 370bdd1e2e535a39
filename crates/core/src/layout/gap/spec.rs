//! The spec of each environment: `gap/gap.yaml`, with `gap/<environment>/gap.yaml` over it where the configuration says so.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_yaml::{Document, Stream};

use super::files::Files;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::repo::RepoPath;
use crate::schema::config::{Config, EnvironmentSpec};
use crate::schema::gap::reader::Source;
use crate::schema::gap::{self, GapSpec};

/// The specs of an application.
pub(super) struct Specs {
    /// `gap/gap.yaml`.
    pub(super) base: GapSpec,
    merged: BTreeMap<String, GapSpec>,
}

impl Specs {
    /// Reads the specs; what is wrong or worth knowing goes to the files' problems, and `None` means that no spec is there.
    pub(super) fn read(files: &mut Files, config: &Config) -> Option<Self> {
        let mut problems = Vec::new();
        let specs = read(files, config, &mut problems);
        for problem in problems {
            // A merged spec has the problems of its base again.
            if !files.problems.contains(&problem) {
                files.problems.push(problem);
            }
        }
        specs
    }

    pub(super) fn of(&self, environment: &str) -> &GapSpec {
        self.merged.get(environment).unwrap_or(&self.base)
    }
}

fn read(files: &Files, config: &Config, problems: &mut Vec<Diagnostic>) -> Option<Specs> {
    let file = files.spec.as_ref()?;
    let source = keep(only_document(file, files.streams.get(file)?), problems)?;
    let base = parsed(
        gap::parse(vec![source], source.document.value(), config),
        problems,
    );
    let mut merged = BTreeMap::new();
    for (environment, over) in &files.environment_specs {
        if config.layout.env_gap_yaml != EnvironmentSpec::Merge {
            problems.push(unmerged(over, config.layout.env_gap_yaml));
            continue;
        }
        let Some(stream) = files.streams.get(over) else {
            continue;
        };
        let Some(over) = keep(only_document(over, stream), problems) else {
            continue;
        };
        let value = merge(source.document.value().clone(), over.document.value());
        let spec = parsed(gap::parse(vec![source, over], &value, config), problems);
        merged.extend(spec.map(|spec| (environment.clone(), spec)));
    }
    Some(Specs { base: base?, merged })
}

fn parsed(result: gap::Parsed, problems: &mut Vec<Diagnostic>) -> Option<GapSpec> {
    match result {
        Ok((spec, notices)) => {
            problems.extend(notices);
            Some(spec)
        }
        Err(wrong) => {
            problems.extend(wrong);
            None
        }
    }
}

fn keep<T>(result: Result<T, Diagnostic>, problems: &mut Vec<Diagnostic>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn only_document<'a>(file: &'a RepoPath, stream: &'a Stream) -> Result<Source<'a>, Diagnostic> {
    let mut documents = stream
        .documents()
        .iter()
        .enumerate()
        .filter(|(_, document): &(usize, &Document)| !document.is_empty());
    let Some((index, document)) = documents.next() else {
        let empty = Diagnostic::error(Code::InvalidValue, "the spec is empty").at(Location::file(file));
        return Err(empty.hint("write at least `name`, `namespace` and `deployments`"));
    };
    match documents.next() {
        None => Ok(Source {
            file,
            index,
            document,
        }),
        Some((second, _)) => {
            let more = Diagnostic::error(Code::InvalidValue, "a spec holds one document");
            Err(more.at(Location::value(file, second, &[])))
        }
    }
}

fn unmerged(file: &RepoPath, what: EnvironmentSpec) -> Diagnostic {
    let message = "a spec in an environment's folder is not known to the platform";
    let hint =
        "move what differs into patches, or set `layout: {env_gap_yaml: merge}` in .tidegate/config.yaml";
    let found = match what {
        EnvironmentSpec::Error => Diagnostic::error(Code::EnvironmentSpec, message),
        _ => Diagnostic::warning(Code::EnvironmentSpec, format!("{message} and has no effect")),
    };
    found.at(Location::file(file)).hint(hint)
}

/// Merges maps key by key; everything else is replaced.
fn merge(base: Value, over: &Value) -> Value {
    match (base, over) {
        (Value::Object(mut base), Value::Object(over)) => {
            for (key, value) in over {
                let merged = merge(base.get(key).cloned().unwrap_or_default(), value);
                base.insert(key.clone(), merged);
            }
            Value::Object(base)
        }
        (_, over) => over.clone(),
    }
}
