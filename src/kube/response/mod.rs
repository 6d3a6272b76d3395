//! What an answer is made of: objects filled in on their way out, lists and watches as they are read, `Status` with its words,
//! packed where that pays.

pub(in crate::kube) mod body;
pub(in crate::kube) mod gzip;
pub(in crate::kube) mod listing;
pub(in crate::kube) mod quote;
pub(in crate::kube) mod render;
pub(in crate::kube) mod status;
pub(in crate::kube) mod watching;
