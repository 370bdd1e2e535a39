//! Objects of the kinds that matter, with some of their fields left out at random.

use serde_json::{Value, json};

use crate::random::Random;

type Make = fn(&mut Random) -> Value;

/// apiVersion, kind and what is beside the metadata.
pub(crate) const KINDS: [(&str, &str, Make); 13] = [
    ("apps/v1", "Deployment", deployment),
    ("apps/v1", "StatefulSet", stateful_set),
    ("batch/v1", "CronJob", cron_job),
    ("v1", "Service", service),
    ("v1", "ConfigMap", config_map),
    ("networking.k8s.io/v1", "Ingress", ingress),
    ("autoscaling/v2", "HorizontalPodAutoscaler", autoscaler),
    ("policy/v1", "PodDisruptionBudget", disruption_budget),
    ("networking.k8s.io/v1", "NetworkPolicy", network_policy),
    ("networking.istio.io/v1", "VirtualService", virtual_service),
    ("networking.istio.io/v1", "DestinationRule", destination_rule),
    (
        "security.istio.io/v1",
        "AuthorizationPolicy",
        authorization_policy,
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", http_route),
];

/// Makes an object with a name of its own.
pub(crate) fn object(random: &mut Random, name: &str) -> Value {
    let (api_version, kind, make) = *random.choose(&KINDS);
    let mut object = make(random);
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    object["metadata"] = metadata(random);
    thin(random, &mut object);
    object["metadata"]["name"] = name.into();
    if random.percent(30) {
        object["metadata"]["namespace"] = "shop".into();
    }
    object
}

/// Leaves out fields and shortens lists.
fn thin(random: &mut Random, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let keeps = [
                "name",
                "apiVersion",
                "kind",
                "metadata",
                "port",
                "containerPort",
                "mountPath",
                "ip",
                "topologyKey",
            ];
            fields.retain(|name, _| keeps.contains(&name.as_str()) || !random.percent(12));
            fields.values_mut().for_each(|value| thin(random, value));
        }
        Value::Array(items) => {
            if random.percent(15) {
                items.truncate(random.below(items.len() + 1));
            }
            items.iter_mut().for_each(|item| thin(random, item));
        }
        _ => {}
    }
}

fn metadata(random: &mut Random) -> Value {
    let mut metadata = json!({
        "labels": {"app": "web", "tier": "front", "example.org/team": "a"},
        "annotations": {"owner": "team-a", "example.org/link": "https://example.org/a~b?c=d"},
    });
    if random.percent(20) {
        metadata["finalizers"] = json!(["example.org/one", "example.org/two"]);
    }
    if random.percent(10) {
        metadata["annotations"] = json!({"only": "one"});
    }
    metadata
}

fn pod(random: &mut Random) -> Value {
    let mut web_ports =
        json!([{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]);
    if random.percent(40) {
        web_ports = json!([
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            {"name": "http", "containerPort": 8080},
        ]);
    }
    json!({
        "metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}},
        "spec": {
            "serviceAccountName": "web",
            "terminationGracePeriodSeconds": 30,
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}, {"ip": "10.0.0.2", "hostnames": ["c"]}],
            "imagePullSecrets": [{"name": "pull-a"}, {"name": "pull-b"}],
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "web", "effect": "NoSchedule"}],
            "topologySpreadConstraints": [
                {"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1},
                {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 2},
                {"topologyKey": "host", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 3},
            ],
            "initContainers": [{"name": "init", "image": "init:1"}],
            "containers": [
                {
                    "name": "web", "image": "web:1", "args": ["--port", "8080"], "command": ["/web"],
                    "ports": web_ports,
                    "env": [{"name": "MODE", "value": "prod"}, {"name": "LEVEL", "value": "info"}, {"name": "N", "value": "1"}],
                    "envFrom": [{"configMapRef": {"name": "conf"}}],
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                    "volumeMounts": [{"name": "cache", "mountPath": "/cache"}, {"name": "conf", "mountPath": "/etc/web", "readOnly": true}],
                    "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 5},
                    "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsUser": 1000},
                },
                {"name": "sidecar", "image": "sidecar:2", "env": [{"name": "X", "value": "y"}]},
                {"name": "proxy", "image": "proxy:3"},
            ],
            "volumes": [{"name": "cache", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "conf"}}],
        },
    })
}

