//! Which objects a patch is for: the `target:` of a kustomization's patch.

mod labels;
mod pattern;

use serde_json::Value;
use thiserror::Error;

use crate::object_id::ObjectId;
pub use labels::LabelSelector;
pub use pattern::{MAX_PATTERN, Pattern};

/// What kustomize takes for the namespace of an object that has none by its kind (`kyaml/resid/resid.go`).
const NO_NAMESPACE: &str = "_non_namespaceable_";

/// Selects objects. Every condition that is given must hold; none given selects every object.
///
/// Source: kustomize `api/types/selector.go` and `api/resmap/reswrangler.go` (`Select`).
///
/// # Examples
/// ```
/// use serde_json::json;
/// use tidegate_patch::target::{Pattern, Selector};
///
/// let selector = Selector { kind: Some(Pattern::new("Deployment|StatefulSet")?), ..Selector::default() };
/// assert!(selector.matches(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}})));
/// assert!(!selector.matches(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}})));
/// # Ok::<(), tidegate_patch::target::SelectorError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Selector {
    /// API group; the core group is the empty string, which only an absent condition selects.
    pub group: Option<Pattern>,
    /// API version, without the group.
    pub version: Option<Pattern>,
    /// Kind.
    pub kind: Option<Pattern>,
    /// Name.
    pub name: Option<Pattern>,
    /// Namespace; an object without one is in `default`. Objects of kinds without namespaces have a name here that no
    /// namespace has, so that only patterns such as `.*` match.
    pub namespace: Option<Pattern>,
    /// Labels.
    pub label_selector: Option<LabelSelector>,
    /// Annotations, in the syntax of label selectors.
    pub annotation_selector: Option<LabelSelector>,
}

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// Not a regular expression, or one with parts that are not supported (such as `\p{L}` or a look-around).
    #[error("{pattern:?} is not a regular expression: {message}")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// Longer than [`MAX_PATTERN`].
    #[error("a pattern of {length} bytes, more than {MAX_PATTERN}")]
    LongPattern {
        /// Length in bytes.
        length: usize,
    },
    /// Not a label selector.
    #[error("{selector:?} is not a label selector: {message}")]
    BadLabels {
        /// The selector.
        selector: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Selector {
    /// Returns whether an object is selected. An object without identity is not.
    pub fn matches(&self, object: &Value) -> bool {
        ObjectId::of(object).is_ok_and(|id| self.matches_with(&id, &id, object))
    }

    /// As [`matches`](Self::matches), for an object that had another name or namespace before.
    pub(crate) fn matches_with(&self, origin: &ObjectId, current: &ObjectId, object: &Value) -> bool {
        let holds = |pattern: &Option<Pattern>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
        };
        let (group, version) = current.group_and_version();
        let either = |pattern, text: fn(&ObjectId) -> &str| {
            holds(pattern, text(origin)) || holds(pattern, text(current))
        };
        holds(&self.group, group)
            && holds(&self.version, version)
            && holds(&self.kind, &current.kind)
            && either(&self.name, |id| &id.name)
            && either(&self.namespace, |id| {
                id.effective_namespace().unwrap_or(NO_NAMESPACE)
            })
            && self
                .label_selector
                .as_ref()
                .is_none_or(|labels| labels.matches(&object["metadata"]["labels"]))
            && self
                .annotation_selector
                .as_ref()
                .is_none_or(|labels| labels.matches(&object["metadata"]["annotations"]))
    }
}
