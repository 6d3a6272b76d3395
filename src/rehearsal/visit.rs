//! What Rancher does to one cluster through one of its tunnels, without I/O: replies and alarms in, orders out.

use super::{
    Call, Channel, Fact, Fleet, Observation, Prepared, Profile, Script, Stage, Step, Verb, WatchError, Watcher,
};
use crate::http1::Method;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Walks through a profile, as far as it concerns one tunnel.
#[derive(Debug)]
pub struct Visit {
    fleet: Arc<Fleet>,
    profile: Arc<Profile>,
    cluster: String,
    channel: Channel,
    random: fastrand::Rng,
    script: Script,
    position: Position,
    informers: Vec<Informer>,
    /// For each probe of the profile, since when its answer is awaited.
    probing: Vec<Option<Instant>>,
    /// For each, when it is due next.
    due: Vec<Option<Instant>>,
    orders: Vec<Order>,
}

/// Something the owner of the tunnel has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Send a request on a line, which is opened if it is not.
    Send(Line, Prepared),
    /// Close a line.
    Close(Line),
    /// Call [`Visit::woken`] at that time.
    Wake(Instant, Alarm),
}

/// An HTTP connection through the tunnel, named by its purpose; there is at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// Carries the calls, one after the other.
    Calls,
    /// Carries the watch of this index.
    Watch(usize),
    /// Carries the probe of this index.
    Probe(usize),
}

/// What a visit wants to be reminded of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Make the current request of a line again.
    Retry(Line),
    /// A probe is due.
    Probe(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    First(usize),
    Syncing,
    Writes(usize),
    Done,
}

#[derive(Debug)]
struct Informer {
    watcher: Watcher,
    synced: bool,
    asked: Instant,
}

impl Visit {
    /// A visit through one tunnel of `cluster`, which does nothing before [`Visit::begin`]. `seed` decides how long watches last.
    pub fn new(fleet: Arc<Fleet>, profile: Arc<Profile>, cluster: String, channel: Channel, seed: u64) -> Visit {
        let probing = vec![None; profile.probes.len()];
        Visit {
            fleet,
            profile,
            cluster,
            channel,
            random: fastrand::Rng::with_seed(seed),
            script: Script::default(),
            position: Position::First(0),
            informers: Vec::new(),
            due: probing.clone(),
            probing,
            orders: Vec::new(),
        }
    }

    /// The orders given since the last call.
    pub fn orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// The tunnel is up and is the one in use.
    pub fn begin(&mut self, now: Instant) {
        match self.channel {
            Channel::Api => self.go_on(now),
            Channel::Steve => self.start_probes(now),
        }
    }

    /// Whether the body of the current response of `line` is to be handed over as it comes rather than as a whole.
    pub fn is_stream(&self, line: Line, status: u16) -> bool {
        match line {
            Line::Watch(index) => status == 200 && !self.informers[index].watcher.is_listing(),
            Line::Calls | Line::Probe(_) => false,
        }
    }

    /// A complete response arrived.
    pub fn replied(&mut self, line: Line, status: u16, body: &[u8], now: Instant) {
        match line {
            Line::Calls => self.call_replied(status, body, now),
            Line::Watch(index) => self.watch_replied(index, status, body, now),
            Line::Probe(index) => self.probe_replied(index, status, now),
        }
    }

    /// A piece of a streamed body arrived.
    pub fn streamed(&mut self, line: Line, bytes: &[u8], now: Instant) {
        let Line::Watch(index) = line else { return };
        match self.informers[index].watcher.take_events(bytes) {
            Ok(tally) => {
                self.fleet.seen.watch_events.fetch_add(tally.events, Ordering::Relaxed);
                if self.profile.watches.lists[index].observes == Some(Observation::Nodes) {
                    self.fleet.seen.heartbeats.fetch_add(tally.modified, Ordering::Relaxed);
                }
                if tally.synced {
                    self.synced(index, now);
                }
            }
            Err(error) => self.watch_failed(index, &error, now),
        }
    }

    /// A streamed body is complete.
    pub fn ended(&mut self, line: Line, now: Instant) {
        let Line::Watch(index) = line else { return };
        let informer = &mut self.informers[index];
        informer.watcher.ended();
        if now < informer.asked + SHORT_WATCH {
            self.problem(&format!("watch {}: ended within a second", self.profile.watches.lists[index].path));
            self.retry(line, now);
        } else {
            self.ask(index, now);
        }
    }

