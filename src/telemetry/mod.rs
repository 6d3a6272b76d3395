//! Logging and measurement.
