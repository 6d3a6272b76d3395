//! What was asked of the clusters: verb, resource and code of every request, how often, how fast, by whom.
//!
//! Each worker owns a [`Recorder`] of totals and a small [`Tally`] for each of its clusters. A request that is like an earlier one costs
//! two look-ups and no allocation.

use super::Latency;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{Display, Write};
use std::sync::Arc;

/// Totals of one worker.
#[derive(Debug, Default)]
pub struct Recorder {
    totals: RequestTotals,
    /// The places of rows, by `VERB RESOURCE CODE`.
    places: HashMap<Box<str>, u16>,
    /// The places of user agents.
    agents: Vec<Arc<str>>,
    scratch: String,
    changed: bool,
    /// The places of what the cluster whose turn it is was asked for the first time.
    firsts: Vec<u16>,
}

/// What was asked in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestTotals {
    /// How many requests.
    pub count: u64,
    /// How many watches are open.
    pub watches_open: u64,
    /// How many requests each client sent, by the product that its `User-Agent` begins with.
    pub user_agents: BTreeMap<Arc<str>, u64>,
    /// By verb, resource and code.
    pub requests: Vec<RequestRow>,
}

/// Requests of one verb and resource that were answered with one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestRow {
    /// As an API server names it: `get`, `list`, `watch`, `deletecollection` …
    pub verb: Arc<str>,
    /// `apps/v1/deployments/scale`, or the path of what is no resource: `/readyz`.
    pub resource: Arc<str>,
    /// The HTTP status.
    pub code: u16,
    /// How many.
    pub count: u64,
    /// Of watches: how many are open.
    pub watches_open: u64,
    /// Bytes of their bodies.
    pub received_bytes: u64,
    /// Bytes of the answers' bodies.
    pub sent_bytes: u64,
    /// When the first was answered.
    pub first_seen: Timestamp,
    /// When the latest was answered.
    pub last_seen: Timestamp,
    /// From the request's last byte to the answer's last; watches have none.
    pub latency_ms: Latency,
}

/// What was asked of one cluster, in a few words of memory.
#[derive(Debug, Default)]
pub struct Tally {
    /// In the order of their places.
    counts: Vec<Count>,
    /// A bit for each of the worker's user agents.
    agents: u32,
    seen_s: Option<(i64, i64)>,
    received_bytes: u64,
    sent_bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    count: u32,
    place: u16,
    watches_open: u16,
}

/// What was asked of one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ClusterRequests {
    pub count: u64,
    pub watches_open: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    pub user_agents: Vec<Arc<str>>,
    pub requests: Vec<ClusterRequestRow>,
}

/// Requests to one cluster of one verb and resource that were answered with one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ClusterRequestRow {
    pub verb: Arc<str>,
    pub resource: Arc<str>,
    pub code: u16,
    pub count: u32,
    pub watches_open: u16,
}

/// A request that is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    place: u16,
    is_watch: bool,
}

/// A request whose answer begins.
#[derive(Debug)]
pub struct Request<'a, R: Display> {
    /// Its verb.
    pub verb: &'a str,
    /// Its resource or path.
    pub resource: R,
    /// The status of its answer.
    pub code: u16,
    /// Whether its answer is a watch, open until it ends or is left.
    pub is_watch: bool,
    /// Its `User-Agent`.
    pub user_agent: &'a str,
    /// Bytes of its body.
    pub received_bytes: u64,
}

impl Recorder {
    /// Counts a request whose answer begins.
    pub fn begin<R: Display>(&mut self, tally: &mut Tally, request: &Request<'_, R>, now: Timestamp) -> Recorded {
        let place = self.place(request, now);
        self.changed = true;
        self.totals.count += 1;
        let row = &mut self.totals.requests[usize::from(place)];
        row.count += 1;
        row.received_bytes += request.received_bytes;
        row.last_seen = now;
        let count = tally.count(place);
        let is_first = count.count == 0;
        count.count = count.count.saturating_add(1);
        if request.is_watch {
            row.watches_open += 1;
            self.totals.watches_open += 1;
            count.watches_open = count.watches_open.saturating_add(1);
        }
        if is_first {
            self.firsts.push(place);
        }
        tally.received_bytes += request.received_bytes;
        let first = tally.seen_s.map_or(now.as_second(), |(first, _)| first);
        tally.seen_s = Some((first, now.as_second()));
        tally.agents |= 1 << self.agent(request.user_agent);
        Recorded { place, is_watch: request.is_watch }
    }

    /// Counts a piece of an answer's body.
    pub fn sent(&mut self, tally: &mut Tally, recorded: Recorded, bytes: usize) {
        tally.sent_bytes += bytes as u64;
        self.totals.requests[usize::from(recorded.place)].sent_bytes += bytes as u64;
    }

