//! A non-blocking byte stream: a TCP socket, with TLS where the URL says so.
//!
//! `Read` and `Write` are what tungstenite needs. Writing always succeeds into a buffer of our own, so that a protocol above
//! never has to repeat a half-written frame; whoever produces data looks at [`Transport::backlog`] first.

use super::Tls;
use super::pace::Pace;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::time::Instant;

/// A TCP connection, perhaps under TLS.
#[derive(Debug)]
pub struct Transport {
    socket: TcpStream,
    tls: Option<Tls>,
    /// Received and not yet read; `[..read]` is read already. Released when empty, since most connections are idle.
    incoming: Vec<u8>,
    read: usize,
    /// Bytes for the socket that it did not take yet; `[..sent]` is gone already.
    outgoing: Vec<u8>,
    sent: usize,
    /// How fast it may go, if a fault slows it down.
    pace: Option<Box<Pace>>,
    unread: Unread,
}

/// Whether the socket has something to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// Only it can tell.
    Unknown,
    /// The poll has reported it since a read took less than there was room for.
    Perhaps,
    /// Nothing, until the poll reports it.
    Nothing,
}

impl Transport {
    /// Wraps a socket that is connected or still connecting.
    pub fn new(socket: TcpStream) -> Transport {
        Transport {
            socket,
            tls: None,
            incoming: Vec::new(),
            read: 0,
            outgoing: Vec::new(),
            sent: 0,
            pace: None,
            unread: Unread::Unknown,
        }
    }

    /// The poll has reported the socket. Whoever tells so once has to do it every time: from then on a read that takes less than there
    /// was room for counts as the last one (epoll(7)), which spares a system call each time. `is_ended`: the peer sends no more; the
    /// end itself is reported once only, and has to be read however much came before it.
    pub(super) fn ready(&mut self, is_ended: bool) {
        self.unread = if is_ended { Unread::Unknown } else { Unread::Perhaps };
    }

    /// Speaks TLS from now on.
    pub fn start_tls(&mut self, mut tls: Tls) -> io::Result<()> {
        // Whatever came with the last plaintext is TLS's already.
        let early = self.incoming.split_off(self.read);
        (self.incoming, self.read) = (Vec::new(), 0);
        let started = tls.receive(&early, &mut self.incoming, &mut self.outgoing);
        self.tls = Some(tls);
        started.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Lets the next read ask the socket, whatever the poll has reported.
    pub(super) fn look_again(&mut self) {
        if self.unread == Unread::Nothing {
            self.unread = Unread::Perhaps;
        }
    }

    /// Makes `registry` report readiness (edge-triggered) under `token`.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Stops readiness reports.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut self.socket)
    }

