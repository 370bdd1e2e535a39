//! A pattern or label selector on one line, what it is matched with on the next.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_patch::list_keys::Rules;
use tidegate_patch::target::{LabelSelector, Pattern};

fuzz_target!(|text: &str| {
    let (selector, subject) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(pattern) = Pattern::new(selector) {
        let _ = pattern.matches(subject);
    }
    if let Ok(labels) = LabelSelector::new(selector) {
        let _ = labels.matches(&serde_json::json!({ subject: subject, "app": subject }));
    }
    let _ = Rules::parse(text);
});
