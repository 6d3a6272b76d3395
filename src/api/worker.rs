//! The threads that read requests, ask the manager, and answer: none waits for a client, and none for the manager.

use super::audit::Outcome;
use super::call::{Present, Reaction};
use super::respond;
use super::server::Shared;
use super::subject;
use super::waiting::{MAX_UNDER_WAY, Place, Waiting};
use crate::manager::{Action, Answer, Command, Refusal, RefusalKind, Reply};
use crate::telemetry::Gauge;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use std::io;
use std::sync::Arc;
use tiny_http::{Request, Server};

/// Starts them on what tiny_http has; how many requests are under way is counted.
pub(super) fn start(server: Arc<Server>, shared: &Arc<Shared>, under_way: Arc<Gauge>) -> io::Result<()> {
    let (work, queue) = bounded(MAX_UNDER_WAY as usize);
    for index in 0..THREADS {
        let worker = Worker { queue: queue.clone(), work: work.clone(), shared: shared.clone() };
        std::thread::Builder::new().name(format!("api-{index}")).spawn(move || worker.run())?;
    }
    let acceptor = Acceptor { server, work, shared: shared.clone(), under_way };
    std::thread::Builder::new().name("api".into()).spawn(move || acceptor.run()).map(drop)
}

/// What the `api-N` threads do.
enum Work {
    Read(Waiting),
    Answer(Waiting, Option<Present>, Answer),
}

struct Acceptor {
    server: Arc<Server>,
    work: Sender<Work>,
    shared: Arc<Shared>,
    under_way: Arc<Gauge>,
}

impl Acceptor {
    fn run(self) {
        loop {
            match self.server.recv() {
                Ok(request) => self.take(request),
                // `stop` was called, or the listening socket broke: the agent itself goes on.
                Err(error) => return log::debug!("the REST API stops accepting: {error}"),
            }
        }
    }

    fn take(&self, request: Request) {
        let place = Place::among(&self.under_way, request.method().as_str(), self.shared.max_changing);
        let Some(place) = place else { return self.shared.turn_away(request) };
        // There is room: each request under way waits at one place at most. Where nobody works any more it is answered as it is dropped.
        let _ = self.work.try_send(Work::Read(Waiting::new(request, &self.shared, place)));
    }
}

struct Worker {
    queue: Receiver<Work>,
    work: Sender<Work>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(self) {
        loop {
            select! {
                recv(self.queue) -> work => match work {
                    Ok(Work::Read(waiting)) => self.read(waiting),
                    Ok(Work::Answer(waiting, present, answer)) => self.answer(waiting, present, answer),
                    Err(_) => return,
                },
                recv(self.shared.auditor.notes()) -> note => note.into_iter().for_each(|note| self.shared.auditor.put(note)),
            }
        }
    }

    fn read(&self, mut waiting: Waiting) {
        match waiting.take() {
            Err(problem) => waiting.refuse(problem),
            Ok(Reaction::Show(page)) => waiting.end(page, None),
            Ok(Reaction::Ask(action)) => self.ask(waiting, None, action),
            Ok(Reaction::AskFor(action, present)) => self.ask(waiting, Some(present), action),
        }
    }

    fn ask(&self, mut waiting: Waiting, present: Option<Present>, action: Action) {
        if let Some(deed) = &mut waiting.deed {
            deed.cluster = subject::of_action(&action).or(deed.cluster.take());
            self.shared.auditor.write(deed, &Outcome::Begun);
        }
        let work = self.work.clone();
        let reply = Reply::new(move |answer| {
            // There is room, see `Acceptor::take`.
            let _ = work.try_send(Work::Answer(waiting, present, answer));
        });
        let refused = self.shared.commands.try_send(Command { action, reply });
        if let Err(TrySendError::Full(command) | TrySendError::Disconnected(command)) = refused {
            let refusal = Refusal::new(
                RefusalKind::Unavailable,
                "the agent has more requests waiting than it can hold, or is stopping",
                "try again in a second",
            );
            command.reply.send(Answer::Refused(refusal));
        }
    }

    fn answer(&self, mut waiting: Waiting, present: Option<Present>, answer: Answer) {
        if let Some(deed) = &mut waiting.deed {
            deed.cluster = deed.cluster.take().or_else(|| subject::of_answer(&answer));
        }
        let page = match present {
            Some(present) => present(&self.shared.surroundings, answer).or_else(respond::answer),
            None => respond::answer(answer),
        };
        match page {
            Ok(page) => waiting.end(page, None),
            Err(problem) => waiting.refuse(problem),
        }
    }
}

