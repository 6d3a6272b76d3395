//! `status`: the clusters of a running agent, once or again and again.

use super::agent_api::client;
use super::args::StatusArgs;
use super::signals::requests;
use super::{Failure, ReportFormat, print_stdout};
use crate::config::Loaded;
use crate::remote::{Client, ClientError};
use crate::report::{Column, Table};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

/// Shows the fleet. Once it was shown, an agent that goes away is waited for.
pub(super) fn run(loaded: &Loaded, args: &StatusArgs) -> Result<ExitCode, Failure> {
    let agent = client(args.agent.agent.as_deref(), &loaded.settings)?;
    let stop = if args.watch { Some(requests(false)?.0) } else { None };
    let clear = if args.watch && std::io::stdout().is_terminal() { CLEAR } else { "" };
    let (mut last, mut is_away) = (String::new(), false);
    loop {
        match show(&agent, args) {
            Ok(shown) => {
                print_stdout(&format!("{clear}{shown}"))?;
                (last, is_away) = (shown, false);
            }
            Err(ClientError::Unreachable { url, cause, .. }) if !last.is_empty() => {
                let told = format!("the agent at {url} does not answer: {cause}; it is asked again until it does\n");
                if !clear.is_empty() {
                    print_stdout(&format!("{clear}{told}\nas it was before:\n{last}"))?;
                } else if !is_away {
                    // Nothing is left to be told if standard error is closed.
                    let _ = std::io::stderr().write_all(told.as_bytes());
                }
                is_away = true;
            }
            Err(error) => return Err(error.into()),
        }
        match &stop {
            // The signal is how it is meant to end.
            Some(stop) if stop.recv_timeout(INTERVAL).is_err() => {}
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn show(agent: &Client, args: &StatusArgs) -> Result<String, ClientError> {
    let overview: Value = agent.call("GET", "/overview", None)?;
    let state = args.state.as_ref().map(|state| format!("&state={state}")).unwrap_or_default();
    let list: Value = agent.call("GET", &format!("/clusters?limit={}{state}", args.limit), None)?;
    Ok(match args.agent.output {
        ReportFormat::Json => {
            format!("{:#}\n", json!({ "overview": overview, "clusters": list["clusters"], "count": list["count"] }))
        }
        ReportFormat::Text => text(&overview, &list),
    })
}

fn text(overview: &Value, list: &Value) -> String {
    let counts = overview["clusters"].as_object().into_iter().flatten();
    let counts = counts.filter(|(_, count)| **count != json!(0)).map(|(state, count)| format!("{count} {state}"));
    let counts: Vec<String> = counts.collect();
    let mut text = match counts.as_slice() {
        [] => "no clusters".into(),
        counts => counts.join(", "),
    };
    text += &format!("; {} tunnels up\n", overview["tunnelsUp"]);
    for problem in overview["problems"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        text += &format!("problem: {problem}\n");
    }
    for fault in overview["faults"].as_array().into_iter().flatten() {
        let faults: Vec<&str> = fault["faults"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        text += &format!("fault {}: {} in {} clusters\n", fault["id"], faults.join(" + "), fault["clusters"]);
    }
    let clusters = list["clusters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if clusters.is_empty() {
        return text;
    }
    let mut table = Table::new(HEAD);
    clusters.iter().for_each(|cluster| table.row(row(cluster)));
    text += &format!("\n{table}");
    let shown = clusters.len() as u64;
    if list["count"].as_u64().is_some_and(|count| count > shown) {
        text += &format!("and {} more; --limit shows them\n", list["count"].as_u64().unwrap_or(shown) - shown);
    }
    text
}

fn row(cluster: &Value) -> [String; 5] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let to_active = time(&cluster["reached"]["active"]).zip(time(&cluster["created"]));
    let to_active = to_active.map(|(active, created)| format!("{:.1} s", active.duration_since(created).as_secs_f64()));
    let tunnel = |kind: &str| cluster["tunnels"][kind]["lastError"].as_str().map(str::to_owned);
    let error = cluster["lastError"].as_str().map(str::to_owned).or_else(|| tunnel("api")).or_else(|| tunnel("steve"));
    [
        text(&cluster["name"]),
        text(&cluster["state"]),
        clock(&cluster["since"]),
        to_active.unwrap_or_else(|| "-".into()),
        error.unwrap_or_default(),
    ]
}

/// A moment of an answer as people read it, in UTC and to the second.
pub(super) fn clock(value: &Value) -> String {
    let time = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

const HEAD: [(&str, Column); 5] = [
    ("NAME", Column::Left),
    ("STATE", Column::Left),
    ("SINCE (UTC)", Column::Left),
    ("TO ACTIVE", Column::Right),
    ("LAST ERROR", Column::Left),
];
const INTERVAL: Duration = Duration::from_secs(2);
/// Puts the cursor to the upper left and clears what is below (ECMA-48).
const CLEAR: &str = "\x1b[H\x1b[J";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_is_a_table() {
        let overview = json!({
            "clusters": {"active": 1, "failed": 1, "pending": 0}, "tunnelsUp": 2, "problems": ["disk full"],
            "faults": [{"id": 3, "faults": ["latency p50=1s p99=15s", "stall"], "clusters": 7}],
        });
        let list = json!({"count": 12, "clusters": [
            {"name": "edge-1", "state": "active", "since": "2026-01-01T00:00:12Z", "created": "2026-01-01T00:00:00Z",
             "reached": {"active": "2026-01-01T00:00:12.5Z"}, "tunnels": {"api": {}, "steve": {}}},
            {"name": "edge-22", "state": "failed", "since": "2026-01-01T00:00:00Z", "created": "2026-01-01T00:00:00Z",
             "reached": {}, "tunnels": {"api": {"lastError": "400 cluster not found"}, "steve": {}}},
        ]});
        assert_eq!(
            text(&overview, &list),
            "1 active, 1 failed; 2 tunnels up\n\
             problem: disk full\n\
             fault 3: latency p50=1s p99=15s + stall in 7 clusters\n\
             \n\
             NAME      STATE    SINCE (UTC)           TO ACTIVE   LAST ERROR\n\
             edge-1    active   2026-01-01 00:00:12      12.5 s\n\
             edge-22   failed   2026-01-01 00:00:00           -   400 cluster not found\n\
             and 10 more; --limit shows them\n"
        );
        assert_eq!(
            text(&json!({"clusters": {}, "tunnelsUp": 0}), &json!({"clusters": []})),
            "no clusters; 0 tunnels up\n"
        );
    }
}
