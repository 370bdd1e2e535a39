//! Generated repositories: hand-written YAML in many styles; in the GAP layout here, plain manifests in `manifests`.

pub(crate) mod flags;
pub(crate) mod manifests;
pub(crate) mod overlays;

use std::collections::BTreeMap;

use tidegate_core::repo::{MemoryRepo, RepoPath};

/// Followed by a number: a place that a person may edit.
pub(crate) const MARK: &str = "a person's note ";

/// The tag that the repository starts with.
pub(crate) const TAG: &str = "5b1f0c7e";

/// Choices made from a list of numbers; when it is used up, the plainest choice is made.
pub(crate) struct Choices<'a> {
    numbers: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    pub(crate) fn new(numbers: &'a [u8]) -> Self {
        Self {
            numbers: numbers.iter(),
        }
    }

    fn of(&mut self, count: u8) -> u8 {
        self.numbers.next().map_or(0, |number| number % count)
    }

    fn is(&mut self) -> bool {
        self.of(2) == 1
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let count = u8::try_from(from.len()).expect("few choices");
        from[usize::from(self.of(count))]
    }
}

/// A whole repository: a spec with a workload `web` that can be released, patches and resources.
pub(crate) fn repository(choices: &mut Choices<'_>) -> MemoryRepo {
    let mut files = BTreeMap::new();
    let mut add = |name: &str, text: String| {
        files.insert(RepoPath::new(name).expect("a path"), text);
    };
    let spec = spec(choices);
    add("gap/gap.yaml", ended(choices, spec));
    for folder in ["gap", "gap/staging", "gap/production"] {
        if choices.is() {
            let text = deployment_patch(choices);
            add(
                &format!("{folder}/gap_patch_deployment.yaml"),
                ended(choices, text),
            );
        }
    }
    // A weight at one single destination and none at another is refused, so it is the same everywhere.
    let weight = choices.pick(&["", "      weight: 100 # a person's note 0\n"]);
    for folder in ["gap/staging", "gap/production"] {
        if choices.is() {
            let text = routes_patch(choices, weight);
            add(&format!("{folder}/gap_patch_routes.yaml"), ended(choices, text));
        }
    }
    if choices.is() {
        let text = resources(choices);
        add("gap/gap_more.yaml", ended(choices, text));
    }
    add("README.md", "not ours\n".to_owned());
    MemoryRepo::new(files)
}

/// Line ends and the last one.
fn ended(choices: &mut Choices<'_>, text: String) -> String {
    let text = if choices.of(4) == 1 {
        text.replace('\n', "\r\n")
    } else {
        text
    };
    if choices.of(4) == 1 {
        text.trim_end().to_owned()
    } else {
        text
    }
}

/// Text being written at a depth, with an indentation of its own.
struct Writer<'c, 'n> {
    choices: &'c mut Choices<'n>,
    text: String,
    indent: usize,
}

impl Writer<'_, '_> {
    fn line(&mut self, depth: usize, line: &str) {
        let width = depth * self.indent;
        self.text.push_str(&format!("{:width$}{line}", ""));
        if self.choices.of(6) == 1 {
            let mark = self.choices.of(4);
            self.text.push_str(&format!(" # {MARK}{mark}"));
        }
        self.text.push('\n');
        match self.choices.of(10) {
            1 => self.text.push('\n'),
            2 => self.comment(depth),
            3 => self.comment(depth + 1),
            4 => self.comment(0),
            _ => {}
        }
    }

    fn comment(&mut self, depth: usize) {
        let width = depth * self.indent;
        let mark = self.choices.of(4);
        self.text.push_str(&format!("{:width$}# {MARK}{mark}\n", ""));
    }

    /// A line that nothing may follow but its own continuation: a block scalar's text.
    fn raw(&mut self, depth: usize, line: &str) {
        let width = depth * self.indent;
        self.text.push_str(&format!("{:width$}{line}\n", ""));
    }
}

