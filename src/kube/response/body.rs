//! What the virtual API answers.

use super::gzip::Packed;
use super::listing::Listing;
use super::watching::Watching;
use crate::http1::Headers;
use crate::kube::Cluster;
use crate::kube::subresources::Log;
use jiff::Timestamp;

/// A response: the engine adds framing, `Date` and connection management.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// Header fields without framing (`Content-Type`, `Cache-Control`, `Warning`, …).
    pub headers: Headers,
    /// The body.
    pub body: Body,
}

/// A response body.
#[derive(Debug)]
pub enum Body {
    /// A body that is complete.
    Bytes(Vec<u8>),
    /// A body shared by all clusters, such as discovery.
    Shared(std::sync::Arc<[u8]>),
    /// A body made piece by piece while the peer reads it: a long list, a watch, a log.
    Streaming(Streaming),
}

/// A body that is produced piece by piece; the stream that carries it owns it and polls it.
#[derive(Debug)]
pub struct Streaming(Source);

#[derive(Debug)]
enum Source {
    Listing(Box<Listing>),
    Packed(Box<Packed>),
    Watching(Box<Watching>),
    Log(Box<Log>),
}

/// What a poll of a [`Streaming`] body came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The budget was used up; poll again as soon as there is room.
    More,
    /// Nothing to send until the cluster's revision changes or the deadline passes.
    Idle,
    /// The body is complete.
    Done,
}

impl Streaming {
    /// Appends at least one and at most about `budget` bytes (whole events and objects only) to `out`.
    ///
    /// A watch ends by itself when `now` has reached its deadline (`timeoutSeconds`).
    pub fn poll(&mut self, cluster: &Cluster, now: Timestamp, out: &mut Vec<u8>, budget: usize) -> Progress {
        match &mut self.0 {
            Source::Listing(listing) => listing.poll(cluster, out, budget),
            Source::Packed(packed) => packed.poll(cluster, out),
            Source::Watching(watching) => watching.poll(cluster, now, out, budget),
            Source::Log(log) => log.poll(cluster, now, out, budget),
        }
    }

    /// When the body wants to be polled though nothing changed: a watch's deadline or its next bookmark, a log's next line.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match &self.0 {
            Source::Listing(_) | Source::Packed(_) => None,
            Source::Watching(watching) => Some(watching.wake_at()),
            Source::Log(log) => Some(log.wake_at()),
        }
    }

    /// Has a watch end as if its time were up; tells whether it is one.
    pub fn end_watch(&mut self, now: Timestamp) -> bool {
        match &mut self.0 {
            Source::Listing(_) | Source::Packed(_) | Source::Log(_) => false,
            Source::Watching(watching) => {
                watching.set_deadline(now);
                true
            }
        }
    }

    /// Whether it is made of events, each a line.
    pub fn is_watch(&self) -> bool {
        matches!(self.0, Source::Watching(_))
    }

    /// The list that it is, if it is one.
    pub(in crate::kube) fn into_listing(self) -> Result<Listing, Streaming> {
        match self.0 {
            Source::Listing(listing) => Ok(*listing),
            source => Err(Streaming(source)),
        }
    }

    pub(in crate::kube) fn packed(packed: Packed) -> Streaming {
        Streaming(Source::Packed(Box::new(packed)))
    }

    pub(in crate::kube) fn listing(listing: Listing) -> Streaming {
        Streaming(Source::Listing(Box::new(listing)))
    }

    pub(in crate::kube) fn log(log: Log) -> Streaming {
        Streaming(Source::Log(Box::new(log)))
    }

    pub(in crate::kube) fn watching(watching: Watching) -> Streaming {
        Streaming(Source::Watching(Box::new(watching)))
    }
}
