//! The certificate authority of the stand-in, made anew for each run.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::sync::Arc;

/// A self-signed authority and the server configuration of the one leaf it signed.
#[derive(Debug)]
pub struct Authority {
    /// The authority's certificate: what `cacerts` serves and what the agent's `CAFile` holds.
    pub ca_pem: String,
    /// TLS for a server that is reached as one of the names given to [`Authority::new`].
    pub server: Arc<ServerConfig>,
}

/// Why there is no authority: the name that cannot stand in a certificate, or what the TLS library refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// rcgen refused a name or could not make a key.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// rustls refused the certificate or the key.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Authority {
    /// Makes an authority and a leaf for `names` (DNS names or IP addresses). Keys are ECDSA P-256.
    pub fn new(names: &[&str]) -> Result<Authority, AuthorityError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::<String>::new())?;
        ca.distinguished_name = common_name("rehearsal-ca");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let ca_pem = ca.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca, ca_key);

        let leaf_key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        leaf.distinguished_name = common_name("rehearsal-rancher");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = leaf.signed_by(&leaf_key, &issuer)?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into(),
            )?;
        // Tunnels are resumed by nobody; tickets would only cost bytes on each of thousands of handshakes.
        server.send_tls13_tickets = 0;
        Ok(Authority { ca_pem, server: Arc::new(server) })
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

    fn client_that_trusts(pem: &str) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        Arc::new(
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }

    /// Shakes hands in memory; the client's verdict.
    fn handshake(client: Arc<ClientConfig>, authority: &Authority, name: &'static str) -> Result<(), rustls::Error> {
        let mut client = ClientConnection::new(client, ServerName::try_from(name).unwrap()).unwrap();
        let mut server = ServerConnection::new(authority.server.clone()).unwrap();
        let mut wire = Vec::new();
        while client.is_handshaking() {
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut std::mem::take(&mut wire).as_slice()).unwrap();
            server.process_new_packets().unwrap();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut std::mem::take(&mut wire).as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn who_trusts_the_authority_trusts_its_leaf() {
        let authority = Authority::new(&["127.0.0.1", "localhost"]).unwrap();
        assert_eq!(handshake(client_that_trusts(&authority.ca_pem), &authority, "127.0.0.1"), Ok(()));
        assert_eq!(handshake(client_that_trusts(&authority.ca_pem), &authority, "localhost"), Ok(()));
    }

    #[test]
    fn another_authority_or_another_name_is_refused() {
        let authority = Authority::new(&["127.0.0.1"]).unwrap();
        let other = Authority::new(&["127.0.0.1"]).unwrap();
        handshake(client_that_trusts(&other.ca_pem), &authority, "127.0.0.1").unwrap_err();
        handshake(client_that_trusts(&authority.ca_pem), &authority, "localhost").unwrap_err();
    }
}
