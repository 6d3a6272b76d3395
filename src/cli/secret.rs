//! `secret`: sealed values for the configuration, and the key they are sealed with.

use super::args::{SecretArgs, SecretSubcommand};
use super::{Failure, print_stdout};
use crate::config::{SealError, SealKey, Secret, find_sealed, read_text_file};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Does what is asked.
pub(super) fn run(args: &SecretArgs) -> Result<ExitCode, Failure> {
    match &args.subcommand {
        SecretSubcommand::NewKey { file } => new_key(file)?,
        SecretSubcommand::Seal { key_file } => print_stdout(&format!("{}\n", seal(key_file, io::stdin())?))?,
        SecretSubcommand::Reseal { key_file, new_key_file, configuration } => {
            let count = reseal(key_file, new_key_file, configuration)?;
            print_stdout(&format!("{count} sealed values in {} have the new key\n", configuration.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn new_key(path: &Path) -> Result<(), Failure> {
    let key = SealKey::generate().map_err(sealing)?;
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{}", key.expose())).map_err(|error| {
        Failure::new(format!("{} cannot be written: {error}", path.display()))
            .remedy("name a file that does not exist yet: what was sealed with another key would be lost with it")
    })
}

fn seal(key_file: &Path, mut input: impl Read) -> Result<String, Failure> {
    let key = SealKey::from_file(key_file).map_err(sealing)?;
    let mut text = Zeroizing::new(String::new());
    input.read_to_string(&mut text).map_err(|error| Failure::new(format!("standard input: {error}")))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Failure::new("there is nothing to seal").remedy("give the secret on standard input"));
    }
    key.seal(&Secret::new(secret)).map_err(sealing)
}

/// Seals every sealed value of a file with another key; how many there were. The file is replaced whole or not at all.
fn reseal(old: &Path, new: &Path, path: &Path) -> Result<usize, Failure> {
    let (old, new) = (SealKey::from_file(old).map_err(sealing)?, SealKey::from_file(new).map_err(sealing)?);
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
    let mut text = read_text_file("the configuration file", path, MAX_BYTES).map_err(|error| failed(&error))?;
    let places = find_sealed(&text);
    for place in places.iter().rev() {
        let again = old.unseal(&text[place.clone()]).and_then(|secret| new.seal(&secret));
        text.replace_range(place.clone(), &again.map_err(|error| failed(&error))?);
    }
    replace(path, &text).map_err(|error| failed(&error))?;
    Ok(places.len())
}

/// Replaces a file, or the one that a link leads to, by one of the same owner that the same users may read.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = &path.canonicalize()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let before = std::fs::metadata(path)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
    file.as_file().set_permissions(before.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn sealing(error: SealError) -> Failure {
    Failure::new(error.to_string()).remedy("`scale-cluster-agent secret new-key FILE` makes a key")
}

/// More than any configuration.
const MAX_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_configuration_is_sealed_again_with_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["old", "new"] {
            new_key(&path(name)).unwrap();
        }
        assert!(new_key(&path("old")).is_err(), "a key is never overwritten");
        let sealed = seal(&path("old"), "token-abcde:hunter2\n".as_bytes()).unwrap();
        std::fs::write(path("config"), format!("Workers: 2\nBearerToken: {sealed}\n")).unwrap();
        assert_eq!(reseal(&path("old"), &path("new"), &path("config")).unwrap(), 1);
        let text = std::fs::read_to_string(path("config")).unwrap();
        let again = text.strip_prefix("Workers: 2\nBearerToken: ").unwrap().trim();
        let key = SealKey::from_file(&path("new")).unwrap();
        assert_eq!(key.unseal(again).unwrap().expose(), "token-abcde:hunter2");
        assert!(reseal(&path("old"), &path("new"), &path("config")).is_err());
        // Through a link, as deployments mount them: the link stays, what it leads to changes, for the same users.
        std::os::unix::fs::symlink(path("config"), path("link")).unwrap();
        std::fs::set_permissions(path("config"), Permissions::from_mode(0o640)).unwrap();
        assert_eq!(reseal(&path("new"), &path("old"), &path("link")).unwrap(), 1);
        assert!(path("link").is_symlink());
        assert_eq!(std::fs::metadata(path("config")).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(reseal(&path("old"), &path("new"), &path("config")).unwrap(), 1);
        let text = std::fs::read_to_string(path("config")).unwrap();
        assert!(reseal(&path("old"), &path("new"), &path("config")).is_err());
        assert_eq!(std::fs::read_to_string(path("config")).unwrap(), text, "left as it was");
    }

    #[test]
    fn nothing_is_not_sealed() {
        let folder = tempfile::tempdir().unwrap();
        new_key(&folder.path().join("key")).unwrap();
        assert!(seal(&folder.path().join("key"), "\n".as_bytes()).is_err());
    }
}
