//! `clean`: deletes every cluster that this agent created, here and in Rancher, and nothing else.

use super::agent::Agent;
use super::args::CleanArgs;
use super::signals::{INTERRUPTED, requests};
use super::{Failure, ReportFormat, print_stdout};
use crate::config::Loaded;
use crate::manager::{
    Action, Answer, ClusterName, Command, INSTANCE_LABEL, OperationState, OperationView, RUN_LABEL, Reply, Stray, Which,
};
use crate::telemetry::{self, LogConfig};
use crossbeam_channel::{Receiver, Sender, bounded};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Runs the agent until all its clusters are gone. Rancher cleans up through their tunnels, which is why they are connected first.
pub(super) fn run(loaded: Loaded, args: &CleanArgs) -> Result<ExitCode, Failure> {
    loaded.settings.require_rancher()?;
    let (stop, _) = requests(false)?;
    let levels = loaded.settings.log_level.clone().at_most(log::LevelFilter::Warn);
    let log = LogConfig { levels, format: loaded.settings.log_format, file: None };
    let _log = telemetry::init(&log).map_err(|error| Failure::new("logging cannot start").cause(error))?;
    let Some(agent) = Agent::start(&loaded, &stop)? else { return Ok(ExitCode::from(INTERRUPTED)) };
    let outcome = clean(&agent, args, &stop);
    let stopped = agent.stop();
    outcome.and_then(|code| stopped.map(|()| code))
}

