//! The file, rotated by size. What it does not take is counted and named in it afterwards.

use super::deed::line;
use super::refusals::Unrecorded;
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

    /// Writes a line.
    pub(super) fn write(&self, line: io::Result<Vec<u8>>) {
        let mut state = self.state.lock();
        match line.and_then(|line| self.append(&mut state, &line)) {
            Ok(()) => self.written.increment(),
            Err(error) => {
                // Opened anew next time: the disk may be another by then.
                state.file = None;
                self.lose_one(&mut state, format!("{}: {error}", self.config.path.display()));
            }
        }
    }

    /// A line was lost before it came here.
    pub(super) fn lose(&self, why: String) {
        self.lose_one(&mut self.state.lock(), why);
    }

    /// Writes a line for all the refusals that were too many for one each.
    pub(super) fn sum_up(&self, unrecorded: &Unrecorded) {
        let detail = "more refusals than are recorded one by one";
        let Unrecorded { count, last } = unrecorded;
        let summary = Summary { ts: Timestamp::now(), outcome: "refused", refusals: *count, source: *last, detail };
        self.write(line(&summary));
    }

    fn lose_one(&self, state: &mut State, why: String) {
        self.lost.increment();
        state.lost += 1;
        if state.problem.is_none() {
            log::error!("the audit log cannot be written: {why}");
        }
        state.problem = Some(why);
    }

    /// Why the log cannot be written, if it cannot.
    pub(super) fn problem(&self) -> Option<String> {
        let state = self.state.lock();
        let problem = state.problem.as_ref()?;
        Some(format!("the audit log cannot be written, {} records are lost: {problem}", state.lost))
    }

    fn append(&self, state: &mut State, next: &[u8]) -> io::Result<()> {
        if let Some(problem) = &state.problem {
            let gap = Gap { ts: Timestamp::now(), lost: state.lost, detail: problem };
            self.append_line(state, &line(&gap)?)?;
            log::info!("the audit log is written again");
            state.problem = None;
            state.lost = 0;
        }
        self.append_line(state, next)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cluster: &str) -> io::Result<Vec<u8>> {
        line(&serde_json::json!({ "cluster": cluster, "filler": "x".repeat(100) }))
    }

    fn log(folder: &Path, max_bytes: u64, files: usize) -> AuditLog {
        AuditLog::open(AuditConfig { path: folder.join("audit.log"), max_bytes, files }).unwrap()
    }

    fn lines(path: PathBuf) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn files_are_rotated_by_size_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 500, 3);
        for number in 0..12 {
            log.write(record(&format!("edge-{number}")));
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
        log.write(record("edge-1"));
        std::fs::rename(&path, &moved).unwrap();
        log.write(record("edge-2"));
        std::fs::remove_file(&path).unwrap();
        log.write(record("edge-3"));
        let clusters = |path| lines(path).iter().map(|line| line["cluster"].clone()).collect::<Vec<_>>();
        assert_eq!((clusters(moved), clusters(path.clone())), (vec!["edge-1".into()], vec!["edge-3".into()]));
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
        log.write(record("edge-1"));
        // A folder in the way of the rotation stands for a disk that does not take the record.
        let obstacle = folder.path().join("audit.log.1");
        std::fs::create_dir_all(obstacle.join("x")).unwrap();
        log.write(record("edge-2"));
        log.write(record("edge-3"));
        let problem = log.problem().unwrap();
        assert!(problem.contains("2 records are lost"), "{problem}");
        std::fs::remove_dir_all(obstacle).unwrap();
        log.write(record("edge-4"));
        assert_eq!(log.problem(), None);
        let kept = [folder.path().join("audit.log.1"), folder.path().join("audit.log")].map(lines).concat();
        assert_eq!(kept[0]["lost"], 2, "{kept:?}");
        assert_eq!(kept[1]["cluster"], "edge-4", "{kept:?}");
    }
}
