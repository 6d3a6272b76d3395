//! Puts on record what is done and refused, for those who may wait for a disk and for those who must not.

use super::deed::{Deed, Outcome};
use super::log::{AuditConfig, AuditLog};
use super::refusals::Refusals;
use crate::api::auth::Caller;
use crate::telemetry::{Exposition, Source};
use crossbeam_channel::{Receiver, Sender, bounded};
use jiff::Timestamp;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Whoever keeps the audit log.
pub(in crate::api) struct Auditor {
    log: AuditLog,
    refusals: Arc<Refusals>,
    notes: (Sender<Note>, Receiver<Note>),
    started: Timestamp,
    deeds: AtomicU64,
}

/// What a thread that must not wait for a disk wants put on record.
pub(in crate::api) struct Note(Deed, Outcome);

impl Auditor {
    /// Opens the log.
    pub(in crate::api) fn open(config: AuditConfig, refusals: Arc<Refusals>) -> io::Result<Auditor> {
        let (started, deeds) = (Timestamp::now(), AtomicU64::new(1));
        Ok(Auditor { log: AuditLog::open(config)?, refusals, notes: bounded(NOTES), started, deeds })
    }

    /// A deed of its own number.
    pub(in crate::api) fn deed(&self, source: IpAddr, caller: Caller, method: String, path: String) -> Deed {
        let number = self.deeds.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:x}-{number}", self.started.as_millisecond());
        Deed { id, source, caller, method, path, cluster: None }
    }

    /// Writes a line. What cannot be written is counted, told by [`Auditor::problem`], and named in the log once it can be.
    pub(in crate::api) fn write(&self, deed: &Deed, outcome: &Outcome) {
        self.log.write(deed.line(outcome));
    }

    /// The same, without waiting: somebody who takes [`Auditor::notes`] does it.
    pub(in crate::api) fn note(&self, deed: Deed, outcome: Outcome) {
        if self.notes.0.try_send(Note(deed, outcome)).is_err() {
            self.log.lose("more is to be put on record than the disk keeps up with".into());
        }
    }

    /// A request was refused before anything was known of its caller. Does not wait; a flood is summed up.
    pub(in crate::api) fn refuse(&self, source: IpAddr, method: &str, path: &str, status: u16, detail: &str) {
        if !self.is_worth_a_record(source, Instant::now()) {
            return;
        }
        let deed = self.deed(source, Caller::nobody(), method.to_owned(), path.to_owned());
        let outcome = Outcome::Answered { status, detail: Some(detail.to_owned()), took: None };
        if self.notes.0.try_send(Note(deed, outcome)).is_err() {
            self.refusals.leave_out(source);
        }
    }

    /// Whether one more refusal of this address has a line of its own; else it is summed up.
    pub(in crate::api) fn is_worth_a_record(&self, source: IpAddr, now: Instant) -> bool {
        self.refusals.count(source, now).is_worth_a_record
    }

    /// Notes to be [put](Auditor::put) on record.
    pub(in crate::api) fn notes(&self) -> &Receiver<Note> {
        &self.notes.1
    }

    /// Puts a note on record.
    pub(in crate::api) fn put(&self, Note(deed, outcome): Note) {
        self.write(&deed, &outcome);
    }

    /// Puts on record what waits for it, and the sum of what was refused until a minute ago; with `all`, up to now.
    pub(in crate::api) fn catch_up(&self, all: bool) {
        self.notes.1.try_iter().take(NOTES).for_each(|note| self.put(note));
        if let Some(unrecorded) = self.refusals.unrecorded(Instant::now(), all) {
            self.log.sum_up(&unrecorded);
        }
    }

    /// Why the log cannot be written, if it cannot.
    pub(in crate::api) fn problem(&self) -> Option<String> {
        self.log.problem()
    }
}

impl Source for Auditor {
    fn expose(&self, out: &mut Exposition) {
        self.log.expose(out);
    }
}

/// Notes that may wait: the refusals of some minutes.
const NOTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::time::Duration;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn auditor(folder: &std::path::Path) -> Auditor {
        let config = AuditConfig { path: folder.join("audit.log"), max_bytes: 1 << 20, files: 2 };
        Auditor::open(config, Arc::default()).unwrap()
    }

    fn lines(folder: &std::path::Path) -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join("audit.log")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn deeds_have_numbers_of_their_own_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let mut auditor = auditor(folder.path());
        let id = |auditor: &Auditor| auditor.deed(SOURCE, Caller::nobody(), "POST".into(), "/".into()).id;
        let (first, second) = (id(&auditor), id(&auditor));
        auditor.deeds = AtomicU64::new(1);
        auditor.started += jiff::SignedDuration::from_millis(1);
        assert_eq!(std::collections::BTreeSet::from([first, second, id(&auditor)]).len(), 3);
    }

    #[test]
    fn a_flood_of_refusals_is_some_lines_and_a_sum() {
        let folder = tempfile::tempdir().unwrap();
        let auditor = auditor(folder.path());
        (0..1000).for_each(|_| auditor.refuse(SOURCE, "GET", "/x", 400, "malformed"));
        auditor.catch_up(true);
        let lines = lines(folder.path());
        let (sum, single) = lines.split_last().unwrap();
        assert_eq!(
            (single.len() as u64 + sum["refusals"].as_u64().unwrap(), &sum["source"]),
            (1000, &"192.0.2.1".into())
        );
        assert_eq!(single.len(), 11, "as of those who show no key");
        for line in single {
            assert_eq!(
                (&line["status"], &line["outcome"], &line["caller"]),
                (&400.into(), &"refused".into(), &"-".into())
            );
        }
    }

    #[test]
    fn where_nobody_keeps_up_refusals_are_summed_up_and_lost_deeds_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let auditor = auditor(folder.path());
        let deed = || auditor.deed(SOURCE, Caller::nobody(), "POST".into(), "/clusters".into());
        (0..NOTES).for_each(|_| auditor.note(deed(), Outcome::Unknown { took: Duration::ZERO }));
        auditor.refuse(SOURCE, "GET", "/x", 400, "malformed");
        assert_eq!(auditor.problem(), None);
        auditor.note(deed(), Outcome::Unknown { took: Duration::ZERO });
        assert!(auditor.problem().unwrap().contains("1 records are lost"), "{:?}", auditor.problem());
        auditor.catch_up(true);
        assert_eq!(auditor.problem(), None);
        let lines = lines(folder.path());
        assert_eq!(lines.len(), 1 + NOTES + 1);
        assert_eq!((&lines[0]["lost"], &lines[NOTES + 1]["refusals"]), (&1.into(), &1.into()));
    }
}
