//! `metav1.Status`, the body of every answer that is not an object, in the words of apimachinery's `api/errors`.

use super::quote::{bad_value, go_syntax, quote};
use crate::http1::Headers;
use crate::kube::{Body, Resource, Response};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashSet;

/// A failure (or a bare success) as an API server reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable `reason`, such as `NotFound`; empty is unknown.
    pub reason: &'static str,
    /// The human-readable message.
    pub message: String,
    /// What the failure is about.
    pub details: Option<Box<Details>>,
    /// `metadata.continue`: where a list whose pages are no longer of one moment may go on.
    pub continue_token: Option<String>,
}

/// `StatusDetails`: the object and the causes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its group; empty for the core group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its plural for most reasons, its kind for `Invalid`: so does apimachinery.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its uid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Single problems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// When to come back, in seconds; also sent as `Retry-After`.
    #[serde(skip_serializing_if = "is_zero")]
    pub retry_after_seconds: u32,
}

/// One problem of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// `FieldValueRequired`, `FieldValueInvalid`, …
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'static str,
    /// What is wrong, without the field.
    pub message: String,
    /// Path of the field, such as `metadata.name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Status {
    /// 404 for an object that does not exist.
    pub fn not_found(resource: &Resource, name: &str) -> Status {
        let message = format!("{} {} not found", resource.qualified_name(), quote(name));
        Status::new(404, "NotFound", message).about(resource, name)
    }

    /// 404 for a resource that a known group version does not have; outside of any known group version an API server answers
    /// with [`page_not_found`].
    pub fn unknown_route() -> Status {
        Status::new(404, "NotFound", "the server could not find the requested resource").with(Details::default())
    }

    /// 409 for a create whose name is taken.
    pub fn already_exists(resource: &Resource, name: &str) -> Status {
        let message = format!("{} {} already exists", resource.qualified_name(), quote(name));
        Status::new(409, "AlreadyExists", message).about(resource, name)
    }

    /// 409 for a write that does not fit the object's state; `why` completes the sentence.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Status {
        let message = format!("Operation cannot be fulfilled on {} {}: {why}", resource.qualified_name(), quote(name));
        Status::new(409, "Conflict", message).about(resource, name)
    }

    /// [`Status::conflict`] for a stale `resourceVersion`.
    pub fn modified(resource: &Resource, name: &str) -> Status {
        Status::conflict(resource, name, MODIFIED)
    }

    /// 422 for an object that breaks its kind's rules.
    pub fn invalid(resource: &Resource, name: &str, causes: Vec<Cause>) -> Status {
        Status::invalid_kind(&resource.kind, &resource.group, name, causes)
    }

    /// 422 for options of the request, such as `ListOptions`, that break their rules.
    pub fn invalid_options(kind: &str, causes: Vec<Cause>) -> Status {
        Status::invalid_kind(kind, "meta.k8s.io", "", causes)
    }

    /// 422 for an update that a storage refuses: it names the resource instead of the kind.
    pub fn invalid_update(resource: &Resource, name: &str, cause: Cause) -> Status {
        Status::invalid_kind(&resource.plural, &resource.group, name, vec![cause])
    }

    /// 422 for a review, of which only the group is named.
    pub fn invalid_review(group: &str, causes: Vec<Cause>) -> Status {
        Status::invalid_kind("", group, "", causes)
    }

    /// 422 for the object that a subresource takes.
    pub fn invalid_request(below: &crate::kube::Subresource, cause: Cause) -> Status {
        Status::invalid_kind(&below.kind, &below.group, "", vec![cause])
    }

    /// 422 for a patch whose outcome is no object of the kind; no kind is named.
    pub fn invalid_patch(cause: Cause) -> Status {
        Status::invalid_kind("", "", "", vec![cause])
    }

    fn invalid_kind(kind: &str, group: &str, name: &str, causes: Vec<Cause>) -> Status {
        let dot_group = if group.is_empty() { String::new() } else { format!(".{group}") };
        let mut message = format!("{kind}{dot_group} {} is invalid", quote(name));
        let mut told = HashSet::new();
        let mut problems: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        problems.retain(|problem| told.insert(problem.clone()));
        match problems.as_slice() {
            [] => {}
            [problem] => message.push_str(&format!(": {problem}")),
            problems => message.push_str(&format!(": [{}]", problems.join(", "))),
        }
        let details =
            Details { name: name.into(), group: group.into(), kind: kind.into(), causes, ..Details::default() };
        Status::new(422, "Invalid", message).with(details)
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::new(400, "BadRequest", message)
    }

    /// 401.
    pub fn unauthorized() -> Status {
        Status::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403 for an object (no `name` for a collection); `why` completes the sentence.
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Status {
        let quoted = if name.is_empty() { String::new() } else { format!(" {}", quote(name)) };
        let message = format!("{}{quoted} is forbidden: {why}", resource.qualified_name());
        Status::new(403, "Forbidden", message).about(resource, name)
    }

    /// 405 for a verb that a resource's storage does not have.
    pub fn method_not_supported(resource: &Resource, verb: &str) -> Status {
        let message = format!("{verb} is not supported on resources of kind {}", quote(&resource.qualified_name()));
        Status::new(405, "MethodNotAllowed", message).about(resource, "")
    }

    /// 405 for an object of a kind whose definition was deleted.
    pub fn kind_is_ending(resource: &Resource) -> Status {
        let message = "create not allowed while custom resource definition is terminating";
        Status::new(405, "MethodNotAllowed", message).about(resource, "")
    }

    /// 405 for a method that no route of the path takes.
    pub fn method_not_allowed() -> Status {
        Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with(Details::default())
    }

    /// 406: none of the `served` media types is accepted by the client.
    pub fn not_acceptable(served: &[&str]) -> Status {
        let message = format!("only the following media types are accepted: {}", served.join(", "));
        Status::new(406, "NotAcceptable", message)
    }

    /// 406 of a route none of whose `produced` media types the client accepts.
    pub fn no_representation(produced: &[&str]) -> Status {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {}", produced.join(", "));
        Status::new(406, "NotAcceptable", message).with(Details::default())
    }

    /// 415: the body is in none of the `accepted` media types.
    pub fn unsupported_media_type(accepted: &[&str]) -> Status {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Status::new(415, "UnsupportedMediaType", message)
    }

    /// 415 for a patch in a format that no built-in kind takes.
    pub fn unsupported_patch() -> Status {
        Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with(Details::default())
    }

    /// 415: the body is protobuf of a kind that is only understood in the `accepted` media types.
    pub fn unknown_protobuf_kind(kind: &str, accepted: &[&str]) -> Status {
        let message =
            format!("no protobuf form of {kind} is known - accepted media types include: {}", accepted.join(", "));
        Status::new(415, "UnsupportedMediaType", message)
    }

    /// 410 `Expired`: a resourceVersion or a continue token from before the history kept.
    pub fn expired(message: impl Into<String>) -> Status {
        Status::new(410, "Expired", message)
    }

    /// 410 `Gone`.
    pub fn gone(message: impl Into<String>) -> Status {
        Status::new(410, "Gone", message)
    }

    /// 413; `why` completes the sentence.
    pub fn request_entity_too_large(why: impl std::fmt::Display) -> Status {
        Status::new(413, "RequestEntityTooLarge", format!("Request entity too large: {why}"))
    }

    /// What is no request that could be served, in the words of the HTTP layer.
    pub fn unreadable(code: u16, message: impl Into<String>) -> Status {
        Status::new(code, if code == 400 { "BadRequest" } else { "" }, message)
    }

    /// 429.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Status {
        Status::new(429, "TooManyRequests", message).with(Details { retry_after_seconds, ..Details::default() })
    }

    /// 500; `why` completes the sentence.
    pub fn internal(why: impl std::fmt::Display) -> Status {
        let why = why.to_string();
        let message = format!("Internal error occurred: {why}");
        let cause = Cause { reason: "", message: why, field: String::new() };
        Status::new(500, "InternalError", message).with(Details { causes: vec![cause], ..Details::default() })
    }

    /// 503.
    pub fn service_unavailable() -> Status {
        Status::new(503, "ServiceUnavailable", "the server is currently unable to handle the request")
            .with(Details { retry_after_seconds: 1, ..Details::default() })
    }

    /// 500 with no reason: what an API server answers where it has only an error's words.
    pub fn unknown(message: impl Into<String>) -> Status {
        Status::new(500, "", message)
    }

    /// 422 for a patch that does not fit the object.
    pub fn unprocessable() -> Status {
        Status::new(422, "Invalid", "the server rejected our request due to an error in our request")
            .with(Details::default())
    }

    /// 504: a resourceVersion from the future.
    pub fn too_large_resource_version(asked: u64, current: u64) -> Status {
        let cause = Cause {
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".into(),
            field: String::new(),
        };
        let details = Details { causes: vec![cause], retry_after_seconds: 1, ..Details::default() };
        Status::new(504, "Timeout", format!("Timeout: Too large resource version: {asked}, current: {current}"))
            .with(details)
    }

    /// 200 `Success` for a delete whose object is gone at once.
    pub fn success(resource: &Resource, name: &str, uid: &str) -> Status {
        let mut status = Status::new(200, "", "").about(resource, name);
        if let Some(details) = &mut status.details {
            details.uid = uid.into();
        }
        status
    }

    /// The object, with `kind` and `apiVersion`.
    pub fn to_json(&self) -> Value {
        // A struct of strings and numbers always serialises.
        serde_json::to_value(Wire::of(self)).unwrap_or_default()
    }

    /// The object as an API server writes it: one line of JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&Wire::of(self)).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Status {
        Status { code, reason, message: message.into(), details: None, continue_token: None }
    }

    fn with(self, details: Details) -> Status {
        Status { details: Some(Box::new(details)), ..self }
    }

    fn about(self, resource: &Resource, name: &str) -> Status {
        self.with(Details {
            name: name.into(),
            group: resource.group.to_string(),
            kind: resource.plural.to_string(),
            ..Details::default()
        })
    }
}

