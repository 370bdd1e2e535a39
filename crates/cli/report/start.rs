//! What `init` found and assumed.

use tidegate_core::start::Start;

use super::escape;

/// What was assumed, and what a person should think about first.
pub(crate) fn assumptions(start: &Start) -> String {
    let mut text = String::new();
    if start.transition.is_some() {
        text.push_str("a feature switch is the first choice: it needs none of this. A canary is for changes that cannot be switched.\n");
    }
    for assumption in &start.assumptions {
        text.push_str(&format!("  {}\n", escape(assumption)));
    }
    text
}
