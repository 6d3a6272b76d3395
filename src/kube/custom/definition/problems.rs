//! What is wrong with a definition (apiextensions `ValidateCustomResourceDefinition`).

use super::{common, conversion, defaults, names, schema, structural, version, versions};
use crate::kube::Cause;
use crate::kube::names::{check_label_1035, check_subdomain};
use crate::kube::response::quote::go_strings;
use crate::kube::tree::{items, text};
use serde_json::{Value, json};
use std::collections::HashSet;

/// What is wrong with the name of a new definition.
pub(in crate::kube) fn misnamed(definition: &Value) -> Option<Cause> {
    let (name, spec) = (&definition["metadata"]["name"], &definition["spec"]);
    let wanted = format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"]));
    let problem = "must be spec.names.plural+\".\"+spec.group";
    (text(name) != wanted).then(|| Cause::invalid("metadata.name", name, problem))
}

/// What is wrong with the rest of it.
pub(in crate::kube) fn problems(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = &definition["spec"];
    let all = versions(definition);
    group(&spec["group"], &mut causes);
    match text(&spec["scope"]) {
        "" => causes.push(Cause::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        _ => causes.push(Cause::not_supported("spec.scope", &spec["scope"], &["Cluster", "Namespaced"])),
    }
    for (index, _) in all.iter().enumerate().filter(|(_, version)| !version["schema"]["openAPIV3Schema"].is_object()) {
        let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
        causes.push(Cause::required(field, "schemas are required"));
    }
    // What all versions have alike is looked at once, after them.
    let own = |field: &str| common(all, field).is_none();
    for (index, one) in all.iter().enumerate() {
        let at = format!("spec.versions[{index}]");
        let problems = check_label_1035(text(&one["name"]));
        if !problems.is_empty() {
            causes.push(Cause::invalid(format!("{at}.name"), &one["name"], &problems.join(",")));
        }
        version::deprecation(one, &at, &mut causes);
        if own("schema") {
            checked(&one["schema"], &format!("{at}.schema"), has_status(one), &mut causes);
        }
        if own("subresources") {
            version::scale(&one["subresources"]["scale"], &format!("{at}.subresources"), &mut causes);
        }
        if own("additionalPrinterColumns") {
            version::columns(&one["additionalPrinterColumns"], &at, &mut causes);
        }
        if own("selectableFields") {
            version::selectable(&one["selectableFields"], &one["schema"]["openAPIV3Schema"], &at, &mut causes);
        }
    }
    let mut refuse = |problem: &str| causes.push(Cause::invalid_go("spec.versions", &version::shown(all), problem));
    let mut names = HashSet::new();
    if !all.iter().all(|version| names.insert(text(&version["name"]))) {
        refuse("must contain unique version names");
    }
    if all.iter().filter(|version| version["storage"] == true).count() != 1 {
        refuse("must have exactly one version marked as storage version");
    }
    names::problems(&spec["names"], &mut causes);
    let shared = |field: &str| common(all, field).unwrap_or(&Value::Null);
    checked(shared("schema"), "spec.validation", all.iter().any(has_status), &mut causes);
    version::scale(&shared("subresources")["scale"], "spec.subresources", &mut causes);
    version::columns(shared("additionalPrinterColumns"), "spec", &mut causes);
    if let [one, ..] = all {
        version::selectable(shared("selectableFields"), &one["schema"]["openAPIV3Schema"], "spec", &mut causes);
    }
    conversion::problems(&spec["conversion"], &mut causes);
    stored_versions(definition, &mut causes);
    approval(definition, &mut causes);
    if spec["preserveUnknownFields"] == true {
        let problem =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.push(Cause::invalid("spec.preserveUnknownFields", &json!(true), problem));
    }
    causes
}

fn group(group: &Value, causes: &mut Vec<Cause>) {
    let mut refuse = |problem: &str| causes.push(Cause::invalid("spec.group", group, problem));
    match text(group) {
        "" => causes.push(Cause::required("spec.group", "")),
        name if !check_subdomain(name).is_empty() => refuse(&check_subdomain(name).join(",")),
        name if !name.contains('.') => refuse("should be a domain with at least one dot"),
        _ => {}
    }
}

fn has_status(version: &Value) -> bool {
    version["subresources"]["status"].is_object()
}

/// What is wrong with a schema (`validateCustomResourceDefinitionValidation`).
fn checked(validation: &Value, at: &str, has_status: bool, causes: &mut Vec<Cause>) {
    let (schema, at) = (&validation["openAPIV3Schema"], format!("{at}.openAPIV3Schema"));
    if !schema.is_object() {
        return;
    }
    let before = causes.len();
    schema::root(schema, &at, has_status, causes);
    let unreadable = structural::unreadable(schema);
    if unreadable.is_none() {
        let problems = structural::problems(schema, &at);
        if problems.is_empty() {
            defaults::problems(schema, &at, causes);
        }
        causes.extend(problems);
    }
    schema::problems(schema, &at, causes);
    if let Some(problem) = unreadable.filter(|_| causes.len() == before) {
        causes.push(Cause::invalid(at, &json!(""), &problem));
    }
}

fn stored_versions(definition: &Value, causes: &mut Vec<Cause>) {
    let (stored, at) = (&definition["status"]["storedVersions"], "status.storedVersions");
    let stored: Vec<&Value> = items(stored).collect();
    if stored.is_empty() {
        causes.push(Cause::invalid_go(at, "[]string(nil)", "must have at least one stored version"));
        return;
    }
    let all = versions(definition);
    for version in all.iter().filter(|version| version["storage"] == true && !stored.contains(&&version["name"])) {
        let problem = format!("must have the storage version {}", text(&version["name"]));
        causes.push(Cause::invalid_go(at, &go_strings(stored.iter().copied()), &problem));
    }
    let names: HashSet<&str> = all.iter().map(|version| text(&version["name"])).collect();
    for (index, version) in stored.iter().enumerate() {
        if !names.contains(text(version)) {
            causes.push(Cause::invalid(format!("{at}[{index}]"), version, "must appear in spec.versions"));
        }
    }
}

/// Groups of the Kubernetes community take its word for it (KEP-1111).
fn approval(definition: &Value, causes: &mut Vec<Cause>) {
    let group = text(&definition["spec"]["group"]);
    let is_protected = ["k8s.io", "kubernetes.io"]
        .into_iter()
        .any(|community| group.strip_suffix(community).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    let approval = &definition["metadata"]["annotations"][APPROVED];
    let is_address =
        text(approval).split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    if !is_protected || text(approval).starts_with("unapproved") || is_address {
        return;
    }
    let field = format!("metadata.annotations[{APPROVED}]");
    let rule = format!("protected groups must have approval annotation \"{APPROVED}\"");
    let source = "see https://github.com/kubernetes/enhancements/pull/1111";
    causes.push(if text(approval).is_empty() {
        Cause::required(field, &format!("{rule}, {source}"))
    } else {
        let either = "with either a URL or a reason starting with \"unapproved\"";
        Cause::invalid(field, approval, &format!("{rule} {either}, {source}"))
    });
}

const APPROVED: &str = "api-approved.kubernetes.io";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::custom::definition::{complete, store_versions};

    fn definition() -> Value {
        json!({
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Cluster", "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]
            }
        })
    }

    fn told(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut definition = definition();
        complete(&mut definition);
        store_versions(&mut definition);
        change(&mut definition);
        let causes = misnamed(&definition).into_iter().chain(problems(&definition));
        causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn a_minimal_definition_is_taken() {
        assert_eq!(told(|_| {}), [""; 0]);
    }

    #[test]
    fn what_no_group_and_no_version_can_be_is_told() {
        assert_eq!(
            told(|d| d["metadata"]["name"] = json!("x.example.com")),
            ["metadata.name: Invalid value: \"x.example.com\": must be spec.names.plural+\".\"+spec.group"]
        );
        assert_eq!(
            told(|d| {
                d["spec"]["group"] = json!("example");
                d["metadata"]["name"] = json!("widgets.example");
            }),
            ["spec.group: Invalid value: \"example\": should be a domain with at least one dot"]
        );
        assert_eq!(told(|d| d["spec"]["scope"] = json!(null)), ["spec.scope: Required value"]);
        assert!(told(|d| d["spec"]["versions"][0]["name"] = json!("V1"))[0].starts_with("spec.versions[0].name: Inv"));
    }

    #[test]
    fn an_odd_definition_is_told_all_of_it() {
        // Answer of a kube-apiserver 1.31, but for what stands between the braces.
        let odd = told(|d| {
            d["spec"]["scope"] = json!("Odd");
            d["spec"]["versions"][0]["schema"] = json!(null);
            d["spec"]["versions"][0]["storage"] = json!(false);
            d["status"]["storedVersions"] = json!([]);
        });
        assert_eq!(odd[0], "spec.scope: Unsupported value: \"Odd\": supported values: \"Cluster\", \"Namespaced\"");
        assert_eq!(odd[1], "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required");
        assert!(odd[2].ends_with("}}: must have exactly one version marked as storage version"), "{}", odd[2]);
        assert_eq!(
            odd[3],
            "status.storedVersions: Invalid value: []string(nil): must have at least one stored version"
        );
        assert_eq!(odd.len(), 4);
    }

    #[test]
    fn a_version_that_objects_are_stored_in_stays() {
        let gone = told(|d| d["status"]["storedVersions"] = json!(["v1alpha1", "v1"]));
        assert_eq!(gone, ["status.storedVersions[0]: Invalid value: \"v1alpha1\": must appear in spec.versions"]);
    }

    #[test]
    fn what_versions_have_alike_is_told_once_and_what_not_of_each() {
        let twice = |first: Value, second: Value| {
            told(|d| {
                let version = |name: &str, schema: &Value| json!({"name": name, "served": true, "storage": name == "v1", "schema": {"openAPIV3Schema": schema}});
                d["spec"]["versions"] = json!([version("v1", &first), version("v2", &second)]);
            })
        };
        let (text, number) = (json!({"type": "string"}), json!({"type": "number"}));
        let problem = "must be object at the root";
        assert_eq!(
            twice(text.clone(), text.clone()),
            [format!("spec.validation.openAPIV3Schema.type: Invalid value: \"string\": {problem}")]
        );
        assert_eq!(
            twice(text, number),
            [
                format!("spec.versions[0].schema.openAPIV3Schema.type: Invalid value: \"string\": {problem}"),
                format!("spec.versions[1].schema.openAPIV3Schema.type: Invalid value: \"number\": {problem}")
            ]
        );
    }

    #[test]
    fn community_groups_need_a_word() {
        let of_community = |approval: Value| {
            told(|d| {
                d["spec"]["group"] = json!("x.k8s.io");
                d["metadata"] = json!({"name": "widgets.x.k8s.io", "annotations": {APPROVED: approval}});
            })
        };
        assert_eq!(of_community(json!("https://github.com/kubernetes/x")), [""; 0]);
        assert_eq!(of_community(json!("unapproved, experimental-only")), [""; 0]);
        assert!(of_community(json!(null))[0].contains("Required value: protected groups"));
        assert!(of_community(json!("yes"))[0].contains("a reason starting with \"unapproved\""));
    }
}
