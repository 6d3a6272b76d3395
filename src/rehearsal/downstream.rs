//! One HTTP connection that the stand-in opened through a tunnel: inner TLS where it leads to the Kubernetes API, HTTP/1.1
//! above it. Without I/O: bytes from the tunnel go in, bytes for the tunnel are taken out.

use super::{Params, Prepared};
use crate::http1::{ClientConnection, ClientEvent, Headers, MessageLimits, Request};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::io::{self, Read, Write};
use std::sync::Arc;

/// An HTTP client at the end of a tunnelled connection.
#[derive(Debug)]
pub(super) struct Downstream {
    tls: Option<Box<rustls::ClientConnection>>,
    http: ClientConnection,
    /// Bytes for the peer while there is no TLS to hold them.
    plain_out: Vec<u8>,
    host: String,
    bearer: Option<Arc<str>>,
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownstreamError {
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("TLS: {0}")]
    Io(#[from] io::Error),
    #[error("the announced caCert is no certificate")]
    Certificate,
    #[error("the announced address {0} has no host that TLS can verify")]
    Address(String),
    #[error("HTTP: {0}")]
    Http(String),
}

impl Downstream {
    /// A connection to steve, which listens in plain HTTP whatever the address.
    pub(super) fn plain(host: &str) -> Downstream {
        // A watch has no end; other bodies are bounded by who collects them.
        let http = ClientConnection::new(MessageLimits { body_bytes: usize::MAX, ..MessageLimits::default() });
        Downstream { tls: None, http, plain_out: Vec::new(), host: host.to_owned(), bearer: None }
    }

    /// A connection to the Kubernetes API, as Rancher builds it from what the cluster announced: its certificate is
    /// verified against `config` (see [`trust`]) and the announced host.
    pub(super) fn kubernetes(params: &Params, config: Arc<ClientConfig>) -> Result<Downstream, DownstreamError> {
        let host = params.address.rsplit_once(':').map_or(params.address.as_str(), |(host, _port)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| DownstreamError::Address(params.address.clone()))?;
        let tls = Some(Box::new(rustls::ClientConnection::new(config, name)?));
        Ok(Downstream { tls, bearer: Some(params.token.clone()), ..Downstream::plain(&params.address) })
    }

    /// Queues a request.
    pub(super) fn send(&mut self, prepared: Prepared) -> Result<(), DownstreamError> {
        let mut headers = Headers::default();
        headers.push("Host", self.host.as_str());
        headers.push("User-Agent", USER_AGENT);
        headers.push("Accept", prepared.accept);
        if let Some(bearer) = &self.bearer {
            headers.push("Authorization", format!("Bearer {bearer}"));
        }
        if prepared.body.is_some() {
            headers.push("Content-Type", "application/json");
        }
        let body = prepared.body.unwrap_or_default();
        let request = Request { method: prepared.method, target: prepared.target, headers, body };
        let mut wire = Vec::new();
        self.http.request(&request, &mut wire);
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(&wire)?,
            None => self.plain_out.extend_from_slice(&wire),
        }
        Ok(())
    }

    /// Takes bytes from the tunnel; `scratch` is overwritten.
    pub(super) fn receive(&mut self, mut bytes: &[u8], scratch: &mut [u8]) -> Result<(), DownstreamError> {
        let Some(tls) = &mut self.tls else {
            self.http.receive(bytes);
            return Ok(());
        };
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes)?;
            tls.process_new_packets()?;
            // Zero bytes: the peer sends no more; the tunnel's own close follows.
            while let Ok(read @ 1..) = tls.reader().read(scratch) {
                self.http.receive(&scratch[..read]);
            }
        }
        Ok(())
    }

    /// The next piece of a response.
    pub(super) fn next_event(&mut self) -> Result<Option<ClientEvent>, DownstreamError> {
        self.http.next_event().map_err(|error| DownstreamError::Http(error.to_string()))
    }

    /// Appends every byte for the tunnel to `wire`.
    pub(super) fn take(&mut self, wire: &mut Vec<u8>) -> Result<(), DownstreamError> {
        match &mut self.tls {
            Some(tls) => {
                while tls.wants_write() {
                    tls.write_tls(wire)?;
                }
            }
            None => wire.append(&mut self.plain_out),
        }
        Ok(())
    }
}

/// TLS settings that trust the announced authority and nobody else, HTTP/1.1 only, nothing kept between connections: as
/// Rancher's `ToRESTConfig` and Go's transport have it.
pub(super) fn trust(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, DownstreamError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        roots.add(certificate.map_err(|_| DownstreamError::Certificate)?)?;
    }
    if roots.is_empty() {
        return Err(DownstreamError::Certificate);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

const USER_AGENT: &str = concat!("scale-cluster-agent/", env!("CARGO_PKG_VERSION"), " rehearsal");
