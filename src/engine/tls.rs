//! TLS that keeps no buffers while it is idle: bytes of the peer go in, plaintext and bytes for the peer come out.
//!
//! rustls' buffered connections keep room for the largest record they ever saw. There are tens of thousands of connections
//! here and nearly all are idle, so this drives rustls' unbuffered ones, with the caller's vectors.

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic};
use std::fmt;

/// One side of a TLS connection.
#[derive(Debug)]
pub struct Tls {
    side: Box<Side>,
    /// The beginning of a record whose end has not arrived.
    partial: Vec<u8>,
    /// What was to be sent before the handshake was over; empty afterwards.
    early: Vec<u8>,
    phase: Phase,
    is_ended_by_peer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake,
    /// It may send.
    Open,
    Failed,
}

enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What to do once the connection may send.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Nothing,
    Send(&'a [u8]),
    Close,
}

/// What one state of rustls' came to.
enum Turn {
    /// There may be more.
    GoOn,
    /// Nothing more to do with these bytes.
    Rest,
}

impl Tls {
    /// The client's side; [`Tls::start`] makes it speak first.
    pub fn client(connection: UnbufferedClientConnection) -> Tls {
        Tls::new(Side::Client(connection))
    }

    /// The server's side.
    pub fn server(connection: UnbufferedServerConnection) -> Tls {
        Tls::new(Side::Server(connection))
    }

    fn new(side: Side) -> Tls {
        Tls {
            side: Box::new(side),
            partial: Vec::new(),
            early: Vec::new(),
            phase: Phase::Handshake,
            is_ended_by_peer: false,
        }
    }

    /// Appends to `wire` what a client says first.
    pub fn start(&mut self, wire: &mut Vec<u8>) -> Result<(), rustls::Error> {
        self.receive(&[], &mut Vec::new(), wire)
    }

    /// Takes bytes of the peer. Appends what they say to `plain`, and to `wire` what TLS itself answers: after an error,
    /// which is final, the alert that tells the peer why.
    pub fn receive(&mut self, bytes: &[u8], plain: &mut Vec<u8>, wire: &mut Vec<u8>) -> Result<(), rustls::Error> {
        self.partial.extend_from_slice(bytes);
        self.drive(Wish::Nothing, plain, wire)?;
        if self.phase == Phase::Open && !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.send(&early, wire)?;
        }
        Ok(())
    }

    /// Encrypts `plain` to the end of `wire`; before the handshake is over it waits, bounded by what the caller sends.
    pub fn send(&mut self, plain: &[u8], wire: &mut Vec<u8>) -> Result<(), rustls::Error> {
        match self.phase {
            Phase::Handshake => self.early.extend_from_slice(plain),
            // Whatever was received is read already: nothing comes out but what is encrypted.
            Phase::Open => self.drive(Wish::Send(plain), &mut Vec::new(), wire)?,
            Phase::Failed => return Err(rustls::Error::General("the TLS connection has failed before".into())),
        }
        Ok(())
    }

    /// Appends TLS's goodbye to `wire`, if the handshake is over.
    pub fn close(&mut self, wire: &mut Vec<u8>) {
        if self.phase == Phase::Open {
            // There is nobody left to tell that it could not be said.
            _ = self.drive(Wish::Close, &mut Vec::new(), wire);
        }
    }

    /// Whether the peer has said that it sends no more.
    pub fn is_ended_by_peer(&self) -> bool {
        self.is_ended_by_peer
    }

    /// Lets rustls work on what was received until it wants more. What it has not used up has to be there with its next turn, whatever
    /// that is for.
    fn drive(&mut self, wish: Wish<'_>, plain: &mut Vec<u8>, wire: &mut Vec<u8>) -> Result<(), rustls::Error> {
        let Tls { side, phase, is_ended_by_peer, .. } = self;
        let mut input = std::mem::take(&mut self.partial);
        let mut work = Work { wish, plain, wire, phase, is_ended_by_peer };
        let mut used = 0;
        let mut failure = None;
        loop {
            let left = &mut input[used..];
            let (discard, outcome) = match &mut **side {
                Side::Client(client) => work.take(client.process_tls_records(left)),
                Side::Server(server) => work.take(server.process_tls_records(left)),
            };
            used += discard;
            match (outcome, failure.take()) {
                (Ok(Turn::GoOn), None) => {}
                (Ok(Turn::Rest), None) => break,
                // It hands out the alert first when it is asked again. Once more, and it would read the same bytes again.
                (Err(error), None) => failure = Some(error),
                (_, Some(error)) => {
                    *work.phase = Phase::Failed;
                    return Err(error);
                }
            }
        }
        if used < input.len() {
            input.drain(..used);
            input.shrink_to_fit();
            self.partial = input;
        }
        Ok(())
    }
}

