//! Which controllers a write concerns.

use super::Happening;
use super::agenda::Work;
use super::endpoints;
use super::owned::controller;
use super::pods::{condition, has_ended};
use super::volumes::claims_of;
use crate::kube::request::served::Served;
use crate::kube::store::{Version, namespace_of, path_of};
use crate::kube::tree::text;
use crate::kube::{Cluster, LabelSelector};
use serde_json::Value;
use std::sync::Arc;

impl Cluster {
    /// Puts on the agenda whatever a write may concern.
    pub(super) fn notice(&mut self, happening: &Happening<'_>) {
        let path = happening.write.object.path.clone();
        let is_gone = happening.write.is_delete;
        let work = match (happening.served.group.as_ref(), happening.served.plural.as_ref()) {
            ("", "pods") => return self.notice_pod(happening, &path),
            ("", "nodes") => return self.notice_node(happening, &path),
            ("", "persistentvolumeclaims") if is_gone => {
                let claim = self.value(&happening.served, &happening.version());
                return self.release_volume(&claim, happening.now);
            }
            ("apps", "replicasets") | ("batch", "jobs") => {
                let object = self.value(&happening.served, &happening.version());
                self.notice_controller(&object, &path);
                if &*happening.served.plural == "replicasets" && !is_gone && controller(&object).is_none() {
                    self.notice_orphaned_set(&object, &path);
                }
                if &*happening.served.plural == "jobs" { Work::Job(path) } else { Work::ReplicaSet(path) }
            }
            ("apps", "deployments") => Work::Deployment(path),
            ("apps", "daemonsets") => Work::DaemonSet(path),
            ("apps", "statefulsets") => Work::StatefulSet(path),
            ("batch", "cronjobs") => Work::CronJob(path),
            ("", "services" | "endpoints") => Work::Service(path),
            ("", "persistentvolumeclaims") => Work::Claim(path),
            ("", "persistentvolumes") if happening.is_deleting() => return self.let_volume_go(&path),
            ("", "persistentvolumes") if happening.is_new() => return self.offer_volume(&path),
            ("", "replicationcontrollers") => Work::ReplicationController(path),
            ("apiregistration.k8s.io", "apiservices") if !is_gone => return self.report_api_service(happening),
            ("policy", "poddisruptionbudgets") => Work::Budget(path),
            _ => return,
        };
        // Endpoints that somebody deletes are made again.
        let is_missed = is_gone && happening.served.is("", "endpoints");
        if is_missed || !is_gone && (happening.is_deleting() || self.is_asked_for(happening)) {
            self.agenda.add(work);
        }
    }

    fn notice_pod(&mut self, happening: &Happening<'_>, path: &Arc<str>) {
        let pods = &happening.served;
        let pod = self.value(pods, &happening.version());
        let before = happening.write.previous.as_ref().map(|before| self.value(pods, before));
        let is_gone = happening.write.is_delete;
        if let Some(load) = &mut self.load {
            load.change(before.as_ref(), (!is_gone).then_some(&pod));
        }
        if is_gone || has_ended(&pod) {
            let namespace = namespace_of(path);
            claims_of(&pod).for_each(|claim| self.agenda.add(Work::Claim(path_of(namespace, claim).into())));
        }
        if is_gone {
            self.waiting_pods.remove(path);
        } else if !self.is_of_template(pods, &happening.version()) {
            let is_placed = !text(&pod["spec"]["nodeName"]).is_empty() && !pod["status"]["startTime"].is_null();
            if is_placed || has_ended(&pod) || !pod["metadata"]["deletionTimestamp"].is_null() {
                self.waiting_pods.remove(path);
                self.agenda.add(Work::Pod(path.clone()));
            } else if self.waiting_pods.insert(path.clone()) || self.is_asked_for(happening) {
                self.agenda.add(Work::Placement);
            }
        }
        if is_gone && !self.waiting_pods.is_empty() {
            self.agenda.add(Work::Placement);
        }
        if !is_gone && before.as_ref().is_some_and(|before| shown(before) == shown(&pod)) {
            return;
        }
        self.notice_controller(&pod, path);
        if !is_gone && controller(&pod).is_none() {
            self.notice_orphaned_pod(&pod, path);
        }
        for labels in before.iter().chain([&pod]).map(|pod| pod["metadata"]["labels"].as_object()) {
            for service in self
                .selecting("", "services", path, |service| endpoints::selector(service)?.matches(labels).then_some(()))
            {
                self.agenda.add(Work::Service(service));
            }
            let wanted = |budget: &Value| {
                let selector = LabelSelector::from_object(&budget["spec"]["selector"]).ok()?;
                selector.matches(labels).then_some(())
            };
            for budget in self.selecting("policy", "poddisruptionbudgets", path, wanted) {
                self.agenda.add(Work::Budget(budget));
            }
        }
    }

