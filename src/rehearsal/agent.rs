//! The agent under test: a child process with a home of its own, which ends with this value.

use crate::telemetry::Usage;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What the agent is told.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// `RancherURL`.
    pub rancher_url: String,
    /// `BearerToken`.
    pub bearer: String,
    /// Written to a file that `CAFile` names.
    pub ca_pem: String,
    /// `Template`; the agent's own default when absent.
    pub template: Option<PathBuf>,
    /// More settings as `key: value`; these win over the ones above.
    pub settings: Vec<(String, String)>,
}

/// A running agent. Dropping it ends the process and removes its home.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    program: PathBuf,
    home: TempDir,
    /// Base URL of its REST API, without a trailing slash.
    pub url: String,
}

/// Why there is no running agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its home could not be written.
    #[error("cannot write the agent's home in {}: {source}", dir.display())]
    Home {
        /// Where.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program could not be started.
    #[error("cannot start {}: {source}", program.display())]
    Start {
        /// Which program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended before it listened.
    #[error("the agent ended ({status}) before it listened; its last words:\n{log}")]
    Ended {
        /// Its exit status.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// It did not say where it listens in time.
    #[error("the agent did not say where it listens within {} s; its last words:\n{log}", waited.as_secs())]
    Silent {
        /// How long it had.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
}

impl Agent {
    /// Starts `program` with `config` and waits until it listens.
    pub fn start(program: &Path, config: &AgentConfig) -> Result<Agent, AgentError> {
        let home = tempfile::Builder::new().prefix("scale-cluster-agent-").tempdir();
        let home = home.map_err(|source| AgentError::Home { dir: std::env::temp_dir(), source })?;
        let log = write_home(home.path(), config)
            .map_err(|source| AgentError::Home { dir: home.path().to_owned(), source })?;
        let child = spawn(program, home.path(), log)?;
        let mut agent = Agent { child, program: program.to_owned(), home, url: String::new() };
        agent.await_announcement()?;
        Ok(agent)
    }

    /// Ends the process as an operator would; how long it took to end.
    pub fn stop(&mut self) -> Duration {
        let begin = Instant::now();
        drop(self.child.stdin.take());
        while begin.elapsed() < STOP_TIMEOUT {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(POLL_INTERVAL),
                _ => return begin.elapsed(),
            }
        }
        // Both fail only if the process is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        begin.elapsed()
    }

    /// Starts a process that was stopped again in the same home and waits until it listens, at a new URL.
    pub fn start_again(&mut self) -> Result<(), AgentError> {
        let log = fs::OpenOptions::new().append(true).open(self.home.path().join(LOG_FILE));
        let log = log.map_err(|source| AgentError::Home { dir: self.home.path().to_owned(), source })?;
        self.child = spawn(&self.program, self.home.path(), log)?;
        self.await_announcement()
    }

    fn await_announcement(&mut self) -> Result<(), AgentError> {
        let lines = self.child.stdout.take().map(announcements);
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(Ok(url)) = lines.as_ref().map(|lines| lines.recv_timeout(POLL_INTERVAL)) {
                self.url = url;
                return Ok(());
            }
            if let Some(status) = self.exit_status() {
                return Err(AgentError::Ended { status, log: self.last_words() });
            }
            if Instant::now() >= deadline {
                return Err(AgentError::Silent { waited: START_TIMEOUT, log: self.last_words() });
            }
        }
    }

    /// Its directory, which goes with this value.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What the process uses now, where the system tells it.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.child.id())
    }

    /// How the process ended, if it did.
    pub fn exit_status(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// The end of the agent's log.
    pub fn last_words(&self) -> String {
        let log = fs::read(self.home.path().join(LOG_FILE)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(program: &Path, home: &Path, log: fs::File) -> Result<Child, AgentError> {
    let mut command = Command::new(program);
    // The operator's environment would show through wherever the file says nothing.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SCALE_AGENT_")) {
        command.env_remove(name);
    }
    command
        .arg("run")
        .arg("--home")
        .arg(home)
        // Ends the agent even if this process is killed: its end of the pipe closes then.
        .arg("--exit-with-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // A Ctrl-C at the terminal is for this process only: the agent has to live until its figures are read.
        .process_group(0)
        .spawn()
        .map_err(|source| AgentError::Start { program: program.to_owned(), source })
}

/// Writes configuration and CA file; the log file, open.
fn write_home(dir: &Path, config: &AgentConfig) -> io::Result<fs::File> {
    let ca_file = dir.join("rancher-ca.pem");
    fs::write(&ca_file, &config.ca_pem)?;
    let mut settings = serde_yaml::Mapping::new();
    let mut set = |key: &str, value: serde_yaml::Value| settings.insert(key.into(), value);
    set("RancherURL", config.rancher_url.as_str().into());
    set("BearerToken", config.bearer.as_str().into());
    set("CAFile", ca_file.display().to_string().into());
    set("ListenPort", 0.into());
    set("LogLevel", "warn".into());
    if let Some(template) = &config.template {
        set("Template", std::path::absolute(template)?.display().to_string().into());
    }
    for (key, value) in &config.settings {
        set(key, setting_value(value));
    }
    let text = serde_yaml::to_string(&settings).map_err(io::Error::other)?;
    // The agent warns of a configuration with a token that others may read.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join("config"))?;
    file.write_all(text.as_bytes())?;
    fs::File::create(dir.join(LOG_FILE))
}

/// A setting's value as the configuration file has it; what is no YAML is text.
pub fn setting_value(text: &str) -> serde_yaml::Value {
    serde_yaml::from_str(text).unwrap_or_else(|_| text.into())
}

/// The URL that the agent announces on its standard output, which is read to its end so that the agent never blocks.
fn announcements(stdout: impl io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(url) = line.strip_prefix("listening on ") {
                // Nobody listens any more once the URL is known.
                let _ = sender.send(url.trim().to_owned());
            }
        }
    });
    receiver
}

/// A debug build on a loaded machine compiles its baseline well within this.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The agent promises to drain within 10 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(12);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const LOG_FILE: &str = "agent.log";
/// Enough to hold an error and what led to it.
const LAST_LINES: usize = 10;
