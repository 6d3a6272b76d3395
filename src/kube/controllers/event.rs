//! Events: what controllers tell people, the latest of them, and for how long events are kept.

use super::pods::{after, moment};
use crate::kube::Cluster;
use crate::kube::names::{self, SUFFIX_BYTES};
use crate::kube::object::time;
use crate::kube::store::{Found, Version, name_of};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// Tells of something that happened to an object. The oldest of the controllers' own events makes room.
    pub(super) fn tell(
        &mut self,
        about: &Value,
        kind: &str,
        reason: &str,
        message: &str,
        component: &str,
        now: Timestamp,
    ) {
        let Some(events) = Cluster::built_in("", "events") else { return };
        let metadata = &about["metadata"];
        let namespace = metadata["namespace"].as_str().unwrap_or("default");
        let now_text = time(now.as_second());
        let name = names::generate(&format!("{}.", metadata["name"].as_str().unwrap_or_default()), &mut self.random);
        let event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"], "kind": about["kind"], "name": metadata["name"], "namespace": metadata["namespace"],
                "uid": metadata["uid"]
            },
            "type": kind, "reason": reason, "message": message, "source": {"component": component},
            "firstTimestamp": now_text, "lastTimestamp": now_text, "count": 1, "eventTime": null,
            "reportingComponent": component, "reportingInstance": ""
        });
        _ = self.spawn(&events, event, now);
        let listed = self.store.list(events.storage, None).into_iter();
        let own: Vec<Version> = listed.filter(|found| self.is_own(found)).map(|found| found.version).collect();
        if own.len() > MAX_EVENTS {
            let oldest = own.into_iter().min_by_key(|version| self.store.stamp(version).revision);
            oldest.into_iter().for_each(|version| self.withdraw(&events, &version, now));
        }
    }

    /// Whether an event is one that controllers told: by its name, and by who says so. It is not read for that, since every event that is
    /// told has all others looked at.
    fn is_own(&self, event: &Found<'_>) -> bool {
        let suffix = name_of(&event.path).rsplit_once('.').map(|(_, suffix)| suffix);
        let body = self.store.body(&event.version);
        suffix.is_some_and(|suffix| suffix.len() == SUFFIX_BYTES) && COMPONENTS.iter().any(|by| body.mentions(by))
    }

    /// Forgets the events of which nothing was seen for an hour (`kube-apiserver --event-ttl`); those of the template stay.
    pub(super) fn forget_events(&mut self, now: Timestamp) {
        let Some(events) = Cluster::built_in("", "events") else { return };
        let is_old = |at: Timestamp| at <= after(now, -KEPT_S);
        let forgotten = |version: &Version| {
            let created = Timestamp::from_second(self.store.stamp(version).created_s).unwrap_or(now);
            matches!(version, Version::Written(_))
                && is_old(created)
                && last_seen(&self.value(&events, version), now).is_none_or(is_old)
        };
        let listed = self.store.list(events.storage, None).into_iter().map(|found| found.version);
        for version in listed.filter(forgotten).collect::<Vec<_>>() {
            self.withdraw(&events, &version, now);
        }
    }
}

/// When an event was seen last, as it tells itself; what is yet to come counts for nothing.
fn last_seen(event: &Value, now: Timestamp) -> Option<Timestamp> {
    let told = [&event["lastTimestamp"], &event["eventTime"], &event["series"]["lastObservedTime"]];
    told.into_iter().filter_map(moment).filter(|at| *at <= now).max()
}

/// Who tells of events here, as their bodies have it; the busiest first.
const COMPONENTS: [&str; 10] = [
    r#""component":"kubelet""#,
    r#""component":"default-scheduler""#,
    r#""component":"replicaset-controller""#,
    r#""component":"deployment-controller""#,
    r#""component":"daemonset-controller""#,
    r#""component":"job-controller""#,
    r#""component":"statefulset-controller""#,
    r#""component":"cronjob-controller""#,
    r#""component":"replication-controller""#,
    r#""component":"taint-eviction-controller""#,
];
/// `kube-apiserver --event-ttl`.
const KEPT_S: i64 = 3_600;
/// The events of controllers in a cluster: what `kubectl describe` shows of what was done last.
const MAX_EVENTS: usize = 32;

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use crate::kube::{Cluster, Heartbeat};
    use serde_json::{Value, json};

    const EVENTS: &str = "/api/v1/namespaces/web/events";

    fn told_by_client(bench: &mut Bench, name: &str, last: &str) {
        let event = json!({
            "metadata": {"name": name}, "reason": "Test", "lastTimestamp": last, "source": {"component": "client"},
            "involvedObject": {"kind": "Pod", "namespace": "web", "name": "web-1"}
        });
        bench.post(EVENTS, event).ok();
    }

    fn report(bench: &mut Bench, seconds: i64) {
        bench.pass(seconds);
        bench.cluster.report(Heartbeat::Leases, bench.now);
    }

    #[test]
    fn an_event_is_kept_for_an_hour_after_it_was_seen_last() {
        let mut bench = Bench::new();
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        bench.post("/api/v1/namespaces/web/pods", pod).ok();
        told_by_client(&mut bench, "once", "2026-01-01T00:00:00Z");
        told_by_client(&mut bench, "again", "2026-01-01T00:00:00Z");
        told_by_client(&mut bench, "ahead", "2099-01-01T00:00:00Z");
        report(&mut bench, 1_800);
        let again = json!({"count": 2, "lastTimestamp": "2026-01-01T00:30:00Z"});
        bench.merge(&format!("{EVENTS}/again"), again).ok();
        report(&mut bench, 1_790);
        assert_eq!(bench.get(EVENTS).names().len(), 5, "two of its own among them");
        let mut watch = bench.watch(&format!("{EVENTS}?watch=true&resourceVersion={}", bench.cluster.revision()));
        report(&mut bench, 20);
        assert_eq!(
            bench.get(EVENTS).names().iter().filter(|name| !name.starts_with("p.")).collect::<Vec<_>>(),
            ["again"]
        );
        let told = watch.told(&bench);
        assert!(told.contains(&"DELETED once".into()) && told.contains(&"DELETED ahead".into()), "{told:?}");
        report(&mut bench, 1_800);
        assert_eq!(bench.get(EVENTS).names(), [""; 0]);
    }

    #[test]
    fn the_events_of_clients_make_no_room() {
        let mut bench = Bench::new();
        for number in 0..40 {
            // The form of the controllers' own names, on purpose.
            told_by_client(&mut bench, &format!("web-1.bcd{number}"), "2026-01-01T00:00:00Z");
        }
        let about = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-2", "namespace": "web"}});
        for _ in 0..40 {
            tell(&mut bench.cluster, &about, bench.now);
        }
        let list = bench.get(EVENTS).ok();
        let by = |component: &str| {
            let events = list["items"].as_array().unwrap().iter();
            events.filter(|event: &&Value| event["source"]["component"] == *component).count()
        };
        assert_eq!((by("client"), by("kubelet")), (40, 32));
    }

    fn tell(cluster: &mut Cluster, about: &Value, now: jiff::Timestamp) {
        cluster.tell(about, "Normal", "Started", "Started container c", "kubelet", now);
    }
}
