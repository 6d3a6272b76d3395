//! What a ramp is to do, as operators write it.

use super::{Misread, Rate, Schedule, Stages, Threshold};
use crate::config::{duration_text, parse_duration};
use crate::yaml::nearest;
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::time::Duration;

/// A whole ramp. [`Spec::from_json`] and [`Spec::to_json`] are its form in REST, in scenario files and in results.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// What the clusters' names begin with.
    pub prefix: String,
    /// How many clusters.
    pub clusters: u32,
    /// The number of the first.
    pub start: u32,
    /// Digits of the number, with leading zeros; 0 writes it as it is.
    pub width: u8,
    /// When they start; without stages each starts as soon as it may.
    pub stages: Option<Stages>,
    /// Share of the time between two starts by which each is moved at random, 0 to 1.
    pub jitter: f64,
    /// Decides everything random.
    pub seed: u64,
    /// How many may be in flight; without stages [`Spec::UNPACED_IN_FLIGHT`] unless given.
    pub max_in_flight: Option<u32>,
    /// How long a cluster is in flight.
    pub in_flight_until: InFlightUntil,
    /// A cluster that is not Active so long after its intended start has failed.
    pub timeout: Duration,
    /// How long the clusters are held once each has its end.
    pub hold: Duration,
    /// The template that they are made from.
    pub template: Option<String>,
    /// The Rancher to register them with.
    pub server: Option<String>,
    /// Whether clusters that Rancher has already become this agent's.
    pub adopt: bool,
    /// What tells its clusters from those of other runs, a label of theirs in Rancher; the agent chooses one where there is none.
    pub run: Option<String>,
    /// What has to hold.
    pub thresholds: Vec<Threshold>,
    /// Whether the ramp ends as soon as one does not.
    pub abort_on_fail: bool,
}

/// Until when a cluster is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InFlightUntil {
    /// Rancher has created it.
    Created,
    /// Rancher calls it Active.
    Active,
}

/// What is wrong with the description of a ramp: the field, and what about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The field, by its name in JSON.
    pub field: String,
    /// Which item of it, if it is a list.
    pub item: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl Default for Spec {
    fn default() -> Spec {
        Spec {
            prefix: "ramp-".into(),
            clusters: 0,
            start: 1,
            width: 4,
            stages: None,
            jitter: 0.0,
            seed: 1,
            max_in_flight: None,
            in_flight_until: InFlightUntil::Active,
            timeout: Duration::from_secs(600),
            hold: Duration::ZERO,
            template: None,
            server: None,
            adopt: false,
            run: None,
            thresholds: Vec::new(),
            abort_on_fail: false,
        }
    }
}

impl Spec {
    /// The fields that [`Spec::from_json`] knows.
    pub const FIELDS: [&str; 18] = [
        "prefix",
        "clusters",
        "start",
        "width",
        "rate",
        "stages",
        "jitter",
        "seed",
        "maxInFlight",
        "inFlightUntil",
        "timeout",
        "hold",
        "template",
        "server",
        "adopt",
        "run",
        "thresholds",
        "abortOnFail",
    ];
    /// Clusters in flight where nothing else paces the starts: enough to keep a Rancher's registrars busy.
    pub const UNPACED_IN_FLIGHT: u32 = 64;

