//! What clients and controllers wrote of one object.

use super::marks::{Fill, first};
use super::{Particulars, Stamp, micro_time, time};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::ops::Range;

/// An object's JSON after `apiVersion` and `kind`, which its resource tells, and without what a [`Stamp`] holds.
///
/// `metadata` comes first, its fields in the order an API server writes them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::kube) struct ObjectBody {
    /// From the comma before `"metadata"` to the object's closing brace.
    pub(super) text: Box<[u8]>,
    /// In the order of their places.
    pub(super) holes: Box<[Hole]>,
    /// Where the value of `metadata.labels` stands; empty without labels.
    pub(super) labels: Range<u32>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Hole {
    /// Before which byte of the text.
    pub at: u32,
    /// What goes there.
    pub fill: Fill,
}

/// Which marks of an object become holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) enum Holes {
    /// None: what looks like a mark is what a client wrote.
    Stamp,
    /// Those of heartbeats.
    Heartbeats,
    /// Every mark (see `marks.rs`).
    Marks,
}

impl ObjectBody {
    /// Compiles an object; fields that the server owns are left out, and so is empty metadata.
    pub(in crate::kube) fn compile(object: &Value, holes: Holes) -> ObjectBody {
        let nothing = Map::new();
        let fields = object.as_object().unwrap_or(&nothing);
        let metadata = fields.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
        let mut writer = Writer { text: Vec::new(), holes: Vec::new(), wanted: holes, value_start: 0 };
        writer.raw(",\"metadata\":{");
        let mut comma = "";
        for name in WRITTEN_FIRST {
            if let Some(value) = metadata.get(name).filter(|value| !is_empty(value)) {
                writer.field(comma, name, value);
                comma = ",";
            }
        }
        writer.hole(Fill::Stamp);
        let mut labels = 0..0;
        let others = metadata.keys().map(String::as_str).filter(|name| !is_known(name));
        for name in WRITTEN_LAST.into_iter().chain(others) {
            let Some(value) = metadata.get(name).filter(|value| !is_empty(value)) else { continue };
            writer.field(",", name, value);
            if name == "labels" {
                let end = writer.at();
                labels = writer.value_start..end;
            }
        }
        writer.raw("}");
        for (name, value) in fields {
            if !["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
                writer.field(",", name, value);
            }
        }
        writer.raw("}");
        ObjectBody { text: writer.text.into(), holes: writer.holes.into(), labels }
    }

    /// Appends the object after its `apiVersion` and `kind`.
    pub(in crate::kube) fn write(&self, stamp: &Stamp, particulars: &Particulars, out: &mut Vec<u8>) {
        out.reserve(self.text.len() + STAMP_BYTES);
        self.write_range(0..self.text.len(), stamp, particulars, out);
    }

    /// `metadata.labels`; `None` without any.
    pub(in crate::kube) fn labels(&self, stamp: &Stamp, particulars: &Particulars) -> Option<Map<String, Value>> {
        if self.labels.is_empty() {
            return None;
        }
        let mut text = Vec::new();
        self.write_range(self.labels.start as usize..self.labels.end as usize, stamp, particulars, &mut text);
        serde_json::from_slice(&text).ok()
    }

    /// Whether a heartbeat shows in it.
    pub(in crate::kube) fn beats(&self) -> bool {
        self.holes.iter().any(|hole| matches!(hole.fill, Fill::Heartbeat | Fill::Renewal))
    }

    /// Whether the text `needle` occurs in it outside of holes.
    pub(in crate::kube) fn mentions(&self, needle: &str) -> bool {
        self.text.windows(needle.len().max(1)).any(|window| window == needle.as_bytes())
    }

    /// Whether the uid of the baseline object `ordinal` occurs in it.
    pub(in crate::kube) fn mentions_baseline(&self, ordinal: u32) -> bool {
        self.holes.iter().any(|hole| hole.fill == Fill::Uid(ordinal))
    }

    /// How many bytes it takes.
    pub(in crate::kube) fn size_bytes(&self) -> usize {
        size_of::<ObjectBody>() + self.text.len() + size_of_val(&*self.holes)
    }

    fn write_range(&self, range: Range<usize>, stamp: &Stamp, particulars: &Particulars, out: &mut Vec<u8>) {
        let mut from = range.start;
        let holes = self.holes.iter().map(|hole| (hole.at as usize, hole.fill));
        for (at, fill) in holes.filter(|(at, _)| range.contains(at)) {
            out.extend_from_slice(&self.text[from..at]);
            from = at;
            let text = match fill {
                Fill::Stamp => {
                    stamp.write(out);
                    continue;
                }
                Fill::ClusterName => Cow::Borrowed(particulars.json_name.as_ref()),
                Fill::Created => Cow::Owned(time(particulars.created_s)),
                Fill::Heartbeat => Cow::Owned(time(stamp.heartbeat_s)),
                Fill::Renewal => Cow::Owned(micro_time(stamp.heartbeat_s)),
                Fill::Uid(ordinal) => Cow::Owned(particulars.uid(ordinal).to_string()),
            };
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&self.text[from..range.end]);
    }
}

struct Writer {
    text: Vec<u8>,
    holes: Vec<Hole>,
    wanted: Holes,
    value_start: u32,
}

