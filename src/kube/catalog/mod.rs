//! Every kind a Kubernetes 1.31 API server serves by itself, as rows of one table.
//!
//! Discovery, paths, OpenAPI, printing and storage are all derived from these rows: adding a kind is adding a row.
//! The facts are those of `api/discovery` in the Kubernetes 1.31 sources, without what is off by default.

mod access;
mod core;
mod extension;
mod infrastructure;
mod resource;
mod row;
mod verbs;
mod workloads;

pub use resource::{NameRule, Resource, ResourceId, SelectableField, Subresource, Text, api_version};
pub use verbs::{Verb, Verbs};

use row::GroupVersion;
use std::sync::LazyLock;

/// The first [`ResourceId`] that is not a built-in row: a cluster numbers its custom resources from here.
pub const FIRST_CUSTOM: u16 = 1024;

/// All built-in resources, in the order of an API server's discovery: the core group first, then by group priority, the
/// preferred version of a group first.
pub fn builtin() -> &'static [Resource] {
    &BUILTIN
}

/// The built-in resource served under `group` (empty for the core group), `version` and `plural`.
pub fn lookup(group: &str, version: &str, plural: &str) -> Option<(ResourceId, &'static Resource)> {
    find(|r| r.plural == plural && r.group == group && r.version == version)
}

/// The built-in resource whose objects carry `group`/`version` and `kind`.
pub fn by_kind(group: &str, version: &str, kind: &str) -> Option<(ResourceId, &'static Resource)> {
    find(|r| r.kind == kind && r.group == group && r.version == version)
}

/// The built-in resource with this id; `None` for a custom one.
pub fn get(id: ResourceId) -> Option<&'static Resource> {
    BUILTIN.get(usize::from(id.0))
}

fn find(is_it: impl Fn(&Resource) -> bool) -> Option<(ResourceId, &'static Resource)> {
    BUILTIN.iter().zip(0..).find(|(resource, _)| is_it(resource)).map(|(resource, id)| (ResourceId(id), resource))
}

static BUILTIN: LazyLock<Vec<Resource>> = LazyLock::new(|| {
    let expand = |gv: &GroupVersion| gv.rows.iter().map(|row| row.expand(gv.group, gv.version)).collect::<Vec<_>>();
    GROUP_VERSIONS.iter().flat_map(expand).collect()
});

const GROUP_VERSIONS: &[GroupVersion] = &[
    core::V1,
    extension::APIREGISTRATION_V1,
    workloads::APPS_V1,
    infrastructure::EVENTS_V1,
    access::AUTHENTICATION_V1,
    access::AUTHORIZATION_V1,
    workloads::AUTOSCALING_V2,
    workloads::AUTOSCALING_V1,
    workloads::BATCH_V1,
    access::CERTIFICATES_V1,
    infrastructure::NETWORKING_V1,
    workloads::POLICY_V1,
    access::RBAC_V1,
    infrastructure::STORAGE_V1,
    extension::ADMISSIONREGISTRATION_V1,
    extension::APIEXTENSIONS_V1,
    workloads::SCHEDULING_V1,
    infrastructure::COORDINATION_V1,
    workloads::NODE_V1,
    infrastructure::DISCOVERY_V1,
    extension::FLOWCONTROL_V1,
    extension::FLOWCONTROL_V1BETA3,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_kind_lead_to_the_same_row() {
        let (id, deployments) = lookup("apps", "v1", "deployments").unwrap();
        assert_eq!(by_kind("apps", "v1", "Deployment").unwrap().0, id);
        assert_eq!(get(id), Some(deployments));
        assert_eq!(deployments.list_kind, "DeploymentList");
        assert_eq!(deployments.api_version(), "apps/v1");
        assert_eq!(deployments.qualified_name(), "deployments.apps");
        assert_eq!(lookup("", "v1", "pods").unwrap().1.qualified_kind(), "Pod");
    }

    #[test]
    fn what_is_not_served_is_not_found() {
        assert_eq!(lookup("apps", "v1beta1", "deployments"), None);
        assert_eq!(lookup("", "v1", "deployments"), None);
        assert_eq!(by_kind("k3s.cattle.io", "v1", "ETCDSnapshotFile"), None);
        assert_eq!(get(ResourceId(FIRST_CUSTOM)), None);
    }

    #[test]
    fn no_two_rows_share_a_path_or_a_kind() {
        for (i, a) in builtin().iter().enumerate() {
            for b in &builtin()[i + 1..] {
                assert!((&a.group, &a.version, &a.plural) != (&b.group, &b.version, &b.plural), "{a:?}");
                assert!((&a.group, &a.version, &a.kind) != (&b.group, &b.version, &b.kind), "{a:?}");
            }
        }
    }

    #[test]
    fn there_is_room_below_the_custom_ids() {
        assert!(builtin().len() < usize::from(FIRST_CUSTOM));
    }

    #[test]
    fn subresources_are_spoken_in_their_own_kinds() {
        let kind_of = |plural: &str, name: &str| {
            let (_, resource) = lookup("", "v1", plural).unwrap();
            let below = resource.subresource(name).unwrap();
            (api_version(&below.group, &below.version), below.kind.to_string())
        };
        assert_eq!(kind_of("serviceaccounts", "token"), ("authentication.k8s.io/v1".into(), "TokenRequest".into()));
        assert_eq!(kind_of("pods", "eviction"), ("policy/v1".into(), "Eviction".into()));
        assert_eq!(kind_of("replicationcontrollers", "scale"), ("autoscaling/v1".into(), "Scale".into()));
        assert_eq!(kind_of("nodes", "status"), ("v1".into(), "Node".into()));
    }
}
