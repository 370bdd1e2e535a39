//! Label selectors, such as `app=web,tier in (front,back),!legacy`.
//!
//! Source: apimachinery `pkg/labels/selector.go`.

use serde_json::Value;

use super::SelectorError;

/// Requirements on labels (or annotations), all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    Exists,
    Absent,
    In(Vec<String>),
    /// Holds for objects without the label, too.
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl LabelSelector {
    /// Reads a selector. An empty one selects everything.
    ///
    /// # Errors
    /// [`SelectorError::BadLabels`].
    pub fn new(selector: &str) -> Result<Self, SelectorError> {
        let bad = |message: String| SelectorError::BadLabels {
            selector: selector.to_owned(),
            message,
        };
        let words = words(selector).map_err(bad)?;
        Parser { words: &words }.requirements().map(Self).map_err(bad)
    }

    /// Returns whether labels fulfil the selector. Anything but a map counts as no labels.
    pub fn matches(&self, labels: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key).and_then(Value::as_str);
            requirement.operator.holds(value)
        })
    }
}

impl Operator {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value?.parse::<i64>().ok();
        let is_among = |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => is_among(values),
            Self::NotIn(values) => !is_among(values),
            Self::Greater(bound) => number().is_some_and(|number| number > *bound),
            Self::Less(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// Splits a selector into names and signs.
fn words(selector: &str) -> Result<Vec<&str>, String> {
    let mut words = Vec::new();
    let mut rest = selector.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '=' if rest.starts_with("==") => 2,
            '!' if rest.starts_with("!=") => 2,
            '=' | '!' | '(' | ')' | ',' | '<' | '>' => 1,
            _ => rest
                .find(|character| !is_name_character(character))
                .unwrap_or(rest.len()),
        };
        if length == 0 {
            return Err(format!("{first:?} is not allowed"));
        }
        let (word, tail) = rest.split_at(length);
        words.push(word);
        rest = tail.trim_start();
    }
    Ok(words)
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_./".contains(character)
}

fn is_name(word: &str) -> bool {
    word.chars().all(is_name_character)
}

struct Parser<'w> {
    words: &'w [&'w str],
}

impl<'w> Parser<'w> {
    fn requirements(mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        while !self.words.is_empty() {
            requirements.push(self.requirement()?);
            match self.next() {
                None => break,
                Some(",") if !self.words.is_empty() => {}
                Some(word) => return Err(format!("{word:?} is out of place")),
            }
        }
        Ok(requirements)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        if self.words.first() == Some(&"!") {
            self.next();
            return Ok(Requirement {
                key: self.key()?,
                operator: Operator::Absent,
            });
        }
        let key = self.key()?;
        let operator = match self.words.first().copied() {
            None | Some(",") => {
                return Ok(Requirement {
                    key,
                    operator: Operator::Exists,
                });
            }
            Some(word) => word,
        };
        self.next();
        let operator = match operator {
            "=" | "==" => Operator::In(vec![self.value()]),
            "!=" => Operator::NotIn(vec![self.value()]),
            "in" => Operator::In(self.values()?),
            "notin" => Operator::NotIn(self.values()?),
            ">" => Operator::Greater(self.number()?),
            "<" => Operator::Less(self.number()?),
            word => return Err(format!("{word:?} is not an operator")),
        };
        Ok(Requirement { key, operator })
    }

    fn key(&mut self) -> Result<String, String> {
        match self.next() {
            Some(word) if is_name(word) => Ok(word.to_owned()),
            Some(word) => Err(format!("{word:?} is not a key")),
            None => Err(String::from("a key is missing")),
        }
    }

    /// A value can be empty: `app=`.
    fn value(&mut self) -> String {
        match self.words.first().copied().filter(|word| is_name(word)) {
            Some(word) => {
                self.next();
                word.to_owned()
            }
            None => String::new(),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        if self.next() != Some("(") {
            return Err(String::from("\"(\" is missing"));
        }
        let mut values = vec![self.value()];
        loop {
            match self.next() {
                Some(",") => values.push(self.value()),
                Some(")") => return Ok(values),
                Some(word) => return Err(format!("{word:?} is out of place")),
                None => return Err(String::from("\")\" is missing")),
            }
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let value = self.value();
        value.parse().map_err(|_| format!("{value:?} is not a number"))
    }

    fn next(&mut self) -> Option<&'w str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::LabelSelector;

    fn check(selector: &str, expected: bool) {
        let labels = json!({"app": "web", "tier": "front", "size": "5", "empty": ""});
        let parsed = LabelSelector::new(selector).expect("a selector");
        assert_eq!(parsed.matches(&labels), expected, "{selector}");
    }

    #[test]
    fn requirements_hold_or_not() {
        check("", true);
        check("app=web", true);
        check("app == web , tier=front", true);
        check("app=web,tier=back", false);
        check("app!=web", false);
        check("other!=web", true);
        check("app in (api, web)", true);
        check("app notin (api)", true);
        check("other notin (api)", true);
        check("other in (api)", false);
        check("app", true);
        check("!app", false);
        check("!example.org/app", true);
        check("size>4,size<6", true);
        check("size>5", false);
        check("empty=", true);
        check("app=", false);
    }

    #[test]
    fn mistakes_are_errors() {
        for selector in [
            "app=web,",
            ",",
            "app in web",
            "app in (web",
            "app ~ web",
            "app=web tier=front",
            "size>x",
            "ä=1",
            "!",
        ] {
            assert!(LabelSelector::new(selector).is_err(), "{selector}");
        }
    }
}
