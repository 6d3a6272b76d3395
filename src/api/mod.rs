//! The operator's REST API: a tiny_http acceptor feeds commands to the manager. This room must not know sockets to Rancher
//! or the insides of clusters.
