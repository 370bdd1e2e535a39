//! What a Rollout says, and what the controller has against it: an invalid one gets no pods, and one that had some keeps them as
//! they are.
//!
//! Source: Argo Rollouts, `pkg/apis/rollouts/validation` (`ValidateRollout`, `ValidateRolloutReferencedResources`): what it finds puts
//! the Rollout into the condition `InvalidSpec`.

use serde_json::Value;

/// A VirtualService whose weights a Rollout moves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub(super) name: String,
    /// The routes by name; none where it names none.
    pub(super) routes: Vec<String>,
    /// Where it is named.
    pub(super) at: Vec<String>,
}

/// The Deployment that a Rollout takes its pods' template from.
pub(super) fn target_of(rollout: &Value) -> Option<&str> {
    let target = rollout.pointer("/spec/workloadRef")?;
    let is_deployment = target.get("kind").and_then(Value::as_str) == Some("Deployment");
    target.get("name")?.as_str().filter(|_| is_deployment)
}

/// Whether the controller itself scales that Deployment to nothing. Source: Argo Rollouts, "Migrating", `scaleDown`.
pub(super) fn scales_down(rollout: &Value) -> bool {
    let says = rollout
        .pointer("/spec/workloadRef/scaleDown")
        .and_then(Value::as_str);
    matches!(says, Some("onsuccess" | "progressively"))
}

/// The Services whose selectors the controller narrows to pods of one version, each with the place that names it.
pub(super) const SERVICES: [[&str; 3]; 6] = [
    ["strategy", "canary", "stableService"],
    ["strategy", "canary", "canaryService"],
    ["strategy", "canary", "pingPong/pingService"],
    ["strategy", "canary", "pingPong/pongService"],
    ["strategy", "blueGreen", "activeService"],
    ["strategy", "blueGreen", "previewService"],
];

