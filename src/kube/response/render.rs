//! Objects of a cluster on their way out.

use crate::http1::Headers;
use crate::kube::object::Stamp;
use crate::kube::request::negotiate::Form;
use crate::kube::request::served::Served;
use crate::kube::store::{Version, name_of, namespace_of};
use crate::kube::table::{self, Columns, IncludeObject};
use crate::kube::{Body, Cluster, FieldSelector, LabelSelector, Response, Status};
use jiff::Timestamp;
use serde_json::Value;

/// Which objects a list, a watch or a collection delete is about.
#[derive(Debug, Default)]
pub(in crate::kube) struct Filter {
    pub namespace: Option<Box<str>>,
    pub labels: LabelSelector,
    pub fields: FieldSelector,
}

impl Filter {
    /// Whether it lets an object through.
    pub(in crate::kube) fn matches(&self, cluster: &Cluster, served: &Served, version: &Version) -> bool {
        let path = cluster.store.path(version);
        if self.namespace.is_some() && self.namespace.as_deref() != namespace_of(&path) {
            return false;
        }
        if !self.fields.matches_identity(namespace_of(&path), name_of(&path)) {
            return false;
        }
        if !self.labels.is_empty() {
            let labels = cluster.store.body(version).labels(&cluster.store.stamp(version), cluster.store.particulars());
            if !self.labels.matches(labels.as_ref()) {
                return false;
            }
        }
        self.fields.is_identity_only() || self.fields.matches(&cluster.value(served, version))
    }

    /// Whether selectors narrow it.
    pub(in crate::kube) fn selects(&self) -> bool {
        !self.labels.is_empty() || !self.fields.is_empty()
    }
}

impl Cluster {
    /// Appends an object as JSON.
    pub(in crate::kube) fn render(&self, served: &Served, version: &Version, out: &mut Vec<u8>) {
        self.render_as(served, version, &self.store.stamp(version), out);
    }

    /// Appends an object as JSON, with another stamp than its own.
    pub(in crate::kube) fn render_as(&self, served: &Served, version: &Version, stamp: &Stamp, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(served.head().as_bytes());
        self.store.body(version).write(stamp, self.store.particulars(), out);
        if let Some(conversion) = served.conversion() {
            // What was serialised from a tree parses.
            let mut object: Value = serde_json::from_slice(&out[start..]).unwrap_or_default();
            conversion.show(&mut object);
            out.truncate(start);
            out.extend_from_slice(object.to_string().as_bytes());
        }
    }

    /// An object as a tree.
    pub(in crate::kube) fn value(&self, served: &Served, version: &Version) -> Value {
        let mut bytes = Vec::new();
        self.render(served, version, &mut bytes);
        // What was serialised from a tree parses.
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// The answer that holds one stored object.
    pub(in crate::kube) fn answer(
        &self,
        code: u16,
        asked: &Asked,
        served: &Served,
        version: &Version,
    ) -> Result<Response, Status> {
        if asked.form == Form::Object {
            let mut bytes = Vec::new();
            self.render(served, version, &mut bytes);
            bytes.push(b'\n');
            return Ok(json(code, bytes));
        }
        answer_value(code, asked, served, &self.value(served, version))
    }
}

/// In which form an answer is wanted.
#[derive(Debug, Clone, Copy)]
pub(in crate::kube) struct Asked {
    pub form: Form,
    pub include: IncludeObject,
    pub now: Timestamp,
}

/// The answer that holds one object which need not be stored.
pub(in crate::kube) fn answer_value(
    code: u16,
    asked: &Asked,
    served: &Served,
    object: &Value,
) -> Result<Response, Status> {
    let body = match asked.form {
        Form::Object => object.to_string(),
        Form::Yaml => return yaml(code, object),
        Form::Table(version) => {
            let metadata = serde_json::json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table::table(&columns(served), version, metadata, [object], asked.include, asked.now).to_string()
        }
        Form::Metadata(version) => table::partial_metadata(object, version).to_string(),
    };
    let mut bytes = body.into_bytes();
    bytes.push(b'\n');
    Ok(json(code, bytes))
}

/// A YAML answer.
pub(in crate::kube) fn yaml(code: u16, object: &Value) -> Result<Response, Status> {
    let text = serde_yaml::to_string(object).map_err(Status::internal)?;
    Ok(response(code, "application/yaml", Body::Bytes(text.into_bytes())))
}

/// A JSON answer.
pub(in crate::kube) fn json(code: u16, bytes: Vec<u8>) -> Response {
    response(code, "application/json", Body::Bytes(bytes))
}

/// An answer that no cache may keep.
pub(in crate::kube) fn response(code: u16, content_type: &str, body: Body) -> Response {
    let mut headers = Headers::default();
    headers.push("Cache-Control", "no-cache, private");
    headers.push("Content-Type", content_type);
    Response { status: code, headers, body }
}

/// The table columns of a resource.
pub(in crate::kube) fn columns(served: &Served) -> Columns {
    match served.as_custom() {
        Some(custom) => Columns::custom(custom.columns.as_ref()),
        None => Columns::of(served),
    }
}
