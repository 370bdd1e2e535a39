//! An image bot that may move the version which a release holds still.
//!
//! Source: Flux, "Automate image updates to Git": a comment `# {"$imagepolicy": "namespace:policy"}` behind an image or a tag
//! lets the controller write there.

use crate::diagnostic::{Code, Diagnostic, Location};
use crate::model::{Application, Release, Version};

const MARKER: &str = "$imagepolicy";

/// The marker behind the image of the stable version while a release runs.
pub(super) fn find(application: &Application, release: &Release) -> Option<Diagnostic> {
    // Without its copy a release holds nothing.
    application.workloads.get(&release.copy)?;
    let stable = application.workloads.get(release.workload_of(Version::Stable))?;
    let at = &stable.image.as_ref()?.origin;
    line(application, at)?.contains(MARKER).then(|| {
        let message = format!(
            "an image bot may move the stable version of `{}`, which runs `{}`",
            release.workload, stable.key
        );
        Diagnostic::warning(Code::MovingPin, message)
            .at(at.clone())
            .hint("take the comment with `$imagepolicy` off this line until the release has ended")
    })
}

/// The line that a value begins on.
fn line<'a>(application: &'a Application, at: &Location) -> Option<&'a str> {
    let stream = application.files.get(&at.file)?;
    let start = at.resolve(stream)?.start;
    let text = stream.text();
    let begin = text.get(..start)?.rfind('\n').map_or(0, |end| end + 1);
    text.get(begin..)?.lines().next()
}
