//! Scenario files: a ramp, what is to go wrong and when, and what has to hold.
//!
//! ```yaml
//! name: mass-disconnect
//! ramp: {prefix: edge-, clusters: 200, rate: 20/s, hold: 2m}      # the fields of POST /ramps
//! thresholds: ["time_to_active:p(95)<60s", "failed:rate<1%"]
//! faults:
//!   - {at: 1m, fault: drop, select: "prefix=edge-,50%"}           # the fields of POST /faults
//! ```

use super::{Plan, Planned};
use crate::config::{duration_text, parse_duration};
use crate::faults::Injection;
use crate::ramp::Spec;
use crate::yaml::{DEPTH_LIMIT, Path, line_of, nearest, too_deep};
use serde_json::{Map, Value, json};
use std::fmt;
use std::time::Duration;

/// What is wrong in a scenario, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The field, such as `faults[2].at`; empty for the file as a whole.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads a scenario. `file` is for messages only.
pub fn parse(file: &str, yaml: &str) -> Result<Plan, ScenarioError> {
    let text = Text { file, yaml };
    let root = Path::default();
    let whole = |line, problem| ScenarioError { file: file.to_owned(), line, field: String::new(), problem };
    if let Some(line) = too_deep(yaml.as_bytes()) {
        return Err(whole(line, format!("brackets nest more than {DEPTH_LIMIT} deep")));
    }
    let value: Value = serde_yaml::from_str(yaml)
        .map_err(|error| whole(error.location().map_or(1, |location| location.line()), error.to_string()))?;
    let Value::Object(mut scenario) = value else { return Err(text.error(&root, "a scenario is a mapping")) };
    if let Some(unknown) = scenario.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let hint = nearest(unknown, FIELDS).map(|near| format!("; did you mean {near}?"));
        let hint = hint.unwrap_or_else(|| format!("; there are {}", FIELDS.join(", ")));
        return Err(text.error(&root.key(unknown), format!("there is no such field{hint}")));
    }
    let spec = spec(&text, &mut scenario)?;
    let name = match scenario.remove("name") {
        None => spec.prefix.trim_end_matches('-').to_owned(),
        Some(Value::String(name)) if !name.trim().is_empty() => name,
        Some(_) => return Err(text.error(&root.key("name"), "it is a text")),
    };
    let faults = root.key("faults");
    let mut planned = match scenario.remove("faults") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => {
            let items = items.into_iter().enumerate();
            items.map(|(at, item)| fault(&text, &faults.item(at), item)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(text.error(&faults, "it is a list of faults, each with its time: at")),
    };
    planned.sort_by_key(|fault| fault.at);
    Ok(Plan { name, spec, faults: planned })
}

fn spec(text: &Text<'_>, scenario: &mut Map<String, Value>) -> Result<Spec, ScenarioError> {
    let ramp = Path::default().key("ramp");
    let mut fields = match scenario.remove("ramp") {
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(text.error(&ramp, "it is a mapping, such as {clusters: 200, rate: 5/s}")),
        None => {
            return Err(text.error(&Path::default(), "the field ramp is missing: it says which clusters start when"));
        }
    };
    if let Some(thresholds) = scenario.remove("thresholds") {
        if fields.contains_key("thresholds") {
            return Err(text.error(&ramp.key("thresholds"), "thresholds are given twice"));
        }
        fields.insert("thresholds".into(), thresholds);
    }
    let given = fields.clone();
    Spec::from_json(&fields).map_err(|error| {
        let in_ramp = line_of(text.yaml, 0, &ramp.key(&error.field)).is_some();
        let path = match given.contains_key(&error.field) {
            true if in_ramp => ramp.key(&error.field),
            true => Path::default().key(&error.field),
            // One that is missing stands nowhere.
            false => ramp.clone(),
        };
        let path = error.item.map_or(path.clone(), |item| path.item(item));
        let named = if given.contains_key(&error.field) { String::new() } else { format!("{}: ", error.field) };
        text.error(&path, format!("{named}{}", error.problem))
    })
}

fn fault(text: &Text<'_>, path: &Path, item: Value) -> Result<Planned, ScenarioError> {
    let Value::Object(mut fields) = item else {
        return Err(text.error(path, "it is a mapping, such as {at: 1m, fault: drop}"));
    };
    let at = match fields.remove("at") {
        Some(Value::String(at)) => parse_duration(&at).map_err(|problem| text.error(&path.key("at"), problem))?,
        Some(_) => return Err(text.error(&path.key("at"), "it has no unit; write for example 1m30s")),
        None => return Err(text.error(path, "the field at is missing: it says when, since the begin of the ramp")),
    };
    let injection = Injection::from_json(&fields).map_err(|error| {
        let field = error.field().to_owned();
        let path = if fields.contains_key(&field) { path.key(&field) } else { path.clone() };
        text.error(&path, error.to_string())
    })?;
    Ok(Planned::of(at, &injection))
}

impl Plan {
    /// The plan for machines: `ramp` is a body for `POST /ramps`, each of `faults` one for `POST /faults` with its time.
    pub fn to_json(&self) -> Value {
        let last = self.spec.clusters.saturating_sub(1);
        let last_start = self.spec.stages.as_ref().map(|_| self.spec.schedule().start(last).as_secs_f64());
        let faults = self.faults.iter().map(|fault| {
            let mut body = fault.body.clone();
            body["at"] = duration_text(fault.at).into();
            body
        });
        json!({
            "name": self.name,
            "first": self.spec.name(0),
            "last": self.spec.name(last),
            // Nothing paces them: it depends on Rancher.
            "lastStartSeconds": last_start,
            "ramp": self.spec.to_json(),
            "faults": faults.collect::<Vec<_>>(),
        })
    }
}

