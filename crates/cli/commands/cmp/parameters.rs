//! `tidegate cmp parameters`: what an Application can set, as Argo CD shows it.

use serde::Serialize;

use super::Product;
use super::request::{ENVIRONMENT, ORDER, PATH, Request};
use crate::commands::Stop;
use crate::workspace::Workspace;

/// One parameter of the plugin. Source: `ParameterAnnouncement` in `reposerver/repository/repository.proto`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Announcement {
    name: &'static str,
    title: &'static str,
    tooltip: String,
    /// A hint for the user interface; a missing value is refused by `generate`.
    required: bool,
    item_type: &'static str,
    collection_type: &'static str,
    /// What counts where the Application says nothing.
    string: String,
}

pub(super) fn run(workspace: &Workspace) -> Result<Product, Stop> {
    let config = workspace.config()?;
    let names: Vec<&str> = config.environments.keys().map(String::as_str).collect();
    let default = Request::default_environment(config);
    let parameters = [
        Announcement {
            name: ENVIRONMENT,
            title: "Environment",
            tooltip: format!("Which environment to render, one of: {}", names.join(", ")),
            required: default.is_none(),
            item_type: "string",
            collection_type: "string",
            string: default.unwrap_or_default(),
        },
        Announcement {
            name: PATH,
            title: "Path",
            tooltip: "The folder that holds gap/ or manifests, from the Application's source path".to_owned(),
            required: false,
            item_type: "string",
            collection_type: "string",
            string: Request::default_path().map_or_else(|| ".".to_owned(), |path| path.to_string()),
        },
        Announcement {
            name: ORDER,
            title: "Order",
            tooltip: "any, or argocd: releases are rendered only where their files ask for Argo CD's order"
                .to_owned(),
            required: false,
            item_type: "string",
            collection_type: "string",
            string: Request::default_order().to_owned(),
        },
    ];
    let text = serde_json::to_string(&parameters).map_err(anyhow::Error::from)?;
    Ok(Product::plain(text + "\n"))
}
