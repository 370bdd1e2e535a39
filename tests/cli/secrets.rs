//! A value that marks every Secret of a repository is in the product, and in nothing else that any command prints.

use crate::repository::Repository;

const MARK: &str = "hunter2";

fn spoil(repository: &Repository) {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: token\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      \
         {{\"stringData\":{{\"token\":\"{MARK}\"}}}}\nstringData:\n  token: {MARK}\ndata:\n  other: {MARK}\n"
    );
    repository.write("gap/gap_secret.yaml", secret);
    repository.commit("a Secret");
}

#[track_caller]
fn is_silent(repository: &Repository, args: &[&str]) {
    let ended = repository.run(args);
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!printed.contains(MARK), "{args:?}: {printed}");
}

#[test]
fn no_command_shows_a_value_of_a_secret() {
    let repository = Repository::of("istio/my-service");
    spoil(&repository);
    let product = repository.run(&["render", "--env", "staging"]).expect(0);
    assert!(
        product.stdout.contains(MARK),
        "the Secret is one of the manifests"
    );
    assert!(!product.stderr.contains(MARK), "{}", product.stderr);
    for args in [
        ["init", "--commit"].as_slice(),
        &["status"],
        &["plan"],
        &["check"],
        &["check", "--format", "json"],
        &["check", "--format", "sarif"],
        &["check", "--format", "github"],
        &["check", "--format", "markdown"],
        &["next", "--diff"],
        &["next", "--commit"],
        &["abort", "--diff"],
    ] {
        is_silent(&repository, args);
    }
}

/// What is wrong with a Secret is told by its place alone: in every format, and also where it does not parse.
#[test]
fn what_is_wrong_with_a_secret_is_told_without_it() {
    let broken = [
        format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: token}}, stringData: {{token: {MARK}}}}}\n"
        )
        .repeat(2)
        .replace("}\n{", "}\n---\n{"),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData: {{token: {MARK}\n"),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData: {{token: *{MARK}}}\n"),
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData:\n  token: \"{MARK}\\q\"\n"
        ),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData:\n  token: !{MARK} x\n"),
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\ndata:\n  token: {MARK}\n  token: {MARK}\n"
        ),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{nam: {MARK}}}\n"),
        format!("apiVersion: v1\nmetadata: {{name: token}}\nstringData: {{token: {MARK}}}\n"),
    ];
    for text in broken {
        let repository = Repository::of("istio/my-service");
        repository.write("gap/gap_secret.yaml", &text);
        repository.commit("a broken Secret");
        for args in [
            ["status"].as_slice(),
            &["init"],
            &["render", "--env", "staging"],
            &["check"],
            &["check", "--format", "json"],
            &["check", "--format", "sarif"],
            &["check", "--format", "github"],
            &["check", "--format", "markdown"],
        ] {
            let ended = repository.run(args);
            assert_eq!(ended.code, Some(1), "{args:?}\n{text}");
            is_silent(&repository, args);
        }
    }
}
