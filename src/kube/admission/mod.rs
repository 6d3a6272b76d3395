//! What an API server checks of an object before it stores it, as far as every kind shares it.

mod limit_range;
pub(in crate::kube) mod pod_resources;
pub(in crate::kube) mod quota;

use super::catalog::{Resource, Subresource, Text, api_version};
use super::names::{check_label, check_label_value, check_name, check_name_prefix, check_qualified_name};
use super::{Cause, Status, types};
use crate::kube::response::quote::quote;
use serde_json::{Map, Value, json};

/// What a body must be: the resource's own kind or that of a subresource.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) kind: &'a Text,
}

impl<'a> From<&'a Resource> for Expected<'a> {
    fn from(resource: &'a Resource) -> Expected<'a> {
        Expected { group: &resource.group, version: &resource.version, kind: &resource.kind }
    }
}

impl<'a> From<&'a Subresource> for Expected<'a> {
    fn from(below: &'a Subresource) -> Expected<'a> {
        Expected { group: &below.group, version: &below.version, kind: &below.kind }
    }
}

/// Checks that a decoded body is an object of the `expected` kind that may stand under `namespace` and, for an update, `name` of the
/// path, and fills in what the path knows and the body leaves out (`apiVersion`, `kind`, `metadata`, `metadata.namespace`). Errors are the
/// 400 to answer.
pub fn fit_to_path<'a>(
    expected: impl Into<Expected<'a>>,
    namespace: Option<&str>,
    name: Option<&str>,
    object: &mut Value,
) -> Result<(), Status> {
    let expected = expected.into();
    let Value::Object(fields) = object else {
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {})",
            expected.kind
        )));
    };
    fit_kind(expected, fields)?;
    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
    if metadata.is_null() {
        *metadata = json!({});
    }
    check_types(expected, metadata)?;
    let Value::Object(metadata) = metadata else { return Err(wrong_type(expected, "object", "metadata", metadata)) };
    fit_namespace(namespace, metadata)?;
    if let Some(name) = name {
        let own = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
        if own.is_empty() {
            let problem =
                format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
            return Err(Status::bad_request(problem));
        }
        if own != name {
            let problem = format!("the name of the object ({own}) does not match the name on the URL ({name})");
            return Err(Status::bad_request(problem));
        }
    }
    Ok(())
}

/// What is wrong with the metadata that every kind shares (apimachinery `ValidateObjectMeta`), once a name is generated.
pub fn metadata_problems(resource: &Resource, object: &Value) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let name = text(metadata, "name");
    let mut causes = Vec::new();
    let generate_name = text(metadata, "generateName");
    if !generate_name.is_empty() {
        let problems = check_name_prefix(resource, generate_name);
        causes.extend(invalid("metadata.generateName", generate_name, &problems));
    }
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else {
        causes.extend(invalid("metadata.name", name, &check_name(resource, name)));
    }
    let namespace = text(metadata, "namespace");
    match (resource.namespaced, namespace) {
        (true, "") => causes.push(Cause::required("metadata.namespace", "")),
        (true, namespace) => causes.extend(invalid("metadata.namespace", namespace, &check_label(namespace))),
        (false, "") => {}
        (false, _) => causes.push(Cause::forbidden("metadata.namespace", "not allowed on this type")),
    }
    for (key, value) in entries(metadata, "labels") {
        causes.extend(invalid("metadata.labels", key, &check_qualified_name(key)));
        let value = value.as_str().unwrap_or_default();
        causes.extend(invalid("metadata.labels", value, &check_label_value(value)));
    }
    causes.extend(annotation_problems(metadata));
    causes.extend(owner_problems(metadata));
    causes.extend(finalizer_problems(resource, metadata));
    causes
}

