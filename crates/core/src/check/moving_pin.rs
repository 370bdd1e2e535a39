//! An image bot that may move the version which a release holds still.
//!
//! Sources: Flux, "Automate image updates to Git": a comment `# {"$imagepolicy": "namespace:policy"}` behind an image or a tag
//! lets the controller write there. Renovate, "Custom Manager Support using Regex": a comment `# renovate: datasource=…`
//! above a version, or behind it, by which the published presets find what to raise.
//! Argo CD Image Updater has no marker in these files: it overrides the images of Kustomize and Helm applications from
//! an Application object, which lies with the platform.

use crate::diagnostic::{Code, Diagnostic, Location};
use crate::model::{Application, Release, Version};

/// Words in a comment that let a bot write at its place.
const MARKERS: [&str; 2] = ["$imagepolicy", "renovate:"];

/// The marker at the image of the stable version while a release runs.
pub(super) fn find(application: &Application, release: &Release) -> Option<Diagnostic> {
    // Of one image both versions run whatever comes.
    if release.flag().is_some() {
        return None;
    }
    // Without its copy a release holds nothing.
    application.workloads.get(&release.copy)?;
    let stable = application.workloads.get(release.workload_of(Version::Stable))?;
    let at = &stable.image.as_ref()?.origin;
    let marker = marker(application, at)?;
    let message = format!(
        "an image bot may move the stable version of `{}`, which runs `{}`",
        release.workload, stable.key
    );
    let hint = format!("take the comment with `{marker}` away until the release has ended");
    Some(
        Diagnostic::warning(Code::MovingPin, message)
            .at(at.clone())
            .hint(hint),
    )
}

/// The marker in the comment behind a value, or in those on the lines right above it.
fn marker(application: &Application, at: &Location) -> Option<&'static str> {
    let stream = application.files.get(&at.file)?;
    let start = at.resolve(stream)?.start;
    let text = stream.text();
    let begin = text.get(..start)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(begin..)?.lines().next();
    let above = text.get(..begin)?.lines().rev();
    let above = above.take_while(|line| line.trim_start().starts_with('#'));
    let comments = line
        .into_iter()
        .chain(above)
        .filter_map(|line| line.split_once('#'));
    comments
        .filter_map(|(_, comment)| MARKERS.into_iter().find(|marker| comment.contains(marker)))
        .next()
}
