//! Logging and measurement.

mod line_writer;
mod logging;
mod usage;

pub use logging::{LogGuard, init, set_level};
pub use usage::{Usage, rss_bytes};
