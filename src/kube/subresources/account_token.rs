//! `serviceaccounts/<name>/token`: TokenRequest.

use crate::kube::admission::fit_to_path;
use crate::kube::cluster::token::{Account, ISSUER, bound_token};
use crate::kube::object::time;
use crate::kube::request::dispatch::Call;
use crate::kube::response::render::answer_value;
use crate::kube::{Cause, Cluster, Response, Status, tree};
use serde_json::json;

impl Cluster {
    /// A token for the service account in the path, for as long as was asked.
    pub(super) fn token_request(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        call.query.check_write("CreateOptions")?;
        let below = call.served.subresource("token").ok_or_else(Status::unknown_route)?;
        let mut request = self.body_of(call, below)?;
        fit_to_path(below, call.namespace(), None, &mut request)?;
        let namespace = call.namespace().unwrap_or_default();
        let uid = self.service_account_uid(namespace, call.name());
        let uid = uid.ok_or_else(|| Status::not_found(&call.served, call.name()))?.to_string();
        let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(DEFAULT_EXPIRY_S);
        if !(SHORTEST_EXPIRY_S..=LONGEST_EXPIRY_S).contains(&seconds) {
            let problem = if seconds < SHORTEST_EXPIRY_S {
                "may not specify a duration less than 10 minutes"
            } else {
                "may not specify a duration larger than 2^32 seconds"
            };
            let cause = Cause::invalid("spec.expirationSeconds", &json!(seconds), problem);
            return Err(Status::invalid_request(below, cause));
        }
        let expires_s = call.now.as_second() + seconds;
        if request["spec"]["audiences"].as_array().is_none_or(Vec::is_empty) {
            tree::set(&mut request, &["spec", "audiences"], json!([ISSUER]));
        }
        let account = Account { namespace, name: call.name(), uid: &uid };
        let token = bound_token(self.identity.seed, &account, &request["spec"]["audiences"], call.now, expires_s);
        tree::set(&mut request, &["spec", "expirationSeconds"], seconds);
        tree::set(&mut request, &["metadata", "name"], call.name());
        tree::set(&mut request, &["metadata", "creationTimestamp"], time(call.now.as_second()));
        let status = json!({"token": token, "expirationTimestamp": time(expires_s)});
        tree::set(&mut request, &["status"], status);
        answer_value(201, &call.asked, &call.served, &request)
    }
}

/// What a request that names no duration gets (authentication `SetDefaults_TokenRequestSpec`).
const DEFAULT_EXPIRY_S: i64 = 3_600;
const SHORTEST_EXPIRY_S: i64 = 600;
const LONGEST_EXPIRY_S: i64 = 1 << 32;
