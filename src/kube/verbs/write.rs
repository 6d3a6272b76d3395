//! What every write comes down to.

use crate::kube::admission::{Expected, fit_kind};
use crate::kube::catalog::api_version;
use crate::kube::custom::structural;
use crate::kube::object::{HEARTBEAT, Holes, ObjectBody, RENEWAL, SHORTEST_NAME_BYTES, Stamp, Uid, micro_time, time};
use crate::kube::request::dispatch::Call;
use crate::kube::request::served::Served;
use crate::kube::response::quote::quote;
use crate::kube::store::{Stored, Version, path_of};
use crate::kube::strategy::generation::{has_generation, is_asked_otherwise};
use crate::kube::tree::{self, DEPTH_LIMIT, depth};
use crate::kube::types::{self, Mismatch};
use crate::kube::{Cause, Cluster, Resource, Status, decode};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Whether a write is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) enum Keep {
    /// It is.
    Yes,
    /// `dryRun=All`: everything is checked and answered as if it were.
    DryRun,
}

impl Keep {
    pub(in crate::kube) fn of(call: &Call<'_>) -> Keep {
        if call.query.is_dry_run() { Keep::DryRun } else { Keep::Yes }
    }
}

impl Cluster {
    /// The object in the body of a call, in the form of its type.
    pub(in crate::kube) fn body_of<'a>(
        &self,
        call: &Call<'_>,
        expected: impl Into<Expected<'a>>,
    ) -> Result<Value, Status> {
        let expected = expected.into();
        self.check_size(call.request.body.len())?;
        let (mut object, duplicates) =
            decode::body_and_duplicates(call.content_type(), &call.request.body, expected.kind)?;
        if let Value::Object(fields) = &mut object {
            check_custom_kind(call, expected, fields)?;
            fit_kind(expected, fields)?;
        }
        let refuse = |problem| {
            let (kind, version) = (expected.kind, quote(expected.version));
            Status::bad_request(format!("{kind} in version {version} cannot be handled as a {kind}: {problem}"))
        };
        typed(call, expected, &mut object, duplicates).map_err(refuse)?;
        Ok(object)
    }

    /// Refuses what is larger than an object may be.
    pub(super) fn check_size(&self, bytes: usize) -> Result<(), Status> {
        let limit = self.limits.object_bytes;
        if bytes > limit { Err(Status::request_entity_too_large(format!("limit is {limit}"))) } else { Ok(()) }
    }

    /// Stores an object that is not there yet and that has passed every check.
    pub(in crate::kube) fn store_new(
        &mut self,
        served: &Served,
        object: &Value,
        uid: Uid,
        keep: Keep,
        now: Timestamp,
    ) -> Result<Version, Status> {
        if self.store.written() >= self.limits.objects {
            return Err(Status::unknown(FULL));
        }
        let body = self.compile(served, object, Holes::Stamp)?;
        let mut stamp = self.new_stamp(served, uid, now);
        if keep == Keep::DryRun {
            // What was never stored has no revision.
            stamp.revision = 0;
        }
        Ok(self.keep(served, &path(object), stamp, body, keep))
    }

    /// Stores a new object made after the pattern of a stored one: where that one's heartbeat stands, its own goes on.
    pub(in crate::kube) fn store_like(
        &mut self,
        served: &Served,
        pattern: &Version,
        object: &Value,
        now: Timestamp,
    ) -> Result<Version, Status> {
        let mut object = object.clone();
        let holes = if self.store.body(pattern).beats() { Holes::Heartbeats } else { Holes::Stamp };
        if holes == Holes::Heartbeats {
            mark_heartbeats(&mut object, self.store.stamp(pattern).heartbeat_s);
        }
        let body = self.compile(served, &object, holes)?;
        let uid = Uid::random(&mut self.random);
        let stamp = self.new_stamp(served, uid, now);
        Ok(self.keep(served, &path(&object), stamp, body, Keep::Yes))
    }

    fn new_stamp(&self, served: &Served, uid: Uid, now: Timestamp) -> Stamp {
        Stamp {
            uid,
            revision: self.revision(),
            created_s: now.as_second(),
            heartbeat_s: now.as_second(),
            deleted_s: None,
            // A CSIDriver begins without one.
            generation: u32::from(has_generation(served) && !served.is("storage.k8s.io", "csidrivers")),
        }
    }

    /// Stores the new state of an object that was `old` before; what changes nothing is no change, and what lets go of a deleted object ends it.
    pub(in crate::kube) fn store_changed(
        &mut self,
        served: &Served,
        before: &Version,
        mut old: Value,
        mut object: Value,
        keep: Keep,
    ) -> Result<Version, Status> {
        let mut stamp = self.store.stamp(before);
        // Of a PriorityClass nothing that counts can change.
        let counts = has_generation(served) && !served.is("scheduling.k8s.io", "priorityclasses");
        if counts && is_asked_otherwise(served, &old, &object) {
            stamp.generation += 1;
        }
        let holes = if self.store.body(before).beats() {
            mark_heartbeats(&mut old, stamp.heartbeat_s);
            mark_heartbeats(&mut object, stamp.heartbeat_s);
            Holes::Heartbeats
        } else {
            Holes::Stamp
        };
        let body = self.compile(served, &object, holes)?;
        if stamp.deleted_s.is_some() && !is_held(served, &object) {
            return Ok(self.end(served, &path(&object), stamp, body, keep));
        }
        // The stored body itself may have other holes than what was read of it.
        if self.compile(served, &old, holes)? == body {
            return Ok(before.clone());
        }
        Ok(self.keep(served, &path(&object), stamp, body, keep))
    }

    /// Marks a stored object as deleted while something holds it.
    pub(super) fn store_deleting(
        &mut self,
        served: &Served,
        before: &Version,
        object: &Value,
        keep: Keep,
        now: Timestamp,
    ) -> Result<Version, Status> {
        let mut stamp = self.store.stamp(before);
        if stamp.deleted_s.is_none() {
            stamp.deleted_s = Some(now.as_second());
            // The wish to be gone counts as asked for, but of a definition.
            let counts = has_generation(served) && !served.is("apiextensions.k8s.io", "customresourcedefinitions");
            stamp.generation += u32::from(counts);
        }
        let body = self.compile(served, object, Holes::Stamp)?;
        Ok(self.keep(served, &path(object), stamp, body, keep))
    }

    /// Marks a stored object as deleted that nothing holds, in its last moment.
    pub(super) fn store_ending(&mut self, served: &Served, before: &Version, keep: Keep, now: Timestamp) -> Version {
        let stamp = Stamp { deleted_s: Some(now.as_second()), ..self.store.stamp(before) };
        let (path, body) = (self.store.path(before).into_owned(), self.store.body(before).clone());
        self.keep(served, &path, stamp, body, keep)
    }

    /// Takes an object away.
    pub(in crate::kube) fn store_removed(&mut self, served: &Served, path: &str) -> Option<Version> {
        let write = self.store.remove(served.storage, path)?;
        self.unsettled.push_back(write.clone());
        Some(Version::Written(write.object.clone()))
    }

    fn end(&mut self, served: &Served, path: &str, stamp: Stamp, body: Arc<ObjectBody>, keep: Keep) -> Version {
        if keep == Keep::Yes {
            self.store_removed(served, path);
        }
        Version::Written(Arc::new(Stored { path: path.into(), stamp, body }))
    }

    fn keep(&mut self, served: &Served, path: &str, stamp: Stamp, body: Arc<ObjectBody>, keep: Keep) -> Version {
        if keep == Keep::DryRun {
            return Version::Written(Arc::new(Stored { path: path.into(), stamp, body }));
        }
        let write = self.store.put(served.storage, path, stamp, body);
        self.unsettled.push_back(write.clone());
        Version::Written(write.object.clone())
    }

    fn compile(&self, served: &Served, object: &Value, holes: Holes) -> Result<Arc<ObjectBody>, Status> {
        if let Some(conversion) = served.conversion() {
            let mut stored = object.clone();
            conversion.store(&mut stored);
            return self.compile_stored(&stored, holes);
        }
        self.compile_stored(object, holes)
    }

    fn compile_stored(&self, object: &Value, holes: Holes) -> Result<Arc<ObjectBody>, Status> {
        if depth(object) > DEPTH_LIMIT {
            return Err(Status::bad_request(format!("the object nests deeper than {DEPTH_LIMIT} levels")));
        }
        let body = ObjectBody::compile(object, holes);
        self.check_size(body.text_bytes())?;
        Ok(Arc::new(body.shared(self.store.particulars(), &names_of_others(object))))
    }
}

