//! Settings: where each comes from, what it means, what it may be.

mod secret;
mod settings;

pub use secret::Secret;
pub use settings::{HeartbeatMode, LogFormat, Settings};
