//! `application/vnd.kubernetes.protobuf`: the wire format, turned into JSON by tables.
//!
//! A body is four bytes of magic and a `runtime.Unknown` that names its kind and carries the message of it
//! (Kubernetes documentation, "Kubernetes Protobuf encoding"). Every length is checked; unknown fields are skipped.

use super::wire::{Reader, Value as Wire};
use crate::kube::types::{self, Field, INLINE, Kind, Message, Zero};
use base64::Engine;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Why a body is not decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The bytes are not what they should be.
    Malformed(String),
    /// There is no table for this `apiVersion` and kind.
    UnknownKind(String),
}

/// The object in a body.
pub(super) fn decode(body: &[u8]) -> Result<Value, Problem> {
    let Some(unknown) = body.strip_prefix(MAGIC) else {
        let problem = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
        return Err(Problem::Malformed(problem.into()));
    };
    let envelope = message(&ENVELOPE, unknown).map_err(Problem::Malformed)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&envelope["typeMeta"]["apiVersion"]), text(&envelope["typeMeta"]["kind"]));
    let raw = base64::engine::general_purpose::STANDARD.decode(text(&envelope["raw"])).unwrap_or_default();
    let mut object = if envelope["contentType"] == "application/json" {
        serde_json::from_slice(&raw).map_err(|error| Problem::Malformed(error.to_string()))?
    } else {
        let table = types::find(&api_version, &kind);
        let table = table.ok_or_else(|| Problem::UnknownKind(format!("{kind} of {api_version}")))?;
        message(table, &raw).map_err(Problem::Malformed)?
    };
    if let Value::Object(fields) = &mut object {
        fields.insert("apiVersion".into(), api_version.into());
        fields.insert("kind".into(), kind.into());
    }
    Ok(object)
}

fn message(message: &Message, bytes: &[u8]) -> Result<Value, String> {
    let mut object = Map::new();
    fill(&mut object, message, bytes)?;
    Ok(Value::Object(object))
}

fn fill(object: &mut Map<String, Value>, message: &Message, bytes: &[u8]) -> Result<(), String> {
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        let Some(field) = message.fields.iter().find(|field| field.number == number) else { continue };
        set(object, field, wire).map_err(|problem| format!("{}: {problem}", field.json))?;
    }
    Ok(())
}

fn set(object: &mut Map<String, Value>, field: &Field, wire: Wire<'_>) -> Result<(), String> {
    match (field.kind, wire) {
        (Kind::Message(message), Wire::Bytes(bytes)) if field.json == INLINE => return fill(object, message, bytes),
        // A message that comes in parts is the parts together.
        (Kind::Message(message), Wire::Bytes(bytes)) => {
            let inner = object.entry(field.json).or_insert_with(|| json!({}));
            return inner.as_object_mut().map_or(Ok(()), |inner| fill(inner, message, bytes));
        }
        (Kind::List(kind), wire) => {
            let list = object.entry(field.json).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                match (kind, wire) {
                    (Kind::Int | Kind::Long, Wire::Bytes(packed)) => {
                        let mut packed = Reader::new(packed);
                        while let Some(number) = packed.varint()? {
                            list.push(integer(number));
                        }
                    }
                    (kind, wire) => list.push(value(*kind, wire)?),
                }
            }
        }
        (Kind::Map(kind), Wire::Bytes(entry)) => {
            let (key, value) = map_entry(*kind, entry)?;
            if let Value::Object(map) = object.entry(field.json).or_insert_with(|| json!({})) {
                map.insert(key, value);
            }
        }
        (kind, wire) => {
            let value = value(kind, wire)?;
            if field.zero != Zero::Omitted || !is_zero(kind, &value) {
                object.insert(field.json.into(), value);
            }
        }
    }
    Ok(())
}

fn map_entry(kind: Kind, bytes: &[u8]) -> Result<(String, Value), String> {
    let mut reader = Reader::new(bytes);
    let mut key = String::new();
    let mut found = None;
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = text(bytes)?,
            (2, wire) => found = Some(value(kind, wire)?),
            _ => {}
        }
    }
    Ok((key, found.map_or_else(|| value(kind, Wire::Bytes(&[])), Ok)?))
}

fn value(kind: Kind, wire: Wire<'_>) -> Result<Value, String> {
    Ok(match (kind, wire) {
        (Kind::Text, Wire::Bytes(bytes)) => text(bytes)?.into(),
        (Kind::Bytes, Wire::Bytes(bytes)) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
        (Kind::Int | Kind::Long, Wire::Varint(number)) => integer(number),
        (Kind::Bool, Wire::Varint(number)) => (number != 0).into(),
        (Kind::Message(table), Wire::Bytes(bytes)) => message(table, bytes)?,
        (Kind::Quantity, Wire::Bytes(bytes)) => match &message(&QUANTITY, bytes)?["string"] {
            // Go shows a quantity that was never set as zero.
            Value::String(quantity) if !quantity.is_empty() => quantity.as_str().into(),
            _ => "0".into(),
        },
        (Kind::Time, Wire::Bytes(bytes)) => time(bytes, 0)?,
        (Kind::MicroTime, Wire::Bytes(bytes)) => time(bytes, 6)?,
        (Kind::IntOrString, Wire::Bytes(bytes)) => {
            let mut either = message(&INT_OR_STRING, bytes)?;
            let field = if either["type"] == 1 { "strVal" } else { "intVal" };
            either[field].take()
        }
        (Kind::Raw, Wire::Bytes(bytes)) => {
            let raw = message(&RAW, bytes)?;
            let raw = raw["raw"].as_str().unwrap_or_default();
            let raw = base64::engine::general_purpose::STANDARD.decode(raw).unwrap_or_default();
            if raw.is_empty() { Value::Null } else { serde_json::from_slice(&raw).map_err(|e| e.to_string())? }
        }
        (Kind::Items, Wire::Bytes(bytes)) => message(&ITEMS, bytes)?["items"].take(),
        (kind, wire) => return Err(format!("{} where {kind:.0?} is expected", wire.name())),
    })
}

