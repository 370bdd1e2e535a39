//! What is told to the user about their input: plain data, collected, placed symbolically.
//!
//! A finding names a file and a pointer into it; line and column are looked up when it is shown
//! ([`Location::resolve`]), so nothing that decides ever counts bytes.

use jsonptr::PointerBuf;
use tidegate_yaml::{Position, Stream};

use crate::repo::{ReadError, RepoPath};

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; never changes the outcome.
    Note,
    /// Probably not meant; the command goes on.
    Warning,
    /// Wrong or unsafe; nothing is written and the exit code is 1.
    Error,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What kind of thing a diagnostic is about; its kebab-case name is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// Every code, in the order of their names.
            pub const ALL: &'static [Code] = &[$(Self::$variant,)+];

            /// The name a user sees.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One line that says what it means.
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// A patch names its target by an apiVersion that Kubernetes does not know for this kind.
    ApiVersionAlias = "api-version-alias",
    /// More than one application or release fits the command.
    AmbiguousRelease = "ambiguous-release",
    /// The files can be read as two different phases.
    AmbiguousPhase = "ambiguous-phase",
    /// Requests fail before the change already.
    BrokenBefore = "broken-before",
    /// A canary cannot start on this workload.
    CanaryImpossible = "canary-impossible",
    /// What belongs to a workload's pods cannot be carried over to its copy.
    CannotCopy = "cannot-copy",
    /// A file cannot be edited without changing something else.
    CannotEdit = "cannot-edit",
    /// Two objects route the same host in the mesh.
    ContestedHost = "contested-host",
    /// Two applications have the same object, and a release put it there.
    ContestedObject = "contested-object",
    /// A Service is written by the repository and by a controller.
    ContestedService = "contested-service",
    /// Two objects give the same workload to a controller.
    ContestedTarget = "contested-target",
    /// A weight of a route is written by the repository and by a controller.
    ContestedWeight = "contested-weight",
    /// A route gets no requests, since routes before it take them all.
    DeadRule = "dead-rule",
    /// A change makes pods turn callers away that they admitted.
    Denied = "denied",
    /// Two objects have the same kind and name.
    DuplicateObject = "duplicate-object",
    /// The files differ from what the phase asks for.
    Drift = "drift",
    /// Environments are more than one phase apart.
    EnvironmentsDisagree = "environments-disagree",
    /// A per-environment gap.yaml exists.
    EnvironmentSpec = "environment-spec",
    /// A change sends requests to a version that should not get them.
    Exposed = "exposed",
    /// A file's ending is unusual.
    FileExtension = "file-extension",
    /// A Service that a release splits selects pods of neither version.
    ForeignPods = "foreign-pods",
    /// The selector of a workload changes, which the API server refuses.
    ImmutableSelector = "immutable-selector",
    /// The copy of a workload lacks an autoscaler or a disruption budget.
    IncompleteCopy = "incomplete-copy",
    /// A value has the right type and a wrong content.
    InvalidValue = "invalid-value",
    /// A name breaks Kubernetes' limits.
    InvalidName = "invalid-name",
    /// A file is not YAML, or not the YAML that Kubernetes tools read.
    InvalidYaml = "invalid-yaml",
    /// A bound on what one run may cost is reached.
    LimitReached = "limit-reached",
    /// An image bot may move the version that a release holds still.
    MovingPin = "moving-pin",
    /// The administrator of the plugin does not allow it.
    NotAllowed = "not-allowed",
    /// A sparse checkout leaves out what an application is read from.
    NotCheckedOut = "not-checked-out",
    /// Argo CD sent the plugin less than the repository.
    NotSent = "not-sent",
    /// An environment has no objects at all.
    NothingRendered = "nothing-rendered",
    /// A command does not apply in the present phase.
    NotInThisPhase = "not-in-this-phase",
    /// A change may matter to requests in a way that is not known.
    NotJudged = "not-judged",
    /// There is no application here.
    NoApplication = "no-application",
    /// There is no release here.
    NoRelease = "no-release",
    /// A Service other than the workload's own selects the copy's pods.
    AccidentalSelection = "accidental-selection",
    /// A change gives a version more requests than it has pods for.
    Overloaded = "overloaded",
    /// A patch cannot be applied.
    PatchFailed = "patch-failed",
    /// A patch's target does not exist.
    PatchWithoutTarget = "patch-without-target",
    /// The copy of a workload is protected from deletion.
    ProtectedCopy = "protected-copy",
    /// A traffic system can give a share only nearly.
    RoundedShare = "rounded-share",
    /// A template cannot be rendered.
    TemplateFailed = "template-failed",
    /// No route names the subsets of a DestinationRule, and no release needs them.
    OrphanedRule = "orphaned-rule",
    /// A file or a change would leave the repository.
    OutsideRepository = "outside-repository",
    /// A change has more states than can be visited.
    SearchCut = "search-cut",
    /// Files of the last transition are not committed.
    Uncommitted = "uncommitted",
    /// The same patch is undone by a later one.
    Undone = "undone",
    /// Something is named that does not exist.
    UnknownName = "unknown-name",
    /// A key is not known and passed over.
    UnknownKey = "unknown-key",
    /// A change lets requests fail while it rolls out.
    Unreachable = "unreachable",
    /// A file cannot be read as text.
    Unreadable = "unreadable",
    /// A route cannot carry the split.
    UnsupportedRoute = "unsupported-route",
    /// What the release asks for is not supported here.
    Unsupported = "unsupported",
    /// Requests that were served are not meant to be any more.
    Withdrawn = "withdrawn",
    /// A value has the wrong type.
    WrongType = "wrong-type",
}

