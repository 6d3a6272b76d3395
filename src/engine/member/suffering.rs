//! What faults do to a cluster: when they begin, as time passes, and when they end.

use super::{Member, TUNNELS};
use crate::engine::cause::Lost;
use crate::engine::channel::Channel;
use crate::engine::context::Context;
use crate::engine::imposed::{Active, Hold, Imposition};
use crate::engine::link::Change;
use crate::engine::stream::Service;
use crate::engine::{Event, Tunnel};
use crate::faults::Fault;
use crate::kube::Size;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

impl Member {
    /// Faults begin.
    pub(in crate::engine) fn impose(&mut self, imposition: &Imposition, context: &mut Context<'_>) {
        let seed = imposition.seed ^ self.cluster.identity().seed;
        for (place, fault) in imposition.faults.iter().enumerate() {
            let mut active = Active {
                id: imposition.id,
                fault: fault.clone(),
                until: imposition.until,
                next: None,
                random: fastrand::Rng::with_seed(seed.wrapping_add(place as u64)),
                is_on: false,
                steps: 0,
                touched: Vec::new(),
            };
            self.begin(&mut active, context);
            if active.fault != Fault::Drop {
                self.faults.get_or_insert_default().active.push(active);
            }
        }
        self.follow_faults(context);
    }

    /// Ends the faults that are meant.
    pub(in crate::engine) fn lift(&mut self, is_meant: impl Fn(&Active) -> bool, context: &mut Context<'_>) {
        let Some(faults) = &mut self.faults else { return };
        let (ended, left) = std::mem::take(&mut faults.active).into_iter().partition(is_meant);
        faults.active = left;
        let ended: Vec<Active> = ended;
        if !ended.is_empty() {
            ended.into_iter().for_each(|active| self.end(active, context));
            self.follow_faults(context);
        }
    }

    /// Does what faults do by themselves, and ends those whose time is up.
    pub(super) fn advance_faults(&mut self, context: &mut Context<'_>) {
        let now = context.clock.now;
        self.lift(|active| active.until <= now, context);
        let Some(faults) = &mut self.faults else { return };
        if faults.active.iter().all(|active| active.next.is_none_or(|next| next > now)) {
            return;
        }
        let mut active = std::mem::take(&mut faults.active);
        for active in active.iter_mut().filter(|active| active.next.is_some_and(|next| next <= now)) {
            self.step(active, context);
        }
        if let Some(faults) = &mut self.faults {
            faults.active = active;
        }
        self.follow_faults(context);
    }

    /// Adds up how often faults made themselves felt.
    pub(in crate::engine) fn take_effects(&mut self, sums: &mut BTreeMap<u64, u64>) {
        if let Some(faults) = &mut self.faults {
            faults.take_effects(sums);
            if faults.is_over() {
                self.faults = None;
            }
        }
    }

    fn begin(&mut self, active: &mut Active, context: &mut Context<'_>) {
        let now = context.clock.now;
        match &active.fault {
            Fault::Drop => self.sever(active, context),
            Fault::Refuse | Fault::Stall | Fault::Slow { .. } => {
                let tunnels = self.open_tunnels();
                self.felt(active.id, tunnels);
            }
            Fault::Vanish => {
                let tunnels = self.open_tunnels();
                self.felt(active.id, tunnels);
                for tunnel in TUNNELS {
                    if self.link(tunnel).is_open() {
                        // Nobody else could tell that it is gone.
                        let (cause, name) = (cause(active.id, &active.fault), self.name.clone());
                        let retry_in = active.until.saturating_duration_since(now);
                        context.events.push_back(Event::TunnelDown { name, tunnel, cause, refused: None, retry_in });
                    }
                }
            }
            // The first cycle begins at a moment of the cluster's own, or all would flap together.
            Fault::Flap { every, .. } => active.next = Some(now + every.mul_f64(active.random.f64())),
            Fault::ExpireWatches { .. } => self.end_watches(active.id, context),
            Fault::CloseWatches { every } => active.next = Some(now + every.mul_f64(active.random.f64())),
            Fault::ApiDown | Fault::ExpiredCertificate => self.break_connections(active.id, context),
            Fault::NotReady { .. } => {
                active.touched = chosen(self.cluster.node_names(), active);
                self.cluster.set_nodes_ready(&active.touched, false, context.clock.wall);
                self.felt(active.id, active.touched.len() as u64);
            }
            Fault::CrashLoop { .. } => {
                active.touched = chosen(self.cluster.running_pods(), active);
                active.next = Some(now);
            }
            Fault::Churn { .. } | Fault::NodeChurn { .. } => active.next = Some(now),
            Fault::Latency { .. } | Fault::Errors { .. } | Fault::SlowLists { .. } => {}
        }
    }

