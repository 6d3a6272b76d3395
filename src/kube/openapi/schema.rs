//! Schemas of the built-in types, out of their tables. They have no descriptions: that prose is Kubernetes' own.

use crate::kube::catalog::{api_version, builtin};
use crate::kube::types::{
    self, INLINE, Kind, LIST_META, List, Message, OBJECT_META, Patch, Zero, is_atomic, is_required, key_default, row,
    schema_name, values,
};
use crate::kube::{Resource, openapi};
use serde_json::{Map, Value, json};

/// Which OpenAPI a schema is for: they refer to each other, and to what is a number or a string, in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    V2,
    V3,
}

/// The schemas of a document under construction, by name.
#[derive(Debug)]
pub(super) struct Schemas {
    dialect: Dialect,
    pub by_name: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new(dialect: Dialect) -> Schemas {
        Schemas { dialect, by_name: Map::new() }
    }

    /// Adds a built-in kind, its list and all that they are made of.
    pub(super) fn add_kind(&mut self, resource: &Resource) {
        let Some(message) = types::find(&resource.api_version(), &resource.kind) else { return };
        let items = self.reference(message);
        if resource.verbs.contains(crate::kube::Verb::List) {
            let name = format!("{}List", schema_name(message));
            self.add_list(name, resource, items);
        }
    }

    /// Adds the list of a kind.
    pub(super) fn add_list(&mut self, name: String, resource: &Resource, items: Value) {
        let metadata = self.reference(&LIST_META);
        let list = json!({
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": self.with_default(metadata, json!({})),
                "items": {"type": "array", "items": self.with_default(items, json!({}))}
            },
            GROUP_VERSION_KIND: [{"group": resource.group, "version": resource.version, "kind": resource.list_kind}]
        });
        self.by_name.insert(name, list);
    }

    /// A reference to the metadata of an object.
    pub(super) fn metadata(&mut self) -> Value {
        self.reference(&OBJECT_META)
    }

    /// A reference to a type, which is added if it is new.
    fn reference(&mut self, message: &'static Message) -> Value {
        let name = schema_name(message);
        if !self.by_name.contains_key(&name) {
            // A type may be made of itself.
            self.by_name.insert(name.clone(), Value::Null);
            let schema = self.schema(message);
            self.by_name.insert(name.clone(), schema);
        }
        self.refer(&name)
    }

    fn schema(&mut self, message: &'static Message) -> Value {
        let mut schema = json!({"type": "object"});
        let (mut properties, mut required) = (Map::new(), Vec::new());
        self.fields(message, &mut properties, &mut required);
        let kinds = kinds(message);
        if !kinds.is_empty() {
            properties.insert("apiVersion".into(), json!({"type": "string"}));
            properties.insert("kind".into(), json!({"type": "string"}));
            schema[GROUP_VERSION_KIND] = kinds.into();
        }
        if !properties.is_empty() {
            schema["properties"] = properties.into();
        }
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if is_atomic(message) {
            schema["x-kubernetes-map-type"] = json!("atomic");
        }
        schema
    }

    fn fields(&mut self, message: &'static Message, properties: &mut Map<String, Value>, required: &mut Vec<Value>) {
        for field in message.fields {
            if let (Kind::Message(inner), INLINE) = (field.kind, field.json) {
                self.fields(inner, properties, required);
                continue;
            }
            let mut schema = self.of(field.kind);
            if field.zero == Zero::Shown {
                schema = self.defaulted(schema, field.kind);
            }
            if let Kind::List(_) = field.kind {
                schema["x-kubernetes-list-type"] = json!("atomic");
            }
            if let Some(row) = row(message, field.json) {
                self.mark(&mut schema, row);
            }
            if let Some(values) = values(message, field.json) {
                let of_each = ["items", "additionalProperties"].into_iter().find(|each| schema.get(each).is_some());
                let valued = if let Some(each) = of_each { &mut schema[each] } else { &mut schema };
                valued["enum"] = json!(values);
            }
            if let Some(default) = key_default(message, field) {
                schema = self.with_default(schema, default.into());
            }
            properties.insert(field.json.into(), schema);
            if is_required(message, field) {
                required.push(field.json.into());
            }
        }
        required.sort_by(|a: &Value, b| a.as_str().cmp(&b.as_str()));
    }

    /// How a field merges.
    fn mark(&self, schema: &mut Value, row: &types::Row) {
        match row.list {
            List::Granular => {}
            List::Atomic if schema["type"] == "object" => schema["x-kubernetes-map-type"] = json!("atomic"),
            List::Atomic => schema["x-kubernetes-list-type"] = json!("atomic"),
            List::Set => schema["x-kubernetes-list-type"] = json!("set"),
            List::Map(keys) => {
                schema["x-kubernetes-list-type"] = json!("map");
                schema["x-kubernetes-list-map-keys"] = json!(keys);
            }
        }
        let merges = match row.patch {
            Patch::Plain => None,
            Patch::Replace => Some("replace"),
            Patch::Merge => Some("merge"),
            Patch::MergeBy(key) => {
                schema["x-kubernetes-patch-merge-key"] = json!(key);
                Some("merge")
            }
        };
        let strategies: Vec<&str> = merges.into_iter().chain(row.retains.then_some("retainKeys")).collect();
        if !strategies.is_empty() {
            schema["x-kubernetes-patch-strategy"] = json!(strategies.join(","));
        }
    }

    fn of(&mut self, kind: Kind) -> Value {
        let known = |schemas: &mut Schemas, name: &str, v2: Value, v3: Value| {
            let schema = if schemas.dialect == Dialect::V2 { v2 } else { v3 };
            schemas.by_name.insert(name.into(), schema);
            schemas.refer(name)
        };
        match kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Int => json!({"type": "integer", "format": "int32"}),
            Kind::Long => json!({"type": "integer", "format": "int64"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Bytes => json!({"type": "string", "format": "byte"}),
            Kind::Quantity => known(
                self,
                "io.k8s.apimachinery.pkg.api.resource.Quantity",
                json!({"type": "string"}),
                json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            ),
            Kind::Time | Kind::MicroTime => {
                let name = if matches!(kind, Kind::Time) { "Time" } else { "MicroTime" };
                let schema = json!({"type": "string", "format": "date-time"});
                known(self, &format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}"), schema.clone(), schema)
            }
            Kind::IntOrString => known(
                self,
                "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
                json!({"type": "string", "format": "int-or-string"}),
                json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
            ),
            Kind::Raw => json!({"type": "object"}),
            // Any JSON.
            Kind::Json => json!({PRESERVE: true}),
            Kind::Items => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Message(message) => self.reference(message),
            Kind::List(inner) => {
                let items = self.of(*inner);
                json!({"type": "array", "items": self.defaulted(items, *inner)})
            }
            Kind::Map(inner) => {
                let values = self.of(*inner);
                json!({"type": "object", "additionalProperties": self.defaulted(values, *inner)})
            }
        }
    }

    /// The schema of what is never absent: Go's zero stands for it.
    fn defaulted(&self, schema: Value, kind: Kind) -> Value {
        let zero = match kind {
            Kind::Text => json!(""),
            Kind::Int | Kind::Long => json!(0),
            Kind::Bool => json!(false),
            Kind::Message(_) => json!({}),
            _ => return schema,
        };
        self.with_default(schema, zero)
    }

    fn with_default(&self, mut schema: Value, default: Value) -> Value {
        if self.dialect == Dialect::V3 {
            schema["default"] = default;
        }
        schema
    }

    /// A reference to the schema of this name.
    pub(super) fn refer(&self, name: &str) -> Value {
        match self.dialect {
            Dialect::V2 => json!({"$ref": format!("#/definitions/{name}")}),
            // What stands beside a bare $ref counts for nothing.
            Dialect::V3 => json!({"allOf": [{"$ref": format!("#/components/schemas/{name}")}]}),
        }
    }
}