/// Checks that a body is of the `expected` kind, and says so in it.
pub(super) fn fit_kind(expected: Expected<'_>, fields: &mut Map<String, Value>) -> Result<(), Status> {
    let wanted = api_version(expected.group, expected.version);
    let own = |field| fields.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (own("apiVersion"), own("kind"));
    if !kind.is_empty() && kind != expected.kind {
        let version = if version.is_empty() { &wanted } else { version };
        if !is_registered(version, kind) {
            return Err(unregistered(expected, version, kind));
        }
        let short = version.rsplit('/').next().unwrap_or(version);
        let target = expected.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
        return Err(Status::bad_request(format!(
            "{kind} in version {} cannot be handled as a {}: converting ({short}.{kind}) to ({target}.{}): unknown conversion",
            quote(short),
            expected.kind,
            expected.kind
        )));
    }
    if !version.is_empty() && version != wanted {
        if !is_registered(version, expected.kind) {
            return Err(unregistered(expected, version, expected.kind));
        }
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({wanted})"
        )));
    }
    fields.insert("apiVersion".into(), wanted.into());
    fields.insert("kind".into(), expected.kind.as_ref().into());
    Ok(())
}

/// Whether an API server knows a kind under a version, be it one that it no longer serves.
fn is_registered(version: &str, kind: &str) -> bool {
    kind == "Status" || version.contains("beta") || types::find(version, kind).is_some()
}

fn unregistered(expected: Expected<'_>, version: &str, kind: &str) -> Status {
    let short = version.rsplit('/').next().unwrap_or(version);
    Status::bad_request(format!(
        "{kind} in version {} cannot be handled as a {}: no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:100\"",
        quote(short),
        expected.kind,
        quote(kind),
        quote(version)
    ))
}

