//! Logging and measurement.

mod latency;
mod line_writer;
mod logging;
mod metrics;
mod output;
mod repeats;
mod requests;

pub use latency::Latency;
pub use logging::{LogConfig, LogGuard, init, reopen, set_levels};
pub use metrics::{Counter, Exposition, Gauge, Histogram, Metrics, Process, Source, Usage};
pub use requests::{ClusterRequestRow, ClusterRequests, Recorded, Recorder, Request, RequestRow, RequestTotals, Tally};
