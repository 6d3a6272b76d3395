//! Strategic merge patches (Kubernetes design proposal "Strategic Merge Patch", apimachinery `util/strategicpatch`).

use super::order::arrange;
use super::schema::{Field, PLAIN, Schema};
use crate::kube::Status;
use crate::kube::response::quote::go_value;
use crate::kube::types::Patch;
use serde_json::{Map, Value};

/// Merges `patch` into `current`.
pub(super) fn merge(
    current: &mut Map<String, Value>,
    mut patch: Map<String, Value>,
    schema: Schema,
) -> Result<(), Status> {
    match patch.remove(DIRECTIVE).as_ref().map(|directive| directive.as_str().unwrap_or_default()) {
        None => {}
        Some("replace") => {
            *current = bare_map(patch);
            return Ok(());
        }
        Some("delete") => {
            current.clear();
            return Ok(());
        }
        Some(other) => {
            let problem =
                format!("unknown patch type: {other} in map: {}", go_value(&Value::Object(named(other, patch))));
            return Err(Status::unknown(problem));
        }
    }
    retain_keys(current, &mut patch)?;
    delete_from_sets(current, &mut patch)?;
    set_orders(current, &mut patch, schema)?;
    for (name, value) in patch {
        let field = schema.field(&name);
        match (current.get_mut(&name), value) {
            (Some(_), Value::Null) => _ = current.remove(&name),
            (None, Value::Null) => {}
            (Some(Value::Object(current)), Value::Object(patch)) => match field.map(|field| field.rule) {
                Some(Patch::Replace) => *current = bare_map(patch),
                _ => merge(current, patch, field.map_or(PLAIN, |field| field.schema))?,
            },
            (Some(Value::Array(current)), Value::Array(patch)) => {
                *current = merge_list(std::mem::take(current), patch, field, None)?;
            }
            (None, value) => {
                if let Some(value) = new_value(value) {
                    current.insert(name, value);
                }
            }
            (Some(_), value) => _ = current.insert(name, bare(value)),
        }
    }
    Ok(())
}

/// The merge of two lists; `wanted` is the order asked for by a directive, else the patch's own counts.
fn merge_list(
    current: Vec<Value>,
    patch: Vec<Value>,
    field: Option<Field>,
    wanted: Option<&[Value]>,
) -> Result<Vec<Value>, Status> {
    let (rule, schema) = field.map_or((Patch::Plain, PLAIN), |field| (field.rule, field.schema));
    let key = match rule {
        Patch::Plain | Patch::Replace => return Ok(bare_list(patch)),
        Patch::Merge => {
            let order = wanted.unwrap_or(&patch).to_vec();
            let mut merged = current.clone();
            for value in patch {
                if !merged.contains(&value) {
                    merged.push(value);
                }
            }
            return Ok(arrange(merged, &order, &current, None));
        }
        Patch::MergeBy(key) => key,
    };
    if patch.iter().any(|element| element[DIRECTIVE] == "replace") {
        let rest = patch.into_iter().filter(|element| element.get(DIRECTIVE).is_none());
        return Ok(bare_list(rest.collect()));
    }
    let mut merged = current.clone();
    // What goes, goes first: a patch may take an element away and bring another of its name.
    for element in patch.iter().filter(|element| element[DIRECTIVE] == "delete") {
        merged.retain(|other| other[key] != element[key]);
    }
    let mut order = Vec::new();
    for element in patch {
        let Value::Object(element) = element else { return Err(Status::unknown("expected: map, got: a plain value")) };
        let identity = element.get(key).cloned().ok_or_else(|| no_merge_key(&element, key))?;
        if element.get(DIRECTIVE).is_some_and(|directive| directive == "delete") {
            continue;
        }
        order.push(serde_json::json!({ key: identity }));
        match merged.iter_mut().find(|other| other[key] == identity) {
            Some(Value::Object(found)) => merge(found, element, schema)?,
            _ => merged.push(Value::Object(bare_map(element))),
        }
    }
    Ok(arrange(merged, wanted.unwrap_or(&order), &current, Some(key)))
}

