//! What can be made to go wrong, with which clusters and for how long: plain data, read from a command line, from JSON and from
//! YAML by one parser.
//!
//! This room must not know who carries a fault out, nor any cluster but by its name.

mod error;
mod fault;
mod injection;
mod kinds;
mod presets;
mod selection;
mod share;

pub use error::FaultError;
pub use fault::{Fault, Layer};
pub use injection::Injection;
pub use kinds::{KINDS, Kind, Parameter};
pub use presets::{PRESETS, Preset};
pub use selection::{Amount, Selection};
pub use share::Share;
