//! Large answers are compressed for clients that accept it, as a kube-apiserver does.

use super::body::Streaming;
use super::listing::Listing;
use crate::http1::Request;
use crate::kube::{Body, Cluster, Progress, Response};
use flate2::{Compress, Compression, FlushCompress};
use std::cell::RefCell;
use std::sync::Arc;

impl Cluster {
    /// The answer to `request`, compressed if it is larger than [`THRESHOLD_BYTES`] and the client accepts gzip. Watches and logs are
    /// passed on as they come.
    pub(in crate::kube) fn compressed(&self, request: &Request, mut response: Response) -> Response {
        if !accepts_gzip(request) {
            return response;
        }
        let packed = match response.body {
            Body::Bytes(bytes) if bytes.len() > THRESHOLD_BYTES => Packed::new(Plain::Own(bytes), None),
            Body::Shared(bytes) if bytes.len() > THRESHOLD_BYTES => Packed::new(Plain::Shared(bytes), None),
            Body::Streaming(streaming) => match streaming.into_listing() {
                Err(streaming) => return Response { body: Body::Streaming(streaming), ..response },
                Ok(mut listing) => {
                    let mut begun = Vec::new();
                    match listing.poll(self, &mut begun, THRESHOLD_BYTES + 1) {
                        Progress::Done if begun.len() <= THRESHOLD_BYTES => {
                            return Response { body: Body::Bytes(begun), ..response };
                        }
                        Progress::Done => Packed::new(Plain::Own(begun), None),
                        Progress::More | Progress::Idle => Packed::new(Plain::Own(begun), Some(listing)),
                    }
                }
            },
            body => return Response { body, ..response },
        };
        response.headers.push("Content-Encoding", "gzip");
        response.headers.push("Vary", "Accept-Encoding");
        Response { body: Body::Streaming(Streaming::packed(packed)), ..response }
    }
}

/// A body that is compressed piece by piece on its way out: a document of megabytes as a whole would hold up the worker's others.
#[derive(Debug)]
pub(in crate::kube) struct Packed {
    plain: Plain,
    /// How much of it is compressed.
    packed_bytes: usize,
    /// What follows it.
    rest: Option<Listing>,
    gzip: Gzip,
}

/// What has been made of a body.
#[derive(Debug)]
enum Plain {
    Own(Vec<u8>),
    Shared(Arc<[u8]>),
}

impl Plain {
    fn bytes(&self) -> &[u8] {
        match self {
            Plain::Own(bytes) => bytes,
            Plain::Shared(bytes) => bytes,
        }
    }
}

impl Packed {
    fn new(plain: Plain, rest: Option<Listing>) -> Packed {
        Packed { plain, packed_bytes: 0, rest, gzip: Gzip::default() }
    }

    /// Appends one compressed piece.
    pub(in crate::kube) fn poll(&mut self, cluster: &Cluster, out: &mut Vec<u8>) -> Progress {
        let left = &self.plain.bytes()[self.packed_bytes..];
        let Some(listing) = self.rest.as_mut().filter(|_| left.is_empty()) else {
            let piece = &left[..left.len().min(PIECE_BYTES)];
            let is_last = self.rest.is_none() && piece.len() == left.len();
            self.gzip.piece(piece, is_last, out);
            self.packed_bytes += piece.len();
            return if is_last { Progress::Done } else { Progress::More };
        };
        let mut piece = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        let progress = listing.poll(cluster, &mut piece, PIECE_BYTES);
        self.gzip.piece(&piece, progress == Progress::Done, out);
        progress
    }
}

/// A gzip stream (RFC 1952) under way. Each piece is deflated by itself and ends at a byte, so that between two pieces nothing is kept
/// but what the trailer needs: a compressor takes some 300 KB, which thousands of lists under way could not have each.
#[derive(Debug, Default)]
struct Gzip {
    checksum: crc32fast::Hasher,
    /// Modulo 2³², as the trailer has it.
    plain_bytes: u32,
    is_begun: bool,
}

impl Gzip {
    fn piece(&mut self, plain: &[u8], is_last: bool, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_begun, true) {
            out.extend_from_slice(&HEADER);
        }
        self.checksum.update(plain);
        self.plain_bytes = self.plain_bytes.wrapping_add(plain.len() as u32);
        deflate(plain, if is_last { FlushCompress::Finish } else { FlushCompress::Sync }, out);
        if is_last {
            out.extend_from_slice(&self.checksum.clone().finalize().to_le_bytes());
            out.extend_from_slice(&self.plain_bytes.to_le_bytes());
        }
    }
}

