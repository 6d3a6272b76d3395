//! One connection that Rancher opened through a tunnel: inner TLS where it carries the Kubernetes API, HTTP/1.1 above it.

use super::Tls;
use super::clock::Clock;
use super::imposed::{Faults, Greeting};
use super::stats::Open;
use crate::http1::{self, BodyFraming, MessageLimits, Method, Request, ResponseHead, ServerConnection};
use crate::kube::{self, Body, Cluster, Progress, Status, Streaming, Subject};
use crate::steve;
use crate::telemetry::{self, Recorded, Recorder, Tally};
use jiff::Timestamp;
use rustls::server::UnbufferedServerConnection;
use std::sync::Arc;
use std::time::Instant;

/// Who answers the requests of a stream, and where they are counted.
#[derive(Debug)]
pub(super) struct Service<'a> {
    /// The virtual Kubernetes API; `None` for what the steve tunnel serves.
    pub(super) cluster: Option<&'a mut Cluster>,
    /// What comes between.
    pub(super) faults: Option<&'a mut Faults>,
    pub(super) tally: &'a mut Tally,
}

/// A stream's protocol state. It does no I/O: bytes from the peer go in, bytes for the peer are taken out.
#[derive(Debug)]
pub(super) struct Stream {
    tls: Option<Tls>,
    http: ServerConnection,
    /// Bytes for the peer.
    out: Vec<u8>,
    exchange: Option<Exchange>,
    /// A request whose answer a fault holds back.
    delayed: Option<Box<Delayed>>,
    /// No further request is answered; the connection closes once everything is sent.
    ending: bool,
    /// Events sent on watches since they were taken.
    watch_events: u32,
    _open: Open,
}

/// A request that is being answered.
#[derive(Debug)]
struct Exchange {
    response: Response,
    recorded: Recorded,
    asked: Instant,
}

/// A request that is answered later than it could be.
#[derive(Debug)]
struct Delayed {
    request: Request,
    asked: Instant,
    due: Timestamp,
}

#[derive(Debug)]
enum Response {
    Bytes { body: Vec<u8>, sent: usize },
    Shared { body: Arc<[u8]>, sent: usize },
    Streaming(Streaming),
}

/// What a [`Stream::step`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// About this many bytes were produced; there may be more.
    Produced(usize),
    /// Nothing to do until the peer sends something or the cluster changes.
    Idle,
    /// Everything is said: close the connection once it is sent.
    End,
}

/// Why a stream cannot go on; the tunnel survives it.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("{0} bytes sent ahead of their turn, in spite of Pause")]
    Flooded(usize),
}

impl Stream {
    /// A stream under TLS if `tls` is given.
    pub(super) fn new(tls: Option<&Arc<rustls::ServerConfig>>, open: Open) -> Result<Stream, StreamError> {
        let tls = tls.map(|config| UnbufferedServerConnection::new(config.clone())).transpose()?.map(Tls::server);
        let http = ServerConnection::new(MessageLimits::default());
        Ok(Stream {
            tls,
            http,
            out: Vec::new(),
            exchange: None,
            delayed: None,
            ending: false,
            watch_events: 0,
            _open: open,
        })
    }

