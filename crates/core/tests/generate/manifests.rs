//! Generated repositories of plain manifests, one for each traffic system: hand-written YAML in many styles.

use std::collections::BTreeMap;

use tidegate_core::provider::ProviderId;
use tidegate_core::repo::{MemoryRepo, RepoPath};

use super::{Choices, MARK, ended};

/// The tag that every workload starts with.
pub(crate) const OLD: &str = "5b1f0c7e";

/// The tag of the new version.
pub(crate) const NEW: &str = "c0ffee42";

/// What the workload is called.
pub(crate) fn workload(provider: ProviderId) -> &'static str {
    match provider {
        ProviderId::AppMesh | ProviderId::Kubesphere => "web-v1",
        _ => "web",
    }
}

/// A whole repository whose workload a release of the provider can begin with.
pub(crate) fn repository(choices: &mut Choices<'_>, provider: ProviderId) -> MemoryRepo {
    let mut files = BTreeMap::new();
    let folders: &[&str] = choices.pick(&[&[""][..], &["staging/", "production/"][..]]);
    let app = App::new(choices, provider);
    for folder in folders {
        let mut objects = app.objects(choices);
        if choices.is() {
            objects.reverse();
        }
        // All in one file, or each in its own.
        match choices.is() {
            true => {
                let text = match choices.of(3) {
                    1 => list(&objects),
                    _ => objects.join("---\n"),
                };
                add(&mut files, choices, &format!("{folder}web.yaml"), &text);
            }
            false => {
                for (index, object) in objects.iter().enumerate() {
                    add(&mut files, choices, &format!("{folder}{index}-web.yml"), object);
                }
            }
        }
    }
    files.insert(
        RepoPath::new("README.md").expect("a path"),
        "not ours\n".to_owned(),
    );
    MemoryRepo::new(files)
}

fn add(files: &mut BTreeMap<RepoPath, String>, choices: &mut Choices<'_>, name: &str, text: &str) {
    let text = noted(choices, text);
    files.insert(RepoPath::new(name).expect("a path"), ended(choices, text));
}

/// The objects as the items of one list.
fn list(objects: &[String]) -> String {
    let item = |object: &String| {
        let lines = object.lines().enumerate();
        let line = |(index, line)| format!("{}{line}\n", if index == 0 { "  - " } else { "    " });
        lines.map(line).collect::<String>()
    };
    let items: String = objects.iter().map(item).collect();
    format!("apiVersion: v1\nkind: List\nitems:\n{items}")
}

/// The same with comments and blank lines of a person's.
pub(super) fn noted(choices: &mut Choices<'_>, text: &str) -> String {
    let mut noted = String::new();
    for line in text.lines() {
        noted.push_str(line);
        if choices.of(6) == 1 && line != "---" {
            noted.push_str(&format!("   # {MARK}{}", choices.of(4)));
        }
        noted.push('\n');
        let indent = line.len() - line.trim_start().len();
        match choices.of(12) {
            1 => noted.push('\n'),
            2 => noted.push_str(&format!("{:indent$}# {MARK}{}\n", "", choices.of(4))),
            3 => noted.push_str(&format!("# {MARK}{}\n", choices.of(4))),
            _ => {}
        }
    }
    noted
}

/// What is alike in all environments.
struct App {
    provider: ProviderId,
    name: &'static str,
    /// Empty where the objects name none.
    namespace: &'static str,
    labels: Vec<(&'static str, &'static str)>,
    /// The weight of single destinations, if they say one.
    weight: &'static str,
    is_flow: bool,
}

impl App {
    fn new(choices: &mut Choices<'_>, provider: ProviderId) -> Self {
        let name = workload(provider);
        let mut labels = match provider {
            ProviderId::AppMesh => vec![("app", "web"), ("version", "v1")],
            ProviderId::Kubesphere => vec![
                ("app", "web"),
                ("app.kubernetes.io/name", "shop"),
                ("app.kubernetes.io/version", "v1"),
                ("version", "v1"),
            ],
            _ => vec![("app", "web")],
        };
        if choices.is() {
            labels.push(("tier", "front"));
        }
        Self {
            provider,
            name,
            // Routes and Services have to say the same, and App Mesh's names hold it.
            namespace: match provider {
                ProviderId::AppMesh => "shop",
                _ => choices.pick(&["shop", ""]),
            },
            labels,
            weight: choices.pick(&["", "100"]),
            is_flow: choices.is(),
        }
    }

