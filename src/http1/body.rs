//! Reading a message body: how long it is, and its transfer coding (RFC 9112 §6, §7.1).

use super::limits::Refusal;
use super::{Headers, MessageLimits};

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// This many bytes.
    Bytes(u64),
    /// Chunks, the last one empty.
    Chunked,
    /// Everything until the connection ends (responses only).
    UntilClose,
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct BodyReader {
    state: State,
    taken: usize,
    limit: usize,
    /// How much of the trailer section has been read; at most [`MAX_TRAILER_BYTES`].
    trailer_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// This many bytes of the body are outstanding.
    Bytes(u64),
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    /// The line end after a chunk's data.
    ChunkEnd,
    Trailers,
    Done,
}

impl Length {
    /// The length of a request's body. Contradictory statements are refused: a proxy in front may believe the other one
    /// (RFC 9112 §6.3, request smuggling).
    pub(super) fn of_request(headers: &Headers, is_http_1_0: bool) -> Result<Length, Refusal> {
        match (transfer_coding(headers)?, content_length(headers)?) {
            // RFC 9112 §6.1: whoever passed it on may not have understood it.
            (true, _) if is_http_1_0 => Err(Refusal::new(400, "Transfer-Encoding in HTTP/1.0")),
            (true, Some(_)) => Err(Refusal::new(400, "both Content-Length and Transfer-Encoding are given")),
            (true, None) => Ok(Length::Chunked),
            (false, length) => Ok(Length::Bytes(length.unwrap_or(0))),
        }
    }

    /// The length of a response's body; `bodiless` for answers to HEAD, and 1xx, 204 and 304.
    pub(super) fn of_response(headers: &Headers, bodiless: bool) -> Result<Length, Refusal> {
        if bodiless {
            return Ok(Length::Bytes(0));
        }
        Ok(match (transfer_coding(headers)?, content_length(headers)?) {
            (true, _) => Length::Chunked,
            (false, Some(length)) => Length::Bytes(length),
            (false, None) => Length::UntilClose,
        })
    }
}

impl BodyReader {
    /// A reader for a body of `length`.
    pub(super) fn new(length: Length, limits: &MessageLimits) -> Result<BodyReader, Refusal> {
        let state = match length {
            Length::Bytes(0) => State::Done,
            Length::Bytes(bytes) if bytes > limits.body_bytes as u64 => return Err(too_large(limits.body_bytes)),
            Length::Bytes(bytes) => State::Bytes(bytes),
            Length::Chunked => State::ChunkSize,
            Length::UntilClose => State::UntilClose,
        };
        Ok(BodyReader { state, taken: 0, limit: limits.body_bytes, trailer_bytes: 0 })
    }

    /// Whether the body is complete.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the end of the connection is the end of the body.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.state == State::UntilClose
    }

    /// Moves body bytes from `input` to `body`; returns how many bytes of `input` are used up.
    pub(super) fn read(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<usize, Refusal> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let step = match self.state {
                State::Done => return Ok(used),
                State::UntilClose => self.take(rest, rest.len() as u64, body)?,
                State::Bytes(left) => {
                    let step = self.take(rest, left, body)?;
                    self.state = if step as u64 == left { State::Done } else { State::Bytes(left - step as u64) };
                    step
                }
                State::ChunkSize => match read_chunk_size(rest)? {
                    Some((step, size)) => {
                        self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
                        step
                    }
                    None => 0,
                },
                State::ChunkData(left) => {
                    let step = self.take(rest, left, body)?;
                    self.state =
                        if step as u64 == left { State::ChunkEnd } else { State::ChunkData(left - step as u64) };
                    step
                }
                State::ChunkEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        self.state = State::ChunkSize;
                        2
                    }
                    [] | [b'\r'] => 0,
                    _ => return Err(Refusal::new(400, "a chunk is longer than its size says")),
                },
                State::Trailers => self.read_trailers(rest)?,
            };
            used += step;
            if step == 0 && self.state != State::Done {
                return Ok(used);
            }
        }
    }

    fn take(&mut self, input: &[u8], left: u64, body: &mut Vec<u8>) -> Result<usize, Refusal> {
        let step = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if self.taken + step > self.limit {
            return Err(too_large(self.limit));
        }
        self.taken += step;
        body.extend_from_slice(&input[..step]);
        Ok(step)
    }

    /// Trailer fields are read and dropped, as every recipient may (RFC 9110 §6.5.1).
    fn read_trailers(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let room = MAX_TRAILER_BYTES - self.trailer_bytes;
        let Some(end) = line_end(input, room) else {
            return if input.len() < room { Ok(0) } else { Err(Refusal::new(431, "the trailer section is too long")) };
        };
        match &input[..end] {
            b"\r\n" => self.state = State::Done,
            line if line.ends_with(b"\r\n") => {}
            _ => return Err(Refusal::new(400, "a trailer field does not end with CRLF")),
        }
        self.trailer_bytes += end;
        Ok(end)
    }
}

