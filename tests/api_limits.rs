//! The REST API under clients that mean no good: slow, many, huge, malformed. Meanwhile it answers everybody else.

mod support;

use rustix::net::{AddressFamily, SocketType};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};
use support::fake_rancher::FakeRancher;
use support::{Agent, eventually, http};

const POST: &str = "POST /clusters HTTP/1.1\r\nHost: agent\r\n";

/// Asserts that an honest client is served at once.
fn assert_responsive(agent: &Agent) {
    let began = Instant::now();
    let answer = http::send(&agent.url, b"GET /health HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// What a client gets until the agent closes the connection.
fn rest(mut socket: TcpStream) -> String {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn metric(agent: &Agent, name: &str) -> f64 {
    let text = http::send(&agent.url, b"GET /metrics HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").body;
    let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).expect(name);
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// A client at another of this host's addresses, 127.0.0.`last`.
fn connect_from(last: u8, agent: &Agent) -> TcpStream {
    let port: u16 = agent.url.rsplit(':').next().unwrap().parse().unwrap();
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0)).unwrap();
    rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

/// The status of an answer on a connection that goes on.
fn ask(socket: &mut TcpStream, request: &str) -> u16 {
    socket.write_all(request.as_bytes()).unwrap();
    http::read_response(socket, false).status
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: agent\r\n\r\n";

#[test]
fn a_drop_now_and_then_buys_no_time() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "APIHeaderTimeout: 1s\nAPIReadTimeout: 2s\nAPIIdleTimeout: 1s\n");
    let begin = |text: &str| {
        let mut socket = http::connect(&agent.url);
        socket.write_all(text.as_bytes()).unwrap();
        socket
    };
    let drip = |mut socket: TcpStream| {
        let began = Instant::now();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut got = Vec::new();
        let mut piece = [0; 1024];
        // Until the agent answers; a client this slow would take an hour.
        while got.is_empty() && began.elapsed() < Duration::from_secs(30) {
            let _ = socket.write_all(b"x");
            match socket.read(&mut piece) {
                Ok(read) => got.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        (String::from_utf8_lossy(&got).into_owned(), began.elapsed())
    };
    let (head, head_took) = drip(begin("GET /health HTTP/1.1\r\nX: "));
    assert!(head.starts_with("HTTP/1.1 408 ") && head.contains("APIHeaderTimeout"), "{head}");
    let (body, body_took) = drip(begin(&format!("{POST}Content-Length: 1000\r\n\r\n")));
    assert!(body.starts_with("HTTP/1.1 408 ") && body.contains("APIReadTimeout"), "{body}");
    assert!(head_took < Duration::from_secs(10) && body_took < Duration::from_secs(10), "{head_took:?} {body_took:?}");
    // One that asked and then says nothing is let go without a word.
    let mut idle = begin("GET /health HTTP/1.1\r\nHost: agent\r\n\r\n");
    assert_eq!(http::read_response(&mut idle, false).status, 200);
    assert_eq!(rest(idle), "");
    assert_eq!(metric(&agent, "scale_agent_api_connections_timed_out_total"), 2.0, "the two that were too slow");
    assert_responsive(&agent);
}

#[test]
fn ten_thousand_idle_clients_hold_up_nobody() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "MaxAPIConnections: 500\n");
    let port: u16 = agent.url.rsplit(':').next().unwrap().parse().unwrap();
    let limit = rlimit::increase_nofile_limit(12_000).unwrap();
    let wanted = 10_000.min(limit.saturating_sub(500)) as u32;
    let mut idle = Vec::new();
    for number in 0..wanted {
        // Half of them begin a request and stop.
        let mut socket = TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
        if number % 2 == 0 {
            let _ = socket.write_all(b"GET /health HT");
        }
        idle.push(socket);
        if number % 1000 == 999 {
            assert_responsive(&agent);
        }
    }
    assert!(metric(&agent, "scale_agent_api_connections_open") <= 500.0);
    assert!(metric(&agent, "scale_agent_api_connections_evicted_total") >= f64::from(wanted) - 600.0);
    assert_responsive(&agent);
}

#[test]
fn a_flood_of_connections_from_one_address_takes_none_of_another() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "MaxAPIConnections: 20\n");
    let mut others = [2, 3].map(|last| connect_from(last, &agent));
    let mut flood = Vec::new();
    for number in 0..200 {
        let mut socket = http::connect(&agent.url);
        if number % 2 == 0 {
            let _ = socket.write_all(b"GET /health HT");
        }
        flood.push(socket);
        if number % 40 == 39 {
            others.iter_mut().for_each(|other| assert_eq!(ask(other, HEALTH), 200));
            // Nor is anybody of another address turned away.
            assert_eq!(ask(&mut connect_from(4, &agent), HEALTH), 200);
        }
    }
    assert!(metric(&agent, "scale_agent_api_connections_evicted_total") >= 180.0);
    others.iter_mut().for_each(|other| assert_eq!(ask(other, HEALTH), 200));
}

