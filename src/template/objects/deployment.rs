//! Deployments with the replica sets and pods that their controllers would have made.

use super::super::summary::{Deployment, PodStatus};
use super::Variables;
use super::container::container;
use super::digest::suffix;
use super::metadata::{Labels, labels_or_app, metadata};
use super::pod::{DEFAULT_IMAGE, MAIN_CONTAINER, PodParts, build};
use super::scheduler::Scheduler;
use serde_json::{Value, json};

/// The deployment, its replica set and its pods.
pub(super) fn deployment(entry: &Deployment, scheduler: &mut Scheduler, variables: &Variables<'_>) -> Vec<Value> {
    let (name, namespace) = (entry.name.0.as_str(), entry.namespace.0.as_str());
    let replicas = entry.replicas();
    let ready = entry.ready.map_or(replicas, |ready| ready.ready).min(replicas);
    let image = entry.image.as_ref().map_or(DEFAULT_IMAGE, |image| &image.0);
    let labels = labels_or_app(&entry.labels, name);
    let hash = suffix(&format!("{namespace}/{name}/{image}"), 0, 10);
    let mut hashed = labels.clone();
    hashed.insert("pod-template-hash".into(), hash.clone());
    let replica_set = format!("{name}-{hash}");
    let template = |labels| pod_template(entry, image, labels);
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": with_generation(with_revision(metadata(name, namespace, &labels, &entry.annotations))),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template(&labels),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": deployment_status(&replica_set, replicas, ready, variables.created),
    });
    let mut set_metadata =
        with_scale(with_revision(metadata(&replica_set, namespace, &hashed, &entry.annotations)), replicas);
    set_metadata["ownerReferences"] = owner("apps/v1", "Deployment", name);
    let mut set_status = json!({"replicas": replicas, "fullyLabeledReplicas": replicas, "observedGeneration": 1});
    set_counts(&mut set_status, &[("readyReplicas", ready), ("availableReplicas", ready)]);
    let set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": with_generation(set_metadata),
        "spec": {"replicas": replicas, "selector": {"matchLabels": hashed}, "template": template(&hashed)},
        "status": set_status,
    });

    let mut objects = vec![deployment, set];
    for replica in 0..replicas {
        let pod_name = format!("{replica_set}-{}", suffix(&format!("{namespace}/{replica_set}"), replica, 5));
        let mut metadata = metadata(&pod_name, namespace, &hashed, &Default::default());
        metadata["generateName"] = json!(format!("{replica_set}-"));
        metadata["ownerReferences"] = owner("apps/v1", "ReplicaSet", &replica_set);
        let running = replica < ready;
        let parts = PodParts {
            metadata,
            name: &pod_name,
            image,
            ports: &entry.ports.0,
            requests: &entry.requests,
            limits: &entry.limits,
            node: None,
            pod_ip: None,
            status: if running { PodStatus::Running } else { PodStatus::ContainerCreating },
            restarts: 0,
            containers: (usize::from(running), 1),
        };
        objects.push(build(parts, scheduler, variables));
    }
    objects
}

fn pod_template(entry: &Deployment, image: &str, labels: &Labels) -> Value {
    let container = container(MAIN_CONTAINER, image, &entry.requests, &entry.limits, &entry.ports.0);
    json!({
        "metadata": {"labels": labels},
        "spec": {
            "containers": [container],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    })
}

fn deployment_status(replica_set: &str, replicas: usize, ready: usize, created: &str) -> Value {
    let condition = |kind: &str, holds: bool, reason: &str, message: String| {
        json!({
            "type": kind,
            "status": if holds { "True" } else { "False" },
            "reason": reason,
            "message": message,
            "lastUpdateTime": created,
            "lastTransitionTime": created,
        })
    };
    // maxUnavailable is 25 %, rounded down.
    let available = ready + replicas / 4 >= replicas;
    let availability = if available {
        condition("Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability.".into())
    } else {
        let message = "Deployment does not have minimum availability.".into();
        condition("Available", false, "MinimumReplicasUnavailable", message)
    };
    let progress = format!("ReplicaSet \"{replica_set}\" has successfully progressed.");
    let mut status = json!({
        "observedGeneration": 1,
        "conditions": [availability, condition("Progressing", true, "NewReplicaSetAvailable", progress)],
    });
    set_counts(
        &mut status,
        &[
            ("replicas", replicas),
            ("updatedReplicas", replicas),
            ("readyReplicas", ready),
            ("availableReplicas", ready),
            ("unavailableReplicas", replicas - ready),
        ],
    );
    status
}

/// Sets counts; an apiserver leaves out those that are zero.
fn set_counts(status: &mut Value, counts: &[(&str, usize)]) {
    for (name, count) in counts.iter().filter(|(_, count)| *count > 0) {
        status[*name] = json!(count);
    }
}

fn owner(api_version: &str, kind: &str, name: &str) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": name, "controller": true, "blockOwnerDeletion": true}])
}

fn with_revision(mut metadata: Value) -> Value {
    annotate(&mut metadata, "deployment.kubernetes.io/revision", "1".into());
    metadata
}

/// What the deployment controller notes on its replica sets.
fn with_scale(mut metadata: Value, replicas: usize) -> Value {
    annotate(&mut metadata, "deployment.kubernetes.io/desired-replicas", replicas.to_string());
    annotate(&mut metadata, "deployment.kubernetes.io/max-replicas", (replicas + replicas.div_ceil(4)).to_string());
    metadata
}

fn with_generation(mut metadata: Value) -> Value {
    metadata["generation"] = json!(1);
    metadata
}

fn annotate(metadata: &mut Value, key: &str, value: String) {
    metadata["annotations"][key] = json!(value);
}
