//! The beginning of a watch.

use super::list::filter;
use super::revision::requested;
use crate::kube::request::dispatch::Call;
use crate::kube::request::negotiate::Form;
use crate::kube::response::render::response;
use crate::kube::response::watching::{Initial, Watching};
use crate::kube::store::Resumption;
use crate::kube::{Body, Cluster, Response, Status, Streaming};
use jiff::{SignedDuration, Timestamp};

impl Cluster {
    /// A stream of changes, with what is there already before it or not (Kubernetes API concepts, "Efficient detection of changes" and
    /// "Streaming lists").
    pub(in crate::kube) fn watch(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        call.query.check_list()?;
        if call.asked.form == Form::Yaml {
            return Err(Status::not_acceptable(&["application/json", "application/json;stream=watch"]));
        }
        let filter = filter(call)?;
        let asked = requested(call.query.resource_version.as_deref())?;
        let (storage, revision) = (call.served.storage, self.revision());
        let is_future = asked.is_some_and(|asked| asked > revision);
        let mut watching = Watching::new(call.served.clone(), call.asked, filter, revision);
        match (call.query.send_initial_events, asked) {
            (Some(true), Some(asked)) if is_future => {
                watching.fail(Status::too_large_resource_version(asked, revision));
            }
            (Some(true), _) => watching.begin_with(self, Initial::EndsWithBookmark),
            (None, None | Some(0)) => watching.begin_with(self, Initial::Silent),
            (Some(false), None | Some(0)) => {}
            (_, Some(asked)) => match self.store.resumption(storage, asked) {
                Resumption::Possible if !is_future => watching.resume_after(asked),
                // A revision that was never reached comes from a life of this cluster that is over: what happened since is unknown.
                Resumption::Possible => watching.fail(too_old(asked, revision)),
                Resumption::Expired { oldest } => watching.fail(too_old(asked, oldest)),
            },
        }
        watching.set_deadline(call.now.saturating_add(self.timeout(call)).unwrap_or(Timestamp::MAX));
        if call.query.allow_watch_bookmarks {
            watching.send_bookmarks(call.now);
        }
        Ok(response(200, "application/json", Body::Streaming(Streaming::watching(watching))))
    }

    /// How long a watch lasts: as the client asks, or between one and two times the API server's `min-request-timeout`.
    fn timeout(&mut self, call: &Call<'_>) -> SignedDuration {
        let seconds = match call.query.timeout_seconds {
            Some(seconds @ 1..) => i64::try_from(seconds).unwrap_or(LONGEST_WATCH_S).min(LONGEST_WATCH_S),
            Some(0) | None => MIN_REQUEST_TIMEOUT_S + self.random.i64(0..MIN_REQUEST_TIMEOUT_S),
        };
        SignedDuration::from_secs(seconds)
    }
}

/// The error event of a watch that cannot go on.
pub(in crate::kube) fn too_old(asked: u64, oldest: u64) -> Status {
    Status::expired(format!("too old resource version: {asked} ({oldest})"))
}

