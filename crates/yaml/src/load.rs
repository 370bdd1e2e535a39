//! One document's text to its tree: drives the parser, places every node by its bytes, enforces the limits.
//!
//! The parser's events say what is there; a cursor that walks the text beside them says where. The events' own starts
//! and ends are used only where they are exact: the ends of plain scalars, aliases and block text. Everything between two
//! nodes is white space, comments and the indicators `- ? : , [ ] { }`, so the cursor never has to guess.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::Value;

use crate::{
    error::Kind,
    limits::{Budget, Cost},
    scan::{
        Chars, anchor_end, block_end, block_header, control_character, line_end, quoted_end, skip_trivia,
        tag_end, untab,
    },
    tag::{self, CoreTag},
    tree::{Anchor, BlockScalar, Entry, Flow, Item, Node, NodeId, NodeKind, Style, Tree},
};

/// A mistake in one document; offsets count in its region.
#[derive(Debug)]
pub(crate) struct LoadError {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) offset: usize,
    pub(crate) related: Option<usize>,
    pub(crate) path: Vec<String>,
}

type Result<T> = std::result::Result<T, LoadError>;

/// Reads the region of one document; `None` if it holds nothing but comments.
pub(crate) fn load(text: &str, budget: &mut Budget<'_>) -> Result<Option<Tree>> {
    if let Some(offset) = control_character(text) {
        let c = text[offset..].chars().next().map_or(0, u32::from);
        return Err(fail(
            Kind::Control,
            offset,
            format!("control character U+{c:04X} must be escaped"),
        ));
    }
    let untouched = budget.clone();
    let mut patched: Option<String> = None;
    // The parser refuses some tabs which are legal separation and which Go reads. They are replaced in a copy, byte for byte,
    // where it stumbles. Each such place costs a reading, so their number is bounded by the text's size.
    let mut readings = ((64 << 20) / (text.len() + 1)).clamp(8, 10_000);
    loop {
        *budget = untouched.clone();
        let source = patched.as_deref().unwrap_or(text);
        let mut loader = Loader::new(text, budget);
        let Err(failure) = loader.run(source) else {
            loader
                .budget
                .finish()
                .map_err(|(kind, message)| fail(kind, 0, message))?;
            return Ok(loader.into_tree());
        };
        let repaired = failure.tab.and_then(|at| untab(source, at, failure.in_flow));
        match repaired {
            Some(repaired) if readings > 0 => patched = Some(repaired),
            _ => return Err(failure.error),
        }
        readings -= 1;
    }
}

fn fail(kind: Kind, offset: usize, message: impl Into<String>) -> LoadError {
    LoadError {
        kind,
        message: message.into(),
        offset,
        related: None,
        path: Vec::new(),
    }
}

struct Failure {
    error: LoadError,
    /// Where the parser stumbled over a tab, if it did.
    tab: Option<usize>,
    in_flow: bool,
}

/// A collection that is still open.
struct Frame {
    node: NodeId,
    /// The parser's number of the node's anchor, 0 without one.
    anchor: usize,
    /// Whether a collection inside is open.
    busy: bool,
    flow: Flow,
    content: Content,
    /// What the node costs so far, for aliases of it.
    cost: Cost,
    /// Levels of collections inside it, itself included.
    height: usize,
}

enum Content {
    Map {
        entries: Vec<Entry>,
        key: Option<PendingKey>,
    },
    List {
        items: Vec<Item>,
    },
}

struct PendingKey {
    start: usize,
    node: NodeId,
    name: String,
    merge: bool,
}

struct Loader<'t, 'b, 'l> {
    text: &'t str,
    chars: Chars,
    /// Everything before is consumed.
    cursor: usize,
    nodes: Vec<Node>,
    /// For each finished node: what it costs and how deep it is, for aliases of it.
    anchors: Vec<Anchor>,
    anchored: HashMap<usize, Anchored>,
    stack: Vec<Frame>,
    root: Option<NodeId>,
    documents: usize,
    budget: &'b mut Budget<'l>,
}

/// What the parser's anchor number stands for.
struct Anchored {
    index: usize,
    node: NodeId,
    /// Unknown while the node is open.
    measure: Option<(Cost, usize)>,
}

/// Where a node's own text begins, behind anchor and tag.
struct Start {
    start: usize,
    properties_end: usize,
    content: usize,
    anchor: Option<(usize, usize)>,
}

impl<'t, 'b, 'l> Loader<'t, 'b, 'l> {
    fn new(text: &'t str, budget: &'b mut Budget<'l>) -> Self {
        Self {
            text,
            chars: Chars::new(text),
            cursor: 0,
            nodes: Vec::new(),
            anchors: Vec::new(),
            anchored: HashMap::new(),
            stack: Vec::new(),
            root: None,
            documents: 0,
            budget,
        }
    }

