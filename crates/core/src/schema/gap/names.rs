//! The limits of names in Kubernetes.
//!
//! Source: Kubernetes documentation, "Object Names and IDs" (RFC 1123 labels, RFC 1035 labels for Services).

use crate::diagnostic::{Code, Diagnostic};

/// The longest name of a Service, a namespace, a label's value.
pub(crate) const LABEL_LONGEST: usize = 63;

/// The longest name of a CronJob: its Jobs' names carry eleven characters more.
pub(crate) const CRON_JOB_LONGEST: usize = 52;

/// The longest name of an application whose ingress has the default host: certificates bound it to 64 characters, of which
/// the host's fixed part takes 33. Source: the GAP documentation, page on naming.
pub(crate) const DEFAULT_HOST_LONGEST: usize = 31;

const DOMAIN_LONGEST: usize = 253;

const LABEL_HINT: &str = "use lower-case letters, digits and `-`, with a letter first and no `-` last";

/// What is wrong with a name that must be a DNS label; without a place, for the caller to add.
pub(crate) fn label(name: &str, longest: usize) -> Option<Diagnostic> {
    if !is_label(name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("`{}` is not a name that Kubernetes takes", name.escape_debug());
        return Some(Diagnostic::error(Code::InvalidName, message).hint(LABEL_HINT));
    }
    too_long(name, longest)
}

/// What is wrong with a name that must be a DNS domain.
pub(crate) fn domain(name: &str) -> Option<Diagnostic> {
    let is_domain = name
        .split('.')
        .all(|part| is_label(part) && part.len() <= LABEL_LONGEST);
    if !is_domain {
        let message = format!("`{}` is not a domain name", name.escape_debug());
        let hint =
            "use lower-case letters, digits, `-` and `.`; a part between dots has at most 63 characters";
        return Some(Diagnostic::error(Code::InvalidName, message).hint(hint));
    }
    too_long(name, DOMAIN_LONGEST)
}

/// Whether a key can be the second half of a name: `web` in `orders-web`.
pub(crate) fn is_label(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.chars().all(is_inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// What is wrong with a key that becomes the second half of a name.
pub(crate) fn key(key: &str) -> Option<Diagnostic> {
    (!is_label(key)).then(|| {
        let message = format!(
            "`{}` cannot be part of a name that Kubernetes takes",
            key.escape_debug()
        );
        let hint = "use lower-case letters, digits and `-`, with no `-` first or last";
        Diagnostic::error(Code::InvalidName, message).hint(hint)
    })
}

/// What is wrong with the length of a name.
pub(crate) fn too_long(name: &str, longest: usize) -> Option<Diagnostic> {
    (name.len() > longest).then(|| {
        let message = format!(
            "the name `{name}` has {} characters, more than {longest}",
            name.len()
        );
        Diagnostic::error(Code::InvalidName, message).hint("choose a shorter name")
    })
}

/// What is wrong with the key and value of a label.
///
/// Source: Kubernetes documentation, "Labels and Selectors", syntax and character set.
pub(crate) fn label_pair(key: &str, value: &str) -> Option<Diagnostic> {
    let (prefix, name) = key
        .rsplit_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_key =
        is_label_text(name) && !name.is_empty() && prefix.is_none_or(|prefix| domain(prefix).is_none());
    if !is_key {
        let message = format!("`{}` is not a label", key.escape_debug());
        let hint =
            "a label has at most 63 letters, digits, `-`, `_` and `.`, after a domain and `/` if need be";
        return Some(Diagnostic::error(Code::InvalidName, message).hint(hint));
    }
    (!is_label_text(value)).then(|| {
        let message = format!("`{}` is not a value of a label", value.escape_debug());
        let hint =
            "a value has at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends";
        Diagnostic::error(Code::InvalidValue, message).hint(hint)
    })
}

fn is_label_text(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    let is_inner = |c: char| is_end(c) || matches!(c, '-' | '_' | '.');
    let has_ends = text.is_empty() || text.starts_with(is_end) && text.ends_with(is_end);
    text.len() <= LABEL_LONGEST && text.chars().all(is_inner) && has_ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(problem: Option<Diagnostic>, expected: Option<&str>) {
        assert_eq!(problem.as_ref().map(|problem| problem.message.as_str()), expected);
    }

    #[test]
    fn names_keep_to_the_limits_of_kubernetes() {
        check(label("orders-2", 63), None);
        check(
            label("Orders_App", 63),
            Some("`Orders_App` is not a name that Kubernetes takes"),
        );
        check(
            label("2nd", 63),
            Some("`2nd` is not a name that Kubernetes takes"),
        );
        check(label("", 63), Some("`` is not a name that Kubernetes takes"));
        check(
            label("orders-", 63),
            Some("`orders-` is not a name that Kubernetes takes"),
        );
        check(
            label("orders", 5),
            Some("the name `orders` has 6 characters, more than 5"),
        );
        check(key("2nd"), None);
        check(
            key("a.b"),
            Some("`a.b` cannot be part of a name that Kubernetes takes"),
        );
        check(domain("orders.example.com"), None);
        check(domain("orders..com"), Some("`orders..com` is not a domain name"));
    }

    #[test]
    fn labels_keep_to_the_limits_of_kubernetes() {
        check(label_pair("example.com/tier", "front_end.2"), None);
        check(label_pair("tier", ""), None);
        check(
            label_pair("tier", "front end"),
            Some("`front end` is not a value of a label"),
        );
        check(label_pair("a b", "x"), Some("`a b` is not a label"));
        check(
            label_pair("Example.com/tier", "x"),
            Some("`Example.com/tier` is not a label"),
        );
    }
}
