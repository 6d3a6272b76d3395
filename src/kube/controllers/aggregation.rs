//! Cluster roles that gather the rules of others (`kube-controller-manager` clusterrole-aggregation).

use super::Happening;
use crate::kube::strategy::Part;
use crate::kube::{Cluster, LabelSelector, tree};
use serde_json::{Value, json};

impl Cluster {
    /// Gathers the rules of aggregating roles anew when a cluster role was written.
    pub(super) fn aggregate_roles(&mut self, happening: &Happening<'_>) {
        let roles = &happening.served;
        if !roles.is("rbac.authorization.k8s.io", "clusterroles") {
            return;
        }
        let found = self.store.list(roles.storage, None).into_iter();
        let gathering: Vec<(String, Value)> = found
            .filter(|found| self.store.body(&found.version).mentions("\"aggregationRule\""))
            .map(|found| (found.path.into_owned(), self.value(roles, &found.version)))
            .collect();
        for (path, role) in gathering {
            let rules = self.gathered(happening, &path, &role);
            if role["rules"] != rules {
                self.amend(roles, &path, Part::Whole, |role| tree::set(role, &["rules"], rules));
            }
        }
    }

    /// The rules of every role that an aggregating role selects, each once.
    fn gathered(&self, happening: &Happening<'_>, path: &str, role: &Value) -> Value {
        let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten();
        let selectors: Vec<LabelSelector> = selectors.filter_map(|s| LabelSelector::from_object(s).ok()).collect();
        let mut rules: Vec<Value> = Vec::new();
        for selector in &selectors {
            for found in self.store.list(happening.served.storage, None) {
                let (stamp, body) = (self.store.stamp(&found.version), self.store.body(&found.version));
                let labels = body.labels(&stamp, self.store.particulars());
                if found.path == path || !selector.matches(labels.as_ref()) {
                    continue;
                }
                let object = self.value(&happening.served, &found.version);
                for rule in object["rules"].as_array().into_iter().flatten() {
                    if !rules.contains(rule) {
                        rules.push(rule.clone());
                    }
                }
            }
        }
        json!(rules)
    }
}
