//! How much is logged, in general and by room: `info,engine=debug`.

use crate::yaml::nearest;
use log::LevelFilter;
use std::fmt;

/// How much is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevels {
    general: LevelFilter,
    /// Rooms that differ.
    rooms: Vec<(&'static str, LevelFilter)>,
}

impl LogLevels {
    /// The same everywhere.
    pub fn new(general: LevelFilter) -> LogLevels {
        LogLevels { general, rooms: Vec::new() }
    }

    /// Reads `LEVEL` and `ROOM=LEVEL`, with commas between; the error says what is wrong.
    pub fn parse(text: &str) -> Result<LogLevels, String> {
        let level = |text: &str| text.parse().map_err(|_| format!("`{text}` is not one of them"));
        let mut levels = LogLevels::new(LevelFilter::Info);
        for part in text.split(',').map(str::trim) {
            let Some((room, text)) = part.split_once('=') else {
                levels.general = level(part)?;
                continue;
            };
            let known = ROOMS.into_iter().find(|known| *known == room.trim()).ok_or_else(|| {
                let hint = nearest(room, ROOMS).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                format!("`{room}` is no room{hint}")
            })?;
            levels.rooms.retain(|(room, _)| *room != known);
            levels.rooms.push((known, level(text.trim())?));
        }
        Ok(levels)
    }

    /// How much a room logs.
    pub fn of(&self, room: &str) -> LevelFilter {
        self.rooms.iter().find(|(known, _)| *known == room).map_or(self.general, |(_, level)| *level)
    }

    /// What the room that logs most logs.
    pub fn most(&self) -> LevelFilter {
        self.rooms.iter().map(|(_, level)| *level).fold(self.general, Ord::max)
    }

    /// The same, but no more than `level`.
    pub fn at_most(mut self, level: LevelFilter) -> LogLevels {
        self.general = self.general.min(level);
        self.rooms.iter_mut().for_each(|(_, own)| *own = level.min(*own));
        self
    }
}

impl fmt::Display for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.general.as_str().to_ascii_lowercase())?;
        self.rooms.iter().try_for_each(|(room, level)| write!(f, ",{room}={}", level.as_str().to_ascii_lowercase()))
    }
}

/// The rooms that log something.
const ROOMS: [&str; 9] = ["api", "cli", "config", "engine", "journal", "kube", "manager", "rancher", "rehearsal"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_and_written() {
        for (text, written) in [
            ("info", "info"),
            ("WARN", "warn"),
            ("engine=debug", "info,engine=debug"),
            ("warn, engine=trace ,kube=off", "warn,engine=trace,kube=off"),
            ("engine=debug,error,engine=warn", "error,engine=warn"),
        ] {
            assert_eq!(LogLevels::parse(text).unwrap().to_string(), written, "{text}");
        }
        for (text, problem) in [
            ("loud", "`loud` is not one of them"),
            ("info,engine=loud", "`loud` is not one of them"),
            ("info,engin=debug", "`engin` is no room; did you mean engine?"),
            ("info,", "`` is not one of them"),
        ] {
            assert_eq!(LogLevels::parse(text), Err(problem.into()), "{text}");
        }
    }

    #[test]
    fn a_room_logs_as_much_as_it_is_told() {
        let levels = LogLevels::parse("warn,engine=debug,kube=off").unwrap();
        assert_eq!(
            ["engine", "kube", "api"].map(|room| levels.of(room)),
            [LevelFilter::Debug, LevelFilter::Off, LevelFilter::Warn]
        );
        assert_eq!(levels.most(), LevelFilter::Debug);
        let less = levels.at_most(LevelFilter::Error);
        assert_eq!(
            ["engine", "kube", "api"].map(|room| less.of(room)),
            [LevelFilter::Error, LevelFilter::Off, LevelFilter::Error]
        );
    }

    #[test]
    fn rooms_are_folders_of_the_source() {
        for room in ROOMS {
            assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room).is_dir(), "{room}");
        }
    }
}