/// `$retainKeys`: what it does not name goes.
fn retain_keys(current: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<(), Status> {
    let bad = || Status::bad_request("invalid patch format of retainKeys");
    let Some(keys) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let keys = keys.as_array().ok_or_else(bad)?;
    let kept = |name: &str| keys.iter().any(|key| key == name);
    if patch.iter().any(|(name, value)| !name.starts_with('$') && !value.is_null() && !kept(name)) {
        return Err(bad());
    }
    current.retain(|name, _| kept(name));
    Ok(())
}

/// `$deleteFromPrimitiveList/<field>`: these values leave the list.
fn delete_from_sets(current: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<(), Status> {
    for (name, gone) in take_directives(patch, DELETE_FROM) {
        let Value::Array(gone) = gone else {
            return Err(Status::bad_request("invalid patch format of primitive list"));
        };
        if let Some(Value::Array(values)) = current.get_mut(&name) {
            values.retain(|value| !gone.contains(value));
        }
    }
    Ok(())
}

/// `$setElementOrder/<field>`: merges that list at once, in the order given.
fn set_orders(current: &mut Map<String, Value>, patch: &mut Map<String, Value>, schema: Schema) -> Result<(), Status> {
    for (name, wanted) in take_directives(patch, SET_ORDER) {
        let Value::Array(wanted) = wanted else {
            return Err(Status::bad_request("invalid patch format of setElementOrder list"));
        };
        let field = schema.field(&name);
        // A list that goes, and one that is not merged, has no order to keep.
        if patch.get(&name).is_some_and(|value| !value.is_array()) || !field.is_some_and(Field::merges_as_list) {
            continue;
        }
        let changes = match patch.remove(&name) {
            Some(Value::Array(changes)) => changes,
            _ => Vec::new(),
        };
        check_order(&changes, &wanted, field)?;
        let merged = match current.get_mut(&name) {
            Some(Value::Array(list)) => merge_list(std::mem::take(list), changes, field, Some(&wanted))?,
            Some(_) => continue,
            None if changes.is_empty() => continue,
            None => merge_list(Vec::new(), changes.into_iter().filter_map(new_value).collect(), field, Some(&wanted))?,
        };
        current.insert(name, Value::Array(merged));
    }
    Ok(())
}

/// Refuses changes that stand in another order than the one asked for beside them.
fn check_order(changes: &[Value], wanted: &[Value], field: Option<Field>) -> Result<(), Status> {
    let key = field.and_then(|field| match field.rule {
        Patch::MergeBy(key) => Some(key),
        Patch::Plain | Patch::Replace | Patch::Merge => None,
    });
    let identity = |value: &Value| key.map_or_else(|| value.clone(), |key| value[key].clone());
    let mut rest = wanted.iter();
    let is_named = |change: &&Value| key.is_none_or(|key| change.get(key).is_some());
    let kept = changes.iter().filter(|change| change.get(DIRECTIVE).is_none_or(|directive| directive != "delete"));
    for change in kept.filter(is_named) {
        if !rest.any(|wanted| identity(wanted) == identity(change)) {
            return Err(Status::unknown("The order in patch list doesn't match $setElementOrder list"));
        }
    }
    Ok(())
}

fn take_directives(patch: &mut Map<String, Value>, prefix: &str) -> Vec<(String, Value)> {
    let keys: Vec<String> = patch.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
    let take = |key: String| patch.remove(&key).map(|value| (key[prefix.len()..].to_owned(), value));
    keys.into_iter().filter_map(take).collect()
}

/// A patch's value for a field that does not exist yet. A map that carries a directive has nothing to direct and is left out.
fn new_value(value: Value) -> Option<Value> {
    Some(match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => return None,
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(name, value)| !value.is_null() && !is_directive(name));
            Value::Object(kept.filter_map(|(name, value)| Some((name, new_value(value)?))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().filter_map(new_value).collect()),
        other => other,
    })
}

/// A patch's value that stands for itself: what is no field of the kind is lost when the object is read.
fn bare(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(bare_map(map)),
        Value::Array(list) => Value::Array(bare_list(list)),
        other => other,
    }
}

fn bare_map(map: Map<String, Value>) -> Map<String, Value> {
    let kept = map.into_iter().filter(|(name, value)| !value.is_null() && !is_directive(name));
    kept.map(|(name, value)| (name, bare(value))).collect()
}

fn bare_list(list: Vec<Value>) -> Vec<Value> {
    list.into_iter().map(bare).collect()
}

