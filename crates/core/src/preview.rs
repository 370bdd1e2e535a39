//! The preview of a release: requests that meet the canary before its share of the others grows.
//!
//! Said once, in words that are no traffic system's; each provider says it in its own, or says that it cannot.

use std::fmt;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::model::Weight;

/// Which requests meet the canary whatever its share of the others is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// Requests of any of these kinds go to the canary, until it gets everything.
    pub matches: Vec<RequestMatch>,
    /// This share of the others is sent to the canary as well, without its answers, while it serves none of them.
    pub mirror: Option<Weight>,
}

impl Preview {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.matches.is_empty() && self.mirror.is_none()
    }
}

/// One kind of requests: everything it says holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestMatch {
    /// Headers, by lower-case name.
    pub headers: IndexMap<String, Pattern>,
    /// A cookie, by name and value.
    pub cookie: Option<(String, String)>,
    /// The path.
    pub uri: Option<Pattern>,
}

/// What a text is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// It is this.
    Exact(String),
    /// It begins so. A path does in the way of the traffic system: by whole elements in the Gateway API.
    Prefix(String),
    /// A regular expression (RE2) fits all of it.
    Regex(String),
}

/// What two patterns for the same text come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Both {
    /// This one says it.
    Pattern(Pattern),
    /// No text is like both.
    Nothing,
    /// One pattern cannot say it.
    Unsayable,
}

impl Pattern {
    /// A text that is like this pattern and like another.
    pub(crate) fn and(&self, other: &Self) -> Both {
        let one = |pattern: &Self| Both::Pattern(pattern.clone());
        match (self, other) {
            _ if self == other => one(self),
            (Self::Regex(_), _) | (_, Self::Regex(_)) => Both::Unsayable,
            (Self::Exact(text), Self::Prefix(start)) if text.starts_with(start) => one(self),
            (Self::Prefix(start), Self::Exact(text)) if text.starts_with(start) => one(other),
            (Self::Prefix(longer), Self::Prefix(shorter)) if longer.starts_with(shorter) => one(self),
            (Self::Prefix(shorter), Self::Prefix(longer)) if longer.starts_with(shorter) => one(other),
            _ => Both::Nothing,
        }
    }

    /// The same as a regular expression for the whole text.
    pub(crate) fn regex(&self) -> String {
        match self {
            Self::Exact(text) => format!("^{}$", escaped(text)),
            Self::Prefix(text) => format!("^{}.*$", escaped(text)),
            Self::Regex(regex) => regex.clone(),
        }
    }

    /// The name of its kind and its text.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Exact(text) => ("exact", text),
            Self::Prefix(text) => ("prefix", text),
            Self::Regex(text) => ("regex", text),
        }
    }
}

