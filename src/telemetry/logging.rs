//! Log lines on standard error: text for people, JSON lines for machines.

use super::line_writer::LineWriter;
use crate::config::LogFormat;
use log::{LevelFilter, Log, Metadata, Record};
use serde::Serialize;
use simplelog::{ConfigBuilder, LevelPadding, WriteLogger};
use std::io;

/// Starts logging at `level` in `format`. Keep the guard until the end: dropping it writes out what is still queued.
///
/// Only this program's own records are written: libraries may log request headers, and with them tokens.
/// Fails if the thread that writes cannot be started. A second call changes nothing.
pub fn init(level: LevelFilter, format: LogFormat) -> io::Result<LogGuard> {
    let writer = LineWriter::start(io::stderr())?;
    let logger: Box<dyn Log> = match format {
        LogFormat::Text => text_logger(LevelFilter::Trace, writer.clone()),
        LogFormat::Json => Box::new(JsonLogger { level: LevelFilter::Trace, writer: writer.clone() }),
    };
    if log::set_boxed_logger(logger).is_ok() {
        log::set_max_level(level);
    }
    Ok(LogGuard(writer))
}

/// Logs at another level from now on.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Writes out queued lines when it is dropped.
#[must_use = "dropping it at once loses the lines of the last moment"]
pub struct LogGuard(LineWriter);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.drain();
    }
}

fn text_logger(level: LevelFilter, writer: LineWriter) -> Box<dyn Log> {
    let config = ConfigBuilder::new()
        .set_time_format_rfc3339()
        .set_target_level(LevelFilter::Error)
        .set_thread_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .set_level_padding(LevelPadding::Off)
        .add_filter_allow_str(OWN_TARGET)
        .build();
    WriteLogger::new(level, config, writer)
}

/// One JSON object a line.
struct JsonLogger {
    level: LevelFilter,
    writer: LineWriter,
}

/// A log line; field names as log collectors know them.
#[derive(Serialize)]
struct Line<'a> {
    ts: String,
    level: &'static str,
    target: &'a str,
    msg: String,
}

impl Log for JsonLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level && metadata.target().starts_with(OWN_TARGET)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = Line {
            ts: format!("{:.3}", jiff::Timestamp::now()),
            level: record.level().as_str(),
            target: record.target(),
            msg: record.args().to_string(),
        };
        if let Ok(mut bytes) = serde_json::to_vec(&line) {
            bytes.push(b'\n');
            self.writer.line(bytes);
        }
    }

    fn flush(&self) {
        self.writer.drain();
    }
}

const OWN_TARGET: &str = "scale_cluster_agent";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use parking_lot::Mutex;
    use std::io::Write;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a logger writes for one record.
    fn logged(format: LogFormat, level: log::Level, target: &str, message: &str) -> String {
        let output = Output::default();
        let writer = LineWriter::start(output.clone()).unwrap();
        let logger: Box<dyn Log> = match format {
            LogFormat::Text => text_logger(LevelFilter::Info, writer.clone()),
            LogFormat::Json => Box::new(JsonLogger { level: LevelFilter::Info, writer: writer.clone() }),
        };
        logger.log(&Record::builder().level(level).target(target).args(format_args!("{message}")).build());
        writer.drain();
        let written = output.0.lock().clone();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn json_lines_are_escaped_and_timed() {
        let message = "quote \" newline \n end";
        let line = logged(LogFormat::Json, log::Level::Warn, "scale_cluster_agent::api", message);
        assert_eq!(line.matches('\n').count(), 1, "one line: {line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["level"], "WARN");
        assert_eq!(value["target"], "scale_cluster_agent::api");
        assert_eq!(value["msg"], message);
        let time = value["ts"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000Z".len(), "{time}");
        assert!(time.parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn text_lines_have_time_level_room_and_message() {
        let line = logged(LogFormat::Text, log::Level::Info, "scale_cluster_agent::manager", "2 clusters");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[0].parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert_eq!(words[1..], ["[INFO]", "scale_cluster_agent::manager:", "2", "clusters"]);
    }

    #[test]
    fn other_crates_and_finer_levels_are_silent() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(logged(format, log::Level::Error, "ureq", "Authorization: Bearer x"), "");
            assert_eq!(logged(format, log::Level::Debug, "scale_cluster_agent", "fine"), "");
        }
    }

    #[test]
    fn a_secret_that_is_logged_is_redacted() {
        let secret = Secret::new("hunter2");
        let line = logged(LogFormat::Json, log::Level::Info, "scale_cluster_agent", &format!("{secret} {secret:?}"));
        assert!(line.contains("*** Secret(***)") && !line.contains("hunter2"), "{line}");
    }
}