fn is_directive(name: &str) -> bool {
    matches!(name, DIRECTIVE | RETAIN_KEYS) || name.starts_with(SET_ORDER) || name.starts_with(DELETE_FROM)
}

fn named(directive: &str, mut patch: Map<String, Value>) -> Map<String, Value> {
    patch.insert(DIRECTIVE.into(), directive.into());
    patch
}

fn no_merge_key(element: &Map<String, Value>, key: &str) -> Status {
    let element = go_value(&Value::Object(element.clone()));
    Status::unknown(format!("map: {element} does not contain declared merge key: {key}"))
}

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;
    use proptest::prelude::*;
    use serde_json::json;

    fn try_patched(group: &str, plural: &str, mut current: Value, patch: Value) -> Result<Value, Status> {
        let schema = Schema::of(lookup(group, "v1", plural).unwrap().1);
        let Value::Object(patch) = patch else { panic!("{patch}") };
        merge(current.as_object_mut().unwrap(), patch, schema)?;
        Ok(current)
    }

    fn pod(current: Value, patch: Value) -> Value {
        try_patched("", "pods", json!({"spec": current}), json!({"spec": patch})).unwrap()["spec"].clone()
    }

    fn metadata(current: Value, patch: Value) -> Value {
        try_patched("", "pods", json!({"metadata": current}), json!({"metadata": patch})).unwrap()["metadata"].clone()
    }

    #[test]
    fn containers_merge_by_name() {
        // Kubernetes documentation, "Update API Objects in Place Using kubectl patch": the new container comes first, the toleration list
        // is replaced.
        assert_eq!(
            pod(
                json!({"containers": [{"name": "ctr", "image": "nginx"}], "tolerations": [{"key": "dedicated", "value": "test-team"}]}),
                json!({"containers": [{"name": "ctr-2", "image": "redis"}], "tolerations": [{"key": "disktype", "value": "ssd"}]})
            ),
            json!({
                "containers": [{"name": "ctr-2", "image": "redis"}, {"name": "ctr", "image": "nginx"}],
                "tolerations": [{"key": "disktype", "value": "ssd"}]
            })
        );
        assert_eq!(
            pod(
                json!({"containers": [{"name": "a", "image": "i", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}),
                json!({"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}], "image": null}]})
            ),
            json!({"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}, {"name": "b"}]})
        );
    }

    #[test]
    fn elements_are_deleted_by_key() {
        assert_eq!(
            pod(
                json!({"containers": [{"name": "a"}, {"name": "b"}]}),
                json!({"containers": [{"$patch": "delete", "name": "a"}, {"name": "c", "image": "i"}]})
            ),
            json!({"containers": [{"name": "c", "image": "i"}, {"name": "b"}]})
        );
    }

    #[test]
    fn lists_and_maps_are_replaced_on_demand() {
        assert_eq!(
            pod(
                json!({"containers": [{"name": "a"}, {"name": "b"}]}),
                json!({"containers": [{"name": "c"}, {"$patch": "replace"}]})
            ),
            json!({"containers": [{"name": "c"}]})
        );
        assert_eq!(
            pod(json!({"nodeSelector": {"a": "b"}}), json!({"nodeSelector": {"$patch": "replace", "c": "d"}})),
            json!({"nodeSelector": {"c": "d"}})
        );
        assert_eq!(
            pod(json!({"nodeSelector": {"a": "b"}}), json!({"nodeSelector": {"$patch": "delete"}})),
            json!({"nodeSelector": {}})
        );
    }

    #[test]
    fn a_budgets_selector_is_replaced() {
        let patched = try_patched(
            "policy",
            "poddisruptionbudgets",
            json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "minAvailable": 1}}),
            json!({"spec": {"selector": {"matchLabels": {"c": "d"}}}}),
        );
        assert_eq!(patched.unwrap(), json!({"spec": {"selector": {"matchLabels": {"c": "d"}}, "minAvailable": 1}}));
    }

    #[test]
    fn the_order_can_be_set() {
        // What kubectl apply sends when a container goes and another one changes.
        assert_eq!(
            pod(
                json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "server-only"}, {"name": "c"}]}),
                json!({
                    "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
                    "containers": [{"name": "c", "image": "new"}, {"$patch": "delete", "name": "b"}]
                })
            ),
            json!({"containers": [{"name": "server-only"}, {"name": "c", "image": "new"}, {"name": "a"}]})
        );
        assert_eq!(
            pod(
                json!({"containers": [{"name": "a"}, {"name": "b"}]}),
                json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})
            ),
            json!({"containers": [{"name": "b"}, {"name": "a"}]})
        );
        assert_eq!(
            pod(json!({}), json!({"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a"}]})),
            json!({"containers": [{"name": "a"}]})
        );
    }

    #[test]
    fn finalizers_are_a_set() {
        assert_eq!(
            metadata(json!({"finalizers": ["a", "b"]}), json!({"finalizers": ["b", "c"]})),
            json!({"finalizers": ["a", "b", "c"]})
        );
        assert_eq!(
            metadata(json!({"finalizers": ["a", "b"]}), json!({"$deleteFromPrimitiveList/finalizers": ["a"]})),
            json!({"finalizers": ["b"]})
        );
        assert_eq!(
            metadata(
                json!({"finalizers": ["a", "b"]}),
                json!({"$setElementOrder/finalizers": ["c", "b"], "$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]})
            ),
            json!({"finalizers": ["c", "b"]})
        );
    }

    #[test]
    fn retained_keys_push_the_others_out() {
        let patched = try_patched(
            "apps",
            "deployments",
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        );
        assert_eq!(patched.unwrap(), json!({"spec": {"strategy": {"type": "Recreate"}}}));
        assert_eq!(
            pod(
                json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
                json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]})
            ),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]})
        );
    }

    #[test]
    fn nulls_delete_and_directives_never_stay() {
        assert_eq!(
            metadata(json!({"labels": {"a": "b"}, "x": 1}), json!({"labels": null, "y": null})),
            json!({"x": 1})
        );
        // Output of k8s.io/apimachinery v0.31.4 strategicpatch.StrategicMergePatch.
        assert_eq!(
            pod(
                json!({}),
                json!({
                    "affinity": {"$patch": "replace", "b": 1},
                    "hostAliases": [{"$patch": "delete", "ip": "::1"}],
                    "dnsConfig": {"a": null}
                })
            ),
            json!({"hostAliases": [], "dnsConfig": {}})
        );
    }

    #[test]
    fn bad_patches_are_refused() {
        let error = |patch| try_patched("", "pods", json!({"spec": {"containers": []}}), patch).unwrap_err();
        // What `kubectl patch` prints as "Error from server: …".
        let status = error(json!({"spec": {"containers": [{"image": "nginx"}]}}));
        assert_eq!(
            (status.code, status.message.as_str()),
            (500, "map: map[image:nginx] does not contain declared merge key: name")
        );
        assert_eq!(
            error(json!({"$patch": "swap", "a": [1, null]})).message,
            "unknown patch type: swap in map: map[$patch:swap a:[1 <nil>]]"
        );
        assert_eq!(error(json!({"$retainKeys": "x"})).message, "invalid patch format of retainKeys");
        assert_eq!(error(json!({"spec": {"$setElementOrder/containers": 1}})).code, 400);
        assert_eq!(error(json!({"spec": {"containers": [1]}})).code, 500);
    }

    fn json_tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), "[a-c]".prop_map(Value::from)];
        let key = prop_oneof![
            Just("spec"),
            Just("containers"),
            Just("name"),
            Just("metadata"),
            Just("finalizers"),
            Just("$patch"),
            Just("$retainKeys"),
            Just("$setElementOrder/containers"),
            Just("$deleteFromPrimitiveList/finalizers"),
            Just("env")
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..4).prop_map(|entries| entries
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect::<Map<_, _>>()
                    .into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_patch_panics(current in json_tree(), patch in json_tree()) {
            if let (Value::Object(_), Value::Object(_)) = (&current, &patch) {
                let _ = try_patched("", "pods", current, patch);
            }
        }

        #[test]
        fn an_object_patched_with_itself_stays(names in proptest::collection::hash_set("[a-e]", 0..5)) {
            let containers: Vec<Value> = names.iter().map(|name| json!({"name": name, "image": "i"})).collect();
            let spec = json!({"containers": containers});
            prop_assert_eq!(pod(spec.clone(), spec.clone()), spec);
        }
    }
}