    fn run(&mut self, source: &str) -> std::result::Result<(), Failure> {
        let parser = Parser::new_from_str(source);
        for event in parser {
            let outcome = match event {
                Ok((event, span)) => self.event(event, span),
                Err(error) => {
                    let offset = self.chars.byte(error.marker().index());
                    let in_flow = self.stack.last().is_some_and(|frame| frame.flow != Flow::Block);
                    let tab = error.info().contains("whitespace") || error.info().contains("tabs disallowed");
                    let mut failure = fail(Kind::Syntax, offset, crate::error::visible(error.info()));
                    if error.info().contains("recursion limit") {
                        failure = self.too_deep(offset);
                    }
                    failure.path = self.path();
                    return Err(Failure {
                        error: failure,
                        tab: tab.then_some(offset),
                        in_flow,
                    });
                }
            };
            if let Err(mut error) = outcome {
                error.path.splice(0..0, self.path());
                return Err(Failure {
                    error,
                    tab: None,
                    in_flow: false,
                });
            }
        }
        Ok(())
    }

    fn into_tree(self) -> Option<Tree> {
        let root = self.root?;
        let is_empty = matches!(
            self.nodes[root].kind,
            NodeKind::Scalar {
                style: Style::Empty,
                ..
            }
        ) && self.nodes[root].properties_end == self.nodes[root].start;
        if is_empty {
            None
        } else {
            Some(Tree {
                nodes: self.nodes,
                root,
                anchors: self.anchors,
            })
        }
    }

    /// The keys around the place where reading is.
    fn path(&self) -> Vec<String> {
        let mut path = Vec::new();
        for frame in &self.stack {
            match &frame.content {
                Content::Map { key: Some(key), .. } => path.push(key.name.clone()),
                Content::Map { key: None, .. } => {}
                Content::List { items } => path.push((items.len() - usize::from(frame.busy)).to_string()),
            }
        }
        path
    }

