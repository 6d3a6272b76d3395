//! From a request to the verb that answers it.

use super::negotiate::{self, Form};
use super::path;
use super::served::Served;
use crate::http1::{Method, Request};
use crate::kube::discovery::{self, health};
use crate::kube::ownership::Author;
use crate::kube::response::quote::quote;
use crate::kube::response::render::Asked;
use crate::kube::table::IncludeObject;
use crate::kube::{
    Cluster, Query, Resource, ResourcePath, Response, Route, Status, Subject, Verb, Verbs, catalog, openapi,
    page_not_found,
};
use jiff::Timestamp;
use std::cell::RefCell;

/// A request to a resource, taken apart.
#[derive(Debug)]
pub(in crate::kube) struct Call<'a> {
    pub request: &'a Request,
    pub query: Query,
    pub path: ResourcePath,
    pub served: Served,
    pub asked: Asked,
    pub now: Timestamp,
    /// What is to be said beside the answer, in `Warning` headers.
    pub warnings: RefCell<Vec<String>>,
}

impl Call<'_> {
    /// The namespace in the path.
    pub(in crate::kube) fn namespace(&self) -> Option<&str> {
        self.path.namespace.as_deref()
    }

    /// The name in the path; empty for a collection.
    pub(in crate::kube) fn name(&self) -> &str {
        self.path.name.as_deref().unwrap_or_default()
    }

    /// The path of the object in the store.
    pub(in crate::kube) fn key(&self) -> String {
        crate::kube::store::path_of(self.namespace(), self.name())
    }

    /// Who asks, as an owner of fields: the manager that the query names, else the program in the `User-Agent`.
    pub(in crate::kube) fn author(&self) -> Author<'_> {
        let named = self.query.field_manager.as_deref().filter(|manager| !manager.is_empty());
        let agent = || self.request.headers.get("User-Agent").unwrap_or_default().split('/').next().unwrap_or_default();
        let manager = match named {
            Some(manager) => manager.into(),
            None => agent().chars().filter(|c| !c.is_control()).take(LONGEST_MANAGER).collect::<String>().into(),
        };
        let subresource = self.path.subresource.as_deref();
        Author { manager, api_version: self.served.api_version(), subresource, now: self.now }
    }

    /// The `Content-Type` of the body.
    pub(in crate::kube) fn content_type(&self) -> Option<&str> {
        self.request.headers.get("Content-Type")
    }
}

impl Cluster {
    /// Answers a request; an error is the answer just as well. What it is about is told in `subject`.
    pub(in crate::kube) fn dispatch(
        &mut self,
        request: &Request,
        now: Timestamp,
        subject: &mut Subject,
    ) -> Result<Response, Status> {
        let (route, query) = path::parse(&request.target)?;
        if let Route::Resource(path) = route {
            return self.dispatch_resource(request, path, query, now, subject);
        }
        *subject = Subject::of_route(&request.method, &route);
        if !matches!(request.method, Method::Get | Method::Head) {
            return Err(Status::method_not_allowed());
        }
        let accept = request.headers.get("Accept");
        let custom = || self.kinds.resources();
        Ok(match route {
            Route::Root => discovery::paths(&custom()),
            Route::Version => discovery::version(self.baseline.kubernetes_version()),
            Route::Health { endpoint, check } => health::respond(endpoint, check.as_deref(), &query),
            Route::ApiVersions => discovery::api_versions(accept)?,
            Route::ApiGroups => discovery::api_groups(accept, &custom())?,
            Route::ApiGroup(group) => discovery::api_group(&group, &custom()),
            Route::ApiResources { group, version } => {
                let is_built_in = |of: &Resource| of.group == group && !of.custom;
                if catalog::builtin().iter().any(is_built_in) && !Cluster::has_group_version(&group, &version) {
                    return Err(Status::unknown_route());
                }
                discovery::api_resources(&group, &version, &custom())
            }
            Route::OpenApiV2 => openapi::v2(accept, &self.kinds.versions())?,
            Route::OpenApiV3Index => openapi::index(&self.kinds.versions()),
            Route::OpenApiV3 { group, version } => openapi::group_version(&group, &version, &self.kinds.versions()),
            Route::Resource(_) | Route::Unknown => page_not_found(),
        })
    }

