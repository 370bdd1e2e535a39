//! Which traffic systems can send requests to the canary that a release chooses, and copies of others.

use super::ProviderId;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::ObjectRef;
use crate::preview::Preview;

/// What a traffic system can do besides weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Previews {
    /// It tells requests apart by headers, cookies and paths.
    pub matches: bool,
    /// It sends copies of requests.
    pub mirrors: bool,
}

impl ProviderId {
    /// What it can do besides weights.
    pub fn previews(self) -> Previews {
        self.provider().previews()
    }

    /// What of a preview it cannot do, by the key of the release file, with those that can.
    pub(crate) fn refused_preview(
        self,
        preview: &Preview,
    ) -> impl Iterator<Item = (&'static str, Diagnostic)> {
        let Previews { matches, mirrors } = self.previews();
        let refused = |is_refused: bool, key: &'static str, what: &str, can: fn(Previews) -> bool| {
            is_refused.then(|| {
                let able = Self::ALL
                    .iter()
                    .filter(|id| can(id.previews()))
                    .map(|id| id.as_str());
                let able: Vec<&str> = able.collect();
                let message = format!("{} cannot {what}", self.as_str());
                let hint = format!("leave `{key}` out; these can: {}", able.join(", "));
                (key, Diagnostic::error(Code::Unsupported, message).hint(hint))
            })
        };
        let wants_matches = !preview.matches.is_empty();
        let matches = refused(
            wants_matches && !matches,
            "match",
            "send the requests that a release chooses to the canary",
            |previews| previews.matches,
        );
        let mirror = refused(
            preview.mirror.is_some() && !mirrors,
            "mirror",
            "send copies of requests to the canary",
            |previews| previews.mirrors,
        );
        matches.into_iter().chain(mirror)
    }
}

/// A preview in the routes that is not the one of the release file.
pub(super) fn other_preview(preview: &Preview, route: &ObjectRef, at: Location) -> Diagnostic {
    let message = match preview.is_empty() {
        true => format!("{route} sends requests to the canary that the release does not choose"),
        false => format!("{route} sends other requests to the canary than the release chooses"),
    };
    Diagnostic::warning(Code::Drift, message).at(at).hint(
        "write them as `match` or `mirror` into the release file: the next transition writes what that says",
    )
}
