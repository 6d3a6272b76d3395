//! What kinds of values settings have: how each is read and written.

use super::api_keys::read_api_keys;
use super::error::Misread;
use super::servers::read_servers;
use super::{ApiKey, LogLevels, Secret, ServerSettings, Settings, Shard};
use jiff::SignedDuration;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where in [`Settings`] a value of this type lives.
type Field<T> = fn(&mut Settings) -> &mut T;

/// A kind of value, bound to the field that holds it.
pub(super) enum Kind {
    /// Text, and an example of it.
    Text(Field<String>, &'static str),
    /// Text that may be absent, and what it must look like.
    OptionalText(Field<Option<String>>, &'static str),
    /// Text that is never shown.
    Secret(Field<Secret>),
    /// A file.
    Path(Field<Option<PathBuf>>),
    /// `true` or `false`.
    Switch(Field<bool>),
    /// A TCP port.
    Port(Field<u16>),
    /// A whole number, its smallest and its largest value.
    Count(Field<usize>, usize, usize),
    /// A duration, its shortest and its longest value.
    Time(Field<Duration>, Duration, Duration),
    /// A list of Rancher servers; of the configuration file only.
    Servers(Field<Vec<ServerSettings>>),
    /// A list of keys of the REST API; of the configuration file only.
    ApiKeys(Field<Vec<ApiKey>>),
    /// A part of a fleet.
    Shard(Field<Shard>),
    /// Addresses of this host.
    Addresses(Field<Vec<IpAddr>>),
    /// Log levels.
    Levels(Field<LogLevels>),
    /// One of a few names, read and set by its position.
    Choice {
        /// The names.
        names: &'static [&'static str],
        /// The position of the current one.
        get: fn(&Settings) -> usize,
        /// Takes the one at a position.
        set: fn(&mut Settings, usize),
    },
}

impl Kind {
    /// Reads `text` into `settings`; relative paths start at `base`. The error says what is wrong with it.
    pub(super) fn set_text(&self, settings: &mut Settings, text: &str, base: &Path) -> Result<(), String> {
        if text.trim().is_empty() {
            return Err("it is empty".into());
        }
        match self {
            Kind::Text(field, _) => *field(settings) = text.into(),
            Kind::OptionalText(field, _) => *field(settings) = Some(text.into()),
            Kind::Secret(field) => *field(settings) = Secret::new(text),
            Kind::Path(field) => *field(settings) = Some(base.join(text)),
            Kind::Switch(field) => {
                *field(settings) = text.parse().map_err(|_| format!("`{text}` is neither true nor false"))?;
            }
            Kind::Port(field) => *field(settings) = text.parse().map_err(|_| format!("`{text}` is not a port"))?,
            Kind::Count(field, min, max) => {
                let count: usize = text.parse().map_err(|_| format!("`{text}` is not a whole number"))?;
                if count < *min || count > *max {
                    return Err(format!("{count} is out of range"));
                }
                *field(settings) = count;
            }
            Kind::Time(field, min, max) => {
                let time = parse_duration(text)?;
                if time < *min || time > *max {
                    return Err(format!("{text} is out of range"));
                }
                *field(settings) = time;
            }
            Kind::Servers(_) | Kind::ApiKeys(_) => return Err("it can be given in the configuration file only".into()),
            Kind::Shard(field) => *field(settings) = Shard::parse(text, &host_name())?,
            Kind::Addresses(field) => {
                let read = |text: &str| text.trim().parse().map_err(|_| format!("`{}` is no IP address", text.trim()));
                *field(settings) = text.split(',').map(read).collect::<Result<_, _>>()?;
            }
            Kind::Levels(field) => *field(settings) = LogLevels::parse(text)?,
            Kind::Choice { names, set, .. } => {
                let chosen = names.iter().position(|name| name.eq_ignore_ascii_case(text));
                set(settings, chosen.ok_or_else(|| format!("`{text}` is not one of them"))?);
            }
        }
        Ok(())
    }

    /// Reads a value of the configuration file.
    pub(super) fn set_yaml(
        &self,
        settings: &mut Settings,
        value: &serde_yaml::Value,
        base: &Path,
    ) -> Result<(), Misread> {
        use serde_yaml::Value;
        if let Kind::Servers(field) = self {
            *field(settings) = read_servers(value, base)?;
            return Ok(());
        }
        if let Kind::ApiKeys(field) = self {
            *field(settings) = read_api_keys(value)?;
            return Ok(());
        }
        let problem = match value {
            Value::String(text) => return Ok(self.set_text(settings, text, base)?),
            Value::Number(number) if matches!(self, Kind::Port(_) | Kind::Count(..)) => {
                return Ok(self.set_text(settings, &number.to_string(), base)?);
            }
            Value::Number(number) if matches!(self, Kind::Time(..)) => format!("{number} has no unit"),
            Value::Bool(switch) if matches!(self, Kind::Switch(_)) => {
                return Ok(self.set_text(settings, &switch.to_string(), base)?);
            }
            // YAML reads `1.30` as the number 1.3 and `off` as text: only quotes keep what was written.
            Value::Number(_) | Value::Bool(_) if matches!(self, Kind::Secret(_)) => {
                "it is not text; put it in quotes".into()
            }
            Value::Number(number) => format!("{number} is a number; put it in quotes if it is meant as text"),
            Value::Bool(switch) => format!("{switch} is not text; put it in quotes if it is meant as text"),
            Value::Null => "it has no value".into(),
            Value::Sequence(_) => "it is a list".into(),
            Value::Mapping(_) | Value::Tagged(_) => "it is a mapping".into(),
        };
        Err(problem.into())
    }