    /// A node's coming lets pods go there; with it go those that were on it.
    fn notice_node(&mut self, happening: &Happening<'_>, path: &Arc<str>) {
        let is_ready = |node: &Value| condition(node, "Ready").map(|ready| ready["status"].clone());
        let node = self.value(&happening.served, &happening.version());
        let before = happening.write.previous.as_ref().map(|before| self.value(&happening.served, before));
        if !happening.write.is_delete {
            self.notice_taints(happening, &node);
            self.taint_by_condition(path, happening.now);
        }
        let same = before.is_some_and(|before| is_ready(&before) == is_ready(&node));
        if !happening.write.is_delete && same && !self.is_asked_for(happening) {
            return;
        }
        if !self.waiting_pods.is_empty() {
            self.agenda.add(Work::Placement);
        }
        if let Some(sets) = Cluster::built_in("apps", "daemonsets") {
            let paths: Vec<Arc<str>> =
                self.store.list(sets.storage, None).into_iter().map(|found| found.path.as_ref().into()).collect();
            paths.into_iter().for_each(|path| self.agenda.add(Work::DaemonSet(path)));
        }
        let Some(pods) = Cluster::built_in("", "pods").filter(|_| happening.write.is_delete) else { return };
        let on_it = |version: &Version| self.value(&pods, version)["spec"]["nodeName"] == **path;
        let listed = self.store.list(pods.storage, None).into_iter().map(|found| found.version);
        let lost: Vec<Version> = listed.filter(on_it).collect();
        for version in lost {
            self.withdraw(&pods, &version, happening.now);
        }
    }

    /// The controller of an object is to look at what it controls.
    fn notice_controller(&mut self, object: &Value, path: &str) {
        let Some(owner) = controller(object) else { return };
        let path: Arc<str> = path_of(namespace_of(path), text(&owner["name"])).into();
        self.agenda.add(match text(&owner["kind"]) {
            "ReplicaSet" => Work::ReplicaSet(path),
            "ReplicationController" => Work::ReplicationController(path),
            "DaemonSet" => Work::DaemonSet(path),
            "StatefulSet" => Work::StatefulSet(path),
            "Job" => Work::Job(path),
            "Deployment" => Work::Deployment(path),
            "CronJob" => Work::CronJob(path),
            _ => return,
        });
    }

    /// The objects of a kind in the namespace of `path` that this picks.
    pub(super) fn selecting(
        &self,
        group: &str,
        plural: &str,
        path: &str,
        picks: impl Fn(&Value) -> Option<()>,
    ) -> Vec<Arc<str>> {
        let Some(kind) = Cluster::built_in(group, plural) else { return Vec::new() };
        let listed = self.store.list(kind.storage, namespace_of(path)).into_iter();
        listed
            .filter(|found| picks(&self.value(&kind, &found.version)).is_some())
            .map(|found| found.path.as_ref().into())
            .collect()
    }

    /// Whether a write changed more of an object than its status.
    fn is_asked_for(&self, happening: &Happening<'_>) -> bool {
        let asked = |version: &Version| {
            let mut object = self.value(&happening.served, version);
            if let Some(fields) = object.as_object_mut() {
                fields.remove("status");
            }
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("resourceVersion");
            }
            object
        };
        happening.write.previous.as_ref().is_none_or(|before| asked(before) != asked(&happening.version()))
    }

    /// Whether an object is of the template, in whatever state: what it is to look like is the template's to say.
    pub(super) fn is_of_template(&self, served: &Served, version: &Version) -> bool {
        let ordinal = self.store.ordinal_at(served.storage, &self.store.path(version));
        ordinal.is_some_and(|ordinal| self.store.particulars().uid(ordinal) == self.store.stamp(version).uid)
    }
}

/// What others go by of a pod.
fn shown(pod: &Value) -> [Value; 7] {
    [
        pod["metadata"]["labels"].clone(),
        pod["metadata"]["ownerReferences"].clone(),
        pod["metadata"]["deletionTimestamp"].clone(),
        pod["spec"]["nodeName"].clone(),
        pod["status"]["phase"].clone(),
        pod["status"]["podIP"].clone(),
        condition(pod, "Ready").map(|ready| ready["status"].clone()).unwrap_or_default(),
    ]
}
