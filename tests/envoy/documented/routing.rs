//! Services, VirtualServices, DestinationRules, gateways.

use serde_json::{Value, json};

use super::case::{
    Case, HOST, caller, case, destination_rule, named, pod, routes, rule, service, to, virtual_service,
    weighted, with, within,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = services();
    cases.extend(weights());
    cases.extend(matches());
    cases.extend(hosts());
    cases.extend(subsets());
    cases.extend(gateways());
    cases
}

fn both() -> Value {
    json!({"stable": 0.5, "canary": 0.5})
}

/// Kubernetes, Service: ready pods that the selector matches; ports by number or name.
fn services() -> Vec<Case> {
    let unready = |name, version| with(pod(name, version), json!({"ready": false}));
    let ports = |target: Value| json!([{"name": "http", "port": 80, "targetPort": target}]);
    let service_with = |spec: Value| {
        named(
            "v1",
            "Service",
            "web",
            with(json!({"selector": {"app": "web"}}), spec),
        )
    };
    vec![
        case("a Service spreads over its ready pods")
            .pods(vec![
                pod("a", "v1"),
                pod("b", "v1"),
                pod("c", "v2"),
                unready("d", "v2"),
            ])
            .ask(json!({}), json!({"stable": 2.0 / 3.0, "canary": 1.0 / 3.0})),
        case("a Service without ready pods")
            .pods(vec![unready("a", "v1")])
            .ask(json!({}), json!({"503 UH": 1})),
        case("an empty selector selects nothing")
            .object(service(json!({})))
            .ask(json!({}), json!({"503 UH": 1})),
        case("a selector that matches some of the pods")
            .object(service(json!({"app": "web", "version": "v2"})))
            .ask(json!({}), json!({"canary": 1})),
        case("pods that are not ready, published")
            .object(service_with(
                json!({"ports": ports(json!(8080)), "publishNotReadyAddresses": true}),
            ))
            .pods(vec![pod("a", "v1"), unready("b", "v2")])
            .ask(json!({}), both()),
        case("a target port named on one pod only")
            .object(service_with(json!({"ports": ports(json!("http"))})))
            .pods(vec![
                pod("a", "v1"),
                with(pod("b", "v2"), json!({"ports": {"web": 8080}})),
            ])
            .ask(json!({}), json!({"stable": 1})),
        case("a pod of another namespace is not selected")
            .pods(vec![
                pod("a", "v1"),
                with(pod("b", "v2"), json!({"namespace": "other"})),
            ])
            .ask(json!({}), json!({"stable": 1})),
        case("the names of a Service")
            .ask(json!({"host": "web.shop"}), both())
            .ask(json!({"host": "web.shop.svc"}), both())
            .ask(json!({"host": "web"}), json!({"404 NR": 1}))
            .ask(json!({"host": "web", "caller": caller("shop", "web")}), both())
            .ask(json!({"port": 8080}), json!({"404 NR": 1})),
        case("an unknown host").ask(json!({"host": "nobody.example.com"}), json!({"404 NR": 1})),
        case("objects without routing are passed over")
            .object(named("apps/v1", "Deployment", "web", json!({"strategy": {}})))
            .object(named(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "web",
                json!({"minReplicas": 2}),
            ))
            .ask(json!({}), both()),
    ]
}