    /// The connection under a line was lost, or what came over it was not HTTP.
    pub fn lost(&mut self, line: Line, cause: &str, now: Instant) {
        match line {
            // An idle connection may go away: the next request opens a new one.
            Line::Calls if self.call().is_none() => return,
            Line::Probe(index) if self.probing[index].is_none() => return,
            Line::Calls => self.retry(line, now),
            Line::Watch(index) => {
                self.informers[index].watcher.ended();
                self.retry(line, now);
            }
            Line::Probe(index) => {
                self.probing[index] = None;
                self.learn_probe(false, now);
            }
        }
        // Without its purpose, since whatever closes one connection often closes all of them.
        self.problem(&format!("connection lost: {cause}"));
    }

    /// An alarm went off.
    pub fn woken(&mut self, alarm: Alarm, now: Instant) {
        match alarm {
            Alarm::Retry(Line::Calls) => self.go_on(now),
            Alarm::Retry(Line::Watch(index)) => self.ask(index, now),
            Alarm::Retry(Line::Probe(index)) | Alarm::Probe(index) => self.probe(index, now),
        }
    }

    fn call(&self) -> Option<&Call> {
        match self.position {
            Position::First(index) => self.profile.first.get(index),
            Position::Writes(index) => self.profile.writes.get(index),
            Position::Syncing | Position::Done => None,
        }
    }

    /// Makes the current call, or goes over to what comes after the last one.
    fn go_on(&mut self, now: Instant) {
        match self.call().map(|call| self.script.prepare(call)) {
            Some(Ok(prepared)) => self.orders.push(Order::Send(Line::Calls, prepared)),
            Some(Err(cause)) => {
                self.problem(&format!("{} {cause}", self.describe_call()));
                self.retry(Line::Calls, now);
            }
            None if matches!(self.position, Position::First(_)) => {
                self.position = Position::Syncing;
                self.start_probes(now);
                let fresh = || Informer { watcher: Watcher::new(self.profile.watches.form), synced: false, asked: now };
                self.informers = self.profile.watches.lists.iter().map(|_| fresh()).collect();
                for index in 0..self.informers.len() {
                    self.ask(index, now);
                }
                self.write_if_synced(now);
            }
            None if matches!(self.position, Position::Writes(_)) => {
                self.position = Position::Done;
                self.fleet.learn(&self.cluster, Fact::Written, now);
                // As an idle connection in Rancher's pool is closed.
                self.orders.push(Order::Close(Line::Calls));
            }
            None => {}
        }
    }

    fn call_replied(&mut self, status: u16, body: &[u8], now: Instant) {
        self.fleet.learn(&self.cluster, Fact::Responded, now);
        let profile = self.profile.clone();
        let call = match self.position {
            Position::First(index) => &profile.first[index],
            Position::Writes(index) => &profile.writes[index],
            Position::Syncing | Position::Done => return,
        };
        let judged = self.script.judge(call, status, body).and_then(|step| {
            if step == Step::Done {
                self.observe(call.observes, body, now)?;
            }
            Ok(step)
        });
        match judged {
            Err(cause) => {
                self.problem(&format!("{} {cause}", self.describe_call()));
                self.retry(Line::Calls, now);
            }
            Ok(Step::Again) => self.go_on(now),
            Ok(Step::Done) => {
                self.position = match self.position {
                    Position::First(index) => Position::First(index + 1),
                    Position::Writes(index) => Position::Writes(index + 1),
                    position => position,
                };
                self.go_on(now);
            }
        }
    }

    fn observe(&self, observation: Option<Observation>, body: &[u8], now: Instant) -> Result<(), String> {
        let Some(observation) = observation else { return Ok(()) };
        let reply: serde_json::Value =
            serde_json::from_slice(body).map_err(|error| format!("answered no JSON: {error}"))?;
        let fact = match observation {
            Observation::Version => {
                let version = reply["gitVersion"].as_str().ok_or("has no gitVersion in its reply")?;
                Fact::Version(version.to_owned())
            }
            Observation::Nodes => Fact::Nodes(reply["items"].as_array().map_or(0, Vec::len)),
        };
        self.fleet.learn(&self.cluster, fact, now);
        Ok(())
    }

    /// Sends an informer's next request.
    fn ask(&mut self, index: usize, now: Instant) {
        let informer = &mut self.informers[index];
        informer.asked = now;
        // As client-go: between once and twice the minimum, so that watches do not end together.
        let minimum = self.profile.watches.timeout_seconds;
        let timeout = minimum + self.random.u64(0..=minimum);
        let prepared = Prepared {
            method: Method::Get,
            target: informer.watcher.target(&self.profile.watches.lists[index], timeout),
            accept: INFORMER_ACCEPT.to_owned(),
            body: None,
        };
        self.orders.push(Order::Send(Line::Watch(index), prepared));
    }

