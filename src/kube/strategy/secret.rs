//! Secrets: plain strings into base64, and tokens of service accounts.

use crate::kube::cluster::token::{Account, legacy_token};
use crate::kube::object::Uid;
use crate::kube::{Cluster, store, tree};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Folds `stringData` into `data` and fills in the type.
pub(super) fn complete(secret: &mut Value) {
    let plain = secret.as_object_mut().and_then(|fields| fields.remove("stringData"));
    let plain: Vec<(String, String)> = plain
        .as_ref()
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), STANDARD.encode(value.as_str().unwrap_or_default())))
        .collect();
    for (key, value) in plain {
        tree::set(secret, &["data", &key], value);
    }
    if secret["type"].as_str().is_none_or(str::is_empty) {
        tree::set(secret, &["type"], "Opaque");
    }
}

impl Cluster {
    /// Fills a service account's token secret at once: Rancher polls for the token for no more than 100 ms.
    pub(super) fn fill_token(&self, secret: &mut Value) {
        if secret["type"] != TOKEN_TYPE {
            return;
        }
        let metadata = &secret["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (namespace, secret_name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        let name = text(&metadata["annotations"]["kubernetes.io/service-account.name"]);
        let Some(uid) = self.service_account_uid(&namespace, &name) else { return };
        let account = Account { namespace: &namespace, name: &name, uid: &uid.to_string() };
        let token = legacy_token(self.identity.seed, &account, &secret_name);
        tree::set(secret, &["metadata", "annotations", "kubernetes.io/service-account.uid"], account.uid);
        for (key, value) in
            [("token", token.as_str()), ("ca.crt", self.baseline.ca_pem()), ("namespace", account.namespace)]
        {
            tree::set(secret, &["data", key], STANDARD.encode(value));
        }
    }

    /// The uid of a service account; `None` if there is no such account.
    pub(in crate::kube) fn service_account_uid(&self, namespace: &str, name: &str) -> Option<Uid> {
        let accounts = Cluster::built_in("", "serviceaccounts")?;
        let found = self.store.get(accounts.storage, &store::path_of(Some(namespace), name))?;
        Some(self.store.stamp(&found).uid)
    }
}

/// Secrets that hold a service account's token.
const TOKEN_TYPE: &str = "kubernetes.io/service-account-token";
