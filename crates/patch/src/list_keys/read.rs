//! Reading the text form of [`Rules`].

use std::collections::HashMap;

use super::{Field, Fields, Kind, MergeKey, Rule, Rules, RulesError, Scope, TypeIndex};

pub(super) fn rules(text: &str) -> Result<Rules, RulesError> {
    let mut reader = Reader::default();
    for (index, line) in text.lines().enumerate() {
        reader.line(line).ok_or_else(|| RulesError {
            line: index + 1,
            text: line.to_owned(),
        })?;
    }
    Ok(reader.rules)
}

#[derive(Default)]
struct Reader<'t> {
    rules: Rules,
    /// A type can be mentioned before its fields are read.
    names: HashMap<&'t str, TypeIndex>,
    current: Option<TypeIndex>,
}

/// No line has more words than this.
const WORDS: usize = 5;

impl<'t> Reader<'t> {
    fn line(&mut self, line: &'t str) -> Option<()> {
        if line.is_empty() || line.starts_with('#') {
            return Some(());
        }
        let mut words = [""; WORDS];
        let mut count = 0;
        for word in line.split_ascii_whitespace() {
            *words.get_mut(count)? = word;
            count += 1;
        }
        let words = &words[..count];
        if line.starts_with("  ") {
            return self.field(words);
        }
        match *words {
            ["kind", api_version, kind, scope, type_name] => {
                let scope = match scope {
                    "namespaced" => Scope::Namespaced,
                    "cluster" => Scope::Cluster,
                    _ => return None,
                };
                let fields = self.type_index(type_name);
                self.rules
                    .kinds
                    .insert((api_version.to_owned(), kind.to_owned()), Kind { scope, fields });
            }
            ["type", type_name] => self.current = Some(self.type_index(type_name)),
            _ => return None,
        }
        Some(())
    }

    fn field(&mut self, words: &[&'t str]) -> Option<()> {
        let (name, rule, inner) = match *words {
            [name, "map", inner] => (name, Rule::Map, Some(inner)),
            [name, "values", inner] => (name, Rule::Values, Some(inner)),
            [name, "replace"] => (name, Rule::Replace, None),
            [name, "set"] => (name, Rule::Set, None),
            [name, "data"] => (name, Rule::Data, None),
            [name, "list", keys] => (name, Rule::List(merge_keys(keys)), None),
            [name, "list", keys, inner] => (name, Rule::List(merge_keys(keys)), Some(inner)),
            _ => return None,
        };
        let inner = inner.map(|inner| self.type_index(inner));
        let current = self.current?;
        let name = name.to_owned();
        self.rules.types[current].0.push(Field { name, rule, inner });
        Some(())
    }

    fn type_index(&mut self, name: &'t str) -> TypeIndex {
        let types = &mut self.rules.types;
        *self.names.entry(name).or_insert_with(|| {
            types.push(Fields::default());
            types.len() - 1
        })
    }
}

fn merge_keys(words: &str) -> Vec<MergeKey> {
    let merge_key = |word: &str| match word.split_once('=') {
        Some((name, default)) => MergeKey {
            name: name.to_owned(),
            default: Some(default.to_owned()),
        },
        None => MergeKey {
            name: word.to_owned(),
            default: None,
        },
    };
    words.split(',').map(merge_key).collect()
}
