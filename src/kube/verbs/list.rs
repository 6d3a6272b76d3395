//! Lists.

use super::revision::{Continue, requested};
use crate::kube::request::dispatch::Call;
use crate::kube::request::negotiate::Form;
use crate::kube::response::listing::Listing;
use crate::kube::response::render::{Filter, response, yaml};
use crate::kube::store::{Found, path_of};
use crate::kube::{Body, Cluster, FieldSelector, LabelSelector, Progress, Response, Status, Streaming};
use serde_json::{Value, json};

impl Cluster {
    /// The objects of a collection; in a namespace that does not exist there are none.
    pub(in crate::kube) fn list(&self, call: &Call<'_>) -> Result<Response, Status> {
        let (metadata, found) = self.select(call)?;
        let versions = found.into_iter().map(|found| found.version).collect();
        self.respond(call, Listing::new(call.served.clone(), call.asked, metadata, versions))
    }

    /// What the options of a call pick of a collection, with the metadata of the list of it.
    pub(super) fn select(&self, call: &Call<'_>) -> Result<(Value, Vec<Found<'_>>), Status> {
        call.query.check_list()?;
        let filter = filter(call)?;
        let token = call.query.continue_token.as_deref().filter(|token| !token.is_empty());
        let token = token.map(Continue::decode).transpose()?;
        // A list from the watch cache knows no pages.
        let is_cached = call.query.resource_version.as_deref() == Some("0") && token.is_none();
        let limit = call.query.limit.filter(|limit| *limit > 0 && !is_cached);
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let revision = self.revision_of_list(call, token.as_ref(), limit)?;

        let found = self.found(call, &filter, revision, token.as_ref())?;
        let start = token.map_or(0, |token| found.partition_point(|found| *found.path <= *token.after));
        let matching = found.into_iter().skip(start).filter(|found| filter.matches(self, &call.served, &found.version));
        let mut matching: Vec<Found<'_>> = matching.collect();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if matching.len() > limit {
            if !filter.selects() {
                metadata["remainingItemCount"] = json!(matching.len() - limit);
            }
            matching.truncate(limit);
            if let Some(last) = matching.last() {
                metadata["continue"] =
                    json!(Continue { revision: Some(revision), after: last.path.to_string() }.encode());
            }
        }
        if call.served.custom && metadata.get("continue").is_none() {
            // Lists of custom kinds are trees in an API server, which leave nothing out.
            metadata["continue"] = json!("");
        }
        Ok((metadata, matching))
    }

    /// The whole list at once if it is small, else piece by piece.
    pub(in crate::kube) fn respond(&self, call: &Call<'_>, mut listing: Listing) -> Result<Response, Status> {
        let mut bytes = Vec::new();
        if call.asked.form == Form::Yaml {
            while listing.poll(self, &mut bytes, usize::MAX) == Progress::More {}
            let list: Value = serde_json::from_slice(&bytes).map_err(Status::internal)?;
            return yaml(200, &list);
        }
        let body = match listing.poll(self, &mut bytes, WHOLE_LIST_BYTES) {
            Progress::Done => Body::Bytes(bytes),
            Progress::More | Progress::Idle => Body::Streaming(Streaming::listing(listing.resumed_with(bytes))),
        };
        Ok(response(200, "application/json", body))
    }

    /// At which revision a list is to be made.
    fn revision_of_list(&self, call: &Call<'_>, token: Option<&Continue>, limit: usize) -> Result<u64, Status> {
        let current = self.revision();
        let asked = requested(call.query.resource_version.as_deref())?;
        let revision = match (token, asked, call.query.resource_version_match.as_deref()) {
            (Some(Continue { revision: Some(_), .. }), Some(1..), _) => {
                return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
            }
            (Some(token), _, _) => token.revision.unwrap_or(current),
            (None, Some(asked), Some("Exact")) => asked,
            // The legacy meaning of a limit with a revision.
            (None, Some(asked @ 1..), None | Some("")) if limit < usize::MAX => asked,
            (None, asked, _) if asked.unwrap_or_default() > current => asked.unwrap_or_default(),
            (None, _, _) => current,
        };
        if revision > current { Err(Status::too_large_resource_version(revision, current)) } else { Ok(revision) }
    }

    /// What stands in the collection at a revision, as far as the selectors need to look.
    fn found(
        &self,
        call: &Call<'_>,
        filter: &Filter,
        revision: u64,
        token: Option<&Continue>,
    ) -> Result<Vec<Found<'_>>, Status> {
        let storage = call.served.storage;
        let namespace = filter.namespace.as_deref().or(filter.fields.namespace());
        if revision == self.revision() {
            let place = (filter.fields.name(), namespace.is_some() || !call.served.namespaced);
            if let (Some(name), true) = place {
                let path = path_of(namespace.filter(|_| call.served.namespaced), name);
                let found = self.store.get(storage, &path);
                return Ok(found.map(|version| Found { path: path.into(), version }).into_iter().collect());
            }
            return Ok(self.store.list(storage, namespace));
        }
        self.store.list_at(storage, namespace, revision).map_err(|_| match token {
            None => Status::expired("The resourceVersion for the provided list is too old."),
            Some(token) => Status {
                continue_token: Some(Continue { revision: None, after: token.after.clone() }.encode()),
                ..Status::expired(INCONSISTENT_CONTINUE)
            },
        })
    }
}