    fn dispatch_resource(
        &mut self,
        request: &Request,
        path: ResourcePath,
        query: Query,
        now: Timestamp,
        subject: &mut Subject,
    ) -> Result<Response, Status> {
        let Some(served) = self.resolve(&path.group, &path.version, &path.plural) else {
            return if Cluster::has_group_version(&path.group, &path.version) {
                Err(Status::unknown_route())
            } else {
                Ok(page_not_found())
            };
        };
        let below = match path.subresource.as_deref() {
            Some(name) => Some(served.subresource(name).cloned().ok_or_else(Status::unknown_route)?),
            None => None,
        };
        let is_misplaced = match (served.namespaced, &path.namespace, &path.name) {
            (true, None, Some(_)) | (false, Some(_), _) => true,
            (true, Some(_), _) | (true, None, None) | (false, None, _) => false,
        };
        if is_misplaced || (path.rest.is_some() && path.subresource.as_deref() != Some("proxy")) {
            return Err(Status::unknown_route());
        }
        // What discovery no longer tells of a kind that ends, its objects still need.
        let own = if served.custom { Verbs::ALL } else { served.verbs };
        let verbs = below.as_ref().map_or(own, |below| below.verbs);
        let verb = verb(&request.method, &path, &query).filter(|verb| verbs.contains(*verb));
        *subject = Subject::of_resource(verb, &served, below.as_ref().map(|below| below.name.clone()));
        let verb = verb.ok_or_else(Status::method_not_allowed)?;
        // Objects are made and collections emptied in one namespace at a time.
        if served.namespaced && path.namespace.is_none() && matches!(verb, Verb::Create | Verb::DeleteCollection) {
            return Err(Status::method_not_allowed());
        }
        let accept = request.headers.get("Accept");
        if below.is_none() && !served.custom {
            negotiate::routed(accept, matches!(verb, Verb::List | Verb::Watch))?;
        }
        let form = negotiate::objects(accept)?;
        let include = match form {
            Form::Table(_) => IncludeObject::parse(query.include_object.as_deref())?,
            Form::Object | Form::Yaml | Form::Metadata(_) => IncludeObject::default(),
        };
        let asked = Asked { form, include, now };
        let call = Call { request, query, path, served, asked, now, warnings: RefCell::default() };
        if let Some(deprecation) = call.served.as_custom().and_then(|custom| custom.deprecation.clone()) {
            call.warnings.borrow_mut().push(deprecation);
        }
        let mut response = self.perform(&call, below.is_some(), verb).unwrap_or_else(Response::from);
        for warning in call.warnings.take() {
            response.headers.push("Warning", format!("299 - {}", quote(&warning)));
        }
        Ok(response)
    }

    fn perform(&mut self, call: &Call<'_>, is_below: bool, verb: Verb) -> Result<Response, Status> {
        if is_below {
            return self.subresource(call, verb);
        }
        match verb {
            Verb::Get => self.get(call),
            Verb::List => self.list(call),
            Verb::Watch => self.watch(call),
            Verb::Create => self.create(call),
            Verb::Update => self.update(call),
            Verb::Patch => self.patch(call),
            Verb::Delete => self.delete(call),
            Verb::DeleteCollection => self.delete_collection(call),
        }
    }

    /// Answers a request with this status, whatever it asks for.
    pub fn refuse(&self, request: &Request, status: Status) -> (Response, Subject) {
        let subject = match path::parse(&request.target) {
            Ok((Route::Resource(path), query)) => match self.resolve(&path.group, &path.version, &path.plural) {
                Some(served) => {
                    let below = path.subresource.as_deref().and_then(|name| served.subresource(name));
                    let below = below.map(|below| below.name.clone());
                    Subject::of_resource(verb(&request.method, &path, &query), &served, below)
                }
                None => Subject::of_route(&request.method, &Route::Unknown),
            },
            Ok((route, _)) => Subject::of_route(&request.method, &route),
            Err(_) => Subject::of_route(&request.method, &Route::Unknown),
        };
        (status.into(), subject)
    }

    fn has_group_version(group: &str, version: &str) -> bool {
        catalog::builtin().iter().any(|resource| resource.group == group && resource.version == version)
    }
}

