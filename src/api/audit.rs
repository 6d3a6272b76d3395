//! The audit log: who did what to which cluster from where with what outcome; a JSON line for each request that changes
//! something and for each that is refused.

use super::auth::{Caller, Unrecorded};
use crate::config::make_private;
use crate::telemetry::{Counter, Exposition, Source};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the audit log is and how large it may be.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// The file; older ones have a number behind its name.
    pub path: PathBuf,
    /// How large each file may be, in bytes.
    pub max_bytes: u64,
    /// How many files are kept, the present one among them.
    pub files: usize,
}

/// The open log.
pub(super) struct AuditLog {
    config: AuditConfig,
    state: Mutex<State>,
    written: Counter,
    lost: Counter,
}

#[derive(Default)]
struct State {
    file: Option<(File, u64)>,
    /// Why the last record could not be written.
    problem: Option<String>,
    /// Records lost since the last that was written.
    lost: u64,
}

/// What is known of a request before its outcome is.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) source: IpAddr,
    pub(super) caller: Caller,
    pub(super) method: String,
    /// The path without its query.
    pub(super) path: String,
    /// The cluster it is about, or the beginning of the names of many.
    pub(super) cluster: Option<String>,
}

/// A line.
#[derive(Serialize)]
struct Record<'a> {
    ts: Timestamp,
    source: IpAddr,
    caller: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    /// `done`, `accepted`, `refused` or `failed`.
    outcome: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    took_ms: u64,
}

/// The line for refusals that have none of their own.
#[derive(Serialize)]
struct Summary<'a> {
    ts: Timestamp,
    outcome: &'static str,
    /// How many there were.
    refusals: u64,
    /// Where the last of them came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    detail: &'a str,
}

/// The line after a gap.
#[derive(Serialize)]
struct Gap<'a> {
    ts: Timestamp,
    lost: u64,
    detail: &'a str,
}

impl AuditLog {
    /// Opens the log; readable by its owner only.
    pub(super) fn open(config: AuditConfig) -> io::Result<AuditLog> {
        let file = open(&config.path)?;
        let state = Mutex::new(State { file: Some(file), ..State::default() });
        Ok(AuditLog { config, state, written: Counter::default(), lost: Counter::default() })
    }

