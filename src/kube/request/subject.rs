//! What a request is about, in the terms of an API server's own metrics.

use super::served::Served;
use crate::http1::Method;
use crate::kube::catalog::{self, Resource, Text};
use crate::kube::{Route, Verb};
use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

/// Verb and resource of a request, or the path of what is no resource. `Display` writes `apps/v1/deployments/scale`, `v1/pods` or `/readyz`.
#[derive(Debug, Clone)]
pub struct Subject {
    verb: &'static str,
    about: About,
}

#[derive(Debug, Clone)]
enum About {
    Path(&'static str),
    Resource(Served, Option<Text>),
}

impl Subject {
    /// That of a request outside of resources.
    pub(in crate::kube) fn of_route(method: &Method, route: &Route) -> Subject {
        let path = match route {
            Route::Root => "/",
            Route::Version => "/version",
            Route::Health { endpoint: "livez", .. } => "/livez",
            Route::Health { endpoint: "readyz", .. } => "/readyz",
            Route::Health { .. } => "/healthz",
            Route::ApiVersions => "/api",
            Route::ApiGroups => "/apis",
            Route::ApiGroup(_) => "/apis/GROUP",
            Route::ApiResources { .. } => "/apis/GROUP/VERSION",
            Route::OpenApiV2 => "/openapi/v2",
            Route::OpenApiV3Index => "/openapi/v3",
            Route::OpenApiV3 { .. } => "/openapi/v3/GROUP/VERSION",
            // There is no end of paths that are not served.
            Route::Resource(_) | Route::Unknown => UNKNOWN,
        };
        Subject::of_path(method, path)
    }

    /// That of a request to a path.
    pub(crate) fn of_path(method: &Method, path: &'static str) -> Subject {
        let verb = match method {
            Method::Get => "get",
            Method::Head => "head",
            Method::Post => "post",
            Method::Put => "put",
            Method::Patch => "patch",
            Method::Delete => "delete",
            Method::Options => "options",
            Method::Other(_) => "other",
        };
        Subject { verb, about: About::Path(path) }
    }

    /// That of a request to a resource, or to something below it; without a verb it is not allowed.
    pub(in crate::kube) fn of_resource(verb: Option<Verb>, served: &Served, below: Option<Text>) -> Subject {
        Subject { verb: verb.map_or("other", Verb::as_str), about: About::Resource(served.clone(), below) }
    }

    /// The verb: `get`, `list`, `deletecollection` …, or the method where there is no resource.
    pub fn verb(&self) -> &'static str {
        self.verb
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (served, below) = match &self.about {
            About::Path(path) => return f.write_str(path),
            About::Resource(served, below) => (served, below),
        };
        if !served.group.is_empty() {
            f.write_str(&served.group)?;
            f.write_str("/")?;
        }
        f.write_str(&served.version)?;
        f.write_str("/")?;
        f.write_str(&served.plural)?;
        match below {
            Some(below) => f.write_str("/").and_then(|()| f.write_str(below)),
            None => Ok(()),
        }
    }
}

/// Whether a subject, as `Display` writes it, is one that every cluster has; there is no end of what custom definitions add.
pub fn is_everywhere(subject: &str) -> bool {
    static RESOURCES: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let below = |resource: &Resource| {
            let name = format!("{}/{}", resource.api_version(), resource.plural);
            let below = resource.subresources.iter().map(|below| format!("{name}/{}", below.name)).collect::<Vec<_>>();
            below.into_iter().chain([name])
        };
        catalog::builtin().iter().flat_map(below).collect()
    });
    // A path is one of those above.
    !subject.contains('/') || subject.starts_with('/') || RESOURCES.contains(subject)
}

/// What is not served.
pub(crate) const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use crate::http1::{Method, Request};
    use crate::kube::testing::Bench;

    #[test]
    fn a_request_is_named_as_an_api_server_names_it() {
        let mut bench = Bench::new();
        for (method, target, verb, subject) in [
            (Method::Get, "/api/v1/pods?limit=5", "list", "v1/pods"),
            (Method::Get, "/api/v1/namespaces/web/pods/web-1", "get", "v1/pods"),
            (Method::Get, "/api/v1/namespaces/web/pods/web-1/log", "get", "v1/pods/log"),
            (Method::Get, "/apis/apps/v1/deployments?watch=1", "watch", "apps/v1/deployments"),
            (Method::Put, "/apis/apps/v1/namespaces/web/deployments/web/scale", "update", "apps/v1/deployments/scale"),
            (Method::Delete, "/api/v1/namespaces/web/configmaps", "deletecollection", "v1/configmaps"),
            (Method::Post, "/api/v1/nodes/a", "other", "v1/nodes"),
            (Method::Get, "/readyz/ping", "get", "/readyz"),
            (Method::Get, "/apis/example.com/v1", "get", "/apis/GROUP/VERSION"),
            (Method::Get, "/apis/example.com/v1/plans", "get", "unknown"),
            (Method::Get, "/favicon.ico", "get", "unknown"),
            (Method::Get, "/api/v1/pods?limit=x", "get", "unknown"),
        ] {
            let (_, named) = bench.cluster.serve(&Request::new(method, target), bench.now);
            assert_eq!((named.verb(), named.to_string().as_str()), (verb, subject), "{target}");
        }
    }
}
