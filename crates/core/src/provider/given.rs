//! Objects that give a Deployment to a controller: what is wrong with the Deployment that they name, whichever controller it is.

use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::manifest::Manifest;
use crate::model::Environment;

/// How the objects of one controller name their Deployment.
pub(super) struct Givers {
    /// The controller, for a person.
    pub(super) controller: &'static str,
    /// API group and kind.
    pub(super) kind: (&'static str, &'static str),
    /// The Deployment that one names, and where.
    pub(super) target_of: fn(&Value) -> Option<&str>,
    pub(super) at: [&'static str; 3],
}

impl Givers {
    /// Those of an environment.
    pub(super) fn of<'e>(
        &self,
        environment: &'e Environment,
    ) -> impl Iterator<Item = &'e Manifest> + use<'e> {
        environment.rendered.of_kind(self.kind.0, self.kind.1)
    }

    /// Two objects for one Deployment.
    pub(super) fn twice(&self, environment: &Environment) -> Vec<Diagnostic> {
        let all: Vec<&Manifest> = self.of(environment).collect();
        let mut found = Vec::new();
        for (index, giver) in all.iter().enumerate() {
            let target = (self.target_of)(&giver.value);
            let same = |other: &&&Manifest| target.is_some() && (self.target_of)(&other.value) == target;
            let Some(first) = all[..index].iter().find(same) else {
                continue;
            };
            let message = format!(
                "{} and {} both move the requests of `{}`",
                first.object,
                giver.object,
                target.unwrap_or_default()
            );
            let problem = Diagnostic::error(Code::ContestedTarget, message).at(giver.origin.below(&self.at));
            let given = format!("given to {} here already", self.controller);
            let problem = problem.related(first.origin.below(&self.at), given);
            found.push(problem.hint("keep one of the two"));
        }
        found
    }

    /// A Deployment that is not there. What a chart makes cannot be seen.
    pub(super) fn no_target(&self, environment: &Environment, giver: &Manifest) -> Option<Diagnostic> {
        let target = (self.target_of)(&giver.value)?;
        let mut objects = environment.rendered.iter();
        if objects.any(|object| object.object.kind == "HelmRelease")
            || environment.rendered.find("apps", "Deployment", target).is_some()
        {
            return None;
        }
        let message = format!("there is no Deployment `{target}` in {}", environment.name);
        let deployments = environment.rendered.of_kind("apps", "Deployment");
        let hint = format!("deploy it, or take the {} away", self.kind.1);
        Some(unknown(message, giver, &self.at, target, deployments, &hint))
    }
}

/// A name of something that is not there.
pub(super) fn unknown<'m>(
    message: String,
    at: &Manifest,
    path: &[&str],
    name: &str,
    known: impl Iterator<Item = &'m Manifest>,
    hint: &str,
) -> Diagnostic {
    let problem = Diagnostic::error(Code::UnknownName, message).at(at.origin.below(path));
    let names = known.map(|known| known.object.name.as_str());
    match nearest(name, names) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(hint),
    }
}