impl From<Status> for Response {
    fn from(status: Status) -> Response {
        let mut headers = Headers::default();
        headers.push("Content-Type", "application/json");
        let retry_after_seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        if retry_after_seconds > 0 {
            headers.push("Retry-After", retry_after_seconds.to_string());
        }
        Response { status: status.code, headers, body: Body::Bytes(status.to_bytes()) }
    }
}

/// The plain-text 404 of paths outside any known group version, as Go's `http.NotFound` writes it.
pub fn page_not_found() -> Response {
    let mut headers = Headers::default();
    headers.push("Content-Type", "text/plain; charset=utf-8");
    headers.push("X-Content-Type-Options", "nosniff");
    Response { status: 404, headers, body: Body::Bytes(b"404 page not found\n".to_vec()) }
}

impl Cause {
    /// A required field that is absent or empty: `Required value: <detail>`.
    pub fn required(field: impl Into<String>, detail: &str) -> Cause {
        Cause::new("FieldValueRequired", field, "Required value", detail)
    }

    /// A value that breaks a rule: `Invalid value: <value>: <detail>`.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Cause {
        Cause::new("FieldValueInvalid", field, &format!("Invalid value: {}", bad_value(value)), detail)
    }

    /// The same for a value in Go's own form.
    pub fn invalid_go(field: impl Into<String>, shown: &str, detail: &str) -> Cause {
        Cause::new("FieldValueInvalid", field, &format!("Invalid value: {shown}"), detail)
    }

    /// A value outside an enumeration: `Unsupported value: …: supported values: …`.
    pub fn not_supported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Cause {
        let supported = supported.iter().map(|value| quote(value)).collect::<Vec<_>>().join(", ");
        let problem = format!("Unsupported value: {}", bad_value(value));
        Cause::new("FieldValueNotSupported", field, &problem, &format!("supported values: {supported}"))
    }

    /// A field that may not be set: `Forbidden: <detail>`.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Cause {
        Cause::new("FieldValueForbidden", field, "Forbidden", detail)
    }

    /// A value of another type than its field's; `found` is the name of its type.
    pub fn wrong_type(field: impl Into<String>, found: &str, detail: &str) -> Cause {
        Cause::new("FieldValueTypeInvalid", field, &format!("Invalid value: {}", quote(found)), detail)
    }

    /// A list or map with more entries than `limit`.
    pub fn too_many(field: impl Into<String>, count: u64, limit: u64) -> Cause {
        let detail = format!("must have at most {limit} items");
        Cause::new("FieldValueTooMany", field, &format!("Too many: {count}"), &detail)
    }

    /// A text with more characters than `limit`, which the message quotes.
    pub fn too_long_value(field: impl Into<String>, limit: u64) -> Cause {
        Cause::new("FieldValueTooLong", field, "Too long", &format!("may not be longer than {limit}"))
    }

    /// A value that is longer than `limit_bytes`.
    pub fn too_long(field: impl Into<String>, limit_bytes: usize) -> Cause {
        Cause::new("FieldValueTooLong", field, "Too long", &format!("must have at most {limit_bytes} bytes"))
    }

    /// A name or key that occurs twice.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Cause {
        Cause::duplicate_go(field, &go_syntax(value))
    }

    /// The same for a value in Go's own form.
    pub fn duplicate_go(field: impl Into<String>, shown: &str) -> Cause {
        Cause::new("FieldValueDuplicate", field, &format!("Duplicate value: {shown}"), "")
    }

    /// A name of something that is not there.
    pub fn not_found(field: impl Into<String>, value: &Value) -> Cause {
        Cause::new("FieldValueNotFound", field, &format!("Not found: {}", bad_value(value)), "")
    }

    fn new(reason: &'static str, field: impl Into<String>, problem: &str, detail: &str) -> Cause {
        let message = if detail.is_empty() { problem.to_owned() } else { format!("{problem}: {detail}") };
        Cause { reason, message, field: field.into() }
    }
}

