//! Tables: what `kubectl get` prints, column by column as an API server's printers do.

use super::{Resource, Status};
use jiff::Timestamp;
use serde_json::Value;

/// The columns of one kind.
#[derive(Debug, Clone)]
pub struct Columns {}

/// How much of each object a row carries (`includeObject`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// A `PartialObjectMetadata`.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

impl IncludeObject {
    /// Parses the query parameter; absent is [`IncludeObject::Metadata`].
    pub fn parse(_parameter: Option<&str>) -> Result<IncludeObject, Status> {
        todo!()
    }
}

impl Columns {
    /// The printer columns of a built-in kind; kinds without their own have `Name` and `Created At`.
    pub fn of(_resource: &Resource) -> Columns {
        todo!()
    }

    /// The columns of a custom kind: `Name`, then the version's `additionalPrinterColumns`, or `Age` where there are none.
    pub fn custom(_additional_printer_columns: Option<&Value>) -> Columns {
        todo!()
    }

    /// The `columnDefinitions` of a table.
    pub fn definitions(&self) -> Value {
        todo!()
    }

    /// One entry of a table's `rows`.
    pub fn row(&self, _object: &Value, _include: IncludeObject, _now: Timestamp) -> Value {
        todo!()
    }
}

/// A whole table of `objects`. `metadata` is the list's own (`resourceVersion`, `continue`, …); `version` is that of
/// `meta.k8s.io`.
pub fn table<'a>(
    _columns: &Columns,
    _version: &str,
    _metadata: Value,
    _objects: impl IntoIterator<Item = &'a Value>,
    _include: IncludeObject,
    _now: Timestamp,
) -> Value {
    todo!()
}

/// The `PartialObjectMetadata` of an object.
pub fn partial_metadata(_object: &Value, _version: &str) -> Value {
    todo!()
}