fn deployment(random: &mut Random) -> Value {
    json!({"spec": {
        "replicas": 3, "paused": false,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        "template": pod(random),
    }})
}

fn stateful_set(random: &mut Random) -> Value {
    json!({"spec": {
        "replicas": 3, "serviceName": "db",
        "selector": {"matchLabels": {"app": "web"}},
        "template": pod(random),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
    }})
}

fn cron_job(random: &mut Random) -> Value {
    json!({"spec": {
        "schedule": "*/5 * * * *", "suspend": false,
        "jobTemplate": {"spec": {"backoffLimit": 2, "template": pod(random)}},
    }})
}

fn service(random: &mut Random) -> Value {
    let mut ports = json!([{"name": "http", "port": 80, "targetPort": "http"}, {"name": "grpc", "port": 9000}, {"name": "admin", "port": 9901}]);
    if random.percent(50) {
        ports = json!([
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        ]);
        if random.percent(40) {
            ports[1] = json!({"name": "http", "port": 80});
        }
    }
    json!({"spec": {
        "type": "ClusterIP", "selector": {"app": "web", "track": "stable"}, "ports": ports,
        "externalIPs": ["192.0.2.1", "192.0.2.2"], "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}},
    }})
}

fn config_map(_: &mut Random) -> Value {
    json!({"data": {"a": "1", "b": "yes", "c": "line\nline\n", "d": "", "e": "010"}, "immutable": false})
}

fn ingress(_: &mut Random) -> Value {
    json!({"spec": {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["a.example.org"], "secretName": "tls"}],
        "rules": [{"host": "a.example.org", "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
        ]}}],
    }})
}

fn autoscaler(_: &mut Random) -> Value {
    json!({"spec": {
        "minReplicas": 2, "maxReplicas": 10,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
        "behavior": {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}], "stabilizationWindowSeconds": 300}},
    }})
}

fn disruption_budget(_: &mut Random) -> Value {
    json!({"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web", "tier": "front"}}}})
}

fn network_policy(_: &mut Random) -> Value {
    json!({"spec": {
        "podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 80, "protocol": "TCP"}]}],
    }})
}

fn virtual_service(_: &mut Random) -> Value {
    json!({"spec": {
        "hosts": ["web"], "gateways": ["mesh"],
        "http": [
            {"name": "canary", "match": [{"headers": {"x": {"exact": "1"}}}], "route": [{"destination": {"host": "web", "subset": "canary"}, "weight": 100}]},
            {"name": "main", "route": [{"destination": {"host": "web", "subset": "stable"}, "weight": 90}, {"destination": {"host": "web", "subset": "canary"}, "weight": 10}]},
        ],
    }})
}

fn destination_rule(_: &mut Random) -> Value {
    json!({"spec": {
        "host": "web", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}, "loadBalancer": {"simple": "LEAST_REQUEST"}},
        "subsets": [{"name": "stable", "labels": {"track": "stable"}}, {"name": "canary", "labels": {"track": "canary"}}],
    }})
}

fn authorization_policy(_: &mut Random) -> Value {
    json!({"spec": {
        "action": "ALLOW", "selector": {"matchLabels": {"app": "web"}},
        "rules": [{"from": [{"source": {"principals": ["a", "b"]}}], "to": [{"operation": {"methods": ["GET"], "paths": ["/a*"]}}]}],
    }})
}

fn http_route(_: &mut Random) -> Value {
    json!({"spec": {
        "parentRefs": [{"name": "gateway", "sectionName": "https"}], "hostnames": ["a.example.org"],
        "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [{"name": "web", "port": 80, "weight": 90}, {"name": "web-canary", "port": 80, "weight": 10}]}],
    }})
}
