//! An object that a release of one application puts into the cluster, and another application as well: whichever is applied
//! last wins, and the first to be taken down takes it from both.
//!
//! Objects are the same where kind, name and namespace are, in environments of one name. An object whose files name no
//! namespace lives where whoever applies it says, so nothing can be told of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Environment, Release};
use crate::repo::RepoPath;

/// What the releases of applications put into each environment.
#[derive(Debug, Default)]
pub struct Claims {
    /// By environment and name.
    claims: HashMap<String, HashMap<String, Vec<Claim>>>,
}

#[derive(Debug)]
struct Claim {
    object: ObjectRef,
    application: RepoPath,
    workload: String,
}

impl Claims {
    /// Adds those of one more application.
    pub fn add(&mut self, application: &Application) {
        for (name, environment) in &application.environments {
            for release in &application.releases {
                let of_environment = self.claims.entry(name.clone()).or_default();
                for manifest in put_there(application, environment, release) {
                    let claim = Claim {
                        object: manifest.object.clone(),
                        application: application.at.clone(),
                        workload: release.workload.clone(),
                    };
                    let claims = of_environment.entry(manifest.object.name.clone()).or_default();
                    claims.push(claim);
                }
            }
        }
    }

    /// The objects of an application that a release of another one puts there, too; each at the first environment that shows it.
    pub fn contested(&self, application: &Application) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = Vec::new();
        for (name, environment) in &application.environments {
            let Some(claims) = self.claims.get(name) else {
                continue;
            };
            for manifest in environment.rendered.iter() {
                let claims = claims.get(&manifest.object.name).into_iter().flatten();
                let mut others = claims.filter(|claim| claim.application != application.at);
                let contested = others.find(|claim| is_same(&claim.object, &manifest.object));
                if found
                    .iter()
                    .any(|known| known.location.as_ref() == Some(&manifest.origin))
                {
                    continue;
                }
                found.extend(contested.map(|claim| diagnostic(claim, manifest, name)));
            }
        }
        found
    }
}

/// The objects of an application as numbers: equal where objects are the same, and by chance hardly ever. By them the few
/// applications are found that have to be compared, without keeping the others.
#[derive(Debug, Default)]
pub struct Marks {
    /// Of every object.
    pub all: Vec<u64>,
    /// Of those that a release puts there.
    pub released: Vec<u64>,
}

impl Marks {
    /// Those of an application.
    pub fn of(application: &Application) -> Self {
        let mut marks = Self::default();
        for (name, environment) in &application.environments {
            let all = environment
                .rendered
                .iter()
                .filter_map(|manifest| mark(name, &manifest.object));
            marks.all.extend(all);
            for release in &application.releases {
                let put = put_there(application, environment, release).into_iter();
                marks
                    .released
                    .extend(put.filter_map(|manifest| mark(name, &manifest.object)));
            }
        }
        marks
    }
}

/// `None` for an object whose namespace is not known.
fn mark(environment: &str, object: &ObjectRef) -> Option<u64> {
    let namespace = object.namespace.as_ref()?;
    let mut hasher = DefaultHasher::new();
    (environment, object.group(), &object.kind, namespace, &object.name).hash(&mut hasher);
    Some(hasher.finish())
}

/// The objects of the copy, and those of files that are ours.
fn put_there<'a>(
    application: &'a Application,
    environment: &'a Environment,
    release: &Release,
) -> Vec<&'a Manifest> {
    let parts = environment.parts.get(&release.copy).into_iter().flatten();
    let of_copy = parts.filter_map(|index| environment.base.get(*index));
    let of_copy: Vec<&ObjectRef> = of_copy.map(|manifest| &manifest.object).collect();
    let is_put = |manifest: &&Manifest| {
        let object = &manifest.object;
        let mut of_copy = of_copy.iter();
        application.owns(&manifest.origin)
            || of_copy.any(|part| object.is(part.group(), &part.kind) && object.name == part.name)
    };
    environment.rendered.iter().filter(is_put).collect()
}

fn is_same(one: &ObjectRef, other: &ObjectRef) -> bool {
    one.is(other.group(), &other.kind)
        && one.name == other.name
        && one.namespace.is_some()
        && one.namespace == other.namespace
}

fn diagnostic(claim: &Claim, manifest: &Manifest, environment: &str) -> Diagnostic {
    let Claim {
        object,
        application,
        workload,
    } = claim;
    let folder = if application.as_str().is_empty() {
        "."
    } else {
        application.as_str()
    };
    let message =
        format!("{object} in {environment} is also put there by the release of `{workload}` in {folder}");
    Diagnostic::error(Code::ContestedObject, message)
        .at(manifest.origin.clone())
        .hint("rename one of them, or give them different namespaces, before the release goes on")
}
