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
pub struct Metrics {
    sources: Vec<Arc<dyn Source>>,
    queues: Vec<Arc<Queue>>,
}

/// A queue between threads.
struct Queue {
    name: String,
    capacity: usize,
    length: Box<dyn Fn() -> usize + Send + Sync>,
}

impl Metrics {
    /// Adds a source; its families must be its own.
    pub fn add(&mut self, source: Arc<dyn Source>) {
        self.sources.push(source);
    }

    /// Adds a queue that holds so much at most; how much waits in it is asked of `length`.
    pub fn add_queue(
        &mut self,
        name: impl Into<String>,
        capacity: usize,
        length: impl Fn() -> usize + Send + Sync + 'static,
    ) {
        self.queues.push(Arc::new(Queue { name: name.into(), capacity, length: Box::new(length) }));
    }

    /// Lets every source write.
    pub fn expose(&self, out: &mut Exposition) {
        self.sources.iter().for_each(|source| source.expose(out));
        let labels: Vec<[(&str, &str); 1]> = self.queues.iter().map(|queue| [("queue", queue.name.as_str())]).collect();
        let mut gauge = |name, help, of: fn(&Queue) -> usize| {
            let values = self.queues.iter().map(|queue| of(queue) as f64);
            let samples: Vec<_> = labels.iter().map(|labels| &labels[..]).zip(values).collect();
            out.gauge(name, help, &samples);
        };
        let help = "What waits in a queue of the agent.";
        gauge("scale_agent_queue_length", help, |queue| (queue.length)());
        gauge("scale_agent_queue_capacity", "What a queue of the agent holds at most.", |queue| queue.capacity);
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metrics({} sources)", self.sources.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_tell_how_full_they_are() {
        let mut metrics = Metrics::default();
        let (sender, receiver) = crossbeam_channel::bounded(5);
        metrics.add_queue("things", 5, move || receiver.len());
        metrics.add_queue("others", 7, || 1);
        sender.send(()).unwrap();
        sender.send(()).unwrap();
        let mut out = Exposition::default();
        metrics.expose(&mut out);
        let text = out.into_text();
        for (family, queue, value) in
            [("length", "things", 2), ("length", "others", 1), ("capacity", "things", 5), ("capacity", "others", 7)]
        {
            let line = format!("scale_agent_queue_{family}{{queue=\"{queue}\"}} {value}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}
