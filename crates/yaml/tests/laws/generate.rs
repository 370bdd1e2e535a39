//! Commented YAML texts and values made from a list of choices, so that a failing case shrinks with the list.

use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};
use tidegate_yaml::{Edit, Place};

/// Decisions taken from bytes; when they run out, the simplest one is taken.
pub(crate) struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    /// A number below `count`.
    pub(crate) fn pick(&mut self, count: usize) -> usize {
        self.bytes.next().map_or(0, |&byte| usize::from(byte) % count)
    }

    pub(crate) fn chance(&mut self, one_in: usize) -> bool {
        self.pick(one_in) == one_in - 1
    }

    pub(crate) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.pick(list.len())]
    }
}

const KEYS: &[&str] = &[
    "a",
    "b",
    "c",
    "name",
    "image",
    "a b",
    "x.y/z",
    "é",
    "on",
    "1",
    "",
    "a: b",
    "#",
    "k'q",
    "long-key-name",
];

const PLAIN: &[&str] = &[
    "x",
    "1",
    "0x1F",
    "1.10",
    "on",
    "true",
    "null",
    "~",
    "nginx:1.2",
    "2024-01-01",
    "12:30",
    "a b",
    "--flag=x",
    "0755",
    "1_000",
    "é",
    "http://a/b#c",
    "it's",
    "1e3",
    "08",
    "<<x",
    "日本 語",
];

const TEXTS: &[&str] = &[
    "",
    "x",
    "on",
    "1",
    "a\nb\n",
    "a\nb",
    "a\n\nb\n\n",
    " lead\nb",
    "trail \nb\n",
    "\n",
    "a: b",
    "# c",
    "it's",
    "\"q\"",
    "tab\there",
    "- a",
    "{{ x }}",
    "é😀",
    "\u{7f}\u{85}\u{2028}",
    "0x1F",
    "1_000",
    "12:30",
    "2024-01-01",
    "---",
    "a\n---\nb\n",
    "x # y",
    "null",
    "~",
    "a\r\nb",
    "line that is long enough to be folded by printers which fold their lines at eighty columns or so, as some of them do by default",
];

/// What a generated text may contain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchors {
    None,
    Some,
}

struct Writer<'a, 'c> {
    choices: &'c mut Choices<'a>,
    out: String,
    ending: &'static str,
    step: usize,
    dash: usize,
    anchors: Anchors,
    /// Names of finished anchors, with whether they stand for a map.
    finished: Vec<(String, bool)>,
    named: usize,
    nodes: usize,
}

/// One document: comments, all styles, either line end, with or without a line end at the end.
pub(crate) fn document(choices: &mut Choices<'_>, anchors: Anchors) -> String {
    let ending = if choices.chance(4) { "\r\n" } else { "\n" };
    let step = choices.of(&[2, 2, 4, 1, 3]);
    let dash = choices.of(&[0, 0, step]);
    let mut writer = Writer {
        choices,
        out: String::new(),
        ending,
        step,
        dash,
        anchors,
        finished: Vec::new(),
        named: 0,
        nodes: 0,
    };
    writer.comments(0);
    match writer.choices.pick(8) {
        0..=4 => writer.block_map(0, false, 0),
        5 => writer.block_list(0, false, 0),
        6 => {
            writer.flow(0);
            writer.end_line();
        }
        _ => {
            writer.out.push_str("---");
            writer.out.push_str(ending);
            writer.block_map(0, false, 0);
        }
    }
    writer.comments(0);
    let unended = writer.choices.chance(4);
    let mut text = writer.out;
    if unended {
        while text.ends_with(['\n', '\r']) {
            text.pop();
        }
    }
    text
}