/// Default of kube-apiserver's `--min-request-timeout`.
const MIN_REQUEST_TIMEOUT_S: i64 = 1_800;
/// Beyond any connection; keeps the deadline a time.
const LONGEST_WATCH_S: i64 = 365 * 24 * 3_600;

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use crate::kube::{Heartbeat, Limits};
    use serde_json::json;

    #[test]
    fn a_watch_begins_with_what_is_there() {
        let mut bench = Bench::new();
        let mut watch = bench.watch("/api/v1/namespaces/web/pods?watch=true");
        assert_eq!(watch.told(&bench), ["ADDED web-1", "ADDED web-2", "ADDED web-3"]);
        bench.delete("/api/v1/namespaces/web/pods/web-2").ok();
        assert_eq!(watch.told(&bench), ["MODIFIED web-2", "DELETED web-2"], "a pod shows that it ends");
    }

    #[test]
    fn every_event_carries_its_kind_and_a_delete_its_revision() {
        let mut bench = Bench::new();
        let revision = bench.get("/api/v1/configmaps").revision();
        let mut watch = bench.watch(&format!("/api/v1/configmaps?watch=1&resourceVersion={revision}"));
        bench.configmap("a");
        bench.merge("/api/v1/namespaces/web/configmaps/a", json!({"data": {"a": "2"}})).ok();
        bench.delete("/api/v1/namespaces/web/configmaps/a").ok();
        let events = watch.events(&bench);
        let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["ADDED", "MODIFIED", "DELETED"]);
        for (event, expected) in events.iter().zip(revision + 1..) {
            assert_eq!((&event["object"]["apiVersion"], &event["object"]["kind"]), (&json!("v1"), &json!("ConfigMap")));
            assert_eq!(event["object"]["metadata"]["resourceVersion"], expected.to_string());
        }
        assert_eq!(events[2]["object"]["data"], json!({"a": "2"}));
    }

    #[test]
    fn initial_events_end_with_an_annotated_bookmark() {
        let mut bench = Bench::new();
        let options = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
        let mut watch = bench.watch(&format!("/api/v1/nodes?{options}"));
        let events = watch.events(&bench);
        assert_eq!(events.len(), 4);
        let bookmark = &events[3];
        assert_eq!(bookmark["type"], "BOOKMARK");
        assert_eq!((&bookmark["object"]["apiVersion"], &bookmark["object"]["kind"]), (&json!("v1"), &json!("Node")));
        assert_eq!(bookmark["object"]["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
        assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], bench.cluster.revision().to_string());
        // In a namespace that does not exist there is nothing, and that is said.
        let mut watch = bench.watch(&format!("/api/v1/namespaces/nope/secrets?{options}"));
        assert_eq!(watch.told(&bench), ["BOOKMARK "]);
        assert_eq!(bench.get("/api/v1/nodes?watch=true&sendInitialEvents=true").code, 422);
    }

    #[test]
    fn a_watch_ends_at_its_deadline_with_a_bookmark() {
        let mut bench = Bench::new();
        let revision = bench.cluster.revision();
        let target =
            format!("/api/v1/nodes?watch=true&timeoutSeconds=90&allowWatchBookmarks=true&resourceVersion={revision}");
        let mut watch = bench.watch(&target);
        assert_eq!(watch.told(&bench), [""; 0]);
        bench.pass(60);
        assert_eq!(watch.streaming.wake_at(), Some(bench.now));
        assert_eq!(watch.told(&bench), ["BOOKMARK "]);
        bench.pass(30);
        assert_eq!(watch.streaming.wake_at(), Some(bench.now));
        assert_eq!(watch.told(&bench), ["BOOKMARK "]);
        assert!(watch.is_over);
    }

    #[test]
    fn a_selector_tells_what_comes_and_goes() {
        let mut bench = Bench::new();
        let revision = bench.cluster.revision();
        let mut watch =
            bench.watch(&format!("/api/v1/configmaps?watch=1&labelSelector=x%3Dy&resourceVersion={revision}"));
        bench.configmap("a");
        let target = "/api/v1/namespaces/web/configmaps/a";
        bench.merge(target, json!({"metadata": {"labels": {"x": "y"}}})).ok();
        bench.merge(target, json!({"data": {"a": "2"}})).ok();
        let last = bench.merge(target, json!({"metadata": {"labels": {"x": "z"}}})).revision();
        bench.delete(target).ok();
        let events = watch.events(&bench);
        let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["ADDED", "MODIFIED", "DELETED"]);
        assert_eq!(events[2]["object"]["metadata"]["labels"], json!({"x": "y"}));
        assert_eq!(events[2]["object"]["metadata"]["resourceVersion"], last.to_string());
    }

    #[test]
    fn a_forgotten_revision_is_expired_and_a_quiet_kind_is_not() {
        let mut bench = Bench::with_limits(Limits { watch_history: 5, objects: 100, object_bytes: 100_000 });
        let revision = bench.cluster.revision();
        for _ in 0..4 {
            bench.pass(30);
            bench.cluster.report(Heartbeat::Leases, bench.now);
        }
        let mut quiet = bench.watch(&format!("/api/v1/configmaps?watch=1&resourceVersion={revision}"));
        assert_eq!(quiet.told(&bench), [""; 0]);
        let target = format!("/apis/coordination.k8s.io/v1/leases?watch=1&resourceVersion={revision}");
        let mut leases = bench.watch(&target);
        let events = leases.events(&bench);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["type"], "ERROR");
        assert_eq!((&events[0]["object"]["code"], &events[0]["object"]["reason"]), (&json!(410), &json!("Expired")));
        assert!(leases.is_over);
        // A revision of a former life of the cluster.
        let mut former = bench.watch("/api/v1/configmaps?watch=1&resourceVersion=999999");
        assert_eq!(former.events(&bench)[0]["object"]["code"], 410);
    }

    #[test]
    fn a_watch_that_falls_behind_is_told_so() {
        let mut bench = Bench::with_limits(Limits { watch_history: 3, objects: 100, object_bytes: 100_000 });
        let revision = bench.cluster.revision();
        let mut watch = bench.watch(&format!("/api/v1/configmaps?watch=1&resourceVersion={revision}"));
        for name in ["a", "b", "c", "d"] {
            bench.configmap(name);
        }
        assert_eq!(watch.told(&bench), ["ERROR "]);
        assert!(watch.is_over);
    }

    #[test]
    fn reports_are_seen() {
        let mut bench = Bench::new();
        let revision = bench.cluster.revision();
        let mut nodes = bench.watch(&format!("/api/v1/nodes?watch=1&resourceVersion={revision}"));
        let mut leases =
            bench.watch(&format!("/apis/coordination.k8s.io/v1/leases?watch=1&resourceVersion={revision}"));
        bench.pass(30);
        bench.cluster.report(Heartbeat::Leases, bench.now);
        assert_eq!(nodes.told(&bench), [""; 0]);
        let events = leases.events(&bench);
        assert_eq!(events.len(), 3);
        assert_eq!(events[0]["object"]["spec"]["renewTime"], "2026-01-01T00:00:30.000000Z");
        bench.cluster.report(Heartbeat::LeasesAndNodes, bench.now);
        let events = nodes.events(&bench);
        assert_eq!(events.len(), 3);
        assert_eq!(events[0]["object"]["status"]["conditions"][0]["lastHeartbeatTime"], "2026-01-01T00:00:30Z");
    }
}
