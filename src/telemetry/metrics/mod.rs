//! What is counted, and how Prometheus reads it.
//!
//! A room counts with [`Counter`], [`Gauge`] and [`Histogram`] of its own and tells of them as a [`Source`]; [`Metrics`] asks
//! every source when somebody reads. Counting takes no lock and needs no reader. Nothing is kept per cluster.

mod exposition;
mod meter;
mod process;

pub use exposition::Exposition;
pub use meter::{Counter, Gauge, Histogram};
pub use process::{Process, ProcessUsage};

use std::sync::Arc;

/// Something that counts.
pub trait Source: Send + Sync {
    /// Writes everything that it counts.
    fn expose(&self, out: &mut Exposition);
}

/// Everything that counts.
#[derive(Default, Clone)]
pub struct Metrics(Vec<Arc<dyn Source>>);

impl Metrics {
    /// Adds a source; its families must be its own.
    pub fn add(&mut self, source: Arc<dyn Source>) {
        self.0.push(source);
    }

    /// Lets every source write.
    pub fn expose(&self, out: &mut Exposition) {
        self.0.iter().for_each(|source| source.expose(out));
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metrics({} sources)", self.0.len())
    }
}