/// What the path and the selectors of a call pick.
pub(super) fn filter(call: &Call<'_>) -> Result<Filter, Status> {
    let labels = call.query.label_selector.as_deref().unwrap_or_default();
    let mut fields = call.query.field_selector.clone().unwrap_or_default();
    if let Some(name) = &call.path.name {
        // A watch of one object by its path.
        fields = format!("metadata.name={name}{}{fields}", if fields.is_empty() { "" } else { "," });
    }
    Ok(Filter {
        namespace: call.namespace().map(Into::into),
        labels: LabelSelector::parse(labels)?,
        fields: FieldSelector::parse(&fields, &call.served)?,
    })
}

/// The words of apiserver `storage/etcd3` for pages that were read too slowly.
const INCONSISTENT_CONTINUE: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new \
    list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing \
    with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first \
    chunk was returned and now may show up in the list.";
/// As much of a list as is made at once; what is longer is made as the peer reads it.
const WHOLE_LIST_BYTES: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn a_list_has_a_kind_a_revision_and_its_objects_in_order() {
        let mut bench = Bench::new();
        let answer = bench.get("/api/v1/nodes");
        assert_eq!((&answer.body["kind"], &answer.body["apiVersion"]), (&json!("NodeList"), &json!("v1")));
        assert!(answer.revision() > 1_000);
        // The objects of a built-in kind do not repeat it.
        assert!(answer.body["items"][0].get("kind").is_none());
        assert_eq!(answer.names(), ["edge-control-1", "edge-worker-1", "edge-worker-2"]);
    }

    #[test]
    fn a_missing_namespace_is_an_empty_list() {
        let mut bench = Bench::new();
        let answer = bench.get("/api/v1/namespaces/cattle-impersonation-system/secrets");
        assert_eq!(answer.names(), [""; 0]);
        assert!(answer.revision() > 1);
        assert_eq!(answer.body["kind"], "SecretList");
    }

    #[test]
    fn selectors_pick() {
        let mut bench = Bench::new();
        let mut names = |query: &str| bench.get(&format!("/api/v1/pods?{query}")).names();
        assert_eq!(names("labelSelector=app%3Dweb,cluster%3Dedge"), ["web-1", "web-2", "web-3"]);
        assert_eq!(names("labelSelector=app!%3Dweb"), [""; 0]);
        assert_eq!(names("fieldSelector=spec.nodeName%3Dedge-worker-1"), ["web-1", "web-2"]);
        assert_eq!(names("fieldSelector=metadata.name%3Dweb-2,metadata.namespace%3Dweb"), ["web-2"]);
        assert_eq!(names("fieldSelector=metadata.namespace%3Ddefault"), [""; 0]);
        assert_eq!(bench.get("/api/v1/pods?labelSelector=a%3D%3D%3Db").code, 400);
        assert_eq!(bench.get("/api/v1/pods?fieldSelector=spec.x%3Db").code, 400);
    }

    #[test]
    fn pages_show_the_state_of_the_first_one() {
        let mut bench = Bench::new();
        let first = bench.get("/api/v1/namespaces/web/pods?limit=2");
        assert_eq!(first.names(), ["web-1", "web-2"]);
        assert_eq!(first.body["metadata"]["remainingItemCount"], 1);
        let token = first.body["metadata"]["continue"].as_str().unwrap().to_owned();
        bench.delete("/api/v1/namespaces/web/pods/web-3").ok();
        bench
            .post(
                "/api/v1/namespaces/web/pods",
                json!({"metadata": {"name": "web-4"}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}),
            )
            .ok();
        let second = bench.get(&format!("/api/v1/namespaces/web/pods?limit=2&continue={token}"));
        assert_eq!(second.names(), ["web-3"]);
        assert_eq!(second.revision(), first.revision());
        assert!(second.body["metadata"].get("continue").is_none());
        assert_eq!(bench.get("/api/v1/namespaces/web/pods").names(), ["web-1", "web-2", "web-4"]);
        let exact = format!("resourceVersion={}&resourceVersionMatch=Exact", first.revision());
        assert_eq!(bench.get(&format!("/api/v1/namespaces/web/pods?{exact}")).names(), ["web-1", "web-2", "web-3"]);
        // What happened before the cluster was made, nobody knows.
        let early = "resourceVersion=1&resourceVersionMatch=Exact";
        assert_eq!(bench.get(&format!("/api/v1/namespaces/web/pods?{early}")).code, 410);
    }

    #[test]
    fn inconsistent_options_are_refused() {
        let mut bench = Bench::new();
        assert_eq!(bench.get("/api/v1/pods?resourceVersionMatch=Exact").code, 422);
        assert_eq!(bench.get("/api/v1/pods?sendInitialEvents=true").code, 422);
        assert_eq!(bench.get("/api/v1/pods?resourceVersion=x").code, 500);
        assert_eq!(bench.get("/api/v1/pods?resourceVersion=999999999").code, 504);
        assert_eq!(bench.get("/api/v1/pods?continue=x").code, 400);
        assert_eq!(bench.get("/api/v1/pods?resourceVersion=0&limit=1").names().len(), 3);
    }

    #[test]
    fn a_long_list_streams_to_the_same_end() {
        let mut bench = Bench::new();
        for i in 0..100 {
            let object = json!({"metadata": {"name": format!("c{i:03}")}, "data": {"x": "y".repeat(1_000)}});
            bench.post("/api/v1/namespaces/web/configmaps", object).ok();
        }
        let names = bench.get("/api/v1/namespaces/web/configmaps").names();
        assert_eq!(names.len(), 101);
        assert_eq!((names[0].as_str(), names[99].as_str()), ("c000", "c099"));
    }
}
