//! `tidegate cmp generate`: the manifests of the Application, as `render` prints them.

use std::mem::ManuallyDrop;

use tidegate_core::diagnostic::{Code, Diagnostic, Location};
use tidegate_core::layout::{self, LayoutId};
use tidegate_core::model::{Order, Release};
use tidegate_core::repo::RepoPath;
use tidegate_core::schema::config::Config;

use super::Product;
use super::place::{is_below_spec, named, with_spec};
use super::request::{ANY, ENVIRONMENT, ORDER, Request};
use crate::args::GenerateArgs;
use crate::commands::{Stop, render};
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace, args: &GenerateArgs) -> Result<Product, Stop> {
    let request = Request::from_environment()?;
    let config = workspace.config().map_err(not_sent)?;
    let named = named(workspace, request.path.as_ref());
    let folder = match with_spec(workspace, &named).map_err(not_sent)? {
        Some(folder) => folder,
        None if is_below_spec(workspace, &named)? => return Err(missing(&named).into()),
        None => named,
    };
    let Some(layout) = LayoutId::of(workspace.repo(), &folder, config)? else {
        return Err(missing(&folder).into());
    };
    if layout == LayoutId::Gap && !args.allow_templates {
        let overrides = layout::template_overrides(workspace.repo(), config)?;
        if let Some(file) = overrides.first() {
            return Err(templates_not_allowed(file).into());
        }
    }
    let environment = match request.environment(config) {
        Some(environment) => environment,
        None => only_environment(workspace, layout, &folder, config)?,
    };
    // The process ends with what it prints: nothing of the application need be taken down before.
    let application = &*ManuallyDrop::new(
        workspace
            .load_environment(&folder, &environment)
            .map_err(not_sent)?,
    );
    if request.order == Order::ArgoCd {
        let other = application
            .releases
            .iter()
            .filter(|release| release.order != Order::ArgoCd);
        let refused: Vec<Diagnostic> = other.map(in_any_order).collect();
        if !refused.is_empty() {
            return Err(refused.into());
        }
    }
    let text = match render::manifests(application, &environment) {
        Ok(manifests) => render::stream(manifests),
        Err(_) if args.allow_empty => String::new(),
        Err(left_out) => return Err(left_out.into()),
    };
    if text.is_empty() && !args.allow_empty {
        return Err(nothing(&folder, &environment).into());
    }
    Ok(Product {
        text,
        notices: application.notices.clone(),
    })
}

/// The environment where none is asked for: plain manifests that are the same everywhere have but one.
///
/// Errors: which there are.
fn only_environment(
    workspace: &Workspace,
    layout: LayoutId,
    folder: &RepoPath,
    config: &Config,
) -> Result<String, Stop> {
    let names: Vec<String> = match layout {
        LayoutId::Gap => config.environments.keys().cloned().collect(),
        LayoutId::Kustomize | LayoutId::Manifests => {
            let application = layout::load(workspace.repo(), folder, config)?;
            application.environments.keys().cloned().collect()
        }
    };
    // An overlay by itself, or what is the same everywhere.
    if let ([only], false) = (names.as_slice(), layout == LayoutId::Gap)
        && (only == layout::ALL || folder.file_name() == only)
    {
        return Ok(only.clone());
    }
    let message = "the Application does not say which environment to render";
    let hint = format!(
        "set the plugin's parameter `{ENVIRONMENT}` to one of: {}",
        names.join(", ")
    );
    Err(Diagnostic::error(Code::UnknownName, message).hint(hint).into())
}

fn missing(folder: &RepoPath) -> Diagnostic {
    let message = "no application here: neither gap/gap.yaml nor a Deployment";
    Diagnostic::error(Code::NoApplication, message)
        .at(Location::file(folder))
        .hint("let spec.source.path, or the parameter `path` below it, name the folder that holds `gap/` or manifests")
        .hint(NOT_SENT)
}

const NOT_SENT: &str = "if the file is in the repository, Argo CD did not send it: see reposerver.plugin.tar.exclusions and the \
                        Application's annotation argocd.argoproj.io/manifest-generate-paths";

/// What a link leads to may be in the repository, and only not in what Argo CD sent.
fn not_sent(stop: Stop) -> Stop {
    let Stop::Refused(mut diagnostics) = stop else {
        return stop;
    };
    let links = diagnostics
        .iter_mut()
        .filter(|found| found.code == Code::OutsideRepository);
    links.for_each(|found| found.hints.push(NOT_SENT.to_owned()));
    Stop::Refused(diagnostics)
}

fn templates_not_allowed(file: &RepoPath) -> Diagnostic {
    let refused = Diagnostic::error(
        Code::NotAllowed,
        "templates of a repository are not allowed in this plugin",
    );
    refused.at(Location::file(file)).hint(
        "delete the file, or ask the administrator of Argo CD to run `cmp generate` with --allow-templates",
    )
}

/// What is deployed is what was reviewed: waves come from the files, never from a parameter.
fn in_any_order(release: &Release) -> Diagnostic {
    let message = format!(
        "the release of `{}` does not ask for Argo CD's order, and the parameter `{ORDER}` does",
        release.workload
    );
    let refused = Diagnostic::error(Code::NotAllowed, message);
    let refused = match &release.origin {
        Some(origin) => refused.at(origin.clone()),
        None => refused,
    };
    refused.hint(format!(
        "write `order: argocd` into the release before its first transition, or set `{ORDER}` to {ANY}: each transition is safe in any order"
    ))
}

fn nothing(folder: &RepoPath, environment: &str) -> Diagnostic {
    let message = format!("`{environment}` has no objects, and Argo CD would delete what is deployed");
    Diagnostic::error(Code::NothingRendered, message)
        .at(Location::file(folder))
        .hint(format!(
            "to take everything away delete the Application; `{ENVIRONMENT}` may be the wrong one"
        ))
}