fn spec(choices: &mut Choices<'_>) -> String {
    let indent = choices.pick(&[2, 4, 3]);
    let mut writer = Writer {
        choices,
        text: String::new(),
        indent,
    };
    if writer.choices.is() {
        writer.comment(0);
    }
    let name = writer
        .choices
        .pick(&["name: orders", "name: 'orders'", "\"name\": orders"]);
    writer.line(0, name);
    writer.line(0, "namespace: checkout");
    writer.line(0, "useServiceMesh: true");
    if writer.choices.of(4) == 1 {
        writer.line(0, "deletionProtection: true");
    }
    let has_root_image = writer.choices.of(3) != 1;
    if has_root_image {
        image(&mut writer, 0);
    }
    if writer.choices.is() {
        writer.line(0, "x-shared: &shared {probe: /health, port: 8080}");
    }
    writer.line(0, "deployments:");
    let before = writer.choices.is();
    if before {
        worker(&mut writer, "loader");
    }
    if writer.choices.of(5) == 1 {
        flow_web(&mut writer, has_root_image);
    } else {
        block_web(&mut writer, has_root_image);
    }
    if writer.choices.is() {
        worker(&mut writer, "worker");
    }
    writer.text
}

fn image(writer: &mut Writer<'_, '_>, depth: usize) {
    let tag = writer
        .choices
        .pick(&["tag: 5b1f0c7e", "tag: \"5b1f0c7e\"", "tag:   '5b1f0c7e'"]);
    if writer.choices.of(3) == 1 {
        let flow = format!("image: {{ repository: team/orders, {tag} }}");
        return writer.line(depth, &flow);
    }
    writer.line(depth, "image:");
    writer.line(depth + 1, "repository: team/orders");
    writer.line(depth + 1, tag);
}

fn worker(writer: &mut Writer<'_, '_>, name: &str) {
    writer.line(1, &format!("{name}:"));
    writer.line(2, "command: [/app/work]");
    if writer.choices.is() {
        writer.line(2, "podLabels: {tier: back}");
    }
}

fn flow_web(writer: &mut Writer<'_, '_>, has_root_image: bool) {
    let image = if has_root_image {
        String::new()
    } else {
        format!(", image: {{repository: team/orders, tag: {TAG}}}")
    };
    let labels = writer
        .choices
        .pick(&["", ", podLabels: {tier: front}", ",podLabels: { tier: front , }"]);
    let line = writer.choices.pick(&[
        "web: {ingress: {enabled: true}",
        "web: { ingress: { enabled: true }",
        "web:  {\"ingress\": {\"enabled\": true}",
    ]);
    writer.line(
        1,
        &format!("{line}{labels}{image}, command: [/app/serve, '--all']}}"),
    );
}

fn block_web(writer: &mut Writer<'_, '_>, has_root_image: bool) {
    let key = writer
        .choices
        .pick(&["web:", "\"web\":", "web: &web", "web:   # the shop front's API"]);
    writer.line(1, key);
    if writer.choices.of(4) == 1 {
        writer.comment(2);
    }
    if writer.choices.is() {
        labels(writer);
    }
    writer.line(2, "ingress:");
    writer.line(3, "enabled: true");
    if writer.choices.is() {
        writer.line(3, "labels: {migration: \"true\"}");
    }
    if !has_root_image {
        image(writer, 2);
    }
    if writer.choices.is() {
        let dash = writer.choices.is();
        writer.line(2, "command:");
        let depth = if dash { 2 } else { 3 };
        writer.line(depth, "- /app/serve");
        writer.line(depth, "- '--port'");
    }
    if writer.choices.is() {
        callers(writer);
    }
    if writer.choices.of(3) == 1 {
        writer.raw(2, "notes: |");
        writer.raw(3, "# not a comment");
        writer.raw(3, "  two lines");
        writer.raw(2, "more: &more");
        writer.raw(3, "a: 1");
        writer.raw(2, "again: *more");
    }
    if writer.choices.is() {
        writer.line(2, "autoscaling:");
        writer.line(3, "enabled: true");
        writer.line(3, "minReplicas: 2");
        writer.line(3, "maxReplicas: 6");
        writer.line(
            3,
            "metrics: [{type: Resource, name: cpu, targetAverageUtilization: 60}]",
        );
    }
    if writer.choices.is() {
        writer.line(2, "resources: {requests: {cpu: 200m}}");
    }
}

