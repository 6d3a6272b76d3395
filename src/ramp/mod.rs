//! The ramp: which clusters are to start when, how far each has come, and whether that is good enough. No I/O.
//!
//! ```text
//!  Spec ──▶ Schedule ──▶ Pace ──starts──▶ (manager) ──milestones──▶ Journey ──▶ Sample ──▶ Tally ──▶ Threshold
//! ```
//!
//! The load is open: every start has an intended moment that follows from the plan alone, and everything is measured from
//! there, so that a Rancher that slows down cannot make its own figures look better. This room must not know clocks, threads,
//! sockets, files or the manager; the time is an argument and the seed is given.

mod cause;
mod distribution;
mod journey;
mod metric;
mod milestone;
mod misread;
mod pace;
mod rate;
mod results;
mod schedule;
mod spec;
mod stages;
mod tally;
mod threshold;
mod timeline;

pub use cause::cause;
pub use distribution::Distribution;
pub use journey::{Asked, Journey};
pub use metric::{METRICS, Metric, MetricKind};
pub use milestone::Milestone;
pub use misread::Misread;
pub use pace::{Pace, Start};
pub use rate::Rate;
pub use results::{Calls, End, Results, Row};
pub use schedule::Schedule;
pub use spec::{InFlightUntil, MAX_CLUSTERS, Spec, SpecError, parse_run, parse_share};
pub use stages::{Stage, Stages};
pub use tally::{Fate, Sample, Tally};
pub use threshold::{Threshold, Verdict};
pub use timeline::{Point, Timeline};