    /// Takes bytes from the peer.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        match &mut self.tls {
            None => self.http.receive(bytes),
            Some(tls) => {
                let mut plain = Vec::new();
                tls.receive(bytes, &mut plain, &mut self.out)?;
                self.http.receive(&plain);
            }
        }
        if self.http.buffered() > FLOOD_BYTES { Err(StreamError::Flooded(self.http.buffered())) } else { Ok(()) }
    }

    /// Bytes received whose turn has not come: the measure of back pressure.
    pub(super) fn buffered(&self) -> usize {
        self.http.buffered()
    }

    /// How many events were sent on watches since the last call.
    pub(super) fn take_watch_events(&mut self) -> u64 {
        std::mem::take(&mut self.watch_events).into()
    }

    /// Whether a streaming response is under way, which a change of the cluster may feed.
    pub(super) fn is_streaming(&self) -> bool {
        matches!(&self.exchange, Some(Exchange { response: Response::Streaming(_), .. }))
    }

    /// When the response under way wants a step though nothing changed.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        if let Some(delayed) = &self.delayed {
            return Some(delayed.due);
        }
        match &self.exchange.as_ref()?.response {
            Response::Streaming(streaming) => streaming.wake_at(),
            Response::Bytes { .. } | Response::Shared { .. } => None,
        }
    }

    /// Has a watch under way end as if its time were up; tells whether there is one.
    pub(super) fn end_watch(&mut self, now: Timestamp) -> bool {
        match &mut self.exchange {
            Some(Exchange { response: Response::Streaming(streaming), .. }) => streaming.end_watch(now),
            _ => false,
        }
    }

    /// Does the next piece of work: a piece of the response under way, or else the next request.
    pub(super) fn step(
        &mut self,
        service: &mut Service<'_>,
        clock: &Clock,
        recorder: &mut Recorder,
    ) -> Result<Step, StreamError> {
        if self.ending && self.exchange.is_none() {
            return Ok(Step::End);
        }
        if self.delayed.as_ref().is_some_and(|delayed| delayed.due > clock.wall) {
            return Ok(Step::Idle);
        }
        let mut plain = Vec::new();
        let progress = match self.exchange.take() {
            Some(exchange) => self.continue_response(exchange, service, clock, recorder, &mut plain),
            None => self.next_request(service, clock, recorder, &mut plain),
        };
        let produced = plain.len();
        match &mut self.tls {
            Some(_) if plain.is_empty() => {}
            Some(tls) => tls.send(&plain, &mut self.out)?,
            None if self.out.is_empty() => self.out = plain,
            None => self.out.extend_from_slice(&plain),
        }
        Ok(if produced == 0 && progress == Progress::Idle { Step::Idle } else { Step::Produced(produced) })
    }

    /// Takes every byte for the peer.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Queues TLS's own goodbye.
    pub(super) fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.out);
        }
    }

    /// Nobody waits for the answer under way any more.
    pub(super) fn leave(&self, service: &mut Service<'_>, recorder: &mut Recorder) {
        if let Some(exchange) = &self.exchange {
            recorder.leave(service.tally, exchange.recorded);
        }
    }

    fn next_request(
        &mut self,
        service: &mut Service<'_>,
        clock: &Clock,
        recorder: &mut Recorder,
        plain: &mut Vec<u8>,
    ) -> Progress {
        let (request, answer, subject, asked);
        let received = match self.delayed.take() {
            Some(delayed) => Ok(Some((delayed.request, delayed.asked))),
            None => match self.http.next_request(plain) {
                Ok(Some(request)) => match service.due(&request, clock) {
                    Some(due) => {
                        self.delayed = Some(Box::new(Delayed { request, asked: Instant::now(), due }));
                        return Progress::Idle;
                    }
                    None => Ok(Some((request, Instant::now()))),
                },
                Ok(None) => Ok(None),
                Err(refusal) => Err(refusal),
            },
        };
        match received {
            Ok(None) => return Progress::Idle,
            Ok(Some(received)) => {
                (request, asked) = received;
                (answer, subject) = service.answer(&request, clock);
            }
            Err(refusal) => {
                self.ending = true;
                request = Request::new(Method::Other(String::new()), "");
                asked = Instant::now();
                answer = service.refuse(&refusal);
                subject = Subject::of_path(&request.method, UNREADABLE);
            }
        }
        let recorded = telemetry::Request {
            verb: subject.verb(),
            resource: &subject,
            code: answer.status,
            is_watch: answer.status == 200 && subject.verb() == kube::Verb::Watch.as_str(),
            user_agent: request.headers.get("User-Agent").unwrap_or_default(),
            received_bytes: request.body.len() as u64,
        };
        let recorded = recorder.begin(service.tally, &recorded, clock.wall);
        let head = ResponseHead { status: answer.status, headers: answer.headers };
        let (framing, response) = match answer.body {
            Body::Bytes(body) => (BodyFraming::Length(body.len() as u64), Response::Bytes { body, sent: 0 }),
            Body::Shared(body) => (BodyFraming::Length(body.len() as u64), Response::Shared { body, sent: 0 }),
            Body::Streaming(streaming) => (BodyFraming::Chunked, Response::Streaming(streaming)),
        };
        self.http.respond(&head, framing, &clock.http_date, plain);
        let exchange = Exchange { response, recorded, asked };
        self.continue_response(exchange, service, clock, recorder, plain)
    }

    fn continue_response(
        &mut self,
        mut exchange: Exchange,
        service: &mut Service<'_>,
        clock: &Clock,
        recorder: &mut Recorder,
        plain: &mut Vec<u8>,
    ) -> Progress {
        let (progress, sent) = match &mut exchange.response {
            Response::Bytes { body, sent } => self.send_piece(body, sent, plain),
            Response::Shared { body, sent } => self.send_piece(body, sent, plain),
            Response::Streaming(streaming) => match &service.cluster {
                Some(cluster) => {
                    let mut piece = Vec::new();
                    let progress = streaming.poll(cluster, clock.wall, &mut piece, PIECE_BYTES);
                    if streaming.is_watch() {
                        self.watch_events += piece.iter().filter(|byte| **byte == b'\n').count() as u32;
                    }
                    if !piece.is_empty() {
                        self.http.data(&piece, plain);
                    }
                    (progress, piece.len())
                }
                None => (Progress::Done, 0),
            },
        };
        recorder.sent(service.tally, exchange.recorded, sent);
        if progress == Progress::Done {
            let took = u64::try_from(exchange.asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            recorder.end(service.tally, exchange.recorded, took);
            self.http.finish(plain);
            self.ending |= self.http.must_close();
        } else {
            self.exchange = Some(exchange);
        }
        progress
    }

    fn send_piece(&mut self, body: &[u8], sent: &mut usize, plain: &mut Vec<u8>) -> (Progress, usize) {
        let piece = &body[*sent..body.len().min(*sent + PIECE_BYTES)];
        if !piece.is_empty() {
            self.http.data(piece, plain);
        }
        *sent += piece.len();
        (if *sent == body.len() { Progress::Done } else { Progress::More }, piece.len())
    }
}

