//! What becomes of CustomResourceDefinitions: their kinds are named and served, and end with all their objects (apiextensions
//! `NamingConditionController`, `EstablishingController`, `CRDFinalizer`).

use super::Happening;
use super::agenda::Work;
use crate::kube::custom::definition::{self, CLEANUP};
use crate::kube::object::time;
use crate::kube::request::served::Served;
use crate::kube::strategy::Part;
use crate::kube::tree::{items, text};
use crate::kube::verbs::DeleteOptions;
use crate::kube::{Cluster, ResourceId, Verb, baseline, tree};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

impl Cluster {
    /// Serves what a definition defines from its first write on, and sees to its end.
    pub(super) fn keep_definitions(&mut self, happening: &Happening<'_>) {
        let (served, path) = (&happening.served, &happening.write.object.path);
        if served.custom && happening.write.is_delete && !served.verbs.contains(Verb::Create) {
            // It may be the last that a deleted definition waits for.
            self.agenda.add(Work::Definition(format!("{}.{}", served.plural, served.group).into()));
        }
        if !served.is("apiextensions.k8s.io", "customresourcedefinitions") {
            return;
        }
        if happening.write.is_delete {
            self.drop_kind(path, happening.now);
            return;
        }
        self.serve_definition(served, path, happening.now);
        if happening.is_deleting() {
            self.agenda.add(Work::Definition(path.clone()));
        }
    }

    fn serve_definition(&mut self, served: &Served, name: &str, now: Timestamp) {
        let Some(version) = self.store.get(served.storage, name) else { return };
        let mut definition = self.value(served, &version);
        let before = definition["status"].clone();
        let group = text(&definition["spec"]["group"]).to_owned();
        let stamp = time(now.as_second());
        definition::accept(&mut definition, &self.kinds.taken(&group), &stamp);
        if Arc::make_mut(&mut self.kinds).define(&definition).is_none() {
            return;
        }
        let status = definition["status"].take();
        let is_established = definition::is_established(&json!({"status": &status}));
        if status != before {
            let is_renamed = before["acceptedNames"] != status["acceptedNames"];
            self.amend(served, name, Part::Status, |definition| tree::set(definition, &["status"], status));
            if is_renamed {
                self.name_others(&group, name);
            }
        }
        if !is_established {
            return;
        }
        let Some(services) = Cluster::built_in("apiregistration.k8s.io", "apiservices") else { return };
        let versions = items(&definition["spec"]["versions"]).filter(|version| version["served"] == true);
        for version in versions.map(|version| text(&version["name"])) {
            let service = format!("{version}.{group}");
            if !version.is_empty() && self.store.get(services.storage, &service).is_none() {
                self.ensure(&services, baseline::api_service(&group, version, false), now);
                let status = available(&stamp);
                self.amend(&services, &service, Part::Status, |object| tree::set(object, &["status"], status));
            }
        }
    }

    /// Knows of all definitions what names they have, before any asks for more.
    pub(in crate::kube) fn resume_definitions(&mut self) {
        let Some(definitions) = Cluster::built_in("apiextensions.k8s.io", "customresourcedefinitions") else { return };
        let found: Vec<_> = self.store.list(definitions.storage, None).into_iter().map(|found| found.version).collect();
        for version in found {
            let definition = self.value(&definitions, &version);
            if definition["status"]["acceptedNames"].is_object() {
                Arc::make_mut(&mut self.kinds).define(&definition);
            }
        }
    }

    /// Has the definitions looked at that wait for names of a group. In their turn: each may free names for the next.
    fn name_others(&mut self, group: &str, name: &str) {
        let others = self.kinds.contested(group).into_iter().filter(|other| **other != *name);
        others.for_each(|other| self.agenda.add(Work::Definition(other.into())));
    }

    /// Gives a definition the names that it waits for, or sees to its end.
    pub(super) fn keep_definition(&mut self, name: &str, now: Timestamp) {
        let Some(definitions) = Cluster::built_in("apiextensions.k8s.io", "customresourcedefinitions") else { return };
        self.serve_definition(&definitions, name, now);
        self.end_definition(name, now);
    }

    /// Deletes the objects of a deleted definition, and lets it go once there are none.
    fn end_definition(&mut self, name: &str, now: Timestamp) {
        let Some(definitions) = Cluster::built_in("apiextensions.k8s.io", "customresourcedefinitions") else { return };
        let Some(version) = self.store.get(definitions.storage, name) else { return };
        let definition = self.value(&definitions, &version);
        let is_held = items(&definition["metadata"]["finalizers"]).any(|finalizer| finalizer == CLEANUP);
        if self.store.stamp(&version).deleted_s.is_none() || !is_held {
            return;
        }
        let stamp = time(now.as_second());
        self.amend(&definitions, name, Part::Status, |definition| definition::under_way(definition, &stamp));
        if !definition::is_established(&definition) {
            self.amend(&definitions, name, Part::Status, |definition| definition::never_served(definition, &stamp));
            return;
        }
        let kind = self.kinds.id(name).and_then(|id| Some((id, self.stored_as(id)?)));
        let left = kind.map_or(0, |(id, served)| self.delete_objects(&served, id, now));
        if left == 0 {
            self.amend(&definitions, name, Part::Status, |definition| definition::ended(definition, &stamp));
        }
    }

