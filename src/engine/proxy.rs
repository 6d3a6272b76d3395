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
        self.judge().map_err(|found| io::Error::other(format!("the proxy {} answered {found}", via.authority)))?;
        Ok(true)
    }

    fn judge(&self) -> Result<(), String> {
        let line = self.answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).replace(|c: char| c.is_control(), " ");
        match line.split_once(' ') {
            Some((version, rest)) if version.starts_with("HTTP/1.") && rest.starts_with('2') => Ok(()),
            Some((version, rest)) if version.starts_with("HTTP/1.") => Err(rest.to_owned()),
            _ => Err("with something that is no HTTP".into()),
        }
    }
}

/// More than any proxy's answer has before its body.
const ANSWER_LIMIT_BYTES: usize = 16 << 10;
