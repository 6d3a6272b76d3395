//! What the containers of a pod ask for or may use at most, as a whole (component-helpers `PodRequests` and `PodLimits`).

use crate::kube::quantity::Quantity;
use crate::kube::tree::items;
use serde_json::Value;
use std::collections::BTreeMap;

/// Amounts by the names of their resources.
pub(in crate::kube) type Amounts = BTreeMap<String, Quantity>;

/// The `requests` or the `limits` of a pod: the sum of its containers and of the init containers that stay, or what has to be there
/// while one of the others runs, if that is more.
pub(in crate::kube) fn of_pod(spec: &Value, field: &str) -> Amounts {
    let mut total = Amounts::new();
    for container in items(&spec["containers"]) {
        add(&mut total, &own(container, field));
    }
    let (mut staying, mut most) = (Amounts::new(), Amounts::new());
    for container in items(&spec["initContainers"]) {
        let mut amounts = own(container, field);
        if container["restartPolicy"] == "Always" {
            add(&mut total, &amounts);
            add(&mut staying, &amounts);
            amounts = staying.clone();
        } else {
            add(&mut amounts, &staying);
        }
        raise(&mut most, &amounts);
    }
    raise(&mut total, &most);
    total
}

fn own(container: &Value, field: &str) -> Amounts {
    let amounts = container["resources"][field].as_object().into_iter().flatten();
    amounts.filter_map(|(name, amount)| Some((name.clone(), Quantity::of(amount)?))).collect()
}

fn add(total: &mut Amounts, amounts: &Amounts) {
    for (name, amount) in amounts {
        let sum = total.entry(name.clone()).or_default();
        *sum = sum.plus(*amount);
    }
}

fn raise(total: &mut Amounts, amounts: &Amounts) {
    for (name, amount) in amounts {
        let most = total.entry(name.clone()).or_default();
        *most = (*most).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_runs_together_adds_up() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let staying = |cpu: &str| json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
        let cpu = |containers: Value, init: Value| {
            let sums = of_pod(&json!({"containers": containers, "initContainers": init}), "requests");
            sums.get("cpu").map(|sum| sum.to_string_of("cpu"))
        };
        assert_eq!(cpu(json!([{}]), json!([])), None);
        assert_eq!(cpu(json!([container("1"), container("500m")]), json!([])).unwrap(), "1500m");
        assert_eq!(cpu(json!([container("1")]), json!([container("2"), container("3")])).unwrap(), "3");
        assert_eq!(cpu(json!([container("4")]), json!([container("2")])).unwrap(), "4");
        // One that stays is there while those after it run.
        assert_eq!(cpu(json!([container("1")]), json!([container("3"), staying("1"), container("3")])).unwrap(), "4");
        assert_eq!(cpu(json!([container("1")]), json!([staying("1")])).unwrap(), "2");
    }
}
