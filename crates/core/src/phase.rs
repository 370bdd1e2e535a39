//! The phases of a release, what each means for the files, and which one the files are in.
//!
//! Nothing records progress: a phase is recognised by what the manifests say. Each phase is a row of one
//! table (`Phase::row`); recognition is the search for the row that fits.

use std::fmt;

use indexmap::IndexMap;

use crate::model::{Course, Form, Routes, Shape, Weight};
use crate::provider::Observed;

/// A named resting point of a release; every one is safe to stay in for weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing of a release is in the manifests.
    Idle,
    /// The copy runs beside the workload; nothing routes to it.
    Split,
    /// The routes name the canary version only.
    Wire,
    /// The Service selects both versions' pods.
    Widen,
    /// The routes name both versions; everything goes to the stable one.
    Park,
    /// A flag makes the canary side run the new version; everything goes to the stable one.
    Ship,
    /// Requests that the release chooses meet the canary; all others are as in `park`.
    Preview,
    /// The routes name both versions; the canary gets some requests.
    Ramp,
    /// The routes name both versions; everything goes to the canary.
    Hold,
    /// The workload runs what the copy runs, and nothing is routed to it.
    Promote,
    /// Everything goes to the workload again; the copy stands by.
    Settle,
    /// The copy is gone.
    Retire,
    /// The routes are as generated.
    Unroute,
    /// The versions are no longer declared.
    Unwire,
    /// The labels and the release are gone: idle again.
    Tidy,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 15] = [
        Self::Idle,
        Self::Split,
        Self::Wire,
        Self::Widen,
        Self::Park,
        Self::Ship,
        Self::Preview,
        Self::Ramp,
        Self::Hold,
        Self::Promote,
        Self::Settle,
        Self::Retire,
        Self::Unroute,
        Self::Unwire,
        Self::Tidy,
    ];

    /// The name a user types and sees.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Split => "split",
            Self::Wire => "wire",
            Self::Widen => "widen",
            Self::Park => "park",
            Self::Ship => "ship",
            Self::Preview => "preview",
            Self::Ramp => "ramp",
            Self::Hold => "hold",
            Self::Promote => "promote",
            Self::Settle => "settle",
            Self::Retire => "retire",
            Self::Unroute => "unroute",
            Self::Unwire => "unwire",
            Self::Tidy => "tidy",
        }
    }

    /// The phase of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }

    /// What the transition into the phase does, in a few words.
    pub fn about(self, course: impl Into<Course>) -> &'static str {
        let course = course.into();
        if let Some(about) = self.about_flag(course) {
            return about;
        }
        match (self, course.form) {
            (Self::Idle, _) => "one version, nothing of a release",
            (Self::Split, Form::Subsets) => "start the copy beside the workload and declare both versions",
            (Self::Split, _) => "start the new version beside the workload; nothing routes to it",
            (Self::Wire, Form::Pinned) => "name both versions in the routes, before the new one has pods",
            (Self::Wire, _) => "route by version: everything to the canary side, which runs the same code",
            (Self::Widen, _) => "let the Service select both versions",
            (Self::Park, Form::Subsets) => {
                "route everything to the stable copy; from here new code may be merged unexposed"
            }
            (Self::Park, Form::Backends) => "name both versions in the routes; everything stays where it is",
            (Self::Park, Form::Pinned) => {
                "start the new version beside the workload; everything stays where it is"
            }
            (Self::Park, Form::Replicas) => "write the new version beside the workload, without a pod",
            (Self::Preview, _) => {
                "let the requests that the release chooses meet the canary; the others stay where they are"
            }
            (Self::Ship, _) => "let the canary side run the new version; nothing is routed to it",
            (Self::Ramp, _) => "raise the canary's share step by step",
            (Self::Hold, Form::Replicas) => "all pods are the canary's",
            (Self::Hold, Form::Subsets) => "everything to the canary; the stable copy still stands by",
            (Self::Hold, Form::Backends | Form::Pinned) => {
                "everything to the canary; the stable version still stands by"
            }
            (Self::Promote, Form::Replicas) => "give the workload the new image; it has no pod meanwhile",
            (Self::Promote, _) => "give the workload the new image; nothing is routed to it meanwhile",
            (Self::Settle, Form::Replicas) => {
                "all pods are the workload's again, which runs the same code now"
            }
            (Self::Settle, _) => "everything back to the workload, which runs the same code now",
            (Self::Retire, Form::Subsets) => "remove the stable copy",
            (Self::Retire, Form::Pinned) => "remove the copy; the routes still name both",
            (Self::Retire, _) => "take the copy out of the routes, and away",
            (Self::Unroute, _) => "give the routes back their generated form",
            (Self::Unwire, _) => "remove the declaration of the versions",
            (Self::Tidy, Form::Subsets) => "remove the labels and the release",
            (Self::Tidy, Form::Backends) => "remove the copy's backend and the release",
            (Self::Tidy, Form::Pinned) => "give the routes back, and remove the release",
            (Self::Tidy, Form::Replicas) => "remove the copy and the release",
        }
    }

    /// What differs where both versions are in one image.
    fn about_flag(self, course: Course) -> Option<&'static str> {
        Some(match (self, course.form) {
            _ if !course.ships => return None,
            (Self::Split, Form::Backends) => {
                "start the workload a second time, with the same flag; nothing routes to it"
            }
            (Self::Park, Form::Subsets) => "route everything to the stable copy, which runs the same code",
            (Self::Park, Form::Pinned) => {
                "start the workload a second time, with the same flag; everything stays where it is"
            }
            (Self::Park, Form::Replicas) => "write the workload a second time, without a pod",
            (Self::Promote, Form::Replicas) => "give the workload the new flag; it has no pod meanwhile",
            (Self::Promote, _) => "give the workload the new flag; nothing is routed to it meanwhile",
            _ => return None,
        })
    }

    /// The phases of a release, in order.
    ///
    /// Where both versions are in one image, both sides run the stable one until `ship` flips the flag. With a backend for each version there is nothing to pin or to widen, and no label to take off. The copy runs the
    /// new version there, so that who calls the workload's Service past all routes meets the stable one; at the end
    /// the workload becomes what the copy is. Where pods alone decide there are no routes either: a copy without pods is
    /// parked. Where a controller declares versions as they become ready, the routes name both before and after.
    pub fn all(course: impl Into<Course>) -> impl DoubleEndedIterator<Item = Self> + Clone {
        let course = course.into();
        let left_out: &[Self] = match course.form {
            Form::Subsets => &[Self::Promote, Self::Settle],
            Form::Backends => &[Self::Wire, Self::Widen, Self::Unroute, Self::Unwire],
            Form::Pinned => &[Self::Split, Self::Widen, Self::Unroute, Self::Unwire],
            Form::Replicas => &[
                Self::Preview,
                Self::Split,
                Self::Wire,
                Self::Widen,
                Self::Retire,
                Self::Unroute,
                Self::Unwire,
            ],
        };
        let is_passed = move |phase: &Self| course.ships || *phase != Self::Ship;
        let phases = Self::ALL.into_iter().filter(|phase| !left_out.contains(phase));
        phases.filter(is_passed)
    }

    /// The phase after this one; `None` after the last.
    pub fn following(self, course: impl Into<Course>) -> Option<Self> {
        Self::all(course).find(|phase| *phase > self)
    }

    /// The phase before this one; `None` before the first.
    pub fn preceding(self, course: impl Into<Course>) -> Option<Self> {
        Self::all(course).rev().find(|phase| *phase < self)
    }

    /// Whether the canary gets no share of the requests yet, and may get one next.
    pub fn may_share(self, course: impl Into<Course>) -> bool {
        match self {
            Self::Park => !course.into().ships,
            phase => matches!(phase, Self::Ship | Self::Preview),
        }
    }

    /// The columns of the phase table. Source: design of the phases, README "Phases".
    fn row(self, course: Course) -> Row {
        let form = course.form;
        let row = |labels, copy, subsets, wide, routes| Row {
            labels,
            copy,
            subsets,
            wide,
            shipped: false,
            promoted: false,
            routes,
        };
        let row = match self {
            Self::Idle | Self::Tidy => row(false, false, false, false, Named::None),
            Self::Split => row(true, true, true, false, Named::None),
            Self::Wire => row(true, true, true, false, Named::Canary),
            Self::Widen => row(true, true, true, true, Named::Canary),
            Self::Park
            | Self::Ship
            | Self::Preview
            | Self::Ramp
            | Self::Hold
            | Self::Promote
            | Self::Settle => row(true, true, true, true, Named::Both),
            Self::Retire => row(true, false, true, false, Named::Canary),
            Self::Unroute => row(true, false, true, false, Named::None),
            Self::Unwire => row(true, false, false, false, Named::None),
        };
        let row = Row {
            shipped: course.ships && (Self::Ship..=Self::Settle).contains(&self),
            ..row
        };
        match form {
            Form::Subsets => row,
            Form::Pinned => Row {
                labels: false,
                copy: row.copy && self > Self::Wire,
                subsets: false,
                wide: false,
                promoted: self > Self::Hold,
                shipped: row.shipped,
                routes: match self {
                    Self::Idle | Self::Tidy => Named::None,
                    _ => Named::Both,
                },
            },
            Form::Backends | Form::Replicas => Row {
                labels: false,
                subsets: row.subsets && form == Form::Backends,
                wide: false,
                promoted: self > Self::Hold,
                // Routes that name the workload alone are as they were.
                routes: match row.routes {
                    Named::Canary => Named::None,
                    named => named,
                },
                ..row
            },
        }
    }

    /// What the phase means for the files, with these routes per environment.
    pub fn shape(self, course: impl Into<Course>, routes: IndexMap<String, Routes>) -> Shape {
        let Row {
            labels,
            copy,
            subsets,
            wide,
            shipped,
            promoted,
            ..
        } = self.row(course.into());
        Shape {
            labels,
            copy,
            subsets,
            wide,
            shipped,
            promoted,
            unsaid: false,
            routes,
        }
    }

    /// The routes of an environment on entering the phase, from what they are now.
    pub fn routes(self, course: impl Into<Course>, now: Routes) -> Routes {
        match (self.row(course.into()).routes, now) {
            (Named::None, _) => Routes::Plain,
            (Named::Canary, _) => Routes::CanaryOnly,
            (Named::Both, _) if matches!(self, Self::Hold | Self::Promote) => Routes::Both(Weight::FULL),
            (Named::Both, Routes::Both(_) | Routes::Preview(_)) if self == Self::Ramp => now,
            (Named::Both, _) => Routes::Both(Weight::ZERO),
        }
    }

    /// Whether one environment can enter the phase before the others.
    pub fn is_per_environment(self) -> bool {
        matches!(
            self,
            Self::Wire | Self::Park | Self::Preview | Self::Ramp | Self::Hold | Self::Settle | Self::Unroute
        )
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    None,
    Canary,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    labels: bool,
    copy: bool,
    subsets: bool,
    wide: bool,
    shipped: bool,
    promoted: bool,
    routes: Named,
}

