//! Whole repositories in one text: `#- path` begins a file.

use std::collections::BTreeMap;

use super::*;
use crate::diagnostic::{Location, Place};

const SPEC: &str = "\
#- gap/gap.yaml
name: orders
namespace: checkout
useServiceMesh: true
image: {repository: group/orders, tag: 5b1f0c7e}
deployments:
  web:
    ingress: {enabled: true}
  worker:
";

fn repo(text: &str) -> crate::repo::MemoryRepo {
    let mut files: BTreeMap<RepoPath, String> = BTreeMap::new();
    let mut current = None;
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("#- ") {
            Some(path) => current = Some(RepoPath::new(path.trim()).unwrap()),
            None => files.entry(current.clone().unwrap()).or_default().push_str(line),
        }
    }
    crate::repo::MemoryRepo::new(files)
}
