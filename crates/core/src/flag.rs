//! The flag that chooses between two versions of one image: how a person asks for it, and where a container says it.
//!
//! A flag is a variable of the environment or an argument of the first container, whose image is the release's. What a
//! container says is read from values alone: where they are written, and edited, is a layout's business.

use jsonptr::PointerBuf;
use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic, Location, nearest};
use crate::manifest::Manifest;
use crate::model::{Flag, FlagName, Version};

/// Where the containers of a workload, or of a patch of one, stand.
pub(crate) const CONTAINERS: [&str; 4] = ["spec", "template", "spec", "containers"];

/// Where a container says a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The text that holds the value, from the container on: `env/0/value`, `args/2`.
    pub(crate) at: PointerBuf,
    /// What stands before the value in that text: `--engine=`.
    pub(crate) prefix: String,
    /// What goes with the flag, the last first: `args/2` and `args/1`.
    pub(crate) items: Vec<PointerBuf>,
    /// The value.
    pub(crate) value: Spoken,
}

/// What is said of a flag at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// This value.
    Value(String),
    /// What something else holds: `secretKeyRef`.
    Elsewhere(String),
    /// No text.
    NoText,
}

/// Every place where a container says a flag, in the order of its values.
pub(crate) fn said(name: &FlagName, container: &Value) -> Vec<Said> {
    match name {
        FlagName::Env(name) => variables(container)
            .filter(|(_, entry)| entry.get("name").and_then(Value::as_str) == Some(name))
            .map(|(index, entry)| variable(index, entry))
            .collect(),
        FlagName::Arg(name) => ["command", "args"]
            .into_iter()
            .flat_map(|list| arguments(name, list, container))
            .collect(),
    }
}

/// The same of what a spec says of a workload: its variables may be a map, which a template makes a list of.
pub(crate) fn said_in_spec(name: &FlagName, workload: &Value) -> Vec<Said> {
    let mut found = said(name, workload);
    if let FlagName::Env(name) = name
        && let Some(value) = workload
            .get("env")
            .and_then(Value::as_object)
            .and_then(|env| env.get(name))
    {
        let at = PointerBuf::from_tokens(["env", name]);
        found.push(Said {
            at: at.clone(),
            prefix: String::new(),
            items: vec![at],
            value: value
                .as_str()
                .map_or(Spoken::NoText, |value| Spoken::Value(value.to_owned())),
        });
    }
    found
}

fn variables(container: &Value) -> impl Iterator<Item = (usize, &Value)> {
    let entries = container.get("env").and_then(Value::as_array);
    entries.into_iter().flatten().enumerate()
}

fn variable(index: usize, entry: &Value) -> Said {
    let item = PointerBuf::from_tokens(["env", &index.to_string()]);
    let mut at = item.clone();
    at.push_back("value");
    let value = match (entry.get("value"), entry.get("valueFrom")) {
        (Some(Value::String(value)), _) => Spoken::Value(value.clone()),
        (None, Some(source)) => {
            let kind = source.as_object().and_then(|source| source.keys().next());
            Spoken::Elsewhere(kind.map_or_else(|| "valueFrom".to_owned(), Clone::clone))
        }
        _ => Spoken::NoText,
    };
    Said {
        at,
        prefix: String::new(),
        items: vec![item],
        value,
    }
}

