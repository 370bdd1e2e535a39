//! Anchored regular expressions with bounds.

use regex_lite::{Regex, RegexBuilder};

use super::SelectorError;

/// Bytes that a pattern may have.
pub const MAX_PATTERN: usize = 1024;

/// Bytes that a compiled pattern may have.
const MAX_COMPILED: usize = 1 << 20;

/// A regular expression that must match a whole text.
///
/// Shape: at most [`MAX_PATTERN`] bytes; matching takes time in proportion to the text.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    /// `None` for a text without special characters, which is compared as it is.
    regex: Option<Regex>,
}

impl Pattern {
    /// Reads a pattern. An empty one matches only the empty text; see [`Pattern::of_field`].
    ///
    /// # Errors
    /// [`SelectorError::LongPattern`], and [`SelectorError::BadPattern`] also where the compiled pattern would be larger than 1 MiB.
    pub fn new(pattern: &str) -> Result<Self, SelectorError> {
        if pattern.len() > MAX_PATTERN {
            return Err(SelectorError::LongPattern {
                length: pattern.len(),
            });
        }
        let is_special = |character: char| !(character.is_ascii_alphanumeric() || "-/_".contains(character));
        let regex = if pattern.contains(is_special) {
            Some(compile(pattern)?)
        } else {
            None
        };
        Ok(Self {
            text: pattern.to_owned(),
            regex,
        })
    }

    /// Reads a field of a kustomization's `target:`, where an empty text is no condition.
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub fn of_field(field: &str) -> Result<Option<Self>, SelectorError> {
        if field.is_empty() {
            Ok(None)
        } else {
            Self::new(field).map(Some)
        }
    }

    /// Returns whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.regex
            .as_ref()
            .map_or(self.text == text, |regex| regex.is_match(text))
    }

    /// The one text that matches, if the pattern has no special characters.
    pub(crate) fn literal(&self) -> Option<&str> {
        self.regex.is_none().then_some(self.text.as_str())
    }
}

fn compile(pattern: &str) -> Result<Regex, SelectorError> {
    let build = |text: &str| RegexBuilder::new(text).size_limit(MAX_COMPILED).build();
    // By itself first: `a)(b` would become valid by the group around it.
    let regex = build(pattern).and_then(|_| build(&format!("^(?:{pattern})$")));
    regex.map_err(|error| SelectorError::BadPattern {
        pattern: pattern.to_owned(),
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::{MAX_PATTERN, Pattern};

    fn check(pattern: &str, text: &str, expected: bool) {
        let pattern = Pattern::new(pattern).expect("a pattern");
        assert_eq!(pattern.matches(text), expected, "{pattern:?} on {text:?}");
    }

    #[test]
    fn patterns_are_anchored() {
        check("web", "web", true);
        check("web", "web-1", false);
        check("web|api", "web-1", false);
        check("web|api", "api", true);
        check("web.*", "web-1", true);
        check(".*", "", true);
        check("a.b", "a.b", true);
        check("", "x", false);
    }

    #[test]
    fn dangerous_patterns_are_refused() {
        assert!(Pattern::new(&"a".repeat(MAX_PATTERN + 1)).is_err());
        assert!(Pattern::new("((a{1000}){1000}){1000}").is_err());
        assert!(Pattern::new("a)(b").is_err());
        assert!(Pattern::new("(?=a)").is_err());
    }
}
