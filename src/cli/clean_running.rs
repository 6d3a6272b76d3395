//! `clean --agent`: has running agents delete clusters that they created, through their REST API.

use super::Failure;
use super::agent_api::client;
use super::args::CleanArgs;
use super::clean::{Deletion, finish, follow, settled};
use super::signals::requests;
use crate::config::Loaded;
use crate::manager::Which;
use crate::remote::Client;
use serde_json::Value;
use std::process::ExitCode;

/// Deletes the clusters that the flags pick, each by the agent that has it.
pub(super) fn run(loaded: &Loaded, args: &CleanArgs) -> Result<ExitCode, Failure> {
    if args.run.is_none() && args.prefix.is_empty() {
        let remedy = "add --run ID or --prefix PREFIX; all clusters go where the agent is stopped and --agent left out";
        return Err(Failure::new("a running agent is to be told which clusters").remedy(remedy).usage());
    }
    let which = Which { prefix: args.prefix.clone(), run: args.run.clone() };
    let agents = args.agents.iter().map(|url| client(Some(url), &loaded.settings)).collect::<Result<Vec<_>, _>>()?;
    let mut names = Vec::new();
    for agent in &agents {
        names.extend(picked(agent, &which)?);
    }
    let urls: Vec<&str> = agents.iter().map(Client::url).collect();
    let place = format!("the agent at {}", urls.join(" or "));
    if let Some(code) = settled(args, &names, &plan(&names, args.dry_run), &place)? {
        return Ok(code);
    }
    let (stop, _) = requests(false)?;
    let mut operations = Vec::new();
    for agent in &agents {
        let operation = match &which.run {
            Some(run) => agent.delete_run(&which.prefix, run)?,
            None => agent.delete_prefix(&which.prefix)?,
        };
        operations.push((agent, operation["id"].as_u64().unwrap_or_default()));
    }
    let look = || {
        let mut sum = Deletion::default();
        for (agent, id) in &operations {
            add(&mut sum, &agent.operation(*id)?);
        }
        Ok(sum)
    };
    let (deletion, finished) = follow(look, &stop)?;
    finish(args, &names, &deletion, finished, "the agent goes on with it")
}

/// The names of an agent's clusters that are to go.
fn picked(agent: &Client, which: &Which) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let page: Value = agent.call("GET", &format!("/clusters?limit={PAGE}{after}"), None)?;
        for cluster in page["clusters"].as_array().into_iter().flatten() {
            let name = cluster["name"].as_str().unwrap_or_default();
            if which.picks(name, cluster["run"].as_str()) {
                names.push(name.to_owned());
            }
        }
        match page["continue"].as_str() {
            Some(last) => after = format!("&continue={last}"),
            None => return Ok(names),
        }
    }
}

fn plan(names: &[String], with_names: bool) -> String {
    if names.is_empty() {
        return "no such clusters\n".into();
    }
    let mut text = format!("{} clusters\n", names.len());
    if with_names {
        names.iter().for_each(|name| text += &format!("  {name}\n"));
    }
    text
}

fn add(sum: &mut Deletion, operation: &Value) {
    let number = |field: &str| operation[field].as_u64().unwrap_or_default();
    sum.is_running |= operation["state"] == "running";
    sum.total += number("total");
    sum.gone += number("done") + number("already");
    sum.failed += number("failed");
    let errors = operation["errors"].as_array().into_iter().flatten();
    sum.errors.extend(errors.filter_map(|error| error.as_str().map(str::to_owned)));
}

/// Clusters in one answer.
const PAGE: usize = 1_000;
