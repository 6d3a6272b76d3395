//! Kinds that are served under two group versions in two forms: events, and autoscalers. Their objects are stored in one of them.

use crate::kube::Resource;
use crate::kube::tree;
use serde_json::{Map, Value, json};

/// How a resource's own form differs from the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) enum Conversion {
    /// `events.k8s.io/v1`, stored as core events.
    Event,
    /// `autoscaling/v1`, stored as `autoscaling/v2`.
    Autoscaler,
}

impl Conversion {
    /// The conversion of a resource, if it is stored in another form.
    pub(in crate::kube) fn of(resource: &Resource) -> Option<Conversion> {
        match (resource.group.as_ref(), resource.version.as_ref(), resource.plural.as_ref()) {
            ("events.k8s.io", "v1", "events") => Some(Conversion::Event),
            ("autoscaling", "v1", "horizontalpodautoscalers") => Some(Conversion::Autoscaler),
            _ => None,
        }
    }

    /// Gives an object its stored form.
    pub(in crate::kube) fn store(self, object: &mut Value) {
        match self {
            Conversion::Event => rename(object, |(own, stored)| (own, stored)),
            Conversion::Autoscaler => store_autoscaler(object),
        }
    }

    /// Gives a stored object the form of the resource.
    pub(in crate::kube) fn show(self, object: &mut Value) {
        match self {
            Conversion::Event => rename(object, |(own, stored)| (stored, own)),
            Conversion::Autoscaler => show_autoscaler(object),
        }
    }
}

fn rename(object: &mut Value, order: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str)) {
    let Value::Object(fields) = object else { return };
    let mut renamed = Map::new();
    for (name, value) in std::mem::take(fields) {
        let other = EVENT_FIELDS.into_iter().map(&order).find(|(from, _)| *from == name);
        renamed.insert(other.map_or(name, |(_, to)| to.to_owned()), value);
    }
    *fields = renamed;
}

/// The processor's utilisation has a field of its own in the first version; what it has no field for goes into annotations.
fn show_autoscaler(object: &mut Value) {
    for (part, metrics, shown, pointer) in METRICS {
        let Some(Value::Array(all)) = take(object, part, metrics) else { continue };
        let (own, others): (Vec<Value>, Vec<Value>) = all.into_iter().partition(|metric| {
            metric["type"] == "Resource" && metric["resource"]["name"] == "cpu" && metric.pointer(pointer).is_some()
        });
        if let Some(utilization) = own.first().and_then(|metric| metric.pointer(pointer)) {
            tree::set(object, &[part, shown], utilization.clone());
        }
        let others: Vec<Value> = own.into_iter().skip(1).chain(others).collect();
        if !others.is_empty() {
            tree::set(object, &["metadata", "annotations", &annotation(metrics)], Value::from(others).to_string());
        }
    }
    for (part, field) in ANNOTATED {
        if let Some(value) = take(object, part, field) {
            tree::set(object, &["metadata", "annotations", &annotation(field)], value.to_string());
        }
    }
}

fn store_autoscaler(object: &mut Value) {
    for (part, metrics, shown, pointer) in METRICS {
        let mut all: Vec<Value> = annotated(object, metrics).unwrap_or_default();
        if let Some(utilization) = take(object, part, shown) {
            let (place, field) = match pointer.rsplit('/').nth(1) {
                Some("target") => ("target", json!({"type": "Utilization", "averageUtilization": utilization})),
                _ => ("current", json!({"averageUtilization": utilization})),
            };
            all.insert(0, json!({"type": "Resource", "resource": {"name": "cpu", place: field}}));
        }
        if !all.is_empty() {
            tree::set(object, &[part, metrics], all);
        }
    }
    for (part, field) in ANNOTATED {
        if let Some(value) = annotated::<Value>(object, field) {
            tree::set(object, &[part, field], value);
        }
    }
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata.filter(|metadata| metadata.get("annotations") == Some(&json!({}))) {
        metadata.remove("annotations");
    }
}

fn take(object: &mut Value, part: &str, field: &str) -> Option<Value> {
    object.get_mut(part)?.as_object_mut()?.remove(field)
}

/// What an annotation holds, which goes with it.
fn annotated<T: serde::de::DeserializeOwned>(object: &mut Value, field: &str) -> Option<T> {
    let annotations = object.get_mut("metadata")?.get_mut("annotations")?.as_object_mut()?;
    let value = serde_json::from_str(annotations.get(&annotation(field))?.as_str()?).ok()?;
    annotations.remove(&annotation(field));
    Some(value)
}

fn annotation(field: &str) -> String {
    let name = if field == "currentMetrics" { "current-metrics" } else { field };
    format!("autoscaling.alpha.kubernetes.io/{name}")
}

/// What `events.k8s.io` calls the fields of core events.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];
/// Where the metrics are, what the first version calls the processor's utilisation, and where that is in a metric.
const METRICS: [(&str, &str, &str, &str); 2] = [
    ("spec", "metrics", "targetCPUUtilizationPercentage", "/resource/target/averageUtilization"),
    ("status", "currentMetrics", "currentCPUUtilizationPercentage", "/resource/current/averageUtilization"),
];
/// What else the first version keeps in annotations.
const ANNOTATED: [(&str, &str); 2] = [("spec", "behavior"), ("status", "conditions")];

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn an_event_has_two_forms() {
        let mut bench = Bench::new();
        let event = json!({
            "metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "web-1", "namespace": "web"}, "note": "Hello.", "reason": "Said",
            "action": "Say", "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "x/y", "reportingInstance": "z"
        });
        let made = bench.post("/apis/events.k8s.io/v1/namespaces/web/events", event).ok();
        assert_eq!((&made["note"], &made["regarding"]["name"]), (&json!("Hello."), &json!("web-1")));
        let core = bench.get("/api/v1/namespaces/web/events/e").ok();
        assert_eq!((&core["message"], &core["involvedObject"]["name"]), (&json!("Hello."), &json!("web-1")));
        assert!(core.get("note").is_none() && core.get("regarding").is_none());
        let list = bench.get("/apis/events.k8s.io/v1/namespaces/web/events?fieldSelector=reason%3DSaid").ok();
        assert_eq!(list["items"][0]["note"], "Hello.");
        let mut watch = bench.watch("/apis/events.k8s.io/v1/namespaces/web/events?watch=1");
        assert_eq!(watch.events(&bench)[0]["object"]["note"], "Hello.");
    }

    #[test]
    fn an_autoscaler_loses_nothing_in_its_first_version() {
        let mut bench = Bench::new();
        let (first, second) = (
            "/apis/autoscaling/v1/namespaces/web/horizontalpodautoscalers",
            "/apis/autoscaling/v2/namespaces/web/horizontalpodautoscalers",
        );
        let metric = |name: &str| json!({"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": 60}}});
        let target = json!({"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"});
        let object = json!({"metadata": {"name": "a"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3, "metrics": [metric("memory"), metric("cpu")]}});
        bench.post(second, object).ok();
        let mut shown = bench.get(&format!("{first}/a")).ok();
        assert_eq!(shown["spec"]["targetCPUUtilizationPercentage"], 60);
        assert!(shown["spec"].get("metrics").is_none());
        shown["spec"]["targetCPUUtilizationPercentage"] = json!(70);
        bench.put(&format!("{first}/a"), &shown).ok();
        let stored = bench.get(&format!("{second}/a")).ok();
        assert_eq!(stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
        assert_eq!(stored["spec"]["metrics"][1], metric("memory"));
        assert!(stored["metadata"].get("annotations").is_none(), "{stored}");
    }
}
