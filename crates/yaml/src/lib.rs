//! YAML text and values: a bounded reader, and edits that keep every byte they need not change.

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
pub use limits::Limits;
pub use position::Position;
pub use print::{print, print_stream};
pub use resolve::Reader;
pub use stream::Stream;
