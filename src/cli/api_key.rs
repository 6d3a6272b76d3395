//! `api-key create`: a key for the REST API, shown once, and its line for the configuration.

use super::args::{ApiKeyArgs, ApiKeySubcommand};
use super::{Failure, print_stdout};
use crate::config::{ApiKey, Role, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Makes a key and prints it.
pub(super) fn run(args: &ApiKeyArgs) -> Result<ExitCode, Failure> {
    let ApiKeySubcommand::Create { role, name } = &args.subcommand;
    ApiKey::check_name(name)
        .map_err(|problem| Failure::new(problem).remedy("choose a short name such as ci").usage())?;
    let key = make()?;
    let (key, line) = (key.expose(), entry(name, *role, &key).to_line());
    print_stdout(&format!(
        "# The key, shown this once; send it as `Authorization: Bearer KEY`:\n{key}\n\n\
         # For the configuration file; a running agent takes it at SIGHUP:\nAPIKeys:\n  {line}\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A new key.
pub(super) fn make() -> Result<Secret, Failure> {
    let mut random = Zeroizing::new([0; KEY_BYTES]);
    SystemRandom::new().fill(&mut *random).map_err(|_| Failure::new("the system gives no random numbers"))?;
    Ok(Secret::new(format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(*random))))
}

/// What the configuration says of a key.
pub(super) fn entry(name: &str, role: Role, key: &Secret) -> ApiKey {
    let mut hash = [0; 32];
    // Invariant: SHA-256 has 32 bytes.
    hash.copy_from_slice(digest(&SHA256, key.expose().as_bytes()).as_ref());
    ApiKey { name: name.into(), role, hash }
}

/// So many random bits that guessing is hopeless, whatever the hash.
const KEY_BYTES: usize = 32;
/// By which scanners for leaked secrets, and people, know a key.
const KEY_PREFIX: &str = "sca_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_holds_the_hash_of_the_key() {
        // printf sca_test | sha256sum
        let hash = "e191397f75f7699746515ef5ad50788bac1983fa6d44509bccf063c5ba5dcbdf";
        let expected = format!("- {{Name: ci, Role: operator, Hash: \"sha256:{hash}\"}}");
        assert_eq!(entry("ci", Role::Operator, &Secret::new("sca_test")).to_line(), expected);
    }
}
