//! A Rancher by script: the REST API of the import flow as rancher/norman answers it, and both tunnels' upgrade; what it
//! answers otherwise is written by the test, and what it was asked is kept for the test.
//!
//! Threads and blocking sockets of the standard library only, so that it shares nothing with the agent's own I/O.

use super::http::{self, Request};
use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket};

/// The API token that it accepts.
pub const API_TOKEN: &str = "token-abcde:correct-horse-battery";

/// What it answers instead of what a Rancher would.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This.
    Respond { status: u16, content_type: &'static str, headers: Vec<(&'static str, String)>, body: String },
    /// What a Rancher would answer, once the other end of the channel sends or is dropped.
    Held(Receiver<()>),
    /// Nothing: it does what was asked and closes the connection.
    Lost,
}

impl Answer {
    /// JSON.
    pub fn json(status: u16, body: Value) -> Answer {
        Answer::Respond { status, content_type: "application/json", headers: Vec::new(), body: body.to_string() }
    }

    /// An error as norman writes it (norman `httperror`).
    pub fn error(status: u16, code: &str, message: &str) -> Answer {
        Answer::json(status, json!({"type": "error", "status": status, "code": code, "message": message}))
    }

    /// A page for people.
    pub fn html(status: u16) -> Answer {
        let body = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>".into();
        Answer::Respond { status, content_type: "text/html; charset=utf-8", headers: Vec::new(), body }
    }

    /// Text, as remotedialer's server refuses an upgrade.
    pub fn text(status: u16, body: &str) -> Answer {
        Answer::Respond { status, content_type: "text/plain; charset=utf-8", headers: Vec::new(), body: body.into() }
    }

    /// With a header field more.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        if let Answer::Respond { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub request: Request,
    /// How many tunnels were open at that moment.
    pub open_tunnels: usize,
}

/// One of its clusters.
#[derive(Debug, Clone)]
pub struct Imported {
    pub id: String,
    pub name: String,
    pub labels: Value,
    pub registration_token: String,
    /// Whether the condition Connected is True.
    pub is_connected: bool,
    /// How many of its tunnels are open.
    pub tunnels: usize,
    /// How many more times it is shown after its deletion, as finalizers take their time.
    remaining_looks: Option<usize>,
}

/// The server.
pub struct FakeRancher {
    pub url: String,
    /// The certificate that clients have to trust; empty for plain HTTP.
    pub ca_pem: String,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    shared: Arc<Mutex<Shared>>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    down: bool,
    is_tls: bool,
    rules: Vec<Rule>,
    asked: Vec<Asked>,
    clusters: BTreeMap<String, Imported>,
    created: usize,
    looks_after_deletion: usize,
    open_tunnels: usize,
    close_codes: Vec<Option<u16>>,
    deaf: bool,
    clock_ahead: jiff::SignedDuration,
    lively: bool,
    sockets: Vec<Weak<TcpStream>>,
}

