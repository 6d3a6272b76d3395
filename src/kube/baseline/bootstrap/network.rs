//! How pods find the API server.

use super::Source;
use serde_json::{Value, json};

/// The service `default/kubernetes`, its endpoints and its endpoint slice.
pub(super) fn objects(source: &Source<'_>) -> [Value; 3] {
    let address = control_plane_address(source).unwrap_or(FALLBACK_ADDRESS);
    let metadata = |labels: Value| json!({"name": "kubernetes", "namespace": "default", "labels": labels});
    let port = json!({"name": "https", "port": 6443, "protocol": "TCP"});
    [
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": metadata(json!({"component": "apiserver", "provider": "kubernetes"})),
            "spec": {
                "type": "ClusterIP", "clusterIP": SERVICE_ADDRESS, "clusterIPs": [SERVICE_ADDRESS],
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
                "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster"
            },
            "status": {"loadBalancer": {}}
        }),
        json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": metadata(json!({"endpointslice.kubernetes.io/skip-mirror": "true"})),
            "subsets": [{"addresses": [{"ip": address}], "ports": [port]}]
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": metadata(json!({"kubernetes.io/service-name": "kubernetes"})),
            "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
            "ports": [port]
        }),
    ]
}

/// The internal address of the first control plane node, or of the first node.
fn control_plane_address<'a>(source: &'a Source<'_>) -> Option<&'a str> {
    let nodes = || source.objects.iter().filter(|object| object["kind"] == "Node" && object["apiVersion"] == "v1");
    let is_control_plane = |node: &&Value| {
        let labels = node["metadata"]["labels"].as_object();
        let has =
            |role: &str| labels.is_some_and(|labels| labels.contains_key(&format!("node-role.kubernetes.io/{role}")));
        has("control-plane") || has("controlplane")
    };
    let node = nodes().find(is_control_plane).or_else(|| nodes().next())?;
    let addresses = node["status"]["addresses"].as_array()?;
    addresses.iter().find(|address| address["type"] == "InternalIP")?["address"].as_str()
}

/// The first address of the service network, as everywhere.
const SERVICE_ADDRESS: &str = "10.43.0.1";
/// Without nodes there is still something to point to.
const FALLBACK_ADDRESS: &str = "172.16.0.10";