    /// Writes a line. What cannot be written is counted, told by [`AuditLog::problem`], and named in the log once it can be.
    pub(super) fn write(&self, deed: &Deed, status: u16, detail: Option<&str>, took: Duration) {
        let record = Record {
            ts: Timestamp::now(),
            source: deed.source,
            caller: &deed.caller.name,
            role: deed.caller.role.map(|role| role.as_str()),
            method: &deed.method,
            path: clip(&deed.path),
            cluster: deed.cluster.as_deref().map(clip),
            outcome: match status {
                202 => "accepted",
                200..=299 => "done",
                500..=599 => "failed",
                _ => "refused",
            },
            status,
            detail: detail.map(clip),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        self.record(&record);
    }

    /// Writes a line for all the refusals that were too many for one each.
    pub(super) fn sum_up(&self, unrecorded: &Unrecorded) {
        let detail = "more refusals than are recorded one by one";
        let Unrecorded { count, last } = unrecorded;
        self.record(&Summary { ts: Timestamp::now(), outcome: "refused", refusals: *count, source: *last, detail });
    }

    fn record(&self, record: &impl Serialize) {
        let mut state = self.state.lock();
        match self.append(&mut state, record) {
            Ok(()) => self.written.increment(),
            Err(error) => {
                self.lost.increment();
                state.lost += 1;
                // Opened anew next time: the disk may be another by then.
                state.file = None;
                let problem = format!("{}: {error}", self.config.path.display());
                if state.problem.replace(problem).is_none() {
                    log::error!("the audit log cannot be written: {}: {error}", self.config.path.display());
                }
            }
        }
    }

    /// Why the log cannot be written, if it cannot.
    pub(super) fn problem(&self) -> Option<String> {
        let state = self.state.lock();
        let problem = state.problem.as_ref()?;
        Some(format!("the audit log cannot be written, {} records are lost: {problem}", state.lost))
    }

    fn append(&self, state: &mut State, record: &impl Serialize) -> io::Result<()> {
        if let Some(problem) = &state.problem {
            let gap = Gap { ts: Timestamp::now(), lost: state.lost, detail: problem };
            let line = line(&gap)?;
            self.append_line(state, &line)?;
            log::info!("the audit log is written again");
            state.problem = None;
            state.lost = 0;
        }
        self.append_line(state, &line(record)?)
    }

    fn append_line(&self, state: &mut State, line: &[u8]) -> io::Result<()> {
        // Somebody may have moved or deleted the file: what is written there nobody finds.
        let (mut file, mut size) = match state.file.take().filter(|(file, _)| is_at(file, &self.config.path)) {
            Some(open) => open,
            None => open(&self.config.path)?,
        };
        if size > 0 && size + line.len() as u64 > self.config.max_bytes {
            self.rotate()?;
            (file, size) = open(&self.config.path)?;
        }
        if let Err(error) = file.write_all(line) {
            // Half a line would spoil the next one too; a disk that cannot even shorten a file is reported as it is.
            let _ = file.set_len(size);
            return Err(error);
        }
        state.file = Some((file, size + line.len() as u64));
        Ok(())
    }

    fn rotate(&self) -> io::Result<()> {
        let numbered = |number: usize| PathBuf::from(format!("{}.{number}", self.config.path.display()));
        for number in (1..self.config.files.saturating_sub(1)).rev() {
            match std::fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match self.config.files {
            0 | 1 => std::fs::remove_file(&self.config.path),
            _ => std::fs::rename(&self.config.path, numbered(1)),
        }
    }
}

impl Source for AuditLog {
    fn expose(&self, out: &mut Exposition) {
        let help = "Records of the audit log.";
        out.counter("scale_agent_audit_records_total", help, &[(&[], self.written.get())]);
        let help = "Records of the audit log that could not be written.";
        out.counter("scale_agent_audit_records_lost_total", help, &[(&[], self.lost.get())]);
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::options().create(true).append(true).mode(0o600).open(path)?;
    make_private(&file, path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// Whether a path still leads to an open file.
fn is_at(file: &File, path: &Path) -> bool {
    let same = |open: Metadata, there: Metadata| (open.dev(), open.ino()) == (there.dev(), there.ino());
    file.metadata().and_then(|open| Ok(same(open, std::fs::metadata(path)?))).unwrap_or(false)
}

fn line(record: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

/// What a client makes up must not fill the log.
fn clip(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_TEXT).map_or(text.len(), |(end, _)| end);
    &text[..end]
}

const MAX_TEXT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

    fn deed(cluster: &str) -> Deed {
        Deed {
            source: IpAddr::from([192, 0, 2, 1]),
            caller: Caller { name: "ci".into(), role: Some(Role::Operator) },
            method: "POST".into(),
            path: "/clusters".into(),
            cluster: Some(cluster.into()),
        }
    }

    fn log(folder: &Path, max_bytes: u64, files: usize) -> AuditLog {
        AuditLog::open(AuditConfig { path: folder.join("audit.log"), max_bytes, files }).unwrap()
    }

    fn lines(path: PathBuf) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_says_who_did_what_to_which_cluster_with_what_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 1 << 20, 3);
        log.write(&deed("edge-1"), 201, None, Duration::from_millis(42));
        log.write(&deed(&"x".repeat(1000)), 409, Some("in use"), Duration::ZERO);
        let lines = lines(folder.path().join("audit.log"));
        let first = serde_json::json!({"source": "192.0.2.1", "caller": "ci", "role": "operator", "method": "POST",
            "path": "/clusters", "cluster": "edge-1", "outcome": "done", "status": 201, "took_ms": 42});
        let mut shown = lines[0].clone();
        assert!(shown.as_object_mut().unwrap().remove("ts").unwrap().as_str().unwrap().parse::<Timestamp>().is_ok());
        assert_eq!(shown, first);
        assert_eq!((&lines[1]["outcome"], &lines[1]["detail"]), (&"refused".into(), &"in use".into()));
        assert_eq!(lines[1]["cluster"].as_str().unwrap().len(), MAX_TEXT);
    }

    #[test]
    fn files_are_rotated_by_size_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 500, 3);
        for number in 0..12 {
            log.write(&deed(&format!("edge-{number}")), 201, None, Duration::ZERO);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        let path = |suffix: &str| folder.path().join(format!("audit.log{suffix}"));
        let kept = [path(".2"), path(".1"), path("")].map(lines).concat();
        let names: Vec<&str> = kept.iter().map(|line| line["cluster"].as_str().unwrap()).collect();
        let expected: Vec<String> = (12 - names.len()..12).map(|number| format!("edge-{number}")).collect();
        assert_eq!(names, expected, "the latest, in order, without a gap");
        assert!(std::fs::metadata(path(".1")).unwrap().len() <= 500);
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 1 << 20, 3);
        let (path, moved) = (folder.path().join("audit.log"), folder.path().join("audit.log-2026"));
        log.write(&deed("edge-1"), 201, None, Duration::ZERO);
        std::fs::rename(&path, &moved).unwrap();
        log.write(&deed("edge-2"), 201, None, Duration::ZERO);
        std::fs::remove_file(&path).unwrap();
        log.write(&deed("edge-3"), 201, Some(&"x".repeat(1_000_000)), Duration::ZERO);
        let clusters = |path| lines(path).iter().map(|line| line["cluster"].clone()).collect::<Vec<_>>();
        assert_eq!((clusters(moved), clusters(path.clone())), (vec!["edge-1".into()], vec!["edge-3".into()]));
        assert!(std::fs::metadata(path).unwrap().len() < 1_000, "what others say is clipped");
    }

    #[test]
    fn many_refusals_are_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 1 << 20, 3);
        log.sum_up(&Unrecorded { count: 4_321, last: Some(IpAddr::from([192, 0, 2, 9])) });
        let lines = lines(folder.path().join("audit.log"));
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&line["refusals"], &line["source"]), (&4_321.into(), &"192.0.2.9".into()), "{line}");
        assert_eq!(line["outcome"], "refused");
    }

    #[test]
    fn what_is_lost_is_told_and_named_in_the_log_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 1, 2);
        log.write(&deed("edge-1"), 201, None, Duration::ZERO);
        // A folder in the way of the rotation stands for a disk that does not take the record.
        let obstacle = folder.path().join("audit.log.1");
        std::fs::create_dir_all(obstacle.join("x")).unwrap();
        log.write(&deed("edge-2"), 201, None, Duration::ZERO);
        log.write(&deed("edge-3"), 201, None, Duration::ZERO);
        let problem = log.problem().unwrap();
        assert!(problem.contains("2 records are lost"), "{problem}");
        std::fs::remove_dir_all(obstacle).unwrap();
        log.write(&deed("edge-4"), 201, None, Duration::ZERO);
        assert_eq!(log.problem(), None);
        let kept = [folder.path().join("audit.log.1"), folder.path().join("audit.log")].map(lines).concat();
        assert_eq!(kept[0]["lost"], 2, "{kept:?}");
        assert_eq!(kept[1]["cluster"], "edge-4", "{kept:?}");
    }
}
