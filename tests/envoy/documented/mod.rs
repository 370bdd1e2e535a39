//! States whose answer is in the documentation of Istio or Envoy: they check the translation before anybody's
//! prediction does.

mod admission;
mod case;
mod refusals;
mod routing;

use crate::process::Envoy;
use crate::replay::replay;
use crate::scenario::Transition;
use case::Case;

fn cases() -> Vec<Transition> {
    let cases = [routing::cases(), admission::cases()].into_iter().flatten();
    cases.map(Case::transition).collect()
}

#[test]
fn envoy_does_what_is_documented() {
    let Some(mut envoy) = Envoy::start() else {
        return;
    };
    let cases = cases();
    let report = replay(&mut envoy, &cases);
    eprint!("{report}");
    assert!(report.disagreements.is_empty() && report.untranslated.is_empty());
    assert_eq!(report.state_count, cases.len());
    assert_eq!(report.answers.len(), cases.len());
}

/// Every prediction is changed a little: each has to be noticed, or the comparison above says nothing.
#[test]
fn wrong_predictions_are_found() {
    let Some(mut envoy) = Envoy::start() else {
        return;
    };
    let mut cases = cases();
    let states = cases.iter_mut().flat_map(|case| &mut case.states);
    for request in states.flat_map(|state| &mut state.requests) {
        let predicted = request.predicted.as_mut().expect("a prediction");
        *predicted.failed.entry("503 UH".to_owned()).or_default() += 0.001;
    }
    let report = replay(&mut envoy, &cases);
    assert_eq!(report.disagreements.len(), report.compared_count);
    let expected = "weights are exact shares, as written, request 1: GET web.shop.svc.cluster.local/ from cluster.local/ns/front/sa/client via \
                    mesh: predicted 10 % canary, 90 % stable, 0.1 % fail with 503 UH; Envoy: 10 % canary, 90 % stable";
    assert!(
        report.disagreements.iter().any(|words| words == expected),
        "{report}"
    );
}
