//! CustomResourceDefinitions: what an API server fills in, refuses and reports of them.

use super::Happening;
use crate::kube::object::time;
use crate::kube::served::Served;
use crate::kube::strategy::Part;
use crate::kube::tree::text;
use crate::kube::verbs::DeleteOptions;
use crate::kube::{Cause, Cluster, ResourceId, baseline, tree};
use serde_json::{Value, json};
use std::sync::Arc;

impl Cluster {
    /// Serves what a definition defines from its first write on, and takes its objects away with it.
    pub(super) fn keep_definitions(&mut self, happening: &Happening<'_>) {
        if !happening.served.is("apiextensions.k8s.io", "customresourcedefinitions") {
            return;
        }
        let name = happening.write.object.path.clone();
        if happening.write.is_delete {
            self.drop_kind(&name, happening);
            return;
        }
        let definition = self.value(&happening.served, &happening.version());
        if Arc::make_mut(&mut self.kinds).define(&definition).is_none() {
            return;
        }
        let now = time(happening.now.as_second());
        self.amend(&happening.served, &name, Part::Status, |definition| establish(definition, &now));
        let Some(services) = Cluster::built_in("apiregistration.k8s.io", "apiservices") else { return };
        let group = text(&definition["spec"]["group"]);
        for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
            let version = text(&version["name"]);
            if !version.is_empty() && self.store.get(services.storage, &format!("{version}.{group}")).is_none() {
                self.ensure(&services, baseline::api_service(group, version, false), happening.now);
                let status = available(&now);
                self.amend(&services, &format!("{version}.{group}"), Part::Status, |object| {
                    tree::set(object, &["status"], status)
                });
            }
        }
    }

    fn drop_kind(&mut self, name: &str, happening: &Happening<'_>) {
        let Some(id) = self.kinds.id(name) else { return };
        if let Some(served) = self.stored_as(id) {
            self.drop_objects(&served, id);
            self.drop_api_services(&served, happening);
        }
        Arc::make_mut(&mut self.kinds).forget(name);
    }

    /// Removes the objects of a kind, whatever holds them: nobody could ever let go of them.
    fn drop_objects(&mut self, served: &Served, id: ResourceId) {
        let paths: Vec<String> = self.store.list(id, None).into_iter().map(|found| found.path.into_owned()).collect();
        for path in paths {
            self.store_removed(served, &path);
        }
    }

    /// Removes the APIServices of group versions that nothing is served under any more.
    fn drop_api_services(&mut self, served: &Served, happening: &Happening<'_>) {
        let Some(services) = Cluster::built_in("apiregistration.k8s.io", "apiservices") else { return };
        let own = |group: &str, version: &str| format!("{version}.{group}");
        let kinds = self.kinds.resources().into_iter();
        let (of_group, others): (Vec<_>, Vec<_>) = kinds
            .filter(|resource| resource.group == served.group)
            .map(|r| (own(&r.group, &r.version), r.plural == served.plural))
            .partition(|(_, is_own)| *is_own);
        let gone: Vec<String> = of_group
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| !others.iter().any(|(other, _)| other == name))
            .collect();
        for name in gone {
            if let Some(version) = self.store.get(services.storage, &name) {
                _ = self.delete_object(&services, &version, &DeleteOptions::default(), happening.now);
            }
        }
    }
}

/// The status of an APIService that the API server itself serves.
fn available(now: &str) -> Value {
    json!({"conditions": [{
        "type": "Available", "status": "True", "lastTransitionTime": now, "reason": "Local",
        "message": "Local APIServices are always available"
    }]})
}

/// Fills in what a definition leaves out (apiextensions `SetDefaults_CustomResourceDefinitionSpec`).
pub(in crate::kube) fn complete(definition: &mut Value) {
    let kind = text(&definition["spec"]["names"]["kind"]).to_owned();
    if kind.is_empty() {
        return;
    }
    for (field, value) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
        if text(&definition["spec"]["names"][field]).is_empty() {
            tree::set(definition, &["spec", "names", field], value);
        }
    }
    if definition["spec"]["conversion"].is_null() {
        tree::set(definition, &["spec", "conversion"], json!({"strategy": "None"}));
    }
}

