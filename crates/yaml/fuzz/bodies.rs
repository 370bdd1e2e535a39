//! What the fuzz targets do with their input; `tests/laws` runs the same over generated input.

use jsonptr::PointerBuf;
use serde_json::{Value, json};
use tidegate_yaml::{Edit, Limits, Place, Stream};

/// Any text is read or refused; what is read can be asked for everything, printed and read again.
pub(crate) fn read(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let stream = match Stream::parse_with(text, &limits()) {
        Ok(stream) => stream,
        Err(error) => {
            assert!(error.offset <= text.len(), "{error:?} {text:?}");
            assert!(!error.to_string().contains(|c: char| c.is_control()), "{error:?}");
            return;
        }
    };
    let mut behind = if text.starts_with('\u{feff}') { 3 } else { 0 };
    for (number, document) in stream.documents().iter().enumerate() {
        assert_eq!(document.span().start, behind, "spans tile the text");
        behind = document.span().end;
        for at in places(document.value()) {
            match document.value_span(&at) {
                Some(span) => assert!(text.get(span).is_some()),
                None => assert!(document.is_empty(), "every place has a span"),
            }
            let _ = (document.key_span(&at), document.scalar_text(&at));
        }
        let _ = document.ambiguous_scalars();
        let printed = tidegate_yaml::print(document.value());
        let again = Stream::parse(printed.as_str()).expect("what is printed can be read");
        assert_eq!(again.documents()[0].value(), document.value(), "{printed}");
        let copied = stream.document_text(number);
        if let Ok(alone) = Stream::parse(copied) {
            assert_eq!(alone.documents().len(), 1, "{text:?} {copied:?}");
        }
    }
    assert_eq!(behind, text.len());
}

/// Any edit of any text is made as meant or refused; nothing else changes.
pub(crate) fn edit(data: &[u8]) {
    let (choices, text) = data.split_at(data.len().min(6));
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let Ok(stream) = Stream::parse_with(text, &limits()) else {
        return;
    };
    let choice = |index: usize, count: usize| {
        choices
            .get(index)
            .map_or(0, |&byte| usize::from(byte) % count.max(1))
    };
    let number = choice(0, stream.documents().len());
    let document = &stream.documents()[number];
    let places = places(document.value());
    let at = places[choice(1, places.len())].clone();
    let value = new_values()[choice(2, new_values().len())].clone();
    let here = at.resolve(document.value()).expect("a place of the value");
    let place = place(choice(3, 4), choice(5, 8), here);
    let key = if here.is_array() {
        None
    } else {
        Some("new key".to_owned())
    };
    let edit = match choice(4, 6) {
        0 => Edit::Set { at, value },
        1 => Edit::Insert {
            into: at,
            place,
            key,
            value,
        },
        2 => Edit::Remove { at },
        3 => Edit::Rename {
            at,
            key: "new key".to_owned(),
        },
        4 => Edit::Copy {
            from: at,
            key: "new key".to_owned(),
            place: Place::Last,
        },
        _ => {
            let mut wanted = document.value().clone();
            *at.resolve_mut(&mut wanted).expect("a place of the value") = value;
            let name = |_: &_, item: &Value| item.get("name").map(Value::to_string);
            let edited = stream.reconcile(number, &wanted, &name);
            if let Ok(edited) = edited {
                check(&stream, &edited, number);
            }
            return;
        }
    };
    if let Ok(edited) = stream.edit(number, std::slice::from_ref(&edit)) {
        check(&stream, &edited, number);
        if let Edit::Set { .. } = edit {
            let twice = edited.edit(number, &[edit]).expect("the same edit again");
            assert_eq!(twice.text(), edited.text());
        }
    }
    if let Ok(longer) = stream.append_document("# more\nb: 2\n") {
        let last = longer.documents().len() - 1;
        let back = longer
            .remove_document(last)
            .expect("what was added can be removed");
        assert_eq!(back.text(), stream.text());
    }
    let _ = stream.remove_document(number);
}

/// The edited stream is what reading its text gives, and the other documents have their bytes.
fn check(before: &Stream, after: &Stream, number: usize) {
    let whole = Stream::parse(after.text()).expect("an edited text can be read");
    assert_eq!(whole.documents().len(), before.documents().len());
    for (index, (a, b)) in whole.documents().iter().zip(after.documents()).enumerate() {
        assert_eq!((a.value(), a.span()), (b.value(), b.span()));
        if index != number {
            let old = before.documents()[index].span();
            assert_eq!(after.text().get(b.span()), before.text().get(old));
        }
    }
}

fn limits() -> Limits {
    Limits {
        bytes: 1 << 16,
        nodes: 20_000,
        expanded_bytes: 1 << 18,
        ..Limits::default()
    }
}

fn new_values() -> Vec<Value> {
    vec![
        json!("x"),
        json!(1),
        json!("a\nb\n"),
        json!({}),
        json!({"a": [1, {"b": "on"}]}),
        json!([[], "x\n\n"]),
        json!(null),
        json!(""),
    ]
}

fn place(kind: usize, index: usize, container: &Value) -> Place {
    let names: Vec<String> = match container {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(list) => (0..list.len()).map(|index| index.to_string()).collect(),
        _ => Vec::new(),
    };
    let name = names.get(index).cloned().unwrap_or_default();
    match kind {
        0 => Place::Last,
        1 => Place::First,
        2 => Place::Before(name),
        _ => Place::After(name),
    }
}

/// The places of a value, the first few hundred.
fn places(value: &Value) -> Vec<PointerBuf> {
    const ENOUGH: usize = 300;
    let mut found = vec![PointerBuf::root()];
    let mut next = 0;
    while next < found.len() && found.len() < ENOUGH {
        let at = found[next].clone();
        match at.resolve(value).expect("a place of the value") {
            Value::Object(map) => found.extend(map.keys().map(|key| at.with_trailing_token(key.as_str()))),
            Value::Array(list) => found.extend((0..list.len()).map(|index| at.with_trailing_token(index))),
            _ => {}
        }
        next += 1;
    }
    found
}