fn clean(agent: &Agent, args: &CleanArgs, stop: &Receiver<()>) -> Result<ExitCode, Failure> {
    let commands = agent.commands();
    let which = Which { prefix: args.prefix.clone(), run: args.run.clone() };
    let mut known = known(&commands)?;
    let strays = strays(agent, &known, &which)?;
    known.retain(|name, run| which.picks(name, run.as_deref()));
    let known: BTreeSet<String> = known.into_keys().collect();
    let total = known.len() + strays.len();
    let names = known.iter().cloned().chain(strays.iter().map(|stray| stray.name.to_string()));
    let names: Vec<String> = names.collect();
    if args.output == ReportFormat::Text {
        print_stdout(&plan(&known, &strays, args.dry_run))?;
    }
    if args.dry_run || total == 0 {
        if args.output == ReportFormat::Json {
            print_stdout(&format!("{}\n", json!({"clusters": names, "deleted": 0, "failed": 0, "errors": []})))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !confirmed(total)? {
        print_stdout("nothing was deleted\n")?;
        return Ok(ExitCode::FAILURE);
    }
    let Answer::OperationStarted(begun) = ask(&commands, Action::Clean { which, strays })? else {
        return Err(ended());
    };
    let (operation, finished) = follow(&commands, *begun, stop)?;
    match args.output {
        ReportFormat::Text => print_stdout(&result(&operation))?,
        ReportFormat::Json => print_stdout(&format!(
            "{}\n",
            json!({
                "clusters": names, "deleted": operation.done + operation.already,
                "failed": operation.failed, "errors": operation.errors
            })
        ))?,
    }
    Ok(match (finished, operation.failed) {
        (false, _) => ExitCode::from(INTERRUPTED),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => ExitCode::FAILURE,
    })
}

/// The clusters of the state file, each with the run that it belongs to.
fn known(commands: &Sender<Command>) -> Result<BTreeMap<String, Option<String>>, Failure> {
    match ask(commands, Action::List { state: None, limit: usize::MAX, after: None })? {
        Answer::Clusters { clusters, .. } => Ok(clusters.into_iter().map(|view| (view.name, view.run)).collect()),
        _ => Err(ended()),
    }
}

/// Such clusters in Rancher with this agent's label that the state file has lost.
fn strays<T>(agent: &Agent, known: &BTreeMap<String, T>, which: &Which) -> Result<Vec<Stray>, Failure> {
    let mut strays = Vec::new();
    for (server, client) in &agent.ranchers {
        let own = client.own_clusters((INSTANCE_LABEL, &agent.instance_id));
        for cluster in own.map_err(|error| Failure::new(error.to_string()).remedy(error.remedy()))? {
            // What Rancher calls a cluster is a name that it checked by the same rule.
            if let Ok(name) = ClusterName::parse(&cluster.name)
                && !known.contains_key(&cluster.name)
                && which.picks(&cluster.name, cluster.labels.get(RUN_LABEL).map(String::as_str))
            {
                strays.push(Stray { name, server: server.name.clone() });
            }
        }
    }
    Ok(strays)
}

fn plan(known: &BTreeSet<String>, strays: &[Stray], with_names: bool) -> String {
    let mut text = match (known.len(), strays.len()) {
        (0, 0) => return "this agent has no such clusters\n".into(),
        (known, 0) => format!("{known} clusters of this agent\n"),
        (known, strays) => format!(
            "{} clusters of this agent, {strays} of them only in Rancher: they carry its label, but the state file lost them\n",
            known + strays
        ),
    };
    if with_names {
        known.iter().for_each(|name| text += &format!("  {name}\n"));
        strays.iter().for_each(|stray| text += &format!("  {} (only in Rancher)\n", stray.name));
    }
    text
}

fn confirmed(total: usize) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new("nobody is there to confirm it")
            .remedy("add --yes to delete, or --dry-run to see what would be deleted")
            .usage());
    }
    print_stdout(&format!("Delete these {total} clusters here and in Rancher? [y/N] "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::new("no answer").cause(error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Shows progress until the operation is done, or until a signal; tells which.
fn follow(
    commands: &Sender<Command>,
    mut operation: OperationView,
    stop: &Receiver<()>,
) -> Result<(OperationView, bool), Failure> {
    let bar = io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template(BAR).expect("the template is a constant that a test parses");
        ProgressBar::new(operation.total.into()).with_style(style)
    });
    let mut next_line = Instant::now() + LINE_INTERVAL;
    while operation.state == OperationState::Running {
        if stop.recv_timeout(LOOK_INTERVAL).is_ok() {
            return Ok((operation, false));
        }
        let Answer::Operation(view) = ask(commands, Action::Operation(operation.id))? else { return Err(ended()) };
        operation = *view;
        match &bar {
            Some(bar) => bar.set_position((operation.done + operation.already).into()),
            None if Instant::now() >= next_line => {
                next_line += LINE_INTERVAL;
                // Nothing is left to be told if standard error is closed.
                let _ = write!(io::stderr(), "{}", result(&operation));
            }
            None => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok((operation, true))
}

fn result(operation: &OperationView) -> String {
    let gone = operation.done + operation.already;
    let mut text = format!("{gone} of {} clusters deleted", operation.total);
    if operation.failed > 0 {
        text += &format!(", {} could not be", operation.failed);
    }
    if operation.state == OperationState::Running {
        text += &format!(", {} under way; `clean` goes on where it was", operation.total - gone - operation.failed);
    }
    text += "\n";
    operation.errors.iter().for_each(|error| text += &format!("  {error}\n"));
    text
}

fn ask(commands: &Sender<Command>, action: Action) -> Result<Answer, Failure> {
    let (sender, answer) = bounded(1);
    // Whoever asked waits for it below.
    let reply = Reply::new(move |answer| drop(sender.send(answer)));
    commands.send(Command { action, reply }).map_err(|_| ended())?;
    match answer.recv().map_err(|_| ended())? {
        Answer::Refused(refusal) => Err(Failure::new(refusal.detail).remedy(refusal.remedy)),
        answer => Ok(answer),
    }
}

fn ended() -> Failure {
    Failure::new("the manager has ended").remedy("its log says why")
}

const BAR: &str = "{bar:30} {pos}/{len} clusters deleted  {elapsed}";
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
const LINE_INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_line_is_one() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
