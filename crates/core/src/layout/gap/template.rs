//! The templates that base objects are made from: embedded ones, overridable file by file.
//!
//! Takes a template's name and values, gives the object it stands for. A template gets nothing but its values: no files, no
//! environment, no clock. Its work, its depth and its output are bounded, and what it gives is parsed before it is used.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, LazyLock};

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, filters, tests as checks};
use serde_json::Value as Json;
use tidegate_yaml::{Position, Stream};

use super::data::{value_of, write_json};
use crate::diagnostic::{Code, Diagnostic, Failure, Location, Place, nearest};
use crate::repo::{ReadError, Repo, RepoPath};
use crate::schema::config::Config;

mod shape;

/// The folder of overrides, from the root of the repository.
const OVERRIDES: &str = ".tidegate/templates/gap";

const FUEL: u64 = 1_000_000;
const DEPTH: usize = 64;
const LONGEST_SOURCE: usize = 1 << 20;
/// An object of Kubernetes has at most 1.5 MiB, for that is what etcd takes.
const LONGEST_OUTPUT: usize = 2 << 20;

macro_rules! templates {
    ($($variant:ident $file:literal $kind:literal)+) => {
        /// A kind of object that the platform makes from a spec.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Template { $($variant,)+ }

        impl Template {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn file_name(self) -> &'static str {
                match self { $(Self::$variant => $file,)+ }
            }

            fn kind(self) -> &'static str {
                match self { $(Self::$variant => $kind,)+ }
            }

            fn built_in(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("../../../../../templates/gap/", $file)),)+ }
            }
        }
    };
}

templates! {
    ServiceAccount "service_account.yaml" "ServiceAccount"
    Deployment "deployment.yaml" "Deployment"
    Service "service.yaml" "Service"
    Ingress "ingress.yaml" "Ingress"
    HorizontalPodAutoscaler "horizontal_pod_autoscaler.yaml" "HorizontalPodAutoscaler"
    VirtualService "virtual_service.yaml" "VirtualService"
    AuthorizationPolicy "authorization_policy.yaml" "AuthorizationPolicy"
    CronJob "cron_job.yaml" "CronJob"
}

/// The templates that a repository puts in place of the built-in ones.
///
/// For whoever has to decide whether they may be used, before anything is rendered.
pub fn template_overrides(repo: &dyn Repo, config: &Config) -> Result<Vec<RepoPath>, ReadError> {
    let mut files = repo.list(&config.root.join(OVERRIDES))?;
    files.retain(|file| {
        Template::ALL
            .iter()
            .any(|template| template.file_name() == file.file_name())
    });
    Ok(files)
}

/// The templates of a repository.
pub(super) struct Templates {
    engine: Cow<'static, Environment<'static>>,
    overridden: Vec<(Template, RepoPath)>,
    /// Whether some template can tell the environments apart.
    pub(super) know_environment: bool,
    /// What was met while they were read.
    pub(super) notices: Vec<Diagnostic>,
}

impl Templates {
    /// Reads the templates of a repository.
    ///
    /// Errors: templates that do not parse, each with its line.
    pub(super) fn load(repo: &dyn Repo, root: &RepoPath) -> Result<Self, Failure> {
        let files = repo.list(&root.join(OVERRIDES))?;
        let mut templates = Self {
            engine: Cow::Borrowed(&*BUILT_IN),
            overridden: Vec::new(),
            know_environment: false,
            notices: Vec::new(),
        };
        let mut problems = Vec::new();
        for template in Template::ALL {
            let file = files.iter().find(|file| file.file_name() == template.file_name());
            let source = match file {
                Some(file) => repo.read(file)?,
                None => None,
            };
            match file.zip(source) {
                None => templates.know_environment |= mentions_environment(template.built_in()),
                Some((file, source)) => {
                    templates.overridden.push((*template, file.clone()));
                    problems.extend(templates.replace(*template, source).err());
                }
            }
        }
        for file in &files {
            templates.notices.extend(unknown_file(file));
        }
        if problems.is_empty() {
            Ok(templates)
        } else {
            Err(problems.into())
        }
    }

