//! How the lists of built-in kinds merge: the `patchStrategy` and `patchMergeKey` tags of k8s.io/api v0.31, as tables.
//!
//! What is not in a table is what most of the API is: a map merges key by key, a list is replaced as a whole.

use crate::kube::Resource;

/// The fields of one type that merge in their own way, or lead to such fields.
#[derive(Debug)]
pub(super) struct Schema(&'static [Field]);

/// One such field.
#[derive(Debug)]
pub(super) struct Field {
    name: &'static str,
    pub rule: Rule,
    /// What the field's map, or the maps in its list, are made of.
    pub schema: &'static Schema,
}

/// How a field merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// A map, key by key.
    Nested,
    /// A map that is replaced as a whole.
    Replace,
    /// A list of maps, matched by this key.
    MergeBy(&'static str),
    /// A list of strings that is a set.
    Set,
}

impl Schema {
    /// The schema of a kind's objects.
    pub(super) fn of(resource: &Resource) -> &'static Schema {
        let is_it = |(group, kind, _): &&(&str, &str, &Schema)| *group == resource.group && *kind == resource.kind;
        KINDS.iter().find(is_it).map_or(&METADATA_ONLY, |(_, _, schema)| schema)
    }

    /// The field of this name, if it is special.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.0.iter().find(|field| field.name == name)
    }
}

/// A schema without special fields.
pub(super) static PLAIN: Schema = Schema(&[]);

const fn nested(name: &'static str, schema: &'static Schema) -> Field {
    Field { name, rule: Rule::Nested, schema }
}

const fn by(name: &'static str, key: &'static str) -> Field {
    Field { name, rule: Rule::MergeBy(key), schema: &PLAIN }
}

const fn each(name: &'static str, key: &'static str, schema: &'static Schema) -> Field {
    Field { name, rule: Rule::MergeBy(key), schema }
}

const fn set(name: &'static str) -> Field {
    Field { name, rule: Rule::Set, schema: &PLAIN }
}

const METADATA: Field = nested("metadata", &OBJECT_META);
const STATUS: Field = nested("status", &CONDITIONS);

static METADATA_ONLY: Schema = Schema(&[METADATA]);
static WITH_CONDITIONS: Schema = Schema(&[METADATA, STATUS]);
static OBJECT_META: Schema = Schema(&[by("ownerReferences", "uid"), set("finalizers")]);
static CONDITIONS: Schema = Schema(&[by("conditions", "type")]);

static CONTAINER: Schema = Schema(&[
    by("ports", "containerPort"),
    by("env", "name"),
    by("volumeMounts", "mountPath"),
    by("volumeDevices", "devicePath"),
]);
static VOLUME: Schema = Schema(&[nested("ephemeral", &EPHEMERAL_VOLUME)]);
static EPHEMERAL_VOLUME: Schema = Schema(&[nested("volumeClaimTemplate", &METADATA_ONLY)]);
static POD_SPEC: Schema = Schema(&[
    each("volumes", "name", &VOLUME),
    each("initContainers", "name", &CONTAINER),
    each("containers", "name", &CONTAINER),
    each("ephemeralContainers", "name", &CONTAINER),
    by("imagePullSecrets", "name"),
    by("hostAliases", "ip"),
    by("topologySpreadConstraints", "topologyKey"),
    by("schedulingGates", "name"),
    by("resourceClaims", "name"),
]);
static POD_STATUS: Schema =
    Schema(&[by("conditions", "type"), by("hostIPs", "ip"), by("podIPs", "ip"), by("resourceClaimStatuses", "name")]);
static POD: Schema = Schema(&[METADATA, nested("spec", &POD_SPEC), nested("status", &POD_STATUS)]);
static POD_TEMPLATE_SPEC: Schema = Schema(&[METADATA, nested("spec", &POD_SPEC)]);
static WITH_TEMPLATE: Schema = Schema(&[nested("template", &POD_TEMPLATE_SPEC)]);
static POD_TEMPLATE: Schema = Schema(&[METADATA, nested("template", &POD_TEMPLATE_SPEC)]);
static WORKLOAD: Schema = Schema(&[METADATA, nested("spec", &WITH_TEMPLATE), STATUS]);
static JOB_TEMPLATE: Schema = Schema(&[METADATA, nested("spec", &WITH_TEMPLATE)]);
static CRON_JOB_SPEC: Schema = Schema(&[nested("jobTemplate", &JOB_TEMPLATE)]);
static CRON_JOB: Schema = Schema(&[METADATA, nested("spec", &CRON_JOB_SPEC)]);

