//! Reads values of a document by type and notes what does not fit, with its place.
//!
//! Nothing here stops at the first problem: a value that does not fit reads as not given, and the problem is kept.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jsonptr::PointerBuf;
use serde_json::{Map, Value};
use tidegate_yaml::{Document, dotted};

use super::names;
use crate::diagnostic::{Code, Diagnostic, Location, Place, nearest};
use crate::repo::RepoPath;
use crate::schema::config::UnknownKeys;

/// A document that values are read from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The file.
    pub(crate) file: &'a RepoPath,
    /// The document's number in the file, from 0.
    pub(crate) index: usize,
    /// The document.
    pub(crate) document: &'a Document,
}

impl Source<'_> {
    fn has(&self, path: &PointerBuf) -> bool {
        self.document.value_span(path).is_some()
    }
}

/// A value and the way to it.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: PointerBuf,
}

impl<'a> Node<'a> {
    /// The value of a key; `None` where it is missing or null, which mean the same.
    pub(crate) fn child(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(self.below(key, value))
    }

    /// The value of a key, null or not.
    pub(crate) fn entry(&self, key: &str) -> Option<Self> {
        Some(self.below(key, self.value.get(key)?))
    }

    fn below(&self, token: &str, value: &'a Value) -> Self {
        let mut path = self.path.clone();
        path.push_back(token);
        Self { value, path }
    }
}

