//! YAML text and values: a bounded reader, and edits that keep every byte they need not change.
//!
//! The files of a Kubernetes repository are written by people, with comments, in an order that means something to them,
//! in whatever quotes they like. A tool that changes one number in such a file must change that number and nothing else. This crate reads
//! YAML as kustomize and kubectl do, knows where each value is written, and edits the text in place.
//!
//! It knows nothing of Kubernetes, does no input or output, and has one common language with its callers: [`serde_json::Value`] for
//! values (with `preserve_order` and `arbitrary_precision`) and [`jsonptr`] for places.
//!
//! # A file is a stream of documents
//!
//! [`Stream::parse`] takes a text; [`Stream::documents`] gives its [`Document`]s, each with a [`value`](Document::value) and the
//! [places](Document::value_span) of its parts. Edits give a new stream:
//!
//! ```
//! use jsonptr::PointerBuf;
//! use serde_json::json;
//! use tidegate_yaml::{Edit, Place, Stream};
//!
//! let text = "\
//! ## Deployed by hand until the incident in May.
//! deployments:
//!   web:            # the public site
//!     image: 'web:1'
//!     ports: [80, 443]
//!
//!   ## nobody knows what this does
//!   cron: {image: 'cron:7'}
//! ";
//! let stream = Stream::parse(text)?;
//! let edits = [
//!     Edit::Copy {
//!         from: PointerBuf::parse("/deployments/web")?,
//!         key: "web-v2".to_owned(),
//!         place: Place::After("web".to_owned()),
//!     },
//!     Edit::Set { at: PointerBuf::parse("/deployments/web-v2/image")?, value: json!("web:2") },
//!     Edit::Insert {
//!         into: PointerBuf::parse("/deployments/cron")?,
//!         place: Place::Last,
//!         key: Some("suspend".to_owned()),
//!         value: json!(true),
//!     },
//! ];
//! let edited = stream.edit(0, &edits)?;
//! assert_eq!(edited.text(), "\
//! ## Deployed by hand until the incident in May.
//! deployments:
//!   web:            # the public site
//!     image: 'web:1'
//!     ports: [80, 443]
//!   web-v2:            # the public site
//!     image: 'web:2'
//!     ports: [80, 443]
//!
//!   ## nobody knows what this does
//!   cron: {image: 'cron:7', suspend: true}
//! ");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! When the wanted value is known rather than the edits, [`Stream::reconcile`] finds these.
//!
//! # What is read
//!
//! | written | read | because |
//! | --- | --- | --- |
//! | `on` `yes` `n` | strings | kustomize; kubectl reads booleans: [`Document::ambiguous_scalars`] tells |
//! | `0777` `0o17` `0x1F` `0b11` `1_000` | 511, 15, 31, 3, 1000 | go-yaml |
//! | `08` | 8 | go-yaml: no octal, so a float |
//! | `1.10` | the number `1.10` | numbers keep their spelling; whether it equals `1.1` is the caller's to say |
//! | `1e3` | 1000 | exponents are written out |
//! | `9007199254740993` and longer | exactly that | Go rounds integers beyond 64 bits, this crate does not |
//! | `2024-01-01` `12:30` | strings | kubectl; kustomize rewrites dates |
//! | `.inf` `.nan` | an error | JSON has no such numbers |
//! | `<<: *base` | the keys of `base`, behind the map's own | kustomize |
//! | `1: a` `true: b` as keys | the keys `"1"`, `"true"` | kubectl |
//! | `null: a`, `[a]: b`, `{{ x }}` | errors | no key of a map in JSON; the last is called a template hole |
//! | `a: 1` and `"a": 2` in one map | an error with both places | |
//! | `!!str 1`, `! 1` | `"1"`, 1 | core tags are honoured, `!` is not heeded by go-yaml; other tags are errors |
//!
//! An empty file and one of comments hold one empty document. A byte order mark at the start is kept, CRLF is kept, and block text
//! holds line feeds in the value either way. [`Limits`] bound size, depth, and what aliases expand to.
//!
//! Known not to be read, though Go reads it: a quoted scalar whose further lines start at column 0 inside a map, tabs as
//! indentation other than inside brackets, and directives other than `%YAML` and `%TAG`.
//!
//! # What an edit changes
//!
//! An **entry** of a map or list in block style reaches from the start of its key's line to the last line of its value, and over the comment
//! lines that follow directly, with blank lines between, if they are indented deeper than the key. That is what
//! [`Edit::Remove`] takes away and [`Edit::Copy`] copies. Comment lines above an entry belong to nobody: they stay.
//!
//! These laws hold; each is a property test that runs over thousands of generated texts:
//!
//! - Only bytes inside the edited entry change: comments, order, quotes, indentation, line ends and anchors elsewhere stay.
//! - The edited text is read back and has exactly the value that the edit means, else there is an [`EditError`] and no change. In
//!   particular, what an alias elsewhere stands for is not edited ([`EditError::Shared`]).
//! - The same [`Edit::Set`] again changes nothing, and a value that is there already changes nothing.
//! - Removing what was inserted, or copied, gives the original bytes; so does [`Stream::remove_document`] after
//!   [`Stream::append_document`]. The exceptions cannot be otherwise: an insertion into an empty value (`key:`) leaves `{}`, one
//!   through an alias leaves it written out, and a document that ends in a block scalar cannot be appended to a file that
//!   lacks its last line end, for there its value would differ.
//!
//! New text takes the habits of the text around it: indentation and dashes as used nearest, CRLF, flow style in brackets, double
//! quotes where all keys around have them (JSON), no line end at the end of the file where there was none.
//!
//! An edit below an alias replaces the alias by its value with the change made; setting a key that `<<` provides adds a key that wins;
//! removing one replaces the alias behind `<<` by the entries that stay.
//!
//! # What is printed
//!
//! [`print()`] lays values out as kustomize does. Strings stand without quotes only where readers of YAML 1.1 (PyYAML, kubectl) and
//! 1.2 agree that they are strings; the tests compare with kustomize, PyYAML, ruamel and serde_yaml.
//!
//! # Cost
//!
//! Reading takes three to five times as long as the parser, [`saphyr_parser`], needs for its events. An edit reads the one document
//! again and copies the text; edits that do not meet are made and read back together, so a thousand cost little more than one.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod ambiguous;
mod document;
mod edit;
mod error;
mod limits;
mod load;
mod number;
mod position;
mod print;
mod reconcile;
mod resolve;
mod scan;
mod spelling;
mod split;
mod stream;
mod tag;
mod tree;
mod value;

pub use ambiguous::{Readings, Role};
pub use document::Document;
pub use edit::{Edit, Place};
pub use error::{EditError, Kind, ParseError, Related, dotted};
pub use limits::{Expanded, Limits};
pub use position::Position;
pub use print::{print, print_stream};
pub use resolve::Reader;
pub use stream::Stream;
