//! Every object of every phase against the resource definitions that the traffic systems publish, which nobody here
//! wrote: `../shared/crds`, read in place. The rules in CEL that some of them carry are not evaluated.
//!
//! Python is looked for in `TIDEGATE_PYTHON`, else `python3`, with `yaml` and `jsonschema`. What is not there is skipped
//! with a word; with `TIDEGATE_ENGINES=required` a Python named in `TIDEGATE_PYTHON` that lacks one is a failure.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repository::{Ended, Repository};

/// Prints one line for each thing that a schema has against an object, then how many objects had one. In structural
/// schemas a field that is not named is a mistake: the API server would drop it.
const VALIDATE: &str = r#"
import pathlib, sys
try:
    import yaml
    from jsonschema import Draft202012Validator
except ImportError as missing:
    sys.exit(f"missing: {missing}")

def strict(schema):
    if not isinstance(schema, dict):
        return schema
    schema = {key: value for key, value in schema.items() if key not in ("format", "default", "example")}
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
    if schema.pop("nullable", False) and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if "properties" in schema:
        schema["properties"] = {name: strict(field) for name, field in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        schema["items"] = strict(schema["items"])
    return schema

if len(sys.argv) > 2:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    schemas = {}
    for file in sorted(pathlib.Path(sys.argv[1]).glob("*.yaml")):
        for crd in yaml.load_all(file.read_text(), loader):
            spec = crd["spec"]
            for version in spec.get("versions") or [{"name": spec["version"]}]:
                own = (version.get("schema") or {}).get("openAPIV3Schema")
                schema = strict(own) if own else (spec.get("validation") or {}).get("openAPIV3Schema")
                if schema:
                    schema = dict(schema)
                    if own:
                        schema["properties"] = {**schema.get("properties", {}), "apiVersion": {}, "kind": {}, "metadata": {}}
                    key = (spec["group"] + "/" + version["name"], spec["names"]["kind"])
                    schemas.setdefault(key, Draft202012Validator(schema))
    known = 0
    for document in yaml.load_all(pathlib.Path(sys.argv[2]).read_text(), loader):
        validator = schemas.get((document["apiVersion"], document["kind"]))
        if validator:
            known += 1
            for error in validator.iter_errors(document):
                print(document["kind"], document["metadata"]["name"], error.json_path, error.message[:200])
    print(known)
"#;

#[expect(clippy::print_stderr, reason = "says what is skipped")]
fn found() -> Option<(OsString, PathBuf)> {
    let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/crds");
    if !crds.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "../shared/crds is missing");
        eprintln!("skipped: ../shared/crds is missing");
        return None;
    }
    let named = std::env::var_os("TIDEGATE_PYTHON");
    let program = named.clone().unwrap_or_else(|| "python3".into());
    let output = Command::new(&program).args(["-c", VALIDATE]).output();
    let reason = match output {
        Ok(output) if output.status.success() => return Some((program, crds)),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(!(is_required && named.is_some()), "TIDEGATE_PYTHON: {reason}");
    eprintln!("skipped: nothing to check schemas with: {}", reason.trim());
    None
}

/// What the schemas have against a YAML stream, and how many objects they know.
fn against_the_schemas(
    python: &OsString,
    crds: &Path,
    repository: &Repository,
    text: &str,
) -> (String, usize) {
    repository.write("../objects.yaml", text);
    let mut command = repository.command(python);
    let crds = crds.to_str().expect("UTF-8");
    let ended = Ended::of(command.args(["-c", VALIDATE, crds, "../objects.yaml"])).expect(0);
    let mut lines: Vec<&str> = ended.stdout.lines().collect();
    let known = lines.pop().and_then(|count| count.parse().ok());
    (lines.join("\n"), known.expect("a count"))
}

#[test]
fn every_object_of_every_phase_is_as_its_definition_says() {
    let Some((python, crds)) = found() else { return };
    let lives: [(&str, &str, &[&str], &[&str]); 9] = [
        (
            "gateway-api/reviews",
            "deploy/reviews",
            &["--canary-tag", "2"],
            &["staging", "production"],
        ),
        (
            "istio-hosts/bookinfo",
            ".",
            &["--canary-tag", "2"],
            &["staging", "production"],
        ),
        (
            "app-mesh/dj-app",
            ".",
            &["--workload", "jazz-v1", "--canary-tag", "2"],
            &["all"],
        ),
        (
            "app-mesh/dj-app-v1beta2",
            ".",
            &["--workload", "metal-v1", "--canary-tag", "2"],
            &["all"],
        ),
        (
            "smi/books",
            ".",
            &["--provider", "smi", "--canary-tag", "2"],
            &["all"],
        ),
        ("kubesphere/bookinfo", ".", &["--canary-tag", "2"], &["all"]),
        (
            "kustomize/reviews",
            "apps/reviews",
            &["--canary-tag", "1.17.0"],
            &["staging", "production"],
        ),
        ("istio/orders", ".", &[], &["staging", "production"]),
        (
            "flagger/podinfo",
            "podinfo",
            &["--provider", "flagger", "--canary-tag", "2"],
            &["staging", "production"],
        ),
    ];
    for (fixture, at, init, environments) in lives {
        let repository = Repository::of(fixture);
        let init = [&["-C", at, "init", "--steps", "50,100"], init].concat();
        let _ = repository.run(&init).expect(0);
        let mut objects = String::new();
        for _ in 0..20 {
            repository.commit("step");
            for environment in environments {
                let rendered = repository.run(&["-C", at, "render", "--env", environment]);
                objects.push_str(&format!("---\n{}", rendered.expect(0).stdout));
            }
            let ended = repository.run(&["-C", at, "next"]).expect(0);
            if ended.stderr.contains("nothing to do") {
                break;
            }
        }
        let (wrong, known) = against_the_schemas(&python, &crds, &repository, &objects);
        assert_eq!(wrong, "", "{fixture}");
        assert!(known >= 5, "{fixture}: {known}");
    }
    // The comparison itself: what breaks a schema is found.
    let repository = Repository::of("gateway-api/reviews");
    let wrong = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\n\
         spec: {rules: [{backendRefs: [{name: b, port: 80, wieght: 1}]}]}\n";
    let (found, known) = against_the_schemas(&python, &crds, &repository, wrong);
    assert!(found.contains("'wieght' was unexpected"), "{found}");
    assert_eq!(known, 1);
}