impl RequestMatch {
    /// All headers that it is about: the cookies of a request are one of them.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (String, Pattern)> + '_ {
        let cookie = self.cookie.iter().map(|(name, value)| {
            let pair = format!("{}={}", escaped(name), escaped(value));
            (
                COOKIE.to_owned(),
                Pattern::Regex(format!(r"^(.*;\s*)?{pair}(;.*)?$")),
            )
        });
        let headers = self.headers.iter();
        headers
            .map(|(name, pattern)| (name.clone(), pattern.clone()))
            .chain(cookie)
    }

    /// What a person types at a command: `header:end-user=jason`, `cookie:canary=always`, `uri:/beta`; a value that ends
    /// in `*` is how it begins.
    ///
    /// Errors: what is none of these, with what was meant.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let usage =
            "write header:NAME=VALUE, cookie:NAME=VALUE or uri:PATH; a value that ends in * is how it begins";
        let wrong = |message: String| Diagnostic::error(Code::InvalidValue, message).hint(usage);
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(wrong(format!("`{text}` does not say what is to match")));
        };
        let pair = || {
            let (name, value) = rest.split_once('=')?;
            (!name.is_empty() && !value.is_empty()).then_some((name, value))
        };
        let pattern = |value: &str| match value.strip_suffix('*') {
            Some(start) => Pattern::Prefix(start.to_owned()),
            None => Pattern::Exact(value.to_owned()),
        };
        let mut found = Self::default();
        match (kind, pair()) {
            ("header", Some((name, value))) => {
                found.headers.insert(name.to_ascii_lowercase(), pattern(value));
            }
            ("cookie", Some((name, value))) => found.cookie = Some((name.to_owned(), value.to_owned())),
            ("uri", _) if !rest.is_empty() => found.uri = Some(pattern(rest)),
            ("header" | "cookie", None) => {
                return Err(wrong(format!("`{text}` does not say a name and a value")));
            }
            ("uri", _) => return Err(wrong(format!("`{text}` does not say a path"))),
            _ => {
                let unknown = Diagnostic::error(
                    Code::UnknownName,
                    format!("`{kind}` is nothing that requests are told apart by"),
                );
                return Err(match nearest(kind, ["header", "cookie", "uri"]) {
                    Some(near) => unknown.hint(format!("did you mean `{near}`?")),
                    None => unknown.hint(usage),
                });
            }
        }
        match found.problem() {
            Some((_, problem)) => Err(problem),
            None => Ok(found),
        }
    }

    /// What no proxy can match, with the keys it is said at.
    pub(crate) fn problem(&self) -> Option<(Vec<String>, Diagnostic)> {
        let wrong = |at: &[&str], message: String, hint: &str| {
            let at = at.iter().map(|key| (*key).to_owned()).collect();
            Some((
                at,
                Diagnostic::error(Code::InvalidValue, message).hint(hint.to_owned()),
            ))
        };
        if self.headers.is_empty() && self.cookie.is_none() && self.uri.is_none() {
            return wrong(
                &[],
                "this match is of every request".to_owned(),
                "say a header, a cookie or a uri; a share of all requests is a weight: `tidegate shift`",
            );
        }
        let is_token = |text: &str| {
            let is_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            !text.is_empty() && text.chars().all(is_char)
        };
        for (name, pattern) in &self.headers {
            let at = ["headers", name];
            if !is_token(name) {
                return wrong(
                    &at,
                    format!("`{name}` is not the name of a header"),
                    "letters, digits and hyphens",
                );
            }
            if name == COOKIE && self.cookie.is_some() {
                return wrong(
                    &at,
                    "a cookie is matched in the header `cookie` already".to_owned(),
                    "say both in one regular expression of the header",
                );
            }
            if let Some(problem) = pattern.problem() {
                return Some((at.map(str::to_owned).to_vec(), problem));
            }
        }
        if let Some((name, value)) = &self.cookie {
            let is_value = |c: char| c.is_ascii_graphic() && !"\",;\\".contains(c);
            if !is_token(name) || value.is_empty() || !value.chars().all(is_value) {
                let at = ["cookies", name];
                return wrong(
                    &at,
                    format!("`{name}={value}` is not a cookie as browsers send it"),
                    "write its name and its exact value, without spaces, commas and semicolons",
                );
            }
        }
        let uri = self.uri.as_ref()?;
        if let Pattern::Exact(path) | Pattern::Prefix(path) = uri
            && !path.starts_with('/')
        {
            let hint = format!("write `/{path}`");
            return wrong(
                &["uri"],
                format!("the path `{path}` does not begin with a slash"),
                &hint,
            );
        }
        uri.problem().map(|problem| (vec!["uri".to_owned()], problem))
    }
}

impl Pattern {
    fn problem(&self) -> Option<Diagnostic> {
        let (kind, text) = self.parts();
        let message = match text {
            "" => format!("an empty `{kind}` says nothing"),
            text if text.chars().any(char::is_control) => {
                format!(
                    "`{}` holds a character that no request line can",
                    text.escape_debug()
                )
            }
            _ => return None,
        };
        Some(Diagnostic::error(Code::InvalidValue, message).hint("write the text that requests hold"))
    }
}

/// The header that holds all cookies of a request.
const COOKIE: &str = "cookie";

