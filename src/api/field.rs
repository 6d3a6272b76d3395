//! Query parameters and body fields: what each may be, read and documented from the same lines.

use super::problem::{Kind, Problem};
use crate::yaml::nearest;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// A query parameter or a field of a body.
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// What it may be.
    pub(super) shape: Shape,
    /// What it means, for people.
    pub(super) help: &'static str,
    /// Whether it has to be there.
    pub(super) required: bool,
}

/// What a value may be.
pub(super) enum Shape {
    /// Text, with the pattern (ECMA 262) that is documented; whoever uses it checks it.
    Text(Option<&'static str>),
    /// One of a few words.
    Choice(fn() -> Vec<&'static str>),
    /// A whole number from the first to the second.
    Whole(u32, u32),
    /// True or false.
    Flag,
    /// Any JSON, as this schema describes it; whoever uses it checks it. Of bodies only.
    Json(fn() -> Value),
}

/// Values that are what their fields say.
#[derive(Debug, Default)]
pub(super) struct Values(Map<String, Value>);

/// A field that may be left out.
pub(super) const fn optional(name: &'static str, shape: Shape, help: &'static str) -> Field {
    Field { name, shape, help, required: false }
}

/// A field that has to be there.
pub(super) const fn required(name: &'static str, shape: Shape, help: &'static str) -> Field {
    Field { name, shape, help, required: true }
}

impl Values {
    /// Reads the query part of a URL.
    pub(super) fn from_query(query: &str, known: &[Field]) -> Result<Values, Problem> {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut values = Map::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, text) = (decode(name), decode(text));
            let Some(field) = known.iter().find(|field| field.name == name) else {
                let names: Vec<&str> = known.iter().map(|field| field.name).collect();
                let remedy =
                    if names.is_empty() { "leave it out".into() } else { format!("known here: {}", names.join(", ")) };
                return Err(Problem::new(Kind::BadRequest, format!("the query parameter {name:?} is unknown"), remedy));
            };
            let value = field.shape.read_text(&text).ok_or_else(|| {
                let detail = format!("the query parameter {name:?} is {text:?}");
                Problem::new(Kind::BadRequest, detail, format!("give {}", field.shape.expected()))
            })?;
            values.insert(name, value);
        }
        if let Some(field) = known.iter().find(|field| field.required && !values.contains_key(field.name)) {
            let detail = format!("the query parameter {:?} is missing", field.name);
            return Err(Problem::new(Kind::BadRequest, detail, format!("say {}", field.help)));
        }
        Ok(Values(values))
    }

    /// Checks the fields of a body.
    pub(super) fn from_object(object: Map<String, Value>, known: &[Field]) -> Result<Values, Problem> {
        for (name, value) in &object {
            let Some(field) = known.iter().find(|field| field.name == name) else {
                let hint = nearest(name, known.iter().map(|field| field.name));
                let hint = hint.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
                return Err(bad(format!("the field {name:?} is unknown{hint}"), known));
            };
            if !field.shape.takes(value) {
                let found = match (&field.shape, value) {
                    (Shape::Whole(..), Value::Number(_)) | (Shape::Choice(_), Value::String(_)) => value.to_string(),
                    _ => type_of(value).to_owned(),
                };
                return Err(bad(format!("the field {name:?} is {found}, expected {}", field.shape.expected()), known));
            }
        }
        match known.iter().find(|field| field.required && !object.contains_key(field.name)) {
            Some(field) => Err(missing(field.name)),
            None => Ok(Values(object)),
        }
    }

