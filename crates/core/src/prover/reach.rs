//! Which requests reach a workload while a change rolls out.

use super::Question;
use super::traffic::Request;
use super::world::World;
use crate::manifest::ManifestSet;
use crate::provider::System;

/// The kinds of requests that a workload serves in some state of a change, its ends included.
///
/// `workload` is the name of its object. Empty means that the workload may become anything meanwhile, and nobody notices.
/// Where the search is cut short every request counts, since nothing is shown.
pub(crate) fn reaching(
    system: impl Into<System>,
    before: &ManifestSet,
    after: &ManifestSet,
    question: Question,
    workload: &str,
) -> Vec<Request> {
    let world = World::new(before, after);
    let traffic = system.into().traffic(&world);
    let constraints = question.order.constraints(&world);
    let mut requests = traffic.requests();
    requests.retain(|request| {
        let mut is_reached = false;
        let is_complete = world.explore(&constraints, |state| {
            let outcome = traffic.serve(state, request);
            is_reached |= outcome.served.get(workload).is_some_and(|share| *share > 0.0);
        });
        is_reached || !is_complete
    });
    requests
}
