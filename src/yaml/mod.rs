//! What every reader of hand-written YAML needs: on which line a value stands, and which known word a wrong one resembles.
//!
//! This room must not know files, nor what the YAML means.

mod nearest;
mod position;

pub use nearest::nearest;
pub use position::{Path, Step, line_of};
