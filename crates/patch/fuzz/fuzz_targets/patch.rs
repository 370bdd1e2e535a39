//! Two JSON documents: an object and a patch, which go through all three standards and through a set of objects.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tidegate_patch::target::Selector;
use tidegate_patch::{ObjectSet, Patch, PatchBody, json_patch, merge_patch, strategic};

fuzz_target!(|data: &[u8]| -> Corpus {
    let mut documents = serde_json::Deserializer::from_slice(data).into_iter::<Value>();
    let (Some(Ok(target)), Some(Ok(patch))) = (documents.next(), documents.next()) else {
        return Corpus::Reject;
    };

    let _ = json_patch::apply(target.clone(), &patch);
    let _ = merge_patch::apply(target.clone(), &patch);
    let same_kind = |other: &Value| {
        ["apiVersion", "kind"]
            .iter()
            .all(|name| other.get(name) == target.get(name))
    };
    if let Ok(Some(once)) = strategic::apply(target.clone(), &patch)
        && same_kind(&once)
    {
        // A patch of nothing leaves what any patch has left.
        let again = strategic::apply(once.clone(), &serde_json::json!({}));
        assert_eq!(again, Ok(Some(once)));
    }
    if let Ok(mut set) = ObjectSet::new(vec![target.clone()]) {
        let refused = set
            .apply(&Patch::with_target(PatchBody::of(patch), Selector::default()))
            .is_err();
        let left = set.into_values();
        assert!(!refused || left == [target], "a refused patch changed the object");
    }
    Corpus::Keep
});
