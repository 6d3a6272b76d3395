//! What is known of the type of a value, as far as it tells who may own which part of it.

use super::field_set::shown;
use crate::kube::types::{self, INLINE, Kind, List, Message, Zero};
use serde_json::{Map, Value};

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(in crate::kube) enum Shape<'a> {
    /// A built-in type, and how its list or map merges if it is marked.
    Known(Kind, Option<List>),
    /// A custom kind's whole object.
    Object(&'a Value),
    /// What a custom kind's schema says of a value.
    Custom(&'a Value),
    /// Nothing is known: maps are owned key by key, lists as a whole.
    Deduced,
}

/// Who may own a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// One owner, or several who agree.
    Leaf,
    /// Each field of an object has owners of its own.
    Map,
    /// Each value of a list has.
    Set,
    /// Each element of a list has, told apart by these fields.
    Keyed(Vec<&'a str>),
}

impl<'a> Shape<'a> {
    /// The shape of a kind's objects.
    pub(in crate::kube) fn of(message: Option<&'static Message>, schema: Option<&'a Value>) -> Shape<'a> {
        match (message, schema) {
            (Some(message), _) => Shape::Known(Kind::Message(message), None),
            (None, Some(schema)) => Shape::Object(schema),
            (None, None) => Shape::Deduced,
        }
    }

    /// How `value` is owned.
    pub(super) fn form(self, value: &Value) -> Form<'a> {
        match (value, self) {
            (Value::Object(_), Shape::Known(Kind::Message(message), _)) if types::is_atomic(message) => Form::Leaf,
            (Value::Object(_), Shape::Known(_, Some(List::Atomic))) => Form::Leaf,
            (Value::Object(_), Shape::Custom(schema)) if schema["x-kubernetes-map-type"] == "atomic" => Form::Leaf,
            (Value::Object(_), _) => Form::Map,
            (Value::Array(_), Shape::Known(_, Some(List::Set))) => Form::Set,
            (Value::Array(_), Shape::Known(_, Some(List::Map(keys)))) => Form::Keyed(keys.to_vec()),
            (Value::Array(_), Shape::Custom(schema)) => match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => Form::Set,
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array();
                    Form::Keyed(keys.into_iter().flatten().filter_map(Value::as_str).collect())
                }
                _ => Form::Leaf,
            },
            _ => Form::Leaf,
        }
    }

    /// The shape of a field of an object, or of a value of a map; `None` if there can be none of this name.
    pub(super) fn field(self, name: &str) -> Option<Shape<'a>> {
        match self {
            Shape::Known(Kind::Message(message), _) => field_of(message, name),
            Shape::Known(Kind::Map(inner), _) => Some(Shape::Known(*inner, None)),
            Shape::Object(_) if ["apiVersion", "kind"].contains(&name) => Some(TEXT),
            Shape::Object(_) if name == "metadata" => Some(Shape::Known(Kind::Message(&types::OBJECT_META), None)),
            Shape::Object(schema) | Shape::Custom(schema) => match schema["properties"].get(name) {
                Some(own) => Some(Shape::Custom(own)),
                None => match schema.get("additionalProperties") {
                    Some(values @ Value::Object(_)) => Some(Shape::Custom(values)),
                    None | Some(Value::Bool(false))
                        if schema["properties"].is_object()
                            && schema["x-kubernetes-preserve-unknown-fields"] != true =>
                    {
                        None
                    }
                    _ => Some(Shape::Deduced),
                },
            },
            Shape::Known(..) | Shape::Deduced => Some(Shape::Deduced),
        }
    }

    /// Whether `name` is a field of a struct rather than a key of a map.
    pub(super) fn declares(self, name: &str) -> bool {
        match self {
            Shape::Known(Kind::Message(_), _) => true,
            Shape::Object(_) if ["apiVersion", "kind", "metadata"].contains(&name) => true,
            Shape::Object(schema) | Shape::Custom(schema) => schema["properties"].get(name).is_some(),
            Shape::Known(..) | Shape::Deduced => false,
        }
    }

    /// The shape of a list's elements.
    pub(super) fn item(self) -> Shape<'a> {
        match self {
            Shape::Known(Kind::List(inner), _) => Shape::Known(*inner, None),
            Shape::Custom(schema) => Shape::Custom(&schema["items"]),
            _ => Shape::Deduced,
        }
    }

    /// What tells an element of a list from others, as `fieldsV1` has it: `v:"a"` or `k:{"name":"a"}`; `None` for one that has none of
    /// the keys.
    pub(super) fn element(self, form: &Form<'_>, item: &Value) -> Option<String> {
        let Form::Keyed(keys) = form else { return Some(format!("v:{item}")) };
        let mut identity = Map::new();
        for key in keys {
            let value = item.get(*key).cloned().or_else(|| self.item().default_of(key));
            if let Some(value) = value {
                identity.insert((*key).to_owned(), value);
            }
        }
        (!identity.is_empty()).then(|| format!("k:{}", Value::Object(identity)))
    }

    /// What stands for a key that an element leaves out.
    fn default_of(self, key: &str) -> Option<Value> {
        match self {
            Shape::Known(Kind::Message(message), _) => {
                let field = message.field(key)?;
                match (types::key_default(message, field), field.zero, field.kind) {
                    (Some(default), ..) => Some(default.into()),
                    (None, Zero::Shown, Kind::Text) => Some("".into()),
                    (None, Zero::Shown, Kind::Int | Kind::Long) => Some(0.into()),
                    _ => None,
                }
            }
            Shape::Custom(schema) => schema["properties"][key].get("default").cloned(),
            _ => None,
        }
    }

    /// Where `value` has a field that its type has not, as a path.
    pub(in crate::kube) fn stranger(self, value: &Value) -> Option<String> {
        match value {
            Value::Object(fields) => fields.iter().find_map(|(name, value)| {
                let known = ["apiVersion", "kind"].contains(&name.as_str());
                match self.field(name) {
                    None if known => None,
                    None => Some(format!(".{name}")),
                    Some(inner) => Some(format!(".{name}{}", inner.stranger(value)?)),
                }
            }),
            Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
                let below = self.item().stranger(item)?;
                let form = self.form(value);
                let place = if form == Form::Leaf { None } else { self.element(&form, item) };
                Some(format!("{}{below}", place.map_or_else(|| format!("[{index}]"), |element| shown(&element))))
            }),
            _ => None,
        }
    }
}