    fn step(&mut self, active: &mut Active, context: &mut Context<'_>) {
        let (now, wall) = (context.clock.now, context.clock.wall);
        let after = |planned: Option<Instant>, every: Duration| planned.map(|at| (at + every).max(now));
        active.steps += 1;
        match active.fault {
            Fault::Flap { every, down } => {
                active.is_on = !active.is_on && !down.is_zero();
                active.next = match active.is_on {
                    true => Some(now + down),
                    false if down.is_zero() => after(active.next, every),
                    false => after(active.next, every.saturating_sub(down)),
                };
                if active.is_on || down.is_zero() {
                    self.sever(active, context);
                }
            }
            Fault::CloseWatches { every } => {
                active.next = after(active.next, every);
                self.end_watches(active.id, context);
            }
            Fault::CrashLoop { .. } => {
                // As a kubelet backs off: 10 s, doubled with every crash, 5 minutes at most.
                let backoff = CRASH_BACKOFF.saturating_mul(1 << (active.steps - 1).min(MAX_DOUBLINGS));
                active.next = Some(now + backoff.min(LONGEST_CRASH_BACKOFF));
                self.cluster.crash_pods(&active.touched, wall);
                self.felt(active.id, active.touched.len() as u64);
            }
            Fault::Churn { every } => {
                active.next = after(active.next, every);
                let replaced = self.cluster.replace_pod(&mut active.random, wall);
                self.felt(active.id, u64::from(replaced));
            }
            Fault::NodeChurn { every } => {
                active.next = after(active.next, every);
                self.toggle_node(active, context);
            }
            _ => active.next = None,
        }
    }

    fn end(&mut self, mut active: Active, context: &mut Context<'_>) {
        let wall = context.clock.wall;
        match active.fault {
            Fault::Vanish => {
                for tunnel in TUNNELS {
                    let change = self.link(tunnel).sever("it is back and knows its old tunnels no more", context);
                    self.note(tunnel, change, context);
                }
            }
            Fault::NotReady { .. } => self.cluster.set_nodes_ready(&active.touched, true, wall),
            Fault::CrashLoop { .. } => self.cluster.recover_pods(&active.touched, wall),
            Fault::NodeChurn { .. } if active.is_on => self.toggle_node(&mut active, context),
            _ => {}
        }
    }

    /// Brings tunnels and watches up to date with the faults under way.
    fn follow_faults(&mut self, context: &mut Context<'_>) {
        if self.detaching {
            return;
        }
        let faults = self.faults.as_deref();
        let (hold, pace) = faults.map_or((Hold::Free, None), |faults| (faults.hold(), faults.bytes_per_second()));
        let holder = faults.and_then(|faults| {
            faults.active.iter().find(|active| matches!(active.fault, Fault::Refuse | Fault::Flap { .. }))
        });
        let cause = holder.map(|active| cause(active.id, &active.fault)).unwrap_or_default();
        for tunnel in TUNNELS {
            self.link(tunnel).set_pace(pace, context.clock.now);
            let change = self.link(tunnel).set_hold(hold, &cause, context);
            self.note(tunnel, change, context);
        }
        self.feed(context);
    }

    fn sever(&mut self, active: &Active, context: &mut Context<'_>) {
        for tunnel in TUNNELS {
            let change = self.link(tunnel).sever(&cause(active.id, &active.fault), context);
            self.felt(active.id, u64::from(change.is_some()));
            self.note(tunnel, change, context);
        }
    }

    fn end_watches(&mut self, id: u64, context: &mut Context<'_>) {
        self.with_api_channel(id, context, |channel, service, context| channel.end_watches(service, context));
    }

    fn break_connections(&mut self, id: u64, context: &mut Context<'_>) {
        self.with_api_channel(id, context, |channel, service, context| channel.break_connections(service, context));
    }

    fn with_api_channel(
        &mut self,
        id: u64,
        context: &mut Context<'_>,
        work: impl FnOnce(&mut Channel, &mut Service<'_>, &mut Context<'_>) -> Result<u64, Lost>,
    ) {
        let (link, mut service) = self.link_and_service(Tunnel::Api);
        let Some(channel) = link.open_channel() else { return };
        let outcome = work(channel, &mut service, context).and_then(|times| channel.flush().map(|()| times));
        let change: Option<Change> = match outcome {
            Ok(times) => {
                self.felt(id, times);
                None
            }
            Err(lost) => Some(link.lost(lost, context)),
        };
        self.note(Tunnel::Api, change, context);
    }

    fn toggle_node(&mut self, active: &mut Active, context: &mut Context<'_>) {
        let nodes = self.cluster.counts().nodes;
        let wanted = if active.is_on { nodes.saturating_sub(1) } else { nodes + 1 };
        if self.cluster.resize(Size { nodes: Some(wanted), pods: None }, context.clock.wall).is_ok() {
            active.is_on = !active.is_on;
            self.felt(active.id, 1);
        }
    }

    fn open_tunnels(&mut self) -> u64 {
        TUNNELS.into_iter().map(|tunnel| u64::from(self.link(tunnel).is_open())).sum()
    }

    fn felt(&mut self, id: u64, times: u64) {
        self.faults.get_or_insert_default().felt(id, times);
    }
}

/// A part of what there is, by the fault's own chance.
fn chosen(mut all: Vec<String>, active: &mut Active) -> Vec<String> {
    let count = match active.fault {
        Fault::NotReady { share } | Fault::CrashLoop { share } => share.of(all.len()),
        _ => all.len(),
    };
    active.random.shuffle(&mut all);
    all.truncate(count);
    all
}

fn cause(id: u64, fault: &Fault) -> String {
    format!("fault {id}: {}", fault.name())
}

/// The kubelet's own first back-off.
const CRASH_BACKOFF: Duration = Duration::from_secs(10);
/// The kubelet's longest.
const LONGEST_CRASH_BACKOFF: Duration = Duration::from_secs(300);
/// Keeps the shift within its type; the longest back-off is reached long before.
const MAX_DOUBLINGS: u32 = 10;
