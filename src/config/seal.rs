//! Secrets that can stand in a configuration file: encrypted under a key that is kept elsewhere.

use super::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// The key that seals secrets: AES-256-GCM, a random nonce for each.
pub struct SealKey(LessSafeKey);

/// Why a secret cannot be sealed or unsealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is no key.
    #[error("the seal key is not what `secret new-key` writes: 32 bytes in Base64")]
    NotAKey,
    /// The key's file cannot be read, or others may read it.
    #[error("the seal key {path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The sealed value is damaged, or sealed with another key.
    #[error("it is sealed with another key, or damaged")]
    NotOurs,
    /// A sealed value, and no key.
    #[error("it is sealed, and there is no key: set SealKeyFile, or SCALE_AGENT_SEAL_KEY in the environment")]
    NoKey,
    /// The operating system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
}

impl SealKey {
    /// A new key, as it is written.
    pub fn generate() -> Result<Secret, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        SystemRandom::new().fill(&mut *bytes).map_err(|_| SealError::NoRandom)?;
        Ok(Secret::new(STANDARD.encode(*bytes)))
    }

    /// The key that is written so.
    pub fn parse(text: &str) -> Result<SealKey, SealError> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| SealError::NotAKey)?);
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::NotAKey)?;
        Ok(SealKey(LessSafeKey::new(key)))
    }

    /// The key in a file that only its owner, and a group, may read.
    pub fn from_file(path: &Path) -> Result<SealKey, SealError> {
        let failed = |problem: String| SealError::File { path: path.display().to_string(), problem };
        refuse_open_file(path).map_err(failed)?;
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        SealKey::parse(&Zeroizing::new(text))
    }

    /// Seals a secret.
    pub fn seal(&self, plain: &Secret) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::NoRandom)?;
        let mut text = plain.expose().as_bytes().to_vec();
        // ring refuses more than 64 GiB only.
        let sealed = self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(PREFIX), &mut text);
        sealed.map_err(|_| SealError::NotOurs)?;
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat())))
    }

    /// What was sealed.
    pub fn unseal(&self, sealed: &str) -> Result<Secret, SealError> {
        let bytes = sealed.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let bytes = bytes.filter(|bytes| bytes.len() > NONCE_LEN).ok_or(SealError::NotOurs)?;
        let (nonce, text) = bytes.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::NotOurs)?;
        let mut text = Zeroizing::new(text.to_vec());
        let plain = self.0.open_in_place(nonce, Aad::from(PREFIX), &mut text).map_err(|_| SealError::NotOurs)?;
        std::str::from_utf8(plain).map(Secret::new).map_err(|_| SealError::NotOurs)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(***)")
    }
}

/// Whether a value is a sealed one.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Every sealed value in a text, where it is.
pub fn find_sealed(text: &str) -> Vec<std::ops::Range<usize>> {
    let end = |start: usize| {
        let rest = &text[start + PREFIX.len()..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(rest.len());
        start + PREFIX.len() + length
    };
    text.match_indices(PREFIX).map(|(start, _)| start..end(start)).collect()
}

/// Refuses a file with a key in it that everybody may read. Its group may: that is how Kubernetes hands files to a container.
pub fn refuse_open_file(path: &Path) -> Result<(), String> {
    let mode = std::fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode();
    match mode & OTHERS {
        0 => Ok(()),
        _ => Err(format!("every user of this host may read it; run `chmod 600 {}`", path.display())),
    }
}

/// Keeps everybody but its owner from a file that the agent made, and says so if others could do something with it.
pub fn make_private(file: &File, path: &Path) -> io::Result<()> {
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode();
    // A device or pipe that stands in for it is not the agent's to close.
    if metadata.is_file() && mode & !OWNERS & 0o777 != 0 {
        file.set_permissions(Permissions::from_mode(mode & OWNERS))?;
        log::warn!("{} could be used by others; not any more", path.display());
    }
    Ok(())
}

/// Marks a sealed value and the way it is sealed; authenticated with it.
const PREFIX: &str = "sealed:v1:";
const KEY_BYTES: usize = 32;
/// Reading and writing by the owner.
const OWNERS: u32 = 0o600;
/// Whatever others may do.
const OTHERS: u32 = 0o007;

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealKey {
        SealKey::parse(SealKey::generate().unwrap().expose()).unwrap()
    }

    #[test]
    fn what_is_sealed_is_unsealed_by_the_same_key_only() {
        let (one, other) = (key(), key());
        let secret = Secret::new("token-abcde:hunter2");
        let sealed = one.seal(&secret).unwrap();
        assert!(is_sealed(&sealed) && !sealed.contains("hunter2"));
        assert_eq!(one.unseal(&sealed), Ok(secret.clone()));
        assert_ne!(one.seal(&secret).unwrap(), sealed, "each has a nonce of its own");
        assert_eq!(other.unseal(&sealed), Err(SealError::NotOurs));
        let mut damaged = sealed.clone();
        damaged.replace_range(20..21, if &sealed[20..21] == "A" { "B" } else { "A" });
        for text in [damaged.as_str(), "sealed:v1:", "sealed:v1:AAAA", "sealed:v2:x", &sealed[..sealed.len() - 1]] {
            assert_eq!(one.unseal(text), Err(SealError::NotOurs), "{text}");
        }
    }

    #[test]
    fn a_file_that_others_could_read_is_closed() {
        let file = tempfile::tempfile().unwrap();
        let mode = || file.metadata().unwrap().permissions().mode() & 0o777;
        for (before, after) in [(0o666, 0o600), (0o640, 0o600), (0o600, 0o600), (0o444, 0o400)] {
            file.set_permissions(Permissions::from_mode(before)).unwrap();
            make_private(&file, Path::new("file")).unwrap();
            assert_eq!(mode(), after, "{before:o}");
        }
    }

    #[test]
    fn sealed_values_are_found_in_a_configuration() {
        let text = "A: 1\nBearerToken: \"sealed:v1:ab_-9\"\nServers: [{BearerToken: sealed:v1:xyz}]\n";
        let found: Vec<&str> = find_sealed(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["sealed:v1:ab_-9", "sealed:v1:xyz"]);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "hunter2", "AAAA"] {
            assert_eq!(SealKey::parse(text).err(), Some(SealError::NotAKey));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, SealKey::generate().unwrap().expose()).unwrap();
        let set_mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o644);
        let error = SealKey::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        set_mode(0o440);
        assert!(SealKey::from_file(&path).is_ok());
    }
}
