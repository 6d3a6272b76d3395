//! Results for people (aligned tables with units) and machines (JSON). This room must not know how figures were obtained.

mod percentiles;
mod summary;
mod table;
mod text;
pub mod units;

pub use percentiles::Percentiles;
pub use summary::{Cpu, Failure, Hold, Memory, Outcome, Stage, Summary};
pub use table::{Column, Table};
pub use units::{bytes, count, duration};