    /// Reads a ramp from its fields; those that are not there have their defaults.
    pub fn from_json(object: &Map<String, Value>) -> Result<Spec, SpecError> {
        if let Some(unknown) = object.keys().find(|key| !Spec::FIELDS.contains(&key.as_str())) {
            let near = nearest(unknown, Spec::FIELDS).map(|near| format!("; did you mean {near:?}?"));
            let problem = format!("there is no such field{}", near.unwrap_or_default());
            return Err(SpecError { field: unknown.clone(), item: None, problem });
        }
        let fields = Fields(object);
        let usual = Spec::default();
        let mut spec = Spec {
            prefix: fields.text("prefix")?.unwrap_or(usual.prefix),
            clusters: fields.number("clusters", 1, MAX_CLUSTERS.into())?.unwrap_or(0) as u32,
            start: fields.number("start", 0, u32::MAX.into())?.map_or(usual.start, |start| start as u32),
            width: fields.number("width", 0, 63)?.map_or(usual.width, |width| width as u8),
            stages: fields.parsed("stages", |text| Stages::parse(text).map_err(|misread| misread.to_string()))?,
            jitter: fields.parsed("jitter", parse_share)?.unwrap_or(usual.jitter),
            seed: fields.number("seed", 0, u32::MAX.into())?.unwrap_or(usual.seed),
            max_in_flight: fields.number("maxInFlight", 1, MAX_CLUSTERS.into())?.map(|limit| limit as u32),
            in_flight_until: fields.parsed("inFlightUntil", InFlightUntil::parse)?.unwrap_or(usual.in_flight_until),
            timeout: fields.time("timeout")?.unwrap_or(usual.timeout),
            hold: fields.time("hold")?.unwrap_or(usual.hold),
            template: fields.text("template")?,
            server: fields.text("server")?,
            adopt: fields.switch("adopt")?,
            run: fields.parsed("run", parse_run)?,
            thresholds: fields.thresholds()?,
            abort_on_fail: fields.switch("abortOnFail")?,
        };
        let rate = fields.parsed("rate", |text| Rate::parse(text).map_err(|misread| misread.to_string()))?;
        spec.pace(rate)?;
        Ok(spec)
    }

    /// Brings rate, stages and the number of clusters together: a rate is one stage that starts all of them.
    pub fn pace(&mut self, rate: Option<Rate>) -> Result<(), SpecError> {
        let error = |field: &str, problem: String| Err(SpecError { field: field.into(), item: None, problem });
        match (&self.stages, rate) {
            (Some(_), Some(_)) => {
                return error("rate", "a rate and stages are given: one of them says when clusters start".into());
            }
            (None, _) if self.clusters == 0 => {
                return error("clusters", "it says how many clusters, and is missing".into());
            }
            (None, None) => {}
            (None, Some(rate)) => {
                let length = duration_text(rate.interval() * self.clusters);
                self.stages = Some(Stages::constant(&rate, self.clusters).ok_or_else(|| SpecError {
                    field: "rate".into(),
                    item: None,
                    problem: format!("{} clusters at {rate} take {length}: longer than a ramp may", self.clusters),
                })?);
            }
            (Some(stages), None) => {
                let possible = stages.clusters();
                if self.clusters == 0 {
                    self.clusters = possible;
                }
                if self.clusters > possible {
                    return error(
                        "clusters",
                        format!("the stages start {possible} clusters, fewer than {}", self.clusters),
                    );
                }
            }
        }
        if !(1..=MAX_CLUSTERS).contains(&self.clusters) {
            return error(
                "stages",
                format!("they start {} clusters; from 1 to {MAX_CLUSTERS} are possible", self.clusters),
            );
        }
        Ok(())
    }

    /// Its form in JSON, with the defaults of what has one.
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "prefix": self.prefix,
            "clusters": self.clusters,
            "start": self.start,
            "width": self.width,
            "stages": self.stages.as_ref().map(ToString::to_string),
            "jitter": format!("{}%", (self.jitter * 1e4).round() / 100.0),
            "seed": self.seed,
            "maxInFlight": self.max_in_flight,
            "inFlightUntil": self.in_flight_until.as_str(),
            "timeout": duration_text(self.timeout),
            "hold": duration_text(self.hold),
            "template": self.template,
            "server": self.server,
            "adopt": self.adopt,
            "run": self.run,
            "thresholds": self.thresholds.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "abortOnFail": self.abort_on_fail,
        });
        value.as_object_mut().into_iter().for_each(|object| object.retain(|_, value| !value.is_null()));
        value
    }

    /// The name of the cluster at `position`, from 0.
    pub fn name(&self, position: u32) -> String {
        let number = u64::from(self.start) + u64::from(position);
        format!("{}{number:0width$}", self.prefix, width = usize::from(self.width))
    }

    /// When each cluster is to start.
    pub fn schedule(&self) -> Schedule {
        match &self.stages {
            Some(stages) => Schedule::new(stages, self.clusters, self.jitter, self.seed),
            None => Schedule::unpaced(self.clusters),
        }
    }

    /// How many may be in flight.
    pub fn limit(&self) -> Option<u32> {
        self.max_in_flight.or(self.stages.is_none().then_some(Spec::UNPACED_IN_FLIGHT))
    }
}