/// Istio, VirtualService `HTTPRouteDestination.weight`; Envoy, weighted clusters, response flags NC and UH.
fn weights() -> Vec<Case> {
    let split = |stable, canary| routes(json!([{"route": [weighted("v1", stable), weighted("v2", canary)]}]));
    vec![
        case("weights are exact shares")
            .object(split(90, 10))
            .object(rule(&["v1", "v2"]))
            .ask(json!({}), json!({"stable": 0.9, "canary": 0.1})),
        case("one percent over several pods")
            .object(split(99, 1))
            .object(rule(&["v1", "v2"]))
            .pods(vec![
                pod("a", "v1"),
                pod("b", "v1"),
                pod("c", "v2"),
                pod("d", "v2"),
                pod("e", "v2"),
            ])
            .ask(json!({}), json!({"stable": 0.99, "canary": 0.01})),
        case("weights are relative")
            .object(split(1, 2))
            .object(rule(&["v1", "v2"]))
            .ask(json!({}), json!({"stable": 1.0 / 3.0, "canary": 2.0 / 3.0})),
        case("a subset that no rule defines fails its share")
            .object(split(25, 75))
            .object(rule(&["v1"]))
            .ask(json!({}), json!({"stable": 0.25, "503 NC": 0.75})),
        case("without any rule everything fails")
            .object(split(25, 75))
            .ask(json!({}), json!({"503 NC": 1})),
        case("a subset without pods fails its share")
            .object(split(25, 75))
            .object(rule(&["v1", "v2"]))
            .pods(vec![pod("a", "v1")])
            .ask(json!({}), json!({"stable": 0.25, "503 UH": 0.75})),
        case("a subset whose pods the Service does not select")
            .object(service(json!({"app": "web", "version": "v2"})))
            .object(split(25, 75))
            .object(rule(&["v1", "v2"]))
            .ask(json!({}), json!({"503 UH": 0.25, "canary": 0.75})),
        case("weight 0 of a subset that no rule defines is harmless")
            .object(split(100, 0))
            .object(rule(&["v1"]))
            .ask(json!({}), json!({"stable": 1})),
        case("a single destination gets everything, with weight 0 too")
            .object(routes(json!([{"route": [weighted("v2", 0)]}])))
            .object(rule(&["v2"]))
            .ask(json!({}), json!({"canary": 1})),
        case("a destination without a subset is the whole Service")
            .object(routes(json!([{"route": [{"destination": {"host": HOST}}]}])))
            .ask(json!({}), both()),
    ]
}

/// Istio, VirtualService `HTTPMatchRequest`: rules in order, matches of a rule alternatives, fields of a match
/// together.
fn matches() -> Vec<Case> {
    let chosen =
        |matches: Value| routes(json!([{"match": matches, "route": [to("v2")]}, {"route": [to("v1")]}]));
    let two = || rule(&["v1", "v2"]);
    let canary = || json!({"canary": 1});
    let stable = || json!({"stable": 1});
    vec![
        case("a header match before the weights")
            .object(chosen(json!([{"headers": {"x-canary": {"exact": "always"}}}])))
            .object(two())
            .ask(json!({"headers": {"x-canary": "always"}}), canary())
            .ask(json!({"headers": {"x-canary": "never"}}), stable())
            .ask(json!({}), stable()),
        case("a cookie match by regular expression")
            .object(chosen(json!([{"headers": {"cookie": {"regex": "^(.*?;)?\\s*(canary=always)(;.*)?$"}}}])))
            .object(two())
            .ask(json!({"headers": {"cookie": "a=b; canary=always"}}), canary())
            .ask(json!({"headers": {"cookie": "canary=alwaysnot"}}), stable()),
        case("paths by prefix, exact and regular expression, which matches the whole path")
            .object(chosen(json!([{"uri": {"prefix": "/api"}}, {"uri": {"exact": "/one"}}, {"uri": {"regex": "/r[0-9]+"}}])))
            .object(two())
            .ask(json!({"path": "/apix?query=1"}), canary())
            .ask(json!({"path": "/one?query=1"}), canary())
            .ask(json!({"path": "/one/more"}), stable())
            .ask(json!({"path": "/r12"}), canary())
            .ask(json!({"path": "/r12/x"}), stable())
            .ask(json!({"path": "/API"}), stable()),
        case("a prefix shadows what comes after it")
            .object(routes(json!([
                {"match": [{"uri": {"prefix": "/api"}}], "route": [to("v1")]},
                {"match": [{"uri": {"exact": "/api/new"}}], "route": [to("v2")]},
            ])))
            .object(two())
            .ask(json!({"path": "/api/new"}), stable())
            .ask(json!({"path": "/else"}), json!({"404 NR": 1})),
        case("fields of one match hold together")
            .object(chosen(json!([{"uri": {"prefix": "/bulk"}, "method": {"exact": "POST"}}])))
            .object(two())
            .ask(json!({"path": "/bulk", "method": "POST"}), canary())
            .ask(json!({"path": "/bulk"}), stable())
            .ask(json!({"path": "/", "method": "POST"}), stable()),
        case("case, presence, absence, parameters, authority")
            .object(chosen(json!([
                {"uri": {"exact": "/CASE"}, "ignoreUriCase": true},
                {"uri": {"exact": "/present"}, "headers": {"x-a": {}}},
                {"uri": {"exact": "/absent"}, "withoutHeaders": {"x-a": {"exact": "1"}}},
                {"uri": {"exact": "/query"}, "queryParams": {"q": {"exact": "1"}}},
                {"authority": {"prefix": "web.shop.svc.c"}, "uri": {"exact": "/host"}},
            ])))
            .object(two())
            .ask(json!({"path": "/case"}), canary())
            .ask(json!({"path": "/present"}), stable())
            .ask(json!({"path": "/present", "headers": {"x-a": "2"}}), canary())
            .ask(json!({"path": "/absent"}), canary())
            .ask(json!({"path": "/absent", "headers": {"x-a": "1"}}), stable())
            .ask(json!({"path": "/query?q=1"}), canary())
            .ask(json!({"path": "/query?q=2"}), stable())
            .ask(json!({"path": "/host"}), canary())
            .ask(json!({"path": "/host", "host": "web.shop"}), stable()),
        case("matches for some callers, ports and gateways")
            .object(chosen(json!([
                {"sourceNamespace": "front", "uri": {"exact": "/namespace"}},
                {"sourceLabels": {"tier": "x"}, "uri": {"exact": "/labels"}},
                {"port": 80, "uri": {"exact": "/port"}},
                {"port": 81, "uri": {"exact": "/other-port"}},
                {"gateways": ["mesh"], "uri": {"exact": "/mesh"}},
                {"gateways": ["edge"], "uri": {"exact": "/edge"}},
            ])))
            .object(two())
            .ask(json!({"path": "/namespace"}), canary())
            .ask(json!({"path": "/namespace", "caller": caller("else", "x")}), stable())
            .ask(json!({"path": "/labels"}), stable())
            .ask(json!({"path": "/labels", "caller": with(caller("front", "x"), json!({"labels": {"tier": "x"}}))}), canary())
            .ask(json!({"path": "/port"}), canary())
            .ask(json!({"path": "/other-port"}), stable())
            .ask(json!({"path": "/mesh"}), canary())
            .ask(json!({"path": "/edge"}), stable()),
        case("what the proxy answers itself")
            .object(routes(json!([
                {"match": [{"uri": {"exact": "/old"}}], "redirect": {"uri": "/new"}},
                {"match": [{"uri": {"exact": "/found"}}], "redirect": {"uri": "/new", "redirectCode": 302}},
                {"match": [{"uri": {"exact": "/down"}}], "directResponse": {"status": 503}},
                {"match": [{"uri": {"exact": "/ok"}}], "directResponse": {"status": 200}},
                {"route": [{"destination": {"host": HOST}}]},
            ])))
            .ask(json!({"path": "/old"}), json!({"301": 1}))
            .ask(json!({"path": "/found"}), json!({"302": 1}))
            .ask(json!({"path": "/down"}), json!({"503": 1}))
            .ask(json!({"path": "/ok"}), json!({"200": 1}))
            .ask(json!({"method": "HEAD"}), both()),
        case("settings that leave the shares alone")
            .object(routes(json!([{
                "name": "all", "timeout": "3s", "retries": {"attempts": 2}, "corsPolicy": {"maxAge": "24h"},
                "mirror": {"host": "replay.shop"}, "mirrorPercentage": {"value": 12.5},
                "headers": {"request": {"set": {"x-channel": "mobile"}}, "response": {"remove": ["x-cost"]}},
                "route": [weighted("v1", 50), weighted("v2", 50)],
            }])))
            .object(two())
            .ask(json!({}), both()),
    ]
}

