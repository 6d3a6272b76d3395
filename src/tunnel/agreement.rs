//! Two sessions against each other, whatever happens in whatever order.

use super::{ConnectionId, Event, Outbox, Role, Session, SessionLimits};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// One end with a record of what it did and saw.
struct End {
    session: Session,
    outbox: Outbox,
    open: BTreeSet<ConnectionId>,
    sent: BTreeMap<ConnectionId, usize>,
    received: BTreeMap<ConnectionId, usize>,
}

#[derive(Debug, Clone)]
enum Step {
    Dial,
    Send {
        by_agent: bool,
        which: usize,
        bytes: usize,
    },
    /// So many received bytes are unread.
    Unread {
        by_agent: bool,
        which: usize,
        bytes: usize,
    },
    Close {
        by_agent: bool,
        which: usize,
    },
    /// So many frames reach the agent, or the server.
    Deliver {
        to_agent: bool,
        frames: usize,
    },
    Sync,
}

impl End {
    fn new(role: Role) -> End {
        let limits = SessionLimits { connections: CONNECTIONS, pause_above: 1000, resume_below: 100 };
        End {
            session: Session::new(role, i64::MAX - 5, limits),
            outbox: Outbox::new(),
            open: BTreeSet::new(),
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
        }
    }

    fn choose(&self, which: usize) -> Option<ConnectionId> {
        self.open.iter().nth(which % self.open.len().max(1)).copied()
    }

    fn send(&mut self, connection: ConnectionId, bytes: usize) {
        if self.session.may_send(connection) {
            let sent = self.sent.entry(connection).or_default();
            let payload: Vec<u8> = (*sent..*sent + bytes).map(byte_at).collect();
            *sent += bytes;
            self.session.send(connection, &payload, &mut self.outbox);
        }
    }

    /// Hands up to `frames` frames of `self` to `peer` and checks what comes of them.
    fn deliver(&mut self, peer: &mut End, frames: usize) {
        for frame in self.outbox.drain(..frames.min(self.outbox.len())) {
            match peer.session.receive(&frame, &mut peer.outbox).unwrap() {
                Event::Connect { connection, network, address } => {
                    assert_eq!((network, address), ("tcp", "10.43.0.1:443"));
                    assert!(peer.open.insert(connection));
                }
                Event::Data { connection, payload } => {
                    let received = peer.received.entry(connection).or_default();
                    let expected: Vec<u8> = (*received..*received + payload.len()).map(byte_at).collect();
                    assert_eq!(payload, expected);
                    *received += payload.len();
                }
                Event::Closed { connection, .. } => {
                    assert!(peer.open.remove(&connection));
                    assert_eq!(peer.received.get(&connection), self.sent.get(&connection), "cut short by the close");
                }
                Event::Dropped(connections) => {
                    for connection in connections {
                        assert!(peer.open.remove(&connection));
                    }
                }
                Event::Paused { connection } => assert!(!peer.session.may_send(connection)),
                Event::Resumed { connection } => assert!(peer.session.may_send(connection)),
                Event::Nothing => {}
            }
        }
        assert_eq!(peer.session.connections(), peer.open.len());
    }
}

fn run(steps: Vec<Step>) -> (End, End) {
    let (mut server, mut agent) = (End::new(Role::Server), End::new(Role::Agent));
    for step in steps {
        match step {
            Step::Dial if server.open.len() < CONNECTIONS && agent.open.len() < CONNECTIONS => {
                let connection = server.session.connect("tcp", "10.43.0.1:443", &mut server.outbox);
                assert!(server.open.insert(connection));
            }
            Step::Dial => {}
            Step::Send { by_agent, which, bytes } => {
                let end = if by_agent { &mut agent } else { &mut server };
                end.choose(which).into_iter().for_each(|connection| end.send(connection, bytes));
            }
            Step::Unread { by_agent, which, bytes } => {
                let end = if by_agent { &mut agent } else { &mut server };
                if let Some(connection) = end.choose(which) {
                    let received = end.received.get(&connection).copied().unwrap_or_default();
                    end.session.buffered(connection, bytes.min(received), &mut end.outbox);
                }
            }
            Step::Close { by_agent, which } => {
                let end = if by_agent { &mut agent } else { &mut server };
                if let Some(connection) = end.choose(which) {
                    end.session.close(connection, "EOF", &mut end.outbox);
                    end.open.remove(&connection);
                }
            }
            Step::Deliver { to_agent: true, frames } => server.deliver(&mut agent, frames),
            Step::Deliver { to_agent: false, frames } => agent.deliver(&mut server, frames),
            Step::Sync => agent.session.sync(&mut agent.outbox),
        }
    }
    settle(&mut server, &mut agent);
    (server, agent)
}

/// Everything under way arrives, and everything received is read.
fn settle(server: &mut End, agent: &mut End) {
    for end in [&mut *server, &mut *agent] {
        end.open.iter().for_each(|connection| end.session.buffered(*connection, 0, &mut end.outbox));
    }
    // A frame causes at most an answer, and that one nothing.
    for _ in 0..3 {
        server.deliver(agent, usize::MAX);
        agent.deliver(server, usize::MAX);
    }
    assert!(server.outbox.is_empty() && agent.outbox.is_empty());
}

fn steps(with_sync: bool) -> impl Strategy<Value = Vec<Step>> {
    let which = 0..CONNECTIONS;
    let step = prop_oneof![
        2 => Just(Step::Dial),
        4 => (any::<bool>(), which.clone(), 1usize..40_000)
            .prop_map(|(by_agent, which, bytes)| Step::Send { by_agent, which, bytes }),
        2 => (any::<bool>(), which.clone(), 0usize..2000)
            .prop_map(|(by_agent, which, bytes)| Step::Unread { by_agent, which, bytes }),
        1 => (any::<bool>(), which).prop_map(|(by_agent, which)| Step::Close { by_agent, which }),
        4 => (any::<bool>(), 1usize..5).prop_map(|(to_agent, frames)| Step::Deliver { to_agent, frames }),
        u32::from(with_sync) => Just(Step::Sync),
    ];
    prop::collection::vec(step, 1..80)
}

/// What stands at each place of every stream; no multiple of a frame's or a buffer's size repeats it.
fn byte_at(position: usize) -> u8 {
    (position % 251) as u8
}

const CONNECTIONS: usize = 4;

proptest! {
    // A case moves up to a megabyte.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_byte_arrives_in_order_and_both_agree_what_is_open(steps in steps(false)) {
        let (mut server, mut agent) = run(steps);
        prop_assert_eq!(&server.open, &agent.open);
        for connection in &server.open {
            prop_assert_eq!(agent.received.get(connection), server.sent.get(connection));
            prop_assert_eq!(server.received.get(connection), agent.sent.get(connection));
            prop_assert!(server.session.may_send(*connection) && agent.session.may_send(*connection));
        }
        let agreed = server.open.clone();
        agent.session.sync(&mut agent.outbox);
        settle(&mut server, &mut agent);
        prop_assert_eq!(server.open, agreed);
    }

    /// A Connect that crosses a SyncConnections is lost to the server, in the reference too. The server is left with nothing
    /// that the agent lacks, and the agent learns what it has in vain when it next sends there.
    #[test]
    fn a_sync_at_the_wrong_moment_heals_itself(steps in steps(true)) {
        let (mut server, mut agent) = run(steps);
        prop_assert!(server.open.is_subset(&agent.open));
        for connection in agent.open.clone() {
            agent.send(connection, 1);
        }
        settle(&mut server, &mut agent);
        prop_assert_eq!(&server.open, &agent.open);
    }
}