/// Where in a file something is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line and a column, for text that could not be parsed.
    Position(Position),
    /// The key at a pointer inside a document of the file (counted from 0).
    Key(usize, PointerBuf),
    /// The value at a pointer inside a document of the file (counted from 0).
    Value(usize, PointerBuf),
}

/// A place in the user's repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file.
    pub file: RepoPath,
    /// Where in it.
    pub place: Place,
}

impl Location {
    /// The file as a whole.
    pub fn file(file: &RepoPath) -> Self {
        Self {
            file: file.clone(),
            place: Place::File,
        }
    }

    /// A value by its path of keys and indices.
    pub fn value(file: &RepoPath, document: usize, path: &[&str]) -> Self {
        Self {
            file: file.clone(),
            place: Place::Value(document, PointerBuf::from_tokens(path.iter().copied())),
        }
    }

    /// A key by its path of keys and indices.
    pub fn key(file: &RepoPath, document: usize, path: &[&str]) -> Self {
        Self {
            file: file.clone(),
            place: Place::Key(document, PointerBuf::from_tokens(path.iter().copied())),
        }
    }

    /// The same document, at another place below this one.
    pub fn below(&self, path: &[&str]) -> Self {
        self.below_pointer(&PointerBuf::from_tokens(path.iter().copied()))
    }

    /// The same document, at a pointer below this place.
    pub fn below_pointer(&self, path: &PointerBuf) -> Self {
        let mut location = self.clone();
        if let Place::Key(_, pointer) | Place::Value(_, pointer) = &mut location.place {
            path.tokens().for_each(|token| pointer.push_back(token));
        }
        location
    }

    /// The key of this place instead of its value.
    #[must_use]
    pub fn as_key(mut self) -> Self {
        if let Place::Value(document, pointer) = self.place {
            self.place = Place::Key(document, pointer);
        }
        self
    }

    /// The pointer into the document, where the place has one.
    pub fn pointer(&self) -> Option<&PointerBuf> {
        match &self.place {
            Place::Key(_, pointer) | Place::Value(_, pointer) => Some(pointer),
            Place::File | Place::Position(_) => None,
        }
    }

    /// The document of the file, counted from 0.
    pub fn document(&self) -> Option<usize> {
        match &self.place {
            Place::Key(document, _) | Place::Value(document, _) => Some(*document),
            Place::File | Place::Position(_) => None,
        }
    }

