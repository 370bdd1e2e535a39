use super::*;
use crate::schema::file::fixture::{refused, repo, told};

/// What is told about a configuration file.
#[track_caller]
fn check(text: &str, expected: &str) {
    let repo = repo(&format!("#- {PATH}\n{text}"));
    let found = match Config::load(&repo, &RepoPath::root()) {
        Ok(_) => String::new(),
        Err(failure) => told(&repo, &refused(failure)),
    };
    assert_eq!(found, expected);
}

fn load(text: &str) -> Config {
    Config::load(&repo(text), &RepoPath::root()).unwrap()
}

#[test]
fn without_a_file_everything_is_as_on_gap() {
    let config = load("#- README.md\n");
    assert_eq!(
        config.environments.keys().collect::<Vec<_>>(),
        ["staging", "production"]
    );
    assert_eq!(
        config.hosts("staging"),
        [Pattern::new("{{ name }}-staging.gservice.emarsys.com")]
    );
    assert_eq!(
        config.hosts("production"),
        [Pattern::new("{{ name }}.gservice.emarsys.net")]
    );
    assert_eq!(config.place(&["names"]), None);
}

#[test]
fn sections_whose_lines_are_all_comments_are_not_given() {
    for text in [
        "",
        "# nothing\n",
        "names:\n  # container: x\nrender: {service_port: }\n",
    ] {
        check(text, "");
    }
    let config = load(&format!(
        "#- {PATH}\nrender: {{service_port: , container_port: 9000}}\n"
    ));
    assert_eq!(
        (config.render.service_port, config.render.container_port),
        (80, 9000)
    );
}

#[test]
fn environments_replace_the_built_in_ones_in_their_order() {
    let config = load(&format!(
        "#- {PATH}\nenvironments:\n  production: {{regions: [us1, eu]}}\n  staging:\n  canary: {{hosts: [\"{{{{ name }}}}.example.com\"]}}\n"
    ));
    assert_eq!(
        config.environments.keys().collect::<Vec<_>>(),
        ["production", "staging", "canary"]
    );
    let us_first = [
        "us1-01.{{ name }}.gap.cloud.sap.emarsys.net",
        "{{ name }}.gservice.emarsys.net",
    ];
    assert_eq!(config.hosts("production"), us_first.map(Pattern::new));
    assert_eq!(config.hosts("staging").len(), 1);
    assert_eq!(config.hosts("canary"), [Pattern::new("{{ name }}.example.com")]);
    assert!(config.has_built_in_hosts());
    assert!(config.hosts("other").is_empty());
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    check(
        "layuot: {}\n",
        "error unknown-key .tidegate/config.yaml:1:1: unknown key `layuot`\n  did you mean `layout`?\n",
    );
    check(
        "render:\n  digest_tag: colun\n",
        "error invalid-value .tidegate/config.yaml:2:15: unknown value `colun`\n  did you mean `colon`?\n",
    );
    check(
        "render: {hpa_api: autoscaling/v1}\n",
        "error invalid-value .tidegate/config.yaml:1:19: unknown value `autoscaling/v1`\n  did you mean `autoscaling/v2`?\n",
    );
    check(
        "names: {container: \"{{ nmae }}\"}\nlabels: {app: \"{{ name\"}\n",
        "error invalid-value .tidegate/config.yaml:1:20: the pattern `{{ nmae }}` uses a name that is not known\n  \
         a pattern may use name, deployment, namespace and environment: `{{ name }}`\n\
         error invalid-value .tidegate/config.yaml:2:15: the pattern `{{ name` cannot be filled in: \
         unexpected end of input, expected end of variable block\n  \
         a pattern may use name, deployment, namespace and environment: `{{ name }}`\n",
    );
    check(
        "environments: {}\n",
        "error invalid-value .tidegate/config.yaml:1:15: there is no environment\n  \
         name at least one, or take the key `environments` out\n",
    );
    check(
        "environments: {integration: {}, staging: {hosts: []}, production: {regions: []}}\n",
        "error invalid-value .tidegate/config.yaml:1:29: there are no built-in host names for the environment `integration`\n  \
         give them, for example `hosts: [\"{{ name }}.example.com\"]`\n\
         error invalid-value .tidegate/config.yaml:1:50: there is no host name\n  \
         name at least one, or take `hosts` out for the built-in ones\n\
         error invalid-value .tidegate/config.yaml:1:77: there is no region\n  name at least one: eu, us1\n",
    );
    check(
        "environments:\n  ../etc: {hosts: [x]}\n",
        "error invalid-name .tidegate/config.yaml:2:11: `../etc` is not a name that Kubernetes takes\n  \
         use lower-case letters, digits and `-`, with a letter first and no `-` last\n",
    );
    check(
        "layout:\n  patch_globs: [\"gap/*.yaml\", \"[\"]\n",
        "error invalid-value .tidegate/config.yaml:2:17: `gap/*.yaml` has a folder\n  \
         write a pattern of file names, for example `gap_*.yaml`\n\
         error invalid-value .tidegate/config.yaml:2:31: `[` is not a pattern of file names: invalid range pattern\n  \
         write a pattern of file names, for example `gap_*.yaml`\n",
    );
    check(
        "authz: {trust_domain: \"a b\"}\nrender: {service_port: 0}\nlabels: {service_selector: []}\n",
        "error invalid-name .tidegate/config.yaml:1:23: `a b` is not a domain name\n  \
         use lower-case letters, digits, `-` and `.`; a part between dots has at most 63 characters\n\
         error invalid-value .tidegate/config.yaml:2:24: a port is between 1 and 65535\n\
         error invalid-value .tidegate/config.yaml:3:28: a Service without a selector has no pods\n  write [app]\n",
    );
    check(
        "a: 1\n---\nb: 2\n",
        "error invalid-value .tidegate/config.yaml:3:1: the configuration holds one document\n",
    );
    check(
        "names: [a\n",
        "error invalid-yaml .tidegate/config.yaml:2:1: while parsing a flow sequence, expected ',' or ']'\n",
    );
}

#[test]
fn an_application_means_the_environment_of_the_first_rule_that_fits() {
    let config = load(&format!(
        "#- {PATH}\nargocd:\n  environments:\n    \"*-production\": production\n    \"orders-*\": staging\n"
    ));
    let of = |application| config.argocd.environment_of(application);
    assert_eq!(of("orders-production"), Some("production"));
    assert_eq!(of("orders-staging"), Some("staging"));
    assert_eq!(of("search-staging"), None);
    // Outside of Argo CD's own namespace, which must not fit instead of the name.
    assert_eq!(of("team-a_orders-production"), Some("production"));
    assert_eq!(of("orders-x_search"), None);
    check(
        "argocd: {environments: {\"a***\": staging, \"b\": prodcution}}\n",
        "error invalid-value .tidegate/config.yaml:1:25: the pattern cannot be read: wildcards are either regular `*` or recursive `**`\n\
         error unknown-name .tidegate/config.yaml:1:47: there is no environment `prodcution`\n  did you mean `production`?\n",
    );
}

#[test]
fn environments_are_counted_before_anything_is_made_for_them() {
    let lines: String = (0..1001).map(|number| format!("  e{number}: {{}}\n")).collect();
    check(
        &format!("environments:\n{lines}"),
        "error limit-reached .tidegate/config.yaml:2:3: 1001 environments, more than 1000\n  \
         take away what the repository does not need\n",
    );
}

#[test]
fn a_list_is_not_taken_for_the_settings_in_their_order() {
    check(
        "[1]\n",
        "error wrong-type .tidegate/config.yaml:1:1: the document is a list, not a map\n",
    );
}
