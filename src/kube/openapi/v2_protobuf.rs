//! The OpenAPI v2 document as protobuf (`openapi.v2.Document` of gnostic-models), which kubectl asks for.

use super::v2::patchable;
use super::{PATCH_PARAMETERS, kind, object_path};
use crate::kube::discovery::Group;

pub(super) fn encode(groups: &[Group<'_>]) -> Vec<u8> {
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
        let extension =
            Message::default().text(named::NAME, "x-kubernetes-group-version-kind").nested(named::VALUE, any);
        let ok =
            Message::default().nested(response_value::RESPONSE, Message::default().text(response::DESCRIPTION, "OK"));
        let named_ok = Message::default().text(named::NAME, "200").nested(named::VALUE, ok);
        let mut patch = Message(parameters.0.clone());
        patch = patch.nested(operation::RESPONSES, Message::default().nested(responses::RESPONSE_CODE, named_ok));
        patch = patch.nested(operation::VENDOR_EXTENSION, extension);
        let item = Message::default().nested(path_item::PATCH, patch);
        let named_item = Message::default().text(named::NAME, &object_path(resource)).nested(named::VALUE, item);
        paths = paths.nested(paths::PATH, named_item);
    }
    let info = Message::default().text(info::TITLE, "Kubernetes").text(info::VERSION, "unversioned");
    Message::default()
        .text(document::SWAGGER, "2.0")
        .nested(document::INFO, info)
        .nested(document::PATHS, paths)
        .nested(document::DEFINITIONS, Message::default())
        .0
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

    /// A length-delimited field; its number is below 16, so that the tag is one byte.
    fn bytes(mut self, field: u8, bytes: &[u8]) -> Message {
        self.0.push(field << 3 | 2);
        let mut length = bytes.len();
        while length >= 0x80 {
            self.0.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        self.0.push(length as u8);
        self.0.extend_from_slice(bytes);
        self
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
/// `NamedAny`, `NamedPathItem`, `NamedResponseValue` alike.
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
    }
}
