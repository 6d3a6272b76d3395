//! The state file: its tables, what it is checked for before it is believed, and what one commit does.

use super::trial::Trial;
use super::{Overlay, RecordChange};
use crate::config::make_private;
use crate::kube::{Durable, DurableState};
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, StorageError, TableDefinition, WriteTransaction};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The open state file.
pub struct JournalFile {
    path: PathBuf,
    /// `None` after a failure, until it can be opened again.
    database: Option<Database>,
}

/// What the file held when it was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many runs of the agent came before this one.
    pub epoch: u32,
    /// The clusters in the order of their names, without what was written in them.
    pub records: Vec<(String, Vec<u8>)>,
}

/// What was written in one cluster.
#[derive(Debug, PartialEq, Eq)]
pub struct KeptCluster {
    /// The cluster's name.
    pub name: String,
    /// Where something was written, or deleted of the template.
    pub places: Vec<Durable>,
}

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has it open.
    #[error("{}: another agent uses this file", .0.display())]
    InUse(PathBuf),
    /// It is not what this program wrote.
    #[error("{}: {problem}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A newer version of this program wrote it.
    #[error("{}: a newer version of this program wrote this file", .0.display())]
    Newer(PathBuf),
    /// The operating system refuses to read or write it.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: String,
    },
}

impl JournalError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            JournalError::InUse(_) => "stop the other agent, or choose another directory with --home",
            JournalError::Corrupt { .. } => {
                "restore the file from a copy, or move it away: a POST of the same names then finds the clusters in Rancher again"
            }
            JournalError::Newer(_) => "start that version, or move the file away",
            JournalError::Io { .. } => "make room, or make the directory writable",
        }
    }
}

impl JournalFile {
    /// Opens the state file in the directory `home`, or makes it, and counts this run. What it holds is checked first: a file that
    /// is refused is left as it is.
    pub fn open(home: &Path) -> Result<(JournalFile, Kept), JournalError> {
        if let Some(newer) = newer_file(home) {
            return Err(JournalError::Newer(newer));
        }
        let path = home.join(format!("state.v{FORMAT}.redb"));
        let mut file = JournalFile { path, database: None };
        let is_new = fs::metadata(&file.path).map_or(true, |metadata| metadata.len() == 0);
        let kept = if is_new { Kept::default() } else { file.try_out()? };
        file.reopen()?;
        file.count_run(kept.epoch)?;
        Ok((file, kept))
    }

    /// Hands over what was written in each cluster, in the order of their names, until `take` has enough.
    pub fn each_cluster(&self, mut take: impl FnMut(KeptCluster) -> bool) -> Result<(), JournalError> {
        let Some(database) = &self.database else { return Ok(()) };
        let read = database.begin_read().map_err(|error| self.failed(error))?;
        let records = read.open_table(RECORDS).map_err(|error| self.failed(error))?;
        let places = read.open_table(PLACES).map_err(|error| self.failed(error))?;
        for record in records.iter().map_err(|error| self.failed(error))? {
            let (name, _) = record.map_err(|error| self.failed(error))?;
            let mut cluster = KeptCluster { name: name.value().to_owned(), places: Vec::new() };
            for place in places.range(whole(name.value())).map_err(|error| self.failed(error))? {
                let (key, value) = place.map_err(|error| self.failed(error))?;
                let (name, kind, path) = key.value();
                if name != cluster.name {
                    break;
                }
                let state = match self.checked(value.value(), || format!("{kind} {path} of cluster {name}"))? {
                    [] => DurableState::Deleted,
                    bytes => DurableState::Object(bytes.into()),
                };
                cluster.places.push(Durable { kind: kind.into(), path: path.into(), state });
            }
            if !take(cluster) {
                break;
            }
        }
        Ok(())
    }

