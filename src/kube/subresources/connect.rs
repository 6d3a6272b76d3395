//! What needs a kubelet or a running program behind it: refused as an API server does that cannot reach one.

use super::log::choose;
use crate::kube::request::dispatch::Call;
use crate::kube::{Cluster, Response, Status};
use percent_encoding::percent_decode_str;
use serde_json::Value;

impl Cluster {
    /// Refuses `exec`, `attach`, `portforward` and `proxy`; clients of SPDY and of websockets alike read the status of a refused upgrade.
    pub(super) fn connect(&self, call: &Call<'_>) -> Result<Response, Status> {
        // A service is addressed as `scheme:name:port`.
        let name = match call.name().split(':').collect::<Vec<_>>().as_slice() {
            [_, name, _] | [name, _] => (*name).to_owned(),
            _ => call.name().to_owned(),
        };
        let path = crate::kube::store::path_of(call.namespace(), &name);
        let found = self.store.get(call.served.storage, &path);
        let version = found.ok_or_else(|| Status::not_found(&call.served, &name))?;
        let below = call.path.subresource.as_deref().unwrap_or_default();
        if below == "proxy" {
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
        let pod = self.value(&call.served, &version);
        check_target(call, &pod, below != "portforward")?;
        if call.request.headers.get("Upgrade").is_none() {
            return Err(Status::bad_request("Upgrade request required"));
        }
        let host = pod["status"]["hostIP"].as_str().unwrap_or("127.0.0.1");
        Err(Status::unknown(format!("error dialing backend: dial tcp {host}:10250: connect: connection refused")))
    }
}

/// Refuses a pod that runs nowhere, and a container that it does not have.
fn check_target(call: &Call<'_>, pod: &Value, in_container: bool) -> Result<(), Status> {
    if in_container {
        let query = call.request.path_and_query().1;
        let wanted = query.split('&').find_map(|pair| pair.strip_prefix("container="));
        let wanted = wanted.map(|wanted| percent_decode_str(wanted).decode_utf8_lossy());
        choose(pod, call.name(), wanted.as_deref().filter(|wanted| !wanted.is_empty()))?;
    }
    match pod["spec"]["nodeName"].as_str() {
        Some(node) if !node.is_empty() => Ok(()),
        _ => Err(Status::bad_request(format!("pod {} does not have a host assigned", call.name()))),
    }
}
