//! The agent's own directory and its identity.

use super::Failure;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes the agent's directory, readable by its owner only.
pub(super) fn prepare_home(home: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(|error| {
        Failure::new(format!("{} cannot be made: {error}", home.display()))
            .remedy("choose another directory with --home, or make this one writable")
    })
}

/// The agent's instance id: 16 hex digits, made once and kept. Every cluster's credentials depend on it.
pub(super) fn load_or_create_id(home: &Path) -> Result<String, Failure> {
    let path = home.join("instance-id");
    let failed = |problem: String| {
        Failure::new(format!("{}: {problem}", path.display()))
            .remedy("restore the file: with another id the agent does not know the clusters it created as its own")
    };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let id = text.trim();
            if id.len() != ID_LENGTH || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(failed(format!("is not {ID_LENGTH} hex digits")));
            }
            Ok(id.to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = format!("{:016x}", fastrand::u64(..));
            let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            file.and_then(|mut file| writeln!(file, "{id}")).map_err(|error| failed(error.to_string()))?;
            Ok(id)
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

const ID_LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create_id(dir.path()).unwrap();
        assert_eq!(first.len(), 16);
        assert_eq!(load_or_create_id(dir.path()).unwrap(), first);
    }
}
