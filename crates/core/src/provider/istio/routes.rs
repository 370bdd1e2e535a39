//! The `http` rules of a VirtualService: how a rule that reaches a Service is split between two subsets,
//! and read back, with everything else in it kept.

use serde_json::{Value, json};

use super::preview;
use crate::model::{Routes, Weight};
use crate::preview::Preview;
use crate::provider::set_weight;

/// How the routes to one host are split.
pub(super) struct Split<'a> {
    /// Whether a destination's host is the one that is split.
    pub(super) is_host: Box<dyn Fn(&str) -> bool + 'a>,
    /// Name of the stable version's subset.
    pub(super) stable: &'a str,
    /// Name of the canary's subset.
    pub(super) canary_subset: &'a str,
    /// The weight that a single destination said before the release, if it said one.
    pub(super) from_weight: Option<u64>,
    /// The requests that meet the canary whatever its share is.
    pub(super) preview: &'a Preview,
}

/// A rule that cannot carry the split.
pub(super) struct Unsplittable {
    /// Its index in `http`.
    pub(super) rule_index: usize,
    /// What of it: `route`, `match` or `mirror`.
    pub(super) part: &'static str,
    /// Why, to follow "route 1 of VirtualService/x".
    pub(super) reason: String,
}

/// Why a rule cannot be read, to follow "route 1 of VirtualService/x".
pub(super) enum Unreadable {
    /// Its destinations are not of one release.
    Destinations(String),
    /// Its weights make no shares.
    Weights(String),
}

