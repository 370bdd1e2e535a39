//! The environments and the host names of their ingresses.

use serde::Deserialize;

use super::{Config, Pattern};

/// One environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// The host names of an exposed workload, in place of the built-in ones of the regions.
    pub hosts: Option<Vec<Pattern>>,
    /// The regions it runs in, for environments with built-in host names.
    pub regions: Vec<Region>,
}

impl Default for EnvironmentConfig {
    fn default() -> Self {
        Self {
            hosts: None,
            regions: vec![Region::Eu],
        }
    }
}

/// Where clusters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// Europe.
    Eu,
    /// The first cluster in the United States.
    Us1,
}

/// The built-in host name of an exposed workload. Source: the GAP documentation, pages on ingress and regions.
///
/// The first word after `gap.` tells the environments of `us1` apart; which is which is inferred.
fn built_in(environment: &str, region: Region) -> Option<&'static str> {
    Some(match (environment, region) {
        ("staging", Region::Eu) => "{{ name }}-staging.gservice.emarsys.com",
        ("production", Region::Eu) => "{{ name }}.gservice.emarsys.net",
        ("staging", Region::Us1) => "us1-01.{{ name }}.gap.s.sap.emarsys.com",
        ("production", Region::Us1) => "us1-01.{{ name }}.gap.cloud.sap.emarsys.net",
        _ => return None,
    })
}

impl Config {
    /// The host names of an exposed workload in an environment, as patterns.
    pub fn hosts(&self, environment: &str) -> Vec<Pattern> {
        let Some(config) = self.environments.get(environment) else {
            return Vec::new();
        };
        match &config.hosts {
            Some(hosts) => hosts.clone(),
            None => {
                let hosts = config
                    .regions
                    .iter()
                    .filter_map(|region| built_in(environment, *region));
                hosts.map(Pattern::new).collect()
            }
        }
    }

    /// Whether some environment has built-in host names, which bound the length of an application's name.
    pub fn has_built_in_hosts(&self) -> bool {
        self.environments
            .values()
            .any(|environment| environment.hosts.is_none())
    }

    /// Whether there are built-in host names for an environment.
    pub(super) fn knows_hosts_of(environment: &str) -> bool {
        built_in(environment, Region::Eu).is_some()
    }
}