    /// The metadata of an object, as lines that begin at the left.
    fn metadata(&self, name: &str, labels: &str) -> String {
        let namespace = match self.namespace {
            "" => String::new(),
            namespace => format!("  namespace: {namespace}\n"),
        };
        format!("metadata:\n  name: {name}\n{namespace}{labels}")
    }

    /// A map of labels below a key, at a depth.
    fn map(&self, key: &str, indent: usize, labels: &[(&str, &str)]) -> String {
        let outer = " ".repeat(indent);
        if self.is_flow {
            let entries: Vec<String> = labels
                .iter()
                .map(|(key, value)| format!("{key}: {value}"))
                .collect();
            return format!("{outer}{key}: {{{}}}\n", entries.join(", "));
        }
        let entries = labels
            .iter()
            .map(|(key, value)| format!("{outer}  {key}: {value}\n"));
        format!("{outer}{key}:\n{}", entries.collect::<String>())
    }

    /// What the Service selects by: the version too, unless both versions stand behind one Service.
    fn selector(&self) -> Vec<(&'static str, &'static str)> {
        let is_shared =
            |key: &str| self.provider != ProviderId::Kubesphere || (key != "version" && key != "tier");
        self.labels
            .iter()
            .copied()
            .filter(|(key, _)| is_shared(key))
            .collect()
    }

    fn objects(&self, choices: &mut Choices<'_>) -> Vec<String> {
        let mut objects = vec![self.deployment(choices), self.service(choices)];
        objects.extend(self.routes(choices));
        if self.provider != ProviderId::Replicas && choices.is() {
            objects.push(format!(
                "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n{}spec:\n  minReplicas: 2\n  maxReplicas: 9\n  \
                 scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: {}\n",
                self.metadata("web-scaler", ""),
                self.name
            ));
        }
        if choices.is() {
            objects.push(format!(
                "apiVersion: policy/v1\nkind: PodDisruptionBudget\n{}spec:\n  maxUnavailable: 1\n  selector:\n{}",
                self.metadata(self.name, ""),
                self.map("matchLabels", 4, &self.labels)
            ));
        }
        if choices.is() {
            let metadata = self.metadata("web-settings", "");
            objects.push(format!(
                "apiVersion: v1\nkind: ConfigMap\n{metadata}data:\n  motto: 'more: of it'\n"
            ));
        }
        objects
    }

    fn deployment(&self, choices: &mut Choices<'_>) -> String {
        let governed = self.provider == ProviderId::Kubesphere;
        let labels = match governed {
            true => format!(
                "{}  annotations:\n    servicemesh.kubesphere.io/enabled: \"true\"\n",
                self.map("labels", 2, &self.labels)
            ),
            false => String::new(),
        };
        let injected = match governed {
            true => "      annotations:\n        sidecar.istio.io/inject: \"true\"\n",
            false => "",
        };
        let replicas = choices.pick(&["  replicas: 4\n", "  replicas: 2\n", "  replicas: 5\n"]);
        // Where pods are not the shares nobody has to say how many there are.
        let replicas = match self.provider != ProviderId::Replicas && choices.of(3) == 1 {
            true => "",
            false => replicas,
        };
        let image = choices.pick(&[
            "team/web:5b1f0c7e",
            "\"team/web:5b1f0c7e\"",
            "'team/web:5b1f0c7e'",
        ]);
        let ports = choices.pick(&[
            "          ports:\n            - name: http-main\n              containerPort: 8080\n",
            "          ports: [{name: http-main, containerPort: 8080}]\n",
        ]);
        format!(
            "apiVersion: apps/v1\nkind: Deployment\n{}spec:\n{replicas}  selector:\n{}  template:\n    metadata:\n{injected}{}    \
             spec:\n      containers:\n        - name: web\n          image: {image}\n{ports}",
            self.metadata(self.name, &labels),
            self.map("matchLabels", 4, &self.labels),
            self.map("labels", 6, &self.labels)
        )
    }

    fn service(&self, choices: &mut Choices<'_>) -> String {
        let name = match self.provider {
            ProviderId::Kubesphere => "web",
            _ => self.name,
        };
        let labels = match self.provider {
            ProviderId::Kubesphere => format!(
                "{}  annotations:\n    servicemesh.kubesphere.io/enabled: \"true\"\n",
                self.map("labels", 2, &self.selector())
            ),
            _ => String::new(),
        };
        let kind = choices.pick(&["", "  type: ClusterIP\n"]);
        let target = choices.pick(&["8080", "http-main"]);
        format!(
            "apiVersion: v1\nkind: Service\n{}spec:\n{kind}{}  ports:\n    - name: http\n      port: 80\n      targetPort: {target}\n",
            self.metadata(name, &labels),
            self.map("selector", 2, &self.selector())
        )
    }

