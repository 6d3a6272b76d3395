//! What needs a kubelet or a running program behind it: refused as an API server does that cannot reach one.

use crate::kube::dispatch::Call;
use crate::kube::{Cluster, Response, Status};

impl Cluster {
    /// Refuses `exec`, `attach`, `portforward` and `proxy`.
    pub(super) fn connect(&self, call: &Call<'_>) -> Result<Response, Status> {
        // A service is addressed as `scheme:name:port`.
        let name = match call.name().split(':').collect::<Vec<_>>().as_slice() {
            [_, name, _] | [name, _] => (*name).to_owned(),
            _ => call.name().to_owned(),
        };
        let path = crate::kube::store::path_of(call.namespace(), &name);
        let found = self.store.get(call.served.storage, &path);
        let version = found.ok_or_else(|| Status::not_found(&call.served, &name))?;
        if call.path.subresource.as_deref() == Some("proxy") {
            let problem = match call.served.plural.as_ref() {
                "services" => format!("no endpoints available for service \"{}\"", call.name()),
                _ => "error trying to reach service: dial tcp: connect: connection refused".to_owned(),
            };
            return Err(Status {
                code: 503,
                reason: "ServiceUnavailable",
                message: problem,
                details: None,
                continue_token: None,
            });
        }
        if call.request.headers.get("Upgrade").is_none() {
            return Err(Status::bad_request("Upgrade request required"));
        }
        let pod = self.value(&call.served, &version);
        let host = pod["status"]["hostIP"].as_str().unwrap_or("127.0.0.1");
        Err(Status::unknown(format!("error dialing backend: dial tcp {host}:10250: connect: connection refused")))
    }
}
