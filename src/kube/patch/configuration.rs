//! The body of an apply patch.

use crate::kube::Status;
use crate::kube::decode::{from_yaml, yaml_problem};
use serde_json::Value;

/// The applied configuration in a body, which is YAML or JSON; who owns its fields is a matter of `ownership`.
pub fn configuration(body: &[u8]) -> Result<Value, Status> {
    let applied = from_yaml(body).map_err(|error| {
        Status::bad_request(format!("error decoding YAML: error converting YAML to JSON: {}", yaml_problem(&error)))
    })?;
    if !applied.is_object() {
        return Err(Status::bad_request("error decoding YAML: the applied configuration is no object"));
    }
    if !applied["metadata"]["managedFields"].is_null() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_configurations_are_refused() {
        assert_eq!(configuration(b"a: b: c").unwrap_err().code, 400);
        assert_eq!(configuration(b"[]").unwrap_err().code, 400);
        let managed = br#"{"metadata": {"managedFields": [{}]}}"#;
        assert_eq!(configuration(managed).unwrap_err().message, "metadata.managedFields must be nil");
    }
}
