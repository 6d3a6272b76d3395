//! What a request asks for: its path and query, the forms it accepts, the resource it is about; and the way from there to the
//! verb that answers it.

pub(in crate::kube) mod dispatch;
pub(in crate::kube) mod negotiate;
pub mod path;
pub(in crate::kube) mod query;
pub(in crate::kube) mod served;
pub(in crate::kube) mod subject;
