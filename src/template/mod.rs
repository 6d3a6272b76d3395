//! Cluster templates: the document's summary schema and whole Kubernetes manifests, read from YAML text and turned into the
//! objects a [`crate::kube::Baseline`] is compiled from. This room must not know files, sockets or clocks.
