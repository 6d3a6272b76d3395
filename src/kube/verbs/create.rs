//! Creates.

use super::write::{Keep, path};
use crate::kube::admission::{fit_to_path, metadata_problems};
use crate::kube::custom::definition;
use crate::kube::names;
use crate::kube::object::Uid;
use crate::kube::request::dispatch::Call;
use crate::kube::request::served::Served;
use crate::kube::store::Version;
use crate::kube::{Cause, Cluster, Response, Status, Verb, tree, validate};
use jiff::Timestamp;
use serde_json::Value;

impl Cluster {
    /// Makes the object in the body.
    pub(in crate::kube) fn create(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        if !call.served.verbs.contains(Verb::Create) {
            return Err(Status::kind_is_ending(&call.served));
        }
        call.query.check_write("CreateOptions")?;
        let mut object = self.body_of(call, &*call.served)?;
        fit_to_path(&*call.served, call.namespace(), None, &mut object)?;
        if let Some(reviewed) = self.review(call, &object) {
            return reviewed;
        }
        if call.served.is("", "bindings") {
            return self.bind_by_name(call, &object);
        }
        // Owners are kept from the first apply on.
        tree::at(&mut object, &["metadata", "managedFields"]).take();
        call.warnings.borrow_mut().extend(validate::advice(&call.served, &object));
        let version = self.make(&call.served, object, Keep::of(call), call.now)?;
        self.answer(201, &call.asked, &call.served, &version)
    }

    /// Makes an object that fits its path; what follows is the same for clients, patches that create, and controllers.
    pub(in crate::kube) fn make(
        &mut self,
        served: &Served,
        mut object: Value,
        keep: Keep,
        now: Timestamp,
    ) -> Result<Version, Status> {
        self.check_namespace_takes(served, &object)?;
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            return Err(Status::unknown("resourceVersion should not be set on objects to be created"));
        }
        self.generate_name(served, &mut object);
        let uid = Uid::random(&mut self.random);
        self.keep_limits(served, &mut object)?;
        self.prepare_new(served, &mut object, &uid, now)?;
        let mut causes = metadata_problems(served, &object);
        if served.is("apiextensions.k8s.io", "customresourcedefinitions") {
            causes.extend(definition::misnamed(&object));
        }
        causes.extend(validate::problems(served, &object));
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if !causes.is_empty() {
            return Err(Status::invalid(served, name, causes));
        }
        if let Some(found) = self.store.get(served.storage, &path(&object)) {
            let mut status = Status::already_exists(served, name);
            if self.store.stamp(&found).deleted_s.is_some() {
                status.message = format!("object is being deleted: {}", status.message);
            } else if object["metadata"]["generateName"].as_str().is_some_and(|prefix| !prefix.is_empty()) {
                status.message.push_str(", the server was not able to generate a unique name for the object");
                status.details.get_or_insert_default().retry_after_seconds = 1;
            }
            return Err(status);
        }
        self.check_quotas(served, None, &object)?;
        self.store_new(served, &object, uid, keep, now)
    }

    /// Names an object that has but a prefix, with a name that is free (KEP-4420 tries eight times).
    fn generate_name(&mut self, served: &Served, object: &mut Value) {
        let metadata = &object["metadata"];
        let prefix = metadata["generateName"].as_str().unwrap_or_default().to_owned();
        if prefix.is_empty() || metadata["name"].as_str().is_some_and(|name| !name.is_empty()) {
            return;
        }
        for _ in 0..GENERATE_ATTEMPTS {
            tree::set(object, &["metadata", "name"], names::generate(&prefix, &mut self.random));
            if self.store.get(served.storage, &path(object)).is_none() {
                break;
            }
        }
    }

    /// Refuses objects in namespaces that do not exist or are on their way out (admission `NamespaceLifecycle`).
    fn check_namespace_takes(&self, served: &Served, object: &Value) -> Result<(), Status> {
        let Some(namespace) = object["metadata"]["namespace"].as_str().filter(|_| served.namespaced) else {
            return Ok(());
        };
        let Some(namespaces) = Cluster::built_in("", "namespaces") else { return Ok(()) };
        let found = self.store.get(namespaces.storage, namespace);
        let found = found.ok_or_else(|| Status::not_found(&namespaces, namespace))?;
        if self.store.stamp(&found).deleted_s.is_none() {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let mut status = Status::forbidden(served, name, &why);
        if let Some(details) = &mut status.details {
            details.causes.push(Cause {
                reason: "NamespaceTerminating",
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".into(),
            });
        }
        Err(status)
    }
}