/// The built-in kinds whose objects are of this type.
fn kinds(message: &Message) -> Vec<Value> {
    let is_of = |resource: &&Resource| {
        let own = types::find(&api_version(&resource.group, &resource.version), &resource.kind);
        own.is_some_and(|own| std::ptr::eq(own, message))
    };
    builtin().iter().filter(is_of).map(openapi::kind).collect()
}

/// The extension that tells what kind a schema is of.
pub(super) const GROUP_VERSION_KIND: &str = "x-kubernetes-group-version-kind";
pub(super) const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;

    fn schemas(dialect: Dialect, group: &str, plural: &str) -> Schemas {
        let mut schemas = Schemas::new(dialect);
        schemas.add_kind(lookup(group, "v1", plural).unwrap().1);
        schemas
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        for (dialect, prefix) in [(Dialect::V2, "#/definitions/"), (Dialect::V3, "#/components/schemas/")] {
            let mut all = Schemas::new(dialect);
            builtin().iter().for_each(|resource| all.add_kind(resource));
            let text = Value::from(all.by_name.clone()).to_string();
            let references: Vec<&str> =
                text.split(prefix).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
            assert!(references.len() > 500);
            for name in references {
                assert!(all.by_name[name].is_object(), "{name}");
            }
        }
    }

    /// api/openapi-spec of Kubernetes 1.31.
    #[test]
    fn a_service_port_is_described_as_elsewhere() {
        let v3 = schemas(Dialect::V3, "", "services");
        assert_eq!(
            v3.by_name["io.k8s.api.core.v1.ServicePort"],
            json!({
                "type": "object", "required": ["port"],
                "properties": {
                    "appProtocol": {"type": "string"}, "name": {"type": "string"}, "nodePort": {"type": "integer", "format": "int32"},
                    "port": {"type": "integer", "format": "int32", "default": 0},
                    "protocol": {"type": "string", "default": "TCP", "enum": ["SCTP", "TCP", "UDP"]},
                    "targetPort": {"allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString"}]}
                }
            })
        );
        let v2 = schemas(Dialect::V2, "", "services");
        assert_eq!(
            v2.by_name["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"],
            json!({
                "type": "array", "items": {"$ref": "#/definitions/io.k8s.api.core.v1.ServicePort"},
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "port"
            })
        );
    }
}
