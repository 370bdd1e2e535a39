//! JSON Patch, RFC 6902.
//!
//! `add`, `replace` and `copy` are done by the crate [`json-patch`](::json_patch). Three things it does not do as needed here
//! are done in this module: `remove` and `move` would change the order of the keys that stay, `test` would tell `1` from `1.0`,
//! and nothing would bound what a row of `copy` operations makes of a small document.
//!
//! kustomize is laxer than the RFC; this module is not. See the table of deviations on the [crate page](crate).

mod equal;
mod operation;

use ::json_patch::{PatchOperation, patch_unsafe};
use jsonptr::{Pointer, PointerBuf, Token};
use serde_json::Value;

use crate::error::{PatchError, Reason, Shape};
use crate::limits::{self, TooDeep};

/// Applies a JSON patch: a list of operations, in order, all or none.
///
/// # Errors
/// A [`PatchError`] names the operation and the pointer that it has; [`PatchError::document`] is the target where the operation is
/// well formed but does not fit the target. Nothing is returned then.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use tidegate_patch::{Reason, json_patch};
///
/// let object = json!({"metadata": {"labels": {"example.org/app": "web"}}});
/// let patch = json!([
///     {"op": "test", "path": "/metadata/labels/example.org~1app", "value": "web"},
///     {"op": "add", "path": "/metadata/labels/track", "value": "canary"},
/// ]);
/// let patched = json_patch::apply(object.clone(), &patch)?;
/// assert_eq!(patched["metadata"]["labels"]["track"], "canary");
///
/// let refused = json_patch::apply(object, &json!([{"op": "remove", "path": "/spec"}])).unwrap_err();
/// assert_eq!(refused.to_string(), "operation 0: /spec: nothing is there");
/// assert_eq!(refused.reason, Reason::NothingThere);
/// # Ok::<(), tidegate_patch::PatchError>(())
/// ```
pub fn apply(target: Value, patch: &Value) -> Result<Value, PatchError> {
    let target_size =
        limits::size(&target).map_err(|place| PatchError::in_target(place.0, TooDeep::REASON))?;
    let patch_size = limits::size(patch).map_err(|place| PatchError::in_patch(place.0, TooDeep::REASON))?;
    let Some(operations) = patch.as_array() else {
        return Err(PatchError::in_patch(
            PointerBuf::root(),
            Reason::NotAList {
                found: Shape::of(patch),
            },
        ));
    };
    let limit = limits::result_limit(target_size + patch_size);
    let mut patched = Patched {
        document: target,
        size: target_size,
        limit,
    };
    for (index, operation) in operations.iter().enumerate() {
        let numbered = |error: PatchError| PatchError {
            operation: Some(index),
            ..error
        };
        let operation = operation::read(operation, index).map_err(numbered)?;
        patched.apply(&operation).map_err(numbered)?;
    }
    Ok(patched.document)
}

/// A document while it is being patched.
struct Patched {
    document: Value,
    /// Values that were ever in the document. What was removed still counts: it had to be made.
    size: usize,
    limit: usize,
}

impl Patched {
    fn apply(&mut self, operation: &PatchOperation) -> Result<(), PatchError> {
        match operation {
            PatchOperation::Add(add) => {
                self.check_place(&add.path)?;
                self.grow(&add.path, &add.value)?;
                self.run(operation)
            }
            PatchOperation::Replace(replace) => {
                self.value(&replace.path)?;
                self.grow(&replace.path, &replace.value)?;
                self.run(operation)
            }
            PatchOperation::Copy(copy) => {
                let size = limits::size_below(self.value(&copy.from)?, copy.path.count());
                self.count(&copy.path, size)?;
                self.check_place(&copy.path)?;
                self.run(operation)
            }
            PatchOperation::Move(move_) => self.move_value(&move_.from, &move_.path),
            PatchOperation::Remove(remove) => self.take(&remove.path).map(drop),
            PatchOperation::Test(test) => match equal::equal(self.value(&test.path)?, &test.value) {
                true => Ok(()),
                false => Err(refused(&test.path, Reason::TestFailed)),
            },
        }
    }