/// What the states of a connection are to bring about, and where it goes.
struct Work<'a> {
    wish: Wish<'a>,
    plain: &'a mut Vec<u8>,
    wire: &'a mut Vec<u8>,
    phase: &'a mut Phase,
    is_ended_by_peer: &'a mut bool,
}

impl Work<'_> {
    /// Deals with one state; how many bytes of the input it is done with.
    fn take<Data>(&mut self, status: UnbufferedStatus<'_, '_, Data>) -> (usize, Result<Turn, rustls::Error>) {
        let UnbufferedStatus { mut discard, state } = status;
        let outcome = state.and_then(|state| self.settle(state, &mut discard));
        (discard, outcome)
    }

    fn settle<Data>(
        &mut self,
        state: ConnectionState<'_, '_, Data>,
        discard: &mut usize,
    ) -> Result<Turn, rustls::Error> {
        match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    *discard += record.discard;
                    self.plain.extend_from_slice(record.payload);
                }
                Ok(Turn::GoOn)
            }
            ConnectionState::EncodeTlsData(mut data) => {
                append(self.wire, 0, |room| {
                    data.encode(room).map_err(|error| match error {
                        EncodeError::InsufficientSize(size) => Some(size.required_size),
                        EncodeError::AlreadyEncoded => None,
                    })
                })?;
                Ok(Turn::GoOn)
            }
            ConnectionState::TransmitTlsData(data) => {
                // It goes with whatever else is in `wire`.
                data.done();
                Ok(Turn::GoOn)
            }
            ConnectionState::PeerClosed => {
                *self.is_ended_by_peer = true;
                Ok(Turn::GoOn)
            }
            ConnectionState::WriteTraffic(mut traffic) => {
                if *self.phase == Phase::Handshake {
                    *self.phase = Phase::Open;
                }
                fulfil(self.wish, &mut traffic, self.wire)?;
                Ok(Turn::Rest)
            }
            // Early data is not accepted by our configurations.
            ConnectionState::BlockedHandshake | ConnectionState::Closed | ConnectionState::ReadEarlyData(_) => {
                Ok(Turn::Rest)
            }
            state => {
                Err(rustls::Error::General(format!("rustls is in a state that this program does not know: {state:?}")))
            }
        }
    }
}

fn fulfil<Data>(wish: Wish<'_>, traffic: &mut WriteTraffic<'_, Data>, wire: &mut Vec<u8>) -> Result<(), rustls::Error> {
    let short = |error| match error {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    };
    match wish {
        Wish::Nothing => Ok(()),
        Wish::Send(plain) => {
            append(wire, plain.len() + RECORD_OVERHEAD_BYTES, |room| traffic.encrypt(plain, room).map_err(short))
        }
        Wish::Close => append(wire, 0, |room| traffic.queue_close_notify(room).map_err(short)),
    }
}

/// Appends what `encode` writes into `room` bytes; it says how much it needs when that is too little.
fn append(
    wire: &mut Vec<u8>,
    mut room: usize,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), rustls::Error> {
    let start = wire.len();
    loop {
        wire.resize(start + room, 0);
        match encode(&mut wire[start..]) {
            Ok(written) => {
                wire.truncate(start + written);
                return Ok(());
            }
            Err(Some(required)) if required > room => room = required,
            Err(_) => {
                wire.truncate(start);
                return Err(rustls::Error::EncryptError);
            }
        }
    }
}

