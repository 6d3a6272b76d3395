//! The virtual Kubernetes API as a client sees it, in-process: requests written by hand, answers as a kube-apiserver 1.31 gives them.
//!
//! Expectations come from Kubernetes' API conventions, "API concepts" and the kube-apiserver's own messages, never from the code under test.
//! One file a theme; `support` is the client.

mod access;
mod applying;
mod bad_input;
mod cluster_state;
mod creating;
mod custom_resources;
mod deleting;
mod discovery;
mod listing;
mod namespaces;
mod patching;
mod rancher;
mod reading;
mod subresources;
mod support;
mod updating;
mod watching;
mod watching_resume;
mod wire;
