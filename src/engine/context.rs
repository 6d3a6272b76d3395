//! What a turn needs beside the cluster it is given to.

use super::clock::Clock;
use super::{Event, WorkerConfig};
use crate::telemetry::Recorder;
use mio::Registry;
use std::collections::VecDeque;

/// The worker's own things, lent for one turn of a member.
pub(super) struct Context<'a> {
    pub(super) config: &'a WorkerConfig,
    pub(super) registry: &'a Registry,
    pub(super) clock: &'a Clock,
    pub(super) random: &'a mut fastrand::Rng,
    pub(super) recorder: &'a mut Recorder,
    pub(super) events: &'a mut VecDeque<Event>,
}