/// Of one record in TLS 1.2 and 1.3 with the AEADs that there are: header, explicit nonce or content type, tag.
const RECORD_OVERHEAD_BYTES: usize = 5 + 8 + 16;

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Client(_) => "Client",
            Side::Server(_) => "Server",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::authority::{Authority, Validity};
    use super::*;
    use proptest::prelude::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use std::sync::Arc;

    fn client(trusted: &Authority) -> Tls {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.certificate_pem().as_bytes()).unwrap()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "10.43.0.1".try_into().unwrap();
        Tls::client(UnbufferedClientConnection::new(Arc::new(config), name).unwrap())
    }

    fn server(authority: &Authority) -> Tls {
        Tls::server(
            UnbufferedServerConnection::new(authority.server_config("10.43.0.1", Validity::Lasting).unwrap()).unwrap(),
        )
    }

    /// Two sides and what is on its way between them.
    struct Pair {
        client: Tls,
        server: Tls,
        to_server: Vec<u8>,
        to_client: Vec<u8>,
        at_server: Vec<u8>,
        at_client: Vec<u8>,
    }

    impl Pair {
        fn new(mut client: Tls, server: Tls) -> Pair {
            let mut to_server = Vec::new();
            client.start(&mut to_server).unwrap();
            Pair { client, server, to_server, to_client: Vec::new(), at_server: Vec::new(), at_client: Vec::new() }
        }

        /// Carries everything over, in pieces.
        fn carry(&mut self, piece: usize) -> Result<(), rustls::Error> {
            while !self.to_server.is_empty() || !self.to_client.is_empty() {
                for bytes in std::mem::take(&mut self.to_server).chunks(piece) {
                    self.server.receive(bytes, &mut self.at_server, &mut self.to_client)?;
                }
                for bytes in std::mem::take(&mut self.to_client).chunks(piece) {
                    self.client.receive(bytes, &mut self.at_client, &mut self.to_server)?;
                }
            }
            Ok(())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_goes_in_comes_out_however_it_is_cut(piece in 1_usize..2_000, question in 0_usize..40_000, answer in 0_usize..40_000) {
            let authority = Authority::generate().unwrap();
            let mut pair = Pair::new(client(&authority), server(&authority));
            let (question, answer) = (vec![b'q'; question], vec![b'a'; answer]);
            pair.client.send(&question, &mut pair.to_server).unwrap();
            pair.carry(piece).unwrap();
            pair.server.send(&answer, &mut pair.to_client).unwrap();
            pair.carry(piece).unwrap();
            prop_assert!(pair.at_server == question && pair.at_client == answer);
            for side in [&pair.client, &pair.server] {
                prop_assert_eq!((side.partial.capacity(), side.early.capacity()), (0, 0), "an idle side holds buffers");
            }
        }
    }

    #[test]
    fn the_goodbye_is_told_from_a_cut() {
        let authority = Authority::generate().unwrap();
        let mut pair = Pair::new(client(&authority), server(&authority));
        pair.carry(usize::MAX).unwrap();
        assert!(!pair.client.is_ended_by_peer());
        pair.server.send(b"bye", &mut pair.to_client).unwrap();
        pair.server.close(&mut pair.to_client);
        pair.carry(usize::MAX).unwrap();
        assert_eq!(pair.at_client, b"bye");
        assert!(pair.client.is_ended_by_peer() && !pair.server.is_ended_by_peer());
    }

    #[test]
    fn who_does_not_trust_the_other_says_why() {
        let (authority, stranger) = (Authority::generate().unwrap(), Authority::generate().unwrap());
        let mut pair = Pair::new(client(&stranger), server(&authority));
        let error = pair.carry(usize::MAX).unwrap_err();
        assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error}");
        let heard = pair.server.receive(&pair.to_server, &mut Vec::new(), &mut Vec::new()).unwrap_err();
        assert!(matches!(heard, rustls::Error::AlertReceived(_)), "{heard}");
    }
}
