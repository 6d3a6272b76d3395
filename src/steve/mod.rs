//! What the `stv-cluster-` tunnel serves, without I/O: `/ping` at once, everything else a steve-shaped 404.
#![allow(missing_docs, unused)]
pub fn handle(request: &crate::http1::Request) -> (crate::http1::ResponseHead, Vec<u8>) {
    todo!()
}