impl Writer<'_, '_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push_str(self.ending);
    }

    fn indent(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn comments(&mut self, indent: usize) {
        for _ in 0..self.choices.pick(8).saturating_sub(5) {
            match self.choices.pick(4) {
                0 => {
                    self.indent(indent);
                    self.line("# note");
                }
                1 => self.line(""),
                2 => {
                    self.indent(indent + 1);
                    self.line("# deeper: note");
                }
                _ => self.line("# outer"),
            }
        }
    }

    fn end_line(&mut self) {
        let comment = self.choices.of(&["", "", "", " # trailing", "   # far: off"]);
        self.line(comment);
    }

    fn key(&mut self, used: &mut Vec<&'static str>, in_flow: bool) -> bool {
        let start = self.choices.pick(KEYS.len());
        let Some(key) = (0..KEYS.len())
            .map(|n| KEYS[(start + n) % KEYS.len()])
            .find(|key| !used.contains(key))
        else {
            return false;
        };
        used.push(key);
        let plain = !matches!(key, "" | "a: b" | "#");
        match self.choices.pick(4) {
            0 | 1 if plain && !(in_flow && key.contains('\'')) => self.out.push_str(key),
            0..=2 => self.out.push_str(&format!("\"{key}\"")),
            _ => self.out.push_str(&format!("'{}'", key.replace('\'', "''"))),
        }
        true
    }

    fn block_map(&mut self, indent: usize, inline: bool, depth: usize) {
        let mut used = Vec::new();
        for index in 0..=self.choices.pick(4) {
            if index > 0 || !inline {
                self.comments(indent);
                self.indent(indent);
            }
            let maps: Vec<String> = self
                .finished
                .iter()
                .filter(|(_, is_map)| *is_map)
                .map(|(name, _)| name.clone())
                .collect();
            if index > 0 && !maps.is_empty() && !used.contains(&"<<") && self.choices.chance(3) {
                used.push("<<");
                let name = &maps[self.choices.pick(maps.len())];
                self.out.push_str(&format!("<<: *{name}"));
                self.end_line();
                continue;
            }
            if !self.key(&mut used, false) {
                self.out.push_str("last:");
                self.end_line();
                return;
            }
            self.out.push(':');
            self.value(indent, self.dash, depth);
        }
    }

    fn block_list(&mut self, indent: usize, inline: bool, depth: usize) {
        for index in 0..=self.choices.pick(4) {
            if index > 0 || !inline {
                self.comments(indent);
                self.indent(indent);
            }
            self.out.push('-');
            match self.choices.pick(6) {
                0 if depth < 4 => {
                    self.out.push(' ');
                    self.block_map(indent + 2, true, depth + 1);
                }
                1 if depth < 4 => {
                    self.out.push(' ');
                    self.block_list(indent + 2, true, depth + 1);
                }
                _ => self.value(indent, 2, depth),
            }
        }
    }

    /// What follows a colon or dash whose line is indented by `indent`; a list below it by `dash` more.
    fn value(&mut self, indent: usize, dash: usize, depth: usize) {
        self.nodes += 1;
        let deep = depth >= 4 || self.nodes > 40;
        let mut name = None;
        if self.anchors == Anchors::Some && self.choices.chance(4) {
            let known = self.finished.len();
            if known > 0 && self.choices.chance(2) {
                let name = self.finished[self.choices.pick(known)].0.clone();
                self.out.push_str(&format!(" *{name}"));
                return self.end_line();
            }
            self.named += 1;
            let anchor = format!("n{}", self.named);
            self.out.push_str(&format!(" &{anchor}"));
            name = Some(anchor);
        }
        let mut is_map = false;
        match self.choices.pick(10) {
            0..=2 => self.inline_scalar(),
            3 => self.end_line(),
            4 => self.block_scalar(indent),
            5 | 6 if !deep => {
                self.end_line();
                is_map = true;
                self.block_map(indent + self.step.max(dash.min(2)), false, depth + 1);
            }
            7 if !deep => {
                self.end_line();
                self.block_list(indent + dash, false, depth + 1);
            }
            8 => {
                self.out.push(' ');
                is_map = self.flow(indent + 1);
                self.end_line();
            }
            _ => self.inline_scalar(),
        }
        if let Some(name) = name {
            self.finished.push((name, is_map));
        }
    }

    fn inline_scalar(&mut self) {
        self.out.push_str(&" ".repeat(1 + self.choices.pick(6) / 5));
        match self.choices.pick(5) {
            0..=2 => {
                let text = self.choices.of(PLAIN);
                self.out.push_str(text);
            }
            3 => {
                let text = self
                    .choices
                    .of(&["x", "on", "a\\nb", "", "\\u00e9 \\\" # c", "1"]);
                self.out.push_str(&format!("\"{text}\""));
            }
            _ => {
                let text = self.choices.of(&["x", "it''s", "", "# c", "a: b", "~"]);
                self.out.push_str(&format!("'{text}'"));
            }
        }
        self.end_line();
    }

    fn block_scalar(&mut self, indent: usize) {
        let header = self.choices.of(&["|", "|-", "|+", ">", ">-", "|2"]);
        self.out.push_str(&format!(" {header}"));
        self.end_line();
        let indent = indent
            + if header == "|2" {
                2
            } else {
                1 + self.choices.pick(3)
            };
        for _ in 0..=self.choices.pick(3) {
            let text = self
                .choices
                .of(&["text", "more: text", "# no comment", "", "two words", "x  "]);
            if text.is_empty() {
                self.line("");
            } else {
                self.indent(indent);
                self.line(text);
            }
        }
        self.indent(indent);
        self.line("end");
        if self.choices.chance(4) {
            self.line("");
        }
    }

    /// A map or list in brackets; whether it is a map.
    fn flow(&mut self, indent: usize) -> bool {
        let is_map = self.choices.pick(2) == 0;
        let lines = self.choices.chance(3);
        let count = self.choices.pick(4);
        let mut used = Vec::new();
        self.out.push(if is_map { '{' } else { '[' });
        for index in 0..count {
            if lines {
                self.end_line();
                self.indent(indent + 2);
            } else if index > 0 {
                self.out.push(' ');
            }
            if is_map {
                self.key(&mut used, true);
                self.out.push_str(": ");
            }
            match self.choices.pick(6) {
                0 if indent < 6 => {
                    self.flow(indent + 2);
                }
                1 => self.out.push_str("\"q, [\""),
                2 => self.out.push_str("'s: }'"),
                3 => self.out.push_str("1.10"),
                _ => self.out.push_str("word"),
            }
            if index + 1 < count || self.choices.chance(5) {
                self.out.push(',');
            }
        }
        if lines && count > 0 {
            self.end_line();
            self.indent(indent);
        }
        self.out.push(if is_map { '}' } else { ']' });
        is_map
    }
}

