//! `clusters.csv`: a line for each cluster.

use crate::ramp::{Fate, Milestone, Row};
use std::collections::BTreeMap;
use std::io;

/// Writes the clusters as CSV (RFC 4180). Times are in seconds since the intended start; `lists` holds `RESOURCE=SECONDS` parts.
pub(super) fn write(rows: &[Row]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(heading())?;
    for row in rows {
        let lists: Vec<String> =
            row.lists.iter().map(|(resource, seconds)| format!("{resource}={seconds:.6}")).collect();
        let seconds = row.seconds.map(|seconds| seconds.map(|seconds| format!("{seconds:.6}")).unwrap_or_default());
        let first =
            [row.name.clone(), format!("{:.6}", row.intended), fate_text(row.fate).into(), row.is_active.to_string()];
        let last = [row.disconnects.to_string(), row.cause.clone().unwrap_or_default(), lists.join(";")];
        writer.write_record(first.into_iter().chain(seconds).chain(last))?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// Reads what [`write`] writes; the error names the line.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let found = reader.headers().map_err(|error| error.to_string())?.clone();
    if !found.iter().eq(heading()) {
        return Err("line 1: these are not the columns of a clusters.csv of this version".into());
    }
    let read = |(index, record): (usize, csv::Result<csv::StringRecord>)| {
        // A cell may hold line ends, so the parser's own count is the right one.
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(index as u64 + 2, csv::Position::line);
        row(&record).ok_or_else(|| format!("line {line}: not a cluster"))
    };
    reader.records().enumerate().map(read).collect()
}

fn row(record: &csv::StringRecord) -> Option<Row> {
    let mut cells = record.iter();
    let mut next = || cells.next();
    let name = next()?.to_owned();
    let intended = seconds_of(next()?)?;
    let fate = match next()? {
        "active" => Fate::Active,
        "failed" => Fate::Failed,
        "under-way" => Fate::UnderWay,
        _ => return None,
    };
    let is_active = next()?.parse().ok()?;
    let mut seconds = [None; Milestone::ALL.len()];
    for second in &mut seconds {
        *second = match next()? {
            "" => None,
            text => Some(seconds_of(text)?),
        };
    }
    let disconnects = next()?.parse().ok()?;
    let cause = Some(next()?.to_owned()).filter(|cause| !cause.is_empty());
    let mut lists = BTreeMap::new();
    for part in next()?.split(';').filter(|part| !part.is_empty()) {
        let (resource, seconds) = part.rsplit_once('=')?;
        lists.insert(resource.to_owned(), seconds_of(seconds)?);
    }
    Some(Row { name, intended, fate, is_active, cause, seconds, disconnects, lists })
}

/// A number that can be calculated with.
fn seconds_of(text: &str) -> Option<f64> {
    text.parse().ok().filter(|seconds: &f64| seconds.is_finite())
}

fn heading() -> impl Iterator<Item = &'static str> {
    let first = ["name", "intended", "fate", "active_at_end"];
    first.into_iter().chain(Milestone::ALL.map(Milestone::metric)).chain(["disconnects", "cause", "lists"])
}

fn fate_text(fate: Fate) -> &'static str {
    match fate {
        Fate::Active => "active",
        Fate::Failed => "failed",
        Fate::UnderWay => "under-way",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut seconds = [None; Milestone::ALL.len()];
        seconds[0] = Some(0.25);
        let rows = [
            Row {
                name: "edge-1".into(),
                intended: 1.5,
                fate: Fate::Failed,
                is_active: false,
                cause: Some("no, \"never\"\nat all".into()),
                seconds,
                disconnects: 3,
                lists: [("v1/nodes".to_owned(), 0.5), ("apps/v1/x".to_owned(), 2.0)].into(),
            },
            Row {
                name: "edge-2".into(),
                intended: 2.0,
                fate: Fate::Active,
                is_active: true,
                cause: None,
                seconds: [Some(1.0); Milestone::ALL.len()],
                disconnects: 0,
                lists: BTreeMap::new(),
            },
        ];
        let text = write(&rows).unwrap();
        assert_eq!(read(&text).unwrap(), rows);
        let lines = String::from_utf8(text).unwrap();
        assert!(lines.starts_with("name,intended,fate,active_at_end,time_to_started,"), "{lines}");
        let broken = lines.replace("edge-2,2.000000,active", "edge-2,2.000000,lively");
        assert_eq!(read(broken.as_bytes()).unwrap_err(), "line 4: not a cluster");
        assert!(read(b"a,b\n1,2\n").unwrap_err().starts_with("line 1"));
    }
}
