//! `fault`: lets clusters of a running agent suffer faults, lists them, ends them.

use super::agent_api::client;
use super::args::{FaultAction, FaultArgs};
use super::status::clock;
use super::{Failure, ReportFormat, print_stdout};
use crate::config::Loaded;
use crate::faults::{Injection, KINDS, PRESETS};
use crate::report::{Column, Table};
use serde_json::Value;
use std::process::ExitCode;

/// Does what is asked with the faults of a running agent.
pub(super) fn run(loaded: &Loaded, args: FaultArgs) -> Result<ExitCode, Failure> {
    let (agent, answer) = match args.action {
        FaultAction::Start { words, select, duration, seed, agent } => {
            let injection = read(words, [("select", select), ("duration", duration), ("seed", seed)])?;
            let fields = injection.fields().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
            let body = Value::Object(fields.collect());
            let answer: Value =
                client(agent.agent.as_deref(), &loaded.settings)?.call("POST", "/faults", Some(&body))?;
            (agent, answer)
        }
        FaultAction::List { agent } => {
            let answer: Value = client(agent.agent.as_deref(), &loaded.settings)?.call("GET", "/faults", None)?;
            (agent, answer)
        }
        FaultAction::End { id, agent } => {
            let answer: Value =
                client(agent.agent.as_deref(), &loaded.settings)?.call("DELETE", &format!("/faults/{id}"), None)?;
            (agent, answer)
        }
    };
    let list = answer["faults"].as_array().filter(|_| answer["id"].is_null());
    let text = match (agent.output, list.map(Vec::as_slice)) {
        (ReportFormat::Json, _) => format!("{answer:#}\n"),
        (ReportFormat::Text, Some([])) => "no faults\n".into(),
        (ReportFormat::Text, Some(all)) => table(all),
        (ReportFormat::Text, None) => table(std::slice::from_ref(&answer)),
    };
    print_stdout(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The table of faults and presets, for people.
pub(super) fn long_help() -> String {
    let mut help = String::from("Faults and their parameters:\n");
    for kind in KINDS {
        let parameters = kind.parameters.iter().map(|parameter| format!(" {}={}", parameter.name, parameter.default));
        help += &format!("\n  {}{}\n      {}\n", kind.name, parameters.collect::<String>(), kind.help);
    }
    help += "\nPresets, after what users of Rancher reported:\n";
    for preset in PRESETS {
        help += &format!("\n  {}\n      {}\n", preset.name, preset.help);
    }
    help
}

/// Reads words and flags by the one parser, so that a mistake is found here.
fn read(words: Vec<String>, flags: [(&str, Option<String>); 3]) -> Result<Injection, Failure> {
    let mut fields = Vec::new();
    for (position, word) in words.into_iter().enumerate() {
        fields.push(match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None if position == 0 => ("fault".to_owned(), word),
            None => {
                return Err(Failure::new(format!("{word:?} is no parameter"))
                    .remedy("write NAME=VALUE; fault --help lists them")
                    .usage());
            }
        });
    }
    fields.extend(flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Injection::from_fields(fields)
        .map_err(|error| Failure::new(error.to_string()).remedy("fault --help lists faults and parameters").usage())
}

fn table(faults: &[Value]) -> String {
    let mut table = Table::new(HEAD);
    for fault in faults {
        let text = |field: &str| fault[field].as_str().unwrap_or_default().to_owned();
        let all = fault["faults"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let all: Vec<&str> = all.collect();
        let end = if fault["ended"].is_null() { &fault["until"] } else { &fault["ended"] };
        let numbers = ["id", "clusters", "felt", "seed"].map(|field| fault[field].to_string());
        let [id, clusters, felt, seed] = numbers;
        let felt = format!("{felt} times");
        table.row([id, text("state"), clock(end), clusters, felt, seed, text("select"), all.join(" + ")]);
    }
    table.to_string()
}

const HEAD: [(&str, Column); 8] = [
    ("ID", Column::Right),
    ("STATE", Column::Left),
    ("ENDS (UTC)", Column::Left),
    ("CLUSTERS", Column::Right),
    ("FELT", Column::Right),
    ("SEED", Column::Right),
    ("SELECTED", Column::Left),
    ("FAULT", Column::Left),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn faults_are_a_table() {
        let one = json!({"id": 9, "state": "active", "faults": ["latency p50=1s p99=15s", "stall"], "select": "all", "seed": 7,
            "until": "2026-01-01T00:00:12.5Z", "clusters": 1200, "felt": 3});
        let other = json!({"id": 10, "state": "cancelled", "faults": ["drop"], "select": "prefix=edge-,10%", "seed": 42_000,
            "until": "2026-01-01T01:00:00Z", "ended": "2026-01-01T00:00:01Z", "clusters": 7, "felt": 12_345});
        assert_eq!(
            table(&[one, other]),
            "\
ID   STATE       ENDS (UTC)            CLUSTERS          FELT    SEED   SELECTED           FAULT
 9   active      2026-01-01 00:00:12       1200       3 times       7   all                latency p50=1s p99=15s + stall
10   cancelled   2026-01-01 00:00:01          7   12345 times   42000   prefix=edge-,10%   drop
"
        );
    }
}
