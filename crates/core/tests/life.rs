//! Properties of whole lives over generated repositories: a release leaves nothing behind, aborting gives the
//! start back, a person's edit survives, and doing a thing twice is doing it once.
//!
//! A repository is generated from a list of choices (smaller numbers are plainer choices), so a failing case
//! shrinks to the plainest repository that still fails.

mod generate;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tidegate_core::change::ChangeSet;
use tidegate_core::checkout::Checkout;
use tidegate_core::delegated;
use tidegate_core::diagnostic::{Code, Diagnostic, Failure};
use tidegate_core::manifest::ManifestSet;
use tidegate_core::model::{Course, Release, Version, Weight};
use tidegate_core::phase::{Phase, Position};
use tidegate_core::preview::{Preview, RequestMatch};
use tidegate_core::prover::{Caller, Question, forecast, prove};
use tidegate_core::provider::ProviderId;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::standing::Standing;
use tidegate_core::start::{StartRequest, start};
use tidegate_core::transition::{NextRequest, Purpose, Transition, abort, next};

use generate::{Choices, MARK, flags, manifests, overlays, repository};

const TOP: &str = "";

/// Applies a step to a repository; `None` when there was nothing to do.
fn step(
    repo: &mut MemoryRepo,
    make: impl FnOnce(&Checkout<'_>) -> Result<Option<Transition>, Failure>,
) -> Result<Option<Transition>, TestCaseError> {
    let root = RepoPath::new(TOP).expect("the root");
    let config = Config::load(repo, &root).map_err(|failure| fail(repo, &failure))?;
    let transition = {
        let checkout = Checkout::load(repo, &root, &config).map_err(|failure| fail(repo, &failure))?;
        make(&checkout).map_err(|failure| fail(repo, &failure))?
    };
    if let Some(transition) = &transition {
        write(repo, &transition.change);
    }
    Ok(transition)
}

fn write(repo: &mut MemoryRepo, change: &ChangeSet) {
    for change in change.iter() {
        assert_eq!(
            repo.files().get(&change.path),
            change.before.as_ref(),
            "{}",
            change.path
        );
        repo.set(change.path.clone(), change.after.clone());
    }
}

fn fail(repo: &MemoryRepo, failure: &Failure) -> TestCaseError {
    TestCaseError::fail(format!("{failure:?}\n{}", show(repo)))
}

fn show(repo: &MemoryRepo) -> String {
    repo.files()
        .iter()
        .map(|(path, text)| format!("#- {path}\n{text}\n"))
        .collect()
}

/// The traffic systems of plain manifests.
const SYSTEMS: [ProviderId; 6] = [
    ProviderId::GatewayApi,
    ProviderId::IstioHosts,
    ProviderId::AppMesh,
    ProviderId::Smi,
    ProviderId::Kubesphere,
    ProviderId::Replicas,
];

/// Requests that a release may choose.
const MATCHES: [&str; 4] = [
    "header:end-user=jason",
    "cookie:canary=always",
    "uri:/beta*",
    "header:user-agent=Mozilla*",
];

fn previews() -> impl Strategy<Value = Preview> {
    let matches = prop::sample::subsequence(&MATCHES[..], 0..=2);
    (matches, prop::option::of(1_u64..=100)).prop_map(|(matches, mirror)| Preview {
        matches: matches
            .into_iter()
            .map(|text| RequestMatch::parse(text).expect("a match"))
            .collect(),
        mirror: mirror.and_then(Weight::new),
    })
}

/// As much of a preview as a traffic system can do.
fn possible(provider: ProviderId, preview: &Preview) -> Preview {
    let can = provider.previews();
    Preview {
        matches: preview.matches.iter().filter(|_| can.matches).cloned().collect(),
        mirror: preview.mirror.filter(|_| can.mirrors),
    }
}

fn init_with(
    repo: &mut MemoryRepo,
    provider: ProviderId,
    preview: &Preview,
) -> Result<Option<Transition>, TestCaseError> {
    let request = StartRequest {
        workload: Some(manifests::workload(provider).to_owned()),
        // Of a TrafficSplit nothing is there to be found.
        provider: (provider == ProviderId::Smi).then(|| provider.as_str().to_owned()),
        canary_tag: Some(manifests::NEW.to_owned()),
        steps: Some(vec![50, 100]),
        preview: preview.clone(),
        ..StartRequest::default()
    };
    step(repo, |checkout| Ok(start(checkout, &request)?.transition))
}

fn init(repo: &mut MemoryRepo, preview: &Preview) -> Result<Option<Transition>, TestCaseError> {
    let request = StartRequest {
        workload: Some("web".into()),
        steps: Some(vec![50, 100]),
        preview: preview.clone(),
        ..StartRequest::default()
    };
    step(repo, |checkout| Ok(start(checkout, &request)?.transition))
}

fn go_on(repo: &mut MemoryRepo) -> Result<Option<Transition>, TestCaseError> {
    step(repo, |checkout| match checkout.application.releases.first() {
        Some(release) => next(checkout, release, &NextRequest::default()),
        None => Ok(None),
    })
}

fn go_back(repo: &mut MemoryRepo) -> Result<Option<Transition>, TestCaseError> {
    step(repo, |checkout| match checkout.application.releases.first() {
        Some(release) => abort(checkout, release),
        None => Ok(None),
    })
}

fn position(repo: &MemoryRepo) -> Option<Position> {
    let root = RepoPath::new(TOP).expect("the root");
    let config = Config::load(repo, &root).expect("a configuration");
    let checkout = Checkout::load(repo, &root, &config).expect("an application");
    let release = checkout.application.releases.first()?;
    Some(Standing::of(&checkout.application, release).position)
}

fn same(found: &MemoryRepo, expected: &MemoryRepo) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        found.files().keys().collect::<Vec<_>>(),
        expected.files().keys().collect::<Vec<_>>(),
        "{}",
        show(found)
    );
    for (path, text) in expected.files() {
        prop_assert_eq!(&found.files()[path], text, "{}", path);
    }
    Ok(())
}

