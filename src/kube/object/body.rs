//! What clients and controllers wrote of one object.

use super::marks::{Fill, first};
use super::own::{Flat, MOST_OWN, Own};
use super::shared::{Piece, share};
use super::{Particulars, Stamp, Uid, micro_time, time};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// An object's JSON after `apiVersion` and `kind`, which its resource tells, and without what a [`Stamp`] holds.
///
/// `metadata` comes first, its fields in the order an API server writes them. A body in two pieces, so that a change of the status leaves
/// the first one as it is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::kube) struct ObjectBody {
    /// From the comma before `"metadata"` on.
    front: Arc<Piece>,
    /// From the comma before `"status"`, if there is one, to the object's closing brace.
    back: Arc<Piece>,
    /// What fills the holes of what only this object says.
    own: Box<[Own]>,
    /// Where the value of `metadata.labels` stands; empty without labels.
    labels: Range<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
        let mut split = None;
        let others = metadata.keys().map(String::as_str).filter(|name| !is_known(name));
        for name in WRITTEN_LAST.into_iter().chain(others) {
            let Some(value) = metadata.get(name).filter(|value| !is_empty(value)) else { continue };
            if name == "managedFields" && holes == Holes::Marks {
                // A template may have been read from a cluster, and tell who owned its fields there.
                continue;
            }
            writer.field(",", name, value);
            if name == "labels" {
                let end = writer.at();
                labels = writer.value_start..end;
            }
        }
        writer.raw("}");
        for (name, value) in fields {
            if !["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
                if name == "status" {
                    split = Some(writer.text.len());
                }
                writer.field(",", name, value);
            }
        }
        let split = split.unwrap_or(writer.text.len());
        writer.raw("}");
        ObjectBody::of(Flat { text: writer.text, holes: writer.holes, labels, split }, Vec::new(), Arc::new)
    }

    /// The same body, its pieces shared with equal ones; `names` are such as hardly any other object has.
    pub(in crate::kube) fn shared(self, particulars: &Particulars, names: &[&str]) -> ObjectBody {
        if self.text_bytes() > LARGEST_SHARED_BYTES {
            return self;
        }
        let (flat, own) = self.flat().abstracted(particulars, names);
        ObjectBody::of(flat, own, share)
    }

    pub(super) fn of(flat: Flat, own: Vec<Own>, keep: impl Fn(Piece) -> Arc<Piece>) -> ObjectBody {
        let Flat { mut text, mut holes, labels, split } = flat;
        let first = holes.partition_point(|hole| (hole.at as usize) < split);
        let mut later = holes.split_off(first);
        later.iter_mut().for_each(|hole| hole.at -= split as u32);
        let back = Piece { text: text.split_off(split).into(), holes: later.into() };
        let front = Piece { text: text.into(), holes: holes.into() };
        ObjectBody { front: keep(front), back: keep(back), own: own.into(), labels }
    }

    /// The whole text, with what only this object says written out.
    pub(super) fn flat(&self) -> Flat {
        let mut flat = Flat {
            text: Vec::with_capacity(self.text_bytes()),
            holes: Vec::new(),
            labels: self.labels.clone(),
            split: 0,
        };
        let (mut start, mut end) = (0, 0);
        for piece in [&self.front, &self.back] {
            let is_front = std::ptr::eq(piece, &self.front);
            let mut from = 0;
            for hole in piece.holes.iter().map(Some).chain([None]) {
                let at = hole.map_or(piece.text.len(), |hole| hole.at as usize);
                if is_front {
                    for (place, mapped) in
                        [(self.labels.start as usize, &mut start), (self.labels.end as usize, &mut end)]
                    {
                        if (from..=at).contains(&place) {
                            *mapped = flat.text.len() + place - from;
                        }
                    }
                }
                flat.text.extend_from_slice(&piece.text[from..at]);
                from = at;
                match hole.map(|hole| hole.fill) {
                    Some(Fill::Own(place)) => flat.text.extend_from_slice(self.own_text(place).as_bytes()),
                    Some(fill) => flat.holes.push(Hole { at: flat.text.len() as u32, fill }),
                    None => {}
                }
            }
            if is_front {
                flat.split = flat.text.len();
            }
        }
        flat.labels = start as u32..end as u32;
        flat
    }

    /// Appends the object after its `apiVersion` and `kind`.
    pub(in crate::kube) fn write(&self, stamp: &Stamp, particulars: &Particulars, out: &mut Vec<u8>) {
        out.reserve(self.text_bytes() + STAMP_BYTES);
        for piece in [&self.front, &self.back] {
            self.write_range(piece, 0..piece.text.len(), stamp, particulars, out);
        }
    }

    /// `metadata.labels`; `None` without any.
    pub(in crate::kube) fn labels(&self, stamp: &Stamp, particulars: &Particulars) -> Option<Map<String, Value>> {
        if self.labels.is_empty() {
            return None;
        }
        let mut text = Vec::new();
        let range = self.labels.start as usize..self.labels.end as usize;
        self.write_range(&self.front, range, stamp, particulars, &mut text);
        serde_json::from_slice(&text).ok()
    }

    /// Whether a heartbeat shows in it.
    pub(in crate::kube) fn beats(&self) -> bool {
        self.holes().any(|hole| matches!(hole.fill, Fill::Heartbeat | Fill::Renewal))
    }

    /// Whether the text `needle` occurs in it outside of holes and of its status.
    pub(in crate::kube) fn mentions(&self, needle: &str) -> bool {
        contains(&self.front.text, needle)
    }

    /// Whether an object's uid occurs in it.
    pub(in crate::kube) fn mentions_uid(&self, uid: Uid) -> bool {
        // Bodies that are too large to be shared, or say too much of their own, have uids in their texts.
        self.own.contains(&Own::Uid(uid))
            || (self.own.is_empty() || self.own.len() == MOST_OWN)
                && [&self.front, &self.back].into_iter().any(|piece| contains(&piece.text, &uid.to_string()))
    }

    /// Whether the uid of the baseline object `ordinal` occurs in it.
    pub(in crate::kube) fn mentions_baseline(&self, ordinal: u32) -> bool {
        self.holes().any(|hole| hole.fill == Fill::Uid(ordinal))
    }

    /// How many bytes of text it has.
    pub(in crate::kube) fn text_bytes(&self) -> usize {
        self.front.text.len() + self.back.text.len()
    }

    /// How many bytes it takes beside its pieces.
    pub(in crate::kube) fn own_bytes(&self) -> usize {
        let name = |own: &Own| if let Own::Name(name) = own { name.len() } else { 0 };
        size_of::<ObjectBody>() + size_of_val(&*self.own) + self.own.iter().map(name).sum::<usize>()
    }

    /// How many bytes it takes, its share of shared pieces among them.
    pub(in crate::kube) fn size_bytes(&self) -> usize {
        let pieces = [&self.front, &self.back];
        self.own_bytes() + pieces.map(|piece| piece.size_bytes() / Arc::strong_count(piece)).iter().sum::<usize>()
    }

    fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.front.holes.iter().chain(&self.back.holes)
    }

    fn own_text(&self, place: u32) -> String {
        self.own.get(place as usize).map(Own::to_string).unwrap_or_default()
    }

    fn write_range(
        &self,
        piece: &Piece,
        range: Range<usize>,
        stamp: &Stamp,
        particulars: &Particulars,
        out: &mut Vec<u8>,
    ) {
        let mut from = range.start;
        let holes = piece.holes.iter().map(|hole| (hole.at as usize, hole.fill));
        for (at, fill) in holes.filter(|(at, _)| range.contains(at)) {
            out.extend_from_slice(&piece.text[from..at]);
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
                Fill::Own(place) => Cow::Owned(self.own_text(place)),
            };
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&piece.text[from..range.end]);
    }
}

