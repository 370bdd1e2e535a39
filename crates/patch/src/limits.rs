//! Bounds on what a patch can make: depth and size.
//!
//! Size is counted in values: every map, list, key and scalar is one, and a string counts one more for every 32 bytes, so that
//! copying a long text is not free.

use jsonptr::PointerBuf;
use serde_json::Value;

use crate::error::Reason;

/// Levels of maps and lists that an object, a patch and a result may have.
pub const MAX_DEPTH: usize = 128;

/// Values that a JSON patch may make of any input, however small.
pub const SMALL_RESULT: usize = 10_000;

/// How many times larger than target and patch together the result of a JSON patch may be.
pub const MAX_GROWTH: usize = 100;

/// Values that a JSON patch may make at most, unless target and patch have more themselves.
pub const MAX_RESULT: usize = 1_000_000;

/// Returns the size of a value, or the place that is nested deeper than [`MAX_DEPTH`] levels.
pub(crate) fn size(value: &Value) -> Result<usize, TooDeep> {
    size_within(value, MAX_DEPTH)
}

/// As [`size`], for a value that will stand `levels` levels below the root.
pub(crate) fn size_below(value: &Value, levels: usize) -> Result<usize, TooDeep> {
    size_within(value, MAX_DEPTH.checked_sub(levels).ok_or_else(TooDeep::here)?)
}

/// Returns how large the result of patching so much may be.
pub(crate) fn result_limit(written: usize) -> usize {
    written
        .saturating_mul(MAX_GROWTH)
        .clamp(SMALL_RESULT, MAX_RESULT.max(written.saturating_mul(2)))
}

/// A place nested too deep, as a pointer from the value that was looked at.
#[derive(Debug)]
pub(crate) struct TooDeep(pub(crate) PointerBuf);

impl TooDeep {
    pub(crate) const REASON: Reason = Reason::TooDeep { limit: MAX_DEPTH };

    fn here() -> Self {
        Self(PointerBuf::root())
    }
}

fn size_within(value: &Value, levels: usize) -> Result<usize, TooDeep> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(1),
        Value::String(text) => Ok(1 + text.len() / 32),
        Value::Array(items) => {
            let levels = levels.checked_sub(1).ok_or_else(TooDeep::here)?;
            let item_size = |(index, item)| {
                size_within(item, levels).map_err(|mut error: TooDeep| {
                    error.0.push_front(index);
                    error
                })
            };
            items
                .iter()
                .enumerate()
                .map(item_size)
                .sum::<Result<usize, _>>()
                .map(|size| size + 1)
        }
        Value::Object(fields) => {
            let levels = levels.checked_sub(1).ok_or_else(TooDeep::here)?;
            let field_size = |(name, field): (&String, &Value)| {
                let size = size_within(field, levels).map_err(|mut error| {
                    error.0.push_front(name.as_str());
                    error
                })?;
                Ok(size + 1 + name.len() / 32)
            };
            fields
                .iter()
                .map(field_size)
                .sum::<Result<usize, _>>()
                .map(|size| size + 1)
        }
    }
}
