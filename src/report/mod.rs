//! Results for people (text, HTML) and machines (JSON, CSV, JUnit, the shape of k6's summary), all made from the same raw
//! results, on disk in a folder for each run. This room must not know how figures were obtained.

mod clusters_csv;
mod cost;
mod figures;
mod folder;
mod html;
mod junit;
mod k6;
mod markup;
mod merge;
mod percentiles;
mod plan;
mod run;
mod table;
#[cfg(test)]
mod testing;
mod text;
pub mod units;

pub use cost::{Cpu, Failure, Hold, Memory};
pub use figures::{Endpoint, Figures, Slow, Stage};
pub use folder::{FolderError, prepare, read, write};
pub use merge::{MergeError, merge};
pub use percentiles::Percentiles;
pub use plan::plan;
pub use run::{Injected, Outcome, Run};
pub use table::{Column, Table};
pub use text::rate;
pub use units::{bytes, count, duration};
