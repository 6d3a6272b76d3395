//! What goes wrong between the agent and Rancher: frozen, slow and cut-off servers, and other certificates.
//!
//! The tests between network namespaces need root and iproute2; elsewhere they say so and are skipped.

mod support;

use serde_json::Value;
use std::process::Command;
use support::fake_rancher::{API_TOKEN, Authority, FakeRancher};
use support::{Agent, Peer, agent_command, eventually};

/// A tunnel that is dead is found within seconds.
const QUICK: &str =
    "PingInterval: 1s\nPingTimeout: 3s\nReconnectMax: 1s\nConnectTimeout: 3s\nRequestTimeout: 3s\nPollInterval: 1s\n";

fn home_with_ca(url: &str, token: &str, ca: &str, configuration: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("ca.pem"), ca).unwrap();
    let text = format!("RancherURL: {url}\nBearerToken: \"{token}\"\nCAFile: ca.pem\nListenPort: 0\n{configuration}");
    std::fs::write(home.path().join("config"), text).unwrap();
    home
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn a_frozen_server_is_noticed_and_found_again() {
    let peer = Peer::start(&["-steps", "none"]);
    let agent = Agent::start(&peer, QUICK);
    for name in ["frozen-1", "frozen-2"] {
        assert_eq!(agent.create(name).0, 201);
    }
    for name in ["frozen-1", "frozen-2"] {
        agent.await_state(name, "active");
    }
    peer.signal("STOP");
    // Its kernel goes on acknowledging: only missing pongs tell.
    agent.await_state("frozen-1", "disconnected");
    assert_eq!(agent.call("GET", "/clusters").1["count"], 2, "the agent goes on answering");
    peer.signal("CONT");
    for name in ["frozen-1", "frozen-2"] {
        agent.await_state(name, "active");
    }
}

#[test]
fn another_certificate_of_the_same_authority_changes_nothing_and_one_of_a_stranger_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut rancher = FakeRancher::start_tls_by(&authority, "127.0.0.1", "127.0.0.1");
    let agent = Agent::start_in(home_with_ca(&rancher.url, API_TOKEN, &rancher.ca_pem, QUICK));
    assert_eq!(agent.create("edge").0, 201);
    agent.await_state("edge", "connected");
    let connects = |cluster: &Value| cluster["tunnels"]["api"]["connects"].as_u64().unwrap();
    rancher.change_certificate(&authority, "127.0.0.1");
    eventually("it connects to the renewed certificate", || match agent.await_state("edge", "connected") {
        cluster if connects(&cluster) == 2 => Ok(()),
        cluster => Err(format!("{cluster:#}")),
    });

    rancher.change_certificate(&stranger, "127.0.0.1");
    let cluster = eventually("the certificate is named as the cause", || match agent.call("GET", "/clusters/edge").1 {
        cluster if cluster["tunnels"]["api"]["lastError"].to_string().contains("certificate") => Ok(cluster),
        cluster => Err(format!("{cluster:#}")),
    });
    assert_eq!((&cluster["state"], connects(&cluster)), (&"disconnected".into(), 2), "{cluster:#}");
    eventually("health names it too", || match agent.call("GET", "/health") {
        (503, health) if health["problems"].to_string().contains("certificate") => Ok(()),
        (_, health) => Err(format!("{health:#}")),
    });
    assert_eq!(agent.call("GET", "/clusters").1["count"], 1, "no cluster is given up for it");
    rancher.change_certificate(&authority, "127.0.0.1");
    agent.await_state("edge", "connected");
}

/// Two hosts: this one and a namespace, with a cable between them.
struct Cable {
    namespace: String,
    here: String,
    there: String,
    /// Addresses of this host and of the other.
    addresses: (String, String),
}

