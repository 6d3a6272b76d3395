//! Servers that are believed by their very certificate, as an agent is by what stands in its own configuration.

use super::{RancherError, Trust};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

impl Trust {
    /// TLS settings for a server that may also show one of these certificates itself, self-signed or not and whatever it is called:
    /// who has its key is whom it stands for. One that has expired is refused all the same.
    pub fn for_known(&self) -> Result<Arc<ClientConfig>, RancherError> {
        let failed = |error: String| RancherError::Untrusted { url: "the server".into(), cause: error };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots.iter().cloned());
        let by_issuer = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        // It refuses to be made of no roots at all, which believe nobody.
        let by_issuer = by_issuer.map_err(|_| failed("there is no certificate to go by".into()))?;
        let verifier = Known { by_issuer, certificates: self.roots.clone() };
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| failed(error.to_string()))?;
        Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()))
    }
}

/// Accepts what the authorities vouch for, and the certificates themselves.
#[derive(Debug)]
struct Known {
    by_issuer: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
        match self.by_issuer.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // Looked at before issuer and name.
            Err(Error::InvalidCertificate(
                error @ (Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }),
            )) => Err(error.into()),
            Err(_) if self.certificates.contains(end_entity) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_issuer.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_issuer.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_issuer.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use std::time::Duration;

    const NOW: u64 = 1_790_000_000;

    fn params(name: &str, is_ca: bool) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.is_ca = if is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
        params
    }

    fn self_signed(name: &str, is_ca: bool) -> CertificateDer<'static> {
        params(name, is_ca).self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn judge(known: &CertificateDer<'static>, shown: &CertificateDer<'static>, now: u64) -> Result<(), String> {
        let roots = RootCertStore { roots: vec![] };
        let mut roots = roots;
        roots.add(known.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let by_issuer = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let verifier = Known { by_issuer, certificates: vec![known.clone()] };
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        verifier.verify_server_cert(shown, &[], &name, &[], now).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_that_is_known_is_believed_whatever_its_kind_and_name() {
        for is_ca in [false, true] {
            let own = self_signed("agent.test", is_ca);
            assert_eq!(judge(&own, &own, NOW), Ok(()), "{is_ca}");
            let error = judge(&own, &self_signed("agent.test", is_ca), NOW).unwrap_err();
            assert!(
                error.contains("UnknownIssuer")
                    || error.contains("CaUsedAsEndEntity")
                    || error.contains("BadSignature"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_has_expired_is_refused_though_it_is_known() {
        let mut params = params("127.0.0.1", true);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let own = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone();
        assert!(judge(&own, &own, NOW).unwrap_err().contains("xpired"));
        assert!(judge(&own, &own, 1_500_000_000).unwrap_err().contains("not valid yet"));
    }

    #[test]
    fn what_a_known_authority_signed_needs_the_right_name() {
        let key = KeyPair::generate().unwrap();
        let authority = params("ca.test", true);
        let known = authority.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(authority, key);
        let signed =
            |name: &str| params(name, false).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone();
        assert_eq!(judge(&known, &signed("127.0.0.1"), NOW), Ok(()));
        assert!(judge(&known, &signed("agent.test"), NOW).unwrap_err().contains("not valid for name"));
    }
}
