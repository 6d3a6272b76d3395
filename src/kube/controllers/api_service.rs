//! APIServices of extension servers: nobody serves them here, and their status says so (`kube-aggregator` available controller).

use super::Happening;
use super::pods::{condition, set_condition};
use crate::kube::Cluster;
use crate::kube::object::time;
use crate::kube::tree;
use crate::kube::tree::text;
use serde_json::json;

impl Cluster {
    /// Says why an APIService with a service behind it is not available.
    pub(super) fn report_api_service(&mut self, happening: &Happening<'_>) {
        let object = self.value(&happening.served, &happening.version());
        let service = &object["spec"]["service"];
        if service.is_null() || condition(&object, "Available").is_some() {
            return;
        }
        let (namespace, name) = (text(&service["namespace"]), text(&service["name"]));
        let path = crate::kube::store::path_of(Some(namespace), name);
        let (reason, message) = match self.living("", "services", &path) {
            None => ("ServiceNotFound", format!("service/{name} in \"{namespace}\" is not present")),
            Some(_) => (
                "MissingEndpoints",
                format!("endpoints for service/{name} in \"{namespace}\" have no addresses with port name \"\""),
            ),
        };
        let now = time(happening.now.as_second());
        let condition = json!({"type": "Available", "status": "False", "reason": reason, "message": message});
        self.rewrite(&happening.served, &happening.write.object.path, |object| {
            set_condition(tree::at(object, &["status", "conditions"]), condition, &now);
        });
    }
}
