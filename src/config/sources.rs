//! Merges flags, file, environment and defaults, key by key.

use super::environment::Environment;
use super::error::Misread;
use super::file::{Entry, File, read_file};
use super::home::Home;
use super::validate::Violation;
use super::{ConfigError, Origin, SETTINGS, SealError, SealKey, Secret, Setting, Settings, is_sealed};
use crate::yaml::nearest;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`: the file to read instead of the default one.
    pub config: Option<PathBuf>,
    /// `--home`: the agent's directory instead of `~/.scale-cluster-agent`.
    pub home: Option<PathBuf>,
    /// The settings that have flags: key and value as given.
    pub values: Vec<(&'static str, String)>,
}

/// Everything a configuration is made of. Environment and home are arguments, so that nothing depends on the process.
#[derive(Debug)]
pub struct Inputs<E> {
    /// The command line.
    pub flags: Flags,
    /// The user's home directory, `$HOME`.
    pub user_home: Option<PathBuf>,
    /// All environment variables.
    pub environment: E,
}

/// A setting's value as text (secrets masked, empty if unset) and where it comes from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The setting's key.
    pub key: &'static str,
    /// The value as it would be written in the file.
    pub text: String,
    /// The source that won.
    pub origin: Origin,
}

/// A configuration that passed all checks.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Each setting with its origin, in the order of [`SETTINGS`].
    pub origins: Vec<Resolved>,
    /// What the user should know before going on; to be logged.
    pub warnings: Vec<String>,
    /// The agent's directory.
    pub home: Home,
    /// The configuration file that was read, if there was one.
    pub file: Option<PathBuf>,
}

impl Loaded {
    /// The user's template, if there is one: the setting, else `cluster.yaml` beside the configuration.
    pub fn template_file(&self) -> Option<PathBuf> {
        self.settings.template.clone().or_else(|| self.home.template_file(self.file.as_deref()))
    }
}

/// Reads and merges all sources. Per key a flag wins over the file, the file over the environment, and that over the
/// default.
pub fn load<E>(inputs: Inputs<E>) -> Result<Loaded, ConfigError>
where
    E: IntoIterator<Item = (OsString, OsString)>,
{
    let environment = Environment::new(inputs.environment);
    let home = Home::locate(inputs.flags.home, environment.home(), inputs.user_home)?;
    let file = match inputs.flags.config {
        Some(path) => Some(path),
        None => home.config_file(),
    };
    let read = file.as_deref().map(read_file).transpose()?.unwrap_or_default();

    let mut settings = Settings::default();
    let mut origins: Vec<(&'static Setting, Origin)> =
        SETTINGS.iter().map(|setting| (setting, Origin::Default)).collect();
    for (setting, origin) in &mut origins {
        environment.apply(setting, &mut settings, origin)?;
    }
    for entry in &read.entries {
        apply_entry(entry, &read, &mut settings, &mut origins)?;
    }
    for (key, text) in &inputs.flags.values {
        apply_flag(key, text, &mut settings, &mut origins)?;
    }

    if let Origin::File(..) = origin_of(&origins, "SealKey") {
        let problem = "beside what it seals, it protects nothing".into();
        let expected = "it in the environment, or SealKeyFile".into();
        return Err(ConfigError::BadValue {
            origin: origin_of(&origins, "SealKey"),
            key: "SealKey",
            problem,
            expected,
        });
    }
    let warnings_of_secrets = readable_secret(&origins, &settings);
    let place = |key: &str, item| match origin_of(&origins, key) {
        Origin::File(..) => read.origin(key, item),
        elsewhere => elsewhere,
    };
    unseal(&mut settings, place)?;
    settings.validate().map_err(|Violation { key, problem, expected, against, entry }| {
        let is_default = |key| origin_of(&origins, key) == Origin::Default;
        let key = against.filter(|_| is_default(key)).unwrap_or(key);
        ConfigError::BadValue { origin: place(key, entry), key, problem, expected }
    })?;
    let mut warnings = environment.unknown();
    warnings.extend(settings.insecure_skip_tls_verify.then(|| INSECURE_WARNING.to_string()));
    warnings.extend(warnings_of_secrets);
    if !settings.listens_on_loopback() && settings.tls_cert_file.is_none() {
        warnings.push(PLAIN_WARNING.to_string());
    }
    let origins = origins
        .into_iter()
        .map(|(setting, origin)| Resolved { key: setting.key, text: setting.text(&settings), origin })
        .collect();
    Ok(Loaded { settings, origins, warnings, home, file })
}

fn apply_entry(
    entry: &Entry,
    file: &File,
    settings: &mut Settings,
    origins: &mut [(&'static Setting, Origin)],
) -> Result<(), ConfigError> {
    let here = Origin::File(file.path.clone(), entry.line);
    let Some((setting, origin)) = origins.iter_mut().find(|(setting, _)| setting.key == entry.key) else {
        let keys = SETTINGS.iter().filter(|setting| !setting.flag_only).map(|setting| setting.key);
        return Err(ConfigError::UnknownKey {
            origin: here,
            key: entry.key.clone(),
            nearest: nearest(&entry.key, keys),
        });
    };
    if let Origin::File(_, first_line) = origin {
        return Err(ConfigError::Duplicate { origin: here, key: setting.key, first_line: *first_line });
    }
    if setting.flag_only {
        return Err(setting.only_by_flag(here));
    }
    let base = file.path.parent().unwrap_or(Path::new(""));
    match setting.kind.set_yaml(settings, &entry.value, base) {
        Ok(()) => *origin = here,
        Err(Misread { entry: None, problem }) => return Err(setting.bad_value(here, problem)),
        Err(Misread { entry, problem }) => return Err(setting.bad_value(file.origin(setting.key, entry), problem)),
    }
    Ok(())
}

fn apply_flag(
    key: &str,
    text: &str,
    settings: &mut Settings,
    origins: &mut [(&'static Setting, Origin)],
) -> Result<(), ConfigError> {
    let Some((setting, origin)) = origins.iter_mut().find(|(setting, _)| setting.key == key) else {
        let unknown = ConfigError::UnknownKey { origin: Origin::Flag("?"), key: key.into(), nearest: None };
        return Err(unknown);
    };
    let here = Origin::Flag(setting.flag.unwrap_or(setting.key));
    match setting.kind.set_text(settings, text, Path::new("")) {
        Ok(()) => *origin = here,
        Err(problem) => return Err(setting.bad_value(here, problem)),
    }
    Ok(())
}

fn origin_of(origins: &[(&'static Setting, Origin)], key: &str) -> Origin {
    origins.iter().find(|(setting, _)| setting.key == key).map_or(Origin::Default, |(_, origin)| origin.clone())
}

/// Opens what is sealed; `place` tells where a setting stands, or an entry of it.
fn unseal(settings: &mut Settings, place: impl Fn(&str, Option<usize>) -> Origin) -> Result<(), ConfigError> {
    let (file, text) = (settings.seal_key_file.clone(), settings.seal_key.clone());
    let key = || match (&file, text.is_empty()) {
        (Some(path), _) => SealKey::from_file(path),
        (None, false) => SealKey::parse(text.expose()),
        (None, true) => Err(SealError::NoKey),
    };
    let servers = settings.servers.iter_mut().enumerate();
    let servers = servers.map(|(position, server)| ("Servers", Some(position), &mut server.bearer_token));
    let own = [("BearerToken", None, &mut settings.bearer_token), ("APIKey", None, &mut settings.api_key)];
    for (name, entry, token) in own.into_iter().chain(servers) {
        if is_sealed(token.expose()) {
            *token = key().and_then(|key| key.unseal(token.expose())).map_err(|error| ConfigError::BadValue {
                origin: place(name, entry),
                key: name,
                problem: error.to_string(),
                expected: "what `secret seal` printed, and the key it was sealed with".into(),
            })?;
        }
    }
    Ok(())
}

/// A warning if a file that holds a token in the clear can be read by other users.
fn readable_secret(origins: &[(&'static Setting, Origin)], settings: &Settings) -> Vec<String> {
    let is_plain = |token: &Secret| !token.is_empty() && !is_sealed(token.expose());
    let of_a_server = settings.servers.iter().any(|server| is_plain(&server.bearer_token));
    let held = [
        ("BearerToken", is_plain(&settings.bearer_token)),
        ("APIKey", is_plain(&settings.api_key)),
        ("Servers", of_a_server),
    ];
    let files = held.iter().filter(|(_, holds)| *holds).filter_map(|(key, _)| match origin_of(origins, key) {
        Origin::File(path, _) => Some(path),
        _ => None,
    });
    let servers = settings.servers.iter().map(|server| &server.bearer_token_file);
    let token_files = servers.chain([&settings.bearer_token_file]).flatten().cloned();
    let mut paths: Vec<PathBuf> = files.chain(token_files).collect();
    paths.dedup();
    paths.into_iter().filter_map(|path| is_readable_by_others(&path).then(|| warning(&path))).collect()
}

fn is_readable_by_others(path: &Path) -> bool {
    let mode = std::fs::metadata(path).map(|metadata| std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()));
    mode.is_ok_and(|mode| mode & OTHERS_MAY_READ != 0)
}

fn warning(path: &Path) -> String {
    let path = path.display();
    format!("{path} holds a token and other users may read it; run `chmod 600 {path}`")
}

/// The read bits of group and others.
const OTHERS_MAY_READ: u32 = 0o044;

const PLAIN_WARNING: &str = "the REST API speaks plain HTTP to other machines: anyone on the way can read the keys; set TLSCertFile and TLSKeyFile";
const INSECURE_WARNING: &str =
    "Rancher's certificate is not verified (--insecure-skip-tls-verify): anyone on the way can read the token";

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;
    use tempfile::TempDir;

    /// Loads with an empty user home that holds `file` as its configuration, if there is one.
    struct Case {
        user_home: TempDir,
        flags: Flags,
        environment: Vec<(OsString, OsString)>,
    }

    impl Case {
        fn new(file: Option<&str>) -> Case {
            let user_home = tempfile::tempdir().unwrap();
            if let Some(text) = file {
                let home = user_home.path().join(".scale-cluster-agent");
                fs::create_dir(&home).unwrap();
                fs::write(home.join("config"), text).unwrap();
            }
            Case { user_home, flags: Flags::default(), environment: Vec::new() }
        }

        fn variable(mut self, name: &str, value: &str) -> Case {
            self.environment.push((name.into(), value.into()));
            self
        }

        fn flag(mut self, key: &'static str, value: &str) -> Case {
            self.flags.values.push((key, value.into()));
            self
        }

        fn load(&self) -> Result<Loaded, ConfigError> {
            let user_home = Some(self.user_home.path().to_path_buf());
            load(Inputs { flags: self.flags.clone(), user_home, environment: self.environment.clone() })
        }

        /// The error and its remedy, with the folder of the configuration taken out.
        fn error(&self) -> (String, String) {
            let home = self.user_home.path().join(".scale-cluster-agent/").display().to_string();
            let error = self.load().unwrap_err();
            (error.to_string().replace(&home, ""), error.remedy())
        }
    }

    fn origin(loaded: &Loaded, key: &str) -> String {
        let resolved = loaded.origins.iter().find(|resolved| resolved.key == key).unwrap();
        let origin = resolved.origin.to_string();
        origin.replace(&loaded.home.path().display().to_string(), "HOME")
    }

    #[test]
    fn nothing_given_means_defaults() {
        let loaded = Case::new(None).load().unwrap();
        assert_eq!(loaded.settings.listen_port, 9090);
        assert_eq!(loaded.settings.report_interval, Duration::from_secs(30));
        assert_eq!(origin(&loaded, "ListenPort"), "default");
        assert_eq!((loaded.file, loaded.warnings), (None, vec![]));
    }

    #[test]
    fn per_key_flag_wins_over_file_over_environment_over_default() {
        let file = "RancherURL: https://file.example\nListenPort: 9001\nWorkers: 3\n";
        let loaded = Case::new(Some(file))
            .variable("SCALE_AGENT_RANCHER_URL", "https://environment.example")
            .variable("SCALE_AGENT_LISTEN_PORT", "9002")
            .variable("SCALE_AGENT_SYNC_INTERVAL", "2m")
            .flag("ListenPort", "9003")
            .load()
            .unwrap();
        assert_eq!(loaded.settings.rancher_url, "https://file.example");
        assert_eq!(origin(&loaded, "RancherURL"), "file HOME/config:1");
        assert_eq!(loaded.settings.listen_port, 9003);
        assert_eq!(origin(&loaded, "ListenPort"), "flag --listen-port");
        assert_eq!(loaded.settings.workers, 3);
        assert_eq!(origin(&loaded, "Workers"), "file HOME/config:3");
        assert_eq!(loaded.settings.sync_interval, Duration::from_secs(120));
        assert_eq!(origin(&loaded, "SyncInterval"), "environment SCALE_AGENT_SYNC_INTERVAL");
        assert_eq!(origin(&loaded, "LogLevel"), "default");
    }

    #[test]
    fn what_is_wrong_in_a_list_is_named_with_the_line_of_its_entry() {
        let file = "# two\nServers:\n  - Name: a\n    URL: https://a.test\n  - Name: b\n    URL: b.test\n";
        assert_eq!(Case::new(Some(file)).error().0.split(": b: ").next(), Some("file config:5: Servers"));
        let file = "Servers:\n- {Name: a, URL: 'https://a.test'}\n- {Name: b,\n   Url: x}\n";
        assert!(Case::new(Some(file)).error().0.starts_with("file config:3: Servers: entry 2: unknown key Url"));
        let file = "Servers:\n- {Name: a, URL: 'https://a.test'}\n- {Name: b, URL: 'https://b.test', BearerToken: 'sealed:v1:x'}\n";
        assert!(
            Case::new(Some(file)).error().0.starts_with("file config:3: Servers: it is sealed, and there is no key")
        );
        let file = "Workers: 1\nAPIKeys:\n- {Name: a, Role: god}\n";
        assert!(Case::new(Some(file)).error().0.starts_with("file config:3: APIKeys: entry 1: Role is `god`"));
        assert!(Case::new(Some("\nServers: 5\n")).error().0.starts_with("file config:2: Servers: it is not a list"));
    }

    #[test]
    fn what_is_at_odds_is_named_by_what_somebody_set() {
        let error = |file| Case::new(Some(file)).error().0;
        let odds = "ReconnectMax is shorter than ReconnectMin";
        assert_eq!(error("ReconnectMin: 1m\n"), format!("file config:1: ReconnectMin: {odds}"));
        assert_eq!(error("ReconnectMin: 1m\nReconnectMax: 2s\n"), format!("file config:2: ReconnectMax: {odds}"));
        assert_eq!(
            error("Workers: 1\nTLSCertFile: cert.pem\n"),
            "file config:2: TLSCertFile: TLSKeyFile is missing beside it"
        );
    }

    #[test]
    fn config_may_be_a_directory() {
        let case = Case::new(None);
        let directory = case.user_home.path().join(".scale-cluster-agent/config");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("cluster.yaml"), "").unwrap();
        assert_eq!(case.load().unwrap().file, None, "it may hold only a template");
        fs::write(directory.join("config"), "Workers: 2\n").unwrap();
        let loaded = case.load().unwrap();
        assert_eq!(loaded.settings.workers, 2);
        assert_eq!(loaded.file.as_deref(), Some(directory.join("config").as_path()));
    }

    #[test]
    fn home_moves_by_flag_then_variable() {
        let moved = tempfile::tempdir().unwrap();
        fs::write(moved.path().join("config"), "Workers: 5\n").unwrap();
        let path = moved.path().to_str().unwrap();
        let loaded = Case::new(Some("Workers: 1\n")).variable("SCALE_AGENT_HOME", path).load().unwrap();
        assert_eq!((loaded.settings.workers, loaded.warnings.len()), (5, 0));
        let mut case = Case::new(Some("Workers: 1\n")).variable("SCALE_AGENT_HOME", "/nowhere");
        case.flags.home = Some(path.into());
        assert_eq!(case.load().unwrap().settings.workers, 5);
    }

    #[test]
    fn a_home_is_needed() {
        let inputs = Inputs { flags: Flags::default(), user_home: None, environment: [] };
        assert!(matches!(load(inputs), Err(ConfigError::NoHome)));
    }

    #[test]
    fn config_flag_names_another_file_that_must_exist() {
        let mut case = Case::new(Some("Workers: 1\n"));
        case.flags.config = Some(case.user_home.path().join("other.yaml"));
        fs::write(case.user_home.path().join("other.yaml"), "Workers: 7\nCAFile: ca.pem\n").unwrap();
        let folder = case.user_home.path().to_path_buf();
        let loaded = case.load().unwrap();
        assert_eq!(loaded.settings.workers, 7);
        assert_eq!(loaded.settings.ca_file, Some(folder.join("ca.pem")), "relative to the file that names it");
        let mut case = Case::new(None);
        case.flags.config = Some("/nowhere/config".into());
        let (error, _) = case.error();
        assert_eq!(error, "cannot read the configuration file /nowhere/config: No such file or directory (os error 2)");
    }

    #[test]
    fn errors_of_the_file_name_line_key_and_what_was_expected() {
        let port = "expected a port from 0 to 65535 such as 9090";
        for (text, error, remedy) in [
            ("\n# comment\nListenPrt: 1\n", "file config:3: unknown key `ListenPrt`", "did you mean `ListenPort`?"),
            ("ProxyBasePort: 1\n", "file config:1: unknown key `ProxyBasePort`", "remove it; --help lists all keys"),
            ("Workers: 1\nListenPort: abc\n", "file config:2: ListenPort: `abc` is not a port", port),
            ("ListenPort: 65536\n", "file config:1: ListenPort: `65536` is not a port", port),
            ("ListenPort: [1]\n", "file config:1: ListenPort: it is a list", port),
            ("ListenPort:\n", "file config:1: ListenPort: it has no value", port),
            (
                "ReportInterval: 30\n",
                "file config:1: ReportInterval: 30 has no unit",
                "expected a duration from 1s to 1h such as 30s",
            ),
            (
                "PingInterval: 21s\n",
                "file config:1: PingInterval: 21s is out of range",
                "expected a duration from 100ms to 20s such as 20s",
            ),
            (
                "Workers: -1\n",
                "file config:1: Workers: `-1` is not a whole number",
                "expected a whole number from 0 to 1024",
            ),
            (
                "LogLevel: loud\n",
                "file config:1: LogLevel: `loud` is not one of them",
                "expected off, error, warn, info, debug or trace, for a room as in info,engine=debug",
            ),
            (
                "Workers: 1\n\nWorkers: 2\n",
                "file config:3: `Workers` was given in line 1 already",
                "keep one of the two",
            ),
            (
                "InsecureSkipTLSVerify: true\n",
                "file config:1: InsecureSkipTLSVerify: it can be given on the command line only",
                "expected the flag --insecure-skip-tls-verify",
            ),
            (
                "KubernetesVersion: 1.30\n",
                "file config:1: KubernetesVersion: 1.3 is a number; put it in quotes if it is meant as text",
                "expected text such as v1.31.4",
            ),
            (
                "RancherURL: https://x\nListenAddress: 0.0.0.0\n",
                "file config:2: ListenAddress: `0.0.0.0` is not a loopback address, and there are no APIKeys",
                "expected 127.0.0.1 or ::1, or a key: `scale-cluster-agent api-key create --role admin --name NAME` makes one",
            ),
        ] {
            assert_eq!(Case::new(Some(text)).error(), (error.into(), remedy.into()), "{text}");
        }
    }

    #[test]
    fn what_is_no_yaml_mapping_names_its_line() {
        let (error, _) = Case::new(Some("Workers: 1\nLogLevel: [\n")).error();
        assert!(error.starts_with("config:3: ") || error.starts_with("config:2: "), "{error}");
        let (error, _) = Case::new(Some("- RancherURL\n")).error();
        assert_eq!(error, "config:1: invalid type: sequence, expected lines of `Key: value`");
    }

    #[test]
    fn an_empty_file_is_fine() {
        for text in ["", "# only a comment\n", "---\n"] {
            assert_eq!(Case::new(Some(text)).load().unwrap().settings.listen_port, 9090, "{text:?}");
        }
    }

    #[test]
    fn errors_of_the_environment_name_the_variable() {
        let (error, _) = Case::new(None).variable("SCALE_AGENT_LISTEN_PORT", "web").error();
        assert_eq!(error, "environment SCALE_AGENT_LISTEN_PORT: ListenPort: `web` is not a port");
        let (error, _) = Case::new(None).variable("SCALE_AGENT_RANCHER_URL", "rancher").error();
        assert_eq!(error, "environment SCALE_AGENT_RANCHER_URL: RancherURL: `rancher` has no scheme");
    }

    #[test]
    fn unknown_variables_warn_and_name_the_nearest() {
        let loaded = Case::new(None).variable("SCALE_AGENT_LISTENPORT", "1").variable("OTHER", "1").load().unwrap();
        assert_eq!(
            loaded.warnings,
            [
                "environment variable SCALE_AGENT_LISTENPORT is unknown and ignored; did you mean SCALE_AGENT_LISTEN_PORT?"
            ]
        );
    }

    #[test]
    fn secrets_are_masked_and_a_readable_file_warns() {
        let case = Case::new(Some("BearerToken: token-abcde:hunter2\nAPIKey: sca_x\n"));
        let path = case.user_home.path().join(".scale-cluster-agent/config");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let loaded = case.load().unwrap();
        assert_eq!(loaded.settings.bearer_token.expose(), "token-abcde:hunter2");
        let token = loaded.origins.iter().find(|resolved| resolved.key == "BearerToken").unwrap();
        assert_eq!(token.text, "***");
        assert!(!format!("{loaded:?}").contains("hunter2"));
        let path = path.display();
        let warning = format!("{path} holds a token and other users may read it; run `chmod 600 {path}`");
        assert_eq!(loaded.warnings, [warning]);
    }

    #[test]
    fn the_template_lies_beside_the_configuration() {
        let case = Case::new(Some(""));
        let home = case.user_home.path().join(".scale-cluster-agent");
        fs::write(home.join("cluster.yaml"), "").unwrap();
        assert_eq!(case.load().unwrap().template_file(), Some(home.join("cluster.yaml")));
        fs::write(home.join("config"), "Template: small.yaml\n").unwrap();
        assert_eq!(case.load().unwrap().template_file(), Some(home.join("small.yaml")));
        assert_eq!(Case::new(Some("")).load().unwrap().template_file(), None);
    }
}
