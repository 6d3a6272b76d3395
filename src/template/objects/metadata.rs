//! Metadata, and the maps in it.

use super::super::values::{Annotations, LabelKey, LabelValue, Resources};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Labels in their final form.
pub(super) type Labels = BTreeMap<String, String>;

/// `metadata` of an object; what is empty is left out.
pub(super) fn metadata(name: &str, namespace: &str, labels: &Labels, annotations: &Annotations) -> Value {
    let mut metadata = Map::from_iter([("name".to_string(), json!(name))]);
    if !namespace.is_empty() {
        metadata.insert("namespace".into(), json!(namespace));
    }
    if !labels.is_empty() {
        metadata.insert("labels".into(), json!(labels));
    }
    if !annotations.is_empty() {
        let annotations = annotations.iter().map(|(key, value)| (key.0.clone(), json!(value.0)));
        metadata.insert("annotations".into(), Value::Object(annotations.collect()));
    }
    Value::Object(metadata)
}

/// An entry's labels.
pub(super) fn labels(labels: &BTreeMap<LabelKey, LabelValue>) -> Labels {
    labels.iter().map(|(key, value)| (key.0.clone(), value.0.clone())).collect()
}

/// An entry's labels, or `app: <name>` if it has none.
pub(super) fn labels_or_app(given: &BTreeMap<LabelKey, LabelValue>, name: &str) -> Labels {
    if given.is_empty() { Labels::from([("app".into(), name.into())]) } else { labels(given) }
}

/// A resource list.
pub(super) fn resources(resources: &Resources) -> Map<String, Value> {
    resources.iter().map(|(name, quantity)| (name.0.clone(), json!(quantity.0))).collect()
}
