//! Whole documents: adding one at the end of a file, taking one away.

use jsonptr::PointerBuf;

use crate::{
    edit::{
        habits::line_ending,
        model::unsupported,
        text::{ended, unend},
    },
    error::EditError,
    split::next_line,
    stream::Stream,
};

impl Stream {
    /// Takes a document away, with its comments and its `---`; the other documents keep their bytes.
    ///
    /// Shape: comments before the first `---` of the file stay. A file without a line end at its end still has none. The only document of a
    /// file leaves an empty one.
    ///
    /// ```
    /// let stream = tidegate_yaml::Stream::parse("a: 1\n---\nb: 2\n---\nc: 3\n").unwrap();
    /// assert_eq!(stream.remove_document(1).unwrap().text(), "a: 1\n---\nc: 3\n");
    /// ```
    pub fn remove_document(&self, document: usize) -> Result<Self, EditError> {
        let removed = self
            .documents()
            .get(document)
            .ok_or(EditError::NoDocument { document })?;
        let region = &removed.content.region;
        let span = removed.span();
        let keeps_head = document == 0 && !region.directives;
        let mut start = match region.marker.filter(|_| keeps_head) {
            Some(marker) => span.start + marker,
            None => span.start,
        };
        let mut end = span.end;
        let last = document + 1 == self.documents().len();
        let next_is_bare = self
            .documents()
            .get(document + 1)
            .is_some_and(|next| next.content.region.marker.is_none());
        if let (true, Some(marker), true) = (next_is_bare, region.end_marker, document > 0) {
            // What follows has no `---` and relies on the `...`.
            end = span.start + marker;
        }
        let text = self.text();
        if last && !text.ends_with(['\n', '\r']) {
            let before = &text[..start];
            start = before
                .strip_suffix("\r\n")
                .or_else(|| before.strip_suffix(['\n', '\r']))
                .unwrap_or(before)
                .len();
        }
        let left = self.documents().len() - 1;
        let text = format!("{}{}", &text[..start], &text[end..]);
        let expected = self
            .documents()
            .iter()
            .enumerate()
            .filter(|&(number, _)| number != document);
        let values: Vec<_> = expected.map(|(_, document)| document.value()).collect();
        let edited = Self::parse_with(text, &self.limits).map_err(EditError::Parse)?;
        let same = edited.documents().len() == left.max(1)
            && edited
                .documents()
                .iter()
                .zip(values)
                .all(|(document, value)| document.value() == value);
        if same {
            Ok(edited)
        } else {
            Err(unsupported(
                &PointerBuf::root(),
                "the documents around it would change",
            ))
        }
    }

    /// Adds a document at the end, behind a `---` where one is needed.
    ///
    /// Shape: the text is one document, with or without a `---` of its own; its line ends become those of the file, and if the file
    /// has no line end at its end, neither has the result. [`Stream::remove_document`] of the last document then gives the
    /// original bytes.
    /// Errors: [`EditError::Parse`] if the text is not readable, [`EditError::Unsupported`] if it is not one document or has
    /// directives.
    ///
    /// ```
    /// let stream = tidegate_yaml::Stream::parse("a: 1\n").unwrap();
    /// let longer = stream.append_document("# second\nb: 2\n").unwrap();
    /// assert_eq!(longer.text(), "a: 1\n---\n# second\nb: 2\n");
    /// assert_eq!(longer.remove_document(1).unwrap().text(), stream.text());
    /// ```
    pub fn append_document(&self, text: &str) -> Result<Self, EditError> {
        let whole = || PointerBuf::root();
        let added = Self::parse_with(text, &self.limits).map_err(EditError::Parse)?;
        let [document] = added.documents() else {
            let count = added.documents().len();
            return Err(unsupported(
                &whole(),
                format!("the text to add holds {count} documents"),
            ));
        };
        if document.content.region.directives {
            return Err(unsupported(&whole(), "the text to add has directives"));
        }
        let (marker, body) = body_of(document.content.region.marker, &document.content.text);
        let first = self.documents().len() == 1 && self.documents()[0].span().is_empty();
        let ending = line_ending(self.text(), self.text().len());
        let body = with_line_ends(&body, ending);
        let (body, _) = ended_with(&body, ending);
        let (mut result, unended) = ended(self.text());
        if self.text() == "\u{feff}" {
            result = self.text().to_owned();
        }
        if !first || document.content.region.marker.is_some() {
            result.push_str(&with_line_ends(&marker, ending));
        }
        result.push_str(&body);
        let result = unend(result, unended.filter(|_| !first));
        let expected = self.documents().iter().filter(|_| !first).chain([document]);
        let values: Vec<_> = expected.map(|document| document.value()).collect();
        let edited = Self::parse_with(result, &self.limits).map_err(EditError::Parse)?;
        let joined = values.len() > edited.documents().len()
            && self.documents().iter().all(|document| document.is_empty());
        let same = if joined {
            // Comments alone are no document once a first `---` follows them.
            edited.documents().last().map(|document| document.value()) == values.last().copied()
        } else {
            edited.documents().len() == values.len()
                && edited
                    .documents()
                    .iter()
                    .zip(values)
                    .all(|(document, value)| document.value() == value)
        };
        if same {
            Ok(edited)
        } else {
            Err(unsupported(
                &whole(),
                "the documents would read as something else",
            ))
        }
    }
}

/// The line that starts a document, and the rest; comments before a `---` go behind it.
fn body_of(marker: Option<usize>, text: &str) -> (String, String) {
    let Some(marker) = marker else {
        return ("---\n".to_owned(), text.to_owned());
    };
    let line = next_line(text, marker);
    let mut head = text[marker..line].to_owned();
    if !head.ends_with(['\n', '\r']) {
        head.push('\n');
    }
    (head, format!("{}{}", &text[..marker], &text[line..]))
}

fn with_line_ends(text: &str, ending: &str) -> String {
    let unix = text.replace("\r\n", "\n");
    if ending == "\n" {
        unix
    } else {
        unix.replace('\n', ending)
    }
}

fn ended_with(text: &str, ending: &str) -> (String, bool) {
    let mut text = text.to_owned();
    let add = !text.is_empty() && !text.ends_with(['\n', '\r']);
    if add {
        text.push_str(ending);
    }
    (text, add)
}
