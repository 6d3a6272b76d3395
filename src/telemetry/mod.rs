//! Logging and measurement.

mod line_writer;
mod logging;

pub use logging::{LogGuard, init, set_level};
