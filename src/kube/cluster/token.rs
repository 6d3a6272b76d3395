//! Tokens of service accounts: JSON web tokens, so that clients can read who they are of, signed with the cluster's seed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

/// A service account.
#[derive(Debug, Clone, Copy)]
pub(in crate::kube) struct Account<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
}

/// The token of a secret: it never expires.
pub(in crate::kube) fn legacy_token(seed: u64, account: &Account<'_>, secret: &str) -> String {
    sign(
        seed,
        &json!({
            "iss": "kubernetes/serviceaccount",
            "kubernetes.io/serviceaccount/namespace": account.namespace,
            "kubernetes.io/serviceaccount/secret.name": secret,
            "kubernetes.io/serviceaccount/service-account.name": account.name,
            "kubernetes.io/serviceaccount/service-account.uid": account.uid,
            "sub": subject(account)
        }),
    )
}

/// The token that a TokenRequest is answered with.
pub(in crate::kube) fn bound_token(
    seed: u64,
    account: &Account<'_>,
    audiences: &Value,
    now: Timestamp,
    expires_s: i64,
) -> String {
    sign(
        seed,
        &json!({
            "aud": audiences, "exp": expires_s, "iat": now.as_second(), "iss": ISSUER, "nbf": now.as_second(),
            "kubernetes.io": {
                "namespace": account.namespace,
                "serviceaccount": {"name": account.name, "uid": account.uid}
            },
            "sub": subject(account)
        }),
    )
}

/// The claims of a token that this cluster signed and that has not expired.
pub(in crate::kube) fn verify(seed: u64, token: &str, now: Timestamp) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    hmac::verify(&key(seed), signed.as_bytes(), &signature).ok()?;
    let (_, claims) = signed.split_once('.')?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let is_over = claims["exp"].as_i64().is_some_and(|expires_s| expires_s <= now.as_second());
    (!is_over).then_some(claims)
}

fn sign(seed: u64, claims: &Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key(seed), signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn key(seed: u64) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &seed.to_be_bytes())
}

fn subject(account: &Account<'_>) -> String {
    format!("system:serviceaccount:{}:{}", account.namespace, account.name)
}

/// The issuer and audience of a cluster's own tokens.
pub(in crate::kube) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Account<'static> = Account { namespace: "ns", name: "sa", uid: "u" };

    #[test]
    fn a_token_tells_whose_it_is_and_is_signed() {
        let now = Timestamp::from_second(1_000).unwrap();
        let token = legacy_token(1, &ACCOUNT, "sa-token-x");
        assert_eq!(verify(1, &token, now).unwrap()["sub"], "system:serviceaccount:ns:sa");
        assert_eq!(verify(2, &token, now), None);
        assert_eq!(verify(1, "a.b.c", now), None);
        assert_eq!(verify(1, "", now), None);
    }

    #[test]
    fn a_bound_token_expires() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let token = bound_token(1, &ACCOUNT, &json!([ISSUER]), at(1_000), 4_600);
        assert_eq!(verify(1, &token, at(4_599)).unwrap()["aud"], json!([ISSUER]));
        assert_eq!(verify(1, &token, at(4_600)), None);
    }
}