impl Row {
    fn of(observed: &Observed) -> Self {
        let routes = match observed.routes {
            Routes::Plain => Named::None,
            Routes::CanaryOnly => Named::Canary,
            Routes::Both(_) | Routes::Preview(_) | Routes::Between(..) => Named::Both,
        };
        let Observed {
            labels,
            copy,
            subsets,
            wide,
            shipped,
            promoted,
            ..
        } = *observed;
        Self {
            labels,
            copy,
            subsets,
            wide,
            shipped,
            promoted,
            routes,
        }
    }

    /// What an environment lacks, or has too much, for this row.
    fn missing(self, now: Self) -> Vec<&'static str> {
        let columns = [
            (
                self.labels,
                now.labels,
                "the version labels on the workload",
                "the version labels are still there",
            ),
            (self.copy, now.copy, "the copy", "the copy is still there"),
            (
                self.subsets,
                now.subsets,
                "the declaration of both versions",
                "the versions are still declared",
            ),
            (
                self.wide,
                now.wide,
                "the Service selecting both versions",
                "the Service still selects both versions",
            ),
            (
                self.shipped,
                now.shipped,
                "the new flag on the canary side",
                "the canary side has the new flag already",
            ),
            (
                self.promoted,
                now.promoted,
                "the new version on the workload",
                "the workload runs the new version already",
            ),
        ];
        let mut missing: Vec<_> = columns
            .iter()
            .filter(|(wanted, now, ..)| wanted != now)
            .map(|(wanted, _, lacks, extra)| if *wanted { *lacks } else { *extra })
            .collect();
        if self.routes != now.routes {
            missing.push(match self.routes {
                Named::None => "routes that name no version",
                Named::Canary => "routes that name the canary only",
                Named::Both => "routes that name both versions",
            });
        }
        missing
    }

    /// Whether each column is as in one of two rows.
    fn is_between(self, one: Self, other: Self) -> bool {
        (self.labels == one.labels || self.labels == other.labels)
            && (self.copy == one.copy || self.copy == other.copy)
            && (self.subsets == one.subsets || self.subsets == other.subsets)
            && (self.wide == one.wide || self.wide == other.wide)
            && (self.shipped == one.shipped || self.shipped == other.shipped)
            && (self.promoted == one.promoted || self.promoted == other.promoted)
            && (self.routes == one.routes || self.routes == other.routes)
    }
}

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// In a phase.
    At(Phase),
    /// In one of two phases that look the same in the files.
    Ambiguous(Phase, Phase),
    /// On the way from one phase to the next: some of it is done.
    Between(Incomplete, Incomplete),
    /// Fits no phase nor two neighbours; the nearest ones, with what each lacks.
    Unclear(Vec<Incomplete>),
    /// Environments are in phases more than one apart.
    Disagree(IndexMap<String, Phase>),
}

