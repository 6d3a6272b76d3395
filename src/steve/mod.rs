//! What the `stv-cluster-` tunnel serves, without I/O: `/ping` at once, everything else a steve-shaped 404.
//!
//! Rancher probes `/ping` of all clusters one after the other and without a timeout (rancher/rancher
//! `clusterconnected.go`): a cluster that hesitates delays the verdict on every other.

use crate::http1::{Headers, Method, Request, ResponseHead};

/// Answers one request of the steve tunnel.
pub fn handle(request: &Request) -> (ResponseHead, Vec<u8>) {
    let (path, _) = request.path_and_query();
    match (&request.method, path) {
        (Method::Get | Method::Head, "/ping") => answer(200, "text/plain; charset=utf-8", b"pong".to_vec()),
        _ => {
            let error = serde_json::json!({
                "type": "error",
                "status": 404,
                "code": "NotFound",
                "message": format!("{path} is not served by this virtual cluster"),
            });
            answer(404, "application/json", error.to_string().into_bytes())
        }
    }
}

fn answer(status: u16, content_type: &str, body: Vec<u8>) -> (ResponseHead, Vec<u8>) {
    (ResponseHead { status, headers: Headers::from_iter([("Content-Type", content_type)]) }, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_is_answered() {
        let (head, body) = handle(&Request::new(Method::Get, "/ping"));
        assert_eq!((head.status, body.as_slice()), (200, &b"pong"[..]));
    }

    #[test]
    fn everything_else_is_a_steve_shaped_404() {
        let (head, body) = handle(&Request::new(Method::Get, "/v1/schemas?x=1"));
        assert_eq!(head.status, 404);
        let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(error["code"], "NotFound");
        assert_eq!(error["message"], "/v1/schemas is not served by this virtual cluster");
    }
}