/// What of a definition is refused (apiextensions `ValidateCustomResourceDefinition`, as far as serving it depends on it).
pub(in crate::kube) fn problems(definition: &Value) -> Vec<Cause> {
    let spec = &definition["spec"];
    let mut causes = Vec::new();
    let mut required = |field: &str, value: &Value| {
        if text(value).is_empty() {
            causes.push(Cause::required(field, ""));
        }
    };
    required("spec.group", &spec["group"]);
    required("spec.scope", &spec["scope"]);
    required("spec.names.plural", &spec["names"]["plural"]);
    required("spec.names.singular", &spec["names"]["singular"]);
    required("spec.names.kind", &spec["names"]["kind"]);
    required("spec.names.listKind", &spec["names"]["listKind"]);
    let name = text(&definition["metadata"]["name"]);
    let wanted = format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"]));
    if name != wanted {
        let problem = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &json!(name), problem));
    }
    if !["Cluster", "Namespaced"].contains(&text(&spec["scope"])) && !text(&spec["scope"]).is_empty() {
        causes.push(Cause::not_supported("spec.scope", &spec["scope"], &["Cluster", "Namespaced"]));
    }
    let none = Vec::new();
    let versions = spec["versions"].as_array().unwrap_or(&none);
    let stored = versions.iter().filter(|version| version["storage"] == true).count();
    if stored != 1 {
        let problem = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &spec["versions"], problem));
    }
    for (position, version) in versions.iter().enumerate() {
        if text(&version["name"]).is_empty() {
            causes.push(Cause::required(format!("spec.versions[{position}].name"), ""));
        }
        if !version["schema"]["openAPIV3Schema"].is_object() {
            let field = format!("spec.versions[{position}].schema.openAPIV3Schema");
            causes.push(Cause::required(field, "schemas are required"));
        } else if versions.len() == 1 && version["schema"]["openAPIV3Schema"]["type"] != "object" {
            let found = &version["schema"]["openAPIV3Schema"]["type"];
            causes.push(Cause::invalid("spec.validation.openAPIV3Schema.type", found, "must be object at the root"));
        }
    }
    causes
}

/// Reports a definition as accepted and established at the time `now`.
pub(in crate::kube) fn establish(definition: &mut Value, now: &str) {
    let spec = &definition["spec"];
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    let conditions = match &definition["status"]["conditions"] {
        Value::Array(conditions) if is_established(definition) => json!(conditions),
        _ => json!([
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ]),
    };
    let versions = spec["versions"].as_array().into_iter().flatten();
    let mut stored: Vec<Value> = definition["status"]["storedVersions"].as_array().cloned().unwrap_or_default();
    for version in versions.filter(|version| version["storage"] == true).map(|version| &version["name"]) {
        if !stored.contains(version) {
            stored.push(version.clone());
        }
    }
    let status = json!({"conditions": conditions, "acceptedNames": spec["names"], "storedVersions": stored});
    tree::set(definition, &["status"], status);
}

