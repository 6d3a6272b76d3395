//! Refusals within the present minute: who is refused too often, and how many go on record one by one.

use crate::api::source::network;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Whoever was refused lately.
#[derive(Debug, Default)]
pub(in crate::api) struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    /// How often, by address.
    by_source: HashMap<IpAddr, Count>,
    /// How many of them are on record.
    recorded: u32,
    /// Those that are not, of this minute and of earlier ones that nobody has asked for yet.
    unrecorded: Unrecorded,
}

/// How often an address was refused.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// For whatever reason.
    all: u32,
    /// For want of a key that is known.
    keyless: u32,
}

/// Refusals that were not put on record one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unrecorded {
    /// How many.
    pub(super) count: u64,
    /// The address that the last of them came from.
    pub(super) last: Option<IpAddr>,
}

/// How an address stands after one more refusal.
#[derive(Debug)]
pub(in crate::api) struct Standing {
    /// How long it has to wait, if it was refused too often.
    pub(in crate::api) wait: Option<Duration>,
    /// False where so many were recorded lately that more would push what matters out of the audit log: those are summed up.
    pub(in crate::api) is_worth_a_record: bool,
}

impl Refusals {
    /// Counts one for want of a key that is known: whoever has too many of them has to wait.
    pub(in crate::api) fn count_keyless(&self, source: IpAddr, now: Instant) -> Standing {
        self.add(source, now, 1)
    }

    /// Counts one for another reason.
    pub(in crate::api) fn count(&self, source: IpAddr, now: Instant) -> Standing {
        self.add(source, now, 0)
    }

    fn add(&self, source: IpAddr, now: Instant, keyless: u32) -> Standing {
        let mut state = self.0.lock();
        if state.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            state.begin(now);
        }
        let source = network(source);
        let has_room = state.by_source.len() < MAX_ADDRESSES || state.by_source.contains_key(&source);
        let count = if has_room {
            let count = state.by_source.entry(source).or_default();
            count.all = count.all.saturating_add(1);
            count.keyless = count.keyless.saturating_add(keyless);
            *count
        } else {
            Count { all: 1, keyless }
        };
        let over = state.since.map_or(WINDOW, |since| (since + WINDOW).saturating_duration_since(now));
        let is_worth_a_record = count.all <= REFUSALS_EACH + 1 && state.recorded < RECORDS;
        if is_worth_a_record {
            state.recorded += 1;
        } else {
            state.unrecorded.add(source);
        }
        Standing { wait: (count.keyless > REFUSALS_EACH).then_some(over), is_worth_a_record }
    }

    /// One that was worth a record found no way to it.
    pub(super) fn leave_out(&self, source: IpAddr) {
        self.0.lock().unrecorded.add(network(source));
    }

    /// What was refused and not recorded until a minute ago; each is told once. With `all`, up to now.
    pub(super) fn unrecorded(&self, now: Instant, all: bool) -> Option<Unrecorded> {
        let mut state = self.0.lock();
        if !all && state.since.is_some_and(|since| now.saturating_duration_since(since) < WINDOW) {
            return None;
        }
        state.begin(now);
        Some(std::mem::take(&mut state.unrecorded)).filter(|unrecorded| unrecorded.count > 0)
    }
}

impl State {
    fn begin(&mut self, now: Instant) {
        self.since = Some(now);
        self.by_source.clear();
        self.recorded = 0;
    }
}

impl Unrecorded {
    fn add(&mut self, source: IpAddr) {
        self.count += 1;
        self.last = Some(source);
    }
}

/// Refusals of an address that are answered as what they are: a person who mistypes stays below it, a script that tries does not.
const REFUSALS_EACH: u32 = 10;
/// Refusals that are recorded one by one in a window, whoever they are of: the audit log keeps what was done for days rather than for
/// as long as it takes to fill it.
const RECORDS: u32 = 200;
/// What these limits are for, and after which all begins again.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are counted; those of others are no reason to keep anybody waiting.
const MAX_ADDRESSES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_bounded_and_mutes_nobody() {
        let refusals = Refusals::default();
        let now = Instant::now();
        let mut recorded = 0;
        let sources = 2 * MAX_ADDRESSES as u32;
        for number in 0..sources {
            let standing = refusals.count(IpAddr::from(number.to_be_bytes()), now);
            assert_eq!(standing.wait, None, "the first of {number}");
            recorded += u32::from(standing.is_worth_a_record);
        }
        assert_eq!(refusals.0.lock().by_source.len(), MAX_ADDRESSES);
        assert_eq!(recorded, RECORDS);
        assert_eq!(refusals.unrecorded(now, false), None, "not before the minute is over");
        let last = Some(IpAddr::from((sources - 1).to_be_bytes()));
        let expected = Unrecorded { count: u64::from(sources - RECORDS), last };
        assert_eq!(refusals.unrecorded(now + WINDOW, false), Some(expected));
        assert_eq!(refusals.unrecorded(now + 2 * WINDOW, false), None, "told once");
        let standing = refusals.count(IpAddr::from([192, 0, 2, 1]), now + 2 * WINDOW);
        assert!(standing.is_worth_a_record, "a minute later");
    }

    #[test]
    fn an_address_that_is_refused_often_waits_until_the_minute_is_over() {
        let refusals = Refusals::default();
        let (now, source) = (Instant::now(), IpAddr::from([192, 0, 2, 1]));
        let waits: Vec<bool> = (0..12).map(|_| refusals.count_keyless(source, now).wait.is_some()).collect();
        assert_eq!(waits, [[false; 10].as_slice(), &[true; 2]].concat());
        assert_eq!(refusals.count_keyless(source, now + WINDOW).wait, None);
        assert_eq!(refusals.unrecorded(now + WINDOW, true), Some(Unrecorded { count: 1, last: Some(source) }));
        (0..12).for_each(|_| assert_eq!(refusals.count(source, now + 2 * WINDOW).wait, None, "not for want of a key"));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let refusals = Refusals::default();
        let count = |address: String| refusals.count_keyless(address.parse().unwrap(), Instant::now()).wait.is_some();
        let waits: Vec<bool> = (0..=REFUSALS_EACH).map(|number| count(format!("2001:db8:1:2::{number:x}"))).collect();
        assert_eq!(waits.last(), Some(&true));
        assert!(!count("2001:db8:1:3::1".into()));
    }

    #[test]
    fn what_finds_no_way_to_its_record_is_summed_up() {
        let refusals = Refusals::default();
        let (now, source) = (Instant::now(), IpAddr::from([192, 0, 2, 1]));
        assert!(refusals.count(source, now).is_worth_a_record);
        refusals.leave_out(source);
        assert_eq!(refusals.unrecorded(now, true), Some(Unrecorded { count: 1, last: Some(source) }));
    }
}
