//! Mistakes, most of them made by hand in the application of the guide: each is one thing that Istio's analysis or
//! tidegate has an opinion on.

use tidegate_core::repo::{MemoryRepo, RepoPath};

pub(crate) struct Mistake {
    pub(crate) name: &'static str,
    /// The phase that it is made in.
    pub(crate) phase: &'static str,
    edit: Edit,
}

enum Edit {
    /// A new file.
    Write(&'static str, &'static str),
    /// Texts in a file, each with the one that replaces it.
    Replace(&'static str, &'static [(&'static str, &'static str)]),
    /// A new patch with the `http` list of the generated VirtualService.
    Routes(&'static str),
}

use Edit::{Replace, Routes, Write};

impl Mistake {
    /// Makes the mistake.
    pub(crate) fn make(&self, repo: &mut MemoryRepo) {
        let (file, text) = match &self.edit {
            Write(file, text) => (*file, (*text).to_owned()),
            Routes(http) => (OWN_ROUTES, format!("{VIRTUAL_SERVICE}{http}")),
            Replace(file, replacements) => {
                let path = RepoPath::new(file).expect("a path");
                let mut text = repo.files()[&path].clone();
                for (from, to) in *replacements {
                    assert!(text.contains(from), "{}: no {from:?} in {file}", self.name);
                    text = text.replacen(from, to, 1);
                }
                (*file, text)
            }
        };
        repo.set(RepoPath::new(file).expect("a path"), Some(text));
    }
}

const RULE: &str = "gap/gap_canary_destination_rule.yaml";
const ROUTES: &str = "gap/staging/gap_patch_canary_virtual_service.yaml";
const OWN_ROUTES: &str = "gap/gap_patch_routes.yaml";

const VIRTUAL_SERVICE: &str = "apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: my-service--web}
spec:
  http:
";

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "a subset with weight is not declared",
        phase: "ramp",
        edit: Replace(RULE, &[("  - name: v2\n    labels:\n      version: v2\n", "")]),
    },
    Mistake {
        name: "a subset without weight is not declared",
        phase: "park",
        edit: Replace(RULE, &[("  - name: v2\n    labels:\n      version: v2\n", "")]),
    },
    Mistake {
        name: "a route to a port that the Service does not have",
        phase: "ramp",
        edit: Replace(
            ROUTES,
            &[("subset: v2\n", "subset: v2\n        port: {number: 81}\n")],
        ),
    },
    Mistake {
        name: "a route to a host that no manifest describes",
        phase: "idle",
        edit: Routes(
            "  - match: [{uri: {prefix: /old/}}]
    route: [{destination: {host: my-service-wbe}}]
  - route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "all weights are 0",
        phase: "ramp",
        edit: Replace(
            ROUTES,
            &[("weight: 90", "weight: 0"), ("weight: 10", "weight: 0")],
        ),
    },
    Mistake {
        name: "weights that add up to 110",
        phase: "ramp",
        edit: Replace(ROUTES, &[("weight: 90", "weight: 100")]),
    },
    Mistake {
        name: "a second VirtualService for the host",
        phase: "idle",
        edit: Write(
            "gap/gap_routes.yaml",
            "apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: my-service-timeouts}
spec:
  hosts: [my-service-web]
  http:
  - timeout: 3s
    route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "a second VirtualService for the host, at a gateway",
        phase: "idle",
        edit: Write(
            "gap/gap_routes.yaml",
            "apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: my-service-gateway}
spec:
  hosts: [my-service-web.relational-data.svc.cluster.local]
  gateways: [istio-ingressgateway]
  http:
  - route: [{destination: {host: my-service-web}}]
---
apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {name: istio-ingressgateway}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*']
",
        ),
    },
    Mistake {
        name: "a route after one without a match",
        phase: "idle",
        edit: Routes(
            "  - route: [{destination: {host: my-service-web}}]
  - match: [{headers: {x-tester: {exact: 'yes'}}}]
    timeout: 60s
    route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "two routes without a match",
        phase: "idle",
        edit: Routes(
            "  - route: [{destination: {host: my-service-web}}]
  - timeout: 60s
    route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "a route with the match of another",
        phase: "idle",
        edit: Routes(
            "  - match: [{uri: {exact: /a}, method: {exact: GET}}]
    route: [{destination: {host: my-service-web}}]
  - match: [{method: {exact: GET}, uri: {exact: /a}}]
    timeout: 60s
    route: [{destination: {host: my-service-web}}]
  - route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "one match of a route is taken by a shorter prefix",
        phase: "idle",
        edit: Routes(
            "  - match: [{uri: {prefix: /api/}}]
    route: [{destination: {host: my-service-web}}]
  - match: [{uri: {prefix: /api/bulk}}, {uri: {prefix: /bulk}}]
    timeout: 60s
    route: [{destination: {host: my-service-web}}]
  - route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "a whole route is taken by a shorter prefix",
        phase: "idle",
        edit: Routes(
            "  - match: [{uri: {prefix: /api/}}]
    route: [{destination: {host: my-service-web}}]
  - match: [{uri: {prefix: /api/bulk}}]
    timeout: 60s
    route: [{destination: {host: my-service-web}}]
  - route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "a prefix with a header after the prefix without",
        phase: "idle",
        edit: Routes(
            "  - match: [{uri: {prefix: /api/}}]
    route: [{destination: {host: my-service-web}}]
  - match: [{uri: {prefix: /api/}, headers: {x-tester: {exact: 'yes'}}}]
    timeout: 60s
    route: [{destination: {host: my-service-web}}]
  - route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "a route after the prefix /",
        phase: "idle",
        edit: Routes(
            "  - match: [{uri: {prefix: /}}]
    route: [{destination: {host: my-service-web}}]
  - route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "one route has a prefix twice",
        phase: "idle",
        edit: Routes(
            "  - match: [{uri: {prefix: /api}}, {uri: {prefix: /api/}}]
    timeout: 60s
    route: [{destination: {host: my-service-web}}]
  - route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "a longer prefix for every method after a shorter one for GET",
        phase: "idle",
        edit: Routes(
            "  - match: [{uri: {prefix: /api/}, method: {exact: GET}}]
    route: [{destination: {host: my-service-web}}]
  - match: [{uri: {prefix: /api/bulk}}]
    timeout: 60s
    route: [{destination: {host: my-service-web}}]
  - route: [{destination: {host: my-service-web}}]
",
        ),
    },
    Mistake {
        name: "a subset asks for a label of nobody",
        phase: "ramp",
        edit: Replace(RULE, &[("version: v2", "version: v3")]),
    },
    Mistake {
        name: "the stable copy has no pods",
        phase: "ramp",
        edit: Write(
            "gap/gap_patch_replicas.yaml",
            "apiVersion: apps/v1
kind: Deployment
metadata: {name: my-service-web-v1}
spec: {replicas: 0}
",
        ),
    },
    Mistake {
        name: "the Service does not select the stable copy",
        phase: "ramp",
        edit: Write(
            "gap/gap_patch_service.yaml",
            "apiVersion: v1
kind: Service
metadata: {name: my-service-web}
spec: {selector: {version: v2}}
",
        ),
    },
    Mistake {
        name: "a subset of nobody's that no route names",
        phase: "idle",
        edit: Write(
            "gap/gap_rule.yaml",
            "apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: my-service-other}
spec:
  host: my-service-web
  subsets: [{name: other, labels: {version: other}}]
",
        ),
    },
    Mistake {
        name: "a DestinationRule for a host that no manifest describes",
        phase: "idle",
        edit: Write(
            "gap/gap_rule.yaml",
            "apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: my-service-other}
spec:
  host: my-service-wbe
  subsets: [{name: other, labels: {version: other}}]
",
        ),
    },
    Mistake {
        name: "a route that names no port of a Service with two",
        phase: "idle",
        edit: Write(
            "gap/gap_patch_service.yaml",
            "apiVersion: v1
kind: Service
metadata: {name: my-service-web}
spec: {ports: [{name: http-admin, port: 8081, targetPort: 8081}]}
",
        ),
    },
    Mistake {
        name: "a port without a protocol in its name",
        phase: "idle",
        edit: Write(
            "gap/gap_service.yaml",
            "apiVersion: v1
kind: Service
metadata: {name: my-service-other}
spec: {selector: {applicationName: my-service}, ports: [{name: main, port: 80, targetPort: 8080}]}
",
        ),
    },
    Mistake {
        name: "a policy for pods that nobody has",
        phase: "idle",
        edit: Write(
            "gap/gap_policy.yaml",
            "apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata: {name: my-service-other}
spec: {selector: {matchLabels: {app: nobody}}, rules: [{}]}
",
        ),
    },
    Mistake {
        name: "a gateway that no manifest describes",
        phase: "idle",
        edit: Write(
            "gap/gap_patch_routes.yaml",
            "apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: my-service--web}
spec: {gateways: [mesh, outside]}
",
        ),
    },
    Mistake {
        name: "the callers of a policy are in a namespace that no manifest describes",
        phase: "idle",
        edit: Write(
            "gap/gap_policy.yaml",
            "apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata: {name: my-service-other}
spec: {rules: [{from: [{source: {namespaces: [marketing]}}]}]}
",
        ),
    },
];