    /// Deletes all objects of a kind, and tells how many are held.
    fn delete_objects(&mut self, served: &Served, id: ResourceId, now: Timestamp) -> usize {
        let found: Vec<_> = self.store.list(id, None).into_iter().map(|found| found.version).collect();
        let mut left = 0;
        for version in found {
            if self.store.stamp(&version).deleted_s.is_some() {
                left += 1;
                continue;
            }
            let deleted = self.delete_object(served, &version, &DeleteOptions::default(), now);
            left += usize::from(!deleted.is_ok_and(|deleted| deleted.is_gone));
        }
        left
    }

    fn drop_kind(&mut self, name: &str, now: Timestamp) {
        let Some(id) = self.kinds.id(name) else { return };
        let served = self.stored_as(id);
        if let Some(served) = &served {
            self.drop_objects(served, id);
            self.drop_api_services(served, now);
        }
        Arc::make_mut(&mut self.kinds).forget(name);
        if let Some(served) = served {
            self.name_others(&served.group, name);
        }
    }

    /// Removes the objects of a kind that somebody ended before them, whatever holds them: nobody could ever let go of them.
    fn drop_objects(&mut self, served: &Served, id: ResourceId) {
        let paths: Vec<String> = self.store.list(id, None).into_iter().map(|found| found.path.into_owned()).collect();
        for path in paths {
            self.store_removed(served, &path);
        }
    }

