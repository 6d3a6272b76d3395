//! `metav1.Status`, the body of every answer that is not an object, in the words of apimachinery's `api/errors`.

use super::{Resource, Response};
use serde_json::Value;

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
}

/// `StatusDetails`: the object and the causes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// Its group; empty for the core group.
    pub group: String,
    /// Its plural for most reasons, its kind for `Invalid`: so does apimachinery.
    pub kind: String,
    /// Its uid.
    pub uid: String,
    /// Single problems.
    pub causes: Vec<Cause>,
    /// When to come back, in seconds; also sent as `Retry-After`.
    pub retry_after_seconds: u32,
}

/// One problem of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueRequired`, `FieldValueInvalid`, …
    pub reason: &'static str,
    /// What is wrong, without the field.
    pub message: String,
    /// Path of the field, such as `metadata.name`.
    pub field: String,
}

impl Status {
    /// 404 for an object that does not exist.
    pub fn not_found(_resource: &Resource, _name: &str) -> Status {
        todo!()
    }

    /// 404 for a path that nothing is served under.
    pub fn unknown_route() -> Status {
        todo!()
    }

    /// 409 for a create whose name is taken.
    pub fn already_exists(_resource: &Resource, _name: &str) -> Status {
        todo!()
    }

    /// 409 for a write that does not fit the object's state; `why` completes the sentence.
    pub fn conflict(_resource: &Resource, _name: &str, _why: &str) -> Status {
        todo!()
    }

    /// [`Status::conflict`] for a stale `resourceVersion`.
    pub fn modified(_resource: &Resource, _name: &str) -> Status {
        todo!()
    }

    /// 422 for an object that breaks its kind's rules.
    pub fn invalid(_resource: &Resource, _name: &str, _causes: Vec<Cause>) -> Status {
        todo!()
    }

    /// 400.
    pub fn bad_request(_message: impl Into<String>) -> Status {
        todo!()
    }

    /// 401.
    pub fn unauthorized() -> Status {
        todo!()
    }

    /// 403 for an object; `why` completes the sentence.
    pub fn forbidden(_resource: &Resource, _name: &str, _why: &str) -> Status {
        todo!()
    }

    /// 405 for a verb that a resource does not have.
    pub fn method_not_supported(_resource: &Resource, _verb: &str) -> Status {
        todo!()
    }

    /// 405 for a method on a path that no verb maps to.
    pub fn method_not_allowed() -> Status {
        todo!()
    }

    /// 406: none of the `accepted` media types is accepted by the client.
    pub fn not_acceptable(_accepted: &[&str]) -> Status {
        todo!()
    }

    /// 415: the body is in none of the `accepted` media types.
    pub fn unsupported_media_type(_accepted: &[&str]) -> Status {
        todo!()
    }

    /// 410 `Expired`: a resourceVersion or a continue token from before the history kept.
    pub fn expired(_message: impl Into<String>) -> Status {
        todo!()
    }

    /// 410 `Gone`.
    pub fn gone(_message: impl Into<String>) -> Status {
        todo!()
    }

    /// 413.
    pub fn request_entity_too_large(_message: impl Into<String>) -> Status {
        todo!()
    }

    /// 429.
    pub fn too_many_requests(_message: impl Into<String>, _retry_after_seconds: u32) -> Status {
        todo!()
    }

    /// 500; `why` completes the sentence.
    pub fn internal(_why: impl std::fmt::Display) -> Status {
        todo!()
    }

    /// 504: a resourceVersion from the future.
    pub fn too_large_resource_version(_asked: u64, _current: u64) -> Status {
        todo!()
    }

    /// 200 `Success` for a delete whose object is gone at once.
    pub fn success(_resource: &Resource, _name: &str, _uid: &str) -> Status {
        todo!()
    }

    /// The object, with `kind` and `apiVersion`.
    pub fn to_json(&self) -> Value {
        todo!()
    }
}

impl From<Status> for Response {
    fn from(_status: Status) -> Response {
        todo!()
    }
}

impl Cause {
    /// A required field that is absent or empty: `Required value: <detail>`.
    pub fn required(_field: impl Into<String>, _detail: &str) -> Cause {
        todo!()
    }

    /// A value that breaks a rule: `Invalid value: <value>: <detail>`.
    pub fn invalid(_field: impl Into<String>, _value: &Value, _detail: &str) -> Cause {
        todo!()
    }

    /// A value outside an enumeration: `Unsupported value: …: supported values: …`.
    pub fn not_supported(_field: impl Into<String>, _value: &Value, _supported: &[&str]) -> Cause {
        todo!()
    }

    /// A field that may not be set: `Forbidden: <detail>`.
    pub fn forbidden(_field: impl Into<String>, _detail: &str) -> Cause {
        todo!()
    }

    /// A name or key that occurs twice.
    pub fn duplicate(_field: impl Into<String>, _value: &Value) -> Cause {
        todo!()
    }
}