    fn watch_replied(&mut self, index: usize, status: u16, body: &[u8], now: Instant) {
        let informer = &mut self.informers[index];
        let outcome = match status {
            200 => informer.watcher.take_list(body),
            410 => Err(WatchError::Expired),
            status => Err(WatchError::Refused(status)),
        };
        match outcome {
            Ok(is_last) => {
                if is_last {
                    self.synced(index, now);
                }
                self.ask(index, now);
            }
            Err(error) => self.watch_failed(index, &error, now),
        }
    }

    fn watch_failed(&mut self, index: usize, error: &WatchError, now: Instant) {
        self.problem(&format!("watch {}: {error}", self.profile.watches.lists[index].path));
        self.informers[index].watcher.begin_anew();
        self.orders.push(Order::Close(Line::Watch(index)));
        self.retry(Line::Watch(index), now);
    }

    fn synced(&mut self, index: usize, now: Instant) {
        let informer = &mut self.informers[index];
        informer.synced = true;
        if self.profile.watches.lists[index].observes == Some(Observation::Nodes) {
            self.fleet.learn(&self.cluster, Fact::Nodes(informer.watcher.items()), now);
        }
        self.write_if_synced(now);
    }

    fn write_if_synced(&mut self, now: Instant) {
        if self.position == Position::Syncing && self.informers.iter().all(|informer| informer.synced) {
            self.fleet.learn(&self.cluster, Fact::Synced, now);
            // What an earlier tunnel wrote is still there.
            let is_written = |cluster: &super::Cluster| cluster.reached(Stage::Written).is_some();
            let written = self.fleet.read(&self.cluster, now, is_written).unwrap_or(false);
            self.position = Position::Writes(if written { self.profile.writes.len() } else { 0 });
            self.go_on(now);
        }
    }

    fn start_probes(&mut self, now: Instant) {
        for index in 0..self.profile.probes.len() {
            if self.profile.probes[index].tunnel == self.channel {
                self.probe(index, now);
            }
        }
    }

    fn probe(&mut self, index: usize, now: Instant) {
        let every = Duration::from_secs(self.profile.probes[index].every_seconds.max(1));
        // Clusters that came up together are not asked together ever after.
        let due = self.due[index].get_or_insert_with(|| now + every.mul_f64(1.0 + self.random.f64()));
        // Counted from the plan: those of many clusters that were late together once would stay together, and become ever more.
        while *due <= now {
            *due += every;
        }
        self.orders.push(Order::Wake(*due, Alarm::Probe(index)));
        if self.probing[index].is_some() {
            self.orders.push(Order::Close(Line::Probe(index)));
            self.probe_failed(index, "no answer before the next one was due", now);
        }
        self.probing[index] = Some(now);
        let target = self.profile.probes[index].path.clone();
        let prepared = Prepared { method: Method::Get, target, accept: "*/*".to_owned(), body: None };
        self.orders.push(Order::Send(Line::Probe(index), prepared));
    }

    fn probe_replied(&mut self, index: usize, status: u16, now: Instant) {
        if self.channel == Channel::Steve {
            // Rancher opens a new connection for each probe.
            self.orders.push(Order::Close(Line::Probe(index)));
        }
        if !(200..300).contains(&status) {
            return self.probe_failed(index, &format!("answered {status}"), now);
        }
        let asked = self.probing[index].take();
        if let (Channel::Api, Some(asked)) = (self.channel, asked) {
            self.fleet.seen.answered_after(now.saturating_duration_since(asked));
        }
        self.fleet.seen.probes.fetch_add(1, Ordering::Relaxed);
        self.learn_probe(true, now);
    }

    fn probe_failed(&mut self, index: usize, cause: &str, now: Instant) {
        self.probing[index] = None;
        self.problem(&format!("probe {}: {cause}", self.profile.probes[index].path));
        self.learn_probe(false, now);
    }

    fn learn_probe(&self, succeeded: bool, now: Instant) {
        let fact = match self.channel {
            Channel::Api => Fact::Healthy(succeeded),
            Channel::Steve => Fact::Pinged(succeeded),
        };
        self.fleet.learn(&self.cluster, fact, now);
    }

    fn retry(&mut self, line: Line, now: Instant) {
        self.orders.push(Order::Wake(now + self.profile.retry(), Alarm::Retry(line)));
    }

