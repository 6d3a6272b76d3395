//! GET of one object.

use super::revision::requested;
use crate::kube::request::dispatch::Call;
use crate::kube::{Cluster, Response, Status};

impl Cluster {
    /// The object in the path. A `resourceVersion` may ask for one that is not older, and there is none.
    pub(in crate::kube) fn get(&self, call: &Call<'_>) -> Result<Response, Status> {
        let asked = requested(call.query.resource_version.as_deref())?.unwrap_or_default();
        if asked > self.revision() {
            return Err(Status::too_large_resource_version(asked, self.revision()));
        }
        let found = self.store.get(call.served.storage, &call.key());
        let version = found.ok_or_else(|| Status::not_found(&call.served, call.name()))?;
        self.answer(200, &call.asked, &call.served, &version)
    }
}

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn a_baseline_object_is_whole() {
        let mut bench = Bench::new();
        let node = bench.get("/api/v1/nodes/edge-worker-1").ok();
        assert_eq!((&node["apiVersion"], &node["kind"]), (&json!("v1"), &json!("Node")));
        let metadata = &node["metadata"];
        assert_eq!(metadata["name"], "edge-worker-1");
        assert_eq!(metadata["creationTimestamp"], "2026-01-01T00:00:00Z");
        assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.31.4");
        assert_eq!(
            metadata["annotations"]["management.cattle.io/pod-requests"],
            r#"{"cpu":"500m","memory":"128Mi","pods":"2"}"#
        );
        assert!(metadata.get("selfLink").is_none());
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut bench = Bench::new();
        let answer = bench.get("/api/v1/namespaces/web/pods/nope");
        assert_eq!((answer.code, answer.message()), (404, "pods \"nope\" not found"));
        assert_eq!(bench.get("/api/v1/namespaces/web/nodes/edge-worker-1").code, 404);
        assert_eq!(bench.get("/api/v1/pods/web-1").code, 404);
        assert_eq!(bench.get("/apis/k3s.cattle.io/v1").body, "404 page not found\n");
        assert_eq!(bench.get("/apis/k3s.cattle.io/v1/things").body, "404 page not found\n");
        assert_eq!(bench.get("/api/v1/things").message(), "the server could not find the requested resource");
    }

    #[test]
    fn a_revision_from_the_future_is_too_large() {
        let mut bench = Bench::new();
        assert_eq!(bench.get("/api/v1/nodes/edge-worker-1?resourceVersion=1").code, 200);
        assert_eq!(bench.get("/api/v1/nodes/edge-worker-1?resourceVersion=999999999").code, 504);
    }
}