/// A person's edit: every marked place of a file says something else.
fn edit(repo: &mut MemoryRepo, index: usize) {
    let files: Vec<RepoPath> = repo.files().keys().cloned().collect();
    let mark = format!("{MARK}{index}");
    for path in files {
        // What a person writes into a file of the release goes with it.
        if path.file_name().starts_with("tidegate-canary-") {
            continue;
        }
        let text = repo.files()[&path].replace(&mark, "edited by a person");
        repo.set(path, Some(text));
    }
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_life_leaves_nothing_behind(
        choices in choices(), preview in previews(), moment in 0_usize..16, mark in 0_usize..4,
    ) {
        let mut repo = repository(&mut Choices::new(&choices));
        let mut expected = repo.clone();
        edit(&mut expected, mark);
        init(&mut repo, &preview)?;
        for count in 0.. {
            if count == moment {
                edit(&mut repo, mark);
            }
            prop_assert!(count < 20, "{}", show(&repo));
            if go_on(&mut repo)?.is_none() {
                break;
            }
        }
        edit(&mut repo, mark);
        same(&repo, &expected)?;
    }

    #[test]
    fn abort_gives_the_start_back(
        choices in choices(), preview in previews(), stop in 0_usize..11, ships in any::<bool>(),
    ) {
        let mut repo = repository(&mut Choices::new(&choices));
        let start = repo.clone();
        init(&mut repo, &preview)?;
        // What has ended is not aborted, and a life with a preview is one transition longer.
        let stop = stop.min(9 + usize::from(!preview.is_empty()));
        for count in 0..stop {
            if count == 5 && ships {
                ship(&mut repo);
            }
            go_on(&mut repo)?;
        }
        for count in 0.. {
            prop_assert!(count < 20, "{}", show(&repo));
            if go_back(&mut repo)?.is_none() {
                break;
            }
        }
        same(&repo, &start)?;
    }

    #[test]
    fn every_phase_is_read_as_itself_and_entering_it_again_changes_nothing(
        choices in choices(), preview in previews(),
    ) {
        let mut repo = repository(&mut Choices::new(&choices));
        init(&mut repo, &preview)?;
        let phases = [Phase::Split, Phase::Wire, Phase::Widen, Phase::Park, Phase::Preview, Phase::Ramp, Phase::Hold,
            Phase::Retire, Phase::Unroute, Phase::Unwire];
        for phase in phases.into_iter().filter(|phase| *phase != Phase::Preview || !preview.is_empty()) {
            go_on(&mut repo)?;
            prop_assert_eq!(position(&repo), Some(Position::At(phase)), "{}", show(&repo));
            let again = step(&mut repo, |checkout| {
                let request = NextRequest { environment: None, to: Some(phase) };
                next(checkout, &checkout.application.releases[0], &request)
            })?;
            prop_assert!(again.is_none(), "{:?}", again);
        }
    }
}