fn labels(writer: &mut Writer<'_, '_>) {
    match writer.choices.of(3) {
        0 => writer.line(2, "podLabels: {}"),
        1 => writer.line(2, "podLabels: {tier: front}"),
        _ => {
            writer.line(2, "podLabels:");
            writer.line(3, "tier: front");
        }
    }
}

fn callers(writer: &mut Writer<'_, '_>) {
    writer.line(2, "authorizationPolicy:");
    writer.line(3, "rules:");
    let depth = if writer.choices.is() { 3 } else { 4 };
    writer.line(depth, "- from:");
    writer.line(depth + 1, "- source:");
    let account = writer.choices.pick(&["newsletter", "ingress-nginx"]);
    // An exposed workload admits the ingress controller.
    let ingress = "{namespace: ingress-nginx, serviceAccountName: [ingress-nginx]}";
    let principals = match account {
        "ingress-nginx" => format!("principals: [{ingress}]"),
        _ => format!("principals: [{{namespace: {account}, serviceAccountName: [{account}]}}, {ingress}]"),
    };
    // Below `- source:`, one deeper than the dash and its space.
    let width = (depth + 1) * writer.indent + 4;
    writer.text.push_str(&format!("{:width$}{principals}\n", ""));
}

fn deployment_patch(choices: &mut Choices<'_>) -> String {
    let first = choices.pick(&["", "---\n", "# a person's note 1\n---\n"]);
    let name = choices.pick(&["orders-web", "\"orders-web\""]);
    let more = choices.pick(&["", "---\n# a person's note 2\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: orders, labels: {a: b}}\n"]);
    format!(
        "{first}apiVersion: apps/v1\nkind: Deployment # a person's note 3\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      terminationGracePeriodSeconds: 40 # long\n      containers:\n        - name: orders-web\n          env: [{{name: LEVEL, value: debug}}]\n{more}"
    )
}

fn routes_patch(choices: &mut Choices<'_>, weight: &str) -> String {
    let host = choices.pick(&["orders-web.checkout.svc.cluster.local", "orders-web"]);
    let entry = choices.pick(&[
        "    - destination:\n        host: HOST # a person's note 0\n",
        "    - destination: {host: HOST}\n",
        "    - destination: {host: HOST, port: {number: 80}}\n      headers: {request: {set: {a: b}}}\n",
    ]);
    let entry = format!("{entry}{weight}");
    let match_rule = choices.pick(&[
        "",
        "  - name: bulk # a person's note 1\n    match:\n    - uri: {prefix: /bulk}\n    timeout: 30s\n    route:\n    - destination: {host: HOST}\nWEIGHT",
        "  - match: [{uri: {exact: /old}}]\n    redirect: {uri: /new}\n",
    ]);
    let rest = choices.pick(&[
        "",
        "    timeout: 5s\n    retries: {attempts: 2} # a person's note 2\n",
        "    corsPolicy:\n      allowOrigins:\n      - exact: https://example.com\n",
    ]);
    let text = format!(
        "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata: {{name: orders--web}}\nspec:\n  http:\n{match_rule}  - route:\n{entry}{rest}"
    );
    text.replace("HOST", host).replace("WEIGHT", weight)
}

fn resources(choices: &mut Choices<'_>) -> String {
    let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: orders-web # a person's note 3\nspec:\n  minAvailable: 1\n  selector:\n    matchLabels: {app: orders-web}\n";
    let rule = "---\napiVersion: networking.istio.io/v1beta1\nkind: DestinationRule\nmetadata:\n  name: orders-own\nspec:\n  # a person's note 0\n  host: orders-web.checkout.svc.cluster.local\n  trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}\n";
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: orders}\ndata: {service: orders-web}\n";
    let mut text = budget.to_owned();
    if choices.is() {
        text.push_str(rule);
    }
    if choices.is() {
        text.push_str(map);
    }
    text
}
