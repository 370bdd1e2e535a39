//! Patterns over names: `{{ name }}--{{ deployment }}`.

use std::sync::LazyLock;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Deserialize;

/// The longest text a pattern may have, and the longest it may give.
const LONGEST: usize = 1024;

/// A text with holes for names.
///
/// Shape: a minijinja template over `name` (the application's; `app` is the same), `deployment`, `namespace` and
/// `environment`, with the filters `lower`, `upper` and `replace`. The names are put in as they are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

/// What the holes of a [`Pattern`] are filled with.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The application's name.
    pub name: &'a str,
    /// The workload's key.
    pub deployment: &'a str,
    /// The application's namespace.
    pub namespace: &'a str,
    /// The environment.
    pub environment: &'a str,
}

impl<'a> Names<'a> {
    /// The names as patterns call them.
    fn all(self) -> [(&'static str, &'a str); 5] {
        [
            ("name", self.name),
            ("app", self.name),
            ("deployment", self.deployment),
            ("namespace", self.namespace),
            ("environment", self.environment),
        ]
    }
}

impl Pattern {
    /// A pattern with this text; it is checked when it is filled in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Fills in the names.
    ///
    /// Errors: one line saying what is wrong with the pattern.
    pub fn fill(&self, names: Names<'_>) -> Result<String, String> {
        if self.0.len() > LONGEST {
            return Err(format!("a pattern of {} characters is too long", self.0.len()));
        }
        if let Some(filled) = self.fill_plainly(names) {
            return Ok(filled);
        }
        if self.0.contains("{%") {
            return Err("a pattern has no statements, only `{{ … }}`".to_owned());
        }
        // Each of them makes a long text of a short one, however little work it counts for.
        let mut holes = self.0.split("{{").skip(1);
        if holes.any(|hole| {
            hole.split("}}")
                .next()
                .unwrap_or_default()
                .contains(['*', '~', '+'])
        }) {
            return Err(format!(
                "the pattern `{}` has an operator, only names and filters can be used",
                self.0
            ));
        }
        let filled = ENGINE
            .render_str(&self.0, context(names))
            .map_err(|error| self.explain(&error))?;
        if filled.len() > LONGEST {
            return Err(format!(
                "the pattern `{}` gives {} characters",
                self.0,
                filled.len()
            ));
        }
        Ok(filled)
    }

    /// A pattern whose holes are names and nothing else, as nearly all are: filled in without an engine, for there is a
    /// pattern in every name of every object. `None`: it says more than that.
    fn fill_plainly(&self, names: Names<'_>) -> Option<String> {
        let (first, holes) = match self.0.split_once("{{") {
            Some((first, holes)) => (first, Some(holes)),
            None => (self.0.as_str(), None),
        };
        let mut filled = first.to_owned();
        for part in holes.into_iter().flat_map(|holes| holes.split("{{")) {
            let (hole, text) = part.split_once("}}")?;
            let name = hole.trim_matches(' ');
            let (_, value) = names.all().into_iter().find(|(known, _)| *known == name)?;
            filled.push_str(value);
            filled.push_str(text);
        }
        let is_plain = !self.0.contains(['%', '#', '\n']) && filled.len() <= LONGEST;
        is_plain.then_some(filled)
    }

    fn explain(&self, error: &Error) -> String {
        match error.kind() {
            ErrorKind::UndefinedError => {
                format!("the pattern `{}` uses a name that is not known", self.0)
            }
            kind => format!(
                "the pattern `{}` cannot be filled in: {}",
                self.0,
                error.detail().unwrap_or(&kind.to_string())
            ),
        }
    }
}

fn context(names: Names<'_>) -> Value {
    Value::from_pairs(names.all())
}

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

fn engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(10_000));
    engine.add_filter("lower", |text: String| text.to_lowercase());
    engine.add_filter("upper", |text: String| text.to_uppercase());
    engine.add_filter("replace", replace);
    engine
}

/// Bounded, for a chain of replacements could grow a few letters to gigabytes.
fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    let longest = (text.len() + 1).saturating_mul(to.len() + 1);
    match longest > LONGEST * LONGEST {
        true => Err(Error::new(ErrorKind::InvalidOperation, "the text is too long")),
        false => Ok(text.replace(&from, &to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let names = Names {
            name: "orders",
            deployment: "web",
            namespace: "checkout",
            environment: "staging",
        };
        Pattern::new(text).fill(names)
    }

    #[test]
    fn names_are_put_in_as_they_are() {
        assert_eq!(fill("{{ name }}--{{ deployment }}").as_deref(), Ok("orders--web"));
        assert_eq!(
            fill("{{ app }}.{{ namespace }}.{{ environment|upper }}").as_deref(),
            Ok("orders.checkout.STAGING")
        );
        assert_eq!(fill("{{ name|replace('o', '0') }}").as_deref(), Ok("0rders"));
    }

    #[test]
    fn a_pattern_of_names_alone_gives_what_the_engine_gives() {
        let names = Names {
            name: "orders",
            deployment: "web",
            namespace: "checkout",
            environment: "staging",
        };
        let texts = [
            "",
            "plain",
            "{{name}}",
            "{{ name }}--{{ deployment }}",
            "a.{{ app }}.{{  namespace  }}.{{ environment }}.b",
            "{{ name }}{{ name }}",
            "a }} b",
            "{ {{ name }} }",
        ];
        for text in texts {
            let expected = ENGINE.render_str(text, context(names));
            let expected = expected.expect("a template");
            let pattern = Pattern::new(text);
            assert_eq!(pattern.fill_plainly(names), Some(expected), "{text}");
        }
        for more in [
            "{{ name|upper }}",
            "{{ nmae }}",
            "{{ name",
            "{{- name }}",
            "{% set x = 1 %}",
            "{# x #}",
            "{{ {{ name }} }}",
            "{{ name }}\n",
        ] {
            assert_eq!(Pattern::new(more).fill_plainly(names), None, "{more}");
        }
    }

    #[test]
    fn what_a_pattern_cannot_do_is_said() {
        let unknown = Err("the pattern `{{ nmae }}` uses a name that is not known".to_owned());
        assert_eq!(fill("{{ nmae }}"), unknown);
        assert!(fill("{{ name").is_err());
        assert!(fill("{% set x = name %}{{ x }}").is_err());
        assert!(fill(&"x".repeat(2000)).is_err());
        for operator in ["name * 10000000", "name ~ name", "name + name"] {
            let refused = fill(&format!("*{{{{ {operator} }}}}")).expect_err(operator);
            assert!(refused.contains("has an operator"), "{refused}");
        }
        assert_eq!(fill("*.{{ name }}").as_deref(), Ok("*.orders"));
    }
}