/// Refuses an object of a custom kind that names none, or another one.
fn check_custom_kind(call: &Call<'_>, expected: Expected<'_>, fields: &Map<String, Value>) -> Result<(), Status> {
    if call.served.as_custom().is_none_or(|custom| custom.resource.kind != *expected.kind) {
        return Ok(());
    }
    match fields.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "" => {
            let body = String::from_utf8_lossy(&call.request.body);
            let start: String = body.chars().take(SHOWN_OF_A_BODY).collect();
            let rest = if start.len() < body.len() { " ..." } else { "" };
            let kind = expected.kind;
            Err(Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): Object 'Kind' is missing in '{body}' ({start}{rest})"
            )))
        }
        own if own != expected.kind => {
            let cause = Cause::invalid("kind", &own.into(), &format!("must be {}", expected.kind));
            let mut named = Resource::clone(&call.served);
            named.kind = own.to_owned().into();
            let name = fields.get("metadata").map_or("", |metadata| metadata["name"].as_str().unwrap_or_default());
            Err(Status::invalid(&named, name, vec![cause]))
        }
        _ => Ok(()),
    }
}

/// Gives an object the form of its type; what the type does not know goes, and is warned of or, under strict validation, refused. An
/// error says what is wrong.
pub(super) fn typed(
    call: &Call<'_>,
    expected: Expected<'_>,
    object: &mut Value,
    duplicates: Vec<String>,
) -> Result<(), Mismatch> {
    let mut problems: Vec<String> = duplicates.iter().map(|path| format!("duplicate field {}", quote(path))).collect();
    if let Some(message) = types::find(&api_version(expected.group, expected.version), expected.kind) {
        let unknown = types::conform(message, object)?;
        problems.extend(unknown.iter().map(|path| format!("unknown field {}", quote(path))));
    }
    if let Some(custom) = call.served.as_custom().filter(|custom| custom.resource.kind == *expected.kind) {
        let unknown = structural::prune(&custom.schema, object);
        problems.extend(unknown.iter().map(|path| format!("unknown field {}", quote(path))));
    }
    match call.query.field_validation.as_deref() {
        Some("Ignore") => {}
        Some("Strict") if !problems.is_empty() => {
            return Err(format!("strict decoding error: {}", problems.join(", ")));
        }
        _ => call.warnings.borrow_mut().extend(problems),
    }
    Ok(())
}