    /// The value as text; secrets are masked, what is not set is empty.
    pub(super) fn text(&self, settings: &mut Settings) -> String {
        match self {
            Kind::Text(field, _) => field(settings).clone(),
            Kind::OptionalText(field, _) => field(settings).clone().unwrap_or_default(),
            Kind::Secret(field) if field(settings).is_empty() => String::new(),
            Kind::Secret(field) => field(settings).to_string(),
            Kind::Path(field) => field(settings).as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            Kind::Servers(field) => {
                let servers = field(settings).iter().map(|server| format!("{} {}", server.name, server.url));
                servers.collect::<Vec<_>>().join(", ")
            }
            Kind::ApiKeys(field) => {
                let keys = field(settings).iter().map(|key| format!("{} ({})", key.name, key.role));
                keys.collect::<Vec<_>>().join(", ")
            }
            Kind::Switch(field) => field(settings).to_string(),
            Kind::Port(field) => field(settings).to_string(),
            Kind::Count(field, ..) => field(settings).to_string(),
            Kind::Time(field, ..) => duration_text(*field(settings)),
            Kind::Shard(field) => field(settings).to_string(),
            Kind::Addresses(field) => {
                let addresses = field(settings).iter().map(IpAddr::to_string);
                addresses.collect::<Vec<_>>().join(", ")
            }
            Kind::Levels(field) => field(settings).to_string(),
            Kind::Choice { names, get, .. } => names.get(get(settings)).copied().unwrap_or_default().into(),
        }
    }

    /// What a value must look like, with an example.
    pub(super) fn expected(&self) -> String {
        match self {
            Kind::Text(_, example) => format!("text such as {example}"),
            Kind::OptionalText(_, expected) => (*expected).into(),
            Kind::Secret(_) => "a secret such as token-abcde:<secret>".into(),
            Kind::Path(_) => "a file such as /etc/scale-cluster-agent/file".into(),
            Kind::Servers(_) => {
                "a list such as `- {Name: east, URL: https://rancher.example.com, BearerTokenFile: east.token}`".into()
            }
            Kind::ApiKeys(_) => "a list of lines as `scale-cluster-agent api-key create` prints them".into(),
            Kind::Switch(_) => "true or false".into(),
            Kind::Port(_) => "a port from 0 to 65535 such as 9090".into(),
            Kind::Count(_, min, max) => format!("a whole number from {min} to {max}"),
            Kind::Time(_, min, max) => {
                let example = EXAMPLE.clamp(*min, *max);
                let [min, max, example] = [*min, *max, example].map(duration_text);
                format!("a duration from {min} to {max} such as {example}")
            }
            Kind::Shard(_) => "NUMBER/COUNT such as 2/3, or auto/3".into(),
            Kind::Addresses(_) => "IP addresses of this host with commas between, such as 10.0.0.5, 10.0.0.6".into(),
            Kind::Levels(_) => "off, error, warn, info, debug or trace, for a room as in info,engine=debug".into(),
            Kind::Choice { names, .. } => format!("one of {}", names.join(", ")),
        }
    }
}

/// What the kernel calls this host, or this pod.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Reads a duration with its unit: `30s`, `2m`, `500ms`, `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.parse::<f64>().is_ok() && text != "0" {
        return Err(format!("{text} has no unit"));
    }
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| format!("`{text}` is not a duration"))
}

/// The shortest text that [`parse_duration`] reads back to the same duration.
pub fn duration_text(duration: Duration) -> String {
    SignedDuration::try_from(duration).map(|signed| format!("{signed:#}").replace(' ', "")).unwrap_or_default()
}

/// Most durations are of this order.
const EXAMPLE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        for (text, milliseconds) in
            [("30s", 30_000), ("2m", 120_000), ("500ms", 500), ("1h30m", 5_400_000), ("0", 0), ("1m 5s", 65_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for (text, problem) in
            [("30", "30 has no unit"), ("-5s", "`-5s` is not a duration"), ("soon", "`soon` is not a duration")]
        {
            assert_eq!(parse_duration(text), Err(problem.into()));
        }
    }

    #[test]
    fn durations_are_written_short() {
        for (milliseconds, text) in [(30_000, "30s"), (500, "500ms"), (90_000, "1m30s"), (0, "0s"), (3_600_000, "1h")] {
            assert_eq!(duration_text(Duration::from_millis(milliseconds)), text);
        }
    }
}