/// Whether a definition's kind is served.
pub(in crate::kube) fn is_established(definition: &Value) -> bool {
    let conditions = definition["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::testing::Bench;

    fn definition() -> Value {
        json!({
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Cluster", "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]
            }
        })
    }

    #[test]
    fn a_minimal_definition_is_completed_and_established() {
        let mut definition = definition();
        complete(&mut definition);
        assert_eq!(problems(&definition), []);
        assert_eq!(definition["spec"]["names"]["singular"], "widget");
        assert_eq!(definition["spec"]["names"]["listKind"], "WidgetList");
        assert_eq!(definition["spec"]["conversion"], json!({"strategy": "None"}));
        assert!(!is_established(&definition));
        establish(&mut definition, "2026-01-01T00:00:00Z");
        assert!(is_established(&definition));
        assert_eq!(definition["status"]["storedVersions"], json!(["v1"]));
        assert_eq!(definition["status"]["acceptedNames"]["kind"], "Widget");
    }

    #[test]
    fn a_new_storage_version_is_added_to_the_stored_ones() {
        let mut definition = definition();
        establish(&mut definition, "2026-01-01T00:00:00Z");
        definition["spec"]["versions"][0]["name"] = json!("v2");
        establish(&mut definition, "2026-02-02T00:00:00Z");
        assert_eq!(definition["status"]["storedVersions"], json!(["v1", "v2"]));
        assert_eq!(definition["status"]["conditions"][0]["lastTransitionTime"], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let fields = |change: &dyn Fn(&mut Value)| {
            let mut definition = definition();
            change(&mut definition);
            complete(&mut definition);
            problems(&definition).into_iter().map(|cause| cause.field).collect::<Vec<_>>()
        };
        assert_eq!(fields(&|d| d["metadata"]["name"] = json!("x.example.com")), ["metadata.name"]);
        assert_eq!(fields(&|d| d["spec"]["versions"][0]["storage"] = json!(false)), ["spec.versions"]);
        assert_eq!(fields(&|d| d["spec"]["scope"] = json!("Galaxy")), ["spec.scope"]);
        assert_eq!(
            fields(&|d| d["spec"]["versions"][0]["schema"] = json!(null)),
            ["spec.versions[0].schema.openAPIV3Schema"]
        );
        assert!(fields(&|d| d["spec"] = json!(null)).contains(&"spec.group".to_owned()));
    }

    fn served(bench: &mut Bench) -> Value {
        let mut definition = definition();
        definition["spec"]["scope"] = json!("Namespaced");
        definition["spec"]["versions"] = json!([
            {
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}}
            },
            {"name": "v1beta1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}
        ]);
        bench.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).ok()
    }

    const WIDGETS: &str = "/apis/example.com/v1/namespaces/web/widgets";

    #[test]
    fn a_kind_is_served_from_its_definition_on() {
        let mut bench = Bench::new();
        assert_eq!(bench.get(WIDGETS).body, "404 page not found\n");
        served(&mut bench);
        let definition = bench.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com").ok();
        assert!(is_established(&definition));
        assert_eq!(bench.get(WIDGETS).body["kind"], "WidgetList");
        let groups = bench.get("/apis").ok();
        let groups = groups["groups"].as_array().unwrap();
        assert!(groups.iter().any(|group| group["name"] == "example.com"));
        let service = bench.get("/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com").ok();
        assert_eq!(service["status"]["conditions"][0]["status"], "True");
    }

    #[test]
    fn versions_share_their_objects() {
        let mut bench = Bench::new();
        served(&mut bench);
        let made = bench
            .post(
                WIDGETS,
                json!({"kind": "Widget", "metadata": {"name": "a"}, "spec": {"size": 2}, "status": {"size": 9}}),
            )
            .ok();
        assert_eq!((&made["apiVersion"], &made["kind"]), (&json!("example.com/v1"), &json!("Widget")));
        assert!(made.get("status").is_none());
        let beta = "/apis/example.com/v1beta1/namespaces/web/widgets";
        let seen = bench.get(&format!("{beta}/a")).ok();
        assert_eq!(
            (&seen["apiVersion"], &seen["metadata"]["uid"]),
            (&json!("example.com/v1beta1"), &made["metadata"]["uid"])
        );
        let list = bench.get(beta);
        assert_eq!(list.body["items"][0]["apiVersion"], "example.com/v1beta1");
        let patched =
            bench.merge(&format!("{WIDGETS}/a/status"), json!({"spec": {"size": 5}, "status": {"size": 1}})).ok();
        assert_eq!((&patched["spec"]["size"], &patched["status"]["size"]), (&json!(2), &json!(1)));
        assert_eq!(
            bench.get(&format!("{beta}/a/status")).message(),
            "the server could not find the requested resource"
        );
        let scale = bench.get(&format!("{WIDGETS}/a/scale")).ok();
        assert_eq!(
            (&scale["kind"], &scale["spec"]["replicas"], &scale["status"]["replicas"]),
            (&json!("Scale"), &json!(2), &json!(1))
        );
        let scale = bench.merge(&format!("{WIDGETS}/a/scale"), json!({"spec": {"replicas": 7}})).ok();
        assert_eq!(scale["spec"]["replicas"], 7);
        let object = bench.get(&format!("{WIDGETS}/a")).ok();
        assert_eq!((&object["spec"]["size"], &object["metadata"]["generation"]), (&json!(7), &json!(2)));
    }

    #[test]
    fn a_custom_object_is_updated_by_revision_only() {
        let mut bench = Bench::new();
        served(&mut bench);
        bench.post(WIDGETS, json!({"kind": "Widget", "metadata": {"name": "a"}})).ok();
        let answer = bench.put(&format!("{WIDGETS}/a"), &json!({"kind": "Widget", "metadata": {"name": "a"}}));
        assert_eq!(answer.code, 422);
        assert!(answer.message().ends_with("must be specified for an update"), "{}", answer.message());
    }

    #[test]
    fn a_kind_goes_with_its_definition() {
        let mut bench = Bench::new();
        served(&mut bench);
        bench
            .post(WIDGETS, json!({"kind": "Widget", "metadata": {"name": "a", "finalizers": ["example.com/hold"]}}))
            .ok();
        let mut watch = bench.watch(&format!("{WIDGETS}?watch=1"));
        assert_eq!(watch.told(&bench), ["ADDED a"]);
        bench.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com").ok();
        assert_eq!(watch.told(&bench), ["DELETED a"]);
        assert!(watch.is_over);
        assert_eq!(bench.get(WIDGETS).code, 404);
        assert_eq!(bench.get("/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com").code, 404);
        served(&mut bench);
        assert_eq!(bench.get(WIDGETS).names(), [""; 0]);
    }

    #[test]
    fn a_definition_that_cannot_be_served_is_refused() {
        let mut bench = Bench::new();
        let mut definition = definition();
        definition["spec"]["versions"] = json!([]);
        let answer = bench.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
        assert_eq!(answer.code, 422);
        let target = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        assert_eq!(bench.post(target, json!({"metadata": {"name": "a"}, "spec": "x"})).code, 400);
        let odd = json!({"metadata": {"name": "a"}, "spec": {"names": 1, "versions": {}}});
        assert_eq!(bench.post(target, odd).code, 400);
    }
}
