//! Field selectors: `metadata.name=x,status.phase!=Running`.

use crate::kube::{Resource, Status};
use serde_json::Value;

/// Requirements that all must hold. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {}

impl FieldSelector {
    /// Parses a selector for `resource`. An error is the 400 to answer: bad syntax, or a field this kind cannot be selected by.
    pub fn parse(_selector: &str, _resource: &Resource) -> Result<FieldSelector, Status> {
        todo!()
    }

    /// Whether `object` is selected.
    pub fn matches(&self, _object: &Value) -> bool {
        todo!()
    }

    /// The one name it can select, if it requires one.
    pub fn name(&self) -> Option<&str> {
        todo!()
    }

    /// The one namespace it can select in, if it requires one.
    pub fn namespace(&self) -> Option<&str> {
        todo!()
    }

    /// Whether it looks at nothing but `metadata.name` and `metadata.namespace`, so that [`FieldSelector::matches_identity`] decides.
    pub fn is_identity_only(&self) -> bool {
        todo!()
    }

    /// Whether an object of this name and namespace can be selected, as far as these two fields say.
    pub fn matches_identity(&self, _namespace: Option<&str>, _name: &str) -> bool {
        todo!()
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}