struct Rule {
    method: &'static str,
    path: &'static str,
    answers: VecDeque<Answer>,
    for_ever: bool,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl FakeRancher {
    /// Serves plain HTTP on loopback.
    pub fn start() -> FakeRancher {
        FakeRancher::serve(TcpListener::bind("127.0.0.1:0").unwrap(), None, String::new())
    }

    /// The same, and calls clusters Active whose tunnels are both open.
    pub fn lively() -> FakeRancher {
        let rancher = FakeRancher::start();
        rancher.state().lively = true;
        rancher
    }

    /// Serves HTTPS on loopback with a certificate of its own authority for `host`.
    pub fn start_tls(host: &str) -> FakeRancher {
        FakeRancher::start_tls_at("127.0.0.1", host)
    }

    /// Serves HTTPS on an address with a certificate of its own authority for `host`.
    pub fn start_tls_at(address: &str, host: &str) -> FakeRancher {
        FakeRancher::start_tls_by(&Authority::new(), address, host)
    }

    /// The same with a certificate of this authority.
    pub fn start_tls_by(authority: &Authority, address: &str, host: &str) -> FakeRancher {
        let tls = Some(authority.certify(host));
        FakeRancher::serve(TcpListener::bind((address, 0)).unwrap(), tls, authority.pem())
    }

    /// The same with a certificate that is valid until this day (year, month, day).
    pub fn start_tls_until(authority: &Authority, host: &str, last: (i32, u8, u8)) -> FakeRancher {
        let tls = Some(authority.certify_until(host, last));
        FakeRancher::serve(TcpListener::bind("127.0.0.1:0").unwrap(), tls, authority.pem())
    }

    /// Goes away and comes back with another certificate, of this authority.
    pub fn change_certificate(&mut self, authority: &Authority, host: &str) {
        self.go_down();
        self.tls = Some(authority.certify(host));
        self.come_back();
    }

    fn serve(listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>, ca_pem: String) -> FakeRancher {
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut fake = FakeRancher {
            url: format!("{scheme}://{address}"),
            ca_pem,
            address,
            tls,
            shared: Arc::new(Mutex::new(Shared::default())),
            acceptor: None,
        };
        fake.state().is_tls = fake.tls.is_some();
        fake.accept(listener);
        fake
    }

    fn accept(&mut self, listener: TcpListener) {
        let (shared, tls) = (self.shared.clone(), self.tls.clone());
        self.acceptor = Some(std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let end = Arc::new(socket.try_clone().unwrap());
                {
                    let mut shared = shared.lock().unwrap();
                    if shared.down {
                        return;
                    }
                    shared.sockets.retain(|socket| socket.strong_count() > 0);
                    shared.sockets.push(Arc::downgrade(&end));
                }
                let (shared, tls) = (shared.clone(), tls.clone());
                std::thread::spawn(move || {
                    let stream: Box<dyn Stream> = match tls {
                        Some(config) => {
                            let connection = rustls::ServerConnection::new(config).unwrap();
                            Box::new(rustls::StreamOwned::new(connection, socket))
                        }
                        None => Box::new(socket),
                    };
                    Conversation { shared }.hold(stream);
                    // The clones of the socket would keep the connection open.
                    let _ = end.shutdown(Shutdown::Both);
                });
            }
        }));
    }

    /// Goes away: nobody listens, and every connection is cut.
    pub fn go_down(&mut self) {
        let sockets = {
            let mut shared = self.state();
            shared.down = true;
            std::mem::take(&mut shared.sockets)
        };
        // Wakes the acceptor, which then sees that it is to end.
        let _ = TcpStream::connect(self.address);
        self.acceptor.take().into_iter().for_each(|acceptor| acceptor.join().unwrap());
        sockets.iter().filter_map(Weak::upgrade).for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
    }

    /// Comes back at the same address with the clusters it had.
    pub fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.state().down = false;
        self.accept(listener);
    }

    /// Answers the next requests of this method and path so, one after the other; `*` at the path's end stands for any rest.
    pub fn answer(&self, method: &'static str, path: &'static str, answers: impl IntoIterator<Item = Answer>) {
        let answers = answers.into_iter().collect();
        self.state().rules.push(Rule { method, path, answers, for_ever: false });
    }

    /// Answers all requests of this method and path so.
    pub fn always(&self, method: &'static str, path: &'static str, answer: Answer) {
        self.state().rules.push(Rule { method, path, answers: [answer].into(), for_ever: true });
    }

    /// Keeps its answers to such requests back until what it returns is dropped.
    pub fn hold(&self, method: &'static str, path: &'static str) -> Sender<()> {
        let (gate, held) = bounded(0);
        self.always(method, path, Answer::Held(held));
        gate
    }

    /// Answers as a Rancher again.
    pub fn behave(&self) {
        self.state().rules.clear();
    }

    /// Shows a deleted cluster this many times before it is gone.
    pub fn linger(&self, looks: usize) {
        self.state().looks_after_deletion = looks;
    }

    /// Neither reads nor writes on tunnels opened from now on.
    pub fn be_deaf(&self) {
        self.state().deaf = true;
    }

    /// Sets its clock.
    pub fn set_clock_ahead(&self, by: jiff::SignedDuration) {
        self.state().clock_ahead = by;
    }

    /// A cluster that somebody else created.
    pub fn import_foreign(&self, name: &str) -> String {
        self.state().create(name, Value::Null).id
    }

    /// Gives a cluster labels.
    pub fn label(&self, name: &str, labels: &Value) {
        let mut state = self.state();
        state.clusters.values_mut().filter(|cluster| cluster.name == name).for_each(|c| c.labels = labels.clone());
    }

    /// Says of a cluster whether something is connected for it.
    pub fn set_connected(&self, name: &str, is_connected: bool) {
        let mut state = self.state();
        let of_the_name = state.clusters.values_mut().filter(|cluster| cluster.name == name);
        of_the_name.for_each(|cluster| cluster.is_connected = is_connected);
    }

    /// Gives every cluster another registration token; the old ones are worth nothing.
    pub fn rotate_registration_tokens(&self) {
        for cluster in self.state().clusters.values_mut() {
            cluster.registration_token = format!("rotated-{}", cluster.registration_token);
        }
    }

    /// Cuts every connection; new ones are taken.
    pub fn cut_connections(&self) {
        let sockets = std::mem::take(&mut self.state().sockets);
        sockets.iter().filter_map(Weak::upgrade).for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
    }

    /// Forgets a cluster, as if somebody had deleted it in Rancher.
    pub fn forget(&self, name: &str) {
        self.state().clusters.retain(|_, cluster| cluster.name != name);
    }

    /// The clusters it has.
    pub fn clusters(&self) -> Vec<Imported> {
        self.state().clusters.values().cloned().collect()
    }

    /// What it was asked by this method at this path, in order; `*` as in [`FakeRancher::answer`].
    pub fn asked(&self, method: &str, path: &str) -> Vec<Asked> {
        let fits = |asked: &&Asked| asked.request.method == method && path_fits(path, asked.request.path());
        self.state().asked.iter().filter(fits).cloned().collect()
    }

    /// How many requests it was asked in all.
    pub fn times_asked(&self) -> usize {
        self.state().asked.len()
    }

    /// How many tunnels are open.
    pub fn open_tunnels(&self) -> usize {
        self.state().open_tunnels
    }

    /// How each closed tunnel ended: the code of the agent's close frame, or none.
    pub fn close_codes(&self) -> Vec<Option<u16>> {
        self.state().close_codes.clone()
    }

    fn state(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }
}

