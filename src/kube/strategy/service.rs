//! Services: their addresses and ports.

use super::refuse;
use crate::kube::request::served::Served;
use crate::kube::{Cause, Cluster, Status, tree};
use serde_json::{Value, json};
use std::collections::HashSet;

impl Cluster {
    /// Fills in what a service leaves out; an update keeps the addresses it had (core `service/storage/alloc.go`).
    pub(super) fn complete_service(&mut self, service: &mut Value, old: Option<&Value>) -> Result<(), Status> {
        let Some(services) = Cluster::built_in("", "services") else { return Ok(()) };
        if service["spec"]["type"].as_str().is_none_or(str::is_empty) {
            tree::set(service, &["spec", "type"], "ClusterIP");
        }
        let kind = service["spec"]["type"].as_str().unwrap_or_default().to_owned();
        let Some(spec) = service["spec"].as_object_mut() else { return Ok(()) };
        spec.entry("sessionAffinity").or_insert_with(|| json!("None"));
        if kind != "ExternalName" {
            spec.entry("internalTrafficPolicy").or_insert_with(|| json!("Cluster"));
        }
        if spec.get("sessionAffinity").is_some_and(|affinity| affinity == "ClientIP") {
            spec.entry("sessionAffinityConfig").or_insert_with(|| json!({"clientIP": {"timeoutSeconds": 10_800}}));
        }
        if kind == "LoadBalancer" {
            spec.entry("allocateLoadBalancerNodePorts").or_insert_with(|| json!(true));
        }
        let had_ports = old.is_some_and(|old| {
            ["NodePort", "LoadBalancer"].contains(&old["spec"]["type"].as_str().unwrap_or_default())
        });
        if had_ports && kind == "ClusterIP" {
            for field in ["externalTrafficPolicy", "allocateLoadBalancerNodePorts", "healthCheckNodePort"] {
                spec.remove(field);
            }
        }
        let mut ports = spec.get_mut("ports").map(Value::take).unwrap_or_default();
        for port in ports.as_array_mut().into_iter().flatten().filter(|port| port.is_object()) {
            if port["protocol"].is_null() {
                port["protocol"] = json!("TCP");
            }
            if port["targetPort"].is_null() || port["targetPort"] == 0 {
                port["targetPort"] = port["port"].clone();
            }
            if had_ports
                && kind == "ClusterIP"
                && let Some(port) = port.as_object_mut()
            {
                port.remove("nodePort");
            }
        }
        if kind == "NodePort" || kind == "LoadBalancer" {
            spec.entry("externalTrafficPolicy").or_insert_with(|| json!("Cluster"));
            let causes = self.assign_node_ports(&services, &mut ports, old);
            refuse(&services, service, causes)?;
            self.assign_health_port(service, old);
        }
        let Some(spec) = service["spec"].as_object_mut() else { return Ok(()) };
        if !ports.is_null() {
            spec.insert("ports".into(), ports);
        }
        if kind == "ExternalName" {
            return Ok(());
        }
        let before = old.map(|old| old["spec"]["clusterIP"].clone()).filter(|address| !is_unset(address));
        let given = spec.get("clusterIP").filter(|address| !is_unset(address)).cloned();
        let address = match (before, given) {
            (Some(before), Some(given)) if before != given => {
                let shown = format!("[]string{{{given}}}");
                let cause = Cause::invalid_go("spec.clusterIPs[0]", &shown, "may not change once set");
                return refuse(&services, service, vec![cause]);
            }
            (None, Some(given)) if given != "None" && !given.as_str().is_some_and(|ip| ip.starts_with("10.43.")) => {
                let (shown, ip) = (format!("[]string{{{given}}}"), given.as_str().unwrap_or_default());
                let problem = format!(
                    "failed to allocate IP {ip}: the provided IP ({ip}) is not in the valid range. The range of valid IPs is 10.43.0.0/16"
                );
                let cause = Cause::invalid_go("spec.clusterIPs", &shown, &problem);
                return refuse(&services, service, vec![cause]);
            }
            (Some(address), _) | (None, Some(address)) => address,
            (None, None) => json!(self.free_address(&services)),
        };
        let Some(spec) = service["spec"].as_object_mut() else { return Ok(()) };
        spec.insert("clusterIPs".into(), json!([address]));
        spec.insert("clusterIP".into(), address);
        spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
        spec.entry("ipFamilyPolicy").or_insert_with(|| json!("SingleStack"));
        Ok(())
    }

