//! Keeps tiny_http's connections from waiting for each other.
//!
//! tiny_http 0.12 gives each connection a thread of a pool that grows when none is idle (`util/task_pool.rs`). An idle thread
//! that was woken for one connection counts as idle until it runs, so a second connection of the same moment queues behind the
//! first for as long as that one is open: a `POST` that waits for Rancher, or a client that keeps its connection, holds up
//! somebody's `GET /health`. Whatever connects next and leaves frees one of them; this thread does so all the time.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tiny_http::Server;

/// Connects to the server now and then for as long as there is one.
pub(super) fn start(server: &Arc<Server>, address: SocketAddr) -> io::Result<()> {
    let server = Arc::downgrade(server);
    std::thread::Builder::new().name("api-nudge".into()).spawn(move || nudge(&server, address)).map(drop)
}

fn nudge(server: &Weak<Server>, address: SocketAddr) {
    while server.strong_count() > 0 {
        // A full backlog means that others nudge.
        drop(TcpStream::connect_timeout(&address, INTERVAL));
        std::thread::sleep(INTERVAL);
    }
}

/// Short enough that nobody notices the wait, and a few hundred sockets in TIME_WAIT.
const INTERVAL: Duration = Duration::from_millis(100);