#[test]
fn whoever_has_most_of_the_room_waits_for_its_own() {
    let rancher = FakeRancher::start();
    let held = rancher.hold("POST", "/v3/clusters");
    let agent = Agent::start_for(&rancher, "MaxAPIConnections: 2\nCreateWait: 1m\n");
    let mut working = http::connect(&agent.url);
    working.write_all(format!("{POST}Content-Length: 17\r\n\r\n{{\"name\":\"edge-1\"}}").as_bytes()).unwrap();
    eventually("the agent is at work for it", || match rancher.asked("POST", "/v3/clusters").len() {
        1 => Ok(()),
        asked => Err(asked.to_string()),
    });
    let mut other = connect_from(2, &agent);
    assert_eq!(ask(&mut other, HEALTH), 200);
    let mut waiting = http::connect(&agent.url);
    waiting.write_all(HEALTH.as_bytes()).unwrap();
    (0..5).for_each(|_| assert_eq!(ask(&mut other, HEALTH), 200));
    drop(held);
    assert_eq!(http::read_response(&mut working, false).status, 201);
    assert_eq!(http::read_response(&mut waiting, false).status, 200);
    assert_eq!(ask(&mut other, HEALTH), 200);
}

#[test]
fn a_flood_of_bodies_from_one_address_takes_no_room_of_another() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "APIReadTimeout: 5m\n");
    let before = metric(&agent, "process_resident_memory_bytes");
    let part = vec![b' '; 1_000_000];
    let mut flood = Vec::new();
    for number in 0..160 {
        let mut socket = http::connect(&agent.url);
        socket.write_all(format!("{POST}Content-Length: 1048576\r\n\r\n").as_bytes()).unwrap();
        // One that has to make room is refused in the midst of it.
        let _ = socket.write_all(&part);
        flood.push(socket);
        if number % 40 == 39 {
            let body = format!("{{\"name\":\"edge-{number}\"{}}}", " ".repeat(900_000));
            let request = format!("{POST}Content-Length: {}\r\n\r\n{body}", body.len());
            assert_eq!(ask(&mut connect_from(2, &agent), &request), 201, "after {number}");
        }
    }
    assert!(metric(&agent, "scale_agent_api_requests_refused_total") >= 20.0);
    let grown = metric(&agent, "process_resident_memory_bytes") - before;
    assert!(grown < 300e6, "{grown}");
}

#[test]
fn clients_that_send_or_read_drop_by_drop_hold_up_nobody() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "MaxAPIConnections: 50\n");
    // Answers larger than every buffer on the way, which are never read.
    let deaf = b"GET /openapi.json HTTP/1.1\r\nHost: agent\r\n\r\n".repeat(400);
    let slow = format!("{POST}Content-Length: 1000\r\n\r\n{{").into_bytes();
    let mut held = Vec::new();
    for request in [slow, deaf] {
        for number in 0..100 {
            let mut socket = http::connect(&agent.url);
            socket.set_nonblocking(true).unwrap();
            let _ = socket.write(&request);
            held.push(socket);
            if number % 20 == 19 {
                assert_responsive(&agent);
            }
        }
    }
    assert!(metric(&agent, "scale_agent_api_connections_evicted_total") >= 140.0);
    assert!(metric(&agent, "scale_agent_api_connections_open") <= 50.0);
}

