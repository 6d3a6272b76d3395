//! Durable state: the registry's records and what was written in each cluster, in one embedded transactional store.
//!
//! The `journal` thread owns the file and groups what the manager and the workers hand it into commits; whoever hands something
//! over is told once it is on disk, or that it is not. This room knows names, places and bytes, not what they mean.

mod file;
mod thread;
mod trial;

pub use file::{JournalError, JournalFile, Kept, KeptCluster};
pub use thread::{Journal, JournalHandle, Overlay, RecordChange};
