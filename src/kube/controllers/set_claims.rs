//! The claims of a StatefulSet's pods, and what each goes with (`persistentVolumeClaimRetentionPolicy`).

use super::owned::controlled_by;
use super::revision::path_beside;
use crate::kube::tree::{items, text};
use crate::kube::{Cluster, Status, tree};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

impl Cluster {
    /// Makes the claims that a pod of a set lacks; the error says which could not be made.
    pub(super) fn make_claims(
        &mut self,
        path: &str,
        set: &Value,
        pod: &str,
        now: Timestamp,
    ) -> Result<(), (String, Status)> {
        let Some(claims) = Cluster::built_in("", "persistentvolumeclaims") else { return Ok(()) };
        for template in items(&set["spec"]["volumeClaimTemplates"]) {
            let name = claim_name(template, pod);
            if self.store.get(claims.storage, &path_beside(path, &name)).is_some() {
                continue;
            }
            let mut labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_else(Map::new);
            labels.extend(set["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_else(Map::new));
            let claim = json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": template["spec"],
                "metadata": {
                    "name": name, "namespace": set["metadata"]["namespace"], "labels": labels,
                    "annotations": template["metadata"]["annotations"]
                }
            });
            self.spawn(&claims, claim, now).map_err(|status| (name, status))?;
        }
        Ok(())
    }

    /// Ties the claims of a pod to the set, to the pod if it goes because the set shrinks, or to nothing.
    pub(super) fn tie_claims(&mut self, path: &str, set: &Value, pod: &Value, is_leaving: bool) {
        let Some(claims) = Cluster::built_in("", "persistentvolumeclaims") else { return };
        let name = text(&pod["metadata"]["name"]);
        for template in items(&set["spec"]["volumeClaimTemplates"]) {
            self.rewrite(&claims, &path_beside(path, &claim_name(template, name)), |claim| {
                tie(claim, set, pod, is_leaving)
            });
        }
    }
}

/// The name of a pod's claim.
pub(super) fn claim_name(template: &Value, pod: &str) -> String {
    format!("{}-{pod}", text(&template["metadata"]["name"]))
}

fn tie(claim: &mut Value, set: &Value, pod: &Value, is_leaving: bool) {
    let deletes = |when: &str| set["spec"]["persistentVolumeClaimRetentionPolicy"][when] == "Delete";
    let owner = match (deletes("whenScaled"), deletes("whenDeleted")) {
        (true, _) if is_leaving => Some(controlled_by("v1", "Pod", pod)),
        (_, true) => Some(controlled_by("apps/v1", "StatefulSet", set)),
        (_, false) => None,
    };
    let is = |owner: &Value, kind: &str, object: &Value| {
        owner["kind"] == kind && owner["name"] == object["metadata"]["name"]
    };
    let known: Vec<Value> = items(&claim["metadata"]["ownerReferences"]).cloned().collect();
    let (ours, mut owners): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|owner| is(owner, "StatefulSet", set) || is(owner, "Pod", pod));
    let is_stale = |owner: &Value| ![&set["metadata"]["uid"], &pod["metadata"]["uid"]].contains(&&owner["uid"]);
    let is_foreign = owners.iter().any(|owner| owner["controller"] == true) || ours.iter().any(is_stale);
    // What somebody else controls is left to them.
    owners.extend(items(&owner.filter(|_| !is_foreign).unwrap_or_default()).cloned());
    if !owners.is_empty() {
        tree::set(claim, &["metadata", "ownerReferences"], owners);
    } else if let Some(Value::Object(metadata)) = claim.get_mut("metadata") {
        metadata.remove("ownerReferences");
    }
}

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    const CLAIMS: &str = "/api/v1/namespaces/web/persistentvolumeclaims";
    const SET: &str = "/apis/apps/v1/namespaces/web/statefulsets/db";

    fn live(bench: &mut Bench, seconds: u32) {
        (0..seconds).for_each(|_| bench.pass(1));
    }

    /// A set of two with a claim each, which are kept or deleted.
    fn bench(scaled: &str, deleted: &str) -> Bench {
        let mut bench = Bench::new();
        let labels = json!({"app": "db"});
        let claim = json!({"metadata": {"name": "data", "labels": {"own": "1"}}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}
        }});
        let set = json!({"metadata": {"name": "db"}, "spec": {
            "replicas": 2, "serviceName": "db", "selector": {"matchLabels": labels}, "volumeClaimTemplates": [claim],
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": scaled, "whenDeleted": deleted},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
        }});
        bench.post("/apis/apps/v1/namespaces/web/statefulsets", set).ok();
        live(&mut bench, 10);
        assert_eq!(bench.get(CLAIMS).names(), ["data-db-0", "data-db-1"]);
        bench
    }

    fn owners(bench: &mut Bench) -> Value {
        bench.get(&format!("{CLAIMS}/data-db-0")).ok()["metadata"]["ownerReferences"].clone()
    }

    #[test]
    fn claims_stay_unless_they_are_to_go() {
        let mut bench = bench("Retain", "Retain");
        assert_eq!(owners(&mut bench), json!(null));
        let claim = bench.get(&format!("{CLAIMS}/data-db-0")).ok();
        assert_eq!(claim["metadata"]["labels"], json!({"app": "db", "own": "1"}));
        bench.merge(SET, json!({"spec": {"replicas": 1}})).ok();
        live(&mut bench, 10);
        bench.delete(SET).ok();
        live(&mut bench, 10);
        assert_eq!(bench.get(CLAIMS).names(), ["data-db-0", "data-db-1"]);
    }

    #[test]
    fn claims_go_with_the_pods_that_a_smaller_set_has_not() {
        let mut bench = bench("Delete", "Retain");
        bench.merge(SET, json!({"spec": {"replicas": 1}})).ok();
        live(&mut bench, 10);
        assert_eq!(bench.get(CLAIMS).names(), ["data-db-0"]);
        // A pod that is merely replaced finds its claim again.
        let uid = bench.get(&format!("{CLAIMS}/data-db-0")).ok()["metadata"]["uid"].clone();
        bench.delete("/api/v1/namespaces/web/pods/db-0").ok();
        live(&mut bench, 10);
        assert_eq!(bench.get(&format!("{CLAIMS}/data-db-0")).ok()["metadata"]["uid"], uid);
        bench.delete(SET).ok();
        live(&mut bench, 10);
        assert_eq!(bench.get(CLAIMS).names(), ["data-db-0"]);
    }

    #[test]
    fn claims_go_with_the_set() {
        let mut bench = bench("Retain", "Delete");
        assert_eq!(
            (&owners(&mut bench)[0]["kind"], owners(&mut bench)[0]["controller"] == true),
            (&json!("StatefulSet"), true)
        );
        // The policy can be changed.
        let keep = json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}}});
        bench.merge(SET, keep).ok();
        assert_eq!(owners(&mut bench), json!(null));
        let drop = json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}});
        bench.merge(SET, drop).ok();
        bench.delete(SET).ok();
        live(&mut bench, 10);
        assert_eq!(bench.get(CLAIMS).names(), [""; 0]);
    }
}
