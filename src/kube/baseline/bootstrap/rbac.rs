//! Bootstrap roles (Kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`).
//!
//! Nothing here is enforced: the roles that people and Rancher refer to are whole, those of single controllers only say who they are.

use serde_json::{Value, json};

/// Cluster roles, roles and their bindings.
pub(super) fn objects() -> Vec<Value> {
    let mut objects = Vec::new();
    for (name, rules) in user_roles() {
        objects.push(cluster_role(name, &json!({}), rules));
    }
    for (name, aggregated, from) in AGGREGATED {
        objects.push(aggregating_role(name, aggregated, from));
    }
    for (name, role, subjects) in bindings() {
        objects.push(cluster_role_binding(name, role, &subjects));
    }
    for controller in CONTROLLERS {
        let name = format!("system:controller:{controller}");
        objects.push(cluster_role(&name, &json!({}), json!([EVENT_RULE.rule()])));
        let subject = json!([{"kind": "ServiceAccount", "name": controller, "namespace": "kube-system"}]);
        objects.push(cluster_role_binding(&name, &name, &subject));
    }
    for (namespace, name, rule, subject) in namespaced() {
        objects.push(json!({
            "apiVersion": VERSION, "kind": "Role", "metadata": metadata(name, Some(namespace), &json!({})), "rules": [rule]
        }));
        objects.push(json!({
            "apiVersion": VERSION, "kind": "RoleBinding", "metadata": metadata(name, Some(namespace), &json!({})),
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name}, "subjects": [subject]
        }));
    }
    objects
}

fn cluster_role(name: &str, labels: &Value, rules: Value) -> Value {
    json!({"apiVersion": VERSION, "kind": "ClusterRole", "metadata": metadata(name, None, labels), "rules": rules})
}

/// A role for people, which gathers the rules of others by label, and the role that it gathers first.
fn aggregating_role(name: &str, label: Option<&str>, selected: &str) -> Value {
    let labels = label.map_or_else(|| json!({}), |label| json!({label: "true"}));
    let mut role = cluster_role(name, &labels, rules_of(name));
    if !name.starts_with("system:") {
        role["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {selected: "true"}}]});
    }
    role
}

fn cluster_role_binding(name: &str, role: &str, subjects: &Value) -> Value {
    json!({
        "apiVersion": VERSION, "kind": "ClusterRoleBinding", "metadata": metadata(name, None, &json!({})),
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}, "subjects": subjects
    })
}

