//! The preview of a release in routes with rules: a rule more before each that is split, and copies.

use jsonptr::PointerBuf;
use serde_json::{Value, json};

use super::Backends;
use super::pair::Pair;
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, first_difference};
use crate::model::{Routes, Version, Weight};
use crate::preview::RequestMatch;
use crate::provider::preview::other_preview;
use crate::provider::{Observed, set_weight};

/// Rules of a route that tell requests apart, each with one list of backends.
pub(in crate::provider) trait Rules {
    /// Where in a route they are.
    fn place(&self) -> &'static str;

    /// A rule once more, for those of its requests that are of one of some kinds: none where no request is of both.
    /// `is_split` says of each rule whether the release splits it.
    ///
    /// Errors: what cannot be said, to follow "rule 1 of HTTPRoute/x".
    fn chosen(
        &self,
        rules: &[Value],
        rule_index: usize,
        is_split: &[bool],
        matches: &[RequestMatch],
    ) -> Result<Vec<Value>, String>;

    /// Whether it can send copies of requests.
    fn can_copy(&self) -> bool {
        false
    }

    /// The backends that a rule sends copies to, as entries of a list, each with the places in the rule that say so.
    fn copied_to(&self, _rule: &Value) -> Vec<(Value, Vec<PointerBuf>)> {
        Vec::new()
    }

    /// Lets a rule send copies of a share of its requests to a backend.
    fn copy(&self, _rule: &mut Value, _entry: &Value, _share: Weight) {}
}

/// A rule that cannot have its part in a preview.
pub(super) struct Unpreviewed {
    place: &'static str,
    rule_index: usize,
    /// The key of the release file that asks for it.
    key: &'static str,
    /// Why, to follow "rule 1 of HTTPRoute/x".
    reason: String,
}

impl Unpreviewed {
    /// Where it is said in a route.
    pub(super) fn of(self, route: &Manifest) -> Diagnostic {
        let Self {
            place,
            rule_index,
            key,
            reason,
        } = self;
        let message = format!("rule {} of {} {reason}", rule_index + 1, route.object);
        let place = PointerBuf::parse(format!("{place}/{rule_index}")).unwrap_or_default();
        Diagnostic::error(Code::UnsupportedRoute, message)
            .at(route.origin.below_pointer(&place))
            .hint(format!(
                "leave `{key}` out of the release, or change the route before it"
            ))
    }
}

