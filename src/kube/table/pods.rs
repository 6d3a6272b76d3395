//! The columns of pods.

use super::column::{AGE, Column, NAME, Row, text};
use super::duration;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) const PODS: &[Column] = &[
    NAME,
    text("Ready", |row| Summary::of(row).ready.into()),
    text("Status", |row| Summary::of(row).status.into()),
    text("Restarts", |row| Summary::of(row).restarts.into()),
    AGE,
    text("IP", |row| row.text_or("status.podIP", NONE).into()).wide(),
    text("Node", |row| row.text_or("spec.nodeName", NONE).into()).wide(),
    text("Nominated Node", |row| row.text_or("status.nominatedNodeName", NONE).into()).wide(),
    text("Readiness Gates", |row| readiness_gates(row).into()).wide(),
];

/// The condition of a row whose pod has ended, which lets kubectl leave it out.
pub(super) fn conditions(pod: &Value) -> Option<Value> {
    let (reason, message) = match pod["status"]["phase"].as_str() {
        Some("Succeeded") => ("Succeeded", "The pod has completed successfully."),
        Some("Failed") => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}

/// What a pod's containers come to.
struct Summary {
    ready: String,
    status: String,
    restarts: String,
}

impl Summary {
    fn of(row: &Row<'_>) -> Summary {
        let mut tally = Tally { status: phase(row), ..Tally::default() };
        let initialized = tally.init_containers(row);
        if initialized || row.condition("Initialized") == Some("True") {
            tally.containers(row);
        }
        if row.is_terminating() {
            if row.text("status.reason") == "NodeLost" {
                tally.status = "Unknown".into();
            } else if !matches!(row.text("status.phase"), "Succeeded" | "Failed") {
                tally.status = "Terminating".into();
            }
        }
        let sidecars = row.items("spec.initContainers").iter().filter(|container| is_sidecar(container)).count();
        let restarts = match tally.last_restart {
            Some(at) if tally.restarts > 0 => format!("{} ({} ago)", tally.restarts, duration::since(at, row.now)),
            _ => tally.restarts.to_string(),
        };
        Summary {
            ready: format!("{}/{}", tally.ready, row.count("spec.containers") + sidecars),
            status: tally.status,
            restarts,
        }
    }
}

#[derive(Default)]
struct Tally {
    status: String,
    ready: usize,
    restarts: i64,
    last_restart: Option<Timestamp>,
    sidecar_restarts: i64,
    sidecar_last_restart: Option<Timestamp>,
}

impl Tally {
    /// Counts the init containers; false while one of them has not done its part.
    fn init_containers(&mut self, row: &Row<'_>) -> bool {
        let specs = row.items("spec.initContainers");
        for (i, container) in row.items("status.initContainerStatuses").iter().enumerate() {
            let sidecar = specs.iter().any(|spec| spec["name"] == container["name"] && is_sidecar(spec));
            let restarts = container["restartCount"].as_i64().unwrap_or_default();
            let last = last_restart(container);
            self.restarts += restarts;
            self.last_restart = self.last_restart.max(last);
            if sidecar {
                self.sidecar_restarts += restarts;
                self.sidecar_last_restart = self.sidecar_last_restart.max(last);
            }
            let terminated = &container["state"]["terminated"];
            let waiting = container["state"]["waiting"]["reason"].as_str().unwrap_or_default();
            if terminated.is_object() && terminated["exitCode"].as_i64().unwrap_or_default() == 0 {
                continue;
            }
            if sidecar && container["started"] == true {
                self.ready += usize::from(container["ready"] == true);
                continue;
            }
            self.status = if terminated.is_object() {
                format!("Init:{}", end_of(terminated))
            } else if !matches!(waiting, "" | "PodInitializing") {
                format!("Init:{waiting}")
            } else {
                format!("Init:{i}/{}", specs.len())
            };
            return false;
        }
        true
    }

    fn containers(&mut self, row: &Row<'_>) {
        self.restarts = self.sidecar_restarts;
        self.last_restart = self.sidecar_last_restart;
        let mut running = false;
        for container in row.items("status.containerStatuses").iter().rev() {
            self.restarts += container["restartCount"].as_i64().unwrap_or_default();
            self.last_restart = self.last_restart.max(last_restart(container));
            let (waiting, terminated) = (&container["state"]["waiting"]["reason"], &container["state"]["terminated"]);
            match waiting.as_str() {
                Some(reason) if !reason.is_empty() => self.status = reason.into(),
                _ if terminated.is_object() => self.status = end_of(terminated),
                _ if container["ready"] == true && container["state"]["running"].is_object() => {
                    running = true;
                    self.ready += 1;
                }
                _ => {}
            }
        }
        if self.status == "Completed" && running {
            self.status = if row.condition("Ready") == Some("True") { "Running".into() } else { "NotReady".into() };
        }
    }
}

fn phase(row: &Row<'_>) -> String {
    let gated = |condition: &&Value| condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated";
    if row.items("status.conditions").iter().any(|condition| gated(&condition)) {
        return "SchedulingGated".into();
    }
    match row.text("status.reason") {
        "" => row.text("status.phase").into(),
        reason => reason.into(),
    }
}

/// How a terminated container ended.
fn end_of(terminated: &Value) -> String {
    let number = |field: &str| terminated[field].as_i64().unwrap_or_default();
    match terminated["reason"].as_str().unwrap_or_default() {
        "" if number("signal") != 0 => format!("Signal:{}", number("signal")),
        "" => format!("ExitCode:{}", number("exitCode")),
        reason => reason.into(),
    }
}

fn last_restart(container: &Value) -> Option<Timestamp> {
    container["lastState"]["terminated"]["finishedAt"].as_str()?.parse().ok()
}

/// An init container that runs on beside the others.
fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

fn readiness_gates(row: &Row<'_>) -> String {
    let gates = row.items("spec.readinessGates");
    if gates.is_empty() {
        return NONE.into();
    }
    let met = |gate: &&Value| gate["conditionType"].as_str().and_then(|kind| row.condition(kind)) == Some("True");
    format!("{}/{}", gates.iter().filter(met).count(), gates.len())
}

const NONE: &str = "<none>";

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(pod: Value) -> String {
        let now = "2024-05-06T08:00:00Z".parse().unwrap();
        let row = Row { object: &pod, now };
        PODS.iter()
            .skip(1)
            .take(3)
            .map(|column| (column.cell)(&row).as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_pods_status_is_what_its_containers_come_to() {
        // Cases of pkg/printers/internalversion/printers_test.go, TestPrintPod.
        let two = || json!([{}, {}]);
        let running = || json!({"ready": true, "restartCount": 3, "state": {"running": {}}});
        assert_eq!(
            cells(
                json!({"spec": {"containers": two()}, "status": {"phase": "podPhase", "containerStatuses": [running(), {"restartCount": 3}]}})
            ),
            "1/2 podPhase 6"
        );
        assert_eq!(
            cells(json!({
                "spec": {"containers": two()},
                "status": {"phase": "podPhase", "containerStatuses": [running(), {"state": {"waiting": {"reason": "ContainerWaitingReason"}}, "restartCount": 3}]}
            })),
            "1/2 ContainerWaitingReason 6"
        );
        assert_eq!(
            cells(
                json!({"spec": {"containers": two()}, "status": {"phase": "podPhase", "reason": "podReason", "containerStatuses": [running()]}})
            ),
            "1/2 podReason 3"
        );
        assert_eq!(
            cells(json!({
                "spec": {"containers": two()},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [{"restartCount": 3, "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}, running()]}
            })),
            "1/2 Running 6"
        );
    }

    #[test]
    fn restarts_say_when_the_last_one_was() {
        let status = json!([{"ready": true, "restartCount": 2, "state": {"running": {}},
            "lastState": {"terminated": {"finishedAt": "2024-05-06T07:30:00Z"}}}]);
        assert_eq!(
            cells(json!({"spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": status}})),
            "1/1 Running 2 (30m ago)"
        );
    }

    #[test]
    fn initialisation_shows_how_far_it_is() {
        let pod = |statuses: Value| {
            cells(json!({
                "spec": {"containers": [{}], "initContainers": [{"name": "a"}, {"name": "b"}]},
                "status": {"phase": "Pending", "initContainerStatuses": statuses}
            }))
        };
        assert_eq!(pod(json!([{"name": "a", "state": {"running": {}}}])), "0/1 Init:0/2 0");
        assert_eq!(
            pod(json!([{"name": "a", "state": {"terminated": {"exitCode": 0}}}, {"name": "b"}])),
            "0/1 Init:1/2 0"
        );
        assert_eq!(pod(json!([{"name": "a", "state": {"terminated": {"exitCode": 7}}}])), "0/1 Init:ExitCode:7 0");
        assert_eq!(
            pod(json!([{"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff"}}}])),
            "0/1 Init:ImagePullBackOff 0"
        );
    }

    #[test]
    fn endings_are_told_apart() {
        let gone = "2024-05-06T07:59:00Z";
        assert_eq!(
            cells(
                json!({"metadata": {"deletionTimestamp": gone}, "spec": {"containers": [{}]}, "status": {"phase": "Running"}})
            ),
            "0/1 Terminating 0"
        );
        assert_eq!(
            cells(
                json!({"metadata": {"deletionTimestamp": gone}, "spec": {"containers": [{}]}, "status": {"phase": "Failed"}})
            ),
            "0/1 Failed 0"
        );
        assert_eq!(conditions(&json!({"status": {"phase": "Succeeded"}})).unwrap()[0]["reason"], "Succeeded");
        assert_eq!(conditions(&json!({"status": {"phase": "Running"}})), None);
    }
}
