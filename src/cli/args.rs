//! The command line.

use super::fault;
use super::pace::{PaceArgs, ShapeArgs};
use super::ramp::Target;
use super::rehearse::parse_setting;
use super::run_scenario::parse_scale;
use crate::config::{Flags, Role, SETTINGS};
use crate::ramp::parse_run;
use crate::rehearsal::Profile;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use std::fmt::Write;
use std::path::PathBuf;

/// Makes a Rancher server believe it manages thousands of real Kubernetes clusters.
#[derive(Debug, Clone, Parser)]
#[command(name = "scale-cluster-agent", version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    global: GlobalArgs,

    /// What to do; without one, `run`.
    #[command(subcommand)]
    pub(super) subcommand: Option<Subcommand>,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Configuration")]
struct GlobalArgs {
    /// Configuration file instead of ~/.scale-cluster-agent/config.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The agent's directory instead of ~/.scale-cluster-agent.
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,

    /// How much is logged: off, error, warn, info, debug or trace.
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,

    /// Port of the REST API; 0 takes a free one.
    #[arg(long, global = true, value_name = "PORT")]
    listen_port: Option<String>,

    /// Base URL of the Rancher server.
    #[arg(long, global = true, value_name = "URL")]
    rancher_url: Option<String>,

    /// PEM file with the CA of a running agent that speaks TLS, or with its very certificate.
    #[arg(long, global = true, value_name = "FILE")]
    agent_ca: Option<String>,

    /// Accept any certificate from Rancher; for throw-away labs.
    #[arg(long, global = true)]
    insecure_skip_tls_verify: bool,
}

/// The subcommands.
#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Subcommand {
    /// Serve the REST API and keep its clusters connected to Rancher (the default).
    Run(RunArgs),
    /// Bring up clusters against an embedded stand-in for a Rancher server, and report.
    Rehearse(RehearseArgs),
    /// Bring up clusters by a plan, measure each on its way to Active, and report.
    Ramp(RampArgs),
    /// Run a ramp, faults at times and thresholds from a file; config/scenarios has examples.
    RunScenario(RunScenarioArgs),
    /// Make all reports of a run anew from its raw results, or one run of several.
    Report(ReportArgs),
    /// Delete every cluster that this agent created, here and in Rancher, and nothing else.
    Clean(CleanArgs),
    /// Let clusters of a running agent suffer faults, list them, end them.
    #[command(after_long_help = fault::long_help())]
    Fault(FaultArgs),
    /// Show the clusters of a running agent.
    Status(StatusArgs),
    /// Look whether this host and each Rancher will bear a fleet; each finding comes with its remedy.
    Doctor(DoctorArgs),
    /// Make keys for the REST API.
    ApiKey(ApiKeyArgs),
    /// Seal tokens, so that they can stand in the configuration file.
    Secret(SecretArgs),
    /// Print every setting with its origin, secrets masked, and say what `run` would miss.
    CheckConfig(CheckConfigArgs),
    /// Print the objects that a cluster of this name starts with.
    Render(RenderArgs),
    /// Print a script that completes the command line in a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all subcommands.
    Man(ManArgs),
}

/// Flags of `run`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct RunArgs {
    /// End in order as soon as standard input ends: a parent process that dies takes the agent with it.
    #[arg(long, hide = true)]
    pub(super) exit_with_stdin: bool,
}

/// Flags of `rehearse`.
#[derive(Debug, Clone, clap::Args)]
pub struct RehearseArgs {
    /// Grow the fleet until this host or a threshold gives out, at most to --clusters, and say what gave out first.
    #[arg(long, conflicts_with_all = ["rate", "stages", "results", "in_flight", "max_in_flight", "jitter", "abort_on_fail"])]
    pub find_max: bool,

    /// How many clusters are asked for at once, where no rate or stages pace them.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256),
          conflicts_with_all = ["rate", "stages", "max_in_flight"])]
    pub in_flight: u16,

    /// How the report looks.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,

    /// Folder for the results, made if it is not there; without it nothing is left behind.
    #[arg(long, value_name = "DIR")]
    pub results: Option<PathBuf>,

    /// Cluster template instead of the configured one: a file, or small, large, or one of the agent's templates folder.
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,

    /// What the stand-in asks of each cluster: `rancher`, `idle`, or a YAML file like those in config/profiles.
    #[arg(long, value_name = "PROFILE", default_value = "rancher", value_parser = Profile::read)]
    pub profile: Profile,

    /// A setting of the rehearsed agent, as in its configuration file; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub settings: Vec<(String, String)>,

    // Last: what follows would stand under its heading.
    #[command(flatten)]
    #[allow(missing_docs)]
    pub pace: PaceArgs,
}

