//! From a symbolic place to line, column and the line itself.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tidegate_core::diagnostic::{Location, Place};
use tidegate_core::repo::RepoPath;
use tidegate_core::schema::config::Config;
use tidegate_yaml::{Position, Stream};

use super::Files;
use crate::report::{is_hostile, secret};

/// The longest line that is quoted, in bytes; the renderer cuts it around the place.
const LONGEST_LINE: usize = 4096;

/// A place as it is shown.
#[derive(Default)]
pub(in crate::report) struct Spot {
    /// The file, as a person calls it.
    pub(in crate::report) file: String,
    /// Line and column, from 1.
    pub(in crate::report) position: Option<(usize, usize)>,
    /// Line and column behind the last character, where the place is a key or a value.
    pub(in crate::report) end: Option<(usize, usize)>,
    pub(in crate::report) excerpt: Option<Excerpt>,
}

/// One line of a file, made harmless, and the part of it that is meant.
pub(in crate::report) struct Excerpt {
    pub(in crate::report) line: String,
    pub(in crate::report) span: Range<usize>,
}

/// The files that diagnostics speak of, each read and parsed once.
pub(in crate::report) struct Sources<'a> {
    files: &'a dyn Files,
    read: BTreeMap<RepoPath, Option<Source>>,
}

struct Source {
    text: String,
    stream: Option<Arc<Stream>>,
    hidden: Vec<Range<usize>>,
}

impl<'a> Sources<'a> {
    pub(in crate::report) fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            read: BTreeMap::new(),
        }
    }

    /// What a person calls a file.
    pub(in crate::report) fn name(&self, file: &RepoPath) -> String {
        self.files.name(file)
    }

    /// Line, column and quotable line of a place.
    pub(in crate::report) fn spot(&mut self, location: &Location) -> Spot {
        let files = self.files;
        let source = self.read.entry(location.file.clone()).or_insert_with(|| {
            let (text, stream) = match files.parsed(&location.file) {
                Some(stream) => (stream.text().to_owned(), Some(stream)),
                None => {
                    let text = files.text(&location.file)?;
                    // What was refused for its size is not read to the end to be quoted either.
                    let stream = Stream::parse_with(text.clone(), &Config::default_limits());
                    let stream = stream.ok().map(Arc::new);
                    (text, stream)
                }
            };
            let hidden = secret::hidden(&text, stream.as_deref());
            Some(Source { text, stream, hidden })
        });
        let spot = match (source, &location.place) {
            (Some(source), place) => source.spot(place, location),
            (None, Place::Position(position)) => Spot::at(*position),
            (None, _) => Spot::default(),
        };
        Spot {
            file: files.name(&location.file),
            ..spot
        }
    }
}

impl Spot {
    pub(in crate::report) fn at(position: Position) -> Self {
        Self {
            position: Some((position.line, position.column)),
            ..Self::default()
        }
    }
}

impl Source {
    /// Line and column of a place, its end, and the line itself, each where it can be told; without the file's name.
    fn spot(&self, place: &Place, location: &Location) -> Spot {
        let span = match place {
            Place::File => return Spot::default(),
            Place::Position(position) => {
                let offset = self.offset(position.line, position.column);
                return Spot {
                    excerpt: offset.and_then(|offset| self.excerpt(offset..offset)),
                    ..Spot::at(*position)
                };
            }
            Place::Key(..) | Place::Value(..) => {
                self.stream.as_ref().and_then(|stream| location.resolve(stream))
            }
        };
        let (Some(span), Some(stream)) = (span, &self.stream) else {
            return Spot::default();
        };
        let end = stream.position(span.end);
        Spot {
            end: Some((end.line, end.column)),
            excerpt: self.excerpt(span.clone()),
            ..Spot::at(stream.position(span.start))
        }
    }

    /// The byte at a line and column, both from 1.
    fn offset(&self, line: usize, column: usize) -> Option<usize> {
        let start = match line.checked_sub(1)? {
            0 => 0,
            breaks => self.text.match_indices('\n').nth(breaks - 1)?.0 + 1,
        };
        let line = self.text[start..].split('\n').next().unwrap_or_default();
        let inside = line
            .char_indices()
            .nth(column.saturating_sub(1))
            .map_or(line.len(), |(offset, _)| offset);
        Some(start + inside)
    }

    /// The line a span begins in; `None` where it must not or cannot be quoted.
    fn excerpt(&self, span: Range<usize>) -> Option<Excerpt> {
        let text = &self.text;
        if !text.is_char_boundary(span.start) || !text.is_char_boundary(span.end) {
            return None;
        }
        let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let is_hidden = self
            .hidden
            .iter()
            .any(|hidden| start < hidden.end && hidden.start < end.max(start + 1));
        if is_hidden || end - start > LONGEST_LINE {
            return None;
        }
        // Neither is part of the line; a byte order mark is not counted in columns either.
        let start = if start == 0 && text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            start
        };
        let line = text[start..end].trim_end_matches('\r');
        let span = span.start.max(start)..span.end.max(start);
        let from = (span.start - start).min(line.len());
        let to = (span.end.min(end) - start).clamp(from, line.len());
        let (before, meant, after) = (show(&line[..from]), show(&line[from..to]), show(&line[to..]));
        let span = before.len()..before.len() + meant.len();
        Some(Excerpt {
            line: before + &meant + &after,
            span,
        })
    }
}

/// Replaces what would steer a terminal, one character by one, so that columns stay.
fn show(text: &str) -> String {
    let replace = |char: char| match char {
        '\t' => '\t',
        char if is_hostile(char) => char::REPLACEMENT_CHARACTER,
        char => char,
    };
    text.chars().map(replace).collect()
}
