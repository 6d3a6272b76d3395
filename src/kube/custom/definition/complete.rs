//! What an API server fills in.

use super::versions;
use crate::kube::tree::{self, items, text};
use serde_json::{Value, json};

/// Fills in what a definition leaves out (apiextensions `SetDefaults_CustomResourceDefinitionSpec`).
pub(in crate::kube) fn complete(definition: &mut Value) {
    let kind = text(&definition["spec"]["names"]["kind"]).to_owned();
    if !kind.is_empty() {
        for (field, value) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
            if text(&definition["spec"]["names"][field]).is_empty() {
                tree::set(definition, &["spec", "names", field], value);
            }
        }
    }
    let conversion = tree::at(definition, &["spec", "conversion"]);
    if conversion.is_null() {
        *conversion = json!({"strategy": "None"});
    }
    if let Some(Value::Object(service)) = conversion.pointer_mut("/webhook/clientConfig/service")
        && service.get("port").is_none_or(Value::is_null)
    {
        service.insert("port".into(), json!(443));
    }
}

/// Adds the version that objects are stored in to those that any are stored in (apiextensions `PrepareForUpdate`).
pub(in crate::kube) fn store_versions(definition: &mut Value) {
    let mut stored: Vec<Value> = items(&definition["status"]["storedVersions"]).cloned().collect();
    if let Some(version) = versions(definition).iter().find(|version| version["storage"] == true)
        && !stored.contains(&version["name"])
    {
        stored.push(version["name"].clone());
    }
    tree::set(definition, &["status", "storedVersions"], stored);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_filled_in() {
        let webhook = json!({"clientConfig": {"service": {"name": "a", "namespace": "b"}}});
        let mut definition = json!({"spec": {"names": {"kind": "Widget"}}});
        complete(&mut definition);
        assert_eq!(
            definition["spec"],
            json!({
                "names": {"kind": "Widget", "singular": "widget", "listKind": "WidgetList"}, "conversion": {"strategy": "None"}
            })
        );
        definition["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": webhook});
        complete(&mut definition);
        assert_eq!(definition["spec"]["conversion"]["webhook"]["clientConfig"]["service"]["port"], 443);
    }

    #[test]
    fn a_new_storage_version_is_added_to_the_stored_ones() {
        let version = |name: &str, storage: bool| json!({"name": name, "storage": storage});
        let mut definition = json!({"spec": {"versions": [version("v1", true)]}});
        store_versions(&mut definition);
        definition["spec"]["versions"] = json!([version("v1", false), version("v2", true)]);
        store_versions(&mut definition);
        store_versions(&mut definition);
        assert_eq!(definition["status"]["storedVersions"], json!(["v1", "v2"]));
    }
}
