//! The whole way of a request: bytes in, bytes out.

use crate::support::Api;
use flate2::read::GzDecoder;
use proptest::prelude::*;
use scale_cluster_agent::http1::{
    BodyFraming, ClientConnection, ClientEvent, Headers, MessageLimits, Method, Refusal, Request, ResponseHead,
    ServerConnection,
};
use scale_cluster_agent::kube::{Body, Progress};
use serde_json::Value;
use std::io::Read;

/// A connection to a cluster.
struct Connection {
    api: Api,
    http: ServerConnection,
}

impl Connection {
    fn new() -> Connection {
        Connection { api: Api::new(), http: ServerConnection::new(MessageLimits::default()) }
    }

    /// Takes bytes, and answers what is complete; a watch ends where it would wait.
    fn exchange(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.http.receive(bytes);
        let mut out = Vec::new();
        loop {
            match self.http.next_request(&mut out) {
                Ok(Some(request)) => {
                    let response = self.api.cluster.handle(&request, self.api.now);
                    let head = ResponseHead { status: response.status, headers: response.headers };
                    self.respond(&head, response.body, &mut out);
                }
                Ok(None) => return out,
                Err(Refusal { status, message, .. }) => {
                    let head = ResponseHead { status, headers: Headers::default() };
                    self.respond(&head, Body::Bytes(message.into_bytes()), &mut out);
                    return out;
                }
            }
        }
    }

    fn respond(&mut self, head: &ResponseHead, body: Body, out: &mut Vec<u8>) {
        let whole = match &body {
            Body::Bytes(bytes) => Some(&bytes[..]),
            Body::Shared(bytes) => Some(&bytes[..]),
            Body::Streaming(_) => None,
        };
        let framing = whole.map_or(BodyFraming::Chunked, |whole| BodyFraming::Length(whole.len() as u64));
        self.http.respond(head, framing, "Sun, 06 Nov 1994 08:49:37 GMT", out);
        if let Some(whole) = whole {
            self.http.data(whole, out);
        }
        if let Body::Streaming(mut streaming) = body {
            loop {
                let mut piece = Vec::new();
                let progress = streaming.poll(&self.api.cluster, self.api.now, &mut piece, 1_000);
                self.http.data(&piece, out);
                if progress != Progress::More {
                    break;
                }
            }
        }
        self.http.finish(out);
    }
}

/// The answers in some bytes: their heads and bodies, read by the client's role.
fn answers(bytes: &[u8], requests: usize) -> Vec<(ResponseHead, Vec<u8>)> {
    let mut client = ClientConnection::new(MessageLimits { body_bytes: 64 << 20, ..MessageLimits::default() });
    (0..requests).for_each(|_| client.request(&Request::new(Method::Get, "/"), &mut Vec::new()));
    client.receive(bytes);
    let mut answers = Vec::new();
    while let Some(event) = client.next_event().unwrap() {
        match event {
            ClientEvent::Head(head) => answers.push((head, Vec::new())),
            ClientEvent::Data(data) => answers.last_mut().unwrap().1.extend(data),
            ClientEvent::End => {}
        }
    }
    answers
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut connection = Connection::new();
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n");
    let body = r#"{"metadata":{"name":"piped"}}"#;
    let made = format!(
        "POST /api/v1/namespaces/demo/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let piped = "/api/v1/namespaces/demo/configmaps/piped";
    let all = [get("/version", ""), made, get(piped, "Audit-Id: mine\r\n"), get("/nowhere", "")].concat();
    let answers = answers(&connection.exchange(all.as_bytes()), 4);
    let statuses: Vec<u16> = answers.iter().map(|(head, _)| head.status).collect();
    assert_eq!(statuses, [200, 201, 200, 404]);
    assert_eq!(answers[2].0.headers.get("audit-id"), Some("mine"));
    let object: Value = serde_json::from_slice(&answers[2].1).unwrap();
    assert_eq!(object["metadata"]["name"], "piped");
}

#[test]
fn a_long_list_is_packed_and_chunked() {
    let mut connection = Connection::new();
    let note = "all work and no play ".repeat(1_000);
    for n in 0..10 {
        let object = serde_json::json!({"metadata": {"name": format!("c{n}")}, "data": {"note": note}});
        connection.api.create("/api/v1/namespaces/demo/configmaps", &object);
    }
    let list = "GET /api/v1/configmaps HTTP/1.1\r\nHost: x\r\n";
    let plain = answers(&connection.exchange(format!("{list}\r\n").as_bytes()), 1).remove(0);
    let (head, packed) =
        answers(&connection.exchange(format!("{list}Accept-Encoding: gzip\r\n\r\n").as_bytes()), 1).remove(0);
    assert_eq!(
        (head.headers.get("content-encoding"), head.headers.get("transfer-encoding")),
        (Some("gzip"), Some("chunked"))
    );
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == plain.1 && packed.len() * 10 < unpacked.len(), "{} of {}", packed.len(), unpacked.len());
}

/// Requests as clients send them, to be spoilt.
const REQUESTS: [&str; 6] = [
    "GET /api/v1/pods?limit=1 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
    "GET /api/v1/configmaps?watch=1&allowWatchBookmarks=true&resourceVersion=0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "PATCH /api/v1/namespaces/demo/configmaps/greeting?fieldManager=a&force=true HTTP/1.1\r\nHost: x\r\nContent-Type: application/apply-patch+yaml\r\nContent-Length: 72\r\n\r\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting}\ndata: {a: '1'}",
    "POST /api/v1/namespaces/demo/pods/web-1/exec?command=ls HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n",
    "PUT /apis/apps/v1/namespaces/demo/deployments/api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n1b\r\n{\"metadata\":{\"name\":\"api\"},\r\n9\r\n\"spec\":1}\r\n0\r\n\r\n",
    "DELETE /api/v1/namespaces/demo/configmaps?propagationPolicy=Foreground HTTP/1.1\r\nHost: x\r\n\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever comes, what goes out is HTTP with statuses of HTTP, and nothing panics.
    #[test]
    fn spoilt_requests_are_answered_all_the_same(
        picks in prop::collection::vec((0..REQUESTS.len(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)), 1..6),
        cut in 1usize..400
    ) {
        let mut bytes = Vec::new();
        for (pick, spoils) in &picks {
            let mut request = REQUESTS[*pick].as_bytes().to_vec();
            for (place, byte) in spoils {
                let at = place.index(request.len());
                request[at] = *byte;
            }
            bytes.extend(request);
        }
        let mut connection = Connection::new();
        let mut out = Vec::new();
        for piece in bytes.chunks(cut) {
            out.extend(connection.exchange(piece));
        }
        // A length that is spoilt makes two requests of one.
        for (head, _) in answers(&out, 2 * picks.len()) {
            prop_assert!((200..600).contains(&head.status));
        }
    }
}