/// An item `--engine=rapid`, or `--engine` with the next one.
fn arguments(name: &str, list: &str, container: &Value) -> Vec<Said> {
    let texts: Vec<Option<&str>> = match container.get(list).and_then(Value::as_array) {
        Some(items) => items.iter().map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let item = |index: usize| PointerBuf::from_tokens([list, &index.to_string()]);
    let prefix = format!("{name}=");
    let found = texts.iter().enumerate().filter_map(|(index, text)| {
        let text = (*text)?;
        if let Some(value) = text.strip_prefix(&prefix) {
            return Some(Said {
                at: item(index),
                prefix: prefix.clone(),
                items: vec![item(index)],
                value: Spoken::Value(value.to_owned()),
            });
        }
        let next = texts.get(index + 1).copied().flatten();
        (text == name).then(|| Said {
            at: item(index + 1),
            prefix: String::new(),
            items: vec![item(index + 1), item(index)],
            value: match next {
                Some(value) => Spoken::Value(value.to_owned()),
                None => Spoken::NoText,
            },
        })
    });
    found.collect()
}

/// The first container of a workload: the one whose image is the release's.
pub(crate) fn container(workload: &Value) -> Option<&Value> {
    containers(workload).first()
}

/// Where a workload says a flag, as near as its place in the files is known; its containers where it does not.
pub(crate) fn place(flag: &Flag, deployment: &Manifest) -> Location {
    let containers = deployment.origin.below(&CONTAINERS);
    let places = container(&deployment.value).map(|container| said(&flag.name, container));
    match places.as_deref() {
        Some([first, ..]) => containers.below(&["0"]).below_pointer(&first.at),
        _ => containers.as_key(),
    }
}

/// The place of the container of a name, in a patch of a workload.
pub(crate) fn container_called(patch: &Value, name: &str) -> Option<usize> {
    let is_called_so = |container: &Value| container.get("name").and_then(Value::as_str) == Some(name);
    containers(patch).iter().position(is_called_so)
}

fn containers(workload: &Value) -> &[Value] {
    let found = CONTAINERS.iter().try_fold(workload, |value, key| value.get(*key));
    found.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a workload says of a flag, as it is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The value of a version.
    Version(Version),
    /// Another value.
    Other(String),
    /// Nothing.
    Unsaid,
    /// What cannot be read, as a sentence that follows the workload's name.
    Unclear(String),
}

impl Reading {
    /// What a Deployment says.
    pub(crate) fn of(flag: &Flag, deployment: &Manifest) -> Self {
        let Some(container) = container(&deployment.value) else {
            return Self::Unsaid;
        };
        let name = &flag.name;
        match said(name, container).as_slice() {
            [] => Self::Unsaid,
            [only] => match &only.value {
                Spoken::Value(value) if *value == flag.stable => Self::Version(Version::Stable),
                Spoken::Value(value) if *value == flag.canary => Self::Version(Version::Canary),
                Spoken::Value(value) => Self::Other(value.clone()),
                Spoken::Elsewhere(source) => Self::Unclear(format!("takes `{name}` from a `{source}`")),
                Spoken::NoText => Self::Unclear(format!("says `{name}` without a value that is text")),
            },
            several => Self::Unclear(format!("says `{name}` {} times", several.len())),
        }
    }

    /// Why a release cannot go by what a workload says, where that is no version's value; without a place.
    pub(crate) fn wrong(&self, flag: &Flag, workload: &str) -> Option<Diagnostic> {
        let Flag {
            name, stable, canary, ..
        } = flag;
        let message = match self {
            Self::Version(_) => return None,
            Self::Other(value) => {
                format!("`{workload}` says `{value}` for `{name}`, neither `{stable}` nor `{canary}`")
            }
            Self::Unsaid => format!("`{workload}` does not say `{name}`"),
            Self::Unclear(what) => format!("`{workload}` {what}"),
        };
        let hint = match self {
            Self::Unclear(_) => format!("write it once, as text, where the workload is: {}", example(flag)),
            _ => format!("write {}", example(flag)),
        };
        Some(Diagnostic::error(Code::Drift, message).hint(hint))
    }
}

/// The stable value as a person would write it.
pub(crate) fn example(flag: &Flag) -> String {
    match &flag.name {
        FlagName::Env(name) => format!("`- {{name: {name}, value: \"{}\"}}` under `env`", flag.stable),
        FlagName::Arg(name) => format!("`{name}={}` under `args`", flag.stable),
    }
}

/// Reads what a person asks of `init`: `env:ENGINE=classic,rapid` or `arg:--engine=classic,rapid`.
///
/// Errors: what of it is missing or makes no sense, without a place.
pub(crate) fn parse(text: &str) -> Result<Flag, Diagnostic> {
    let wrong = |message: String| {
        Diagnostic::error(Code::InvalidValue, message).hint(
            "name a variable or an argument with its old and its new value: --flag env:ENGINE=classic,rapid",
        )
    };
    let Some((kind, rest)) = text.split_once(':') else {
        return Err(wrong(format!("`{text}` does not begin with `env:` or `arg:`")));
    };
    let Some((name, values)) = rest.split_once('=') else {
        return Err(wrong(format!("`{text}` says no values: there is no `=`")));
    };
    let Some((stable, canary)) = values.split_once(',') else {
        return Err(wrong(format!(
            "`{text}` says one value, and the new one after a comma is missing"
        )));
    };
    let name = match kind {
        "env" => FlagName::Env(name.to_owned()),
        "arg" => FlagName::Arg(name.to_owned()),
        other => {
            let near = nearest(other, ["env", "arg"]);
            let found = wrong(format!("a flag is no `{other}`"));
            return Err(match near {
                Some(near) => found.hint(format!("did you mean `{near}:`?")),
                None => found,
            });
        }
    };
    let flag = Flag {
        name,
        stable: stable.to_owned(),
        canary: canary.to_owned(),
        unsaid: Version::Stable,
    };
    match check(&flag) {
        Some(problem) => Err(problem),
        None => Ok(flag),
    }
}

/// Whether a flag can choose: it has a name that can be one, and two values that differ; without a place.
///
/// Source: Kubernetes, `EnvVar.name`: printable ASCII but `=`.
pub(crate) fn check(flag: &Flag) -> Option<Diagnostic> {
    let Flag {
        name, stable, canary, ..
    } = flag;
    let wrong =
        |message: String, hint: String| Some(Diagnostic::error(Code::InvalidValue, message).hint(hint));
    let is_graphic = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    match name {
        FlagName::Env(text) if !is_graphic(text) || text.contains('=') => {
            return wrong(
                format!("`{text}` cannot be the name of a variable"),
                "a name has letters, digits and `_`, such as `ENGINE`".to_owned(),
            );
        }
        FlagName::Arg(text) if !is_graphic(text) || text.contains('=') => {
            return wrong(
                format!("`{text}` cannot be the name of an argument"),
                "write what stands before its value, such as `--engine`".to_owned(),
            );
        }
        _ => {}
    }
    if stable == canary {
        return wrong(
            format!("`{name}` is `{stable}` for both versions"),
            "name the value of the old version and that of the new one".to_owned(),
        );
    }
    [stable, canary]
        .into_iter()
        .find(|value| value.chars().any(char::is_control))
        .and_then(|_| {
            wrong(
                format!("a value of `{name}` has a control character"),
                "values are plain text on one line".to_owned(),
            )
        })
}

/// Why a workload does not say a flag, and what it says instead; without a place.
pub(crate) fn unsaid(flag: &Flag, workload: &str, deployment: &Manifest) -> Diagnostic {
    let Flag { name, .. } = flag;
    let first = container(&deployment.value);
    let found = Diagnostic::error(
        Code::UnknownName,
        format!("`{workload}` does not say `{name}`, so nothing would choose between the versions"),
    );
    let others = containers(&deployment.value).iter().skip(1);
    let other = others
        .filter(|container| !said(name, container).is_empty())
        .find_map(|container| container.get("name")?.as_str());
    if let (Some(other), Some(first)) = (other, first.and_then(|first| first.get("name")?.as_str())) {
        return found.hint(format!(
            "`{other}` says it; a release flips the flag of the first container, `{first}`"
        ));
    }
    let env = first.and_then(|container| container.get("env"));
    if matches!(flag.name, FlagName::Env(_)) && env.is_some_and(Value::is_object) {
        return found.hint("`env` is a map: Kubernetes takes a list of `name` and `value`");
    }
    let names = names(flag, first);
    if let Some(near) = nearest(&name.to_string(), names.iter().map(String::as_str)) {
        return found.hint(format!("did you mean `{near}`?"));
    }
    let from = first.and_then(|container| container.get("envFrom"));
    let found = match (&flag.name, from) {
        (FlagName::Env(_), Some(_)) => {
            found.hint("what `envFrom` brings in is not seen, and a release could not change it")
        }
        _ => found,
    };
    found.hint(format!(
        "add it with the old value first, in a commit of its own: {}",
        example(flag)
    ))
}

/// What a container has of the same kind.
fn names(flag: &Flag, container: Option<&Value>) -> Vec<String> {
    let Some(container) = container else {
        return Vec::new();
    };
    match &flag.name {
        FlagName::Env(_) => variables(container)
            .filter_map(|(_, entry)| Some(entry.get("name")?.as_str()?.to_owned()))
            .collect(),
        FlagName::Arg(_) => ["command", "args"]
            .into_iter()
            .filter_map(|list| container.get(list)?.as_array())
            .flatten()
            .filter_map(|item| Some(item.as_str()?.split('=').next()?.to_owned()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(name: FlagName, container: Value) -> Vec<(String, Spoken)> {
        let found = said(&name, &container).into_iter();
        found.map(|said| (said.at.to_string(), said.value)).collect()
    }

    fn value(text: &str) -> Spoken {
        Spoken::Value(text.to_owned())
    }

    #[test]
    fn a_variable_is_said_by_its_entry() {
        let container = json!({"env": [
            {"name": "ENGINES", "value": "four"},
            {"name": "ENGINE", "value": "rapid"},
            {"name": "ENGINE", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
            {"name": "ENGINE", "value": 1},
        ]});
        assert_eq!(
            places(FlagName::Env("ENGINE".into()), container),
            [
                ("/env/1/value".to_owned(), value("rapid")),
                (
                    "/env/2/value".to_owned(),
                    Spoken::Elsewhere("secretKeyRef".to_owned())
                ),
                ("/env/3/value".to_owned(), Spoken::NoText),
            ]
        );
    }

    #[test]
    fn an_argument_is_one_item_or_two() {
        let name = || FlagName::Arg("--engine".into());
        let container =
            json!({"command": ["/app", "--engine", "rapid"], "args": ["--engines=2", "--engine=classic"]});
        assert_eq!(
            places(name(), container),
            [
                ("/command/2".to_owned(), value("rapid")),
                ("/args/1".to_owned(), value("classic")),
            ]
        );
        let last = json!({"args": ["--engine"]});
        assert_eq!(places(name(), last), [("/args/1".to_owned(), Spoken::NoText)]);
    }

    #[test]
    fn what_a_person_asks_for_is_read_or_refused() {
        let flag = parse("arg:--engine=classic,rapid").expect("a flag");
        assert_eq!(flag.name, FlagName::Arg("--engine".to_owned()));
        assert_eq!((flag.stable.as_str(), flag.canary.as_str()), ("classic", "rapid"));
        for (text, expected) in [
            ("ENGINE=a,b", "`ENGINE=a,b` does not begin with `env:` or `arg:`"),
            ("envs:ENGINE=a,b", "a flag is no `envs`"),
            ("env:ENGINE", "`env:ENGINE` says no values: there is no `=`"),
            (
                "env:ENGINE=a",
                "`env:ENGINE=a` says one value, and the new one after a comma is missing",
            ),
            ("env:ENGINE=a,a", "`ENGINE` is `a` for both versions"),
            ("env:=a,b", "`` cannot be the name of a variable"),
            (
                "arg:--an engine=a,b",
                "`--an engine` cannot be the name of an argument",
            ),
        ] {
            let problem = parse(text).expect_err(text);
            assert_eq!(problem.message, expected);
            assert!(!problem.hints.is_empty(), "{text}");
        }
    }
}