    fn describe_call(&self) -> String {
        self.call().map_or_else(String::new, |call| {
            let verb = match call.method {
                Verb::Get => "GET",
                Verb::Post => "POST",
                Verb::Amend => "PUT",
            };
            format!("{verb} {}", call.path)
        })
    }

    fn problem(&self, cause: &str) {
        self.fleet.problem(cause);
    }
}

/// What client-go's informers ask for; JSON is what they get.
const INFORMER_ACCEPT: &str = "application/vnd.kubernetes.protobuf, application/json";
/// client-go complains of a "very short watch" below this.
const SHORT_WATCH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::{Behaviour, Labels};

    const SYNCED: &str = concat!(
        r#"{"type":"ADDED","object":{"kind":"Node","apiVersion":"v1","metadata":{"resourceVersion":"2"}}}"#,
        "\n",
        r#"{"type":"BOOKMARK","object":{"kind":"Node","apiVersion":"v1","metadata":{"resourceVersion":"5","annotations":{"k8s.io/initial-events-end":"true"}}}}"#,
        "\n"
    );

    const PROFILE: &str = "
name: test
retry_seconds: 5
first: [{method: GET, path: /version, observes: version}]
watches: {form: watch-list, timeout_seconds: 300, lists: [{path: /nodes, observes: nodes}]}
writes: [{method: POST, path: /write, body: {}}]
probes:
  - {tunnel: steve, path: /ping, every_seconds: 15}
  - {tunnel: api, path: /readyz, every_seconds: 15}
