//! What a typed decoder and encoder make of JSON: unknown fields go, zeros are left out or shown, quantities and times take their form.

use super::name::go_name;
use super::{Field, INLINE, Kind, Message, Zero};
use crate::kube::decode::type_name;
use crate::kube::quantity::Quantity;
use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Why JSON is none of a type, in the words of Go's decoders.
pub(in crate::kube) type Mismatch = String;

/// Gives an object the form of its type; returns the paths of fields that the type has not, which are removed.
pub(in crate::kube) fn conform(message: &Message, object: &mut Value) -> Result<Vec<String>, Mismatch> {
    let mut pass = Pass { path: String::new(), fields: Vec::new(), unknown: Vec::new() };
    match object {
        Value::Object(fields) => pass.object(message, fields, &["apiVersion", "kind"])?,
        other => return Err(pass.mismatch(message, other, &go_name(message.name))),
    }
    // These the server keeps apart.
    if let Some(Value::Object(metadata)) = object.get_mut("metadata")
        && metadata.get("creationTimestamp").is_some_and(Value::is_null)
    {
        metadata.remove("creationTimestamp");
    }
    Ok(pass.unknown)
}

/// The least that an object of a type says.
pub(in crate::kube) fn empty(message: &'static Message) -> Value {
    zero_of(Kind::Message(message))
}

struct Pass {
    /// Where the pass is, such as `spec.containers[0].name`.
    path: String,
    /// The same in the words of Go's decoder, which names neither indexes nor keys of maps: `spec.containers.name`.
    fields: Vec<&'static str>,
    unknown: Vec<String>,
}

impl Pass {
    fn object(&mut self, message: &Message, fields: &mut Map<String, Value>, also: &[&str]) -> Result<(), Mismatch> {
        let mut taken = std::mem::take(fields);
        for name in also {
            if let Some(value) = taken.remove(*name) {
                fields.insert((*name).into(), value);
            }
        }
        for (name, mut value) in taken {
            let length = self.enter(&name);
            match message.field(&name) {
                None => self.unknown.push(self.path.clone()),
                Some(_) if value.is_null() => {}
                Some(field) => {
                    self.fields.push(field.json);
                    self.value(message, field.kind, &mut value)?;
                    self.fields.pop();
                    // A list that holds nothing is stored as none.
                    if value.as_array().is_some_and(Vec::is_empty) && matches!(field.kind, Kind::List(_)) {
                        value = Value::Null;
                    }
                    if field.zero != Zero::Omitted || !is_zero(field.kind, &value) {
                        fields.insert(name, value);
                    }
                }
            }
            self.path.truncate(length);
        }
        show(message, fields);
        Ok(())
    }