    /// An answer is complete, after this many microseconds.
    pub fn end(&mut self, tally: &mut Tally, recorded: Recorded, us: u64) {
        if recorded.is_watch {
            self.leave(tally, recorded);
        } else {
            self.totals.requests[usize::from(recorded.place)].latency_ms.record(us);
        }
    }

    /// Nobody waits for an answer any more.
    pub fn leave(&mut self, tally: &mut Tally, recorded: Recorded) {
        let count = tally.count(recorded.place);
        if recorded.is_watch && count.watches_open > 0 {
            count.watches_open -= 1;
            self.close_watches(recorded.place, 1);
        }
    }

    /// All answers of a cluster are over: its tunnel is gone.
    pub fn end_all(&mut self, tally: &mut Tally) {
        for count in &mut tally.counts {
            let open = std::mem::take(&mut count.watches_open);
            self.close_watches(count.place, u64::from(open));
        }
    }

    /// What the cluster whose turn it is was asked for the first time: verb, resource and code. To be taken in the same turn.
    pub fn take_firsts(&mut self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, u16)> {
        let firsts = std::mem::take(&mut self.firsts);
        let rows = firsts.into_iter().filter_map(|place| self.totals.requests.get(usize::from(place)));
        rows.map(|row| (&row.verb, &row.resource, row.code))
    }

    /// The totals, if they changed since this was asked last.
    pub fn take_changed(&mut self) -> Option<RequestTotals> {
        std::mem::take(&mut self.changed).then(|| self.totals.clone())
    }

    /// What was asked of one cluster.
    pub fn describe(&self, tally: &Tally) -> ClusterRequests {
        let mut requests: Vec<ClusterRequestRow> = tally.counts.iter().map(|count| self.row(count)).collect();
        requests.sort_by(|one, other| {
            (&one.resource, &one.verb, one.code).cmp(&(&other.resource, &other.verb, other.code))
        });
        let agents = self.agents.iter().enumerate().filter(|(place, _)| tally.agents >> place & 1 == 1);
        let seen = |seconds: i64| Timestamp::from_second(seconds).ok();
        ClusterRequests {
            count: requests.iter().map(|row| u64::from(row.count)).sum(),
            watches_open: requests.iter().map(|row| u64::from(row.watches_open)).sum(),
            received_bytes: tally.received_bytes,
            sent_bytes: tally.sent_bytes,
            first_seen: tally.seen_s.and_then(|(first, _)| seen(first)),
            last_seen: tally.seen_s.and_then(|(_, last)| seen(last)),
            user_agents: agents.map(|(_, agent)| agent.clone()).collect(),
            requests,
        }
    }

    fn row(&self, count: &Count) -> ClusterRequestRow {
        let row = &self.totals.requests[usize::from(count.place)];
        ClusterRequestRow {
            verb: row.verb.clone(),
            resource: row.resource.clone(),
            code: row.code,
            count: count.count,
            watches_open: count.watches_open,
        }
    }

    fn close_watches(&mut self, place: u16, count: u64) {
        self.changed |= count > 0;
        self.totals.watches_open -= count;
        self.totals.requests[usize::from(place)].watches_open -= count;
    }

    fn place<R: Display>(&mut self, request: &Request<'_, R>, now: Timestamp) -> u16 {
        let Request { verb, resource, code, .. } = request;
        self.scratch.clear();
        // Writing to a String cannot fail.
        _ = write!(self.scratch, "{verb} {resource} {code}");
        if let Some(place) = self.places.get(self.scratch.as_str()) {
            return *place;
        }
        // One row more takes what finds no room.
        let (verb, resource, code) = match self.places.len() {
            0..MAX_ROWS => (Arc::from(*verb), Arc::from(resource.to_string()), *code),
            _ => (Arc::from(OTHER), Arc::from(OTHER), 0),
        };
        if self.places.len() > MAX_ROWS {
            return MAX_ROWS as u16;
        }
        let place = self.places.len() as u16;
        self.places.insert(self.scratch.as_str().into(), place);
        self.totals.requests.push(RequestRow {
            verb,
            resource,
            code,
            count: 0,
            watches_open: 0,
            received_bytes: 0,
            sent_bytes: 0,
            first_seen: now,
            last_seen: now,
            latency_ms: Latency::default(),
        });
        place
    }

    /// The place of a user agent, and one request of it counted.
    fn agent(&mut self, user_agent: &str) -> usize {
        let product = user_agent.split(' ').next().unwrap_or_default();
        let known = self.agents.iter().position(|agent| **agent == *product);
        let place = known.unwrap_or_else(|| {
            let name = if self.agents.len() < MAX_AGENTS - 1 { product } else { OTHER };
            if self.agents.len() < MAX_AGENTS {
                self.agents.push(name.into());
            }
            self.agents.len() - 1
        });
        match self.totals.user_agents.get_mut(&self.agents[place]) {
            Some(count) => *count += 1,
            None => _ = self.totals.user_agents.insert(self.agents[place].clone(), 1),
        }
        place
    }
}

