//! Every setting with its unit, default and reason.

use super::{ApiKey, LogLevels, Secret, ServerSettings, Shard};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How often a node's status is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeartbeatMode {
    /// With every report, so that each report is seen as a watch event on nodes.
    Report,
    /// Every five minutes, as a kubelet writes an unchanged status; leases go with every report.
    Kubelet,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The agent's settings after all sources are merged. The key of each in the file is the name given in its comment; in
/// the environment `SCALE_AGENT_<UPPER_SNAKE>`. Names, ranges and help are in the table of [`super::SETTINGS`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// `RancherURL`: base URL of the Rancher server, `https://HOST[:PORT][/PREFIX]`.
    pub rancher_url: String,
    /// `Servers`: several Rancher servers instead of the one of `RancherURL` and the settings after it.
    pub servers: Vec<ServerSettings>,
    /// `Shard`: which part of every ramp this agent takes, where several share a fleet; default `1/1`, all of it.
    pub shard: Shard,
    /// `BearerToken`: Rancher API token, `token-xxxxx:<secret>`.
    pub bearer_token: Secret,
    /// `BearerTokenFile`: file that holds the token instead.
    pub bearer_token_file: Option<PathBuf>,
    /// `SealKeyFile`: file with the key of sealed values, such as a `BearerToken` that begins with `sealed:`.
    pub seal_key_file: Option<PathBuf>,
    /// `SealKey`: that key itself; of the environment only.
    pub seal_key: Secret,
    /// `CAFile`: PEM file with certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// `CAChecksum`: SHA-256 (hex) of Rancher's `cacerts` setting; when it matches, that certificate is trusted too.
    pub ca_checksum: Option<String>,
    /// Set by `--insecure-skip-tls-verify` only: accept any certificate.
    pub insecure_skip_tls_verify: bool,
    /// `ListenAddress`: where the REST API listens; default `127.0.0.1`.
    pub listen_address: String,
    /// `ListenPort`: default 9090; 0 takes a free port and logs it.
    pub listen_port: u16,
    /// `APIKeys`: who may use the REST API; without any, everybody on this host may.
    pub api_keys: Vec<ApiKey>,
    /// `APIKey`: the key that subcommands show to a running agent.
    pub api_key: Secret,
    /// `AgentCAFile`: PEM file with certificates that subcommands trust in a running agent, beside the system's and `TLSCertFile`.
    pub agent_ca_file: Option<PathBuf>,
    /// `TLSCertFile`: PEM file with the certificate of the REST API and those above it; unset, it speaks plain HTTP.
    pub tls_cert_file: Option<PathBuf>,
    /// `TLSKeyFile`: PEM file with its private key.
    pub tls_key_file: Option<PathBuf>,
    /// `MaxAPIConnections`: clients of the REST API that are connected at once; default 1024. The longest idle one makes room.
    pub max_api_connections: usize,
    /// `APIHeaderTimeout`: from the first byte of a request's head to its last; default 10 s.
    pub api_header_timeout: Duration,
    /// `APIReadTimeout`: for a request's body, and while an answer makes no progress; default 30 s.
    pub api_read_timeout: Duration,
    /// `APIIdleTimeout`: between two requests of a client; default 60 s.
    pub api_idle_timeout: Duration,
    /// `AuditLog`: file of the audit log; default `audit.log` in the agent's directory.
    pub audit_log: Option<PathBuf>,
    /// `AuditMaxBytes`: how large each of its files may be; default 10 MiB.
    pub audit_max_bytes: usize,
    /// `AuditFiles`: how many of them are kept; default 5.
    pub audit_files: usize,
    /// `LogLevel`: `off`, `error`, `warn`, `info`, `debug` or `trace`, and others for rooms: `info,engine=debug`; default `info`.
    pub log_level: LogLevels,
    /// `LogFormat`: `text` or `json`; default `text`.
    pub log_format: LogFormat,
    /// `LogFile`: where log lines go instead of standard error; opened anew at SIGHUP.
    pub log_file: Option<PathBuf>,
    /// `PerformanceInterval`: how often the log has a line that says how the agent fares; default 60 s, 0 is never.
    pub performance_interval: Duration,
    /// `Template`: the cluster template; default `cluster.yaml` beside the configuration, else the built-in one.
    pub template: Option<PathBuf>,
    /// `ReportInterval`: how often a cluster renews leases and heartbeats; default 30 s.
    pub report_interval: Duration,
    /// `NodeHeartbeat`: `report` or `kubelet`; default `report`.
    pub node_heartbeat: HeartbeatMode,
    /// `PingInterval`: websocket pings per tunnel; default 5 s as the reference client, at most 20 s: Rancher drops a tunnel
    /// after 60 s.
    pub ping_interval: Duration,
    /// `PingTimeout`: a tunnel without a pong for this long is dead; default 60 s.
    pub ping_timeout: Duration,
    /// `SyncInterval`: how often open connections are announced (SyncConnections); default 60 s.
    pub sync_interval: Duration,
    /// `ConnectTimeout`: TCP, TLS and websocket handshake together; default 10 s.
    pub connect_timeout: Duration,
    /// `RequestTimeout`: one call to Rancher's REST API; default 30 s.
    pub request_timeout: Duration,
    /// `CreateWait`: how long `POST /clusters` and `DELETE` wait for Rancher before they answer 202; default 10 s.
    pub create_wait: Duration,
    /// `RegistrationParallelism`: calls to Rancher's REST API in flight; default 4, since Rancher serialises creation.
    pub registration_parallelism: usize,
    /// `ReconnectMin`: first upper bound of the backoff with full jitter; default 1 s.
    pub reconnect_min: Duration,
    /// `ReconnectMax`: last upper bound; default 30 s.
    pub reconnect_max: Duration,
    /// `PollInterval`: how often Rancher is asked what it thinks of the clusters; default 15 s, as often as Rancher itself looks.
    pub poll_interval: Duration,
    /// `RampPollInterval`: the same while a ramp waits for its clusters; default 2 s.
    pub ramp_poll_interval: Duration,
    /// `FailedRetryInterval`: after how long a cluster that Rancher refused is tried again by itself; default 60 s, 0 is never.
    pub failed_retry_interval: Duration,
    /// `JournalInterval`: what is written in a cluster is on disk after this long; default 500 ms.
    pub journal_interval: Duration,
    /// `Workers`: worker threads; default (0) one per core.
    pub workers: usize,
    /// `SourceAddresses`: addresses of this host that tunnels are opened from, in turn, those of the family of Rancher's own
    /// address; default none, which leaves it to the system.
    pub source_addresses: Vec<IpAddr>,
    /// `DialsInFlight`: tunnels being opened at once, per worker; default 64.
    pub dials_in_flight: usize,
    /// `MaxClusters`: how many clusters this agent accepts; default 20,000.
    pub max_clusters: usize,
    /// `MaxStreams`: connections Rancher may hold open through one tunnel; default 256.
    pub max_streams: usize,
    /// `MessagesPerTurn`: frames read from one tunnel before its worker's other clusters get their turn; default 64.
    pub messages_per_turn: usize,
    /// `BytesPerTurn`: bytes of an answer made before they get theirs, and unsent before a socket is left alone; default 256 KiB.
    pub bytes_per_turn: usize,
    /// `MaxRequestBytes`: largest body accepted from an operator's request; default 1 MiB.
    pub max_request_bytes: usize,
    /// `WatchHistory`: most events a cluster keeps, of the last five to ten minutes, for watches that resume; default 1,024.
    pub watch_history: usize,
    /// `PodStartup`: how long pods take to become ready, about; default 2 s.
    pub pod_startup: Duration,
    /// `MaxObjects`: objects that clients may add to one cluster; default 20,000.
    pub max_objects: usize,
    /// `APIAddress`: the address announced for the clusters' API; nobody dials it; default `10.43.0.1:443`.
    pub api_address: String,
    /// `KubernetesVersion`: what `/version` and nodes report; default `v1.31.4`. A `+k3s` suffix makes Rancher expect more of a
    /// cluster.
    pub kubernetes_version: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            rancher_url: String::new(),
            shard: Shard::default(),
            servers: Vec::new(),
            bearer_token: Secret::default(),
            bearer_token_file: None,
            seal_key_file: None,
            seal_key: Secret::default(),
            ca_file: None,
            ca_checksum: None,
            insecure_skip_tls_verify: false,
            listen_address: "127.0.0.1".into(),
            listen_port: 9090,
            api_keys: Vec::new(),
            api_key: Secret::default(),
            agent_ca_file: None,
            tls_cert_file: None,
            tls_key_file: None,
            max_api_connections: 1024,
            api_header_timeout: Duration::from_secs(10),
            api_read_timeout: Duration::from_secs(30),
            api_idle_timeout: Duration::from_secs(60),
            audit_log: None,
            audit_max_bytes: 10 << 20,
            audit_files: 5,
            log_level: LogLevels::new(log::LevelFilter::Info),
            log_format: LogFormat::Text,
            log_file: None,
            performance_interval: Duration::from_secs(60),
            template: None,
            report_interval: Duration::from_secs(30),
            node_heartbeat: HeartbeatMode::Report,
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(60),
            sync_interval: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            create_wait: Duration::from_secs(10),
            registration_parallelism: 4,
            reconnect_min: Duration::from_secs(1),
            reconnect_max: Duration::from_secs(30),
            poll_interval: Duration::from_secs(15),
            ramp_poll_interval: Duration::from_secs(2),
            failed_retry_interval: Duration::from_secs(60),
            journal_interval: Duration::from_millis(500),
            workers: 0,
            source_addresses: Vec::new(),
            dials_in_flight: 64,
            max_clusters: 20_000,
            max_streams: 256,
            messages_per_turn: 64,
            bytes_per_turn: 256 * 1024,
            max_request_bytes: 1 << 20,
            watch_history: 1_024,
            pod_startup: Duration::from_secs(2),
            max_objects: 20_000,
            api_address: "10.43.0.1:443".into(),
            kubernetes_version: "v1.31.4".into(),
        }
    }
}
