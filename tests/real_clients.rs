//! Clients that people and their controllers use, each unmodified, through a tunnel: kubectl, helm, informers of every kind.

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use support::{Agent, Peer, go_program};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A peer, an agent and one active cluster.
fn cluster(name: &str) -> (Peer, Agent) {
    let peer = Peer::start(&["--kubectl", "0", "--steps", "none"]);
    let agent = Agent::start(&peer, "PodStartup: 500ms\n");
    let (status, answer) = agent.create(name);
    assert_eq!(status, 201, "{answer:#}");
    agent.await_state(name, "active");
    (peer, agent)
}

/// A file in the agent's home.
fn file(agent: &Agent, name: &str, content: &str) -> String {
    let path = agent.home.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn kubectl_finds_everything_it_looks_for() {
    let (peer, agent) = cluster("shell");
    let run = |args: &[&str]| {
        let output = peer.kubectl("shell", args);
        assert!(output.status.success(), "kubectl {args:?}: {}", text(&output));
        text(&output)
    };
    let expect = |args: &[&str], expected: &[&str]| {
        let said = run(args);
        for expected in expected {
            assert!(said.contains(expected), "kubectl {args:?}: {expected:?} is missing in\n{said}");
        }
    };
    run(&["create", "namespace", "shop"]);
    let shop = |args: &[&str], expected: &[&str]| expect(&[&["-n", "shop"], args].concat(), expected);
    let manifest = file(&agent, "shop.yaml", SHOP);
    let changed = file(&agent, "changed.yaml", &SHOP.replace("shop:1", "shop:2"));

    // Applying, both ways, and what differs.
    shop(&["apply", "-f", &manifest], &["deployment.apps/shop created", "service/shop created"]);
    shop(&["rollout", "status", "deployment/shop", "--timeout=30s"], &["successfully rolled out"]);
    shop(&["diff", "-f", &manifest], &[]);
    let differs = peer.kubectl("shell", &["-n", "shop", "diff", "-f", &changed]);
    assert_eq!(differs.status.code(), Some(1), "{}", text(&differs));
    assert!(text(&differs).contains("image: shop:2"), "{}", text(&differs));
    shop(
        &["apply", "--server-side", "--force-conflicts", "-f", &manifest],
        &["deployment.apps/shop serverside-applied"],
    );

    let conflict =
        peer.kubectl("shell", &["-n", "shop", "apply", "--server-side", "--field-manager=other", "-f", &changed]);
    let message =
        "Apply failed with 1 conflict: conflict with \"kubectl\": .spec.template.spec.containers[name=\"main\"].image";
    assert!(!conflict.status.success() && text(&conflict).contains(message), "{}", text(&conflict));
    shop(
        &["get", "deployment", "shop", "-o", "yaml", "--show-managed-fields"],
        &["manager: kubectl", "operation: Apply"],
    );

    // Reading.
    shop(&["get", "deployments"], &["NAME", "READY", "shop", "2/2"]);
    shop(&["get", "pods", "-o", "wide"], &["Running", "1/1", "shell-worker-"]);
    let ready = run(&["-n", "shop", "get", "deployment", "shop", "-o", "jsonpath={.status.readyReplicas}"]);
    assert_eq!(ready, "2");
    let json: Value = serde_json::from_str(&run(&["-n", "shop", "get", "endpointslices", "-o", "json"])).unwrap();
    assert_eq!(json["items"][0]["endpoints"].as_array().map(Vec::len), Some(2), "{json:#}");
    shop(
        &["describe", "deployment", "shop"],
        &["ScalingReplicaSet", "Scaled up replica set", "MinimumReplicasAvailable"],
    );
    expect(&["api-resources"], &["deployments", "deploy", "apps/v1", "cronjobs"]);
    expect(&["auth", "can-i", "create", "deployments"], &["yes"]);

    // Changing.
    shop(&["label", "deployment", "shop", "tier=front"], &["labeled"]);
    shop(&["annotate", "deployment", "shop", "note=x"], &["annotated"]);
    shop(
        &["patch", "deployment", "shop", "-p", r#"{"spec":{"template":{"metadata":{"labels":{"v":"2"}}}}}"#],
        &["patched"],
    );
    shop(&["rollout", "status", "deployment/shop", "--timeout=30s"], &["successfully rolled out"]);
    shop(&["set", "image", "deployment/shop", "main=shop:3"], &["image updated"]);
    shop(&["rollout", "status", "deployment/shop", "--timeout=30s"], &["successfully rolled out"]);
    shop(&["rollout", "history", "deployment/shop"], &["REVISION", "3"]);
    shop(&["rollout", "undo", "deployment/shop", "--to-revision=1"], &["rolled back"]);
    shop(&["rollout", "status", "deployment/shop", "--timeout=30s"], &["successfully rolled out"]);
    assert_eq!(
        run(&["-n", "shop", "get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"]),
        "shop:1 shop:1"
    );
    shop(&["scale", "deployment", "shop", "--replicas=4"], &["scaled"]);
    shop(&["wait", "--for=jsonpath={.status.readyReplicas}=4", "deployment/shop", "--timeout=30s"], &["condition met"]);

    // Logs, and what cannot be had.
    shop(&["logs", "deployment/shop", "--tail=1"], &["level=info"]);
    shop(&["logs", "-l", "app=shop", "--prefix", "--timestamps"], &["[pod/shop-", "starting main"]);
    let refused = peer.kubectl("shell", &["-n", "shop", "exec", "deployment/shop", "--", "ls"]);
    assert!(!refused.status.success() && text(&refused).contains("error dialing backend"), "{}", text(&refused));

    // A job, a drained node, and the end.
    shop(&["create", "job", "once", "--image=task:1"], &["created"]);
    shop(&["wait", "--for=condition=complete", "job/once", "--timeout=30s"], &["condition met"]);
    let drain =
        ["drain", "shell-worker-1", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s"];
    expect(&drain, &["shell-worker-1 drained"]);
    let left = run(&["get", "pods", "-A", "--field-selector", "spec.nodeName=shell-worker-1", "-o", "name"]);
    assert!(!left.contains("shop"), "{left}");
    expect(&["uncordon", "shell-worker-1"], &["uncordoned"]);
    shop(&["rollout", "status", "deployment/shop", "--timeout=30s"], &["successfully rolled out"]);
    shop(&["delete", "deployment", "shop", "--cascade=orphan"], &["deleted"]);
    shop(&["get", "replicasets", "-o", "name"], &["replicaset.apps/shop-"]);
    shop(&["delete", "replicasets", "--all", "--cascade=foreground"], &["deleted"]);
    expect(&["delete", "namespace", "shop"], &["deleted"]);
}

/// What clients see of HTTP itself: compression, audit ids, bodies that wait, upgrades that are refused.
#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn http_is_spoken_as_by_an_apiserver() {
    let (peer, agent) = cluster("spoken");
    let (server, token) = peer.access("spoken");
    let curl = |target: &str, args: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sk", "--max-time", "30", "-D", "-", "-H", &format!("Authorization: Bearer {token}")]);
        let output = command.arg(format!("{server}{target}")).args(args).output().expect("curl runs");
        let answer = String::from_utf8(output.stdout).expect("curl unpacks it");
        let (head, body) = answer.rsplit_once("\r\n\r\n").expect("a head and a body");
        (head.to_lowercase(), body.to_owned())
    };
    let large = file(&agent, "large.txt", &"all work and no play\n".repeat(10_000));
    let created = peer.kubectl("spoken", &["create", "configmap", "large", &format!("--from-file={large}")]);
    assert!(created.status.success(), "{}", text(&created));

    // Packed for Go's net/http, which unpacks by itself, and for curl.
    let read = peer.kubectl("spoken", &["get", "configmap", "large", "-o", "jsonpath={.data['large\\.txt']}"]);
    assert_eq!(text(&read), std::fs::read_to_string(&large).unwrap());
    for target in ["/api/v1/namespaces/default/configmaps/large", "/api/v1/namespaces/default/configmaps"] {
        let (head, body) = curl(target, &["--compressed", "-H", "Audit-Id: mine"]);
        for field in ["content-encoding: gzip", "vary: accept-encoding", "audit-id: mine", "\r\ndate: "] {
            assert!(head.contains(field), "{target}: {field} is missing in\n{head}");
        }
        serde_json::from_str::<Value>(&body).unwrap();
        let (head, plain) = curl(target, &[]);
        assert!(!head.contains("content-encoding"), "{head}");
        assert_eq!(
            serde_json::from_str::<Value>(&plain).unwrap()["kind"],
            serde_json::from_str::<Value>(&body).unwrap()["kind"]
        );
    }

    // A body that waits to be asked for, and one without a length.
    for (name, field) in [("waits", "Expect: 100-continue"), ("streams", "Transfer-Encoding: chunked")] {
        let object = format!(r#"{{"metadata": {{"name": "{name}"}}}}"#);
        let (head, body) = curl(
            "/api/v1/namespaces/default/configmaps?fieldValidation=Warn",
            &["-H", field, "-H", "Content-Type: application/json", "-d", &object.replace("}}", r#"}, "extra": 1}"#)],
        );
        assert!(head.contains(" 201") && head.contains("warning: 299 - \"unknown field"), "{head}\n{body}");
    }

    // SPDY, websockets, and what kubectl makes of the refusal.
    let pods =
        peer.kubectl("spoken", &["get", "pods", "-A", "-o", "jsonpath={.items[0].metadata['namespace','name']}"]);
    let pod = text(&pods);
    let (namespace, pod) = pod.split_once(' ').expect(&pod);
    for websockets in ["true", "false"] {
        for args in [&["exec", pod, "--", "ls"][..], &["attach", pod], &["port-forward", pod, ":80"]] {
            let mut command = peer.kubectl_command("spoken", &["-n", namespace]);
            command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets);
            command.env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets);
            let refused = command.args(args).output().unwrap();
            let said = text(&refused);
            assert!(!refused.status.success() && said.contains("error dialing backend: dial tcp"), "{args:?}: {said}");
        }
    }
}

/// What a cluster says of its kinds, its own ones and those that a definition adds.
#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn every_kind_is_explained() {
    let (peer, agent) = cluster("explained");
    let definition = file(&agent, "widgets.yaml", WIDGETS);
    for args in [&["apply", "-f", &definition][..], &["wait", "--for=condition=Established", "crd/widgets.example.com"]]
    {
        let output = peer.kubectl("explained", args);
        assert!(output.status.success(), "{}", text(&output));
    }
    for (path, recursive, expected) in [
        ("deployment.spec.replicas", false, &["KIND:       Deployment", "FIELD: replicas <integer>"][..]),
        ("deployment.spec", false, &["selector\t<LabelSelector> -required-", "strategy\t<DeploymentStrategy>"]),
        (
            "pod.spec.containers",
            true,
            &["name\t<string> -required-", "valueFrom\t<EnvVarSource>", "\n      configMapKeyRef"],
        ),
        ("cronjob.spec.jobTemplate.spec.template.spec.volumes.emptyDir.sizeLimit", false, &["sizeLimit <Quantity>"]),
        ("widget.spec", false, &["GROUP:      example.com", "How many.", "size\t<integer>", "colour\t<string>"]),
        ("widget.metadata.ownerReferences", false, &["blockOwnerDeletion\t<boolean>"]),
    ] {
        let mut args = vec!["explain", path];
        args.extend(recursive.then_some("--recursive"));
        let output = peer.kubectl("explained", &args);
        assert!(output.status.success(), "{path}: {}", text(&output));
        for expected in expected {
            assert!(text(&output).contains(expected), "{path}: {expected:?} is missing in\n{}", text(&output));
        }
    }
    for (content, problem) in [
        (SHOP.replace("replicas: 2", "replicaCount: 2"), "unknown field \"spec.replicaCount\""),
        (
            "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {sise: 1}\n".into(),
            "unknown field \"spec.sise\"",
        ),
    ] {
        let wrong = file(&agent, "wrong.yaml", &content);
        let refused = peer.kubectl("explained", &["apply", "--validate=strict", "-f", &wrong]);
        assert!(!refused.status.success() && text(&refused).contains(problem), "{}", text(&refused));
    }
    let (server, token) = peer.access("explained");
    let read = Command::new(go_program("schemas", "tests/peers/clients", "./schemas"))
        .args(["--server", &server, "--token", &token])
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", text(&read));
    let said = text(&read);
    let counts: Vec<u32> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(counts[0] > 400 && counts[1] > 20 && counts[2] > 100, "{said}");
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn informers_of_every_client_begin_once_and_hear_everything() {
    let (peer, agent) = cluster("heard");
    for (watch_lists, lists, prefix) in [("false", 1, "listed"), ("true", 0, "streamed")] {
        for (client, resource, kind) in [
            ("metadata", "apps/v1/statefulsets", "statefulset"),
            ("dynamic", "batch/v1/cronjobs", "cronjob"),
            ("controller-runtime", "policy/v1/poddisruptionbudgets", "poddisruptionbudget"),
        ] {
            let asked = |verb: &str| {
                let (_, requests) = agent.call("GET", "/clusters/heard/requests");
                let rows = requests["requests"].as_array().cloned().unwrap_or_default();
                let row =
                    rows.iter().find(|row| row["verb"] == verb && row["resource"] == resource && row["code"] == 200);
                row.map_or((0, 0), |row| (row["count"].as_u64().unwrap(), row["watchesOpen"].as_u64().unwrap()))
            };
            let before = (asked("list"), asked("watch"));
            let mut informer = Informer::start(&peer, "heard", client, watch_lists);
            assert!(informer.line().starts_with("synced "), "{client}");
            let name = format!("{prefix}-{client}");
            let manifest = file(&agent, "one.yaml", &one(kind, &name));
            let apply = peer.kubectl("heard", &["apply", "-f", &manifest]);
            assert!(apply.status.success(), "{}", text(&apply));
            informer.until(&format!("add {name}"));
            let label = peer.kubectl("heard", &["label", kind, &name, "a=b"]);
            assert!(label.status.success(), "{}", text(&label));
            informer.until(&format!("update {name}"));
            // Waiting for the end would be another watch.
            let delete = peer.kubectl("heard", &["delete", kind, &name, "--wait=false"]);
            assert!(delete.status.success(), "{}", text(&delete));
            informer.until(&format!("delete {name}"));
            let after = (asked("list"), asked("watch"));
            assert_eq!(after.0.0 - before.0.0, lists, "{client}: one LIST and no relist, or none with watch lists");
            assert_eq!((after.1.0 - before.1.0, after.1.1), (1, 1), "{client}: one WATCH that stays open");
        }
    }
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn helm_installs_upgrades_and_uninstalls_a_chart() {
    let (peer, agent) = cluster("charted");
    file(&agent, "chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    file(&agent, "chart/values.yaml", "replicas: 1\nimage: shop:1\n");
    let templated = SHOP
        .replace("replicas: 2", "replicas: {{ .Values.replicas }}")
        .replace("image: shop:1", "image: {{ .Values.image }}");
    file(&agent, "chart/templates/shop.yaml", &templated.replace("name: shop\n", "name: {{ .Release.Name }}\n"));
    file(&agent, "chart/templates/hook.yaml", HOOK);
    let chart = agent.home.path().join("chart");
    let helm = |args: &[&str]| {
        let output = helm(&peer, &agent, args);
        assert!(output.status.success(), "helm {args:?}: {}", text(&output));
        text(&output)
    };
    let chart = chart.to_str().unwrap();
    let installed = helm(&["install", "shop", chart, "--wait", "--timeout", "60s", "--create-namespace"]);
    assert!(installed.contains("STATUS: deployed"), "{installed}");
    let upgraded = helm(&["upgrade", "shop", chart, "--set", "replicas=3,image=shop:2", "--wait", "--timeout", "60s"]);
    assert!(upgraded.contains("REVISION: 2"), "{upgraded}");
    let images = peer.kubectl(
        "charted",
        &["-n", "charts", "get", "pods", "-l", "app=shop", "-o", "jsonpath={.items[*].spec.containers[0].image}"],
    );
    assert_eq!(text(&images), "shop:2 shop:2 shop:2");
    let rolled_back = helm(&["rollback", "shop", "1", "--wait", "--timeout", "60s"]);
    assert!(rolled_back.contains("Rollback was a success"), "{rolled_back}");
    let history = helm(&["history", "shop"]);
    assert_eq!(history.lines().count(), 4, "{history}");
    let uninstalled = helm(&["uninstall", "shop", "--wait", "--timeout", "60s"]);
    assert!(uninstalled.contains("release \"shop\" uninstalled"), "{uninstalled}");
    let left = peer.kubectl("charted", &["-n", "charts", "get", "deployments,pods", "-l", "app=shop", "-o", "name"]);
    assert_eq!(text(&left), "");
}

fn helm(peer: &Peer, agent: &Agent, args: &[&str]) -> Output {
    let program = go_program("helm", "tests/peers/clients", "helm.sh/helm/v3/cmd/helm");
    let home = agent.home.path().join("helm");
    let (server, token) = peer.access("charted");
    let mut command = Command::new(program);
    for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(variable, &home);
    }
    command.args(["--kube-apiserver", &server, "--kube-token", &token, "--kube-insecure-skip-tls-verify"]);
    command.args(["--kubeconfig", "/dev/null", "--namespace", "charts"]).args(args).output().expect("helm runs")
}

/// A running informer.
struct Informer {
    child: Child,
    _stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Informer {
    fn start(peer: &Peer, cluster: &str, client: &str, watch_lists: &str) -> Informer {
        let (server, token) = peer.access(cluster);
        let mut child = Command::new(go_program("informers", "tests/peers/clients", "./informers"))
            .args(["--server", &server, "--token", &token, "--client", client])
            .env("KUBE_FEATURE_WatchListClient", watch_lists)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Informer { _stdin: child.stdin.take().unwrap(), child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("the informer goes on")
    }

    fn until(&mut self, wanted: &str) {
        while self.line() != wanted {}
    }
}

impl Drop for Informer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A small object of a kind that nothing else in the cluster uses.
fn one(kind: &str, name: &str) -> String {
    let labels = "metadata: {labels: {a: x}}\n    spec: {containers: [{name: c, image: i}]}";
    match kind {
        "statefulset" => format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {name}}}\nspec:\n  replicas: 0\n  serviceName: x\n  \
             selector: {{matchLabels: {{a: x}}}}\n  template:\n    {labels}\n"
        ),
        "cronjob" => format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: {name}}}\nspec:\n  schedule: \"0 0 1 1 *\"\n  jobTemplate:\n    spec:\n      \
             template:\n        spec: {{restartPolicy: Never, containers: [{{name: c, image: i}}]}}\n"
        ),
        _ => format!(
            "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: {name}}}\nspec: {{minAvailable: 1, selector: {{matchLabels: {{a: x}}}}}}\n"
        ),
    }
}

const SHOP: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 2
  selector:
    matchLabels:
      app: shop
  template:
    metadata:
      labels:
        app: shop
    spec:
      containers:
        - name: main
          image: shop:1
          ports:
            - name: http
              containerPort: 8080
---
apiVersion: v1
kind: Service
metadata:
  name: shop
spec:
  selector:
    app: shop
  ports:
    - port: 80
      targetPort: http
";

const WIDGETS: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                size: {type: integer, description: How many., minimum: 0}
                colour: {type: string, default: red}
";

const HOOK: &str = "\
apiVersion: batch/v1
kind: Job
metadata:
  name: \"{{ .Release.Name }}-migrate\"
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: migrate
          image: migrate:1
";