impl Planned {
    /// An injection at a time.
    fn of(at: Duration, injection: &Injection) -> Planned {
        let fields = injection.fields();
        let text = fields.iter().filter(|(name, _)| *name != "seed").map(|(name, value)| match *name {
            "fault" => value.clone(),
            name => format!("{name}={value}"),
        });
        let text = text.collect::<Vec<_>>().join(" ");
        let body: Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        Planned { at, text, body: body.into() }
    }

    fn scaled(&self, factor: f64) -> Planned {
        let mut scaled = self.clone();
        scaled.at = self.at.mul_f64(factor);
        let object = self.body.as_object().and_then(|fields| Injection::from_json(fields).ok());
        if let Some(mut injection) = object.filter(|injection| !injection.duration.is_zero()) {
            injection.duration = injection.duration.mul_f64(factor).max(SHORTEST_FAULT);
            scaled = Planned::of(scaled.at, &injection);
        }
        scaled
    }
}

impl Plan {
    /// The same plan in a share of its time and with a share of its clusters, at the same rates: to try it, before it is run whole.
    pub fn scaled(&self, factor: f64) -> Plan {
        let mut spec = self.spec.clone();
        spec.clusters = ((f64::from(spec.clusters) * factor).round() as u32).max(1);
        if let Some(stages) = &spec.stages {
            let stages = stages.scaled(factor);
            spec.clusters = spec.clusters.min(stages.clusters());
            spec.stages = Some(stages);
        }
        spec.hold = spec.hold.mul_f64(factor);
        let faults = self.faults.iter().map(|fault| fault.scaled(factor)).collect();
        Plan { name: self.name.clone(), spec, faults }
    }

    /// What is to go wrong, a line for each.
    pub fn fault_lines(&self) -> String {
        self.faults.iter().map(|fault| format!("after {}: {}\n", duration_text(fault.at), fault.text)).collect()
    }
}

struct Text<'a> {
    file: &'a str,
    yaml: &'a str,
}

impl Text<'_> {
    fn error(&self, path: &Path, problem: impl Into<String>) -> ScenarioError {
        ScenarioError {
            file: self.file.to_owned(),
            line: line_of(self.yaml, 0, path).unwrap_or(1),
            field: path.to_string(),
            problem: problem.into(),
        }
    }
}

impl std::error::Error for ScenarioError {}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)
    }
}

const FIELDS: [&str; 4] = ["name", "ramp", "thresholds", "faults"];
/// A fault is not over before anybody sees it.
const SHORTEST_FAULT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "\
name: two faults
ramp:
  prefix: edge-
  stages: 100s:1/s,5m:hold
  hold: 1h
thresholds:
  - failed:rate<1%
faults:
  - {at: 3m, fault: errors, status: 503, share: 20%, select: prefix=edge-, duration: 2m}
  - at: 2m
    fault: drop
    select: 50%
";

    #[test]
    fn a_scenario_is_a_ramp_with_faults_in_the_order_of_their_times() {
        let plan = parse("s.yaml", WHOLE).unwrap();
        assert_eq!((plan.name.as_str(), plan.spec.clusters, plan.spec.thresholds.len()), ("two faults", 100, 1));
        assert_eq!(
            plan.fault_lines(),
            "after 2m: drop select=50%\nafter 3m: errors status=503 share=20% select=prefix=edge- duration=2m\n"
        );
        assert_eq!(plan.faults[1].body["status"], "503");
    }

    #[test]
    fn a_share_of_it_takes_a_share_of_the_time() {
        let plan = parse("s.yaml", WHOLE).unwrap().scaled(0.1);
        assert_eq!((plan.spec.clusters, plan.spec.hold), (10, Duration::from_secs(360)));
        assert_eq!(plan.spec.stages.as_ref().unwrap().to_string(), "10s:1/s,30s:hold");
        assert_eq!(
            plan.fault_lines(),
            "after 12s: drop select=50%\nafter 18s: errors status=503 share=20% select=prefix=edge- duration=12s\n"
        );
        assert_eq!(parse("s.yaml", WHOLE).unwrap().scaled(0.001).faults[1].body["duration"], "1s");
    }

    #[test]
    fn each_mistake_is_found_in_its_line() {
        for (from, to, message) in [
            ("name:", "nmae:", "s.yaml:1: nmae: there is no such field; did you mean name?"),
            ("  stages:", "  stgaes:", "s.yaml:4: ramp.stgaes: there is no such field; did you mean \"stages\"?"),
            ("100s:1/s,5m:hold", "100s:1/s,5m", "s.yaml:4: ramp.stages: \"100s:1/s,5m\", character 10: not a stage"),
            ("hold: 1h", "hold: 1", "s.yaml:5: ramp.hold: 1 has no unit"),
            (
                "failed:rate<1%",
                "faild:rate<1%",
                "s.yaml:7: thresholds[0]: \"faild:rate<1%\", character 1: there is no metric",
            ),
            ("at: 3m", "at: 3", "s.yaml:9: faults[0].at: it has no unit"),
            ("fault: drop", "fault: dorp", "s.yaml:11: faults[1].fault: "),
            ("  stages: 100s:1/s,5m:hold\n", "", "s.yaml:2: ramp: clusters: it says how many clusters, and is missing"),
            ("ramp:\n", "ramp: 5\nx:\n", "s.yaml:3: x: there is no such field"),
            ("name: two", "name: [two", "s.yaml:"),
        ] {
            let error = parse("s.yaml", &WHOLE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