    /// Whether the field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All of them.
    pub(super) fn object(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Text, if the field is there.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    /// Text that has to be there.
    pub(super) fn need_text(&self, name: &str) -> Result<String, Problem> {
        self.text(name).ok_or_else(|| missing(name))
    }

    /// A whole number, if the field is there.
    pub(super) fn whole(&self, name: &str) -> Option<u32> {
        self.0.get(name)?.as_u64().and_then(|number| u32::try_from(number).ok())
    }

    /// True or false, if the field is there.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// Any value, if the field is there.
    #[allow(dead_code)]
    pub(super) fn json(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

/// The problem of a field that is not there.
pub(super) fn missing(name: &str) -> Problem {
    Problem::new(Kind::BadRequest, format!("the field {name:?} is missing"), format!("give {name:?} a value"))
}

impl Shape {
    fn read_text(&self, text: &str) -> Option<Value> {
        let value = match self {
            Shape::Text(_) | Shape::Choice(_) => text.into(),
            Shape::Whole(..) => text.parse::<u32>().ok()?.into(),
            Shape::Flag => text.parse::<bool>().ok()?.into(),
            Shape::Json(_) => return None,
        };
        self.takes(&value).then_some(value)
    }

    fn takes(&self, value: &Value) -> bool {
        match self {
            Shape::Text(_) => value.is_string(),
            Shape::Choice(words) => value.as_str().is_some_and(|word| words().contains(&word)),
            Shape::Whole(min, max) => {
                value.as_u64().is_some_and(|number| (u64::from(*min)..=u64::from(*max)).contains(&number))
            }
            Shape::Flag => value.is_boolean(),
            Shape::Json(_) => true,
        }
    }

    fn expected(&self) -> String {
        match self {
            Shape::Text(_) => "a string".into(),
            Shape::Choice(words) => format!("one of {}", words().join(", ")),
            Shape::Whole(min, max) => format!("a whole number from {min} to {max}"),
            Shape::Flag => "true or false".into(),
            Shape::Json(_) => "what the documentation says".into(),
        }
    }

    /// The JSON schema of it.
    pub(super) fn schema(&self) -> Value {
        match self {
            Shape::Text(None) => json!({ "type": "string" }),
            Shape::Text(Some(pattern)) => json!({ "type": "string", "pattern": pattern }),
            Shape::Choice(words) => json!({ "type": "string", "enum": words() }),
            Shape::Whole(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Shape::Flag => json!({ "type": "boolean" }),
            Shape::Json(schema) => schema(),
        }
    }
}

fn bad(detail: String, known: &[Field]) -> Problem {
    let names: Vec<&str> = known.iter().map(|field| field.name).collect();
    Problem::new(Kind::BadRequest, detail, format!("the fields here are {}", names.join(", ")))
}

/// What a value is, in words.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 4] = [
        required("name", Shape::Text(None), "which cluster"),
        optional("count", Shape::Whole(1, 9), "how many"),
        optional("state", Shape::Choice(|| vec!["up", "down"]), "which state"),
        optional("wait", Shape::Flag, "whether to wait"),
    ];

    fn detail(problem: Problem) -> String {
        serde_json::to_value(problem).unwrap()["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_fits_is_taken_from_query_and_body_alike() {
        let body = json!({"name": "a b", "count": 9, "state": "up", "wait": true});
        let Value::Object(body) = body else { unreachable!() };
        for values in
            [Values::from_query("name=a+b&count=9&&state=up&wait=true", &FIELDS), Values::from_object(body, &FIELDS)]
        {
            let values = values.unwrap();
            assert_eq!(values.text("name").as_deref(), Some("a b"));
            assert_eq!((values.whole("count"), values.flag("wait")), (Some(9), Some(true)));
            assert_eq!(values.text("state").as_deref(), Some("up"));
        }
    }

    #[test]
    fn each_mistake_in_a_query_is_named() {
        for (query, expected) in [
            ("", r#"the query parameter "name" is missing"#),
            ("name=x&count=0", r#"the query parameter "count" is "0""#),
            ("name=x&count=many", r#"the query parameter "count" is "many""#),
            ("name=x&state=sleepy", r#"the query parameter "state" is "sleepy""#),
            ("name=x&wait", r#"the query parameter "wait" is """#),
            ("nmae=x", r#"the query parameter "nmae" is unknown"#),
        ] {
            assert_eq!(detail(Values::from_query(query, &FIELDS).unwrap_err()), expected, "{query}");
        }
    }

    #[test]
    fn each_mistake_in_a_body_is_named() {
        for (body, expected) in [
            (json!({"nmae": "x"}), r#"the field "nmae" is unknown; did you mean "name"?"#),
            (json!({"name": 7}), r#"the field "name" is a number, expected a string"#),
            (json!({}), r#"the field "name" is missing"#),
            (json!({"name": "x", "count": 10}), r#"the field "count" is 10, expected a whole number from 1 to 9"#),
            (json!({"name": "x", "count": 1.5}), r#"the field "count" is 1.5, expected a whole number from 1 to 9"#),
            (json!({"name": "x", "wait": "yes"}), r#"the field "wait" is a string, expected true or false"#),
            (json!({"name": "x", "state": "off"}), r#"the field "state" is "off", expected one of up, down"#),
        ] {
            let Value::Object(object) = body.clone() else { unreachable!() };
            assert_eq!(detail(Values::from_object(object, &FIELDS).unwrap_err()), expected, "{body}");
        }
    }
}
