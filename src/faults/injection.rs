//! What a user asks for: a fault or a preset, with which clusters, for how long, by which seed.

use super::kinds::read_time;
use super::{Fault, FaultError, KINDS, PRESETS, Selection};
use crate::config::duration_text;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Faults that begin and end together, with the same clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// The preset that was asked for, if it was one.
    pub preset: Option<&'static str>,
    /// One, or those of the preset.
    pub faults: Vec<Fault>,
    /// With which clusters.
    pub selection: Selection,
    /// For how long; zero for what happens once.
    pub duration: Duration,
    /// Decides which clusters, and everything random of the faults; `None` leaves it to the agent, which shows it.
    pub seed: Option<u64>,
}

impl Injection {
    /// Reads fields by their names: `fault` (a fault or a preset), its parameters, `select`, `duration` and `seed`.
    pub fn from_fields(fields: impl IntoIterator<Item = (String, String)>) -> Result<Injection, FaultError> {
        let mut given: BTreeMap<String, String> = fields.into_iter().collect();
        let names: Vec<&str> =
            KINDS.iter().map(|kind| kind.name).chain(PRESETS.iter().map(|preset| preset.name)).collect();
        let name = given.remove("fault").ok_or_else(|| FaultError::Missing {
            field: "fault".into(),
            expected: format!("one of {}", names.join(", ")),
        })?;
        let kind = KINDS.iter().find(|kind| kind.name == name);
        let preset = PRESETS.iter().find(|preset| preset.name == name);
        let (faults, parameters, select, duration) = match (kind, preset) {
            (Some(kind), _) => {
                let parameters: Vec<&str> = kind.parameters.iter().map(|parameter| parameter.name).collect();
                (vec![kind.take(&mut given)?], parameters, "all", DEFAULT_DURATION)
            }
            (None, Some(preset)) => {
                let faults = preset.faults.iter().map(|text| Ok(text.parse::<Injection>()?.faults));
                let faults: Vec<Vec<Fault>> = faults.collect::<Result<_, FaultError>>()?;
                (faults.concat(), Vec::new(), preset.select, preset.duration)
            }
            (None, None) => return Err(FaultError::none_of("fault", &name, &names)),
        };
        let happens_once = faults.contains(&Fault::Drop);
        let selection = given.remove("select").as_deref().unwrap_or(select).parse()?;
        let duration = match given.remove("duration") {
            Some(text) if happens_once => {
                return Err(FaultError::bad_value("duration", &text, "known here: the tunnels break once"));
            }
            Some(text) => read_time("duration", &text, SHORTEST, LONGEST)?,
            None if happens_once => Duration::ZERO,
            None => read_time("duration", duration, SHORTEST, LONGEST)?,
        };
        let seed = given.remove("seed").map(|text| {
            text.parse()
                .map_err(|_| FaultError::bad_value("seed", &text, "a whole number from 0 to 18446744073709551615"))
        });
        if let Some(unknown) = given.keys().next() {
            let known: Vec<&str> = parameters.into_iter().chain(["select", "duration", "seed"]).collect();
            return Err(FaultError::unknown_field(unknown, &known));
        }
        Ok(Injection { preset: preset.map(|preset| preset.name), faults, selection, duration, seed: seed.transpose()? })
    }

    /// Reads an object as a REST client sends it: `{"fault":"errors","status":503,"select":"prefix=edge-,10%","duration":"5m"}`.
    pub fn from_json(object: &serde_json::Map<String, Value>) -> Result<Injection, FaultError> {
        let fields = object.iter().map(|(name, value)| Ok((name.clone(), scalar(name, value)?)));
        Injection::from_fields(fields.collect::<Result<Vec<_>, FaultError>>()?)
    }

    /// Reads a mapping of a YAML file, with the same keys.
    pub fn from_yaml(mapping: &serde_yaml::Mapping) -> Result<Injection, FaultError> {
        // Whatever YAML knows and JSON does not is no scalar either.
        let object = serde_json::to_value(mapping).unwrap_or_default();
        object.as_object().map_or_else(
            || {
                Err(FaultError::bad_value(
                    "fault",
                    "a mapping with keys that are no text",
                    "a mapping of names to values",
                ))
            },
            Injection::from_json,
        )
    }

    /// The fields that [`Injection::from_fields`] reads as the same; of a preset only what it is called.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = match (self.preset, self.faults.as_slice()) {
            (Some(preset), _) => vec![("fault", preset.to_owned())],
            (None, faults) => {
                let named = faults.iter().map(|fault| ("fault", fault.name().to_owned()));
                named.chain(faults.iter().flat_map(Fault::parameters)).collect()
            }
        };
        fields.push(("select", self.selection.to_string()));
        if !self.duration.is_zero() {
            fields.push(("duration", duration_text(self.duration)));
        }
        fields.extend(self.seed.map(|seed| ("seed", seed.to_string())));
        fields
    }
}

impl FromStr for Injection {
    type Err = FaultError;

