use super::super::tests::{SPEC, application, check, check_repo, deployment_patch, replicas};

#[test]
fn files_of_an_environment_come_after_those_of_all() {
    let patch = |file: &str, count: u8| {
        format!(
            "#- gap/{file}\n{}",
            deployment_patch(&format!("spec: {{replicas: {count}}}\n"))
        )
    };
    let files = [
        patch("gap_patch_z.yaml", 1),
        patch("gap_patch_a.yaml", 2),
        patch("production/gap_patch_b.yaml", 3),
    ];
    let application = application(&files.concat());
    assert_eq!(replicas(&application, "staging"), Some(1));
    assert_eq!(replicas(&application, "production"), Some(3));
    let by_name = "#- .tidegate/config.yaml\npatch: {order: name}\n";
    let sorted_by_name = super::super::tests::application(&format!("{}{by_name}", files.concat()));
    assert_eq!(replicas(&sorted_by_name, "production"), Some(1));
}

#[test]
fn several_documents_and_empty_ones_are_read() {
    let one = deployment_patch("spec: {replicas: 2}\n");
    let other = deployment_patch("spec: {replicas: }\n");
    let application = application(&format!(
        "#- gap/gap_patch_all.yaml\n---\n# nothing\n---\n{one}---\n---\n{other}---\nnull\n"
    ));
    assert_eq!(replicas(&application, "staging"), None);
    let origins: Vec<_> = application.environments["staging"]
        .patches
        .iter()
        .map(|patch| patch.origin.document())
        .collect();
    assert_eq!(origins, [Some(1), Some(3)]);
}

#[test]
fn without_a_spec_there_is_no_application() {
    check_repo(
        "#- README.md\n",
        "error no-application gap/gap.yaml: there is no gap.yaml here\n  \
         run in the folder that holds `gap/`, or name it with -C\n",
    );
    check_repo(
        "#- gap/gap.yaml\n# later\n",
        "error invalid-value gap/gap.yaml: the spec is empty\n  write at least `name`, `namespace` and `deployments`\n",
    );
    check_repo(
        &SPEC.replace("deployments", "---\ndeployments"),
        "error invalid-value gap/gap.yaml:6:1: a spec holds one document\n",
    );
}

#[test]
fn a_document_names_its_object() {
    check(
        "#- gap/gap_patch_a.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  labels: {}\n",
        "error invalid-value gap/gap_patch_a.yaml:4:3: `metadata.name` is missing\n  \
         every document names its object by apiVersion, kind and metadata.name\n",
    );
    check(
        "#- gap/gap_a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: 1}\n",
        "error wrong-type gap/gap_a.yaml:3:18: `metadata.name` is a number, not a string\n  put it in quotes\n",
    );
    check(
        "#- gap/gap_a.yaml\napiVersion: v1\nkind: List\nitems: []\n",
        "error invalid-value gap/gap_a.yaml:1:1: `metadata.name` is missing\n  \
         write the items of a list as documents of their own, with `---` between them\n",
    );
}

#[test]
fn the_other_ending_is_accepted_with_a_warning() {
    let config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let unusual = "the platform's examples all end in `.yaml`, this file in `.yml`\n  rename it, to be sure that it is read\n";
    check(
        &format!("#- gap/gap_a.yml\n{config_map}"),
        &format!("warning file-extension gap/gap_a.yml: {unusual}"),
    );
    check_repo(
        &SPEC.replace("gap.yaml", "gap.yml"),
        &format!("warning file-extension gap/gap.yml: {unusual}"),
    );
    check(
        "#- gap/gap.yml\nname: x\n",
        "warning file-extension gap/gap.yml: there is a gap.yaml beside it: this file has no effect\n  delete it\n",
    );
}

#[test]
fn globs_say_which_files_are_read() {
    let files = "#- gap/patches-a.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: orders-web}\nspec: {replicas: 7}\n#- gap/gap_patch_b.yaml\nnot a patch now\n#- .tidegate/config.yaml\nlayout: {patch_globs: [\"patches-*.yaml\"], resource_globs: []}\n";
    assert_eq!(replicas(&application(files), "staging"), Some(7));
}

#[test]
fn folders_of_environments_that_are_not_configured_are_reported() {
    check(
        &format!(
            "#- .tidegate/config.yaml\nenvironments: {{staging: }}\n#- gap/production/gap_patch_a.yaml\n{}",
            deployment_patch("")
        ),
        "warning unknown-name gap/production/gap_patch_a.yaml: the configuration has no environment `production`: \
         files in its folder have no effect\n  add it to `environments` in .tidegate/config.yaml, or delete the folder\n",
    );
}