";

    struct Scene {
        fleet: Arc<Fleet>,
        profile: Arc<Profile>,
        cluster: String,
        now: Instant,
    }

    impl Scene {
        fn new() -> Scene {
            let now = Instant::now();
            let fleet = Arc::new(Fleet::new("bearer", Behaviour::immediate(), 1));
            let cluster = fleet.create("edge", Labels::new(), now).unwrap();
            fleet.learn(&cluster, Fact::TunnelUp(Channel::Api, None), now);
            Scene { fleet, profile: Arc::new(Profile::from_yaml(PROFILE).unwrap()), cluster, now }
        }

        fn visit(&self, channel: Channel) -> Visit {
            let mut visit = Visit::new(self.fleet.clone(), self.profile.clone(), self.cluster.clone(), channel, 1);
            visit.begin(self.now);
            visit
        }

        fn state(&self) -> &'static str {
            self.fleet.read(&self.cluster, self.now, |cluster| cluster.state()).unwrap()
        }

        fn problems(&self) -> Vec<String> {
            self.fleet.problems().into_keys().collect()
        }
    }

    /// The line and target of each request among the orders.
    fn sent(visit: &mut Visit) -> Vec<(Line, String)> {
        let sent = |order| match order {
            Order::Send(line, prepared) => Some((line, prepared.target.split('?').next().unwrap().to_owned())),
            _ => None,
        };
        visit.orders().into_iter().filter_map(sent).collect()
    }

    /// When the only probe of a visit that has just begun comes again.
    fn second_probe(visit: &mut Visit) -> Instant {
        let orders = visit.orders();
        let Some(Order::Wake(second, Alarm::Probe(0))) = orders.first() else { panic!("{orders:?}") };
        *second
    }

    #[test]
    fn both_visits_together_make_a_cluster_active() {
        let scene = Scene::new();
        let mut api = scene.visit(Channel::Api);
        assert_eq!(sent(&mut api), [(Line::Calls, "/version".to_owned())]);
        api.replied(Line::Calls, 200, br#"{"gitVersion":"v1.31.4"}"#, scene.now);
        assert_eq!(sent(&mut api), [(Line::Probe(1), "/readyz".to_owned()), (Line::Watch(0), "/nodes".to_owned())]);
        api.replied(Line::Probe(1), 200, b"ok", scene.now);
        assert!(api.is_stream(Line::Watch(0), 200));
        api.streamed(Line::Watch(0), SYNCED.as_bytes(), scene.now);
        assert_eq!(sent(&mut api), [(Line::Calls, "/write".to_owned())]);
        assert_eq!(scene.state(), "provisioning");
        api.replied(Line::Calls, 201, b"{}", scene.now);
        assert_eq!(api.orders(), [Order::Close(Line::Calls)]);
        assert_eq!(scene.state(), "waiting");
        let mut steve = scene.visit(Channel::Steve);
        assert_eq!(sent(&mut steve), [(Line::Probe(0), "/ping".to_owned())]);
        steve.replied(Line::Probe(0), 200, b"pong", scene.now);
        assert_eq!(steve.orders(), [Order::Close(Line::Probe(0))]);
        assert_eq!(scene.state(), "active");
        assert!(scene.problems().is_empty());
    }

    #[test]
    fn a_failed_call_is_counted_and_made_again() {
        let scene = Scene::new();
        let mut visit = scene.visit(Channel::Api);
        visit.orders();
        visit.replied(Line::Calls, 500, b"", scene.now);
        let later = scene.now + Duration::from_secs(5);
        assert_eq!(visit.orders(), [Order::Wake(later, Alarm::Retry(Line::Calls))]);
        visit.woken(Alarm::Retry(Line::Calls), later);
        assert_eq!(sent(&mut visit), [(Line::Calls, "/version".to_owned())]);
        visit.lost(Line::Calls, "closed", later);
        assert_eq!(scene.problems(), ["GET /version answered 500", "connection lost: closed"]);
    }

    #[test]
    fn a_watch_that_ends_is_asked_for_again_from_where_it_was() {
        let scene = Scene::new();
        let mut visit = scene.visit(Channel::Api);
        visit.replied(Line::Calls, 200, br#"{"gitVersion":"v1.31.4"}"#, scene.now);
        visit.streamed(Line::Watch(0), SYNCED.as_bytes(), scene.now);
        visit.orders();
        visit.ended(Line::Watch(0), scene.now + Duration::from_secs(300));
        let orders = visit.orders();
        let [Order::Send(Line::Watch(0), prepared)] = orders.as_slice() else { panic!("{orders:?}") };
        assert!(prepared.target.contains("resourceVersion=5&"), "{prepared:?}");
        assert!(scene.problems().is_empty());
        visit.ended(Line::Watch(0), scene.now + Duration::from_millis(300_500));
        assert_eq!(scene.problems(), ["watch /nodes: ended within a second"]);
        assert!(sent(&mut visit).is_empty(), "no hot loop");
    }

    #[test]
    fn a_ping_without_an_answer_makes_the_cluster_unavailable() {
        let scene = Scene::new();
        let mut visit = scene.visit(Channel::Steve);
        let later = second_probe(&mut visit);
        visit.woken(Alarm::Probe(0), later);
        assert_eq!(scene.state(), "unavailable");
        assert_eq!(scene.problems(), ["probe /ping: no answer before the next one was due"]);
        let orders = visit.orders();
        assert_eq!(orders[1], Order::Close(Line::Probe(0)));
        assert!(matches!(orders[2], Order::Send(Line::Probe(0), _)));
    }

    #[test]
    fn probes_that_are_late_keep_their_phase() {
        let scene = Scene::new();
        let mut visit = scene.visit(Channel::Steve);
        let second = second_probe(&mut visit);
        visit.replied(Line::Probe(0), 200, b"pong", scene.now + Duration::from_millis(10));
        visit.orders();
        visit.woken(Alarm::Probe(0), second + Duration::from_millis(400));
        assert_eq!(visit.orders()[0], Order::Wake(second + Duration::from_secs(15), Alarm::Probe(0)));
    }

    #[test]
    fn clusters_that_come_up_together_are_not_probed_together() {
        let scene = Scene::new();
        let mut seconds: Vec<Instant> = Vec::new();
        for seed in 0..100 {
            let (fleet, profile) = (scene.fleet.clone(), scene.profile.clone());
            let mut visit = Visit::new(fleet, profile, scene.cluster.clone(), Channel::Steve, seed);
            visit.begin(scene.now);
            seconds.push(second_probe(&mut visit));
        }
        let phase = |second: &Instant| second.duration_since(scene.now).as_secs_f64() / 15.0;
        assert!(seconds.iter().all(|second| (1.0..2.0).contains(&phase(second))), "{seconds:?}");
        for fifth in 0..5 {
            let within = seconds.iter().filter(|second| ((phase(second) - 1.0) * 5.0) as u32 == fifth);
            let within = within.count();
            assert!((8..35).contains(&within), "{within} of 100 in fifth {fifth}");
        }
    }

    #[test]
    fn what_was_written_is_not_written_again_after_a_reconnect() {
        let scene = Scene::new();
        scene.fleet.learn(&scene.cluster, Fact::Written, scene.now);
        let mut visit = scene.visit(Channel::Api);
        visit.replied(Line::Calls, 200, br#"{"gitVersion":"v1.31.4"}"#, scene.now);
        visit.orders();
        visit.streamed(Line::Watch(0), SYNCED.as_bytes(), scene.now);
        assert_eq!(visit.orders(), [Order::Close(Line::Calls)]);
    }
}
