//! The registry of clusters and their lifecycle: one thread, one command queue; nobody else changes a record.
//!
//! This room must not know HTTP, TLS or Kubernetes.
