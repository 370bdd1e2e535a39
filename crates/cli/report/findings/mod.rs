//! What `check` found, for programs and for forges: findings in, text out, one file for each format.
//!
//! Places are looked up while the files of an application are at hand ([`Findings::add`]); the formats know nothing
//! of files. Lines and columns count from 1, columns in characters; an end is the place behind the last character.

mod github;
mod json;
mod markdown;
mod sarif;

use tidegate_core::check::Judgement;
use tidegate_core::diagnostic::{Diagnostic, Location, Place, Severity};
use tidegate_core::prover::Order;
use tidegate_core::repo::RepoPath;
use tidegate_yaml::dotted;

use super::diagnostic::Files;
use super::diagnostic::source::Sources;
use super::{diagnostic, is_hostile};

/// One thing that was found.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The folder of the application it is about.
    pub(crate) application: RepoPath,
    /// The environment, where it is about one.
    pub(crate) environment: Option<String>,
    /// What it is.
    pub(crate) diagnostic: Diagnostic,
}

/// The change of one environment, judged.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The folder of the application.
    pub(crate) application: RepoPath,
    /// The environment.
    pub(crate) environment: String,
    /// What was known about the order of apply.
    pub(crate) order: Order,
    /// The verdict.
    pub(crate) judgement: Judgement,
}

/// Everything that was found, in the order in which it was added.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// From the top of the work tree to the root of the repository: empty, or ending with `/`. A forge knows files by
    /// their path from there.
    prefix: String,
    placed: Vec<Placed>,
    judged: Vec<Judged>,
}

/// A finding whose places have been looked up.
#[derive(Debug)]
struct Placed {
    finding: Finding,
    at: Option<Spot>,
    related: Vec<(Spot, String)>,
}

/// A place in a file.
#[derive(Debug)]
struct Spot {
    file: String,
    /// Line and column; `None` for the file as a whole, and where the place is not to be found.
    start: Option<(usize, usize)>,
    end: Option<(usize, usize)>,
}

impl Findings {
    /// None yet. `prefix` leads from the top of the work tree to the root: it is empty, or ends with `/`.
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            placed: Vec::new(),
            judged: Vec::new(),
        }
    }

    /// Adds what was found elsewhere, its places looked up there.
    pub(crate) fn append(&mut self, other: Self) {
        self.placed.extend(other.placed);
        self.judged.extend(other.judged);
    }

    /// Adds what was found in files whose text can be had now.
    pub(crate) fn add(&mut self, findings: impl IntoIterator<Item = Finding>, files: &dyn Files) {
        let mut sources = Sources::new(files);
        let prefix = &self.prefix;
        let mut spot = |location: &Location| {
            let found = sources.spot(location);
            Spot {
                file: format!("{prefix}{}", location.file.as_str()),
                start: found.position,
                end: found.end,
            }
        };
        self.placed.extend(findings.into_iter().map(|finding| {
            Placed {
                at: finding.diagnostic.location.as_ref().map(&mut spot),
                related: finding
                    .diagnostic
                    .related
                    .iter()
                    .map(|(location, label)| (spot(location), label.clone()))
                    .collect(),
                finding,
            }
        }));
    }

    /// Adds verdicts, whatever was found with them.
    pub(crate) fn judge(&mut self, judged: impl IntoIterator<Item = Judged>) {
        self.judged.extend(judged);
    }

    /// For programs: schema `tidegate.dev/check/v1`.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        json::render(&self.judged, &self.placed)
    }

    /// For forges and editors: SARIF 2.1.0.
    pub(crate) fn sarif(&self) -> serde_json::Result<String> {
        sarif::render(&self.placed, &self.prefix)
    }

    /// For the log of GitHub Actions: workflow commands that become annotations.
    pub(crate) fn github(&self) -> String {
        github::render(&self.placed, &self.prefix)
    }

    /// For a comment on a pull request.
    pub(crate) fn markdown(&self) -> String {
        markdown::render(&self.placed)
    }
}