    /// Reads words as on a command line: `errors status=503 share=20% select=prefix=edge-,10% duration=5m seed=7`.
    fn from_str(text: &str) -> Result<Injection, FaultError> {
        let mut fields = Vec::new();
        for (position, word) in text.split_whitespace().enumerate() {
            fields.push(match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None if position == 0 => ("fault".to_owned(), word.to_owned()),
                None => return Err(FaultError::bad_value(word, "", "NAME=VALUE")),
            });
        }
        Injection::from_fields(fields)
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.fields().into_iter().map(|(name, value)| match name {
            "fault" => value,
            name => format!("{name}={value}"),
        });
        f.write_str(&words.collect::<Vec<_>>().join(" "))
    }
}

fn scalar(name: &str, value: &Value) -> Result<String, FaultError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(FaultError::bad_value(name, &other.to_string(), "text or a number")),
    }
}

/// Long enough to see it, short enough to be forgotten.
const DEFAULT_DURATION: &str = "1m";
/// The shortest time that anybody notices.
const SHORTEST: Duration = Duration::from_secs(1);
/// A week: whoever wants longer wants another fleet.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::super::{Amount, Share};
    use super::*;
    use serde_json::json;

    fn parse(text: &str) -> Injection {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn from_json(object: Value) -> Result<Injection, FaultError> {
        Injection::from_json(object.as_object().unwrap())
    }

    #[test]
    fn words_json_and_yaml_say_the_same() {
        let words = parse("errors status=503 share=20% select=prefix=edge-,10% duration=5m seed=7");
        let expected = Injection {
            preset: None,
            faults: vec![Fault::Errors { status: 503, share: "20%".parse().unwrap() }],
            selection: Selection {
                prefix: Some("edge-".into()),
                amount: Amount::Share("10%".parse().unwrap()),
                ..Selection::default()
            },
            duration: Duration::from_secs(300),
            seed: Some(7),
        };
        assert_eq!(words, expected);
        let object = json!({"fault": "errors", "status": 503, "share": "20%", "select": "prefix=edge-,10%", "duration": "5m", "seed": 7});
        assert_eq!(from_json(object).as_ref(), Ok(&expected));
        let yaml = "fault: errors\nstatus: 503\nshare: 20%\nselect: prefix=edge-,10%\nduration: 5m\nseed: 7\n";
        assert_eq!(Injection::from_yaml(&serde_yaml::from_str(yaml).unwrap()), Ok(expected));
    }

    #[test]
    fn every_kind_and_preset_is_written_as_it_is_read() {
        for kind in KINDS {
            let injection = parse(kind.name);
            assert_eq!(injection.faults[0].kind().name, kind.name);
            assert_eq!(parse(&injection.to_string()), injection);
            let names: Vec<&str> = injection.faults[0].parameters().into_iter().map(|(name, _)| name).collect();
            assert_eq!(
                names,
                kind.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>(),
                "{}",
                kind.name
            );
        }
        for preset in PRESETS {
            assert!(KINDS.iter().all(|kind| kind.name != preset.name));
            assert_eq!(parse(&parse(preset.name).to_string()), parse(preset.name));
        }
        assert_eq!(parse("drop").duration, Duration::ZERO);
        assert_eq!(parse("stall").duration, Duration::from_secs(60));
        let storm = parse("reconnect-storm select=prefix=edge- duration=5s");
        assert_eq!((storm.faults, storm.duration), (vec![Fault::Refuse], Duration::from_secs(5)));
        assert_eq!(storm.selection.prefix.as_deref(), Some("edge-"));
        assert_eq!(
            parse("latency p50=5s").faults,
            [Fault::Latency { p50: Duration::from_secs(5), p99: Duration::from_secs(5) }]
        );
        assert_eq!(parse("not-ready").faults, [Fault::NotReady { share: Share::ALL }]);
    }

    #[test]
    fn errors_name_field_value_and_what_was_expected() {
        for (text, message) in [
            ("errrors", "fault: \"errrors\" is not one of drop, flap"),
            ("errrors", "did you mean \"errors\"?"),
            ("", "fault is missing; expected one of drop"),
            ("errors status=404", "status: \"404\" is not one of 429, 500, 503"),
            ("errors share=20", "share: \"20\" is not a share from 0.01% to 100%"),
            (
                "errors statuss=503",
                "statuss: there is no such field here; expected one of status, share, select, duration, seed (did you mean \"status\"?)",
            ),
            ("mass-disconnect share=1%", "share: there is no such field here; expected one of select, duration, seed"),
            ("latency p50=2s p99=1s", "p99: \"1s\" is not a duration from 2s to 10m such as 30s"),
            ("flap every=10s down=1m", "down: \"1m\" is not a duration from 0s to 10s such as 30s"),
            ("slow bytes-per-second=1", "bytes-per-second: \"1\" is not a whole number from 64 to 1000000000"),
            ("stall duration=5", "duration: \"5\" is not a duration from 1s to 168h such as 30s"),
            ("drop duration=5s", "duration: \"5s\" is not known here"),
            ("stall select=edge-", "select: \"edge-\" is not a selection such as all, prefix=edge-,10%"),
            ("stall seed=x", "seed: \"x\" is not a whole number from 0"),
            ("stall now", "now: \"\" is not NAME=VALUE"),
        ] {
            let error = text.parse::<Injection>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        let error = from_json(json!({"fault": "stall", "select": ["edge-1"]})).unwrap_err();
        assert_eq!(
            (error.field(), error.to_string().as_str()),
            ("select", "select: \"[\\\"edge-1\\\"]\" is not text or a number")
        );
    }
}
