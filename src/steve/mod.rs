//! What the `stv-cluster-` tunnel serves, without I/O: `/ping` at once, everything else a steve-shaped 404.
