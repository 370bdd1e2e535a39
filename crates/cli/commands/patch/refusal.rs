//! What is said about a patch that was refused: the place in the patch, the place in the object, what was probably meant.

use jsonptr::PointerBuf;
use serde_json::Value;
use tidegate_core::diagnostic::{Code, Diagnostic, Location, nearest};
use tidegate_patch::{ApplyError, ApplyReason, Document as Side, ObjectId, ObjectSet, PatchError, Reason};
use tidegate_yaml::dotted;

use super::Document;
use crate::args::PatchTarget;

/// Names that a hint lists at most.
const LISTED: usize = 8;

/// A refused patch with everything around it.
pub(super) struct Refusal<'a> {
    pub(super) error: ApplyError,
    pub(super) patch: &'a Document,
    pub(super) target: Option<&'a PatchTarget>,
    /// The objects as they were read.
    pub(super) objects: &'a [Document],
    /// The objects as the patches before this one left them.
    pub(super) set: &'a ObjectSet,
}

/// A document that is no object, or is there twice.
pub(super) fn of_object(error: &ApplyError, objects: &[Document]) -> Diagnostic {
    let object = error.object.and_then(|index| objects.get(index));
    let at = |mut diagnostic: Diagnostic, tokens: &[&str]| {
        diagnostic.location = object.map(|object| object.location.below(tokens));
        diagnostic
    };
    match &error.reason {
        ApplyReason::SameObject { id } => {
            let message = format!("there is another {id}");
            let second = at(
                Diagnostic::error(Code::DuplicateObject, message),
                &["metadata", "name"],
            );
            let is_same =
                |other: &&Document| ObjectId::of(other.value()).is_ok_and(|other| is_same(&other, id));
            match objects.iter().find(is_same) {
                Some(first) => second.related(first.location.below(&["metadata", "name"]), "the other one"),
                None => second,
            }
        }
        reason => {
            let message = format!("this is no object that can be patched: {reason}");
            let refused = at(Diagnostic::error(Code::InvalidValue, message), &[]);
            let is_list =
                object.is_some_and(|object| object.value().get("items").is_some_and(Value::is_array));
            match is_list {
                true => refused.hint("write the items of the list as documents, with `---` between them"),
                false => refused,
            }
        }
    }
}

