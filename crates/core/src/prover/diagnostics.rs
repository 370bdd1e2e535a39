//! A verdict in words: what is applied, which requests fail, what to do instead.

use super::invariants::percent;
use super::{Applied, ChangeKind, CounterExample, Invariant, Order, Proof, Repair, Wave};
use crate::argo_cd::SYNC_WAVE;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::ObjectRef;
use crate::model::Environment;
use crate::repo::RepoPath;

/// One environment's change, for the places of its objects.
pub struct Subject<'a> {
    /// Before the change.
    pub before: &'a Environment,
    /// After it.
    pub after: &'a Environment,
    /// The revision that it ran before, where that is not what lay in the files.
    pub revision: Option<&'a str>,
    /// Whether the change touches a file: of several that an object is made from, the one that changes is shown.
    pub is_changed: &'a dyn Fn(&RepoPath) -> bool,
}

impl Subject<'_> {
    /// The environment, for a person.
    fn name(&self) -> String {
        let name = &self.after.name;
        match self.revision {
            Some(revision) => format!("{name}, which runs `{revision}`"),
            None => name.clone(),
        }
    }
}

impl Proof {
    /// Everything that was found, errors first.
    pub fn diagnostics(
        &self,
        subject: &Subject<'_>,
        repair: Option<&Repair>,
        order: Order,
    ) -> Vec<Diagnostic> {
        let name = subject.name();
        let mut found: Vec<Diagnostic> = self
            .counter_examples
            .iter()
            .map(|example| unsafe_state(example, subject, repair, order))
            .collect();
        if self.is_cut {
            let message = format!("{name}: too many states to visit, so this change is not shown to be safe");
            found
                .push(Diagnostic::error(Code::SearchCut, message).hint("make it in several smaller commits"));
        }
        // What is broken before is not of this change, so neither is its place.
        let unchanged = Subject {
            is_changed: &|_| false,
            ..*subject
        };
        found.extend(self.broken_before.iter().map(|broken| {
            let message = format!(
                "{name}: requests to {} fail before this change: {}",
                broken.request, broken.failure.text
            );
            let diagnostic = Diagnostic::warning(Code::BrokenBefore, message);
            place_at(diagnostic, &unchanged, broken.failure.object.as_ref())
                .hint("the change is judged relative to that: it does not make it worse")
        }));
        found.extend(self.withdrawn.iter().map(|withdrawn| {
            let message = format!(
                "{name}: requests to {} are not served any more: {}",
                withdrawn.request, withdrawn.failure.text
            );
            let changed = self.changes.first().map(|change| &change.object);
            let diagnostic = Diagnostic::warning(Code::Withdrawn, message);
            place_at(diagnostic, subject, withdrawn.failure.object.as_ref().or(changed))
                .hint("fine if this is meant")
        }));
        found.extend(self.unjudged.iter().map(|unjudged| {
            let message = format!(
                "{name}: {} {}, so its effect on requests is not judged",
                unjudged.object, unjudged.reason
            );
            let diagnostic = Diagnostic::warning(Code::NotJudged, message);
            place_at(diagnostic, subject, Some(&unjudged.object))
                .hint("look at it yourself, or change it in a commit of its own")
        }));
        if order == Order::ArgoCd {
            found
                .iter_mut()
                .filter(|diagnostic| diagnostic.hints.is_empty())
                .for_each(|diagnostic| {
                    diagnostic
                        .hints
                        .push("this counts on the order of one sync of Argo CD".to_owned());
                });
        }
        found
    }
}