/// A varint as the signed number it stands for.
fn integer(number: u64) -> Value {
    number.cast_signed().into()
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a string that is no UTF-8".into())
}

/// A point in time with this many digits of a second's fraction; one that was never set is null.
fn time(bytes: &[u8], digits: usize) -> Result<Value, String> {
    let fields = message(&TIME, bytes)?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let seconds = fields["seconds"].as_i64().unwrap_or_default();
    let nanos = fields["nanos"].as_i64().and_then(|nanos| i32::try_from(nanos).ok()).unwrap_or_default();
    let at = Timestamp::new(seconds, nanos).map_err(|error| error.to_string())?;
    Ok(if digits == 0 { at.strftime("%Y-%m-%dT%H:%M:%SZ") } else { at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ") }
        .to_string()
        .into())
}

/// Whether JSON leaves this value out (`omitempty`).
fn is_zero(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        (Kind::Text | Kind::Bytes, Value::String(text)) => text.is_empty(),
        (Kind::Int | Kind::Long, Value::Number(number)) => number.as_i64() == Some(0),
        (Kind::Bool, Value::Bool(value)) => !value,
        _ => false,
    }
}

const MAGIC: &[u8] = b"k8s\0";

const fn field(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { number, json, kind, zero: Zero::Kept }
}

const fn message_of(name: &'static str, fields: &'static [Field]) -> Message {
    Message { name, module: module_path!(), fields }
}

static ENVELOPE: Message = message_of(
    "runtime.Unknown",
    &[
        field(1, "typeMeta", Kind::Message(&TYPE_META)),
        field(2, "raw", Kind::Bytes),
        field(4, "contentType", Kind::Text),
    ],
);
static TYPE_META: Message =
    message_of("runtime.TypeMeta", &[field(1, "apiVersion", Kind::Text), field(2, "kind", Kind::Text)]);
static QUANTITY: Message = message_of("Quantity", &[field(1, "string", Kind::Text)]);
static TIME: Message = message_of("Time", &[field(1, "seconds", Kind::Long), field(2, "nanos", Kind::Int)]);
static INT_OR_STRING: Message = message_of(
    "IntOrString",
    &[field(1, "type", Kind::Int), field(2, "intVal", Kind::Int), field(3, "strVal", Kind::Text)],
);
static RAW: Message = message_of("RawExtension", &[field(1, "raw", Kind::Bytes)]);
static ITEMS: Message = message_of("Items", &[field(1, "items", Kind::List(&Kind::Text))]);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(base64: &str) -> Vec<u8> {
        base64::engine::general_purpose::STANDARD.decode(base64).unwrap()
    }

    /// Go's JSON shows what was never set as null; on the wire it is absent.
    fn without_nulls(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
                fields.map(|(name, value)| (name, without_nulls(value))).collect::<Map<_, _>>().into()
            }
            Value::Array(list) => list.into_iter().map(without_nulls).collect::<Vec<_>>().into(),
            other => other,
        }
    }

    fn golden() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let blocks = include_str!("golden.txt").split("\n\n").skip(1).filter(|block| !block.trim().is_empty());
        blocks.map(|block| match block.trim().lines().collect::<Vec<_>>()[..] {
            [kind, body, json] => (kind, body, json),
            _ => panic!("{block}"),
        })
    }

    #[test]
    fn bodies_of_the_go_library_are_read_as_it_reads_them() {
        assert_eq!(golden().count(), 10);
        for (kind, protobuf, json) in golden() {
            let expected: Value = serde_json::from_str(json).unwrap();
            let decoded = decode(&body(protobuf)).unwrap();
            assert_eq!(without_nulls(decoded), without_nulls(expected), "{kind}");
        }
    }

    #[test]
    fn options_of_a_delete_come_under_any_group() {
        // runtime.Unknown{TypeMeta{"apps/v1", "DeleteOptions"}, Raw: propagationPolicy (4) "Orphan"}, written by hand.
        let body = b"k8s\0\x0a\x18\x0a\x07apps/v1\x12\x0dDeleteOptions\x12\x08\x22\x06Orphan";
        assert_eq!(
            decode(body),
            Ok(json!({"apiVersion": "apps/v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"}))
        );
    }

    #[test]
    fn unknown_kinds_are_named() {
        let body = b"k8s\0\x0a\x0d\x0a\x04x/v1\x12\x05Chair\x12\x00";
        assert_eq!(decode(body), Err(Problem::UnknownKind("Chair of x/v1".into())));
    }

    #[test]
    fn what_is_no_protobuf_is_refused() {
        let problem = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
        assert_eq!(decode(b"{}"), Err(Problem::Malformed(problem.into())));
        assert_eq!(decode(b"k8s"), Err(Problem::Malformed(problem.into())));
        assert!(matches!(decode(b"k8s\0\x0a\xff"), Err(Problem::Malformed(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = decode(&[MAGIC, &bytes].concat());
        }

        #[test]
        fn no_damaged_body_panics(which in 0..10usize, at: proptest::sample::Index, byte: u8, end: proptest::sample::Index) {
            let mut body = body(golden().nth(which).unwrap().1);
            let at = at.index(body.len());
            body[at] = byte;
            body.truncate(end.index(body.len() + 1));
            let _ = decode(&body);
        }
    }
}
