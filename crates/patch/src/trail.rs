//! Where we are while walking down a patch and its target together.

use jsonptr::PointerBuf;

use crate::error::{Document, PatchError, Reason};

/// A way from the root down, kept on the stack: it costs nothing until an error needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trail<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    /// The same item of a list can have different indexes in the two documents.
    Item {
        in_patch: usize,
        in_target: usize,
    },
}

impl<'a> Trail<'a> {
    pub(crate) const ROOT: Trail<'static> = Trail {
        parent: None,
        step: Step::Root,
    };

    pub(crate) fn field<'b>(&'b self, name: &'b str) -> Trail<'b>
    where
        'a: 'b,
    {
        Trail {
            parent: Some(self),
            step: Step::Field(name),
        }
    }

    pub(crate) fn item<'b>(&'b self, in_patch: usize, in_target: usize) -> Trail<'b>
    where
        'a: 'b,
    {
        Trail {
            parent: Some(self),
            step: Step::Item { in_patch, in_target },
        }
    }

    pub(crate) fn in_patch(&self, reason: Reason) -> PatchError {
        PatchError::in_patch(self.pointer(Document::Patch), reason)
    }

    pub(crate) fn in_target(&self, reason: Reason) -> PatchError {
        PatchError::in_target(self.pointer(Document::Target), reason)
    }

    fn pointer(&self, document: Document) -> PointerBuf {
        let mut pointer = self
            .parent
            .map_or_else(PointerBuf::root, |parent| parent.pointer(document));
        match (self.step, document) {
            (Step::Root, _) => {}
            (Step::Field(name), _) => pointer.push_back(name),
            (Step::Item { in_patch, .. }, Document::Patch) => pointer.push_back(in_patch),
            (Step::Item { in_target, .. }, Document::Target) => pointer.push_back(in_target),
        }
        pointer
    }
}
