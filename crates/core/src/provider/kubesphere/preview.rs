//! The preview of a release in a Strategy: its template has the rules of a VirtualService.
//!
//! Source: KubeSphere's manual, "Canary Release" by request content: a rule with `match` before the one with weights; "Traffic
//! Mirroring": `mirror` in a rule.

use jsonptr::PointerBuf;
use serde_json::{Value, json};

use super::{Component, lists};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::first_difference;
use crate::model::{Routes, Version, Weight};
use crate::provider::istio::preview;
use crate::provider::preview::other_preview;
use crate::provider::set_weight;

/// The rules of a Strategy for HTTP.
const RULES: &str = "/spec/template/spec/http";

impl Component<'_> {
    /// What each rule names: the stable version, the canary, others.
    fn names(&self, rule: &Value) -> [bool; 3] {
        let mut names = [false; 3];
        let entries = rule.get("route").and_then(Value::as_array);
        for entry in entries.into_iter().flatten() {
            match self.version(entry) {
                Some(Version::Stable) => names[0] = true,
                Some(Version::Canary) => names[1] = true,
                None => names[2] = true,
            }
        }
        names
    }

    /// Whether a rule sends the requests of a preview to the canary, while others are split.
    fn is_chosen(&self, rules: &[Value], rule: &Value) -> bool {
        let is_split = |rule: &Value| self.names(rule).starts_with(&[true, true]);
        rule.get("match").is_some() && self.names(rule) == [false, true, false] && rules.iter().any(is_split)
    }

    fn is_mirrored(&self, rule: &Value) -> bool {
        let mut mirrors = preview::mirrors(rule).into_iter();
        mirrors.any(|destination| self.version(&json!({"destination": destination})) == Some(Version::Canary))
    }

    /// The places of a preview in a Strategy, the last first: what it takes to end it, or its copies alone.
    fn preview_places(&self, strategy: &Value, keeps_matches: bool) -> Vec<PointerBuf> {
        let rules = strategy.pointer(RULES).and_then(Value::as_array);
        let rules = rules.map_or(&[][..], Vec::as_slice);
        let mut places = Vec::new();
        for (index, rule) in rules.iter().enumerate().rev() {
            let at = PointerBuf::parse(format!("{RULES}/{index}")).unwrap_or_default();
            if self.is_chosen(rules, rule) {
                places.extend((!keeps_matches).then_some(at));
            } else if self.is_mirrored(rule) {
                let fields = preview::MIRROR.iter().filter(|field| rule.get(**field).is_some());
                places.extend(fields.map(|field| at.with_trailing_token(*field)));
            }
        }
        places
    }

    /// Lists of destinations that weights are set in.
    pub(super) fn split_lists(&self, strategy: &Value) -> Vec<PointerBuf> {
        let chosen = self.preview_places(strategy, false);
        let is_chosen = |list: &PointerBuf| {
            list.parent()
                .is_some_and(|rule| chosen.iter().any(|at| rule == *at))
        };
        lists(strategy)
            .into_iter()
            .filter(|list| !is_chosen(list))
            .collect()
    }

    /// The JSON patch that ends what of a preview other routes do not have.
    pub(super) fn preview_operations(&self, strategy: &Value, routes: Routes) -> Vec<Value> {
        let places = match routes {
            Routes::Preview(Weight::ZERO) => Vec::new(),
            Routes::Preview(_) => self.preview_places(strategy, true),
            _ => self.preview_places(strategy, false),
        };
        let remove = |place: PointerBuf| json!({"op": "remove", "path": place.as_str()});
        places.into_iter().map(remove).collect()
    }

    pub(super) fn has_preview(&self, strategy: &Value) -> bool {
        !self.preview_places(strategy, false).is_empty()
    }

    pub(super) fn end_preview(&self, strategy: &mut Value) {
        let Some(before) = strategy.pointer(RULES).and_then(Value::as_array).cloned() else {
            return;
        };
        let lasting = before.iter().filter(|rule| !self.is_chosen(&before, rule));
        let lasting = lasting.map(|rule| {
            let mut rule = rule.clone();
            if self.is_mirrored(&rule) {
                preview::remove_mirror(&mut rule);
            }
            rule
        });
        strategy["spec"]["template"]["spec"]["http"] = lasting.collect();
    }

    /// Puts the preview of the release into a Strategy whose rules have weights.
    ///
    /// Errors: a rule that cannot have its part in it.
    pub(super) fn begin_preview(&self, strategy: &mut Value, share: Weight) -> Result<(), Diagnostic> {
        let wanted = self.release.preview(&self.environment.name);
        let before = strategy.pointer(RULES).and_then(Value::as_array).cloned();
        let mut after = Vec::new();
        for mut rule in before.into_iter().flatten() {
            if self.names(&rule).starts_with(&[true, true]) {
                let entries = rule.get("route").and_then(Value::as_array);
                let mut entries = entries.into_iter().flatten();
                let canary = entries.find(|entry| self.version(entry) == Some(Version::Canary));
                let mut canary = canary.cloned().unwrap_or_default();
                set_weight(&mut canary, Some(100));
                let chosen = preview::chosen(&rule, &wanted.matches)
                    .map_err(|reason| self.refused(&reason, "match"))?;
                if let Some(mut chosen) = chosen {
                    chosen["route"] = json!([canary]);
                    after.push(chosen);
                }
                if let (Some(copied), Weight::ZERO) = (wanted.mirror, share) {
                    if !preview::mirrors(&rule).is_empty() {
                        return Err(self.refused("sends copies of its requests already", "mirror"));
                    }
                    preview::set_mirror(&mut rule, &canary["destination"], copied);
                }
            }
            after.push(rule);
        }
        if !after.is_empty() {
            strategy["spec"]["template"]["spec"]["http"] = Value::Array(after);
        }
        Ok(())
    }

    fn refused(&self, reason: &str, key: &str) -> Diagnostic {
        let what = self.strategy.unwrap_or(self.service);
        Diagnostic::error(
            Code::UnsupportedRoute,
            format!("a rule of {} {reason}", what.object),
        )
        .at(what.origin.clone())
        .hint(format!(
            "leave `{key}` out of the release, or change the rule before it"
        ))
    }

    /// A preview that is not the one of the release file: the next transition writes that.
    pub(super) fn other_preview(&self, routes: Routes) -> Option<Diagnostic> {
        let strategy = self.strategy?;
        let wanted = self.strategy(routes).ok()?;
        let path = first_difference(&strategy.value, &wanted)?;
        let wanted = self.release.preview(&self.environment.name);
        Some(other_preview(
            wanted,
            &strategy.object,
            strategy.origin.below_pointer(&path),
        ))
    }
}