impl InFlightUntil {
    fn parse(text: &str) -> Result<InFlightUntil, String> {
        match text {
            "created" => Ok(InFlightUntil::Created),
            "active" => Ok(InFlightUntil::Active),
            _ => Err(format!("{text:?} is neither \"created\" nor \"active\"")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            InFlightUntil::Created => "created",
            InFlightUntil::Active => "active",
        }
    }
}

/// Reads `20%` or `0.2`.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let share = number.trim().parse::<f64>().ok().map(|number| number / whole);
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| format!("{text:?} is no share; write 20% or 0.2"))
}

/// Reads the id of a run: what may be the value of a label.
pub fn parse_run(text: &str) -> Result<String, String> {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_one = text.len() <= LONGEST_RUN
        && is_end(text.as_bytes().first())
        && is_end(text.as_bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let problem = || {
        format!(
            "{text:?} is no id of a run: up to {LONGEST_RUN} letters, digits, '-', '_' and '.', a letter or digit at both ends"
        )
    };
    is_one.then(|| text.to_owned()).ok_or_else(problem)
}

/// The fields of an object; a null is a field that is not there.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    /// Text; what YAML takes for a number or a switch is text all the same.
    fn text(&self, field: &str) -> Result<Option<String>, SpecError> {
        self.get(field).map(|value| text(field, value)).transpose()
    }

    fn parsed<T>(&self, field: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, SpecError> {
        self.text(field)?.map(|text| parse(&text).map_err(|problem| error(field, problem))).transpose()
    }

    fn time(&self, field: &str) -> Result<Option<Duration>, SpecError> {
        self.parsed(field, |text| match parse_duration(text) {
            Ok(time) if time <= LONGEST => Ok(time),
            Ok(_) => Err("longer than a week".into()),
            Err(problem) => Err(format!("{problem}; write for example 10m")),
        })
    }

    fn number(&self, field: &str, min: u64, max: u64) -> Result<Option<u64>, SpecError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let number = value.as_u64().filter(|number| (min..=max).contains(number));
        let problem = || error(field, format!("{value} is not a whole number from {min} to {max}"));
        number.map(Some).ok_or_else(problem)
    }

    fn switch(&self, field: &str) -> Result<bool, SpecError> {
        match self.get(field) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(other) => Err(error(field, format!("{other} is neither true nor false"))),
        }
    }

    fn thresholds(&self) -> Result<Vec<Threshold>, SpecError> {
        let field = "thresholds";
        let items = match self.get(field) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= MOST_THRESHOLDS => items,
            Some(Value::Array(_)) => return Err(error(field, format!("more than {MOST_THRESHOLDS} thresholds"))),
            Some(_) => return Err(error(field, "not a list of expressions such as time_to_active:p(95)<120s")),
        };
        let parse = |(index, item): (usize, &Value)| {
            let at = |problem: &dyn Display| SpecError { item: Some(index), ..error(field, problem.to_string()) };
            let text = text(field, item).map_err(|error| at(&error.problem))?;
            Threshold::parse(&text).map_err(|misread: Misread| at(&misread))
        };
        items.iter().enumerate().map(parse).collect()
    }
}

fn text(field: &str, value: &Value) -> Result<String, SpecError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(error(field, "not a text")),
    }
}

fn error(field: &str, problem: impl Into<String>) -> SpecError {
    SpecError { field: field.to_owned(), item: None, problem: problem.into() }
}

