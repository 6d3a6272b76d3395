//! What every reader of hand-written YAML needs: on which line a value stands, which known word a wrong one resembles,
//! and whether it nests too deep to be read.
//!
//! This room must not know files, nor what the YAML means.

mod nearest;
mod nesting;
mod position;

pub use nearest::nearest;
pub use nesting::{DEPTH_LIMIT, too_deep};
pub use position::{Path, Step, line_of};