impl Writer {
    fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn hole(&mut self, fill: Fill) {
        let at = self.at();
        self.holes.push(Hole { at, fill });
    }

    fn field(&mut self, comma: &str, name: &str, value: &Value) {
        self.raw(comma);
        self.json(&Value::from(name));
        self.raw(":");
        self.value_start = self.at();
        self.json(value);
    }

    fn json(&mut self, value: &Value) {
        let text = value.to_string();
        let mut rest = text.as_str();
        while self.wanted != Holes::Stamp {
            let Some((before, fill, after)) = first(rest) else { break };
            if self.wanted == Holes::Marks || matches!(fill, Fill::Heartbeat | Fill::Renewal) {
                self.raw(before);
                self.hole(fill);
            } else {
                self.raw(&rest[..rest.len() - after.len()]);
            }
            rest = after;
        }
        self.raw(rest);
    }

    /// Objects are bounded far below 4 GiB.
    fn at(&self) -> u32 {
        self.text.len() as u32
    }
}

fn is_known(name: &str) -> bool {
    SERVER_OWNED.contains(&name) || WRITTEN_FIRST.contains(&name) || WRITTEN_LAST.contains(&name)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What a [`Stamp`] holds, and what this server does not keep.
const SERVER_OWNED: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];
/// Metadata before the server's fields, in the order of `metav1.ObjectMeta`.
const WRITTEN_FIRST: [&str; 3] = ["name", "generateName", "namespace"];
/// Metadata after the server's fields, in the order of `metav1.ObjectMeta`.
const WRITTEN_LAST: [&str; 4] = ["labels", "annotations", "ownerReferences", "finalizers"];
/// About what a rendered stamp takes.
const STAMP_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::super::{CLUSTER_NAME, CREATED, HEARTBEAT, RENEWAL, Uid, owner_uid};
    use super::*;
    use serde_json::json;

    fn particulars() -> Particulars {
        Particulars::new("edge", 1, 1_767_225_600)
    }

    fn stamp() -> Stamp {
        let uid = Uid::of_baseline(1, 2);
        Stamp { uid, revision: 9, created_s: 1_767_225_600, heartbeat_s: 1_767_225_630, deleted_s: None, generation: 0 }
    }

    fn rendered(object: &Value, holes: Holes) -> String {
        let mut out = Vec::new();
        ObjectBody::compile(object, holes).write(&stamp(), &particulars(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn metadata_comes_first_and_the_stamp_after_the_name() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"},
            "metadata": {"labels": {"x": "y"}, "name": "a", "namespace": "n", "annotations": {}, "uid": "old",
                "resourceVersion": "1", "managedFields": [{}], "finalizers": null}
        });
        let uid = Uid::of_baseline(1, 2);
        assert_eq!(
            rendered(&object, Holes::Stamp),
            format!(
                ",\"metadata\":{{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"{uid}\",\"resourceVersion\":\"9\",\
                 \"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{{\"x\":\"y\"}}}},\"data\":{{\"a\":\"1\"}}}}"
            )
        );
    }

    #[test]
    fn marks_are_filled() {
        let object = json!({
            "metadata": {"name": format!("{CLUSTER_NAME}-a"), "labels": {CLUSTER_NAME: format!("{CLUSTER_NAME}!")}},
            "a": CREATED, "b": HEARTBEAT, "c": RENEWAL, "d": owner_uid(5)
        });
        let text = rendered(&object, Holes::Marks);
        let value: Value = serde_json::from_str(&format!("{{{}", &text[1..])).unwrap();
        assert_eq!(value["metadata"]["name"], "edge-a");
        assert_eq!(value["a"], "2026-01-01T00:00:00Z");
        assert_eq!(value["b"], "2026-01-01T00:00:30Z");
        assert_eq!(value["c"], "2026-01-01T00:00:30.000000Z");
        assert_eq!(value["d"], Uid::of_baseline(1, 5).to_string());
        let body = ObjectBody::compile(&object, Holes::Marks);
        assert_eq!(Value::from(body.labels(&stamp(), &particulars()).unwrap()), json!({"edge": "edge!"}));
        assert!(body.beats() && body.mentions_baseline(5) && !body.mentions_baseline(6));
    }

    #[test]
    fn what_a_client_wrote_is_no_mark() {
        let object = json!({"metadata": {"name": "a"}, "data": {"x": CLUSTER_NAME, "y": HEARTBEAT}});
        let text = rendered(&object, Holes::Stamp);
        assert!(text.contains(CLUSTER_NAME) && text.contains(HEARTBEAT));
        let body = ObjectBody::compile(&object, Holes::Stamp);
        assert_eq!(body.labels(&stamp(), &particulars()), None);
        assert!(body.mentions("cluster-name") && !body.mentions("edge"));
    }

    #[test]
    fn equal_objects_have_equal_bodies() {
        let one = json!({"metadata": {"name": "a", "resourceVersion": "1"}, "data": {}});
        let other = json!({"metadata": {"name": "a", "resourceVersion": "2", "labels": {}}, "data": {}});
        assert_eq!(ObjectBody::compile(&one, Holes::Stamp), ObjectBody::compile(&other, Holes::Stamp));
    }
}
