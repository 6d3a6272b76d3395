//! `/livez`, `/readyz`, `/healthz`: a virtual cluster is always well.

use super::render::response;
use super::{Body, Query, Response, page_not_found};

/// The answer of `endpoint`, for one of its checks if `check` names one.
pub(super) fn answer(endpoint: &str, check: Option<&str>, query: &Query) -> Response {
    if let Some(check) = check {
        return if CHECKS.contains(&check) { plain("ok".into()) } else { page_not_found() };
    }
    if !query.verbose {
        return plain("ok".into());
    }
    let mut text = String::new();
    for check in CHECKS {
        let excluded = query.exclude.iter().any(|excluded| excluded == check);
        text += &format!("[+]{check} {}\n", if excluded { "excluded: ok" } else { "ok" });
    }
    plain(text + &format!("{endpoint} check passed\n"))
}

fn plain(text: String) -> Response {
    response(200, "text/plain; charset=utf-8", Body::Bytes(text.into_bytes()))
}

const CHECKS: [&str; 10] = [
    "ping",
    "log",
    "etcd",
    "etcd-readiness",
    "informer-sync",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/apiservice-registration-controller",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(endpoint: &str, check: Option<&str>, query: &str) -> (u16, String) {
        let response = answer(endpoint, check, &Query::parse(query).unwrap());
        let Body::Bytes(body) = response.body else { panic!("{:?}", response.body) };
        (response.status, String::from_utf8(body).unwrap())
    }

    #[test]
    fn everything_is_well() {
        assert_eq!(text("readyz", None, ""), (200, "ok".into()));
        assert_eq!(text("livez", Some("ping"), ""), (200, "ok".into()));
        assert_eq!(text("livez", Some("nothing"), "").0, 404);
        let (_, verbose) = text("readyz", None, "verbose&exclude=etcd");
        assert!(verbose.starts_with("[+]ping ok\n"), "{verbose}");
        assert!(verbose.contains("[+]etcd excluded: ok\n") && verbose.ends_with("readyz check passed\n"), "{verbose}");
    }
}
