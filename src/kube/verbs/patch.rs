//! Patches.

use super::write::Keep;
use crate::kube::admission::fit_to_path;
use crate::kube::dispatch::Call;
use crate::kube::patch::{self, PatchKind};
use crate::kube::store::Version;
use crate::kube::strategy::Part;
use crate::kube::{Cluster, Response, Status};
use serde_json::Value;

impl Cluster {
    /// Changes the object in the path as the patch in the body says; an apply patch makes it if it is not there.
    pub(in crate::kube) fn patch(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        self.patch_part(call, Part::Whole)
    }

    /// The same for one part of an object.
    pub(in crate::kube) fn patch_part(&mut self, call: &Call<'_>, part: Part) -> Result<Response, Status> {
        let kind = PatchKind::from_content_type(call.content_type(), &call.served)?;
        call.query.check_patch(kind == PatchKind::Apply)?;
        self.check_size(call.request.body.len())?;
        let Some(before) = self.store.get(call.served.storage, &call.key()) else {
            if kind != PatchKind::Apply || part != Part::Whole {
                return Err(Status::not_found(&call.served, call.name()));
            }
            let mut object = patch::server_side_apply(&call.served, None, &call.request.body)?;
            fit_to_path(&*call.served, call.namespace(), Some(call.name()), &mut object)?;
            let version = self.make(&call.served, object, Keep::of(call), call.now)?;
            return self.answer(201, &call.asked, &call.served, &version);
        };
        let patched = self.patched(call, kind, &before)?;
        self.replace(call, &before, patched, part)
    }

    /// A stored object with the patch of a call applied.
    fn patched(&self, call: &Call<'_>, kind: PatchKind, before: &Version) -> Result<Value, Status> {
        let current = self.value(&call.served, before);
        let mut patched = patch::apply(kind, &call.served, &current, &call.request.body)?;
        fit_to_path(&*call.served, call.namespace(), Some(call.name()), &mut patched)?;
        Ok(patched)
    }
}
