//! Log lines on standard error or in a file: text for people, JSON lines for machines.

use super::line_writer::{LineWriter, from_site};
use super::output::LogFile;
use crate::config::{LogFormat, LogLevels};
use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::RwLock;
use serde::Serialize;
use simplelog::{ConfigBuilder, LevelPadding, WriteLogger};
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

/// How to log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// How much.
    pub levels: LogLevels,
    /// How lines look.
    pub format: LogFormat,
    /// Where to; `None` is standard error.
    pub file: Option<PathBuf>,
}

/// Starts logging. Keep the guard until the end: dropping it writes out what is still queued.
///
/// Only this program's own records are written: libraries may log request headers, and with them tokens.
/// Fails if the file cannot be opened or the thread that writes cannot be started. A second call changes nothing.
pub fn init(config: &LogConfig) -> io::Result<LogGuard> {
    let notice = match config.format {
        LogFormat::Text => text_notice,
        LogFormat::Json => json_notice,
    };
    let writer = match &config.file {
        Some(path) => LineWriter::start(LogFile::open(path)?, notice)?,
        None => LineWriter::start(io::stderr(), notice)?,
    };
    let logger = Logger::new(config.format, config.levels.clone(), writer.clone());
    let most = config.levels.most();
    if LOGGER.set(logger).is_ok() && LOGGER.get().is_some_and(|logger| log::set_logger(logger).is_ok()) {
        log::set_max_level(most);
    }
    Ok(LogGuard(writer))
}

/// Logs as much as this from now on.
pub fn set_levels(levels: LogLevels) {
    log::set_max_level(levels.most());
    if let Some(logger) = LOGGER.get() {
        *logger.levels.write() = levels;
    }
}

/// Goes on in a file of the same name, after the log file was renamed.
pub fn reopen() {
    if let Some(logger) = LOGGER.get() {
        logger.writer.reopen();
    }
}

/// How many lines wait to be written.
pub fn waiting_lines() -> usize {
    LOGGER.get().map_or(0, |logger| logger.writer.waiting())
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Decides what is written; the rest is the formatter's.
struct Logger {
    levels: RwLock<LogLevels>,
    formatter: Box<dyn Log>,
    writer: LineWriter,
}

impl Logger {
    fn new(format: LogFormat, levels: LogLevels, writer: LineWriter) -> Logger {
        let formatter: Box<dyn Log> = match format {
            LogFormat::Text => text_logger(LevelFilter::Trace, writer.clone()),
            LogFormat::Json => Box::new(JsonLogger { writer: writer.clone() }),
        };
        Logger { levels: RwLock::new(levels), formatter, writer }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let mut parts = metadata.target().split("::");
        parts.next() == Some(OWN_TARGET) && metadata.level() <= self.levels.read().of(parts.next().unwrap_or_default())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // Whoever asks for the details wants all of them.
            let site = record.file_static().zip(record.line()).filter(|_| record.level() <= Level::Info);
            from_site(site, || self.formatter.log(record));
        }
    }

    fn flush(&self) {
        self.writer.drain();
    }
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
    Box::new(OneLine(WriteLogger::new(level, config, writer)))
}

/// Sees to it that a record is one line and leaves the terminal alone, whatever others had a part in its words.
struct OneLine(Box<dyn Log>);

impl Log for OneLine {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        if text.contains(char::is_control) {
            let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
            let line: String = text.chars().map(shown).collect();
            let metadata = record.metadata().clone();
            self.0.log(&Record::builder().metadata(metadata).args(format_args!("{line}")).build());
        } else {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// One JSON object a line.
struct JsonLogger {
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
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.writer.line(json_line(record.level(), record.target(), record.args().to_string()));
    }

    fn flush(&self) {}
}

fn json_line(level: Level, target: &str, msg: String) -> Vec<u8> {
    let line = Line { ts: format!("{:.3}", jiff::Timestamp::now()), level: level.as_str(), target, msg };
    // Strings always serialise.
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn json_notice(text: &str) -> Vec<u8> {
    json_line(Level::Warn, NOTICE_TARGET, text.to_owned())
}

fn text_notice(text: &str) -> Vec<u8> {
    format!("{} [WARN] {NOTICE_TARGET}: {text}\n", jiff::Timestamp::now()).into_bytes()
}

/// Who says what the log has to say of itself.
const NOTICE_TARGET: &str = "scale_cluster_agent::telemetry";
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

    impl super::super::output::Output for Output {}

    /// What a logger writes for one record.
    fn logged(format: LogFormat, level: log::Level, target: &str, message: &str) -> String {
        let output = Output::default();
        let writer = LineWriter::start(output.clone(), text_notice).unwrap();
        let levels = LogLevels::parse("info,engine=debug").unwrap();
        let logger = Logger::new(format, levels, writer.clone());
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
    fn what_others_say_writes_no_line_of_its_own() {
        let message = "422 Bad\n2026-11-26T00:00:00Z [ERROR] scale_cluster_agent::api: forged \u{1b}[31m";
        let line = logged(LogFormat::Text, log::Level::Warn, "scale_cluster_agent::rancher", message);
        assert!(
            line.ends_with("Bad\\n2026-11-26T00:00:00Z [ERROR] scale_cluster_agent::api: forged \\u{1b}[31m\n"),
            "{line}"
        );
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn other_crates_and_finer_levels_are_silent() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(logged(format, log::Level::Error, "ureq", "Authorization: Bearer x"), "");
            assert_eq!(logged(format, log::Level::Error, "scale_cluster_agents::x", "another's"), "");
            assert_eq!(logged(format, log::Level::Debug, "scale_cluster_agent", "fine"), "");
            assert_eq!(logged(format, log::Level::Debug, "scale_cluster_agent::engines", "fine"), "");
            assert!(
                logged(format, log::Level::Debug, "scale_cluster_agent::engine::link", "asked for").contains("asked")
            );
        }
    }

    #[test]
    fn a_secret_that_is_logged_is_redacted() {
        let secret = Secret::new("hunter2");
        let line = logged(LogFormat::Json, log::Level::Info, "scale_cluster_agent", &format!("{secret} {secret:?}"));
        assert!(line.contains("*** Secret(***)") && !line.contains("hunter2"), "{line}");
    }
}