impl Drop for FakeRancher {
    fn drop(&mut self) {
        if self.acceptor.is_some() {
            self.go_down();
        }
    }
}

impl Shared {
    fn scripted(&mut self, request: &Request) -> Option<Answer> {
        let fits = |rule: &&mut Rule| rule.method == request.method && path_fits(rule.path, request.path());
        let rule = self.rules.iter_mut().filter(|rule| !rule.answers.is_empty()).find(fits)?;
        if rule.for_ever { rule.answers.front().cloned() } else { rule.answers.pop_front() }
    }

    fn create(&mut self, name: &str, labels: Value) -> Imported {
        self.created += 1;
        let id = format!("c-{:05}", self.created);
        let registration_token = format!("registration-secret-{:05}", self.created);
        let cluster = Imported {
            id: id.clone(),
            name: name.to_owned(),
            labels,
            registration_token,
            is_connected: false,
            tunnels: 0,
            remaining_looks: None,
        };
        self.clusters.insert(id, cluster.clone());
        cluster
    }

    fn count_tunnel(&mut self, token: Option<&str>, by: isize) {
        let of_the_token = |cluster: &&mut Imported| Some(cluster.registration_token.as_str()) == token;
        if let Some(cluster) = self.clusters.values_mut().find(of_the_token) {
            cluster.tunnels = cluster.tunnels.saturating_add_signed(by);
        }
    }

