//! What is served below an object: each file one subresource or a few that are alike.

mod account_token;
mod connect;
mod pod_calls;
mod scale;

use super::dispatch::Call;
use super::strategy::Part;
use super::{Cluster, Response, Status, Verb};
use crate::kube::admission::fit_to_path;

impl Cluster {
    /// Answers a request below an object; the subresource exists and allows the verb.
    pub(super) fn subresource(&mut self, call: &Call<'_>, verb: Verb) -> Result<Response, Status> {
        let below = call.path.subresource.as_deref().unwrap_or_default();
        match (below, verb) {
            ("scale", _) => self.scale(call, verb),
            ("token", _) => self.token_request(call),
            ("eviction", _) => self.evict(call),
            ("binding", _) => self.bind(call),
            ("log", _) => self.pod_log(call),
            ("exec" | "attach" | "portforward" | "proxy", _) => self.connect(call),
            (_, Verb::Get) => self.get(call),
            (_, Verb::Update) => self.update_part(call, part_of(below)),
            (_, Verb::Patch) => self.patch_part(call, part_of(below)),
            _ => Err(Status::method_not_allowed()),
        }
    }

    /// Replaces one part of the object in the path.
    fn update_part(&mut self, call: &Call<'_>, part: Part) -> Result<Response, Status> {
        call.query.check_write("UpdateOptions")?;
        let mut object = self.body_of(call, &call.served.kind)?;
        fit_to_path(&*call.served, call.namespace(), Some(call.name()), &mut object)?;
        let before = self.store.get(call.served.storage, &call.key());
        let before = before.ok_or_else(|| Status::not_found(&call.served, call.name()))?;
        self.replace(call, &before, object, part)
    }
}

/// The part of the object that a subresource in the object's own kind is about.
fn part_of(below: &str) -> Part {
    match below {
        "finalize" => Part::Finalize,
        // Containers that are added to a running pod are part of its spec.
        "ephemeralcontainers" => Part::Whole,
        _ => Part::Status,
    }
}