/// Flags of `ramp`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RampArgs {
    #[command(flatten)]
    pub(super) target: Target,

    /// Print the plan and do nothing.
    #[arg(long)]
    pub(super) dry_run: bool,

    // Last: what follows would stand under their headings.
    #[command(flatten)]
    pub(super) pace: PaceArgs,

    #[command(flatten)]
    pub(super) shape: ShapeArgs,
}

/// Flags of `run-scenario`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunScenarioArgs {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    /// Only check the file and print what it would do; asks nobody.
    #[arg(long)]
    pub(super) check: bool,

    /// Run it in a share of its time with a share of its clusters, at the same rates.
    #[arg(long, value_name = "SHARE", value_parser = parse_scale)]
    pub(super) scale: Option<f64>,

    /// Play it against the embedded stand-in for a Rancher server.
    #[arg(long, conflicts_with_all = ["agents", "clean"])]
    pub(super) rehearse: bool,

    #[command(flatten)]
    pub(super) target: Target,
}

/// Flags of `report`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReportArgs {
    /// The folders of runs, each with its run.json and clusters.csv.
    #[arg(required = true, value_name = "DIR")]
    pub(super) folders: Vec<PathBuf>,

    /// Make one run of several: the shards of a fleet that more than one agent drove.
    #[arg(long)]
    pub(super) merge: bool,

    /// Where the files go instead of the folder that was read; of --merge, a new folder.
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,

    /// Exit as the run did: 0 passed, 1 failed, 99 a threshold does not hold, 130 interrupted.
    #[arg(long)]
    pub(super) verdict: bool,

    /// How the run is printed.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) output: ReportFormat,
}

/// Flags of `clean`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CleanArgs {
    /// The running agent that is to delete them, such as http://127.0.0.1:9090, with --run or --prefix; may be repeated for agents
    /// that share a fleet. Without it they are deleted by an agent of its own in this directory, where none may run meanwhile.
    #[arg(long = "agent", value_name = "URL", conflicts_with = "all_mine")]
    pub(super) agents: Vec<String>,

    /// Only clusters of this run, whose id a ramp shows and its results have; without it, all that this agent created.
    #[arg(long, value_name = "ID", value_parser = parse_run)]
    pub(super) run: Option<String>,

    /// All clusters that this agent created, as without any of these flags.
    #[arg(long, conflicts_with_all = ["run", "prefix"])]
    pub(super) all_mine: bool,

    /// Only clusters whose names begin so.
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(super) prefix: String,

    /// Delete without asking.
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) yes: bool,

    /// Only print what would be deleted.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// How the outcome is printed.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) output: ReportFormat,
}

/// Subcommands of `api-key`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ApiKeyArgs {
    #[command(subcommand)]
    pub(super) subcommand: ApiKeySubcommand,
}

/// What can be done with API keys.
#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum ApiKeySubcommand {
    /// Make a key: it is printed once, with the line for the configuration, which holds only its hash.
    Create {
        /// What its holder may do: look (viewer), create and change clusters (operator), everything (admin).
        #[arg(long, value_name = "ROLE", value_parser = parse_role)]
        role: Role,

        /// What logs and the audit log call its holder.
        #[arg(long)]
        name: String,
    },
}

/// Subcommands of `secret`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SecretArgs {
    #[command(subcommand)]
    pub(super) subcommand: SecretSubcommand,
}

/// What can be done with sealed values.
#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum SecretSubcommand {
    /// Write a new key into a file that does not exist yet.
    NewKey {
        /// The file.
        file: PathBuf,
    },
    /// Seal what comes on standard input, and print what to write into the configuration.
    Seal {
        /// File with the key.
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
    /// Seal every sealed value of a configuration file with another key, in its place.
    Reseal {
        /// File with the key they are sealed with.
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,

        /// File with the key they are to be sealed with.
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,

        /// The configuration file.
        configuration: PathBuf,
    },
}

/// Where a running agent is found.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct AgentArgs {
    /// The agent's REST API; without it, the one on this host at ListenPort.
    #[arg(long, value_name = "URL")]
    pub(super) agent: Option<String>,

    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) output: ReportFormat,
}

/// Flags of `fault`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct FaultArgs {
    /// What to do.
    #[command(subcommand)]
    pub(super) action: FaultAction,
}