/// Whether finalizers keep a deleted object.
pub(super) fn is_held(served: &Served, object: &Value) -> bool {
    let holds = |finalizers: &Value| finalizers.as_array().is_some_and(|finalizers| !finalizers.is_empty());
    holds(&object["metadata"]["finalizers"]) || (served.is("", "namespaces") && holds(&object["spec"]["finalizers"]))
}

/// Names beside its own that hardly any other object has.
fn names_of_others(object: &Value) -> Vec<&str> {
    let metadata = &object["metadata"];
    let about = object["involvedObject"]["name"].as_str();
    let of_event = about.and(metadata["name"].as_str());
    let targets = object["endpoints"].as_array().into_iter().flatten().map(|endpoint| &endpoint["targetRef"]["name"]);
    let names = of_event.into_iter().chain(about).chain(targets.filter_map(Value::as_str));
    // A shorter one would stand in many words.
    names.filter(|name| name.len() >= SHORTEST_NAME_BYTES).take(MOST_NAMES).collect()
}

/// The path of an object.
pub(in crate::kube) fn path(object: &Value) -> String {
    let metadata = &object["metadata"];
    path_of(metadata["namespace"].as_str(), metadata["name"].as_str().unwrap_or_default())
}

/// Puts the marks of heartbeats where a client wrote back the heartbeat it had read, so that it goes on.
fn mark_heartbeats(object: &mut Value, heartbeat_s: i64) {
    if object["spec"]["renewTime"] == micro_time(heartbeat_s) {
        tree::set(object, &["spec", "renewTime"], RENEWAL);
    }
    let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    let heartbeat = time(heartbeat_s);
    for condition in conditions.into_iter().flatten().filter(|condition| condition["lastHeartbeatTime"] == heartbeat) {
        tree::set(condition, &["lastHeartbeatTime"], HEARTBEAT);
    }
}

/// How much of a body an API server shows that cannot read it.
const SHOWN_OF_A_BODY: usize = 30;
/// More make every byte of the text dear.
const MOST_NAMES: usize = 8;
/// The words of an etcd whose quota is used up.
const FULL: &str = "etcdserver: mvcc: database space exceeded";