/// A phase the files are not in, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// The phase.
    pub phase: Phase,
    /// What is missing, each with the environments it is missing in (none: in all).
    pub missing: Vec<Missing>,
}

/// One thing a phase needs and the files lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: &'static str,
    /// In which environments.
    pub environments: Vec<String>,
}

/// Finds the phase that the environments of an application are in.
///
/// `is_recorded`: a release file vouches for the release's history. A canary made by hand has none, so with both
/// versions named and everything on the canary side it may be before `park` as well as in `hold`.
pub fn recognise(
    environments: &IndexMap<String, Observed>,
    course: impl Into<Course>,
    is_recorded: bool,
) -> Position {
    let course = course.into();
    let phase_of = |observed| phase_of(observed, course);
    let phases: Option<Vec<Phase>> = environments.values().map(phase_of).collect();
    if let Some(phase) = phases.as_deref().and_then(|phases| together(phases, course)) {
        return match phase {
            Phase::Hold if !is_recorded && course.form == Form::Subsets => {
                Position::Ambiguous(Phase::Widen, Phase::Hold)
            }
            phase => Position::At(phase),
        };
    }
    let weighted = |phase: &Phase| matches!(phase, Phase::Preview | Phase::Ramp | Phase::Hold);
    let neighbours = Phase::all(course).zip(Phase::all(course).skip(1));
    let mut neighbours = neighbours.filter(|(_, other)| !weighted(other) && *other != Phase::Tidy);
    let fits = |(one, other): &(Phase, Phase)| {
        environments.values().all(|observed| {
            Row::of(observed).is_between(one.row(course), other.row(course))
                && has_resting_weight(observed, *one, *other)
        })
    };
    if let Some((one, other)) = neighbours.find(fits) {
        let incomplete = |phase| incomplete(phase, course, environments);
        return Position::Between(incomplete(one), incomplete(other));
    }
    if let Some(phases) = phases {
        let named = environments.keys().cloned().zip(phases);
        return Position::Disagree(named.collect());
    }
    let mut nearest: Vec<_> = Phase::all(course)
        .filter(|phase| !matches!(phase, Phase::Tidy | Phase::Preview | Phase::Ramp | Phase::Hold))
        // Where weights rest on the stable version, completing another phase would move them to the canary.
        .filter(|phase| matches!(phase, Phase::Park | Phase::Ship) || !has_weights(environments))
        .map(|phase| incomplete(phase, course, environments))
        .collect();
    nearest.sort_by_key(|incomplete| incomplete.missing.len());
    nearest.truncate(2);
    Position::Unclear(nearest)
}

