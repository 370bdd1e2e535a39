//! Which lists merge, and by which keys: the patch rules of the kinds that Kubernetes itself defines.
//!
//! The rules of the built-in kinds are data, in `list_keys.txt`, written by the example `list_keys` from the OpenAPI
//! document that Kubernetes publishes. A [`Rules`] can also be read from text of the same form for types of one's own.
//!
//! A line of the text is one of
//!
//! ```text
//! kind API_VERSION KIND namespaced|cluster TYPE    the type of a kind's objects
//! type TYPE                                        begins a type; its fields follow, indented
//!   FIELD map TYPE                                 a map with fields of its own
//!   FIELD values TYPE                              a map whose values all have that type
//!   FIELD replace                                  a map that is replaced as a whole
//!   FIELD list KEY[=DEFAULT],… TYPE                a list that merges by these keys
//!   FIELD set                                      a list of scalars without order, which merges by value
//!   FIELD data                                     an ordinary field, though its name begins with `$`
//! ```
//!
//! What is not mentioned has no rule: maps merge, lists are replaced.

use std::collections::HashMap;
use std::sync::LazyLock;

static BUILTIN: LazyLock<Rules> =
    LazyLock::new(|| Rules::parse(include_str!("list_keys.txt")).expect("a test reads the embedded table"));

/// Patch rules of some kinds.
///
/// Shape: kinds point at types, types have fields with a [`Rule`] each.
/// Source: `x-kubernetes-patch-strategy`, `x-kubernetes-patch-merge-key` and `x-kubernetes-list-map-keys` of the OpenAPI document.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    kinds: HashMap<(String, String), Kind>,
    types: Vec<Fields>,
}

#[derive(Debug, Clone)]
struct Kind {
    scope: Scope,
    fields: TypeIndex,
}

/// Whether the objects of a kind live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Objects have a namespace; none given means `default`.
    Namespaced,
    /// Objects have none; one that is given does not count.
    Cluster,
}

type TypeIndex = usize;

/// The fields of a type that have a rule: a few, of which the last of a name counts.
#[derive(Debug, Clone, Default)]
struct Fields(Vec<Field>);

#[derive(Debug, Clone)]
struct Field {
    name: String,
    rule: Rule,
    /// The type inside the field; for a list, of its items.
    inner: Option<TypeIndex>,
}

/// How a patch and a field come together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// A map: merged key by key.
    Map,
    /// A map whose values all have the same type: merged key by key.
    Values,
    /// A map that is replaced as a whole.
    Replace,
    /// A list that is merged item by item.
    List(Vec<MergeKey>),
    /// A list of scalars that is merged by value.
    Set,
    /// An ordinary field whose name looks like a directive.
    Data,
}

/// A field that takes part in telling the items of a list apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeKey {
    /// Name of the field.
    pub name: String,
    /// What the API server fills in where an item does not have the field.
    pub default: Option<String>,
}

/// A place in the rules: a type, or nothing known.
///
/// A [`Place`] is walked down together with the value it describes.
#[derive(Debug, Clone, Copy)]
pub struct Place<'r> {
    rules: &'r Rules,
    fields: Option<TypeIndex>,
    /// All keys of this map have the type `fields`.
    is_values: bool,
}

impl Rules {
    /// Returns the rules of every kind that Kubernetes 1.33 defines, and of those that releases since 1.21 have removed.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Reads rules from text.
    ///
    /// # Errors
    /// A [`RulesError`] names the first line that is not of the form told on the [module page](self).
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        read::rules(text)
    }

    /// Returns the place where an object of a kind begins. A kind without rules gives a place without rules.
    pub fn object(&self, api_version: &str, kind: &str) -> Place<'_> {
        let kind = self.kinds.get(&(api_version.to_owned(), kind.to_owned()));
        Place {
            rules: self,
            fields: kind.map(|kind| kind.fields),
            is_values: false,
        }
    }

    /// Returns whether objects of a kind live in a namespace; `None` for a kind without rules.
    pub fn scope(&self, api_version: &str, kind: &str) -> Option<Scope> {
        Some(self.kinds.get(&(api_version.to_owned(), kind.to_owned()))?.scope)
    }
}

impl<'r> Place<'r> {
    /// Returns the rule of a field, and the place inside it (for a list: inside its items).
    pub fn field(self, name: &str) -> (Option<&'r Rule>, Self) {
        let nowhere = Self {
            fields: None,
            is_values: false,
            ..self
        };
        let Some(index) = self.fields else {
            return (None, nowhere);
        };
        if self.is_values {
            return (
                Some(&Rule::Map),
                Self {
                    is_values: false,
                    ..self
                },
            );
        }
        let mut fields = self.rules.types[index].0.iter().rev();
        let Some(field) = fields.find(|field| field.name == name) else {
            return (None, nowhere);
        };
        (
            Some(&field.rule),
            Self {
                fields: field.inner,
                is_values: field.rule == Rule::Values,
                ..self
            },
        )
    }

    /// Returns whether nothing is known from here on.
    pub fn is_unknown(self) -> bool {
        self.fields.is_none()
    }
}

/// A line of rules that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text:?} is not a rule")]
pub struct RulesError {
    /// Number of the line, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

mod read;

#[cfg(test)]
mod tests {
    use super::{MergeKey, Rule, Rules, Scope};

    #[test]
    fn embedded_table_is_readable() {
        assert_eq!(Rules::builtin().scope("v1", "Namespace"), Some(Scope::Cluster));
        assert_eq!(
            Rules::builtin().scope("apps/v1", "Deployment"),
            Some(Scope::Namespaced)
        );
        assert_eq!(Rules::builtin().scope("example.org/v1", "Deployment"), None);
    }

    #[test]
    fn service_ports_have_two_keys() {
        let (_, spec) = Rules::builtin().object("v1", "Service").field("spec");
        let (ports, port) = spec.field("ports");
        let key = |name: &str, default: Option<&str>| MergeKey {
            name: name.to_owned(),
            default: default.map(str::to_owned),
        };
        assert_eq!(
            ports,
            Some(&Rule::List(vec![key("port", None), key("protocol", Some("TCP"))]))
        );
        assert!(port.field("targetPort").0.is_none());
    }

    #[test]
    fn values_of_a_map_share_one_type() {
        let rules = Rules::parse("kind v1 A cluster A\ntype A\n  all values B\ntype B\n  names set\n");
        let rules = rules.expect("readable");
        let (_, all) = rules.object("v1", "A").field("all");
        let (rule, any) = all.field("whatever");
        assert_eq!(rule, Some(&Rule::Map));
        assert_eq!(any.field("names").0, Some(&Rule::Set));
    }
}