impl Service<'_> {
    /// How a new connection is received.
    pub(super) fn greet(&mut self) -> Greeting {
        self.faults.as_mut().map_or(Greeting::Usual, |faults| faults.greet())
    }

    /// When a request is to be answered, if that is later than now.
    fn due(&mut self, request: &Request, clock: &Clock) -> Option<Timestamp> {
        let delay = self.faults.as_mut()?.delay(request)?;
        clock.wall.checked_add(delay).ok()
    }

    /// What somebody is told whose bytes are no request. Clients of the Kubernetes API read nothing but a `Status`.
    fn refuse(&self, refusal: &http1::Refusal) -> kube::Response {
        match (&self.cluster, refusal.status) {
            (None, status) => plain_text(status, &refusal.message),
            (Some(_), 413) => {
                let limit = MessageLimits::default().body_bytes;
                Status::request_entity_too_large(format!("limit is {limit}")).into()
            }
            (Some(_), status) => Status::unreadable(status, refusal.message.clone()).into(),
        }
    }

    fn answer(&mut self, request: &Request, clock: &Clock) -> (kube::Response, Subject) {
        let refusal = self.faults.as_mut().and_then(|faults| faults.refusal(request));
        match (&mut self.cluster, refusal) {
            (Some(cluster), Some(status)) => cluster.refuse(request, status),
            (Some(cluster), None) => cluster.serve(request, clock.wall),
            (None, _) => {
                let (head, body) = steve::handle(request);
                let path = if head.status == 200 { PING } else { UNKNOWN };
                let response = kube::Response { status: head.status, headers: head.headers, body: Body::Bytes(body) };
                (response, Subject::of_path(&request.method, path))
            }
        }
    }
}

fn plain_text(status: u16, message: &str) -> kube::Response {
    let headers = http1::Headers::from_iter([("Content-Type", "text/plain; charset=utf-8")]);
    kube::Response { status, headers, body: Body::Bytes(message.as_bytes().to_vec()) }
}

/// What the steve tunnel serves.
pub(super) const PING: &str = "/ping";
/// What the steve tunnel does not serve.
pub(super) const UNKNOWN: &str = "steve";
/// What is no HTTP request.
const UNREADABLE: &str = "unreadable";
/// One TLS record: smaller pieces cost headers, larger ones delay the neighbours.
const PIECE_BYTES: usize = 16 * 1024;
/// Twice what makes the session send Pause: what may be in flight before the peer has seen it, and as much again.
const FLOOD_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::stats::Stats;
    use crate::kube::{Baseline, Identity, Limits, Source};
    use serde_json::{Value, json};

    /// What a stream answers to some bytes, with its head.
    fn answer(cluster: Option<&mut Cluster>, bytes: &[u8]) -> (String, String) {
        let mut stream = Stream::new(None, Open::new(&Arc::default(), |stats: &Stats| &stats.streams_open)).unwrap();
        stream.receive(bytes).unwrap();
        let (mut tally, mut recorder) = (Tally::default(), Recorder::default());
        let mut service = Service { cluster, faults: None, tally: &mut tally };
        while stream.step(&mut service, &Clock::read(), &mut recorder).unwrap() != Step::End {}
        let text = String::from_utf8(stream.take()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn cluster() -> Cluster {
        let source = Source { objects: Vec::new(), ca_pem: "PEM", kubernetes_version: "v1.31.4" };
        let identity = Identity { name: "edge".into(), seed: 7, rotation: 0, created: Timestamp::UNIX_EPOCH };
        let limits = Limits { watch_history: 10, objects: 10, object_bytes: 1_000 };
        Cluster::new(identity, Arc::new(Baseline::compile(source).unwrap()), limits)
    }

    #[test]
    fn a_body_that_is_too_large_is_refused_as_an_apiserver_does() {
        let request = b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 3145729\r\n\r\n";
        let (head, body) = answer(Some(&mut cluster()), request);
        assert!(head.starts_with("HTTP/1.1 413 ") && head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 413,
                "reason": "RequestEntityTooLarge", "message": "Request entity too large: limit is 3145728"
            })
        );
    }

    #[test]
    fn what_is_no_request_is_refused_in_json_and_by_steve_in_words() {
        let request = b"GET /ping HTTP/1.1\r\n\r\n";
        let (head, body) = answer(Some(&mut cluster()), request);
        assert!(head.starts_with("HTTP/1.1 400 ") && head.contains("\r\nConnection: close"), "{head}");
        let status: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("BadRequest")));
        assert_eq!(status["message"], "exactly one Host header field is required");
        let (head, body) = answer(None, request);
        assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{head}");
        assert_eq!(body, "exactly one Host header field is required");
    }
}