impl Refusal<'_> {
    pub(super) fn diagnostic(&self) -> Diagnostic {
        match &self.error.reason {
            ApplyReason::Patch(error) => self.unfit(error),
            ApplyReason::NoObject { id } => self.no_object(id),
            ApplyReason::NothingSelected => self.nothing_selected(),
            ApplyReason::NoTarget => {
                let message = "a JSON patch does not say which object it is for";
                self.failed(message.to_owned())
                    .hint(format!("add `--target {}`", self.example()))
            }
            reason => self.failed(reason.to_string()),
        }
    }

    fn failed(&self, message: String) -> Diagnostic {
        Diagnostic::error(Code::PatchFailed, message).at(self.patch.location.clone())
    }

    /// The patch itself is wrong, or does not fit an object.
    fn unfit(&self, error: &PatchError) -> Diagnostic {
        let object = self
            .error
            .object
            .and_then(|index| Some((self.objects.get(index)?, self.set.get(index)?)));
        let message = match object.and_then(|(_, value)| ObjectId::of(value).ok()) {
            Some(id) => format!("the patch of {id} fails: {error}"),
            None => format!("the patch fails: {error}"),
        };
        let mut failed = self.failed(message).at(self.place(error));
        if let (Some((object, value)), Side::Target) = (object, error.document) {
            let tokens = tokens(error);
            let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
            failed = match object.value() == value {
                true => failed.related(
                    object.location.below(&tokens),
                    format!("in the object, at {}", dotted(&error.pointer)),
                ),
                false => failed.related(
                    object.location.clone(),
                    "the object, which patches before this one changed",
                ),
            };
            if let (Reason::NothingThere, Some(meant)) = (&error.reason, near_pointer(value, &tokens)) {
                failed = failed.hint(format!("did you mean `{meant}`?"));
            }
        }
        match error.reason {
            Reason::NoIdentity { .. } if self.is_operation() => {
                failed.hint("a JSON patch is a list: begin the operation with `- op:`")
            }
            Reason::NoIdentity { .. } if error.document == Side::Patch => failed.hint(format!(
                "name it in the patch, or add `--target {}`",
                self.example()
            )),
            _ => failed,
        }
    }

    /// Whether the patch looks like an operation of a JSON patch that stands alone.
    fn is_operation(&self) -> bool {
        let value = self.patch.value();
        value.get("op").is_some() && value.get("path").is_some()
    }

    /// The place in the patch that an error is about.
    fn place(&self, error: &PatchError) -> Location {
        let location = &self.patch.location;
        let tokens = tokens(error);
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        match (error.document, error.operation) {
            (Side::Patch, _) => {
                let place = location.below(&tokens);
                let is_about_key = matches!(
                    error.reason,
                    Reason::UnknownDirective { .. }
                        | Reason::DirectiveInReplacedList { .. }
                        | Reason::DirectiveForReplacedList { .. }
                );
                if is_about_key { place.as_key() } else { place }
            }
            // The member of the operation that leads to the place.
            (Side::Target, Some(operation)) => {
                let members = &self.patch.value()[operation];
                let leads = |name: &&str| members[*name] == error.pointer.as_str();
                let member = ["path", "from"].into_iter().find(leads);
                location.below(&[&operation.to_string(), member.unwrap_or("path")])
            }
            // Down to the first list: its items have other numbers in the patch.
            (Side::Target, None) => {
                let mut value = self.patch.value();
                let is_shared = |token: &&&str| match value.as_object().and_then(|fields| fields.get(**token))
                {
                    Some(inner) => {
                        value = inner;
                        true
                    }
                    None => false,
                };
                let shared: Vec<&str> = tokens.iter().take_while(is_shared).copied().collect();
                location.below(&shared)
            }
        }
    }

    /// The object that the patch names is not there: deleted, or there with another version, namespace, name or kind.
    fn no_object(&self, wanted: &ObjectId) -> Diagnostic {
        let missing = Diagnostic::error(Code::PatchWithoutTarget, format!("there is no {wanted} to patch"));
        let at = |tokens: &[&str]| missing.clone().at(self.patch.location.below(tokens));
        let was_there = self
            .objects
            .iter()
            .find(|object| ObjectId::of(object.value()).is_ok_and(|id| is_same(&id, wanted)));
        if let Some(object) = was_there {
            return at(&["metadata", "name"])
                .related(object.location.clone(), "a patch before this one deleted it")
                .hint("take one of the two patches out");
        }
        let ids = self.ids();
        let namesake = |id: &&ObjectId| id.kind == wanted.kind && id.name == wanted.name;
        let namesakes: Vec<&ObjectId> = ids.iter().filter(namesake).collect();
        if let Some(other) = namesakes.iter().find(|id| id.api_version == wanted.api_version) {
            return at(&["metadata", "namespace"]).hint(match &other.namespace {
                Some(namespace) => format!("did you mean `namespace: {namespace}`?"),
                None => "did you mean the one without namespace? Then take the key out".to_owned(),
            });
        }
        if let Some(other) = namesakes.first() {
            return at(&["apiVersion"]).hint(format!("did you mean `apiVersion: {}`?", other.api_version));
        }
        let of_kind = ids.iter().filter(|id| id.kind == wanted.kind);
        let names: Vec<&str> = of_kind.map(|id| id.name.as_str()).collect();
        if !names.is_empty() {
            return at(&["metadata", "name"]).hint(match nearest(&wanted.name, names.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("objects of the kind {}: {}", wanted.kind, listed(&names)),
            });
        }
        at(&["kind"]).hint(other_kind(&ids, &wanted.kind))
    }

    /// The target selects nothing.
    fn nothing_selected(&self) -> Diagnostic {
        let Some(PatchTarget { kind, name, selector }) = self.target else {
            return self.failed(self.error.to_string());
        };
        let message = format!("`--target {kind}/{name}` selects no object for this patch");
        let missing = Diagnostic::error(Code::PatchWithoutTarget, message).at(self.patch.location.clone());
        let ids = self.ids();
        let is_of_kind = |id: &&ObjectId| {
            selector
                .kind
                .as_ref()
                .is_none_or(|pattern| pattern.matches(&id.kind))
        };
        let names: Vec<&str> = ids.iter().filter(is_of_kind).map(|id| id.name.as_str()).collect();
        if names.is_empty() {
            return missing.hint(other_kind(&ids, kind));
        }
        missing.hint(match nearest(name, names.iter().copied()) {
            Some(name) => format!("did you mean `--target {kind}/{name}`?"),
            None => format!("objects of this kind: {}", listed(&names)),
        })
    }

    /// The objects that are there now.
    fn ids(&self) -> Vec<ObjectId> {
        let present = (0..self.objects.len()).filter_map(|index| self.set.get(index));
        present.filter_map(|value| ObjectId::of(value).ok()).collect()
    }

    /// A target as the user could write it.
    fn example(&self) -> String {
        match self.ids().first() {
            Some(id) => format!("{}/{}", id.kind, id.name),
            None => "KIND/NAME".to_owned(),
        }
    }
}

fn is_same(one: &ObjectId, other: &ObjectId) -> bool {
    one.api_version == other.api_version
        && one.kind == other.kind
        && one.name == other.name
        && one.effective_namespace() == other.effective_namespace()
}

fn other_kind(ids: &[ObjectId], wanted: &str) -> String {
    let mut kinds: Vec<&str> = ids.iter().map(|id| id.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    match nearest(wanted, kinds.iter().copied()) {
        Some(kind) => format!("did you mean the kind `{kind}`?"),
        None if kinds.is_empty() => {
            "no object is left: the files have none, or patches deleted them".to_owned()
        }
        None => format!("kinds there are: {}", listed(&kinds)),
    }
}

fn listed(names: &[&str]) -> String {
    match names.len().checked_sub(LISTED) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..LISTED].join(", ")),
    }
}

fn tokens(error: &PatchError) -> Vec<String> {
    error
        .pointer
        .tokens()
        .map(|token| token.decoded().into_owned())
        .collect()
}

/// The pointer with its first key that is not there exchanged for the nearest one that is.
fn near_pointer(value: &Value, tokens: &[&str]) -> Option<String> {
    let mut value = value;
    for (index, token) in tokens.iter().enumerate() {
        let next = match value {
            Value::Array(items) => items.get(token.parse::<usize>().ok()?),
            _ => value.as_object()?.get(*token),
        };
        let Some(next) = next else {
            let near = nearest(token, value.as_object()?.keys().map(String::as_str))?;
            let mut tokens = tokens.to_vec();
            tokens[index] = near;
            return Some(PointerBuf::from_tokens(tokens).to_string());
        };
        value = next;
    }
    None
}