impl Cable {
    /// `None` where namespaces cannot be made.
    fn lay(number: u8) -> Option<Cable> {
        let unique = std::process::id() % 10_000;
        let cable = Cable {
            namespace: format!("sca{unique}-{number}"),
            here: format!("sca{unique}h{number}"),
            there: format!("sca{unique}t{number}"),
            addresses: (format!("10.213.{number}.1"), format!("10.213.{number}.2")),
        };
        let (namespace, here, there) = (&cable.namespace, &cable.here, &cable.there);
        let (ours, theirs) = (format!("{}/24", cable.addresses.0), format!("{}/24", cable.addresses.1));
        let made = run(&["ip", "netns", "add", namespace])
            && run(&["ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace])
            && run(&["ip", "addr", "add", &ours, "dev", here])
            && run(&["ip", "link", "set", here, "up"])
            && run(&["ip", "-n", namespace, "addr", "add", &theirs, "dev", there])
            && run(&["ip", "-n", namespace, "link", "set", there, "up"])
            && run(&["ip", "-n", namespace, "link", "set", "lo", "up"]);
        if !made {
            println!("skipped: network namespaces cannot be made here (they need root and iproute2)");
        }
        made.then_some(cable)
    }

    fn pull(&self) {
        assert!(run(&["ip", "link", "set", &self.here, "down"]));
    }

    fn plug(&self) {
        assert!(run(&["ip", "link", "set", &self.here, "up"]));
    }

    /// Has everything this host sends go through a queue of this kind; false where the kernel has none.
    fn queue(&self, discipline: &[&str]) -> bool {
        run(&["tc", "qdisc", "del", "dev", &self.here, "root"]);
        let set = run(&[&["tc", "qdisc", "add", "dev", &self.here, "root"], discipline].concat());
        if !set {
            println!("skipped: this kernel has no {}", discipline[0]);
        }
        set
    }

    /// Loses this share of the packets that go to the other end; false where there is no iptables.
    fn lose(&self, share: &str) -> bool {
        let rule = ["iptables", "-A", "INPUT", "!", "-i", "lo", "-m", "statistic", "--mode", "random"];
        let lost =
            run(&[&["ip", "netns", "exec", &self.namespace], &rule[..], &["--probability", share, "-j", "DROP"]]
                .concat());
        if !lost {
            println!("skipped: packets cannot be lost here (that needs iptables)");
        }
        lost
    }

    /// Starts the agent at the other end.
    fn start_agent(&self, home: tempfile::TempDir) -> Agent {
        let agent = agent_command(home.path());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(agent.get_program()).args(agent.get_args());
        Agent::start_as(command, home)
    }

    /// Asks the agent at the other end; null where it gives no answer.
    fn ask(&self, agent: &Agent, curl: &[&str], path: &str) -> Value {
        let url = format!("{}{path}", agent.url);
        let base = ["netns", "exec", &self.namespace, "curl", "-s", "--max-time", "20"];
        let output = Command::new("ip").args(base).args(curl).arg(&url).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn create(&self, agent: &Agent, name: &str) {
        let created = self.ask(agent, &["-d", &format!("{{\"name\":\"{name}\"}}")], "/clusters");
        assert_eq!(created["name"], name, "{created:#}");
    }

    fn await_state(&self, agent: &Agent, name: &str, state: &str) -> Value {
        eventually(&format!("{name} is {state}"), || match self.ask(agent, &[], &format!("/clusters/{name}")) {
            cluster if cluster["state"] == state => Ok(cluster),
            cluster => Err(format!("{cluster:#}")),
        })
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // The cable goes with its other end.
        run(&["ip", "netns", "del", &self.namespace]);
    }
}

/// Twelve clusters have twenty-four tunnels, and an address has twenty ports.
#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn more_source_addresses_make_up_for_ports_that_run_out() {
    let Some(cable) = Cable::lay(4) else { return };
    assert!(run(&["ip", "-n", &cable.namespace, "addr", "add", "10.213.4.3/24", "dev", &cable.there]));
    let range = "net.ipv4.ip_local_port_range=41000 41019";
    assert!(run(&["ip", "netns", "exec", &cable.namespace, "sysctl", "-w", range]));
    let peer = Peer::start(&["-steps", "none", "-listen", &format!("{}:0", cable.addresses.0)]);
    let sources = format!("SourceAddresses: {}, 10.213.4.3\n", cable.addresses.1);
    let names: Vec<String> = (1..=12).map(|number| format!("port-{number}")).collect();
    let agent = cable.start_agent(home_with_ca(&peer.url, &peer.token, &peer.ca, &format!("{QUICK}{sources}")));
    names.iter().for_each(|name| cable.create(&agent, name));
    for name in &names {
        cable.await_state(&agent, name, "active");
    }
}

fn run(command: &[&str]) -> bool {
    Command::new(command[0]).args(&command[1..]).output().is_ok_and(|output| output.status.success())
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn a_partition_heals_and_slow_or_lossy_links_lose_nothing() {
    let Some(cable) = Cable::lay(1) else { return };
    let listen = format!("{}:0", cable.addresses.0);
    let peer = Peer::start(&["-steps", "none", "-listen", &listen]);
    let agent = cable.start_agent(home_with_ca(&peer.url, &peer.token, &peer.ca, QUICK));
    cable.create(&agent, "far-1");
    let before = cable.await_state(&agent, "far-1", "active");

    cable.pull();
    cable.await_state(&agent, "far-1", "disconnected");
    cable.plug();
    let after = cable.await_state(&agent, "far-1", "active");
    assert_eq!(after["rancherId"], before["rancherId"]);
    let connects = after["tunnels"]["api"]["connects"].clone();

    // A cluster comes up over 40 kB/s while another one is held.
    if cable.queue(&["tbf", "rate", "320kbit", "burst", "16kb", "latency", "500ms"]) {
        cable.create(&agent, "slow-1");
        cable.await_state(&agent, "slow-1", "active");
        assert_eq!(cable.await_state(&agent, "far-1", "active")["tunnels"]["api"]["connects"], connects);
    }
    run(&["tc", "qdisc", "del", "dev", &cable.here, "root"]);
    if cable.lose("0.3") {
        cable.create(&agent, "lossy-1");
        cable.await_state(&agent, "lossy-1", "active");
    }
}

#[test]
fn connections_that_the_server_no_longer_knows_are_reset_and_opened_anew() {
    let Some(cable) = Cable::lay(2) else { return };
    let mut rancher = FakeRancher::start_tls_at(&cable.addresses.0, &cable.addresses.0);
    let agent = cable.start_agent(home_with_ca(
        &rancher.url,
        API_TOKEN,
        &rancher.ca_pem,
        "ReconnectMax: 1s\nPingInterval: 1s\n",
    ));
    cable.create(&agent, "reset");
    cable.await_state(&agent, "reset", "connected");
    // The end of the old connections is lost with the cable; once it is back, they are answered with a reset.
    cable.pull();
    rancher.go_down();
    rancher.come_back();
    cable.plug();
    let cluster = eventually("both tunnels are opened anew", || match cable.ask(&agent, &[], "/clusters/reset") {
        cluster if cluster["state"] == "connected" && cluster["tunnels"]["api"]["connects"] == 2 => Ok(cluster),
        cluster => Err(format!("{cluster:#}")),
    });
    assert_eq!(cluster["tunnels"]["steve"]["connects"], 2, "{cluster:#}");
}