    /// The bytes this location means in the file's text; falls back to the nearest place above that exists.
    pub fn resolve(&self, stream: &Stream) -> Option<std::ops::Range<usize>> {
        let (document, pointer, is_key) = match &self.place {
            Place::Key(document, pointer) => (*document, pointer, true),
            Place::Value(document, pointer) => (*document, pointer, false),
            Place::File | Place::Position(_) => return None,
        };
        let document = stream.documents().get(document)?;
        let mut pointer = pointer.clone();
        loop {
            let span = match is_key {
                true => document
                    .key_span(&pointer)
                    .or_else(|| document.value_span(&pointer)),
                false => document
                    .value_span(&pointer)
                    .or_else(|| document.key_span(&pointer)),
            };
            if span.is_some() || pointer.is_root() {
                return span;
            }
            pointer.pop_back();
        }
    }
}

/// One thing told to the user about their input.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// What kind of thing it is.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// What is: lower case, no final stop, one line.
    pub message: String,
    /// Where it is.
    pub location: Option<Location>,
    /// Other places that belong to it, each with a label.
    pub related: Vec<(Location, String)>,
    /// What to do, one each, with the exact text to type.
    pub hints: Vec<String>,
}

impl Diagnostic {
    fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            location: None,
            related: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Something wrong or unsafe.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Something probably not meant.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Something worth knowing.
    pub fn note(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// Adds another place that belongs to it.
    #[must_use]
    pub fn related(mut self, location: Location, label: impl Into<String>) -> Self {
        self.related.push((location, label.into()));
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// The work cannot go on: because of the user's files, or because a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The user's files are wrong or the change is unsafe: exit code 1.
    #[error("{} problems in the input", .0.len())]
    Refused(Vec<Diagnostic>),
    /// A file could not be read: exit code 2.
    #[error(transparent)]
    Read(ReadError),
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Refused(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Refused(diagnostics)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let unreadable = |message: String| Diagnostic::error(Code::Unreadable, message);
        match &error {
            ReadError::Io { .. } => Self::Read(error),
            ReadError::NotUtf8 {
                path,
                line,
                column,
                looks_like,
            } => {
                let message = match looks_like {
                    Some(encoding) => format!("the file is {encoding}, not UTF-8"),
                    None => "this is not UTF-8 text".to_owned(),
                };
                let place = Place::Position(Position {
                    line: *line,
                    column: *column,
                });
                unreadable(message)
                    .at(Location {
                        file: path.clone(),
                        place,
                    })
                    .hint("save the file as UTF-8")
                    .into()
            }
            ReadError::TooLarge { path, bytes, limit } => {
                let message = format!("the file has {bytes} bytes, more than the limit of {limit}");
                let problem = unreadable(message).at(Location::file(path));
                problem
                    .hint("split the file: no manifest needs to be that large")
                    .into()
            }
            ReadError::Limit { path, limit } => {
                let problem = Diagnostic::error(Code::LimitReached, limit.clone()).at(Location::file(path));
                problem
                    .hint("take away what the application does not need")
                    .into()
            }
            ReadError::Refused { path, reason } => {
                let problem =
                    Diagnostic::error(Code::OutsideRepository, reason.clone()).at(Location::file(path));
                problem
                    .hint("put a regular file inside the repository there")
                    .into()
            }
        }
    }
}

/// The nearest of the known names to one that was not found, for a "did you mean".
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody misspells a name into one that is much longer, and to compare takes the product of both lengths.
    const LONGEST: usize = 256;
    let is_short = |name: &str| name.len() <= LONGEST;
    known
        .into_iter()
        .filter(|candidate| is_short(name) && is_short(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(name.len()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_unique() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(
            nearest(&"x".repeat(1 << 24), ["staging", "production"]),
            None,
            "which would take minutes to compare"
        );
        assert_eq!(
            nearest("prodcution", ["staging", "production"]),
            Some("production")
        );
        assert_eq!(nearest("blue", ["staging", "production"]), None);
    }
}
