//! The columns of what runs pods.

use super::column::{AGE, Column, NAME, Row, boolean, integer, text};
use super::duration;

pub(super) const DEPLOYMENTS: &[Column] = &[
    NAME,
    text("Ready", |row| ready_of(row).into()),
    text("Up-to-date", |row| row.integer("status.updatedReplicas").into()),
    text("Available", |row| row.integer("status.availableReplicas").into()),
    AGE,
    CONTAINERS,
    IMAGES,
    text("Selector", |row| row.selector("spec.selector").into()).wide(),
];

pub(super) const DAEMON_SETS: &[Column] = &[
    NAME,
    integer("Desired", |row| row.integer("status.desiredNumberScheduled").into()),
    integer("Current", |row| row.integer("status.currentNumberScheduled").into()),
    integer("Ready", |row| row.integer("status.numberReady").into()),
    integer("Up-to-date", |row| row.integer("status.updatedNumberScheduled").into()),
    integer("Available", |row| row.integer("status.numberAvailable").into()),
    text("Node Selector", |row| row.labels("spec.template.spec.nodeSelector").into()),
    AGE,
    CONTAINERS,
    IMAGES,
    text("Selector", |row| row.selector("spec.selector").into()).wide(),
];

pub(super) const STATEFUL_SETS: &[Column] = &[NAME, text("Ready", |row| ready_of(row).into()), AGE, CONTAINERS, IMAGES];

pub(super) const REPLICA_SETS: &[Column] = &[
    NAME,
    integer("Desired", |row| replicas(row).into()),
    integer("Current", |row| row.integer("status.replicas").into()),
    integer("Ready", |row| row.integer("status.readyReplicas").into()),
    AGE,
    CONTAINERS,
    IMAGES,
    text("Selector", |row| row.selector("spec.selector").into()).wide(),
];

pub(super) const REPLICATION_CONTROLLERS: &[Column] = &[
    NAME,
    integer("Desired", |row| replicas(row).into()),
    integer("Current", |row| row.integer("status.replicas").into()),
    integer("Ready", |row| row.integer("status.readyReplicas").into()),
    AGE,
    CONTAINERS,
    IMAGES,
    text("Selector", |row| row.labels("spec.selector").into()).wide(),
];

pub(super) const CONTROLLER_REVISIONS: &[Column] = &[
    NAME,
    text("Controller", |row| controller(row).into()),
    text("Revision", |row| row.integer("revision").into()),
    AGE,
];

pub(super) const JOBS: &[Column] = &[
    NAME,
    text("Status", |row| job_status(row).into()),
    text("Completions", |row| completions(row).into()),
    text("Duration", |row| job_duration(row).into()),
    AGE,
    CONTAINERS,
    IMAGES,
    text("Selector", |row| row.selector("spec.selector").into()).wide(),
];

pub(super) const CRON_JOBS: &[Column] = &[
    NAME,
    text("Schedule", |row| row.text("spec.schedule").into()),
    text("Timezone", |row| row.text_or("spec.timeZone", "<none>").into()),
    boolean("Suspend", |row| match row.at("spec.suspend").as_bool() {
        Some(true) => "True".into(),
        Some(false) => "False".into(),
        None => "<unset>".into(),
    }),
    integer("Active", |row| row.count("status.active").into()),
    text("Last Schedule", |row| match row.time("status.lastScheduleTime") {
        Some(at) => duration::since(at, row.now).into(),
        None => "<none>".into(),
    }),
    AGE,
    text("Containers", |row| row.join("spec.jobTemplate.spec.template.spec.containers", "name").into()).wide(),
    text("Images", |row| row.join("spec.jobTemplate.spec.template.spec.containers", "image").into()).wide(),
    text("Selector", |row| row.selector("spec.jobTemplate.spec.selector").into()).wide(),
];

pub(super) const POD_TEMPLATES: &[Column] = &[
    NAME,
    text("Containers", |row| row.join("template.spec.containers", "name").into()),
    text("Images", |row| row.join("template.spec.containers", "image").into()),
    text("Pod Labels", |row| row.labels("template.metadata.labels").into()),
];

pub(super) const POD_DISRUPTION_BUDGETS: &[Column] = &[
    NAME,
    text("Min Available", |row| count_or_percent(row, "spec.minAvailable").into()),
    text("Max Unavailable", |row| count_or_percent(row, "spec.maxUnavailable").into()),
    integer("Allowed Disruptions", |row| row.integer("status.disruptionsAllowed").into()),
    AGE,
];

pub(super) const PRIORITY_CLASSES: &[Column] = &[
    NAME,
    integer("Value", |row| row.integer("value").into()),
    boolean("Global-Default", |row| row.at("globalDefault").as_bool().unwrap_or_default().into()),
    AGE,
];