    /// Removes the APIServices of group versions that nothing is served under any more.
    fn drop_api_services(&mut self, served: &Served, now: Timestamp) {
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
                _ = self.delete_object(&services, &version, &DeleteOptions::default(), now);
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
        assert!(definition::is_established(&definition));
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

    const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";

    fn reason(definition: &Value) -> &Value {
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        &conditions.iter().find(|condition| condition["type"] == "Terminating").unwrap()["reason"]
    }

    #[test]
    fn a_kind_goes_with_its_definition() {
        let mut bench = Bench::new();
        served(&mut bench);
        bench.post(WIDGETS, json!({"kind": "Widget", "metadata": {"name": "a"}})).ok();
        let mut watch = bench.watch(&format!("{WIDGETS}?watch=1"));
        let mut definitions =
            bench.watch(&format!("{DEFINITIONS}?watch=1&resourceVersion={}", bench.cluster.revision()));
        assert_eq!(watch.told(&bench), ["ADDED a"]);
        let deleted = bench.delete(DEFINITION).ok();
        assert_eq!(
            (reason(&deleted), &deleted["metadata"]["generation"]),
            (&json!("InstanceDeletionPending"), &json!(1))
        );
        assert_eq!(deleted["metadata"]["finalizers"], json!([CLEANUP]));
        assert_eq!(watch.told(&bench), ["DELETED a"]);
        assert!(watch.is_over);
        let told: Vec<Value> = definitions.events(&bench);
        assert_eq!(
            told.iter().map(|event| (text(&event["type"]), reason(&event["object"]).clone())).collect::<Vec<_>>(),
            [
                ("MODIFIED", json!("InstanceDeletionPending")),
                ("MODIFIED", json!("InstanceDeletionInProgress")),
                ("DELETED", json!("InstanceDeletionInProgress"))
            ]
        );
        assert_eq!(bench.get(WIDGETS).code, 404);
        assert_eq!(bench.get("/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com").code, 404);
        served(&mut bench);
        assert_eq!(bench.get(WIDGETS).names(), [""; 0]);
    }

    #[test]
    fn a_definition_waits_for_what_holds_its_objects() {
        let mut bench = Bench::new();
        served(&mut bench);
        for (name, finalizers) in [("free", json!([])), ("held", json!(["example.com/hold"]))] {
            bench.post(WIDGETS, json!({"kind": "Widget", "metadata": {"name": name, "finalizers": finalizers}})).ok();
        }
        bench.delete(&format!("{DEFINITION}?propagationPolicy=Foreground")).ok();
        assert_eq!(bench.get(WIDGETS).names(), ["held"]);
        let definition = bench.get(DEFINITION).ok();
        assert_eq!(reason(&definition), "InstanceDeletionInProgress");
        assert_eq!(definition["metadata"]["finalizers"], json!([CLEANUP]));
        // There will be no more of them, and those there are can be let go.
        let refused = bench.post(WIDGETS, json!({"kind": "Widget", "metadata": {"name": "late"}}));
        assert_eq!(
            (refused.code, refused.message()),
            (405, "create not allowed while custom resource definition is terminating")
        );
        let verbs = bench.get("/apis/example.com/v1").ok()["resources"][0]["verbs"].clone();
        assert_eq!(verbs, json!(["delete", "deletecollection", "get", "list", "watch"]));
        let kept = bench.cluster.written_since(bench.cluster.start_revision());
        let mut later = bench.restarted(1, kept.places).unwrap();
        for bench in [&mut bench, &mut later] {
            bench.pass(60);
            assert_eq!(bench.get(WIDGETS).names(), ["held"]);
            bench.merge(&format!("{WIDGETS}/held"), json!({"metadata": {"finalizers": null}})).ok();
            assert_eq!(bench.get(DEFINITION).code, 404);
            assert_eq!(bench.get(WIDGETS).code, 404);
        }
    }

    #[test]
    fn a_name_goes_to_who_comes_first_and_then_to_who_waits() {
        let mut bench = Bench::new();
        let start = bench.cluster.start_revision();
        served(&mut bench);
        let mut gadgets = definition();
        gadgets["metadata"]["name"] = json!("gadgets.example.com");
        gadgets["spec"]["names"]["plural"] = json!("gadgets");
        bench.post(DEFINITIONS, gadgets).ok();
        let target = format!("{DEFINITIONS}/gadgets.example.com");
        let waiting = bench.get(&target).ok();
        assert!(!definition::is_established(&waiting));
        assert_eq!(waiting["status"]["conditions"][0]["reason"], "ListKindConflict");
        assert_eq!(waiting["status"]["acceptedNames"], json!({"plural": "gadgets", "kind": ""}));
        assert_eq!(bench.get("/apis/example.com/v1/gadgets").code, 404);
        // Though it comes first by name.
        let mut after = bench.restarted(1, bench.cluster.written_since(start).places).unwrap();
        after.pass(5);
        assert_eq!(after.get(&target).ok()["status"], waiting["status"]);
        assert!(definition::is_established(&after.get(DEFINITION).ok()));
        bench.delete(DEFINITION).ok();
        assert!(definition::is_established(&bench.get(&target).ok()));
        assert_eq!(bench.get("/apis/example.com/v1/gadgets").names(), [""; 0]);
        // One that never was served goes at once.
        served(&mut bench);
        let deleted = bench.delete(DEFINITION).ok();
        assert!(!definition::is_established(&deleted));
        assert_eq!(bench.get(DEFINITION).code, 404);
    }

    #[test]
    fn names_that_one_frees_for_the_next_go_down_a_long_row() {
        let mut bench = Bench::new();
        let row = 20;
        let define = |number: usize| {
            let mut definition = definition();
            definition["metadata"]["name"] = json!(format!("w{number}s.example.com"));
            definition["spec"]["names"] = json!({
                "plural": format!("w{number}s"), "singular": format!("s{number}"), "kind": format!("K{number}"), "listKind": format!("L{number}")
            });
            definition
        };
        for number in 0..row {
            bench.post(DEFINITIONS, define(number)).ok();
        }
        let target = |number: usize| format!("{DEFINITIONS}/w{number}s.example.com");
        let singular =
            |bench: &mut Bench, number| bench.get(&target(number)).ok()["status"]["acceptedNames"]["singular"].clone();
        for number in 0..row - 1 {
            let next = json!({"spec": {"names": {"singular": format!("s{}", number + 1)}}});
            bench.merge(&target(number), next).ok();
        }
        assert_eq!(singular(&mut bench, 0), "s0", "the next has it");
        bench.delete(&target(row - 1)).ok();
        (0..30).for_each(|_| bench.pass(1));
        for number in 0..row - 1 {
            assert_eq!(singular(&mut bench, number), *format!("s{}", number + 1));
        }
    }

    #[test]
    fn a_version_that_is_not_served_has_no_api_service() {
        let mut bench = Bench::new();
        let mut definition = definition();
        definition["spec"]["versions"][0]["served"] = json!(false);
        bench.post(DEFINITIONS, definition).ok();
        assert_eq!(bench.get("/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com").code, 404);
    }

    #[test]
    fn a_stored_version_cannot_be_taken_out_before_its_objects_are_migrated() {
        let mut bench = Bench::new();
        let mut definition = served(&mut bench);
        definition["metadata"] = json!({"name": "widgets.example.com"});
        for (index, storage) in [(0, false), (1, true)] {
            definition["spec"]["versions"][index]["storage"] = json!(storage);
        }
        let moved = bench.merge(DEFINITION, json!({"spec": definition["spec"]})).ok();
        assert_eq!(moved["status"]["storedVersions"], json!(["v1", "v1beta1"]));
        let only = json!({"spec": {"versions": [definition["spec"]["versions"][1]]}});
        let refused = bench.merge(DEFINITION, only.clone());
        assert_eq!(refused.code, 422);
        assert!(
            refused.message().contains("status.storedVersions[0]: Invalid value: \"v1\": must appear"),
            "{}",
            refused.body
        );
        bench.merge(&format!("{DEFINITION}/status"), json!({"status": {"storedVersions": ["v1beta1"]}})).ok();
        bench.merge(DEFINITION, only).ok();
        assert_eq!(bench.get(WIDGETS).code, 404);
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