/// The serialised form, its fields in the order an API server writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata<'a>,
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    continue_token: Option<&'a str>,
}

impl Wire<'_> {
    fn of(status: &Status) -> Wire<'_> {
        let failed = status.code >= 400;
        Wire {
            kind: "Status",
            api_version: "v1",
            metadata: Metadata { continue_token: status.continue_token.as_deref() },
            status: if failed { "Failure" } else { "Success" },
            message: &status.message,
            reason: status.reason,
            details: status.details.as_deref(),
            // The status of a finished delete carries no code.
            code: failed.then_some(status.code),
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The words of `registry/generic` for a stale resourceVersion; clients retry on the 409, people read this.
const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;
    use serde_json::json;

    fn resource(group: &str, plural: &str) -> &'static Resource {
        lookup(group, "v1", plural).unwrap().1
    }

    #[test]
    fn a_missing_object_is_named_with_its_group() {
        // Answers of a kube-apiserver 1.31 to GET of a pod and of a deployment that do not exist.
        assert_eq!(
            String::from_utf8(Status::not_found(resource("", "pods"), "nginx").to_bytes()).unwrap(),
            concat!(
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods \"nginx\" not found","#,
                r#""reason":"NotFound","details":{"name":"nginx","kind":"pods"},"code":404}"#,
                "\n"
            )
        );
        let status = Status::not_found(resource("apps", "deployments"), "web");
        assert_eq!(status.message, r#"deployments.apps "web" not found"#);
        assert_eq!(status.to_json()["details"], json!({"name": "web", "group": "apps", "kind": "deployments"}));
    }

    #[test]
    fn a_stale_write_is_a_conflict() {
        let status = Status::modified(resource("", "configmaps"), "cm");
        assert_eq!((status.code, status.reason), (409, "Conflict"));
        assert_eq!(
            status.message,
            "Operation cannot be fulfilled on configmaps \"cm\": the object has been modified; please apply your changes to the \
             latest version and try again"
        );
    }

    #[test]
    fn invalid_objects_list_every_cause_once() {
        // apimachinery api/errors NewInvalid and field.ErrorList.ToAggregate.
        let name = Cause::required("metadata.name", "name or generateName is required");
        let label = Cause::invalid("metadata.labels", &json!("a b"), "no spaces");
        let one = Status::invalid(resource("apps", "deployments"), "", vec![name.clone()]);
        assert_eq!(
            one.message,
            r#"Deployment.apps "" is invalid: metadata.name: Required value: name or generateName is required"#
        );
        let two = Status::invalid(resource("", "pods"), "p", vec![name.clone(), label, name]);
        assert_eq!(
            two.message,
            concat!(
                r#"Pod "p" is invalid: [metadata.name: Required value: name or generateName is required, "#,
                r#"metadata.labels: Invalid value: "a b": no spaces]"#
            )
        );
        assert_eq!(two.to_json()["details"]["causes"].as_array().unwrap().len(), 3);
        assert_eq!(
            two.to_json()["details"]["causes"][1],
            json!({"reason": "FieldValueInvalid", "message": "Invalid value: \"a b\": no spaces", "field": "metadata.labels"})
        );
    }

    #[test]
    fn options_are_invalid_as_meta_kinds() {
        let status = Status::invalid_options("ListOptions", vec![Cause::forbidden("sendInitialEvents", "no")]);
        assert_eq!(status.message, r#"ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: no"#);
    }

    #[test]
    fn a_finished_delete_is_a_success_without_code() {
        assert_eq!(
            Status::success(resource("", "configmaps"), "cm", "u-1").to_json(),
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": "cm", "kind": "configmaps", "uid": "u-1"}
            })
        );
    }

    #[test]
    fn enumerations_name_what_is_supported() {
        assert_eq!(
            Cause::not_supported("spec.type", &json!("X"), &["ClusterIP", "NodePort"]).message,
            r#"Unsupported value: "X": supported values: "ClusterIP", "NodePort""#
        );
    }

    #[test]
    fn retry_after_is_a_header_too() {
        let response = Response::from(Status::too_many_requests("slow down", 7));
        assert_eq!((response.status, response.headers.get("retry-after")), (429, Some("7")));
        assert_eq!(response.headers.get("content-type"), Some("application/json"));
    }

    #[test]
    fn a_version_from_the_future_says_which() {
        let status = Status::too_large_resource_version(9, 5);
        assert_eq!(status.message, "Timeout: Too large resource version: 9, current: 5");
        assert_eq!(
            status.to_json()["details"],
            json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1})
        );
    }
}