/// A life changes the image and nothing else, whatever a person edits meanwhile; each phase is read as itself.
fn image_alone(
    mut repo: MemoryRepo,
    provider: ProviderId,
    preview: &Preview,
    moment: usize,
    mark: usize,
) -> Result<(), TestCaseError> {
    let mut expected = repo.clone();
    edit(&mut expected, mark);
    for (path, text) in expected.clone().files() {
        expected.set(path.clone(), Some(text.replace(manifests::OLD, manifests::NEW)));
    }
    let preview = possible(provider, preview);
    init_with(&mut repo, provider, &preview)?;
    let mut seen = vec![Phase::Idle];
    for count in 0.. {
        if count == moment {
            edit(&mut repo, mark);
        }
        prop_assert!(count < 20, "{}", show(&repo));
        if go_on(&mut repo)?.is_none() {
            break;
        }
        match position(&repo) {
            Some(Position::At(phase)) if seen.last() != Some(&phase) => seen.push(phase),
            Some(Position::At(_)) => {}
            None => seen.push(Phase::Tidy),
            Some(other) => prop_assert!(false, "{:?}\n{}", other, show(&repo)),
        }
    }
    let phases = Phase::all(provider.form());
    let phases = phases.filter(|phase| *phase != Phase::Preview || !preview.is_empty());
    prop_assert_eq!(seen, phases.collect::<Vec<_>>());
    edit(&mut repo, mark);
    same(&repo, &expected)
}

/// Aborting gives the start back, wherever the release is by then.
fn back_to_the_start(
    mut repo: MemoryRepo,
    provider: ProviderId,
    preview: &Preview,
    stop: usize,
) -> Result<(), TestCaseError> {
    let start = repo.clone();
    init_with(&mut repo, provider, &possible(provider, preview))?;
    for _ in 0..stop {
        go_on(&mut repo)?;
    }
    if position(&repo).is_none() {
        return Ok(());
    }
    for count in 0.. {
        prop_assert!(count < 20, "{}", show(&repo));
        if go_back(&mut repo)?.is_none() {
            break;
        }
    }
    same(&repo, &start)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_life_among_plain_manifests_changes_the_image_alone(
        choices in choices(), preview in previews(), system in 0..SYSTEMS.len(), moment in 0_usize..16, mark in 0_usize..4,
    ) {
        let provider = SYSTEMS[system];
        image_alone(manifests::repository(&mut Choices::new(&choices), provider), provider, &preview, moment, mark)?;
    }

    #[test]
    fn abort_among_plain_manifests_gives_the_start_back(
        choices in choices(), preview in previews(), system in 0..SYSTEMS.len(), stop in 0_usize..14,
    ) {
        let provider = SYSTEMS[system];
        back_to_the_start(manifests::repository(&mut Choices::new(&choices), provider), provider, &preview, stop)?;
    }

    #[test]
    fn a_life_in_overlays_changes_the_image_alone(
        choices in choices(), preview in previews(), system in 0..SYSTEMS.len(), moment in 0_usize..16, mark in 0_usize..4,
    ) {
        let provider = SYSTEMS[system];
        image_alone(overlays::repository(&mut Choices::new(&choices), provider), provider, &preview, moment, mark)?;
    }

    #[test]
    fn abort_in_overlays_gives_the_start_back(
        choices in choices(), preview in previews(), system in 0..SYSTEMS.len(), stop in 0_usize..14,
    ) {
        let provider = SYSTEMS[system];
        back_to_the_start(overlays::repository(&mut Choices::new(&choices), provider), provider, &preview, stop)?;
    }
}

/// A release that is left to Argo Rollouts, begun; `false` where it is refused for what the files say.
fn init_left_to_argo(repo: &mut MemoryRepo) -> Result<bool, TestCaseError> {
    let root = RepoPath::new(TOP).expect("the root");
    let config = Config::load(repo, &root).map_err(|failure| fail(repo, &failure))?;
    let request = StartRequest {
        provider: Some("argo-rollouts".to_owned()),
        canary_tag: Some(manifests::NEW.to_owned()),
        steps: Some(vec![50, 100]),
        ..StartRequest::default()
    };
    let started = {
        let checkout = Checkout::load(repo, &root, &config).map_err(|failure| fail(repo, &failure))?;
        start(&checkout, &request)
    };
    match started {
        Ok(started) => write(repo, &started.transition.expect("a release file").change),
        Err(Failure::Refused(reasons)) => {
            let is_known =
                |reason: &Diagnostic| matches!(reason.code, Code::CanaryImpossible | Code::UnsupportedRoute);
            prop_assert!(reasons.iter().all(is_known), "{:?}", reasons);
            return Ok(false);
        }
        Err(failure) => return Err(fail(repo, &failure)),
    }
    Ok(true)
}