/// What a method asks of a path.
fn verb(method: &Method, path: &ResourcePath, query: &Query) -> Option<Verb> {
    Some(match (method, &path.name) {
        (Method::Get, None) if query.watch => Verb::Watch,
        (Method::Get, None) => Verb::List,
        (Method::Get, Some(_)) => Verb::Get,
        (Method::Post, _) if path.name.is_none() || path.subresource.is_some() => Verb::Create,
        (Method::Put, Some(_)) => Verb::Update,
        (Method::Patch, Some(_)) => Verb::Patch,
        (Method::Delete, None) => Verb::DeleteCollection,
        (Method::Delete, Some(_)) => Verb::Delete,
        _ => return None,
    })
}

/// `FieldManagerMaxLength` of apimachinery.
const LONGEST_MANAGER: usize = 128;

#[cfg(test)]
mod tests {
    use crate::http1::Method;
    use crate::kube::catalog::builtin;
    use crate::kube::testing::Bench;
    use crate::kube::{Limits, Verb};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn every_built_in_kind_can_be_listed_and_watched() {
        let mut bench = Bench::new();
        for resource in builtin().iter().filter(|resource| resource.allows(Verb::List)) {
            let prefix = if resource.group.is_empty() { "/api".into() } else { format!("/apis/{}", resource.group) };
            let target = format!("{prefix}/{}/{}", resource.version, resource.plural);
            let list = bench.get(&target).ok();
            assert_eq!(list["kind"], resource.list_kind.as_ref(), "{target}");
            for item in list["items"].as_array().unwrap() {
                assert!(item["metadata"]["uid"].is_string(), "{item}");
            }
            if resource.allows(Verb::Watch) {
                let events = bench.watch(&format!("{target}?watch=true&timeoutSeconds=1")).events(&bench);
                assert_eq!(events.len(), list["items"].as_array().unwrap().len());
                for event in events {
                    assert_eq!(event["object"]["kind"], resource.kind.as_ref());
                    assert_eq!(event["object"]["apiVersion"], resource.api_version());
                }
            }
        }
    }

