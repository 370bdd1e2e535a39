//! Edits that make containers say another value for a flag, or nothing of it, wherever a layout found them.

use jsonptr::{PointerBuf, Token};
use serde_json::{Value, json};
use tidegate_yaml::Edit;

use super::draft::Draft;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::flag::{CONTAINERS, Said, Spoken, container, container_called, said, said_in_spec};
use crate::manifest::Manifest;
use crate::model::{Application, FlagName};

/// A container as files say it.
pub(super) struct Written {
    /// Where.
    at: Location,
    place: Place,
}

/// What a container is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The document of its Deployment.
    Document,
    /// A spec, in the words of the container.
    Spec,
    /// A patch, which says nothing where it says only whose it is.
    Patch,
}

impl Written {
    /// The first container of a Deployment that a document says.
    pub(super) fn first(deployment: &Location) -> Self {
        Self {
            at: deployment.below(&CONTAINERS).below(&["0"]),
            place: Place::Document,
        }
    }

    /// What a spec says of a workload, in the words of its container.
    pub(super) fn spec(workload: &Location) -> Self {
        Self {
            at: workload.clone(),
            place: Place::Spec,
        }
    }

    /// The container of a name in a patch; `None` where it says nothing of it.
    pub(super) fn patch(origin: &Location, value: &Value, name: &str) -> Option<Self> {
        let index = container_called(value, name)?;
        Some(Self {
            at: origin.below(&CONTAINERS).below(&[&index.to_string()]),
            place: Place::Patch,
        })
    }
}

/// The name of the first container of a workload.
pub(super) fn container_name(deployment: &Manifest) -> Option<&str> {
    container(&deployment.value)?.get("name")?.as_str()
}

/// Makes a workload's value say another one for a flag that it says; whether that changes anything.
pub(super) fn say(workload: &mut Value, name: &FlagName, value: &str) -> bool {
    let places = container(workload).map(|container| said(name, container));
    let mut is_new = false;
    for place in places.into_iter().flatten() {
        let mut at = PointerBuf::from_tokens(CONTAINERS);
        at.push_back("0");
        place.at.tokens().for_each(|token| at.push_back(token));
        if let Ok(text) = at.resolve_mut(workload) {
            let wanted = json!(format!("{}{value}", place.prefix));
            is_new |= *text != wanted;
            *text = wanted;
        }
    }
    is_new
}

/// Makes containers of a workload say a value for a flag, or nothing.
///
/// Errors: none of them says it, or one in a way that cannot be edited.
pub(super) fn set(
    application: &Application,
    workload: &str,
    containers: &[Written],
    (name, value): (&FlagName, Option<&str>),
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let mut is_said = false;
    for written in containers {
        let places = draft.value(&written.at).map(|value| match written.place {
            Place::Spec => said_in_spec(name, &value),
            Place::Document | Place::Patch => said(name, &value),
        });
        for place in places.into_iter().flatten() {
            is_said = true;
            match value {
                Some(value) => write(name, written, &place, value, draft)?,
                None => remove(written, &place, draft)?,
            }
        }
    }
    if is_said || value.is_none() {
        return Ok(());
    }
    let message = format!("no place in these files says `{name}` for `{workload}`");
    let found = Diagnostic::error(Code::CannotEdit, message);
    let found = match application.workloads.get(workload) {
        Some(workload) => found.at(workload.origin.clone()),
        None => found,
    };
    Err(found
        .hint("write it where the workload's own container is, or in a strategic merge patch that names it"))
}

fn write(
    name: &FlagName,
    written: &Written,
    place: &Said,
    value: &str,
    draft: &mut Draft<'_>,
) -> Result<(), Diagnostic> {
    let at = written.at.below_pointer(&place.at);
    let Spoken::Value(now) = &place.value else {
        let message = format!("`{name}` is not written here as text");
        let hint = "write its value here, so that a release can change it";
        return Err(Diagnostic::error(Code::CannotEdit, message).at(at).hint(hint));
    };
    if now == value {
        return Ok(());
    }
    let set = Edit::Set {
        at: at.pointer().cloned().unwrap_or_default(),
        value: json!(format!("{}{value}", place.prefix)),
    };
    draft.edit(&at, &[set])
}

fn remove(written: &Written, place: &Said, draft: &mut Draft<'_>) -> Result<(), Diagnostic> {
    let root = Location::value(&written.at.file, written.at.document().unwrap_or(0), &[]);
    for item in &place.items {
        let at = written.at.below_pointer(item);
        let (Some(document), Some(pointer)) = (draft.value(&root), at.pointer()) else {
            continue;
        };
        match emptied(&document, pointer.clone(), written.place) {
            Some(at) => draft.edit(&root, &[Edit::Remove { at }])?,
            None => draft.remove_document(&root),
        }
    }
    Ok(())
}

/// What has to go with an item, so that no empty list or patch is left; `None` for the whole document.
fn emptied(document: &Value, item: PointerBuf, place: Place) -> Option<PointerBuf> {
    let mut at = item;
    loop {
        let mut parent = at.clone();
        let last = parent.pop_back()?.decoded().into_owned();
        let holder = parent.resolve(document).ok()?;
        let is_alone = match holder {
            Value::Array(items) => items.len() == 1,
            // Without its environment, say, a container is still one; a patch of one says nothing by its name.
            Value::Object(fields) if place == Place::Patch => {
                let is_entry = parent
                    .last()
                    .is_some_and(|token: Token<'_>| token.decoded().parse::<usize>().is_ok());
                let says_nothing = |key: &str| match parent.is_root() {
                    true => matches!(key, "apiVersion" | "kind" | "metadata"),
                    false => is_entry && key == "name",
                };
                fields.keys().all(|key| *key == last || says_nothing(key))
            }
            Value::Object(fields) => fields.len() == 1,
            _ => false,
        };
        match (is_alone, parent.is_root()) {
            (false, _) => return Some(at),
            (true, true) => return None,
            (true, false) => at = parent,
        }
    }
}