#[test]
fn a_body_of_a_gigabyte_costs_nothing() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let before = metric(&agent, "process_resident_memory_bytes");
    let piece = vec![b'x'; 1 << 20];
    let feed = |head: &str, chunked: bool| {
        let mut socket = http::connect(&agent.url);
        socket.write_all(head.as_bytes()).unwrap();
        let mut sent = 0_u64;
        while sent < 1 << 30 {
            let framed = if chunked { [b"100000\r\n", &piece[..], b"\r\n"].concat() } else { piece.clone() };
            if socket.write_all(&framed).is_err() {
                break;
            }
            sent += piece.len() as u64;
        }
        (rest(socket), sent)
    };
    for (head, chunked) in [
        (format!("{POST}Content-Length: 1073741824\r\n\r\n"), false),
        (format!("{POST}Transfer-Encoding: chunked\r\n\r\n"), true),
    ] {
        let (answer, sent) = feed(&head, chunked);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(sent <= 1 << 30);
        assert_responsive(&agent);
    }
    // An honest client that waits for the word to go on is told at once.
    let answer =
        http::send(&agent.url, format!("{POST}Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n").as_bytes());
    assert_eq!(answer.status, 413);
    let after = metric(&agent, "process_resident_memory_bytes");
    assert!(after - before < 64.0 * f64::from(1 << 20), "{before} -> {after}");
}

#[test]
fn what_is_not_http_is_refused_and_forgotten() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Y: z\r\n".repeat(100));
    for (request, status) in [
        ("\x16\x03\x01\x02\x00", 400),
        ("GET\r\n\r\n", 400),
        ("GET /health\r\n\r\n", 400),
        ("GET /health HTTP/2.0\r\n\r\n", 501),
        ("GET /health HTTP/1.1\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", 400),
        ("POST /clusters HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST /clusters HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
        ("POST /clusters HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST /clusters HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ("POST /clusters HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (&long, 431),
        (&many, 431),
    ] {
        let mut socket = http::connect(&agent.url);
        socket.write_all(request.as_bytes()).unwrap();
        let answer = http::read_response(&mut socket, false);
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
        assert_eq!(answer.header("Content-Type"), Some("application/problem+json"), "{request:?}");
        assert_eq!(answer.json()["status"], status, "{request:?}");
        assert_eq!(rest(socket), "", "{request:?}: the connection ends");
    }
    assert_responsive(&agent);
}

#[test]
fn requests_sent_ahead_are_answered_in_their_order() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let mut socket = http::connect(&agent.url);
    let paths = ["/health", "/clusters", "/nowhere", "/operations", "/clusters/x"];
    let requests: String = paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: agent\r\n\r\n")).collect();
    socket.write_all(requests.as_bytes()).unwrap();
    let statuses = paths.map(|_| http::read_response(&mut socket, false).status);
    assert_eq!(statuses, [200, 200, 404, 200, 404]);
}

#[test]
fn clients_that_do_not_read_their_answers_are_let_go() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "APIReadTimeout: 1s\n");
    // An answer larger than every buffer on the way.
    let ask = b"GET /openapi.json HTTP/1.1\r\nHost: agent\r\n\r\n".repeat(400);
    let mut deaf: Vec<TcpStream> = (0..20).map(|_| http::connect(&agent.url)).collect();
    for socket in &mut deaf {
        socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = socket.write_all(&ask);
    }
    assert_responsive(&agent);
    eventually("they are let go", || {
        let open = metric(&agent, "scale_agent_api_connections_open");
        if open <= 1.0 { Ok(()) } else { Err(open.to_string()) }
    });
    assert!(metric(&agent, "scale_agent_api_connections_timed_out_total") >= 20.0);
}