    fn replace(&mut self, template: Template, source: String) -> Result<(), Diagnostic> {
        if source.len() > LONGEST_SOURCE {
            let message = format!(
                "the template has {} bytes, more than {LONGEST_SOURCE}",
                source.len()
            );
            return Err(self.failed(template, message, None));
        }
        self.know_environment |= mentions_environment(&source);
        let added = self
            .engine
            .to_mut()
            .add_template_owned(template.file_name(), source);
        added.map_err(|error| self.explain(template, &error, &Json::Null))
    }

    /// The object that a template makes of some values; `None` where it makes none.
    ///
    /// Errors: a template that cannot be filled in, or makes something else than one object of its kind.
    pub(super) fn render(&self, template: Template, values: &Arc<Json>) -> Result<Option<Json>, Diagnostic> {
        // A template may include another one: with one that is the repository's own, all are taken at their word.
        if !self.overridden.is_empty() {
            return self.read(template, &self.text(template, value_of(values), values)?);
        }
        let text = self.text(template, shape::marks(values), values)?;
        let shape = shape::shape_of(text, |text| self.read(template, text))?;
        Ok(shape.as_ref().as_ref().map(|shape| shape::fill(shape, values)))
    }

    /// What a template gives; `values` tell what could have been meant by a name that is not there.
    fn text(&self, template: Template, context: Value, values: &Json) -> Result<String, Diagnostic> {
        let mut output = Bounded(Vec::new());
        let found = self.engine.get_template(template.file_name());
        let rendered = found.and_then(|found| found.render_captured_to(context, &mut output).map(|_| ()));
        rendered.map_err(|error| self.explain(template, &error, values))?;
        Ok(String::from_utf8_lossy(&output.0).into_owned())
    }

    /// The object that a text stands for.
    fn read(&self, template: Template, text: &str) -> Result<Option<Json>, Diagnostic> {
        let stream = Stream::parse(text).map_err(|error| {
            let message = format!(
                "renders to something that is no YAML: {} in line {}",
                error.message, error.position.line
            );
            self.failed(template, message, None)
        })?;
        let documents = stream.into_documents().into_iter();
        let mut documents = documents.filter(|document| !document.value().is_null());
        let Some(document) = documents.next() else {
            return Ok(None);
        };
        if documents.next().is_some() {
            return Err(self.failed(template, "renders to more than one document".to_owned(), None));
        }
        let object = document.into_value();
        let kind = object.get("kind").and_then(Json::as_str);
        if kind != Some(template.kind()) {
            let found = kind.unwrap_or("something without a kind");
            let message = format!(
                "renders to {}, not to a {}",
                found.escape_debug(),
                template.kind()
            );
            return Err(self.failed(template, message, None));
        }
        let is_text = |pointer: &str| object.pointer(pointer).is_some_and(Json::is_string);
        if let Some(missing) = ["/apiVersion", "/metadata/name"]
            .into_iter()
            .find(|pointer| !is_text(pointer))
        {
            let message = format!("renders to an object without {}", &missing[1..].replace('/', "."));
            return Err(self.failed(template, message, None));
        }
        Ok(Some(object))
    }

    fn explain(&self, template: Template, error: &Error, values: &Json) -> Diagnostic {
        let what = match error.kind() {
            ErrorKind::UndefinedError => "uses a value that is not there".to_owned(),
            ErrorKind::OutOfFuel => "takes too many steps".to_owned(),
            ErrorKind::WriteFailure => format!("renders to more than {LONGEST_OUTPUT} bytes"),
            kind => match error.detail() {
                Some(detail) => format!("{kind}: {detail}"),
                None => kind.to_string(),
            },
        };
        // An include's error names the template that was included.
        let names_this = |other: &&Template| error.name() == Some(other.file_name());
        let template = Template::ALL.iter().find(names_this).copied().unwrap_or(template);
        let failed = self.failed(template, what, error.line());
        match error.kind() {
            ErrorKind::UndefinedError => self.unknown_names(template, failed, values),
            _ => failed,
        }
    }