/// The message of a precondition that does not hold (apiserver `storage.Preconditions.Check`).
pub(super) fn other_uid(served: &Served, path: &str, wanted: &str, found: &str) -> String {
    let group = if served.group.is_empty() { String::new() } else { format!("{}/", served.group) };
    format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{path}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: \
         UID in precondition: {wanted}, UID in object meta: {found}",
        served.plural
    )
}

/// KEP-4420.
const GENERATE_ATTEMPTS: usize = 8;

#[cfg(test)]
mod tests {
    use crate::http1::Method;
    use crate::kube::Limits;
    use crate::kube::testing::Bench;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    #[test]
    fn a_new_object_gets_what_the_server_owns() {
        let mut bench = Bench::new();
        bench.pass(5);
        let before = bench.cluster.revision();
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "x", "uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}},
            "status": {"replicas": 9}
        });
        let made = bench.post("/apis/apps/v1/namespaces/web/deployments", object).ok();
        let metadata = &made["metadata"];
        assert_eq!(metadata["namespace"], "web");
        assert_eq!(metadata["resourceVersion"], (before + 1).to_string());
        assert_eq!(metadata["creationTimestamp"], "2026-01-01T00:00:05Z");
        assert_eq!(metadata["generation"], 1);
        assert_ne!(metadata["uid"], "mine");
        assert_eq!(made["status"], json!({}));
        // In a while its controller has seen to it.
        bench.pass(5);
        let seen = bench.get("/apis/apps/v1/namespaces/web/deployments/x").ok();
        assert_eq!(seen["status"]["availableReplicas"], 1);
        assert_eq!(seen["status"]["observedGeneration"], 1);
    }

    #[test]
    fn what_cannot_be_is_refused_in_the_servers_words() {
        let mut bench = Bench::new();
        let mut post = |namespace: &str, object| {
            let answer = bench.post(&format!("/api/v1/namespaces/{namespace}/configmaps"), object);
            (answer.code, answer.message().to_owned())
        };
        assert_eq!(post("nope", json!({"metadata": {"name": "a"}})), (404, "namespaces \"nope\" not found".into()));
        assert_eq!(
            post("web", json!({"metadata": {"name": "a", "namespace": "default"}})),
            (400, "the namespace of the provided object does not match the namespace sent on the request".into())
        );
        assert_eq!(
            post("web", json!({"metadata": {"name": "kube-root-ca.crt"}})),
            (409, "configmaps \"kube-root-ca.crt\" already exists".into())
        );
        assert_eq!(
            post("web", json!({"metadata": {"name": "a", "resourceVersion": "1"}})),
            (500, "resourceVersion should not be set on objects to be created".into())
        );
        assert_eq!(post("web", json!({"metadata": {"name": "A"}})).0, 422);
        assert_eq!(post("web", json!({})).0, 422);
        assert_eq!(bench.post("/api/v1/configmaps", json!({"metadata": {"name": "a"}})).code, 405);
        assert_eq!(bench.call(Method::Post, "/api/v1/namespaces", &[], b"{").code, 400);
    }

    #[test]
    fn generated_names_are_free() {
        let mut bench = Bench::new();
        for _ in 0..20 {
            let made = bench.post("/api/v1/namespaces/web/secrets", json!({"metadata": {"generateName": "x-"}})).ok();
            let name = made["metadata"]["name"].as_str().unwrap();
            assert!(name.starts_with("x-") && name.len() == 7, "{name}");
        }
        assert_eq!(bench.get("/api/v1/namespaces/web/secrets").names().len(), 20);
    }

    #[test]
    fn a_dry_run_leaves_nothing() {
        let mut bench = Bench::new();
        let revision = bench.cluster.revision();
        let target = "/api/v1/namespaces/web/configmaps?dryRun=All";
        assert_eq!(bench.post(target, json!({"metadata": {"name": "a"}})).code, 201);
        assert_eq!(bench.cluster.revision(), revision);
        assert_eq!(bench.get("/api/v1/namespaces/web/configmaps/a").code, 404);
        let target = "/api/v1/namespaces/web/configmaps?dryRun=some";
        assert_eq!(bench.post(target, json!({"metadata": {"name": "a"}})).code, 422);
    }

    #[test]
    fn a_token_secret_is_full_in_the_very_answer() {
        let mut bench = Bench::new();
        let account = bench.post("/api/v1/namespaces/web/serviceaccounts", json!({"metadata": {"name": "sa"}})).ok();
        let secret = json!({
            "type": "kubernetes.io/service-account-token",
            "metadata": {"generateName": "sa-token-", "annotations": {"kubernetes.io/service-account.name": "sa"}}
        });
        let secret = bench.post("/api/v1/namespaces/web/secrets", secret).ok();
        let annotations = &secret["metadata"]["annotations"];
        assert_eq!(annotations["kubernetes.io/service-account.uid"], account["metadata"]["uid"]);
        let data =
            |key: &str| String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap();
        assert_eq!((data("ca.crt"), data("namespace")), ("PEM".into(), "web".into()));
        let review = json!({"spec": {"token": data("token")}});
        let review = bench.post("/apis/authentication.k8s.io/v1/tokenreviews", review).ok();
        assert_eq!(review["status"]["authenticated"], true);
        assert_eq!(review["status"]["user"]["username"], "system:serviceaccount:web:sa");
        // The secret goes with its account.
        bench.delete("/api/v1/namespaces/web/serviceaccounts/sa").ok();
        assert_eq!(bench.get("/api/v1/namespaces/web/secrets").names(), [""; 0]);
    }

    #[test]
    fn a_new_namespace_has_its_account_and_certificate() {
        let mut bench = Bench::new();
        let made = bench.post("/api/v1/namespaces", json!({"metadata": {"name": "fresh"}})).ok();
        assert_eq!(made["metadata"]["labels"]["kubernetes.io/metadata.name"], "fresh");
        assert_eq!(made["spec"]["finalizers"], json!(["kubernetes"]));
        assert_eq!(made["status"]["phase"], "Active");
        assert_eq!(bench.get("/api/v1/namespaces/fresh/serviceaccounts").names(), ["default"]);
        let certificate = bench.get("/api/v1/namespaces/fresh/configmaps/kube-root-ca.crt").ok();
        assert_eq!(certificate["data"]["ca.crt"], "PEM");
    }

    #[test]
    fn services_get_addresses_of_their_own() {
        let mut bench = Bench::new();
        let mut make = |name: &str| {
            let service = json!({"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
            bench.post("/api/v1/namespaces/web/services", service).ok()
        };
        let (a, b) = (make("a"), make("b"));
        assert!(a["spec"]["clusterIP"].as_str().unwrap().starts_with("10.43."));
        assert_ne!(a["spec"]["clusterIP"], b["spec"]["clusterIP"]);
        assert_eq!(a["spec"]["clusterIPs"][0], a["spec"]["clusterIP"]);
        let port = &a["spec"]["ports"][0];
        assert_eq!((&port["targetPort"], &port["protocol"]), (&json!(80), &json!("TCP")));
        assert!((30_000..32_768).contains(&port["nodePort"].as_u64().unwrap()));
    }

    #[test]
    fn bounds_are_kept() {
        let mut bench = Bench::with_limits(Limits { watch_history: 100, objects: 2, object_bytes: 1_000 });
        let large = json!({"metadata": {"name": "a"}, "data": {"x": "y".repeat(1_000)}});
        let answer = bench.post("/api/v1/namespaces/web/configmaps", large);
        assert_eq!((answer.code, answer.message()), (413, "Request entity too large: limit is 1000"));
        bench.configmap("a");
        bench.configmap("b");
        let answer = bench.post("/api/v1/namespaces/web/configmaps", json!({"metadata": {"name": "c"}}));
        assert_eq!((answer.code, answer.message()), (500, "etcdserver: mvcc: database space exceeded"));
        bench.delete("/api/v1/namespaces/web/configmaps/a").ok();
        bench.configmap("c");
    }

    #[test]
    fn reviews_allow_and_are_not_kept() {
        let mut bench = Bench::new();
        let revision = bench.cluster.revision();
        let review = json!({"spec": {"user": "u", "resourceAttributes": {"verb": "get", "resource": "pods"}}});
        for kind in ["subjectaccessreviews", "selfsubjectaccessreviews"] {
            let target = format!("/apis/authorization.k8s.io/v1/{kind}");
            assert_eq!(bench.post(&target, review.clone()).ok()["status"]["allowed"], true);
        }
        let rules = bench
            .post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", json!({"spec": {"namespace": "web"}}))
            .ok();
        assert_eq!(rules["status"]["incomplete"], false);
        let me = bench.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})).ok();
        assert_eq!(me["status"]["userInfo"]["username"], "kubernetes-admin");
        assert_eq!(bench.get("/apis/authorization.k8s.io/v1/subjectaccessreviews").code, 405);
        assert_eq!(bench.cluster.revision(), revision);
    }
}