impl RequestTotals {
    /// The sum over workers, in the order of resources.
    pub fn sum<'a>(workers: impl IntoIterator<Item = &'a RequestTotals>) -> RequestTotals {
        let mut sum = RequestTotals::default();
        let mut rows: BTreeMap<(Arc<str>, Arc<str>, u16), RequestRow> = BTreeMap::new();
        for totals in workers {
            sum.count += totals.count;
            sum.watches_open += totals.watches_open;
            for (agent, count) in &totals.user_agents {
                *sum.user_agents.entry(agent.clone()).or_default() += count;
            }
            for row in &totals.requests {
                let key = (row.resource.clone(), row.verb.clone(), row.code);
                rows.entry(key).and_modify(|known| known.add(row)).or_insert_with(|| row.clone());
            }
        }
        sum.requests = rows.into_values().collect();
        sum
    }

    /// What was asked since `earlier`, when these totals were those: rows without any such request are left out, the others keep the
    /// moments of their first and latest.
    pub fn requests_since(&self, earlier: &RequestTotals) -> Vec<RequestRow> {
        let key = |row: &RequestRow| (row.resource.clone(), row.verb.clone(), row.code);
        let before: HashMap<_, _> = earlier.requests.iter().map(|row| (key(row), row)).collect();
        let since = |row: &RequestRow| match before.get(&key(row)) {
            Some(before) => row.since(before),
            None => row.clone(),
        };
        self.requests.iter().map(since).filter(|row| row.count > 0).collect()
    }
}

impl RequestRow {
    fn add(&mut self, other: &RequestRow) {
        self.count += other.count;
        self.watches_open += other.watches_open;
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.latency_ms.merge(&other.latency_ms);
    }

    fn since(&self, earlier: &RequestRow) -> RequestRow {
        RequestRow {
            count: self.count.saturating_sub(earlier.count),
            received_bytes: self.received_bytes.saturating_sub(earlier.received_bytes),
            sent_bytes: self.sent_bytes.saturating_sub(earlier.sent_bytes),
            latency_ms: self.latency_ms.since(&earlier.latency_ms),
            ..self.clone()
        }
    }
}

impl Tally {
    fn count(&mut self, place: u16) -> &mut Count {
        let at = self.counts.binary_search_by_key(&place, |count| count.place).unwrap_or_else(|at| {
            if self.counts.len() == self.counts.capacity() {
                // A cluster is asked some dozens of things: doubling would waste half of them ten thousand times.
                self.counts.reserve_exact(COUNTS_MORE);
            }
            self.counts.insert(at, Count { count: 0, place, watches_open: 0 });
            at
        });
        &mut self.counts[at]
    }
}