    /// What a Rancher answers (rancher-protocol: "Import flow over Rancher's REST API").
    fn usual(&mut self, request: &Request) -> Answer {
        let is_public = ["/v3/settings/cacerts", "/rancherversion"].contains(&request.path());
        if !is_public && request.header("Authorization") != Some(&format!("Bearer {API_TOKEN}")) {
            return Answer::error(401, "Unauthorized", "must authenticate");
        }
        let segments: Vec<&str> = request.path().split('/').skip(1).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["rancherversion"]) => Answer::json(200, json!({"Version": "v2.11.2", "RancherPrime": "false"})),
            ("GET", ["v3", "tokens", name]) => {
                Answer::json(200, json!({"id": name, "userId": "u-tester", "expired": false, "expiresAt": ""}))
            }
            ("GET", ["v3", "schemas", "cluster"]) => {
                Answer::json(200, json!({"id": "cluster", "collectionMethods": ["GET", "POST"]}))
            }
            ("GET", ["v3", "settings", "server-url"]) => {
                let scheme = if self.is_tls { "https" } else { "http" };
                let host = request.header("Host").unwrap_or_default();
                Answer::json(200, json!({"id": "server-url", "value": format!("{scheme}://{host}")}))
            }
            ("POST", ["v3", "clusters"]) => {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let name = body["name"].as_str().unwrap();
                if self.clusters.values().any(|cluster| cluster.name.eq_ignore_ascii_case(name)) {
                    return Answer::error(422, "NotUnique", "Cluster name");
                }
                Answer::json(201, self.create(name, body["labels"].clone()).show())
            }
            ("GET", ["v3", "clusters"]) => {
                let wanted = request.parameter("name");
                let fits = |cluster: &&Imported| wanted.as_ref().is_none_or(|name| cluster.name == *name);
                let lively = self.lively;
                let shown = self.clusters.values().filter(fits).map(|cluster| cluster.shown(lively));
                collection("cluster", shown.collect())
            }
            ("GET", ["v3", "clusters", id]) => match self.clusters.get_mut(*id) {
                Some(Imported { remaining_looks: Some(0), .. }) => {
                    self.clusters.remove(*id);
                    not_found()
                }
                Some(cluster) => {
                    cluster.remaining_looks = cluster.remaining_looks.map(|looks| looks - 1);
                    Answer::json(200, cluster.shown(self.lively))
                }
                None => not_found(),
            },
            // norman keeps no label that the update leaves out, and the cluster store wants the name in each.
            ("PUT", ["v3", "clusters", id]) => match self.clusters.get_mut(*id) {
                Some(cluster) => {
                    let body: Value = serde_json::from_slice(&request.body).unwrap();
                    if body["name"] != cluster.name {
                        return Answer::error(422, "MissingRequired", "Cluster name");
                    }
                    cluster.labels = body["labels"].clone();
                    Answer::json(200, cluster.show())
                }
                None => not_found(),
            },
            ("DELETE", ["v3", "clusters", id]) => match self.clusters.get_mut(*id) {
                Some(cluster) => {
                    cluster.remaining_looks = Some(self.looks_after_deletion);
                    Answer::json(200, cluster.show())
                }
                None => not_found(),
            },
            ("GET", ["v3", "clusterregistrationtokens"]) => {
                let id = request.parameter("clusterId").unwrap_or_default();
                let token = |cluster: &Imported| json!({"id": format!("{id}:default-token"), "clusterId": id, "token": cluster.registration_token});
                collection("clusterRegistrationToken", self.clusters.get(&id).map(token).into_iter().collect())
            }
            _ => not_found(),
        }
    }
}

impl Imported {
    fn shown(&self, lively: bool) -> Value {
        let is_active = lively && self.tunnels >= 2;
        let mut value = Imported { is_connected: self.is_connected || is_active, ..self.clone() }.show();
        if is_active && self.remaining_looks.is_none() {
            value["state"] = "active".into();
        }
        value
    }

    fn show(&self) -> Value {
        let state = if self.remaining_looks.is_some() { "removing" } else { "pending" };
        json!({
            "type": "cluster", "id": self.id, "name": self.name, "state": state, "labels": self.labels,
            "created": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Connected", "status": if self.is_connected { "True" } else { "False" }}],
        })
    }
}

/// One connection.
struct Conversation {
    shared: Arc<Mutex<Shared>>,
}

