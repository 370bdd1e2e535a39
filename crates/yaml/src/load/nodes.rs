//! Events to nodes: what each is, what it costs, where it ends.

use saphyr_parser::{ScalarStyle, Span, Tag};
use serde_json::Value;

use crate::{
    error::Kind,
    limits::Cost,
    load::{Anchored, Content, Frame, Loader, Result, cursor::Start, entries::duplicate, fail, unplaced},
    scan::{block_end, block_header, quoted_end, skip_trivia},
    tag::{self, CoreTag},
    tree::{Anchor, BlockScalar, Flow, Node, NodeId, NodeKind, Style},
};

impl Loader<'_, '_, '_> {
    pub(super) fn alias(&mut self, id: usize, span: Span) -> Result<()> {
        let entry = self.indicators()?;
        let start = skip_trivia(self.text, self.cursor);
        let end = self.chars.byte(span.end.index());
        let known = self.anchored.get(&id);
        let Some(anchored) = known else {
            return Err(fail(Kind::Alias, start, "alias of an anchor of another document"));
        };
        let Some((cost, height)) = anchored.measure else {
            let name = crate::error::visible(&self.text[start..end]);
            return Err(fail(
                Kind::Alias,
                start,
                format!("alias `{name}` stands inside the node it stands for"),
            ));
        };
        let (target, index) = (anchored.node, anchored.index);
        if self.stack.len() + height > self.budget.limits.depth {
            return Err(self.too_deep(start));
        }
        self.spend(cost, start)?;
        let node = self.push(Node {
            kind: NodeKind::Alias { target },
            start,
            properties_end: start,
            content: start,
            end,
            anchor: None,
            parent: 0,
            index: 0,
        });
        self.anchors[index].aliases.push(node);
        self.cursor = end;
        self.attach(node, entry, cost, height)
    }

    pub(super) fn scalar(
        &mut self,
        decoded: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<()> {
        let entry = self.indicators()?;
        let empty = style == ScalarStyle::Plain && decoded.is_empty();
        let place = self.start(anchor > 0, tag.is_some(), empty)?;
        let core = tag.map(|tag| tag::core(tag, place.start)).transpose()?;
        let expected: &[u8] = match style {
            ScalarStyle::SingleQuoted => b"'",
            ScalarStyle::DoubleQuoted => b"\"",
            ScalarStyle::Literal => b"|",
            ScalarStyle::Folded => b">",
            ScalarStyle::Plain => b"",
        };
        if !self
            .text
            .as_bytes()
            .get(place.content..)
            .is_some_and(|rest| rest.starts_with(expected))
        {
            return Err(unplaced(place.content));
        }
        let event_end = self.chars.byte(span.end.index());
        let mut decoded = decoded;
        let (style, end) = match style {
            _ if empty => (Style::Empty, place.content),
            ScalarStyle::Plain => (
                Style::Plain,
                self.text[..event_end]
                    .trim_end_matches([' ', '\t', '\n', '\r'])
                    .len(),
            ),
            ScalarStyle::SingleQuoted => (Style::Single, quoted_end(self.text, place.content)),
            ScalarStyle::DoubleQuoted => (Style::Double, quoted_end(self.text, place.content)),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let header_end = block_header(self.text, place.content);
                let body = crate::split::next_line(self.text, header_end);
                let end = block_end(self.text, header_end, body, event_end, decoded);
                // Without a line end at the end of the file there is none in the value either.
                let unended = end == self.text.len() && end > body;
                if unended && !self.text.ends_with(['\n', '\r']) {
                    decoded = decoded.strip_suffix('\n').unwrap_or(decoded);
                }
                (Style::Block(BlockScalar { header_end, body }), end)
            }
        };
        if end < place.content {
            return Err(unplaced(place.content));
        }
        let quoted = !matches!(style, Style::Empty | Style::Plain);
        let is_key = self.is_key();
        let value = match tag::scalar(decoded, quoted, core) {
            Ok(value) => value,
            // As a key, text is text.
            Err(_) if is_key && core.is_none() => Value::String(decoded.to_owned()),
            Err((kind, message)) => return Err(fail(kind, place.start, message)),
        };
        let cost = Cost {
            nodes: 1,
            bytes: decoded.len(),
        };
        self.spend(cost, place.start)?;
        let plain_merge = is_key && style == Style::Plain && decoded == "<<" && core.is_none();
        let node = self.push_placed(NodeKind::Scalar { style, value }, &place, end);
        self.name_anchor(anchor, node, &place, Some((cost, 0)));
        self.cursor = end;
        if plain_merge {
            self.merges = true;
            return self.attach_key(node, entry, "<<".to_owned(), true);
        }
        self.attach(node, entry, cost, 0)
    }

    pub(super) fn open(&mut self, is_map: bool, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<()> {
        let entry = self.indicators()?;
        let place = self.start(anchor > 0, tag.is_some(), false)?;
        if let Some(tag) = tag {
            let fits = match tag::core(tag, place.start)? {
                CoreTag::Map => is_map,
                CoreTag::Seq => !is_map,
                CoreTag::NonSpecific => true,
                _ => false,
            };
            if !fits {
                let what = if is_map { "a map" } else { "a list" };
                return Err(fail(
                    Kind::Tag,
                    place.start,
                    format!("the tag does not fit {what}"),
                ));
            }
        }
        if self.is_key() {
            return Err(self.complex_key(is_map, &place));
        }
        if self.stack.len() >= self.budget.limits.depth {
            return Err(self.too_deep(place.content));
        }
        let first = self.text.as_bytes().get(place.content).copied();
        let bracket_read = self.chars.byte(span.end.index()) > place.content;
        let flow = match (is_map, first) {
            (true, Some(b'{')) if bracket_read => Flow::Brackets { trailing_comma: None },
            (false, Some(b'[')) => Flow::Brackets { trailing_comma: None },
            _ if self.in_block() => Flow::Block,
            _ => Flow::Pair,
        };
        let cost = Cost { nodes: 1, bytes: 0 };
        self.spend(cost, place.start)?;
        // The node's kind is filled in when it is closed; until then it is a null.
        let kind = NodeKind::Scalar {
            style: Style::Empty,
            value: Value::Null,
        };
        let node = self.push_placed(kind, &place, place.content);
        self.name_anchor(anchor, node, &place, None);
        self.cursor = place.content + usize::from(matches!(flow, Flow::Brackets { .. }));
        // The entry that this node belongs to is known now, its measure only when it is closed.
        self.begin_child(node, entry);
        let content = if is_map {
            Content::Map {
                entries: Vec::new(),
                key: None,
            }
        } else {
            Content::List { items: Vec::new() }
        };
        if let Some(frame) = self.stack.last_mut() {
            frame.busy = true;
        }
        self.stack.push(Frame {
            node,
            anchor,
            busy: false,
            flow,
            content,
            cost,
            height: 1,
        });
        Ok(())
    }

    pub(super) fn close(&mut self) -> Result<()> {
        let mut frame = self.stack.pop().ok_or_else(|| unplaced(self.cursor))?;
        let mut end = self.cursor;
        if let Flow::Brackets { trailing_comma } = &mut frame.flow {
            let mut at = skip_trivia(self.text, self.cursor);
            if self.text.as_bytes().get(at) == Some(&b',') {
                *trailing_comma = Some(at);
                at = skip_trivia(self.text, at + 1);
            }
            if !matches!(self.text.as_bytes().get(at), Some(b']' | b'}')) {
                return Err(unplaced(at));
            }
            end = at + 1;
        }
        self.cursor = end;
        let is_empty = match &frame.content {
            Content::Map { entries, .. } => entries.is_empty(),
            Content::List { items } => items.is_empty(),
        };
        if is_empty && !matches!(frame.flow, Flow::Brackets { .. }) {
            return Err(unplaced(end));
        }
        let kind = match frame.content {
            Content::Map { entries, .. } => {
                if let Some((second, first)) = duplicate(&entries) {
                    let (second, first) = (&entries[second], self.nodes[entries[first].key].start);
                    let message = format!("key `{}` is already there", crate::error::visible(&second.name));
                    let mut error = fail(Kind::DuplicateKey, self.nodes[second.key].start, message);
                    error.related = Some(first);
                    return Err(error);
                }
                NodeKind::Map {
                    flow: frame.flow,
                    entries,
                }
            }
            Content::List { items } => NodeKind::List {
                flow: frame.flow,
                items,
            },
        };
        let node = &mut self.nodes[frame.node];
        node.kind = kind;
        node.end = end;
        if let Some(anchored) = self.anchored.get_mut(&frame.anchor) {
            anchored.measure = Some((frame.cost, frame.height));
        }
        self.check_merges(frame.node)?;
        self.measure_child(frame.cost, frame.height);
        match self.stack.last_mut() {
            None => self.root = Some(frame.node),
            Some(parent) => {
                parent.busy = false;
                self.finish_child(frame.node);
            }
        }
        Ok(())
    }

    /// `<<` takes a map, an alias of one, or a list of these.
    pub(super) fn check_merges(&self, map: NodeId) -> Result<()> {
        let NodeKind::Map { entries, .. } = &self.nodes[map].kind else {
            return Ok(());
        };
        let Some(entry) = entries.iter().find(|entry| entry.merge) else {
            return Ok(());
        };
        let is_map = |node: NodeId| {
            let target = match self.nodes[node].kind {
                NodeKind::Alias { target } => target,
                _ => node,
            };
            matches!(self.nodes[target].kind, NodeKind::Map { .. })
        };
        let fits = match &self.nodes[entry.value].kind {
            NodeKind::List { items, .. } => items.iter().all(|item| is_map(item.value)),
            _ => is_map(entry.value),
        };
        if fits {
            return Ok(());
        }
        Err(fail(
            Kind::Alias,
            self.nodes[entry.value].start,
            "merge key `<<` takes maps only",
        ))
    }

    pub(super) fn spend(&mut self, cost: Cost, offset: usize) -> Result<()> {
        self.budget
            .spend(cost)
            .map_err(|(kind, message)| fail(kind, offset, message))
    }

    pub(super) fn push(&mut self, mut node: Node) -> NodeId {
        let id = self.nodes.len();
        node.parent = self.stack.last().map_or(id, |frame| frame.node);
        self.nodes.push(node);
        id
    }

    pub(super) fn push_placed(&mut self, kind: NodeKind, place: &Start, end: usize) -> NodeId {
        let &Start {
            start,
            properties_end,
            content,
            ..
        } = place;
        self.push(Node {
            kind,
            start,
            properties_end,
            content,
            end,
            anchor: None,
            parent: 0,
            index: 0,
        })
    }

    pub(super) fn name_anchor(
        &mut self,
        id: usize,
        node: NodeId,
        place: &Start,
        measure: Option<(Cost, usize)>,
    ) {
        let Some((start, end)) = place.anchor else { return };
        let index = self.anchors.len();
        let name = self.text[start + 1..end].to_owned();
        self.anchors.push(Anchor {
            name,
            node,
            aliases: Vec::new(),
            start,
            end,
        });
        self.nodes[node].anchor = Some(index);
        self.anchored.insert(id, Anchored { index, node, measure });
    }
}