/// How many of them read and answer.
const THREADS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AuditConfig;
    use crate::api::audit::{Auditor, Refusals};
    use crate::api::auth::Auth;
    use crate::api::gate::SOURCE_FIELD;
    use crate::api::surroundings::Surroundings;
    use crate::telemetry::Metrics;
    use crossbeam_channel::unbounded;
    use serde_json::Value;
    use tiny_http::{Header, TestRequest};

    const MAX_CHANGING: i64 = 96;

    struct Bench {
        folder: tempfile::TempDir,
        acceptor: Acceptor,
        worker: Worker,
        commands: Receiver<Command>,
    }

    impl Bench {
        fn new() -> Bench {
            let folder = tempfile::tempdir().unwrap();
            let config = AuditConfig { path: folder.path().join("audit.log"), max_bytes: 1 << 30, files: 2 };
            let refusals = Arc::<Refusals>::default();
            let auditor = Arc::new(Auditor::open(config, refusals.clone()).unwrap());
            let (sender, commands) = unbounded();
            let shared = Arc::new(Shared {
                commands: sender,
                auth: Auth::new(Vec::new(), refusals),
                auditor: auditor.clone(),
                surroundings: Surroundings { metrics: Metrics::default(), auditor },
                stats: Arc::default(),
                max_body_bytes: 1024,
                max_changing: MAX_CHANGING,
            });
            let (work, queue) = bounded(MAX_UNDER_WAY as usize);
            let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
            let worker = Worker { queue, work: work.clone(), shared: shared.clone() };
            let acceptor = Acceptor { server, work, shared, under_way: Arc::default() };
            Bench { folder, acceptor, worker, commands }
        }

        fn work(&self) {
            match self.worker.queue.try_recv().unwrap() {
                Work::Read(waiting) => self.worker.read(waiting),
                Work::Answer(waiting, present, answer) => self.worker.answer(waiting, present, answer),
            }
        }

        /// The lines of the audit log.
        fn told(&self) -> Vec<Value> {
            self.acceptor.shared.auditor.catch_up(true);
            let text = std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    fn create() -> Request {
        let field = |name: &str, value: &str| Header::from_bytes(name, value).unwrap();
        let request = TestRequest::new().with_method(tiny_http::Method::Post).with_path("/clusters?wait=true");
        let request = request.with_header(field("Host", "localhost")).with_header(field(SOURCE_FIELD, "192.0.2.7"));
        request.with_body(r#"{"name":"edge-1"}"#).into()
    }

    #[test]
    fn what_changes_something_is_on_record_before_the_manager_hears_of_it() {
        let bench = Bench::new();
        bench.acceptor.take(create());
        bench.work();
        let command = bench.commands.try_recv().unwrap();
        let begun = bench.told();
        assert_eq!((begun.len(), &begun[0]["outcome"], &begun[0]["cluster"]), (1, &"begun".into(), &"edge-1".into()));
        command.reply.send(Answer::Gone);
        bench.work();
        let both = bench.told();
        assert_eq!((both.len(), &both[1]["outcome"], &both[1]["id"]), (2, &"done".into(), &begun[0]["id"]));
        assert_eq!(bench.acceptor.under_way.get(), 0);
    }

    #[test]
    fn a_manager_that_ends_without_an_answer_leaves_no_deed_without_an_end() {
        let bench = Bench::new();
        bench.acceptor.take(create());
        bench.work();
        drop(bench.commands.try_recv().unwrap());
        let told = bench.told();
        assert_eq!((told.len(), &told[1]["outcome"], &told[1]["id"]), (2, &"unknown".into(), &told[0]["id"]));
        assert_eq!(bench.acceptor.under_way.get(), 0);
    }

    #[test]
    fn whoever_finds_no_place_is_refused_and_that_is_on_record() {
        let bench = Bench::new();
        (0..MAX_CHANGING).for_each(|_| bench.acceptor.take(create()));
        assert_eq!(bench.told(), [Value::Null; 0]);
        bench.acceptor.take(create());
        let told = bench.told();
        let [line] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(
            (&line["status"], &line["source"], &line["path"]),
            (&503.into(), &"192.0.2.7".into(), &"/clusters".into())
        );
        // Whoever only looks finds one, until all are taken.
        let look = || {
            TestRequest::new().with_path("/livez").with_header(Header::from_bytes("Host", "localhost").unwrap()).into()
        };
        (MAX_CHANGING..MAX_UNDER_WAY).for_each(|_| bench.acceptor.take(look()));
        assert_eq!(bench.told().len(), 1);
        bench.acceptor.take(look());
        assert_eq!(bench.told().len(), 2);
        // Each that waits for its answer has kept room for it.
        (0..MAX_UNDER_WAY).for_each(|_| bench.work());
        bench.commands.try_iter().for_each(|command| command.reply.send(Answer::Gone));
        assert_eq!(bench.worker.queue.len(), MAX_UNDER_WAY as usize);
        (0..MAX_UNDER_WAY).for_each(|_| bench.work());
        assert_eq!(bench.told().len(), 2 + 2 * MAX_CHANGING as usize);
    }
}
