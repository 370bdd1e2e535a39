//! What a kustomization changes in every object: namespace, labels, annotations, replica counts, images.
//!
//! Source: kustomize `api/filters/`, version 5.

use indexmap::IndexMap;
use serde_json::{Value, json};
use tidegate_patch::target::Pattern;

use super::fields::{
    ANNOTATIONS, Field, IMAGE_VOLUMES, NAMESPACES, OWN_LABELS, TEMPLATE_LABELS, selector_labels,
};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::ObjectRef;
use crate::render::is_cluster_scoped;
use crate::schema::kustomization::{ImageEntry, LabelEntry};

/// Puts an object into a namespace, whatever it says itself.
pub(super) fn namespace(object: &mut Value, namespace: &str) {
    let Some(identity) = ObjectRef::of(object) else {
        return;
    };
    let name = json!(namespace);
    if identity.is("", "Namespace") {
        object["metadata"]["name"] = name.clone();
    } else if !is_cluster_scoped(&identity)
        && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
    {
        match metadata.get_mut("namespace") {
            Some(found) => *found = name.clone(),
            None => {
                let behind_name = metadata
                    .keys()
                    .position(|key| key == "name")
                    .map_or(0, |position| position + 1);
                metadata.shift_insert(behind_name, "namespace".to_owned(), name.clone());
            }
        }
    }
    for field in NAMESPACES.iter().filter(|field| field.is_of(&identity)) {
        field.visit(object, &mut |found| *found = name.clone());
    }
}

/// Service accounts that a binding speaks of are where they are deployed: `default`, and those that are there.
pub(super) fn subjects(object: &mut Value, namespace: &str, is_there: impl Fn(&str) -> bool) {
    let is_binding = ObjectRef::of(object).is_some_and(|object| {
        object.group() == "rbac.authorization.k8s.io" && object.kind.ends_with("RoleBinding")
    });
    let subjects = object.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten().filter(|_| is_binding) {
        let name = subject.get("name").and_then(Value::as_str).unwrap_or_default();
        let is_account = subject.get("kind").is_some_and(|kind| kind == "ServiceAccount");
        if name == "default" || (is_account && is_there(name)) {
            subject["namespace"] = json!(namespace);
        }
    }
}

/// Adds labels of all objects, also to the selectors that choose pods by them.
pub(super) fn common_labels(object: &mut Value, labels: &IndexMap<String, String>) {
    let fields: Vec<Field<'_>> = selector_labels().into_iter().chain(TEMPLATE_LABELS).collect();
    extend(object, &fields, labels);
}

/// Adds the labels of one entry of `labels:`.
pub(super) fn labels(object: &mut Value, entry: &LabelEntry) {
    let mut fields = vec![OWN_LABELS];
    if entry.include_selectors {
        fields.extend(selector_labels());
    }
    if entry.include_selectors || entry.include_templates {
        fields.extend(TEMPLATE_LABELS);
    }
    let text = |field: &'_ Value, key: &str| {
        let text = field.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let own: Vec<_> = entry
        .field_specs
        .iter()
        .map(|field| {
            let create = field.get("create").and_then(Value::as_bool).unwrap_or_default();
            let [group, version, kind, path] =
                ["group", "version", "kind", "path"].map(|key| text(field, key));
            (group, version, kind, path, create)
        })
        .collect();
    fields.extend(own.iter().map(|(group, version, kind, path, create)| Field {
        group,
        version,
        kind,
        path,
        create: *create,
    }));
    extend(object, &fields, &entry.pairs);
}

/// Adds annotations of all objects and of their pods.
pub(super) fn annotations(object: &mut Value, annotations: &IndexMap<String, String>) {
    extend(object, &ANNOTATIONS, annotations);
}

fn extend(object: &mut Value, fields: &[Field<'_>], entries: &IndexMap<String, String>) {
    let Some(identity) = ObjectRef::of(object) else {
        return;
    };
    let mut entries: Vec<(&String, &String)> = entries.iter().collect();
    entries.sort();
    for field in fields.iter().filter(|field| field.is_of(&identity)) {
        field.extend(object, &entries);
    }
}

/// An entry of `images:`, ready to be compared.
pub(super) struct Image<'a> {
    entry: &'a ImageEntry,
    pattern: Pattern,
}

impl<'a> Image<'a> {
    /// Errors: a name that is none, and what is not carried out here; `at` is the entry.
    pub(super) fn new(entry: &'a ImageEntry, at: &Location) -> Result<Self, Diagnostic> {
        if !entry.tag_suffix.is_empty() {
            let message = "`tagSuffix` is not carried out by tidegate, so it cannot judge what is deployed";
            return Err(Diagnostic::error(Code::Unsupported, message)
                .at(at.below(&["tagSuffix"]).as_key())
                .hint("write the whole tag as `newTag`"));
        }
        let name = &entry.name;
        let pattern = Pattern::new(&format!(
            "{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?"
        ));
        match pattern {
            Ok(pattern) => Ok(Self { entry, pattern }),
            Err(error) => {
                let wrong = Diagnostic::error(Code::InvalidValue, error.to_string());
                Err(wrong
                    .at(at.below(&["name"]))
                    .hint("write the image's name, without a tag"))
            }
        }
    }

    /// Whether the entry is about this image.
    pub(super) fn is_about(&self, image: &str) -> bool {
        self.pattern.matches(image)
    }

    /// Changes the images of an object, wherever they stand.
    pub(super) fn apply(&self, object: &mut Value) {
        if object
            .get("kind")
            .is_some_and(|kind| kind == "CustomResourceDefinition")
        {
            return;
        }
        self.containers(object);
        for field in IMAGE_VOLUMES {
            field.visit(object, &mut |image| self.set(image));
        }
    }

    fn containers(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.containers(item)),
            Value::Object(map) => {
                for (key, inner) in map {
                    self.containers(inner);
                    let is_list = key == "containers" || key == "initContainers";
                    let containers = inner.as_array_mut().filter(|_| is_list);
                    for container in containers.into_iter().flatten() {
                        if let Some(image) = container.get_mut("image") {
                            self.set(image);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn set(&self, image: &mut Value) {
        let Some(text) = image.as_str().filter(|text| self.is_about(text)) else {
            return;
        };
        let (name, tag, digest) = split(text);
        let or = |new: &'a str, old: &'a str| if new.is_empty() { old } else { new };
        let ImageEntry {
            new_name,
            new_tag,
            digest: new_digest,
            ..
        } = self.entry;
        let (tag, digest) = match (new_tag.is_empty(), new_digest.is_empty()) {
            (true, true) => (tag, digest),
            _ => (new_tag.as_str(), new_digest.as_str()),
        };
        let mut wanted = match new_name.is_empty() {
            true => name.to_owned(),
            false => or(new_name, "").to_owned(),
        };
        for (separator, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                wanted.push(separator);
                wanted.push_str(part);
            }
        }
        *image = json!(wanted);
    }
}

/// Name, tag and digest. Source: kustomize `api/internal/image/image.go`.
fn split(image: &str) -> (&str, &str, &str) {
    let path = image.find('/').unwrap_or(0);
    let at = |separator: char| image[path..].find(separator).map(|found| found + path);
    match (at(':'), at('@')) {
        (None, None) => (image, "", ""),
        (colon, Some(digest)) if colon.is_none_or(|colon| digest < colon) => {
            (&image[..digest], "", &image[digest + 1..])
        }
        (Some(colon), Some(digest)) => (&image[..colon], &image[colon + 1..digest], &image[digest + 1..]),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
        (None, Some(digest)) => (&image[..digest], "", &image[digest + 1..]),
    }
}
