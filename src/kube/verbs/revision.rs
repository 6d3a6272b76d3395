//! What requests say of revisions: `resourceVersion` and continue tokens.

use crate::kube::Status;
use crate::kube::response::quote::quote;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The revision that a `resourceVersion` names; `None` where there is none. An error is the 422 to answer.
pub(super) fn requested(parameter: Option<&str>) -> Result<Option<u64>, Status> {
    let Some(text) = parameter.filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed = text.parse::<u64>().map(Some);
    parsed.map_err(|_| {
        let problem = format!("strconv.ParseUint: parsing {}: invalid syntax", quote(text));
        Status::unknown(format!("resourceVersion: Invalid value: {}: {problem}", quote(text)))
    })
}

/// Where the next page of a list starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Continue {
    /// The revision of the first page; `None` to go on with what there is now.
    pub revision: Option<u64>,
    /// The path of the last object of the page before.
    pub after: String,
}

impl Continue {
    /// The token, in the form of apiserver `storage/continue.go`.
    pub(super) fn encode(&self) -> String {
        let revision = self.revision.map_or(json!(-1), Value::from);
        let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": format!("{}\0", self.after)});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    /// Reads a token; an error is the 400 to answer.
    pub(super) fn decode(token: &str) -> Result<Continue, Status> {
        let refused = |problem: &str| {
            Status::bad_request(format!("invalid continue token: continue key is not valid: {problem}"))
        };
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| refused(&error.to_string()))?;
        let token: Value = serde_json::from_slice(&bytes).map_err(|error| refused(&error.to_string()))?;
        if token["v"] != "meta.k8s.io/v1" {
            return Err(refused(&format!("server does not recognize this encoded version {}", token["v"])));
        }
        let revision = match (token["rv"].as_u64(), token["rv"].as_i64()) {
            (Some(1..), _) => token["rv"].as_u64(),
            (None, Some(-1)) => None,
            _ => return Err(refused("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")),
        };
        let start = token["start"].as_str().filter(|start| !start.is_empty());
        let start = start.ok_or_else(|| refused("encoded start key empty (version meta.k8s.io/v1)"))?;
        Ok(Continue { revision, after: start.trim_end_matches('\0').to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn revisions_are_numbers() {
        assert_eq!(requested(None), Ok(None));
        assert_eq!(requested(Some("")), Ok(None));
        assert_eq!(requested(Some("17")), Ok(Some(17)));
        let status = requested(Some("x")).unwrap_err();
        assert_eq!(status.code, 500);
        assert!(status.message.ends_with("strconv.ParseUint: parsing \"x\": invalid syntax"), "{}", status.message);
    }

    #[test]
    fn bad_tokens_are_refused() {
        for token in ["!", "e30", "", &URL_SAFE_NO_PAD.encode(r#"{"v":"meta.k8s.io/v1","rv":1,"start":""}"#)] {
            assert_eq!(Continue::decode(token).unwrap_err().code, 400, "{token}");
        }
    }

    proptest! {
        #[test]
        fn tokens_survive(revision in prop::option::of(1_u64..), after in "[a-z0-9./:-]{1,40}") {
            let token = Continue { revision, after };
            prop_assert_eq!(Continue::decode(&token.encode()), Ok(token));
        }

        #[test]
        fn no_token_panics(token in ".*") {
            let _ = Continue::decode(&token);
        }
    }
}