fn unsafe_state(
    example: &CounterExample,
    subject: &Subject<'_>,
    repair: Option<&Repair>,
    order: Order,
) -> Diagnostic {
    let when = if example.is_end {
        "with this change"
    } else {
        "while this rolls out"
    };
    let share = percent(example.share);
    let what = match example.invariant {
        Invariant::Reachable | Invariant::Allowed => format!("{share} of the requests get {}", example.what),
        Invariant::Exposure | Invariant::Capacity => example.what.clone(),
    };
    let code = match example.invariant {
        Invariant::Reachable => Code::Unreachable,
        Invariant::Allowed => Code::Denied,
        Invariant::Exposure => Code::Exposed,
        Invariant::Capacity => Code::Overloaded,
    };
    let message = format!("{}: {when}, {what}", subject.name());
    let mut diagnostic = Diagnostic::error(code, message);
    for applied in &example.applied {
        let Some(at) = place(subject, &applied.object) else {
            continue;
        };
        diagnostic = match diagnostic.location {
            None => diagnostic.at(at),
            Some(_) => diagnostic.related(at, "applied too"),
        };
    }
    for object in &example.not_applied {
        let Some(at) = place(subject, object) else {
            continue;
        };
        diagnostic = match diagnostic.location {
            None => diagnostic.at(at),
            Some(_) => diagnostic.related(at, "not applied yet"),
        };
    }
    let mut state = format!("applied: {}", list(example.applied.iter().map(applied)));
    if !example.not_applied.is_empty() {
        state.push_str(&format!(
            "; not applied yet: {}",
            list(example.not_applied.iter().map(ToString::to_string))
        ));
    }
    if let Some(request) = example.requests.first() {
        let more = match example.requests.len() {
            1 => String::new(),
            count => format!(", and {} more kinds", count - 1),
        };
        diagnostic = diagnostic.hint(format!("requests: {request}{more}"));
    }
    diagnostic = diagnostic.hint(state);
    let Some(Repair { commits, waves }) = repair.filter(|_| !example.is_end) else {
        return diagnostic;
    };
    diagnostic = diagnostic.hint(in_commits(commits));
    match waves {
        Some(waves) => diagnostic.hint(in_waves(waves, order)),
        None => diagnostic,
    }
}

fn applied(applied: &Applied) -> String {
    match applied.pods {
        Some(pods) => format!("{}, {pods}", applied.object),
        None => applied.object.to_string(),
    }
}

/// `in 2 commits, each rolled out before the next: Service/web; VirtualService/web`.
fn in_commits(commits: &[Vec<ObjectRef>]) -> String {
    let commits = commits
        .iter()
        .map(|objects| list(objects.iter().map(ToString::to_string)));
    let commits: Vec<String> = commits
        .enumerate()
        .map(|(index, objects)| format!("{}. {objects}", index + 1))
        .collect();
    format!(
        "make it {} commits, each rolled out before the next: {}",
        commits.len(),
        commits.join("; ")
    )
}

/// `or one commit, with `argocd.argoproj.io/sync-wave: "1"` on VirtualService/web`.
fn in_waves(waves: &[Wave], order: Order) -> String {
    let mut numbers: Vec<i64> = waves.iter().map(|wave| wave.wave).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let annotation = |number: &i64| {
        let objects = waves.iter().filter(|wave| wave.wave == *number);
        let objects = list(objects.map(|wave| wave.object.to_string()));
        format!("`{SYNC_WAVE}: \"{number}\"` on {objects}")
    };
    let annotations: Vec<String> = numbers.iter().map(annotation).collect();
    let when = match order {
        Order::Any => ", where one sync of Argo CD applies it (check it with `--order argocd`)",
        Order::ArgoCd => "",
    };
    format!("or one commit{when}, with {}", annotations.join(", "))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.is_empty() {
        true => "nothing".to_owned(),
        false => items.join(", "),
    }
}

fn place_at(diagnostic: Diagnostic, subject: &Subject<'_>, object: Option<&ObjectRef>) -> Diagnostic {
    match object.and_then(|object| place(subject, object)) {
        Some(at) => diagnostic.at(at),
        None => diagnostic,
    }
}

/// Where an object is written: the last patch of it that the change touches, else its base.
fn place(subject: &Subject<'_>, object: &ObjectRef) -> Option<Location> {
    let sides = [subject.after, subject.before];
    let is_patch_of = |target: &ObjectRef| {
        target.kind == object.kind && target.name == object.name && target.group() == object.group()
    };
    let patches = sides
        .iter()
        .flat_map(|side| side.patches.iter().rev())
        .filter(|patch| is_patch_of(&patch.target));
    let bases = sides
        .iter()
        .flat_map(|side| &side.base)
        .filter(|base| is_patch_of(&base.object));
    let places: Vec<&Location> = patches
        .map(|patch| &patch.origin)
        .chain(bases.map(|base| &base.origin))
        .collect();
    let changed = places.iter().find(|place| (subject.is_changed)(&place.file));
    changed.or(places.first()).map(|place| (*place).clone())
}

impl ChangeKind {
    /// For machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}