fn field_of<'a>(message: &'static Message, name: &str) -> Option<Shape<'a>> {
    for field in message.fields {
        match field.kind {
            Kind::Message(inner) if field.json == INLINE => {
                if let found @ Some(_) = field_of(inner, name) {
                    return found;
                }
            }
            kind if field.json == name => {
                return Some(Shape::Known(kind, types::row(message, name).map(|row| row.list)));
            }
            _ => {}
        }
    }
    None
}

const TEXT: Shape<'static> = Shape::Known(Kind::Text, None);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn elements_are_told_apart_by_their_keys() {
        let pod = Shape::of(types::find("v1", "Pod"), None);
        let containers = pod.field("spec").unwrap().field("containers").unwrap();
        let form = containers.form(&json!([]));
        assert_eq!(form, Form::Keyed(vec!["name"]));
        assert_eq!(containers.element(&form, &json!({"name": "a"})).unwrap(), r#"k:{"name":"a"}"#);
        let ports = containers.item().field("ports").unwrap();
        let form = ports.form(&json!([]));
        let port = ports.element(&form, &json!({"containerPort": 80})).unwrap();
        assert_eq!(port, r#"k:{"containerPort":80,"protocol":"TCP"}"#);
        assert_eq!(ports.element(&Form::Keyed(vec!["x"]), &json!({})), None);
    }

    #[test]
    fn custom_schemas_say_how_they_merge() {
        let schema = json!({"properties": {"spec": {"properties": {
            "set": {"x-kubernetes-list-type": "set"}, "list": {"items": {}},
            "map": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]},
            "whole": {"x-kubernetes-map-type": "atomic"}
        }}}});
        let spec = Shape::of(None, Some(&schema)).field("spec").unwrap();
        let form = |name: &str, value: Value| spec.field(name).unwrap().form(&value);
        assert!(spec.field("other").is_none());
        assert_eq!(form("set", json!([])), Form::Set);
        assert_eq!(form("list", json!([])), Form::Leaf);
        assert_eq!(form("map", json!([])), Form::Keyed(vec!["id"]));
        assert_eq!(form("whole", json!({})), Form::Leaf);
        assert_eq!(form("list", json!({})), Form::Map);
    }

    #[test]
    fn strangers_are_found_at_every_depth() {
        let pod = Shape::of(types::find("v1", "Pod"), None);
        let stranger = |spec: Value| pod.stranger(&json!({"apiVersion": "v1", "kind": "Pod", "spec": spec}));
        let spec = json!({"containers": [{"name": "a", "envFrom": [{"x": 1}]}]});
        assert_eq!(stranger(spec).unwrap(), ".spec.containers[name=\"a\"].envFrom[0].x");
        assert_eq!(stranger(json!({"nodeSelector": {"x": "y"}, "ephemeralContainers": [{"name": "a"}]})), None);
    }
}
