//! Logging and measurement.

mod latency;
mod line_writer;
mod logging;
mod metrics;
mod output;
mod repeats;
mod requests;
mod usage;

pub use latency::Latency;
pub use line_writer::QUEUE_LINES;
pub use logging::{LogConfig, LogGuard, init, reopen, set_levels, waiting_lines};
pub use metrics::{Counter, Exposition, Gauge, Histogram, Metrics, Process, ProcessUsage, Source};
pub use requests::{ClusterRequestRow, ClusterRequests, Recorded, Recorder, Request, RequestRow, RequestTotals, Tally};
pub use usage::{Usage, available_memory_bytes, rss_bytes};
