//! What an Application asks for: the variables that Argo CD sets, read in one place.
//!
//! All of them are written by other teams. `ARGOCD_APP_PARAMETERS` counts, and not the `PARAM_*` made of it, whose names collide.

use std::collections::BTreeMap;
use std::env;

use serde::Deserialize;
use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::model::Order;
use tidegate_core::repo::RepoPath;
use tidegate_core::schema::config::Config;
use tidegate_core::schema::release::known_names;

/// The parameters, by name.
pub(super) const ENVIRONMENT: &str = "environment";
pub(super) const PATH: &str = "path";
pub(super) const ORDER: &str = "order";
const KNOWN: [&str; 3] = [ENVIRONMENT, PATH, ORDER];

/// What the parameter `order` may be.
pub(super) const ANY: &str = "any";
const ARGO_CD: &str = "argocd";

const PARAMETERS: &str = "ARGOCD_APP_PARAMETERS";
const APPLICATION: &str = "ARGOCD_APP_NAME";

/// What an Application asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// The environment by name; `None`: the configuration decides, by the Application's name.
    environment: Option<String>,
    application: Option<String>,
    /// The application's folder below the working folder, where it is not that folder itself.
    pub(super) path: Option<RepoPath>,
    /// The order that a release must ask for to be rendered while it runs; by default any.
    pub(super) order: Order,
}

/// A value, and who said it.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    value: String,
    /// `parameter …` or the name of a variable.
    by: String,
}

/// One parameter as it arrives. Source: `ApplicationSourcePluginParameter` in `pkg/apis/application/v1alpha1/types.go`.
#[derive(Debug, Deserialize)]
struct Parameter {
    #[serde(default)]
    name: String,
    string: Option<String>,
    array: Option<Vec<String>>,
    map: Option<BTreeMap<String, String>>,
}

impl Request {
    /// Reads the variables of this process.
    ///
    /// Errors: parameters that are not known, or not a text; all of them.
    pub(super) fn from_environment() -> Result<Self, Vec<Diagnostic>> {
        Self::of(&|name| variable(name))
    }

    fn of(variable: &dyn Fn(&str) -> Result<Option<String>, Diagnostic>) -> Result<Self, Vec<Diagnostic>> {
        let one = |problem: Diagnostic| vec![problem];
        let text = variable(PARAMETERS).map_err(one)?;
        let mut given = parameters(text.as_deref().unwrap_or_default())?;
        let mut asked = |parameter: &str| -> Result<Option<Asked>, Diagnostic> {
            if let Some(value) = given.remove(parameter).filter(|value| !value.is_empty()) {
                let by = format!("parameter `{parameter}`");
                return Ok(Some(Asked { value, by }));
            }
            let by = format!("ARGOCD_ENV_{}", parameter.to_uppercase());
            let value = variable(&by)?.filter(|value| !value.is_empty());
            Ok(value.map(|value| Asked { value, by }))
        };
        let environment = asked(ENVIRONMENT).map_err(one)?.map(|asked| asked.value);
        let path = asked(PATH).map_err(one)?;
        let path = path.map(|asked| folder(&asked)).transpose().map_err(one)?;
        let order = asked(ORDER).map_err(one)?;
        let order = order.map(|asked| order_of(&asked)).transpose().map_err(one)?;
        let application = variable(APPLICATION).map_err(one)?;
        Ok(Self {
            environment,
            application,
            path,
            order: order.unwrap_or_default(),
        })
    }

    /// The environment that is asked for, which need not exist: by the Application, else by a rule of the configuration.
    pub(super) fn environment(&self, config: &Config) -> Option<String> {
        let rule = || config.argocd.environment_of(self.application.as_deref()?);
        self.environment.clone().or_else(|| rule().map(str::to_owned))
    }

    /// The environment where the Application sets no parameter, for announcing it.
    pub(super) fn default_environment(config: &Config) -> Option<String> {
        Self::without_parameters()?.environment(config)
    }

    /// The folder where the Application sets no parameter, for announcing it.
    pub(super) fn default_path() -> Option<RepoPath> {
        Self::without_parameters()?.path
    }