    fn assign_node_ports(&mut self, services: &Served, ports: &mut Value, old: Option<&Value>) -> Vec<Cause> {
        let mut taken: HashSet<u64> = self.of_services(services, |spec| {
            spec["ports"].as_array().into_iter().flatten().filter_map(|port| port["nodePort"].as_u64()).collect()
        });
        let before = old.and_then(|old| old["spec"]["ports"].as_array()).cloned().unwrap_or_default();
        let mut causes = Vec::new();
        for (index, port) in ports.as_array().into_iter().flatten().enumerate() {
            let Some(asked) = port["nodePort"].as_u64().filter(|asked| *asked > 0) else { continue };
            let problem = if !(NODE_PORTS_FROM..NODE_PORTS_FROM + NODE_PORTS).contains(&asked) {
                "provided port is not in the valid range. The range of valid ports is 30000-32767"
            } else if taken.contains(&asked) && !before.iter().any(|before| before["nodePort"] == asked) {
                "provided port is already allocated"
            } else {
                continue;
            };
            causes.push(Cause::invalid(format!("spec.ports[{index}].nodePort"), &port["nodePort"], problem));
        }
        let ports = ports.as_array_mut().into_iter().flatten();
        for port in ports.filter(|port| port.is_object() && port["nodePort"].as_u64().unwrap_or_default() == 0) {
            let same =
                before.iter().find(|before| before["port"] == port["port"] && before["protocol"] == port["protocol"]);
            let kept = same.and_then(|same| same["nodePort"].as_u64()).filter(|node_port| *node_port > 0);
            let free = || {
                (0..NODE_PORTS)
                    .map(|_| NODE_PORTS_FROM + self.random.u64(..NODE_PORTS))
                    .find(|free| !taken.contains(free))
            };
            if let Some(node_port) = kept.or_else(free) {
                taken.insert(node_port);
                port["nodePort"] = json!(node_port);
            }
        }
        causes
    }

    /// A load balancer that keeps to local pods asks each node for its health.
    fn assign_health_port(&mut self, service: &mut Value, old: Option<&Value>) {
        let is_asked = service["spec"]["type"] == "LoadBalancer" && service["spec"]["externalTrafficPolicy"] == "Local";
        let port = |spec: &Value| spec["healthCheckNodePort"].as_u64().filter(|port| *port > 0);
        let known = port(&service["spec"]).or_else(|| port(&old?["spec"]));
        match (is_asked, known) {
            (true, known) => {
                let port = known.unwrap_or_else(|| NODE_PORTS_FROM + self.random.u64(..NODE_PORTS));
                tree::set(service, &["spec", "healthCheckNodePort"], port);
            }
            (false, _) => {
                _ = service["spec"].as_object_mut().and_then(|spec| spec.remove("healthCheckNodePort"));
            }
        }
    }

    /// An address of the service network that no service has.
    fn free_address(&mut self, services: &Served) -> String {
        let taken: HashSet<String> =
            self.of_services(services, |spec| spec["clusterIP"].as_str().map(str::to_owned).into_iter().collect());
        loop {
            // The first addresses are the control plane's own. Few of 65,000 are ever taken, as objects are bounded.
            let host = self.random.u16(16..u16::MAX);
            let address = format!("10.43.{}.{}", host >> 8, host & 0xff);
            if !taken.contains(&address) || taken.len() > usize::from(u16::MAX) / 2 {
                return address;
            }
        }
    }

    fn of_services<T: std::hash::Hash + Eq>(&self, services: &Served, pick: impl Fn(&Value) -> Vec<T>) -> HashSet<T> {
        let found = self.store.list(services.storage, None);
        found.iter().flat_map(|found| pick(&self.value(services, &found.version)["spec"])).collect()
    }
}

fn is_unset(address: &Value) -> bool {
    address.as_str().is_none_or(str::is_empty)
}

/// kube-apiserver's default `--service-node-port-range`.
const NODE_PORTS_FROM: u64 = 30_000;
const NODE_PORTS: u64 = 2_768;
