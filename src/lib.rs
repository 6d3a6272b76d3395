//! Scale Cluster Agent: one process that makes a Rancher server believe it manages thousands of real Kubernetes clusters.
//!
//! In scope: everything a Rancher server sees of an imported cluster (registration, both tunnels, the Kubernetes API behind
//! them), an operator's REST API, and an embedded stand-in for Rancher to rehearse against.
//! Out of scope: running containers, enforcing RBAC inside a virtual cluster, being a Kubernetes for anything but tests.
//!
//! The rooms, from the wire inwards. A room uses only rooms further down its own line:
//!
//! | room | what it does | what it must not know |
//! |---|---|---|
//! | [`cli`] | flags and subcommands; wires the rooms together | protocols |
//! | [`config`] | settings, their sources and origins, secrets | everything else |
//! | [`api`] | the operator's REST API | sockets to Rancher, clusters' insides |
//! | [`manager`] | the registry and lifecycle of every cluster | HTTP, TLS, Kubernetes |
//! | [`ramp`] | which cluster starts when, how far each is, whether that is good enough; no I/O | clocks, files, the manager |
//! | [`rancher`] | Rancher's own REST API as a client sees it | clusters' lifecycle |
//! | [`doctor`] | looks whether host and Ranchers will bear a fleet | how it is printed |
//! | [`engine`] | workers: epoll, timers, sockets, TLS; drives the protocols below | Rancher's REST, the operator's REST |
//! | [`tunnel`] | the remotedialer protocol, no I/O | sockets, clocks, Kubernetes |
//! | [`http1`] | HTTP/1.1 framing, no I/O | sockets, clocks, Kubernetes |
//! | [`kube`] | the virtual Kubernetes API, no I/O | sockets, clocks, tunnels |
//! | [`steve`] | what the second tunnel serves, no I/O | sockets, clocks |
//! | [`faults`] | what can be made to go wrong, as data | who does it |
//! | [`template`] | cluster templates: YAML to Kubernetes objects | files, sockets, clocks |
//! | [`yaml`] | positions and suggestions for errors in hand-written YAML | files, what the YAML means |
//! | [`telemetry`] | logging and what is measured | who is measured |
//! | [`remote`] | a running agent from the outside: client of its REST API, driver of ramps | the manager's queues, files |
//! | [`report`] | results for people and machines | how they were obtained |
//! | [`rehearsal`] | the embedded stand-in for a Rancher server | the agent's insides |

pub mod api;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod faults;
pub mod http1;
pub mod journal;
pub mod kube;
pub mod manager;
pub mod ramp;
pub mod rancher;
pub mod rehearsal;
pub mod remote;
pub mod report;
pub mod steve;
pub mod telemetry;
pub mod template;
pub mod tunnel;
pub mod yaml;
