//! Where the next node starts: over indicators, anchors and tags.

use crate::{
    load::{Content, Loader, Result, unplaced},
    scan::{anchor_end, skip_trivia, tag_end},
    tree::Flow,
};

/// Where a node's own text begins, behind anchor and tag.
pub(super) struct Start {
    pub(super) start: usize,
    pub(super) properties_end: usize,
    pub(super) content: usize,
    pub(super) anchor: Option<(usize, usize)>,
}

impl Loader<'_, '_, '_> {
    /// Moves over the indicators before a node; gives the start of the entry or item that the node begins, if it does.
    pub(super) fn indicators(&mut self) -> Result<Option<usize>> {
        let text = self.text;
        let at = |offset: usize| text.as_bytes().get(offset).copied();
        let Some(frame) = self.stack.last() else {
            return Ok(None);
        };
        let mut cursor = skip_trivia(text, self.cursor);
        let in_brackets = matches!(frame.flow, Flow::Brackets { .. });
        let start = match &frame.content {
            Content::List { .. } if in_brackets => {
                if at(cursor) == Some(b',') {
                    cursor = skip_trivia(text, cursor + 1);
                }
                self.cursor = cursor;
                return Ok(Some(cursor));
            }
            Content::List { .. } => {
                if at(cursor) != Some(b'-') {
                    return Err(unplaced(cursor));
                }
                self.cursor = cursor + 1;
                return Ok(Some(cursor));
            }
            Content::Map { key: None, .. } => {
                if in_brackets && at(cursor) == Some(b',') {
                    cursor = skip_trivia(text, cursor + 1);
                }
                cursor
            }
            Content::Map { key: Some(_), .. } => {
                // Without a colon the value is empty, right behind the key.
                if at(cursor) == Some(b':') {
                    self.cursor = cursor + 1;
                }
                return Ok(None);
            }
        };
        let blank = at(start + 1).is_none_or(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
        self.cursor = if at(start) == Some(b'?') && blank {
            start + 1
        } else {
            start
        };
        Ok(Some(start))
    }

    /// Moves over anchor and tag to the node's own text. An empty node without either stays at the cursor.
    pub(super) fn start(&self, anchor: bool, tag: bool, empty: bool) -> Result<Start> {
        let at = self.cursor;
        if empty && !anchor && !tag {
            return Ok(Start {
                start: at,
                properties_end: at,
                content: at,
                anchor: None,
            });
        }
        let start = skip_trivia(self.text, at);
        let mut properties_end = start;
        let mut anchor_span = None;
        for _ in 0..usize::from(anchor) + usize::from(tag) {
            let property = skip_trivia(self.text, properties_end);
            properties_end = match self.text.as_bytes().get(property) {
                Some(b'&') => {
                    let end = anchor_end(self.text, property + 1);
                    anchor_span = Some((property, end));
                    end
                }
                Some(b'!') => tag_end(self.text, property, !self.in_block()),
                _ => return Err(unplaced(property)),
            };
        }
        let content = if empty {
            properties_end
        } else {
            skip_trivia(self.text, properties_end)
        };
        Ok(Start {
            start,
            properties_end,
            content,
            anchor: anchor_span,
        })
    }

    pub(super) fn in_block(&self) -> bool {
        self.stack.last().is_none_or(|frame| frame.flow == Flow::Block)
    }
}
