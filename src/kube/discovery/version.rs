//! `/version`.

use super::{Body, Response, json};
use std::sync::Arc;

/// The answer to `/version` for a `gitVersion` such as `v1.31.4`; everything else follows from it or is what any build says.
pub fn version(kubernetes_version: &str) -> Response {
    let mut numbers = kubernetes_version.trim_start_matches('v').split('.');
    let mut number = || {
        let number = numbers.next().unwrap_or_default();
        number.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    let info = serde_json::json!({
        "major": number(),
        "minor": number(),
        "gitVersion": kubernetes_version,
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.22.9",
        "compiler": "gc",
        "platform": "linux/amd64"
    });
    json(Body::Shared(Arc::from(info.to_string().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_and_minor_follow_from_the_version() {
        for (version_given, major, minor) in
            [("v1.31.4", "1", "31"), ("v1.30.0+k3s1", "1", "30"), ("v1.31+", "1", "31"), ("", "", "")]
        {
            let response = version(version_given);
            let Body::Shared(body) = &response.body else { panic!("{response:?}") };
            let info: serde_json::Value = serde_json::from_slice(body).unwrap();
            assert_eq!((info["major"].as_str(), info["minor"].as_str()), (Some(major), Some(minor)));
            assert_eq!(info["gitVersion"], version_given);
        }
    }
}
