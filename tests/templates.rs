//! What a user sees of templates: the objects they make, and errors that name line and field.

use assert_cmd::Command;
use scale_cluster_agent::rehearsal::Profile;
use scale_cluster_agent::remote::parse_scenario;
use scale_cluster_agent::{config, template};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

/// Runs `render` in an empty HOME; exit code, standard output and standard error.
fn render(args: &[&str]) -> (i32, String, String) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("scale-cluster-agent").unwrap();
    let output = command.env_clear().env("HOME", home.path()).arg("render").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The objects of cluster `edge` from a template given as text.
fn objects(template: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, template).unwrap();
    objects_of_file(path.to_str().unwrap())
}

fn objects_of_file(path: &str) -> Vec<Value> {
    let (code, stdout, stderr) = render(&["edge", "--template", path, "--output", "json"]);
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// The error of a template given as text, its file's folder taken out.
fn error(template: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    fs::write(&path, template).unwrap();
    let (code, stdout, stderr) = render(&["edge", "--template", path.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    stderr.replace(&format!("{}/", folder.path().display()), "")
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn kinds(objects: &[Value]) -> BTreeMap<&str, usize> {
    objects.iter().fold(BTreeMap::new(), |mut kinds, object| {
        *kinds.entry(object["kind"].as_str().unwrap()).or_default() += 1;
        kinds
    })
}

fn pods(objects: &[Value]) -> Vec<&Value> {
    objects.iter().filter(|object| object["kind"] == "Pod").collect()
}

#[test]
fn the_built_in_template_renders_as_yaml() {
    let (code, stdout, stderr) = render(&["edge-0001"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let objects: Vec<Value> =
        stdout.split("---\n").skip(1).map(|document| serde_yaml::from_str(document).unwrap()).collect();
    let expected = [
        ("ConfigMap", 1),
        ("Deployment", 3),
        ("Namespace", 1),
        ("Node", 3),
        ("Pod", 8),
        ("ReplicaSet", 3),
        ("Secret", 1),
        ("Service", 2),
    ];
    assert_eq!(kinds(&objects), BTreeMap::from(expected));
    assert!(!stdout.contains("{{"), "every placeholder is filled in");
    assert_eq!(find(&objects, "ConfigMap", "web")["data"], json!({"greeting": "Hello from edge-0001"}));
    assert_eq!(find(&objects, "Secret", "web")["data"], json!({"password": "bm90LWEtcmVhbC1vbmU="}));
}

#[test]
fn the_shipped_templates_have_the_size_they_promise() {
    let small = objects_of_file("config/templates/small.yaml");
    assert_eq!((kinds(&small)["Node"], kinds(&small)["Pod"]), (1, 1));
    let large = objects_of_file("config/templates/large.yaml");
    assert_eq!((kinds(&large)["Node"], kinds(&large)["Pod"]), (50, 1000));
    let names: BTreeSet<&str> = pods(&large).iter().map(|pod| pod["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 1000);
}

#[test]
fn the_shipped_templates_are_known_by_name() {
    for name in ["small", "large"] {
        let (code, stdout, stderr) = render(&["edge", "--template", name, "--output", "json"]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        let objects: Vec<Value> = serde_json::from_str(&stdout).unwrap();
        assert_eq!(kinds(&objects), kinds(&objects_of_file(&format!("config/templates/{name}.yaml"))));
    }
}

#[test]
fn nodes_look_like_a_kubelet_reports_them() {
    let objects = objects(
        "nodes:\n- {name: '{{cluster-name}}-a', roles: [control-plane], capacity: {cpu: 2, nvidia.com/gpu: 1}, allocatable: {cpu: 1900m}}\n- {name: b, status: NotReady, version: v1.30.0}\n",
    );
    let node = find(&objects, "Node", "edge-a");
    let labels = json!({
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": "edge-a",
        "kubernetes.io/os": "linux",
        "node-role.kubernetes.io/control-plane": "true",
    });
    assert_eq!(node["metadata"]["labels"], labels);
    let status = &node["status"];
    let capacity =
        json!({"cpu": "2", "memory": "8Gi", "pods": "110", "ephemeral-storage": "50Gi", "nvidia.com/gpu": "1"});
    assert_eq!(status["capacity"], capacity);
    assert_eq!(status["allocatable"]["cpu"], "1900m");
    assert_eq!(status["allocatable"]["memory"], "8Gi");
    assert_eq!(status["nodeInfo"]["kubeletVersion"], "v1.31.4");
    assert_eq!(
        status["addresses"],
        json!([{"type": "InternalIP", "address": "172.16.0.10"}, {"type": "Hostname", "address": "edge-a"}])
    );
    let conditions = |node: &Value| -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let conditions = node["status"]["conditions"].as_array().unwrap();
        conditions.iter().map(|condition| (text(&condition["type"]), text(&condition["status"]))).collect()
    };
    let expected =
        ["DiskPressure", "MemoryPressure", "NetworkUnavailable", "PIDPressure"].map(|c| (c.into(), "False".into()));
    let mut expected = BTreeMap::from(expected);
    expected.insert("Ready".into(), "True".into());
    assert_eq!(conditions(node), expected);

    let other = find(&objects, "Node", "b");
    assert_eq!(other["spec"]["podCIDR"], "10.42.1.0/24");
    assert_eq!(other["status"]["nodeInfo"]["kubeletVersion"], "v1.30.0");
    assert_eq!(conditions(other)["Ready"], "False");
    assert_eq!(other["spec"]["taints"][0]["key"], "node.kubernetes.io/not-ready");
}

#[test]
fn a_deployment_brings_its_replica_set_and_running_pods() {
    let objects = objects(
        "nodes:\n- {name: cp, roles: [control-plane]}\n- {name: w1}\n- {name: w2}\ndeployments:\n- {name: web, namespace: demo, replicas: 3, image: 'nginx:1.27', requests: {cpu: 50m}, ports: 80/TCP}\n",
    );
    let deployment = find(&objects, "Deployment", "web");
    let status = &deployment["status"];
    assert_eq!(
        (&status["replicas"], &status["readyReplicas"], &status["availableReplicas"]),
        (&json!(3), &json!(3), &json!(3))
    );
    assert_eq!(status.get("unavailableReplicas"), None);
    let set = objects.iter().find(|object| object["kind"] == "ReplicaSet").unwrap();
    let set_name = set["metadata"]["name"].as_str().unwrap();
    assert_eq!(set["metadata"]["ownerReferences"][0]["name"], "web");
    let hash = set_name.strip_prefix("web-").unwrap();
    assert_eq!(hash.len(), 10);
    assert_eq!(set["spec"]["selector"], json!({"matchLabels": {"app": "web", "pod-template-hash": hash}}));

    let pods = pods(&objects);
    let nodes: Vec<&str> = pods.iter().map(|pod| pod["spec"]["nodeName"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["w1", "w2", "w1"], "spread over the workers");
    let addresses: Vec<&str> = pods.iter().map(|pod| pod["status"]["podIP"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["10.42.1.2", "10.42.2.2", "10.42.1.3"]);
    for pod in pods {
        assert_eq!(pod["metadata"]["namespace"], "demo");
        assert_eq!(pod["metadata"]["labels"], json!({"app": "web", "pod-template-hash": hash}));
        assert_eq!(pod["metadata"]["ownerReferences"][0]["name"], set_name);
        assert!(pod["metadata"]["name"].as_str().unwrap().starts_with(set_name));
        assert_eq!(pod["spec"]["containers"][0]["resources"], json!({"requests": {"cpu": "50m"}}));
        assert_eq!(pod["spec"]["containers"][0]["ports"], json!([{"containerPort": 80, "protocol": "TCP"}]));
        assert_eq!((&pod["status"]["phase"], &pod["status"]["qosClass"]), (&json!("Running"), &json!("Burstable")));
        let ready = |condition: &&Value| condition["type"] == "Ready";
        assert_eq!(pod["status"]["conditions"].as_array().unwrap().iter().find(ready).unwrap()["status"], "True");
        assert_eq!(pod["status"]["containerStatuses"][0]["ready"], true);
    }
    assert_eq!(
        find(&objects, "Namespace", "demo")["metadata"]["labels"],
        json!({"kubernetes.io/metadata.name": "demo"})
    );
}

#[test]
fn pods_show_the_status_that_is_written() {
    let objects = objects(
        "nodes: [{name: n}]\npods:\n- {name: a, status: CrashLoopBackOff, restarts: 7}\n- {name: b, status: Pending}\n- {name: c, status: Completed}\n- {name: d, ready: 1/2, node: n, ip: 10.1.2.3}\n",
    );
    let status = |name: &str| find(&objects, "Pod", name)["status"].clone();
    let crashing = status("a");
    assert_eq!(crashing["phase"], "Running");
    assert_eq!(crashing["containerStatuses"][0]["state"], json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    assert_eq!(crashing["containerStatuses"][0]["restartCount"], 7);
    let pending = status("b");
    assert_eq!(pending["phase"], "Pending");
    assert_eq!(pending["conditions"][0]["reason"], "Unschedulable");
    assert_eq!(find(&objects, "Pod", "b")["spec"].get("nodeName"), None);
    assert_eq!(status("c")["phase"], "Succeeded");
    assert_eq!(status("c")["containerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
    let half = status("d");
    assert_eq!((&half["hostIP"], &half["podIP"]), (&json!("172.16.0.10"), &json!("10.1.2.3")));
    let ready: Vec<&Value> = half["containerStatuses"].as_array().unwrap().iter().map(|c| &c["ready"]).collect();
    assert_eq!(ready, [true, false]);
}

#[test]
fn services_in_all_types() {
    let objects = objects(
        "nodes: [{name: n}]\nservices:\n- {name: a, ports: 80}\n- {name: b, type: LoadBalancer, externalIP: 192.0.2.1, ports: '80:32522/TCP,443'}\n- {name: c, clusterIP: None, selector: {x: y}}\n- {name: kubernetes}\n",
    );
    let a = &find(&objects, "Service", "a")["spec"];
    assert_eq!((&a["clusterIP"], &a["type"]), (&json!("10.43.1.1"), &json!("ClusterIP")));
    assert_eq!(a["ports"], json!([{"port": 80, "targetPort": 80, "protocol": "TCP"}]));
    assert_eq!(a["selector"], json!({"app": "a"}));
    let b = find(&objects, "Service", "b");
    assert_eq!(b["spec"]["ports"][0]["nodePort"], 32522);
    assert!(b["spec"]["ports"][1]["nodePort"].as_u64().is_some_and(|port| (30_000..32_768).contains(&port)));
    assert_eq!(b["status"]["loadBalancer"]["ingress"][0]["ip"], "192.0.2.1");
    let c = &find(&objects, "Service", "c")["spec"];
    assert_eq!((&c["clusterIP"], &c["selector"]), (&json!("None"), &json!({"x": "y"})));
    assert!(
        !objects.iter().any(|object| object["metadata"]["name"] == "kubernetes"),
        "an apiserver makes it by itself"
    );
}

#[test]
fn counts_make_numbered_objects() {
    let objects = objects(
        "nodes:\n- {name: 'n-{{index}}', count: 2}\nconfigmaps:\n- name: c-{{ index }}\n  count: 3\n  namespace: team-{{index}}\n  data: {which: '{{cluster-name}}/{{index}}'}\n- {name: none, count: 0}\nsecrets: [{name: s, data: 2}]\n",
    );
    let expected = [("ConfigMap", 3), ("Namespace", 3), ("Node", 2), ("Secret", 1)];
    assert_eq!(kinds(&objects), BTreeMap::from(expected));
    let third = find(&objects, "ConfigMap", "c-3");
    assert_eq!((&third["metadata"]["namespace"], &third["data"]["which"]), (&json!("team-3"), &json!("edge/3")));
    let secret = find(&objects, "Secret", "s");
    assert_eq!((&secret["type"], secret["data"].as_object().unwrap().len()), (&json!("Opaque"), 2));
}

#[test]
fn manifests_stand_in_the_list_and_after_the_summary() {
    let objects = objects(
        "nodes: [{name: n}]\nmanifests:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: x}, data: {k: '{{cluster-name}}'}}\n---\n# nothing here\n---\napiVersion: example.com/v1\nkind: Gadget\nmetadata:\n  name: '{{ cluster-name }}-g'\nspec:\n  text: \"{{ .Values.x }} {{{{pod}}}}\"\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n",
    );
    assert_eq!(find(&objects, "ConfigMap", "a")["data"]["k"], "edge");
    let gadget = json!({
        "apiVersion": "example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "edge-g"},
        "spec": {"text": "{{ .Values.x }} {{pod}}"},
    });
    assert_eq!(find(&objects, "Gadget", "edge-g"), &gadget);
    find(&objects, "Secret", "s");
    find(&objects, "Namespace", "x");
    assert!(!objects.iter().any(|object| object["kind"] == "List"));
}

#[test]
fn manifests_alone_are_a_template_if_they_bring_a_node() {
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: '{{cluster-name}}-n'}\n";
    assert_eq!(kinds(&objects(node)), BTreeMap::from([("Node", 1)]));
}

#[test]
fn templates_of_the_earlier_program_are_understood() {
    let objects = objects(
        r#"
name: template
nodes:
  - name: "{{cluster-name}}-node1"
    status: Ready
    roles: [control-plane, etcd, master]
    age: 42h
    version: v1.28.5+k3s1
    internalIP: 10.244.244.1
    externalIP: <none>
    osImage: Some Linux
    kernelVersion: 6.1.112
    containerRuntime: containerd://1.7.11-k3s2
    capacity: {cpu: "4", memory: 8Gi, pods: "110"}
    allocatable: {cpu: 3800m, memory: 7Gi, pods: "110"}
pods:
  - {name: coredns-6799fbcd5-lgj8v, namespace: kube-system, status: Running, ready: 1/1, restarts: 3, age: 42h, ip: 10.42.0.97, node: "{{cluster-name}}-node1", labels: {k8s-app: kube-dns}}
services:
  - {name: traefik, namespace: kube-system, type: LoadBalancer, clusterIP: 10.43.185.148, externalIP: "10.244.244.1,10.244.244.3", ports: "80:32522/TCP,443:32443/TCP", age: 42h}
secrets:
  - {name: default-token, namespace: default, type: Opaque, data: 3, age: 42h}
configmaps:
  - {name: kube-root-ca.crt, namespace: default, data: 1, age: 42h}
deployments:
  - {name: nginx, namespace: default, ready: 3/3, upToDate: "3", available: "3", age: 2h, labels: {app: nginx}}
"#,
    );
    assert_eq!(find(&objects, "Node", "edge-node1")["status"]["nodeInfo"]["osImage"], "Some Linux");
    assert_eq!(find(&objects, "Deployment", "nginx")["status"]["readyReplicas"], 3);
    assert_eq!(find(&objects, "Service", "traefik")["status"]["loadBalancer"]["ingress"].as_array().unwrap().len(), 2);
    assert_eq!(kinds(&objects).get("ConfigMap"), None, "every namespace has kube-root-ca.crt anyway");
}

#[test]
fn errors_name_line_and_field() {
    let cases = [
        (
            "- a\n",
            "t.yaml:1: invalid type: sequence\n  expected a mapping with `nodes` and other lists, or a Kubernetes object\n",
        ),
        ("nodes: [\n", "t.yaml:2: "),
        (
            "nodes:\n- name: a\n  roles: [x]\n  capasity: {cpu: 1}\n",
            "t.yaml:4: nodes[0].capasity: unknown field\n  expected `capacity`, the nearest known field\n",
        ),
        ("node:\n- name: a\n", "t.yaml:1: node: unknown field\n  expected `nodes`, the nearest known field\n"),
        (
            "nodes:\n- {name: a}\npods:\n- name: p\n\n  node: b\n",
            "t.yaml:6: pods[0].node: there is no node `b`\n  expected `a`, the nearest node\n",
        ),
        (
            "nodes:\n- {name: a}\n- status: Ready\n",
            "t.yaml:3: nodes[1]: missing field `name`\n  expected `name` in this entry\n",
        ),
        (
            "nodes:\n- {name: a}\n- {name: a}\n",
            "t.yaml:3: nodes[1].name: Node `a` is there already, as nodes[0].name\n  expected a name of its own\n",
        ),
        (
            "nodes:\n- name: a\n  capacity:\n    cpu: 1\n    memory: 5x\n",
            "t.yaml:5: nodes[0].capacity.memory: `5x` is not valid\n  expected a quantity such as 500m, 2 or 4Gi\n",
        ),
        (
            "nodes:\n- name: a\n  capacity:\n    cpus: 1\n",
            "t.yaml:4: nodes[0].capacity: `cpus` is not valid\n  expected cpu, memory, pods,",
        ),
        (
            "nodes:\n- name: Node_1\n",
            "t.yaml:2: nodes[0].name: `Node_1` is not valid\n  expected a name of lower-case letters",
        ),
        (
            "nodes:\n- name: a\n  status: Redy\n",
            "t.yaml:3: nodes[0].status: `Redy` is not one of them\n  expected one of Ready, NotReady, Unknown\n",
        ),
        (
            "nodes:\n- name: a\n  labels:\n    x: {{cluster_name}}\n",
            "t.yaml:4: nodes[0].labels.x: unknown placeholder `{{cluster_name}}`\n  expected {{cluster-name}}, or {{{{cluster_name}}}} if the braces are meant as they are\n",
        ),
        ("nodes:\n- name: a-{{index}}\n", "t.yaml:2: nodes[0].name: `{{index}}` stands in an entry without `count`\n"),
        (
            "nodes:\n- name: a\n  count: 2\n",
            "t.yaml:2: nodes[0].name: `count` makes several objects, but all get the same name\n  expected {{index}} in the name\n",
        ),
        (
            "nodes:\n- name: a\n  count: -1\n",
            "t.yaml:3: nodes[0].count: `-1` is not valid\n  expected a whole number from 0 to 10000\n",
        ),
        ("pods: []\n", "t.yaml:1: there is no node, and Rancher never calls a cluster without nodes Active\n"),
        ("", "t.yaml:1: there is no node"),
        ("nodes: [{name: a}]\n---\npods: []\n", "t.yaml:3: this is a second summary"),
        ("nodes: [{name: a}]\n---\nkind: Pod\nmetadata: {name: x}\n", "t.yaml:3: it has no `apiVersion`\n"),
        ("nodes: [{name: a}]\nmanifests:\n- apiVersion: v1\n  kind: Pod\n", "t.yaml:3: manifests[0]: it has no name\n"),
        (
            "nodes: [{name: a}]\nservices:\n- name: s\n  ports: 80/HTTP\n",
            "t.yaml:4: services[0].ports: invalid value: string \"80/HTTP\"\n  expected a list of ports, or text such as 80:32522/TCP,443/TCP\n",
        ),
        (
            "nodes: [{name: a}]\nconfigmaps:\n- {name: c}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n",
            "t.yaml:8: metadata.name: ConfigMap `c` in namespace default is there already, as configmaps[0].name\n",
        ),
        (
            "nodes:\n- name: a\n  name: b\n",
            "t.yaml:2: nodes[0]: duplicate entry with key \"name\"\n  expected each key once\n",
        ),
    ];
    for (template, expected) in cases {
        let error = error(template);
        assert!(error.starts_with(&format!("error: {expected}")), "{template}\n{error}");
    }
}

#[test]
fn a_template_that_is_missing_or_no_text_is_one_clear_line() {
    let (code, _, stderr) = render(&["edge", "--template", "/nowhere/t.yaml"]);
    assert_eq!(code, 1);
    assert!(stderr.starts_with("error: cannot read the template /nowhere/t.yaml: No such file"), "{stderr}");
}

#[test]
fn names_are_dns_labels() {
    for name in ["Edge", "a_b", "a.b", "-a", "a-", "", &"a".repeat(64)] {
        let (code, stdout, stderr) = render(&["--", name]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{name}");
        assert!(stderr.starts_with(&format!("error: `{name}` is no cluster name\n")), "{stderr}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("scale-cluster-agent"))
        .env_clear()
        .env("HOME", home.path())
        .args(["render", "edge", "--template", "config/templates/large.yaml"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}

#[test]
fn a_text_that_wants_to_become_more_than_it_is_gets_nowhere() {
    let laughs = (1..40).fold("a0: &a0 ha\n".to_owned(), |text, level| {
        let below = level - 1;
        format!("{text}a{level}: &a{level} [*a{below}, *a{below}, *a{below}, *a{below}, *a{below}]\n")
    });
    let nested = format!("nodes: {}", "[".repeat(1_000_000));
    let counted = "nodes: [{name: 'n-{{index}}', count: 4294967295, roles: [worker]}]\n";
    let begin = Instant::now();
    for hostile in [laughs.as_str(), &nested, counted] {
        assert!(template::parse("cluster.yaml", hostile).is_err(), "{hostile:.60}");
        assert!(parse_scenario("scenario.yaml", hostile).is_err(), "{hostile:.60}");
        assert!(Profile::from_yaml(hostile).is_err(), "{hostile:.60}");
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config");
        fs::write(&file, hostile).unwrap();
        let flags = config::Flags { config: Some(file), ..config::Flags::default() };
        let inputs = config::Inputs { flags, user_home: None, environment: Vec::<(OsString, OsString)>::new() };
        assert!(config::load(inputs).is_err(), "{hostile:.60}");
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
