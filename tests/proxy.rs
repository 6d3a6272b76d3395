//! A Rancher that only a proxy leads to.

mod support;

use crossbeam_channel::{Receiver, unbounded};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use support::fake_rancher::{API_TOKEN, FakeRancher};
use support::{Agent, agent_command, eventually};

/// A proxy that leads wherever it is asked to `target`, for who says who they are; the heads of what it was asked come out of
/// the channel.
fn start_proxy(target: SocketAddr) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, asked) = unbounded();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let heads = heads.clone();
            std::thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    if client.read(&mut byte).unwrap_or(0) == 0 {
                        return;
                    }
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                heads.send(head.clone()).unwrap();
                // "me:p@ss"
                if !head.to_ascii_lowercase().contains("\r\nproxy-authorization: basic bwu6cebzcw==\r\n") {
                    client
                        .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                        .unwrap();
                    return;
                }
                let server = TcpStream::connect(target).unwrap();
                client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").unwrap();
                let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
                let mut to_client = client.try_clone().unwrap();
                std::thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
                let _ = std::io::copy(&mut client, &mut to_server);
            });
        }
    });
    (address, asked)
}

fn home_for_named(rancher: &FakeRancher) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("ca.pem"), &rancher.ca_pem).unwrap();
    let port = rancher.url.rsplit_once(':').unwrap().1;
    let text = format!(
        "RancherURL: https://rancher.test:{port}\nBearerToken: \"{API_TOKEN}\"\nCAFile: ca.pem\nListenPort: 0\n\
         RequestTimeout: 5s\nReconnectMax: 1s\n"
    );
    std::fs::write(home.path().join("config"), text).unwrap();
    home
}

#[test]
fn calls_and_tunnels_go_through_the_proxy_that_the_environment_names() {
    let rancher = FakeRancher::start_tls("rancher.test");
    let (proxy, asked) = start_proxy(rancher.url.trim_start_matches("https://").parse().unwrap());
    let home = home_for_named(&rancher);
    let mut command = agent_command(home.path());
    command.env("HTTPS_PROXY", format!("http://me:p%40ss@{proxy}")).env("NO_PROXY", "other.test");
    let agent = Agent::start_as(command, home);
    assert_eq!(agent.create("edge").0, 201);
    agent.await_state("edge", "connected");
    assert_eq!(rancher.open_tunnels(), 2);
    let connect = format!("CONNECT rancher.test:{} HTTP/1.1\r\n", rancher.url.rsplit_once(':').unwrap().1);
    let heads: Vec<String> = asked.try_iter().collect();
    assert!(heads.len() >= 3 && heads.iter().all(|head| head.starts_with(&connect)), "{heads:?}");
    assert!(agent.log().contains("through the proxy"), "{}", agent.log());
    assert!(!agent.log().contains("p@ss") && !agent.log().contains("p%40ss"), "{}", agent.log());
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let rancher = FakeRancher::start_tls("rancher.test");
    let (proxy, _asked) = start_proxy(rancher.url.trim_start_matches("https://").parse().unwrap());
    let home = home_for_named(&rancher);
    let mut command = agent_command(home.path());
    command.env("HTTPS_PROXY", format!("http://{proxy}")).env_remove("NO_PROXY");
    let agent = Agent::start_as(command, home);
    let health = eventually("health tells", || match agent.call("GET", "/health") {
        (503, health) if health["problems"].to_string().contains("407") => Ok(health),
        (_, health) => Err(format!("{health:#}")),
    });
    assert!(health["problems"].to_string().contains("rancher.test"), "{health:#}");
}