impl<B: Backends> Pair<'_, B> {
    /// Lists of backends that weights are set in.
    pub(super) fn split_lists(&self, route: &Manifest) -> Vec<PointerBuf> {
        let value = &route.value;
        let chosen = self.chosen_rules(route, value);
        let chosen: Vec<_> = chosen
            .iter()
            .flat_map(|rule| self.lists_of(value, *rule))
            .collect();
        let lists = self.backends.lists(value).into_iter();
        lists.filter(|list| !chosen.contains(list)).collect()
    }

    /// The lists of one rule.
    fn lists_of(&self, value: &Value, rule_index: usize) -> Vec<PointerBuf> {
        let Some(rules) = self.backends.rules() else {
            return Vec::new();
        };
        let rule = format!("{}/{rule_index}/", rules.place());
        let lists = self.backends.lists(value).into_iter();
        lists.filter(|list| list.as_str().starts_with(&rule)).collect()
    }

    /// What each rule names: the stable version, the canary, others.
    fn names(&self, route: &Manifest, value: &Value) -> Vec<[bool; 3]> {
        let rules = self
            .backends
            .rules()
            .and_then(|rules| value.pointer(rules.place())?.as_array());
        let of = |rule_index| {
            let mut names = [false; 3];
            for list in self.lists_of(value, rule_index) {
                let entries = list.resolve(value).ok().and_then(Value::as_array);
                for entry in entries.into_iter().flatten() {
                    match self.version(route, entry) {
                        Some(Version::Stable) => names[0] = true,
                        Some(Version::Canary) => names[1] = true,
                        None => names[2] = true,
                    }
                }
            }
            names
        };
        (0..rules.map_or(0, Vec::len)).map(of).collect()
    }

    /// The rules that send the requests of a preview to the canary, while others are split.
    fn chosen_rules(&self, route: &Manifest, value: &Value) -> Vec<usize> {
        let names = self.names(route, value);
        if !names.iter().any(|[stable, canary, _]| *stable && *canary) {
            return Vec::new();
        }
        let chosen = names
            .iter()
            .enumerate()
            .filter(|(_, names)| **names == [false, true, false]);
        chosen.map(|(rule_index, _)| rule_index).collect()
    }

    /// The places in a rule that send copies to the canary.
    fn own_copies(&self, route: &Manifest, rule: &Value) -> Vec<PointerBuf> {
        let copies = self.backends.rules().map(|rules| rules.copied_to(rule));
        let own = copies
            .into_iter()
            .flatten()
            .filter(|(entry, _)| self.version(route, entry) == Some(Version::Canary));
        own.flat_map(|(_, places)| places).collect()
    }

    /// The places of a preview in a route, the last first: what it takes to end it, or its copies alone.
    fn preview_places(&self, route: &Manifest, keeps_matches: bool) -> Vec<PointerBuf> {
        let Some(rules) = self.backends.rules() else {
            return Vec::new();
        };
        let chosen = self.chosen_rules(route, &route.value);
        let list = route.value.pointer(rules.place()).and_then(Value::as_array);
        let mut places = Vec::new();
        for (rule_index, rule) in list.map_or(&[][..], Vec::as_slice).iter().enumerate().rev() {
            let at = format!("{}/{rule_index}", rules.place());
            let at = PointerBuf::parse(&at).unwrap_or_default();
            if chosen.contains(&rule_index) {
                places.extend((!keeps_matches).then_some(at));
            } else {
                let copies = self.own_copies(route, rule).into_iter().rev();
                places.extend(copies.map(|place| at.concat(&place)));
            }
        }
        places
    }

    /// The JSON patch that ends what of a preview other routes do not have.
    pub(super) fn preview_operations(&self, route: &Manifest, routes: Routes) -> Vec<Value> {
        let places = match routes {
            Routes::Preview(Weight::ZERO) => Vec::new(),
            Routes::Preview(_) => self.preview_places(route, true),
            _ => self.preview_places(route, false),
        };
        let remove = |place: PointerBuf| json!({"op": "remove", "path": place.as_str()});
        places.into_iter().map(remove).collect()
    }

    /// Takes a preview that a route has out of what the route is to be.
    pub(super) fn end_preview(&self, route: &Manifest, value: &mut Value) {
        for place in self.preview_places(route, false) {
            remove(value, &place);
        }
    }

    /// Puts the preview of the release into a route whose backends are split.
    pub(super) fn begin_preview(
        &self,
        route: &Manifest,
        value: &mut Value,
        share: Weight,
    ) -> Result<(), Unpreviewed> {
        let Some(rules) = self.backends.rules() else {
            return Ok(());
        };
        let preview = self.release.preview(&self.environment.name);
        let is_split: Vec<bool> = self
            .names(route, value)
            .iter()
            .map(|names| names[0] && names[1])
            .collect();
        let before = value
            .pointer(rules.place())
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut after = Vec::new();
        for (rule_index, rule) in before.iter().enumerate() {
            let failed = |key| {
                move |reason| Unpreviewed {
                    place: rules.place(),
                    rule_index,
                    key,
                    reason,
                }
            };
            let mut rule = rule.clone();
            let list = self
                .lists_of(value, rule_index)
                .into_iter()
                .find(|_| is_split[rule_index]);
            if let Some(list) = list {
                let entries = list.resolve(value).ok().and_then(Value::as_array);
                let mut entries = entries.into_iter().flatten();
                let canary = entries.find(|entry| self.version(route, entry) == Some(Version::Canary));
                let canary = canary.cloned().unwrap_or_default();
                // The tokens of the list below its rule.
                let depth = rules.place().matches('/').count() + 1;
                let list = PointerBuf::from_tokens(list.tokens().skip(depth));
                let chosen = rules.chosen(&before, rule_index, &is_split, &preview.matches);
                for mut chosen in chosen.map_err(failed("match"))? {
                    if let Ok(place) = list.resolve_mut(&mut chosen) {
                        let mut only = canary.clone();
                        set_weight(&mut only, self.backends.least_weight());
                        *place = json!([only]);
                    }
                    after.push(chosen);
                }
                if let (Some(copied), Weight::ZERO) = (preview.mirror, share) {
                    if !rules.copied_to(&rule).is_empty() {
                        return Err(failed("mirror")(
                            "sends copies of its requests already".to_owned(),
                        ));
                    }
                    rules.copy(&mut rule, &canary, copied);
                }
            }
            after.push(rule);
        }
        if let Some(place) = value.pointer_mut(rules.place()) {
            *place = Value::Array(after);
        }
        Ok(())
    }

    /// Says of routes with weights whether they have a preview too, and whether it is that of the release.
    pub(super) fn observe_preview(&self, observed: &mut Observed) {
        let Routes::Both(share) = observed.routes else {
            return;
        };
        let previewing: Vec<_> = self
            .all_routes()
            .filter(|route| !self.preview_places(route, false).is_empty())
            .collect();
        if previewing.is_empty() {
            return;
        }
        observed.routes = Routes::Preview(share);
        let preview = self.release.preview(&self.environment.name);
        for route in self.all_routes() {
            let wanted = self.wanted(route, observed.routes, None);
            let path = wanted
                .ok()
                .and_then(|wanted| first_difference(&route.value, &wanted));
            let at = path.map(|path| route.origin.below_pointer(&path));
            observed
                .drift
                .extend(at.map(|at| other_preview(preview, &route.object, at)));
        }
    }
}

/// Takes a place out of a value, if it is there.
fn remove(value: &mut Value, place: &PointerBuf) {
    let (Some(parent), Some(last)) = (place.parent(), place.last()) else {
        return;
    };
    match parent.resolve_mut(value) {
        Ok(Value::Object(map)) => drop(map.shift_remove(last.decoded().as_ref())),
        Ok(Value::Array(list)) => {
            let index = last
                .decoded()
                .parse::<usize>()
                .ok()
                .filter(|index| *index < list.len());
            index.map(|index| list.remove(index));
        }
        _ => {}
    }
}