    /// `weight: 100` on a line of its own, where single destinations say one.
    fn weight(&self, indent: usize) -> String {
        match self.weight {
            "" => String::new(),
            weight => format!("{:indent$}weight: {weight}\n", ""),
        }
    }

    fn routes(&self, choices: &mut Choices<'_>) -> Vec<String> {
        let more = choices.is();
        match self.provider {
            ProviderId::GatewayApi => {
                let backend = |indent: usize| {
                    format!(
                        "{0:indent$}backendRefs:\n{0:indent$}  - name: web\n{0:indent$}    port: 80\n{1}",
                        "",
                        self.weight(indent + 4)
                    )
                };
                let first = match more {
                    true => format!(
                        "    - matches:\n        - path: {{type: PathPrefix, value: /api}}\n      timeouts: {{request: 5s}}\n{}",
                        backend(6)
                    ),
                    false => String::new(),
                };
                let rest = backend(6).trim_start().to_owned();
                vec![format!(
                    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n{}spec:\n  parentRefs:\n    - name: public\n  \
                     hostnames: [web.example.com]\n  rules:\n{first}    - {rest}",
                    self.metadata("web", "")
                )]
            }
            ProviderId::IstioHosts => {
                let route = |indent: usize| {
                    format!(
                        "{0:indent$}route:\n{0:indent$}  - destination: {{host: web}}\n{1}",
                        "",
                        self.weight(indent + 4)
                    )
                };
                let first = match more {
                    true => format!(
                        "    - match: [{{uri: {{prefix: /slow}}}}]\n      timeout: 30s\n{}",
                        route(6)
                    ),
                    false => String::new(),
                };
                let rest = route(6).trim_start().to_owned();
                vec![format!(
                    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n{}spec:\n  hosts: [web]\n  http:\n{first}    - {rest}",
                    self.metadata("web", "")
                )]
            }
            ProviderId::AppMesh => self.app_mesh(more),
            _ => Vec::new(),
        }
    }

    fn app_mesh(&self, is_v1beta2: bool) -> Vec<String> {
        let (version, mesh, host) = match is_v1beta2 {
            true => ("v1beta2", "", "hostname"),
            false => ("v1beta1", "  meshName: shop\n", "hostName"),
        };
        let pods = match is_v1beta2 {
            true => format!("  podSelector:\n{}", self.map("matchLabels", 4, &self.labels)),
            false => String::new(),
        };
        let listeners = "listeners:\n    - portMapping: {port: 80, protocol: http}\n";
        let node = format!(
            "apiVersion: appmesh.k8s.aws/{version}\nkind: VirtualNode\n{}spec:\n{mesh}{pods}  {listeners}  \
             serviceDiscovery:\n    dns:\n      {host}: web-v1.shop.svc.cluster.local\n",
            self.metadata("web-v1", "")
        );
        let target = match is_v1beta2 {
            true => "virtualNodeRef: {name: web-v1}",
            false => "virtualNodeName: web-v1",
        };
        // App Mesh asks for a weight.
        let targets = |indent: usize| {
            format!(
                "{0:indent$}weightedTargets:\n{0:indent$}  - {target}\n{0:indent$}    weight: 100\n",
                ""
            )
        };
        let routed = match is_v1beta2 {
            true => vec![
                format!(
                    "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualRouter\n{}spec:\n  {listeners}  routes:\n    - name: web-route\n      \
                     httpRoute:\n        match: {{prefix: /}}\n        action:\n{}",
                    self.metadata("web", ""),
                    targets(10)
                ),
                format!(
                    "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualService\n{}spec:\n  awsName: web.shop.svc.cluster.local\n  provider:\n    \
                     virtualRouter:\n      virtualRouterRef: {{name: web}}\n",
                    self.metadata("web", "")
                ),
            ],
            false => vec![format!(
                "apiVersion: appmesh.k8s.aws/v1beta1\nkind: VirtualService\n{}spec:\n  meshName: shop\n  virtualRouter:\n    name: web\n    \
                 listeners:\n      - portMapping: {{port: 80, protocol: http}}\n  routes:\n    - name: web-route\n      http:\n        \
                 match: {{prefix: /}}\n        action:\n{}",
                self.metadata("web.shop.svc.cluster.local", ""),
                targets(10)
            )],
        };
        std::iter::once(node).chain(routed).collect()
    }
}