    /// Makes changes durable, all or none. After a failure the file is opened again with the next call.
    pub(super) fn commit(&mut self, records: &[RecordChange], overlays: &[Overlay]) -> Result<(), JournalError> {
        if self.database.is_none() {
            self.reopen()?;
        }
        let outcome = self.write(|transaction| {
            let mut record_table = transaction.open_table(RECORDS)?;
            let mut place_table = transaction.open_table(PLACES)?;
            for change in records {
                match &change.record {
                    Some(record) => _ = record_table.insert(&*change.name, &*with_checksum(record))?,
                    None => {
                        record_table.remove(&*change.name)?;
                        clear(&mut place_table, &change.name)?;
                    }
                }
            }
            for (name, written) in overlays.iter().flat_map(|overlay| &overlay.clusters) {
                // A worker's last words of a cluster may come after the cluster's end.
                if record_table.get(&**name)?.is_none() {
                    continue;
                }
                if written.is_everything {
                    clear(&mut place_table, name)?;
                }
                for place in &written.places {
                    let key = (&**name, &*place.kind, &*place.path);
                    match &place.state {
                        DurableState::Object(bytes) => _ = place_table.insert(key, &*with_checksum(bytes))?,
                        DurableState::Deleted => _ = place_table.insert(key, &*with_checksum(&[]))?,
                        DurableState::Forgotten => _ = place_table.remove(key)?,
                    }
                }
            }
            Ok(())
        });
        if outcome.is_err() {
            // The store refuses everything after an I/O error until it is opened anew.
            self.database = None;
        }
        outcome
    }

    fn write(&self, work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>) -> Result<(), JournalError> {
        let Some(database) = &self.database else {
            return Err(JournalError::Io { path: self.path.clone(), cause: "it is not open".into() });
        };
        let transaction = database.begin_write().map_err(|error| self.failed(error))?;
        work(&transaction).map_err(|error| self.failed(error))?;
        transaction.commit().map_err(|error| self.failed(error))
    }

    /// Reads everything without changing a byte.
    fn try_out(&self) -> Result<Kept, JournalError> {
        self.check_start()?;
        let trial = Trial::new(self.backend()?).map_err(|error| self.failed(StorageError::Io(error)))?;
        let database = redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(trial);
        let database = Some(database.map_err(|error| self.failed(error))?);
        JournalFile { path: self.path.clone(), database }.read()
    }

    fn reopen(&mut self) -> Result<(), JournalError> {
        let opened = redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(self.backend()?);
        self.database = Some(opened.map_err(|error| self.failed(error))?);
        Ok(())
    }

    fn backend(&self) -> Result<FileBackend, JournalError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path);
        let failed = |error| self.failed(StorageError::Io(error));
        let file = file.map_err(failed)?;
        // It holds tokens with which clusters are registered.
        make_private(&file, &self.path).map_err(failed)?;
        FileBackend::new(file).map_err(|error| self.failed(error))
    }

    fn read(&self) -> Result<Kept, JournalError> {
        let Some(database) = &self.database else { return Ok(Kept::default()) };
        let read = database.begin_read().map_err(|error| self.failed(error))?;
        let runs = match read.open_table(RUNS) {
            Ok(runs) => runs,
            // Nothing was ever committed.
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Kept::default()),
            Err(error) => return Err(self.failed(error)),
        };
        let runs = runs.get(()).map_err(|error| self.failed(error))?.map_or(0, |runs| runs.value());
        let table = read.open_table(RECORDS).map_err(|error| self.failed(error))?;
        let mut records = Vec::new();
        for record in table.iter().map_err(|error| self.failed(error))? {
            let (name, value) = record.map_err(|error| self.failed(error))?;
            let name = name.value().to_owned();
            let bytes = self.checked(value.value(), || format!("the record of cluster {name}"))?.to_vec();
            records.push((name, bytes));
        }
        self.each_cluster(|_| true)?;
        Ok(Kept { epoch: runs, records })
    }

    fn count_run(&mut self, before: u32) -> Result<(), JournalError> {
        self.write(|transaction| {
            transaction.open_table(RECORDS)?;
            transaction.open_table(PLACES)?;
            transaction.open_table(RUNS)?.insert((), before.saturating_add(1))?;
            Ok(())
        })
    }

    /// Whether the file is one of redb's, before redb is given it to repair.
    fn check_start(&self) -> Result<(), JournalError> {
        let mut start = [0; MAGIC.len()];
        let read = fs::File::open(&self.path).and_then(|mut file| io::Read::read_exact(&mut file, &mut start));
        match read {
            Ok(()) if start == MAGIC => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(self.failed(StorageError::Io(error))),
            _ => Err(JournalError::Corrupt { path: self.path.clone(), problem: "it is no state file".into() }),
        }
    }

    fn checked<'a>(&self, value: &'a [u8], what: impl FnOnce() -> String) -> Result<&'a [u8], JournalError> {
        match value.split_last_chunk() {
            Some((bytes, checksum)) if crc32fast::hash(bytes) == u32::from_le_bytes(*checksum) => Ok(bytes),
            _ => Err(JournalError::Corrupt { path: self.path.clone(), problem: format!("{} is damaged", what()) }),
        }
    }

    fn failed(&self, error: impl Into<redb::Error>) -> JournalError {
        let path = self.path.clone();
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => JournalError::InUse(path),
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                JournalError::Corrupt { path, problem: error.to_string() }
            }
            redb::Error::Io(error) => JournalError::Io { path, cause: error.to_string() },
            redb::Error::UpgradeRequired(version) => {
                JournalError::Corrupt { path, problem: format!("its inner format {version} is not known here") }
            }
            error => JournalError::Corrupt { path, problem: error.to_string() },
        }
    }
}

