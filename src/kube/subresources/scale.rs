//! `scale`: an object's replicas as `autoscaling/v1` `Scale`.

use crate::kube::admission::fit_to_path;
use crate::kube::patch::{self, PatchKind};
use crate::kube::request::dispatch::Call;
use crate::kube::response::render::answer_value;
use crate::kube::strategy::Part;
use crate::kube::verbs::{By, Keep};
use crate::kube::{Cause, Cluster, Response, Status, Verb, tree, types};
use serde_json::{Value, json};

impl Cluster {
    /// Reads or writes an object's replicas.
    pub(super) fn scale(&mut self, call: &Call<'_>, verb: Verb) -> Result<Response, Status> {
        let before = self.store.get(call.served.storage, &call.key());
        let before = before.ok_or_else(|| {
            let mut status = Status::not_found(&call.served, call.name());
            if verb == Verb::Get && !call.served.custom {
                let plural = &call.served.plural;
                status.message = status.message.replacen(plural.as_ref(), &format!("{plural}/scale"), 1);
                if let Some(details) = &mut status.details {
                    details.kind = format!("{plural}/scale");
                }
            }
            status
        })?;
        let mut object = self.value(&call.served, &before);
        let current = scale_of(call, &object);
        let below = call.served.subresource("scale").ok_or_else(Status::unknown_route)?;
        let scale = match verb {
            Verb::Get => return answer_value(200, &call.asked, &call.served, &current),
            Verb::Update => {
                call.query.check_write("UpdateOptions")?;
                self.body_of(call, below)?
            }
            _ => {
                let kind = PatchKind::from_content_type(call.content_type(), &call.served)?;
                call.query.check_patch(kind == PatchKind::Apply)?;
                patch::apply(kind, &call.served, &current, &call.request.body)?
            }
        };
        let mut scale = scale;
        fit_to_path(below, call.namespace(), Some(call.name()), &mut scale)?;
        let replicas = match &scale["spec"]["replicas"] {
            Value::Null => 0,
            replicas => replicas.as_u64().ok_or_else(|| {
                let problem = "must be greater than or equal to 0";
                Status::invalid(&call.served, call.name(), vec![Cause::invalid("spec.replicas", replicas, problem)])
            })?,
        };
        let pointer = spec_replicas(call);
        tree::set(&mut object, &pointer.split('/').skip(1).collect::<Vec<_>>(), replicas);
        // Without a revision a scale may be written whatever the object's is, even where the object may not.
        if let revision @ Value::String(_) = &scale["metadata"]["resourceVersion"] {
            tree::set(&mut object, &["metadata", "resourceVersion"], revision.clone());
        }
        let by = By::Author(&call.author());
        let version = self.change(&call.served, &before, object, Part::Whole, Keep::of(call), by)?;
        let scaled = scale_of(call, &self.value(&call.served, &version));
        answer_value(200, &call.asked, &call.served, &scaled)
    }
}

/// The scale of an object.
fn scale_of(call: &Call<'_>, object: &Value) -> Value {
    let custom = call.served.as_custom().and_then(|custom| custom.scale.as_ref());
    let status_replicas = custom.map_or("/status/replicas", |paths| &paths.status_replicas);
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let selector = match custom {
        Some(paths) => {
            paths.selector.as_deref().and_then(|pointer| object.pointer(pointer)?.as_str().map(str::to_owned))
        }
        None => Some(selector_text(&object["spec"]["selector"])),
    };
    let metadata = &object["metadata"];
    let mut scale = json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"]
        },
        "spec": {"replicas": number(&spec_replicas(call))},
        "status": {"replicas": number(status_replicas)}
    });
    if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
        scale["status"]["selector"] = json!(selector);
    }
    if let Some(created @ Value::String(_)) = scale["metadata"].get("creationTimestamp").cloned()
        && let Some(message) = types::find("autoscaling/v1", "Scale")
    {
        // What is zero is left out; it was made here, so that it is of its type.
        _ = types::conform(message, &mut scale);
        scale["metadata"]["creationTimestamp"] = created;
    }
    scale
}

fn spec_replicas(call: &Call<'_>) -> String {
    let custom = call.served.as_custom().and_then(|custom| custom.scale.as_ref());
    custom.map_or_else(|| "/spec/replicas".to_owned(), |paths| paths.spec_replicas.clone())
}

/// A selector in the form of queries.
fn selector_text(selector: &Value) -> String {
    // A replication controller's selector is the labels themselves.
    let labels = selector.get("matchLabels").or_else(|| selector.get("matchExpressions").is_none().then_some(selector));
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let mut terms: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let values = values.collect::<Vec<_>>().join(",");
        terms.push(match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    terms.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_written_as_queries() {
        let selector = json!({
            "matchLabels": {"a": "b"},
            "matchExpressions": [
                {"key": "c", "operator": "In", "values": ["d", "e"]}, {"key": "f", "operator": "DoesNotExist"},
                {"key": "g", "operator": "Exists"}
            ]
        });
        assert_eq!(selector_text(&selector), "a=b,c in (d,e),!f,g");
        assert_eq!(selector_text(&json!({"app": "x"})), "app=x");
        assert_eq!(selector_text(&Value::Null), "");
    }
}