    #[test]
    fn other_forms_are_served() {
        let mut bench = Bench::new();
        let table = [("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
        let list = bench.call(Method::Get, "/api/v1/namespaces/web/pods", &table, b"").ok();
        assert_eq!(list["kind"], "Table");
        assert_eq!(list["rows"].as_array().unwrap().len(), 3);
        assert_eq!(list["rows"][0]["cells"][0], "web-1");
        let one = bench.call(Method::Get, "/api/v1/namespaces/web/pods/web-1", &table, b"").ok();
        assert_eq!(one["rows"].as_array().unwrap().len(), 1);
        let metadata = [("Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")];
        let list = bench.call(Method::Get, "/api/v1/namespaces/web/pods", &metadata, b"").ok();
        assert_eq!(list["kind"], "PartialObjectMetadataList");
        assert_eq!(list["items"][0]["kind"], "PartialObjectMetadata");
        let yaml = bench.call(Method::Get, "/api/v1/namespaces/web", &[("Accept", "application/yaml")], b"").ok();
        assert!(yaml.as_str().unwrap().contains("kind: Namespace\n"), "{yaml}");
        let protobuf = [("Accept", "application/vnd.kubernetes.protobuf")];
        assert_eq!(bench.call(Method::Get, "/api/v1/nodes", &protobuf, b"").code, 406);
        // Routes of built-in kinds know no half of a media type.
        let half = [("Accept", "text/html;q=1, application/*")];
        let refused = bench.call(Method::Get, "/api/v1/nodes/edge-worker-1", &half, b"");
        assert_eq!(
            (refused.code, refused.message()),
            (
                406,
                "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
                 application/vnd.kubernetes.protobuf"
            )
        );
        assert!(bench.call(Method::Get, "/api/v1/nodes", &half, b"").message().ends_with("protobuf;stream=watch"));
        let any = [("Accept", "application/*, */*;q=0.1")];
        assert_eq!(bench.call(Method::Get, "/api/v1/nodes", &any, b"").ok()["kind"], "NodeList");
        let either = [("Accept", "application/vnd.kubernetes.protobuf,application/json")];
        assert_eq!(bench.call(Method::Get, "/api/v1/nodes", &either, b"").ok()["kind"], "NodeList");
    }

    #[test]
    fn what_no_route_takes_is_refused() {
        let mut bench = Bench::new();
        assert_eq!(bench.call(Method::Post, "/version", &[], b"").code, 405);
        assert_eq!(bench.call(Method::Put, "/api/v1/namespaces", &[], b"").code, 405);
        assert_eq!(bench.call(Method::Options, "/api/v1/namespaces", &[], b"").code, 405);
        assert_eq!(bench.get("/version").ok()["gitVersion"], "v1.31.4");
        assert_eq!(bench.get("/readyz").ok(), json!("ok"));
        assert_eq!(bench.get("/nothing").code, 404);
        let paths = bench.get("/").ok()["paths"].as_array().unwrap().clone();
        for path in
            ["/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/livez/ping", "/openapi/v2", "/version"]
        {
            assert!(paths.contains(&json!(path)), "{path}");
        }
        for path in paths {
            assert_ne!(bench.get(path.as_str().unwrap()).code, 404, "{path}");
        }
        assert_eq!(bench.get("/api/v1/namespaces/web/pods/web-1/nothing").code, 404);
    }

    fn methods() -> impl Strategy<Value = Method> {
        prop_oneof![Just(Method::Get), Just(Method::Post), Just(Method::Put), Just(Method::Patch), Just(Method::Delete)]
    }

    fn targets() -> impl Strategy<Value = String> {
        let collection = prop_oneof![
            Just("/api/v1/namespaces"),
            Just("/api/v1/nodes"),
            Just("/api/v1/namespaces/web/pods"),
            Just("/api/v1/namespaces/web/services"),
            Just("/api/v1/namespaces/web/secrets"),
            Just("/api/v1/namespaces/web/serviceaccounts"),
            Just("/apis/apps/v1/namespaces/web/deployments"),
            Just("/apis/batch/v1/namespaces/web/jobs"),
            Just("/apis/rbac.authorization.k8s.io/v1/clusterroles"),
            Just("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
            Just("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        ];
        let below = prop_oneof![
            Just(""),
            Just("/web"),
            Just("/edge-worker-1"),
            Just("/web-1"),
            Just("/web/status"),
            Just("/web/scale"),
            Just("/web/finalize"),
            Just("/default/token"),
            Just("/web-1/eviction"),
            Just("/web-1/binding")
        ];
        (collection, below, ".{0,12}").prop_map(|(collection, below, query)| format!("{collection}{below}?{query}"))
    }

    /// Trees with the field names that this room looks at, in shapes it does not expect.
    fn trees() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            Just(json!(-1)),
            Just(json!("web")),
            Just(json!("kubernetes.io/service-account-token")),
            Just(json!("10.43.0.9")),
        ];
        let keys = prop_oneof![
            "metadata|name|namespace|labels|annotations|finalizers|ownerReferences|spec|status|data|stringData|type|ports|port",
            "template|containers|resources|requests|conditions|names|kind|plural|group|versions|storage|served|scope|selector|replicas",
            "rules|aggregationRule|clusterRoleSelectors|target|deleteOptions|preconditions|uid|resourceVersion|generateName|subresources"
        ];
        leaf.prop_recursive(5, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
                proptest::collection::btree_map(keys.clone(), inner, 0..6)
                    .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect()))
            ]
        })
    }

    proptest! {
        #[test]
        fn no_request_panics(calls in proptest::collection::vec((methods(), targets(), trees(), 0..3_usize), 1..12)) {
            let mut bench = Bench::with_limits(Limits { watch_history: 50, objects: 50, object_bytes: 10_000 });
            let kinds = ["application/json", "application/merge-patch+json", "application/strategic-merge-patch+json"];
            for (method, target, mut body, kind) in calls {
                if let Some(fields) = body.as_object_mut() {
                    // So that some get past the first checks.
                    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
                    if let Some(metadata) = metadata.as_object_mut() {
                        metadata.entry("name").or_insert_with(|| json!("web"));
                    }
                }
                let answer = bench.call(method, &target, &[("Content-Type", kinds[kind])], body.to_string().as_bytes());
                prop_assert!((200..600).contains(&answer.code));
                bench.pass(30);
                bench.cluster.report(crate::kube::Heartbeat::LeasesAndNodes, bench.now);
            }
        }

        #[test]
        fn no_bytes_panic(target in "/api/v1/.{0,30}", body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut bench = Bench::new();
            for method in [Method::Get, Method::Post, Method::Delete] {
                prop_assert!(bench.call(method, &target, &[], &body).code >= 200);
            }
        }
    }
}
