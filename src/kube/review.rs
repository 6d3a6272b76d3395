//! Reviews: questions that are answered and not kept. Everything is allowed to everybody.

use super::dispatch::Call;
use super::render::answer_value;
use super::token::{ISSUER, verify};
use super::{Cluster, Response, Status, tree};
use crate::http1::Request;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// The answer to a review; `None` for a kind that is stored.
    pub(super) fn review(&self, call: &Call<'_>, review: &Value) -> Option<Result<Response, Status>> {
        let status = match (call.served.group.as_ref(), call.served.plural.as_ref()) {
            (
                "authorization.k8s.io",
                "subjectaccessreviews" | "selfsubjectaccessreviews" | "localsubjectaccessreviews",
            ) => json!({"allowed": true}),
            ("authorization.k8s.io", "selfsubjectrulesreviews") => json!({
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": false
            }),
            ("authentication.k8s.io", "tokenreviews") => {
                self.review_token(review["spec"]["token"].as_str().unwrap_or_default(), call.now)
            }
            ("authentication.k8s.io", "selfsubjectreviews") => json!({"userInfo": self.user(call.request, call.now)}),
            _ => return None,
        };
        let mut answer = review.clone();
        tree::set(&mut answer, &["metadata", "creationTimestamp"], Value::Null);
        tree::set(&mut answer, &["status"], status);
        Some(answer_value(201, &call.asked, &call.served, &answer))
    }

    fn review_token(&self, token: &str, now: Timestamp) -> Value {
        match self.user_of(token, now) {
            Some(user) => json!({"authenticated": true, "user": user, "audiences": [ISSUER]}),
            None => json!({"user": {}, "error": "[invalid bearer token, Token has been invalidated]"}),
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
