//! Which messages of the analysis mean the same as which diagnostics, and what only one of the two says, with the reason.

use tidegate_core::diagnostic::{Code, Diagnostic, Severity};

/// The messages that mean the same as a finding.
pub(crate) fn counterparts(diagnostic: &Diagnostic) -> &'static [&'static str] {
    let says = |text: &str| diagnostic.message.contains(text);
    match diagnostic.code {
        Code::BrokenBefore if says("is in no DestinationRule") || says("has no port") => &["IST0101"],
        Code::BrokenBefore if says("all weights of a route are 0") => &["IST0106"],
        Code::InvalidValue if says("gives both versions weight 0") => &["IST0106"],
        Code::ContestedHost => &["IST0109"],
        // Where every match of a route is taken, the analysis tells each match, and the route in some cases only.
        Code::DeadRule if diagnostic.severity == Severity::Warning => &["IST0130", "IST0131"],
        Code::DeadRule => &["IST0131"],
        Code::Drift if says("selects no pod of") => &["IST0173"],
        _ => &[],
    }
}

/// Every code that `counterparts` gives: each has to be found by both.
pub(crate) const COVERED: [&str; 6] = ["IST0101", "IST0106", "IST0109", "IST0130", "IST0131", "IST0173"];

/// Something that one of the two says and the other does not.
pub(crate) struct Difference {
    /// A code of the one that says it.
    pub(crate) code: &'static str,
    /// A part of the message.
    pub(crate) says: &'static str,
    /// Parts of the names of the cases that it is passed over in.
    pub(crate) cases: &'static [&'static str],
    pub(crate) because: &'static str,
}

impl Difference {
    /// What tells one row from another.
    pub(crate) fn key(&self) -> (&'static str, &'static str, &'static [&'static str]) {
        (self.code, self.says, self.cases)
    }
}

pub(crate) const THEIRS_ONLY: &[Difference] = &[
    Difference {
        code: "IST0101",
        says: "Referenced host not found",
        cases: &["istio/orders", "a route to a host that no manifest describes"],
        because: "a host that no manifest here describes may be a Service of another repository",
    },
    Difference {
        code: "IST0101",
        says: "Referenced mirror host not found",
        cases: &["istio/orders"],
        because: "it may be a Service of another repository, and nobody waits for the answer to a mirrored request",
    },
    Difference {
        code: "IST0101",
        says: "host+subset in destinationrule",
        cases: &["a subset without weight"],
        because: "a destination of weight 0 is not in the proxies' configuration; the files are said to be in no phase",
    },
    Difference {
        code: "IST0101",
        says: "Referenced gateway not found",
        cases: &["a gateway that no manifest describes"],
        because: "gateways are the platform's, in another repository",
    },
    Difference {
        code: "IST0132",
        says: "not found in Gateway",
        cases: &["a gateway that no manifest describes"],
        because: "gateways are the platform's, in another repository",
    },
    Difference {
        code: "IST0101",
        says: "Referenced namespace not found",
        cases: &["a namespace that no manifest describes"],
        because: "namespaces are the platform's, in another repository",
    },
    Difference {
        code: "IST0112",
        says: "exposes multiple ports",
        cases: &["no port of a Service with two"],
        because: "at a caller's proxy such a route leads to the port that was called, so no request fails",
    },
    Difference {
        code: "IST0118",
        says: "naming convention",
        cases: &["a port without a protocol"],
        because: "what the protocol of a port is taken for does not depend on the release",
    },
    Difference {
        code: "IST0127",
        says: "No matching workloads",
        cases: &["a policy for pods", "the stable copy has no pods"],
        because: "a policy without pods decides about no request",
    },
    Difference {
        code: "IST0127",
        says: "app=reviews",
        cases: &["istio-hosts/bookinfo"],
        because: "the namespace tells the analysis that its pods are in the mesh, and it is in another repository",
    },
    Difference {
        code: "IST0131",
        says: "in rule #0 of prefix /api on #0",
        cases: &["a prefix twice"],
        because: "whichever match of a route takes a request, it is the same route",
    },
    Difference {
        code: "IST0131",
        says: "in rule #0 of prefix /api/ on #0",
        cases: &["a longer prefix for every method"],
        because: "a match without a method is taken for one of GET alone; requests of other methods get there",
    },
    Difference {
        code: "IST0133",
        says: "will deny all traffic to TCP ports",
        cases: &["istio/orders"],
        because: "it is about TCP, of which tidegate splits nothing",
    },
    Difference {
        code: "IST0173",
        says: "Subset v1",
        cases: &["in retire", "by hand, retired"],
        because: "no route names the stable subset any more; the rule has to go after the routes that name the other",
    },
    Difference {
        code: "IST0173",
        says: "Subset v1",
        cases: &["in unroute"],
        because: "no route names the stable subset any more; the next transition removes the rule",
    },
    Difference {
        code: "IST0173",
        says: "Subset v1",
        cases: &["the stable copy has no pods"],
        because: "the subset is right: the requests that fail are told, at the Service that has no pods for them",
    },
    Difference {
        code: "IST0173",
        says: "Subset other",
        cases: &["that no route names"],
        because: "no request can meet a subset that no route names",
    },
    Difference {
        code: "IST0174",
        says: "does not match any services",
        cases: &["a DestinationRule for a host"],
        because: "a host that no manifest here describes may be a Service of another repository",
    },
];

pub(crate) const OURS_ONLY: &[Difference] = &[
    Difference {
        code: "ambiguous-phase",
        says: "",
        cases: &[
            "is not declared",
            "all weights are 0",
            "add up to 110",
            "the Service does not select",
        ],
        because: "a release has phases, Istio has none",
    },
    Difference {
        code: "drift",
        says: "differ here",
        cases: &["a route to a port"],
        because: "a patch of the release says the same as what it covers, besides versions and weights",
    },
    Difference {
        code: "foreign-pods",
        says: "",
        cases: &["by hand, marked-worker"],
        because: "only a release knows which workloads are its versions",
    },
    Difference {
        code: "orphaned-rule",
        says: "no route names",
        cases: &[
            "a subset of nobody's that no route names",
            "a DestinationRule for a host",
        ],
        because: "the analysis asks whether routes name subsets that are there, not the other way round",
    },
    Difference {
        code: "unknown-key",
        says: "",
        cases: &["istio/orders"],
        because: "it is about gap.yaml",
    },
    Difference {
        code: "invalid-value",
        says: "add up to 110 percent",
        cases: &["add up to 110"],
        because: "Istio takes shares of any sum; a release counts in percent",
    },
    Difference {
        code: "broken-before",
        says: "503 UH",
        cases: &[
            "by hand, drifted",
            "a label of nobody",
            "the stable copy has no pods",
            "the Service does not select",
        ],
        because: "the analysis does not look at what the Service selects",
    },
    Difference {
        code: "dead-rule",
        says: "route 2",
        cases: &["a prefix with a header"],
        because: "of matches with headers the analysis compares those that ask for the same headers",
    },
    Difference {
        code: "dead-rule",
        says: "route 2",
        cases: &["after the prefix /"],
        because: "the analysis does not take the prefix of every path for a match of everything",
    },
];