/// Istio, VirtualService `hosts`: completion, wildcards, several objects.
fn hosts() -> Vec<Case> {
    let spec = |hosts: Value, subset: &str| json!({"hosts": hosts, "http": [{"route": [to(subset)]}]});
    let two = || rule(&["v1", "v2"]);
    let created = |object: Value, time: &str| {
        let metadata = with(object["metadata"].clone(), json!({"creationTimestamp": time}));
        with(object, json!({"metadata": metadata}))
    };
    let canary = || json!({"canary": 1});
    let stable = || json!({"stable": 1});
    vec![
        case("a public host beside the Service's")
            .object(virtual_service("web", spec(json!(["shop.example.com", HOST]), "v2")))
            .object(two())
            .ask(json!({"host": "shop.example.com"}), canary())
            .ask(json!({"host": "web.shop"}), canary())
            .ask(json!({"host": "other.example.com"}), json!({"404 NR": 1})),
        case("a public host alone leaves the Service as it is")
            .object(virtual_service("web", spec(json!(["shop.example.com"]), "v2")))
            .object(two())
            .ask(json!({"host": "shop.example.com"}), canary())
            .ask(json!({}), both()),
        case("a short host is completed with the object's namespace")
            .object(virtual_service("web", spec(json!(["web"]), "v2")))
            .object(two())
            .ask(json!({}), canary()),
        case("a short destination is completed, one with a dot is not")
            .object(routes(json!([
                {"match": [{"uri": {"exact": "/short"}}], "route": [{"destination": {"host": "web"}}]},
                {"route": [{"destination": {"host": "web.shop"}}]},
            ])))
            .ask(json!({"path": "/short"}), both())
            .ask(json!({}), json!({"503 NC": 1})),
        case("a wildcard takes Services that nothing more specific names")
            .object(virtual_service("all", spec(json!(["*.shop.svc.cluster.local"]), "v2")))
            .object(two())
            .ask(json!({}), canary()),
        case("an exact host wins over an older wildcard")
            .object(created(virtual_service("all", spec(json!(["*.svc.cluster.local"]), "v2")), "2020-01-01T00:00:00Z"))
            .object(created(virtual_service("web", spec(json!([HOST]), "v1")), "2024-01-01T00:00:00Z"))
            .object(two())
            .ask(json!({}), stable()),
        case("a wildcard for hosts that are no Services")
            .object(virtual_service("all", spec(json!(["*.example.com"]), "v2")))
            .object(two())
            .ask(json!({"host": "shop.example.com"}), canary())
            .ask(json!({"host": "example.com"}), json!({"404 NR": 1})),
        case("of two for one host the older counts, alone")
            .object(created(virtual_service("a", spec(json!([HOST]), "v1")), "2024-01-01T00:00:00Z"))
            .object(created(virtual_service("b", spec(json!([HOST]), "v2")), "2020-01-01T00:00:00Z"))
            .object(two())
            .ask(json!({}), canary()),
        case("one that is not exported does not exist for others")
            .object(virtual_service("web", with(spec(json!([HOST]), "v2"), json!({"exportTo": ["."]}))))
            .object(two())
            .ask(json!({}), both())
            .ask(json!({"caller": caller("shop", "web")}), canary()),
        case("no rule that is for the mesh leaves the Service as it is")
            .object(routes(json!([{"match": [{"gateways": ["edge"]}], "route": [to("v2")]}])))
            .object(two())
            .ask(json!({}), both()),
        case("ports: the caller's, unless the destination names one")
            .object(named("v1", "Service", "web", json!({"selector": {"app": "web"}, "ports": [
                {"name": "http", "port": 80, "targetPort": 8080}, {"name": "http-admin", "port": 81, "targetPort": 8081},
            ]})))
            .object(routes(json!([
                {"match": [{"uri": {"exact": "/81"}}], "route": [{"destination": {"host": HOST, "port": {"number": 81}}}]},
                {"match": [{"uri": {"exact": "/82"}}], "route": [{"destination": {"host": HOST, "port": {"number": 82}}}]},
                {"route": [to("v2")]},
            ])))
            .object(two())
            .ask(json!({"path": "/81"}), both())
            .ask(json!({"path": "/82"}), json!({"503 NC": 1}))
            .ask(json!({"port": 81}), canary()),
        case("a host that is no Service is on port 80 only")
            .object(virtual_service("web", spec(json!(["shop.example.com"]), "v2")))
            .object(two())
            .ask(json!({"host": "shop.example.com", "port": 8080}), json!({"404 NR": 1})),
    ]
}

