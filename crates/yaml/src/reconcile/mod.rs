//! From a document and the value it should have to the fewest edits of its text.
//!
//! Maps are compared by key, lists by [`align`]. All changes are planned in the text as it is and made at once; where two of them
//! want the same place, the rest is planned again in the result. The outcome is read back like that of any edit.

mod align;
mod plan;

use jsonptr::PointerBuf;
use serde_json::Value;

use crate::{
    edit::{
        commit::{reread, reread_any, write_root},
        habits::Habits,
        model::unsupported,
        replace::{Form, replace},
        text::Draft,
    },
    error::EditError,
    number::same,
    reconcile::plan::Plan,
    stream::Stream,
};

/// What tells which items of a list are the same thing: given the list's place and an item, a name for it.
type Identity<'a> = dyn Fn(&PointerBuf, &Value) -> Option<String> + 'a;

impl Stream {
    /// Changes a document so that it has the wanted value, with as little change of its text as possible.
    ///
    /// Shape: entries of maps are compared by key, and their order is left as it is; new keys go behind the key they follow in
    /// `wanted`. Items of lists are compared by value, then by what `identity` calls them (`None`: nothing), then in
    /// order; where items change places the list is written anew. What does not change keeps its bytes and its comments.
    /// An alias stays where what it stands for is still wanted, else it is written out.
    /// Errors: [`EditError::NoDocument`]; [`EditError::Unsupported`] if no text for the value is found within the limits.
    ///
    /// ```
    /// use serde_json::{Value, json};
    /// use tidegate_yaml::Stream;
    ///
    /// let stream = Stream::parse("ports:\n# web\n- name: http # main\n  port: 80\n- name: old\n").unwrap();
    /// let wanted = json!({"ports": [{"name": "http", "port": 8080}, {"name": "grpc"}]});
    /// let name = |_: &_, item: &Value| item["name"].as_str().map(str::to_owned);
    /// let edited = stream.reconcile(0, &wanted, &name).unwrap();
    /// assert_eq!(edited.text(), "ports:\n# web\n- name: http # main\n  port: 8080\n- name: grpc\n");
    /// ```
    pub fn reconcile(
        &self,
        document: usize,
        wanted: &Value,
        identity: &dyn Fn(&PointerBuf, &Value) -> Option<String>,
    ) -> Result<Self, EditError> {
        if self.documents().get(document).is_none() {
            return Err(EditError::NoDocument { document });
        }
        const MOST_ROUNDS: usize = 16;
        let attempts = [
            (Aliases::Kept, Form::Natural),
            (Aliases::Kept, Form::Inline),
            (Aliases::WrittenOut, Form::Natural),
            (Aliases::WrittenOut, Form::Inline),
        ];
        let mut stream = self.clone();
        for (aliases, form) in attempts {
            for _ in 0..MOST_ROUNDS {
                match round(&stream, document, wanted, identity, aliases, form) {
                    Round::Done(edited) => return Ok(edited),
                    Round::Again(edited) => stream = edited,
                    Round::Differs(edited) => {
                        stream = edited;
                        break;
                    }
                    Round::Failed => break,
                }
            }
        }
        anew(&stream, document, wanted)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aliases {
    Kept,
    WrittenOut,
}

enum Round {
    Done(Stream),
    /// Something is left to do in the text as it is now.
    Again(Stream),
    /// All was done, yet the text reads as something else in places, which another form may mend.
    Differs(Stream),
    Failed,
}

fn round(
    stream: &Stream,
    document: usize,
    wanted: &Value,
    identity: &Identity<'_>,
    aliases: Aliases,
    form: Form,
) -> Round {
    let content = &stream.documents()[document].content;
    if same(&content.value, wanted) {
        return Round::Done(stream.clone());
    }
    let Some(tree) = &content.tree else {
        return write_root(stream, document, wanted, &PointerBuf::root()).map_or(Round::Failed, Round::Done);
    };
    let habits = Habits::of(content);
    let draft = Draft::new(content, tree, &habits);
    let mut plan = Plan {
        draft: &draft,
        wanted,
        identity,
        aliases,
        form,
        patches: Vec::new(),
        again: false,
    };
    let planned = plan.visit(tree.root, &content.value, wanted, &mut PointerBuf::root());
    let Plan { patches, again, .. } = plan;
    let text = planned
        .filter(|()| !patches.is_empty())
        .and_then(|()| draft.finish(patches));
    let Some(text) = text else { return Round::Failed };
    match reread_any(stream, document, text) {
        Err(_) => Round::Failed,
        Ok(edited) if same(edited.documents()[document].value(), wanted) => Round::Done(edited),
        Ok(edited) if again => Round::Again(edited),
        Ok(edited) => Round::Differs(edited),
    }
}

/// The whole document written anew; its comments outside the root stay.
fn anew(stream: &Stream, document: usize, wanted: &Value) -> Result<Stream, EditError> {
    let content = &stream.documents()[document].content;
    let failed = |reason: String| unsupported(&PointerBuf::root(), reason);
    let Some(tree) = &content.tree else {
        return write_root(stream, document, wanted, &PointerBuf::root());
    };
    let habits = Habits::of(content);
    let draft = Draft::new(content, tree, &habits);
    let mut failure = "no text for the wanted value was found".to_owned();
    for form in [Form::Natural, Form::Inline] {
        let text = replace(&draft, tree.root, wanted, form).and_then(|patches| draft.finish(patches));
        match text.map(|text| reread(stream, document, text, wanted)) {
            Some(Ok(edited)) => return Ok(edited),
            Some(Err(reason)) => failure = reason,
            None => {}
        }
    }
    Err(failed(failure))
}
