//! Which item of an old list became which item of a new one.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use crate::number::{same, spelled};

/// How a list becomes another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// For each new item the old one it comes from, if any; these are in the order of the old list.
    Kept(Vec<Option<usize>>),
    /// Items changed places.
    Reordered,
}

/// Aligns by equal items first, then by equal identities, then what is left between these in order.
pub(crate) fn align(old: &[Value], new: &[Value], identity: &dyn Fn(&Value) -> Option<String>) -> Alignment {
    let mut from: Vec<Option<usize>> = vec![None; new.len()];
    equal_items(old, new, &mut from);
    let identities = |list: &[Value]| list.iter().map(identity).collect::<Vec<_>>();
    let (old_names, new_names) = (identities(old), identities(new));
    let mut used = vec![false; old.len()];
    from.iter().flatten().for_each(|&index| used[index] = true);
    let mut by_name: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (index, name) in old_names.iter().enumerate() {
        if let Some(name) = name.as_deref().filter(|_| !used[index]) {
            by_name.entry(name).or_default().push_back(index);
        }
    }
    for (index, name) in new_names.iter().enumerate() {
        if let Some(name) = name.as_deref().filter(|_| from[index].is_none()) {
            from[index] = by_name.get_mut(name).and_then(VecDeque::pop_front);
        }
    }
    if !from.iter().flatten().is_sorted() {
        return Alignment::Reordered;
    }
    from.iter().flatten().for_each(|&index| used[index] = true);
    in_order(&old_names, &new_names, &used, &mut from);
    Alignment::Kept(from)
}

/// Pairs the items that are left between two that are paired already, unless both have an identity: these differ.
fn in_order(old: &[Option<String>], new: &[Option<String>], used: &[bool], from: &mut [Option<usize>]) {
    let mut next = 0;
    for index in 0..from.len() {
        if let Some(old) = from[index] {
            next = old + 1;
            continue;
        }
        let limit = from[index..]
            .iter()
            .flatten()
            .next()
            .copied()
            .unwrap_or(old.len());
        let fits =
            |&candidate: &usize| !used[candidate] && (old[candidate].is_none() || new[index].is_none());
        if let Some(found) = (next..limit).find(fits) {
            from[index] = Some(found);
            next = found + 1;
        }
    }
}

/// A longest common subsequence of equal items; for lists too large for that, the first equal item that still fits.
fn equal_items(old: &[Value], new: &[Value], from: &mut [Option<usize>]) {
    const LARGEST_TABLE: usize = 4_000_000;
    let prefix = old.iter().zip(new).take_while(|(a, b)| same(a, b)).count();
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(|(a, b)| same(a, b))
        .count();
    (0..prefix).for_each(|index| from[index] = Some(index));
    (1..=suffix).for_each(|back| from[new.len() - back] = Some(old.len() - back));
    let old = numbered(&old_rest[..old_rest.len() - suffix]);
    let new = numbered(&new_rest[..new_rest.len() - suffix]);
    let from = &mut from[prefix..prefix + new.len()];
    if old.len().saturating_mul(new.len()) <= LARGEST_TABLE {
        longest(&old, &new, prefix, from);
        return;
    }
    let mut places: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (index, item) in old.iter().enumerate() {
        places.entry(item).or_default().push_back(index);
    }
    let mut next = 0;
    for (index, item) in new.iter().enumerate() {
        let Some(queue) = places.get_mut(item.as_str()) else {
            continue;
        };
        while queue.front().is_some_and(|&front| front < next) {
            queue.pop_front();
        }
        if let Some(found) = queue.pop_front() {
            from[index] = Some(prefix + found);
            next = found + 1;
        }
    }
}

fn longest(old: &[String], new: &[String], prefix: usize, from: &mut [Option<usize>]) {
    let width = new.len() + 1;
    let mut table = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            table[i * width + j] = if old[i] == new[j] {
                table[(i + 1) * width + j + 1] + 1
            } else {
                table[(i + 1) * width + j].max(table[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            from[j] = Some(prefix + i);
            (i, j) = (i + 1, j + 1);
        } else if table[(i + 1) * width + j] >= table[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// A text that is equal for values that are the same.
fn numbered(list: &[Value]) -> Vec<String> {
    list.iter().map(|value| canonical(value).to_string()).collect()
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(format!("#{}", spelled(number))),
        Value::String(text) => Value::String(format!("\"{text}")),
        Value::Array(list) => list.iter().map(canonical).collect(),
        Value::Object(map) => {
            let mut entries: Vec<_> = map
                .iter()
                .map(|(key, value)| (key.clone(), canonical(value)))
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(old: Value, new: Value, expected: Option<&[Option<usize>]>) {
        let (old, new) = (old.as_array().unwrap(), new.as_array().unwrap());
        let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
        let expected = expected.map_or(Alignment::Reordered, |from| Alignment::Kept(from.to_vec()));
        assert_eq!(align(old, new, &name), expected);
    }

    #[test]
    fn equal_then_named_then_in_order() {
        check(json!([1, 2, 3]), json!([1, 3]), Some(&[Some(0), Some(2)]));
        check(
            json!([1, 2, 3]),
            json!([1, 9, 3]),
            Some(&[Some(0), Some(1), Some(2)]),
        );
        check(json!([1, 2]), json!([0, 1, 2]), Some(&[None, Some(0), Some(1)]));
        check(json!([1, 2, 1]), json!([2, 1]), Some(&[Some(1), Some(2)]));
        check(
            json!([{"name": "a", "v": 1}, {"name": "b"}]),
            json!([{"name": "c"}, {"name": "a", "v": 2}, {"name": "b"}]),
            Some(&[None, Some(0), Some(1)]),
        );
        check(json!([{"name": "a"}]), json!([{"name": "b"}]), Some(&[None]));
        check(
            json!([{"name": "a"}, {"name": "b"}]),
            json!([{"name": "b", "v": 1}, {"name": "a", "v": 1}]),
            None,
        );
        check(json!([]), json!([1]), Some(&[None]));
        check(json!([1]), json!([]), Some(&[]));
    }
}
