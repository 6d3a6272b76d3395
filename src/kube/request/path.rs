//! Request targets: which API a path names.

use crate::kube::{Query, Status};

/// What a request's path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/`: what paths there are.
    Root,
    /// `/version`.
    Version,
    /// `/livez`, `/readyz`, `/healthz` and their single checks below them.
    Health {
        /// `livez`, `readyz` or `healthz`.
        endpoint: &'static str,
        /// The single check asked for, such as `ping` or `poststarthook/start-apiextensions-informers`.
        check: Option<String>,
    },
    /// `/api`.
    ApiVersions,
    /// `/apis`.
    ApiGroups,
    /// `/apis/<group>`.
    ApiGroup(String),
    /// `/api/v1` or `/apis/<group>/<version>`.
    ApiResources {
        /// Empty for the core group.
        group: String,
        /// The version.
        version: String,
    },
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`.
    OpenApiV3Index,
    /// `/openapi/v3/api/v1` or `/openapi/v3/apis/<group>/<version>`.
    OpenApiV3 {
        /// Empty for the core group.
        group: String,
        /// The version.
        version: String,
    },
    /// A collection, an object or a subresource.
    Resource(ResourcePath),
    /// A path outside the API: 404.
    Unknown,
}

/// The path of a collection, an object or a subresource; whether the resource exists is not checked here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourcePath {
    /// Empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The namespace in the path. For the namespaces resource itself this is `None` and the name is in `name`.
    pub namespace: Option<String>,
    /// The resource's plural.
    pub plural: String,
    /// The object's name; `None` for a collection.
    pub name: Option<String>,
    /// What is asked below the object.
    pub subresource: Option<String>,
    /// What follows the subresource, as in `services/x/proxy/<rest>`; only `proxy` may carry it.
    pub rest: Option<String>,
}

/// Splits a request target into what its path names and its query; percent-encoding is undone in both.
///
/// The deprecated `/api/v1/watch/…` prefix turns into [`Query::watch`], with the name, if there is one, in the field selector. Errors are
/// answers to send: 400 for a query parameter of the wrong type.
pub fn parse(target: &str) -> Result<(Route, Query), Status> {
    // A proxy may send the absolute form (RFC 9112 §3.2.2).
    let target = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut query = Query::parse(query)?;
    let path = path.strip_prefix('/').unwrap_or(path);
    let segments: Vec<String> = path.strip_suffix('/').unwrap_or(path).split('/').map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let route = match segments.as_slice() {
        [""] if path.is_empty() => Route::Root,
        segments if segments.iter().any(|segment| segment.is_empty()) => Route::Unknown,
        segments => route(segments, &mut query),
    };
    Ok((route, query))
}

fn route(segments: &[&str], query: &mut Query) -> Route {
    match segments {
        ["version"] => Route::Version,
        ["livez", check @ ..] => health("livez", check),
        ["readyz", check @ ..] => health("readyz", check),
        ["healthz", check @ ..] => health("healthz", check),
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3Index,
        ["openapi", "v3", "api", version] => Route::OpenApiV3 { group: String::new(), version: version.to_string() },
        ["openapi", "v3", "apis", group, version] => {
            Route::OpenApiV3 { group: group.to_string(), version: version.to_string() }
        }
        ["api"] => Route::ApiVersions,
        ["apis"] => Route::ApiGroups,
        ["apis", group] => Route::ApiGroup(group.to_string()),
        ["api", version, below @ ..] => resource("", version, below, query),
        ["apis", group, version, below @ ..] => resource(group, version, below, query),
        _ => Route::Unknown,
    }
}

fn health(endpoint: &'static str, check: &[&str]) -> Route {
    Route::Health { endpoint, check: (!check.is_empty()).then(|| check.join("/")) }
}

fn resource(group: &str, version: &str, below: &[&str], query: &mut Query) -> Route {
    let base = ResourcePath { group: group.into(), version: version.into(), ..ResourcePath::default() };
    let Some(mut path) = (match below {
        [] => return Route::ApiResources { group: base.group, version: base.version },
        ["watch", below @ ..] if !below.is_empty() => {
            query.watch = true;
            split(base, below)
        }
        below => split(base, below),
    }) else {
        return Route::Unknown;
    };
    if query.watch
        && below.first() == Some(&"watch")
        && let Some(name) = path.name.take()
    {
        let only = format!("metadata.name={name}");
        query.field_selector = Some(match query.field_selector.take() {
            Some(selector) if !selector.is_empty() => format!("{selector},{only}"),
            _ => only,
        });
    }
    Route::Resource(path)
}

/// What stands below a group version: `[namespaces/<namespace>/]<plural>[/<name>[/<subresource>[/<rest>]]]`.
fn split(base: ResourcePath, below: &[&str]) -> Option<ResourcePath> {
    let (namespace, below) = match below {
        // These two are the namespace's own subresources, not kinds within it.
        ["namespaces", _, "status" | "finalize", ..] => (None, below),
        ["namespaces", namespace, below @ ..] if !below.is_empty() => (Some(namespace.to_string()), below),
        below => (None, below),
    };
    let (plural, below) = below.split_first()?;
    let path = ResourcePath { namespace, plural: plural.to_string(), ..base };
    Some(match below {
        [] => path,
        [name] => ResourcePath { name: Some(name.to_string()), ..path },
        [name, subresource, rest @ ..] => ResourcePath {
            name: Some(name.to_string()),
            subresource: Some(subresource.to_string()),
            rest: (!rest.is_empty()).then(|| rest.join("/")),
            ..path
        },
    })
}

fn decode(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(target: &str) -> ResourcePath {
        match parse(target).unwrap().0 {
            Route::Resource(path) => path,
            other => panic!("{target}: {other:?}"),
        }
    }

    fn parts(target: &str) -> (String, String, Option<String>, String, Option<String>, Option<String>) {
        let path = path(target);
        (path.group, path.version, path.namespace, path.plural, path.name, path.subresource)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.into())
    }

    #[test]
    fn collections_objects_and_subresources() {
        let v1 = || "v1".to_owned();
        assert_eq!(parts("/api/v1/nodes?limit=500"), (String::new(), v1(), None, "nodes".into(), None, None));
        assert_eq!(
            parts("/api/v1/namespaces/x/pods/y/log"),
            (String::new(), v1(), some("x"), "pods".into(), some("y"), some("log"))
        );
        assert_eq!(
            parts("/apis/apps/v1/namespaces/x/deployments"),
            ("apps".into(), v1(), some("x"), "deployments".into(), None, None)
        );
        assert_eq!(
            parts("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"),
            ("rbac.authorization.k8s.io".into(), v1(), None, "clusterroles".into(), some("system:node"), None)
        );
    }

    #[test]
    fn a_namespace_is_an_object_and_a_prefix() {
        let v1 = || "v1".to_owned();
        let ns = || "namespaces".to_owned();
        assert_eq!(parts("/api/v1/namespaces"), (String::new(), v1(), None, ns(), None, None));
        assert_eq!(parts("/api/v1/namespaces/x"), (String::new(), v1(), None, ns(), some("x"), None));
        assert_eq!(parts("/api/v1/namespaces/x/status"), (String::new(), v1(), None, ns(), some("x"), some("status")));
        assert_eq!(
            parts("/api/v1/namespaces/x/finalize"),
            (String::new(), v1(), None, ns(), some("x"), some("finalize"))
        );
        assert_eq!(parts("/api/v1/namespaces/x/pods"), (String::new(), v1(), some("x"), "pods".into(), None, None));
    }

    #[test]
    fn what_follows_a_proxy_is_kept() {
        assert_eq!(path("/api/v1/namespaces/x/services/http:web:80/proxy/a/b?c=d").rest, some("a/b"));
    }

    #[test]
    fn the_deprecated_watch_prefix_is_a_watch() {
        let (route, query) = parse("/api/v1/watch/namespaces/x/pods/y?fieldSelector=status.phase%3DRunning").unwrap();
        let Route::Resource(path) = route else { panic!("{route:?}") };
        assert!(query.watch);
        assert_eq!((path.namespace, path.plural.as_str(), path.name), (some("x"), "pods", None));
        assert_eq!(query.field_selector.as_deref(), Some("status.phase=Running,metadata.name=y"));
        assert!(parse("/apis/apps/v1/watch/deployments").unwrap().1.watch);
    }

    #[test]
    fn what_is_not_a_resource() {
        let route = |target| parse(target).unwrap().0;
        assert_eq!(route("/version?timeout=32s"), Route::Version);
        assert_eq!(route("/version/"), Route::Version);
        assert_eq!(route("/api"), Route::ApiVersions);
        assert_eq!(route("/apis"), Route::ApiGroups);
        assert_eq!(route("/apis/apps"), Route::ApiGroup("apps".into()));
        assert_eq!(route("/api/v1"), Route::ApiResources { group: String::new(), version: "v1".into() });
        assert_eq!(
            route("/apis/k3s.cattle.io/v1"),
            Route::ApiResources { group: "k3s.cattle.io".into(), version: "v1".into() }
        );
        assert_eq!(route("/openapi/v2"), Route::OpenApiV2);
        assert_eq!(route("/openapi/v3"), Route::OpenApiV3Index);
        assert_eq!(route("/openapi/v3/api/v1"), Route::OpenApiV3 { group: String::new(), version: "v1".into() });
        assert_eq!(
            route("/openapi/v3/apis/apps/v1?hash=x"),
            Route::OpenApiV3 { group: "apps".into(), version: "v1".into() }
        );
        assert_eq!(route("/readyz"), Route::Health { endpoint: "readyz", check: None });
        assert_eq!(route("/livez/ping"), Route::Health { endpoint: "livez", check: some("ping") });
        assert_eq!(
            route("/healthz/poststarthook/rbac/bootstrap-roles"),
            Route::Health { endpoint: "healthz", check: some("poststarthook/rbac/bootstrap-roles") }
        );
        assert_eq!((route("/"), route("/?x=y")), (Route::Root, Route::Root));
        for unknown in ["/metrics2", "/openapi", "/api/v1//pods", "//"] {
            assert_eq!(route(unknown), Route::Unknown, "{unknown}");
        }
    }

    proptest! {
        #[test]
        fn no_target_panics(target in ".*") {
            let _ = parse(&target);
        }

        #[test]
        fn names_survive_encoding(name in "[ -~]{1,20}") {
            let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(path(&format!("/api/v1/nodes/{encoded}")).name, Some(name));
        }
    }
}
