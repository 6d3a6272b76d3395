//! Label and field selectors of lists, watches and collection deletes.

mod field;
mod label;
mod lexer;

pub use field::FieldSelector;
pub use label::LabelSelector;
