//! Whom to believe that it is Rancher.

use super::RancherError;
use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// The certificates that may stand at the root of Rancher's.
#[derive(Debug, Clone)]
pub struct Trust {
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) insecure: bool,
}

impl Trust {
    /// The system's roots and those of `ca_file`; with `insecure` everybody is believed.
    pub fn load(ca_file: Option<&Path>, insecure: bool) -> Result<Trust, RancherError> {
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            log::debug!("a system certificate cannot be read: {error}");
        }
        let mut trust = Trust { roots: native.certs, insecure };
        if let Some(file) = ca_file {
            trust.add_file(file)?;
        }
        Ok(trust)
    }

    /// Adds the certificates of a file.
    pub fn add_file(&mut self, file: &Path) -> Result<(), RancherError> {
        let failed = |problem: String| RancherError::CertificateFile { file: file.display().to_string(), problem };
        let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        self.add(&pem).map_err(failed)
    }

    /// Believes nobody's certificate to be wrong.
    pub(super) fn insecure() -> Trust {
        Trust { roots: Vec::new(), insecure: true }
    }

    /// Adds the certificates of Rancher's `cacerts` setting, if they are those that `checksum` (SHA-256, hex) announces. Rancher
    /// computes it over the PEM text with exactly one newline at its end.
    pub(super) fn add_announced(&mut self, cacerts: &str, checksum: &str) -> Result<(), RancherError> {
        let text = format!("{}\n", cacerts.trim_end_matches('\n'));
        let found: String =
            digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if !found.eq_ignore_ascii_case(checksum.trim()) {
            return Err(RancherError::Checksum { expected: checksum.trim().to_owned(), found });
        }
        let file = "Rancher's cacerts setting".to_owned();
        self.add(text.as_bytes()).map_err(|problem| RancherError::CertificateFile { file, problem })
    }

    fn add(&mut self, pem: &[u8]) -> Result<(), String> {
        let before = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| format!("is no PEM: {error}"))?;
            RootCertStore::empty()
                .add(certificate.clone())
                .map_err(|error| format!("holds no certificate: {error}"))?;
            self.roots.push(certificate);
        }
        if self.roots.len() == before { Err("holds no PEM certificate".into()) } else { Ok(()) }
    }

    /// TLS settings of the REST client.
    pub fn for_rest(&self) -> TlsConfig {
        let roots: Vec<Certificate<'static>> =
            self.roots.iter().map(|root| Certificate::from_der(root.as_ref()).to_owned()).collect();
        TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .disable_verification(self.insecure)
            .build()
    }

    /// TLS settings of the tunnels: one configuration for all of them.
    pub fn for_tunnels(&self) -> Result<Arc<ClientConfig>, RancherError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots.iter().cloned());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| RancherError::Untrusted { url: "Rancher".into(), cause: error.to_string() })?;
        let mut config = match self.insecure {
            true => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth()
            }
            false => builder.with_root_certificates(roots).with_no_client_auth(),
        };
        // Reconnects of thousands of tunnels must not fill memory with tickets; Rancher's side gives none worth keeping.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// Accepts every certificate: only where the operator said so on the command line.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_certificate_is_believed_only_if_its_checksum_fits() {
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = rcgen::CertificateParams::new(vec!["ca".into()]).unwrap().self_signed(&key).unwrap().pem();
        let mut trust = Trust::insecure();
        let wrong = "0".repeat(64);
        assert!(matches!(trust.add_announced(&pem, &wrong), Err(RancherError::Checksum { .. })));
        assert!(trust.roots.is_empty());

        // As `sha256sum` of the text with one newline at its end.
        let text = format!("{}\n", pem.trim_end());
        let checksum: String = digest(&SHA256, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02X}")).collect();
        trust.add_announced(&format!("{pem}\n\n"), &checksum).unwrap();
        assert_eq!(trust.roots.len(), 1);
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, "hello").unwrap();
        let error = Trust::load(Some(&file), false).unwrap_err().to_string();
        assert!(error.contains("ca.pem") && error.contains("holds no PEM certificate"), "{error}");
    }
}