fn has_weights(environments: &IndexMap<String, Observed>) -> bool {
    environments
        .values()
        .any(|observed| observed.routes.range().is_some())
}

/// Before `park`, before `ship` and behind `settle` both versions rest at 100/0, behind `hold` at 0/100.
fn has_resting_weight(observed: &Observed, one: Phase, other: Phase) -> bool {
    match observed.routes {
        Routes::Both(weight) if matches!(other, Phase::Park | Phase::Ship) => weight == Weight::ZERO,
        Routes::Both(weight) if one == Phase::Hold => weight == Weight::FULL,
        Routes::Both(weight) if one == Phase::Settle => weight == Weight::ZERO,
        // A preview is between two resting points with weights alone.
        Routes::Preview(_) => false,
        Routes::Between(..) => other == Phase::Settle,
        _ => true,
    }
}

/// The phase whose row one environment has.
fn phase_of(observed: &Observed, course: Course) -> Option<Phase> {
    let row = Row::of(observed);
    let is_coming_back = row.promoted && row == Phase::Promote.row(course);
    // Before the new version is there the canary side has no share.
    let is_shared_early = course.ships && row == Phase::Park.row(course);
    match observed.routes {
        Routes::Both(Weight::ZERO) if is_coming_back => Some(Phase::Settle),
        // Both sides run the same code then, whatever the weights say.
        Routes::Both(_) | Routes::Preview(_) | Routes::Between(..) if is_coming_back => Some(Phase::Promote),
        Routes::Preview(_) | Routes::Between(..) if is_shared_early => None,
        Routes::Both(weight) if is_shared_early && weight > Weight::ZERO => None,
        Routes::Both(_) | Routes::Preview(_) | Routes::Between(..) if row != Phase::Ramp.row(course) => {
            Phase::all(course).find(|phase| phase.row(course) == row)
        }
        Routes::Both(Weight::ZERO) if course.ships => Some(Phase::Ship),
        Routes::Both(Weight::ZERO) => Some(Phase::Park),
        Routes::Preview(Weight::ZERO) => Some(Phase::Preview),
        Routes::Both(Weight::FULL) | Routes::Preview(Weight::FULL) => Some(Phase::Hold),
        Routes::Both(_) | Routes::Preview(_) | Routes::Between(..) => Some(Phase::Ramp),
        _ => Phase::all(course).find(|phase| phase.row(course) == row),
    }
}

