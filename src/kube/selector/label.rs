//! Label selectors: `a=b,c!=d,e in (f,g),h,!i`.

use crate::kube::Status;
use serde_json::{Map, Value};

/// Requirements that all must hold. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {}

impl LabelSelector {
    /// Parses the query form (apimachinery `labels.Parse`). An error is the 400 to answer.
    pub fn parse(_selector: &str) -> Result<LabelSelector, Status> {
        todo!()
    }

    /// Parses the object form (`metav1.LabelSelector`: `matchLabels` and `matchExpressions`), as in a Deployment's spec. An error is the
    /// message of the invalid field.
    pub fn from_object(_selector: &Value) -> Result<LabelSelector, String> {
        todo!()
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, _labels: Option<&Map<String, Value>>) -> bool {
        todo!()
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}
