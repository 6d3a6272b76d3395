//! When a tunnel has to be pinged and when its peer counts as dead (remotedialer `types.go`, `wsconn.go`).
//!
//! Only the agent's side pings. Rancher's read deadline of 60 s is extended by websocket pings and pongs alone, not by data, and
//! ours likewise.

use std::time::{Duration, Instant};

/// The keep-alive of one tunnel.
#[derive(Debug, Clone)]
pub struct KeepAlive {
    interval: Duration,
    timeout: Duration,
    next_ping: Instant,
    heard: Instant,
    /// When the last ping was sent that has no pong yet.
    unanswered: Option<Instant>,
}

/// What the keep-alive calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Send a websocket ping now.
    Ping,
    /// The peer has not answered for the whole timeout: drop the tunnel.
    Dead,
    /// Nothing before this moment.
    Wait(Instant),
}

impl KeepAlive {
    /// A tunnel that opened at `now`; its first ping goes out after `phase`, which spreads the pings of many tunnels.
    pub fn new(now: Instant, interval: Duration, timeout: Duration, phase: Duration) -> KeepAlive {
        KeepAlive { interval, timeout, next_ping: now + phase, heard: now, unanswered: None }
    }

    /// The peer pinged.
    pub fn pinged(&mut self, now: Instant) {
        self.heard = now;
    }

    /// A pong arrived; returns how long it was on its way.
    pub fn pong(&mut self, now: Instant) -> Option<Duration> {
        self.heard = now;
        self.unanswered.take().map(|sent| now.saturating_duration_since(sent))
    }

    /// What to do at `now`; a ping that is due counts as sent.
    pub fn poll(&mut self, now: Instant) -> Due {
        if now >= self.heard + self.timeout {
            return Due::Dead;
        }
        if now >= self.next_ping {
            // Counted from the plan, so that the phases stay spread; pings missed by a late worker are not made up for.
            while self.next_ping <= now {
                self.next_ping += self.interval;
            }
            self.unanswered = Some(now);
            return Due::Ping;
        }
        Due::Wait(self.next_due())
    }

    /// When [`KeepAlive::poll`] has something to say next.
    pub fn next_due(&self) -> Instant {
        self.next_ping.min(self.heard + self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pings_keep_their_phase() {
        let start = Instant::now();
        let mut keepalive = KeepAlive::new(start, 5 * SECOND, 60 * SECOND, 2 * SECOND);
        assert_eq!(keepalive.poll(start), Due::Wait(start + 2 * SECOND));
        assert_eq!(keepalive.poll(start + 3 * SECOND), Due::Ping);
        assert_eq!(keepalive.poll(start + 3 * SECOND), Due::Wait(start + 7 * SECOND));
        assert_eq!(keepalive.poll(start + 20 * SECOND), Due::Ping);
        assert_eq!(keepalive.next_due(), start + 22 * SECOND);
    }

    #[test]
    fn a_pong_tells_the_round_trip_of_the_last_ping() {
        let start = Instant::now();
        let mut keepalive = KeepAlive::new(start, 5 * SECOND, 60 * SECOND, SECOND);
        assert_eq!(keepalive.pong(start), None, "nothing was sent");
        assert_eq!(keepalive.poll(start + SECOND), Due::Ping);
        assert_eq!(keepalive.pong(start + 3 * SECOND), Some(2 * SECOND));
        assert_eq!(keepalive.pong(start + 4 * SECOND), None, "one ping, one pong");
    }

    #[test]
    fn a_silent_peer_is_dead_after_the_timeout_and_not_before() {
        let start = Instant::now();
        let mut keepalive = KeepAlive::new(start, 5 * SECOND, 60 * SECOND, SECOND);
        keepalive.pong(start + 10 * SECOND);
        assert_eq!(keepalive.poll(start + 69 * SECOND), Due::Ping);
        assert_eq!(keepalive.poll(start + 70 * SECOND), Due::Dead);
    }
}
