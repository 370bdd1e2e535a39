//! What holds for every text and every edit. `PROPTEST_CASES` sets how many are tried.

use jsonptr::PointerBuf;
use proptest::prelude::*;
use serde_json::Value;
use tidegate_yaml::{Edit, EditError, Place, Stream};

use crate::generate::{self, Anchors, Choices};

fn choices() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..160)
}

fn read(text: &str) -> Value {
    let stream = Stream::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    stream.documents()[0].value().clone()
}

fn resolve<'v>(value: &'v Value, at: &PointerBuf) -> &'v Value {
    at.resolve(value).expect("a place of the value")
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

fn line_after(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_texts_are_read(bytes in choices()) {
        let text = generate::document(&mut Choices::new(&bytes), Anchors::Some);
        let stream = Stream::parse(text.as_str());
        prop_assert!(stream.is_ok(), "{}\n{text}", stream.unwrap_err());
        let stream = stream.unwrap();
        let document = &stream.documents()[0];
        for place in generate::places(document.value()) {
            let span = document.value_span(&place).expect("every place has a span");
            prop_assert!(text.get(span).is_some());
        }
    }

    #[test]
    fn what_is_printed_reads_back(bytes in choices()) {
        let value = generate::value(&mut Choices::new(&bytes), 0);
        let text = tidegate_yaml::print(&value);
        let again = tidegate_yaml::print(&read(&text));
        prop_assert_eq!(&again, &text);
        // Exponents are spelled anew, all else is equal.
        if !value.to_string().contains("e-") {
            prop_assert_eq!(read(&text), value, "{}", text);
        }
    }

    #[test]
    fn an_edit_does_what_it_means_and_twice_the_same_is_nothing(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::Some);
        let stream = Stream::parse(text.as_str()).unwrap();
        let old = stream.documents()[0].value().clone();
        let edit = generate::edit(&mut choices, &old);
        if let Ok(edited) = stream.edit(0, std::slice::from_ref(&edit)) {
            let new = edited.documents()[0].value().clone();
            prop_assert_eq!(&read(edited.text()), &new);
            prop_assert_eq!(expected(&old, &edit), sorted(&new), "{}\n{:?}\n{}", text, edit, edited.text());
            if let Edit::Set { .. } = edit {
                let twice = edited.edit(0, &[edit]).unwrap();
                prop_assert_eq!(twice.text(), edited.text());
            }
        }
    }

    #[test]
    fn edits_together_are_edits_one_by_one(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::Some);
        let stream = Stream::parse(text.as_str()).unwrap();
        let mut one_by_one = stream.clone();
        let mut edits = Vec::new();
        for _ in 0..8 {
            let edit = generate::edit(&mut choices, one_by_one.documents()[0].value());
            if let Ok(edited) = one_by_one.edit(0, std::slice::from_ref(&edit)) {
                one_by_one = edited;
                edits.push(edit);
            }
        }
        let together = stream.edit(0, &edits);
        prop_assert!(together.is_ok(), "{}\n{edits:#?}\n{text}", together.unwrap_err());
        let together = together.unwrap();
        // The layout may differ where an edit took away the lines whose layout a later one follows.
        let value = |stream: &Stream| stream.documents()[0].value().to_string();
        prop_assert_eq!(value(&together), value(&one_by_one), "{:#?}\n{}", edits, text);
    }

    #[test]
    fn without_anchors_nothing_is_refused(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::None);
        let stream = Stream::parse(text.as_str()).unwrap();
        let edit = generate::edit(&mut choices, stream.documents()[0].value());
        match stream.edit(0, std::slice::from_ref(&edit)) {
            Ok(_) | Err(EditError::Exists { .. }) => {}
            Err(EditError::Unsupported { reason, .. }) => {
                let known = ["list has no key", "no key", "neither a map", "from its stream"];
                let unended = !text.ends_with('\n') && text.contains(['|', '>']);
                prop_assert!(unended || known.iter().any(|known| reason.contains(known)), "{reason}\n{edit:?}\n{text}");
            }
            Err(error) => prop_assert!(false, "{error}\n{edit:?}\n{text}"),
        }
    }

    #[test]
    fn set_leaves_the_lines_around_alone(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::Some);
        let stream = Stream::parse(text.as_str()).unwrap();
        let document = &stream.documents()[0];
        let places = generate::places(document.value());
        let at = places[choices.pick(places.len())].clone();
        let value = generate::value(&mut choices, 1);
        let scalars = !resolve(document.value(), &at).is_object() && !resolve(document.value(), &at).is_array()
            && !value.is_object() && !value.is_array() && !value.to_string().contains("\\n");
        let span = document.value_span(&at).unwrap();
        let key = document.key_span(&at).unwrap_or(span.clone());
        if let Ok(edited) = stream.edit(0, &[Edit::Set { at: at.clone(), value }]) {
            let in_list = at.parent().is_some_and(|parent| resolve(document.value(), &parent.to_buf()).is_array());
            let dash = text[..span.start].rfind('-').filter(|_| in_list).unwrap_or(span.start);
            let start = line_start(&text, key.start.min(dash));
            let end = line_after(&text, span.end);
            let written_here = &text[span.clone()];
            // Through a merge key the new entry goes to the end of the map.
            if !text.contains("<<:") {
                prop_assert!(edited.text().starts_with(&text[..start]), "{at:?}\n{text}\n=>\n{}", edited.text());
                prop_assert!(edited.text().ends_with(&text[end..]), "{at:?}\n{text}\n=>\n{}", edited.text());
                if scalars && !written_here.is_empty() && !written_here.starts_with('*') && !written_here.contains('\n') {
                    prop_assert!(edited.text().starts_with(&text[..span.start]), "{at:?}\n{text}\n=>\n{}", edited.text());
                    prop_assert!(edited.text().ends_with(&text[span.end..]), "{at:?}\n{text}\n=>\n{}", edited.text());
                }
            }
        }
    }

    #[test]
    fn removing_what_was_inserted_gives_the_original(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::Some);
        let stream = Stream::parse(text.as_str()).unwrap();
        let value = stream.documents()[0].value();
        let containers: Vec<_> = generate::places(value).into_iter().filter(|at| {
            let here = resolve(value, at);
            here.is_object() || here.is_array()
        }).collect();
        if containers.is_empty() {
            return Ok(());
        }
        let into = containers[choices.pick(containers.len())].clone();
        let container = resolve(value, &into).clone();
        let place = generate::place_in(&mut choices, &container);
        let new = generate::value(&mut choices, 1);
        let (key, index) = match &container {
            Value::Array(list) => {
                let index = match &place {
                    Place::First => 0,
                    Place::Last => list.len(),
                    Place::Before(name) => name.parse().unwrap(),
                    Place::After(name) => name.parse::<usize>().unwrap() + 1,
                };
                (None, index.to_string())
            }
            _ => (Some("new-key".to_owned()), "new-key".to_owned()),
        };
        let edit = Edit::Insert { into: into.clone(), place, key, value: new };
        // An alias that was written out is not put back.
        if let Ok(longer) = stream.edit(0, std::slice::from_ref(&edit)) {
            let back = longer.edit(0, &[Edit::Remove { at: into.with_trailing_token(index) }]);
            if !through_alias(&stream, &into) {
                prop_assert!(back.is_ok(), "{}\n{edit:?}\n{text}\n=>\n{}", back.unwrap_err(), longer.text());
                let back = back.unwrap();
                prop_assert_eq!(back.text(), &text, "{:?}\n{}\n=>\n{}", edit, text, longer.text());
            }
        }
    }

    #[test]
    fn removing_a_copy_gives_the_original(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::Some);
        let stream = Stream::parse(text.as_str()).unwrap();
        let value = stream.documents()[0].value();
        let maps: Vec<_> = generate::places(value).into_iter().filter(|at| {
            resolve(value, at).as_object().is_some_and(|map| !map.is_empty())
        }).collect();
        if maps.is_empty() {
            return Ok(());
        }
        let map = maps[choices.pick(maps.len())].clone();
        let container = resolve(value, &map).clone();
        let keys: Vec<_> = container.as_object().unwrap().keys().collect();
        let key = keys[choices.pick(keys.len())];
        let place = generate::place_in(&mut choices, &container);
        let from = map.with_trailing_token(key.as_str());
        let edit = Edit::Copy { from: from.clone(), key: "new-key".to_owned(), place };
        if let Ok(longer) = stream.edit(0, std::slice::from_ref(&edit)) {
            let at = map.with_trailing_token("new-key");
            let copied = longer.documents()[0].value();
            prop_assert_eq!(resolve(copied, &at), resolve(copied, &from));
            if longer.text().len() > text.len() && !through_alias(&stream, &map) {
                let back = longer.edit(0, &[Edit::Remove { at }]).unwrap();
                prop_assert_eq!(back.text(), &text, "{:?}\n{}\n=>\n{}", edit, text, longer.text());
            }
        }
    }

    #[test]
    fn renaming_back_gives_the_original(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::None);
        let stream = Stream::parse(text.as_str()).unwrap();
        let value = stream.documents()[0].value();
        let entries: Vec<_> = generate::places(value).into_iter().filter(|at| {
            at.parent().is_some_and(|parent| parent.resolve(value).unwrap().is_object())
        }).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let at = entries[choices.pick(entries.len())].clone();
        let old = at.last().unwrap().decoded().into_owned();
        let renamed = stream.edit(0, &[Edit::Rename { at: at.clone(), key: "new-key".to_owned() }]).unwrap();
        let there = at.parent().unwrap().with_trailing_token("new-key");
        let back = renamed.edit(0, &[Edit::Rename { at: there, key: old }]).unwrap();
        prop_assert_eq!(back.documents()[0].value(), value);
        let span = stream.documents()[0].key_span(&at).unwrap();
        let quoted = text[span.clone()].starts_with(['"', '\'']);
        if quoted {
            prop_assert_eq!(back.text(), &text);
        } else {
            prop_assert!(back.text().starts_with(&text[..span.start]));
            prop_assert!(back.text().ends_with(&text[span.end..]));
        }
    }

    #[test]
    fn reconciling_gives_the_wanted_value_and_then_nothing(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::Some);
        let stream = Stream::parse(text.as_str()).unwrap();
        let mut wanted = stream.documents()[0].value().clone();
        for _ in 0..=choices.pick(4) {
            mutate(&mut choices, &mut wanted);
        }
        let name = |_: &_, item: &Value| item.get("name").map(Value::to_string);
        let edited = stream.reconcile(0, &wanted, &name);
        prop_assert!(edited.is_ok(), "{}\n{text}\n{wanted}", edited.unwrap_err());
        let edited = edited.unwrap();
        prop_assert_eq!(sorted(edited.documents()[0].value()), sorted(&wanted), "{}\n{}", text, edited.text());
        let again = edited.reconcile(0, edited.documents()[0].value(), &name).unwrap();
        prop_assert_eq!(again.text(), edited.text());
    }

    #[test]
    fn reconciling_one_entry_leaves_the_others(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::None);
        let stream = Stream::parse(text.as_str()).unwrap();
        let document = &stream.documents()[0];
        let Some(map) = document.value().as_object().filter(|_| !text.starts_with(['{', '['])) else { return Ok(()) };
        let key = map.keys().nth(choices.pick(map.len().max(1))).cloned().unwrap_or_default();
        let at = PointerBuf::from_tokens([key.as_str()]);
        let (Some(name), Some(span)) = (document.key_span(&at), document.value_span(&at)) else { return Ok(()) };
        let mut wanted = document.value().clone();
        mutate(&mut choices, &mut wanted[&key]);
        let identity = |_: &_, item: &Value| item.get("name").map(Value::to_string);
        let edited = stream.reconcile(0, &wanted, &identity).unwrap();
        let (start, end) = (line_start(&text, name.start), line_after(&text, span.end));
        prop_assert!(edited.text().starts_with(&text[..start]), "{key}\n{text}\n=>\n{}", edited.text());
        // Deeper comments below the last entry of a collection may go with it.
        let rest: String = text[end..].split_inclusive('\n').skip_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#')).collect();
        prop_assert!(edited.text().ends_with(&rest), "{key}\n{text}\n=>\n{}", edited.text());
    }

    #[test]
    fn reconciling_one_scalar_is_setting_it(bytes in choices()) {
        let mut choices = Choices::new(&bytes);
        let text = generate::document(&mut choices, Anchors::None);
        let stream = Stream::parse(text.as_str()).unwrap();
        let value = stream.documents()[0].value();
        let scalars: Vec<_> = generate::places(value).into_iter().filter(|at| {
            let here = resolve(value, at);
            !here.is_object() && !here.is_array() && !at.is_root()
        }).collect();
        if scalars.is_empty() {
            return Ok(());
        }
        let at = scalars[choices.pick(scalars.len())].clone();
        if !at.parent().unwrap().resolve(value).unwrap().is_object() {
            return Ok(());
        }
        let new = Value::from("changed");
        let set = stream.edit(0, &[Edit::Set { at: at.clone(), value: new.clone() }]).unwrap();
        let mut wanted = value.clone();
        *at.resolve_mut(&mut wanted).unwrap() = new;
        let identity = |list: &PointerBuf, item: &Value| {
            let index = resolve(value, list).as_array()?.iter().position(|other| other == item);
            let index = index.or_else(|| resolve(&wanted, list).as_array()?.iter().position(|other| other == item))?;
            Some(index.to_string())
        };
        let reconciled = stream.reconcile(0, &wanted, &identity).unwrap();
        prop_assert_eq!(reconciled.text(), set.text());
    }

    #[test]
    fn edits_of_one_document_leave_the_others(parts in proptest::collection::vec(choices(), 1..4), bytes in choices()) {
        let texts: Vec<String> = parts.iter().map(|bytes| {
            let text = generate::document(&mut Choices::new(bytes), Anchors::Some);
            let text = text.replace("\r\n", "\n");
            text.strip_prefix("---\n").unwrap_or(&text).to_owned()
        }).map(|text| if text.ends_with('\n') { text } else { text + "\n" }).collect();
        let text = texts.join("---\n");
        let Ok(stream) = Stream::parse(text.as_str()) else { return Ok(()) };
        let mut choices = Choices::new(&bytes);
        let number = choices.pick(stream.documents().len());
        let edit = generate::edit(&mut choices, stream.documents()[number].value());
        if let Ok(edited) = stream.edit(number, &[edit]) {
            let span = stream.documents()[number].span();
            prop_assert!(edited.text().starts_with(&text[..span.start]));
            prop_assert!(edited.text().ends_with(&text[span.end..]));
            let whole = Stream::parse(edited.text()).unwrap();
            for (a, b) in whole.documents().iter().zip(edited.documents()) {
                prop_assert_eq!(a.value(), b.value());
                prop_assert_eq!(a.span(), b.span());
            }
        }
    }
}