/// The path below `spec` of one of [`SERVICES`].
pub(super) fn path(of: [&'static str; 3]) -> Vec<&'static str> {
    std::iter::once("spec")
        .chain(of.into_iter().flat_map(|part| part.split('/')))
        .collect()
}

/// The Services that it names, with their paths.
pub(super) fn services(rollout: &Value) -> impl Iterator<Item = (Vec<&'static str>, &str)> {
    SERVICES.into_iter().filter_map(move |of| {
        let path = path(of);
        let named = path.iter().try_fold(rollout, |value, key| value.get(key))?;
        Some((path, named.as_str()?))
    })
}

pub(super) fn stable_service(rollout: &Value) -> Option<&str> {
    rollout.pointer("/spec/strategy/canary/stableService")?.as_str()
}

pub(super) fn canary_service(rollout: &Value) -> Option<&str> {
    rollout.pointer("/spec/strategy/canary/canaryService")?.as_str()
}

/// The VirtualServices that it names: one, or several.
pub(super) fn virtual_services(rollout: &Value) -> Vec<Named> {
    let Some(istio) = rollout.pointer("/spec/strategy/canary/trafficRouting/istio") else {
        return Vec::new();
    };
    let base = ["spec", "strategy", "canary", "trafficRouting", "istio"];
    let named = |value: &Value, below: &[&str]| {
        let routes = value.get("routes").and_then(Value::as_array);
        let routes = routes.into_iter().flatten().filter_map(Value::as_str);
        Some(Named {
            name: value.get("name")?.as_str()?.to_owned(),
            routes: routes.map(str::to_owned).collect(),
            at: base.iter().chain(below).map(|key| (*key).to_owned()).collect(),
        })
    };
    let one = istio
        .get("virtualService")
        .and_then(|one| named(one, &["virtualService"]));
    let several = istio.get("virtualServices").and_then(Value::as_array);
    let several = several.into_iter().flatten().enumerate();
    let several = several.filter_map(|(index, value)| named(value, &["virtualServices", &index.to_string()]));
    one.into_iter().chain(several).collect()
}

/// What each route that a Rollout moves has to name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ends {
    /// A Service for each version.
    Hosts {
        stable: Option<String>,
        canary: Option<String>,
    },
    /// A subset for each version.
    Subsets { stable: String, canary: String },
}

impl Ends {
    pub(super) fn of(rollout: &Value) -> Self {
        let rule = rollout.pointer("/spec/strategy/canary/trafficRouting/istio/destinationRule");
        let subset = |key: &str| Some(rule?.get(key)?.as_str()?.to_owned());
        match (subset("stableSubsetName"), subset("canarySubsetName")) {
            (Some(stable), Some(canary)) => Self::Subsets { stable, canary },
            _ => Self::Hosts {
                stable: stable_service(rollout).map(str::to_owned),
                canary: canary_service(rollout).map(str::to_owned),
            },
        }
    }

    /// Whether an entry of a route is the stable version's, or the canary's.
    fn is(&self, entry: &Value, is_canary: bool) -> bool {
        let text = |key: &str| entry.pointer("/destination")?.get(key)?.as_str();
        // Source: Argo Rollouts, `getHost`: what follows the first dot does not count.
        let host = text("host").and_then(|host| host.split('.').next());
        match self {
            Self::Hosts { stable, canary } => {
                let wanted = if is_canary { canary } else { stable };
                wanted.is_some() && host == wanted.as_deref()
            }
            Self::Subsets { stable, canary } => {
                let wanted = if is_canary { canary } else { stable };
                text("subset") == Some(wanted)
            }
        }
    }

    fn name(&self, is_canary: bool) -> &str {
        match self {
            Self::Hosts { stable, canary } => {
                let wanted = if is_canary { canary } else { stable };
                wanted.as_deref().unwrap_or_default()
            }
            Self::Subsets { stable, canary } => match is_canary {
                true => canary,
                false => stable,
            },
        }
    }
}

/// What a route of a VirtualService lacks, in the words of a sentence about the VirtualService; `None` where the controller can
/// move its weights.
pub(super) fn lacking(routes: &Value, named: &Named, ends: &Ends) -> Option<String> {
    let http = routes.pointer("/spec/http").and_then(Value::as_array);
    let http = http.map_or(&[][..], Vec::as_slice);
    let name_of = |route: &Value| route.get("name").and_then(Value::as_str).map(str::to_owned);
    let moved: Vec<&Value> = match (named.routes.as_slice(), http) {
        ([], [only]) => vec![only],
        ([], []) => return Some("has no route".to_owned()),
        ([], _) => return Some("has several routes, of which it names none".to_owned()),
        (names, _) => {
            let found = |name: &String| http.iter().find(|route| name_of(route).as_ref() == Some(name));
            if let Some(missing) = names.iter().find(|name| found(name).is_none()) {
                return Some(format!("has no route `{missing}`"));
            }
            names.iter().filter_map(found).collect()
        }
    };
    moved.into_iter().find_map(|route| {
        let lacks = [false, true].into_iter().find(|is_canary| {
            let mut entries = entries(route);
            !entries.any(|entry| ends.is(entry, *is_canary))
        })?;
        let to = ends.name(lacks);
        Some(match name_of(route) {
            Some(name) => format!("does not lead to `{to}` in its route `{name}`"),
            None => format!("does not lead to `{to}`"),
        })
    })
}

/// The entries of the routes that a Rollout moves, with other weights than everything to the stable version: the index of the
/// route and of the entry, and the weight.
pub(super) fn other_weights(routes: &Value, named: &Named, ends: &Ends) -> Vec<(usize, usize, u64)> {
    let http = routes.pointer("/spec/http").and_then(Value::as_array);
    let mut found = Vec::new();
    for (route_index, route) in http.into_iter().flatten().enumerate() {
        let name = route.get("name").and_then(Value::as_str);
        let is_moved = named.routes.is_empty()
            || name.is_some_and(|name| named.routes.iter().any(|known| known == name));
        if !is_moved {
            continue;
        }
        for (entry_index, entry) in entries(route).enumerate() {
            let weight = entry.get("weight").and_then(Value::as_u64).unwrap_or(0);
            if ends.is(entry, true) && weight > 0 {
                found.push((route_index, entry_index, weight));
            }
        }
    }
    found
}

fn entries(route: &Value) -> impl Iterator<Item = &Value> {
    let entries = route.get("route").and_then(Value::as_array);
    entries.into_iter().flatten()
}

/// What a step can do. Source: definition of v1alpha1, `CanaryStep`.
const ACTIONS: [&str; 8] = [
    "analysis",
    "experiment",
    "pause",
    "plugin",
    "setCanaryScale",
    "setHeaderRoute",
    "setMirrorRoute",
    "setWeight",
];

/// Something wrong with a step.
pub(super) struct WrongStep {
    pub(super) index: usize,
    pub(super) message: String,
    pub(super) hint: String,
}

/// What the controller has against the steps.
pub(super) fn wrong_steps(rollout: &Value) -> Vec<WrongStep> {
    let canary = rollout.pointer("/spec/strategy/canary");
    let routing = canary.and_then(|canary| canary.get("trafficRouting"));
    let managed = routing.and_then(|routing| routing.get("managedRoutes")?.as_array());
    let managed: Vec<&str> = managed
        .into_iter()
        .flatten()
        .filter_map(|route| route.get("name")?.as_str())
        .collect();
    // Source: Argo Rollouts, `maxTrafficWeight`, for nginx and plugins.
    let most = routing.and_then(|routing| routing.get("maxTrafficWeight")?.as_u64());
    let most = most.unwrap_or(100);
    let steps = canary.and_then(|canary| canary.get("steps")?.as_array());
    let mut found = Vec::new();
    for (index, step) in steps.into_iter().flatten().enumerate() {
        let mut wrong = |message: String, hint: String| {
            found.push(WrongStep { index, message, hint });
        };
        let actions: Vec<&str> = ACTIONS
            .into_iter()
            .filter(|action| step.get(action).is_some())
            .collect();
        match actions.as_slice() {
            [] => wrong(
                "does nothing".to_owned(),
                format!("give it one of these: {}", ACTIONS.join(", ")),
            ),
            [_] => {}
            several => wrong(
                format!("does {} things: {}", several.len(), several.join(", ")),
                "make each a step of its own".to_owned(),
            ),
        }
        if let Some(weight) = step.get("setWeight")
            && weight.as_u64().is_none_or(|weight| weight > most)
        {
            wrong(
                format!("sets the weight to {weight}"),
                format!("write a whole number from 0 to {most}"),
            );
        }
        for action in ["setCanaryScale", "setHeaderRoute", "setMirrorRoute"] {
            if step.get(action).is_some() && routing.is_none() {
                wrong(
                    format!("says `{action}`, and there is no `trafficRouting`"),
                    "take it out, or say what routes the requests".to_owned(),
                );
            }
        }
        for action in ["setHeaderRoute", "setMirrorRoute"] {
            let name = step.get(action).and_then(|route| route.get("name")?.as_str());
            if let Some(name) = name.filter(|name| routing.is_some() && !managed.contains(name)) {
                wrong(
                    format!("says `{action}` of `{name}`, which is not among the managed routes"),
                    format!("add `{{name: {name}}}` to `trafficRouting.managedRoutes`"),
                );
            }
        }
    }
    found
}

/// What the controller has against the strategy itself, whatever else there is: the path below `spec.strategy`, and a sentence.
pub(super) fn wrong_strategy(rollout: &Value) -> Option<(&'static [&'static str], String)> {
    let strategy = rollout.pointer("/spec/strategy");
    let has = |key: &str| strategy.is_some_and(|strategy| strategy.get(key).is_some());
    match (has("canary"), has("blueGreen")) {
        (false, false) => return Some((&[], "has no strategy".to_owned())),
        (true, true) => return Some((&[], "has two strategies".to_owned())),
        _ => {}
    }
    let (stable, canary) = (stable_service(rollout), canary_service(rollout));
    if let Some(stable) = stable.filter(|_| stable == canary) {
        let message = format!("names `{stable}` as the Service of both versions");
        return Some((&["canary", "canaryService"], message));
    }
    let routing = rollout.pointer("/spec/strategy/canary/trafficRouting")?;
    let istio = routing.get("istio")?;
    if istio.get("destinationRule").is_some() || (stable.is_some() && canary.is_some()) {
        return None;
    }
    let missing = match stable {
        None => "stableService",
        Some(_) => "canaryService",
    };
    let message = format!("routes requests and has no `{missing}`");
    Some((&["canary", "trafficRouting"], message))
}
