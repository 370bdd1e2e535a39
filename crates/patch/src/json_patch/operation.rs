//! Reading the operations of a JSON patch.

use ::json_patch::{
    AddOperation, CopyOperation, MoveOperation, PatchOperation, RemoveOperation, ReplaceOperation,
    TestOperation,
};
use jsonptr::PointerBuf;
use serde_json::{Map, Value};

use crate::error::{PatchError, Reason, Shape};

/// Reads one operation. Members that RFC 6902 does not define are ignored, as its section 3 says.
pub(super) fn read(operation: &Value, index: usize) -> Result<PatchOperation, PatchError> {
    let place = || PointerBuf::from_tokens([index]);
    let Some(members) = operation.as_object() else {
        return Err(PatchError::in_patch(
            place(),
            Reason::NotAMap {
                found: Shape::of(operation),
            },
        ));
    };
    let members = Members { members, index };
    let path = || members.pointer("path");
    let from = || members.pointer("from");
    let value = || members.value();
    Ok(match members.text("op")? {
        "add" => PatchOperation::Add(AddOperation {
            path: path()?,
            value: value()?,
        }),
        "remove" => PatchOperation::Remove(RemoveOperation { path: path()? }),
        "replace" => PatchOperation::Replace(ReplaceOperation {
            path: path()?,
            value: value()?,
        }),
        "move" => PatchOperation::Move(MoveOperation {
            from: from()?,
            path: path()?,
        }),
        "copy" => PatchOperation::Copy(CopyOperation {
            from: from()?,
            path: path()?,
        }),
        "test" => PatchOperation::Test(TestOperation {
            path: path()?,
            value: value()?,
        }),
        other => {
            return Err(members.refused(
                "op",
                Reason::UnknownOperation {
                    name: other.to_owned(),
                },
            ));
        }
    })
}

struct Members<'p> {
    members: &'p Map<String, Value>,
    index: usize,
}

impl<'p> Members<'p> {
    fn text(&self, name: &'static str) -> Result<&'p str, PatchError> {
        let member = self.members.get(name);
        let member = member.ok_or_else(|| self.missing(name))?;
        member.as_str().ok_or_else(|| {
            self.refused(
                name,
                Reason::NotAString {
                    found: Shape::of(member),
                },
            )
        })
    }

    fn pointer(&self, name: &'static str) -> Result<PointerBuf, PatchError> {
        let text = self.text(name)?;
        let bad = |_| {
            self.refused(
                name,
                Reason::BadPointer {
                    pointer: text.to_owned(),
                },
            )
        };
        PointerBuf::parse(text).map_err(bad)
    }

    fn value(&self) -> Result<Value, PatchError> {
        self.members
            .get("value")
            .cloned()
            .ok_or_else(|| self.missing("value"))
    }

    fn missing(&self, member: &'static str) -> PatchError {
        PatchError::in_patch(PointerBuf::from_tokens([self.index]), Reason::NoMember { member })
    }

    fn refused(&self, name: &str, reason: Reason) -> PatchError {
        let mut place = PointerBuf::from_tokens([self.index]);
        place.push_back(name);
        PatchError::in_patch(place, reason)
    }
}
