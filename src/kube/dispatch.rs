//! From a request to the verb that answers it.

use super::negotiate::{self, Form};
use super::render::Asked;
use super::served::Served;
use super::table::IncludeObject;
use super::{
    Cluster, Query, ResourcePath, Response, Route, Status, Verb, catalog, discovery, health, openapi, page_not_found,
    path,
};
use crate::http1::{Method, Request};
use jiff::Timestamp;

/// A request to a resource, taken apart.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub request: &'a Request,
    pub query: Query,
    pub path: ResourcePath,
    pub served: Served,
    pub asked: Asked,
    pub now: Timestamp,
}

impl Call<'_> {
    /// The namespace in the path.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.path.namespace.as_deref()
    }

    /// The name in the path; empty for a collection.
    pub(super) fn name(&self) -> &str {
        self.path.name.as_deref().unwrap_or_default()
    }

    /// The path of the object in the store.
    pub(super) fn key(&self) -> String {
        super::store::path_of(self.namespace(), self.name())
    }

    /// The `Content-Type` of the body.
    pub(super) fn content_type(&self) -> Option<&str> {
        self.request.headers.get("Content-Type")
    }
}

impl Cluster {
    /// Answers a request; an error is the answer just as well.
    pub(super) fn dispatch(&mut self, request: &Request, now: Timestamp) -> Result<Response, Status> {
        let (route, query) = path::parse(&request.target)?;
        if let Route::Resource(path) = route {
            return self.dispatch_resource(request, path, query, now);
        }
        if !matches!(request.method, Method::Get | Method::Head) {
            return Err(Status::method_not_allowed());
        }
        let accept = request.headers.get("Accept");
        let custom = || self.kinds.resources();
        Ok(match route {
            Route::Version => discovery::version(self.baseline.kubernetes_version()),
            Route::Health { endpoint, check } => health::respond(endpoint, check.as_deref(), &query),
            Route::ApiVersions => discovery::api_versions(accept)?,
            Route::ApiGroups => discovery::api_groups(accept, &custom())?,
            Route::ApiGroup(group) => discovery::api_group(&group, &custom()),
            Route::ApiResources { group, version } => discovery::api_resources(&group, &version, &custom()),
            Route::OpenApiV2 => openapi::v2(accept, &custom())?,
            Route::OpenApiV3Index => openapi::index(&custom()),
            Route::OpenApiV3 { group, version } => openapi::group_version(&group, &version, &custom()),
            Route::Resource(_) | Route::Unknown => page_not_found(),
        })
    }

    fn dispatch_resource(
        &mut self,
        request: &Request,
        path: ResourcePath,
        query: Query,
        now: Timestamp,
    ) -> Result<Response, Status> {
        let Some(served) = self.resolve(&path.group, &path.version, &path.plural) else {
            return if self.has_group_version(&path.group, &path.version) {
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
        let verbs = below.as_ref().map_or(served.verbs, |below| below.verbs);
        let verb = verb(&request.method, &path, &query).filter(|verb| verbs.contains(*verb));
        let verb = verb.ok_or_else(Status::method_not_allowed)?;
        // Objects are made and collections emptied in one namespace at a time.
        if served.namespaced && path.namespace.is_none() && matches!(verb, Verb::Create | Verb::DeleteCollection) {
            return Err(Status::method_not_allowed());
        }
        let form = negotiate::objects(request.headers.get("Accept"))?;
        let include = match form {
            Form::Table(_) => IncludeObject::parse(query.include_object.as_deref())?,
            Form::Object | Form::Yaml | Form::Metadata(_) => IncludeObject::default(),
        };
        let asked = Asked { form, include, now };
        let call = Call { request, query, path, served, asked, now };
        if below.is_some() {
            return self.subresource(&call, verb);
        }
        match verb {
            Verb::Get => self.get(&call),
            Verb::List => self.list(&call),
            Verb::Watch => self.watch(&call),
            Verb::Create => self.create(&call),
            Verb::Update => self.update(&call),
            Verb::Patch => self.patch(&call),
            Verb::Delete => self.delete(&call),
            Verb::DeleteCollection => self.delete_collection(&call),
        }
    }

    fn has_group_version(&self, group: &str, version: &str) -> bool {
        let builtin = catalog::builtin().iter();
        builtin.chain(self.kinds.resources()).any(|resource| resource.group == group && resource.version == version)
    }
}

/// What a method asks of a path.
fn verb(method: &Method, path: &ResourcePath, query: &Query) -> Option<Verb> {
    Some(match (method, &path.name) {
        (Method::Get, _) if query.watch && path.subresource.is_none() => Verb::Watch,
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