fn metadata(name: &str, namespace: Option<&str>, labels: &Value) -> Value {
    let mut metadata = json!({
        "name": name, "labels": labels, "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    });
    metadata["labels"]["kubernetes.io/bootstrapping"] = json!("rbac-defaults");
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

/// Groups, resources and verbs, each separated by blanks; `core` is the group without a name.
struct Rule(&'static str, &'static str, &'static str);

impl Rule {
    fn rule(&self) -> Value {
        let groups: Vec<&str> = words(self.0).map(|group| if group == "core" { "" } else { group }).collect();
        json!({"apiGroups": groups, "resources": words(self.1).collect::<Vec<_>>(), "verbs": words(self.2).collect::<Vec<_>>()})
    }
}

fn words(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(' ').filter(|word| !word.is_empty())
}

fn list(rules: &[Rule]) -> Value {
    rules.iter().map(Rule::rule).collect()
}

fn urls(urls: &[&str]) -> Value {
    json!({"nonResourceURLs": urls, "verbs": ["get"]})
}

fn user_roles() -> Vec<(&'static str, Value)> {
    let reviews = Rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create");
    let self_review = Rule("authentication.k8s.io", "selfsubjectreviews", "create");
    let delegator = [
        Rule("authentication.k8s.io", "tokenreviews", "create"),
        Rule("authorization.k8s.io", "subjectaccessreviews", "create"),
    ];
    let node = [
        Rule("authentication.k8s.io", "tokenreviews", "create"),
        Rule("core", "services", "get list watch"),
        Rule("core", "nodes", "create get list watch"),
        Rule("core", "nodes/status", "patch update"),
        Rule("core", "pods", "get list watch"),
        Rule("core", "configmaps secrets", "get list watch"),
        Rule("coordination.k8s.io", "leases", "create delete get patch update"),
    ];
    let discovery = [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    ];
    let scheduler = [
        EVENT_RULE,
        Rule("core", "nodes", "get list watch"),
        Rule("core", "pods", "delete get list watch"),
        Rule("core", "bindings pods/binding", "create"),
        Rule("core", "pods/status", "patch update"),
    ];
    let dns = [Rule("core", "endpoints services", "list watch")];
    let proxier = [
        Rule("core", "endpoints services", "list watch"),
        Rule("core", "nodes", "get list watch"),
        EVENT_RULE,
        Rule("discovery.k8s.io", "endpointslices", "list watch"),
    ];
    let manager = [
        EVENT_RULE,
        Rule("core", "secrets serviceaccounts", "create delete get update"),
        Rule("core", "configmaps namespaces", "get"),
        Rule("*", "*", "list watch"),
        Rule("core", "serviceaccounts/token", "create"),
    ];
    let provisioner = [
        Rule("core", "persistentvolumes", "create delete get list watch"),
        Rule("core", "persistentvolumeclaims", "get list update watch"),
        Rule("storage.k8s.io", "storageclasses", "get list watch"),
        EVENT_RULE,
    ];
    let everything = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}
    ]);
    vec![
        ("cluster-admin", everything),
        ("system:auth-delegator", list(&delegator)),
        ("system:basic-user", list(&[reviews, self_review])),
        ("system:discovery", json!([urls(&discovery)])),
        ("system:kube-controller-manager", list(&manager)),
        ("system:kube-dns", list(&dns)),
        ("system:kube-scheduler", list(&scheduler)),
        (
            "system:monitoring",
            json!([urls(&[
                "/healthz",
                "/healthz/*",
                "/livez",
                "/livez/*",
                "/metrics",
                "/metrics/slis",
                "/readyz",
                "/readyz/*"
            ])]),
        ),
        ("system:node", list(&node)),
        ("system:node-proxier", list(&proxier)),
        ("system:persistent-volume-provisioner", list(&provisioner)),
        ("system:public-info-viewer", json!([urls(&["/healthz", "/livez", "/readyz", "/version", "/version/"])])),
        (
            "system:service-account-issuer-discovery",
            json!([urls(&[
                "/.well-known/openid-configuration",
                "/.well-known/openid-configuration/",
                "/openid/v1/jwks",
                "/openid/v1/jwks/"
            ])]),
        ),
    ]
}

fn bindings() -> Vec<(&'static str, &'static str, Value)> {
    let subjects = |kind: &str, names: &[&str]| -> Value {
        names.iter().map(|name| json!({"apiGroup": GROUP, "kind": kind, "name": name})).collect()
    };
    let users = |names: &[&str]| subjects("User", names);
    let groups = |names: &[&str]| subjects("Group", names);
    vec![
        ("cluster-admin", "cluster-admin", groups(&["system:masters"])),
        ("system:basic-user", "system:basic-user", groups(&["system:authenticated"])),
        ("system:discovery", "system:discovery", groups(&["system:authenticated"])),
        (
            "system:kube-controller-manager",
            "system:kube-controller-manager",
            users(&["system:kube-controller-manager"]),
        ),
        (
            "system:kube-dns",
            "system:kube-dns",
            json!([{"kind": "ServiceAccount", "name": "kube-dns", "namespace": "kube-system"}]),
        ),
        ("system:kube-scheduler", "system:kube-scheduler", users(&["system:kube-scheduler"])),
        ("system:monitoring", "system:monitoring", groups(&["system:monitoring"])),
        ("system:node", "system:node", json!([])),
        ("system:node-proxier", "system:node-proxier", users(&["system:kube-proxy"])),
        (
            "system:public-info-viewer",
            "system:public-info-viewer",
            groups(&["system:authenticated", "system:unauthenticated"]),
        ),
        (
            "system:service-account-issuer-discovery",
            "system:service-account-issuer-discovery",
            groups(&["system:serviceaccounts"]),
        ),
    ]
}

/// The rules that each aggregated role has at the start.
fn rules_of(role: &str) -> Value {
    let own = |level: &str| match level {
        "view" => list(&[VIEW_CORE, VIEW_APPS, VIEW_BATCH, VIEW_NETWORK, VIEW_SCALING, VIEW_POLICY]),
        "edit" => list(&[EDIT_CORE, EDIT_EXEC, EDIT_APPS, EDIT_BATCH, EDIT_NETWORK, EDIT_SCALING, EDIT_POLICY]),
        _ => list(&[ADMIN_REVIEW, ADMIN_ROLES]),
    };
    let gathered = |levels: &[&str]| -> Value {
        levels.iter().flat_map(|level| own(level).as_array().cloned().unwrap_or_default()).collect()
    };
    match role {
        "view" => gathered(&["view"]),
        "edit" => gathered(&["edit", "view"]),
        "admin" => gathered(&["admin", "edit", "view"]),
        other => own(other.trim_start_matches("system:aggregate-to-")),
    }
}

fn namespaced() -> Vec<(&'static str, &'static str, Value, Value)> {
    let user = |name: &str| json!({"apiGroup": GROUP, "kind": "User", "name": name});
    let account = |name: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": "kube-system"});
    let named = |rule: Rule, name: &str| {
        let mut rule = rule.rule();
        rule["resourceNames"] = json!([name]);
        rule
    };
    let configmaps = |verbs| Rule("core", "configmaps", verbs);
    vec![
        (
            "kube-system",
            "extension-apiserver-authentication-reader",
            named(configmaps("get list watch"), "extension-apiserver-authentication"),
            user("system:kube-controller-manager"),
        ),
        (
            "kube-system",
            "system::leader-locking-kube-controller-manager",
            named(configmaps("get update"), "kube-controller-manager"),
            user("system:kube-controller-manager"),
        ),
        (
            "kube-system",
            "system::leader-locking-kube-scheduler",
            named(configmaps("get update"), "kube-scheduler"),
            user("system:kube-scheduler"),
        ),
        (
            "kube-system",
            "system:controller:bootstrap-signer",
            Rule("core", "secrets", "get list watch").rule(),
            account("bootstrap-signer"),
        ),
        (
            "kube-system",
            "system:controller:token-cleaner",
            Rule("core", "secrets", "delete get list watch").rule(),
            account("token-cleaner"),
        ),
        (
            "kube-public",
            "system:controller:bootstrap-signer",
            configmaps("get list watch").rule(),
            account("bootstrap-signer"),
        ),
    ]
}

const GROUP: &str = "rbac.authorization.k8s.io";
const VERSION: &str = "rbac.authorization.k8s.io/v1";

/// Roles made of others: the name, the label others find it by, and the label it finds others by.
const AGGREGATED: [(&str, Option<&str>, &str); 6] = [
    ("admin", None, "rbac.authorization.k8s.io/aggregate-to-admin"),
    ("edit", Some("rbac.authorization.k8s.io/aggregate-to-admin"), "rbac.authorization.k8s.io/aggregate-to-edit"),
    ("view", Some("rbac.authorization.k8s.io/aggregate-to-edit"), "rbac.authorization.k8s.io/aggregate-to-view"),
    ("system:aggregate-to-admin", Some("rbac.authorization.k8s.io/aggregate-to-admin"), ""),
    ("system:aggregate-to-edit", Some("rbac.authorization.k8s.io/aggregate-to-edit"), ""),
    ("system:aggregate-to-view", Some("rbac.authorization.k8s.io/aggregate-to-view"), ""),
];

const CONTROLLERS: [&str; 24] = [
    "attachdetach-controller",
    "certificate-controller",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "pv-protection-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "service-account-controller",
    "statefulset-controller",
    "ttl-controller",
];

const EVENT_RULE: Rule = Rule("core events.k8s.io", "events", "create patch update");
const VIEW_CORE: Rule = Rule(
    "core",
    "bindings configmaps endpoints events limitranges namespaces namespaces/status persistentvolumeclaims persistentvolumeclaims/status pods \
     pods/log pods/status replicationcontrollers replicationcontrollers/scale replicationcontrollers/status resourcequotas resourcequotas/status \
     serviceaccounts services services/status",
    "get list watch",
);
const VIEW_APPS: Rule = Rule(
    "apps",
    "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale \
     replicasets/status statefulsets statefulsets/scale statefulsets/status",
    "get list watch",
);
const VIEW_BATCH: Rule = Rule("batch", "cronjobs cronjobs/status jobs jobs/status", "get list watch");
const VIEW_NETWORK: Rule = Rule(
    "networking.k8s.io discovery.k8s.io",
    "endpointslices ingresses ingresses/status networkpolicies",
    "get list watch",
);
const VIEW_SCALING: Rule =
    Rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", "get list watch");
const VIEW_POLICY: Rule = Rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", "get list watch");
const EDIT_CORE: Rule = Rule(
    "core",
    "configmaps events persistentvolumeclaims pods replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services \
     services/proxy",
    "create delete deletecollection patch update",
);
const EDIT_EXEC: Rule =
    Rule("core", "pods/attach pods/exec pods/portforward pods/proxy pods/eviction serviceaccounts/token", "create get");
const EDIT_APPS: Rule = Rule(
    "apps",
    "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
    "create delete deletecollection patch update",
);
const EDIT_BATCH: Rule = Rule("batch", "cronjobs jobs", "create delete deletecollection patch update");
const EDIT_NETWORK: Rule =
    Rule("networking.k8s.io", "ingresses networkpolicies", "create delete deletecollection patch update");
const EDIT_SCALING: Rule =
    Rule("autoscaling", "horizontalpodautoscalers", "create delete deletecollection patch update");
const EDIT_POLICY: Rule = Rule("policy", "poddisruptionbudgets", "create delete deletecollection patch update");
const ADMIN_REVIEW: Rule = Rule("authorization.k8s.io", "localsubjectaccessreviews", "create");
const ADMIN_ROLES: Rule = Rule(
    "rbac.authorization.k8s.io",
    "rolebindings roles",
    "create delete deletecollection get list patch update watch",
);