/// Collects problems while a document is read.
pub(crate) struct Reader<'a> {
    /// The documents the value was made from; a place is looked for in the last one first.
    sources: Vec<Source<'a>>,
    unknown_keys: UnknownKeys,
    reported_keys: BTreeSet<String>,
    pub(crate) problems: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(sources: Vec<Source<'a>>, unknown_keys: UnknownKeys) -> Self {
        Self {
            sources,
            unknown_keys,
            reported_keys: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    fn source(&self, path: &PointerBuf) -> Source<'a> {
        let found = self.sources.iter().rev().find(|source| source.has(path));
        *found.unwrap_or(&self.sources[0])
    }

    /// Where a value is written.
    pub(crate) fn place(&self, path: &PointerBuf) -> Location {
        let source = self.source(path);
        Location {
            file: source.file.clone(),
            place: Place::Value(source.index, path.clone()),
        }
    }

    /// Where a value is described first, whatever is merged over it: what stays the same from one environment to the next.
    pub(crate) fn origin(&self, path: &PointerBuf) -> Location {
        let source = self
            .sources
            .iter()
            .find(|source| source.has(path))
            .unwrap_or(&self.sources[0]);
        Location {
            file: source.file.clone(),
            place: Place::Value(source.index, path.clone()),
        }
    }

    /// Where the key of a value is written.
    pub(crate) fn key_place(&self, path: &PointerBuf) -> Location {
        let source = self.source(path);
        Location {
            file: source.file.clone(),
            place: Place::Key(source.index, path.clone()),
        }
    }

    /// Notes a problem with a value.
    pub(crate) fn report(&mut self, node: &Node<'_>, problem: Diagnostic) {
        let place = self.place(&node.path);
        self.problems.push(problem.at(place));
    }

    /// Notes a problem with the key of a value.
    pub(crate) fn report_key(&mut self, node: &Node<'_>, problem: Diagnostic) {
        let place = self.key_place(&node.path);
        self.problems.push(problem.at(place));
    }

    /// Notes that a key is missing.
    pub(crate) fn report_missing(&mut self, node: &Node<'_>, key: &str, example: &str) {
        let missing = Diagnostic::error(Code::InvalidValue, format!("the key `{key}` is missing"));
        self.report(node, missing.hint(format!("write `{key}: {example}`")));
    }

    /// A map whose keys are all known; others are reported once each and passed over.
    pub(crate) fn known_map(&mut self, node: &Node<'a>, known: &[&str]) -> Option<&'a Map<String, Value>> {
        let map = self.map(node)?;
        for (key, value) in map.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            self.unknown_key(&node.below(key, value), key, known);
        }
        Some(map)
    }

    fn unknown_key(&mut self, node: &Node<'_>, key: &str, known: &[&str]) {
        let message = format!("the key `{}` is not known and passed over", key.escape_debug());
        let found = match self.unknown_keys {
            UnknownKeys::Ignore => return,
            UnknownKeys::Warn => Diagnostic::warning(Code::UnknownKey, message),
            UnknownKeys::Error => Diagnostic::error(Code::UnknownKey, message),
        };
        if self.reported_keys.insert(key.to_owned()) {
            let hint = match nearest(key, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "what gap.yaml has no key for can be set by a patch".to_owned(),
            };
            self.report_key(node, found.hint(hint));
        }
    }

    /// A map with any keys.
    pub(crate) fn map(&mut self, node: &Node<'a>) -> Option<&'a Map<String, Value>> {
        self.expect(node, "a map", node.value.as_object())
    }

    /// The entries of a map with any keys.
    pub(crate) fn entries(&mut self, node: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
        let map = self.map(node).into_iter().flatten();
        map.map(|(key, value)| (key.as_str(), node.below(key, value)))
            .collect()
    }

    /// The items of a list.
    pub(crate) fn items(&mut self, node: &Node<'a>) -> Option<Vec<Node<'a>>> {
        let list = self.expect(node, "a list", node.value.as_array())?;
        let items = list.iter().enumerate();
        Some(
            items
                .map(|(index, value)| node.below(&index.to_string(), value))
                .collect(),
        )
    }

    /// A switch; off where it is not given.
    pub(crate) fn switch(&mut self, node: Option<Node<'a>>) -> bool {
        node.and_then(|node| self.expect(&node, "a boolean", node.value.as_bool()))
            .unwrap_or(false)
    }

    /// A whole number.
    pub(crate) fn number(&mut self, node: &Node<'a>) -> Option<u64> {
        self.expect(node, "a whole number", node.value.as_u64())
    }

    /// A text.
    pub(crate) fn text(&mut self, node: &Node<'a>) -> Option<String> {
        self.expect(node, "a string", node.value.as_str())
            .map(str::to_owned)
    }

    /// A list of texts; what does not fit is left out.
    pub(crate) fn texts(&mut self, node: &Node<'a>) -> Option<Vec<String>> {
        let items = self.items(node)?;
        Some(items.iter().filter_map(|item| self.text(item)).collect())
    }

    /// A map of labels.
    pub(crate) fn labels(&mut self, node: Option<Node<'a>>) -> IndexMap<String, String> {
        let entries = node.map(|node| self.entries(&node)).unwrap_or_default();
        let mut labels = IndexMap::new();
        for (key, value) in entries {
            let Some(text) = self.text(&value) else { continue };
            if let Some(problem) = names::label_pair(key, &text) {
                self.report(&value, problem);
            }
            labels.insert(key.to_owned(), text);
        }
        labels
    }

    fn expect<T>(&mut self, node: &Node<'_>, wanted: &str, found: Option<T>) -> Option<T> {
        if found.is_none() {
            self.wrong_type(node, wanted);
        }
        found
    }

    /// Notes a value of another type than is wanted, with what to write where that can be guessed.
    pub(crate) fn wrong_type(&mut self, node: &Node<'_>, wanted: &str) {
        let name = if node.path.is_root() {
            "the document".to_owned()
        } else {
            format!("`{}`", dotted(&node.path))
        };
        let message = format!("{name} is {}, not {wanted}", shape(node.value));
        let problem = Diagnostic::error(Code::WrongType, message);
        let problem = match self.remedy(node, wanted) {
            Some(hint) => problem.hint(hint),
            None => problem,
        };
        self.report(node, problem);
    }

    fn remedy(&self, node: &Node<'_>, wanted: &str) -> Option<String> {
        let key = node.path.last()?.decoded().into_owned();
        let lead = if key.bytes().all(|byte| byte.is_ascii_digit()) {
            "- ".to_owned()
        } else {
            format!("{key}: ")
        };
        let written = self
            .source(&node.path)
            .document
            .scalar_text(&node.path)
            .unwrap_or_default();
        match (wanted, node.value) {
            ("a string", Value::Number(_) | Value::Bool(_)) => {
                Some(format!("put it in quotes: `{lead}\"{written}\"`"))
            }
            ("a string", Value::Null) => Some(format!("write `{lead}\"\"` for an empty text")),
            ("a boolean", Value::String(text)) if text == "true" || text == "false" => {
                Some(format!("write it without quotes: `{lead}{text}`"))
            }
            ("a boolean", _) => Some(format!("write `{lead}true` or `{lead}false`")),
            ("a whole number", Value::String(text)) if text.parse::<u64>().is_ok() => {
                Some(format!("write it without quotes: `{lead}{text}`"))
            }
            ("a list", Value::String(_)) => Some(format!("write a list: `{lead}[{written}]`")),
            _ => None,
        }
    }
}

/// What a value is, in words.
pub(crate) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