pub(super) const HORIZONTAL_POD_AUTOSCALERS: &[Column] = &[
    NAME,
    text("Reference", |row| {
        format!("{}/{}", row.text("spec.scaleTargetRef.kind"), row.text("spec.scaleTargetRef.name")).into()
    }),
    text("Targets", |row| targets(row).into()),
    text("MinPods", |row| match row.at("spec.minReplicas").as_i64() {
        Some(number) => number.to_string().into(),
        None => "<unset>".into(),
    }),
    text("MaxPods", |row| row.integer("spec.maxReplicas").into()),
    text("Replicas", |row| row.integer("status.currentReplicas").into()),
    AGE,
];

const CONTAINERS: Column = text("Containers", |row| row.join("spec.template.spec.containers", "name").into()).wide();
const IMAGES: Column = text("Images", |row| row.join("spec.template.spec.containers", "image").into()).wide();

/// One replica is meant where none are named, as defaulting fills in.
fn replicas(row: &Row<'_>) -> i64 {
    row.at("spec.replicas").as_i64().unwrap_or(1)
}

fn ready_of(row: &Row<'_>) -> String {
    format!("{}/{}", row.integer("status.readyReplicas"), replicas(row))
}

fn controller(row: &Row<'_>) -> String {
    let Some(owner) = row.items("metadata.ownerReferences").iter().find(|owner| owner["controller"] == true) else {
        return "<none>".into();
    };
    let field = |name: &str| owner[name].as_str().unwrap_or_default();
    let kind = field("kind").to_lowercase();
    match field("apiVersion").split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", field("name")),
        None => format!("{kind}/{}", field("name")),
    }
}

fn job_status(row: &Row<'_>) -> &'static str {
    let is = |kind| row.condition(kind) == Some("True");
    match () {
        () if is("Complete") => "Complete",
        () if is("Failed") => "Failed",
        () if row.is_terminating() => "Terminating",
        () if is("Suspended") => "Suspended",
        () if is("FailureTarget") => "FailureTarget",
        () => "Running",
    }
}

fn completions(row: &Row<'_>) -> String {
    let succeeded = row.integer("status.succeeded");
    match (row.at("spec.completions").as_i64(), row.integer("spec.parallelism")) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallelism @ 2..) => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn job_duration(row: &Row<'_>) -> String {
    let Some(start) = row.time("status.startTime") else { return String::new() };
    duration::since(start, row.time("status.completionTime").unwrap_or(row.now))
}

fn count_or_percent(row: &Row<'_>, path: &str) -> String {
    let value = row.at(path);
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|n| n.to_string())).unwrap_or_else(|| "N/A".into())
}

/// The first two metrics; how far they are is only known for resources.
fn targets(row: &Row<'_>) -> String {
    const SHOWN: usize = 2;
    // The first version knows but the processor's utilisation.
    if let Some(target) = row.at("spec.targetCPUUtilizationPercentage").as_i64() {
        let current = row.at("status.currentCPUUtilizationPercentage").as_i64();
        let current = current.map_or_else(|| "<unknown>".to_owned(), |percent| format!("{percent}%"));
        return format!("cpu: {current}/{target}%");
    }
    let metrics = row.items("spec.metrics");
    let texts: Vec<String> = metrics.iter().take(SHOWN).enumerate().map(|(i, metric)| target(row, i, metric)).collect();
    match metrics.len() {
        0 => "<none>".into(),
        count if count > SHOWN => format!("{} + {} more...", texts.join(", "), count - SHOWN),
        _ => texts.join(", "),
    }
}

