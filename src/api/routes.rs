//! The table of routes.

use super::field::{Field, Shape, optional, required};
use super::handlers::{about, clusters, faults, operations, ramps};
use super::problem::Kind;
use super::respond::{ClusterList, FaultList, OperationList, PLAIN, RampList};
use super::route::{Answered, Content, Route, json};
use crate::config::Role;
use crate::manager::{ClusterView, FaultView, HealthView, OperationView, OverviewView, RampView, State};
use crate::ramp::MAX_CLUSTERS;
use crate::telemetry::{ClusterRequests, Exposition, RequestTotals};

/// Every route, in the order in which people read them.
pub(super) static ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/",
        role: None,
        summary: "The status page, for people.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "HTML.", content: Content::Text("text/html; charset=utf-8") }],
        problems: &[],
        handle: about::page,
    },
    Route {
        method: "GET",
        path: "/overview",
        role: Some(Role::Viewer),
        summary: "The whole fleet in one small answer: states over time, what is slow, in trouble, at fault, and asked for.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The fleet.", content: json::<OverviewView>() }],
        problems: &[],
        handle: about::overview,
    },
    Route {
        method: "GET",
        path: "/livez",
        role: None,
        summary: "Whether the agent answers at all, for whoever restarts it if it does not; says nothing of Rancher or the clusters.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "It does.", content: Content::Text(PLAIN) }],
        problems: &[],
        handle: about::livez,
    },
    Route {
        method: "GET",
        path: "/health",
        role: Some(Role::Viewer),
        summary: "How the agent fares: states, Rancher's reachability, worker lag.",
        query: &[],
        body: None,
        answers: &[
            Answered { status: 200, help: "The agent can do its job.", content: json::<HealthView>() },
            Answered { status: 503, help: "It cannot; `problems` says why.", content: json::<HealthView>() },
        ],
        problems: &[],
        handle: about::health,
    },
    Route {
        method: "GET",
        path: "/metrics",
        role: Some(Role::Viewer),
        summary: "What the agent counts, in the text format of Prometheus.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "Metrics.", content: Content::Text(Exposition::MEDIA_TYPE) }],
        problems: &[],
        handle: about::metrics,
    },
    Route {
        method: "GET",
        path: "/openapi.json",
        role: None,
        summary: "This document.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "An OpenAPI 3.1 document.", content: json::<serde_json::Value>() }],
        problems: &[],
        handle: about::openapi,
    },
    Route {
        method: "GET",
        path: "/requests",
        role: Some(Role::Viewer),
        summary: "What Rancher asked of all clusters since the agent began: verb, resource and code, bytes, latency.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The totals of a second ago.", content: json::<RequestTotals>() }],
        problems: &[],
        handle: about::requests,
    },
    Route {
        method: "GET",
        path: "/clusters",
        role: Some(Role::Viewer),
        summary: "Clusters in the order of their names, in pages.",
        query: &[
            optional("state", Shape::Choice(states), "only those in this state"),
            optional("limit", Shape::Whole(1, MAX_PAGE), "at most this many"),
            optional("continue", Shape::Text(None), "only those after this name: what the page before ended with"),
        ],
        body: None,
        answers: &[Answered { status: 200, help: "A page of clusters.", content: json::<ClusterList>() }],
        problems: &[],
        handle: clusters::list,
    },
    Route {
        method: "POST",
        path: "/clusters",
        role: Some(Role::Operator),
        summary: "Creates one cluster (`name`), or many as an operation (`prefix`, `count`).",
        query: &[WAIT],
        body: Some(&[
            optional("name", Shape::Text(Some(LABEL)), "its name"),
            optional("prefix", Shape::Text(Some(LABEL_START)), "what the names of many begin with; a number follows"),
            optional("count", Shape::Whole(1, MAX_CLUSTERS), "how many"),
            optional("start", Shape::Whole(0, u32::MAX), "the number of the first; 1 if not given"),
            optional("width", Shape::Whole(0, MAX_LABEL), "digits of the numbers, with leading zeros"),
            optional("rate", Shape::Text(None), "how many a second or minute: `10/s`, `90/m`"),
            optional("server", Shape::Text(None), "the Rancher to register with, as the configuration calls it"),
            optional("template", Shape::Text(None), "the template to make it from"),
            optional("adopt", Shape::Flag, "whether a cluster of that name in Rancher becomes this agent's"),
        ]),
        answers: &[
            Answered { status: 201, help: "Rancher has accepted it.", content: json::<ClusterView>() },
            Answered {
                status: 202,
                help: "It is under way: the cluster if one was asked for, an operation if many.",
                content: json::<ClusterOrOperation>(),
            },
        ],
        problems: &[
            Kind::Conflict,
            Kind::InvalidName,
            Kind::UnknownServer,
            Kind::UnknownTemplate,
            Kind::LimitReached,
            Kind::RancherRefuses,
        ],
        handle: clusters::create,
    },
    Route {
        method: "DELETE",
        path: "/clusters",
        role: Some(Role::Admin),
        summary: "Deletes all clusters of a prefix, of a run, or of both, as an operation.",
        query: &[
            optional(
                "prefix",
                Shape::Text(Some(LABEL_START)),
                "those whose names begin so: DELETE /clusters?prefix=edge-",
            ),
            optional("run", Shape::Text(Some(LABEL_VALUE)), "those of that run; one of the two has to be given"),
        ],
        body: None,
        answers: &[Answered { status: 202, help: "The operation has begun.", content: json::<OperationView>() }],
        problems: &[],
        handle: clusters::delete_many,
    },
    Route {
        method: "GET",
        path: "/clusters/{name}",
        role: Some(Role::Viewer),
        summary: "One cluster: lifecycle, tunnels, last error, and what it holds.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The cluster.", content: json::<ClusterView>() }],
        problems: &[Kind::UnknownCluster],
        handle: clusters::show,
    },
    Route {
        method: "GET",
        path: "/clusters/{name}/requests",
        role: Some(Role::Viewer),
        summary: "What Rancher asked of a cluster since the agent began, and which watches it keeps open.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The counts.", content: json::<ClusterRequests>() }],
        problems: &[Kind::UnknownCluster],
        handle: clusters::requests,
    },
    Route {
        method: "PATCH",
        path: "/clusters/{name}",
        role: Some(Role::Operator),
        summary: "Scales a running cluster; what goes goes from the top.",
        query: &[],
        body: Some(&[
            optional("nodes", Shape::Whole(0, MAX_SIZE), "how many nodes"),
            optional("pods", Shape::Whole(0, MAX_SIZE), "how many pods"),
        ]),
        answers: &[Answered { status: 200, help: "It has that size.", content: json::<ClusterView>() }],
        problems: &[Kind::UnknownCluster, Kind::OutOfReach, Kind::WrongState],
        handle: clusters::resize,
    },
    Route {
        method: "DELETE",
        path: "/clusters/{name}",
        role: Some(Role::Operator),
        summary: "Deletes a cluster here and in Rancher.",
        query: &[WAIT],
        body: None,
        answers: &[
            Answered { status: 202, help: "It is under way.", content: json::<ClusterView>() },
            Answered { status: 204, help: "It is gone.", content: Content::Nothing },
        ],
        problems: &[Kind::UnknownCluster, Kind::RancherRefuses],
        handle: clusters::delete,
    },
    Route {
        method: "POST",
        path: "/clusters/{name}/retry",
        role: Some(Role::Operator),
        summary: "Takes a cluster's next attempt now rather than when it is due.",
        query: &[],
        body: None,
        answers: &[Answered { status: 202, help: "It is under way.", content: json::<ClusterView>() }],
        problems: &[Kind::UnknownCluster, Kind::WrongState],
        handle: clusters::retry,
    },
    Route {
        method: "POST",
        path: "/clusters/{name}/rotate-token",
        role: Some(Role::Admin),
        summary: "Gives a cluster another service account token, which restarts its controllers in Rancher.",
        query: &[],
        body: None,
        answers: &[Answered { status: 202, help: "It is under way.", content: json::<ClusterView>() }],
        problems: &[Kind::UnknownCluster, Kind::WrongState],
        handle: clusters::rotate_token,
    },
    Route {
        method: "GET",
        path: "/operations",
        role: Some(Role::Viewer),
        summary: "The latest operations, the latest first.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "Operations.", content: json::<OperationList>() }],
        problems: &[],
        handle: operations::list,
    },
    Route {
        method: "GET",
        path: "/operations/{id}",
        role: Some(Role::Viewer),
        summary: "How far an operation is.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The operation.", content: json::<OperationView>() }],
        problems: &[Kind::UnknownOperation],
        handle: operations::show,
    },
    Route {
        method: "DELETE",
        path: "/operations/{id}",
        role: Some(Role::Operator),
        summary: "Starts no more clusters of an operation.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The operation.", content: json::<OperationView>() }],
        problems: &[Kind::UnknownOperation],
        handle: operations::cancel,
    },
    Route {
        method: "POST",
        path: "/ramps",
        role: Some(Role::Operator),
        summary: "Brings up clusters by a plan, and measures each on its way to Active.",
        query: &[],
        body: Some(RAMP),
        answers: &[Answered { status: 202, help: "The ramp has begun.", content: json::<RampView>() }],
        problems: &[
            Kind::InvalidName,
            Kind::UnknownServer,
            Kind::UnknownTemplate,
            Kind::LimitReached,
            Kind::RancherRefuses,
        ],
        handle: ramps::start,
    },
    Route {
        method: "GET",
        path: "/ramps",
        role: Some(Role::Viewer),
        summary: "The latest ramps, the latest first.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "Ramps.", content: json::<RampList>() }],
        problems: &[],
        handle: ramps::list,
    },
    Route {
        method: "GET",
        path: "/ramps/{id}",
        role: Some(Role::Viewer),
        summary: "A ramp as it stands: counts, times by milestone, failures by cause, thresholds.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The ramp.", content: json::<RampView>() }],
        problems: &[Kind::UnknownRamp],
        handle: ramps::show,
    },
    Route {
        method: "GET",
        path: "/ramps/{id}/results",
        role: Some(Role::Viewer),
        summary: "The raw results of a ramp, as far as it is: what reports are made from.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "Results.", content: json::<serde_json::Value>() }],
        problems: &[Kind::UnknownRamp],
        handle: ramps::results,
    },
    Route {
        method: "POST",
        path: "/ramps/{id}/pause",
        role: Some(Role::Operator),
        summary: "Starts no cluster of a ramp until it is resumed.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The ramp.", content: json::<RampView>() }],
        problems: &[Kind::UnknownRamp, Kind::WrongState],
        handle: ramps::pause,
    },
    Route {
        method: "POST",
        path: "/ramps/{id}/resume",
        role: Some(Role::Operator),
        summary: "Goes on with a ramp after a pause.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The ramp.", content: json::<RampView>() }],
        problems: &[Kind::UnknownRamp, Kind::WrongState],
        handle: ramps::resume,
    },
    Route {
        method: "POST",
        path: "/ramps/{id}/stop",
        role: Some(Role::Operator),
        summary: "Ends a ramp; its clusters stay.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The ramp.", content: json::<RampView>() }],
        problems: &[Kind::UnknownRamp, Kind::WrongState],
        handle: ramps::stop,
    },
    Route {
        method: "GET",
        path: "/faults",
        role: Some(Role::Viewer),
        summary: "The latest faults, the latest first.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "Faults.", content: json::<FaultList>() }],
        problems: &[],
        handle: faults::list,
    },
    Route {
        method: "POST",
        path: "/faults",
        role: Some(Role::Operator),
        summary: "Lets a selection of clusters suffer a fault, or those of a preset; it ends by itself.",
        query: &[],
        body: Some(&[
            required(
                "fault",
                Shape::Choice(faults::names),
                "a fault or a preset; `scale-cluster-agent fault --help` tells of each",
            ),
            optional(
                "select",
                Shape::Text(None),
                "which clusters: `all`, `prefix=edge-,10%`, `name=edge-1`, `server=east,count=50`",
            ),
            optional("duration", Shape::Text(None), "for how long, such as `5m`"),
            optional("seed", Shape::Json(faults::scalar), "seed of everything random; the agent's choice if not given"),
            optional("every", Shape::Text(None), "how often, of flap, close-watches, churn and node-churn"),
            optional("down", Shape::Text(None), "how long the tunnels stay down each time, of flap"),
            optional("bytes-per-second", Shape::Json(faults::scalar), "how much each tunnel carries, of slow"),
            optional("p50", Shape::Text(None), "the median of the delay, of latency and slow-lists"),
            optional("p99", Shape::Text(None), "its 99th percentile"),
            optional("status", Shape::Json(faults::scalar), "429, 500 or 503, of errors"),
            optional("share", Shape::Text(None), "such as `20%`, of errors, expire-watches, not-ready and crash-loop"),
        ]),
        answers: &[Answered { status: 201, help: "It has begun.", content: json::<FaultView>() }],
        problems: &[Kind::NothingSelected, Kind::LimitReached],
        handle: faults::start,
    },
    Route {
        method: "GET",
        path: "/faults/{id}",
        role: Some(Role::Viewer),
        summary: "One fault: which clusters suffer it, until when, how often it was felt.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The fault.", content: json::<FaultView>() }],
        problems: &[Kind::UnknownFault],
        handle: faults::show,
    },
    Route {
        method: "DELETE",
        path: "/faults/{id}",
        role: Some(Role::Operator),
        summary: "Ends a fault before its time.",
        query: &[],
        body: None,
        answers: &[Answered { status: 200, help: "The fault.", content: json::<FaultView>() }],
        problems: &[Kind::UnknownFault],
        handle: faults::end,
    },
];

