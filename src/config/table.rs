//! The one table of settings: parsing, `check-config`, `--help` and the sample file all follow it.

use super::kind::Kind;
use super::{ConfigError, HeartbeatMode, LogFormat, Origin, Settings};
use std::time::Duration;

/// One setting: its names, its meaning and what it may be.
pub struct Setting {
    /// The key in the configuration file.
    pub key: &'static str,
    /// The flag that sets it, if there is one.
    pub flag: Option<&'static str>,
    /// Whether the flag is the only way, so that no file left behind can switch it on.
    pub flag_only: bool,
    /// What it does, with its unit; one sentence.
    pub help: &'static str,
    pub(super) kind: Kind,
}

impl Setting {
    /// The setting with this key.
    pub fn by_key(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The environment variable that sets it: `ListenPort` is `SCALE_AGENT_LISTEN_PORT`.
    pub fn variable(&self) -> String {
        let letters: Vec<char> = self.key.chars().collect();
        let mut name = String::from(VARIABLE_PREFIX);
        for (position, letter) in letters.iter().enumerate() {
            let after_lower = position > 0 && letters[position - 1].is_lowercase();
            let before_lower = letters.get(position + 1).is_some_and(|next| next.is_lowercase());
            if position > 0 && letter.is_uppercase() && (after_lower || before_lower) {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
        }
        name
    }

    /// The value in `settings` as it would be written in the file; secrets are masked, what is not set is empty.
    pub fn text(&self, settings: &Settings) -> String {
        self.kind.text(&mut settings.clone())
    }

    /// What a value must look like, with an example.
    pub fn expected(&self) -> String {
        self.kind.expected()
    }

    /// The error of a value that cannot be used.
    pub(super) fn bad_value(&self, origin: Origin, problem: String) -> ConfigError {
        ConfigError::BadValue { origin, key: self.key, problem, expected: self.expected() }
    }

    /// The error of a value that comes from elsewhere than the flag that alone may set it.
    pub(super) fn only_by_flag(&self, origin: Origin) -> ConfigError {
        let problem = "it can be given on the command line only".into();
        let expected = format!("the flag {}", self.flag.unwrap_or_default());
        ConfigError::BadValue { origin, key: self.key, problem, expected }
    }
}

/// What every environment variable of ours starts with.
pub const VARIABLE_PREFIX: &str = "SCALE_AGENT_";

const fn setting(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { key, flag: None, flag_only: false, help, kind }
}

const fn flagged(key: &'static str, flag: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { key, flag: Some(flag), flag_only: false, help, kind }
}

/// Every setting, in the order in which people read them.
pub static SETTINGS: &[Setting] = &[
    flagged(
        "RancherURL",
        "--rancher-url",
        Kind::Text(|s| &mut s.rancher_url, "https://rancher.example.com"),
        "Base URL of the Rancher server.",
    ),
    setting(
        "BearerToken",
        Kind::Secret(|s| &mut s.bearer_token),
        "Rancher API token that may create clusters, `token-xxxxx:<secret>`, or what `secret seal` made of it.",
    ),
    setting("BearerTokenFile", Kind::Path(|s| &mut s.bearer_token_file), "File that holds the token instead."),
    setting(
        "SealKeyFile",
        Kind::Path(|s| &mut s.seal_key_file),
        "File with the key of sealed tokens, as `secret new-key` writes it; not readable by everybody.",
    ),
    setting("SealKey", Kind::Secret(|s| &mut s.seal_key), "That key itself; to be given in the environment only."),
    setting(
        "CAFile",
        Kind::Path(|s| &mut s.ca_file),
        "PEM file with certificates that are trusted beside the system's when talking to Rancher.",
    ),
    setting(
        "CAChecksum",
        Kind::OptionalText(
            |s| &mut s.ca_checksum,
            "64 hex digits: the SHA-256 that Rancher prints in its import command (--ca-checksum)",
        ),
        "SHA-256 of Rancher's `cacerts` setting; when it matches, that certificate is trusted too.",
    ),
    Setting {
        flag_only: true,
        ..flagged(
            "InsecureSkipTLSVerify",
            "--insecure-skip-tls-verify",
            Kind::Switch(|s| &mut s.insecure_skip_tls_verify),
            "Accept any certificate from Rancher; for throw-away labs.",
        )
    },
    setting(
        "Servers",
        Kind::Servers(|s| &mut s.servers),
        "Several Rancher servers instead: a list of Name, URL, BearerToken or BearerTokenFile, CAFile, CAChecksum and Weight, \
         the share of clusters that name no server.",
    ),
    setting(
        "Shard",
        Kind::Shard(|s| &mut s.shard),
        "Which clusters of a ramp or of a creation of many are this agent's, where several agents share a fleet: `2/3` is the \
         second of each three. `auto/3` goes by the number at the end of the host's name, `agent-1` being the second, as the \
         pods of a StatefulSet are named.",
    ),
    setting(
        "ListenAddress",
        Kind::Text(|s| &mut s.listen_address, "127.0.0.1"),
        "Address on which the REST API listens; beyond loopback only with APIKeys.",
    ),
    flagged(
        "ListenPort",
        "--listen-port",
        Kind::Port(|s| &mut s.listen_port),
        "Port on which the REST API listens; 0 takes a free one and logs it.",
    ),
    setting(
        "APIKeys",
        Kind::ApiKeys(|s| &mut s.api_keys),
        "Who may use the REST API, a list of Name, Role (viewer, operator or admin) and Hash as `api-key create` prints them; \
         without any, everybody on this host may do everything.",
    ),
    setting(
        "APIKey",
        Kind::Secret(|s| &mut s.api_key),
        "The key that subcommands such as `fault` show to a running agent.",
    ),
    flagged(
        "AgentCAFile",
        "--agent-ca",
        Kind::Path(|s| &mut s.agent_ca_file),
        "PEM file with certificates that subcommands trust, beside the system's and TLSCertFile, in a running agent that speaks TLS: \
         its CA's, or the agent's own, self-signed or not.",
    ),
    setting(
        "TLSCertFile",
        Kind::Path(|s| &mut s.tls_cert_file),
        "PEM file with the REST API's certificate and those above it, read again when it changes; unset, it speaks plain HTTP.",
    ),
    setting("TLSKeyFile", Kind::Path(|s| &mut s.tls_key_file), "PEM file with the private key of that certificate."),
    setting(
        "MaxAPIConnections",
        Kind::Count(|s| &mut s.max_api_connections, 1, 65_536),
        "Clients of the REST API that are connected at once; of the address that has the most, the longest idle one makes room for the next.",
    ),
    setting(
        "APIHeaderTimeout",
        Kind::Time(|s| &mut s.api_header_timeout, TENTH, TEN_MINUTES),
        "How long the head of a request to the REST API may take.",
    ),
    setting(
        "APIReadTimeout",
        Kind::Time(|s| &mut s.api_read_timeout, TENTH, TEN_MINUTES),
        "How long the body of a request to the REST API may take, and an answer that the client does not read.",
    ),
    setting(
        "APIIdleTimeout",
        Kind::Time(|s| &mut s.api_idle_timeout, TENTH, HOUR),
        "How long a client of the REST API may stay connected without asking anything.",
    ),
    setting(
        "AuditLog",
        Kind::Path(|s| &mut s.audit_log),
        "File of the audit log, JSON lines; unset: audit.log in the agent's directory.",
    ),
    setting(
        "AuditMaxBytes",
        Kind::Count(|s| &mut s.audit_max_bytes, 1024, 1 << 40),
        "How large a file of the audit log may be before the next is begun, in bytes.",
    ),
    setting("AuditFiles", Kind::Count(|s| &mut s.audit_files, 1, 1000), "How many files of the audit log are kept."),
    flagged(
        "LogLevel",
        "--log-level",
        Kind::Levels(|s| &mut s.log_level),
        "How much is logged, and how much more or less in some rooms: `info,engine=debug`.",
    ),
    setting(
        "LogFormat",
        Kind::Choice {
            names: &["text", "json"],
            get: |s| s.log_format as usize,
            set: |s, format| s.log_format = if format == 0 { LogFormat::Text } else { LogFormat::Json },
        },
        "How log lines look: text for people, JSON lines for machines.",
    ),
    setting(
        "LogFile",
        Kind::Path(|s| &mut s.log_file),
        "Where log lines go instead of standard error; opened anew at SIGHUP, for logrotate.",
    ),
    setting(
        "PerformanceInterval",
        Kind::Time(|s| &mut s.performance_interval, Duration::ZERO, HOUR),
        "How often the log has a line that says how the agent fares; 0s is never.",
    ),
    setting(
        "Template",
        Kind::Path(|s| &mut s.template),
        "Cluster template; unset: `cluster.yaml` beside the configuration if it is there, else the built-in one.",
    ),
    setting(
        "ReportInterval",
        Kind::Time(|s| &mut s.report_interval, SECOND, HOUR),
        "How often a cluster renews its node leases and heartbeats.",
    ),
    setting(
        "NodeHeartbeat",
        Kind::Choice {
            names: &["report", "kubelet"],
            get: |s| s.node_heartbeat as usize,
            set: |s, mode| {
                s.node_heartbeat = if mode == 0 { HeartbeatMode::Report } else { HeartbeatMode::Kubelet };
            },
        },
        "When node status is written: with every report, or every five minutes as a kubelet does.",
    ),
    setting(
        "PingInterval",
        Kind::Time(|s| &mut s.ping_interval, TENTH, Duration::from_secs(20)),
        "How often each tunnel is pinged; Rancher drops a tunnel after 60s without a ping.",
    ),
    setting(
        "PingTimeout",
        Kind::Time(|s| &mut s.ping_timeout, SECOND, HOUR),
        "A tunnel without an answer to its pings for this long is given up.",
    ),
    setting(
        "SyncInterval",
        Kind::Time(|s| &mut s.sync_interval, SECOND, HOUR),
        "How often a tunnel announces its open connections, so that Rancher closes those that are lost.",
    ),
    setting(
        "ConnectTimeout",
        Kind::Time(|s| &mut s.connect_timeout, TENTH, TEN_MINUTES),
        "Limit for TCP connect, TLS and websocket handshake together.",
    ),
    setting(
        "RequestTimeout",
        Kind::Time(|s| &mut s.request_timeout, TENTH, TEN_MINUTES),
        "Limit for one call to Rancher's REST API.",
    ),
    setting(
        "CreateWait",
        Kind::Time(|s| &mut s.create_wait, Duration::ZERO, TEN_MINUTES),
        "How long POST and DELETE of a cluster wait for Rancher before they answer 202.",
    ),
    setting(
        "RegistrationParallelism",
        Kind::Count(|s| &mut s.registration_parallelism, 1, 64),
        "Calls to Rancher's REST API in flight; few, since Rancher creates clusters one after the other.",
    ),
    setting(
        "ReconnectMin",
        Kind::Time(|s| &mut s.reconnect_min, Duration::from_millis(10), HOUR),
        "Upper bound of the first wait before a lost tunnel is opened again; the wait is random below it.",
    ),
    setting(
        "ReconnectMax",
        Kind::Time(|s| &mut s.reconnect_max, Duration::from_millis(10), HOUR),
        "Upper bound of the last wait; the bound doubles from ReconnectMin up to it.",
    ),
    setting(
        "PollInterval",
        Kind::Time(|s| &mut s.poll_interval, SECOND, HOUR),
        "How often Rancher is asked what it thinks of the clusters; longer by itself where the answer takes long.",
    ),
    setting(
        "RampPollInterval",
        Kind::Time(|s| &mut s.ramp_poll_interval, TENTH, HOUR),
        "The same while a ramp waits for its clusters: its times to Active are as exact as this.",
    ),
    setting(
        "FailedRetryInterval",
        Kind::Time(|s| &mut s.failed_retry_interval, Duration::ZERO, HOUR),
        "After how long a cluster that Rancher refused is tried again by itself; 0s is never.",
    ),
    setting(
        "JournalInterval",
        Kind::Time(|s| &mut s.journal_interval, Duration::from_millis(10), HOUR),
        "How often what Rancher wrote in the clusters is stored; what is younger is lost when the agent is killed.",
    ),
    setting("Workers", Kind::Count(|s| &mut s.workers, 0, 1024), "Worker threads; 0 is one for each core."),
    setting(
        "SourceAddresses",
        Kind::Addresses(|s| &mut s.source_addresses),
        "Addresses of this host that tunnels are opened from, in turn, those of Rancher's own family (IPv4 or IPv6): each has ports for about 14,000 clusters of one Rancher.",
    ),
    setting(
        "DialsInFlight",
        Kind::Count(|s| &mut s.dials_in_flight, 1, 65_536),
        "Tunnels that one worker opens at once.",
    ),
    setting("MaxClusters", Kind::Count(|s| &mut s.max_clusters, 1, 1_000_000), "How many clusters this agent accepts."),
    setting(
        "MaxStreams",
        Kind::Count(|s| &mut s.max_streams, 1, 65_536),
        "Connections that Rancher may hold open through one tunnel.",
    ),
    setting(
        "MessagesPerTurn",
        Kind::Count(|s| &mut s.messages_per_turn, 1, 65_536),
        "Frames that a worker reads from one tunnel before the other clusters get their turn.",
    ),
    setting(
        "BytesPerTurn",
        Kind::Count(|s| &mut s.bytes_per_turn, 16 << 10, 64 << 20),
        "Bytes of an answer that a worker makes before the other clusters get their turn, and that a slow reader makes it keep.",
    ),
    setting(
        "MaxRequestBytes",
        Kind::Count(|s| &mut s.max_request_bytes, 1024, 64 << 20),
        "Largest request body that the REST API accepts, in bytes.",
    ),
    setting(
        "WatchHistory",
        Kind::Count(|s| &mut s.watch_history, 1, 1_000_000),
        "Most events that a cluster keeps, of the last five to ten minutes, for watches that resume; to older ones it answers 410.",
    ),
    setting(
        "MaxObjects",
        Kind::Count(|s| &mut s.max_objects, 1, 1_000_000),
        "Objects that Rancher and other clients may add to one cluster.",
    ),
    setting(
        "PodStartup",
        Kind::Time(|s| &mut s.pod_startup, Duration::ZERO, HOUR),
        "How long pods take to become ready once they have a node: each between a half and one and a half of it.",
    ),
    setting(
        "APIAddress",
        Kind::Text(|s| &mut s.api_address, "10.43.0.1:443"),
        "Address that clusters announce for their Kubernetes API, HOST:PORT; nobody dials it.",
    ),
    setting(
        "KubernetesVersion",
        Kind::Text(|s| &mut s.kubernetes_version, "v1.31.4"),
        "Version that clusters report; a `+k3s` suffix makes Rancher expect more of a cluster.",
    ),
];

const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_upper_snake_with_acronyms_whole() {
        for (key, variable) in [
            ("RancherURL", "SCALE_AGENT_RANCHER_URL"),
            ("CAFile", "SCALE_AGENT_CA_FILE"),
            ("APIAddress", "SCALE_AGENT_API_ADDRESS"),
            ("InsecureSkipTLSVerify", "SCALE_AGENT_INSECURE_SKIP_TLS_VERIFY"),
            ("ReportInterval", "SCALE_AGENT_REPORT_INTERVAL"),
        ] {
            assert_eq!(Setting::by_key(key).map(Setting::variable).as_deref(), Some(variable));
        }
    }

    #[test]
    fn every_default_is_a_value_that_its_own_kind_accepts() {
        let defaults = Settings::default();
        for setting in SETTINGS {
            let text = setting.text(&defaults);
            if text.is_empty() {
                continue;
            }
            let mut settings = Settings::default();
            let parsed = setting.kind.set_text(&mut settings, &text, std::path::Path::new("/"));
            assert_eq!(parsed, Ok(()), "{} = {text}", setting.key);
            assert_eq!(setting.text(&settings), text, "{}", setting.key);
        }
    }

    #[test]
    fn each_setting_changes_its_own_field_and_no_other() {
        let defaults: Vec<String> = SETTINGS.iter().map(|s| s.text(&Settings::default())).collect();
        for (position, setting) in SETTINGS.iter().enumerate() {
            let other = match &setting.kind {
                Kind::Switch(_) => "true".to_string(),
                // Of the file only, as a list: tests of its own.
                Kind::Servers(_) | Kind::ApiKeys(_) => continue,
                Kind::Choice { names, .. } => {
                    names[(names.iter().position(|n| **n == defaults[position]).unwrap() + 1) % names.len()].into()
                }
                Kind::Time(..) => "7s".into(),
                Kind::Levels(_) => "warn,engine=debug".into(),
                Kind::Count(_, min, max) => if defaults[position] == max.to_string() { *min } else { *max }.to_string(),
                Kind::Port(_) => "1025".into(),
                Kind::Shard(_) => "2/3".into(),
                Kind::Addresses(_) => "10.0.0.5, fd00::5".into(),
                _ => "other".into(),
            };
            let mut settings = Settings::default();
            setting.kind.set_text(&mut settings, &other, std::path::Path::new("")).unwrap();
            let changed: Vec<&str> = SETTINGS
                .iter()
                .zip(&defaults)
                .filter(|(s, default)| s.text(&settings) != **default)
                .map(|(s, _)| s.key)
                .collect();
            assert_eq!(changed, [setting.key]);
        }
    }
}
