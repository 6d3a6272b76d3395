//! Logging and measurement.

mod line_writer;
mod logging;
mod metrics;
mod usage;

pub use logging::{LogGuard, init, set_level};
pub use metrics::{Counter, Exposition, Gauge, Histogram, Metrics, Process, Source};
pub use usage::{Usage, rss_bytes};