/// What is under way.
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum ClusterOrOperation {
    Cluster(Box<ClusterView>),
    Operation(Box<OperationView>),
}

/// The fields of a ramp.
const RAMP: &[Field] = &[
    optional("prefix", Shape::Text(Some(LABEL_START)), "what the names begin with; a number follows"),
    optional("clusters", Shape::Whole(1, MAX_CLUSTERS), "how many; with stages as many as these start"),
    optional("start", Shape::Whole(0, u32::MAX), "the number of the first; 1 if not given"),
    optional("width", Shape::Whole(0, MAX_LABEL), "digits of the numbers, with leading zeros"),
    optional("rate", Shape::Text(None), "how many start a second or minute, whatever becomes of those before: `5/s`"),
    optional("stages", Shape::Text(None), "instead of a rate: `2m:1/s,10m:1/s..10/s,30m:hold`"),
    optional("jitter", Shape::Text(None), "share of the time between two starts by which each is moved: `20%`"),
    optional("seed", Shape::Whole(0, u32::MAX), "decides everything random"),
    optional("maxInFlight", Shape::Whole(1, MAX_CLUSTERS), "how many may be in flight"),
    optional("inFlightUntil", Shape::Choice(|| vec!["created", "active"]), "until when a cluster is in flight"),
    optional("timeout", Shape::Text(None), "a cluster that is not Active by then has failed: `10m`"),
    optional("hold", Shape::Text(None), "how long the clusters are held once each has its end: `1h`"),
    optional("template", Shape::Text(None), "the template to make them from"),
    optional("server", Shape::Text(None), "the Rancher to register with, as the configuration calls it"),
    optional("adopt", Shape::Flag, "whether clusters of these names in Rancher become this agent's"),
    optional("run", Shape::Text(Some(LABEL_VALUE)), "what tells its clusters from those of other runs"),
    optional("thresholds", Shape::Json(thresholds), "what has to hold: `time_to_active:p(95)<120s`"),
    optional("abortOnFail", Shape::Flag, "whether the ramp ends as soon as one does not"),
];