/// A state file of a later format in this directory.
fn newer_file(home: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(home).ok()?;
    entries.filter_map(Result::ok).map(|entry| entry.path()).find(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let format = name.strip_prefix("state.v").and_then(|name| name.strip_suffix(".redb"));
        format.and_then(|format| format.parse::<u32>().ok()).is_some_and(|format| format > FORMAT)
    })
}

fn clear(places: &mut redb::Table<'_, PlaceKey, &[u8]>, name: &str) -> Result<(), redb::Error> {
    Ok(places.retain_in(whole(name), |(cluster, _, _), _| cluster != name)?)
}

/// All places of a cluster, and perhaps of those after it.
fn whole(name: &str) -> std::ops::RangeFrom<(&str, &str, &str)> {
    (name, "", "")..
}

fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32fast::hash(bytes).to_le_bytes()].concat()
}

type PlaceKey = (&'static str, &'static str, &'static str);

/// Name → record.
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");
/// Name, kind and path → encoded object; empty where an object of the template was deleted.
const PLACES: TableDefinition<'_, PlaceKey, &[u8]> = TableDefinition::new("places");
/// How often the file was opened.
const RUNS: TableDefinition<'_, (), u32> = TableDefinition::new("runs");
/// The format of the tables; a part of the file's name, so that no version opens a file that it does not know.
const FORMAT: u32 = 1;
/// What every redb file begins with (redb `docs/design.md`).
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
/// What is written is hardly ever read again.
const CACHE_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Written;

    fn record(name: &str, record: Option<&str>) -> RecordChange {
        RecordChange { name: name.into(), record: record.map(|record| record.as_bytes().to_vec()) }
    }

    fn object(path: &str, body: Option<&str>) -> Durable {
        let state = match body {
            Some(body) => DurableState::Object(body.as_bytes().into()),
            None => DurableState::Forgotten,
        };
        Durable { kind: "/configmaps".into(), path: path.into(), state }
    }

    fn overlay(name: &str, is_everything: bool, places: Vec<Durable>) -> Overlay {
        Overlay { clusters: vec![(name.into(), Written { places, is_everything, revision: 1 })] }
    }

    fn clusters(file: &JournalFile) -> Vec<(String, Vec<String>)> {
        let mut clusters = Vec::new();
        let path = |place: Durable| place.path.into_string();
        let take = |cluster: KeptCluster| {
            clusters.push((cluster.name, cluster.places.into_iter().map(path).collect()));
            true
        };
        file.each_cluster(take).unwrap();
        clusters
    }

    #[test]
    fn what_was_committed_is_there_when_the_file_is_opened_again() {
        let home = tempfile::tempdir().unwrap();
        let (mut file, kept) = JournalFile::open(home.path()).unwrap();
        assert_eq!(kept, Kept::default());
        file.commit(&[record("a", Some("1")), record("b", Some("2")), record("ab", Some("3"))], &[]).unwrap();
        file.commit(&[], &[overlay("a", false, vec![object("x/1", Some("one")), object("x/2", Some("two"))])]).unwrap();
        file.commit(&[], &[overlay("ab", false, vec![object("y", Some("three"))])]).unwrap();
        file.commit(&[record("b", None)], &[overlay("a", false, vec![object("x/1", None)])]).unwrap();
        drop(file);
        let (file, kept) = JournalFile::open(home.path()).unwrap();
        assert_eq!(kept.epoch, 1);
        assert_eq!(kept.records, [("a".into(), b"1".to_vec()), ("ab".into(), b"3".to_vec())]);
        assert_eq!(clusters(&file), [("a".into(), vec!["x/2".into()]), ("ab".into(), vec!["y".into()])]);
    }

    #[test]
    fn everything_replaces_what_was_kept_of_that_cluster_alone() {
        let home = tempfile::tempdir().unwrap();
        let (mut file, _) = JournalFile::open(home.path()).unwrap();
        file.commit(&[record("a", Some("1")), record("ab", Some("2"))], &[]).unwrap();
        file.commit(
            &[],
            &[overlay("a", false, vec![object("x", Some("1"))]), overlay("ab", false, vec![object("x", Some("1"))])],
        )
        .unwrap();
        file.commit(&[], &[overlay("a", true, vec![object("z", Some("1"))])]).unwrap();
        assert_eq!(clusters(&file), [("a".into(), vec!["z".into()]), ("ab".into(), vec!["x".into()])]);
    }

    #[test]
    fn the_last_words_of_a_cluster_that_is_gone_are_not_kept() {
        let home = tempfile::tempdir().unwrap();
        let (mut file, _) = JournalFile::open(home.path()).unwrap();
        file.commit(&[record("a", None)], &[overlay("a", false, vec![object("x", Some("1"))])]).unwrap();
        file.commit(&[record("a", Some("again"))], &[]).unwrap();
        assert_eq!(clusters(&file), [("a".into(), vec![])]);
    }

    fn refused(home: &Path) -> String {
        match JournalFile::open(home) {
            Err(error) => error.to_string().replace(home.to_str().unwrap(), "HOME"),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn what_is_refused_is_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let (mut file, _) = JournalFile::open(home.path()).unwrap();
        let long = "a value that is easy to find".repeat(300);
        file.commit(&[record("a", Some(&long))], &[]).unwrap();
        drop(file);
        let path = home.path().join("state.v1.redb");
        let good = fs::read(&path).unwrap();
        let flipped = {
            let at = good.windows(long.len()).position(|window| window == long.as_bytes()).unwrap();
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes
        };
        for (bytes, expected) in [
            (b"garbage".to_vec(), "it is no state file"),
            (vec![b'x'; 100_000], "it is no state file"),
            (flipped, "the record of cluster a is damaged"),
        ] {
            fs::write(&path, &bytes).unwrap();
            assert_eq!(refused(home.path()), format!("HOME/state.v1.redb: {expected}"));
            assert!(fs::read(&path).unwrap() == bytes, "{expected}: the file was changed");
        }
        fs::write(&path, &good).unwrap();
        fs::write(home.path().join("state.v2.redb"), "new").unwrap();
        assert_eq!(refused(home.path()), "HOME/state.v2.redb: a newer version of this program wrote this file");
        assert!(fs::read(&path).unwrap() == good);
    }

    #[test]
    fn two_agents_do_not_share_a_file() {
        let home = tempfile::tempdir().unwrap();
        let _first = JournalFile::open(home.path()).unwrap();
        assert_eq!(refused(home.path()), "HOME/state.v1.redb: another agent uses this file");
    }
}
