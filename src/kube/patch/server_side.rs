//! Server-side apply, in its minimal honest form: values merge, owners are not tracked.

use super::schema::{Field, PLAIN, Schema};
use crate::kube::decode::{from_yaml, yaml_problem};
use crate::kube::types::Patch;
use crate::kube::{Resource, Status};
use serde_json::{Map, Value};

/// The object after `patch` (YAML or JSON) is applied by a field manager (required; [`crate::kube::Query::check_patch`] sees to it);
/// `current` is `None` when it is to be created.
///
/// Values merge by the list keys of a strategic merge. As ownership is not tracked, nothing conflicts, and what a manager no longer
/// applies stays.
pub fn server_side_apply(resource: &Resource, current: Option<&Value>, patch: &[u8]) -> Result<Value, Status> {
    let applied = from_yaml(patch).map_err(|error| {
        Status::bad_request(format!("error decoding YAML: error converting YAML to JSON: {}", yaml_problem(&error)))
    })?;
    let Value::Object(applied) = applied else {
        return Err(Status::bad_request("error decoding YAML: the applied configuration is no object"));
    };
    if !applied.get("metadata").is_none_or(|metadata| metadata["managedFields"].as_array().is_none_or(Vec::is_empty)) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let mut merged = match current {
        Some(Value::Object(current)) => current.clone(),
        _ => Map::new(),
    };
    merge(&mut merged, applied, Schema::of(resource));
    Ok(Value::Object(merged))
}

fn merge(current: &mut Map<String, Value>, applied: Map<String, Value>, schema: Schema) {
    for (name, value) in applied {
        let field = schema.field(&name);
        match (current.get_mut(&name), value) {
            (Some(Value::Object(current)), Value::Object(applied)) => {
                merge(current, applied, field.map_or(PLAIN, |field| field.schema));
            }
            (Some(Value::Array(current)), Value::Array(applied)) => merge_list(current, applied, field),
            // A null claims nothing.
            (_, Value::Null) => {}
            (_, value) => _ = current.insert(name, value),
        }
    }
}

fn merge_list(current: &mut Vec<Value>, applied: Vec<Value>, field: Option<Field>) {
    let (rule, schema) = field.map_or((Patch::Plain, PLAIN), |field| (field.rule, field.schema));
    match rule {
        Patch::Plain | Patch::Replace => *current = applied,
        Patch::Merge => {
            for value in applied {
                if !current.contains(&value) {
                    current.push(value);
                }
            }
        }
        Patch::MergeBy(key) => {
            // Ports of one number are told apart by their protocol, TCP unless they say so.
            let identity = |value: &Value| (value[key].clone(), value["protocol"].as_str().unwrap_or("TCP").to_owned());
            for value in applied {
                let found = current.iter_mut().find(|other| identity(other) == identity(&value));
                match (found, value) {
                    (Some(Value::Object(found)), Value::Object(value)) => merge(found, value, schema),
                    (_, value) => current.push(value),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;
    use serde_json::json;

    fn applied(group: &str, plural: &str, current: Option<Value>, patch: &str) -> Result<Value, Status> {
        server_side_apply(lookup(group, "v1", plural).unwrap().1, current.as_ref(), patch.as_bytes())
    }

    #[test]
    fn what_is_absent_is_created_as_applied() {
        let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n";
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
        assert_eq!(applied("", "configmaps", None, yaml), Ok(object));
    }

    #[test]
    fn what_others_wrote_stays() {
        let current = json!({"data": {"mine": "1", "theirs": "2"}, "metadata": {"finalizers": ["a"], "uid": "u"}});
        assert_eq!(
            applied("", "configmaps", Some(current), r#"{"data": {"mine": "3"}, "metadata": {"finalizers": ["b"]}}"#),
            Ok(json!({"data": {"mine": "3", "theirs": "2"}, "metadata": {"finalizers": ["a", "b"], "uid": "u"}}))
        );
    }

    #[test]
    fn lists_merge_by_key_in_their_own_order() {
        let current = json!({"spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "nodePort": 1}]}});
        assert_eq!(
            applied(
                "",
                "services",
                Some(current),
                r#"{"spec": {"ports": [{"port": 53, "name": "dns-tcp"}, {"port": 80}]}}"#
            ),
            Ok(
                json!({"spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "nodePort": 1, "name": "dns-tcp"}, {"port": 80}]}})
            )
        );
    }

    #[test]
    fn bad_configurations_are_refused() {
        assert_eq!(applied("", "configmaps", None, "a: b: c").unwrap_err().code, 400);
        assert_eq!(applied("", "configmaps", None, "[]").unwrap_err().code, 400);
        let managed = r#"{"metadata": {"managedFields": [{}]}}"#;
        assert_eq!(applied("", "configmaps", None, managed).unwrap_err().message, "metadata.managedFields must be nil");
    }
}