const WAIT: Field = optional("wait", Shape::Flag, "whether to wait for Rancher; true if not given");

fn thresholds() -> serde_json::Value {
    serde_json::json!({ "type": "array", "items": { "type": "string" }, "maxItems": 100 })
}

fn states() -> Vec<&'static str> {
    State::ALL.map(State::as_str).into()
}

/// A DNS-1123 label.
const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
/// What a DNS-1123 label may begin with.
const LABEL_START: &str = "^[a-z0-9][-a-z0-9]{0,61}$";
/// What Kubernetes takes as the value of a label.
const LABEL_VALUE: &str = "^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
/// Characters of a label.
const MAX_LABEL: u32 = 63;
/// More than MaxObjects lets a cluster hold.
const MAX_SIZE: u32 = 1_000_000;
/// Clusters in an answer, and what it has if the caller does not say: everything a person would read, and a few megabytes.
pub(super) const MAX_PAGE: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_route_is_the_only_one_of_its_method_and_path_and_found_by_them() {
        let all: BTreeSet<(&str, &str)> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
        assert_eq!(all.len(), ROUTES.len());
        for route in ROUTES {
            let path = route.path.replace(['{', '}'], "");
            let found = Route::find(route.method, &path).unwrap_or_else(|_| panic!("{path}"));
            assert_eq!((found.route.method, found.route.path), (route.method, route.path));
            let expected: Vec<(&str, String)> = route.braces().map(|name| (name, name.to_owned())).collect();
            assert_eq!(found.names, expected);
        }
    }

    #[test]
    fn what_changes_something_takes_more_than_a_viewer() {
        for route in ROUTES {
            let looks = route.method == "GET";
            assert!(looks || route.role >= Some(Role::Operator), "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn a_ramp_has_the_fields_that_it_is_read_from() {
        let names: BTreeSet<&str> = RAMP.iter().map(|field| field.name).collect();
        assert_eq!(names, BTreeSet::from(crate::ramp::Spec::FIELDS));
    }

    #[test]
    fn the_labels_pattern_is_as_long_as_a_label_may_be() {
        assert_eq!(MAX_LABEL, 1 + 61 + 1);
        assert!(LABEL.contains("{0,61}") && LABEL_START.contains("{0,61}"));
    }
}
