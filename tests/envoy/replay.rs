//! States in, answers and disagreements out.

use std::fmt::{self, Display, Formatter};
use std::sync::Mutex;

use crate::process::Envoy;
use crate::requests::measure;
use crate::scenario::{Answer, Prediction, Request, Shares, State, Transition};
use crate::translate::{Translated, translate};

/// States that Envoy holds at one time. Larger is faster until the configuration takes longer to read than the
/// requests.
const BATCH: usize = 50;

/// States that are asked at one time, so that Envoy has something to do while an answer is on its way.
const CONNECTIONS: usize = 6;

/// Shares are exact but for the last bits of a division.
const ROUNDING: f64 = 1e-9;

/// What came of a replay.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) transition_count: usize,
    pub(crate) state_count: usize,
    /// Classes of requests that were compared with a prediction.
    pub(crate) compared_count: usize,
    /// Requests that were sent.
    pub(crate) sent_count: u64,
    /// For each transition, for each of its states, for each of its requests. No answers for a state that is not
    /// translated.
    pub(crate) answers: Vec<Vec<Vec<Answer>>>,
    /// In words, with the transition and the state: where the measured shares are not the predicted ones.
    pub(crate) disagreements: Vec<String>,
    /// In words, with the transition and the state: what could not be tried.
    pub(crate) untranslated: Vec<String>,
}

/// Replays every state of every transition in Envoy, and compares where there is a prediction.
pub(crate) fn replay(envoy: &mut Envoy, transitions: &[Transition]) -> Report {
    let states: Vec<(usize, &State)> = transitions
        .iter()
        .enumerate()
        .flat_map(|(index, transition)| transition.states.iter().map(move |state| (index, state)))
        .collect();
    let mut report = Report {
        transition_count: transitions.len(),
        state_count: states.len(),
        answers: transitions.iter().map(|_| Vec::new()).collect(),
        ..Report::default()
    };
    for batch in states.chunks(BATCH) {
        for ((index, state), result) in batch.iter().zip(replay_batch(envoy, batch)) {
            let place = format!("{}, {}", transitions[*index].name, state.id);
            let mut answers = Vec::new();
            match result {
                Err(what) => report.untranslated.push(format!("{place}: {what}")),
                Ok(Measured {
                    answers: measured,
                    sent_count,
                }) => {
                    report.sent_count += sent_count;
                    answers = measured;
                }
            }
            for (request, answer) in state.requests.iter().zip(&answers) {
                if let Some(prediction) = &request.predicted {
                    report.compared_count += 1;
                    let disagreement = disagreement(&place, request, prediction, answer);
                    report.disagreements.extend(disagreement);
                }
            }
            report.answers[*index].push(answers);
        }
    }
    report
}

struct Measured {
    answers: Vec<Answer>,
    sent_count: u64,
}

/// One configuration with all states of a batch. States are measured at the same time; the requests of one state are
/// not, since they take turns at the same endpoints.
fn replay_batch(envoy: &mut Envoy, batch: &[(usize, &State)]) -> Vec<Result<Measured, String>> {
    let translated: Vec<Result<Translated, String>> = batch
        .iter()
        .enumerate()
        .map(|(index, (_, state))| translate(state, &index.to_string(), || envoy.new_socket()))
        .collect();
    let mut clusters = Vec::new();
    let mut listeners = Vec::new();
    for state in translated.iter().flatten() {
        clusters.extend(state.clusters.iter().cloned());
        listeners.extend(state.listeners.iter().cloned());
    }
    envoy.load(&clusters, &listeners);
    let envoy = &*envoy;
    let waiting = Mutex::new(batch.iter().zip(&translated).enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no thread has failed").next();
                    let Some((index, ((_, state), translated))) = next else {
                        break;
                    };
                    let result = translated
                        .as_ref()
                        .map_err(Clone::clone)
                        .map(|translated| Measured {
                            answers: translated
                                .probes
                                .iter()
                                .zip(&state.requests)
                                .map(|(probe, request)| {
                                    measure(probe, request, &state.pods).unwrap_or_else(|error| {
                                        panic!("{}: {request:?}: {error}\n{}", state.id, envoy.log())
                                    })
                                })
                                .collect(),
                            sent_count: translated.probes.iter().map(|probe| probe.sends).sum(),
                        });
                    done.lock().expect("no thread has failed").push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread has failed");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What differs, if anything does.
fn disagreement(place: &str, request: &Request, predicted: &Prediction, answer: &Answer) -> Option<String> {
    let is_same = same(&predicted.versions, &answer.versions)
        && same(&predicted.failed, &answer.failed)
        && same(&predicted.answered, &answer.answered);
    let words = |versions, failed, answered| {
        Outcomes {
            versions,
            failed,
            answered,
        }
        .to_string()
    };
    (!is_same).then(|| {
        format!(
            "{place}, {}: {} {}{} from {} via {}: predicted {}; Envoy: {}",
            request.id,
            request.method,
            request.host,
            request.path,
            request.caller.principal.as_deref().unwrap_or("outside the mesh"),
            request.via,
            words(&predicted.versions, &predicted.failed, &predicted.answered),
            words(&answer.versions, &answer.failed, &answer.answered),
        )
    })
}

/// Whether two sets of shares are one; a share of 0 is no share.
fn same(predicted: &Shares, measured: &Shares) -> bool {
    let share = |shares: &Shares, name: &str| shares.get(name).copied().unwrap_or_default();
    predicted
        .keys()
        .chain(measured.keys())
        .all(|name| (share(predicted, name) - share(measured, name)).abs() < ROUNDING)
}

/// Shares as people read them: `90 % stable, 10 % fail with 503 NC`.
struct Outcomes<'a> {
    versions: &'a Shares,
    failed: &'a Shares,
    answered: &'a Shares,
}

impl Display for Outcomes<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (shares, verb) in [
            (self.versions, ""),
            (self.failed, "fail with "),
            (self.answered, "answered by the proxy with "),
        ] {
            for (name, share) in shares {
                let percent = (share * 10_000.0).round() / 100.0;
                parts.push(format!("{percent} % {verb}{name}"));
            }
        }
        if parts.is_empty() {
            parts.push("nothing".to_owned());
        }
        formatter.write_str(&parts.join(", "))
    }
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            transition_count,
            state_count,
            compared_count,
            sent_count,
            ..
        } = self;
        writeln!(
            formatter,
            "{transition_count} transitions, {state_count} states, {compared_count} classes of requests compared, {sent_count} requests \
             sent: {} disagreements, {} states not translated",
            self.disagreements.len(),
            self.untranslated.len(),
        )?;
        for line in self.disagreements.iter().chain(&self.untranslated) {
            writeln!(formatter, "  {line}")?;
        }
        Ok(())
    }
}