/// Reads a chunk's size line: how long it is and the size it states. A line without digits, which httparse reads as zero, is
/// refused, and so is a line feed on its own, which it takes for a part of the extension: another reader may see a chunk
/// where we do not (request smuggling).
fn read_chunk_size(input: &[u8]) -> Result<Option<(usize, u64)>, Refusal> {
    let Some(end) = line_end(input, MAX_CHUNK_LINE_BYTES) else {
        let complete = input.len() >= MAX_CHUNK_LINE_BYTES;
        return if complete { Err(Refusal::new(400, "a chunk's size line is too long")) } else { Ok(None) };
    };
    let line = &input[..end];
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((length, size))) if length == end && line[0].is_ascii_hexdigit() => {
            Ok(Some((length, size)))
        }
        _ => Err(Refusal::new(400, "a chunk's size line is not a hexadecimal number with extensions, ended by CRLF")),
    }
}

/// Where the first line of `input` ends, behind its line feed, if it does so within `limit` bytes.
fn line_end(input: &[u8], limit: usize) -> Option<usize> {
    input.iter().take(limit).position(|byte| *byte == b'\n').map(|at| at + 1)
}

fn too_large(limit: usize) -> Refusal {
    Refusal::new(413, format!("the body is larger than {limit} bytes"))
}

fn transfer_coding(headers: &Headers) -> Result<bool, Refusal> {
    let mut codings = headers.get_all("Transfer-Encoding");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.trim().eq_ignore_ascii_case("chunked") => Ok(true),
        _ => Err(Refusal::new(501, "the only transfer coding understood is chunked")),
    }
}

fn content_length(headers: &Headers) -> Result<Option<u64>, Refusal> {
    let mut lengths = headers.get_all("Content-Length").flat_map(|value| value.split(',')).map(str::trim);
    let Some(first) = lengths.next() else { return Ok(None) };
    if lengths.any(|other| other != first) {
        return Err(Refusal::new(400, "contradictory Content-Length"));
    }
    if first.is_empty() || !first.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::new(400, "Content-Length is not a number"));
    }
    first.parse().map(Some).map_err(|_| Refusal::new(413, "Content-Length is larger than 64 bits"))
}

/// A size of sixteen digits and room for the extensions nobody sends.
const MAX_CHUNK_LINE_BYTES: usize = 4096;
/// All trailer fields together: nobody who talks to Kubernetes sends one.
const MAX_TRAILER_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MessageLimits = MessageLimits { head_bytes: 1000, headers: 10, body_bytes: 20 };

    fn read(length: Length, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), Refusal> {
        let mut reader = BodyReader::new(length, &LIMITS)?;
        let (mut pending, mut body) = (Vec::new(), Vec::new());
        for piece in pieces {
            pending.extend_from_slice(piece);
            let used = reader.read(&pending, &mut body)?;
            pending.drain(..used);
        }
        Ok((body, reader.is_done()))
    }

    #[test]
    fn chunks_arrive_in_any_pieces() {
        let whole = b"4\r\nWiki\r\n5;ext=1\r\npedia\r\n0\r\nX-Trailer: 1\r\n\r\n";
        assert_eq!(read(Length::Chunked, &[whole]), Ok((b"Wikipedia".to_vec(), true)));
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(read(Length::Chunked, &bytes), Ok((b"Wikipedia".to_vec(), true)));
    }

    #[test]
    fn a_body_is_bounded_whatever_its_framing() {
        assert_eq!(read(Length::Bytes(21), &[]).unwrap_err().status, 413);
        assert_eq!(read(Length::Chunked, &[b"15\r\n012345678901234567890"]).unwrap_err().status, 413);
        assert_eq!(read(Length::UntilClose, &[&[b'x'; 21]]).unwrap_err().status, 413);
    }

    #[test]
    fn broken_chunks_are_refused() {
        // No size at all would otherwise read as zero, the end of the body; a line feed inside an extension is where another
        // reader may see the line end (request smuggling).
        for wire in
            [&b"zz\r\n"[..], b"3\r\nabcX", b"\r\n\r\n", b";ext\r\n", b"3;a\nb\r\nabc", b"3\nabc", b"0\r\nx\n\r\n"]
        {
            assert_eq!(read(Length::Chunked, &[wire]).unwrap_err().status, 400, "{wire:?}");
        }
    }

    #[test]
    fn size_lines_and_trailers_are_bounded_however_they_are_cut() {
        let extension = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(5000)).into_bytes();
        let trailer = format!("0\r\nX: {}\r\n\r\n", "x".repeat(5000)).into_bytes();
        let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(1000)).into_bytes();
        for (wire, status) in [(extension, 400), (trailer, 431), (trailers, 431)] {
            for size in [wire.len(), 1000, 7] {
                let pieces: Vec<&[u8]> = wire.chunks(size).collect();
                assert_eq!(read(Length::Chunked, &pieces).unwrap_err().status, status, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn contradictory_lengths_are_refused() {
        for (fields, status) in [
            (vec![("Content-Length", "1"), ("Transfer-Encoding", "chunked")], 400),
            (vec![("Content-Length", "1"), ("Content-Length", "2")], 400),
            (vec![("Content-Length", "+1")], 400),
            (vec![("Content-Length", "99999999999999999999")], 413),
            (vec![("Transfer-Encoding", "gzip, chunked")], 501),
        ] {
            let headers: Headers = fields.iter().copied().collect();
            assert_eq!(Length::of_request(&headers, false).unwrap_err().status, status, "{fields:?}");
        }
    }
}
