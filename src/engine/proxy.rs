//! Asking a proxy for a connection: `CONNECT`, before TLS (RFC 9110, section 9.3.6).

use super::{Transport, Via};
use std::io::{self, Read, Write};

/// A proxy that was asked, or is about to be.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    asked: bool,
    answer: Vec<u8>,
}

impl Handshake {
    /// Goes as far as the socket lets it; true once the connection leads to the target.
    pub(super) fn advance(&mut self, via: &Via, transport: &mut Transport) -> io::Result<bool> {
        if !self.asked {
            transport.write_all(&via.request())?;
            self.asked = true;
        }
        transport.flush_socket()?;
        let mut byte = [0];
        // A byte at a time: what follows the answer's head is the target's already.
        while !self.answer.ends_with(b"\r\n\r\n") {
            match transport.read(&mut byte) {
                Ok(0) => return Err(io::Error::other(format!("the proxy {} closed the connection", via.authority))),
                Ok(_) => self.answer.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.answer.len() > ANSWER_LIMIT_BYTES {
                return Err(io::Error::other(format!("the proxy {} answers without an end", via.authority)));
            }
        }
        judge(&self.answer)
            .map_err(|found| io::Error::other(format!("the proxy {} answered {found}", via.authority)))?;
        Ok(true)
    }
}

/// Whether an answer's status line grants the connection, or what it says instead.
fn judge(answer: &[u8]) -> Result<(), String> {
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    // Every cluster keeps it as its last error.
    let line = String::from_utf8_lossy(&line[..line.len().min(STATUS_LINE_BYTES)]);
    let line = line.replace(|c: char| c.is_control(), " ");
    match line.split_once(' ') {
        Some((version, rest)) if version.starts_with("HTTP/1.") && rest.starts_with('2') => Ok(()),
        Some((version, rest)) if version.starts_with("HTTP/1.") => Err(rest.to_owned()),
        _ => Err("with something that is no HTTP".into()),
    }
}

/// More than any proxy's answer has before its body.
const ANSWER_LIMIT_BYTES: usize = 16 << 10;
/// As much of a status line as anybody reads.
const STATUS_LINE_BYTES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_says_is_a_short_line() {
        assert_eq!(judge(b"HTTP/1.1 200 Connection established\r\n\r\n"), Ok(()));
        let refused = "407 Proxy Authentication Required";
        assert_eq!(judge(format!("HTTP/1.0 {refused}\r\nX: y\r\n\r\n").as_bytes()), Err(refused.to_owned()));
        for nonsense in [&b""[..], b"\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"\xff\xfe 200\r\n\r\n"] {
            assert_eq!(judge(nonsense), Err("with something that is no HTTP".to_owned()));
        }
        let said = judge(&[b"HTTP/1.1 500 \x1b[31m\n", &[b'x'; 16_000][..]].concat()).unwrap_err();
        assert!(said.len() < 200 && said.starts_with("500  [31m x"), "{said:?}");
    }
}
