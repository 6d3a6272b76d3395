//! `/livez`, `/readyz` and `/healthz`: plain text, one line a check on request (apiserver `server/healthz`).

use crate::http1::Headers;
use crate::kube::response::quote::quote;
use crate::kube::{Body, Query, Response, page_not_found};

/// The answer of a health endpoint (`livez`, `readyz`, `healthz`), or of a single `check` below it. A virtual cluster that answers is healthy.
pub fn respond(endpoint: &str, check: Option<&str>, query: &Query) -> Response {
    let checks = || CHECKS.iter().chain((endpoint == "readyz").then_some(READINESS).into_iter().flatten());
    match check {
        Some(check) if checks().any(|known| *known == check) => return plain("ok".into()),
        Some(_) => return page_not_found(),
        None if !query.verbose => return text("ok".into()),
        None => {}
    }
    let is_excluded = |check: &str| query.exclude.iter().any(|excluded| excluded == check);
    let line = |check: &&str| {
        if is_excluded(check) { format!("[+]{check} excluded: ok\n") } else { format!("[+]{check} ok\n") }
    };
    let mut report: String = checks().map(line).collect();
    let unknown = query.exclude.iter().filter(|excluded| !checks().any(|known| known == excluded));
    let unknown: Vec<String> = unknown.map(|check| quote(check)).collect();
    if !unknown.is_empty() {
        report
            .push_str(&format!("warn: some health checks cannot be excluded: no matches for {}\n", unknown.join(", ")));
    }
    text(format!("{report}{endpoint} check passed\n"))
}

/// The paths of the endpoints and of the checks of each.
pub(in crate::kube) fn paths() -> impl Iterator<Item = String> {
    let of = |endpoint: &'static str| {
        let ready = READINESS.iter().filter(move |_| endpoint == "readyz");
        let checks = CHECKS.iter().chain(ready).map(move |check| format!("/{endpoint}/{check}"));
        checks.chain([format!("/{endpoint}")])
    };
    ["livez", "readyz", "healthz"].into_iter().flat_map(of)
}

/// The answer of a single check.
fn plain(body: String) -> Response {
    let mut response = text(body);
    response.headers = [("Content-Type", "text/plain; charset=utf-8")].into_iter().collect();
    response
}

fn text(body: String) -> Response {
    let mut headers = Headers::default();
    headers.push("Content-Type", "text/plain; charset=utf-8");
    headers.push("X-Content-Type-Options", "nosniff");
    Response { status: 200, headers, body: Body::Bytes(body.into_bytes()) }
}

/// What every endpoint checks.
const CHECKS: &[&str] = &[
    "ping",
    "log",
    "etcd",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
];
/// What only readiness asks for.
const READINESS: &[&str] = &["etcd-readiness", "informer-sync", "shutdown"];

#[cfg(test)]
mod tests {
    use super::*;

    fn body(endpoint: &str, check: Option<&str>, query: &str) -> (u16, String) {
        let response = respond(endpoint, check, &Query::parse(query).unwrap());
        let Body::Bytes(body) = response.body else { panic!("{endpoint}") };
        (response.status, String::from_utf8(body).unwrap())
    }

    #[test]
    fn a_healthy_server_says_ok() {
        assert_eq!(body("readyz", None, "timeout=32s"), (200, "ok".into()));
        assert_eq!(body("livez", Some("ping"), ""), (200, "ok".into()));
        assert_eq!(body("healthz", Some("poststarthook/rbac/bootstrap-roles"), ""), (200, "ok".into()));
        assert_eq!(body("livez", Some("shutdown"), "").0, 404);
        assert_eq!(body("readyz", Some("shutdown"), "").0, 200);
    }

    #[test]
    fn verbose_lists_the_checks() {
        // Kubernetes documentation, "Kubernetes API health endpoints".
        let (status, report) = body("readyz", None, "verbose&exclude=etcd&exclude=nonsense");
        assert_eq!(status, 200);
        assert!(report.starts_with("[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n"), "{report}");
        assert!(report.ends_with(
            "[+]shutdown ok\nwarn: some health checks cannot be excluded: no matches for \"nonsense\"\nreadyz check passed\n"
        ));
        assert!(!body("livez", None, "verbose").1.contains("shutdown"));
    }
}