fn target(row: &Row<'_>, i: usize, metric: &serde_json::Value) -> String {
    let source = match metric["type"].as_str() {
        Some("Resource") => "resource",
        Some("ContainerResource") => "containerResource",
        Some("Pods") => "pods",
        Some("Object") => "object",
        Some("External") => "external",
        _ => return "<unknown type>".into(),
    };
    let spec = &metric[source];
    let current =
        row.items("status.currentMetrics").get(i).map_or(&serde_json::Value::Null, |status| &status[source]["current"]);
    let text = |value: &serde_json::Value, field: &str| value[field].as_str().map(str::to_owned);
    let percent = |value: &serde_json::Value| value["averageUtilization"].as_i64().map(|percent| format!("{percent}%"));
    let unknown = || "<unknown>".to_owned();
    let wanted = &spec["target"];
    let (of, averaged) = match (source, text(wanted, "averageValue")) {
        ("resource" | "containerResource", Some(value)) => {
            (text(current, "averageValue").unwrap_or_else(unknown) + "/" + &value, "")
        }
        ("resource" | "containerResource", None) => {
            let wanted = percent(wanted).unwrap_or_else(|| "<auto>".into());
            (percent(current).unwrap_or_else(unknown) + "/" + &wanted, "")
        }
        ("pods", value) => {
            (text(current, "averageValue").unwrap_or_else(unknown) + "/" + &value.unwrap_or_default(), "")
        }
        (_, Some(value)) => (text(current, "averageValue").unwrap_or_else(unknown) + "/" + &value, " (avg)"),
        (_, None) => {
            (text(current, "value").unwrap_or_else(unknown) + "/" + &text(wanted, "value").unwrap_or_default(), "")
        }
    };
    match spec["name"].as_str() {
        Some(name) if source.ends_with("esource") => format!("{name}: {of}{averaged}"),
        _ => format!("{of}{averaged}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::table::column::cells;
    use serde_json::{Value, json};

    #[test]
    fn deployments_and_their_kin() {
        let object = json!({
            "metadata": {"name": "web", "creationTimestamp": "2024-05-01T08:00:00Z"},
            "spec": {
                "replicas": 5, "selector": {"matchLabels": {"foo": "bar"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["z", "y"]}]},
                "template": {"spec": {"containers": [{"name": "c1", "image": "i1"}, {"name": "c2", "image": "i2"}]}}
            },
            "status": {"replicas": 10, "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
        });
        assert_eq!(
            cells(DEPLOYMENTS, object.clone()),
            ["web", "1/5", "2", "1", "5d", "c1,c2", "i1,i2", "a in (y,z),foo=bar"]
        );
        assert_eq!(cells(STATEFUL_SETS, object.clone()), ["web", "1/5", "5d", "c1,c2", "i1,i2"]);
        assert_eq!(cells(REPLICA_SETS, object), ["web", "5", "10", "1", "5d", "c1,c2", "i1,i2", "a in (y,z),foo=bar"]);
        let daemons = json!({"status": {"desiredNumberScheduled": 3, "numberReady": 2}, "spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}});
        assert_eq!(cells(DAEMON_SETS, daemons)[1..8], ["3", "0", "2", "0", "0", "a=b", "<unknown>"]);
    }

    #[test]
    fn jobs_say_how_far_they_are() {
        let at = "2024-05-06T07:00:00Z";
        let done = json!({
            "metadata": {"name": "j", "creationTimestamp": at}, "spec": {"completions": 2},
            "status": {"succeeded": 2, "startTime": at, "completionTime": "2024-05-06T07:03:20Z", "conditions": [{"type": "Complete", "status": "True"}]}
        });
        assert_eq!(cells(JOBS, done)[..5], ["j", "Complete", "2/2", "3m20s", "60m"]);
        let running = json!({"spec": {"parallelism": 3}, "status": {"startTime": at}});
        assert_eq!(cells(JOBS, running)[1..4], ["Running", "0/1 of 3", "60m"]);
        let cron = json!({"metadata": {"name": "c"}, "spec": {"schedule": "* * * * *", "suspend": false}, "status": {"lastScheduleTime": at, "active": [{}]}});
        assert_eq!(cells(CRON_JOBS, cron)[..6], ["c", "* * * * *", "<none>", "False", "1", "60m"]);
    }

    #[test]
    fn autoscalers_show_two_metrics() {
        // Cases of printers_test.go, TestPrintHPA.
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}});
        let hpa = |metrics: Value, status: Value| {
            cells(HORIZONTAL_POD_AUTOSCALERS, json!({
                "metadata": {"name": "h"},
                "spec": {"scaleTargetRef": {"kind": "ReplicationController", "name": "some-rc"}, "minReplicas": 2, "maxReplicas": 10, "metrics": metrics},
                "status": status
            }))[1..6].join(" ")
        };
        assert_eq!(hpa(json!([]), json!({"currentReplicas": 4})), "ReplicationController/some-rc <none> 2 10 4");
        assert_eq!(hpa(json!([cpu]), json!({})), "ReplicationController/some-rc cpu: <unknown>/80% 2 10 0");
        let half = json!({"currentMetrics": [{"resource": {"current": {"averageUtilization": 50}}}]});
        assert_eq!(hpa(json!([cpu]), half), "ReplicationController/some-rc cpu: 50%/80% 2 10 0");
        let external = json!({"type": "External", "external": {"target": {"averageValue": "100"}}});
        assert_eq!(
            hpa(json!([cpu, external, cpu]), json!({})),
            "ReplicationController/some-rc cpu: <unknown>/80%, <unknown>/100 (avg) + 1 more... 2 10 0"
        );
    }

    #[test]
    fn budgets_and_revisions() {
        let budget =
            json!({"metadata": {"name": "b"}, "spec": {"minAvailable": "22%"}, "status": {"disruptionsAllowed": 5}});
        assert_eq!(cells(POD_DISRUPTION_BUDGETS, budget)[..4], ["b", "22%", "N/A", "5"]);
        let owner = json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "foo", "controller": true}]);
        assert_eq!(
            cells(CONTROLLER_REVISIONS, json!({"metadata": {"name": "r", "ownerReferences": owner}, "revision": 1}))
                [..3],
            ["r", "daemonset.apps/foo", "1"]
        );
    }
}
