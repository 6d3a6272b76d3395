//! How much a ConfigMap or a Secret holds (core `MaxSecretSize`).

use crate::kube::Cause;
use serde_json::Value;

/// Refuses a ConfigMap that holds too much.
pub(super) fn configmap(object: &Value, causes: &mut Vec<Cause>) {
    let plain: usize = values(&object["data"]).map(str::len).sum();
    let binary: usize = values(&object["binaryData"]).map(decoded).sum();
    if plain + binary > LIMIT_BYTES {
        // The whole object is meant, whose path an API server shows so.
        causes.push(Cause::too_long("[]", LIMIT_BYTES));
    }
}

/// Refuses a Secret that holds too much.
pub(super) fn secret(object: &Value, causes: &mut Vec<Cause>) {
    if values(&object["data"]).map(decoded).sum::<usize>() > LIMIT_BYTES {
        causes.push(Cause::too_long("data", LIMIT_BYTES));
    }
}

fn values(data: &Value) -> impl Iterator<Item = &str> {
    data.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str())
}

/// How many bytes are written in base64.
fn decoded(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

/// 1 MiB.
const LIMIT_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    fn told(plural: &str, data: Value) -> (u16, String) {
        let mut bench = Bench::new();
        let mut object = json!({"metadata": {"name": "a"}});
        object.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
        let answer = bench.post(&format!("/api/v1/namespaces/web/{plural}"), object);
        (answer.code, answer.body["message"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_mebibyte_is_the_most() {
        let bytes = |count: usize| "x".repeat(count);
        assert_eq!(told("configmaps", json!({"data": {"a": bytes(1 << 20)}})).0, 201);
        assert_eq!(
            told("configmaps", json!({"data": {"a": bytes(1 << 20), "b": "x"}})),
            (422, "ConfigMap \"a\" is invalid: []: Too long: must have at most 1048576 bytes".into())
        );
        let half = STANDARD.encode(bytes(1 << 19));
        assert_eq!(told("configmaps", json!({"data": {"a": bytes(1 << 19)}, "binaryData": {"b": half}})).0, 201);
        let more = STANDARD.encode(bytes((1 << 19) + 1));
        assert_eq!(told("configmaps", json!({"data": {"a": bytes(1 << 19)}, "binaryData": {"b": more}})).0, 422);
        assert_eq!(told("secrets", json!({"data": {"a": STANDARD.encode(bytes(1 << 20))}})).0, 201);
        assert_eq!(
            told("secrets", json!({"data": {"a": STANDARD.encode(bytes((1 << 20) + 1))}})),
            (422, "Secret \"a\" is invalid: data: Too long: must have at most 1048576 bytes".into())
        );
    }
}
