//! The certificates that a server shows, whoever it may be.

use super::Trust;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A server's certificate and what it sends along.
#[derive(Debug, Clone)]
pub struct Presented {
    chain: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
    version: &'static str,
}

impl Presented {
    /// Shakes hands with whoever is at `address`, as a client of `host`. The error says what is wrong, for people.
    pub fn fetch(address: SocketAddr, host: &str, timeout: Duration) -> Result<Presented, String> {
        let name: ServerName<'static> =
            host.to_owned().try_into().map_err(|_| format!("{host} is no valid TLS server name"))?;
        let config = Trust::insecure().for_tunnels().map_err(|error| error.to_string())?;
        let no_tls = |error: std::io::Error| format!("the TLS handshake with {address} fails: {error}");
        let mut socket = TcpStream::connect_timeout(&address, timeout).map_err(no_tls)?;
        socket
            .set_read_timeout(Some(timeout))
            .and_then(|()| socket.set_write_timeout(Some(timeout)))
            .map_err(no_tls)?;
        let mut connection = rustls::ClientConnection::new(config, name.clone()).map_err(|error| error.to_string())?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(no_tls)?;
        }
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS 1.2",
        };
        let chain = connection.peer_certificates().unwrap_or_default();
        Ok(Presented { chain: chain.iter().map(|one| one.clone().into_owned()).collect(), name, version })
    }

    /// In a few words, for people.
    pub fn summary(&self) -> String {
        match self.chain.len() {
            1 => format!("{}, one certificate", self.version),
            count => format!("{}, {count} certificates", self.version),
        }
    }
}

impl Trust {
    /// Whether everybody is believed.
    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// Whether these certificates are believed at this time.
    pub fn judge(&self, presented: &Presented, at: jiff::Timestamp) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots.iter().cloned());
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // It refuses to be made of no roots at all, which believe nobody.
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let verifier = verifier.map_err(|_| unknown())?;
        let (leaf, rest) = presented.chain.split_first().ok_or_else(unknown)?;
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier.verify_server_cert(leaf, rest, &presented.name, &[], at).map(drop)
    }
}
