//! What can go wrong between us and Rancher, in words a tester can act on.

use std::time::Duration;

/// Why a call to Rancher's REST API did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RancherError {
    /// No connection: name resolution, refused, or nobody there in time.
    #[error("{url} is unreachable: {cause}")]
    Unreachable { url: String, cause: String },
    /// The connection broke, or the answer did not come in time: Rancher may have done what was asked.
    #[error("{url} gave no answer to {call}: {cause}")]
    NoAnswer { url: String, call: String, cause: String },
    /// Rancher's certificate is not trusted.
    #[error("the certificate of {url} is not trusted: {cause}")]
    Untrusted { url: String, cause: String },
    /// A file with certificates cannot be used.
    #[error("{file}: {problem}")]
    CertificateFile { file: String, problem: String },
    /// The certificate that Rancher offers is not the one that was announced.
    #[error("Rancher's cacerts setting has the SHA-256 {found}, not the {expected} of CAChecksum")]
    Checksum { expected: String, found: String },
    /// 401.
    #[error("Rancher answers 401: the API token is unknown, deleted or expired")]
    Unauthorized,
    /// 403.
    #[error("Rancher answers 403 to {call}: the API token lacks the right{}", said(message))]
    Forbidden { call: String, message: String },
    /// 404 where a Rancher would know the path.
    #[error("{call} is unknown there (404): the URL leads to something that is no Rancher")]
    NotARancher { call: String },
    /// Another 4xx, with norman's code and sentence.
    #[error("Rancher answers {status} {} to {call}{}", plain(code), said(message))]
    Refused { status: u16, code: String, message: String, call: String },
    /// 429 or 503: later.
    #[error("Rancher answers {status} to {call}: it is busy")]
    Busy { status: u16, call: String, retry_after: Option<Duration> },
    /// Another 5xx.
    #[error("Rancher answers {status} to {call}{}", said(message))]
    Failing { status: u16, call: String, message: String },
    /// 3xx: never followed, since the token would go along.
    #[error("Rancher redirects {call} to {}", plain(location))]
    Redirected { call: String, location: String },
    /// The answer is not what the API promises.
    #[error("the answer to {call} is no JSON of Rancher's API: {}", plain(found))]
    Unexpected { call: String, found: String },
}

impl RancherError {
    /// Whether the same call may succeed later without anybody's doing.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            RancherError::Unreachable { .. }
                | RancherError::NoAnswer { .. }
                | RancherError::Busy { .. }
                | RancherError::Failing { .. }
                | RancherError::Refused { status: 409, .. }
        )
    }

    /// Whether Rancher, or what stands before it, was reached at all.
    pub fn was_reached(&self) -> bool {
        !matches!(self, RancherError::Unreachable { .. } | RancherError::Untrusted { .. })
    }

    /// Whether only another configuration of the agent can help.
    pub fn is_misconfiguration(&self) -> bool {
        matches!(
            self,
            RancherError::Untrusted { .. }
                | RancherError::CertificateFile { .. }
                | RancherError::Checksum { .. }
                | RancherError::NotARancher { .. }
                | RancherError::Redirected { .. }
                | RancherError::Unexpected { .. }
        )
    }

    /// How long Rancher asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            RancherError::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            RancherError::Unreachable { .. } | RancherError::NoAnswer { .. } => {
                "check RancherURL, name resolution and the network from this host (curl -k URL/ping answers pong)"
            }
            RancherError::Untrusted { .. } => {
                "put the issuing CA's PEM file into CAFile (curl -sk URL/cacerts prints it), or its checksum from Rancher's \
                 import command into CAChecksum"
            }
            RancherError::CertificateFile { .. } => "name a readable file with at least one PEM certificate in CAFile",
            RancherError::Checksum { .. } => {
                "compare CAChecksum with the import command Rancher shows; somebody may sit between"
            }
            RancherError::Unauthorized => "create an API key in Rancher and put it into BearerToken",
            RancherError::Forbidden { .. } => {
                "use the API key of a user who may create clusters (role Create New Clusters)"
            }
            RancherError::NotARancher { .. } => "check the host and path of RancherURL",
            RancherError::Refused { .. } => "see Rancher's words; the request is not repeated",
            RancherError::Busy { .. } | RancherError::Failing { .. } => {
                "the agent tries again by itself; see Rancher's log"
            }
            RancherError::Redirected { .. } => {
                "put the URL that Rancher itself uses (setting server-url) into RancherURL"
            }
            RancherError::Unexpected { .. } => {
                "check that RancherURL leads to Rancher itself, not to a login page or proxy"
            }
        }
    }
}

/// Rancher's words after a colon, if it said any.
fn said(message: &str) -> String {
    let shown = plain(message);
    if shown.is_empty() { String::new() } else { format!(": {shown}") }
}

/// What came from the other side in one line, however much it was, and without what drives a terminal.
fn plain(text: &str) -> String {
    let words = text.split_whitespace().flat_map(|word| [" ", word]).skip(1);
    words.flat_map(str::chars).filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

/// A sentence or two; what is longer is a dump.
const MAX_WORDS_CHARS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranchers_words_stay_one_line() {
        let forbidden = |message: &str| RancherError::Forbidden { call: "GET /x".into(), message: message.into() };
        let start = "Rancher answers 403 to GET /x: the API token lacks the right";
        assert_eq!(forbidden("no\r\n  rights\tat all\n").to_string(), format!("{start}: no rights at all"));
        assert_eq!(forbidden(" \n").to_string(), start);
        assert_eq!(forbidden(&"ü".repeat(5_000)).to_string(), format!("{start}: {}", "ü".repeat(300)));
        assert_eq!(forbidden("\u{1b}]0;x\u{7}red \u{1b}[31m").to_string(), format!("{start}: ]0;xred [31m"));
    }

    #[test]
    fn a_code_is_no_way_to_write_lines_of_ones_own() {
        let code = format!("Bad\n2026-11-26T00:00:00Z [ERROR] forged{}", "x".repeat(1_000_000));
        let call = "POST /v3/clusters".to_owned();
        let refused =
            RancherError::Refused { status: 422, code: code.clone(), message: String::new(), call: call.clone() };
        let redirected = RancherError::Redirected { call: call.clone(), location: code.clone() };
        let unexpected = RancherError::Unexpected { call, found: code };
        for error in [refused, redirected, unexpected] {
            let text = error.to_string();
            assert!(text.contains("Bad 2026") && !text.contains('\n') && text.len() < 500, "{text}");
        }
    }
}
