//! Logging and measurement.

mod line_writer;
mod logging;
mod metrics;

pub use logging::{LogGuard, init, set_level};
pub use metrics::{Counter, Exposition, Gauge, Histogram, Metrics, Process, Source};
