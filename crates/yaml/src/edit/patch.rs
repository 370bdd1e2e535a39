//! Replacements in a text, all counted in the text before any of them.

use std::ops::Range;

/// Puts `text` in the place of `range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

impl Patch {
    pub(crate) fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self {
            range,
            text: text.into(),
        }
    }

    pub(crate) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self::new(at..at, text)
    }

    pub(crate) fn delete(range: Range<usize>) -> Self {
        Self::new(range, "")
    }
}

/// Whether patches can be applied together.
pub(crate) fn fit(patches: &[Patch]) -> bool {
    let mut ranges: Vec<_> = patches
        .iter()
        .map(|patch| (patch.range.start, patch.range.end))
        .collect();
    ranges.sort_unstable();
    ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0)
}

/// Applies patches; `None` if two of them want the same bytes, or the same place in an order that is not theirs.
pub(crate) fn apply(text: &str, mut patches: Vec<Patch>) -> Option<String> {
    // Stable: insertions at one place keep the order they were made in, and come before a deletion that starts there.
    patches.sort_by_key(|patch| (patch.range.start, patch.range.end));
    let grown: usize = patches.iter().map(|patch| patch.text.len()).sum();
    let mut out = String::with_capacity(text.len() + grown);
    let mut done = 0;
    for patch in &patches {
        if patch.range.start < done {
            return None;
        }
        out.push_str(text.get(done..patch.range.start)?);
        out.push_str(&patch.text);
        done = patch.range.end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_apply_to_the_text_before_all_of_them() {
        let patches = vec![
            Patch::delete(2..4),
            Patch::insert(0, "x"),
            Patch::new(4..5, "y"),
            Patch::insert(2, "z"),
        ];
        assert_eq!(apply("abcdef", patches).unwrap(), "xabzyf");
        let overlapping = vec![Patch::delete(0..2), Patch::delete(1..3)];
        assert!(!fit(&overlapping));
        assert_eq!(apply("abc", overlapping), None);
        assert!(fit(&[
            Patch::delete(2..4),
            Patch::insert(2, "z"),
            Patch::delete(0..2)
        ]));
    }
}
