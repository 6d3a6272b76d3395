//! Secrets and configmaps.

use super::super::summary::{ConfigMap, Secret};
use super::super::values::Data;
use super::metadata::{labels, metadata};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn configmap(entry: &ConfigMap) -> Value {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(&entry.name.0, &entry.namespace.0, &labels(&entry.labels), &entry.annotations),
    });
    let data = texts(&entry.data);
    if !data.is_empty() {
        object["data"] = json!(data);
    }
    object
}

pub(super) fn secret(entry: &Secret) -> Value {
    let kind = entry.kind.as_ref().map_or("Opaque", |kind| &kind.0);
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(&entry.name.0, &entry.namespace.0, &labels(&entry.labels), &entry.annotations),
        "type": kind,
    });
    let texts = texts(&entry.data);
    if texts.values().any(|text| text.contains("{{cluster-name}}")) {
        // A placeholder would be lost in base64; `stringData` is encoded when a cluster is made.
        object["stringData"] = json!(texts);
    } else if !texts.is_empty() {
        let encoded: BTreeMap<String, String> =
            texts.into_iter().map(|(key, text)| (key, BASE64_STANDARD.encode(text))).collect();
        object["data"] = json!(encoded);
    }
    object
}

fn texts(data: &Data) -> BTreeMap<String, String> {
    match data {
        Data::Entries(entries) => entries.iter().map(|(key, text)| (key.0.clone(), text.0.clone())).collect(),
        Data::Keys(keys) => (1..=*keys).map(|key| (format!("key-{key}"), format!("value-{key}"))).collect(),
    }
}