impl Placed {
    fn code(&self) -> &'static str {
        self.finding.diagnostic.code.as_str()
    }

    fn severity(&self) -> Severity {
        self.finding.diagnostic.severity
    }

    fn severity_name(&self) -> &'static str {
        diagnostic::name(self.severity())
    }

    /// The message, and what to do, each in a line of its own.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let Diagnostic { message, hints, .. } = &self.finding.diagnostic;
        std::iter::once(message).chain(hints).map(String::as_str)
    }

    /// The file to show it at where a forge demands one: the application's spec if it is about no other.
    fn file(&self, prefix: &str) -> String {
        match &self.at {
            Some(spot) => spot.file.clone(),
            None => format!(
                "{prefix}{}",
                self.finding.application.join("gap/gap.yaml").as_str()
            ),
        }
    }

    /// What stays the same while lines move: the pointer instead of the line.
    fn symbolic_place(&self) -> String {
        let Some(location) = &self.finding.diagnostic.location else {
            return String::new();
        };
        let file = location.file.as_str();
        match &location.place {
            Place::File | Place::Position(_) => file.to_owned(),
            Place::Key(document, pointer) | Place::Value(document, pointer) => {
                format!("{file}#{document}:{}", dotted(pointer))
            }
        }
    }
}

/// JSON text in which nothing steers a terminal or reorders what is read; its meaning is the same.
fn harmless(json: &str) -> String {
    json.chars().fold(String::new(), |mut text, char| {
        match char != '\n' && is_hostile(char) {
            // All of them are in the basic plane, so one escape is enough.
            true => text.push_str(&format!("\\u{:04x}", u32::from(char))),
            false => text.push(char),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use tidegate_core::diagnostic::Code;

    use super::*;
    use crate::disk::scratch::path;

    /// Two findings in one application, and one that is about no file.
    pub(super) fn example() -> Findings {
        let files = [
            (
                "services/orders/gap/gap_routes.yaml",
                "kind: VirtualService\nspec:\n  http:\n  - route: []\n    timeout: 5s\n",
            ),
            ("services/orders/gap/gap.yaml", "name: örders # naïve\nport: 80\n"),
        ];
        let routes = path(files[0].0);
        let text_of = |wanted: &RepoPath| {
            let found = files.iter().find(|(name, _)| *name == wanted.as_str());
            found.map(|(_, text)| (*text).to_owned())
        };
        let finding = |environment: Option<&str>, diagnostic| Finding {
            application: path("services/orders"),
            environment: environment.map(str::to_owned),
            diagnostic,
        };
        let mut findings = Findings::new("shop/");
        findings.add(
            [
                finding(
                    Some("production"),
                    Diagnostic::error(
                        Code::Unreachable,
                        "production: 100 % of `web`, [see](x): 50%\u{202e}\r\n",
                    )
                    .at(Location::key(&routes, 0, &["spec", "http"]))
                    .related(Location::value(&path(files[1].0), 0, &["name"]), "applied | too")
                    .hint("make it 2 commits, one: *a*, two: b"),
                ),
                finding(
                    None,
                    Diagnostic::warning(Code::Drift, "five").at(Location::value(
                        &routes,
                        0,
                        &["spec", "http", "0"],
                    )),
                ),
                finding(None, Diagnostic::note(Code::NoRelease, "no release here")),
            ],
            &text_of,
        );
        findings
    }

    #[test]
    fn places_are_looked_up_with_their_ends() {
        let findings = example();
        let spots: Vec<_> = findings.placed.iter().map(|placed| &placed.at).collect();
        let first = spots[0].as_ref().expect("a place");
        assert_eq!(first.file, "shop/services/orders/gap/gap_routes.yaml");
        assert_eq!((first.start, first.end), (Some((3, 3)), Some((3, 7))));
        let second = spots[1].as_ref().expect("a place");
        assert_eq!((second.start, second.end), (Some((4, 5)), Some((5, 16))));
        assert!(spots[2].is_none());
        let (related, label) = &findings.placed[0].related[0];
        assert_eq!((related.start, related.end), (Some((1, 7)), Some((1, 13))));
        assert_eq!(label, "applied | too");
    }

    #[test]
    fn what_is_harmless_means_the_same() {
        let json = serde_json::to_string("a\u{1b}\u{9b}\u{202e}\u{feff}ü\n").expect("JSON");
        let shown = harmless(&json);
        assert!(!shown.chars().any(is_hostile), "{shown}");
        assert_eq!(
            serde_json::from_str::<String>(&shown).expect("JSON"),
            "a\u{1b}\u{9b}\u{202e}\u{feff}ü\n"
        );
    }
}