    /// The order where the Application sets no parameter, for announcing it.
    pub(super) fn default_order() -> &'static str {
        match Self::without_parameters().unwrap_or_default().order {
            Order::Any => ANY,
            Order::ArgoCd => ARGO_CD,
        }
    }

    fn without_parameters() -> Option<Self> {
        Self::of(&|name| match name {
            PARAMETERS => Ok(None),
            name => variable(name),
        })
        .ok()
    }
}

/// The Application's folder in its repository; `None` where it is not said, or is no path.
pub(super) fn source_path() -> Option<RepoPath> {
    let text = variable("ARGOCD_APP_SOURCE_PATH").ok()??;
    let parts: Vec<&str> = text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    RepoPath::new(&parts.join("/")).ok()
}

fn variable(name: &str) -> Result<Option<String>, Diagnostic> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Diagnostic::error(
            Code::InvalidValue,
            format!("{name} is not UTF-8 text"),
        )),
    }
}

/// The texts by name; absent, empty, `null` and `[]` are all "none".
fn parameters(text: &str) -> Result<BTreeMap<String, String>, Vec<Diagnostic>> {
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let read: Option<Vec<Parameter>> = serde_json::from_str(text).map_err(|error| {
        let message = format!("{PARAMETERS} is not the list that Argo CD sends: {error}");
        vec![Diagnostic::error(Code::InvalidValue, message)]
    })?;
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    for parameter in read.unwrap_or_default() {
        let name = parameter.name.clone();
        match value(parameter).map(|value| values.insert(name.clone(), value)) {
            Err(problem) => problems.push(problem),
            Ok(Some(_)) => {
                let message = format!("parameter `{name}` is given twice");
                problems.push(Diagnostic::error(Code::InvalidValue, message).hint("keep one of the two"));
            }
            Ok(None) => {}
        }
    }
    match problems.is_empty() {
        true => Ok(values),
        false => Err(problems),
    }
}

fn value(parameter: Parameter) -> Result<String, Diagnostic> {
    let Parameter {
        name,
        string,
        array,
        map,
    } = parameter;
    if !KNOWN.contains(&name.as_str()) {
        let unknown = Diagnostic::error(Code::UnknownName, format!("there is no parameter `{name}`"));
        return Err(known_names(unknown, &name, KNOWN.into_iter()));
    }
    match (string, array, map) {
        (Some(value), None, None) => Ok(value),
        _ => {
            let message = format!("parameter `{name}` is not one text");
            let hint = format!("write {{name: {name}, string: …}}, without `array` and `map`");
            Err(Diagnostic::error(Code::WrongType, message).hint(hint))
        }
    }
}

fn folder(asked: &Asked) -> Result<RepoPath, Diagnostic> {
    let text = asked.value.strip_prefix("./").unwrap_or(&asked.value);
    let text = match text.strip_suffix('/') {
        Some(folder) if !folder.is_empty() => folder,
        _ => text,
    };
    RepoPath::new(text).map_err(|error| {
        Diagnostic::error(Code::OutsideRepository, format!("{}: {error}", asked.by))
            .hint("name a folder below the Application's source path, such as `services/orders`")
    })
}