fn contains(text: &[u8], needle: &str) -> bool {
    text.windows(needle.len().max(1)).any(|window| window == needle.as_bytes())
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
const SERVER_OWNED: [&str; 7] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];
/// Metadata before the server's fields, in the order of `metav1.ObjectMeta`.
const WRITTEN_FIRST: [&str; 3] = ["name", "generateName", "namespace"];
/// Metadata after the server's fields, in the order of `metav1.ObjectMeta`.
const WRITTEN_LAST: [&str; 5] = ["labels", "annotations", "ownerReferences", "finalizers", "managedFields"];
/// Larger bodies are hardly ever equal to others.
const LARGEST_SHARED_BYTES: usize = 64 << 10;
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
                "resourceVersion": "1", "finalizers": null}
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

    #[test]
    fn what_only_one_object_says_does_not_keep_others_from_sharing_its_body() {
        let particulars = |name: &str| Particulars::new(name, 1, 1_767_225_600);
        let uid = |number| Uid::of_baseline(number, 7);
        let pod = |cluster: &str, number: u64| {
            json!({
                "metadata": {
                    "name": format!("web-{number}"), "generateName": "web-", "labels": {"app": "web"},
                    "ownerReferences": [{"name": "web", "uid": uid(number).to_string()}]
                },
                "spec": {"nodeName": format!("{cluster}-worker-1"), "text": "2026-01-01T00:00:00Z and more"},
                "status": {"startTime": time(1_767_225_600 + number as i64), "conditions": [{"at": time(1_767_225_600 + number as i64)}]}
            })
        };
        let body = |cluster: &str, number: u64| {
            let name = format!("web-{number}");
            ObjectBody::compile(&pod(cluster, number), Holes::Stamp).shared(&particulars(cluster), &[&name])
        };
        let (one, other) = (body("edge-0001", 1), body("edge-0002", 2));
        assert!(Arc::ptr_eq(&one.front, &other.front) && Arc::ptr_eq(&one.back, &other.back));
        assert_eq!((one.own.len(), other.own.len()), (3, 3), "name, uid and one time: {:?}", one.own);
        assert!(one.mentions_uid(uid(1)) && !one.mentions_uid(uid(2)));
        for (body, cluster, number) in [(&one, "edge-0001", 1), (&other, "edge-0002", 2)] {
            let mut text = Vec::new();
            body.write(&stamp(), &particulars(cluster), &mut text);
            let mut written: Value = serde_json::from_slice(&[b"{", &text[1..]].concat()).unwrap();
            for field in ["uid", "resourceVersion", "creationTimestamp"] {
                written["metadata"].as_object_mut().unwrap().remove(field);
            }
            assert_eq!(written, pod(cluster, number));
            assert_eq!(body.labels(&stamp(), &particulars(cluster)), json!({"app": "web"}).as_object().cloned());
        }
        let changed = json!({"metadata": {"name": "a"}, "spec": {"a": 1}, "status": {"b": 1}});
        let status = |number: u64| {
            let mut object = changed.clone();
            object["status"]["b"] = json!(number);
            ObjectBody::compile(&object, Holes::Stamp).shared(&particulars("edge"), &[])
        };
        assert!(Arc::ptr_eq(&status(1).front, &status(2).front), "a change of status keeps the first piece");
    }
}
