//! Reviews: questions that are answered and not kept. Everything is allowed to everybody.

use crate::http1::Request;
use crate::kube::cluster::token::{ISSUER, verify};
use crate::kube::object::time;
use crate::kube::request::dispatch::Call;
use crate::kube::request::served::Served;
use crate::kube::response::render::answer_value;
use crate::kube::{Cause, Cluster, Response, Status, tree};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// The answer to a review; `None` for a kind that is stored.
    pub(in crate::kube) fn review(&self, call: &Call<'_>, review: &Value) -> Option<Result<Response, Status>> {
        if let Err(status) = check(&call.served, call.namespace(), review) {
            return Some(Err(status));
        }
        let status = match (call.served.group.as_ref(), call.served.plural.as_ref()) {
            (
                "authorization.k8s.io",
                "subjectaccessreviews" | "selfsubjectaccessreviews" | "localsubjectaccessreviews",
            ) => json!({"allowed": true}),
            ("authorization.k8s.io", "selfsubjectrulesreviews") => rules(),
            ("authentication.k8s.io", "tokenreviews") => {
                self.review_token(review["spec"]["token"].as_str().unwrap_or_default(), call.now)
            }
            ("authentication.k8s.io", "selfsubjectreviews") => json!({"userInfo": self.user(call.request, call.now)}),
            _ => return None,
        };
        let mut answer = review.clone();
        let created =
            if call.served.plural == "selfsubjectreviews" { json!(time(call.now.as_second())) } else { Value::Null };
        tree::set(&mut answer, &["metadata", "creationTimestamp"], created);
        if call.served.plural == "selfsubjectrulesreviews" {
            tree::set(&mut answer, &["spec"], json!({}));
        }
        tree::set(&mut answer, &["status"], status);
        Some(answer_value(201, &call.asked, &call.served, &answer))
    }

    fn review_token(&self, token: &str, now: Timestamp) -> Value {
        match self.user_of(token, now) {
            Some(user) => json!({"authenticated": true, "user": user, "audiences": [ISSUER]}),
            None => json!({"user": {}, "error": "invalid bearer token"}),
        }
    }

    /// Who sends a request: whom it impersonates, or else whom its token is of.
    fn user(&self, request: &Request, now: Timestamp) -> Value {
        if let Some(name) = request.headers.get("Impersonate-User") {
            let groups: Vec<&str> =
                request.headers.get_all("Impersonate-Group").chain(["system:authenticated"]).collect();
            return json!({"username": name, "groups": groups});
        }
        let token = request.headers.get("Authorization").and_then(|value| value.strip_prefix("Bearer "));
        let user = token.and_then(|token| self.user_of(token, now));
        user.unwrap_or_else(
            || json!({"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}),
        )
    }

    /// The service account of a token that this cluster gave.
    fn user_of(&self, token: &str, now: Timestamp) -> Option<Value> {
        if token == self.identity.service_account_token() {
            return Some(service_account("system:serviceaccount:cattle-system:cattle", None));
        }
        let claims = verify(self.identity.seed, token, now)?;
        let subject = claims["sub"].as_str()?;
        let (namespace, name) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        // A token is worth no more than its account.
        let uid = self.service_account_uid(namespace, name)?.to_string();
        let bound = &claims["kubernetes.io"]["serviceaccount"]["uid"];
        let legacy = &claims["kubernetes.io/serviceaccount/service-account.uid"];
        [bound, legacy].iter().any(|claimed| **claimed == *uid).then(|| service_account(subject, Some(&uid)))
    }
}

/// What a review must say (authorization `ValidateSelfSubjectAccessReview` and its like).
fn check(served: &Served, namespace: Option<&str>, review: &Value) -> Result<(), Status> {
    let spec = &review["spec"];
    let is_empty = |value: &Value| value.as_str().is_none_or(str::is_empty);
    let mut causes = Vec::new();
    match (served.group.as_ref(), served.plural.as_ref()) {
        ("authorization.k8s.io", "selfsubjectrulesreviews") if is_empty(&spec["namespace"]) => {
            return Err(Status::bad_request("no namespace on request"));
        }
        ("authentication.k8s.io", "tokenreviews") if is_empty(&spec["token"]) => {
            return Err(Status::bad_request("token is required for TokenReview in authentication"));
        }
        (
            "authorization.k8s.io",
            plural @ ("subjectaccessreviews" | "selfsubjectaccessreviews" | "localsubjectaccessreviews"),
        ) => {
            if spec["resourceAttributes"].is_null() == spec["nonResourceAttributes"].is_null() {
                let problem = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                causes.push(Cause::invalid("spec.resourceAttributes", &json!("null"), problem));
            }
            let has_groups = spec["groups"].as_array().is_some_and(|groups| !groups.is_empty());
            if plural != "selfsubjectaccessreviews" && is_empty(&spec["user"]) && !has_groups {
                causes.push(Cause::invalid("spec.user", &json!(""), "at least one of user or group must be specified"));
            }
            let own = &spec["resourceAttributes"]["namespace"];
            if plural == "localsubjectaccessreviews" && own.as_str() != namespace && !own.is_null() {
                causes.push(Cause::invalid("spec.resourceAttributes.namespace", own, "must match metadata.namespace"));
            }
        }
        _ => {}
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid_review(&served.group, causes)) }
}

/// What somebody may do who may do everything.
fn rules() -> Value {
    json!({
        "resourceRules": [
            {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
            {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        ],
        "nonResourceRules": [
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
            {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"]},
            {"verbs": ["get"], "nonResourceURLs": [
                "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"
            ]}
        ],
        "incomplete": false
    })
}

fn service_account(subject: &str, uid: Option<&str>) -> Value {
    let namespace = subject.split(':').nth(2).unwrap_or_default();
    let mut user = json!({
        "username": subject,
        "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"]
    });
    if let Some(uid) = uid {
        user["uid"] = json!(uid);
    }
    user
}
