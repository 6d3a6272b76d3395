//! Settings: where each comes from, what it means, what it may be.
//!
//! One table ([`SETTINGS`]) defines every setting; [`load`] merges flags, file, environment and defaults key by key and
//! remembers each value's [`Origin`]. This room must not know what the settings are used for.

mod api_keys;
mod environment;
mod error;
mod file;
mod home;
mod kind;
mod log_levels;
mod origin;
mod proxy;
mod rancher_url;
mod role;
mod seal;
mod secret;
mod servers;
mod settings;
mod shard;
mod sources;
mod table;
mod text_file;
mod validate;

pub use api_keys::ApiKey;
pub use error::ConfigError;
pub use home::Home;
pub use kind::{duration_text, parse_duration};
pub use log_levels::LogLevels;
pub use origin::Origin;
pub use proxy::Proxy;
pub use rancher_url::RancherUrl;
pub use role::Role;
pub use seal::{SealError, SealKey, find_sealed, is_sealed, make_private, refuse_open_file};
pub use secret::Secret;
pub use servers::ServerSettings;
pub use settings::{HeartbeatMode, LogFormat, Settings};
pub use shard::Shard;
pub use sources::{Flags, Inputs, Loaded, Resolved, load};
pub use table::{SETTINGS, Setting, VARIABLE_PREFIX};
pub use text_file::read_text_file;
pub use validate::Violation;