static NODE_SPEC: Schema = Schema(&[set("podCIDRs")]);
static NODE_STATUS: Schema = Schema(&[by("conditions", "type"), by("addresses", "type")]);
static NODE: Schema = Schema(&[METADATA, nested("spec", &NODE_SPEC), nested("status", &NODE_STATUS)]);
static SERVICE_SPEC: Schema = Schema(&[by("ports", "port")]);
static SERVICE: Schema = Schema(&[METADATA, nested("spec", &SERVICE_SPEC), STATUS]);
static SERVICE_ACCOUNT: Schema = Schema(&[METADATA, by("secrets", "name")]);
static COMPONENT_STATUS: Schema = Schema(&[METADATA, by("conditions", "type")]);

static PDB_SPEC: Schema = Schema(&[Field { name: "selector", rule: Rule::Replace, schema: &PLAIN }]);
static PDB: Schema = Schema(&[METADATA, nested("spec", &PDB_SPEC), STATUS]);
static CSI_NODE_SPEC: Schema = Schema(&[by("drivers", "name")]);
static CSI_NODE: Schema = Schema(&[METADATA, nested("spec", &CSI_NODE_SPEC)]);
static WEBHOOK: Schema = Schema(&[by("matchConditions", "name")]);
static WEBHOOKS: Schema = Schema(&[METADATA, each("webhooks", "name", &WEBHOOK)]);
static ADMISSION_POLICY_SPEC: Schema = Schema(&[by("matchConditions", "name"), by("variables", "name")]);
static ADMISSION_POLICY: Schema = Schema(&[METADATA, nested("spec", &ADMISSION_POLICY_SPEC)]);

const KINDS: &[(&str, &str, &Schema)] = &[
    ("", "ComponentStatus", &COMPONENT_STATUS),
    ("", "Namespace", &WITH_CONDITIONS),
    ("", "Node", &NODE),
    ("", "PersistentVolumeClaim", &WITH_CONDITIONS),
    ("", "Pod", &POD),
    ("", "PodTemplate", &POD_TEMPLATE),
    ("", "ReplicationController", &WORKLOAD),
    ("", "Service", &SERVICE),
    ("", "ServiceAccount", &SERVICE_ACCOUNT),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", &WEBHOOKS),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", &ADMISSION_POLICY),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", &WEBHOOKS),
    ("apiregistration.k8s.io", "APIService", &WITH_CONDITIONS),
    ("apps", "DaemonSet", &WORKLOAD),
    ("apps", "Deployment", &WORKLOAD),
    ("apps", "ReplicaSet", &WORKLOAD),
    ("apps", "StatefulSet", &WORKLOAD),
    ("autoscaling", "HorizontalPodAutoscaler", &WITH_CONDITIONS),
    ("batch", "CronJob", &CRON_JOB),
    ("batch", "Job", &WORKLOAD),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema", &WITH_CONDITIONS),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", &WITH_CONDITIONS),
    ("policy", "PodDisruptionBudget", &PDB),
    ("storage.k8s.io", "CSINode", &CSI_NODE),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::{builtin, lookup};

    #[test]
    fn every_row_names_a_built_in_kind() {
        for (group, kind, _) in KINDS {
            assert!(builtin().iter().any(|r| r.group == *group && r.kind == *kind), "{group} {kind}");
        }
    }

    #[test]
    fn containers_are_found_wherever_pods_are_made() {
        for (group, plural, path) in [
            ("", "pods", &["spec", "containers", "env"][..]),
            ("apps", "deployments", &["spec", "template", "spec", "containers", "env"]),
            ("batch", "cronjobs", &["spec", "jobTemplate", "spec", "template", "spec", "initContainers", "env"]),
        ] {
            let mut schema = Schema::of(lookup(group, "v1", plural).unwrap().1);
            let mut rule = Rule::Nested;
            for name in path {
                let field = schema.field(name).unwrap();
                (schema, rule) = (field.schema, field.rule);
            }
            assert_eq!(rule, Rule::MergeBy("name"), "{plural}");
        }
    }
}
