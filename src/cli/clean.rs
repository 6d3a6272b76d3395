//! `clean`: deletes every cluster that this agent created, here and in Rancher, and nothing else, by an agent of its own.

use super::agent::Agent;
use super::agent_api::here;
use super::args::CleanArgs;
use super::signals::{INTERRUPTED, requests};
use super::{Failure, ReportFormat, clean_running, print_stdout};
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

/// Deletes by a running agent, or runs one until all its clusters are gone. Rancher cleans up through their tunnels, which is why
/// they are connected first.
pub(super) fn run(loaded: Loaded, args: &CleanArgs) -> Result<ExitCode, Failure> {
    if !args.agents.is_empty() {
        return clean_running::run(&loaded, args);
    }
    loaded.settings.require_rancher()?;
    let (stop, _) = requests(false)?;
    let levels = loaded.settings.log_level.clone().at_most(log::LevelFilter::Warn);
    let log = LogConfig { levels, format: loaded.settings.log_format, file: None };
    let _log = telemetry::init(&log).map_err(|error| Failure::new("logging cannot start").cause(error))?;
    let in_use = format!(
        "let the agent that runs delete them: --agent {}, with --run or --prefix; or stop it first",
        here(&loaded.settings)
    );
    let Some(agent) = Agent::start(&loaded, &stop, &in_use)? else { return Ok(ExitCode::from(INTERRUPTED)) };
    let place = format!("the agent in {}", loaded.home.path().display());
    let outcome = clean(&agent, &place, args, &stop);
    let stopped = agent.stop();
    outcome.and_then(|code| stopped.map(|()| code))
}

fn clean(agent: &Agent, place: &str, args: &CleanArgs, stop: &Receiver<()>) -> Result<ExitCode, Failure> {
    let commands = agent.commands();
    let which = Which { prefix: args.prefix.clone(), run: args.run.clone() };
    let mut known = known(&commands)?;
    let strays = strays(agent, &known, &which)?;
    known.retain(|name, run| which.picks(name, run.as_deref()));
    let known: BTreeSet<String> = known.into_keys().collect();
    let names = known.iter().cloned().chain(strays.iter().map(|stray| stray.name.to_string()));
    let names: Vec<String> = names.collect();
    if let Some(code) = settled(args, &names, &plan(&known, &strays, args.dry_run), place)? {
        return Ok(code);
    }
    let Answer::OperationStarted(begun) = ask(&commands, Action::Clean { which, strays })? else {
        return Err(ended());
    };
    let look = || match ask(&commands, Action::Operation(begun.id))? {
        Answer::Operation(view) => Ok(Deletion::of(&view)),
        _ => Err(ended()),
    };
    let (deletion, finished) = follow(look, stop)?;
    finish(args, &names, &deletion, finished, "`clean` goes on where it was")
}

/// Shows what is to be deleted; the exit code if that is all, because nothing is to be deleted, or nobody wants it.
pub(super) fn settled(
    args: &CleanArgs,
    names: &[String],
    plan: &str,
    place: &str,
) -> Result<Option<ExitCode>, Failure> {
    if args.output == ReportFormat::Text {
        print_stdout(plan)?;
    }
    if args.dry_run || names.is_empty() {
        if args.output == ReportFormat::Json {
            print_stdout(&format!("{}\n", json!({"clusters": names, "deleted": 0, "failed": 0, "errors": []})))?;
        }
        return match &args.run {
            // A wrong id, or the wrong place to look for it.
            Some(run) if names.is_empty() => {
                let remedy = "give an id that a ramp showed, and with --home or --agent the agent that it was shown for; \
                     clusters that are gone already are not found again";
                Err(Failure::new(format!("{place} has no such cluster of the run {run}")).remedy(remedy))
            }
            _ => Ok(Some(ExitCode::SUCCESS)),
        };
    }
    if !args.yes && !confirmed(names.len())? {
        print_stdout("nothing was deleted\n")?;
        return Ok(Some(ExitCode::FAILURE));
    }
    Ok(None)
}

/// Tells what came of it. `rest` is what becomes of clusters that are under way where a signal ended it.
pub(super) fn finish(
    args: &CleanArgs,
    names: &[String],
    deletion: &Deletion,
    finished: bool,
    rest: &str,
) -> Result<ExitCode, Failure> {
    match args.output {
        ReportFormat::Text => print_stdout(&deletion.text(rest))?,
        ReportFormat::Json => print_stdout(&format!(
            "{}\n",
            json!({
                "clusters": names, "deleted": deletion.gone,
                "failed": deletion.failed, "errors": deletion.errors
            })
        ))?,
    }
    Ok(match (finished, deletion.failed) {
        (false, _) => ExitCode::from(INTERRUPTED),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => ExitCode::FAILURE,
    })
}

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Deletion {
    pub(super) is_running: bool,
    pub(super) total: u64,
    pub(super) gone: u64,
    pub(super) failed: u64,
    pub(super) errors: Vec<String>,
}

impl Deletion {
    fn of(operation: &OperationView) -> Deletion {
        Deletion {
            is_running: operation.state == OperationState::Running,
            total: operation.total.into(),
            gone: (operation.done + operation.already).into(),
            failed: operation.failed.into(),
            errors: operation.errors.clone(),
        }
    }

    fn text(&self, rest: &str) -> String {
        let mut text = format!("{} of {} clusters deleted", self.gone, self.total);
        if self.failed > 0 {
            text += &format!(", {} could not be", self.failed);
        }
        if self.is_running {
            text += &format!(", {} under way; {rest}", self.total.saturating_sub(self.gone + self.failed));
        }
        text += "\n";
        self.errors.iter().for_each(|error| text += &format!("  {error}\n"));
        text
    }
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

/// Shows progress until the deletion is done, or until a signal; tells which.
pub(super) fn follow(
    mut look: impl FnMut() -> Result<Deletion, Failure>,
    stop: &Receiver<()>,
) -> Result<(Deletion, bool), Failure> {
    let mut deletion = look()?;
    let bar = io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template(BAR).expect("the template is a constant that a test parses");
        ProgressBar::new(deletion.total).with_style(style)
    });
    let mut next_line = Instant::now() + LINE_INTERVAL;
    while deletion.is_running {
        if stop.recv_timeout(LOOK_INTERVAL).is_ok() {
            return Ok((deletion, false));
        }
        deletion = look()?;
        match &bar {
            Some(bar) => bar.set_position(deletion.gone),
            None if Instant::now() >= next_line => {
                next_line += LINE_INTERVAL;
                // Nothing is left to be told if standard error is closed.
                let _ = write!(io::stderr(), "{}", deletion.text("it goes on"));
            }
            None => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok((deletion, true))
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