/// A text as a regular expression for itself.
///
/// Source: RE2, "Syntax": each of these has a meaning, and a backslash takes it away.
fn escaped(text: &str) -> String {
    let mut regex = String::new();
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            regex.push('\\');
        }
        regex.push(letter);
    }
    regex
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(formatter, "{text}"),
            Self::Prefix(text) => write!(formatter, "{text}*"),
            Self::Regex(text) => write!(formatter, "like {text}"),
        }
    }
}

impl fmt::Display for RequestMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self
            .headers
            .iter()
            .map(|(name, pattern)| format!("{name}: {pattern}"));
        let cookie = self
            .cookie
            .iter()
            .map(|(name, value)| format!("cookie {name}={value}"));
        let uri = self.uri.iter().map(|uri| format!("path {uri}"));
        let all: Vec<String> = headers.chain(cookie).chain(uri).collect();
        formatter.write_str(&all.join(" and "))
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matches: Vec<String> = self.matches.iter().map(RequestMatch::to_string).collect();
        let matches = matches.join("; or ");
        match (matches.as_str(), self.mirror) {
            ("", None) => formatter.write_str("nothing"),
            (matches, None) => write!(formatter, "{matches}"),
            ("", Some(share)) => write!(formatter, "copies of {share} percent"),
            (matches, Some(share)) => write!(formatter, "{matches}; copies of {share} percent of the others"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_is_typed_in_one_word() {
        let parsed = |text| RequestMatch::parse(text).map(|found| found.to_string());
        assert_eq!(parsed("header:End-User=jason").as_deref(), Ok("end-user: jason"));
        assert_eq!(
            parsed("header:user-agent=Mozilla*").as_deref(),
            Ok("user-agent: Mozilla*")
        );
        assert_eq!(
            parsed("cookie:canary=always").as_deref(),
            Ok("cookie canary=always")
        );
        assert_eq!(parsed("uri:/beta*").as_deref(), Ok("path /beta*"));
    }

    #[test]
    fn what_is_no_match_is_told_with_what_was_meant() {
        let refused = |text| {
            let wrong = RequestMatch::parse(text).expect_err(text);
            format!("{}; {}", wrong.message, wrong.hints.join(" "))
        };
        assert!(refused("haeder:a=b").contains("did you mean `header`?"));
        assert!(refused("jason").contains("write header:NAME=VALUE"));
        assert!(refused("header:end-user").contains("a name and a value"));
        assert!(refused("uri:beta").contains("write `/beta`"));
        assert!(refused("cookie:a=b;c=d").contains("not a cookie"));
        assert!(refused("header:a b=c").contains("not the name of a header"));
    }

    #[test]
    fn two_patterns_come_to_the_narrower_one_to_nothing_or_to_no_pattern() {
        let exact = |text: &str| Pattern::Exact(text.to_owned());
        let prefix = |text: &str| Pattern::Prefix(text.to_owned());
        let regex = |text: &str| Pattern::Regex(text.to_owned());
        for (one, other, both) in [
            (prefix("/a"), prefix("/a/b"), Both::Pattern(prefix("/a/b"))),
            (prefix("/a"), exact("/a/b"), Both::Pattern(exact("/a/b"))),
            (prefix("/a"), exact("/b"), Both::Nothing),
            (exact("/a"), exact("/b"), Both::Nothing),
            (regex("/a.*"), regex("/a.*"), Both::Pattern(regex("/a.*"))),
            (regex("/a.*"), prefix("/a"), Both::Unsayable),
        ] {
            assert_eq!(one.and(&other), both, "{one} and {other}");
            assert_eq!(other.and(&one), both, "{other} and {one}");
        }
    }

    #[test]
    fn a_cookie_is_a_regular_expression_of_all_cookies() {
        let found = RequestMatch::parse("cookie:canary=a.b").expect("a cookie");
        let headers: Vec<_> = found.headers().collect();
        let regex = r"^(.*;\s*)?canary=a\.b(;.*)?$";
        assert_eq!(headers, [("cookie".to_owned(), Pattern::Regex(regex.to_owned()))]);
    }
}