/// The destinations of a rule that reach the host.
enum Reaches<'a> {
    /// The rule does not reach the host.
    No,
    /// One destination, no version named.
    Plain(&'a Value),
    /// The versions named: stable if it is, canary if it is.
    Versions {
        stable: Option<(usize, &'a Value)>,
        canary: Option<(usize, &'a Value)>,
    },
}

impl Split<'_> {
    /// The list with every rule that reaches the host as wanted; `None` where no rule reaches it.
    pub(super) fn apply(&self, http: &[Value], wanted: Routes) -> Result<Option<Vec<Value>>, Unsplittable> {
        let mut rules = Vec::new();
        let mut reaches_host = false;
        for rule_index in self.lasting(http) {
            let failed = |part| {
                move |reason| Unsplittable {
                    rule_index,
                    part,
                    reason,
                }
            };
            let mut rule = http[rule_index].clone();
            let route = self.route(&rule, wanted).map_err(failed("route"))?;
            if self.is_mirrored(&rule) {
                preview::remove_mirror(&mut rule);
            }
            if let (Some(route), Some(fields)) = (route, rule.as_object_mut()) {
                reaches_host = true;
                fields.insert("route".to_owned(), Value::Array(route));
                if let Routes::Preview(share) = wanted {
                    rules.extend(self.chosen(&rule).map_err(failed("match"))?);
                    self.mirror(&mut rule, share).map_err(failed("mirror"))?;
                }
            }
            rules.push(rule);
        }
        Ok(reaches_host.then_some(rules))
    }

    /// The rules that are there without a preview, by their index.
    pub(super) fn lasting(&self, http: &[Value]) -> Vec<usize> {
        let is_lasting = |index: &usize| !self.is_chosen(http, &http[*index]);
        (0..http.len()).filter(is_lasting).collect()
    }

    /// Whether a rule sends the requests of a preview to the canary: those that match, while others are split.
    pub(super) fn is_chosen(&self, http: &[Value], rule: &Value) -> bool {
        let names = |rule: &Value| self.read(rule).ok().flatten();
        let is_split = |rule: &Value| matches!(names(rule), Some(Routes::Both(_)));
        rule.get("match").is_some() && names(rule) == Some(Routes::CanaryOnly) && http.iter().any(is_split)
    }

    /// Whether a rule sends copies to the canary.
    pub(super) fn is_mirrored(&self, rule: &Value) -> bool {
        let mut mirrors = preview::mirrors(rule).into_iter();
        mirrors.any(|mirror| {
            let text = |key: &str| mirror.get(key).and_then(Value::as_str);
            text("host").is_some_and(&*self.is_host) && text("subset") == Some(self.canary_subset)
        })
    }

    /// A rule that is split, for the requests of a preview; `None` where it has none of them.
    fn chosen(&self, rule: &Value) -> Result<Option<Value>, String> {
        let Some(mut chosen) = preview::chosen(rule, &self.preview.matches)? else {
            return Ok(None);
        };
        let mut canary = self.canary_entry(rule);
        canary.iter_mut().for_each(|entry| set_weight(entry, None));
        chosen["route"] = Value::Array(canary.into_iter().collect());
        Ok(Some(chosen))
    }

    fn canary_entry(&self, rule: &Value) -> Option<Value> {
        match self.reaches(rule) {
            Ok(Reaches::Versions { canary, .. }) => Some(canary?.1.clone()),
            _ => None,
        }
    }

    fn mirror(&self, rule: &mut Value, share: Weight) -> Result<(), String> {
        let (Some(copied), Weight::ZERO) = (self.preview.mirror, share) else {
            return Ok(());
        };
        if !preview::mirrors(rule).is_empty() {
            return Err("sends copies of its requests already".to_owned());
        }
        let entry = self.canary_entry(rule);
        if let Some(destination) = entry.as_ref().and_then(|entry| entry.get("destination")) {
            preview::set_mirror(rule, destination, copied);
        }
        Ok(())
    }

    /// The list as it is without a release, to compare two that differ in their destinations only: left out are the
    /// weight of a single destination, which means nothing, and the destinations of other hosts' rules, which may be
    /// split by releases of their own. `None` where no rule reaches the host.
    pub(super) fn plain(&self, http: &[Value]) -> Result<Option<Vec<Value>>, Unsplittable> {
        let Some(mut rules) = self.apply(http, Routes::Plain)? else {
            return Ok(None);
        };
        for rule in &mut rules {
            match self.reaches(rule) {
                Ok(Reaches::No) => {
                    rule.as_object_mut().and_then(|rule| rule.shift_remove("route"));
                }
                _ => rule
                    .pointer_mut("/route/0")
                    .into_iter()
                    .for_each(|entry| set_weight(entry, None)),
            }
        }
        Ok(Some(rules))
    }

    /// What one rule names; `None` where it does not reach the host.
    pub(super) fn read(&self, rule: &Value) -> Result<Option<Routes>, Unreadable> {
        Ok(match self.reaches(rule).map_err(Unreadable::Destinations)? {
            Reaches::No => None,
            Reaches::Plain(_) => Some(Routes::Plain),
            Reaches::Versions {
                stable: None,
                canary: Some(_),
            } => Some(Routes::CanaryOnly),
            Reaches::Versions {
                stable: Some(_),
                canary: None,
            } => Some(Routes::Both(Weight::ZERO)),
            Reaches::Versions {
                stable: Some((_, stable)),
                canary: Some((_, canary)),
            } => Some(Routes::Both(
                share(weight(canary), weight(stable)).map_err(Unreadable::Weights)?,
            )),
            Reaches::Versions {
                stable: None,
                canary: None,
            } => None,
        })
    }

    /// The weight that one destination of a rule gets, if it is one of the two versions.
    pub(super) fn weight_of(&self, entry: &Value, canary: Weight) -> Option<Weight> {
        let host = entry.pointer("/destination/host")?.as_str()?;
        let subset = entry.pointer("/destination/subset")?.as_str()?;
        match (self.is_host)(host) {
            true if subset == self.stable => Some(canary.rest()),
            true if subset == self.canary_subset => Some(canary),
            _ => None,
        }
    }

    fn reaches<'v>(&self, rule: &'v Value) -> Result<Reaches<'v>, String> {
        let entries = rule
            .get("route")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let host = |entry: &Value| {
            entry
                .pointer("/destination/host")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let (ours, others): (Vec<_>, Vec<_>) = entries
            .iter()
            .enumerate()
            .partition(|(_, entry)| host(entry).is_some_and(|host| (self.is_host)(&host)));
        let Some((_, first)) = ours.first() else {
            return Ok(Reaches::No);
        };
        if let Some((_, other)) = others.first() {
            let host = host(other).unwrap_or_else(|| "another host".to_owned());
            return Err(format!("also goes to {host}, with weights of its own"));
        }
        let subset = |entry: &Value| {
            entry
                .pointer("/destination/subset")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let (mut stable, mut canary) = (None, None);
        for (index, entry) in &ours {
            match subset(entry) {
                None if ours.len() == 1 => return Ok(Reaches::Plain(first)),
                Some(name) if name == self.stable && stable.is_none() => stable = Some((*index, *entry)),
                Some(name) if name == self.canary_subset && canary.is_none() => {
                    canary = Some((*index, *entry))
                }
                Some(name) => {
                    return Err(format!(
                        "goes to the subset `{name}`, which is not of this release"
                    ));
                }
                None => return Err("has several destinations, with weights of its own".to_owned()),
            }
        }
        Ok(Reaches::Versions { stable, canary })
    }

    /// The wanted `route` list of a rule; `None` where it does not reach the host.
    fn route(&self, rule: &Value, wanted: Routes) -> Result<Option<Vec<Value>>, String> {
        let reaches = self.reaches(rule)?;
        let (entry, is_plain) = match &reaches {
            Reaches::No => return Ok(None),
            Reaches::Plain(entry) => (*entry, true),
            Reaches::Versions { stable, canary } => match canary.or(*stable) {
                Some((_, entry)) => (entry, false),
                None => return Ok(None),
            },
        };
        let single = |entry: &Value| {
            let mut entry = entry.clone();
            if !is_plain {
                set_weight(&mut entry, self.from_weight);
            }
            entry
        };
        Ok(Some(match wanted {
            Routes::Plain => {
                let mut entry = single(entry);
                set_subset(&mut entry, None);
                vec![entry]
            }
            Routes::CanaryOnly => {
                let mut entry = single(entry);
                set_subset(&mut entry, Some(self.canary_subset));
                vec![entry]
            }
            Routes::Both(share) | Routes::Preview(share) | Routes::Between(_, share) => {
                let version = |subset: &str, weight: Weight, found: Option<&Value>| {
                    let mut entry = found.unwrap_or(entry).clone();
                    set_subset(&mut entry, Some(subset));
                    set_weight(&mut entry, Some(weight.percent().into()));
                    entry
                };
                let (stable, canary) = match &reaches {
                    Reaches::Versions { stable, canary } => (*stable, *canary),
                    _ => (None, None),
                };
                let is_canary_first = matches!((stable, canary), (Some((s, _)), Some((c, _))) if c < s);
                let stable = version(self.stable, share.rest(), stable.map(|(_, entry)| entry));
                let canary = version(self.canary_subset, share, canary.map(|(_, entry)| entry));
                if is_canary_first {
                    vec![canary, stable]
                } else {
                    vec![stable, canary]
                }
            }
        }))
    }
}

fn weight(entry: &Value) -> u64 {
    entry.get("weight").and_then(Value::as_u64).unwrap_or(0)
}

/// The canary's share of two relative weights. Source: Istio, weights count relative to their sum.
fn share(canary: u64, stable: u64) -> Result<Weight, String> {
    let total = canary.saturating_add(stable);
    if total == 0 {
        return Err("gives both versions weight 0".to_owned());
    }
    if total != 100 {
        return Err(format!("has weights that add up to {total} percent"));
    }
    Weight::new(canary).ok_or_else(|| format!("has a weight of {canary} percent"))
}

fn set_subset(entry: &mut Value, subset: Option<&str>) {
    let Some(destination) = entry.get_mut("destination").and_then(Value::as_object_mut) else {
        return;
    };
    match subset {
        Some(subset) => destination.insert("subset".to_owned(), json!(subset)),
        None => destination.shift_remove("subset"),
    };
}