    fn too_deep(&self, offset: usize) -> LoadError {
        fail(
            Kind::Limit,
            offset,
            format!("nested deeper than {} levels", self.budget.limits.depth),
        )
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(explicit) => self.document(explicit, span),
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(value, style, anchor, tag) => {
                self.scalar(&value, style, anchor, tag.as_deref(), span)
            }
            Event::SequenceStart(anchor, tag) => self.open(false, anchor, tag.as_deref(), span),
            Event::MappingStart(anchor, tag) => self.open(true, anchor, tag.as_deref(), span),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn document(&mut self, explicit: bool, span: Span) -> Result<()> {
        self.documents += 1;
        let offset = self.chars.byte(span.start.index());
        if self.documents > 1 {
            return Err(fail(
                Kind::Syntax,
                offset,
                "a second document starts without `---`",
            ));
        }
        self.cursor = if explicit { offset + "---".len() } else { offset };
        Ok(())
    }

    /// Moves over the indicators before a node; gives the start of the entry or item that the node begins, if it does.
    fn indicators(&mut self) -> Result<Option<usize>> {
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
    fn start(&self, anchor: bool, tag: bool, empty: bool) -> Result<Start> {
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

    fn in_block(&self) -> bool {
        self.stack.last().is_none_or(|frame| frame.flow == Flow::Block)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<()> {
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
        });
        self.anchors[index].aliases.push(node);
        self.cursor = end;
        self.attach(node, entry, cost, height)
    }

    fn scalar(
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
        let event_end = self.chars.byte(span.end.index());
        let mut decoded = decoded;
        let (style, end) = match style {
            _ if empty => (Style::Empty, place.content),
            ScalarStyle::Plain => (Style::Plain, self.text[..event_end].trim_end().len()),
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
            return self.attach_key(node, entry, "<<".to_owned(), true);
        }
        self.attach(node, entry, cost, 0)
    }

    fn open(&mut self, is_map: bool, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<()> {
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

    fn close(&mut self) -> Result<()> {
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
    fn check_merges(&self, map: NodeId) -> Result<()> {
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

    fn spend(&mut self, cost: Cost, offset: usize) -> Result<()> {
        self.budget
            .spend(cost)
            .map_err(|(kind, message)| fail(kind, offset, message))
    }

    fn push(&mut self, mut node: Node) -> NodeId {
        let id = self.nodes.len();
        node.parent = self.stack.last().map_or(id, |frame| frame.node);
        self.nodes.push(node);
        id
    }

    fn push_placed(&mut self, kind: NodeKind, place: &Start, end: usize) -> NodeId {
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
        })
    }

    fn name_anchor(&mut self, id: usize, node: NodeId, place: &Start, measure: Option<(Cost, usize)>) {
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

    fn is_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    fn complex_key(&self, is_map: bool, place: &Start) -> LoadError {
        let bytes = self.text.as_bytes();
        let doubled = |at: usize| bytes.get(at) == Some(&b'{');
        let brace = place.content;
        let closed = self.text[brace..line_end(self.text, brace)].contains("}}");
        if is_map && closed && doubled(brace) && (doubled(brace + 1) || brace > 0 && doubled(brace - 1)) {
            let start = if doubled(brace + 1) { brace } else { brace - 1 };
            return fail(Kind::Hole, start, "template hole `{{ … }}` was not filled in");
        }
        let what = if is_map { "a map" } else { "a list" };
        fail(
            Kind::Key,
            place.start,
            format!("a key must be a string, not {what}"),
        )
    }

    /// Puts a finished scalar or alias where it belongs.
    fn attach(&mut self, node: NodeId, entry: Option<usize>, cost: Cost, height: usize) -> Result<()> {
        if self.is_key() {
            self.measure_child(cost, height);
            let name = self.key_name(node)?;
            return self.attach_key(node, entry, name, false);
        }
        self.measure_child(cost, height);
        if self.stack.is_empty() {
            self.root = Some(node);
            return Ok(());
        }
        self.begin_child(node, entry);
        self.finish_child(node);
        Ok(())
    }

    fn attach_key(&mut self, node: NodeId, entry: Option<usize>, name: String, merge: bool) -> Result<()> {
        let start = entry.unwrap_or(self.nodes[node].start);
        if let Some(Frame {
            content: Content::Map { key, .. },
            ..
        }) = self.stack.last_mut()
        {
            *key = Some(PendingKey {
                start,
                node,
                name,
                merge,
            });
        }
        Ok(())
    }

    fn key_name(&self, node: NodeId) -> Result<String> {
        let resolved = match self.nodes[node].kind {
            NodeKind::Alias { target } => target,
            _ => node,
        };
        let start = self.nodes[node].start;
        match &self.nodes[resolved].kind {
            NodeKind::Scalar {
                value: Value::String(text),
                ..
            } => Ok(text.clone()),
            NodeKind::Scalar {
                value: Value::Null, ..
            } => Err(fail(Kind::Key, start, "a key must be a string, not null")),
            NodeKind::Scalar { value, .. } => Ok(crate::number::as_key(value)),
            _ => Err(fail(
                Kind::Key,
                start,
                "a key must be a string, not a map or a list",
            )),
        }
    }

    /// Notes a value's place in its parent as soon as it starts, so that the path is right inside it.
    fn begin_child(&mut self, node: NodeId, entry: Option<usize>) {
        let start = entry.unwrap_or(self.nodes[node].start);
        if let Some(Frame {
            content: Content::List { items },
            flow,
            ..
        }) = self.stack.last_mut()
        {
            let start = if *flow == Flow::Block {
                start
            } else {
                self.nodes[node].start
            };
            items.push(Item { start, value: node });
        }
    }

    fn finish_child(&mut self, node: NodeId) {
        let Some(Frame {
            content: Content::Map { entries, key },
            ..
        }) = self.stack.last_mut()
        else {
            return;
        };
        let Some(PendingKey {
            start,
            node: key,
            name,
            merge,
        }) = key.take()
        else {
            return;
        };
        let behind = skip_trivia(self.text, self.nodes[key].end);
        let colon = (self.text.as_bytes().get(behind) == Some(&b':')).then_some(behind);
        let colon =
            colon.filter(|&colon| colon < self.nodes[node].start || self.nodes[node].start == colon + 1);
        entries.push(Entry {
            start,
            key,
            name,
            merge,
            colon,
            value: node,
        });
    }

    fn measure_child(&mut self, cost: Cost, height: usize) {
        if let Some(frame) = self.stack.last_mut() {
            frame.cost = frame.cost.plus(cost);
            frame.height = frame.height.max(height + 1);
        }
    }
}

/// The node is not where the events and the text together say it should be: a form of YAML this crate does not know.
fn unplaced(offset: usize) -> LoadError {
    fail(Kind::Syntax, offset, "this form of YAML is not supported")
}

/// The first key that is there twice, as (second, first).
fn duplicate(entries: &[Entry]) -> Option<(usize, usize)> {
    // Few keys are compared with each other; a table pays only for many.
    const FEW: usize = 12;
    let key = |entry: &Entry| (entry.merge, entry.name.clone());
    if entries.len() <= FEW {
        return (1..entries.len()).find_map(|second| {
            let same = |first: &usize| {
                entries[*first].name == entries[second].name && entries[*first].merge == entries[second].merge
            };
            (0..second).find(same).map(|first| (second, first))
        });
    }
    let mut seen = HashMap::with_capacity(entries.len());
    entries
        .iter()
        .enumerate()
        .find_map(|(second, entry)| seen.insert(key(entry), second).map(|first| (second, first)))
}
