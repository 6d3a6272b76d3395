//! What the clients of each address have of the gate, so that one address takes nothing from another.

use crate::api::source::network;
use std::collections::HashMap;
use std::net::IpAddr;

/// The addresses that clients are connected from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    shares: HashMap<IpAddr, Share>,
    held_bytes: usize,
}

/// What one of them has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Clients that are connected.
    pub(super) clients: usize,
    /// Bytes that are held for them.
    pub(super) held_bytes: usize,
}

impl Sources {
    /// A client is let in.
    pub(super) fn enter(&mut self, source: IpAddr) {
        self.shares.entry(network(source)).or_default().clients += 1;
    }

    /// A client is gone, for which so many bytes were held.
    pub(super) fn leave(&mut self, source: IpAddr, held_bytes: usize) {
        self.hold(source, held_bytes, 0);
        if let Some(share) = self.shares.get_mut(&network(source)) {
            share.clients -= 1;
            if share.clients == 0 {
                self.shares.remove(&network(source));
            }
        }
    }

    /// So many bytes are held for a client, where it were so many before.
    pub(super) fn hold(&mut self, source: IpAddr, before: usize, after: usize) {
        if before == after {
            return;
        }
        self.held_bytes = self.held_bytes - before + after;
        if let Some(share) = self.shares.get_mut(&network(source)) {
            share.held_bytes = share.held_bytes - before + after;
        }
    }

    /// What an address has.
    pub(super) fn share(&self, source: IpAddr) -> Share {
        self.shares.get(&network(source)).copied().unwrap_or_default()
    }

    /// Bytes that are held for all clients.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_added_up_and_forgotten() {
        let mut sources = Sources::default();
        let [one, other, beside] = ["192.0.2.1", "2001:db8::1", "2001:db8::2"].map(|text| text.parse().unwrap());
        [one, other, beside].into_iter().for_each(|source| sources.enter(source));
        sources.hold(one, 0, 10);
        sources.hold(other, 0, 5);
        sources.hold(beside, 0, 7);
        sources.hold(beside, 7, 6);
        assert_eq!(sources.share(other), Share { clients: 2, held_bytes: 11 });
        sources.leave(other, 5);
        assert_eq!((sources.share(beside), sources.held_bytes()), (Share { clients: 1, held_bytes: 6 }, 16));
        sources.leave(one, 10);
        sources.leave(beside, 6);
        assert_eq!((sources.held_bytes(), sources.shares.len()), (0, 0));
    }
}
