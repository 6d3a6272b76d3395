//! Logging and measurement.

mod latency;
mod line_writer;
mod logging;
mod metrics;
mod requests;

pub use latency::Latency;
pub use logging::{LogGuard, init, set_level};
pub use metrics::{Counter, Exposition, Gauge, Histogram, Metrics, Process, Source};
pub use requests::{ClusterRequestRow, ClusterRequests, Recorded, Recorder, Request, RequestRow, RequestTotals, Tally};