    /// Whether a connection that was started is established: `Ok(false)` while it is under way.
    pub fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Bytes accepted by `write` that the socket has not taken yet, as they stand on the wire.
    pub fn backlog(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Gives the socket as much as it takes; what remains is written when it becomes writable.
    pub fn flush_socket(&mut self) -> io::Result<()> {
        while self.backlog() > 0 {
            let allowed = self.pace.as_mut().map_or(usize::MAX, |pace| pace.may_write(self.outgoing.len() - self.sent));
            let end = self.outgoing.len().min(self.sent.saturating_add(allowed));
            if end == self.sent {
                self.compact();
                return Ok(());
            }
            match self.socket.write(&self.outgoing[self.sent..end]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.sent += written;
                    self.pace.iter_mut().for_each(|pace| pace.wrote(written));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.compact();
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // An idle connection holds no buffer: there are tens of thousands of them.
        self.outgoing = Vec::new();
        self.sent = 0;
        Ok(())
    }

    /// Carries only so many bytes a second in each direction from now on, or as many as it can.
    pub(super) fn set_pace(&mut self, bytes_per_second: Option<u64>, now: Instant) {
        self.pace = bytes_per_second.map(|bytes_per_second| Box::new(Pace::new(bytes_per_second, now)));
    }

    /// Lets a slow connection make use of the time that has passed; tells whether it is one.
    pub(super) fn keep_pace(&mut self, now: Instant) -> bool {
        self.pace.as_mut().map(|pace| pace.refill(now)).is_some()
    }

    /// When a slow connection goes on with what it has held back.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.pace.as_ref().and_then(|pace| pace.next_due())
    }

    /// Ends the connection in both directions, without a word on the layers above.
    pub(super) fn cut(&mut self) {
        // A connection that is gone already is as good.
        _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// Says goodbye on the TLS layer and closes the sending direction of the socket.
    pub fn shutdown(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.outgoing);
        }
        // The peer may be gone already; there is nobody left to tell.
        let _ = self.flush_socket();
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Reads once from the socket; how many bytes it had, 0 at its end.
    fn receive(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        let length = match &mut self.pace {
            None => self.socket.read(scratch)?,
            Some(pace) => pace.read(&mut self.socket, scratch)?,
        };
        if self.unread == Unread::Perhaps && self.pace.is_none() && length < scratch.len() {
            self.unread = Unread::Nothing;
        }
        let received = &scratch[..length];
        match &mut self.tls {
            // Only TLS itself can tell the end of the stream from a cut.
            Some(_) if received.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            None => self.incoming.extend_from_slice(received),
            Some(tls) => {
                if let Err(error) = tls.receive(received, &mut self.incoming, &mut self.outgoing) {
                    // The alert that tells the peer why is queued by now; if it cannot be sent, the error still says why.
                    let _ = self.flush_socket();
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
        Ok(length)
    }

    fn compact(&mut self) {
        if self.sent >= COMPACT_ABOVE_BYTES {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.incoming.is_empty() {
            if self.tls.as_ref().is_some_and(Tls::is_ended_by_peer) {
                return Ok(0);
            }
            if self.unread == Unread::Nothing {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if SCRATCH.with_borrow_mut(|scratch| self.receive(scratch))? == 0 {
                return Ok(0);
            }
        }
        let unread = &self.incoming[self.read..];
        let taken = unread.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&unread[..taken]);
        self.read += taken;
        if self.read == self.incoming.len() {
            (self.incoming, self.read) = (Vec::new(), 0);
        }
        Ok(taken)
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.send(bytes, &mut self.outgoing).map_err(io::Error::other)?,
            None => self.outgoing.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_socket()
    }
}

thread_local! {
    /// What a read fills before it is known what it is: one for all connections of a thread.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// One TLS record with its header.
const READ_BYTES: usize = 16 * 1024 + 256;
/// Moving the rest of the buffer forward costs a copy; not worth it for less.
const COMPACT_ABOVE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream as Peer};

    fn pair() -> (Transport, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = Peer::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        (Transport::new(TcpStream::from_std(socket)), peer)
    }

    /// Waits until the socket has something, or its end, to read.
    fn await_readable(transport: &Transport) {
        while transport.socket.peek(&mut [0]).is_err() {
            std::thread::yield_now();
        }
    }

    fn kind(transport: &mut Transport) -> io::ErrorKind {
        transport.read(&mut [0; 8]).unwrap_err().kind()
    }

    #[test]
    fn after_a_short_read_only_the_poll_opens_the_socket_again() {
        let (mut transport, mut peer) = pair();
        peer.write_all(b"one").unwrap();
        await_readable(&transport);
        transport.ready(false);
        assert_eq!(transport.read(&mut [0; 8]).unwrap(), 3);
        peer.write_all(b"four").unwrap();
        await_readable(&transport);
        assert_eq!(kind(&mut transport), io::ErrorKind::WouldBlock, "not reported yet");
        transport.ready(false);
        assert_eq!(transport.read(&mut [0; 8]).unwrap(), 4);
    }

    #[test]
    fn an_end_that_was_reported_with_the_last_bytes_is_read() {
        let (mut transport, mut peer) = pair();
        peer.write_all(b"last").unwrap();
        drop(peer);
        await_readable(&transport);
        transport.ready(true);
        assert_eq!(transport.read(&mut [0; 8]).unwrap(), 4);
        await_readable(&transport);
        assert_eq!(transport.read(&mut [0; 8]).unwrap(), 0);
    }
}
