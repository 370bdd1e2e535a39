//! What a well-formed configuration can still have wrong.

use super::{Config, Names, Pattern};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::schema::gap::names;
use crate::schema::release::check_environment;

impl Config {
    pub(super) fn check(&self) -> Vec<Diagnostic> {
        let mut problems = self.check_environments();
        problems.extend(self.check_patterns());
        problems.extend(self.check_globs());
        problems.extend(self.check_values());
        problems.extend(self.check_applications());
        problems
    }

    fn here(&self, path: &[&str]) -> Location {
        self.place(path)
            .unwrap_or_else(|| Location::file(&self.root.join(super::PATH)))
    }

    fn check_environments(&self) -> Vec<Diagnostic> {
        /// Everything is made once for each, so a line here is worth many elsewhere.
        const MOST: usize = 1000;
        let mut problems = Vec::new();
        if self.environments.len() > MOST {
            let message = format!("{} environments, more than {MOST}", self.environments.len());
            let many = Diagnostic::error(Code::LimitReached, message).at(self.here(&["environments"]));
            return vec![many.hint("take away what the repository does not need")];
        }
        if self.environments.is_empty() {
            let none = Diagnostic::error(Code::InvalidValue, "there is no environment");
            let none = none.hint("name at least one, or take the key `environments` out");
            problems.push(none.at(self.here(&["environments"])));
        }
        for (name, environment) in &self.environments {
            let at = self.here(&["environments", name]);
            if let Some(problem) = names::label(name, names::LABEL_LONGEST) {
                problems.push(problem.at(at));
                continue;
            }
            match &environment.hosts {
                None if !Self::knows_hosts_of(name) => {
                    let message = format!("there are no built-in host names for the environment `{name}`");
                    let hint = "give them, for example `hosts: [\"{{ name }}.example.com\"]`";
                    problems.push(Diagnostic::error(Code::InvalidValue, message).at(at).hint(hint));
                }
                None if environment.regions.is_empty() => {
                    let none = Diagnostic::error(Code::InvalidValue, "there is no region");
                    problems.push(none.at(at.below(&["regions"])).hint("name at least one: eu, us1"));
                }
                Some(hosts) if hosts.is_empty() => {
                    let none = Diagnostic::error(Code::InvalidValue, "there is no host name");
                    let hint = "name at least one, or take `hosts` out for the built-in ones";
                    problems.push(none.at(at.below(&["hosts"])).hint(hint));
                }
                _ => {}
            }
        }
        problems
    }

    fn check_applications(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (glob, environment) in &self.argocd.environments {
            let at = self.here(&["argocd", "environments", glob]);
            if let Err(error) = glob::Pattern::new(glob) {
                let message = format!("the pattern cannot be read: {}", error.msg);
                problems.push(Diagnostic::error(Code::InvalidValue, message).at(at.as_key()));
                continue;
            }
            let known = self.environments.keys().map(String::as_str);
            problems.extend(
                check_environment(environment, known)
                    .err()
                    .map(|unknown| unknown.at(at)),
            );
        }
        problems
    }

    fn check_patterns(&self) -> Vec<Diagnostic> {
        let mut patterns: Vec<(Vec<String>, &Pattern)> = vec![
            (path(&["names", "virtual_service"]), &self.names.virtual_service),
            (
                path(&["names", "authorization_policy"]),
                &self.names.authorization_policy,
            ),
            (path(&["names", "container"]), &self.names.container),
            (path(&["labels", "app"]), &self.labels.app),
        ];
        for (name, environment) in &self.environments {
            let hosts = environment.hosts.iter().flatten().enumerate();
            patterns.extend(
                hosts.map(|(index, host)| (path(&["environments", name, "hosts", &index.to_string()]), host)),
            );
        }
        let example = Names {
            name: "a",
            deployment: "b",
            namespace: "c",
            environment: "d",
        };
        let broken = patterns
            .into_iter()
            .filter_map(|(path, pattern)| Some((path, pattern.fill(example).err()?)));
        broken
            .map(|(path, message)| {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                Diagnostic::error(Code::InvalidValue, message)
                    .at(self.here(&path))
                    .hint("a pattern may use name, deployment, namespace and environment: `{{ name }}`")
            })
            .collect()
    }

    fn check_globs(&self) -> Vec<Diagnostic> {
        let globs = [
            ("resource_globs", &self.layout.resource_globs),
            ("patch_globs", &self.layout.patch_globs),
        ];
        let mut problems = Vec::new();
        for (key, globs) in globs {
            for (index, glob) in globs.iter().enumerate() {
                let wrong = match glob::Pattern::new(glob) {
                    Err(error) => format!("`{glob}` is not a pattern of file names: {}", error.msg),
                    Ok(_) if glob.contains('/') => format!("`{glob}` has a folder"),
                    Ok(_) => continue,
                };
                let at = self.here(&["layout", key, &index.to_string()]);
                let hint = "write a pattern of file names, for example `gap_*.yaml`";
                problems.push(Diagnostic::error(Code::InvalidValue, wrong).at(at).hint(hint));
            }
        }
        problems
    }

    fn check_values(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let domain = &self.authz.trust_domain;
        if let Some(problem) = names::domain(domain) {
            problems.push(problem.at(self.here(&["authz", "trust_domain"])));
        }
        let host = &self.render.registry_host;
        if host.chars().any(|c| c.is_whitespace() || c.is_control()) || host.starts_with('/') {
            let message = format!("`{}` is not a registry", host.escape_default());
            problems.push(
                Diagnostic::error(Code::InvalidValue, message).at(self.here(&["render", "registry_host"])),
            );
        }
        for (key, port) in [
            ("service_port", self.render.service_port),
            ("container_port", self.render.container_port),
        ] {
            if port == 0 {
                let zero = Diagnostic::error(Code::InvalidValue, "a port is between 1 and 65535");
                problems.push(zero.at(self.here(&["render", key])));
            }
        }
        if self.labels.service_selector.is_empty() {
            let none = Diagnostic::error(Code::InvalidValue, "a Service without a selector has no pods");
            problems.push(
                none.at(self.here(&["labels", "service_selector"]))
                    .hint("write [app]"),
            );
        }
        problems
    }
}

fn path(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}