/// A value of any shape.
pub(crate) fn value(choices: &mut Choices<'_>, depth: usize) -> Value {
    match choices.pick(if depth > 3 { 6 } else { 9 }) {
        0 | 1 => Value::String(choices.of(TEXTS).to_owned()),
        2 => json!(choices.pick(200)),
        3 => choices.of(&[true, false]).into(),
        4 => serde_json::from_str(choices.of(&["1.10", "-0.5", "12345678901234567890123", "0", "1e-9"]))
            .unwrap(),
        5 => Value::Null,
        6 => (0..choices.pick(4)).map(|_| value(choices, depth + 1)).collect(),
        _ => {
            let mut map = Map::new();
            for _ in 0..choices.pick(4) {
                map.insert(choices.of(KEYS).to_owned(), value(choices, depth + 1));
            }
            Value::Object(map)
        }
    }
}

/// All places in a value, the root first.
pub(crate) fn places(value: &Value) -> Vec<PointerBuf> {
    fn visit(value: &Value, at: &mut PointerBuf, found: &mut Vec<PointerBuf>) {
        found.push(at.clone());
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    at.push_back(key.as_str());
                    visit(value, at, found);
                    at.pop_back();
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    at.push_back(index);
                    visit(value, at, found);
                    at.pop_back();
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    visit(value, &mut PointerBuf::root(), &mut found);
    found
}

pub(crate) fn place_in(choices: &mut Choices<'_>, container: &Value) -> Place {
    let names: Vec<String> = match container {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(list) => (0..list.len()).map(|index| index.to_string()).collect(),
        _ => Vec::new(),
    };
    match choices.pick(4) {
        1 if !names.is_empty() => Place::Before(names[choices.pick(names.len())].clone()),
        2 if !names.is_empty() => Place::After(names[choices.pick(names.len())].clone()),
        3 => Place::First,
        _ => Place::Last,
    }
}

/// An edit that makes sense somewhere in the value, most of the time.
pub(crate) fn edit(choices: &mut Choices<'_>, value: &Value) -> Edit {
    let places = places(value);
    let at = places[choices.pick(places.len())].clone();
    let here = at.resolve(value).unwrap();
    let key = choices.of(&["new", "a", "on", "", "x y", "new: key"]).to_owned();
    match choices.pick(6) {
        0 | 1 => Edit::Set {
            at,
            value: self::value(choices, 1),
        },
        2 => {
            let place = place_in(choices, here);
            let key = (!here.is_array()).then_some(key);
            Edit::Insert {
                into: at,
                place,
                key,
                value: self::value(choices, 1),
            }
        }
        3 => Edit::Remove { at },
        4 => Edit::Rename { at, key },
        _ => {
            let map = at
                .parent()
                .map_or(Value::Null, |parent| parent.resolve(value).unwrap().clone());
            let place = place_in(choices, &map);
            Edit::Copy { from: at, key, place }
        }
    }
}