    fn unknown_names(&self, template: Template, failed: Diagnostic, values: &Json) -> Diagnostic {
        let Ok(found) = self.engine.get_template(template.file_name()) else {
            return failed;
        };
        let known: Vec<&str> = values
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        let mut unknown: Vec<String> = found.undeclared_variables(false).into_iter().collect();
        unknown.retain(|name| !known.contains(&name.as_str()));
        unknown.sort();
        match unknown
            .first()
            .map(|name| (name, nearest(name, known.iter().copied())))
        {
            Some((name, Some(near))) => failed.hint(format!("there is no `{name}`: did you mean `{near}`?")),
            Some((name, None)) => {
                failed.hint(format!("there is no `{name}`; there is: {}", known.join(", ")))
            }
            None => failed,
        }
    }

    fn failed(&self, template: Template, what: String, line: Option<usize>) -> Diagnostic {
        let line_of = line.map(|line| format!(", line {line}")).unwrap_or_default();
        let overridden = self.overridden.iter().find(|(other, _)| *other == template);
        let owner = if overridden.is_some() {
            "the template"
        } else {
            "the built-in template"
        };
        let message = format!("{owner} `{}`{line_of}: {what}", template.file_name());
        let failed = Diagnostic::error(Code::TemplateFailed, message);
        match overridden {
            Some((_, file)) => {
                let position = |line| Place::Position(Position { line, column: 1 });
                failed.at(Location {
                    file: file.clone(),
                    place: line.map_or(Place::File, position),
                })
            }
            None => failed,
        }
    }
}

fn unknown_file(file: &RepoPath) -> Option<Diagnostic> {
    let names = || Template::ALL.iter().map(|template| template.file_name());
    if names().any(|name| name == file.file_name()) || !file.file_name().ends_with(".yaml") {
        return None;
    }
    let message = format!("there is no template `{}` to override", file.file_name());
    let found = Diagnostic::warning(Code::UnknownName, message).at(Location::file(file));
    Some(match nearest(file.file_name(), names()) {
        Some(name) => found.hint(format!("did you mean `{name}`?")),
        None => found.hint(format!("there is: {}", names().collect::<Vec<_>>().join(", "))),
    })
}

/// Errs on the safe side: the word may stand in a comment.
fn mentions_environment(source: &str) -> bool {
    source.contains("environment")
}

/// The built-in templates, compiled once for all applications.
static BUILT_IN: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = engine();
    for template in Template::ALL {
        engine
            .add_template(template.file_name(), template.built_in())
            .expect("a test fills in every built-in template");
    }
    engine
});

fn engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEPTH);
    engine.set_formatter(|out, _, value| match value.downcast_object_ref::<shape::Hole>() {
        Some(_) => write!(out, "{value}").map_err(|_| Error::from(ErrorKind::WriteFailure)),
        None => write_json(out, value),
    });
    engine.add_filter("tojson", |value: &Value| {
        let mut text = String::new();
        write_json(&mut text, value).map(|()| Value::from_safe_string(text))
    });
    engine.add_filter("default", filters::default);
    engine.add_filter("items", filters::items);
    engine.add_filter("length", filters::length);
    engine.add_filter("lower", filters::lower);
    engine.add_filter("upper", filters::upper);
    engine.add_filter("first", filters::first);
    engine.add_filter("last", filters::last);
    engine.add_filter("sort", filters::sort);
    engine.add_test("defined", checks::is_defined);
    engine.add_test("undefined", checks::is_undefined);
    engine.add_test("none", checks::is_none);
    engine.add_test("string", checks::is_string);
    engine.add_test("number", checks::is_number);
    engine.add_test("mapping", checks::is_mapping);
    engine.add_test("sequence", checks::is_sequence);
    engine
}

/// Takes text up to a limit.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_OUTPUT {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