fn left_to_a_controller(repo: &mut MemoryRepo, is_back: bool) -> Result<bool, TestCaseError> {
    let made = step(repo, |checkout| match checkout.application.delegations.first() {
        Some(delegation) if is_back => delegated::abort(checkout, delegation),
        Some(delegation) => delegated::next(checkout, delegation, None),
        None => Ok(None),
    });
    Ok(made?.is_some())
}

/// With routes whose weights the controller moves, and without any.
const LEFT: [ProviderId; 2] = [ProviderId::IstioHosts, ProviderId::Replicas];

#[test]
fn plain_repositories_can_be_left_to_argo_rollouts() {
    for provider in LEFT {
        let mut repo = manifests::repository(&mut Choices::new(&[]), provider);
        assert!(init_left_to_argo(&mut repo).expect("a verdict"), "{provider:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_release_left_to_argo_rollouts_changes_the_image_alone(
        choices in choices(), system in 0..LEFT.len(), stop in 0_usize..9, mark in 0_usize..4,
    ) {
        let mut repo = manifests::repository(&mut Choices::new(&choices), LEFT[system]);
        let mut before = repo.clone();
        if !init_left_to_argo(&mut repo)? {
            return Ok(());
        }
        let mut is_over = false;
        for _ in 0..stop {
            is_over = !left_to_a_controller(&mut repo, false)?;
        }
        edit(&mut repo, mark);
        edit(&mut before, mark);
        if !is_over {
            let mut aborted = repo.clone();
            let is_shipped = aborted.files().values().all(|text| !text.contains("provider: argo-rollouts"));
            for count in 0.. {
                prop_assert!(count < 12, "{}", show(&aborted));
                if !left_to_a_controller(&mut aborted, true)? {
                    break;
                }
            }
            if !is_shipped {
                same(&aborted, &before)?;
            }
        }
        for count in 0.. {
            prop_assert!(count < 12, "{}", show(&repo));
            if !left_to_a_controller(&mut repo, false)? {
                break;
            }
        }
        for (path, text) in before.clone().files() {
            before.set(path.clone(), Some(text.replace(manifests::OLD, manifests::NEW)));
        }
        same(&repo, &before)?;
    }
}

/// A release of two versions of one image.
fn init_with_flag(
    repo: &mut MemoryRepo,
    provider: ProviderId,
    flag: &str,
) -> Result<Option<Transition>, TestCaseError> {
    let request = StartRequest {
        workload: Some(match provider {
            ProviderId::Istio => "web".to_owned(),
            provider => manifests::workload(provider).to_owned(),
        }),
        provider: (provider == ProviderId::Smi).then(|| provider.as_str().to_owned()),
        flag: Some(flag.to_owned()),
        steps: Some(vec![50, 100]),
        ..StartRequest::default()
    };
    step(repo, |checkout| Ok(start(checkout, &request)?.transition))
}

/// A life flips the flag and changes nothing else, whatever a person edits meanwhile; each phase is read as itself, and the
/// new version is there before its first share.
fn flag_alone(
    mut repo: MemoryRepo,
    provider: ProviderId,
    flag: &str,
    moment: usize,
    mark: usize,
) -> Result<(), TestCaseError> {
    let mut expected = repo.clone();
    edit(&mut expected, mark);
    for (path, text) in expected.clone().files() {
        expected.set(path.clone(), Some(text.replace(flags::CLASSIC, flags::RAPID)));
    }
    init_with_flag(&mut repo, provider, flag)?;
    let course = Course {
        form: provider.form(),
        ships: true,
    };
    let mut seen = vec![Phase::Idle];
    for count in 0.. {
        if count == moment {
            edit(&mut repo, mark);
        }
        prop_assert!(count < 24, "{}", show(&repo));
        let before = repo.clone();
        let Some(transition) = go_on(&mut repo)? else {
            break;
        };
        taken_back(&before, &repo, provider)?;
        if transition.purpose == Purpose::Enter(Phase::Ship) {
            unnoticed(&before, &repo, provider)?;
        }
        match position(&repo) {
            Some(Position::At(phase)) if seen.last() != Some(&phase) => seen.push(phase),
            Some(Position::At(_)) => {}
            None => seen.push(Phase::Tidy),
            Some(other) => prop_assert!(false, "{:?}\n{}", other, show(&repo)),
        }
    }
    // No requests are chosen here.
    let phases = Phase::all(course).filter(|phase| *phase != Phase::Preview);
    prop_assert_eq!(seen, phases.collect::<Vec<_>>());
    edit(&mut repo, mark);
    same(&repo, &expected)
}

/// The environments of two repositories, as they are rendered.
fn rendered(before: &MemoryRepo, after: &MemoryRepo) -> Vec<(ManifestSet, ManifestSet)> {
    let environments = |repo: &MemoryRepo| {
        let root = RepoPath::new(TOP).expect("the root");
        let config = Config::load(repo, &root).expect("a configuration");
        let checkout = Checkout::load(repo, &root, &config).expect("an application");
        let environments = checkout.application.environments.into_values();
        environments
            .map(|environment| environment.rendered)
            .collect::<Vec<_>>()
    };
    environments(before)
        .into_iter()
        .zip(environments(after))
        .collect()
}

/// A transition was proven before it was written; the same way back is safe as well.
fn taken_back(before: &MemoryRepo, after: &MemoryRepo, provider: ProviderId) -> Result<(), TestCaseError> {
    for (before, after) in rendered(before, after) {
        let proof = prove(provider, &after, &before, Question::default());
        prop_assert!(proof.is_safe(), "{:?}", proof.counter_examples);
    }
    Ok(())
}

/// In every half-applied state of a flip no request through the routes reaches the pods that flip.
fn unnoticed(before: &MemoryRepo, after: &MemoryRepo, provider: ProviderId) -> Result<(), TestCaseError> {
    let canary = match provider {
        ProviderId::Istio => "orders-web".to_owned(),
        provider => Release::copy_name(manifests::workload(provider), Version::Canary),
    };
    for (before, after) in rendered(before, after) {
        let states = forecast(provider, &before, &after, 1000);
        prop_assert!(states.len() > 1);
        let outcomes = states.iter().flat_map(|state| &state.outcomes);
        for (request, outcome) in outcomes.filter(|(request, _)| request.caller != Caller::Outside) {
            let share = outcome.served.get(&canary).copied().unwrap_or(0.0);
            prop_assert!(share == 0.0, "{} of {}", share, request);
        }
    }
    Ok(())
}

/// Aborting gives the start back with its flag, wherever the release is by then.
fn back_with_flag(
    mut repo: MemoryRepo,
    provider: ProviderId,
    flag: &str,
    stop: usize,
) -> Result<(), TestCaseError> {
    let start = repo.clone();
    init_with_flag(&mut repo, provider, flag)?;
    for _ in 0..stop {
        go_on(&mut repo)?;
    }
    if position(&repo).is_none() {
        return Ok(());
    }
    for count in 0.. {
        prop_assert!(count < 24, "{}", show(&repo));
        if go_back(&mut repo)?.is_none() {
            break;
        }
    }
    same(&repo, &start)
}

/// A generated repository with a flag, in each layout; the first choice of `system` is the spec's.
fn flagged(choices: &[u8], system: usize, in_overlays: bool) -> (MemoryRepo, ProviderId, &'static str) {
    let mut choices = Choices::new(choices);
    let Some(provider) = system.checked_sub(1).map(|system| SYSTEMS[system]) else {
        let mut repo = repository(&mut choices);
        let flag = flags::in_spec(&mut choices, &mut repo);
        return (repo, ProviderId::Istio, flag);
    };
    let mut repo = match in_overlays {
        true => overlays::repository(&mut choices, provider),
        false => manifests::repository(&mut choices, provider),
    };
    let flag = flags::among_objects(&mut choices, &mut repo);
    (repo, provider, flag)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_life_of_one_image_flips_the_flag_alone(
        choices in choices(), system in 0..=SYSTEMS.len(), in_overlays in any::<bool>(), moment in 0_usize..18, mark in 0_usize..4,
    ) {
        let (repo, provider, flag) = flagged(&choices, system, in_overlays);
        flag_alone(repo, provider, flag, moment, mark)?;
    }

    #[test]
    fn abort_of_one_image_gives_the_start_back(
        choices in choices(), system in 0..=SYSTEMS.len(), in_overlays in any::<bool>(), stop in 0_usize..16,
    ) {
        let (repo, provider, flag) = flagged(&choices, system, in_overlays);
        back_with_flag(repo, provider, flag, stop)?;
    }
}

/// The pipeline writes the tag of the new code.
fn ship(repo: &mut MemoryRepo) {
    let path = RepoPath::new("gap/gap.yaml").expect("a path");
    let text = repo.files()[&path].replacen(generate::TAG, "b00b1e55", 1);
    repo.set(path, Some(text));
}