/// What to do with faults.
#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum FaultAction {
    /// Begin a fault or a preset; it ends by itself.
    #[command(after_long_help = fault::long_help())]
    Start {
        /// The fault or preset, then its parameters as NAME=VALUE.
        #[arg(required = true, value_name = "FAULT [NAME=VALUE]")]
        words: Vec<String>,

        /// With which clusters: `all`, `prefix=edge-,10%`, `name=edge-1`, `server=east,count=50`.
        #[arg(long, value_name = "SELECTION")]
        select: Option<String>,

        /// For how long, such as 5m.
        #[arg(long, value_name = "DURATION")]
        duration: Option<String>,

        /// Seed of everything random, to repeat a fault.
        #[arg(long, value_name = "SEED")]
        seed: Option<String>,

        #[command(flatten)]
        agent: AgentArgs,
    },
    /// List the latest faults.
    List {
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// End a fault before its time.
    End {
        /// Its number.
        id: u64,

        #[command(flatten)]
        agent: AgentArgs,
    },
}

/// Flags of `status`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StatusArgs {
    /// Show it again every two seconds, until a signal.
    #[arg(long)]
    pub(super) watch: bool,

    /// Only clusters in this state.
    #[arg(long, value_name = "STATE")]
    pub(super) state: Option<String>,

    /// At most so many clusters.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) limit: u16,

    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

/// Flags of `completions`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}

/// Flags of `man`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ManArgs {
    /// Write a page for every subcommand into this directory, which is made if it is not there.
    #[arg(value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,
}

/// Flags of `doctor`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DoctorArgs {
    /// For how many clusters.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) clusters: u32,

    /// How the findings are printed.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) output: ReportFormat,
}

/// Flags of `check-config`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CheckConfigArgs {
    /// How the settings are printed.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) output: ReportFormat,
}

/// Flags of `render`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RenderArgs {
    /// Name of the cluster: lower-case letters, digits and `-`.
    pub(super) name: String,

    /// Cluster template instead of the configured one: a file, or small, large, or one of the agent's templates folder.
    #[arg(long, value_name = "FILE")]
    pub(super) template: Option<PathBuf>,

    /// How the objects are printed.
    #[arg(long, value_enum, default_value_t = ObjectFormat::Yaml)]
    pub(super) output: ObjectFormat,
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Aligned text.
    Text,
    /// JSON.
    Json,
}

/// How Kubernetes objects are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ObjectFormat {
    /// YAML documents.
    Yaml,
    /// A JSON list.
    Json,
}

impl Args {
    /// The process's own command line; the error carries help, version or what is wrong.
    pub(super) fn parse_from_process() -> Result<Args, clap::Error> {
        let matches = Args::full_command().try_get_matches()?;
        Args::from_arg_matches(&matches)
    }

    /// The command line with everything that its help tells.
    pub(super) fn full_command() -> clap::Command {
        Args::command().after_help(EXIT_CODES).after_long_help(long_help())
    }

    /// The flags that belong to the configuration.
    pub(super) fn config_flags(&self) -> Flags {
        let global = &self.global;
        let values = [
            ("LogLevel", global.log_level.clone()),
            ("ListenPort", global.listen_port.clone()),
            ("RancherURL", global.rancher_url.clone()),
            ("AgentCAFile", global.agent_ca.clone()),
            ("InsecureSkipTLSVerify", global.insecure_skip_tls_verify.then(|| "true".into())),
        ];
        let values = values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Flags { config: global.config.clone(), home: global.home.clone(), values }
    }
}

fn parse_role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| format!("one of {}", Role::ALL.map(Role::as_str).join(", ")))
}

/// The exit codes and all settings, from their table.
fn long_help() -> String {
    let defaults = crate::config::Settings::default();
    let mut help = format!("{EXIT_CODES}\n\n{SETTINGS_INTRODUCTION}\n");
    for setting in SETTINGS {
        let default = setting.text(&defaults);
        let default = if default.is_empty() { String::new() } else { format!(" [default: {default}]") };
        let names = if setting.flag_only {
            setting.flag.unwrap_or_default().to_string()
        } else {
            format!("{} ({})", setting.key, setting.variable())
        };
        // Writing to a String cannot fail.
        let _ = write!(help, "\n  {names}\n      {}{default}\n", setting.help);
    }
    help
}

const EXIT_CODES: &str = "Exit codes: 0 success, 1 failure, 2 wrong usage, 99 a threshold does not hold, 130 ended by a signal before its work was done.";

const SETTINGS_INTRODUCTION: &str = "\
Settings are keys of the YAML file ~/.scale-cluster-agent/config (or config/config in it), or environment variables. \
A flag wins over the file, the file over the environment, the environment over the default:";
