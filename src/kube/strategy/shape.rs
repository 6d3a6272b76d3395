//! What a typed decoder would stumble over in an object of a built-in kind, as far as this room relies on its shape.

use crate::kube::Status;
use crate::kube::decode::type_name;
use crate::kube::request::served::Served;
use crate::kube::response::quote::quote;
use serde_json::Value;

/// Refuses what is no object where the kind has one, and texts that are none; nulls are left out, as a typed decoder does.
pub(super) fn check(served: &Served, object: &mut Value) -> Result<(), Status> {
    if served.custom {
        return Ok(());
    }
    let Some(fields) = object.as_object_mut() else { return Ok(()) };
    for field in ["spec", "status", "data", "stringData", "binaryData"] {
        if fields.get(field).is_some_and(Value::is_null) {
            fields.remove(field);
        }
    }
    for field in ["spec", "status"] {
        if let Some(other) = fields.get(field).filter(|value| !value.is_object()) {
            let suffix = if field == "spec" { "Spec" } else { "Status" };
            return Err(wrong(served, other, field, &format!("{}.{}{suffix}", served.version, served.kind)));
        }
    }
    if !served.is("", "configmaps") && !served.is("", "secrets") {
        return Ok(());
    }
    for field in ["data", "stringData", "binaryData"] {
        let wanted =
            if field == "binaryData" || (field == "data" && served.is("", "secrets")) { "[]uint8" } else { "string" };
        match fields.get(field) {
            None => {}
            Some(Value::Object(entries)) => {
                if let Some(other) = entries.values().find(|value| !value.is_string() && !value.is_null()) {
                    return Err(wrong(served, other, field, wanted));
                }
            }
            Some(other) => return Err(wrong(served, other, field, &format!("map[string]{wanted}"))),
        }
    }
    Ok(())
}

fn wrong(served: &Served, found: &Value, field: &str, wanted: &str) -> Status {
    let (kind, found) = (&served.kind, type_name(found));
    Status::bad_request(format!(
        "{kind} in version {} cannot be handled as a {kind}: json: cannot unmarshal {found} into Go struct field {kind}.{field} of type {wanted}",
        quote(&served.version)
    ))
}

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn the_wrong_type_is_named_as_go_does() {
        let mut bench = Bench::new();
        let object = json!({"metadata": {"name": "a"}, "data": {"x": 1}});
        assert_eq!(
            bench.post("/api/v1/namespaces/web/configmaps", object).message(),
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of \
             type string"
        );
        let object = json!({"metadata": {"name": "a"}, "spec": "x"});
        assert_eq!(bench.post("/apis/apps/v1/namespaces/web/deployments", object).code, 400);
        assert_eq!(bench.merge("/apis/apps/v1/namespaces/web/deployments/web", json!({"spec": 7})).code, 422);
        let object = json!({"metadata": {"name": "a"}, "data": null});
        assert!(bench.post("/api/v1/namespaces/web/configmaps", object).ok().get("data").is_none());
    }
}