    /// Runs an operation that was found to fit.
    fn run(&mut self, operation: &PatchOperation) -> Result<(), PatchError> {
        let run = patch_unsafe(&mut self.document, std::slice::from_ref(operation));
        run.map_err(|_| refused(operation.path(), Reason::NothingThere))
    }

    fn move_value(&mut self, from: &Pointer, path: &Pointer) -> Result<(), PatchError> {
        self.value(from)?;
        if from == path {
            return Ok(());
        }
        if path.starts_with(from) {
            return Err(refused(from, Reason::MoveIntoItself));
        }
        let value = self.take(from)?;
        limits::size_below(&value, path.count()).map_err(|_| refused(path, TooDeep::REASON))?;
        self.check_place(path)?;
        let add = ::json_patch::AddOperation {
            path: path.to_buf(),
            value,
        };
        self.run(&PatchOperation::Add(add))
    }

    fn take(&mut self, path: &Pointer) -> Result<Value, PatchError> {
        self.value(path)?;
        let Some((parent, token)) = path.split_back() else {
            return Err(refused(path, Reason::RemoveRoot));
        };
        let taken = match self.document.pointer_mut(parent.as_str()) {
            Some(Value::Object(fields)) => fields.shift_remove(token.decoded().as_ref()),
            Some(Value::Array(items)) => index_below(&token, items.len()).map(|index| items.remove(index)),
            _ => None,
        };
        taken.ok_or_else(|| refused(path, Reason::NothingThere))
    }

    fn value(&self, path: &Pointer) -> Result<&Value, PatchError> {
        let value = self.document.pointer(path.as_str());
        value.ok_or_else(|| refused(path, missing(&self.document, path)))
    }

    /// Checks that something can be put at a place: its parent is there, and an index is not beyond the end of the list.
    fn check_place(&self, path: &Pointer) -> Result<(), PatchError> {
        let Some((parent, token)) = path.split_back() else {
            return Ok(());
        };
        let value = self.document.pointer(parent.as_str());
        match value.ok_or_else(|| refused(path, missing(&self.document, parent)))? {
            Value::Object(_) => Ok(()),
            Value::Array(items) => {
                let length = items.len();
                let fits = token.is_next() || index_below(&token, length + 1).is_some();
                if fits {
                    Ok(())
                } else {
                    Err(refused(path, Reason::BadIndex { length }))
                }
            }
            _ => Err(refused(path, Reason::NothingThere)),
        }
    }

    fn grow(&mut self, path: &Pointer, value: &Value) -> Result<(), PatchError> {
        self.count(path, limits::size_below(value, path.count()))
    }

    fn count(&mut self, path: &Pointer, size: Result<usize, TooDeep>) -> Result<(), PatchError> {
        self.size += size.map_err(|_| refused(path, TooDeep::REASON))?;
        if self.size > self.limit {
            return Err(refused(path, Reason::TooLarge { limit: self.limit }));
        }
        Ok(())
    }
}

fn refused(path: &Pointer, reason: Reason) -> PatchError {
    PatchError::in_target(path.to_buf(), reason)
}

/// Why there is nothing at a place.
fn missing(document: &Value, path: &Pointer) -> Reason {
    let mut value = document;
    for token in path.tokens() {
        let inner = match value {
            Value::Object(fields) => fields.get(token.decoded().as_ref()),
            Value::Array(items) => match index_below(&token, items.len()) {
                Some(index) => items.get(index),
                None => return Reason::BadIndex { length: items.len() },
            },
            _ => None,
        };
        match inner {
            Some(inner) => value = inner,
            None => break,
        }
    }
    Reason::NothingThere
}

/// An index as RFC 6901 has it: digits without leading zeros.
fn index_below(token: &Token<'_>, length: usize) -> Option<usize> {
    token.to_index().ok()?.for_len(length).ok()
}
