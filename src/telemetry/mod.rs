//! Logging and measurement.

mod latency;
mod line_writer;
mod logging;
mod metrics;
mod requests;
mod usage;

pub use latency::Latency;
pub use logging::{LogGuard, init, set_level};
pub use metrics::{Counter, Exposition, Gauge, Histogram, Metrics, Process, Source};
pub use requests::{ClusterRequestRow, ClusterRequests, Recorded, Recorder, Request, RequestRow, RequestTotals, Tally};
pub use usage::{Usage, available_memory_bytes, rss_bytes};