impl Conversation {
    fn hold(&self, mut stream: Box<dyn Stream>) {
        while let Some(request) = http::read_request(&mut stream) {
            let scripted = {
                let mut shared = self.state();
                let open_tunnels = shared.open_tunnels;
                shared.asked.push(Asked { request: request.clone(), open_tunnels });
                shared.scripted(&request)
            };
            let is_connect = request.path().starts_with("/v3/connect");
            let answer = match scripted {
                Some(Answer::Held(held)) => {
                    let _ = held.recv();
                    None
                }
                Some(Answer::Lost) => {
                    self.state().usual(&request);
                    return;
                }
                other => other,
            };
            let answer = match answer {
                Some(answer) => answer,
                None if is_connect => match self.refuse_tunnel(&request) {
                    Some(refusal) => refusal,
                    None => return self.tunnel(stream, &request),
                },
                None => self.state().usual(&request),
            };
            let Answer::Respond { status, content_type, mut headers, body } = answer else { return };
            let now = jiff::Timestamp::now() + self.state().clock_ahead;
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
            headers.push(("Date", date.unwrap()));
            if http::write_response(&mut stream, status, content_type, &headers, &body).is_err() {
                return;
            }
        }
    }

    /// How Rancher's authorisers refuse (rancher-protocol: "Server behaviour").
    fn refuse_tunnel(&self, request: &Request) -> Option<Answer> {
        let shared = self.state();
        let known = |token: &str| shared.clusters.values().any(|cluster| cluster.registration_token == token);
        let steve = request.header("Authorization").and_then(|value| value.strip_prefix("Bearer stv-cluster-"));
        match (request.header("X-API-Tunnel-Token"), steve) {
            (Some(token), _) if known(token) => None,
            (Some(_), _) => Some(Answer::text(400, "cluster not found")),
            (None, Some(token)) if known(token) => None,
            _ => Some(Answer::text(401, "failed authentication")),
        }
    }

    fn tunnel(&self, mut stream: Box<dyn Stream>, request: &Request) {
        let accept = derive_accept_key(request.header("Sec-WebSocket-Key").unwrap_or_default().as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        if stream.write_all(head.as_bytes()).is_err() {
            return;
        }
        let token = request.header("X-API-Tunnel-Token").map(str::to_owned).or_else(|| {
            let bearer = request.header("Authorization")?.strip_prefix("Bearer stv-cluster-")?;
            Some(bearer.to_owned())
        });
        let deaf = {
            let mut shared = self.state();
            shared.open_tunnels += 1;
            shared.count_tunnel(token.as_deref(), 1);
            shared.deaf
        };
        if deaf {
            // Until the test's process ends.
            loop {
                std::thread::park();
            }
        }
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
        let mut code = None;
        loop {
            match socket.read() {
                Ok(tungstenite::Message::Close(frame)) => code = frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let mut shared = self.state();
        shared.open_tunnels -= 1;
        shared.count_tunnel(token.as_deref(), -1);
        shared.close_codes.push(code);
    }

    fn state(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }
}

/// A certificate authority.
pub struct Authority {
    params: rcgen::CertificateParams,
    key: rcgen::KeyPair,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Authority { params, key: rcgen::KeyPair::generate().unwrap() }
    }

    /// Its certificate, for those who are to trust it.
    pub fn pem(&self) -> String {
        self.params.clone().self_signed(&self.key).unwrap().pem()
    }

    fn certify(&self, host: &str) -> Arc<rustls::ServerConfig> {
        self.certify_until(host, (2049, 12, 31))
    }

    /// A certificate for this host until the end of that day, and its key.
    pub fn issue(&self, host: &str, (year, month, day): (i32, u8, u8)) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate().unwrap();
        let issuer = rcgen::Issuer::new(self.params.clone(), &self.key);
        let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, month, day);
        (params.signed_by(&key, &issuer).unwrap(), key)
    }

    fn certify_until(&self, host: &str, last: (i32, u8, u8)) -> Arc<rustls::ServerConfig> {
        let (leaf, key) = self.issue(host, last);
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        Arc::new(config.unwrap())
    }
}

fn collection(resource: &str, data: Vec<Value>) -> Answer {
    Answer::json(200, json!({"type": "collection", "resourceType": resource, "data": data}))
}

fn not_found() -> Answer {
    Answer::error(404, "NotFound", "not found")
}

fn path_fits(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == pattern,
    }
}