    fn value(&mut self, holder: &Message, kind: Kind, value: &mut Value) -> Result<(), Mismatch> {
        match (kind, &mut *value) {
            (Kind::Message(message), Value::Object(fields)) => {
                // Claims in a StatefulSet are whole objects.
                let also: &[&str] =
                    if message.name == "PERSISTENT_VOLUME_CLAIM" { &["apiVersion", "kind"] } else { &[] };
                return self.object(message, fields, also);
            }
            (Kind::List(kind), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let length = self.path.len();
                    self.path.push_str(&format!("[{index}]"));
                    self.item(holder, *kind, item)?;
                    self.path.truncate(length);
                }
            }
            (Kind::Map(kind), Value::Object(entries)) => {
                for (key, item) in entries.iter_mut() {
                    let length = self.enter(key);
                    self.item(holder, *kind, item)?;
                    self.path.truncate(length);
                }
            }
            (Kind::Items, Value::Array(items)) if items.iter().all(Value::is_string) => {}
            (Kind::Text, Value::String(_)) | (Kind::Bool, Value::Bool(_)) | (Kind::Raw | Kind::Json, _) => {}
            (Kind::Int, Value::Number(number)) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {}
            (Kind::Long, Value::Number(number)) if number.is_i64() => {}
            (Kind::IntOrString, Value::String(_)) => {}
            (Kind::IntOrString, Value::Number(number)) if number.is_i64() => {}
            (Kind::Bytes, Value::String(text)) => {
                if let Err(error) = base64::engine::general_purpose::STANDARD.decode(text.as_bytes()) {
                    return Err(format!("illegal base64 data at input byte {}", base64_offset(&error, text)));
                }
            }
            (Kind::Quantity, Value::String(_) | Value::Number(_)) => match Quantity::canonical(value) {
                Some(canonical) => *value = canonical.into(),
                None => return Err(QUANTITY_SYNTAX.into()),
            },
            (Kind::Time | Kind::MicroTime, Value::String(text)) => *value = time(kind, text)?,
            (kind, other) => {
                let wanted = go_type(kind);
                return Err(self.mismatch(holder, other, &wanted));
            }
        }
        Ok(())
    }

    /// An entry of a list or a map: a null is its type's zero.
    fn item(&mut self, holder: &Message, kind: Kind, item: &mut Value) -> Result<(), Mismatch> {
        if item.is_null() {
            *item = zero_of(kind);
        }
        if item.is_null() { Ok(()) } else { self.value(holder, kind, item) }
    }

    fn enter(&mut self, name: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        length
    }

    fn mismatch(&self, holder: &Message, found: &Value, wanted: &str) -> Mismatch {
        let place = match self.fields.as_slice() {
            [] => format!("Go value of type {wanted}"),
            fields => format!("Go struct field {}.{} of type {wanted}", go_name(holder.name), fields.join(".")),
        };
        let number = if found.is_f64() { format!(" {found}") } else { String::new() };
        format!("json: cannot unmarshal {}{number} into {place}", type_name(found))
    }
}

/// Shows the fields that are never left out.
fn show(message: &Message, fields: &mut Map<String, Value>) {
    for Field { json, kind, zero, .. } in message.fields {
        match kind {
            Kind::Message(inner) if *json == INLINE => show(inner, fields),
            _ if *zero == Zero::Shown && !fields.contains_key(*json) => {
                _ = fields.insert((*json).into(), zero_of(*kind))
            }
            _ => {}
        }
    }
}

fn zero_of(kind: Kind) -> Value {
    match kind {
        Kind::Message(message) => {
            let mut fields = Map::new();
            show(message, &mut fields);
            Value::Object(fields)
        }
        Kind::Text => json!(""),
        Kind::Int | Kind::Long | Kind::IntOrString => json!(0),
        Kind::Bool => json!(false),
        Kind::Quantity => json!("0"),
        Kind::Bytes
        | Kind::Time
        | Kind::MicroTime
        | Kind::Raw
        | Kind::Json
        | Kind::Items
        | Kind::List(_)
        | Kind::Map(_) => Value::Null,
    }
}

fn is_zero(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        // A struct behind a pointer is there though empty, and so is any JSON.
        (Kind::Message(_) | Kind::Raw | Kind::Json | Kind::Quantity | Kind::IntOrString, _) => false,
        (_, Value::String(text)) => text.is_empty(),
        (_, Value::Number(number)) => number.as_i64() == Some(0),
        (_, Value::Bool(value)) => !value,
        (_, Value::Array(items)) => items.is_empty(),
        (_, Value::Object(entries)) => entries.is_empty(),
    }
}

fn time(kind: Kind, text: &str) -> Result<Value, Mismatch> {
    let layout =
        if matches!(kind, Kind::MicroTime) { "2006-01-02T15:04:05.000000Z07:00" } else { "2006-01-02T15:04:05Z07:00" };
    let at: Timestamp =
        text.parse().map_err(|_| format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""))?;
    let form = if matches!(kind, Kind::MicroTime) { "%Y-%m-%dT%H:%M:%S.%6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Ok(at.strftime(form).to_string().into())
}

fn base64_offset(error: &base64::DecodeError, text: &str) -> usize {
    match error {
        base64::DecodeError::InvalidByte(at, _) => *at,
        _ => text.len() / 4 * 4,
    }
}

