//! The `journal` thread: groups what it is handed into commits and says when they are on disk.

use super::{JournalError, JournalFile, KeptCluster};
use crate::kube::Written;
use crate::telemetry::{Counter, Exposition, Histogram, Metrics, Source};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A change of a cluster's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// The cluster.
    pub name: Arc<str>,
    /// Its record now; `None` if the cluster is gone, with all that was written in it.
    pub record: Option<Vec<u8>>,
}

/// What was written in some clusters.
#[derive(Debug, Default)]
pub struct Overlay {
    /// By name.
    pub clusters: Vec<(Arc<str>, Written)>,
}

/// Something to be kept, and whom to tell.
struct Item {
    records: Vec<RecordChange>,
    overlay: Option<Overlay>,
    told: Told,
}

/// Is told whether it is on disk; must not block.
type Told = Box<dyn FnOnce(Result<(), Arc<JournalError>>) + Send>;

/// Hands things to the thread.
#[derive(Clone)]
pub struct JournalHandle(Sender<Item>);

/// What the journal counts.
struct Stats {
    queue: Receiver<Item>,
    commits: Histogram,
    failures: Counter,
}

/// The running thread.
pub struct Journal {
    handle: JournalHandle,
    stats: Arc<Stats>,
    thread: JoinHandle<()>,
}

impl Journal {
    /// Starts the thread on an open file. Before anything else it hands over what was written in each cluster in earlier runs.
    pub fn start(file: JournalFile, past: Sender<KeptCluster>) -> std::io::Result<Journal> {
        let (sender, queue) = bounded(QUEUE_LENGTH);
        let commits = Histogram::new(COMMIT_BOUNDS_SECONDS);
        let stats = Arc::new(Stats { queue, commits, failures: Counter::default() });
        let counted = stats.clone();
        let run = move || run(file, &counted, past);
        let thread = std::thread::Builder::new().name("journal".into()).spawn(run)?;
        Ok(Journal { handle: JournalHandle(sender), stats, thread })
    }

    /// A way to hand things over.
    pub fn handle(&self) -> JournalHandle {
        self.handle.clone()
    }

    /// Adds what it counts.
    pub fn add_to(&self, metrics: &mut Metrics) {
        metrics.add(self.stats.clone());
        let stats = self.stats.clone();
        metrics.add_queue("journal", QUEUE_LENGTH, move || stats.queue.len());
    }

    /// Waits until everything that was handed over is dealt with; the other handles have to be gone.
    pub fn join(self) {
        drop(self.handle);
        if self.thread.join().is_err() {
            log::error!("the journal ended by a panic; please report it");
        }
    }
}

impl JournalHandle {
    /// Keeps changes of records. Never blocks: when the queue is full, that is what is told.
    pub fn keep_records(
        &self,
        records: Vec<RecordChange>,
        told: impl FnOnce(Result<(), Arc<JournalError>>) + Send + 'static,
    ) -> Result<(), Vec<RecordChange>> {
        let item = Item { records, overlay: None, told: Box::new(told) };
        self.0.try_send(item).map_err(|error| match error {
            TrySendError::Full(item) | TrySendError::Disconnected(item) => item.records,
        })
    }

    /// Keeps what was written in clusters; `false` when the queue is full and nothing was taken.
    pub fn keep_overlay(
        &self,
        overlay: Overlay,
        told: impl FnOnce(Result<(), Arc<JournalError>>) + Send + 'static,
    ) -> bool {
        self.0.try_send(Item { records: Vec::new(), overlay: Some(overlay), told: Box::new(told) }).is_ok()
    }

    /// Keeps the last of what was written in clusters, and waits at most `within` for room to say so.
    pub fn keep_last_overlay(&self, overlay: Overlay, within: Duration) -> bool {
        let item = Item { records: Vec::new(), overlay: Some(overlay), told: Box::new(drop) };
        self.0.send_timeout(item, within).is_ok()
    }
}

impl Source for Stats {
    fn expose(&self, out: &mut Exposition) {
        let help = "Time that a commit of the journal took, from the first of its changes to the disk.";
        out.histogram("scale_agent_journal_commit_seconds", help, &[(&[], &[&self.commits])]);
        let help = "Commits of the journal that failed.";
        out.counter("scale_agent_journal_failures_total", help, &[(&[], self.failures.get())]);
    }
}

fn run(mut file: JournalFile, stats: &Stats, past: Sender<KeptCluster>) {
    if let Err(error) = file.each_cluster(|cluster| past.send(cluster).is_ok()) {
        log::error!("some clusters do not go on: {error}; {}", error.remedy());
    }
    drop(past);
    let mut failing = false;
    while let Ok(first) = stats.queue.recv() {
        let begun = Instant::now();
        let mut records = Vec::new();
        let mut overlays = Vec::new();
        let mut told = Vec::new();
        // In the order of their arrival: whatever came while the last commit was under way goes with this one.
        for item in std::iter::once(first).chain(stats.queue.try_iter().take(ITEMS_PER_COMMIT)) {
            records.extend(item.records);
            overlays.extend(item.overlay);
            told.push(item.told);
        }
        let outcome = file.commit(&records, &overlays).map_err(Arc::new);
        match outcome {
            Ok(()) => stats.commits.observe(begun.elapsed()),
            Err(_) => stats.failures.increment(),
        }
        match (&outcome, failing) {
            (Err(error), false) => log::error!("the state cannot be stored: {error}; {}", error.remedy()),
            (Ok(()), true) => log::info!("the state is stored again"),
            _ => {}
        }
        failing = outcome.is_err();
        told.into_iter().for_each(|told| told(outcome.clone()));
    }
}

/// Items that may wait: one of each worker, and a burst of the manager's.
const QUEUE_LENGTH: usize = 1024;
/// From a disk that lies about having written to one that is overrun.
const COMMIT_BOUNDS_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Bounds what one commit holds in memory.
const ITEMS_PER_COMMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_told_once_it_is_on_disk() {
        let home = tempfile::tempdir().unwrap();
        let (file, _) = JournalFile::open(home.path()).unwrap();
        let journal = Journal::start(file, bounded(1).0).unwrap();
        let (sender, told) = bounded(100);
        for number in 0..100 {
            let change = RecordChange { name: format!("c-{number}").into(), record: Some(vec![1]) };
            let sender = sender.clone();
            journal.handle().keep_records(vec![change], move |outcome| sender.send(outcome.is_ok()).unwrap()).unwrap();
        }
        assert!((0..100).all(|_| told.recv().unwrap()));
        journal.join();
        let (_, kept) = JournalFile::open(home.path()).unwrap();
        assert_eq!(kept.records.len(), 100);
    }
}
