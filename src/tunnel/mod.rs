//! The remotedialer protocol (github.com/rancher/remotedialer) without I/O: websocket messages in, frames and events out.
//!
//! File names follow that repository. This room must not know sockets, TLS, clocks (`now` is an argument) or what the
//! connections carry.
