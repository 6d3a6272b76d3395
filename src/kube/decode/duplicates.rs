//! JSON, with the names that stand twice in one object.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads JSON; of a field that comes twice the last one counts, and its path is told.
pub(super) fn from_slice(bytes: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let (mut path, mut found) = (String::new(), Vec::new());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Place { path: &mut path, found: &mut found }.deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, found))
}

/// Where the reader is.
struct Place<'a> {
    path: &'a mut String,
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let length = self.path.len();
        loop {
            self.path.push_str(&format!("[{}]", list.len()));
            let item = items.next_element_seed(Place { path: self.path, found: self.found })?;
            self.path.truncate(length);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        let length = self.path.len();
        while let Some(name) = entries.next_key::<String>()? {
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            if fields.contains_key(&name) && !self.found.contains(self.path) {
                self.found.push(self.path.clone());
            }
            let value = entries.next_value_seed(Place { path: self.path, found: self.found })?;
            self.path.truncate(length);
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_one_counts_and_the_path_is_told() {
        let (value, found) = from_slice(br#"{"a": {"b": 1, "b": 2}, "c": [{"d": 1}, {"d": 1, "d": 3}]}"#).unwrap();
        assert_eq!(value, json!({"a": {"b": 2}, "c": [{"d": 1}, {"d": 3}]}));
        assert_eq!(found, ["a.b", "c[1].d"]);
        assert!(from_slice(b"{} x").is_err());
        assert!(from_slice(&[b"[".repeat(1_000), b"]".repeat(1_000)].concat()).is_err(), "depth is bounded");
    }
}
