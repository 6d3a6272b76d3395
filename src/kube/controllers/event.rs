//! Events: what controllers tell people, the latest of them.

use crate::kube::object::time;
use crate::kube::{Cluster, names};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// Tells of something that happened to an object. The oldest event makes room.
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
        let listed = self.store.list(events.storage, None);
        if listed.len() > MAX_EVENTS {
            let oldest = listed.iter().min_by_key(|found| self.store.stamp(&found.version).revision);
            if let Some(version) = oldest.map(|found| found.version.clone()) {
                self.withdraw(&events, &version, now);
            }
        }
    }
}

/// The events of a cluster: what `kubectl describe` shows of what was done last.
const MAX_EVENTS: usize = 32;