/// Istio, DestinationRule: which one a client follows, and how several are one.
fn subsets() -> Vec<Case> {
    let split = || routes(json!([{"route": [weighted("v1", 50), weighted("v2", 50)]}]));
    let only = |name: &str, subsets: Value| destination_rule(name, json!({"host": HOST, "subsets": subsets}));
    let v1 = || json!([{"name": "v1", "labels": {"version": "v1"}}]);
    let v2 = || json!([{"name": "v2", "labels": {"version": "v2"}}]);
    let half_missing = || json!({"stable": 0.5, "503 NC": 0.5});
    vec![
        case("rules of one host and namespace add up")
            .object(split())
            .object(only("one", v1()))
            .object(only("two", v2()))
            .ask(json!({}), both()),
        case("of two subsets with one name the first stays")
            .object(split())
            .object(only("a", json!([{"name": "v1", "labels": {"version": "v1"}}, {"name": "v2", "labels": {"version": "v1"}}])))
            .object(only("b", v2()))
            .ask(json!({}), json!({"stable": 1})),
        case("a subset without labels is the whole Service")
            .object(routes(json!([{"route": [to("any")]}])))
            .object(only("web", json!([{"name": "any"}])))
            .ask(json!({}), both()),
        case("a short host is completed")
            .object(split())
            .object(destination_rule("web", json!({"host": "web", "subsets": [v1()[0], v2()[0]]})))
            .ask(json!({}), both()),
        case("the client's namespace comes first, even with less")
            .object(split())
            .object(rule(&["v1", "v2"]))
            .object(within("front", rule(&["v1"])))
            .ask(json!({}), half_missing())
            .ask(json!({"caller": caller("else", "x")}), both()),
        case("a wildcard in the client's namespace comes before the Service's own")
            .object(split())
            .object(rule(&["v1", "v2"]))
            .object(within("front", destination_rule("all", json!({"host": "*.local", "subsets": v1()}))))
            .ask(json!({}), half_missing()),
        case("within a namespace the most specific host decides")
            .object(split())
            .object(rule(&["v1", "v2"]))
            .object(destination_rule("all", json!({"host": "*.shop.svc.cluster.local", "subsets": v1()})))
            .ask(json!({}), both()),
        case("the root namespace comes last")
            .object(split())
            .object(within("istio-system", rule(&["v1", "v2"])))
            .ask(json!({}), both()),
        case("the root namespace does not come first for its own proxies either")
            .object(split())
            .object(rule(&["v1", "v2"]))
            .object(within("istio-system", rule(&["v1"])))
            .ask(json!({"caller": caller("istio-system", "gateway")}), both()),
        case("any other namespace does not count")
            .object(split())
            .object(within("elsewhere", rule(&["v1", "v2"])))
            .ask(json!({}), json!({"503 NC": 1})),
        case("a rule that is not exported does not count for others")
            .object(split())
            .object(destination_rule("web", json!({"host": HOST, "subsets": [v1()[0], v2()[0]], "exportTo": ["."]})))
            .ask(json!({}), json!({"503 NC": 1}))
            .ask(json!({"caller": caller("shop", "web")}), both()),
    ]
}

