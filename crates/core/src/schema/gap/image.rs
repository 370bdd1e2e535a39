//! Images in a spec.

use serde_json::Value;

use super::ImageSpec;
use super::reader::{Node, Reader};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::schema::release::check_tag;

/// Reads and checks an image, written as a map or, in the older form, as one text.
pub(super) fn read<'a>(reader: &mut Reader<'a>, node: &Node<'a>) -> Option<ImageSpec> {
    let image = match node.value {
        Value::String(reference) => split_reference(reference, reader.place(&node.path)),
        _ => {
            reader.known_map(node, &["repository", "tag"])?;
            let tag_at = node.child("tag");
            let origin = reader.place(&tag_at.as_ref().unwrap_or(node).path);
            let repository = node
                .child("repository")
                .and_then(|repository| reader.text(&repository));
            ImageSpec {
                repository,
                tag: tag_at.and_then(|tag| reader.text(&tag)),
                origin,
            }
        }
    };
    if let Some(problem) = image.repository.as_deref().and_then(check_repository) {
        reader.report(&node.child("repository").unwrap_or_else(|| node.clone()), problem);
    }
    let problem = match image.tag.as_deref() {
        Some("latest") => {
            let moving = Diagnostic::warning(
                Code::InvalidValue,
                "the tag `latest` moves; the registry refuses such tags",
            );
            Some(moving.hint("use the commit's tag"))
        }
        tag => tag.and_then(check_tag),
    };
    reader
        .problems
        .extend(problem.map(|problem| problem.at(image.origin.clone())));
    Some(image)
}

/// `repository:tag`, `repository@sha256:…` or the repository alone; a port behind the host is no tag.
fn split_reference(reference: &str, origin: Location) -> ImageSpec {
    let tagged = || reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let (repository, tag) = match reference.split_once('@').or_else(tagged) {
        Some((repository, tag)) => (repository, Some(tag.to_owned())),
        None => (reference, None),
    };
    ImageSpec {
        repository: Some(repository.to_owned()),
        tag,
        origin,
    }
}

/// Source: OCI distribution specification, "Pulling manifests" (grammar of names), with a host and port before it.
fn check_repository(repository: &str) -> Option<Diagnostic> {
    let is_part = |part: &str| {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
        !part.is_empty() && part.chars().all(is_inner)
    };
    let is_repository = repository.split('/').all(is_part);
    (!is_repository).then(|| {
        let message = format!("`{}` is not an image repository", repository.escape_debug());
        Diagnostic::error(Code::InvalidValue, message)
            .hint("write its path in the registry: `group/images/name`")
    })
}
