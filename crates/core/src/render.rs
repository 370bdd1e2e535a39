//! Base objects, extra resources and patches to the manifests of one environment, as kustomize makes them.
//!
//! Patches are strategic merge patches; each names its target by apiVersion, kind and name. They are applied in the order given, to
//! objects without a namespace, and the namespace is set afterwards. Source: kustomize v5 and the GAP documentation, page on
//! patches.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate_patch::error::Document;
use tidegate_patch::{PatchError, strategic};

use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, ManifestSet, ObjectRef};
use crate::model::{Environment, TargetedPatch};

mod kinds;
mod missing;

pub(crate) use kinds::is_cluster_scoped;

/// Applies all patches and sets the namespace.
///
/// Shape: in kustomize's order (by rank of the kind, then apiVersion, kind, namespace and name). A namespace that an object
/// says itself stays; cluster-scoped objects of Kubernetes' own kinds get none.
/// Errors: two objects of one kind and name, patches without a target, patches that cannot be applied; all of them.
pub fn render(
    base: &[Manifest],
    patches: &[TargetedPatch],
    namespace: &str,
) -> Result<ManifestSet, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let index = Index::new(base, namespace, &mut problems);
    let mut values: Vec<Option<Value>> = base.iter().map(|manifest| Some(manifest.value.clone())).collect();
    let mut deleted_by: BTreeMap<usize, &TargetedPatch> = BTreeMap::new();
    for patch in patches {
        let Some(target) = index.target(patch) else {
            problems.push(missing::target(base, patch, namespace));
            continue;
        };
        let Some(value) = values[target].take() else {
            // After a patch that failed there is nothing more to say about the object.
            problems.extend(
                deleted_by
                    .get(&target)
                    .map(|earlier| missing::deleted(patch, earlier)),
            );
            continue;
        };
        match apply(value, patch) {
            Ok(Some(value)) => values[target] = Some(value),
            Ok(None) => drop(deleted_by.insert(target, patch)),
            Err(error) => problems.push(failed(patch, &base[target], &error)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let patched = base
        .iter()
        .zip(values)
        .filter_map(|(manifest, value)| finished(manifest, value?, namespace));
    let mut manifests: Vec<Manifest> = patched.collect();
    manifests.sort_by_cached_key(|manifest| kinds::order(&manifest.object));
    Ok(ManifestSet::new(manifests))
}

/// One object of an environment as it is with some patches only.
///
/// `None`: there is no such object, or a patch deletes it. Errors: patches that cannot be applied any more.
pub fn render_object(
    environment: &Environment,
    object: &ObjectRef,
    keep: &dyn Fn(&TargetedPatch) -> bool,
) -> Result<Option<Manifest>, Vec<Diagnostic>> {
    let namespace = application_namespace(environment);
    let namespace = namespace.unwrap_or_default();
    let is_meant = |other: &ObjectRef| same_object(other, object, namespace);
    let Some(manifest) = environment
        .base
        .iter()
        .find(|manifest| is_meant(&manifest.object))
    else {
        return Ok(None);
    };
    let mut value = manifest.value.clone();
    for patch in environment
        .patches
        .iter()
        .filter(|patch| is_meant(&patch.target) && keep(patch))
    {
        match apply(value, patch) {
            Ok(Some(patched)) => value = patched,
            Ok(None) => return Ok(None),
            Err(error) => return Err(vec![failed(patch, manifest, &error)]),
        }
    }
    Ok(finished(manifest, value, namespace))
}

/// The namespace that rendering gave to objects without one.
fn application_namespace(environment: &Environment) -> Option<&str> {
    environment.rendered.iter().find_map(|manifest| {
        let namespace = manifest.object.namespace.as_deref()?;
        let base = environment
            .base
            .iter()
            .find(|base| base.origin == manifest.origin && base.object.kind == manifest.object.kind)?;
        base.object.namespace.is_none().then_some(namespace)
    })
}

/// Whether two references name one object, given what no namespace means.
fn same_object(one: &ObjectRef, other: &ObjectRef, namespace: &str) -> bool {
    let is_same_name =
        one.kind == other.kind && one.name == other.name && one.api_version == other.api_version;
    is_same_name && namespace_of(one, namespace) == namespace_of(other, namespace)
}

fn namespace_of<'a>(object: &'a ObjectRef, namespace: &'a str) -> &'a str {
    object.namespace.as_deref().unwrap_or(namespace)
}

fn apply(value: Value, patch: &TargetedPatch) -> Result<Option<Value>, PatchError> {
    if patch.value.get("apiVersion").and_then(Value::as_str) == Some(&patch.target.api_version) {
        return strategic::apply(value, &patch.value);
    }
    // The patch was taken for another version than it says; the object keeps its own.
    let mut meant = patch.value.clone();
    meant["apiVersion"] = json!(patch.target.api_version);
    strategic::apply(value, &meant)
}

fn failed(patch: &TargetedPatch, target: &Manifest, error: &PatchError) -> Diagnostic {
    let tokens: Vec<String> = error
        .pointer
        .tokens()
        .map(|token| token.decoded().into_owned())
        .collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let failed = Diagnostic::error(
        Code::PatchFailed,
        format!("the patch of {} fails: {}", target.object, error.reason),
    );
    match error.document {
        Document::Patch => failed.at(patch.origin.below(&tokens)),
        Document::Target => failed.at(patch.origin.clone()).related(
            target.origin.below(&tokens),
            format!("in the target, at {}", tidegate_yaml::dotted(&error.pointer)),
        ),
    }
}

/// A patched object with its namespace.
fn finished(base: &Manifest, mut value: Value, namespace: &str) -> Option<Manifest> {
    let object = ObjectRef::of(&value)?;
    let is_namespaced =
        object.namespace.is_none() && !kinds::is_cluster_scoped(&object) && !namespace.is_empty();
    if let Some(metadata) = value
        .get_mut("metadata")
        .and_then(Value::as_object_mut)
        .filter(|_| is_namespaced)
    {
        let behind_name = metadata
            .keys()
            .position(|key| key == "name")
            .map_or(0, |position| position + 1);
        metadata.shift_insert(behind_name, "namespace".to_owned(), json!(namespace));
    }
    Some(Manifest {
        object: ObjectRef::of(&value)?,
        value,
        origin: base.origin.clone(),
    })
}

/// Objects by what a patch calls them.
struct Index<'a> {
    base: &'a [Manifest],
    namespace: &'a str,
    by_name: BTreeMap<(&'a str, &'a str), Vec<usize>>,
}

impl<'a> Index<'a> {
    /// Objects that are there twice go to `problems`.
    fn new(base: &'a [Manifest], namespace: &'a str, problems: &mut Vec<Diagnostic>) -> Self {
        let mut by_name: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (position, manifest) in base.iter().enumerate() {
            let object = &manifest.object;
            let others = by_name.entry((&object.kind, &object.name)).or_default();
            let is_same = |other: &ObjectRef| {
                other.group() == object.group()
                    && namespace_of(other, namespace) == namespace_of(object, namespace)
            };
            let same = others
                .iter()
                .map(|other| &base[*other])
                .find(|other| is_same(&other.object));
            problems.extend(same.map(|first| missing::duplicate(manifest, first)));
            others.push(position);
        }
        Self {
            base,
            namespace,
            by_name,
        }
    }

    fn target(&self, patch: &TargetedPatch) -> Option<usize> {
        let named = self
            .by_name
            .get(&(patch.target.kind.as_str(), patch.target.name.as_str()))?;
        named
            .iter()
            .copied()
            .find(|position| same_object(&self.base[*position].object, &patch.target, self.namespace))
    }
}

#[cfg(test)]
mod tests;
