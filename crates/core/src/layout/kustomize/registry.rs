//! Entries of kustomizations: files of ours are listed while they are there.

use jsonptr::PointerBuf;
use serde_json::{Value, json};
use tidegate_yaml::{Edit, Place};

use super::super::draft::Draft;
use crate::diagnostic::{Diagnostic, Location};
use crate::manifest::ObjectRef;
use crate::model::PinnedImage;

/// A kustomization, by its document.
pub(super) struct Registry<'d, 'a> {
    pub(super) draft: &'d mut Draft<'a>,
    pub(super) at: Location,
}

impl Registry<'_, '_> {
    /// Lists a file of objects.
    pub(super) fn add_resource(&mut self, file: &str) -> Result<(), Diagnostic> {
        match self.entries("resources").iter().any(|entry| entry == file) {
            true => Ok(()),
            false => self.add("resources", json!(file)),
        }
    }

    /// Takes a file of objects out.
    pub(super) fn remove_resource(&mut self, file: &str) -> Result<(), Diagnostic> {
        self.remove("resources", &|entry| entry == file)
    }

    /// Lists a JSON patch of an object: under `patches:`, or under the older key where older keys are used.
    pub(super) fn add_json_patch(&mut self, file: &str, object: &ObjectRef) -> Result<(), Diagnostic> {
        if self.has_patch(file) {
            return Ok(());
        }
        let is_old = self.uses_old_keys();
        let version = object.api_version.rsplit('/').next().unwrap_or_default();
        let mut target = json!({});
        let parts = [
            ("group", object.group()),
            ("kind", &object.kind),
            ("name", &object.name),
        ];
        for (key, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            target[key] = json!(part);
            if is_old && key == "group" {
                target["version"] = json!(version);
            }
        }
        if is_old && object.group().is_empty() {
            target["version"] = json!(version);
        }
        let key = if is_old { "patchesJson6902" } else { "patches" };
        self.add(key, json!({"path": file, "target": target}))
    }

    /// Lists a strategic merge patch, which names its object itself.
    pub(super) fn add_merge_patch(&mut self, file: &str) -> Result<(), Diagnostic> {
        match (self.has_patch(file), self.uses_old_keys()) {
            (true, _) => Ok(()),
            (false, true) => self.add("patchesStrategicMerge", json!(file)),
            (false, false) => self.add("patches", json!({"path": file})),
        }
    }

    /// Takes a patch out, under whatever key it is.
    pub(super) fn remove_patch(&mut self, file: &str) -> Result<(), Diagnostic> {
        self.remove("patches", &|entry| is_patch(entry, file))?;
        self.remove("patchesJson6902", &|entry| is_patch(entry, file))?;
        self.remove("patchesStrategicMerge", &|entry| is_patch(entry, file))
    }

    /// Says what an image is that objects call by a name of ours.
    pub(super) fn add_image(&mut self, name: &str, image: &PinnedImage) -> Result<(), Diagnostic> {
        if self.entries("images").iter().any(|entry| entry["name"] == name) {
            return Ok(());
        }
        let mut entry = json!({"name": name});
        if let Some(repository) = &image.repository {
            entry["newName"] = json!(repository);
        }
        if let Some(tag) = &image.tag {
            let key = if tag.starts_with("sha256:") {
                "digest"
            } else {
                "newTag"
            };
            entry[key] = json!(tag);
        }
        self.add("images", entry)
    }

    /// Takes it out.
    pub(super) fn remove_image(&mut self, name: &str) -> Result<(), Diagnostic> {
        self.remove("images", &|entry| entry["name"] == name)
    }

    /// Writes how many pods a workload has where the kustomization says it; whether it does.
    pub(super) fn set_replicas(&mut self, name: &str, count: u64) -> Result<bool, Diagnostic> {
        let entries = self.entries("replicas");
        let Some(index) = entries.iter().rposition(|entry| entry["name"] == name) else {
            return Ok(false);
        };
        let at = PointerBuf::from_tokens(["replicas", &index.to_string(), "count"]);
        let value = json!(count);
        self.draft
            .edit(&self.at, &[Edit::Set { at, value }])
            .map(|()| true)
    }

    fn uses_old_keys(&self) -> bool {
        let is_used = |key: &str| !self.entries(key).is_empty();
        !is_used("patches") && (is_used("patchesJson6902") || is_used("patchesStrategicMerge"))
    }

    fn has_patch(&self, file: &str) -> bool {
        let keys = ["patches", "patchesJson6902", "patchesStrategicMerge"];
        keys.iter()
            .any(|key| self.entries(key).iter().any(|entry| is_patch(entry, file)))
    }

    /// What is listed under a key.
    fn entries(&self, key: &str) -> Vec<Value> {
        self.value(key)
            .and_then(|value| value.as_array().cloned())
            .unwrap_or_default()
    }

    fn value(&self, key: &str) -> Option<Value> {
        let stream = self.draft.stream(&self.at.file)?;
        let document = stream.documents().get(self.at.document()?)?;
        document.value().get(key).cloned()
    }

    fn add(&mut self, key: &str, entry: Value) -> Result<(), Diagnostic> {
        let edit = match self.value(key) {
            None => Edit::Insert {
                into: PointerBuf::root(),
                place: Place::Last,
                key: Some(key.to_owned()),
                value: json!([entry]),
            },
            Some(_) => Edit::Insert {
                into: PointerBuf::from_tokens([key]),
                place: Place::Last,
                key: None,
                value: entry,
            },
        };
        self.draft.edit(&self.at, &[edit])
    }

    /// The key goes with its last entry.
    fn remove(&mut self, key: &str, is_it: &dyn Fn(&Value) -> bool) -> Result<(), Diagnostic> {
        let entries = self.entries(key);
        let Some(index) = entries.iter().position(is_it) else {
            return Ok(());
        };
        let index = index.to_string();
        let path = match entries.len() {
            1 => vec![key],
            _ => vec![key, &index],
        };
        let at = PointerBuf::from_tokens(path);
        self.draft.edit(&self.at, &[Edit::Remove { at }])
    }
}

fn is_patch(entry: &Value, file: &str) -> bool {
    entry == file || entry.get("path").is_some_and(|path| path == file)
}