/// Rows of one worker: every verb of every kind with every code that Rancher ever sees, several times over.
const MAX_ROWS: usize = 2_000;
/// User agents of one worker: the bits of a tally.
const MAX_AGENTS: usize = 32;
/// What stands for all that has no row or bit of its own.
const OTHER: &str = "other";
/// How many counts a tally grows by.
const COUNTS_MORE: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(verb: &'a str, resource: &'a str, code: u16) -> Request<'a, &'a str> {
        let user_agent = "rancher/v2.12.1 (linux/amd64) kubernetes/$Format cluster c-m-abc";
        Request { verb, resource, code, is_watch: verb == "watch", user_agent, received_bytes: 10 }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn requests_are_counted_in_total_and_for_each_cluster() {
        let mut recorder = Recorder::default();
        let (mut one, mut other) = (Tally::default(), Tally::default());
        for second in 1..=3 {
            let tally = if second < 3 { &mut one } else { &mut other };
            let recorded = recorder.begin(tally, &request("list", "v1/pods", 200), at(second));
            recorder.sent(tally, recorded, 1_000);
            recorder.end(tally, recorded, 50);
        }
        recorder.begin(&mut other, &request("get", "v1/pods", 404), at(4));
        let totals = recorder.take_changed().unwrap();
        assert_eq!(recorder.take_changed(), None);
        assert_eq!((totals.count, totals.watches_open), (4, 0));
        assert_eq!(totals.user_agents, BTreeMap::from([("rancher/v2.12.1".into(), 4)]));
        let list = &totals.requests[0];
        assert_eq!((list.count, list.received_bytes, list.sent_bytes), (3, 30, 3_000));
        assert_eq!((list.first_seen, list.last_seen, list.latency_ms.count()), (at(1), at(3), 3));
        let described = recorder.describe(&other);
        let rows: Vec<_> =
            described.requests.iter().map(|row| (&*row.verb, &*row.resource, row.code, row.count)).collect();
        assert_eq!(rows, [("get", "v1/pods", 404, 1), ("list", "v1/pods", 200, 1)]);
        assert_eq!((described.first_seen, described.last_seen), (Some(at(3)), Some(at(4))));
        assert_eq!((described.sent_bytes, recorder.describe(&one).sent_bytes), (1_000, 2_000));
        assert_eq!(described.user_agents, ["rancher/v2.12.1".into()]);
    }

    #[test]
    fn watches_are_open_until_they_end_or_their_tunnel_does() {
        let mut recorder = Recorder::default();
        let mut tally = Tally::default();
        let watches = ["v1/pods", "v1/pods", "v1/nodes"]
            .map(|kind| recorder.begin(&mut tally, &request("watch", kind, 200), at(1)));
        assert_eq!(recorder.describe(&tally).watches_open, 3);
        recorder.end(&mut tally, watches[0], 1_000);
        let totals = recorder.take_changed().unwrap();
        assert_eq!((totals.watches_open, totals.requests[0].watches_open), (2, 1));
        recorder.end_all(&mut tally);
        // One that is found closed later changes nothing any more.
        recorder.leave(&mut tally, watches[1]);
        let totals = recorder.take_changed().unwrap();
        assert_eq!((totals.count, totals.watches_open, totals.requests[0].watches_open), (3, 0, 0));
    }

    #[test]
    fn what_finds_no_room_is_counted_together() {
        let mut recorder = Recorder::default();
        let mut tally = Tally::default();
        for number in 0..MAX_ROWS + 10 {
            let resource = format!("v1/kind-{number}");
            let request = Request { user_agent: &resource, ..request("get", &resource, 200) };
            recorder.begin(&mut tally, &request, at(1));
        }
        let totals = recorder.take_changed().unwrap();
        assert_eq!((totals.count, totals.requests.len()), (MAX_ROWS as u64 + 10, MAX_ROWS + 1));
        let last = totals.requests.last().unwrap();
        assert_eq!((&*last.resource, last.count), (OTHER, 10));
        assert_eq!(totals.user_agents.len(), MAX_AGENTS);
        assert_eq!(totals.user_agents.values().sum::<u64>(), totals.count);
    }

    #[test]
    fn workers_are_summed() {
        let totals = |second, resource| {
            let mut recorder = Recorder::default();
            recorder.begin(&mut Tally::default(), &request("watch", resource, 200), at(second));
            recorder.take_changed().unwrap()
        };
        let sum = RequestTotals::sum(&[totals(5, "v1/pods"), totals(3, "v1/pods"), totals(4, "v1/nodes")]);
        let rows: Vec<_> = sum.requests.iter().map(|row| (&*row.resource, row.count, row.watches_open)).collect();
        assert_eq!(rows, [("v1/nodes", 1, 1), ("v1/pods", 2, 2)]);
        assert_eq!((sum.requests[1].first_seen, sum.requests[1].last_seen), (at(3), at(5)));
        assert_eq!((sum.count, sum.watches_open, sum.user_agents["rancher/v2.12.1"]), (3, 3, 3));
    }

    #[test]
    fn what_was_asked_since_is_told_from_what_was_asked_before() {
        let mut recorder = Recorder::default();
        let mut tally = Tally::default();
        let mut ask = |resource, second, us| {
            let recorded = recorder.begin(&mut tally, &request("list", resource, 200), at(second));
            recorder.sent(&mut tally, recorded, 100);
            recorder.end(&mut tally, recorded, us);
            recorder.take_changed().unwrap()
        };
        ask("v1/nodes", 1, 9_000);
        let before = ask("v1/pods", 2, 9_000);
        ask("v1/pods", 3, 40);
        let after = ask("v1/secrets", 4, 40);
        let since = after.requests_since(&before);
        let rows: Vec<_> = since.iter().map(|row| (&*row.resource, row.count, row.sent_bytes)).collect();
        assert_eq!(rows, [("v1/pods", 1, 100), ("v1/secrets", 1, 100)]);
        assert_eq!((since[0].received_bytes, since[0].latency_ms.count()), (10, 1));
        assert!((40..50).contains(&since[0].latency_ms.max_us()), "{}", since[0].latency_ms.max_us());
        assert_eq!((since[0].first_seen, since[0].last_seen), (at(2), at(3)));
    }

    #[test]
    fn a_cluster_costs_little() {
        assert_eq!((size_of::<Count>(), size_of::<Tally>()), (8, 72));
    }
}
