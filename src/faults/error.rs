//! What is wrong with the description of a fault.

use crate::yaml::nearest;

/// Why a description of a fault cannot be read: which field, its value, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// A value means nothing.
    #[error("{field}: {value:?} is not {expected}")]
    BadValue {
        /// The field.
        field: String,
        /// What it holds.
        value: String,
        /// What it may hold.
        expected: String,
    },
    /// A field that this fault does not know.
    #[error("{field}: there is no such field here; expected {expected}")]
    UnknownField {
        /// The field.
        field: String,
        /// Which there are.
        expected: String,
    },
    /// A field that has to be there is not.
    #[error("{field} is missing; expected {expected}")]
    Missing {
        /// The field.
        field: String,
        /// What it may hold.
        expected: String,
    },
}

impl FaultError {
    /// The field that is wrong.
    pub fn field(&self) -> &str {
        match self {
            FaultError::BadValue { field, .. }
            | FaultError::UnknownField { field, .. }
            | FaultError::Missing { field, .. } => field,
        }
    }

    pub(super) fn bad_value(field: &str, value: &str, expected: impl Into<String>) -> FaultError {
        FaultError::BadValue { field: field.into(), value: value.into(), expected: expected.into() }
    }

    /// One of `known` was expected, and perhaps meant.
    pub(super) fn none_of(field: &str, value: &str, known: &[&str]) -> FaultError {
        FaultError::bad_value(field, value, one_of(value, known))
    }

    pub(super) fn unknown_field(field: &str, known: &[&str]) -> FaultError {
        FaultError::UnknownField { field: field.into(), expected: one_of(field, known) }
    }
}

fn one_of(word: &str, known: &[&str]) -> String {
    let hint = nearest(word, known.iter().copied()).map(|meant| format!(" (did you mean {meant:?}?)"));
    format!("one of {}{}", known.join(", "), hint.unwrap_or_default())
}
