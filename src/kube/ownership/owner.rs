//! An owner of fields: an entry of `metadata.managedFields`.

use super::field_set::FieldSet;
use crate::kube::object::time;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Who writes, by what endpoint, and when.
#[derive(Debug, Clone)]
pub(in crate::kube) struct Author<'a> {
    /// The field manager.
    pub manager: Cow<'a, str>,
    /// The version it speaks of the object in.
    pub api_version: String,
    /// Below the object, where the write was about a part of it.
    pub subresource: Option<&'a str>,
    pub now: Timestamp,
}

/// Who wrote or applied fields of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub manager: String,
    /// Whether it applied them; else it updated them.
    pub applies: bool,
    pub api_version: String,
    pub subresource: String,
    /// Of its last change.
    pub time: Option<String>,
    pub fields: FieldSet,
}

impl Author<'_> {
    /// Its entry, with no fields yet.
    pub(super) fn owner(&self, applies: bool) -> Owner {
        Owner {
            manager: if self.manager.is_empty() { "unknown".into() } else { self.manager.to_string() },
            applies,
            api_version: self.api_version.clone(),
            subresource: self.subresource.unwrap_or_default().to_owned(),
            time: None,
            fields: FieldSet::default(),
        }
    }

    pub(super) fn time(&self) -> Option<String> {
        Some(time(self.now.as_second()))
    }
}

impl Owner {
    /// Whether it is the same owner: one that applies is known by its name in every version.
    pub(super) fn is(&self, other: &Owner) -> bool {
        self.manager == other.manager
            && self.applies == other.applies
            && self.subresource == other.subresource
            && (self.applies || self.api_version == other.api_version)
    }

    /// What errors call it.
    pub(super) fn title(&self) -> String {
        let mut title = Value::from(self.manager.as_str()).to_string();
        if !self.subresource.is_empty() {
            title.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.applies {
            title.push_str(&format!(" using {}", self.api_version));
        }
        title
    }

    /// Leaves out what belongs to nobody: an object's identity, and what the server keeps.
    pub(super) fn strip(&mut self) {
        let mut own = FieldSet::of(NOBODYS);
        own.add(&FieldSet::of(&[&["metadata"]]));
        self.fields = self.fields.without(&own);
    }
}

/// The owners in `managedFields`; `None` if there is an entry that is none.
pub(super) fn decode(managed: &Value) -> Option<Vec<Owner>> {
    let owner = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let applies = match entry["operation"].as_str()? {
            "Apply" => true,
            "Update" => false,
            _ => return None,
        };
        if text("apiVersion").is_empty() || entry["fieldsType"] != "FieldsV1" {
            return None;
        }
        let fields =
            if entry["fieldsV1"].is_null() { FieldSet::default() } else { FieldSet::parse(&entry["fieldsV1"])? };
        Some(Owner {
            manager: text("manager"),
            applies,
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: entry["time"].as_str().map(str::to_owned),
            fields,
        })
    };
    managed.as_array().into_iter().flatten().map(owner).collect()
}

/// `managedFields` of these owners, in an API server's order.
pub(super) fn encode(mut owners: Vec<Owner>) -> Value {
    owners.retain(|owner| !owner.fields.is_empty());
    owners.sort_by(|a, b| {
        let key = |owner: &Owner| {
            let names = [owner.manager.clone(), owner.api_version.clone(), owner.subresource.clone()];
            (!owner.applies, owner.time.clone(), names)
        };
        key(a).cmp(&key(b))
    });
    let entry = |owner: &Owner| {
        let mut entry = json!({
            "manager": owner.manager, "operation": if owner.applies { "Apply" } else { "Update" }, "apiVersion": owner.api_version,
            "fieldsType": "FieldsV1", "fieldsV1": owner.fields.to_value()
        });
        if let Some(time) = &owner.time {
            entry["time"] = json!(time);
        }
        if !owner.subresource.is_empty() {
            entry["subresource"] = json!(owner.subresource);
        }
        entry
    };
    owners.iter().map(entry).collect()
}

/// Merges the oldest of those that update into one while there are too many of them.
pub(super) fn cap(owners: &mut Vec<Owner>) {
    let mut updaters: Vec<Owner> = owners.extract_if(.., |owner| !owner.applies).collect();
    updaters.sort_by(|a, b| (&a.time, &a.manager).cmp(&(&b.time, &b.manager)));
    while updaters.len() > MOST_UPDATERS {
        let oldest = updaters.remove(0);
        let Some(next) = updaters.iter().position(|owner| owner.api_version == oldest.api_version) else { continue };
        let next = &mut updaters[next];
        next.manager = ANCIENT.into();
        next.subresource = String::new();
        next.fields.add(&oldest.fields);
    }
    owners.append(&mut updaters);
}

/// Fields that have no owner (apimachinery `stripMetaManager`).
const NOBODYS: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];
/// How many entries of updates an object has at most, and who the older ones belong to (apimachinery `capManagersManager`).
const MOST_UPDATERS: usize = 10;
const ANCIENT: &str = "ancient-changes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_and_go() {
        let entry = |manager: &str, operation: &str, time: &str| {
            json!({
                "manager": manager, "operation": operation, "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {"f:a": {}}}
            })
        };
        let managed = json!([
            entry("z", "Apply", "2026-01-01T00:00:00Z"),
            entry("a", "Apply", "2026-01-01T00:00:01Z"),
            entry("b", "Update", "2026-01-01T00:00:00Z")
        ]);
        let owners = decode(&managed).unwrap();
        assert_eq!(encode(owners.iter().rev().cloned().collect()), managed);
        assert!(decode(&json!([{"manager": "x", "operation": "Eat"}])).is_none());
        assert_eq!(owners[2].title(), "\"b\" using v1");
    }

    #[test]
    fn old_updates_become_one() {
        let author = |name: &str| Author {
            manager: name.to_owned().into(),
            api_version: "v1".into(),
            subresource: None,
            now: Timestamp::UNIX_EPOCH,
        };
        let mut owners: Vec<Owner> = (0..14)
            .map(|number| {
                let fields = FieldSet::of(&[&["data", ["a", "b"][number % 2]]]);
                let time = Some(format!("2026-01-01T00:00:{number:02}Z"));
                Owner { fields, time, ..author(&format!("m{number}")).owner(number == 0) }
            })
            .collect();
        cap(&mut owners);
        assert_eq!(owners.iter().filter(|owner| !owner.applies).count(), MOST_UPDATERS);
        let ancient = owners.iter().find(|owner| owner.manager == ANCIENT).unwrap();
        assert_eq!(ancient.fields.paths(), [".data.a", ".data.b"]);
        assert!(owners.iter().any(|owner| owner.manager == "m13") && !owners.iter().any(|owner| owner.manager == "m1"));
    }
}