/// Istio, Gateway and VirtualService `gateways`.
fn gateways() -> Vec<Case> {
    let edge = |hosts: Value| {
        let servers = json!([{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts}]);
        named(
            "networking.istio.io/v1",
            "Gateway",
            "edge",
            json!({"servers": servers}),
        )
    };
    let public = |gateways: Value| {
        let http = json!([{"route": [to("v2")]}]);
        virtual_service(
            "web",
            json!({"hosts": ["shop.example.com"], "gateways": gateways, "http": http}),
        )
    };
    let via = || json!({"host": "shop.example.com", "via": "shop/edge", "caller": caller("istio-ingress", "gateway")});
    vec![
        case("routes of a gateway are not those of the mesh")
            .object(edge(json!(["*"])))
            .object(public(json!(["edge"])))
            .object(rule(&["v1", "v2"]))
            .ask(via(), json!({"canary": 1}))
            .ask(json!({"host": "shop.example.com"}), json!({"404 NR": 1})),
        case("routes of the mesh are not those of a gateway")
            .object(edge(json!(["*"])))
            .object(public(json!(["mesh"])))
            .object(rule(&["v1", "v2"]))
            .ask(via(), json!({"404 NR": 1}))
            .ask(json!({"host": "shop.example.com"}), json!({"canary": 1})),
        case("a gateway by its full name, and the mesh")
            .object(public(json!(["shop/edge", "mesh"])))
            .object(rule(&["v1", "v2"]))
            .ask(via(), json!({"canary": 1}))
            .ask(json!({"host": "shop.example.com"}), json!({"canary": 1})),
        case("a gateway takes only the hosts of its servers")
            .object(edge(json!(["*.example.org"])))
            .object(public(json!(["edge"])))
            .object(rule(&["v1", "v2"]))
            .ask(via(), json!({"404 NR": 1})),
        case("a gateway takes hosts from namespaces it names")
            .object(edge(json!(["other/*", "./shop.example.com"])))
            .object(public(json!(["edge"])))
            .object(rule(&["v1", "v2"]))
            .ask(via(), json!({"canary": 1})),
        case("several objects for one host are one list at a gateway, what catches all at its end")
            .object(edge(json!(["*"])))
            .object(public(json!(["edge"])))
            .object(virtual_service(
                "zz",
                json!({"hosts": ["shop.example.com"], "gateways": ["edge"], "http": [
                    {"match": [{"uri": {"prefix": "/stable"}}], "route": [to("v1")]},
                ]}),
            ))
            .object(rule(&["v1", "v2"]))
            .ask(via(), json!({"canary": 1}))
            .ask(with(via(), json!({"path": "/stable"})), json!({"stable": 1})),
    ]
}