/// The phase of all environments together: the same, or `ramp` where only weights differ. An environment may have
/// nothing to preview.
fn together(phases: &[Phase], course: Course) -> Option<Phase> {
    let (first, rest) = phases.split_first()?;
    if rest.iter().all(|phase| phase == first) {
        return Some(*first);
    }
    let is_unshared = |phase: &Phase| phase.may_share(course);
    if phases.iter().all(is_unshared) {
        return Some(Phase::Preview);
    }
    let is_weighted = |phase: &Phase| is_unshared(phase) || matches!(phase, Phase::Ramp | Phase::Hold);
    phases.iter().all(is_weighted).then_some(Phase::Ramp)
}

fn incomplete(phase: Phase, course: Course, environments: &IndexMap<String, Observed>) -> Incomplete {
    let mut found: IndexMap<&'static str, Vec<String>> = IndexMap::new();
    for (name, observed) in environments {
        for what in phase.row(course).missing(Row::of(observed)) {
            found.entry(what).or_default().push(name.clone());
        }
    }
    let missing = found
        .into_iter()
        .map(|(what, environments)| Missing { what, environments })
        .collect();
    Incomplete { phase, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(phase: Phase, routes: Routes) -> Observed {
        observed_in(Form::Subsets.into(), phase, routes)
    }

    fn observed_in(course: Course, phase: Phase, routes: Routes) -> Observed {
        let Row {
            labels,
            copy,
            subsets,
            wide,
            shipped,
            promoted,
            ..
        } = phase.row(course);
        Observed {
            labels,
            copy,
            subsets,
            wide,
            shipped,
            promoted,
            unsaid: false,
            routes,
            routes_at: None,
            drift: Vec::new(),
        }
    }

    fn check(environments: [Observed; 2], expected: &Position) {
        let [staging, production] = environments;
        let environments = [
            ("staging".to_owned(), staging),
            ("production".to_owned(), production),
        ];
        assert_eq!(
            recognise(&environments.into_iter().collect(), Form::Subsets, true),
            *expected
        );
    }

    #[test]
    fn every_phase_is_recognised_from_its_own_shape() {
        for phase in Phase::all(Form::Subsets) {
            let routes = match phase {
                Phase::Preview => Routes::Preview(Weight::ZERO),
                Phase::Ramp => Routes::Both(Weight::new(25).expect("valid")),
                phase => phase.routes(Form::Subsets, Routes::Plain),
            };
            let expected = if phase == Phase::Tidy { Phase::Idle } else { phase };
            check(
                [observed(phase, routes), observed(phase, routes)],
                &Position::At(expected),
            );
        }
    }

    #[test]
    fn environments_that_differ_in_weights_only_are_ramping() {
        let (staging, production) = (Routes::Both(Weight::FULL), Routes::Both(Weight::ZERO));
        check(
            [observed(Phase::Hold, staging), observed(Phase::Park, production)],
            &Position::At(Phase::Ramp),
        );
    }

    #[test]
    fn an_environment_without_a_preview_does_not_hold_the_others_back() {
        let preview = || observed(Phase::Preview, Routes::Preview(Weight::ZERO));
        let park = observed(Phase::Park, Routes::Both(Weight::ZERO));
        check([preview(), park], &Position::At(Phase::Preview));
        let hold = observed(Phase::Hold, Routes::Both(Weight::FULL));
        check([hold, preview()], &Position::At(Phase::Ramp));
        let ramp = observed(Phase::Ramp, Routes::Preview(Weight::new(10).expect("valid")));
        check([preview(), ramp], &Position::At(Phase::Ramp));
    }

    #[test]
    fn neighbours_are_between_and_others_disagree() {
        let split = || observed(Phase::Split, Routes::Plain);
        let Position::Between(one, other) = recognise(
            &[
                ("staging".to_owned(), observed(Phase::Wire, Routes::CanaryOnly)),
                ("production".to_owned(), split()),
            ]
            .into_iter()
            .collect(),
            Form::Subsets,
            true,
        ) else {
            panic!("split and wire are neighbours");
        };
        assert_eq!((one.phase, other.phase), (Phase::Split, Phase::Wire));
        assert_eq!(other.missing[0].environments, ["production"]);

        let ramp = observed(Phase::Ramp, Routes::Both(Weight::new(10).expect("valid")));
        let phases = [
            ("staging".to_owned(), Phase::Ramp),
            ("production".to_owned(), Phase::Split),
        ];
        check([ramp, split()], &Position::Disagree(phases.into_iter().collect()));
    }

    #[test]
    fn everything_on_the_canary_is_ambiguous_without_a_release_file() {
        let hold = || observed(Phase::Hold, Routes::Both(Weight::FULL));
        let environments = [("staging".to_owned(), hold())].into_iter().collect();
        assert_eq!(
            recognise(&environments, Form::Subsets, false),
            Position::Ambiguous(Phase::Widen, Phase::Hold)
        );
        assert_eq!(
            recognise(&environments, Form::Subsets, true),
            Position::At(Phase::Hold)
        );
    }

    #[test]
    fn with_a_flag_the_new_version_comes_before_its_first_share() {
        for form in [Form::Subsets, Form::Backends, Form::Pinned, Form::Replicas] {
            let course = Course { form, ships: true };
            for phase in Phase::all(course) {
                let routes = match phase {
                    Phase::Preview => Routes::Preview(Weight::ZERO),
                    Phase::Ramp => Routes::Both(Weight::new(25).expect("valid")),
                    phase => phase.routes(course, Routes::Plain),
                };
                let environments = [("production".to_owned(), observed_in(course, phase, routes))];
                let expected = match phase {
                    // The flag of a workload without a copy is no part of a phase.
                    Phase::Tidy if form == Form::Subsets => Phase::Idle,
                    phase => phase,
                };
                let found = recognise(&environments.into_iter().collect(), course, true);
                assert_eq!(found, Position::At(expected), "{form:?}");
            }
            let phases: Vec<Phase> = Phase::all(course).collect();
            let ship = phases
                .iter()
                .position(|phase| *phase == Phase::Ship)
                .expect("ship");
            let shared = match form {
                Form::Replicas => Phase::Ramp,
                _ => Phase::Preview,
            };
            assert_eq!((phases[ship - 1], phases[ship + 1]), (Phase::Park, shared));
        }
    }

    #[test]
    fn a_share_before_the_new_version_is_no_phase() {
        let course = Course {
            form: Form::Subsets,
            ships: true,
        };
        let routes = Routes::Both(Weight::new(25).expect("valid"));
        let environments = [("production".to_owned(), observed_in(course, Phase::Park, routes))];
        let found = recognise(&environments.into_iter().collect(), course, true);
        let Position::Unclear(nearest) = found else {
            panic!("{found:?}");
        };
        assert_eq!(nearest[0].phase, Phase::Park);
    }

    #[test]
    fn environments_with_and_without_the_new_version_are_between() {
        let course = Course {
            form: Form::Backends,
            ships: true,
        };
        let none = Routes::Both(Weight::ZERO);
        let of = |phase, routes| observed_in(course, phase, routes);
        let two = |staging, production| {
            let environments = [
                ("staging".to_owned(), staging),
                ("production".to_owned(), production),
            ];
            recognise(&environments.into_iter().collect(), course, true)
        };
        let Position::Between(one, other) = two(of(Phase::Ship, none), of(Phase::Park, none)) else {
            panic!("park and ship are neighbours");
        };
        assert_eq!((one.phase, other.phase), (Phase::Park, Phase::Ship));
        let ramp = of(Phase::Ramp, Routes::Both(Weight::new(25).expect("valid")));
        assert!(matches!(
            two(ramp.clone(), of(Phase::Park, none)),
            Position::Disagree(_)
        ));
        assert_eq!(two(ramp, of(Phase::Ship, none)), Position::At(Phase::Ramp));
    }

    #[test]
    fn with_backends_of_their_own_the_versions_need_fewer_phases() {
        let mut names = Vec::new();
        for phase in Phase::all(Form::Backends) {
            let routes = match phase {
                Phase::Preview => Routes::Preview(Weight::ZERO),
                Phase::Ramp => Routes::Both(Weight::new(25).expect("valid")),
                phase => phase.routes(Form::Backends, Routes::Plain),
            };
            let environments = [(
                "production".to_owned(),
                observed_in(Form::Backends.into(), phase, routes),
            )];
            let environments = environments.into_iter().collect();
            assert_eq!(
                recognise(&environments, Form::Backends, true),
                Position::At(phase)
            );
            names.push(phase.as_str());
        }
        assert_eq!(
            names.join(" "),
            "idle split park preview ramp hold promote settle retire tidy"
        );
    }
}