fn order_of(asked: &Asked) -> Result<Order, Diagnostic> {
    match asked.value.as_str() {
        ANY => Ok(Order::Any),
        ARGO_CD => Ok(Order::ArgoCd),
        other => {
            let message = format!("{}: there is no order `{other}`", asked.by);
            let unknown = Diagnostic::error(Code::UnknownName, message);
            Err(known_names(unknown, other, [ANY, ARGO_CD].into_iter()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(variables: &[(&str, &str)]) -> Result<(Option<String>, Option<String>), String> {
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        };
        let text = |problems: Vec<Diagnostic>| {
            let lines: Vec<String> = problems
                .into_iter()
                .map(|problem| format!("{} ({})", problem.message, problem.hints.join("; ")))
                .collect();
            lines.join("\n")
        };
        let request = Request::of(&variable).map_err(text)?;
        Ok((
            request.environment,
            request.path.map(|path| path.as_str().to_owned()),
        ))
    }

    fn with_parameters(text: &str) -> Result<(Option<String>, Option<String>), String> {
        request(&[(PARAMETERS, text)])
    }

    #[test]
    fn no_parameters_have_four_forms() {
        assert_eq!(request(&[]), Ok((None, None)));
        for none in ["", " ", "null", "[]", "[ ]\n"] {
            assert_eq!(with_parameters(none), Ok((None, None)), "{none:?}");
        }
    }

    #[test]
    fn a_parameter_counts_before_a_variable() {
        let environment = r#"[{"name":"environment","string":"production"},{"name":"path","string":"a/b"}]"#;
        let staging = ("ARGOCD_ENV_ENVIRONMENT", "staging");
        let path = ("ARGOCD_ENV_PATH", "c");
        let of = |environment: &str, path: &str| Ok((Some(environment.to_owned()), Some(path.to_owned())));
        assert_eq!(request(&[staging, path]), of("staging", "c"));
        assert_eq!(
            request(&[(PARAMETERS, environment), staging, path]),
            of("production", "a/b")
        );
        // The user interface sends what was cleared as an empty text.
        let cleared = r#"[{"name":"environment","string":""},{"name":"path","string":""}]"#;
        assert_eq!(
            request(&[(PARAMETERS, cleared), staging, path]),
            of("staging", "c")
        );
        assert_eq!(with_parameters(cleared), Ok((None, None)));
        // The collapsed names are never read: different parameters share them.
        assert_eq!(request(&[("PARAM_ENVIRONMENT", "staging")]), Ok((None, None)));
    }

    #[test]
    fn other_forms_are_refused_with_what_to_write() {
        let write = "(write {name: environment, string: …}, without `array` and `map`)";
        for wrong in [
            r#"[{"name":"environment","array":["production"]}]"#,
            r#"[{"name":"environment","map":{"a":"b"}}]"#,
            r#"[{"name":"environment","array":[]}]"#,
            r#"[{"name":"environment","string":"a","map":{}}]"#,
            // `value: production` in the Application arrives as this.
            r#"[{"name":"environment"}]"#,
        ] {
            let expected = format!("parameter `environment` is not one text {write}");
            assert_eq!(with_parameters(wrong), Err(expected), "{wrong}");
        }
        for (wrong, says) in [
            (
                r#"[{"name":"enviroment","string":"a"}]"#,
                "did you mean `environment`?",
            ),
            (
                r#"[{"name":"zzz","string":"a"},{"name":"","string":"a"}]"#,
                "there is: environment, path, order",
            ),
            (
                r#"[{"name":"path","string":"a"},{"name":"path","string":"a"}]"#,
                "given twice",
            ),
            ("{}", "is not the list that Argo CD sends"),
            (
                r#"[{"name":"path","string":1}]"#,
                "is not the list that Argo CD sends",
            ),
            ("[", "is not the list that Argo CD sends"),
        ] {
            let refused = with_parameters(wrong).expect_err(wrong);
            assert!(refused.contains(says), "{wrong}: {refused}");
        }
    }

    #[test]
    fn an_order_is_one_of_two() {
        let order = |value: &str| {
            let variable = |wanted: &str| Ok((wanted == "ARGOCD_ENV_ORDER").then(|| value.to_owned()));
            Request::of(&variable).map(|request| request.order)
        };
        assert_eq!(order(""), Ok(Order::Any));
        assert_eq!(order("any"), Ok(Order::Any));
        assert_eq!(order("argocd"), Ok(Order::ArgoCd));
        let refused = order("argo-cd").expect_err("no order");
        let said = "ARGOCD_ENV_ORDER: there is no order `argo-cd`";
        assert!(
            refused.iter().any(|problem| problem.message == said),
            "{refused:?}"
        );
        assert!(
            refused
                .iter()
                .any(|problem| problem.hints.join("").contains("argocd")),
            "{refused:?}"
        );
    }

    #[test]
    fn a_path_stays_below_the_application() {
        for (given, path) in [("a", "a"), ("./a/b/", "a/b"), (".", ""), ("ä b", "ä b")] {
            let found = request(&[("ARGOCD_ENV_PATH", given)]);
            assert_eq!(found, Ok((None, Some(path.to_owned()))), "{given}");
        }
        for wrong in ["..", "../other", "a/../..", "/etc", "a//b", "/", "././a"] {
            let refused = request(&[("ARGOCD_ENV_PATH", wrong)]).expect_err(wrong);
            assert!(
                refused.starts_with("ARGOCD_ENV_PATH: ")
                    && refused.contains("below the Application's source path"),
                "{refused}"
            );
        }
    }
}
