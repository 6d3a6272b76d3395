//! The certificate of the REST API, read again when its files change.

use crate::config::refuse_open_file;
use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate and its key, as they are in their files now.
#[derive(Debug)]
pub struct Certificate {
    certificate_file: PathBuf,
    key_file: PathBuf,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    /// How the files were when they were looked at last.
    marks: Marks,
}

/// What tells one state of the certificate's and the key's file from another: device, inode, size, and when contents and owner changed.
type Marks = [Option<[i64; 7]>; 2];

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or holds something else.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The key is not of a kind that rustls knows, or not the certificate's.
    #[error("the key in {} does not do for the certificate in {}: {problem}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        problem: rustls::Error,
    },
}

impl Certificate {
    /// Reads both files.
    pub fn load(certificate_file: PathBuf, key_file: PathBuf) -> Result<Arc<Certificate>, CertificateError> {
        let current = read(&certificate_file, &key_file)?;
        Ok(Arc::new(Certificate { certificate_file, key_file, current: RwLock::new(current) }))
    }

    /// Reads the files again if they changed; true if another certificate is shown from now on. What cannot be used leaves the
    /// one before in place, and is told once.
    pub fn reload(&self) -> Result<bool, CertificateError> {
        let marks = marks(&self.certificate_file, &self.key_file);
        if self.current.read().marks == marks {
            return Ok(false);
        }
        self.current.write().marks = marks;
        let fresh = read(&self.certificate_file, &self.key_file)?;
        let mut current = self.current.write();
        let is_another = current.key.cert != fresh.key.cert;
        *current = fresh;
        Ok(is_another)
    }

    /// What clients are met with.
    pub(in crate::api) fn server_config(self: &Arc<Certificate>) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().key.clone())
    }
}

fn read(certificate_file: &PathBuf, key_file: &PathBuf) -> Result<Current, CertificateError> {
    // Before the files are read: a change in between is seen as one later.
    let marks = marks(certificate_file, key_file);
    let failed = |path: &PathBuf, problem: String| CertificateError::File { path: path.clone(), problem };
    let chain = CertificateDer::pem_file_iter(certificate_file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| failed(certificate_file, error.to_string()))?;
    if chain.is_empty() {
        return Err(failed(certificate_file, "it holds no certificate in PEM".into()));
    }
    refuse_open_file(key_file).map_err(|problem| failed(key_file, problem))?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| failed(key_file, error.to_string()))?;
    let provider = rustls::crypto::ring::default_provider();
    let key = CertifiedKey::from_der(chain, key, &provider).map_err(|problem| CertificateError::Mismatch {
        certificate: certificate_file.clone(),
        key: key_file.clone(),
        problem,
    })?;
    Ok(Current { key: Arc::new(key), marks })
}

fn marks(certificate_file: &Path, key_file: &Path) -> Marks {
    [certificate_file, key_file].map(|path| {
        let file = std::fs::metadata(path).ok()?;
        let (device, inode, size) = (file.dev().cast_signed(), file.ino().cast_signed(), file.size().cast_signed());
        Some([device, inode, size, file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    fn write(folder: &std::path::Path, name: &str) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(folder.join("key.pem"), Permissions::from_mode(0o600)).unwrap();
        made.cert.der().to_vec()
    }

    #[test]
    fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let first = write(folder.path(), "one.test");
        let certificate = Certificate::load(path("cert.pem"), path("key.pem")).unwrap();
        let shown = || certificate.current.read().key.cert[0].to_vec();
        assert!(shown() == first && !certificate.reload().unwrap());
        let second = write(folder.path(), "two.test");
        assert!(certificate.reload().unwrap() && shown() == second);
        std::fs::write(path("key.pem"), "no key").unwrap();
        assert!(certificate.reload().unwrap_err().to_string().starts_with(&path("key.pem").display().to_string()));
        assert!(shown() == second && !certificate.reload().unwrap(), "told once");
        std::fs::remove_file(path("cert.pem")).unwrap();
        assert!(certificate.reload().unwrap_err().to_string().starts_with(&path("cert.pem").display().to_string()));
        assert!(shown() == second && !certificate.reload().unwrap(), "told once");
    }

    #[test]
    fn a_key_that_everybody_may_read_is_refused_until_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write(folder.path(), "one.test");
        let certificate = Certificate::load(path("cert.pem"), path("key.pem")).unwrap();
        let second = write(folder.path(), "two.test");
        let close = |mode| std::fs::set_permissions(path("key.pem"), Permissions::from_mode(mode)).unwrap();
        close(0o666);
        let error = certificate.reload().unwrap_err().to_string();
        assert!(error.contains("every user of this host may read it"), "{error}");
        assert!(!certificate.reload().unwrap(), "told once");
        // Nothing but the mode changes, as when somebody gives a root's file to the agent.
        close(0o600);
        assert!(certificate.reload().unwrap() && certificate.current.read().key.cert[0].to_vec() == second);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        write(folder.path(), "one.test");
        write(other.path(), "two.test");
        let error = Certificate::load(folder.path().join("cert.pem"), other.path().join("key.pem")).unwrap_err();
        assert!(matches!(error, CertificateError::Mismatch { .. }), "{error}");
    }
}
