//! The certificate authority of the virtual clusters' API servers.
//!
//! One authority and one leaf serve all clusters: Rancher tells them apart by their tunnel, and a certificate each would cost
//! memory ten thousand times. The authority is kept on disk, since Rancher restarts a cluster's controllers whenever the
//! announced certificate changes.

use super::EngineError;
use crate::config::make_private;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// A certificate authority with its key.
pub struct Authority {
    certificate_pem: String,
    key: KeyPair,
}

/// How long a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Wide enough that neither a test host's wrong clock nor a long-lived fleet meets an end of it.
    Lasting,
    /// It ended long ago.
    Expired,
}

impl Authority {
    /// Reads the authority from `dir`, or makes one and writes it there (`cluster-ca.crt`, and `cluster-ca.key` with mode 0600).
    ///
    /// Errors name the file. Half a pair is an error: making a new one in silence would restart every cluster's controllers.
    pub fn load_or_create(dir: &Path) -> Result<Authority, EngineError> {
        let (certificate_path, key_path) = (dir.join(CERTIFICATE_FILE), dir.join(KEY_FILE));
        match (read_if_present(&certificate_path)?, read_key(&key_path)?) {
            (Some(certificate_pem), Some(key_pem)) => {
                let key = KeyPair::from_pem(&key_pem).map_err(|e| EngineError::authority(&key_path, e))?;
                Ok(Authority { certificate_pem, key })
            }
            (None, None) => {
                let authority = Authority::generate()?;
                write_new(&key_path, &authority.key.serialize_pem(), 0o600)?;
                write_new(&certificate_path, &authority.certificate_pem, 0o644)?;
                Ok(authority)
            }
            (Some(_), None) => Err(EngineError::authority(&key_path, HALF_A_PAIR)),
            (None, Some(_)) => Err(EngineError::authority(&certificate_path, HALF_A_PAIR)),
        }
    }

    /// An authority that lives in memory only.
    pub fn generate() -> Result<Authority, EngineError> {
        let key = KeyPair::generate()?;
        let certificate_pem = authority_params().self_signed(&key)?.pem();
        Ok(Authority { certificate_pem, key })
    }

    /// The authority's certificate, as announced to Rancher and stored in every `kube-root-ca.crt`.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The TLS configuration of every virtual API server: a fresh leaf for `host` (a name or an address) and the names a
    /// Kubernetes API server answers to, HTTP/1.1 only, nothing kept between connections.
    pub fn server_config(&self, host: &str, validity: Validity) -> Result<Arc<rustls::ServerConfig>, EngineError> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = API_SERVER_NAMES.iter().copied().chain([host]).map(str::to_owned).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        set_validity(&mut params, validity);
        let leaf = params.signed_by(&key, &Issuer::new(authority_params(), &self.key))?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        // A ticket is a message and a stored secret per connection; a resumption saves the peer little on loopback streams.
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "scale-cluster-agent");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params, Validity::Lasting);
    params
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = match validity {
        Validity::Lasting => rcgen::date_time_ymd(2049, 12, 31),
        Validity::Expired => rcgen::date_time_ymd(2021, 1, 1),
    };
}

/// The key, which others may not have had from here.
fn read_key(path: &Path) -> Result<Option<String>, EngineError> {
    let text = read_if_present(path)?;
    if text.is_some() {
        let private = fs::File::open(path).and_then(|file| make_private(&file, path));
        private.map_err(|error| EngineError::authority(path, error))?;
    }
    Ok(text)
}

fn read_if_present(path: &Path) -> Result<Option<String>, EngineError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EngineError::authority(path, error)),
    }
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), EngineError> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| EngineError::authority(path, error))
}

const CERTIFICATE_FILE: &str = "cluster-ca.crt";
const KEY_FILE: &str = "cluster-ca.key";
const HALF_A_PAIR: &str = "is missing though its counterpart exists; restore it, or remove the counterpart to make a new \
     authority (Rancher then restarts the controllers of every cluster)";
/// What a kube-apiserver's own certificate names (kubeadm's defaults).
const API_SERVER_NAMES: [&str; 5] =
    ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_authority_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = Authority::load_or_create(dir.path()).unwrap();
        let second = Authority::load_or_create(dir.path()).unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        assert_eq!(first.key.serialize_der(), second.key.serialize_der());
    }

    #[test]
    fn half_a_pair_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        Authority::load_or_create(dir.path()).unwrap();
        fs::remove_file(dir.path().join(KEY_FILE)).unwrap();
        let error = Authority::load_or_create(dir.path()).err().unwrap().to_string();
        assert!(error.contains("cluster-ca.key") && error.contains("counterpart"), "{error}");
    }

    #[test]
    fn a_client_that_trusts_the_authority_completes_a_handshake() {
        let authority = Authority::generate().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::pem::PemObject;
        roots
            .add(rustls::pki_types::CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut client = rustls::ClientConnection::new(Arc::new(config), "10.43.0.1".try_into().unwrap()).unwrap();
        let mut server =
            rustls::ServerConnection::new(authority.server_config("10.43.0.1", Validity::Lasting).unwrap()).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        assert!(!client.is_handshaking());
    }
}