/// Appends `plain` as DEFLATE blocks that refer to nothing before them.
fn deflate(plain: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        loop {
            let used = compressor.total_in() as usize;
            out.reserve(DEFLATED_BYTES);
            // It fails only on a stream that has ended.
            let _ = compressor.compress_vec(&plain[used..], out, flush);
            // A compressor that leaves room has nothing more to say.
            if compressor.total_in() as usize == plain.len() && out.len() < out.capacity() {
                return;
            }
        }
    });
}

/// Whether gzip is one of the codings in `Accept-Encoding`, which a kube-apiserver looks for by its bare name.
fn accepts_gzip(request: &Request) -> bool {
    let accepted = request.headers.get("Accept-Encoding").unwrap_or_default();
    accepted.split(',').any(|coding| coding.trim() == "gzip")
}

thread_local! {
    /// The level of a kube-apiserver.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// A body of this size is not worth it (apiserver `defaultGzipThresholdBytes`).
const THRESHOLD_BYTES: usize = 128 * 1024;
/// What is deflated at once: twice the window, so that little is lost at its ends.
const PIECE_BYTES: usize = 64 * 1024;
/// What a piece of JSON comes to, with much to spare.
const DEFLATED_BYTES: usize = 16 * 1024;
/// RFC 1952 §2.3: deflate, no name, no time, fastest, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Method;
    use crate::kube::testing::Bench;
    use proptest::prelude::*;
    use serde_json::json;
    use std::io::Read;

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        // Refuses a second member, which clients may not read.
        let mut decoder = flate2::bufread::GzDecoder::new(bytes);
        decoder.read_to_end(&mut plain).unwrap();
        assert!(decoder.into_inner().is_empty());
        plain
    }

    fn response(bench: &mut Bench, target: &str, accepted: &str) -> (Option<String>, Vec<u8>) {
        let mut request = Request::new(Method::Get, target);
        request.headers.push("Accept-Encoding", accepted);
        let response = bench.send(&request);
        let coding = response.headers.get("Content-Encoding").map(str::to_owned);
        let bytes = match response.body {
            Body::Bytes(bytes) => bytes,
            Body::Shared(bytes) => bytes.to_vec(),
            Body::Streaming(mut streaming) => {
                let mut bytes = Vec::new();
                while streaming.poll(&bench.cluster, bench.now, &mut bytes, 1_000) == Progress::More {}
                bytes
            }
        };
        (coding, bytes)
    }

    #[test]
    fn large_answers_are_compressed_for_those_who_accept_it() {
        let mut bench = Bench::new();
        for name in ["a", "b", "c"] {
            let object = json!({"metadata": {"name": name}, "data": {"large": "0123456789 ".repeat(6_000)}});
            bench.post("/api/v1/namespaces/web/configmaps", object).ok();
        }
        let (one, all) = ("/api/v1/namespaces/web/configmaps/a", "/api/v1/namespaces/web/configmaps");
        let (coding, plain) = response(&mut bench, all, "deflate, gzip;q=0.5, identity");
        assert_eq!(coding, None);
        let (coding, packed) = response(&mut bench, all, "deflate, gzip");
        assert_eq!(coding.as_deref(), Some("gzip"));
        assert!(packed.len() * 20 < plain.len(), "{} of {}", packed.len(), plain.len());
        assert!(unpacked(&packed) == plain);
        assert_eq!(response(&mut bench, one, "gzip").0, None, "not worth it");
        let (_, document) = response(&mut bench, "/openapi/v2", "identity");
        let (coding, packed) = response(&mut bench, "/openapi/v2", "gzip");
        assert_eq!(coding.as_deref(), Some("gzip"));
        assert!(document.len() > 2 * PIECE_BYTES && unpacked(&packed) == document, "{} bytes", document.len());
        let (coding, watched) = response(&mut bench, &format!("{all}?watch=1&timeoutSeconds=1"), "gzip");
        assert!(coding.is_none() && watched.len() > plain.len());
    }

    proptest! {
        #[test]
        fn what_is_packed_in_pieces_unpacks_as_one(pieces in prop::collection::vec(any::<Vec<u8>>(), 1..6), times in 1usize..3_000) {
            let (mut gzip, mut packed, mut plain) = (Gzip::default(), Vec::new(), Vec::new());
            for (index, piece) in pieces.iter().enumerate() {
                let piece = piece.repeat(times);
                gzip.piece(&piece, index + 1 == pieces.len(), &mut packed);
                plain.extend(piece);
            }
            prop_assert!(unpacked(&packed) == plain);
        }
    }
}