impl Display for SpecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let item = self.item.map(|item| format!(", item {}", item + 1)).unwrap_or_default();
        write!(f, "the field {:?}{item}: {}", self.field, self.problem)
    }
}

impl std::error::Error for SpecError {}

/// More than any agent holds.
pub const MAX_CLUSTERS: u32 = 100_000;
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// As long as the value of a label may be.
const LONGEST_RUN: usize = 63;
/// More than anybody reads.
const MOST_THRESHOLDS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Spec, SpecError> {
        Spec::from_json(value.as_object().unwrap())
    }

    #[test]
    fn what_is_written_reads_back() {
        let spec = read(json!({
            "prefix": "edge-", "stages": "1m:1/s,1m:2/s..4/s,5m:hold", "jitter": "20%", "seed": 7, "maxInFlight": 50, "timeout": "2m",
            "hold": "1h", "template": "small", "thresholds": ["time_to_active:p(95)<120s", "failed:rate<1%"], "abortOnFail": true
        }))
        .unwrap();
        assert_eq!((spec.clusters, spec.jitter, spec.limit()), (240, 0.2, Some(50)));
        assert_eq!(read(spec.to_json()).unwrap(), spec);
    }

    #[test]
    fn a_rate_is_one_stage_that_starts_all() {
        let spec = read(json!({"clusters": 2000, "rate": "5/s"})).unwrap();
        assert_eq!(spec.stages.as_ref().unwrap().to_string(), "6m40s:5/s");
        assert_eq!((spec.schedule().clusters(), spec.limit()), (2000, None));
        assert_eq!(spec.schedule().start(1_999), Duration::from_millis(399_800));
        for rate in ["7/s", "0.3/s", "1/m", "9999/s"] {
            let spec = read(json!({"clusters": 1_001, "rate": rate})).unwrap();
            assert_eq!(spec.stages.unwrap().clusters(), 1_001, "{rate}");
        }
    }

    #[test]
    fn without_a_rate_only_the_limit_holds_them_back() {
        let spec = read(json!({"clusters": 10})).unwrap();
        assert_eq!((spec.schedule().is_paced(), spec.limit()), (false, Some(64)));
    }

    #[test]
    fn names_are_numbered() {
        let mut spec = Spec { prefix: "edge-".into(), start: 8, width: 3, ..Spec::default() };
        assert_eq!((spec.name(0), spec.name(9)), ("edge-008".into(), "edge-017".into()));
        spec.width = 0;
        assert_eq!(spec.name(9), "edge-17");
    }

    #[test]
    fn each_mistake_names_its_field() {
        for (value, message) in [
            (json!({"clusters": 1, "rte": "5/s"}), "the field \"rte\": there is no such field; did you mean \"rate\"?"),
            (json!({"rate": "5/s"}), "the field \"clusters\": it says how many clusters, and is missing"),
            (json!({"clusters": 0}), "the field \"clusters\": 0 is not a whole number from 1 to 100000"),
            (json!({"clusters": 1, "rate": "fast"}), "the field \"rate\": \"fast\", character 1: not a rate"),
            (
                json!({"clusters": 9, "stages": "1s:1/s"}),
                "the field \"clusters\": the stages start 1 clusters, fewer than 9",
            ),
            (
                json!({"clusters": 9, "rate": "1", "stages": "9s:1/s"}),
                "the field \"rate\": a rate and stages are given",
            ),
            (json!({"clusters": 9, "hold": "5"}), "the field \"hold\": 5 has no unit; write for example 10m"),
            (json!({"clusters": 9, "jitter": "120%"}), "the field \"jitter\": \"120%\" is no share; write 20% or 0.2"),
            (
                json!({"clusters": 9, "thresholds": ["failed:rate<1%", "faild:rate<1%"]}),
                "the field \"thresholds\", item 2: \"faild:rate<1%\", character 1: there is no metric",
            ),
        ] {
            let shown = read(value).unwrap_err().to_string();
            assert!(shown.starts_with(message), "{shown}");
        }
    }
}