/// What Go calls a type in its messages.
fn go_type(kind: Kind) -> String {
    match kind {
        Kind::Text => "string".into(),
        Kind::Int => "int32".into(),
        Kind::Long => "int64".into(),
        Kind::Bool => "bool".into(),
        Kind::Bytes => "[]uint8".into(),
        Kind::Quantity => "resource.Quantity".into(),
        Kind::Time => "v1.Time".into(),
        Kind::MicroTime => "v1.MicroTime".into(),
        Kind::IntOrString => "intstr.IntOrString".into(),
        Kind::Raw | Kind::Json => "v1.JSON".into(),
        Kind::Items => "v1.ExtraValue".into(),
        Kind::Message(message) => format!("v1.{}", go_name(message.name)),
        Kind::List(kind) => format!("[]{}", go_type(*kind)),
        Kind::Map(kind) => format!("map[string]{}", go_type(*kind)),
    }
}

/// `resource.ErrFormatWrong` of apimachinery.
const QUANTITY_SYNTAX: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::types::find;
    use proptest::prelude::*;

    fn conformed(api_version: &str, kind: &str, mut object: Value) -> Result<(Value, Vec<String>), Mismatch> {
        let unknown = conform(find(api_version, kind).unwrap(), &mut object)?;
        Ok((object, unknown))
    }

    #[test]
    fn zeros_stand_where_go_shows_them() {
        // json.Marshal of the same Deployment, k8s.io/api v0.31.
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": null},
            "spec": {"replicas": 0, "paused": false, "template": {"spec": {"containers": [{"image": "a"}]}}}
        });
        let shown = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {
                "replicas": 0, "strategy": {},
                "template": {
                    "metadata": {"creationTimestamp": null},
                    "spec": {"containers": [{"name": "", "image": "a", "resources": {}}]}
                }
            },
            "status": {}
        });
        assert_eq!(conformed("apps/v1", "Deployment", object), Ok((shown, vec![])));
    }

    #[test]
    fn unknown_fields_are_named_and_go() {
        let object = json!({"metadata": {"name": "a", "x": 1}, "spec": {"containers": [{"name": "a"}, {"name": "b", "imagePolicy": "y"}]}});
        let (object, unknown) = conformed("v1", "Pod", object).unwrap();
        assert_eq!(unknown, ["metadata.x", "spec.containers[1].imagePolicy"]);
        assert!(object["spec"]["containers"][1].get("imagePolicy").is_none());
    }

    #[test]
    fn wrong_types_are_named_as_go_does() {
        let problem = |object| conformed("apps/v1", "Deployment", object).unwrap_err();
        assert_eq!(
            problem(json!({"spec": {"replicas": "three"}})),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        );
        assert_eq!(
            problem(json!({"spec": {"template": {"spec": {"containers": [{"name": 1}]}}}})),
            "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string"
        );
        let limits =
            json!({"spec": {"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}}}});
        assert_eq!(problem(limits), QUANTITY_SYNTAX);
    }

    #[test]
    fn amounts_and_times_take_their_form() {
        for (given, canonical) in [
            (json!("1.50"), "1500m"),
            (json!("1024Ki"), "1Mi"),
            (json!("0.5Gi"), "512Mi"),
            (json!("100M"), "100M"),
            (json!(4), "4"),
            (json!("1e3"), "1e3"),
            (json!("2000m"), "2"),
            (json!("-1"), "-1"),
            (json!("0"), "0"),
        ] {
            assert_eq!(Quantity::canonical(&given).as_deref(), Some(canonical), "{given}");
        }
        let lease = json!({"spec": {"renewTime": "2026-01-01T01:00:00.5+01:00"}});
        let (lease, _) = conformed("coordination.k8s.io/v1", "Lease", lease).unwrap();
        assert_eq!(lease["spec"]["renewTime"], "2026-01-01T00:00:00.500000Z");
    }

    proptest! {
        #[test]
        fn once_conformed_it_stays(seed in any::<u64>()) {
            let mut object = json!({"spec": {"replicas": seed % 5, "template": {"spec": {"nodeSelector": {"a": null}}}}, "x": seed});
            let pod = find("apps/v1", "ReplicaSet").unwrap();
            conform(pod, &mut object).unwrap();
            let once = object.clone();
            prop_assert_eq!(conform(pod, &mut object), Ok(vec![]));
            prop_assert_eq!(object, once);
        }
    }
}