/// Whether a place is inside what an alias or a merge key stands for: edits there write it out.
fn through_alias(stream: &Stream, at: &PointerBuf) -> bool {
    let document = &stream.documents()[0];
    let text = stream.text();
    let mut place = at.clone();
    loop {
        let span = document.value_span(&place).unwrap();
        if text[span].starts_with('*') {
            return true;
        }
        if place.pop_back().is_none() {
            return false;
        }
    }
}

/// The value with its keys in order, and numbers without exponents.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map
                .iter()
                .map(|(key, value)| (key.clone(), sorted(value)))
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        Value::Number(number) if number.to_string().contains(['e', 'E']) => {
            Value::String(format!("number {}", number.as_f64().unwrap()))
        }
        other => other.clone(),
    }
}

/// What an edit means, written down a second time.
fn expected(old: &Value, edit: &Edit) -> Value {
    let mut value = old.clone();
    match edit {
        Edit::Set { at, value: new } => *at.resolve_mut(&mut value).unwrap() = new.clone(),
        Edit::Remove { at } => {
            at.delete(&mut value);
        }
        Edit::Insert {
            into,
            place,
            key,
            value: new,
        } => match (into.resolve_mut(&mut value).unwrap(), key) {
            (Value::Array(list), _) => {
                let at = match place {
                    Place::First => 0,
                    Place::Last => list.len(),
                    Place::Before(name) => name.parse().unwrap(),
                    Place::After(name) => name.parse::<usize>().unwrap() + 1,
                };
                list.insert(at, new.clone());
            }
            (Value::Object(map), Some(key)) => {
                map.insert(key.clone(), new.clone());
            }
            (null, Some(key)) => *null = serde_json::json!({ key.as_str(): new }),
            (null, None) => *null = serde_json::json!([new]),
        },
        Edit::Rename { at, key } => {
            let moved = at.delete(&mut value).unwrap();
            let parent = at.parent().unwrap().resolve_mut(&mut value).unwrap();
            parent.as_object_mut().unwrap().insert(key.clone(), moved);
        }
        Edit::Copy { from, key, .. } => {
            let copied = from.resolve(&value).unwrap().clone();
            let parent = from.parent().unwrap().resolve_mut(&mut value).unwrap();
            parent.as_object_mut().unwrap().insert(key.clone(), copied);
        }
    }
    sorted(&value)
}

/// One random change of a value.
fn mutate(choices: &mut Choices<'_>, value: &mut Value) {
    let places = generate::places(value);
    let at = places[choices.pick(places.len())].clone();
    let new = generate::value(choices, 1);
    let kind = choices.pick(5);
    let here = at.resolve_mut(value).unwrap();
    match (kind, here) {
        (0, Value::Object(map)) => {
            map.insert("new-key".to_owned(), new);
        }
        (0 | 1, Value::Array(list)) => {
            let at = choices.pick(list.len() + 1);
            list.insert(at, new);
        }
        (2, Value::Array(list)) if list.len() > 1 => list.swap(0, 1),
        (1 | 2, _) if !at.is_root() => {
            at.delete(value);
        }
        (3, Value::Object(map)) if !map.is_empty() => {
            let key = map.keys().nth(choices.pick(map.len())).unwrap().clone();
            map.shift_remove(&key);
        }
        (_, here) => *here = new,
    }
}
