//! The stand-in for a Rancher server, listening.

use super::worker::{Shared, Worker};
use super::{Behaviour, Fleet, Profile};
use crate::engine::{Authority, EngineError, Validity};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// How the stand-in behaves.
#[derive(Debug, Clone)]
pub struct StandInOptions {
    /// The load that each cluster gets.
    pub profile: Profile,
    /// What it takes its time for.
    pub behaviour: Behaviour,
    /// Worker threads; at least one.
    pub threads: usize,
    /// Decides cluster ids and tokens.
    pub seed: u64,
}

/// A running stand-in on a free port of 127.0.0.1, with an authority and an API token of its own. Dropping it ends it.
#[derive(Debug)]
pub struct StandIn {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// The certificate that its clients have to trust.
    pub ca_pem: String,
    /// Its clusters, and the API token under [`Fleet::bearer`].
    pub fleet: Arc<Fleet>,
    address: SocketAddr,
    threads: usize,
    shared: Arc<Shared>,
    workers: Vec<(Arc<mio::Waker>, JoinHandle<()>)>,
}

/// Why the stand-in cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// No certificate, no TLS.
    #[error(transparent)]
    Authority(#[from] EngineError),
    /// No socket, no poll, no thread.
    #[error("the stand-in for Rancher cannot listen on 127.0.0.1: {0}")]
    Io(#[from] io::Error),
}

impl StandIn {
    /// Starts listening and serving.
    pub fn start(options: StandInOptions) -> Result<StandIn, StandInError> {
        let authority = Authority::generate()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let mut random = fastrand::Rng::with_seed(options.seed);
        let secret: String = std::iter::repeat_with(|| random.alphanumeric().to_ascii_lowercase()).take(54).collect();
        let fleet = Arc::new(Fleet::new(&format!("token-rehrs:{secret}"), options.behaviour, random.u64(..)));
        let shared = Arc::new(Shared {
            fleet: fleet.clone(),
            profile: Arc::new(options.profile),
            ca_pem: authority.certificate_pem().to_owned(),
            tls: authority.server_config("127.0.0.1", Validity::Lasting)?,
            trust: Mutex::new(HashMap::new()),
            stopping: AtomicBool::new(false),
        });
        let mut stand_in = StandIn {
            url: format!("https://{address}"),
            ca_pem: authority.certificate_pem().to_owned(),
            fleet,
            address,
            threads: options.threads.max(1),
            shared,
            workers: Vec::new(),
        };
        stand_in.serve(listener)?;
        Ok(stand_in)
    }

    /// Goes away as a process that was killed: every connection ends and new ones are refused. Its clusters are remembered.
    pub fn go_down(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for (waker, thread) in self.workers.drain(..) {
            // A worker that cannot be woken sees the flag at its next timer.
            let _ = waker.wake();
            // A worker that panicked has said so.
            let _ = thread.join();
        }
    }

    /// Comes back on the port that it had.
    pub fn come_back(&mut self) -> Result<(), StandInError> {
        self.shared.stopping.store(false, Ordering::Relaxed);
        Ok(self.serve(TcpListener::bind(self.address)?)?)
    }

    fn serve(&mut self, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        for index in 0..self.threads {
            let worker = Worker::new(self.shared.clone(), listener.try_clone()?)?;
            let waker = worker.waker();
            let thread = thread::Builder::new().name(format!("stand-in-{index}")).spawn(move || worker.run())?;
            self.workers.push((waker, thread));
        }
        Ok(())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.go_down();
    }
}
