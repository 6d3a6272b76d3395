//! The OpenAPI v2 document as protobuf (`openapi.v2.Document` of gnostic-models), which kubectl asks for.

use super::v2::{definitions, patchable};
use super::{PATCH_PARAMETERS, kind, object_path};
use crate::kube::custom::CustomVersion;
use crate::kube::discovery::Group;
use serde_json::Value;

/// The document of these kinds. Two documents one after the other are one of both, as all messages of protobuf are.
pub(super) fn encode(groups: &[Group<'_>], custom: &[&CustomVersion]) -> Vec<u8> {
    let mut parameters = Message::default();
    for (name, kind) in PATCH_PARAMETERS {
        let query = Message::default()
            .text(query_parameter::IN, "query")
            .text(query_parameter::NAME, name)
            .text(query_parameter::TYPE, kind);
        let non_body = Message::default().nested(non_body_parameter::QUERY, query);
        let parameter = Message::default().nested(parameter::NON_BODY, non_body);
        parameters =
            parameters.nested(operation::PARAMETERS, Message::default().nested(parameters_item::PARAMETER, parameter));
    }
    let mut paths = Message::default();
    for resource in patchable(groups) {
        let any = Message::default().text(any::YAML, &kind(resource).to_string());
        let extension = self::named("x-kubernetes-group-version-kind", any);
        let ok =
            Message::default().nested(response_value::RESPONSE, Message::default().text(response::DESCRIPTION, "OK"));
        let named_ok = self::named("200", ok);
        let mut patch = Message(parameters.0.clone());
        patch = patch.nested(operation::RESPONSES, Message::default().nested(responses::RESPONSE_CODE, named_ok));
        patch = patch.nested(operation::VENDOR_EXTENSION, extension);
        let item = Message::default().nested(path_item::PATCH, patch);
        paths = paths.nested(paths::PATH, self::named(&object_path(resource), item));
    }
    let mut schemas = Message::default();
    for (name, schema) in definitions(groups, custom) {
        schemas = schemas.nested(additional::PROPERTIES, self::named(&name, self::schema(&schema)));
    }
    let info = Message::default().text(info::TITLE, "Kubernetes").text(info::VERSION, "unversioned");
    Message::default()
        .text(document::SWAGGER, "2.0")
        .nested(document::INFO, info)
        .nested(document::PATHS, paths)
        .nested(document::DEFINITIONS, schemas)
        .0
}

/// A schema; what clients of this form have no use for (bounds, patterns) is left out.
fn schema(tree: &Value) -> Message {
    let mut message = Message::default();
    for (name, value) in tree.as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        message = match name.as_str() {
            "$ref" => message.text(schema::REFERENCE, text),
            "format" => message.text(schema::FORMAT, text),
            "title" => message.text(schema::TITLE, text),
            "description" => message.text(schema::DESCRIPTION, text),
            "type" => message.nested(schema::TYPE, Message::default().text(type_item::VALUE, text)),
            "items" => {
                message.nested(schema::ITEMS, Message::default().nested(items_item::SCHEMA, self::schema(value)))
            }
            "additionalProperties" => {
                let item = match value {
                    Value::Bool(any) => Message::default().boolean(additional_item::BOOLEAN, *any),
                    schema => Message::default().nested(additional_item::SCHEMA, self::schema(schema)),
                };
                message.nested(schema::ADDITIONAL_PROPERTIES, item)
            }
            "required" => {
                let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                names.fold(message, |message, name| message.text(schema::REQUIRED, name))
            }
            "enum" => value.as_array().into_iter().flatten().fold(message, |message, value| {
                message.nested(schema::ENUM, Message::default().text(any::YAML, &value.to_string()))
            }),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let properties = properties.fold(Message::default(), |all, (name, schema)| {
                    all.nested(additional::PROPERTIES, self::named(name, self::schema(schema)))
                });
                message.nested(schema::PROPERTIES, properties)
            }
            extension if extension.starts_with("x-") => {
                let any = Message::default().text(any::YAML, &value.to_string());
                message.nested(schema::VENDOR_EXTENSION, self::named(extension, any))
            }
            _ => message,
        };
    }
    message
}

fn named(name: &str, value: Message) -> Message {
    Message::default().text(named::NAME, name).nested(named::VALUE, value)
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn text(self, field: u8, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    fn nested(self, field: u8, message: Message) -> Message {
        self.bytes(field, &message.0)
    }

    fn boolean(mut self, field: u8, value: bool) -> Message {
        self.varint(usize::from(field) << 3);
        self.0.push(value.into());
        self
    }

    /// A length-delimited field.
    fn bytes(mut self, field: u8, bytes: &[u8]) -> Message {
        self.varint(usize::from(field) << 3 | 2);
        self.varint(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    fn varint(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

/// Field numbers of the messages used, by message (gnostic-models `openapiv2/OpenAPIv2.proto`).
mod document {
    pub const SWAGGER: u8 = 1;
    pub const INFO: u8 = 2;
    pub const PATHS: u8 = 8;
    pub const DEFINITIONS: u8 = 9;
}
mod info {
    pub const TITLE: u8 = 1;
    pub const VERSION: u8 = 2;
}
mod paths {
    pub const PATH: u8 = 2;
}
mod path_item {
    pub const PATCH: u8 = 8;
}
mod operation {
    pub const PARAMETERS: u8 = 8;
    pub const RESPONSES: u8 = 9;
    pub const VENDOR_EXTENSION: u8 = 13;
}
mod parameters_item {
    pub const PARAMETER: u8 = 1;
}
mod parameter {
    pub const NON_BODY: u8 = 2;
}
mod non_body_parameter {
    pub const QUERY: u8 = 3;
}
mod query_parameter {
    pub const IN: u8 = 2;
    pub const NAME: u8 = 4;
    pub const TYPE: u8 = 6;
}
mod responses {
    pub const RESPONSE_CODE: u8 = 1;
}
mod response_value {
    pub const RESPONSE: u8 = 1;
}
mod response {
    pub const DESCRIPTION: u8 = 1;
}
mod schema {
    pub const REFERENCE: u8 = 1;
    pub const FORMAT: u8 = 2;
    pub const TITLE: u8 = 3;
    pub const DESCRIPTION: u8 = 4;
    pub const REQUIRED: u8 = 19;
    pub const ENUM: u8 = 20;
    pub const ADDITIONAL_PROPERTIES: u8 = 21;
    pub const TYPE: u8 = 22;
    pub const ITEMS: u8 = 23;
    pub const PROPERTIES: u8 = 25;
    pub const VENDOR_EXTENSION: u8 = 31;
}
mod type_item {
    pub const VALUE: u8 = 1;
}
mod items_item {
    pub const SCHEMA: u8 = 1;
}
mod additional_item {
    pub const SCHEMA: u8 = 1;
    pub const BOOLEAN: u8 = 2;
}
/// `Definitions` and `Properties` alike.
mod additional {
    pub const PROPERTIES: u8 = 1;
}
/// `NamedAny`, `NamedSchema`, `NamedPathItem`, `NamedResponseValue` alike.
mod named {
    pub const NAME: u8 = 1;
    pub const VALUE: u8 = 2;
}
mod any {
    pub const YAML: u8 = 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_varints() {
        // Protocol Buffers documentation, "Encoding": 150 is 96 01.
        let message = Message::default().text(2, &"x".repeat(150));
        assert_eq!(message.0[..3], [0x12, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").0, b"\x12\x07testing");
        // Field 31 takes two bytes for its tag.
        assert_eq!(Message::default().text(31, "a").0, b"\xfa\x01\x01a");
    }
}