/// The namespace of the path counts; without one the object belongs to no namespace.
fn fit_namespace(namespace: Option<&str>, metadata: &mut Map<String, Value>) -> Result<(), Status> {
    let own = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    match namespace {
        None => _ = metadata.remove("namespace"),
        Some(namespace) if own.is_empty() => _ = metadata.insert("namespace".into(), namespace.into()),
        Some(namespace) if own == namespace => {}
        Some(_) => {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    Ok(())
}

/// What a typed decoder would stumble over in metadata.
fn check_types(expected: Expected<'_>, metadata: &Value) -> Result<(), Status> {
    for field in ["name", "generateName", "namespace", "resourceVersion", "uid"] {
        match &metadata[field] {
            Value::Null | Value::String(_) => {}
            other => return Err(wrong_type(expected, "string", &format!("ObjectMeta.metadata.{field}"), other)),
        }
    }
    for field in ["labels", "annotations"] {
        match &metadata[field] {
            Value::Null => {}
            Value::Object(entries) => {
                if let Some(other) = entries.values().find(|value| !value.is_string() && !value.is_null()) {
                    return Err(wrong_type(expected, "string", &format!("ObjectMeta.metadata.{field}"), other));
                }
            }
            other => {
                return Err(wrong_type(expected, "map[string]string", &format!("ObjectMeta.metadata.{field}"), other));
            }
        }
    }
    for (field, item) in [("finalizers", "[]string"), ("ownerReferences", "[]v1.OwnerReference")] {
        match &metadata[field] {
            Value::Null | Value::Array(_) => {}
            other => return Err(wrong_type(expected, item, &format!("ObjectMeta.metadata.{field}"), other)),
        }
    }
    Ok(())
}

fn wrong_type(expected: Expected<'_>, wanted: &str, field: &str, found: &Value) -> Status {
    let (kind, found) = (expected.kind, super::decode::type_name(found));
    Status::bad_request(format!(
        "{kind} in version {} cannot be handled as a {kind}: json: cannot unmarshal {found} into Go struct field {field} of type {wanted}",
        quote(expected.version)
    ))
}

fn annotation_problems(metadata: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut size_bytes = 0;
    for (key, value) in entries(metadata, "annotations") {
        causes.extend(invalid("metadata.annotations", key, &check_qualified_name(&key.to_lowercase())));
        size_bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if size_bytes > ANNOTATIONS_LIMIT_BYTES {
        causes.push(Cause::too_long("metadata.annotations", ANNOTATIONS_LIMIT_BYTES));
    }
    causes
}

fn finalizer_problems(resource: &Resource, metadata: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let finalizers: Vec<&str> = items(metadata, "finalizers").filter_map(Value::as_str).collect();
    for (index, finalizer) in finalizers.iter().enumerate() {
        causes.extend(invalid("metadata.finalizers", finalizer, &check_qualified_name(finalizer)));
        let is_standard = ["kubernetes", "orphan", "foregroundDeletion"].contains(finalizer);
        // The servers of extensions let others pass, as one of theirs is such a name.
        let is_extension = ["apiextensions.k8s.io", "apiregistration.k8s.io"].contains(&resource.group.as_ref());
        if !resource.custom && !is_extension && !finalizer.contains('/') && !is_standard {
            let problem = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid(format!("metadata.finalizers[{index}]"), &json!(finalizer), problem));
        }
    }
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        let problem = "finalizer orphan and foregroundDeletion cannot be both set";
        causes.push(Cause::invalid_go("metadata.finalizers", &format!("[]string{{{}}}", quoted(&finalizers)), problem));
    }
    causes
}

fn quoted(texts: &[&str]) -> String {
    texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ")
}

fn owner_problems(metadata: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut controllers = Vec::new();
    for owner in items(metadata, "ownerReferences") {
        for (field, what) in [("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid")] {
            if text(owner, field).is_empty() {
                let at = format!("metadata.ownerReferences.{field}");
                causes.push(Cause::invalid(at, &json!(""), &format!("{what} must not be empty")));
            }
        }
        if (text(owner, "apiVersion"), text(owner, "kind")) == ("v1", "Event") {
            let pointer = |field: &str| match &owner[field] {
                Value::Null => "(*bool)(nil)",
                _ => "(*bool)(0x0)",
            };
            let shown = format!(
                "v1.OwnerReference{{APIVersion:\"v1\", Kind:\"Event\", Name:{}, UID:{}, Controller:{}, BlockOwnerDeletion:{}}}",
                quote(text(owner, "name")),
                quote(text(owner, "uid")),
                pointer("controller"),
                pointer("blockOwnerDeletion")
            );
            let problem = "/v1, Kind=Event is disallowed from being an owner";
            causes.push(Cause::invalid_go("metadata.ownerReferences", &shown, problem));
        }
        if owner["controller"] == true {
            controllers.push(format!("{}/{}", text(owner, "kind"), text(owner, "name")));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let problem = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        causes.push(Cause::invalid("metadata.ownerReferences", &metadata["ownerReferences"], &problem));
    }
    causes
}

fn invalid(field: &str, value: &str, problems: &[String]) -> Vec<Cause> {
    problems.iter().map(|problem| Cause::invalid(field, &json!(value), problem)).collect()
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

fn entries<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object[field].as_object().into_iter().flatten()
}

fn items<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object[field].as_array().into_iter().flatten()
}

/// `TotalAnnotationSizeLimitB` of apimachinery.
const ANNOTATIONS_LIMIT_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;

    fn resource(group: &str, plural: &str) -> &'static Resource {
        lookup(group, "v1", plural).unwrap().1
    }

    fn fit(plural: &str, namespace: Option<&str>, name: Option<&str>, mut object: Value) -> Result<Value, String> {
        fit_to_path(resource("", plural), namespace, name, &mut object).map_err(|status| {
            assert_eq!(status.code, 400);
            status.message
        })?;
        Ok(object)
    }

    #[test]
    fn the_path_fills_what_the_body_leaves_out() {
        assert_eq!(
            fit("configmaps", Some("default"), None, json!({"data": {"a": "b"}})),
            Ok(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default"}, "data": {"a": "b"}})
            )
        );
        assert_eq!(
            fit("nodes", None, None, json!({"metadata": {"name": "n", "namespace": "stray"}})),
            Ok(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}))
        );
    }

    #[test]
    fn a_body_of_another_place_or_kind_is_refused() {
        // Messages of apiserver endpoints/handlers and registry/rest.
        let other_namespace = json!({"metadata": {"name": "a", "namespace": "b"}});
        assert_eq!(
            fit("configmaps", Some("default"), None, other_namespace),
            Err("the namespace of the provided object does not match the namespace sent on the request".into())
        );
        assert_eq!(
            fit("configmaps", Some("default"), Some("b"), json!({"metadata": {"name": "a"}})),
            Err("the name of the object (a) does not match the name on the URL (b)".into())
        );
        assert_eq!(
            fit("configmaps", Some("default"), Some("b"), json!({})),
            Err("the name of the object (b based on URL) was undeterminable: name must be provided".into())
        );
        assert_eq!(
            fit("configmaps", Some("default"), None, json!({"apiVersion": "v2"})),
            Err("ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v2\" in scheme \"pkg/runtime/scheme.go:100\"".into())
        );
        assert_eq!(
            fit("configmaps", Some("default"), None, json!({"apiVersion": "v1", "kind": "Pod"})),
            Err("Pod in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion".into())
        );
    }

    #[test]
    fn metadata_of_the_wrong_type_is_refused() {
        assert_eq!(
            fit("configmaps", Some("default"), None, json!({"metadata": {"name": "a", "labels": {"x": 1}}})),
            Err("ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field \
                 ObjectMeta.metadata.labels of type string"
                .into())
        );
        assert!(fit("configmaps", Some("default"), None, json!({"metadata": []})).is_err());
        assert!(fit("configmaps", Some("default"), None, json!({"metadata": {"finalizers": "x"}})).is_err());
        assert!(fit("configmaps", Some("default"), None, json!([])).is_err());
    }

    #[test]
    fn a_subresource_has_its_own_kind() {
        let token = resource("", "serviceaccounts").subresource("token").unwrap();
        let mut object = json!({"spec": {}});
        fit_to_path(token, Some("default"), None, &mut object).unwrap();
        assert_eq!(
            (&object["apiVersion"], &object["kind"]),
            (&json!("authentication.k8s.io/v1"), &json!("TokenRequest"))
        );
    }

    fn problems(group: &str, plural: &str, metadata: Value) -> Vec<(String, &'static str)> {
        let problems = metadata_problems(resource(group, plural), &json!({"metadata": metadata}));
        problems.into_iter().map(|cause| (cause.field, cause.reason)).collect()
    }

    #[test]
    fn good_metadata_passes() {
        let metadata = json!({
            "name": "cattle-impersonation-u-abc", "namespace": "cattle-impersonation-system",
            "labels": {"authz.management.cattle.io/cluster-id": "c-12345"},
            "annotations": {"Example.com/Upper-Case": "fine"},
            "finalizers": ["controller.cattle.io/namespace-auth"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "ServiceAccount", "name": "a", "uid": "u", "controller": true}]
        });
        assert_eq!(problems("", "serviceaccounts", metadata), []);
        assert_eq!(problems("rbac.authorization.k8s.io", "clusterroles", json!({"name": "system:node"})), []);
    }

    #[test]
    fn bad_metadata_is_named_field_by_field() {
        let invalid = "FieldValueInvalid";
        assert_eq!(
            problems("", "pods", json!({})),
            [("metadata.name".into(), "FieldValueRequired"), ("metadata.namespace".into(), "FieldValueRequired")]
        );
        assert_eq!(problems("", "nodes", json!({"name": "N"})), [("metadata.name".into(), invalid)]);
        assert_eq!(
            problems("", "nodes", json!({"name": "n", "labels": {"a b": "c d"}})),
            [("metadata.labels".into(), invalid), ("metadata.labels".into(), invalid)]
        );
        assert_eq!(
            problems("", "nodes", json!({"name": "n", "ownerReferences": [{"kind": "Node", "apiVersion": "v1"}]})),
            [("metadata.ownerReferences.name".into(), invalid), ("metadata.ownerReferences.uid".into(), invalid)]
        );
        assert_eq!(
            problems("", "nodes", json!({"name": "n", "annotations": {"a": "x".repeat(256 * 1024)}})),
            [("metadata.annotations".into(), "FieldValueTooLong")]
        );
        assert_eq!(
            problems("", "nodes", json!({"name": "n", "namespace": "x"})),
            [("metadata.namespace".into(), "FieldValueForbidden")]
        );
        assert_eq!(
            problems("", "nodes", json!({"name": "n", "finalizers": ["a/b/c"]})),
            [("metadata.finalizers".into(), invalid)]
        );
    }
}
