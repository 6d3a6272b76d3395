//! Logging and measurement.

mod latency;
mod line_writer;
mod logging;
mod requests;

pub use latency::Latency;
pub use logging::{LogGuard, init, set_level};
pub use requests::{ClusterRequestRow, ClusterRequests, Recorded, Recorder, Request, RequestRow, RequestTotals, Tally};
